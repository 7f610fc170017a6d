// What many idle connections and many partitions cost.

import Base
import CPlatform
import Runtime
import WeirClient
import WireProtocol

func benchConnections(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    let count = try setup.integer("count", in: 1...1_000_000, otherwise: 5000)
    let pace = try setup.pace()
    let descriptors = weir_raise_descriptor_limit()
    if descriptors >= 0, descriptors < Int64(count) + 64 {
        throw Problem(
            "system.descriptors", "this process may open \(descriptors) descriptors only",
            hint: "ulimit -n")
    }
    var report = BenchReport("connections")
    report.options = [
        ("count", .int(count)), ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
    ]
    let before = setup.broker.usage()
    let start = weir_monotonic_nanoseconds()
    var open: [LoadConnection] = []
    for _ in 0..<count {
        // Each has spoken with the broker once, as a client does that waits for work.
        open.append(try LoadConnection(to: setup.server, receiveBytes: 4096, sendBytes: 1024))
    }
    let opened = weir_monotonic_nanoseconds()
    let full = setup.broker.usage()
    context.say("\(grouped(count)) connections are open, and idle for a while…")
    if setup.signals.wait(timeout: pace.duration) != nil {
        throw Problem("cancelled", "interrupted: no figures")
    }
    let idle = setup.broker.usage()
    let idleSeconds = Double(weir_monotonic_nanoseconds() - opened) / 1e9
    var answers = LatencyHistogram()
    for connection in open {
        let asked = weir_monotonic_nanoseconds()
        _ = try connection.call(MetadataRequest(topics: []), atMost: 9)
        answers.record(weir_monotonic_nanoseconds() - asked)
    }
    open = []
    report.add("results", "opened_per_s", Double(count) * 1e9 / Double(opened - start), "1/s")
    report.add("results", "request", answers)
    if let before, let full, let idle {
        let bytes = Double(full.residentBytes - before.residentBytes)
        report.add("broker", "rss_before_mb", Double(before.residentBytes) / 1e6, "MB")
        report.add("broker", "rss_mb", Double(full.residentBytes) / 1e6, "MB")
        report.add("broker", "added_mb", bytes / 1e6, "MB")
        report.add("broker", "kb_per_connection", bytes / 1e3 / Double(count), "kB")
        report.add(
            "broker", "idle_cores", (idle.cpuSeconds - full.cpuSeconds) / idleSeconds, "cores")
    }
    return setup.finish(report)
}

func benchPartitions(_ context: CommandContext) throws(Problem) -> ExitCode {
    let setup = try BenchSetup(context)
    let count = try setup.integer("count", in: 1...1_000_000, otherwise: 10_000)
    let perTopic = try setup.integer(
        "per-topic", in: 1...Int64(Limits.partitionsPerTopic), otherwise: 1000)
    var pace = try setup.pace()
    pace.bytesMax = 4_000_000_000
    var report = BenchReport("partitions")
    report.options = [
        ("count", .int(count)), ("per_topic", .int(perTopic)),
        ("broker_pid", setup.broker.pid.map { .int($0) } ?? .null),
    ]
    let one = try setup.withTopic(partitions: 1) { (topic) throws(Problem) in
        try rate(setup, topic, pace)
    }
    report.add("results", "one_partition_requests_per_s", one, "requests/s")
    let before = setup.broker.usage()
    var names: [String] = []
    defer {
        if !context.invocation.isSet("keep") {
            for name in names {
                do throws(ClientFailure) {
                    try setup.admin.deleteTopic(name)
                } catch {
                    context.say("topic \(name) is left: \(error.message)")
                }
            }
        }
    }
    context.say("creating \(grouped(count)) partitions…")
    let base = "weir-bench-p-" + String(SystemClock.timestamp.milliseconds, radix: 36)
    let start = weir_monotonic_nanoseconds()
    while names.count * perTopic < count {
        let name = "\(base)-\(names.count)"
        let size = min(perTopic, count - names.count * perTopic)
        try calling { () throws(ClientFailure) in
            try setup.admin.createTopic(NewTopic(name, partitions: Int32(size)))
        }
        names.append(name)
    }
    let created = Double(weir_monotonic_nanoseconds() - start) / 1e9
    report.add("results", "create_s", created, "s")
    report.add("results", "created_per_s", Double(count) / created, "partitions/s")
    let empty = setup.broker.usage()
    let topics = try calling { () throws(ClientFailure) in
        try setup.admin.describeTopics(names)
    }
    var metadata = LatencyHistogram()
    let connection = try LoadConnection(to: setup.server, receiveBytes: 1 << 20)
    for _ in 0..<10 {
        let asked = weir_monotonic_nanoseconds()
        _ = try connection.call(MetadataRequest(topics: nil), atMost: 9)
        metadata.record(weir_monotonic_nanoseconds() - asked)
    }
    report.add("results", "metadata", metadata)
    let touching = weir_monotonic_nanoseconds()
    for topic in topics { try touch(topic, over: connection, setup) }
    report.add(
        "results", "first_record_each_s", Double(weir_monotonic_nanoseconds() - touching) / 1e9,
        "s")
    let touched = setup.broker.usage()
    let all = try rate(setup, topics[0], pace)
    report.add("results", "all_partitions_requests_per_s", all, "requests/s")
    if let before, let empty, let touched {
        report.add("broker", "rss_before_mb", Double(before.residentBytes) / 1e6, "MB")
        report.add("broker", "rss_created_mb", Double(empty.residentBytes) / 1e6, "MB")
        report.add("broker", "rss_mb", Double(touched.residentBytes) / 1e6, "MB")
        report.add(
            "broker", "kb_per_partition",
            Double(touched.residentBytes - before.residentBytes) / 1e3 / Double(count), "kB")
    }
    report.addRatio("many_to_one", all, to: one)
    return setup.finish(report)
}

/// One-record requests a second over all partitions of a topic.
private func rate(
    _ setup: BenchSetup, _ topic: TopicInfo, _ pace: LoadRun.Pace
) throws(Problem) -> Double {
    var shape = ProduceTemplate.Shape()
    shape.valueBytes = 100
    let result = try setup.produceLoad(topic, shape, inFlight: 64)
        .run(pace: pace, broker: setup.broker, signals: setup.signals)
    return result.requests / result.seconds
}

/// Writes one record to each partition.
private func touch(
    _ topic: TopicInfo, over connection: LoadConnection, _ setup: BenchSetup
) throws(Problem) {
    let version = try connection.version(of: .produce, atMost: 12)
    let shape = ProduceAnswerShape(topic: topic.name, version: version)
    var waiting = 0
    func hear(downTo rest: Int) throws(Problem) {
        while waiting > rest {
            while let answer = try connection.nextArrived() {
                guard shape.isSuccess(answer) else { throw shape.problem(answer) }
                waiting -= 1
            }
            if waiting > rest { try connection.receive() }
        }
    }
    var one = ProduceTemplate.Shape()
    one.valueBytes = 100
    one.timestamp = SystemClock.timestamp
    for partition in topic.partitions {
        let template = try ProduceTemplate(
            topic: topic.name, partition: partition.partition, shape: one, version: version,
            producer: nil, seed: 1)
        try connection.enqueue(template.next(correlationId: 0))
        waiting += 1
        if waiting == 64 {
            try connection.flush()
            try hear(downTo: 32)
        }
    }
    try connection.flush()
    try hear(downTo: 0)
}
