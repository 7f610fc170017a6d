import Base
import Crypto
import Quorum
import Security
import Testing

/// The exchange that RFC 7677 prints.
private enum Printed {
    static let clientNonce = "rOprNGfwEbeRWgbNEkqO"
    static let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    static let clientFirst = "n,,n=user,r=\(clientNonce)"
    static let serverFirst =
        "r=\(clientNonce)\(serverNonce),s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    static let withoutProof = "c=biws,r=\(clientNonce)\(serverNonce)"
    static let proof = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    static let serverFinal = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    static let credential = Scram.credential(
        password: Secret("pencil"), salt: Base64.decode("W22ZaJ0SNY7soEsUEjb6gQ==") ?? .empty,
        iterations: 4096, .sha256)
}

/// The client's side.
struct ScramClient {
    var mechanism = ScramMechanism.sha256
    var user = "user"
    var password = "pencil"
    var nonce = "clientnonce"
    /// What is put in front of the nonce of the last message.
    var noncePrefix = ""

    var first: String { "n,,n=\(user),r=\(nonce)" }

    func final(after serverFirst: String) -> String {
        let fields = serverFirst.split(separator: ",").map { $0.dropFirst(2) }
        let salted = mechanism.digest.derive(
            password: Bytes(utf8: password), salt: Base64.decode(String(fields[1])) ?? .empty,
            iterations: Int32(fields[2]) ?? 1)
        let clientKey = mechanism.digest.authenticate(Bytes(utf8: "Client Key"), key: salted)
        let bare = first.dropFirst(3)
        let withoutProof = "c=biws,r=\(noncePrefix)\(fields[0])"
        let signature = mechanism.digest.authenticate(
            Bytes(utf8: "\(bare),\(serverFirst),\(withoutProof)"),
            key: mechanism.digest.hash(clientKey))
        let proof = zip(clientKey.array, signature.array).map { $0 ^ $1 }
        return withoutProof + ",p=" + Base64.encode(Bytes(proof))
    }
}

@Suite struct ScramTests {
    private func server(
        _ mechanism: ScramMechanism = .sha256
    ) -> (String) -> SaslOutcome {
        var server = ScramServer(mechanism)
        return { message in
            server.step(
                Bytes(utf8: message), nonce: Printed.serverNonce, decoySecret: Bytes(utf8: "d")
            ) { key in
                key == ScramCredentialKey(user: "user", mechanism: .sha256)
                    ? Printed.credential : nil
            }
        }
    }

    private func isFailure(_ outcome: SaslOutcome) -> Bool {
        if case .failure = outcome { return true }
        return false
    }

