// From a plan to operators.

import Base
import Columns
import SQL

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
struct PlanBuilder {
    private let tables: any TableSource
    private let context: QueryContext
    private var sharing = Sharing()
    /// The node that is built and what its operators do, when that is measured.
    private var node: MeasuredNode?
    private var measured: MeasuredPlan?
    /// Rows are made as they are asked for, because not all of them may be: below a LIMIT.
    private var isLazy = false

    init(
        _ tables: any TableSource, _ context: QueryContext, node: MeasuredNode? = nil,
        measured: MeasuredPlan? = nil
    ) {
        self.tables = tables
        self.context = context
        self.node = node
        self.measured = measured
    }

    /// Plans nest as deep as the statements they come from may.
    private static let depthMax = 4 * Limits.nestingDepth

    /// The operator of a plan.
    func build(_ plan: LogicalPlan, depth: Int) throws(Problem) -> any BatchOperator {
        gathered(try built(plan, depth))
    }

    /// All rows of a plan, made by several threads where that is possible.
    private func gathered(_ built: BuiltPlan) -> any BatchOperator {
        guard !isLazy, let pipeline = built.pipeline else { return built.rows }
        return divided(built.rows, pipeline) ?? built.rows
    }

    /// The rows of `pipeline`'s parts combined, or `whole` when it turns out that they are read as a
    /// whole.
    private func divided(
        _ whole: any BatchOperator, _ pipeline: PartPipeline?,
        combine: @escaping (any BatchOperator) throws(Problem) -> any BatchOperator = { $0 }
    ) -> (any BatchOperator)? {
        guard let pipeline, !isLazy else { return nil }
        return DividedOperator(whole, pipeline, context, measured, combine: combine)
    }

    /// The operator of a plan of whose rows only those are needed that pass `wanted`.
    private func built(
        _ plan: LogicalPlan, _ depth: Int, wanted: ColumnFilters = ColumnFilters()
    ) throws(Problem) -> BuiltPlan {
        guard depth < Self.depthMax else {
            throw Problem("54001", "statement too complex: the plan is nested too deeply")
        }
        guard let measured, let node else { return try make(plan, depth, wanted) }
        return try measured.measuring(node) { () throws(Problem) in
            try make(plan, depth, wanted)
        }
    }

    /// The builder of an input.
    private func below(_ place: Int) -> PlanBuilder {
        guard let node else { return self }
        var builder = self
        builder.node = node.inputs[place]
        return builder
    }

    /// The same builder for rows of which all are asked for, or perhaps not all.
    private func asking(forAll: Bool) -> PlanBuilder {
        var builder = self
        builder.isLazy = !forAll
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
        var builder = below(1).asking(forAll: false)
        builder.sharing = inner
        return try builder.build(node.step, depth: depth + 1)
    }

