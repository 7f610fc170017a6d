import Base
import Log
import Replica
import Testing

@Suite struct ReplicaManagerTests {
    private func pair(
        _ first: PartitionAssignment = assignment()
    ) throws -> (leader: TestNode, follower: TestNode) {
        var (leader, follower) = (try TestNode(1), try TestNode(2))
        try leader.assign(first)
        try follower.assign(first)
        try settle(&leader, &follower)
        // The first question came before the begin of the epoch was durable.
        follower.tick(now: at(400))
        try settle(&leader, &follower, now: at(400))
        return (leader, follower)
    }

    @Test func `a record is acknowledged when it is durable on all in sync`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        try leader.sync()
        #expect(leader.acknowledged == [])
        #expect(leader.highWatermark == 0)
        follower.receive(leader.takeMessages())
        #expect(follower.end == 1)
        leader.receive(follower.takeMessages())
        #expect(leader.acknowledged == [])
        try follower.sync()
        leader.receive(follower.takeMessages())
        #expect(leader.acknowledged == [7])
        #expect(leader.highWatermark == 1)
    }

    @Test func `the leader counts itself only when its own disk has it`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        follower.receive(leader.takeMessages())
        try follower.sync()
        leader.receive(follower.takeMessages())
        #expect(leader.acknowledged == [])
        try leader.sync()
        #expect(leader.acknowledged == [7])
    }

    @Test func `a producer that asks for the leader only waits for its disk only`() throws {
        var (leader, _) = try pair()
        try leader.produce("a", .leader, token: 7)
        #expect(leader.acknowledged == [])
        try leader.sync()
        #expect(leader.acknowledged == [7])
        #expect(leader.highWatermark == 0)
    }

    @Test func `nothing is committed while too few are in sync`() throws {
        var (leader, follower) = try pair(assignment(minInSync: 2))
        try leader.produce("a", token: 7)
        try leader.assign(
            assignment(partitionEpoch: 2, inSync: [1], eligible: [2], minInSync: 2))
        try settle(&leader, &follower)
        #expect(leader.highWatermark == 0)
        #expect(throws: ReplicaRefusal.notEnoughReplicas) { try leader.produce("b") }
        #expect(leader.acknowledged == [])
        // A lower bound counts once nobody is eligible beside the in-sync set.
        try leader.assign(
            assignment(partitionEpoch: 3, inSync: [1], eligible: [2], minInSync: 1))
        #expect(leader.highWatermark == 0)
        try leader.assign(assignment(partitionEpoch: 4, inSync: [1], minInSync: 1))
        #expect(leader.acknowledged == [7])
    }

    @Test func `without a lease nobody is answered`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        try leader.sync(now: at(7000))
        follower.receive(leader.takeMessages(), now: at(7000))
        try follower.sync(now: at(7000))
        leader.receive(follower.takeMessages(), now: at(7000))
        #expect(leader.highWatermark == 1)
        #expect(leader.acknowledged == [])
        #expect(throws: ReplicaRefusal.notLeader) { try leader.produce("b", now: at(7000)) }
        // What is committed may still be read; that there is no more is not said.
        let limit = try leader.manager.readLimit(orders, from: 0, epoch: nil, now: at(7000))
        #expect(limit == 1)
        #expect(throws: ReplicaRefusal.notLeader) {
            try leader.manager.readLimit(orders, from: 1, epoch: nil, now: at(7000))
        }
        // A lease runs from when it was asked for, however late the answer is.
        leader.effects += leader.manager.renewLease(
            sentAt: at(500).monotonic, store: &leader.store, now: at(7000))
        #expect(leader.acknowledged == [])
        leader.effects += leader.manager.renewLease(
            sentAt: at(6900).monotonic, store: &leader.store, now: at(7001))
        #expect(leader.acknowledged == [7])
    }

    @Test func `a leader that was started again does not serve in its old epoch`() throws {
        let (leader, _) = try pair()
        var again = try TestNode(1, disk: leader.disk, brokerEpoch: 50)
        try again.assign(assignment())
        again.tick(now: at(1))
        #expect(again.manager.leader(of: orders) == nil)
        let proposals = again.takeProposals()
        #expect(proposals.map(\.change) == [.raiseEpoch])
        try again.assign(assignment(epoch: 2, partitionEpoch: 2))
        try again.sync()
        #expect(again.manager.leader(of: orders)?.isServing == true)
    }

    /// Node 2 leads by `next`, and node 1, which led, has not heard of it.
    private func changed(
        to next: PartitionAssignment, isFenced: Bool = false
    ) throws -> (before: TestNode, leader: TestNode) {
        var (one, two) = try pair()
        two.manager.setPeers([
            PeerStatus(node: 1, brokerEpoch: 1, isFenced: isFenced),
            PeerStatus(node: 2, brokerEpoch: 2, isFenced: false),
        ])
        _ = (one.takeMessages(), two.takeMessages())
        try two.assign(next, now: at(500))
        try two.sync(now: at(500))
        #expect(two.manager.leader(of: orders)?.isEstablished == true)
        return (one, two)
    }

    @Test(arguments: [[1, 2], [2]] as [[NodeID]])
    func `a new leader serves when the leader of before knows of it`(replicas: [NodeID]) throws {
        let next = assignment(
            leader: 2, epoch: 2, partitionEpoch: 2, inSync: [2], replicas: replicas)
        var (one, two) = try changed(to: next)
        #expect(throws: ReplicaRefusal.notLeader) { try two.produce("a", now: at(500)) }
        #expect(throws: ReplicaRefusal.notLeader) {
            try two.manager.readLimit(orders, from: 0, epoch: nil, now: at(500))
        }
        try one.assign(next, now: at(510))
        #expect(throws: ReplicaRefusal.notLeader) { try one.produce("b", now: at(510)) }
        two.receive(one.takeMessages(), now: at(510))
        try two.produce("a", now: at(510))
    }

    @Test func `that the leader of before knows of it may be heard first`() throws {
        let next = assignment(leader: 2, epoch: 2, partitionEpoch: 2)
        var (one, two) = try pair()
        two.manager.setPeers([PeerStatus(node: 1, brokerEpoch: 1, isFenced: false)])
        try one.assign(next, now: at(500))
        two.receive(one.takeMessages(), now: at(500))
        try two.assign(next, now: at(510))
        try two.sync(now: at(510))
        #expect(two.manager.leader(of: orders)?.isServing == true)
    }

    @Test func `a new leader serves when the lease of the leader of before is over`() throws {
        var (_, two) = try changed(to: assignment(leader: 2, epoch: 2, partitionEpoch: 2))
        _ = two.manager.renewLease(sentAt: at(7000).monotonic, store: &two.store, now: at(7000))
        two.tick(now: at(7000))
        #expect(throws: ReplicaRefusal.notLeader) { try two.produce("a", now: at(7000)) }
        two.tick(now: at(7100))
        try two.produce("a", now: at(7100))
    }

    @Test func `a leader of before that is fenced is not waited for`() throws {
        var (_, two) = try changed(
            to: assignment(leader: 2, epoch: 2, partitionEpoch: 2), isFenced: true)
        try two.produce("a", now: at(500))
    }

    @Test func `nobody is served before the begin of the epoch is durable`() throws {
        var leader = try TestNode(1)
        try leader.assign(assignment(inSync: [1]))
        #expect(throws: ReplicaRefusal.notLeader) { try leader.produce("a") }
        try leader.sync()
        try leader.produce("a")
    }

    @Test func `a diverging log is cut to where the leader's epoch ends`() throws {
        var (one, two) = try pair()
        try one.produce("a")
        try settle(&one, &two)
        #expect(two.highWatermark == 0 || two.end == 1)
        // Only node 1 has these.
        try one.produce("b")
        try one.produce("c")
        try one.sync()
        _ = one.takeMessages()
        #expect(one.end == 3)
        let next = assignment(leader: 2, epoch: 2, partitionEpoch: 2, inSync: [2])
        try two.assign(next, now: at(500))
        try two.sync(now: at(500))
        try two.effects +=
            two.manager.append(
                batch("x"), to: orders, .all, token: 9, store: &two.store, now: at(500)
            ).effects + two.manager.flush(store: &two.store, now: at(500))
        try one.assign(next, now: at(500))
        try settle(&one, &two, now: at(500))
        #expect(one.end == 2)
        #expect(one.store.logEnd(of: orders)?.epoch == 2)
        #expect(two.acknowledged == [9])
    }

    @Test func `a log with an epoch that the leader lacks diverges however short it is`() throws {
        var (leader, _) = try pair()
        for text in ["a", "b", "c"] { try leader.produce(text) }
        try leader.assign(assignment(leader: nil, epoch: 2, partitionEpoch: 2))
        try leader.assign(assignment(epoch: 3, partitionEpoch: 3))
        try leader.sync()
        _ = leader.takeMessages()
        let ask = ReplicaItem(
            key: ordersKey, leaderEpoch: 3, session: 900,
            body: .ask(end: 2, lastEpoch: 2, durableEnd: 2))
        let question = ReplicaMessage(
            from: 2, to: 1, brokerEpoch: 2, receiverEpoch: 1, number: 0, received: 0, items: [ask])
        leader.receive([question])
        let answers = leader.takeMessages().flatMap(\.items).map(\.body)
        #expect(answers == [.diverges(epoch: 1, end: 3)])
        // The same question again is an old one.
        leader.receive([question])
        #expect(leader.takeMessages().flatMap(\.items).isEmpty)
    }

    @Test func `appends fail when the leadership is over`() throws {
        var (leader, _) = try pair()
        try leader.produce("a", token: 7)
        try leader.assign(assignment(leader: 2, epoch: 2, partitionEpoch: 2))
        #expect(leader.failed == [7])
        try leader.sync()
        #expect(leader.acknowledged == [])
    }

    @Test func `producers wait on while the same node goes on to lead`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        try leader.produce("b", .leader, token: 8)
        let next = assignment(epoch: 2, partitionEpoch: 2)
        try leader.assign(next)
        #expect(leader.failed == [])
        try leader.sync()
        #expect(leader.acknowledged == [8], "the follower has not asked in this epoch")
        try follower.assign(next)
        try settle(&leader, &follower)
        follower.tick(now: at(800))
        try settle(&leader, &follower, now: at(800))
        #expect(leader.acknowledged == [8, 7] && leader.failed == [])
    }

    @Test func `nobody waits for a node that led again after another`() throws {
        var (leader, _) = try pair()
        try leader.produce("a", token: 7)
        try leader.assign(assignment(epoch: 3, partitionEpoch: 3))
        #expect(leader.failed == [7])
    }

    @Test func `batches of a later epoch than the follower's are not taken`() throws {
        var (leader, follower) = try pair()
        try leader.assign(assignment(epoch: 2, partitionEpoch: 2))
        try leader.assign(assignment(leader: 2, epoch: 3, partitionEpoch: 3))
        try leader.assign(assignment(epoch: 4, partitionEpoch: 4))
        try leader.sync()
        try leader.produce("later")
        let batches = try leader.store.readForReplica(orders, from: 0, maxBytes: 1000).batches
        let session = follower.manager.follower(of: orders)?.session ?? 0
        let push = ReplicaItem(
            key: ordersKey, leaderEpoch: 1, session: session,
            body: .push(position: 0, highWatermark: 0, logStart: 0, batches: batches))
        follower.receive([
            ReplicaMessage(
                from: 1, to: 2, brokerEpoch: 1, receiverEpoch: 2, number: 99, received: 0,
                items: [push])
        ])
        #expect(follower.end == 0)
    }

    @Test func `a follower in sync is read from as far as it knows what is committed`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a")
        try settle(&leader, &follower, now: at(400))
        #expect(follower.end == 1 && follower.highWatermark == 0, "it has not heard of the end")
        #expect(follower.refusesFollowerRead(from: 0) == nil)
        #expect(follower.refusesFollowerRead(from: 1) == .offsetNotAvailable)
        #expect(follower.refusesFollowerRead(from: 2) == .notLeader, "only the leader knows")
        leader.tick(now: at(500))
        follower.receive(leader.takeMessages(), now: at(500))
        #expect(follower.refusesFollowerRead(from: 1, now: at(500)) == nil)
        // Its leader may have gone on without it.
        #expect(follower.refusesFollowerRead(from: 0, now: at(6499)) == nil)
        #expect(follower.refusesFollowerRead(from: 0, now: at(6500)) == .notLeader)
        #expect(leader.refusesFollowerRead(from: 0) == .notLeader)
        try follower.assign(assignment(partitionEpoch: 2, inSync: [1]), now: at(500))
        #expect(follower.refusesFollowerRead(from: 0, now: at(500)) == .notLeader)
    }

    @Test func `a follower joins only when it has everything that is committed`() throws {
        var (leader, follower) = try pair(assignment(inSync: [1]))
        leader.manager.setPeers([
            PeerStatus(node: 1, brokerEpoch: 1, isFenced: false),
            PeerStatus(node: 2, brokerEpoch: 2, isFenced: false),
        ])
        _ = leader.takeProposals()
        try leader.produce("a", token: 7)
        try leader.sync()
        #expect(leader.acknowledged == [7])
        leader.tick(now: at(500))
        #expect(leader.takeProposals().isEmpty)
        try settle(&leader, &follower, now: at(500))
        leader.tick(now: at(600))
        let proposals = leader.takeProposals()
        #expect(
            proposals.map(\.change) == [
                .inSync(
                    [1, 2], joining: [PeerStatus(node: 2, brokerEpoch: 2, isFenced: false)])
            ])
        // From now on it may be in sync: nothing is committed without it.
        try leader.produce("b", token: 8)
        try leader.sync()
        #expect(leader.acknowledged == [7])
    }

    @Test func `a follower of another life or a fenced one does not join`() throws {
        var (leader, _) = try pair(assignment(inSync: [1]))
        _ = leader.takeProposals()
        leader.manager.setPeers([PeerStatus(node: 2, brokerEpoch: 2, isFenced: true)])
        leader.tick(now: at(500))
        #expect(leader.takeProposals().isEmpty)
        leader.manager.setPeers([PeerStatus(node: 2, brokerEpoch: 3, isFenced: false)])
        leader.tick(now: at(600))
        #expect(leader.takeProposals().isEmpty)
    }

    @Test func `a silent follower leaves the in-sync set`() throws {
        var (leader, _) = try pair()
        leader.tick(now: at(9000))
        #expect(leader.takeProposals().isEmpty)
        leader.tick(now: at(10_500))
        #expect(leader.takeProposals().map(\.change) == [.inSync([1], joining: [])])
        // One is under way.
        leader.tick(now: at(10_600))
        #expect(leader.takeProposals().isEmpty)
    }

    @Test func `lost pushes are pushed again`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        try leader.sync()
        _ = leader.takeMessages()
        leader.tick(now: at(2000))
        try settle(&leader, &follower, now: at(2000))
        #expect(follower.end == 1)
        #expect(leader.acknowledged == [7])
    }

    @Test func `a report that was lost is asked for again`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a", token: 7)
        try leader.sync()
        follower.receive(leader.takeMessages())
        // That it has arrived is said; that it is durable is lost.
        leader.receive(follower.takeMessages())
        try follower.sync()
        _ = follower.takeMessages()
        #expect(leader.acknowledged == [])
        leader.tick(now: at(2000))
        try settle(&leader, &follower, now: at(2000))
        #expect(leader.acknowledged == [7])
    }

    @Test func `a node that has lost a partition says that it does not lead`() throws {
        var (leader, _) = try pair()
        try leader.assign(
            assignment(leader: 2, epoch: 2, partitionEpoch: 2, inSync: [2], replicas: [2]))
        // "Unknown" would say that the topic was deleted: the end of a transaction would be forgotten.
        #expect(throws: ReplicaRefusal.notLeader) { try leader.produce("a") }
        #expect(leader.refusesFollowerRead(from: 0) == .notLeader)
    }

    @Test func `a partition that is given back begins with an empty log`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a")
        try settle(&leader, &follower)
        for round in Int32(1)...3 {
            let without = assignment(
                epoch: LeaderEpoch(2 * round), partitionEpoch: 2 * round, inSync: [1],
                replicas: [1])
            try leader.assign(without)
            try follower.assign(without)
            #expect(follower.end == -1 && follower.manager.keys == [])
            let again = assignment(
                epoch: LeaderEpoch(2 * round), partitionEpoch: 2 * round + 1, inSync: [1])
            try leader.assign(again)
            try follower.assign(again)
            #expect(follower.end == 0 && follower.manager.keys == [ordersKey])
            try settle(&leader, &follower)
            follower.tick(now: at(Int64(round) * 1000))
            try settle(&leader, &follower, now: at(Int64(round) * 1000))
            #expect(follower.end == 1)
        }
    }

    @Test func `a repeated message changes nothing`() throws {
        var (leader, follower) = try pair()
        try leader.produce("a")
        let messages = leader.takeMessages()
        follower.receive(messages)
        follower.receive(messages)
        #expect(follower.end == 1)
    }
}
