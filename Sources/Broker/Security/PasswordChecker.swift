import Base
import Crypto
import Quorum

/// Checks passwords that come in the clear (PLAIN) against what is kept for SCRAM, so that a user
/// has one password for both and no password is stored.
///
/// The derivation takes about a millisecond of the loop's time. A client that signs on again is
/// recognised by a keyed digest of the password that worked; strangers are slowed down by whoever
/// calls, see `isRecognised`.
package struct PasswordChecker: Sendable {
    /// Known to this process only.
    private let secret: Bytes
    private var recognised: OrderedMap<String, Bytes> = [:]
    private static let recognisedMax = 10_000

    package init(random: inout SecureRandom) { secret = random.bytes(32) }

    /// The message of PLAIN: whom to act for, who, password, separated by zeros.
    package struct Claim: Sendable {
        package var user: String
        package var password: Secret

        /// nil when the message has another form or the user wants to act for somebody else.
        package init?(_ message: Bytes) {
            let parts = message.array.split(separator: 0, omittingEmptySubsequences: false)
            guard parts.count == 3, !parts[1].isEmpty, !parts[2].isEmpty,
                parts[1].count <= Limits.accessRuleTextBytes,
                parts[0].isEmpty || parts[0] == parts[1],
                let user = Bytes(parts[1]).validText
            else { return nil }
            self.user = user
            password = Secret(Bytes(parts[2]))
        }
    }

    /// Whether checking the claim costs next to nothing.
    package func isRecognised(_ claim: Claim, credentials: CredentialLookup) -> Bool {
        guard let kept = Self.kept(claim.user, credentials)?.credential,
            let known = recognised[claim.user]
        else { return false }
        return areEqualInConstantTime(known, mark(claim, kept))
    }

    /// Whether the password is the user's. An unknown user takes as long as a wrong password.
    package mutating func check(_ claim: Claim, credentials: CredentialLookup) -> Bool {
        if isRecognised(claim, credentials: credentials) { return true }
        let known = Self.kept(claim.user, credentials)
        let mechanism = known?.mechanism ?? .sha256
        let credential =
            known?.credential ?? ScramServer.decoy(claim.user, mechanism, secret: secret)
        let derived = Scram.credential(
            password: claim.password, salt: credential.salt, iterations: credential.iterations,
            mechanism)
        let isRight = areEqualInConstantTime(derived.storedKey, credential.storedKey)
        guard isRight, known != nil else { return false }
        if recognised.count < Self.recognisedMax || recognised[claim.user] != nil {
            recognised[claim.user] = mark(claim, credential)
        }
        return true
    }

    private static func kept(
        _ user: String, _ credentials: CredentialLookup
    ) -> (mechanism: ScramMechanism, credential: ScramCredential)? {
        for mechanism in ScramMechanism.allCases {
            if let found = credentials(ScramCredentialKey(user: user, mechanism: mechanism)) {
                return (mechanism, found)
            }
        }
        return nil
    }

    /// Changes with the password and with what is kept of it.
    private func mark(_ claim: Claim, _ credential: ScramCredential) -> Bytes {
        let key = Digest.sha256.authenticate(credential.storedKey, key: secret)
        return Digest.sha256.authenticate(claim.password.exposed, key: key)
    }

    /// For decoys of other mechanisms.
    package var decoySecret: Bytes { secret }
}
