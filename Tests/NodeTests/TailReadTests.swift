import Base
import Catalog
import Node
import SQL
import Synchronization
import Testing
import WireProtocol

/// A node as the lake's port, whose calls a test can get between. Belongs to one thread, as every
/// test does that uses it; that makes it safe to send.
final class HarnessPort: NodePort, @unchecked Sendable {
    var node: NodeHarness
    /// Called once, before the next command of the kind is carried out.
    var beforeDescribe: (() throws -> Void)?
    var beforeRead: (() throws -> Void)?

    init() throws { node = try NodeHarness() }

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
        case .describeTopics: interrupt(\.beforeDescribe)
        case .read: interrupt(\.beforeRead)
        default: break
        }
        let id = node.command(command)
        guard let result = node.finished[id] else {
            throw Problem("XX000", "the node has not answered")
        }
        return try result.get()
    }

    private func interrupt(
        _ place: ReferenceWritableKeyPath<HarnessPort, (() throws -> Void)?>
    ) {
        guard let once = self[keyPath: place] else { return }
        self[keyPath: place] = nil
        do { try once() } catch { Issue.record("\(error)") }
    }
}

/// Jobs that run when a test says so.
final class ManualJobs: JobHost {
    private let jobs = Mutex<OrderedMap<String, @Sendable () -> Void>>([:])

    func start(_ name: String, every period: Duration, _ job: @escaping @Sendable () -> Void) {
        jobs.withLock { $0[name] = job }
    }

    func stop(_ name: String) { jobs.withLock { $0[name] = nil } }

    /// Runs the jobs of tables, or of those whose name begins so.
    func run(_ prefix: String = "") {
        for (name, job) in jobs.withLock({ $0 }) where name.hasPrefix(prefix) { job() }
    }
}

/// A topic `t` of two partitions, a table of it, and what a client sees.
private struct TailFixture {
    let port: HarnessPort
    let disk = MemoryDisk()
    var jobs = ManualJobs()
    var lake: LakeHarness
    let session = LakeSession()
    private var restarts: UInt64 = 0

    init(_ table: String = "SELECT id, name FROM STREAM(t)", _ rules: String = "") throws {
        port = try HarnessPort()
        lake = try LakeHarness(disk: disk, port: port, host: jobs, limits: .helped)
        try lake.run("CREATE TOPIC t (id bigint, name text) WITH (partitions = 2)")
        try lake.run(
            """
            CREATE STREAMING TABLE dead (at timestamptz, target text, rule text, source_topic text,
                "partition" integer, "offset" bigint, row jsonb)
            """)
        try lake.run("CREATE STREAMING TABLE s \(rules) AS \(table)")
    }

    /// The node and the lake end without a goodbye and begin again on their disks.
    mutating func restart() throws {
        restarts += 1
        try port.node.restart()
        jobs = ManualJobs()
        lake = try LakeHarness(
            disk: disk, port: port, host: jobs, seed: 1 + restarts, limits: .helped,
            from: Int64(restarts * 1000))
        lake.lake.startJobs()
    }

