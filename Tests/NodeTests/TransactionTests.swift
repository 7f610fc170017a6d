import Base
import Log
import Node
import Testing
import WireProtocol

/// A transactional producer over frames. `version` 11 asks for each partition, 12 just writes.
struct Producer {
    let id: String
    let version: Int16
    var producerID: Int64 = -1
    var epoch: Int16 = -1
    var sequences: [Int32: Int32] = [:]

    init(_ id: String, version: Int16) {
        self.id = id
        self.version = version
    }

    var bumps: Bool { version >= 12 }

    mutating func start(_ node: inout NodeHarness, timeout: Int32 = 60_000) throws -> ErrorCode {
        let answer = try node.call(
            InitProducerIdRequest(transactionalId: id, transactionTimeoutMs: timeout), version: 4)
        if answer.errorCode == .none {
            producerID = answer.producerId
            epoch = answer.producerEpoch
            sequences = [:]
        }
        return answer.errorCode
    }

    func add(_ node: inout NodeHarness, _ partitions: [Int32] = [0]) throws -> [ErrorCode] {
        let answer = try node.call(
            AddPartitionsToTxnRequest(
                transactionalId: id, producerId: producerID, producerEpoch: epoch,
                topics: [.init(name: "t", partitions: partitions)]), version: 3)
        return answer.resultsByTopic.flatMap { $0.resultsByPartition.map(\.partitionErrorCode) }
    }

    func request(_ node: NodeHarness, _ values: [String], partition: Int32 = 0) -> ProduceRequest {
        var builder = RecordBatchBuilder()
        for value in values {
            builder.append(
                key: nil, value: Bytes(utf8: value),
                timestamp: Timestamp(milliseconds: node.milliseconds))
        }
        var properties = RecordBatchBuilder.Properties()
        properties.producerId = producerID
        properties.producerEpoch = epoch
        properties.baseSequence = sequences[partition] ?? 0
        properties.isTransactional = true
        guard let batch = try? builder.finish(properties) else { return ProduceRequest() }
        var request = node.produceRequest("t", partition, batch)
        request.transactionalId = id
        return request
    }

    mutating func write(
        _ node: inout NodeHarness, _ values: [String], partition: Int32 = 0
    ) throws -> ErrorCode {
        let answer = try node.call(
            request(node, values, partition: partition), version: version)
        let result = answer.responses[0].partitionResponses[0]
        if result.errorCode == .none {
            sequences[partition, default: 0] += Int32(values.count)
        }
        return result.errorCode
    }

    mutating func end(_ node: inout NodeHarness, commit: Bool) throws -> ErrorCode {
        let answer = try node.call(
            EndTxnRequest(
                transactionalId: id, producerId: producerID, producerEpoch: epoch,
                committed: commit), version: bumps ? 5 : 3)
        if bumps, answer.errorCode == .none {
            producerID = answer.producerId
            epoch = answer.producerEpoch
            sequences = [:]
        }
        return answer.errorCode
    }
}

extension NodeHarness {
    fileprivate mutating func committed(_ partition: Int32 = 0) throws -> (
        values: [String], aborted: Int
    ) {
        var request = fetchRequest("t", partition, from: 0)
        request.isolationLevel = 1
        let data = try #require(
            try call(request, version: 11).responses.first?.partitions.first)
        var aborted = data.abortedTransactions ?? []
        var skipped: Set<Int64> = []
        var found: [String] = []
        var batches = RecordBatchSequence(Bytes.joined(data.records))
        while let batch = try batches.next() {
            while let first = aborted.first, first.firstOffset <= batch.header.lastOffset.value {
                skipped.insert(first.producerId)
                aborted.removeFirst()
            }
            if batch.header.isControl {
                skipped.remove(batch.header.producerId)
                continue
            }
            if skipped.contains(batch.header.producerId) { continue }
            var records = try batch.records()
            while let record = try records.next() { found.append(record.value?.text ?? "") }
        }
        return (found, data.abortedTransactions?.count ?? -1)
    }
}

