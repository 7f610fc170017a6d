// The log store by itself, without network and clients: on a real disk, in a directory that is
// removed afterwards.

import Base
import CPlatform
import Glibc
import Log
import Runtime
import WireProtocol

/// Appends from memory, each durable before its place is used again.
func benchJournal(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let recordBytes = Int(try call.integer("record-bytes", in: 0...1_000_000) ?? 1024)
    let seconds = Int64(try call.integer("seconds", in: 1...3600) ?? 3)
    let raw = try StoreBench.raw(context)
    var report = BenchReport("journal")
    report.options = [("record_bytes", .int(recordBytes))]
    var bench = try StoreBench(context, LogStoreConfiguration(), PartitionSettings())
    defer { bench.remove() }
    let batch = try StoreBench.batch((0..<1).map { _ in (nil, recordBytes) })
    for depth in [1, 16, 256] {
        context.say("\(depth) in flight…")
        var times = LatencyHistogram()
        let cpu = weir_cpu_nanoseconds()
        let start = weir_monotonic_nanoseconds()
        while weir_monotonic_nanoseconds() - start < seconds * 1_000_000_000 {
            let begun = weir_monotonic_nanoseconds()
            for _ in 0..<depth { try bench.append(batch) }
            try bench.makeDurable()
            let took = weir_monotonic_nanoseconds() - begun
            for _ in 0..<depth { times.record(took) }
            try bench.maintain()
        }
        let elapsed = Double(weir_monotonic_nanoseconds() - start) / 1e9
        let name = "in_flight_\(depth)"
        report.add(name, "acks_per_s", Double(times.count) / elapsed, "acks/s")
        report.add(
            name, "cpu_us_per_ack",
            Double(weir_cpu_nanoseconds() - cpu) / 1e3 / Double(times.count), "µs")
        report.add(name, "", times)
        if let raw {
            report.addRatio(
                "p50_to_sync_p50_\(depth)", Double(times.percentile(0.5)),
                to: Double(raw.syncs.percentile(0.5)))
        }
    }
    if let raw { report.add(raw) }
    context.printReport(report)
    return .ok
}

/// Cleans one compacted partition whose bytes are in the system's cache.
func benchCompaction(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let megabytes = Int(try call.integer("megabytes", in: 1...1_000_000) ?? 512)
    let keys = Int(try call.integer("keys", in: 1...400_000) ?? 100_000)
    let recordBytes = Int(try call.integer("record-bytes", in: 0...1_000_000) ?? 1024)
    let raw = try StoreBench.raw(context)
    var configuration = LogStoreConfiguration()
    configuration.cleanerCheckInterval = .milliseconds(1)
    configuration.checkpointInterval = .milliseconds(20)
    configuration.tailCacheBytes = 0
    var settings = PartitionSettings()
    settings.segmentBytes = 64 << 20
    settings.isCompacted = true
    settings.deletesOldSegments = false
    // Nothing is cleaned before everything is there.
    settings.minCleanableDirtyPerMille = 1000
    settings.minCompactionLagMilliseconds = 86_400_000
    var bench = try StoreBench(context, configuration, settings)
    defer { bench.remove() }
    context.say("writing \(megabytes) MB…")
    var random = Random(seed: 7)
    var written = 0
    while written < megabytes * 1_000_000 {
        let batch = try StoreBench.batch(
            (0..<100).map { _ in ("key-\(random.below(keys))", recordBytes) })
        try bench.append(batch)
        written += batch.count
        if written % (8 << 20) < batch.count {
            try bench.makeDurable()
            try bench.maintain()
        }
    }
    try bench.makeDurable()
    try bench.checkpoint()
    settings.minCompactionLagMilliseconds = 0
    settings.minCleanableDirtyPerMille = 1
    bench.configure(settings)
    context.say("cleaning…")
    let before = bench.logBytes
    let cpu = weir_cpu_nanoseconds()
    let start = weir_monotonic_nanoseconds()
    while bench.cleanings == 0 {
        try bench.maintain()
        try bench.makeDurable()
        guard weir_monotonic_nanoseconds() - start < 600_000_000_000 else {
            throw Problem("bench.compaction", "the cleaner did not finish in ten minutes")
        }
    }
    let cpuSeconds = Double(weir_cpu_nanoseconds() - cpu) / 1e9
    let elapsed = Double(weir_monotonic_nanoseconds() - start) / 1e9
    var report = BenchReport("compaction")
    report.options = [("keys", .int(keys)), ("record_bytes", .int(recordBytes))]
    report.add("results", "read_mb", Double(before) / 1e6, "MB")
    report.add("results", "left_mb", Double(bench.logBytes) / 1e6, "MB")
    report.add("results", "seconds", elapsed, "s")
    report.add("results", "gb_per_s", Double(before) / 1e9 / elapsed, "GB/s")
    report.add("results", "gb_per_cpu_s", Double(before) / 1e9 / cpuSeconds, "GB/CPU-s")
    if let raw {
        report.addRatio(
            "gb_per_s_to_memcpy", Double(before) / elapsed, to: raw.copyBytesPerSecond)
        report.add(raw)
    }
    context.printReport(report)
    return .ok
}

