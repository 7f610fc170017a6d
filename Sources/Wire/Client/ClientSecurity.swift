import Base
import TLS

/// How a client protects its connections and proves who it is.
public struct ClientSecurity: Sendable {
    /// nil = connections are not encrypted.
    public var tls: ClientTLS?
    /// nil = nobody asks who we are, or the certificate says it.
    public var signOn: ClientSignOn?

    public init(tls: ClientTLS? = nil, signOn: ClientSignOn? = nil) {
        self.tls = tls
        self.signOn = signOn
    }
}

/// Encryption. Files are PEM.
public struct ClientTLS: Sendable {
    /// Whom to believe about the broker; nil = the authorities of the system.
    public var authorities: String?
    /// The certificate that we show, and its key.
    public var certificate: String?
    public var key: String?
    /// What decrypts the key, where it is encrypted.
    public var keyPassword: String?
    /// Whether the broker's certificate has to be valid and for its name. Without that anybody can
    /// play the broker.
    public var verifiesBroker: Bool

    public init(
        authorities: String? = nil, certificate: String? = nil, key: String? = nil,
        keyPassword: String? = nil, verifiesBroker: Bool = true
    ) {
        self.authorities = authorities
        self.certificate = certificate
        self.key = key
        self.keyPassword = keyPassword
        self.verifiesBroker = verifiesBroker
    }

    func context() throws(ClientFailure) -> TLSContext {
        let files = TLSFiles(
            certificate: certificate, key: key, keyPassword: keyPassword.map { Secret($0) },
            authorities: authorities)
        do throws(Problem) {
            return try TLSContext(client: files, verifies: verifiesBroker)
        } catch {
            throw ClientFailure(([error.message] + error.notes).joined(separator: "; "))
        }
    }
}

/// A proof of who we are. Passwords and tokens are not printed.
public struct ClientSignOn: Sendable {
    enum Kind: Sendable {
        case plain(user: String, password: Secret)
        case scram(user: String, password: Secret, is512: Bool)
        case bearer(@Sendable () throws -> Secret)
    }

    let kind: Kind

    /// Sends the password: over TLS only.
    public static func plain(user: String, password: String) -> ClientSignOn {
        ClientSignOn(kind: .plain(user: user, password: Secret(password)))
    }

    public static func scramSha256(user: String, password: String) -> ClientSignOn {
        ClientSignOn(kind: .scram(user: user, password: Secret(password), is512: false))
    }

    public static func scramSha512(user: String, password: String) -> ClientSignOn {
        ClientSignOn(kind: .scram(user: user, password: Secret(password), is512: true))
    }

    /// `token` gives a JSON Web Token that is still valid; it is asked for each connection.
    public static func oauthBearer(
        token: @escaping @Sendable () throws -> String
    ) -> ClientSignOn {
        ClientSignOn(kind: .bearer { Secret(try token()) })
    }
}
