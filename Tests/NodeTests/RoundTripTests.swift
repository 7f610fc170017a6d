import Base
import Log
import Node
import Testing
import WireProtocol

@Suite struct RoundTripTests {
    @Test func `what was produced is fetched`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        let first = try node.produce("t", 1, ["a", "b"])
        #expect(first.errorCode == .none)
        #expect(first.baseOffset == 0)
        #expect(try node.produce("t", 1, ["c"]).baseOffset == 2)
        #expect(try node.fetch("t", 1, from: 0) == ["a", "b", "c"])
        #expect(try node.fetch("t", 1, from: 1) == ["a", "b", "c"])
        #expect(try node.fetch("t", 1, from: 2) == ["c"])
        #expect(try node.fetch("t", 1, from: 3).isEmpty)
        #expect(try node.fetch("t", 0, from: 0).isEmpty)
    }

    @Test func `a produce is answered and visible when it is durable`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        node.holdsSyncs = true
        for acks in [Int16(-1), 1] {
            let id = node.connect()
            let batch = batch(["x"], node.milliseconds)
            node.request(id, node.produceRequest("t", 0, batch, acks: acks), version: 9)
            #expect(node.sent[id.value] == nil)
            let count = try node.fetch("t", from: 0).count
            node.completeSync()
            let response = try node.answer(id, ProduceResponse.self, version: 9)
            #expect(response?.responses[0].partitionResponses[0].errorCode == ErrorCode.none)
            #expect(try node.fetch("t", from: 0).count == count + 1)
        }
    }

    @Test func `produces of one connection share a sync and are answered in order`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        node.holdsSyncs = true
        let id = node.connect()
        for number in 0..<5 {
            let batch = batch(["\(number)"], node.milliseconds)
            node.request(id, node.produceRequest("t", 0, batch), version: 9)
        }
        node.request(id, MetadataRequest(topics: []), version: 9)
        #expect(node.sent[id.value] == nil)
        node.completeSync()
        #expect(node.sent[id.value]?.count == 1)
        node.completeSync()
        #expect(node.sent[id.value]?.count == 6)
        for number in 0..<5 {
            let response = try node.answer(id, ProduceResponse.self, version: 9)
            #expect(
                response?.responses[0].partitionResponses[0].baseOffset == Int64(number))
        }
        #expect(try node.answer(id, MetadataResponse.self, version: 9) != nil)
    }

    @Test func `without acks nothing is answered, and an error hangs up`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = node.connect()
        let good = batch(["x"], node.milliseconds)
        node.request(id, node.produceRequest("t", 0, good, acks: 0), version: 9)
        #expect(node.sent[id.value] == nil)
        node.request(id, ApiVersionsRequest(), version: 2)
        #expect(try node.answer(id, ApiVersionsResponse.self, version: 2) != nil)
        #expect(try node.fetch("t", from: 0) == ["x"])
        node.request(id, node.produceRequest("missing", 0, good, acks: 0), version: 9)
        #expect(node.closed[id.value] != nil)
    }

    @Test func `a repeated idempotent batch is stored once`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let identity = try node.call(InitProducerIdRequest(transactionalId: nil), version: 4)
        #expect(identity.errorCode == .none)
        #expect(identity.producerEpoch == 0)
        let batch = batch(["x", "y"], node.milliseconds, producer: (identity.producerId, 0, 0))
        for _ in 0..<2 {
            let response = try node.call(node.produceRequest("t", 0, batch), version: 9)
            let result = response.responses[0].partitionResponses[0]
            #expect(result.errorCode == .none)
            #expect(result.baseOffset == 0)
        }
        #expect(try node.fetch("t", from: 0) == ["x", "y"])
        let gap = NodeTests.batch(
            ["z"], node.milliseconds, producer: (identity.producerId, 0, 9))
        let response = try node.call(node.produceRequest("t", 0, gap), version: 9)
        #expect(
            response.responses[0].partitionResponses[0].errorCode == .outOfOrderSequenceNumber)
    }

    @Test func `producer ids are never given out twice, whatever happens`() throws {
        var node = try NodeHarness()
        var seen: Set<Int64> = []
        for round in 0..<3 {
            for _ in 0..<(round == 0 ? 1100 : 5) {
                let answer = try node.call(InitProducerIdRequest(transactionalId: nil), version: 2)
                #expect(seen.insert(answer.producerId).inserted)
            }
            try node.restart()
        }
    }

    @Test func `bad batches are refused with the published codes`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("max.message.bytes", "200"), ("cleanup.policy", "compact")])
        func error(_ batch: Bytes) throws -> ProduceResponse.PartitionProduceResponse {
            let response = try node.call(node.produceRequest("t", 0, batch), version: 9)
            return response.responses[0].partitionResponses[0]
        }
        let keyless = try error(batch(["x"], node.milliseconds))
        #expect(keyless.errorCode == .invalidRecord)
        #expect(keyless.recordErrors.map(\.batchIndex) == [0])
        #expect(keyless.errorMessage != nil)
        #expect(keyless.baseOffset == -1)
        let large = batch([String(repeating: "x", count: 300)], node.milliseconds, key: "k")
        #expect(try error(large).errorCode == .messageTooLarge)
        var damaged = batch(["x"], node.milliseconds, key: "k").array
        damaged[damaged.count - 1] ^= 1
        #expect(try error(Bytes(damaged)).errorCode == .corruptMessage)
        let future = batch(["x"], node.milliseconds + 7_200_000, key: "k")
        #expect(try error(future).errorCode == .invalidTimestamp)
        #expect(try error(.empty).errorCode != .none)
        #expect(try error(batch(["x"], node.milliseconds, key: "k")).errorCode == .none)
    }

    @Test func `unknown partitions and wrong acks are told apart`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let good = batch(["x"], node.milliseconds)
        func error(_ request: ProduceRequest, _ version: Int16 = 9) throws -> ErrorCode {
            try node.call(request, version: version).responses[0].partitionResponses[0].errorCode
        }
        #expect(
            try error(node.produceRequest("nope", 0, good)) == .unknownTopicOrPartition)
        #expect(try error(node.produceRequest("t", 1, good)) == .unknownTopicOrPartition)
        #expect(try error(node.produceRequest("t", -1, good)) == .unknownTopicOrPartition)
        #expect(try error(node.produceRequest("t", 0, good, acks: 2)) == .invalidRequiredAcks)
        _ = try node.call(
            FindCoordinatorRequest(keyType: 0, coordinatorKeys: ["g"]), version: 4)
        #expect(
            try error(node.produceRequest("__consumer_offsets", 0, good)) == .invalidTopicException)
        #expect(
            try error(node.produceRequest("__cluster_metadata", 0, good))
                == .unknownTopicOrPartition)
    }

    @Test func `a produce that waits too long is told so and stays`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        node.holdsSyncs = true
        let id = node.connect()
        node.request(id, node.produceRequest("t", 0, batch(["x"], node.milliseconds)), version: 9)
        node.advance(4000)
        #expect(node.sent[id.value] == nil)
        node.advance(2100)
        let response = try node.answer(id, ProduceResponse.self, version: 9)
        #expect(response?.responses[0].partitionResponses[0].errorCode == .requestTimedOut)
        node.completeSync()
        #expect(node.sent[id.value]?.isEmpty ?? true)
        #expect(try node.fetch("t", from: 0) == ["x"])
    }

    @Test func `a failed sync stops the node before anything is answered`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        node.holdsSyncs = true
        let id = node.connect()
        node.request(id, node.produceRequest("t", 0, batch(["x"], node.milliseconds)), version: 9)
        node.completeSync(failure: .system(operation: "fdatasync", path: "journal", code: 5))
        #expect(node.halted != nil)
        #expect(node.sent[id.value] == nil)
        node.request(id, ApiVersionsRequest(), version: 2)
        #expect(node.sent[id.value] == nil)
    }

    @Test func `a restart keeps topics, records, ids and offsets`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 3, [("retention.ms", "12345")])
        _ = try node.produce("t", 2, ["a", "b"])
        _ = try node.perform(.changeObjects([ObjectChange("table/gold", Bytes(utf8: "{}"))]))
        let before = try node.call(MetadataRequest(topics: nil), version: 12)
        try node.restart()
        let after = try node.call(MetadataRequest(topics: nil), version: 12)
        #expect(after.topics.map(\.topicId) == before.topics.map(\.topicId))
        #expect(after.clusterId == before.clusterId)
        #expect(after.topics[0].partitions.count == 3)
        #expect(
            after.topics[0].partitions[0].leaderEpoch
                == before.topics[0].partitions[0].leaderEpoch + 1)
        #expect(try node.fetch("t", 2, from: 0) == ["a", "b"])
        #expect(try node.produce("t", 2, ["c"]).baseOffset == 2)
        guard case .objects(let objects) = try node.perform(.listObjects(prefix: "table/")) else {
            Issue.record("no objects")
            return
        }
        #expect(objects.map(\.name) == ["table/gold"])
        let configs = try node.call(
            DescribeConfigsRequest(resources: [
                .init(resourceType: 2, resourceName: "t", configurationKeys: ["retention.ms"])
            ]), version: 4)
        #expect(configs.results[0].configs.map(\.value) == ["12345"])
    }

    @Test func `where an epoch ended is known after restarts`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        _ = try node.produce("t", 0, ["a", "b"])
        try node.restart()
        _ = try node.produce("t", 0, ["c"])
        try node.restart()
        func end(_ epoch: Int32, current: Int32 = -1) throws -> (ErrorCode, Int32, Int64) {
            let response = try node.call(
                OffsetForLeaderEpochRequest(topics: [
                    .init(
                        topic: "t",
                        partitions: [
                            .init(
                                partition: 0, currentLeaderEpoch: current, leaderEpoch: epoch)
                        ])
                ]), version: 4)
            let result = response.topics[0].partitions[0]
            return (result.errorCode, result.leaderEpoch, result.endOffset)
        }
        #expect(try end(0) == (.none, 0, 2))
        #expect(try end(1) == (.none, 1, 3))
        #expect(try end(2, current: 2) == (.none, 2, 3))
        #expect(try end(3) == (.none, -1, -1))
        #expect(try end(-7) == (.none, -1, -1))
        // An epoch in which nothing was appended ends where its successor begins.
        try node.restart()
        #expect(try end(2) == (.none, 2, 3))
        try node.restart()
        #expect(try end(3) == (.none, 3, 3))
        #expect(try end(2, current: 4) == (.none, 2, 3))
        #expect(try end(0, current: 1).0 == .fencedLeaderEpoch)
        #expect(try end(0, current: 5).0 == .unknownLeaderEpoch)
    }
}
