// jsonb: JSON text in one normal form, so that equal documents are (nearly always) equal texts.
//
// - one space behind `:` and `,`, none elsewhere
// - members sorted by key, shorter keys first, then bytewise; of equal keys the last wins
// - strings without needless escapes; numbers without exponent and as many digits as given

import Base
import Columns

package struct JSONNormalizer {
    private enum Failure: Error { case invalid, tooDeep, nullCharacter, number }

    private let scanner: JSONScanner
    private var text: UnsafeRawBufferPointer { scanner.text }
    private var position = 0
    private var output: [UInt8] = []

    private init(_ text: UnsafeRawBufferPointer) {
        scanner = JSONScanner(text: text)
        output.reserveCapacity(text.count + 16)
    }

    /// The normal form of `text`; error 22P02 if it is not JSON.
    package static func normalize(
        _ text: UnsafeRawBufferPointer
    ) throws(Problem) -> [UInt8] {
        var normalizer = JSONNormalizer(text)
        do {
            try normalizer.document()
            return normalizer.output
        } catch {
            switch error {
            case .invalid:
                throw Problem(
                    "22P02", "invalid input syntax for type json",
                    notes: [normalizer.description(of: text)])
            case .tooDeep:
                throw Problem(
                    "54001", "JSON nested deeper than \(Limits.nestingDepth) levels")
            case .nullCharacter:
                throw Problem(
                    "22P05", "unsupported Unicode escape sequence",
                    notes: ["\\u0000 cannot be converted to text."])
            case .number: throw SQLErrors.numericOverflow
            }
        }
    }

    package static func normalize(_ text: String) throws(Problem) -> String {
        let bytes = Array(text.utf8)
        let normal = try bytes.withUnsafeBufferPointer { (buffer) throws(Problem) -> [UInt8] in
            try normalize(UnsafeRawBufferPointer(buffer))
        }
        return String(decoding: normal, as: UTF8.self)
    }

    private func description(of text: UnsafeRawBufferPointer) -> String {
        if position >= text.count { return "The input string ended unexpectedly." }
        var end = position
        while end < text.count, end - position < 20, text[end] > 0x20 { end += 1 }
        let token = String(decoding: text[position..<max(end, position + 1)], as: UTF8.self)
        return "Token \"\(token)\" is invalid, at byte \(position)."
    }

    private mutating func document() throws(Failure) {
        if text.contains(where: { $0 >= 0x80 }),
            String(validating: text, as: UTF8.self) == nil
        {
            throw .invalid
        }
        try value(depth: 0)
        skipSpaces()
        if position < text.count { throw .invalid }
    }

    private mutating func skipSpaces() {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func value(depth: Int) throws(Failure) {
        skipSpaces()
        guard position < text.count else { throw .invalid }
        switch text[position] {
        case 0x7B: try object(depth: depth)
        case 0x5B: try array(depth: depth)
        case 0x22: try string()
        case 0x74: try word("true")
        case 0x66: try word("false")
        case 0x6E: try word("null")
        default: try number()
        }
    }

    private mutating func word(_ word: StaticString) throws(Failure) {
        let count = word.utf8CodeUnitCount
        guard text.count - position >= count else { throw .invalid }
        for index in 0..<count where text[position + index] != word.utf8Start[index] {
            throw .invalid
        }
        output += text[position..<(position + count)]
        position += count
    }

    private mutating func array(depth: Int) throws(Failure) {
        if depth >= Limits.nestingDepth { throw .tooDeep }
        position += 1
        output.append(0x5B)
        skipSpaces()
        if position < text.count, text[position] == 0x5D {
            position += 1
            output.append(0x5D)
            return
        }
        while true {
            try value(depth: depth + 1)
            if try !separator(close: 0x5D) { return }
        }
    }

    /// Writes `, ` (true) or `close`.
    private mutating func separator(close: UInt8) throws(Failure) -> Bool {
        skipSpaces()
        guard position < text.count else { throw .invalid }
        let byte = text[position]
        guard byte == 0x2C || byte == close else { throw .invalid }
        position += 1
        output.append(byte)
        if byte == 0x2C { output.append(0x20) }
        return byte == 0x2C
    }

    /// One member in `output`: its key's characters, and where its text stands.
    private struct Member {
        var key: [UInt8]
        var range: Range<Int>
    }

    private mutating func object(depth: Int) throws(Failure) {
        if depth >= Limits.nestingDepth { throw .tooDeep }
        position += 1
        output.append(0x7B)
        let start = output.count
        skipSpaces()
        if position < text.count, text[position] == 0x7D {
            position += 1
            output.append(0x7D)
            return
        }
        var members: [Member] = []
        var isSorted = true
        while true {
            skipSpaces()
            guard position < text.count, text[position] == 0x22 else { throw .invalid }
            let memberStart = output.count
            let keyStart = position + 1
            try string()
            let key = scanner.unescaped(keyStart..<(position - 1))
            skipSpaces()
            guard position < text.count, text[position] == 0x3A else { throw .invalid }
            position += 1
            output.append(0x3A)
            output.append(0x20)
            try value(depth: depth + 1)
            if let last = members.last, !Self.comesBefore(last.key, key) { isSorted = false }
            members.append(Member(key: key, range: memberStart..<output.count))
            if try !separator(close: 0x7D) { break }
        }
        if !isSorted { sort(members, from: start) }
    }

    private static func comesBefore(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count != b.count ? a.count < b.count : a.lexicographicallyPrecedes(b)
    }

    /// Writes the members again in their order, from `start` on.
    private mutating func sort(_ members: [Member], from start: Int) {
        let order = members.indices.sorted { left, right in
            let (a, b) = (members[left].key, members[right].key)
            return a == b ? left < right : Self.comesBefore(a, b)
        }
        let written = Array(output[start...])
        output.removeLast(output.count - start)
        var isFirst = true
        for (place, index) in order.enumerated() {
            // Of equal keys the last one stays.
            if place + 1 < order.count, members[order[place + 1]].key == members[index].key {
                continue
            }
            if !isFirst { output += [0x2C, 0x20] }
            isFirst = false
            let range = members[index].range
            output += written[(range.lowerBound - start)..<(range.upperBound - start)]
        }
        output.append(0x7D)
    }

    private mutating func string() throws(Failure) {
        let start = position
        position += 1
        var hasEscapes = false
        while true {
            guard position < text.count else { throw .invalid }
            let byte = text[position]
            if byte == 0x22 { break }
            if byte < 0x20 { throw .invalid }
            if byte == 0x5C {
                hasEscapes = true
                try checkEscape()
            } else {
                position += 1
            }
        }
        position += 1
        if hasEscapes {
            JSONText.append(
                string: scanner.unescaped((start + 1)..<(position - 1)), to: &output)
        } else {
            output += text[start..<position]
        }
    }

    private mutating func checkEscape() throws(Failure) {
        guard position + 1 < text.count else { throw .invalid }
        switch text[position + 1] {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 2
        case 0x75:
            guard let code = scanner.hexadecimal(position + 2, text.count) else { throw .invalid }
            if code == 0 { throw .nullCharacter }
            position += 6
            if code & 0xFC00 == 0xDC00 { throw .invalid }
            guard code & 0xFC00 == 0xD800 else { return }
            guard position + 1 < text.count, text[position] == 0x5C, text[position + 1] == 0x75,
                let low = scanner.hexadecimal(position + 2, text.count), low & 0xFC00 == 0xDC00
            else { throw .invalid }
            position += 6
        default: throw .invalid
        }
    }

    private mutating func digits() -> Range<Int> {
        let start = position
        while position < text.count, text[position] &- 0x30 < 10 { position += 1 }
        return start..<position
    }

    private mutating func number() throws(Failure) {
        let start = position
        let isNegative = text[position] == 0x2D
        if isNegative { position += 1 }
        let whole = digits()
        guard !whole.isEmpty, whole.count == 1 || text[whole.lowerBound] != 0x30 else {
            position = start
            throw .invalid
        }
        var fraction = 0..<0
        if position < text.count, text[position] == 0x2E {
            position += 1
            fraction = digits()
            if fraction.isEmpty { throw .invalid }
        }
        var exponent = 0
        if position < text.count, text[position] | 0x20 == 0x65 {
            position += 1
            let sign: UInt8 = position < text.count ? text[position] : 0
            if sign == 0x2B || sign == 0x2D { position += 1 }
            let power = digits()
            if power.isEmpty { throw .invalid }
            for index in power { exponent = min(exponent * 10 + Int(text[index] - 0x30), 100_000) }
            if sign == 0x2D { exponent = -exponent }
        }
        // Behind a number comes a separator or the end.
        if position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D, 0x2C, 0x5D, 0x7D: break
            default: throw .invalid
            }
        }
        if abs(exponent) > 1000 { throw .number }
        append(isNegative, Array(text[whole]), Array(text[fraction]), exponent)
    }

    /// The number without exponent; as many digits behind the point as were written.
    private mutating func append(
        _ isNegative: Bool, _ whole: [UInt8], _ fraction: [UInt8], _ exponent: Int
    ) {
        let digits = whole + fraction
        let isZero = digits.allSatisfy { $0 == 0x30 }
        if isNegative, !isZero { output.append(0x2D) }
        let point = whole.count + exponent
        let scale = max(0, fraction.count - exponent)
        var significant = false
        for place in 0..<max(point, 0) {
            let digit = place < digits.count ? digits[place] : 0x30
            significant = significant || digit != 0x30
            if significant { output.append(digit) }
        }
        if !significant { output.append(0x30) }
        if scale > 0 {
            output.append(0x2E)
            for place in point..<(point + scale) {
                output.append(place >= 0 && place < digits.count ? digits[place] : 0x30)
            }
        }
    }
}

