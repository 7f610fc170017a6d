import Base
import Quorum

/// A command of this process in a cluster. It is cut into parts that one node can work on, the controller or
/// the leader of a partition; parts for the same node travel together, and what nobody can do yet waits.
struct SpreadCommand: Sendable {
    /// What the answers of the parts make together.
    enum Shape: Sendable {
        /// There is one part, and its answer is that of the command.
        case single
        case append(CutRecords)
        /// The topics, whose partitions are the parts in their order.
        case topics([TopicDescription])
    }

    struct Part: Sendable {
        /// About one partition, or for the controller.
        var command: NodeCommand
        /// Whose leader is to work on it; nil: the controller.
        var partition: TopicPartition?
        var sent: (node: NodeID, number: UInt64)?
        var answer: NodeAnswer?
    }

    /// Where the answer to a message belongs.
    struct Place: Sendable {
        var command: CommandID
        var parts: [Int]
    }

    var shape: Shape
    var parts: [Part]
    var deadline: Instant
    /// Why a part was refused last.
    var trouble: Problem?
    /// The command is refused, by a node that knows why.
    var refusal: Problem?
    /// Everything is answered, by nodes that had this much of the metadata.
    var applied = LogIndex(0)

    var isAnswered: Bool { refusal != nil || parts.allSatisfy { $0.answer != nil } }

    /// Once it is answered.
    var result: Result<NodeAnswer, Problem> {
        if let refusal { return .failure(refusal) }
        return answer.map { .success($0) } ?? .failure(unexpectedAnswer("the command"))
    }

    var answer: NodeAnswer? {
        switch shape {
        case .single: return parts[0].answer
        case .append(let cut):
            var offsets: [Offset] = []
            for part in parts {
                guard case .written(let written) = part.answer, written.count == 1 else {
                    return nil
                }
                offsets.append(written[0])
            }
            return .appended(cut.appended(at: offsets))
        case .topics(var topics):
            var part = 0
            for topic in topics.indices {
                for place in topics[topic].partitions.indices {
                    if case .partitions(let found) = parts[part].answer, let known = found.first {
                        topics[topic].partitions[place] = known
                    }
                    part += 1
                }
            }
            return .topics(topics)
        }
    }
}

extension NodeCommand {
    /// The same again does no harm: it is asked of somebody else when the outcome is not known.
    fileprivate var isRepeatable: Bool {
        switch self {
        case .read, .describePartitions, .createTopic, .catchUp: true
        default: false
        }
    }

    fileprivate var byteCount: Int {
        guard case .write(let batches) = self else { return 64 }
        return batches.reduce(64) { $0 + $1.batch.count + 64 }
    }

    /// Both in one, if they are of one kind that goes together.
    fileprivate func joined(with other: NodeCommand) -> NodeCommand? {
        switch (self, other) {
        case (.write(let left), .write(let right)): .write(left + right)
        case (.describePartitions(let left), .describePartitions(let right)):
            .describePartitions(left + right)
        default: nil
        }
    }
}

extension BrokerNode {
    /// Codes of problems between nodes. With these nothing was done, and somebody else may do it.
    static let notController = "cluster.controller"
    static let notLeader = "cluster.leader"
    static let notReadable = "cluster.replicas"
    /// It may be done, or not.
    static let uncertain = "cluster.uncertain"

    private static let spreadMax = 4096
    private static let messageBytesMax = 8 << 20
    /// A question where topics begin and end waits so long for leaders.
    private static let describeWait = Duration.seconds(5)
    /// So long a node that has lost the controller of its cluster waits for news of it.
    private static let catchUpWait = Duration.seconds(2)

    // MARK: What this process asks for

    /// Takes a command that other nodes may have to work on; false when it is for this node alone.
    mutating func spreads(_ command: NodeCommand, _ id: CommandID) -> Bool {
        guard let cluster, id.value & Self.virtualBit == 0 else { return false }
        var wait = cluster.configuration.controllerWait
        var shape = SpreadCommand.Shape.single
        var parts: [SpreadCommand.Part] = []
        switch command {
        case .statistics: return false
        case .listObjects:
            // What an earlier life knew may be long over.
            if !isServing { fail(id, notServing) }
            return !isServing
        case .catchUp:
            wait = Self.catchUpWait
            parts = [SpreadCommand.Part(command: command)]
        case .createTopic, .deleteTopic, .changeObjects:
            parts = [SpreadCommand.Part(command: command)]
        case .read(let partition, _, _):
            guard image.topic(partition.topic) != nil else { return false }
            parts = [SpreadCommand.Part(command: command, partition: partition)]
        case .append(let topic, let records):
            do throws(Problem) {
                let cut = try cut(records, for: topic)
                shape = .append(cut)
                parts = cut.batches.map {
                    SpreadCommand.Part(command: .write([$0]), partition: $0.partition)
                }
            } catch {
                // A topic that is not known before the registration is may well be there.
                fail(id, isServing ? error : notServing)
                return true
            }
        case .describeTopics(let names):
            wait = Self.describeWait
            var topics: [TopicDescription] = []
            for name in names ?? image.topics.keys {
                guard let topic = image.topic(name) else {
                    fail(
                        id,
                        isServing
                            ? Self.unknownTopic(name, among: image.topics.keys) : notServing)
                    return true
                }
                topics.append(describe(topic))
                for partition in topic.partitions {
                    parts.append(
                        SpreadCommand.Part(
                            command: .describePartitions([partition]), partition: partition))
                }
            }
            shape = .topics(topics)
        case .write, .describePartitions: return false
        }
        guard cluster.spread.count < Self.spreadMax else {
            fail(id, Problem("cluster.busy", "too many commands wait for other nodes"))
            return true
        }
        self.cluster?.spread[id] = SpreadCommand(
            shape: shape, parts: parts, deadline: now.monotonic + wait)
        sendParts(of: id)
        finishIfAnswered(id)
        return true
    }

