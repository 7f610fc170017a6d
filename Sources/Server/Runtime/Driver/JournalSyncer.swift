import Base
import Log

struct SyncTicketResult: Sendable {
    var ticket: SyncTicket
    var failure: StorageFailure?
    var took: Duration

    /// Makes a file durable here and now.
    init(syncing file: any DiskFile, for ticket: SyncTicket) {
        self.ticket = ticket
        let start = SystemClock.monotonic
        do throws(StorageFailure) { try file.sync() } catch { failure = error }
        took = SystemClock.monotonic - start
    }
}

/// How long syncs of the journal take: an average in which the last eight count most.
package struct SyncPace: Sendable {
    /// Handing a sync to another thread and its end back costs the time of two wake-ups, each about
    /// 40 µs. What takes much longer must not hold up the loop.
    static let quick = Duration.microseconds(250)

    private var average: Int64?

    package init() {}

    /// Whether the next one will probably be over before another thread would have begun to matter.
    /// Not known before the first.
    package var isQuick: Bool {
        average.map { $0 <= Self.quick.wholeNanoseconds } ?? false
    }

    package mutating func note(_ took: Duration) {
        let nanoseconds = took.wholeNanoseconds
        average = average.map { $0 + (nanoseconds - $0) / 8 } ?? nanoseconds
    }
}

/// A helper thread that makes files durable, so that the loop goes on taking requests meanwhile;
/// everything they bring shares the next sync. The journal has one, segments another.
final class JournalSyncer: Sendable {
    private struct State: Sendable {
        var waiting: [(ticket: SyncTicket, file: any DiskFile)] = []
        var isStopping = false
    }

    private enum Task {
        case sync([(ticket: SyncTicket, file: any DiskFile)])
        case end
    }

    private let state = Monitor(State())
    private let thread: SystemThread

    init(
        name: String, reserve: ProcessorReserve? = nil,
        finished: @escaping @Sendable (SyncTicketResult) -> Void
    ) {
        thread = SystemThread(name: name, reserve: reserve, side: .reserved) { [state] in
            while true {
                let task: Task? = state.wait { state in
                    if !state.waiting.isEmpty {
                        let waiting = state.waiting
                        state.waiting = []
                        return .sync(waiting)
                    }
                    return state.isStopping ? .end : nil
                }
                guard case .sync(let waiting) = task else { return }
                for (ticket, file) in waiting {
                    finished(SyncTicketResult(syncing: file, for: ticket))
                }
            }
        }
    }

    func sync(_ ticket: SyncTicket, _ file: any DiskFile) {
        state.change { $0.waiting.append((ticket, file)) }
    }

    /// Ends the thread after what it has been given. Waits for it unless the disk has stalled.
    func stop(waiting: Bool) {
        state.change { $0.isStopping = true }
        if waiting { thread.join() }
    }
}
