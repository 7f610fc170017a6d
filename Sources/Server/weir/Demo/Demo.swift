// The travel platform in one process: simulated apps, the log, bronze, silver and gold tables, and
// answers over them while they are filled.

import Base
import CPlatform
import Columns
import Connectors
import Engine
import Glibc
import Node
import Runtime
import Surfaces

struct DemoSettings: Sendable {
    var dataDirectory: String
    var kafka: HostPort
    var http: HostPort
    /// nil = until interrupted.
    var seconds: Int?
    var rate: Double
    var seed: UInt64
}

/// What the demo found at its end.
struct DemoSummary: Sendable {
    struct Source: Sendable {
        var name: String
        var topic: String
        var events: Int64
    }

    struct Comparison: Sendable {
        var topic: String
        var table: String
        var events: Int64
        var rows: Int64
    }

    var seconds: Double
    var sources: [Source]
    var comparisons: [Comparison]
    var tables: [(name: String, rows: Int64, version: Int64, bytes: Int64)]
    var latencyMilliseconds: (p50: Int32, p99: Int32)?
    var residentBytes: Int64
    var cpuSeconds: Double
    var dataBytes: Int64
    var problems: [String]

    /// Every event is a row, every source produced.
    var isGood: Bool {
        problems.isEmpty && sources.count >= 5 && sources.allSatisfy { $0.events > 0 }
            && comparisons.allSatisfy { $0.events == $0.rows }
    }
}

final class Demo {
    private let settings: DemoSettings
    private let context: CommandContext
    private let figures = DemoFigures()
    private let platform: Platform
    private var runners: [SourceRunner] = []
    private let started = SystemClock.now

    private static let tables: [(topic: String, table: String)] = [
        ("topic_app_events", "bronze.app_events"), ("topic_clickstream", "bronze.clickstream"),
        ("topic_cdc_changes", "bronze.cdc_changes"), ("topic_app_logs", "bronze.app_logs"),
        ("topic_external_data", "bronze.external_data"),
    ]

    init(
        _ settings: DemoSettings, _ context: CommandContext, diagnostics: any Diagnostics
    ) throws(Problem) {
        self.settings = settings
        self.context = context
        platform = try Platform(
            PlatformSettings(
                dataDirectory: settings.dataDirectory, kafka: settings.kafka, http: settings.http),
            diagnostics: diagnostics, observer: figures)
    }

    /// Runs the demo to its end.
    func run() throws(Problem) -> DemoSummary {
        let readyAfter = (SystemClock.monotonic - started.monotonic).wholeNanoseconds / 1_000_000
        sayHello(readyAfter)
        do throws(Problem) {
            for script in travelScripts {
                _ = try platform.lake.run(script: script.sql, options: StatementOptions())
            }
            startSources()
            watch()
            let summary = try finish()
            _ = platform.stop()
            return summary
        } catch {
            for runner in runners { runner.stop() }
            _ = platform.stop()
            throw error
        }
    }

    private var kafka: HostPort {
        HostPort(host: settings.kafka.host, port: platform.broker.brokerPort)
    }
    private var http: HostPort { HostPort(host: settings.http.host, port: platform.httpPort) }

    private func sayHello(_ milliseconds: Int64) {
        context.say("\(Version.text) · the travel platform · ready after \(milliseconds) ms")
        context.say("  data   \(settings.dataDirectory)")
        context.say("  kafka  \(kafka.text)     kcat -b \(kafka.text) -L")
        context.say("  http   http://\(http.text)/docs")
        let end = settings.seconds.map { "ends after \($0) s" } ?? "Ctrl-C ends it"
        context.say("  rate   ×\(fixed(settings.rate, 1)) · \(end)\n")
    }

    // MARK: Sources

    private func startSources() {
        var random = Random(seed: settings.seed)
        func start(_ source: any TravelSource, overHTTP: Bool) {
            let outlet: any EventOutlet =
                overHTTP ? GatewayOutlet(server: http) : ProducerOutlet(server: kafka)
            runners.append(
                SourceRunner(source, outlet: outlet, rate: settings.rate, random: random.fork()))
        }
        start(AppJourneys.mobile(random: random.fork()), overHTTP: true)
        start(AppJourneys.web(random: random.fork()), overHTTP: true)
        start(Clickstream(random: random.fork()), overHTTP: false)
        start(ServiceLogs(random: random.fork()), overHTTP: false)
        start(DatabaseChanges(random: random.fork()), overHTTP: false)
        start(ExternalData(random: random.fork()), overHTTP: false)
    }

    // MARK: Watching

    private func watch() {
        let isTerminal = weir_is_terminal(2) == 1
        let begin = SystemClock.monotonic
        var last = begin
        var lastCount: Int64 = 0
        var drawnLines = 0
        let step: Duration = isTerminal ? .seconds(1) : .seconds(5)
        while !InterruptSignal.wasRaised {
            SystemClock.sleep(.milliseconds(50))
            let now = SystemClock.monotonic
            if let seconds = settings.seconds, now - begin >= .seconds(seconds) { return }
            guard now - last >= step else { continue }
            let count = runners.reduce(0) { $0 + $1.acknowledged }
            let elapsed = Double((now - last).wholeNanoseconds) / 1e9
            let view = picture(
                seconds: Double((now - begin).wholeNanoseconds) / 1e9,
                perSecond: Double(count - lastCount) / elapsed)
            if !context.isJSON, !context.invocation.isSet("quiet") {
                if isTerminal, drawnLines > 0 { standardError("\u{1B}[\(drawnLines)A\u{1B}[J") }
                standardError(view)
                drawnLines = view.utf8.reduce(0) { $0 + ($1 == 0x0A ? 1 : 0) }
            }
            last = now
            lastCount = count
        }
    }

