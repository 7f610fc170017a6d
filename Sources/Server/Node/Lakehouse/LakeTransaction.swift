// Transactions of a session: statements that see one state of the tables and their own changes, and
// whose changes of one table become one version of it.

import Base
import Delta
import SQL
import Synchronization

/// A transaction that is open. Safe from any thread; one statement at a time.
final class LakeTransaction: Sendable {
    private struct State: Sendable {
        /// The time of its first statement; nil before.
        var started: Now?
        var lastUsed: Instant
        /// Of tables that were open at its first statement the versions that were known then.
        var versions: OrderedMap<String, Int64> = [:]
        /// By the folder of the table.
        var branches: OrderedMap<String, TableBranch> = [:]
        var changed: Changed?
        /// Oldest first; the same name may come again.
        var savepoints: [Savepoint] = []
        var isFailed = false
        var isReadOnly = false
        var isBusy = false
        var isOver = false
    }

    struct Changed: Sendable {
        var table: Lakehouse.ChangedTable
        var branch: TableBranch
        /// What its statements did, in their order.
        var operations: [String] = []
    }

    private struct Savepoint: Sendable {
        var name: String
        /// nil when nothing was changed yet.
        var mark: TableBranch.Mark?
        var operations: [String]
    }

    private let state: Mutex<State>
    private static let savepointsMax = 1000

    init(isReadOnly: Bool, now: Instant) {
        state = Mutex(State(lastUsed: now, isReadOnly: isReadOnly))
    }

    // MARK: Statements

    /// Begins a statement. `versions` are asked for at the first one.
    func enter(_ now: Now, versions: () -> OrderedMap<String, Int64>) throws(Problem) {
        let problem: Problem? = state.withLock { state in
            if state.isFailed { return Self.aborted }
            if state.isBusy || state.isOver {
                return Problem(
                    "55006", "another statement of this transaction is running",
                    hint: "wait for its answer: a transaction is one statement after the other")
            }
            state.isBusy = true
            state.lastUsed = now.monotonic
            return nil
        }
        if let problem { throw problem }
        if state.withLock({ $0.started }) == nil {
            let versions = versions()
            state.withLock { state in
                state.started = now
                state.versions = versions
            }
        }
    }

    func leave(_ now: Now) {
        state.withLock { state in
            state.isBusy = false
            state.lastUsed = now.monotonic
        }
    }

    /// Nothing goes any more but going back.
    func fail() { state.withLock { $0.isFailed = true } }

    var isFailed: Bool { state.withLock { $0.isFailed } }
    var isReadOnly: Bool { state.withLock { $0.isReadOnly } }

    /// SET TRANSACTION READ ONLY, or READ WRITE, which can't be had back once something was read.
    func set(readOnly: Bool, position: Int) throws(Problem) {
        let isLate = state.withLock { state in
            if state.isReadOnly, !readOnly, !state.branches.isEmpty { return true }
            state.isReadOnly = readOnly
            return false
        }
        if isLate {
            throw Problem(
                "25001", "transaction read-write mode must be set before any query",
                position: position)
        }
    }

    /// What `now()` is in all of its statements.
    var started: Now? { state.withLock { $0.started } }

    /// Whether it has waited for `limit`, or is over already.
    func isIdle(for limit: Duration, now: Instant) -> Bool {
        state.withLock { !$0.isBusy && ($0.isOver || $0.lastUsed + limit <= now) }
    }

    static let aborted = Problem(
        "25P02",
        "current transaction is aborted, commands ignored until end of transaction block",
        hint: "ROLLBACK, or ROLLBACK TO a savepoint")

    // MARK: Tables

    /// The table as this transaction sees it.
    func table(_ table: DeltaTable) throws(Problem) -> DeltaTable { try branch(of: table).table }

    private func branch(of table: DeltaTable) throws(Problem) -> TableBranch {
        if let known = state.withLock({ $0.branches[table.path] }) { return known }
        let (started, version) = state.withLock { ($0.started, $0.versions[table.path]) }
        do throws(DeltaFailure) {
            let base = try Self.snapshot(of: table, at: started?.timestamp, known: version)
            let branch = TableBranch(of: table, at: base)
            return state.withLock { state in
                if let known = state.branches[table.path] { return known }
                state.branches[table.path] = branch
                return branch
            }
        } catch {
            throw error.problem
        }
    }

    /// The last version that was there at `moment`; what this node knew of then counts in any case,
    /// whatever the clocks say.
    private static func snapshot(
        of table: DeltaTable, at moment: Timestamp?, known: Int64?
    ) throws(DeltaFailure) -> TableSnapshot {
        let newest = try table.snapshot()
        guard let moment, newest.version != known, newest.timestamp > moment else { return newest }
        var version = known ?? 0
        do throws(DeltaFailure) {
            version = max(version, try table.version(at: moment))
        } catch {
            // It is younger than the transaction.
            guard case .timestampNotFound = error, known == nil else { throw error }
            return newest
        }
        return version == newest.version ? newest : try table.snapshot(version: version)
    }

