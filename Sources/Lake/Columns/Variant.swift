// A variant: two byte sequences, so that a value carries its own type.
//
// | metadata | content |
// |---|---|
// | byte 0 | bits 0–3 version = 1, bit 4 names are sorted, bits 6–7 bytes of an offset − 1 |
// | | number of names, that many offsets and one more, then the names |
//
// | value | content |
// |---|---|
// | byte 0 | bits 0–1 kind: 0 primitive, 1 short text, 2 object, 3 array; bits 2–7 see below |
// | primitive | bits 2–7 the type, see `VariantPrimitive`; then its bytes, little-endian |
// | short text | bits 2–7 the length; then the bytes |
// | object | bits 2–3 bytes of an offset − 1, bits 4–5 bytes of a name number − 1, bit 6 large; number
// of members in 1 or 4 bytes, name numbers in the order of the names, offsets and one more, values |
// | array | bits 2–3 bytes of an offset − 1, bit 4 large; number, offsets and one more, values |

import Base

/// Types of a primitive value, by number.
package enum VariantPrimitive: UInt8, Sendable {
    case null, yes, no, int8, int16, int32, int64, double
    case decimal4, decimal8, decimal16
    case date, timestamp, timestampNTZ
    case float, binary, text
    case time, timestampNanos, timestampNTZNanos
    case uuid

    /// Bytes behind the head; nil where a length says so.
    var byteCount: Int? {
        switch self {
        case .null, .yes, .no: 0
        case .int8: 1
        case .int16: 2
        case .int32, .float, .date: 4
        case .int64, .double, .timestamp, .timestampNTZ, .time, .timestampNanos,
            .timestampNTZNanos:
            8
        case .decimal4: 5
        case .decimal8: 9
        case .decimal16: 17
        case .uuid: 16
        case .binary, .text: nil
        }
    }
}

/// The names that a variant's objects use, checked once.
package struct VariantNames: Sendable {
    private let bytes: Bytes
    private let positions: [Int]

    /// Checks `metadata`, which may come from anywhere.
    package init(_ metadata: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(metadata)
        let head = try reader.uint8()
        guard head & 0x0F == 1 else {
            throw .invalid(what: "version of a variant", value: Int64(head & 0x0F), position: 0)
        }
        let width = Int(head >> 6) + 1
        let count = try reader.unsigned(width)
        _ = try reader.checkedCount(count, minimumBytes: width, what: "number of variant names")
        var offsets: [Int] = []
        offsets.reserveCapacity(count + 1)
        for _ in 0...count { offsets.append(try reader.unsigned(width)) }
        bytes = reader.rest()
        var last = 0
        for offset in offsets {
            guard offset >= last, offset <= bytes.count else {
                throw .invalid(what: "offset of a variant name", value: Int64(offset), position: 0)
            }
            last = offset
        }
        guard offsets[0] == 0 else {
            throw .invalid(what: "offset of a variant name", value: Int64(offsets[0]), position: 0)
        }
        positions = offsets
    }

    package var count: Int { positions.count - 1 }

    /// Name number `index`, which must be below `count`.
    package subscript(index: Int) -> Bytes { bytes[positions[index]..<positions[index + 1]] }

    /// The number of each name.
    package var numbers: [Bytes: Int] {
        Dictionary((0..<count).map { (self[$0], $0) }, uniquingKeysWith: { first, _ in first })
    }
}

/// A member of an object, or an element of an array when there is no name.
package struct VariantMember: Sendable {
    package var name: Int
    package var value: Bytes

    package init(name: Int, value: Bytes) {
        self.name = name
        self.value = value
    }
}

