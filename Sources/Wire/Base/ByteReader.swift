// A checked cursor over untrusted bytes. Nothing read through it can trap, loop without end or
// allocate more than the input justifies: every length is compared with what is left first.

/// Why bytes from outside could not be understood.
package enum DecodeFailure: Error, Equatable, Sendable {
    /// `needed` bytes were required at `position`, `available` were left.
    case truncated(needed: Int, available: Int, position: Int)
    /// A length, count or enumerated value is outside of what the format allows.
    case invalid(what: String, value: Int64, position: Int)
    /// A limit of ours was exceeded: see `Limits`.
    case tooLarge(what: String, value: Int64, limit: Int64)
    /// The bytes break the format in some other way.
    case malformed(String, position: Int)
    /// A checksum does not match.
    case checksum(what: String, expected: UInt32, found: UInt32)
    /// The format is known, but this feature of it is not supported here.
    case unsupported(String)
}

extension DecodeFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .truncated(let needed, let available, let position):
            "truncated: \(needed) bytes needed at position \(position), \(available) left"
        case .invalid(let what, let value, let position):
            "invalid \(what) \(value) at position \(position)"
        case .tooLarge(let what, let value, let limit):
            "\(what) is \(value), the limit is \(limit)"
        case .malformed(let what, let position):
            "\(what) at position \(position)"
        case .checksum(let what, let expected, let found):
            "\(what) checksum mismatch: expected \(hex(expected)), found \(hex(found))"
        case .unsupported(let what):
            "not supported: \(what)"
        }
    }
}

