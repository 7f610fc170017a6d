// One broker with its clients, on a disk that forgets: from one seed.

import Base
import Coordinator
import Log
import Node
import WireProtocol

/// A simulated node that real frames go in and out of: producers, readers, a consumer group that
/// commits offsets and a member of a share group. Crashes and power losses come at any call to the disk; after each restart
/// everything that was answered must be true.
struct NodeSimulation {
    enum Event {
        case produce(Int)
        case read(Int)
        case commit
        case share
        case syncDone(SyncTicket)
        case wake(Int)
        case crash
        case diskSpace
    }

    /// Who waits for the answers of a connection.
    enum Client: Hashable {
        case admin
        case producer(Int)
        case reader
        case group
        case sharer
        case checker
    }

    private struct Connection {
        var id: ConnectionID
        var answers: [Bytes] = []
    }

    static let topic = "events"
    static let group = "readers"

    let options: SimulationOptions
    var result: SimulationResult
    private let disk: SimulatedDisk
    private var node: BrokerNode?
    private var configuration = NodeConfiguration()
    private var topicSettings: [(String, String)] = []
    private var queue = EventQueue<Event>()
    private var time: Int64 = 1_000_000_000
    private var load: Random
    private var faults: Random
    private var nodeSeeds: Random
    private var trace = TraceHash()
    private var checker = PromiseChecker()
    private var producers: [ProducerModel] = []
    private var connections: OrderedMap<UInt64, Client> = [:]
    private var byClient: [Client: Connection] = [:]
    private var lastConnection: UInt64 = 0
    private var lastCorrelation: Int32 = 0
    private struct OpenSync {
        var ticket: SyncTicket
        var isJournal: Bool
        var file: any DiskFile
        var flush: SimulatedFile.Flush
    }

