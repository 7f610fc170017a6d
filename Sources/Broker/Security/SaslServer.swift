import Base
import Crypto
import Quorum

/// One sign-on, whatever its mechanism. Takes the client's messages in order until it has decided.
package struct SaslServer: Sendable {
    private enum State: Sendable {
        case plain
        case scram(ScramServer)
        case bearer
        /// The client was told why its token was refused and owes an acknowledgement.
        case bearerRefused(reason: String)
        case done
    }

    package let mechanism: SaslMechanism
    private var state: State

    package init(_ mechanism: SaslMechanism) {
        self.mechanism = mechanism
        switch mechanism {
        case .plain: state = .plain
        case .scramSha256: state = .scram(ScramServer(.sha256))
        case .scramSha512: state = .scram(ScramServer(.sha512))
        case .oauthBearer: state = .bearer
        }
    }

    /// Takes one message of the client.
    package mutating func step(
        _ message: Bytes, tools: inout SaslTools, wallMilliseconds: Int64,
        credentials: CredentialLookup
    ) -> SaslOutcome {
        switch state {
        case .plain:
            state = .done
            guard let claim = PasswordChecker.Claim(message) else {
                return .failure(reason: "the message is not one of PLAIN")
            }
            guard tools.passwords.check(claim, credentials: credentials) else {
                return .failure(reason: "wrong user or password for \(claim.user)")
            }
            return .success(user: claim.user, message: .empty, expires: nil)
        case .scram(var scram):
            let outcome = scram.step(
                message, nonce: Base64.encode(tools.random.bytes(24)),
                decoySecret: tools.passwords.decoySecret, credentials: credentials)
            if case .challenge = outcome { state = .scram(scram) } else { state = .done }
            return outcome
        case .bearer:
            return checkToken(message, tools.tokens, wallMilliseconds: wallMilliseconds)
        case .bearerRefused(let reason):
            state = .done
            return .failure(reason: reason)
        case .done:
            return .failure(reason: "a message after the end of the exchange")
        }
    }

    /// How many iterations of a derivation the next step costs, for whoever schedules it: 0 when it
    /// is cheap.
    package func iterations(
        for message: Bytes, tools: SaslTools, credentials: CredentialLookup
    ) -> Int {
        guard case .plain = state, let claim = PasswordChecker.Claim(message),
            !tools.passwords.isRecognised(claim, credentials: credentials)
        else { return 0 }
        return Int(Scram.iterationsMin)
    }

    private mutating func checkToken(
        _ message: Bytes, _ verifier: TokenVerifier?, wallMilliseconds: Int64
    ) -> SaslOutcome {
        state = .done
        guard let bearer = BearerMessage(message) else {
            return .failure(reason: "the message is not one of OAUTHBEARER")
        }
        guard let verifier else { return .failure(reason: "no keys for tokens are configured") }
        do throws(TokenVerifier.Refusal) {
            let token = try verifier.verify(bearer.token, wallMilliseconds: wallMilliseconds)
            if let wanted = bearer.authorization, wanted != token.user {
                return .failure(reason: "\(token.user) may not act for somebody else")
            }
            return .success(user: token.user, message: .empty, expires: token.expires)
        } catch {
            // The mechanism wants the refusal as a challenge, which the client acknowledges.
            state = .bearerRefused(reason: error.reason)
            return .challenge(Bytes(utf8: #"{"status":"invalid_token"}"#))
        }
    }
}

/// What sign-ons share.
package struct SaslTools: Sendable {
    package var random: SecureRandom
    package var passwords: PasswordChecker
    package var tokens: TokenVerifier?

    package init(random: SecureRandom, tokens: TokenVerifier?) {
        self.random = random
        passwords = PasswordChecker(random: &self.random)
        self.tokens = tokens
    }
}
