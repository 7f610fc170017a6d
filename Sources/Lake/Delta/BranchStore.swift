import Base
import Synchronization

/// The files of a table as a branch of it sees them: the log ends with the version that the branch
/// begins at, and goes on with what the branch writes, which stays in memory. Files with rows are
/// those of the table; what the branch adds there is remembered, so that it can go again.
final class BranchStore: ObjectStore {
    private struct State: Sendable {
        var log: OrderedMap<String, Bytes> = [:]
        var written: [String] = []
    }

    private let below: any ObjectStore
    /// The folder of the log with a slash behind it.
    private let folder: String
    private let base: Int64
    private let moment: Timestamp
    private let state = Mutex(State())

    init(_ below: any ObjectStore, log: CommitLog, base: TableSnapshot) {
        self.below = below
        folder = log.folder + "/"
        self.base = base.version
        moment = base.timestamp
    }

    var location: StoreLocation? { below.location }

    /// Files with rows that were written here.
    var written: [String] { state.withLock { $0.written } }

    /// Forgets the versions behind `version`.
    func forget(after version: Int64) {
        state.withLock { state in
            for name in state.log.keys {
                let file = LogFileName(String(name.dropFirst(folder.count)))
                switch file {
                case .commit(let number), .checksum(let number):
                    if number > version { state.log[name] = nil }
                default: state.log[name] = nil
                }
            }
        }
    }

    private func isOfLog(_ path: String) -> Bool { path.hasPrefix(folder) }

    /// Files of the log that are there, but of versions that the branch does not know, or hints.
    private func isHidden(_ path: String) -> Bool {
        guard isOfLog(path) else { return false }
        let name = String(path.dropFirst(folder.count))
        if name == "_last_checkpoint" { return true }
        switch LogFileName(name) {
        case .commit(let version), .checksum(let version): return version > base
        case .checkpoint(let version, _, _), .checkpointV2(let version, _):
            return version > base
        case .compacted(_, let through): return through > base
        case .other: return false
        }
    }

    private func own(_ path: String) -> Bytes? { state.withLock { $0.log[path] } }

    private func note(_ path: String) { state.withLock { $0.written.append(path) } }

    // MARK: Reading

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        if let content = own(path) {
            guard let range else { return content }
            let start = Int(min(max(0, range.lowerBound), Int64(content.count)))
            let end = Int(min(max(0, range.upperBound), Int64(content.count)))
            return content[start..<max(start, end)]
        }
        if isHidden(path) { throw .notFound(path: path) }
        return try below.get(path, range: range)
    }

    func size(_ path: String) throws(StorageFailure) -> Int64 {
        if let content = own(path) { return Int64(content.count) }
        if isHidden(path) { throw .notFound(path: path) }
        return try below.size(path)
    }

    func exists(_ path: String) -> Bool {
        own(path) != nil || !isHidden(path) && below.exists(path)
    }

    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        let there = try below.list(prefix, recursive: recursive).filter { !isHidden($0.path) }
        guard (prefix + "/").hasPrefix(folder) || recursive && folder.hasPrefix(prefix + "/") else {
            return there
        }
        let own = state.withLock { state in
            state.log.map {
                ObjectEntry(path: $0.key, size: Int64($0.value.count), modified: moment)
            }
        }
        return (there + own.filter { $0.path.hasPrefix(prefix + "/") }).sorted { $0.path < $1.path }
    }

    // MARK: Writing

    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if isOfLog(path) { return state.withLock { $0.log[path] = content } }
        note(path)
        try below.put(path, content)
    }

    func put(_ path: String, pieces: [Bytes]) throws(StorageFailure) {
        if isOfLog(path) {
            var whole = ByteWriter()
            for piece in pieces { whole.bytes(piece) }
            let content = whole.finish()
            return state.withLock { $0.log[path] = content }
        }
        note(path)
        try below.put(path, pieces: pieces)
    }

    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        guard isOfLog(path) else {
            note(path)
            return try below.putIfAbsent(path, content)
        }
        let isNew = state.withLock { state in
            if state.log[path] != nil { return false }
            state.log[path] = content
            return true
        }
        if !isNew { throw .alreadyExists(path: path) }
    }

    /// What others can do without the branch does without, too.
    func putHint(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if isOfLog(path) { return }
        note(path)
        try below.putHint(path, content)
    }

    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if isOfLog(path) { return state.withLock { $0.log[path] = content } }
        note(path)
        try below.replace(path, content)
    }

    func writer(_ path: String) throws(StorageFailure) -> any ObjectWriter {
        note(path)
        return try below.writer(path)
    }

    func delete(_ path: String) throws(StorageFailure) {
        if isOfLog(path) { return state.withLock { $0.log[path] = nil } }
        try below.delete(path)
    }

    func delete(all paths: [String]) throws(StorageFailure) {
        for path in paths { try delete(path) }
    }
}
