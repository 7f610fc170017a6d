import Base
import CPlatform
import Runtime
import Synchronization

/// What the threads of a load and the one that watches them share.
final class LoadRun: Sendable {
    private let records = Atomic<Int64>(0)
    private let bytes = Atomic<Int64>(0)
    private let requests = Atomic<Int64>(0)
    private let measuring = Atomic<Bool>(false)
    private let stopping = Atomic<Bool>(false)
    private let outcome = Monitor(Outcome())

    private struct Outcome: Sendable {
        var latency = LatencyHistogram()
        var problem: Problem?
        var isReady = 0
    }

    var isMeasuring: Bool { measuring.load(ordering: .relaxed) }
    var isStopping: Bool { stopping.load(ordering: .relaxed) }

    func count(records: Int, bytes: Int, requests: Int = 1) {
        self.records.add(Int64(records), ordering: .relaxed)
        self.bytes.add(Int64(bytes), ordering: .relaxed)
        self.requests.add(Int64(requests), ordering: .relaxed)
    }

    /// A thread has connected and begins.
    func noteReady() { outcome.change { $0.isReady += 1 } }

    func fail(_ problem: Problem) {
        outcome.change { outcome in
            // Connections that break because the run ends are no news.
            if outcome.problem == nil, !isStopping { outcome.problem = problem }
        }
    }

    func add(_ latency: LatencyHistogram) { outcome.change { $0.latency.merge(latency) } }

    func stop() { stopping.store(true, ordering: .relaxed) }

    var problem: Problem? { outcome.withLock { $0.problem } }

    struct Counts {
        var time: Int64
        var records: Int64
        var bytes: Int64
        var requests: Int64
        var clientCPU: Int64
        var broker: ProcessUsage?
    }

    private func counts(_ broker: BrokerProcess) -> Counts {
        // The clock last: what reading /proc costs is not the load's time.
        let usage = broker.usage()
        return Counts(
            time: weir_monotonic_nanoseconds(), records: records.load(ordering: .relaxed),
            bytes: bytes.load(ordering: .relaxed), requests: requests.load(ordering: .relaxed),
            clientCPU: weir_cpu_nanoseconds(), broker: usage)
    }

    /// How long to measure.
    struct Pace: Sendable {
        var warmUp: Duration
        var duration: Duration
        /// Ends the measurement early; 0 = no limit.
        var bytesMax: Int64
    }

    /// Starts `threads` threads that run `body`, lets them warm up, and measures. The first problem
    /// of any thread ends the run.
    func measure(
        threads: Int, pace: Pace, broker: BrokerProcess, signals: ProcessSignals,
        shutDown: () -> Void = {}, body: @escaping @Sendable (Int) throws(Problem) -> Void
    ) throws(Problem) -> LoadResult {
        let running = (0..<threads).map { index in
            SystemThread(name: "weir-load-\(index)") { [self] in
                do throws(Problem) {
                    try body(index)
                } catch {
                    fail(error)
                }
            }
        }
        // Nobody waits for ever for a thread that has failed.
        let _: Bool? = outcome.wait { outcome in
            outcome.isReady >= threads || outcome.problem != nil ? true : nil
        }
        var wasInterrupted = false
        if problem == nil { wasInterrupted = signals.wait(timeout: pace.warmUp) != nil }
        measuring.store(true, ordering: .relaxed)
        let before = counts(broker)
        let end = before.time + pace.duration.wholeNanoseconds
        var after = before
        while problem == nil, !wasInterrupted {
            let left = end - weir_monotonic_nanoseconds()
            if left <= 0 { break }
            let step = Duration.nanoseconds(min(left, 20_000_000))
            if signals.wait(timeout: step) != nil { wasInterrupted = true }
            let sent = bytes.load(ordering: .relaxed) - before.bytes
            if pace.bytesMax > 0, sent >= pace.bytesMax { break }
        }
        after = counts(broker)
        measuring.store(false, ordering: .relaxed)
        stop()
        shutDown()
        for thread in running { thread.join() }
        if let problem { throw problem }
        if wasInterrupted { throw Problem("cancelled", "interrupted: no figures") }
        return LoadResult(
            before: before, after: after, latency: outcome.withLock { $0.latency })
    }
}

/// What a load did between two moments.
struct LoadResult {
    let seconds: Double
    let records: Double
    let bytes: Double
    let requests: Double
    let latency: LatencyHistogram
    let clientCPUSeconds: Double
    let brokerBefore: ProcessUsage?
    let brokerAfter: ProcessUsage?

    init(before: LoadRun.Counts, after: LoadRun.Counts, latency: LatencyHistogram) {
        seconds = max(1e-9, Double(after.time - before.time) / 1e9)
        records = Double(after.records - before.records)
        bytes = Double(after.bytes - before.bytes)
        requests = Double(after.requests - before.requests)
        self.latency = latency
        clientCPUSeconds = Double(after.clientCPU - before.clientCPU) / 1e9
        brokerBefore = before.broker
        brokerAfter = after.broker
    }

    var recordsPerSecond: Double { records / seconds }
    var megabytesPerSecond: Double { bytes / 1e6 / seconds }

    /// CPU seconds of the broker for a GB.
    var brokerSecondsPerGB: Double? { brokerCPU.map { $0.total / max(1e-9, bytes / 1e9) } }

    private var brokerCPU: (user: Double, system: Double, total: Double)? {
        guard let brokerBefore, let brokerAfter else { return nil }
        let user = brokerAfter.userSeconds - brokerBefore.userSeconds
        let system = brokerAfter.systemSeconds - brokerBefore.systemSeconds
        return (user, system, user + system)
    }

    /// Adds everything to `report`.
    func add(to report: inout BenchReport) {
        report.add("results", "seconds", seconds, "s")
        report.add("results", "records_per_s", recordsPerSecond, "records/s")
        report.add("results", "mb_per_s", megabytesPerSecond, "MB/s")
        report.add("results", "requests_per_s", requests / seconds, "requests/s")
        report.add("results", "", latency)
        let gigabytes = max(1e-9, bytes / 1e9)
        if let cpu = brokerCPU {
            report.add("broker", "cpu_s_per_gb", cpu.total / gigabytes, "s/GB")
            report.add("broker", "user_s_per_gb", cpu.user / gigabytes, "s/GB")
            report.add("broker", "system_s_per_gb", cpu.system / gigabytes, "s/GB")
            report.add("broker", "cores", cpu.total / seconds, "cores")
            report.add(
                "broker", "requests_per_core_s", cpu.total > 0 ? requests / cpu.total : nil,
                "requests/core-s")
            report.add("broker", "user_us_per_request", cpu.user * 1e6 / max(1, requests), "µs")
        }
        if let brokerAfter {
            report.add("broker", "rss_mb", Double(brokerAfter.residentBytes) / 1e6, "MB")
            report.add("broker", "peak_rss_mb", Double(brokerAfter.peakResidentBytes) / 1e6, "MB")
            report.add("broker", "anonymous_mb", Double(brokerAfter.anonymousBytes) / 1e6, "MB")
        }
        report.add("client", "cpu_s_per_gb", clientCPUSeconds / gigabytes, "s/GB")
        report.add("client", "cores", clientCPUSeconds / seconds, "cores")
    }
}
