import Base
import Columns
import SQL

/// The state of one aggregate for all groups. Groups are numbered from 0; rows arrive as columns
/// beside the number of the group of each row.
protocol Accumulator: AnyObject {
    /// Makes room for groups below `groups`.
    func grow(to groups: Int)
    /// Takes rows in. The columns have one row for each entry of `groups`.
    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem)
    /// The result of each group.
    func finish() throws(Problem) -> Column
    var memoryBytes: Int { get }
}

enum AccumulatorFactory {
    static func make(_ call: AggregateCall) throws(Problem) -> any Accumulator {
        let argument = call.arguments.first?.type ?? .null
        switch call.function {
        case .countStar: return CountAccumulator(countsNulls: true)
        case .count: return CountAccumulator(countsNulls: false)
        case .sum: return try sum(argument, call.type)
        case .average: return try average(argument, call.type)
        case .minimum, .maximum:
            return extreme(call.type, wantsGreatest: call.function == .maximum)
        case .standardDeviationSample:
            return VarianceAccumulator(isSample: true, takesRoot: true)
        case .standardDeviationPopulation:
            return VarianceAccumulator(isSample: false, takesRoot: true)
        case .varianceSample: return VarianceAccumulator(isSample: true, takesRoot: false)
        case .variancePopulation: return VarianceAccumulator(isSample: false, takesRoot: false)
        case .boolAnd: return BooleanAccumulator(isConjunction: true)
        case .boolOr: return BooleanAccumulator(isConjunction: false)
        case .stringAgg: return TextAccumulator(call.type)
        case .arrayAgg: return ListAccumulator(call.type)
        case .jsonAgg: return JSONAccumulator()
        case .jsonObjectAgg: return JSONObjectAccumulator()
        case .bitAnd, .bitOr, .bitXor: return BitAccumulator(call.function, call.type)
        case .correlation, .covariancePopulation, .covarianceSample, .regressionAverageX,
            .regressionAverageY, .regressionIntercept, .regressionR2, .regressionSlope,
            .regressionSXX, .regressionSXY, .regressionSYY, .regressionCount:
            return PairAccumulator(call.function)
        case .percentileContinuous, .percentileDiscrete, .mode:
            throw SQLErrors.unsupported("\(call.function.rawValue) of rows without an order")
        case .first: return EdgeAccumulator(call.type, keepsFirst: true)
        case .last: return EdgeAccumulator(call.type, keepsFirst: false)
        case .anyValue:
            return EdgeAccumulator(call.type, keepsFirst: true, skipsNulls: true)
        case .argumentOfLeast, .argumentOfGreatest:
            return ArgumentAccumulator(
                call.type, wantsGreatest: call.function == .argumentOfGreatest)
        case .approximateCountDistinct: return DistinctSketchAccumulator()
        case .approximatePercentile: return PercentileSketchAccumulator()
        }
    }

    private static func sum(
        _ argument: ColumnType, _ type: ColumnType
    ) throws(Problem) -> any Accumulator {
        switch argument {
        case .int16, .int32: return SumAccumulator(IntegerSum(), type)
        case .int64, .decimal: return SumAccumulator(WideSum(argument), type)
        case .float32, .float64:
            return SumAccumulator(FloatSum(isSingle: argument == .float32), type)
        case .interval: return SumAccumulator(IntervalSum(), type)
        default: throw SQLErrors.unsupported("sum of \(argument.sqlName)")
        }
    }

    private static func average(
        _ argument: ColumnType, _ type: ColumnType
    ) throws(Problem) -> any Accumulator {
        switch argument {
        case .int16, .int32: return AverageAccumulator(IntegerSum(), type)
        case .int64, .decimal: return AverageAccumulator(WideSum(argument), type)
        case .float32, .float64: return AverageAccumulator(FloatSum(isSingle: false), type)
        case .interval: return AverageAccumulator(IntervalSum(), type)
        default: throw SQLErrors.unsupported("avg of \(argument.sqlName)")
        }
    }

    private static func extreme(
        _ type: ColumnType, wantsGreatest: Bool
    ) -> any Accumulator {
        switch type {
        case .boolean:
            ExtremeAccumulator<UInt8>(type, 0, { .boolean($0) }) { column, groups, best, seen in
                guard case .boolean(let values) = column.data else { return }
                takeExtremes(
                    values, column.validity, groups, wantsGreatest: wantsGreatest, &best, &seen)
            }
        case .int16, .int32, .date:
            ExtremeAccumulator<Int32>(type, 0, { .int32($0) }) { column, groups, best, seen in
                guard case .int32(let values) = column.data else { return }
                takeExtremes(
                    values, column.validity, groups, wantsGreatest: wantsGreatest, &best, &seen)
            }
        case .int64, .time, .timestamp, .timestampTZ:
            ExtremeAccumulator<Int64>(type, 0, { .int64($0) }) { column, groups, best, seen in
                guard case .int64(let values) = column.data else { return }
                takeExtremes(
                    values, column.validity, groups, wantsGreatest: wantsGreatest, &best, &seen)
            }
        case .decimal:
            ExtremeAccumulator<Int128>(type, 0, { .int128($0) }) { column, groups, best, seen in
                guard case .int128(let values) = column.data else { return }
                takeExtremes(
                    values, column.validity, groups, wantsGreatest: wantsGreatest, &best, &seen)
            }
        case .float32, .float64:
            ExtremeAccumulator<UInt64>(type, 0, { .float64($0.map(FloatOrder.number)) }) {
                column, groups, best, seen in
                guard case .float64(let values) = column.data else { return }
                takeExtremes(
                    values.map(FloatOrder.ordered), column.validity, groups,
                    wantsGreatest: wantsGreatest, &best, &seen)
            }
        case .text, .binary: ExtremeTextAccumulator(type, wantsGreatest: wantsGreatest)
        default: ExtremeValueAccumulator(type, wantsGreatest: wantsGreatest)
        }
    }
}

