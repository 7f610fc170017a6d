import Base

/// What a query may use while it runs: its time, its randomness, its memory, and word that it
/// should stop. Belongs to one thread.
package final class QueryContext {
    /// The time of the statement, or of the epoch.
    package let now: Now
    package let memory: MemoryBudget
    package var random: Random
    package let zones: TimeZoneTable
    private let isCancelled: () -> Bool

    package init(
        now: Now, random: Random = Random(seed: 0),
        zones: any TimeZoneSource = NoTimeZones(), memoryBytes: Int = Limits.queryBytes,
        isCancelled: @escaping () -> Bool = { false }
    ) {
        self.now = now
        self.random = random
        self.zones = TimeZoneTable(zones)
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

/// Counts what the operators of one query hold. Operators reserve before they grow and release
/// when they are done; a query that asks for too much ends with error 53200 instead of taking the
/// process down.
package final class MemoryBudget {
    package let limit: Int
    package private(set) var used = 0
    package private(set) var peak = 0

    package init(limit: Int) { self.limit = limit }

    package func reserve(_ bytes: Int, for operation: String) throws(Problem) {
        precondition(bytes >= 0, "only positive amounts are reserved")
        guard bytes <= limit - used else {
            throw SQLErrors.outOfMemory(operation, limit: limit)
        }
        used += bytes
        peak = max(peak, used)
    }

    package func release(_ bytes: Int) {
        precondition(bytes >= 0 && bytes <= used, "released is at most what was reserved")
        used -= bytes
    }
}

/// The part of a budget that one operator holds; grows and shrinks with what it keeps.
final class MemoryShare {
    private let budget: MemoryBudget
    private let operation: String
    private(set) var held = 0

    init(_ budget: MemoryBudget, for operation: String) {
        self.budget = budget
        self.operation = operation
    }

    /// Sets the share to `bytes`.
    func resize(to bytes: Int) throws(Problem) {
        if bytes > held {
            try budget.reserve(bytes - held, for: operation)
        } else {
            budget.release(held - bytes)
        }
        held = bytes
    }

    func grow(by bytes: Int) throws(Problem) { try resize(to: held + bytes) }

    deinit { budget.release(held) }
}
