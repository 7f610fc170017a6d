import Base
import Log
import Node
import WireProtocol

/// What the process of a node asks of it, as its gateway, its SQL and its streaming tables do: through any
/// node, about partitions that others lead and objects that others change.
struct ClusterInsider {
    enum Work {
        case append(topic: Int, values: [String])
        /// What had been acknowledged of each partition when it was asked: the smallest end that is true.
        case describe(topic: Int, floors: [Int64])
        case read(place: Int)
        /// Counts one further, from what it knows.
        case count(from: Int?)
        /// Looks what the counter is, at a node that has just said that it is not this.
        case look(not: Int?)
    }

    var id: Int
    var random: Random
    var count = 0
    /// The counter as it saw it last.
    var known: Int?
    /// Whom it asked, in which life of it, for what, and whether everything was well then.
    var asked: (command: CommandID, node: Int, process: Int, work: Work, isHealed: Bool)?
    var mustLook: (node: Int, process: Int, not: Int?)?
}

extension ClusterSimulation {
    private static let counter = "counter"

    /// Drawn apart from everything else, so that seeds without them are what they were.
    mutating func makeInsiders(_ random: inout Random) {
        guard random.chance(1, in: 2) else { return }
        for id in 0..<random.within(1...2) {
            clients.append(
                ClusterClient(role: .insider(ClusterInsider(id: id, random: random.fork()))))
        }
    }

    mutating func act(_ client: Int, _ known: ClusterInsider) {
        var insider = known
        if isQuiet { return }
        var node = insider.random.below(nodes.count)
        let work: ClusterInsider.Work
        if let look = insider.mustLook, nodes[look.node].process == look.process {
            node = look.node
            work = .look(not: look.not)
        } else {
            work = choose(&insider)
        }
        insider.mustLook = nil
        let id = CommandID(nextID())
        insider.asked = (id, node, nodes[node].process, work, isHealed)
        clients[client].role = .insider(insider)
        clients[client].attempt += 1
        commands[id] = client
        queue.schedule(
            .node(node, process: nodes[node].process, .command(id, command(work))), at: time + 1000)
        // A process that ends takes its questions along.
        queue.schedule(
            .timeout(client, attempt: clients[client].attempt), at: time + 20_000_000_000)
    }

    private mutating func choose(_ insider: inout ClusterInsider) -> ClusterInsider.Work {
        let topic = insider.random.below(swarm.topics.count)
        switch insider.random.below(4) {
        case 0:
            let values = (0..<insider.random.within(1...4)).map { step in
                "i\(insider.id)n\(insider.count + step)"
            }
            insider.count += values.count
            return .append(topic: topic, values: values)
        case 1:
            let places = checker.partitions.indices.filter {
                checker.partitions[$0].name.topic == "t\(topic)"
            }
            return .describe(
                topic: topic,
                floors: places.map { (checker.partitions[$0].acknowledged.max() ?? -1) + 1 })
        case 2: return .read(place: insider.random.below(checker.partitions.count))
        default: return .count(from: insider.known)
        }
    }

    private func command(_ work: ClusterInsider.Work) -> NodeCommand {
        switch work {
        case .append(let topic, let values):
            .append(
                topic: "t\(topic)", records: values.map { NewRecord(value: Bytes(utf8: $0)) })
        case .describe(let topic, _): .describeTopics(["t\(topic)"])
        case .read(let place):
            .read(checker.partitions[place].name, from: 0, maxBytes: 4000)
        case .count(let known):
            .changeObjects(
                [ObjectChange(Self.counter, Bytes(utf8: "\((known ?? 0) + 1)"))],
                expecting: [ObjectChange(Self.counter, known.map { Bytes(utf8: "\($0)") })])
        case .look: .listObjects(prefix: Self.counter)
        }
    }

    /// A command has its result; one of a process that has ended gets none.
    mutating func commandFinished(_ id: CommandID, _ result: Result<NodeAnswer, Problem>) {
        guard let client = commands.removeValue(forKey: id),
            case .insider(var insider) = clients[client].role, let asked = insider.asked,
            asked.command == id
        else { return }
        insider.asked = nil
        do throws(Problem) {
            try take(result.get(), asked.work, &insider)
        } catch {
            refused(error, asked.work, asked.node, &insider)
        }
        clients[client].role = .insider(insider)
        actLater(client)
    }

