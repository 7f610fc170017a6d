import Base
import Quorum
import Replica

/// Where the outcome of a command goes.
enum CommandReply: Sendable {
    /// To another node, under the number that it gave the command.
    case peer(NodeID, UInt64)
    /// This node's own registration.
    case registration
    /// A wish of this node's replicas, under its number.
    case wish(UInt64)
    /// This node's wish for producer ids.
    case producerIDs(UInt64)
    case nobody
}

/// A request of a client of this node that another node works on.
struct ForwardedWork: Sendable {
    enum Target: Hashable, Sendable {
        case controller
        case node(NodeID)
    }

    var key: RequestKey
    var request: ForwardedRequest
    var target: Target
    /// Who has it; nil while nobody has.
    var sentTo: NodeID?
    var deadline: Instant
}

/// What a node of a cluster has beside what every node has: its part in the quorum, its links, its
/// registration as a broker, and, while it leads the quorum, the duties of the controller.
struct ClusterCore: Sendable {
    let configuration: ClusterConfiguration
    let node: NodeID
    /// Which disk the node has.
    let directory: UUID128
    /// This start of the process.
    let incarnation: UUID128
    let disk: any Disk
    /// Zero until the node belongs to a cluster.
    var clusterID: UUID128 = .zero
    /// nil until then.
    var replica: QuorumReplica?

    // Links.
    var links: [ConnectionID: PeerLink] = [:]
    /// The link to each node that there is one to.
    var linkTo: [NodeID: ConnectionID] = [:]
    /// When the last one ended, of each node that there was one to. Looked up only.
    var linkLostAt: [NodeID: Instant] = [:]
    /// The nodes that this one calls.
    var dialing: OrderedMap<NodeID, PeerDialing> = [:]
    /// What was last reported about each node.
    var complaints: [NodeID: String] = [:]

    // The quorum. Whoever holds a copy of the core while the member is driven makes that copy its
    // whole log: take out what is needed first.
    var events = Queue<QuorumEvent>()
    var isDriving = false
    var lastToken: UInt64 = 0
    /// What this node has proposed, in order.
    var proposals: OrderedMap<UInt64, PendingChange> = [:]
    /// The image is as of here.
    var applied: LogIndex = 0
    var lastMembershipCheck = Instant.zero

    // The broker.
    var brokerEpoch: Int64?
    var registrationDeadline: Instant?
    /// What this node's leaders have asked the controller for.
    var wishes: OrderedMap<UInt64, PartitionProposal> = [:]
    // Transactions with other nodes, by the number of the message.
    var questions: OrderedMap<UInt64, OpenQuestion> = [:]
    var delegated: OrderedMap<UInt64, DelegatedMarkers> = [:]
    /// Looked up, or in the order of the keys of one node.
    var peerMarkers: [PeerRequest: ParkedPeerMarkers] = [:]
    /// The message that asked for producer ids, and who was asked.
    var producerIDsWish: (number: UInt64, controller: NodeID)?
    var nextProducerIDs = Instant.zero
    /// The process is about to stop, and others are to lead before: since when.
    var leavingSince: Instant?
    /// The controller that is about to stop has asked for another one.
    var transferToken: RequestToken?
    var nextHeartbeat = Instant.zero
    /// Leases that wait for the metadata that the controller had when it gave them, in their order.
    var leases: [(sentAt: Instant, applied: LogIndex)] = []
    /// The logs fit the metadata, and clients are served.
    var isReady = false
    var nextHousekeeping = Instant.zero
    var nextSignOfLife = Instant.zero
    var waitingReportedAt: Instant?

    // The controller.
    /// Set once everything of earlier terms is applied.
    var isController = false
    /// The read that finds that out.
    var beginToken: RequestToken?
    var controller: Controller
    /// The draft has changed since partitions were looked at.
    var needsReview = false
    /// Heartbeats that are answered once it is sure that this node is the controller still.
    var heartbeats: OrderedMap<UInt64, PendingHeartbeat> = [:]

    // Requests of clients that other nodes work on, and theirs that this node works on.
    var lastNumber: UInt64 = 0
    var forwarded: OrderedMap<UInt64, ForwardedWork> = [:]
    var lastVirtual: UInt64 = 0
    var virtual: [ConnectionID: (node: NodeID, number: UInt64)] = [:]

    // Commands of this process that other nodes may work on, and theirs that this node works on.
    var spread: OrderedMap<CommandID, SpreadCommand> = [:]
    /// The parts that travel under a number. Looked up only.
    var travelling: [UInt64: SpreadCommand.Place] = [:]
    var jobs: OrderedMap<CommandID, (node: NodeID, number: UInt64)> = [:]
    var lastJob: UInt64 = 0

    /// How often what has a time is looked at.
    static let housekeeping = Duration.milliseconds(100)

    var hello: PeerHello {
        PeerHello(
            cluster: clusterID, node: node, directory: directory, incarnation: incarnation,
            memberCount: UInt16(clamping: configuration.members.count))
    }

    /// The leader of the quorum as far as this node knows.
    var leader: NodeID? {
        guard let replica else { return nil }
        return replica.core.isLeader ? node : replica.core.leader
    }

