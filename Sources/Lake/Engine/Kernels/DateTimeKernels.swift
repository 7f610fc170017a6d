// Functions over dates, timestamps and intervals. Timestamps with time zone are UTC throughout.

import Base
import Columns

enum DateTimeKernels {
    /// A text argument that is nearly always a literal: parsed once, else row by row.
    struct UnitArgument {
        private let fixed: DateTimeUnit?
        private let names: Vector
        private let type: ColumnType

        init(_ names: Vector, for type: ColumnType) throws(Problem) {
            self.names = names
            self.type = type
            if names.isConstant, case .text(let name) = names.value(0) {
                fixed = try DateTimeUnit.named(name, for: type)
            } else {
                fixed = nil
            }
        }

        func name(_ row: Int) -> String {
            if case .text(let name) = names.value(row) { name } else { "" }
        }

        @inline(__always)
        func at(_ row: Int) throws(Problem) -> DateTimeUnit {
            if let fixed { return fixed }
            return try DateTimeUnit.named(name(row), for: type)
        }

        func unsupported(_ row: Int) -> Problem { DateTimeUnit.unsupported(name(row), type) }

        func notTruncatable(_ row: Int) throws(Problem) -> Problem {
            try at(row).notTruncatable(name(row), type)
        }
    }

    // MARK: Arithmetic

    /// `date ± integer`
    static func addDays(
        _ date: Vector, _ days: Vector, subtracting: Bool, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([date, days], count: count)
        let (dates, amounts) = (date.int32s, days.int32s)
        var values = [Int32](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let day = dates.at(row)
            if day == CalendarMath.dateInfinity || day == CalendarMath.dateMinusInfinity {
                values[row] = day
                continue
            }
            let amount = Int(amounts.at(row))
            let sum = Int(day) + (subtracting ? -amount : amount)
            guard sum >= CalendarMath.firstDay, sum <= CalendarMath.lastDay else {
                throw SQLErrors.dateOutOfRange
            }
            values[row] = Int32(sum)
        }
        return Column(type: .date, data: .int32(values), validity: valid)
    }

    static func dateDifference(_ left: Vector, _ right: Vector, count: Int) throws(Problem)
        -> Column
    {
        let valid = TextKernels.strictValidity([left, right], count: count)
        let (a, b) = (left.int32s, right.int32s)
        var values = [Int32](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let (x, y) = (a.at(row), b.at(row))
            if x == .max || x == .min || y == .max || y == .min {
                throw Problem("22008", "cannot subtract infinite dates")
            }
            values[row] = x &- y
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    /// `timestamp ± interval`
    static func addInterval(
        _ moment: Vector, _ interval: Vector, subtracting: Bool, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([moment, interval], count: count)
        let (moments, intervals) = (moment.int64s, interval.intervals)
        var values = [Int64](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            var amount = intervals.at(row)
            if subtracting {
                guard let negative = CalendarMath.negate(amount) else {
                    throw SQLErrors.intervalOutOfRange
                }
                amount = negative
            }
            guard let sum = CalendarMath.add(moments.at(row), amount) else {
                throw SQLErrors.timestampOutOfRange
            }
            values[row] = sum
        }
        return Column(type: type, data: .int64(values), validity: valid)
    }

    /// `timestamp - timestamp`: days and time.
    static func difference(_ left: Vector, _ right: Vector, count: Int) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([left, right], count: count)
        let (a, b) = (left.int64s, right.int64s)
        var values = [Interval](repeating: Interval(), count: count)
        for row in ValidRows(valid, count) {
            let (x, y) = (a.at(row), b.at(row))
            if isInfinite(x) || isInfinite(y) {
                throw Problem("22008", "cannot subtract infinite timestamps")
            }
            let (difference, overflow) = x.subtractingReportingOverflow(y)
            if overflow { throw SQLErrors.intervalOutOfRange }
            values[row] = Interval(
                days: Int32(truncatingIfNeeded: difference / CalendarMath.microsecondsPerDay),
                microseconds: difference % CalendarMath.microsecondsPerDay)
        }
        return Column(type: .interval, data: .interval(values), validity: valid)
    }

    @inline(__always)
    static func isInfinite(_ moment: Int64) -> Bool {
        moment == CalendarMath.infinity || moment == CalendarMath.minusInfinity
    }

    static func age(_ left: Vector, _ right: Vector, count: Int) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([left, right], count: count)
        let (a, b) = (left.int64s, right.int64s)
        var values = [Interval](repeating: Interval(), count: count)
        for row in ValidRows(valid, count) {
            let (x, y) = (a.at(row), b.at(row))
            if isInfinite(x) || isInfinite(y) { throw SQLErrors.timestampOutOfRange }
            values[row] = CalendarMath.age(x, y)
        }
        return Column(type: .interval, data: .interval(values), validity: valid)
    }

