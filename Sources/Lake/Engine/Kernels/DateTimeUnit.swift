import Base
import Columns

/// The units and fields of `date_trunc` and `extract`.
enum DateTimeUnit: Equatable {
    case microsecond, millisecond, second, minute, hour, day, week, month, quarter, year
    case decade, century, millennium
    case dayOfWeek, isoDayOfWeek, dayOfYear, isoYear, epoch, julian
    case timezone, timezoneHour, timezoneMinute

    /// By PostgreSQL's names and abbreviations, in any case.
    init?(_ name: String) {
        switch name.lowercased() {
        case "microsecond", "microseconds", "us", "usec", "usecs": self = .microsecond
        case "millisecond", "milliseconds", "ms", "msec", "msecs": self = .millisecond
        case "second", "seconds", "s", "sec", "secs": self = .second
        case "minute", "minutes", "m", "min", "mins": self = .minute
        case "hour", "hours", "h", "hr", "hrs": self = .hour
        case "day", "days", "d": self = .day
        case "week", "weeks", "w": self = .week
        case "month", "months", "mon", "mons": self = .month
        case "quarter", "quarters", "qtr": self = .quarter
        case "year", "years", "y", "yr", "yrs": self = .year
        case "decade", "decades", "dec", "decs": self = .decade
        case "century", "centuries", "c", "cent": self = .century
        case "millennium", "millennia", "mil", "mils": self = .millennium
        case "dow": self = .dayOfWeek
        case "isodow": self = .isoDayOfWeek
        case "doy": self = .dayOfYear
        case "isoyear": self = .isoYear
        case "epoch": self = .epoch
        case "julian": self = .julian
        case "timezone": self = .timezone
        case "timezone_hour", "timezone_h": self = .timezoneHour
        case "timezone_minute", "timezone_m": self = .timezoneMinute
        default: return nil
        }
    }

    private static func unrecognized(_ name: String, _ type: ColumnType) -> Problem {
        Problem(
            "22023", "unit \"\(name.lowercased())\" not recognized for type \(type.sqlName)")
    }

    static func unsupported(_ name: String, _ type: ColumnType) -> Problem {
        Problem("0A000", "unit \"\(name.lowercased())\" not supported for type \(type.sqlName)")
    }

    static func named(_ name: String, for type: ColumnType) throws(Problem) -> DateTimeUnit {
        guard let unit = DateTimeUnit(name) else { throw unrecognized(name, type) }
        return unit
    }

    /// Why moments can't be truncated to it: PostgreSQL knows some only as fields.
    func notTruncatable(_ name: String, _ type: ColumnType) -> Problem {
        switch self {
        case .dayOfWeek, .isoDayOfWeek, .dayOfYear, .isoYear, .epoch, .julian:
            Self.unrecognized(name, type)
        default: Self.unsupported(name, type)
        }
    }

    /// Without end in moments without end, rather than undefined.
    var growsForEver: Bool {
        switch self {
        case .year, .decade, .century, .millennium, .isoYear, .epoch, .julian: true
        default: false
        }
    }

    // MARK: Truncation

    /// Whether it is shorter than a day.
    var isWithinDay: Bool {
        switch self {
        case .microsecond, .millisecond, .second, .minute, .hour: true
        default: false
        }
    }

    /// The beginning of the unit in which `moment` lies; nil when the unit can't be truncated to.
    func truncate(_ moment: Int64) -> Int64? {
        if moment == CalendarMath.infinity || moment == CalendarMath.minusInfinity {
            return moment
        }
        func floor(to length: Int64) -> Int64 {
            CalendarMath.floorDivide(moment, length) &* length
        }
        switch self {
        case .microsecond: return moment
        case .millisecond: return floor(to: 1000)
        case .second: return floor(to: 1_000_000)
        case .minute: return floor(to: 60_000_000)
        case .hour: return floor(to: CalendarMath.microsecondsPerHour)
        case .day: return floor(to: CalendarMath.microsecondsPerDay)
        default: break
        }
        let days = CalendarMath.split(moment).days
        let date = CalendarMath.civil(days)
        func begin(_ year: Int, _ month: Int = 1) -> Int64? {
            CalendarMath.moment(
                days: CalendarMath.days(CivilDate(year: year, month: month, day: 1)), time: 0)
        }
        switch self {
        case .week:
            let weekday = (CalendarMath.dayOfWeek(days) + 6) % 7
            return CalendarMath.moment(days: days - weekday, time: 0)
        case .month: return begin(date.year, date.month)
        case .quarter: return begin(date.year, (date.month - 1) / 3 * 3 + 1)
        case .year: return begin(date.year)
        case .decade: return begin(CalendarMath.floorDivide(date.year, 10) * 10)
        // Centuries begin in years that end in 01.
        case .century: return begin(CalendarMath.floorDivide(date.year - 1, 100) * 100 + 1)
        case .millennium: return begin(CalendarMath.floorDivide(date.year - 1, 1000) * 1000 + 1)
        default: return nil
        }
    }

