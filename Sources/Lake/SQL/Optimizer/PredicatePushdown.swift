// Moves conditions towards the scans: through projections, joins, unions, sorts, aggregations (over
// their keys) and windows; equalities between the sides of a cross join become its keys.

import Columns

enum PredicatePushdown {
    /// A condition grows when columns are replaced by what computes them; beyond this it stays.
    private static let sizeLimit = 200

    static func apply(_ plan: LogicalPlan) -> LogicalPlan { push([], into: plan) }

    /// `plan` with only the rows for which all `conditions` (over its output) are true.
    private static func push(
        _ conditions: [BoundExpression], into plan: LogicalPlan
    ) -> LogicalPlan {
        switch plan {
        case .filter(let input, let condition):
            return push(condition.conjuncts + conditions, into: input)
        case .scan(var node):
            let movable = conditions.filter { !$0.isVolatile }
            node.predicates += movable
            return filtered(.scan(node), conditions.filter(\.isVolatile))
        case .project(let input, let columns):
            return throughProjection(conditions, input, columns)
        case .aggregate(let node): return throughAggregation(conditions, node)
        case .join(let node): return throughJoin(conditions, node)
        case .asof(let node): return throughAsof(conditions, node)
        case .sort(let input, let keys, nil):
            return .sort(push(conditions, into: input), keys, limit: nil)
        case .distinct(let input):
            let (movable, rest) = conditions.split { !$0.isVolatile }
            return filtered(.distinct(push(movable, into: input)), rest)
        case .union(let inputs):
            let (movable, rest) = conditions.split { !$0.isVolatile }
            return filtered(.union(inputs.map { push(movable, into: $0) }), rest)
        case .window(var node):
            let width = node.input.schema.fields.count
            let (movable, rest) = conditions.split {
                !$0.isVolatile && $0.side(leftWidth: width) == .left
            }
            node.input = push(movable, into: node.input)
            return filtered(.window(node), rest)
        case .over(var node):
            // Only conditions on what parts the rows keep or drop whole partitions.
            let (movable, rest) = conditions.split { condition in
                !condition.isVolatile && condition.readsOnly(node.partitionBy)
            }
            node.input = push(movable, into: node.input)
            return filtered(.over(node), rest)
        case .expand(var node):
            let width = node.input.schema.fields.count
            let (movable, rest) = conditions.split {
                !$0.isVolatile && $0.side(leftWidth: width) == .left
            }
            node.input = push(movable, into: node.input)
            return filtered(.expand(node), rest)
        case .distinctOn(var node):
            // Only conditions on the keys keep or drop whole groups.
            let (movable, rest) = conditions.split { condition in
                !condition.isVolatile && condition.readsOnly(node.keys)
            }
            node.input = push(movable, into: node.input)
            return filtered(.distinctOn(node), rest)
        default:
            return filtered(plan.mapInputs { push([], into: $0) }, conditions)
        }
    }

    private static func filtered(
        _ plan: LogicalPlan, _ conditions: [BoundExpression]
    ) -> LogicalPlan {
        BoundExpression.all(of: conditions).map { .filter(plan, $0) } ?? plan
    }

    private static func throughProjection(
        _ conditions: [BoundExpression], _ input: LogicalPlan, _ columns: [NamedExpression]
    ) -> LogicalPlan {
        var below: [BoundExpression] = []
        var above: [BoundExpression] = []
        let sizes = columns.map(\.expression.size)
        for condition in conditions {
            var size = condition.size
            var isMovable = !condition.isVolatile
            condition.forEachColumn { column in
                let (sum, overflow) = size.addingReportingOverflow(sizes[column])
                size = overflow ? .max : sum
                if columns[column].expression.isVolatile { isMovable = false }
            }
            if isMovable, size <= sizeLimit {
                below.append(condition.replacingColumns { columns[$0].expression })
            } else {
                above.append(condition)
            }
        }
        return filtered(.project(push(below, into: input), columns), above)
    }

    private static func throughAggregation(
        _ conditions: [BoundExpression], _ node: AggregateNode
    ) -> LogicalPlan {
        var node = node
        var below: [BoundExpression] = []
        var above: [BoundExpression] = []
        for condition in conditions {
            var readsKeys = false
            var readsAggregates = false
            condition.forEachColumn { column in
                if column < node.keys.count { readsKeys = true } else { readsAggregates = true }
            }
            // A condition without columns must stay: without keys there is a row for no input.
            let keysAreStable = !node.keys.contains(where: \.expression.isVolatile)
            // A key that is not in a set is NULL there.
            if node.sets == nil, readsKeys, !readsAggregates, !condition.isVolatile, keysAreStable,
                condition.size <= sizeLimit
            {
                below.append(condition.replacingColumns { node.keys[$0].expression })
            } else {
                above.append(condition)
            }
        }
        node.input = push(below, into: node.input)
        return filtered(.aggregate(node), above)
    }

