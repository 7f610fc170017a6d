// A semi or anti join that reads only one side of a join below it belongs to that side, where fewer
// rows are joined then: unless the join below leaves so few rows that these are better kept while the
// rows that they are compared with stream by.

import Columns

enum SemiJoinPushdown {
    static func apply(_ plan: LogicalPlan, _ cardinality: Cardinality) -> LogicalPlan {
        let plan = plan.mapInputs { apply($0, cardinality) }
        guard case .join(let node) = plan, node.kind == .semi || node.kind == .anti else {
            return plan
        }
        if cardinality.rows(node.left) * 8 < cardinality.rows(node.right) { return plan }
        return push(node)
    }

    /// The join, as far down its left side as it goes.
    private static func push(_ node: JoinNode) -> LogicalPlan {
        switch node.left {
        case .filter(let input, let condition):
            var moved = node
            moved.left = input
            return .filter(push(moved), condition)
        case .project(let input, let columns):
            // Only where columns are passed on: nothing is to be computed twice.
            guard columns.allSatisfy({ $0.expression.isColumn }) else { return .join(node) }
            let width = columns.count
            let newWidth = input.schema.fields.count
            var moved = node
            moved.left = input
            moved.keys = node.keys.map {
                JoinKey(
                    left: $0.left.replacingColumns { columns[$0].expression }, right: $0.right,
                    nullsMatch: $0.nullsMatch)
            }
            moved.residual = node.residual?.replacingTypedColumns { column, type in
                column < width
                    ? columns[column].expression : .column(column - width + newWidth, type)
            }
            return .project(push(moved), columns)
        case .join(let below):
            return intoJoin(node, below) ?? .join(node)
        default: return .join(node)
        }
    }

    private static func intoJoin(_ node: JoinNode, _ below: JoinNode) -> LogicalPlan? {
        let leftWidth = below.left.schema.fields.count
        let width = node.left.schema.fields.count
        var side = JoinSide.neither
        for expression in node.keys.map(\.left) + (node.residual.map { [$0] } ?? []) {
            expression.forEachColumn { column in
                guard column < width else { return }
                let here: JoinSide = column < leftWidth ? .left : .right
                side = side == .neither || side == here ? here : .both
            }
        }
        let takesLeft =
            [.inner, .cross, .left, .single, .semi, .anti].contains(below.kind)
        let takesRight = [.inner, .cross, .right].contains(below.kind)
        var outer = below
        var inner = node
        switch side {
        case .left where takesLeft:
            inner.left = below.left
            inner.residual = node.residual?.mapColumns { $0 < width ? $0 : $0 - width + leftWidth }
            outer.left = push(inner)
        case .right where takesRight:
            let rightWidth = below.right.schema.fields.count
            inner.left = below.right
            inner.keys = node.keys.map {
                JoinKey(
                    left: $0.left.mapColumns { $0 - leftWidth }, right: $0.right,
                    nullsMatch: $0.nullsMatch)
            }
            inner.residual = node.residual?.mapColumns {
                $0 < width ? $0 - leftWidth : $0 - width + rightWidth
            }
            outer.right = push(inner)
        default: return nil
        }
        return .join(outer)
    }
}

extension BoundExpression {
    fileprivate var isColumn: Bool { if case .column = self { true } else { false } }

    fileprivate func replacingTypedColumns(
        _ replacement: (Int, ColumnType) -> BoundExpression
    ) -> BoundExpression {
        if case .column(let index, let type) = self { return replacement(index, type) }
        return mapChildren { $0.replacingTypedColumns(replacement) }
    }
}
