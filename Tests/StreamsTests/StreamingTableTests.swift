import Base
import Columns
import Delta
import Engine
import SQL
import Streams
import Testing

/// A streaming table over a listed topic, on a memory disk that can fail.
struct StreamingFixture {
    let topic: ListedTopic
    let store: any ObjectStore
    let table: DeltaTable
    let deadLetters: DeltaTable
    var random = Random(seed: 5)
    let declaration = TopicDeclaration(
        topic: "t", columns: [Field("id", .int64), Field("name", .text)])
    let now = Now(monotonic: .zero, wallMicroseconds: 1_771_237_845_000_000)

    init(store: any ObjectStore = LocalObjectStore(disk: MemoryDisk())) throws {
        topic = ListedTopic(partitions: 2)
        self.store = store
        table = DeltaTable(store: store, path: "bronze/t")
        deadLetters = DeltaTable(store: store, path: "ops/dead")
        try table.create(
            TableSchema([Field("id", .int64), Field("shout", .text)]), random: &random, now: now)
        try deadLetters.create(
            TableSchema([
                Field("at", .timestampTZ), Field("rule", .text), Field("partition", .int32),
                Field("offset", .int64), Field("row", .text),
            ]), random: &random, now: now)
    }

    /// The same topic and tables as another process has them, through a store of its own.
    init(_ other: StreamingFixture, over store: any ObjectStore) {
        topic = other.topic
        self.store = store
        table = DeltaTable(store: store, path: other.table.path)
        deadLetters = DeltaTable(store: store, path: other.deadLetters.path)
    }

    /// SELECT id, upper(name) AS shout FROM STREAM(t)
    var plan: LogicalPlan {
        let scan = ScanNode(
            relation: QualifiedName("t"), kind: .topic, isStream: true,
            tableSchema: declaration.schema, projection: [0, 1])
        return .project(
            .scan(scan),
            [
                NamedExpression("id", .column(0, .int64)),
                NamedExpression("shout", .call(.upper, [.column(1, .text)], .text)),
            ])
    }

    func streaming(
        _ rules: [(ExpectationSet.Rule, BoundExpression)] = []
    ) throws -> StreamingTable {
        let fields = plan.schema.fields
        let checks = ScanNode(
            relation: ExpectationSet.relation, kind: .system, tableSchema: TableSchema(fields))
        let set = ExpectationSet(
            rules: rules.map(\.0),
            plan: rules.isEmpty
                ? nil
                : .project(.scan(checks), rules.map { NamedExpression($0.0.name, $0.1) }),
            columns: fields)
        let deadLetters = deadLetters
        return StreamingTable(
            name: QualifiedName(schema: "bronze", "t"), plan: try StreamingPlan(plan),
            declaration: declaration, rules: set, reader: topic, table: table,
            quarantine: { (_) throws(Problem) in deadLetters })
    }

    mutating func run(_ streaming: StreamingTable) throws -> EpochOutcome {
        try streaming.runEpoch(now: now, random: &random, isCancelled: { false })
    }

    func rows(_ table: DeltaTable) throws -> [[Value]] {
        // A fresh object, as another process would see it.
        let fresh = DeltaTable(store: store, path: table.path)
        var scan = try DeltaScan(fresh, try fresh.snapshot())
        var rows: [[Value]] = []
        while let batch = try scan.next() {
            for row in 0..<batch.rowCount { rows.append(batch.values(row)) }
        }
        return rows
    }

    static func idBelow(_ bound: Int64) -> BoundExpression {
        .call(.less, [.column(0, .int64), .literal(.int(bound), .int64)], .boolean)
    }
}

