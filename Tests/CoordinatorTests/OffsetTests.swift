import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct OffsetTests {
    @Test func `a simple group commits and reads back what it said`() throws {
        var group = GroupHarness()
        let token = group.startCommit([("t", 0, 42), ("t", 1, -5)], metadata: "note")
        #expect(group.commitErrors(token) == [.none, .none])
        let offset = try #require(group.offset("t", 0))
        #expect(offset.offset == 42)
        #expect(offset.leaderEpoch == 3)
        #expect(offset.metadata == "note")
        #expect(group.offset("t", 1)?.offset == -5)
        #expect(group.offset("t", 2) == nil)
        #expect(group.coordinator.list().map(\.state) == ["Empty"])
    }

    @Test func `offsets are visible and answered when they are durable`() {
        var group = GroupHarness()
        group.holdsAppends = true
        let token = group.startCommit([("t", 0, 42)])
        #expect(group.commitErrors(token) == nil)
        #expect(group.offset("t", 0) == nil)
        group.finishAppends()
        #expect(group.commitErrors(token) == [ErrorCode.none])
        #expect(group.offset("t", 0)?.offset == 42)
    }

    @Test func `a refused append changes nothing`() {
        var group = GroupHarness()
        group.holdsAppends = true
        let token = group.startCommit([("t", 0, 42)])
        group.finishAppends(failure: .coordinatorNotAvailable)
        #expect(group.commitErrors(token) == [.coordinatorNotAvailable])
        #expect(group.coordinator.groupCount == 0)
    }

    @Test func `only members commit while the group is at work`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        func errors(_ token: ReplyToken) -> ErrorCode? { group.commitErrors(token)?.first }
        var token = group.startCommit(member: members[0], generation: generation, [("t", 0, 1)])
        #expect(errors(token) == ErrorCode.none)
        token = group.startCommit([("t", 0, 2)])
        #expect(errors(token) == .unknownMemberId)
        token = group.startCommit(member: members[0], generation: 99, [("t", 0, 2)])
        #expect(errors(token) == .illegalGeneration)
        token = group.startCommit(member: "x", generation: generation, [("t", 0, 2)])
        #expect(errors(token) == .unknownMemberId)
        token = group.startCommit(in: "new", member: "x", generation: 3, [("t", 0, 2)])
        #expect(errors(token) == .groupIdNotFound)
        token = group.startCommit(
            in: "new", member: "x", generation: 3, [("t", 0, 2)], newCodes: false)
        #expect(errors(token) == .illegalGeneration)
        #expect(group.offset("t", 0)?.offset == 1)
    }

    @Test func `commits go on while members rejoin and wait for the assignment`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(2)
        _ = group.startJoin(member: members[0])
        var token = group.startCommit(member: members[1], generation: generation, [("t", 0, 7)])
        #expect(group.commitErrors(token) == [ErrorCode.none])
        _ = group.startJoin(member: members[1])
        token = group.startCommit(member: members[1], generation: generation + 1, [("t", 0, 8)])
        #expect(group.commitErrors(token) == [.rebalanceInProgress])
    }

    @Test func `metadata has a limit, for each partition on its own`() {
        var group = GroupHarness { $0.offsetMetadataBytesMax = 4 }
        let token = group.startCommit([("t", 0, 1)], metadata: "12345")
        #expect(group.commitErrors(token) == [.offsetMetadataTooLarge])
        #expect(group.log.isEmpty)
    }

    @Test func `offsets of an idle group expire and then the group`() throws {
        var group = GroupHarness { $0.offsetsRetention = .seconds(3600) }
        _ = group.startCommit([("t", 0, 1)])
        group.advance(3_000_000)
        #expect(group.offset("t", 0) != nil)
        group.advance(1_300_000)
        #expect(group.offset("t", 0) == nil)
        #expect(group.coordinator.groupCount == 0)
        #expect(try group.restarted().coordinator.groupCount == 0)
    }

    @Test func `commits of old versions say how long they are kept`() throws {
        var group = GroupHarness { $0.offsetsRetention = .seconds(3600) }
        _ = group.startCommit([("short", 0, 1)], retention: 60_000)
        _ = group.startCommit([("usual", 0, 2)])
        _ = group.startCommit([("long", 0, 3)], retention: 7_200_000)
        _ = group.startCommit([("forever", 0, 4)], retention: .max)
        #expect(group.offset("short", 0)?.expireTimestamp?.milliseconds == 1_060_000)
        for var group in [group, try group.restarted()] {
            #expect(group.offset("short", 0)?.offset == 1)
            for _ in 0..<4 { group.advance(300_000) }
            #expect(group.offset("short", 0) == nil)
            #expect(group.offset("usual", 0)?.offset == 2)
            group.advance(4_000_000)
            #expect(group.offset("usual", 0) == nil)
            #expect(group.offset("long", 0)?.offset == 3)
            group.advance(4_000_000)
            #expect(group.offset("long", 0) == nil)
            #expect(group.offset("forever", 0)?.offset == 4)
        }
    }

    @Test func `a stable group keeps what it reads and loses what it stopped reading`() throws {
        var group = GroupHarness { $0.offsetsRetention = .seconds(3600) }
        let (members, generation) = try group.stableGroup(1, session: 1_800_000)
        _ = group.startCommit(
            member: members[0], generation: generation, [("t", 0, 1), ("old", 0, 1)])
        for _ in 0..<6 {
            group.advance(1_000_000)
            _ = group.heartbeat(member: members[0], generation: generation)
        }
        #expect(group.offset("t", 0) != nil)
        #expect(group.offset("old", 0) == nil)
    }

    @Test func `a deleted topic takes its offsets along`() throws {
        var group = GroupHarness()
        _ = group.startCommit([("t", 0, 1), ("u", 0, 2)])
        group.apply(group.coordinator.topicDeleted("t", now: group.now))
        #expect(group.offset("t", 0) == nil)
        #expect(group.offset("u", 0)?.offset == 2)
        #expect(try group.restarted().offset("t", 0) == nil)
    }

    @Test func `only empty groups are deleted, and they stay deleted`() throws {
        var group = GroupHarness()
        #expect(group.delete() == .groupIdNotFound)
        let (members, generation) = try group.stableGroup(1)
        _ = group.startCommit(member: members[0], generation: generation, [("t", 0, 1)])
        #expect(group.delete() == .nonEmptyGroup)
        _ = group.leave("g", [LeaveCall.Member(memberID: members[0])])
        #expect(group.delete() == ErrorCode.none)
        #expect(group.coordinator.describe("g") == nil)
        #expect(try group.restarted().coordinator.groupCount == 0)
    }

    @Test func `a member whose session is over holds up no deletion of its group`() throws {
        var group = GroupHarness()
        let (members, generation) = try group.stableGroup(1)
        _ = group.startCommit(member: members[0], generation: generation, [("t", 0, 1)])
        group.milliseconds += 9_999
        #expect(group.delete() == .nonEmptyGroup)
        // The request comes in the round of the timer, and before it.
        group.milliseconds += 1
        #expect(group.delete() == ErrorCode.none)
        group.advance(1)
        #expect(group.coordinator.describe("g") == nil)
        #expect(try group.restarted().coordinator.groupCount == 0)
    }

    @Test func `a commit on its way does not survive the deletion of its group`() throws {
        var group = GroupHarness()
        _ = group.startCommit([("t", 0, 1)])
        group.holdsAppends = true
        _ = group.startCommit([("u", 0, 1)])
        let token = group.token()
        group.apply(group.coordinator.delete("g", token, now: group.now))
        let late = group.startCommit([("v", 0, 1)])
        #expect(group.commitErrors(late) == [.coordinatorNotAvailable])
        group.finishAppends()
        #expect(group.replies[token.value] == .delete(.none))
        #expect(try group.restarted().coordinator.groupCount == 0)
    }
}
