import Base
import Compression
import Runtime
import WeirClient
import WireProtocol

private let commonFlags = [
    FlagSpec("seconds", "s", value: "N", "How long to measure", fallback: "5"),
    FlagSpec("warm-up", nil, value: "N", "Seconds before that", fallback: "1"),
    FlagSpec("pid", nil, value: "PID", "The broker's process (default: who listens on its port)"),
    FlagSpec(
        "metrics", nil, value: "HOST:PORT",
        "The server's HTTP port, to read its CPU time from another machine"),
    FlagSpec("no-raw", nil, "Leaves out what the machine does by itself"),
    FlagSpec(
        "directory", nil, value: "DIR", "Where the disk is measured; best beside the server's data",
        fallback: "."),
    brokerFlag,
]

private let storeFlags = [
    FlagSpec(
        "directory", nil, value: "DIR", "Where a store is made, and removed", fallback: "."),
    FlagSpec("no-raw", nil, "Leaves out what the machine does by itself"),
]

private let topicFlags = [
    FlagSpec("topic", "t", value: "TOPIC", "An existing topic (default: a new one, deleted later)"),
    FlagSpec(
        "config", "c", value: "NAME=VALUE", "A setting of the new topic", isRepeatable: true),
    FlagSpec("keep", nil, "Does not delete the new topic"),
]

private let recordFlags = [
    FlagSpec("record-bytes", "r", value: "N", "Bytes of a value", fallback: "1024"),
    FlagSpec(
        "codec", "z", value: "CODEC", "Compression", fallback: "none",
        choices: ["none", "gzip", "snappy", "lz4", "zstd"]),
    FlagSpec(
        "acks", "a", value: "WHO", "Who must have a record before it counts", fallback: "all",
        choices: ["all", "1", "0"]),
    FlagSpec("no-idempotence", nil, "Leaves producer ids and sequences out"),
]

let benchCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "bench produce", "Measures how fast the broker takes records",
            details: """
                Batches are made once and sent with new sequences, so that the broker is measured and
                not the client. Figures: records and MB (as they travel) a second, the time of single
                requests, CPU seconds of broker and client for a GB, and what the machine does raw.
                """,
            flags: [
                FlagSpec("batch-bytes", nil, value: "N", "Bytes of a batch", fallback: "1000000"),
                FlagSpec(
                    "batch-records", "n", value: "N",
                    "Records of a batch instead; 1 = one-record requests"),
                FlagSpec(
                    "in-flight", "f", value: "N", "Requests on their way, by connection",
                    fallback: "5"),
                FlagSpec("connections", nil, value: "N", "Connections", fallback: "1"),
                FlagSpec("partitions", "p", value: "N", "Partitions of the topic", fallback: "6"),
                FlagSpec(
                    "megabytes", "m", value: "N", "Ends after so many MB; 0 = by time alone",
                    fallback: "4000"),
            ] + recordFlags + topicFlags + commonFlags,
            examples: [
                ("weir bench produce", "1 MB batches, five in flight, acks=all, idempotent"),
                ("weir bench produce -n 1 -f 256 -r 100", "one-record requests, 256 in flight"),
            ]),
        run: benchProduce),
    RegisteredCommand(
        spec: CommandSpec(
            "bench acks", "Measures durable acknowledgements with 1, 16 and 256 in flight",
            details: """
                One-record requests with acks=all: each answer means that the journal was synced. The
                ratios compare the time of one with one fdatasync of this disk.
                """,
            flags: [
                FlagSpec(
                    "in-flight", "f", value: "N", "Only this many in flight", isRepeatable: true),
                FlagSpec("partitions", "p", value: "N", "Partitions of the topic", fallback: "6"),
                FlagSpec("record-bytes", "r", value: "N", "Bytes of a value", fallback: "1024"),
                FlagSpec("no-idempotence", nil, "Leaves producer ids and sequences out"),
            ] + topicFlags + commonFlags),
        run: benchAcks),
    RegisteredCommand(
        spec: CommandSpec(
            "bench fetch", "Measures how fast the broker hands out records",
            details: "Fills a topic first, unless one is given, then reads it again and again.",
            flags: [
                FlagSpec("connections", nil, value: "N", "Connections", fallback: "1"),
                FlagSpec("partitions", "p", value: "N", "Partitions of the topic", fallback: "6"),
                FlagSpec(
                    "megabytes", "m", value: "N", "What the topic is filled with", fallback: "512"),
                FlagSpec("batch-bytes", nil, value: "N", "Bytes of a batch", fallback: "1000000"),
                FlagSpec(
                    "partition-bytes", nil, value: "N", "Bytes of a partition in an answer",
                    fallback: "1048576"),
                FlagSpec(
                    "answer-bytes", nil, value: "N", "Bytes of an answer", fallback: "52428800"),
                FlagSpec("read-records", nil, "Checks and reads each record, as a consumer does"),
            ] + recordFlags + topicFlags + commonFlags),
        run: benchFetch),
    RegisteredCommand(
        spec: CommandSpec(
            "bench latency", "Measures the time from producer to consumer at a fixed rate",
            details: """
                Each record counts from the moment at which it was due, so that a broker which makes
                its producer wait can't hide that.
                """,
            flags: [
                FlagSpec("rate", nil, value: "N", "Records a second", fallback: "1000")
            ] + recordFlags.filter { $0.long != "codec" } + topicFlags + commonFlags),
        run: benchLatency),
    RegisteredCommand(
        spec: CommandSpec(
            "bench connections", "Measures what idle connections cost",
            flags: [
                FlagSpec("count", "n", value: "N", "Connections", fallback: "5000")
            ] + commonFlags.filter { $0.long != "warm-up" }),
        run: benchConnections),
    RegisteredCommand(
        spec: CommandSpec(
            "bench partitions", "Measures what many partitions cost",
            details:
                "Creates the partitions, writes to each, and compares the rate with that of one.",
            flags: [
                FlagSpec("count", "n", value: "N", "Partitions", fallback: "10000"),
                FlagSpec("per-topic", nil, value: "N", "Partitions of a topic", fallback: "1000"),
                FlagSpec("keep", nil, "Does not delete the topics"),
            ] + commonFlags),
        run: benchPartitions),
    RegisteredCommand(
        spec: CommandSpec(
            "bench journal", "Measures durable appends of the log store, without a network",
            details:
                "So many appends of one record share each sync of the commit journal; 1, 16 and 256.",
            flags: [
                FlagSpec("record-bytes", "r", value: "N", "Bytes of a value", fallback: "1024"),
                FlagSpec("seconds", "s", value: "N", "How long for each", fallback: "3"),
            ] + storeFlags),
        run: benchJournal),
    RegisteredCommand(
        spec: CommandSpec(
            "bench compaction", "Measures the cleaner of compacted topics, without a network",
            flags: [
                FlagSpec("megabytes", "m", value: "N", "How much is cleaned", fallback: "512"),
                FlagSpec("keys", "k", value: "N", "Different keys", fallback: "100000"),
                FlagSpec("record-bytes", "r", value: "N", "Bytes of a value", fallback: "1024"),
            ] + storeFlags),
        run: benchCompaction),
    RegisteredCommand(
        spec: CommandSpec(
            "bench raw", "Measures the machine itself: memory, checksums, loopback, disk",
            flags: [
                FlagSpec(
                    "directory", nil, value: "DIR", "Where the disk is measured", fallback: ".")
            ]),
        run: benchRaw),
]

extension BenchSetup {
    /// The batches that the flags describe.
    func shape() throws(Problem) -> ProduceTemplate.Shape {
        var shape = ProduceTemplate.Shape()
        shape.valueBytes = try integer("record-bytes", in: 0...10_000_000, otherwise: 1024)
        shape.codec = Codec(name: call.string("codec") ?? "none") ?? .none
        shape.acknowledgements =
            switch call.string("acks") {
            case "0": 0
            case "1": 1
            default: -1
            }
        let bytes = try integer("batch-bytes", in: 100...100_000_000, otherwise: 1_000_000)
        // A record without key and headers needs about nine bytes more than its value.
        let fitting = max(1, (bytes - 61) / (shape.valueBytes + 9))
        shape.records = try integer(
            "batch-records", in: 1...1_000_000, otherwise: min(1_000_000, fitting))
        return shape
    }

    var isIdempotent: Bool { !call.isSet("no-idempotence") }

    func produceLoad(
        _ topic: TopicInfo, _ shape: ProduceTemplate.Shape, inFlight: Int, connections: Int = 1
    ) -> ProduceLoad {
        ProduceLoad(
            server: server, topic: topic.name, partitions: Int32(topic.partitions.count),
            shape: shape, inFlight: inFlight, connections: connections,
            isIdempotent: isIdempotent)
    }
}

