import Base
import Glibc
import Node
import Runtime

let serveCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "serve", "Runs the server",
            details: "Settings for -X:\n"
                + ServerSettings.documentation.map { "  \(padded($0.name, 36)) \($0.text)" }
                .joined(separator: "\n"),
            flags: [
                FlagSpec(
                    "data", "d", value: "DIR", "The data directory", fallback: "weir-data",
                    readsEnvironment: true),
                FlagSpec(
                    "kafka", value: "HOST:PORT", "Where the broker listens; port 0 = any free one",
                    fallback: "localhost:9092", readsEnvironment: true),
                FlagSpec(
                    "listener", value: "NAME://HOST:PORT",
                    "A listener of the broker, instead of --kafka; may be given several times",
                    isRepeatable: true),
                FlagSpec(
                    "cluster", value: "HOST:PORT,…",
                    "Where the nodes of the cluster listen for each other, the same on each of them",
                    readsEnvironment: true),
                FlagSpec(
                    "node", value: "NUMBER", "Which of the nodes of --cluster this is, from 1",
                    readsEnvironment: true),
                FlagSpec(
                    "config", "c", value: "FILE",
                    "Settings as name=value lines; those of -X win", readsEnvironment: true),
                FlagSpec(
                    "bootstrap-user", value: "NAME:FILE",
                    "Gives a user without a password the one in the first line of the file",
                    isRepeatable: true),
                FlagSpec(
                    "http", value: "HOST:PORT",
                    "Where HTTP listens: gateway, tables, SQL, metrics; port 0 = any free one",
                    fallback: "localhost:8888", readsEnvironment: true),
                FlagSpec(
                    "lake", value: "PLACE",
                    "Where tables are kept, instead of in the data directory: s3://BUCKET/PREFIX, or the"
                        + " absolute path of a folder; in a cluster the same for all nodes",
                    readsEnvironment: true),
                FlagSpec(
                    "lake-memory", value: "MIB",
                    "Memory for rows that MERGE or OPTIMIZE hold; more wait on the disk",
                    fallback: "32", readsEnvironment: true),
                FlagSpec(
                    "query-memory", value: "MIB",
                    "Memory that one query may hold; more rows wait on the disk",
                    fallback: "256", readsEnvironment: true),
                FlagSpec(
                    "query-threads", value: "COUNT",
                    "The most threads that work on one query; without it one a processor, at most"
                        + " \(Limits.queryThreads)",
                    readsEnvironment: true),
                FlagSpec(
                    "reserve-processors", value: "COUNT",
                    "Processors that queries leave to the broker while records are produced; without it one"
                        + " in eight, 0 for none",
                    readsEnvironment: true),
                FlagSpec(
                    "verbose", "v", "Reports details as well", readsEnvironment: true),
            ],
            examples: [
                ("weir serve", "serves this machine, data in ./weir-data"),
                ("weir serve --data /srv/weir --kafka '*:9092'", "serves every network"),
                ("weir serve --config server.properties", "takes the settings of a file"),
                (
                    "weir serve --node 1 --cluster a:9090,b:9090,c:9090 --kafka a:9092",
                    "is the first of three nodes"
                ),
                ("weir serve --lake s3://lake/tables", "keeps tables in a bucket"),
            ],
            takesSettings: true),
        run: serve)
]

