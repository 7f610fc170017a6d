// Functions of intervals and periods beyond arithmetic.

import Base
import Columns
import SQL

enum IntervalKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .justifyDays, .justifyHours, .justifyInterval:
            let source = arguments[0].intervals
            return try RowKernels.intervals(arguments, count: count) { (row) throws(Problem) in
                let result =
                    switch function {
                    case .justifyDays: justifiedDays(source.at(row))
                    case .justifyHours: justifiedHours(source.at(row))
                    default: justified(source.at(row))
                    }
                guard let result else { throw SQLErrors.intervalOutOfRange }
                return result
            }
        case .addToTime, .subtractFromTime:
            let (times, amounts) = (arguments[0].int64s, arguments[1].intervals)
            return try RowKernels.int64s(arguments, type: .time, count: count) { row in
                let amount = amounts.at(row).microseconds % day
                let sum = times.at(row) + (function == .addToTime ? amount : -amount)
                return CalendarMath.split(sum).time
            }
        case .makeTime:
            let (hours, minutes) = (arguments[0].int32s, arguments[1].int32s)
            let seconds = arguments[2].doubles
            return try RowKernels.int64s(arguments, type: .time, count: count) {
                (row) throws(Problem) in
                try time(hours.at(row), minutes.at(row), seconds.at(row))
            }
        case .makeInterval: return try make(arguments, count: count)
        case .isFinite:
            switch arguments[0].column.data {
            case .int32:
                let days = arguments[0].int32s
                return try RowKernels.booleans(arguments, count: count) { row in
                    days.at(row) != CalendarMath.dateInfinity
                        && days.at(row) != CalendarMath.dateMinusInfinity
                }
            case .int64:
                let moments = arguments[0].int64s
                return try RowKernels.booleans(arguments, count: count) { row in
                    !DateTimeKernels.isInfinite(moments.at(row))
                }
            default: return try RowKernels.booleans(arguments, count: count) { _ in true }
            }
        case .overlaps: return overlaps(arguments, count: count)
        default: return nil
        }
    }

    // MARK: Justifying

    private static let day = CalendarMath.microsecondsPerDay

    private static func interval(_ months: Int64, _ days: Int64, _ time: Int64) -> Interval? {
        guard let months = Int32(exactly: months), let days = Int32(exactly: days) else {
            return nil
        }
        return Interval(months: months, days: days, microseconds: time)
    }

    /// 24 hours made a day, with both of one sign.
    private static func justifiedHours(_ source: Interval) -> Interval? {
        var days = Int64(source.days) + source.microseconds / day
        var time = source.microseconds % day
        if days > 0, time < 0 {
            time += day
            days -= 1
        } else if days < 0, time > 0 {
            time -= day
            days += 1
        }
        return interval(Int64(source.months), days, time)
    }

    /// 30 days made a month, with both of one sign.
    private static func justifiedDays(_ source: Interval) -> Interval? {
        var months = Int64(source.months) + Int64(source.days / 30)
        var days = Int64(source.days % 30)
        if months > 0, days < 0 {
            days += 30
            months -= 1
        } else if months < 0, days > 0 {
            days -= 30
            months += 1
        }
        return interval(months, days, source.microseconds)
    }

    private static func justified(_ source: Interval) -> Interval? {
        var days = Int64(source.days) + source.microseconds / day
        var time = source.microseconds % day
        var months = Int64(source.months) + days / 30
        days %= 30
        if months > 0, days < 0 || (days == 0 && time < 0) {
            days += 30
            months -= 1
        } else if months < 0, days > 0 || (days == 0 && time > 0) {
            days -= 30
            months += 1
        }
        if days > 0, time < 0 {
            time += day
            days -= 1
        } else if days < 0, time > 0 {
            time -= day
            days += 1
        }
        return interval(months, days, time)
    }

    // MARK: Making

    private static func time(
        _ hour: Int32, _ minute: Int32, _ second: Double
    ) throws(Problem) -> Int64 {
        let micro = second.isFinite ? (second * 1_000_000).rounded(.toNearestOrEven) : -1
        let isMidnight = hour == 24 && minute == 0 && micro == 0
        guard hour >= 0, hour < 24 || isMidnight, minute >= 0, minute < 60, micro >= 0,
            micro <= 60_000_000
        else {
            throw Problem(
                "22008",
                "time field value out of range: \(hour):\(minute):"
                    + NumberText.float64(second))
        }
        return (Int64(hour) * 60 + Int64(minute)) * 60_000_000 + Int64(micro)
    }

    private static func make(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let fields = arguments.prefix(6).map(\.int32s)
        let seconds = arguments[6].doubles
        return try RowKernels.intervals(arguments, count: count) { (row) throws(Problem) in
            let parts = fields.map { Int64($0.at(row)) }
            let second = seconds.at(row) * 1_000_000
            let clock = (parts[4] * 60 + parts[5]) * 60_000_000
            guard second.isFinite, second.magnitude < 9.2e18 else {
                throw SQLErrors.intervalOutOfRange
            }
            let (time, overflow) = clock.addingReportingOverflow(
                Int64(second.rounded(.toNearestOrEven)))
            guard !overflow,
                let made = interval(parts[0] * 12 + parts[1], parts[2] * 7 + parts[3], time)
            else { throw SQLErrors.intervalOutOfRange }
            return made
        }
    }

    // MARK: Periods

    /// Periods are half-open, and include their start when they are empty. A NULL end leaves what
    /// is certain; the result is NULL when that does not decide.
    private static func overlaps(_ arguments: [Vector], count: Int) -> Column {
        let moments = arguments.map(\.int64s)
        var values = [UInt8](repeating: 0, count: count)
        var valid = Validity(repeating: true, count: count)
        for row in 0..<count {
            func at(_ index: Int) -> Int64? {
                arguments[index].isNull(row) ? nil : moments[index].at(row)
            }
            if let answer = overlap((at(0), at(1)), (at(2), at(3))) {
                values[row] = answer ? 1 : 0
            } else {
                valid.set(row, false)
            }
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }

    private static func overlap(
        _ a: (Int64?, Int64?), _ b: (Int64?, Int64?)
    ) -> Bool? {
        guard let (start1, end1) = ordered(a), let (start2, end2) = ordered(b) else { return nil }
        if start1 == start2 {
            // The same start decides, unless an end is unknown.
            return end1 == nil || end2 == nil ? nil : true
        }
        let (first, second) = start1 > start2 ? ((start2, end2), start1) : ((start1, end1), start2)
        guard let end = first.1 else { return nil }
        if second < end { return true }
        // A later period whose end is unknown can't begin earlier.
        let later = start1 > start2 ? end1 : end2
        return later == nil ? nil : false
    }

    /// The period with its lower bound first; of an unknown one the other is taken as the start.
    private static func ordered(_ period: (Int64?, Int64?)) -> (Int64, Int64?)? {
        switch period {
        case (nil, nil): nil
        case (nil, let end?): (end, nil)
        case (let start?, nil): (start, nil)
        case (let start?, let end?): start > end ? (end, start) : (start, end)
        }
    }
}
