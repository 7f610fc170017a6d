import Base

/// The door to the node for the rest of the process: HTTP, SQL statements, streaming tables. The
/// Runtime passes commands through its mailbox; tests and the Simulator call the node directly.
package protocol NodePort: AnyObject, Sendable {
    /// Hands over a command; `completion` is called once, on a thread that must not be blocked.
    func submit(
        _ command: NodeCommand,
        completion: @escaping @Sendable (Result<NodeAnswer, Problem>) -> Void)

    /// Hands over a command and waits for the answer. Never from the thread that runs the node.
    func call(_ command: NodeCommand) throws(Problem) -> NodeAnswer
}
