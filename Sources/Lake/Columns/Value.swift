/// Months, days and microseconds: they are kept apart because a month has no fixed length.
package struct Interval: Hashable, Sendable {
    package var months: Int32
    package var days: Int32
    package var microseconds: Int64

    package init(months: Int32 = 0, days: Int32 = 0, microseconds: Int64 = 0) {
        self.months = months
        self.days = days
        self.microseconds = microseconds
    }
}

/// One value on its own: literals, partition values, statistics, tests, results for people. Never
/// inside a loop over rows.
package indirect enum Value: Hashable, Sendable {
    case null
    case boolean(Bool)
    /// Of `smallint`, `integer`, `bigint` columns alike.
    case int(Int64)
    case float(Double)
    /// `unscaled` / 10^`scale`
    case decimal(unscaled: Int128, scale: Int)
    case text(String)
    case binary([UInt8])
    case date(days: Int32)
    /// Microseconds since midnight.
    case time(microseconds: Int64)
    case timestamp(microseconds: Int64)
    case timestampTZ(microseconds: Int64)
    case interval(Interval)
    /// The UUID as a big-endian 128-bit number.
    case uuid(UInt128)
    /// Normalised JSON text.
    case json(String)
    case variant(metadata: [UInt8], value: [UInt8])
    case list([Value])
    case structure([Value])
    case map([MapEntry])

    package struct MapEntry: Hashable, Sendable {
        package var key: Value
        package var value: Value

        package init(key: Value, value: Value) {
            self.key = key
            self.value = value
        }
    }

    package var isNull: Bool { self == .null }
}
