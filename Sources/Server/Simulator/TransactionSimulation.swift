// One broker with transactional producers on a disk that forgets: from one seed.

import Base
import Coordinator
import Log
import Node
import WireProtocol

/// Producers write transactions over several partitions, with the offsets of a group, and commit or
/// abort them; some forget what they began, some come back as zombies. Crashes and power losses come
/// at any call to the disk. What was committed must be seen whole and once, what was aborted never.
struct TransactionSimulation {
    enum Event {
        case act(Int)
        case read
        case syncDone(SyncTicket)
        case wake(Int)
        case crash
    }

    static let topic = "ledger"

    let options: SimulationOptions
    var result: SimulationResult
    let disk: SimulatedDisk
    var node: BrokerNode?
    var configuration = NodeConfiguration()
    var queue = EventQueue<Event>()
    var time: Int64 = 1_000_000_000
    var load: Random
    var faults: Random
    var nodeSeeds: Random
    var trace = TraceHash()
    var checker = TransactionChecker()
    var clients: [TransactionalClient] = []
    let partitionCount: Int
    /// The cleaner replaces records with the same key, between and in the middle of transactions.
    let isCompacted: Bool
    let topicSettings: [(name: String, value: String)]
    var topicExists = false
    var isDraining = false

    private var owners: OrderedMap<UInt64, Int> = [:]
    private var connectionOf: [Int: ConnectionID] = [:]
    private var answers: [Int: [Bytes]] = [:]
    private var lastConnection: UInt64 = 0
    private var lastCorrelation: Int32 = 0
    private var openSyncs: [(ticket: SyncTicket, file: any DiskFile, flush: SimulatedFile.Flush)] =
        []
    private var wakeGeneration = 0

