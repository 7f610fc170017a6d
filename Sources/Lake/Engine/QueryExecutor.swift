// From a plan to rows.

import Base
import Columns
import SQL

/// All rows of a finished query.
package struct QueryResult: Sendable {
    package var schema: TableSchema
    package var batches: [ColumnBatch]

    package init(schema: TableSchema, batches: [ColumnBatch]) {
        self.schema = schema
        self.batches = batches
    }

    package var rowCount: Int { batches.reduce(0) { $0 + $1.rowCount } }

    /// The rows as values, for tests and small results.
    package var rows: [[Value]] {
        batches.flatMap { batch in (0..<batch.rowCount).map { batch.values($0) } }
    }
}

package enum QueryExecutor {
    /// What ends a query that somebody has cancelled.
    package static var cancelled: Problem { SQLErrors.cancelled }

    /// Prepares `plan` for execution; nothing is read before the first `next()`, but relations are
    /// opened.
    package static func open(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext
    ) throws(Problem) -> any BatchOperator {
        try PlanBuilder(tables: tables, context: context).build(plan, depth: 0)
    }

    /// Runs `plan` to its end. The result counts against the query's memory.
    package static func execute(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext
    ) throws(Problem) -> QueryResult {
        let root = try open(plan, tables, context)
        let memory = MemoryShare(context.memory, for: "the result")
        var batches: [ColumnBatch] = []
        while let batch = try root.next() {
            try context.checkCancellation()
            try memory.grow(by: batch.columns.reduce(0) { $0 + $1.memoryBytes })
            batches.append(batch)
        }
        return QueryResult(schema: plan.schema, batches: batches)
    }

    /// Runs `plan` to its end and says what each of its operators did: `EXPLAIN ANALYZE`. `clock` is
    /// asked around each batch.
    package static func measure(
        _ plan: LogicalPlan, _ tables: any TableSource, _ context: QueryContext,
        clock: @escaping () -> Instant
    ) throws(Problem) -> MeasuredPlan {
        let measured = MeasuredPlan(plan, context, clock)
        let began = clock()
        let builder = PlanBuilder(
            tables: tables, context: context, node: measured.root, measured: measured)
        let root = try builder.build(plan, depth: 0)
        while try root.next() != nil { try context.checkCancellation() }
        measured.elapsed = clock() - began
        return measured
    }

    /// The plan as text, one node a line: `EXPLAIN`.
    package static func explain(_ plan: LogicalPlan) -> [String] {
        PlanText.lines(plan)
    }
}

/// The shared plans of one statement.
private final class Sharing {
    var rows: [Int: SharedRows] = [:]
    /// The rows of the last round of each recursion around.
    var working: [Int: WorkingRows] = [:]
    /// For the step of a recursion: its number, and what is shared around it.
    let around: (recursion: Int, Sharing)?

    init(around: (recursion: Int, Sharing)? = nil) { self.around = around }

    /// Where the rows of `plan` are kept: what does not depend on the round of a recursion is
    /// computed once for all of them.
    func place(of plan: LogicalPlan) -> Sharing {
        guard let (recursion, outer) = around, !plan.readsWorking(recursion) else { return self }
        return outer.place(of: plan)
    }
}

extension LogicalPlan {
    /// Whether the plan reads the rows that came last in a recursion.
    fileprivate func readsWorking(_ number: Int) -> Bool {
        if case .working(number, _) = self { return true }
        return inputs.contains { $0.readsWorking(number) }
    }
}

/// Makes an operator of each node.
private struct PlanBuilder {
    let tables: any TableSource
    let context: QueryContext
    var sharing = Sharing()
    /// The node that is built and what its operators do, when that is measured.
    var node: MeasuredNode?
    var measured: MeasuredPlan?

    /// Plans nest as deep as the statements they come from may.
    private static let depthMax = 4 * Limits.nestingDepth

    func build(_ plan: LogicalPlan, depth: Int) throws(Problem) -> any BatchOperator {
        guard depth < Self.depthMax else {
            throw Problem("54001", "statement too complex: the plan is nested too deeply")
        }
        guard let measured, let node else { return try make(plan, depth) }
        return try measured.measuring(node) { () throws(Problem) in try make(plan, depth) }
    }

