/// The page `docs/operating/configs.md`, made from the tables, so that it says what is true. A test
/// compares the two.
package enum SettingsPage {
    package static var text: String {
        var lines = introduction
        lines += section(
            "Topics", "Given when a topic is created, or changed with IncrementalAlterConfigs.",
            TopicSettings.all.map {
                Row(
                    name: $0.name, value: $0.defaultValue, change: nil, inert: $0.inertBecause,
                    documentation: $0.documentation)
            })
        lines += section(
            "The broker",
            "Given when the server starts (`weir serve -X name=value`). Those with *yes* can be "
                + "changed while it runs, for this broker or, unless it says *one*, for all.",
            BrokerSettings.all.map {
                Row(
                    name: $0.name, value: $0.defaultValue, change: change($0.scope),
                    inert: $0.inertBecause, documentation: $0.documentation)
            })
        lines += section(
            "Groups", "Given to a group by name (resource type 32).",
            GroupSettings.all.map {
                Row(
                    name: $0.name, value: $0.defaultValue, change: nil, inert: nil,
                    documentation: $0.documentation)
            })
        return lines.joined(separator: "\n") + "\n"
    }

    private struct Row {
        var name: String
        var value: String?
        var change: String?
        var inert: String?
        var documentation: String
    }

    private static func change(_ scope: BrokerSetting.Scope) -> String {
        switch scope {
        case .start: "no"
        case .node: "one"
        case .cluster: "yes"
        }
    }

    private static let introduction = [
        "# Settings",
        "",
        "Made from the tables of the source by `SettingsPageTests`; don't edit by hand.",
        "",
        "Every published setting is known: DescribeConfigs shows it with its default, source",
        "and synonyms, and a value of the wrong type is refused. **Not every one does something",
        "here.** The column *effect* says so, with the reason; *not implemented in this version*",
        "means that it should have one and has not. Where a topic has no value, the broker's",
        "setting of the same meaning counts, first as changed for this broker, then for all, then",
        "as started.",
        "",
    ]

    private static func section(_ title: String, _ text: String, _ rows: [Row]) -> [String] {
        let hasChange = rows.contains { $0.change != nil }
        var lines = ["## \(title)", "", text, ""]
        lines.append(
            hasChange
                ? "| name | default | change | effect | what it says |"
                : "| name | default | effect | what it says |")
        lines.append(hasChange ? "|---|---|---|---|---|" : "|---|---|---|---|")
        for row in rows {
            let value = row.value.map { $0.isEmpty ? "(empty)" : "`\($0)`" } ?? "–"
            let effect = row.inert.map { "none: \($0)" } ?? "yes"
            let change = row.change.map { " \($0) |" } ?? ""
            lines.append(
                "| `\(row.name)` | \(value) |\(change) \(effect) | \(row.documentation) |")
        }
        return lines + [""]
    }
}
