import Base
import CPlatform
import Synchronization

/// Keeps processors free for the broker while records are produced and queries run: its threads run on
/// them alone, those of queries on the others.
///
/// That queries yield is not enough. A scheduler may let who has the processor keep it to the next tick,
/// however nice it is, and whoever wakes waits for milliseconds: decision 0023.
///
/// Whoever makes the reserve stops it.
package final class ProcessorReserve: Sendable {
    /// One of up to 8 processors, two of up to 16: the loop is one thread and its helpers need little.
    package static var countByDefault: Int { (SystemThread.processorCount + 7) / 8 }

    /// Where a thread belongs while the reserve is kept.
    package enum Side: Sendable { case reserved, others }

    private let core: Core
    private let thread: SystemThread

    /// A reserve of `count` processors, kept as long as records and queries are at most `hold` old. Nil
    /// when it is 0 or nothing would be left for the others.
    package init?(_ count: Int, hold: Duration = .seconds(1)) {
        let all = SystemThread.processors
        guard count > 0, count < all.count else { return nil }
        let core = Core(
            all: all, reserved: Array(all[..<count]), others: Array(all[count...]), hold: hold)
        self.core = core
        thread = SystemThread(name: "weir-reserve") { core.work() }
    }

    /// From now on the calling thread goes where it belongs.
    package func join(_ side: Side) {
        let member = Member(thread: SystemThread.currentIdentifier, side: side)
        core.state.withLock { state in
            state.members.append(member)
            core.place(member, isKept: state.isKept)
        }
    }

    /// The calling thread ends, and its number may become another's.
    package func leave() {
        let id = SystemThread.currentIdentifier
        core.state.withLock { state in state.members.removeAll { $0.thread == id } }
    }

    /// Records were produced. For the loop, at every sync.
    package func noteProduced(at now: Instant) {
        core.producedAt.store(now.nanoseconds, ordering: .relaxed)
        core.look(at: now)
    }

    package func queryBegins(at now: Instant) {
        core.queries.add(1, ordering: .relaxed)
        core.look(at: now)
    }

    package func queryEnds(at now: Instant) {
        core.queriedAt.store(now.nanoseconds, ordering: .relaxed)
        core.queries.subtract(1, ordering: .relaxed)
    }

    /// Gives the processors back and ends the thread.
    package func stop() {
        core.state.change { $0.isStopping = true }
        thread.join()
    }

    private struct Member: Sendable {
        /// The system's number.
        var thread: Int64
        var side: Side
    }

    private struct State: Sendable {
        var members: [Member] = []
        var isWanted = false
        var isKept = false
        var isStopping = false
    }

    /// What the thread shares with its callers.
    private final class Core: Sendable {
        let state = Monitor(State())
        /// Moments in nanoseconds of the monotonic clock.
        let producedAt = Atomic<Int64>(.min)
        let queriedAt = Atomic<Int64>(.min)
        /// Queries that run.
        let queries = Atomic<Int>(0)
        /// What `state` says, without its lock.
        private let isKept = Atomic<Bool>(false)
        private let all: [Int32]
        private let reserved: [Int32]
        private let others: [Int32]
        private let hold: Duration

        init(all: [Int32], reserved: [Int32], others: [Int32], hold: Duration) {
            self.all = all
            self.reserved = reserved
            self.others = others
            self.hold = hold
        }

        /// Asks the thread to keep the reserve, when there is reason and it is not kept yet.
        func look(at now: Instant) {
            guard !isKept.load(ordering: .relaxed), now < end(at: now) else { return }
            state.change { $0.isWanted = true }
        }

        /// Until when the reserve is kept if nothing happens; not after `now` when it need not be.
        private func end(at now: Instant) -> Instant {
            let produced = producedAt.load(ordering: .relaxed)
            let queried =
                queries.load(ordering: .relaxed) > 0
                ? now.nanoseconds : queriedAt.load(ordering: .relaxed)
            let last = min(produced, queried)
            return last == .min ? now : Instant(nanoseconds: last) + hold
        }

        /// A refusal changes nothing but the time that others wait.
        func place(_ member: Member, isKept: Bool) {
            let numbers = !isKept ? all : member.side == .reserved ? reserved : others
            _ = weir_thread_restrict(member.thread, numbers, Int32(numbers.count))
        }

        func work() {
            while true {
                let isStopping = state.wait { $0.isStopping ? true : $0.isWanted ? false : nil }
                if isStopping != false { return }
                set(isKept: true)
                while true {
                    let now = SystemClock.monotonic
                    let end = end(at: now)
                    if end <= now { break }
                    if state.wait(until: end, for: { $0.isStopping ? true : nil }) != nil { break }
                }
                set(isKept: false)
            }
        }

        private func set(isKept: Bool) {
            state.withLock { state in
                state.isKept = isKept
                state.isWanted = false
                self.isKept.store(isKept, ordering: .relaxed)
                for member in state.members { place(member, isKept: isKept) }
            }
        }
    }
}
