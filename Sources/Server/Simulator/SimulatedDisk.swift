import Base

/// What can go wrong with the simulated disk, apart from crashes.
package struct DiskFaults: Sendable {
    /// One in so many syncs fails; 0 = none.
    package var syncFailureOneIn = 0
    /// Bytes that fit on the disk.
    package var capacity: Int64 = 1 << 40

    package init() {}
}

/// A disk that forgets what was not synced: sectors are kept, dropped or torn at a power loss,
/// lengths and names of files are separate from their content, and every call can be the last.
///
/// `@unchecked Sendable` is sound because a simulation is one thread.
package final class SimulatedDisk: Disk, @unchecked Sendable {
    enum Entry {
        case file(SimulatedFile)
        case directory(SimulatedDirectory)
    }

    /// Names that appear or vanish together, not durable before a directory of them is synced.
    private struct NameChange {
        var edits: [(directory: SimulatedDirectory, name: String, entry: Entry?)]
    }

    enum WriteVerdict {
        case whole
        /// The process dies after so many bytes.
        case cut(after: Int)
        /// The system refuses the rest.
        case refused(after: Int, StorageFailure)
    }

    /// One failure at one call; the process goes on.
    struct Injection {
        enum Failure {
            case ioError
            case noSpace
            /// Half of a write is done before the disk is full.
            case shortWrite
        }

        var atOperation: Int
        var failure: Failure
    }

    package let sectorBytes: Int
    package var faults = DiskFaults()
    package var now = Timestamp(milliseconds: 0)
    /// Calls that changed or read something, for crashes at the n-th.
    package private(set) var operations = 0
    /// The call at which the process dies: it and all later ones fail.
    package var crashAtOperation: Int?
    /// That call was made.
    package var isDead: Bool { crashAtOperation.map { operations >= $0 } ?? false }
    /// The numbers of the calls that make names durable.
    private(set) var directorySyncs: [Int] = []
    package private(set) var trace = TraceHash()
    package private(set) var failedSyncs = 0
    /// Told what happens, for people who look for the reason of an anomaly; nil costs nothing.
    package var narrate: ((String) -> Void)?
    var injection: Injection?
    /// The call that was made last is the one that failed on purpose.
    var injectionStruckLast: Bool { injection?.atOperation == operations }
    /// The failure has come, if there is one.
    var injectionIsOver: Bool { injection.map { operations >= $0.atOperation } ?? true }

    private var random: Random
    private var root = SimulatedDirectory()
    private var pending: [NameChange] = []
    private var nextID = 1
    private var usedBytes: Int64 = 0

    package init(random: Random, sectorBytes: Int = 512) {
        self.random = random
        self.sectorBytes = sectorBytes
    }

    // MARK: Calls counted

    func begin(_ operation: String, _ detail: Int) throws(StorageFailure) {
        operations += 1
        if let narrate, operation != "read" { narrate("disk \(operation) \(detail)") }
        trace.mix(UInt64(operation.utf8.first ?? 0) << 32 | UInt64(detail))
        if let crashAtOperation, operations >= crashAtOperation { throw crashed(operation) }
        guard let injection, operations == injection.atOperation else { return }
        switch injection.failure {
        case .ioError:
            narrate?("disk \(operation) fails on purpose")
            throw .system(operation: operation, path: "", code: 5)
        case .noSpace where ["create", "mv", "makeDirectory", "link"].contains(operation):
            narrate?("disk \(operation) finds no space on purpose")
            throw .noSpace(path: "")
        case .noSpace, .shortWrite: return
        }
    }

    func beginWrite(_ id: Int, position: Int64, count: Int) -> WriteVerdict {
        operations += 1
        narrate?("disk write file \(id) at \(position), \(count) bytes")
        trace.mix(UInt64(id) << 32 | UInt64(count))
        trace.mix(position)
        if let injection, operations == injection.atOperation {
            narrate?("disk write fails on purpose")
            switch injection.failure {
            case .ioError:
                return .refused(
                    after: count / 3, .system(operation: "write", path: "file \(id)", code: 5))
            case .noSpace: return .refused(after: 0, .noSpace(path: "file \(id)"))
            case .shortWrite: return .refused(after: count / 2, .noSpace(path: "file \(id)"))
            }
        }
        guard let crashAtOperation, operations >= crashAtOperation else { return .whole }
        return operations == crashAtOperation
            ? .cut(after: random.below(count + 1)) : .cut(after: 0)
    }

    func crashed(_ operation: String) -> StorageFailure {
        .system(operation: operation + " of a dead process", path: "", code: 5)
    }

    func syncFails() -> Bool {
        guard faults.syncFailureOneIn > 0, random.chance(1, in: faults.syncFailureOneIn) else {
            return false
        }
        failedSyncs += 1
        narrate?("disk sync fails")
        return true
    }

    /// How many of `bytes` still fit.
    func grant(_ bytes: Int) -> Int {
        let granted = min(Int64(bytes), max(0, faults.capacity - usedBytes))
        usedBytes += granted
        return Int(granted)
    }

    func release(_ bytes: Int) { usedBytes -= Int64(bytes) }

    package var freeBytes: Int64 { max(0, faults.capacity - usedBytes) }

    // MARK: Syncs of files that take time

    /// Begins a sync whose end is decided later; nil when the process is dead.
    package func beginFlush(_ file: any DiskFile) -> SimulatedFile.Flush? {
        guard let file = (file as? SimulatedHandle)?.file else { return nil }
        narrate?("disk flush of file \(file.id) begins")
        return file.beginFlush()
    }

    /// Ends a sync, well or (by the fault plan) badly. If its file was closed meanwhile, it may
    /// turn out that the sync had only waited for its turn.
    package func endFlush(
        _ file: any DiskFile, _ flush: SimulatedFile.Flush
    ) -> StorageFailure? {
        guard let handle = file as? SimulatedHandle else { return nil }
        let file = handle.file
        operations += 1
        if handle.isClosed, random.chance(1, in: 2) {
            narrate?("disk flush of file \(file.id) finds it closed")
            return handle.refusal("fdatasync")
        }
        narrate?("disk flush of file \(file.id) ends")
        if syncFails() {
            file.failFlush(flush)
            return .system(operation: "fdatasync", path: "file \(file.id)", code: 5)
        }
        file.finishFlush(flush)
        return nil
    }

    // MARK: Names

    private func parent(of path: String) throws(StorageFailure) -> SimulatedDirectory {
        try directory(parentDirectory(of: path))
    }

    private func directory(_ path: String) throws(StorageFailure) -> SimulatedDirectory {
        var current = root
        for part in path.split(separator: "/") {
            guard case .directory(let next)? = current.entries[String(part)] else {
                throw .notFound(path: path)
            }
            current = next
        }
        return current
    }

    private func entry(_ path: String) -> Entry? {
        if path.isEmpty { return .directory(root) }
        guard let directory = try? parent(of: path) else { return nil }
        return directory.entries[name(path)]
    }

    private func name(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return path }
        return String(path[path.index(after: slash)...])
    }

    private func apply(_ change: NameChange) {
        for edit in change.edits { edit.directory.entries[edit.name] = edit.entry }
        pending.append(change)
    }

    package func create(_ path: String) throws(StorageFailure) -> any DiskFile {
        try begin("create", path.utf8.count)
        let directory = try parent(of: path)
        if directory.entries[name(path)] != nil { throw .alreadyExists(path: path) }
        let file = SimulatedFile(id: nextID, disk: self, modified: now)
        narrate?("disk create \(path) as file \(nextID)")
        nextID += 1
        apply(NameChange(edits: [(directory, name(path), .file(file))]))
        return SimulatedHandle(file)
    }

    package func open(_ path: String) throws(StorageFailure) -> any DiskFile {
        try begin("open", path.utf8.count)
        guard case .file(let file)? = entry(path) else { throw .notFound(path: path) }
        return SimulatedHandle(file)
    }

    package func exists(_ path: String) -> Bool { entry(path) != nil }

    package func list(_ path: String) throws(StorageFailure) -> [String] {
        try begin("list", path.utf8.count)
        guard case .directory(let directory)? = entry(path) else { return [] }
        return directory.entries.keys
    }

    package func isDirectory(_ path: String) -> Bool {
        if case .directory? = entry(path) { return true }
        return false
    }

    package func makeDirectory(_ path: String) throws(StorageFailure) {
        try begin("makeDirectory", path.utf8.count)
        var current = root
        for part in path.split(separator: "/") {
            switch current.entries[String(part)] {
            case .directory(let next)?: current = next
            case .file?: throw .alreadyExists(path: path)
            case nil:
                let made = SimulatedDirectory()
                apply(NameChange(edits: [(current, String(part), .directory(made))]))
                current = made
            }
        }
    }

    package func remove(_ path: String) throws(StorageFailure) {
        try begin("unlink", path.utf8.count)
        narrate?("disk remove \(path)")
        guard case .file(let file)? = entry(path) else { throw .notFound(path: path) }
        apply(NameChange(edits: [(try parent(of: path), name(path), nil)]))
        release(file.cache.count)
    }

    package func removeTree(_ path: String) throws(StorageFailure) {
        try begin("removeTree", path.utf8.count)
        guard entry(path) != nil, !path.isEmpty else { return }
        apply(NameChange(edits: [(try parent(of: path), name(path), nil)]))
    }

    package func rename(_ source: String, to target: String) throws(StorageFailure) {
        try begin("mv", source.utf8.count)
        narrate?("disk rename \(source) to \(target)")
        guard let moved = entry(source) else { throw .notFound(path: source) }
        let (from, to) = (try parent(of: source), try parent(of: target))
        apply(NameChange(edits: [(from, name(source), nil), (to, name(target), moved)]))
    }

    package func link(_ source: String, as target: String) throws(StorageFailure) {
        try begin("link", source.utf8.count)
        guard let linked = entry(source) else { throw .notFound(path: source) }
        let directory = try parent(of: target)
        if directory.entries[name(target)] != nil { throw .alreadyExists(path: target) }
        apply(NameChange(edits: [(directory, name(target), linked)]))
    }

    package func syncDirectory(_ path: String) throws(StorageFailure) {
        directorySyncs.append(operations + 1)
        try begin("Sync", path.utf8.count)
        let directory = try directory(path)
        if syncFails() { throw .system(operation: "fsync", path: path, code: 5) }
        var left: [NameChange] = []
        for change in pending {
            if change.edits.contains(where: { $0.directory === directory }) {
                makeDurable(change)
            } else {
                left.append(change)
            }
        }
        pending = left
    }

    private func makeDurable(_ change: NameChange) {
        for edit in change.edits { edit.directory.durable[edit.name] = edit.entry }
    }

    package func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        guard case .file(let file)? = entry(path) else { throw .notFound(path: path) }
        return file.modified
    }

    // MARK: Crashes

    /// `kill -9`: the cache of the system survives. The next process may call again.
    package func killProcess() {
        crashAtOperation = nil
        narrate?("disk: the process was killed")
    }

    /// Everything that was not synced is kept, dropped or torn, by chance.
    package func losePower() {
        crashAtOperation = nil
        narrate?("disk loses power")
        for change in pending where random.chance(1, in: 2) { makeDurable(change) }
        pending = []
        usedBytes = 0
        var seen: Set<Int> = []
        root.revert { file in
            guard seen.insert(file.id).inserted else { return }
            file.losePower(&random)
            usedBytes += file.size
        }
        trace.mix(usedBytes)
    }

    // MARK: Rot

    /// All files below `directory` as (path, file), in order of their paths.
    package func files(below directory: String = "") -> [(path: String, file: SimulatedFile)] {
        var found: [(path: String, file: SimulatedFile)] = []
        func walk(_ node: SimulatedDirectory, _ prefix: String) {
            for (name, entry) in node.entries {
                switch entry {
                case .file(let file): found.append((prefix + name, file))
                case .directory(let next): walk(next, prefix + name + "/")
                }
            }
        }
        guard case .directory(let start)? = entry(directory) else { return [] }
        walk(start, directory.isEmpty ? "" : directory + "/")
        return found
    }
}

/// The names in a directory, as processes see them and as a power loss leaves them.
final class SimulatedDirectory {
    var entries: OrderedMap<String, SimulatedDisk.Entry> = [:]
    var durable: OrderedMap<String, SimulatedDisk.Entry> = [:]

    /// Goes back to the durable names, here and below, and calls `body` with every file left.
    func revert(_ body: (SimulatedFile) -> Void) {
        entries = durable
        for (_, entry) in entries {
            switch entry {
            case .file(let file): body(file)
            case .directory(let next): next.revert(body)
            }
        }
    }
}
