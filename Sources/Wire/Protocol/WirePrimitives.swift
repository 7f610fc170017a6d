// The encodings that all messages are made of.
//
// kind             classic                            flexible ("compact")
// string, bytes    int16 (int32) length, -1 = null    unsigned varint length + 1, 0 = null
// array            int32 count, -1 = null             unsigned varint count + 1, 0 = null
// tagged fields    –                                  unsigned varint count, then for each, in
//                                                     ascending order: tag, size, content
// uuid             16 bytes                           the same
// structure        –                                  int8: -1 = null, else the structure
//
// `flexible` chooses the column. Counts and lengths are compared with what is left of the input
// before anything is allocated for them.

import Base

/// A part of a message, with the same layout for sending and receiving.
package protocol WireStructure: Sendable {
    /// The fewest bytes that any version of it takes, so that counts can be checked.
    static var minimumWireBytes: Int { get }
    init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure)
    func write(to writer: inout ByteWriter, version: Int16)
}

/// An optional field of a flexible message.
package struct TaggedField: Sendable {
    package var tag: UInt32
    package var content: Bytes
}

extension ByteReader {
    package mutating func bool() throws(DecodeFailure) -> Bool { try uint8() != 0 }

    package mutating func uuid() throws(DecodeFailure) -> UUID128 {
        let high = UInt64(bitPattern: try int64())
        return UUID128(high: high, low: UInt64(bitPattern: try int64()))
    }

    package mutating func errorCode() throws(DecodeFailure) -> ErrorCode {
        ErrorCode(number: try int16())
    }

    /// A length or count of the flexible kind; nil for null.
    private mutating func compactLength() throws(DecodeFailure) -> Int? {
        let raw = try unsignedVarint()
        return raw == 0 ? nil : Int(raw) - 1
    }

    private mutating func classicLength(_ raw: Int) throws(DecodeFailure) -> Int? {
        if raw == -1 { return nil }
        if raw < 0 { throw .invalid(what: "length", value: Int64(raw), position: position) }
        return raw
    }

    package mutating func nullableStringField(flexible: Bool) throws(DecodeFailure) -> String? {
        let length = flexible ? try compactLength() : try classicLength(Int(try int16()))
        guard let length else { return nil }
        return try string(length)
    }

    package mutating func stringField(flexible: Bool) throws(DecodeFailure) -> String {
        guard let text = try nullableStringField(flexible: flexible) else {
            throw .malformed("null where text is required", position: position)
        }
        return text
    }

    package mutating func nullableBytesField(flexible: Bool) throws(DecodeFailure) -> Bytes? {
        let length = flexible ? try compactLength() : try classicLength(Int(try int32()))
        guard let length else { return nil }
        return try slice(length)
    }

    package mutating func bytesField(flexible: Bool) throws(DecodeFailure) -> Bytes {
        guard let bytes = try nullableBytesField(flexible: flexible) else {
            throw .malformed("null where bytes are required", position: position)
        }
        return bytes
    }

    /// Record batches: one piece that shares the memory of the input, none for null.
    package mutating func recordsField(flexible: Bool) throws(DecodeFailure) -> [Bytes] {
        guard let bytes = try nullableBytesField(flexible: flexible), !bytes.isEmpty else {
            return []
        }
        return [bytes]
    }

    /// The count of an array whose elements take at least `minimumBytes` each; nil for null.
    package mutating func arrayCount(
        flexible: Bool, minimumBytes: Int
    ) throws(DecodeFailure) -> Int? {
        let count = flexible ? try compactLength() : try classicLength(Int(try int32()))
        guard let count else { return nil }
        if count > Limits.arrayElements {
            throw .tooLarge(
                what: "array", value: Int64(count), limit: Int64(Limits.arrayElements))
        }
        return try checkedCount(count, minimumBytes: minimumBytes, what: "array")
    }

