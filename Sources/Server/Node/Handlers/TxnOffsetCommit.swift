import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// Offsets that become visible with the transaction. From version 5 on the group becomes part
    /// of the transaction here; before, AddOffsetsToTxn has done it.
    mutating func txnOffsetCommit(
        _ request: TxnOffsetCommitRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        guard authorize(context, .write, .transactionalId, request.transactionalId) else {
            return commitOffsets(
                request, context, refusal: .transactionalIdAuthorizationFailed)
        }
        guard authorize(context, .read, .group, request.groupId) else {
            return commitOffsets(request, context, refusal: .groupAuthorizationFailed)
        }
        if shares.contains(request.groupId) {
            return commitOffsets(request, context, refusal: .groupIdNotFound)
        }
        if waitForOffsetsTopic(context, frame) { return }
        let bumpsEpochs = context.version >= 5
        guard bumpsEpochs || cluster != nil,
            let partition = offsetsPartition(of: request.groupId),
            !isPart(partition, of: claim(of: request))
        else { return commitOffsets(request, context, refusal: .none) }
        if cluster != nil {
            connections[context.key.connection]?.block(on: context.key.sequence)
            return ask(
                TransactionQuestion(
                    claim: claim(of: request), partitions: [partition], adds: bumpsEpochs,
                    bumpsEpochs: bumpsEpochs), .commitOffsets(context, request))
        }
        let call = AddPartitionsCall(
            claim: claim(of: request), partitions: [partition], bumpsEpochs: true)
        let token = park(.commitOffsets(context, request))
        connections[context.key.connection]?.block(on: context.key.sequence)
        perform(
            transactions.addPartitions(
                call, token, waitUntil: now.monotonic + Self.transactionWaitMax, now: now))
    }

    private func claim(of request: TxnOffsetCommitRequest) -> ProducerClaim {
        ProducerClaim(
            transactionalID: request.transactionalId, producerID: request.producerId,
            producerEpoch: request.producerEpoch)
    }

    /// `refusal`: why the group could not become part of the transaction; `verified`: what a coordinator
    /// elsewhere has said.
    mutating func commitOffsets(
        _ request: TxnOffsetCommitRequest, _ context: RequestContext, refusal: ErrorCode,
        verified: [TopicPartition: ErrorCode] = [:]
    ) {
        var error = refusal
        if error == .none {
            let claim = claim(of: request)
            error =
                offsetsPartition(of: request.groupId).map {
                    if cluster == nil { return transactions.verify(claim, $0) }
                    return isPart($0, of: claim) ? .none : verified[$0] ?? .transactionAbortable
                } ?? .coordinatorNotAvailable
        }
        let isDenied =
            error == .transactionalIdAuthorizationFailed || error == .groupAuthorizationFailed
        if error != .none { error = offsetError(error, version: context.version) }
        var response = TxnOffsetCommitResponse()
        var places: [(topic: Int, partition: Int)] = []
        var entries: [CommitCall.Entry] = []
        for (topicPlace, topic) in request.topics.enumerated() {
            var results = TxnOffsetCommitResponse.TxnOffsetCommitResponseTopic(name: topic.name)
            let mayRead = authorize(context, .read, .topic, topic.name)
            for (place, partition) in topic.partitions.enumerated() {
                let name = TopicPartition(topic: topic.name, partition: partition.partitionIndex)
                var result = TxnOffsetCommitResponse.TxnOffsetCommitResponsePartition(
                    partitionIndex: partition.partitionIndex, errorCode: error)
                if isDenied {
                    result.errorCode = error
                } else if !mayRead {
                    result.errorCode = .topicAuthorizationFailed
                } else if !exists(name) {
                    result.errorCode = .unknownTopicOrPartition
                } else if error == .none {
                    places.append((topicPlace, place))
                    entries.append(
                        CommitCall.Entry(
                            partition: name, offset: partition.committedOffset,
                            leaderEpoch: partition.committedLeaderEpoch,
                            metadata: partition.committedMetadata ?? ""))
                }
                results.partitions.append(result)
            }
            response.topics.append(results)
        }
        guard !entries.isEmpty else { return answer(context, response) }
        let call = TransactionalCommitCall(
            commit: CommitCall(
                claim: MemberClaim(
                    group: request.groupId, generation: request.generationId,
                    memberID: request.memberId, instanceID: request.groupInstanceId),
                offsets: entries),
            producerID: request.producerId, producerEpoch: request.producerEpoch)
        let token = park(.transactionalCommit(context, response, places: places))
        perform(coordinator.commit(call, token, now: now))
    }

    mutating func answerTransactionalCommit(
        _ commit: CommitAnswer, _ response: TxnOffsetCommitResponse,
        _ places: [(topic: Int, partition: Int)], _ context: RequestContext
    ) {
        var response = response
        for (place, error) in zip(places, commit.errors) {
            response.topics[place.topic].partitions[place.partition].errorCode = error
        }
        answer(context, response)
    }

    private func offsetError(_ error: ErrorCode, version: Int16) -> ErrorCode {
        switch error {
        case .producerFenced: .invalidProducerEpoch
        case .transactionAbortable where version < 4: .invalidTxnState
        // What older clients try again.
        case .concurrentTransactions where version < 5: .coordinatorLoadInProgress
        default: error
        }
    }
}
