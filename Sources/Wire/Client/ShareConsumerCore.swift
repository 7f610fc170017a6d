// The work of a share consumer. Used by one thread at a time, under the lock of `ShareConsumer`.

import Base
import WireProtocol

final class ShareConsumerCore {
    /// What one broker knows of this member.
    private struct Session {
        /// 0: the next request opens one.
        var epoch: Int32 = 0
        /// Partitions that the broker reads for the member.
        var partitions: [PartitionAddress: UUID128] = [:]

        mutating func advance() { epoch = epoch == .max ? 1 : epoch + 1 }
    }

    /// Records that were returned and not acknowledged, with the broker that they came from.
    private struct Outstanding {
        var node: Int32
        var topicId: UUID128
        var offsets: Set<Int64> = []
    }

    /// Makes a waiting `poll` return.
    final class Closing: Sendable {
        private let state = Monitor(false)
        var isSet: Bool { state.withLock { $0 } }
        func set() { state.update { $0 = true } }
    }

    let closing = Closing()
    private let configuration: ShareConsumerConfiguration
    private let cluster: Cluster
    private let membership: ShareMembership
    private var topics: [String]?
    private var sessions: [Int32: Session] = [:]
    private var outstanding: [PartitionAddress: Outstanding] = [:]
    private var pending: [PartitionAddress: PendingAcknowledgements] = [:]
    /// The order in which brokers are asked; the first is last next time.
    private var turn = 0
    private var isClosed = false

    init(_ configuration: ShareConsumerConfiguration) {
        self.configuration = configuration
        cluster = Cluster(configuration.client)
        membership = ShareMembership(groupId: configuration.groupId, cluster: cluster)
    }

    func subscribe(_ topics: [String]) {
        self.topics = Array(Set(topics)).sorted()
    }

    // MARK: Polling

    func poll(timeout: Duration) throws(ClientFailure) -> [ShareRecord] {
        guard let topics, !topics.isEmpty else {
            throw ClientFailure("a share consumer subscribes to topics before it polls")
        }
        try settleReturned()
        let deadline = monotonicNow() + timeout.wholeNanoseconds
        while !closing.isSet {
            try membership.begin(topics: topics)
            let wanted = try byNode(membership.assignment())
            let now = monotonicNow()
            if wanted.isEmpty {
                // The group has not formed, or nothing is left for this member.
                try sendAcknowledgements()
                if now >= deadline { return [] }
                sleepBlocking(nanoseconds: min(deadline - now, 20_000_000))
                continue
            }
            let nodes = wanted.keys.sorted()
            turn += 1
            // With several brokers one must not keep the others waiting.
            let wait =
                min(
                    configuration.fetchMaxWait.wholeMilliseconds,
                    max(deadline - now, 0) / 1_000_000) / Int64(nodes.count)
            for step in nodes.indices {
                let node = nodes[(turn + step) % nodes.count]
                let records = try fetch(node, wanted[node] ?? [:], wait: wait)
                if !records.isEmpty { return records }
            }
            if monotonicNow() >= deadline { return [] }
        }
        return []
    }

    /// What the last poll returned is accepted, or must have been acknowledged.
    private func settleReturned() throws(ClientFailure) {
        let open = outstanding.filter { !$0.value.offsets.isEmpty }
        guard !open.isEmpty else { return }
        switch configuration.acknowledgementMode {
        case .implicit: acceptAll()
        case .explicit:
            let first = open.keys.sorted()[0]
            let unsaid = open[first]?.offsets.subtracting(pending[first]?.offsets ?? []) ?? []
            guard unsaid.isEmpty else {
                throw ClientFailure(
                    "\(unsaid.count) records of \(first) were not acknowledged: say what became "
                        + "of each before the next poll")
            }
        }
    }

    private func acceptAll() {
        for (address, records) in outstanding {
            for offset in records.offsets {
                pending[address, default: .init()].set(offset, .accept)
            }
        }
    }

    private func byNode(
        _ assignment: [PartitionAddress: UUID128]
    ) throws(ClientFailure) -> [Int32: [PartitionAddress: UUID128]] {
        var result: [Int32: [PartitionAddress: UUID128]] = [:]
        for (address, id) in assignment {
            guard let leader = cluster.leader(of: address) else { continue }
            result[leader.node, default: [:]][address] = id
        }
        return result
    }

