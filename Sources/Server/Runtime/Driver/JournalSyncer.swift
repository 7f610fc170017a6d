import Base
import Log

struct SyncTicketResult: Sendable {
    var ticket: SyncTicket
    var failure: StorageFailure?
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

    init(name: String, finished: @escaping @Sendable (SyncTicketResult) -> Void) {
        thread = SystemThread(name: name) { [state] in
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
                    var failure: StorageFailure?
                    do throws(StorageFailure) { try file.sync() } catch { failure = error }
                    finished(SyncTicketResult(ticket: ticket, failure: failure))
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
