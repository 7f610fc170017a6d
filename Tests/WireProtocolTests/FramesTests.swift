import Base
import Testing
import WireProtocol

@Suite struct FramesTests {
    @Test func `a request frame is read back`() throws {
        let request = MetadataRequest(topics: [.init(name: "events")])
        for version in Int16(0)...13 {
            let frame = Bytes.joined(
                request.frame(version: version, correlationId: 7, clientId: "me"))
            var reader = ByteReader(frame)
            #expect(Int(try reader.int32()) == frame.count - 4)
            let header = try RequestHeader(from: &reader, table: .all)
            #expect(header.kind == .metadata)
            #expect(header.correlationId == 7)
            #expect(header.clientId == "me")
            let body = try MetadataRequest(from: &reader, version: version)
            #expect(body.topics?.first?.name == "events")
            #expect(reader.isAtEnd)
        }
    }

    @Test func `records travel in a frame without being copied`() throws {
        let records = [Bytes(utf8: "first batch"), Bytes(utf8: "second")]
        let response = FetchResponse(responses: [
            .init(
                topic: "a",
                partitions: [
                    .init(partitionIndex: 0, records: records), .init(partitionIndex: 1),
                    .init(partitionIndex: 2, records: [records[1]]),
                ])
        ])
        for version in Int16(4)...17 {
            let pieces = response.frame(version: version, correlationId: 9)
            #expect(pieces.contains { $0.storage === records[0].storage })
            let frame = Bytes.joined(pieces)
            var copied = ByteWriter()
            response.write(to: &copied, version: version)
            let body = copied.finish()
            #expect(frame[frame.count - body.count..<frame.count] == body)
            var reader = ByteReader(frame)
            #expect(Int(try reader.int32()) == frame.count - 4)
            let header = try ResponseHeader(from: &reader, apiKey: .fetch, version: version)
            #expect(header.correlationId == 9)
            let read = try FetchResponse(from: &reader, version: version)
            #expect(read.responses[0].partitions[0].records == [Bytes.joined(records)])
            #expect(read.responses[0].partitions[1].records.isEmpty)
        }
    }

    @Test func `the answer to ApiVersions never has a flexible header`() throws {
        let frame = Bytes.joined(
            ApiVersionTable.all.response(version: 3).frame(version: 3, correlationId: 1))
        var reader = ByteReader(frame)
        try reader.skip(8)
        let body = try ApiVersionsResponse(from: &reader, version: 3)
        let produce = try #require(body.apiKeys.first { $0.apiKey == 0 })
        #expect(produce.minVersion == 0)
        #expect(produce.maxVersion == 13)
        #expect(reader.isAtEnd)
    }

    @Test func `an unknown version of ApiVersions is refused in the oldest layout`() throws {
        var writer = ByteWriter()
        writer.int16(18)
        writer.int16(99)
        writer.int32(5)
        writer.int16(-1)
        writer.bytes([0xFF, 0xFF, 0xFF] as [UInt8])
        var reader = ByteReader(writer.finish())
        let header = try RequestHeader(from: &reader, table: .all)
        #expect(header.apiVersion == 99)
        #expect(header.clientId == nil)
        #expect(reader.remaining == 3)
        #expect(!ApiVersionTable.all.serves(.apiVersions, version: 99))
        let refusal = Bytes.joined(ApiVersionTable.all.refusal.frame(version: 0, correlationId: 5))
        var answer = ByteReader(refusal)
        try answer.skip(8)
        #expect(try answer.int16() == 35)
    }

    @Test func `every served version has a layout and every kind its number`() throws {
        for entry in ApiVersionTable.all.entries {
            // The handshake of SASL is the one kind that never became flexible.
            let isClassic = entry.apiKey == .saslHandshake
            #expect((entry.apiKey.firstFlexibleVersion == nil) == isClassic)
            #expect(entry.advertisedMinimum <= entry.versions.lowerBound)
        }
        #expect(ApiVersionTable.all.serves(.fetch, version: 17))
        #expect(!ApiVersionTable.all.serves(.fetch, version: 3))
        #expect(!ApiVersionTable.all.serves(.produce, version: 2))
        let few = ApiVersionTable.all.restricted(to: [.apiVersions, .fetch])
        #expect(few.entries.map(\.apiKey) == [.fetch, .apiVersions])
    }

    @Test func `names of software are checked`() {
        func wellFormed(_ name: String) -> Bool {
            ApiVersionsRequest(
                clientSoftwareName: name, clientSoftwareVersion: "1.0-a"
            ).isWellFormed
        }
        #expect(wellFormed("apache-kafka-java") && wellFormed("a"))
        #expect(!wellFormed("") && !wellFormed("-a") && !wellFormed("a.") && !wellFormed("a b"))
    }

    @Test func `error codes have their published names`() {
        #expect(ErrorCode.unknownTopicOrPartition.publishedName == "UNKNOWN_TOPIC_OR_PARTITION")
        #expect(ErrorCode.none.publishedName == "NONE")
        #expect(ErrorCode(number: 9999) == .unknownServerError)
        #expect(ErrorCode(number: 3).isRetriable && !ErrorCode.topicAlreadyExists.isRetriable)
    }

    @Test func `text too long for a classic string is cut between characters`() throws {
        var writer = ByteWriter()
        writer.stringField(String(repeating: "ă", count: 20_000), flexible: false)
        var reader = ByteReader(writer.finish())
        #expect(try reader.stringField(flexible: false).count == 16_383)
    }
}
