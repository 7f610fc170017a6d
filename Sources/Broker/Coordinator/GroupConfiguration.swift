import Base

/// How groups behave; names of the published settings in the comments.
package struct GroupConfiguration: Sendable {
    /// `group.min.session.timeout.ms`; a stricter minimum breaks stock clients.
    package var sessionTimeoutMin: Duration = .seconds(6)
    /// `group.max.session.timeout.ms`
    package var sessionTimeoutMax: Duration = .seconds(30 * 60)
    /// `group.initial.rebalance.delay.ms`: an empty group waits this long for more members before
    /// its first generation, extended while members come.
    package var initialRebalanceDelay: Duration = .seconds(3)
    /// `group.max.size`, members that wait with a fresh id included. The published default has no
    /// bound; ours keeps one group from taking all memory.
    package var membersMax = 10_000
    /// Groups of this coordinator. Ids are made up by clients, so there has to be an end.
    package var groupsMax = 1_000_000
    /// How long a member that never got an answer may wait in its first join.
    package var newMemberJoinTimeout: Duration = .seconds(5 * 60)
    /// Bytes of a group's, instance's, client's or protocol's name: they become strings of records,
    /// which end at 32,767 bytes, and a member's id is its name and 37 bytes more.
    package var nameBytesMax = 16_384
    /// Protocols that one member offers; stock clients offer one to three.
    package var protocolsMax = 100
    /// What one member says about itself, and all members of a group together: both are kept in
    /// memory and one of each member goes into a record.
    package var memberMetadataBytesMax = 1 << 20
    package var groupMetadataBytesMax = 64 << 20
    /// `offset.metadata.max.bytes`, at most 32,767.
    package var offsetMetadataBytesMax = 4096
    /// `offsets.retention.minutes`
    package var offsetsRetention: Duration = .seconds(7 * 24 * 3600)
    /// `offsets.retention.check.interval.ms`
    package var offsetsRetentionCheckInterval: Duration = .seconds(600)

    /// `group.consumer.session.timeout.ms`, and what a group may set for itself.
    package var consumerSessionTimeout: Duration = .seconds(45)
    package var consumerSessionTimeoutMin: Duration = .seconds(45)
    package var consumerSessionTimeoutMax: Duration = .seconds(60)
    /// `group.consumer.heartbeat.interval.ms`, and what a group may set for itself.
    package var consumerHeartbeatInterval: Duration = .seconds(5)
    package var consumerHeartbeatIntervalMin: Duration = .seconds(5)
    package var consumerHeartbeatIntervalMax: Duration = .seconds(15)
    /// `group.consumer.max.size`; bounded like `membersMax`.
    package var consumerMembersMax = 10_000
    /// Patterns are matched against changed topics at most this often.
    package var patternInterval: Duration = .seconds(10)
    /// `group.consumer.regex.refresh.interval.ms`: they are matched anew after this even when no
    /// topic changed.
    package var patternRefreshInterval: Duration = .seconds(600)
    /// `group.consumer.migration.policy`
    package var migrationPolicy = MigrationPolicy.bidirectional

    package init() {}

    /// Which groups with members may change to the other protocol.
    package enum MigrationPolicy: String, CaseIterable, Sendable {
        case bidirectional
        /// Only to the consumer protocol.
        case upgrade
        /// Only to the classic protocol.
        case downgrade
        case disabled

        var upgrades: Bool { self == .bidirectional || self == .upgrade }
        var downgrades: Bool { self == .bidirectional || self == .downgrade }
    }
}

/// What is set for one group; nil: as the broker says.
package struct GroupTiming: Sendable, Equatable {
    /// `consumer.session.timeout.ms`
    package var sessionTimeout: Duration?
    /// `consumer.heartbeat.interval.ms`
    package var heartbeatInterval: Duration?
    package init() {}
}
