// A cluster of whole nodes with clients that speak the protocol, under faults of network, disk, clock and
// process, from one seed: first a phase in which anything may happen and nothing that a client was told
// may become untrue, then healing, after which everything works again. Connections are as TCP has them:
// in order, late, and at their end when somebody dies.

import Base
import Coordinator
import Log
import Node
import Quorum
import WireProtocol

/// Runs a cluster of one to five nodes from one seed.
package func simulateCluster(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = ClusterSimulation(seed: seed, options: options)
    return simulation.run()
}

struct ClusterSimulation {
    enum Event {
        case node(Int, process: Int, NodeEvent)
        case wake(Int, process: Int, UInt64)
        case syncDone(Int, process: Int, SyncTicket)
        case jobEnd(Int, process: Int, QuorumJob, [(any DiskFile, SimulatedFile.Flush)])
        /// An answer for a client; nil = the connection is closed.
        case client(SimulatedEnd, Bytes?)
        case act(Int)
        case timeout(Int, attempt: Int)
        case start(Int)
        case fault(ClusterFault)
        case reset(SimulatedEnd)
        case heal
        case quiet
    }

    static let eventCountMax = 4_000_000

    let options: SimulationOptions
    let swarm: ClusterSwarm
    var result: SimulationResult
    var nodes: [SimulatedNode] = []
    var queue = EventQueue<Event>()
    var time: Int64 = 1_000_000_000
    var network: Random
    var diskTimes: Random
    var faults: Random
    var load: Random
    private var nodeSeeds: Random
    /// `blockedUntil[a][b]`: what goes from a to b arrives later than this.
    var blockedUntil: [[Int64]]
    private var peers: [SimulatedEnd: SimulatedEnd] = [:]
    /// When the last thing arrived at an end: what follows comes later.
    private var arrivals: [SimulatedEnd: Int64] = [:]
    private var lastID: UInt64 = 0
    var isHealed = false
    var isQuiet = false
    var checker = ClusterChecker()
    var clients: [ClusterClient] = []
    /// Who waits for a command. Looked up only.
    var commands: [CommandID: Int] = [:]
    private var trace = TraceHash()

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed ^ 0xC1_05_7E_12)
        var shape = random.fork()
        swarm = ClusterSwarm(&shape)
        network = random.fork()
        diskTimes = random.fork()
        faults = random.fork()
        load = random.fork()
        nodeSeeds = random.fork()
        blockedUntil = Array(
            repeating: Array(repeating: 0, count: swarm.nodes), count: swarm.nodes)
        for _ in 0..<swarm.nodes {
            nodes.append(
                SimulatedNode(
                    disk: SimulatedDisk(random: random.fork(), sectorBytes: swarm.sectorBytes),
                    clock: DriftingClock(
                        origin: Int64(shape.below(1_000_000_000_000)), at: time)))
        }
        makeClients()
        var apart = Random(seed: seed ^ 0x1251_DE25)
        makeInsiders(&apart)
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        narrate(swarm.summary)
        for index in nodes.indices { setClock(index) }
        for index in nodes.indices { start(index) }
        for index in clients.indices { queue.schedule(.act(index), at: time + 100_000_000) }
        scheduleFaults()
        let chaos = time + Int64(options.eventCount) * 60_000_000
        queue.schedule(.heal, at: chaos)
        let work = Int64(swarm.sessionTimeout) * 2_000_000 + 15_000_000_000
        queue.schedule(.quiet, at: chaos + work)
        let end = chaos + work + 10_000_000_000
        while checker.anomaly == nil, let next = queue.next(), next.time <= end {
            time = next.time
            result.events += 1
            if result.events > Self.eventCountMax { checker.fail("a storm of events") }
            handle(next.event)
        }
        if checker.anomaly == nil { finish() }
        if let anomaly = checker.anomaly { result.anomalies = [anomaly] }
        result.simulatedNanoseconds = time - 1_000_000_000
        for node in nodes {
            trace.mix(node.disk.trace.value)
            result.failedSyncs += node.disk.failedSyncs
        }
        trace.mix(result.acknowledged)
        result.traceHash = trace.value
        return result
    }

    func narrate(_ text: @autoclosure () -> String) {
        options.narrate?("cluster at \(time / 1000) us: \(text())")
    }

    private mutating func handle(_ event: Event) {
        trace.mix(time)
        switch event {
        case .node(let index, let process, let event): give(index, process, event)
        case .wake(let index, let process, let wake):
            guard nodes[index].wake == wake else { return }
            give(index, process, .timer)
        case .syncDone(let index, let process, let ticket): syncDone(index, process, ticket)
        case .jobEnd(let index, let process, let job, let flushes):
            endJob(index, process, job, flushes)
        case .client(let end, let frame): clientReceives(end, frame)
        case .act(let client): act(client)
        case .timeout(let client, let attempt): timedOut(client, attempt)
        case .start(let index): start(index)
        case .fault(let fault): strike(fault)
        case .reset(let end): close(end)
        case .heal:
            narrate("everything is healed")
            isHealed = true
            heal()
        case .quiet: isQuiet = true
        }
    }

    // MARK: Nodes

    func now(_ index: Int) -> Now {
        Now(
            monotonic: nodes[index].clock.instant(at: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    mutating func setClock(_ index: Int) {
        let rate = Int64(1_000_000 - swarm.drift + faults.below(2 * swarm.drift + 1))
        nodes[index].clock.set(rate: rate, at: time)
    }

    mutating func start(_ index: Int) {
        guard nodes[index].node == nil else { return }
        let disk = nodes[index].disk
        disk.now = now(index).timestamp
        disk.faults.syncFailureOneIn = isHealed ? 0 : swarm.syncFailureOneIn
        nodes[index].process += 1
        nodes[index].frozenUntil = 0
        nodes[index].openSyncs = []
        narrate("node \(index + 1) starts as process \(nodes[index].process)")
        do throws(Problem) {
            nodes[index].node = try BrokerNode(
                configuration: configuration(index), disk: disk, random: nodeSeeds.fork(),
                diagnostics: diagnostics(index), now: now(index))
            queue.schedule(
                .node(index, process: nodes[index].process, .timer), at: time + 1_000_000)
        } catch {
            narrate("node \(index + 1) cannot start: \(error)")
            guard disk.isDead || disk.failedSyncs > 0 else {
                return checker.fail("node \(index + 1) cannot start: \(error.message)")
            }
            result.crashes += 1
            disk.killProcess()
            queue.schedule(.start(index), at: time + 100_000_000)
        }
    }

    private func configuration(_ index: Int) -> NodeConfiguration {
        var configuration = NodeConfiguration()
        configuration.nodeID = NodeID(Int32(index + 1))
        configuration.rack = swarm.racks > 1 ? "r\(index % swarm.racks)" : nil
        configuration.advertisedHost = "node\(index + 1)"
        configuration.groups.initialRebalanceDelay = .zero
        configuration.offsetsPartitions = 2
        configuration.transactionsPartitions = 2
        configuration.log = swarm.store
        configuration.log.storeIdentity = UInt64(index + 1)
        configuration.log.planted = options.planted
        var cluster = ClusterConfiguration(
            members: (1...nodes.count).map { .init(host: "node\($0)", port: 9090) })
        cluster.listener = 1
        cluster.lease = .milliseconds(swarm.lease)
        cluster.heartbeatInterval = .milliseconds(swarm.heartbeatEvery)
        cluster.sessionTimeout = .milliseconds(swarm.sessionTimeout)
        cluster.raft.clockDriftPerMillion = Int64(max(swarm.drift, 10_000))
        configuration.cluster = cluster
        return configuration
    }

    private func diagnostics(_ index: Int) -> any Diagnostics {
        guard options.narrate != nil else { return NarratedDiagnostics { _ in } }
        // The narrator is called in one thread only; diagnostics have to be sendable all the same.
        nonisolated(unsafe) let narrate = options.narrate
        return NarratedDiagnostics { narrate?("cluster: node \(index + 1) says: \($0)") }
    }

    /// Gives a node an event, unless its process is another one by now; a frozen one gets it later.
    private mutating func give(_ index: Int, _ process: Int, _ event: NodeEvent) {
        guard nodes[index].process == process, nodes[index].node != nil else { return }
        if nodes[index].frozenUntil > time {
            return queue.schedule(
                .node(index, process: process, event), at: nodes[index].frozenUntil)
        }
        nodes[index].disk.now = now(index).timestamp
        var effects: [NodeEffect] = []
        let now = now(index)
        nodes[index].node?.handle(event, now: now, into: &effects)
        if nodes[index].disk.isDead { return crash(index, "dies in a call to its disk") }
        for effect in effects where nodes[index].process == process {
            carryOut(effect, index)
        }
        if result.events % 16 == 0 { nodes[index].node?.checkInvariants() }
    }

    private mutating func carryOut(_ effect: NodeEffect, _ index: Int) {
        let process = nodes[index].process
        switch effect {
        case .send(let id, let pieces):
            send(Bytes.joined(pieces), from: SimulatedEnd(place: index, id: id.value))
        case .close(let id, let reason):
            narrate("node \(index + 1) closes \(id.value): \(reason)")
            close(SimulatedEnd(place: index, id: id.value), from: index)
        case .syncJournal(let ticket, let file), .syncSegment(let ticket, let file):
            guard let flush = nodes[index].disk.beginFlush(file) else { return }
            nodes[index].openSyncs.append((ticket, file, flush))
            queue.schedule(
                .syncDone(index, process: process, ticket), at: time + syncTime())
        case .runQuorumJob(let job):
            var flushes: [(any DiskFile, SimulatedFile.Flush)] = []
            if case .sync(let files, _) = job.work {
                for file in files {
                    if let flush = nodes[index].disk.beginFlush(file) {
                        flushes.append((file, flush))
                    }
                }
            }
            queue.schedule(
                .jobEnd(index, process: process, job, flushes), at: time + syncTime())
        case .dial(let target, _, _): dial(Int(target.value) - 1, from: index)
        case .wakeAt(let instant):
            nodes[index].wake += 1
            let wait = max(0, (instant - now(index).monotonic).wholeNanoseconds)
            // Its clock may be slow: then it is asked once more.
            queue.schedule(
                .wake(index, process: process, nodes[index].wake),
                at: time + wait + wait / 50 + 1000)
        case .halt(let problem):
            guard nodes[index].disk.failedSyncs > 0 else {
                return checker.fail("node \(index + 1) halts: \(problem)")
            }
            crash(index, "halts: \(problem.message)")
        case .mayStop:
            narrate("node \(index + 1) may stop")
            end(index)
            nodes[index].disk.killProcess()
            restart(index)
        case .commandFinished(let id, let result): commandFinished(id, result)
        case .authenticated, .linked, .pause: break
        }
    }

    private mutating func syncTime() -> Int64 {
        var delay = Int64(diskTimes.within(swarm.syncLatency))
        if swarm.stalls, !isHealed, diskTimes.chance(1, in: 300) {
            delay += Int64(diskTimes.below(2_000_000_000))
        }
        return delay
    }

    private mutating func syncDone(_ index: Int, _ process: Int, _ ticket: SyncTicket) {
        guard nodes[index].process == process,
            let place = nodes[index].openSyncs.firstIndex(where: { $0.ticket == ticket })
        else { return }
        let open = nodes[index].openSyncs.remove(at: place)
        let failure = nodes[index].disk.endFlush(open.file, open.flush)
        give(index, process, .journalSynced(ticket, failure: failure))
    }

    private mutating func endJob(
        _ index: Int, _ process: Int, _ job: QuorumJob,
        _ flushes: [(any DiskFile, SimulatedFile.Flush)]
    ) {
        guard nodes[index].process == process, nodes[index].node != nil else { return }
        let disk = nodes[index].disk
        var failure: StorageFailure?
        if case .sync(_, let directory) = job.work {
            for (file, flush) in flushes where failure == nil {
                failure = disk.endFlush(file, flush)
            }
            if failure == nil, let directory {
                do throws(StorageFailure) {
                    try disk.syncDirectory(directory)
                } catch {
                    failure = error
                }
            }
        } else {
            failure = job.run(on: disk)
        }
        give(index, process, .quorumJobDone(number: job.number, failure: failure))
    }

    // MARK: Ends of processes

    mutating func crash(_ index: Int, _ reason: String) {
        narrate("node \(index + 1) \(reason)")
        end(index)
        if faults.chance(1, in: 2) {
            nodes[index].disk.losePower()
            result.powerLosses += 1
        } else {
            nodes[index].disk.killProcess()
        }
        restart(index)
    }

    mutating func restart(_ index: Int) {
        queue.schedule(
            .start(index), at: time + Int64(faults.within(5...(isHealed ? 200 : 2500))) * 1_000_000)
    }

    /// The process ends, and its connections with it. Without power nobody says so: the others notice
    /// later.
    mutating func end(_ index: Int, silently: Bool = false) {
        nodes[index].node = nil
        nodes[index].process += 1
        result.crashes += 1
        let own = peers.keys.filter { $0.place == index }.sorted { $0.id < $1.id }
        for end in own {
            let delay = silently ? Int64(network.below(4_000_000_000)) : latency()
            guard let peer = peers.removeValue(forKey: end) else { continue }
            peers[peer] = nil
            post(closing: peer, after: delay)
        }
    }

    // MARK: Connections

    mutating func latency() -> Int64 { Int64(network.within(swarm.latency)) }

    mutating func nextID() -> UInt64 {
        lastID += 1
        return lastID
    }

    /// When something that leaves now arrives at an end.
    private mutating func arrival(at end: SimulatedEnd, from place: Int, delay: Int64) -> Int64 {
        var due = time + delay
        if nodes.indices.contains(end.place), nodes.indices.contains(place) {
            due = max(due, blockedUntil[place][end.place] + delay)
        }
        due = max(due, (arrivals[end] ?? 0) + 1)
        arrivals[end] = due
        return due
    }

    private mutating func send(_ frame: Bytes, from end: SimulatedEnd) {
        guard let peer = peers[end] else { return }
        let due = arrival(at: peer, from: end.place, delay: latency())
        let content = frame[4..<frame.count]
        if nodes.indices.contains(peer.place) {
            queue.schedule(
                .node(
                    peer.place, process: nodes[peer.place].process,
                    .request(ConnectionID(peer.id), content)), at: due)
        } else {
            trace.mix(UInt64(crc32c(content)))
            queue.schedule(.client(peer, content), at: due)
        }
    }

    /// One side closes the connection; the other one hears of it.
    private mutating func close(_ end: SimulatedEnd, from place: Int) {
        guard let peer = peers.removeValue(forKey: end) else { return }
        peers[peer] = nil
        post(closing: peer, after: latency())
    }

    /// The network ends a connection: both sides hear of it.
    private mutating func close(_ end: SimulatedEnd) {
        guard let peer = peers.removeValue(forKey: end) else { return }
        peers[peer] = nil
        post(closing: peer, after: latency())
        post(closing: end, after: latency())
    }

    private mutating func post(closing end: SimulatedEnd, after delay: Int64) {
        let due = arrival(at: end, from: -1, delay: delay)
        arrivals[end] = nil
        if nodes.indices.contains(end.place) {
            queue.schedule(
                .node(
                    end.place, process: nodes[end.place].process,
                    .connectionClosed(ConnectionID(end.id))), at: due)
        } else {
            queue.schedule(.client(end, nil), at: due)
        }
    }

    private mutating func dial(_ target: Int, from index: Int) {
        let process = nodes[index].process
        let wait = max(blockedUntil[index][target], blockedUntil[target][index]) - time
        if nodes[target].node == nil || wait > 0 {
            let delay = nodes[target].node == nil ? latency() : min(wait, 2_000_000_000)
            return queue.schedule(
                .node(
                    index, process: process,
                    .dialFailed(NodeID(Int32(target + 1)), "nobody is there")), at: time + delay)
        }
        let own = SimulatedEnd(place: index, id: nextID())
        let other = SimulatedEnd(place: target, id: nextID())
        peers[own] = other
        peers[other] = own
        let due = arrival(at: other, from: index, delay: latency())
        queue.schedule(
            .node(
                target, process: nodes[target].process,
                .connectionOpened(
                    ConnectionID(other.id), peer: "node\(index + 1):1", listener: 1)), at: due)
        let back = max(due, arrival(at: own, from: target, delay: latency()))
        arrivals[own] = back
        queue.schedule(
            .node(
                index, process: process,
                .dialed(
                    NodeID(Int32(target + 1)), ConnectionID(own.id),
                    address: "node\(target + 1):9090")), at: back)
    }

    /// A client connects to a node and sends a request; nil when nobody is there.
    mutating func request(_ frame: Bytes, to node: Int, from client: Int) -> SimulatedEnd? {
        guard nodes[node].node != nil else { return nil }
        let own = SimulatedEnd(place: nodes.count + client, id: nextID())
        let other = SimulatedEnd(place: node, id: nextID())
        peers[own] = other
        peers[other] = own
        let due = arrival(at: other, from: -1, delay: latency())
        queue.schedule(
            .node(
                node, process: nodes[node].process,
                .connectionOpened(ConnectionID(other.id), peer: "10.0.0.\(client + 1):1")), at: due)
        send(frame, from: own)
        return own
    }

    /// A client hangs up.
    mutating func hangUp(_ end: SimulatedEnd) { close(end, from: end.place) }

    /// The ends of the links between two nodes, on the side of the first.
    func links(between one: Int, _ other: Int) -> [SimulatedEnd] {
        peers.filter { $0.key.place == one && $0.value.place == other }.map(\.key)
            .sorted { $0.id < $1.id }
    }
}
