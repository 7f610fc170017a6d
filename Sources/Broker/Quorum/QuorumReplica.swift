import Base

/// What happens to a member of the quorum.
package enum QuorumEvent: Sendable {
    case message(QuorumMessage)
    /// `deadline` has come.
    case tick
    case propose(Bytes, RequestToken)
    case read(RequestToken)
    /// The same, by the word of a majority that has heard of it after it was asked: what rests on it has
    /// begun longer ago than an election timeout when another node is elected.
    case confirm(RequestToken)
    case change(MembershipChange, RequestToken)
    /// Hand leadership over, to this node or to the best one.
    case transfer(to: NodeID?, RequestToken)
    /// A job has ended, well or not.
    case jobDone(number: UInt64, failure: StorageFailure?)
    /// The state machine's state as of `at`, which it has applied.
    case snapshot(at: LogIndex, content: Bytes)
}

/// What the owner of a member has to do, in this order.
package enum QuorumEffect: Sendable {
    case send(QuorumMessage)
    case run(QuorumJob)
    /// Committed entries, in order, each once.
    case apply([RaftEntry])
    /// The state machine continues from this snapshot: `snapshotContent`.
    case restore(RaftSnapshot)
    /// The log has grown: the state machine should give a `snapshot` of what it has applied.
    case wantSnapshot
    case answered(RequestToken, RaftAnswer)
    case becameLeader(Term)
    case steppedDown(Term)
    case report(Severity, String)
    /// Nothing may go on: the disk failed or a promise was broken. The process stops.
    case halt(String)
}

/// How a member stores its log.
package struct QuorumConfiguration: Sendable {
    package var node: NodeID
    package var cluster: UUID128
    package var directory = "quorum"
    package var raft = RaftSettings()
    /// Bytes of one file of the log. They are written as zeros when it begins.
    package var fileBytes = 1 << 20
    /// Bytes or entries in the log for which a snapshot is wanted.
    package var snapshotAfterBytes = 8 << 20
    package var snapshotAfterEntries = 65_536
    /// Entries before a snapshot that stay in memory for slow followers.
    package var retainedEntries = 4096
    /// When nothing is written any more, how soon the durable end is noted on disk.
    package var noteDelay: Duration = .milliseconds(200)

    package init(node: NodeID, cluster: UUID128) {
        self.node = node
        self.cluster = cluster
    }
}