    /// The table that a statement of the transaction changes: always the same one.
    func changing(
        _ found: Lakehouse.ChangedTable, _ operation: String, at position: Int
    ) throws(Problem) -> Lakehouse.ChangedTable {
        guard !isReadOnly else {
            throw Problem(
                "25006", "cannot execute \(operation) in a read-only transaction",
                position: position)
        }
        let branch = try branch(of: found.table)
        let problem: Problem? = state.withLock { state in
            if let changed = state.changed, changed.branch !== branch {
                return Problem(
                    "0A000",
                    "table \"\(found.name)\" cannot be changed here: the transaction changes"
                        + " table \"\(changed.table.name)\"",
                    notes: ["a transaction is one version of one table"],
                    hint: "COMMIT first, and change the other table in a transaction of its own",
                    position: position)
            }
            if !branch.canMerge {
                return Problem(
                    "0A000", "table \"\(found.name)\" cannot be changed in a transaction",
                    notes: ["it has a change data feed, or tracks its rows: of each version"],
                    hint: "change it outside of BEGIN … COMMIT", position: position)
            }
            if state.changed == nil { state.changed = Changed(table: found, branch: branch) }
            state.changed?.operations.append(operation)
            return nil
        }
        if let problem { throw problem }
        var changed = found
        changed.table = branch.table
        return changed
    }

    // MARK: Savepoints

    func savepoint(_ name: String) throws(Problem) {
        let isFull = state.withLock { state in
            guard state.savepoints.count < Self.savepointsMax else { return true }
            state.savepoints.append(
                Savepoint(
                    name: name, mark: state.changed?.branch.mark(),
                    operations: state.changed?.operations ?? []))
            return false
        }
        if isFull {
            throw Problem("53400", "the transaction has \(Self.savepointsMax) savepoints")
        }
    }

    /// Forgets a savepoint and those behind it; with `goingBack` their changes, too, and the
    /// savepoint itself stays.
    func release(_ name: Identifier, goingBack: Bool) throws(Problem) {
        let isKnown = state.withLock { state in
            guard let index = state.savepoints.lastIndex(where: { $0.name == name.name }) else {
                return false
            }
            if goingBack {
                let point = state.savepoints[index]
                if let changed = state.changed {
                    changed.branch.goBack(to: point.mark ?? changed.branch.beginning)
                }
                state.changed?.operations = point.operations
                if point.mark == nil { state.changed = nil }
                state.isFailed = false
            }
            state.savepoints.removeSubrange((goingBack ? index + 1 : index)...)
            return true
        }
        guard isKnown else {
            throw Problem(
                "3B001", "savepoint \"\(name.name)\" does not exist", position: name.position)
        }
    }

    // MARK: The end

    /// Commits the changes. The table that got a new version, if one did.
    func commit(
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Lakehouse.ChangedTable? {
        let changed = state.withLock { state in
            state.isOver = true
            return state.changed
        }
        guard let changed else { return nil }
        let names = changed.operations.reduce(into: [String]()) { names, name in
            if names.last != name { names.append(name) }
        }
        let operation = CommitOperation(
            names.count == 1 ? names[0] : "TRANSACTION",
            parameters: [
                JSONMember("statements", .string(String(changed.operations.count))),
                JSONMember("operations", .string(names.prefix(20).joined(separator: ", "))),
            ])
        do throws(DeltaFailure) {
            let version = try changed.branch.merge(operation, random: &random, now: now)
            if version == nil { changed.branch.dropFiles() }
            return version == nil ? nil : changed.table
        } catch {
            // After a failure of the store the version may be there all the same.
            if case .conflict = error { changed.branch.dropFiles() }
            throw error
        }
    }

    /// Undoes everything.
    func rollBack() {
        let changed = state.withLock { state in
            state.isOver = true
            return state.changed
        }
        changed?.branch.dropFiles()
    }
}

extension Lakehouse {
    /// BEGIN, COMMIT and their relatives.
    func transact(
        _ command: TransactionCommand, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        guard let session = options.session else {
            throw Problem("0A000", "a transaction needs a session", hint: "POST /sessions")
        }
        let open = try transaction(of: session)
        switch command {
        case .begin(let isReadOnly):
            if open?.isFailed == true { throw LakeTransaction.aborted }
            if open != nil {
                return StatementAnswer(
                    tag: command.tag, notices: ["there is already a transaction in progress"])
            }
            session.set(
                transaction: LakeTransaction(
                    isReadOnly: isReadOnly ?? session.isReadOnly, now: clock().monotonic))
            return StatementAnswer(tag: command.tag)
        case .commit, .rollback:
            guard let open else {
                return StatementAnswer(
                    tag: command.tag, notices: ["there is no transaction in progress"])
            }
            if open.isFailed || command == .rollback {
                session.set(transaction: nil)
                open.rollBack()
                return StatementAnswer(tag: "ROLLBACK")
            }
            return try commit(open, of: session)
        case .savepoint(let name):
            try inTransaction(open, command).savepoint(name.name)
        case .release(let name), .rollbackTo(let name):
            let isBack = command == .rollbackTo(name)
            guard let open else { throw Self.noTransaction(command) }
            if open.isFailed, !isBack { throw LakeTransaction.aborted }
            do throws(Problem) {
                try open.release(name, goingBack: isBack)
            } catch {
                open.fail()
                throw error
            }
        }
        return StatementAnswer(tag: command.tag)
    }

