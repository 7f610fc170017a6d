// All parts of one node put together: log, tables, HTTP. `serve` and `demo` run it.

import Base
import CPlatform
import Node
import Runtime
import SQL
import Surfaces
import Synchronization

/// What a platform is to be.
struct PlatformSettings: Sendable {
    var dataDirectory: String
    var kafka: HostPort
    var http: HostPort
    var node: NodeConfiguration
    /// The topic that the event gateway appends to.
    var gatewayTopic = "topic_app_events"
}

/// One running node with its surfaces. `start`, then `wait` for the end, or `stop`.
final class Platform: Sendable {
    let kafkaPort: UInt16
    let httpPort: UInt16
    let lake: Lakehouse
    private let driver: NodeDriver<BrokerNode>
    private let loop: SystemThread
    private let exit: Monitor<DriverExit?>
    private let http: HTTPServer
    private let workers: WorkerPool
    private let statements: WorkerPool
    private let scheduler: Scheduler
    private let jobs: ScheduledJobs

    /// Opens the data directory, recovers, and listens. Returns when the node answers.
    init(
        _ settings: PlatformSettings, diagnostics: any Diagnostics,
        observer: (any LakeObserver)? = nil
    ) throws(Problem) {
        let started = SystemClock.now
        let disk = try Self.open(settings.dataDirectory)
        let listener = try Listener(binding: settings.kafka)
        kafkaPort = listener.port
        var configuration = settings.node
        configuration.advertisedHost = settings.kafka.host
        configuration.advertisedPort = Int32(listener.port)
        let node = try BrokerNode(
            configuration: configuration, disk: disk, random: systemRandom(),
            diagnostics: diagnostics, now: SystemClock.now)
        let driver = try NodeDriver(
            machine: node, listeners: [listener], diagnostics: diagnostics)
        self.driver = driver
        let exit = Monitor<DriverExit?>(nil)
        self.exit = exit
        loop = SystemThread(name: "weir-loop") {
            let outcome = driver.run()
            exit.change { $0 = outcome }
        }
        let workers = WorkerPool(name: "weir-lake")
        self.workers = workers
        // Statements have threads of their own, so that no question waits behind a refresh.
        let statements = WorkerPool(name: "weir-sql", threads: 2, niceness: 0)
        self.statements = statements
        scheduler = Scheduler(pool: workers, diagnostics: diagnostics)
        jobs = ScheduledJobs(scheduler)
        let port = DriverPort(driver.port)
        let lake = try Lakehouse(
            port: port, store: LocalObjectStore(disk: disk, root: "lake"), host: jobs,
            random: systemRandom(), diagnostics: diagnostics, clock: { SystemClock.now },
            observer: observer)
        self.lake = lake
        let background: Background = { work in
            do throws(Problem) {
                try statements.submit { _ in work() }
            } catch {
                // The responder, dropped with the work, tells the client.
                diagnostics.report(.warning, "http", "a request was refused: \(error.message)")
            }
        }
        let ids = Mutex(systemRandom())
        let gateway = EventGateway(
            port: port, topic: settings.gatewayTopic, now: { SystemClock.timestamp },
            newID: { ids.withLock { $0.uuid().description } })
        let operations = OperationRoutes(
            port: port, lake: lake, background: background,
            figures: {
                ProcessFigures(
                    version: Version.number, startedAt: started.timestamp,
                    residentBytes: weir_resident_bytes(),
                    cpuSeconds: Double(weir_cpu_nanoseconds()) / 1e9)
            }, now: { SystemClock.now })
        let tables = LakeRoutes(lake: lake, background: background, now: { SystemClock.now })
        let described = gateway.routes + tables.routes + operations.routes
        let documentation = DocumentationRoutes(describing: described, version: Version.number)
        let router = Router(described + documentation.routes)
        http = try HTTPServer(
            address: settings.http.host == "localhost" ? "127.0.0.1" : settings.http.host,
            port: settings.http.port
        ) { request, responder in router.handle(request, responder) }
        httpPort = http.port
        lake.startJobs()
    }

    private static func open(_ directory: String) throws(Problem) -> FileDisk {
        do throws(StorageFailure) {
            return try FileDisk(root: directory)
        } catch {
            if case .locked = error {
                throw Problem(
                    "data.locked", "the data directory \(directory) is in use",
                    notes: ["another weir process has it open"],
                    hint: "stop that process, or choose another directory with --data")
            }
            throw Problem(
                "data.open", "the data directory \(directory) cannot be opened",
                notes: ["\(error)"])
        }
    }

    /// Waits until the node has ended by itself, or until `stop` was called.
    func wait() -> DriverExit { exit.wait { $0 } ?? .stopped }

    /// Ends everything in order: no new requests, jobs done, node stopped, files closed.
    @discardableResult
    func stop() -> DriverExit {
        http.stop()
        scheduler.stop()
        workers.stop()
        statements.stop()
        driver.stop()
        let outcome = wait()
        loop.join()
        return outcome
    }
}

/// The driver's mailbox as the lake and the surfaces see it.
private final class DriverPort: NodePort {
    private let port: CommandPort

    init(_ port: CommandPort) { self.port = port }

    func submit(
        _ command: NodeCommand,
        completion: @escaping @Sendable (Result<NodeAnswer, Problem>) -> Void
    ) {
        port.submit(command, completion: completion)
    }

    func call(_ command: NodeCommand) throws(Problem) -> NodeAnswer {
        try port.call(command).get()
    }
}

/// The lake's jobs on the scheduler.
private final class ScheduledJobs: JobHost {
    private let scheduler: Scheduler
    private let running = Mutex<OrderedMap<String, ScheduledJob>>([:])

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void) {
        let started = scheduler.every(period, after: period) { _ in job() }
        let replaced = running.withLock { jobs in
            defer { jobs[name] = started }
            return jobs[name]
        }
        replaced?.cancel()
    }

    func stop(_ name: String) {
        running.withLock { jobs in jobs.removeValue(forKey: name) }?.cancel(waiting: true)
    }

    func trigger(_ name: String) { running.withLock { $0[name] }?.trigger() }
}
