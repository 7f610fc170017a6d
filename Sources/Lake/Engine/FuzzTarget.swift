// What the fuzzer of SQL runs behind the planner. The function must return for every input.

import Base
import Columns
import SQL
import Synchronization

/// Parses `bytes` as a script; plans, explains, runs and measures its queries over small tables, with
/// little memory and little time, and with less memory again, so that operators spill or refuse. Of
/// statements that change rows the queries are run.
package func exerciseQueries(_ bytes: Bytes) {
    guard let script = try? Parser.script(bytes.array) else { return }
    for parsed in script.prefix(8) {
        precondition(parsed.range.upperBound <= bytes.count, "a statement lies within its text")
        switch parsed.statement {
        case .query(let query): exercise(query)
        case .explain(let explain): exercise(explain.query)
        case .insert(let insert):
            var binder = Binder(provider: FuzzRelations())
            if let bound = try? binder.plan(insert) { run(bound.plan) }
        case .delete(let delete): run(try? Binder(provider: FuzzRelations()).plan(delete))
        case .update(let update): run(try? Binder(provider: FuzzRelations()).plan(update))
        case .merge(let merge): run(try? Binder(provider: FuzzRelations()).plan(merge))
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
    run(plan)
}

private func run(_ change: RowChangePlan?) {
    guard let change else { return }
    run(change.plan)
}

private func run(_ plan: LogicalPlan) {
    _ = QueryExecutor.explain(plan)
    guard let result = try? QueryExecutor.execute(plan, FuzzRelations(), context(16 << 20)) else {
        return
    }
    for batch in result.batches {
        precondition(
            batch.columns.count == plan.schema.fields.count, "rows have the plan's columns")
        for (column, field) in zip(batch.columns, plan.schema.fields) {
            precondition(column.type == field.type, "a column has the type that was planned")
            precondition(column.count == batch.rowCount, "a column has a value for each row")
            for row in 0..<min(column.count, 16) {
                _ = textForm(column, row)
                _ = jsonForm(column.value(row), field.type)
            }
        }
    }
    let ticks = Mutex<Int64>(0)
    let measured = try? QueryExecutor.measure(
        plan, FuzzRelations(), context(64 << 10),
        clock: {
            ticks.withLock { ticks in
                ticks += 1
                return Instant(nanoseconds: ticks)
            }
        })
    _ = measured?.lines(timing: true)
}

/// Little memory, a disk for what does not fit, and time for some hundred batches.
private func context(_ bytes: Int) -> QueryContext {
    let batchesLeft = Countdown(200)
    return QueryContext(
        now: Now(monotonic: Instant(nanoseconds: 0), wallMicroseconds: 1_792_000_000_000_000),
        memoryBytes: bytes, scratch: try? ScratchSpace(disk: MemoryDisk(), folder: "scratch"),
        isCancelled: { batchesLeft.isOver() })
}

/// Counts from any thread.
private final class Countdown: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }

    func isOver() -> Bool {
        left.withLock { left in
            left -= 1
            return left < 0
        }
    }
}

/// `t` has a column of every common type, `u` joins it, `none` is empty; `topic` can be read as a
/// stream. Rows come in several batches.
private struct FuzzRelations: SchemaProvider, TableSource {
    private static let wide = [
        Field("a", .int32), Field("b", .text), Field("c", .float64), Field("d", .date),
        Field("n", .decimal(precision: 12, scale: 2)), Field("ts", .timestampTZ),
        Field("ok", .boolean), Field("j", .json), Field("big", .int64), Field("id", .uuid),
        Field("small", .int16), Field("plain", .timestamp), Field("span", .interval),
        Field("list", .list(.int32)), Field("bin", .binary), Field("f", .float32),
    ]
    private static let narrow = [Field("a", .int64), Field("b", .text), Field("e", .int32)]

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        switch name.name {
        case "t": RelationDescription(name: named("t"), kind: .table, columns: Self.wide)
        case "u": RelationDescription(name: named("u"), kind: .table, columns: Self.narrow)
        case "none": RelationDescription(name: named("none"), kind: .table, columns: Self.wide)
        case "topic": RelationDescription(name: named("topic"), kind: .topic, columns: Self.wide)
        case "v":
            RelationDescription(
                name: named("v"), kind: .view, columns: [Field("x", .int32), Field("y", .text)],
                viewText: "SELECT a, b FROM t WHERE a > 1")
        default: nil
        }
    }

    func relationNames() -> [QualifiedName] { ["t", "u", "none", "topic", "v"].map { named($0) } }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        guard node.relation.name != "none" else { return BatchList([]) }
        return BatchList(
            [0..<2, 2..<5].map { rows in
                let columns = node.projection.map { index in
                    let type = node.tableSchema.fields[index].type
                    return Column(type, rows.map { Self.value(type, $0) })
                }
                return ColumnBatch(columns: columns, rowCount: rows.count)
            })
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
        case .float32: return .float(isLast ? -.infinity : Double(row) * 0.5)
        case .binary: return .binary(isLast ? [0xFF, 0] : [UInt8(row)])
        case .list: return .list(isLast ? [] : [.int(Int64(row)), .null, .int(2)])
        case .uuid: return .uuid(isLast ? .max : UInt128(row))
        default: return .null
        }
    }
}
