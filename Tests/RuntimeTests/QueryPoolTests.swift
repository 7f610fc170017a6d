import Base
import Engine
import Runtime
import Testing

@Suite struct QueryPoolTests {
    private let soon = Duration.seconds(20)

    @Test func `helpers go from one query to the next after each step`() throws {
        let pool = QueryPool(threadsMax: 2, niceness: 0)
        let order = Monitor<[Int]>([])
        let begins = Monitor(false)
        let assignments = (0..<3).map { query in
            pool.assign(1) {
                _ = begins.wait { $0 ? true : nil }
                return order.change { order in
                    order.append(query)
                    return order.filter { $0 == query }.count < 4
                }
            }
        }
        for assignment in assignments { assignment.wake() }
        begins.change { $0 = true }
        let seen = order.wait(until: SystemClock.monotonic + soon) { $0.count == 12 ? $0 : nil }
        // One thread: nobody is served twice while another waits.
        for start in stride(from: 0, to: 12, by: 3) {
            #expect(seen.map { Set($0[start..<(start + 3)]) } == [0, 1, 2])
        }
        for assignment in assignments { assignment.end() }
        pool.stop()
    }

    @Test func `behind the end no step runs, and one that ran has ended`() {
        let pool = QueryPool(threadsMax: 4, niceness: 0)
        for _ in 0..<200 {
            let running = Monitor(0)
            let isOver = Monitor(false)
            let assignment = pool.assign(3) {
                running.withLock { $0 += 1 }
                #expect(isOver.withLock { !$0 })
                running.withLock { $0 -= 1 }
                return true
            }
            assignment.wake()
            assignment.end()
            #expect(running.withLock { $0 } == 0)
            isOver.change { $0 = true }
        }
        pool.stop()
    }

    @Test func `who found nothing to do comes again when woken, also in the middle of a step`() {
        let pool = QueryPool(threadsMax: 2, niceness: 0)
        let work = Monitor((left: 0, done: 0))
        let assignment = pool.assign(1) {
            work.change { work in
                guard work.left > 0 else { return false }
                work.left -= 1
                work.done += 1
                return work.left > 0
            }
        }
        for count in 1...500 {
            work.withLock { $0.left += 1 }
            assignment.wake()
            if count % 50 == 0 {
                let done = work.wait(until: SystemClock.monotonic + soon) {
                    $0.done == count ? true : nil
                }
                #expect(done == true)
            }
        }
        assignment.end()
        pool.stop()
    }

    @Test func `a pool that has stopped helps nobody, and nobody waits for it`() {
        let pool = QueryPool(threadsMax: 3, niceness: 0)
        let before = pool.assign(2) { false }
        before.wake()
        pool.stop()
        before.end()
        let behind = pool.assign(2) { true }
        behind.wake()
        behind.end()
    }

    @Test func `a signal that was raised before is not waited for`() {
        let pool = QueryPool(threadsMax: 2, niceness: 0)
        let signal = pool.makeSignal()
        let seen = signal.count
        signal.raise()
        signal.wait(beyond: seen)
        let thread = SystemThread(name: "raise") { signal.raise() }
        signal.wait(beyond: seen + 1)
        thread.join()
        pool.stop()
    }
}
