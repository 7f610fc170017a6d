import Base

/// `raw`, a valid JSON value, in the form in which PostgreSQL prints `jsonb`: object keys ordered by
/// length and then by bytes, of equal keys the last, `": "` and `", "` as separators, escapes only
/// where they are needed, exponents written out. Equal values get equal bytes.
///
/// nil for what `jsonb` cannot hold: U+0000 in a text, numbers beyond its range.
func normalizedJSON(_ raw: UnsafeRawBufferPointer) -> [UInt8]? {
    var output: [UInt8] = []
    output.reserveCapacity(raw.count + 32)
    var scanner = JSONScanner(raw, base: 0)
    guard normalize(&scanner, into: &output, depth: 0) else { return nil }
    return output
}

private func normalize(
    _ scanner: inout JSONScanner, into output: inout [UInt8], depth: Int
) -> Bool {
    guard depth < Limits.nestingDepth, let byte = scanner.next else { return false }
    switch byte {
    case 0x7B: return normalizeObject(&scanner, into: &output, depth: depth)
    case 0x5B: return normalizeArray(&scanner, into: &output, depth: depth)
    case 0x22:
        guard let text = scanner.string() else { return false }
        return write(text, of: scanner, into: &output)
    case 0x74, 0x66, 0x6E:
        let start = scanner.position
        guard scanner.skipValue(depth: depth) else { return false }
        output += scanner.bytes(from: start)
        return true
    default:
        guard let digits = scanner.number() else { return false }
        return write(number: digits, into: &output)
    }
}

private func normalizeArray(
    _ scanner: inout JSONScanner, into output: inout [UInt8], depth: Int
) -> Bool {
    output.append(0x5B)
    _ = scanner.take(0x5B)
    scanner.skipSpace()
    if !scanner.take(0x5D) {
        while true {
            scanner.skipSpace()
            guard normalize(&scanner, into: &output, depth: depth + 1) else { return false }
            scanner.skipSpace()
            if scanner.take(0x5D) { break }
            guard scanner.take(0x2C) else { return false }
            output.append(0x2C)
            output.append(0x20)
        }
    }
    output.append(0x5D)
    return true
}

private func normalizeObject(
    _ scanner: inout JSONScanner, into output: inout [UInt8], depth: Int
) -> Bool {
    struct Member {
        var key: [UInt8]
        /// Where the normalised value stands in `values`.
        var value: Range<Int>
    }
    var members: [Member] = []
    var values: [UInt8] = []
    _ = scanner.take(0x7B)
    scanner.skipSpace()
    if !scanner.take(0x7D) {
        while true {
            scanner.skipSpace()
            guard let text = scanner.string() else { return false }
            let raw = scanner.bytes(of: text)
            let key = text.isEscaped ? unescapeJSON(raw) : [UInt8](raw)
            scanner.skipSpace()
            guard scanner.take(0x3A) else { return false }
            scanner.skipSpace()
            let start = values.count
            guard normalize(&scanner, into: &values, depth: depth + 1) else { return false }
            members.append(Member(key: key, value: start..<values.count))
            scanner.skipSpace()
            if scanner.take(0x7D) { break }
            guard scanner.take(0x2C) else { return false }
        }
    }
    // The position in the text decides between equal keys, so that the last comes last.
    members.sort {
        $0.key.count != $1.key.count
            ? $0.key.count < $1.key.count
            : $0.key != $1.key
                ? $0.key.lexicographicallyPrecedes($1.key)
                : $0.value.lowerBound < $1.value.lowerBound
    }
    output.append(0x7B)
    var isFirst = true
    for (index, member) in members.enumerated() {
        if index + 1 < members.count, members[index + 1].key == member.key { continue }
        if !isFirst {
            output.append(0x2C)
            output.append(0x20)
        }
        isFirst = false
        guard write(string: member.key, into: &output) else { return false }
        output.append(0x3A)
        output.append(0x20)
        output += values[member.value]
    }
    output.append(0x7D)
    return true
}

private func write(
    _ text: JSONScanner.Text, of scanner: JSONScanner, into output: inout [UInt8]
) -> Bool {
    let raw = scanner.bytes(of: text)
    if text.isEscaped { return write(string: unescapeJSON(raw), into: &output) }
    output.append(0x22)
    output += raw
    output.append(0x22)
    return true
}

private func write(string: [UInt8], into output: inout [UInt8]) -> Bool {
    if string.contains(0) { return false }
    var writer = ByteWriter(capacity: string.count + 16)
    string.withUnsafeBytes { writeJSONString(utf8: $0, to: &writer) }
    writer.withUnsafeBytes { output += $0 }
    return true
}

/// Digits as written, unless there is an exponent: then the number is written out.
private func write(number raw: UnsafeRawBufferPointer, into output: inout [UInt8]) -> Bool {
    guard let mark = raw.firstIndex(where: { $0 == 0x65 || $0 == 0x45 }) else {
        // "-0" has no sign as a numeric.
        let isNegativeZero = raw.first == 0x2D && raw.dropFirst().allSatisfy { $0 == 0x30 || $0 == 0x2E }
        output += isNegativeZero ? raw.dropFirst() : raw[...]
        return true
    }
    guard let exponent = Int(String(decoding: raw[(mark + 1)...], as: UTF8.self)),
        abs(exponent) <= 1000
    else { return false }
    var digits: [UInt8] = []
    var point: Int?
    let isNegative = raw.first == 0x2D
    for byte in raw[(isNegative ? 1 : 0)..<mark] {
        if byte == 0x2E { point = digits.count } else { digits.append(byte) }
    }
    let fraction = digits.count - (point ?? digits.count)
    var scale = fraction - exponent
    if scale < 0 {
        digits += [UInt8](repeating: 0x30, count: -scale)
        scale = 0
    }
    if digits.count <= scale {
        digits = [UInt8](repeating: 0x30, count: scale + 1 - digits.count) + digits
    }
    let whole = digits[..<(digits.count - scale)].drop { $0 == 0x30 }
    if isNegative, digits.contains(where: { $0 != 0x30 }) { output.append(0x2D) }
    output += whole.isEmpty ? [0x30] : Array(whole)
    if scale > 0 {
        output.append(0x2E)
        output += digits[(digits.count - scale)...]
    }
    return true
}
