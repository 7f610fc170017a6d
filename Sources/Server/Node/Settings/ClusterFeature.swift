import WireProtocol

/// A feature of the protocol that is switched on for the whole cluster, with its published name.
/// The levels are those of this version; they change with the version only.
struct ClusterFeature: Sendable {
    let name: String
    /// Levels that this version can work at.
    let supported: ClosedRange<Int16>
    /// The level it works at; 0 = off.
    let level: Int16

    init(_ name: String, _ supported: ClosedRange<Int16>, level: Int16) {
        self.name = name
        self.supported = supported
        self.level = level
    }

    /// In order of their names. A feature is listed when it works.
    static let all = [
        ClusterFeature("group.version", 0...1, level: 1),
        ClusterFeature("metadata.version", 7...29, level: 29),
        // 2: records that are given up can go to a dead-letter topic.
        ClusterFeature("share.version", 0...2, level: 2),
        // 2: a producer takes a new epoch for each transaction.
        ClusterFeature("transaction.version", 0...2, level: 2),
    ]
}

extension ApiVersionsResponse {
    /// Tells `features`. Clients take the finalized ones for real only with an epoch that is not
    /// negative.
    mutating func add(_ features: [ClusterFeature], epoch: Int64, version: Int16) {
        guard version >= 3 else { return }
        // Up to version 3 a known client can't read a lowest level of 0 and gives up.
        supportedFeatures = features.filter { version >= 4 || $0.supported.lowerBound > 0 }.map {
            .init(
                name: $0.name, minVersion: $0.supported.lowerBound,
                maxVersion: $0.supported.upperBound)
        }
        finalizedFeatures = features.filter { $0.level > 0 }.map {
            .init(name: $0.name, maxVersionLevel: $0.level, minVersionLevel: $0.level)
        }
        finalizedFeaturesEpoch = epoch
    }
}
