import Base
import Quorum
import Testing

@Suite struct ReassignmentTests {
    private let topic = UUID128(high: 6, low: 50)

    /// The controller's image, with what it decides applied.
    private struct Machine {
        var image = MetadataImage()
        var applied: Int64 = 0

        @discardableResult
        mutating func apply(_ command: ClusterCommand) throws -> ClusterOutcome {
            #expect(try ClusterCommand(command.encoded()) == command)
            applied += 1
            let decision = image.decide(command, at: applied)
            for record in decision.records {
                let (key, value) = record.encoded()
                #expect(try MetadataRecord(key: key, value: value) == record)
                image.apply(record)
            }
            image.checkInvariants()
            return decision.outcome
        }
    }

    /// Brokers 1 to `brokers`, alive, and a topic with one partition.
    private func cluster(
        _ brokers: Int32, replicas: [NodeID], minInSync: Int? = nil
    ) throws -> Machine {
        var machine = Machine()
        for id in (1...brokers).map({ NodeID($0) }) {
            try machine.apply(
                .register(
                    BrokerRegistration(
                        id: id, incarnation: UUID128(high: UInt64(id.value), low: 1),
                        directory: UUID128(high: UInt64(id.value), low: 0), rack: nil,
                        endpoints: [])))
            try machine.apply(.unfence(id, epoch: machine.applied))
        }
        machine.image.apply(.partition(topic: topic, 0, PartitionState(new: replicas)))
        machine.image.apply(
            .topic(
                TopicMetadata(
                    id: topic, name: "t", partitionCount: 1,
                    settings: minInSync.map { ["min.insync.replicas": "\($0)"] } ?? [:])))
        return machine
    }

    private func state(_ machine: Machine) throws -> PartitionState {
        try #require(machine.image.state(of: TopicPartition(topic: "t", partition: 0)))
    }

    @discardableResult
    private func move(_ machine: inout Machine, to replicas: [NodeID]?) throws -> ClusterOutcome {
        let expected = try state(machine).partitionEpoch
        return try machine.apply(
            .reassign(topic: topic, partition: 0, expected: expected, replicas: replicas))
    }

