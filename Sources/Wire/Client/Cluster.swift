// What the parts of the client share: connections, and the picture of the cluster.

import Base
import WireProtocol

/// A topic as the brokers describe it.
struct TopicState: Hashable, Sendable {
    struct Partition: Hashable, Sendable {
        var leader: Int32
        var leaderEpoch: Int32
    }
    /// By partition number. A gap (a partition without metadata) has leader -1.
    var partitions: [Partition]
    /// Zero when the broker doesn't tell.
    var id = UUID128.zero
    /// When this was learnt.
    var learnt: Int64
}

/// The connections of one client and what it knows about the cluster. Every call may block; all
/// may be made from any thread.
final class Cluster: Sendable {
    /// Requests that the broker may answer late would hold up others on the same connection, so
    /// group requests and fetches have connections of their own.
    enum Purpose: Hashable, Sendable { case general, coordination, fetching }

    private struct Key: Hashable {
        var node: Int32
        var purpose: Purpose
    }

    private struct Broker: Hashable {
        var host: String
        var port: Int32
    }

    private struct State {
        var connections: [Key: BrokerConnection] = [:]
        /// Brokers to which a connection failed, and when that was noticed last.
        var troubles: [Int32: Int64] = [:]
        var brokers: [Int32: Broker] = [:]
        var topics: [String: TopicState] = [:]
        var controllerId: Int32 = -1
        var nextBootstrap = 0
        var isClosed = false
    }

    let configuration: ClientConfiguration
    private let state = Monitor(State())
    /// Held while connecting, so that two threads don't connect to the same broker at once.
    private let connecting = Monitor(())

    init(_ configuration: ClientConfiguration) { self.configuration = configuration }

    func close() {
        let connections = state.withLock { state in
            state.isClosed = true
            defer { state.connections = [:] }
            return Array(state.connections.values)
        }
        for connection in connections { connection.close() }
    }

    // MARK: Connections

    /// The connection to a broker that metadata named.
    func connection(
        to node: Int32, for purpose: Purpose = .general
    ) throws(ClientFailure) -> BrokerConnection {
        let key = Key(node: node, purpose: purpose)
        if let open = try open(key) { return open }
        return try connecting.withLock { (_) throws(ClientFailure) in
            if let open = try open(key) { return open }
            guard let broker = state.withLock({ $0.brokers[node] }) else {
                throw ClientFailure(.brokerNotAvailable, "broker \(node) is not known")
                    .retriable
            }
            return try connect(key, host: broker.host, port: broker.port)
        }
    }

    /// Any broker, for requests that each can answer: one that works before one that is not known
    /// to, and last those that failed, the one first whose failure is the oldest. A broker that hangs
    /// takes connections and answers nothing, so whoever began with it each time would hang with it.
    func anyConnection() throws(ClientFailure) -> BrokerConnection {
        let (working, others) = state.withLock { state in
            let nodes = state.brokers.keys.sorted()
            for node in nodes {
                let key = Key(node: node, purpose: .general)
                guard let connection = state.connections[key], connection.failure != nil else {
                    continue
                }
                state.connections[key] = nil
                state.troubles[node] = monotonicNow()
            }
            let working = nodes.first {
                state.connections[Key(node: $0, purpose: .general)] != nil
            }
            let others = nodes.sorted {
                (state.troubles[$0] ?? .min, $0) < (state.troubles[$1] ?? .min, $1)
            }
            return (working, others)
        }
        if let working, let connection = try? connection(to: working) { return connection }
        for node in others {
            if let connection = try? connection(to: node) { return connection }
        }
        return try bootstrap()
    }

    private func open(_ key: Key) throws(ClientFailure) -> BrokerConnection? {
        let (connection, isClosed) = state.withLock { ($0.connections[key], $0.isClosed) }
        if isClosed { throw .closed }
        guard let connection, connection.failure == nil else { return nil }
        return connection
    }

