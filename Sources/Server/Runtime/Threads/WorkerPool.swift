import Base
import Synchronization

/// The wish that a piece of work ends early. The work looks at it at every batch.
package final class Cancellation: Sendable {
    private let flag = Atomic<Bool>(false)

    package init() {}

    package func cancel() { flag.store(true, ordering: .releasing) }
    package var isCancelled: Bool { flag.load(ordering: .acquiring) }
}

/// A fixed number of threads for work that may take long: queries, table commits, streaming epochs.
/// They run at lower priority than the loop. Whoever makes the pool stops it.
package final class WorkerPool: Sendable {
    package typealias Job = @Sendable (Cancellation) -> Void

    private struct State: Sendable {
        var waiting: [(cancellation: Cancellation, job: Job)] = []
        var head = 0
        var running: [Int: Cancellation] = [:]
        var isStopping = false
    }

    private let state = Monitor(State())
    private let capacity: Int
    private let threads: [SystemThread]

    /// With a `reserve` the jobs are queries, and their threads leave its processors alone.
    package init(
        name: String = "weir-work", threads count: Int = SystemThread.processorCount,
        capacity: Int = 4096, niceness: Int32 = 5, reserve: ProcessorReserve? = nil
    ) {
        precondition(count > 0 && capacity > 0, "a pool needs threads and room")
        self.capacity = capacity
        threads = (0..<count).map { [state] index in
            SystemThread(name: "\(name)-\(index)", niceness: niceness, reserve: reserve) {
                Self.work(index, state, reserve)
            }
        }
    }

    private static func work(
        _ index: Int, _ state: Monitor<State>, _ reserve: ProcessorReserve?
    ) {
        enum Step { case run(Cancellation, Job), end }
        while true {
            let step: Step? = state.wait { state in
                if state.head < state.waiting.count {
                    let next = state.waiting[state.head]
                    state.head += 1
                    if state.head == state.waiting.count || state.head > 1024 {
                        state.waiting.removeFirst(state.head)
                        state.head = 0
                    }
                    state.running[index] = next.cancellation
                    return .run(next.cancellation, next.job)
                }
                return state.isStopping ? .end : nil
            }
            guard case .run(let cancellation, let job) = step else { return }
            reserve?.queryBegins(at: SystemClock.monotonic)
            job(cancellation)
            reserve?.queryEnds(at: SystemClock.monotonic)
            state.withLock { $0.running[index] = nil }
        }
    }

    /// Queues a job, in order. A cancelled job still runs: it finds out at its first look, so that
    /// whoever waits for it hears from it. Fails when the pool is full or stopping.
    @discardableResult
    package func submit(_ job: @escaping Job) throws(Problem) -> Cancellation {
        let cancellation = Cancellation()
        let problem: Problem? = state.change { state in
            if state.isStopping { return Problem("server.stopping", "the server is stopping") }
            if state.waiting.count - state.head >= capacity {
                return Problem(
                    "server.busy", "\(capacity) pieces of work wait already",
                    hint: "try again in a moment")
            }
            state.waiting.append((cancellation, job))
            return nil
        }
        if let problem { throw problem }
        return cancellation
    }

    /// Runs `body` on the pool and waits for what it returns. Never call it from a job of the same
    /// pool: with every thread waiting nobody would work.
    package func run<Outcome: Sendable>(
        _ body: @escaping @Sendable (Cancellation) -> Outcome
    ) throws(Problem) -> Outcome {
        let outcome = Monitor<Outcome?>(nil)
        try submit { cancellation in
            let value = body(cancellation)
            outcome.change { $0 = value }
        }
        guard let value = outcome.wait(for: { $0 }) else {
            preconditionFailure("a wait without a deadline has an outcome")
        }
        return value
    }

    /// Cancels what waits and what runs, and waits until the threads have ended.
    package func stop() {
        state.change { state in
            state.isStopping = true
            for waiting in state.waiting[state.head...] { waiting.cancellation.cancel() }
            for cancellation in state.running.values { cancellation.cancel() }
        }
        for thread in threads { thread.join() }
    }
}
