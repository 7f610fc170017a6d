import Base
import Log
import Runtime
import Simulator

let simulationCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "sim run", "Runs one node under crashes and power loss, from seeds",
            details: "The same seed gives the same run, in every build and on every machine.",
            flags: [
                FlagSpec("seed", "s", value: "N", "The first seed", fallback: "1"),
                FlagSpec("count", "n", value: "N", "How many seeds", fallback: "100"),
                FlagSpec(
                    "only", nil, value: "PART", "Only this part of each seed",
                    choices: SimulationKind.allCases.map(\.rawValue)),
                FlagSpec(
                    "bug", nil, value: "NAME", "Plants a bug, to see that it is found",
                    fallback: "none", choices: PlantedBug.allCases.map(\.rawValue)),
                FlagSpec("trace", "t", "Tells what happens, line by line, on the error output"),
            ],
            examples: [
                ("weir sim run --seed 7 --count 1", "repeats one seed"),
                ("weir sim run --bug skip-checksum", "must find anomalies and exit with 1"),
            ]),
        run: { (context) throws(Problem) in
            let call = context.invocation
            let seed = UInt64(try call.integer("seed", in: 0...Int64.max / 2) ?? 1)
            let count = UInt64(try call.integer("count", in: 1...100_000_000) ?? 100)
            let bug = PlantedBug(rawValue: call.string("bug") ?? "none") ?? .none
            var options = SimulationOptions()
            options.planted = bug
            if call.isSet("trace") { options.narrate = { standardError($0 + "\n") } }
            let only = call.string("only").flatMap(SimulationKind.init(rawValue:))
            var lines: [String] = []
            let failed = runSimulations(
                seeds: seed..<(seed + count), kinds: only.map { [$0] } ?? SimulationKind.allCases,
                options: options
            ) { line in
                if context.isJSON { lines.append(line) } else { context.print(line + "\n") }
            }
            if context.isJSON {
                context.print([
                    "seed": .int(seed), "count": .int(count), "failed": .int(failed),
                    "bug": .string(bug.rawValue), "report": .array(lines.map { .string($0) }),
                ])
            }
            return failed == 0 ? .ok : .failed
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "sim inject", "Puts one fault at every storage call of scripted runs",
            details:
                "Power loss, kill, EIO, ENOSPC and a short write at each call, then a restart: "
                + "everything that was promised must be there.",
            flags: [
                FlagSpec(
                    "stride", nil, value: "N", "Only every N-th storage call", fallback: "1"),
                FlagSpec(
                    "script", nil, value: "NAME", "Only this scenario",
                    choices: InjectionPlan.scriptNames),
                FlagSpec(
                    "fault", nil, value: "NAME", "Only this fault",
                    choices: InjectedFault.allCases.map(\.rawValue)),
                FlagSpec("call", nil, value: "N", "Only at this storage call"),
                FlagSpec("trace", "t", "Tells what happens, line by line, on the error output"),
                FlagSpec(
                    "bug", nil, value: "NAME", "Plants a bug, to see that it is found",
                    fallback: "none", choices: PlantedBug.allCases.map(\.rawValue)),
            ],
            examples: [("weir sim inject", "a fault at each of some thousand places")]),
        run: { (context) throws(Problem) in
            let call = context.invocation
            var plan = InjectionPlan()
            plan.stride = Int(try call.integer("stride", in: 1...1_000_000) ?? 1)
            plan.script = call.string("script")
            plan.fault = call.string("fault").flatMap(InjectedFault.init(rawValue:))
            plan.atOperation = try call.integer("call", in: 1...1_000_000).map { Int($0) }
            plan.planted = PlantedBug(rawValue: call.string("bug") ?? "none") ?? .none
            if call.isSet("trace") { plan.narrate = { standardError($0 + "\n") } }
            var lines: [String] = []
            let failed = injectEverywhere(plan) { line in
                if context.isJSON { lines.append(line) } else { context.print(line + "\n") }
            }
            if context.isJSON {
                context.print([
                    "failed": .int(failed), "report": .array(lines.map { .string($0) }),
                ])
            }
            return failed == 0 ? .ok : .failed
        }),
    RegisteredCommand(
        spec: CommandSpec(
            "sim week", "Days of retention and compaction in virtual time",
            details:
                "The eight topics of the travel platform, a power loss a day; every six hours "
                + "everything is read and compared with what the policies promise.",
            flags: [
                FlagSpec("days", "d", value: "N", "How many days", fallback: "8"),
                FlagSpec("seed", "s", value: "N", "The seed", fallback: "1"),
            ],
            examples: [("weir sim week", "some seconds for eight days")]),
        run: { (context) throws(Problem) in
            let days = Int(try context.invocation.integer("days", in: 1...400) ?? 8)
            let seed = UInt64(try context.invocation.integer("seed", in: 0...Int64.max / 2) ?? 1)
            var week = WeekSimulation(seed: seed, days: days)
            week.run()
            reportWeek(week, days: days, context)
            return week.anomalies.isEmpty ? .ok : .failed
        }),
]

private func reportWeek(_ week: WeekSimulation, days: Int, _ context: CommandContext) {
    if context.isJSON {
        return context.print([
            "days": .int(days), "power_losses": .int(week.powerLosses),
            "cleanings": .int(week.cleanings),
            "anomalies": .array(week.anomalies.map { .string($0) }),
            "topics": .array(
                week.topics.map { topic in
                    [
                        "topic": .string(topic.name), "produced": .int(topic.produced),
                        "kept": .int(topic.kept), "bytes": .int(topic.bytes),
                        "bytes_max": .int(topic.bytesMax), "keys": .int(topic.keys),
                        "tombstones": .int(topic.tombstones),
                    ]
                }),
        ])
    }
    let table = TextTable(
        [
            .init("TOPIC"), .init("POLICY"), .init("PRODUCED", isNumber: true),
            .init("KEPT", isNumber: true), .init("SIZE", isNumber: true),
            .init("LARGEST", isNumber: true), .init("KEYS", isNumber: true),
            .init("TOMBSTONES", isNumber: true),
        ],
        rows: week.topics.map { topic in
            [
                topic.name, topic.retentionDays.map { "delete after \($0) d" } ?? "compact",
                grouped(topic.produced), grouped(topic.kept), byteText(topic.bytes),
                byteText(topic.bytesMax), grouped(topic.keys), grouped(topic.tombstones),
            ]
        })
    context.print(table.plain())
    for anomaly in week.anomalies { context.print(anomaly + "\n") }
    context.print(
        "\(days) days, \(week.powerLosses) power losses, \(week.cleanings) cleanings, "
            + "\(week.anomalies.count) anomalies\n")
}