    func truncate(_ interval: Interval) -> Interval? {
        func time(_ length: Int64) -> Interval {
            Interval(
                months: interval.months, days: interval.days,
                microseconds: interval.microseconds / length * length)
        }
        func months(_ length: Int32) -> Interval {
            Interval(months: interval.months / length * length)
        }
        switch self {
        case .microsecond: return interval
        case .millisecond: return time(1000)
        case .second: return time(1_000_000)
        case .minute: return time(60_000_000)
        case .hour: return time(CalendarMath.microsecondsPerHour)
        case .day: return Interval(months: interval.months, days: interval.days)
        case .month: return months(1)
        case .quarter: return months(3)
        case .year: return months(12)
        case .decade: return months(120)
        case .century: return months(1200)
        case .millennium: return months(12000)
        default: return nil
        }
    }

    // MARK: Extraction, in millionths

    /// The field of a moment; nil when there is no such field.
    func field(of moment: Int64) -> Int128? {
        let million: Int128 = 1_000_000
        let (days, time) = CalendarMath.split(moment)
        switch self {
        case .microsecond: return Int128(time % 60_000_000) * million
        case .millisecond: return Int128(time % 60_000_000) * 1000
        case .second: return Int128(time % 60_000_000)
        case .minute: return Int128(time / 60_000_000 % 60) * million
        case .hour: return Int128(time / CalendarMath.microsecondsPerHour) * million
        case .epoch: return Int128(moment)
        case .timezone, .timezoneHour, .timezoneMinute: return 0
        case .julian:
            // 1970-01-01 is Julian day 2440588.
            return Int128(days + 2_440_588) * million + Int128(time) * million
                / Int128(CalendarMath.microsecondsPerDay)
        default: return dateField(days).map { Int128($0) * million }
        }
    }

    /// The field of a day; nil when days have no such field.
    func dateField(_ days: Int) -> Int? {
        let date = CalendarMath.civil(days)
        // Years before Christ count 1 BC, 2 BC …: -1, -2 …
        let year = date.year > 0 ? date.year : date.year - 1
        switch self {
        case .day: return date.day
        case .month: return date.month
        case .quarter: return (date.month - 1) / 3 + 1
        case .year: return year
        case .decade: return CalendarMath.floorDivide(date.year, 10)
        case .century:
            return date.year > 0 ? (date.year + 99) / 100 : -((99 - (date.year - 1)) / 100)
        case .millennium:
            return date.year > 0 ? (date.year + 999) / 1000 : -((999 - (date.year - 1)) / 1000)
        case .week: return CalendarMath.isoWeek(days).week
        case .isoYear:
            let year = CalendarMath.isoWeek(days).year
            return year > 0 ? year : year - 1
        case .dayOfWeek: return CalendarMath.dayOfWeek(days)
        case .isoDayOfWeek: return (CalendarMath.dayOfWeek(days) + 6) % 7 + 1
        case .dayOfYear: return CalendarMath.dayOfYear(days)
        case .julian: return days + 2_440_588
        default: return nil
        }
    }

    /// The field of a time of day.
    func field(ofTime time: Int64) -> Int128? {
        switch self {
        case .microsecond, .millisecond, .second, .minute, .hour, .epoch:
            field(of: Interval(microseconds: time))
        default: nil
        }
    }

    func field(of interval: Interval) -> Int128? {
        let million: Int128 = 1_000_000
        let months = Int128(interval.months)
        let time = interval.microseconds
        switch self {
        case .microsecond: return Int128(time % 60_000_000) * million
        case .millisecond: return Int128(time % 60_000_000) * 1000
        case .second: return Int128(time % 60_000_000)
        case .minute: return Int128(time / 60_000_000 % 60) * million
        case .hour: return Int128(time / CalendarMath.microsecondsPerHour) * million
        case .day: return Int128(interval.days) * million
        case .month: return months % 12 * million
        case .quarter: return (months % 12 / 3 + 1) * million
        case .year: return months / 12 * million
        case .decade: return months / 120 * million
        case .century: return months / 1200 * million
        case .millennium: return months / 12000 * million
        case .epoch:
            // A year counts 365.25 days, a month 30.
            let days = months / 12 * 1461 * 6 + (months % 12) * 30 * 24 + Int128(interval.days) * 24
            return days * Int128(CalendarMath.microsecondsPerHour) + Int128(time)
        default: return nil
        }
    }
}
