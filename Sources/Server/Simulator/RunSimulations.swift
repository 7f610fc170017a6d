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

/// What one seed is run for.
package enum SimulationKind: String, CaseIterable {
    case log, node, groups, transactions, shares, quorum, replication, cluster

    func run(seed: UInt64, options: SimulationOptions) -> SimulationResult {
        switch self {
        case .log: simulateLog(seed: seed, options: options)
        case .node: simulateOneNode(seed: seed, options: options)
        case .groups: simulateGroups(seed: seed, options: options)
        case .transactions: simulateTransactions(seed: seed, options: options)
        case .shares: simulateShares(seed: seed, options: options)
        case .quorum: simulateQuorum(seed: seed, options: options)
        case .replication: simulateReplication(seed: seed, options: options)
        case .cluster: simulateCluster(seed: seed, options: options)
        }
    }
}

/// Runs many seeds, each for the log alone, for a whole node, for groups, for transactions, for
/// share groups, for the metadata quorum, for replication and for a cluster of whole nodes (or for some
/// of them), and reports what goes wrong. Returns how many seeds failed.
package func runSimulations(
    seeds: Range<UInt64>, kinds: [SimulationKind] = SimulationKind.allCases,
    options: SimulationOptions, report: (String) -> Void
) -> Int {
    var failed = 0
    var total = SimulationResult(seed: 0)
    for seed in seeds {
        var hasFailed = false
        for kind in kinds {
            let result = kind.run(seed: seed, options: options)
            total.add(result)
            guard !result.anomalies.isEmpty else { continue }
            hasFailed = true
            report(
                "seed \(seed), \(kind.rawValue) (trace \(hex(result.traceHash))): "
                    + result.anomalies.joined(separator: "; ")
                    + "\n  repeat: weir sim run --only \(kind.rawValue) --seed \(seed) --count 1 --trace"
            )
        }
        if hasFailed { failed += 1 }
    }
    report(
        "\(seeds.count) seeds, \(failed) with anomalies; \(total.events) events, "
            + "\(total.acknowledged) batches acknowledged, \(total.crashes) crashes, "
            + "\(total.powerLosses) power losses, \(total.failedSyncs) failed syncs, "
            + "\(total.damagedPartitions) partitions damaged on purpose, "
            + "\(total.cleanings) cleanings, \(total.reads) reads, "
            + "\(total.simulatedNanoseconds / 1_000_000_000) s in simulated clusters")
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
        reads += other.reads
        simulatedNanoseconds += other.simulatedNanoseconds
    }
}
