import Base
import Log
import Node
import Testing

/// What processes ask their own node of a cluster: gateway, SQL and streaming tables.
@Suite struct ClusterCommandTests {
    private func cluster() throws -> (ClusterHarness, controller: Int) {
        var cluster = ClusterHarness(count: 3)
        try cluster.startAll()
        let controller = try cluster.settle(brokers: [1, 2, 3])
        return (cluster, controller)
    }

    private func records(_ texts: [String]) -> [NewRecord] {
        texts.map { NewRecord(value: Bytes(utf8: $0)) }
    }

    /// Waits up to twenty seconds for the answer to a command.
    private func answer(
        _ cluster: inout ClusterHarness, _ node: Int, _ command: NodeCommand
    ) throws -> Result<NodeAnswer, Problem> {
        let id = cluster.beginCommand(node, command)
        for _ in 0..<2000 {
            if let result = cluster.finished[id] { return result }
            cluster.advance(10)
        }
        throw Problem("test.silent", "node \(node) gives no answer")
    }

    private func objects(
        _ cluster: inout ClusterHarness, _ node: Int, _ prefix: String
    ) throws -> [String] {
        guard
            case .objects(let found) = try answer(&cluster, node, .listObjects(prefix: prefix))
                .get()
        else { return [] }
        return found.map { "\($0.name)=\($0.content.validText ?? "?")" }
    }

    private func texts(
        _ cluster: inout ClusterHarness, _ node: Int, _ partition: Int32
    ) throws -> [String] {
        let place = TopicPartition(topic: "t", partition: partition)
        guard
            case .batches(let found) =
                try answer(&cluster, node, .read(place, from: 0, maxBytes: 1 << 20)).get()
        else { return [] }
        return try values(of: found.batches)
    }

    @Test func `any node takes records for all partitions, and reads and describes them`() throws {
        var (cluster, controller) = try cluster()
        let other = controller % 3 + 1
        // The node that asked knows the topic when it has the answer.
        _ = try answer(&cluster, other, .createTopic(name: "t", partitions: 6, configs: [])).get()
        guard case .topics(let empty) = try answer(&cluster, other, .describeTopics(["t"])).get()
        else { return }
        #expect(empty[0].partitions.map(\.lastStableOffset) == [0, 0, 0, 0, 0, 0])
        #expect(Set(try cluster.leaders(of: "t", 1)).count == 3)
        for node in 1...3 {
            let texts = (0..<6).map { "\(node)-\($0)" }
            guard
                case .appended(let places) =
                    try answer(&cluster, node, .append(topic: "t", records: records(texts))).get()
            else { return }
            #expect(Set(places.map(\.partition)).count == 6)
            #expect(places.allSatisfy { $0.offset == Offset(Int64(node - 1)) })
        }
        for node in 1...3 {
            var all: [String] = []
            for partition: Int32 in 0..<6 { all += try texts(&cluster, node, partition) }
            #expect(all.count == 18 && Set(all).count == 18)
            guard
                case .topics(let found) = try answer(&cluster, node, .describeTopics(["t"])).get()
            else { return }
            #expect(found[0].partitions.map(\.lastStableOffset) == [3, 3, 3, 3, 3, 3])
            #expect(found[0].partitions.allSatisfy { $0.isKnown && $0.bytes > 0 })
        }
        let unknown = try answer(&cluster, 1, .append(topic: "tt", records: records(["x"])))
        #expect(throws: Problem.self) { try unknown.get() }
    }

