import Base
import Engine

/// The threads of a node that help with queries. They take turns: after each step of one query comes the
/// next query that wants help. Nobody waits for them: a query does what no helper has begun itself.
///
/// The threads are started with the first query that wants help. Whoever makes the pool stops it, when
/// no query is running any more.
package final class QueryPool: QueryWorkers {
    package let threadsMax: Int
    private let niceness: Int32
    private let reserve: ProcessorReserve?
    private let state = Monitor(State())

    private struct State {
        var threads: [SystemThread] = []
        var assignments: [Assignment] = []
        /// Whose turn it is.
        var next = 0
        var isStopping = false
    }

    /// `threadsMax` work on one query, its own thread among them.
    package init(threadsMax: Int, niceness: Int32, reserve: ProcessorReserve? = nil) {
        precondition(threadsMax > 0, "a query has a thread of its own")
        self.threadsMax = threadsMax
        self.niceness = niceness
        self.reserve = reserve
    }

    /// As many as there are processors, up to a limit.
    package static var threadsByDefault: Int {
        min(SystemThread.processorCount, Limits.queryThreads)
    }

    /// The pool for a setting; nil when queries have no helpers.
    package static func helping(
        threadsMax: Int, niceness: Int32, reserve: ProcessorReserve? = nil
    ) -> QueryPool? {
        threadsMax > 1
            ? QueryPool(threadsMax: threadsMax, niceness: niceness, reserve: reserve) : nil
    }

    /// What helpers do for one query. Its properties are reached under the pool's lock only.
    private final class Assignment: HelperAssignment, @unchecked Sendable {
        // Sound: see above; `pool` and `step` do not change.
        private let pool: Monitor<State>
        fileprivate let step: @Sendable () -> Bool
        fileprivate let count: Int
        fileprivate var running = 0
        /// How often somebody said that there is something to do.
        fileprivate var wakes = 0
        fileprivate var isIdle = true
        fileprivate var hasEnded = false

        init(_ pool: Monitor<State>, _ count: Int, _ step: @escaping @Sendable () -> Bool) {
            self.pool = pool
            self.count = count
            self.step = step
        }

        fileprivate var wantsHelp: Bool { !isIdle && running < count }

        func wake() {
            pool.change { _ in
                wakes += 1
                isIdle = false
            }
        }

        func end() {
            pool.withLock { state in
                if let place = state.assignments.firstIndex(where: { $0 === self }) {
                    state.assignments.remove(at: place)
                }
                hasEnded = true
            }
            _ = pool.wait { _ in running == 0 ? true : nil }
        }
    }

    package func assign(
        _ count: Int, _ step: @escaping @Sendable () -> Bool
    ) -> any HelperAssignment {
        let assignment = Assignment(state, min(count, threadsMax - 1), step)
        state.withLock { state in
            state.assignments.append(assignment)
            guard state.threads.isEmpty, !state.isStopping else { return }
            let pool = self.state
            state.threads = (1..<threadsMax).map { number in
                SystemThread(
                    name: "weir-query-\(number)", niceness: niceness, reserve: reserve
                ) { Self.work(pool) }
            }
        }
        return assignment
    }

    private static func work(_ pool: Monitor<State>) {
        while true {
            let found: (Assignment, Int)?? = pool.wait { state in
                if state.isStopping { return .some(nil) }
                for turn in state.assignments.indices {
                    let place = (state.next + turn) % state.assignments.count
                    let assignment = state.assignments[place]
                    guard assignment.wantsHelp else { continue }
                    state.next = place + 1
                    assignment.running += 1
                    return .some((assignment, assignment.wakes))
                }
                return nil
            }
            guard case .some(.some((let assignment, let wakes))) = found else { return }
            let goesOn = assignment.step()
            let isAwaited = pool.withLock { _ in
                // Who was woken meanwhile looks once more.
                if !goesOn, assignment.wakes == wakes { assignment.isIdle = true }
                assignment.running -= 1
                return assignment.hasEnded && assignment.running == 0
            }
            if isAwaited { pool.change { _ in } }
        }
    }

    package func makeSignal() -> any WorkSignal { Signal() }

    private final class Signal: WorkSignal {
        private let raised = Monitor<UInt64>(0)

        var count: UInt64 { raised.withLock { $0 } }
        func raise() { raised.change { $0 += 1 } }
        func wait(beyond seen: UInt64) { _ = raised.wait { $0 > seen ? true : nil } }
    }

    /// Ends the threads. Queries go on without them.
    package func stop() {
        let threads = state.change { state in
            state.isStopping = true
            defer { state.threads = [] }
            return state.threads
        }
        for thread in threads { thread.join() }
    }
}
