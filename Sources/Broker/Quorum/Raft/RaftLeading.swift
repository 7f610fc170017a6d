import Base

// What a leader does: replication (section 3.5), commit (3.6.2), the check of its quorum (6.2).
extension RaftCore {
    mutating func becomeLeader(_ now: Instant) {
        role = .leader
        leader = id
        votes = []
        leadsByTransfer = isTransferElection
        isTransferElection = false
        leadership = Leadership(began: now)
        for index in stride(from: commitIndex.next.value, through: log.lastIndex.value, by: 1) {
            leadership.uncommittedBytes += log.entry(at: LogIndex(index))?.payload.count ?? 0
        }
        leadership.beginIndex = log.lastIndex.next
        outputs.append(.becameLeader(term))
        electionDeadline = now + settings.electionTimeout
        updateMembers(now)
        appendOwn(.begin, .empty)
        heartbeat(now)
    }

    /// The leadership is over; the role is to be set by the caller.
    mutating func stepDown(_ now: Instant) {
        outputs.append(.steppedDown(term))
        for proposal in leadership.proposals {
            outputs.append(.answered(proposal.token, .uncertain))
        }
        for read in leadership.reads {
            outputs.append(.answered(read.token, .notLeader(hint: nil)))
        }
        if let transfer = leadership.transfer {
            outputs.append(
                .answered(transfer.token, transfer.isAsked ? .transferred : .transferFailed))
        }
        leadership = Leadership(began: now)
        role = .follower
        leader = nil
    }

    mutating func leaderTick(_ now: Instant) {
        if now >= electionDeadline {
            guard hasQuorum(now) else {
                stepDown(now)
                return becomeFollower(of: nil, now)
            }
            electionDeadline = now + settings.electionTimeout
        }
        if let transfer = leadership.transfer, now >= transfer.deadline {
            leadership.transfer = nil
            outputs.append(.answered(transfer.token, .transferFailed))
        }
        if now >= leadership.heartbeatDeadline { heartbeat(now) }
    }

    /// A majority of voters, this node among them if it is one, satisfies `condition`.
    func majority(_ condition: (FollowerProgress) -> Bool) -> Bool {
        var count = 0
        for member in configuration.members where member.isVoter {
            if member.id == id {
                count += 1
            } else if let progress = leadership.progress[member.id], condition(progress) {
                count += 1
            }
        }
        return count >= configuration.majority
    }

    private func hasQuorum(_ now: Instant) -> Bool {
        majority { now < $0.lastHeard + settings.electionTimeout }
    }

    /// Progress for exactly the other members.
    mutating func updateMembers(_ now: Instant) {
        for known in leadership.progress.keys where configuration.member(known) == nil {
            leadership.progress[known] = nil
        }
        for member in configuration.members
        where member.id != id && leadership.progress[member.id] == nil {
            leadership.progress[member.id] = FollowerProgress(next: log.lastIndex.next, now: now)
        }
    }

    /// Some member gets a snapshot and answers: a newer one would make it begin anew.
    package func isSendingSnapshot(now: Instant) -> Bool {
        isLeader
            && leadership.progress.values.contains { progress in
                guard case .snapshot = progress.mode else { return false }
                return now < progress.lastHeard + settings.electionTimeout * 2
            }
    }

    // MARK: Sending

    /// Adds an entry of this term; the caller replicates.
    mutating func appendOwn(_ kind: RaftEntry.Kind, _ payload: Bytes) {
        let entry = RaftEntry(index: log.lastIndex.next, term: term, kind: kind, payload: payload)
        log.append(entry)
        leadership.uncommittedBytes += payload.count
        outputs.append(.append([entry]))
        noteConfiguration(entry)
    }

    /// Asks every member whether it still follows, and repeats what may be lost.
    mutating func heartbeat(_ now: Instant) {
        leadership.beginRound(now)
        leadership.heartbeatDeadline = now + settings.heartbeatInterval
        for member in leadership.progress.keys {
            guard let progress = leadership.progress[member] else { continue }
            leadership.progress[member]?.isWaiting = false
            replicate(to: member)
            if progress.mode == .stream { sendAppend(to: member, countMax: 0) }
        }
    }

