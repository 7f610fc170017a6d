import Base
import Columns
import Synchronization

/// Calls helpers when a scan has turned out to be worth it: a lookup whose statistics rule out all but
/// a few pages is over before a thread has been woken.
final class HelperStart: Sendable {
    private struct State: Sendable {
        var seen = 0
        var wake: (@Sendable () -> Void)?
    }

    /// After so many batches, or parts that were not ruled out.
    private static let enough = 2
    private let state = Mutex(State())

    func begin(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wake = wake } }

    func watching(_ part: SourcePart) -> SourcePart {
        var watched = part
        watched.open = { () throws(Problem) in WatchedSource(try part.open(), self) }
        return watched
    }

    fileprivate func note() {
        let wake = state.withLock { state -> (@Sendable () -> Void)? in
            state.seen += 1
            guard state.seen >= Self.enough else { return nil }
            defer { state.wake = nil }
            return state.wake
        }
        wake?()
    }
}

private final class WatchedSource: BatchSource {
    private let source: any BatchSource
    private let start: HelperStart
    private var toNote = 2

    init(_ source: any BatchSource, _ start: HelperStart) {
        self.source = source
        self.start = start
    }

    func next() throws(Problem) -> ColumnBatch? {
        let batch = try source.next()
        guard toNote > 0 else { return batch }
        if batch != nil {
            toNote -= 1
            start.note()
        } else {
            toNote = 0
            if ((source as? any MeasuredSource)?.figures.rowGroups ?? 1) > 0 { start.note() }
        }
        return batch
    }
}
