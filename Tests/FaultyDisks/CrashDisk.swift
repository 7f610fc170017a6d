import Base
import Synchronization

/// A disk in memory that loses power at a chosen operation, and then forgets (or keeps) what was
/// not synced. Files and names are durable separately, as on a real disk.
package final class CrashDisk: Disk {
    fileprivate final class Node: Sendable {
        let content = Mutex<(now: [UInt8], synced: [UInt8])>(([], []))
    }

    private struct State {
        var entries: OrderedMap<String, Node> = [:]
        var durableEntries: OrderedMap<String, Node> = [:]
        var directories: OrderedMap<String, Bool> = ["": true]
        var durableDirectories: OrderedMap<String, Bool> = ["": true]
        var clock: Int64 = 0
        /// Operations until the power fails; nil = never.
        var remaining: Int?
        var isOff = false
        var operations = 0
    }

    private let state: Mutex<State>

    package init() { state = Mutex(State()) }

    /// A disk with the same content, durable or not.
    package init(copying other: CrashDisk) {
        var copy = other.state.withLock { $0 }
        var copies: [ObjectIdentifier: Node] = [:]
        func twin(_ node: Node) -> Node {
            if let known = copies[ObjectIdentifier(node)] { return known }
            let fresh = Node()
            let content = node.content.withLock { $0 }
            fresh.content.withLock { $0 = content }
            copies[ObjectIdentifier(node)] = fresh
            return fresh
        }
        for (path, node) in copy.entries { copy.entries[path] = twin(node) }
        for (path, node) in copy.durableEntries { copy.durableEntries[path] = twin(node) }
        state = Mutex(copy)
    }

    /// The power fails at operation `count`, counted from 0.
    package func failPower(afterOperations count: Int) { state.withLock { $0.remaining = count } }

    package var isOff: Bool { state.withLock { $0.isOff } }

    /// Makes everything durable.
    package func settle() {
        state.withLock { state in
            state.durableEntries = state.entries
            state.durableDirectories = state.directories
            for node in state.entries.values {
                node.content.withLock { $0.synced = $0.now }
            }
        }
    }

    /// Comes back after a power failure.
    package func restart(keepingUnsynced: Bool) {
        state.withLock { state in
            state.isOff = false
            state.remaining = nil
            if keepingUnsynced { return }
            state.entries = state.durableEntries
            state.directories = state.durableDirectories
            for node in state.entries.values {
                node.content.withLock { $0.now = $0.synced }
            }
        }
    }

    /// Counts a call; throws when the power fails at it, or has failed before. Whoever keeps things
    /// elsewhere counts its calls here, too.
    package func step(_ operation: String, _ path: String) throws(StorageFailure) {
        let isOff = state.withLock { state in
            if let left = state.remaining {
                if left == 0 { state.isOff = true }
                state.remaining = max(0, left - 1)
            }
            state.operations += 1
            return state.isOff
        }
        if isOff { throw .system(operation: operation, path: path, code: 5) }
    }

    package func create(_ path: String) throws(StorageFailure) -> any DiskFile {
        try step("create", path)
        let node: Node? = state.withLock { state in
            guard state.entries[path] == nil else { return nil }
            let node = Node()
            state.entries[path] = node
            return node
        }
        guard let node else { throw .alreadyExists(path: path) }
        return CrashFile(disk: self, node: node, path: path)
    }

    package func open(_ path: String) throws(StorageFailure) -> any DiskFile {
        guard let node = state.withLock({ $0.entries[path] }) else { throw .notFound(path: path) }
        return CrashFile(disk: self, node: node, path: path)
    }

    package func exists(_ path: String) -> Bool {
        state.withLock { $0.entries[path] != nil || $0.directories[path] != nil }
    }

    package func isDirectory(_ path: String) -> Bool {
        state.withLock { $0.directories[path] != nil }
    }

    package func list(_ directory: String) throws(StorageFailure) -> [String] {
        let prefix = directory.isEmpty ? "" : directory + "/"
        return state.withLock { state in
            var names: OrderedMap<String, Bool> = [:]
            for path in state.entries.keys + state.directories.keys where path.hasPrefix(prefix) {
                let rest = path.dropFirst(prefix.count)
                if !rest.isEmpty, !rest.contains("/") { names[String(rest)] = true }
            }
            return names.keys
        }
    }

    package func makeDirectory(_ path: String) throws(StorageFailure) {
        try step("makeDirectory", path)
        state.withLock { state in
            var partial = ""
            for part in path.split(separator: "/") {
                partial += partial.isEmpty ? String(part) : "/" + part
                state.directories[partial] = true
            }
        }
    }

    package func remove(_ path: String) throws(StorageFailure) {
        try step("remove", path)
        if state.withLock({ $0.entries.removeValue(forKey: path) }) == nil {
            throw .notFound(path: path)
        }
    }

    /// The tree comes back, whole, when power fails before the directory around it is synced.
    package func removeTree(_ path: String) throws(StorageFailure) {
        guard exists(path) else { return }
        try step("removeTree", path)
        state.withLock { state in
            for key in state.entries.keys where key == path || key.hasPrefix(path + "/") {
                state.entries[key] = nil
            }
            for key in state.directories.keys where key == path || key.hasPrefix(path + "/") {
                state.directories[key] = nil
            }
        }
    }

    package func rename(_ source: String, to target: String) throws(StorageFailure) {
        try step("rename", source)
        let moved = state.withLock { state in
            guard let node = state.entries.removeValue(forKey: source) else { return false }
            state.entries[target] = node
            return true
        }
        if !moved { throw .notFound(path: source) }
    }

    package func link(_ source: String, as target: String) throws(StorageFailure) {
        try step("link", source)
        let failure: StorageFailure? = state.withLock { state in
            guard let node = state.entries[source] else { return .notFound(path: source) }
            if state.entries[target] != nil { return .alreadyExists(path: target) }
            state.entries[target] = node
            return nil
        }
        if let failure { throw failure }
    }

    package func syncDirectory(_ path: String) throws(StorageFailure) {
        try step("syncDirectory", path)
        state.withLock { state in
            for key in state.durableEntries.keys where parentDirectory(of: key) == path {
                state.durableEntries[key] = nil
            }
            for (key, node) in state.entries where parentDirectory(of: key) == path {
                state.durableEntries[key] = node
            }
            for key in state.directories.keys where parentDirectory(of: key) == path {
                state.durableDirectories[key] = true
            }
            for gone in state.durableDirectories.keys
            where parentDirectory(of: gone) == path && state.directories[gone] == nil {
                for key in state.durableDirectories.keys
                where key == gone || key.hasPrefix(gone + "/") {
                    state.durableDirectories[key] = nil
                }
                for key in state.durableEntries.keys where key.hasPrefix(gone + "/") {
                    state.durableEntries[key] = nil
                }
            }
        }
    }

    package func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        Timestamp(milliseconds: 1)
    }

    package var freeBytes: Int64 { 1 << 30 }
}