@Suite struct TransactionNodeTests {
    @Test(arguments: [Int16(9), 11, 12])
    func `transactions are seen when they are committed, and never when aborted`(
        version: Int16
    ) throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        var producer = Producer("x", version: version)
        #expect(try producer.start(&node) == .none)
        for round in 0..<4 {
            if !producer.bumps { #expect(try producer.add(&node, [0, 1]) == [.none, .none]) }
            #expect(try producer.write(&node, ["a\(round)"]) == .none)
            #expect(try producer.write(&node, ["b\(round)", "c\(round)"], partition: 1) == .none)
            #expect(try producer.write(&node, ["d\(round)"]) == .none)
            let before = try node.committed().values
            #expect(!before.contains("a\(round)"))
            #expect(try producer.end(&node, commit: round % 2 == 0) == .none)
        }
        #expect(try node.committed().values == ["a0", "d0", "a2", "d2"])
        #expect(try node.committed().aborted == 2)
        #expect(try node.committed(1).values == ["b0", "c0", "b2", "c2"])
        try node.restart()
        #expect(try node.committed().values == ["a0", "d0", "a2", "d2"])
        #expect(
            try producer.write(&node, ["late"])
                == (version == 9 ? .invalidTxnState : version == 11 ? .transactionAbortable : .none)
        )
    }

    @Test func `a transactional batch needs its transaction`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        var old = Producer("x", version: 9)
        _ = try old.start(&node)
        #expect(try old.write(&node, ["a"]) == .invalidTxnState)
        var newer = Producer("x", version: 11)
        _ = try newer.start(&node)
        #expect(try newer.write(&node, ["a"]) == .transactionAbortable)
        #expect(try old.write(&node, ["a"]) == .invalidProducerEpoch)
        var stranger = Producer("y", version: 11)
        stranger.producerID = newer.producerID
        stranger.epoch = 0
        #expect(try stranger.write(&node, ["a"]) == .invalidProducerIdMapping)
        var without = newer.request(node, ["a"])
        without.transactionalId = nil
        #expect(
            try node.call(without, version: 9).responses[0].partitionResponses[0].errorCode
                == .invalidRequest)
        #expect(try node.fetch("t", from: 0).isEmpty)
    }

    @Test func `a new producer fences the old one and its open transaction`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        var zombie = Producer("x", version: 12)
        _ = try zombie.start(&node)
        #expect(try zombie.write(&node, ["zombie"]) == .none)
        var producer = Producer("x", version: 12)
        #expect(try producer.start(&node) == .concurrentTransactions)
        #expect(try producer.start(&node) == .none)
        #expect(try zombie.write(&node, ["again"]) == .invalidProducerEpoch)
        #expect(try zombie.end(&node, commit: true) == .producerFenced)
        #expect(try producer.write(&node, ["new"]) == .none)
        #expect(try producer.end(&node, commit: true) == .none)
        #expect(try node.committed().values == ["new"])
    }

    @Test func `writes of one connection stay in order while a partition joins`() throws {
        var node = try NodeHarness()
        try node.createTopic("t", partitions: 2)
        var producer = Producer("x", version: 12)
        _ = try producer.start(&node)
        node.holdsSyncs = true
        let id = node.connect()
        for number in 0..<4 {
            producer.sequences[0] = Int32(number)
            node.request(id, producer.request(node, ["\(number)"]), version: 12)
        }
        for _ in 0..<6 { node.completeSync() }
        for number in 0..<4 {
            let answer = try node.answer(id, ProduceResponse.self, version: 12)
            let result = try #require(answer?.responses.first?.partitionResponses.first)
            #expect(result.errorCode == .none)
            #expect(result.baseOffset == Int64(number))
        }
    }

    @Test func `the end is answered before the markers are there, which a restart still writes`()
        throws
    {
        var node = try NodeHarness()
        try node.createTopic("t")
        var producer = Producer("x", version: 12)
        _ = try producer.start(&node)
        #expect(try producer.write(&node, ["a"]) == .none)
        node.holdsSyncs = true
        let id = node.connect()
        node.request(
            id,
            EndTxnRequest(
                transactionalId: "x", producerId: producer.producerID,
                producerEpoch: producer.epoch, committed: true), version: 5)
        #expect(node.sent[id.value] == nil)
        node.completeSync()
        let answer = try node.answer(id, EndTxnResponse.self, version: 5)
        #expect(answer?.producerEpoch == producer.epoch + 1)
        #expect(try node.committed().values.isEmpty)
        node.holdsSyncs = false
        try node.restart()
        #expect(try node.committed().values == ["a"])
        let state = try node.call(
            DescribeTransactionsRequest(transactionalIds: ["x"]), version: 0)
        #expect(state.transactionStates.first?.transactionState == "CompleteCommit")
    }

    @Test func `a transaction that nobody ends is aborted in time`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        var producer = Producer("x", version: 11)
        _ = try producer.start(&node, timeout: 5000)
        _ = try producer.add(&node)
        #expect(try producer.write(&node, ["a"]) == .none)
        let open = try node.call(
            ListTransactionsRequest(stateFilters: ["Ongoing"], durationFilter: -1), version: 1)
        #expect(open.transactionStates.map(\.transactionalId) == ["x"])
        for (pattern, ids) in [("x", ["x"]), ("x.+", []), ("y|x", ["x"]), ("", ["x"])] {
            let matched = try node.call(
                ListTransactionsRequest(transactionalIdPattern: pattern), version: 2)
            #expect(matched.errorCode == .none)
            #expect(matched.transactionStates.map(\.transactionalId) == ids, "\(pattern)")
        }
        let bad = try node.call(ListTransactionsRequest(transactionalIdPattern: "("), version: 2)
        #expect(bad.errorCode == .invalidRegularExpression)
        node.advance(20_000)
        #expect(try node.committed().aborted == 1)
        #expect(try producer.end(&node, commit: true) == .producerFenced)
    }

    @Test func `a hanging transaction is found and aborted by its operator`() throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        var producer = Producer("x", version: 11)
        _ = try producer.start(&node)
        _ = try producer.add(&node)
        #expect(try producer.write(&node, ["a"]) == .none)
        let described = try node.call(
            DescribeProducersRequest(topics: [.init(name: "t", partitionIndexes: [0, 5])]),
            version: 0)
        let states = described.topics[0].partitions
        #expect(states.map(\.errorCode) == [.none, .unknownTopicOrPartition])
        let hanging = try #require(states[0].activeProducers.first)
        #expect(hanging.currentTxnStartOffset == 0)
        #expect(hanging.producerId == producer.producerID)
        func abort(_ coordinatorEpoch: Int32) throws -> ErrorCode? {
            let answer = try node.call(
                WriteTxnMarkersRequest(markers: [
                    .init(
                        producerId: hanging.producerId,
                        producerEpoch: Int16(hanging.producerEpoch), transactionResult: false,
                        topics: [.init(name: "t", partitionIndexes: [0])],
                        coordinatorEpoch: coordinatorEpoch)
                ]), version: 1)
            return answer.markers.first?.topics.first?.partitions.first?.errorCode
        }
        #expect(try abort(3) == ErrorCode.none)
        #expect(try node.committed().aborted == 1)
        #expect(try abort(2) == .transactionCoordinatorFenced)
    }

    // MARK: Offsets

    private func offsets(
        _ node: inout NodeHarness, stable: Bool = true
    ) throws -> (Int64, ErrorCode) {
        let answer = try node.call(
            OffsetFetchRequest(
                groupId: "g", topics: [.init(name: "t", partitionIndexes: [0])],
                requireStable: stable), version: 7)
        let found = try #require(answer.topics.first?.partitions.first)
        return (found.committedOffset, found.errorCode)
    }

    @Test(arguments: [Int16(3), 5])
    func `offsets are committed with the transaction`(version: Int16) throws {
        var node = try NodeHarness()
        try node.createTopic("t")
        var producer = Producer("x", version: version == 5 ? 12 : 11)
        _ = try producer.start(&node)
        func commit(_ offset: Int64) throws -> ErrorCode? {
            try node.call(
                TxnOffsetCommitRequest(
                    transactionalId: "x", groupId: "g", producerId: producer.producerID,
                    producerEpoch: producer.epoch,
                    topics: [
                        .init(
                            name: "t",
                            partitions: [.init(partitionIndex: 0, committedOffset: offset)])
                    ]), version: version
            ).topics.first?.partitions.first?.errorCode
        }
        for (round, commits) in [true, false, true].enumerated() {
            if version == 3 {
                if round == 0 { #expect(try commit(1) == .invalidTxnState) }
                let added = try node.call(
                    AddOffsetsToTxnRequest(
                        transactionalId: "x", producerId: producer.producerID,
                        producerEpoch: producer.epoch, groupId: "g"), version: 3)
                #expect(added.errorCode == .none)
            }
            let before = try offsets(&node)
            #expect(try commit(Int64(10 + round)) == ErrorCode.none)
            #expect(try offsets(&node) == (-1, .unstableOffsetCommit))
            #expect(try offsets(&node, stable: false) == before)
            if round == 1 {
                try node.restart()
                #expect(try offsets(&node) == (-1, .unstableOffsetCommit))
            }
            #expect(try producer.end(&node, commit: commits) == .none)
            #expect(try offsets(&node) == (commits ? Int64(10 + round) : before.0, .none))
        }
        try node.restart()
        #expect(try offsets(&node) == (12, .none))
    }

    @Test func `features say that transactions have their own epochs`() throws {
        var node = try NodeHarness()
        let answer = try node.call(
            ApiVersionsRequest(clientSoftwareName: "a", clientSoftwareVersion: "1"), version: 4)
        let feature = answer.finalizedFeatures.first { $0.name == "transaction.version" }
        #expect(feature?.maxVersionLevel == 2)
        #expect(answer.finalizedFeaturesEpoch >= 0)
        let found = try node.call(
            FindCoordinatorRequest(keyType: 1, coordinatorKeys: ["x"]), version: 4)
        #expect(found.coordinators.first?.errorCode == ErrorCode.none)
        #expect(found.coordinators.first?.nodeId == 1)
    }
}
