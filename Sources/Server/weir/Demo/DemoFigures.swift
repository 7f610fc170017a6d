import Base
import Node
import SQL
import Streams
import Synchronization

/// Collects what the jobs report while the demo runs: how long a record takes until it is a row
/// that queries see.
final class DemoFigures: LakeObserver {
    private struct State {
        /// Milliseconds from a record's timestamp to the commit with its row; the newest ones.
        var latencies: [Int32] = []
        var next = 0
        var commits = 0
        var refreshes = 0
        var undecodable = 0
    }

    private let state = Mutex(State())
    private static let kept = 1_000_000

    func epochCommitted(
        _ table: QualifiedName, _ outcome: EpochOutcome, at moment: Timestamp
    ) {
        state.withLock { state in
            state.commits += 1
            state.undecodable += outcome.undecodable
            for time in outcome.recordTimestamps {
                let latency = Int32(clamping: moment.milliseconds - time)
                if state.latencies.count < Self.kept {
                    state.latencies.append(latency)
                } else {
                    state.latencies[state.next] = latency
                    state.next = (state.next + 1) % Self.kept
                }
            }
        }
    }

    func viewRefreshed(_ view: QualifiedName, rows: Int, at moment: Timestamp) {
        state.withLock { $0.refreshes += 1 }
    }

    var commits: Int { state.withLock { $0.commits } }
    var refreshes: Int { state.withLock { $0.refreshes } }
    var undecodable: Int { state.withLock { $0.undecodable } }

    /// Latencies in milliseconds at these shares of the records; nil without records.
    func latencies(at shares: [Double]) -> [Int32]? {
        var sorted = state.withLock { $0.latencies }
        guard !sorted.isEmpty else { return nil }
        sorted.sort()
        return shares.map { sorted[min(sorted.count - 1, Int(Double(sorted.count) * $0))] }
    }
}
