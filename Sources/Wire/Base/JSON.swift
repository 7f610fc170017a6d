// JSON (RFC 8259): a strict parser over UTF-8 bytes with positions, limits and exact numbers, and a
// writer. Not for the rows of a topic: those go straight into columns (Streams/JSONRows).

/// A JSON value. Numbers keep their text, so that 64-bit integers and long decimals stay exact.
/// Object members keep their order; of equal keys the last wins on lookup.
package enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    /// The digits as written, valid by the grammar of RFC 8259 section 6.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([JSONMember])
}

package struct JSONMember: Hashable, Sendable {
    package var key: String
    package var value: JSONValue

    package init(_ key: String, _ value: JSONValue) {
        self.key = key
        self.value = value
    }
}

extension JSONValue {
    /// Parses one document; anything but white space behind it is an error.
    /// More than `valuesLimit` values, members and items alike, are refused: one takes many times the
    /// bytes that it is written with.
    package init(
        parsing bytes: Bytes, depthLimit: Int = Limits.nestingDepth, valuesLimit: Int = .max
    ) throws(DecodeFailure) {
        var parser = JSONParser(bytes: bytes, depthLimit: depthLimit, valuesLeft: valuesLimit)
        self = try parser.document()
    }

    package init(parsing text: String) throws(DecodeFailure) {
        try self.init(parsing: Bytes(utf8: text))
    }

    package static func int(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// A finite number; JSON has no NaN and no infinity, they become null.
    package static func double(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        if value == value.rounded(), abs(value) < 1e15 { return .number(String(Int64(value))) }
        return .number("\(value)")
    }

    package subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.key == key }?.value
    }

    package var stringValue: String? {
        if case .string(let text) = self { text } else { nil }
    }
    package var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }
    /// The number as a 64-bit integer, if it is one exactly.
    package var intValue: Int64? {
        guard case .number(let digits) = self else { return nil }
        if let exact = Int64(digits) { return exact }
        guard let value = Double(digits), abs(value) < 9e15, value == value.rounded() else {
            return nil
        }
        return Int64(value)
    }
    package var doubleValue: Double? {
        if case .number(let digits) = self { Double(digits) } else { nil }
    }
    package var arrayValue: [JSONValue]? {
        if case .array(let values) = self { values } else { nil }
    }
    package var members: [JSONMember]? {
        if case .object(let members) = self { members } else { nil }
    }
    package var isNull: Bool { self == .null }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .number(String(value)) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(elements.map { JSONMember($0.0, $0.1) })
    }
}

// MARK: Writing

extension JSONValue {
    /// The document on one line without spaces.
    package var text: String { String(decoding: serialized(indent: nil).array, as: UTF8.self) }

    /// The document with line breaks and `indent` spaces a level.
    package func pretty(indent: Int = 2) -> String {
        String(decoding: serialized(indent: indent).array, as: UTF8.self)
    }

    package func serialized(indent: Int? = nil) -> Bytes {
        var writer = ByteWriter(capacity: 1024)
        write(to: &writer, indent: indent, level: 0)
        return writer.finish()
    }

    package func write(to writer: inout ByteWriter, indent: Int? = nil, level: Int = 0) {
        switch self {
        case .null: writer.utf8("null")
        case .bool(let value): writer.utf8(value ? "true" : "false")
        case .number(let digits): writer.utf8(digits)
        case .string(let text): writeJSONString(text, to: &writer)
        case .array(let values):
            writeList(
                values.count, open: 0x5B, close: 0x5D, to: &writer, indent: indent, level: level
            ) { index, writer in
                values[index].write(to: &writer, indent: indent, level: level + 1)
            }
        case .object(let members):
            writeList(
                members.count, open: 0x7B, close: 0x7D, to: &writer, indent: indent, level: level
            ) { index, writer in
                writeJSONString(members[index].key, to: &writer)
                writer.utf8(indent == nil ? ":" : ": ")
                members[index].value.write(to: &writer, indent: indent, level: level + 1)
            }
        }
    }

    private func writeList(
        _ count: Int, open: UInt8, close: UInt8, to writer: inout ByteWriter, indent: Int?,
        level: Int, element: (Int, inout ByteWriter) -> Void
    ) {
        writer.uint8(open)
        for index in 0..<count {
            if index > 0 { writer.uint8(0x2C) }
            newLine(&writer, indent: indent, level: level + 1)
            element(index, &writer)
        }
        if count > 0 { newLine(&writer, indent: indent, level: level) }
        writer.uint8(close)
    }

