import Base

/// What the owner of a `RaftCore` has to do, in this order. Writes are made durable together, and
/// what is a promise leaves only when everything before it is.
package enum RaftOutput: Hashable, Sendable {
    /// Entries behind the last one.
    case append([RaftEntry])
    /// Everything behind this index is void.
    case truncate(after: LogIndex)
    /// The log begins behind this snapshot, nothing else of it is left.
    case reset(RaftSnapshot)
    case save(HardState)
    /// A promise waits until every write before it is durable.
    case send(QuorumMessage, isPromise: Bool)
    /// To be made of the snapshot's content: the chunk that begins at `position`.
    case sendChunk(to: NodeID, position: Int64, round: UInt64)
    /// A chunk that came from the leader of the term.
    case receive(QuorumMessage.SnapshotChunk, from: NodeID)
    /// Everything up to here is committed.
    case commit(LogIndex)
    /// The state machine continues from this snapshot, which is here.
    case restore(RaftSnapshot)
    case answered(RequestToken, RaftAnswer)
    case becameLeader(Term)
    case steppedDown(Term)
    /// A promise was broken, here or elsewhere: nothing may go on.
    case halt(String)
}

/// The name of a request to the quorum, chosen by who makes it.
package struct RequestToken: Hashable, Comparable, Sendable {
    package var value: UInt64

    package init(_ value: UInt64) { self.value = value }

    package static func < (left: Self, right: Self) -> Bool { left.value < right.value }
}

/// What became of a request.
package enum RaftAnswer: Hashable, Sendable {
    /// The command or change is committed at this place.
    case committed(LogIndex)
    /// The leadership ended before it was known: it may be committed, or not.
    case uncertain
    /// The state machine, once it has applied everything up to here, may answer the read.
    case readable(LogIndex)
    /// Nothing was done; `hint` leads perhaps.
    case notLeader(hint: NodeID?)
    /// Nothing was done: too much waits already, or leadership is being handed over. Try again.
    case overloaded
    case tooLarge(limit: Int)
    case refused(MembershipRefusal)
    case transferred
    /// The chosen node did not take over in time, or cannot.
    case transferFailed
}