    /// The builder of an input.
    private func below(_ place: Int) -> PlanBuilder {
        guard let node else { return self }
        var builder = self
        builder.node = node.inputs[place]
        return builder
    }

    /// A reader of what is computed once: the first that is built brings the input.
    private func shared(
        _ number: Int, _ plan: LogicalPlan, _ depth: Int
    ) throws(Problem) -> any BatchOperator {
        let sharing = sharing.place(of: plan)
        if let rows = sharing.rows[number] { return SharedOperator(rows) }
        var builder = self
        builder.sharing = sharing
        builder.node = measured?.shared[number]?.inputs[0]
        let rows = SharedRows(try builder.build(plan, depth: depth + 1), plan.schema, context)
        sharing.rows[number] = rows
        return SharedOperator(rows)
    }

    /// The step is built for every round: it and what it shares depend on the rows of the round.
    private func recursion(
        _ node: RecursionNode, _ depth: Int
    ) throws(Problem) -> any BatchOperator {
        guard node.base.schema.fields.count <= 63 || !node.isDistinct else {
            throw Problem("54000", "at most 63 columns in UNION")
        }
        let working = WorkingRows()
        let outer = sharing
        let base = try below(0).build(node.base, depth: depth + 1)
        return RecursionOperator(base, node, working, context) { () throws(Problem) in
            try step(node, working, outer, depth)
        }
    }

    private func step(
        _ node: RecursionNode, _ working: WorkingRows, _ outer: Sharing, _ depth: Int
    ) throws(Problem) -> any BatchOperator {
        let inner = Sharing(around: (node.number, outer))
        inner.working = outer.working
        inner.working[node.number] = working
        // The operators of each round count as those of one node.
        var builder = below(1)
        builder.sharing = inner
        return try builder.build(node.step, depth: depth + 1)
    }

    private func make(_ plan: LogicalPlan, _ depth: Int) throws(Problem) -> any BatchOperator {
        /// The operator of an input, which is number `place` of `plan.inputs`.
        func input(_ plan: LogicalPlan, _ place: Int = 0) throws(Problem) -> any BatchOperator {
            try below(place).build(plan, depth: depth + 1)
        }
        switch plan {
        case .scan(let node):
            guard let place = self.node else { return try ScanOperator(node, tables, context) }
            return try ScanOperator(node, MeasuredTables(tables, place), context)
        case .values(let rows, let schema): return ValuesOperator(rows, schema, context)
        case .filter(let below, let condition):
            return FilterOperator(try input(below), condition, context)
        case .project(let below, let columns):
            return ProjectOperator(try input(below), columns, context)
        case .aggregate(let node):
            return try AggregateOperator(try input(node.input), node, context)
        case .sort(let below, let keys, let limit):
            return SortOperator(try input(below), below.schema, keys, limit: limit, context)
        case .limit(let below, let count, let offset):
            return try LimitOperator(
                try input(below), count: count, offset: offset, context)
        case .distinct(let below):
            return try DistinctOperator(try input(below), below.schema, context)
        case .distinctOn(let node):
            return try DistinctOnOperator(try input(node.input), node, context)
        case .join(let node):
            let left = try input(node.left)
            return try JoinOperator(left, try input(node.right, 1), node, context)
        case .union(let inputs):
            var operators: [any BatchOperator] = []
            for (place, below) in inputs.enumerated() {
                operators.append(try input(below, place))
            }
            return UnionOperator(operators)
        case .over(let node): return try OverOperator(try input(node.input), node, context)
        case .window(let node): return WindowOperator(try input(node.input), node, context)
        case .recursion(let node): return try recursion(node, depth)
        case .working(let number, _):
            guard let rows = sharing.working[number] else {
                throw Problem("XX000", "rows of a recursion are read outside of it")
            }
            return WorkingOperator(rows)
        case .expand(let node): return ExpandOperator(try input(node.input), node, context)
        case .shared(let number, let below): return try shared(number, below, depth)
        case .singleRow(let below): return SingleRowOperator(try input(below), below.schema)
        }
    }
}
