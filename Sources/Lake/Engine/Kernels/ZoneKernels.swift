// Moments and the clocks of time zones.

import Base
import Columns
import SQL

enum ZoneKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int,
        _ context: QueryContext
    ) throws(Problem) -> Column? {
        let zones = context.zones
        switch function {
        case .toZone, .fromZone:
            let zone = ZoneArgument(arguments[1], zones)
            let moments = arguments[0].int64s
            return try RowKernels.int64s(arguments, type: type, count: count) {
                (row) throws(Problem) in
                let rules = try zone.rules(row)
                return function == .toZone
                    ? try local(moments.at(row), rules) : try moment(moments.at(row), rules)
            }
        case .dateTruncInZone:
            let zone = ZoneArgument(arguments[2], zones)
            let units = try DateTimeKernels.UnitArgument(arguments[0], for: .timestampTZ)
            let moments = arguments[1].int64s
            return try RowKernels.int64s(arguments, type: type, count: count) {
                (row) throws(Problem) in
                let rules = try zone.rules(row)
                let unit = try units.at(row)
                let source = moments.at(row)
                let shown = try local(source, rules)
                guard let start = unit.truncate(shown) else { throw units.unsupported(row) }
                // Within a day the clock is not looked at again: an hour that comes twice is two.
                if unit.isWithinDay { return source &- (shown &- start) }
                return try moment(start, rules)
            }
        case .makeTimestampTZ:
            let plain = try DateTimeKernels.makeTimestamp(Array(arguments[..<6]), count: count)
            let zone = ZoneArgument(arguments[6], zones)
            guard case .int64(let moments) = plain.data else { return nil }
            return try RowKernels.int64s(arguments, type: type, count: count) {
                (row) throws(Problem) in
                try moment(moments[row], try zone.rules(row, eastIsPositive: true))
            }
        case .extractInZone, .datePartInZone:
            return try DateTimeKernels.extract(
                arguments[0], arguments[1], type: type, count: count,
                in: try sessionRules(arguments[2], zones))
        case .toCharInZone:
            return try DateTimeKernels.toChar(
                arguments[0], arguments[1], count: count,
                in: try sessionRules(arguments[2], zones))
        case .parseTimestampInZone:
            return try DateTimeKernels.parse(
                arguments[0], arguments[1], asDate: false, count: count,
                in: try sessionRules(arguments[2], zones))
        case .addIntervalInZone, .subtractIntervalInZone:
            return try add(
                arguments[0], arguments[1], subtracting: function == .subtractIntervalInZone,
                try sessionRules(arguments[2], zones), count: count)
        case .castInZone:
            let isLenient = arguments[2].count > 0 && arguments[2].value(0) == .boolean(true)
            var clock = context.clock
            clock.local = try sessionRules(arguments[1], zones)
            return try cast(
                arguments[0], to: type, nullOnFailure: isLenient, count: count, clock)
        case .jsonInZone:
            let rules = try sessionRules(arguments[1], zones)
            return SessionZone.texts(of: arguments[0].column, rules, asISO: true)
        default: return nil
        }
    }

    /// A cast from or to what has moments in it, by the clock of `clock.local`.
    private static func cast(
        _ argument: Vector, to type: ColumnType, nullOnFailure: Bool, count: Int,
        _ clock: DateTimeText.WallClock
    ) throws(Problem) -> Column {
        guard let rules = clock.local else { return argument.column }
        func plain(_ source: Column, _ type: ColumnType) throws(Problem) -> Column {
            let vector =
                argument.isConstant ? Vector(constant: source, count: count) : Vector(source)
            return try CastKernels.cast(
                vector, to: type, nullOnFailure: nullOnFailure, count: count, now: clock)
        }
        let from = argument.type
        if from.replacingMoments(by: .text) != from {
            switch innermost(type) {
            case .text, .json:
                return try plain(
                    SessionZone.texts(of: argument.column, rules, asISO: type == .json), type)
            default:
                let shown = try argument.column.replacingMoments(by: .timestamp) {
                    (moments, valid) throws(Problem) in
                    try shifted(moments, valid) { (moment) throws(Problem) in
                        try local(moment, rules)
                    }
                }
                return try plain(shown, type)
            }
        }
        switch innermost(from) {
        case .text, .json, .variant: return try plain(argument.column, type)
        default:
            return try moments(
                plain(argument.column, type.replacingMoments(by: .timestamp)), type, rules)
        }
    }

    /// The column with moments where `type` has them and the column what clocks showed.
    private static func moments(
        _ column: Column, _ type: ColumnType, _ rules: TimeZoneRules
    ) throws(Problem) -> Column {
        let data: ColumnData
        switch (type, column.data) {
        case (.timestampTZ, .int64(let locals)):
            data = try shifted(locals, column.validity) { (shown) throws(Problem) in
                try moment(shown, rules)
            }
        case (.list(let inner), .list(let offsets, let element)):
            data = .list(offsets: offsets, element: try moments(element, inner, rules))
        default: data = column.data
        }
        return Column(type: type, data: data, validity: column.validity)
    }

    private static func innermost(_ type: ColumnType) -> ColumnType {
        if case .list(let element) = type { return innermost(element) }
        return type
    }

    private static func shifted(
        _ moments: [Int64], _ valid: Validity?, _ shift: (Int64) throws(Problem) -> Int64
    ) throws(Problem) -> ColumnData {
        var values = moments
        for row in ValidRows(valid, moments.count) { values[row] = try shift(moments[row]) }
        return .int64(values)
    }

    /// The zone of a session, which is one and the same for all rows.
    static func sessionRules(
        _ name: Vector, _ zones: TimeZoneTable
    ) throws(Problem) -> TimeZoneRules {
        guard name.count > 0, case .text(let text) = name.value(0) else {
            return TimeZoneRules(fixed: 0, "UTC")
        }
        return try zones.rules(named: text)
    }

    /// Months and days are those of the zone's calendar, hours are hours.
    static func add(
        _ moment: Int64, _ interval: Interval, _ rules: TimeZoneRules
    ) throws(Problem) -> Int64 {
        var result = moment
        if interval.months != 0 || interval.days != 0, !DateTimeKernels.isInfinite(moment) {
            let days = Interval(months: interval.months, days: interval.days)
            guard let sum = CalendarMath.add(try local(moment, rules), days) else {
                throw SQLErrors.timestampOutOfRange
            }
            result = try self.moment(sum, rules)
        }
        let time = Interval(microseconds: interval.microseconds)
        guard let sum = CalendarMath.add(result, time) else { throw SQLErrors.timestampOutOfRange }
        return sum
    }

    private static func add(
        _ moment: Vector, _ interval: Vector, subtracting: Bool, _ rules: TimeZoneRules, count: Int
    ) throws(Problem) -> Column {
        let (moments, intervals) = (moment.int64s, interval.intervals)
        return try RowKernels.int64s([moment, interval], type: .timestampTZ, count: count) {
            (row) throws(Problem) in
            var amount = intervals.at(row)
            if subtracting {
                guard let negative = CalendarMath.negate(amount) else {
                    throw SQLErrors.intervalOutOfRange
                }
                amount = negative
            }
            return try add(moments.at(row), amount, rules)
        }
    }

    /// A field of a moment by the clock of a zone, in millionths.
    static func field(
        _ unit: DateTimeUnit, of moment: Int64, _ rules: TimeZoneRules
    ) throws(Problem) -> Int128? {
        let east = rules.offset(at: CalendarMath.floorDivide(moment, 1_000_000)).seconds
        switch unit {
        case .epoch: return unit.field(of: moment)
        case .timezone: return Int128(east) * 1_000_000
        case .timezoneHour: return Int128(east / 3600) * 1_000_000
        case .timezoneMinute: return Int128(east % 3600 / 60) * 1_000_000
        default: return unit.field(of: try local(moment, rules))
        }
    }

    /// What a pattern writes of a moment by the clock of a zone.
    static func fields(
        _ moment: Int64, _ rules: TimeZoneRules
    ) throws(Problem) -> DateTimeFields {
        var fields = DateTimeFields(moment: try local(moment, rules), hasZone: true)
        fields.zone = rules.offset(at: CalendarMath.floorDivide(moment, 1_000_000))
        return fields
    }

    private struct ZoneArgument {
        private let names: Vector
        private let zones: TimeZoneTable

        init(_ names: Vector, _ zones: TimeZoneTable) {
            self.names = names
            self.zones = zones
        }

        /// make_timestamptz reads a bare offset as people write it, not as POSIX does.
        func rules(
            _ row: Int, eastIsPositive: Bool = false
        ) throws(Problem) -> TimeZoneRules {
            guard case .text(var name) = names.value(row) else {
                return TimeZoneRules(fixed: 0, "UTC")
            }
            if eastIsPositive, let sign = name.first, sign == "+" || sign == "-" {
                name = (sign == "+" ? "-" : "+") + name.dropFirst()
            }
            return try zones.rules(named: name)
        }
    }

    /// What the clock of a zone shows.
    static func local(
        _ moment: Int64, _ rules: TimeZoneRules
    ) throws(Problem) -> Int64 {
        if DateTimeKernels.isInfinite(moment) { return moment }
        let seconds = CalendarMath.floorDivide(moment, 1_000_000)
        let (sum, overflow) = moment.addingReportingOverflow(
            rules.offset(at: seconds).seconds * 1_000_000)
        return try checked(sum, overflow)
    }

    /// When the clock of a zone shows it.
    static func moment(
        _ local: Int64, _ rules: TimeZoneRules
    ) throws(Problem) -> Int64 {
        if DateTimeKernels.isInfinite(local) { return local }
        let seconds = CalendarMath.floorDivide(local, 1_000_000)
        let (sum, overflow) = local.subtractingReportingOverflow(
            rules.offset(ofLocal: seconds) * 1_000_000)
        return try checked(sum, overflow)
    }

    private static func checked(_ moment: Int64, _ overflow: Bool) throws(Problem) -> Int64 {
        guard !overflow, moment >= CalendarMath.firstMicrosecond, moment != CalendarMath.infinity
        else { throw SQLErrors.timestampOutOfRange }
        return moment
    }
}

extension DateTimeText {
    /// Seconds east of UTC in a zone by name, at a time of its clock; nil when there is none.
    static func zoneSeconds(_ name: String, local: Int64, _ zones: TimeZoneTable) -> Int? {
        zones.find(name).map {
            Int($0.offset(ofLocal: CalendarMath.floorDivide(local, 1_000_000)))
        }
    }
}
