// The one record of a control batch: the end of a transaction.
//
// key    int16 version, int16 type (0 abort, 1 commit)
// value  int16 version, int32 coordinator epoch

import Base
import Compression

/// The end of a producer's transaction in a partition.
package struct ControlRecord: Hashable, Sendable {
    package enum Kind: Int16, Sendable {
        case abort = 0
        case commit = 1
    }

    package var kind: Kind
    package var coordinatorEpoch: Int32

    package init(kind: Kind, coordinatorEpoch: Int32) {
        self.kind = kind
        self.coordinatorEpoch = coordinatorEpoch
    }

    /// Reads the record of a control batch; nil for kinds that have nothing to do with
    /// transactions.
    package init?(_ record: Record) throws(DecodeFailure) {
        guard let key = record.key, let value = record.value else {
            throw .malformed("control record without key or value", position: 0)
        }
        var reader = ByteReader(key)
        _ = try reader.int16()
        guard let kind = Kind(rawValue: try reader.int16()) else { return nil }
        self.kind = kind
        reader = ByteReader(value)
        _ = try reader.int16()
        coordinatorEpoch = try reader.int32()
    }

    /// A control batch of one record.
    package func batch(
        baseOffset: Offset = 0, producerId: Int64, producerEpoch: Int16, timestamp: Timestamp
    ) -> Bytes {
        var key = ByteWriter(capacity: 16)
        key.int16(0)
        key.int16(kind.rawValue)
        var value = ByteWriter(capacity: 16)
        value.int16(0)
        value.int32(coordinatorEpoch)
        var builder = RecordBatchBuilder(capacity: 128)
        builder.append(key: key.finish(), value: value.finish(), timestamp: timestamp)
        var properties = RecordBatchBuilder.Properties()
        properties.baseOffset = baseOffset
        properties.producerId = producerId
        properties.producerEpoch = producerEpoch
        properties.isTransactional = true
        properties.isControl = true
        do throws(CodecFailure) {
            return try builder.finish(properties)
        } catch {
            preconditionFailure("a batch without compression can't fail to be built: \(error)")
        }
    }
}
