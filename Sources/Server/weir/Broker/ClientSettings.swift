import Base
import Runtime
import WeirClient

/// Settings of the connection to the broker that have no flag: `-X name=value`, or lines of the file
/// that WEIR_CLIENT_CONFIG names. They carry the names that clients built on librdkafka know.
struct ClientSettings {
    static let documentation: [(name: String, text: String)] = [
        ("security.protocol", "plaintext, ssl, sasl_plaintext or sasl_ssl"),
        ("sasl.mechanism", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"),
        ("sasl.username", "who signs on"),
        ("sasl.password", "the password; better in the file than on the command line"),
        ("sasl.oauthbearer.token", "the token of OAUTHBEARER"),
        ("ssl.ca.location", "authorities to believe (PEM); default: the system's"),
        ("ssl.certificate.location", "our own certificate (PEM)"),
        ("ssl.key.location", "its key (PEM)"),
        ("ssl.key.password", "decrypts the key; better in the file than on the command line"),
        ("enable.ssl.certificate.verification", "false believes every broker"),
        ("client.id", "the name that brokers see"),
    ]

    private var values: [String: String] = [:]

    init(_ call: Invocation, file: String?) throws(Problem) {
        if let file {
            let content = try readFile(file, limit: 1 << 20).text
            for line in content.split(whereSeparator: \.isNewline) {
                let text = line.drop { $0 == " " || $0 == "\t" }
                if text.isEmpty || text.first == "#" { continue }
                let (name, value) = try splitSetting(String(text))
                try set(Self.trimmed(name), Self.trimmed(value), in: file)
            }
        }
        for (name, value) in call.settings { try set(name, value, in: "-X") }
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" }
        var rest = text.drop(while: isSpace)
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(rest)
    }

    private mutating func set(_ name: String, _ value: String, in place: String) throws(Problem) {
        let name = name == "sasl.mechanisms" ? "sasl.mechanism" : name
        guard Self.documentation.contains(where: { $0.name == name }) else {
            let near = nearestName(to: name, among: Self.documentation.map(\.name))
            throw Problem(
                "usage.unknownSetting", "\"\(name)\" (\(place)) is not a setting of clients",
                notes: near.map { ["did you mean \"\($0)\"?"] } ?? [], hint: "weir help client")
        }
        values[name] = value
    }

    var clientId: String { values["client.id"] ?? "weir" }

    /// Whether nothing but a plain connection is asked for.
    var isPlain: Bool { (values["security.protocol"] ?? "plaintext").lowercased() == "plaintext" }

    func security() throws(Problem) -> ClientSecurity {
        let protocolName = (values["security.protocol"] ?? "plaintext").lowercased()
        guard ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(protocolName) else {
            throw Problem(
                "usage.value", "\"\(protocolName)\" is not a security.protocol",
                notes: ["one of: plaintext, ssl, sasl_plaintext, sasl_ssl"])
        }
        var security = ClientSecurity()
        if protocolName.hasSuffix("ssl") {
            security.tls = ClientTLS(
                authorities: values["ssl.ca.location"],
                certificate: values["ssl.certificate.location"], key: values["ssl.key.location"],
                keyPassword: values["ssl.key.password"],
                verifiesBroker: values["enable.ssl.certificate.verification"] != "false")
        }
        if protocolName.hasPrefix("sasl") { security.signOn = try signOn() }
        return security
    }

    private func signOn() throws(Problem) -> ClientSignOn {
        let mechanism = (values["sasl.mechanism"] ?? "PLAIN").uppercased()
        func needed(_ name: String) throws(Problem) -> String {
            guard let value = values[name] else {
                throw Problem("usage.missingSetting", "\(mechanism) needs \(name)")
            }
            return value
        }
        if mechanism == "OAUTHBEARER" {
            let token = try needed("sasl.oauthbearer.token")
            return .oauthBearer { token }
        }
        let names = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]
        guard names.contains(mechanism) else {
            let near = nearestName(to: mechanism, among: names)
            throw Problem(
                "usage.value", "\"\(mechanism)\" is not a sasl.mechanism",
                notes: near.map { ["did you mean \"\($0)\"?"] }
                    ?? ["one of: " + names.joined(separator: ", ")])
        }
        let user = try needed("sasl.username")
        let password = try needed("sasl.password")
        return switch mechanism {
        case "SCRAM-SHA-256": .scramSha256(user: user, password: password)
        case "SCRAM-SHA-512": .scramSha512(user: user, password: password)
        default: .plain(user: user, password: password)
        }
    }
}
