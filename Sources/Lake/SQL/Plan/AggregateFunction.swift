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
    /// (text key, any value) → json object; a key that comes again replaces the one before
    case jsonObjectAgg
    /// (T) → T; T: int16, int32, int64
    case bitAnd, bitOr, bitXor
    /// (float64 y, float64 x) → float64, over rows in which neither is NULL
    case correlation, covariancePopulation, covarianceSample
    case regressionAverageX, regressionAverageY, regressionIntercept, regressionR2
    case regressionSlope, regressionSXX, regressionSXY, regressionSYY
    /// (float64 y, float64 x) → int64
    case regressionCount
    /// (float64, float64 fraction or list of them) → float64 or list: ordered-set, interpolates
    case percentileContinuous
    /// (T, float64 fraction or list of them) → T or list: ordered-set, one of the values
    case percentileDiscrete
    /// (T) → T: ordered-set, the most frequent value, the first of several
    case mode
    /// (T) → T, the first or last value in the order of `orderBy`, NULLs included
    case first, last
    /// (T) → T, the first value that is not NULL
    case anyValue
    /// (T, U) → T: the value of the first row whose second argument is the least or the greatest
    case argumentOfLeast, argumentOfGreatest
    /// (any) → int64: a HyperLogLog sketch of 16 KiB a group, about 0.8 % off
    case approximateCountDistinct
    /// (float64, float64 fraction) → float64: a t-digest of at most a few KiB a group
    case approximatePercentile
}

extension AggregateFunction {
    /// Called with WITHIN GROUP: its first argument is what it orders.
    package var isOrderedSet: Bool {
        self == .percentileContinuous || self == .percentileDiscrete || self == .mode
    }
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
