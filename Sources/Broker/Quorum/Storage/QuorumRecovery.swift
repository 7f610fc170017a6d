import Base

/// Why the quorum cannot start on a disk.
package enum QuorumFailure: Error, Equatable, Sendable {
    case storage(StorageFailure)
    /// The directory was never made: see `QuorumReplica.format`.
    case notFormatted(path: String)
    /// The disk belongs to another cluster or node.
    case foreign(found: QuorumIdentity, path: String)
}

extension QuorumFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .storage(let failure): "\(failure)"
        case .notFormatted(let path): "\(path) holds no quorum yet"
        case .foreign(let found, let path):
            "\(path) belongs to node \(found.node.value) of cluster \(found.cluster)"
        }
    }
}

/// What a disk says about the quorum after a restart.
struct QuorumRecovery {
    private struct ScannedFile {
        var path: String
        var firstSequence: UInt64
        var frames: [QuorumFrame]

        var header: QuorumFrame? {
            guard let first = frames.first, first.kind == .fileBegins, first.isIntact,
                first.sequence == firstSequence
            else { return nil }
            return first
        }

        /// Earlier files are void.
        var isBase: Bool { header?.contentCount == 1 }
    }

    let identity: QuorumIdentity
    private(set) var snapshot: RaftSnapshot
    private(set) var snapshotFile: SnapshotFile?
    private(set) var log: RaftLog
    private(set) var stored = StoredState()
    private(set) var commit: LogIndex = 0
    /// What was found to be damaged, for people.
    private(set) var findings: [String] = []
    /// A number that no frame has had.
    private(set) var nextSequence: UInt64 = 1
    private(set) var oldFiles: [String] = []
    private var durable: UInt64 = 0
    /// How far the log reached, as far as anything tells.
    private var reached = LogPosition.start
    private var isDamaged = false
    private var chainEnd: UInt64 = 0

    /// Reads everything; writes nothing.
    init(
        disk: any Disk, directory: String, expected: (cluster: UUID128, node: NodeID)
    ) throws(QuorumFailure) {
        let path = directory + "/" + QuorumIdentity.name
        guard disk.exists(path) else { throw .notFormatted(path: directory) }
        do throws(StorageFailure) {
            guard let found = QuorumIdentity(try disk.contents(path)) else {
                throw .corrupt(path: path, position: 0, detail: "no copy is intact")
            }
            identity = found
            snapshot = .start(.empty)
            log = RaftLog(base: .start, chain: 0)
            try readSnapshots(disk, directory)
            try readState(disk, directory)
            let files = try scan(disk, directory)
            walk(files)
            oldFiles = files.map(\.path)
        } catch {
            throw .storage(error)
        }
        guard identity.cluster == expected.cluster, identity.node == expected.node else {
            throw .foreign(found: identity, path: directory)
        }
        connect()
        settle()
    }

    /// A disk that was never used.
    init(empty identity: QuorumIdentity, log: RaftLog) {
        self.identity = identity
        self.log = log
        snapshot = .start(.empty)
    }

    // MARK: Reading

    private mutating func readSnapshots(
        _ disk: any Disk, _ directory: String
    ) throws(StorageFailure) {
        let names = try disk.list(directory).filter {
            $0.hasPrefix("snapshot-") && !$0.hasSuffix(".tmp")
        }
        for name in names.reversed() {
            let file = try SnapshotFile.open(directory + "/" + name, on: disk)
            if let file, try file.content() != nil {
                snapshot = file.snapshot
                snapshotFile = file
                return
            }
            file?.file.close()
            if let position = file?.snapshot.position { reached = max(reached, position) }
            isDamaged = true
            findings.append("snapshot \(name) is damaged")
        }
    }

    private mutating func readState(
        _ disk: any Disk, _ directory: String
    ) throws(StorageFailure) {
        let path = directory + "/" + StateFile.name
        guard disk.exists(path) else { return }
        if let found = StateFile.newest(try disk.contents(path)) { take(found) }
    }

    private mutating func take(_ state: StoredState) {
        durable = max(durable, state.durableSequence)
        reached = max(reached, state.position)
        if state.version > stored.version { stored = state }
    }

