// `(a AND b) OR (a AND c)` is `a AND (b OR c)`: what all alternatives have in common can be pushed
// down, or become the key of a join.

import Columns

enum CommonConditions {
    static func apply(_ plan: LogicalPlan) -> LogicalPlan {
        let plan = plan.mapInputs(apply)
        switch plan {
        case .filter(let input, let condition): return .filter(input, factored(condition))
        case .join(var node):
            node.residual = node.residual.map(factored)
            return .join(node)
        default: return plan
        }
    }

    /// The condition with the conjuncts that every alternative of an OR has in front of it.
    static func factored(_ condition: BoundExpression) -> BoundExpression {
        switch condition {
        case .and(let operands):
            let all = operands.map(factored).flatMap(\.conjuncts)
            return .all(of: all) ?? condition
        case .or(let alternatives):
            let parts = alternatives.map { factored($0).conjuncts }
            guard let first = parts.first, !condition.isVolatile else { return condition }
            let common = first.filter { conjunct in
                parts.dropFirst().allSatisfy { $0.contains(conjunct) }
            }
            guard !common.isEmpty else { return condition }
            let rest = parts.map { $0.filter { !common.contains($0) } }
            // An alternative that is nothing but the common part makes the others superfluous.
            guard !rest.contains([]) else { return .all(of: common) ?? condition }
            return .and(common + [.or(rest.compactMap { .all(of: $0) })])
        default: return condition
        }
    }

    /// What an OR over several inputs says of one of them alone: every alternative has conditions
    /// for which `isOnSide` holds. The OR itself must stay. Nil when it says nothing.
    static func implied(
        by condition: BoundExpression, _ isOnSide: (BoundExpression) -> Bool
    ) -> BoundExpression? {
        guard case .or(let alternatives) = condition, !condition.isVolatile else { return nil }
        var parts: [BoundExpression] = []
        for alternative in alternatives {
            guard let part = BoundExpression.all(of: alternative.conjuncts.filter(isOnSide)) else {
                return nil
            }
            parts.append(part)
        }
        return .or(parts)
    }
}
