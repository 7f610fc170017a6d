import Base
import Log
import Replica

/// What one seed makes of the simulation of replication: sizes, times, and which faults come how
/// often. Each seed has only some of the faults, so that none hides what another would find.
struct ReplicationSwarm {
    var brokers: Int
    var racks: Int
    /// Of each topic: partitions, replicas, `min.insync.replicas` (nil = the default).
    var topics: [(partitions: Int, factor: Int, minInSync: Int?)] = []
    var replica = ReplicaSettings()
    var store = LogStoreConfiguration()
    var partition = PartitionSettings()
    var sessionTimeout: Int
    var heartbeatEvery: Int
    var balanceEvery: Int
    /// Clocks are off by at most so many parts of a million.
    var drift: Int

    // The network: nanoseconds and parts of a million.
    var latency: ClosedRange<Int>
    var drops: Int
    var duplicates: Int
    /// Parts of a million that are late by up to two seconds.
    var stragglers: Int
    /// Messages go through their bytes.
    var encodes: Bool

    // The disk.
    var syncLatency: ClosedRange<Int>
    var stalls: Bool
    var syncFailureOneIn: Int
    var sectorBytes: Int

    // How often faults come, as a mean in milliseconds; 0 = never.
    var partitionEvery: Int
    var killEvery: Int
    var powerLossEvery: Int
    var allPowerLossEvery: Int
    var crashInCallEvery: Int
    var pauseEvery: Int
    var clockEvery: Int
    var controllerEvery: Int
    var wipeEvery: Int
    var leaveEvery: Int
    var deleteEvery: Int
    var configEvery: Int
    /// Of a hundred restarts, how many find a damaged segment or journal.
    var rotPercent: Int

    // The load.
    var producers: Int
    var consumers: Int
    var produceEvery: ClosedRange<Int>

