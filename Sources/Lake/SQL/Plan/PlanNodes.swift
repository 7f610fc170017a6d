// What the nodes of a logical plan carry.

import Columns

/// What stands behind a name in `FROM`.
package enum RelationKind: String, Hashable, Sendable {
    /// A Delta table: streaming table, materialized view, plain table.
    case table
    /// The records of a topic.
    case topic
    /// A `weir.*`, `pg_catalog.*` or `information_schema.*` table, computed on demand.
    case system
    /// A stored query.
    case view
}

/// Which state of a table is read.
package enum TimeTravel: Hashable, Sendable {
    case version(Int64)
    /// A constant expression of type timestampTZ.
    case timestamp(BoundExpression)
    /// Not a state, but the rows that changed in these versions, the newest when nil: the table's
    /// columns, and three more about the change.
    case changes(from: Int64, through: Int64?)
    /// The rows in files that the one version has and the other has not.
    case difference(of: Int64, without: Int64)

    /// The columns behind the table's own when changes are read.
    package static let changeColumns = [
        Field("_change_type", .text), Field("_commit_version", .int64),
        Field("_commit_timestamp", .timestampTZ),
    ]
}

/// Reads a relation.
package struct ScanNode: Hashable, Sendable {
    package var relation: QualifiedName
    package var kind: RelationKind
    /// Written `STREAM(t)`: only rows appended since the last epoch, in a pipeline.
    package var isStream: Bool
    package var travel: TimeTravel?
    /// All columns of the relation, hidden ones behind the others.
    package var tableSchema: TableSchema
    /// The columns that come out, as positions in `tableSchema`, in this order.
    package var projection: [Int]
    /// Conjuncts over the *projected* columns. Exact: only rows for which all are true come out.
    /// Sources also use them to skip files.
    package var predicates: [BoundExpression]

    package init(
        relation: QualifiedName, kind: RelationKind, isStream: Bool = false,
        travel: TimeTravel? = nil, tableSchema: TableSchema, projection: [Int]? = nil,
        predicates: [BoundExpression] = []
    ) {
        self.relation = relation
        self.kind = kind
        self.isStream = isStream
        self.travel = travel
        self.tableSchema = tableSchema
        self.projection = projection ?? Array(tableSchema.fields.indices)
        self.predicates = predicates
    }

    package var schema: TableSchema { TableSchema(projection.map { tableSchema.fields[$0] }) }
}

package struct NamedExpression: Hashable, Sendable {
    package var name: String
    package var expression: BoundExpression

    package init(_ name: String, _ expression: BoundExpression) {
        self.name = name
        self.expression = expression
    }

    package var field: Field { Field(name, expression.type) }
}

package struct SortKey: Hashable, Sendable {
    package var expression: BoundExpression
    package var isDescending: Bool
    package var nullsFirst: Bool

    /// `nullsFirst` nil means PostgreSQL's rule: NULLs are greater than everything.
    package init(
        _ expression: BoundExpression, isDescending: Bool = false, nullsFirst: Bool? = nil
    ) {
        self.expression = expression
        self.isDescending = isDescending
        self.nullsFirst = nullsFirst ?? isDescending
    }
}

/// Groups rows. The output is the group keys, then the aggregates. Without keys there is exactly
/// one output row.
package struct AggregateNode: Hashable, Sendable {
    package var input: LogicalPlan
    package var keys: [NamedExpression]
    package var aggregates: [NamedAggregate]
    /// The keys of each grouping set, when there are several: the rows are grouped once for each,
    /// the other keys are NULL. The number of the set is one more column, behind the aggregates.
    package var sets: [[Int]]?

    package init(
        input: LogicalPlan, keys: [NamedExpression], aggregates: [NamedAggregate],
        sets: [[Int]]? = nil
    ) {
        self.input = input
        self.keys = keys
        self.aggregates = aggregates
        self.sets = sets
    }
}

package struct NamedAggregate: Hashable, Sendable {
    package var name: String
    package var call: AggregateCall

    package init(_ name: String, _ call: AggregateCall) {
        self.name = name
        self.call = call
    }
}

package enum JoinKind: String, Hashable, Sendable {
    case inner, left, right, full
    /// A left join whose left rows have at most one match each; error 21000 if there are more.
    case single
    /// Every pair that passes the residual condition, if there is one.
    case cross
    /// Left rows with a match, once each; only left columns come out.
    case semi
    /// Left rows without a match; only left columns come out.
    case anti
}

/// A pair of expressions that must be equal: `left` over the left input, `right` over the right
/// one, both of one type.
package struct JoinKey: Hashable, Sendable {
    package var left: BoundExpression
    package var right: BoundExpression
    /// NULL matches NULL (for INTERSECT and EXCEPT); otherwise NULL matches nothing.
    package var nullsMatch: Bool

    package init(left: BoundExpression, right: BoundExpression, nullsMatch: Bool = false) {
        self.left = left
        self.right = right
        self.nullsMatch = nullsMatch
    }
}

/// A query that reads its own result: the rows of `base`, then those of `step` over the rows that
/// came last, until there are none.
package struct RecursionNode: Hashable, Sendable {
    /// The number of the plans that stand for the rows that came last.
    package var number: Int
    package var base: LogicalPlan
    package var step: LogicalPlan
    /// UNION: rows that were there before do not count.
    package var isDistinct: Bool

    package init(number: Int, base: LogicalPlan, step: LogicalPlan, isDistinct: Bool) {
        self.number = number
        self.base = base
        self.step = step
        self.isDistinct = isDistinct
    }
}

/// Pairs rows. The output is the left columns, then (semi and anti apart) the right ones.
package struct JoinNode: Hashable, Sendable {
    package var kind: JoinKind
    package var left: LogicalPlan
    package var right: LogicalPlan
    package var keys: [JoinKey]
    /// A further condition of the match over left columns, then right columns. For outer joins it
    /// decides what matches, it does not filter the result.
    package var residual: BoundExpression?
    /// Of a semi or anti join: the left rows are kept in memory, and the right ones stream by; for
    /// others it is the other way round.
    package var keepsLeft = false

    package init(
        kind: JoinKind, left: LogicalPlan, right: LogicalPlan, keys: [JoinKey] = [],
        residual: BoundExpression? = nil
    ) {
        self.kind = kind
        self.left = left
        self.right = right
        self.keys = keys
        self.residual = residual
    }
}

/// Adds `window_start` and `window_end` (of the time column's type) behind the input's columns.
/// TUMBLE has `slide` equal to `size`; HOP repeats a row for each window that holds it. Windows are
/// aligned to 1970-01-01; rows whose time is NULL are left out.
package struct WindowNode: Hashable, Sendable {
    package var input: LogicalPlan
    package var timeColumn: Int
    /// Days and microseconds only; both positive, slide at most size.
    package var slideMicroseconds: Int64
    package var sizeMicroseconds: Int64

    package init(
        input: LogicalPlan, timeColumn: Int, slideMicroseconds: Int64, sizeMicroseconds: Int64
    ) {
        self.input = input
        self.timeColumn = timeColumn
        self.slideMicroseconds = slideMicroseconds
        self.sizeMicroseconds = sizeMicroseconds
    }
}

/// The first row, in the order of `order`, of each set of rows with equal `keys`; the output is in
/// that order. `order` begins with the keys when the statement had an ORDER BY.
package struct DistinctOnNode: Hashable, Sendable {
    package var input: LogicalPlan
    package var keys: [BoundExpression]
    package var order: [SortKey]

    package init(input: LogicalPlan, keys: [BoundExpression], order: [SortKey]) {
        self.input = input
        self.keys = keys
        self.order = order
    }
}
