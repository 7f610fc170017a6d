import Base
import Log
import Node

/// What goes wrong in the simulation of whole nodes.
enum ClusterFault: CaseIterable {
    case kill, powerLoss, allPowerLoss, crashInCall, freeze, cut, stop, clock
}

extension ClusterSimulation {
    private func mean(_ fault: ClusterFault) -> Int {
        switch fault {
        case .kill: swarm.killEvery
        case .powerLoss: swarm.powerLossEvery
        case .allPowerLoss: swarm.allPowerLossEvery
        case .crashInCall: swarm.crashInCallEvery
        case .freeze: swarm.freezeEvery
        case .cut: swarm.cutEvery
        case .stop: swarm.stopEvery
        case .clock: swarm.clockEvery
        }
    }

    mutating func scheduleFaults() {
        for fault in ClusterFault.allCases where mean(fault) > 0 { scheduleNext(fault) }
    }

    private mutating func scheduleNext(_ fault: ClusterFault) {
        queue.schedule(
            .fault(fault), at: time + Int64(faults.within(1...(2 * mean(fault)))) * 1_000_000)
    }

    private mutating func milliseconds(_ range: ClosedRange<Int>) -> Int64 {
        Int64(faults.within(range)) * 1_000_000
    }

    /// A node whose process runs.
    private mutating func victim() -> Int? {
        let index = faults.below(nodes.count)
        return nodes[index].node == nil ? nil : index
    }

    mutating func strike(_ fault: ClusterFault) {
        guard !isHealed else { return }
        scheduleNext(fault)
        switch fault {
        case .kill:
            guard let index = victim() else { return }
            narrate("node \(index + 1) is killed")
            end(index)
            nodes[index].disk.killProcess()
            restart(index)
        case .powerLoss:
            guard let index = victim() else { return }
            losePower(index)
            restart(index)
        case .allPowerLoss:
            narrate("everybody loses power")
            for index in nodes.indices where nodes[index].node != nil {
                losePower(index)
                restart(index)
            }
        case .crashInCall:
            guard let index = victim() else { return }
            nodes[index].disk.crashAtOperation =
                nodes[index].disk.operations + faults.within(1...100)
        case .freeze:
            guard let index = victim() else { return }
            let duration = milliseconds(20...5000)
            narrate("node \(index + 1) stands still for \(duration / 1_000_000) ms")
            nodes[index].frozenUntil = time + duration
        case .cut: cut()
        case .stop:
            guard let index = victim() else { return }
            narrate("node \(index + 1) is asked to stop")
            queue.schedule(
                .node(index, process: nodes[index].process, .leave), at: time)
        case .clock: setClock(faults.below(nodes.count))
        }
    }

    private mutating func losePower(_ index: Int) {
        narrate("node \(index + 1) loses power")
        end(index, silently: true)
        nodes[index].disk.losePower()
        result.powerLosses += 1
    }

    /// Nothing goes between some nodes for a while, in one direction or in both. Some connections end.
    private mutating func cut() {
        guard nodes.count > 1 else { return }
        let one = faults.below(nodes.count)
        let other = (one + faults.within(1...(nodes.count - 1))) % nodes.count
        let until = time + milliseconds(50...6000)
        var ways: [(Int, Int)] = []
        switch faults.below(5) {
        case 0: ways = [(one, other)]
        case 1: ways = [(one, other), (other, one)]
        case 2: for index in nodes.indices where index != one { ways.append((index, one)) }
        case 3: for index in nodes.indices where index != one { ways.append((one, index)) }
        default:
            for index in nodes.indices where index != one {
                ways += [(one, index), (index, one)]
            }
        }
        narrate(
            "nothing goes \(ways.map { "\($0 + 1)→\($1 + 1)" }) for \((until - time) / 1_000_000) ms"
        )
        let resets = faults.chance(1, in: 3)
        for (from, to) in ways {
            blockedUntil[from][to] = max(blockedUntil[from][to], until)
            guard resets else { continue }
            for end in links(between: from, to) {
                queue.schedule(.reset(end), at: time + milliseconds(1...500))
            }
        }
    }

    mutating func heal() {
        for from in nodes.indices {
            for to in nodes.indices { blockedUntil[from][to] = 0 }
        }
        for index in nodes.indices {
            nodes[index].disk.faults.syncFailureOneIn = 0
            nodes[index].disk.crashAtOperation = nil
            if nodes[index].node == nil { restart(index) }
        }
    }
}
