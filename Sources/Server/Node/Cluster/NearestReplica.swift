import Base
import Log
import Quorum
import Replica
import WireProtocol

// Reads from the nearest replica (KIP-392): a client that says in which rack it is, is sent by the leader to
// a replica there, and reads from that follower what it knows to be committed.
extension BrokerNode {
    /// The replica that a client in `rack` shall read from; nil when that is this node, the leader, or when
    /// nobody there has what it asks for. Several in one rack share the partitions.
    func nearestReplica(of partition: TopicPartition, rack: String, from offset: Offset) -> NodeID?
    {
        guard !rack.isEmpty, configuration.rack != rack,
            let leader = replicas?.leader(of: partition)
        else { return nil }
        let near = leader.inSync.filter { other in
            other != configuration.nodeID && image.isAlive(other)
                && image.brokers[other]?.registration.rack == rack
                && leader.followers.contains { $0.node == other && $0.has(offset) }
        }
        return near.isEmpty ? nil : near[Int(partition.partition) % near.count]
    }

    /// Why this node gives a client nothing of the partition; nil when it does.
    func readRefusal(
        of wanted: FetchRequest.FetchPartition, _ topic: TopicMetadata,
        _ partition: TopicPartition, rack: String
    ) -> ErrorCode? {
        let offset = Offset(wanted.fetchOffset)
        let error = leadershipError(
            topic, wanted.partition, clientEpoch: wanted.currentLeaderEpoch)
        if error == .notLeaderOrFollower, !rack.isEmpty {
            return followerReadError(partition, from: offset)
        }
        return error ?? readError(partition, from: offset)
    }

    /// Why this node, which follows, gives a client nothing of the partition from `offset` on; nil when it
    /// does. Whoever is told that it doesn't lead asks the leader again.
    private func followerReadError(_ partition: TopicPartition, from offset: Offset) -> ErrorCode? {
        guard let replicas else { return .notLeaderOrFollower }
        do throws(ReplicaRefusal) {
            try replicas.checkFollowerRead(partition, from: offset, store: store, now: now)
            return nil
        } catch {
            return ErrorCode(number: error.code)
        }
    }
}