    /// Nobody says what became of it.
    mutating func insiderTimedOut(_ client: Int) {
        guard case .insider(var insider) = clients[client].role, let asked = insider.asked else {
            return
        }
        if nodes[asked.node].process == asked.process, asked.isHealed {
            return checker.fail(
                "node \(asked.node + 1) gives its own process no answer to \(asked.work)")
        }
        commands[asked.command] = nil
        insider.asked = nil
        if case .count = asked.work { checker.uncertainCounts += 1 }
        clients[client].role = .insider(insider)
    }

    private mutating func take(
        _ answer: NodeAnswer, _ work: ClusterInsider.Work, _ insider: inout ClusterInsider
    ) {
        switch (work, answer) {
        case (.append(let topic, let values), .appended(let places)):
            narrate(
                "\(values), of a process, are at \(places.map { "\($0.partition)/\($0.offset)" })")
            for (value, place) in zip(values, places) {
                let name = TopicPartition(topic: "t\(topic)", partition: place.partition)
                guard let index = checker.partitions.firstIndex(where: { $0.name == name }) else {
                    return checker.fail("\(value) is in \(name), which nobody made")
                }
                checker.acknowledged(index, place.offset.value, [value])
                result.acknowledged += 1
            }
        case (.describe(let topic, let floors), .topics(let found)):
            for partition in found.first?.partitions ?? [] where partition.isKnown {
                let floor = floors[Int(partition.partition)]
                if partition.highWatermark.value < floor {
                    checker.fail(
                        "t\(topic)-\(partition.partition) is said to end at \(partition.highWatermark), and "
                            + "\(floor - 1) was acknowledged before")
                }
            }
        case (.read(let place), .batches(let found)): takeRead(place, found)
        case (.count(let known), .done):
            let value = (known ?? 0) + 1
            narrate("the counter is \(value) by process \(insider.id)")
            if !checker.counts.insert(value).inserted {
                checker.fail("two processes have counted to \(value)")
            }
            insider.known = value
        case (.look(let wrong), .objects(let found)):
            let value = found.first.flatMap { $0.content.validText }.flatMap { Int($0) }
            if value == wrong {
                checker.fail(
                    "a node has refused \(wrong.map { "\($0)" } ?? "no counter"), and has just that"
                )
            }
            insider.known = value
        default: checker.fail("\(work) is answered with \(answer)")
        }
    }

    private mutating func refused(
        _ problem: Problem, _ work: ClusterInsider.Work, _ node: Int,
        _ insider: inout ClusterInsider
    ) {
        switch problem.code {
        case "cluster.controller", "cluster.leader", "cluster.replicas", "cluster.starting":
            break
        case "cluster.uncertain":
            if case .count = work { checker.uncertainCounts += 1 }
        case "object.changed":
            if case .count(let known) = work {
                insider.mustLook = (node, nodes[node].process, known)
            }
        // A node that has just started may not know of a topic yet.
        case "topic.unknown": break
        default: checker.fail("\(work) of a process is refused: \(problem)")
        }
    }

    private mutating func takeRead(_ place: Int, _ found: ReadResult) {
        do throws(DecodeFailure) {
            for bytes in found.batches {
                let batch = try RecordBatchView(bytes)
                if batch.header.isControl { continue }
                var records = try batch.records()
                while let record = try records.next() {
                    guard let value = record.value else { continue }
                    checker.saw(
                        place, record.offset.value, String(decoding: value.array, as: UTF8.self))
                }
            }
        } catch {
            checker.fail("what a process reads cannot be read: \(error)")
        }
    }

    /// Everything that was counted is in the counter, and nothing else but what may have been.
    mutating func finishInsiders() {
        for node in nodes {
            let text = node.node?.storedObject(Self.counter)?.validText ?? "0"
            let value = Int(text) ?? -1
            let most = checker.counts.count + checker.uncertainCounts
            guard checker.counts.count <= value, value <= most else {
                return checker.fail(
                    "the counter is \(text), \(checker.counts.count) were counted and "
                        + "\(checker.uncertainCounts) may have been")
            }
        }
    }
}
