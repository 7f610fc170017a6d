import Base
import Synchronization

/// Counts what the operators of one query hold. Operators reserve before they grow and release
/// when they are done. Who can't grow any more spills rows to the scratch disk, or ends the query
/// with error 53200 instead of taking the process down.
///
/// Operators that can spill get a minimum each, so that those which begin late find enough to work
/// with, whatever the early ones hold.
///
/// Each thread that works on the query has a budget object of its own over the same account.
package final class MemoryBudget {
    private final class Account: Sendable {
        struct Figures: Sendable {
            var used = 0
            var peak = 0
            var spilledBytes: Int64 = 0
            /// What shares may still take up to their minimum.
            var promised = 0
        }

        let limit: Int
        let figures = Mutex(Figures())

        init(limit: Int) { self.limit = limit }
    }

    private let account: Account
    /// What was taken by way of this object.
    private(set) var own = 0

    package convenience init(limit: Int) { self.init(Account(limit: limit)) }

    private init(_ account: Account) { self.account = account }

    /// The same budget for another thread. May be called by any.
    func shared() -> MemoryBudget { MemoryBudget(account) }

    package var limit: Int { account.limit }
    package var used: Int { account.figures.withLock { $0.used } }
    package var peak: Int { account.figures.withLock { $0.peak } }
    /// Bytes that rows took on the scratch disk.
    package var spilledBytes: Int64 { account.figures.withLock { $0.spilledBytes } }

    /// The minimum of an operator that can spill.
    fileprivate var minimum: Int { min(4 << 20, limit / 32) }

    /// Takes `bytes` from the budget, or gives them back when negative; `promise` changes what is
    /// promised. False, and nothing taken, when others hold or were promised too much.
    fileprivate func move(_ bytes: Int, promise: Int) -> Bool {
        if bytes == 0, promise == 0 { return true }
        let limit = limit
        let isMoved = account.figures.withLock { figures in
            if bytes > 0, figures.used + bytes + figures.promised + promise > limit { return false }
            figures.used += bytes
            figures.promised += promise
            figures.peak = max(figures.peak, figures.used)
            return true
        }
        if isMoved { own += bytes }
        return isMoved
    }

    /// Promises `bytes` if no more than half of the budget is promised then.
    fileprivate func promise(_ bytes: Int) -> Bool {
        let limit = limit
        return account.figures.withLock { figures in
            guard figures.promised + bytes <= limit / 2,
                figures.used + figures.promised + bytes <= limit
            else { return false }
            figures.promised += bytes
            return true
        }
    }

    func spilled(_ bytes: Int64) { account.figures.withLock { $0.spilledBytes += bytes } }
}

extension Array {
    /// About how many elements the array has room for, the same in every run: arrays grow by doubling,
    /// and how much more the allocator gives is not ours to count.
    var heldCount: Int { count < 2 ? count : 1 << (Int.bitWidth - (count - 1).leadingZeroBitCount) }
}

/// The part of a budget that one operator holds; grows and shrinks with what it keeps.
final class MemoryShare {
    private let budget: MemoryBudget
    private let operation: String
    private(set) var held = 0
    /// What the share may take at any time.
    private var minimum = 0

    /// `canSpill`: a minimum is promised; `least` is another one than usual.
    init(
        _ budget: MemoryBudget, for operation: String, canSpill: Bool = false, least: Int? = nil
    ) {
        self.budget = budget
        self.operation = operation
        let wanted = least ?? budget.minimum
        if canSpill, budget.promise(wanted) { minimum = wanted }
    }

    /// Sets the share to `bytes` if the budget allows it.
    func fits(_ bytes: Int) -> Bool {
        let promise = max(0, minimum - bytes) - max(0, minimum - held)
        guard budget.move(bytes - held, promise: promise) else { return false }
        held = bytes
        return true
    }

    /// Sets the share to `bytes`.
    func resize(to bytes: Int) throws(Problem) {
        if !fits(bytes) { throw SQLErrors.outOfMemory(operation, limit: budget.limit) }
    }

    func grow(by bytes: Int) throws(Problem) { try resize(to: held + bytes) }

    /// Nothing is held any more, and nothing will be.
    func end() {
        _ = budget.move(-held, promise: -max(0, minimum - held))
        (held, minimum) = (0, 0)
    }

    deinit { end() }
}