    // MARK: Intervals

    static func addIntervals(
        _ left: Vector, _ right: Vector, subtracting: Bool, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([left, right], count: count)
        let (a, b) = (left.intervals, right.intervals)
        var values = [Interval](repeating: Interval(), count: count)
        for row in ValidRows(valid, count) {
            let sum = subtracting ? subtract(a.at(row), b.at(row)) : add(a.at(row), b.at(row))
            guard let sum else { throw SQLErrors.intervalOutOfRange }
            values[row] = sum
        }
        return Column(type: .interval, data: .interval(values), validity: valid)
    }

    static func add(_ a: Interval, _ b: Interval) -> Interval? {
        let months = a.months.addingReportingOverflow(b.months)
        let days = a.days.addingReportingOverflow(b.days)
        let time = a.microseconds.addingReportingOverflow(b.microseconds)
        if months.overflow || days.overflow || time.overflow { return nil }
        return Interval(
            months: months.partialValue, days: days.partialValue,
            microseconds: time.partialValue)
    }

    static func subtract(_ a: Interval, _ b: Interval) -> Interval? {
        let months = a.months.subtractingReportingOverflow(b.months)
        let days = a.days.subtractingReportingOverflow(b.days)
        let time = a.microseconds.subtractingReportingOverflow(b.microseconds)
        if months.overflow || days.overflow || time.overflow { return nil }
        return Interval(
            months: months.partialValue, days: days.partialValue,
            microseconds: time.partialValue)
    }

    static func negate(_ argument: Vector, count: Int) throws(Problem) -> Column {
        let zero = Vector(constant: .interval(Interval()), type: .interval, count: count)
        return try addIntervals(zero, argument, subtracting: true, count: count)
    }

    /// `interval * factor`, or `/` it.
    static func scale(
        _ interval: Vector, _ factor: Vector, dividing: Bool, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([interval, factor], count: count)
        let (intervals, factors) = (interval.intervals, factor.doubles)
        var values = [Interval](repeating: Interval(), count: count)
        for row in ValidRows(valid, count) {
            let by = factors.at(row)
            if dividing, by == 0 { throw SQLErrors.divisionByZero }
            let scaled = scale(intervals.at(row)) { dividing ? $0 / by : $0 * by }
            guard let scaled else { throw SQLErrors.intervalOutOfRange }
            values[row] = scaled
        }
        return Column(type: .interval, data: .interval(values), validity: valid)
    }

    /// Fractions flow down: of months into days of 30 to the month, of days into time.
    static func scale(_ interval: Interval, _ change: (Double) -> Double) -> Interval? {
        func toMicroseconds(_ seconds: Double) -> Double {
            (seconds * 1_000_000).rounded(.toNearestOrEven) / 1_000_000
        }
        let months = change(Double(interval.months))
        let days = change(Double(interval.days))
        guard months.magnitude < 2_147_483_648, days.magnitude < 2_147_483_648 else { return nil }
        let wholeMonths = months.rounded(.towardZero)
        var wholeDays = days.rounded(.towardZero)
        let monthDays = toMicroseconds((months - wholeMonths) * 30)
        let wholeMonthDays = monthDays.rounded(.towardZero)
        var seconds = toMicroseconds((days - wholeDays + monthDays - wholeMonthDays) * 86_400)
        if seconds.magnitude >= 86_400 {
            let carried = (seconds / 86_400).rounded(.towardZero)
            wholeDays += carried
            seconds -= carried * 86_400
        }
        wholeDays += wholeMonthDays
        let time =
            (change(Double(interval.microseconds)) + seconds * 1_000_000).rounded(.toNearestOrEven)
        guard wholeDays.magnitude < 2_147_483_648, time.magnitude < 9.2e18 else { return nil }
        return Interval(
            months: Int32(wholeMonths), days: Int32(wholeDays), microseconds: Int64(time))
    }

