// Text made for SQL and taken from it: quoting, format(), names, Unicode escapes, hexadecimal.

import Base
import Columns
import SQL
@_spi(_Unicode) import Swift

enum QuotingKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .quoteName:
            return try RowKernels.text(arguments, count: count) { rows, row, output in
                append(name: rows[0, row], to: &output)
            }
        case .quoteLiteral:
            return try RowKernels.text(arguments, count: count) { rows, row, output in
                append(literal: rows[0, row], to: &output)
            }
        case .quoteNullable:
            return try TextKernels.build(arguments, valid: nil, count: count) {
                rows, row, output in
                if arguments[0].isNull(row) {
                    output += "NULL".utf8
                } else {
                    append(literal: rows[0, row], to: &output)
                }
            }
        case .format: return try format(arguments, count: count)
        case .parseName: return try parseNames(arguments, count: count)
        case .unistr:
            return try RowKernels.text(arguments, count: count) {
                (rows, row, output) throws(Problem) in
                try unescape(rows[0, row], to: &output)
            }
        case .normalize: return try normalize(arguments, count: count)
        case .toHexadecimal:
            let numbers = arguments[0].wideIntegers
            let isShort = arguments[0].type != .int64
            let valid = arguments[0].validityFor(count)
            var sink = TextSink(capacity: count)
            for row in 0..<count {
                let number = numbers.at(row)
                let bits =
                    isShort
                    ? UInt64(UInt32(truncatingIfNeeded: number)) : UInt64(bitPattern: number)
                sink.append(String(bits, radix: 16))
            }
            return Column(type: .text, data: .text(sink.finish()), validity: valid)
        default: return nil
        }
    }

    // MARK: Quoting

    /// A name that is not plain lower case, or means something in SQL, in double quotes.
    static func append(name: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        var isPlain = !name.isEmpty
        for (index, byte) in name.enumerated() {
            switch byte {
            case 0x61...0x7A, 0x5F: break
            case 0x30...0x39 where index > 0: break
            default: isPlain = false
            }
        }
        if isPlain, Keyword.needsQuotes(String(decoding: name, as: UTF8.self)) { isPlain = false }
        if isPlain {
            output += name
            return
        }
        output.append(0x22)
        for byte in name {
            if byte == 0x22 { output.append(0x22) }
            output.append(byte)
        }
        output.append(0x22)
    }

    /// In single quotes; as an escape string when there is a backslash.
    static func append(literal: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        if literal.contains(0x5C) { output.append(0x45) }
        output.append(0x27)
        for byte in literal {
            if byte == 0x27 || byte == 0x5C { output.append(byte) }
            output.append(byte)
        }
        output.append(0x27)
    }

    // MARK: format()

    private static func format(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = arguments[0].validityFor(count)
        return try TextKernels.build(arguments, valid: valid, count: count) {
            (rows, row, output) throws(Problem) in
            var form = FormatPattern(rows[0, row])
            while let piece = try form.next(
                &output, values: arguments.count - 1,
                width: {
                    (number) throws(Problem) -> Int? in
                    guard number < arguments.count else { throw FormatPattern.tooFew }
                    if arguments[number].isNull(row) { return nil }
                    let text = String(decoding: rows[number, row], as: UTF8.self)
                    guard let width = Int32(text) else {
                        throw SQLErrors.invalidInput("integer", text)
                    }
                    return Int(width)
                })
            {
                let isNull = arguments[piece.argument].isNull(row)
                var text: [UInt8] = []
                switch piece.kind {
                case .plain: if !isNull { text += rows[piece.argument, row] }
                case .literal:
                    if isNull {
                        text += "NULL".utf8
                    } else {
                        append(literal: rows[piece.argument, row], to: &text)
                    }
                case .name:
                    guard !isNull else {
                        throw Problem(
                            "22004", "null values cannot be formatted as an SQL identifier")
                    }
                    append(name: rows[piece.argument, row], to: &text)
                }
                let length = text.withUnsafeBytes { TextKernels.scalarCount($0) }
                let padding = max(0, piece.width - length)
                guard padding <= TextKernels.resultBytesMax / 4 else {
                    throw Problem("54000", "requested length too large")
                }
                if !piece.isLeft { output += repeatElement(0x20, count: padding) }
                output += text
                if piece.isLeft { output += repeatElement(0x20, count: padding) }
                if output.count > TextKernels.resultBytesMax {
                    throw Problem("54000", "requested length too large")
                }
            }
        }
    }

    // MARK: Names

    private static func parseNames(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        try RowKernels.values(arguments, type: .list(.text), count: count) {
            (row) throws(Problem) in
            guard case .text(let text) = arguments[0].value(row),
                case .boolean(let isStrict) = arguments[1].value(row)
            else { return .null }
            var parser = NameParser(text)
            return .list(try parser.parts(isStrict: isStrict).map { .text($0) })
        }
    }

    // MARK: Unicode

    private static func unescape(
        _ text: UnsafeRawBufferPointer, to output: inout [UInt8]
    ) throws(Problem) {
        var index = 0
        var high: UInt32?
        let invalidPair = Problem("42601", "invalid Unicode surrogate pair")
        while index < text.count {
            let byte = text[index]
            guard byte == 0x5C else {
                if high != nil { throw invalidPair }
                output.append(byte)
                index += 1
                continue
            }
            if index + 1 < text.count, text[index + 1] == 0x5C {
                if high != nil { throw invalidPair }
                output.append(0x5C)
                index += 2
                continue
            }
            let mark = index + 1 < text.count ? text[index + 1] : 0
            let (skip, digits) =
                switch mark {
                case 0x2B: (2, 6)
                case 0x75: (2, 4)
                case 0x55: (2, 8)
                default: (1, 4)
                }
            let start = index + skip
            guard start + digits <= text.count,
                let code = Hexadecimal.number(text[start..<start + digits])
            else {
                throw Problem(
                    "42601", "invalid Unicode escape",
                    hint: "Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.")
            }
            index = start + digits
            if let first = high {
                guard code & 0xFFFF_FC00 == 0xDC00 else { throw invalidPair }
                high = nil
                let joined = 0x10000 + ((first & 0x3FF) << 10) + (code & 0x3FF)
                if let scalar = UnicodeScalar(joined) { output += String(Character(scalar)).utf8 }
                continue
            }
            if code & 0xFFFF_FC00 == 0xD800 {
                high = code
                continue
            }
            if code & 0xFFFF_FC00 == 0xDC00 { throw invalidPair }
            guard code != 0, let scalar = UnicodeScalar(code) else {
                throw SQLErrors.invalidParameter("invalid Unicode code point: \(hex(code))")
            }
            output += String(Character(scalar)).utf8
        }
        if high != nil { throw invalidPair }
    }

    private static func hex(_ code: UInt32) -> String {
        let digits = String(code, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, 4 - digits.utf8.count)) + digits
    }

    private static func normalize(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        try RowKernels.text(arguments, count: count) { (rows, row, output) throws(Problem) in
            var text = String(decoding: rows[0, row], as: UTF8.self)
            let form = String(decoding: rows[1, row], as: UTF8.self)
            let name = form.uppercased()
            if name == "NFKC" || name == "NFKD" { text = CompatibilityForms.decomposed(text) }
            switch name {
            case "NFC", "NFKC":
                for scalar in text._nfc { output += String(Character(scalar)).utf8 }
            case "NFD", "NFKD":
                for scalar in text._nfd { output += String(Character(scalar)).utf8 }
            default: throw SQLErrors.invalidParameter("invalid normalization form: \(form)")
            }
        }
    }
}

