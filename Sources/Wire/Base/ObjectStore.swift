/// Where tables live: whole objects under `/`-separated paths. Objects are written once.
package protocol ObjectStore: AnyObject, Sendable {
    /// Bytes `range` of the object, or all of it when nil. A range beyond the end is cut.
    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes
    func size(_ path: String) throws(StorageFailure) -> Int64
    /// Writes a new object durably. It must not exist.
    func put(_ path: String, _ content: Bytes) throws(StorageFailure)
    /// The same for an object in pieces, one after the other, which need not be copied together.
    func put(_ path: String, pieces: [Bytes]) throws(StorageFailure)
    /// Writes a new object durably, or throws `alreadyExists` and changes nothing. Of any number
    /// of concurrent callers exactly one succeeds, and nobody ever sees a part of the object.
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure)
    /// Writes a new object that others can do without, or throws `alreadyExists`. Nobody sees a part
    /// of it while the machine runs; after a crash it may be missing, empty or damaged.
    func putHint(_ path: String, _ content: Bytes) throws(StorageFailure)
    /// Replaces an object as a whole.
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure)
    /// The objects whose path begins with `prefix` + "/", in ascending order, as full paths with
    /// sizes and modification times. `recursive` descends into folders.
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry]
    /// The objects directly in the folder `prefix` whose names come behind `name`, in ascending order.
    /// What is before costs little or nothing.
    func list(_ prefix: String, after name: String) throws(StorageFailure) -> [ObjectEntry]
    /// Deletes an object, which a crash may bring back.
    func delete(_ path: String) throws(StorageFailure)
    /// Deletes objects for good; those that are not there any more are no error.
    func delete(all paths: [String]) throws(StorageFailure)
    func exists(_ path: String) -> Bool
    /// Begins an object that is too large to be put in one piece; one of that name is replaced when
    /// it is finished. Without an implementation of its own a store keeps it in memory until then.
    func writer(_ path: String) throws(StorageFailure) -> any ObjectWriter
    /// What the world calls the place of these objects; nil when it has no name there.
    var location: StoreLocation? { get }
}

/// Where a store is, as addresses of other tables and programs name it.
package struct StoreLocation: Hashable, Sendable {
    /// What stands before the path of an object: `file:///data/lake/`, `s3://bucket/prefix/`. Not
    /// percent-encoded, with a slash at its end.
    package let base: String
    /// The folder that addresses may lead into, from the root of the store on; empty = all of it.
    package let readable: String

    package init(base: String, readable: String = "") {
        self.base = base.hasSuffix("/") ? base : base + "/"
        self.readable = readable
    }

    /// The address of the object at `path`.
    package func address(of path: String) -> String { base + path }

    /// The path of the object with this address, which is not percent-encoded; nil when it is not
    /// in the store or not below what may be read.
    package func path(of address: String) -> String? {
        guard let wanted = Self.parts(of: address), let own = Self.parts(of: base),
            wanted.scheme == own.scheme
        else { return nil }
        let all = wanted.path.split(separator: "/", omittingEmptySubsequences: true)
        let start = own.path.split(separator: "/", omittingEmptySubsequences: true)
        guard all.count > start.count, all.starts(with: start),
            !all.contains(where: { $0 == "." || $0 == ".." || $0.utf8.contains(0) })
        else { return nil }
        let path = all.dropFirst(start.count).joined(separator: "/")
        return readable.isEmpty || path.hasPrefix(readable + "/") ? path : nil
    }

    /// `file:/x`, `file:///x` and `/x` are one address; so are those of the names of S3's protocol.
    private static func parts(of address: String) -> (scheme: String, path: Substring)? {
        if address.hasPrefix("/") { return ("file", address[...]) }
        guard let colon = address.firstIndex(of: ":") else { return nil }
        let scheme = address[..<colon].lowercased()
        let rest = address[address.index(after: colon)...]
        switch scheme {
        case "file":
            // Two slashes are followed by the name of a machine.
            let isLocal = !rest.hasPrefix("//") || rest.hasPrefix("///")
            return isLocal && rest.hasPrefix("/") ? ("file", rest) : nil
        case "s3", "s3a", "s3n": return rest.hasPrefix("//") ? ("s3", rest.dropFirst(2)) : nil
        default: return rest.hasPrefix("//") ? (scheme, rest.dropFirst(2)) : nil
        }
    }
}