    private func fetch(
        _ node: Int32, _ wanted: [PartitionAddress: UUID128], wait: Int64
    ) throws(ClientFailure) -> [ShareRecord] {
        // A renewal travels alone, and so does what can't be said while a session is opened.
        let said = pending.filter { outstanding[$0.key]?.node == node }
        let mustSendFirst = said.contains { $0.value.hasRenewals }
        if mustSendFirst { try sendAcknowledgements(to: node, closes: false) }
        var session = sessions[node] ?? Session()
        let isOpening = session.epoch == 0
        let acknowledged = mustSendFirst || isOpening ? [:] : take(said)
        if isOpening, !mustSendFirst, !said.isEmpty {
            report(take(said), .none, lost: "the share session is gone")
        }
        var request = ShareFetchRequest(
            groupId: configuration.groupId, memberId: membership.memberId,
            shareSessionEpoch: session.epoch, maxWaitMs: Int32(clamping: wait),
            minBytes: Int32(clamping: configuration.fetchMinBytes),
            maxBytes: Int32(clamping: configuration.fetchMaxBytes),
            maxRecords: Int32(clamping: configuration.maxPollRecords),
            batchSize: Int32(clamping: configuration.maxPollRecords),
            shareAcquireMode: configuration.limitsRecords ? 1 : 0)
        var named: [PartitionAddress: UUID128] = [:]
        for (address, id) in wanted where session.partitions[address] != id { named[address] = id }
        for address in acknowledged.keys {
            named[address] = outstanding[address]?.topicId ?? wanted[address]
        }
        request.topics = byTopic(named) { address in
            .init(
                partitionIndex: address.partition,
                acknowledgementBatches: acknowledged[address]?.batches ?? [])
        }
        var forgotten = session.partitions.filter { wanted[$0.key] != $0.value }
        for (address, id) in named where wanted[address] != id { forgotten[address] = id }
        for (address, id) in forgotten.sorted(by: { $0.key < $1.key }) where !isOpening {
            request.forgottenTopicsData.append(.init(topicId: id, partitions: [address.partition]))
        }
        let response: ShareFetchResponse
        do throws(ClientFailure) {
            let connection = try cluster.connection(to: node, for: .fetching)
            response = try connection.call(
                request,
                timeout: configuration.client.requestTimeout + .milliseconds(wait))
        } catch {
            sessions[node] = nil
            report(acknowledged, .none, lost: error.message)
            if error.isRetriable {
                _ = try? cluster.refresh(topics)
                return []
            }
            throw error
        }
        guard response.errorCode == .none else {
            sessions[node] = nil
            report(acknowledged, response.errorCode, lost: response.errorMessage)
            switch response.errorCode {
            case .shareSessionNotFound, .invalidShareSessionEpoch: return []
            case let code where code.isRetriable: return []
            case let code:
                throw ClientFailure(
                    code, "read for share group '\(configuration.groupId)'",
                    detail: response.errorMessage)
            }
        }
        session.advance()
        session.partitions = wanted
        sessions[node] = session
        return try take(response, wanted, acknowledged, node)
    }

    private func take(
        _ response: ShareFetchResponse, _ wanted: [PartitionAddress: UUID128],
        _ acknowledged: [PartitionAddress: PendingAcknowledgements], _ node: Int32
    ) throws(ClientFailure) -> [ShareRecord] {
        let names = cluster.topicNames()
        var codes: [PartitionAddress: (ErrorCode, String?)] = [:]
        var records: [ShareRecord] = []
        for topic in response.responses {
            guard let name = names[topic.topicId] else { continue }
            for data in topic.partitions {
                let address = PartitionAddress(name, data.partitionIndex)
                codes[address] = (data.acknowledgeErrorCode, data.acknowledgeErrorMessage)
                switch data.errorCode {
                case .none: try decode(data, address, topic.topicId, node, into: &records)
                case let code where code.isRetriable || code.asksForMetadata:
                    _ = try? cluster.refresh(topics)
                case let code:
                    throw ClientFailure(code, "read \(address)", detail: data.errorMessage)
                }
            }
        }
        report(acknowledged) { codes[$0] ?? (.none, nil) }
        return records
    }

