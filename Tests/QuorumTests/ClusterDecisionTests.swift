import Base
import Quorum
import Testing

@Suite struct ClusterDecisionTests {
    /// A controller's image and the entries that make it.
    private struct Machine {
        var image = MetadataImage()
        var entries: [Bytes] = []

        mutating func apply(_ command: ClusterCommand) throws -> ClusterOutcome {
            let decision = image.decide(command, at: Int64(entries.count + 1))
            if case .refused = decision.outcome { #expect(decision.records.isEmpty) }
            try apply(decision.records)
            return decision.outcome
        }

        mutating func apply(_ records: [MetadataRecord]) throws {
            let entry = MetadataEntry.encoded(records)
            #expect(try MetadataEntry.records(entry) == records)
            entries.append(entry)
            for record in records { image.apply(record) }
            image.checkInvariants()
        }

        mutating func create(_ topic: UInt64, _ replicas: [[NodeID]]) throws {
            let id = ClusterDecisionTests.id(topic)
            try apply(
                replicas.enumerated().map {
                    .partition(topic: id, Int32($0.offset), PartitionState(new: $0.element))
                } + [
                    .topic(
                        TopicMetadata(
                            id: id, name: "t\(topic)", partitionCount: Int32(replicas.count)))
                ])
        }

        func state(_ topic: UInt64, _ partition: Int32 = 0) -> PartitionState? {
            image.state(of: TopicPartition(topic: "t\(topic)", partition: partition))
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

    @Test func `another disk with replicas keeps its number`() throws {
        var machine = try machine()
        try machine.create(50, [[1]])
        #expect(
            try machine.apply(.register(Self.registration(1, 7, disk: 8)))
                == .refused(.foreignDisk))
        #expect(try machine.apply(.unregister(1)) == .refused(.holdsReplicas))
        try machine.apply([.topicRemoved(Self.id(50))])
        #expect(try machine.apply(.unregister(1)) == .done)
    }

    // MARK: Elections

    private func living() throws -> Machine {
        var machine = try machine()
        for id in 1...3 { _ = try machine.apply(.unfence(NodeID(Int32(id)), epoch: Int64(id))) }
        return machine
    }

    @Test func `the only replica leads again when its broker is back, in a later epoch`() throws {
        var machine = try living()
        try machine.create(50, [[2]])
        _ = try machine.apply(.fence(2, epoch: 2))
        #expect(machine.state(50)?.leader == nil)
        #expect(machine.state(50)?.inSync == [])
        #expect(machine.state(50)?.eligible == [2], "it has everything that was acknowledged")
        let again = try machine.apply(.register(Self.registration(2, 5)))
        guard case .registered(let epoch) = again else { return #expect(Bool(false)) }
        #expect(machine.state(50)?.leader == nil)
        _ = try machine.apply(.unfence(2, epoch: epoch))
        #expect(machine.state(50)?.leader == 2)
        #expect(machine.state(50)?.leaderEpoch == 2)
    }

    @Test func `a broker that starts again ends its leaderships`() throws {
        var machine = try living()
        try machine.create(50, [[2], [1, 2]])
        _ = try machine.apply(.register(Self.registration(2, 5)))
        #expect(machine.state(50, 0)?.leader == nil)
        #expect(machine.state(50, 1)?.leader == 1)
        #expect(machine.state(50, 1)?.inSync == [1])
        #expect(machine.image.isAlive(2) == false)
    }

    @Test func `an in-sync replica leads when the leader goes, never one that lacks something`()
        throws
    {
        var machine = try living()
        try machine.create(50, [[1, 2, 3]])
        _ = try machine.apply(
            .changePartition(
                topic: Self.id(50), partition: 0, expected: 0, inSync: [1, 3], eligible: [],
                leader: 1, raisesEpoch: false))
        _ = try machine.apply(.fence(1, epoch: 1))
        #expect(machine.state(50)?.leader == 3)
        #expect(machine.state(50)?.inSync == [3])
        #expect(machine.state(50)?.eligible == [1], "below two, it has all that was acknowledged")
        _ = try machine.apply(.fence(3, epoch: 3))
        #expect(machine.state(50)?.leader == nil, "node 2 is alive and lacks records")
        _ = try machine.apply(.unfence(1, epoch: 1))
        #expect(machine.state(50)?.leader == 1)
    }

    @Test func `partitions are spread over the living brokers`() throws {
        var machine = try living()
        var placement = ReplicaPlacement(machine.image)
        let all = try placement.place(count: 7, factor: 1)
        for id: NodeID in [1, 2, 3] {
            let count = all.count { $0 == [id] }
            #expect(count == 2 || count == 3)
        }
        try machine.create(50, all)
        _ = try machine.apply(.fence(3, epoch: 3))
        placement = ReplicaPlacement(machine.image)
        let pairs = try placement.place(count: 20, factor: 2)
        #expect(pairs.allSatisfy { Set($0) == [1, 2] })
        let triples = try placement.place(count: 4, factor: 3)
        #expect(
            triples.allSatisfy { $0.last == 3 }, "who is not there gets a replica and leads nothing"
        )
        #expect(throws: ReplicaPlacement.Failure.self) {
            try placement.place(count: 1, factor: 4)
        }
        _ = try machine.apply(.fence(1, epoch: 1))
        _ = try machine.apply(.fence(2, epoch: 2))
        placement = ReplicaPlacement(machine.image)
        #expect(throws: ReplicaPlacement.Failure.self) {
            try placement.place(count: 1, factor: 1)
        }
    }

