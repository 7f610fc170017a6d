import Base
import Quorum
import Runtime
import WeirClient

/// Of commands that move partitions.
let moveFlags: [FlagSpec] = [
    FlagSpec("concurrent", nil, value: "N", "Partitions that move at the same time (default: 10)"),
    FlagSpec("dry-run", nil, "Prints the plan and moves nothing"),
    brokerFlag,
]

let reassignCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "cluster reassign", "Moves partitions to other brokers; alone, lists what is moving",
            details: """
                A partition has its old replicas and the new ones until all new ones are in sync;
                clients notice nothing but a new leader. Of several partitions, each begins with the
                next broker of the list, so that their leaders are spread.
                A plan is a file as kafka-reassign-partitions takes it:
                {"partitions":[{"topic":"orders","partition":0,"replicas":[1,2]}]}
                """,
            arguments: [
                ArgumentSpec("TOPIC", .any, "Topics whose partitions move", kind: .topic)
            ],
            flags: [
                FlagSpec("to", nil, value: "BROKERS", "Brokers that are to have them: 1,2,3"),
                FlagSpec("replicas", "r", value: "N", "Change only how many replicas there are"),
                FlagSpec(
                    "partition", "p", value: "N", "Only this partition", isRepeatable: true),
                FlagSpec(
                    "plan", nil, value: "FILE", "Moves as a JSON file has them, - = standard input"),
                FlagSpec("cancel", nil, "End moves: the partitions stay where they were"),
            ] + moveFlags,
            examples: [
                ("weir cluster reassign orders --to 2,3,4", "and wait until they are there"),
                (
                    "weir cluster reassign orders --replicas 3",
                    "more copies, where there is most room"
                ),
                ("weir cluster reassign --cancel", "end all moves"),
            ]),
        run: reassign),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster drain", "Moves everything off a broker, so that it can be taken away",
            details: """
                The broker gets no new replicas from then on (cordoned.log.dirs), and goes on serving
                until each of its replicas has a successor. Run again, it goes on where it was.
                """,
            arguments: [ArgumentSpec("NODE", .one, "The number of the node")],
            flags: [
                FlagSpec(
                    "cancel", nil, "It may have new replicas again; what has moved stays there")
            ] + moveFlags,
            examples: [
                ("weir cluster drain 4", "then stop node 4, and weir cluster forget 4")
            ]),
        run: drainNode),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster add", "Gives a node that has just joined its share of the replicas",
            details: """
                The node runs already: it was started with a list that has it at the end, and so were
                the others. The command waits up to a minute until its broker is alive.
                """,
            arguments: [ArgumentSpec("NODE", .one, "The number of the node")],
            flags: moveFlags,
            examples: [("weir cluster add 4", "after weir serve --node 4 …")]),
        run: addNode),
]

// MARK: What is there

/// Brokers and partitions as a plan needs them.
struct ClusterPicture {
    var brokers: [BrokerState]
    var cordoned: Set<Int32>
    var topics: [TopicInfo]

    init(_ admin: Admin) throws(Problem) {
        brokers = try calling { () throws(ClientFailure) in try admin.describeBrokers() }
        topics = try calling { () throws(ClientFailure) in
            try admin.listTopics(includeInternal: true)
        }
        cordoned = []
        // One that is fenced gets nothing anyway, and can't be asked.
        for broker in brokers where !broker.isFenced {
            let entries = try calling { () throws(ClientFailure) in
                try admin.describeConfigs(of: .broker(broker.id), names: [cordonSetting])
            }
            if entries.contains(where: { $0.value?.isEmpty == false }) {
                cordoned.insert(broker.id)
            }
        }
    }

    /// Those that may get replicas.
    var candidates: [ReplicaPlacement.Candidate] {
        brokers.filter { !cordoned.contains($0.id) }.map {
            ReplicaPlacement.Candidate(
                id: NodeID($0.id), isAlive: !$0.isFenced, rack: $0.rack)
        }
    }

