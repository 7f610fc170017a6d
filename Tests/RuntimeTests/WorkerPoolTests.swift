import Base
import Runtime
import Testing

@Suite struct WorkerPoolTests {
    @Test func `every job runs once and results come back`() throws {
        let pool = WorkerPool(threads: 3)
        let sum = Monitor(0)
        for number in 1...1000 { try pool.submit { _ in sum.change { $0 += number } } }
        #expect(try pool.run { _ in 6 * 7 } == 42)
        #expect(
            sum.wait(until: SystemClock.monotonic + .seconds(10)) { $0 == 500_500 ? $0 : nil }
                != nil)
        pool.stop()
    }

    @Test func `a full pool refuses, a stopped one too`() throws {
        let pool = WorkerPool(threads: 1, capacity: 2)
        let gate = Monitor(false)
        let began = Monitor(false)
        try pool.submit { _ in
            began.change { $0 = true }
            _ = gate.wait { $0 ? true : nil }
        }
        _ = began.wait { $0 ? true : nil }
        try pool.submit { _ in }
        try pool.submit { _ in }
        do {
            try pool.submit { _ in }
            Issue.record("the pool is full")
        } catch {
            #expect(error.code == "server.busy")
        }
        gate.change { $0 = true }
        pool.stop()
        do {
            try pool.submit { _ in }
            Issue.record("the pool is stopped")
        } catch {
            #expect(error.code == "server.stopping")
        }
    }

    @Test func `stopping cancels what runs and what waits`() throws {
        let pool = WorkerPool(threads: 1)
        let began = Monitor(false)
        let seen = Monitor<[Bool]>([])
        try pool.submit { cancellation in
            began.change { $0 = true }
            while !cancellation.isCancelled {}
            seen.change { $0.append(cancellation.isCancelled) }
        }
        try pool.submit { cancellation in seen.change { $0.append(cancellation.isCancelled) } }
        _ = began.wait { $0 ? true : nil }
        pool.stop()
        #expect(seen.withLock { $0 } == [true, true])
    }

    @Test func `a scheduled job repeats until it is cancelled`() throws {
        let pool = WorkerPool(threads: 2)
        let scheduler = Scheduler(pool: pool, diagnostics: SilentDiagnostics())
        let runs = Monitor(0)
        let job = scheduler.every(.milliseconds(1)) { _ in runs.change { $0 += 1 } }
        #expect(
            runs.wait(until: SystemClock.monotonic + .seconds(10)) { $0 >= 3 ? true : nil } == true)
        job.cancel(waiting: true)
        let after = runs.withLock { $0 }
        #expect(try pool.run { _ in true })
        #expect(runs.withLock { $0 } == after)
        scheduler.stop()
        pool.stop()
    }

    @Test func `a triggered job does not wait for its period`() throws {
        let pool = WorkerPool(threads: 1)
        let scheduler = Scheduler(pool: pool, diagnostics: SilentDiagnostics())
        let runs = Monitor(0)
        let job = scheduler.every(.seconds(3600), after: .seconds(3600)) { _ in
            runs.change { $0 += 1 }
        }
        for wanted in 1...3 {
            job.trigger()
            #expect(
                runs.wait(until: SystemClock.monotonic + .seconds(10)) {
                    $0 == wanted ? true : nil
                } == true)
        }
        scheduler.stop()
        pool.stop()
    }
}
