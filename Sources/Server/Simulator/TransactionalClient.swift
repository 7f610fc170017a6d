// Producers of the transaction simulation: they follow the rules of the protocol, one request at a
// time, but forget things now and then.

import Base
import Compression
import WireProtocol

struct TransactionalClient {
    enum Phase: Equatable {
        /// It has no identity, or lost it.
        case needsID
        /// The partitions are added first, where the protocol wants it.
        case joining
        case writing
        case addingGroup
        case committingOffsets
        case ending(commit: Bool)
        case done
    }

    let id: Int
    let bumpsEpochs: Bool
    var phase = Phase.needsID
    var producerID: Int64 = -1
    var epoch: Int16 = -1
    var sequences: [Int: Int32] = [:]
    /// The transaction in the books of the checker.
    var transaction: Int?
    /// The batches that were not written yet, in order.
    var batches: [(partition: Int, bytes: Bytes, texts: [String])] = []
    var isWaiting = false
    var commits = true
    var nextOffset: Int64 = 0
    var commitsOffsets = false
    /// What it was when it forgot its transaction.
    var zombie: (producerID: Int64, epoch: Int16)?

    init(id: Int, bumpsEpochs: Bool) {
        self.id = id
        self.bumpsEpochs = bumpsEpochs
    }

    var transactionalID: String { "client-\(id)" }
    var group: String { "group-\(id)" }
    var produceVersion: Int16 { bumpsEpochs ? 12 : 11 }
    var endVersion: Int16 { bumpsEpochs ? 5 : 3 }
    var commitVersion: Int16 { bumpsEpochs ? 5 : 3 }
}

extension TransactionSimulation {
    /// Sends the client's next request, if none is under way.
    mutating func act(_ index: Int) {
        guard node != nil, !clients[index].isWaiting, clients[index].phase != .done else { return }
        guard topicExists else {
            if index == 0 { createTopic() }
            return
        }
        if !isDraining, clients[index].transaction != nil, load.chance(1, in: 60) {
            forgetTransaction(index)
        }
        clients[index].isWaiting = true
        switch clients[index].phase {
        case .needsID:
            send(
                index,
                InitProducerIdRequest(
                    transactionalId: clients[index].transactionalID,
                    transactionTimeoutMs: Int32(load.within(30...400))), version: 4)
        case .joining: join(index)
        case .writing: write(index)
        case .addingGroup:
            send(
                index,
                AddOffsetsToTxnRequest(
                    transactionalId: clients[index].transactionalID,
                    producerId: clients[index].producerID, producerEpoch: clients[index].epoch,
                    groupId: clients[index].group), version: 3)
        case .committingOffsets: commitOffsets(index)
        case .ending(let commit):
            send(
                index,
                EndTxnRequest(
                    transactionalId: clients[index].transactionalID,
                    producerId: clients[index].producerID, producerEpoch: clients[index].epoch,
                    committed: commit), version: clients[index].endVersion)
        case .done: break
        }
    }

    private mutating func createTopic() {
        let request = CreateTopicsRequest(topics: [
            .init(
                name: Self.topic, numPartitions: Int32(partitionCount), replicationFactor: 1,
                configs: topicSettings.map { .init(name: $0.name, value: $0.value) })
        ])
        clients[0].isWaiting = true
        send(0, request, version: 7)
    }

    private mutating func beginTransaction(_ index: Int) {
        if isDraining {
            clients[index].phase = .done
            return
        }
        let number = checker.begin(client: index)
        clients[index].transaction = number
        clients[index].commits = !load.chance(1, in: 4)
        clients[index].commitsOffsets = load.chance(1, in: 2)
        clients[index].batches = []
        var sequences = clients[index].sequences
        for batch in 0..<load.within(1...4) {
            let partition = load.below(partitionCount)
            var builder = RecordBatchBuilder()
            let count = load.within(1...3)
            var texts: [String] = []
            for record in 0..<count {
                let length = load.below(load.chance(1, in: 6) ? 900 : 60)
                let text =
                    "t\(number) b\(batch) r\(record) " + String(repeating: "x", count: length)
                // The first record of each transaction stays, whatever the cleaner does: by it a
                // transaction is known.
                let isShared = isCompacted && batch + record > 0 && load.chance(2, in: 3)
                let sharedKey = isShared ? "k\(load.below(4))" : nil
                checker.add(text, sharedKey: sharedKey, partition: partition, to: number)
                let key = isCompacted ? sharedKey ?? "t\(number) b\(batch) r\(record)" : nil
                builder.append(
                    key: key.map { Bytes(utf8: $0) }, value: Bytes(utf8: text),
                    timestamp: now.timestamp)
                texts.append(text)
            }
            var properties = RecordBatchBuilder.Properties()
            properties.producerId = clients[index].producerID
            properties.producerEpoch = clients[index].epoch
            properties.baseSequence = sequences[partition] ?? 0
            properties.isTransactional = true
            sequences[partition, default: 0] += Int32(count)
            do throws(CodecFailure) {
                clients[index].batches.append(
                    (partition, try builder.finish(properties), texts))
            } catch {
                return anomaly("a batch could not be built")
            }
        }
        clients[index].phase = clients[index].bumpsEpochs ? .writing : .joining
    }

