// What of a folder are tables: it is looked at from above, and where a table begins the search ends.

import Base
import Node
import SQL

/// Finds the Delta tables and the files of rows below a place.
///
/// A folder with `_delta_log` is a Delta table; one with files of one format, or with folders of
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
            if isFile
                || (place.disk == nil && FolderFormat(fileName: place.path) != nil && tree.isEmpty)
            {
                let name = lastComponent(of: place.path)
                add([name], FolderFormat(fileName: name) ?? .parquet, place.path)
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
        var files: [(name: String, format: FolderFormat)] = []
        for name in children.files where !isHidden(name) {
            if let format = FolderFormat(fileName: name) { files.append((name, format)) }
        }
        let formats = Set(files.map(\.format))
        let folders = children.folders.filter { !isHidden($0) }
        let isPartitioned = files.isEmpty && folders.contains { $0.contains("=") }
        let only = isPartitioned ? .parquet : formats.count == 1 ? formats.first : nil
        if let only, !parts.isEmpty {
            add(parts, only, path)
            return
        }
        // The files of the place itself have names of their own, and one together.
        for file in files { add(parts + [file.name], file.format, path + "/" + file.name) }
        if let only, files.count > 1 || isPartitioned { add([lastComponent(of: path)], only, path) }
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
        for ending in FolderFormat(fileName: name)?.endings ?? [] where name.hasSuffix(ending) {
            if name.count > ending.count { name.removeLast(ending.count) }
        }
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
