import Base
import Foundation
import Node
import Runtime
import Testing
import WeirClient

/// Our client against our broker, over TLS and SASL.
@Suite(.serialized) struct SecureClientTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func path(_ name: String) -> String { directory.path + "/" + name }

    private func openssl(_ arguments: String...) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + arguments
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(arguments)")
    }

    /// A certificate that vouches for itself.
    private func makeCertificate(_ name: String) throws {
        try openssl(
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
            "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout",
            path("\(name).key"), "-out", path("\(name).pem"))
    }

    private func start() throws -> (service: BrokerService, ports: [String: String]) {
        try makeCertificate("server")
        try makeCertificate("stranger")
        try Data("canary-password\n".utf8).write(to: URL(fileURLWithPath: path("password")))
        var settings = ServerSettings()
        for (name, value) in [
            ("listeners", "SASL_PLAINTEXT://localhost:0,SASL_SSL://localhost:0,SSL://localhost:0"),
            ("sasl.enabled.mechanisms", "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512"),
            ("ssl.certificate.location", path("server.pem")),
            ("ssl.key.location", path("server.key")),
            ("authorizer.class.name", "acl"), ("super.users", "User:ad,m=in"),
        ] {
            try settings.set(name, value)
        }
        // A name that has to be escaped in SCRAM.
        settings.security.bootstrapUsers = [("ad,m=in", path("password"))]
        let service = try BrokerService(
            data: path("data"), listening: HostPort(host: "localhost", port: 0),
            settings: settings, diagnostics: SilentDiagnostics())
        var ports: [String: String] = [:]
        for listener in service.listeners {
            let parts = listener.split(separator: "/", omittingEmptySubsequences: true)
            ports[String(parts[0].dropLast())] = String(parts[1])
        }
        return (service, ports)
    }

    private func admin(
        _ address: String?, tls: ClientTLS? = nil, _ signOn: ClientSignOn?
    ) throws -> Admin {
        Admin(
            ClientConfiguration(
                bootstrapServers: [try #require(address)], connectTimeout: .seconds(5),
                requestTimeout: .seconds(10), retryTimeout: .seconds(5),
                security: ClientSecurity(tls: tls, signOn: signOn)))
    }

    @Test func `every way to sign on works, with and without encryption`() throws {
        let (service, ports) = try start()
        defer { _ = service.stop() }
        let tls = ClientTLS(authorities: path("server.pem"))
        let ways: [ClientSignOn] = [
            .plain(user: "ad,m=in", password: "canary-password"),
            .scramSha256(user: "ad,m=in", password: "canary-password"),
            .scramSha512(user: "ad,m=in", password: "canary-password"),
        ]
        for (number, way) in ways.enumerated() {
            let plain = try admin(ports["SASL_PLAINTEXT"], way)
            try plain.createTopic(NewTopic("plain-\(number)", partitions: 1))
            plain.close()
            let encrypted = try admin(ports["SASL_SSL"], tls: tls, way)
            try encrypted.createTopic(NewTopic("encrypted-\(number)", partitions: 1))
            encrypted.close()
        }
    }

    @Test func `many records go through an encrypted connection`() async throws {
        let (service, ports) = try start()
        defer { _ = service.stop() }
        let way = ClientSignOn.scramSha256(user: "ad,m=in", password: "canary-password")
        let client = ClientConfiguration(
            bootstrapServers: [try #require(ports["SASL_SSL"])],
            security: ClientSecurity(
                tls: ClientTLS(authorities: path("server.pem")), signOn: way))
        let admin = Admin(client)
        try admin.createTopic(NewTopic("t", partitions: 1))
        admin.close()
        let producer = Producer(ProducerConfiguration(client: client))
        let text = String(repeating: "x", count: 2000)
        for number in 0..<2000 {
            try producer.enqueue(
                ProducerRecord(topic: "t", key: nil, value: "\(number) \(text)"))
        }
        try await producer.close()
        let consumer = Consumer(ConsumerConfiguration(client: client, offsetReset: .earliest))
        consumer.assign([PartitionAddress("t", 0)])
        var seen = 0
        let deadline = ContinuousClock.now + .seconds(30)
        while seen < 2000, ContinuousClock.now < deadline {
            seen += try await consumer.poll(timeout: .milliseconds(200)).count
        }
        #expect(seen == 2000)
        await consumer.close()
    }

    @Test func `who is not known, and whom we do not know, is refused`() throws {
        let (service, ports) = try start()
        defer { _ = service.stop() }
        func failure(
            _ listener: String, tls: ClientTLS? = nil, _ signOn: ClientSignOn?
        ) throws -> ClientFailure? {
            let admin = try admin(ports[listener], tls: tls, signOn)
            defer { admin.close() }
            do throws(ClientFailure) {
                try admin.createTopic(NewTopic("never", partitions: 1))
                return nil
            } catch {
                return error
            }
        }
        let wrong = try failure(
            "SASL_PLAINTEXT", .scramSha256(user: "ad,m=in", password: "canary-wrong"))
        #expect(wrong?.codeName == "SASL_AUTHENTICATION_FAILED")
        #expect(wrong?.message.contains("canary") == false)
        // Nobody signed on: the broker hangs up.
        #expect(try failure("SASL_PLAINTEXT", nil) != nil)
        let right = ClientSignOn.scramSha256(user: "ad,m=in", password: "canary-password")
        // Another authority, or none that the system knows.
        #expect(
            try failure(
                "SASL_SSL", tls: ClientTLS(authorities: path("stranger.pem")), right) != nil)
        #expect(try failure("SASL_SSL", tls: ClientTLS(), right) != nil)
        #expect(
            try failure("SASL_SSL", tls: ClientTLS(verifiesBroker: false), right) == nil)
        // Encrypted and unknown: may do nothing.
        let nobody = try failure("SSL", tls: ClientTLS(authorities: path("server.pem")), nil)
        #expect(nobody?.codeName == "TOPIC_AUTHORIZATION_FAILED")
    }

    @Test func `secrets of a client never show`() {
        let way = ClientSignOn.plain(user: "u", password: "canary-1")
        var dumped = ""
        dump(ClientSecurity(signOn: way), to: &dumped)
        #expect(!"\(way) \(String(reflecting: way)) \(dumped)".contains("canary"))
    }
}
