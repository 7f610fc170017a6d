// What tokens mean: names, strings with their escapes resolved.

import Base

/// The text of a token's word: folded unless quoted.
func wordText(_ token: Token, in text: [UInt8]) -> String {
    let bytes = text[Int(token.start)..<Int(token.end)]
    guard token.kind == .quotedWord else {
        return String(decoding: bytes.map(folded), as: UTF8.self)
    }
    let inner = bytes.dropFirst().dropLast()
    var result: [UInt8] = []
    result.reserveCapacity(inner.count)
    var skipsNext = false
    for byte in inner {
        if skipsNext {
            skipsNext = false
            continue
        }
        result.append(byte)
        skipsNext = byte == UInt8(ascii: "\"")
    }
    return String(decoding: result, as: UTF8.self)
}

/// The value of a string token of any form.
func stringText(_ token: Token, in text: [UInt8]) throws(Problem) -> String {
    let bytes = Array(text[Int(token.start)..<Int(token.end)])
    var result: [UInt8]
    switch token.kind {
    case .dollarString:
        let tagEnd = (bytes.dropFirst().firstIndex(of: UInt8(ascii: "$")) ?? 0) + 1
        result = Array(bytes[tagEnd..<max(tagEnd, bytes.count - tagEnd)])
    case .escapeString:
        result = try unescaped(bytes, from: 1, backslashes: true, position: token.position)
    default: result = try unescaped(bytes, from: 0, backslashes: false, position: token.position)
    }
    guard let value = String(validating: result, as: UTF8.self) else {
        throw Problem(
            "22021", "invalid byte sequence for encoding \"UTF8\"", position: token.position)
    }
    return value
}

/// Joins the pieces of `'…'` (with line breaks between) and resolves `''` and backslashes.
private func unescaped(
    _ bytes: [UInt8], from first: Int, backslashes: Bool, position: Int
) throws(Problem) -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = first + 1
    while index < bytes.count {
        let byte = bytes[index]
        index += 1
        if byte == UInt8(ascii: "'") {
            guard index < bytes.count else { break }
            if bytes[index] == UInt8(ascii: "'") {
                result.append(byte)
                index += 1
            } else {
                while index < bytes.count, bytes[index] != UInt8(ascii: "'") { index += 1 }
                index += 1
            }
        } else if byte == UInt8(ascii: "\\"), backslashes {
            index = try appendEscape(bytes, at: index, to: &result, position: position)
        } else {
            result.append(byte)
        }
    }
    return result
}

/// Resolves the escape whose letter is at `index`; returns the index behind it.
private func appendEscape(
    _ bytes: [UInt8], at index: Int, to result: inout [UInt8], position: Int
) throws(Problem) -> Int {
    guard index < bytes.count else { return index }
    switch bytes[index] {
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "x"):
        let digits = bytes[(index + 1)...].prefix(2).prefix(while: { Hexadecimal.value($0) != nil })
        guard !digits.isEmpty else {
            result.append(UInt8(ascii: "x"))
            return index + 1
        }
        result.append(UInt8(digits.reduce(0) { $0 << 4 | Int(Hexadecimal.value($1) ?? 0) }))
        return index + 1 + digits.count
    case UInt8(ascii: "0")...UInt8(ascii: "7"):
        let digits = bytes[index...].prefix(3).prefix(while: { (0x30...0x37).contains($0) })
        result.append(UInt8(truncatingIfNeeded: digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }))
        return index + digits.count
    case UInt8(ascii: "u"), UInt8(ascii: "U"):
        let count = bytes[index] == UInt8(ascii: "u") ? 4 : 8
        let digits = bytes[(index + 1)...].prefix(count)
        let code = digits.reduce(UInt32(0)) { $0 << 4 | UInt32(Hexadecimal.value($1) ?? 0) }
        guard digits.count == count, digits.allSatisfy({ Hexadecimal.value($0) != nil }), code != 0,
            let scalar = Unicode.Scalar(code)
        else {
            throw Problem(
                "22025", "invalid Unicode escape", hint: "write it as \\uXXXX or \\UXXXXXXXX",
                position: position)
        }
        result.append(contentsOf: Array(String(Character(scalar)).utf8))
        return index + 1 + count
    default: result.append(bytes[index])
    }
    return index + 1
}
