import Base
import Node
import Testing
import WireProtocol

@Suite struct FetchSessionTests {
    /// A fetch of `partitions` (number, offset) in a session.
    private func request(
        _ session: (Int32, Int32), _ partitions: [(Int32, Int64)],
        forget: [Int32] = [], maxWait: Int32 = 0
    ) -> FetchRequest {
        FetchRequest(
            maxWaitMs: maxWait, minBytes: 1, sessionId: session.0, sessionEpoch: session.1,
            topics: partitions.isEmpty
                ? []
                : [
                    .init(
                        topic: "t",
                        partitions: partitions.map {
                            .init(
                                partition: $0.0, fetchOffset: $0.1, partitionMaxBytes: 1 << 20)
                        })
                ],
            forgottenTopicsData: forget.isEmpty ? [] : [.init(topic: "t", partitions: forget)])
    }

    private func told(_ response: FetchResponse) -> [Int32] {
        response.responses.flatMap { $0.partitions.map(\.partitionIndex) }
    }

    @Test func `a session is told what is new and nothing else`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 3)
        let full = try node.call(request((0, 0), [(0, 0), (1, 0), (2, 0)]), version: 12)
        let id = full.sessionId
        #expect(id > 0)
        #expect(told(full) == [0, 1, 2])
        #expect(told(try node.call(request((id, 1), []), version: 12)).isEmpty)
        _ = try node.produce("t", 1, ["x"])
        var news = try node.call(request((id, 2), []), version: 12)
        #expect(news.sessionId == id)
        #expect(told(news) == [1])
        #expect(try values(of: news.responses[0].partitions[0]) == ["x"])
        // Read on from behind it; the rest is remembered.
        news = try node.call(request((id, 3), [(1, 1)]), version: 12)
        #expect(told(news).isEmpty)
        _ = try node.produce("t", 2, ["y"])
        #expect(told(try node.call(request((id, 4), []), version: 12)) == [2])
        news = try node.call(request((id, 5), [], forget: [2]), version: 12)
        #expect(told(news).isEmpty)
    }

    @Test func `a session waits for records of partitions that were not named`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        let id = try node.call(request((0, 0), [(0, 0), (1, 0)]), version: 12).sessionId
        let connection = node.connect()
        node.request(connection, request((id, 1), [], maxWait: 500), version: 12)
        #expect(node.sent[connection.value] == nil)
        _ = try node.produce("t", 1, ["x"])
        let response = try #require(
            try node.answer(connection, FetchResponse.self, version: 12))
        #expect(told(response) == [1])
    }

    @Test func `wrong ids, epochs and kinds of names are told`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.call(request((0, 0), [(0, 0)]), version: 12).sessionId
        func error(_ session: (Int32, Int32), version: Int16 = 12) throws -> ErrorCode {
            try node.call(request(session, []), version: version).errorCode
        }
        #expect(try error((id &+ 1, 1)) == .fetchSessionIdNotFound)
        #expect(try error((id, 2)) == .invalidFetchSessionEpoch)
        #expect(try error((id, 1), version: 13) == .fetchSessionTopicIdError)
        #expect(try error((id, 1)) == .none)
        // The end of the session, and a full answer without one.
        let last = try node.call(request((id, -1), [(0, 0)]), version: 12)
        #expect(last.sessionId == 0 && told(last) == [0])
        #expect(try error((id, 2)) == .fetchSessionIdNotFound)
    }

    @Test func `a new session may take the place of an old one`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.call(request((0, 0), [(0, 0)]), version: 12).sessionId
        let next = try node.call(request((id, 0), [(0, 0)]), version: 12)
        #expect(next.sessionId > 0 && next.sessionId != id)
        #expect(
            try node.call(request((id, 1), []), version: 12).errorCode
                == .fetchSessionIdNotFound)
    }

    @Test func `an error is told again until it is gone`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let id = try node.call(request((0, 0), [(0, 5)]), version: 12).sessionId
        for epoch in Int32(1)...2 {
            let response = try node.call(request((id, epoch), []), version: 12)
            #expect(response.responses[0].partitions[0].errorCode == .offsetOutOfRange)
        }
        let well = try node.call(request((id, 3), [(0, 0)]), version: 12)
        #expect(told(well) == [0])
        #expect(well.responses[0].partitions[0].errorCode == ErrorCode.none)
    }

    @Test func `sessions are bounded and the silent ones give way`() throws {
        var node = try NodeHarness { $0.fetchSessionsMax = 2 }
        try node.createTopic("t")
        func open() throws -> Int32 {
            try node.call(request((0, 0), [(0, 0)]), version: 12).sessionId
        }
        let first = try open()
        let second = try open()
        #expect(first > 0 && second > 0)
        #expect(try open() == 0, "there is no room")
        node.advance(60_000)
        #expect(try node.call(request((second, 1), []), version: 12).errorCode == .none)
        node.advance(61_000)
        #expect(try open() > 0, "the first was silent for two minutes")
        #expect(
            try node.call(request((first, 1), []), version: 12).errorCode
                == .fetchSessionIdNotFound)
        #expect(try node.call(request((second, 2), []), version: 12).errorCode == .none)
    }

    @Test func `a partition with much to read starves no other`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 10)
        for partition in Int32(3)...5 {
            _ = try node.produce("t", partition, [String(repeating: "x", count: 500)])
        }
        let connection = node.connect()
        var all = request((0, -1), (0..<10).map { ($0, 0) })
        all.maxBytes = 100
        var seen: [Int32] = []
        for _ in 0..<6 {
            let response = try node.call(all, version: 12, on: connection)
            seen += response.responses[0].partitions.filter { !$0.records.isEmpty }
                .map(\.partitionIndex)
        }
        #expect(seen == [3, 4, 5, 3, 4, 5])
    }

    @Test func `zstd is only for clients that know it`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("compression.type", "zstd")])
        _ = try node.produce("t", 0, [String(repeating: "x", count: 500)])
        var response = try node.call(node.fetchRequest("t", from: 0), version: 9)
        #expect(response.responses[0].partitions[0].errorCode == .unsupportedCompressionType)
        response = try node.call(node.fetchRequest("t", from: 0), version: 10)
        let stored = response.responses[0].partitions[0].records[0]
        var again = node.produceRequest("t", 0, stored)
        again.topicData[0].partitionData[0].records = [stored]
        let refused = try node.call(again, version: 6)
        #expect(
            refused.responses[0].partitionResponses[0].errorCode == .unsupportedCompressionType)
    }
}
