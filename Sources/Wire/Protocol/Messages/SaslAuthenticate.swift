// Carries one message of the agreed mechanism.

import Base

/// The request, versions 0 to 2. Flexible from version 2.
package struct SaslAuthenticateRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.saslAuthenticate
    package typealias Response = SaslAuthenticateResponse
    package static let minimumWireBytes = 1

    /// The message of the client.
    package var authBytes: Bytes = .empty

    package init(authBytes: Bytes = .empty) {
        self.authBytes = authBytes
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        authBytes = try reader.bytesField(flexible: flexible)
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.bytesField(authBytes, flexible: flexible)
        if flexible { writer.noTaggedFields() }
    }
}

/// The answer, versions 0 to 2. Flexible from version 2.
package struct SaslAuthenticateResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.saslAuthenticate
    package static let minimumWireBytes = 4

    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// The message of the broker.
    package var authBytes: Bytes = .empty
    /// After how many milliseconds the client has to prove itself again; 0 = never.
    package var sessionLifetimeMs: Int64 = 0

    package init(
        errorCode: ErrorCode = .none, errorMessage: String? = nil, authBytes: Bytes = .empty,
        sessionLifetimeMs: Int64 = 0
    ) {
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.authBytes = authBytes
        self.sessionLifetimeMs = sessionLifetimeMs
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = version >= 2
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: flexible)
        authBytes = try reader.bytesField(flexible: flexible)
        if version >= 1 { sessionLifetimeMs = try reader.int64() }
        if flexible { try reader.skipTaggedFields() }
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = version >= 2
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: flexible)
        writer.bytesField(authBytes, flexible: flexible)
        if version >= 1 { writer.int64(sessionLifetimeMs) }
        if flexible { writer.noTaggedFields() }
    }
}
