import Base
import Synchronization

/// What the commits of a branch have read of its table.
final class BranchReads: Sendable {
    let scope: Mutex<ReadScope>

    init(_ scope: ReadScope = ReadScope()) { self.scope = Mutex(scope) }

    func add(_ reads: ReadScope) {
        scope.withLock { scope in
            scope.everything = scope.everything || reads.everything
            scope.ranges += reads.ranges
        }
    }
}

/// A table from one version on, for a transaction of several statements: each of them commits to the
/// branch and sees what those before it did; nobody else does. At the end all of it becomes one
/// version of the table, or none.
///
/// Safe from any thread; one statement changes it at a time.
package final class TableBranch: Sendable {
    private struct State: Sendable {
        var table: DeltaTable
        var reads: BranchReads
    }

    /// The version that the branch begins at.
    package let base: TableSnapshot
    private let trunk: DeltaTable
    private let store: BranchStore
    private let state: Mutex<State>

    /// A branch of `trunk` from `base` on, one of its versions.
    package init(of trunk: DeltaTable, at base: TableSnapshot) {
        self.trunk = trunk
        self.base = base
        store = BranchStore(trunk.store, log: trunk.log, base: base)
        let reads = BranchReads()
        state = Mutex(
            State(table: DeltaTable(branching: trunk, store, base, reads), reads: reads))
    }

    /// The table as the branch has it.
    package var table: DeltaTable { state.withLock { $0.table } }

    /// Whether anything was committed to the branch.
    package var isChanged: Bool { newest.version > base.version }

    private var newest: TableSnapshot { table.cachedSnapshot ?? base }

    /// Whether the commits of several statements can become one: changes of single rows and numbers
    /// of rows are written for each version.
    package var canMerge: Bool { Self.canMerge(base) }

    private static func canMerge(_ snapshot: TableSnapshot) -> Bool {
        !snapshot.metadata.flag("delta.enableChangeDataFeed") && !snapshot.tracksRows
    }

    // MARK: Places to come back to

    package struct Mark: Sendable {
        fileprivate let snapshot: TableSnapshot
        fileprivate let reads: ReadScope
    }

    package func mark() -> Mark {
        let reads = state.withLock { $0.reads }
        return Mark(snapshot: newest, reads: reads.scope.withLock { $0 })
    }

    /// Undoes what was committed behind `mark`.
    package func goBack(to mark: Mark) {
        store.forget(after: mark.snapshot.version)
        let reads = BranchReads(mark.reads)
        let table = DeltaTable(branching: trunk, store, mark.snapshot, reads)
        state.withLock { $0 = State(table: table, reads: reads) }
    }

    /// A mark from which nothing is left.
    package var beginning: Mark { Mark(snapshot: base, reads: ReadScope()) }

    // MARK: The end

    /// Makes all of the branch one version of the table and returns it; nil when there is nothing.
    /// Throws `conflict`, and nothing happened, when others have changed what it depends on.
    package func merge(
        _ operation: CommitOperation, random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        guard isChanged else { return nil }
        precondition(canMerge, "the statements of a transaction become one version")
        let reads = state.withLock { $0.reads }.scope.withLock { $0 }
        var transaction = TableTransaction(
            table: trunk, snapshot: base, random: random.fork())
        transaction.take(newest, reads: reads, now: now)
        if transaction.isEmpty { return nil }
        return try transaction.commit(operation, now: now)
    }

    /// Removes the files that the branch has written; those that can't be removed VACUUM finds.
    package func dropFiles() { try? trunk.store.delete(all: store.written) }
}