extension ObjectStore {
    package var location: StoreLocation? { nil }

    package func list(
        _ prefix: String, after name: String
    ) throws(StorageFailure) -> [ObjectEntry] {
        try list(prefix, recursive: false).filter {
            name.utf8.lexicographicallyPrecedes(lastComponent(of: $0.path).utf8)
        }
    }
}

/// An object that is written in pieces. It exists, durably and as a whole, when `finish` has returned;
/// until then, and after `cancel`, nothing of it is seen.
package protocol ObjectWriter: AnyObject {
    func write(_ piece: Bytes) throws(StorageFailure)
    func finish() throws(StorageFailure)
    func cancel()
}

extension ObjectStore {
    package func writer(_ path: String) throws(StorageFailure) -> any ObjectWriter {
        GatheringWriter(self, path)
    }
}

private final class GatheringWriter: ObjectWriter {
    private let store: any ObjectStore
    private let path: String
    private var pieces: [Bytes] = []

    init(_ store: any ObjectStore, _ path: String) {
        self.store = store
        self.path = path
    }

    func write(_ piece: Bytes) { pieces.append(piece) }
    func finish() throws(StorageFailure) { try store.replace(path, Bytes.joined(pieces)) }
    func cancel() { pieces = [] }
}

extension ObjectStore {
    package func delete(all paths: [String]) throws(StorageFailure) {
        for path in paths {
            do throws(StorageFailure) { try delete(path) } catch {
                if case .notFound = error { continue }
                throw error
            }
        }
    }
}

extension ObjectStore {
    package func put(_ path: String, pieces: [Bytes]) throws(StorageFailure) {
        try put(path, Bytes.joined(pieces))
    }
}

extension ObjectStore {
    package func putHint(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try putIfAbsent(path, content)
    }
}

package struct ObjectEntry: Equatable, Sendable {
    package var path: String
    package var size: Int64
    package var modified: Timestamp

    package init(path: String, size: Int64, modified: Timestamp) {
        self.path = path
        self.size = size
        self.modified = modified
    }
}

