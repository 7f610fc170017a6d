import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// A producer id that was never given out before, for idempotent producers.
    mutating func initProducerId(
        _ request: InitProducerIdRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        if let id = request.transactionalId {
            // Of the published codes this one makes every stock client stop at once; others are
            // tried again for ever, or are read as a passing trouble.
            return answer(
                context,
                InitProducerIdResponse(
                    errorCode: id.isEmpty ? .invalidRequest : .transactionalIdAuthorizationFailed,
                    producerEpoch: -1))
        }
        if let id = producerIDs.first {
            producerIDs = (id + 1)..<producerIDs.upperBound
            return answer(context, InitProducerIdResponse(producerId: id, producerEpoch: 0))
        }
        if !isReservingProducerIDs {
            let next = draft.nextProducerID + MetadataImage.producerIDBlock
            isReservingProducerIDs = true
            if change([.producerIDsReserved(next: next)], .producerIDs) != nil {
                isReservingProducerIDs = false
                return answer(
                    context,
                    InitProducerIdResponse(errorCode: .coordinatorNotAvailable, producerEpoch: -1))
            }
        }
        retryAfterChange(context, frame)
    }
}