    /// Partitions on a broker that nobody leads: there is nobody to copy them from.
    func lost(on broker: Int32) -> [TopicPartition] {
        topics.flatMap { topic in
            topic.partitions.filter { $0.leader < 0 && $0.replicas.contains(broker) }.map {
                TopicPartition(topic: topic.name, partition: $0.partition)
            }
        }
    }

    /// Every partition with the replicas that it has when its move, if there is one, is over.
    func places(_ moves: [PartitionMove]) -> [ReplicaMoves.Place] {
        var going: [TopicPartition: [Int32]] = [:]
        for move in moves {
            going[TopicPartition(topic: move.topic, partition: move.partition)] = move.removing
        }
        return topics.flatMap { topic in
            topic.partitions.map { partition in
                let place = TopicPartition(topic: topic.name, partition: partition.partition)
                let removing = going[place] ?? []
                return ReplicaMoves.Place(
                    topic: topic.name, partition: partition.partition,
                    replicas: partition.replicas.filter { !removing.contains($0) }
                        .map { NodeID($0) })
            }
        }
    }
}

private let cordonSetting = "cordoned.log.dirs"

extension CommandContext {
    fileprivate func broker(
        _ picture: ClusterPicture
    ) throws(Problem) -> BrokerState {
        let text = invocation.arguments.first ?? ""
        guard let number = Int32(text), number > 0 else {
            throw Problem("usage.value", "NODE is the number of a node, found \"\(text)\"")
        }
        guard let broker = picture.brokers.first(where: { $0.id == number }) else {
            throw Problem(
                "cluster.broker", "there is no broker \(number)",
                notes: ["there are " + picture.brokers.map { "\($0.id)" }.joined(separator: ", ")],
                hint: "weir cluster brokers lists them; a node that starts registers by itself")
        }
        return broker
    }
}

// MARK: Commands

private func reassign(_ context: CommandContext) throws(Problem) -> ExitCode {
    let call = context.invocation
    let plan = call.string("plan")
    if call.arguments.isEmpty, plan == nil, !call.isSet("cancel") { return try listMoves(context) }
    return try context.withAdmin { (admin) throws(Problem) in
        let moves = try calling { () throws(ClientFailure) in try admin.listMoves() }
        if call.isSet("cancel") { return try cancel(moves, context, admin) }
        if let plan {
            return try MoveRun(context, admin).run(try wantedByFile(plan))
        }
        let picture = try ClusterPicture(admin)
        return try MoveRun(context, admin).run(try wantedByFlags(context, picture, moves))
    }
}

private func listMoves(_ context: CommandContext) throws(Problem) -> ExitCode {
    for flag in ["to", "replicas", "partition"] where context.invocation.isSet(flag) {
        throw Problem("usage.argument", "--\(flag) needs the name of a topic")
    }
    return try context.withAdmin { (admin) throws(Problem) in
        let moves = try calling { () throws(ClientFailure) in try admin.listMoves() }
        func text(_ brokers: [Int32]) -> String {
            brokers.map { "\($0)" }.joined(separator: ",")
        }
        if moves.isEmpty, !context.isJSON { context.say("nothing is being moved") }
        let table = TextTable(
            [.init("PARTITION"), .init("REPLICAS"), .init("ADDING"), .init("REMOVING")],
            rows: moves.map {
                [
                    "\($0.topic)-\($0.partition)", text($0.replicas), text($0.adding),
                    text($0.removing),
                ]
            })
        let json = moves.map { move -> JSONValue in
            [
                "topic": .string(move.topic), "partition": .int(move.partition),
                "replicas": .array(move.replicas.map { .int($0) }),
                "adding": .array(move.adding.map { .int($0) }),
                "removing": .array(move.removing.map { .int($0) }),
            ]
        }
        if context.isJSON || !moves.isEmpty {
            context.printTable(table, json: ["moves": .array(json)])
        }
        return .ok
    }
}