    /// The connection of whoever is no client.
    static let observer = -1

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed ^ 0x7A4_5AC7)
        load = random.fork()
        faults = random.fork()
        nodeSeeds = random.fork()
        var shape = random.fork()
        disk = SimulatedDisk(random: random.fork(), sectorBytes: [64, 512, 4096][shape.below(3)])
        configuration.offsetsPartitions = Int32(shape.within(1...2))
        configuration.transactionsPartitions = Int32(shape.within(1...2))
        configuration.transactions.timeoutCheckInterval = .milliseconds(20)
        configuration.transactions.retryInterval = .milliseconds(5)
        configuration.log.journalFileBytes = [32 << 10, 64 << 10][shape.below(2)]
        configuration.log.journalFileCountMax = shape.within(2...4)
        configuration.log.storeIdentity = shape.next()
        configuration.log.reserveBytes = 32 << 10
        configuration.log.tailCacheBytes = [0, 4 << 10, 1 << 20][shape.below(3)]
        configuration.log.planted = options.planted
        configuration.log.checkpointInterval = .milliseconds(Int64(shape.within(20...200)))
        disk.faults.syncFailureOneIn = [0, 0, 60, 200][shape.below(4)]
        partitionCount = shape.within(1...3)
        checker.lastStable = [Int64](repeating: 0, count: partitionCount)
        for id in 0..<shape.within(1...3) {
            clients.append(TransactionalClient(id: id, bumpsEpochs: shape.chance(1, in: 2)))
        }
        // Last, so that what is drawn before stays what it was.
        isCompacted = shape.chance(1, in: 2)
        var settings = [
            (name: "segment.bytes", value: "4096"),
            (name: "retention.ms", value: "-1"),
        ]
        if isCompacted {
            settings.append((name: "cleanup.policy", value: "compact"))
            settings.append((name: "min.cleanable.dirty.ratio", value: "0.01"))
            settings.append(
                (name: "delete.retention.ms", value: ["5", "86400000"][shape.below(2)]))
            configuration.log.cleanerCheckInterval = .milliseconds(Int64(shape.within(2...20)))
        }
        topicSettings = settings
    }

    var now: Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        disk.now = now.timestamp
        restart()
        for index in clients.indices {
            queue.schedule(.act(index), at: time + Int64(load.below(3_000_000)))
        }
        queue.schedule(.read, at: time + 5_000_000)
        queue.schedule(.crash, at: time + Int64(faults.within(5_000_000...60_000_000)))
        while result.events < options.eventCount * 3, step() {}
        drain()
        if checker.anomalies.isEmpty {
            verify()
            losePower()
            restart()
            // Whatever was decided before stays decided.
            if topicExists, checker.anomalies.isEmpty { verify() }
        }
        countCleanings()
        trace.mix(disk.trace.value)
        trace.mix(checker.committedCount)
        result.traceHash = trace.value
        result.acknowledged = checker.committedCount
        result.anomalies = checker.anomalies
        result.failedSyncs = disk.failedSyncs
        return result
    }

    private mutating func step() -> Bool {
        guard checker.anomalies.isEmpty, let next = queue.next() else { return false }
        time = next.time
        disk.now = now.timestamp
        result.events += 1
        switch next.event {
        case .act(let index):
            act(index)
            queue.schedule(next.event, at: time + Int64(load.within(100_000...2_000_000)))
        case .read:
            readSome()
            queue.schedule(.read, at: time + Int64(load.within(3_000_000...20_000_000)))
        case .syncDone(let ticket): finishSync(ticket)
        case .wake(let generation): if generation == wakeGeneration { deliver(.timer) }
        case .crash:
            guard !isDraining else { break }
            queue.schedule(.crash, at: time + Int64(faults.within(10_000_000...90_000_000)))
            if faults.chance(1, in: 3) {
                // Readers just before and just after: what one saw must still be there.
                observeAll()
                crash()
                observeAll()
            } else if disk.crashAtOperation == nil {
                disk.crashAtOperation = disk.operations + faults.within(1...150)
            }
        }
        if diskIsDead { crash() }
        return true
    }

    /// No more faults: every transaction comes to its end, those that were forgotten by their time.
    private mutating func drain() {
        guard checker.anomalies.isEmpty else { return }
        isDraining = true
        if disk.crashAtOperation != nil { crash() }
        disk.faults = DiskFaults()
        let end = time + 30_000_000_000
        while time < end, !isQuiet() { guard step() else { return } }
        if !isQuiet() { anomaly("transactions did not come to their end in 30 s") }
    }

    private mutating func isQuiet() -> Bool {
        guard clients.allSatisfy({ $0.phase == .done }) else { return false }
        guard topicExists else { return true }
        let request = ListTransactionsRequest(
            stateFilters: ["Ongoing", "PrepareCommit", "PrepareAbort"])
        let listed = ask(request, version: 1)
        return listed?.transactionStates.isEmpty ?? false
    }

    private mutating func countCleanings() {
        result.cleanings += Int(node?.logStatistics.cleanings ?? 0)
    }

    mutating func anomaly(_ text: String) {
        checker.anomalies.append(text)
        trace.mix(text)
    }

    // MARK: The driver

    var diskIsDead: Bool { disk.crashAtOperation.map { disk.operations >= $0 } ?? false }

    private mutating func deliver(_ event: NodeEvent) {
        guard node != nil else { return }
        var effects: [NodeEffect] = []
        let now = self.now
        node?.handle(event, now: now, into: &effects)
        guard !diskIsDead else { return }
        for effect in effects {
            switch effect {
            case .send(let id, let pieces):
                guard let owner = owners[id.value] else { continue }
                let frame = Bytes.joined(pieces)
                trace.mix(UInt64(crc32c(frame)))
                answers[owner, default: []].append(frame[4..<frame.count])
                if owner != Self.observer { takeAnswer(owner) }
            case .close(let id, let reason):
                if owners[id.value] != nil { anomaly("a good client was sent away: \(reason)") }
            case .syncJournal(let ticket, let file), .syncSegment(let ticket, let file):
                guard let flush = disk.beginFlush(file) else { continue }
                openSyncs.append((ticket, file, flush))
                queue.schedule(
                    .syncDone(ticket), at: time + Int64(faults.within(100_000...3_000_000)))
            case .wakeAt(let instant):
                wakeGeneration += 1
                queue.schedule(.wake(wakeGeneration), at: max(time + 1, instant.nanoseconds))
            case .authenticated, .pause, .mayStop, .commandFinished: break
            case .dial, .linked, .runQuorumJob: preconditionFailure("the node stands alone")
            case .halt(let problem):
                trace.mix(problem.code)
                if faults.chance(1, in: 2) { losePower() } else { killProcess() }
                restart()
                return
            }
        }
    }

    private mutating func finishSync(_ ticket: SyncTicket) {
        guard let index = openSyncs.firstIndex(where: { $0.ticket == ticket }) else { return }
        let open = openSyncs.remove(at: index)
        deliver(.journalSynced(open.ticket, failure: disk.endFlush(open.file, open.flush)))
    }

    mutating func send(_ client: Int, _ request: some WireRequest, version: Int16) {
        if connectionOf[client] == nil {
            lastConnection += 1
            let id = ConnectionID(lastConnection)
            owners[id.value] = client
            connectionOf[client] = id
            deliver(.connectionOpened(id, peer: "10.0.0.1:\(lastConnection)"))
        }
        guard let id = connectionOf[client], node != nil else { return }
        lastCorrelation += 1
        let frame = Bytes.joined(
            request.frame(version: version, correlationId: lastCorrelation, clientId: "simulated"))
        deliver(.request(id, frame[4..<frame.count]))
    }

    /// The oldest answer on the client's connection.
    mutating func answer<Response: WireResponse>(
        _ client: Int, _ type: Response.Type, version: Int16
    ) -> Response? {
        guard let frame = answers[client]?.first else { return nil }
        answers[client]?.removeFirst()
        do {
            var reader = ByteReader(frame)
            _ = try ResponseHeader(from: &reader, apiKey: Response.apiKey, version: version)
            return try Response(from: &reader, version: version)
        } catch {
            anomaly("an answer can't be decoded: \(error)")
            return nil
        }
    }

    /// A question of the observer that is answered at once, or not at all.
    mutating func ask<Request: WireRequest>(
        _ request: Request, version: Int16
    ) -> Request.Response? {
        send(Self.observer, request, version: version)
        guard node != nil, !diskIsDead else { return nil }
        return answer(Self.observer, Request.Response.self, version: version)
    }

    // MARK: Crashes

    private mutating func crash() {
        result.crashes += 1
        if faults.chance(2, in: 3) { losePower() } else { killProcess() }
        restart()
    }

    private mutating func killProcess() {
        disk.killProcess()
        forgetProcess()
    }

    private mutating func losePower() {
        result.powerLosses += 1
        disk.losePower()
        forgetProcess()
    }

    private mutating func forgetProcess() {
        countCleanings()
        node = nil
        openSyncs = []
        wakeGeneration += 1
        owners = [:]
        connectionOf = [:]
        answers = [:]
        queue.removeAll {
            switch $0 {
            case .syncDone, .wake: true
            default: false
            }
        }
        for index in clients.indices { lostConnection(index) }
    }

    private mutating func restart() {
        for attempt in 0..<12 {
            trace.mix(disk.operations)
            if attempt == 8 { disk.faults = DiskFaults() }
            let now = self.now
            do throws(Problem) {
                node = try BrokerNode(
                    configuration: configuration, disk: disk,
                    random: Random(seed: nodeSeeds.next()), diagnostics: SilentDiagnostics(),
                    now: now)
            } catch {
                if diskIsDead {
                    result.crashes += 1
                    if faults.chance(2, in: 3) { losePower() } else { killProcess() }
                } else if error.code == "storage.failed"
                    || attempt < 8 && disk.faults.syncFailureOneIn > 0
                {
                    killProcess()
                } else {
                    return anomaly("the node can't be started: \(error)")
                }
                continue
            }
            guard !diskIsDead else {
                losePower()
                continue
            }
            deliver(.timer)
            if node != nil, !diskIsDead { node?.checkInvariants() }
            return
        }
        anomaly("the node could not be started in twelve attempts")
    }

    // MARK: Readers

    private func fetchRequest(_ index: Int, from offset: Int64, isolation: Int8) -> FetchRequest {
        var request = FetchRequest(
            maxWaitMs: 0, minBytes: 0, maxBytes: 1 << 20,
            topics: [
                .init(
                    topic: Self.topic,
                    partitions: [
                        .init(
                            partition: Int32(index), fetchOffset: offset,
                            partitionMaxBytes: 1 << Int32(8 + index * 4))
                    ])
            ])
        request.isolationLevel = isolation
        return request
    }

    /// Reads committed records from `offset` to the end; nil when the node could not say.
    mutating func committed(_ index: Int, from offset: Int64) -> [(offset: Int64, text: String)]? {
        var found: [(offset: Int64, text: String)] = []
        var next = offset
        while true {
            guard
                let data = ask(
                    fetchRequest(index, from: next, isolation: 1), version: 11
                )?.responses.first?.partitions.first, data.errorCode == .none
            else { return nil }
            checker.observe(lastStable: data.lastStableOffset, of: index)
            let before = next
            checker.take(data, of: index, from: &next, into: &found)
            if next == before { return found }
        }
    }

    /// Reads what was added to each partition since it was last looked at.
    private mutating func observeAll() {
        guard topicExists, node != nil, !diskIsDead else { return }
        for index in 0..<partitionCount {
            for record in committed(index, from: checker.lastStable[index]) ?? [] {
                checker.seen(record.text, partition: index)
            }
        }
    }

    private mutating func readSome() {
        guard topicExists, node != nil else { return }
        let index = load.below(partitionCount)
        let start = Int64(load.below(Int(checker.lastStable[index]) + 1))
        for record in committed(index, from: start) ?? [] {
            checker.seen(record.text, partition: index)
        }
    }

    // MARK: Checks

    /// Everything is at rest: each transaction is there whole or not at all.
    private mutating func verify() {
        guard topicExists else { return }
        var visible: [[(offset: Int64, text: String)]] = []
        for index in 0..<partitionCount {
            guard let found = committed(index, from: 0) else {
                return anomaly("partition \(index) can't be read at rest")
            }
            visible.append(found)
            let end = ask(fetchRequest(index, from: 0, isolation: 0), version: 11)?
                .responses.first?.partitions.first
            if let end, end.lastStableOffset != end.highWatermark {
                anomaly(
                    "partition \(index) has a hanging transaction at \(end.lastStableOffset), "
                        + "its end is \(end.highWatermark)")
            }
        }
        checker.verify(visible)
        for client in clients {
            let answer = ask(
                OffsetFetchRequest(
                    groupId: client.group,
                    topics: [.init(name: Self.topic, partitionIndexes: [0])], requireStable: true),
                version: 7)
            guard let found = answer?.topics.first?.partitions.first else {
                return anomaly("the offsets of \(client.group) can't be read at rest")
            }
            checker.verify(
                offset: found.committedOffset, error: found.errorCode, of: client.id)
        }
    }
}