    init(_ random: inout Random) {
        func often(_ percent: Int, _ range: ClosedRange<Int>) -> Int {
            let isOn = random.below(100) < percent
            let value = random.within(range)
            return isOn ? value : 0
        }
        brokers = [1, 2, 3, 3, 3, 3, 4, 5, 6, 9][random.below(10)]
        racks = random.within(1...3)
        let isPlain = brokers < 3 || random.chance(1, in: 3)
        for _ in 0..<random.within(1...2) {
            let factor =
                isPlain
                ? random.within(1...min(brokers, 4)) : min(brokers, [3, 3, 5][random.below(3)])
            let minInSync: Int? =
                isPlain && random.chance(1, in: 2) ? random.within(1...max(1, factor)) : nil
            topics.append((random.within(1...2), factor, minInSync))
        }
        sessionTimeout = random.within(600...2000)
        heartbeatEvery = sessionTimeout / random.within(4...8)
        balanceEvery = random.chance(1, in: 3) ? random.within(300...3000) : 300_000
        drift = random.chance(1, in: 2) ? 0 : random.within(0...100_000)
        replica.lease = .milliseconds(sessionTimeout * 7 / 10)
        replica.lagMax = .milliseconds(random.within(200...2000))
        replica.askTimeout = .milliseconds(random.within(30...200))
        replica.resendTimeout = .milliseconds(random.within(60...500))
        replica.proposalTimeout = .milliseconds(random.within(100...800))
        replica.heartbeatInterval = .milliseconds(random.within(20...80))
        replica.inFlightBytesMax = random.within(4...64) << 10
        replica.messageBytesMax = random.within(256...16_384)
        replica.turnBytesMax = random.within(400...4096)
        let isThrottled = random.chance(1, in: 4)
        replica.catchUpBytesPerSecond = isThrottled ? random.within(100...500) << 10 : nil
        store.journalFileBytes = [16 << 10, 32 << 10, 64 << 10][random.below(3)]
        store.journalFileCountMax = random.within(2...4)
        store.reserveBytes = 32 << 10
        store.tailCacheBytes = [0, 4 << 10, 1 << 20][random.below(3)]
        store.checkpointInterval = .milliseconds(Int64(random.within(20...400)))
        store.retentionCheckInterval = .milliseconds(Int64(random.within(50...300)))
        store.scrubInterval = .milliseconds(500)
        store.scrubStepInterval = .milliseconds(5)
        store.scrubStepBytes = 8 << 10
        store.directFromBytes = [Int.max, Int.max, 150, 400][random.below(4)]
        store.isReplicated = true
        partition.segmentBytes = [3 << 10, 16 << 10, 1 << 20][random.below(3)]
        partition.indexIntervalBytes = [64, 1024, 4096][random.below(3)]
        partition.retentionBytes = [-1, -1, -1, 30 << 10][random.below(4)]
        partition.fileDeleteDelayMilliseconds = 20
        let fastest = random.within(50...1000) * 1000
        latency = fastest...(fastest + random.within(100...10_000) * 1000)
        drops = often(60, 100...100_000)
        duplicates = often(50, 100...100_000)
        stragglers = often(40, 100...50_000)
        encodes = random.chance(1, in: 3)
        let quickest = random.within(50...1000) * 1000
        syncLatency = quickest...(quickest + random.within(100...5000) * 1000)
        stalls = random.chance(1, in: 4)
        syncFailureOneIn = often(20, 200...3000)
        sectorBytes = [64, 512, 4096][random.below(3)]
        partitionEvery = often(70, 300...3000)
        killEvery = often(50, 400...4000)
        powerLossEvery = often(60, 400...4000)
        allPowerLossEvery = often(40, 1500...8000)
        crashInCallEvery = often(40, 400...3000)
        pauseEvery = often(40, 500...4000)
        clockEvery = drift > 0 ? random.within(300...2000) : 0
        controllerEvery = often(40, 500...4000)
        // Losing a disk is survived where every record is on two of them.
        let isSafe = topics.allSatisfy {
            $0.factor >= 3 && ($0.minInSync ?? $0.factor - 1) >= 2
        }
        wipeEvery = isSafe ? often(40, 1500...6000) : 0
        rotPercent = isSafe ? often(40, 10...60) : 0
        leaveEvery = often(30, 1000...4000)
        deleteEvery = often(30, 500...3000)
        configEvery = isSafe ? 0 : often(40, 300...2000)
        producers = random.within(1...4)
        consumers = random.within(1...3)
        let pace = random.within(2...15)
        produceEvery = pace...(pace * 3)
        if random.chance(1, in: 3) { becomeStormy(&random, isSafe: isSafe) }
    }

    /// Leaders without rest: short sessions, a network that lies, cuts and new controllers all the
    /// time. What goes wrong only when one thing overtakes another is found here.
    private mutating func becomeStormy(_ random: inout Random, isSafe: Bool) {
        sessionTimeout = random.within(250...600)
        heartbeatEvery = sessionTimeout / random.within(4...6)
        replica.lease = .milliseconds(sessionTimeout * 7 / 10)
        replica.lagMax = .milliseconds(random.within(100...500))
        let fastest = random.within(100...2000) * 1000
        latency = fastest...(fastest + random.within(2000...20_000) * 1000)
        drops = random.within(0...150_000)
        duplicates = random.within(20_000...250_000)
        stragglers = random.within(0...60_000)
        partitionEvery = random.within(150...900)
        controllerEvery = random.within(300...3000)
        pauseEvery = random.chance(1, in: 2) ? random.within(300...1500) : 0
        killEvery = random.within(300...2000)
        if random.chance(1, in: 2) { powerLossEvery = random.within(300...2000) }
        if isSafe {
            wipeEvery = random.within(400...2500)
        } else {
            configEvery = random.within(150...1200)
        }
        producers = random.within(2...4)
        consumers = 3
        produceEvery = 2...10
    }

    var summary: String {
        "\(brokers) brokers, topics \(topics), session \(sessionTimeout) ms, drops \(drops), rot "
            + "\(rotPercent) %"
    }
}