private func cancel(
    _ moves: [PartitionMove], _ context: CommandContext, _ admin: Admin
) throws(Problem) -> ExitCode {
    let call = context.invocation
    let partitions = try chosenPartitions(call)
    let meant = moves.filter { move in
        (call.arguments.isEmpty || call.arguments.contains(move.topic))
            && (partitions.isEmpty || partitions.contains(move.partition))
    }
    let failures = try calling { () throws(ClientFailure) in
        try admin.move(
            meant.map { WantedReplicas(topic: $0.topic, partition: $0.partition, replicas: nil) })
    }
    var outcomes: [ItemOutcome] = []
    for (place, move) in meant.enumerated() {
        var outcome = ItemOutcome(name: "\(move.topic)-\(move.partition)")
        outcome.problem = failures[place].map { Problem($0) }
        outcomes.append(outcome)
    }
    if meant.isEmpty { context.say("nothing of that is being moved") }
    return context.finish(outcomes, "move", done: "cancelled")
}

private func drainNode(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        var picture = try ClusterPicture(admin)
        let broker = try context.broker(picture)
        let isCancelled = context.invocation.isSet("cancel")
        func cordon(_ change: ConfigChange) throws(Problem) {
            try calling { () throws(ClientFailure) in
                try admin.alterConfigs(of: .broker(broker.id), [cordonSetting: change])
            }
        }
        if isCancelled {
            try cordon(.unset)
            if context.isJSON {
                context.print(["cordoned": false, "broker": .int(broker.id)])
            } else {
                context.say("broker \(broker.id) may have new replicas again")
            }
            return .ok
        }
        picture.cordoned.insert(broker.id)
        let moves = try calling { () throws(ClientFailure) in try admin.listMoves() }
        let lost = picture.lost(on: broker.id)
        var plan = ReplicaMoves(
            brokers: picture.candidates,
            places: picture.places(moves).filter { !lost.contains($0.name) })
        let stuck = plan.empty(NodeID(broker.id))
        if let first = stuck.first {
            throw Problem(
                "cluster.drain",
                "\(stuck.count) partitions can't leave broker \(broker.id), one of them "
                    + "\(first.topic)-\(first.partition)",
                notes: [
                    "every other broker that is alive and may have it has a replica of it; nothing was moved"
                ],
                hint: "add a node, or lower the number of replicas: "
                    + "weir cluster reassign \(first.topic) --replicas \(first.replicas.count - 1)")
        }
        if !context.invocation.isSet("dry-run") { try cordon(.set("*")) }
        let code = try MoveRun(context, admin).run(
            plan.wanted,
            beside: lost.map { name in
                var outcome = ItemOutcome(name: "\(name)")
                outcome.problem = Problem(
                    "cluster.lost", "\(name) can't move: nobody else has all of it",
                    notes: ["broker \(broker.id) is not alive"],
                    hint: "start node \(broker.id) again")
                return outcome
            })
        if code == .ok, !context.invocation.isSet("dry-run") {
            context.say(
                "nothing is on broker \(broker.id) any more: stop it, then "
                    + "weir cluster forget \(broker.id)")
        }
        return code
    }
}

private func addNode(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let began = SystemClock.monotonic
        var picture = try ClusterPicture(admin)
        while true {
            if let broker = try? context.broker(picture), !broker.isFenced { break }
            guard SystemClock.monotonic - began < .seconds(60) else {
                _ = try context.broker(picture)
                throw Problem(
                    "cluster.broker", "the broker is fenced: it does not call the controller",
                    hint: "look at its log; weir cluster health tells the rest")
            }
            SystemClock.sleep(.milliseconds(500))
            picture = try ClusterPicture(admin)
        }
        let broker = try context.broker(picture)
        guard !picture.cordoned.contains(broker.id) else {
            throw Problem(
                "cluster.cordoned", "broker \(broker.id) is being drained",
                hint: "weir cluster drain \(broker.id) --cancel")
        }
        return try spread(context, admin, picture)
    }
}

