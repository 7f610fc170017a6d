// The server's side of SCRAM (RFC 5802, RFC 7677), without channel binding.
//
//   client-first   n,,n=user,r=nonce
//   server-first   r=nonce+ours,s=salt,i=iterations
//   client-final   c=biws,r=nonce+ours,p=proof
//   server-final   v=signature

import Base
import Crypto
import Quorum

/// One sign-on by SCRAM. An unknown user goes through the whole exchange, in the same time and with
/// a salt that stays the same, so that nobody learns which users exist.
package struct ScramServer: Sendable {
    private enum State: Sendable {
        case start
        case awaitsProof(Exchange)
        case done
    }

    private struct Exchange: Sendable {
        var user: String
        var header: String
        var clientNonce: String
        var nonce: String
        var credential: ScramCredential
        var isKnown: Bool
        var clientFirstBare: String
        var serverFirst: String
    }

    private let mechanism: ScramMechanism
    private var state = State.start

    package init(_ mechanism: ScramMechanism) { self.mechanism = mechanism }

    /// Takes one message of the client. `nonce`: printable text that nobody can predict.
    package mutating func step(
        _ message: Bytes, nonce: String, decoySecret: Bytes, credentials: CredentialLookup
    ) -> SaslOutcome {
        switch state {
        case .start:
            do throws(Refusal) {
                let exchange = try begin(
                    message, nonce: nonce, decoySecret: decoySecret, credentials: credentials)
                state = .awaitsProof(exchange)
                return .challenge(Bytes(utf8: exchange.serverFirst))
            } catch {
                state = .done
                return .failure(reason: error.reason)
            }
        case .awaitsProof(let exchange):
            state = .done
            do throws(Refusal) {
                return try finish(message, exchange)
            } catch {
                return .failure(reason: error.reason)
            }
        case .done:
            return .failure(reason: "a message after the end of the exchange")
        }
    }

    private struct Refusal: Error { var reason: String }

    private func begin(
        _ message: Bytes, nonce ours: String, decoySecret: Bytes, credentials: CredentialLookup
    ) throws(Refusal) -> Exchange {
        guard let text = message.validText, text.utf8.count <= 4096 else {
            throw Refusal(reason: "the first message is not text of a sensible length")
        }
        // gs2-header: channel binding flag, authorization identity, each ended by a comma.
        let parts = text.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Refusal(reason: "the first message has no header") }
        guard parts[0] == "n" || parts[0] == "y" else {
            throw Refusal(reason: "channel binding is not supported")
        }
        let bare = String(parts[2])
        let attributes = bare.split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 2, let user = Self.name(value("n", attributes[0])) else {
            throw Refusal(reason: "the first message names no user")
        }
        guard let theirs = value("r", attributes[1]), Self.isNonce(theirs) else {
            throw Refusal(reason: "the first message has no nonce")
        }
        if !parts[1].isEmpty {
            guard let wanted = Self.name(value("a", parts[1])), wanted == user else {
                throw Refusal(reason: "\(user) may not act for somebody else")
            }
        }
        if attributes.dropFirst(2).contains(where: { $0 == "tokenauth=true" }) {
            throw Refusal(reason: "delegation tokens are not supported")
        }
        let known = credentials(ScramCredentialKey(user: user, mechanism: mechanism))
        // Made for known users too, so that both take the same time.
        let decoy = Self.decoy(user, mechanism, secret: decoySecret)
        let credential = known ?? decoy
        let nonce = theirs + ours
        return Exchange(
            user: user, header: "\(parts[0]),\(parts[1]),", clientNonce: String(theirs),
            nonce: String(nonce), credential: credential, isKnown: known != nil,
            clientFirstBare: bare,
            serverFirst: "r=\(nonce),s=\(Base64.encode(credential.salt)),"
                + "i=\(credential.iterations)")
    }

    private func finish(_ message: Bytes, _ exchange: Exchange) throws(Refusal) -> SaslOutcome {
        guard let text = message.validText, text.utf8.count <= 4096,
            let proofStart = text.firstRange(of: ",p=")
        else { throw Refusal(reason: "the last message has no proof") }
        let withoutProof = String(text[..<proofStart.lowerBound])
        let attributes = withoutProof.split(separator: ",", omittingEmptySubsequences: false)
        guard attributes.count >= 2,
            value("c", attributes[0]) == Base64.encode(Bytes(utf8: exchange.header))[...]
        else { throw Refusal(reason: "the last message repeats another header") }
        // The nonce binds the proof to this exchange: without it a recorded one could be replayed.
        guard let nonce = value("r", attributes[1]), Self.repeats(nonce, exchange) else {
            throw Refusal(reason: "the last message has another nonce")
        }
        let digest = mechanism.digest
        let proof = Base64.decode(text[proofStart.upperBound...].utf8)
        let authenticated = Bytes(
            utf8: "\(exchange.clientFirstBare),\(exchange.serverFirst),\(withoutProof)")
        let signature = digest.authenticate(authenticated, key: exchange.credential.storedKey)
        guard let proof, proof.count == digest.byteCount else {
            throw Refusal(reason: "the proof is not one of \(mechanism.name)")
        }
        let clientKey = Bytes(zip(proof.array, signature.array).map { $0 ^ $1 })
        let isProof = areEqualInConstantTime(
            digest.hash(clientKey), exchange.credential.storedKey)
        guard isProof, exchange.isKnown else {
            throw Refusal(
                reason: exchange.isKnown
                    ? "wrong password of \(exchange.user)"
                    : "\(exchange.user) has no \(mechanism.name) credential")
        }
        let answer = digest.authenticate(authenticated, key: exchange.credential.serverKey)
        return .success(
            user: exchange.user, message: Bytes(utf8: "v=" + Base64.encode(answer)), expires: nil)
    }

    /// Whether a nonce is the exchange's. librdkafka before 2.6.1 puts its own part in front once
    /// more; the proof covers the text as it was sent, so that is as fresh.
    private static func repeats(_ nonce: Substring, _ exchange: Exchange) -> Bool {
        let sent = Bytes(utf8: String(nonce))
        return areEqualInConstantTime(sent, Bytes(utf8: exchange.nonce))
            || areEqualInConstantTime(
                sent, Bytes(utf8: exchange.clientNonce + exchange.nonce))
    }

    /// The part behind `name=`.
    private func value(_ name: Character, _ attribute: Substring) -> Substring? {
        guard attribute.first == name, attribute.dropFirst().first == "=" else { return nil }
        return attribute.dropFirst(2)
    }

    /// A name with its escapes undone; nil when it is empty or has another escape.
    private static func name(_ text: Substring?) -> String? {
        guard let text, !text.isEmpty, text.utf8.count <= Limits.accessRuleTextBytes else {
            return nil
        }
        var name: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.first {
            rest = rest.dropFirst()
            guard byte == UInt8(ascii: "=") else {
                name.append(byte)
                continue
            }
            if rest.starts(with: "2C".utf8) {
                name.append(UInt8(ascii: ","))
            } else if rest.starts(with: "3D".utf8) {
                name.append(UInt8(ascii: "="))
            } else {
                return nil
            }
            rest = rest.dropFirst(2)
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// Printable ASCII without the comma.
    private static func isNonce(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.count <= 1024
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ",") }
    }

    /// A credential that nobody has the password of, always the same for one name.
    static func decoy(
        _ user: String, _ mechanism: ScramMechanism, secret: Bytes
    ) -> ScramCredential {
        let digest = mechanism.digest
        func draw(_ label: String) -> Bytes {
            digest.authenticate(Bytes(utf8: "\(label) \(mechanism.name) \(user)"), key: secret)
        }
        return ScramCredential(
            salt: draw("salt")[0..<18], iterations: Scram.iterationsMin, storedKey: draw("stored"),
            serverKey: draw("server"))
    }
}

/// What both sides compute.
package enum Scram {
    /// Fewer make guessing too easy; more than the most would let a client stall the server.
    package static let iterationsMin: Int32 = 4096
    package static let iterationsMax: Int32 = 16384

    /// What is kept of a salted password.
    package static func credential(
        saltedPassword: Bytes, salt: Bytes, iterations: Int32, _ mechanism: ScramMechanism
    ) -> ScramCredential {
        let digest = mechanism.digest
        let clientKey = digest.authenticate(Bytes(utf8: "Client Key"), key: saltedPassword)
        return ScramCredential(
            salt: salt, iterations: iterations, storedKey: digest.hash(clientKey),
            serverKey: digest.authenticate(Bytes(utf8: "Server Key"), key: saltedPassword))
    }

    /// What is kept of `password`. Takes milliseconds, on purpose.
    package static func credential(
        password: Secret, salt: Bytes, iterations: Int32, _ mechanism: ScramMechanism
    ) -> ScramCredential {
        credential(
            saltedPassword: mechanism.digest.derive(
                password: password.exposed, salt: salt, iterations: iterations),
            salt: salt, iterations: iterations, mechanism)
    }
}

extension ScramMechanism {
    package var digest: Digest { self == .sha256 ? .sha256 : .sha512 }
}
