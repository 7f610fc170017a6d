import Columns

/// What a query computes, as a tree of relational operators. The binder makes it, the optimizer
/// rewrites it, the engine runs it once, a pipeline keeps it up to date.
package indirect enum LogicalPlan: Hashable, Sendable {
    case scan(ScanNode)
    /// Literal rows: each has one expression per field, without columns.
    case values([[BoundExpression]], TableSchema)
    /// Rows for which the condition is true.
    case filter(LogicalPlan, BoundExpression)
    case project(LogicalPlan, [NamedExpression])
    case aggregate(AggregateNode)
    /// Stable. With a limit only that many rows from the front are wanted (offset included).
    case sort(LogicalPlan, [SortKey], limit: Int64?)
    /// Both are constant expressions of type int64 (or NULL: no limit, no offset).
    case limit(LogicalPlan, count: BoundExpression?, offset: BoundExpression?)
    /// Rows that differ; NULLs count as equal.
    case distinct(LogicalPlan)
    case distinctOn(DistinctOnNode)
    case join(JoinNode)
    case asof(AsofNode)
    /// All rows of the inputs, which have the same column types; names from the first.
    case union([LogicalPlan])
    case window(WindowNode)
    /// Window functions.
    case over(OverNode)
    /// Functions that give rows.
    case expand(ExpandNode)
    /// The only row of the input; a row of NULLs if there is none; error 21000 if there are more.
    case singleRow(LogicalPlan)
    /// A plan that stands at several places of a statement under one number: computed once, read
    /// by all of them.
    case shared(Int, LogicalPlan)
    /// `WITH RECURSIVE`
    case recursion(RecursionNode)
    /// In the step of the recursion of this number: the rows that came last.
    case working(Int, TableSchema)

    /// The columns that come out.
    package var schema: TableSchema {
        switch self {
        case .scan(let node): return node.schema
        case .values(_, let schema), .working(_, let schema): return schema
        case .recursion(let node): return node.base.schema
        case .filter(let input, _), .sort(let input, _, _), .limit(let input, _, _),
            .distinct(let input), .singleRow(let input), .shared(_, let input):
            return input.schema
        case .project(_, let columns): return TableSchema(columns.map(\.field))
        case .aggregate(let node):
            let keys = node.keys.map(\.field)
            let set = node.sets == nil ? [] : [Field("grouping_set", .int32)]
            return TableSchema(keys + node.aggregates.map { Field($0.name, $0.call.type) } + set)
        case .distinctOn(let node): return node.input.schema
        case .join(let node):
            let left = node.left.schema.fields
            if node.kind == .semi || node.kind == .anti { return TableSchema(left) }
            return TableSchema(left + node.right.schema.fields)
        case .asof(let node):
            return TableSchema(node.left.schema.fields + node.right.schema.fields)
        case .union(let inputs): return inputs.first?.schema ?? TableSchema([])
        case .over(let node):
            let fields = node.input.schema.fields
            return TableSchema(
                node.keptColumns.map { fields[$0] }
                    + node.calls.map { Field($0.name, $0.type) })
        case .expand(let node): return TableSchema(node.input.schema.fields + node.added)
        case .window(let node):
            let fields = node.input.schema.fields
            let type = fields[node.timeColumn].type
            return TableSchema(
                fields + [Field("window_start", type), Field("window_end", type)])
        }
    }

    /// The inputs, in order.
    package var inputs: [LogicalPlan] {
        switch self {
        case .scan, .values, .working: []
        case .recursion(let node): [node.base, node.step]
        case .filter(let input, _), .project(let input, _), .sort(let input, _, _),
            .limit(let input, _, _), .distinct(let input), .singleRow(let input),
            .shared(_, let input):
            [input]
        case .aggregate(let node): [node.input]
        case .distinctOn(let node): [node.input]
        case .window(let node): [node.input]
        case .over(let node): [node.input]
        case .expand(let node): [node.input]
        case .join(let node): [node.left, node.right]
        case .asof(let node): [node.left, node.right]
        case .union(let inputs): inputs
        }
    }

    /// The same operator over other inputs.
    package func mapInputs(_ transform: (LogicalPlan) -> LogicalPlan) -> LogicalPlan {
        switch self {
        case .scan, .values, .working: return self
        case .filter(let input, let condition): return .filter(transform(input), condition)
        case .project(let input, let columns): return .project(transform(input), columns)
        case .sort(let input, let keys, let limit):
            return .sort(transform(input), keys, limit: limit)
        case .limit(let input, let count, let offset):
            return .limit(transform(input), count: count, offset: offset)
        case .distinct(let input): return .distinct(transform(input))
        case .recursion(var node):
            node.base = transform(node.base)
            node.step = transform(node.step)
            return .recursion(node)
        case .singleRow(let input): return .singleRow(transform(input))
        case .shared(let number, let input): return .shared(number, transform(input))
        case .aggregate(var node):
            node.input = transform(node.input)
            return .aggregate(node)
        case .distinctOn(var node):
            node.input = transform(node.input)
            return .distinctOn(node)
        case .window(var node):
            node.input = transform(node.input)
            return .window(node)
        case .over(var node):
            node.input = transform(node.input)
            return .over(node)
        case .expand(var node):
            node.input = transform(node.input)
            return .expand(node)
        case .join(var node):
            node.left = transform(node.left)
            node.right = transform(node.right)
            return .join(node)
        case .asof(var node):
            node.left = transform(node.left)
            node.right = transform(node.right)
            return .asof(node)
        case .union(let inputs): return .union(inputs.map(transform))
        }
    }

    /// The numbers of what is shared in the plan.
    package var sharedNumbers: Set<Int> {
        var numbers = inputs.reduce(into: Set<Int>()) { $0.formUnion($1.sharedNumbers) }
        if case .shared(let number, _) = self { numbers.insert(number) }
        return numbers
    }

    /// Every scan of the plan, left to right.
    package var scans: [ScanNode] {
        if case .scan(let node) = self { return [node] }
        return inputs.flatMap(\.scans)
    }
}
