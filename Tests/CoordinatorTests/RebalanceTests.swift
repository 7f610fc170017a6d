import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct RebalanceTests {
    @Test func `a new member gets an id, joins with it, assigns and is stable`() throws {
        var group = GroupHarness()
        let id = try group.newMember()
        #expect(id.hasPrefix("app-"))
        let joined = group.startJoin(member: id)
        let answer = try #require(group.joinAnswer(joined))
        #expect(answer.error == .none)
        #expect(answer.generation == 1)
        #expect(answer.leader == id)
        #expect(answer.protocolName == "range")
        #expect(answer.protocolType == "consumer")
        #expect(answer.members.map(\.id) == [id])
        let synced = group.startSync(member: id, generation: 1, assign: [(id, "mine")])
        #expect(group.syncAnswer(synced)?.assignment == Bytes(utf8: "mine"))
        #expect(group.coordinator.describe("g")?.state == "Stable")
        #expect(group.heartbeat(member: id, generation: 1) == ErrorCode.none)
        #expect(group.log.count == 1)
    }

    @Test func `older versions join without asking for an id first`() throws {
        var group = GroupHarness()
        let joined = group.join(mustKnowItsID: false)
        let answer = try #require(joined)
        #expect(answer.error == .none)
        #expect(answer.leader == answer.memberID)
    }

    @Test func `the first generation waits for more members and is extended once they come`()
        throws
    {
        var group = GroupHarness(delay: .seconds(3))
        let first = try group.newMember()
        let a = group.startJoin(member: first)
        group.advance(2000)
        let second = try group.newMember()
        let b = group.startJoin(member: second)
        group.advance(1500)
        #expect(group.joinAnswer(a) == nil)
        group.advance(3000)
        #expect(group.joinAnswer(a)?.members.count == 2)
        #expect(group.joinAnswer(b)?.members.isEmpty == true)
        #expect(group.joinAnswer(b)?.generation == 1)
    }

    @Test func `a second member makes the first rejoin, and both get their share`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        let newcomer = try group.newMember()
        let joining = group.startJoin(member: newcomer)
        #expect(group.joinAnswer(joining) == nil)
        #expect(
            group.heartbeat(member: members[0], generation: generation) == .rebalanceInProgress)
        let rejoin = group.startJoin(member: members[0])
        let leader = try #require(group.joinAnswer(rejoin))
        #expect(leader.generation == generation + 1)
        #expect(leader.members.map(\.id) == [members[0], newcomer])
        #expect(group.joinAnswer(joining)?.leader == members[0])
        let waiting = group.startSync(member: newcomer, generation: generation + 1)
        #expect(group.syncAnswer(waiting) == nil)
        _ = group.startSync(
            member: members[0], generation: generation + 1,
            assign: [(members[0], "a"), (newcomer, "b")])
        #expect(group.syncAnswer(waiting)?.assignment == Bytes(utf8: "b"))
    }

    @Test func `members left out of the assignment get nothing`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        let changed = [subscription("range", ["t", "u"])]
        let b = group.startJoin(member: members[1], protocols: changed)
        let a = group.startJoin(member: members[0])
        #expect(group.joinAnswer(b)?.generation == generation + 1)
        #expect(group.joinAnswer(a)?.generation == generation + 1)
        let sync = group.startSync(member: members[1], generation: generation + 1)
        _ = group.startSync(
            member: members[0], generation: generation + 1, assign: [(members[0], "all")])
        #expect(group.syncAnswer(sync)?.assignment.isEmpty == true)
    }

    @Test func `a silent member is taken over after its session`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        for _ in 0..<4 {
            group.advance(3000)
            let error = group.heartbeat(member: members[0], generation: generation)
            #expect(error == ErrorCode.none || error == .rebalanceInProgress)
        }
        #expect(group.coordinator.describe("g")?.members.map(\.id) == [members[0]])
        let rejoin = group.startJoin(member: members[0])
        #expect(group.joinAnswer(rejoin)?.generation == generation + 1)
        #expect(group.joinAnswer(rejoin)?.members.count == 1)
        #expect(group.heartbeat(member: members[1], generation: generation) == .unknownMemberId)
    }

    @Test func `who leaves is replaced at once`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        let answer = group.leave("g", [LeaveCall.Member(memberID: members[0])])
        #expect(answer?.members.map(\.error) == [ErrorCode.none])
        #expect(
            group.heartbeat(member: members[1], generation: generation) == .rebalanceInProgress)
        let rejoin = group.startJoin(member: members[1])
        #expect(group.joinAnswer(rejoin)?.leader == members[1])
    }

    @Test func `a member that does not rejoin in time is dropped`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2, session: 1_000_000)
        let changed = [subscription("range", ["u"])]
        let rejoin = group.startJoin(
            member: members[0], protocols: changed, session: 1_000_000, rebalance: 60_000)
        #expect(group.joinAnswer(rejoin) == nil)
        group.advance(60_000)
        #expect(group.joinAnswer(rejoin)?.generation == generation + 1)
        #expect(group.joinAnswer(rejoin)?.members.map(\.id) == [members[0]])
    }

    @Test func `a member that never asks for its assignment is dropped`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2, session: 1_000_000)
        let changed = [subscription("range", ["u"])]
        let b = group.startJoin(member: members[1], protocols: changed, session: 1_000_000)
        let a = group.startJoin(member: members[0], session: 1_000_000)
        #expect(group.joinAnswer(a)?.generation == generation + 1)
        #expect(group.joinAnswer(b)?.generation == generation + 1)
        let sync = group.startSync(member: members[1], generation: generation + 1)
        group.advance(60_001)
        #expect(group.syncAnswer(sync)?.error == .rebalanceInProgress)
        #expect(group.coordinator.describe("g")?.members.map(\.id) == [members[1]])
    }

    @Test func `an expected member that stays away does not hold up the group for ever`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        let changed = [subscription("range", ["u"])]
        _ = try group.newMember()
        let rejoin = group.startJoin(member: members[0], protocols: changed)
        #expect(group.joinAnswer(rejoin) == nil)
        group.advance(10_001)
        #expect(group.joinAnswer(rejoin)?.generation == generation + 1)
    }

    @Test func `the group is empty after the last member left, and starts again`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        _ = group.leave("g", [LeaveCall.Member(memberID: members[0])])
        #expect(group.coordinator.describe("g")?.state == "Empty")
        let next = try group.newMember()
        let answer1 = group.join(member: next)
        #expect(answer1?.generation == generation + 2)
    }

    @Test func `the protocol that most members prefer among the common ones wins`() throws {
        var group = GroupHarness(delay: .seconds(3))
        let both = [subscription("range", ["t"]), subscription("sticky", ["t"])]
        let flipped = [both[1], both[0]]
        var joins: [ReplyToken] = []
        for list in [both, flipped, flipped] {
            let id = try group.newMember()
            joins.append(group.startJoin(member: id, protocols: list))
        }
        group.advance(10_000)
        #expect(joins.map { group.joinAnswer($0)?.protocolName } == ["sticky", "sticky", "sticky"])
        let odd = group.startJoin(protocols: [subscription("other", ["t"])])
        #expect(group.joinAnswer(odd)?.error == .inconsistentGroupProtocol)
        let foreign = group.startJoin(type: "connect")
        #expect(group.joinAnswer(foreign)?.error == .inconsistentGroupProtocol)
    }

    @Test func `a rejoin with nothing new gets the current generation`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        let again = group.startJoin(member: members[1])
        #expect(group.joinAnswer(again)?.generation == generation)
        #expect(group.joinAnswer(again)?.members.isEmpty == true)
        #expect(group.coordinator.describe("g")?.state == "Stable")
        _ = group.startJoin(member: members[0])
        #expect(group.coordinator.describe("g")?.state == "PreparingRebalance")
    }

    @Test func `the assignment is handed out only when it is durable`() throws {
        var group = GroupHarness()
        let id = try group.newMember()
        _ = group.startJoin(member: id)
        group.holdsAppends = true
        let sync = group.startSync(member: id, generation: 1, assign: [(id, "x")])
        #expect(group.syncAnswer(sync) == nil)
        #expect(group.coordinator.describe("g")?.state == "CompletingRebalance")
        group.finishAppends()
        #expect(group.syncAnswer(sync)?.assignment == Bytes(utf8: "x"))
    }

    @Test func `a refused assignment is answered with its error and the group starts over`() throws
    {
        var group = GroupHarness()
        let id = try group.newMember()
        _ = group.startJoin(member: id)
        group.holdsAppends = true
        let sync = group.startSync(member: id, generation: 1, assign: [(id, "x")])
        group.finishAppends(failure: .coordinatorNotAvailable)
        #expect(group.syncAnswer(sync)?.error == .coordinatorNotAvailable)
        #expect(group.coordinator.describe("g")?.state == "PreparingRebalance")
    }

    @Test func `wrong claims are told apart`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        #expect(group.heartbeat(member: members[0], generation: 9) == .illegalGeneration)
        #expect(group.heartbeat(member: "who", generation: generation) == .unknownMemberId)
        #expect(group.heartbeat("other", member: "who", generation: 1) == .unknownMemberId)
        #expect(group.heartbeat("", member: "who", generation: 1) == .invalidGroupId)
        let sync = group.startSync(member: members[0], generation: generation, name: "sticky")
        #expect(group.syncAnswer(sync)?.error == .inconsistentGroupProtocol)
        let answer2 = group.join(member: "who")
        #expect(answer2?.error == .unknownMemberId)
        let answer3 = group.join("", member: "")
        #expect(answer3?.error == .invalidGroupId)
        let answer4 = group.join(session: 5999)
        #expect(answer4?.error == .invalidSessionTimeout)
        let answer5 = group.join(session: 1_800_001)
        #expect(answer5?.error == .invalidSessionTimeout)
    }

    @Test func `names that no record could hold are refused`() {
        var group = GroupHarness()
        let long = String(repeating: "x", count: 40_000)
        let byGroup = group.join(long)
        #expect(byGroup?.error == .invalidGroupId)
        let byProtocol = group.join(protocols: [MemberProtocol(name: long, metadata: .empty)])
        #expect(byProtocol?.error == .invalidRequest)
        let byType = group.join(type: long)
        #expect(byType?.error == .invalidRequest)
        let instance = group.startJoin(instance: long)
        #expect(group.joinAnswer(instance)?.error == .invalidRequest)
        let many = (0..<101).map { MemberProtocol(name: "p\($0)", metadata: .empty) }
        let byCount = group.join(protocols: many)
        #expect(byCount?.error == .invalidRequest)
        let large = MemberProtocol(
            name: "range", metadata: Bytes([UInt8](repeating: 0, count: 1 << 20)))
        let bySize = group.join(protocols: [large])
        #expect(bySize?.error == .invalidRequest)
        let commit = group.startCommit([(long, 0, 1)])
        #expect(group.commitErrors(commit) == [.invalidTopicException])
        let inGroup = group.startCommit(in: long, [("t", 0, 1)])
        #expect(group.commitErrors(inGroup) == [.invalidGroupId])
    }

    @Test func `a full group refuses more members`() throws {
        var group = GroupHarness { $0.membersMax = 1 }
        _ = try group.stableGroup(1)
        let answer6 = group.join()
        #expect(answer6?.error == .groupMaxSizeReached)
    }

    @Test func `members together may say only so much about themselves`() throws {
        var group = GroupHarness { $0.groupMetadataBytesMax = 1500 }
        let large = MemberProtocol(
            name: "range", metadata: Bytes([UInt8](repeating: 0, count: 1000)))
        let first = group.join(type: "other", protocols: [large], mustKnowItsID: false)
        #expect(first?.error == ErrorCode.none)
        let second = group.join(type: "other", protocols: [large], mustKnowItsID: false)
        #expect(second?.error == .groupMaxSizeReached)
    }

    @Test func `ids that nobody came back with leave no group behind`() throws {
        var group = GroupHarness()
        _ = try group.newMember("x")
        #expect(group.coordinator.groupCount == 1)
        group.advance(10_001)
        #expect(group.coordinator.groupCount == 0)
    }
}
