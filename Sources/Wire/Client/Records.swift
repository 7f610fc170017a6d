import Base
import WireProtocol

/// One partition of a topic.
public struct PartitionAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var topic: String
    public var partition: Int32

    public init(_ topic: String, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public static func < (left: PartitionAddress, right: PartitionAddress) -> Bool {
        left.topic != right.topic ? left.topic < right.topic : left.partition < right.partition
    }

    public var description: String { "\(topic)-\(partition)" }
}

/// A name and a value that travel with a record.
public struct Header: Hashable, Sendable {
    public var key: String
    public var value: [UInt8]?

    public init(_ key: String, _ value: [UInt8]?) {
        self.key = key
        self.value = value
    }
}

/// A record to be produced.
public struct ProducerRecord: Sendable {
    public var topic: String
    /// nil lets the partitioner choose: by key if there is one, else whole batches in turn.
    public var partition: Int32?
    /// Milliseconds since 1970; nil means now.
    public var timestamp: Int64?
    package var keyBytes: Bytes?
    package var valueBytes: Bytes?
    package var headers: [RecordHeader]

    public init(
        topic: String, key: [UInt8]? = nil, value: [UInt8]?, headers: [Header] = [],
        partition: Int32? = nil, timestamp: Int64? = nil
    ) {
        self.init(
            topic: topic, keyBytes: key.map { Bytes($0) }, valueBytes: value.map { Bytes($0) },
            headers: headers.map { RecordHeader(key: $0.key, value: $0.value.map { Bytes($0) }) },
            partition: partition, timestamp: timestamp)
    }

    /// A record of text.
    public init(topic: String, key: String?, value: String) {
        self.init(
            topic: topic, keyBytes: key.map { Bytes(utf8: $0) }, valueBytes: Bytes(utf8: value))
    }

    /// A record whose bytes are shared and not copied.
    package init(
        topic: String, keyBytes: Bytes?, valueBytes: Bytes?, headers: [RecordHeader] = [],
        partition: Int32? = nil, timestamp: Int64? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.timestamp = timestamp
        self.keyBytes = keyBytes
        self.valueBytes = valueBytes
        self.headers = headers
    }
}

/// Where a record was stored.
public struct RecordMetadata: Hashable, Sendable {
    public var partition: PartitionAddress
    /// -1 when the broker didn't say (no acknowledgement, or a duplicate it had forgotten).
    public var offset: Int64
    /// The time that the broker gave the record, or -1 if it kept the producer's.
    public var appendTime: Int64
}

/// A record that was read. Its bytes stay in the memory of the answer they came with, so keeping
/// one record keeps that answer alive: copy what is kept for long.
public struct ConsumedRecord: Sendable {
    public var topic: String
    public var partition: Int32
    package var record: Record

    package init(topic: String, partition: Int32, record: Record) {
        self.topic = topic
        self.partition = partition
        self.record = record
    }

    public var offset: Int64 { record.offset.value }
    /// Milliseconds since 1970.
    public var timestamp: Int64 { record.timestamp.milliseconds }
    /// A copy of the key.
    public var key: [UInt8]? { record.key?.array }
    /// A copy of the value.
    public var value: [UInt8]? { record.value?.array }
    /// The key as text, invalid UTF-8 replaced.
    public var keyText: String? { record.key?.text }
    /// The value as text, invalid UTF-8 replaced.
    public var valueText: String? { record.value?.text }

    /// The headers; broken ones give an empty list.
    public var headers: [Header] {
        ((try? record.headers()) ?? []).map { Header($0.key, $0.value?.array) }
    }

    /// The key without a copy.
    package var keyBytes: Bytes? { record.key }
    /// The value without a copy.
    package var valueBytes: Bytes? { record.value }
}
