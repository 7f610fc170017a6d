import Base
import Glibc
import WireProtocol

/// A broker of a few hundred lines in this process: one node, one partition log in memory per
/// partition, one group that rebalances in one step. It stands in for a real one, and can be told
/// to fail.
final class FakeBroker: @unchecked Sendable {
    /// What goes wrong with the next Produce requests, one each.
    enum ProduceFault {
        /// Answer with this code and store nothing.
        case refuse(ErrorCode)
        /// Store, then drop the connection without an answer.
        case loseAnswer
    }

    private struct Log {
        var batches: [Bytes] = []
        var end: Int64 = 0
        /// Base offsets by producer id and first sequence.
        var numbered: [String: Int64] = [:]
    }

    private let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private var topics: [String: [Log]] = [:]
    private var offsets: [String: Int64] = [:]
    private var members: [(id: String, metadata: Bytes)] = []
    private var assignments: [String: Bytes] = [:]
    private var generation: Int32 = 0
    private var nextMember = 0
    private var nextProducerId: Int64 = 1000
    var faults: [ProduceFault] = []
    private var others: [FakeBroker] = []
    private var isHanging = false
    private(set) var produceRequests = 0
    private let listener: Int32
    let port: Int32
    let defaultPartitions: Int
    let nodeId: Int32

    var address: String { "127.0.0.1:\(port)" }

