import Base

/// A thread that does one piece of work after the other for a node of a cluster: jobs of the quorum
/// on the disk, calls of other nodes. Their results come back through the loop's mail.
final class WorkThread: Sendable {
    enum Purpose: Hashable, Sendable {
        /// Promises wait for it: nothing else may stand before it.
        case quorumSync
        /// Snapshots, old files.
        case quorumFiles
        /// Names are looked up and connections made; either may take seconds.
        case dialing(NodeID)

        /// The end of the process does not wait for it.
        var mayBeSlow: Bool {
            if case .dialing = self { return true }
            return false
        }

        fileprivate var name: String {
            switch self {
            case .quorumSync: "weir-quorum"
            case .quorumFiles: "weir-snapshots"
            case .dialing(let node): "weir-dial-\(node.value)"
            }
        }
    }

    private struct State: Sendable {
        var waiting: [@Sendable () -> Void] = []
        var isStopping = false
    }

    private enum Task {
        case work([@Sendable () -> Void])
        case end
    }

    private let state = Monitor(State())
    private let thread: SystemThread

    init(_ purpose: Purpose) {
        thread = SystemThread(name: purpose.name) { [state] in
            while true {
                let task: Task? = state.wait { state in
                    if !state.waiting.isEmpty {
                        let waiting = state.waiting
                        state.waiting = []
                        return .work(waiting)
                    }
                    return state.isStopping ? .end : nil
                }
                guard case .work(let waiting) = task else { return }
                for work in waiting { work() }
            }
        }
    }

    func submit(_ work: @escaping @Sendable () -> Void) {
        state.change { $0.waiting.append(work) }
    }

    /// Ends the thread after what it has been given.
    func stop(waiting: Bool) {
        state.change { $0.isStopping = true }
        if waiting { thread.join() }
    }
}
