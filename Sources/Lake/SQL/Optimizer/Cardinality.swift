import Columns

/// About how many rows plans give. Sizes of relations are known; how many rows pass a condition is
/// guessed by its kind, which is enough to tell large inputs from small ones.
final class Cardinality {
    private let statistics: any SchemaProvider
    private var known: [QualifiedName: Double] = [:]

    init(_ statistics: any SchemaProvider) { self.statistics = statistics }

    /// Rows that come out.
    func rows(_ plan: LogicalPlan) -> Double {
        switch plan {
        case .scan(let node):
            return max(1, base(node) * share(node.predicates))
        case .values(let rows, _): return Double(rows.count)
        case .working, .recursion: return 1000
        case .filter(let input, let condition):
            return max(1, rows(input) * share(condition.conjuncts))
        case .project(let input, _), .sort(let input, _, nil), .shared(_, let input):
            return rows(input)
        case .over(let node): return rows(node.input)
        case .sort(let input, _, let limit?): return min(rows(input), Double(max(1, limit)))
        case .limit(let input, let count, _):
            guard case .literal(.int(let most), _)? = count else { return rows(input) }
            return min(rows(input), Double(max(1, most)))
        case .distinct(let input): return max(1, rows(input) / 2)
        case .distinctOn(let node): return max(1, rows(node.input) / 4)
        case .aggregate(let node):
            return node.keys.isEmpty ? 1 : max(1, rows(node.input) / 4)
        case .window(let node):
            return rows(node.input)
                * max(1, Double(node.sizeMicroseconds) / Double(node.slideMicroseconds))
        case .expand(let node): return rows(node.input) * 4
        case .singleRow: return 1
        case .union(let inputs): return inputs.reduce(0) { $0 + rows($1) }
        case .join(let node): return joined(node)
        }
    }

    private func joined(_ node: JoinNode) -> Double {
        let left = rows(node.left)
        switch node.kind {
        case .semi, .anti: return max(1, left / 2)
        case .left, .single: return left
        case .right: return rows(node.right)
        case .full: return left + rows(node.right)
        case .cross: return left * rows(node.right)
        case .inner:
            if node.keys.isEmpty { return max(left, rows(node.right)) }
            // As if the smaller of both relations had the key.
            let distinct = min(baseRows(node.left), baseRows(node.right))
            return max(1, left * rows(node.right) / max(1, distinct))
        }
    }

    /// Rows of what a plan reads, before conditions: those of its largest relation.
    func baseRows(_ plan: LogicalPlan) -> Double {
        if case .scan(let node) = plan { return base(node) }
        let inputs = plan.inputs.map(baseRows)
        return inputs.max() ?? rows(plan)
    }

    private func base(_ node: ScanNode) -> Double {
        if let count = known[node.relation] { return count }
        let guess: Double =
            switch node.kind {
            case .system, .view: 1000
            case .table, .topic: 1_000_000
            }
        let count = statistics.rowCount(of: node.relation).map { Double(max(1, $0)) } ?? guess
        known[node.relation] = count
        return count
    }

    /// The share of rows that pass all conditions.
    func share(_ conditions: [BoundExpression]) -> Double {
        max(conditions.reduce(1) { $0 * share($1) }, 1e-6)
    }

    private func share(_ condition: BoundExpression) -> Double {
        switch condition {
        case .call(let function, _, _):
            switch function {
            case .equal: return 0.05
            case .notEqual: return 0.9
            case .less, .lessOrEqual, .greater, .greaterOrEqual: return 0.4
            case .like, .iLike: return 0.1
            default: return 0.3
            }
        case .inList(_, let items, let isNegated):
            let share = min(0.5, 0.05 * Double(items.count))
            return isNegated ? 1 - share : share
        case .isNull: return 0.05
        case .isNotNull: return 0.95
        case .not(let operand): return max(0.05, 1 - share(operand))
        case .and(let operands): return share(operands)
        case .or(let operands): return min(1, operands.reduce(0) { $0 + share($1) })
        case .literal(.boolean(let flag), _): return flag ? 1 : 1e-6
        default: return 0.3
        }
    }
}