    @Test func `a leader that is lost is waited for and followed`() throws {
        var (cluster, controller) = try cluster()
        let other = controller % 3 + 1
        _ = try cluster.create("t", partitions: 3, replicas: 3, through: 1)
        for partition: Int32 in 0..<3 {
            _ = try cluster.produce(
                "t", partition, ["a"],
                to: Int(try cluster.leaders(of: "t", 1)[Int(partition)]))
        }
        cluster.kill(6 - controller - other)
        for partition: Int32 in 0..<3 { #expect(try texts(&cluster, other, partition) == ["a"]) }
        guard
            case .appended(let places) =
                try answer(&cluster, other, .append(topic: "t", records: records(["b", "c", "d"])))
                .get()
        else { return }
        #expect(places.map(\.offset) == [1, 1, 1])
    }

    @Test func `without a leader records are not taken and ends are not known`() throws {
        var (cluster, controller) = try cluster()
        _ = try cluster.create("t", partitions: 3, replicas: 1, through: 1)
        let lost = controller % 3 + 1
        let asked = lost % 3 + 1
        cluster.kill(lost)
        guard
            case .topics(let found) = try answer(&cluster, asked, .describeTopics(["t"])).get()
        else { return }
        let known = found[0].partitions.map(\.isKnown)
        #expect(known.count { !$0 } == 1)
        let result = try answer(
            &cluster, asked, .append(topic: "t", records: records(["a", "b", "c"])))
        guard case .failure(let problem) = result else {
            Issue.record("records without a leader were taken")
            return
        }
        #expect(problem.code == "cluster.leader" || problem.code == "cluster.uncertain")
        let gone = Int32(try #require(known.firstIndex(of: false)))
        let read = try answer(
            &cluster, asked,
            .read(TopicPartition(topic: "t", partition: gone), from: 0, maxBytes: 100))
        #expect(throws: Problem.self) { try read.get() }
    }

    @Test func `of two changes that expect the same objects one is made`() throws {
        var (cluster, controller) = try cluster()
        let (left, right) = (controller % 3 + 1, (controller + 1) % 3 + 1)
        let ids = [left, right].map { node in
            cluster.beginCommand(
                node,
                .changeObjects(
                    [
                        ObjectChange("o", Bytes(utf8: "of \(node)")),
                        ObjectChange("of \(node)", .empty),
                    ],
                    expecting: [ObjectChange("o", nil)]))
        }
        cluster.advance(1000)
        let results = ids.compactMap { cluster.finished[$0] }
        try #require(results.count == 2)
        let made = results.map { (try? $0.get()) != nil }
        #expect(made.count { $0 } == 1)
        let winner = made[0] ? left : right
        if case .failure(let problem) = results[made[0] ? 1 : 0] {
            #expect(problem.code == "object.changed")
        }
        for node in 1...3 {
            #expect(
                try objects(&cluster, node, "o") == ["o=of \(winner)", "of \(winner)="])
        }
    }

    @Test func `who is refused knows at once what is there`() throws {
        var (cluster, controller) = try cluster()
        let other = controller % 3 + 1
        _ = try answer(
            &cluster, controller, .changeObjects([ObjectChange("o", Bytes(utf8: "1"))])
        ).get()
        let refused = cluster.beginCommand(
            other,
            .changeObjects(
                [ObjectChange("o", Bytes(utf8: "2"))], expecting: [ObjectChange("o", nil)]))
        while cluster.finished[refused] == nil { cluster.advance(1) }
        #expect(try objects(&cluster, other, "o") == ["o=1"])
    }

    @Test func `what a lost controller worked on is uncertain, or found out`() throws {
        var cluster = ClusterHarness(count: 3, isRough: true)
        try cluster.startAll()
        let controller = try cluster.settle(brokers: [1, 2, 3])
        let other = controller % 3 + 1
        let id = cluster.beginCommand(
            other, .changeObjects([ObjectChange("o", Bytes(utf8: "1"))]))
        #expect(cluster.finished[id] == nil)
        cluster.isolate(controller)
        cluster.advance(16_000)
        switch try #require(cluster.finished[id]) {
        case .success: #expect(try objects(&cluster, other, "o") == ["o=1"])
        case .failure(let problem):
            #expect(problem.code == "cluster.uncertain" || problem.code == "cluster.controller")
        }
        // A topic is the same however often it is asked for.
        _ = try answer(&cluster, other, .createTopic(name: "t", partitions: 1, configs: [])).get()
    }

    @Test func `a node without its cluster says so`() throws {
        var cluster = ClusterHarness(count: 3)
        try cluster.start(1)
        for command: NodeCommand in [
            .listObjects(prefix: ""), .append(topic: "t", records: records(["x"])),
            .describeTopics(["t"]),
        ] {
            guard case .failure(let problem) = try answer(&cluster, 1, command) else {
                Issue.record("\(command) is answered")
                continue
            }
            #expect(problem.code == "cluster.starting")
        }
        guard
            case .failure(let problem) = try answer(
                &cluster, 1, .createTopic(name: "t", partitions: 1, configs: []))
        else {
            Issue.record("a topic without a cluster")
            return
        }
        #expect(problem.code == "cluster.controller")
    }
}
