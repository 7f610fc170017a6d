import Base
import Node
import Testing
import WireProtocol

/// Share groups from outside: one node, members, and the wire.
@Suite struct ShareTests {
    /// A member with a session of its own.
    struct Member {
        var id: String
        var connection: ConnectionID
        var epoch: Int32 = 0
        var group = "g"
    }

    private func node(
        _ change: (inout NodeConfiguration) -> Void = { _ in }
    ) throws -> (NodeHarness, UUID128) {
        var node = try NodeHarness(change)
        try node.createTopic("t")
        try node.configureGroup("g", "share.auto.offset.reset", "earliest")
        return (node, try node.topicID("t"))
    }

    private func join(
        _ node: inout NodeHarness, _ name: String, group: String = "g", topics: [String] = ["t"]
    ) throws -> Member {
        let member = Member(id: name, connection: node.connect(), group: group)
        let answer = try node.call(
            ShareGroupHeartbeatRequest(
                groupId: group, memberId: name, subscribedTopicNames: topics), version: 1,
            on: member.connection)
        #expect(answer.errorCode == .none, "\(answer.errorMessage ?? "")")
        return member
    }

    private func fetchRequest(
        _ member: inout Member, _ topicID: UUID128, acks: [AcknowledgementBatch] = [],
        wait: Int32 = 0, minBytes: Int32 = 1, records: Int32 = 500, isStrict: Bool = false,
        isRenew: Bool = false, batchSize: Int32 = 500
    ) -> ShareFetchRequest {
        defer { member.epoch += 1 }
        return ShareFetchRequest(
            groupId: member.group, memberId: member.id, shareSessionEpoch: member.epoch,
            maxWaitMs: wait, minBytes: minBytes, maxBytes: 1 << 20, maxRecords: records,
            batchSize: batchSize, shareAcquireMode: isStrict ? 1 : 0, isRenewAck: isRenew,
            topics: member.epoch == 0 || !acks.isEmpty
                ? [
                    .init(
                        topicId: topicID,
                        partitions: [.init(partitionIndex: 0, acknowledgementBatches: acks)])
                ] : [])
    }

    private func fetch(
        _ node: inout NodeHarness, _ member: inout Member, _ topicID: UUID128,
        acks: [AcknowledgementBatch] = [], records: Int32 = 500, isStrict: Bool = false,
        isRenew: Bool = false, batchSize: Int32 = 500
    ) throws -> ShareFetchResponse {
        let request = fetchRequest(
            &member, topicID, acks: acks, records: records, isStrict: isStrict, isRenew: isRenew,
            batchSize: batchSize)
        return try node.call(request, version: 2, on: member.connection)
    }

    private func acknowledge(
        _ node: inout NodeHarness, _ member: inout Member, _ topicID: UUID128,
        _ acks: [AcknowledgementBatch], isRenew: Bool = false
    ) throws -> ShareAcknowledgeResponse {
        defer { member.epoch += 1 }
        return try node.call(
            ShareAcknowledgeRequest(
                groupId: member.group, memberId: member.id, shareSessionEpoch: member.epoch,
                isRenewAck: isRenew,
                topics: [
                    .init(
                        topicId: topicID,
                        partitions: [.init(partitionIndex: 0, acknowledgementBatches: acks)])
                ]), version: 2, on: member.connection)
    }

    private func ack(
        _ first: Int64, _ last: Int64, _ types: AcknowledgeType...
    ) -> AcknowledgementBatch {
        AcknowledgementBatch(
            firstOffset: first, lastOffset: last, acknowledgeTypes: types.map(\.rawValue))
    }

    /// Acquired ranges and how often they were delivered.
    private func ranges(_ response: ShareFetchResponse) -> [[Int64]] {
        response.responses.flatMap(\.partitions).flatMap(\.acquiredRecords).map {
            [$0.firstOffset, $0.lastOffset, Int64($0.deliveryCount)]
        }
    }

