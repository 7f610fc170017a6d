import Base
import Glibc
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
                    "verbose", "v", "Reports details as well", readsEnvironment: true),
            ],
            examples: [
                ("weir serve", "serves this machine, data in ./weir-data"),
                ("weir serve --data /srv/weir --kafka '*:9092'", "serves every network"),
            ],
            takesSettings: true),
        run: serve)
]

private func serve(_ context: CommandContext) throws(Problem) -> ExitCode {
    let began = SystemClock.monotonic
    // Before any thread is made, so that all of them have the signals blocked.
    let signals = try ProcessSignals()
    let diagnostics = StandardErrorDiagnostics(
        style: StandardErrorDiagnostics.fitting(noColour: environment("NO_COLOR") != nil),
        threshold: context.invocation.isSet("verbose") ? .debug : .info)
    var settings = ServerSettings()
    for (name, value) in context.invocation.settings { try settings.set(name, value) }
    let data = context.invocation.string("data") ?? "weir-data"
    let address = try HostPort(
        parsing: context.invocation.string("kafka") ?? "localhost:9092", defaultPort: 9092)
    let broker = try BrokerService(
        data: data, listening: address, settings: settings, diagnostics: diagnostics)
    announce(context, data: data, host: address.host, broker: broker, began: began)
    return waitForEnd(signals, broker, diagnostics)
}

private func announce(
    _ context: CommandContext, data: String, host: String, broker: BrokerService, began: Instant
) {
    let elapsed = Double((SystemClock.monotonic - began).wholeNanoseconds) / 1e9
    let brokerAddress = HostPort(host: host.isEmpty ? "*" : host, port: broker.brokerPort).text
    if context.isJSON {
        context.print([
            "version": .string(Version.number), "data": .string(data),
            "kafka": .string(brokerAddress), "kafka_port": .int(broker.brokerPort),
        ])
        return
    }
    context.say(
        """
        \(Version.text)
          data   \(data)
          kafka  \(brokerAddress)
        ready after \(durationText(seconds: elapsed)); Ctrl-C stops it
        """)
}

/// Waits for a signal or for the loop to end by itself.
private func waitForEnd(
    _ signals: ProcessSignals, _ broker: BrokerService, _ diagnostics: any Diagnostics
) -> ExitCode {
    if case .signal(let number) = signals.wait(or: broker.endDescriptor) {
        diagnostics.report(.info, "server", "stopping on \(number == SIGINT ? "SIGINT" : "SIGTERM")")
    }
    // Whoever is in a hurry asks twice.
    let impatience = SystemThread(name: "weir-signals") {
        if case .signal = signals.wait(or: broker.endDescriptor) {
            exit(ExitCode.interrupted.rawValue)
        }
    }
    let outcome = broker.stop()
    impatience.join()
    switch outcome {
    case .stopped:
        diagnostics.report(.info, "server", "stopped")
        return .ok
    case .halted: return .halted
    }
}
