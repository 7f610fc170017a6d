// Moments and the clocks of time zones.

import Base
import Columns
import SQL

enum ZoneKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int,
        _ zones: TimeZoneTable
    ) throws(Problem) -> Column? {
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
                guard let start = unit.truncate(try local(source, rules)) else {
                    throw units.unsupported(row)
                }
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
        default: return nil
        }
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
    private static func local(
        _ moment: Int64, _ rules: TimeZoneRules
    ) throws(Problem) -> Int64 {
        if DateTimeKernels.isInfinite(moment) { return moment }
        let seconds = CalendarMath.floorDivide(moment, 1_000_000)
        let (sum, overflow) = moment.addingReportingOverflow(
            rules.offset(at: seconds).seconds * 1_000_000)
        return try checked(sum, overflow)
    }

    /// When the clock of a zone shows it.
    private static func moment(
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
