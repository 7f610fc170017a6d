import Base
import CPlatform
import Columns
import Delta
import Glibc
import Runtime
import Synchronization

/// `commits FOLDER TABLES THREADS COMMITS ROWS`: durable commits of so many rows to so many tables.
/// The figures are of the whole process; first and last are hundredths of all commits.
func runCommits(_ arguments: [String]) throws -> JSONValue {
    guard let folder = arguments.first else { throw Problem("usage", "commits FOLDER …") }
    let tableCount = number(arguments, 1, 1)
    let threadCount = number(arguments, 2, 8)
    let commitCount = number(arguments, 3, 10_000)
    let rowCount = number(arguments, 4, 100)
    let store = LocalObjectStore(disk: try FileDisk(root: folder))
    let schema = TableSchema([
        Field("id", .int64), Field("name", .text), Field("at", .timestampTZ),
        Field("price", .float64),
    ])
    var random = Random(seed: 3)
    let tables = try (0..<tableCount).map { index in
        let table = DeltaTable(store: store, path: "t\(index)", checkpoints: .withCommit)
        try table.create(schema, random: &random, now: moment())
        return table
    }
    let batch = ColumnBatch(
        columns: [
            Column(type: .int64, data: .int64((0..<rowCount).map { Int64($0) })),
            Column(.text, (0..<rowCount).map { .text("a name, number \($0)") }),
            Column(type: .timestampTZ, data: .int64((0..<rowCount).map { Int64($0) * 1_000_000 })),
            Column(type: .float64, data: .float64((0..<rowCount).map { Double($0) })),
        ], rowCount: rowCount)
    let next = Atomic<Int>(0)
    // CPU time of the process, and the clock, when each hundredth was begun.
    let marks = Mutex<[Int: (cpu: Int64, clock: Int64)]>([:])
    let failed = Atomic<Int>(0)
    let step = max(1, commitCount / 100)
    let began = weir_monotonic_nanoseconds()
    var threads: [SystemThread] = []
    for thread in 0..<threadCount {
        let seed = UInt64(thread) + 100
        threads.append(
            SystemThread(name: "commit-\(thread)") {
                var random = Random(seed: seed)
                while true {
                    let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
                    guard number < commitCount else { return }
                    if number % step == 0 {
                        let mark = (weir_cpu_nanoseconds(), weir_monotonic_nanoseconds())
                        marks.withLock { $0[number / step] = mark }
                    }
                    do {
                        _ = try tables[number % tables.count].append(
                            [batch], random: &random, now: moment())
                    } catch {
                        failed.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            })
    }
    for thread in threads { thread.join() }
    let ended = weir_monotonic_nanoseconds()
    let seconds = Double(ended - began) / 1e9
    let total = weir_cpu_nanoseconds()
    let all = marks.withLock { $0 }
    func perCommit(_ from: Int, _ to: Int) -> JSONValue {
        let start = all[from]?.cpu ?? 0
        let end = all[to]?.cpu ?? total
        return .number(rounded(Double(end - start) / 1e6 / Double((to - from) * step)))
    }
    func perSecond(_ from: Int, _ to: Int) -> JSONValue {
        let nanoseconds = (all[to]?.clock ?? ended) - (all[from]?.clock ?? began)
        return .number(rounded(Double((to - from) * step) / (Double(nanoseconds) / 1e9)))
    }
    let versions = try tables.map { try DeltaTable(store: store, path: $0.path).snapshot() }
    return [
        "commits": .int(commitCount), "tables": .int(tableCount), "threads": .int(threadCount),
        "failed": .int(failed.load(ordering: .relaxed)),
        "versions": .int(Int(versions.reduce(0) { $0 + $1.version })),
        "rows": .int(Int(versions.reduce(0) { $0 + ($1.rowCount ?? 0) })),
        "commits_per_s": .number(rounded(Double(commitCount) / seconds)),
        "commits_per_s_first": perSecond(0, 10), "commits_per_s_last": perSecond(90, 100),
        "cpu_ms_first": perCommit(0, 10), "cpu_ms_last": perCommit(90, 100),
        "cpu_ms": .number(rounded(Double(total - (all[0]?.cpu ?? 0)) / 1e6 / Double(commitCount))),
    ]
}

/// `load FOLDER TABLE [RUNS]`: CPU seconds until the newest version is known, least of the runs.
func runLoad(_ arguments: [String]) throws -> JSONValue {
    guard arguments.count >= 2 else { throw Problem("usage", "load FOLDER TABLE [RUNS]") }
    let store = LocalObjectStore(disk: try FileDisk(root: arguments[0]))
    var best = Int64.max
    var files = 0
    var version: Int64 = 0
    for _ in 0..<number(arguments, 2, 3) {
        let before = weir_cpu_nanoseconds()
        let snapshot = try DeltaTable(store: store, path: arguments[1]).snapshot()
        files = snapshot.files.count
        best = min(best, weir_cpu_nanoseconds() - before)
        version = snapshot.version
    }
    return [
        "version": .int(Int(version)), "files": .int(files),
        "cpu_s": .number(rounded(Double(best) / 1e9, 1e4)),
    ]
}

func rounded(_ value: Double, _ places: Double = 1000) -> String {
    "\((value * places).rounded() / places)"
}

func moment() -> Now { SystemClock.now }