    private func newLine(_ writer: inout ByteWriter, indent: Int?, level: Int) {
        guard let indent else { return }
        writer.uint8(0x0A)
        for _ in 0..<(indent * level) { writer.uint8(0x20) }
    }
}

/// `text` in quotes, with what JSON requires escaped.
package func writeJSONString(_ text: String, to writer: inout ByteWriter) {
    var text = text
    text.withUTF8 { writeJSONString(utf8: UnsafeRawBufferPointer($0), to: &writer) }
}

/// The UTF-8 in `buffer` in quotes, with what JSON requires escaped.
package func writeJSONString(utf8 buffer: UnsafeRawBufferPointer, to writer: inout ByteWriter) {
    writer.uint8(0x22)
    var plainStart = 0
    for index in 0..<buffer.count {
        let byte = buffer[index]
        guard byte < 0x20 || byte == 0x22 || byte == 0x5C else { continue }
        writer.bytes(UnsafeRawBufferPointer(rebasing: buffer[plainStart..<index]))
        plainStart = index + 1
        writer.uint8(0x5C)
        switch byte {
        case 0x22, 0x5C: writer.uint8(byte)
        case 0x0A: writer.uint8(0x6E)
        case 0x0D: writer.uint8(0x72)
        case 0x09: writer.uint8(0x74)
        default:
            writer.utf8("u00")
            writer.uint8(Hexadecimal.digit(byte >> 4))
            writer.uint8(Hexadecimal.digit(byte))
        }
    }
    writer.bytes(UnsafeRawBufferPointer(rebasing: buffer[plainStart...]))
    writer.uint8(0x22)
}

// MARK: Parsing

private struct JSONParser {
    var reader: ByteReader
    let depthLimit: Int
    var valuesLeft: Int

    init(bytes: Bytes, depthLimit: Int, valuesLeft: Int) {
        reader = ByteReader(bytes)
        self.depthLimit = depthLimit
        self.valuesLeft = valuesLeft
    }

    mutating func document() throws(DecodeFailure) -> JSONValue {
        let value = try value(depth: 0)
        skipWhiteSpace()
        guard reader.isAtEnd else {
            throw .malformed("unexpected text behind the JSON document", position: reader.position)
        }
        return value
    }

    private var next: UInt8? {
        reader.isAtEnd ? nil : reader.bytes[reader.position]
    }