/// Which groups have seen a value: the others' result is NULL.
struct SeenGroups {
    private var flags: [UInt8] = []
    /// All groups have seen one, so that nothing is to be marked.
    private var isComplete = false

    var count: Int { flags.count }

    mutating func grow(to groups: Int) {
        if groups > flags.count {
            isComplete = false
            flags.append(contentsOf: repeatElement(0, count: groups - flags.count))
        }
    }

    @inline(__always)
    mutating func mark(_ group: Int) { flags[group] = 1 }

    /// Marks the groups of the rows that are not NULL.
    mutating func mark(_ column: Column, _ groups: [Int32]) {
        if isComplete { return }
        let valid = column.fullValidity
        flags.withUnsafeMutableBufferPointer { flags in
            for row in ValidRows(valid, groups.count) { flags[Int(groups[row])] = 1 }
        }
        // Few groups are looked through at once; many are not worth it.
        isComplete = flags.count <= groups.count && !flags.contains(0)
    }

    @inline(__always)
    subscript(group: Int) -> Bool { flags[group] != 0 }

    @inline(__always)
    mutating func withFlags(_ body: (UnsafeMutableBufferPointer<UInt8>) -> Void) {
        flags.withUnsafeMutableBufferPointer { body($0) }
    }

    /// nil when all have.
    var validity: Validity? {
        flags.contains(0) ? Validity(flags.map { $0 != 0 }) : nil
    }
}

extension Array {
    /// Appends `value` until there are `count` elements.
    mutating func grow(to count: Int, _ value: Element) {
        if count > self.count {
            append(contentsOf: repeatElement(value, count: count - self.count))
        }
    }
}

final class CountAccumulator: Accumulator {
    private var counts: [Int64] = []
    private let countsNulls: Bool

    init(countsNulls: Bool) { self.countsNulls = countsNulls }

    func grow(to groups: Int) { counts.grow(to: groups, 0) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let valid = countsNulls ? nil : arguments.first?.fullValidity
        if counts.count == 1 {
            counts[0] += Int64(valid?.validCount ?? groups.count)
            return
        }
        counts.withUnsafeMutableBufferPointer { counts in
            for row in ValidRows(valid, groups.count) { counts[Int(groups[row])] &+= 1 }
        }
    }

    func finish() throws(Problem) -> Column { Column(type: .int64, data: .int64(counts)) }

    var memoryBytes: Int { counts.heldCount * 8 }
}

final class BooleanAccumulator: Accumulator {
    private let isConjunction: Bool
    private var results: [UInt8] = []
    private var seen = SeenGroups()

    init(isConjunction: Bool) { self.isConjunction = isConjunction }

    func grow(to groups: Int) {
        results.grow(to: groups, isConjunction ? 1 : 0)
        seen.grow(to: groups)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        guard case .boolean(let values) = arguments[0].data else { return }
        let valid = arguments[0].validity
        seen.mark(arguments[0], groups)
        for row in ValidRows(valid, groups.count) {
            let group = Int(groups[row])
            if isConjunction {
                results[group] &= values[row]
            } else {
                results[group] |= values[row]
            }
        }
    }

    func finish() throws(Problem) -> Column {
        Column(type: .boolean, data: .boolean(results), validity: seen.validity)
    }

    var memoryBytes: Int { results.heldCount * 2 }
}

/// Variance by the method of Youngs and Cramer, which stays exact where the naive sum of squares
/// loses all digits.
final class VarianceAccumulator: Accumulator {
    private struct State {
        var count = 0.0
        var sum = 0.0
        var squares = 0.0
    }

    private let isSample: Bool
    private let takesRoot: Bool
    private var states: [State] = []

    init(isSample: Bool, takesRoot: Bool) {
        self.isSample = isSample
        self.takesRoot = takesRoot
    }

    func grow(to groups: Int) { states.grow(to: groups, State()) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        guard case .float64(let values) = arguments[0].data else { return }
        let valid = arguments[0].validity
        for row in ValidRows(valid, groups.count) {
            let group = Int(groups[row])
            var state = states[group]
            let value = values[row]
            state.count += 1
            state.sum += value
            if state.count > 1 {
                let distance = value * state.count - state.sum
                state.squares += distance * distance / (state.count * (state.count - 1))
            } else if !value.isFinite {
                state.squares = .nan
            }
            states[group] = state
        }
    }

    func finish() throws(Problem) -> Column {
        var values: [Double] = []
        var flags: [Bool] = []
        for state in states {
            let divisor = isSample ? state.count - 1 : state.count
            flags.append(divisor > 0)
            let variance = divisor > 0 ? state.squares / divisor : 0
            values.append(takesRoot ? variance.squareRoot() : variance)
        }
        return Column(type: .float64, data: .float64(values), validity: Validity(flags))
    }

    var memoryBytes: Int { states.heldCount * 24 }
}
