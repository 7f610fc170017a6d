import Base
import Runtime
import WeirClient

let clusterCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "cluster info", "Tells which cluster a server belongs to, and who keeps its metadata",
            flags: [brokerFlag]),
        run: clusterInfo),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster brokers", "Lists the brokers, alive or not, and what each leads",
            flags: [brokerFlag]),
        run: clusterBrokers),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster health",
            "Tells what is wrong with the cluster; exit code 4 when something is",
            details: """
                Wrong are: no controller, a voter that is far behind, a broker that is fenced, a
                partition without a leader, one with fewer in-sync replicas than replicas.
                """,
            flags: [brokerFlag],
            examples: [("weir cluster health --quiet", "for alarms: only the exit code")]),
        run: clusterHealth),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster forget",
            "Forgets a node that is gone for good, so that a new disk may replace it",
            details: """
                The node must not run. It votes on nothing any more; its replicas stay listed, and are
                copied to whoever is started with its number: with an empty data directory.
                """,
            arguments: [ArgumentSpec("NODE", .one, "The number of the node")],
            flags: [brokerFlag],
            examples: [("weir cluster forget 2", "then start node 2 on its new disk")]),
        run: forgetNode),
    RegisteredCommand(
        spec: CommandSpec(
            "cluster balance", "Gives leaderships back to the first replicas of partitions",
            details: """
                The cluster does so by itself every five minutes. A first replica that is not in sync
                gets nothing.
                """,
            flags: [
                FlagSpec("replicas", "r", "Also move replicas until all brokers have alike")
            ] + moveFlags),
        run: balanceCluster),
]

private func balanceCluster(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        if context.invocation.isSet("replicas") {
            return try spread(context, admin, ClusterPicture(admin))
        }
        let done = try calling { () throws(ClientFailure) in try admin.balance() }
        if context.isJSON {
            context.print([
                "moved": .array(done.moved.map { .string($0) }),
                "stuck": .array(done.stuck.map { .string($0) }),
            ])
            return .ok
        }
        context.say(
            "\(done.moved.count) leaderships were given back"
                + (done.stuck.isEmpty
                    ? "" : ", \(done.stuck.count) first replicas are not in sync"))
        return .ok
    }
}

private func forgetNode(_ context: CommandContext) throws(Problem) -> ExitCode {
    let text = context.invocation.arguments.first ?? ""
    guard let node = Int32(text), node > 0 else {
        throw Problem("usage.value", "NODE is the number of a node, found \"\(text)\"")
    }
    return try context.withAdmin { (admin) throws(Problem) in
        try calling { () throws(ClientFailure) in try admin.unregisterBroker(node) }
        if context.isJSON {
            context.print(["forgotten": .int(node)])
        } else {
            context.say("node \(node) is forgotten: it may be started with an empty data directory")
        }
        return .ok
    }
}

private func clusterInfo(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let cluster = try calling { () throws(ClientFailure) in try admin.describeCluster() }
        let quorum = try calling { () throws(ClientFailure) in try admin.describeQuorum() }
        let table = TextTable(
            [
                .init("NODE", isNumber: true), .init("VOTES"), .init("LEADS"),
                .init("BEHIND", isNumber: true), .init("ADDRESS"),
            ],
            rows: quorum.members.map { member in
                [
                    "\(member.id)", member.isVoter ? "yes" : "no",
                    member.id == quorum.leader ? "yes" : "",
                    behind(member, quorum).map { "\($0)" } ?? "?", member.address ?? "",
                ]
            })
        let json: JSONValue = [
            "cluster": .string(cluster.clusterId ?? ""), "controller": .int(quorum.leader),
            "term": .int(quorum.term), "committed": .int(quorum.committed),
            "nodes": .array(
                quorum.members.map { member in
                    [
                        "node": .int(member.id), "votes": .bool(member.isVoter),
                        "behind": behind(member, quorum).map { .int($0) } ?? .null,
                        "address": member.address.map { .string($0) } ?? .null,
                    ]
                }),
        ]
        if (context.invocation.string("output") ?? "text") == "text" {
            context.print(
                """
                cluster     \(cluster.clusterId ?? "")
                controller  \(quorum.leader < 0 ? "none" : "node \(quorum.leader)"), term \(quorum.term)
                brokers     \(cluster.brokers.count) alive

                """)
        }
        context.printTable(table, json: json)
        return .ok
    }
}

/// Entries of the metadata log that a member lacks; nil when nobody knows.
private func behind(_ member: QuorumMember, _ quorum: QuorumInfo) -> Int64? {
    member.logEnd < 0 ? nil : max(0, quorum.committed - member.logEnd)
}

