import Base
import Coordinator
import FaultyDisks
import Log
import Node
import Quorum
import Synchronization
import Testing
import WireProtocol

/// Keeps what nodes say to operators.
final class KeptDiagnostics: Diagnostics {
    private let kept = Mutex<[String]>([])

    func report(_ severity: Severity, _ component: String, _ message: String) {
        kept.withLock { $0.append(message) }
    }

    var messages: [String] { kept.withLock { $0 } }
}

/// Drives the nodes of a cluster in one thread, over disks in memory, with one clock. A node may be
/// killed and started again, also on another disk. What a node sends over a link arrives at once, and
/// disks are quick; with `isRough` both take their time, and who is killed forgets what was not synced.
struct ClusterHarness {
    /// One end of a connection.
    struct End: Hashable {
        var node: Int
        var id: UInt64
    }

    private enum Work {
        case event(NodeEvent)
        case sync(SyncTicket, any DiskFile)
        case job(QuorumJob)
    }

    private struct Mail {
        var due: Int64
        var sequence: UInt64
        var node: Int
        /// The start of the process that it is for.
        var life: UInt64
        var work: Work
    }

    private(set) var nodes: [BrokerNode?]
    var disks: [any Disk]
    let isRough: Bool
    private var random: Random
    private var lives: [UInt64]
    private var lastSequence: UInt64 = 0
    /// When the last thing arrived on each connection: what follows comes later.
    private var arrivals: [End: Int64] = [:]
    private(set) var said: [KeptDiagnostics]
    private(set) var milliseconds: Int64 = 1_700_000_000_000
    private(set) var sent: [End: [Bytes]] = [:]
    private(set) var closed: [End: String] = [:]
    private(set) var finished: [UInt64: Result<NodeAnswer, Problem>] = [:]
    private(set) var halted: [Problem?]
    private var peers: [End: End] = [:]
    private var wakes: [Instant?]
    /// By the time at which it is due.
    private var mail: [Mail] = []
    private var lastID: UInt64 = 0
    private var lastCorrelation: Int32 = 0
    private var lastSeed: UInt64
    /// Nodes whose calls are refused and who call nobody.
    private var isolated: Set<Int> = []
    private let change: (inout NodeConfiguration) -> Void

    init(
        count: Int, seed: UInt64 = 100, isRough: Bool = false,
        _ change: @escaping (inout NodeConfiguration) -> Void = { _ in }
    ) {
        self.isRough = isRough
        random = Random(seed: seed)
        lives = Array(repeating: 0, count: count)
        nodes = Array(repeating: nil, count: count)
        disks = (0..<count).map { _ -> any Disk in
            if isRough { CrashDisk() } else { MemoryDisk() }
        }
        said = (0..<count).map { _ in KeptDiagnostics() }
        halted = Array(repeating: nil, count: count)
        wakes = Array(repeating: nil, count: count)
        lastSeed = seed
        self.change = change
    }

    private var now: Now {
        Now(
            monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
            wallMicroseconds: milliseconds * 1000)
    }

    // MARK: Processes

    /// Starts node `node`, counted from 1.
    mutating func start(_ node: Int) throws {
        var configuration = NodeConfiguration()
        configuration.nodeID = NodeID(Int32(node))
        configuration.groups.initialRebalanceDelay = .zero
        configuration.offsetsPartitions = 2
        configuration.log.journalFileBytes = 1 << 20
        configuration.advertisedHost = "broker\(node)"
        var cluster = ClusterConfiguration(
            members: (1...nodes.count).map { .init(host: "node\($0)", port: 9090) })
        cluster.listener = 1
        configuration.cluster = cluster
        change(&configuration)
        lastSeed += 1
        said[node - 1] = KeptDiagnostics()
        halted[node - 1] = nil
        nodes[node - 1] = try BrokerNode(
            configuration: configuration, disk: disks[node - 1], random: Random(seed: lastSeed),
            diagnostics: said[node - 1], now: now)
        post(node, .event(.timer))
        deliver()
    }

