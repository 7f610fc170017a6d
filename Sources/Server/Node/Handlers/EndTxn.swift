import Base
import Coordinator
import WireProtocol

extension BrokerNode {
    /// Commits or aborts. Answered when the decision is durable; the partitions are told after
    /// that. From version 5 on the producer takes its next epoch from the answer.
    mutating func endTxn(_ request: EndTxnRequest, _ context: RequestContext, _ frame: Bytes) {
        guard authorize(context, .write, .transactionalId, request.transactionalId) else {
            return answer(context, EndTxnResponse(errorCode: .transactionalIdAuthorizationFailed))
        }
        if let error = waitForProducerIDs(context, frame) {
            if error != .none { answer(context, EndTxnResponse(errorCode: error)) }
            return
        }
        let call = EndTransactionCall(
            claim: ProducerClaim(
                transactionalID: request.transactionalId, producerID: request.producerId,
                producerEpoch: request.producerEpoch),
            isCommit: request.committed, bumpsEpochs: context.version >= 5)
        let token = park(.end(context))
        perform(transactions.end(call, token, producerIDs: &producerIDs, now: now))
    }

    mutating func answerEnd(_ producer: ProducerAnswer, _ context: RequestContext) {
        answer(
            context,
            EndTxnResponse(
                errorCode: transactionError(
                    producer.error, version: context.version, abortable: 4),
                producerId: producer.producerID, producerEpoch: producer.producerEpoch))
    }
}
