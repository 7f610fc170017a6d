import Base
import CPlatform
import Node
import Synchronization
import TLS

/// The way from other threads into the loop: commands for the node, completions of file syncs, the
/// wish to stop. Posting costs a mutex, and one system call if the loop may be asleep.
package final class CommandPort: Sendable {
    package typealias Completion = @Sendable (Result<NodeAnswer, Problem>) -> Void

    enum Message: Sendable {
        case command(NodeCommand, Completion)
        case synced(SyncTicketResult, ofJournal: Bool)
        /// Something that another thread has done for the node.
        case event(NodeEvent)
        /// A call of another node: the socket, or why there is none.
        case dialed(NodeID, Result<DialedSocket, DialFailure>)
        /// New sessions use this context.
        case replaceTLS(TLSContext)
        case stop
    }

    private struct State: ~Copyable {
        var messages: [Message] = []
        var isClosed = false
    }

    private let state = Mutex(State())
    private let capacity: Int
    /// The loop's thread, 0 before it runs: it must never wait for itself.
    private let loopThread = Atomic<Int64>(0)
    let wakeDescriptor: Int32

    init(capacity: Int) throws(Problem) {
        self.capacity = capacity
        wakeDescriptor = weir_eventfd_create()
        if wakeDescriptor < 0 {
            throw Problem("system.descriptors", "no event descriptor: \(describe(wakeDescriptor))")
        }
    }

    deinit { weir_close(wakeDescriptor) }

    /// Hands a command to the node. `completion` runs on the loop's thread (on the caller's when
    /// the node is stopping or overloaded): it must be short and must not block.
    package func submit(_ command: NodeCommand, completion: @escaping Completion) {
        if let problem = post(.command(command, completion)) { completion(.failure(problem)) }
    }

    /// Hands a command to the node and waits for its answer. Never call it from a completion.
    package func call(_ command: NodeCommand) throws(Problem) -> NodeAnswer {
        try call(command, deadline: .distantFuture)
    }

    package func call(
        _ command: NodeCommand, deadline: Instant
    ) throws(Problem) -> NodeAnswer {
        precondition(
            SystemThread.currentIdentifier != loopThread.load(ordering: .relaxed),
            "the loop must not wait for itself")
        let answer = Monitor<Result<NodeAnswer, Problem>?>(nil)
        submit(command) { result in answer.change { $0 = result } }
        guard let result = answer.wait(until: deadline, for: { $0 }) else {
            throw Problem("server.timeout", "the server gave no answer in time")
        }
        return try result.get()
    }

    /// Posts a message; a problem when it was not taken.
    @discardableResult
    func post(_ message: Message) -> Problem? {
        enum Outcome { case first, another, closed, full }
        let outcome: Outcome = state.withLock { state in
            if case .command = message {
                if state.isClosed { return .closed }
                if state.messages.count >= capacity { return .full }
            }
            state.messages.append(message)
            return state.messages.count == 1 ? .first : .another
        }
        switch outcome {
        case .first:
            weir_eventfd_signal(wakeDescriptor)
            return nil
        case .another: return nil
        case .closed:
            return Problem("server.stopping", "the server is stopping")
        case .full:
            return Problem(
                "server.busy", "the server has \(capacity) waiting commands and takes no more",
                hint: "try again in a moment")
        }
    }

    func adoptLoopThread() {
        loopThread.store(SystemThread.currentIdentifier, ordering: .relaxed)
    }

    /// Takes all messages, oldest first. Only the loop calls it.
    func take() -> [Message] {
        weir_eventfd_drain(wakeDescriptor)
        return state.withLock { state in
            var taken: [Message] = []
            swap(&taken, &state.messages)
            return taken
        }
    }

    /// No command is accepted from now on.
    func closeForCommands() { state.withLock { $0.isClosed = true } }
}

func describe(_ result: Int32) -> String { String(cString: weir_error_text(-result)) }
