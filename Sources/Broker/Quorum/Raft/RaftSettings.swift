import Base

/// The times and bounds of the quorum. Relations that matter are checked by `isSound`.
package struct RaftSettings: Sendable {
    /// A follower waits between one and two of these without a leader before it stands for
    /// election. For one of these after it has heard of a leader it votes for nobody else.
    package var electionTimeout: Duration = .seconds(1)
    package var heartbeatInterval: Duration = .milliseconds(150)
    /// How much faster than another's the clock of a node may run, in millionths. Leases are
    /// shorter by that much. Beyond it reads by lease may be stale: then switch them off.
    package var clockDriftPerMillion: Int64 = 10_000
    /// Off: every read asks a majority.
    package var readsByLease = true
    /// Appends on their way to one follower.
    package var inFlightCountMax = 8
    package var inFlightBytesMax = 4 << 20
    /// Entries and bytes of one append.
    package var batchCountMax = 1024
    package var batchBytesMax = 512 << 10
    /// One entry's content.
    package var entryBytesMax = 1 << 20
    /// What may wait for its commit: proposals beyond are refused.
    package var uncommittedCountMax = 8192
    package var uncommittedBytesMax = 16 << 20
    /// Reads that may wait for their confirmation.
    package var pendingReadsMax = 4096
    /// Content of one chunk of a snapshot.
    package var chunkBytes = 256 << 10
    /// An observer may become a voter when it lacks no more entries than this.
    package var promotionLagMax = 256
    /// This node keeps no contents.
    package var isWitness = false

    package init() {}

    /// How long a leader may answer alone after a majority heard of it: shorter than the time
    /// for which those who heard of it vote for nobody else, by their clocks.
    package var leaseDuration: Duration {
        let base = electionTimeout.wholeNanoseconds
        // Both clocks may be off, in opposite directions.
        return .nanoseconds(base - base / 1_000_000 * 2 * clockDriftPerMillion - base / 50)
    }

    package var isSound: Bool {
        heartbeatInterval * 3 <= electionTimeout && leaseDuration > heartbeatInterval
            && inFlightCountMax > 0 && batchCountMax > 0 && entryBytesMax <= batchBytesMax * 4
            && batchBytesMax <= inFlightBytesMax && uncommittedBytesMax >= entryBytesMax
            && chunkBytes > 0 && chunkBytes <= QuorumMessage.chunkBytesMax
            && entryBytesMax <= QuorumMessage.entryBytesMax
            && batchCountMax <= QuorumMessage.entryCountMax
    }
}
