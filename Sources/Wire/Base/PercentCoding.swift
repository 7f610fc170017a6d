/// Bytes written as `%XX` (RFC 3986, section 2.1), for addresses and for names in a table's log.
package enum PercentCoding {
    /// `text` with each byte of its UTF-8 for which `isEscaped` holds in percent form. Digits are
    /// in upper case, as the RFC asks.
    package static func encoded(_ text: String, where isEscaped: (UInt8) -> Bool) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if isEscaped(byte) {
                result.append(0x25)
                result.append(Hexadecimal.upperDigit(byte >> 4))
                result.append(Hexadecimal.upperDigit(byte))
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `text` as a part of an address: all but the unreserved characters (letters, digits, `-`, `.`,
    /// `_`, `~`) and those in `kept` in percent form.
    package static func encodedPart(_ text: String, keeping kept: String = "") -> String {
        let kept = Array(kept.utf8)
        return encoded(text) { !isUnreserved($0) && !kept.contains($0) }
    }

    /// The characters that never need the form.
    package static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: true
        default: false
        }
    }

    /// What `text` says, or nil when that is not UTF-8. A percent sign that begins no form stands
    /// for itself.
    package static func decoded(_ text: some StringProtocol) -> String? {
        let bytes = Array(text.utf8)
        guard bytes.contains(0x25) else { return String(text) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var position = 0
        while position < bytes.count {
            if bytes[position] == 0x25, position + 2 < bytes.count,
                let high = Hexadecimal.value(bytes[position + 1]),
                let low = Hexadecimal.value(bytes[position + 2])
            {
                result.append(high << 4 | low)
                position += 3
            } else {
                result.append(bytes[position])
                position += 1
            }
        }
        return String(validating: result, as: UTF8.self)
    }
}
