// The nodes of a cluster, as operators look at them.

import Base
import WireProtocol

/// A broker, alive or not.
public struct BrokerState: Hashable, Sendable {
    public var id: Int32
    public var host: String
    public var port: Int32
    public var rack: String?
    /// It did not call the controller for too long, or is not ready yet: it leads nothing.
    public var isFenced: Bool
}

/// A member of the quorum that keeps the metadata.
public struct QuorumMember: Hashable, Sendable {
    public var id: Int32
    public var isVoter: Bool
    /// How far its log is known to be that of the leader, -1 when the answering node does not know.
    public var logEnd: Int64
    /// Where it listens for other nodes; nil when that is not known.
    public var address: String?
}

/// The quorum as one node knows it.
public struct QuorumInfo: Hashable, Sendable {
    /// -1 = there is none, or it is not known.
    public var leader: Int32
    public var term: Int32
    public var committed: Int64
    public var members: [QuorumMember]
}

extension Admin {
    /// The brokers of the cluster with those that are fenced, by number.
    public func describeBrokers() throws(ClientFailure) -> [BrokerState] {
        let controller = try describeCluster().controllerId
        return try patiently { () throws(ClientFailure) in
            let request = DescribeClusterRequest(includeFencedBrokers: true)
            let response = try cluster.connection(to: controller).call(request)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "describe the cluster", detail: response.errorMessage)
            }
            return response.brokers.map {
                BrokerState(
                    id: $0.brokerId, host: $0.host, port: $0.port, rack: $0.rack,
                    isFenced: $0.isFenced)
            }.sorted { $0.id < $1.id }
        }
    }

    /// Gives leaderships back to the first replicas of all partitions, where those are in sync. Returns the
    /// partitions that have another leader now, and those whose first replica can't lead, as topic and
    /// number joined by a hyphen.
    public func balance() throws(ClientFailure) -> (moved: [String], stuck: [String]) {
        let controller = try describeCluster().controllerId
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.connection(to: controller).call(
                ElectLeadersRequest(electionType: 0, topicPartitions: nil))
            guard response.errorCode == .none else {
                throw ClientFailure(response.errorCode, "elect leaders")
            }
            var moved: [String] = []
            var stuck: [String] = []
            for topic in response.replicaElectionResults {
                for partition in topic.partitionResult {
                    let name = "\(topic.topic)-\(partition.partitionId)"
                    if partition.errorCode == .none {
                        moved.append(name)
                    } else {
                        stuck.append(name)
                    }
                }
            }
            return (moved, stuck)
        }
    }

    /// Forgets a broker that is gone for good: its node is no member of the quorum any more, and one with
    /// another disk may take its number.
    public func unregisterBroker(_ id: Int32) throws(ClientFailure) {
        let controller = try describeCluster().controllerId
        try patiently { () throws(ClientFailure) in
            let response = try cluster.connection(to: controller).call(
                UnregisterBrokerRequest(brokerId: id))
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "forget broker \(id)", detail: response.errorMessage)
            }
        }
    }

    /// The quorum, as its leader knows it.
    public func describeQuorum() throws(ClientFailure) -> QuorumInfo {
        let controller = try describeCluster().controllerId
        return try patiently { () throws(ClientFailure) in
            let request = DescribeQuorumRequest(topics: [
                .init(
                    topicName: "__cluster_metadata", partitions: [.init(partitionIndex: 0)])
            ])
            let response = try cluster.connection(to: controller).call(request)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "describe the quorum", detail: response.errorMessage)
            }
            guard let partition = response.topics.first?.partitions.first,
                partition.errorCode == .none
            else {
                let code = response.topics.first?.partitions.first?.errorCode
                throw ClientFailure(code ?? .unknownServerError, "describe the quorum")
            }
            func member(
                _ state: DescribeQuorumResponse.ReplicaState, isVoter: Bool
            ) -> QuorumMember {
                let listener = response.nodes.first { $0.nodeId == state.replicaId }?.listeners
                    .first
                return QuorumMember(
                    id: state.replicaId, isVoter: isVoter, logEnd: state.logEndOffset,
                    address: listener.map { "\($0.host):\($0.port)" })
            }
            return QuorumInfo(
                leader: partition.leaderId, term: partition.leaderEpoch,
                committed: partition.highWatermark,
                members: (partition.currentVoters.map { member($0, isVoter: true) }
                    + partition.observers.map { member($0, isVoter: false) })
                    .sorted { $0.id < $1.id })
        }
    }
}
