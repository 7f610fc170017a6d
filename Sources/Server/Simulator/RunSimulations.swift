import Base
import Log

/// Runs the log of one node from one seed: the same seed gives the same result in every build.
package func simulateLog(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = LogSimulation(seed: seed, options: options)
    return simulation.run()
}

/// Runs many seeds and reports what goes wrong. Returns how many seeds failed.
package func runSimulations(
    seeds: Range<UInt64>, planted: PlantedBug, report: (String) -> Void
) -> Int {
    var options = SimulationOptions()
    options.planted = planted
    var failed = 0
    var total = SimulationResult(seed: 0)
    for seed in seeds {
        let result = simulateLog(seed: seed, options: options)
        total.events += result.events
        total.acknowledged += result.acknowledged
        total.crashes += result.crashes
        total.powerLosses += result.powerLosses
        total.failedSyncs += result.failedSyncs
        total.damagedPartitions += result.damagedPartitions
        guard !result.anomalies.isEmpty else { continue }
        failed += 1
        report(
            "seed \(seed) (trace \(hex(result.traceHash))): "
                + result.anomalies.joined(separator: "; "))
    }
    report(
        "\(seeds.count) seeds, \(failed) with anomalies; \(total.events) events, "
            + "\(total.acknowledged) batches acknowledged, \(total.crashes) crashes, "
            + "\(total.powerLosses) power losses, \(total.failedSyncs) failed syncs, "
            + "\(total.damagedPartitions) damaged partitions")
    return failed
}
