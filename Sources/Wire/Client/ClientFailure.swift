import Base
import WireProtocol

/// Why a call of the client library failed.
public struct ClientFailure: Error, Equatable, Sendable {
    /// What happened, where, and what to do next, in words.
    public var message: String
    /// Whether the same call may succeed when it is tried again.
    public var isRetriable: Bool
    /// The published number of the protocol's error code, when a broker sent one.
    public var code: Int16?
    /// The published name of that code, for example `UNKNOWN_TOPIC_OR_PARTITION`.
    public var codeName: String?

    public init(
        _ message: String, isRetriable: Bool = false, code: Int16? = nil, codeName: String? = nil
    ) {
        self.message = message
        self.isRetriable = isRetriable
        self.code = code
        self.codeName = codeName
    }

    /// The failure that a broker reported with `code` while doing `what`.
    package init(_ code: ErrorCode, _ what: String, detail: String? = nil) {
        var message = "\(what): \(code.publishedName)"
        if let detail, !detail.isEmpty { message += " (\(detail))" }
        self.init(
            message, isRetriable: code.isRetriable, code: code.rawValue,
            codeName: code.publishedName)
    }

    /// The answer of a broker could not be understood.
    package init(undecodable failure: DecodeFailure, of what: String) {
        self.init("the broker's answer to \(what) can't be read: \(failure)")
    }

    /// The code as the protocol module spells it.
    package var errorCode: ErrorCode? { code.map { ErrorCode(number: $0) } }

    static func timedOut(_ what: String, after milliseconds: Int64) -> ClientFailure {
        ClientFailure("\(what): no answer within \(milliseconds) ms", isRetriable: true)
    }

    static let closed = ClientFailure("the client was closed")
}

extension ClientFailure: CustomStringConvertible {
    public var description: String { message }
}
