import Base

/// Where to begin to read a partition, as people write it.
package enum StartPosition: Hashable, Sendable {
    case start
    case end
    case offset(Int64)
    /// So many records before the end.
    case beforeEnd(Int64)
    /// So many records behind the begin.
    case afterStart(Int64)
    /// The first record at or after this time, in milliseconds since 1970.
    case time(Int64)

    /// Parses `start`, `end`, `N`, `-N`, `+N`, `@milliseconds`, `@2026-01-02T03:04:05Z` (UTC), `@-15m`
    /// (so long ago; s, m, h, d), and the spellings of kcat: `beginning`, `s@milliseconds`.
    package init(parsing text: String, now: Timestamp) throws(Problem) {
        func refuse() -> Problem {
            Problem(
                "usage.value", "\"\(text)\" is not a place in a topic",
                notes: [
                    "one of: start, end, N, -N, +N, @milliseconds, @2026-01-02T03:04:05Z, @-15m"
                ])
        }
        switch text {
        case "start", "beginning", "earliest": self = .start
        case "end", "latest": self = .end
        default:
            if let at = text.firstIndex(of: "@"), text[..<at] == "" || text[..<at] == "s" {
                let moment = String(text[text.index(after: at)...])
                guard let time = Self.time(moment, now: now), time >= 0 else { throw refuse() }
                self = .time(time)
            } else if let number = Int64(text), number > .min {
                self =
                    switch text.utf8.first {
                    case 0x2D: .beforeEnd(-number)
                    case 0x2B: .afterStart(number)
                    default: .offset(number)
                    }
            } else {
                throw refuse()
            }
        }
    }

    private static func time(_ text: String, now: Timestamp) -> Int64? {
        if text.utf8.first == 0x2D {
            let units: [Character: Int64] = [
                "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000,
            ]
            guard let last = text.last, let unit = units[last],
                let count = Int64(text.dropFirst().dropLast()), count >= 0
            else { return nil }
            let (span, overflow) = count.multipliedReportingOverflow(by: unit)
            return overflow ? nil : now.milliseconds - span
        }
        return Int64(text) ?? utcMilliseconds(text)
    }
}

/// Milliseconds of `2026-01-02`, `2026-01-02T03:04`, `2026-01-02 03:04:05.678Z`: always UTC; nil
/// when it is none of these.
package func utcMilliseconds(_ text: String) -> Int64? {
    var rest = Array(text.utf8)[...]
    if rest.last == 0x5A { rest.removeLast() }
    func number(_ digits: Int) -> Int64? {
        guard rest.count >= digits else { return nil }
        var value: Int64 = 0
        for byte in rest.prefix(digits) {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int64(byte - 0x30)
        }
        rest = rest.dropFirst(digits)
        return value
    }
    func take(_ byte: UInt8) -> Bool {
        guard rest.first == byte else { return false }
        rest = rest.dropFirst()
        return true
    }
    guard let year = number(4), take(0x2D), let month = number(2), (1...12).contains(month),
        take(0x2D), let day = number(2), (1...31).contains(day)
    else { return nil }
    let days = daysSince1970(year: year, month: month, day: day)
    // 31 April comes back as 1 May.
    guard civilDate(daysSince1970: days).month == month else { return nil }
    var milliseconds = days * 86_400_000
    if rest.isEmpty { return milliseconds }
    guard take(0x54) || take(0x20), let hour = number(2), hour < 24, take(0x3A),
        let minute = number(2), minute < 60
    else { return nil }
    milliseconds += hour * 3_600_000 + minute * 60_000
    if take(0x3A) {
        guard let second = number(2), second < 60 else { return nil }
        milliseconds += second * 1000
        if take(0x2E) {
            var scale: Int64 = 100
            guard !rest.isEmpty, rest.count <= 9 else { return nil }
            while let digit = number(1) {
                milliseconds += digit * scale
                scale /= 10
            }
        }
    }
    return rest.isEmpty ? milliseconds : nil
}

/// The inverse of `civilDate`.
package func daysSince1970(year: Int64, month: Int64, day: Int64) -> Int64 {
    let shiftedYear = month <= 2 ? year - 1 : year
    let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
    let yearOfEra = shiftedYear - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}
