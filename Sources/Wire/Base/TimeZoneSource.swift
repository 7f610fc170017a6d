// Time zones come from outside, like time itself: the core asks for the compiled file of a zone and
// reads it itself (RFC 9636).

/// Where the files of the time zone database are.
package protocol TimeZoneSource: Sendable {
    /// The bytes of the zone's TZif file; nil when there is no such zone. `name` is such as
    /// `Europe/Berlin`: letters, digits, `+`, `-`, `_`, and single slashes inside.
    func zoneFile(named name: String) -> [UInt8]?
}

/// No database: only UTC and fixed offsets are known.
package struct NoTimeZones: TimeZoneSource {
    package init() {}

    package func zoneFile(named name: String) -> [UInt8]? { nil }
}
