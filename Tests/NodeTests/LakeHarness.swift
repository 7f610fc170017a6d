import Base
import Columns
import Delta
import Engine
import Node
import SQL
import Synchronization
import Testing

/// Keeps named objects, as the node's metadata does. There are no topics.
final class ObjectPort: NodePort {
    private let objects: Mutex<OrderedMap<String, Bytes>>
    private let failing = Mutex(false)
    private let failingDeletes = Mutex(false)

    init() { objects = Mutex([:]) }

    init(copying other: ObjectPort) { objects = Mutex(other.objects.withLock { $0 }) }

    /// From now on nothing is kept, as if the process ended before it was.
    func fail(_ isFailing: Bool = true) { failing.withLock { $0 = isFailing } }
    /// The same for what is to be deleted.
    func failDeletes(_ isFailing: Bool = true) { failingDeletes.withLock { $0 = isFailing } }

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
        case .changeObjects(let changes, let expected):
            let deletes = changes.contains { $0.content == nil }
            if failing.withLock({ $0 }) || deletes && failingDeletes.withLock({ $0 }) {
                throw Problem("58030", "the node has stopped")
            }
            let isDone = objects.withLock { objects in
                guard expected.allSatisfy({ objects[$0.name] == $0.content }) else { return false }
                for change in changes { objects[change.name] = change.content }
                return true
            }
            guard isDone else { throw Problem("object.changed", "an object is another one") }
            return .done
        case .catchUp: return .done
        case .listObjects(let prefix):
            return .objects(
                objects.withLock { objects in
                    objects.filter { $0.key.hasPrefix(prefix) }.map {
                        StoredObject(name: $0.key, content: $0.value)
                    }
                })
        default: throw Problem("0A000", "this test has no topics")
        }
    }
}

/// Jobs never run by themselves.
final class NoJobs: JobHost {
    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void) {}
    func stop(_ name: String) {}
}

/// A lakehouse over a disk in memory, with a clock that moves a second with each look.
final class LakeHarness: Sendable {
    let store: LocalObjectStore
    let lake: Lakehouse
    let ticks: Ticks

    final class Ticks: Sendable {
        private let seconds: Mutex<Int64>

        init(from second: Int64) { seconds = Mutex(second) }

        func advance(_ count: Int64 = 1) -> Now {
            let second = seconds.withLock { seconds in
                seconds += count
                return seconds
            }
            return Now(
                monotonic: Instant(nanoseconds: second * 1_000_000_000),
                wallMicroseconds: 1_700_000_000_000_000 + second * 1_000_000)
        }
    }

    init(
        disk: any Disk = MemoryDisk(), port: any NodePort = ObjectPort(),
        host: any JobHost = NoJobs(), seed: UInt64 = 1,
        limits: LakeLimits = LakeLimits(), caresForTables: Bool = false, from second: Int64 = 0
    ) throws {
        let ticks = Ticks(from: second)
        self.ticks = ticks
        store = LocalObjectStore(
            disk: disk, root: "lake", location: StoreLocation(base: "file:///data dir/lake"))
        lake = try Lakehouse(
            port: port, store: store, host: host, random: Random(seed: seed),
            diagnostics: CollectedDiagnostics(), clock: { ticks.advance() },
            limits: limits, caresForTables: caresForTables)
    }

    /// Runs a script and returns its last answer.
    @discardableResult
    func run(_ script: String) throws -> StatementAnswer {
        try #require(try lake.run(script: script, options: StatementOptions()).last)
    }

    /// The rows of a query, as texts between bars, NULL as `-`.
    func rows(_ script: String) throws -> [String] {
        texts(try run(script))
    }

    /// The rows of an answer in the same form.
    func texts(_ answer: StatementAnswer) -> [String] {
        answer.batches.flatMap { batch in
            (0..<batch.rowCount).map { row in
                zip(batch.columns, answer.columns).map { column, field in
                    textForm(column.value(row), field.type) ?? "-"
                }.joined(separator: "|")
            }
        }
    }

    func tag(_ script: String) throws -> String { try run(script).tag }

    /// The code and message of the error that a script ends with.
    func problem(_ script: String) -> Problem? {
        do {
            _ = try lake.run(script: script, options: StatementOptions())
            return nil
        } catch {
            return error
        }
    }

    /// The table in a folder, as a stranger opens it.
    func table(_ path: String) -> DeltaTable { DeltaTable(store: store, path: path) }
}

extension Lakehouse {
    /// The columns of a table as lists and clients see them.
    func catalogColumns(_ name: String) -> [String] {
        (try? table(name).columns.map(\.name)) ?? []
    }
}
