import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// The partition that keeps the group's offsets becomes part of the transaction.
    mutating func addOffsetsToTxn(
        _ request: AddOffsetsToTxnRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        guard authorize(context, .write, .transactionalId, request.transactionalId) else {
            return answer(
                context, AddOffsetsToTxnResponse(errorCode: .transactionalIdAuthorizationFailed))
        }
        guard authorize(context, .read, .group, request.groupId) else {
            return answer(context, AddOffsetsToTxnResponse(errorCode: .groupAuthorizationFailed))
        }
        if waitForOffsetsTopic(context, frame) { return }
        guard let partition = offsetsPartition(of: request.groupId) else {
            return answer(context, AddOffsetsToTxnResponse(errorCode: .coordinatorNotAvailable))
        }
        let call = AddPartitionsCall(
            claim: ProducerClaim(
                transactionalID: request.transactionalId, producerID: request.producerId,
                producerEpoch: request.producerEpoch),
            partitions: [partition], bumpsEpochs: false)
        let token = park(.addOffsets(context))
        perform(transactions.addPartitions(call, token, now: now))
    }

    /// nil while there is no topic for groups.
    func offsetsPartition(of group: String) -> TopicPartition? {
        image.topic(Self.offsetsTopic).map { topic in
            TopicPartition(
                topic: Self.offsetsTopic,
                partition: groupPartition(of: group, partitionCount: topic.partitionCount))
        }
    }
}
