// Reads and carries only the columns that something above uses. Every operator is asked for a set
// of its output columns; it answers with a plan that has at least these, and where each went.

import Columns

final class ProjectionPruning {
    /// The columns that anybody wants of a shared plan.
    private var wantedOfShared: [Int: [Int]] = [:]
    /// Shared plans with those columns, once all who read them were asked.
    private var prunedShared: [Int: Pruned] = [:]
    private var isAsking = true

    private init() {}

    static func apply(_ plan: LogicalPlan) -> LogicalPlan {
        let pruning = ProjectionPruning()
        let all = Array(plan.schema.fields.indices)
        let asked = pruning.prune(plan, wanted: all)
        if pruning.wantedOfShared.isEmpty { return asked.exactly(all, of: plan.schema) }
        pruning.isAsking = false
        return pruning.prune(plan, wanted: all).exactly(all, of: plan.schema)
    }

    /// A plan, and for each old output column its new place; nil when it is gone.
    private struct Pruned {
        var plan: LogicalPlan
        var places: [Int?]

        /// The plan with exactly these old columns in this order.
        func exactly(_ wanted: [Int], of schema: TableSchema) -> LogicalPlan {
            let order = wanted.map { places[$0] ?? 0 }
            let width = plan.schema.fields.count
            if order == Array(0..<width) { return plan }
            return .project(
                plan,
                zip(wanted, order).map { old, new in
                    let field = schema.fields[old]
                    return NamedExpression(field.name, .column(new, field.type))
                })
        }

        func moved(_ expression: BoundExpression) -> BoundExpression {
            expression.mapColumns { places[$0] ?? 0 }
        }
    }

    /// `wanted` is sorted and without repeats.
    private func prune(_ plan: LogicalPlan, wanted: [Int]) -> Pruned {
        switch plan {
        case .scan(let node): return scan(node, wanted)
        case .project(let input, let columns): return project(input, columns, wanted)
        case .filter(let input, let condition):
            let below = prune(input, wanted: union(wanted, [condition]))
            return Pruned(plan: .filter(below.plan, below.moved(condition)), places: below.places)
        case .sort(let input, let keys, let limit):
            let below = prune(input, wanted: union(wanted, keys.map(\.expression)))
            return Pruned(
                plan: .sort(below.plan, moved(keys, below), limit: limit), places: below.places)
        case .limit(let input, let count, let offset):
            let below = prune(input, wanted: wanted)
            return Pruned(
                plan: .limit(below.plan, count: count, offset: offset), places: below.places)
        case .distinctOn(var node):
            let used = node.keys + node.order.map(\.expression)
            let below = prune(node.input, wanted: union(wanted, used))
            node.input = below.plan
            node.keys = node.keys.map(below.moved)
            node.order = moved(node.order, below)
            return Pruned(plan: .distinctOn(node), places: below.places)
        case .aggregate(let node): return aggregate(node, wanted)
        case .join(let node): return join(node, wanted)
        case .asof(let node): return asof(node, wanted)
        case .window(let node): return window(node, wanted)
        case .over(let node): return over(node, wanted)
        case .union(let inputs): return unionAll(inputs, plan.schema, wanted)
        case .shared(let number, let input): return shared(number, input, wanted)
        case .expand(let node): return expand(node, wanted)
        case .singleRow(let input):
            let below = prune(input, wanted: wanted)
            return Pruned(plan: .singleRow(below.plan), places: below.places)
        case .distinct(let input):
            // All columns decide what is different.
            let all = Array(input.schema.fields.indices)
            let below = prune(input, wanted: all)
            return Pruned(plan: .distinct(below.exactly(all, of: input.schema)), places: all)
        case .values(let rows, let schema): return values(rows, schema, wanted)
        case .working: return Pruned(plan: plan, places: plan.schema.fields.indices.map { $0 })
        case .recursion(var node):
            // The rows that come last have the columns of all rows.
            let all = Array(node.base.schema.fields.indices)
            node.base = prune(node.base, wanted: all).exactly(all, of: node.base.schema)
            node.step = prune(node.step, wanted: all).exactly(all, of: node.step.schema)
            return Pruned(plan: .recursion(node), places: all)
        }
    }

