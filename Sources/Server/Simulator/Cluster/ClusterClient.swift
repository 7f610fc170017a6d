import Base
import Log
import Node
import WireProtocol

/// A client of the simulated cluster: what it wants, and the request that it waits for. Like real ones it
/// asks again until it knows.
struct ClusterClient {
    enum Role {
        /// Makes the topics.
        case maker(next: Int)
        case producer(Producer)
        case consumer(Consumer)
        case committer(Committer)
        case mover(Mover)
        /// Gives partitions other replicas.
        case planner
        case insider(ClusterInsider)
    }

    struct Producer {
        var id: Int
        var place: Int
        var producerID: Int64 = -1
        var sequence: Int32 = 0
        var count = 0
        /// Not acknowledged yet.
        var values: [String] = []
    }

    struct Consumer {
        var place: Int
        var offset: Int64 = 0
        var isCommittedOnly: Bool
        /// Where it says that it is; empty when it does not.
        var rack = ""
        /// The node that it was sent to, by the leader.
        var near: Int32?
        /// Reads everything at the end.
        var found: [Int64: String]?
        /// What it knows of the end: it has read everything below.
        var isAtEnd = false
    }

    struct Committer {
        var group: String
        var next: Int64 = 0
        /// Asks what was committed, at the end.
        var isReading = false
        var isChecked = false
    }

    /// Writes transactions: two records to each of two partitions.
    struct Mover {
        enum Step {
            case identify
            case begin
            case add
            case write(Int)
            case end
        }

        var id: Int
        /// A new epoch for each transaction.
        var bumpsEpochs: Bool
        var step = Step.identify
        var producerID: Int64 = -1
        var epoch: Int16 = -1
        var sequences: [Int: Int32] = [:]
        var count = 0
        var places: [Int] = []
        var name = ""
        var commits = true
        /// The end was asked for, with an answer or without.
        var mayBeCommitted = false
    }

    static let transactionRecords = 4

    var role: Role
    var attempt = 0
    var end: SimulatedEnd?
    var version: Int16 = 0
}

extension ClusterSimulation {
    mutating func makeClients() {
        clients.append(ClusterClient(role: .maker(next: 0)))
        for (topic, plan) in swarm.topics.enumerated() {
            for partition in 0..<plan.partitions {
                checker.partitions.append(
                    .init(name: TopicPartition(topic: "t\(topic)", partition: Int32(partition))))
            }
        }
        let count = checker.partitions.count
        for id in 0..<swarm.producers {
            clients.append(
                ClusterClient(role: .producer(.init(id: id, place: load.below(count)))))
        }
        for number in 0..<swarm.consumers {
            var consumer = ClusterClient.Consumer(
                place: load.below(count), isCommittedOnly: load.chance(1, in: 2))
            if swarm.racks > 1 { consumer.rack = "r\(number % swarm.racks)" }
            clients.append(ClusterClient(role: .consumer(consumer)))
        }
        for id in 0..<swarm.committers {
            clients.append(ClusterClient(role: .committer(.init(group: "g\(id)"))))
        }
        for id in 0..<swarm.movers {
            clients.append(
                ClusterClient(role: .mover(.init(id: id, bumpsEpochs: load.chance(1, in: 2)))))
        }
        if swarm.moveEvery > 0 { clients.append(ClusterClient(role: .planner)) }
        // They begin when everything is quiet.
        for place in 0..<count {
            clients.append(
                ClusterClient(
                    role: .consumer(.init(place: place, isCommittedOnly: true, found: [:]))))
        }
    }

    private var topicsMade: Bool {
        if case .maker(let next) = clients[0].role { return next == swarm.topics.count }
        return true
    }

    /// Whom a client asks: mostly who leads by the word of some node, sometimes anybody.
    private mutating func target(_ place: Int) -> Int {
        let told = load.below(nodes.count)
        if load.chance(1, in: 8) { return told }
        let leader = nodes[told].node?.knownLeader(of: checker.partitions[place].name)
        return leader.map { Int($0.value) - 1 } ?? told
    }

