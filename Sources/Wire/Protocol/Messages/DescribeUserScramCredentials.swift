// Lists which SCRAM credentials users have, never the secrets.

import Base

/// The request, version 0. Flexible from version 0.
package struct DescribeUserScramCredentialsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.describeUserScramCredentials
    package typealias Response = DescribeUserScramCredentialsResponse
    package static let minimumWireBytes = 1

    /// The users; null or none = all.
    package var users: [UserName]? = []

    package init(users: [UserName]? = []) {
        self.users = users
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = true
        users = try reader.nullableArray(version: version, flexible: flexible)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = true
        writer.nullableArray(users, version: version, flexible: flexible)
        writer.noTaggedFields()
    }

    /// One user.
    package struct UserName: WireStructure, Equatable {
        package static let minimumWireBytes = 1

        /// Its name.
        package var name: String = ""

        package init(name: String = "") {
            self.name = name
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = true
            name = try reader.stringField(flexible: flexible)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = true
            writer.stringField(name, flexible: flexible)
            writer.noTaggedFields()
        }
    }
}

/// The answer, version 0. Flexible from version 0.
package struct DescribeUserScramCredentialsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.describeUserScramCredentials
    package static let minimumWireBytes = 8

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// What went wrong, or `none`.
    package var errorCode: ErrorCode = .none
    /// What went wrong, for people.
    package var errorMessage: String? = nil
    /// One element for each user.
    package var results: [DescribeUserScramCredentialsResult] = []

    package init(
        throttleTimeMs: Int32 = 0, errorCode: ErrorCode = .none, errorMessage: String? = nil,
        results: [DescribeUserScramCredentialsResult] = []
    ) {
        self.throttleTimeMs = throttleTimeMs
        self.errorCode = errorCode
        self.errorMessage = errorMessage
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = true
        throttleTimeMs = try reader.int32()
        errorCode = try reader.errorCode()
        errorMessage = try reader.nullableStringField(flexible: flexible)
        results = try reader.array(version: version, flexible: flexible)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = true
        writer.int32(throttleTimeMs)
        writer.errorCode(errorCode)
        writer.nullableStringField(errorMessage, flexible: flexible)
        writer.array(results, version: version, flexible: flexible)
        writer.noTaggedFields()
    }

    /// The credentials of one user.
    package struct DescribeUserScramCredentialsResult: WireStructure, Equatable {
        package static let minimumWireBytes = 5

        /// Its name.
        package var user: String = ""
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil
        /// Its credentials.
        package var credentialInfos: [CredentialInfo] = []

        package init(
            user: String = "", errorCode: ErrorCode = .none, errorMessage: String? = nil,
            credentialInfos: [CredentialInfo] = []
        ) {
            self.user = user
            self.errorCode = errorCode
            self.errorMessage = errorMessage
            self.credentialInfos = credentialInfos
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = true
            user = try reader.stringField(flexible: flexible)
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            credentialInfos = try reader.array(version: version, flexible: flexible)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = true
            writer.stringField(user, flexible: flexible)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.array(credentialInfos, version: version, flexible: flexible)
            writer.noTaggedFields()
        }

        /// One credential.
        package struct CredentialInfo: WireStructure, Equatable {
            package static let minimumWireBytes = 5

            /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
            package var mechanism: Int8 = 0
            /// How often the password was hashed.
            package var iterations: Int32 = 0

            package init(mechanism: Int8 = 0, iterations: Int32 = 0) {
                self.mechanism = mechanism
                self.iterations = iterations
            }

            package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
                mechanism = try reader.int8()
                iterations = try reader.int32()
                try reader.skipTaggedFields()
            }

            package func write(to writer: inout ByteWriter, version: Int16) {
                writer.int8(mechanism)
                writer.int32(iterations)
                writer.noTaggedFields()
            }
        }
    }
}
