// Requests to the transaction coordinator, its answers, and what it wants done, free of protocol
// versions: what a version changes about the meaning of a request is a field here.

import Base
import WireProtocol

package struct InitProducerCall: Sendable {
    package var transactionalID: String
    package var timeoutMilliseconds: Int32
    /// What the producer had before; -1 when it does not say.
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(
        transactionalID: String, timeoutMilliseconds: Int32, producerID: Int64 = -1,
        producerEpoch: Int16 = -1
    ) {
        self.transactionalID = transactionalID
        self.timeoutMilliseconds = timeoutMilliseconds
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }
}

/// Who a request claims to be. Shared by everything a producer sends after it has its id.
package struct ProducerClaim: Hashable, Sendable {
    package var transactionalID: String
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(transactionalID: String, producerID: Int64, producerEpoch: Int16) {
        self.transactionalID = transactionalID
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }
}

package struct AddPartitionsCall: Sendable {
    package var claim: ProducerClaim
    package var partitions: [TopicPartition]
    package var bumpsEpochs: Bool

    package init(claim: ProducerClaim, partitions: [TopicPartition], bumpsEpochs: Bool) {
        self.claim = claim
        self.partitions = partitions
        self.bumpsEpochs = bumpsEpochs
    }
}

package struct EndTransactionCall: Sendable {
    package var claim: ProducerClaim
    package var isCommit: Bool
    /// The producer takes the next epoch from the answer.
    package var bumpsEpochs: Bool

    package init(claim: ProducerClaim, isCommit: Bool, bumpsEpochs: Bool) {
        self.claim = claim
        self.isCommit = isCommit
        self.bumpsEpochs = bumpsEpochs
    }
}

/// The identity of a producer, or why it gets none.
package struct ProducerAnswer: Hashable, Sendable {
    package var error: ErrorCode
    package var producerID: Int64
    package var producerEpoch: Int16

    package init(error: ErrorCode, producerID: Int64 = -1, producerEpoch: Int16 = -1) {
        self.error = error
        self.producerID = producerID
        self.producerEpoch = producerEpoch
    }
}

/// The answer to a request that may have waited.
package enum TransactionReply: Hashable, Sendable {
    case initialized(ProducerAnswer)
    case partitionsAdded(ErrorCode)
    case ended(ProducerAnswer)
}

/// Names one set of markers that the coordinator asked for.
package struct MarkerToken: Hashable, Comparable, Sendable {
    package var value: UInt64
    package init(_ value: UInt64) { self.value = value }
    package static func < (left: MarkerToken, right: MarkerToken) -> Bool {
        left.value < right.value
    }
}

/// The end of a transaction, to be written to each of its partitions.
package struct TransactionMarkers: Hashable, Sendable {
    package var transactionalID: String
    package var producerID: Int64
    package var producerEpoch: Int16
    package var isCommit: Bool
    package var bumpsEpochs: Bool
    /// In ascending order.
    package var partitions: [TopicPartition]
}

/// What the coordinator wants done, in this order.
package enum TransactionEffect: Sendable {
    case reply(ReplyToken, TransactionReply)
    /// Append one record to the id's partition of `__transaction_state`, then call
    /// `TransactionCoordinator.appended` once: when it is durable, or when it was refused.
    case append(AppendToken, transactionalID: String, key: Bytes, value: Bytes?)
    /// Append a marker to each partition, then call `TransactionCoordinator.markersWritten` once,
    /// when all are durable or can't be written now. Partitions that are gone need none.
    case writeMarkers(MarkerToken, TransactionMarkers)
}

/// A transaction as operators see it.
package struct TransactionDescription: Hashable, Sendable {
    package var transactionalID: String
    package var state: TransactionState
    /// In ascending order.
    package var partitions: [TopicPartition]
}