    /// Sends a request, and waits for its answer for a while.
    mutating func ask(
        _ client: Int, _ body: some WireRequest, version: Int16, to node: Int
    ) {
        clients[client].attempt += 1
        clients[client].version = version
        let attempt = clients[client].attempt
        let frame = Bytes.joined(
            body.frame(version: version, correlationId: Int32(attempt), clientId: "c\(client)"))
        clients[client].end = request(frame, to: node, from: client)
        let patience = clients[client].end == nil ? 50 : load.within(500...6000)
        queue.schedule(
            .timeout(client, attempt: attempt), at: time + Int64(patience) * 1_000_000)
    }

    mutating func timedOut(_ client: Int, _ attempt: Int) {
        guard clients[client].attempt == attempt else { return }
        insiderTimedOut(client)
        if let end = clients[client].end {
            hangUp(end)
            loseTouch(client)
        }
        clients[client].end = nil
        // Nobody answers there: the leader knows who else does.
        if case .consumer(var consumer) = clients[client].role {
            consumer.near = nil
            clients[client].role = .consumer(consumer)
        }
        act(client)
    }

    mutating func actLater(_ client: Int) {
        clients[client].attempt += 1
        var pace = load.within(swarm.pace)
        if case .planner = clients[client].role { pace += load.below(2 * swarm.moveEvery) }
        queue.schedule(.act(client), at: time + Int64(pace) * 1_000_000)
    }

    // MARK: Requests

    mutating func act(_ client: Int) {
        guard clients[client].end == nil else { return }
        let anybody = load.below(nodes.count)
        switch clients[client].role {
        case .maker(let next):
            guard next < swarm.topics.count else { return }
            let plan = swarm.topics[next]
            ask(
                client,
                CreateTopicsRequest(topics: [
                    .init(
                        name: "t\(next)", numPartitions: Int32(plan.partitions),
                        replicationFactor: Int16(plan.factor),
                        configs: [.init(name: "segment.bytes", value: "\(swarm.segmentBytes)")])
                ]), version: 7, to: anybody)
        case _ where !topicsMade: actLater(client)
        case .producer(let producer): act(client, producer)
        case .consumer(let consumer):
            if consumer.found != nil, !isQuiet { return actLater(client) }
            let name = checker.partitions[consumer.place].name
            ask(
                client,
                FetchRequest(
                    maxWaitMs: 100, minBytes: 1, maxBytes: 1 << 20,
                    isolationLevel: consumer.isCommittedOnly ? 1 : 0,
                    topics: [
                        .init(
                            topic: name.topic,
                            partitions: [
                                .init(
                                    partition: name.partition, fetchOffset: consumer.offset,
                                    partitionMaxBytes: Int32(load.within(200...20_000)))
                            ])
                    ], rackId: consumer.rack),
                version: 11, to: consumer.near.map { Int($0) - 1 } ?? target(consumer.place))
        case .committer(var committer):
            committer.isReading = isQuiet
            clients[client].role = .committer(committer)
            if isQuiet {
                return ask(
                    client,
                    OffsetFetchRequest(groups: [.init(groupId: committer.group, topics: nil)]),
                    version: 8, to: anybody)
            }
            committer.next += 1
            clients[client].role = .committer(committer)
            checker.commits[committer.group, default: (-1, [])].tried.insert(committer.next)
            ask(
                client,
                OffsetCommitRequest(
                    groupId: committer.group, generationIdOrMemberEpoch: -1, memberId: "",
                    topics: [
                        .init(
                            name: "t0",
                            partitions: [
                                .init(partitionIndex: 0, committedOffset: committer.next)
                            ])
                    ]), version: 8, to: anybody)
        case .mover(let mover): act(client, mover)
        case .planner: plan(client)
        case .insider(let insider): act(client, insider)
        }
    }

    private mutating func act(_ client: Int, _ known: ClusterClient.Producer) {
        var producer = known
        guard producer.producerID >= 0 else {
            return ask(
                client, InitProducerIdRequest(transactionalId: nil), version: 4,
                to: load.below(nodes.count))
        }
        if producer.values.isEmpty {
            if isQuiet { return }
            for _ in 0..<load.within(1...3) {
                producer.count += 1
                producer.values.append("p\(producer.id)n\(producer.count)")
            }
            clients[client].role = .producer(producer)
        }
        var properties = RecordBatchBuilder.Properties()
        properties.producerId = producer.producerID
        properties.producerEpoch = 0
        properties.baseSequence = producer.sequence
        produce(
            client, producer.values, properties, producer.place, transactionalID: nil, version: 9)
    }

