// What the engine's tests share: arguments by type, results as text, and a check that a function
// gives the same for literals, columns and dictionaries.

import Base
import Columns
import Engine
import Foundation
import SQL
import Synchronization
import Testing

/// One argument of a function under test.
struct Argument: CustomStringConvertible {
    var value: Value
    var type: ColumnType

    var description: String { textForm(value, type) ?? "NULL" }

    static func int(_ value: Int64) -> Argument { Argument(value: .int(value), type: .int32) }
    static func big(_ value: Int64) -> Argument { Argument(value: .int(value), type: .int64) }
    static func small(_ value: Int64) -> Argument { Argument(value: .int(value), type: .int16) }
    static func float(_ value: Double) -> Argument {
        Argument(value: .float(value), type: .float64)
    }
    static func text(_ value: String) -> Argument { Argument(value: .text(value), type: .text) }
    static func boolean(_ value: Bool) -> Argument {
        Argument(value: .boolean(value), type: .boolean)
    }
    static func null(_ type: ColumnType) -> Argument { Argument(value: .null, type: type) }

    /// A value of any type from PostgreSQL's text form of it.
    static func parsed(_ text: String, _ type: ColumnType) -> Argument {
        do {
            return Argument(value: try parseValue(text, as: type, now: testNow), type: type)
        } catch {
            Issue.record("\(text) is no \(type.sqlName): \(error)")
            return Argument(value: .null, type: type)
        }
    }

    static func decimal(_ text: String, _ precision: Int, _ scale: Int) -> Argument {
        parsed(text, .decimal(precision: precision, scale: scale))
    }
    static func date(_ text: String) -> Argument { parsed(text, .date) }
    static func timestamp(_ text: String) -> Argument { parsed(text, .timestamp) }
    static func timestampTZ(_ text: String) -> Argument { parsed(text, .timestampTZ) }
    static func interval(_ text: String) -> Argument { parsed(text, .interval) }
    static func json(_ text: String) -> Argument { parsed(text, .json) }
    static func texts(_ items: [String?]) -> Argument {
        Argument(
            value: .list(items.map { $0.map { .text($0) } ?? .null }), type: .list(.text))
    }
}

/// 2024-02-29 13:14:15.678901 UTC
let testNow = Now(monotonic: .zero, wallMicroseconds: 1_709_212_455_678_901)

/// The zones of this machine.
struct InstalledZones: TimeZoneSource {
    func zoneFile(named name: String) -> [UInt8]? {
        FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)").map { [UInt8]($0) }
    }
}

func testContext(
    memoryBytes: Int = Limits.queryBytes,
    isCancelled: @escaping @Sendable () -> Bool = { false }
) -> QueryContext {
    QueryContext(
        now: testNow, random: Random(seed: 7), zones: InstalledZones(), memoryBytes: memoryBytes,
        isCancelled: isCancelled)
}

/// Counts calls from any thread.
final class Counter: Sendable {
    private let calls = Mutex<Int64>(0)

    var count: Int64 { calls.withLock { $0 } }

    func next() -> Int64 {
        calls.withLock { calls in
            calls += 1
            return calls
        }
    }
}

/// The result of `body` as text: the value, `NULL`, or `error` and the code.
func outcome(_ body: () throws(Problem) -> String?) -> String {
    do {
        return try body() ?? "NULL"
    } catch {
        return "error \(error.code)"
    }
}

/// Evaluates `expression` over one batch and gives the text of row `row`.
func evaluate(
    _ expression: BoundExpression, _ batch: ColumnBatch, row: Int
) -> String {
    outcome { () throws(Problem) in
        let column = try CompiledExpression(expression).column(batch, testContext())
        return textForm(column, row)
    }
}

