/// Digits of base 16: the one place that knows them.
package enum Hexadecimal {
    /// The value of a digit, in either case; nil for any other byte.
    @inlinable
    package static func value(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit &- 0x30
        case 0x61...0x66: digit &- 0x57
        case 0x41...0x46: digit &- 0x37
        default: nil
        }
    }

    /// The digit of the four low bits, in lower case.
    @inlinable
    package static func digit(_ value: UInt8) -> UInt8 {
        let low = value & 15
        return low < 10 ? 0x30 &+ low : 0x57 &+ low
    }

    /// The digit of the four low bits, in upper case.
    @inlinable
    package static func upperDigit(_ value: UInt8) -> UInt8 {
        let low = value & 15
        return low < 10 ? 0x30 &+ low : 0x37 &+ low
    }

    /// The number that at most eight digits say, highest first; nil when one of the bytes is no
    /// digit, or there are none, or more.
    @inlinable
    package static func number(_ digits: some Sequence<UInt8>) -> UInt32? {
        var result: UInt32 = 0
        var count = 0
        for byte in digits {
            guard let digit = value(byte), count < 8 else { return nil }
            result = result << 4 | UInt32(digit)
            count += 1
        }
        return count == 0 ? nil : result
    }

    /// Two digits in lower case for each of `bytes`.
    package static func append(_ bytes: some Sequence<UInt8>, to output: inout [UInt8]) {
        for byte in bytes {
            output.append(digit(byte >> 4))
            output.append(digit(byte))
        }
    }

    /// `bytes` as a text of two digits in lower case each.
    package static func text(_ bytes: some Collection<UInt8>) -> String {
        var digits: [UInt8] = []
        digits.reserveCapacity(bytes.count * 2)
        append(bytes, to: &digits)
        return String(decoding: digits, as: UTF8.self)
    }
}
