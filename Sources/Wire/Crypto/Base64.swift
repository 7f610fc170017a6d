// Base64 in both alphabets, as SCRAM and JSON Web Tokens use it.

import Base

package enum Base64 {
    /// With padding.
    package static func encode(_ bytes: Bytes) -> String {
        encode(bytes, digits: standardDigits, pads: true)
    }

    /// In the alphabet for URLs, without padding.
    package static func encodeForURL(_ bytes: Bytes) -> String {
        encode(bytes, digits: urlDigits, pads: false)
    }

    private static let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    private static let standardDigits = Array((letters + "+/").utf8)
    private static let urlDigits = Array((letters + "-_").utf8)

    private static func encode(_ bytes: Bytes, digits: [UInt8], pads: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var place = 0
        while place < bytes.count {
            let present = min(3, bytes.count - place)
            var group: UInt32 = 0
            for index in 0..<3 {
                group = group << 8 | (index < present ? UInt32(bytes[place + index]) : 0)
            }
            for digit in 0...present {
                text.append(digits[Int(group >> UInt32(18 - 6 * digit) & 63)])
            }
            if pads { for _ in present..<3 { text.append(UInt8(ascii: "=")) } }
            place += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// nil unless `text` is whole, padded base64 in its one canonical form.
    package static func decode(_ text: some Collection<UInt8>) -> Bytes? {
        guard text.count % 4 == 0 else { return nil }
        let digits = Array(text)
        let padding = digits.suffix(2).count { $0 == UInt8(ascii: "=") }
        if padding == 2, digits.last != UInt8(ascii: "=") { return nil }
        return decode(digits.dropLast(padding)) { $0 == 62 ? UInt8(ascii: "+") : UInt8(ascii: "/") }
    }

    package static func decode(_ text: String) -> Bytes? { decode(text.utf8) }

    /// nil unless `text` is base64 in the alphabet for URLs without padding.
    package static func decodeForURL(_ text: some Collection<UInt8>) -> Bytes? {
        decode(Array(text)[...]) { $0 == 62 ? UInt8(ascii: "-") : UInt8(ascii: "_") }
    }

    private static func decode(
        _ digits: ArraySlice<UInt8>, special: (Int) -> UInt8
    ) -> Bytes? {
        guard digits.count % 4 != 1 else { return nil }
        let digit62 = special(62)
        let digit63 = special(63)
        var result: [UInt8] = []
        result.reserveCapacity(digits.count * 3 / 4)
        var pending: UInt32 = 0
        var bits = 0
        for digit in digits {
            let value: UInt32
            switch digit {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"): value = UInt32(digit - UInt8(ascii: "A"))
            case UInt8(ascii: "a")...UInt8(ascii: "z"):
                value = UInt32(digit - UInt8(ascii: "a")) + 26
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                value = UInt32(digit - UInt8(ascii: "0")) + 52
            case digit62: value = 62
            case digit63: value = 63
            default: return nil
            }
            pending = pending << 6 | value
            bits += 6
            if bits >= 8 {
                bits -= 8
                result.append(UInt8(truncatingIfNeeded: pending >> UInt32(bits)))
                pending &= (1 << UInt32(bits)) - 1
            }
        }
        // What is left over has to be zero, so that no two texts mean the same bytes.
        return pending == 0 ? Bytes(result) : nil
    }
}