    private var notServing: Problem {
        Problem(
            "cluster.starting", "this node does not belong to its cluster yet",
            hint: "weir cluster health tells what it waits for")
    }

    // MARK: Sending

    /// Sends what nobody works on, asks somebody else where it helps, and gives up what waited too long.
    mutating func sendWaitingParts() {
        guard let waiting = cluster?.spread.keys, !waiting.isEmpty else { return }
        for id in waiting {
            sendParts(of: id)
            finishIfAnswered(id)
            guard let command = cluster?.spread[id], command.deadline <= now.monotonic else {
                continue
            }
            giveUp(command, id)
        }
    }

    private func node(for part: SpreadCommand.Part) -> NodeID? {
        guard let partition = part.partition else {
            guard let leader = cluster?.leader else { return nil }
            return leader == configuration.nodeID && !isController ? nil : leader
        }
        guard let topic = image.topic(partition.topic) else { return configuration.nodeID }
        guard partition.partition >= 0, partition.partition < topic.partitionCount else {
            return configuration.nodeID
        }
        return image.leadership(of: topic, partition.partition).leader
    }

    private mutating func sendParts(of id: CommandID) {
        guard isServing, let command = cluster?.spread[id] else { return }
        var groups = OrderedMap<NodeID, [Int]>()
        for (index, part) in command.parts.enumerated() where part.answer == nil {
            guard let node = node(for: part) else { continue }
            if let sent = part.sent {
                // Who leads now answers sooner than one that fell silent.
                guard part.command.isRepeatable, sent.node != node else { continue }
                cluster?.travelling[sent.number] = nil
                cluster?.spread[id]?.parts[index].sent = nil
            }
            if node == configuration.nodeID || cluster?.linkTo[node] != nil {
                groups[node, default: []].append(index)
            }
        }
        for (node, indexes) in groups {
            var joined: (command: NodeCommand, parts: [Int], bytes: Int)?
            for index in indexes {
                let next = command.parts[index].command
                let bytes = next.byteCount
                if let known = joined, known.bytes + bytes <= Self.messageBytesMax,
                    let both = known.command.joined(with: next)
                {
                    joined = (both, known.parts + [index], known.bytes + bytes)
                    continue
                }
                if let known = joined { send(known.command, known.parts, of: id, to: node) }
                joined = (next, [index], bytes)
            }
            if let known = joined { send(known.command, known.parts, of: id, to: node) }
        }
    }

    private mutating func send(
        _ command: NodeCommand, _ parts: [Int], of id: CommandID, to node: NodeID
    ) {
        let number = nextNumber()
        if node != configuration.nodeID {
            guard let bytes = command.encodedForPeer(),
                bytes.count <= ClusterConfiguration.messageBytesMax
            else {
                end(
                    id,
                    .failure(
                        Problem("cluster.too.large", "the command is too large for another node")))
                return
            }
            guard send(.job(number, bytes), to: node) else { return }
        }
        cluster?.travelling[number] = SpreadCommand.Place(command: id, parts: parts)
        for part in parts { cluster?.spread[id]?.parts[part].sent = (node, number) }
        if node == configuration.nodeID { workOn(command, number, from: node) }
    }

    // MARK: Answers

    /// What became of a message's parts.
    mutating func take(_ result: Result<NodeAnswer, Problem>, _ applied: LogIndex, _ number: UInt64)
    {
        guard let place = cluster?.travelling.removeValue(forKey: number),
            var command = cluster?.spread[place.command]
        else { return }
        for part in place.parts { command.parts[part].sent = nil }
        switch result {
        case .success(let answer):
            command.take(answer, place.parts)
            command.applied = max(command.applied, applied)
        case .failure(let problem):
            command.trouble = problem
            let isDone =
                switch problem.code {
                case Self.notController, Self.notLeader, Self.notReadable: false
                case Self.uncertain:
                    !place.parts.allSatisfy { command.parts[$0].command.isRepeatable }
                default: true
                }
            if isDone {
                command.refusal = problem
                command.applied = max(command.applied, applied)
            }
        }
        cluster?.spread[place.command] = command
        finishIfAnswered(place.command)
    }

