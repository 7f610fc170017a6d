import Base
import Quorum

// How a cluster begins. The first node of the list founds it when all that vote have said who they
// are, so that the quorum knows the disk of each of its members from the beginning. The others
// join what it has founded; a node that comes later joins, too.
extension BrokerNode {
    /// A node was linked.
    mutating func met(_ hello: PeerHello) {
        guard let cluster else { return }
        if cluster.clusterID == .zero { return found() }
        guard hello.cluster == .zero, let core = cluster.replica?.core,
            core.commitIndex > 0 || cluster.node == 1
        else { return }
        send(.found(cluster: cluster.clusterID, voters(of: core.configuration)), to: hello.node)
    }

    /// The voters, as the founder wrote them.
    private func voters(of configuration: RaftConfiguration) -> RaftConfiguration {
        RaftConfiguration(configuration.members.filter(\.isVoter))
    }

    /// Founds the cluster, when this is the node to do it and all voters are there.
    mutating func found() {
        guard let cluster, cluster.clusterID == .zero, cluster.node == 1 else { return }
        var members = [
            RaftMember(id: cluster.node, directory: cluster.directory, isVoter: true)
        ]
        for voter in cluster.configuration.voters where voter != cluster.node {
            guard let link = cluster.linkTo[voter], let hello = cluster.links[link]?.hello,
                hello.cluster == .zero
            else { return }
            members.append(RaftMember(id: voter, directory: hello.directory, isVoter: true))
        }
        let id = configuration.clusterID ?? random.uuid()
        begin(id, initial: RaftConfiguration(members))
        guard !isHalted, let core = self.cluster?.replica?.core else { return }
        diagnostics.report(
            .info, "cluster",
            "founded cluster \(publishedText(of: id)) with \(members.count) voters")
        for (node, link) in cluster.linkTo.sorted(by: { $0.key < $1.key })
        where cluster.links[link]?.hello?.cluster == .zero {
            send(.found(cluster: id, voters(of: core.configuration)), to: node)
        }
    }

    /// Another node says that there is a cluster.
    mutating func join(_ id: UUID128, _ voters: RaftConfiguration, from peer: PeerHello) {
        guard let cluster, id != .zero else { return }
        if cluster.clusterID != .zero {
            if cluster.clusterID == id { return }
            return complain(
                about: peer.node,
                "speaks of cluster \(publishedText(of: id)), this node belongs to "
                    + publishedText(of: cluster.clusterID), .error)
        }
        if let wanted = configuration.clusterID, wanted != id {
            return complain(
                about: peer.node,
                "belongs to cluster \(publishedText(of: id)), wanted is \(publishedText(of: wanted))",
                .error)
        }
        if let own = voters.member(cluster.node), !own.isServed(by: cluster.directory) {
            return complain(
                about: peer.node,
                "knows node \(cluster.node.value) with another disk: this one can't take its place",
                .error)
        }
        // Who was not there in the beginning gets the whole log from the leader.
        let isFounder = voters.member(cluster.node) != nil
        begin(id, initial: isFounder ? voters : nil)
        guard !isHalted else { return }
        diagnostics.report(.info, "cluster", "joined cluster \(publishedText(of: id))")
        // The others know this node as one that belongs to none: it introduces itself again.
        for link in (self.cluster?.links.keys.sorted() ?? []) { drop(link, nil) }
    }

    private mutating func begin(_ id: UUID128, initial: RaftConfiguration?) {
        do throws(Problem) {
            try cluster?.format(
                id, initial: initial, random: random.fork(), now: now.monotonic)
        } catch {
            return halt(error)
        }
        startQuorum()
    }
}
