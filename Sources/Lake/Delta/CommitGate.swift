import Base
import Synchronization

/// Lets the commits of this process to one table happen one after the other, and those that wait
/// and only add files happen together: as one version, with one wait for the disk.
///
/// The turn is held while the store works; nothing else is locked meanwhile, and nobody who has the
/// turn waits for anything but the store.
final class CommitGate: Sendable {
    private let turn = Mutex<Int>(0)
    private let waiting = Mutex<[CommitTicket]>([])

    /// Runs `commit` when it is its turn.
    func alone<Outcome: Sendable>(
        _ commit: () throws(DeltaFailure) -> Outcome
    ) throws(DeltaFailure) -> Outcome {
        // The outcome leaves the lock as a value, because the closure's error type would otherwise
        // have to be inferred.
        let result = turn.withLock { _ -> Result<Outcome, DeltaFailure> in
            do throws(DeltaFailure) {
                return .success(try commit())
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Has `ticket` committed, by this call or by another one that came to its turn earlier.
    /// `commit` gets all that wait, in the order in which they came, and gives each its outcome.
    func together(
        _ ticket: CommitTicket, _ commit: ([CommitTicket]) -> Void
    ) throws(DeltaFailure) -> Int64 {
        waiting.withLock { $0.append(ticket) }
        turn.withLock { _ in
            if ticket.isDone { return }
            let all = waiting.withLock { waiting in
                defer { waiting = [] }
                return waiting
            }
            commit(all)
        }
        return try ticket.outcome()
    }
}

/// A transaction that waits for its turn, and what became of it.
final class CommitTicket: Sendable {
    let transaction: TableTransaction
    let operation: CommitOperation
    let now: Now
    private let result = Mutex<Result<Int64, DeltaFailure>?>(nil)

    init(_ transaction: TableTransaction, _ operation: CommitOperation, now: Now) {
        self.transaction = transaction
        self.operation = operation
        self.now = now
    }

    var isDone: Bool { result.withLock { $0 != nil } }

    func finish(_ outcome: Result<Int64, DeltaFailure>) { result.withLock { $0 = outcome } }

    func outcome() throws(DeltaFailure) -> Int64 {
        guard let outcome = result.withLock({ $0 }) else {
            preconditionFailure("a ticket has an outcome when its turn is over")
        }
        return try outcome.get()
    }
}