    private mutating func join(_ index: Int) {
        var partitions: [Int32] = []
        for batch in clients[index].batches where !partitions.contains(Int32(batch.partition)) {
            partitions.append(Int32(batch.partition))
        }
        send(
            index,
            AddPartitionsToTxnRequest(
                transactionalId: clients[index].transactionalID,
                producerId: clients[index].producerID, producerEpoch: clients[index].epoch,
                topics: [.init(name: Self.topic, partitions: partitions)]), version: 3)
    }

    private mutating func write(_ index: Int) {
        guard let batch = clients[index].batches.first else { return }
        send(
            index,
            ProduceRequest(
                transactionalId: clients[index].transactionalID, acks: -1, timeoutMs: 30_000,
                topicData: [
                    .init(
                        name: Self.topic,
                        partitionData: [
                            .init(index: Int32(batch.partition), records: [batch.bytes])
                        ])
                ]), version: clients[index].produceVersion)
    }

    private mutating func commitOffsets(_ index: Int) {
        send(
            index,
            TxnOffsetCommitRequest(
                transactionalId: clients[index].transactionalID, groupId: clients[index].group,
                producerId: clients[index].producerID, producerEpoch: clients[index].epoch,
                topics: [
                    .init(
                        name: Self.topic,
                        partitions: [
                            .init(partitionIndex: 0, committedOffset: clients[index].nextOffset)
                        ])
                ]), version: clients[index].commitVersion)
    }

    // MARK: Answers

    mutating func takeAnswer(_ index: Int) {
        guard clients[index].isWaiting else { return }
        let client = clients[index]
        if !topicExists {
            guard let response = answer(index, CreateTopicsResponse.self, version: 7) else {
                return
            }
            clients[index].isWaiting = false
            let error = response.topics.first?.errorCode
            topicExists = error == ErrorCode.none || error == .topicAlreadyExists
            return
        }
        switch client.phase {
        case .needsID:
            guard let response = answer(index, InitProducerIdResponse.self, version: 4) else {
                return
            }
            clients[index].isWaiting = false
            if settle(index, response.errorCode) { hasID(index, response) }
        case .joining:
            guard let response = answer(index, AddPartitionsToTxnResponse.self, version: 3) else {
                return
            }
            let errors = response.resultsByTopic.flatMap {
                $0.resultsByPartition.map(\.partitionErrorCode)
            }
            clients[index].isWaiting = false
            if settle(index, errors.first { $0 != .none } ?? .none) {
                clients[index].phase = .writing
            }
        case .writing:
            guard
                let response = answer(
                    index, ProduceResponse.self, version: client.produceVersion)
            else { return }
            clients[index].isWaiting = false
            let error = response.responses.first?.partitionResponses.first?.errorCode
            let offset = response.responses.first?.partitionResponses.first?.baseOffset
            if settle(index, error ?? .unknownServerError) { hasWritten(index, at: offset ?? -1) }
        case .addingGroup:
            guard let response = answer(index, AddOffsetsToTxnResponse.self, version: 3) else {
                return
            }
            clients[index].isWaiting = false
            if settle(index, response.errorCode) { clients[index].phase = .committingOffsets }
        case .committingOffsets:
            guard
                let response = answer(
                    index, TxnOffsetCommitResponse.self, version: client.commitVersion)
            else { return }
            clients[index].isWaiting = false
            let error = response.topics.first?.partitions.first?.errorCode
            if settle(index, error ?? .unknownServerError) {
                if let transaction = client.transaction {
                    checker.add(offset: client.nextOffset, to: transaction)
                }
                clients[index].nextOffset += 1
                clients[index].phase = .ending(commit: client.commits)
            }
        case .ending(let commit):
            guard let response = answer(index, EndTxnResponse.self, version: client.endVersion)
            else { return }
            clients[index].isWaiting = false
            if settle(index, response.errorCode) { hasEnded(index, commit: commit, response) }
        case .done: clients[index].isWaiting = false
        }
    }

