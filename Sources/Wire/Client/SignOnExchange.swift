// The client's side of SASL: what to send, and whether the broker is the right one.

import Base
import Crypto

/// One sign-on. `next` takes the broker's message and returns ours, nil when nothing is left to say.
struct SignOnExchange {
    private enum State {
        case plain(Secret)
        case scramFirst(user: String, password: Secret, digest: Digest, nonce: String)
        case scramProof(Scram)
        case scramEnd(signature: Bytes)
        case bearer(Secret)
        case done
    }

    private struct Scram {
        var password: Secret
        var digest: Digest
        var nonce: String
        var bare: String
    }

    let mechanism: String
    private var state: State

    init(_ signOn: ClientSignOn, nonce: String) throws(ClientFailure) {
        switch signOn.kind {
        case .plain(let user, let password):
            mechanism = "PLAIN"
            var message = ByteWriter(capacity: 64)
            message.uint8(0)
            message.utf8(user)
            message.uint8(0)
            message.bytes(password.exposed)
            state = .plain(Secret(message.finish()))
        case .scram(let user, let password, let is512):
            mechanism = is512 ? "SCRAM-SHA-512" : "SCRAM-SHA-256"
            state = .scramFirst(
                user: user, password: password, digest: is512 ? .sha512 : .sha256, nonce: nonce)
        case .bearer(let token):
            mechanism = "OAUTHBEARER"
            do {
                var message = ByteWriter(capacity: 512)
                message.utf8("n,,\u{1}auth=Bearer ")
                message.bytes(try token().exposed)
                message.utf8("\u{1}\u{1}")
                state = .bearer(Secret(message.finish()))
            } catch {
                throw ClientFailure("no token to sign on with: \(error)")
            }
        }
    }

    mutating func next(after message: Bytes?) throws(ClientFailure) -> Bytes? {
        switch state {
        case .plain(let secret), .bearer(let secret):
            state = .done
            return secret.exposed
        case .scramFirst(let user, let password, let digest, let nonce):
            let bare = "n=\(Self.escaped(user)),r=\(nonce)"
            state = .scramProof(
                Scram(password: password, digest: digest, nonce: nonce, bare: bare))
            return Bytes(utf8: "n,," + bare)
        case .scramProof(let scram):
            return try prove(scram, serverFirst: message ?? .empty)
        case .scramEnd(let signature):
            state = .done
            let expected = Bytes(utf8: "v=" + Base64.encode(signature))
            guard let message, areEqualInConstantTime(message, expected) else {
                throw ClientFailure("the broker does not know our password: it may be another one")
            }
            return nil
        case .done:
            // A refused token is explained before it is refused; that has to be acknowledged.
            guard let message, !message.isEmpty else { return nil }
            return Bytes([1])
        }
    }

    private mutating func prove(
        _ scram: Scram, serverFirst: Bytes
    ) throws(ClientFailure) -> Bytes {
        func refuse(_ what: String) -> ClientFailure {
            ClientFailure("the broker's sign-on message \(what)")
        }
        guard let text = serverFirst.validText else { throw refuse("is not text") }
        let fields = text.split(separator: ",", omittingEmptySubsequences: false)
        guard fields.count >= 3, fields[0].hasPrefix("r="), fields[1].hasPrefix("s="),
            fields[2].hasPrefix("i="), let salt = Base64.decode(fields[1].dropFirst(2).utf8),
            let iterations = Int32(fields[2].dropFirst(2))
        else { throw refuse("has another form") }
        let nonce = fields[0].dropFirst(2)
        guard nonce.hasPrefix(scram.nonce), nonce.utf8.count > scram.nonce.utf8.count else {
            throw refuse("belongs to another exchange")
        }
        // Fewer make our proof easy to guess the password from, more would keep us busy.
        guard (4096...1_000_000).contains(iterations), !salt.isEmpty else {
            throw refuse("asks for \(iterations) iterations")
        }
        let digest = scram.digest
        let salted = digest.derive(
            password: scram.password.exposed, salt: salt, iterations: iterations)
        let clientKey = digest.authenticate(Bytes(utf8: "Client Key"), key: salted)
        let serverKey = digest.authenticate(Bytes(utf8: "Server Key"), key: salted)
        let withoutProof = "c=biws,r=\(nonce)"
        let authenticated = Bytes(utf8: "\(scram.bare),\(text),\(withoutProof)")
        let signature = digest.authenticate(authenticated, key: digest.hash(clientKey))
        let proof = Bytes(zip(clientKey.array, signature.array).map { $0 ^ $1 })
        state = .scramEnd(signature: digest.authenticate(authenticated, key: serverKey))
        return Bytes(utf8: "\(withoutProof),p=\(Base64.encode(proof))")
    }

    private static func escaped(_ user: String) -> String {
        var result = ""
        for character in user {
            switch character {
            case ",": result += "=2C"
            case "=": result += "=3D"
            default: result.append(character)
            }
        }
        return result
    }
}
