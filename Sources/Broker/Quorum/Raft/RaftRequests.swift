import Base

// What the controller and operators ask of the quorum: commands, reads (section 6.4), changes of
// the membership (chapter 4), transfers (3.10).
extension RaftCore {
    /// Proposes a command; answered when it is committed, or when that cannot be known any more.
    package mutating func propose(_ payload: Bytes, _ token: RequestToken, now: Instant) {
        guard isLeader, !isHalted else {
            return outputs.append(.answered(token, .notLeader(hint: leader)))
        }
        guard payload.count <= settings.entryBytesMax else {
            return outputs.append(.answered(token, .tooLarge(limit: settings.entryBytesMax)))
        }
        // A leader that leaves adds nothing behind its leaving: with it whoever elects the next
        // leader, a witness perhaps, has nothing that no other voter has.
        guard leadership.transfer == nil, isVoter,
            log.lastIndex - commitIndex < settings.uncommittedCountMax,
            leadership.uncommittedBytes + payload.count <= settings.uncommittedBytesMax
        else { return outputs.append(.answered(token, .overloaded)) }
        appendOwn(.command, payload)
        leadership.proposals.append((log.lastIndex, token))
        replicateToAll()
        advanceCommit(now)
    }

    // MARK: Reads

    /// Asks for a moment from which on the state machine may answer, so that the answer contains
    /// everything that was committed before the read. `asksMajority`: not by a lease.
    package mutating func read(_ token: RequestToken, asksMajority: Bool = false, now: Instant) {
        guard isLeader, !isHalted else {
            return outputs.append(.answered(token, .notLeader(hint: leader)))
        }
        guard leadership.reads.count < settings.pendingReadsMax else {
            return outputs.append(.answered(token, .overloaded))
        }
        // Until the first entry of the term is committed, this node does not know what is.
        let index = max(commitIndex, leadership.beginIndex)
        if !asksMajority, index <= commitIndex, hasLease(now) {
            return outputs.append(.answered(token, .readable(index)))
        }
        leadership.reads.append(.init(token: token, index: index, round: nil))
        confirmReads(now)
    }

    /// Until when a majority votes for nobody else, so that no other leader can have committed
    /// anything: `leaseDuration` after the last round that a majority has answered began.
    func hasLease(_ now: Instant) -> Bool {
        guard settings.readsByLease, !leadership.leaseIsRevoked, isVoter else { return false }
        return majority { progress in
            guard let began = progress.roundBegan else { return false }
            return now < began + settings.leaseDuration
        }
    }

    /// Answers reads that a round has confirmed, and begins a round for those that wait for one.
    mutating func confirmReads(_ now: Instant) {
        guard !leadership.reads.isEmpty else { return }
        var left: [Leadership.PendingRead] = []
        var roundIsUnderWay = false
        for read in leadership.reads {
            let isConfirmed = read.round.map { round in majority { $0.round >= round } } ?? false
            if isConfirmed, read.index <= commitIndex {
                outputs.append(.answered(read.token, .readable(read.index)))
                continue
            }
            if read.round != nil, !isConfirmed { roundIsUnderWay = true }
            left.append(read)
        }
        leadership.reads = left
        // One round at a time: reads that come meanwhile share the next one.
        guard !roundIsUnderWay, left.contains(where: { $0.round == nil }) else { return }
        heartbeat(now)
        for place in leadership.reads.indices where leadership.reads[place].round == nil {
            leadership.reads[place].round = leadership.round
        }
        if configuration.majority == 1, isVoter { confirmReads(now) }
    }

    // MARK: Membership

    /// Begins a change of the membership, one at a time.
    package mutating func change(_ change: MembershipChange, _ token: RequestToken, now: Instant) {
        do {
            let next = try configurationAfter(change)
            appendOwn(.configuration, next.encoded())
            leadership.proposals.append((log.lastIndex, token))
            updateMembers(now)
            replicateToAll()
            advanceCommit(now)
        } catch {
            outputs.append(.answered(token, .refused(error)))
        }
    }

    private func configurationAfter(
        _ change: MembershipChange
    ) throws(MembershipRefusal) -> RaftConfiguration {
        guard isLeader, !isHalted else { throw .notLeader(hint: leader) }
        // Without an entry of this term there could be an older change that others still count
        // on, and the two might have majorities without a common node.
        guard configurationIndex <= commitIndex, commitIndex >= leadership.beginIndex,
            leadership.transfer == nil
        else { throw .changeUnderWay }
        if case .promote(let member) = change {
            guard let progress = leadership.progress[member],
                progress.mode == .stream,
                log.lastIndex - progress.match <= settings.promotionLagMax
            else { throw .notCaughtUp(member) }
        }
        return try configuration.applying(change)
    }

    /// A leader that is no voter any more leads until that is committed, and then hands over.
    mutating func retireIfRemoved(_ now: Instant) {
        guard isLeader, !configuration.isVoter(id), configurationIndex <= commitIndex else {
            return
        }
        replicateToAll()
        if let heir = bestHeir { send(.campaign, to: heir, isPromise: false) }
        stepDown(now)
        becomeFollower(of: nil, now)
    }

    /// The voter with the longest log.
    private var bestHeir: NodeID? {
        var best: (id: NodeID, match: LogIndex)?
        for member in configuration.members
        where member.isVoter && !member.isWitness && member.id != id {
            let match = leadership.progress[member.id]?.match ?? 0
            if match > best?.match ?? -1 { best = (member.id, match) }
        }
        return best?.id
    }

    // MARK: Transfer

    /// Hands leadership over to `target`, or to the voter with the longest log: new commands are
    /// refused until it has everything, then it stands for election at once.
    package mutating func transfer(to target: NodeID?, _ token: RequestToken, now: Instant) {
        guard isLeader, !isHalted else {
            return outputs.append(.answered(token, .notLeader(hint: leader)))
        }
        guard leadership.transfer == nil, let target = target ?? bestHeir, target != id,
            let member = configuration.member(target), member.isVoter, !member.isWitness
        else { return outputs.append(.answered(token, .transferFailed)) }
        leadership.transfer = .init(
            target: target, token: token, deadline: now + settings.electionTimeout)
        replicate(to: target)
        askToTakeOver(now)
    }

    /// Tells the heir to stand for election once it has everything.
    mutating func askToTakeOver(_ now: Instant) {
        guard let transfer = leadership.transfer, !transfer.isAsked,
            leadership.progress[transfer.target]?.match == log.lastIndex
        else { return }
        leadership.transfer?.isAsked = true
        // Those who vote for the heir forget their loyalty: the lease is worth nothing from here.
        leadership.leaseIsRevoked = true
        send(.campaign, to: transfer.target, isPromise: false)
    }
}