    // MARK: Truncation and fields

    static func truncate(
        _ unit: Vector, _ argument: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([unit, argument], count: count)
        let units = try UnitArgument(unit, for: argument.type)
        if argument.type == .interval {
            let source = argument.intervals
            var values = [Interval](repeating: Interval(), count: count)
            for row in ValidRows(valid, count) {
                guard let result = try units.at(row).truncate(source.at(row)) else {
                    throw try units.notTruncatable(row)
                }
                values[row] = result
            }
            return Column(type: type, data: .interval(values), validity: valid)
        }
        let source = argument.int64s
        var values = [Int64](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            guard let result = try units.at(row).truncate(source.at(row)) else {
                throw try units.notTruncatable(row)
            }
            values[row] = result
        }
        return Column(type: type, data: .int64(values), validity: valid)
    }

    /// `date_bin(stride, moment, origin)`
    static func bin(
        _ stride: Vector, _ moment: Vector, _ origin: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([stride, moment, origin], count: count)
        let (strides, moments, origins) = (stride.intervals, moment.int64s, origin.int64s)
        var values = [Int64](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let step = strides.at(row)
            if step.months != 0 {
                throw Problem(
                    "0A000",
                    "timestamps cannot be binned into intervals containing months or years")
            }
            let (dayPart, overflow) = Int64(step.days).multipliedReportingOverflow(
                by: CalendarMath.microsecondsPerDay)
            let (length, carry) = dayPart.addingReportingOverflow(step.microseconds)
            if overflow || carry { throw SQLErrors.intervalOutOfRange }
            if length <= 0 { throw Problem("22008", "stride must be greater than zero") }
            let at = moments.at(row)
            if isInfinite(at) {
                values[row] = at
                continue
            }
            if isInfinite(origins.at(row)) { throw Problem("22008", "origin out of range") }
            let (distance, far) = at.subtractingReportingOverflow(origins.at(row))
            if far { throw SQLErrors.intervalOutOfRange }
            let steps = CalendarMath.floorDivide(distance, length)
            let (shift, under) = steps.multipliedReportingOverflow(by: length)
            let (start, outside) = origins.at(row).addingReportingOverflow(shift)
            if under || outside { throw SQLErrors.timestampOutOfRange }
            values[row] = start
        }
        return Column(type: type, data: .int64(values), validity: valid)
    }

