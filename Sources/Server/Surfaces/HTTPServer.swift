// The HTTP port. libmicrohttpd reads and writes; here is only the bridge to Swift: a request comes
// in whole, its answer may be given from any thread.

import Base
import CMicrohttpd
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// The headers of a response as the C side takes them.
private func withPairs<Result>(
    _ headers: [HTTPResponse.Header], _ body: ([weir_http_pair]) -> Result
) -> Result {
    var strings: [UnsafeMutablePointer<CChar>?] = []
    defer { for string in strings { free(string) } }
    var pairs: [weir_http_pair] = []
    for header in headers {
        let name = strdup(header.name)
        let value = strdup(header.value)
        strings.append(name)
        strings.append(value)
        pairs.append(weir_http_pair(name: name, value: value))
    }
    return body(pairs)
}

/// A pointer of the C side that is used under a lock.
private struct Handle: @unchecked Sendable {
    // Sound: who has it uses it under the lock of its owner only.
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }
}

/// A request of libmicrohttpd on its way to the thread that answers it.
///
/// The pointer is used under the lock only, and is forgotten under it before the request ends.
private final class Connection: Sendable {
    private let request: Mutex<Handle?>

    init(_ pointer: OpaquePointer) { request = Mutex(Handle(pointer)) }

    /// Whether the client has closed; false for a request that is answered already.
    var isGone: Bool {
        request.withLock { handle in
            guard let pointer = handle?.pointer else { return false }
            return weir_http_is_gone(pointer) == 1
        }
    }

    func forget() { request.withLock { $0 = nil } }

    func send(_ response: HTTPResponse) {
        if let rest = response.rest { return begin(response, rest) }
        // libmicrohttpd copies names, values and body before this returns.
        request.withLock { handle in
            guard let answered = handle?.pointer else { return }
            handle = nil
            withPairs(response.headers) { pairs in
                response.body.withUnsafeBytes { body in
                    weir_http_respond(
                        answered, UInt32(response.status), body.baseAddress, body.count, pairs,
                        pairs.count)
                }
            }
        }
    }

    private func begin(_ response: HTTPResponse, _ rest: HTTPStream) {
        let pump = StreamPump(rest, self)
        let held = Unmanaged.passRetained(pump)
        let context = UInt(bitPattern: held.toOpaque())
        let stream = request.withLock { handle -> Handle? in
            guard let pointer = handle?.pointer else { return nil }
            return withPairs(response.headers) { pairs in
                weir_http_respond_stream(
                    pointer, UInt32(response.status), pairs, pairs.count, streamWants, streamGone,
                    UnsafeMutableRawPointer(bitPattern: context)
                ).map { Handle($0) }
            }
        }
        guard let stream else {
            held.release()
            rest.cancel()
            send(
                .problem(
                    Problem("internal.memory", "there is no memory for an answer"), status: 503))
            return
        }
        pump.start(stream, response.body)
    }
}

/// Makes the pieces of one answer, each when the client has taken most of those before.
private final class StreamPump: Sendable {
    private struct State: Sendable {
        var stream: Handle?
        var isGone = false
        /// A piece is being made.
        var isBusy = false
        var wants = false
    }

    private let rest: HTTPStream
    private let connection: Connection
    private let state = Mutex(State())

    init(_ rest: HTTPStream, _ connection: Connection) {
        self.rest = rest
        self.connection = connection
    }

    func start(_ stream: Handle, _ first: Bytes) {
        state.withLock { $0.stream = stream }
        feed(first)
        release()
    }

    /// On a thread of the server: the client takes more.
    func makeMore() {
        let begins = state.withLock { state in
            if state.isGone || state.isBusy { return false }
            state.isBusy = true
            return true
        }
        guard begins else { return }
        let turn = Turn(self)
        rest.background { turn.run() }
    }

    /// On a thread of the server: the request is over.
    func end() {
        connection.forget()
        state.withLock { $0.isGone = true }
        rest.cancel()
        release()
    }

    private func feed(_ piece: Bytes) {
        state.withLock { state in
            guard let stream = state.stream?.pointer, !state.isGone else { return }
            _ = piece.withUnsafeBytes {
                weir_http_stream_feed(stream, $0.baseAddress, $0.count)
            }
        }
    }

    /// Gives the stream back when the request is over and nothing is being made.
    private func release() {
        state.withLock { state in
            guard state.isGone, !state.isBusy, let stream = state.stream?.pointer else { return }
            state.stream = nil
            weir_http_stream_release(stream)
        }
    }

