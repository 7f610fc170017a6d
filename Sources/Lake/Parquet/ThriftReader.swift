// The compact protocol of Apache Thrift, as Parquet's footer and page headers use it.
//
// | part | layout |
// |---|---|
// | field | high nibble = id − last id (0: a zigzag varint id follows), low nibble = type |
// | end of a structure | one byte 0 |
// | bool field | no content: type 1 = true, type 2 = false |
// | i8 | one byte |
// | i16, i32, i64 | zigzag varint |
// | double | eight bytes, little-endian |
// | binary | varint length, bytes |
// | list, set | one byte: high nibble = count (15: a varint count follows), low nibble = element type |
// | map | varint count; if not 0, one byte with key and value type, then the entries |
// | bool in a list or map | one byte |

import Base

/// Types of the compact protocol by their nibble.
enum ThriftType: UInt8 {
    case stop = 0
    case yes = 1
    case no = 2
    case int8 = 3
    case int16 = 4
    case int32 = 5
    case int64 = 6
    case double = 7
    case binary = 8
    case list = 9
    case set = 10
    case map = 11
    case structure = 12
    case uuid = 13
}

struct ThriftField {
    var id: Int16
    var type: ThriftType
}

/// A cursor over a Thrift structure in untrusted bytes. Fields of unknown id or unexpected type are
/// for the caller to `skip`.
struct ThriftReader {
    private(set) var reader: ByteReader

    init(_ bytes: Bytes) { reader = ByteReader(bytes) }

    var position: Int { reader.position }

    /// The next field, or nil at the end of the structure. `last` carries the id from one call to
    /// the next and begins with 0.
    mutating func field(after last: inout Int16) throws(DecodeFailure) -> ThriftField? {
        let at = reader.position
        let head = try reader.uint8()
        if head == 0 { return nil }
        let type = try type(head & 0x0F, at: at)
        if type == .stop { throw .malformed("Thrift field without a type", position: at) }
        let delta = Int16(head >> 4)
        if delta == 0 {
            let id = try reader.varint()
            guard let short = Int16(exactly: id) else {
                throw .invalid(what: "Thrift field id", value: Int64(id), position: at)
            }
            last = short
        } else {
            let (id, overflow) = last.addingReportingOverflow(delta)
            if overflow {
                throw .invalid(what: "Thrift field id", value: Int64(last), position: at)
            }
            last = id
        }
        return ThriftField(id: last, type: type)
    }

    private func type(_ nibble: UInt8, at position: Int) throws(DecodeFailure) -> ThriftType {
        guard let type = ThriftType(rawValue: nibble) else {
            throw .invalid(what: "Thrift type", value: Int64(nibble), position: position)
        }
        return type
    }

    mutating func int8() throws(DecodeFailure) -> Int8 { try reader.int8() }
    mutating func int32() throws(DecodeFailure) -> Int32 { try reader.varint() }
    mutating func int64() throws(DecodeFailure) -> Int64 { try reader.varlong() }

    mutating func binary() throws(DecodeFailure) -> Bytes {
        let count = try reader.unsignedVarint()
        return try reader.slice(Int(count))
    }

    mutating func string() throws(DecodeFailure) -> String {
        let at = reader.position
        guard let text = try binary().validText else {
            throw .malformed("name is not valid UTF-8", position: at)
        }
        return text
    }

    /// The head of a list whose elements are `wanted`. Every element takes at least a byte, so a
    /// hostile count is caught before anything is allocated for it.
    mutating func list(of wanted: ThriftType) throws(DecodeFailure) -> Int {
        let at = reader.position
        let (type, count) = try listHead()
        // An empty list may carry any type, and a list of bools either of theirs.
        let isBool = wanted == .yes && type == .no
        guard count == 0 || type == wanted || isBool else {
            throw .invalid(what: "Thrift list type", value: Int64(type.rawValue), position: at)
        }
        return count
    }

    private mutating func listHead() throws(DecodeFailure) -> (ThriftType, Int) {
        let at = reader.position
        let head = try reader.uint8()
        let type = try type(head & 0x0F, at: at)
        var count = Int(head >> 4)
        if count == 15 { count = Int(try reader.unsignedVarint()) }
        return (type, try reader.checkedCount(count, minimumBytes: 1, what: "Thrift list count"))
    }

    /// Passes over a field's content, nested values included.
    mutating func skip(_ type: ThriftType) throws(DecodeFailure) {
        try skip(type, inContainer: false, depth: 0)
    }

    private mutating func skip(
        _ type: ThriftType, inContainer: Bool, depth: Int
    ) throws(DecodeFailure) {
        if depth > Limits.nestingDepth {
            throw .tooLarge(
                what: "Thrift nesting", value: Int64(depth), limit: Int64(Limits.nestingDepth))
        }
        switch type {
        case .stop:
            throw .malformed("Thrift value without a type", position: reader.position)
        case .yes, .no: if inContainer { try reader.skip(1) }
        case .int8: try reader.skip(1)
        case .int16, .int32, .int64: _ = try reader.unsignedVarlong()
        case .double: try reader.skip(8)
        case .uuid: try reader.skip(16)
        case .binary: _ = try binary()
        case .list, .set:
            let (element, count) = try listHead()
            for _ in 0..<count { try skip(element, inContainer: true, depth: depth + 1) }
        case .map:
            let declared = Int(try reader.unsignedVarint())
            if declared == 0 { return }
            let at = reader.position
            let types = try reader.uint8()
            let key = try self.type(types >> 4, at: at)
            let value = try self.type(types & 0x0F, at: at)
            let count = try reader.checkedCount(declared, minimumBytes: 2, what: "Thrift map count")
            for _ in 0..<count {
                try skip(key, inContainer: true, depth: depth + 1)
                try skip(value, inContainer: true, depth: depth + 1)
            }
        case .structure:
            var last: Int16 = 0
            while let field = try field(after: &last) {
                try skip(field.type, inContainer: false, depth: depth + 1)
            }
        }
    }
}