    /// `extract(field FROM x)` as numeric, `date_part` as double precision. Infinite moments have
    /// no fields but epochs without end, which only floats can hold.
    static func extract(
        _ field: Vector, _ argument: Vector, type: ColumnType, count: Int,
        in zone: TimeZoneRules? = nil
    ) throws(Problem) -> Column {
        var valid = TextKernels.strictValidity([field, argument], count: count)
        let units = try UnitArgument(field, for: argument.type)
        var micros = [Int128](repeating: 0, count: count)
        var endless: [(row: Int, value: Double)] = []
        /// The field of an infinite moment.
        func setInfinite(_ row: Int, isNegative: Bool) throws(Problem) {
            if type == .float64, try units.at(row).growsForEver {
                endless.append((row, isNegative ? -.infinity : .infinity))
                return
            }
            if valid == nil { valid = Validity(repeating: true, count: count) }
            valid?.set(row, false)
        }
        switch argument.type {
        case .interval:
            let source = argument.intervals
            for row in ValidRows(valid, count) {
                guard let result = try units.at(row).field(of: source.at(row)) else {
                    throw units.unsupported(row)
                }
                micros[row] = result
            }
        case .date:
            let source = argument.int32s
            for row in ValidRows(valid, count) {
                let day = source.at(row)
                if day == CalendarMath.dateInfinity || day == CalendarMath.dateMinusInfinity {
                    try setInfinite(row, isNegative: day < 0)
                    continue
                }
                let unit = try units.at(row)
                if unit == .epoch {
                    micros[row] = Int128(day) * Int128(CalendarMath.microsecondsPerDay)
                    continue
                }
                guard let result = unit.dateField(Int(day)) else { throw units.unsupported(row) }
                micros[row] = Int128(result) * 1_000_000
            }
        case .time:
            let source = argument.int64s
            for row in ValidRows(valid, count) {
                guard let result = try units.at(row).field(ofTime: source.at(row)) else {
                    throw units.unsupported(row)
                }
                micros[row] = result
            }
        default:
            let source = argument.int64s
            for row in ValidRows(valid, count) {
                let moment = source.at(row)
                if isInfinite(moment) {
                    try setInfinite(row, isNegative: moment < 0)
                    continue
                }
                let unit = try units.at(row)
                let isOfZone =
                    unit == .timezone || unit == .timezoneHour || unit == .timezoneMinute
                if isOfZone, argument.type == .timestamp { throw units.unsupported(row) }
                let shown = try zone.map { (rules) throws(Problem) in
                    try ZoneKernels.field(unit, of: moment, rules)
                }
                guard let result = shown ?? unit.field(of: moment) else {
                    throw units.unsupported(row)
                }
                micros[row] = result
            }
        }
        if case .decimal(_, let scale) = type {
            if scale != 6 {
                for row in 0..<count {
                    micros[row] = DecimalMath.rescale(micros[row], from: 6, to: scale) ?? 0
                }
            }
            return Column(type: type, data: .int128(micros), validity: valid)
        }
        var values = micros.map { DecimalMath.double($0, scale: 6) }
        for (row, value) in endless { values[row] = value }
        return Column(type: type, data: .float64(values), validity: valid)
    }

    // MARK: Making

    static func fromEpoch(_ seconds: Vector, count: Int) throws(Problem) -> Column {
        let valid = seconds.validityFor(count)
        let source = seconds.doubles
        var values = [Int64](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let second = source.at(row)
            if second.isNaN { throw Problem("22008", "timestamp cannot be NaN") }
            if second.isInfinite {
                values[row] = second > 0 ? CalendarMath.infinity : CalendarMath.minusInfinity
                continue
            }
            let micro = (second * 1_000_000).rounded(.toNearestOrEven)
            guard micro < 9.223372036854775e18, micro >= Double(CalendarMath.firstMicrosecond)
            else {
                throw Problem(
                    "22008", "timestamp out of range: \"\(NumberText.float64(second))\"")
            }
            values[row] = Int64(micro)
        }
        return Column(type: .timestampTZ, data: .int64(values), validity: valid)
    }

    static func makeDate(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity(arguments, count: count)
        let fields = arguments.map(\.int32s)
        var values = [Int32](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            values[row] = Int32(
                try day(fields[0].at(row), fields[1].at(row), fields[2].at(row)))
        }
        return Column(type: .date, data: .int32(values), validity: valid)
    }

    private static func day(
        _ year: Int32, _ month: Int32, _ day: Int32
    ) throws(Problem) -> Int {
        // Negative years are years before Christ; there is no year 0.
        let astronomical = year < 0 ? Int(year) + 1 : Int(year)
        guard year != 0, year < 5_874_898, year > -4714, month >= 1, month <= 12, day >= 1,
            Int(day) <= CalendarMath.daysInMonth(year: astronomical, month: Int(month))
        else {
            let text = "\(year)-" + padded(month) + "-" + padded(day)
            throw Problem("22008", "date field value out of range: \(text)")
        }
        return CalendarMath.days(
            CivilDate(year: astronomical, month: Int(month), day: Int(day)))
    }

    private static func padded(_ number: Int32) -> String {
        number >= 0 && number < 10 ? "0\(number)" : "\(number)"
    }