/// One member of the metadata quorum with its disk: `RaftCore` decides, `QuorumStore` writes, and
/// no promise leaves before what it rests on is durable.
package struct QuorumReplica: Sendable {
    package let configuration: QuorumConfiguration
    package let identity: QuorumIdentity
    package private(set) var core: RaftCore
    /// Everything up to here was given to the state machine.
    package private(set) var applied: LogIndex
    private let disk: any Disk
    private var store: QuorumStore
    private var snapshotFile: SnapshotFile?
    private var incoming: IncomingSnapshot?
    private var incomingSender: NodeID?
    /// Promises by the frames that they wait for.
    private var held: [(sequence: UInt64, message: QuorumMessage)] = []
    private var syncJob: UInt64?
    private var slowJob: (number: UInt64, purpose: Purpose)?
    private var waitingJobs: [(work: QuorumJob.Work, purpose: Purpose)] = []
    private var lastJob: UInt64 = 0
    private var noteDeadline: Instant?
    private var snapshotIsWanted = false
    private var effects: [QuorumEffect] = []
    private var startEffects: [QuorumEffect] = []

    private enum Purpose: Sendable {
        case save(RaftSnapshot, path: String)
        case install(RaftSnapshot, path: String)
        case cleaning
    }

    // MARK: Life

    /// Makes an empty disk one of node `identity.node`. `initial` are the first members, the same
    /// list on each of them; without it the node waits to be added.
    package static func format(
        _ disk: any Disk, directory: String, identity: QuorumIdentity, initial: RaftConfiguration?
    ) throws(StorageFailure) {
        try disk.makeDirectory(directory)
        var log = RaftLog(base: .start, chain: 0)
        if let initial {
            log.append(
                RaftEntry(index: 1, term: 0, kind: .configuration, payload: initial.encoded()))
        }
        var recovery = QuorumRecovery(empty: identity, log: log)
        let store = try recovery.rewrite(disk: disk, directory: directory, fileBytes: 0)
        store.close()
        // The identity comes last: with it the rest is there.
        try disk.replace(directory + "/" + QuorumIdentity.name, with: identity.encoded())
        try disk.syncDirectory("")
    }

    /// Who a formatted disk says that its node is.
    package static func identity(
        on disk: any Disk, directory: String
    ) throws(QuorumFailure) -> QuorumIdentity {
        let path = directory + "/" + QuorumIdentity.name
        guard disk.exists(path) else { throw .notFormatted(path: directory) }
        do throws(StorageFailure) {
            guard let found = QuorumIdentity(try disk.contents(path)) else {
                throw .corrupt(path: path, position: 0, detail: "no copy is intact")
            }
            return found
        } catch {
            throw .storage(error)
        }
    }

    /// Starts on a formatted disk. Reads and rewrites the log; what `startEffects` gives comes first.
    package init(
        _ configuration: QuorumConfiguration, disk: any Disk, random: Random, now: Instant
    ) throws(QuorumFailure) {
        self.configuration = configuration
        self.disk = disk
        var recovery = try QuorumRecovery(
            disk: disk, directory: configuration.directory,
            expected: (configuration.cluster, configuration.node))
        do {
            store = try recovery.rewrite(
                disk: disk, directory: configuration.directory,
                fileBytes: configuration.fileBytes)
        } catch {
            throw .storage(error)
        }
        identity = recovery.identity
        snapshotFile = recovery.snapshotFile
        core = RaftCore(
            id: configuration.node, directory: identity.directory, cluster: identity.cluster,
            life: recovery.stored.life, settings: configuration.raft,
            hardState: recovery.stored.hard, snapshot: recovery.snapshot, log: recovery.log,
            random: random, now: now)
        applied = recovery.snapshot.index
        for finding in recovery.findings { startEffects.append(.report(.error, finding)) }
        if let lost = recovery.stored.hard.lost {
            startEffects.append(
                .report(
                    .error,
                    "a part of the log up to \(lost) is lost: this node stands for no election "
                        + "until it has it again"))
        }
        if recovery.snapshot.index > 0 { startEffects.append(.restore(recovery.snapshot)) }
        core.persisted(index: core.log.lastIndex, hardState: 0, now: now)
    }

    /// What is to be done before the first event.
    package mutating func start(now: Instant) -> [QuorumEffect] {
        effects = startEffects
        startEffects = []
        applyCommitted()
        settle(now)
        return takeEffects()
    }

    /// When `tick` is due.
    package var deadline: Instant { min(core.deadline, noteDeadline ?? .distantFuture) }

    // MARK: Events

    package mutating func handle(_ event: QuorumEvent, now: Instant) -> [QuorumEffect] {
        guard !core.isHalted else { return [] }
        switch event {
        case .message(let message): core.receive(message, now: now)
        case .tick: tick(now)
        case .propose(let payload, let token): core.propose(payload, token, now: now)
        case .read(let token): core.read(token, now: now)
        case .confirm(let token): core.read(token, asksMajority: true, now: now)
        case .change(let change, let token): core.change(change, token, now: now)
        case .transfer(let target, let token): core.transfer(to: target, token, now: now)
        case .jobDone(let number, let failure): jobDone(number, failure, now)
        case .snapshot(let index, let content): save(index, content)
        }
        settle(now)
        return takeEffects()
    }

    private mutating func tick(_ now: Instant) {
        if now >= core.deadline { core.tick(now: now) }
        if let due = noteDeadline, now >= due {
            noteDeadline = nil
            if store.needsNote, store.isDurable {
                store.note(core.log.lastPosition, commit: core.commitIndex)
            }
        }
    }

    /// Does what the core wants until it wants nothing more.
    private mutating func settle(_ now: Instant) {
        do throws(StorageFailure) {
            var outputs = core.takeOutputs()
            while !outputs.isEmpty {
                for output in outputs { try perform(output, now) }
                outputs = core.takeOutputs()
            }
            try store.flush(
                log: core.log, hardState: core.hardStateVersion, commit: core.commitIndex)
        } catch {
            stop("\(error)")
        }
        guard !core.isHalted else { return }
        if let work = store.beginSync() {
            lastJob += 1
            syncJob = lastJob
            effects.append(.run(QuorumJob(number: lastJob, work: work)))
        }
        wantSnapshot(now)
        beginSlowJob()
    }

    private mutating func perform(
        _ output: RaftOutput, _ now: Instant
    ) throws(StorageFailure) {
        switch output {
        case .append(let entries):
            store.append(entries, in: core.log, commit: core.commitIndex)
        case .truncate(let kept):
            store.truncate(
                to: LogPosition(term: core.log.term(at: kept) ?? 0, index: kept),
                chain: core.log.chain(at: kept) ?? 0, commit: core.commitIndex)
        case .reset(let snapshot): store.reset(snapshot)
        case .save(let hard): try store.save(hard, core.log.lastPosition)
        case .send(let message, let isPromise):
            if isPromise, !store.isDurable {
                held.append((store.lastSequence, message))
            } else {
                effects.append(.send(message))
            }
        case .sendChunk(let member, let position, let round):
            try sendChunk(to: member, position, round)
        case .receive(let chunk, let sender): try receive(chunk, from: sender, now)
        case .commit: applyCommitted()
        case .restore(let snapshot):
            applied = snapshot.index
            effects.append(.restore(snapshot))
        case .answered(let token, let answer): effects.append(.answered(token, answer))
        case .becameLeader(let term): effects.append(.becameLeader(term))
        case .steppedDown(let term): effects.append(.steppedDown(term))
        case .halt(let reason): effects.append(.halt(reason))
        }
    }

    private mutating func applyCommitted() {
        guard core.commitIndex > applied else { return }
        if !configuration.raft.isWitness {
            effects.append(
                .apply(core.log.entries(from: applied.next, through: core.commitIndex)))
        }
        applied = core.commitIndex
    }

    private mutating func stop(_ reason: String) {
        core.halt(reason)
        for output in core.takeOutputs() {
            if case .halt(let reason) = output { effects.append(.halt(reason)) }
        }
    }

    private mutating func takeEffects() -> [QuorumEffect] {
        defer { effects = [] }
        return effects
    }

    // MARK: Jobs

    private mutating func jobDone(
        _ number: UInt64, _ failure: StorageFailure?, _ now: Instant
    ) {
        if number == syncJob {
            syncJob = nil
            if let failure { return stop("\(failure)") }
            let reached = store.endSync()
            while let first = held.first, first.sequence <= store.durableSequence {
                effects.append(.send(first.message))
                held.removeFirst()
            }
            if let reached {
                core.persisted(index: reached.index, hardState: reached.hardState, now: now)
            }
            if store.needsNote, store.isDurable { noteDeadline = now + configuration.noteDelay }
            clean()
            return
        }
        guard let job = slowJob, job.number == number else { return }
        slowJob = nil
        switch job.purpose {
        case .cleaning: break
        case .save(let snapshot, let path):
            if let failure { return stop("\(failure)") }
            snapshotIsWanted = false
            guard snapshot.index >= core.snapshot.index else {
                // One of the leader's came in between.
                waitingJobs.append((.remove([path]), .cleaning))
                break
            }
            core.snapshotTaken(snapshot, retained: configuration.retainedEntries)
            use(path)
        case .install(let snapshot, let path):
            if let failure { return stop("\(failure)") }
            incoming?.close()
            incoming = nil
            let isNewer = snapshot.index > core.snapshot.index
            core.snapshotInstalled(snapshot, from: incomingSender ?? core.id, now: now)
            if isNewer, core.snapshot.index == snapshot.index { use(path) }
        }
    }

    /// The snapshot at `path` is the newest; what it stands for may go.
    private mutating func use(_ path: String) {
        let old = snapshotFile
        snapshotFile = nil
        do throws(StorageFailure) {
            snapshotFile = try SnapshotFile.open(path, on: disk)
        } catch {
            return stop("\(error)")
        }
        if let old, old.path != path {
            old.file.close()
            waitingJobs.append((.remove([old.path]), .cleaning))
        }
        clean()
    }

    private mutating func clean() {
        let old = store.filesBefore(core.snapshot.index)
        if !old.isEmpty { waitingJobs.append((.remove(old), .cleaning)) }
    }

    private mutating func beginSlowJob() {
        guard slowJob == nil, !waitingJobs.isEmpty else { return }
        let next = waitingJobs.removeFirst()
        lastJob += 1
        slowJob = (lastJob, next.purpose)
        effects.append(.run(QuorumJob(number: lastJob, work: next.work)))
    }

    // MARK: Snapshots

    private mutating func wantSnapshot(_ now: Instant) {
        let behind = applied - core.snapshot.index
        guard !snapshotIsWanted, behind > 0 else { return }
        // While one is on its way to somebody, the next one waits, but not for ever.
        let patience = core.isSendingSnapshot(now: now) ? 4 : 1
        guard
            behind >= configuration.snapshotAfterEntries * patience
                || core.log.byteCount >= configuration.snapshotAfterBytes * patience
        else { return }
        snapshotIsWanted = true
        if configuration.raft.isWitness { return save(applied, .empty) }
        effects.append(.wantSnapshot)
    }

    private mutating func save(_ index: LogIndex, _ content: Bytes) {
        // Once more the same place: the file was damaged.
        guard index >= core.snapshot.index, index > 0, index <= applied,
            let term = core.log.term(at: index),
            let chain = core.log.chain(at: index)
        else {
            snapshotIsWanted = false
            return
        }
        let snapshot = RaftSnapshot(
            position: LogPosition(term: term, index: index), chain: chain,
            configuration: core.configuration(at: index), contentCount: Int64(content.count),
            contentChecksum: crc32c(content))
        let path = configuration.directory + "/" + SnapshotFile.name(index)
        waitingJobs.append(
            (
                .save(
                    snapshot, content: content, chunkBytes: configuration.raft.chunkBytes,
                    temporary: configuration.directory + "/snapshot.tmp", path: path),
                .save(snapshot, path: path)
            ))
    }

    /// The content of the newest snapshot; nil when its file is damaged.
    package func snapshotContent() throws(StorageFailure) -> Bytes? {
        guard let snapshotFile else { return .empty }
        return try snapshotFile.content()
    }

    private mutating func sendChunk(
        to member: NodeID, _ position: Int64, _ round: UInt64
    ) throws(StorageFailure) {
        guard let file = snapshotFile, file.snapshot.index == core.snapshot.index else { return }
        var snapshot = file.snapshot
        var content = Bytes.empty
        var start: Int64 = 0
        if core.configuration.member(member)?.isWitness == true {
            snapshot.contentCount = 0
            snapshot.contentChecksum = 0
        } else {
            start = position - position % Int64(file.chunkBytes)
            guard let chunk = try file.chunk(at: start) else {
                effects.append(
                    .report(.error, "\(file.path) is damaged: a new snapshot takes its place"))
                snapshotIsWanted = true
                return effects.append(.wantSnapshot)
            }
            content = chunk
        }
        core.send(
            .chunk(.init(snapshot: snapshot, position: start, content: content, round: round)),
            to: member, isPromise: false)
    }

    private mutating func receive(
        _ chunk: QuorumMessage.SnapshotChunk, from sender: NodeID, _ now: Instant
    ) throws(StorageFailure) {
        let wanted = chunk.snapshot.position
        incomingSender = sender
        if chunk.snapshot.index <= core.commitIndex {
            return core.answerChunk(
                wanted, next: chunk.snapshot.contentCount, isInstalled: true, to: sender,
                round: chunk.round)
        }
        if incoming?.isInstalling == true { return }
        if incoming?.snapshot != chunk.snapshot {
            incoming?.close()
            incoming = nil
            // The first chunk says how the sender cuts the content.
            let size = chunk.position == 0 ? chunk.content.count : configuration.raft.chunkBytes
            incoming = try IncomingSnapshot(
                chunk, chunkBytes: max(1, size), on: disk, configuration.directory)
        }
        guard let fits = try incoming?.add(chunk), fits else {
            incoming?.close()
            incoming = nil
            try disk.remove(configuration.directory + "/" + SnapshotFile.incoming)
            return core.answerChunk(
                wanted, next: 0, isInstalled: false, to: sender, round: chunk.round)
        }
        guard let arrived = incoming else { return }
        core.answerChunk(
            wanted, next: arrived.next, isInstalled: false, to: sender, round: chunk.round)
        guard arrived.isComplete else { return }
        guard arrived.isIntact else {
            effects.append(.report(.error, "snapshot \(wanted) arrived damaged"))
            arrived.close()
            incoming = nil
            return try disk.remove(configuration.directory + "/" + SnapshotFile.incoming)
        }
        incoming?.isInstalling = true
        let path = configuration.directory + "/" + SnapshotFile.name(wanted.index)
        waitingJobs.append(
            (
                .install(
                    arrived.file.file,
                    temporary: configuration.directory + "/" + SnapshotFile.incoming, path: path),
                .install(chunk.snapshot, path: path)
            ))
    }

    // MARK: For simulations

    /// Where damage on disk is told from a torn tail.
    package var markedEnd: (path: String, position: Int64)? { store.markedEnd }

    package func checkInvariants() {
        core.checkInvariants()
        precondition(applied <= core.commitIndex, "applied ≤ commit")
        precondition(
            held.allSatisfy { $0.sequence > store.durableSequence }, "promises wait for a reason")
    }
}

extension IncomingSnapshot {
    func close() { file.file.close() }
}
