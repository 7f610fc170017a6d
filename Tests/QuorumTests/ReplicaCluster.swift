import Base
import Quorum

/// Whole members with disks in memory, which do their jobs at once, and a network that delivers.
struct ReplicaCluster {
    static let cluster = UUID128(high: 1, low: 1)

    var disks: [MemoryDisk] = []
    var replicas: [QuorumReplica?] = []
    var applied: [[String]] = []
    var restored: [String?] = []
    var reports: [String] = []
    var halts: [String] = []
    var answers: [RequestToken: RaftAnswer] = [:]
    var sent: [QuorumMessage] = []
    var clock = Instant(nanoseconds: 1_000_000_000)
    var wantsSnapshot: [Int] = []
    /// Syncs that end when they are told to, by member.
    var holdsJobs = false
    var jobs: [(Int, QuorumJob)] = []
    let tune: @Sendable (inout QuorumConfiguration) -> Void

    static func directory(_ number: Int) -> UUID128 { UUID128(high: 5, low: UInt64(number)) }

    init(
        voters: Int, observers: Int = 0, witnesses: Int = 0,
        tune: @escaping @Sendable (inout QuorumConfiguration) -> Void = { _ in }
    ) throws {
        self.tune = tune
        let configuration = RaftConfiguration(
            (1...(voters + observers)).map { number in
                RaftMember(
                    id: NodeID(Int32(number)), directory: Self.directory(number),
                    isVoter: number <= voters,
                    isWitness: number <= voters && number > voters - witnesses)
            })
        for number in 1...(voters + observers) {
            let disk = MemoryDisk()
            try QuorumReplica.format(
                disk, directory: "quorum",
                identity: QuorumIdentity(
                    cluster: Self.cluster, node: NodeID(Int32(number)),
                    directory: Self.directory(number)), initial: configuration)
            disks.append(disk)
            replicas.append(nil)
            applied.append([])
            restored.append(nil)
        }
        for number in 1...(voters + observers) {
            try start(number, isWitness: configuration.members[number - 1].isWitness)
        }
    }

    mutating func start(_ number: Int, isWitness: Bool = false) throws {
        var configuration = QuorumConfiguration(
            node: NodeID(Int32(number)), cluster: Self.cluster)
        configuration.fileBytes = 4096
        configuration.raft.isWitness = isWitness
        tune(&configuration)
        applied[number - 1] = []
        restored[number - 1] = nil
        var replica = try QuorumReplica(
            configuration, disk: disks[number - 1], random: Random(seed: UInt64(number)),
            now: clock)
        let effects = replica.start(now: clock)
        replicas[number - 1] = replica
        perform(effects, number)
    }

    mutating func stop(_ number: Int) { replicas[number - 1] = nil }

    subscript(number: Int) -> QuorumReplica {
        guard let replica = replicas[number - 1] else { preconditionFailure("it is down") }
        return replica
    }

    mutating func give(_ number: Int, _ event: QuorumEvent) {
        let effects = replicas[number - 1]?.handle(event, now: clock) ?? []
        replicas[number - 1]?.checkInvariants()
        perform(effects, number)
    }

    private mutating func perform(_ effects: [QuorumEffect], _ number: Int) {
        for effect in effects {
            switch effect {
            case .send(let message): sent.append(message)
            case .run(let job):
                if holdsJobs {
                    jobs.append((number, job))
                } else {
                    run(number, job)
                }
            case .apply(let entries):
                applied[number - 1] += entries.filter { $0.kind == .command }.map(\.payload.text)
            case .restore:
                restored[number - 1] = (try? replicas[number - 1]?.snapshotContent()?.text) ?? nil
            case .wantSnapshot: wantsSnapshot.append(number)
            case .answered(let token, let answer): answers[token] = answer
            case .report(_, let text): reports.append(text)
            case .halt(let reason): halts.append(reason)
            case .becameLeader, .steppedDown: break
            }
        }
    }

    mutating func run(_ number: Int, _ job: QuorumJob) {
        give(number, .jobDone(number: job.number, failure: job.run(on: disks[number - 1])))
    }

    /// Delivers messages until there are none.
    mutating func deliverAll(drop: (QuorumMessage) -> Bool = { _ in false }) {
        for _ in 0..<2000 where !sent.isEmpty {
            let batch = sent
            sent = []
            for message in batch where !drop(message) {
                give(Int(message.to.value), .message(message))
            }
        }
    }

    /// Lets time pass in steps, with all ticks and messages.
    mutating func pass(_ duration: Duration, drop: (QuorumMessage) -> Bool = { _ in false }) {
        let end = clock + duration
        while clock < end {
            clock = clock + .milliseconds(50)
            for number in 1...replicas.count {
                if let replica = replicas[number - 1], replica.deadline <= clock {
                    give(number, .tick)
                }
            }
            deliverAll(drop: drop)
        }
    }

    var leader: Int? {
        (1...replicas.count).first { replicas[$0 - 1]?.core.isLeader == true }
    }

    /// Proposes to the leader and delivers.
    mutating func propose(_ text: String, token: UInt64 = 0) {
        guard let leader else { preconditionFailure("somebody leads") }
        give(leader, .propose(Bytes(utf8: text), RequestToken(token)))
        deliverAll()
    }

    func files(_ number: Int, _ prefix: String) -> [String] {
        ((try? disks[number - 1].list("quorum")) ?? []).filter { $0.hasPrefix(prefix) }.map {
            "quorum/" + $0
        }
    }

    func flip(_ number: Int, _ path: String, at position: Int) throws {
        let file = try disks[number - 1].open(path)
        let byte = try file.read(at: Int64(position), count: 1)[0]
        try file.write(Bytes([byte ^ 4]), at: Int64(position))
    }
}