    private func finish(failed: Bool) {
        let trailer = failed ? nil : rest.trailer()
        state.withLock { state in
            guard let stream = state.stream?.pointer, !state.isGone else { return }
            weir_http_stream_finish(stream, failed ? 1 : 0, trailer?.name, trailer?.value)
        }
    }

    /// One piece to make. When it is dropped without having run, the answer ends.
    private final class Turn: Sendable {
        private let pump: StreamPump
        private let isDone = Atomic<Bool>(false)

        init(_ pump: StreamPump) { self.pump = pump }

        deinit {
            if !isDone.load(ordering: .acquiring) {
                pump.finish(failed: true)
                pump.rest.cancel()
                pump.turnEnded()
            }
        }

        func run() {
            isDone.store(true, ordering: .releasing)
            do throws(Problem) {
                if let piece = try pump.rest.next() {
                    pump.state.withLock { $0.isBusy = false }
                    pump.feed(piece)
                } else {
                    pump.finish(failed: false)
                }
            } catch {
                pump.finish(failed: true)
            }
            pump.turnEnded()
        }
    }

    private func turnEnded() {
        state.withLock { $0.isBusy = false }
        release()
    }
}

private func streamWants(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<StreamPump>.fromOpaque(context).takeUnretainedValue().makeMore()
}

private func streamGone(_ context: UnsafeMutableRawPointer?) {
    guard let context else { return }
    Unmanaged<StreamPump>.fromOpaque(context).takeRetainedValue().end()
}

/// Listens for HTTP and hands every request to one handler on a thread of the server. The handler
/// must not block: work that waits goes elsewhere and answers through the responder.
package final class HTTPServer: @unchecked Sendable {
    // Sound: `server` is set once before the object is shared; `handler` is immutable.
    private var server: OpaquePointer?
    private let handler: @Sendable (HTTPRequest, HTTPResponder) -> Void
    private let nextRequest = Atomic<UInt64>(1)
    package private(set) var port: UInt16 = 0

    /// Binds to `address` (dotted IPv4, `localhost`, or `*` for every network) and `port`, 0 = any
    /// free one.
    package init(
        address: String, port: UInt16, threads: Int = 2,
        handler: @escaping @Sendable (HTTPRequest, HTTPResponder) -> Void
    ) throws(Problem) {
        self.handler = handler
        var code: Int32 = 0
        let context = Unmanaged.passUnretained(self).toOpaque()
        let numeric =
            switch address {
            case "localhost": "127.0.0.1"
            case "", "*": "0.0.0.0"
            default: address
            }
        server = weir_http_start(
            numeric, port, UInt32(threads), Limits.httpBodyBytes, UInt32(Limits.connections),
            serveRequest, context, &code)
        guard let server else {
            throw Problem(
                "http.listen", "cannot listen for HTTP on \(address):\(port)",
                notes: [String(cString: strerror(code))],
                hint: "another process may use the port: choose one with --http HOST:PORT")
        }
        self.port = weir_http_port(server)
    }

    /// Stops accepting and waits briefly for open requests.
    package func stop() {
        guard let server else { return }
        _ = weir_http_stop(server, 3000)
        self.server = nil
    }

    fileprivate func serve(_ pointer: OpaquePointer) {
        let connection = Connection(pointer)
        let responder = HTTPResponder { connection.send($0) }
        let id = nextRequest.add(1, ordering: .relaxed).oldValue
        var count = 0
        let body = weir_http_body(pointer, &count)
        var pairs = [weir_http_pair](repeating: weir_http_pair(), count: 64)
        let found = weir_http_query(pointer, &pairs, pairs.count)
        var request = HTTPRequest(
            method: String(cString: weir_http_method(pointer)),
            path: String(cString: weir_http_path(pointer)),
            query: pairs.prefix(found).map {
                HTTPRequest.Parameter(
                    name: $0.name.map { String(cString: $0) } ?? "",
                    value: $0.value.map { String(cString: $0) } ?? "")
            },
            accept: weir_http_header(pointer, "Accept").map { String(cString: $0) },
            contentType: weir_http_header(pointer, "Content-Type").map { String(cString: $0) },
            idempotencyKey: weir_http_header(pointer, "Idempotency-Key").map {
                String(cString: $0)
            },
            body: body.map { Bytes(UnsafeRawBufferPointer(start: $0, count: count)) } ?? .empty,
            id: id)
        request.isAbandoned = { connection.isGone }
        handler(request, responder)
    }
}

/// The C callback; a function of its own, because a closure would inherit its surroundings' actor.
private func serveRequest(_ context: UnsafeMutableRawPointer?, _ request: OpaquePointer?) {
    guard let context, let request else { return }
    Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().serve(request)
}
