import Base
import Coordinator
import Testing
import WireProtocol

@Suite struct MigrationTests {
    /// A stable classic group of one dynamic member that has all four partitions.
    private func classicGroup(
        _ change: (inout GroupConfiguration) -> Void = { _ in }
    ) throws -> (GroupHarness, String, Int32) {
        var group = GroupHarness(change)
        group.makeTopic("t", 4)
        let id = try group.newMember()
        let joined = group.join(member: id)
        let generation = try #require(joined).generation
        let token = group.token()
        group.apply(
            group.coordinator.sync(
                SyncCall(
                    claim: MemberClaim(group: "g", generation: generation, memberID: id),
                    assignments: [
                        .init(memberID: id, assignment: assignment([("t", [0, 1, 2, 3])]))
                    ]), token, now: group.now))
        return (group, id, generation)
    }

    private func assignment(_ topics: [(String, [Int32])]) -> Bytes {
        var writer = ByteWriter()
        writer.int16(1)
        ConsumerProtocolAssignment(
            assignedPartitions: topics.map { .init(topic: $0.0, partitions: $0.1) }
        ).write(to: &writer, version: 1)
        return writer.finish()
    }

    /// What a cooperative member sends: topics and what it owns.
    private func cooperative(_ owned: [Int32]) -> [MemberProtocol] {
        var writer = ByteWriter()
        writer.int16(1)
        ConsumerProtocolSubscription(
            topics: ["t"],
            ownedPartitions: owned.isEmpty ? [] : [.init(topic: "t", partitions: owned)]
        ).write(to: &writer, version: 1)
        return [MemberProtocol(name: "range", metadata: writer.finish())]
    }

    private func partitions(_ bytes: Bytes?) throws -> [Int32] {
        var reader = ByteReader(try #require(bytes))
        let version = try reader.int16()
        return try ConsumerProtocolAssignment(from: &reader, version: version)
            .assignedPartitions.flatMap(\.partitions)
    }

    @Test func `an empty group changes its protocol and keeps its offsets`() throws {
        var (group, id, generation) = try classicGroup()
        _ = group.startCommit(member: id, generation: generation, [("t", 0, 7)])
        _ = group.leave("g", [LeaveCall.Member(memberID: id)])
        var a = TestConsumer("a")
        #expect(group.join(&a)?.error == ErrorCode.none)
        #expect(group.coordinator.list().map(\.type) == ["consumer"])
        #expect(group.offset("t", 0)?.offset == 7)
        #expect(group.coordinator.describe("g") == nil)
        group.leave(consumer: a)
        let back = try group.newMember()
        #expect(group.join(member: back)?.error == ErrorCode.none)
        #expect(group.coordinator.list().map(\.type) == ["classic"])
        #expect(group.offset("t", 0)?.offset == 7)
        let fresh = try group.restarted()
        #expect(fresh.offset("t", 0)?.offset == 7)
        #expect(fresh.coordinator.list().map(\.type) == ["classic"])
    }

    @Test func `members of both protocols share a group, and it goes back when the last leaves`()
        throws
    {
        var (group, id, generation) = try classicGroup()
        var a = TestConsumer("a")
        #expect(group.join(&a)?.error == ErrorCode.none)
        #expect(a.partitions().isEmpty, "the classic member has everything still")
        #expect(group.coordinator.list().map(\.type) == ["consumer"])
        // The classic member learns by its heartbeat that it has to join again.
        #expect(group.heartbeat(member: id, generation: generation) == .rebalanceInProgress)
        var joined = group.join(member: id, protocols: cooperative([0, 1, 2, 3]))
        #expect(joined?.error == ErrorCode.none)
        #expect(joined?.leader == "")
        #expect(joined?.protocolName == "range")
        var sync = group.startSync(member: id, generation: joined?.generation ?? -1)
        let kept = try partitions(group.syncAnswer(sync)?.assignment)
        #expect(kept.count == 2)
        #expect(
            group.heartbeat(member: id, generation: joined?.generation ?? -1)
                == .rebalanceInProgress, "it reports what it gave back by joining again")
        group.beat(&a)
        #expect(a.partitions().isEmpty)
        joined = group.join(member: id, protocols: cooperative(kept))
        sync = group.startSync(member: id, generation: joined?.generation ?? -1)
        #expect(try partitions(group.syncAnswer(sync)?.assignment) == kept)
        group.beat(&a)
        #expect(a.partitions().count == 2)
        #expect(Set(a.partitions()).isDisjoint(with: kept))
        let stable = joined?.generation ?? -1
        #expect(group.heartbeat(member: id, generation: stable) == ErrorCode.none)
        #expect(group.heartbeat(member: id, generation: stable - 1) == .illegalGeneration)
        let commit = group.startCommit(
            member: id, generation: stable, [("t", kept[0], 1)], newCodes: false)
        #expect(group.commitErrors(commit) == [.none])
        let described = try #require(group.coordinator.describeConsumerGroup("g"))
        #expect(described.members.map(\.isClassic).filter { $0 }.count == 1)
        let restarted = try group.restarted()
        #expect(restarted.coordinator.describeConsumerGroup("g") == described)
        // The last member of the newer protocol leaves: the group is classic again.
        #expect(group.leave(consumer: a) == ErrorCode.none)
        #expect(group.coordinator.list().map(\.type) == ["classic"])
        let fresh = try group.restarted()
        #expect(fresh.coordinator.list().map(\.type) == ["classic"])
        #expect(fresh.coordinator.describe("g")?.members.map(\.id) == [id])
        #expect(group.offset("t", kept[0])?.offset == 1)
        #expect(group.heartbeat(member: id, generation: stable) == .rebalanceInProgress)
        let again = group.join(member: id, protocols: cooperative(kept))
        #expect(again?.leader == id)
        #expect(again?.members.count == 1)
    }

