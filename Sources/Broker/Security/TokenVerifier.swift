// JSON Web Tokens (RFC 7519) in their compact, signed form:
//
//   base64url(header) . base64url(claims) . base64url(signature over the first two parts)

import Base
import Crypto

/// Decides whether a token proves who somebody is.
package struct TokenVerifier: Sendable {
    package var keys: KeySet
    /// `sasl.oauthbearer.expected.issuer`; nil = any.
    package var issuer: String?
    /// `sasl.oauthbearer.expected.audience`: one of them has to be named; none = any.
    package var audiences: [String] = []
    /// `sasl.oauthbearer.clock.skew.seconds`
    package var clockSkewSeconds: Int64 = 30
    /// `sasl.oauthbearer.sub.claim.name`
    package var principalClaim = "sub"

    package init(keys: KeySet) { self.keys = keys }

    package struct Token: Equatable, Sendable {
        package var user: String
        /// Milliseconds since 1970.
        package var expires: Int64
    }

    package struct Refusal: Error, Equatable { package var reason: String }

    /// Who the token is about, if it can be believed at this moment.
    package func verify(
        _ text: Bytes, wallMilliseconds: Int64
    ) throws(Refusal) -> Token {
        let parts = text.array.split(
            separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw Refusal(reason: "the token has not three parts") }
        guard let header = Self.object(parts[0]), let claims = Self.object(parts[1]),
            let signature = Base64.decodeForURL(parts[2])
        else { throw Refusal(reason: "a part of the token is not JSON in base64 for URLs") }
        if header["crit"] != nil {
            throw Refusal(reason: "the token demands extensions that are not known")
        }
        guard let algorithm = header["alg"]?.stringValue else {
            throw Refusal(reason: "the token does not name its algorithm")
        }
        let signedBytes = text[0..<(parts[0].count + 1 + parts[1].count)]
        let id = header["kid"]?.stringValue
        let fitting = keys.keys.filter { key in
            (id == nil || key.id == nil || key.id == id)
                && (key.algorithm == nil || key.algorithm == algorithm)
        }
        let isSigned = fitting.contains {
            Self.isSigned(signedBytes, signature, algorithm, by: $0.material)
        }
        guard isSigned else {
            throw Refusal(reason: "no configured key made the signature (\(algorithm.prefix(16)))")
        }
        return try check(claims, seconds: Double(wallMilliseconds) / 1000)
    }

    private static func object(_ part: ArraySlice<UInt8>) -> JSONValue? {
        guard let bytes = Base64.decodeForURL(part) else { return nil }
        do throws(DecodeFailure) {
            let value = try JSONValue(parsing: bytes, depthLimit: 16)
            // Two values of one name could be read in two ways.
            guard let names = value.members?.map(\.key), Set(names).count == names.count else {
                return nil
            }
            return value
        } catch {
            return nil
        }
    }

    /// The kind of the key decides which algorithms can be meant, so that a public key never
    /// becomes a shared secret.
    private static func isSigned(
        _ message: Bytes, _ signature: Bytes, _ algorithm: String, by material: KeySet.Material
    ) -> Bool {
        switch (material, algorithm) {
        case (.publicKey(let key), "RS256"), (.publicKey(let key), "RS384"),
            (.publicKey(let key), "RS512"):
            guard case .rsa = key else { return false }
            let digest: Digest =
                algorithm == "RS256" ? .sha256 : algorithm == "RS384" ? .sha384 : .sha512
            return key.verifies(signature: signature, of: message, digest: digest)
        case (.publicKey(let key), "ES256"), (.publicKey(let key), "ES384"):
            guard case .ec = key else { return false }
            let digest: Digest = algorithm == "ES256" ? .sha256 : .sha384
            return key.verifies(signature: signature, of: message, digest: digest)
        case (.shared(let secret), "HS256"):
            return areEqualInConstantTime(
                Digest.sha256.authenticate(message, key: secret.exposed), signature)
        default:
            return false
        }
    }

    private func check(_ claims: JSONValue, seconds now: Double) throws(Refusal) -> Token {
        let skew = Double(clockSkewSeconds)
        guard let expires = claims["exp"]?.doubleValue, expires.isFinite,
            abs(expires) < 1e12
        else { throw Refusal(reason: "the token does not say when it expires") }
        guard now < expires + skew else { throw Refusal(reason: "the token has expired") }
        for claim in ["nbf", "iat"] {
            guard let value = claims[claim] else { continue }
            guard let begins = value.doubleValue, begins <= now + skew else {
                throw Refusal(reason: "the token is not valid yet (\(claim))")
            }
        }
        if let issuer, claims["iss"]?.stringValue != issuer {
            throw Refusal(reason: "the token has another issuer")
        }
        if !audiences.isEmpty {
            let named =
                claims["aud"]?.stringValue.map { [$0] }
                ?? claims["aud"]?.arrayValue?.compactMap(\.stringValue) ?? []
            guard named.contains(where: audiences.contains) else {
                throw Refusal(reason: "the token is for another audience")
            }
        }
        guard let user = claims[principalClaim]?.stringValue, !user.isEmpty,
            user.utf8.count <= Limits.accessRuleTextBytes
        else { throw Refusal(reason: "the token has no claim \(principalClaim)") }
        return Token(user: user, expires: Int64(expires * 1000))
    }
}

/// The server's side of OAUTHBEARER (RFC 7628):
/// `n,a=user,` 0x01 `auth=Bearer token` 0x01 (`key=value` 0x01)* 0x01
struct BearerMessage {
    var authorization: String?
    var token: Bytes

    init?(_ message: Bytes) {
        let fields = message.array.split(separator: 1, omittingEmptySubsequences: false)
        guard fields.count >= 4, fields[fields.count - 1].isEmpty,
            fields[fields.count - 2].isEmpty,
            let header = Bytes(fields[0]).validText, header.hasPrefix("n,"), header.hasSuffix(",")
        else { return nil }
        let identity = header.dropFirst(2).dropLast()
        if !identity.isEmpty {
            guard identity.hasPrefix("a=") else { return nil }
            authorization = String(identity.dropFirst(2))
        }
        var found: Bytes?
        for field in fields.dropFirst().dropLast(2) {
            let prefix = Array("auth=".utf8)
            guard field.starts(with: prefix) else { continue }
            let value = field.dropFirst(prefix.count)
            // The scheme's case does not matter.
            guard found == nil, value.count > 7,
                String(decoding: value.prefix(7), as: UTF8.self).lowercased() == "bearer "
            else { return nil }
            found = Bytes(value.dropFirst(7))
        }
        guard let found else { return nil }
        token = found
    }
}