/// Objects as files below `root` of a disk.
package final class LocalObjectStore: ObjectStore {
    private let disk: any Disk
    private let root: String
    package let location: StoreLocation?

    package init(disk: any Disk, root: String = "", location: StoreLocation? = nil) {
        self.disk = disk
        self.root = root
        self.location = location
    }

    private func full(_ path: String) -> String { root.isEmpty ? path : root + "/" + path }

    package func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        let file = try disk.open(full(path))
        defer { file.close() }
        guard let range else { return try file.read(at: 0, count: Int(file.size)) }
        let end = min(range.upperBound, file.size)
        guard range.lowerBound < end else { return .empty }
        return try file.read(at: range.lowerBound, count: Int(end - range.lowerBound))
    }

    package func size(_ path: String) throws(StorageFailure) -> Int64 {
        let facts = try disk.facts(full(path))
        if facts.isDirectory { throw .notFound(path: full(path)) }
        return facts.size
    }

    package func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try put(path, pieces: [content])
    }

    package func put(_ path: String, pieces: [Bytes]) throws(StorageFailure) {
        try prepareDirectory(of: path)
        let file = try disk.create(full(path))
        defer { file.close() }
        try file.write(pieces, at: 0)
        try file.sync()
        try disk.syncDirectory(parentDirectory(of: full(path)))
    }

    package func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try putIfAbsent(path, content, isDurable: true)
    }

    package func putHint(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try putIfAbsent(path, content, isDurable: false)
    }

    private func putIfAbsent(
        _ path: String, _ content: Bytes, isDurable: Bool
    ) throws(StorageFailure) {
        if disk.exists(full(path)) { throw .alreadyExists(path: path) }
        try prepareDirectory(of: path)
        // Each writer owns its hidden name because it created it: two racing writers that shared
        // one could publish each other's bytes. Leftovers of crashes keep their names until the
        // folder is cleaned.
        let (temporary, file) = try createTemporary(for: path)
        defer { file.close() }
        do {
            try file.write(content, at: 0)
            if isDurable { try file.sync() }
            try disk.link(temporary, as: full(path))
        } catch {
            try? disk.remove(temporary)
            throw error
        }
        // From here on the object exists, so a second name that stays does no harm.
        try? disk.remove(temporary)
        if isDurable { try disk.syncDirectory(parentDirectory(of: full(path))) }
    }

    /// A new file under a hidden name next to `path` that nobody else uses.
    private func createTemporary(
        for path: String
    ) throws(StorageFailure) -> (name: String, file: any DiskFile) {
        let stem = parentDirectory(of: full(path)) + "/." + lastComponent(of: path)
        var attempt = 0
        while true {
            let name = "\(stem).\(attempt).tmp"
            do {
                return (name, try disk.create(name))
            } catch {
                guard case .alreadyExists = error, attempt < 1000 else { throw error }
                attempt += 1
            }
        }
    }

    package func writer(_ path: String) throws(StorageFailure) -> any ObjectWriter {
        try prepareDirectory(of: path)
        let (temporary, file) = try createTemporary(for: path)
        return FileWriter(disk, file, temporary, full(path))
    }

    package func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try prepareDirectory(of: path)
        try disk.replace(full(path), with: content)
    }

    package func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        var found: [ObjectEntry] = []
        try collect(prefix, recursive: recursive, into: &found)
        return found
    }

    package func list(
        _ prefix: String, after name: String
    ) throws(StorageFailure) -> [ObjectEntry] {
        var found: [ObjectEntry] = []
        try collect(prefix, after: name, recursive: false, into: &found)
        return found
    }

    private func collect(
        _ prefix: String, after first: String = "", recursive: Bool,
        into found: inout [ObjectEntry]
    ) throws(StorageFailure) {
        for name in try disk.list(full(prefix), after: first) {
            let path = prefix.isEmpty ? name : prefix + "/" + name
            let facts: FileFacts
            do throws(StorageFailure) {
                facts = try disk.facts(full(path))
            } catch {
                // Somebody was done with it: the hidden names of commits come and go.
                if case .notFound = error { continue }
                throw error
            }
            if facts.isDirectory {
                if recursive { try collect(path, recursive: true, into: &found) }
            } else {
                found.append(
                    ObjectEntry(path: path, size: facts.size, modified: facts.modified))
            }
        }
    }

    package func delete(_ path: String) throws(StorageFailure) { try disk.remove(full(path)) }

    package func delete(all paths: [String]) throws(StorageFailure) {
        var folders: OrderedMap<String, Bool> = [:]
        for path in paths {
            do throws(StorageFailure) { try disk.remove(full(path)) } catch {
                guard case .notFound = error else { throw error }
            }
            folders[parentDirectory(of: full(path))] = true
        }
        for folder in folders.keys where folder.isEmpty || disk.isDirectory(folder) {
            try disk.syncDirectory(folder)
        }
    }

    package func exists(_ path: String) -> Bool { disk.exists(full(path)) }

    /// Creates missing directories and makes their names durable, from the root down.
    private func prepareDirectory(of path: String) throws(StorageFailure) {
        let directory = parentDirectory(of: full(path))
        guard !directory.isEmpty, !disk.isDirectory(directory) else { return }
        var existing = directory
        while !existing.isEmpty, !disk.isDirectory(existing) {
            existing = parentDirectory(of: existing)
        }
        try disk.makeDirectory(directory)
        var parent = existing
        try disk.syncDirectory(parent)
        for part in directory.dropFirst(existing.isEmpty ? 0 : existing.count + 1).split(
            separator: "/")
        {
            parent = parent.isEmpty ? String(part) : parent + "/" + part
            try disk.syncDirectory(parent)
        }
    }
}

/// A file under a hidden name until it is finished.
private final class FileWriter: ObjectWriter {
    private let disk: any Disk
    private let file: any DiskFile
    private let temporary: String
    private let path: String
    private var position: Int64 = 0

    init(_ disk: any Disk, _ file: any DiskFile, _ temporary: String, _ path: String) {
        self.disk = disk
        self.file = file
        self.temporary = temporary
        self.path = path
    }

    func write(_ piece: Bytes) throws(StorageFailure) {
        try file.write(piece, at: position)
        position += Int64(piece.count)
    }

    func finish() throws(StorageFailure) {
        defer { file.close() }
        try file.sync()
        try disk.rename(temporary, to: path)
        try disk.syncDirectory(parentDirectory(of: path))
    }

    func cancel() {
        file.close()
        try? disk.remove(temporary)
    }
}

package func lastComponent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return path }
    return String(path[path.index(after: slash)...])
}