    private var openSyncs: [OpenSync] = []
    private var syncsCompleted = 0
    private var wakeGeneration = 0
    private var topicExists = false
    /// What the group was told is committed, and what it may have committed since.
    private var committed: Int64?
    private var maybeCommitted: [Int64] = []
    private var commitInFlight: Int64?
    private var sharer = SharerModel(topic: NodeSimulation.topic)
    private var rotOneIn = 0
    private var isDraining = false
    private var isOver = false

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed ^ 0x5EED_0F_A_0DE)
        load = random.fork()
        faults = random.fork()
        nodeSeeds = random.fork()
        var shape = random.fork()
        disk = SimulatedDisk(random: random.fork(), sectorBytes: [64, 512, 4096][shape.below(3)])
        configuration.offsetsPartitions = Int32(shape.within(1...2))
        configuration.groups.initialRebalanceDelay = .zero
        configuration.sharePartitions = 1
        configuration.shares.updatesPerSnapshot = [0, 3, 50][shape.below(3)]
        var log = LogStoreConfiguration()
        log.journalFileBytes = [32 << 10, 64 << 10][shape.below(2)]
        log.journalFileCountMax = shape.within(2...4)
        log.storeIdentity = shape.next()
        log.reserveBytes = 32 << 10
        log.tailCacheBytes = [0, 4 << 10, 1 << 20][shape.below(3)]
        log.planted = options.planted
        log.checkpointInterval = .milliseconds(Int64(shape.within(20...400)))
        log.retentionCheckInterval = .milliseconds(Int64(shape.within(50...400)))
        configuration.log = log
        topicSettings = [
            ("segment.bytes", ["4096", "16384", "1048576"][shape.below(3)]),
            ("retention.ms", "-1"),
        ]
        disk.faults.syncFailureOneIn = [0, 0, 60, 200][shape.below(4)]
        rotOneIn = options.allowsRot ? [0, 0, 2, 4][shape.below(4)] : 0
        for index in 0..<shape.within(1...3) {
            checker.partitions.append(
                PartitionModel(
                    name: TopicPartition(topic: Self.topic, partition: Int32(index))))
        }
        for id in 0..<shape.within(1...4) {
            producers.append(
                ProducerModel(
                    id: id, partition: shape.below(checker.partitions.count),
                    isIdempotent: shape.chance(2, in: 3)))
        }
        checker.isIdempotent = producers.map(\.isIdempotent)
    }

    private var now: Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        disk.now = now.timestamp
        restart()
        for index in producers.indices {
            queue.schedule(.produce(index), at: time + Int64(load.below(5_000_000)))
        }
        queue.schedule(.read(0), at: time + 5_000_000)
        queue.schedule(.commit, at: time + 9_000_000)
        queue.schedule(.share, at: time + 7_000_000)
        queue.schedule(.crash, at: time + Int64(faults.within(5_000_000...60_000_000)))
        queue.schedule(.diskSpace, at: time + 50_000_000)
        while result.events < options.eventCount, step() {}
        drain()
        if checker.anomalies.isEmpty, !isOver {
            losePower()
            restart()
        }
        trace.mix(disk.trace.value)
        result.acknowledged += sharer.acceptedCount
        trace.mix(result.acknowledged)
        result.traceHash = trace.value
        result.anomalies = checker.anomalies
        result.failedSyncs = disk.failedSyncs
        result.damagedPartitions = checker.partitions.count { $0.isDamaged }
        return result
    }

    /// Handles one event; false when the run is over.
    private mutating func step() -> Bool {
        guard checker.anomalies.isEmpty, !isOver, let next = queue.next() else { return false }
        time = next.time
        disk.now = now.timestamp
        result.events += 1
        handle(next.event)
        if diskIsDead { crash() }
        return true
    }

    /// No more faults and no new batches: everything that was sent must be answered.
    private mutating func drain() {
        guard checker.anomalies.isEmpty, !isOver else { return }
        isDraining = true
        if disk.crashAtOperation != nil { crash() }
        disk.faults = DiskFaults()
        let end = time + 20_000_000_000
        while time < end, producers.contains(where: isWaiting) {
            guard step() else { return }
        }
        for producer in producers where isWaiting(producer) {
            anomaly("producer \(producer.id) got no answer in 20 s on a healthy disk")
        }
    }

    private func isWaiting(_ producer: ProducerModel) -> Bool {
        !producer.isStopped && !producer.inFlight.isEmpty
            && !checker.partitions[producer.partition].wasRotted
    }

    private var diskIsDead: Bool {
        disk.crashAtOperation.map { disk.operations >= $0 } ?? false
    }

    private mutating func anomaly(_ text: String) {
        checker.anomaly(text)
        trace.mix(text)
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .produce(let index):
            produce(index)
            queue.schedule(event, at: time + Int64(load.within(200_000...3_000_000)))
        case .read:
            readSome()
            queue.schedule(event, at: time + Int64(load.within(5_000_000...30_000_000)))
        case .commit:
            commitOffset()
            queue.schedule(event, at: time + Int64(load.within(5_000_000...20_000_000)))
        case .share:
            share()
            queue.schedule(event, at: time + Int64(load.within(1_000_000...10_000_000)))
        case .syncDone(let ticket): finishSync(ticket)
        case .wake(let generation):
            if generation == wakeGeneration { deliver(.timer) }
        case .crash:
            guard !isDraining else { return }
            queue.schedule(event, at: time + Int64(faults.within(10_000_000...90_000_000)))
            if faults.chance(1, in: 3) {
                crash()
            } else if disk.crashAtOperation == nil {
                disk.crashAtOperation = disk.operations + faults.within(1...150)
            }
        case .diskSpace:
            guard !isDraining else { return }
            let used = (1 << 40) - disk.freeBytes
            let isScarce = disk.faults.capacity == 1 << 40 && faults.chance(1, in: 3)
            disk.faults.capacity =
                isScarce
                ? used + configuration.log.reserveBytes + Int64(faults.below(8 << 10)) : 1 << 40
            queue.schedule(event, at: time + Int64(faults.within(20_000_000...90_000_000)))
        }
    }

    // MARK: The driver

    /// Gives an event to the node and does what it asks for.
    private mutating func deliver(_ event: NodeEvent) {
        guard node != nil else { return }
        var effects: [NodeEffect] = []
        let now = self.now
        node?.handle(event, now: now, into: &effects)
        // A dead process says nothing more.
        guard !diskIsDead else { return }
        for effect in effects {
            switch effect {
            case .send(let id, let pieces): receive(id, pieces)
            case .close(let id, let reason): closed(id, reason)
            case .syncJournal(let ticket, let file):
                beginSync(ticket, file, isJournal: true)
            case .syncSegment(let ticket, let file):
                beginSync(ticket, file, isJournal: false)
            case .authenticated, .pause, .mayStop: break
            case .dial, .linked, .runQuorumJob: preconditionFailure("the node stands alone")
            case .wakeAt(let instant):
                wakeGeneration += 1
                queue.schedule(.wake(wakeGeneration), at: max(time + 1, instant.nanoseconds))
            case .commandFinished: break
            case .halt(let problem):
                trace.mix(problem.code)
                if faults.chance(1, in: 2) { losePower() } else { killProcess() }
                restart()
                return
            }
        }
    }

    private mutating func beginSync(
        _ ticket: SyncTicket, _ file: any DiskFile, isJournal: Bool
    ) {
        if openSyncs.contains(where: { $0.isJournal == isJournal }) {
            anomaly("two syncs of one lane are open at once")
        }
        guard let flush = disk.beginFlush(file) else { return }
        openSyncs.append(
            OpenSync(ticket: ticket, isJournal: isJournal, file: file, flush: flush))
        queue.schedule(
            .syncDone(ticket), at: time + Int64(faults.within(100_000...4_000_000)))
    }

    private mutating func finishSync(_ ticket: SyncTicket) {
        guard let index = openSyncs.firstIndex(where: { $0.ticket == ticket }) else { return }
        let open = openSyncs.remove(at: index)
        let failure = disk.endFlush(open.file, open.flush)
        if failure == nil, open.isJournal { syncsCompleted += 1 }
        deliver(.journalSynced(open.ticket, failure: failure))
    }

    private mutating func receive(_ id: ConnectionID, _ pieces: [Bytes]) {
        guard let client = connections[id.value] else { return }
        let frame = Bytes.joined(pieces)
        trace.mix(UInt64(crc32c(frame)))
        byClient[client]?.answers.append(frame[4..<frame.count])
        switch client {
        case .producer(let index): takeProduceAnswers(index)
        case .admin: takeAdminAnswers()
        case .group: takeCommitAnswers()
        case .sharer: takeShareAnswer()
        case .reader, .checker: break
        }
    }

    private mutating func closed(_ id: ConnectionID, _ reason: String) {
        guard let client = connections.removeValue(forKey: id.value) else { return }
        byClient[client] = nil
        anomaly("the node closed a connection of a good client: \(reason)")
    }

    /// Sends a request on the client's connection, which is opened if need be.
    private mutating func send(
        _ client: Client, _ request: some WireRequest, version: Int16
    ) {
        if byClient[client] == nil {
            lastConnection += 1
            let id = ConnectionID(lastConnection)
            connections[id.value] = client
            byClient[client] = Connection(id: id)
            deliver(.connectionOpened(id, peer: "10.0.0.1:\(lastConnection)"))
        }
        lastCorrelation += 1
        let correlation = lastCorrelation
        guard let id = byClient[client]?.id else { return }
        let frame = Bytes.joined(
            request.frame(version: version, correlationId: correlation, clientId: "simulated"))
        deliver(.request(id, frame[4..<frame.count]))
    }

    /// The oldest answer on the client's connection.
    private mutating func answer<Response: WireResponse>(
        _ client: Client, _ type: Response.Type, version: Int16
    ) -> (correlation: Int32, response: Response)? {
        guard let frame = byClient[client]?.answers.first else { return nil }
        byClient[client]?.answers.removeFirst()
        do {
            var reader = ByteReader(frame)
            let header = try ResponseHeader(
                from: &reader, apiKey: Response.apiKey, version: version)
            let response = try Response(from: &reader, version: version)
            return (header.correlationId, response)
        } catch {
            anomaly("an answer can't be decoded: \(error)")
            return nil
        }
    }

    // MARK: Topic

    private mutating func createTopic() {
        let configs = topicSettings.map {
            CreateTopicsRequest.CreatableTopicConfig(name: $0.0, value: $0.1)
        }
        let request = CreateTopicsRequest(topics: [
            .init(
                name: Self.topic, numPartitions: Int32(checker.partitions.count),
                replicationFactor: 1, configs: configs)
        ])
        send(.admin, request, version: 7)
    }

    private mutating func takeAdminAnswers() {
        while let (_, response) = answer(.admin, CreateTopicsResponse.self, version: 7) {
            for topic in response.topics {
                switch topic.errorCode {
                case .none, .topicAlreadyExists: topicExists = true
                case .kafkaStorageError, .unknownServerError, .requestTimedOut: break
                default: anomaly("the topic can't be created: \(topic.errorCode)")
                }
            }
        }
    }

    // MARK: Producers

    private mutating func produce(_ index: Int) {
        guard !producers[index].isStopped, node != nil else { return }
        guard topicExists else {
            if index == 0 { createTopic() }
            return
        }
        if producers[index].isIdempotent, producers[index].producerID < 0 {
            requestProducerID(index)
            return
        }
        let isCaughtUp = producers[index].inFlight.allSatisfy { $0.correlation != nil }
        if isCaughtUp, producers[index].inFlight.count < 5, !isDraining {
            guard
                let (entry, batch) = producers[index].nextBatch(
                    &load, keyed: false, at: now.timestamp)
            else { return anomaly("a batch could not be built") }
            producers[index].inFlight.append(entry)
            checker.partitions[producers[index].partition].add(batch, checksum: entry.checksum)
        }
        // Each once: an answer may come at once, and shorten the list or ask for another attempt.
        let waiting = producers[index].inFlight.filter { $0.correlation == nil }
        for next in waiting
        where producers[index].inFlight.contains(where: { $0.number == next.number }) {
            // Set before, because the answer may come before `send` returns.
            setCorrelation(index, next.number, lastCorrelation + 1)
            let request = ProduceRequest(
                acks: -1, timeoutMs: 30_000,
                topicData: [
                    .init(
                        name: Self.topic,
                        partitionData: [
                            .init(
                                index: Int32(producers[index].partition), records: [next.bytes])
                        ])
                ])
            send(.producer(index), request, version: 9)
            let wasRefused = producers[index].inFlight.contains {
                $0.number == next.number && $0.correlation == nil
            }
            if diskIsDead || wasRefused || node == nil { return }
        }
    }

    private mutating func setCorrelation(_ index: Int, _ number: Int, _ correlation: Int32?) {
        guard
            let position = producers[index].inFlight.firstIndex(where: { $0.number == number })
        else { return }
        producers[index].inFlight[position].correlation = correlation
    }

    private mutating func requestProducerID(_ index: Int) {
        // One question at a time: the answer comes on the same connection as later ones.
        guard byClient[.producer(index)] == nil else { return }
        send(
            .producer(index), InitProducerIdRequest(transactionalId: nil, transactionTimeoutMs: 0),
            version: 4)
    }

    private mutating func takeProduceAnswers(_ index: Int) {
        if producers[index].isIdempotent, producers[index].producerID < 0 {
            guard
                let (_, response) = answer(
                    .producer(index), InitProducerIdResponse.self, version: 4)
            else { return }
            if response.errorCode == .none {
                producers[index].producerID = response.producerId
            } else {
                disconnect(.producer(index))
            }
            return
        }
        while let (correlation, response) = answer(
            .producer(index), ProduceResponse.self, version: 9)
        {
            guard let partition = response.responses.first?.partitionResponses.first,
                let position = producers[index].inFlight.firstIndex(where: {
                    $0.correlation == correlation
                })
            else { continue }
            settle(index, position, partition)
        }
    }

    private mutating func settle(
        _ index: Int, _ position: Int, _ answer: ProduceResponse.PartitionProduceResponse
    ) {
        let partition = producers[index].partition
        let entry = producers[index].inFlight[position]
        let isFirst = position == 0
        switch answer.errorCode {
        case .none:
            producers[index].inFlight.remove(at: position)
            let count = checker.partitions[partition].sent[entry.checksum]?.rows.count ?? 1
            checker.partitions[partition].acknowledged[answer.baseOffset] =
                PartitionModel.Promise(
                    checksum: entry.checksum, lastOffset: answer.baseOffset + Int64(count) - 1,
                    sync: syncsCompleted)
            result.acknowledged += 1
        case .kafkaStorageError, .requestTimedOut, .notLeaderOrFollower, .unknownServerError:
            retryOrDrop(index, position)
        case .outOfOrderSequenceNumber where !isFirst:
            retryOrDrop(index, position)
        default:
            if checker.partitions[partition].wasRotted {
                producers[index].isStopped = true
            } else {
                anomaly("a good batch of producer \(index) was refused: \(answer.errorCode)")
            }
        }
    }

    private mutating func retryOrDrop(_ index: Int, _ position: Int) {
        if checker.partitions[producers[index].partition].isDamaged {
            producers[index].isStopped = true
        }
        if producers[index].isIdempotent {
            producers[index].inFlight[position].correlation = nil
        } else {
            producers[index].inFlight.remove(at: position)
        }
    }

    private mutating func disconnect(_ client: Client) {
        guard let connection = byClient.removeValue(forKey: client) else { return }
        connections[connection.id.value] = nil
        deliver(.connectionClosed(connection.id))
    }

    // MARK: Readers

    private func fetchRequest(_ index: Int, from offset: Offset, maxBytes: Int32) -> FetchRequest {
        FetchRequest(
            maxWaitMs: 0, minBytes: 0, maxBytes: maxBytes,
            topics: [
                .init(
                    topic: Self.topic,
                    partitions: [
                        .init(
                            partition: Int32(index), fetchOffset: offset.value,
                            partitionMaxBytes: maxBytes)
                    ])
            ])
    }

    /// One fetch and its answer, checked; nil when nothing more can be read.
    private mutating func fetch(
        _ client: Client, _ index: Int, maxBytes: Int32, remember: Bool,
        walk: inout PromiseChecker.Walk
    ) -> FetchResponse.PartitionData? {
        send(client, fetchRequest(index, from: walk.next, maxBytes: maxBytes), version: 11)
        guard !diskIsDead, node != nil,
            let (_, response) = answer(client, FetchResponse.self, version: 11),
            let data = response.responses.first?.partitions.first
        else { return nil }
        switch data.errorCode {
        case .none: break
        case .kafkaStorageError:
            noteDamage(index)
            return nil
        case .unknownTopicOrPartition where !topicExists: return nil
        default:
            anomaly("partition \(index) can't be read at \(walk.next): \(data.errorCode)")
            return nil
        }
        for bytes in data.records {
            var position = 0
            while position < bytes.count {
                guard let view = try? RecordBatchView(bytes, at: position) else {
                    anomaly("partition \(index) served a partial batch at \(walk.next)")
                    return nil
                }
                let isReadable = checker.observe(
                    view.bytes, of: index, highWatermark: Offset(data.highWatermark),
                    sync: remember ? syncsCompleted : nil, walk: &walk)
                guard isReadable else { return nil }
                position += view.bytes.count
            }
        }
        return data
    }

    private mutating func noteDamage(_ index: Int) {
        checker.partitions[index].isDamaged = true
        for producer in producers.indices where producers[producer].partition == index {
            producers[producer].isStopped = true
        }
        if !checker.partitions[index].wasRotted {
            anomaly("partition \(index) is damaged, although nothing was damaged on purpose")
        }
    }

    private mutating func readSome() {
        let index = load.below(checker.partitions.count)
        guard topicExists, !checker.partitions[index].isDamaged else { return }
        let known = checker.partitions[index].acknowledged.keys
        let base = known.isEmpty ? 0 : known[load.below(known.count)]
        var walk = PromiseChecker.Walk(from: Offset(base))
        let maxBytes = Int32(1 << load.within(8...15))
        _ = fetch(.reader, index, maxBytes: maxBytes, remember: true, walk: &walk)
    }

    // MARK: Group

    private mutating func commitOffset() {
        guard topicExists, commitInFlight == nil, node != nil else { return }
        let offset = (maybeCommitted.last ?? committed ?? 0) + Int64(load.within(1...5))
        commitInFlight = offset
        maybeCommitted.append(offset)
        send(
            .group,
            OffsetCommitRequest(
                groupId: Self.group,
                topics: [
                    .init(
                        name: Self.topic,
                        partitions: [.init(partitionIndex: 0, committedOffset: offset)])
                ]), version: 7)
    }

    private mutating func takeCommitAnswers() {
        while let (_, response) = answer(.group, OffsetCommitResponse.self, version: 7) {
            guard let offset = commitInFlight else { continue }
            commitInFlight = nil
            if response.topics.first?.partitions.first?.errorCode == ErrorCode.none {
                committed = offset
                maybeCommitted.removeAll { $0 <= offset }
            }
        }
    }

    private mutating func checkCommit() {
        guard topicExists else { return }
        send(
            .checker,
            OffsetFetchRequest(
                groupId: Self.group, topics: [.init(name: Self.topic, partitionIndexes: [0])]),
            version: 5)
        guard !diskIsDead,
            let (_, response) = answer(.checker, OffsetFetchResponse.self, version: 5),
            response.errorCode == .none, let found = response.topics.first?.partitions.first,
            found.errorCode == .none
        else { return }
        let isKnown =
            found.committedOffset == committed ?? -1
            || maybeCommitted.contains(found.committedOffset)
        if !isKnown {
            anomaly(
                "offset \(committed ?? -1) was committed, \(found.committedOffset) is remembered")
        }
        if found.committedOffset >= 0 { committed = found.committedOffset }
        maybeCommitted = []
    }

    // MARK: Share group

    private mutating func share() {
        guard topicExists, node != nil, !checker.partitions[0].wasRotted,
            let request = sharer.nextRequest(&load)
        else { return }
        switch request {
        case .metadata(let request): send(.sharer, request, version: 12)
        case .begin(let request): send(.sharer, request, version: 0)
        case .fetch(let request): send(.sharer, request, version: 2)
        }
    }

    private mutating func takeShareAnswer() {
        switch sharer.question {
        case .topicID:
            if let found = answer(.sharer, MetadataResponse.self, version: 12) {
                sharer.take(found.response)
            }
        case .begin:
            if let found = answer(.sharer, AlterShareGroupOffsetsResponse.self, version: 0) {
                sharer.take(found.response)
            }
        case .fetch:
            guard let found = answer(.sharer, ShareFetchResponse.self, version: 2) else { return }
            for text in sharer.take(found.response) { anomaly(text) }
        case nil: anomaly("the sharer got an answer that it did not ask for")
        }
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
        node = nil
        openSyncs = []
        wakeGeneration += 1
        commitInFlight = nil
        sharer.loseNode()
        connections = [:]
        byClient = [:]
        queue.removeAll {
            switch $0 {
            case .syncDone, .wake: true
            default: false
            }
        }
        for index in producers.indices {
            if producers[index].isIdempotent {
                for position in producers[index].inFlight.indices {
                    producers[index].inFlight[position].correlation = nil
                }
            } else {
                producers[index].inFlight = []
            }
        }
        if rotOneIn > 0, !isDraining, faults.chance(1, in: rotOneIn) { rot() }
    }

    /// Damages a segment of the topic while nobody looks.
    private mutating func rot() {
        let files = disk.files().filter {
            $0.path.hasPrefix(Self.topic + "-") && $0.path.hasSuffix(".log") && $0.file.size > 0
        }
        guard !files.isEmpty else { return }
        let victim = files[faults.below(files.count)]
        let size = Int(victim.file.size)
        trace.mix(victim.path)
        for index in checker.partitions.indices
        where victim.path.hasPrefix(checker.partitions[index].name.description + "/") {
            checker.partitions[index].wasRotted = true
        }
        if faults.chance(1, in: 2) {
            victim.file.shorten(to: faults.below(size))
        } else {
            victim.file.flip(bit: faults.below(8), at: faults.below(size))
        }
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
                } else if error.code == "storage.failed" || !isHealthy {
                    if attempt > 4 { disk.faults.capacity = 1 << 40 }
                    killProcess()
                } else {
                    return anomaly("the node can't be started: \(error)")
                }
                continue
            }
            guard !diskIsDead else {
                node = nil
                losePower()
                continue
            }
            deliver(.timer)
            if node != nil, !diskIsDead { check() }
            return
        }
        anomaly("the node could not be started in twelve attempts")
    }

    private var isHealthy: Bool {
        disk.faults.syncFailureOneIn == 0 && disk.faults.capacity == 1 << 40
    }

    // MARK: Checks

    private mutating func check() {
        guard topicExists else { return }
        for index in checker.partitions.indices where !checker.partitions[index].isDamaged {
            var walk = PromiseChecker.Walk(from: 0)
            var highWatermark: Offset?
            while true {
                let before = walk.next
                guard
                    let data = fetch(
                        .checker, index, maxBytes: 64 << 10, remember: false, walk: &walk)
                else { break }
                highWatermark = Offset(data.highWatermark)
                if walk.next == before { break }
            }
            guard node != nil, !diskIsDead, checker.anomalies.isEmpty else { return }
            guard let highWatermark, !checker.partitions[index].isDamaged else { continue }
            checker.verify(walk, of: index, logStart: 0, highWatermark: highWatermark)
            trace.mix(walk.next.value)
        }
        checkCommit()
        if !diskIsDead { node?.checkInvariants() }
    }
}