/// A value whose head was understood. What is inside of it is checked when it is asked for.
package enum VariantNode: Sendable {
    case primitive(VariantPrimitive, Bytes)
    case text(Bytes)
    /// Each member with the number of its name.
    case object([VariantMember])
    case array([Bytes])

    /// Understands the value at the begin of `bytes`.
    package init(_ bytes: Bytes) throws(DecodeFailure) {
        var reader = ByteReader(bytes)
        let head = try reader.uint8()
        let detail = head >> 2
        switch head & 3 {
        case 0:
            guard let type = VariantPrimitive(rawValue: detail) else {
                throw .unsupported("type \(detail) of a variant")
            }
            let count: Int
            if let fixed = type.byteCount {
                count = fixed
            } else {
                count = Int(try reader.uint32LE())
            }
            let content = try reader.slice(count)
            self = type == .text ? .text(content) : .primitive(type, content)
        case 1: self = .text(try reader.slice(Int(detail)))
        case 2: self = .object(try Self.members(&reader, detail, isObject: true))
        default:
            self = .array(try Self.members(&reader, detail, isObject: false).map(\.value))
        }
    }

    private static func members(
        _ reader: inout ByteReader, _ detail: UInt8, isObject: Bool
    ) throws(DecodeFailure) -> [VariantMember] {
        let offsetBytes = Int(detail & 3) + 1
        let nameBytes = isObject ? Int(detail >> 2 & 3) + 1 : 0
        let isLarge = detail >> (isObject ? 4 : 2) & 1 == 1
        let count = isLarge ? Int(try reader.uint32LE()) : Int(try reader.uint8())
        _ = try reader.checkedCount(
            count, minimumBytes: offsetBytes + nameBytes, what: "number of variant members")
        var names = [Int](repeating: 0, count: count)
        if isObject {
            for index in 0..<count { names[index] = try reader.unsigned(nameBytes) }
        }
        var offsets: [Int] = []
        offsets.reserveCapacity(count + 1)
        for _ in 0...count { offsets.append(try reader.unsigned(offsetBytes)) }
        let values = reader.rest()
        let end = offsets[count]
        guard end <= values.count else {
            throw .truncated(needed: end, available: values.count, position: reader.position)
        }
        var result: [VariantMember] = []
        result.reserveCapacity(count)
        for index in 0..<count {
            guard offsets[index] < end else {
                throw .invalid(
                    what: "offset of a variant member", value: Int64(offsets[index]), position: 0)
            }
            // Members of an object may stand in any order, so each ends where its own head says.
            let rest = values[offsets[index]..<end]
            let size = try Self.size(rest)
            guard size <= rest.count else {
                throw .truncated(needed: size, available: rest.count, position: 0)
            }
            result.append(VariantMember(name: names[index], value: rest[0..<size]))
        }
        return result
    }

    /// The bytes that the value at the begin of `bytes` takes, going by its head.
    package static func size(_ bytes: Bytes) throws(DecodeFailure) -> Int {
        var reader = ByteReader(bytes)
        let head = try reader.uint8()
        let detail = head >> 2
        switch head & 3 {
        case 0:
            guard let type = VariantPrimitive(rawValue: detail) else {
                throw .unsupported("type \(detail) of a variant")
            }
            if let fixed = type.byteCount { return 1 + fixed }
            return 5 + Int(try reader.uint32LE())
        case 1: return 1 + Int(detail)
        default:
            let isObject = head & 3 == 2
            let offsetBytes = Int(detail & 3) + 1
            let nameBytes = isObject ? Int(detail >> 2 & 3) + 1 : 0
            let isLarge = detail >> (isObject ? 4 : 2) & 1 == 1
            let count = isLarge ? Int(try reader.uint32LE()) : Int(try reader.uint8())
            // At most 2^32 · 8: no overflow.
            try reader.skip(count * (nameBytes + offsetBytes))
            let content = try reader.unsigned(offsetBytes)
            return reader.position + content
        }
    }
}

extension ByteReader {
    /// An unsigned little-endian number of one to four bytes.
    fileprivate mutating func unsigned(_ width: Int) throws(DecodeFailure) -> Int {
        var value = 0
        for index in 0..<width { value |= Int(try uint8()) << (8 * index) }
        return value
    }
}
