// The proleptic Gregorian calendar, computed. Days count from 1970-01-01, years are astronomical:
// 0 is 1 BC.

import Columns

package struct CivilDate: Hashable, Sendable {
    package var year: Int
    package var month: Int
    package var day: Int

    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }
}

package enum CalendarMath {
    package static let microsecondsPerSecond: Int64 = 1_000_000
    package static let microsecondsPerHour: Int64 = 3_600_000_000
    package static let microsecondsPerDay: Int64 = 86_400_000_000

    /// `infinity` and `-infinity`, which compare above and below everything.
    package static let infinity = Int64.max
    package static let minusInfinity = Int64.min
    package static let dateInfinity = Int32.max
    package static let dateMinusInfinity = Int32.min

    /// 4714-11-24 BC, the first day of the Julian period, is the first date of PostgreSQL.
    static let firstDay = -2_440_588
    static let firstMicrosecond = Int64(firstDay) * microsecondsPerDay
    /// Years stay below 294247 in 64-bit microseconds and below 5874898 in dates.
    static let lastDay = 2_145_042_905

    // The calendar repeats after 400 years of 146,097 days. Years that begin in March have the leap
    // day at their end, so that the day of the year follows from the month alone: the months from
    // March on have 31, 30, 31, 30, 31 days and again, which is what (153 m + 2) / 5 counts.

    package static func days(_ date: CivilDate) -> Int {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let cycle = floorDivide(year, 400)
        let yearOfCycle = year - cycle * 400
        let month = (date.month + 9) % 12
        let dayOfYear = (153 * month + 2) / 5 + date.day - 1
        let dayOfCycle = yearOfCycle * 365 + yearOfCycle / 4 - yearOfCycle / 100 + dayOfYear
        // 0000-03-01 lies 719,468 days before 1970-01-01.
        return cycle * 146_097 + dayOfCycle - 719_468
    }

    package static func civil(_ days: Int) -> CivilDate {
        let shifted = days + 719_468
        let cycle = floorDivide(shifted, 146_097)
        let dayOfCycle = shifted - cycle * 146_097
        let corrected =
            dayOfCycle - dayOfCycle / 1_460 + dayOfCycle / 36_524 - dayOfCycle / 146_096
        let yearOfCycle = corrected / 365
        let dayOfYear =
            dayOfCycle - (365 * yearOfCycle + yearOfCycle / 4 - yearOfCycle / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * month + 2) / 5 + 1
        let year = yearOfCycle + cycle * 400 + (month >= 10 ? 1 : 0)
        return CivilDate(year: year, month: month >= 10 ? month - 9 : month + 3, day: day)
    }

    package static func isLeap(_ year: Int) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    package static func daysInMonth(year: Int, month: Int) -> Int {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: isLeap(year) ? 29 : 28
        default: 31
        }
    }

    /// 0 is Sunday. 1970-01-01 was a Thursday.
    package static func dayOfWeek(_ days: Int) -> Int {
        let rest = (days + 4) % 7
        return rest < 0 ? rest + 7 : rest
    }

    package static func dayOfYear(_ days: Int) -> Int {
        days - Self.days(CivilDate(year: civil(days).year, month: 1, day: 1)) + 1
    }

    /// The ISO 8601 week: weeks begin on Monday, and the first has the year's first Thursday.
    package static func isoWeek(_ days: Int) -> (year: Int, week: Int) {
        let weekday = (dayOfWeek(days) + 6) % 7
        let thursday = days - weekday + 3
        let year = civil(thursday).year
        let first = Self.days(CivilDate(year: year, month: 1, day: 1))
        return (year, (thursday - first) / 7 + 1)
    }

    @inline(__always)
    package static func floorDivide(_ value: Int, _ divisor: Int) -> Int {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    @inline(__always)
    package static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// The day of a moment, and the microseconds since it began.
    @inline(__always)
    package static func split(_ microseconds: Int64) -> (days: Int, time: Int64) {
        let days = floorDivide(microseconds, microsecondsPerDay)
        return (Int(days), microseconds &- days &* microsecondsPerDay)
    }

    /// The moment `time` microseconds into the day; nil outside of what timestamps hold.
    package static func moment(days: Int, time: Int64) -> Int64? {
        let (start, overflow) = Int64(days).multipliedReportingOverflow(by: microsecondsPerDay)
        let (moment, carry) = start.addingReportingOverflow(time)
        if overflow || carry || moment < firstMicrosecond || moment == infinity { return nil }
        return moment
    }

    /// The same day `months` later, or the last of the month when that month is shorter.
    package static func addMonths(_ days: Int, _ months: Int) -> Int {
        let date = civil(days)
        let total = date.year * 12 + date.month - 1 + months
        let year = floorDivide(total, 12)
        let month = total - year * 12 + 1
        return Self.days(
            CivilDate(
                year: year, month: month,
                day: min(date.day, daysInMonth(year: year, month: month))))
    }

    /// `moment + interval`: months first, then days, then microseconds; nil when out of range.
    package static func add(_ moment: Int64, _ interval: Interval) -> Int64? {
        if moment == infinity || moment == minusInfinity { return moment }
        var (days, time) = split(moment)
        if interval.months != 0 { days = addMonths(days, Int(interval.months)) }
        days += Int(interval.days)
        guard days > -4_000_000_000, days < 4_000_000_000 else { return nil }
        let (shifted, overflow) = time.addingReportingOverflow(interval.microseconds)
        if overflow { return nil }
        time = shifted
        return Self.moment(days: days, time: time)
    }

    package static func negate(_ interval: Interval) -> Interval? {
        guard interval.months != .min, interval.days != .min, interval.microseconds != .min
        else { return nil }
        return Interval(
            months: -interval.months, days: -interval.days, microseconds: -interval.microseconds)
    }

    /// `left - right` in years, months, days and time, as people count ages: whole months from the
    /// earlier moment on, then days, borrowed from the earlier moment's month when negative.
    package static func age(_ left: Int64, _ right: Int64) -> Interval {
        if left < right {
            let positive = age(right, left)
            return negate(positive) ?? positive
        }
        let (laterDays, laterTime) = split(left)
        let (earlierDays, earlierTime) = split(right)
        let (to, from) = (civil(laterDays), civil(earlierDays))
        var months = (to.year - from.year) * 12 + to.month - from.month
        var days = to.day - from.day
        var time = laterTime - earlierTime
        if time < 0 {
            time += microsecondsPerDay
            days -= 1
        }
        while days < 0 {
            months -= 1
            days += daysInMonth(year: from.year, month: from.month)
        }
        return Interval(
            months: Int32(truncatingIfNeeded: months), days: Int32(truncatingIfNeeded: days),
            microseconds: time)
    }
}
