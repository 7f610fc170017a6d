// Dates and timestamps as text: written in ISO form, read in the forms that PostgreSQL reads.

import Base
import Columns

package enum DateTimeText {
    // MARK: Writing

    package static func date(_ days: Int32) -> String {
        if days == CalendarMath.dateInfinity { return "infinity" }
        if days == CalendarMath.dateMinusInfinity { return "-infinity" }
        var output: [UInt8] = []
        append(date: CalendarMath.civil(Int(days)), to: &output)
        if CalendarMath.civil(Int(days)).year <= 0 { output += " BC".utf8 }
        return String(decoding: output, as: UTF8.self)
    }

    /// `2024-02-29 13:14:15.5`, and `+00` behind it when `withZone`.
    package static func timestamp(_ microseconds: Int64, withZone: Bool) -> String {
        String(decoding: timestampBytes(microseconds, withZone: withZone), as: UTF8.self)
    }

    /// `zoneSeconds` is how far the zone is to the east of UTC at that moment.
    static func timestampBytes(
        _ moment: Int64, withZone: Bool, zoneSeconds: Int64 = 0, separator: UInt8 = 0x20
    ) -> [UInt8] {
        if moment == CalendarMath.infinity { return Array("infinity".utf8) }
        if moment == CalendarMath.minusInfinity { return Array("-infinity".utf8) }
        // No zone is so far off that a moment in range leaves the numbers.
        let microseconds = moment &+ zoneSeconds * 1_000_000
        let (days, time) = CalendarMath.split(microseconds)
        let date = CalendarMath.civil(days)
        var output: [UInt8] = []
        output.reserveCapacity(32)
        append(date: date, to: &output)
        output.append(separator)
        append(time: time, to: &output)
        if withZone { append(zoneSeconds: zoneSeconds, hasMinutes: separator == 0x54, to: &output) }
        if date.year <= 0 { output += " BC".utf8 }
        return output
    }

    /// The form of JSON: `2024-02-29T13:14:15.5+00:00`.
    static func isoTimestamp(_ microseconds: Int64, withZone: Bool) -> String {
        String(
            decoding: timestampBytes(microseconds, withZone: withZone, separator: 0x54),
            as: UTF8.self)
    }

    /// `+01`, `-03:30`, `+00:53:28`: minutes and seconds only when there are some, or are wanted.
    static func append(zoneSeconds: Int64, hasMinutes: Bool, to output: inout [UInt8]) {
        output.append(zoneSeconds < 0 ? 0x2D : 0x2B)
        let seconds = Int(zoneSeconds.magnitude)
        appendPadded(seconds / 3600, 2, to: &output)
        guard hasMinutes || seconds % 3600 != 0 else { return }
        output.append(0x3A)
        appendPadded(seconds / 60 % 60, 2, to: &output)
        guard seconds % 60 != 0 else { return }
        output.append(0x3A)
        appendPadded(seconds % 60, 2, to: &output)
    }

    static func append(date: CivilDate, to output: inout [UInt8]) {
        let year = date.year <= 0 ? 1 - date.year : date.year
        appendPadded(year, 4, to: &output)
        output.append(0x2D)
        appendPadded(date.month, 2, to: &output)
        output.append(0x2D)
        appendPadded(date.day, 2, to: &output)
    }

    /// `13:14:15.5`; hours may exceed 24 in intervals.
    static func append(time: Int64, to output: inout [UInt8]) {
        let seconds = time / CalendarMath.microsecondsPerSecond
        appendPadded(Int(seconds / 3600), 2, to: &output)
        output.append(0x3A)
        appendPadded(Int(seconds / 60 % 60), 2, to: &output)
        output.append(0x3A)
        appendPadded(Int(seconds % 60), 2, to: &output)
        var fraction = Int(time % CalendarMath.microsecondsPerSecond)
        guard fraction > 0 else { return }
        output.append(0x2E)
        var divisor = 100_000
        while fraction > 0 {
            output.append(0x30 + UInt8(fraction / divisor))
            fraction %= divisor
            divisor /= 10
        }
    }

    static func appendPadded(_ number: Int, _ width: Int, to output: inout [UInt8]) {
        let digits = String(number)
        for _ in 0..<max(0, width - digits.utf8.count) { output.append(0x30) }
        output += digits.utf8
    }

    // MARK: Reading

    enum Failure {
        case syntax, range
        /// No zone is that far from UTC.
        case zoneOffset
        case zoneName(String)
    }

    /// What a text says: a moment in its own zone, and the zone if it names one.
    struct Parsed {
        var days = 0
        var time: Int64 = 0
        /// Seconds east of UTC.
        var zoneSeconds: Int?
        var infinity: Int?
    }

    /// What the words `now`, `today`, `tomorrow` and `yesterday` refer to, and names of zones.
    struct WallClock {
        /// Since 1970 UTC.
        var microseconds: Int64
        /// nil where names of zones other than UTC are refused.
        var zones: TimeZoneTable?
        /// Of texts that name no zone; nil for UTC.
        var local: TimeZoneRules?
    }

    enum Outcome {
        case value(Parsed)
        case failure(Failure)
    }

    static func parse(_ text: UnsafeRawBufferPointer, now: WallClock) -> Outcome {
        let text = NumberText.trimmed(text)
        if let fast = parseISO(text) { return fast }
        var parser = DateTimeParser(text, now: now)
        return parser.parse()
    }

    /// `YYYY-MM-DD`, alone or followed by a time and a zone: what machines write.
    private static func parseISO(_ text: UnsafeRawBufferPointer) -> Outcome? {
        var cursor = ByteCursor(text)
        let (year, yearDigits) = cursor.number(limit: 6)
        guard yearDigits == 4, cursor.take(0x2D) else { return nil }
        let (month, monthDigits) = cursor.number(limit: 2)
        guard monthDigits > 0, cursor.take(0x2D) else { return nil }
        let (day, dayDigits) = cursor.number(limit: 2)
        guard dayDigits > 0, year > 0 else { return nil }
        guard month >= 1, month <= 12, day >= 1,
            day <= CalendarMath.daysInMonth(year: year, month: month)
        else { return cursor.isAtEnd || !cursor.isDigit ? .failure(.range) : nil }
        var parsed = Parsed()
        parsed.days = CalendarMath.days(CivilDate(year: year, month: month, day: day))
        if cursor.isAtEnd { return .value(parsed) }
        guard cursor.take(0x20) || cursor.take(0x54) || cursor.take(0x74), cursor.isDigit else {
            return nil
        }
        switch time(&cursor) {
        case .failure(.range): return .failure(.range)
        case .failure: return nil
        case .value(let time): parsed.time = time
        }
        if cursor.isAtEnd { return .value(parsed) }
        if cursor.take(0x5A) || cursor.take(0x7A) {
            parsed.zoneSeconds = 0
        } else if let zone = offset(&cursor) {
            parsed.zoneSeconds = zone
        }
        return cursor.isAtEnd ? .value(parsed) : nil
    }

    enum TimeOutcome {
        case value(Int64)
        case failure(Failure)
    }

    /// `HH:MM[:SS[.ffffff]]`
    static func time(_ cursor: inout ByteCursor) -> TimeOutcome {
        let (hour, hourDigits) = cursor.number(limit: 3)
        guard hourDigits > 0, hourDigits <= 2, cursor.take(0x3A) else { return .failure(.syntax) }
        let (minute, minuteDigits) = cursor.number(limit: 3)
        guard (1...2).contains(minuteDigits) else { return .failure(.syntax) }
        var second = 0
        var micro = 0
        if cursor.take(0x3A) {
            let (value, digits) = cursor.number(limit: 3)
            guard (1...2).contains(digits) else { return .failure(.syntax) }
            second = value
            micro = cursor.microseconds() ?? 0
        }
        guard minute < 60, second <= 60, hour <= 24,
            hour < 24 || (minute == 0 && second == 0 && micro == 0)
        else { return .failure(.range) }
        return .value(Int64((hour * 60 + minute) * 60 + second) * 1_000_000 + Int64(micro))
    }

    /// `+HH`, `-HH:MM`, `+HHMM`, `+HH:MM:SS`; nil (and nothing consumed) when there is none.
    static func offset(_ cursor: inout ByteCursor) -> Int? {
        let start = cursor.index
        let isNegative = cursor.next == 0x2D
        guard cursor.take(0x2B) || cursor.take(0x2D) else { return nil }
        let (first, digits) = cursor.number(limit: 4)
        var hours = first
        var minutes = 0
        var seconds = 0
        switch digits {
        case 1, 2:
            if cursor.take(0x3A) {
                minutes = cursor.number(limit: 2).value
                if cursor.take(0x3A) { seconds = cursor.number(limit: 2).value }
            }
        case 3, 4:
            hours = first / 100
            minutes = first % 100
        default:
            cursor.index = start
            return nil
        }
        guard hours < 16, minutes < 60, seconds < 60 else {
            cursor.index = start
            return nil
        }
        let total = (hours * 60 + minutes) * 60 + seconds
        return isNegative ? -total : total
    }

    // MARK: Typed results

    static func date(
        _ text: UnsafeRawBufferPointer, now: WallClock
    ) throws(Problem) -> Int32 {
        let parsed = try parsed(text, "date", now)
        if let infinity = parsed.infinity {
            return infinity > 0 ? CalendarMath.dateInfinity : CalendarMath.dateMinusInfinity
        }
        guard parsed.days >= CalendarMath.firstDay, parsed.days <= CalendarMath.lastDay else {
            throw Problem("22008", "date out of range: \"\(message(text))\"")
        }
        return Int32(parsed.days)
    }

    /// A time of day, alone or in a moment; its zone does not count.
    static func timeOfDay(
        _ text: UnsafeRawBufferPointer, now: WallClock
    ) throws(Problem) -> Int64 {
        var parser = DateTimeParser(NumberText.trimmed(text), now: now)
        switch parser.parseTime() {
        case .value(let parsed): return parsed.time
        case .failure(let failure): throw problem(failure, text, "time")
        }
    }

    /// The zone in the text does not count for timestamps without time zone.
    static func timestamp(
        _ text: UnsafeRawBufferPointer, withZone: Bool, now: WallClock
    ) throws(Problem) -> Int64 {
        let parsed = try parsed(
            text, withZone ? "timestamp with time zone" : "timestamp", now)
        if let infinity = parsed.infinity {
            return infinity > 0 ? CalendarMath.infinity : CalendarMath.minusInfinity
        }
        if withZone, parsed.zoneSeconds == nil, let rules = now.local {
            guard let local = CalendarMath.moment(days: parsed.days, time: parsed.time) else {
                throw Problem("22008", "timestamp out of range: \"\(message(text))\"")
            }
            return try ZoneKernels.moment(local, rules)
        }
        let shift = withZone ? Int64(parsed.zoneSeconds ?? 0) * 1_000_000 : 0
        guard let moment = CalendarMath.moment(days: parsed.days, time: parsed.time - shift) else {
            throw Problem("22008", "timestamp out of range: \"\(message(text))\"")
        }
        return moment
    }

    private static func parsed(
        _ text: UnsafeRawBufferPointer, _ type: String, _ now: WallClock
    ) throws(Problem) -> Parsed {
        switch parse(text, now: now) {
        case .value(let parsed): return parsed
        case .failure(let failure): throw problem(failure, text, type)
        }
    }

    private static func problem(
        _ failure: Failure, _ text: UnsafeRawBufferPointer, _ type: String
    ) -> Problem {
        switch failure {
        case .syntax: SQLErrors.invalidDateTime(type, message(text))
        case .range: SQLErrors.dateTimeOutOfRange(message(text))
        case .zoneOffset:
            Problem("22009", "time zone displacement out of range: \"\(message(text))\"")
        case .zoneName(let name): Problem("22023", "time zone \"\(name)\" not recognized")
        }
    }

    /// The text for a message, shortened.
    static func message(_ text: UnsafeRawBufferPointer) -> String {
        String(decoding: text.prefix(200), as: UTF8.self)
    }
}
