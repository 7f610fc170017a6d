import Base
import Quorum

/// What must hold of the quorum in every moment, checked after every event.
///
/// - Election safety: a term has one leader, in one of its lives.
/// - Log matching: entries of one place and term follow the same log (equal chains).
/// - Leader completeness: a new leader has everything that was committed in earlier terms.
/// - State machine safety: what is committed at a place is the same everywhere, for ever.
/// - Durability: what was acknowledged is committed at the place that was named.
/// - Linearizability: a read sees everything that was acknowledged or read before it began. The
///   state is the log up to a place, so comparing places is enough.
struct QuorumChecker {
    private struct Place: Hashable {
        var term: Int64
        var index: Int64
    }

    private var leaders: [Int64: (node: NodeID, life: UInt64)] = [:]
    /// Chains by place. Looked up only.
    private var chains: [Place: UInt32] = [:]
    /// Chains of what is committed, from index 1 on, and the state of the machine there.
    private(set) var committed: [UInt32] = []
    /// In which term each of them was committed first.
    private var commitTerms: [Term] = []
    private var states: [UInt64] = [0]
    /// The highest place that a client knows to be committed.
    private(set) var floor: LogIndex = 0
    private(set) var anomaly: String?

    mutating func fail(_ text: String) {
        if anomaly == nil { anomaly = text }
    }

    var commitIndex: LogIndex { LogIndex(Int64(committed.count)) }

    mutating func becameLeader(_ core: RaftCore) {
        if let other = leaders[core.term.value], other.node != core.id || other.life != core.life {
            fail(
                "term \(core.term) has two leaders: node \(other.node.value) in life \(other.life) "
                    + "and node \(core.id.value) in life \(core.life)")
        }
        leaders[core.term.value] = (core.id, core.life)
        // Who wins an old election late need not have what newer terms committed.
        var count = committed.count
        while count > 0, commitTerms[count - 1] >= core.term { count -= 1 }
        let index = LogIndex(Int64(count))
        guard core.log.lastIndex > index else {
            return fail(
                "node \(core.id.value) leads term \(core.term) with a log up to "
                    + "\(core.log.lastIndex), \(index) was committed before")
        }
        guard let chain = core.log.chain(at: index), count > 0 else { return }
        if chain != committed[count - 1] {
            fail(
                "node \(core.id.value) leads term \(core.term) with a log that differs before "
                    + "\(index), which is committed")
        }
    }

    mutating func logChanged(_ core: RaftCore) {
        let last = core.log.lastPosition
        let place = Place(term: last.term.value, index: last.index.value)
        if let chain = chains[place] {
            if chain != core.log.lastChain {
                fail("two logs differ before \(last): that of node \(core.id.value) and another")
            }
        } else {
            chains[place] = core.log.lastChain
        }
    }

    mutating func commitMoved(_ core: RaftCore, from old: LogIndex) {
        let new = core.commitIndex
        if new < old { fail("node \(core.id.value) takes back \(new) to \(old)") }
        guard new > old else { return }
        // A snapshot skips places that the log does not have.
        let start = max(old.next, max(core.log.base.index, 1))
        guard start <= new else { return }
        for value in start.value...new.value {
            guard let chain = core.log.chain(at: LogIndex(value)) else { continue }
            let place = Int(value) - 1
            if place < committed.count {
                if committed[place] != chain {
                    return fail("node \(core.id.value) committed something else at \(value)")
                }
            } else if place == committed.count {
                committed.append(chain)
                commitTerms.append(core.term)
            } else {
                return fail(
                    "node \(core.id.value) knows \(value) as committed before anybody had it")
            }
        }
    }

    /// A state machine has applied everything up to `index` and its state is `state`.
    mutating func applied(_ node: NodeID, _ index: LogIndex, _ state: UInt64) {
        let place = Int(index.value)
        if place < states.count {
            if states[place] != state {
                fail("the state of node \(node.value) at \(index) is not that of the others")
            }
        } else if place == states.count {
            states.append(state)
        } else {
            fail("node \(node.value) applied \(index), nobody applied what is before it")
        }
    }

    /// The state at `index`, where somebody has been.
    func state(at index: LogIndex) -> UInt64? {
        Int(index.value) < states.count ? states[Int(index.value)] : nil
    }

    mutating func acknowledged(_ index: LogIndex) {
        if index > commitIndex { fail("\(index) was acknowledged and is not committed") }
        floor = max(floor, index)
    }

    mutating func read(_ node: NodeID, at index: LogIndex, since before: LogIndex) {
        if index < before {
            fail(
                "node \(node.value) answered a read with the state at \(index), "
                    + "\(before) was known before it began")
        }
        floor = max(floor, index)
    }
}
