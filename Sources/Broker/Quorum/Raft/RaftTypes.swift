// The quantities of the metadata quorum. The protocol is Raft (Ongaro, "Consensus: Bridging Theory
// and Practice", 2014): section numbers in this folder are those of the dissertation.

import Base

/// The number of a leadership of the quorum; each has at most one leader.
package struct Term: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    package var value: Int64

    package init(_ value: Int64) { self.value = value }
    package init(integerLiteral value: Int64) { self.value = value }

    package static func < (left: Term, right: Term) -> Bool { left.value < right.value }

    package var next: Term { Term(value + 1) }
}

/// The place of an entry in the quorum's log, counted from 1; 0 is the place before the first.
package struct LogIndex: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    package var value: Int64

    package init(_ value: Int64) { self.value = value }
    package init(integerLiteral value: Int64) { self.value = value }

    package static func < (left: LogIndex, right: LogIndex) -> Bool { left.value < right.value }
    package static func + (left: LogIndex, right: Int) -> LogIndex {
        LogIndex(left.value + Int64(right))
    }
    package static func - (left: LogIndex, right: LogIndex) -> Int {
        Int(left.value - right.value)
    }

    package var next: LogIndex { LogIndex(value + 1) }
    package var previous: LogIndex { LogIndex(value - 1) }
}

extension Term: CustomStringConvertible {
    package var description: String { String(value) }
}

extension LogIndex: CustomStringConvertible {
    package var description: String { String(value) }
}

/// How far a log reaches. The order is that of elections (section 3.6.1): the later term wins, in
/// one term the longer log.
package struct LogPosition: Hashable, Comparable, Sendable {
    package var term: Term
    package var index: LogIndex

    package init(term: Term, index: LogIndex) {
        self.term = term
        self.index = index
    }

    package static let start = LogPosition(term: 0, index: 0)

    package static func < (left: LogPosition, right: LogPosition) -> Bool {
        left.term != right.term ? left.term < right.term : left.index < right.index
    }
}

extension LogPosition: CustomStringConvertible {
    package var description: String { "\(index)@\(term)" }
}

/// One entry of the quorum's log.
package struct RaftEntry: Hashable, Sendable {
    package enum Kind: UInt8, Sendable {
        /// Begins a term, so that entries of earlier terms can be committed (section 3.6.2).
        case begin = 0
        /// A command of the state machine.
        case command = 1
        /// An encoded `RaftConfiguration`.
        case configuration = 2
    }

    package var index: LogIndex
    package var term: Term
    package var kind: Kind
    /// The content; of a command that a witness stores, nothing.
    package var payload: Bytes
    /// Bytes of the content, and its CRC-32C: they stay when the content is stripped.
    package var payloadCount: Int
    package var payloadChecksum: UInt32

    package init(index: LogIndex, term: Term, kind: Kind, payload: Bytes) {
        self.index = index
        self.term = term
        self.kind = kind
        self.payload = payload
        payloadCount = payload.count
        payloadChecksum = crc32c(payload)
    }

    package init(
        index: LogIndex, term: Term, kind: Kind, payload: Bytes, payloadCount: Int,
        payloadChecksum: UInt32
    ) {
        self.index = index
        self.term = term
        self.kind = kind
        self.payload = payload
        self.payloadCount = payloadCount
        self.payloadChecksum = payloadChecksum
    }

    package var position: LogPosition { LogPosition(term: term, index: index) }

    /// A witness has the place of the entry, not its content.
    package var isStripped: Bool { payload.count != payloadCount }

    /// The entry as a witness gets it. Configurations are kept: it has to know who votes.
    package var stripped: RaftEntry {
        guard kind == .command else { return self }
        var entry = self
        entry.payload = .empty
        return entry
    }

    /// The content is what its writer meant, or was left out on purpose.
    package var isIntact: Bool {
        if isStripped { return kind == .command && payload.isEmpty }
        return crc32c(payload) == payloadChecksum
    }

    /// The checksum of the whole log up to this entry: equal chains, equal logs. It leaves out the
    /// content itself for its checksum, so that witnesses have the same chain.
    package func chain(after previous: UInt32) -> UInt32 {
        var header = (
            index.value.bigEndian, term.value.bigEndian, Int64(payloadCount).bigEndian,
            (Int64(kind.rawValue) << 32 | Int64(payloadChecksum)).bigEndian
        )
        return withUnsafeBytes(of: &header) { crc32c($0, seed: previous) }
    }
}

/// A member of the quorum.
package struct RaftMember: Hashable, Sendable {
    package var id: NodeID
    /// Which disk the member has. A node that comes back with an empty disk has another one, and
    /// nothing that the old one promised binds it: its votes and acknowledgements do not count.
    /// Zero = any.
    package var directory: UUID128
    /// Observers are not voters: they get the log and count nowhere.
    package var isVoter: Bool
    /// A witness keeps terms, votes and the places of entries, but not their content: it helps
    /// elect and commit, it never leads.
    package var isWitness: Bool

    package init(id: NodeID, directory: UUID128, isVoter: Bool, isWitness: Bool = false) {
        self.id = id
        self.directory = directory
        self.isVoter = isVoter
        self.isWitness = isWitness
    }

    package func isServed(by directory: UUID128) -> Bool {
        self.directory == .zero || self.directory == directory
    }
}

