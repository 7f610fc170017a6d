import Synchronization

/// A disk in memory that never fails and never forgets: for tests and for `weir dev`. The
/// simulator has one of its own that loses, tears and reorders.
package final class MemoryDisk: Disk {
    private struct Tree {
        var files: OrderedMap<String, MemoryFile> = [:]
        var directories: OrderedMap<String, Bool> = ["": true]
        var clock: Int64 = 0
    }

    private let tree = Mutex(Tree())

    package init() {}

    package func create(_ path: String) throws(StorageFailure) -> any DiskFile {
        let outcome: Result<MemoryFile, StorageFailure> = tree.withLock { tree in
            if tree.files[path] != nil { return .failure(.alreadyExists(path: path)) }
            if tree.directories[parentDirectory(of: path)] == nil {
                return .failure(.notFound(path: parentDirectory(of: path)))
            }
            tree.clock += 1
            let file = MemoryFile(path: path, created: tree.clock)
            tree.files[path] = file
            return .success(file)
        }
        return try outcome.get()
    }

    package func open(_ path: String) throws(StorageFailure) -> any DiskFile {
        guard let file = tree.withLock({ $0.files[path] }) else {
            throw .notFound(path: path)
        }
        return file
    }

    package func exists(_ path: String) -> Bool {
        tree.withLock { $0.files[path] != nil || $0.directories[path] != nil }
    }

    package func list(_ directory: String) throws(StorageFailure) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        return tree.withLock { tree in
            var names: OrderedMap<String, Bool> = [:]
            for path in tree.files.keys + tree.directories.keys where path != directory {
                guard path.utf8.starts(with: prefix.utf8) else { continue }
                let rest = path.dropFirst(prefix.count)
                if !rest.isEmpty, !rest.contains("/") { names[String(rest)] = true }
            }
            return names.keys
        }
    }

    package func isDirectory(_ path: String) -> Bool {
        tree.withLock { $0.directories[path] != nil }
    }

    package func makeDirectory(_ path: String) throws(StorageFailure) {
        tree.withLock { tree in
            var partial = ""
            for part in path.split(separator: "/") {
                partial += partial.isEmpty ? String(part) : "/" + part
                tree.directories[partial] = true
            }
        }
    }

    package func remove(_ path: String) throws(StorageFailure) {
        let removed = tree.withLock { tree in tree.files.removeValue(forKey: path) != nil }
        if !removed { throw .notFound(path: path) }
    }

    package func removeTree(_ path: String) throws(StorageFailure) {
        tree.withLock { tree in
            let prefix = path + "/"
            for key in tree.files.keys where key == path || key.utf8.starts(with: prefix.utf8) {
                tree.files[key] = nil
            }
            for key in tree.directories.keys where key == path || key.utf8.starts(with: prefix.utf8)
            {
                tree.directories[key] = nil
            }
        }
    }

    package func rename(_ source: String, to target: String) throws(StorageFailure) {
        let found = tree.withLock { tree in
            if let file = tree.files.removeValue(forKey: source) {
                tree.files[target] = file
                return true
            }
            guard tree.directories[source] != nil else { return false }
            let prefix = source + "/"
            for key in tree.files.keys where key.utf8.starts(with: prefix.utf8) {
                tree.files[target + "/" + key.dropFirst(prefix.count)] =
                    tree.files.removeValue(forKey: key)
            }
            for key in tree.directories.keys
            where key == source || key.utf8.starts(with: prefix.utf8) {
                tree.directories[key] = nil
                tree.directories[target + key.dropFirst(source.count)] = true
            }
            return true
        }
        if !found { throw .notFound(path: source) }
    }

    package func link(_ source: String, as target: String) throws(StorageFailure) {
        let failure: StorageFailure? = tree.withLock { tree in
            guard let file = tree.files[source] else { return .notFound(path: source) }
            if tree.files[target] != nil { return .alreadyExists(path: target) }
            tree.files[target] = file
            return nil
        }
        if let failure { throw failure }
    }

    package func syncDirectory(_ path: String) throws(StorageFailure) {}

    package func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        guard let file = tree.withLock({ $0.files[path] }) else { throw .notFound(path: path) }
        return Timestamp(milliseconds: file.created)
    }

    package var freeBytes: Int64 { 1 << 40 }
}

private final class MemoryFile: DiskFile {
    let path: String
    let created: Int64
    private let content = Mutex<[UInt8]>([])

    init(path: String, created: Int64) {
        self.path = path
        self.created = created
    }

    var size: Int64 { content.withLock { Int64($0.count) } }

    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        content.withLock { content in
            let from = min(Int(position), content.count)
            return Bytes(content[from..<min(from + count, content.count)])
        }
    }

    func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
        content.withLock { content in
            var at = Int(position)
            for piece in pieces {
                if at == content.count {
                    piece.withUnsafeBytes { content.append(contentsOf: $0) }
                } else {
                    if at + piece.count > content.count {
                        Self.grow(&content, to: at + piece.count)
                    }
                    // Copied as memory: element by element takes seconds in debug builds.
                    content.withUnsafeMutableBytes { target in
                        piece.withUnsafeBytes { source in
                            UnsafeMutableRawBufferPointer(rebasing: target[at..<(at + piece.count)])
                                .copyMemory(from: source)
                        }
                    }
                }
                at += piece.count
            }
        }
    }

    private static func grow(_ content: inout [UInt8], to size: Int) {
        content.append(contentsOf: [UInt8](repeating: 0, count: size - content.count))
    }

    func truncate(to size: Int64) throws(StorageFailure) {
        content.withLock { content in
            if Int(size) < content.count {
                content.removeSubrange(Int(size)...)
            } else {
                Self.grow(&content, to: Int(size))
            }
        }
    }

    func sync() throws(StorageFailure) {}
    func close() {}
}