    mutating func startAll() throws {
        for node in 1...nodes.count { try start(node) }
    }

    /// The process is gone; its peers see their connections end.
    mutating func kill(_ node: Int) {
        nodes[node - 1] = nil
        wakes[node - 1] = nil
        lives[node - 1] += 1
        if let disk = disks[node - 1] as? CrashDisk {
            disk.restart(keepingUnsynced: random.chance(1, in: 2))
        }
        cutLinks(of: node)
        deliver()
    }

    /// Ends the links of a node, and lets it make none until `rejoin`.
    mutating func isolate(_ node: Int) {
        isolated.insert(node)
        cutLinks(of: node)
        deliver()
    }

    private mutating func cutLinks(of node: Int) {
        let own = peers.filter { $0.key.node == node }.sorted { $0.key.id < $1.key.id }
        for (end, other) in own {
            peers[end] = nil
            peers[other] = nil
            post(end.node, .event(.connectionClosed(ConnectionID(end.id))))
            post(other.node, .event(.connectionClosed(ConnectionID(other.id))))
        }
    }

    /// What `node` is to hear or to be done for it, `delay` milliseconds at most from now.
    private mutating func post(_ node: Int, _ work: Work, delay: Int = 0, on end: End? = nil) {
        var due = milliseconds
        if isRough, delay > 0 { due += Int64(random.below(delay)) }
        if let end {
            due = max(due, arrivals[end] ?? 0)
            arrivals[end] = due
        }
        lastSequence += 1
        let new = Mail(
            due: due, sequence: lastSequence, node: node, life: lives[node - 1], work: work)
        let place = mail.firstIndex { $0.due > due } ?? mail.count
        mail.insert(new, at: place)
    }

    mutating func rejoin(_ node: Int) { isolated.remove(node) }

    // MARK: Time

    private mutating func deliver() {
        while let first = mail.first, first.due <= milliseconds {
            mail.removeFirst()
            let node = first.node
            guard nodes[node - 1] != nil, halted[node - 1] == nil, first.life == lives[node - 1]
            else { continue }
            let event: NodeEvent
            switch first.work {
            case .event(let given): event = given
            case .sync(let ticket, let file):
                event = .journalSynced(ticket, failure: synced(file))
            case .job(let job):
                event = .quorumJobDone(number: job.number, failure: job.run(on: disks[node - 1]))
            }
            var effects: [NodeEffect] = []
            let time = now
            nodes[node - 1]?.handle(event, now: time, into: &effects)
            for effect in effects { carryOut(effect, node) }
            if halted[node - 1] == nil { nodes[node - 1]?.checkInvariants() }
        }
    }

    private mutating func carryOut(_ effect: NodeEffect, _ node: Int) {
        switch effect {
        case .send(let id, let pieces):
            let end = End(node: node, id: id.value)
            let frame = Bytes.joined(pieces)
            if let peer = peers[end] {
                post(
                    peer.node, .event(.request(ConnectionID(peer.id), frame[4..<frame.count])),
                    delay: 20, on: peer)
            } else {
                sent[end, default: []].append(frame)
            }
        case .close(let id, let reason):
            let end = End(node: node, id: id.value)
            closed[end] = reason
            if let peer = peers.removeValue(forKey: end) {
                peers[peer] = nil
                post(
                    peer.node, .event(.connectionClosed(ConnectionID(peer.id))), delay: 20,
                    on: peer)
            }
        case .syncJournal(let ticket, let file), .syncSegment(let ticket, let file):
            post(node, .sync(ticket, file), delay: 10)
        case .runQuorumJob(let job): post(node, .job(job), delay: 10)
        case .dial(let target, _, _):
            let other = Int(target.value)
            guard nodes[other - 1] != nil, !isolated.contains(node), !isolated.contains(other)
            else {
                return post(node, .event(.dialFailed(target, "nobody is there")), delay: 20)
            }
            let ends = (End(node: node, id: nextID()), End(node: other, id: nextID()))
            peers[ends.0] = ends.1
            peers[ends.1] = ends.0
            post(
                other,
                .event(
                    .connectionOpened(ConnectionID(ends.1.id), peer: "node\(node):1", listener: 1)),
                on: ends.1)
            post(
                node,
                .event(.dialed(target, ConnectionID(ends.0.id), address: "node\(other)")),
                on: ends.0)
        case .wakeAt(let instant): wakes[node - 1] = instant
        case .halt(let problem): halted[node - 1] = problem
        case .commandFinished(let id, let result): finished[id.value] = result
        case .authenticated, .linked, .mayStop, .pause: break
        }
    }

