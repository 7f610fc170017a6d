import Base
import Crypto
import Node
import Quorum
import Security
import Testing
import WireProtocol

@Suite struct SignOnTests {
    private func node() throws -> NodeHarness {
        var node = try NodeHarness.secured()
        try node.setPassword(of: "alice", "wonder", .sha256)
        try node.setPassword(of: "alice", "wonder", .sha512)
        return node
    }

    private func handshake(
        _ node: inout NodeHarness, _ id: ConnectionID, _ mechanism: String
    ) throws -> ErrorCode {
        try node.call(SaslHandshakeRequest(mechanism: mechanism), version: 1, on: id).errorCode
    }

    private func token(
        _ node: inout NodeHarness, _ id: ConnectionID, _ text: String
    ) throws -> SaslAuthenticateResponse? {
        node.request(id, SaslAuthenticateRequest(authBytes: Bytes(utf8: text)), version: 2)
        return try node.answer(id, SaslAuthenticateResponse.self, version: 2)
    }

    /// Signs on by PLAIN; waits for its turn.
    private func plain(
        _ node: inout NodeHarness, _ id: ConnectionID, _ user: String, _ password: String
    ) throws -> SaslAuthenticateResponse? {
        #expect(try handshake(&node, id, "PLAIN") == .none)
        if let answer = try token(&node, id, "\0\(user)\0\(password)") { return answer }
        node.advance(20_000)
        return try node.answer(id, SaslAuthenticateResponse.self, version: 2)
    }

    private func scram(
        _ node: inout NodeHarness, _ id: ConnectionID, _ mechanism: ScramMechanism,
        _ password: String
    ) throws -> SaslAuthenticateResponse? {
        #expect(try handshake(&node, id, mechanism.name) == .none)
        let bare = "n=alice,r=clientnonce"
        let first = try #require(try token(&node, id, "n,,\(bare)"))
        #expect(first.errorCode == .none)
        let serverFirst = first.authBytes.text
        let fields = serverFirst.split(separator: ",").map { String($0.dropFirst(2)) }
        let digest = mechanism.digest
        let salted = digest.derive(
            password: Bytes(utf8: password), salt: try #require(Base64.decode(fields[1])),
            iterations: 4096)
        let clientKey = digest.authenticate(Bytes(utf8: "Client Key"), key: salted)
        let withoutProof = "c=biws,r=\(fields[0])"
        let signature = digest.authenticate(
            Bytes(utf8: "\(bare),\(serverFirst),\(withoutProof)"), key: digest.hash(clientKey))
        let proof = Bytes(zip(clientKey.array, signature.array).map { $0 ^ $1 })
        if let answer = try token(&node, id, "\(withoutProof),p=\(Base64.encode(proof))") {
            return answer
        }
        node.advance(20_000)
        return try node.answer(id, SaslAuthenticateResponse.self, version: 2)
    }

    @Test func `before sign-on a client may ask for versions and sign on, nothing else`() throws {
        var node = try node()
        let id = node.connect(listener: 1)
        #expect(try node.call(ApiVersionsRequest(), version: 0, on: id).errorCode == .none)
        node.request(id, MetadataRequest(topics: nil), version: 9)
        #expect(node.closed[id.value]?.contains("Metadata before it signed on") == true)
        #expect(node.sent[id.value]?.isEmpty ?? true)
    }

    @Test(arguments: [ScramMechanism.sha256, .sha512])
    func `SCRAM lets the right password in`(_ mechanism: ScramMechanism) throws {
        var node = try node()
        let id = node.connect(listener: 1)
        let answer = try #require(try scram(&node, id, mechanism, "wonder"))
        #expect(answer.errorCode == .none)
        #expect(answer.authBytes.text.hasPrefix("v="))
        #expect(answer.sessionLifetimeMs == 0)
        #expect(node.authenticated == [id])
        // Known, but without rules.
        let metadata = try node.call(MetadataRequest(topics: nil), version: 9, on: id)
        #expect(metadata.brokers.map(\.host) == ["outside"])
        #expect(metadata.brokers.map(\.port) == [9094])
    }

