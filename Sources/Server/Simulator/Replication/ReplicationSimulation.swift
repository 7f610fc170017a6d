// A cluster of brokers that replicate partitions, under faults of network, disk, clock and process,
// from one seed: first a phase in which anything may happen and nothing may be lost, then healing,
// after which every partition has a leader and all replicas come to be equal. Logs, journals,
// replicas and the controller's decisions are the real ones; the metadata quorum is a store that is
// always right and answers late.

import Base
import Log
import Quorum
import Replica

/// Runs a cluster of one to nine brokers from one seed.
package func simulateReplication(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = ReplicationSimulation(seed: seed, options: options)
    return simulation.run()
}

struct ReplicationSimulation {
    enum Event {
        case give(Int, process: Int, SimulatedBroker.Event)
        case deliver(ReplicaMessage, Bytes?, to: Int)
        case start(Int)
        case resume(Int)
        case toController(ControllerRequest)
        case setMinInSync(topic: Int, Int)
        case apply(ClusterCommand, from: (broker: Int, process: Int, PartitionProposal)?)
        case controllerTick
        case produce(Int)
        case produceTimeout(Int, attempt: Int)
        case produceAnswer(Int, attempt: Int, number: Int, isAccepted: Bool)
        case consume(Int)
        case fetchAnswer(Int, attempt: Int, SimulatedFetchAnswer?)
        case fault(ReplicationFault)
        case leave(Int, process: Int)
        case heal
        case quiet
    }

    static let eventCountMax = 3_000_000

    let options: SimulationOptions
    let swarm: ReplicationSwarm
    var result: SimulationResult
    var brokers: [SimulatedBroker] = []
    var queue = EventQueue<Event>()
    var time: Int64 = 1_000_000_000
    var network: Random
    var diskTimes: Random
    var faults: Random
    var load: Random
    var shape: Random
    /// `blocked[a][b]`: nothing goes from a to b; the controller is behind the last broker.
    var blocked: [[Bool]]
    var isHealed = false
    var isQuiet = false
    var checker = ReplicationChecker()
    var trace = TraceHash()

    // The controller and what it knows to be true.
    var image = MetadataImage()
    var applied: Int64 = 0
    var controller: Controller
    var controllerClock: DriftingClock
    var reviewsOpen = 0
    var topicsMade = false
    /// The names of the partitions in the order of the checker.
    var names: [TopicPartition] = []
    var keys: [PartitionKey] = []

