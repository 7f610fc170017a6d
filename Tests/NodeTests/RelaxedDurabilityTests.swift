import Base
import Node
import Testing
import WireProtocol

@Suite struct RelaxedDurabilityTests {
    @Test func `a relaxed topic acknowledges before the sync and shows records after it`() throws {
        var node = try NodeHarness()
        try node.createTopic("fast", [("relaxed.durability", "true")])
        try node.createTopic("safe")
        node.holdsSyncs = true
        let id = node.connect()
        let one = batch(["x"], node.milliseconds)
        node.request(id, node.produceRequest("fast", 0, one), version: 9)
        let answer = try #require(try node.answer(id, ProduceResponse.self, version: 9))
        #expect(answer.responses[0].partitionResponses[0].errorCode == ErrorCode.none)
        #expect(answer.responses[0].partitionResponses[0].baseOffset == 0)
        #expect(try node.fetch("fast", from: 0).isEmpty)
        node.completeSync()
        #expect(try node.fetch("fast", from: 0) == ["x"])
        // What was acknowledged is with the system: the end of the process does not take it back.
        node.request(
            id, node.produceRequest("fast", 0, batch(["y"], node.milliseconds)), version: 9)
        #expect(try node.answer(id, ProduceResponse.self, version: 9) != nil)
        node.holdsSyncs = false
        try node.restart()
        #expect(try node.fetch("fast", from: 0) == ["x", "y"])
    }

    @Test func `other topics of the same request are waited for`() throws {
        var node = try NodeHarness()
        try node.createTopic("fast", [("relaxed.durability", "true")])
        try node.createTopic("safe")
        node.holdsSyncs = true
        let id = node.connect()
        var request = node.produceRequest("fast", 0, batch(["x"], node.milliseconds))
        request.topicData +=
            node.produceRequest("safe", 0, batch(["y"], node.milliseconds))
            .topicData
        node.request(id, request, version: 9)
        #expect(node.sent[id.value] == nil)
        node.completeSync()
        #expect(try node.answer(id, ProduceResponse.self, version: 9)?.responses.count == 2)
    }

    @Test func `the setting is true or false`() throws {
        var node = try NodeHarness()
        let response = try node.call(
            CreateTopicsRequest(topics: [
                .init(
                    name: "t", numPartitions: 1, replicationFactor: 1,
                    configs: [.init(name: "relaxed.durability", value: "perhaps")])
            ]), version: 7)
        #expect(response.topics.map(\.errorCode) == [.invalidConfig])
    }
}