    private func describe(
        _ node: inout NodeHarness, _ group: String = "g"
    ) throws -> [Int64] {
        let answer = try node.call(
            DescribeShareGroupOffsetsRequest(groups: [.init(groupId: group, topics: nil)]),
            version: 1)
        let found = answer.groups.flatMap(\.topics).flatMap(\.partitions)
        return found.flatMap { [$0.startOffset, $0.lag] }
    }

    @Test func `two members share the records of one partition`() throws {
        var (node, id) = try node()
        for value in ["a", "b", "c"] { _ = try node.produce("t", 0, [value, value]) }
        var first = try join(&node, "m1")
        var second = try join(&node, "m2")
        let one = try fetch(&node, &first, id, records: 2)
        #expect(ranges(one) == [[0, 1, 1]])
        #expect(one.acquisitionLockTimeoutMs == 30_000)
        #expect(try values(of: one.responses[0].partitions[0].records) == ["a", "a"])
        let two = try fetch(&node, &second, id)
        #expect(ranges(two) == [[2, 5, 1]])
        #expect(try values(of: two.responses[0].partitions[0].records) == ["b", "b", "c", "c"])
        let done = try fetch(&node, &first, id, acks: [ack(0, 1, .accept)])
        #expect(done.responses[0].partitions[0].acknowledgeErrorCode == .none)
        #expect(ranges(done).isEmpty)
        #expect(try describe(&node) == [2, 4])
        #expect(
            try acknowledge(&node, &second, id, [ack(2, 5, .accept)]).responses[0].partitions[0]
                .errorCode == .none)
        #expect(try describe(&node) == [6, 0])
    }

    @Test func `releases come again, rejections do not`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b", "c", "d"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 3, 1]])
        let again = try fetch(
            &node, &member, id, acks: [ack(0, 3, .release, .accept, .reject, .release)])
        #expect(ranges(again) == [[0, 0, 2], [3, 3, 2]])
        // The batch has all of its records; the ranges say which are meant.
        #expect(again.responses[0].partitions[0].records.count == 1)
    }

    @Test func `ranges are as long as members want, but whole batches`() throws {
        var (node, id) = try node()
        for _ in 0..<4 { _ = try node.produce("t", 0, ["x", "y"]) }
        var member = try join(&node, "m1")
        let answer = try fetch(&node, &member, id, batchSize: 3)
        #expect(ranges(answer) == [[0, 3, 1], [4, 7, 1]])
        _ = try acknowledge(&node, &member, id, [ack(0, 7, .release)])
        #expect(ranges(try fetch(&node, &member, id, records: 3)) == [[0, 3, 2]])
        #expect(ranges(try fetch(&node, &member, id, records: 3, isStrict: true)) == [[4, 6, 2]])
    }

    @Test func `a fetch waits for records`() throws {
        var (node, id) = try node()
        var member = try join(&node, "m1")
        let request = fetchRequest(&member, id, wait: 500)
        node.request(member.connection, request, version: 2)
        #expect(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2) == nil)
        _ = try node.produce("t", 0, ["a"])
        let answer = try #require(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(answer) == [[0, 0, 1]])
        // And for no longer than it says.
        node.request(member.connection, fetchRequest(&member, id, wait: 500), version: 2)
        node.advance(499)
        #expect(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2) == nil)
        node.advance(1)
        let empty = try #require(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2))
        #expect(empty.errorCode == .none)
        #expect(empty.responses.isEmpty)
    }

    @Test func `a fetch that wants more locks nothing until it is there`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a"])
        var greedy = try join(&node, "m1")
        node.request(
            greedy.connection, fetchRequest(&greedy, id, wait: 500, minBytes: 200), version: 2)
        #expect(try node.answer(greedy.connection, ShareFetchResponse.self, version: 2) == nil)
        var modest = try join(&node, "m2")
        #expect(ranges(try fetch(&node, &modest, id)) == [[0, 0, 1]])
        for _ in 0..<3 { _ = try node.produce("t", 0, ["b"]) }
        let answer = try #require(
            try node.answer(greedy.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(answer) == [[1, 3, 1]])
    }

    @Test func `what one member gives back wakes another`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a"])
        var first = try join(&node, "m1")
        var second = try join(&node, "m2")
        #expect(ranges(try fetch(&node, &first, id)) == [[0, 0, 1]])
        node.request(second.connection, fetchRequest(&second, id, wait: 60_000), version: 2)
        _ = try acknowledge(&node, &first, id, [ack(0, 0, .release)])
        let answer = try #require(
            try node.answer(second.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(answer) == [[0, 0, 2]])
        // So does a lock that runs out.
        node.request(first.connection, fetchRequest(&first, id, wait: 60_000), version: 2)
        node.advance(30_000)
        let late = try #require(
            try node.answer(first.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(late) == [[0, 0, 3]])
        #expect(
            try acknowledge(&node, &second, id, [ack(0, 0, .accept)]).responses[0].partitions[0]
                .errorCode == .invalidRecordState)
        // And a connection that is gone.
        node.request(second.connection, fetchRequest(&second, id, wait: 60_000), version: 2)
        node.send(.connectionClosed(first.connection))
        let last = try #require(
            try node.answer(second.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(last) == [[0, 0, 4]])
    }

    @Test func `nothing is answered before it is durable`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a"])
        var member = try join(&node, "m1")
        _ = try fetch(&node, &member, id, records: 0)
        node.holdsSyncs = true
        node.request(member.connection, fetchRequest(&member, id), version: 2)
        #expect(try node.answer(member.connection, ShareFetchResponse.self, version: 2) == nil)
        node.completeSync()
        let answer = try #require(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2))
        #expect(ranges(answer) == [[0, 0, 1]])
        let request = fetchRequest(&member, id, acks: [ack(0, 0, .accept)])
        node.request(member.connection, request, version: 2)
        #expect(try node.answer(member.connection, ShareFetchResponse.self, version: 2) == nil)
        node.completeSync()
        #expect(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2)?.errorCode
                == ErrorCode.none)
    }

    @Test func `a restart keeps what was said and frees the rest`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b", "c", "d"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 3, 1]])
        _ = try acknowledge(&node, &member, id, [ack(0, 0, .accept), ack(2, 2, .accept)])
        try node.restart()
        let stale = try node.call(
            fetchRequest(&member, id), version: 2)
        #expect(stale.errorCode == .shareSessionNotFound)
        #expect(try describe(&node) == [1, 2])
        let listed = try node.call(ListGroupsRequest(typesFilter: ["share"]), version: 5)
        #expect(listed.groups.map(\.groupId) == ["g"])
        #expect(listed.groups.map(\.groupState) == ["Empty"])
        var again = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &again, id)) == [[1, 1, 2], [3, 3, 2]])
    }

    @Test func `sessions have an order`() throws {
        var (node, id) = try node { $0.shareSessionsMax = 1 }
        _ = try node.produce("t", 0, ["a"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 0, 1]])
        member.epoch = 5
        #expect(try fetch(&node, &member, id).errorCode == .invalidShareSessionEpoch)
        member.epoch = 5
        #expect(
            try acknowledge(&node, &member, id, []).errorCode == .invalidShareSessionEpoch)
        member.epoch = 0
        #expect(
            try acknowledge(&node, &member, id, []).errorCode == .invalidShareSessionEpoch)
        member.epoch = 0
        #expect(
            try fetch(&node, &member, id, acks: [ack(0, 0, .accept)]).errorCode == .invalidRequest)
        var other = try join(&node, "m2")
        #expect(try fetch(&node, &other, id).errorCode == .shareSessionLimitReached)
        other.epoch = 1
        #expect(try fetch(&node, &other, id).errorCode == .shareSessionNotFound)
        // The last request may say something; the rest is free again, and counts as delivered.
        member.epoch = -1
        #expect(try fetch(&node, &member, id).errorCode == .none)
        member.epoch = 1
        #expect(try fetch(&node, &member, id).errorCode == .shareSessionNotFound)
        other.epoch = 0
        #expect(ranges(try fetch(&node, &other, id)) == [[0, 0, 2]])
        other.epoch = -1
        let closing = try acknowledge(&node, &other, id, [ack(0, 0, .accept)])
        #expect(closing.responses[0].partitions[0].errorCode == .none)
        #expect(try describe(&node) == [1, 0])
    }

    @Test func `a member may leave before it says what became of its records`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 1, 1]])
        let left = try node.call(
            ShareGroupHeartbeatRequest(groupId: "g", memberId: "m1", memberEpoch: -1), version: 1)
        #expect(left.errorCode == .none)
        member.epoch = -1
        let closing = try acknowledge(&node, &member, id, [ack(0, 0, .accept)])
        #expect(closing.responses[0].partitions[0].errorCode == .none)
        // Without a session there is nothing to wait for.
        var other = try join(&node, "m2")
        #expect(ranges(try fetch(&node, &other, id)) == [[1, 1, 2]])
        node.send(.connectionClosed(other.connection))
        _ = try node.call(
            ShareGroupHeartbeatRequest(groupId: "g", memberId: "m2", memberEpoch: -1), version: 1)
        var last = try join(&node, "m3")
        #expect(ranges(try fetch(&node, &last, id)) == [[1, 1, 3]])
    }

    @Test func `no bytes are no records`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a"])
        var member = try join(&node, "m1")
        var request = fetchRequest(&member, id)
        request.maxBytes = 0
        #expect(ranges(try node.call(request, version: 2, on: member.connection)).isEmpty)
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 0, 1]])
    }

    @Test func `nothing is locked for a member that said goodbye`() throws {
        var (node, id) = try node()
        var member = try join(&node, "m1")
        node.request(member.connection, fetchRequest(&member, id, wait: 60_000), version: 2)
        let closed = try node.call(
            ShareAcknowledgeRequest(groupId: "g", memberId: "m1", shareSessionEpoch: -1),
            version: 2)
        #expect(closed.errorCode == .none)
        _ = try node.produce("t", 0, ["a"])
        let answer = try #require(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2))
        #expect(answer.errorCode == .shareSessionNotFound)
        var other = try join(&node, "m2")
        #expect(ranges(try fetch(&node, &other, id)) == [[0, 0, 1]])
    }

    @Test func `requests that make no sense are refused`() throws {
        var (node, id) = try node()
        var member = try join(&node, "m1")
        func error(_ change: (inout ShareFetchRequest) -> Void) throws -> ErrorCode {
            var request = ShareFetchRequest(groupId: "g", memberId: "m1")
            change(&request)
            return try node.call(request, version: 2).errorCode
        }
        #expect(try error { $0.groupId = nil } == .invalidRequest)
        #expect(try error { $0.memberId = nil } == .invalidRequest)
        #expect(try error { $0.memberId = "" } == .invalidRequest)
        #expect(try error { $0.shareSessionEpoch = -2 } == .invalidShareSessionEpoch)
        #expect(try error { $0.shareAcquireMode = 7 } == .invalidRequest)
        #expect(try error { $0.groupId = "" } == .invalidGroupId)
        let unknown = UUID128(high: 9, low: 9)
        let answer = try node.call(
            ShareFetchRequest(
                groupId: "g", memberId: "m1", maxRecords: 5,
                topics: [
                    .init(topicId: unknown, partitions: [.init(partitionIndex: 0)]),
                    .init(topicId: id, partitions: [.init(partitionIndex: 4)]),
                ]), version: 2, on: member.connection)
        member.epoch = 1
        #expect(
            answer.responses.flatMap(\.partitions).map(\.errorCode)
                == [.unknownTopicId, .unknownTopicOrPartition])
        let errors = try acknowledge(
            &node, &member, id, [ack(0, 0, .accept)])
        #expect(errors.responses[0].partitions[0].errorCode == .invalidRecordState)
        #expect(errors.responses[0].partitions[0].errorMessage?.isEmpty == false)
    }

    @Test func `a renewal keeps records locked, when the group may`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 0, 1]])
        node.advance(20_000)
        let unannounced = try acknowledge(&node, &member, id, [ack(0, 0, .renew)])
        #expect(unannounced.responses[0].partitions[0].errorCode == .invalidRequest)
        let renewed = try acknowledge(&node, &member, id, [ack(0, 0, .renew)], isRenew: true)
        #expect(renewed.responses[0].partitions[0].errorCode == .none)
        #expect(renewed.acquisitionLockTimeoutMs == 30_000)
        node.advance(20_000)
        let again = try fetch(&node, &member, id, acks: [ack(0, 0, .renew)], isRenew: true)
        #expect(again.responses[0].partitions[0].acknowledgeErrorCode == .none)
        #expect(ranges(again).isEmpty)
        try node.configureGroup("g", "share.renew.acknowledge.enable", "false")
        let refused = try acknowledge(&node, &member, id, [ack(0, 0, .renew)], isRenew: true)
        #expect(refused.responses[0].partitions[0].errorCode == .invalidRequest)
    }

    @Test func `a group begins where its setting says`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.topicID("t")
        _ = try node.produce("t", 0, ["old"])
        node.milliseconds += 3_600_000
        _ = try node.produce("t", 0, ["new"])
        try node.configureGroup("all", "share.auto.offset.reset", "earliest")
        try node.configureGroup("some", "share.auto.offset.reset", "by_duration:PT30M")
        for (group, expected) in [("all", [0, 1, 1]), ("some", [1, 1, 1]), ("late", [])] {
            var member = try join(&node, "m", group: group)
            let found = ranges(try fetch(&node, &member, id)).flatMap { $0 }
            #expect(found == expected.map(Int64.init), "\(group)")
        }
        // What comes after the first look is not missed, also over a restart.
        try node.restart()
        _ = try node.produce("t", 0, ["newest"])
        var member = try join(&node, "m", group: "late")
        #expect(ranges(try fetch(&node, &member, id)) == [[2, 2, 1]])
    }

    @Test func `settings of share groups are checked`() throws {
        var node = try NodeHarness()
        for (name, value) in [
            ("share.auto.offset.reset", "sometimes"), ("share.delivery.count.limit", "1"),
            ("share.delivery.count.limit", "11"), ("share.record.lock.duration.ms", "1"),
            ("share.partition.max.record.locks", "10"), ("share.isolation.level", "none"),
            ("share.session.timeout.ms", "1000"), ("share.renew.acknowledge.enable", "yes"),
        ] {
            #expect(
                throws: (any Error).self, "\(name) \(value)",
                performing: {
                    try node.configureGroup("g", name, value)
                })
        }
        try node.configureGroup("g", "share.delivery.count.limit", "2")
    }

    @Test func `members get no markers and, if they want, nothing aborted`() throws {
        var (node, id) = try node()
        try node.configureGroup("g", "share.isolation.level", "read_committed")
        try node.configureGroup("u", "share.auto.offset.reset", "earliest")
        var producer = Producer("x", version: 12)
        #expect(try producer.start(&node) == .none)
        #expect(try producer.write(&node, ["gone", "gone"]) == .none)
        var member = try join(&node, "m1")
        // What is not decided is not visible.
        #expect(ranges(try fetch(&node, &member, id)).isEmpty)
        #expect(try producer.end(&node, commit: false) == .none)
        _ = try node.produce("t", 0, ["kept"])
        #expect(ranges(try fetch(&node, &member, id)) == [[3, 3, 1]])
        var eager = try join(&node, "m2", group: "u")
        #expect(ranges(try fetch(&node, &eager, id)) == [[0, 1, 1], [3, 3, 1]])
    }

    @Test func `retention and deletion of records move the group`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b"])
        _ = try node.produce("t", 0, ["c", "d"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id, records: 1)) == [[0, 1, 1]])
        _ = try node.call(
            DeleteRecordsRequest(topics: [
                .init(name: "t", partitions: [.init(partitionIndex: 0, offset: 3)])
            ]), version: 2)
        #expect(ranges(try fetch(&node, &member, id)) == [[3, 3, 1]])
        let late = try acknowledge(&node, &member, id, [ack(0, 1, .accept)])
        #expect(late.responses[0].partitions[0].errorCode == .none)
    }

    @Test func `a name is one kind of group`() throws {
        var (node, _) = try node()
        _ = try join(&node, "m1")
        let classic = try node.call(
            JoinGroupRequest(
                groupId: "g", sessionTimeoutMs: 10_000, rebalanceTimeoutMs: 10_000,
                protocolType: "consumer", protocols: [.init(name: "range")]), version: 5)
        #expect(classic.errorCode == .inconsistentGroupProtocol)
        let consumer = try node.call(
            ConsumerGroupHeartbeatRequest(
                groupId: "g", memberId: "m", rebalanceTimeoutMs: 1000,
                subscribedTopicNames: ["t"], topicPartitions: []), version: 1)
        #expect(consumer.errorCode == .groupIdNotFound)
        let committed = try node.call(
            OffsetCommitRequest(
                groupId: "g", topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])]),
            version: 8)
        #expect(committed.topics[0].partitions[0].errorCode == .groupIdNotFound)
        _ = try node.call(
            OffsetCommitRequest(
                groupId: "plain",
                topics: [.init(name: "t", partitions: [.init(partitionIndex: 0)])]), version: 8)
        let share = try node.call(
            ShareGroupHeartbeatRequest(
                groupId: "plain", memberId: "m", subscribedTopicNames: ["t"]), version: 1)
        #expect(share.errorCode == .groupIdNotFound)
        let listed = try node.call(ListGroupsRequest(), version: 5)
        #expect(listed.groups.map(\.groupId) == ["g", "plain"])
        #expect(listed.groups.map(\.groupType) == ["share", "classic"])
        let old = try node.call(DescribeGroupsRequest(groups: ["g"]), version: 6)
        #expect(old.groups[0].errorCode == .groupIdNotFound)
    }

    @Test func `operators see, move and delete groups`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b", "c"])
        let member = try join(&node, "m1")
        let described = try node.call(
            ShareGroupDescribeRequest(
                groupIds: ["g", "none"], includeAuthorizedOperations: true), version: 1)
        #expect(described.groups[0].groupState == "Stable")
        #expect(described.groups[0].members.map(\.memberId) == ["m1"])
        #expect(described.groups[0].members[0].clientHost == "/10.0.0.9")
        #expect(
            described.groups[0].members[0].assignment.topicPartitions.map(\.topicName) == ["t"])
        #expect(described.groups[1].errorCode == .groupIdNotFound)
        func alter(_ group: String, _ offset: Int64) throws -> AlterShareGroupOffsetsResponse {
            try node.call(
                AlterShareGroupOffsetsRequest(
                    groupId: group,
                    topics: [
                        .init(topicName: "t", partitions: [.init(startOffset: offset)])
                    ]), version: 0)
        }
        #expect(try alter("g", 1).errorCode == .nonEmptyGroup)
        #expect(
            try node.call(DeleteGroupsRequest(groupsNames: ["g"]), version: 2).results[0].errorCode
                == .nonEmptyGroup)
        _ = try node.call(
            ShareGroupHeartbeatRequest(groupId: "g", memberId: "m1", memberEpoch: -1), version: 1,
            on: member.connection)
        let moved = try alter("g", 2)
        #expect(moved.responses[0].partitions[0].errorCode == .none)
        #expect(moved.responses[0].topicId == id)
        #expect(try alter("g", 9).responses[0].partitions[0].errorCode == .offsetOutOfRange)
        #expect(try describe(&node) == [2, 1])
        #expect(try alter("made", 1).responses[0].partitions[0].errorCode == .none)
        #expect(try describe(&node, "made") == [1, 2])
        #expect(try describe(&node, "nobody").isEmpty)
        let absent = try node.call(
            DescribeShareGroupOffsetsRequest(groups: [
                .init(groupId: "nobody", topics: [.init(topicName: "t", partitions: [0])])
            ]), version: 1)
        #expect(absent.groups[0].topics[0].partitions[0].startOffset == -1)
        #expect(absent.groups[0].topics[0].partitions[0].errorCode == .none)
        let forgotten = try node.call(
            DeleteShareGroupOffsetsRequest(
                groupId: "g", topics: [.init(topicName: "t"), .init(topicName: "none")]),
            version: 0)
        #expect(forgotten.responses.map(\.errorCode) == [.none, .unknownTopicOrPartition])
        #expect(try describe(&node).isEmpty)
        #expect(
            try node.call(DeleteGroupsRequest(groupsNames: ["g", "none"]), version: 2).results
                .map(\.errorCode) == [.none, .groupIdNotFound])
        try node.restart()
        #expect(
            try node.call(ListGroupsRequest(), version: 5).groups.map(\.groupId) == ["made"])
    }

    @Test func `a topic that is made anew is begun anew`() throws {
        var (node, id) = try node()
        _ = try node.produce("t", 0, ["a", "b"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 1, 1]])
        node.request(member.connection, fetchRequest(&member, id, wait: 60_000), version: 2)
        _ = try node.call(DeleteTopicsRequest(topicNames: ["t"]), version: 5)
        let answer = try #require(
            try node.answer(member.connection, ShareFetchResponse.self, version: 2))
        #expect(answer.responses[0].partitions[0].errorCode == .unknownTopicId)
        try node.createTopic("t")
        _ = try node.produce("t", 0, ["c"])
        member.epoch = 0
        #expect(ranges(try fetch(&node, &member, try node.topicID("t"))) == [[0, 0, 1]])
    }

    /// Where each dead letter comes from, how often it was delivered, and what it holds.
    private func letters(_ node: inout NodeHarness, _ topic: String) throws -> [String] {
        let response = try node.call(node.fetchRequest(topic, from: 0), version: 12)
        let data = try #require(response.responses.first?.partitions.first)
        var found: [String] = []
        var batches = RecordBatchSequence(Bytes.joined(data.records))
        while let batch = try batches.next() {
            var records = try batch.records()
            while let record = try records.next() {
                let headers = try record.headers()
                func header(_ name: String) -> String {
                    headers.first { $0.key == "__dlq.errors.\(name)" }?.value?.text ?? "?"
                }
                found.append(
                    ["topic", "partition", "offset", "group", "delivery.count"].map(header)
                        .joined(separator: " ") + " " + (record.value?.text ?? "-"))
            }
        }
        return found
    }

    @Test func `what is given up goes to the dead-letter topic`() throws {
        var (node, id) = try node()
        try node.createTopic("dlq.t", [("errors.deadletterqueue.group.enable", "true")])
        try node.configureGroup("g", "errors.deadletterqueue.topic.name", "dlq.t")
        try node.configureGroup("g", "errors.deadletterqueue.copy.record.enable", "true")
        try node.configureGroup("g", "share.delivery.count.limit", "2")
        _ = try node.produce("t", 0, ["a", "b", "c"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 2, 1]])
        _ = try acknowledge(&node, &member, id, [ack(0, 2, .reject, .accept, .release)])
        #expect(try letters(&node, "dlq.t") == ["t 0 0 g 1 a"])
        #expect(ranges(try fetch(&node, &member, id)) == [[2, 2, 2]])
        // Its last lock runs out.
        node.advance(30_000)
        #expect(try letters(&node, "dlq.t") == ["t 0 0 g 1 a", "t 0 2 g 2 c"])
        #expect(try describe(&node) == [3, 0])
    }

    @Test func `dead letters wait for a topic that takes them`() throws {
        var (node, id) = try node()
        try node.configureGroup("g", "errors.deadletterqueue.topic.name", "dlq.t")
        _ = try node.produce("t", 0, ["a", "b"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 1, 1]])
        _ = try acknowledge(&node, &member, id, [ack(0, 1, .reject, .accept)])
        #expect(try describe(&node) == [0, 1])
        // Also over a restart.
        try node.restart()
        #expect(try describe(&node) == [0, 1])
        try node.createTopic("dlq.t")
        node.advance(6000)
        #expect(try letters(&node, "dlq.t").isEmpty)
        _ = try node.call(
            IncrementalAlterConfigsRequest(resources: [
                .init(
                    resourceType: 2, resourceName: "dlq.t",
                    configs: [
                        .init(
                            name: "errors.deadletterqueue.group.enable", configOperation: 0,
                            value: "true")
                    ])
            ]), version: 1)
        node.advance(6000)
        #expect(try letters(&node, "dlq.t") == ["t 0 0 g 1 -"])
        #expect(try describe(&node) == [2, 0])
    }

    @Test func `without a wish for them dead letters are dropped`() throws {
        var (node, id) = try node()
        try node.configureGroup("g", "errors.deadletterqueue.topic.name", "dlq.t")
        _ = try node.produce("t", 0, ["a"])
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id)) == [[0, 0, 1]])
        _ = try acknowledge(&node, &member, id, [ack(0, 0, .reject)])
        #expect(try describe(&node) == [0, 1])
        try node.configureGroup("g", "errors.deadletterqueue.topic.name", "")
        node.advance(6000)
        #expect(try describe(&node) == [1, 0])
        #expect(throws: (any Error).self) {
            try node.configureGroup("g", "errors.deadletterqueue.topic.name", "orders")
        }
    }

    @Test func `many dead letters, and large ones, all arrive`() throws {
        var (node, id) = try node()
        try node.createTopic(
            "dlq.t",
            [("errors.deadletterqueue.group.enable", "true"), ("max.message.bytes", "100000")])
        try node.configureGroup("g", "errors.deadletterqueue.topic.name", "dlq.t")
        try node.configureGroup("g", "errors.deadletterqueue.copy.record.enable", "true")
        let large = String(repeating: "x", count: 150_000)
        _ = try node.produce("t", 0, ["small", large])
        for _ in 0..<3 { _ = try node.produce("t", 0, (0..<300).map { "v\($0)" }) }
        var member = try join(&node, "m1")
        #expect(ranges(try fetch(&node, &member, id, records: 2000)).last?[1] == 901)
        _ = try acknowledge(&node, &member, id, [ack(0, 901, .reject)])
        let found = try letters(&node, "dlq.t")
        #expect(found.count == 902)
        #expect(found[0] == "t 0 0 g 1 small")
        #expect(found[1] == "t 0 1 g 1 -")
        #expect(found.last == "t 0 901 g 1 v299")
        #expect(try describe(&node) == [902, 0])
    }

    @Test func `coordinators of shares are found by whole keys`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.topicID("t")
        let answer = try node.call(
            FindCoordinatorRequest(
                keyType: 2, coordinatorKeys: ["a:b:\(id):0", "g", "g:x:0", "\(id):0", "g:\(id):-1"]),
            version: 6)
        #expect(
            answer.coordinators.map(\.errorCode)
                == [.none, .invalidRequest, .invalidRequest, .invalidRequest, .invalidRequest])
        #expect(answer.coordinators[0].host == "broker")
        let old = try node.call(
            FindCoordinatorRequest(keyType: 2, coordinatorKeys: ["g:\(id):0"]), version: 5)
        #expect(old.coordinators[0].errorCode == .invalidRequest)
        let versions = try node.call(
            ApiVersionsRequest(clientSoftwareName: "a", clientSoftwareVersion: "1"), version: 4)
        let feature = versions.finalizedFeatures.first { $0.name == "share.version" }
        #expect(feature?.maxVersionLevel == 2)
    }
}

extension NodeHarness {
    mutating func topicID(_ name: String) throws -> UUID128 {
        let metadata = try call(MetadataRequest(topics: [.init(name: name)]), version: 12)
        return try #require(metadata.topics.first).topicId
    }

    mutating func configureGroup(_ group: String, _ name: String, _ value: String) throws {
        let response = try call(
            IncrementalAlterConfigsRequest(resources: [
                .init(
                    resourceType: 32, resourceName: group,
                    configs: [.init(name: name, configOperation: 0, value: value)])
            ]), version: 1)
        if response.responses[0].errorCode != .none {
            throw Problem("test.config", response.responses[0].errorMessage ?? "")
        }
    }
}