private func benchProduce(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    let shape = try setup.shape()
    let inFlight = try setup.integer("in-flight", in: 1...100_000, otherwise: 5)
    let connections = try setup.integer("connections", in: 1...1000, otherwise: 1)
    let partitions = try setup.integer("partitions", in: 1...10_000, otherwise: 6)
    let pace = try setup.pace()
    var report = BenchReport("produce")
    try setup.withTopic(partitions: Int32(partitions)) { (topic) throws(Problem) in
        let load = setup.produceLoad(
            topic, shape, inFlight: inFlight, connections: connections)
        report.options = [
            ("partitions", .int(topic.partitions.count)), ("batch_records", .int(shape.records)),
            ("record_bytes", .int(shape.valueBytes)),
            ("codec", .string(context.invocation.string("codec") ?? "none")),
            ("acks", .string(context.invocation.string("acks") ?? "all")),
            ("in_flight", .int(inFlight)), ("connections", .int(connections)),
            ("idempotent", .bool(load.isIdempotent && shape.acknowledgements == -1)),
            ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
        ]
        context.say("producing…")
        let result = try load.run(pace: pace, broker: setup.broker, signals: setup.signals)
        result.add(to: &report)
        report.add(
            "results", "value_mb_per_s",
            result.recordsPerSecond * Double(shape.valueBytes) / 1e6, "MB/s")
        if let raw = setup.raw {
            addRatios(result, raw, to: &report)
            report.addRatio(
                "mb_per_s_to_write", result.megabytesPerSecond, to: raw.writeBytesPerSecond / 1e6)
            report.addRatio(
                "broker_cpu_to_write_cpu", result.brokerSecondsPerGB, to: raw.writeCPUSecondsPerGB)
            report.addRatio(
                "p50_to_sync_p50", Double(result.latency.percentile(0.5)),
                to: Double(raw.syncs.percentile(0.5)))
        }
    }
    return setup.finish(report)
}

/// What holds for both directions.
private func addRatios(_ result: LoadResult, _ raw: RawMachine, to report: inout BenchReport) {
    report.addRatio(
        "mb_per_s_to_loopback", result.megabytesPerSecond, to: raw.loopbackBytesPerSecond / 1e6)
    report.addRatio(
        "mb_per_s_to_memcpy", result.megabytesPerSecond, to: raw.copyBytesPerSecond / 1e6)
    report.addRatio(
        "mb_per_s_to_crc32c", result.megabytesPerSecond, to: raw.checksumBytesPerSecond / 1e6)
    report.addRatio(
        "broker_cpu_to_loopback_cpu", result.brokerSecondsPerGB, to: raw.loopbackCPUSecondsPerGB)
}

private func benchAcks(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    var shape = ProduceTemplate.Shape()
    shape.valueBytes = try setup.integer("record-bytes", in: 0...1_000_000, otherwise: 1024)
    var depths: [Int] = []
    for text in context.invocation.strings("in-flight") {
        guard let depth = Int(text), (1...100_000).contains(depth) else {
            throw Problem("usage.value", "\"\(text)\" is not a number of requests in flight")
        }
        depths.append(depth)
    }
    if depths.isEmpty { depths = [1, 16, 256] }
    let partitions = try setup.integer("partitions", in: 1...10_000, otherwise: 6)
    let pace = try setup.pace()
    var report = BenchReport("acks")
    try setup.withTopic(partitions: Int32(partitions)) { (topic) throws(Problem) in
        report.options = [
            ("partitions", .int(topic.partitions.count)), ("record_bytes", .int(shape.valueBytes)),
            ("idempotent", .bool(setup.isIdempotent)),
            ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
        ]
        for depth in depths {
            context.say("\(depth) in flight…")
            let load = setup.produceLoad(topic, shape, inFlight: depth)
            let result = try load.run(pace: pace, broker: setup.broker, signals: setup.signals)
            let name = "in_flight_\(depth)"
            report.add(name, "acks_per_s", result.recordsPerSecond, "acks/s")
            report.add(name, "", result.latency)
            if let cpu = result.brokerSecondsPerGB {
                report.add(
                    name, "broker_us_per_ack", cpu * result.bytes / 1e3 / max(1, result.records),
                    "µs")
            }
            report.add(
                name, "client_us_per_ack", result.clientCPUSeconds * 1e6 / max(1, result.records),
                "µs")
            guard let raw = setup.raw else { continue }
            report.addRatio(
                "\(name)_p50_to_sync_p50", Double(result.latency.percentile(0.5)),
                to: Double(raw.syncs.percentile(0.5)))
            report.addRatio(
                "\(name)_p99_to_sync_p99", Double(result.latency.percentile(0.99)),
                to: Double(raw.syncs.percentile(0.99)))
        }
    }
    return setup.finish(report)
}

