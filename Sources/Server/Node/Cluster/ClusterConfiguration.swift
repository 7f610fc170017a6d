import Base
import Quorum
import Replica

/// What a node has to know to be one of a cluster: the same list on each of them.
package struct ClusterConfiguration: Sendable {
    /// Where nodes listen for each other. Node n is the n-th, counted from 1.
    package var members: [Address]
    /// The number of the driver's listener for nodes, behind those for clients.
    package var listener = 0
    /// How often a broker calls the controller.
    package var heartbeatInterval: Duration = .milliseconds(150)
    /// A broker that did not call for so long is fenced, though there is a link to it.
    package var sessionTimeout: Duration = .seconds(6)
    /// So long after a heartbeat that the controller answered a broker acknowledges records and tells
    /// readers that there are no more. Whose link is lost is fenced a little later.
    package var lease: Duration = .milliseconds(500)
    /// A request of a client waits so long for a controller, then its connection is closed.
    package var controllerWait: Duration = .seconds(15)
    package var raft: RaftSettings = {
        var settings = RaftSettings()
        // Who leads a partition is decided by who leads the quorum: until there is one, producers wait.
        settings.electionTimeout = .milliseconds(600)
        settings.heartbeatInterval = .milliseconds(100)
        // A topic is one entry, with all its partitions.
        settings.batchBytesMax = 2 << 20
        settings.entryBytesMax = 8 << 20
        return settings
    }()

    package struct Address: Hashable, Sendable {
        package var host: String
        package var port: UInt16

        package init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }

        package var text: String { "\(host):\(port)" }
    }

    package init(members: [Address]) { self.members = members }

    /// Where the quorum's files are, in the data directory.
    static let directory = "quorum"
    /// Holds the id of the disk, from before the node belongs to a cluster on.
    static let directoryFile = directory + "/directory"
    /// Bytes of a request of a client that is passed on to another node.
    static let messageBytesMax = 24 << 20
    /// Bytes of a frame between nodes: the largest of them, with room for what stands around it.
    static let frameBytesMax = max(messageBytesMax, ReplicaMessage.bytesMax) + (1 << 20)

    /// What the controller goes by.
    var control: Controller.Settings {
        var settings = Controller.Settings()
        settings.sessionTimeout = max(sessionTimeout, unreachableTimeout)
        settings.unreachableTimeout = unreachableTimeout
        return settings
    }

    /// The lease, and what clocks may differ by.
    private var unreachableTimeout: Duration { lease + lease / 10 }

    /// What the replicas of a node go by.
    var replication: ReplicaSettings {
        var settings = ReplicaSettings()
        settings.lease = lease
        // Links lose nothing while they last, and when they end both sides know.
        settings.resendTimeout = .seconds(30)
        settings.inFlightBytesMax = 4 << 20
        settings.askTimeout = .milliseconds(100)
        return settings
    }

    /// The first one, three or five nodes vote; the others get the log.
    var voterCount: Int { members.count >= 5 ? 5 : members.count >= 3 ? 3 : 1 }

    var voters: [NodeID] { (1...voterCount).map { NodeID(Int32($0)) } }

    func address(of node: NodeID) -> Address? {
        let place = Int(node.value) - 1
        return members.indices.contains(place) ? members[place] : nil
    }
}
