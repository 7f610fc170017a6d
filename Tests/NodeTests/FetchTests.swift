import Base
import Node
import Testing
import WireProtocol

@Suite struct FetchTests {
    @Test func `a fetch waits for records and blocks what comes behind it`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        node.request(id, node.fetchRequest("t", from: 0, maxWait: 500), version: 12)
        node.request(id, ApiVersionsRequest(), version: 2)
        #expect(node.sent[id.value] == nil)
        _ = try node.produce("t", 0, ["x"])
        let response = try node.answer(id, FetchResponse.self, version: 12)
        #expect(try values(of: try #require(response?.responses[0].partitions[0])) == ["x"])
        #expect(try node.answer(id, ApiVersionsResponse.self, version: 2) != nil)
    }

    @Test func `a fetch that waited long enough is answered with nothing`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        node.request(id, node.fetchRequest("t", from: 0, maxWait: 500), version: 12)
        node.advance(499)
        #expect(node.sent[id.value] == nil)
        node.advance(2)
        let response = try node.answer(id, FetchResponse.self, version: 12)
        #expect(response?.responses[0].partitions[0].errorCode == ErrorCode.none)
        #expect(response?.responses[0].partitions[0].records.isEmpty == true)
        #expect(response?.responses[0].partitions[0].highWatermark == 0)
    }

    @Test func `a fetch waits for as many bytes as it wants`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        let id = node.connect()
        let size = Int32(batch(["x"], node.milliseconds).count)
        var request = node.fetchRequest("t", from: 0, maxWait: 500, minBytes: size * 2)
        request.topics[0].partitions.append(
            .init(partition: 1, fetchOffset: 0, partitionMaxBytes: 1 << 20))
        node.request(id, request, version: 12)
        _ = try node.produce("t", 0, ["x"])
        #expect(node.sent[id.value] == nil)
        _ = try node.produce("t", 1, ["y"])
        let response = try #require(try node.answer(id, FetchResponse.self, version: 12))
        #expect(try values(of: response.responses[0].partitions[0]) == ["x"])
        #expect(try values(of: response.responses[0].partitions[1]) == ["y"])
    }

    @Test func `errors are told at once`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        func error(_ request: FetchRequest, version: Int16 = 12) throws -> ErrorCode {
            try node.call(request, version: version).responses[0].partitions[0].errorCode
        }
        #expect(
            try error(node.fetchRequest("t", from: 5, maxWait: 5000)) == .offsetOutOfRange)
        #expect(
            try error(node.fetchRequest("t", from: -1, maxWait: 5000)) == .offsetOutOfRange)
        #expect(
            try error(node.fetchRequest("u", from: 0, maxWait: 5000)) == .unknownTopicOrPartition)
        #expect(
            try error(node.fetchRequest("t", 7, from: 0, maxWait: 5000))
                == .unknownTopicOrPartition)
        var byID = node.fetchRequest("", from: 0, maxWait: 5000)
        byID.topics[0].topicId = UUID128(high: 1, low: 1)
        #expect(try error(byID, version: 13) == .unknownTopicId)
        var newer = node.fetchRequest("t", from: 0, maxWait: 5000)
        newer.topics[0].partitions[0].currentLeaderEpoch = 9
        #expect(try error(newer) == .unknownLeaderEpoch)
        var session = node.fetchRequest("t", from: 0)
        session.sessionId = 5
        session.sessionEpoch = 3
        #expect(try node.call(session, version: 12).errorCode == .fetchSessionIdNotFound)
    }

    @Test func `topics are read by id from version 13 on`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.produce("t", 0, ["x"])
        let metadata = try node.call(MetadataRequest(topics: nil), version: 12)
        var request = node.fetchRequest("", from: 0)
        request.topics[0].topicId = metadata.topics[0].topicId
        let response = try node.call(request, version: 16)
        #expect(response.responses[0].topicId == metadata.topics[0].topicId)
        #expect(try values(of: response.responses[0].partitions[0]) == ["x"])
        let batch = batch(["y"], node.milliseconds)
        let produce = ProduceRequest(
            acks: -1, timeoutMs: 1000,
            topicData: [
                .init(
                    topicId: metadata.topics[0].topicId,
                    partitionData: [.init(index: 0, records: [batch])])
            ])
        _ = produce
        #expect(try node.fetch("t", from: 0) == ["x"])
    }

    @Test func `the first batch comes whatever the limits, later ones only if they fit`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        _ = try node.produce("t", 0, ["a"])
        _ = try node.produce("t", 1, ["b"])
        var request = node.fetchRequest("t", from: 0, maxBytes: 1)
        request.topics[0].partitions.append(
            .init(partition: 1, fetchOffset: 0, partitionMaxBytes: 1))
        let id = node.connect()
        var found: [[String]] = []
        for _ in 0..<2 {
            let response = try node.call(request, version: 12, on: id)
            found.append(try response.responses[0].partitions.flatMap { try values(of: $0) })
        }
        #expect(found == [["a"], ["b"]], "the partitions take turns")
    }

    @Test func `readers of committed records are told that nothing was aborted`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.produce("t", 0, ["x"])
        var request = node.fetchRequest("t", from: 0)
        #expect(
            try node.call(request, version: 12).responses[0].partitions[0].abortedTransactions
                == nil)
        request.isolationLevel = 1
        let data = try node.call(request, version: 12).responses[0].partitions[0]
        #expect(data.abortedTransactions == [])
        #expect(data.lastStableOffset == 1)
    }

    @Test func `a deleted topic ends the fetches that wait for it`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        node.request(id, node.fetchRequest("t", from: 0, maxWait: 60_000), version: 12)
        let answer = try node.call(
            DeleteTopicsRequest(topics: [.init(name: "t")]), version: 6)
        #expect(answer.responses[0].errorCode == .none)
        let response = try node.answer(id, FetchResponse.self, version: 12)
        #expect(response?.responses[0].partitions[0].errorCode == .unknownTopicOrPartition)
    }

    @Test func `a connection that goes away takes its fetch along`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        node.request(id, node.fetchRequest("t", from: 0, maxWait: 60_000), version: 12)
        node.send(.connectionClosed(id))
        _ = try node.produce("t", 0, ["x"])
        node.advance(60_001)
        #expect(node.sent[id.value] == nil)
    }

    @Test func `too many requests behind a fetch close the connection`() throws {
        var node = try NodeHarness { $0.queuedRequestsMax = 10 }
        try node.createTopic("t")
        let id = node.connect()
        node.request(id, node.fetchRequest("t", from: 0, maxWait: 60_000), version: 12)
        for _ in 0..<10 { node.request(id, ApiVersionsRequest(), version: 2) }
        #expect(node.closed[id.value] == nil)
        node.request(id, ApiVersionsRequest(), version: 2)
        #expect(node.closed[id.value] != nil)
    }

    @Test func `offsets are listed by their special times and by time`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let start = node.milliseconds
        for step in 0..<3 {
            node.milliseconds = start + Int64(step) * 1000
            _ = try node.produce("t", 0, ["\(step)"])
        }
        func list(_ timestamp: Int64) throws -> (ErrorCode, Int64, Int64) {
            let response = try node.call(
                ListOffsetsRequest(
                    replicaId: -1,
                    topics: [
                        .init(name: "t", partitions: [.init(timestamp: timestamp)])
                    ]), version: 9)
            let result = response.topics[0].partitions[0]
            return (result.errorCode, result.offset, result.timestamp)
        }
        #expect(try list(OffsetQuery.latest) == (.none, 3, -1))
        #expect(try list(OffsetQuery.earliest) == (.none, 0, -1))
        #expect(try list(OffsetQuery.maxTimestamp) == (.none, 2, start + 2000))
        #expect(try list(start + 500) == (.none, 1, start + 1000))
        #expect(try list(start + 9000) == (.none, -1, -1))
        #expect(try list(OffsetQuery.latestTiered) == (.none, -1, -1))
        #expect(try list(-99).0 == .unsupportedVersion)
        let deleted = try node.call(
            DeleteRecordsRequest(topics: [
                .init(name: "t", partitions: [.init(partitionIndex: 0, offset: 2)])
            ]), version: 2)
        #expect(deleted.topics[0].partitions[0].lowWatermark == 2)
        #expect(try list(OffsetQuery.earliest) == (.none, 2, -1))
        #expect(try node.fetch("t", from: 2) == ["2"])
    }
}