    private func connect(
        _ key: Key, host: String, port: Int32
    ) throws(ClientFailure) -> BrokerConnection {
        let connection: BrokerConnection
        do throws(ClientFailure) {
            connection = try BrokerConnection(
                host: host, port: port, configuration: configuration)
        } catch {
            state.withLock { $0.troubles[key.node] = monotonicNow() }
            throw error
        }
        let isClosed = state.withLock { state in
            state.connections[key] = connection
            state.troubles[key.node] = nil
            return state.isClosed
        }
        if isClosed {
            connection.close()
            throw .closed
        }
        return connection
    }

    /// Connects to the configured addresses in turn, beginning behind the one that served last.
    private func bootstrap() throws(ClientFailure) -> BrokerConnection {
        let servers = configuration.bootstrapServers
        guard !servers.isEmpty else { throw ClientFailure("no bootstrap servers are configured") }
        return try connecting.withLock { (_) throws(ClientFailure) in
            var last = ClientFailure("no bootstrap server answers", isRetriable: true)
            for _ in servers {
                let index = state.withLock { state in
                    defer { state.nextBootstrap += 1 }
                    return state.nextBootstrap % servers.count
                }
                let key = Key(node: -1 - Int32(index), purpose: .general)
                do throws(ClientFailure) {
                    if let open = try open(key) { return open }
                    let (host, port) = try Self.parse(servers[index])
                    return try connect(key, host: host, port: port)
                } catch {
                    last = error
                    if !error.isRetriable { break }
                }
            }
            throw last
        }
    }

