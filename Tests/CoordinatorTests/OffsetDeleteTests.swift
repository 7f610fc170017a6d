import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct OffsetDeleteTests {
    private func delete(
        _ group: inout GroupHarness, _ partitions: [(String, Int32)], in name: String = "g"
    ) -> OffsetDeleteAnswer? {
        let token = group.token()
        group.apply(
            group.coordinator.deleteOffsets(
                group: name,
                partitions.map { TopicPartition(topic: $0.0, partition: $0.1) }, token,
                now: group.now))
        guard case .offsetDelete(let answer) = group.replies[token.value] else { return nil }
        return answer
    }

    @Test func `single offsets of an empty group can be forgotten`() throws {
        var group = GroupHarness()
        _ = group.startCommit([("t", 0, 1), ("t", 1, 2)])
        let answer = delete(&group, [("t", 0), ("t", 7)])
        #expect(answer?.error == ErrorCode.none)
        #expect(answer?.errors == [.none, .none])
        #expect(group.offset("t", 0) == nil)
        #expect(group.offset("t", 1)?.offset == 2)
        #expect(try group.restarted().offset("t", 0) == nil)
        #expect(try group.restarted().offset("t", 1)?.offset == 2)
    }

    @Test func `offsets of a subscribed topic stay`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        _ = group.startCommit(
            member: members[0], generation: generation, [("t", 0, 1), ("u", 0, 1)])
        let answer = delete(&group, [("t", 0), ("u", 0)])
        #expect(answer?.errors == [.groupSubscribedToTopic, .none])
        #expect(group.offset("t", 0) != nil)
        #expect(group.offset("u", 0) == nil)
        var other = GroupHarness()
        other.makeTopic("t", 1)
        var a = TestConsumer("a")
        other.join(&a)
        _ = other.startCommit(member: "a", generation: a.epoch, [("t", 0, 1), ("u", 0, 1)])
        #expect(delete(&other, [("t", 0), ("u", 0)])?.errors == [.groupSubscribedToTopic, .none])
    }

    @Test func `unknown groups and groups of other languages are refused`() throws {
        var group = GroupHarness()
        #expect(delete(&group, [("t", 0)])?.error == .groupIdNotFound)
        let offered = [MemberProtocol(name: "x", metadata: .empty)]
        let id = try connectMember(&group, offered)
        _ = group.join(member: id, type: "connect", protocols: offered)
        #expect(delete(&group, [("t", 0)])?.error == .nonEmptyGroup)
    }

    @Test func `old clients keep offsets under the empty name`() {
        var group = GroupHarness()
        let token = group.startCommit(in: "", [("t", 0, 3)])
        #expect(group.commitErrors(token) == [.none])
        #expect(group.offset("t", 0, group: "")?.offset == 3)
        #expect(group.join("")?.error == .invalidGroupId)
    }
}
