// AT TIME ZONE. Moments are kept in UTC, so an interval as zone is an addition; names of zones are
// looked up when the statement runs.

import Base
import Columns

enum TimeZones {
    /// `operand AT TIME ZONE zone`
    static func shift(
        _ operand: BoundExpression, to zone: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        var source = operand
        if source.isUnknownLiteral || source.type == .date {
            source = try coerce(source, to: .timestampTZ, at: position)
        }
        guard source.type == .timestamp || source.type == .timestampTZ,
            zone.type == .interval || zone.type == .text || zone.isUnknownLiteral
        else {
            throw Problem(
                "42883",
                "function pg_catalog.timezone(\(zone.type.plainName), \(source.type.plainName)) "
                    + "does not exist",
                hint: "No function matches the given name and argument types. "
                    + "You might need to add explicit type casts.", position: position)
        }
        if zone.type == .interval { return try shift(source, by: zone, at: position) }
        let name = try coerce(zone, to: .text, at: position)
        return source.type == .timestampTZ
            ? .call(.toZone, [source, name], .timestamp)
            : .call(.fromZone, [source, name], .timestampTZ)
    }

    /// A zone given as hours to the east.
    private static func shift(
        _ source: BoundExpression, by zone: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        if case .literal(.interval(let interval), _) = zone,
            interval.months != 0 || interval.days != 0
        {
            throw Problem(
                "22023", "interval time zone must not include months or days",
                position: position)
        }
        if source.type == .timestampTZ {
            let local = BoundExpression.call(.toZone, [source, utc], .timestamp)
            return .call(.addInterval, [local, zone], .timestamp)
        }
        return .call(
            .fromZone, [.call(.subtractInterval, [source, zone], .timestamp), utc], .timestampTZ)
    }

    private static let utc = BoundExpression.literal(.text("UTC"), .text)

    /// What needs no look at a clock.
    static func isUTC(_ name: String) -> Bool {
        switch name.lowercased() {
        case "utc", "gmt", "z", "zulu", "etc/utc", "etc/gmt", "universal", "uct": true
        default: false
        }
    }
}
