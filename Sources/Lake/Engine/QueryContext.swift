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
    /// What random() gives once setseed() was called in the session.
    private(set) var seeded: SeededRandom?
    private let keepSeeded: (SeededRandom) -> Void
    package let zones: TimeZoneTable
    /// Who helps with the query; nil: its own thread does everything.
    let workers: (any QueryWorkers)?
    /// The most threads that work on the query, its own among them.
    let threadsMax: Int
    /// Scans of fewer rows are not divided.
    let dividedFromRows: Int64
    private let zoneSource: any TimeZoneSource
    private let isCancelled: @Sendable () -> Bool
    /// Ends another query by its id; whether there was one.
    private let cancelQuery: (String) -> Bool

    package init(
        now: Now, random: Random = Random(seed: 0),
        zones: any TimeZoneSource = NoTimeZones(), memoryBytes: Int = Limits.queryBytes,
        scratch: ScratchSpace? = nil, workers: (any QueryWorkers)? = nil,
        threadsMax: Int = .max, dividedFromRows: Int64 = Limits.dividedFromRows,
        seeded: SeededRandom? = nil,
        keepSeeded: @escaping (SeededRandom) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false },
        cancelQuery: @escaping (String) -> Bool = { _ in false }
    ) {
        self.workers = workers
        self.threadsMax = min(threadsMax, workers?.threadsMax ?? 1)
        self.dividedFromRows = dividedFromRows
        zoneSource = zones
        self.cancelQuery = cancelQuery
        self.seeded = seeded
        self.keepSeeded = keepSeeded
        self.now = now
        self.random = random
        self.zones = TimeZoneTable(zones)
        self.scratch = scratch
        memory = MemoryBudget(limit: memoryBytes)
        self.isCancelled = isCancelled
    }

    /// What a part of `whole` may use, on any thread. `isStopped`: the part is not needed any more.
    private init(of whole: QueryContext, isStopped: @escaping @Sendable () -> Bool) {
        now = whole.now
        memory = whole.memory.shared()
        scratch = whole.scratch
        // Nothing that needs chance or ends other queries is done in parts.
        random = Random(seed: 0)
        keepSeeded = { _ in }
        cancelQuery = { _ in false }
        zoneSource = whole.zoneSource
        zones = TimeZoneTable(whole.zoneSource)
        workers = nil
        threadsMax = 1
        dividedFromRows = whole.dividedFromRows
        isCancelled = { [isCancelled = whole.isCancelled] in isStopped() || isCancelled() }
    }

    /// The context of a part that is read beside others. May be called by any thread.
    func ofPart(isStopped: @escaping @Sendable () -> Bool) -> QueryContext {
        QueryContext(of: self, isStopped: isStopped)
    }

    /// What words and names of zones mean in dates.
    var clock: DateTimeText.WallClock {
        DateTimeText.WallClock(microseconds: now.wallMicroseconds, zones: zones)
    }

    /// From now on random() follows `random`, also in later statements of the session.
    func seed(_ random: SeededRandom) {
        seeded = random
        keepSeeded(random)
    }

    func cancel(query id: String) -> Bool { cancelQuery(id) }

    /// Called by every operator for every batch.
    package func checkCancellation() throws(Problem) {
        if isCancelled() { throw SQLErrors.cancelled }
    }

    /// Called in loops over many rows: looks every 65,536 of them, which are some milliseconds.
    @inline(__always)
    func checkCancellation(inLoopAt row: Int) throws(Problem) {
        if row & 0xFFFF == 0xFFFF { try checkCancellation() }
    }
}
