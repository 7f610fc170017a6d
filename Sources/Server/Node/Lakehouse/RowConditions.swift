import Base
import Columns
import Delta
import Engine
import SQL

/// The conditions of a Delta table on its rows, evaluated by the engine.
struct RowConditions: RowRules {
    private let columns: TableSchema
    private let conditions: [(condition: RowCondition, plan: LogicalPlan)]
    private let clock: @Sendable () -> Now
    private let zones: any TimeZoneSource

    private static let relation = QualifiedName("$new_rows")

    /// Binds the conditions of `metadata` to its columns. One that we do not understand is refused:
    /// rows that nobody checked must not get into the table.
    init(
        _ metadata: TableMetadata, clock: @escaping @Sendable () -> Now,
        zones: any TimeZoneSource
    ) throws(DeltaFailure) {
        let columns = try metadata.schema.tableSchema()
        self.columns = columns
        self.clock = clock
        self.zones = zones
        let scan = LogicalPlan.scan(
            ScanNode(relation: Self.relation, kind: .system, tableSchema: columns))
        var bound: [(condition: RowCondition, plan: LogicalPlan)] = []
        for condition in metadata.rowConditions {
            let broken = try running { () throws(Problem) in
                try Self.broken(condition, columns)
            }
            bound.append(
                (
                    condition,
                    .limit(
                        .filter(scan, broken), count: .literal(.int(1), .int64), offset: nil)
                ))
        }
        conditions = bound
    }

    /// True for rows that break `condition`. NULL counts as broken, unlike in PostgreSQL: other
    /// writers of the table do it so.
    private static func broken(
        _ condition: RowCondition, _ columns: TableSchema
    ) throws(Problem) -> BoundExpression {
        do throws(Problem) {
            var binder = Binder(provider: NoRelations())
            let expression = try Parser.expression(condition.expression)
            guard case .generated(let name) = condition.kind else {
                let bound = try binder.condition(expression, over: columns, table: "row")
                return .isDistinct(bound, .literal(.boolean(true), .boolean))
            }
            guard let index = columns.index(of: name) else {
                throw Problem("42703", "column \"\(name)\" does not exist")
            }
            let type = columns.fields[index].type
            let bound = try binder.assignable(expression, over: columns, to: type)
            return .isDistinct(.column(index, type), bound)
        } catch {
            throw Problem(
                "0A000", "\(condition.words) cannot be checked, so the table cannot be changed",
                notes: ["the condition is \(condition.expression)", error.message],
                hint: "write it in SQL that Weir knows, or drop the constraint")
        }
    }

    func check(_ batch: ColumnBatch) throws(DeltaFailure) {
        for (condition, plan) in conditions {
            let result = try running { () throws(Problem) in
                try QueryExecutor.execute(
                    plan, OneBatch(batch), QueryContext(now: clock(), zones: zones))
            }
            guard let row = result.rows.first else { continue }
            let values = zip(columns.fields, row).prefix(8).map { field, value in
                "\(field.name) = \(textForm(value, field.type) ?? "NULL")"
            }
            throw .violation(condition, row: values.joined(separator: ", "))
        }
    }
}

struct NoRelations: SchemaProvider {
    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? { nil }
    func relationNames() -> [QualifiedName] { [] }
}

/// The rows of one batch, under whatever name a plan reads them.
struct OneBatch: TableSource {
    let batch: ColumnBatch

    init(_ batch: ColumnBatch) { self.batch = batch }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        BatchList([
            ColumnBatch(
                columns: node.projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
        ])
    }
}
