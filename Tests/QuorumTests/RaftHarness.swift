import Base
import Quorum

/// A few members with an ideal disk and a network that delivers what it is told to.
struct RaftHarness {
    static let cluster = UUID128(high: 1, low: 1)

    struct Node {
        var core: RaftCore
        var clock: Instant
        /// Promises that wait for `persist`.
        var held: [QuorumMessage] = []
        var durable: HardState
        var durableEntries: [RaftEntry] = []
    }

    var nodes: [Node] = []
    var sent: [QuorumMessage] = []
    var answers: [RequestToken: RaftAnswer] = [:]
    /// Leaders by term, each once.
    var leaders: [(term: Term, node: NodeID, life: UInt64)] = []
    var halted: [String] = []
    /// Disks are instantaneous: nothing is ever held.
    var persistsAtOnce = true
    let settings: RaftSettings

    static func directory(_ id: NodeID) -> UUID128 { UUID128(high: 9, low: UInt64(id.value)) }

    /// Voters 1 to `voters`; the last `witnesses` of them are witnesses; then observers.
    static func configuration(voters: Int, witnesses: Int = 0, observers: Int = 0)
        -> RaftConfiguration
    {
        RaftConfiguration(
            (1...(voters + observers)).map { number in
                let id = NodeID(Int32(number))
                return RaftMember(
                    id: id, directory: directory(id), isVoter: number <= voters,
                    isWitness: number <= voters && number > voters - witnesses)
            })
    }

    init(
        voters: Int, witnesses: Int = 0, observers: Int = 0, settings: RaftSettings = .init(),
        hardStates: [Int: HardState] = [:], entries: [Int: [RaftEntry]] = [:]
    ) {
        self.settings = settings
        let configuration = Self.configuration(
            voters: voters, witnesses: witnesses, observers: observers)
        for member in configuration.members {
            var log = RaftLog(base: .start, chain: 0)
            log.append(
                RaftEntry(
                    index: 1, term: 0, kind: .configuration, payload: configuration.encoded()))
            for entry in entries[Int(member.id.value)] ?? [] { log.append(entry) }
            let hard = hardStates[Int(member.id.value)] ?? HardState()
            start(member.id, life: 1, hard: hard, log: log, isWitness: member.isWitness, at: .zero)
        }
    }

    mutating func start(
        _ id: NodeID, life: UInt64, hard: HardState, log: RaftLog, isWitness: Bool,
        at clock: Instant
    ) {
        var own = settings
        own.isWitness = isWitness
        let core = RaftCore(
            id: id, directory: Self.directory(id), cluster: Self.cluster, life: life,
            settings: own, hardState: hard, snapshot: .start(.empty), log: log,
            random: Random(seed: UInt64(id.value)), now: clock)
        let node = Node(
            core: core, clock: clock, durable: hard,
            durableEntries: log.entries(from: 1, through: log.lastIndex))
        let place = Int(id.value) - 1
        if place < nodes.count { nodes[place] = node } else { nodes.append(node) }
    }

    /// The process dies; what was not persisted is gone.
    mutating func restart(_ number: Int) {
        let old = nodes[number - 1]
        var log = RaftLog(base: .start, chain: 0)
        for entry in old.durableEntries { log.append(entry) }
        start(
            old.core.id, life: old.core.life + 1, hard: old.durable, log: log,
            isWitness: old.core.settings.isWitness, at: old.clock)
    }

    subscript(number: Int) -> RaftCore { nodes[number - 1].core }

    // MARK: Events

    mutating func with(_ number: Int, _ body: (inout RaftCore, Instant) -> Void) {
        body(&nodes[number - 1].core, nodes[number - 1].clock)
        collect(number)
        if persistsAtOnce { persist(number) }
    }

    /// Time passes for everybody, without ticks.
    mutating func advance(_ duration: Duration) {
        for place in nodes.indices { nodes[place].clock = nodes[place].clock + duration }
    }

    /// The clock of a node goes on to its next deadline.
    mutating func tick(_ number: Int) {
        nodes[number - 1].clock = max(nodes[number - 1].clock, self[number].deadline)
        with(number) { $0.tick(now: $1) }
    }

    mutating func deliver(_ message: QuorumMessage) {
        guard nodes.indices.contains(Int(message.to.value) - 1) else { return }
        with(Int(message.to.value)) { $0.receive(message, now: $1) }
    }

    /// Delivers everything, also what comes of it; `drop` says what is lost.
    mutating func deliverAll(drop: (QuorumMessage) -> Bool = { _ in false }) {
        var rounds = 0
        while !sent.isEmpty, rounds < 200 {
            rounds += 1
            let batch = sent
            sent = []
            for message in batch where !drop(message) { deliver(message) }
        }
    }

    /// Everything written so far becomes durable, promises leave.
    mutating func persist(_ number: Int) {
        for _ in 0..<10 {
            let place = number - 1
            nodes[place].durable = nodes[place].core.hardState
            let log = nodes[place].core.log
            nodes[place].durableEntries = log.entries(from: log.firstIndex, through: log.lastIndex)
            sent += nodes[place].held
            nodes[place].held = []
            let version = nodes[place].core.hardStateVersion
            nodes[place].core.persisted(
                index: log.lastIndex, hardState: version, now: nodes[place].clock)
            collect(number)
            if !persistsAtOnce || nodes[place].core.hardStateVersion == version,
                nodes[place].held.isEmpty
            {
                return
            }
        }
    }

    private mutating func collect(_ number: Int) {
        for output in nodes[number - 1].core.takeOutputs() {
            switch output {
            case .send(let message, let isPromise):
                if isPromise {
                    nodes[number - 1].held.append(message)
                } else {
                    sent.append(message)
                }
            case .answered(let token, let answer): answers[token] = answer
            case .becameLeader(let term):
                leaders.append((term, NodeID(Int32(number)), self[number].life))
            case .halt(let reason): halted.append(reason)
            default: break
            }
        }
    }

    // MARK: Shorthand

    /// Makes a node leader with everybody's help.
    mutating func elect(_ number: Int) {
        advance(settings.electionTimeout * 3)
        tick(number)
        deliverAll()
        precondition(self[number].isLeader, "node \(number) should lead")
    }

    mutating func propose(_ number: Int, _ text: String, token: UInt64 = 1) {
        with(number) { $0.propose(Bytes(utf8: text), RequestToken(token), now: $1) }
    }

    func answer(_ token: UInt64) -> RaftAnswer? { answers[RequestToken(token)] }
}
