// How this library works.
//
// Everything is blocking underneath: a connection has one thread that reads, a producer one that
// sends, a group member one that sends heartbeats. Methods whose names end in `Blocking` do their
// work on the calling thread. The `async` methods of the same name hand the work to a thread of the
// library and suspend meanwhile, so that they never block a thread of Swift's executor. Nothing is
// done on that executor for single records.

import Base
import Compression

/// What every client needs to know.
public struct ClientConfiguration: Sendable {
    /// Brokers to begin with, as `host:port`; the port defaults to 9092.
    public var bootstrapServers: [String]
    /// The name that brokers see in their logs and quotas.
    public var clientId: String
    /// How long to wait for a connection.
    public var connectTimeout: Duration
    /// How long to wait for an answer.
    public var requestTimeout: Duration
    /// How old the picture of the cluster may become.
    public var metadataMaxAge: Duration
    /// How long calls that must succeed retry before they give up.
    public var retryTimeout: Duration
    /// Encryption and sign-on.
    public var security: ClientSecurity

    public init(
        bootstrapServers: [String] = ["127.0.0.1:9092"], clientId: String = "weir-client",
        connectTimeout: Duration = .seconds(10), requestTimeout: Duration = .seconds(30),
        metadataMaxAge: Duration = .seconds(300), retryTimeout: Duration = .seconds(60),
        security: ClientSecurity = ClientSecurity()
    ) {
        self.bootstrapServers = bootstrapServers
        self.clientId = clientId
        self.connectTimeout = connectTimeout
        self.requestTimeout = requestTimeout
        self.metadataMaxAge = metadataMaxAge
        self.retryTimeout = retryTimeout
        self.security = security
    }
}

/// How many replicas must have a record before the producer hears that it is stored.
public enum Acknowledgements: Int16, Sendable {
    /// Do not answer: records may be lost without notice.
    case none = 0
    /// The leader has it.
    case leader = 1
    /// Every in-sync replica has it.
    case all = -1
}

/// How record batches are compressed.
public enum CompressionKind: String, Sendable, CaseIterable {
    case none, gzip, snappy, lz4, zstd

    package var codec: Codec { Codec(name: rawValue) ?? .none }
}

/// How a `Producer` collects, sends and repeats.
public struct ProducerConfiguration: Sendable {
    public var client: ClientConfiguration
    public var acknowledgements: Acknowledgements
    public var compression: CompressionKind
    /// How long a record waits for others to share its batch.
    public var linger: Duration
    /// Bytes of one batch before compression.
    public var batchBytes: Int
    /// Bytes that may wait for their acknowledgement; more make `enqueue` wait.
    public var bufferBytes: Int
    /// How long a record may take from `enqueue` to its acknowledgement, retries included.
    public var deliveryTimeout: Duration
    /// Whether repeated batches are recognised by the broker, so that none is stored twice.
    /// Needs `acknowledgements` to be `all`.
    public var isIdempotent: Bool
    /// The name of this producer's transactions; nil for a producer without. It must be the same
    /// after a restart, and no two running producers may share it: the younger one wins.
    public var transactionalId: String?
    /// How long a transaction may stay open before the broker aborts it.
    public var transactionTimeout: Duration
    /// Called for each batch, on a thread of the library, when its fate is known.
    public var onDelivery: (@Sendable (BatchDelivery) -> Void)?

    public init(
        client: ClientConfiguration = ClientConfiguration(),
        acknowledgements: Acknowledgements = .all, compression: CompressionKind = .none,
        linger: Duration = .milliseconds(5), batchBytes: Int = 256 << 10,
        bufferBytes: Int = 32 << 20, deliveryTimeout: Duration = .seconds(120),
        isIdempotent: Bool = true, transactionalId: String? = nil,
        transactionTimeout: Duration = .seconds(60),
        onDelivery: (@Sendable (BatchDelivery) -> Void)? = nil
    ) {
        self.client = client
        self.acknowledgements = acknowledgements
        self.compression = compression
        self.linger = linger
        self.batchBytes = batchBytes
        self.bufferBytes = bufferBytes
        self.deliveryTimeout = deliveryTimeout
        self.isIdempotent = isIdempotent
        self.transactionalId = transactionalId
        self.transactionTimeout = transactionTimeout
        self.onDelivery = onDelivery
    }
}

