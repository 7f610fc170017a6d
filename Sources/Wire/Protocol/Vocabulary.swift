// Numbers with a meaning that several messages share.

/// Special timestamps of ListOffsets.
package enum OffsetQuery {
    /// The high watermark, or the last stable offset for readers of committed transactions.
    package static let latest: Int64 = -1
    /// The log start offset.
    package static let earliest: Int64 = -2
    /// The offset of the record with the largest timestamp.
    package static let maxTimestamp: Int64 = -3
    /// The first offset that is stored on the broker itself.
    package static let earliestLocal: Int64 = -4
    /// The last offset that was moved to remote storage.
    package static let latestTiered: Int64 = -5
    /// The first offset that was not moved to remote storage yet.
    package static let earliestPendingUpload: Int64 = -6

    /// The lowest version of ListOffsets that knows `timestamp`; nil when none does.
    package static func firstVersion(of timestamp: Int64) -> Int16? {
        switch timestamp {
        case earliest...: 0
        case maxTimestamp: 7
        case earliestLocal: 8
        case latestTiered: 9
        case earliestPendingUpload: 11
        default: nil
        }
    }
}

/// Kinds of resources that have settings.
package enum ConfigResource: Int8, Hashable, Sendable {
    case unknown = 0
    case topic = 2
    case broker = 4
    case brokerLogger = 8
    case clientMetrics = 16
    case group = 32
}

/// Where the value of a setting comes from.
package enum ConfigSource: Int8, Hashable, Sendable {
    case unknown = 0
    case topic = 1
    case dynamicBroker = 2
    case dynamicDefaultBroker = 3
    case staticBroker = 4
    case defaultValue = 5
    case dynamicBrokerLogger = 6
    case clientMetrics = 7
    case group = 8
}

/// Types of settings.
package enum ConfigType: Int8, Hashable, Sendable {
    case unknown = 0
    case boolean = 1
    case string = 2
    case int = 3
    case short = 4
    case long = 5
    case double = 6
    case list = 7
    case `class` = 8
    case password = 9
}

/// What FindCoordinator looks for.
package enum CoordinatorType: Int8, Hashable, Sendable {
    case group = 0
    case transaction = 1
    case share = 2
}

/// The value of "authorized operations" fields when the client did not ask for them.
package let operationsNotRequested = Int32.min
