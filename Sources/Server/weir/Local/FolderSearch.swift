// What of a folder are tables: it is looked at from above, and where a table begins the search ends.

import Base
import Node
import SQL

/// Finds the Delta tables and the Parquet files below a place.
///
/// A folder with `_delta_log` is a Delta table; one with Parquet files, or with folders of
/// partitions (`day=1`), is a relation of all of them. `bronze/events` becomes `bronze.events`.
/// Names that begin with `_` or `.` are left out.
struct FolderSearch {
    /// Folders are looked at this deep; tables further down have to be opened by themselves.
    static let depthMax = 6
    static let tablesMax = 10_000

    private let place: LocalPlace
    private let tree: FolderTree
    private(set) var found: [FolderTable] = []
    /// Whether there was more than `tablesMax`.
    private(set) var isCut = false
    private var names: Set<[String]> = []

    init(_ place: LocalPlace) throws(Problem) {
        self.place = place
        do throws(StorageFailure) {
            let isFile = place.disk?.isDirectory(place.path) == false
            tree = isFile ? FolderTree() : try FolderTree(of: place)
            if isFile || (place.disk == nil && place.path.hasSuffix(".parquet") && tree.isEmpty) {
                add([lastComponent(of: place.path)], .parquet, place.path)
                return
            }
            try look(at: place.path, [])
        } catch {
            throw Problem(
                "lake.place", "\(place.text) can't be searched for tables",
                notes: [error.description])
        }
    }

    private mutating func look(at path: String, _ parts: [String]) throws(StorageFailure) {
        let children = try tree.children(path)
        if children.folders.contains("_delta_log") {
            add(parts.isEmpty ? [lastComponent(of: path)] : parts, .delta, path)
            return
        }
        func isHidden(_ name: String) -> Bool { name.hasPrefix("_") || name.hasPrefix(".") }
        let files = children.files.filter { $0.hasSuffix(".parquet") && !isHidden($0) }
        let folders = children.folders.filter { !isHidden($0) }
        let isPartitioned = folders.contains { $0.contains("=") }
        if !parts.isEmpty, !files.isEmpty || isPartitioned {
            add(parts, .parquet, path)
            return
        }
        // The files of the place itself have names of their own, and one together.
        for file in files { add([file], .parquet, path + "/" + file) }
        if files.count > 1 || isPartitioned { add([lastComponent(of: path)], .parquet, path) }
        guard parts.count < Self.depthMax else { return }
        for folder in folders where !folder.contains("=") {
            try look(at: path + "/" + folder, parts + [folder])
        }
    }

    private mutating func add(_ parts: [String], _ format: FolderFormat, _ path: String) {
        if found.count == Self.tablesMax {
            isCut = true
            return
        }
        var name = parts[parts.count - 1]
        if name.hasSuffix(".parquet"), name.utf8.count > 8 { name.removeLast(8) }
        var schema = parts.dropLast().joined(separator: "/")
        if schema.isEmpty { schema = "public" }
        // These begin the names of folders in SQL, or are computed.
        if FolderFormat(rawValue: schema) != nil || reservedSchemas.contains(schema) {
            schema += "_"
        }
        var number = 2
        let plain = name
        while !names.insert([schema, name]).inserted {
            name = plain + "_\(number)"
            number += 1
        }
        found.append(FolderTable(schema: schema, name: name, format: format, path: path))
    }
}

private let reservedSchemas = ["information_schema", "pg_catalog", "weir"]

/// The folders below a path. Those of a disk are read one by one when they are asked for; a bucket
/// has no folders, so that its keys are listed once and taken apart.
private struct FolderTree {
    struct Children {
        var folders: [String] = []
        var files: [String] = []
    }

    private var disk: (any Disk)?
    private var known: [String: Children] = [:]

    /// No folders.
    init() {}

    var isEmpty: Bool { disk == nil && known.isEmpty }

    init(of place: LocalPlace) throws(StorageFailure) {
        disk = place.disk
        if disk != nil { return }
        var seen: Set<String> = []
        for entry in try place.store.list(place.path, recursive: true) {
            var child = entry.path
            var isFile = true
            // Upwards, until a folder is known already.
            while child.utf8.count > place.path.utf8.count {
                let parent = parentDirectory(of: child)
                if isFile {
                    known[parent, default: Children()].files.append(lastComponent(of: child))
                } else if seen.insert(child).inserted {
                    known[parent, default: Children()].folders.append(lastComponent(of: child))
                } else {
                    break
                }
                isFile = false
                child = parent
            }
        }
    }

    func children(_ path: String) throws(StorageFailure) -> Children {
        guard let disk else { return known[path] ?? Children() }
        var children = Children()
        for name in try disk.list(path) {
            if disk.isDirectory(path + "/" + name) {
                children.folders.append(name)
            } else {
                children.files.append(name)
            }
        }
        return children
    }
}