    /// Takes the records that were acquired out of the batches that came with them.
    private func decode(
        _ data: ShareFetchResponse.PartitionData, _ address: PartitionAddress, _ id: UUID128,
        _ node: Int32, into output: inout [ShareRecord]
    ) throws(ClientFailure) {
        let ranges = data.acquiredRecords.sorted { $0.firstOffset < $1.firstOffset }
        guard !ranges.isEmpty else { return }
        var found: Set<Int64> = []
        do throws(DecodeFailure) {
            for piece in data.records {
                var batches = RecordBatchSequence(piece)
                while let batch = try batches.next() {
                    if batch.header.isControl { continue }
                    try batch.checkChecksum()
                    var cursor = try batch.records()
                    var place = 0
                    while let record = try cursor.next() {
                        let offset = record.offset.value
                        while place < ranges.count, ranges[place].lastOffset < offset { place += 1 }
                        guard place < ranges.count, ranges[place].firstOffset <= offset else {
                            continue
                        }
                        found.insert(offset)
                        output.append(
                            ShareRecord(
                                record: ConsumedRecord(
                                    topic: address.topic, partition: address.partition,
                                    record: record),
                                deliveryCount: Int(ranges[place].deliveryCount)))
                    }
                }
            }
        } catch {
            throw ClientFailure("\(address) can't be read: \(error)")
        }
        var records = outstanding[address] ?? Outstanding(node: node, topicId: id)
        records.node = node
        records.topicId = id
        records.offsets.formUnion(found)
        outstanding[address] = records
        // Of what was acquired, the cleaner has taken these.
        for range in ranges {
            guard range.firstOffset <= range.lastOffset,
                range.lastOffset - range.firstOffset < Self.rangeMax
            else { throw ClientFailure("\(address): the broker acquired an impossible range") }
            for offset in range.firstOffset...range.lastOffset where !found.contains(offset) {
                pending[address, default: .init()].set(offset, .gap)
            }
        }
    }

    /// A broker that names more at once means harm.
    private static let rangeMax: Int64 = 10_000_000

    // MARK: Acknowledging

    func acknowledge(
        _ record: ShareRecord, _ acknowledgement: ShareAcknowledgement
    ) throws(ClientFailure) {
        guard configuration.acknowledgementMode == .explicit else {
            throw ClientFailure(
                "this consumer accepts records by itself: it was made without explicit "
                    + "acknowledgement")
        }
        guard outstanding[record.address]?.offsets.contains(record.offset) == true else {
            throw ClientFailure(
                "offset \(record.offset) of \(record.address) was not returned by this consumer, "
                    + "or is acknowledged already")
        }
        pending[record.address, default: .init()].set(record.offset, acknowledgement.wire)
    }

    /// Sends what was said, and in implicit mode accepts everything that was returned.
    func commit() throws(ClientFailure) -> [ShareAcknowledgementResult] {
        if configuration.acknowledgementMode == .implicit { acceptAll() }
        return try sendAcknowledgements()
    }

    @discardableResult
    private func sendAcknowledgements() throws(ClientFailure) -> [ShareAcknowledgementResult] {
        var results: [ShareAcknowledgementResult] = []
        for node in Set(pending.keys.compactMap { outstanding[$0]?.node }).sorted() {
            results += try sendAcknowledgements(to: node, closes: false)
        }
        return results
    }

