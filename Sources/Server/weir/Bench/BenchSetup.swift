import Base
import Compression
import Runtime
import WeirClient
import WireProtocol

/// What every benchmark needs: the server, its process, a topic of its own, the raw machine.
struct BenchSetup {
    let context: CommandContext
    let server: HostPort
    let broker: BrokerProcess
    let admin: Admin
    let signals: ProcessSignals
    let raw: RawMachine?

    init(_ context: CommandContext) throws(Problem) {
        self.context = context
        let call = context.invocation
        // Before any thread is made, so that all of them have the signals blocked.
        signals = try ProcessSignals()
        server = try context.broker()
        guard try context.clientSettings().isPlain else {
            throw Problem(
                "bench.security", "benchmarks speak to a listener without TLS and sign-on only")
        }
        let configuration = try context.clientConfiguration()
        broker = try BrokerProcess(call, server: server)
        admin = Admin(configuration)
        if call.isSet("no-raw") {
            raw = nil
        } else {
            context.say("measuring the machine itself…")
            raw = try RawMachine.measure(directory: call.string("directory") ?? ".")
        }
    }

    var call: Invocation { context.invocation }

    func pace() throws(Problem) -> LoadRun.Pace {
        LoadRun.Pace(
            warmUp: try duration("warm-up", range: 0...3600),
            duration: try duration("seconds", range: 0.1...86_400),
            bytesMax: (try call.integer("megabytes", in: 0...100_000_000) ?? 0) * 1_000_000)
    }

    private func duration(
        _ flag: String, range: ClosedRange<Double>
    ) throws(Problem) -> Duration {
        guard let text = call.string(flag) else { return .zero }
        guard let seconds = Double(text), range.contains(seconds) else {
            throw Problem(
                "usage.value", "\"\(text)\" is not a value for --\(flag)",
                notes: ["expected seconds from \(range.lowerBound) to \(range.upperBound)"])
        }
        return .nanoseconds(Int64(seconds * 1e9))
    }

    func integer(
        _ flag: String, in range: ClosedRange<Int64>, otherwise: Int
    ) throws(Problem) -> Int {
        Int(try call.integer(flag, in: range) ?? Int64(otherwise))
    }

    /// Runs `body` with the topic of `--topic`, or with a new one that is deleted afterwards.
    func withTopic<Value>(
        partitions: Int32, _ body: (TopicInfo) throws(Problem) -> Value
    ) throws(Problem) -> Value {
        if let name = call.string("topic") {
            return try body(try describe(name))
        }
        var configs: [String: String] = [:]
        for setting in call.strings("config") {
            let (name, value) = try splitSetting(setting)
            configs[name] = value
        }
        let name = "weir-bench-" + String(drawnNumber(), radix: 36)
        let new = NewTopic(name, partitions: partitions, configs: configs)
        try calling { () throws(ClientFailure) in try admin.createTopic(new) }
        defer {
            if !call.isSet("keep") {
                do throws(ClientFailure) {
                    try admin.deleteTopic(name)
                } catch {
                    context.say("topic \(name) is left: \(error.message)")
                }
            }
        }
        return try body(try describe(name))
    }

    private func describe(_ name: String) throws(Problem) -> TopicInfo {
        do throws(ClientFailure) {
            return try admin.describeTopics([name])[0]
        } catch {
            throw Problem(error).suggesting(name, among: admin)
        }
    }

    /// Where the only partition of a topic is led, once it is served there: in a cluster that need
    /// not be the server that was named.
    func leader(of topic: TopicInfo) throws(Problem) -> HostPort {
        try calling { () throws(ClientFailure) in
            _ = try admin.endOffsets(topic.name)
            let brokers = try admin.describeCluster().brokers
            let partition = try admin.describeTopics([topic.name])[0].partitions[0]
            // A server that stands alone is spoken to by the name it was given.
            guard brokers.count > 1,
                let leader = brokers.first(where: { $0.id == partition.leader })
            else { return server }
            return HostPort(host: leader.host, port: UInt16(clamping: leader.port))
        }
    }

    /// Adds the raw figures, and prints the report in the form that was asked for.
    func finish(_ report: BenchReport) -> ExitCode {
        var report = report
        if let raw { report.add(raw) }
        context.printReport(report)
        return .ok
    }
}

extension BenchReport {
    /// What the machine does by itself.
    mutating func add(_ raw: RawMachine) {
        add("raw", "memcpy_gb_per_s", raw.copyBytesPerSecond / 1e9, "GB/s")
        add("raw", "crc32c_gb_per_s", raw.checksumBytesPerSecond / 1e9, "GB/s")
        add("raw", "loopback_mb_per_s", raw.loopbackBytesPerSecond / 1e6, "MB/s")
        add("raw", "loopback_cpu_s_per_gb", raw.loopbackCPUSecondsPerGB, "s/GB")
        add("raw", "write_mb_per_s", raw.writeBytesPerSecond / 1e6, "MB/s")
        add("raw", "write_cpu_s_per_gb", raw.writeCPUSecondsPerGB, "s/GB")
        add("raw", "sync", raw.syncs)
    }
}

extension CommandContext {
    func printReport(_ report: BenchReport) {
        if (invocation.string("output") ?? "text") == "text" {
            print(report.text)
        } else if isJSON {
            if invocation.string("output") == "ndjson" {
                print(report.json.text + "\n")
            } else {
                print(report.json)
            }
        } else {
            printTable(report.table, json: report.json)
        }
    }
}

func drawnNumber() -> UInt64 {
    var random = systemRandom()
    return random.next()
}
