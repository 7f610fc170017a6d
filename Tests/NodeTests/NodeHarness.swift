import Base
import Coordinator
import Log
import Node
import Testing
import WireProtocol

/// Collects what the node says to operators.
final class CollectedDiagnostics: Diagnostics {
    func report(_ severity: Severity, _ component: String, _ message: String) {}
}

/// Drives a node over a disk in memory with a clock of its own. Syncs complete at once unless
/// `holdsSyncs`; every frame that the node sends is kept for its connection.
struct NodeHarness {
    var node: BrokerNode
    let disk: MemoryDisk
    var configuration: NodeConfiguration
    var milliseconds: Int64 = 1_700_000_000_000
    var sent: [UInt64: [Bytes]] = [:]
    var closed: [UInt64: String] = [:]
    var finished: [UInt64: Result<NodeAnswer, Problem>] = [:]
    var halted: Problem?
    var wakeAt: Instant?
    var authenticated: [ConnectionID] = []
    private(set) var mayStop = false
    var paused: [UInt64: Instant] = [:]
    var holdsSyncs = false
    var heldSync: SyncTicket?
    private var nextConnection: UInt64 = 1
    private var nextCommand: UInt64 = 1
    private var nextCorrelation: Int32 = 100
    private var nextSeed: UInt64 = 7

