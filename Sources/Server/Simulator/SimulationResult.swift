import Log

/// How long a simulation runs and what it may do.
package struct SimulationOptions {
    /// Events handled before the final check.
    package var eventCount = 300
    package var planted = PlantedBug.none
    /// Bits flip and files lose their ends while the node is down.
    package var allowsRot = true
    /// Told what happens, line by line; nil costs nothing. It changes nothing of the run.
    package var narrate: ((String) -> Void)?

    package init() {}
}

/// What came out of one seed.
package struct SimulationResult: Hashable, Sendable {
    package var seed: UInt64
    package var traceHash: UInt64 = 0
    /// What must not happen, one sentence each; empty is the goal.
    package var anomalies: [String] = []
    package var events = 0
    /// Batches that producers were told are durable.
    package var acknowledged = 0
    package var crashes = 0
    package var powerLosses = 0
    package var failedSyncs = 0
    package var damagedPartitions = 0
    /// Compactions that ran to their end.
    package var cleanings = 0
    /// Reads that were answered.
    package var reads = 0
    /// How long it was for those inside.
    package var simulatedNanoseconds: Int64 = 0

    package init(seed: UInt64) { self.seed = seed }
}
