// Aggregates over pairs of numbers, and over bits.

import Base
import Columns
import SQL

/// Correlation, covariance and linear regression by the method of Youngs and Cramer.
final class PairAccumulator: Accumulator {
    private struct State {
        var count = 0.0
        var sumX = 0.0
        var sumY = 0.0
        var squaresX = 0.0
        var squaresY = 0.0
        var products = 0.0
    }

    private let function: AggregateFunction
    private var states: [State] = []

    init(_ function: AggregateFunction) { self.function = function }

    func grow(to groups: Int) { states.grow(to: groups, State()) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        guard case .float64(let ys) = arguments[0].flattened.data,
            case .float64(let xs) = arguments[1].flattened.data
        else { return }
        let valid = Validity.intersection(arguments[0].fullValidity, arguments[1].fullValidity)
        for row in ValidRows(valid, groups.count) {
            var state = states[Int(groups[row])]
            let (x, y) = (xs[row], ys[row])
            state.count += 1
            state.sumX += x
            state.sumY += y
            if state.count > 1 {
                let distanceX = x * state.count - state.sumX
                let distanceY = y * state.count - state.sumY
                let scale = 1 / (state.count * (state.count - 1))
                state.squaresX += distanceX * distanceX * scale
                state.squaresY += distanceY * distanceY * scale
                state.products += distanceX * distanceY * scale
            } else {
                if !x.isFinite { (state.squaresX, state.products) = (.nan, .nan) }
                if !y.isFinite { (state.squaresY, state.products) = (.nan, .nan) }
            }
            states[Int(groups[row])] = state
        }
    }

    func finish() throws(Problem) -> Column {
        if function == .regressionCount {
            return Column(type: .int64, data: .int64(states.map { Int64($0.count) }))
        }
        let values = states.map(result)
        return Column(
            type: .float64, data: .float64(values.map { $0 ?? 0 }),
            validity: Validity(values.map { $0 != nil }))
    }

    private func result(_ state: State) -> Double? {
        let count = state.count
        guard count > 0 else { return nil }
        switch function {
        case .covariancePopulation: return state.products / count
        case .covarianceSample: return count > 1 ? state.products / (count - 1) : nil
        case .correlation:
            guard state.squaresX != 0, state.squaresY != 0 else { return nil }
            return state.products / (state.squaresX * state.squaresY).squareRoot()
        case .regressionAverageX: return state.sumX / count
        case .regressionAverageY: return state.sumY / count
        case .regressionSXX: return state.squaresX
        case .regressionSYY: return state.squaresY
        case .regressionSXY: return state.products
        case .regressionSlope: return state.squaresX != 0 ? state.products / state.squaresX : nil
        case .regressionIntercept:
            guard state.squaresX != 0 else { return nil }
            return (state.sumY - state.sumX * state.products / state.squaresX) / count
        case .regressionR2:
            guard state.squaresX != 0 else { return nil }
            guard state.squaresY != 0 else { return 1 }
            return state.products * state.products / (state.squaresX * state.squaresY)
        default: return nil
        }
    }

    var memoryBytes: Int { states.heldCount * 48 }
}

/// bit_and, bit_or, bit_xor.
final class BitAccumulator: Accumulator {
    private let function: AggregateFunction
    private let type: ColumnType
    private var values: [Int64] = []
    private var seen = SeenGroups()

    init(_ function: AggregateFunction, _ type: ColumnType) {
        self.function = function
        self.type = type
    }

    func grow(to groups: Int) {
        values.grow(to: groups, function == .bitAnd ? -1 : 0)
        seen.grow(to: groups)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let column = arguments[0].flattened
        seen.mark(column, groups)
        for row in ValidRows(column.fullValidity, groups.count) {
            let value: Int64
            switch column.data {
            case .int32(let values): value = Int64(values[row])
            case .int64(let values): value = values[row]
            default: return
            }
            let group = Int(groups[row])
            switch function {
            case .bitAnd: values[group] &= value
            case .bitOr: values[group] |= value
            default: values[group] ^= value
            }
        }
    }

    func finish() throws(Problem) -> Column {
        let data: ColumnData =
            type == .int64
            ? .int64(values) : .int32(values.map { Int32(truncatingIfNeeded: $0) })
        return Column(type: type, data: data, validity: seen.validity)
    }

    var memoryBytes: Int { values.heldCount * 9 }
}
