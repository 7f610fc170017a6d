// The HTTP port. libmicrohttpd reads and writes; here is only the bridge to Swift: a request comes
// in whole, its answer may be given from any thread.

import Base
import CMicrohttpd
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Sends `response` on a connection of the server.
private func send(_ response: HTTPResponse, on pointer: OpaquePointer) {
    // libmicrohttpd copies names, values and body before this returns.
    var strings: [UnsafeMutablePointer<CChar>?] = []
    defer { for string in strings { free(string) } }
    var pairs: [weir_http_pair] = []
    for header in response.headers {
        let name = strdup(header.name)
        let value = strdup(header.value)
        strings.append(name)
        strings.append(value)
        pairs.append(weir_http_pair(name: name, value: value))
    }
    response.body.withUnsafeBytes { body in
        weir_http_respond(
            pointer, UInt32(response.status), body.baseAddress, body.count, pairs, pairs.count)
    }
}

/// A request of libmicrohttpd on its way to the thread that answers it.
private struct Connection: @unchecked Sendable {
    // Sound: the responder hands it to one caller, once.
    let pointer: OpaquePointer
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
        let connection = Connection(pointer: pointer)
        let responder = HTTPResponder { send($0, on: connection.pointer) }
        let id = nextRequest.add(1, ordering: .relaxed).oldValue
        var count = 0
        let body = weir_http_body(pointer, &count)
        var pairs = [weir_http_pair](repeating: weir_http_pair(), count: 64)
        let found = weir_http_query(pointer, &pairs, pairs.count)
        let request = HTTPRequest(
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
        handler(request, responder)
    }
}

/// The C callback; a function of its own, because a closure would inherit its surroundings' actor.
private func serveRequest(_ context: UnsafeMutableRawPointer?, _ request: OpaquePointer?) {
    guard let context, let request else { return }
    Unmanaged<HTTPServer>.fromOpaque(context).takeUnretainedValue().serve(request)
}
