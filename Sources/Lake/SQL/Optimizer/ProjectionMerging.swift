// Two projections in a row become one, and those that change nothing disappear.

import Columns

enum ProjectionMerging {
    static func apply(_ plan: LogicalPlan) -> LogicalPlan {
        let merged = plan.mapInputs(apply)
        guard case .project(let input, let columns) = merged else { return merged }
        if case .project(let below, let inner) = input, canMerge(columns, inner) {
            let expressions = columns.map {
                NamedExpression($0.name, $0.expression.replacingColumns { inner[$0].expression })
            }
            return apply(project: below, expressions)
        }
        return apply(project: input, columns)
    }

    private static func apply(
        project input: LogicalPlan, _ columns: [NamedExpression]
    ) -> LogicalPlan {
        let fields = input.schema.fields
        let isIdentity =
            columns.count == fields.count
            && zip(columns.indices, columns).allSatisfy { index, column in
                column.expression == .column(index, fields[index].type)
                    && column.name == fields[index].name
            }
        return isIdentity ? input : .project(input, columns)
    }

    /// Merging must not compute anything twice, nor anything volatile another number of times.
    private static func canMerge(_ outer: [NamedExpression], _ inner: [NamedExpression]) -> Bool {
        var uses = [Int](repeating: 0, count: inner.count)
        for column in outer { column.expression.forEachColumn { uses[$0] += 1 } }
        var size = outer.reduce(0) { $0 + $1.expression.size }
        for (index, column) in inner.enumerated() {
            switch column.expression {
            case .column, .literal: continue
            default:
                if uses[index] > 1 || column.expression.isVolatile { return false }
                size += column.expression.size
            }
        }
        return size <= 2000
    }
}