/// Writes JSON text.
enum JSONText {
    /// `bytes` as a string with quotes and the escapes that JSON demands.
    static func append(string bytes: some Collection<UInt8>, to output: inout [UInt8]) {
        output.append(0x22)
        for byte in bytes {
            switch byte {
            case 0x22: output += [0x5C, 0x22]
            case 0x5C: output += [0x5C, 0x5C]
            case 0x08: output += [0x5C, 0x62]
            case 0x0C: output += [0x5C, 0x66]
            case 0x0A: output += [0x5C, 0x6E]
            case 0x0D: output += [0x5C, 0x72]
            case 0x09: output += [0x5C, 0x74]
            case 0..<0x20:
                output += [0x5C, 0x75, 0x30, 0x30, 0x30 + (byte >> 4)]
                output.append(Hexadecimal.digit(byte))
            default: output.append(byte)
            }
        }
        output.append(0x22)
    }
}

/// The order of jsonb values, and operations on their trees.
enum JSONOrder {
    static func tree(_ text: String) -> JSONValue {
        do {
            return try JSONValue(parsing: text)
        } catch {
            // A column of type jsonb holds JSON; what a foreign file brought is a text then.
            return .string(text)
        }
    }

    static func compare(_ a: String, _ b: String) -> Int { compare(tree(a), tree(b)) }

