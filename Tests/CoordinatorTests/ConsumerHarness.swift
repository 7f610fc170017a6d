import Base
import Coordinator
import Testing
import WireProtocol

/// A member of the consumer protocol as a client plays it: it reports what it owns and gives back
/// what its assignment no longer has.
struct TestConsumer {
    var id: String
    var instance: String?
    var epoch: Int32 = 0
    var owned = PartitionSet()
    var topics: [String]? = ["t"]
    var regex: String?
    var assignor: String?
    var rebalance: Int32 = 60_000
    /// Which topics it may know of; nil: all.
    var mayDescribe: (@Sendable (String) -> Bool)?

    init(_ id: String, instance: String? = nil) {
        self.id = id
        self.instance = instance
    }
}

extension GroupHarness {
    static func topicID(_ name: String) -> UUID128 {
        UUID128(high: 1, low: name.utf8.reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func makeTopic(_ name: String, _ partitions: Int32) {
        topics.removeAll { $0.name == name }
        topics.append((name, partitions))
        coordinator.topicChanged(name, id: Self.topicID(name), partitionCount: partitions)
    }

    mutating func heartbeat(_ call: ConsumerHeartbeatCall) -> ConsumerHeartbeatAnswer? {
        let token = token()
        apply(coordinator.heartbeat(call, token, now: now))
        return heartbeatAnswer(token)
    }

    func heartbeatAnswer(_ token: ReplyToken) -> ConsumerHeartbeatAnswer? {
        guard case .consumerHeartbeat(let answer) = replies[token.value] else { return nil }
        return answer
    }

    /// Joins, or joins again.
    @discardableResult
    mutating func join(
        _ consumer: inout TestConsumer, _ group: String = "g"
    ) -> ConsumerHeartbeatAnswer? {
        consumer.epoch = 0
        consumer.owned = PartitionSet()
        let answer = heartbeat(
            ConsumerHeartbeatCall(
                group: group, memberID: consumer.id, memberEpoch: 0,
                instanceID: consumer.instance, clientID: "app", clientHost: "/127.0.0.1",
                rebalanceTimeoutMilliseconds: consumer.rebalance, topics: consumer.topics,
                regex: consumer.regex, assignor: consumer.assignor, owned: [],
                mayDescribe: consumer.mayDescribe))
        if let answer, answer.error == .none { consumer.take(answer) }
        return answer
    }

    /// One ordinary heartbeat: what the member owns, nothing else.
    @discardableResult
    mutating func beat(
        _ consumer: inout TestConsumer, _ group: String = "g", reports: Bool = true
    ) -> ConsumerHeartbeatAnswer? {
        let answer = heartbeat(
            ConsumerHeartbeatCall(
                group: group, memberID: consumer.id, memberEpoch: consumer.epoch,
                instanceID: consumer.instance, clientID: "app", clientHost: "/127.0.0.1",
                owned: reports ? consumer.owned.all : nil, mayDescribe: consumer.mayDescribe))
        if let answer, answer.error == .none { consumer.take(answer) }
        return answer
    }

    @discardableResult
    mutating func leave(
        consumer: TestConsumer, _ group: String = "g", epoch: Int32 = -1
    ) -> ErrorCode? {
        heartbeat(
            ConsumerHeartbeatCall(
                group: group, memberID: consumer.id, memberEpoch: epoch,
                instanceID: consumer.instance))?.error
    }

    /// Heartbeats of all until nothing changes any more. Fails when that never happens.
    mutating func settle(_ consumers: inout [TestConsumer], _ group: String = "g") {
        for _ in 0..<20 {
            let before = consumers.map { ($0.epoch, $0.owned) }
            for index in consumers.indices { beat(&consumers[index], group) }
            func equal(_ a: (Int32, PartitionSet), _ b: TestConsumer) -> Bool {
                a.0 == b.epoch && a.1 == b.owned
            }
            if zip(before, consumers).allSatisfy(equal),
                coordinator.describeConsumerGroup(group)?.state == "Stable"
            {
                return
            }
        }
        Issue.record("the group never settles")
    }
}

extension TestConsumer {
    mutating func take(_ answer: ConsumerHeartbeatAnswer) {
        epoch = answer.memberEpoch
        if let assignment = answer.assignment { owned = assignment }
    }

    /// The numbers of the partitions of one topic.
    func partitions(_ topic: String = "t") -> [Int32] {
        owned.byTopic.first { $0.topicID == GroupHarness.topicID(topic) }?.partitions ?? []
    }
}

/// The id of a new member of another protocol type.
func connectMember(_ group: inout GroupHarness, _ protocols: [MemberProtocol]) throws -> String {
    let token = group.startJoin(type: "connect", protocols: protocols)
    return try #require(group.joinAnswer(token)).memberID
}
