// Records of the metadata as one entry of the quorum's log, and as a snapshot of it. Integers are
// big-endian.
//
//   version (uint8, 1 today) · count (uint32) · records: key length (uint32), key,
//   flags (uint8: bit 0 there is a value), value length (uint32) and value when there is one
//
// Keys and values are those of `MetadataRecord`, so that the log of one node and that of a quorum
// say the same in the same bytes.

import Base

/// One entry: records that are applied together.
package enum MetadataEntry {
    static let version: UInt8 = 1

    package static func encoded(_ records: [MetadataRecord]) -> Bytes {
        var writer = ByteWriter(capacity: 64 + records.count * 64)
        writer.uint8(version)
        writer.uint32(UInt32(records.count))
        for record in records {
            let (key, value) = record.encoded()
            writer.content(key)
            writer.optional(value) { $0.content($1) }
        }
        return writer.finish()
    }

    package static func records(_ bytes: Bytes) throws(DecodeFailure) -> [MetadataRecord] {
        var reader = ByteReader(bytes)
        let version = try reader.uint8()
        guard version == Self.version else {
            throw .unsupported("metadata entry of version \(version)")
        }
        let count = try reader.listCount("metadata records", minimumBytes: 6)
        var records: [MetadataRecord] = []
        records.reserveCapacity(count)
        for _ in 0..<count {
            let key = try reader.content()
            let value = try reader.flags(most: 1) == 1 ? try reader.content() : nil
            records.append(try MetadataRecord(key: key, value: value))
        }
        guard reader.isAtEnd else {
            throw .malformed("bytes behind the metadata", position: reader.position)
        }
        return records
    }
}