    /// Up to where a member may get the log. A witness gets only what is on the leader's own disk:
    /// with more it could refuse its vote to everybody who has contents, for ever.
    private func limit(of member: NodeID) -> LogIndex {
        configuration.member(member)?.isWitness == true ? durableIndex : log.lastIndex
    }

    mutating func replicateToAll() {
        for member in leadership.progress.keys { replicate(to: member) }
    }

    /// Sends what the member lacks, as far as the limits allow.
    mutating func replicate(to member: NodeID) {
        while let progress = leadership.progress[member] {
            switch progress.mode {
            case .probe:
                guard !progress.isWaiting else { return }
                guard progress.next > log.base.index else {
                    leadership.progress[member]?.beginSnapshot(snapshot.position)
                    continue
                }
                leadership.progress[member]?.isWaiting = true
                return sendAppend(to: member, countMax: settings.batchCountMax)
            case .stream:
                // First of all: a member that does not answer is left behind by a snapshot.
                guard progress.next > log.base.index else {
                    leadership.progress[member]?.beginSnapshot(snapshot.position)
                    continue
                }
                guard progress.next <= limit(of: member), progress.canStream(settings) else {
                    return
                }
                sendAppend(to: member, countMax: settings.batchCountMax)
            case .snapshot(let position, let next):
                guard !progress.isWaiting else { return }
                if position != snapshot.position {
                    // A newer one took its place.
                    leadership.progress[member]?.beginSnapshot(snapshot.position)
                    continue
                }
                leadership.progress[member]?.isWaiting = true
                outputs.append(.sendChunk(to: member, position: next, round: leadership.round))
                return
            }
        }
    }

    private mutating func sendAppend(to member: NodeID, countMax: Int) {
        guard let progress = leadership.progress[member] else { return }
        let previous = progress.next.previous
        guard let term = log.term(at: previous), let chain = log.chain(at: previous) else { return }
        var entries: [RaftEntry] = []
        if countMax > 0, progress.next <= limit(of: member) {
            entries = log.entries(
                from: progress.next, through: limit(of: member), countMax: countMax,
                bytesMax: settings.batchBytesMax)
            if configuration.member(member)?.isWitness == true {
                entries = entries.map(\.stripped)
            }
        }
        if let last = entries.last, progress.mode == .stream {
            let bytes = entries.reduce(0) { $0 + $1.payload.count }
            leadership.progress[member]?.sent(through: last.index, bytes: bytes)
        }
        leadership.progress[member]?.commitTold = min(commitIndex, previous + entries.count)
        send(
            .append(
                .init(
                    previous: LogPosition(term: term, index: previous), previousChain: chain,
                    entries: entries, commit: commitIndex, round: leadership.round)),
            to: member, isPromise: false)
    }

    // MARK: Answers

    /// Notes that a member answered; nil when the answer does not count.
    private mutating func heard(
        _ message: QuorumMessage, round: UInt64, _ now: Instant
    ) -> FollowerProgress? {
        guard isLeader, let member = configuration.member(message.from),
            member.isServed(by: message.directory),
            let progress = leadership.progress[message.from], message.life >= progress.life,
            round <= leadership.round
        else { return nil }
        if message.life > progress.life {
            leadership.progress[message.from]?.begin(life: message.life, lastIndex: log.lastIndex)
        }
        leadership.progress[message.from]?.lastHeard = now
        if round > progress.round {
            let began = leadership.began(round)
            leadership.progress[message.from]?.round = round
            leadership.progress[message.from]?.roundBegan = began
        }
        return leadership.progress[message.from]
    }

