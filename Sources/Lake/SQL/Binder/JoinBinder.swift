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
            // A condition of an inner join may as well stand behind it.
            try bindOn(
                condition, scope, outer, &node, allowsSubqueries: join.kind == .inner)
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
        let conditions = node.residual?.conjuncts ?? []
        let late = conditions.filter(\.hasSubquery)
        if !late.isEmpty { node.residual = .all(of: conditions.filter { !$0.hasSubquery }) }
        var plan = try lateralJoin(
            node,
            Correlation(level: outer.count, columns: beside.width..<around.width),
            at: join.position)
        if let condition = BoundExpression.all(of: late) {
            plan = try filtered(plan, condition, at: join.position)
        }
        return (plan, scope)
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
        guard case .call(.equal, let sides, _) = condition, sides.count == 2,
            !condition.hasSubquery
        else { return nil }
        let places = sides.map { $0.side(leftWidth: leftWidth) }
        let (left, right): (BoundExpression, BoundExpression)
        switch (places[0], places[1]) {
        case (.left, .right): (left, right) = (sides[0], sides[1])
        case (.right, .left): (left, right) = (sides[1], sides[0])
        default: return nil
        }
        guard !left.isVolatile, !right.isVolatile else { return nil }
        self.init(left: left, right: right.mapColumns { $0 - leftWidth })
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