    package mutating func nullableArray<Element: WireStructure>(
        of type: Element.Type = Element.self, version: Int16, flexible: Bool
    ) throws(DecodeFailure) -> [Element]? {
        let count = try arrayCount(flexible: flexible, minimumBytes: Element.minimumWireBytes)
        guard let count else { return nil }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try Element(from: &self, version: version)) }
        return elements
    }

    /// An array that must be there. Null is read as empty: some clients send it.
    package mutating func array<Element: WireStructure>(
        of type: Element.Type = Element.self, version: Int16, flexible: Bool
    ) throws(DecodeFailure) -> [Element] {
        try nullableArray(of: type, version: version, flexible: flexible) ?? []
    }

    package mutating func nullableInt32Array(flexible: Bool) throws(DecodeFailure) -> [Int32]? {
        guard let count = try arrayCount(flexible: flexible, minimumBytes: 4) else { return nil }
        var elements: [Int32] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try int32()) }
        return elements
    }

    package mutating func int32Array(flexible: Bool) throws(DecodeFailure) -> [Int32] {
        try nullableInt32Array(flexible: flexible) ?? []
    }

    package mutating func int8Array(flexible: Bool) throws(DecodeFailure) -> [Int8] {
        guard let count = try arrayCount(flexible: flexible, minimumBytes: 1) else { return [] }
        var elements: [Int8] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try int8()) }
        return elements
    }

    package mutating func int64Array(flexible: Bool) throws(DecodeFailure) -> [Int64] {
        let count = try arrayCount(flexible: flexible, minimumBytes: 8) ?? 0
        var elements: [Int64] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try int64()) }
        return elements
    }

    package mutating func nullableStringArray(flexible: Bool) throws(DecodeFailure) -> [String]? {
        let count = try arrayCount(flexible: flexible, minimumBytes: flexible ? 1 : 2)
        guard let count else { return nil }
        var elements: [String] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try stringField(flexible: flexible)) }
        return elements
    }

    package mutating func stringArray(flexible: Bool) throws(DecodeFailure) -> [String] {
        try nullableStringArray(flexible: flexible) ?? []
    }

    /// A structure behind a sign that says whether it is there: -1 = no.
    package mutating func nullableStructure<Element: WireStructure>(
        of type: Element.Type = Element.self, version: Int16
    ) throws(DecodeFailure) -> Element? {
        try int8() < 0 ? nil : Element(from: &self, version: version)
    }

    /// The tagged fields at the end of a flexible structure. Tags that are not known to the caller
    /// are to be ignored: newer clients send them.
    package mutating func taggedFields() throws(DecodeFailure) -> [TaggedField] {
        let count = try checkedCount(
            Int(try unsignedVarint()), minimumBytes: 2, what: "tagged fields")
        var fields: [TaggedField] = []
        for _ in 0..<count {
            let tag = try unsignedVarint()
            if let last = fields.last, tag <= last.tag {
                throw .malformed("tagged fields are not in ascending order", position: position)
            }
            let size = Int(try unsignedVarint())
            fields.append(TaggedField(tag: tag, content: try slice(size)))
        }
        return fields
    }

    package mutating func skipTaggedFields() throws(DecodeFailure) {
        let count = try checkedCount(
            Int(try unsignedVarint()), minimumBytes: 2, what: "tagged fields")
        var last: UInt32?
        for _ in 0..<count {
            let tag = try unsignedVarint()
            if let last, tag <= last {
                throw .malformed("tagged fields are not in ascending order", position: position)
            }
            last = tag
            try skip(Int(try unsignedVarint()))
        }
    }
}

extension ByteWriter {
    package mutating func bool(_ value: Bool) { uint8(value ? 1 : 0) }

    package mutating func uuid(_ value: UUID128) {
        int64(Int64(bitPattern: value.high))
        int64(Int64(bitPattern: value.low))
    }

    package mutating func errorCode(_ code: ErrorCode) { int16(code.rawValue) }

