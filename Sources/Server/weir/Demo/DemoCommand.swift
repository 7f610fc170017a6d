import Base
import Glibc
import Node
import Runtime
import Synchronization

/// Ctrl-C and SIGTERM as a wish that long-running commands look at.
enum InterruptSignal {
    private static let raised = Atomic<Int>(0)

    static var wasRaised: Bool { count > 0 }

    /// Who asks twice is in a hurry.
    static var count: Int { raised.load(ordering: .acquiring) }

    /// From now on the signals only raise the wish.
    static func install() {
        signal(SIGINT, noteInterrupt)
        signal(SIGTERM, noteInterrupt)
    }

    fileprivate static func note() { raised.add(1, ordering: .releasing) }
}

private func noteInterrupt(_ number: Int32) { InterruptSignal.note() }

let demoCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "demo", "Runs the travel platform: sources, log, tables, answers",
            details: """
                Simulated apps, click streams, service logs, database changes and external data flow \
                through the log into bronze, silver and gold tables. While it runs it shows rates, \
                lag, freshness and one gold answer; at its end it compares the events produced with \
                the rows of every bronze table.

                With --nodes 3 it is about the log: three servers are one cluster on this machine, \
                numbered records flow through a topic with three copies, and every few seconds a node \
                is killed, stopped or frozen. At its end it reads all records back and compares them \
                with what was acknowledged; exit code 1 when one is lost, there twice or out of order.
                """,
            flags: [
                FlagSpec(
                    "nodes", "n", value: "N", "1, 3 or 5; several are a cluster that is disturbed",
                    fallback: "1"),
                FlagSpec("seconds", "s", value: "N", "Ends by itself after N seconds"),
                FlagSpec(
                    "rate", "r", value: "FACTOR",
                    "Times the rates that the platform's owners measured; times 1,000 records/s"
                        + " with several nodes",
                    fallback: "1"),
                FlagSpec("data", value: "DIR", "Data directory; a new temporary one by default"),
                FlagSpec(
                    "kafka", value: "HOST:PORT", "Broker port", fallback: "127.0.0.1:9092",
                    readsEnvironment: true),
                FlagSpec(
                    "http", value: "HOST:PORT", "HTTP port", fallback: "127.0.0.1:8888",
                    readsEnvironment: true),
                FlagSpec(
                    "seed", value: "N", "The same seed gives the same journeys", fallback: "1"),
            ],
            examples: [
                ("weir demo", "until Ctrl-C"),
                ("weir demo --seconds 60 --rate 100", "a minute at a hundred times the rate"),
                ("weir demo --nodes 3 --seconds 60", "a minute in which nodes are killed"),
            ]),
        run: { (context) throws(Problem) in try runDemo(context) })
]

private func runDemo(_ context: CommandContext) throws(Problem) -> ExitCode {
    let invocation = context.invocation
    let rateText = invocation.string("rate") ?? "1"
    guard let rate = Double(rateText), rate > 0, rate <= 100_000 else {
        throw Problem(
            "usage.value", "--rate must be a number above 0 and up to 100000, found \"\(rateText)\""
        )
    }
    let seconds = try invocation.integer("seconds", in: 1...1_000_000).map { Int($0) }
    let seed = UInt64(try invocation.integer("seed", in: 0...Int64.max) ?? 1)
    let nodes = invocation.string("nodes") ?? "1"
    switch nodes {
    case "1": break
    case "3", "5":
        try checkFlagsOfOneNode(invocation, nodes)
        return try runClusterDemo(
            context,
            ClusterDemoSettings(
                nodes: nodes == "3" ? 3 : 5, seconds: seconds, rate: rate * 1000, seed: seed))
    default:
        throw Problem(
            "usage.value", "--nodes is 1, 3 or 5, found \"\(nodes)\"",
            notes: ["an even number tolerates no more lost nodes than the odd one below it"])
    }
    let settings = DemoSettings(
        dataDirectory: try dataDirectory(invocation),
        kafka: try HostPort(
            parsing: invocation.string("kafka") ?? "127.0.0.1:9092", defaultPort: 9092),
        http: try HostPort(
            parsing: invocation.string("http") ?? "127.0.0.1:8888", defaultPort: 8888),
        seconds: seconds, rate: rate, seed: seed)
    InterruptSignal.install()
    let demo = try Demo(
        settings, context,
        diagnostics: StandardErrorDiagnostics(
            style: StandardErrorDiagnostics.fitting(noColour: environment("NO_COLOR") != nil),
            threshold: .warning))
    let summary = try demo.run()
    if context.isJSON {
        context.print(summary.json)
    } else {
        context.print(summary.text(settings))
    }
    return summary.isGood ? .ok : .failed
}

