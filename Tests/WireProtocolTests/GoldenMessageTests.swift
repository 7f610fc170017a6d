import Base
import Testing
import WireProtocol

/// Reads and writes again what another implementation wrote, for every kind and version.
@Suite struct GoldenMessageTests {
    private static func reencode<Message: WireStructure>(
        _ type: Message.Type, _ bytes: Bytes, _ version: Int16
    ) throws -> Bytes {
        var reader = ByteReader(bytes)
        let message = try Message(from: &reader, version: version)
        #expect(reader.isAtEnd, "\(type) version \(version): bytes are left")
        var writer = ByteWriter()
        message.write(to: &writer, version: version)
        return writer.finish()
    }

    private static func request(_ kind: ApiKey, _ bytes: Bytes, _ version: Int16) throws -> Bytes {
        var reader = ByteReader(bytes)
        let request = try BrokerRequest(from: &reader, apiKey: kind, version: version)
        #expect(reader.isAtEnd, "\(kind) version \(version): bytes are left")
        var writer = ByteWriter()
        request.write(to: &writer, version: version)
        return writer.finish()
    }

    private static func response(_ kind: ApiKey, _ bytes: Bytes, _ version: Int16) throws -> Bytes {
        switch kind {
        case .produce: try reencode(ProduceResponse.self, bytes, version)
        case .fetch: try reencode(FetchResponse.self, bytes, version)
        case .listOffsets: try reencode(ListOffsetsResponse.self, bytes, version)
        case .metadata: try reencode(MetadataResponse.self, bytes, version)
        case .offsetCommit: try reencode(OffsetCommitResponse.self, bytes, version)
        case .offsetFetch: try reencode(OffsetFetchResponse.self, bytes, version)
        case .findCoordinator: try reencode(FindCoordinatorResponse.self, bytes, version)
        case .joinGroup: try reencode(JoinGroupResponse.self, bytes, version)
        case .heartbeat: try reencode(HeartbeatResponse.self, bytes, version)
        case .leaveGroup: try reencode(LeaveGroupResponse.self, bytes, version)
        case .syncGroup: try reencode(SyncGroupResponse.self, bytes, version)
        case .describeGroups: try reencode(DescribeGroupsResponse.self, bytes, version)
        case .listGroups: try reencode(ListGroupsResponse.self, bytes, version)
        case .apiVersions: try reencode(ApiVersionsResponse.self, bytes, version)
        case .createTopics: try reencode(CreateTopicsResponse.self, bytes, version)
        case .deleteTopics: try reencode(DeleteTopicsResponse.self, bytes, version)
        case .deleteRecords: try reencode(DeleteRecordsResponse.self, bytes, version)
        case .initProducerId: try reencode(InitProducerIdResponse.self, bytes, version)
        case .offsetForLeaderEpoch: try reencode(OffsetForLeaderEpochResponse.self, bytes, version)
        case .describeConfigs: try reencode(DescribeConfigsResponse.self, bytes, version)
        case .createPartitions: try reencode(CreatePartitionsResponse.self, bytes, version)
        case .deleteGroups: try reencode(DeleteGroupsResponse.self, bytes, version)
        case .incrementalAlterConfigs:
            try reencode(IncrementalAlterConfigsResponse.self, bytes, version)
        case .offsetDelete: try reencode(OffsetDeleteResponse.self, bytes, version)
        case .describeCluster: try reencode(DescribeClusterResponse.self, bytes, version)
        case .alterConfigs:
            try reencode(AlterConfigsResponse.self, bytes, version)
        case .alterReplicaLogDirs:
            try reencode(AlterReplicaLogDirsResponse.self, bytes, version)
        case .describeLogDirs:
            try reencode(DescribeLogDirsResponse.self, bytes, version)
        case .electLeaders:
            try reencode(ElectLeadersResponse.self, bytes, version)
        case .alterPartitionReassignments:
            try reencode(AlterPartitionReassignmentsResponse.self, bytes, version)
        case .listPartitionReassignments:
            try reencode(ListPartitionReassignmentsResponse.self, bytes, version)
        case .describeQuorum:
            try reencode(DescribeQuorumResponse.self, bytes, version)
        case .updateFeatures:
            try reencode(UpdateFeaturesResponse.self, bytes, version)
        case .unregisterBroker:
            try reencode(UnregisterBrokerResponse.self, bytes, version)
        case .listConfigResources:
            try reencode(ListConfigResourcesResponse.self, bytes, version)
        case .describeTopicPartitions:
            try reencode(DescribeTopicPartitionsResponse.self, bytes, version)
        case .addPartitionsToTxn:
            try reencode(AddPartitionsToTxnResponse.self, bytes, version)
        case .addOffsetsToTxn:
            try reencode(AddOffsetsToTxnResponse.self, bytes, version)
        case .endTxn: try reencode(EndTxnResponse.self, bytes, version)
        case .writeTxnMarkers:
            try reencode(WriteTxnMarkersResponse.self, bytes, version)
        case .txnOffsetCommit:
            try reencode(TxnOffsetCommitResponse.self, bytes, version)
        case .describeProducers:
            try reencode(DescribeProducersResponse.self, bytes, version)
        case .describeTransactions:
            try reencode(DescribeTransactionsResponse.self, bytes, version)
        case .listTransactions:
            try reencode(ListTransactionsResponse.self, bytes, version)
        default: Bytes.empty
        }
    }

