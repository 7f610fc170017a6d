import Base
import Coordinator
import Quorum
import WireProtocol

extension BrokerNode {
    /// Gives an idempotent producer an id that was never given out before, and a transactional one
    /// the next epoch of its id, which fences its predecessors.
    mutating func initProducerId(
        _ request: InitProducerIdRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        if let id = request.transactionalId {
            guard authorize(context, .write, .transactionalId, id) else {
                return answerInitProducer(
                    ProducerAnswer(error: .transactionalIdAuthorizationFailed), context)
            }
            if waitForTransactionsTopic(context, frame) { return }
        }
        if let error = waitForProducerIDs(context, frame) {
            if error != .none { answerInitProducer(ProducerAnswer(error: error), context) }
            return
        }
        guard let id = request.transactionalId else {
            let id = producerIDs.lowerBound
            producerIDs = (id + 1)..<producerIDs.upperBound
            return answer(context, InitProducerIdResponse(producerId: id, producerEpoch: 0))
        }
        let call = InitProducerCall(
            transactionalID: id, timeoutMilliseconds: request.transactionTimeoutMs,
            producerID: request.producerId, producerEpoch: request.producerEpoch)
        let token = park(.initProducer(context))
        perform(transactions.initProducer(call, token, producerIDs: &producerIDs, now: now))
    }

    /// PRODUCER_FENCED is known from version 4 on.
    mutating func answerInitProducer(_ producer: ProducerAnswer, _ context: RequestContext) {
        answer(
            context,
            InitProducerIdResponse(
                errorCode: transactionError(
                    producer.error, version: context.version, abortable: 6, fenced: 4),
                producerId: producer.producerID, producerEpoch: producer.producerEpoch))
    }

    /// nil when a producer id is at hand. Else the request is started again when one is
    /// (`.none`), or has to be refused.
    mutating func waitForProducerIDs(
        _ context: RequestContext, _ frame: Bytes
    ) -> ErrorCode? {
        if !producerIDs.isEmpty { return nil }
        if !isReservingProducerIDs {
            if cluster != nil {
                if let error = reserveProducerIDs() { return error }
                if !producerIDs.isEmpty { return nil }
                isReservingProducerIDs = cluster?.producerIDsWish != nil
                retryAfterChange(context, frame)
                return ErrorCode.none
            }
            let next = draft.nextProducerID + MetadataImage.producerIDBlock
            isReservingProducerIDs = true
            if change([.producerIDsReserved(next: next)], .producerIDs) != nil {
                isReservingProducerIDs = false
                return .coordinatorNotAvailable
            }
        }
        retryAfterChange(context, frame)
        return ErrorCode.none
    }
}
