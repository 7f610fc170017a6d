// What the fuzzer of SQL runs behind the planner. The function must return for every input.

import Base
import Columns
import SQL

/// Parses `bytes` as a script; plans, explains and runs its queries over two small tables, with
/// little memory and little time. Statements that change something are only parsed.
package func exerciseQueries(_ bytes: Bytes) {
    guard let script = try? Parser.script(bytes.array) else { return }
    for parsed in script.prefix(8) {
        precondition(parsed.range.upperBound <= bytes.count, "a statement lies within its text")
        switch parsed.statement {
        case .query(let query): exercise(query)
        case .explain(let explain): exercise(explain.query)
        case .insert(let insert):
            var binder = Binder(provider: FuzzRelations())
            _ = try? binder.plan(insert)
        case .createStreamingTable(let table):
            if let query = table.query { exercise(query) }
        case .createView(let view): exercise(view.query)
        case .createMaterializedView(let view): exercise(view.query)
        default: continue
        }
    }
}

private func exercise(_ query: Query) {
    var binder = Binder(provider: FuzzRelations())
    guard let plan = try? binder.plan(query) else { return }
    _ = QueryExecutor.explain(plan)
    var batchesLeft = 200
    let context = QueryContext(
        now: Now(monotonic: Instant(nanoseconds: 0), wallMicroseconds: 1_792_000_000_000_000),
        memoryBytes: 16 << 20,
        isCancelled: {
            batchesLeft -= 1
            return batchesLeft < 0
        })
    guard let result = try? QueryExecutor.execute(plan, FuzzRelations(), context) else { return }
    for batch in result.batches {
        precondition(batch.columns.count == plan.schema.fields.count, "rows have the plan's columns")
        for (column, field) in zip(batch.columns, plan.schema.fields) {
            precondition(column.type == field.type, "a column has the type that was planned")
            for row in 0..<min(column.count, 16) {
                _ = textForm(column, row)
                _ = jsonForm(column.value(row), field.type)
            }
        }
    }
}

/// `t` has a column of every common type, `u` joins it; `topic` can be read as a stream.
private struct FuzzRelations: SchemaProvider, TableSource {
    private static let wide = [
        Field("a", .int32), Field("b", .text), Field("c", .float64), Field("d", .date),
        Field("n", .decimal(precision: 12, scale: 2)), Field("ts", .timestampTZ),
        Field("ok", .boolean), Field("j", .json), Field("big", .int64), Field("id", .uuid),
        Field("small", .int16), Field("plain", .timestamp), Field("span", .interval),
    ]
    private static let narrow = [Field("a", .int64), Field("b", .text), Field("e", .int32)]

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        switch name.name {
        case "t": RelationDescription(name: named("t"), kind: .table, columns: Self.wide)
        case "u": RelationDescription(name: named("u"), kind: .table, columns: Self.narrow)
        case "topic": RelationDescription(name: named("topic"), kind: .topic, columns: Self.wide)
        case "v":
            RelationDescription(
                name: named("v"), kind: .view, columns: [Field("x", .int32), Field("y", .text)],
                viewText: "SELECT a, b FROM t WHERE a > 1")
        default: nil
        }
    }

    func relationNames() -> [QualifiedName] { ["t", "u", "topic", "v"].map { named($0) } }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        let rows = 5
        let columns = node.projection.map { index in
            let type = node.tableSchema.fields[index].type
            return Column(type, (0..<rows).map { Self.value(type, $0) })
        }
        return BatchList([ColumnBatch(columns: columns, rowCount: rows)])
    }

    private func named(_ name: String) -> QualifiedName { QualifiedName(schema: "public", name) }

    /// Row 2 is NULL; the last row has the extremes of its type.
    private static func value(_ type: ColumnType, _ row: Int) -> Value {
        if row == 2 { return .null }
        let isLast = row == 4
        switch type {
        case .int16: return .int(isLast ? Int64(Int16.min) : Int64(row))
        case .int32: return .int(isLast ? Int64(Int32.min) : Int64(row))
        case .int64: return .int(isLast ? .min : Int64(row))
        case .float64: return .float(isLast ? .infinity : Double(row) * 1.5)
        case .boolean: return .boolean(row == 1)
        case .text: return .text(isLast ? "a longer text with ümläuts, 東京 and 🎈" : "x\(row)")
        case .json: return .json(isLast ? #"{"k": [1, {"n": null}], "s": "t"}"# : "[\(row)]")
        case .date: return .date(days: isLast ? .max / 8 : Int32(20_000 + row))
        case .timestamp:
            return .timestamp(microseconds: isLast ? .max / 4 : 1_792_000_000_000_000)
        case .timestampTZ:
            return .timestampTZ(microseconds: isLast ? .max / 4 : 1_792_000_000_000_000)
        case .interval:
            return .interval(
                Interval(months: isLast ? .max : 1, days: 2, microseconds: isLast ? .max : 3))
        case .decimal(_, let scale):
            return .decimal(unscaled: isLast ? -999_999_999_999 : Int128(row) * 125, scale: scale)
        case .uuid: return .uuid(isLast ? .max : UInt128(row))
        default: return .null
        }
    }
}