    @Test(arguments: [
        ("messages/kafka-python.hex", 316), ("messages/kafka-python-admin.hex", 59),
        ("messages/kafka-python-transactions.hex", 60),
    ])
    func `every request and response survives reading and writing`(
        file: String, count: Int
    ) throws {
        let samples = try goldenSamples(file, keepEmpty: true)
        let kinds = Dictionary(
            uniqueKeysWithValues: ApiKey.allCases.map { ($0.publishedName, $0) })
        #expect(samples.count == count)
        for (name, bytes) in samples {
            let parts = name.split(separator: "-")
            let kind = try #require(kinds[String(parts[0])])
            let version = try #require(Int16(parts[2]))
            do {
                let again =
                    parts[1] == "Response"
                    ? try Self.response(kind, bytes, version)
                    : try Self.request(kind, bytes, version)
                #expect(again == bytes, "\(name)")
            } catch {
                Issue.record("\(name): \(error)")
            }
        }
    }

    @Test func `a message cut anywhere is refused`() throws {
        let samples = try goldenSamples("messages/kafka-python.hex", keepEmpty: true)
        for name in ["Fetch-Request-17", "JoinGroup-Request-5", "Produce-Request-9"] {
            let bytes = try #require(samples[name])
            let parts = name.split(separator: "-")
            let kind = try #require(
                ApiKey.allCases.first { $0.publishedName == String(parts[0]) })
            let version = try #require(Int16(parts[2]))
            for end in 0..<bytes.count {
                var reader = ByteReader(bytes[0..<end])
                #expect(throws: DecodeFailure.self, "\(name) cut at \(end)") {
                    try BrokerRequest(from: &reader, apiKey: kind, version: version)
                }
            }
        }
    }

    @Test func `fields of newer clients are skipped`() throws {
        var writer = ByteWriter()
        writer.stringField("weir", flexible: true)
        writer.stringField("1.0", flexible: true)
        var tags = TaggedFieldWriter()
        tags.add(7, Bytes([1, 2, 3]))
        tags.add(4000, .empty)
        writer.taggedFields(tags)
        var reader = ByteReader(writer.finish())
        let request = try ApiVersionsRequest(from: &reader, version: 3)
        #expect(request.clientSoftwareName == "weir")
        #expect(request.isWellFormed)
        #expect(reader.isAtEnd)
    }

    @Test func `tags out of order are refused`() throws {
        for content in [[2, 1, 0, 1, 0], [2, 5, 0, 2, 0], [1, 5, 9]] as [[UInt8]] {
            var reader = ByteReader(Bytes(content))
            #expect(throws: DecodeFailure.self) { try reader.skipTaggedFields() }
            reader = ByteReader(Bytes(content))
            #expect(throws: DecodeFailure.self) { _ = try reader.taggedFields() }
        }
    }

    @Test func `a hostile count allocates nothing`() throws {
        for count in [Int32.max, 1_000_001, -2] {
            var writer = ByteWriter()
            writer.int32(count)
            writer.zeros(64)
            var reader = ByteReader(writer.finish())
            #expect(throws: DecodeFailure.self) {
                try reader.array(of: FetchRequest.FetchTopic.self, version: 4, flexible: false)
            }
        }
    }
}