@Suite struct StreamingTableTests {
    @Test func `each record becomes one row, and a second epoch goes on behind the first`() throws {
        var fixture = try StreamingFixture()
        let streaming = try fixture.streaming()
        try fixture.topic.append([#"{"id":1,"name":"a"}"#, #"{"id":2,"name":"b"}"#], to: 0)
        #expect(try fixture.run(streaming).rowsAppended == 2)
        #expect(try fixture.run(streaming).version == nil)
        try fixture.topic.append([#"{"id":3,"name":"c"}"#], to: 1)
        #expect(try fixture.run(streaming).rowsAppended == 1)
        #expect(
            try fixture.rows(fixture.table) == [
                [.int(1), .text("A")], [.int(2), .text("B")], [.int(3), .text("C")],
            ])
    }

    @Test func `another process that takes over neither loses nor doubles`() throws {
        var fixture = try StreamingFixture()
        for number in 0..<10 {
            try fixture.topic.append([#"{"id":\#(number),"name":"x"}"#], to: Int32(number % 2))
            // A new machine each time: all it knows is in the table.
            _ = try fixture.run(try fixture.streaming())
        }
        let ids = try fixture.rows(fixture.table).map { $0[0] }
        #expect(Set(ids).count == 10)
        #expect(ids.count == 10)
    }

    @Test func `two machines over the same records commit them once`() throws {
        var fixture = try StreamingFixture()
        try fixture.topic.append([#"{"id":1,"name":"a"}"#], to: 0)
        let first = try fixture.streaming()
        let second = try fixture.streaming()
        #expect(try fixture.run(first).version != nil)
        #expect(try fixture.run(second).version == nil)
        #expect(try fixture.rows(fixture.table).count == 1)
    }

    @Test func `rules keep, drop, quarantine and count`() throws {
        var fixture = try StreamingFixture()
        let dead = QualifiedName(schema: "ops", "dead")
        let streaming = try fixture.streaming([
            (.init(name: "small", text: "id < 100", action: .keep), StreamingFixture.idBelow(100)),
            (.init(name: "tiny", text: "id < 50", action: .dropRow), StreamingFixture.idBelow(50)),
            (
                .init(name: "least", text: "id < 10", action: .quarantine(into: dead)),
                StreamingFixture.idBelow(10)
            ),
        ])
        try fixture.topic.append(
            [#"{"id":5}"#, #"{"id":20,"name":"q"}"#, #"{"id":70}"#, #"{"id":200}"#, "{}"], to: 0)
        let outcome = try fixture.run(streaming)
        #expect(outcome.expectations.map(\.violations) == [1, 2, 3])
        #expect(outcome.expectations.map(\.checked) == [5, 5, 5])
        // A NULL condition is not broken.
        #expect(try fixture.rows(fixture.table).map { $0[0] } == [.int(5), .null])
        let rows = try fixture.rows(fixture.deadLetters)
        #expect(rows.count == 1)
        #expect(rows[0][1...3] == [.text("least"), .int(0), .int(1)])
        #expect(rows[0][4] == .text(#"{"id":20,"shout":"Q"}"#))
        // The counts are in the same commit as the rows, and add up.
        try fixture.topic.append([#"{"id":300}"#, #"{"id":1}"#], to: 1)
        _ = try fixture.run(streaming)
        let figures = StreamFigures(
            of: streaming.name, in: try fixture.table.snapshot(), rules: ["small", "tiny", "other"])
        #expect(figures.expectations.map(\.checked) == [7, 7, 0])
        #expect(figures.expectations.map(\.violations) == [2, 3, 0])
        #expect(figures.newestRecord != nil)
    }

    @Test func `rows that two rules send to one table all arrive there`() throws {
        var fixture = try StreamingFixture()
        func rule(_ name: String) -> ExpectationSet.Rule {
            ExpectationSet.Rule(
                name: name, text: name, action: .quarantine(into: QualifiedName("dead")))
        }
        let streaming = try fixture.streaming([
            (rule("below ten"), StreamingFixture.idBelow(10)),
            (rule("below five"), StreamingFixture.idBelow(5)),
        ])
        try fixture.topic.append(
            [#"{"id":1}"#, #"{"id":7}"#, #"{"id":12}"#, #"{"id":2}"#], to: 0)
        let outcome = try fixture.run(streaming)
        #expect(outcome.rowsAppended == 2)
        let dead = try fixture.rows(fixture.deadLetters)
        #expect(Set(dead.map { $0[1] }) == [.text("below ten"), .text("below five")])
        #expect(dead.count == 2)
    }

    @Test func `a crash between quarantine and table doubles nothing`() throws {
        var fixture = try StreamingFixture()
        let rule = (
            ExpectationSet.Rule(
                name: "r", text: "id < 10", action: .quarantine(into: QualifiedName("dead"))),
            StreamingFixture.idBelow(10)
        )
        try fixture.topic.append([#"{"id":1}"#, #"{"id":20}"#], to: 0)
        // The first machine commits the quarantine, and its own table refuses.
        let refusing = RefusingStore(fixture.store, folder: "bronze/t/_delta_log")
        let failing = StreamingTable(
            name: QualifiedName(schema: "bronze", "t"), plan: try StreamingPlan(fixture.plan),
            declaration: fixture.declaration,
            rules: ExpectationSet(
                rules: [rule.0],
                plan: .project(
                    .scan(
                        ScanNode(
                            relation: ExpectationSet.relation, kind: .system,
                            tableSchema: fixture.plan.schema)), [NamedExpression("r", rule.1)]),
                columns: fixture.plan.schema.fields),
            reader: fixture.topic, table: DeltaTable(store: refusing, path: "bronze/t"),
            quarantine: { [dead = fixture.deadLetters] (_) throws(Problem) in dead })
        #expect(throws: Problem.self) { try fixture.run(failing) }
        #expect(try fixture.rows(fixture.deadLetters).count == 1)
        // More records come, so that the next epoch is another one.
        try fixture.topic.append([#"{"id":30}"#, #"{"id":2}"#], to: 0)
        _ = try fixture.run(try fixture.streaming([rule]))
        #expect(try fixture.rows(fixture.deadLetters).map { $0[3] } == [.int(1), .int(2)])
        #expect(try fixture.rows(fixture.table).map { $0[0] } == [.int(1), .int(2)])
    }

    @Test func `a broken FAIL UPDATE rule stops the table and stores nothing`() throws {
        var fixture = try StreamingFixture()
        let streaming = try fixture.streaming([
            (
                .init(name: "must", text: "id < 10", action: .failUpdate),
                StreamingFixture.idBelow(10)
            )
        ])
        try fixture.topic.append([#"{"id":1}"#, #"{"id":20}"#], to: 0)
        #expect(throws: Problem.self) { try fixture.run(streaming) }
        #expect(try fixture.rows(fixture.table).isEmpty)
    }

    @Test func `queries that need state are refused with a way out`() throws {
        let fixture = try StreamingFixture()
        let grouped = LogicalPlan.aggregate(
            AggregateNode(
                input: fixture.plan, keys: [],
                aggregates: [NamedAggregate("n", AggregateCall(.countStar, [], type: .int64))]))
        do {
            _ = try StreamingPlan(grouped)
            Issue.record("accepted")
        } catch {
            #expect(error.code == "0A000")
            #expect(error.hint?.contains("MATERIALIZED VIEW") == true)
        }
    }
}

/// A store that refuses new objects of one folder.
final class RefusingStore: ObjectStore {
    private let inner: any ObjectStore
    private let folder: String

    init(_ inner: any ObjectStore, folder: String) {
        self.inner = inner
        self.folder = folder
    }

    func get(_ path: String, range: Range<Int64>?) throws(StorageFailure) -> Bytes {
        try inner.get(path, range: range)
    }
    func size(_ path: String) throws(StorageFailure) -> Int64 { try inner.size(path) }
    func put(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try inner.put(path, content)
    }
    func putIfAbsent(_ path: String, _ content: Bytes) throws(StorageFailure) {
        if path.hasPrefix(folder) { throw .noSpace(path: path) }
        try inner.putIfAbsent(path, content)
    }
    func replace(_ path: String, _ content: Bytes) throws(StorageFailure) {
        try inner.replace(path, content)
    }
    func list(_ prefix: String, recursive: Bool) throws(StorageFailure) -> [ObjectEntry] {
        try inner.list(prefix, recursive: recursive)
    }
    func delete(_ path: String) throws(StorageFailure) { try inner.delete(path) }
    func exists(_ path: String) -> Bool { inner.exists(path) }
}
