import Base

/// One request to an object store, before it is signed.
package struct S3Request: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case head = "HEAD"
        case put = "PUT"
        case post = "POST"
        case delete = "DELETE"
    }

    package var method: Method
    /// Of the object; empty for the bucket itself.
    package var key = ""
    package var query: [(name: String, value: String)] = []
    /// Names in lower case.
    package var headers: [(name: String, value: String)] = []
    package var body = Bytes.empty
    /// An answer with a longer body is refused.
    package var answerBytesMax = S3Limits.documentBytes

    package init(_ method: Method, key: String = "") {
        self.method = method
        self.key = key
    }
}

/// A request as it is sent.
package struct SignedRequest: Sendable {
    package var method: S3Request.Method
    package var url: String
    /// Lines of `name: value`.
    package var headers: [String]
    package var body: Bytes
    package var answerBytesMax: Int
}

/// What came back.
package struct S3Answer: Sendable {
    package var status: Int
    package var body: Bytes
    /// By names in lower case; only those that a store looks at.
    package var headers: [String: String]

    package init(status: Int, body: Bytes = .empty, headers: [String: String] = [:]) {
        self.status = status
        self.body = body
        self.headers = headers
    }

    /// The headers that `headers` must have when the service sent them.
    package static let headerNames = [
        "content-length", "content-range", "etag", "last-modified", "x-amz-meta-weir-writer",
        "retry-after", "date",
    ]
}

/// There was no answer, or not all of it: whether the request had an effect is not known.
package struct TransportFailure: Error, Sendable {
    package var reason: String
    /// Whether another attempt may end better.
    package var isTransient: Bool

    package init(reason: String, isTransient: Bool) {
        self.reason = reason
        self.isTransient = isTransient
    }
}

/// The way to the service. Called from any thread; waits for the whole answer.
package protocol S3Transport: AnyObject, Sendable {
    func perform(_ request: SignedRequest) throws(TransportFailure) -> S3Answer
}

enum S3Limits {
    /// A listing or an error.
    static let documentBytes = 16 << 20
    /// One object that is read as a whole.
    static let objectBytes = 4 << 30
    static let keyBytes = 1024
    static let partCount = 10_000
}
