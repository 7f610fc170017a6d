import Base
import Synchronization

/// Answers one request, exactly once, from any thread. If it is dropped without an answer, the
/// client gets a 500, so that nobody waits for ever.
package final class HTTPResponder: Sendable {
    private let send: Mutex<(@Sendable (HTTPResponse) -> Void)?>

    /// `send` is called once, with the first answer.
    package init(_ send: @escaping @Sendable (HTTPResponse) -> Void) { self.send = Mutex(send) }

    deinit {
        respond(
            .problem(Problem("http.no_answer", "the request ended without an answer"), status: 500))
    }

    /// Sends `response`; later calls do nothing.
    package func respond(_ response: HTTPResponse) {
        let taken = send.withLock { send in
            defer { send = nil }
            return send
        }
        taken?(response)
    }
}