/// A log store in a directory of its own, and a clock that the benchmark turns.
private struct StoreBench {
    private static let partition = TopicPartition(topic: "bench", partition: 0)

    private let root: FileDisk
    private let directory: String
    private var store: LogStore

    init(
        _ context: CommandContext, _ configuration: LogStoreConfiguration,
        _ settings: PartitionSettings
    ) throws(Problem) {
        let place = context.invocation.string("directory") ?? "."
        directory = "weir-bench-" + String(drawnNumber(), radix: 36)
        do throws(StorageFailure) {
            root = try FileDisk(root: "\(place)/\(directory)")
            store = try LogStore.open(
                disk: root, configuration: configuration, now: SystemClock.now
            ).store
            var new = NewPartition(
                topicPartition: Self.partition, topicID: UUID128(high: 1, low: 1))
            new.settings = settings
            try store.create([new], now: SystemClock.now)
        } catch {
            throw Problem("bench.storage", "a log can't be made in \(place): \(error)")
        }
    }

    static func raw(_ context: CommandContext) throws(Problem) -> RawMachine? {
        if context.invocation.isSet("no-raw") { return nil }
        context.say("measuring the machine itself…")
        return try RawMachine.measure(directory: context.invocation.string("directory") ?? ".")
    }

    /// One batch of records with these keys and bytes of value.
    static func batch(_ records: [(key: String?, bytes: Int)]) throws(Problem) -> Bytes {
        var builder = RecordBatchBuilder(capacity: records.reduce(128) { $0 + $1.bytes + 64 })
        let now = SystemClock.timestamp
        for record in records {
            let value = Bytes([UInt8](repeating: 0x76, count: record.bytes))
            builder.append(key: record.key.map { Bytes(utf8: $0) }, value: value, timestamp: now)
        }
        do {
            return try builder.finish(.init())
        } catch {
            throw Problem("bench.batch", "a batch can't be made: \(error)")
        }
    }

    var logBytes: Int64 { store.statistics.logBytes }
    var cleanings: Int64 { store.statistics.cleanings }

    mutating func configure(_ settings: PartitionSettings) {
        store.configure(Self.partition, settings: settings)
    }

    mutating func append(_ batch: Bytes) throws(Problem) {
        do throws(AppendFailure) {
            _ = try store.append(batch, to: Self.partition, now: SystemClock.now)
        } catch {
            throw Problem("bench.append", "an append failed: \(error)")
        }
    }

    /// Syncs on this thread until nothing waits for it.
    mutating func makeDurable() throws(Problem) {
        while let request = store.beginSync() {
            var failure: StorageFailure?
            do throws(StorageFailure) {
                try request.file.sync()
            } catch {
                failure = error
            }
            if case .halt(let problem) = store.syncCompleted(request.ticket, failure: failure) {
                throw problem
            }
        }
    }

    mutating func maintain() throws(Problem) {
        guard store.nextDeadline <= SystemClock.monotonic else { return }
        if let problem = store.maintain(now: SystemClock.now) { throw problem }
    }

    /// Everything in segments, so that the cleaner finds it there.
    mutating func checkpoint() throws(Problem) {
        let before = store.statistics.checkpoints
        while store.statistics.checkpoints == before {
            try maintain()
            try makeDurable()
        }
    }

    /// The directory goes; what is left of it when that fails is named.
    mutating func remove() {
        do throws(StorageFailure) {
            for name in try root.list("") {
                if root.isDirectory(name) {
                    try root.removeTree(name)
                } else {
                    try root.remove(name)
                }
            }
        } catch {
            standardError("files are left in \(root.rootPath): \(error)\n")
        }
        root.unlock()
        _ = weir_unlink_at(AT_FDCWD, root.rootPath + "/" + FileDisk.lockName)
        _ = weir_remove_directory_at(AT_FDCWD, root.rootPath)
    }
}
