// The order of inner joins: the largest input streams by, the others are kept in memory; of those
// that are connected to what is joined already, the one that leaves the fewest rows comes next.

import Columns

enum JoinOrder {
    static func apply(_ plan: LogicalPlan, _ cardinality: Cardinality) -> LogicalPlan {
        switch plan {
        case .join(let node) where node.kind == .inner || node.kind == .cross:
            return ordered(plan, cardinality)
        case .join(let node) where node.kind == .left:
            return smallerInMemory(node, cardinality)
        case .join(var node) where node.kind == .semi || node.kind == .anti:
            node.left = apply(node.left, cardinality)
            node.right = apply(node.right, cardinality)
            node.keepsLeft =
                !node.keys.isEmpty
                && cardinality.rows(node.left) * 2 < cardinality.rows(node.right)
            return .join(node)
        default: return plan.mapInputs { apply($0, cardinality) }
        }
    }

    /// A left join whose left side is much the smaller: that one is kept in memory then.
    private static func smallerInMemory(
        _ node: JoinNode, _ cardinality: Cardinality
    ) -> LogicalPlan {
        var node = node
        node.left = apply(node.left, cardinality)
        node.right = apply(node.right, cardinality)
        guard !node.keys.isEmpty,
            cardinality.rows(node.left) * 2 < cardinality.rows(node.right)
        else { return .join(node) }
        let left = node.left.schema.fields.count
        let right = node.right.schema.fields.count
        let swapped = LogicalPlan.join(
            JoinNode(
                kind: .right, left: node.right, right: node.left,
                keys: node.keys.map {
                    JoinKey(left: $0.right, right: $0.left, nullsMatch: $0.nullsMatch)
                }, residual: node.residual?.mapColumns { $0 < left ? $0 + right : $0 - left }))
        return swapped.columns(Array(right..<(right + left)) + Array(0..<right))
    }

    // MARK: Inner joins

    /// Inputs of a tree of inner joins, and what must hold for their rows.
    private struct Parts {
        var inputs: [LogicalPlan] = []
        /// Where the columns of each input begin.
        var starts: [Int] = []
        var width = 0
        /// Over the columns of all inputs in the order in which they are written.
        var conditions: [BoundExpression] = []

        /// False when a condition must not move.
        mutating func add(_ plan: LogicalPlan, _ cardinality: Cardinality) -> Bool {
            guard case .join(let node) = plan, node.kind == .inner || node.kind == .cross else {
                starts.append(width)
                inputs.append(JoinOrder.apply(plan, cardinality))
                width += plan.schema.fields.count
                return true
            }
            let start = width
            guard add(node.left, cardinality) else { return false }
            let middle = width
            guard add(node.right, cardinality) else { return false }
            for key in node.keys {
                guard !key.nullsMatch else { return false }
                conditions.append(
                    .call(
                        .equal,
                        [
                            key.left.mapColumns { $0 + start },
                            key.right.mapColumns { $0 + middle },
                        ], .boolean))
            }
            for conjunct in node.residual?.conjuncts ?? [] {
                guard !conjunct.isVolatile else { return false }
                conditions.append(conjunct.mapColumns { $0 + start })
            }
            return true
        }

        /// The inputs that an expression reads.
        func inputs(of expression: BoundExpression) -> Set<Int> {
            var result: Set<Int> = []
            expression.forEachColumn { column in
                result.insert((starts.lastIndex { $0 <= column && column < width }) ?? 0)
            }
            return result
        }
    }

    private static func ordered(
        _ plan: LogicalPlan, _ cardinality: Cardinality
    ) -> LogicalPlan {
        var parts = Parts()
        guard parts.add(plan, cardinality), parts.inputs.count > 1, parts.inputs.count <= 64 else {
            return plan.mapInputs { apply($0, cardinality) }
        }
        let order = order(of: parts, cardinality)
        // Where each column is in the result.
        var places = [Int](repeating: 0, count: parts.width)
        var current = parts.inputs[order[0]]
        var joined: Set<Int> = [order[0]]
        var width = 0
        func place(_ input: Int) {
            let count = parts.inputs[input].schema.fields.count
            for column in 0..<count { places[parts.starts[input] + column] = width + column }
            width += count
        }
        place(order[0])
        var conditions = parts.conditions.map { (expression: $0, inputs: parts.inputs(of: $0)) }
        for next in order.dropFirst() {
            let leftWidth = width
            place(next)
            joined.insert(next)
            var node = JoinNode(kind: .cross, left: current, right: parts.inputs[next])
            var residual: [BoundExpression] = []
            for condition in conditions where condition.inputs.isSubset(of: joined) {
                let moved = condition.expression.mapColumns { places[$0] }
                if let key = JoinKey(moved, leftWidth: leftWidth) {
                    node.keys.append(key)
                } else {
                    residual.append(moved)
                }
            }
            conditions.removeAll { $0.inputs.isSubset(of: joined) }
            node.residual = .all(of: residual)
            if !node.keys.isEmpty { node.kind = .inner }
            current = .join(node)
        }
        let isSame = places == Array(0..<parts.width)
        return isSame ? current : current.columns(places)
    }

    /// The numbers of the inputs in the order in which they are joined.
    private static func order(of parts: Parts, _ cardinality: Cardinality) -> [Int] {
        let rows = parts.inputs.map(cardinality.rows)
        let bases = parts.inputs.map(cardinality.baseRows)
        let equalities = parts.conditions.compactMap { condition -> (Set<Int>, Set<Int>)? in
            guard case .call(.equal, let sides, _) = condition, sides.count == 2 else { return nil }
            let both = (parts.inputs(of: sides[0]), parts.inputs(of: sides[1]))
            return both.0.isEmpty || both.1.isEmpty || !both.0.isDisjoint(with: both.1) ? nil : both
        }
        var left = Array(parts.inputs.indices)
        // Of equals the first that is written.
        let first = left.max { rows[$0] < rows[$1] || rows[$0] == rows[$1] && $0 > $1 } ?? 0
        left.removeAll { $0 == first }
        var order = [first]
        var current = rows[first]
        while !left.isEmpty {
            let joined = Set(order)
            var best: (input: Int, result: Double, isConnected: Bool)?
            for input in left {
                var distinct = 0.0
                for (one, other) in equalities {
                    let partners: Set<Int>
                    if one == [input], other.isSubset(of: joined) {
                        partners = other
                    } else if other == [input], one.isSubset(of: joined) {
                        partners = one
                    } else {
                        continue
                    }
                    // As if the smaller of both relations had the key.
                    let partner = partners.map { bases[$0] }.min() ?? 1
                    distinct = max(distinct, min(bases[input], partner))
                }
                let isConnected = distinct > 0
                let result = current * rows[input] / max(1, distinct)
                let isBetter =
                    best.map { known in
                        isConnected != known.isConnected
                            ? isConnected
                            : result < known.result
                                || result == known.result && rows[input] < rows[known.input]
                    } ?? true
                if isBetter { best = (input, result, isConnected) }
            }
            guard let best else { break }
            order.append(best.input)
            left.removeAll { $0 == best.input }
            current = max(1, best.result)
        }
        return order
    }
}