    private static func throughJoin(
        _ conditions: [BoundExpression], _ node: JoinNode
    ) -> LogicalPlan {
        var node = node
        let width = node.left.schema.fields.count
        let isInner = node.kind == .inner || node.kind == .cross
        var all = conditions
        if isInner, let residual = node.residual {
            all = residual.conjuncts + all
            node.residual = nil
        }
        var left: [BoundExpression] = []
        var right: [BoundExpression] = []
        var above: [BoundExpression] = []
        let keepsLeft = isInner || [.left, .single, .semi, .anti].contains(node.kind)
        let keepsRight = isInner || node.kind == .right
        var residual: [BoundExpression] = []
        for condition in all {
            guard !condition.isVolatile else {
                above.append(condition)
                continue
            }
            switch condition.side(leftWidth: width) {
            case .left where keepsLeft: left.append(condition)
            case .right where keepsRight: right.append(condition.mapColumns { $0 - width })
            case .both where isInner:
                if let implied = CommonConditions.implied(
                    by: condition, { $0.side(leftWidth: width) == .left })
                {
                    left.append(implied)
                }
                if let implied = CommonConditions.implied(
                    by: condition, { $0.side(leftWidth: width) == .right })
                {
                    right.append(implied.mapColumns { $0 - width })
                }
                if let key = JoinKey(condition, leftWidth: width) {
                    node.keys.append(key)
                } else {
                    residual.append(condition)
                }
            default: above.append(condition)
            }
        }
        if node.kind == .cross, !node.keys.isEmpty { node.kind = .inner }
        if isInner { node.residual = .all(of: residual) }
        pushResidual(of: &node, width, &left, &right)
        node.left = push(left, into: node.left)
        node.right = push(right, into: node.right)
        return filtered(.join(node), above)
    }

    /// Only rows of the left side may be left out: among the right ones any may be the nearest. But
    /// what is said of keys holds for both sides.
    private static func throughAsof(
        _ conditions: [BoundExpression], _ node: AsofNode
    ) -> LogicalPlan {
        var node = node
        let width = node.left.schema.fields.count
        var left: [BoundExpression] = []
        var right: [BoundExpression] = []
        var above: [BoundExpression] = []
        // Equal floats may differ (0 and -0), and so may what is computed of them.
        let keys = node.keys.filter { !$0.left.type.isFloat }
        for condition in conditions {
            guard !condition.isVolatile, condition.side(leftWidth: width) == .left else {
                above.append(condition)
                continue
            }
            left.append(condition)
            if condition.readsOnly(keys.map(\.left)) {
                right.append(
                    condition.replacingColumns { column in
                        keys.first { key in
                            if case .column(column, _) = key.left { return true }
                            return false
                        }?.right ?? .literal(.null, .null)
                    })
            }
        }
        node.left = push(left, into: node.left)
        node.right = push(right, into: node.right)
        return filtered(.asof(node), above)
    }

    /// Conditions of an outer or semi join that read one side only decide which rows of the side
    /// that may be missing can match: they filter that side.
    private static func pushResidual(
        of node: inout JoinNode, _ width: Int, _ left: inout [BoundExpression],
        _ right: inout [BoundExpression]
    ) {
        guard let residual = node.residual,
            [.left, .single, .right, .semi, .anti].contains(node.kind)
        else { return }
        var rest: [BoundExpression] = []
        for condition in residual.conjuncts {
            let side = condition.side(leftWidth: width)
            if condition.isVolatile {
                rest.append(condition)
            } else if side == .right, node.kind != .right {
                right.append(condition.mapColumns { $0 - width })
            } else if side == .left, node.kind == .right {
                left.append(condition)
            } else {
                rest.append(condition)
            }
        }
        node.residual = .all(of: rest)
    }
}

extension BoundExpression {
    /// Each column replaced by an expression.
    func replacingColumns(_ replacement: (Int) -> BoundExpression) -> BoundExpression {
        if case .column(let index, _) = self { return replacement(index) }
        return mapChildren { $0.replacingColumns(replacement) }
    }

    /// All columns that it reads are among `keys`, and it reads some.
    fileprivate func readsOnly(_ keys: [BoundExpression]) -> Bool {
        var columns: [Int] = []
        for key in keys { if case .column(let index, _) = key { columns.append(index) } }
        var result = true
        var readsAny = false
        forEachColumn {
            readsAny = true
            if !columns.contains($0) { result = false }
        }
        return result && readsAny
    }
}

extension [BoundExpression] {
    /// The elements for which `isFirst` is true, and the others.
    fileprivate func split(
        by isFirst: (BoundExpression) -> Bool
    ) -> ([BoundExpression], [BoundExpression]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}
