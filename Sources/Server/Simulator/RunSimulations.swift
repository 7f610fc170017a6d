import Base
import Log

/// Runs the log of one node from one seed: the same seed gives the same result in every build.
package func simulateLog(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = LogSimulation(seed: seed, options: options)
    return simulation.run()
}

/// Runs one broker and its clients over real frames from one seed.
package func simulateOneNode(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = NodeSimulation(seed: seed, options: options)
    return simulation.run()
}

/// Runs one broker and its transactional producers over real frames from one seed.
package func simulateTransactions(
    seed: UInt64, options: SimulationOptions
) -> SimulationResult {
    var simulation = TransactionSimulation(seed: seed, options: options)
    return simulation.run()
}

/// Runs many seeds, each for the log alone, for a whole node, for groups of both kinds and for
/// transactions, and reports what goes wrong. Returns how many seeds failed.
package func runSimulations(
    seeds: Range<UInt64>, options: SimulationOptions, report: (String) -> Void
) -> Int {
    var failed = 0
    var total = SimulationResult(seed: 0)
    for seed in seeds {
        var hasFailed = false
        for (what, simulate) in [
            ("log", simulateLog), ("node", simulateOneNode), ("groups", simulateGroups),
            ("transactions", simulateTransactions), ("shares", simulateShares),
        ] {
            let result = simulate(seed, options)
            total.add(result)
            guard !result.anomalies.isEmpty else { continue }
            hasFailed = true
            report(
                "seed \(seed), \(what) (trace \(hex(result.traceHash))): "
                    + result.anomalies.joined(separator: "; "))
        }
        if hasFailed { failed += 1 }
    }
    report(
        "\(seeds.count) seeds, \(failed) with anomalies; \(total.events) events, "
            + "\(total.acknowledged) batches acknowledged, \(total.crashes) crashes, "
            + "\(total.powerLosses) power losses, \(total.failedSyncs) failed syncs, "
            + "\(total.damagedPartitions) partitions damaged on purpose, "
            + "\(total.cleanings) cleanings")
    return failed
}

extension SimulationResult {
    /// Adds the counts of another run.
    mutating func add(_ other: SimulationResult) {
        events += other.events
        acknowledged += other.acknowledged
        crashes += other.crashes
        powerLosses += other.powerLosses
        failedSyncs += other.failedSyncs
        damagedPartitions += other.damagedPartitions
        cleanings += other.cleanings
    }
}
