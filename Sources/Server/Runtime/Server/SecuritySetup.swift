// From settings to what the driver and the node work with: files are read, contradictions found.

import Base
import CPlatform
import Crypto
import Glibc
import Node
import Quorum
import Security
import TLS

struct SecuritySetup: Sendable {
    private let settings: SecuritySettings
    private let plain: HostPort

    /// `plain`: where the one listener is, when no listeners are set.
    init(_ settings: SecuritySettings, plain: HostPort) {
        self.settings = settings
        self.plain = plain
    }

    private struct Planned {
        var name: String
        var address: HostPort
        var spoken: SecurityProtocol
    }

    private func planned() throws(Problem) -> [Planned] {
        if settings.listeners.isEmpty {
            return [Planned(name: "PLAINTEXT", address: plain, spoken: .plaintext)]
        }
        var result: [Planned] = []
        for door in settings.listeners {
            guard
                let spoken = settings.protocols[door.name] ?? SecurityProtocol(rawValue: door.name)
            else {
                throw Problem(
                    "config.listeners", "what is spoken on listener \(door.name) is not known",
                    hint: "set listener.security.protocol.map=\(door.name):SASL_SSL or another")
            }
            result.append(Planned(name: door.name, address: door.address, spoken: spoken))
        }
        return result
    }

    /// Binds the listeners.
    func doors(
        diagnostics: any Diagnostics
    ) throws(Problem) -> (doors: [DriverDoor], settings: [ListenerSettings]) {
        var doors: [DriverDoor] = []
        var described: [ListenerSettings] = []
        let planned = try planned()
        let context = try tlsContext()
        for advertised in settings.advertised
        where !planned.contains(where: { $0.name == advertised.name }) {
            throw Problem(
                "config.listeners", "advertised.listeners names \(advertised.name), which is none",
                notes: ["listeners: " + planned.map(\.name).joined(separator: ", ")])
        }
        for plan in planned {
            let listener = try Listener(binding: plan.address)
            var door = DriverDoor(listener, mustSignOn: plan.spoken.usesSasl)
            if plan.spoken.usesTLS {
                door.tls = context
                // Who signs on by SASL is who SASL says.
                if !plan.spoken.usesSasl, settings.clientCertificate != .notAsked {
                    door.principals = settings.principals
                }
            }
            doors.append(door)
            let advertised = settings.advertised.first { $0.name == plan.name }?.address
            described.append(
                ListenerSettings(
                    name: plan.name, securityProtocol: plan.spoken,
                    advertisedHost: advertised?.host ?? reachable(plan.address.host),
                    advertisedPort: Int32(advertised?.port ?? listener.port),
                    mechanisms: plan.spoken.usesSasl ? mechanisms(of: plan.name) : []))
            warn(plan, diagnostics)
        }
        return (doors, described)
    }

    /// Binds the listener for other nodes, and says how they are called. With certificates links are
    /// encrypted; with authorities as well both ends have to show a certificate of one of them.
    func clusterDoor(
        _ cluster: ClusterConfiguration, node: NodeID, diagnostics: any Diagnostics
    ) throws(Problem) -> (door: DriverDoor, calls: TLSContext?) {
        let place = Int(node.value) - 1
        guard cluster.members.indices.contains(place) else {
            throw Problem(
                "cluster.node",
                "node \(node.value) is not in a list of \(cluster.members.count) nodes",
                hint: "--node is the place of this node in --cluster, counted from 1")
        }
        let own = cluster.members[place]
        var door = DriverDoor(
            try Listener(binding: HostPort(host: own.host, port: own.port)), mustSignOn: true)
        door.isForNodes = true
        var calls: TLSContext?
        var files = settings.files
        if files.certificate != nil, files.key != nil {
            if let path = settings.keyPasswordFile { files.keyPassword = try readSecret(path) }
            let isMutual = files.authorities != nil
            door.tls = try TLSContext(server: files, peer: isMutual ? .required : .notAsked)
            calls = try TLSContext(client: files, verifies: isMutual)
        }
        let isLocal = ["localhost", "127.0.0.1", "::1"].contains(own.host)
        if !isLocal, calls == nil || files.authorities == nil {
            diagnostics.report(
                .warning, "security",
                "whoever reaches \(own.text) can speak as a node of the cluster: keep it in a "
                    + "network of its own, or set ssl.certificate.location, ssl.key.location and "
                    + "ssl.truststore.location")
        }
        return (door, calls)
    }

