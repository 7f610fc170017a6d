import Base
import Quorum

/// What goes wrong in the simulation of the quorum.
enum QuorumFault: CaseIterable {
    case partition, kill, powerLoss, allPowerLoss, crashInCall, pause, clock, wipe
}

extension QuorumSimulation {
    private func mean(_ fault: QuorumFault) -> Int {
        switch fault {
        case .partition: swarm.partitionEvery
        case .kill: swarm.killEvery
        case .powerLoss: swarm.powerLossEvery
        case .allPowerLoss: swarm.allPowerLossEvery
        case .crashInCall: swarm.crashInCallEvery
        case .pause: swarm.pauseEvery
        case .clock: swarm.clockEvery
        case .wipe: swarm.wipeEvery
        }
    }

    mutating func scheduleFaults() {
        for fault in QuorumFault.allCases where mean(fault) > 0 { scheduleNext(fault) }
    }

    private mutating func scheduleNext(_ fault: QuorumFault) {
        queue.schedule(.fault(fault), at: time + every(faults.within(1...(2 * mean(fault)))))
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Int64 {
        Int64(faults.within(range)) * 1_000_000
    }

    /// A member whose process runs.
    private mutating func victim() -> Int? {
        let index = faults.below(members.count)
        return members[index].replica == nil ? nil : index
    }

    mutating func strike(_ fault: QuorumFault) {
        guard !isHealed else { return }
        scheduleNext(fault)
        switch fault {
        case .partition: partition()
        case .kill:
            guard let index = victim() else { return }
            narrate("node \(index + 1) is killed")
            end(index)
            members[index].disk.killProcess()
            restart(index)
        case .powerLoss:
            guard let index = victim() else { return }
            losePower(index)
            restart(index)
        case .allPowerLoss:
            narrate("everybody loses power")
            for index in members.indices {
                losePower(index)
                restart(index)
            }
        case .crashInCall:
            guard let index = victim() else { return }
            members[index].disk.crashAtOperation =
                members[index].disk.operations + faults.within(1...30)
        case .pause:
            guard let index = victim() else { return }
            narrate("node \(index + 1) is paused")
            members[index].isPaused = true
            queue.schedule(.resume(index), at: time + milliseconds(20...4000))
        case .clock:
            let index = faults.below(members.count)
            let jump = faults.chance(1, in: 2) ? milliseconds(1...20_000) : 0
            let rate = [0, 100_000, 500_000, 1_000_000, 1_000_000, 2_000_000, 5_000_000]
            members[index].setClock(
                rate: Int64(rate[faults.below(rate.count)]), jump: jump, at: time)
            narrate("the clock of node \(index + 1) jumps by \(jump)")
            give(index, .tick)
        case .wipe:
            let index = faults.below(members.count)
            guard !members.contains(where: \.isDamaged), index < swarm.voters else { return }
            narrate("node \(index + 1) gets an empty disk")
            if members[index].replica != nil { end(index) }
            replaceDisk(index)
            restart(index)
        }
    }

    private mutating func losePower(_ index: Int) {
        narrate("node \(index + 1) loses power")
        if members[index].replica != nil { end(index) }
        members[index].process += 1
        members[index].disk.losePower()
        result.powerLosses += 1
    }

    private mutating func restart(_ index: Int) {
        if swarm.rotPercent > 0, faults.below(100) < swarm.rotPercent { damage(index) }
        queue.schedule(.start(index), at: time + milliseconds(5...3000))
    }

    /// Flips a bit of what is durable and known to be, where all others are sound.
    private mutating func damage(_ index: Int) {
        guard !members.contains(where: \.isDamaged), let marked = members[index].markedEnd else {
            return
        }
        let found = members[index].disk.files(below: "quorum").filter { path, file in
            path == marked.path || path.contains("/snapshot-") || path.hasSuffix("/state")
                || path.hasSuffix("/identity")
        }
        guard !found.isEmpty else { return }
        let (path, file) = found[faults.below(found.count)]
        let limit = path == marked.path ? Int(marked.position) : Int(file.size)
        guard limit > 0 else { return }
        let position = faults.below(limit)
        narrate("a bit of \(path) of node \(index + 1) flips at \(position)")
        file.flip(bit: faults.below(8), at: position)
        members[index].isDamaged = true
        result.damagedPartitions += 1
    }

    // MARK: The network

    private mutating func partition() {
        checkIsolated()
        let count = members.count
        for from in 0..<count { for to in 0..<count { blocked[from][to] = false } }
        guard count > 1 else { return }
        let one = faults.below(count)
        let other = (one + faults.within(1...(count - 1))) % count
        switch faults.below(8) {
        case 0, 1: narrate("the network is whole")
        case 2:
            narrate("node \(one + 1) is alone")
            for index in 0..<count where index != one {
                blocked[one][index] = true
                blocked[index][one] = true
            }
            noteIsolated(one)
        case 3:
            var sides: [Bool] = []
            for _ in 0..<count { sides.append(faults.chance(1, in: 2)) }
            narrate("the network is in two: \(sides)")
            for from in 0..<count {
                for to in 0..<count where sides[from] != sides[to] { blocked[from][to] = true }
            }
        case 4:
            narrate("nothing goes from node \(one + 1) to node \(other + 1)")
            blocked[one][other] = true
        case 5:
            narrate("node \(one + 1) hears nobody")
            for index in 0..<count where index != one { blocked[index][one] = true }
            noteIsolated(one)
        case 6:
            narrate("nobody hears node \(one + 1)")
            for index in 0..<count where index != one { blocked[one][index] = true }
        default:
            narrate("everybody reaches only neighbours")
            for from in 0..<count {
                for to in 0..<count {
                    let distance = (to - from + count) % count
                    blocked[from][to] = distance > 1 && distance < count - 1
                }
            }
        }
    }

    private mutating func noteIsolated(_ index: Int) {
        guard let core = members[index].replica?.core, swarm.voters >= 2,
            swarm.membershipEvery == 0, !swarm.clocksAreWild
        else { return }
        isolated = (index, time, members[index].process, core.term)
    }

    /// Who hears nobody leads no longer, and raises no term by asking again and again.
    private mutating func checkIsolated() {
        guard let (index, since, process, term) = isolated else { return }
        isolated = nil
        let timeout = swarm.raft.electionTimeout.wholeNanoseconds
        // Stragglers from before could still arrive.
        guard members[index].process == process, swarm.pauseEvery == 0, swarm.stragglers == 0,
            time - since > 4 * timeout + 200_000_000,
            let core = members[index].replica?.core
        else { return }
        if core.isLeader { checker.fail("node \(index + 1) hears nobody and leads") }
        if core.term > term.next {
            checker.fail("node \(index + 1) hears nobody and raises its term to \(core.term)")
        }
    }

    /// The rate of the clock of a member within what leases allow.
    mutating func setClock(_ index: Int) {
        let drift = Int(swarm.raft.clockDriftPerMillion)
        members[index].setClock(
            rate: Int64(1_000_000 - drift + faults.below(2 * drift + 1)), jump: 0, at: time)
    }

    mutating func heal() {
        checkIsolated()
        for from in members.indices {
            for to in members.indices { blocked[from][to] = false }
        }
        for index in members.indices {
            members[index].disk.faults.syncFailureOneIn = 0
            members[index].disk.crashAtOperation = nil
            if swarm.clocksAreWild {
                setClock(index)
                give(index, .tick)
            }
            if members[index].isPaused { queue.schedule(.resume(index), at: time) }
            if members[index].replica == nil {
                queue.schedule(.start(index), at: time + milliseconds(5...200))
            }
        }
    }
}
