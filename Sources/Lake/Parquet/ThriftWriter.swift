import Base

/// Writes Thrift structures in the compact protocol (layout: `ThriftReader.swift`). Fields must be
/// written in ascending order of their ids.
struct ThriftWriter: ~Copyable {
    private var output = ByteWriter(capacity: 1024)
    private var last: Int16 = 0
    private var enclosing: [Int16] = []

    private mutating func field(_ id: Int16, _ type: ThriftType) {
        precondition(id > last, "fields are written in ascending order")
        if id - last <= 15 {
            output.uint8(UInt8(id - last) << 4 | type.rawValue)
        } else {
            output.uint8(type.rawValue)
            output.varint(Int32(id))
        }
        last = id
    }

    mutating func bool(_ id: Int16, _ value: Bool) { field(id, value ? .yes : .no) }

    mutating func int8(_ id: Int16, _ value: Int8) {
        field(id, .int8)
        output.int8(value)
    }

    mutating func int16(_ id: Int16, _ value: Int16) {
        field(id, .int16)
        output.varint(Int32(value))
    }

    mutating func int32(_ id: Int16, _ value: Int32) {
        field(id, .int32)
        output.varint(value)
    }

    mutating func int64(_ id: Int16, _ value: Int64) {
        field(id, .int64)
        output.varlong(value)
    }

    mutating func binary(_ id: Int16, _ value: Bytes) {
        field(id, .binary)
        element(value)
    }

    mutating func string(_ id: Int16, _ value: String) { binary(id, Bytes(utf8: value)) }

    /// An empty structure, which unions use as a tag.
    mutating func tag(_ id: Int16) {
        beginStructure(id)
        endStructure()
    }

    mutating func beginStructure(_ id: Int16) {
        field(id, .structure)
        beginElement()
    }

    /// Begins a structure that is an element of a list.
    mutating func beginElement() {
        enclosing.append(last)
        last = 0
    }

    mutating func endStructure() {
        output.uint8(0)
        guard let outer = enclosing.popLast() else {
            preconditionFailure("a structure was ended that had not begun")
        }
        last = outer
    }

    /// The head of a list; `count` elements must follow.
    mutating func list(_ id: Int16, of type: ThriftType, count: Int) {
        field(id, .list)
        if count < 15 {
            output.uint8(UInt8(count) << 4 | type.rawValue)
        } else {
            output.uint8(0xF0 | type.rawValue)
            output.unsignedVarint(UInt32(count))
        }
    }

    mutating func element(_ value: Bytes) {
        output.unsignedVarint(UInt32(value.count))
        output.bytes(value)
    }

    mutating func element(_ value: String) { element(Bytes(utf8: value)) }
    mutating func element(_ value: Int32) { output.varint(value) }
    mutating func element(_ value: Int64) { output.varlong(value) }
    mutating func element(_ value: Bool) { output.uint8(value ? 1 : 2) }

    /// Ends the outermost structure.
    consuming func finish() -> Bytes {
        precondition(enclosing.isEmpty, "all structures have ended")
        output.uint8(0)
        return output.finish()
    }
}