    private func synced(_ file: any DiskFile) -> StorageFailure? {
        do throws(StorageFailure) {
            try file.sync()
            return nil
        } catch {
            return error
        }
    }

    private mutating func nextID() -> UInt64 {
        lastID += 1
        return lastID
    }

    /// Lets time pass, by milliseconds.
    mutating func advance(_ duration: Int64) {
        let end = milliseconds + duration
        while milliseconds < end {
            let due =
                wakes.compactMap { $0 }.min()
                .map { ($0.nanoseconds + 999_999) / 1_000_000 } ?? end
            let arrival = mail.first?.due ?? end
            milliseconds = min(end, arrival, max(due, milliseconds + 1))
            deliver()
            for node in 1...nodes.count {
                guard let wake = wakes[node - 1], wake <= now.monotonic else { continue }
                wakes[node - 1] = nil
                post(node, .event(.timer))
            }
            deliver()
        }
    }

    /// Time passes and nobody notices, as when the machine sleeps.
    mutating func standStill(_ duration: Int64) { milliseconds += duration }

    /// Lets time pass until `condition`, at most half a minute.
    mutating func advance(until condition: (inout ClusterHarness) throws -> Bool) throws {
        for _ in 0..<300 {
            if try condition(&self) { return }
            advance(100)
        }
        for node in 1...nodes.count {
            let last = said[node - 1].messages.suffix(6).joined(separator: "\n  ")
            Issue.record("node \(node), \(halted[node - 1]?.description ?? "running"):\n  \(last)")
        }
        throw Problem("test.late", "did not come true within 30 s")
    }

    // MARK: Clients

    mutating func connect(_ node: Int) -> End {
        let end = End(node: node, id: nextID())
        post(
            node,
            .event(
                .connectionOpened(ConnectionID(end.id), peer: "10.0.0.9:5000", listener: 0)))
        deliver()
        return end
    }

    /// Opens a link as another process would that calls this one.
    mutating func connectAsNode(to node: Int) -> End {
        let end = End(node: node, id: nextID())
        post(
            node,
            .event(
                .connectionOpened(ConnectionID(end.id), peer: "10.0.0.9:5000", listener: 1)))
        deliver()
        return end
    }

    /// Sends a frame without its length.
    mutating func send(_ frame: Bytes, on end: End) {
        post(end.node, .event(.request(ConnectionID(end.id), frame)))
        deliver()
    }

    /// Sends a request to a node on a connection of its own.
    mutating func begin(_ node: Int, _ body: some WireRequest, version: Int16) -> End {
        let end = connect(node)
        lastCorrelation += 1
        let frame = Bytes.joined(
            body.frame(version: version, correlationId: lastCorrelation, clientId: "test"))
        send(frame[4..<frame.count], on: end)
        return end
    }

    /// Gives a node a command of its own process; what comes of it will be in `finished`.
    mutating func beginCommand(_ node: Int, _ command: NodeCommand) -> UInt64 {
        let id = nextID()
        post(node, .event(.command(CommandID(id), command)))
        deliver()
        return id
    }

