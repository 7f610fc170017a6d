import Base
import Testing
import WireProtocol

/// Layouts of the share group requests, spelled out byte by byte from the published schemas, because
/// the reference library of the golden files has none of them.
@Suite struct ShareMessageTests {
    private static let id = UUID128(high: 0x0102_0304_0506_0708, low: 0x090A_0B0C_0D0E_0F10)
    private static let idBytes: [UInt8] = Array(1...16)

    private func bytes(_ message: some WireStructure, _ version: Int16) -> [UInt8] {
        var writer = ByteWriter()
        message.write(to: &writer, version: version)
        return writer.finish().array
    }

    /// What is written is this, and reads the same again, and no prefix of it reads at all.
    private func check<Message: WireStructure & Equatable>(
        _ message: Message, _ version: Int16, _ expected: [[UInt8]]
    ) throws {
        let expected = Array(expected.joined())
        #expect(bytes(message, version) == expected)
        var reader = ByteReader(Bytes(expected))
        #expect(try Message(from: &reader, version: version) == message)
        #expect(reader.isAtEnd)
        for end in expected.indices {
            var reader = ByteReader(Bytes(expected[..<end]))
            #expect(throws: DecodeFailure.self, "cut at \(end)") {
                try Message(from: &reader, version: version)
            }
        }
        #expect(expected.count >= Message.minimumWireBytes)
    }

    @Test func `heartbeats`() throws {
        try check(
            ShareGroupHeartbeatRequest(
                groupId: "g", memberId: "me", memberEpoch: -1, subscribedTopicNames: ["t"]), 1,
            [
                [2, 0x67], [3, 0x6D, 0x65], [0xFF, 0xFF, 0xFF, 0xFF], [0], [2, 2, 0x74], [0],
            ])
        try check(
            ShareGroupHeartbeatResponse(
                throttleTimeMs: 7, memberId: "m", memberEpoch: 3, heartbeatIntervalMs: 5000,
                assignment: .init(topicPartitions: [
                    .init(topicId: Self.id, partitions: [0, 2])
                ])), 1,
            [
                [0, 0, 0, 7], [0, 0], [0], [2, 0x6D], [0, 0, 0, 3], [0, 0, 0x13, 0x88],
                [1, 2], Self.idBytes, [3, 0, 0, 0, 0, 0, 0, 0, 2], [0], [0], [0],
            ])
        try check(
            ShareGroupHeartbeatResponse(errorCode: .unknownMemberId, errorMessage: "x"), 1,
            [
                [0, 0, 0, 0], [0, 25], [2, 0x78], [0], [0, 0, 0, 0], [0, 0, 0, 0], [0xFF], [0],
            ])
    }

    @Test func `descriptions`() throws {
        try check(
            ShareGroupDescribeRequest(groupIds: ["g"], includeAuthorizedOperations: true), 1,
            [[2, 2, 0x67], [1], [0]])
        try check(
            ShareGroupDescribeResponse(groups: [
                .init(
                    groupId: "g", groupState: "S", groupEpoch: 1, assignmentEpoch: 2,
                    assignorName: "a",
                    members: [
                        .init(
                            memberId: "m", rackId: nil, memberEpoch: 3, clientId: "c",
                            clientHost: "h", subscribedTopicNames: ["t"],
                            assignment: .init(topicPartitions: [
                                .init(topicId: Self.id, topicName: "t", partitions: [1])
                            ]))
                    ])
            ]), 1,
            [
                [0, 0, 0, 0], [2], [0, 0], [0], [2, 0x67], [2, 0x53], [0, 0, 0, 1], [0, 0, 0, 2],
                [2, 0x61], [2], [2, 0x6D], [0], [0, 0, 0, 3], [2, 0x63], [2, 0x68], [2, 2, 0x74],
                [2], Self.idBytes, [2, 0x74], [2, 0, 0, 0, 1], [0], [0], [0],
                [0x80, 0, 0, 0], [0], [0],
            ])
    }

    private static let acknowledgement = AcknowledgementBatch(
        firstOffset: 5, lastOffset: 7, acknowledgeTypes: [1, 2, 4])
    private static let acknowledgementBytes: [UInt8] = [
        2, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 7, 4, 1, 2, 4, 0,
    ]

    @Test func `fetches`() throws {
        var request = ShareFetchRequest(
            groupId: "g", memberId: nil, shareSessionEpoch: 1, maxWaitMs: 2, minBytes: 3,
            maxBytes: 4, maxRecords: 5, batchSize: 6,
            topics: [
                .init(
                    topicId: Self.id,
                    partitions: [
                        .init(partitionIndex: 9, acknowledgementBatches: [Self.acknowledgement])
                    ])
            ], forgottenTopicsData: [.init(topicId: Self.id, partitions: [8])])
        let head: [[UInt8]] = [
            [2, 0x67], [0], [0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 4],
            [0, 0, 0, 5], [0, 0, 0, 6],
        ]
        let tail: [[UInt8]] = [
            [2], Self.idBytes, [2, 0, 0, 0, 9], Self.acknowledgementBytes, [0], [0], [2],
            Self.idBytes, [2, 0, 0, 0, 8], [0], [0],
        ]
        try check(request, 1, head + tail)
        request.shareAcquireMode = 1
        request.isRenewAck = true
        try check(request, 2, head + [[1], [1]] + tail)
        let response = ShareFetchResponse(
            acquisitionLockTimeoutMs: 30_000,
            responses: [
                .init(
                    topicId: Self.id,
                    partitions: [
                        .init(
                            partitionIndex: 1, acknowledgeErrorCode: .invalidRecordState,
                            acknowledgeErrorMessage: "x",
                            currentLeader: .init(leaderId: 1, leaderEpoch: 2),
                            records: [Bytes([0xAA, 0xBB])],
                            acquiredRecords: [
                                .init(firstOffset: 1, lastOffset: 2, deliveryCount: 3)
                            ])
                    ])
            ], nodeEndpoints: [.init(nodeId: 1, host: "h", port: 2, rack: nil)])
        let expected: [[UInt8]] = [
            [0, 0, 0, 0], [0, 0], [0], [0, 0, 0x75, 0x30], [2], Self.idBytes, [2],
            [0, 0, 0, 1], [0, 0], [0], [0, 121], [2, 0x78], [0, 0, 0, 1, 0, 0, 0, 2, 0],
            [3, 0xAA, 0xBB], [2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0], [0],
            [0], [2, 0, 0, 0, 1, 2, 0x68, 0, 0, 0, 2, 0, 0], [0],
        ]
        try check(response, 1, expected)
        try check(response, 2, expected)
    }

    @Test func `acknowledgements`() throws {
        var request = ShareAcknowledgeRequest(
            groupId: nil, memberId: "m", shareSessionEpoch: -1,
            topics: [
                .init(
                    topicId: Self.id,
                    partitions: [
                        .init(partitionIndex: 9, acknowledgementBatches: [Self.acknowledgement])
                    ])
            ])
        let head: [[UInt8]] = [[0], [2, 0x6D], [0xFF, 0xFF, 0xFF, 0xFF]]
        let tail: [[UInt8]] = [
            [2], Self.idBytes, [2, 0, 0, 0, 9], Self.acknowledgementBytes, [0], [0], [0],
        ]
        try check(request, 1, head + tail)
        request.isRenewAck = true
        try check(request, 2, head + [[1]] + tail)
        var response = ShareAcknowledgeResponse(responses: [
            .init(
                topicId: Self.id,
                partitions: [
                    .init(
                        partitionIndex: 1, errorCode: .invalidRequest,
                        currentLeader: .init(leaderId: -1, leaderEpoch: -1))
                ])
        ])
        let start: [[UInt8]] = [[0, 0, 0, 0], [0, 0], [0]]
        let end: [[UInt8]] = [
            [2], Self.idBytes, [2], [0, 0, 0, 1], [0, 42], [0],
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0], [0], [0], [1], [0],
        ]
        try check(response, 1, start + end)
        response.acquisitionLockTimeoutMs = 1
        try check(response, 2, start + [[0, 0, 0, 1]] + end)
    }

    @Test func `offsets`() throws {
        let described = DescribeShareGroupOffsetsRequest(groups: [
            .init(groupId: "g", topics: [.init(topicName: "t", partitions: [1])]),
            .init(groupId: "h", topics: nil),
        ])
        let request: [[UInt8]] = [
            [3], [2, 0x67], [2], [2, 0x74], [2, 0, 0, 0, 1], [0], [0], [2, 0x68], [0], [0], [0],
        ]
        try check(described, 0, request)
        try check(described, 1, request)
        var response = DescribeShareGroupOffsetsResponse(groups: [
            .init(
                groupId: "g",
                topics: [
                    .init(
                        topicName: "t", topicId: Self.id,
                        partitions: [
                            .init(partitionIndex: 1, startOffset: 2, leaderEpoch: 3)
                        ])
                ], errorCode: .none, errorMessage: nil)
        ])
        let head: [[UInt8]] = [
            [0, 0, 0, 0], [2], [2, 0x67], [2], [2, 0x74], Self.idBytes, [2], [0, 0, 0, 1],
            [0, 0, 0, 0, 0, 0, 0, 2], [0, 0, 0, 3],
        ]
        let tail: [[UInt8]] = [[0, 0], [0], [0], [0], [0, 0], [0], [0], [0]]
        try check(response, 0, head + tail)
        response.groups[0].topics[0].partitions[0].lag = 4
        try check(response, 1, head + [[0, 0, 0, 0, 0, 0, 0, 4]] + tail)
        try check(
            AlterShareGroupOffsetsRequest(
                groupId: "g",
                topics: [
                    .init(
                        topicName: "t", partitions: [.init(partitionIndex: 1, startOffset: 2)])
                ]), 0,
            [
                [2, 0x67], [2], [2, 0x74], [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0], [0], [0],
            ])
        try check(
            AlterShareGroupOffsetsResponse(responses: [
                .init(
                    topicName: "t", topicId: Self.id,
                    partitions: [.init(partitionIndex: 1, errorCode: .invalidRequest)])
            ]), 0,
            [
                [0, 0, 0, 0], [0, 0], [0], [2], [2, 0x74], Self.idBytes,
                [2, 0, 0, 0, 1, 0, 42, 0, 0], [0], [0],
            ])
        try check(
            DeleteShareGroupOffsetsRequest(groupId: "g", topics: [.init(topicName: "t")]), 0,
            [[2, 0x67], [2], [2, 0x74], [0], [0]])
        try check(
            DeleteShareGroupOffsetsResponse(responses: [
                .init(topicName: "t", topicId: Self.id, errorCode: .none, errorMessage: "x")
            ]), 0,
            [
                [0, 0, 0, 0], [0, 0], [0], [2], [2, 0x74], Self.idBytes, [0, 0], [2, 0x78], [0],
                [0],
            ])
    }
}