    @Test func `a partition changes only from the state that was meant`() throws {
        var machine = try machine()
        let topic = Self.id(50)
        try machine.create(50, [[1, 2, 3]])
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
        let state = try #require(machine.state(50))
        #expect(state.leader == 2 && state.leaderEpoch == 1 && state.partitionEpoch == 3)
        #expect(try machine.apply(change(3, [2], [], 2, raises: true)) == .done)
        #expect(machine.state(50)?.leaderEpoch == 2)
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
        switch random.below(9) {
        case 0: return .register(Self.registration(node().value, UInt64(random.below(3))))
        case 1: return .fence(node(), epoch: Int64(random.below(20)))
        case 2: return .unfence(node(), epoch: Int64(random.below(20)))
        case 3 where random.chance(1, in: 8): return .unregister(node())
        case 4, 3:
            return .changePartition(
                topic: topic, partition: Int32(random.below(3)), expected: Int32(random.below(4)),
                inSync: nodes(), eligible: random.chance(1, in: 3) ? nodes() : [],
                leader: random.chance(1, in: 4) ? nil : node(),
                raisesEpoch: random.chance(1, in: 2))
        case 5:
            return .reserveProducerIDs(
                node(), epoch: Int64(random.below(9)), count: Int32(random.within(-1...2000)))
        case 6:
            return .putSlot(
                table: topic, version: Int64(random.below(12)),
                content: Bytes(utf8: "c\(random.below(3))"))
        case 7: return .trimSlots(table: topic, below: Int64(random.below(8)))
        default: return .setFeature("f\(random.below(2))", level: Int16(random.below(4)))
        }
    }

    @Test func `a snapshot anywhere and the rest of the log give the same image`() throws {
        var random = Random(seed: 3)
        for _ in 0..<60 {
            var machine = Machine()
            let cut = random.within(0...150)
            var copy = MetadataImage()
            var applied = 0
            for step in 0..<150 {
                if step == cut {
                    copy = MetadataImage(
                        try MetadataEntry.records(MetadataEntry.encoded(machine.image.records)))
                    applied = machine.entries.count
                }
                guard random.chance(1, in: 8) else {
                    _ = try machine.apply(randomCommand(&random))
                    continue
                }
                let topic = UInt64(50 + random.below(6))
                if random.chance(1, in: 3) {
                    try machine.apply([.topicRemoved(Self.id(topic))])
                } else if machine.image.topic("t\(topic)") == nil {
                    try machine.create(topic, [[1, 2], [2, 3, 4]])
                }
            }
            for entry in machine.entries.dropFirst(applied) {
                for record in try MetadataEntry.records(entry) { copy.apply(record) }
            }
            #expect(copy.records == machine.image.records)
        }
    }

    @Test func `commands, outcomes and entries survive the wire, and cut ones are refused`() throws
    {
        var random = Random(seed: 8)
        var machine = try machine()
        for _ in 0..<300 {
            let command = randomCommand(&random)
            let bytes = command.encoded()
            #expect(try ClusterCommand(bytes) == command)
            for count in 0..<bytes.count {
                #expect(throws: DecodeFailure.self) { try ClusterCommand(bytes[0..<count]) }
            }
            let outcome = try machine.apply(command)
            let answer = outcome.encoded()
            #expect(try ClusterOutcome(answer) == outcome)
            for count in 0..<answer.count {
                #expect(throws: DecodeFailure.self) { try ClusterOutcome(answer[0..<count]) }
            }
        }
        try machine.create(70, [[1], [2, 3]])
        let bytes = MetadataEntry.encoded(machine.image.records)
        for count in 0..<bytes.count {
            #expect(throws: DecodeFailure.self) { try MetadataEntry.records(bytes[0..<count]) }
        }
        for _ in 0..<5000 {
            var damaged = bytes.array
            damaged[random.below(damaged.count)] ^= 1 << UInt8(random.below(8))
            guard let records = try? MetadataEntry.records(Bytes(damaged)) else { continue }
            MetadataImage(records).checkInvariants()
        }
    }
}