    /// Splits `host:port`, also with an IPv6 address in brackets.
    static func parse(_ server: String) throws(ClientFailure) -> (String, Int32) {
        var host = Substring(server)
        var port: Int32 = 9092
        let wrong = ClientFailure("'\(server)' is not an address like broker.example:9092")
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { throw wrong }
            let rest = host[host.index(after: end)...]
            host = host[host.index(after: host.startIndex)..<end]
            if !rest.isEmpty {
                guard rest.hasPrefix(":"), let number = Int32(rest.dropFirst()) else { throw wrong }
                port = number
            }
        } else if let colon = host.lastIndex(of: ":") {
            guard let number = Int32(host[host.index(after: colon)...]) else { throw wrong }
            port = number
            host = host[..<colon]
        }
        guard !host.isEmpty, (1...65_535).contains(port) else { throw wrong }
        return (String(host), port)
    }

    // MARK: Metadata

    /// The topic as known, without asking anybody; nil when unknown or too old.
    func knownTopic(_ name: String, evenIfOld: Bool = false) -> TopicState? {
        guard let topic = state.withLock({ $0.topics[name] }) else { return nil }
        let oldest = monotonicNow() - configuration.metadataMaxAge.wholeNanoseconds
        return evenIfOld || topic.learnt >= oldest ? topic : nil
    }

    /// The topic, asked for until every partition has a leader or the retry time is over.
    func topic(_ name: String, createIfMissing: Bool = true) throws(ClientFailure) -> TopicState {
        if let known = knownTopic(name) { return known }
        return try retrying(for: configuration.retryTimeout) { () throws(ClientFailure) in
            let codes = try refresh([name], createIfMissing: createIfMissing)
            let code = codes[name] ?? .unknownTopicOrPartition
            guard code == .none, let topic = knownTopic(name) else {
                throw ClientFailure(code, "topic '\(name)'")
            }
            return topic
        }
    }

    /// The broker that leads a partition, from what is known; nil when nobody does.
    func leader(of address: PartitionAddress) -> (node: Int32, epoch: Int32)? {
        state.withLock { state in
            guard let topic = state.topics[address.topic],
                topic.partitions.indices.contains(Int(address.partition))
            else { return nil }
            let partition = topic.partitions[Int(address.partition)]
            return partition.leader < 0 ? nil : (partition.leader, partition.leaderEpoch)
        }
    }

    /// Asks for topics (nil = all) and remembers the answer. Returns each topic's code.
    @discardableResult
    func refresh(
        _ names: [String]?, createIfMissing: Bool = false
    ) throws(ClientFailure) -> [String: ErrorCode] {
        let response = try metadata(names, createIfMissing: createIfMissing)
        var codes: [String: ErrorCode] = [:]
        let now = monotonicNow()
        state.withLock { state in
            for topic in response.topics {
                guard let name = topic.name else { continue }
                codes[name] = topic.errorCode
                guard topic.errorCode == .none else {
                    if topic.errorCode == .unknownTopicOrPartition { state.topics[name] = nil }
                    continue
                }
                let count = (topic.partitions.map(\.partitionIndex).max() ?? -1) + 1
                guard count > 0, Int(count) <= Limits.arrayElements else { continue }
                var partitions = [TopicState.Partition](
                    repeating: .init(leader: -1, leaderEpoch: -1), count: Int(count))
                for partition in topic.partitions where partition.partitionIndex >= 0 {
                    partitions[Int(partition.partitionIndex)] = .init(
                        leader: partition.leaderId, leaderEpoch: partition.leaderEpoch)
                }
                state.topics[name] = TopicState(
                    partitions: partitions, id: topic.topicId, learnt: now)
            }
        }
        return codes
    }

    /// The names of topics that are known, by their ids.
    func topicNames() -> [UUID128: String] {
        state.withLock { state in
            var names: [UUID128: String] = [:]
            for (name, topic) in state.topics where topic.id != .zero { names[topic.id] = name }
            return names
        }
    }

    /// The raw answer to Metadata, brokers remembered.
    func metadata(
        _ names: [String]?, createIfMissing: Bool = false
    ) throws(ClientFailure) -> MetadataResponse {
        var request = MetadataRequest()
        request.topics = names.map { $0.map { .init(name: $0) } }
        request.allowAutoTopicCreation = createIfMissing
        let response = try anyConnection().call(request, atMost: 12)
        state.withLock { state in
            state.controllerId = response.controllerId
            guard !response.brokers.isEmpty else { return }
            var brokers: [Int32: Broker] = [:]
            for broker in response.brokers {
                brokers[broker.nodeId] = Broker(host: broker.host, port: broker.port)
            }
            // A broker that moved must not be reached by its old connection. Whoever waits there, on another
            // thread, asks again elsewhere.
            for (key, connection) in state.connections where key.node >= 0 {
                if brokers[key.node] != state.brokers[key.node] {
                    connection.close(
                        ClientFailure(
                            "broker \(key.node) is not where it was", isRetriable: true))
                    state.connections[key] = nil
                }
            }
            state.brokers = brokers
        }
        return response
    }

    /// The controller, for requests that only it answers; any broker when none is known.
    func controllerConnection() throws(ClientFailure) -> BrokerConnection {
        if state.withLock({ $0.brokers.isEmpty }) { _ = try metadata([]) }
        let id = state.withLock { $0.controllerId }
        return id >= 0 ? try connection(to: id) : try anyConnection()
    }

    /// The broker that coordinates a group.
    func coordinator(ofGroup group: String) throws(ClientFailure) -> BrokerConnection {
        try coordinator(.group, group, "group '\(group)'")
    }

    /// The broker that coordinates the transactions of a producer.
    func coordinator(ofTransactions id: String) throws(ClientFailure) -> BrokerConnection {
        try coordinator(.transaction, id, "transactional id '\(id)'")
    }

    private func coordinator(
        _ type: CoordinatorType, _ key: String, _ what: String
    ) throws(ClientFailure) -> BrokerConnection {
        var request = FindCoordinatorRequest()
        request.key = key
        request.keyType = type.rawValue
        let response = try anyConnection().call(request, atMost: 3)
        guard response.errorCode == .none else {
            throw ClientFailure(
                response.errorCode, "find the coordinator of \(what)",
                detail: response.errorMessage)
        }
        state.withLock { state in
            state.brokers[response.nodeId] = Broker(host: response.host, port: response.port)
        }
        return try connection(to: response.nodeId, for: .coordination)
    }
}

extension ClientFailure {
    /// The same failure as one that is worth another try.
    var retriable: ClientFailure {
        var copy = self
        copy.isRetriable = true
        return copy
    }
}
