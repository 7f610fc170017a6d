import Base
import CPlatform
import Runtime

/// What the demo shows while it runs: a table that is drawn again at a terminal, lines elsewhere,
/// objects for programs that read lines.
struct ClusterDemoShow {
    private let context: CommandContext
    private let isStreaming: Bool
    private let isTerminal = weir_is_terminal(2) == 1
    private let speaks: Bool
    private var drawnLines = 0
    private var next = 0.0
    private var lastAcknowledged: (count: Int64, seconds: Double) = (0, 0)

    init(_ context: CommandContext) {
        self.context = context
        isStreaming = context.invocation.string("output") == "ndjson"
        speaks = !context.isJSON && !context.invocation.isSet("quiet")
    }

    /// Takes the table away.
    mutating func clear() {
        if drawnLines > 0 { standardError("\u{1B}[\(drawnLines)A\u{1B}[J") }
        drawnLines = 0
    }

    mutating func say(_ event: StageEvent) {
        say(
            event.text, node: event.node, act: event.act.rawValue, seconds: event.seconds,
            more: [
                JSONMember("partition", .int(event.partition)),
                JSONMember("controller", .bool(event.wasController)),
            ])
    }

    mutating func say(
        _ text: String, node: Int32, act: String, seconds: Double, more: [JSONMember] = []
    ) {
        if isStreaming {
            context.print(
                .object(
                    [
                        JSONMember("type", .string("event")), JSONMember("act", .string(act)),
                        JSONMember("node", .int(node)), JSONMember("seconds", .double(seconds)),
                    ] + more))
        }
        guard speaks else { return }
        clear()
        standardError("\(fixed(seconds, 1)) s  \(text)\n")
        next = 0
    }

    /// Draws what there is, when it is time to.
    mutating func draw(
        _ demo: ClusterDemo, _ traffic: NumberedTraffic, _ picture: ClusterDemo.Picture?,
        elapsed: Double
    ) {
        guard elapsed >= next, speaks || isStreaming else { return }
        next = elapsed + (isTerminal || isStreaming ? 0.5 : 5)
        let counts = traffic.counts
        let pause = traffic.longestPause.wholeMilliseconds
        let span = elapsed - lastAcknowledged.seconds
        let rate = span > 0 ? Double(counts.acknowledged - lastAcknowledged.count) / span : 0
        lastAcknowledged = (counts.acknowledged, elapsed)
        if isStreaming { context.print(status(demo, counts, picture, pause, elapsed)) }
        guard speaks else { return }
        var lines = [
            "\(fixed(elapsed, 0)) s · \(counts.line) · \(fixed(rate, 0))/s",
            "longest pause since the last event \(grouped(pause)) ms · \(counts.verdict)",
        ]
        if isTerminal {
            clear()
            lines.append("")
            lines += table(demo, picture).plain().split(separator: "\n").map(String.init)
            // A line that is broken by the terminal would be one more to take away.
            let columns = Int(weir_terminal_columns(2))
            if columns > 0 { lines = lines.map { cut($0, toWidth: columns) } }
            drawnLines = lines.count
        } else {
            lines.insert(nodes(demo, picture), at: 1)
            lines = [lines[0]] + lines.dropFirst().map { "     \($0)" }
        }
        standardError(lines.joined(separator: "\n") + "\n")
    }

    private func table(_ demo: ClusterDemo, _ picture: ClusterDemo.Picture?) -> TextTable {
        TextTable(
            [
                .init("NODE", isNumber: true), .init("STATE"), .init("LEADS", isNumber: true),
                .init("IN SYNC", isNumber: true), .init("CONTROLLER"), .init("KAFKA"),
            ],
            rows: demo.nodes.map { node in
                [
                    "\(node.number)", node.state.text, "\(picture?.leads(node.number) ?? 0)",
                    "\(picture?.inSync(node.number) ?? 0)",
                    picture?.controller == node.number ? "yes" : "", node.kafka.text,
                ]
            })
    }

    private func nodes(_ demo: ClusterDemo, _ picture: ClusterDemo.Picture?) -> String {
        demo.nodes.map { node in
            var text = "node \(node.number) \(node.state.text)"
            if let picture {
                text += ", leads \(picture.leads(node.number))"
                if picture.controller == node.number { text += ", controller" }
            }
            return text
        }.joined(separator: " · ")
    }