private func clusterBrokers(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let brokers = try calling { () throws(ClientFailure) in try admin.describeBrokers() }
        let topics = try calling { () throws(ClientFailure) in
            try admin.listTopics(includeInternal: true)
        }
        let controller = try calling { () throws(ClientFailure) in
            try admin.describeCluster().controllerId
        }
        var leads: [Int32: Int] = [:]
        var replicas: [Int32: Int] = [:]
        for partition in topics.flatMap(\.partitions) {
            leads[partition.leader, default: 0] += 1
            for replica in partition.replicas { replicas[replica, default: 0] += 1 }
        }
        let table = TextTable(
            [
                .init("BROKER", isNumber: true), .init("ADDRESS"), .init("STATE"),
                .init("LEADS", isNumber: true), .init("REPLICAS", isNumber: true), .init("RACK"),
                .init("CONTROLLER"),
            ],
            rows: brokers.map { broker in
                [
                    "\(broker.id)", "\(broker.host):\(broker.port)",
                    broker.isFenced ? "fenced" : "alive", "\(leads[broker.id] ?? 0)",
                    "\(replicas[broker.id] ?? 0)", broker.rack ?? "",
                    broker.id == controller ? "yes" : "",
                ]
            })
        let json = brokers.map { broker -> JSONValue in
            [
                "broker": .int(broker.id), "host": .string(broker.host),
                "port": .int(broker.port), "alive": .bool(!broker.isFenced),
                "leads": .int(leads[broker.id] ?? 0), "replicas": .int(replicas[broker.id] ?? 0),
                "rack": broker.rack.map { .string($0) } ?? .null,
                "controller": .bool(broker.id == controller),
            ]
        }
        context.printTable(table, json: ["brokers": .array(json)])
        return .ok
    }
}

/// What is wrong with a cluster, as every client can ask.
struct ClusterTroubles {
    enum Kind: String {
        case noController = "no controller"
        case voterBehind = "voter behind"
        case brokerFenced = "broker fenced"
        case noLeader = "no leader"
        case replicasMissing = "replicas missing"

        /// Somebody waits, or a further loss makes somebody wait.
        var isSevere: Bool { self != .voterBehind && self != .replicasMissing }

        var remedy: String {
            switch self {
            case .noController: "start the nodes that vote: a majority of them is needed"
            case .voterBehind: "weir cluster info; it catches up by itself when it can"
            case .brokerFenced: "start it again, or weir cluster drain and forget it"
            case .noLeader: "start the brokers that have it: weir topic describe"
            case .replicasMissing:
                "weir cluster brokers; they are copied when their brokers are back"
            }
        }
    }

    var troubles: [(kind: Kind, place: String)] = []
    var brokers = 0
    var topics = 0
    var controller: Int32 = -1

    init(_ admin: Admin) throws(Problem) {
        brokers = try calling { () throws(ClientFailure) in
            try admin.describeCluster().brokers.count
        }
        let quorum = try calling { () throws(ClientFailure) in try admin.describeQuorum() }
        controller = quorum.leader
        if controller < 0 {
            troubles.append((.noController, "a majority of the voters is not there"))
        }
        for member in quorum.members where member.isVoter {
            guard let lag = behind(member, quorum), lag > 100 else { continue }
            troubles.append((.voterBehind, "node \(member.id) by \(lag) entries"))
        }
        for broker in try calling({ () throws(ClientFailure) in try admin.describeBrokers() })
        where broker.isFenced {
            troubles.append((.brokerFenced, "broker \(broker.id)"))
        }
        try addPartitions(admin)
    }

    private mutating func addPartitions(_ admin: Admin) throws(Problem) {
        // Who comes with a move is not missed.
        var coming: [TopicPartition: [Int32]] = [:]
        for move in try calling({ () throws(ClientFailure) in try admin.listMoves() }) {
            coming[TopicPartition(topic: move.topic, partition: move.partition)] = move.adding
        }
        let known = try calling { () throws(ClientFailure) in
            try admin.listTopics(includeInternal: true)
        }
        topics = known.count
        for topic in known {
            for partition in topic.partitions {
                let name = TopicPartition(topic: topic.name, partition: partition.partition)
                let isWhole = partition.replicas.allSatisfy {
                    partition.inSyncReplicas.contains($0) || coming[name]?.contains($0) == true
                }
                if partition.leader < 0 {
                    troubles.append((.noLeader, "\(name)"))
                } else if !isWhole {
                    troubles.append((.replicasMissing, "\(name)"))
                }
            }
        }
    }
}

private func clusterHealth(_ context: CommandContext) throws(Problem) -> ExitCode {
    try context.withAdmin { (admin) throws(Problem) in
        let cluster = try ClusterTroubles(admin)
        let json: JSONValue = [
            "healthy": .bool(cluster.troubles.isEmpty), "controller": .int(cluster.controller),
            "troubles": .array(
                cluster.troubles.map {
                    ["trouble": .string($0.kind.rawValue), "name": .string($0.place)]
                }),
        ]
        if cluster.troubles.isEmpty, !context.isJSON {
            context.say(
                "nothing is wrong: \(cluster.brokers) brokers, \(cluster.topics) topics")
            return .ok
        }
        context.printTable(
            TextTable(
                [.init("TROUBLE"), .init("WHERE")],
                rows: cluster.troubles.map { [$0.kind.rawValue, $0.place] }),
            json: json)
        return cluster.troubles.isEmpty ? .ok : .checkFailed
    }
}