    @Test func `the exchange of RFC 7677 is taken word for word`() {
        let step = server()
        #expect(step(Printed.clientFirst) == .challenge(Bytes(utf8: Printed.serverFirst)))
        #expect(
            step(Printed.withoutProof + ",p=" + Printed.proof)
                == .success(
                    user: "user", message: Bytes(utf8: Printed.serverFinal), expires: nil))
        #expect(isFailure(step(Printed.withoutProof + ",p=" + Printed.proof)))
    }

    @Test(arguments: [
        // Another nonce, a shorter one, none.
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k1",
        "c=biws,r=rOprNGfwEbeRWgbNEkqO", "c=biws,r=", "c=biws",
        // Another header, none.
        "c=eSws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", "",
    ])
    func `a proof for another exchange proves nothing`(_ beginning: String) {
        let step = server()
        _ = step(Printed.clientFirst)
        #expect(isFailure(step(beginning + ",p=" + Printed.proof)))
    }

    /// librdkafka before 2.6.1 sends its part of the nonce twice.
    @Test(arguments: [("", true), ("clientnonce", true), ("clientnoncE", false), ("x", false)])
    func `the client's own part may stand in front twice`(prefix: String, isTaken: Bool) {
        let step = server()
        let client = ScramClient(noncePrefix: prefix)
        guard case .challenge(let first) = step(client.first) else {
            Issue.record("no challenge")
            return
        }
        #expect(isFailure(step(client.final(after: first.text))) == !isTaken)
    }

    @Test func `a proof with one bit changed, cut or longer is refused`() throws {
        let proof = try #require(Base64.decode(Printed.proof)).array
        var wrong: [[UInt8]] = [[], Array(proof.dropLast()), proof + [0]]
        for place in proof.indices {
            var changed = proof
            changed[place] ^= 1 << UInt8(place % 8)
            wrong.append(changed)
        }
        for bytes in wrong {
            let step = server()
            _ = step(Printed.clientFirst)
            #expect(
                isFailure(step(Printed.withoutProof + ",p=" + Base64.encode(Bytes(bytes)))))
        }
        let step = server()
        _ = step(Printed.clientFirst)
        #expect(isFailure(step(Printed.withoutProof + ",p=!" + Printed.proof)))
    }

    @Test(arguments: [
        "", "n", "n,,", "n,,n=user", "n,,r=abc", "n,,n=,r=abc", "n,,n=user,r=", "p=tls,,n=user,r=a",
        "x,,n=user,r=a", "n,a=admin,n=user,r=a", "n,,n=us=er,r=a", "n,,n=user,r=a b",
        "n,,n=user,r=a,tokenauth=true", "n,,m=ext,n=user,r=a",
    ])
    func `a first message of another form is refused`(_ message: String) {
        #expect(isFailure(server()(message)))
    }

    @Test func `an unknown user learns nothing before the end`() throws {
        func challenge(_ user: String) throws -> String {
            guard case .challenge(let bytes) = server()("n,,n=\(user),r=abc") else {
                throw StorageFailure.notFound(path: "challenge")
            }
            return bytes.text
        }
        // The salt of a name stays the same, as a real one does.
        #expect(try challenge("nobody") == challenge("nobody"))
        #expect(try challenge("nobody") != challenge("someone"))
        let step = server()
        let client = ScramClient(user: "nobody")
        guard case .challenge(let first) = step(client.first) else {
            Issue.record("no challenge")
            return
        }
        #expect(first.text.hasSuffix(",i=4096"))
        #expect(isFailure(step(client.final(after: first.text))))
    }

    @Test func `escapes in a name are undone`() {
        var server = ScramServer(.sha512)
        var asked: [String] = []
        _ = server.step(
            Bytes(utf8: "n,a=a=2Cb=3Dc,n=a=2Cb=3Dc,r=x"), nonce: "y", decoySecret: .empty
        ) { key in
            asked.append(key.user)
            return nil
        }
        #expect(asked == ["a,b=c"])
    }

    @Test func `hostile messages never trap`() {
        var random = Random(seed: 5)
        for _ in 0..<3000 {
            let step = server()
            var message = Array(Printed.clientFirst.utf8)
            message[random.below(message.count)] = UInt8(random.below(256))
            _ = step(String(decoding: message, as: UTF8.self))
            var last = Array((Printed.withoutProof + ",p=" + Printed.proof).utf8)
            last[random.below(last.count)] = UInt8(random.below(256))
            let outcome = step(String(decoding: last.prefix(random.within(0...80)), as: UTF8.self))
            if case .success = outcome { Issue.record("a damaged message was accepted") }
        }
    }

    @Test func `PLAIN checks against the kept credential, also the second time`() {
        var random = SecureRandom(seed: Bytes([UInt8](repeating: 1, count: 32)))
        var checker = PasswordChecker(random: &random)
        var kept = Printed.credential
        let lookup: CredentialLookup = { key in
            key == ScramCredentialKey(user: "user", mechanism: .sha256) ? kept : nil
        }
        func claim(_ text: String) -> PasswordChecker.Claim? {
            PasswordChecker.Claim(Bytes(utf8: text))
        }
        for wrong in [
            "", "user", "\0user", "\0user\0", "\0\0pencil", "x\0user\0pencil", "\0u\0p\0",
        ] {
            #expect(claim(wrong) == nil, "\(wrong.debugDescription)")
        }
        guard let right = claim("\0user\0pencil"), let wrong = claim("user\0user\0pencil "),
            let unknown = claim("\0nobody\0pencil")
        else {
            Issue.record("claims are not read")
            return
        }
        func check(_ claim: PasswordChecker.Claim) -> Bool {
            checker.check(claim, credentials: lookup)
        }
        #expect(!checker.isRecognised(right, credentials: lookup))
        #expect(!check(wrong))
        #expect(!check(unknown))
        #expect(check(right))
        #expect(checker.isRecognised(right, credentials: lookup))
        #expect(!checker.isRecognised(wrong, credentials: lookup))
        #expect(!check(wrong))
        // A new password ends what was recognised.
        kept = Scram.credential(
            password: Secret("pen"), salt: Bytes(utf8: "s"), iterations: 4096, .sha256)
        #expect(!check(right))
    }
}
