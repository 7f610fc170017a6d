import Base
import Quorum
import Testing

@Suite struct RaftReplicationTests {
    private func involving(_ numbers: Int...) -> (QuorumMessage) -> Bool {
        { numbers.contains(Int($0.to.value)) || numbers.contains(Int($0.from.value)) }
    }

    private func entry(_ index: Int64, _ term: Int64, _ text: String = "x") -> RaftEntry {
        RaftEntry(
            index: LogIndex(index), term: Term(term), kind: .command, payload: Bytes(utf8: text))
    }

    @Test func `a command is committed when a majority has it on disk, not before`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.persistsAtOnce = false
        harness.propose(1, "a")
        harness.deliverAll()
        #expect(harness.answer(1) == nil)
        harness.persist(2)
        harness.deliverAll()
        #expect(harness.answer(1) == nil, "only node 2 has it on disk")
        harness.persist(1)
        #expect(harness.answer(1) == .committed(3))
    }

    @Test func `an entry of an old term is committed only under one of the own term`() {
        // Figure 3.7 of the dissertation: node 1 leads term 4 and has entry 2 of term 2, which a
        // majority gets; node 3 has one of term 3 and could still be elected.
        var harness = RaftHarness(
            voters: 5,
            hardStates: Dictionary(uniqueKeysWithValues: (1...5).map { ($0, HardState(term: 3)) }),
            entries: [1: [entry(2, 2)], 2: [entry(2, 2)], 5: [entry(2, 3)]])
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll(drop: { message in
            // Entries of term 4 are lost, those of term 2 arrive.
            if case .append(let request) = message.body {
                return request.entries.contains { $0.term == 4 } || message.to == 5
            }
            return message.to == 5
        })
        #expect(harness[1].isLeader && harness[1].term == 4)
        #expect(harness[1].commitIndex == 0)
        for _ in 0..<3 {
            harness.tick(1)
            harness.deliverAll(drop: { $0.to == 5 })
        }
        #expect(harness[1].commitIndex == 3)
    }

    @Test func `what contradicts the leader's log is cut`() {
        var harness = RaftHarness(
            voters: 3,
            hardStates: [1: HardState(term: 3), 2: HardState(term: 3), 3: HardState(term: 2)],
            entries: [
                1: [entry(2, 1), entry(3, 3)], 2: [entry(2, 1), entry(3, 3)],
                3: [entry(2, 1), entry(3, 2), entry(4, 2), entry(5, 2)],
            ])
        harness.elect(1)
        for _ in 0..<4 {
            harness.tick(1)
            harness.deliverAll()
        }
        #expect(harness[3].log.lastChain == harness[1].log.lastChain)
        #expect(harness[3].commitIndex == 4)
        #expect(harness.halted.isEmpty)
    }

    @Test func `batches overtake each other and get lost, and all arrives once`() {
        var settings = RaftSettings()
        settings.batchCountMax = 3
        var harness = RaftHarness(voters: 3, settings: settings)
        harness.elect(1)
        var random = Random(seed: 5)
        for number in 0..<200 {
            harness.propose(1, "entry \(number)", token: UInt64(number + 10))
            harness.sent.shuffle(using: &random)
            harness.deliverAll(drop: { _ in random.chance(1, in: 5) })
            if number % 10 == 0 { harness.tick(1) }
        }
        for _ in 0..<10 {
            harness.tick(1)
            harness.deliverAll()
        }
        #expect(harness[1].commitIndex == harness[1].log.lastIndex)
        for number in 2...3 { #expect(harness[number].log.lastChain == harness[1].log.lastChain) }
        #expect(harness.halted.isEmpty)
    }

    @Test func `what is on its way to one follower is bounded`() {
        var settings = RaftSettings()
        settings.inFlightCountMax = 4
        settings.batchCountMax = 10
        var harness = RaftHarness(voters: 3, settings: settings)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        for number in 0..<100 { harness.propose(1, "x", token: UInt64(number)) }
        let entries = harness.sent.filter { $0.to == 2 }.filter { message in
            if case .append(let request) = message.body { return !request.entries.isEmpty }
            return false
        }
        #expect(entries.count == 4)
        harness.deliverAll()
        harness.tick(1)
        harness.deliverAll()
        #expect(harness[2].log.lastIndex == harness[1].log.lastIndex)
    }

    @Test func `more than may wait is refused, and accepted again later`() {
        var settings = RaftSettings()
        settings.uncommittedCountMax = 5
        var harness = RaftHarness(voters: 3, settings: settings)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        for number in 1...6 { harness.propose(1, "x", token: UInt64(number)) }
        #expect(harness.answer(6) == .overloaded)
        harness.deliverAll()
        #expect(harness.answer(5) == .committed(7))
        harness.propose(1, "y", token: 7)
        harness.deliverAll()
        #expect(harness.answer(7) == .committed(8))
        harness.propose(1, String(repeating: "z", count: 2 << 20), token: 8)
        #expect(harness.answer(8) == .tooLarge(limit: 1 << 20))
    }

    @Test func `who proposed to a leader that lost its place does not know`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.propose(1, "a", token: 5)
        harness.sent = []
        for _ in 0..<20 {
            harness.tick(1)
            harness.sent = []
        }
        #expect(harness.answer(5) == .uncertain)
        harness.propose(1, "b", token: 6)
        #expect(harness.answer(6) == .notLeader(hint: nil))
    }

    // MARK: Reads

    @Test func `a lease answers at once, and not when it is over`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        harness.with(1) { $0.read(RequestToken(1), now: $1) }
        #expect(harness.answer(1) == .readable(2))
        harness.advance(harness.settings.leaseDuration)
        harness.sent = []
        harness.with(1) { $0.read(RequestToken(2), now: $1) }
        #expect(harness.answer(2) == nil)
        harness.deliverAll()
        #expect(harness.answer(2) == .readable(2), "a majority was asked")
    }

    @Test func `a lease ends before others may vote, even with clocks that drift`() {
        let settings = RaftSettings()
        let drift = settings.clockDriftPerMillion
        let lease = settings.leaseDuration.wholeNanoseconds
        let loyalty = settings.electionTimeout.wholeNanoseconds
        // The leader's clock is slow, the follower's fast.
        #expect(lease * 1_000_000 / (1_000_000 - drift) < loyalty * 1_000_000 / (1_000_000 + drift))
    }

    @Test func `without leases a read asks a majority each time, many reads together`() {
        var settings = RaftSettings()
        settings.readsByLease = false
        var harness = RaftHarness(voters: 3, settings: settings)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        for token in 1...50 { harness.with(1) { $0.read(RequestToken(UInt64(token)), now: $1) } }
        #expect(harness.answers.isEmpty)
        #expect(harness.sent.count == 2, "one question to each follower")
        harness.deliverAll()
        #expect(harness.answers.count == 50)
    }

    @Test func `after a node was asked to take over no read rests on the lease`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        harness.with(1) { $0.transfer(to: 2, RequestToken(1), now: $1) }
        harness.sent = []
        harness.with(1) { $0.read(RequestToken(2), now: $1) }
        #expect(harness.answer(2) == nil)
    }

    @Test func `a new leader answers no read before it knows what is committed`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        harness.propose(1, "a", token: 1)
        harness.deliverAll()
        harness.advance(.seconds(10))
        harness.tick(2)
        harness.deliverAll(drop: { message in
            if case .append = message.body { return true }
            return message.to == 1
        })
        #expect(harness[2].isLeader)
        harness.with(2) { $0.read(RequestToken(2), now: $1) }
        #expect(harness.answer(2) == nil)
        for _ in 0..<3 {
            harness.tick(2)
            harness.deliverAll()
        }
        #expect(harness.answer(2) == .readable(4))
    }

    // MARK: Membership

    @Test func `one change at a time`() {
        var harness = RaftHarness(voters: 3, observers: 1)
        harness.advance(.seconds(10))
        harness.tick(1)
        harness.deliverAll(drop: { message in
            if case .append = message.body { return true }
            return false
        })
        harness.with(1) { $0.change(.remove(3), RequestToken(1), now: $1) }
        #expect(harness.answer(1) == .refused(.changeUnderWay), "nothing of the term is committed")
        for _ in 0..<3 {
            harness.tick(1)
            harness.deliverAll()
        }
        harness.with(1) { $0.change(.remove(3), RequestToken(2), now: $1) }
        harness.with(1) { $0.change(.promote(4), RequestToken(3), now: $1) }
        #expect(harness.answer(3) == .refused(.changeUnderWay))
        harness.deliverAll()
        #expect(harness.answer(2) == .committed(3))
        harness.with(1) { $0.change(.promote(4), RequestToken(4), now: $1) }
        harness.deliverAll()
        #expect(harness[1].configuration.isVoter(4) && harness[1].configuration.member(3) == nil)
        #expect(harness.answer(4) == .committed(4))
    }

    @Test func `an observer that lacks too much does not become a voter`() {
        var settings = RaftSettings()
        settings.promotionLagMax = 5
        var harness = RaftHarness(voters: 1, observers: 1, settings: settings)
        harness.elect(1)
        for number in 0..<20 { harness.propose(1, "x", token: UInt64(number)) }
        harness.sent = []
        harness.with(1) { $0.change(.promote(2), RequestToken(99), now: $1) }
        #expect(harness.answer(99) == .refused(.notCaughtUp(2)))
        for _ in 0..<3 {
            harness.tick(1)
            harness.deliverAll()
        }
        harness.with(1) { $0.change(.promote(2), RequestToken(100), now: $1) }
        harness.deliverAll()
        #expect(harness[1].configuration.voterCount == 2)
    }

    @Test func `the last voter that can lead stays`() {
        let configuration = RaftHarness.configuration(voters: 2, witnesses: 1)
        #expect(throws: MembershipRefusal.nobodyCouldLead) {
            try configuration.applying(.remove(1))
        }
    }

    @Test func `a leader that is removed hands over and leaves`() {
        var harness = RaftHarness(voters: 3)
        harness.elect(1)
        for _ in 0..<3 {
            harness.tick(1)
            harness.deliverAll()
        }
        harness.with(1) { $0.change(.remove(1), RequestToken(1), now: $1) }
        harness.propose(1, "late", token: 2)
        #expect(harness.answer(2) == .overloaded)
        harness.deliverAll()
        #expect(harness.answer(1) == .committed(3))
        #expect(!harness[1].isLeader)
        #expect(harness[2].isLeader || harness[3].isLeader)
        #expect(harness[2].configuration.voterCount == 2)
    }

    @Test func `an observer gets everything and counts nowhere`() {
        var harness = RaftHarness(voters: 3, observers: 1)
        harness.elect(1)
        harness.tick(1)
        harness.deliverAll()
        harness.propose(1, "a", token: 1)
        harness.deliverAll(drop: involving(2, 3))
        #expect(harness.answer(1) == nil)
        #expect(harness[4].log.lastIndex == 3)
        harness.advance(.seconds(60))
        harness.tick(4)
        #expect(harness[4].role == .follower)
    }
}