    mutating func produce(
        _ client: Int, _ values: [String], _ properties: RecordBatchBuilder.Properties,
        _ place: Int, transactionalID: String?, version: Int16
    ) {
        var builder = RecordBatchBuilder()
        for value in values {
            builder.append(
                key: nil, value: Bytes(utf8: value), timestamp: now(0).timestamp)
        }
        guard let batch = try? builder.finish(properties) else {
            return checker.fail("a batch could not be built")
        }
        let name = checker.partitions[place].name
        ask(
            client,
            ProduceRequest(
                transactionalId: transactionalID, acks: -1, timeoutMs: 30_000,
                topicData: [
                    .init(
                        name: name.topic,
                        partitionData: [.init(index: name.partition, records: [batch])])
                ]), version: version, to: target(place))
    }

    // MARK: Answers

    /// An answer, or the end of the connection.
    mutating func clientReceives(_ end: SimulatedEnd, _ frame: Bytes?) {
        let client = end.place - nodes.count
        guard clients[client].end == end else { return }
        clients[client].end = nil
        guard let frame else {
            loseTouch(client)
            return actLater(client)
        }
        hangUp(end)
        do throws(DecodeFailure) {
            try take(client, frame)
        } catch {
            checker.fail("an answer cannot be read: \(error)")
        }
        actLater(client)
    }

    func decode<Response: WireResponse>(
        _ type: Response.Type, _ frame: Bytes, _ client: Int
    ) throws(DecodeFailure) -> Response {
        var reader = ByteReader(frame)
        let version = clients[client].version
        _ = try ResponseHeader(from: &reader, apiKey: Response.apiKey, version: version)
        return try Response(from: &reader, version: version)
    }

    private mutating func take(_ client: Int, _ frame: Bytes) throws(DecodeFailure) {
        switch clients[client].role {
        case .maker(let next):
            let topic = try decode(CreateTopicsResponse.self, frame, client).topics.first
            if topic?.errorCode == ErrorCode.none || topic?.errorCode == .topicAlreadyExists {
                clients[client].role = .maker(next: next + 1)
            }
        case .producer(let producer): try take(client, producer, frame)
        case .consumer(let consumer): try take(client, consumer, frame)
        case .committer(let committer): try take(client, committer, frame)
        case .mover(let mover): try take(client, mover, frame)
        case .planner: try takePlanned(client, frame)
        case .insider: checker.fail("a process gets an answer over the network")
        }
    }

    private mutating func take(
        _ client: Int, _ known: ClusterClient.Producer, _ frame: Bytes
    ) throws(DecodeFailure) {
        var producer = known
        if producer.producerID < 0 {
            let given = try decode(InitProducerIdResponse.self, frame, client)
            if given.errorCode == .none {
                producer.producerID = given.producerId
                checker.given(given.producerId)
            }
        } else {
            let response = try decode(ProduceResponse.self, frame, client)
            guard let answer = response.responses.first?.partitionResponses.first else {
                return checker.fail("a produce has no answer")
            }
            if answer.errorCode == .none {
                narrate("\(producer.values) are at \(answer.baseOffset)")
                checker.acknowledged(producer.place, answer.baseOffset, producer.values)
                result.acknowledged += 1
                producer.sequence += Int32(producer.values.count)
                producer.values = []
            } else if !answer.errorCode.isRetriable {
                checker.fail(
                    "\(producer.values), sequence \(producer.sequence), are refused by "
                        + "\(checker.partitions[producer.place].name): "
                        + "\(answer.errorCode) \(answer.errorMessage ?? "")")
            } else {
                narrate("\(producer.values) are refused for now: \(answer.errorCode)")
            }
        }
        clients[client].role = .producer(producer)
    }

