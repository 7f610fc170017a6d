import Base

/// What became of a range of acquired records. ShareFetch and ShareAcknowledge have it in all their
/// versions.
package struct AcknowledgementBatch: WireStructure, Equatable {
    package static let minimumWireBytes = 18

    /// Offset of the first record.
    package var firstOffset: Int64 = 0
    /// Offset of the last record.
    package var lastOffset: Int64 = 0
    /// One `AcknowledgeType` for each offset, or one for all of them.
    package var acknowledgeTypes: [Int8] = []

    package init(firstOffset: Int64 = 0, lastOffset: Int64 = 0, acknowledgeTypes: [Int8] = []) {
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
        self.acknowledgeTypes = acknowledgeTypes
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        firstOffset = try reader.int64()
        lastOffset = try reader.int64()
        acknowledgeTypes = try reader.int8Array(flexible: true)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        writer.int64(firstOffset)
        writer.int64(lastOffset)
        writer.int8Array(acknowledgeTypes, flexible: true)
        writer.noTaggedFields()
    }
}

/// What a member says about a record that it acquired.
package enum AcknowledgeType: Int8, CaseIterable, Sendable {
    /// There is no record at this offset.
    case gap = 0
    case accept = 1
    /// Somebody else shall try.
    case release = 2
    /// Nobody can use it.
    case reject = 3
    /// The member needs more time. From version 2.
    case renew = 4
}
