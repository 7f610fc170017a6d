import Base
import WireProtocol

extension BrokerSettings {
    /// Who clients are and what they may do.
    static let security: [BrokerSetting] = [
        .live("authorizer.class.name", .string, nil, "A class that decides what clients may do."),
        .inert(
            "sasl.client.callback.handler.class", .class, nil, Inert.classes,
            "A class that answers for clients."),
        .live(
            "sasl.enabled.mechanisms", .list, "SCRAM-SHA-256,SCRAM-SHA-512",
            "How clients may authenticate."),
        .inert("sasl.jaas.config", .password, nil, Inert.notYet, "The broker's own credentials."),
        .inert(
            "sasl.kerberos.kinit.cmd", .string, "/usr/bin/kinit", Inert.notYet,
            "The command that gets tickets.", scope: .node),
        .inert(
            "sasl.kerberos.min.time.before.relogin", .long, "60000", Inert.notYet,
            "How long a ticket is kept at least.", scope: .node),
        .inert(
            "sasl.kerberos.principal.to.local.rules", .list, "DEFAULT", Inert.notYet,
            "How names of tickets become short names.", scope: .node),
        .inert(
            "sasl.kerberos.service.name", .string, nil, Inert.notYet,
            "The name of the broker's service.", scope: .node),
        .inert(
            "sasl.kerberos.ticket.renew.jitter", .double, "0.05", Inert.notYet,
            "How much renewing varies.", scope: .node),
        .inert(
            "sasl.kerberos.ticket.renew.window.factor", .double, "0.8", Inert.notYet,
            "When a ticket is renewed.", scope: .node),
        .inert(
            "sasl.login.callback.handler.class", .class, nil, Inert.classes,
            "A class that answers for the broker's login."),
        .inert("sasl.login.class", .class, nil, Inert.classes, "A class that logs the broker in."),
        .inert(
            "sasl.login.connect.timeout.ms", .int, nil, Inert.oneBroker,
            "How long a login may take to connect."),
        .inert(
            "sasl.login.read.timeout.ms", .int, nil, Inert.oneBroker,
            "How long a login may take to answer."),
        .inert(
            "sasl.login.refresh.buffer.seconds", .short, "300", Inert.oneBroker,
            "How long before its end a login is renewed at the latest.", scope: .node),
        .inert(
            "sasl.login.refresh.min.period.seconds", .short, "60", Inert.oneBroker,
            "How long a login is kept at least.", scope: .node),
        .inert(
            "sasl.login.refresh.window.factor", .double, "0.8", Inert.oneBroker,
            "When a login is renewed.", scope: .node),
        .inert(
            "sasl.login.refresh.window.jitter", .double, "0.05", Inert.oneBroker,
            "How much that varies.", scope: .node),
        .inert(
            "sasl.login.retry.backoff.max.ms", .long, "10000", Inert.oneBroker,
            "The longest wait after a failed login."),
        .inert(
            "sasl.login.retry.backoff.ms", .long, "100", Inert.oneBroker,
            "The first wait after a failed login."),
        .inert(
            "sasl.mechanism.controller.protocol", .string, "GSSAPI", Inert.oneBroker,
            "How controllers authenticate."),
        .inert(
            "sasl.mechanism.inter.broker.protocol", .string, "GSSAPI", Inert.oneBroker,
            "How brokers authenticate."),
        .live("sasl.oauthbearer.clock.skew.seconds", .int, "30", "How much clocks may differ."),
        .live("sasl.oauthbearer.expected.audience", .list, nil, "For whom a token must be."),
        .live("sasl.oauthbearer.expected.issuer", .string, nil, "By whom a token must be."),
        .inert(
            "sasl.oauthbearer.jwks.endpoint.refresh.ms", .long, "3600000", Inert.notYet,
            "How often keys are loaded."),
        .inert(
            "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", .long, "10000", Inert.notYet,
            "The longest wait after a failed load."),
        .inert(
            "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", .long, "100", Inert.notYet,
            "The first wait after a failed load."),
        .live("sasl.oauthbearer.jwks.endpoint.url", .string, nil, "Where keys are loaded from."),
        .inert(
            "sasl.oauthbearer.scope.claim.name", .string, "scope", Inert.notYet,
            "Which part of a token has its scope."),
        .live(
            "sasl.oauthbearer.sub.claim.name", .string, "sub",
            "Which part of a token has its subject."),
        .inert(
            "sasl.oauthbearer.token.endpoint.url", .string, nil, Inert.notYet,
            "Where tokens are made."),
        .inert(
            "sasl.server.callback.handler.class", .class, nil, Inert.classes,
            "A class that checks credentials."),
        .inert(
            "sasl.server.max.receive.size", .int, "524288", Inert.notYet,
            "The largest message of an authentication."),
        .inert(
            "security.inter.broker.protocol", .string, "PLAINTEXT", Inert.oneBroker,
            "How brokers talk to each other."),
        .inert(
            "ssl.allow.dn.changes", .boolean, "false", Inert.notYet,
            "Whether a new certificate may have another name."),
        .inert(
            "ssl.allow.san.changes", .boolean, "false", Inert.notYet,
            "Whether a new certificate may have other alternative names."),
        .inert("ssl.cipher.suites", .list, nil, Inert.notYet, "Ciphers that may be used."),
        .live("ssl.client.auth", .string, "none", "Whether clients must show a certificate."),
        .inert(
            "ssl.enabled.protocols", .list, "TLSv1.2,TLSv1.3", Inert.notYet,
            "Versions that may be used."),
        .inert(
            "ssl.endpoint.identification.algorithm", .string, "https", Inert.oneBroker,
            "How the name of a server is checked."),
        .inert(
            "ssl.engine.factory.class", .class, nil, Inert.classes,
            "A class that makes TLS engines."),
        .live("ssl.key.password", .password, nil, "The password of the key."),
        .inert(
            "ssl.keymanager.algorithm", .string, "PKIX", Inert.classes, "How Java handles keys."),
        .inert(
            "ssl.keystore.certificate.chain", .password, nil, Inert.notYet,
            "The broker's certificate."),
        .inert("ssl.keystore.key", .password, nil, Inert.notYet, "The broker's key."),
        .live("ssl.keystore.location", .string, nil, "The file with key and certificate."),
        .inert("ssl.keystore.password", .password, nil, Inert.notYet, "The password of that file."),
        .live("ssl.keystore.type", .string, "PEM", "The format of that file."),
        .live(
            "ssl.principal.mapping.rules", .string, "DEFAULT",
            "How names of certificates become short names."),
        .inert("ssl.protocol", .string, "TLSv1.3", Inert.notYet, "The version that is preferred."),
        .inert("ssl.provider", .string, nil, Inert.classes, "The Java provider of TLS."),
        .inert(
            "ssl.secure.random.implementation", .string, nil, Inert.classes,
            "Java's source of randomness."),
        .inert(
            "ssl.trustmanager.algorithm", .string, "PKIX", Inert.classes, "Java and trust."),
        .inert(
            "ssl.truststore.certificates", .password, nil, Inert.notYet,
            "Certificates that are trusted."),
        .live("ssl.truststore.location", .string, nil, "The file with them."),
        .inert(
            "ssl.truststore.password", .password, nil, Inert.notYet, "The password of that file."),
        .live("ssl.truststore.type", .string, "PEM", "The format of that file."),
        .live("super.users", .string, nil, "Clients that may do everything."),
    ]
}