    @discardableResult
    private func sendAcknowledgements(
        to node: Int32, closes: Bool
    ) throws(ClientFailure) -> [ShareAcknowledgementResult] {
        let said = take(pending.filter { outstanding[$0.key]?.node == node })
        if said.isEmpty, !closes { return [] }
        guard var session = sessions[node], session.epoch > 0 else {
            return report(said, .none, lost: "the share session is gone")
        }
        let ids = said.keys.reduce(into: [PartitionAddress: UUID128]()) { ids, address in
            ids[address] = outstanding[address]?.topicId
        }
        var request = ShareAcknowledgeRequest(
            groupId: configuration.groupId, memberId: membership.memberId,
            shareSessionEpoch: closes ? -1 : session.epoch,
            isRenewAck: said.values.contains(where: \.hasRenewals))
        request.topics = byTopic(ids) { address in
            .init(
                partitionIndex: address.partition,
                acknowledgementBatches: said[address]?.batches ?? [])
        }
        let response: ShareAcknowledgeResponse
        do throws(ClientFailure) {
            response = try cluster.connection(to: node, for: .fetching).call(request)
        } catch {
            sessions[node] = nil
            report(said, .none, lost: error.message)
            throw error
        }
        guard response.errorCode == .none else {
            sessions[node] = nil
            return report(said, response.errorCode, lost: response.errorMessage)
        }
        session.advance()
        sessions[node] = closes ? nil : session
        let names = cluster.topicNames()
        var codes: [PartitionAddress: (ErrorCode, String?)] = [:]
        for topic in response.responses {
            guard let name = names[topic.topicId] else { continue }
            for data in topic.partitions {
                codes[PartitionAddress(name, data.partitionIndex)] = (
                    data.errorCode, data.errorMessage
                )
            }
        }
        return report(said) { codes[$0] ?? (.none, nil) }
    }

    /// Takes acknowledgements that are sent now. What is renewed stays with the program.
    private func take(
        _ said: [PartitionAddress: PendingAcknowledgements]
    ) -> [PartitionAddress: PendingAcknowledgements] {
        for (address, acknowledgements) in said {
            pending[address] = nil
            for (offset, type) in acknowledgements.types where type != .renew {
                outstanding[address]?.offsets.remove(offset)
            }
        }
        return said
    }

    @discardableResult
    private func report(
        _ said: [PartitionAddress: PendingAcknowledgements], _ code: ErrorCode, lost reason: String?
    ) -> [ShareAcknowledgementResult] {
        let code = code == .none ? ErrorCode.invalidRecordState : code
        return report(said) { _ in (code, reason) }
    }

    @discardableResult
    private func report(
        _ said: [PartitionAddress: PendingAcknowledgements],
        _ outcome: (PartitionAddress) -> (ErrorCode, String?)
    ) -> [ShareAcknowledgementResult] {
        let results = said.keys.sorted().map { address in
            let (code, message) = outcome(address)
            return ShareAcknowledgementResult(
                partition: address, offsets: said[address]?.ranges ?? [],
                failure: code == .none
                    ? nil
                    : ClientFailure(code, "acknowledge records of \(address)", detail: message))
        }
        if !results.isEmpty { configuration.onAcknowledged?(results) }
        return results
    }

    private func byTopic<Topic: ShareTopicMessage>(
        _ partitions: [PartitionAddress: UUID128],
        _ make: (PartitionAddress) -> Topic.Partition
    ) -> [Topic] {
        var result: [Topic] = []
        var places: [UUID128: Int] = [:]
        for (address, id) in partitions.sorted(by: { $0.key < $1.key }) {
            if places[id] == nil {
                places[id] = result.count
                result.append(Topic(topicId: id, partitions: []))
            }
            if let place = places[id] { result[place].partitions.append(make(address)) }
        }
        return result
    }

    // MARK: Closing

    func close() {
        if isClosed { return }
        if configuration.acknowledgementMode == .implicit { acceptAll() }
        for node in sessions.keys.sorted() {
            // Without an answer the locks run out by themselves.
            _ = try? sendAcknowledgements(to: node, closes: true)
        }
        membership.leave()
        abandon()
    }

    /// Ends without telling anybody.
    func abandon() {
        isClosed = true
        membership.stop()
        cluster.close()
    }
}

/// What the topics of both requests have in common.
private protocol ShareTopicMessage {
    associatedtype Partition
    init(topicId: UUID128, partitions: [Partition])
    var partitions: [Partition] { get set }
}

extension ShareFetchRequest.FetchTopic: ShareTopicMessage {}
extension ShareAcknowledgeRequest.AcknowledgeTopic: ShareTopicMessage {}

extension PendingAcknowledgements {
    fileprivate var offsets: Set<Int64> { Set(types.keys) }
}
