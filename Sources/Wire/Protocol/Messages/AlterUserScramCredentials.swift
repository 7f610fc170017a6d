// Sets and removes SCRAM credentials of users.

import Base

/// The request, version 0. Flexible from version 0.
package struct AlterUserScramCredentialsRequest: WireRequest, Equatable {
    package static let apiKey = ApiKey.alterUserScramCredentials
    package typealias Response = AlterUserScramCredentialsResponse
    package static let minimumWireBytes = 2

    /// Credentials to remove.
    package var deletions: [ScramCredentialDeletion] = []
    /// Credentials to set.
    package var upsertions: [ScramCredentialUpsertion] = []

    package init(
        deletions: [ScramCredentialDeletion] = [], upsertions: [ScramCredentialUpsertion] = []
    ) {
        self.deletions = deletions
        self.upsertions = upsertions
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = true
        deletions = try reader.array(version: version, flexible: flexible)
        upsertions = try reader.array(version: version, flexible: flexible)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = true
        writer.array(deletions, version: version, flexible: flexible)
        writer.array(upsertions, version: version, flexible: flexible)
        writer.noTaggedFields()
    }

    /// A credential to remove.
    package struct ScramCredentialDeletion: WireStructure, Equatable {
        package static let minimumWireBytes = 2

        /// The user.
        package var name: String = ""
        /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
        package var mechanism: Int8 = 0

        package init(name: String = "", mechanism: Int8 = 0) {
            self.name = name
            self.mechanism = mechanism
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = true
            name = try reader.stringField(flexible: flexible)
            mechanism = try reader.int8()
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = true
            writer.stringField(name, flexible: flexible)
            writer.int8(mechanism)
            writer.noTaggedFields()
        }
    }

    /// A credential to set.
    package struct ScramCredentialUpsertion: WireStructure, Equatable {
        package static let minimumWireBytes = 8

        /// The user.
        package var name: String = ""
        /// 1: SCRAM-SHA-256; 2: SCRAM-SHA-512.
        package var mechanism: Int8 = 0
        /// How often the password was hashed.
        package var iterations: Int32 = 0
        /// What was mixed into the password.
        package var salt: Bytes = .empty
        /// The hashed password.
        package var saltedPassword: Bytes = .empty

        package init(
            name: String = "", mechanism: Int8 = 0, iterations: Int32 = 0, salt: Bytes = .empty,
            saltedPassword: Bytes = .empty
        ) {
            self.name = name
            self.mechanism = mechanism
            self.iterations = iterations
            self.salt = salt
            self.saltedPassword = saltedPassword
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = true
            name = try reader.stringField(flexible: flexible)
            mechanism = try reader.int8()
            iterations = try reader.int32()
            salt = try reader.bytesField(flexible: flexible)
            saltedPassword = try reader.bytesField(flexible: flexible)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = true
            writer.stringField(name, flexible: flexible)
            writer.int8(mechanism)
            writer.int32(iterations)
            writer.bytesField(salt, flexible: flexible)
            writer.bytesField(saltedPassword, flexible: flexible)
            writer.noTaggedFields()
        }
    }
}

/// The answer, version 0. Flexible from version 0.
package struct AlterUserScramCredentialsResponse: WireResponse, Equatable {
    package static let apiKey = ApiKey.alterUserScramCredentials
    package static let minimumWireBytes = 5

    /// How long the broker will not read from this connection, because of a quota.
    package var throttleTimeMs: Int32 = 0
    /// One element for each user.
    package var results: [AlterUserScramCredentialsResult] = []

    package init(throttleTimeMs: Int32 = 0, results: [AlterUserScramCredentialsResult] = []) {
        self.throttleTimeMs = throttleTimeMs
        self.results = results
    }

    package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
        let flexible = true
        throttleTimeMs = try reader.int32()
        results = try reader.array(version: version, flexible: flexible)
        try reader.skipTaggedFields()
    }

    package func write(to writer: inout ByteWriter, version: Int16) {
        let flexible = true
        writer.int32(throttleTimeMs)
        writer.array(results, version: version, flexible: flexible)
        writer.noTaggedFields()
    }

    /// The result for one user.
    package struct AlterUserScramCredentialsResult: WireStructure, Equatable {
        package static let minimumWireBytes = 4

        /// Its name.
        package var user: String = ""
        /// What went wrong, or `none`.
        package var errorCode: ErrorCode = .none
        /// What went wrong, for people.
        package var errorMessage: String? = nil

        package init(user: String = "", errorCode: ErrorCode = .none, errorMessage: String? = nil) {
            self.user = user
            self.errorCode = errorCode
            self.errorMessage = errorMessage
        }

        package init(from reader: inout ByteReader, version: Int16) throws(DecodeFailure) {
            let flexible = true
            user = try reader.stringField(flexible: flexible)
            errorCode = try reader.errorCode()
            errorMessage = try reader.nullableStringField(flexible: flexible)
            try reader.skipTaggedFields()
        }

        package func write(to writer: inout ByteWriter, version: Int16) {
            let flexible = true
            writer.stringField(user, flexible: flexible)
            writer.errorCode(errorCode)
            writer.nullableStringField(errorMessage, flexible: flexible)
            writer.noTaggedFields()
        }
    }
}
