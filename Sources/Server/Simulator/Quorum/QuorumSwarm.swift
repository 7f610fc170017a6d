import Base
import Quorum

/// What one seed makes of the quorum's simulation: sizes, times, and which faults come how often.
/// Each seed has only some of the faults, so that none hides what another would find.
struct QuorumSwarm {
    var voters: Int
    var observers: Int
    var hasWitness: Bool
    var raft = RaftSettings()
    var fileBytes: Int
    var snapshotAfterEntries: Int
    var retainedEntries: Int
    var noteDelay: Duration

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

    // Clocks. Wild ones break what leases rest on, so reads do not use them.
    var clocksAreWild: Bool

    // How often faults come, as a mean in milliseconds; 0 = never.
    var partitionEvery: Int
    var killEvery: Int
    var powerLossEvery: Int
    var allPowerLossEvery: Int
    var crashInCallEvery: Int
    var pauseEvery: Int
    var clockEvery: Int
    var wipeEvery: Int
    /// Of a hundred restarts, how many find a damaged disk.
    var rotPercent: Int
    var membershipEvery: Int
    var transferEvery: Int

    // The load.
    var proposalEvery: ClosedRange<Int>
    var readEvery: ClosedRange<Int>
    var payloadBytes: ClosedRange<Int>

    init(_ random: inout Random) {
        func often(_ percent: Int, _ range: ClosedRange<Int>) -> Int {
            let isOn = random.below(100) < percent
            let value = random.within(range)
            return isOn ? value : 0
        }
        voters = [1, 2, 3, 3, 3, 3, 4, 5, 5, 7][random.below(10)]
        observers = random.chance(1, in: 3) ? random.within(1...2) : 0
        hasWitness = voters >= 3 && random.chance(1, in: 5)
        let election = random.within(300...1200)
        raft.electionTimeout = .milliseconds(election)
        raft.heartbeatInterval = .milliseconds(election / random.within(4...8))
        raft.clockDriftPerMillion = Int64(random.within(0...50_000))
        raft.inFlightCountMax = random.within(2...8)
        raft.batchCountMax = random.within(8...64)
        raft.entryBytesMax = 4096
        raft.batchBytesMax = random.within(4096...65_536)
        raft.inFlightBytesMax = raft.batchBytesMax * random.within(1...4)
        raft.uncommittedCountMax = random.within(16...512)
        raft.uncommittedBytesMax = 1 << 20
        raft.chunkBytes = random.within(64...2048)
        raft.promotionLagMax = random.within(8...64)
        fileBytes = random.within(2...24) << 10
        snapshotAfterEntries = random.within(20...400)
        retainedEntries = random.chance(1, in: 2) ? 0 : random.within(1...60)
        noteDelay = .milliseconds(random.within(5...100))
        let fastest = random.within(50...2000) * 1000
        latency = fastest...(fastest + random.within(100...20_000) * 1000)
        drops = often(60, 100...150_000)
        duplicates = often(50, 100...100_000)
        stragglers = often(40, 100...50_000)
        encodes = random.chance(1, in: 4)
        let quickest = random.within(50...2000) * 1000
        syncLatency = quickest...(quickest + random.within(100...8000) * 1000)
        stalls = random.chance(1, in: 4)
        syncFailureOneIn = often(25, 200...3000)
        sectorBytes = [64, 512, 4096][random.below(3)]
        clocksAreWild = random.chance(1, in: 5)
        raft.readsByLease = !clocksAreWild && random.below(8) > 0
        partitionEvery = often(70, 600...6000)
        killEvery = often(50, 800...8000)
        powerLossEvery = often(60, 800...8000)
        allPowerLossEvery = often(30, 3000...12_000)
        crashInCallEvery = often(40, 800...6000)
        pauseEvery = often(40, 1000...8000)
        clockEvery = clocksAreWild ? random.within(500...4000) : 0
        let damages = voters >= 3 && !hasWitness
        wipeEvery = damages ? often(20, 4000...15_000) : 0
        rotPercent = damages ? often(35, 10...70) : 0
        membershipEvery = often(40, 500...5000)
        transferEvery = often(30, 500...6000)
        let pace = random.within(4...30)
        proposalEvery = pace...(pace * 3)
        readEvery = random.within(5...40)...100
        payloadBytes = 8...(random.chance(1, in: 4) ? 1500 : 120)
        if random.chance(1, in: 4) { becomeStormy(&random) }
    }

    /// Elections without end: short patience, slow and lying networks, cuts all the time. What goes
    /// wrong only when two nodes stand at once is found here.
    private mutating func becomeStormy(_ random: inout Random) {
        voters = random.within(3...5)
        observers = 0
        let election = random.within(120...300)
        raft.electionTimeout = .milliseconds(election)
        raft.heartbeatInterval = .milliseconds(election / 4)
        let fastest = random.within(100...3000) * 1000
        latency = fastest...(fastest + random.within(10_000...60_000) * 1000)
        drops = random.within(0...250_000)
        duplicates = random.within(50_000...400_000)
        stragglers = random.within(0...100_000)
        partitionEvery = random.within(150...900)
        if random.chance(1, in: 2) { powerLossEvery = random.within(400...2000) }
        proposalEvery = 15...60
    }

    /// Voters never get fewer, so that a damaged disk leaves a majority that can elect.
    var votersAtLeast: Int { wipeEvery > 0 || rotPercent > 0 ? 3 : 1 }

    var summary: String {
        "\(voters) voters, \(observers) observers\(hasWitness ? ", a witness" : ""), election "
            + "\(raft.electionTimeout.wholeMilliseconds) ms, \(clocksAreWild ? "wild clocks, " : "")"
            + "\(raft.readsByLease ? "leases" : "no leases"), drops \(drops), rot \(rotPercent) %"
    }
}
