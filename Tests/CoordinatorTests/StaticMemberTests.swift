import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct StaticMemberTests {
    private func stableStaticGroup(
        _ group: inout GroupHarness, session: Int64 = 10_000
    ) throws -> (String, String) {
        let a = group.startJoin(instance: "one", session: session)
        let first = try #require(group.joinAnswer(a))
        #expect(first.error == .none)
        #expect(first.memberID.hasPrefix("one-"))
        let b = group.startJoin(instance: "two", session: session)
        let again = group.startJoin(member: first.memberID, instance: "one", session: session)
        let second = try #require(group.joinAnswer(b))
        #expect(group.joinAnswer(again)?.generation == 2)
        _ = group.startSync(
            member: first.memberID, generation: 2, instance: "one",
            assign: [(first.memberID, "a"), (second.memberID, "b")])
        _ = group.startSync(member: second.memberID, generation: 2, instance: "two")
        return (first.memberID, second.memberID)
    }

    @Test func `a restarted follower takes its place without a rebalance`() throws {
        var group = GroupHarness()
        let (leader, follower) = try stableStaticGroup(&group)
        let restarted = group.startJoin(
            instance: "two", protocols: [subscription("range", ["t"], extra: 9)])
        let answer = try #require(group.joinAnswer(restarted))
        #expect(answer.error == .none)
        #expect(answer.memberID != follower)
        #expect(answer.generation == 2)
        #expect(answer.leader == leader)
        #expect(group.coordinator.describe("g")?.state == "Stable")
        let sync = group.startSync(member: answer.memberID, generation: 2, instance: "two")
        #expect(group.syncAnswer(sync)?.assignment == Bytes(utf8: "b"))
        #expect(
            group.heartbeat(member: follower, generation: 2, instance: "two") == .fencedInstanceId)
    }

    @Test func `a restarted leader is told to skip the assignment`() throws {
        var group = GroupHarness()
        let (leader, _) = try stableStaticGroup(&group)
        let restarted = group.startJoin(instance: "one")
        let answer = try #require(group.joinAnswer(restarted))
        #expect(answer.skipAssignment)
        #expect(answer.leader == answer.memberID)
        #expect(answer.members.count == 2)
        let old = group.startJoin(instance: "one", canSkip: false)
        #expect(group.joinAnswer(old)?.leader == answer.memberID)
        #expect(group.joinAnswer(old)?.leader != group.joinAnswer(old)?.memberID)
        #expect(group.heartbeat(member: leader, generation: 2) == .unknownMemberId)
    }

    @Test func `other topics after a restart rebalance the group`() throws {
        var group = GroupHarness()
        _ = try stableStaticGroup(&group)
        let restarted = group.startJoin(
            instance: "two", protocols: [subscription("range", ["t", "u"])])
        #expect(group.joinAnswer(restarted) == nil)
        #expect(group.coordinator.describe("g")?.state == "PreparingRebalance")
    }

    @Test func `the old request is fenced when the instance joins again`() throws {
        var group = GroupHarness(delay: .seconds(3))
        let first = group.startJoin(instance: "one")
        let second = group.startJoin(instance: "one")
        #expect(group.joinAnswer(first)?.error == .fencedInstanceId)
        group.advance(10_000)
        #expect(group.joinAnswer(second)?.error == ErrorCode.none)
    }

    @Test func `a static member that is away keeps its place until its session ends`() throws {
        var group = GroupHarness()
        let (leader, follower) = try stableStaticGroup(&group, session: 120_000)
        let rejoin = group.startJoin(
            member: leader, instance: "one", session: 120_000, rebalance: 30_000)
        group.advance(60_000)
        #expect(group.joinAnswer(rejoin)?.members.map(\.id) == [leader, follower])
    }

    @Test func `static members leave by their instance id`() throws {
        var group = GroupHarness()
        let (_, follower) = try stableStaticGroup(&group)
        let answer = group.leave(
            "g",
            [
                LeaveCall.Member(memberID: "", instanceID: "two"),
                LeaveCall.Member(memberID: "", instanceID: "three"),
                LeaveCall.Member(memberID: follower, instanceID: "one"),
            ])
        #expect(
            answer?.members.map(\.error) == [.none, .unknownMemberId, .fencedInstanceId])
    }
}
