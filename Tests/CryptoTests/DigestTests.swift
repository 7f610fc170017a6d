import Base
import Crypto
import Testing

func bytes(hex text: String) -> Bytes {
    let digits = Array(text.utf8).filter { $0 != UInt8(ascii: " ") }
    return Bytes(
        stride(from: 0, to: digits.count, by: 2).map {
            UInt8(String(decoding: digits[$0..<($0 + 2)], as: UTF8.self), radix: 16) ?? 0
        })
}

@Suite struct DigestTests {
    @Test func `digests are those of FIPS 180`() {
        #expect(
            Digest.sha256.hash(Bytes(utf8: "abc"))
                == bytes(
                    hex: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"))
        #expect(
            Digest.sha256.hash(.empty)
                == bytes(
                    hex: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
        #expect(
            Digest.sha512.hash(Bytes(utf8: "abc"))
                == bytes(
                    hex: "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                        + "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"))
    }

    @Test func `message authentication is that of RFC 4231`() {
        let key = Bytes([UInt8](repeating: 0x0b, count: 20))
        #expect(
            Digest.sha256.authenticate(Bytes(utf8: "Hi There"), key: key)
                == bytes(
                    hex: "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"))
        #expect(
            Digest.sha512.authenticate(
                Bytes(utf8: "what do ya want for nothing?"), key: Bytes(utf8: "Jefe"))
                == bytes(
                    hex: "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
                        + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"))
        // An empty key is a key, not the one of the call before.
        #expect(
            Digest.sha256.authenticate(.empty, key: .empty)
                == bytes(
                    hex: "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"))
    }

    @Test func `derivation is that of RFC 7914`() {
        #expect(
            Digest.sha256.derive(
                password: Bytes(utf8: "passwd"), salt: Bytes(utf8: "salt"), iterations: 1)
                == bytes(
                    hex: "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"))
        #expect(
            Digest.sha256.derive(
                password: Bytes(utf8: "Password"), salt: Bytes(utf8: "NaCl"), iterations: 80000)
                == bytes(
                    hex: "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"))
    }

    @Test func `equal is equal`() {
        let text = Bytes(utf8: "secret")
        #expect(areEqualInConstantTime(text, Bytes(utf8: "secret")))
        #expect(!areEqualInConstantTime(text, Bytes(utf8: "secreT")))
        #expect(!areEqualInConstantTime(text, Bytes(utf8: "secrets")))
        #expect(areEqualInConstantTime(.empty, .empty))
    }

    @Test func `base64 comes back, and only its canonical form is read`() {
        for (plain, text) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
        ] {
            #expect(Base64.encode(Bytes(utf8: plain)) == text)
            #expect(Base64.decode(text) == Bytes(utf8: plain))
        }
        #expect(Base64.encodeForURL(Bytes([0xfb, 0xff])) == "-_8")
        #expect(Base64.decodeForURL("-_8".utf8) == Bytes([0xfb, 0xff]))
        for wrong in ["Zg", "Zg=", "Zh==", "Z===", "====", "=g==", "Zm9v\n", "Zm 9", "-_8="] {
            #expect(Base64.decode(wrong) == nil, "\(wrong)")
        }
        for wrong in ["Z", "-_9", "-_8=", "+/8"] {
            #expect(Base64.decodeForURL(wrong.utf8) == nil, "\(wrong)")
        }
    }

    @Test func `random bytes follow their seed and never repeat`() {
        let seed = Bytes([UInt8](repeating: 7, count: 32))
        var first = SecureRandom(seed: seed)
        var second = SecureRandom(seed: seed)
        var seen: Set<Bytes> = []
        for count in [0, 1, 16, 31, 32, 33, 100] {
            let bytes = first.bytes(count)
            let again = second.bytes(count)
            #expect(bytes.count == count)
            #expect(bytes == again)
            if count > 0 { seen.insert(bytes) }
        }
        for _ in 0..<1000 { seen.insert(first.bytes(16)) }
        #expect(seen.count == 1006)
    }
}