    static func makeTimestamp(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity(arguments, count: count)
        let fields = arguments.prefix(5).map(\.int32s)
        let seconds = arguments[5].doubles
        var values = [Int64](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let days = try day(fields[0].at(row), fields[1].at(row), fields[2].at(row))
            let (hour, minute, second) = (fields[3].at(row), fields[4].at(row), seconds.at(row))
            guard hour >= 0, hour < 24, minute >= 0, minute < 60, second >= 0, second <= 60 else {
                throw Problem(
                    "22008",
                    "time field value out of range: \(hour):\(padded(minute)):"
                        + NumberText.float64(second))
            }
            let micro = Int64((second * 1_000_000).rounded(.toNearestOrEven))
            let time = (Int64(hour) * 60 + Int64(minute)) * 60_000_000 + micro
            guard let moment = CalendarMath.moment(days: days, time: time) else {
                throw SQLErrors.timestampOutOfRange
            }
            values[row] = moment
        }
        return Column(type: .timestamp, data: .int64(values), validity: valid)
    }

    // MARK: Patterns

    static func toChar(
        _ argument: Vector, _ format: Vector, count: Int, in zone: TimeZoneRules? = nil
    ) throws(Problem) -> Column {
        var valid = TextKernels.strictValidity([argument, format], count: count)
        var sink = TextSink(capacity: count)
        var pattern: DateTimePattern?
        for row in 0..<count {
            guard valid?[row] ?? true, case .text(let text) = format.value(row), !text.isEmpty
            else {
                // An empty pattern gives NULL, as in PostgreSQL.
                sink.appendEmpty()
                if valid?[row] ?? true {
                    if valid == nil { valid = Validity(repeating: true, count: count) }
                    valid?.set(row, false)
                }
                continue
            }
            if pattern == nil || !format.isConstant {
                let read = try DateTimePattern(text)
                if argument.type == .interval { try read.checkForIntervals() }
                pattern = read
            }
            let fields: DateTimeFields =
                switch argument.column.data {
                case .interval(let values):
                    DateTimeFields(values[argument.isConstant ? 0 : row])
                case .int32(let values):
                    DateTimeFields(
                        moment: Int64(values[argument.isConstant ? 0 : row])
                            * CalendarMath.microsecondsPerDay)
                default:
                    if let zone {
                        try ZoneKernels.fields(argument.int64s.at(row), zone)
                    } else {
                        DateTimeFields(
                            moment: argument.int64s.at(row),
                            hasZone: argument.type == .timestampTZ)
                    }
                }
            if fields.isInfinite {
                // There is nothing to write of a moment without end; PostgreSQL gives NULL.
                sink.appendEmpty()
                if valid == nil { valid = Validity(repeating: true, count: count) }
                valid?.set(row, false)
                continue
            }
            sink.append(pattern?.format(fields) ?? "")
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }

    /// `to_timestamp(text, format)` and `to_date(text, format)`
    static func parse(
        _ argument: Vector, _ format: Vector, asDate: Bool, count: Int,
        in zone: TimeZoneRules? = nil
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([argument, format], count: count)
        var days = [Int32](repeating: 0, count: asDate ? count : 0)
        var moments = [Int64](repeating: 0, count: asDate ? 0 : count)
        var pattern: DateTimePattern?
        for row in ValidRows(valid, count) {
            guard case .text(let text) = argument.value(row),
                case .text(let shape) = format.value(row)
            else { continue }
            if pattern == nil || !format.isConstant { pattern = try DateTimePattern(shape) }
            guard let pattern else { continue }
            let (day, time) = try pattern.parse(text)
            if asDate {
                days[row] = Int32(truncatingIfNeeded: day)
                continue
            }
            guard let moment = CalendarMath.moment(days: day, time: time) else {
                throw Problem("22008", "timestamp out of range: \"\(text)\"")
            }
            moments[row] =
                zone != nil && !pattern.namesZone
                ? try ZoneKernels.moment(moment, zone ?? TimeZoneRules(fixed: 0, "UTC")) : moment
        }
        return asDate
            ? Column(type: .date, data: .int32(days), validity: valid)
            : Column(type: .timestampTZ, data: .int64(moments), validity: valid)
    }
}