/// Moves replicas until all brokers have alike.
func spread(
    _ context: CommandContext, _ admin: Admin, _ picture: ClusterPicture
) throws(Problem) -> ExitCode {
    let moves = try calling { () throws(ClientFailure) in try admin.listMoves() }
    var plan = ReplicaMoves(brokers: picture.candidates, places: picture.places(moves))
    plan.level()
    return try MoveRun(context, admin).run(plan.wanted)
}

extension ReplicaMoves {
    fileprivate var wanted: [WantedReplicas] {
        moves.map {
            WantedReplicas(
                topic: $0.topic, partition: $0.partition, replicas: $0.replicas.map(\.value))
        }
    }
}

// MARK: Plans

private func chosenPartitions(_ call: Invocation) throws(Problem) -> [Int32] {
    var result: [Int32] = []
    for text in call.strings("partition") {
        guard let number = Int32(text), number >= 0 else {
            throw Problem(
                "usage.value", "--partition is the number of a partition, found \"\(text)\"")
        }
        result.append(number)
    }
    return result
}

private func brokerList(_ text: String) throws(Problem) -> [Int32] {
    var result: [Int32] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let number = Int32(part), number > 0 else {
            throw Problem(
                "usage.value", "--to is a list of brokers like 1,2,3, found \"\(text)\"")
        }
        result.append(number)
    }
    return result
}

private func wantedByFlags(
    _ context: CommandContext, _ picture: ClusterPicture, _ moves: [PartitionMove]
) throws(Problem) -> [WantedReplicas] {
    let call = context.invocation
    let numbers = try chosenPartitions(call)
    let to = try call.string("to").map(brokerList)
    let count = try call.integer("replicas", in: 1...1000)
    guard (to == nil) != (count == nil) else {
        throw Problem(
            "usage.argument", "where to? One of --to, --replicas, --plan and --cancel is needed",
            hint: "weir cluster reassign \(call.arguments.first ?? "TOPIC") --to 1,2,3")
    }
    var places: [ReplicaMoves.Place] = []
    let known = picture.places(moves)
    for name in call.arguments {
        let all = known.filter { $0.topic == name }
        guard !all.isEmpty else {
            let near = nearestName(to: name, among: picture.topics.map(\.name))
            throw Problem(
                "topic.unknown", "there is no topic \"\(name)\"",
                hint: near.map { "did you mean \"\($0)\"?" } ?? "weir topic list")
        }
        let chosen = all.filter { numbers.isEmpty || numbers.contains($0.partition) }
        guard numbers.allSatisfy({ number in all.contains { $0.partition == number } }) else {
            throw Problem(
                "usage.value", "topic \(name) has partitions 0 to \(all.count - 1)")
        }
        places += chosen
    }
    if let to {
        return places.enumerated().map { place, partition in
            let turn = place % to.count
            return WantedReplicas(
                topic: partition.topic, partition: partition.partition,
                replicas: Array(to[turn...] + to[..<turn]))
        }
    }
    var plan = ReplicaMoves(brokers: picture.candidates, places: known)
    guard plan.resize(places, to: Int(count ?? 1)) else {
        throw Problem(
            "cluster.replicas", "there are fewer brokers that may have them than \(count ?? 1)",
            notes: ["nothing was moved"], hint: "weir cluster brokers lists them")
    }
    return plan.wanted
}

