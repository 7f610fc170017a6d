import Base
import Runtime
import Testing

@Suite(.enabled(if: SystemThread.processorCount > 1, "there is only one processor"))
struct ProcessorReserveTests {
    @Test func `threads go to their sides while records are produced and queries run`() throws {
        let reserve = try #require(ProcessorReserve(1, hold: .milliseconds(100)))
        let all = SystemThread.processors
        let query = Member(reserve, .others)
        let loop = Member(reserve, .reserved)
        #expect(query.reaches(all) && loop.reaches(all))

        reserve.queryBegins(at: SystemClock.monotonic)
        #expect(query.stays(all), "nothing is produced")
        reserve.noteProduced(at: SystemClock.monotonic)
        #expect(query.reaches(Array(all[1...])))
        #expect(loop.reaches([all[0]]))
        #expect(SystemThread.processors == all, "who did not join is not moved")
        #expect(query.reaches(all) && loop.reaches(all), "nothing is produced any more")

        reserve.queryEnds(at: SystemClock.monotonic)
        let end = SystemClock.monotonic + .milliseconds(150)
        while SystemClock.monotonic < end {}
        reserve.noteProduced(at: SystemClock.monotonic)
        #expect(loop.stays(all), "no query runs")
        query.end()
        loop.end()
        reserve.stop()
    }

    @Test func `who joins later goes too, and the end gives all back`() throws {
        let reserve = try #require(ProcessorReserve(1, hold: .seconds(60)))
        let all = SystemThread.processors
        reserve.noteProduced(at: SystemClock.monotonic)
        reserve.queryBegins(at: SystemClock.monotonic)
        let query = Member(reserve, .others)
        #expect(query.reaches(Array(all[1...])))
        reserve.stop()
        #expect(query.reaches(all))
        query.end()
    }

    @Test func `a reserve leaves something`() {
        #expect(ProcessorReserve(0) == nil)
        #expect(ProcessorReserve(SystemThread.processorCount) == nil)
        #expect(ProcessorReserve.countByDefault < SystemThread.processorCount)
    }
}

/// A thread that tells where it may run.
private final class Member: Sendable {
    private let seen = Monitor<[Int32]>([])
    private let isOver = Monitor(false)
    private let thread: SystemThread

    init(_ reserve: ProcessorReserve, _ side: ProcessorReserve.Side) {
        thread = SystemThread(name: "weir-member", reserve: reserve, side: side) {
            [seen, isOver] in
            func isAsked() -> Bool {
                isOver.wait(until: SystemClock.monotonic + .milliseconds(1)) { $0 ? true : nil }
                    == nil
            }
            while isAsked() {
                let now = SystemThread.processors
                seen.change { $0 = now }
            }
        }
    }

    func reaches(_ processors: [Int32]) -> Bool {
        seen.wait(until: SystemClock.monotonic + .seconds(10)) { $0 == processors ? true : nil }
            != nil
    }

    /// Whether it may run there, and nowhere else within a while.
    func stays(_ processors: [Int32]) -> Bool {
        reaches(processors)
            && seen.wait(until: SystemClock.monotonic + .milliseconds(50)) {
                $0 != processors ? true : nil
            } == nil
    }

    func end() {
        isOver.change { $0 = true }
        thread.join()
    }
}
