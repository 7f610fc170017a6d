import Security

/// What is spoken on a listener, by published name.
package enum SecurityProtocol: String, CaseIterable, Sendable {
    case plaintext = "PLAINTEXT"
    case ssl = "SSL"
    case saslPlaintext = "SASL_PLAINTEXT"
    case saslSSL = "SASL_SSL"

    package var usesTLS: Bool { self == .ssl || self == .saslSSL }
    package var usesSasl: Bool { self == .saslPlaintext || self == .saslSSL }
}

/// One door of the broker, as clients and the node know it.
package struct ListenerSettings: Sendable {
    package var name: String
    package var securityProtocol: SecurityProtocol
    /// What clients of this listener are told to connect to: `advertised.listeners`.
    package var advertisedHost: String
    package var advertisedPort: Int32
    /// `sasl.enabled.mechanisms`
    package var mechanisms: [SaslMechanism]

    package init(
        name: String, securityProtocol: SecurityProtocol, advertisedHost: String,
        advertisedPort: Int32, mechanisms: [SaslMechanism] = []
    ) {
        self.name = name
        self.securityProtocol = securityProtocol
        self.advertisedHost = advertisedHost
        self.advertisedPort = advertisedPort
        self.mechanisms = mechanisms
    }
}

extension ListenerSettings {
    /// `NAME://host:port`
    package var advertisedText: String {
        let host = advertisedHost.contains(":") ? "[\(advertisedHost)]" : advertisedHost
        return "\(name)://\(host):\(advertisedPort)"
    }
}

/// How clients prove who they are, for all listeners.
package struct AuthenticationSettings: Sendable {
    /// What tokens are checked with; nil = OAUTHBEARER has no keys.
    package var tokens: TokenVerifier?
    /// `connections.max.reauth.ms`; nil = for ever.
    package var sessionMax: Duration?
    /// `connection.failed.authentication.delay.ms`: the answer to a wrong password waits so long,
    /// and longer for an address that goes on failing.
    package var failureDelay: Duration = .milliseconds(100)

    package init() {}
}