    /// The next change of the quorum's members, looked for once a second: a linked node that is none
    /// of them becomes an observer, an observer that is to vote by the list becomes a voter. nil when
    /// there is nothing to do, or this node is not the one to do it.
    mutating func dueMembership(_ now: Instant) -> MembershipChange? {
        guard isController, now >= lastMembershipCheck + .seconds(1) else { return nil }
        lastMembershipCheck = now
        let members = replica?.core.configuration ?? .empty
        for (node, link) in linkTo.sorted(by: { $0.key < $1.key }) {
            guard let hello = links[link]?.hello, hello.cluster == clusterID else { continue }
            guard let member = members.member(node) else {
                return .add(node, directory: hello.directory, isWitness: false)
            }
            if !member.isVoter, configuration.voters.contains(node) { return .promote(node) }
        }
        return nil
    }

    var nextDeadline: Instant { min(nextHousekeeping, replica?.deadline ?? .distantFuture) }

    // MARK: Start

    /// Reads who the node is, or makes that up for a new disk. `diagnostics` hears of what was
    /// found. Reads, writes and syncs the disk.
    init(
        _ configuration: ClusterConfiguration, node: NodeID, wanted: UUID128?, disk: any Disk,
        random: inout Random, now: Now
    ) throws(Problem) {
        self.configuration = configuration
        self.node = node
        self.disk = disk
        controller = Controller(settings: configuration.control)
        incarnation = random.uuid()
        guard configuration.address(of: node) != nil else {
            throw Problem(
                "cluster.node",
                "node \(node.value) is not in a list of"
                    + " \(configuration.members.count) nodes",
                hint: "--node is the place of this node in --cluster, counted from 1")
        }
        do throws(StorageFailure) {
            directory = try Self.directoryID(disk, &random)
        } catch {
            throw Problem("storage.failed", "the node can't keep who it is: \(error)")
        }
        for id in 1..<max(node.value, 1) {
            dialing[NodeID(id)] = PeerDialing(due: now.monotonic)
        }
        guard disk.exists(ClusterConfiguration.directory + "/identity") else { return }
        var quorum = QuorumConfiguration(node: node, cluster: .zero)
        do throws(QuorumFailure) {
            let identity = try QuorumReplica.identity(
                on: disk, directory: ClusterConfiguration.directory)
            guard identity.node == node else {
                throw .foreign(found: identity, path: ClusterConfiguration.directory)
            }
            if let wanted, wanted != identity.cluster {
                throw .foreign(found: identity, path: ClusterConfiguration.directory)
            }
            clusterID = identity.cluster
            quorum = QuorumConfiguration(node: node, cluster: clusterID)
            quorum.directory = ClusterConfiguration.directory
            quorum.raft = configuration.raft
            replica = try QuorumReplica(
                quorum, disk: disk, random: random.fork(), now: now.monotonic)
        } catch {
            if case .foreign(let found, _) = error {
                throw Problem(
                    "cluster.mismatch",
                    "the data directory belongs to node \(found.node.value) of cluster "
                        + publishedText(of: found.cluster),
                    notes: [
                        "this is to be node \(node.value)"
                            + (wanted.map { " of cluster " + publishedText(of: $0) } ?? ""),
                        "nothing was changed",
                    ])
            }
            throw Problem("quorum.failed", "the metadata quorum can't start: \(error)")
        }
    }

    private static func directoryID(
        _ disk: any Disk, _ random: inout Random
    ) throws(StorageFailure) -> UUID128 {
        let path = ClusterConfiguration.directoryFile
        if disk.exists(path), let known = UUID128(file: try disk.contents(path)) { return known }
        let made = random.uuid()
        try disk.makeDirectory(ClusterConfiguration.directory)
        try disk.replace(path, with: made.file)
        try disk.syncDirectory("")
        return made
    }

    /// The node becomes one of cluster `id`. Writes and syncs the disk.
    mutating func format(
        _ id: UUID128, initial: RaftConfiguration?, random: Random, now: Instant
    ) throws(Problem) {
        var quorum = QuorumConfiguration(node: node, cluster: id)
        quorum.directory = ClusterConfiguration.directory
        quorum.raft = configuration.raft
        do {
            try QuorumReplica.format(
                disk, directory: ClusterConfiguration.directory,
                identity: QuorumIdentity(cluster: id, node: node, directory: directory),
                initial: initial)
            replica = try QuorumReplica(quorum, disk: disk, random: random, now: now)
        } catch {
            throw Problem("quorum.failed", "the metadata quorum can't begin: \(error)")
        }
        clusterID = id
    }
}

extension UUID128 {
    /// As a file: version (uint8), 16 bytes, CRC-32C of both.
    fileprivate var file: Bytes {
        var writer = ByteWriter(capacity: 21)
        writer.uint8(1)
        writer.int64(Int64(bitPattern: high))
        writer.int64(Int64(bitPattern: low))
        writer.uint32(writer.crc32c(from: 0))
        return writer.finish()
    }

    fileprivate init?(file: Bytes) {
        guard file.count == 21 else { return nil }
        var reader = ByteReader(file)
        guard (try? reader.uint8()) == 1, let high = try? reader.int64(),
            let low = try? reader.int64(), let checksum = try? reader.uint32(),
            crc32c(file[0..<17]) == checksum
        else { return nil }
        self.init(high: UInt64(bitPattern: high), low: UInt64(bitPattern: low))
    }
}
