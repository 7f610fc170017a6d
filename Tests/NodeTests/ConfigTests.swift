import Base
import Compression
import Node
import Testing
import WireProtocol

@Suite struct ConfigTests {
    private typealias Entry = DescribeConfigsResponse.DescribeConfigsResourceResult

    private func describe(
        _ node: inout NodeHarness, _ type: ConfigResource, _ name: String, _ key: String
    ) throws -> Entry? {
        let response = try node.call(
            DescribeConfigsRequest(
                resources: [
                    .init(
                        resourceType: type.rawValue, resourceName: name, configurationKeys: [key])
                ], includeSynonyms: true), version: 4)
        #expect(response.results.map(\.errorCode) == [.none])
        return response.results[0].configs.first
    }

    private func alter(
        _ node: inout NodeHarness, _ type: ConfigResource, _ name: String,
        _ changes: [(String, Int8, String?)]
    ) throws -> ErrorCode {
        let configs = changes.map {
            IncrementalAlterConfigsRequest.AlterableConfig(
                name: $0.0, configOperation: $0.1, value: $0.2)
        }
        let response = try node.call(
            IncrementalAlterConfigsRequest(resources: [
                .init(resourceType: type.rawValue, resourceName: name, configs: configs)
            ]), version: 1)
        return try #require(response.responses.first?.errorCode)
    }

