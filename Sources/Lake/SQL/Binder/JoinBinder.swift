import Base
import Columns

extension Binder {
    mutating func bindJoin(
        _ join: Join, outer: [Scope], beside: Beside
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let (left, leftScope) = try bindItem(join.left, outer: outer, beside: beside)
        let width = left.schema.fields.count
        let around = Beside(
            scope: beside.scope.joined(with: leftScope, width: beside.width),
            width: beside.width + width)
        let (right, rightScope) = try bindItem(join.right, outer: outer, beside: around)
        try checkNames(leftScope, rightScope, at: join.right.position)
        var node = JoinNode(kind: join.kind, left: left, right: right)
        var scope = leftScope.joined(with: rightScope, width: width)
        switch join.condition {
        case .none: break
        case .on(let condition):
            try bindOn(condition, scope, outer, &node, allowsSubqueries: true)
        case .using(let names):
            scope = try merged(names, leftScope, rightScope, scope, &node)
        case .natural:
            let shared = leftScope.entries.filter { entry in
                !entry.isHidden && !entry.needsQualifier
                    && rightScope.entries.contains {
                        $0.name == entry.name && !$0.isHidden && !$0.needsQualifier
                    }
            }
            let names = shared.map { Identifier($0.name, position: join.position) }
            scope = try merged(names, leftScope, rightScope, scope, &node)
        }
        if node.kind == .inner, node.keys.isEmpty { node.kind = .cross }
        // A condition of an inner join may as well stand behind it.
        let correlation = Correlation(
            level: outer.count, columns: beside.width..<around.width)
        let conditions = node.residual?.conjuncts ?? []
        let late = conditions.filter(\.hasSubquery)
        if !late.isEmpty { node.residual = .all(of: conditions.filter { !$0.hasSubquery }) }
        if !late.isEmpty, join.kind != .inner {
            guard !node.right.reads(correlation) else {
                throw Problem(
                    "0A000", "a subquery in the condition of a LATERAL outer join is not supported",
                    hint: "put the condition inside of the lateral query", position: join.position)
            }
            return (try outerJoin(node, late, at: join.position), scope)
        }
        var plan = try lateralJoin(node, correlation, at: join.position)
        if let condition = BoundExpression.all(of: late) {
            plan = try filtered(plan, condition, at: join.position)
        }
        return (plan, scope)
    }

    // MARK: Subqueries in the condition

    /// An outer join with `late`, conditions that have subqueries, beside its own. One that reads
    /// one side becomes a column of that side. For others the pairs that match are an inner join of
    /// numbered rows, and the outer join is by these numbers.
    private mutating func outerJoin(
        _ node: JoinNode, _ late: [BoundExpression], at position: Int
    ) throws(Problem) -> LogicalPlan {
        var node = node
        let (left, right) = (node.left.schema.fields.count, node.right.schema.fields.count)
        var ofLeft: [BoundExpression] = []
        var ofRight: [BoundExpression] = []
        var ofBoth: [BoundExpression] = []
        for condition in late {
            switch condition.side(leftWidth: left) {
            case .left, .neither: ofLeft.append(condition)
            case .right: ofRight.append(condition.mapColumns { $0 - left })
            case .both: ofBoth.append(condition)
            }
        }
        node.left = try widened(node.left, by: ofLeft, at: position)
        node.right = try widened(node.right, by: ofRight, at: position)
        let width = left + ofLeft.count
        var conditions = (node.residual?.conjuncts ?? []).map { condition in
            condition.mapColumns { $0 < left ? $0 : $0 - left + width }
        }
        conditions += ofLeft.indices.map { .column(left + $0, .boolean) }
        conditions += ofRight.indices.map { .column(width + right + $0, .boolean) }
        node.residual = .all(of: conditions)
        let wanted = Array(0..<left) + Array(width..<(width + right))
        if ofBoth.isEmpty { return LogicalPlan.join(node).columns(wanted) }
        let pairs = ofBoth.map { condition in
            condition.mapColumns { $0 < left ? $0 : $0 - left + width }
        }
        return try outerJoin(node, ofPairs: pairs, at: position).columns(wanted)
    }

    /// `plan` with the values of conditions behind its columns.
    private mutating func widened(
        _ plan: LogicalPlan, by conditions: [BoundExpression], at position: Int
    ) throws(Problem) -> LogicalPlan {
        if conditions.isEmpty { return plan }
        let fields = plan.schema.fields
        let placed = try place(conditions, over: plan, at: position)
        return .project(
            placed.plan,
            fields.enumerated().map { NamedExpression($1.name, .column($0, $1.type)) }
                + placed.expressions.map { NamedExpression("matches", $0) })
    }