    /// All who read a shared plan read the same columns of it.
    private func shared(_ number: Int, _ input: LogicalPlan, _ wanted: [Int]) -> Pruned {
        if isAsking {
            let all = Array(Set(wanted + (wantedOfShared[number] ?? []))).sorted()
            wantedOfShared[number] = all
            let below = prune(input, wanted: all)
            return Pruned(plan: .shared(number, below.plan), places: below.places)
        }
        if let known = prunedShared[number] { return known }
        let below = prune(input, wanted: wantedOfShared[number] ?? wanted)
        let pruned = Pruned(plan: .shared(number, below.plan), places: below.places)
        prunedShared[number] = pruned
        return pruned
    }

    private func expand(_ node: ExpandNode, _ wanted: [Int]) -> Pruned {
        let width = node.input.schema.fields.count
        let below = prune(
            node.input,
            wanted: union(wanted.filter { $0 < width }, node.calls.flatMap(\.arguments)))
        var result = node
        result.input = below.plan
        for index in result.calls.indices {
            result.calls[index].arguments = result.calls[index].arguments.map(below.moved)
        }
        let newWidth = below.plan.schema.fields.count
        return Pruned(
            plan: .expand(result),
            places: below.places + node.added.indices.map { newWidth + $0 })
    }

    private func union(_ wanted: [Int], _ expressions: [BoundExpression]) -> [Int] {
        var columns = wanted
        for expression in expressions { expression.forEachColumn { columns.append($0) } }
        columns.sort()
        var result: [Int] = []
        for column in columns where result.last != column { result.append(column) }
        return result
    }

    /// The places of `kept` columns out of `count`.
    private func places(_ kept: [Int], of count: Int) -> [Int?] {
        var places = [Int?](repeating: nil, count: count)
        for (new, old) in kept.enumerated() { places[old] = new }
        return places
    }

    private func moved(_ keys: [SortKey], _ below: Pruned) -> [SortKey] {
        keys.map {
            SortKey(
                below.moved($0.expression), isDescending: $0.isDescending,
                nullsFirst: $0.nullsFirst)
        }
    }

    private func scan(_ node: ScanNode, _ wanted: [Int]) -> Pruned {
        let kept = union(wanted, node.predicates)
        let places = places(kept, of: node.projection.count)
        var scan = node
        scan.projection = kept.map { node.projection[$0] }
        scan.predicates = node.predicates.map { $0.mapColumns { places[$0] ?? 0 } }
        return Pruned(plan: .scan(scan), places: places)
    }

    private func values(
        _ rows: [[BoundExpression]], _ schema: TableSchema, _ wanted: [Int]
    ) -> Pruned {
        let fields = wanted.map { schema.fields[$0] }
        let kept = rows.map { row in wanted.map { row[$0] } }
        return Pruned(
            plan: .values(kept, TableSchema(fields)),
            places: places(wanted, of: schema.fields.count))
    }

    private func project(
        _ input: LogicalPlan, _ columns: [NamedExpression], _ wanted: [Int]
    ) -> Pruned {
        let kept = wanted.map { columns[$0] }
        let below = prune(input, wanted: union([], kept.map(\.expression)))
        let moved = kept.map { NamedExpression($0.name, below.moved($0.expression)) }
        return Pruned(
            plan: .project(below.plan, moved), places: places(wanted, of: columns.count))
    }

    private func aggregate(_ node: AggregateNode, _ wanted: [Int]) -> Pruned {
        let keyCount = node.keys.count
        let kept = wanted.filter { $0 >= keyCount && $0 < keyCount + node.aggregates.count }
        let used = kept.map { node.aggregates[$0 - keyCount] }
        var read = node.keys.map(\.expression)
        for aggregate in used {
            read += aggregate.call.arguments + (aggregate.call.filter.map { [$0] } ?? [])
            read += aggregate.call.orderBy.map(\.expression)
        }
        let below = prune(node.input, wanted: union([], read))
        var result = node
        result.input = below.plan
        result.keys = node.keys.map { NamedExpression($0.name, below.moved($0.expression)) }
        result.aggregates = used.map { aggregate in
            var call = aggregate.call
            call.arguments = call.arguments.map(below.moved)
            call.filter = call.filter.map(below.moved)
            call.orderBy = moved(call.orderBy, below)
            return NamedAggregate(aggregate.name, call)
        }
        let set = node.sets == nil ? [] : [keyCount + node.aggregates.count]
        return Pruned(
            plan: .aggregate(result),
            places: places(
                Array(0..<keyCount) + kept + set,
                of: keyCount + node.aggregates.count + set.count))
    }