    private func inSync(_ machine: inout Machine, _ nodes: [NodeID]) throws {
        let state = try state(machine)
        #expect(
            try machine.apply(
                .changePartition(
                    topic: topic, partition: 0, expected: state.partitionEpoch, inSync: nodes,
                    eligible: state.eligible, leader: state.leader, raisesEpoch: false)) == .done)
    }

    private func fence(_ machine: inout Machine, _ id: NodeID) throws {
        let epoch = try #require(machine.image.brokers[id]?.epoch)
        try machine.apply(.fence(id, epoch: epoch))
    }

    @Test func `the old replicas go when all new ones are in sync, in the same entry`() throws {
        var machine = try cluster(5, replicas: [1, 2, 3])
        #expect(try move(&machine, to: [4, 5, 3]) == .done)
        let begun = try state(machine)
        #expect(begun.replicas == [4, 5, 3, 1, 2])
        #expect(begun.adding == [4, 5] && begun.removing == [1, 2])
        #expect(begun.leader == 1 && begun.inSync == [1, 2, 3] && begun.leaderEpoch == 0)
        #expect(!begun.isUnderReplicated, "nobody that it counts on is missing")
        try inSync(&machine, [1, 2, 3, 4])
        #expect(try state(machine).isMoving)
        try inSync(&machine, [1, 2, 3, 4, 5])
        let ended = try state(machine)
        #expect(ended.replicas == [4, 5, 3] && Set(ended.inSync) == [3, 4, 5])
        #expect(ended.leader == 4 && ended.leaderEpoch == 1)
        #expect(!ended.isMoving && ended.adding == [] && ended.removing == [])
    }

    @Test func `a leader that stays begins another epoch when a replica goes`() throws {
        var machine = try cluster(4, replicas: [1, 2])
        try move(&machine, to: [4, 1])
        try inSync(&machine, [1, 2, 4])
        let ended = try state(machine)
        #expect(ended.replicas == [4, 1] && ended.leader == 1 && ended.leaderEpoch == 1)
        // What came and goes again before it was in sync, too.
        try move(&machine, to: [4, 1, 3])
        #expect(try state(machine).leaderEpoch == 1, "nobody has gone")
        try move(&machine, to: nil)
        #expect(try state(machine).leaderEpoch == 2)
    }

    @Test func `another order is there at once, and so are fewer replicas`() throws {
        var machine = try cluster(3, replicas: [1, 2, 3])
        try move(&machine, to: [3, 1, 2])
        #expect(try state(machine).replicas == [3, 1, 2])
        #expect(try !state(machine).isMoving && state(machine).leader == 1)
        try move(&machine, to: [2])
        let few = try state(machine)
        #expect(few.replicas == [2] && few.inSync == [2] && few.leader == 2)
        #expect(few.leaderEpoch == 1)
    }

    @Test func `fewer replicas wait for one that has everything`() throws {
        var machine = try cluster(3, replicas: [1, 2, 3], minInSync: 1)
        try inSync(&machine, [1, 2])
        try move(&machine, to: [3])
        let begun = try state(machine)
        #expect(begun.replicas == [3, 1, 2] && begun.leader == 1)
        try inSync(&machine, [1, 2, 3])
        #expect(try state(machine).replicas == [3])
    }

    @Test func `while copies are made nobody waits for more of them than before`() throws {
        var machine = try cluster(3, replicas: [1])
        let topic = try #require(machine.image.topic("t"))
        try move(&machine, to: [1, 2, 3])
        #expect(machine.image.minInSync(of: topic, try state(machine)) == 1)
        try inSync(&machine, [1, 2, 3])
        #expect(machine.image.minInSync(of: topic, try state(machine)) == 2)
    }

    @Test func `a move that is taken back leaves the partition where it was`() throws {
        var machine = try cluster(5, replicas: [1, 2])
        #expect(try move(&machine, to: nil) == .refused(.notMoving))
        try move(&machine, to: [4, 5])
        try inSync(&machine, [1, 2, 4])
        #expect(try move(&machine, to: nil) == .done)
        let after = try state(machine)
        #expect(Set(after.replicas) == [1, 2] && after.inSync == [1, 2] && after.leader == 1)
        #expect(!after.isMoving)
    }

    @Test func `a leader that came with the move gives way when it is taken back`() throws {
        var machine = try cluster(5, replicas: [1, 2])
        try move(&machine, to: [4, 5])
        try inSync(&machine, [1, 2, 4])
        let now = try state(machine)
        try machine.apply(
            .changePartition(
                topic: topic, partition: 0, expected: now.partitionEpoch, inSync: now.inSync,
                eligible: [], leader: 4, raisesEpoch: false))
        try move(&machine, to: nil)
        let after = try state(machine)
        #expect(after.leader == 1 && after.leaderEpoch == 2)
    }

    @Test func `the only one that has everything is not given up`() throws {
        var machine = try cluster(4, replicas: [1, 2])
        try move(&machine, to: [4])
        #expect(try state(machine).isMoving)
        // The old ones are lost before the new one has come; then it is the other way round.
        try fence(&machine, 1)
        try fence(&machine, 2)
        #expect(try state(machine).leader == nil)
        #expect(try move(&machine, to: [3]) == .done, "it waits for those that have everything")
        #expect(try state(machine).eligible == [2])

        machine = try cluster(4, replicas: [1], minInSync: 1)
        try move(&machine, to: [4, 3])
        try inSync(&machine, [1, 4])
        try fence(&machine, 1)
        #expect(try state(machine).inSync == [4])
        #expect(try move(&machine, to: nil) == .refused(.invalidReplicas))
        #expect(try state(machine).inSync == [4])
    }

    @Test func `another target while a move is under way begins from where the partition was`()
        throws
    {
        var machine = try cluster(6, replicas: [1, 2])
        try move(&machine, to: [3, 4])
        try inSync(&machine, [1, 2, 3])
        try move(&machine, to: [5, 2])
        let turned = try state(machine)
        #expect(turned.replicas == [5, 2, 1] && turned.adding == [5] && turned.removing == [1])
        #expect(turned.inSync == [1, 2], "3 is given up")
        let epoch = turned.partitionEpoch
        try move(&machine, to: [5, 2])
        #expect(try state(machine).partitionEpoch == epoch, "it is under way already")
    }

    @Test func `impossible targets and old states are refused`() throws {
        var machine = try cluster(3, replicas: [1, 2])
        for target: [NodeID] in [[], [1, 1], [1, 9]] {
            #expect(try move(&machine, to: target) == .refused(.invalidReplicas))
        }
        #expect(
            try machine.apply(
                .reassign(topic: topic, partition: 0, expected: 7, replicas: [3]))
                == .refused(.stalePartitionEpoch(current: 0)))
        #expect(
            try machine.apply(
                .reassign(topic: topic, partition: 1, expected: 0, replicas: [3]))
                == .refused(.unknownPartition))
    }

    // MARK: Plans

    private func candidates(_ ids: [Int32], racks: [Int32: String] = [:])
        -> [ReplicaPlacement.Candidate]
    {
        ids.map { .init(id: NodeID($0), isAlive: true, rack: racks[$0]) }
    }

    private func places(_ replicas: [[NodeID]]) -> [ReplicaMoves.Place] {
        replicas.enumerated().map {
            .init(topic: "t", partition: Int32($0.offset), replicas: $0.element)
        }
    }

    private func loads(_ places: [ReplicaMoves.Place]) -> [NodeID: Int] {
        var loads: [NodeID: Int] = [:]
        for place in places {
            #expect(Set(place.replicas).count == place.replicas.count)
            for replica in place.replicas { loads[replica, default: 0] += 1 }
        }
        return loads
    }

    private func after(
        _ moves: ReplicaMoves, _ places: [ReplicaMoves.Place]
    ) -> [ReplicaMoves.Place] {
        places.map { place in moves.moves.first { $0.partition == place.partition } ?? place }
    }

    @Test func `a new broker gets its share, and no more than that moves`() {
        let old = places(
            (0..<12).map { turn in (0..<3).map { NodeID((Int32(turn) + $0) % 3 + 1) } })
        var plan = ReplicaMoves(brokers: candidates([1, 2, 3, 4]), places: old)
        plan.level()
        #expect(loads(after(plan, old)) == [1: 9, 2: 9, 3: 9, 4: 9])
        #expect(plan.moves.count == 9)
    }

    @Test func `levelling gives no rack up`() {
        let racks: [Int32: String] = [1: "a", 2: "a", 3: "b", 4: "b"]
        let old = places((0..<8).map { _ in [1, 3] })
        var plan = ReplicaMoves(brokers: candidates([1, 2, 3, 4], racks: racks), places: old)
        plan.level()
        let new = after(plan, old)
        #expect(loads(new) == [1: 4, 2: 4, 3: 4, 4: 4])
        for place in new {
            #expect(Set(place.replicas.map { racks[$0.value] ?? "" }) == ["a", "b"])
        }
    }

    @Test func `a broker is emptied evenly, or it is said what can't leave it`() {
        let old = places((0..<6).map { turn in [2, NodeID(Int32(turn) % 2 == 0 ? 1 : 3)] })
        var plan = ReplicaMoves(brokers: candidates([1, 3, 4]), places: old)
        let left = plan.empty(2)
        #expect(left == [])
        let new = loads(after(plan, old))
        #expect(new[2] == nil && new.values.max() == 4 && new.values.min() == 4)

        let full = places([[1, 2, 3]])
        plan = ReplicaMoves(brokers: candidates([1, 3]), places: full)
        let stuck = plan.empty(2)
        #expect(stuck == full && plan.moves == [])
    }

    @Test func `the number of replicas changes at the end of the list`() {
        let old = places([[1], [2]])
        var plan = ReplicaMoves(brokers: candidates([1, 2, 3]), places: old)
        let isEnough = plan.resize(old, to: 2)
        #expect(isEnough)
        #expect(plan.moves.map(\.replicas.first) == [1, 2])
        #expect(loads(after(plan, old)).values.max() == 2)
        let isTooMuch = !plan.resize(after(plan, old), to: 4)
        #expect(isTooMuch)
        plan = ReplicaMoves(brokers: candidates([1, 2, 3]), places: places([[3, 1, 2]]))
        _ = plan.resize(places([[3, 1, 2]]), to: 1)
        #expect(plan.moves.map(\.replicas) == [[3]])
    }
}
