import Base
import Log
import Quorum
import Replica

/// What goes wrong in the simulation of replication.
enum ReplicationFault: CaseIterable {
    case partition, kill, powerLoss, allPowerLoss, crashInCall, pause, clock, controller, wipe,
        leave, delete, config
}

extension ReplicationSimulation {
    private func mean(_ fault: ReplicationFault) -> Int {
        switch fault {
        case .partition: swarm.partitionEvery
        case .kill: swarm.killEvery
        case .powerLoss: swarm.powerLossEvery
        case .allPowerLoss: swarm.allPowerLossEvery
        case .crashInCall: swarm.crashInCallEvery
        case .pause: swarm.pauseEvery
        case .clock: swarm.clockEvery
        case .controller: swarm.controllerEvery
        case .wipe: swarm.wipeEvery
        case .leave: swarm.leaveEvery
        case .delete: swarm.deleteEvery
        case .config: swarm.configEvery
        }
    }

    mutating func scheduleFaults() {
        for fault in ReplicationFault.allCases where mean(fault) > 0 { scheduleNext(fault) }
    }

    private mutating func scheduleNext(_ fault: ReplicationFault) {
        queue.schedule(
            .fault(fault), at: time + Int64(faults.within(1...(2 * mean(fault)))) * 1_000_000)
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Int64 {
        Int64(faults.within(range)) * 1_000_000
    }

    /// A broker whose process runs.
    private mutating func victim() -> Int? {
        let index = faults.below(brokers.count)
        return brokers[index].store == nil ? nil : index
    }

    mutating func setClocks() {
        for index in brokers.indices { setClock(index) }
        controllerClock.set(rate: rate(), at: time)
    }

    private mutating func rate() -> Int64 {
        Int64(1_000_000 - swarm.drift + faults.below(2 * swarm.drift + 1))
    }

    private mutating func setClock(_ index: Int) {
        brokers[index].clock.set(rate: rate(), at: time)
    }

    mutating func strike(_ fault: ReplicationFault) {
        guard !isHealed else { return }
        scheduleNext(fault)
        switch fault {
        case .partition: partition()
        case .kill:
            guard let index = victim() else { return }
            narrate("broker \(index + 1) is killed")
            end(index)
            brokers[index].disk.killProcess()
            restart(index)
        case .powerLoss:
            guard let index = victim() else { return }
            losePower(index)
            restart(index)
        case .allPowerLoss:
            narrate("everybody loses power")
            for index in brokers.indices {
                losePower(index)
                restart(index)
            }
        case .crashInCall:
            guard let index = victim() else { return }
            brokers[index].disk.crashAtOperation =
                brokers[index].disk.operations + faults.within(1...60)
        case .pause:
            guard let index = victim() else { return }
            narrate("broker \(index + 1) is paused")
            brokers[index].isPaused = true
            queue.schedule(.resume(index), at: time + milliseconds(20...3000))
        case .clock:
            if faults.chance(1, in: 4) {
                controllerClock.set(rate: rate(), at: time)
            } else {
                setClock(faults.below(brokers.count))
            }
        case .controller:
            narrate("another controller takes over")
            controller.begin(image, now: controllerClock.instant(at: time))
        case .wipe: wipe()
        case .leave:
            guard let index = victim() else { return }
            narrate("broker \(index + 1) wants to leave")
            brokers[index].wantsToLeave = true
            queue.schedule(
                .leave(index, process: brokers[index].process),
                at: time + milliseconds(500...3000))
        case .config: changeConfig()
        case .delete:
            let partition = faults.below(names.count)
            guard let leader = state(partition)?.leader else { return }
            let before = checker.end(partition) - Int64(faults.below(20))
            guard before > 0 else { return }
            schedule(
                .deleteRecords(partition, before: before), to: Int(leader.value) - 1,
                after: latency())
        }
    }

    /// The number of replicas that have to be in sync changes while everything runs.
    private mutating func changeConfig() {
        let topic = faults.below(swarm.topics.count)
        let value = faults.within(1...swarm.topics[topic].factor)
        narrate("t\(topic) needs \(value) in sync")
        queue.schedule(.setMinInSync(topic: topic, value), at: time + milliseconds(1...5))
    }

    private mutating func losePower(_ index: Int) {
        narrate("broker \(index + 1) loses power")
        if brokers[index].store != nil { end(index) }
        brokers[index].process += 1
        brokers[index].disk.losePower()
        result.powerLosses += 1
    }

    private mutating func restart(_ index: Int) {
        if swarm.rotPercent > 0, faults.below(100) < swarm.rotPercent { damage(index) }
        queue.schedule(.start(index), at: time + milliseconds(5...2000))
    }

    /// Whether every record is on some other broker, as the controller knows it, too.
    private func canMiss(_ index: Int) -> Bool {
        guard topicsMade, !brokers.contains(where: \.isDamaged) else { return false }
        return names.indices.allSatisfy { place in
            guard let state = state(place) else { return false }
            return state.inSync.count + state.eligible.count >= 2
                || !(state.inSync + state.eligible).contains(brokers[index].id)
        }
    }

    /// A new and empty disk takes the place of the old one.
    private mutating func wipe() {
        let index = faults.below(brokers.count)
        guard canMiss(index) else { return }
        narrate("broker \(index + 1) gets an empty disk")
        if brokers[index].store != nil { end(index) }
        brokers[index].process += 1
        brokers[index].disk = SimulatedDisk(
            random: shape.fork(), sectorBytes: swarm.sectorBytes)
        brokers[index].directory.high += 1
        brokers[index].isDamaged = true
        result.damagedPartitions += 1
        forgetProposals(of: index)
        queue.schedule(.start(index), at: time + milliseconds(5...1000))
    }

    /// What a broker has asked the controller for and lost its disk before it was decided.
    private mutating func forgetProposals(of index: Int) {
        queue.removeAll { event in
            switch event {
            case .toController(let request): request.broker == index
            case .apply(_, let origin): origin?.broker == index
            default: false
            }
        }
    }

    /// Flips a bit of a log, or loses its end, where all others are sound.
    private mutating func damage(_ index: Int) {
        guard canMiss(index) else { return }
        let found = brokers[index].disk.files().filter { path, file in
            path.hasSuffix(".log") && file.size > 100
        }
        guard !found.isEmpty else { return }
        let (path, file) = found[faults.below(found.count)]
        forgetProposals(of: index)
        brokers[index].isDamaged = true
        brokers[index].isRotten = true
        result.damagedPartitions += 1
        if faults.chance(1, in: 3) {
            let count = faults.below(Int(file.size))
            narrate("\(path) of broker \(index + 1) is cut to \(count) bytes")
            file.shorten(to: count)
        } else {
            let position = faults.below(Int(file.size))
            narrate("a bit of \(path) of broker \(index + 1) flips at \(position)")
            file.flip(bit: faults.below(8), at: position)
        }
    }

    private mutating func partition() {
        let count = blocked.count
        for from in 0..<count { for to in 0..<count { blocked[from][to] = false } }
        let one = faults.below(count)
        let other = (one + faults.within(1...(count - 1))) % count
        switch faults.below(8) {
        case 0, 1: narrate("the network is whole")
        case 2:
            narrate("place \(one + 1) is alone")
            for index in 0..<count where index != one {
                blocked[one][index] = true
                blocked[index][one] = true
            }
        case 3:
            var sides: [Bool] = []
            for _ in 0..<count { sides.append(faults.chance(1, in: 2)) }
            narrate("the network is in two: \(sides)")
            for from in 0..<count {
                for to in 0..<count where sides[from] != sides[to] { blocked[from][to] = true }
            }
        case 4:
            narrate("nothing goes from \(one + 1) to \(other + 1)")
            blocked[one][other] = true
        case 5:
            narrate("place \(one + 1) hears nobody")
            for index in 0..<count where index != one { blocked[index][one] = true }
        case 6:
            narrate("nobody hears place \(one + 1)")
            for index in 0..<count where index != one { blocked[one][index] = true }
        default:
            narrate("the controller does not reach \(one + 1), nor it the controller")
            blocked[one][count - 1] = true
            blocked[count - 1][one] = true
        }
    }

    mutating func heal() {
        for from in blocked.indices {
            for to in blocked.indices { blocked[from][to] = false }
        }
        for index in brokers.indices {
            brokers[index].disk.faults.syncFailureOneIn = 0
            brokers[index].disk.crashAtOperation = nil
            if brokers[index].isPaused { queue.schedule(.resume(index), at: time) }
            if brokers[index].store == nil {
                queue.schedule(.start(index), at: time + milliseconds(5...200))
            }
        }
    }
}