    private func inTransaction(
        _ open: LakeTransaction?, _ command: TransactionCommand
    ) throws(Problem) -> LakeTransaction {
        guard let open else { throw Self.noTransaction(command) }
        if open.isFailed { throw LakeTransaction.aborted }
        return open
    }

    private static func noTransaction(_ command: TransactionCommand) -> Problem {
        Problem(
            "25P01", "\(command.words) can only be used in transaction blocks",
            hint: "BEGIN begins one")
    }

    private func commit(
        _ transaction: LakeTransaction, of session: LakeSession
    ) throws(Problem) -> StatementAnswer {
        let now = clock()
        try transaction.enter(now, versions: { [:] })
        session.set(transaction: nil)
        var random = withRandom { $0.fork() }
        do throws(DeltaFailure) {
            if let changed = try transaction.commit(random: &random, now: now) {
                noteChange(changed)
            }
        } catch {
            var problem = error.statementProblem
            if problem.code == "40001" {
                problem.notes.append("the transaction was rolled back")
                problem.hint = "run it again"
            }
            throw problem
        }
        return StatementAnswer(tag: "COMMIT")
    }

    /// The open transaction of a session; one that was idle for too long is rolled back, and says so
    /// once.
    func transaction(of session: LakeSession?) throws(Problem) -> LakeTransaction? {
        guard let session, let open = session.transaction else { return nil }
        guard let limit = session.idleTransactionTimeout,
            open.isIdle(for: limit, now: clock().monotonic)
        else { return open }
        session.set(transaction: nil)
        open.rollBack()
        throw Problem(
            "25P03",
            "the transaction was rolled back: nothing came for longer than"
                + " idle_in_transaction_session_timeout",
            hint: "BEGIN it again, or SET idle_in_transaction_session_timeout = '1 h'")
    }

    /// Runs a statement in the transaction of its session, if there is one.
    func guarded<Outcome>(
        _ statement: Statement, _ options: StatementOptions,
        _ body: () throws(Problem) -> Outcome
    ) throws(Problem) -> Outcome {
        if case .transaction = statement { return try body() }
        guard let open = try transaction(of: options.session) else { return try body() }
        try open.enter(clock()) { knownVersions }
        defer { open.leave(clock()) }
        do throws(Problem) {
            return try body()
        } catch {
            open.fail()
            throw error
        }
    }

    /// `found` as the transaction of the statement changes it, if there is one.
    func changing(
        _ found: ChangedTable, _ operation: String, _ options: StatementOptions, at position: Int
    ) throws(Problem) -> ChangedTable {
        guard let open = options.session?.transaction else { return found }
        return try open.changing(found, operation, at: position)
    }

    /// Refuses what only reading does not allow, and what can't be undone.
    func requireAllowed(
        _ statement: Statement, _ options: StatementOptions
    ) throws(Problem) {
        guard let session = options.session else { return }
        if session.transaction?.isReadOnly ?? session.isReadOnly, statement.changesSomething {
            throw Problem(
                "25006", "cannot execute \(statement.tag) in a read-only transaction",
                hint: session.transaction == nil
                    ? "SET default_transaction_read_only = off" : nil)
        }
        guard session.transaction != nil else { return }
        switch statement {
        case .query, .explain, .insert, .delete, .update, .truncate, .show, .describe,
            .describeDetail, .describeFiles, .set, .reset, .transaction, .cancelQuery, .prepare,
            .execute, .deallocate:
            return
        case .copy(let copy) where copy.direction == .from: return
        case .merge(let merge) where !merge.evolvesSchema: return
        case .notSupported: return
        default:
            throw Problem(
                "25001", "\(statement.tag) cannot run inside a transaction block",
                hint: "COMMIT or ROLLBACK first")
        }
    }
}

extension Statement {
    /// Whether it changes anything but the session.
    fileprivate var changesSomething: Bool {
        switch self {
        case .query, .explain, .show, .describe, .describeDetail, .describeFiles, .checkTable, .set,
            .reset, .transaction, .cancelQuery, .prepare, .execute, .deallocate, .discardAll,
            .notSupported:
            false
        case .copy(let copy): copy.direction == .from
        case .repairTable(_, let isDryRun): !isDryRun
        default: true
        }
    }
}
