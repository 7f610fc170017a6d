import Base
import Coordinator
import Node
import Testing
import WireProtocol

@Suite struct GroupRequestTests {
    private func join(
        _ member: String, protocols: [String] = ["range"], session: Int32 = 10_000
    ) -> JoinGroupRequest {
        JoinGroupRequest(
            groupId: "g", sessionTimeoutMs: session, rebalanceTimeoutMs: 30_000, memberId: member,
            protocolType: "consumer",
            protocols: protocols.map { .init(name: $0, metadata: Bytes(utf8: "m")) })
    }

    private func commit(
        _ offset: Int64, generation: Int32 = -1, member: String = "", topic: String = "t"
    ) -> OffsetCommitRequest {
        OffsetCommitRequest(
            groupId: "g", generationIdOrMemberEpoch: generation, memberId: member,
            topics: [
                .init(
                    name: topic,
                    partitions: [
                        .init(
                            partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: 4,
                            committedMetadata: "note")
                    ])
            ])
    }

    private func fetched(_ node: inout NodeHarness, _ group: String = "g") throws -> Int64 {
        let response = try node.call(
            OffsetFetchRequest(
                groupId: group, topics: [.init(name: "t", partitionIndexes: [0])]), version: 5)
        #expect(response.errorCode == .none)
        return response.topics[0].partitions[0].committedOffset
    }

    @Test func `two members share a group, and one takes over when the other is gone`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let coordinator = try node.call(FindCoordinatorRequest(key: "g"), version: 2)
        #expect(coordinator.errorCode == .none)
        #expect(coordinator.nodeId == 1)
        #expect(coordinator.host == "broker")

        let a = node.connect()
        let first = try node.call(join(""), version: 7, on: a)
        #expect(first.errorCode == .memberIdRequired)
        let alone = try node.call(join(first.memberId), version: 7, on: a)
        #expect(alone.generationId == 1)
        #expect(alone.leader == first.memberId)
        var sync = SyncGroupRequest(
            groupId: "g", generationId: 1, memberId: first.memberId, protocolType: "consumer",
            protocolName: "range",
            assignments: [.init(memberId: first.memberId, assignment: Bytes(utf8: "all"))])
        #expect(try node.call(sync, version: 5, on: a).assignment == Bytes(utf8: "all"))

        let b = node.connect()
        let second = try node.call(join(""), version: 7, on: b)
        node.request(b, join(second.memberId), version: 7)
        let beat = HeartbeatRequest(groupId: "g", generationId: 1, memberId: first.memberId)
        #expect(try node.call(beat, version: 4, on: a).errorCode == .rebalanceInProgress)
        let together = try node.call(join(first.memberId), version: 7, on: a)
        #expect(together.members.map(\.memberId) == [first.memberId, second.memberId])
        let follower = try #require(try node.answer(b, JoinGroupResponse.self, version: 7))
        #expect(follower.members.isEmpty)
        sync.generationId = 2
        sync.assignments.append(
            .init(memberId: second.memberId, assignment: Bytes(utf8: "half")))
        _ = try node.call(sync, version: 5, on: a)
        let share = SyncGroupRequest(groupId: "g", generationId: 2, memberId: second.memberId)
        #expect(try node.call(share, version: 3, on: b).assignment == Bytes(utf8: "half"))
        let committed = try node.call(
            commit(9, generation: 2, member: second.memberId), version: 8, on: b)
        #expect(committed.topics[0].partitions[0].errorCode == .none)

