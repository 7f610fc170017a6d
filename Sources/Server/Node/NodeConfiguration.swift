import Base
import Coordinator
import Log
import Quorum
import Security

/// How a node is set up. Published setting names in the comments.
package struct NodeConfiguration: Sendable {
    /// `node.id`
    package var nodeID: NodeID = 1
    /// What clients are told to connect to: `advertised.listeners`.
    package var advertisedHost = "localhost"
    package var advertisedPort: Int32 = 9092
    /// Where the logs are: what clients are told is `log.dirs`.
    package var dataDirectory = "/"
    /// The doors, in the order of the driver's listeners. None = one for everybody, advertised as
    /// above.
    package var listeners: [ListenerSettings] = []
    package var authentication = AuthenticationSettings()
    /// Passwords of users that have none yet.
    package var bootstrapCredentials: [(key: ScramCredentialKey, value: ScramCredential)] = []
    /// `broker.rack`
    package var rack: String?
    /// The cluster that the node is one of; nil = it stands alone.
    package var cluster: ClusterConfiguration?
    /// Taken for a new data directory; an existing one must have the same. nil = a random one.
    package var clusterID: UUID128?
    /// `num.partitions`
    package var partitionsDefault: Int32 = 1
    /// `default.replication.factor`; a cluster with fewer nodes has fewer.
    package var replicationDefault = 3
    /// `offsets.topic.replication.factor`, in the same way.
    package var offsetsReplication = 3
    /// `transaction.state.log.replication.factor`, too.
    package var transactionsReplication = 3
    /// `auto.create.topics.enable`
    package var createsTopicsAutomatically = true
    /// `delete.topic.enable`
    package var deletesTopics = true
    /// `offsets.topic.num.partitions`; fixed once the topic exists.
    package var offsetsPartitions: Int32 = 50
    /// Partitions of all topics together, because each costs files and memory.
    package var partitionsMax = 20_000
    /// `fetch.max.bytes`
    package var fetchBytesMax = 57_671_680
    /// A fetch waits at most so long, whatever it asks for.
    package var fetchWaitMax: Duration = .seconds(300)
    /// Requests of one connection that wait behind a fetch, and their bytes, before the connection
    /// is closed: stock clients send a handful.
    package var queuedRequestsMax = 10_000
    package var queuedBytesMax = 16 << 20
    /// The same for all connections together.
    package var queuedBytesOfAllMax = 256 << 20
    /// Entries of one answer about settings or offsets.
    package var answerEntriesMax = 1_000_000
    /// `max.incremental.fetch.session.cache.slots`
    package var fetchSessionsMax = 1000
    /// `max.request.partition.size.limit`
    package var describedPartitionsMax: Int32 = 2000
    /// Settings that the process was started with and that have no field of their own.
    package var startedWith: OrderedMap<String, String> = [:]
    /// Who may do what; nil = everybody may do everything.
    package var authorizer: Authorizer?
    /// `transaction.state.log.num.partitions`; fixed once the topic exists.
    package var transactionsPartitions: Int32 = 50
    /// `share.coordinator.state.topic.num.partitions`; fixed once the topic exists.
    package var sharePartitions: Int32 = 50
    /// `group.share.max.share.sessions`
    package var shareSessionsMax = 2000
    /// `errors.deadletterqueue.topic.name.prefix`
    package var deadLetterPrefix = "dlq."
    package var groups = GroupConfiguration()
    package var shares = ShareConfiguration()
    package var transactions = TransactionConfiguration()
    package var log = LogStoreConfiguration()

    package init() {}

    /// Replicas of a partition for which nobody says how many.
    var replicationFactor: Int { possible(replicationDefault) }
    var offsetsReplicationFactor: Int { possible(offsetsReplication) }
    var transactionsReplicationFactor: Int { possible(transactionsReplication) }

    /// Of a topic of the coordinators.
    func internalReplicationFactor(of topic: String) -> Int {
        topic == BrokerNode.transactionsTopic
            ? transactionsReplicationFactor : offsetsReplicationFactor
    }

    private func possible(_ wanted: Int) -> Int { min(wanted, cluster?.members.count ?? 1) }

    /// The listeners, at least one.
    var doors: [ListenerSettings] {
        if !listeners.isEmpty { return listeners }
        return [
            ListenerSettings(
                name: "PLAINTEXT", securityProtocol: .plaintext, advertisedHost: advertisedHost,
                advertisedPort: advertisedPort)
        ]
    }
}
