import Base

/// How share groups behave; names of the published settings in the comments. What a group may set
/// for itself is in `ShareSettings`.
package struct ShareConfiguration: Sendable {
    /// `group.share.session.timeout.ms`
    package var sessionTimeout: Duration = .seconds(45)
    /// `group.share.heartbeat.interval.ms`
    package var heartbeatInterval: Duration = .seconds(5)
    /// `group.share.record.lock.duration.ms`
    package var lockDuration: Duration = .seconds(30)
    /// `group.share.delivery.count.limit`
    package var deliveriesMax: Int16 = 5
    /// `group.share.partition.max.record.locks`
    package var locksMax: Int64 = 2000
    /// `group.share.max.size`
    package var membersMax = 200
    /// `share.coordinator.snapshot.update.records.per.snapshot`: also the number of records that
    /// compaction leaves of a partition.
    package var updatesPerSnapshot: Int32 = 500
    /// Share groups of this broker. Ids are made up by clients, so there has to be an end.
    package var groupsMax = 100_000
    /// Partitions of one group that have a state.
    package var partitionsMax = 100_000
    /// Bytes of a group's, member's or client's name: they become strings of records.
    package var nameBytesMax = 16_384
    /// What one member subscribes to.
    package var subscriptionBytesMax = 1 << 20

    package init() {}
}

/// What is set for one share group; nil: as the broker says.
package struct ShareSettings: Sendable, Equatable {
    /// `share.session.timeout.ms`
    package var sessionTimeout: Duration?
    /// `share.heartbeat.interval.ms`
    package var heartbeatInterval: Duration?
    /// `share.record.lock.duration.ms`
    package var lockDuration: Duration?
    /// `share.delivery.count.limit`
    package var deliveriesMax: Int16?
    /// `share.partition.max.record.locks`
    package var locksMax: Int64?
    /// `share.auto.offset.reset`
    package var offsetReset = ShareOffsetReset.latest
    /// `share.isolation.level`
    package var isCommittedOnly = false
    /// `share.renew.acknowledge.enable`
    package var mayRenew = true
    /// `errors.deadletterqueue.topic.name`; nil = records that are given up are dropped.
    package var deadLetterTopic: String?
    /// `errors.deadletterqueue.copy.record.enable`
    package var copiesDeadLetters = false

    package init() {}
}

/// Where a share group begins with a partition that it does not know.
package enum ShareOffsetReset: Hashable, Sendable {
    case latest
    case earliest
    /// At the first record that is not older.
    case age(Duration)

    /// Reads `latest`, `earliest` or `by_duration:` and a length of time as ISO 8601 writes it,
    /// for example `by_duration:P1DT12H`.
    package init?(_ text: String) {
        switch text {
        case "latest": self = .latest
        case "earliest": self = .earliest
        default:
            let prefix = "by_duration:"
            guard text.hasPrefix(prefix),
                let age = Self.duration(text.dropFirst(prefix.count))
            else { return nil }
            self = .age(age)
        }
    }

    /// Days, hours, minutes and seconds; years and months have no fixed length.
    private static func duration(_ text: Substring) -> Duration? {
        var rest = text
        guard rest.popFirst() == "P" else { return nil }
        var total = 0.0
        var isTime = false
        var hasUnit = false
        while let next = rest.first {
            if next == "T" {
                guard !isTime, rest.count > 1 else { return nil }
                isTime = true
                rest.removeFirst()
                continue
            }
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            guard !digits.isEmpty, let number = Double(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            let unit: Double
            switch (rest.popFirst(), isTime) {
            case ("D", false): unit = 86_400
            case ("H", true): unit = 3600
            case ("M", true): unit = 60
            case ("S", true): unit = 1
            default: return nil
            }
            total += number * unit
            hasUnit = true
        }
        // A hundred years: more is a slip, and far from overflow.
        guard hasUnit, total <= 3_155_760_000 else { return nil }
        return .milliseconds(Int64(total * 1000))
    }
}
