import Base
import WireProtocol

/// What the one record of a control batch says about a transaction.
struct TransactionMarker: Hashable, Sendable {
    var kind: ControlRecord.Kind
    var coordinatorEpoch: Int32

    init(kind: ControlRecord.Kind, coordinatorEpoch: Int32) {
        self.kind = kind
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// nil for batches that are no markers, whose record the cleaner has dropped, or that can't be
    /// understood; they end no transaction.
    init?(_ header: BatchHeader, _ batch: Bytes) {
        guard header.isControl, header.recordCount > 0 else { return nil }
        do throws(DecodeFailure) {
            var records = try RecordBatchView(batch).records()
            guard let record = try records.next(), let control = try ControlRecord(record) else {
                return nil
            }
            kind = control.kind
            coordinatorEpoch = control.coordinatorEpoch
        } catch {
            return nil
        }
    }
}

/// A marker that a coordinator wants at the end of a partition.
package struct MarkerAppend: Hashable, Sendable {
    package var producerID: Int64
    package var producerEpoch: Int16
    package var coordinatorEpoch: Int32
    package var isCommit: Bool
    /// The producer takes a new epoch for each transaction: the marker has the next one.
    package var bumpsEpochs: Bool

    package init(
        producerID: Int64, producerEpoch: Int16, coordinatorEpoch: Int32, isCommit: Bool,
        bumpsEpochs: Bool
    ) {
        self.producerID = producerID
        self.producerEpoch = producerEpoch
        self.coordinatorEpoch = coordinatorEpoch
        self.isCommit = isCommit
        self.bumpsEpochs = bumpsEpochs
    }
}
