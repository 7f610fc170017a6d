// The records of a batch, one after the other.
//
// field            encoding          meaning
// length           varint            bytes of the record behind this field
// attributes       int8              unused, 0
// timestampDelta   varlong           against the batch's baseTimestamp
// offsetDelta      varint            against the batch's baseOffset
// key              varint length     -1 = null, then that many bytes
// value            varint length     -1 = null, then that many bytes
// headers          varint count      each: key (varint length, not null), value (varint length)

import Base

/// One record. Its bytes share the memory of the batch.
package struct Record: Sendable {
    package var offset: Offset
    package var timestamp: Timestamp
    package var key: Bytes?
    package var value: Bytes?
    /// How many headers there are.
    package var headerCount: Int
    /// The headers as they are in the batch; read them with `headers()`.
    package var rawHeaders: Bytes

    /// The headers, read on demand because few consumers look at them.
    package func headers() throws(DecodeFailure) -> [RecordHeader] {
        var reader = ByteReader(rawHeaders)
        var headers: [RecordHeader] = []
        headers.reserveCapacity(headerCount)
        for _ in 0..<headerCount {
            let key = try reader.string(Int(try reader.varint()))
            headers.append(RecordHeader(key: key, value: try reader.varintBytes()))
        }
        return headers
    }
}

/// A name and a value that travel with a record.
package struct RecordHeader: Hashable, Sendable {
    package var key: String
    package var value: Bytes?

    package init(key: String, value: Bytes?) {
        self.key = key
        self.value = value
    }
}

/// Steps over the records of one batch. Nothing is allocated for a record.
package struct RecordCursor: Sendable {
    private var reader: ByteReader
    private let header: RecordBatchHeader
    private var index: Int32 = 0

    /// `records` are the bytes behind the header, decompressed.
    package init(header: RecordBatchHeader, records: Bytes) {
        self.header = header
        reader = ByteReader(records)
    }

    /// How many records are left, as the header has it.
    package var remaining: Int { Int(header.recordCount - index) }
    /// Whether all bytes were read.
    package var isAtEnd: Bool { reader.isAtEnd }

    /// The next record, or nil behind the last.
    package mutating func next() throws(DecodeFailure) -> Record? {
        guard index < header.recordCount else { return nil }
        index += 1
        let length = Int(try reader.varint())
        try reader.require(length)
        let end = reader.position + length
        _ = try reader.int8()
        let timestampDelta = try reader.varlong()
        let offsetDelta = try reader.varint()
        let key = try reader.varintBytes()
        let value = try reader.varintBytes()
        let headerCount = Int(try reader.varint())
        // A header takes two bytes at least.
        _ = try reader.checkedCount(headerCount, minimumBytes: 2, what: "record headers")
        guard reader.position <= end else {
            throw .malformed("record is longer than its length", position: reader.position)
        }
        let timestamp =
            header.usesLogAppendTime
            ? header.maxTimestamp
            : Timestamp(milliseconds: header.baseTimestamp.milliseconds &+ timestampDelta)
        return Record(
            offset: Offset(header.baseOffset.value &+ Int64(offsetDelta)), timestamp: timestamp,
            key: key, value: value, headerCount: headerCount,
            rawHeaders: try reader.slice(end - reader.position))
    }

    /// Checks one record without building it.
    mutating func check(into facts: inout RecordBatchFacts) throws(DecodeFailure) -> Int32 {
        let at = reader.position
        let length = Int(try reader.varint())
        try reader.require(length)
        let end = reader.position + length
        _ = try reader.int8()
        let timestampDelta = try reader.varlong()
        let offsetDelta = try reader.varint()
        let keyLength = Int(try reader.varint())
        if keyLength >= 0 { try reader.skip(keyLength) }
        let valueLength = Int(try reader.varint())
        if valueLength >= 0 { try reader.skip(valueLength) }
        guard keyLength >= -1, valueLength >= -1 else {
            throw .invalid(
                what: "length in a record", value: Int64(min(keyLength, valueLength)), position: at)
        }
        let headerCount = try reader.checkedCount(
            Int(try reader.varint()), minimumBytes: 2, what: "record headers")
        for _ in 0..<headerCount {
            try reader.skip(Int(try reader.varint()))
            let length = Int(try reader.varint())
            if length < -1 {
                throw .invalid(what: "header length", value: Int64(length), position: at)
            }
            if length > 0 { try reader.skip(length) }
        }
        guard reader.position == end else {
            throw .malformed("record does not end where its length says", position: at)
        }
        facts.note(
            index: index, keyless: keyLength < 0,
            timestamp: header.baseTimestamp.milliseconds &+ timestampDelta)
        index += 1
        return offsetDelta
    }
}

extension ByteReader {
    /// Bytes behind a varint length, nil for -1.
    mutating func varintBytes() throws(DecodeFailure) -> Bytes? {
        let length = Int(try varint())
        return length == -1 ? nil : try slice(length)
    }
}