    /// A command is finished when all is answered, and this node knows what the others knew: who creates
    /// a topic finds it here.
    private mutating func finishIfAnswered(_ id: CommandID) {
        guard let command = cluster?.spread[id], command.isAnswered,
            let known = cluster?.applied, command.applied <= known
        else { return }
        end(id, command.result)
    }

    mutating func finishAppliedCommands() {
        for id in cluster?.spread.keys ?? [] { finishIfAnswered(id) }
    }

    private mutating func end(_ id: CommandID, _ result: Result<NodeAnswer, Problem>) {
        guard let command = cluster?.spread.removeValue(forKey: id) else { return }
        for part in command.parts {
            if let number = part.sent?.number { cluster?.travelling[number] = nil }
        }
        finish(id, result)
    }

    private mutating func giveUp(_ command: SpreadCommand, _ id: CommandID) {
        // It is done, only not known here yet.
        if command.isAnswered { return end(id, command.result) }
        if case .catchUp = command.parts.first?.command { return end(id, .success(.done)) }
        if case .topics = command.shape, let answer = command.answer {
            return end(id, .success(answer))
        }
        let written = command.parts.count { $0.answer != nil }
        if let open = command.parts.first(where: { $0.sent != nil && !$0.command.isRepeatable }) {
            return end(
                id,
                .failure(
                    Self.unknownOutcome("node \(open.sent?.node.value ?? 0) does not answer")))
        }
        var problem =
            command.trouble
            ?? Problem(
                command.parts.contains { $0.partition == nil }
                    ? Self.notController : Self.notLeader,
                command.parts.first { $0.answer == nil }?.partition.map {
                    "\($0) has no leader that can be reached"
                } ?? "no controller can be reached",
                hint: "weir cluster health tells what is wrong")
        if written > 0 {
            problem.notes.append(
                "\(written) of \(command.parts.count) batches were appended all the same")
        }
        end(id, .failure(problem))
    }

    private static func unknownOutcome(_ reason: String) -> Problem {
        Problem(
            uncertain, "\(reason): it may be done, or not",
            hint: "look whether it is, and try again")
    }

    /// The link to a node is down: what it worked on may be done, or not.
    mutating func forgetParts(with node: NodeID) {
        for (id, origin) in cluster?.jobs ?? [:] where origin.node == node {
            cluster?.jobs[id] = nil
        }
        for (id, command) in cluster?.spread ?? [:] {
            var isUncertain = false
            for (index, part) in command.parts.enumerated() where part.sent?.node == node {
                if let number = part.sent?.number { cluster?.travelling[number] = nil }
                cluster?.spread[id]?.parts[index].sent = nil
                if !part.command.isRepeatable { isUncertain = true }
            }
            if isUncertain {
                end(
                    id,
                    .failure(Self.unknownOutcome("node \(node.value), which worked on it, is gone"))
                )
            }
        }
    }

    // MARK: What others ask for

    mutating func workOn(_ command: NodeCommand, _ number: UInt64, from node: NodeID) {
        cluster?.lastJob += 1
        let id = CommandID(Self.virtualBit | (cluster?.lastJob ?? 0))
        cluster?.jobs[id] = (node, number)
        if !isServing {
            return fail(id, Problem(Self.notLeader, "the node does not serve yet"))
        }
        runHere(command, id)
    }

    mutating func jobFinished(_ id: CommandID, _ result: Result<NodeAnswer, Problem>) {
        guard let origin = cluster?.jobs.removeValue(forKey: id), let applied = cluster?.applied
        else { return }
        if origin.node == configuration.nodeID { return take(result, applied, origin.number) }
        var answer = PeerCommandAnswer(result).encoded()
        if answer == nil || answer?.count ?? 0 > ClusterConfiguration.messageBytesMax {
            answer =
                PeerCommandAnswer(
                    .failure(
                        Problem("cluster.too.large", "the answer is too large for another node"))
                ).encoded()
        }
        if let answer { send(.jobDone(origin.number, applied: applied, answer), to: origin.node) }
    }
}

extension SpreadCommand {
    /// Gives the answer to a message to the parts that it was about.
    fileprivate mutating func take(_ answer: NodeAnswer, _ places: [Int]) {
        switch answer {
        case .written(let offsets) where offsets.count == places.count:
            // Where nobody could append yet, the next leader is asked.
            for (place, offset) in zip(places, offsets) where offset >= 0 {
                parts[place].answer = .written([offset])
            }
        case .partitions(let found) where found.count == places.count:
            for (place, partition) in zip(places, found) where partition.isKnown {
                parts[place].answer = .partitions([partition])
            }
        default: for place in places { parts[place].answer = answer }
        }
    }
}