    /// True when the request succeeded. Else it is sent again, or the client begins anew.
    private mutating func settle(_ index: Int, _ error: ErrorCode) -> Bool {
        switch error {
        case .none: return true
        case .concurrentTransactions, .coordinatorNotAvailable, .coordinatorLoadInProgress,
            .notEnoughReplicas, .kafkaStorageError, .requestTimedOut, .notLeaderOrFollower:
            return false
        case .producerFenced, .invalidProducerEpoch, .invalidTxnState, .transactionAbortable:
            // Its time was up. It sent no commit, or learned here that it was not carried out.
            guard clients[index].phase != .needsID else { break }
            if let transaction = clients[index].transaction { checker.end(transaction, .aborted) }
            beginAnew(index)
            return false
        default: break
        }
        anomaly("client \(index) got \(error) in \(clients[index].phase)")
        return false
    }

    private mutating func beginAnew(_ index: Int) {
        clients[index].transaction = nil
        clients[index].phase = .needsID
    }

    private mutating func hasID(_ index: Int, _ response: InitProducerIdResponse) {
        clients[index].producerID = response.producerId
        clients[index].epoch = response.producerEpoch
        clients[index].sequences = [:]
        if let zombie = clients[index].zombie {
            clients[index].zombie = nil
            haunt(index, zombie)
        }
        beginTransaction(index)
    }

    private mutating func hasWritten(_ index: Int, at baseOffset: Int64) {
        guard !clients[index].batches.isEmpty else { return }
        let batch = clients[index].batches.removeFirst()
        // A batch that was there already is answered with -1 when it is too old to be known.
        if baseOffset >= 0 { checker.written(batch.texts, at: baseOffset) }
        clients[index].sequences[batch.partition, default: 0] += Int32(batch.texts.count)
        guard clients[index].batches.isEmpty else { return }
        if !clients[index].commitsOffsets {
            clients[index].phase = .ending(commit: clients[index].commits)
        } else {
            clients[index].phase =
                clients[index].bumpsEpochs ? .committingOffsets : .addingGroup
        }
    }

    private mutating func hasEnded(_ index: Int, commit: Bool, _ response: EndTxnResponse) {
        if let transaction = clients[index].transaction {
            checker.end(transaction, commit ? .committed : .aborted)
        }
        clients[index].transaction = nil
        if clients[index].bumpsEpochs {
            clients[index].producerID = response.producerId
            clients[index].epoch = response.producerEpoch
            clients[index].sequences = [:]
        }
        beginTransaction(index)
    }

    // MARK: Mishaps

    /// The answer of what was sent will not come: the client asks again, or gives up.
    mutating func lostConnection(_ index: Int) {
        clients[index].isWaiting = false
        if !isDraining, clients[index].transaction != nil, faults.chance(1, in: 3) {
            forgetTransaction(index)
        }
    }

    /// The process of the client dies; another one takes over its id.
    private mutating func forgetTransaction(_ index: Int) {
        guard let transaction = clients[index].transaction else { return }
        // A commit may have been carried out; without one there can only be an abort.
        if clients[index].phase != .ending(commit: true) { checker.end(transaction, .aborted) }
        clients[index].zombie = (clients[index].producerID, clients[index].epoch)
        beginAnew(index)
    }

    /// The old process was not dead after all. Nothing that it does may succeed.
    private mutating func haunt(_ index: Int, _ old: (producerID: Int64, epoch: Int16)) {
        let answer = ask(
            EndTxnRequest(
                transactionalId: clients[index].transactionalID, producerId: old.producerID,
                producerEpoch: old.epoch, committed: true), version: clients[index].endVersion)
        guard let answer else { return }
        switch answer.errorCode {
        case .producerFenced, .invalidProducerIdMapping, .concurrentTransactions,
            .coordinatorNotAvailable, .invalidTxnState:
            break
        default: anomaly("a zombie of client \(index) got \(answer.errorCode)")
        }
    }
}