private func benchFetch(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    let shape = try setup.shape()
    let connections = try setup.integer("connections", in: 1...1000, otherwise: 1)
    let partitions = try setup.integer("partitions", in: 1...10_000, otherwise: 6)
    let partitionBytes = try setup.integer(
        "partition-bytes", in: 1...1 << 30, otherwise: 1 << 20)
    let answerBytes = try setup.integer("answer-bytes", in: 1...1 << 30, otherwise: 50 << 20)
    let readsRecords = context.invocation.isSet("read-records")
    let pace = try setup.pace()
    var report = BenchReport("fetch")
    try setup.withTopic(partitions: Int32(partitions)) { (topic) throws(Problem) in
        if !context.invocation.isSet("topic") {
            context.say("filling…")
            var filling = pace
            filling.warmUp = .zero
            filling.duration = .seconds(600)
            _ = try setup.produceLoad(topic, shape, inFlight: 5)
                .run(pace: filling, broker: setup.broker, signals: setup.signals)
        }
        let ranges = try OffsetRanges(of: [topic], setup.admin)
        let load = FetchLoad(
            server: setup.server, topic: topic.name, topicId: try topicId(topic),
            ranges: topic.partitions.map { partition in
                let address = PartitionAddress(topic.name, partition.partition)
                let begin = ranges.begin(address) ?? 0
                return (begin, max(begin, ranges.end(address) ?? 0))
            }, connections: connections, partitionBytes: partitionBytes,
            answerBytes: answerBytes, readsRecords: readsRecords)
        guard load.ranges.contains(where: { $0.begin < $0.end }) else {
            throw Problem("bench.empty", "topic \(topic.name) has no records to fetch")
        }
        report.options = [
            ("partitions", .int(topic.partitions.count)), ("connections", .int(connections)),
            ("partition_bytes", .int(partitionBytes)), ("answer_bytes", .int(answerBytes)),
            ("read_records", .bool(readsRecords)),
            ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
        ]
        context.say("fetching…")
        var reading = pace
        reading.bytesMax = 0
        let result = try load.run(pace: reading, broker: setup.broker, signals: setup.signals)
        result.add(to: &report)
        if let raw = setup.raw { addRatios(result, raw, to: &report) }
    }
    return setup.finish(report)
}

private func topicId(_ topic: TopicInfo) throws(Problem) -> UUID128 {
    guard let id = UUID128(text: topic.id) else {
        throw Problem("client.failed", "\"\(topic.id)\" is not the id of a topic")
    }
    return id
}

private func benchLatency(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    let shape = try setup.shape()
    let rate = try setup.integer("rate", in: 1...1_000_000, otherwise: 1000)
    if shape.acknowledgements == 0 {
        throw Problem("usage.value", "without acknowledgements there is no latency to measure")
    }
    let pace = try setup.pace()
    var report = BenchReport("latency")
    try setup.withTopic(partitions: 1) { (topic) throws(Problem) in
        guard topic.partitions.count == 1, !context.invocation.isSet("topic") else {
            throw Problem("usage.value", "latency is measured in a new topic of one partition")
        }
        let load = LatencyLoad(
            server: try setup.leader(of: topic), topic: topic.name, topicId: try topicId(topic),
            shape: shape, rate: rate,
            isIdempotent: setup.isIdempotent && shape.acknowledgements == -1)
        report.options = [
            ("rate", .int(rate)), ("record_bytes", .int(shape.valueBytes)),
            ("acks", .string(context.invocation.string("acks") ?? "all")),
            ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
        ]
        context.say("producing and consuming…")
        let outcome = try load.run(pace: pace, broker: setup.broker, signals: setup.signals)
        outcome.end.add(to: &report)
        report.add("results", "ack", outcome.acknowledged)
        if let raw = setup.raw {
            for (key, share) in [("p50", 0.5), ("p99", 0.99)] {
                report.addRatio(
                    "\(key)_to_sync_\(key)", Double(outcome.end.latency.percentile(share)),
                    to: Double(raw.syncs.percentile(share)))
            }
        }
    }
    return setup.finish(report)
}

private func benchRaw(_ context: CommandContext) throws(Problem) -> ExitCode {
    let directory = context.invocation.string("directory") ?? "."
    let raw = try RawMachine.measure(directory: directory)
    var report = BenchReport("raw")
    report.options = [("directory", .string(directory))]
    report.add(raw)
    context.printReport(report)
    return .ok
}
