import Columns

/// An aggregate function after binding. NULL inputs are skipped unless the comment says otherwise;
/// over no rows the result is NULL, counts apart.
package enum AggregateFunction: String, CaseIterable, Hashable, Sendable {
    /// () → int64, all rows
    case countStar
    /// (any) → int64, rows that are not NULL
    case count
    /// int16, int32 → int64; int64 → decimal(38,0); decimal(p,s) → decimal(38,s); floats and
    /// intervals keep their type
    case sum
    /// integers → decimal(38,16); decimal(p,s) → decimal(38,max(16,s)); floats → float64; interval
    case average
    /// (T) → T
    case minimum, maximum
    /// (float64) → float64
    case standardDeviationSample, standardDeviationPopulation, varianceSample, variancePopulation
    /// (boolean) → boolean
    case boolAnd, boolOr
    /// (text, text separator) → text, in the order of `orderBy`
    case stringAgg
    /// (T) → list of T, in the order of `orderBy`; keeps NULLs
    case arrayAgg
    /// (any) → json array, in the order of `orderBy`; keeps NULLs
    case jsonAgg
    /// (T) → T, the first or last value in the order of `orderBy`, NULLs included
    case first, last
}

/// One aggregate of an aggregation.
package struct AggregateCall: Hashable, Sendable {
    package var function: AggregateFunction
    package var arguments: [BoundExpression]
    package var isDistinct: Bool
    /// Only rows for which this is true take part.
    package var filter: BoundExpression?
    package var orderBy: [SortKey]
    package var type: ColumnType

    package init(
        _ function: AggregateFunction, _ arguments: [BoundExpression], isDistinct: Bool = false,
        filter: BoundExpression? = nil, orderBy: [SortKey] = [], type: ColumnType
    ) {
        self.function = function
        self.arguments = arguments
        self.isDistinct = isDistinct
        self.filter = filter
        self.orderBy = orderBy
        self.type = type
    }
}