    // Clients.
    var producers: [ReplicationProducer] = []
    var consumers: [ReplicationConsumer] = []
    var tokens: [UInt64: PendingAppend] = [:]
    var lastToken: UInt64 = 0

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed)
        var swarmShape = random.fork()
        swarm = ReplicationSwarm(&swarmShape)
        network = random.fork()
        diskTimes = random.fork()
        faults = random.fork()
        load = random.fork()
        shape = random.fork()
        blocked = Array(
            repeating: Array(repeating: false, count: swarm.brokers + 1), count: swarm.brokers + 1)
        var settings = Controller.Settings()
        settings.sessionTimeout = .milliseconds(swarm.sessionTimeout)
        settings.balanceInterval = .milliseconds(swarm.balanceEvery)
        settings.imbalancePercent = 0
        controller = Controller(settings: settings)
        controllerClock = DriftingClock(origin: 5_000_000_000, at: time)
        for index in 0..<swarm.brokers {
            let disk = SimulatedDisk(random: random.fork(), sectorBytes: swarm.sectorBytes)
            brokers.append(
                SimulatedBroker(
                    id: NodeID(Int32(index + 1)), disk: disk,
                    directory: UUID128(high: 3, low: UInt64(index + 1)),
                    clock: DriftingClock(
                        origin: Int64(shape.below(1_000_000_000_000)), at: time)))
        }
        for (topic, plan) in swarm.topics.enumerated() {
            for partition in 0..<plan.partitions {
                names.append(TopicPartition(topic: "t\(topic)", partition: Int32(partition)))
                keys.append(
                    PartitionKey(
                        topic: UUID128(high: 9, low: UInt64(topic + 1)),
                        partition: Int32(partition)))
                checker.add(names[names.count - 1], brokers: swarm.brokers)
            }
        }
        makeClients()
    }

    var controllerPlace: Int { swarm.brokers }
    /// A leader may have committed what it can't read any more: then a follower tells.
    var hasDamage: Bool { brokers.contains(where: \.isDamaged) }

    // MARK: Run

    mutating func run() -> SimulationResult {
        narrate(swarm.summary)
        controller.begin(image, now: controllerClock.instant(at: time))
        setClocks()
        for index in brokers.indices { start(index) }
        queue.schedule(.controllerTick, at: time + 10_000_000)
        for index in producers.indices { queue.schedule(.produce(index), at: time + 50_000_000) }
        for index in consumers.indices { queue.schedule(.consume(index), at: time + 60_000_000) }
        scheduleFaults()
        let chaos = time + Int64(options.eventCount) * 30_000_000
        queue.schedule(.heal, at: chaos)
        let work = Int64(swarm.sessionTimeout) * 3_000_000 + 6_000_000_000
        queue.schedule(.quiet, at: chaos + work)
        let end = chaos + work + 5_000_000_000
        while checker.anomaly == nil, let next = queue.next(), next.time <= end {
            time = next.time
            result.events += 1
            if result.events > Self.eventCountMax { checker.fail("a storm of events") }
            handle(next.event)
        }
        if checker.anomaly == nil { checkLiveness() }
        if let anomaly = checker.anomaly { result.anomalies = [anomaly] }
        result.simulatedNanoseconds = time - 1_000_000_000
        for broker in brokers {
            trace.mix(broker.disk.trace.value)
            result.failedSyncs += broker.disk.failedSyncs
        }
        trace.mix(result.acknowledged)
        result.traceHash = trace.value
        return result
    }

    func narrate(_ text: @autoclosure () -> String) {
        options.narrate?("replication at \(time / 1000) us: \(text())")
    }

    private mutating func handle(_ event: Event) {
        trace.mix(time)
        switch event {
        case .give(let index, let process, let event):
            if brokers[index].process == process { give(index, event) }
        case .deliver(let message, let bytes, let index): deliver(message, bytes, to: index)
        case .start(let index): start(index)
        case .resume(let index): resume(index)
        case .toController(let request): controllerReceives(request)
        case .setMinInSync(let topic, let value): setMinInSync(topic, value)
        case .apply(let command, let origin): apply(command, from: origin)
        case .controllerTick: controllerTick()
        case .produce(let index): produce(index)
        case .produceTimeout(let index, let attempt): produceTimedOut(index, attempt)
        case .produceAnswer(let index, let attempt, let number, let isAccepted):
            produceAnswered(index, attempt, number, isAccepted)
        case .consume(let index): consume(index)
        case .fetchAnswer(let index, let attempt, let answer): fetched(index, attempt, answer)
        case .fault(let fault): strike(fault)
        case .leave(let index, let process):
            guard brokers[index].process == process, brokers[index].store != nil else { return }
            narrate("broker \(index + 1) leaves")
            end(index)
            brokers[index].disk.killProcess()
            queue.schedule(.start(index), at: time + Int64(faults.within(5...500)) * 1_000_000)
        case .heal:
            narrate("everything is healed")
            isHealed = true
            heal()
        case .quiet: isQuiet = true
        }
    }

    private mutating func deliver(_ message: ReplicaMessage, _ bytes: Bytes?, to index: Int) {
        guard brokers[index].manager != nil else { return }
        guard let bytes else { return give(index, .message(message)) }
        do throws(DecodeFailure) {
            let decoded = try ReplicaMessage(bytes)
            if decoded != message { checker.fail("a message changes on the wire") }
            give(index, .message(decoded))
        } catch {
            checker.fail("a message cannot be read: \(error)")
        }
    }

    func now(_ index: Int) -> Now {
        Now(
            monotonic: brokers[index].clock.instant(at: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    mutating func latency() -> Int64 { Int64(network.within(swarm.latency)) }

    // MARK: A broker

    mutating func start(_ index: Int) {
        guard brokers[index].store == nil else { return }
        let disk = brokers[index].disk
        disk.now = now(index).timestamp
        disk.faults.syncFailureOneIn = isHealed ? 0 : swarm.syncFailureOneIn
        disk.narrate = options.narrate.map { narrate in
            let time = time
            return { narrate("replication after \(time / 1000) us: broker \(index + 1) \($0)") }
        }
        var configuration = swarm.store
        configuration.storeIdentity = brokers[index].directory.high << 32 | UInt64(index + 1)
        brokers[index].process += 1
        brokers[index].isPaused = false
        brokers[index].wantsToLeave = false
        brokers[index].backlog = []
        brokers[index].openSyncs = []
        brokers[index].image = MetadataImage()
        brokers[index].applied = 0
        brokers[index].incarnation = UUID128(
            high: UInt64(index + 1), low: UInt64(brokers[index].process))
        do throws(StorageFailure) {
            let (store, report) = try LogStore.open(
                disk: disk, configuration: configuration, now: now(index))
            narrate(
                "broker \(index + 1) starts as process \(brokers[index].process): "
                    + "\(report.journalFrames) frames, cut \(report.cutBytes) bytes, damaged "
                    + "\(report.damaged)")
            if !report.damaged.isEmpty, !brokers[index].isDamaged {
                return checker.fail(
                    "broker \(index + 1) takes sound bytes for damage: \(report.damaged[0])")
            }
            brokers[index].store = store
            brokers[index].manager = ReplicaManager(
                node: brokers[index].id, settings: swarm.replica)
            checker.started(index, store)
            for partition in names.indices {
                if let state = state(partition) { checker.check(partition, state, brokers) }
            }
            schedule(.tick, to: index, after: 1_000_000)
            schedule(.maintain, to: index, after: 2_000_000)
            schedule(.heartbeat, to: index, after: 1_000_000)
        } catch {
            narrate("broker \(index + 1) cannot start: \(error)")
            result.crashes += 1
            if case .system = error {
            } else {
                checker.fail("broker \(index + 1) cannot start: \(error)")
            }
            disk.killProcess()
            queue.schedule(.start(index), at: time + 100_000_000)
        }
    }

    mutating func schedule(_ event: SimulatedBroker.Event, to index: Int, after delay: Int64) {
        queue.schedule(
            .give(index, process: brokers[index].process, event), at: time + delay)
    }

    /// The process ends; what its disk keeps is decided by the caller.
    mutating func end(_ index: Int) {
        brokers[index].store = nil
        brokers[index].manager = nil
        brokers[index].process += 1
        result.crashes += 1
    }

    mutating func give(_ index: Int, _ event: SimulatedBroker.Event) {
        guard brokers[index].store != nil else { return }
        if brokers[index].isPaused {
            if brokers[index].backlog.count < 2000 { brokers[index].backlog.append(event) }
            return
        }
        guard var store = brokers[index].store, var manager = brokers[index].manager else {
            return
        }
        brokers[index].store = nil
        brokers[index].manager = nil
        brokers[index].disk.now = now(index).timestamp
        let effects = handle(event, index, &store, &manager)
        brokers[index].store = store
        brokers[index].manager = manager
        settle(index, effects)
    }

    /// Carries out what a broker wants, unless it has died meanwhile.
    private mutating func settle(_ index: Int, _ effects: [ReplicaEffect]) {
        let disk = brokers[index].disk
        if disk.isDead { return crash(index, "dies in a call to its disk") }
        if let reason = brokers[index].store?.haltReason {
            guard disk.failedSyncs > 0 else {
                return checker.fail("broker \(index + 1) halts: \(reason)")
            }
            return crash(index, "halts: \(reason.message)")
        }
        observe(index)
        perform(effects, of: index)
        pump(index)
        if let reason = brokers[index].store?.haltReason, disk.isDead {
            return crash(index, "halts: \(reason.message)")
        }
    }

    mutating func crash(_ index: Int, _ reason: String) {
        narrate("broker \(index + 1) \(reason)")
        end(index)
        if faults.chance(1, in: 2) {
            brokers[index].disk.losePower()
            result.powerLosses += 1
        } else {
            brokers[index].disk.killProcess()
        }
        queue.schedule(.start(index), at: time + Int64(faults.within(10...1500)) * 1_000_000)
    }

    /// What can be seen from outside after each event.
    private mutating func observe(_ index: Int) {
        guard var store = brokers[index].store, let manager = brokers[index].manager else { return }
        brokers[index].store = nil
        let life = ReplicationChecker.Life(broker: index, process: brokers[index].process)
        for (place, name) in names.enumerated() {
            guard let offsets = store.offsets(of: name) else { continue }
            let leader = manager.leader(of: name)
            if let leader, leader.isEstablished { checker.serves(place, leader.epoch, life) }
            let mark = offsets.highWatermark.value
            let before = checker.end(place)
            checker.advanced(
                place, index, to: mark, isLeader: leader?.isEstablished == true || hasDamage,
                &store,
                brokers[index].disk)
            if checker.end(place) > before, let state = state(place) {
                brokers[index].store = store
                checker.check(place, state, brokers)
                brokers[index].store = nil
            }
        }
        if result.events % 16 == 0 {
            manager.checkInvariants(store: store)
            store.checkInvariants()
        }
        brokers[index].store = store
    }

    func state(_ partition: Int) -> PartitionState? {
        guard let topic = image.topic(id: keys[partition].topic) else { return nil }
        return image.state(of: topic, keys[partition].partition)
    }

    private mutating func resume(_ index: Int) {
        guard brokers[index].isPaused else { return }
        brokers[index].isPaused = false
        let backlog = brokers[index].backlog
        brokers[index].backlog = []
        for event in backlog { give(index, event) }
    }

    /// Starts the syncs that may be open, as the driver does after every event.
    private mutating func pump(_ index: Int) {
        while let request = brokers[index].store?.beginSync() {
            guard let flush = brokers[index].disk.beginFlush(request.file) else { return }
            brokers[index].openSyncs.append((request, flush))
            var delay = Int64(diskTimes.within(swarm.syncLatency))
            if swarm.stalls, !isHealed, diskTimes.chance(1, in: 150) {
                delay += Int64(diskTimes.below(1_500_000_000))
            }
            schedule(.syncDone(request.ticket), to: index, after: delay)
        }
    }

    // MARK: Effects

    private mutating func perform(_ effects: [ReplicaEffect], of index: Int) {
        for effect in effects {
            switch effect {
            case .send(let message): send(message, from: index)
            case .propose(let proposal):
                narrate("broker \(index + 1) proposes \(proposal)")
                guard let epoch = brokers[index].manager?.brokerEpoch else { continue }
                askController(
                    .partition(proposal, brokerEpoch: epoch), from: index)
            case .acknowledge(let token): acknowledge(token, by: index)
            case .fail(let token, let refusal): refuse(token, refusal)
            case .advance(let name, let mark):
                narrate("broker \(index + 1): \(name) is committed up to \(mark)")
            case .report(let text): narrate("broker \(index + 1) says: \(text)")
            }
        }
    }

    private mutating func send(_ message: ReplicaMessage, from index: Int) {
        let target = Int(message.to.value) - 1
        guard brokers.indices.contains(target), !blocked[index][target] else { return }
        // Messages get lost to the end, so that the last ones have to be sent again.
        if !isQuiet, network.below(1_000_000) < swarm.drops { return }
        var copies = 1
        if !isQuiet, network.below(1_000_000) < swarm.duplicates { copies = 2 }
        let bytes = swarm.encodes ? message.encoded() : nil
        for _ in 0..<copies {
            queue.schedule(
                .deliver(message, bytes, to: target), at: time + latency() + straggle())
        }
    }

    mutating func straggle() -> Int64 {
        guard !isQuiet, network.below(1_000_000) < swarm.stragglers else { return 0 }
        return Int64(network.below(2_000_000_000))
    }

    // MARK: The end

    /// What a leader and its followers know, for whoever looks for a reason.
    private func tell(_ name: TopicPartition, _ leader: NodeID) {
        guard let leader = brokers[Int(leader.value) - 1].manager?.leader(of: name) else { return }
        narrate("\(name): \(leader)")
        for follower in leader.followers {
            let broker = brokers[Int(follower.node.value) - 1]
            narrate(
                "\(String(describing: broker.manager?.follower(of: name))), offsets "
                    + "\(String(describing: broker.store?.offsets(of: name))), "
                    + "registration \(String(describing: broker.manager?.brokerEpoch))")
        }
    }

    private mutating func checkLiveness() {
        for (index, name) in names.enumerated() {
            guard let state = state(index) else {
                return checker.fail("\(name) was never made")
            }
            guard let leader = state.leader else {
                return checker.fail("\(name) has no leader after healing: \(state)")
            }
            guard brokers[Int(leader.value) - 1].manager?.leader(of: name)?.isServing == true
            else { return checker.fail("\(name) is not served by its leader after healing") }
            if Set(state.inSync) != Set(state.replicas) {
                tell(name, leader)
                return checker.fail("\(name) has not all in sync after healing: \(state)")
            }
            var stores = brokers.map(\.store)
            checker.finish(
                index, &stores, replicas: state.replicas.map { Int($0.value) - 1 },
                isRotten: brokers.map(\.isRotten))
        }
        // With the first records the log forgets who wrote them: a repetition of what was
        // acknowledged may then be in nobody's order.
        let forgets = swarm.deleteEvery > 0 || swarm.partition.retentionBytes >= 0
        for (index, producer) in producers.enumerated()
        where !producer.model.inFlight.isEmpty && !(forgets && producer.model.isIdempotent) {
            return checker.fail("producer \(index) still waits for an answer after healing")
        }
        for (index, consumer) in consumers.enumerated() {
            let end = checker.end(consumer.partition)
            if consumer.offset < end {
                return checker.fail(
                    "consumer \(index) is at \(consumer.offset) of \(names[consumer.partition]) after "
                        + "healing, \(end) is committed")
            }
        }
    }
}
