import Base
import Log

/// What one seed makes of the simulation of whole nodes: sizes, times, and which faults come how often.
/// Each seed has only some of the faults, so that none hides what another would find.
struct ClusterSwarm {
    var nodes: Int
    var racks: Int
    /// Of each topic: partitions and replicas.
    var topics: [(partitions: Int, factor: Int)] = []
    var store = LogStoreConfiguration()
    var segmentBytes: Int
    var lease: Int
    var heartbeatEvery: Int
    var sessionTimeout: Int
    /// Clocks are off by at most so many parts of a million.
    var drift: Int

    // Nanoseconds.
    var latency: ClosedRange<Int>
    var syncLatency: ClosedRange<Int>
    /// Some syncs take seconds.
    var stalls: Bool
    var syncFailureOneIn: Int
    var sectorBytes: Int

    // How often faults come, as a mean in milliseconds; 0 = never.
    var killEvery: Int
    var powerLossEvery: Int
    var allPowerLossEvery: Int
    var crashInCallEvery: Int
    var freezeEvery: Int
    var cutEvery: Int
    var stopEvery: Int
    var clockEvery: Int

    // The load.
    var producers: Int
    var consumers: Int
    var committers: Int
    var movers: Int
    /// How often a partition gets other replicas, as a mean in milliseconds; 0 = never.
    var moveEvery: Int
    var pace: ClosedRange<Int>

    init(_ random: inout Random) {
        func often(_ percent: Int, _ range: ClosedRange<Int>) -> Int {
            let isOn = random.below(100) < percent
            let value = random.within(range)
            return isOn ? value : 0
        }
        nodes = [1, 2, 3, 3, 3, 3, 3, 4, 5, 5][random.below(10)]
        racks = random.within(1...3)
        for _ in 0..<random.within(1...3) {
            topics.append((random.within(1...3), min(nodes, [1, 2, 3, 3, 3][random.below(5)])))
        }
        lease = random.within(300...1200)
        heartbeatEvery = lease / random.within(3...6)
        sessionTimeout = lease + random.within(300...4000)
        drift = random.chance(1, in: 2) ? 0 : random.within(0...20_000)
        store.journalFileBytes = [64 << 10, 256 << 10][random.below(2)]
        store.journalFileCountMax = random.within(3...5)
        store.reserveBytes = 32 << 10
        store.tailCacheBytes = [0, 4 << 10, 1 << 20][random.below(3)]
        store.checkpointInterval = .milliseconds(Int64(random.within(50...2000)))
        store.retentionCheckInterval = .milliseconds(500)
        store.cleanerCheckInterval = .milliseconds(Int64(random.within(100...2000)))
        segmentBytes = [4 << 10, 64 << 10][random.below(2)]
        let fastest = random.within(20...1000) * 1000
        latency = fastest...(fastest + random.within(50...10_000) * 1000)
        let quickest = random.within(50...1000) * 1000
        syncLatency = quickest...(quickest + random.within(100...8000) * 1000)
        stalls = random.chance(1, in: 5)
        syncFailureOneIn = often(15, 300...3000)
        sectorBytes = [64, 512, 4096][random.below(3)]
        killEvery = often(60, 800...6000)
        powerLossEvery = often(50, 800...6000)
        allPowerLossEvery = often(40, 3000...15_000)
        crashInCallEvery = often(30, 800...6000)
        freezeEvery = often(50, 700...6000)
        cutEvery = often(60, 500...5000)
        stopEvery = often(30, 2000...8000)
        clockEvery = drift > 0 ? random.within(500...3000) : 0
        producers = random.within(1...4)
        consumers = random.within(1...3)
        committers = random.within(0...2)
        movers = random.within(0...2)
        let fast = random.within(1...20)
        pace = fast...(fast * 4)
        let moves = often(50, 200...4000)
        moveEvery = nodes > 1 ? moves : 0
    }

    var summary: String {
        "\(nodes) nodes, topics \(topics), lease \(lease) ms, session \(sessionTimeout) ms, "
            + "\(producers) producers, \(consumers) consumers, \(committers) committers, "
            + "\(movers) movers"
            + (moveEvery > 0 ? ", a move every \(moveEvery) ms" : "")
    }
}
