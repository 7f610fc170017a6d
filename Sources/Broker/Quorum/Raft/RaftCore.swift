import Base

/// One member of the metadata quorum as a deterministic state machine: Raft with pre-vote, check
/// of the quorum, leases, transfer of leadership, observers, witnesses and the rule for holed logs.
///
/// It does no I/O. Each call adds to `outputs` what is to be done, in order; the owner writes, and
/// reports with `persisted` what has become durable.
package struct RaftCore: Sendable {
    package enum Role: Hashable, Sendable {
        case follower
        /// Asks whether it could win.
        case preCandidate
        case candidate
        case leader
    }

    package let id: NodeID
    package let directory: UUID128
    package let cluster: UUID128
    /// How often this node was started.
    package let life: UInt64
    package let settings: RaftSettings

    package internal(set) var role = Role.follower
    package internal(set) var hardState: HardState
    /// Counts the changes of the hard state.
    package internal(set) var hardStateVersion: UInt64 = 0
    package internal(set) var leader: NodeID?
    package internal(set) var log: RaftLog
    package internal(set) var snapshot: RaftSnapshot
    package internal(set) var commitIndex: LogIndex
    /// Everything up to here is on the own disk.
    package internal(set) var durableIndex: LogIndex
    /// Configurations by the place where they begin to hold; the last one holds.
    var configurations: [(index: LogIndex, configuration: RaftConfiguration)]
    var hardStateDurable: UInt64 = 0
    var random: Random
    /// When a follower or candidate loses patience, and when a leader counts its followers.
    var electionDeadline: Instant
    /// When the last message of a leader came. At the start: now, since what the life before
    /// promised a leader may still hold.
    var leaderContact: Instant
    /// Who said yes, in order of their ids; a candidate itself once its vote is durable.
    var votes: [NodeID] = []
    /// The election was asked for by the leader.
    var isTransferElection = false
    /// The leader of before has handed over: others were asked for their votes although they had just heard
    /// of it.
    package internal(set) var leadsByTransfer = false
    var leadership: Leadership
    package internal(set) var isHalted = false
    var outputs: [RaftOutput] = []

    /// `entries` follow `snapshot` or overlap with it; `base` is the place before the first of them.
    package init(
        id: NodeID, directory: UUID128, cluster: UUID128, life: UInt64, settings: RaftSettings,
        hardState: HardState, snapshot: RaftSnapshot, log: RaftLog, random: Random, now: Instant
    ) {
        precondition(settings.isSound, "the settings fit together")
        precondition(log.base.index <= snapshot.index && log.lastIndex >= snapshot.index)
        self.id = id
        self.directory = directory
        self.cluster = cluster
        self.life = life
        self.settings = settings
        self.hardState = hardState
        self.snapshot = snapshot
        self.log = log
        self.random = random
        commitIndex = max(snapshot.index, min(hardState.commit, log.lastIndex))
        durableIndex = log.lastIndex
        configurations = [(snapshot.index, snapshot.configuration)]
        leaderContact = now
        electionDeadline = now
        leadership = Leadership(began: now)
        var index = snapshot.index.next
        while let entry = log.entry(at: index) {
            noteConfiguration(entry)
            index = index.next
        }
        resetElectionDeadline(now)
    }

    // MARK: What holds

    package var term: Term { hardState.term }
    /// The newest configuration in the log, committed or not (section 4.1).
    package var configuration: RaftConfiguration {
        configurations.last?.configuration ?? .empty
    }
    var configurationIndex: LogIndex { configurations.last?.index ?? 0 }
    /// How far the log reaches for the purpose of elections: as if nothing had been lost.
    var electionPosition: LogPosition {
        guard let lost = hardState.lost else { return log.lastPosition }
        return max(lost, log.lastPosition)
    }
    /// The node has a voice under the configuration that it knows.
    package var isVoter: Bool {
        guard let member = configuration.member(id) else { return false }
        return member.isVoter && member.isServed(by: directory)
    }
    /// The node may stand for election. Also one that its newest configuration leaves out, as long
    /// as that is not committed: it may be the only one with everything (section 4.2.2).
    var canLead: Bool {
        guard !settings.isWitness, hardState.lost == nil else { return false }
        if isVoter { return true }
        guard configurationIndex > commitIndex, configurations.count > 1,
            let member = configurations[configurations.count - 2].configuration.member(id)
        else { return false }
        return member.isVoter && member.isServed(by: directory)
    }
    package var isLeader: Bool { role == .leader }
    /// How far a member's log is known to be that of this leader; nil of nodes that do not lead.
    package func match(of member: NodeID) -> LogIndex? {
        isLeader ? leadership.progress[member]?.match : nil
    }

    /// The configuration at `index`, which is at or behind the snapshot.
    package func configuration(at index: LogIndex) -> RaftConfiguration {
        configurations.last { $0.index <= index }?.configuration ?? .empty
    }

    /// When `tick` is due.
    package var deadline: Instant {
        guard isLeader else { return electionDeadline }
        return min(electionDeadline, leadership.heartbeatDeadline)
    }

    /// The outputs since the last call.
    package mutating func takeOutputs() -> [RaftOutput] {
        defer { outputs = [] }
        return outputs
    }

    // MARK: Events

    package mutating func tick(now: Instant) {
        guard !isHalted else { return }
        if isLeader { return leaderTick(now) }
        guard now >= electionDeadline else { return }
        guard canLead else { return resetElectionDeadline(now) }
        // Who has not heard of a leader for so long has none.
        leader = nil
        beginPreVote(now)
    }

    package mutating func receive(_ message: QuorumMessage, now: Instant) {
        guard !isHalted, message.cluster == cluster, message.to == id, message.from != id else {
            return
        }
        if case .voteRequest(let request) = message.body {
            return receive(request, in: message, now)
        }
        if case .voteAnswer(let answer) = message.body, answer.isPreVote, answer.isGranted {
            return receivePreVote(message, now)
        }
        if message.term > term {
            adopt(message.term, now)
        } else if message.term < term {
            return correct(message)
        }
        switch message.body {
        case .voteRequest: break
        case .voteAnswer(let answer): receive(answer, in: message, now)
        case .append(let request): follow(message, now) { $0.receive(request, in: message, now) }
        case .chunk(let chunk):
            follow(message, now) { $0.outputs.append(.receive(chunk, from: message.from)) }
        case .appendAnswer(let answer): receive(answer, in: message, now)
        case .chunkAnswer(let answer): receive(answer, in: message, now)
        case .campaign:
            guard canLead, !isLeader else { return }
            isTransferElection = true
            beginElection(now)
        }
    }

    /// Everything written before is durable: the log up to `index`, the hard state of `version`.
    package mutating func persisted(index: LogIndex, hardState version: UInt64, now: Instant) {
        guard !isHalted else { return }
        precondition(index <= log.lastIndex, "what is durable was written")
        durableIndex = index
        hardStateDurable = max(hardStateDurable, version)
        if let lost = hardState.lost, let term = log.term(at: index),
            LogPosition(term: term, index: index) >= lost
        {
            // What was lost is here again, on the disk: only now the note may go.
            hardState.lost = nil
            saveHardState()
        }
        switch role {
        case .candidate where hardStateDurable >= hardStateVersion && !votes.contains(id):
            countVote(of: id, now)
        case .leader:
            for member in configuration.members where member.isWitness { replicate(to: member.id) }
            advanceCommit(now)
        default: break
        }
    }

    // MARK: Terms

    /// A later term has begun somewhere.
    mutating func adopt(_ newTerm: Term, _ now: Instant) {
        precondition(newTerm > term, "terms do not go back")
        if isLeader { stepDown(now) }
        hardState.term = newTerm
        hardState.vote = nil
        saveHardState()
        becomeFollower(of: nil, now)
    }

    mutating func becomeFollower(of newLeader: NodeID?, _ now: Instant) {
        role = .follower
        leader = newLeader
        votes = []
        isTransferElection = false
        resetElectionDeadline(now)
    }

    /// The sender of `message` leads this term.
    private mutating func follow(
        _ message: QuorumMessage, _ now: Instant, _ body: (inout RaftCore) -> Void
    ) {
        guard !isLeader else {
            return halt("node \(message.from.value) leads term \(term), as this node does")
        }
        becomeFollower(of: message.from, now)
        leaderContact = now
        body(&self)
    }

    /// Tells a leader of an old term that it is one.
    private mutating func correct(_ message: QuorumMessage) {
        switch message.body {
        case .append(let request):
            answer(
                message.from,
                .init(
                    outcome: .rejected(previous: request.previous.index, hint: log.lastPosition),
                    round: 0))
        case .chunk(let chunk):
            send(
                .chunkAnswer(
                    .init(
                        snapshot: chunk.snapshot.position, next: 0, isInstalled: false, round: 0)),
                to: message.from, isPromise: true)
        default: break
        }
    }

    mutating func saveHardState() {
        hardStateVersion += 1
        hardState.commit = commitIndex
        outputs.append(.save(hardState))
    }

    mutating func resetElectionDeadline(_ now: Instant) {
        let base = settings.electionTimeout.wholeNanoseconds
        electionDeadline = now + .nanoseconds(base + Int64(random.below(Int(base))))
    }

    mutating func halt(_ reason: String) {
        isHalted = true
        outputs.append(.halt(reason))
    }

    // MARK: Messages

    mutating func send(
        _ body: QuorumMessage.Body, to receiver: NodeID, isPromise: Bool, term: Term? = nil
    ) {
        outputs.append(
            .send(
                QuorumMessage(
                    cluster: cluster, from: id, directory: directory, life: life, to: receiver,
                    term: term ?? self.term, body: body), isPromise: isPromise))
    }

    mutating func answer(_ receiver: NodeID, _ answer: QuorumMessage.AppendAnswer) {
        send(.appendAnswer(answer), to: receiver, isPromise: true)
    }

    // MARK: The log

    mutating func noteConfiguration(_ entry: RaftEntry) {
        guard entry.kind == .configuration else { return }
        guard let next = try? RaftConfiguration(entry.payload) else {
            return halt("entry \(entry.position) is no configuration")
        }
        configurations.append((entry.index, next))
    }

    /// snapshot ≤ commit ≤ last, base ≤ snapshot, durable ≤ last; a leader knows all members.
    package func checkInvariants() {
        precondition(log.base.index <= snapshot.index, "base ≤ snapshot")
        precondition(snapshot.index <= commitIndex, "snapshot ≤ commit")
        precondition(commitIndex <= log.lastIndex, "commit ≤ last")
        precondition(durableIndex <= log.lastIndex, "durable ≤ last")
        precondition(log.lastPosition.term <= term, "no entry of a term to come")
        precondition(configurationIndex <= log.lastIndex, "the configuration is in the log")
        guard isLeader else { return }
        precondition(leader == id && !settings.isWitness, "a leader leads")
        precondition(leadership.beginIndex <= log.lastIndex, "its term has begun")
        for (member, progress) in leadership.progress {
            precondition(member != id && progress.match < progress.next, "match < next")
            precondition(progress.match <= log.lastIndex, "nobody has more than the leader")
        }
    }
}