    private mutating func scan(
        _ disk: any Disk, _ directory: String
    ) throws(StorageFailure) -> [ScannedFile] {
        var files: [ScannedFile] = []
        for name in try disk.list(directory) where name.hasPrefix("log-") {
            guard let first = UInt64(name.dropFirst(4)) else { continue }
            let path = directory + "/" + name
            let content = try disk.contents(path)
            var frames: [QuorumFrame] = []
            var place = 0
            while place + QuorumFrame.byteCount <= content.count {
                guard content[place] == 0x57,
                    let frame = QuorumFrame(
                        content, at: place, identity: identity.frameIdentity)
                else {
                    // Sectors may be missing in any order: what comes behind is still evidence.
                    place += 8
                    continue
                }
                place += frame.isIntact ? frame.paddedByteCount : QuorumFrame.byteCount
                frames.append(frame)
                notice(frame)
            }
            nextSequence = max(nextSequence, first + 1)
            files.append(ScannedFile(path: path, firstSequence: first, frames: frames))
        }
        nextSequence = max(nextSequence, durable + 1)
        return files
    }

    /// What a frame tells, wherever it stands.
    private mutating func notice(_ frame: QuorumFrame) {
        durable = max(durable, frame.durableSequence)
        reached = max(reached, frame.position)
        nextSequence = max(nextSequence, frame.sequence + 1)
        if frame.isIntact, frame.kind == .state || frame.kind == .fileBegins,
            let state = try? StoredState(frame.payload)
        {
            take(state)
        }
    }

    // MARK: The chain of frames

    /// Follows the frames from the last file that voids the earlier ones, until one is missing.
    private mutating func walk(_ files: [ScannedFile]) {
        guard !files.isEmpty else {
            isDamaged = true
            return findings.append("there is no log")
        }
        var expected: UInt64 = 0
        var hasLog = false
        for file in files[(files.lastIndex(where: \.isBase) ?? 0)...] {
            guard let header = file.header else {
                // Nothing in a file whose beginning was never durable was promised.
                if file.firstSequence <= durable { damage("\(file.path) has no beginning") }
                return check(expected)
            }
            if !hasLog || header.sequence != expected {
                // Older files that were removed may have come back; then the newer ones are all
                // that is needed, if they go on where the snapshot ends.
                if hasLog, header.position.index > snapshot.index { return check(expected) }
                log = RaftLog(base: header.position, chain: header.chain)
                commit = 0
                hasLog = true
                expected = header.sequence
            }
            var previous: UInt32 = 0
            for frame in file.frames {
                guard frame.sequence == expected, frame.isIntact,
                    frame.previousChecksum == previous, apply(frame)
                else { break }
                previous = frame.checksum
                expected += 1
            }
        }
        check(expected)
    }

    /// A missing frame that was durable is damage; one that was not is a torn tail.
    private mutating func check(_ expected: UInt64) {
        guard expected <= durable else { return }
        damage("frame \(expected) is missing, although \(durable) was durable")
    }

    private mutating func damage(_ finding: String) {
        isDamaged = true
        findings.append(finding)
    }

    /// Does what the frame says; false when it cannot be meant here.
    private mutating func apply(_ frame: QuorumFrame) -> Bool {
        switch frame.kind {
        case .fileBegins, .state, .note: break
        case .entry:
            let entry = frame.entry
            guard entry.index == log.lastIndex.next, entry.term >= log.lastPosition.term,
                entry.chain(after: log.lastChain) == frame.chain
            else { return false }
            log.append(entry)
        case .truncate:
            guard frame.position.index <= log.lastIndex else { return false }
            if frame.position.index >= log.base.index {
                log.truncate(after: frame.position.index)
            } else {
                // What a file before this one held was cut, and the file is gone since a snapshot
                // stands for it.
                log = RaftLog(base: frame.position, chain: frame.chain)
            }
        case .reset:
            var reader = ByteReader(frame.payload)
            guard let snapshot = try? reader.snapshot() else { return false }
            log = RaftLog(base: snapshot.position, chain: snapshot.chain)
        }
        // Only what stands behind the entries it speaks of is believed: another log may have been
        // here when a frame that is lost was written.
        commit = max(commit, frame.commit)
        return true
    }

    // MARK: Conclusions

