import Base
import WireProtocol

extension BrokerSettings {
    /// What the process is and how it talks to clients.
    static let general: [BrokerSetting] = [
        .live("advertised.listeners", .string, nil, "Where clients are told to connect.") {
            $0.doors.map(\.advertisedText).joined(separator: ",")
        },
        .live(
            "allow.everyone.if.no.acl.found", .boolean, "false",
            "Whether resources without rules are open to all."),
        .inert(
            "alter.config.policy.class.name", .class, nil, Inert.classes,
            "A class that judges changes of settings."),
        .live(
            "auto.create.topics.enable", .boolean, "true",
            "Whether a missing topic is created when a client asks for it."
        ) { "\($0.createsTopicsAutomatically)" },
        .inert(
            "auto.include.jmx.reporter", .boolean, "true", Inert.metrics,
            "Whether metrics are told to Java tools."),
        .inert(
            "background.threads", .int, "10", Inert.threads, "Threads for work in the background.",
            scope: .cluster),
        .live(
            "broker.heartbeat.interval.ms", .int, "2000",
            "How often a broker of a cluster says that it lives."
        ) {
            $0.cluster.map { "\($0.heartbeatInterval.wholeMilliseconds)" }
        },
        .live("broker.id", .int, "-1", "The number of this broker.") { "\($0.nodeID.value)" },
        .inert(
            "broker.id.generation.enable", .boolean, "true", Inert.oneBroker,
            "Whether a broker without a number is given one."),
        .live("broker.rack", .string, nil, "Where this broker stands.") { $0.rack },
        .live(
            "broker.session.timeout.ms", .int, "9000",
            "After this silence a broker of a cluster leads nothing any more."
        ) {
            $0.cluster.map { "\($0.sessionTimeout.wholeMilliseconds)" }
        },
        .inert(
            "client.quota.callback.class", .class, nil, Inert.classes,
            "A class that decides about quotas."),
        .live(
            "connection.failed.authentication.delay.ms", .int, "100",
            "How long the refusal of an authentication is held back."),
        .live(
            "connections.max.idle.ms", .long, "600000", "A silent connection is closed after this."
        ) { $0.startedWith["connections.max.idle.ms"] },
        .live(
            "connections.max.reauth.ms", .long, "0",
            "After this a client must authenticate again; 0 = never."),
        .inert(
            "control.plane.listener.name", .string, nil, Inert.oneBroker,
            "The listener that brokers use among themselves."),
        .inert(
            "controlled.shutdown.enable", .boolean, "true", Inert.oneBroker,
            "Whether leaderships move away before a stop."),
        .inert(
            "controlled.shutdown.max.retries", .int, "3", Inert.oneBroker,
            "How often moving leaderships away is tried."),
        .inert(
            "controlled.shutdown.retry.backoff.ms", .long, "5000", Inert.oneBroker,
            "How long to wait between such tries."),
        .inert(
            "controller.listener.names", .string, nil, Inert.oneBroker,
            "The listeners that controllers use."),
        .inert(
            "controller.performance.always.log.threshold.ms", .long, "2000", Inert.oneBroker,
            "Decisions that take longer are logged."),
        .inert(
            "controller.performance.sample.period.ms", .long, "60000", Inert.oneBroker,
            "How often the time of decisions is summed up."),
        .inert(
            "controller.quorum.append.linger.ms", .int, "25", Inert.oneBroker,
            "How long changes of the metadata wait for company."),
        .inert(
            "controller.quorum.auto.join.enable", .boolean, "false", Inert.oneBroker,
            "Whether a controller joins the voters by itself."),
        .inert(
            "controller.quorum.bootstrap.servers", .list, nil, Inert.oneBroker,
            "Where voters are found."),
        .inert(
            "controller.quorum.election.backoff.max.ms", .int, "1000", Inert.oneBroker,
            "The longest wait between elections."),
        .inert(
            "controller.quorum.election.timeout.ms", .int, "1000", Inert.oneBroker,
            "After this without votes a new election begins."),
        .inert(
            "controller.quorum.fetch.timeout.ms", .int, "2000", Inert.oneBroker,
            "After this without a leader an election begins."),
        .inert(
            "controller.quorum.request.timeout.ms", .int, "2000", Inert.oneBroker,
            "How long answers of other voters are awaited."),
        .inert(
            "controller.quorum.retry.backoff.ms", .int, "20", Inert.oneBroker,
            "How long to wait before asking a voter again."),
        .inert(
            "controller.quorum.voters", .list, nil, Inert.oneBroker,
            "The nodes that vote on the metadata."),
        .inert(
            "controller.quota.window.num", .int, "11", Inert.notYet,
            "Windows that a quota on changes looks back."),
        .inert(
            "controller.quota.window.size.seconds", .int, "1", Inert.notYet,
            "Seconds of such a window."),
        .inert(
            "controller.socket.timeout.ms", .int, "30000", Inert.oneBroker,
            "How long a controller may be silent."),
        .inert(
            "create.topic.policy.class.name", .class, nil, Inert.classes,
            "A class that judges new topics."),
        .live(
            "default.replication.factor", .int, "1",
            "Replicas of topics when nobody says."
        ) { "\($0.replicationFactor)" },
        .inert(
            "delegation.token.expiry.check.interval.ms", .long, "3600000", Inert.notYet,
            "How often expired tokens are looked for."),
        .inert(
            "delegation.token.expiry.time.ms", .long, "86400000", Inert.notYet,
            "How long a token is good unless renewed."),
        .inert(
            "delegation.token.max.lifetime.ms", .long, "604800000", Inert.notYet,
            "How long a token is good at most."),
        .inert(
            "delegation.token.secret.key", .password, nil, Inert.notYet,
            "The key that tokens are made with."),
        .live("delete.topic.enable", .boolean, "true", "Whether topics can be deleted.") {
            "\($0.deletesTopics)"
        },
        .inert(
            "early.start.listeners", .string, nil, Inert.oneBroker,
            "Listeners that are opened before the others."),
        .live("fetch.max.bytes", .int, "57671680", "The largest answer to a fetch.") {
            "\($0.fetchBytesMax)"
        },
        .inert(
            "fetch.purgatory.purge.interval.requests", .int, "1000", Inert.sockets,
            "How often answered fetches are forgotten."),
        .inert(
            "initial.broker.registration.timeout.ms", .int, "60000", Inert.oneBroker,
            "How long a broker tries to register."),
        .inert(
            "inter.broker.listener.name", .string, nil, Inert.oneBroker,
            "The listener that brokers use among themselves."),
        .inert(
            "inter.broker.protocol.version", .string, "4.2-IV1", Inert.oneBroker,
            "The version that brokers speak among themselves."),
        .inert(
            "leader.imbalance.check.interval.seconds", .long, "300", Inert.oneBroker,
            "How often leaderships are balanced."),
        .inert(
            "leader.imbalance.per.broker.percentage", .int, "10", Inert.oneBroker,
            "How much imbalance is tolerated."),
        .inert(
            "auto.leader.rebalance.enable", .boolean, "true", Inert.oneBroker,
            "Whether leaderships go back to the preferred replica."),
        .live(
            "listener.security.protocol.map", .string,
            "PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL",
            "The protocol of each listener."
        ) { configuration in
            configuration.doors.map { "\($0.name):\($0.securityProtocol.rawValue)" }
                .joined(separator: ",")
        },
        .live("listeners", .string, "PLAINTEXT://:9092", "Where the broker listens.") {
            $0.startedWith["listeners"]
        },
        .inert(
            "max.connection.creation.rate", .int, "2147483647", Inert.notYet,
            "New connections in a second.", scope: .cluster),
        .live("max.connections", .int, "2147483647", "Connections at the same time.") {
            $0.startedWith["max.connections"]
        },
        .inert(
            "max.connections.per.ip", .int, "2147483647", Inert.notYet,
            "Connections from one address.", scope: .cluster),
        .inert(
            "max.connections.per.ip.overrides", .string, nil, Inert.notYet,
            "The same for single addresses.", scope: .cluster),
        .live(
            "max.incremental.fetch.session.cache.slots", .int, "1000",
            "Fetch sessions at the same time."
        ) { "\($0.fetchSessionsMax)" },
        .live(
            "max.request.partition.size.limit", .int, "2000",
            "Partitions of one page of a description."
        ) { "\($0.describedPartitionsMax)" },
        .inert(
            "metadata.log.dir", .string, nil, Inert.oneBroker,
            "Where the metadata is kept, when not with the logs."),
        .inert(
            "metadata.log.max.record.bytes.between.snapshots", .long, "20971520", Inert.oneBroker,
            "How often the metadata is summed up."),
        .inert(
            "metadata.log.max.snapshot.interval.ms", .long, "3600000", Inert.oneBroker,
            "The longest time between such sums."),
        .inert(
            "metadata.log.segment.bytes", .int, "1073741824", Inert.oneBroker,
            "Size of a file of the metadata."),
        .inert(
            "metadata.log.segment.ms", .long, "604800000", Inert.oneBroker,
            "After this time such a file is closed."),
        .inert(
            "metadata.max.idle.interval.ms", .int, "500", Inert.oneBroker,
            "How often the metadata log shows that it lives."),
        .inert(
            "metadata.max.retention.bytes", .long, "104857600", Inert.oneBroker,
            "Bytes of old metadata that are kept."),
        .inert(
            "metadata.max.retention.ms", .long, "604800000", Inert.oneBroker,
            "How long old metadata is kept."),
        .inert(
            "metric.reporters", .list, "org.apache.kafka.common.metrics.JmxReporter", Inert.metrics,
            "Classes that are told metrics.", scope: .cluster),
        .inert(
            "metrics.num.samples", .int, "2", Inert.metrics, "Samples that a metric is made of."),
        .inert("metrics.recording.level", .string, "INFO", Inert.metrics, "How much is measured."),
        .inert(
            "metrics.sample.window.ms", .long, "30000", Inert.metrics, "How long a sample takes."),
        .live("node.id", .int, nil, "The number of this node.") { "\($0.nodeID.value)" },
        .inert(
            "num.io.threads", .int, "8", Inert.threads, "Threads that work on requests.",
            scope: .cluster),
        .inert(
            "num.network.threads", .int, "3", Inert.threads, "Threads that read and write sockets.",
            scope: .cluster),
        .live("num.partitions", .int, "1", "Partitions of topics when nobody says.") {
            "\($0.partitionsDefault)"
        },
        .inert("num.quota.samples", .int, "11", Inert.notYet, "Samples that a quota looks back."),
        .inert(
            "num.recovery.threads.per.data.dir", .int, "2", Inert.threads,
            "Threads that recover logs.", scope: .cluster),
        .inert(
            "num.replica.alter.log.dirs.threads", .int, nil, Inert.oneBroker,
            "Threads that move replicas between directories."),
        .inert(
            "num.replica.fetchers", .int, "1", Inert.oneBroker, "Threads that follow one leader.",
            scope: .cluster),
        .inert(
            "password.encoder.secret", .password, nil, Inert.notYet,
            "The key that stored passwords are hidden with."),
        .inert(
            "principal.builder.class", .class,
            "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
            Inert.classes, "A class that names clients."),
        .live("process.roles", .list, nil, "What this process does in the cluster.") { _ in
            "broker,controller"
        },
        .inert(
            "producer.purgatory.purge.interval.requests", .int, "1000", Inert.sockets,
            "How often answered produces are forgotten."),
        .inert(
            "queued.max.request.bytes", .long, "-1", Inert.notYet, "Bytes of requests that wait."),
        .inert(
            "queued.max.requests", .int, "500", Inert.notYet,
            "Requests that wait before the network is left alone."),
        .inert("quota.window.num", .int, "11", Inert.notYet, "Windows that a quota looks back."),
        .inert("quota.window.size.seconds", .int, "1", Inert.notYet, "Seconds of such a window."),
        .inert(
            "request.timeout.ms", .int, "30000", Inert.oneBroker,
            "How long answers of other brokers are awaited."),
        .inert("security.providers", .string, nil, Inert.classes, "Classes that provide ciphers."),
        .inert(
            "server.max.startup.time.ms", .long, "9223372036854775807", Inert.oneBroker,
            "How long a start may take."),
        .inert(
            "socket.connection.setup.timeout.max.ms", .long, "30000", Inert.oneBroker,
            "The longest wait for a connection to a broker."),
        .inert(
            "socket.connection.setup.timeout.ms", .long, "10000", Inert.oneBroker,
            "The first wait for a connection to a broker."),
        .inert(
            "socket.listen.backlog.size", .int, "50", Inert.sockets,
            "Connections that wait to be accepted."),
        .inert(
            "socket.receive.buffer.bytes", .int, "102400", Inert.sockets,
            "The kernel's buffer for receiving."),
        .live("socket.request.max.bytes", .int, "104857600", "The largest request.") {
            $0.startedWith["socket.request.max.bytes"]
        },
        .inert(
            "socket.send.buffer.bytes", .int, "102400", Inert.sockets,
            "The kernel's buffer for sending."),
        .inert(
            "telemetry.max.bytes", .int, "1048576", Inert.notYet,
            "The largest report of a client's metrics."),
        .inert(
            "unstable.api.versions.enable", .boolean, "false", Inert.notYet,
            "Whether unfinished versions are served."),
        .inert(
            "unstable.feature.versions.enable", .boolean, "false", Inert.notYet,
            "Whether unfinished features may be used."),
    ]
}