    init(
        disk: MemoryDisk = MemoryDisk(), _ change: (inout NodeConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = NodeConfiguration()
        configuration.groups.initialRebalanceDelay = .zero
        configuration.offsetsPartitions = 2
        configuration.log.journalFileBytes = 1 << 20
        configuration.advertisedHost = "broker"
        change(&configuration)
        self.configuration = configuration
        self.disk = disk
        node = try BrokerNode(
            configuration: configuration, disk: disk, random: Random(seed: 7),
            diagnostics: CollectedDiagnostics(), now: Self.now(1_700_000_000_000))
        send(.timer)
    }

    private static func now(_ milliseconds: Int64) -> Now {
        Now(
            monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
            wallMicroseconds: milliseconds * 1000)
    }

    var now: Now { Self.now(milliseconds) }

    /// Stops without a goodbye and starts again on the same disk.
    mutating func restart() throws {
        nextSeed += 1
        sent = [:]
        heldSync = nil
        node = try BrokerNode(
            configuration: configuration, disk: disk, random: Random(seed: nextSeed),
            diagnostics: CollectedDiagnostics(), now: now)
        send(.timer)
    }

    // MARK: Events

    mutating func send(_ event: NodeEvent) {
        var effects: [NodeEffect] = []
        node.handle(event, now: now, into: &effects)
        for effect in effects { apply(effect) }
        node.checkInvariants()
    }

    private mutating func apply(_ effect: NodeEffect) {
        switch effect {
        case .send(let id, let pieces): sent[id.value, default: []].append(Bytes.joined(pieces))
        case .close(let id, let reason): closed[id.value] = reason
        case .syncJournal(let ticket, let file):
            #expect(heldSync == nil, "at most one sync is open")
            heldSync = ticket
            do {
                try file.sync()
            } catch {
                Issue.record("sync failed: \(error)")
            }
            if !holdsSyncs { completeSync() }
        case .syncSegment(let ticket, let file):
            do {
                try file.sync()
            } catch {
                Issue.record("sync failed: \(error)")
            }
            send(.journalSynced(ticket, failure: nil))
        case .wakeAt(let instant): wakeAt = instant
        case .authenticated(let id): authenticated.append(id)
        case .pause(let id, let until): paused[id.value] = until
        case .commandFinished(let id, let result): finished[id.value] = result
        case .mayStop: mayStop = true
        case .dial, .linked, .runQuorumJob: Issue.record("the node stands alone")
        case .halt(let problem): halted = problem
        }
    }

    mutating func completeSync(failure: StorageFailure? = nil) {
        guard let ticket = heldSync else { return }
        heldSync = nil
        send(.journalSynced(ticket, failure: failure))
    }

    mutating func advance(_ duration: Int64) {
        let end = milliseconds + duration
        while milliseconds < end {
            let due = wakeAt.map { ($0.nanoseconds + 999_999) / 1_000_000 } ?? end
            milliseconds = min(end, max(due, milliseconds + 1))
            if let wakeAt, wakeAt <= now.monotonic {
                self.wakeAt = nil
                send(.timer)
            }
        }
    }

    // MARK: Clients

    mutating func connect(
        listener: Int = 0, principal: String? = nil, peer: String = "10.0.0.9:5000"
    ) -> ConnectionID {
        let id = ConnectionID(nextConnection)
        nextConnection += 1
        send(.connectionOpened(id, peer: peer, listener: listener, principal: principal))
        return id
    }

    /// Sends a request and returns its correlation id.
    @discardableResult
    mutating func request(
        _ id: ConnectionID, _ body: some WireRequest, version: Int16
    ) -> Int32 {
        nextCorrelation += 1
        let frame = Bytes.joined(
            body.frame(version: version, correlationId: nextCorrelation, clientId: "test"))
        send(.request(id, frame[4..<frame.count]))
        return nextCorrelation
    }

    /// The next answer on the connection, decoded to its last byte; nil when there is none.
    mutating func answer<Response: WireResponse>(
        _ id: ConnectionID, _ type: Response.Type, version: Int16
    ) throws -> Response? {
        guard var frames = sent[id.value], !frames.isEmpty else { return nil }
        let frame = frames.removeFirst()
        sent[id.value] = frames
        var reader = ByteReader(frame)
        #expect(Int(try reader.int32()) == frame.count - 4)
        _ = try ResponseHeader(from: &reader, apiKey: Response.apiKey, version: version)
        let response = try Response(from: &reader, version: version)
        #expect(reader.isAtEnd, "the answer is understood to its last byte")
        return response
    }

    /// Sends a request on a connection of its own or a given one, and expects an answer at once.
    mutating func call<Request: WireRequest>(
        _ body: Request, version: Int16, on given: ConnectionID? = nil
    ) throws -> Request.Response {
        let id = given ?? connect()
        request(id, body, version: version)
        let response = try answer(id, Request.Response.self, version: version)
        if given == nil { send(.connectionClosed(id)) }
        return try #require(response)
    }

    mutating func command(_ command: NodeCommand) -> UInt64 {
        let id = nextCommand
        nextCommand += 1
        send(.command(CommandID(id), command))
        return id
    }

    mutating func perform(_ command: NodeCommand) throws -> NodeAnswer {
        let id = self.command(command)
        return try #require(finished[id]).get()
    }

    // MARK: Shorthands

    mutating func createTopic(
        _ name: String, partitions: Int32 = 1, _ settings: [(String, String)] = []
    ) throws {
        let configs = settings.map {
            CreateTopicsRequest.CreatableTopicConfig(name: $0.0, value: $0.1)
        }
        let response = try call(
            CreateTopicsRequest(topics: [
                .init(
                    name: name, numPartitions: partitions, replicationFactor: 1, configs: configs)
            ]), version: 7)
        #expect(response.topics.map(\.errorCode) == [.none])
    }

    func produceRequest(
        _ topic: String, _ partition: Int32 = 0, _ batch: Bytes, acks: Int16 = -1
    ) -> ProduceRequest {
        ProduceRequest(
            acks: acks, timeoutMs: 5000,
            topicData: [
                .init(name: topic, partitionData: [.init(index: partition, records: [batch])])
            ])
    }

    func fetchRequest(
        _ topic: String, _ partition: Int32 = 0, from offset: Int64, maxWait: Int32 = 0,
        minBytes: Int32 = 1, maxBytes: Int32 = 1 << 20
    ) -> FetchRequest {
        FetchRequest(
            maxWaitMs: maxWait, minBytes: minBytes, maxBytes: maxBytes,
            topics: [
                .init(
                    topic: topic,
                    partitions: [
                        .init(
                            partition: partition, fetchOffset: offset, partitionMaxBytes: maxBytes)
                    ])
            ])
    }

    mutating func produce(
        _ topic: String, _ partition: Int32 = 0, _ values: [String]
    ) throws -> ProduceResponse.PartitionProduceResponse {
        let response = try call(
            produceRequest(topic, partition, batch(values, milliseconds)), version: 9)
        return try #require(response.responses.first?.partitionResponses.first)
    }

    mutating func fetch(
        _ topic: String, _ partition: Int32 = 0, from offset: Int64
    ) throws -> [String] {
        let response = try call(fetchRequest(topic, partition, from: offset), version: 12)
        let data = try #require(response.responses.first?.partitions.first)
        #expect(data.errorCode == .none)
        return try values(of: data)
    }
}

/// A batch with these values.
func batch(
    _ values: [String], _ milliseconds: Int64, producer: (Int64, Int16, Int32)? = nil,
    key: String? = nil
) -> Bytes {
    var builder = RecordBatchBuilder()
    for value in values {
        builder.append(
            key: key.map { Bytes(utf8: $0) }, value: Bytes(utf8: value),
            timestamp: Timestamp(milliseconds: milliseconds))
    }
    var properties = RecordBatchBuilder.Properties()
    if let producer {
        properties.producerId = producer.0
        properties.producerEpoch = producer.1
        properties.baseSequence = producer.2
    }
    do {
        return try builder.finish(properties)
    } catch {
        Issue.record("batch: \(error)")
        return .empty
    }
}

func values(of data: FetchResponse.PartitionData) throws -> [String] {
    try values(of: data.records)
}

func values(of batches: [Bytes]) throws -> [String] {
    var result: [String] = []
    var sequence = RecordBatchSequence(Bytes.joined(batches))
    while let batch = try sequence.next() {
        _ = try batch.validate(order: .ascending)
        var records = try batch.records()
        while let record = try records.next() { result.append(record.value?.text ?? "") }
    }
    return result
}