    func produce(_ ids: Range<Int>, to partition: Int32 = 0) throws {
        let values = ids.map { #"{"id":\#($0),"name":"n\#($0)"}"# }
        #expect(try port.node.produce("t", partition, values).errorCode == .none)
    }

    func rows(_ sql: String) throws -> [String] {
        var options = StatementOptions()
        options.session = session
        return lake.texts(
            try #require(try lake.lake.run(script: sql, options: options).last))
    }

    func count() throws -> String { try rows("SELECT count(*) FROM s")[0] }

    func problem(_ sql: String) -> Problem? {
        do {
            _ = try rows(sql)
            return nil
        } catch let problem as Problem {
            return problem
        } catch {
            return nil
        }
    }
}

@Suite struct TailReadTests {
    @Test func `a record is a row of the table at once, and stays one when it is committed`() throws
    {
        let fixture = try TailFixture()
        #expect(try fixture.count() == "0")
        try fixture.produce(0..<3)
        try fixture.produce(3..<5, to: 1)
        let all = ["0|n0", "1|n1", "2|n2", "3|n3", "4|n4"]
        #expect(try fixture.count() == "5")
        #expect(try fixture.rows("SELECT * FROM s ORDER BY id") == all)
        #expect(try fixture.rows("SELECT name FROM s WHERE id = 4") == ["n4"])
        fixture.jobs.run("public.s#")
        #expect(try fixture.rows("SELECT * FROM s ORDER BY id") == all)
        try fixture.produce(5..<6, to: 1)
        #expect(try fixture.rows("SELECT id FROM s ORDER BY id DESC LIMIT 2") == ["5", "4"])
        #expect(try fixture.count() == "6")
    }

    @Test func `earlier versions and the setting read the table alone`() throws {
        let fixture = try TailFixture()
        try fixture.produce(0..<2)
        fixture.jobs.run("public.s#")
        try fixture.produce(2..<5)
        #expect(try fixture.count() == "5")
        let version = try fixture.rows(
            "SELECT max(version) FROM weir.tables WHERE table_name = 's'")[0]
        #expect(try fixture.rows("SELECT count(*) FROM s VERSION AS OF \(version)") == ["2"])
        #expect(try fixture.rows("SET tail_reads = off; SELECT count(*) FROM s") == ["2"])
        #expect(try fixture.rows("SHOW tail_reads") == ["off"])
        #expect(try fixture.rows("RESET tail_reads; SELECT count(*) FROM s") == ["5"])
        #expect(fixture.problem("SET tail_reads = maybe")?.code == "22023")
    }

    @Test func `a commit between the two looks of a query doubles and loses nothing`() throws {
        let fixture = try TailFixture()
        try fixture.produce(0..<10)
        fixture.jobs.run("public.s#")
        for round in 1...20 {
            try fixture.produce(round * 10..<round * 10 + 10, to: Int32(round % 2))
            // The version is fixed, the offsets are not yet: the table commits, more comes.
            fixture.port.beforeDescribe = {
                fixture.jobs.run("public.s#")
                try fixture.produce(round * 1000..<round * 1000 + 1)
                // The offsets are fixed, the records are not read yet.
                fixture.port.beforeRead = {
                    try fixture.produce(round * 1000 + 1..<round * 1000 + 2, to: 1)
                    fixture.jobs.run("public.s#")
                }
            }
            let seen = try fixture.rows("SELECT count(*), count(DISTINCT id) FROM s")
            // What came after the offsets were fixed comes with the next query.
            let known = 10 + round * 10 + (round - 1) * 2 + 1
            #expect(seen == ["\(known)|\(known)"])
            #expect(fixture.port.beforeRead == nil, "the query has read the log")
            #expect(try fixture.count() == "\(known + 1)")
        }
    }

    @Test func `two tables of one topic, and the topic, have the same records in one query`() throws
    {
        let fixture = try TailFixture()
        try fixture.lake.run(
            "CREATE STREAMING TABLE s2 AS SELECT id FROM STREAM(t) WHERE id % 2 = 0")
        try fixture.produce(0..<10)
        fixture.jobs.run("public.s2#")
        try fixture.produce(10..<14, to: 1)
        fixture.port.beforeRead = {
            try fixture.produce(14..<20)
            fixture.jobs.run("public.s")
        }
        let seen = try fixture.rows(
            """
            SELECT (SELECT count(*) FROM s), (SELECT count(*) FROM s2), (SELECT count(*) FROM t),
                (SELECT count(*) FROM s JOIN s2 USING (id))
            """)
        #expect(seen == ["14|7|14|7"])
        #expect(fixture.port.beforeRead == nil)
    }

    @Test func `filters, rules and payloads that cannot be read go as in the stream`() throws {
        let fixture = try TailFixture(
            "SELECT id, upper(name) AS name FROM STREAM(t) WHERE id IS NULL OR id <> 7",
            """
            (CONSTRAINT small EXPECT (id < 100) ON VIOLATION DROP ROW,
             CONSTRAINT least EXPECT (id < 50) ON VIOLATION QUARANTINE INTO dead)
            """)
        _ = try fixture.port.node.produce(
            "t", 0,
            [
                #"{"id":1,"name":"a"}"#, #"{"id":7,"name":"b"}"#, #"{"id":70,"name":"c"}"#,
                #"{"id":700,"name":"d"}"#, "no json", #"{"id":"x","name":"e"}"#,
            ])
        let tail = try fixture.rows("SELECT * FROM s ORDER BY id, name")
        fixture.jobs.run("public.s#")
        try fixture.lake.run("CREATE TABLE copy AS SELECT * FROM s")
        #expect(try fixture.rows("SELECT * FROM s ORDER BY id, name") == tail)
        #expect(tail.first == "1|A")
        #expect(tail.count == 3)
    }

    @Test func `a rule that would stop the table stops the query, and says how to go on`() throws {
        let fixture = try TailFixture(
            "SELECT id, name FROM STREAM(t)",
            "(CONSTRAINT small EXPECT (id < 100) ON VIOLATION FAIL UPDATE)")
        try fixture.produce(0..<3)
        fixture.jobs.run("public.s#")
        try fixture.produce(100..<101)
        let problem = try #require(fixture.problem("SELECT count(*) FROM s"))
        #expect(problem.code == "23514")
        #expect(problem.notes.contains { $0.contains("SET tail_reads = off") })
        #expect(try fixture.rows("SET tail_reads = off; SELECT count(*) FROM s") == ["3"])
    }

    @Test func `records of open and of aborted transactions are not seen`() throws {
        let fixture = try TailFixture()
        var producer = Producer("p", version: 12)
        #expect(try producer.start(&fixture.port.node) == .none)
        _ = try producer.write(&fixture.port.node, [#"{"id":1}"#])
        // Behind it, and not to be read before the transaction ends.
        try fixture.produce(2..<3)
        try fixture.produce(3..<4, to: 1)
        #expect(try fixture.rows("SELECT id FROM s") == ["3"])
        _ = try producer.end(&fixture.port.node, commit: false)
        #expect(try fixture.rows("SELECT id FROM s ORDER BY id") == ["2", "3"])
        _ = try producer.write(&fixture.port.node, [#"{"id":4}"#])
        _ = try producer.end(&fixture.port.node, commit: true)
        #expect(try fixture.rows("SELECT id FROM s ORDER BY id") == ["2", "3", "4"])
        fixture.jobs.run("public.s#")
        #expect(try fixture.rows("SELECT id FROM s ORDER BY id") == ["2", "3", "4"])
    }

    @Test func `a restart neither hides nor doubles a record`() throws {
        var fixture = try TailFixture()
        var expected = 0
        for round in 0..<6 {
            try fixture.produce(round * 10..<round * 10 + 7, to: Int32(round % 2))
            expected += 7
            if round % 3 == 1 { fixture.jobs.run("public.s#") }
            try fixture.restart()
            #expect(try fixture.count() == "\(expected)")
            #expect(try fixture.rows("SELECT count(DISTINCT id) FROM s") == ["\(expected)"])
        }
    }

    @Test func `what retention took before the table read it is gone, what the table has is not`()
        throws
    {
        let fixture = try TailFixture()
        try fixture.produce(0..<10)
        fixture.jobs.run("public.s#")
        try fixture.produce(10..<20)
        // Overtaken: the query has the old version, the table commits, the log loses what it had.
        fixture.port.beforeDescribe = {
            fixture.jobs.run("public.s#")
            try fixture.deleteRecords(before: 15)
        }
        #expect(try fixture.rows("SELECT count(*), count(DISTINCT id) FROM s") == ["20|20"])
        // Nobody has read these.
        try fixture.produce(20..<30)
        try fixture.deleteRecords(before: 25)
        #expect(try fixture.count() == "25")
        fixture.jobs.run("public.s#")
        #expect(try fixture.rows("SET tail_reads = off; SELECT count(*) FROM s") == ["25"])
        #expect(try fixture.rows("RESET tail_reads; SELECT count(*) FROM s") == ["25"])
        // Between the look at the ends and the reading.
        try fixture.produce(30..<40)
        fixture.port.beforeRead = { try fixture.deleteRecords(before: 35) }
        #expect(fixture.problem("SELECT * FROM s")?.code == "72000")
    }

    @Test func `a topic that is gone has no tail, one that was made anew is an error`() throws {
        let fixture = try TailFixture()
        try fixture.produce(0..<4)
        fixture.jobs.run("public.s#")
        _ = try fixture.port.node.perform(.deleteTopic(name: "t"))
        #expect(try fixture.count() == "4")
        try fixture.port.node.createTopic("t", partitions: 2)
        try fixture.produce(0..<2)
        let problem = try #require(fixture.problem("SELECT count(*) FROM s"))
        #expect(problem.code == "55000")
        #expect(try fixture.rows("SET tail_reads = off; SELECT count(*) FROM s") == ["4"])
    }

    @Test func `statements that copy rows see the tail, those that change them do not`() throws {
        let fixture = try TailFixture()
        try fixture.produce(0..<4)
        fixture.jobs.run("public.s#")
        try fixture.produce(4..<6)
        #expect(try fixture.lake.tag("CREATE TABLE a AS SELECT * FROM s").hasSuffix("6"))
        #expect(try fixture.lake.tag("INSERT INTO a SELECT * FROM s") == "INSERT 0 6")
        #expect(
            try fixture.lake.tag("DELETE FROM a WHERE id IN (SELECT id FROM s WHERE id > 3)")
                == "DELETE 4")
        #expect(try fixture.lake.tag("DELETE FROM s WHERE id > 2") == "DELETE 1")
        #expect(try fixture.rows("SELECT id FROM s ORDER BY id") == ["0", "1", "2", "4", "5"])
        try fixture.lake.run(
            "CREATE MATERIALIZED VIEW v REFRESH POLICY FULL AS SELECT count(*) AS n FROM s")
        try fixture.produce(6..<7)
        try fixture.lake.run("REFRESH MATERIALIZED VIEW v")
        #expect(try fixture.rows("SELECT n FROM v") == ["6"])
    }

    @Test func `EXPLAIN ANALYZE says how many records of the log were read`() throws {
        let fixture = try TailFixture()
        try fixture.produce(0..<3)
        fixture.jobs.run("public.s#")
        #expect(
            try fixture.rows("EXPLAIN (ANALYZE, TIMING off) SELECT id FROM s")
                .contains { $0.contains("of the log") } == false)
        try fixture.produce(3..<8)
        #expect(
            try fixture.rows("EXPLAIN (ANALYZE, TIMING off) SELECT id FROM s")
                .contains { $0.contains("; 5 records of the log]") })
    }
}

extension TailFixture {
    fileprivate func deleteRecords(before offset: Int64) throws {
        let answer = try port.node.call(
            DeleteRecordsRequest(
                topics: [
                    .init(
                        name: "t", partitions: [.init(partitionIndex: 0, offset: offset)])
                ], timeoutMs: 1000), version: 2)
        #expect(answer.topics.first?.partitions.first?.errorCode == ErrorCode.none)
    }
}