    private func status(
        _ demo: ClusterDemo, _ counts: NumberedTraffic.Counts, _ picture: ClusterDemo.Picture?,
        _ pause: Int64, _ elapsed: Double
    ) -> JSONValue {
        .object(
            [
                JSONMember("type", .string("status")), JSONMember("seconds", .double(elapsed)),
                JSONMember(
                    "nodes",
                    .array(
                        demo.nodes.map { node in
                            [
                                "node": .int(node.number), "state": .string(node.state.text),
                                "leads": .int(picture?.leads(node.number) ?? 0),
                                "in_sync": .int(picture?.inSync(node.number) ?? 0),
                                "controller": .bool(picture?.controller == node.number),
                                "kafka": .string(node.kafka.text),
                            ]
                        })),
                JSONMember("pause_ms", .int(pause)),
            ] + counts.members)
    }
}

extension NumberedTraffic.Counts {
    fileprivate var line: String {
        "\(grouped(sent)) sent · \(grouped(acknowledged)) acknowledged · \(grouped(read)) read"
    }

    fileprivate var verdict: String {
        var text =
            "lost \(grouped(lost)), twice \(grouped(twice)), out of order \(grouped(outOfOrder))"
        if elsewhere > 0 { text += ", not where they were acknowledged \(grouped(elsewhere))" }
        return text
    }

    fileprivate var members: [JSONMember] {
        [
            JSONMember("sent", .int(sent)), JSONMember("acknowledged", .int(acknowledged)),
            JSONMember("failed", .int(failed)), JSONMember("read", .int(read)),
            JSONMember("lost", .int(lost)), JSONMember("twice", .int(twice)),
            JSONMember("out_of_order", .int(outOfOrder)),
            JSONMember("elsewhere", .int(elsewhere)),
        ]
    }
}

/// What the demo of several nodes found at its end.
struct ClusterDemoSummary: Sendable {
    var seconds: Double
    var events: [StageEvent]
    /// What the reader had counted that read along.
    var live: NumberedTraffic.Counts
    /// What reading everything from the begin has counted.
    var counts: NumberedTraffic.Counts
    var problems: [String]

    var isGood: Bool {
        problems.isEmpty && counts.isGood && live.isGood && counts.failed == 0
            && counts.acknowledged > 0
    }

    var json: JSONValue {
        .object(
            [
                JSONMember("type", .string("summary")), JSONMember("ok", .bool(isGood)),
                JSONMember("seconds", .double(seconds)),
                JSONMember(
                    "events",
                    .array(
                        events.map {
                            [
                                "act": .string($0.act.rawValue), "node": .int($0.node),
                                "partition": .int($0.partition),
                                "controller": .bool($0.wasController),
                                "seconds": .double($0.seconds),
                                "pause_ms": .int($0.pause.wholeMilliseconds),
                            ]
                        })),
            ] + counts.members + [
                JSONMember("read_along", .object(live.members)),
                JSONMember("problems", .array(problems.map { .string($0) })),
            ])
    }

    var text: String {
        var text = "\nAfter \(fixed(seconds, 1)) s\n\n"
        if !events.isEmpty {
            text +=
                TextTable(
                    [
                        .init("AT", isNumber: true), .init("EVENT"),
                        .init("PAUSE", isNumber: true),
                    ],
                    rows: events.map {
                        [
                            "\(fixed($0.seconds, 1)) s", $0.text,
                            "\(grouped($0.pause.wholeMilliseconds)) ms",
                        ]
                    }
                ).plain(maxCellWidth: 100) + "\n"
        }
        text += "\(grouped(counts.sent)) sent · \(grouped(counts.acknowledged)) acknowledged"
        text += " · \(grouped(counts.read)) read back from the beginning\n"
        text += counts.verdict + "\n"
        if !live.isGood { text += "while it ran: \(live.verdict)\n" }
        for problem in problems { text += "problem: \(problem)\n" }
        text +=
            isGood
            ? "every acknowledged record is there, once, in order, where it was acknowledged\n"
            : "NOT EVERY RECORD IS WHERE IT SHOULD BE\n"
        return text
    }
}