private func serve(_ context: CommandContext) throws(Problem) -> ExitCode {
    let began = SystemClock.monotonic
    // Before any thread is made, so that all of them have the signals blocked.
    let signals = try ProcessSignals(withHangup: true)
    let diagnostics = StandardErrorDiagnostics(
        style: StandardErrorDiagnostics.fitting(noColour: environment("NO_COLOR") != nil),
        threshold: context.invocation.isSet("verbose") ? .debug : .info)
    var settings = ServerSettings()
    if let path = context.invocation.string("config") {
        for (name, value) in try SettingsFile(reading: path).entries {
            try settings.set(name, value)
        }
    }
    for (name, value) in context.invocation.settings { try settings.set(name, value) }
    let listeners = context.invocation.strings("listener")
    if !listeners.isEmpty {
        try settings.set("listeners", listeners.joined(separator: ","))
    }
    for user in context.invocation.strings("bootstrap-user") {
        guard let colon = user.firstIndex(of: ":"), colon != user.startIndex else {
            throw Problem(
                "usage.value", "--bootstrap-user is a name, a colon and the path of a file")
        }
        settings.security.bootstrapUsers.append(
            (String(user[..<colon]), String(user[user.index(after: colon)...])))
    }
    let data = context.invocation.string("data") ?? "weir-data"
    let address = try HostPort(
        parsing: context.invocation.string("kafka") ?? "localhost:9092", defaultPort: 9092)
    let http = try HostPort(
        parsing: context.invocation.string("http") ?? "localhost:8888", defaultPort: 8888)
    try joinCluster(context, &settings)
    let lakeMemory = try bytes(
        ofMebibytes: context.invocation.string("lake-memory") ?? "32", "--lake-memory")
    let queryMemory = try bytes(
        ofMebibytes: context.invocation.string("query-memory") ?? "256", "--query-memory",
        from: 16)
    let queryThreads = try threads(context.invocation.string("query-threads"), "--query-threads")
    let reserved = try reservedProcessors(context.invocation.string("reserve-processors"))
    let platform = try Platform(
        PlatformSettings(
            dataDirectory: data, kafka: address, http: http, server: settings,
            lake: context.invocation.string("lake"), lakeMemoryBytes: lakeMemory,
            queryMemoryBytes: queryMemory, queryThreads: queryThreads,
            reservedProcessors: reserved),
        diagnostics: diagnostics)
    announce(
        context, data: data, address, http, platform, settings,
        began: began)
    return waitForEnd(signals, platform, diagnostics)
}

/// Takes `--node` and `--cluster`.
private func joinCluster(
    _ context: CommandContext, _ settings: inout ServerSettings
) throws(Problem) {
    let node = context.invocation.string("node")
    guard let list = context.invocation.string("cluster") else {
        if node == nil { return }
        throw Problem(
            "usage.value", "--node says which node of a cluster this is, and there is no --cluster",
            hint: "weir help serve")
    }
    var members: [ClusterConfiguration.Address] = []
    for part in list.split(separator: ",", omittingEmptySubsequences: false) {
        let address = try HostPort(
            parsing: part.filter { $0 != " " }, defaultPort: 9090)
        guard !address.host.isEmpty, address.host != "*", address.port != 0 else {
            throw Problem(
                "usage.value", "--cluster is a list of host:port, found \"\(part)\"",
                notes: ["the other nodes have to find each of them there"])
        }
        let member = ClusterConfiguration.Address(host: address.host, port: address.port)
        if members.contains(member) {
            throw Problem("usage.value", "--cluster names \(address.text) twice")
        }
        members.append(member)
    }
    guard members.count <= 64 else {
        throw Problem(
            "usage.value", "--cluster has \(members.count) nodes, at most 64 are possible")
    }
    guard let number = node.flatMap({ Int32($0) }), number >= 1, Int(number) <= members.count
    else {
        throw Problem(
            "usage.value",
            "--node is the place of this node in --cluster, from 1 to \(members.count)"
                + (node.map { ", found \($0)" } ?? ""))
    }
    settings.node.nodeID = NodeID(number)
    var cluster = ClusterConfiguration(members: members)
    cluster.heartbeatInterval = settings.heartbeatInterval
    cluster.sessionTimeout = settings.sessionTimeout
    cluster.lease = settings.lease
    settings.node.cluster = cluster
}

