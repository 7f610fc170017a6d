import Base
import Compression
import WireProtocol

import Log

let orders = TopicPartition(topic: "orders", partition: 0)
let users = TopicPartition(topic: "users", partition: 3)

func at(_ seconds: Int64) -> Now {
    Now(
        monotonic: Instant(nanoseconds: seconds * 1_000_000_000),
        wallMicroseconds: (1_700_000_000 + seconds) * 1_000_000)
}

/// Milliseconds of wall-clock time at `seconds`.
func wall(_ seconds: Int64) -> Int64 { (1_700_000_000 + seconds) * 1000 }

struct TestRecord {
    var key: String?
    var value: String?
    var timestamp: Int64

    init(_ value: String?, key: String? = nil, timestamp: Int64 = wall(0)) {
        self.key = key
        self.value = value
        self.timestamp = timestamp
    }
}

func batch(
    _ records: [TestRecord], codec: Codec = .none, producer: Int64 = -1, epoch: Int16 = -1,
    sequence: Int32 = -1
) throws -> Bytes {
    var builder = RecordBatchBuilder()
    for record in records {
        builder.append(
            key: record.key.map { Bytes(utf8: $0) }, value: record.value.map { Bytes(utf8: $0) },
            timestamp: Timestamp(milliseconds: record.timestamp))
    }
    var properties = RecordBatchBuilder.Properties(codec: codec)
    properties.producerId = producer
    properties.producerEpoch = epoch
    properties.baseSequence = sequence
    return try builder.finish(properties)
}

func batch(_ values: String...) throws -> Bytes {
    try batch(values.map { TestRecord($0) })
}

func smallConfiguration() -> LogStoreConfiguration {
    var configuration = LogStoreConfiguration()
    configuration.journalFileBytes = 64 << 10
    configuration.journalFileCountMax = 4
    configuration.storeIdentity = 77
    configuration.tailCacheBytes = 4096
    return configuration
}

/// A store with its disk, as the driver sees it.
struct Fixture {
    let disk: any Disk
    var store: LogStore
    var report: RecoveryReport
    var configuration: LogStoreConfiguration

    init(
        disk: any Disk = MemoryDisk(), configuration: LogStoreConfiguration = smallConfiguration(),
        now: Now = at(0)
    ) throws {
        self.disk = disk
        self.configuration = configuration
        (store, report) = try LogStore.open(disk: disk, configuration: configuration, now: now)
    }

    mutating func create(
        _ partition: TopicPartition = orders, settings: PartitionSettings = PartitionSettings()
    ) throws {
        let id = UUID128(high: 1, low: UInt64(partition.partition))
        try store.create(
            [NewPartition(topicPartition: partition, topicID: id, settings: settings)], now: at(0))
    }

    /// Everything that waits becomes durable.
    @discardableResult
    mutating func sync() -> [DurableAdvance] {
        var advances: [DurableAdvance] = []
        while let request = store.beginSync() {
            var failure: StorageFailure?
            do throws(StorageFailure) { try request.file.sync() } catch { failure = error }
            if case .advanced(let moved) = store.syncCompleted(request.ticket, failure: failure) {
                advances += moved
            }
        }
        return advances
    }

    @discardableResult
    mutating func append(
        _ bytes: Bytes, to partition: TopicPartition = orders, now: Now = at(0)
    ) throws -> AppendResult {
        let result = try store.append(bytes, to: partition, now: now)
        store.checkInvariants()
        return result
    }

    /// As after `kill -9`: the disk keeps what was written.
    mutating func reopen(now: Now = at(0)) throws {
        let settings = store.partitions.map { ($0, store.settings(of: $0)) }
        (store, report) = try LogStore.open(disk: disk, configuration: configuration, now: now)
        for (partition, known) in settings {
            if let known { store.configure(partition, settings: known) }
        }
        store.checkInvariants()
    }

    /// All visible records from `offset` on, as (offset, value).
    mutating func values(
        _ partition: TopicPartition = orders, from offset: Int64 = 0, maxBytes: Int = 1 << 20
    ) throws -> [(Int64, String?)] {
        var found: [(Int64, String?)] = []
        var next = Offset(offset)
        while true {
            let outcome = try store.read(partition, from: next, maxBytes: maxBytes)
            guard !outcome.batches.isEmpty else { return found }
            for bytes in outcome.batches {
                let view = try RecordBatchView(bytes)
                try view.checkChecksum()
                var cursor = try view.records()
                while let record = try cursor.next() {
                    if record.offset < next { continue }
                    found.append((record.offset.value, record.value?.text))
                }
                next = view.header.nextOffset
            }
        }
    }

    mutating func texts(
        _ partition: TopicPartition = orders, from offset: Int64 = 0
    ) throws -> [String?] {
        try values(partition, from: offset).map(\.1)
    }
}