    /// A classic string ends at 32,767 bytes: longer text (a message for people) is cut.
    package mutating func nullableStringField(_ text: String?, flexible: Bool) {
        guard let text else {
            if flexible { unsignedVarint(0) } else { int16(-1) }
            return
        }
        if flexible {
            unsignedVarint(UInt32(text.utf8.count) + 1)
            utf8(text)
            return
        }
        var whole = text
        if whole.utf8.count > Int(Int16.max) {
            whole = ""
            for character in text {
                if whole.utf8.count + character.utf8.count > Int(Int16.max) { break }
                whole.append(character)
            }
        }
        int16(Int16(whole.utf8.count))
        utf8(whole)
    }

    package mutating func stringField(_ text: String, flexible: Bool) {
        nullableStringField(text, flexible: flexible)
    }

    package mutating func bytesLength(_ count: Int, flexible: Bool) {
        if flexible { unsignedVarint(UInt32(count) + 1) } else { int32(Int32(count)) }
    }

    package mutating func nullableBytesField(_ bytes: Bytes?, flexible: Bool) {
        guard let bytes else {
            if flexible { unsignedVarint(0) } else { int32(-1) }
            return
        }
        bytesLength(bytes.count, flexible: flexible)
        self.bytes(bytes)
    }

    package mutating func bytesField(_ bytes: Bytes, flexible: Bool) {
        nullableBytesField(bytes, flexible: flexible)
    }

    /// The count of an array that is not null.
    package mutating func arrayCount(_ count: Int, flexible: Bool) {
        bytesLength(count, flexible: flexible)
    }

    private mutating func nullArray(flexible: Bool) {
        if flexible { unsignedVarint(0) } else { int32(-1) }
    }

    package mutating func nullableArray(
        _ elements: [some WireStructure]?, version: Int16, flexible: Bool
    ) {
        guard let elements else { return nullArray(flexible: flexible) }
        array(elements, version: version, flexible: flexible)
    }

    package mutating func array(
        _ elements: [some WireStructure], version: Int16, flexible: Bool
    ) {
        arrayCount(elements.count, flexible: flexible)
        for element in elements { element.write(to: &self, version: version) }
    }

    package mutating func nullableInt32Array(_ elements: [Int32]?, flexible: Bool) {
        guard let elements else { return nullArray(flexible: flexible) }
        int32Array(elements, flexible: flexible)
    }

    package mutating func int32Array(_ elements: [Int32], flexible: Bool) {
        arrayCount(elements.count, flexible: flexible)
        for element in elements { int32(element) }
    }

    package mutating func int8Array(_ elements: [Int8], flexible: Bool) {
        arrayCount(elements.count, flexible: flexible)
        for element in elements { int8(element) }
    }

    package mutating func int64Array(_ elements: [Int64], flexible: Bool) {
        arrayCount(elements.count, flexible: flexible)
        for element in elements { int64(element) }
    }

    package mutating func nullableStringArray(_ elements: [String]?, flexible: Bool) {
        guard let elements else { return nullArray(flexible: flexible) }
        stringArray(elements, flexible: flexible)
    }

    package mutating func stringArray(_ elements: [String], flexible: Bool) {
        arrayCount(elements.count, flexible: flexible)
        for element in elements { stringField(element, flexible: flexible) }
    }

    /// The inverse of reading one: a sign, then the structure if there is one.
    package mutating func nullableStructure(_ element: (some WireStructure)?, version: Int16) {
        int8(element == nil ? -1 : 1)
        element?.write(to: &self, version: version)
    }

    package mutating func noTaggedFields() { uint8(0) }

    package mutating func taggedFields(_ fields: TaggedFieldWriter) {
        unsignedVarint(UInt32(fields.fields.count))
        for field in fields.fields {
            unsignedVarint(field.tag)
            unsignedVarint(UInt32(field.content.count))
            bytes(field.content)
        }
    }
}

/// Collects tagged fields, because their count stands before them.
package struct TaggedFieldWriter {
    private(set) var fields: [TaggedField] = []

    package init() {}

    /// Adds a field; tags must come in ascending order.
    package mutating func add(_ tag: UInt32, _ content: Bytes) {
        precondition(fields.last.map { $0.tag < tag } ?? true, "tags must be in ascending order")
        fields.append(TaggedField(tag: tag, content: content))
    }
}
