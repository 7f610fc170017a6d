// ASOF JOIN: each left row with the nearest right row of the same keys.

import Base
import Columns

extension Binder {
    mutating func bindAsof(
        _ join: Join, outer: [Scope], beside: Beside
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let (left, leftScope) = try bindItem(join.left, outer: outer, beside: beside)
        // The nearest row is found by sorting both sides: the right one can't depend on the left.
        let (right, rightScope) = try bindItem(join.right, outer: outer, beside: beside)
        try checkNames(leftScope, rightScope, at: join.right.position)
        let width = left.schema.fields.count
        let both = leftScope.joined(with: rightScope, width: width)
        // Keys and names are those of an ordinary join.
        var plain = JoinNode(
            kind: join.kind == .left ? .left : .inner, left: left, right: right)
        var scope = both
        let moment: JoinKey
        var comparison = AsofNode.Comparison.greaterOrEqual
        switch join.condition {
        case .using(let names):
            scope = try merged(names, leftScope, rightScope, both, &plain)
            moment = plain.keys.removeLast()
        case .on(let condition):
            try bindOn(condition, both, outer, &plain)
            (moment, comparison) = try nearness(plain, at: condition.position)
        case .none, .natural:
            throw Self.asofProblem(
                "an ASOF JOIN needs ON or USING", at: join.position)
        }
        try checkMoment(moment.left.type, at: join.position)
        let node = AsofNode(
            left: left, right: right, keys: plain.keys, moment: moment, comparison: comparison,
            keepsLeft: join.kind == .left)
        return (.asof(node), scope)
    }

    /// The only inequality of the condition of an ASOF JOIN.
    private func nearness(
        _ join: JoinNode, at position: Int
    ) throws(Problem) -> (JoinKey, AsofNode.Comparison) {
        let width = join.left.schema.fields.count
        var found: (JoinKey, AsofNode.Comparison)?
        for conjunct in join.residual?.conjuncts ?? [] {
            guard let (key, comparison) = Self.inequality(conjunct, width) else {
                throw Self.asofProblem(
                    "a condition of ASOF JOIN is neither an equality nor an inequality "
                        + "between its sides", at: position)
            }
            guard found == nil else {
                throw Self.asofProblem("ASOF JOIN with more than one inequality", at: position)
            }
            found = (key, comparison)
        }
        guard let found else {
            throw Self.asofProblem("an ASOF JOIN needs an inequality", at: position)
        }
        return found
    }

    private static func asofProblem(_ message: String, at position: Int) -> Problem {
        Problem(
            "0A000", message,
            hint: "write ON a.key = b.key AND a.time >= b.time, with any number of equalities and "
                + "one of >=, >, <= or <, and other conditions in WHERE or in a subquery",
            position: position)
    }

    /// An inequality between the two sides of a join; nil when `condition` is none.
    private static func inequality(
        _ condition: BoundExpression, _ leftWidth: Int
    ) -> (JoinKey, AsofNode.Comparison)? {
        guard case .call(let function, let sides, _) = condition, sides.count == 2,
            !condition.hasSubquery, !condition.isVolatile
        else { return nil }
        let comparison: AsofNode.Comparison
        switch function {
        case .less: comparison = .less
        case .lessOrEqual: comparison = .lessOrEqual
        case .greater: comparison = .greater
        case .greaterOrEqual: comparison = .greaterOrEqual
        default: return nil
        }
        func key(_ left: BoundExpression, _ right: BoundExpression) -> JoinKey {
            JoinKey(left: left, right: right.mapColumns { $0 - leftWidth })
        }
        switch (sides[0].side(leftWidth: leftWidth), sides[1].side(leftWidth: leftWidth)) {
        case (.left, .right): return (key(sides[0], sides[1]), comparison)
        case (.right, .left): return (key(sides[1], sides[0]), comparison.mirrored)
        default: return nil
        }
    }

    /// What has a distance, or at least an order that people call one.
    private func checkMoment(_ type: ColumnType, at position: Int) throws(Problem) {
        switch type {
        case .int16, .int32, .int64, .float32, .float64, .decimal, .date, .time, .timestamp,
            .timestampTZ, .interval, .text:
            return
        default:
            throw Problem(
                "42804", "ASOF JOIN can't order by values of type \(type.plainName)",
                hint: "compare numbers, moments or texts", position: position)
        }
    }
}
