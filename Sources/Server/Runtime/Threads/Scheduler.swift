import Base
import Synchronization

/// Runs jobs again and again on a worker pool. A job never overlaps itself: its next period begins
/// when it has ended. Whoever makes the scheduler stops it, before the pool.
package final class Scheduler: Sendable {
    package typealias Job = @Sendable (Cancellation) -> Void

    fileprivate struct Entry {
        var id: Int
        var period: Duration
        var job: Job
        var due: Instant
        var isRunning = false
        /// Asked for while it ran: once more right after.
        var isWantedAgain = false
        let cancellation = Cancellation()
    }

    fileprivate struct State: Sendable {
        var entries: [Entry] = []
        var nextID = 0
        var isStopping = false
    }

    fileprivate let state = Monitor(State())
    private let pool: WorkerPool
    private let log: any Diagnostics
    private let thread: Monitor<SystemThread?>

    package init(pool: WorkerPool, diagnostics: any Diagnostics) {
        self.pool = pool
        log = diagnostics
        thread = Monitor(nil)
        let started = SystemThread(name: "weir-schedule") { [state, pool, log] in
            Self.watch(state, pool, log)
        }
        thread.withLock { $0 = started }
    }

    /// Runs `job` every `period`, for the first time after `delay`.
    package func every(
        _ period: Duration, after delay: Duration = .zero, _ job: @escaping Job
    ) -> ScheduledJob {
        let due = SystemClock.monotonic + delay
        let id = state.change { state in
            let id = state.nextID
            state.nextID += 1
            state.entries.append(Entry(id: id, period: period, job: job, due: due))
            return id
        }
        return ScheduledJob(id: id, scheduler: self)
    }

    /// Ends the watching thread and cancels what runs. The pool's own stop waits for it.
    package func stop() {
        state.change { state in
            state.isStopping = true
            for entry in state.entries { entry.cancellation.cancel() }
        }
        let running = thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        running?.join()
    }

    private static func watch(
        _ state: Monitor<State>, _ pool: WorkerPool, _ log: any Diagnostics
    ) {
        enum Step { case run([(id: Int, job: Job, cancellation: Cancellation)]), end }
        while true {
            let next = state.withLock { state in
                state.entries.filter { !$0.isRunning }.map(\.due).min() ?? .distantFuture
            }
            let step: Step? = state.wait(until: next) { state in
                if state.isStopping { return .end }
                let now = SystemClock.monotonic
                var due: [(id: Int, job: Job, cancellation: Cancellation)] = []
                for index in state.entries.indices
                where !state.entries[index].isRunning && state.entries[index].due <= now {
                    state.entries[index].isRunning = true
                    let entry = state.entries[index]
                    due.append((entry.id, entry.job, entry.cancellation))
                }
                if !due.isEmpty { return .run(due) }
                // Something earlier was added meanwhile: go round and wait for that.
                let earliest = state.entries.filter { !$0.isRunning }.map(\.due).min()
                return earliest ?? .distantFuture < next ? .run([]) : nil
            }
            switch step {
            case .end: return
            case .none: continue
            case .run(let due):
                for (id, job, cancellation) in due {
                    do throws(Problem) {
                        try pool.submit { _ in
                            if !cancellation.isCancelled { job(cancellation) }
                            finish(id, state)
                        }
                    } catch {
                        log.report(.warning, "scheduler", "a run was left out: \(error.message)")
                        finish(id, state)
                    }
                }
            }
        }
    }

    private static func finish(_ id: Int, _ state: Monitor<State>) {
        state.change { state in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return }
            if state.entries[index].cancellation.isCancelled {
                state.entries.remove(at: index)
                return
            }
            let again = state.entries[index].isWantedAgain
            let period = again ? .zero : state.entries[index].period
            state.entries[index].isRunning = false
            state.entries[index].isWantedAgain = false
            state.entries[index].due = SystemClock.monotonic + period
        }
    }
}

/// The handle of a job that a scheduler runs.
package struct ScheduledJob: Sendable {
    fileprivate let id: Int
    fileprivate let scheduler: Scheduler

    /// Runs it as soon as possible; if it runs now, once more after that.
    package func trigger() {
        scheduler.state.change { state in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return }
            if state.entries[index].isRunning {
                state.entries[index].isWantedAgain = true
            } else {
                state.entries[index].due = .zero
            }
        }
    }

    /// No further run; the one that runs now is told to end. With `waiting` it has ended afterwards
    /// (never from within the job itself).
    package func cancel(waiting: Bool = false) {
        scheduler.state.change { state in
            guard let index = state.entries.firstIndex(where: { $0.id == id }) else { return }
            state.entries[index].cancellation.cancel()
            if !state.entries[index].isRunning { state.entries.remove(at: index) }
        }
        guard waiting else { return }
        _ = scheduler.state.wait { state -> Bool? in
            guard let entry = state.entries.first(where: { $0.id == id }) else { return true }
            return entry.isRunning ? nil : true
        }
    }
}
