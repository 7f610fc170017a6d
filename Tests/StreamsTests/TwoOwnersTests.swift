import Base
import Columns
import Delta
import Engine
import SQL
import Streams
import Synchronization
import Testing

/// Two machines that both take themselves for the owner of a table, as when one was cut off and does not know
/// yet: at each operation of the first on the store the second one does its work, with records that have
/// come since. The first one then goes on, or never does anything again.
@Suite struct TwoOwnersTests {
    private let rule = (
        ExpectationSet.Rule(
            name: "small", text: "id < 100", action: .quarantine(into: QualifiedName("dead"))),
        StreamingFixture.idBelow(100)
    )

    /// A machine of its own: nothing is shared but the store and the topic.
    private func machine(
        _ fixture: StreamingFixture, over store: any ObjectStore
    ) throws -> StreamingTable {
        try StreamingFixture(fixture, over: store).streaming([rule])
    }

    private func records(_ ids: Range<Int>) -> [String] {
        // Every third one goes to quarantine.
        ids.map { #"{"id":\#($0 % 3 == 0 ? 1000 + $0 : $0),"name":"n"}"# }
    }

    private func ids(_ rows: [[Value]], at column: Int) -> [Int64] {
        rows.compactMap { row -> Int64? in
            if case .int(let id) = row[column] { return id }
            return nil
        }.sorted()
    }

    /// False when the first machine has fewer operations than `step`.
    private func meet(at step: Int, firstDies: Bool) throws -> Bool {
        var fixture = try StreamingFixture()
        try fixture.topic.append(records(0..<6), to: 0)
        try fixture.topic.append(records(6..<10), to: 1)
        let stepped = SteppedStore(fixture.store, at: step, dies: firstDies)
        let first = try machine(fixture, over: stepped)
        let second = try machine(fixture, over: fixture.store)
        let (topic, now) = (fixture.topic, fixture.now)
        stepped.whenReached {
            var random = Random(seed: 77)
            do {
                try topic.append(self.records(10..<16), to: 0)
                while try second.runEpoch(now: now, random: &random, isCancelled: { false }).hasMore
                {}
            } catch {
                Issue.record("the second machine fails at step \(step): \(error)")
            }
        }
        do {
            _ = try fixture.run(first)
        } catch {
            #expect(firstDies, "the first machine fails at step \(step): \(error)")
        }
        // A third one finds what is left, if anything.
        _ = try fixture.run(try machine(fixture, over: fixture.store))
        let kept = ids(try fixture.rows(fixture.table), at: 0)
        let dead = ids(try fixture.rows(fixture.deadLetters), at: 3)
        let all = 0..<(stepped.wasReached ? 16 : 10)
        #expect(kept == all.filter { $0 % 3 != 0 }.map(Int64.init), "step \(step)")
        #expect(dead.count == all.count { $0 % 3 == 0 }, "step \(step)")
        return stepped.wasReached
    }

    @Test(arguments: [false, true])
    func `whoever is first, each record is there once`(firstDies: Bool) throws {
        var step = 0
        while try meet(at: step, firstDies: firstDies) { step += 1 }
        // Reading the log, two files of rows, a commit of each table.
        #expect(step > 10)
    }
}

/// A store that does something else before one of its operations, and may fail from then on.
private final class SteppedStore: ObjectStore {
    private struct State {
        var count = 0
        var wasReached = false
        var action: (@Sendable () -> Void)?
    }

    private let inner: any ObjectStore
    private let step: Int
    private let dies: Bool
    private let state = Mutex(State())

    init(_ inner: any ObjectStore, at step: Int, dies: Bool) {
        self.inner = inner
        self.step = step
        self.dies = dies
    }

    var wasReached: Bool { state.withLock { $0.wasReached } }

    func whenReached(_ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.action = action }
    }

    private func pass(_ path: String) throws(StorageFailure) {
        let (action, isDead) = state.withLock { state in
            let isNow = state.count == step
            state.count += 1
            if isNow { state.wasReached = true }
            return (isNow ? state.action : nil, dies && state.count > step)
        }
        action?()
        if isDead { throw .system(operation: "use", path: path, code: 5) }
    }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        try pass(path)
        return try inner.get(path, range: range)
    }
    func size(_ path: String) throws(StorageFailure) -> Int64 {
        try pass(path)
        return try inner.size(path)
    }
    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try pass(path)
        try inner.put(path, content)
    }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try pass(path)
        try inner.putIfAbsent(path, content)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try pass(path)
        try inner.replace(path, content)
    }
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        try pass(prefix)
        return try inner.list(prefix, recursive: recursive)
    }
    func delete(_ path: String) throws(StorageFailure) {
        try pass(path)
        try inner.delete(path)
    }
    func exists(_ path: String) -> Bool { inner.exists(path) }
}
