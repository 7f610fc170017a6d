import Base
import Quorum
import Testing

@Suite struct ClusterImageTests {
    /// An image and the log that makes it.
    private struct Machine {
        var image = ClusterImage()
        var entries: [RaftEntry] = []

        mutating func apply(_ command: ClusterCommand) throws -> ClusterOutcome? {
            let entry = RaftEntry(
                index: image.applied.next, term: 1, kind: .command, payload: command.encoded())
            entries.append(entry)
            let outcome = try image.apply(entry)
            image.checkInvariants()
            return outcome
        }
    }

    private static func id(_ low: UInt64) -> UUID128 { UUID128(high: 6, low: low) }

    private static func registration(_ id: Int32, _ incarnation: UInt64 = 1, disk: UInt64 = 1)
        -> BrokerRegistration
    {
        BrokerRegistration(
            id: NodeID(id), incarnation: Self.id(incarnation), directory: Self.id(disk),
            rack: id == 1 ? "a" : nil,
            endpoints: [.init(listener: "PLAINTEXT", host: "host\(id)", port: 9092)])
    }

    private func machine(brokers: Int32 = 3) throws -> Machine {
        var machine = Machine()
        for id in 1...brokers { _ = try machine.apply(.register(Self.registration(id))) }
        return machine
    }

