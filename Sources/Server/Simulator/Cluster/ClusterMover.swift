import Base
import Log
import WireProtocol

/// Clients that write transactions.
extension ClusterSimulation {
    mutating func act(_ client: Int, _ known: ClusterClient.Mover) {
        var mover = known
        let id = "m\(mover.id)"
        let anybody = load.below(nodes.count)
        if case .begin = mover.step {
            if isQuiet { return }
            mover.count += 1
            mover.name = "t\(mover.id)x\(mover.count)"
            mover.commits = load.chance(3, in: 4)
            mover.mayBeCommitted = false
            mover.places = (0..<2).map { _ in load.below(checker.partitions.count) }
            mover.step = mover.bumpsEpochs ? .write(0) : .add
            checker.transactions[mover.name] = .open
            clients[client].role = .mover(mover)
        }
        switch mover.step {
        case .begin: break
        case .identify:
            ask(
                client,
                InitProducerIdRequest(transactionalId: id, transactionTimeoutMs: 8000),
                version: 4, to: anybody)
        case .add:
            let names = Set(mover.places).sorted().map { checker.partitions[$0].name }
            var request = AddPartitionsToTxnRequest()
            request.transactionalId = id
            request.producerId = mover.producerID
            request.producerEpoch = mover.epoch
            request.topics = names.map { .init(name: $0.topic, partitions: [$0.partition]) }
            ask(client, request, version: 3, to: anybody)
        case .write(let place):
            var properties = RecordBatchBuilder.Properties()
            properties.producerId = mover.producerID
            properties.producerEpoch = mover.epoch
            properties.baseSequence = mover.sequences[mover.places[place]] ?? 0
            properties.isTransactional = true
            produce(
                client, mover.values(place), properties, mover.places[place],
                transactionalID: id, version: mover.bumpsEpochs ? 12 : 9)
        case .end:
            mover.mayBeCommitted = mover.mayBeCommitted || mover.commits
            clients[client].role = .mover(mover)
            var request = EndTxnRequest()
            request.transactionalId = id
            request.producerId = mover.producerID
            request.producerEpoch = mover.epoch
            request.committed = mover.commits
            ask(client, request, version: mover.bumpsEpochs ? 5 : 3, to: anybody)
        }
    }

    /// A request has no answer: it may be carried out yet. The end of a transaction, where all have one
    /// epoch, might then end the next one (what KIP-890 is about): such a producer takes a new epoch.
    mutating func loseTouch(_ client: Int) {
        guard case .mover(var mover) = clients[client].role, case .end = mover.step,
            !mover.bumpsEpochs
        else { return }
        mover.step = .identify
        clients[client].role = .mover(mover)
    }

    mutating func take(
        _ client: Int, _ known: ClusterClient.Mover, _ frame: Bytes
    ) throws(DecodeFailure) {
        var mover = known
        defer { clients[client].role = .mover(mover) }
        switch mover.step {
        case .begin: break
        case .identify:
            let answer = try decode(InitProducerIdResponse.self, frame, client)
            guard answer.errorCode == .none else {
                if !answer.errorCode.isRetriable {
                    checker.fail("m\(mover.id) gets no identity: \(answer.errorCode)")
                }
                narrate("m\(mover.id) has to wait: \(answer.errorCode)")
                return
            }
            narrate("m\(mover.id) is \(answer.producerId), epoch \(answer.producerEpoch)")
            // Whatever was open is aborted, unless its end was asked for.
            if checker.transactions[mover.name] == .open, !mover.mayBeCommitted {
                checker.transactions[mover.name] = .aborted
            }
            mover.producerID = answer.producerId
            mover.epoch = answer.producerEpoch
            mover.sequences = [:]
            mover.step = .begin
        case .add:
            let answer = try decode(AddPartitionsToTxnResponse.self, frame, client)
            let errors = answer.resultsByTopic.flatMap { topic in
                topic.resultsByPartition.map(\.partitionErrorCode)
            }
            narrate(
                "\(mover.name), epoch \(mover.epoch), is to write to \(mover.places): \(errors)")
            guard let bad = errors.first(where: { $0 != .none }) else {
                mover.step = .write(0)
                return
            }
            giveUp(&mover, bad)
        case .write(let place):
            let answer = try decode(ProduceResponse.self, frame, client)
            guard let result = answer.responses.first?.partitionResponses.first else {
                return checker.fail("a produce has no answer")
            }
            narrate(
                "\(mover.values(place)), epoch \(mover.epoch), are at \(result.baseOffset) of "
                    + "\(checker.partitions[mover.places[place]].name): \(result.errorCode)")
            guard result.errorCode == .none else { return giveUp(&mover, result.errorCode) }
            checker.acknowledged(mover.places[place], result.baseOffset, mover.values(place))
            mover.sequences[mover.places[place], default: 0] += 2
            mover.step = place == 0 ? .write(1) : .end
        case .end:
            let answer = try decode(EndTxnResponse.self, frame, client)
            narrate("the end of \(mover.name), commit \(mover.commits): \(answer.errorCode)")
            guard answer.errorCode == .none else { return giveUp(&mover, answer.errorCode) }
            checker.transactions[mover.name] = mover.commits ? .committed : .aborted
            self.result.acknowledged += 1
            if mover.bumpsEpochs {
                mover.producerID = answer.producerId
                mover.epoch = answer.producerEpoch
                mover.sequences = [:]
            }
            mover.step = .begin
        }
    }

    /// An error that may pass is tried again; with any other the producer needs a new identity.
    private mutating func giveUp(_ mover: inout ClusterClient.Mover, _ error: ErrorCode) {
        if error.isRetriable { return }
        narrate("\(mover.name) is given up: \(error)")
        switch error {
        // The transaction took too long, or another process of the same client has fenced this one.
        case .invalidProducerEpoch, .producerFenced, .invalidTxnState, .transactionAbortable,
            .invalidProducerIdMapping:
            mover.step = .identify
        default: checker.fail("\(mover.name) is refused: \(error)")
        }
    }
}

extension ClusterClient.Mover {
    /// The two records for one of the partitions; they say which transaction they are of.
    func values(_ place: Int) -> [String] { ["\(name):\(place)a", "\(name):\(place)b"] }
}
