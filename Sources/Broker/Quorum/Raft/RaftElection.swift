import Base

// Elections (sections 3.4, 3.6.1, 9.6, and 3.10 for those that a leader asks for).
extension RaftCore {
    /// Whether a leader was heard of so recently that voting for another would break what leases
    /// rest on.
    func isLoyal(_ now: Instant) -> Bool {
        isLeader || now < leaderContact + settings.electionTimeout
    }

    mutating func beginPreVote(_ now: Instant) {
        role = .preCandidate
        votes = []
        // What a leader asked for was the election before, not this one.
        isTransferElection = false
        resetElectionDeadline(now)
        ask(isPreVote: true, term: term.next)
        countVote(of: id, now)
    }

    mutating func beginElection(_ now: Instant) {
        role = .candidate
        leader = nil
        votes = []
        hardState.term = term.next
        hardState.vote = id
        saveHardState()
        resetElectionDeadline(now)
        // The own vote counts when it is durable: `persisted`.
        ask(isPreVote: false, term: term)
    }

    private mutating func ask(isPreVote: Bool, term: Term) {
        let request = QuorumMessage.VoteRequest(
            position: log.lastPosition, isPreVote: isPreVote, isTransfer: isTransferElection)
        for member in configuration.members where member.isVoter && member.id != id {
            send(.voteRequest(request), to: member.id, isPromise: true, term: term)
        }
    }

    mutating func receive(
        _ request: QuorumMessage.VoteRequest, in message: QuorumMessage, _ now: Instant
    ) {
        // A candidate that merely lost contact must not end the term of a leader that others hear.
        if !request.isTransfer, isLoyal(now), message.term >= term {
            if request.isPreVote { refuse(message, isPreVote: true) }
            return
        }
        if request.isPreVote {
            guard message.term > term, request.position >= electionPosition else {
                return refuse(message, isPreVote: true)
            }
            return send(
                .voteAnswer(.init(isGranted: true, isPreVote: true)), to: message.from,
                isPromise: true, term: message.term)
        }
        if message.term > term { adopt(message.term, now) }
        guard message.term == term, hardState.vote == nil || hardState.vote == message.from,
            role == .follower || role == .preCandidate, leader == nil,
            request.position >= electionPosition
        else { return refuse(message, isPreVote: false) }
        role = .follower
        votes = []
        if hardState.vote == nil {
            hardState.vote = message.from
            saveHardState()
        }
        resetElectionDeadline(now)
        send(
            .voteAnswer(.init(isGranted: true, isPreVote: false)), to: message.from,
            isPromise: true)
    }

    private mutating func refuse(_ message: QuorumMessage, isPreVote: Bool) {
        send(
            .voteAnswer(.init(isGranted: false, isPreVote: isPreVote)), to: message.from,
            isPromise: true)
    }

    /// A yes to the question whether an election could be won; its term is that of the election.
    mutating func receivePreVote(_ message: QuorumMessage, _ now: Instant) {
        guard role == .preCandidate, message.term == term.next, isVoiceOfVoter(message) else {
            return
        }
        countVote(of: message.from, now)
    }

    mutating func receive(
        _ answer: QuorumMessage.VoteAnswer, in message: QuorumMessage, _ now: Instant
    ) {
        guard role == .candidate, !answer.isPreVote, answer.isGranted, isVoiceOfVoter(message)
        else { return }
        countVote(of: message.from, now)
    }

    private func isVoiceOfVoter(_ message: QuorumMessage) -> Bool {
        guard let member = configuration.member(message.from) else { return false }
        return member.isVoter && member.isServed(by: message.directory)
    }

    /// One more yes, however often it came.
    mutating func countVote(of voter: NodeID, _ now: Instant) {
        guard !votes.contains(voter) else { return }
        // Who stands without being a voter any more needs a majority of the others.
        if voter != id || isVoter {
            votes.append(voter)
            votes.sort()
        }
        guard votes.count >= configuration.majority else { return }
        switch role {
        case .preCandidate: beginElection(now)
        case .candidate: becomeLeader(now)
        case .follower, .leader: break
        }
    }
}