/// A plan in the form of kafka-reassign-partitions.
private func wantedByFile(_ path: String) throws(Problem) -> [WantedReplicas] {
    let text = try readFile(path)
    func fail(_ what: String) -> Problem {
        Problem(
            "usage.plan", "the plan \(path) \(what)",
            hint:
                #"it looks like {"partitions":[{"topic":"orders","partition":0,"replicas":[1,2]}]}"#
        )
    }
    guard let json = try? JSONValue(parsing: text) else { throw fail("is no JSON") }
    guard case .array(let entries)? = json["partitions"] else {
        throw fail("has no list \"partitions\"")
    }
    var wanted: [WantedReplicas] = []
    for (place, entry) in entries.enumerated() {
        guard case .string(let topic)? = entry["topic"],
            let partition = entry["partition"]?.intValue.flatMap({ Int32(exactly: $0) }),
            case .array(let brokers)? = entry["replicas"]
        else { throw fail("has no topic, partition and replicas in entry \(place + 1)") }
        var replicas: [Int32] = []
        for broker in brokers {
            guard let number = broker.intValue.flatMap({ Int32(exactly: $0) }) else {
                throw fail("names a broker that is no number in entry \(place + 1)")
            }
            replicas.append(number)
        }
        wanted.append(WantedReplicas(topic: topic, partition: partition, replicas: replicas))
    }
    return wanted
}

// MARK: Moving

/// Carries a plan out, some moves at a time, and says how far it is.
private struct MoveRun {
    private let context: CommandContext
    private let admin: Admin

    init(_ context: CommandContext, _ admin: Admin) {
        self.context = context
        self.admin = admin
    }

    /// `beside`: what became of others already.
    func run(
        _ wanted: [WantedReplicas], beside: [ItemOutcome] = []
    ) throws(Problem) -> ExitCode {
        let width = Int(try context.invocation.integer("concurrent", in: 1...10_000) ?? 10)
        if wanted.isEmpty, beside.isEmpty {
            context.say("nothing has to move")
            if context.isJSON { context.print(["moves": .array([])]) }
            return .ok
        }
        if context.invocation.isSet("dry-run") { return show(wanted, "would move") }
        var outcomes = beside
        var waiting = wanted[...]
        var underWay: [TopicPartition] = []
        let progress = ProgressLine(context)
        defer { progress.end() }
        while !waiting.isEmpty || !underWay.isEmpty {
            let next = Array(waiting.prefix(width - underWay.count))
            if !next.isEmpty {
                waiting = waiting.dropFirst(next.count)
                let failures = try calling { () throws(ClientFailure) in try admin.move(next) }
                for (place, move) in next.enumerated() {
                    let key = TopicPartition(topic: move.topic, partition: move.partition)
                    if let failure = failures[place] {
                        var outcome = ItemOutcome(name: "\(key)")
                        outcome.problem = Problem(failure)
                        outcomes.append(outcome)
                    } else {
                        underWay.append(key)
                    }
                }
            }
            let moves = try calling { () throws(ClientFailure) in try admin.listMoves() }
            let stillMoving = Set(
                moves.map { TopicPartition(topic: $0.topic, partition: $0.partition) })
            outcomes += underWay.filter { !stillMoving.contains($0) }.map {
                ItemOutcome(name: "\($0)")
            }
            underWay.removeAll { !stillMoving.contains($0) }
            progress.show("moved \(outcomes.count - beside.count) of \(wanted.count) partitions")
            if underWay.count == width || waiting.isEmpty, !underWay.isEmpty {
                SystemClock.sleep(.milliseconds(200))
            }
        }
        progress.end()
        return context.finish(outcomes, "move", done: "moved")
    }

    private func show(_ wanted: [WantedReplicas], _ verb: String) -> ExitCode {
        func text(_ move: WantedReplicas) -> String {
            (move.replicas ?? []).map { "\($0)" }.joined(separator: ",")
        }
        context.printTable(
            TextTable(
                [.init("PARTITION"), .init("REPLICAS")],
                rows: wanted.map { ["\($0.topic)-\($0.partition)", text($0)] }),
            json: [
                "moves": .array(
                    wanted.map { move in
                        [
                            "topic": .string(move.topic), "partition": .int(move.partition),
                            "replicas": .array((move.replicas ?? []).map { .int($0) }),
                        ]
                    })
            ])
        return .ok
    }
}