/// The pieces of a format(): plain text goes to the output, a place is handed back.
private struct FormatPattern {
    enum Kind { case plain, name, literal }

    struct Piece {
        var kind: Kind
        /// Number of the argument; the pattern itself is 0.
        var argument: Int
        var width: Int
        var isLeft: Bool
    }

    static let tooFew = SQLErrors.invalidParameter("too few arguments for format()")
    private static let unterminated = Problem(
        "22023", "unterminated format() type specifier",
        hint: "For a single \"%\" use \"%%\".")

    private let text: UnsafeRawBufferPointer
    private var index = 0
    private var nextArgument = 1

    init(_ text: UnsafeRawBufferPointer) { self.text = text }

    private var byte: UInt8 { index < text.count ? text[index] : 0 }

    private mutating func number() throws(Problem) -> Int? {
        var value = 0
        let start = index
        while index < text.count, byte &- 0x30 < 10 {
            value = value * 10 + Int(byte - 0x30)
            guard value <= Int(Int32.max) else {
                throw Problem("22003", "number is out of range")
            }
            index += 1
        }
        return index > start ? value : nil
    }

    mutating func next(
        _ output: inout [UInt8], values: Int, width: (Int) throws(Problem) -> Int?
    ) throws(Problem) -> Piece? {
        while index < text.count {
            if byte != 0x25 {
                output.append(byte)
                index += 1
                continue
            }
            index += 1
            guard index < text.count else { throw Self.unterminated }
            if byte == 0x25 {
                output.append(0x25)
                index += 1
                continue
            }
            return try place(values: values, width: width)
        }
        return nil
    }