    /// Object > array > boolean > number > string > null; larger containers are greater.
    static func compare(_ a: JSONValue, _ b: JSONValue) -> Int {
        switch (a, b) {
        case (.number(let x), .number(let y)): return numbers(x, y)
        case (.string(let x), .string(let y)): return ValueOrder.bytes(x, y)
        case (.bool(let x), .bool(let y)): return ValueOrder.order(x ? 1 : 0, y ? 1 : 0)
        case (.array(let x), .array(let y)):
            if x.count != y.count { return ValueOrder.order(x.count, y.count) }
            for (left, right) in zip(x, y) {
                let order = compare(left, right)
                if order != 0 { return order }
            }
            return 0
        case (.object(let x), .object(let y)):
            if x.count != y.count { return ValueOrder.order(x.count, y.count) }
            for (left, right) in zip(x, y) {
                let keys =
                    left.key.utf8.count != right.key.utf8.count
                    ? ValueOrder.order(left.key.utf8.count, right.key.utf8.count)
                    : ValueOrder.bytes(left.key, right.key)
                if keys != 0 { return keys }
                let order = compare(left.value, right.value)
                if order != 0 { return order }
            }
            return 0
        default: return ValueOrder.order(rank(a), rank(b))
        }
    }

    static func numbers(_ a: String, _ b: String) -> Int {
        if a == b { return 0 }
        let (aScale, bScale) = (fractionDigits(a), fractionDigits(b))
        if let x = NumberText.decimalValue(a, scale: aScale),
            let y = NumberText.decimalValue(b, scale: bScale)
        {
            return DecimalMath.compare(x, aScale, y, bScale)
        }
        return ValueOrder.floats(Double(a) ?? 0, Double(b) ?? 0)
    }

    private static func fractionDigits(_ text: String) -> Int {
        guard let point = text.utf8.firstIndex(of: 0x2E) else { return 0 }
        return min(text.utf8.distance(from: point, to: text.utf8.endIndex) - 1, 38)
    }

    private static func rank(_ value: JSONValue) -> Int {
        switch value {
        case .null: 0
        case .string: 1
        case .number: 2
        case .bool: 3
        case .array: 4
        case .object: 5
        }
    }
}
