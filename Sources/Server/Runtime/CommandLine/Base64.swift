import Base

// Base64 (RFC 4648, section 4): how bytes that are no text travel inside of JSON.

private let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

package func base64(_ bytes: Bytes) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var at = 0
    while at < bytes.count {
        let count = min(3, bytes.count - at)
        var group: UInt32 = 0
        for index in 0..<3 { group = group << 8 | (index < count ? UInt32(bytes[at + index]) : 0) }
        for index in 0..<4 {
            let digit = alphabet[Int(group >> UInt32(18 - 6 * index) & 63)]
            text.append(index <= count ? digit : 0x3D)
        }
        at += 3
    }
    return String(decoding: text, as: UTF8.self)
}

/// The bytes that `text` stands for; nil when it is not Base64 with its padding.
package func bytes(base64 text: String) -> Bytes? {
    let digits = Array(text.utf8)
    guard digits.count % 4 == 0 else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(digits.count / 4 * 3)
    for start in stride(from: 0, to: digits.count, by: 4) {
        var group: UInt32 = 0
        var padding = 0
        for digit in digits[start..<(start + 4)] {
            if digit == 0x3D {
                padding += 1
                group <<= 6
                continue
            }
            guard padding == 0, let value = value(of: digit) else { return nil }
            group = group << 6 | value
        }
        guard padding == 0 || (padding <= 2 && start + 4 == digits.count) else { return nil }
        for index in 0..<(3 - padding) {
            result.append(UInt8(truncatingIfNeeded: group >> UInt32(16 - 8 * index)))
        }
    }
    return Bytes(result)
}

private func value(of digit: UInt8) -> UInt32? {
    switch digit {
    case 0x41...0x5A: UInt32(digit - 0x41)
    case 0x61...0x7A: UInt32(digit - 0x61) + 26
    case 0x30...0x39: UInt32(digit - 0x30) + 52
    case 0x2B: 62
    case 0x2F: 63
    default: nil
    }
}
