// Retention and compaction over days of virtual time, on the topics of the travel platform.

import Base
import Log
import WireProtocol

/// One topic of the week and what was measured of it at the end.
package struct WeekTopic: Hashable, Sendable {
    package var name: String
    package var partitions: Int
    /// nil = compacted, for ever.
    package var retentionDays: Int64?
    package var produced = 0
    package var kept = 0
    package var bytes: Int64 = 0
    /// The largest size that the topic had at a check.
    package var bytesMax: Int64 = 0
    package var keys = 0
    package var tombstones = 0
}

/// Producers write every minute; the node is stopped by a power loss once a day; every six hours
/// everything is read and compared with what the policies promise.
package struct WeekSimulation {
    package private(set) var topics: [WeekTopic] = [
        WeekTopic(name: "topic_app_events", partitions: 6, retentionDays: 1),
        WeekTopic(name: "topic_cdc_changes", partitions: 4, retentionDays: 7),
        WeekTopic(name: "topic_clickstream", partitions: 8, retentionDays: 3),
        WeekTopic(name: "topic_app_logs", partitions: 4, retentionDays: 2),
        WeekTopic(name: "topic_external_data", partitions: 3, retentionDays: 30),
        WeekTopic(name: "topic_processed_events", partitions: 6, retentionDays: 7),
        WeekTopic(name: "topic_user_state", partitions: 6, retentionDays: nil),
        WeekTopic(name: "topic_booking_state", partitions: 6, retentionDays: nil),
    ]
    package private(set) var anomalies: [String] = []
    package private(set) var powerLosses = 0
    package private(set) var cleanings: Int64 = 0

    /// What is known of one record that was acknowledged.
    private struct Sent {
        var key: Int
        /// nil = a tombstone.
        var value: Int?
        var minute: Int
    }

    private struct Partition {
        var topic: Int
        var name: TopicPartition
        var sent: [Sent] = []
        /// The newest offset of each key.
        var newest: [Int: Int] = [:]
    }

    private let days: Int
    private let disk: SimulatedDisk
    private var store: LogStore?
    private var partitions: [Partition] = []
    private var random: Random
    private var minute = 0
    private var valueCount = 0

    private static let keyCount = 400
    private static let segmentBytes: Int64 = 32 << 10
    private static let segmentHours: Int64 = 6
    private static let deleteRetentionMinutes = 24 * 60
    private static let checkEveryMinutes = 360

    package init(seed: UInt64, days: Int) {
        self.days = days
        var random = Random(seed: seed)
        disk = SimulatedDisk(random: random.fork(), sectorBytes: 512)
        self.random = random
        for index in topics.indices {
            for number in 0..<topics[index].partitions {
                partitions.append(
                    Partition(
                        topic: index,
                        name: TopicPartition(
                            topic: topics[index].name, partition: Int32(number))))
            }
        }
    }

    private var now: Now {
        let nanoseconds = Int64(minute) * 60_000_000_000 + 1_000_000_000
        return Now(
            monotonic: Instant(nanoseconds: nanoseconds),
            wallMicroseconds: 1_700_000_000_000_000 + nanoseconds / 1000)
    }

    private func settings(_ topic: WeekTopic) -> PartitionSettings {
        var settings = PartitionSettings()
        settings.segmentBytes = Self.segmentBytes
        settings.segmentMilliseconds = Self.segmentHours * 3_600_000
        settings.retentionMilliseconds = topic.retentionDays.map { $0 * 86_400_000 } ?? -1
        settings.isCompacted = topic.retentionDays == nil
        settings.deletesOldSegments = topic.retentionDays != nil
        return settings
    }

    // MARK: Run

    package mutating func run() {
        disk.now = now.timestamp
        start()
        while minute < days * 1440, anomalies.isEmpty {
            minute += 1
            disk.now = now.timestamp
            produce()
            maintain()
            if minute % 1440 == 700 {
                powerLosses += 1
                disk.losePower()
                start()
            }
            if minute % Self.checkEveryMinutes == 0 { checkAll() }
        }
        cleanings += store?.statistics.cleanings ?? 0
    }

    private mutating func start() {
        cleanings += store?.statistics.cleanings ?? 0
        var configuration = LogStoreConfiguration()
        configuration.journalFileBytes = 1 << 20
        configuration.storeIdentity = 5
        configuration.tailCacheBytes = 64 << 10
        let now = self.now
        do throws(StorageFailure) {
            var opened = try LogStore.open(disk: disk, configuration: configuration, now: now)
            for damage in opened.report.damaged { anomalies.append("\(damage)") }
            if opened.store.partitions.isEmpty {
                try opened.store.create(
                    partitions.map {
                        NewPartition(topicPartition: $0.name, topicID: UUID128(high: 1, low: 1))
                    }, now: now)
            }
            for partition in partitions {
                opened.store.configure(
                    partition.name, settings: settings(topics[partition.topic]))
            }
            store = opened.store
        } catch {
            anomalies.append("the store can't be opened: \(error)")
        }
    }

    /// One batch for a third of the partitions, in turn, all durable at the end.
    private mutating func produce() {
        let now = self.now
        for index in partitions.indices where (index + minute) % 3 == 0 {
            let isKeyed = topics[partitions[index].topic].retentionDays == nil
            var builder = RecordBatchBuilder()
            for _ in 0..<random.within(1...3) {
                let key = random.below(Self.keyCount)
                valueCount += 1
                let value = isKeyed && random.chance(1, in: 8) ? nil : valueCount
                builder.append(
                    key: Bytes(utf8: "key-\(key)"), value: value.map(Self.text),
                    timestamp: now.timestamp)
                partitions[index].newest[key] = partitions[index].sent.count
                partitions[index].sent.append(Sent(key: key, value: value, minute: minute))
            }
            do {
                _ = try store?.append(
                    try builder.finish(RecordBatchBuilder.Properties()),
                    to: partitions[index].name, now: now)
            } catch {
                anomalies.append("\(partitions[index].name) refused a batch: \(error)")
            }
        }
        sync()
    }

    private static func text(_ value: Int) -> Bytes {
        Bytes(utf8: "value \(value) " + String(repeating: "x", count: 40 + value % 60))
    }

    private mutating func sync() {
        while let request = store?.beginSync() {
            var failure: StorageFailure?
            do throws(StorageFailure) { try request.file.sync() } catch { failure = error }
            if case .halt(let problem) = store?.syncCompleted(request.ticket, failure: failure) {
                anomalies.append("the store stopped: \(problem)")
            }
        }
    }

    private mutating func maintain() {
        let now = self.now
        for _ in 0..<10_000 {
            guard let deadline = store?.nextDeadline, deadline <= now.monotonic else { return }
            if let problem = store?.maintain(now: now) {
                return anomalies.append("the store stopped: \(problem)")
            }
            sync()
        }
        anomalies.append("maintenance finds no end at minute \(minute)")
    }

    // MARK: Checks

    private mutating func checkAll() {
        for topic in topics.indices {
            topics[topic].produced = 0
            topics[topic].kept = 0
            topics[topic].bytes = 0
            topics[topic].keys = 0
            topics[topic].tombstones = 0
        }
        for index in partitions.indices where anomalies.isEmpty {
            let isCompacted = topics[partitions[index].topic].retentionDays == nil
            guard let found = readAll(index) else { return }
            if isCompacted { checkCompacted(index, found) } else { checkRetention(index, found) }
            let topic = partitions[index].topic
            topics[topic].produced += partitions[index].sent.count
            topics[topic].kept += found.count
            topics[topic].bytes += store?.bytes(of: partitions[index].name) ?? 0
        }
        for topic in topics.indices {
            topics[topic].bytesMax = max(topics[topic].bytesMax, topics[topic].bytes)
        }
    }

    /// The offsets that are left, each with the content that it was given.
    private mutating func readAll(_ index: Int) -> [Int]? {
        let partition = partitions[index]
        guard let offsets = store?.offsets(of: partition.name) else { return nil }
        if offsets.logEndOffset.value != Int64(partition.sent.count) {
            anomalies.append(
                "\(partition.name) ends at \(offsets.logEndOffset), "
                    + "\(partition.sent.count) records were acknowledged")
            return nil
        }
        var found: [Int] = []
        var next = offsets.logStartOffset
        do {
            while let answer = try store?.read(partition.name, from: next, maxBytes: 256 << 10),
                !answer.batches.isEmpty
            {
                for bytes in answer.batches {
                    let view = try RecordBatchView(bytes)
                    try view.checkChecksum()
                    var cursor = try view.records()
                    while let record = try cursor.next() {
                        let offset = Int(record.offset.value)
                        guard offset >= Int(offsets.logStartOffset.value) else { continue }
                        let sent = partition.sent[offset]
                        guard record.key?.text == "key-\(sent.key)",
                            record.value?.text == sent.value.map({ Self.text($0).text })
                        else {
                            anomalies.append("\(partition.name): offset \(offset) has changed")
                            return nil
                        }
                        found.append(offset)
                    }
                    next = view.header.nextOffset
                }
            }
        } catch {
            anomalies.append("\(partition.name) can't be read at \(next): \(error)")
            return nil
        }
        return found
    }

    private mutating func checkRetention(_ index: Int, _ found: [Int]) {
        let partition = partitions[index]
        let days = Int(topics[partition.topic].retentionDays ?? 0)
        let first = found.first ?? partition.sent.count
        if found.count != partition.sent.count - first {
            return anomalies.append("\(partition.name) has gaps behind its start \(first)")
        }
        // Nothing younger than the retention time is removed …
        if first > 0, minute - partition.sent[first - 1].minute <= days * 1440 {
            return anomalies.append(
                "\(partition.name): offset \(first - 1) went after "
                    + "\(minute - partition.sent[first - 1].minute) minutes")
        }
        // … and what is older stays for one segment and one retention check at most.
        let slack = Int(Self.segmentHours) * 60 + 10
        if let oldest = found.first,
            minute - partition.sent[oldest].minute > days * 1440 + slack + 5
        {
            anomalies.append(
                "\(partition.name): offset \(oldest) is still there after "
                    + "\(minute - partition.sent[oldest].minute) minutes")
        }
    }

    private mutating func checkCompacted(_ index: Int, _ found: [Int]) {
        let partition = partitions[index]
        let kept = Set(found)
        for key in 0..<Self.keyCount {
            guard let newest = partition.newest[key] else { continue }
            let sent = partition.sent[newest]
            let age = minute - sent.minute
            let isKept = kept.contains(newest)
            if sent.value != nil {
                topics[partition.topic].keys += 1
                if !isKept { return anomalies.append("\(partition.name) lost key-\(key)") }
            } else if !isKept, age < Self.deleteRetentionMinutes {
                return anomalies.append(
                    "\(partition.name) forgot the delete of key-\(key) after \(age) minutes")
            }
        }
        topics[partition.topic].tombstones += found.count { partition.sent[$0].value == nil }
        // A delete is stamped by one cleaning and dropped by a later one; cleanings come when half
        // of the log is dirty, which at this rate is within two days.
        let overdue = found.first {
            partition.sent[$0].value == nil
                && minute - partition.sent[$0].minute > Self.deleteRetentionMinutes + 4 * 1440
        }
        if let overdue {
            return anomalies.append(
                "\(partition.name): the delete at \(overdue) is still there after "
                    + "\(minute - partition.sent[overdue].minute) minutes")
        }
        // Bounded: the keys, what was written since the last cleaning, and the open segments.
        if found.count > 12 * Self.keyCount {
            anomalies.append("\(partition.name) grew to \(found.count) records")
        }
    }
}
