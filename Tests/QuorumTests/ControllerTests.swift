import Base
import Quorum
import Testing

@Suite struct ControllerTests {
    private let topic = UUID128(high: 1, low: 1)

    private func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    /// The image and the place of what was applied last.
    private struct Machine {
        var image = MetadataImage()
        var applied: Int64 = 0
    }

    @discardableResult
    private func apply(_ command: ClusterCommand, to machine: inout Machine) throws
        -> ClusterOutcome
    {
        #expect(try ClusterCommand(command.encoded()) == command)
        machine.applied += 1
        let decision = machine.image.decide(command, at: machine.applied)
        for record in decision.records { machine.image.apply(record) }
        machine.image.checkInvariants()
        return decision.outcome
    }

    private func registration(_ id: NodeID, directory: UInt64 = 0, rack: String? = nil)
        -> BrokerRegistration
    {
        BrokerRegistration(
            id: id, incarnation: UUID128(high: UInt64(id.value), low: directory + 1),
            directory: UUID128(high: UInt64(id.value), low: directory), rack: rack, endpoints: [])
    }

    /// Brokers 1 to `count`, alive, and one topic with one partition on all of them.
    private func cluster(_ count: Int32, minInSync: Int? = nil) throws -> Machine {
        var machine = Machine()
        let ids = (1...count).map { NodeID($0) }
        for id in ids {
            try apply(.register(registration(id)), to: &machine)
            try apply(.unfence(id, epoch: machine.applied), to: &machine)
        }
        machine.applied += 1
        machine.image.apply(.partition(topic: topic, 0, PartitionState(new: ids)))
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

    private func fence(_ id: NodeID, _ machine: inout Machine) throws {
        let epoch = try #require(machine.image.brokers[id]?.epoch)
        try apply(.fence(id, epoch: epoch), to: &machine)
    }

    private func settle(_ machine: inout Machine) throws {
        var controller = Controller()
        controller.begin(machine.image, now: at(0))
        for command in controller.review(machine.image, now: at(1)) {
            #expect(try apply(command, to: &machine) == .done)
        }
    }

    // MARK: Elections

    @Test func `the next replica in sync leads when the leader is fenced`() throws {
        var machine = try cluster(3)
        try fence(1, &machine)
        try settle(&machine)
        let after = try state(machine)
        #expect(after.leader == 2 && after.inSync == [2, 3] && after.eligible == [])
        #expect(after.leaderEpoch == 1)
    }

    @Test func `who leaves a set that becomes too small stays eligible`() throws {
        var machine = try cluster(3, minInSync: 2)
        try fence(1, &machine)
        try settle(&machine)
        try fence(2, &machine)
        try settle(&machine)
        // 1 left when there were enough without it: it may lack something.
        #expect(try state(machine).eligible == [2])
        try fence(3, &machine)
        try settle(&machine)
        let dark = try state(machine)
        #expect(dark.leader == nil && dark.inSync == [] && dark.eligible == [2, 3])
        let one = try #require(machine.image.brokers[1]?.epoch)
        try apply(.unfence(1, epoch: one), to: &machine)
        try settle(&machine)
        #expect(try state(machine).leader == nil)
        let two = try #require(machine.image.brokers[2]?.epoch)
        try apply(.unfence(2, epoch: two), to: &machine)
        try settle(&machine)
        let lit = try state(machine)
        #expect(lit.leader == 2 && lit.inSync == [2] && lit.eligible == [3])
    }

    @Test func `the only one in sync is waited for`() throws {
        var machine = try cluster(2, minInSync: 1)
        try fence(2, &machine)
        try settle(&machine)
        try fence(1, &machine)
        try settle(&machine)
        let two = try #require(machine.image.brokers[2]?.epoch)
        try apply(.unfence(2, epoch: two), to: &machine)
        try settle(&machine)
        let after = try state(machine)
        #expect(after.leader == nil && after.eligible == [1])
    }

    @Test func `an unclean leader is only made when nobody leads`() throws {
        var machine = try cluster(2, minInSync: 1)
        func elect(_ expected: Int32, _ leader: NodeID) -> ClusterCommand {
            .electUncleanly(topic: topic, partition: 0, expected: expected, leader: leader)
        }
        #expect(try apply(elect(0, 2), to: &machine) == .refused(.invalidReplicas))
        try fence(2, &machine)
        try settle(&machine)
        try fence(1, &machine)
        try settle(&machine)
        let dark = try state(machine)
        #expect(dark.leader == nil && dark.eligible == [1])
        #expect(
            try apply(elect(0, 2), to: &machine)
                == .refused(.stalePartitionEpoch(current: dark.partitionEpoch)))
        #expect(
            try apply(elect(dark.partitionEpoch, 9), to: &machine) == .refused(.invalidReplicas))
        #expect(try apply(elect(dark.partitionEpoch, 2), to: &machine) == .done)
        let lit = try state(machine)
        #expect(lit.leader == 2 && lit.inSync == [2] && lit.eligible == [])
        #expect(lit.leaderEpoch > dark.leaderEpoch)
    }

    @Test func `who wants to leave leads nothing when another can`() throws {
        var machine = try cluster(3)
        var controller = Controller()
        controller.begin(machine.image, now: at(0))
        let epoch = try #require(machine.image.brokers[1]?.epoch)
        let wish = BrokerHeartbeat(
            node: 1, epoch: epoch, applied: machine.applied, wantsToLeave: true)
        #expect(!controller.heartbeat(wish, machine.image, now: at(1)).answer.mayLeave)
        for command in controller.review(machine.image, now: at(2)) {
            try apply(command, to: &machine)
        }
        #expect(try state(machine).leader == 2)
        let (answer, commands) = controller.heartbeat(wish, machine.image, now: at(3))
        #expect(answer.mayLeave && commands == [.fence(1, epoch: epoch)])
    }

    // MARK: Brokers

    @Test func `a silent broker is fenced and gets no lease while that is on its way`() throws {
        let machine = try cluster(2)
        var controller = Controller()
        controller.begin(machine.image, now: at(0))
        let (one, two) = (
            try #require(machine.image.brokers[1]?.epoch),
            try #require(machine.image.brokers[2]?.epoch)
        )
        _ = controller.heartbeat(
            BrokerHeartbeat(node: 2, epoch: two, applied: 0), machine.image, now: at(8000))
        #expect(controller.review(machine.image, now: at(8999)) == [])
        #expect(controller.review(machine.image, now: at(9000)) == [.fence(1, epoch: one)])
        let late = controller.heartbeat(
            BrokerHeartbeat(node: 1, epoch: one, applied: 0), machine.image, now: at(9001))
        #expect(late.answer.isFenced)
    }

    @Test func `another disk counts nowhere before it is registered`() throws {
        var machine = try cluster(1)
        var controller = Controller()
        controller.begin(machine.image, now: at(0))
        let fresh = registration(1, directory: 7)
        #expect(controller.register(fresh, machine.image, now: at(0)).commands == [])
        try fence(1, &machine)
        #expect(try apply(.register(fresh), to: &machine) == .refused(.foreignDisk))
        let first = controller.register(fresh, machine.image, now: at(1))
        #expect(!first.isComplete)
        for command in first.commands { #expect(try apply(command, to: &machine) == .done) }
        #expect(try !state(machine).inSync.contains(1) && !state(machine).eligible.contains(1))
        let second = controller.register(fresh, machine.image, now: at(2))
        #expect(second.isComplete && second.commands == [.register(fresh)])
        guard case .registered = try apply(.register(fresh), to: &machine) else {
            Issue.record("the broker is not registered")
            return
        }
    }

    // MARK: In-sync sets

    @Test func `a change of the in-sync set names the state and the lives it was made from`() throws
    {
        var machine = try cluster(3)
        try apply(
            .changePartition(
                topic: topic, partition: 0, expected: 0, inSync: [1, 2], eligible: [], leader: 1,
                raisesEpoch: false), to: &machine)
        let controller = Controller()
        let (one, three) = (
            try #require(machine.image.brokers[1]?.epoch),
            try #require(machine.image.brokers[3]?.epoch)
        )
        func ask(_ expected: Int32, _ joining: Int64) -> Result<ClusterCommand, ClusterRefusal> {
            controller.decide(
                PartitionRequest(
                    topic: topic, partition: 0, from: 1, brokerEpoch: one, leaderEpoch: 0,
                    partitionEpoch: expected,
                    change: .inSync([1, 2, 3], joining: [.init(node: 3, epoch: joining)])),
                machine.image)
        }
        #expect(ask(0, three) == .failure(.stalePartitionEpoch(current: 1)))
        #expect(ask(1, three - 1) == .failure(.invalidReplicas))
        guard case .success(let command) = ask(1, three) else {
            Issue.record("a good change is refused")
            return
        }
        #expect(try apply(command, to: &machine) == .done)
        #expect(try state(machine).inSync == [1, 2, 3])
        try fence(3, &machine)
        try settle(&machine)
        #expect(ask(3, three) == .failure(.invalidReplicas))
    }

    @Test func `a damaged replica counts no more, even as the last one`() throws {
        var machine = try cluster(1)
        let epoch = try #require(machine.image.brokers[1]?.epoch)
        let command = try Controller().decide(
            PartitionRequest(
                topic: topic, partition: 0, from: 1, brokerEpoch: epoch, leaderEpoch: 0,
                partitionEpoch: 0, change: .damaged), machine.image
        ).get()
        #expect(try apply(command, to: &machine) == .done)
        let after = try state(machine)
        #expect(after.leader == nil && after.inSync == [] && after.eligible == [])
    }

    // MARK: Placement

    @Test func `replicas are spread over racks and brokers`() throws {
        var machine = Machine()
        for id in 1...6 {
            let node = NodeID(Int32(id))
            try apply(.register(registration(node, rack: "r\(id % 3)")), to: &machine)
            try apply(.unfence(node, epoch: machine.applied), to: &machine)
        }
        var placement = ReplicaPlacement(machine.image)
        let lists = try placement.place(count: 12, factor: 3)
        for list in lists { #expect(Set(list.map { $0.value % 3 }).count == 3) }
        for id in 1...6 {
            #expect(lists.count { $0.first == NodeID(Int32(id)) } == 2)
            #expect(lists.count { $0.contains(NodeID(Int32(id))) } == 6)
        }
        #expect(throws: ReplicaPlacement.Failure.self) {
            try placement.place(count: 1, factor: 7)
        }
    }

    @Test func `leaderships go back to the first replicas`() throws {
        var machine = try cluster(2)
        try apply(
            .changePartition(
                topic: topic, partition: 0, expected: 0, inSync: [1, 2], eligible: [], leader: 2,
                raisesEpoch: false), to: &machine)
        let commands = Controller().balance(machine.image)
        #expect(commands.count == 1)
        for command in commands { try apply(command, to: &machine) }
        #expect(try state(machine).leader == 1)
    }
}
