// The records of a batch as places in its bytes: what `RecordCursor` gives without sharing anything,
// for readers that look at millions of them.

import Base

/// Where one record's key and payload are, in the bytes behind the batch's header.
package struct RecordPlace: Sendable {
    package var offset: Offset
    package var timestamp: Timestamp
    package var keyStart = 0
    /// -1 = there is none.
    package var keyCount = -1
    package var valueStart = 0
    /// -1 = there is none.
    package var valueCount = -1
}

/// Steps over the records of one batch.
package struct RecordPlaces: Sendable {
    private let records: Bytes
    private let header: RecordBatchHeader
    private var position = 0
    private var index: Int32 = 0

    /// `records` are the bytes behind the header, decompressed.
    package init(header: RecordBatchHeader, records: Bytes) {
        self.header = header
        self.records = records
    }

    /// The next record, or nil behind the last. Refuses what `RecordCursor` refuses.
    package mutating func next() throws(DecodeFailure) -> RecordPlace? {
        guard index < header.recordCount else { return nil }
        var walk = Walk(bytes: records.storage.base + records.start, count: records.count)
        walk.position = position
        let length = walk.varint()
        let begin = walk.position
        guard walk.isWhole, length >= 0, length <= Int64(records.count - begin) else {
            return try refuse()
        }
        let end = begin + Int(length)
        walk.skip(1)
        let timestampDelta = walk.varint()
        let offsetDelta = walk.varint()
        var place = RecordPlace(
            offset: Offset(header.baseOffset.value &+ offsetDelta),
            timestamp: header.usesLogAppendTime
                ? header.maxTimestamp
                : Timestamp(milliseconds: header.baseTimestamp.milliseconds &+ timestampDelta))
        (place.keyStart, place.keyCount) = walk.field()
        (place.valueStart, place.valueCount) = walk.field()
        let headerCount = walk.varint()
        // A header takes two bytes at least.
        guard walk.isWhole, walk.position <= end, Int32(exactly: offsetDelta) != nil,
            headerCount >= 0, headerCount <= Int64((records.count - walk.position) / 2)
        else { return try refuse() }
        index += 1
        position = end
        return place
    }

    /// What is wrong with the record at `position`, in the words of the careful reader.
    @inline(never)
    private func refuse() throws(DecodeFailure) -> RecordPlace? {
        var rest = header
        rest.recordCount = 1
        var cursor = RecordCursor(header: rest, records: records[position..<records.count])
        _ = try cursor.next()
        throw .malformed("record cannot be read", position: position)
    }
}

/// A cursor that notes when it ran over the end instead of throwing each time.
private struct Walk {
    let bytes: UnsafeRawPointer
    let count: Int
    var position = 0
    private(set) var isWhole = true

    init(bytes: UnsafeRawPointer, count: Int) {
        self.bytes = bytes
        self.count = count
    }

    @inline(__always)
    mutating func varint() -> Int64 {
        guard position < count else { return broken() }
        let first = bytes.load(fromByteOffset: position, as: UInt8.self)
        position &+= 1
        if first < 0x80 { return Int64(first &>> 1) ^ -Int64(first & 1) }
        var raw = UInt64(first & 0x7F)
        var shift: UInt64 = 7
        while position < count, shift < 63 {
            let byte = bytes.load(fromByteOffset: position, as: UInt8.self)
            position &+= 1
            raw |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return Int64(bitPattern: raw &>> 1) ^ -Int64(bitPattern: raw & 1) }
            shift &+= 7
        }
        guard position < count else { return broken() }
        // The tenth byte has one bit.
        let byte = bytes.load(fromByteOffset: position, as: UInt8.self)
        position &+= 1
        guard byte <= 1 else { return broken() }
        raw |= UInt64(byte) &<< 63
        return Int64(bitPattern: raw &>> 1) ^ -Int64(bitPattern: raw & 1)
    }

    @inline(__always)
    mutating func skip(_ more: Int) {
        if count &- position < more { isWhole = false } else { position &+= more }
    }

    /// Bytes behind a length: where they begin and how many they are, -1 for none.
    @inline(__always)
    mutating func field() -> (start: Int, count: Int) {
        let length = varint()
        if length == -1 { return (position, -1) }
        guard length >= 0, length <= Int64(count &- position) else {
            isWhole = false
            return (position, -1)
        }
        let start = position
        position &+= Int(length)
        return (start, Int(length))
    }

    @inline(never)
    private mutating func broken() -> Int64 {
        isWhole = false
        return 0
    }
}
