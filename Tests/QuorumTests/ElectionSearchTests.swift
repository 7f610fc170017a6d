import Base
import Quorum
import Testing

/// Every order of a few steps of three voters, two of which stand for election: messages in any order or
/// not at all, disks that are slow, processes that die.
@Suite struct ElectionSearchTests {
    private struct Key: Hashable {
        struct Node: Hashable {
            var role: RaftCore.Role
            var hard: HardState
            var durable: HardState
            var life: UInt64
            var leader: NodeID?
            var last: LogPosition
            var isFresh: Bool
            var held: [QuorumMessage]
        }

        var nodes: [Node]
        var sent: Set<QuorumMessage>
        var crashes: Int
    }

    private struct State {
        var harness: RaftHarness
        var crashes = 0

        var key: Key {
            Key(
                nodes: harness.nodes.map { node in
                    Key.Node(
                        role: node.core.role, hard: node.core.hardState, durable: node.durable,
                        life: node.core.life, leader: node.core.leader,
                        last: node.core.log.lastPosition,
                        isFresh: node.core.hardStateVersion > 0, held: node.held)
                }, sent: Set(harness.sent), crashes: crashes)
        }
    }

    /// Searches all states within `depth` steps. Gives how many there were, and the first that has
    /// two leaders of one term.
    private func search(
        depth: Int, crashesMax: Int, promisesWait: Bool
    ) -> (states: Int, violation: String?, led: Bool, isComplete: Bool) {
        var first = RaftHarness(voters: 3)
        first.persistsAtOnce = false
        first.advance(.seconds(10))
        // Two nodes are told to stand for election; when is open.
        first.sent = [1, 2].map { number in
            QuorumMessage(
                cluster: RaftHarness.cluster, from: 3, directory: RaftHarness.directory(3), life: 1,
                to: NodeID(number), term: 0, body: .campaign)
        }
        var seen: Set<Key> = []
        var frontier = [State(harness: first)]
        seen.insert(frontier[0].key)
        var led = false
        for _ in 0..<depth {
            var next: [State] = []
            for state in frontier {
                for successor in successors(state, crashesMax, promisesWait) {
                    let leaders = successor.harness.leaders
                    if !leaders.isEmpty { led = true }
                    for (place, one) in leaders.enumerated() {
                        for other in leaders[..<place] where other.term == one.term {
                            return (seen.count, "term \(one.term) has two leaders", led, false)
                        }
                    }
                    if seen.insert(successor.key).inserted { next.append(successor) }
                }
            }
            frontier = next
        }
        return (seen.count, nil, led, frontier.isEmpty)
    }

    private func successors(
        _ state: State, _ crashesMax: Int, _ promisesWait: Bool
    ) -> [State] {
        var result: [State] = []
        func add(_ body: (inout State) -> Void) {
            var next = state
            body(&next)
            if !promisesWait {
                // A disk that lies: promises leave before anything is durable.
                for place in next.harness.nodes.indices {
                    next.harness.sent += next.harness.nodes[place].held
                    next.harness.nodes[place].held = []
                }
            }
            result.append(next)
        }
        for number in 1...3 {
            let node = state.harness.nodes[number - 1]
            if node.core.hardState != node.durable || !node.held.isEmpty {
                add { $0.harness.persist(number) }
            }
            if state.crashes < crashesMax, node.core.hardStateVersion > 0 {
                add {
                    $0.harness.restart(number)
                    // What it owes a leader of its life before is over.
                    $0.harness.nodes[number - 1].clock =
                        $0.harness.nodes[number - 1].clock + .seconds(10)
                    $0.crashes += 1
                }
            }
        }
        for (place, message) in state.harness.sent.enumerated() {
            // Appends end the question who leads.
            if case .append = message.body { continue }
            add {
                $0.harness.sent.remove(at: place)
                $0.harness.deliver(message)
            }
        }
        return result
    }

    @Test func `no order of steps gives a term two leaders`() {
        let found = search(depth: 60, crashesMax: 1, promisesWait: true)
        #expect(found.violation == nil)
        #expect(found.led, "the search is deep enough for a leader")
        #expect(found.isComplete, "there is no state that was not seen")
        #expect(found.states > 2000, "\(found.states) states")
    }

    @Test func `the search finds two leaders where votes leave before they are durable`() {
        let found = search(depth: 10, crashesMax: 1, promisesWait: false)
        #expect(found.violation != nil)
    }
}