    private func make(
        _ plan: LogicalPlan, _ depth: Int, _ wanted: ColumnFilters
    ) throws(Problem) -> BuiltPlan {
        /// The operator of an input, which is number `place` of `plan.inputs`.
        func input(
            _ plan: LogicalPlan, _ place: Int = 0, _ wanted: ColumnFilters = ColumnFilters()
        ) throws(Problem) -> any BatchOperator {
            gathered(try below(place).built(plan, depth + 1, wanted: wanted))
        }
        switch plan {
        case .scan(let node):
            let tables = self.node.map { MeasuredTables(self.tables, $0) } ?? self.tables
            let scan = try ScanOperator(node, tables, filters: wanted.ofScan, context)
            var built = BuiltPlan(scan)
            if node.kind == .table, !node.predicates.contains(where: \.isVolatile) {
                built.pipeline = PartPipeline(scan, self.node)
            }
            return built
        case .values(let rows, let schema):
            return BuiltPlan(ValuesOperator(rows, schema, context))
        case .filter(let below, let condition):
            var built = try self.below(0).built(below, depth + 1, wanted: wanted)
            built.rows = FilterOperator(built.rows, condition, context)
            built.pipeline = built.pipeline?.adding(self.node, evaluating: [condition]) {
                (rows, context) throws(Problem) in FilterOperator(rows, condition, context)
            }
            return built
        case .project(let below, let columns):
            var built = try self.below(0).built(
                below, depth + 1, wanted: wanted.below(columns.map(\.expression)))
            built.rows = ProjectOperator(built.rows, columns, context)
            built.pipeline = built.pipeline?.adding(
                self.node, evaluating: columns.map(\.expression)
            ) { (rows, context) throws(Problem) in ProjectOperator(rows, columns, context) }
            built.known = built.known.above(columns.map(\.expression))
            return built
        case .aggregate(let node):
            // Rows of groups that are not wanted.
            let keys = node.sets == nil ? wanted.below(node.keys.map(\.expression)) : .init()
            return BuiltPlan(try asking(forAll: true).aggregate(node, depth, keys))
        case .sort(let below, let keys, let limit):
            return BuiltPlan(
                try asking(forAll: true).sort(below, keys, limit: limit, depth, wanted))
        case .limit(let below, let count, let offset):
            let lazy = asking(forAll: count == nil)
            let rows = lazy.gathered(try lazy.below(0).built(below, depth + 1))
            return BuiltPlan(try LimitOperator(rows, count: count, offset: offset, context))
        case .distinct(let below):
            return BuiltPlan(
                try DistinctOperator(try input(below, 0, wanted), below.schema, context))
        case .distinctOn(let node):
            return BuiltPlan(try DistinctOnOperator(try input(node.input), node, context))
        case .join(let node): return try join(node, depth, wanted)
        case .asof(let node):
            let left = try input(node.left)
            return BuiltPlan(AsofOperator(left, try input(node.right, 1), node, context))
        case .union(let inputs):
            var operators: [any BatchOperator] = []
            for (place, below) in inputs.enumerated() {
                operators.append(try input(below, place, wanted))
            }
            return BuiltPlan(UnionOperator(operators))
        case .over(let node):
            let below = try input(node.input)
            return BuiltPlan(
                FirstRowsOperator.suits(node)
                    ? FirstRowsOperator(below, node, context)
                    : try OverOperator(below, node, context))
        case .window(let node):
            return BuiltPlan(WindowOperator(try input(node.input), node, context))
        case .recursion(let node): return BuiltPlan(try recursion(node, depth))
        case .working(let number, _):
            guard let rows = sharing.working[number] else {
                throw Problem("XX000", "rows of a recursion are read outside of it")
            }
            return BuiltPlan(WorkingOperator(rows))
        case .expand(let node):
            return BuiltPlan(ExpandOperator(try input(node.input), node, context))
        case .shared(let number, let below): return BuiltPlan(try shared(number, below, depth))
        case .singleRow(let below):
            return BuiltPlan(SingleRowOperator(try input(below), below.schema))
        }
    }

    private func aggregate(
        _ node: AggregateNode, _ depth: Int, _ wanted: ColumnFilters
    ) throws(Problem) -> any BatchOperator {
        let input = try below(0).built(node.input, depth + 1, wanted: wanted)
        if let partial = PartialAggregation(node) {
            let pipeline = input.pipeline?.adding(
                self.node, givesRows: false, evaluating: partial.expressions
            ) { (rows, context) throws(Problem) in
                try PartialAggregateOperator(rows, partial, context)
            }
            let whole = try AggregateOperator(input.rows, node, context)
            if let rows = divided(
                whole, pipeline,
                combine: { [context] (rows) throws(Problem) in
                    try AggregateOperator(rows, partial.merging, context, merges: true)
                })
            {
                return rows
            }
            return whole
        }
        return try AggregateOperator(gathered(input), node, context)
    }

    /// The first rows of all are among the first rows of each part.
    private func sort(
        _ below: LogicalPlan, _ keys: [SortKey], limit: Int64?, _ depth: Int,
        _ wanted: ColumnFilters
    ) throws(Problem) -> any BatchOperator {
        let schema = below.schema
        guard let limit else {
            let input = try self.below(0).built(below, depth + 1, wanted: wanted)
            return SortOperator(gathered(input), schema, keys, limit: nil, context)
        }
        // What others want of these rows they want of the first ones. All parts share what they know.
        let filter = keys.first.map { TopFilter(SortDirection($0)) }
        var first = ColumnFilters()
        if let filter, case .column(let column, _)? = keys.first?.expression {
            first.add(filter, to: column)
        }
        let input = try self.below(0).built(below, depth + 1, wanted: first)
        guard limit <= Self.firstRowsOfParts else {
            return SortOperator(
                gathered(input), schema, keys, limit: limit, filter: filter, context)
        }
        let pipeline = input.pipeline?.adding(
            node, givesRows: false, evaluating: keys.map(\.expression)
        ) { (rows, context) throws(Problem) in
            SortOperator(rows, schema, keys, limit: limit, filter: filter, context)
        }
        let whole = SortOperator(input.rows, schema, keys, limit: limit, filter: filter, context)
        return divided(
            whole, pipeline,
            combine: { [context] (rows) throws(Problem) in
                SortOperator(rows, schema, keys, limit: limit, context)
            }) ?? whole
    }

    /// More rows than these are not looked for in each part.
    private static let firstRowsOfParts: Int64 = 10_000

