import Base
import Node
import Testing
import WireProtocol

/// What a producer is told about a batch that is refused.
@Suite struct ProduceRulesTests {
    private func batch(_ records: [(key: String?, milliseconds: Int64)]) throws -> Bytes {
        var builder = RecordBatchBuilder()
        for record in records {
            builder.append(
                key: record.key.map { Bytes(utf8: $0) }, value: Bytes(utf8: "v"),
                timestamp: Timestamp(milliseconds: record.milliseconds))
        }
        return try builder.finish()
    }

    private func produce(
        _ node: inout NodeHarness, _ batch: Bytes, version: Int16 = 9
    ) throws -> ProduceResponse.PartitionProduceResponse {
        let response = try node.call(node.produceRequest("t", 0, batch), version: version)
        return try #require(response.responses.first?.partitionResponses.first)
    }

    @Test func `every record without a key is named when keys are needed`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("cleanup.policy", "compact")])
        let time = node.milliseconds
        let answer = try produce(
            &node, try batch([(nil, time), ("a", time), (nil, time), ("b", time), (nil, time)]))
        #expect(answer.errorCode == .invalidRecord)
        #expect(answer.recordErrors.map(\.batchIndex) == [0, 2, 4])
        #expect(answer.recordErrors.allSatisfy { $0.batchIndexErrorMessage != nil })
        #expect(answer.errorMessage != nil && answer.baseOffset == -1)
        #expect(try node.fetch("t", from: 0).isEmpty, "nothing of the batch is there")
        #expect(try produce(&node, try batch([("a", time)])).errorCode == .none)
    }

    @Test func `every record with a time out of bounds is named`() throws {
        var node = try NodeHarness()
        try node.createTopic(
            "t",
            [
                ("message.timestamp.before.max.ms", "10000"),
                ("message.timestamp.after.max.ms", "20000"),
            ])
        let now = node.milliseconds
        let answer = try produce(
            &node,
            try batch([
                (nil, now - 10_001), (nil, now - 10_000), (nil, now + 20_000),
                (nil, now + 20_001),
            ]))
        #expect(answer.errorCode == .invalidTimestamp)
        #expect(answer.recordErrors.map(\.batchIndex) == [0, 3])
        #expect(
            try produce(&node, try batch([(nil, now - 10_000), (nil, now + 20_000)])).errorCode
                == .none)
    }

    @Test func `the broker's clock replaces times where the topic wants it`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("message.timestamp.type", "LogAppendTime")])
        let answer = try produce(&node, try batch([("a", 5)]))
        #expect(answer.errorCode == .none)
        #expect(answer.logAppendTimeMs == node.milliseconds)
    }

    @Test func `topics of the brokers take nothing from clients`() throws {
        var node = try NodeHarness()
        _ = try node.call(FindCoordinatorRequest(key: "g"), version: 1)
        let bytes = try batch([("a", node.milliseconds)])
        let response = try node.call(
            node.produceRequest("__consumer_offsets", 0, bytes), version: 9)
        #expect(
            response.responses[0].partitionResponses[0].errorCode == .invalidTopicException)
    }

    @Test func `a topic is produced to by its id from version 13 on`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.call(MetadataRequest(topics: nil), version: 12).topics[0].topicId
        let bytes = try batch([("a", node.milliseconds)])
        func produce(_ id: UUID128) throws -> ErrorCode {
            var request = node.produceRequest("", 0, bytes)
            request.topicData[0].topicId = id
            let response = try node.call(request, version: 13)
            #expect(response.responses[0].topicId == id)
            return response.responses[0].partitionResponses[0].errorCode
        }
        #expect(try produce(id) == .none)
        #expect(try produce(UUID128(high: 1, low: 1)) == .unknownTopicId)
        #expect(try node.fetch("t", from: 0) == ["v"])
    }
}
