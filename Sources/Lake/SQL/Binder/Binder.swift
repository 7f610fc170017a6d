// From names to columns: the binder resolves relations, columns, functions and types and produces a
// logical plan. Columns that do not exist yet are negative while an expression is being bound: they
// stand for aggregates, window functions and functions that give rows, and are replaced when the
// operator that makes them is placed (see Placeholder).

import Base
import Columns

/// What a session knows that names and functions depend on.
package struct BinderContext: Sendable {
    package var database = "weir"
    /// What `current_schema` says.
    package var schema = "public"
    package var user = "weir"
    /// What `version()` says.
    package var versionText = "PostgreSQL 15.0 (Weir)"
    /// The clock of the session's time zone; nil for UTC.
    package var clock: (any SessionClock)?
    /// The value of a setting, for `current_setting`; nil when there is no such setting.
    package var setting: @Sendable (String) -> String? = { _ in nil }
    /// The values of `$1`, `$2`, … as text; nil is NULL.
    package var parameters: [String?] = []

    package init() {}

    /// The same for what a table says of its rows, which must mean the same in every session.
    var ofTable: BinderContext {
        var context = self
        if clock != nil { context.clock = UTCClock() }
        return context
    }
}

/// An INSERT whose rows have the columns and types of its target.
package struct BoundInsert: Hashable, Sendable {
    package var target: RelationDescription
    /// All columns of the target, in its order.
    package var plan: LogicalPlan
    /// Columns that number the rows, of which the plan gives NULL.
    package var numberedColumns: [String] = []
    package var returning: ReturningPlan?
}

package struct Binder {
    let provider: any SchemaProvider
    let context: BinderContext
    /// Queries named by WITH, innermost last.
    var commonTables: [(name: String, plan: LogicalPlan)] = []
    /// The recursive queries, by number.
    var recursionCount = 0
    var subqueries: [Subquery] = []
    /// Plans that may stand at several places.
    var sharedCount = 0
    private var depth = 0
    /// Inlining views and WITH queries may multiply them; this bounds the plan.
    private var nodesLeft = 10_000
    /// What `merge_action()` is while RETURNING of a MERGE is bound.
    var mergeAction: BoundExpression?
    /// Names of the views that are being expanded.
    var openViews: [QualifiedName] = []

    package init(provider: any SchemaProvider, context: BinderContext = BinderContext()) {
        self.provider = provider
        self.context = context
    }

    // MARK: Entrances

    /// The optimized plan of a query.
    package mutating func plan(_ query: Query) throws(Problem) -> LogicalPlan {
        finished(try bindQuery(query))
    }

    /// The plan of a query as it is written: what the optimizer makes of it has the same rows.
    package mutating func unoptimizedPlan(_ query: Query) throws(Problem) -> LogicalPlan {
        try bindQuery(query)
    }

    /// A whole plan with the session's time zone in it, optimized.
    func finished(_ plan: LogicalPlan, ordersJoins: Bool = true) -> LogicalPlan {
        Optimizer.optimized(
            ZonedExpressions(context.clock).plan(plan), statistics: ordersJoins ? provider : nil)
    }

    private func finished(_ expression: BoundExpression) -> BoundExpression {
        ZonedExpressions(context.clock).expression(expression)
    }

    /// The optimized plan of the rows to insert.
    package mutating func plan(_ insert: Insert) throws(Problem) -> BoundInsert {
        var bound = try bindInsert(insert)
        bound.plan = finished(bound.plan)
        return bound
    }

    /// A condition over the rows of a table, as EXPECT has it: no aggregates, no subqueries.
    package mutating func condition(
        _ expression: Expression, over schema: TableSchema, table: String
    ) throws(Problem) -> BoundExpression {
        let bound = try self.expression(expression, over: schema, table: table, clause: "EXPECT")
        return finished(try boolean(bound, of: "EXPECT", at: expression.position))
    }

    /// An expression over the rows of a table: a watermark, a default.
    package mutating func expression(
        _ expression: Expression, over schema: TableSchema, table: String,
        clause: String = "this clause"
    ) throws(Problem) -> BoundExpression {
        let scope = Scope(table: table, schema: nil, fields: schema.fields)
        var context = ExpressionContext(scope: scope, clause: clause)
        context.allowsSubqueries = false
        let bound = try bind(expression, &context)
        return finished(
            bound.isUnknownLiteral
                ? try coerce(bound, to: .text, at: expression.position) : bound)
    }

    /// An expression over the rows of a table as a value of a column of type `type`.
    package mutating func assignable(
        _ expression: Expression, over schema: TableSchema, to type: ColumnType
    ) throws(Problem) -> BoundExpression {
        let scope = Scope(table: "row", schema: nil, fields: schema.fields)
        var context = ExpressionContext(scope: scope, clause: "this clause")
        context.allowsSubqueries = false
        let bound = try bind(expression, &context)
        return finished(try coerce(bound, to: type, .assignment, at: expression.position))
    }

    // MARK: Bounds

    /// Goes one level deeper; `leave` comes back.
    mutating func enter(at position: Int) throws(Problem) {
        guard depth < 3 * Limits.nestingDepth else {
            throw Problem(
                "54001", "stack depth limit exceeded",
                notes: ["the query with its views is nested too deeply"],
                hint: "materialize one of the views", position: position)
        }
        depth += 1
    }

    mutating func leave() { depth -= 1 }

    /// Counts the nodes of a plan that is put into another one.
    mutating func spend(_ plan: LogicalPlan, at position: Int) throws(Problem) {
        nodesLeft -= plan.nodeCount
        guard nodesLeft > 0 else {
            throw Problem(
                "54001", "statement too complex",
                notes: ["its views and WITH queries expand to more than 10000 operators"],
                hint: "materialize one of the views", position: position)
        }
    }

    func boolean(
        _ expression: BoundExpression, of clause: String, at position: Int
    ) throws(Problem) -> BoundExpression {
        if expression.type == .boolean { return expression }
        if expression.isUnknownLiteral {
            return try coerce(expression, to: .boolean, at: position)
        }
        throw Problem(
            "42804",
            "argument of \(clause) must be type boolean, not type \(expression.type.plainName)",
            position: position)
    }
}

