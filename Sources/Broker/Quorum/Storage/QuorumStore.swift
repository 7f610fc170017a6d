import Base

/// The quorum's log and hard state on disk: appended, never overwritten. What was written is a
/// promise only when a `sync` job that began later has ended.
struct QuorumStore: Sendable {
    struct LogFile: Sendable {
        var path: String
        var file: any DiskFile
        /// Where the log was when the file began.
        var start: LogIndex
    }

    let disk: any Disk
    let directory: String
    let identity: QuorumIdentity
    let fileBytes: Int
    private let stateFile: any DiskFile
    private(set) var files: [LogFile]
    /// Where the next frame goes in the newest file.
    private var end: Int64
    private var nextSequence: UInt64
    private var previousChecksum: UInt32
    private(set) var durableSequence: UInt64
    /// The durable end that the newest frame carries.
    private var notedSequence: UInt64
    /// The newest frame that is more than a note.
    private var contentSequence: UInt64 = 0
    private(set) var stored: StoredState
    /// Which of the two slots of the state file is durable; the other one is written.
    private var durableSlot: Int
    private var pieces: [Bytes] = []
    private var pieceBytes = 0

    /// What the sync that is under way covers.
    private struct Sync: Sendable {
        var sequence: UInt64
        var writesState: Bool
    }
    private var sync: Sync?
    private var filesToSync: [any DiskFile] = []
    private var stateIsDirty = false
    private var directoryIsDirty = false
    /// Ends of the log and versions of the hard state by the last sequence number that they need.
    private var steps: [(sequence: UInt64, index: LogIndex, hardState: UInt64)] = []
    /// Frames in the order of their sequence numbers, by where they end and which durable end they
    /// carry, until a durable frame says that they are durable.
    private var unmarked: [(sequence: UInt64, path: String, end: Int64, noted: UInt64)] = []
    /// What is before this place is known to be durable by what is durable itself: damage to it is
    /// told from a torn tail. For simulations.
    private(set) var markedEnd: (path: String, position: Int64)?

    /// A store whose newest file was just written and is durable.
    init(
        disk: any Disk, directory: String, identity: QuorumIdentity, fileBytes: Int,
        stateFile: any DiskFile, durableSlot: Int, first: LogFile, end: Int64,
        nextSequence: UInt64, previousChecksum: UInt32, stored: StoredState
    ) {
        self.disk = disk
        self.directory = directory
        self.identity = identity
        self.fileBytes = fileBytes
        self.stateFile = stateFile
        self.durableSlot = durableSlot
        files = [first]
        self.end = end
        self.nextSequence = nextSequence
        self.previousChecksum = previousChecksum
        durableSequence = nextSequence - 1
        notedSequence = 0
        self.stored = stored
    }

    var lastSequence: UInt64 { nextSequence - 1 }
    var isDurable: Bool { durableSequence == lastSequence }
    /// No frame on disk says yet that everything but notes is durable.
    var needsNote: Bool { notedSequence < contentSequence }

    // MARK: Writing

    private mutating func write(_ frame: QuorumFrame) {
        var frame = frame
        let bytes = frame.encoded()
        previousChecksum = frame.checksum
        pieces.append(bytes)
        pieceBytes += bytes.count
        notedSequence = frame.durableSequence
        if frame.kind != .note { contentSequence = frame.sequence }
        unmarked.append(
            (
                frame.sequence, files[files.count - 1].path, end + Int64(pieceBytes),
                frame.durableSequence
            ))
    }

    private mutating func frame(
        _ kind: QuorumFrame.Kind, _ position: LogPosition, commit: LogIndex
    ) -> QuorumFrame {
        defer { nextSequence += 1 }
        return QuorumFrame(
            kind: kind, identity: identity.frameIdentity, sequence: nextSequence,
            previousChecksum: previousChecksum, durableSequence: durableSequence,
            position: position, commit: commit)
    }

    mutating func append(_ entries: [RaftEntry], in log: RaftLog, commit: LogIndex) {
        for entry in entries {
            var frame = frame(.entry, entry.position, commit: commit)
            frame.set(entry, chain: log.chain(at: entry.index) ?? 0)
            write(frame)
        }
    }

    mutating func truncate(to kept: LogPosition, chain: UInt32, commit: LogIndex) {
        var frame = frame(.truncate, kept, commit: commit)
        frame.chain = chain
        write(frame)
        // What was durable behind it does not count any more.
        for place in steps.indices { steps[place].index = min(steps[place].index, kept.index) }
    }

    mutating func reset(_ snapshot: RaftSnapshot) {
        var frame = frame(.reset, snapshot.position, commit: snapshot.index)
        var writer = ByteWriter()
        writer.snapshot(snapshot)
        frame.set(payload: writer.finish())
        frame.chain = snapshot.chain
        write(frame)
        steps = []
    }

