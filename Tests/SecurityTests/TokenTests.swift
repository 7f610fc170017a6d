import Base
import Crypto
import Quorum
import Security
import Testing

/// The keys and tokens that RFC 7515 prints in its appendix A.
private enum Printed {
    static let claims =
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        + "cnVlfQ"
    static let shared =
        #"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgU"#
        + #"uTwjAzZr1Z9CAow"}"#
    static let rsa =
        #"{"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHm"#
        + "fHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo"
        + "9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQ"
        + "Y4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD"
        + #"TW9gb54h4FRWyuXpoQ"}"#
    static let ec =
        #"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
        + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#
    static let hs256 =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\(claims)"
        + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    static let rs256 =
        "eyJhbGciOiJSUzI1NiJ9.\(claims).cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5"
        + "RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrn"
        + "byTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWE"
        + "sqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN"
        + "_IoypGlUPQGe77Rw"
    static let es256 =
        "eyJhbGciOiJFUzI1NiJ9.\(claims).DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8"
        + "ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    /// The tokens expire at 1,300,819,380 s.
    static let before: Int64 = 1_300_819_000_000
}

@Suite struct TokenTests {
    private func verifier(_ keys: String...) throws -> TokenVerifier {
        let set = Bytes(utf8: #"{"keys":[\#(keys.joined(separator: ","))]}"#)
        var verifier = TokenVerifier(keys: try KeySet(parsing: set))
        verifier.principalClaim = "iss"
        return verifier
    }

    private func user(_ verifier: TokenVerifier, _ token: String, at time: Int64) -> String? {
        try? verifier.verify(Bytes(utf8: token), wallMilliseconds: time).user
    }

    private static let secret = Bytes(utf8: "an shared secret of 32 bytes or more")

    /// A token signed by `secret`.
    private func signed(
        _ claims: String, header: String = #"{"alg":"HS256"}"#, key: Bytes = secret
    ) -> String {
        let text =
            Base64.encodeForURL(Bytes(utf8: header)) + "."
            + Base64.encodeForURL(Bytes(utf8: claims))
        let signature = Digest.sha256.authenticate(Bytes(utf8: text), key: key)
        return text + "." + Base64.encodeForURL(signature)
    }

    private func own() throws -> TokenVerifier {
        var own = try verifier(#"{"kty":"oct","k":"\#(Base64.encodeForURL(Self.secret))"}"#)
        own.principalClaim = "sub"
        return own
    }

    @Test func `tokens of RFC 7515 are believed until they expire`() throws {
        let all = try verifier(Printed.ec, Printed.rsa, Printed.shared)
        for token in [Printed.hs256, Printed.rs256, Printed.es256] {
            #expect(user(all, token, at: Printed.before) == "joe")
            // Clocks may differ by 30 seconds.
            #expect(user(all, token, at: 1_300_819_409_000) == "joe")
            #expect(user(all, token, at: 1_300_819_410_000) == nil)
        }
        #expect(user(try verifier(Printed.ec), Printed.rs256, at: Printed.before) == nil)
    }

    @Test func `a token changed anywhere is not believed`() throws {
        let all = try verifier(Printed.ec, Printed.rsa, Printed.shared)
        var random = Random(seed: 9)
        for token in [Printed.hs256, Printed.rs256, Printed.es256] {
            let original = Array(token.utf8)
            for _ in 0..<200 {
                var changed = original
                let place = random.below(changed.count)
                changed[place] = UInt8(random.within(0x20...0x7e))
                if changed == original { continue }
                #expect(
                    user(all, String(decoding: changed, as: UTF8.self), at: Printed.before)
                        == nil, "byte \(place)")
            }
        }
    }

    @Test func `no signature and signatures of the wrong kind are not believed`() throws {
        let none = Base64.encodeForURL(Bytes(utf8: #"{"alg":"none"}"#)) + "." + Printed.claims + "."
        let all = try verifier(Printed.ec, Printed.rsa, Printed.shared)
        #expect(user(all, none, at: Printed.before) == nil)
        #expect(user(all, Printed.claims, at: Printed.before) == nil)
        #expect(user(all, "", at: Printed.before) == nil)
        #expect(user(all, "..", at: Printed.before) == nil)
        #expect(user(all, "a.b.c.d", at: Printed.before) == nil)
        // The bytes of a public key as a shared secret: the oldest trick.
        let modulus = Bytes(utf8: Printed.rsa)
        let confused = signed(#"{"iss":"joe","exp":1300819380}"#, key: modulus)
        #expect(user(try verifier(Printed.rsa), confused, at: Printed.before) == nil)
    }

    @Test func `claims are checked`() throws {
        var own = try own()
        own.issuer = "https://issuer"
        own.audiences = ["weir", "other"]
        let time: Int64 = 1_000_000
        func subject(_ claims: String, header: String = #"{"alg":"HS256"}"#) -> String? {
            user(own, signed(claims, header: header), at: time)
        }
        let rest = #""iss":"https://issuer","aud":"weir""#
        #expect(subject(#"{"sub":"a","exp":1001,\#(rest)}"#) == "a")
        #expect(
            subject(#"{"sub":"a","exp":1001,"iss":"https://issuer","aud":["x","other"]}"#) == "a")
        for wrong in [
            #"{"sub":"a",\#(rest)}"#, #"{"sub":"a","exp":"1001",\#(rest)}"#,
            #"{"sub":"a","exp":969,\#(rest)}"#, #"{"sub":"a","exp":1e400,\#(rest)}"#,
            #"{"sub":"a","exp":-1,\#(rest)}"#, #"{"sub":"a","exp":1001,"nbf":1031,\#(rest)}"#,
            #"{"sub":"a","exp":1001,"nbf":"x",\#(rest)}"#,
            #"{"sub":"a","exp":1001,"iat":1031,\#(rest)}"#, #"{"sub":"","exp":1001,\#(rest)}"#,
            #"{"sub":7,"exp":1001,\#(rest)}"#, #"{"exp":1001,\#(rest)}"#,
            #"{"sub":"a","exp":1001,"iss":"https://other","aud":"weir"}"#,
            #"{"sub":"a","exp":1001,"iss":"https://issuer","aud":"weird"}"#,
            #"{"sub":"a","exp":1001,"iss":"https://issuer","aud":[]}"#,
            #"{"sub":"a","exp":1001,"iss":"https://issuer"}"#,
            // Two values of one name.
            #"{"sub":"a","sub":"b","exp":1001,\#(rest)}"#, "[]", "1", "",
        ] {
            #expect(subject(wrong) == nil, "\(wrong)")
        }
        let good = #"{"sub":"a","exp":1001,\#(rest)}"#
        for header in [
            #"{"alg":"HS256","crit":["x"]}"#, #"{"alg":"HS512"}"#, "{}", #"{"alg":null}"#, "x",
        ] {
            #expect(subject(good, header: header) == nil, "\(header)")
        }
    }

    @Test func `a key is used for what it is for`() throws {
        let k = Base64.encodeForURL(Self.secret)
        let claims = #"{"iss":"a","exp":1001}"#
        func isBelieved(_ key: String, header: String = #"{"alg":"HS256","kid":"1"}"#) throws
            -> Bool
        {
            user(try verifier(key), signed(claims, header: header), at: 1_000_000) == "a"
        }
        #expect(try isBelieved(#"{"kty":"oct","k":"\#(k)","kid":"1"}"#))
        #expect(try isBelieved(#"{"kty":"oct","k":"\#(k)"}"#))
        #expect(try !isBelieved(#"{"kty":"oct","k":"\#(k)","kid":"2"}"#))
        #expect(try !isBelieved(#"{"kty":"oct","k":"\#(k)","alg":"RS256"}"#))
        #expect(try isBelieved(#"{"kty":"oct","k":"\#(k)","alg":"HS256","use":"sig"}"#))
    }

    @Test(arguments: [
        "", "{}", "[]", #"{"keys":[]}"#, #"{"keys":{}}"#, #"{"keys":[{"kty":"x"}]}"#,
        #"{"keys":[{"kty":"oct","k":"c2hvcnQ"}]}"#, #"{"keys":[{"kty":"oct"}]}"#,
        #"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
        #"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#,
        #"{"keys":[{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}]}"#,
        #"{"keys":[{"kty":"oct","k":"\#(String(repeating: "A", count: 44))","use":"enc"}]}"#,
    ])
    func `a key set without a safe key is refused`(_ text: String) {
        #expect(throws: Problem.self) { try KeySet(parsing: Bytes(utf8: text)) }
    }

    @Test func `a bearer message signs on, a refused one is explained first`() throws {
        var random = SecureRandom(seed: Bytes([UInt8](repeating: 3, count: 32)))
        var tools = SaslTools(random: SecureRandom(seed: random.bytes(32)), tokens: try own())
        func run(_ messages: [String]) -> [SaslOutcome] {
            var server = SaslServer(.oauthBearer)
            return messages.map {
                server.step(
                    Bytes(utf8: $0), tools: &tools, wallMilliseconds: 1_000_000
                ) { _ in nil }
            }
        }
        let token = signed(#"{"sub":"alice","exp":1001}"#)
        let success = SaslOutcome.success(user: "alice", message: .empty, expires: 1_001_000)
        #expect(run(["n,,\u{1}auth=Bearer \(token)\u{1}\u{1}"]) == [success])
        #expect(run(["n,a=alice,\u{1}host=x\u{1}auth=bearer \(token)\u{1}\u{1}"]) == [success])
        let refused = run(["n,,\u{1}auth=Bearer \(token)x\u{1}\u{1}", "\u{1}"])
        #expect(refused[0] == .challenge(Bytes(utf8: #"{"status":"invalid_token"}"#)))
        guard case .failure = refused[1] else {
            Issue.record("a refused token signs on")
            return
        }
        for wrong in [
            "", "n,,", "n,,\u{1}\u{1}", "n,,\u{1}auth=Basic \(token)\u{1}\u{1}",
            "n,a=bob,\u{1}auth=Bearer \(token)\u{1}\u{1}", "n,,\u{1}auth=Bearer \(token)",
            "y,,\u{1}auth=Bearer \(token)\u{1}\u{1}",
            "n,,\u{1}auth=Bearer \(token)\u{1}auth=Bearer \(token)\u{1}\u{1}",
        ] {
            guard case .failure = run([wrong])[0] else {
                Issue.record("\(wrong.debugDescription) signs on")
                continue
            }
        }
    }
}
