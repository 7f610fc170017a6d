// Agrees on how the client proves who it is.

import Base

/// The request, versions 0 to 1. Never flexible.
package struct SaslHandshakeRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.saslHandshake
    package typealias Response = SaslHandshakeResponse
    package static let minimumWireBytes = 1

    /// The mechanism that the client wants.
    package var mechanism: String = ""

    package init(mechanism: String = "") {
        self.mechanism = mechanism
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = false
        mechanism = try reader.stringField(flexible: flexible)
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = false
        writer.stringField(mechanism, flexible: flexible)
    }
}

/// The answer, versions 0 to 1. Never flexible.
package struct SaslHandshakeResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.saslHandshake
    package static let minimumWireBytes = 3

    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// The mechanisms that the broker accepts.
    package var mechanisms: [String] = []

    package init(errorCode: ErrorCode = .none, mechanisms: [String] = []) {
        self.errorCode = errorCode
        self.mechanisms = mechanisms
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = false
        errorCode = try reader.errorCode()
        mechanisms = try reader.stringArray(flexible: flexible)
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = false
        writer.errorCode(errorCode)
        writer.stringArray(mechanisms, flexible: flexible)
    }
}
