// Intervals as text: written in PostgreSQL's own style, read in that style, as ISO 8601 durations
// and as SQL literals.

import Base
import Columns

package enum IntervalText {
    // MARK: Writing

    /// `1 year 2 mons -3 days +04:05:06.7`; nothing at all is `00:00:00`.
    package static func text(_ interval: Interval) -> String {
        var output: [UInt8] = []
        var wasNegative = false
        func part(_ value: Int64, _ unit: String) {
            guard value != 0 else { return }
            if !output.isEmpty { output.append(0x20) }
            // Behind a negative part, a positive one says so.
            if wasNegative, value > 0 { output.append(0x2B) }
            output += String(value).utf8
            output.append(0x20)
            output += unit.utf8
            if value != 1 { output.append(0x73) }
            wasNegative = value < 0
        }
        part(Int64(interval.months / 12), "year")
        part(Int64(interval.months % 12), "mon")
        part(Int64(interval.days), "day")
        let time = interval.microseconds
        if time != 0 || output.isEmpty {
            if !output.isEmpty { output.append(0x20) }
            if time < 0 {
                output.append(0x2D)
            } else if wasNegative {
                output.append(0x2B)
            }
            let magnitude = time == .min ? Int64.max : abs(time)
            DateTimeText.append(time: magnitude, to: &output)
        }
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Reading

    static func parse(_ text: UnsafeRawBufferPointer) throws(Problem) -> Interval {
        let trimmed = NumberText.trimmed(text)
        var parser = IntervalParser(trimmed)
        switch parser.parse() {
        case .value(let interval): return interval
        case .failure(.syntax), .failure(.zoneOffset), .failure(.zoneName):
            throw SQLErrors.invalidDateTime("interval", DateTimeText.message(text))
        case .failure(.range):
            throw Problem(
                "22015", "interval field value out of range: \"\(DateTimeText.message(text))\"")
        }
    }

    package static func parse(_ text: String) throws(Problem) -> Interval {
        let bytes = Array(text.utf8)
        return try bytes.withUnsafeBufferPointer { (buffer) throws(Problem) -> Interval in
            try parse(UnsafeRawBufferPointer(buffer))
        }
    }
}

/// Sums up the fields of one interval. Fractions flow down: of years to months, of months and weeks
/// to days, of days to time.
struct IntervalParser {
    enum Outcome {
        case value(Interval)
        case failure(DateTimeText.Failure)
    }

    private var cursor: ByteCursor
    private var months: Int64 = 0
    private var days: Int64 = 0
    private var microseconds: Int64 = 0
    private var isOutOfRange = false
    /// Units that were named: each at most once.
    private var units: Set<String> = []

    init(_ text: UnsafeRawBufferPointer) { cursor = ByteCursor(text) }

    mutating func parse() -> Outcome {
        guard !cursor.isAtEnd, cursor.bytes.count <= 256 else { return .failure(.syntax) }
        if cursor.next == 0x50, !(cursor.peek(1) | 0x20 >= 0x61 && cursor.peek(1) != 0x54) {
            let isValid = iso()
            return finish(isValid)
        }
        if cursor.take(0x40) { cursor.skipSpaces() }
        let isValid = fields()
        return finish(isValid)
    }

    private func finish(_ isValid: Bool) -> Outcome {
        guard isValid else { return .failure(.syntax) }
        guard !isOutOfRange, let months = Int32(exactly: months), let days = Int32(exactly: days)
        else { return .failure(.range) }
        return .value(Interval(months: months, days: days, microseconds: microseconds))
    }

    /// A number with sign: whole part and fraction in millionths (of the same sign).
    private struct Amount {
        var whole: Int64
        var fraction: Double
        var isNegative: Bool
    }

    private mutating func amount() -> Amount? {
        let isNegative = cursor.next == 0x2D
        _ = cursor.take(0x2D) || cursor.take(0x2B)
        let (value, digits) = cursor.number()
        while digits > 0, cursor.isDigit {
            isOutOfRange = true
            cursor.index += 1
        }
        var fraction = 0.0
        var fractionDigits = 0
        if cursor.next == 0x2E {
            cursor.index += 1
            var weight = 0.1
            while cursor.isDigit {
                fraction += Double(cursor.next - 0x30) * weight
                weight /= 10
                cursor.index += 1
                fractionDigits += 1
            }
        }
        guard digits + fractionDigits > 0, !cursor.isDigit else { return nil }
        let sign: Int64 = isNegative ? -1 : 1
        return Amount(
            whole: sign * Int64(value), fraction: Double(sign) * fraction, isNegative: isNegative)
    }

    private mutating func fields() -> Bool {
        var seen = false
        while true {
            cursor.skipSpaces()
            if cursor.isAtEnd { return seen }
            if cursor.isLetter {
                guard seen, cursor.word() == "ago" else { return false }
                cursor.skipSpaces()
                months = 0 &- months
                days = 0 &- days
                microseconds = 0 &- microseconds
                return cursor.isAtEnd
            }
            let start = cursor.index
            guard let amount = amount() else { return false }
            seen = true
            if cursor.next == 0x3A {
                cursor.index = start
                guard time(), ["h", "m", "s", "ms", "us"].allSatisfy({ units.insert($0).inserted })
                else { return false }
                continue
            }
            // SQL's year-month form: 1-2.
            if cursor.next == 0x2D, cursor.peek(1) &- 0x30 < 10, amount.fraction == 0 {
                cursor.index += 1
                let (value, digits) = cursor.number()
                guard digits > 0, value < 12, cursor.next != 0x2D else { return false }
                add(.months, amount.whole, times: 12)
                add(.months, amount.isNegative ? -Int64(value) : Int64(value), times: 1)
                continue
            }
            cursor.skipSpaces()
            if cursor.isLetter {
                let word = cursor.word()
                if word == "ago" {
                    cursor.index -= 3
                    guard add(amount, "s") else { return false }
                } else if !add(amount, word) {
                    return false
                }
            } else if cursor.isAtEnd {
                // A bare number is seconds.
                guard add(amount, "s") else { return false }
            } else if cursor.isDigit || cursor.next == 0x2D || cursor.next == 0x2B {
                // SQL's day-time form: 3 04:05:06.
                guard add(amount, "d") else { return false }
            } else {
                return false
            }
        }
    }

    /// `[-]HH:MM[:SS[.ffffff]]`; `MM:SS.fff` when there is a fraction behind two parts.
    private mutating func time() -> Bool {
        let isNegative = cursor.next == 0x2D
        _ = cursor.take(0x2D) || cursor.take(0x2B)
        let (first, firstDigits) = cursor.number()
        guard firstDigits > 0, cursor.take(0x3A) else { return false }
        let (second, secondDigits) = cursor.number(limit: 2)
        guard secondDigits > 0, second < 60 else { return false }
        var (hours, minutes, seconds, micro) = (first, second, 0, 0)
        if cursor.take(0x3A) {
            let (third, thirdDigits) = cursor.number(limit: 2)
            guard thirdDigits > 0, third <= 60 else { return false }
            seconds = third
            micro = cursor.microseconds() ?? 0
        } else if let fraction = cursor.microseconds() {
            (hours, minutes, seconds, micro) = (0, first, second, fraction)
        }
        let sign: Int64 = isNegative ? -1 : 1
        add(.microseconds, sign * Int64(hours), times: CalendarMath.microsecondsPerHour)
        add(.microseconds, sign * Int64(minutes), times: 60_000_000)
        add(.microseconds, sign * Int64(seconds), times: 1_000_000)
        add(.microseconds, sign * Int64(micro), times: 1)
        return true
    }

    /// `P1Y2M3W4DT5H6M7.8S`
    private mutating func iso() -> Bool {
        cursor.index += 1
        var inTime = false
        var seen = false
        while !cursor.isAtEnd {
            if cursor.take(0x54) {
                inTime = true
                seen = true
                continue
            }
            let start = cursor.index
            guard let amount = amount() else { return false }
            // The alternative form: P0001-02-03T04:05:06.
            if !inTime, !seen, cursor.next == 0x2D, amount.fraction == 0 {
                cursor.index += 1
                let (months, monthDigits) = cursor.number(limit: 2)
                guard monthDigits > 0, cursor.take(0x2D) else { return false }
                let (days, dayDigits) = cursor.number(limit: 2)
                guard dayDigits > 0 else { return false }
                add(.months, amount.whole, times: 12)
                add(.months, Int64(months), times: 1)
                add(.days, Int64(days), times: 1)
                seen = true
                continue
            }
            if inTime, cursor.next == 0x3A {
                cursor.index = start
                guard time() else { return false }
                continue
            }
            let unit = cursor.next
            cursor.index += 1
            seen = true
            let isKnown =
                switch (unit, inTime) {
                case (0x59, false): add(amount, "y")
                case (0x4D, false): add(amount, "mon")
                case (0x57, false): add(amount, "w")
                case (0x44, false): add(amount, "d")
                case (0x48, true): add(amount, "h")
                case (0x4D, true): add(amount, "m")
                case (0x53, true): add(amount, "s")
                default: false
                }
            if !isKnown { return false }
        }
        return seen
    }

    private enum Part { case months, days, microseconds }

    private mutating func add(_ part: Part, _ value: Int64, times factor: Int64) {
        let (product, overflow) = value.multipliedReportingOverflow(by: factor)
        let total =
            switch part {
            case .months: months
            case .days: days
            case .microseconds: microseconds
            }
        let (sum, carry) = total.addingReportingOverflow(product)
        isOutOfRange = isOutOfRange || overflow || carry
        switch part {
        case .months: months = sum
        case .days: days = sum
        case .microseconds: microseconds = sum
        }
    }

    private mutating func addMicroseconds(_ value: Double) {
        guard value.magnitude < 9.2e18 else {
            isOutOfRange = true
            return
        }
        add(.microseconds, Int64(value.rounded(.toNearestOrEven)), times: 1)
    }

    /// Whole days of `value`, and the rest as time.
    private mutating func addDays(_ value: Double) {
        let whole = value.rounded(.towardZero)
        add(.days, Int64(whole), times: 1)
        addMicroseconds((value - whole) * Double(CalendarMath.microsecondsPerDay))
    }

    /// `days` and `d` name the same unit.
    private static func kind(_ unit: String) -> String {
        switch unit {
        case "month", "months", "mon", "mons": "mon"
        case "millisecond", "milliseconds", "ms", "msec", "msecs", "mseconds", "msecond": "ms"
        case "microsecond", "microseconds", "us", "usec", "usecs": "us"
        case "millennium", "millennia", "mil", "mils": "mil"
        case "decade", "decades", "dec", "decs": "dec"
        default: String(unit.prefix(1))
        }
    }

    private mutating func add(_ amount: Amount, _ unit: String) -> Bool {
        if !units.insert(Self.kind(unit)).inserted { return false }
        switch unit {
        case "microsecond", "microseconds", "us", "usec", "usecs", "usecond", "useconds",
            "microsecon":
            add(.microseconds, amount.whole, times: 1)
            addMicroseconds(amount.fraction)
        case "millisecond", "milliseconds", "ms", "msec", "msecs", "mseconds", "msecond":
            add(.microseconds, amount.whole, times: 1000)
            addMicroseconds(amount.fraction * 1000)
        case "second", "seconds", "s", "sec", "secs":
            add(.microseconds, amount.whole, times: 1_000_000)
            addMicroseconds(amount.fraction * 1_000_000)
        case "minute", "minutes", "m", "min", "mins":
            add(.microseconds, amount.whole, times: 60_000_000)
            addMicroseconds(amount.fraction * 60_000_000)
        case "hour", "hours", "h", "hr", "hrs":
            add(.microseconds, amount.whole, times: CalendarMath.microsecondsPerHour)
            addMicroseconds(amount.fraction * Double(CalendarMath.microsecondsPerHour))
        case "day", "days", "d":
            add(.days, amount.whole, times: 1)
            addDays(amount.fraction)
        case "week", "weeks", "w":
            add(.days, amount.whole, times: 7)
            addDays(amount.fraction * 7)
        case "month", "months", "mon", "mons":
            add(.months, amount.whole, times: 1)
            addDays(amount.fraction * 30)
        case "year", "years", "y", "yr", "yrs": addYears(amount, 1)
        case "decade", "decades", "dec", "decs": addYears(amount, 10)
        case "century", "centuries", "c", "cent": addYears(amount, 100)
        case "millennium", "millennia", "mil", "mils": addYears(amount, 1000)
        default: return false
        }
        return true
    }

    private mutating func addYears(_ amount: Amount, _ years: Int64) {
        add(.months, amount.whole, times: 12 * years)
        let fraction = (amount.fraction * 12 * Double(years)).rounded(.toNearestOrEven)
        add(.months, Int64(fraction), times: 1)
    }
}