    /// `[position$][-][width]type`
    private mutating func place(
        values: Int, width: (Int) throws(Problem) -> Int?
    ) throws(Problem) -> Piece {
        let start = index
        var position: Int?
        if let value = try number(), byte == 0x24 {
            guard value > 0 else {
                throw SQLErrors.invalidParameter(
                    "format specifies argument 0, but arguments are numbered from 1")
            }
            position = value
            index += 1
        } else {
            index = start
        }
        var piece = Piece(kind: .plain, argument: 0, width: 0, isLeft: false)
        while byte == 0x2D {
            piece.isLeft = true
            index += 1
        }
        if byte == 0x2A {
            index += 1
            let before = index
            var source: Int?
            if let value = try number() {
                guard byte == 0x24 else {
                    throw SQLErrors.invalidParameter(
                        "width argument position must be ended by \"$\"")
                }
                guard value > 0 else {
                    throw SQLErrors.invalidParameter(
                        "format specifies argument 0, but arguments are numbered from 1")
                }
                index += 1
                source = value
            } else {
                index = before
            }
            let argument = source ?? nextArgument
            guard argument <= values else { throw Self.tooFew }
            nextArgument = argument + 1
            piece.width = try width(argument) ?? 0
            if piece.width < 0 {
                piece.isLeft = true
                piece.width = -piece.width
            }
        } else if let value = try number() {
            piece.width = value
        }
        guard index < text.count else { throw Self.unterminated }
        switch byte {
        case 0x73: piece.kind = .plain
        case 0x49: piece.kind = .name
        case 0x4C: piece.kind = .literal
        default:
            let end = LikePattern.scalarEnd(text, index)
            let type = String(decoding: text[index..<end], as: UTF8.self)
            throw Problem(
                "22023", "unrecognized format() type specifier \"\(type)\"",
                hint: "For a single \"%\" use \"%%\".")
        }
        index += 1
        piece.argument = position ?? nextArgument
        guard piece.argument <= values else { throw Self.tooFew }
        nextArgument = piece.argument + 1
        return piece
    }
}

/// `parse_ident`
private struct NameParser {
    private let text: String
    private var rest: Substring.UnicodeScalarView

    init(_ text: String) {
        self.text = text
        rest = text[...].unicodeScalars
    }

    private func invalid(_ note: String? = nil) -> Problem {
        Problem(
            "22023", "string is not a valid identifier: \"\(text)\"",
            notes: note.map { [$0] } ?? [])
    }

    private mutating func skipSpaces() {
        while let first = rest.first, first.value == 0x20 || (0x09...0x0D).contains(first.value) {
            rest.removeFirst()
        }
    }

    mutating func parts(isStrict: Bool) throws(Problem) -> [String] {
        var parts: [String] = []
        var isBehindDot = false
        skipSpaces()
        while true {
            if rest.first == "\"" {
                rest.removeFirst()
                parts.append(try quoted())
            } else if let first = rest.first, Self.isStart(first) {
                var word = ""
                while let next = rest.first, Self.isStart(next) || Self.isDigit(next) {
                    let isUpper = (0x41...0x5A).contains(next.value)
                    word.unicodeScalars.append(
                        isUpper ? UnicodeScalar(UInt8(next.value | 0x20)) : next)
                    rest.removeFirst()
                }
                parts.append(word)
            } else {
                if isBehindDot { throw invalid("No valid identifier after \".\".") }
                if rest.first == "." { throw invalid("No valid identifier before \".\".") }
                throw invalid()
            }
            skipSpaces()
            guard let next = rest.first else { return parts }
            guard next == "." else {
                if isStrict { throw invalid() }
                return parts
            }
            rest.removeFirst()
            isBehindDot = true
            skipSpaces()
        }
    }

    private mutating func quoted() throws(Problem) -> String {
        var word = ""
        while let next = rest.first {
            rest.removeFirst()
            if next == "\"" {
                guard rest.first == "\"" else {
                    if word.isEmpty { throw invalid("Quoted identifier must not be empty.") }
                    return word
                }
                rest.removeFirst()
            }
            word.unicodeScalars.append(next)
        }
        throw invalid("String has unclosed double quotes.")
    }

    private static func isStart(_ scalar: Unicode.Scalar) -> Bool {
        (0x61...0x7A).contains(scalar.value | 0x20) || scalar == "_" || scalar.value >= 0x80
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        (0x30...0x39).contains(scalar.value) || scalar == "$"
    }
}