/// What became of one batch.
public struct BatchDelivery: Sendable {
    public var partition: PartitionAddress
    /// Offset of the first record, -1 when it isn't known.
    public var baseOffset: Int64
    public var recordCount: Int
    /// nil when the batch is stored.
    public var failure: ClientFailure?
}

/// Where a consumer begins that has no stored offset, or whose offset is gone.
public enum OffsetReset: Sendable {
    case earliest
    case latest
    /// Fail instead.
    case none
}

/// Which records of transactions a consumer sees.
public enum IsolationLevel: Int8, Sendable {
    case readUncommitted = 0
    case readCommitted = 1
}

/// How the members of a group agree on who reads what.
public enum GroupProtocol: Sendable {
    /// The members gather, and one of them assigns for all. Every broker speaks it.
    case classic
    /// The broker assigns, and only the partitions that change hands are interrupted (KIP-848).
    case consumer
}

/// How a `Consumer` reads and shares work with its group.
public struct ConsumerConfiguration: Sendable {
    public var client: ClientConfiguration
    /// The consumer group; nil reads alone and stores no offsets.
    public var groupId: String?
    /// A name that survives restarts, so that a short absence moves no partitions.
    public var groupInstanceId: String?
    public var offsetReset: OffsetReset
    /// Whether `poll` stores the offsets of what was returned before.
    public var commitsAutomatically: Bool
    public var autoCommitInterval: Duration
    public var sessionTimeout: Duration
    public var heartbeatInterval: Duration
    /// How long the program may work between two calls of `poll`.
    public var maxPollInterval: Duration
    /// Assignment strategies of the classic protocol, best first.
    public var assignors: [AssignorKind]
    public var groupProtocol: GroupProtocol
    /// The strategy of the broker with the `consumer` protocol, for example `uniform` or `range`;
    /// nil leaves the choice to it.
    public var serverAssignor: String?
    /// Hears which partitions come and go, on the thread that polls, before the next records.
    public var onRebalance: (@Sendable (RebalanceEvent, RebalanceContext) -> Void)?
    public var isolationLevel: IsolationLevel
    /// Records that one `poll` returns at most.
    public var maxPollRecords: Int
    /// How long a broker may wait for records.
    public var fetchMaxWait: Duration
    /// Bytes that are worth an answer.
    public var fetchMinBytes: Int
    /// Bytes of one answer.
    public var fetchMaxBytes: Int
    /// Bytes of one partition in an answer.
    public var partitionMaxBytes: Int

    public init(
        client: ClientConfiguration = ClientConfiguration(), groupId: String? = nil,
        groupInstanceId: String? = nil, offsetReset: OffsetReset = .latest,
        commitsAutomatically: Bool = true, autoCommitInterval: Duration = .seconds(5),
        sessionTimeout: Duration = .seconds(45), heartbeatInterval: Duration = .seconds(3),
        maxPollInterval: Duration = .seconds(300),
        assignors: [AssignorKind] = [.range, .roundRobin],
        isolationLevel: IsolationLevel = .readUncommitted, maxPollRecords: Int = 5000,
        fetchMaxWait: Duration = .milliseconds(500), fetchMinBytes: Int = 1,
        fetchMaxBytes: Int = 50 << 20, partitionMaxBytes: Int = 1 << 20,
        groupProtocol: GroupProtocol = .classic, serverAssignor: String? = nil,
        onRebalance: (@Sendable (RebalanceEvent, RebalanceContext) -> Void)? = nil
    ) {
        self.client = client
        self.groupId = groupId
        self.groupInstanceId = groupInstanceId
        self.offsetReset = offsetReset
        self.commitsAutomatically = commitsAutomatically
        self.autoCommitInterval = autoCommitInterval
        self.sessionTimeout = sessionTimeout
        self.heartbeatInterval = heartbeatInterval
        self.maxPollInterval = maxPollInterval
        self.assignors = assignors
        self.isolationLevel = isolationLevel
        self.maxPollRecords = maxPollRecords
        self.fetchMaxWait = fetchMaxWait
        self.fetchMinBytes = fetchMinBytes
        self.fetchMaxBytes = fetchMaxBytes
        self.partitionMaxBytes = partitionMaxBytes
        self.groupProtocol = groupProtocol
        self.serverAssignor = serverAssignor
        self.onRebalance = onRebalance
    }
}
