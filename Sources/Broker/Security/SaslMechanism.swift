import Base
import Quorum

/// The ways of proving who one is that this broker knows, by published name.
package enum SaslMechanism: String, CaseIterable, Hashable, Sendable {
    case plain = "PLAIN"
    case scramSha256 = "SCRAM-SHA-256"
    case scramSha512 = "SCRAM-SHA-512"
    case oauthBearer = "OAUTHBEARER"
}

/// What became of one message of a client.
package enum SaslOutcome: Equatable, Sendable {
    /// The exchange goes on with this message.
    case challenge(Bytes)
    /// The client is who it says it is. `expires`: when what it showed ceases to be valid, in
    /// milliseconds since 1970.
    case success(user: String, message: Bytes, expires: Int64?)
    /// The reason is for the operator, not for the client, who might be guessing.
    case failure(reason: String)
}

/// Finds what is kept of a user's password; nil when there is nothing.
package typealias CredentialLookup = (ScramCredentialKey) -> ScramCredential?