/// Several nodes choose their ports and folders themselves.
private func checkFlagsOfOneNode(_ invocation: Invocation, _ nodes: String) throws(Problem) {
    for flag in invocation.command.flags where ["data", "kafka", "http"].contains(flag.long) {
        guard let given = invocation.string(flag.long), given != flag.fallback else { continue }
        throw Problem(
            "usage.value", "--\(flag.long) is for a demo of one node, and --nodes is \(nodes)",
            notes: ["the nodes take free ports and a temporary folder"])
    }
}

private func runClusterDemo(
    _ context: CommandContext, _ settings: ClusterDemoSettings
) throws(Problem) -> ExitCode {
    InterruptSignal.install()
    let summary = try ClusterDemo(settings, context).run()
    if context.isJSON {
        context.print(summary.json)
    } else {
        context.print(summary.text)
    }
    return summary.isGood ? .ok : .failed
}

private func dataDirectory(_ invocation: Invocation) throws(Problem) -> String {
    if let given = invocation.string("data") { return given }
    return try temporaryDirectory()
}

func temporaryDirectory() throws(Problem) -> String {
    var template = Array((environment("TMPDIR") ?? "/tmp").utf8CString.dropLast())
    template += Array("/weir-demo-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
        throw Problem("file.create", "no temporary directory: \(String(cString: strerror(errno)))")
    }
    return template.withUnsafeBufferPointer { buffer in
        String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension DemoSummary {
    var json: JSONValue {
        [
            "ok": .bool(isGood), "seconds": .double(seconds),
            "sources": .array(
                sources.map {
                    [
                        "name": .string($0.name), "topic": .string($0.topic),
                        "events": .int($0.events),
                    ]
                }),
            "bronze": .array(
                comparisons.map {
                    [
                        "topic": .string($0.topic), "table": .string($0.table),
                        "events": .int($0.events), "rows": .int($0.rows),
                        "difference": .int($0.rows - $0.events),
                    ]
                }),
            "tables": .array(
                tables.map {
                    [
                        "name": .string($0.name), "rows": .int($0.rows),
                        "version": .int($0.version), "bytes": .int($0.bytes),
                    ]
                }),
            "latency_ms": latencyMilliseconds.map {
                ["p50": .int($0.p50), "p99": .int($0.p99)]
            } ?? .null,
            "memory_bytes": .int(residentBytes), "cpu_seconds": .double(cpuSeconds),
            "table_bytes": .int(dataBytes),
            "problems": .array(problems.map { .string($0) }),
        ]
    }

    func text(_ settings: DemoSettings) -> String {
        var text = "\nAfter \(fixed(seconds, 1)) s\n\n"
        let sourceTable = TextTable(
            [.init("SOURCE"), .init("TOPIC"), .init("EVENTS", isNumber: true)],
            rows: sources.map { [$0.name, $0.topic, grouped($0.events)] })
        text += sourceTable.plain() + "\n"
        let comparison = TextTable(
            [
                .init("TOPIC"), .init("TABLE"), .init("EVENTS", isNumber: true),
                .init("ROWS", isNumber: true), .init("DIFFERENCE", isNumber: true),
            ],
            rows: comparisons.map {
                [
                    $0.topic, $0.table, grouped($0.events), grouped($0.rows),
                    grouped($0.rows - $0.events),
                ]
            })
        text += comparison.plain() + "\n"
        let list = TextTable(
            [
                .init("TABLE"), .init("ROWS", isNumber: true), .init("VERSION", isNumber: true),
                .init("SIZE", isNumber: true),
            ],
            rows: tables.map {
                [$0.name, grouped($0.rows), grouped($0.version), byteText($0.bytes)]
            })
        text += list.plain() + "\n"
        if let latency = latencyMilliseconds {
            text += "event → row that queries see: p50 \(latency.p50) ms, p99 \(latency.p99) ms\n"
        }
        text += "memory \(byteText(residentBytes)) · CPU \(fixed(cpuSeconds, 1)) s"
        text += " · tables \(byteText(dataBytes))\n"
        for problem in problems { text += "problem: \(problem)\n" }
        text += isGood ? "every event is a row, exactly once\n" : "EVENTS AND ROWS DIFFER\n"
        return text + "\n" + nextSteps(settings)
    }

    private func nextSteps(_ settings: DemoSettings) -> String {
        """
        Go on with the same data:
          weir serve --data \(settings.dataDirectory)
          kcat -b \(settings.kafka.text) -C -t topic_app_events -o beginning -c 3
          curl http://\(settings.http.text)/tables?layer=gold
          weir sql -c "SELECT * FROM gold.event_metrics ORDER BY total_events DESC LIMIT 10"
          duckdb -c "LOAD delta; FROM delta_scan('\(settings.dataDirectory)/lake/gold/event_metrics')"

        """
    }
}
