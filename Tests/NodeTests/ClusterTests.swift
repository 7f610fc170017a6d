import Base
import Node
import Quorum
import Synchronization
import Testing
import WireProtocol

@Suite struct ClusterTests {
    private func cluster(
        _ count: Int = 3, seed: UInt64 = 100
    ) throws -> (ClusterHarness, controller: Int) {
        var cluster = ClusterHarness(count: count, seed: seed)
        try cluster.startAll()
        let controller = try cluster.settle(brokers: (1...Int32(count)).map { $0 })
        return (cluster, controller)
    }

    private func others(_ controller: Int, of count: Int = 3) -> [Int] {
        (1...count).filter { $0 != controller }
    }

    // MARK: One cluster

    @Test func `three nodes found one cluster and stay it over a restart of all`() throws {
        var (cluster, _) = try cluster()
        let id = try cluster.metadata(1).clusterId
        #expect(id != nil)
        for node in 2...3 { #expect(try cluster.metadata(node).clusterId == id) }
        for node in 1...3 { cluster.kill(node) }
        try cluster.startAll()
        try cluster.settle(brokers: [1, 2, 3])
        for node in 1...3 { #expect(try cluster.metadata(node).clusterId == id) }
    }

    @Test func `a list of one is a cluster of one`() throws {
        var (cluster, controller) = try cluster(1)
        #expect(controller == 1)
        #expect(try cluster.create("t", through: 1).errorCode == .none)
        #expect(try cluster.produce("t", 0, ["a"], to: 1).errorCode == .none)
    }

    @Test func `the fourth node has partitions and no vote`() throws {
        var (cluster, controller) = try cluster(4)
        #expect(controller != 4)
        #expect(try cluster.create("t", partitions: 8, through: 4).errorCode == .none)
        cluster.advance(1000)
        for node in 1...4 {
            let leaders = try cluster.leaders(of: "t", node)
            for id: Int32 in 1...4 { #expect(leaders.count { $0 == id } == 2) }
        }
        let quorum = try cluster.call(
            controller,
            DescribeQuorumRequest(topics: [
                .init(topicName: "__cluster_metadata", partitions: [.init(partitionIndex: 0)])
            ]), version: 2)
        let partition = try #require(quorum.topics.first?.partitions.first)
        #expect(partition.currentVoters.map(\.replicaId) == [1, 2, 3])
        #expect(partition.observers.map(\.replicaId) == [4])
        #expect(partition.leaderId == Int32(controller))
    }

    @Test func `a cluster of one grows to three by a longer list, and survives its first node`()
        throws
    {
        let length = Mutex(1)
        var cluster = ClusterHarness(count: 3) { configuration in
            let members = configuration.cluster?.members ?? []
            configuration.cluster?.members = Array(members.prefix(length.withLock { $0 }))
        }
        try cluster.start(1)
        try cluster.advance { try $0.metadata(1).brokers.map(\.nodeId) == [1] }
        #expect(try cluster.create("first", through: 1).errorCode == .none)
        cluster.kill(1)
        length.withLock { $0 = 3 }
        try cluster.startAll()
        try cluster.settle(brokers: [1, 2, 3])
        cluster.advance(5000)
        #expect(try cluster.leaders(of: "first", 3) == [1])
        cluster.kill(1)
        try cluster.settle(brokers: [2, 3])
        #expect(try cluster.create("second", through: 3).errorCode == .none)
    }

    @Test func `a cluster that stood still as a whole fences nobody`() throws {
        var (cluster, controller) = try cluster()
        _ = try cluster.create("t", partitions: 6, through: controller)
        cluster.advance(1000)
        let before = try cluster.metadata(1).topics
        for _ in 0..<3 {
            cluster.standStill(60_000)
            cluster.advance(4000)
            try cluster.settle(brokers: [1, 2, 3])
        }
        #expect(try cluster.metadata(1).topics == before, "no leadership has ended")
    }

    @Test func `nobody serves before a majority is there, and says what it waits for`() throws {
        var cluster = ClusterHarness(count: 3)
        try cluster.start(1)
        let client = cluster.connect(1)
        let frame = Bytes.joined(
            MetadataRequest(topics: nil).frame(version: 12, correlationId: 1, clientId: ""))
        cluster.send(frame[4..<frame.count], on: client)
        cluster.advance(12_000)
        #expect(cluster.sent[client] == nil)
        #expect(cluster.said[0].messages.contains { $0.contains("waiting for the cluster") })
        try cluster.start(2)
        try cluster.start(3)
        try cluster.settle(brokers: [1, 2, 3])
        #expect(cluster.sent[client]?.count == 1, "it was kept, not forgotten")
    }

    // MARK: Topics

    @Test func `any node creates topics, all know them, and each partition has one leader`() throws
    {
        var (cluster, controller) = try cluster()
        for (number, node) in others(controller).enumerated() {
            let made = try cluster.create("t\(number)", partitions: 6, through: node)
            #expect(made.errorCode == .none)
        }
        cluster.advance(1000)
        let leaders = try cluster.leaders(of: "t0", 1)
        for id: Int32 in 1...3 { #expect(leaders.count { $0 == id } == 2) }
        for node in 2...3 { #expect(try cluster.leaders(of: "t0", node) == leaders) }
        for node in 1...3 {
            for (partition, leader) in leaders.enumerated() {
                let produced = try cluster.produce("t0", Int32(partition), ["a"], to: node)
                #expect(
                    produced.errorCode
                        == (leader == Int32(node) ? ErrorCode.none : .notLeaderOrFollower))
            }
        }
        let twice = try cluster.create("t0", through: controller)
        #expect(twice.errorCode == .topicAlreadyExists)
    }

    @Test func `more replicas than brokers are refused, and nobody says means three`() throws {
        var (cluster, controller) = try cluster()
        for node in [controller, others(controller)[0]] {
            let refused = try cluster.create("t", replicas: 4, through: node)
            #expect(refused.errorCode == .invalidReplicationFactor)
            #expect(refused.errorMessage?.contains("there are 3 brokers") == true)
        }
        #expect(try cluster.create("t", replicas: -1, through: controller).errorCode == .none)
        cluster.advance(500)
        let partition = try #require(
            try cluster.metadata(1).topics.first { $0.name == "t" }?.partitions.first)
        #expect(partition.replicaNodes.sorted() == [1, 2, 3])
        #expect(partition.isrNodes.sorted() == [1, 2, 3])
    }

    @Test func `a topic that a client asks for is made once`() throws {
        var (cluster, controller) = try cluster()
        for node in 1...3 {
            _ = try cluster.call(
                node,
                MetadataRequest(topics: [.init(name: "auto")], allowAutoTopicCreation: true),
                version: 12)
        }
        cluster.advance(1000)
        let ids = try (1...3).map { try cluster.metadata($0).topics.map(\.topicId) }
        #expect(ids[0].count == 1)
        #expect(ids[1] == ids[0] && ids[2] == ids[0])
        _ = controller
    }

    @Test func `producer ids are never given twice`() throws {
        var (cluster, _) = try cluster()
        var seen: Set<Int64> = []
        for round in 0..<6 {
            for node in 1...3 {
                let given = try cluster.call(
                    node, InitProducerIdRequest(transactionalId: nil), version: 4)
                #expect(given.errorCode == .none)
                #expect(seen.insert(given.producerId).inserted)
            }
            if round == 2 {
                let controller = try cluster.settle(brokers: [1, 2, 3])
                cluster.kill(controller)
                cluster.advance(5000)
                try cluster.start(controller)
                try cluster.settle(brokers: [1, 2, 3])
            }
        }
    }

    @Test func `groups have one coordinator, whichever node is asked`() throws {
        var (cluster, _) = try cluster()
        var nodes: Set<Int32> = []
        for node in [3, 1, 2, 3] {
            cluster.advance(500)
            let found = try cluster.call(
                node, FindCoordinatorRequest(keyType: 0, coordinatorKeys: ["g\(node)"]), version: 4)
            let coordinator = try #require(found.coordinators.first)
            #expect(coordinator.errorCode == .none)
            nodes.insert(coordinator.nodeId)
            for other in 1...3 {
                let same = try cluster.call(
                    other, FindCoordinatorRequest(keyType: 0, coordinatorKeys: ["g\(node)"]),
                    version: 4)
                #expect(same.coordinators.first?.nodeId == coordinator.nodeId)
            }
        }
        #expect(nodes.count > 1, "the groups are spread")
        for node in 1...3 {
            let committed = try cluster.call(
                node, OffsetFetchRequest(groups: [.init(groupId: "g", topics: nil)]), version: 8)
            #expect(committed.groups.first?.errorCode == ErrorCode.none, "it is passed on")
        }
        let transactions = try cluster.call(
            1, FindCoordinatorRequest(keyType: 1, coordinatorKeys: ["t"]), version: 4)
        #expect(transactions.coordinators.first?.errorCode == ErrorCode.none)
    }

    // MARK: Losses

    @Test func `what a node led in its last life takes no records before it is registered`() throws
    {
        var (cluster, _) = try cluster()
        _ = try cluster.create("t", partitions: 3, replicas: 3, through: 1)
        cluster.advance(500)
        let place = try #require(try cluster.leaders(of: "t", 1).firstIndex(of: 1))
        #expect(try cluster.produce("t", Int32(place), ["a"], to: 1).errorCode == .none)
        for node in 1...3 { cluster.kill(node) }
        for node in 1...3 { try cluster.start(node) }
        // What it has applied of the metadata says that it leads, until its registration comes back.
        var triedBefore = 0
        for _ in 0..<3000 {
            guard case .success(.statistics(let state)) = cluster.command(1, .statistics) else {
                continue
            }
            if state.cluster?.isServing == true { break }
            if state.topics == 0 { continue }
            triedBefore += 1
            // Without keys they go to all partitions in turn.
            let one = [NewRecord(value: Bytes(utf8: "lost"))]
            if case .success = cluster.command(1, .append(topic: "t", records: one)) {
                Issue.record("records without copies are acknowledged")
            }
        }
        #expect(triedBefore > 0)
    }

    @Test func `when the controller is killed another one goes on, and it comes back`() throws {
        var (cluster, controller) = try cluster()
        _ = try cluster.create("t", partitions: 3, through: controller)
        cluster.advance(500)
        let place = try #require(
            try cluster.leaders(of: "t", controller).firstIndex(of: Int32(controller)))
        #expect(
            try cluster.produce("t", Int32(place), ["a", "b"], to: controller).errorCode == .none)
        cluster.kill(controller)
        let left = others(controller)
        let began = cluster.milliseconds
        #expect(try cluster.create("later", partitions: 4, through: left[0]).errorCode == .none)
        #expect(cluster.milliseconds - began < 5000)
        let next = try cluster.settle(brokers: left.map { Int32($0) })
        #expect(next != controller)
        let partition = try #require(
            try cluster.metadata(left[1]).topics.first { $0.name == "t" }?.partitions[place])
        #expect(partition.leaderId == -1)
        #expect(partition.errorCode == .leaderNotAvailable)
        #expect(partition.offlineReplicas == [Int32(controller)])

        try cluster.start(controller)
        try cluster.settle(brokers: [1, 2, 3])
        let back = try #require(
            try cluster.metadata(left[1]).topics.first { $0.name == "t" }?.partitions[place])
        #expect(back.leaderId == Int32(controller))
        #expect(back.leaderEpoch > 0, "clients see that the leadership is another one")
        let offsets = try cluster.produce("t", Int32(place), ["c"], to: controller)
        #expect(offsets.baseOffset == 2, "what was acknowledged is there")
        #expect(try cluster.leaders(of: "later", controller).count == 4)
    }

    @Test func `an isolated node is fenced and no second controller decides`() throws {
        var (cluster, controller) = try cluster()
        cluster.isolate(controller)
        let left = others(controller)
        try cluster.advance { harness in
            try left.allSatisfy {
                try harness.metadata($0).brokers.map(\.nodeId) == left.map { Int32($0) }
            }
        }
        let stuck = cluster.connect(controller)
        let frame = Bytes.joined(
            CreateTopicsRequest(topics: [
                .init(name: "t", numPartitions: 1, replicationFactor: 1)
            ]).frame(version: 7, correlationId: 1, clientId: ""))
        cluster.send(frame[4..<frame.count], on: stuck)
        cluster.advance(20_000)
        #expect(cluster.sent[stuck] == nil)
        #expect(cluster.closed[stuck] != nil, "the client is told by hanging up")
        #expect(try cluster.create("t", partitions: 2, through: left[0]).errorCode == .none)
        cluster.rejoin(controller)
        try cluster.settle(brokers: [1, 2, 3])
        #expect(try cluster.leaders(of: "t", controller).count == 2)
    }

    // MARK: Who may be in it

    @Test func `a node with another disk is refused, and both sides say why`() throws {
        var (cluster, _) = try cluster()
        cluster.kill(3)
        let kept = cluster.disks[2]
        cluster.disks[2] = MemoryDisk()
        try cluster.start(3)
        cluster.advance(3000)
        #expect(cluster.said[0].messages.contains { $0.contains("node 3 is refused") })
        #expect(cluster.said[2].messages.contains { $0.contains("refuses this node") })
        cluster.kill(3)
        cluster.disks[2] = kept
        try cluster.start(3)
        try cluster.settle(brokers: [1, 2, 3])
    }

    @Test func `a node of another cluster is refused, and both sides say why`() throws {
        var (other, _) = try cluster(seed: 900)
        other.kill(2)
        var (cluster, _) = try cluster()
        cluster.kill(2)
        cluster.disks[1] = other.disks[1]
        try cluster.start(2)
        cluster.advance(3000)
        let reasons = cluster.said[1].messages.filter { $0.contains("refuses this node") }
        #expect(reasons.contains { $0.contains("belongs to cluster") })
        #expect(
            cluster.said[0].messages.contains {
                $0.contains("node 2 is refused") && $0.contains("belongs to cluster")
            })
    }

    @Test func `a number of its own is needed`() throws {
        var (cluster, _) = try cluster()
        let link = cluster.connectAsNode(to: 1)
        let hello = PeerHello(
            cluster: .zero, node: 3, directory: UUID128(high: 5, low: 5),
            incarnation: UUID128(high: 6, low: 6), memberCount: 3)
        let frame = PeerMessage.hello(hello).frame()
        cluster.send(frame[4..<frame.count], on: link)
        let answer = try #require(cluster.sent[link]?.first)
        guard case .refused(let reason) = try PeerMessage(answer[4..<answer.count]) else {
            return #expect(Bool(false))
        }
        #expect(reason.contains("node 3"))
        #expect(cluster.closed[link] != nil)
        try cluster.settle(brokers: [1, 2, 3])
    }

    @Test func `whatever is no link of a node changes nothing`() throws {
        var (cluster, controller) = try cluster()
        var random = Random(seed: 5)
        let good = PeerMessage.command(
            1, .unregister(2)
        ).frame()
        var frames: [Bytes] = [.empty, Bytes([0]), good[4..<good.count]]
        for _ in 0..<200 {
            frames.append(
                Bytes((0..<random.below(200)).map { _ in UInt8(random.below(256)) }))
        }
        for frame in frames {
            let link = cluster.connectAsNode(to: controller)
            cluster.send(frame, on: link)
            #expect(cluster.closed[link] != nil, "it is not kept")
        }
        try cluster.settle(brokers: [1, 2, 3])
    }

    @Test func `a directory keeps its kind`() throws {
        var (cluster, _) = try cluster()
        cluster.kill(1)
        let disk = try #require(cluster.disks[0] as? MemoryDisk)
        #expect(throws: Problem.self) { try NodeHarness(disk: disk) }
        let single = try NodeHarness()
        cluster.disks[0] = single.disk
        #expect(throws: Problem.self) { try cluster.start(1) }
        _ = try NodeHarness(disk: single.disk)
    }
}
