import Base
import Node
import Security
import TLS

/// Where the broker listens, how connections are protected, and who may do what; under Apache
/// Kafka's names. What a combination means is decided when the server starts.
package struct SecuritySettings: Sendable {
    package struct Door: Sendable {
        package var name: String
        package var address: HostPort
    }

    /// `listeners`; none = one PLAINTEXT listener where `--kafka` says.
    package var listeners: [Door] = []
    /// `advertised.listeners`
    package var advertised: [Door] = []
    /// `listener.security.protocol.map`; the names of protocols mean themselves.
    package var protocols: OrderedMap<String, SecurityProtocol> = [:]
    /// `sasl.enabled.mechanisms`
    package var mechanisms: [SaslMechanism] = [.scramSha256, .scramSha512]
    /// `listener.name.<name>.sasl.enabled.mechanisms`, by name in capitals.
    package var mechanismsOfListeners: OrderedMap<String, [SaslMechanism]> = [:]
    package var files = TLSFiles()
    var keyPasswordFile: String?
    /// `ssl.client.auth`
    package var clientCertificate = PeerCertificate.notAsked
    /// `ssl.principal.mapping.rules`
    package var principals = PrincipalMapping()
    /// `authorizer.class.name`
    package var hasAuthorizer = false
    package var authorizer = Authorizer()
    /// `sasl.oauthbearer.jwks.endpoint.url`, a file.
    package var keySet: String?
    package var issuer: String?
    package var audiences: [String] = []
    package var clockSkewSeconds: Int64 = 30
    package var principalClaim = "sub"
    package var sessionMax: Duration?
    package var failureDelay = Duration.milliseconds(100)
    /// Users that get a password when they have none: name and file.
    package var bootstrapUsers: [(name: String, file: String)] = []

    package init() {}

    struct Setting: Sendable {
        var name: String
        var text: String
        /// What was expected, when the value does not fit.
        var apply: @Sendable (String, inout SecuritySettings) -> String?
    }

    static let all: [Setting] = [
        Setting(
            name: "listeners",
            text: "where the broker listens: NAME://host:port, separated by commas"
        ) { value, settings in
            guard let doors = doors(value), Set(doors.map(\.name)).count == doors.count else {
                return "NAME://host:port,… with each name once"
            }
            settings.listeners = doors
            return nil
        },
        Setting(
            name: "listener.security.protocol.map",
            text: "what is spoken on each listener: NAME:SASL_SSL,…"
        ) { value, settings in
            for entry in words(value) {
                let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
                guard parts.count == 2,
                    let spoken = SecurityProtocol(rawValue: String(parts[1]).uppercased())
                else { return "NAME:PLAINTEXT, :SSL, :SASL_PLAINTEXT or :SASL_SSL" }
                settings.protocols[parts[0].uppercased()] = spoken
            }
            return nil
        },
        Setting(
            name: "sasl.enabled.mechanisms",
            text: "how clients may sign on: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"
        ) { value, settings in
            guard let known = mechanisms(value) else { return expectedMechanisms }
            settings.mechanisms = known
            return nil
        },
        file("ssl.certificate.location", "the certificate and those in between, PEM") {
            $1.files.certificate = $0
        },
        file("ssl.key.location", "the key of the certificate, PEM") { $1.files.key = $0 },
        file("ssl.keystore.location", "certificate and key in one file, PEM") {
            $1.files.certificate = $0
            $1.files.key = $0
        },
        only("ssl.keystore.type", "PEM", "the form of ssl.keystore.location"),
        Setting(name: "ssl.key.password", text: "decrypts the key; better in a file") {
            value, settings in
            settings.files.keyPassword = value.isEmpty ? nil : Secret(value)
            return nil
        },
        file("ssl.key.password.location", "a file with the password of the key") {
            $1.keyPasswordFile = $0
        },
        file("ssl.truststore.location", "authorities of clients' certificates, PEM") {
            $1.files.authorities = $0
        },
        only("ssl.truststore.type", "PEM", "the form of ssl.truststore.location"),
        Setting(
            name: "ssl.client.auth", text: "clients' certificates: none, requested, required"
        ) { value, settings in
            switch value {
            case "none": settings.clientCertificate = .notAsked
            case "requested": settings.clientCertificate = .asked
            case "required": settings.clientCertificate = .required
            default: return "none, requested or required"
            }
            return nil
        },
        Setting(
            name: "ssl.principal.mapping.rules",
            text: "how a certificate's name becomes a user: RULE:pattern/replacement/,DEFAULT"
        ) { value, settings in
            do throws(Problem) {
                settings.principals = try PrincipalMapping(parsing: value)
                return nil
            } catch {
                return error.message
            }
        },
        Setting(
            name: "authorizer.class.name",
            text: "access control: acl, or a published class; empty"
                + " = everybody may do everything"
        ) { value, settings in
            guard value.isEmpty || authorizers.contains(value) else {
                return authorizers.joined(separator: ", ") + " or nothing"
            }
            settings.hasAuthorizer = !value.isEmpty
            return nil
        },
        Setting(
            name: "super.users", text: "who may do everything: User:name, separated by semicolons"
        ) { value, settings in
            var users: Set<Principal> = []
            for part in value.split(separator: ";") {
                guard let user = Principal(parsing: trimmed(part)) else { return "User:name;…" }
                users.insert(user)
            }
            settings.authorizer.superUsers = users
            return nil
        },
        Setting(
            name: "allow.everyone.if.no.acl.found",
            text: "what no rule mentions is open to everybody"
        ) { value, settings in
            guard value == "true" || value == "false" else { return "true or false" }
            settings.authorizer.allowsWithoutRules = value == "true"
            return nil
        },
        Setting(
            name: "sasl.oauthbearer.jwks.endpoint.url",
            text: "the keys of tokens: file:///path of a JSON Web Key Set"
        ) { value, settings in
            guard value.hasPrefix("file:///") else {
                return "file:///path; keys are not loaded over the network"
            }
            settings.keySet = String(value.dropFirst("file://".count))
            return nil
        },
        Setting(name: "sasl.oauthbearer.expected.issuer", text: "who has to have made a token") {
            value, settings in
            settings.issuer = value.isEmpty ? nil : value
            return nil
        },
        Setting(name: "sasl.oauthbearer.expected.audience", text: "for whom a token has to be") {
            value, settings in
            settings.audiences = words(value)
            return nil
        },
        Setting(name: "sasl.oauthbearer.sub.claim.name", text: "which claim names the user") {
            value, settings in
            if value.isEmpty { return "the name of a claim" }
            settings.principalClaim = value
            return nil
        },
        Setting(
            name: "sasl.oauthbearer.clock.skew.seconds", text: "how much clocks may differ"
        ) { value, settings in
            guard let seconds = Int64(value), (0...3600).contains(seconds) else {
                return "0 to 3600"
            }
            settings.clockSkewSeconds = seconds
            return nil
        },
        Setting(
            name: "connections.max.reauth.ms", text: "when clients have to sign on again; 0 = never"
        ) { value, settings in
            guard let number = Int64(value), (0...31_536_000_000).contains(number) else {
                return "0 to 31536000000"
            }
            settings.sessionMax = number == 0 ? nil : .milliseconds(number)
            return nil
        },
        Setting(
            name: "connection.failed.authentication.delay.ms",
            text: "how long the answer to a wrong password waits"
        ) { value, settings in
            guard let number = Int64(value), (0...60_000).contains(number) else {
                return "0 to 60000"
            }
            settings.failureDelay = .milliseconds(number)
            return nil
        },
    ]

    private static let expectedMechanisms =
        SaslMechanism.allCases.map(\.rawValue).joined(separator: ", ")

    /// nil when there is none, or one that is not known.
    private static func mechanisms(_ value: String) -> [SaslMechanism]? {
        let found = words(value).map { SaslMechanism(rawValue: $0.uppercased()) }
        let known = found.compactMap { $0 }
        return known.isEmpty || known.count < found.count ? nil : known
    }

    /// Takes a setting of one listener, `listener.name.<name>.<setting>`. nil = it is none of those
    /// that can differ; else what was expected, empty when the value fits.
    mutating func setOfListener(_ name: String, _ value: String) -> String? {
        let prefix = "listener.name."
        let suffix = ".sasl.enabled.mechanisms"
        guard name.hasPrefix(prefix), name.hasSuffix(suffix),
            name.utf8.count > prefix.utf8.count + suffix.utf8.count
        else { return nil }
        guard let known = Self.mechanisms(value) else { return Self.expectedMechanisms }
        let listener = name.dropFirst(prefix.count).dropLast(suffix.count)
        mechanismsOfListeners[listener.uppercased()] = known
        return ""
    }

    private static let authorizers = [
        "acl", "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "kafka.security.authorizer.AclAuthorizer",
    ]

    private static func file(
        _ name: String, _ text: String,
        _ apply: @escaping @Sendable (String, inout SecuritySettings) -> Void
    ) -> Setting {
        Setting(name: name, text: text) { value, settings in
            if value.isEmpty { return "the path of a file" }
            apply(value, &settings)
            return nil
        }
    }

    private static func only(_ name: String, _ word: String, _ text: String) -> Setting {
        Setting(name: name, text: "\(text): \(word)") { value, _ in
            value == word ? nil : "\(word); convert other stores, for example with openssl"
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }

    static func words(_ value: String) -> [String] {
        value.split(separator: ",").map(trimmed).filter { !$0.isEmpty }
    }

    /// `NAME://host:port` for each listener; nil when it is of another form.
    static func doors(_ value: String) -> [Door]? {
        var doors: [Door] = []
        for word in words(value) {
            guard let mark = word.firstRange(of: "://"), mark.lowerBound != word.startIndex,
                let address = try? HostPort(
                    parsing: String(word[mark.upperBound...]), defaultPort: 9092)
            else { return nil }
            doors.append(
                Door(name: word[..<mark.lowerBound].uppercased(), address: address))
        }
        return doors.isEmpty ? nil : doors
    }
}
