import Columns

/// A query whose conditions on columns around it were taken out: the cheap way to make a join of
/// it, since the rows around are not needed to compute it.
struct HoistedQuery {
    /// The query's columns, then those that the conditions need. Reads nothing around.
    var plan: LogicalPlan
    /// Over the columns of `plan`, and those around.
    var conditions: [BoundExpression]

    /// Nil when something else than a condition depends on the rows around, or when taking a
    /// condition out would change what the operators above it see.
    init?(_ plan: LogicalPlan, _ correlation: Correlation) {
        guard plan.reads(correlation) else {
            self.init(plan: plan, conditions: [])
            return
        }
        switch plan {
        case .filter(let input, let condition):
            guard let below = HoistedQuery(input, correlation) else { return nil }
            let conjuncts = condition.conjuncts
            let rest = conjuncts.filter { !$0.reads(correlation) }
            guard !conjuncts.contains(where: \.isVolatile) else { return nil }
            self.init(
                plan: BoundExpression.all(of: rest).map { .filter(below.plan, $0) } ?? below.plan,
                conditions: below.conditions + conjuncts.filter { $0.reads(correlation) })
        case .project(let input, let columns):
            guard !columns.contains(where: { $0.expression.reads(correlation) }),
                let below = HoistedQuery(input, correlation)
            else { return nil }
            var widened = columns
            let moved = below.conditions.map { condition in
                condition.mapColumns { column in
                    let type = below.plan.schema.fields[column].type
                    widened.append(NamedExpression("key", .column(column, type)))
                    return widened.count - 1
                }
            }
            self.init(plan: .project(below.plan, widened), conditions: moved)
        case .sort(let input, let keys, nil):
            guard !keys.contains(where: { $0.expression.reads(correlation) }),
                let below = HoistedQuery(input, correlation)
            else { return nil }
            self.init(plan: .sort(below.plan, keys, limit: nil), conditions: below.conditions)
        case .distinct(let input):
            // What the conditions read is the same for all rows of one row around.
            guard let below = HoistedQuery(input, correlation),
                below.equalities(correlation) != nil
            else { return nil }
            self.init(plan: .distinct(below.plan), conditions: below.conditions)
        case .aggregate(let node):
            guard !node.keys.isEmpty, let grouped = Self.grouped(node, correlation) else {
                return nil
            }
            self = grouped
        case .join(let node):
            guard let joined = Self.joined(node, correlation) else { return nil }
            self = joined
        default: return nil
        }
    }

    private init(plan: LogicalPlan, conditions: [BoundExpression]) {
        self.plan = plan
        self.conditions = conditions
    }

    /// The conditions when all of them are equalities.
    func equalities(_ correlation: Correlation) -> [CorrelatedEquality]? {
        var result: [CorrelatedEquality] = []
        for condition in conditions {
            guard let equality = CorrelatedEquality(condition, correlation) else { return nil }
            result.append(equality)
        }
        return result
    }

    /// An aggregation whose input's conditions are equalities: what they compare becomes keys, behind
    /// the aggregates.
    static func grouped(_ node: AggregateNode, _ correlation: Correlation) -> HoistedQuery? {
        guard node.sets == nil,
            !LogicalPlan.aggregate(node).expressions.contains(where: { $0.reads(correlation) }),
            let below = HoistedQuery(node.input, correlation),
            let equalities = below.equalities(correlation)
        else { return nil }
        var inner = node
        inner.input = below.plan
        inner.keys += equalities.map { NamedExpression("key", $0.inner) }
        let fields = LogicalPlan.aggregate(inner).schema.fields
        let (keys, all) = (node.keys.count, inner.keys.count)
        let order = Array(0..<keys) + Array(all..<fields.count) + Array(keys..<all)
        let width = keys + node.aggregates.count
        let conditions = equalities.enumerated().map { index, equality in
            let column = BoundExpression.column(width + index, equality.inner.type)
            return equality.nullsMatch
                ? BoundExpression.not(.isDistinct(column, equality.outer))
                : .call(.equal, [column, equality.outer], .boolean)
        }
        return HoistedQuery(
            plan: LogicalPlan.aggregate(inner).columns(order), conditions: conditions)
    }

    private static func joined(_ node: JoinNode, _ correlation: Correlation) -> HoistedQuery? {
        guard
            !node.keys.contains(where: { $0.left.reads(correlation) || $0.right.reads(correlation) }
            )
        else { return nil }
        let isInner = node.kind == .inner || node.kind == .cross
        let residual = node.residual?.conjuncts ?? []
        let taken = residual.filter { $0.reads(correlation) }
        guard isInner || (taken.isEmpty && !node.right.reads(correlation)),
            isInner || [.left, .single, .semi, .anti].contains(node.kind),
            let left = HoistedQuery(node.left, correlation),
            let right = HoistedQuery(node.right, correlation)
        else { return nil }
        let leftWidth = node.left.schema.fields.count
        let rightWidth = node.right.schema.fields.count
        let newLeft = left.plan.schema.fields.count
        func moved(_ expression: BoundExpression) -> BoundExpression {
            expression.mapColumns { $0 < leftWidth ? $0 : $0 - leftWidth + newLeft }
        }
        var inner = node
        inner.left = left.plan
        inner.right = right.plan
        inner.residual = .all(of: residual.filter { !$0.reads(correlation) }.map(moved))
        var conditions = taken.map(moved) + left.conditions
        conditions += right.conditions.map { $0.mapColumns { $0 + newLeft } }
        let plan = LogicalPlan.join(inner)
        let fields = plan.schema.fields
        if node.kind == .semi || node.kind == .anti {
            return HoistedQuery(plan: plan, conditions: conditions)
        }
        // The query's own columns come first.
        var order = Array(0..<leftWidth) + (0..<rightWidth).map { newLeft + $0 }
        order += Array(leftWidth..<newLeft) + Array((newLeft + rightWidth)..<fields.count)
        var places = [Int](repeating: 0, count: fields.count)
        for (new, old) in order.enumerated() { places[old] = new }
        return HoistedQuery(
            plan: plan.columns(order),
            conditions: conditions.map { $0.mapColumns { places[$0] } })
    }
}