    private func join(_ node: JoinNode, _ wanted: [Int]) -> Pruned {
        let width = node.left.schema.fields.count
        let onlyLeft = node.kind == .semi || node.kind == .anti
        let both = union(wanted, node.residual.map { [$0] } ?? [])
        let left = prune(
            node.left,
            wanted: union(both.filter { $0 < width }, node.keys.map(\.left)))
        let right = prune(
            node.right,
            wanted: union(
                both.filter { $0 >= width }.map { $0 - width }, node.keys.map(\.right)))
        let newWidth = left.plan.schema.fields.count
        var places = left.places
        let rightPlaces = right.places.map { place in place.map { $0 + newWidth } }
        let residualPlaces = left.places + rightPlaces
        if !onlyLeft { places += rightPlaces }
        var result = node
        result.left = left.plan
        result.right = right.plan
        result.keys = node.keys.map {
            JoinKey(
                left: left.moved($0.left), right: right.moved($0.right), nullsMatch: $0.nullsMatch)
        }
        result.residual = node.residual?.mapColumns { residualPlaces[$0] ?? 0 }
        return Pruned(plan: .join(result), places: places)
    }

    private func asof(_ node: AsofNode, _ wanted: [Int]) -> Pruned {
        let width = node.left.schema.fields.count
        let all = node.keys + [node.moment]
        let left = prune(
            node.left, wanted: union(wanted.filter { $0 < width }, all.map(\.left)))
        let right = prune(
            node.right,
            wanted: union(
                wanted.filter { $0 >= width }.map { $0 - width }, all.map(\.right)))
        var result = node.mapSides(left: left.moved, right: right.moved)
        result.left = left.plan
        result.right = right.plan
        let newWidth = left.plan.schema.fields.count
        return Pruned(
            plan: .asof(result),
            places: left.places + right.places.map { place in place.map { $0 + newWidth } })
    }

    private func over(_ node: OverNode, _ wanted: [Int]) -> Pruned {
        let columns = node.keptColumns
        let width = columns.count
        let own = wanted.filter { $0 < width }
        let calls = node.calls.indices.filter { wanted.contains(width + $0) }
        var places = [Int?](repeating: nil, count: width + node.calls.count)
        if calls.isEmpty {
            let below = prune(node.input, wanted: union(own.map { columns[$0] }, []))
            for place in own { places[place] = below.places[columns[place]] }
            return Pruned(plan: below.plan, places: places)
        }
        var result = node
        result.calls = calls.map { node.calls[$0] }
        let below = prune(
            node.input, wanted: union(own.map { columns[$0] }, result.expressions))
        result = result.mapExpressions(below.moved)
        result.input = below.plan
        // What only partitions, order and arguments need ends here.
        result.kept = own.map { below.places[columns[$0]] ?? 0 }
        for (new, old) in own.enumerated() { places[old] = new }
        for (new, old) in calls.enumerated() { places[width + old] = own.count + new }
        return Pruned(plan: .over(result), places: places)
    }

    private func window(_ node: WindowNode, _ wanted: [Int]) -> Pruned {
        let width = node.input.schema.fields.count
        let below = prune(
            node.input,
            wanted: union(
                wanted.filter { $0 < width },
                [.column(node.timeColumn, .timestampTZ)]))
        var result = node
        result.input = below.plan
        result.timeColumn = below.places[node.timeColumn] ?? 0
        let newWidth = below.plan.schema.fields.count
        return Pruned(
            plan: .window(result), places: below.places + [newWidth, newWidth + 1])
    }

    private func unionAll(
        _ inputs: [LogicalPlan], _ schema: TableSchema, _ wanted: [Int]
    ) -> Pruned {
        let pruned = inputs.map { input in
            prune(input, wanted: wanted).exactly(wanted, of: input.schema)
        }
        return Pruned(
            plan: .union(pruned), places: places(wanted, of: schema.fields.count))
    }
}