    @Test func `a broker's epoch is the place of its registration`() throws {
        var machine = try machine()
        #expect(try machine.apply(.register(Self.registration(2))) == .registered(epoch: 2))
        #expect(try machine.apply(.unfence(2, epoch: 2)) == .done)
        #expect(machine.image.brokers[2]?.isFenced == false)
        // The same disk, started again: the old epoch is over, and it is fenced.
        #expect(
            try machine.apply(.register(Self.registration(2, 9))) == .registered(epoch: 6))
        #expect(
            try machine.apply(.unfence(2, epoch: 2)) == .refused(.staleBrokerEpoch(current: 6)))
        #expect(machine.image.brokers[2]?.isFenced == true)
    }

    @Test func `another disk under the number of a living broker is refused`() throws {
        var machine = try machine()
        _ = try machine.apply(.unfence(1, epoch: 1))
        let other = Self.registration(1, 7, disk: 8)
        #expect(try machine.apply(.register(other)) == .refused(.duplicateBroker))
        _ = try machine.apply(.fence(1, epoch: 1))
        #expect(try machine.apply(.register(other)) == .registered(epoch: 7))
    }

    @Test func `a topic has its name to itself, and replicas that exist`() throws {
        var machine = try machine()
        let create = ClusterCommand.createTopic(
            Self.id(50), name: "t", replicas: [[1, 2], [2, 3]])
        #expect(try machine.apply(create) == .done)
        #expect(try machine.apply(create) == .refused(.topicExists))
        #expect(
            try machine.apply(.createTopic(Self.id(51), name: "t", replicas: [[1]]))
                == .refused(.topicExists))
        for bad: [[NodeID]] in [[[1, 1]], [[9]], [[]]] {
            #expect(
                try machine.apply(.createTopic(Self.id(52), name: "u", replicas: bad))
                    == .refused(.invalidReplicas))
        }
        #expect(machine.image.topic(named: "t")?.partitions.map(\.leader) == [1, 2])
        #expect(try machine.apply(.addPartitions(Self.id(50), replicas: [[3]])) == .done)
        #expect(machine.image.topic(named: "t")?.partitions.count == 3)
        #expect(try machine.apply(.deleteTopic(Self.id(50))) == .done)
        #expect(machine.image.topic(named: "t") == nil)
        #expect(try machine.apply(.deleteTopic(Self.id(50))) == .refused(.unknownTopic))
    }

    @Test func `a partition changes only from the state that was meant`() throws {
        var machine = try machine()
        let topic = Self.id(50)
        _ = try machine.apply(.createTopic(topic, name: "t", replicas: [[1, 2, 3]]))
        func change(
            _ expected: Int32, _ inSync: [NodeID], _ eligible: [NodeID], _ leader: NodeID?,
            raises: Bool = false
        ) -> ClusterCommand {
            .changePartition(
                topic: topic, partition: 0, expected: expected, inSync: inSync,
                eligible: eligible, leader: leader, raisesEpoch: raises)
        }
        #expect(try machine.apply(change(0, [1, 2], [], 1)) == .done)
        #expect(
            try machine.apply(change(0, [1, 3], [], 1))
                == .refused(.stalePartitionEpoch(current: 1)))
        #expect(try machine.apply(change(1, [1], [2], 1)) == .done)
        // Node 3 left the in-sync set and is not eligible: it lacks what was acknowledged.
        #expect(try machine.apply(change(2, [3], [], 3)) == .refused(.invalidReplicas))
        #expect(try machine.apply(change(2, [2], [], 2)) == .done)
        let state = try #require(machine.image.topics[topic]?.partitions[0])
        #expect(state.leader == 2 && state.leaderEpoch == 1 && state.partitionEpoch == 3)
        #expect(try machine.apply(change(3, [2], [], 2, raises: true)) == .done)
        #expect(machine.image.topics[topic]?.partitions[0].leaderEpoch == 2)
        #expect(try machine.apply(change(4, [9], [], nil)) == .refused(.invalidReplicas))
        #expect(try machine.apply(change(4, [2], [2], 2)) == .refused(.invalidReplicas))
    }

    @Test func `producer ids are given out once`() throws {
        var machine = try machine()
        #expect(
            try machine.apply(.reserveProducerIDs(1, epoch: 1, count: 1000))
                == .producerIDs(first: 0, count: 1000))
        #expect(
            try machine.apply(.reserveProducerIDs(2, epoch: 2, count: 1000))
                == .producerIDs(first: 1000, count: 1000))
        #expect(
            try machine.apply(.reserveProducerIDs(2, epoch: 1, count: 1000))
                == .refused(.staleBrokerEpoch(current: 2)))
        #expect(
            try machine.apply(.reserveProducerIDs(2, epoch: 2, count: -1)) == .refused(.invalid))
    }

    @Test func `a slot belongs to who names it first`() throws {
        var machine = try machine()
        let table = Self.id(80)
        func put(_ version: Int64, _ text: String) -> ClusterCommand {
            .putSlot(table: table, version: version, content: Bytes(utf8: text))
        }
        #expect(try machine.apply(put(4, "a")) == .done)
        #expect(try machine.apply(put(4, "b")) == .taken(Bytes(utf8: "a")))
        #expect(try machine.apply(put(4, "a")) == .done, "the answer was lost, not the slot")
        #expect(try machine.apply(.trimSlots(table: table, below: 5)) == .done)
        #expect(try machine.apply(put(4, "b")) == .refused(.slotTrimmed))
        #expect(try machine.apply(put(5, "b")) == .done)
        #expect(machine.image.slots[table]?.contents.count == 1)
    }

    @Test func `feature levels do not go back`() throws {
        var machine = try machine()
        #expect(try machine.apply(.setFeature("weir.version", level: 2)) == .done)
        #expect(
            try machine.apply(.setFeature("weir.version", level: 1))
                == .refused(.featureLowered(current: 2)))
    }

    // MARK: Determinism and bytes

    private func randomCommand(_ random: inout Random) -> ClusterCommand {
        func node() -> NodeID { NodeID(Int32(random.within(1...5))) }
        func nodes() -> [NodeID] { (0..<random.within(1...3)).map { _ in node() } }
        let topic = Self.id(UInt64(50 + random.below(6)))
        switch random.below(13) {
        case 0: return .register(Self.registration(node().value, UInt64(random.below(3))))
        case 1: return .fence(node(), epoch: Int64(random.below(20)))
        case 2: return .unfence(node(), epoch: Int64(random.below(20)))
        case 3 where random.chance(1, in: 8): return .unregister(node())
        case 4, 3:
            return .createTopic(topic, name: "t\(random.below(6))", replicas: [nodes(), nodes()])
        case 5 where random.chance(1, in: 4): return .deleteTopic(topic)
        case 6: return .addPartitions(topic, replicas: [nodes()])
        case 7, 5:
            return .changePartition(
                topic: topic, partition: Int32(random.below(3)), expected: Int32(random.below(4)),
                inSync: nodes(), eligible: random.chance(1, in: 3) ? nodes() : [],
                leader: random.chance(1, in: 4) ? nil : node(),
                raisesEpoch: random.chance(1, in: 2))
        case 8:
            return .setConfig(
                kind: 2, resource: "t\(random.below(4))", name: "retention.ms",
                value: random.chance(1, in: 3) ? nil : "\(random.below(100))")
        case 9:
            return .reserveProducerIDs(
                node(), epoch: Int64(random.below(9)), count: Int32(random.within(-1...2000)))
        case 10:
            return .putSlot(
                table: topic, version: Int64(random.below(12)),
                content: Bytes(utf8: "c\(random.below(3))"))
        case 11: return .trimSlots(table: topic, below: Int64(random.below(8)))
        default: return .setFeature("f\(random.below(2))", level: Int16(random.below(4)))
        }
    }

    @Test func `a snapshot anywhere and the rest of the log give the same image and outcomes`()
        throws
    {
        var random = Random(seed: 3)
        for _ in 0..<60 {
            var machine = Machine()
            var outcomes: [ClusterOutcome?] = []
            var commands = 0
            let cut = random.within(0...150)
            var copy: ClusterImage?
            while commands < 150 {
                if commands == cut { copy = try ClusterImage(machine.image.encoded()) }
                outcomes.append(try machine.apply(randomCommand(&random)))
                commands += 1
            }
            var other = copy ?? machine.image
            for (place, entry) in machine.entries.enumerated() where place >= cut {
                #expect(try other.apply(entry) == outcomes[place])
            }
            #expect(other == machine.image)
            #expect(other.encoded() == machine.image.encoded())
        }
    }

    @Test func `commands and images survive the wire, and cut ones are refused`() throws {
        var random = Random(seed: 8)
        for _ in 0..<300 {
            let command = randomCommand(&random)
            let bytes = command.encoded()
            #expect(try ClusterCommand(bytes) == command)
            for count in 0..<bytes.count {
                #expect(throws: DecodeFailure.self) { try ClusterCommand(bytes[0..<count]) }
            }
        }
        var machine = try machine()
        for _ in 0..<60 { _ = try machine.apply(randomCommand(&random)) }
        let bytes = machine.image.encoded()
        for count in 0..<bytes.count {
            #expect(throws: DecodeFailure.self) { try ClusterImage(bytes[0..<count]) }
        }
        for _ in 0..<5000 {
            var damaged = bytes.array
            damaged[random.below(damaged.count)] ^= 1 << UInt8(random.below(8))
            guard let image = try? ClusterImage(Bytes(damaged)) else { continue }
            image.checkInvariants()
        }
    }
}
