// The seam between a query and the threads that help with it.

import Synchronization

/// Threads that may help with queries. Who drives the core makes them: a pool of threads, or something
/// that calls the steps one after the other.
package protocol QueryWorkers: AnyObject, Sendable {
    /// The most threads that work on one query, its own among them. 1: nobody helps.
    var threadsMax: Int { get }

    /// Asks for up to `count` helpers. From the first `wake()` on each of them calls `step` again and
    /// again until it returns false: there is nothing to do then until the next `wake()`. Steps are
    /// short, so that helpers get around to other queries. It may be that nobody ever comes.
    func assign(_ count: Int, _ step: @escaping @Sendable () -> Bool) -> any HelperAssignment

    func makeSignal() -> any WorkSignal
}

/// Helpers of one piece of work.
package protocol HelperAssignment: AnyObject, Sendable {
    /// There is something to do.
    func wake()
    /// The query's thread is between two batches: helpers without threads may take their turns.
    func turn()
    /// No step begins any more, and those that were running have ended when this returns.
    func end()
}

extension HelperAssignment {
    package func turn() {}
}

/// What a query waits for when a helper has what it needs next. Safe from any thread.
package protocol WorkSignal: AnyObject, Sendable {
    /// How often it was raised.
    var count: UInt64 { get }
    func raise()
    /// Returns when it was raised more than `seen` times.
    func wait(beyond seen: UInt64)
}

/// Helpers that have no threads: they take turns with the query's own, a few steps at a time. What a query
/// does is then the same in every run, with as many parts side by side as with threads.
package final class TurnTakers: QueryWorkers {
    package let threadsMax: Int
    private let stepsMax: Int

    /// `stepsMax` for each helper and turn.
    package init(threads: Int, stepsMax: Int = 1) {
        precondition(threads > 0 && stepsMax >= 0, "a query has a thread of its own")
        threadsMax = threads
        self.stepsMax = stepsMax
    }

    package func assign(
        _ count: Int, _ step: @escaping @Sendable () -> Bool
    ) -> any HelperAssignment {
        Turns(steps: min(count, threadsMax - 1) * stepsMax, step)
    }

    package func makeSignal() -> any WorkSignal { NoSignal() }

    private final class Turns: HelperAssignment {
        private let steps: Int
        private let step: @Sendable () -> Bool
        private let isAwake = Atomic<Bool>(false)

        init(steps: Int, _ step: @escaping @Sendable () -> Bool) {
            self.steps = steps
            self.step = step
        }

        func wake() {
            isAwake.store(true, ordering: .relaxed)
            turn()
        }

        func turn() {
            guard isAwake.load(ordering: .relaxed) else { return }
            for _ in 0..<steps where !step() {
                isAwake.store(false, ordering: .relaxed)
                return
            }
        }

        func end() { isAwake.store(false, ordering: .relaxed) }
    }

    private final class NoSignal: WorkSignal {
        var count: UInt64 { 0 }
        func raise() {}
        func wait(beyond seen: UInt64) {
            preconditionFailure("without threads nobody is ever busy with what is needed next")
        }
    }
}