        node.send(.connectionClosed(b))
        node.advance(6000)
        let still = HeartbeatRequest(groupId: "g", generationId: 2, memberId: first.memberId)
        #expect(try node.call(still, version: 4, on: a).errorCode == .none)
        node.advance(6000)
        #expect(try node.call(still, version: 4, on: a).errorCode == .rebalanceInProgress)
        let again = try node.call(join(first.memberId), version: 7, on: a)
        #expect(again.generationId == 3)
        #expect(again.members.count == 1)
        #expect(try fetched(&node) == 9)
    }

    @Test func `offsets and groups survive a restart`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        #expect(try fetched(&node) == -1)
        let answer = try node.call(commit(42), version: 7)
        #expect(answer.topics[0].partitions[0].errorCode == .none)
        let first = try node.call(join(""), version: 3)
        #expect(first.errorCode == .none)
        let sync = SyncGroupRequest(
            groupId: "g", generationId: first.generationId, memberId: first.memberId,
            assignments: [.init(memberId: first.memberId, assignment: Bytes(utf8: "all"))])
        _ = try node.call(sync, version: 3)
        try node.restart()
        #expect(try fetched(&node) == 42)
        let beat = HeartbeatRequest(
            groupId: "g", generationId: first.generationId, memberId: first.memberId)
        #expect(try node.call(beat, version: 3).errorCode == .none)
        let groups = try node.call(DescribeGroupsRequest(groups: ["g"]), version: 5)
        #expect(groups.groups[0].groupState == "Stable")
        #expect(groups.groups[0].members[0].memberAssignment == Bytes(utf8: "all"))
        #expect(groups.groups[0].members[0].clientHost == "/10.0.0.9")
    }

    @Test func `a commit is answered when it is durable`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.call(commit(1), version: 7)
        node.holdsSyncs = true
        let id = node.connect()
        node.request(id, commit(2), version: 7)
        #expect(node.sent[id.value] == nil)
        #expect(try fetched(&node) == 1)
        node.completeSync()
        #expect(try node.answer(id, OffsetCommitResponse.self, version: 7) != nil)
        #expect(try fetched(&node) == 2)
    }

    @Test func `offsets of unknown topics are refused, of unknown groups are a beginning`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let answer = try node.call(commit(1, topic: "u"), version: 7)
        #expect(answer.topics[0].partitions[0].errorCode == .unknownTopicOrPartition)
        _ = try node.call(commit(5), version: 7)
        let all = try node.call(
            OffsetFetchRequest(groups: [
                .init(groupId: "g", topics: nil), .init(groupId: "h", topics: nil),
                .init(groupId: "h", topics: [.init(name: "t", partitionIndexes: [0])]),
            ]), version: 8)
        #expect(all.groups[0].topics[0].partitions[0].committedOffset == 5)
        #expect(all.groups[0].topics[0].partitions[0].metadata == "note")
        #expect(all.groups[0].topics[0].partitions[0].committedLeaderEpoch == 4)
        #expect(all.groups[1].topics.isEmpty)
        #expect(all.groups[2].topics[0].partitions[0].committedOffset == -1)
        #expect(all.groups.map(\.errorCode) == [.none, .none, .none])
        _ = try node.call(DeleteTopicsRequest(topicNames: ["t"]), version: 3)
        #expect(try fetched(&node) == -1)
    }

    @Test func `groups are listed, described and deleted`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.call(commit(1), version: 7)
        let list = try node.call(ListGroupsRequest(statesFilter: ["empty"]), version: 5)
        #expect(list.groups.map(\.groupId) == ["g"])
        #expect(list.groups.map(\.groupType) == ["classic"])
        #expect(
            try node.call(ListGroupsRequest(statesFilter: ["Stable"]), version: 4).groups.isEmpty)
        let unknown = try node.call(DescribeGroupsRequest(groups: ["x"]), version: 5)
        #expect(unknown.groups[0].errorCode == .none)
        #expect(unknown.groups[0].groupState == "Dead")
        let newer = try node.call(DescribeGroupsRequest(groups: ["x"]), version: 6)
        #expect(newer.groups[0].errorCode == .groupIdNotFound)
        let deleted = try node.call(DeleteGroupsRequest(groupsNames: ["g", "x"]), version: 2)
        #expect(deleted.results.map(\.errorCode) == [.none, .groupIdNotFound])
        #expect(try node.call(ListGroupsRequest(), version: 4).groups.isEmpty)
        try node.restart()
        #expect(try fetched(&node) == -1)
    }

    @Test func `members leave in a batch`() throws {
        var node = try NodeHarness()
        let joined = try node.call(join(""), version: 3)
        let answer = try node.call(
            LeaveGroupRequest(
                groupId: "g",
                members: [.init(memberId: joined.memberId), .init(memberId: "who")]), version: 4)
        #expect(answer.members.map(\.errorCode) == [.none, .unknownMemberId])
        let single = try node.call(
            LeaveGroupRequest(groupId: "g", memberId: joined.memberId), version: 1)
        #expect(single.errorCode == .unknownMemberId)
    }

    @Test func `joins behind a waiting join are answered in order`() throws {
        var node = try NodeHarness { $0.groups.initialRebalanceDelay = .seconds(1) }
        let id = node.connect()
        node.request(id, join(""), version: 3)
        node.request(id, ListGroupsRequest(), version: 4)
        #expect(node.sent[id.value] == nil)
        node.advance(1001)
        #expect(try node.answer(id, JoinGroupResponse.self, version: 3)?.generationId == 1)
        #expect(try node.answer(id, ListGroupsResponse.self, version: 4)?.groups.count == 1)
    }
}
