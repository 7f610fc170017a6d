import Base
import Columns
import Engine
import SQL

/// The rules of a streaming table, bound to its output columns.
package struct ExpectationSet: Sendable {
    /// What happens to a row that breaks a rule. A condition that is NULL is not broken, as with
    /// CHECK constraints.
    package enum Action: Hashable, Sendable {
        case keep
        case dropRow
        case failUpdate
        case quarantine(into: QualifiedName)
    }

    package struct Rule: Hashable, Sendable {
        package var name: String
        package var text: String
        package var action: Action

        package init(name: String, text: String, action: Action) {
            self.name = name
            self.text = text
            self.action = action
        }
    }

    /// Rows that one rule sends to one table.
    package struct Diversion: Sendable {
        package var rule: String
        package var target: QualifiedName
        package var rows: [QuarantineRow]
    }

    package struct Sorted: Sendable {
        package var kept: [ColumnBatch] = []
        package var quarantined: [Diversion] = []
        package var counts: [ExpectationCount] = []
    }

    /// The relation that the rules' conditions read.
    package static let relation = QualifiedName(schema: "weir", "checked_rows")

    package let rules: [Rule]
    /// One boolean column for each rule over `relation`; nil without rules.
    private let plan: LogicalPlan?
    private let columns: [Field]

    /// `plan` has one boolean column for each of `rules` and reads `relation`, whose columns are
    /// `columns`.
    package init(rules: [Rule], plan: LogicalPlan?, columns: [Field]) {
        precondition(plan?.schema.fields.count ?? 0 == rules.count, "one column for each rule")
        self.rules = rules
        self.plan = plan
        self.columns = columns
    }

    /// Checks rows (the table's columns, then partition and offset) and sorts them by what the
    /// rules say. A broken FAIL UPDATE rule is an error that names the first such row.
    package func sort(
        _ batches: [ColumnBatch], context: QueryContext
    ) throws(Problem) -> Sorted {
        var sorted = Sorted()
        sorted.counts = rules.map { ExpectationCount(name: $0.name) }
        guard let plan else {
            sorted.kept = batches
            return sorted
        }
        for batch in batches {
            let checks = try execute(
                plan, source: BatchTable([withoutPlaces(batch)], name: Self.relation),
                context: context)
            try sort(batch, Column.sideBySide(checks), into: &sorted)
        }
        return sorted
    }

    private func withoutPlaces(_ batch: ColumnBatch) -> ColumnBatch {
        ColumnBatch(columns: Array(batch.columns.dropLast(2)), rowCount: batch.rowCount)
    }

    private func sort(
        _ batch: ColumnBatch, _ checks: [Column], into sorted: inout Sorted
    ) throws(Problem) {
        var isKept = [Bool](repeating: true, count: batch.rowCount)
        var isClean = true
        for (index, rule) in rules.enumerated() {
            let broken = brokenRows(checks[index])
            sorted.counts[index].checked += Int64(batch.rowCount)
            sorted.counts[index].violations += Int64(broken.count)
            guard let first = broken.first else { continue }
            switch rule.action {
            case .keep: continue
            case .failUpdate: throw refusal(rule, batch, row: first)
            case .dropRow: break
            case .quarantine(let target):
                // A row goes to the first rule that takes it away.
                let rows = broken.filter { isKept[$0] }.map {
                    QuarantineRow(rule: rule.name, batch, row: $0, columns: columns)
                }
                if !rows.isEmpty {
                    sorted.quarantined.append(
                        Diversion(rule: rule.name, target: target, rows: rows))
                }
            }
            for row in broken { isKept[row] = false }
            isClean = false
        }
        if isClean {
            sorted.kept.append(batch)
        } else {
            sorted.kept.append(batch.gather(isKept.indices.filter { isKept[$0] }.map { Int32($0) }))
        }
    }

    private func brokenRows(_ check: Column) -> [Int] {
        guard case .boolean(let flags) = check.data else { return [] }
        return flags.indices.filter { flags[$0] == 0 && !check.isNull($0) }
    }

    private func refusal(_ rule: Rule, _ batch: ColumnBatch, row: Int) -> Problem {
        let place = batch.values(row).suffix(2)
        let shown = place.map { value in
            if case .int(let number) = value { "\(number)" } else { "?" }
        }
        return Problem(
            "23514", "a row breaks the expectation \(rule.name): \(rule.text)",
            notes: [
                "record at partition \(shown.first ?? "?"), offset \(shown.last ?? "?")",
                "nothing of this epoch was stored, and the table does not move on",
            ],
            hint: "change the data or the rule: ON VIOLATION DROP ROW or QUARANTINE INTO keep going"
        )
    }
}

/// A row on its way to a quarantine table.
package struct QuarantineRow: Sendable {
    package var rule: String
    package var partition: Int32
    package var offset: Int64
    /// The row as a JSON object.
    package var content: JSONValue

    init(rule: String, _ batch: ColumnBatch, row: Int, columns: [Field]) {
        self.rule = rule
        let values = batch.values(row)
        func whole(_ value: Value) -> Int64 {
            if case .int(let number) = value { number } else { -1 }
        }
        partition = Int32(truncatingIfNeeded: whole(values[values.count - 2]))
        offset = whole(values[values.count - 1])
        content = .object(
            zip(columns, values).map { JSONMember($0.name, jsonForm($1, $0.type)) })
    }

    /// Rows as a table wants them that has some of the columns at, target, rule, source_topic,
    /// partition, offset and row; its other columns are NULL.
    static func batch(
        _ rows: [QuarantineRow], columns: [Field], target: QualifiedName, topic: String, now: Now
    ) -> ColumnBatch {
        let filled = columns.map { field in
            Column(
                field.type,
                rows.map { $0.value(of: field, target: target, topic: topic, now: now) })
        }
        return ColumnBatch(columns: filled, rowCount: rows.count)
    }

    private func value(
        of field: Field, target: QualifiedName, topic: String, now: Now
    ) -> Value {
        switch (field.name, field.type) {
        case ("at", .timestampTZ): .timestampTZ(microseconds: now.wallMicroseconds)
        case ("at", .timestamp): .timestamp(microseconds: now.wallMicroseconds)
        case ("target", .text): .text("\(target)")
        case ("rule", .text): .text(rule)
        case ("source_topic", .text): .text(topic)
        case ("partition", .int32), ("partition", .int64): .int(Int64(partition))
        case ("offset", .int64): .int(offset)
        case ("row", .json): .json(content.text)
        case ("row", .text): .text(content.text)
        default: .null
        }
    }
}

extension Column {
    /// The columns of several batches, each concatenated.
    static func sideBySide(_ batches: [ColumnBatch]) -> [Column] {
        guard let first = batches.first else { return [] }
        return first.columns.indices.map { index in
            .concatenation(batches.map { $0.columns[index] })
        }
    }
}
