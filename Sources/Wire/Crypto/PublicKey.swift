import Base
import CCrypto

/// A public key that checks signatures.
package enum PublicKey: Equatable, Sendable {
    /// RSASSA-PKCS1-v1_5, at least 2048 bits; big-endian numbers.
    case rsa(modulus: Bytes, exponent: Bytes)
    /// ECDSA on P-256 or P-384; big-endian coordinates of full length.
    case ec(bits: Int32, x: Bytes, y: Bytes)

    /// Whether `signature` was made over `message` with the private half of this key. For `ec` the
    /// digest has to have the size of the curve, and the signature is both numbers one after the
    /// other, as JSON Web Signatures have it.
    package func verifies(signature: Bytes, of message: Bytes, digest: Digest) -> Bool {
        signature.withUnsafeBytes { signature in
            message.withUnsafeBytes { message in
                switch self {
                case .rsa(let modulus, let exponent):
                    return modulus.withUnsafeBytes { modulus in
                        exponent.withUnsafeBytes { exponent in
                            weir_verify_rsa(
                                digest.rawValue, modulus.baseAddress, modulus.count,
                                exponent.baseAddress, exponent.count, message.baseAddress,
                                message.count, signature.baseAddress, signature.count) == 1
                        }
                    }
                case .ec(let bits, let x, let y):
                    let half = Int(bits) / 8
                    guard digest.rawValue == bits, x.count == half, y.count == half else {
                        return false
                    }
                    return x.withUnsafeBytes { x in
                        y.withUnsafeBytes { y in
                            weir_verify_ec(
                                bits, x.baseAddress, y.baseAddress, message.baseAddress,
                                message.count, signature.baseAddress, signature.count) == 1
                        }
                    }
                }
            }
        }
    }
}
