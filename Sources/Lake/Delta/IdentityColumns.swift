// Identity columns: `bigint` columns that number the rows. What is known about one is in its field's
// metadata:
//
// | key | meaning |
// |---|---|
// | delta.identity.start | the first number |
// | delta.identity.step | the distance between numbers, not 0 |
// | delta.identity.highWaterMark | the last number that was given; missing before the first |
// | delta.identity.allowExplicitInsert | rows may bring a number of their own |
//
// Because the mark is part of the table's description, a commit that gives numbers contradicts every
// other that comes in between: no number is given twice, whoever writes.

import Base
import Columns

/// How an identity column counts.
package struct IdentityColumn: Hashable, Sendable {
    package var start: Int64
    package var step: Int64
    package var highWaterMark: Int64?
    package var allowsValues: Bool

    package init(
        start: Int64, step: Int64, highWaterMark: Int64? = nil, allowsValues: Bool = false
    ) {
        self.start = start
        self.step = step
        self.highWaterMark = highWaterMark
        self.allowsValues = allowsValues
    }

    static let keyPrefix = "delta.identity."
    static let markKey = "delta.identity.highWaterMark"

    /// The members of the field's metadata.
    package var metadata: [JSONMember] {
        var members = [
            JSONMember(Self.keyPrefix + "start", .int(start)),
            JSONMember(Self.keyPrefix + "step", .int(step)),
            JSONMember(Self.keyPrefix + "allowExplicitInsert", .bool(allowsValues)),
        ]
        if let highWaterMark { members.append(JSONMember(Self.markKey, .int(highWaterMark))) }
        return members
    }

    /// The next `count` numbers. Throws SQLSTATE 2200H when the type has none left.
    mutating func numbers(_ count: Int, column: String) throws(DeltaFailure) -> [Int64] {
        guard count > 0 else { return [] }
        var place: Int128 = 0
        if let highWaterMark {
            // A mark that somebody moved by hand need not be one of our numbers.
            let distance = Int128(highWaterMark) - Int128(start)
            let step = Int128(step)
            let quotient = distance / step
            let isBelow = distance % step != 0 && (distance < 0) != (step < 0)
            place = max(0, (isBelow ? quotient - 1 : quotient) + 1)
        }
        let first = Int128(start) + place * Int128(step)
        guard let last = Int64(exactly: first + Int128(count - 1) * Int128(step)),
            let from = Int64(exactly: first)
        else {
            throw .statement(
                Problem(
                    "2200H", "column \"\(column)\" has no numbers left",
                    notes: ["it counts from \(start) by \(step) and is a bigint"]))
        }
        highWaterMark = last
        return (0..<count).map { from + Int64($0) * step }
    }
}

extension DeltaField {
    /// How the column counts; nil when it is no identity column. Throws when its metadata is not
    /// what the format says.
    package func identity() throws(DeltaFailure) -> IdentityColumn? {
        guard metadata.contains(where: { $0.key.hasPrefix(IdentityColumn.keyPrefix) }) else {
            return nil
        }
        func number(_ key: String) -> Int64? {
            guard let value = metadataValue(key) else { return nil }
            return value.intValue ?? value.stringValue.flatMap { Int64($0) }
        }
        guard type == .long, let start = number(IdentityColumn.keyPrefix + "start"),
            let step = number(IdentityColumn.keyPrefix + "step"), step != 0
        else {
            throw .corrupt(
                path: "_delta_log",
                detail: "identity column '\(name)' is no long with delta.identity.start and"
                    + " delta.identity.step")
        }
        let allows = metadataValue(IdentityColumn.keyPrefix + "allowExplicitInsert")?.boolValue
        return IdentityColumn(
            start: start, step: step, highWaterMark: number(IdentityColumn.markKey),
            allowsValues: allows ?? false)
    }

    fileprivate func numbered(through mark: Int64) -> DeltaField {
        var field = self
        field.metadata.removeAll { $0.key == IdentityColumn.markKey }
        field.metadata.append(JSONMember(IdentityColumn.markKey, .int(mark)))
        return field
    }
}

extension TableMetadata {
    /// True when a column numbers the rows.
    package var hasIdentityColumns: Bool {
        schema.fields.contains { field in
            field.metadata.contains { $0.key.hasPrefix(IdentityColumn.keyPrefix) }
        }
    }

    /// The same columns with the last numbers that were given.
    func numbered(_ marks: OrderedMap<String, Int64>) -> TableMetadata {
        var changed = self
        changed.schema.fields = schema.fields.map { field in
            marks[field.name].map { field.numbered(through: $0) } ?? field
        }
        return changed
    }

    /// Gives the rows of `batch`, the table's columns in order, numbers in `columns` where they have
    /// none, and keeps the last of them in `marks`.
    func number(
        _ batch: ColumnBatch, columns: [String], marks: inout OrderedMap<String, Int64>
    ) throws(DeltaFailure) -> ColumnBatch {
        var batch = batch
        for name in columns {
            guard let index = schema.fields.firstIndex(where: { $0.name == name }),
                var identity = try schema.fields[index].identity(),
                index < batch.columns.count
            else { continue }
            if let mark = marks[name] { identity.highWaterMark = mark }
            let given = batch.columns[index]
            let missing = (0..<batch.rowCount).filter { given.isNull($0) }
            let numbers = try identity.numbers(missing.count, column: name)
            guard let mark = identity.highWaterMark, !numbers.isEmpty else { continue }
            var values = [Int64](repeating: 0, count: batch.rowCount)
            if case .int64(let known) = given.data { values = known }
            for (row, number) in zip(missing, numbers) { values[row] = number }
            batch.columns[index] = Column(type: .int64, data: .int64(values))
            marks[name] = mark
        }
        return batch
    }
}
