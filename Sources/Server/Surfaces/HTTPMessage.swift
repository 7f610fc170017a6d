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

/// A whole answer.
package struct HTTPResponse: Sendable {
    package var status: Int
    package var headers: [Header]
    package var body: Bytes

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
