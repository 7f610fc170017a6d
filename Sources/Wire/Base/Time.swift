// Time arrives from outside. Core code never asks a clock: it is told `now`.

/// A point on the monotonic clock, in nanoseconds from an unknown start. Decides timeouts.
package struct Instant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static let zero = Instant(nanoseconds: 0)
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package static func + (left: Instant, right: Duration) -> Instant {
        let (sum, overflow) = left.nanoseconds.addingReportingOverflow(right.wholeNanoseconds)
        return overflow ? .distantFuture : Instant(nanoseconds: sum)
    }

    package static func - (left: Instant, right: Instant) -> Duration {
        .nanoseconds(left.nanoseconds &- right.nanoseconds)
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to what 64 bits hold (292 years).
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? .min : .max }
        let (sum, carry) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return carry ? (seconds < 0 ? .min : .max) : sum
    }

    package var wholeMilliseconds: Int64 { wholeNanoseconds / 1_000_000 }
}

/// Wall-clock time in milliseconds since 1970-01-01 UTC: data (record timestamps, retention), never
/// a reason to believe that something is still valid.
package struct Timestamp: Hashable, Comparable, Sendable {
    package var milliseconds: Int64

    package init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// "No timestamp", as the protocol spells it.
    package static let none = Timestamp(milliseconds: -1)

    package static func < (left: Timestamp, right: Timestamp) -> Bool {
        left.milliseconds < right.milliseconds
    }
}

/// What time it is, on both clocks, when an event is handled.
package struct Now: Hashable, Sendable {
    package var monotonic: Instant
    /// Microseconds since 1970-01-01 UTC.
    package var wallMicroseconds: Int64

    package init(monotonic: Instant, wallMicroseconds: Int64) {
        self.monotonic = monotonic
        self.wallMicroseconds = wallMicroseconds
    }

    package var timestamp: Timestamp { Timestamp(milliseconds: wallMicroseconds / 1000) }
}

extension Timestamp {
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`, as ISO 8601 writes the moment in UTC.
    package var isoText: String {
        let days = Int(
            milliseconds >= 0 ? milliseconds / 86_400_000 : (milliseconds - 86_399_999) / 86_400_000
        )
        let rest = Int(milliseconds) - days * 86_400_000
        let (year, month, day) = civilDate(daysSinceEpoch: days)
        func padded(_ value: Int, _ width: Int) -> String {
            let digits = String(value)
            return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
        }
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let clock =
            "\(padded(rest / 3_600_000, 2)):\(padded(rest / 60_000 % 60, 2)):"
            + "\(padded(rest / 1000 % 60, 2)).\(padded(rest % 1000, 3))"
        return date + "T" + clock + "Z"
    }
}

/// The date of the proleptic Gregorian calendar `days` after 1970-01-01.
package func civilDate(daysSinceEpoch days: Int) -> (year: Int, month: Int, day: Int) {
    // Years begin in March here, so that the leap day is the last day of a year; 400 years have
    // 146,097 days.
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
package func daysSinceEpoch(year: Int, month: Int, day: Int) -> Int {
    let shifted = month > 2 ? year : year - 1
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let yearOfEra = shifted - era * 400
    let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    return era * 146_097 + dayOfEra - 719_468
}