private func announce(
    _ context: CommandContext, data: String, _ kafka: HostPort, _ http: HostPort,
    _ platform: Platform, _ settings: ServerSettings, began: Instant
) {
    let named = !settings.security.listeners.isEmpty
    let member = settings.node.cluster.map { cluster in
        (
            node: settings.node.nodeID.value, count: cluster.members.count,
            address: cluster.members[Int(settings.node.nodeID.value) - 1].text
        )
    }
    let elapsed = Double((SystemClock.monotonic - began).wholeNanoseconds) / 1e9
    func shown(_ address: HostPort, _ port: UInt16) -> String {
        HostPort(host: address.host.isEmpty ? "*" : address.host, port: port).text
    }
    let broker = shown(kafka, platform.broker.brokerPort)
    let surface = shown(http, platform.httpPort)
    if context.isJSON {
        var report: JSONValue = [
            "version": .string(Version.number), "data": .string(data),
            "kafka": .string(broker), "kafka_port": .int(platform.broker.brokerPort),
            "listeners": .array(platform.broker.listeners.map { .string($0) }),
            "http": .string(surface), "http_port": .int(platform.httpPort),
        ]
        if let member, case .object(let members) = report {
            report = .object(
                members + [
                    JSONMember("node", .int(member.node)),
                    JSONMember("nodes", .string(member.address)),
                ])
        }
        context.print(report)
        return
    }
    context.say(
        """
        \(Version.text)
          data   \(data)
          kafka  \(named ? platform.broker.listeners.joined(separator: ", ") : broker)
          http   http://\(surface)/docs\(
            member.map { "\n  node   \($0.node) of \($0.count), for nodes at \($0.address)" } ?? "")
        ready after \(durationText(seconds: elapsed)); Ctrl-C stops it
        """)
}

private func reload(_ platform: Platform, _ diagnostics: any Diagnostics) {
    do throws(Problem) {
        if try platform.broker.reloadCertificates() {
            diagnostics.report(.info, "security", "certificates were read again on SIGHUP")
        }
    } catch {
        diagnostics.report(
            .error, "security", "the certificates of before stay in use: \(error)")
    }
}

/// Waits for a signal or for the loop to end by itself.
private func waitForEnd(
    _ signals: ProcessSignals, _ platform: Platform, _ diagnostics: any Diagnostics
) -> ExitCode {
    while case .signal(let number) = signals.wait(or: platform.broker.endDescriptor) {
        if number == SIGHUP {
            reload(platform, diagnostics)
            continue
        }
        diagnostics.report(
            .info, "server", "stopping on \(number == SIGINT ? "SIGINT" : "SIGTERM")")
        break
    }
    // Whoever is in a hurry asks twice.
    let impatience = SystemThread(name: "weir-signals") {
        while case .signal(let number) = signals.wait(or: platform.broker.endDescriptor) {
            if number != SIGHUP { exit(ExitCode.interrupted.rawValue) }
        }
    }
    let outcome = platform.stop()
    impatience.join()
    switch outcome {
    case .stopped:
        diagnostics.report(.info, "server", "stopped")
        return .ok
    case .halted: return .halted
    }
}

/// The threads of a query, from a setting that need not be there.
func threads(_ text: String?, _ setting: String) throws(Problem) -> Int {
    guard let text else { return QueryPool.threadsByDefault }
    guard let count = Int(text), (1...1024).contains(count) else {
        throw Problem(
            "usage.value", "\(setting) is a number of threads from 1 to 1024, found \(text)")
    }
    return count
}

/// The processors kept for the broker, from a setting that need not be there.
private func reservedProcessors(_ text: String?) throws(Problem) -> Int {
    guard let text else { return ProcessorReserve.countByDefault }
    guard let count = Int(text), (0...1024).contains(count) else {
        throw Problem(
            "usage.value",
            "--reserve-processors is a number of processors from 0 to 1024, found \(text)")
    }
    guard count == 0 || count < SystemThread.processorCount else {
        throw Problem(
            "usage.value",
            "--reserve-processors \(count) leaves none of \(SystemThread.processorCount) for queries"
        )
    }
    return count
}

/// The bytes of a number of mebibytes that a flag or a variable of the environment gives.
func bytes(
    ofMebibytes text: String, _ setting: String, from least: Int = 1
) throws(Problem) -> Int {
    guard let mebibytes = Int(text), (least...65_536).contains(mebibytes) else {
        throw Problem(
            "usage.value", "\(setting) is a number of MiB from \(least) to 65536, found \(text)")
    }
    return mebibytes << 20
}
