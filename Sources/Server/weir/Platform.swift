// All parts of one node put together: log, tables, HTTP. `serve` and `demo` run it.

import Base
import CPlatform
import Node
import Runtime
import Surfaces
import Synchronization

/// What a platform is to be.
struct PlatformSettings: Sendable {
    var dataDirectory: String
    var kafka: HostPort
    var http: HostPort
    var server = ServerSettings()
    /// `s3://bucket/prefix` or the absolute path of a folder; nil for the data directory.
    var lake: String?
    /// Rows that MERGE or OPTIMIZE hold.
    var lakeMemoryBytes = 32 << 20
    var queryMemoryBytes = 256 << 20
    /// The most threads that work on one query.
    var queryThreads = QueryPool.threadsByDefault
    /// Processors that queries leave to the broker while records are produced.
    var reservedProcessors = ProcessorReserve.countByDefault
    /// The topic that the event gateway appends to.
    var gatewayTopic = "topic_app_events"
}

/// One running node with its surfaces. Whoever starts it stops it.
final class Platform: Sendable {
    let broker: BrokerService
    let lake: Lakehouse
    let httpPort: UInt16
    private let http: HTTPServer
    private let workers: WorkerPool
    private let statements: WorkerPool
    private let helpers: QueryPool?
    private let reserve: ProcessorReserve?
    private let scheduler: Scheduler

    /// Opens the data directory, recovers, and listens. Returns when both ports answer.
    init(
        _ settings: PlatformSettings, diagnostics: any Diagnostics,
        observer: (any LakeObserver)? = nil
    ) throws(Problem) {
        let started = SystemClock.now
        let reserve = ProcessorReserve(settings.reservedProcessors)
        self.reserve = reserve
        var server = settings.server
        server.driver.reserve = reserve
        let broker: BrokerService
        do throws(Problem) {
            broker = try BrokerService(
                data: settings.dataDirectory, listening: settings.kafka, settings: server,
                diagnostics: diagnostics)
        } catch {
            reserve?.stop()
            throw error
        }
        self.broker = broker
        workers = WorkerPool(name: "weir-lake", threads: settings.server.workers)
        // Statements have threads of their own, so that no question waits behind a refresh. They
        // yield to the broker's and leave its processors alone: `Benchmarks/interference.py`.
        let statements = WorkerPool(
            name: "weir-sql", threads: 4, niceness: 5, reserve: reserve)
        self.statements = statements
        helpers = QueryPool.helping(
            threadsMax: settings.queryThreads, niceness: 5, reserve: reserve)
        let scheduler = Scheduler(pool: workers, diagnostics: diagnostics)
        self.scheduler = scheduler
        do throws(Problem) {
            var limits = LakeLimits(scratch: try scratchSpace(on: broker.disk))
            limits.mergeSourceBytes = settings.lakeMemoryBytes
            limits.orderedBytes = settings.lakeMemoryBytes
            limits.queryBytes = settings.queryMemoryBytes
            limits.workers = helpers
            let lake = try Lakehouse(
                port: broker.port,
                store: try lakeStore(
                    at: settings.lake, disk: broker.disk,
                    folder: absolutePath(broker.disk.rootPath), settings: settings.server.objects),
                host: ScheduledJobs(scheduler), random: systemRandom(),
                timeZones: SystemTimeZones(), diagnostics: diagnostics, clock: { SystemClock.now },
                limits: limits, sharing: Self.sharing(settings), observer: observer)
            self.lake = lake
            let router = Self.router(
                settings, broker.port, lake, statements, started, diagnostics)
            http = try HTTPServer(address: settings.http.host, port: settings.http.port) {
                request, responder in
                router.handle(request, responder)
            }
            httpPort = http.port
            lake.startJobs()
        } catch {
            scheduler.stop()
            workers.stop()
            statements.stop()
            helpers?.stop()
            _ = broker.stop()
            reserve?.stop()
            throw error
        }
    }

    /// In a cluster every node answers for every table, so that all have to reach them.
    private static func sharing(_ settings: PlatformSettings) -> LakeSharing? {
        guard settings.server.node.cluster != nil else { return nil }
        let trouble = Problem(
            "cluster.lake", "this cluster has no place for tables",
            notes: ["a data directory belongs to one node, and every node answers for every table"],
            hint:
                "start all nodes with the same --lake: s3://BUCKET/PREFIX, or the path of a folder on a"
                + " file system that they share")
        return LakeSharing(
            node: settings.server.node.nodeID.value, trouble: settings.lake == nil ? trouble : nil)
    }

    private static func router(
        _ settings: PlatformSettings, _ port: any NodePort, _ lake: Lakehouse,
        _ statements: WorkerPool, _ started: Now, _ diagnostics: any Diagnostics
    ) -> Router {
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
        let queries = QueryRoutes(
            lake: lake, background: background, now: { SystemClock.now },
            newID: { ids.withLock { $0.uuid() } })
        let uploads = UploadRoutes(
            uploads: lake.uploads, background: background,
            newID: { ids.withLock { $0.uuid() } })
        let described =
            gateway.routes + tables.routes + queries.routes + uploads.routes + operations.routes
        let documentation = DocumentationRoutes(describing: described, version: Version.number)
        return Router(described + documentation.routes)
    }

    /// Ends everything in order: no new requests, jobs and statements done, answers finished, files
    /// closed. Call it once.
    func stop() -> DriverExit {
        lake.queries.cancelAll()
        http.stop()
        scheduler.stop()
        workers.stop()
        statements.stop()
        helpers?.stop()
        defer { reserve?.stop() }
        return broker.stop()
    }
}

/// The lake's jobs on the scheduler.
private final class ScheduledJobs: JobHost {
    private let scheduler: Scheduler
    private let running = Mutex<OrderedMap<String, ScheduledJob>>([:])

    init(_ scheduler: Scheduler) { self.scheduler = scheduler }

    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void) {
        let started = scheduler.every(period) { _ in job() }
        let replaced = running.withLock { jobs in
            defer { jobs[name] = started }
            return jobs[name]
        }
        replaced?.cancel()
    }

    func stop(_ name: String) {
        running.withLock { jobs in jobs.removeValue(forKey: name) }?.cancel(waiting: true)
    }
}