/// Who belongs to the quorum, by ascending id.
package struct RaftConfiguration: Hashable, Sendable {
    /// At most so many members, voters among them.
    package static let memberCountMax = 64
    package static let voterCountMax = 9

    package private(set) var members: [RaftMember]

    package init(_ members: [RaftMember]) {
        self.members = members.sorted { $0.id < $1.id }
    }

    package static let empty = RaftConfiguration([])

    package func member(_ id: NodeID) -> RaftMember? { members.first { $0.id == id } }

    package func isVoter(_ id: NodeID) -> Bool { member(id)?.isVoter ?? false }

    package var voterCount: Int { members.reduce(0) { $0 + ($1.isVoter ? 1 : 0) } }

    /// How many voters are a majority.
    package var majority: Int { voterCount / 2 + 1 }

    /// Somebody can lead: there is a voter with content.
    package var isElectable: Bool { members.contains { $0.isVoter && !$0.isWitness } }

    /// The configuration after `change`, or why it is not allowed. At most one voter differs, so
    /// that majorities of the two overlap (section 4.1).
    package func applying(
        _ change: MembershipChange
    ) throws(MembershipRefusal) -> RaftConfiguration {
        var next = self
        switch change {
        case .add(let id, let directory, let isWitness):
            guard member(id) == nil else { throw .alreadyMember(id) }
            guard members.count < Self.memberCountMax else { throw .tooManyMembers }
            next.members.append(
                RaftMember(id: id, directory: directory, isVoter: false, isWitness: isWitness))
            next.members.sort { $0.id < $1.id }
        case .promote(let id):
            guard let place = next.members.firstIndex(where: { $0.id == id }) else {
                throw .notMember(id)
            }
            guard !next.members[place].isVoter else { throw .alreadyMember(id) }
            guard voterCount < Self.voterCountMax else { throw .tooManyMembers }
            next.members[place].isVoter = true
        case .demote(let id):
            guard let place = next.members.firstIndex(where: { $0.id == id }),
                next.members[place].isVoter
            else { throw .notMember(id) }
            next.members[place].isVoter = false
        case .remove(let id):
            guard let place = next.members.firstIndex(where: { $0.id == id }) else {
                throw .notMember(id)
            }
            next.members.remove(at: place)
        }
        guard next.isElectable else { throw .nobodyCouldLead }
        return next
    }
}

/// A change of who belongs to the quorum.
package enum MembershipChange: Hashable, Sendable {
    /// A new observer.
    case add(NodeID, directory: UUID128, isWitness: Bool)
    /// An observer becomes a voter, once it has caught up.
    case promote(NodeID)
    /// A voter becomes an observer.
    case demote(NodeID)
    case remove(NodeID)
}

/// Why a change of the membership did not begin.
package enum MembershipRefusal: Error, Hashable, Sendable {
    case notLeader(hint: NodeID?)
    /// An earlier change is not committed yet, or nothing of this term is (section 4.1).
    case changeUnderWay
    case alreadyMember(NodeID)
    case notMember(NodeID)
    case tooManyMembers
    /// The node lacks too much of the log to vote.
    case notCaughtUp(NodeID)
    /// No voter with content would be left.
    case nobodyCouldLead
}

/// What a node must never forget about elections.
package struct HardState: Hashable, Sendable {
    package var term: Term
    package var vote: NodeID?
    /// Everything up to here was committed, as far as this node knew: a hint that may be behind.
    package var commit: LogIndex
    /// Set while the node knows that it lost a part of its log: how far the log may have reached.
    /// Until it is there again, the node stands for no election and votes as if it had it all.
    package var lost: LogPosition?

    package init(
        term: Term = 0, vote: NodeID? = nil, commit: LogIndex = 0, lost: LogPosition? = nil
    ) {
        self.term = term
        self.vote = vote
        self.commit = commit
        self.lost = lost
    }
}

/// A state of the state machine at one place of the log, which stands for everything before it.
package struct RaftSnapshot: Hashable, Sendable {
    package var position: LogPosition
    /// The chain of the log at `position`.
    package var chain: UInt32
    package var configuration: RaftConfiguration
    /// Bytes of the content, and its CRC-32C.
    package var contentCount: Int64
    package var contentChecksum: UInt32

    package init(
        position: LogPosition, chain: UInt32, configuration: RaftConfiguration,
        contentCount: Int64, contentChecksum: UInt32
    ) {
        self.position = position
        self.chain = chain
        self.configuration = configuration
        self.contentCount = contentCount
        self.contentChecksum = contentChecksum
    }

    package var index: LogIndex { position.index }

    /// Nothing, before the first entry.
    package static func start(_ configuration: RaftConfiguration) -> RaftSnapshot {
        RaftSnapshot(
            position: .start, chain: 0, configuration: configuration, contentCount: 0,
            contentChecksum: 0)
    }
}
