/// How many columns of a terminal `text` takes: none for combining marks, two for wide scripts and
/// emoji, one for the rest.
package func displayWidth(_ text: String) -> Int {
    var width = 0
    for scalar in text.unicodeScalars { width += displayWidth(scalar) }
    return width
}

private func displayWidth(_ scalar: Unicode.Scalar) -> Int {
    let value = scalar.value
    if value < 0x300 { return value < 0x20 || (0x7F..<0xA0).contains(value) ? 0 : 1 }
    switch value {
    case 0x300...0x36F, 0x483...0x489, 0x591...0x5BD, 0x610...0x61A, 0x64B...0x65F,
        0x1AB0...0x1AFF, 0x1DC0...0x1DFF, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x2064,
        0x20D0...0x20FF, 0xFE00...0xFE0F, 0xFE20...0xFE2F, 0xFEFF, 0x1F3FB...0x1F3FF,
        0xE0001...0xE01EF:
        return 0
    case 0x1100...0x115F, 0x231A...0x231B, 0x23E9...0x23EC, 0x2E80...0x303E, 0x3041...0x33FF,
        0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3,
        0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F,
        0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x1FA70...0x1FAFF, 0x20000...0x3FFFD:
        return 2
    default: return 1
    }
}

/// `text` cut to `width` columns, the cut marked by `…`.
package func cut(_ text: String, toWidth width: Int) -> String {
    if text.utf8.count <= width || displayWidth(text) <= width { return text }
    var kept = ""
    var used = 0
    for character in text {
        let more = displayWidth(String(character))
        if used + more > width - 1 { break }
        kept.append(character)
        used += more
    }
    return kept + "…"
}

/// `text` filled with spaces to `width` columns.
package func padded(_ text: String, _ width: Int, rightAligned: Bool = false) -> String {
    let spaces = String(repeating: " ", count: max(0, width - displayWidth(text)))
    return rightAligned ? spaces + text : text + spaces
}

/// `text` on one line that can't move the cursor: control characters become visible escapes.
package func printable(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != 0xC2 }) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar.value {
        case 0x09: result += "\\t"
        case 0x0A: result += "\\n"
        case 0x0D: result += "\\r"
        case 0..<0x20, 0x7F..<0xA0:
            let digits = String(scalar.value, radix: 16)
            result += "\\x" + (digits.utf8.count == 1 ? "0" : "") + digits
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