/// Checks a function in all representations of its arguments: literals, columns with NULLs between
/// the values, one column beside literals, dictionaries.
func check(
    _ function: ScalarFunction, _ arguments: [Argument], _ type: ColumnType, _ expected: String,
    withNulls: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
) {
    let literals = arguments.map { BoundExpression.literal($0.value, $0.type) }
    let oneRow = ColumnBatch(columns: [], rowCount: 1)
    let constant = evaluate(.call(function, literals, type), oneRow, row: 0)
    #expect(
        constant == expected, "\(function)\(arguments) of literals",
        sourceLocation: sourceLocation)
    for coded in [false, true] {
        let columns = arguments.map { column(of: $0, coded: coded, withNulls) }
        let batch = ColumnBatch(columns: columns, rowCount: 3)
        for alone in 0...arguments.count {
            let operands = arguments.indices.map { index -> BoundExpression in
                alone == arguments.count || alone == index
                    ? .column(index, arguments[index].type) : literals[index]
            }
            let result = evaluate(.call(function, operands, type), batch, row: 2)
            #expect(
                result == expected,
                "\(function)\(arguments), column \(alone), dictionary \(coded)",
                sourceLocation: sourceLocation)
        }
    }
}

/// The value, NULL, the value.
private func column(of argument: Argument, coded: Bool, _ withNulls: Bool) -> Column {
    guard withNulls else { return Column(argument.type, repeating: argument.value, count: 3) }
    guard coded, argument.type == .text, case .text(let text) = argument.value else {
        return Column(argument.type, [argument.value, .null, argument.value])
    }
    guard case .text(let values) = Column(.text, [.text("other"), .text(text)]).data else {
        preconditionFailure("a text column has texts")
    }
    return Column(
        type: .text, data: .dictionary(codes: [1, -1, 1], values: values),
        validity: Validity([true, false, true]))
}

/// The result of casting `argument`.
func cast(_ argument: Argument, _ type: ColumnType, mode: CastMode = .strict) -> String {
    let literal = BoundExpression.literal(argument.value, argument.type)
    let oneRow = ColumnBatch(columns: [], rowCount: 1)
    let constant = evaluate(.cast(literal, to: type, mode), oneRow, row: 0)
    let column = Column(argument.type, [.null, argument.value])
    let batch = ColumnBatch(columns: [column], rowCount: 2)
    let second = evaluate(.cast(.column(0, argument.type), to: type, mode), batch, row: 1)
    #expect(constant == second, "cast of \(argument) to \(type.sqlName) as literal and column")
    return constant
}

// MARK: Plans

/// A table source over batches by relation name.
struct TestTables: TableSource {
    var tables: [String: [ColumnBatch]]

    func open(
        _ node: ScanNode, _ context: QueryContext
    ) throws(Problem) -> any BatchSource {
        guard let batches = tables[node.relation.name] else {
            throw Problem("42P01", "relation \"\(node.relation)\" does not exist")
        }
        return BatchList(
            batches.map { batch in
                ColumnBatch(
                    columns: node.projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
            })
    }
}

/// A scan of a table with these columns.
func scan(_ name: String, _ fields: [Field]) -> LogicalPlan {
    .scan(
        ScanNode(
            relation: QualifiedName(name), kind: .table, tableSchema: TableSchema(fields)))
}

/// Rows cut into batches of uneven sizes.
func batches(_ fields: [Field], _ rows: [[Value]], sizes: [Int] = [3, 1, 700, 2048])
    -> [ColumnBatch]
{
    var batches: [ColumnBatch] = []
    var start = 0
    while start < rows.count {
        let end = min(start + sizes[batches.count % sizes.count], rows.count)
        let part = rows[start..<end]
        let columns = fields.indices.map { index in
            Column(fields[index].type, part.map { $0[index] })
        }
        batches.append(ColumnBatch(columns: columns, rowCount: end - start))
        start = end
    }
    return batches
}

func run(
    _ plan: LogicalPlan, _ tables: [String: [ColumnBatch]] = [:],
    context: QueryContext = testContext()
) throws -> [[Value]] {
    try QueryExecutor.execute(plan, TestTables(tables: tables), context).rows
}

/// The code of the error that `body` ends with.
func errorCode(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let problem as Problem {
        return problem.code
    } catch {
        return "\(error)"
    }
}