    private mutating func outerJoin(
        _ node: JoinNode, ofPairs conditions: [BoundExpression], at position: Int
    ) throws(Problem) -> LogicalPlan {
        let left = share(node.left.numbered)
        let right = share(node.right.numbered)
        let (width, rightWidth) = (node.left.schema.fields.count, node.right.schema.fields.count)
        var inner = node
        inner.kind = node.keys.isEmpty ? .cross : .inner
        (inner.left, inner.right) = (left, right)
        func moved(_ condition: BoundExpression) -> BoundExpression {
            condition.mapColumns { $0 < width ? $0 : $0 + 1 }
        }
        inner.residual = node.residual.map(moved)
        let all = BoundExpression.all(of: conditions.map(moved))
        let matches = try all.map { condition throws(Problem) in
            try filtered(.join(inner), condition, at: position)
        }
        // Of each pair that matches its two numbers.
        let (first, second) = (width, width + 1 + rightWidth)
        let pairs = (matches ?? .join(inner)).columns([first, second])
        // Left rows beside the numbers of their partners, then the right rows of those numbers.
        let keepsLeft = node.kind == .left || node.kind == .full
        let withNumbers = LogicalPlan.join(
            JoinNode(
                kind: keepsLeft ? .left : .inner, left: left, right: pairs,
                keys: [JoinKey(left: .column(width, .int64), right: .column(0, .int64))]))
        let keepsRight = node.kind == .right || node.kind == .full
        let kind: JoinKind =
            keepsLeft ? (keepsRight ? .full : .left) : (keepsRight ? .right : .inner)
        let joined = LogicalPlan.join(
            JoinNode(
                kind: kind, left: withNumbers, right: right,
                keys: [
                    JoinKey(left: .column(width + 2, .int64), right: .column(rightWidth, .int64))
                ]))
        return joined.columns(
            Array(0..<width) + Array((width + 3)..<(width + 3 + rightWidth)))
    }

    mutating func bindOn(
        _ condition: Expression, _ scope: Scope, _ outer: [Scope], _ node: inout JoinNode,
        allowsSubqueries: Bool = false
    ) throws(Problem) {
        var context = ExpressionContext(
            scope: scope, clause: "conditions of outer joins", outer: outer)
        context.allowsSubqueries = allowsSubqueries
        let bound = try boolean(
            bind(condition, &context), of: "JOIN/ON", at: condition.position)
        let width = node.left.schema.fields.count
        var residual: [BoundExpression] = []
        for conjunct in bound.conjuncts {
            if let key = JoinKey(conjunct, leftWidth: width) {
                node.keys.append(key)
            } else if conjunct != .literal(.boolean(true), .boolean) {
                residual.append(conjunct)
            }
        }
        node.residual = .all(of: residual)
    }

    /// USING: keys of the join, and one column in place of two.
    func merged(
        _ names: [Identifier], _ left: Scope, _ right: Scope, _ both: Scope,
        _ node: inout JoinNode
    ) throws(Problem) -> Scope {
        var scope = both
        var entries: [Scope.Entry] = []
        let width = node.left.schema.fields.count
        for name in names {
            let a = try side(name, left, "left")
            let b = try side(name, right, "right")
            guard let (x, y) = try Operators.comparable(a, b, at: name.position) else {
                throw Operators.missing("=", a, b, at: name.position)
            }
            node.keys.append(JoinKey(left: x, right: y))
            let moved = y.mapColumns { $0 + width }
            let value: BoundExpression =
                switch node.kind {
                case .right: moved
                case .full: .coalesce([x, moved], x.type)
                default: x
                }
            entries.append(
                Scope.Entry(name: name.name, table: nil, schema: nil, expression: value))
            for index in scope.entries.indices where scope.entries[index].name == name.name {
                scope.entries[index].needsQualifier = true
            }
        }
        scope.entries = entries + scope.entries
        return scope
    }

    private func side(
        _ name: Identifier, _ scope: Scope, _ which: String
    ) throws(Problem) -> BoundExpression {
        switch scope.find(ObjectName([name])) {
        case .found(let expression): return expression
        case .ambiguous:
            throw Problem(
                "42702",
                "common column name \"\(name.name)\" appears more than once in \(which) table",
                position: name.position)
        default:
            throw Problem(
                "42703",
                "column \"\(name.name)\" specified in USING clause does not exist in \(which) "
                    + "table", hint: columnHint(name.name, scope.entries.map(\.name)),
                position: name.position)
        }
    }
}

extension JoinKey {
    /// The key that an equality between the two sides of a join is; nil when it is none.
    /// `condition` is over left columns, then right ones.
    init?(_ condition: BoundExpression, leftWidth: Int) {
        let (sides, nullsMatch): ([BoundExpression], Bool)
        switch condition {
        case .call(.equal, let operands, _) where operands.count == 2:
            (sides, nullsMatch) = (operands, false)
        case .not(.isDistinct(let left, let right)) where left.type == right.type:
            (sides, nullsMatch) = ([left, right], true)
        default: return nil
        }
        guard !condition.hasSubquery else { return nil }
        let places = sides.map { $0.side(leftWidth: leftWidth) }
        let (left, right): (BoundExpression, BoundExpression)
        switch (places[0], places[1]) {
        case (.left, .right): (left, right) = (sides[0], sides[1])
        case (.right, .left): (left, right) = (sides[1], sides[0])
        default: return nil
        }
        guard !left.isVolatile, !right.isVolatile else { return nil }
        self.init(
            left: left, right: right.mapColumns { $0 - leftWidth }, nullsMatch: nullsMatch)
    }
}

extension LogicalPlan {
    /// The rows with their numbers behind their columns.
    fileprivate var numbered: LogicalPlan {
        .over(OverNode(input: self, partitionBy: [], orderBy: [], calls: [.rowNumber]))
    }
}

/// Which input of a join an expression reads.
enum JoinSide { case neither, left, right, both }

extension BoundExpression {
    func side(leftWidth: Int) -> JoinSide {
        var result = JoinSide.neither
        forEachColumn { column in
            let side: JoinSide = column < leftWidth ? .left : .right
            switch result {
            case .neither: result = side
            case .both: break
            default: if result != side { result = .both }
            }
        }
        return result
    }
}