    /// The same, with its result; nil while it has none.
    mutating func command(
        _ node: Int, _ command: NodeCommand
    ) -> Result<NodeAnswer, Problem>? {
        let id = beginCommand(node, command)
        advance(2)
        return finished[id]
    }

    /// The answer on a connection, decoded to its last byte; nil while there is none.
    func answer<Response: WireResponse>(
        on end: End, _ type: Response.Type, version: Int16
    ) throws -> Response? {
        guard let answer = sent[end]?.first else { return nil }
        var reader = ByteReader(answer)
        #expect(Int(try reader.int32()) == answer.count - 4)
        _ = try ResponseHeader(from: &reader, apiKey: Response.apiKey, version: version)
        let response = try Response(from: &reader, version: version)
        #expect(reader.isAtEnd, "the answer is understood to its last byte")
        return response
    }

    /// Sends a request to a node and waits up to ten seconds for its answer.
    mutating func call<Request: WireRequest>(
        _ node: Int, _ body: Request, version: Int16
    ) throws -> Request.Response {
        let end = begin(node, body, version: version)
        var waited: Int64 = 0
        while sent[end] == nil, closed[end] == nil, waited < 10_000 {
            advance(10)
            waited += 10
        }
        if let reason = closed[end] { throw Problem("test.closed", reason) }
        guard let response = try answer(on: end, Request.Response.self, version: version) else {
            throw Problem("test.silent", "node \(node) did not answer within 10 s")
        }
        post(node, .event(.connectionClosed(ConnectionID(end.id))))
        deliver()
        return response
    }

    mutating func metadata(_ node: Int) throws -> MetadataResponse {
        try call(node, MetadataRequest(topics: nil), version: 12)
    }

    /// Waits until every living node tells of `brokers` and one controller; gives its number.
    @discardableResult
    mutating func settle(brokers: [Int32]) throws -> Int {
        var controller: Int32 = -1
        try advance { harness in
            var seen: Set<Int32> = []
            for node in 1...harness.nodes.count where harness.nodes[node - 1] != nil {
                guard let cluster = try? harness.metadata(node),
                    cluster.brokers.map(\.nodeId) == brokers
                else { return false }
                seen.insert(cluster.controllerId)
            }
            controller = seen.first ?? -1
            return seen.count == 1 && controller > 0
        }
        return Int(controller)
    }

    mutating func create(
        _ topic: String, partitions: Int32 = 1, replicas: Int16 = 1, through node: Int
    ) throws -> CreateTopicsResponse.CreatableTopicResult {
        let response = try call(
            node,
            CreateTopicsRequest(topics: [
                .init(name: topic, numPartitions: partitions, replicationFactor: replicas)
            ]), version: 7)
        return try #require(response.topics.first)
    }

    /// Who leads the partitions of a topic, as a node tells it.
    mutating func leaders(of topic: String, _ node: Int) throws -> [Int32] {
        try metadata(node).topics.first { $0.name == topic }?.partitions.map(\.leaderId) ?? []
    }

    mutating func produce(
        _ topic: String, _ partition: Int32 = 0, _ values: [String], to node: Int
    ) throws -> ProduceResponse.PartitionProduceResponse {
        let deadline = milliseconds + 10_000
        while true {
            let response = try call(
                node,
                ProduceRequest(
                    acks: -1, timeoutMs: 5000,
                    topicData: [
                        .init(
                            name: topic,
                            partitionData: [
                                .init(index: partition, records: [batch(values, milliseconds)])
                            ])
                    ]), version: 9)
            let result = try #require(response.responses.first?.partitionResponses.first)
            // Whoever has just become the leader has to make that durable first; a client asks again.
            let mayBecome =
                try result.errorCode == .notEnoughReplicas
                || result.errorCode == .notLeaderOrFollower
                    && leaders(of: topic, node)[Int(partition)] == Int32(node)
            guard mayBecome, milliseconds < deadline else { return result }
            advance(100)
        }
    }
}
