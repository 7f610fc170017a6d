import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct ConsumerRecoveryTests {
    private func settled() -> (GroupHarness, [TestConsumer]) {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        group.makeTopic("log.a", 1)
        var members = [TestConsumer("a"), TestConsumer("b", instance: "two"), TestConsumer("c")]
        members[2].topics = []
        members[2].regex = "log\\..*"
        for index in members.indices { group.join(&members[index]) }
        group.settle(&members)
        return (group, members)
    }

    /// What compaction leaves: of each key the last record, tombstones gone.
    private func compacted(_ log: [GroupRecord]) -> [GroupRecord] {
        var last: [Bytes: Int] = [:]
        for (index, record) in log.enumerated() { last[record.key] = index }
        return log.enumerated().filter { index, record in
            last[record.key] == index && record.value != nil
        }.map(\.element)
    }

    @Test func `a restart changes nothing, compacted or not`() throws {
        var (group, members) = settled()
        let before = try #require(group.coordinator.describeConsumerGroup("g"))
        for log in [group.log, compacted(group.log)] {
            var copy = group
            copy.log = log
            var fresh = try copy.restarted()
            #expect(fresh.coordinator.describeConsumerGroup("g") == before)
            for index in members.indices {
                #expect(fresh.beat(&members[index])?.error == ErrorCode.none)
                #expect(fresh.beat(&members[index])?.assignment == nil)
            }
            #expect(fresh.coordinator.describeConsumerGroup("g") == before)
        }
        _ = group
    }

    @Test func `sessions begin anew with a restart, and end`() throws {
        let (group, _) = settled()
        var fresh = try group.restarted()
        fresh.advance(44_000)
        #expect(fresh.coordinator.describeConsumerGroup("g")?.members.count == 3)
        fresh.advance(2_000)
        #expect(fresh.coordinator.describeConsumerGroup("g")?.state == "Empty")
    }

    @Test func `a half finished revocation goes on after a restart`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var a = TestConsumer("a")
        var b = TestConsumer("b")
        group.join(&a)
        group.join(&b)
        group.beat(&a)
        #expect(a.partitions().count == 2)
        var fresh = try group.restarted()
        #expect(fresh.beat(&b)?.assignment == nil, "not acknowledged yet")
        fresh.beat(&a)
        fresh.beat(&b)
        #expect(b.partitions().count == 2)
        #expect(!a.owned.intersects(b.owned))
    }

    @Test func `nothing is answered before it is durable`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 1)
        group.holdsAppends = true
        let call = ConsumerHeartbeatCall(
            group: "g", memberID: "a", memberEpoch: 0, rebalanceTimeoutMilliseconds: 1000,
            topics: ["t"], owned: [])
        let first = group.token()
        group.apply(group.coordinator.heartbeat(call, first, now: group.now))
        #expect(group.heartbeatAnswer(first) == nil)
        // One that changes nothing waits for what it rests on.
        let second = group.token()
        group.apply(
            group.coordinator.heartbeat(
                ConsumerHeartbeatCall(group: "g", memberID: "a", memberEpoch: 1), second,
                now: group.now))
        #expect(group.heartbeatAnswer(second) == nil)
        group.finishAppends()
        #expect(group.heartbeatAnswer(first)?.memberEpoch == 1)
        #expect(group.heartbeatAnswer(second)?.memberEpoch == 1)
    }

    @Test func `what the log refused is written with the next change`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 2)
        group.holdsAppends = true
        let token = group.token()
        group.apply(
            group.coordinator.heartbeat(
                ConsumerHeartbeatCall(
                    group: "g", memberID: "a", memberEpoch: 0, rebalanceTimeoutMilliseconds: 1000,
                    topics: ["t"], owned: []), token, now: group.now))
        group.finishAppends(failure: .coordinatorNotAvailable)
        #expect(group.heartbeatAnswer(token)?.error == .coordinatorNotAvailable)
        #expect(group.log.isEmpty)
        group.holdsAppends = false
        var a = TestConsumer("a")
        group.join(&a)
        let before = try #require(group.coordinator.describeConsumerGroup("g"))
        let fresh = try group.restarted()
        #expect(fresh.coordinator.describeConsumerGroup("g") == before)
    }

    @Test func `a deleted group leaves nothing in the log`() throws {
        var (group, members) = settled()
        _ = group.startCommit(member: "a", generation: members[0].epoch, [("t", 0, 1)])
        for member in members { group.leave(consumer: member) }
        members = []
        #expect(group.delete() == ErrorCode.none)
        #expect(compacted(group.log).isEmpty)
        #expect(try group.restarted().coordinator.groupCount == 0)
    }

    @Test func `large groups are written in batches that the log takes`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 100)
        group.holdsAppends = true
        var call = ConsumerHeartbeatCall(
            group: "g", memberID: "", memberEpoch: 0, rebalanceTimeoutMilliseconds: 1000,
            topics: (0..<4000).map { "topic-\($0)-" + String(repeating: "x", count: 200) },
            owned: [])
        for index in 0..<3 {
            call.memberID = "m\(index)"
            group.apply(group.coordinator.heartbeat(call, group.token(), now: group.now))
        }
        group.finishAppends(failure: .coordinatorNotAvailable)
        group.apply(
            group.coordinator.heartbeat(
                ConsumerHeartbeatCall(group: "g", memberID: "m0", memberEpoch: 1), group.token(),
                now: group.now))
        #expect(group.waitingAppends.count > 1)
        for append in group.waitingAppends {
            let bytes = append.records.reduce(0) { $0 + $1.key.count + ($1.value?.count ?? 0) }
            #expect(bytes < 3 << 20)
        }
    }

    @Test func `damaged records are refused, not believed`() {
        var random = Random(seed: 5)
        let (group, _) = settled()
        for record in group.log {
            guard let value = record.value else { continue }
            for _ in 0..<40 {
                var bytes = value.array
                bytes[random.below(bytes.count)] = UInt8(random.below(256))
                let cut = random.chance(1, in: 3) ? random.below(bytes.count) : bytes.count
                var coordinator = GroupCoordinator(random: Random(seed: 1))
                try? coordinator.replay(key: record.key, value: Bytes(Array(bytes[..<cut])))
                coordinator.finishReplay(now: group.now)
                coordinator.checkInvariants()
            }
        }
    }
}
