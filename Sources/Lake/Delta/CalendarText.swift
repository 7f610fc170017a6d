import Base

/// Dates and moments as ISO 8601 text, in the proleptic Gregorian calendar.
package enum CalendarText {
    /// `YYYY-MM-DD`
    package static func date(days: Int32) -> String {
        let (year, month, day) = civilDate(daysSinceEpoch: Int(days))
        return pad(year, 4) + "-" + pad(month, 2) + "-" + pad(day, 2)
    }

    /// `YYYY-MM-DD` + `separator` + `HH:MM:SS.` with 3 or 6 `digits`, rounded down.
    package static func timestamp(
        microseconds: Int64, digits: Int, separator: String
    ) -> String {
        let day = floorDivide(microseconds, 86_400_000_000)
        // Not by the begin of the day: that of the earliest moment is before all of them.
        let rest = microseconds % 86_400_000_000
        let inDay = rest < 0 ? rest + 86_400_000_000 : rest
        let seconds = inDay / 1_000_000
        let fraction = digits == 3 ? inDay % 1_000_000 / 1000 : inDay % 1_000_000
        let (year, month, dayOfMonth) = civilDate(daysSinceEpoch: Int(day))
        var text = pad(year, 4) + "-" + pad(month, 2) + "-" + pad(dayOfMonth, 2) + separator
        text += pad(Int(seconds / 3600), 2) + ":" + pad(Int(seconds / 60 % 60), 2)
        text += ":" + pad(Int(seconds % 60), 2) + "." + pad(Int(fraction), digits)
        return text
    }

    /// A date as written by `date`, years beyond 9999 and before 1 included.
    package static func parseDate(_ text: String) -> Int32? {
        var scanner = DigitScanner(text)
        guard let days = scanner.date(), scanner.isAtEnd else { return nil }
        return Int32(exactly: days)
    }

    /// A moment in microseconds: date, `T` or space, time with up to nine digits of a second, and
    /// `Z` or an offset; without those, `hasZone` is false. A bare date is its midnight.
    package static func parseTimestamp(_ text: String) -> (microseconds: Int64, hasZone: Bool)? {
        var scanner = DigitScanner(text)
        guard let days = scanner.date() else { return nil }
        var microseconds: Int64 = 0
        var hasZone = false
        if scanner.skip(0x54) || scanner.skip(0x20) {
            guard let time = scanner.time() else { return nil }
            microseconds = time
        }
        if scanner.skip(0x5A) {
            hasZone = true
        } else if let offset = scanner.zoneOffset() {
            hasZone = true
            microseconds -= offset * 1_000_000
        }
        guard scanner.isAtEnd else { return nil }
        // Wide, because the day of the earliest moment begins before all moments.
        let moment = Int128(days) * 86_400_000_000 + Int128(microseconds)
        return Int64(exactly: moment).map { ($0, hasZone) }
    }

    static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    private static func pad(_ value: Int, _ width: Int) -> String {
        let digits = String(abs(value))
        let zeros = String(repeating: "0", count: max(0, width - digits.utf8.count))
        return (value < 0 ? "-" : "") + zeros + digits
    }
}

/// Reads fixed-width numbers from text. Every step is bounded by the text.
private struct DigitScanner {
    private let bytes: [UInt8]
    private var position = 0

    init(_ text: String) { bytes = Array(text.utf8.prefix(64)) }

    var isAtEnd: Bool { position == bytes.count }

    mutating func skip(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    mutating func number(minimum: Int, maximum: Int) -> Int? {
        var value = 0
        var count = 0
        while position < bytes.count, count < maximum, (0x30...0x39).contains(bytes[position]) {
            value = value * 10 + Int(bytes[position] - 0x30)
            position += 1
            count += 1
        }
        return count >= minimum ? value : nil
    }

    mutating func date() -> Int? {
        let isNegative = skip(0x2D)
        if !isNegative { _ = skip(0x2B) }
        guard let year = number(minimum: 4, maximum: 7), skip(0x2D),
            let month = number(minimum: 1, maximum: 2), (1...12).contains(month), skip(0x2D),
            let day = number(minimum: 1, maximum: 2), day >= 1
        else { return nil }
        let signed = isNegative ? -year : year
        let isLeap = signed % 4 == 0 && (signed % 100 != 0 || signed % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard day <= lengths[month - 1] else { return nil }
        return daysSinceEpoch(year: signed, month: month, day: day)
    }

    /// Microseconds of the day.
    mutating func time() -> Int64? {
        guard let hour = number(minimum: 1, maximum: 2), hour < 24, skip(0x3A),
            let minute = number(minimum: 2, maximum: 2), minute < 60
        else { return nil }
        var microseconds = Int64(hour * 3600 + minute * 60) * 1_000_000
        guard skip(0x3A) else { return microseconds }
        guard let second = number(minimum: 2, maximum: 2), second < 60 else { return nil }
        microseconds += Int64(second) * 1_000_000
        guard skip(0x2E) else { return microseconds }
        let start = position
        guard let fraction = number(minimum: 1, maximum: 9) else { return nil }
        var scaled = Int64(fraction)
        for _ in (position - start)..<9 { scaled *= 10 }
        return microseconds + scaled / 1000
    }

    /// Seconds east of UTC.
    mutating func zoneOffset() -> Int64? {
        let sign: Int64
        if skip(0x2B) { sign = 1 } else if skip(0x2D) { sign = -1 } else { return nil }
        guard let hours = number(minimum: 2, maximum: 2), hours <= 18 else { return nil }
        _ = skip(0x3A)
        let minutes = number(minimum: 2, maximum: 2) ?? 0
        guard minutes < 60 else { return nil }
        return sign * Int64(hours * 3600 + minutes * 60)
    }
}
