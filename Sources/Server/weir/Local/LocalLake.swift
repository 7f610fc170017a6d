import Base
import Glibc
import Node
import Runtime
import Surfaces
import Synchronization

/// The tables of a folder or bucket, read and written by this process: `weir sql ./folder`.
///
/// The same lakehouse and the same answers as a server's, without topics and without jobs. Commits
/// are those of any writer of Delta tables, so that a server may work on the tables at the same time.
final class LocalLake: QueryService {
    let place: String
    let lake: Lakehouse
    /// What was found, in the order of the folders.
    let tables: [FolderTable]
    private let router: Router

    init(at text: String) throws(Problem) {
        let place = try LocalPlace(text)
        let search = try FolderSearch(place)
        let isFile = place.disk?.isDirectory(place.path) == false
        self.place = text
        tables = search.found
        var limits = LakeLimits(scratch: Self.scratchSpace())
        if let memory = environment("WEIR_QUERY_MEMORY") {
            limits.queryBytes = try bytes(ofMebibytes: memory, "WEIR_QUERY_MEMORY", from: 16)
        }
        // The threads end with the process: it has nothing to clear up that they could disturb.
        limits.workers = QueryPool.helping(
            threadsMax: try threads(environment("WEIR_QUERY_THREADS"), "WEIR_QUERY_THREADS"),
            niceness: 0)
        lake = try Lakehouse(
            port: AbsentNode(), store: place.store,
            paths: .anywhere(
                root: place.root, home: isFile ? parentDirectory(of: place.path) : place.path),
            host: NoJobs(), random: systemRandom(), timeZones: SystemTimeZones(),
            diagnostics: StandardErrorDiagnostics(
                style: StandardErrorDiagnostics.fitting(noColour: environment("NO_COLOR") != nil),
                threshold: .warning),
            clock: { SystemClock.now }, limits: limits,
            caresForTables: false)
        try lake.declare(tables)
        let ids = Mutex(systemRandom())
        router = Router(
            LakeRoutes(lake: lake, background: { $0() }, now: { SystemClock.now }).routes
                + QueryRoutes(
                    lake: lake, background: { $0() }, now: { SystemClock.now },
                    newID: { ids.withLock { $0.uuid() } }
                ).routes)
        if search.isCut {
            standardError(
                "notice: \(text) has more than \(grouped(FolderSearch.tablesMax)) tables;"
                    + " open a folder further down for the others\n")
        }
    }

    /// Where rows wait that do not fit into memory; without one they have to fit.
    private static func scratchSpace() -> ScratchSpace? {
        let folder = environment("TMPDIR") ?? "/tmp"
        return try? ScratchSpace(disk: FileDisk(shared: folder), folder: "weir-\(getpid())")
    }

    /// The table that the place itself is.
    func onlyTable() throws(Problem) -> FolderTable {
        if tables.count == 1 { return tables[0] }
        let names = tables.prefix(10).map { "\($0.schema).\($0.name)" }
        throw Problem(
            "lake.place", "\(place) is not one table",
            notes: names.isEmpty
                ? ["there is no Delta table and no Parquet file in it"]
                : [
                    "it has \(grouped(tables.count)): " + names.joined(separator: ", ")
                        + (tables.count > names.count ? ", …" : "")
                ],
            hint: "write the folder of the table")
    }

    func json(
        _ method: String, _ path: String, body: JSONValue?
    ) throws(Problem) -> JSONValue {
        let (path, query) = try Self.parts(of: path)
        let answer = Mutex<HTTPResponse?>(nil)
        router.handle(
            HTTPRequest(
                method: method, path: path, query: query, accept: "application/json",
                body: body?.serialized() ?? .empty),
            // The routes answer before `handle` returns, because they have no background here.
            HTTPResponder { response in answer.withLock { $0 = response } })
        guard let response = answer.withLock({ $0 }) else {
            throw Problem("internal.answer", "\(method) \(path) was not answered")
        }
        let value: JSONValue
        do { value = try JSONValue(parsing: response.completeBody()) } catch {
            throw Problem("internal.answer", "\(method) \(path) was not answered with JSON")
        }
        if response.status >= 400 {
            throw Problem(json: value) ?? Problem("http.status", "status \(response.status)")
        }
        return value
    }

    /// `/tables/a%20b?limit=3` taken apart and decoded, as the HTTP port does.
    private static func parts(
        of target: String
    ) throws(Problem) -> (path: String, query: [HTTPRequest.Parameter]) {
        func decoded(_ part: Substring) throws(Problem) -> String {
            guard let text = PercentCoding.decoded(part) else {
                throw Problem("http.target", "\(target) is not valid UTF-8")
            }
            return text
        }
        let halves = target.split(separator: "?", maxSplits: 1)
        var query: [HTTPRequest.Parameter] = []
        for pair in halves.count < 2 ? [] : halves[1].split(separator: "&") {
            let sides = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query.append(
                HTTPRequest.Parameter(
                    name: try decoded(sides[0]),
                    value: sides.count < 2 ? "" : try decoded(sides[1])))
        }
        return (try decoded(halves[0]), query)
    }
}

/// The node of a process that has none: nothing is stored, there are no topics.
private final class AbsentNode: NodePort {
    func submit(
        _ command: NodeCommand,
        completion: @escaping @Sendable (Result<NodeAnswer, Problem>) -> Void
    ) {
        do throws(Problem) {
            completion(.success(try call(command)))
        } catch {
            completion(.failure(error))
        }
    }

    func call(_ command: NodeCommand) throws(Problem) -> NodeAnswer {
        switch command {
        case .listObjects: return .objects([])
        // The catalog of this process is made anew from the folders each time.
        case .changeObjects, .catchUp: return .done
        case .describeTopics(nil): return .topics([])
        case .append, .createTopic, .deleteTopic, .describeTopics, .read, .statistics, .write,
            .describePartitions:
            throw Problem(
                "0A000", "topics need a server",
                hint: "start one (weir serve), and ask it: weir sql without a folder")
        }
    }
}

/// Nothing runs beside the statements.
private final class NoJobs: JobHost {
    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void) {}
    func stop(_ name: String) {}
}
