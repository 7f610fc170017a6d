// AT TIME ZONE. Timestamps are kept in UTC, so a fixed offset is an addition of an interval; named
// zones need the zone database and are refused until it is read.

import Base
import Columns

enum TimeZones {
    /// `operand AT TIME ZONE zone`
    static func shift(
        _ operand: BoundExpression, to zone: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        let east = try offset(zone, at: position)
        var source = operand
        if source.isUnknownLiteral || source.type == .date {
            source = try coerce(source, to: .timestampTZ, at: position)
        }
        let amount = BoundExpression.literal(.interval(Interval(microseconds: east)), .interval)
        switch source.type {
        case .timestampTZ:
            let local = BoundExpression.cast(source, to: .timestamp, .strict)
            return east == 0 ? local : .call(.addInterval, [local, amount], .timestamp)
        case .timestamp:
            let utc: BoundExpression =
                east == 0 ? source : .call(.subtractInterval, [source, amount], .timestamp)
            return .cast(utc, to: .timestampTZ, .strict)
        default:
            throw Problem(
                "42883",
                "function pg_catalog.timezone(unknown, \(source.type.plainName)) does not exist",
                hint: "No function matches the given name and argument types. "
                    + "You might need to add explicit type casts.", position: position)
        }
    }

    /// Microseconds east of UTC.
    private static func offset(
        _ zone: BoundExpression, at position: Int
    ) throws(Problem) -> Int64 {
        if case .literal(.interval(let interval), _) = zone, interval.months == 0,
            interval.days == 0
        {
            return interval.microseconds
        }
        guard let name = zone.literalText else {
            throw Problem(
                "0A000", "a computed time zone is not supported yet",
                hint: "write the zone as a literal, for example 'UTC' or INTERVAL '7 hours'",
                position: position)
        }
        if let east = fixedOffset(name) { return east }
        throw Problem(
            "0A000", "time zone \"\(name)\" is not supported yet",
            hint: "use 'UTC', or a fixed offset such as INTERVAL '7 hours'", position: position)
    }

    /// `UTC` and its names; POSIX offsets such as `UTC-7` and `-07:30`, which count to the west.
    private static func fixedOffset(_ name: String) -> Int64? {
        var text = name.lowercased()[...]
        switch text {
        case "utc", "gmt", "z", "zulu", "etc/utc", "etc/gmt", "universal", "uct": return 0
        default: break
        }
        if text.hasPrefix("utc") || text.hasPrefix("gmt") { text = text.dropFirst(3) }
        guard let sign = text.first, sign == "+" || sign == "-" else { return nil }
        let parts = text.dropFirst().split(separator: ":", omittingEmptySubsequences: false)
        guard (1...2).contains(parts.count), let hours = Int64(parts[0]), (0...15).contains(hours)
        else { return nil }
        var minutes: Int64 = 0
        if parts.count == 2 {
            guard let value = Int64(parts[1]), (0..<60).contains(value) else { return nil }
            minutes = value
        }
        let total = (hours * 60 + minutes) * 60_000_000
        return sign == "+" ? 0 - total : total
    }
}
