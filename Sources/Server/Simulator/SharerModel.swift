import Base
import WireProtocol

/// A member of a share group that speaks with the simulated node: what it asks next, what it has,
/// and what it may believe.
///
/// What it was told is accepted must never come again, and nothing may come more often than the
/// group allows, whatever the disk forgets.
struct SharerModel {
    /// What the next answer on its connection is about.
    enum Question: Sendable {
        case topicID
        case begin
        case fetch(accepts: [Int64])
    }

    static let group = "sharers"
    static let deliveriesMax = 5

    let topic: String
    private(set) var question: Question?
    private var topicID: UUID128?
    /// The group stands at the begin of the partition; asked for once.
    private var hasBegun = false
    private var epoch: Int32 = 0
    /// Offsets that it has, and those of them that it has spoken about.
    private var held: [Int64] = []
    private var accepted: Set<Int64> = []
    /// Looked up only.
    private var deliveries: [Int64: Int] = [:]
    private(set) var acceptedCount = 0

    init(topic: String) { self.topic = topic }

    /// The process is gone, and with it the session and every lock.
    mutating func loseNode() {
        question = nil
        epoch = 0
        held = []
    }

    // MARK: Asking

    enum Request {
        case metadata(MetadataRequest)
        case begin(AlterShareGroupOffsetsRequest)
        case fetch(ShareFetchRequest)
    }

    /// The next request; nil while one is not answered.
    mutating func nextRequest(_ random: inout Random) -> Request? {
        guard question == nil else { return nil }
        guard let topicID else {
            question = .topicID
            return .metadata(
                MetadataRequest(topics: [.init(name: topic)], allowAutoTopicCreation: false))
        }
        guard hasBegun else {
            question = .begin
            return .begin(
                AlterShareGroupOffsetsRequest(
                    groupId: Self.group,
                    topics: [.init(topicName: topic, partitions: [.init(startOffset: 0)])]))
        }
        var accepts: [Int64] = []
        var batches: [AcknowledgementBatch] = []
        if epoch > 0 {
            for offset in held where random.chance(3, in: 4) {
                let type: AcknowledgeType =
                    random.chance(4, in: 5) ? .accept : random.chance(1, in: 2) ? .release : .reject
                if type == .accept { accepts.append(offset) }
                batches.append(
                    AcknowledgementBatch(
                        firstOffset: offset, lastOffset: offset,
                        acknowledgeTypes: [type.rawValue]))
            }
            let said = Set(batches.map(\.firstOffset))
            held.removeAll { said.contains($0) }
        }
        question = .fetch(accepts: accepts)
        return .fetch(
            ShareFetchRequest(
                groupId: Self.group, memberId: "sharer", shareSessionEpoch: epoch,
                maxBytes: 1 << 16, maxRecords: Int32(random.within(1...50)), batchSize: 10,
                shareAcquireMode: random.chance(1, in: 2) ? 1 : 0,
                topics: [
                    .init(
                        topicId: topicID,
                        partitions: [
                            .init(partitionIndex: 0, acknowledgementBatches: batches)
                        ])
                ]))
    }

    // MARK: Answers

    mutating func take(_ response: MetadataResponse) {
        question = nil
        if let found = response.topics.first, found.errorCode == .none { topicID = found.topicId }
    }

    mutating func take(_ response: AlterShareGroupOffsetsResponse) {
        question = nil
        hasBegun =
            response.errorCode == .none
            && response.responses.first?.partitions.first?.errorCode == ErrorCode.none
    }

    /// Returns what must not happen.
    mutating func take(_ response: ShareFetchResponse) -> [String] {
        guard case .fetch(let accepts)? = question else {
            return ["an answer that nobody waits for"]
        }
        question = nil
        guard response.errorCode == .none else {
            // What was said may be known or not, and what it has comes back in time.
            epoch = 0
            held = []
            return []
        }
        epoch += 1
        var anomalies: [String] = []
        let partitions = response.responses.flatMap(\.partitions)
        if partitions.contains(where: { $0.acknowledgeErrorCode == .none }) {
            accepted.formUnion(accepts)
            acceptedCount += accepts.count
        } else if !accepts.isEmpty, partitions.isEmpty {
            anomalies.append("the answer says nothing about acknowledgements")
        }
        for range in partitions.flatMap(\.acquiredRecords) {
            for offset in range.firstOffset...max(range.firstOffset, range.lastOffset) {
                if accepted.contains(offset) {
                    anomalies.append("offset \(offset) was accepted durably and comes again")
                }
                let count = (deliveries[offset] ?? 0) + 1
                deliveries[offset] = count
                if count > Self.deliveriesMax || range.deliveryCount > Self.deliveriesMax {
                    anomalies.append("offset \(offset) comes for the \(count)th time")
                }
                if held.contains(offset) {
                    anomalies.append("offset \(offset) is handed out twice at a time")
                }
                held.append(offset)
            }
        }
        return anomalies
    }
}
