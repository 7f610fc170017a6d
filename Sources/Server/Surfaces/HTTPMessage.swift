import Base

/// A whole request as the routes see it.
package struct HTTPRequest: Sendable {
    /// Upper case.
    package var method: String
    /// Percent-decoded, without the query, beginning with `/`.
    package var path: String
    package var query: [Parameter]
    package var accept: String?
    package var contentType: String?
    package var idempotencyKey: String?
    package var body: Bytes
    /// Whether the client has gone before it was answered in full. May be asked from any thread.
    package var isAbandoned: @Sendable () -> Bool = { false }
    /// Number of the request in this process, for `X-Request-Id` and diagnostics.
    package var id: UInt64

    package struct Parameter: Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(
        method: String, path: String, query: [Parameter] = [], accept: String? = nil,
        contentType: String? = nil, idempotencyKey: String? = nil, body: Bytes = .empty,
        id: UInt64 = 0
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.accept = accept
        self.contentType = contentType
        self.idempotencyKey = idempotencyKey
        self.body = body
        self.id = id
    }

    /// The last parameter of this name.
    package func parameter(_ name: String) -> String? {
        query.last { $0.name == name }?.value
    }
}

/// A whole answer, or the beginning of one.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [Header]
    /// All of it; of an answer in pieces the first one.
    package var body: Bytes
    /// What follows `body`, when the answer is made while it is sent.
    package var rest: HTTPStream?

    package struct Header: Sendable {
        package var name: String
        package var value: String
    }

    package init(status: Int, headers: [Header] = [], body: Bytes) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    package static func json(_ value: JSONValue, status: Int = 200) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [Header(name: "Content-Type", value: "application/json")],
            body: value.serialized())
    }

    package static func text(
        _ text: String, type: String = "text/plain; charset=utf-8", status: Int = 200
    ) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [Header(name: "Content-Type", value: type)],
            body: Bytes(utf8: text))
    }

    package func with(_ name: String, _ value: String) -> HTTPResponse {
        var copy = self
        copy.headers.append(Header(name: name, value: value))
        return copy
    }
}

/// The pieces of an answer behind the first. One thread at a time asks for them.
package struct HTTPStream: Sendable {
    /// The next piece; nil at the end. An error cuts the connection, so that nobody takes the answer
    /// for a whole one.
    package var next: @Sendable () throws(Problem) -> Bytes?
    /// Nobody wants more.
    package var cancel: @Sendable () -> Void
    /// A header that is only known at the end.
    package var trailer: @Sendable () -> HTTPResponse.Header?
    /// Where pieces are made.
    package var background: Background

    package init(
        in background: @escaping Background,
        next: @escaping @Sendable () throws(Problem) -> Bytes?,
        cancel: @escaping @Sendable () -> Void,
        trailer: @escaping @Sendable () -> HTTPResponse.Header? = { nil }
    ) {
        self.background = background
        self.next = next
        self.cancel = cancel
        self.trailer = trailer
    }
}

extension HTTPResponse {
    /// The whole body, for those who can't take it in pieces.
    package func completeBody() throws(Problem) -> Bytes {
        guard let rest else { return body }
        var pieces = [body]
        while let piece = try rest.next() { pieces.append(piece) }
        return Bytes.joined(pieces)
    }
}