    mutating func receive(
        _ answer: QuorumMessage.AppendAnswer, in message: QuorumMessage, _ now: Instant
    ) {
        guard let progress = heard(message, round: answer.round, now) else { return }
        switch answer.outcome {
        case .accepted(let index):
            guard index <= log.lastIndex else {
                return halt("node \(message.from.value) has \(index), behind the leader's log")
            }
            if case .snapshot = progress.mode {
                // An answer from before the snapshot; only if the log is enough again it counts.
                guard index >= log.base.index else { break }
                leadership.progress[message.from]?.probe(from: index.next)
            }
            leadership.progress[message.from]?.accepted(index)
            advanceCommit(now)
        case .rejected(let previous, let hint):
            // Answers that were overtaken must not start anything: each would cause another.
            guard previous > progress.match, previous < progress.next else { break }
            switch progress.mode {
            case .snapshot: break
            case .probe where previous != progress.next.previous: break
            case .probe, .stream:
                let common = log.lastIndex(
                    upTo: min(hint.index, previous.previous), termAtMost: hint.term)
                // Where the log here does not reach back to what may be common, a snapshot helps.
                let behind = hint.index < log.base.index
                leadership.progress[message.from]?.probe(
                    from: behind ? hint.index.next : common.next)
            }
        }
        guard isLeader else { return }
        confirmReads(now)
        replicate(to: message.from)
        askToTakeOver(now)
    }

    mutating func receive(
        _ answer: QuorumMessage.ChunkAnswer, in message: QuorumMessage, _ now: Instant
    ) {
        guard let progress = heard(message, round: answer.round, now) else { return }
        if case .snapshot(let position, let next) = progress.mode, position == answer.snapshot {
            if answer.isInstalled {
                leadership.progress[message.from]?.probe(from: position.index.next)
                leadership.progress[message.from]?.accepted(position.index)
                advanceCommit(now)
            } else if answer.next > next, answer.next <= snapshot.contentCount {
                leadership.progress[message.from]?.chunkIsWanted(position, next: answer.next)
            } else if answer.next < next {
                // Chunks before are wanted again: with the next heartbeat, since an answer that
                // comes twice must not double what is sent from then on.
                leadership.progress[message.from]?.chunkIsWanted(position, next: answer.next)
                leadership.progress[message.from]?.isWaiting = true
            }
        }
        guard isLeader else { return }
        confirmReads(now)
        replicate(to: message.from)
    }

    // MARK: Commit

    /// Commits what a majority has on disk, if it is of this term (section 3.6.2).
    mutating func advanceCommit(_ now: Instant) {
        var places: [LogIndex] = []
        for member in configuration.members where member.isVoter {
            places.append(
                member.id == id
                    ? durableIndex : leadership.progress[member.id]?.match ?? LogIndex(0))
        }
        places.sort(by: >)
        guard places.count >= configuration.majority else { return }
        let agreed = places[configuration.majority - 1]
        guard agreed > commitIndex, log.term(at: agreed) == term else { return }
        commit(through: agreed)
        var done = 0
        while done < leadership.proposals.count, leadership.proposals[done].index <= commitIndex {
            let proposal = leadership.proposals[done]
            outputs.append(.answered(proposal.token, .committed(proposal.index)))
            done += 1
        }
        leadership.proposals.removeFirst(done)
        for (member, progress) in leadership.progress
        where progress.mode == .stream && progress.next > log.lastIndex
            && progress.commitTold < commitIndex
        {
            sendAppend(to: member, countMax: 0)
        }
        confirmReads(now)
        retireIfRemoved(now)
    }

    /// Moves the commit index, of a leader and of a follower.
    mutating func commit(through index: LogIndex) {
        precondition(index > commitIndex && index <= log.lastIndex, "commits go forward")
        if isLeader {
            for place in stride(from: commitIndex.next.value, through: index.value, by: 1) {
                leadership.uncommittedBytes -=
                    log.entry(at: LogIndex(place))?.payload.count ?? 0
            }
        }
        commitIndex = index
        outputs.append(.commit(index))
    }
}