    @Test func `topics follow the broker's settings, the nearest first`() throws {
        var node = try NodeHarness { configuration in
            #expect(configuration.start(with: "log.retention.hours", "2") == .taken)
            #expect(configuration.start(with: "log.retention.hours", "x") != .taken)
            #expect(configuration.start(with: "log.retention.ours", "1") == .unknown)
        }
        try node.createTopic("t")
        var entry = try describe(&node, .topic, "t", "retention.ms")
        #expect(entry?.value == "7200000")
        #expect(entry?.configSource == ConfigSource.staticBroker.rawValue)
        #expect(try alter(&node, .broker, "", [("log.retention.ms", 0, "5000")]) == .none)
        entry = try describe(&node, .topic, "t", "retention.ms")
        #expect(entry?.value == "5000")
        #expect(entry?.configSource == ConfigSource.dynamicDefaultBroker.rawValue)
        #expect(try alter(&node, .broker, "1", [("log.retention.ms", 0, "6000")]) == .none)
        entry = try describe(&node, .topic, "t", "retention.ms")
        #expect(entry?.value == "6000")
        #expect(entry?.configSource == ConfigSource.dynamicBroker.rawValue)
        #expect(try alter(&node, .topic, "t", [("retention.ms", 0, "7000")]) == .none)
        entry = try describe(&node, .topic, "t", "retention.ms")
        #expect(entry?.value == "7000")
        #expect(
            entry?.synonyms.map(\.value) == ["7000", "6000", "5000", "2", "168"])
        try node.restart()
        #expect(try describe(&node, .broker, "1", "log.retention.ms")?.value == "6000")
        #expect(try alter(&node, .topic, "t", [("retention.ms", 1, nil)]) == .none)
        #expect(try alter(&node, .broker, "1", [("log.retention.ms", 1, nil)]) == .none)
        #expect(try describe(&node, .topic, "t", "retention.ms")?.value == "5000")
    }

    @Test func `a default of the broker has its effect on old and new topics`() throws {
        var node = try NodeHarness()
        try node.createTopic("old")
        #expect(try alter(&node, .broker, "", [("message.max.bytes", 0, "100")]) == .none)
        try node.createTopic("new")
        let large = String(repeating: "x", count: 200)
        #expect(try node.produce("old", 0, [large]).errorCode == .messageTooLarge)
        #expect(try node.produce("new", 0, [large]).errorCode == .messageTooLarge)
        try node.restart()
        #expect(try node.produce("old", 0, [large]).errorCode == .messageTooLarge)
        #expect(try alter(&node, .broker, "", [("message.max.bytes", 1, nil)]) == .none)
        #expect(try node.produce("old", 0, [large]).errorCode == .none)
    }

    @Test func `settings of the broker that can't be changed say so`() throws {
        var node = try NodeHarness()
        #expect(try alter(&node, .broker, "1", [("num.partitions", 0, "3")]) == .invalidRequest)
        #expect(try alter(&node, .broker, "1", [("nonsense", 0, "3")]) == .invalidRequest)
        #expect(try alter(&node, .broker, "7", [("num.io.threads", 0, "3")]) == .invalidRequest)
        #expect(try alter(&node, .broker, "1", [("num.io.threads", 0, "x")]) == .invalidRequest)
        #expect(try alter(&node, .broker, "1", [("num.io.threads", 0, "9")]) == .none)
        #expect(try describe(&node, .broker, "1", "num.io.threads")?.value == "9")
        #expect(try describe(&node, .broker, "1", "num.partitions")?.readOnly == true)
        #expect(try describe(&node, .broker, "1", "num.io.threads")?.readOnly == false)
        #expect(try describe(&node, .broker, "", "num.io.threads") == nil)
    }

    @Test func `secrets are never told`() throws {
        var node = try NodeHarness {
            #expect($0.start(with: "ssl.key.password", "secret") == .taken)
        }
        let entry = try #require(try describe(&node, .broker, "1", "ssl.key.password"))
        #expect(entry.isSensitive && entry.value == nil)
        #expect(entry.synonyms.allSatisfy { $0.value == nil })
    }

    @Test func `settings of groups are kept and bounded`() throws {
        var node = try NodeHarness()
        #expect(
            try alter(&node, .group, "g", [("consumer.session.timeout.ms", 0, "50000")]) == .none)
        #expect(
            try alter(&node, .group, "g", [("consumer.session.timeout.ms", 0, "1")])
                == .invalidConfig)
        #expect(try alter(&node, .group, "g", [("retention.ms", 0, "1")]) == .invalidConfig)
        try node.restart()
        let entry = try describe(&node, .group, "g", "consumer.session.timeout.ms")
        #expect(entry?.value == "50000")
        #expect(entry?.configSource == ConfigSource.group.rawValue)
        #expect(
            try describe(&node, .group, "h", "consumer.session.timeout.ms")?.value == "45000")
        let listed = try node.call(ListConfigResourcesRequest(resourceTypes: [32]), version: 1)
        #expect(listed.configResources.map(\.resourceName) == ["g"])
    }

    @Test func `replacing settings forgets what is left out`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", [("segment.ms", "77")])
        func replace(_ configs: [(String, String?)]) throws -> ErrorCode {
            let response = try node.call(
                AlterConfigsRequest(resources: [
                    .init(
                        resourceType: 2, resourceName: "t",
                        configs: configs.map { .init(name: $0.0, value: $0.1) })
                ]), version: 2)
            return try #require(response.responses.first?.errorCode)
        }
        #expect(try replace([("retention.ms", "5")]) == .none)
        #expect(try describe(&node, .topic, "t", "retention.ms")?.value == "5")
        #expect(try describe(&node, .topic, "t", "segment.ms")?.value == "604800000")
        #expect(try replace([("retention.ms", nil)]) == .invalidRequest)
        #expect(try replace([("retention.ms", "5"), ("retention.ms", "6")]) == .invalidRequest)
        #expect(try replace([("nonsense", "6")]) == .invalidConfig)
    }

    @Test func `a topic may store batches in a codec of its own`() throws {
        var node = try NodeHarness()
        let value = String(repeating: "abcdefgh", count: 200)
        for codec in ["gzip", "snappy", "lz4", "zstd", "uncompressed", "producer"] {
            try node.createTopic(codec, [("compression.type", codec)])
            #expect(try node.produce(codec, 0, [value, "two"]).errorCode == .none)
            let response = try node.call(node.fetchRequest(codec, from: 0), version: 12)
            let data = try #require(response.responses.first?.partitions.first)
            #expect(try values(of: data) == [value, "two"])
            let expected = Codec(name: codec) ?? Codec.none
            #expect(data.records[0][22] & 7 == expected.rawValue)
        }
        try node.restart()
        #expect(try node.fetch("zstd", from: 0) == [value, "two"])
    }

    @Test func `every published setting is described, with a type and words about it`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        let response = try node.call(
            DescribeConfigsRequest(
                resources: [
                    .init(resourceType: 2, resourceName: "t", configurationKeys: nil),
                    .init(resourceType: 4, resourceName: "1", configurationKeys: nil),
                ], includeDocumentation: true), version: 4)
        #expect(response.results[0].configs.count >= 32)
        #expect(response.results[1].configs.count >= 250)
        for entry in response.results.flatMap(\.configs) {
            #expect(entry.configType > 0)
            #expect(entry.documentation?.isEmpty == false, "\(entry.name)")
        }
    }
}