    @Test func `classic newcomers of a consumer group get an id and partitions`() throws {
        var group = GroupHarness()
        group.makeTopic("t", 4)
        var a = TestConsumer("a")
        group.join(&a)
        let asked = group.join(protocols: cooperative([]))
        #expect(asked?.error == .memberIdRequired)
        let id = try #require(asked?.memberID)
        var joined = group.join(member: id, protocols: cooperative([]))
        #expect(joined?.error == ErrorCode.none)
        var sync = group.startSync(member: id, generation: joined?.generation ?? -1)
        #expect(try partitions(group.syncAnswer(sync)?.assignment).isEmpty)
        group.beat(&a)
        group.beat(&a)
        #expect(
            group.heartbeat(member: id, generation: joined?.generation ?? -1)
                == .rebalanceInProgress, "partitions became free")
        joined = group.join(member: id, protocols: cooperative([]))
        sync = group.startSync(member: id, generation: joined?.generation ?? -1)
        #expect(try partitions(group.syncAnswer(sync)?.assignment).count == 2)
        #expect(
            group.join(type: "connect", protocols: [.init(name: "x", metadata: .empty)])?.error
                == .inconsistentGroupProtocol)
        #expect(
            group.leave("g", [LeaveCall.Member(memberID: "nobody")])?.members[0].error
                == .unknownMemberId)
        #expect(
            group.leave("g", [LeaveCall.Member(memberID: "a")])?.members[0].error
                == .unknownMemberId, "it does not speak the classic protocol")
        #expect(
            group.leave("g", [LeaveCall.Member(memberID: id)])?.members[0].error
                == ErrorCode.none)
        group.beat(&a)
        #expect(a.partitions() == [0, 1, 2, 3])
    }

    @Test func `a classic member that does not join again is fenced`() throws {
        var (group, id, generation) = try classicGroup()
        var a = TestConsumer("a")
        group.join(&a)
        for _ in 0..<40 {
            _ = group.heartbeat(member: id, generation: generation)
            group.advance(2_000)
            group.beat(&a)
        }
        #expect(group.coordinator.describeConsumerGroup("g")?.members.map(\.id) == ["a"])
        group.beat(&a)
        #expect(a.partitions() == [0, 1, 2, 3])
    }

    @Test func `a commit of a classic member is a sign of life`() throws {
        var (group, id, _) = try classicGroup()
        var a = TestConsumer("a")
        group.join(&a)
        let generation = group.join(member: id, protocols: cooperative([]))?.generation ?? -1
        _ = group.startSync(member: id, generation: generation)
        for _ in 0..<6 {
            group.advance(4_000)
            let commit = group.startCommit(member: id, generation: generation, [("t", 0, 1)])
            #expect(group.commitErrors(commit) == [.none])
            group.beat(&a)
        }
        #expect(group.coordinator.describeConsumerGroup("g")?.members.count == 2)
    }

    @Test func `a policy can forbid the change`() throws {
        var (group, _, _) = try classicGroup { $0.migrationPolicy = .disabled }
        var a = TestConsumer("a")
        #expect(group.join(&a)?.error == .groupIdNotFound)
        #expect(group.coordinator.list().map(\.type) == ["classic"])
    }

    @Test func `groups of other languages are left alone`() throws {
        var group = GroupHarness()
        let offered = [MemberProtocol(name: "x", metadata: .empty)]
        let id = try connectMember(&group, offered)
        _ = group.join(member: id, type: "connect", protocols: offered)
        var a = TestConsumer("a")
        #expect(group.join(&a)?.error == .groupIdNotFound)
    }

    @Test func `members that wait in a rebalance are sent back to join`() throws {
        var group = GroupHarness(delay: .seconds(3))
        group.makeTopic("t", 2)
        let id = try group.newMember()
        let waiting = group.startJoin(member: id)
        #expect(group.joinAnswer(waiting) == nil)
        var a = TestConsumer("a")
        #expect(group.join(&a)?.error == ErrorCode.none)
        #expect(group.joinAnswer(waiting)?.error == .rebalanceInProgress)
        #expect(group.coordinator.describeConsumerGroup("g")?.members.count == 2)
    }
}
