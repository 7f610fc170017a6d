// RETURNING: expressions over rows that a statement has changed.

import Base
import Columns

/// What a statement gives back of the rows that it changed.
package struct ReturningPlan: Hashable, Sendable {
    /// The rows that the plan reads: the target's columns as the statement left them (as they were,
    /// for a DELETE), then those of the other tables that the statement names.
    package var rows: TableSchema
    /// Reads `relation`.
    package var plan: LogicalPlan

    /// The name of the changed rows in the plan; nobody can write it in SQL without quotes.
    package static let relation = QualifiedName("$changed")
}

extension Binder {
    /// Binds the items of RETURNING over rows with the columns of `scope`, which are those of `rows`.
    mutating func returning(
        _ items: [SelectItem], _ scope: Scope, rows: TableSchema
    ) throws(Problem) -> ReturningPlan? {
        guard !items.isEmpty else { return nil }
        var outputs: [NamedExpression] = []
        for item in items {
            switch item {
            case .star(let qualifier, let position):
                if let qualifier, !scope.hasTable(qualifier.last) {
                    throw Problem(
                        "42P01", "missing FROM-clause entry for table \"\(qualifier.last)\"",
                        position: position)
                }
                for entry in scope.star(table: qualifier?.last, schema: nil) {
                    outputs.append(NamedExpression(entry.name, entry.expression))
                }
            case .expression(let expression, let alias):
                var context = ExpressionContext(scope: scope, clause: "RETURNING")
                context.allowsSubqueries = false
                var value = try bind(expression, &context)
                if value.isUnknownLiteral {
                    value = try coerce(value, to: .text, at: expression.position)
                }
                outputs.append(NamedExpression(alias?.name ?? outputName(expression), value))
            }
        }
        let scan = ScanNode(
            relation: ReturningPlan.relation, kind: .system, tableSchema: rows)
        return ReturningPlan(
            rows: rows, plan: finished(.project(.scan(scan), outputs), ordersJoins: false))
    }
}
