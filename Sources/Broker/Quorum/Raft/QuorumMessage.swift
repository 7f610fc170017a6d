import Base

/// What members of the quorum say to each other.
package struct QuorumMessage: Hashable, Sendable {
    /// Messages of another cluster are not for us.
    package var cluster: UUID128
    package var from: NodeID
    /// The disk of the sender, and how often it was started: answers of an earlier life of a
    /// follower say nothing about its log.
    package var directory: UUID128
    package var life: UInt64
    package var to: NodeID
    /// The sender's term. Of a question before an election, and of a yes to it, the term that the
    /// election would have.
    package var term: Term
    package var body: Body

    package enum Body: Hashable, Sendable {
        case voteRequest(VoteRequest)
        case voteAnswer(VoteAnswer)
        case append(AppendRequest)
        case appendAnswer(AppendAnswer)
        case chunk(SnapshotChunk)
        case chunkAnswer(ChunkAnswer)
        /// The leader wants the receiver to stand for election now (section 3.10).
        case campaign
    }

    package init(
        cluster: UUID128, from: NodeID, directory: UUID128, life: UInt64, to: NodeID, term: Term,
        body: Body
    ) {
        self.cluster = cluster
        self.from = from
        self.directory = directory
        self.life = life
        self.to = to
        self.term = term
        self.body = body
    }

    package struct VoteRequest: Hashable, Sendable {
        package var position: LogPosition
        /// Only a question whether an election could be won (section 9.6).
        package var isPreVote: Bool
        /// The leader asked for this election: nobody waits for it to fall silent.
        package var isTransfer: Bool

        package init(position: LogPosition, isPreVote: Bool, isTransfer: Bool) {
            self.position = position
            self.isPreVote = isPreVote
            self.isTransfer = isTransfer
        }
    }

    package struct VoteAnswer: Hashable, Sendable {
        package var isGranted: Bool
        package var isPreVote: Bool

        package init(isGranted: Bool, isPreVote: Bool) {
            self.isGranted = isGranted
            self.isPreVote = isPreVote
        }
    }

    package struct AppendRequest: Hashable, Sendable {
        /// The entry before the first of `entries`, and the chain there.
        package var previous: LogPosition
        package var previousChain: UInt32
        package var entries: [RaftEntry]
        package var commit: LogIndex
        /// Counts the occasions on which the leader asked all members: an answer proves that the
        /// leader was followed after the round had begun.
        package var round: UInt64

        package init(
            previous: LogPosition, previousChain: UInt32, entries: [RaftEntry], commit: LogIndex,
            round: UInt64
        ) {
            self.previous = previous
            self.previousChain = previousChain
            self.entries = entries
            self.commit = commit
            self.round = round
        }
    }

    package struct AppendAnswer: Hashable, Sendable {
        package enum Outcome: Hashable, Sendable {
            /// Everything up to here is durable and equal to the leader's log.
            case accepted(LogIndex)
            /// `previous` is not in the log; `hint` is the last place that may be common.
            case rejected(previous: LogIndex, hint: LogPosition)
        }

        package var outcome: Outcome
        package var round: UInt64

        package init(outcome: Outcome, round: UInt64) {
            self.outcome = outcome
            self.round = round
        }
    }

    package struct SnapshotChunk: Hashable, Sendable {
        package var snapshot: RaftSnapshot
        /// Where `content` begins in the content of the snapshot.
        package var position: Int64
        package var content: Bytes
        package var round: UInt64

        package init(snapshot: RaftSnapshot, position: Int64, content: Bytes, round: UInt64) {
            self.snapshot = snapshot
            self.position = position
            self.content = content
            self.round = round
        }
    }

    package struct ChunkAnswer: Hashable, Sendable {
        package var snapshot: LogPosition
        /// What comes next; everything before is here.
        package var next: Int64
        package var isInstalled: Bool
        package var round: UInt64

        package init(snapshot: LogPosition, next: Int64, isInstalled: Bool, round: UInt64) {
            self.snapshot = snapshot
            self.next = next
            self.isInstalled = isInstalled
            self.round = round
        }
    }
}

extension QuorumMessage: CustomStringConvertible {
    package var description: String { "\(from.value)→\(to.value) term \(term) \(body)" }
}

extension QuorumMessage.Body: CustomStringConvertible {
    package var description: String {
        switch self {
        case .voteRequest(let request):
            let kind = request.isPreVote ? "asks" : request.isTransfer ? "takes over" : "stands"
            return "\(kind) with \(request.position)"
        case .voteAnswer(let answer):
            return (answer.isPreVote ? "would vote " : "votes ") + (answer.isGranted ? "yes" : "no")
        case .append(let request):
            return "append after \(request.previous): \(request.entries.count) entries, commit "
                + "\(request.commit), round \(request.round)"
        case .appendAnswer(let answer):
            switch answer.outcome {
            case .accepted(let index): return "has \(index), round \(answer.round)"
            case .rejected(let previous, let hint):
                return "lacks \(previous), perhaps \(hint), round \(answer.round)"
            }
        case .chunk(let chunk):
            return "snapshot \(chunk.snapshot.position) from \(chunk.position), "
                + "\(chunk.content.count) bytes"
        case .chunkAnswer(let answer):
            return "snapshot \(answer.snapshot): "
                + (answer.isInstalled ? "installed" : "next \(answer.next)")
        case .campaign: return "campaign"
        }
    }
}