    /// The keys of the kept side are a filter for scans of the other one, and what is known of the
    /// left side's keys one for scans of the right side.
    private func join(
        _ node: JoinNode, _ depth: Int, _ wanted: ColumnFilters
    ) throws(Problem) -> BuiltPlan {
        let width = node.left.schema.fields.count
        let keepsRows = [.inner, .cross].contains(node.kind)
        let isLed = [.left, .semi, .anti].contains(node.kind)
        var ofLeft = ColumnFilters()
        var ofRight = ColumnFilters()
        for (column, filter) in wanted.all {
            if column < width {
                if keepsRows || isLed { ofLeft.add(filter, to: column) }
            } else if keepsRows || node.kind == .right {
                ofRight.add(filter, to: column - width)
            }
        }
        var own: (filter: KeyFilter, column: Int)?
        if node.keys.count == 1, let places = node.keys[0].places, places.type.hasHashes {
            if node.keepsLeft {
                own = (KeyFilter(), places.right)
            } else if [.inner, .semi, .right].contains(node.kind) {
                own = (KeyFilter(), places.left)
            }
        }
        if let own {
            if node.keepsLeft {
                ofRight.add(own.filter, to: own.column)
            } else {
                ofLeft.add(own.filter, to: own.column)
            }
        }
        let left = try asking(forAll: node.keepsLeft || !isLazy).below(0)
            .built(node.left, depth + 1, wanted: ofLeft)
        var needsLeft = false
        if keepsRows || isLed, !node.keepsLeft {
            for places in node.keys.compactMap(\.places) {
                for filter in left.known.of(places.left) {
                    ofRight.add(filter, to: places.right)
                    needsLeft = true
                }
            }
        }
        // What is kept is read to its end, whatever is asked for above.
        let right = try asking(forAll: !node.keepsLeft || !isLazy).below(1)
            .built(node.right, depth + 1, wanted: ofRight)
        let rows = try JoinOperator(
            asking(forAll: node.keepsLeft || !isLazy).gathered(left),
            asking(forAll: !node.keepsLeft || !isLazy).gathered(right), node, context,
            filter: own?.filter, before: needsLeft ? left.first : [])
        var built = BuiltPlan(rows)
        if keepsRows || isLed { built.known = left.known }
        if keepsRows || node.kind == .right { built.known.add(right.known, from: width) }
        if let own, node.kind == .inner || node.kind == .semi, !node.keepsLeft {
            built.known.add(own.filter, to: own.column)
        }
        var reader: any EarlyReader = rows
        if let measured, let place = self.node { reader = MeasuredReader(rows, place, measured) }
        built.first = left.first + [reader]
        built.pipeline = left.pipeline?.joining(rows, node, self.node, reader: reader)
        return built
    }
}

extension JoinKey {
    /// The columns that are compared, when the key is one of each side and NULL matches nothing.
    fileprivate var places: (left: Int, right: Int, type: ColumnType)? {
        guard case .column(let left, let type) = self.left,
            case .column(let right, let other) = self.right, type == other, !nullsMatch
        else { return nil }
        return (left, right, type)
    }
}

/// An operator, and what is known of its rows.
struct BuiltPlan {
    var rows: any BatchOperator
    /// All rows pass these.
    var known = ColumnFilters()
    /// Who decides `known`, in this order.
    var first: [any EarlyReader] = []
    /// How the same rows are made of the parts of a scan.
    var pipeline: PartPipeline?

    init(_ rows: any BatchOperator) { self.rows = rows }
}

/// Filters of columns of a plan, by their places.
struct ColumnFilters {
    private(set) var all: [(column: Int, filter: any ColumnTest)] = []

    mutating func add(_ filter: any ColumnTest, to column: Int) { all.append((column, filter)) }

    /// Those of columns that come from number `start` on.
    mutating func add(_ others: ColumnFilters, from start: Int) {
        all += others.all.map { (start + $0.column, $0.filter) }
    }

    func of(_ column: Int) -> [any ColumnTest] {
        all.compactMap { $0.column == column ? $0.filter : nil }
    }

    /// Those of columns that `expressions` pass on, by their places below.
    func below(_ expressions: [BoundExpression]) -> ColumnFilters {
        var result = ColumnFilters()
        for (column, filter) in all where column < expressions.count {
            if case .column(let below, _) = expressions[column] { result.add(filter, to: below) }
        }
        return result
    }

    /// Those of columns that `expressions` pass on, by their places above.
    func above(_ expressions: [BoundExpression]) -> ColumnFilters {
        var result = ColumnFilters()
        for (place, expression) in expressions.enumerated() {
            guard case .column(let column, _) = expression else { continue }
            for filter in of(column) { result.add(filter, to: place) }
        }
        return result
    }

    var ofScan: [ScanFilter] { all.map { ScanFilter(column: $0.column, test: $0.filter) } }
}
