import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct ConsumerGroupTests {
    @Test func `the first member gets everything at once`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 3)
        var a = TestConsumer("a")
        let joined = group.join(&a)
        let answer = try #require(joined)
        #expect(answer.error == .none)
        #expect(answer.memberID == "a")
        #expect(answer.memberEpoch == 1)
        #expect(answer.heartbeatInterval == .seconds(5))
        #expect(a.partitions() == [0, 1, 2])
        let described = try #require(group.coordinator.describeConsumerGroup("g"))
        #expect(described.state == "Stable")
        #expect(described.epoch == 1)
        #expect(described.assignmentEpoch == 1)
        #expect(described.assignor == "uniform")
        #expect(described.members[0].assigned == described.members[0].target)
        #expect(described.members[0].assigned[0].name == "t")
    }

    @Test func `an unchanged assignment is not repeated unless everything was asked for`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        var a = TestConsumer("a")
        group.join(&a)
        #expect(group.beat(&a)?.assignment == nil)
        let full = group.heartbeat(
            ConsumerHeartbeatCall(
                group: "g", memberID: "a", memberEpoch: 1, rebalanceTimeoutMilliseconds: 60_000,
                topics: ["t"], owned: a.owned.all))
        #expect(full?.assignment == a.owned)
        #expect(full?.memberEpoch == 1)
    }

    @Test func `partitions are given back before anybody else gets them`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var a = TestConsumer("a")
        var b = TestConsumer("b")
        group.join(&a)
        group.join(&b)
        #expect(b.epoch == 2)
        #expect(b.partitions().isEmpty, "they are still with the other")
        #expect(group.coordinator.describeConsumerGroup("g")?.state == "Reconciling")
        let before = a.owned
        let reply = group.beat(&a)
        let told = try #require(reply)
        #expect(told.memberEpoch == 1, "the member stays in its epoch until it gave back")
        #expect(told.assignment?.count == 2)
        #expect(try #require(told.assignment).isSubset(of: before))
        #expect(group.beat(&b)?.assignment == nil)
        // Silence about what it owns is no acknowledgement.
        #expect(group.beat(&a, reports: false)?.memberEpoch == 1)
        #expect(group.beat(&b)?.assignment == nil)
        #expect(group.beat(&a)?.memberEpoch == 2)
        #expect(group.beat(&b)?.assignment?.count == 2)
        #expect(!a.owned.intersects(b.owned))
        #expect(group.coordinator.describeConsumerGroup("g")?.state == "Stable")
    }

    @Test func `what a member leaves behind goes to the others`() {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var members = [TestConsumer("a"), TestConsumer("b")]
        for index in members.indices { group.join(&members[index]) }
        group.settle(&members)
        #expect(group.leave(consumer: members.removeLast()) == ErrorCode.none)
        #expect(group.coordinator.describeConsumerGroup("g")?.state == "Assigning")
        group.settle(&members)
        #expect(members[0].partitions() == [0, 1, 2, 3])
        #expect(group.leave(consumer: members[0]) == ErrorCode.none)
        #expect(group.coordinator.describeConsumerGroup("g")?.state == "Empty")
        #expect(group.coordinator.list().map(\.type) == ["consumer"])
    }

    @Test func `a silent member is fenced after its session`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 2)
        var a = TestConsumer("a")
        var b = TestConsumer("b")
        group.join(&a)
        group.join(&b)
        for _ in 0..<10 {
            group.advance(4_600)
            group.beat(&b)
        }
        #expect(group.coordinator.describeConsumerGroup("g")?.members.map(\.id) == ["b"])
        group.beat(&b)
        #expect(b.partitions() == [0, 1])
        #expect(group.beat(&a)?.error == .unknownMemberId)
        group.join(&a)
        #expect(a.epoch > 0)
    }

    @Test func `who does not give back in time is fenced`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 2)
        var a = TestConsumer("a")
        var b = TestConsumer("b")
        a.rebalance = 12_000
        group.join(&a)
        group.join(&b)
        group.beat(&a)
        let stuck = a.epoch
        for _ in 0..<5 {
            group.advance(3_000)
            _ = group.heartbeat(
                ConsumerHeartbeatCall(group: "g", memberID: "a", memberEpoch: stuck))
            group.beat(&b)
        }
        #expect(group.coordinator.describeConsumerGroup("g")?.members.map(\.id) == ["b"])
        #expect(group.beat(&a)?.error == .unknownMemberId)
        group.beat(&b)
        #expect(b.partitions() == [0, 1])
    }

    @Test func `epochs fence members that missed something`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var members = [TestConsumer("a"), TestConsumer("b")]
        for index in members.indices { group.join(&members[index]) }
        group.settle(&members)
        var late = members[0]
        let epoch = late.epoch
        late.epoch = epoch + 1
        #expect(group.beat(&late)?.error == .fencedMemberEpoch)
        late.epoch = epoch - 1
        late.owned = PartitionSet([
            AssignedPartition(topicID: GroupHarness.topicID("t"), partition: 99)
        ])
        #expect(group.beat(&late)?.error == .fencedMemberEpoch, "owns what it was not given")
        // The answer that raised the epoch was lost: the member still sends the one before.
        var again = members[0]
        again.epoch = epoch - 1
        #expect(group.beat(&again)?.memberEpoch == epoch)
        #expect(group.join(&again)?.error == ErrorCode.none, "joining again is always possible")
    }

    @Test func `requests without what they need are refused`() {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        func error(_ change: (inout ConsumerHeartbeatCall) -> Void) -> ErrorCode? {
            var call = ConsumerHeartbeatCall(
                group: "g", memberID: "a", memberEpoch: 0, rebalanceTimeoutMilliseconds: 1000,
                topics: ["t"], owned: [])
            change(&call)
            return group.heartbeat(call)?.error
        }
        #expect(error { $0.group = "" } == .invalidRequest)
        #expect(error { $0.memberID = "" } == .invalidRequest)
        #expect(error { $0.instanceID = "" } == .invalidRequest)
        #expect(error { $0.rackID = "" } == .invalidRequest)
        #expect(error { $0.rebalanceTimeoutMilliseconds = -1 } == .invalidRequest)
        #expect(error { $0.topics = nil } == .invalidRequest)
        #expect(error { $0.owned = nil } == .invalidRequest)
        #expect(error { $0.memberEpoch = -3 } == .invalidRequest)
        #expect(error { $0.memberEpoch = -2 } == .invalidRequest)
        #expect(error { $0.assignor = "best" } == .unsupportedAssignor)
        #expect(error { $0.regex = "(" } == .invalidRegularExpression)
        #expect(error { $0.memberEpoch = 1 } == .groupIdNotFound)
        #expect(error { $0.memberEpoch = -1 } == .groupIdNotFound)
        #expect(group.coordinator.groupCount == 0, "nothing is left of refused requests")
        #expect(error { _ in } == ErrorCode.none)
        #expect(
            error {
                $0.memberID = "b"; $0.memberEpoch = 1
            } == .unknownMemberId)
        #expect(
            error {
                $0.memberID = "b"; $0.memberEpoch = -1
            } == .unknownMemberId)
    }

    @Test func `version 0 is given an id`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        var call = ConsumerHeartbeatCall(
            group: "g", memberID: "", memberEpoch: 0, rebalanceTimeoutMilliseconds: 1000,
            topics: ["t"], owned: [])
        call.bringsItsID = false
        let joined = group.heartbeat(call)
        let id = try #require(joined?.memberID)
        #expect(!id.isEmpty)
        #expect(group.coordinator.describeConsumerGroup("g")?.members.map(\.id) == [id])
    }

    @Test func `a full group takes nobody else`() {
        var group = GroupHarness { $0.consumerMembersMax = 1 }
        group.makeTopic("t", 1)
        var a = TestConsumer("a")
        var b = TestConsumer("b")
        group.join(&a)
        #expect(group.join(&b)?.error == .groupMaxSizeReached)
        #expect(group.beat(&a)?.error == ErrorCode.none)
    }

    // MARK: Topics and patterns

    @Test func `a topic that grows or appears is assigned`() {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        var a = TestConsumer("a")
        a.topics = ["later", "t"]
        group.join(&a)
        #expect(a.partitions() == [0])
        group.makeTopic("t", 3)
        group.beat(&a)
        #expect(a.partitions() == [0, 1, 2])
        let epoch = a.epoch
        group.makeTopic("other", 3)
        group.beat(&a)
        #expect(a.epoch == epoch, "nobody reads it")
        group.makeTopic("later", 2)
        group.beat(&a)
        #expect(a.partitions("later") == [0, 1])
    }

    @Test func `a deleted topic is taken away`() {
        var group = GroupHarness()
        group.makeTopic("t", 2)
        group.makeTopic("u", 1)
        var members = [TestConsumer("a")]
        members[0].topics = ["t", "u"]
        group.join(&members[0])
        group.apply(group.coordinator.topicDeleted("t", now: group.now))
        group.settle(&members)
        #expect(members[0].partitions("t").isEmpty)
        #expect(members[0].partitions("u") == [0])
    }

    @Test func `a pattern finds topics, also those that come later`() {
        var group = GroupHarness()
        group.makeTopic("orders.eu", 1)
        group.makeTopic("payments", 1)
        var a = TestConsumer("a")
        a.topics = []
        a.regex = "^orders\\..*"
        group.join(&a)
        #expect(a.partitions("orders.eu") == [0])
        #expect(a.partitions("payments").isEmpty)
        group.makeTopic("orders.us", 2)
        group.beat(&a)
        // Found at once: the pattern was not evaluated for changed topics before.
        #expect(a.partitions("orders.us") == [0, 1])
        group.makeTopic("orders.asia", 1)
        group.beat(&a)
        #expect(a.partitions("orders.asia").isEmpty, "not more often than every ten seconds")
        group.advance(10_000)
        group.beat(&a)
        #expect(a.partitions("orders.asia") == [0])
        let cleared = group.heartbeat(
            ConsumerHeartbeatCall(
                group: "g", memberID: "a", memberEpoch: a.epoch, topics: ["payments"], regex: "",
                owned: a.owned.all))
        #expect(cleared?.error == ErrorCode.none)
        var members = [a]
        members[0].take(cleared ?? ConsumerHeartbeatAnswer(error: .unknownServerError))
        group.settle(&members)
        #expect(members[0].partitions("payments") == [0])
        #expect(members[0].owned.count == 1)
    }

    @Test func `a pattern finds only topics that its member may describe`() {
        var group = GroupHarness()
        group.makeTopic("orders.eu", 1)
        group.makeTopic("orders.us", 1)
        var members = [TestConsumer("a")]
        members[0].topics = []
        members[0].regex = "orders\\..*"
        members[0].mayDescribe = { $0 != "orders.us" }
        group.join(&members[0])
        #expect(members[0].partitions("orders.eu") == [0])
        #expect(members[0].partitions("orders.us").isEmpty)
        // New permissions count when topics change, and every ten minutes.
        members[0].mayDescribe = { $0 != "orders.eu" }
        group.settle(&members)
        #expect(members[0].partitions("orders.eu") == [0])
        group.makeTopic("orders.asia", 2)
        group.settle(&members)
        #expect(members[0].partitions("orders.eu").isEmpty)
        #expect(members[0].partitions("orders.us") == [0])
        #expect(members[0].partitions("orders.asia") == [0, 1])
        members[0].mayDescribe = { $0 == "orders.eu" }
        for _ in 0..<29 {
            group.advance(20_000)
            group.beat(&members[0])
        }
        #expect(members[0].owned.count == 3, "not yet")
        group.advance(20_000)
        group.settle(&members)
        #expect(members[0].partitions("orders.eu") == [0])
        #expect(members[0].owned.count == 1)
    }

    @Test func `a classic member leaves patterns to the others`() {
        var group = GroupHarness()
        group.makeTopic("orders.eu", 2)
        var a = TestConsumer("a")
        a.topics = []
        a.regex = "orders\\..*"
        group.join(&a)
        #expect(a.partitions("orders.eu") == [0, 1])
        let token = group.startJoin(protocols: [subscription("range", ["other"])])
        #expect(group.joinAnswer(token)?.error == .memberIdRequired)
        group.makeTopic("orders.us", 1)
        let id = group.joinAnswer(token)?.memberID ?? ""
        _ = group.startJoin(member: id, protocols: [subscription("range", ["other"])])
        #expect(group.beat(&a)?.error == ErrorCode.none)
        #expect(a.partitions("orders.us") == [0])
    }

    // MARK: Static members

    @Test func `a static member that goes for a moment keeps its place`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var members = [TestConsumer("a", instance: "one"), TestConsumer("b", instance: "two")]
        for index in members.indices { group.join(&members[index]) }
        group.settle(&members)
        let mine = members[0].owned
        let epoch = try #require(group.coordinator.describeConsumerGroup("g")?.epoch)
        var early = TestConsumer("a2", instance: "one")
        #expect(group.join(&early)?.error == .unreleasedInstanceId)
        #expect(group.leave(consumer: members[0], epoch: -2) == ErrorCode.none)
        #expect(group.join(&early)?.assignment == mine)
        #expect(group.coordinator.describeConsumerGroup("g")?.epoch == epoch, "no rebalance")
        #expect(group.beat(&members[0])?.error == .fencedInstanceId)
        #expect(group.leave(consumer: members[0]) == .fencedInstanceId)
    }

    @Test func `a static member that stays away loses its place`() {
        var group = GroupHarness()
        group.makeTopic("t", 2)
        var a = TestConsumer("a", instance: "one")
        var b = TestConsumer("b")
        group.join(&a)
        group.join(&b)
        group.leave(consumer: a, epoch: -2)
        for _ in 0..<10 {
            group.advance(5_000)
            group.beat(&b)
        }
        group.beat(&b)
        #expect(b.partitions() == [0, 1])
        var unknown = a
        unknown.epoch = 5
        #expect(group.beat(&unknown)?.error == .unknownMemberId)
    }

    // MARK: Offsets

    @Test func `commits carry the member epoch`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        var a = TestConsumer("a")
        group.join(&a)
        func commit(_ member: String, _ epoch: Int32, new: Bool = true) -> ErrorCode? {
            let token = group.startCommit(
                member: member, generation: epoch, [("t", 0, 5)], newCodes: new)
            return group.commitErrors(token)?.first
        }
        #expect(commit("a", a.epoch) == ErrorCode.none)
        #expect(commit("a", a.epoch - 1) == .staleMemberEpoch)
        #expect(commit("b", a.epoch) == .unknownMemberId)
        #expect(commit("", -1) == .unknownMemberId)
        #expect(commit("a", a.epoch, new: false) == .unsupportedVersion)
        let coordinator = group.coordinator
        #expect(coordinator.refusalOfFetch(group: "g", memberID: "a", epoch: a.epoch) == nil)
        #expect(coordinator.refusalOfFetch(group: "g", memberID: nil, epoch: -1) == nil)
        #expect(
            coordinator.refusalOfFetch(group: "g", memberID: "a", epoch: 0) == .staleMemberEpoch)
        #expect(coordinator.refusalOfFetch(group: "g", memberID: "x", epoch: 1) == .unknownMemberId)
        #expect(group.delete() == .nonEmptyGroup)
        group.leave(consumer: a)
        #expect(commit("", -1) == ErrorCode.none, "an empty group is open to administrators")
        #expect(group.delete() == ErrorCode.none)
        #expect(group.coordinator.groupCount == 0)
    }

    @Test func `offsets of what nobody reads expire`() {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        group.makeTopic("u", 1)
        var a = TestConsumer("a")
        a.topics = ["t", "u"]
        group.join(&a)
        _ = group.startCommit(member: "a", generation: a.epoch, [("t", 0, 5), ("u", 0, 6)])
        _ = group.heartbeat(
            ConsumerHeartbeatCall(
                group: "g", memberID: "a", memberEpoch: a.epoch, topics: ["t"], owned: []))
        for _ in 0..<(8 * 24 * 120) {
            group.advance(30_000)
            a.epoch = group.coordinator.describeConsumerGroup("g")?.members.first?.epoch ?? 0
            group.beat(&a, reports: false)
        }
        #expect(group.offset("t", 0)?.offset == 5)
        #expect(group.offset("u", 0) == nil)
    }

    // MARK: Settings

    @Test func `a group may have times of its own`() {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        var timing = GroupTiming()
        timing.heartbeatInterval = .seconds(9)
        timing.sessionTimeout = .seconds(50)
        group.coordinator.configure("g", timing)
        var a = TestConsumer("a")
        #expect(group.join(&a)?.heartbeatInterval == .seconds(9))
        group.advance(49_000)
        #expect(group.coordinator.describeConsumerGroup("g")?.members.count == 1)
        group.advance(2_000)
        #expect(group.coordinator.describeConsumerGroup("g")?.members.count == 0)
    }
}
