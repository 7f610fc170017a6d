// Digests, message authentication and key derivation: pure functions over libcrypto.

import Base
import CCrypto

/// A digest of the SHA-2 family; MD5 only names contents and protects nothing.
package enum Digest: Int32, Sendable {
    case md5 = 128
    case sha224 = 224
    case sha256 = 256
    case sha384 = 384
    case sha512 = 512

    package var byteCount: Int { Int(rawValue) / 8 }

    package func hash(_ message: Bytes) -> Bytes {
        Bytes(count: byteCount) { output in
            let code = message.withUnsafeBytes {
                weir_digest(rawValue, $0.baseAddress, $0.count, output.baseAddress)
            }
            precondition(code == 1, "a digest of memory can't fail")
        }
    }

    package func authenticate(_ message: Bytes, key: Bytes) -> Bytes {
        Bytes(count: byteCount) { output in
            let code = message.withUnsafeBytes { message in
                key.withUnsafeBytes { key in
                    weir_hmac(
                        rawValue, key.baseAddress, key.count, message.baseAddress, message.count,
                        output.baseAddress)
                }
            }
            precondition(code == 1, "a digest of memory can't fail")
        }
    }

    /// PBKDF2: `iterations` make guessing slow. Costs about 0.2 µs an iteration.
    package func derive(password: Bytes, salt: Bytes, iterations: Int32) -> Bytes {
        precondition(iterations > 0, "iterations are checked before")
        return Bytes(count: byteCount) { output in
            let code = password.withUnsafeBytes { password in
                salt.withUnsafeBytes { salt in
                    weir_pbkdf2(
                        rawValue, password.baseAddress, password.count, salt.baseAddress,
                        salt.count, iterations, output.baseAddress, output.count)
                }
            }
            precondition(code == 1, "a derivation in memory can't fail")
        }
    }
}

/// Whether two texts are equal, in a time that does not tell where they differ. Different lengths
/// are told at once: lengths are no secret.
package func areEqualInConstantTime(_ left: Bytes, _ right: Bytes) -> Bool {
    guard left.count == right.count else { return false }
    return left.withUnsafeBytes { left in
        right.withUnsafeBytes { right in
            weir_equal_bytes(left.baseAddress, right.baseAddress, left.count) == 1
        }
    }
}