    init(defaultPartitions: Int = 3, nodeId: Int32 = 1) {
        self.defaultPartitions = defaultPartitions
        self.nodeId = nodeId
        pthread_mutex_init(lock, nil)
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listening = listener
        let boundPort = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                precondition(bind(listening, generic, size) == 0)
                precondition(listen(listening, 16) == 0)
                getsockname(listening, generic, &size)
            }
            return Int32(UInt16(bigEndian: pointer.pointee.sin_port))
        }
        port = boundPort
        start { [self] in
            while true {
                let connection = accept(listening, nil, nil)
                if connection < 0 { return }
                start { [self] in serve(connection) }
            }
        }
    }

    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// The values that were stored in a partition, in order.
    func values(_ topic: String, _ partition: Int) -> [String] {
        locked {
            (topics[topic]?[partition].batches ?? []).flatMap { bytes -> [String] in
                guard let batch = try? RecordBatchView(bytes), var cursor = try? batch.records()
                else { return [] }
                var values: [String] = []
                while let record = (try? cursor.next()) ?? nil {
                    values.append(record.value?.text ?? "")
                }
                return values
            }
        }
    }

    /// Says from now on that these belong to its cluster.
    func join(_ others: [FakeBroker]) { locked { self.others = others } }

    /// Takes connections and requests, and answers nothing, as a process that was stopped does.
    func hang(_ isHanging: Bool = true) { locked { self.isHanging = isHanging } }

    func fail(_ faults: [ProduceFault]) { locked { self.faults = faults } }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return body()
    }

    private func start(_ body: @escaping @Sendable () -> Void) {
        var handle = pthread_t()
        let box = Unmanaged.passRetained(ThreadBody(body))
        pthread_create(&handle, nil, runThreadBody, box.toOpaque())
        pthread_detach(handle)
    }

    // MARK: Requests

    private func serve(_ connection: Int32) {
        defer { Glibc.close(connection) }
        while let frame = read(connection) {
            var reader = ByteReader(frame)
            guard let header = try? RequestHeader(from: &reader, table: .all),
                let kind = header.kind,
                let request = try? BrokerRequest(
                    from: &reader, apiKey: kind, version: header.apiVersion)
            else { return }
            while locked({ isHanging }) { usleep(10_000) }
            guard let answer = locked({ answer(request, header) }) else { return }
            for piece in answer where !write(connection, piece) { return }
        }
    }

    private func read(_ connection: Int32) -> Bytes? {
        func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Bool {
            var position = 0
            while position < buffer.count {
                let count = recv(
                    connection, buffer.baseAddress! + position, buffer.count - position, 0)
                if count <= 0 { return false }
                position += count
            }
            return true
        }
        var length: UInt32 = 0
        guard withUnsafeMutableBytes(of: &length, fill) else { return nil }
        let storage = ByteStorage(count: Int(UInt32(bigEndian: length)))
        guard fill(UnsafeMutableRawBufferPointer(start: storage.base, count: storage.count)) else {
            return nil
        }
        return Bytes(storage: storage, start: 0, count: storage.count)
    }

    private func write(_ connection: Int32, _ bytes: Bytes) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var position = 0
            while position < buffer.count {
                let count = send(
                    connection, buffer.baseAddress! + position, buffer.count - position,
                    Int32(MSG_NOSIGNAL))
                if count < 0 { return false }
                position += count
            }
            return true
        }
    }

    private func answer(_ request: BrokerRequest, _ header: RequestHeader) -> [Bytes]? {
        func frame(_ response: some WireResponse) -> [Bytes] {
            response.frame(version: header.apiVersion, correlationId: header.correlationId)
        }
        switch request {
        case .apiVersions: return frame(ApiVersionTable.all.response(version: header.apiVersion))
        case .metadata(let request): return frame(metadata(request))
        case .initProducerId:
            nextProducerId += 1
            return frame(InitProducerIdResponse(producerId: nextProducerId, producerEpoch: 0))
        case .produce(let request):
            produceRequests += 1
            let fault = faults.isEmpty ? nil : faults.removeFirst()
            if case .refuse(let code) = fault { return frame(produce(request, refusing: code)) }
            let response = produce(request, refusing: nil)
            if case .loseAnswer = fault { return nil }
            return request.acks == 0 ? [] : frame(response)
        case .fetch(let request): return frame(fetch(request))
        case .listOffsets(let request): return frame(listOffsets(request))
        case .findCoordinator:
            return frame(FindCoordinatorResponse(nodeId: nodeId, host: "127.0.0.1", port: port))
        case .joinGroup(let request): return frame(join(request))
        case .syncGroup(let request):
            for share in request.assignments { assignments[share.memberId] = share.assignment }
            return frame(SyncGroupResponse(assignment: assignments[request.memberId] ?? .empty))
        case .heartbeat(let request):
            let isCurrent = request.generationId == generation
            return frame(HeartbeatResponse(errorCode: isCurrent ? .none : .rebalanceInProgress))
        case .leaveGroup(let request):
            let leaving = Set(request.members.map(\.memberId) + [request.memberId])
            members.removeAll { leaving.contains($0.id) }
            generation += 1
            return frame(LeaveGroupResponse())
        case .offsetCommit(let request): return frame(commit(request))
        case .offsetFetch(let request): return frame(offsetFetch(request))
        default: return nil
        }
    }

    private func metadata(_ request: MetadataRequest) -> MetadataResponse {
        var response = MetadataResponse(
            brokers: ([self] + others).map {
                .init(nodeId: $0.nodeId, host: "127.0.0.1", port: $0.port)
            }, controllerId: nodeId)
        for name in request.topics.map({ $0.compactMap(\.name) }) ?? topics.keys.sorted() {
            if topics[name] == nil, request.allowAutoTopicCreation {
                topics[name] = Array(repeating: Log(), count: defaultPartitions)
            }
            var topic = MetadataResponse.MetadataResponseTopic(name: name)
            if let logs = topics[name] {
                topic.partitions = logs.indices.map {
                    .init(
                        partitionIndex: Int32($0), leaderId: nodeId, leaderEpoch: 0,
                        replicaNodes: [nodeId], isrNodes: [nodeId])
                }
            } else {
                topic.errorCode = .unknownTopicOrPartition
            }
            response.topics.append(topic)
        }
        return response
    }

    private func produce(_ request: ProduceRequest, refusing code: ErrorCode?) -> ProduceResponse {
        var response = ProduceResponse()
        for topic in request.topicData {
            var answer = ProduceResponse.TopicProduceResponse(name: topic.name)
            for partition in topic.partitionData {
                var own = ProduceResponse.PartitionProduceResponse(index: partition.index)
                own.errorCode = code ?? store(partition, topic.name, &own.baseOffset)
                answer.partitionResponses.append(own)
            }
            response.responses.append(answer)
        }
        return response
    }

    private func store(
        _ data: ProduceRequest.PartitionProduceData, _ topic: String, _ baseOffset: inout Int64
    ) -> ErrorCode {
        let index = Int(data.index)
        guard let logs = topics[topic], logs.indices.contains(index) else {
            return .unknownTopicOrPartition
        }
        guard let batch = try? RecordBatchView(Bytes.joined(data.records)),
            (try? batch.validate()) != nil
        else { return .corruptMessage }
        let number = "\(batch.header.producerId)/\(batch.header.baseSequence)"
        if batch.header.isIdempotent, let known = logs[index].numbered[number] {
            baseOffset = known
            return .none
        }
        baseOffset = logs[index].end
        let stamped = batch.stampedCopy(baseOffset: Offset(baseOffset), leaderEpoch: 0)
        topics[topic]?[index].batches.append(stamped.bytes)
        topics[topic]?[index].end = stamped.header.nextOffset.value
        topics[topic]?[index].numbered[number] = baseOffset
        return .none
    }

    private func fetch(_ request: FetchRequest) -> FetchResponse {
        var response = FetchResponse()
        for topic in request.topics {
            var answer = FetchResponse.FetchableTopicResponse(topic: topic.topic)
            for partition in topic.partitions {
                var own = FetchResponse.PartitionData(partitionIndex: partition.partition)
                if let log = topics[topic.topic]?[Int(partition.partition)] {
                    own.highWatermark = log.end
                    if partition.fetchOffset > log.end { own.errorCode = .offsetOutOfRange }
                    own.records = log.batches
                        .filter {
                            let header = try? RecordBatchHeader($0)
                            return (header?.lastOffset.value ?? -1) >= partition.fetchOffset
                        }
                        .prefix(2).map { $0 }
                } else {
                    own.errorCode = .unknownTopicOrPartition
                }
                answer.partitions.append(own)
            }
            response.responses.append(answer)
        }
        return response
    }

    private func listOffsets(_ request: ListOffsetsRequest) -> ListOffsetsResponse {
        var response = ListOffsetsResponse()
        for topic in request.topics {
            var answer = ListOffsetsResponse.ListOffsetsTopicResponse(name: topic.name)
            for partition in topic.partitions {
                let log = topics[topic.name]?[Int(partition.partitionIndex)]
                var own = ListOffsetsResponse.ListOffsetsPartitionResponse(
                    partitionIndex: partition.partitionIndex)
                own.offset = partition.timestamp == OffsetQuery.earliest ? 0 : log?.end ?? 0
                if partition.timestamp >= 0 { own.offset = -1 }
                answer.partitions.append(own)
            }
            response.topics.append(answer)
        }
        return response
    }

    private func join(_ request: JoinGroupRequest) -> JoinGroupResponse {
        var id = request.memberId
        if id.isEmpty {
            nextMember += 1
            id = "member-\(nextMember)"
            return JoinGroupResponse(errorCode: .memberIdRequired, memberId: id)
        }
        let metadata = request.protocols[0].metadata
        if let index = members.firstIndex(where: { $0.id == id }) {
            members[index].metadata = metadata
        } else {
            members.append((id, metadata))
            // Everybody joins again; the fake does not wait for them.
            generation += 1
        }
        var response = JoinGroupResponse()
        response.generationId = generation
        response.protocolType = "consumer"
        response.protocolName = request.protocols[0].name
        response.leader = id
        response.memberId = id
        response.members = members.map { .init(memberId: $0.id, metadata: $0.metadata) }
        return response
    }

    private func commit(_ request: OffsetCommitRequest) -> OffsetCommitResponse {
        var response = OffsetCommitResponse()
        for topic in request.topics {
            var answer = OffsetCommitResponse.OffsetCommitResponseTopic(name: topic.name)
            for partition in topic.partitions {
                offsets["\(request.groupId)/\(topic.name)/\(partition.partitionIndex)"] =
                    partition.committedOffset
                answer.partitions.append(.init(partitionIndex: partition.partitionIndex))
            }
            response.topics.append(answer)
        }
        return response
    }

    private func offsetFetch(_ request: OffsetFetchRequest) -> OffsetFetchResponse {
        var response = OffsetFetchResponse()
        for topic in request.topics ?? [] {
            var answer = OffsetFetchResponse.OffsetFetchResponseTopic(name: topic.name)
            for index in topic.partitionIndexes {
                let stored = offsets["\(request.groupId)/\(topic.name)/\(index)"]
                answer.partitions.append(
                    .init(partitionIndex: index, committedOffset: stored ?? -1))
            }
            response.topics.append(answer)
        }
        return response
    }
}

private final class ThreadBody {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private func runThreadBody(_ raw: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    if let raw { Unmanaged<ThreadBody>.fromOpaque(raw).takeRetainedValue().body() }
    return nil
}