    @Test func `a wrong password is answered later, in general words, and the door closes`() throws
    {
        var node = try node()
        let id = node.connect(listener: 1)
        _ = try handshake(&node, id, "PLAIN")
        let began = node.milliseconds
        #expect(try token(&node, id, "\0alice\0wrong") == nil)
        #expect(node.closed[id.value] == nil)
        // What comes meanwhile is not looked at.
        node.request(id, MetadataRequest(topics: nil), version: 9)
        node.advance(99)
        #expect(node.sent[id.value]?.isEmpty ?? true)
        node.advance(1)
        #expect(node.milliseconds - began == 100)
        let answer = try #require(
            try node.answer(id, SaslAuthenticateResponse.self, version: 2))
        #expect(answer.errorCode == .saslAuthenticationFailed)
        #expect(answer.errorMessage?.contains("alice") == false)
        #expect(node.closed[id.value] != nil)
        #expect(node.authenticated.isEmpty)
    }

    @Test func `an unknown user and a wrong password look alike`() throws {
        func outcome(_ user: String) throws -> SaslAuthenticateResponse? {
            var node = try node()
            return try plain(&node, node.connect(listener: 1), user, "wrong")
        }
        let known = try #require(try outcome("alice"))
        #expect(try outcome("nobody") == known)
    }

    @Test func `an address that goes on failing waits longer each time`() throws {
        var node = try node()
        var waits: [Int64] = []
        for _ in 0..<8 {
            let id = node.connect(listener: 1)
            _ = try handshake(&node, id, "SCRAM-SHA-256")
            #expect(try token(&node, id, "rubbish") == nil)
            let began = node.milliseconds
            while node.closed[id.value] == nil { node.advance(50) }
            waits.append(node.milliseconds - began)
        }
        #expect(waits == [100, 200, 400, 800, 1600, 3200, 3200, 3200])
        // Another address is not concerned.
        let other = node.connect(listener: 1, peer: "10.0.0.10:1")
        _ = try handshake(&node, other, "SCRAM-SHA-256")
        _ = try token(&node, other, "rubbish")
        node.advance(100)
        #expect(node.closed[other.value] != nil)
    }

    @Test func `PLAIN checks against the same password, and cheaply the next time`() throws {
        var node = try node()
        for _ in 0..<3 {
            let id = node.connect(listener: 1)
            #expect(try plain(&node, id, "alice", "wonder")?.errorCode == ErrorCode.none)
            let metadata = try node.call(MetadataRequest(topics: []), version: 9, on: id)
            #expect(metadata.topics.isEmpty)
        }
        #expect(node.authenticated.count == 3)
    }

    @Test func `many strangers with passwords take turns`() throws {
        var node = try node()
        var ids: [ConnectionID] = []
        for place in 0..<20 {
            let id = node.connect(listener: 1, peer: "10.0.\(place).9:1")
            _ = try handshake(&node, id, "PLAIN")
            _ = try token(&node, id, "\0user\(place)\0guess")
            ids.append(id)
        }
        node.advance(105)
        let early = ids.filter { node.closed[$0.value] != nil }.count
        #expect(early < 5, "hashing is spread over time")
        node.advance(1000)
        #expect(ids.allSatisfy { node.closed[$0.value] != nil })
    }

    @Test func `a mechanism that is not enabled is refused with those that are`() throws {
        var node = try NodeHarness.secured { configuration in
            configuration.listeners[1].mechanisms = [.scramSha512]
        }
        let id = node.connect(listener: 1)
        let answer = try node.call(
            SaslHandshakeRequest(mechanism: "PLAIN"), version: 1, on: id)
        #expect(answer.errorCode == .unsupportedSaslMechanism)
        #expect(answer.mechanisms == ["SCRAM-SHA-512"])
        #expect(node.closed[id.value] != nil)
    }

    @Test func `messages out of order are refused`() throws {
        var node = try node()
        let id = node.connect(listener: 1)
        #expect(try token(&node, id, "x")?.errorCode == .illegalSaslState)
        #expect(try handshake(&node, id, "SCRAM-SHA-256") == .none)
        #expect(try handshake(&node, id, "SCRAM-SHA-256") == .illegalSaslState)
        // Where nobody signs on, nobody can.
        let open = node.connect()
        #expect(try handshake(&node, open, "PLAIN") == .illegalSaslState)
        #expect(try token(&node, open, "x")?.errorCode == .illegalSaslState)
    }

    @Test func `a stranger may send little before sign-on`() throws {
        var node = try node()
        let talkative = node.connect(listener: 1)
        for _ in 0..<11 { node.request(talkative, ApiVersionsRequest(), version: 0) }
        #expect(node.closed[talkative.value]?.contains("too many requests") == true)
        let large = node.connect(listener: 1)
        _ = try handshake(&node, large, "PLAIN")
        node.request(
            large,
            SaslAuthenticateRequest(authBytes: Bytes([UInt8](repeating: 0, count: 65_536))),
            version: 2)
        #expect(node.closed[large.value]?.contains("too many requests or bytes") == true)
    }

    @Test func `a session ends unless the client signs on again in time`() throws {
        var node = try NodeHarness.secured { configuration in
            configuration.authentication.sessionMax = .seconds(60)
        }
        try node.setPassword(of: "alice", "wonder", .sha256)
        try node.setPassword(of: "bob", "builder", .sha256)
        let id = node.connect(listener: 1)
        #expect(try scram(&node, id, .sha256, "wonder")?.sessionLifetimeMs == 60_000)
        node.advance(50_000)
        #expect(try scram(&node, id, .sha256, "wonder")?.sessionLifetimeMs == 60_000)
        node.advance(50_000)
        _ = try node.call(MetadataRequest(topics: []), version: 9, on: id)
        // With another mechanism, or as another user, nobody signs on again.
        let other = node.connect(listener: 1)
        _ = try scram(&node, other, .sha256, "wonder")
        #expect(try handshake(&node, other, "PLAIN") == .unsupportedSaslMechanism)
        let changed = node.connect(listener: 1)
        #expect(try plain(&node, changed, "alice", "wonder")?.errorCode == ErrorCode.none)
        #expect(try plain(&node, changed, "bob", "builder")?.errorCode == .saslAuthenticationFailed)
        node.advance(61_000)
        node.request(id, MetadataRequest(topics: []), version: 9)
        #expect(node.closed[id.value]?.contains("expired") == true)
    }

    @Test func `credentials are listed without their secrets and outlive a restart`() throws {
        var node = try node()
        try node.restart()
        let all = try node.call(
            DescribeUserScramCredentialsRequest(users: nil), version: 0, as: "admin")
        #expect(all.results.map(\.user) == ["alice"])
        #expect(all.results[0].credentialInfos.map(\.mechanism) == [1, 2])
        let some = try node.call(
            DescribeUserScramCredentialsRequest(users: [
                .init(name: "bob"), .init(name: "alice"), .init(name: "bob"),
            ]), version: 0, as: "admin")
        #expect(some.results.map(\.errorCode) == [.duplicateResource, .none])
        let removed = try node.call(
            AlterUserScramCredentialsRequest(deletions: [
                .init(name: "alice", mechanism: 1), .init(name: "bob", mechanism: 1),
                .init(name: "carl", mechanism: 9), .init(name: "", mechanism: 1),
            ]), version: 0, as: "admin")
        #expect(removed.results.map(\.user) == ["", "alice", "bob", "carl"])
        #expect(
            removed.results.map(\.errorCode) == [
                .unacceptableCredential, .none, .resourceNotFound, .unsupportedSaslMechanism,
            ])
        let weak = try node.call(
            AlterUserScramCredentialsRequest(upsertions: [
                .init(
                    name: "dora", mechanism: 1, iterations: 4095, salt: Bytes(utf8: "s"),
                    saltedPassword: Bytes([UInt8](repeating: 1, count: 32))),
                .init(
                    name: "eve", mechanism: 2, iterations: 4096, salt: Bytes(utf8: "s"),
                    saltedPassword: Bytes([UInt8](repeating: 1, count: 32))),
            ]), version: 0, as: "admin")
        #expect(
            weak.results.map(\.errorCode) == [.unacceptableCredential, .unacceptableCredential])
        let left = try node.call(
            DescribeUserScramCredentialsRequest(users: []), version: 0, as: "admin")
        #expect(left.results.map { $0.credentialInfos.map(\.mechanism) } == [[2]])
    }
}