    private func mechanisms(of listener: String) -> [SaslMechanism] {
        settings.mechanismsOfListeners[listener] ?? settings.mechanisms
    }

    private func warn(_ plan: Planned, _ diagnostics: any Diagnostics) {
        let isLocal = ["localhost", "127.0.0.1", "::1"].contains(plan.address.host)
        if isLocal { return }
        let place = "listener \(plan.name) at \(plan.address.text)"
        if plan.spoken == .plaintext, settings.hasAuthorizer || !settings.listeners.isEmpty {
            diagnostics.report(
                .warning, "security", "\(place) lets everybody in, unencrypted, as ANONYMOUS")
        } else if plan.spoken == .saslPlaintext,
            mechanisms(of: plan.name).contains(where: { $0 == .plain || $0 == .oauthBearer })
        {
            diagnostics.report(
                .warning, "security", "\(place) takes passwords or tokens unencrypted")
        }
    }

    /// Reads certificates and keys; nil when no listener needs them.
    func tlsContext() throws(Problem) -> TLSContext? {
        try tlsContext(isNeeded: try planned().contains { $0.spoken.usesTLS })
    }

    private func tlsContext(isNeeded: Bool) throws(Problem) -> TLSContext? {
        guard isNeeded else { return nil }
        var files = settings.files
        guard files.certificate != nil, files.key != nil else {
            throw Problem(
                "config.tls", "a listener uses TLS and there is no certificate",
                hint: "set ssl.certificate.location and ssl.key.location")
        }
        if let path = settings.keyPasswordFile { files.keyPassword = try readSecret(path) }
        if settings.clientCertificate != .notAsked, files.authorities == nil {
            throw Problem(
                "config.tls", "clients' certificates are asked for and nobody is trusted",
                hint: "set ssl.truststore.location to the authorities' certificates")
        }
        return try TLSContext(server: files, peer: settings.clientCertificate)
    }

    /// Everything about access that the node is set up with.
    func configure(
        _ node: inout NodeConfiguration, random: inout SecureRandom
    ) throws(Problem) {
        node.authorizer = settings.hasAuthorizer ? settings.authorizer : nil
        node.authentication.sessionMax = settings.sessionMax
        node.authentication.failureDelay = settings.failureDelay
        if let path = settings.keySet {
            var verifier = TokenVerifier(keys: try KeySet(parsing: try readSmallFile(path)))
            verifier.issuer = settings.issuer
            verifier.audiences = settings.audiences
            verifier.clockSkewSeconds = settings.clockSkewSeconds
            verifier.principalClaim = settings.principalClaim
            node.authentication.tokens = verifier
        } else if settings.mechanisms.contains(.oauthBearer)
            || settings.mechanismsOfListeners.values.contains(where: { $0.contains(.oauthBearer) })
        {
            throw Problem(
                "config.sasl", "OAUTHBEARER is enabled and there are no keys for tokens",
                hint: "set sasl.oauthbearer.jwks.endpoint.url=file:///path/keys.json")
        }
        for (name, file) in settings.bootstrapUsers {
            let password = try readSecret(file)
            for mechanism in ScramMechanism.allCases {
                node.bootstrapCredentials.append(
                    (
                        ScramCredentialKey(user: name, mechanism: mechanism),
                        Scram.credential(
                            password: password, salt: random.bytes(18),
                            iterations: Scram.iterationsMin, mechanism)
                    ))
            }
        }
    }

    /// What clients can use when the server listens on every address: the name of this machine, if
    /// it can be resolved.
    private func reachable(_ host: String) -> String {
        guard ["", "*", "0.0.0.0", "::"].contains(host) else { return host }
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, 255) == 0 else { return "localhost" }
        let text = name.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } }
        guard let text, !resolve(text, 1).isEmpty else { return "localhost" }
        return text
    }
}
