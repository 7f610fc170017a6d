import Base
import Coordinator
import WireProtocol

/// A client of a group, as the simulation plays it: it does what it is told at once, and believes
/// that it owns what it was given last.
struct GroupMemberModel {
    enum Place {
        /// Has to join.
        case out
        /// Classic: has to ask for its assignment; leaders name the members.
        case joined(members: [String])
        case stable
    }

    let name: String
    let isClassic: Bool
    var id: String
    var place = Place.out
    /// Generation or member epoch.
    var epoch: Int32 = 0
    var owned = PartitionSet()
    /// The request that it waits for.
    var pending: ReplyToken?
    /// It does nothing for a while, and may have lost everything without knowing.
    var isPaused = false
    /// An answer was lost or an error: the next heartbeat says everything, and is told everything.
    var isUnsure = false
    /// It was answered since it last was paused: what it believes counts.
    var isTrusted = false
    /// When it sent the heartbeat that it waits for.
    var asked: Int64 = 0
    /// When it may have been asked first to give up what it still has. The coordinator waits for
    /// the rebalance timeout from then on, even if the member never saw that answer.
    var revokesSince: Int64?

    init(name: String, isClassic: Bool) {
        self.name = name
        self.isClassic = isClassic
        id = isClassic ? "" : name
    }

    mutating func lose() {
        owned = PartitionSet()
        place = .out
        revokesSince = nil
    }

    /// The answer was lost, or said that what it tells could not be written down.
    mutating func missAnswer() {
        isUnsure = true
        if case .stable = place, revokesSince == nil { revokesSince = asked }
    }

    /// Whether the coordinator may still believe that it has what it believes to have.
    func mayOwn(at time: Int64) -> Bool {
        guard isTrusted, !isPaused else { return false }
        guard let revokesSince else { return true }
        return time - revokesSince < Int64(Self.rebalanceTimeoutMilliseconds) * 1_000_000
    }

    static let rebalanceTimeoutMilliseconds: Int32 = 30_000

    // MARK: What it sends

    static let topics = ["t", "u"]

    func heartbeat(_ group: String) -> ConsumerHeartbeatCall {
        guard case .stable = place else {
            return ConsumerHeartbeatCall(
                group: group, memberID: id, memberEpoch: 0, clientID: name,
                rebalanceTimeoutMilliseconds: Self.rebalanceTimeoutMilliseconds,
                topics: Self.topics, owned: [])
        }
        guard isUnsure else {
            return ConsumerHeartbeatCall(
                group: group, memberID: id, memberEpoch: epoch, clientID: name, owned: owned.all)
        }
        return ConsumerHeartbeatCall(
            group: group, memberID: id, memberEpoch: epoch, clientID: name,
            rebalanceTimeoutMilliseconds: Self.rebalanceTimeoutMilliseconds, topics: Self.topics,
            owned: owned.all)
    }

    func join(_ group: String) -> JoinCall {
        var writer = ByteWriter()
        writer.int16(1)
        ConsumerProtocolSubscription(topics: Self.topics).write(to: &writer, version: 1)
        return JoinCall(
            group: group, memberID: id, clientID: name, sessionTimeout: .seconds(10),
            rebalanceTimeout: .seconds(20), protocolType: "consumer",
            protocols: [MemberProtocol(name: "range", metadata: writer.finish())])
    }

    func claim(_ group: String) -> MemberClaim {
        MemberClaim(group: group, generation: epoch, memberID: id)
    }

    /// A leader gives partition n to member n modulo their number.
    func sync(_ group: String, members: [String], counts: [(String, Int32)]) -> SyncCall {
        var call = SyncCall(claim: claim(group))
        let sorted = members.sorted()
        for (index, member) in sorted.enumerated() {
            var writer = ByteWriter()
            writer.int16(1)
            ConsumerProtocolAssignment(
                assignedPartitions: counts.map { name, count in
                    .init(
                        topic: name,
                        partitions: (0..<count).filter { Int($0) % sorted.count == index })
                }
            ).write(to: &writer, version: 1)
            call.assignments.append(
                SyncCall.Assignment(memberID: member, assignment: writer.finish()))
        }
        return call
    }

    // MARK: What it is answered

    mutating func take(_ reply: GroupReply, ids: [String: UUID128]) {
        switch reply {
        case .consumerHeartbeat(let answer): take(answer)
        case .join(let answer): take(answer)
        case .sync(let answer): take(answer, ids)
        case .heartbeat(let error): take(error)
        default: break
        }
    }

    private mutating func take(_ answer: ConsumerHeartbeatAnswer) {
        switch answer.error {
        case .none:
            let hadAll = owned.all
            epoch = answer.memberEpoch
            if let assignment = answer.assignment { owned = assignment }
            let mustRevoke = hadAll.contains { !owned.all.contains($0) }
            revokesSince = mustRevoke ? revokesSince ?? asked : nil
            place = .stable
            isUnsure = false
        case .coordinatorNotAvailable:
            missAnswer()
        default:
            lose()
        }
    }

    private mutating func take(_ answer: JoinAnswer) {
        switch answer.error {
        case .none:
            id = answer.memberID
            epoch = answer.generation
            place = .joined(members: answer.leader == id ? answer.members.map(\.id) : [])
        case .memberIdRequired: id = answer.memberID
        case .rebalanceInProgress, .coordinatorNotAvailable: break
        default: id = ""
        }
    }

    private mutating func take(_ answer: SyncAnswer, _ ids: [String: UUID128]) {
        guard answer.error == .none else {
            if answer.error == .unknownMemberId { id = "" }
            return lose()
        }
        var partitions: [AssignedPartition] = []
        var reader = ByteReader(answer.assignment)
        if let version = try? reader.int16(),
            let assignment = try? ConsumerProtocolAssignment(from: &reader, version: version)
        {
            for topic in assignment.assignedPartitions {
                guard let topicID = ids[topic.topic] else { continue }
                partitions += topic.partitions.map {
                    AssignedPartition(topicID: topicID, partition: $0)
                }
            }
        }
        owned = PartitionSet(partitions)
        place = .stable
    }

    private mutating func take(_ error: ErrorCode) {
        switch error {
        case .none, .coordinatorNotAvailable: break
        case .unknownMemberId:
            id = ""
            lose()
        default: lose()
        }
    }
}