    /// Rates, lag and freshness, and one gold answer as a table and bars.
    private func picture(seconds: Double, perSecond: Double) -> String {
        let events = runners.reduce(0) { $0 + $1.acknowledged }
        let reports = (try? platform.lake.tables(layer: nil)) ?? []
        let bronze = reports.filter { $0.schema == "bronze" }
        let rows = bronze.reduce(0) { $0 + ($1.rows ?? 0) }
        let now = SystemClock.timestamp.milliseconds
        let stalest =
            reports.filter { $0.schema == "gold" && $0.version != nil }
            .compactMap { report in report.lastCommit.map { now - $0.milliseconds } }.max() ?? 0
        let latency = figures.latencies(at: [0.5, 0.99])
        var text = "\(Int(seconds)) s  ·  \(grouped(events)) events in, "
        text += "\(fixed(perSecond, 1))/s  ·  \(grouped(rows)) bronze rows, "
        text += "lag \(grouped(max(0, events - rows)))"
        if let latency { text += "  ·  event → row p50 \(latency[0]) ms, p99 \(latency[1]) ms" }
        text +=
            "  ·  gold \(fixed(Double(stalest) / 1000, 1)) s  ·  \(byteText(weir_resident_bytes()))\n"
        if let chart = goldChart() { text += chart }
        return text
    }

    private func goldChart() -> String? {
        let sql = """
            SELECT event_type, sum(total_events)::bigint AS events, max(unique_users) AS users
              FROM gold.event_metrics GROUP BY event_type ORDER BY events DESC, event_type LIMIT 8
            """
        guard let answer = try? platform.lake.run(script: sql, options: StatementOptions()).last,
            answer.rowCount > 0
        else { return nil }
        var bars: [(label: String, value: Double)] = []
        for batch in answer.batches {
            for row in 0..<batch.rowCount {
                let values = batch.values(row)
                guard case .text(let label) = values[0], case .int(let count) = values[1] else {
                    continue
                }
                bars.append((label, Double(count)))
            }
        }
        return "\n  gold.event_metrics\n"
            + renderBars(bars, width: 72).split(separator: "\n").map { "  \($0)\n" }.joined() + "\n"
    }

    // MARK: The end

    private func finish() throws(Problem) -> DemoSummary {
        let seconds = Double((SystemClock.monotonic - started.monotonic).wholeNanoseconds) / 1e9
        let resident = weir_resident_bytes()
        for runner in runners { runner.stop() }
        var comparisons = try compare()
        let deadline = SystemClock.monotonic + .seconds(60)
        while comparisons.contains(where: { $0.events != $0.rows }),
            SystemClock.monotonic < deadline
        {
            SystemClock.sleep(.milliseconds(100))
            comparisons = try compare()
        }
        var problems = runners.compactMap { runner in
            runner.problem.map { "\(runner.name): \($0.message)" }
        }
        let reports = try platform.lake.tables(layer: nil)
        problems += reports.compactMap { report in
            report.failure.map { "\(report.fullName): \($0)" }
        }
        if figures.undecodable > 0 {
            problems.append("\(figures.undecodable) records could not be read as declared")
        }
        let tables = reports.compactMap { report -> (String, Int64, Int64, Int64)? in
            guard let version = report.version else { return nil }
            return (report.fullName, report.rows ?? 0, version, report.bytes ?? 0)
        }
        let latency = figures.latencies(at: [0.5, 0.99])
        return DemoSummary(
            seconds: seconds,
            sources: runners.map {
                DemoSummary.Source(name: $0.name, topic: $0.topic, events: $0.acknowledged)
            },
            comparisons: comparisons,
            tables: tables,
            latencyMilliseconds: latency.map { ($0[0], $0[1]) },
            residentBytes: resident, cpuSeconds: Double(weir_cpu_nanoseconds()) / 1e9,
            dataBytes: tables.reduce(0) { $0 + $1.3 }, problems: problems)
    }

    /// Events produced to each topic against rows of its bronze table, counted by SQL.
    private func compare() throws(Problem) -> [DemoSummary.Comparison] {
        var result: [DemoSummary.Comparison] = []
        for (topic, table) in Self.tables {
            let events = runners.filter { $0.topic == topic }.reduce(0) { $0 + $1.acknowledged }
            let answer = try platform.lake.run(
                script: "SELECT count(*) FROM \(table)", options: StatementOptions()
            ).last
            guard case .int(let rows)? = answer?.batches.first?.values(0).first else {
                throw Problem("demo.count", "\(table) could not be counted")
            }
            result.append(
                DemoSummary.Comparison(topic: topic, table: table, events: events, rows: rows))
        }
        return result
    }
}
