import Base
import Coordinator
import Testing
import WireProtocol

/// What members of a group get, by assignor, through the coordinator.
@Suite struct AssignorTests {
    private func group(
        _ topics: [(String, Int32)], _ members: [TestConsumer]
    ) -> (GroupHarness, [TestConsumer]) {
        var group = GroupHarness()
        for (name, count) in topics { group.makeTopic(name, count) }
        var members = members
        for index in members.indices { group.join(&members[index]) }
        group.settle(&members)
        return (group, members)
    }

    private func member(_ id: String, _ topics: [String], _ assignor: String? = nil) -> TestConsumer
    {
        var member = TestConsumer(id)
        member.topics = topics
        member.assignor = assignor
        return member
    }

    @Test func `uniform differs by at most one`() {
        for count in [1, 2, 3, 5, 7] {
            let names = (0..<count).map { "m\($0)" }
            let (_, members) = group(
                [("t", 10), ("u", 7)], names.map { member($0, ["t", "u"]) })
            let loads = members.map(\.owned.count)
            #expect(loads.reduce(0, +) == 17)
            #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 1, "\(loads)")
        }
    }

    @Test func `uniform moves no more than it must`() {
        var (group, members) = group(
            [("t", 12)], ["a", "b", "c"].map { member($0, ["t"]) })
        let before = members.map(\.owned)
        var fourth = TestConsumer("d")
        group.join(&fourth)
        members.append(fourth)
        group.settle(&members)
        #expect(members.map(\.owned.count) == [3, 3, 3, 3])
        for (old, now) in zip(before, members) { #expect(now.owned.isSubset(of: old)) }
        group.leave(consumer: members.removeLast())
        let smaller = members.map(\.owned)
        group.settle(&members)
        #expect(members.map(\.owned.count) == [4, 4, 4])
        for (old, now) in zip(smaller, members) { #expect(old.isSubset(of: now.owned)) }
    }

    @Test func `uniform evens out different subscriptions`() {
        let (_, members) = group(
            [("t", 6), ("u", 6)],
            [member("a", ["t"]), member("b", ["t", "u"]), member("c", ["t", "u"])])
        #expect(members.map(\.owned.count) == [4, 4, 4])
        #expect(members[0].partitions("u").isEmpty)
    }

    @Test func `range cuts topics at the same places`() {
        let (_, members) = group(
            [("t", 5), ("u", 5)],
            ["a", "b", "c"].map { member($0, ["t", "u"], "range") })
        #expect(members.map { $0.partitions("t") } == [[0, 1], [2, 3], [4]])
        #expect(members.map { $0.partitions("u") } == [[0, 1], [2, 3], [4]])
    }

    @Test func `range puts static members first`() {
        var late = TestConsumer("z", instance: "1")
        late.assignor = "range"
        let (_, members) = group([("t", 4)], [member("a", ["t"], "range"), late])
        #expect(members.map { $0.partitions() } == [[2, 3], [0, 1]])
    }

    @Test func `the majority chooses the assignor`() {
        let (group, _) = group(
            [("t", 4)],
            [member("a", ["t"], "range"), member("b", ["t"], "range"), member("c", ["t"])])
        #expect(group.coordinator.describeConsumerGroup("g")?.assignor == "range")
    }

    @Test(arguments: 0..<40)
    func `nobody shares, nothing is lost, whatever happens`(seed: UInt64) {
        var random = Random(seed: seed)
        var group = GroupHarness()
        let topics = ["t", "u", "v"]
        for name in topics { group.makeTopic(name, Int32(random.within(1...9))) }
        var members: [TestConsumer] = []
        for step in 0..<60 {
            switch random.below(6) {
            case 0, 1:
                var member = TestConsumer("m\(step)")
                member.topics = topics.filter { _ in random.chance(2, in: 3) }
                member.assignor = random.chance(1, in: 3) ? "range" : nil
                group.join(&member)
                members.append(member)
            case 2:
                if members.isEmpty { continue }
                group.leave(consumer: members.remove(at: random.below(members.count)))
            case 3: group.makeTopic(topics[random.below(3)], Int32(random.within(1...12)))
            default:
                if members.isEmpty { continue }
                group.beat(&members[random.below(members.count)])
            }
        }
        if members.isEmpty { return }
        group.settle(&members)
        var seen: Set<AssignedPartition> = []
        for member in members {
            for partition in member.owned.all {
                #expect(seen.insert(partition).inserted)
                let names = member.topics ?? []
                #expect(names.contains { GroupHarness.topicID($0) == partition.topicID })
            }
        }
    }
}
