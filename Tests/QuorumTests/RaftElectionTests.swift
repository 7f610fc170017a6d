import Base
import Quorum
import Testing

@Suite struct RaftElectionTests {
    private func toNode(_ numbers: Int...) -> (QuorumMessage) -> Bool {
        { numbers.contains(Int($0.to.value)) || numbers.contains(Int($0.from.value)) }
    }

    @Test func `one voter leads by itself once its vote is durable`() {
        var harness = RaftHarness(voters: 1)
        harness.persistsAtOnce = false
        harness.tick(1)
        #expect(harness[1].role == .candidate)
        harness.persist(1)
        #expect(harness[1].isLeader)
        #expect(harness[1].term == 1)
        #expect(harness[1].commitIndex == 0)
        harness.persist(1)
        #expect(harness[1].commitIndex == 2)
    }

    @Test func `three voters elect one leader, and its first entry is committed`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(2)
        harness.tick(2)
        harness.deliverAll()
        for number in 1...3 {
            #expect(harness[number].commitIndex == 2)
            #expect(harness[number].leader == NodeID(2))
        }
        #expect(harness.leaders.count == 1)
    }

    @Test func `a node without contact asks and raises no term`() {
        var harness = RaftHarness(voters: 3)
        for _ in 0..<10 {
            harness.tick(1)
            harness.sent = []
        }
        #expect(harness[1].role == .preCandidate)
        #expect(harness[1].term == 0)
    }

    @Test func `a node that hears a leader promises its vote to nobody else`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        // Node 3 hears nothing for long; for the others the leader is fresh.
        harness.nodes[2].clock = harness.nodes[2].clock + .seconds(10)
        harness.tick(3)
        harness.deliverAll()
        #expect(harness[3].role == .preCandidate)
        #expect(harness[1].isLeader && harness[1].term == 1)
    }

    @Test func `a vote is given once in a term, also after a restart`() {
        var harness = RaftHarness(voters: 3)
        harness.advance(.seconds(10))
        func request(_ from: Int32) -> QuorumMessage {
            QuorumMessage(
                cluster: RaftHarness.cluster, from: NodeID(from),
                directory: RaftHarness.directory(NodeID(from)), life: 1, to: 3, term: 5,
                body: .voteRequest(
                    .init(
                        position: LogPosition(term: 4, index: 9), isPreVote: false,
                        isTransfer: false)))
        }
        harness.deliver(request(1))
        #expect(
            harness.sent.contains {
                $0.body == .voteAnswer(.init(isGranted: true, isPreVote: false))
            })
        harness.restart(3)
        harness.advance(.seconds(10))
        harness.sent = []
        harness.deliver(request(2))
        #expect(
            harness.sent.map(\.body) == [.voteAnswer(.init(isGranted: false, isPreVote: false))])
        harness.sent = []
        harness.deliver(request(1))
        #expect(harness.sent.map(\.body) == [.voteAnswer(.init(isGranted: true, isPreVote: false))])
    }

    @Test func `a vote that comes twice counts once`() {
        var harness = RaftHarness(voters: 5)
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll(drop: { message in
            if case .voteAnswer(let answer) = message.body { return !answer.isPreVote }
            return false
        })
        #expect(harness[1].role == .candidate)
        let yes = QuorumMessage(
            cluster: RaftHarness.cluster, from: 2, directory: RaftHarness.directory(2), life: 1,
            to: 1, term: harness[1].term,
            body: .voteAnswer(.init(isGranted: true, isPreVote: false)))
        harness.deliver(yes)
        harness.deliver(yes)
        #expect(harness[1].role == .candidate)
    }

    @Test func `a vote of another disk than the member's does not count`() {
        var harness = RaftHarness(voters: 3)
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll(drop: { message in
            if case .voteAnswer(let answer) = message.body { return !answer.isPreVote }
            return false
        })
        var yes = QuorumMessage(
            cluster: RaftHarness.cluster, from: 2, directory: UUID128(high: 77, low: 2), life: 1,
            to: 1, term: harness[1].term,
            body: .voteAnswer(.init(isGranted: true, isPreVote: false)))
        harness.deliver(yes)
        #expect(harness[1].role == .candidate)
        yes.directory = RaftHarness.directory(2)
        harness.deliver(yes)
        #expect(harness[1].isLeader)
    }

    @Test func `a shorter log gets no vote`() {
        let extra = RaftEntry(index: 2, term: 1, kind: .command, payload: Bytes(utf8: "x"))
        var harness = RaftHarness(
            voters: 3, hardStates: [2: HardState(term: 1), 3: HardState(term: 1)],
            entries: [2: [extra], 3: [extra]])
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll()
        #expect(harness.leaders.isEmpty)
        harness.elect(2)
        harness.tick(2)
        harness.deliverAll()
        #expect(harness[1].log.lastIndex == 3)
    }

    @Test func `a node that lost a part of its log helps nobody who lacks it`() {
        let extra = RaftEntry(index: 2, term: 1, kind: .command, payload: Bytes(utf8: "x"))
        // Node 3 had entry 2, acknowledged it and lost it.
        let holed = HardState(term: 1, lost: LogPosition(term: 1, index: 2))
        var harness = RaftHarness(
            voters: 3, hardStates: [2: HardState(term: 1), 3: holed], entries: [2: [extra]])
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll(drop: toNode(2))
        #expect(!harness[1].isLeader)
        harness.advance(.seconds(10))
        harness.tick(3)
        #expect(harness[3].role == .follower, "it does not stand itself")
        harness.elect(2)
        harness.tick(2)
        harness.deliverAll()
        #expect(harness[3].hardState.lost == nil, "it has everything again")
    }

    @Test func `a witness votes and never stands`() {
        var harness = RaftHarness(voters: 3, witnesses: 1)
        harness.advance(.seconds(10))
        harness.tick(3)
        #expect(harness[3].role == .follower)
        harness.tick(1)
        harness.deliverAll(drop: toNode(2))
        #expect(harness[1].isLeader)
        harness.propose(1, "secret")
        harness.deliverAll(drop: toNode(2))
        #expect(harness.answer(1) == .committed(3))
        #expect(harness[3].log.entry(at: 3)?.isStripped == true)
        #expect(harness[3].log.lastChain == harness[1].log.lastChain)
    }

    @Test func `a leader without a majority steps down`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        for _ in 0..<20 {
            harness.tick(1)
            harness.sent = []
        }
        #expect(harness[1].role != .leader)
        #expect(harness[1].term == 1)
    }

    @Test func `leadership is handed over without waiting`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.propose(1, "a", token: 1)
        harness.deliverAll()
        harness.with(1) { $0.transfer(to: 3, RequestToken(2), now: $1) }
        harness.propose(1, "b", token: 3)
        #expect(harness.answer(3) == .overloaded)
        harness.deliverAll()
        #expect(harness[3].isLeader && !harness[1].isLeader)
        #expect(harness.answer(2) == .transferred)
        #expect(harness[3].term == 2)
    }

    @Test func `the leader of an older term learns of the newer one`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.sent = []
        for place in 1...2 {
            harness.nodes[place].clock = harness.nodes[place].clock + .seconds(10)
        }
        harness.tick(2)
        harness.deliverAll(drop: toNode(1))
        #expect(harness[2].isLeader && harness[1].isLeader)
        harness.tick(1)
        harness.deliverAll()
        #expect(!harness[1].isLeader)
        #expect(harness[1].term == harness[2].term)
    }
}