    private mutating func take(
        _ client: Int, _ known: ClusterClient.Consumer, _ frame: Bytes
    ) throws(DecodeFailure) {
        var consumer = known
        let response = try decode(FetchResponse.self, frame, client)
        guard let data = response.responses.first?.partitions.first else { return }
        guard data.errorCode == .none else {
            // The leader knows better, and sends it back when the replica has what it asks for.
            if consumer.near != nil, data.errorCode != .offsetNotAvailable {
                consumer.near = nil
                clients[client].role = .consumer(consumer)
            }
            if !data.errorCode.isRetriable {
                checker.fail(
                    "a reader of \(checker.partitions[consumer.place].name) at \(consumer.offset) "
                        + "is told \(data.errorCode)")
            }
            return
        }
        result.reads += 1
        if data.preferredReadReplica >= 0 {
            consumer.near = data.preferredReadReplica
            clients[client].role = .consumer(consumer)
            return
        }
        var aborted = data.abortedTransactions ?? []
        aborted.sort { $0.firstOffset < $1.firstOffset }
        var open: Set<Int64> = []
        let before = consumer.offset
        for bytes in data.records {
            var batches = RecordBatchSequence(bytes)
            while let batch = try batches.next() {
                let header = batch.header
                consumer.offset = max(consumer.offset, header.nextOffset.value)
                while let first = aborted.first, first.firstOffset <= header.baseOffset.value {
                    open.insert(aborted.removeFirst().producerId)
                }
                var records = try batch.records()
                while let record = try records.next() {
                    if header.isControl {
                        open.remove(header.producerId)
                        continue
                    }
                    guard record.offset.value >= before, let bytes = record.value else { continue }
                    let value = String(decoding: bytes.array, as: UTF8.self)
                    checker.saw(consumer.place, record.offset.value, value)
                    if consumer.isCommittedOnly, header.isTransactional,
                        open.contains(header.producerId)
                    {
                        continue
                    }
                    if consumer.isCommittedOnly { checker.sawCommitted(value) }
                    consumer.found?[record.offset.value] = value
                }
            }
        }
        consumer.isAtEnd = consumer.offset >= data.highWatermark
        clients[client].role = .consumer(consumer)
    }

    private mutating func take(
        _ client: Int, _ known: ClusterClient.Committer, _ frame: Bytes
    ) throws(DecodeFailure) {
        var committer = known
        // What was asked before everything was quiet is a commit still.
        guard committer.isReading else {
            let answer = try decode(OffsetCommitResponse.self, frame, client)
            if answer.topics.first?.partitions.first?.errorCode == ErrorCode.none {
                checker.commits[committer.group]?.known = committer.next
            }
            return
        }
        let answer = try decode(OffsetFetchResponse.self, frame, client)
        guard let group = answer.groups.first, group.errorCode == .none else { return }
        let found = group.topics.first?.partitions.first?.committedOffset ?? -1
        if let commit = checker.commits[committer.group] {
            if found >= 0, !commit.tried.contains(found) || found < commit.known {
                checker.fail("\(committer.group) is at \(found), \(commit.known) was committed")
            }
            if found < 0, commit.known >= 0 {
                checker.fail("\(committer.group) has forgotten \(commit.known)")
            }
        }
        committer.isChecked = true
        clients[client].role = .committer(committer)
    }

    // MARK: The end

    mutating func finish() {
        guard topicsMade else { return checker.fail("the topics were not made after healing") }
        var visible: [String] = []
        for client in clients {
            switch client.role {
            case .maker: break
            case .insider(let insider):
                if insider.asked != nil {
                    checker.fail(
                        "a question of process \(insider.id) is not answered after healing")
                }
            case .planner:
                for place in movingPartitions() {
                    checker.fail("the move of \(place) does not come to its end after healing")
                }
            case .producer(let producer):
                if !producer.values.isEmpty {
                    checker.fail("\(producer.values) are not answered after healing")
                }
            case .consumer(let consumer):
                guard let found = consumer.found else { break }
                let name = checker.partitions[consumer.place].name
                guard consumer.isAtEnd else {
                    checker.fail("\(name) can't be read to its end after healing")
                    break
                }
                checker.finish(consumer.place, found)
                visible += found.values
            case .committer(let committer):
                if !committer.isChecked {
                    checker.fail("\(committer.group) has no coordinator after healing")
                }
            case .mover(let mover):
                if case .begin = mover.step { break }
                checker.fail("\(mover.name) does not come to its end after healing: \(mover.step)")
            }
        }
        checker.finishTransactions(visible)
        finishInsiders()
        for (index, node) in nodes.enumerated() where node.node == nil {
            checker.fail("node \(index + 1) does not run after healing")
        }
    }
}