    private mutating func skipWhiteSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
            reader.cursor += 1
        }
    }

    private mutating func value(depth: Int) throws(DecodeFailure) -> JSONValue {
        skipWhiteSpace()
        guard let byte = next else {
            throw .malformed("JSON ends where a value is expected", position: reader.position)
        }
        valuesLeft -= 1
        guard valuesLeft >= 0 else {
            throw .malformed("the JSON document has too many values", position: reader.position)
        }
        switch byte {
        case 0x7B: return try object(depth: depth)
        case 0x5B: return try array(depth: depth)
        case 0x22: return .string(try string())
        case 0x74: return try word("true", .bool(true))
        case 0x66: return try word("false", .bool(false))
        case 0x6E: return try word("null", .null)
        case 0x2D, 0x30...0x39: return try number()
        default:
            throw .malformed("JSON value expected", position: reader.position)
        }
    }

    private mutating func word(
        _ text: StaticString, _ value: JSONValue
    ) throws(DecodeFailure) -> JSONValue {
        let at = reader.position
        let found = try reader.slice(min(text.utf8CodeUnitCount, reader.remaining))
        guard found.text == text.description else {
            throw .malformed("JSON value expected", position: at)
        }
        return value
    }

    private mutating func enter(depth: Int) throws(DecodeFailure) {
        if depth >= depthLimit {
            throw .tooLarge(
                what: "JSON nesting", value: Int64(depth + 1), limit: Int64(depthLimit))
        }
        reader.cursor += 1
        skipWhiteSpace()
    }

    private mutating func object(depth: Int) throws(DecodeFailure) -> JSONValue {
        try enter(depth: depth)
        var members: [JSONMember] = []
        if next == 0x7D {
            reader.cursor += 1
            return .object(members)
        }
        while true {
            skipWhiteSpace()
            guard next == 0x22 else {
                throw .malformed("JSON object key expected", position: reader.position)
            }
            let key = try string()
            skipWhiteSpace()
            guard next == 0x3A else {
                throw .malformed("':' expected behind a JSON key", position: reader.position)
            }
            reader.cursor += 1
            members.append(JSONMember(key, try value(depth: depth + 1)))
            if try !separator(close: 0x7D) { return .object(members) }
        }
    }

    private mutating func array(depth: Int) throws(DecodeFailure) -> JSONValue {
        try enter(depth: depth)
        var values: [JSONValue] = []
        if next == 0x5D {
            reader.cursor += 1
            return .array(values)
        }
        while true {
            values.append(try value(depth: depth + 1))
            if try !separator(close: 0x5D) { return .array(values) }
        }
    }

    /// Consumes `,` (true) or `close` (false).
    private mutating func separator(close: UInt8) throws(DecodeFailure) -> Bool {
        skipWhiteSpace()
        guard let byte = next, byte == 0x2C || byte == close else {
            throw .malformed(
                "',' or '\(Character(UnicodeScalar(close)))' expected", position: reader.position)
        }
        reader.cursor += 1
        return byte == 0x2C
    }

    private mutating func number() throws(DecodeFailure) -> JSONValue {
        let start = reader.position
        func fail() -> DecodeFailure { .malformed("malformed JSON number", position: start) }
        if next == 0x2D { reader.cursor += 1 }
        if next == 0x30 {
            reader.cursor += 1
        } else if digits() == 0 {
            throw fail()
        }
        if next == 0x2E {
            reader.cursor += 1
            if digits() == 0 { throw fail() }
        }
        if next == 0x65 || next == 0x45 {
            reader.cursor += 1
            if next == 0x2B || next == 0x2D { reader.cursor += 1 }
            if digits() == 0 { throw fail() }
        }
        return .number(reader.bytes[start..<reader.position].text)
    }

    private mutating func digits() -> Int {
        let start = reader.position
        while let byte = next, byte >= 0x30, byte <= 0x39 { reader.cursor += 1 }
        return reader.position - start
    }

    private mutating func string() throws(DecodeFailure) -> String {
        let start = reader.position
        reader.cursor += 1
        var unescaped: [UInt8]?
        var plainStart = reader.position
        while true {
            guard let byte = next else {
                throw .malformed("JSON string without an end", position: start)
            }
            if byte == 0x22 { break }
            if byte < 0x20 {
                throw .malformed("control character in a JSON string", position: reader.position)
            }
            if byte != 0x5C {
                reader.cursor += 1
                continue
            }
            var buffer = unescaped ?? []
            buffer += reader.bytes[plainStart..<reader.position].array
            reader.cursor += 1
            try escape(into: &buffer)
            unescaped = buffer
            plainStart = reader.position
        }
        let tail = reader.bytes[plainStart..<reader.position]
        reader.cursor += 1
        let text =
            unescaped.map { String(validating: $0 + tail.array, as: UTF8.self) } ?? tail.validText
        guard let text else {
            throw .malformed("JSON string is not valid UTF-8", position: start)
        }
        return text
    }

    private mutating func escape(into buffer: inout [UInt8]) throws(DecodeFailure) {
        let at = reader.position
        switch try reader.uint8() {
        case 0x22: buffer.append(0x22)
        case 0x5C: buffer.append(0x5C)
        case 0x2F: buffer.append(0x2F)
        case 0x62: buffer.append(0x08)
        case 0x66: buffer.append(0x0C)
        case 0x6E: buffer.append(0x0A)
        case 0x72: buffer.append(0x0D)
        case 0x74: buffer.append(0x09)
        case 0x75:
            var code = try hexDigits()
            if code & 0xFC00 == 0xD800 {
                guard try reader.uint8() == 0x5C, try reader.uint8() == 0x75 else {
                    throw .malformed("half of a surrogate pair", position: at)
                }
                let low = try hexDigits()
                guard low & 0xFC00 == 0xDC00 else {
                    throw .malformed("half of a surrogate pair", position: at)
                }
                code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = UnicodeScalar(code) else {
                throw .malformed("half of a surrogate pair", position: at)
            }
            buffer += Array(String(Character(scalar)).utf8)
        default:
            throw .malformed("unknown escape in a JSON string", position: at)
        }
    }

    private mutating func hexDigits() throws(DecodeFailure) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            let at = reader.position
            guard let digit = Hexadecimal.value(try reader.uint8()) else {
                throw .malformed("four hexadecimal digits expected", position: at)
            }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}
