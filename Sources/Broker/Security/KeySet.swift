// A JSON Web Key Set (RFC 7517): the keys that tokens may be signed with.

import Base
import Crypto

package struct KeySet: Sendable {
    enum Material: Sendable {
        case publicKey(PublicKey)
        case shared(Secret)
    }

    struct Key: Sendable {
        var id: String?
        /// The one algorithm that the key is for; nil = any that fits it.
        var algorithm: String?
        var material: Material
    }

    private(set) var keys: [Key] = []

    package var count: Int { keys.count }

    /// Reads a key set. Keys for encryption and of kinds that are not known are left out, as the
    /// specification wants it; a damaged key, or none at all, is an error.
    package init(parsing content: Bytes) throws(Problem) {
        let document: JSONValue
        do throws(DecodeFailure) {
            document = try JSONValue(parsing: content, depthLimit: 16)
        } catch {
            throw Self.problem("it is not JSON: \(error)")
        }
        guard let entries = document["keys"]?.arrayValue else {
            throw Self.problem("it has no list \"keys\"")
        }
        for (place, entry) in entries.enumerated() {
            if let use = entry["use"]?.stringValue, use != "sig" { continue }
            guard let material = try Self.material(entry, place) else { continue }
            keys.append(
                Key(
                    id: entry["kid"]?.stringValue, algorithm: entry["alg"]?.stringValue,
                    material: material))
        }
        if keys.isEmpty { throw Self.problem("it has no key that can sign") }
    }

    private static func material(
        _ entry: JSONValue, _ place: Int
    ) throws(Problem) -> Material? {
        func number(_ name: String) throws(Problem) -> Bytes {
            guard let text = entry[name]?.stringValue, let bytes = Base64.decodeForURL(text.utf8)
            else { throw problem("\"\(name)\" of key \(place) is not base64 for URLs") }
            return bytes
        }
        switch entry["kty"]?.stringValue {
        case "RSA":
            let modulus = try number("n").withoutLeadingZeros
            guard (256...1024).contains(modulus.count) else {
                throw problem("key \(place) has \(modulus.count * 8) bits; 2048 to 8192 are safe")
            }
            return .publicKey(.rsa(modulus: modulus, exponent: try number("e")))
        case "EC":
            let bits: Int32
            switch entry["crv"]?.stringValue {
            case "P-256": bits = 256
            case "P-384": bits = 384
            default: return nil
            }
            let x = try number("x")
            let y = try number("y")
            guard x.count == Int(bits) / 8, y.count == x.count else {
                throw problem("key \(place) has coordinates of a wrong length")
            }
            return .publicKey(.ec(bits: bits, x: x, y: y))
        case "oct":
            let key = try number("k")
            guard key.count >= 32 else {
                throw problem("key \(place) has \(key.count * 8) bits; at least 256 are safe")
            }
            return .shared(Secret(key))
        default:
            return nil
        }
    }

    private static func problem(_ what: String) -> Problem {
        Problem(
            "security.keys", "the key set can't be used: \(what)",
            hint: "expected a JSON Web Key Set, {\"keys\": [...]}")
    }
}

extension Bytes {
    fileprivate var withoutLeadingZeros: Bytes {
        var zeros = 0
        while zeros < count, self[zeros] == 0 { zeros += 1 }
        return self[zeros..<count]
    }
}
