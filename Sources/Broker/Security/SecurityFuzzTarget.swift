// What the fuzzer of sign-ons runs: it must return for every input.

import Base
import Crypto
import Quorum

/// Takes `bytes` as the messages of one sign-on, separated by 0xFE; the first byte chooses what is
/// tried. Nobody may get in whose password is not known.
package func exerciseSignOn(_ bytes: Bytes) {
    guard bytes.count > 1 else { return }
    let rest = bytes[1..<bytes.count]
    switch bytes[0] % 6 {
    case 4: return exerciseKeySet(rest)
    case 5: return exerciseToken(rest)
    case let choice:
        let mechanism = SaslMechanism.allCases[Int(choice)]
        var tools = SaslTools(
            random: SecureRandom(seed: Bytes([UInt8](repeating: 1, count: 32))),
            tokens: (try? KeySet(parsing: Bytes(utf8: sampleKeys))).map(TokenVerifier.init))
        let credential = ScramCredential(
            salt: Bytes(utf8: "salt"), iterations: 1,
            storedKey: Bytes([UInt8](repeating: 2, count: 32)),
            serverKey: Bytes([UInt8](repeating: 3, count: 32)))
        var server = SaslServer(mechanism)
        for message in rest.array.split(separator: 0xFE, maxSplits: 3) {
            let outcome = server.step(Bytes(message), tools: &tools, wallMilliseconds: 0) { key in
                key == ScramCredentialKey(user: "user", mechanism: .sha256) ? credential : nil
            }
            if case .success(let user, _, _) = outcome {
                preconditionFailure("\(user) signed on without a password")
            }
        }
    }
}

private func exerciseKeySet(_ bytes: Bytes) {
    if let keys = try? KeySet(parsing: bytes) {
        precondition(keys.count > 0, "an empty set is refused")
    }
}

private func exerciseToken(_ bytes: Bytes) {
    guard let keys = try? KeySet(parsing: Bytes(utf8: sampleKeys)) else {
        preconditionFailure("the sample is a key set")
    }
    let token = try? TokenVerifier(keys: keys).verify(bytes, wallMilliseconds: 0)
    precondition(token == nil, "a token without our signature was believed")
}

/// A key that nobody signs with.
private let sampleKeys =
    #"{"keys":[{"kty":"oct","k":"c2VjcmV0LXRoYXQtbm9ib2R5LWVsc2Uta25vd3MtYXQtYWxs"}]}"#