extension LogicalPlan {
    /// Operators of the tree.
    var nodeCount: Int { inputs.reduce(1) { $0 + $1.nodeCount } }
}

/// What an expression may refer to, and what was found in it.
struct ExpressionContext {
    var scope: Scope
    /// Scopes of the queries around, to tell a correlated name from a wrong one.
    var outer: [Scope] = []
    /// For messages: `WHERE`, `GROUP BY`, …
    var clause: String
    var allowsAggregates = false
    var allowsSubqueries = true
    var isInsideAggregate = false
    var calls: [AggregateCall] = []
    /// Names of the select list, where they may stand for what they name.
    var aliases: [(name: String, expression: BoundExpression)] = []
    var allowsWindows = false
    var isInsideWindow = false
    /// The windows of the WINDOW clause.
    var namedWindows: [NamedWindow] = []
    var windowCalls: [BoundWindowCall] = []
    /// Functions that give rows may be called: in the select list.
    var allowsSeries = false
    var seriesCalls: [TableCall] = []
    /// The arguments of GROUPING, and where it is written.
    var groupings: [(keys: [BoundExpression], position: Int)] = []
    /// Where columns are used outside of aggregates.
    var uses: [(column: Int, name: String, position: Int)] = []

    init(scope: Scope, clause: String, outer: [Scope] = []) {
        self.scope = scope
        self.clause = clause
        self.outer = outer
    }
}

/// Columns that stand for what is computed later.
enum Placeholder {
    static func aggregate(_ index: Int) -> Int { -1 - 4 * index }
    static func window(_ index: Int) -> Int { -2 - 4 * index }
    static func series(_ index: Int) -> Int { -3 - 4 * index }
    static func grouping(_ index: Int) -> Int { -4 - 4 * index }

    static func aggregateIndex(_ column: Int) -> Int? { index(column, kind: 0) }
    static func windowIndex(_ column: Int) -> Int? { index(column, kind: 1) }
    static func seriesIndex(_ column: Int) -> Int? { index(column, kind: 2) }
    static func groupingIndex(_ column: Int) -> Int? { index(column, kind: 3) }

    private static func index(_ column: Int, kind: Int) -> Int? {
        let number = -1 - column
        return column < 0 && number % 4 == kind ? number / 4 : nil
    }
}
