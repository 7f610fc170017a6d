import Base

/// What a query may use while it runs: its time, its randomness, its memory, and word that it
/// should stop. Belongs to one thread.
package final class QueryContext {
    /// The time of the statement, or of the epoch.
    package let now: Now
    package let memory: MemoryBudget
    /// Where rows wait that do not fit into the memory; nil when they have nowhere to go.
    package let scratch: ScratchSpace?
    package var random: Random
    package let zones: TimeZoneTable
    private let isCancelled: () -> Bool

    package init(
        now: Now, random: Random = Random(seed: 0),
        zones: any TimeZoneSource = NoTimeZones(), memoryBytes: Int = Limits.queryBytes,
        scratch: ScratchSpace? = nil, isCancelled: @escaping () -> Bool = { false }
    ) {
        self.now = now
        self.random = random
        self.zones = TimeZoneTable(zones)
        self.scratch = scratch
        memory = MemoryBudget(limit: memoryBytes)
        self.isCancelled = isCancelled
    }

    /// What words and names of zones mean in dates.
    var clock: DateTimeText.WallClock {
        DateTimeText.WallClock(microseconds: now.wallMicroseconds, zones: zones)
    }

    /// Called by every operator for every batch.
    package func checkCancellation() throws(Problem) {
        if isCancelled() { throw SQLErrors.cancelled }
    }
}