private final class CrashFile: DiskFile {
    let disk: CrashDisk
    let node: CrashDisk.Node
    let path: String

    init(disk: CrashDisk, node: CrashDisk.Node, path: String) {
        self.disk = disk
        self.node = node
        self.path = path
    }

    var size: Int64 { node.content.withLock { Int64($0.now.count) } }

    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        node.content.withLock { content in
            let from = min(Int(position), content.now.count)
            return Bytes(content.now[from..<min(from + count, content.now.count)])
        }
    }

    func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
        try disk.step("write", path)
        node.content.withLock { content in
            var place = Int(position)
            for piece in pieces {
                let end = place + piece.count
                if content.now.count < end {
                    content.now += [UInt8](repeating: 0, count: end - content.now.count)
                }
                content.now.replaceSubrange(place..<end, with: piece.array)
                place = end
            }
        }
    }

    func truncate(to size: Int64) throws(StorageFailure) {
        try disk.step("truncate", path)
        node.content.withLock { content in
            let missing = Int(size) - content.now.count
            if missing > 0 { content.now += [UInt8](repeating: 0, count: missing) }
            content.now.removeSubrange(Int(size)...)
        }
    }

    func sync() throws(StorageFailure) {
        try disk.step("sync", path)
        node.content.withLock { $0.synced = $0.now }
    }

    func close() {}
}