    mutating func save(_ hard: HardState, _ position: LogPosition) throws(StorageFailure) {
        stored.version += 1
        stored.hard = hard
        stored.position = position
        stored.durableSequence = durableSequence
        var frame = frame(.state, position, commit: hard.commit)
        frame.set(payload: stored.encoded())
        write(frame)
        try stateFile.write(
            StateFile.slot(stored), at: Int64(1 - durableSlot) * Int64(StateFile.slotBytes))
        stateIsDirty = true
    }

    /// Says on disk how far the log is durable.
    mutating func note(_ position: LogPosition, commit: LogIndex) {
        write(frame(.note, position, commit: commit))
    }

    /// Writes what has gathered. `step` is what is durable when it is.
    mutating func flush(
        log: RaftLog, hardState: UInt64, commit: LogIndex
    ) throws(StorageFailure) {
        guard !pieces.isEmpty else { return }
        let newest = files[files.count - 1]
        try newest.file.write(pieces, at: end)
        end += Int64(pieceBytes)
        pieces = []
        pieceBytes = 0
        mark(newest.file)
        if end >= Int64(fileBytes) { try roll(log, commit: commit) }
        steps.append((lastSequence, log.lastIndex, hardState))
    }

    private mutating func mark(_ file: any DiskFile) {
        if !filesToSync.contains(where: { $0 === file }) { filesToSync.append(file) }
    }

    /// Goes on in a new file, which begins with everything that must not be forgotten.
    private mutating func roll(_ log: RaftLog, commit: LogIndex) throws(StorageFailure) {
        let path = Self.path(directory, nextSequence)
        let file = try disk.create(path)
        directoryIsDirty = true
        // A file that does not grow is synced twenty times faster.
        try file.write(Bytes.zeros(fileBytes), at: 0)
        files.append(LogFile(path: path, file: file, start: log.lastIndex))
        end = 0
        previousChecksum = 0
        var frame = frame(.fileBegins, log.lastPosition, commit: commit)
        frame.set(payload: stored.encoded())
        frame.chain = log.lastChain
        write(frame)
        try file.write(pieces, at: 0)
        end = Int64(pieceBytes)
        pieces = []
        pieceBytes = 0
        mark(file)
    }

    static func path(_ directory: String, _ sequence: UInt64) -> String {
        let digits = String(sequence)
        return directory + "/log-" + String(repeating: "0", count: 20 - digits.count) + digits
    }

    // MARK: Syncing

    /// The next sync, when something was written and none is under way.
    mutating func beginSync() -> QuorumJob.Work? {
        guard sync == nil, !isDurable else { return nil }
        sync = Sync(sequence: lastSequence, writesState: stateIsDirty)
        var toSync = filesToSync
        if stateIsDirty { toSync.append(stateFile) }
        let names = directoryIsDirty ? directory : nil
        filesToSync = []
        stateIsDirty = false
        directoryIsDirty = false
        return .sync(files: toSync, namesIn: names)
    }

    /// The sync has ended well. Gives what of the log and the hard state is durable now.
    mutating func endSync() -> (index: LogIndex, hardState: UInt64)? {
        guard let done = sync else { return nil }
        sync = nil
        durableSequence = max(durableSequence, done.sequence)
        if done.writesState, !stateIsDirty { durableSlot = 1 - durableSlot }
        var reached: (index: LogIndex, hardState: UInt64)?
        while let step = steps.first, step.sequence <= done.sequence {
            reached = (step.index, step.hardState)
            steps.removeFirst()
        }
        var noted: UInt64 = 0
        for frame in unmarked {
            guard frame.sequence <= durableSequence else { break }
            noted = frame.noted
        }
        while let first = unmarked.first, first.sequence <= noted {
            markedEnd = (first.path, first.end)
            unmarked.removeFirst()
        }
        return reached
    }

    // MARK: Old files

    /// Files that hold nothing behind `snapshot`. They are forgotten here.
    mutating func filesBefore(_ snapshot: LogIndex) -> [String] {
        var old: [String] = []
        // A file that is being synced must stay open.
        guard sync == nil else { return [] }
        while files.count > 1, files[1].start <= snapshot,
            !filesToSync.contains(where: { $0 === files[0].file })
        {
            files[0].file.close()
            old.append(files[0].path)
            files.removeFirst()
        }
        return old
    }

    func close() {
        for file in files { file.file.close() }
        stateFile.close()
    }
}

extension QuorumFrame {
    mutating func set(_ entry: RaftEntry, chain: UInt32) {
        entryKind = entry.kind
        contentChecksum = entry.payloadChecksum
        contentCount = entry.payloadCount
        payload = entry.payload
        self.chain = chain
    }

    mutating func set(payload: Bytes) {
        self.payload = payload
        contentChecksum = crc32c(payload)
    }
}

extension Bytes {
    static func zeros(_ count: Int) -> Bytes {
        Bytes(count: count) { target in
            _ = target.initializeMemory(as: UInt8.self, repeating: 0)
        }
    }
}
