import Columns

/// A function that is computed over the rows of a window, beside each row.
package enum OverFunction: Hashable, Sendable {
    /// () → int64
    case rowNumber, rank, denseRank
    /// () → float64
    case percentRank, cumulativeDistribution
    /// (int32 buckets) → int32
    case ntile
    /// (T, int32 offset, T default) → T
    case lag, lead
    /// (T) → T, over the frame
    case firstValue, lastValue
    /// (T, int32 which) → T, over the frame
    case nthValue
    /// An aggregate over the frame; its arguments and filter are those of the call.
    case aggregate(AggregateCall)

    package var name: String {
        switch self {
        case .rowNumber: "row_number"
        case .rank: "rank"
        case .denseRank: "dense_rank"
        case .percentRank: "percent_rank"
        case .cumulativeDistribution: "cume_dist"
        case .ntile: "ntile"
        case .lag: "lag"
        case .lead: "lead"
        case .firstValue: "first_value"
        case .lastValue: "last_value"
        case .nthValue: "nth_value"
        case .aggregate(let call): call.function.rawValue
        }
    }
}

/// The rows around a row that a function sees.
package struct BoundFrame: Hashable, Sendable {
    package indirect enum Bound: Hashable, Sendable {
        case unboundedPreceding
        case currentRow
        case unboundedFollowing
        /// So many rows or groups before (negative direction) or after the current one: a constant
        /// int64, not NULL and not negative.
        case offset(BoundExpression, isPreceding: Bool)
        /// Rows whose sort key reaches `limit` (the key less or more the offset). `key` and `limit`
        /// are over the input, of one type; `offset` is checked for its sign.
        case distance(
            key: BoundExpression, limit: BoundExpression, offset: BoundExpression,
            isPreceding: Bool)
    }

    package var unit: FrameUnit
    package var start: Bound
    package var end: Bound
    package var exclusion: FrameExclusion

    /// From the first row of the partition to the last one with the sort key of the row.
    package static let standard = BoundFrame(
        unit: .range, start: .unboundedPreceding, end: .currentRow, exclusion: .none)

    package init(unit: FrameUnit, start: Bound, end: Bound, exclusion: FrameExclusion) {
        self.unit = unit
        self.start = start
        self.end = end
        self.exclusion = exclusion
    }

    package var expressions: [BoundExpression] {
        [start, end].flatMap { bound -> [BoundExpression] in
            switch bound {
            case .offset(let offset, _): [offset]
            case .distance(let key, let limit, let offset, _): [key, limit, offset]
            default: []
            }
        }
    }

    package func mapExpressions(
        _ transform: (BoundExpression) -> BoundExpression
    ) -> BoundFrame {
        func mapped(_ bound: Bound) -> Bound {
            switch bound {
            case .offset(let offset, let isPreceding):
                .offset(transform(offset), isPreceding: isPreceding)
            case .distance(let key, let limit, let offset, let isPreceding):
                .distance(
                    key: transform(key), limit: transform(limit), offset: transform(offset),
                    isPreceding: isPreceding)
            default: bound
            }
        }
        return BoundFrame(
            unit: unit, start: mapped(start), end: mapped(end), exclusion: exclusion)
    }
}

package struct WindowCall: Hashable, Sendable {
    package var name: String
    package var function: OverFunction
    /// Of an aggregate: those of its call.
    package var arguments: [BoundExpression]
    package var filter: BoundExpression?
    package var frame: BoundFrame
    package var type: ColumnType

    package init(
        _ name: String, _ function: OverFunction, _ arguments: [BoundExpression],
        filter: BoundExpression? = nil, frame: BoundFrame, type: ColumnType
    ) {
        self.name = name
        self.function = function
        self.arguments = arguments
        self.filter = filter
        self.frame = frame
        self.type = type
    }

    /// `row_number()`
    package static let rowNumber = WindowCall(
        "row_number", .rowNumber, [], frame: .standard, type: .int64)

    package var expressions: [BoundExpression] {
        arguments + (filter.map { [$0] } ?? []) + frame.expressions
    }
}

/// Adds the results of window functions behind the input's columns. All calls of a node have the same
/// partitions and order; the rows come out partition by partition, those of each in that order.
package struct OverNode: Hashable, Sendable {
    package var input: LogicalPlan
    /// The columns of the input that the rows keep, in their order; nil for all.
    package var kept: [Int]?
    /// Only the first row of each partition is looked at, whose row_number() is 1: others may be left
    /// out.
    package var keepsFirst = false
    package var partitionBy: [BoundExpression]
    package var orderBy: [SortKey]
    package var calls: [WindowCall]

    package init(
        input: LogicalPlan, partitionBy: [BoundExpression], orderBy: [SortKey],
        calls: [WindowCall]
    ) {
        self.input = input
        self.partitionBy = partitionBy
        self.orderBy = orderBy
        self.calls = calls
    }

    /// The places of the input's columns that come out.
    package var keptColumns: [Int] { kept ?? Array(input.schema.fields.indices) }

    /// All expressions over the input.
    package var expressions: [BoundExpression] {
        partitionBy + orderBy.map(\.expression) + calls.flatMap(\.expressions)
    }

    package func mapExpressions(_ transform: (BoundExpression) -> BoundExpression) -> OverNode {
        var node = self
        node.partitionBy = partitionBy.map(transform)
        node.orderBy = orderBy.map {
            SortKey(
                transform($0.expression), isDescending: $0.isDescending, nullsFirst: $0.nullsFirst)
        }
        node.calls = calls.map { call in
            var call = call
            call.arguments = call.arguments.map(transform)
            call.filter = call.filter.map(transform)
            call.frame = call.frame.mapExpressions(transform)
            return call
        }
        return node
    }
}
