import Base
import WireProtocol

/// What became of a record that a share consumer was given.
public enum ShareAcknowledgement: Sendable, Hashable, CaseIterable {
    /// It was processed.
    case accept
    /// It was not; somebody else may try, or this consumer again.
    case release
    /// It can't be processed by anybody.
    case reject
    /// It takes longer: the lock begins anew, and another acknowledgement has to follow.
    case renew

    var wire: AcknowledgeType {
        switch self {
        case .accept: .accept
        case .release: .release
        case .reject: .reject
        case .renew: .renew
        }
    }
}

/// A record that a share consumer was given for a while.
public struct ShareRecord: Sendable {
    public var record: ConsumedRecord
    /// How often it was given to any member of the group, this time included.
    public var deliveryCount: Int

    public var topic: String { record.topic }
    public var partition: Int32 { record.partition }
    public var offset: Int64 { record.offset }
    public var timestamp: Int64 { record.timestamp }
    /// A copy of the key.
    public var key: [UInt8]? { record.key }
    /// A copy of the value.
    public var value: [UInt8]? { record.value }
    public var keyText: String? { record.keyText }
    public var valueText: String? { record.valueText }
    public var headers: [Header] { record.headers }

    var address: PartitionAddress { PartitionAddress(topic, partition) }
}

/// What the broker said to acknowledgements of one partition.
public struct ShareAcknowledgementResult: Sendable {
    public var partition: PartitionAddress
    public var offsets: [ClosedRange<Int64>]
    /// nil: the broker has it, durably. Otherwise it is not known, or the lock had run out, and the
    /// records may come again.
    public var failure: ClientFailure?
}

/// How a `ShareConsumer` reads and says what became of records.
public struct ShareConsumerConfiguration: Sendable {
    public enum AcknowledgementMode: Sendable {
        /// What one `poll` returned is accepted by the next, by `commit` and by `close`.
        case implicit
        /// Each record has to be acknowledged before the next `poll`.
        case explicit
    }

    public var client: ClientConfiguration
    public var groupId: String
    public var acknowledgementMode: AcknowledgementMode
    /// Records that one `poll` asks for. More may come, so that batches stay whole, unless
    /// `limitsRecords` is set.
    public var maxPollRecords: Int
    public var limitsRecords: Bool
    /// How long a broker may wait for records.
    public var fetchMaxWait: Duration
    /// Bytes that are worth an answer.
    public var fetchMinBytes: Int
    /// Bytes of one answer.
    public var fetchMaxBytes: Int
    /// Hears what became of acknowledgements, on the thread that polls, commits or closes.
    public var onAcknowledged: (@Sendable ([ShareAcknowledgementResult]) -> Void)?

    public init(
        client: ClientConfiguration = ClientConfiguration(), groupId: String,
        acknowledgementMode: AcknowledgementMode = .implicit, maxPollRecords: Int = 500,
        limitsRecords: Bool = false, fetchMaxWait: Duration = .milliseconds(500),
        fetchMinBytes: Int = 1, fetchMaxBytes: Int = 50 << 20,
        onAcknowledged: (@Sendable ([ShareAcknowledgementResult]) -> Void)? = nil
    ) {
        self.client = client
        self.groupId = groupId
        self.acknowledgementMode = acknowledgementMode
        self.maxPollRecords = maxPollRecords
        self.limitsRecords = limitsRecords
        self.fetchMaxWait = fetchMaxWait
        self.fetchMinBytes = fetchMinBytes
        self.fetchMaxBytes = fetchMaxBytes
        self.onAcknowledged = onAcknowledged
    }
}

/// Acknowledgements of one partition that were not sent, by offset.
struct PendingAcknowledgements {
    private(set) var types: OrderedMap<Int64, AcknowledgeType> = [:]

    var isEmpty: Bool { types.isEmpty }

    mutating func set(_ offset: Int64, _ type: AcknowledgeType) { types[offset] = type }

    /// As batches of the wire: neighbours share one, and one type stands for all where it can.
    var batches: [AcknowledgementBatch] {
        var result: [AcknowledgementBatch] = []
        for (offset, type) in types {
            if let last = result.last, last.lastOffset + 1 == offset {
                result[result.count - 1].lastOffset = offset
                result[result.count - 1].acknowledgeTypes.append(type.rawValue)
            } else {
                result.append(
                    AcknowledgementBatch(
                        firstOffset: offset, lastOffset: offset,
                        acknowledgeTypes: [type.rawValue]))
            }
        }
        for index in result.indices {
            let types = result[index].acknowledgeTypes
            if let first = types.first, types.allSatisfy({ $0 == first }) {
                result[index].acknowledgeTypes = [first]
            }
        }
        return result
    }

    var ranges: [ClosedRange<Int64>] { batches.map { $0.firstOffset...$0.lastOffset } }

    var hasRenewals: Bool { types.values.contains(.renew) }
}