/// A forward cursor over `Bytes`. Integers without a suffix are big-endian, as in the broker's
/// protocol; `LE` variants serve Parquet.
package struct ByteReader: Sendable {
    @usableFromInline package let bytes: Bytes
    @usableFromInline package var cursor: Int = 0

    @inlinable
    package init(_ bytes: Bytes) { self.bytes = bytes }

    @inlinable package var position: Int { cursor }
    @inlinable package var remaining: Int { bytes.count - cursor }
    @inlinable package var isAtEnd: Bool { cursor == bytes.count }

    @inlinable
    package func require(_ needed: Int) throws(DecodeFailure) {
        if needed < 0 {
            throw .invalid(what: "length", value: Int64(needed), position: cursor)
        }
        if needed > remaining {
            throw .truncated(needed: needed, available: remaining, position: cursor)
        }
    }

    @inlinable
    package mutating func load<T: FixedWidthInteger & BitwiseCopyable>(
        _ type: T.Type
    ) throws(DecodeFailure) -> T {
        let size = MemoryLayout<T>.size
        try require(size)
        let value = (bytes.storage.base + bytes.start + cursor).loadUnaligned(as: T.self)
        cursor += size
        return value
    }

    @inlinable package mutating func uint8() throws(DecodeFailure) -> UInt8 { try load(UInt8.self) }
    @inlinable package mutating func int8() throws(DecodeFailure) -> Int8 { try load(Int8.self) }
    @inlinable package mutating func int16() throws(DecodeFailure) -> Int16 {
        Int16(bigEndian: try load(Int16.self))
    }
    @inlinable package mutating func uint16() throws(DecodeFailure) -> UInt16 {
        UInt16(bigEndian: try load(UInt16.self))
    }
    @inlinable package mutating func int32() throws(DecodeFailure) -> Int32 {
        Int32(bigEndian: try load(Int32.self))
    }
    @inlinable package mutating func uint32() throws(DecodeFailure) -> UInt32 {
        UInt32(bigEndian: try load(UInt32.self))
    }
    @inlinable package mutating func int64() throws(DecodeFailure) -> Int64 {
        Int64(bigEndian: try load(Int64.self))
    }
    @inlinable package mutating func float64() throws(DecodeFailure) -> Double {
        Double(bitPattern: UInt64(bigEndian: try load(UInt64.self)))
    }
    @inlinable package mutating func uint16LE() throws(DecodeFailure) -> UInt16 {
        UInt16(littleEndian: try load(UInt16.self))
    }
    @inlinable package mutating func uint32LE() throws(DecodeFailure) -> UInt32 {
        UInt32(littleEndian: try load(UInt32.self))
    }
    @inlinable package mutating func int32LE() throws(DecodeFailure) -> Int32 {
        Int32(littleEndian: try load(Int32.self))
    }
    @inlinable package mutating func uint64LE() throws(DecodeFailure) -> UInt64 {
        UInt64(littleEndian: try load(UInt64.self))
    }
    @inlinable package mutating func int64LE() throws(DecodeFailure) -> Int64 {
        Int64(littleEndian: try load(Int64.self))
    }

    /// Seven bits a byte, least significant first, at most 10 bytes.
    @inlinable @inline(__always)
    package mutating func unsignedVarlong() throws(DecodeFailure) -> UInt64 {
        // Nearly all have one or two bytes.
        if remaining >= 2 {
            let at = bytes.storage.base + bytes.start + cursor
            let first = at.load(as: UInt8.self)
            let second = at.load(fromByteOffset: 1, as: UInt8.self)
            if first < 0x80 {
                cursor += 1
                return UInt64(first)
            }
            if second < 0x80 {
                cursor += 2
                return UInt64(first & 0x7F) | UInt64(second) << 7
            }
        }
        return try longVarlong()
    }

    @inlinable @inline(never)
    package mutating func longVarlong() throws(DecodeFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try uint8()
            if shift == 63 && byte > 1 {
                throw .invalid(what: "varint", value: Int64(byte), position: cursor - 1)
            }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            if shift > 63 {
                throw .malformed("varint longer than 10 bytes", position: cursor)
            }
        }
    }

    /// An unsigned varint of at most 32 bits.
    @inlinable
    package mutating func unsignedVarint() throws(DecodeFailure) -> UInt32 {
        let start = cursor
        let value = try unsignedVarlong()
        guard value <= UInt64(UInt32.max) else {
            throw .invalid(what: "varint", value: Int64(bitPattern: value), position: start)
        }
        return UInt32(truncatingIfNeeded: value)
    }

    /// A zigzag varint of at most 64 bits.
    @inlinable
    package mutating func varlong() throws(DecodeFailure) -> Int64 {
        let raw = try unsignedVarlong()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// A zigzag varint of at most 32 bits.
    @inlinable
    package mutating func varint() throws(DecodeFailure) -> Int32 {
        let raw = try unsignedVarint()
        return Int32(bitPattern: raw >> 1) ^ -Int32(bitPattern: raw & 1)
    }

    /// The next `count` bytes, shared with the input.
    @inlinable
    package mutating func slice(_ count: Int) throws(DecodeFailure) -> Bytes {
        try require(count)
        let result = Bytes(storage: bytes.storage, start: bytes.start + cursor, count: count)
        cursor += count
        return result
    }

    /// Everything that is left.
    @inlinable
    package mutating func rest() -> Bytes {
        let result = Bytes(storage: bytes.storage, start: bytes.start + cursor, count: remaining)
        cursor = bytes.count
        return result
    }

    @inlinable
    package mutating func skip(_ count: Int) throws(DecodeFailure) {
        try require(count)
        cursor += count
    }

    /// `count` bytes as text; malformed UTF-8 is an error.
    package mutating func string(_ count: Int) throws(DecodeFailure) -> String {
        let at = cursor
        guard let text = try slice(count).validText else {
            throw .malformed("text is not valid UTF-8", position: at)
        }
        return text
    }

    /// Checks an element count against what the remaining bytes can hold, so that a hostile count
    /// cannot make us allocate: each element takes at least `minimumBytes` on the wire.
    @inlinable
    package func checkedCount(
        _ count: Int, minimumBytes: Int, what: String
    ) throws(DecodeFailure) -> Int {
        if count < 0 { throw .invalid(what: what, value: Int64(count), position: cursor) }
        let (needed, overflow) = count.multipliedReportingOverflow(by: Swift.max(minimumBytes, 1))
        if overflow || needed > remaining {
            throw .truncated(
                needed: overflow ? Int.max : needed, available: remaining, position: cursor)
        }
        return count
    }
}