    /// Puts snapshot and log together.
    private mutating func connect() {
        if log.base.index > snapshot.index {
            damage("the log begins at \(log.firstIndex), the snapshot ends at \(snapshot.index)")
        } else if log.lastIndex >= snapshot.index, log.chain(at: snapshot.index) == snapshot.chain {
            return
        }
        // The snapshot stands for more than the log, or the log contradicts it: it came from a
        // leader, and the crash came before the log was begun anew.
        log = RaftLog(base: snapshot.position, chain: snapshot.chain)
        commit = snapshot.index
    }

    /// What the node must not forget, with a note about what is lost.
    private mutating func settle() {
        if isDamaged {
            stored.hard.lost = max(stored.hard.lost ?? .start, reached)
        }
        if let lost = stored.hard.lost, log.lastPosition >= lost, !isDamaged {
            stored.hard.lost = nil
        }
        stored.hard.commit = max(snapshot.index, min(commit, log.lastIndex))
        if stored.hard.term < log.lastPosition.term {
            // The state of this term is lost, and with it the vote: it is given to nobody else.
            stored.hard.term = log.lastPosition.term
            stored.hard.vote = identity.node
        }
        stored.version += 1
        stored.life += 1
        stored.position = log.lastPosition
        stored.durableSequence = 0
    }
}

extension QuorumRecovery {
    /// Writes the whole log anew into a file that voids all earlier ones, durable at the end. What
    /// an unfinished or failed sync left in the cache becomes durable or is gone.
    mutating func rewrite(
        disk: any Disk, directory: String, fileBytes: Int
    ) throws(StorageFailure) -> QuorumStore {
        let path = QuorumStore.path(directory, nextSequence)
        let temporary = directory + "/begin.tmp"
        if disk.exists(temporary) { try disk.remove(temporary) }
        let file = try disk.create(temporary)
        var pieces: [Bytes] = []
        var bytes = 0
        var previous: UInt32 = 0
        func put(_ frame: QuorumFrame) {
            var frame = frame
            let encoded = frame.encoded()
            previous = frame.checksum
            pieces.append(encoded)
            bytes += encoded.count
            nextSequence += 1
        }
        // The file is written whole or has no name: its frames are durable when it has one.
        let last = nextSequence + UInt64(log.count)
        func frame(_ kind: QuorumFrame.Kind, _ position: LogPosition) -> QuorumFrame {
            QuorumFrame(
                kind: kind, identity: identity.frameIdentity, sequence: nextSequence,
                previousChecksum: previous, durableSequence: last, position: position,
                commit: stored.hard.commit)
        }
        var header = frame(.fileBegins, log.base)
        header.set(payload: stored.encoded())
        header.chain = log.baseChain
        header.contentCount = 1
        put(header)
        for entry in log.entries(from: log.firstIndex, through: log.lastIndex) {
            var frame = frame(.entry, entry.position)
            frame.set(entry, chain: log.chain(at: entry.index) ?? 0)
            put(frame)
        }
        let end = Int64(bytes)
        if bytes < fileBytes { pieces.append(Bytes.zeros(fileBytes - bytes)) }
        try file.write(pieces, at: 0)
        try file.sync()
        let (stateFile, slot) = try writeState(disk, directory)
        try disk.rename(temporary, to: path)
        try disk.syncDirectory(directory)
        for old in oldFiles where old != path && disk.exists(old) { try disk.remove(old) }
        return QuorumStore(
            disk: disk, directory: directory, identity: identity, fileBytes: fileBytes,
            stateFile: stateFile, durableSlot: slot,
            first: .init(path: path, file: file, start: log.base.index), end: end,
            nextSequence: nextSequence, previousChecksum: previous, stored: stored)
    }

    /// Writes the state over the older of the two.
    private func writeState(
        _ disk: any Disk, _ directory: String
    ) throws(StorageFailure) -> (file: any DiskFile, slot: Int) {
        let path = directory + "/" + StateFile.name
        let file: any DiskFile
        var slot = 0
        if disk.exists(path) {
            file = try disk.open(path)
            let content = try file.read(at: 0, count: Int(file.size))
            let first = StateFile.newest(content[0..<min(content.count, StateFile.slotBytes)])
            if let first, let newest = StateFile.newest(content), first.version == newest.version {
                slot = 1
            }
        } else {
            file = try disk.create(path)
        }
        try file.write(StateFile.slot(stored), at: Int64(slot) * Int64(StateFile.slotBytes))
        try file.sync()
        return (file, slot)
    }
}
