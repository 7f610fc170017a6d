// Arithmetic on double precision and real. Both are kept as 64-bit floats; real results are rounded
// to 32 bits. A finite operation that ends in infinity is an error, as in PostgreSQL.

import Base
import Columns
import Glibc

package enum FloatFunction: Sendable {
    case absolute, negate, sign, ceiling, floor, round, truncate, squareRoot, cubeRoot
    case exponential, naturalLogarithm, logarithm10
    case sine, cosine, tangent, arcSine, arcCosine, arcTangent, degrees, radians
    case hyperbolicSine, hyperbolicCosine, hyperbolicTangent
    case cotangent, areaSine, areaCosine, areaTangent
    case sineDegrees, cosineDegrees, tangentDegrees, cotangentDegrees
    case arcSineDegrees, arcCosineDegrees, arcTangentDegrees
}

enum FloatKernels {
    static func arithmetic(
        _ op: ArithmeticOperator, _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = Validity.intersection(left.validityFor(count), right.validityFor(count))
        let (a, b) = (left.doubles, right.doubles)
        // Results that are infinite, NaN or zero may be errors; they are looked at again.
        var special = false
        @inline(__always) func note(_ result: Double) -> Double {
            special = special || !result.isFinite || result == 0
            return result
        }
        var values: [Double] =
            switch op {
            case .add: mapPairs(a, b, count: count) { note($0 + $1) }
            case .subtract: mapPairs(a, b, count: count) { note($0 - $1) }
            case .multiply: mapPairs(a, b, count: count) { note($0 * $1) }
            case .divide: mapPairs(a, b, count: count) { note($0 / $1) }
            case .modulo:
                mapPairs(a, b, count: count) { note($0.truncatingRemainder(dividingBy: $1)) }
            }
        if type == .float32 {
            values = values.map { Double(Float($0)) }
            special = true
        }
        if special {
            for row in ValidRows(valid, count) {
                let (x, y) = (a.at(row), b.at(row))
                if op == .divide || op == .modulo, y == 0, !x.isNaN {
                    throw SQLErrors.divisionByZero
                }
                if values[row].isInfinite, !x.isInfinite, !y.isInfinite {
                    throw SQLErrors.floatOverflow
                }
                if values[row] == 0, x != 0,
                    op == .multiply && y != 0 || op == .divide && y.isFinite
                {
                    throw SQLErrors.floatUnderflow
                }
            }
        }
        return Column(type: type, data: .float64(values), validity: valid)
    }

    static func power(
        _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = Validity.intersection(left.validityFor(count), right.validityFor(count))
        let (a, b) = (left.doubles, right.doubles)
        let values = mapPairs(a, b, count: count) { pow($0, $1) }
        for row in ValidRows(valid, count) {
            let (x, y, result) = (a.at(row), b.at(row), values[row])
            if result.isFinite { continue }
            if x == 0, y < 0 {
                throw Problem(
                    "2201F", "zero raised to a negative power is undefined")
            }
            if result.isNaN, !x.isNaN, !y.isNaN {
                throw Problem(
                    "2201F",
                    "a negative number raised to a non-integer power yields a complex result"
                )
            }
            if result.isInfinite, x.isFinite, y.isFinite { throw SQLErrors.floatOverflow }
        }
        return Column(type: type, data: .float64(values), validity: valid)
    }

    static func arcTangent(_ y: Vector, _ x: Vector, count: Int) -> Column {
        Column(
            type: .float64,
            data: .float64(mapPairs(y.doubles, x.doubles, count: count) { atan2($0, $1) }),
            validity: Validity.intersection(y.validityFor(count), x.validityFor(count)))
    }

    static func arcTangentDegrees(_ y: Vector, _ x: Vector, count: Int) -> Column {
        Column(
            type: .float64,
            data: .float64(
                mapPairs(y.doubles, x.doubles, count: count) {
                    atan2($0, $1) / DegreeMath.arcTangentOfOne * 45
                }),
            validity: Validity.intersection(y.validityFor(count), x.validityFor(count)))
    }

    /// The logarithm of `argument` to `base`.
    static func logarithm(
        _ base: Vector, _ argument: Vector, count: Int
    ) throws(Problem) -> Column {
        let (bases, values) = (base.doubles, argument.doubles)
        let (results, valid) = try RowKernels.map([base, argument], count: count, zero: 0.0) {
            (row) throws(Problem) in
            let (base, value) = (bases.at(row), values.at(row))
            if base == 0 || value == 0 { throw Problem("2201E", "cannot take logarithm of zero") }
            if base < 0 || value < 0 {
                throw Problem("2201E", "cannot take logarithm of a negative number")
            }
            if base == 1 { throw SQLErrors.divisionByZero }
            // Base 2 and 10 are exact where the result is whole.
            if base == 2 { return log2(value) }
            if base == 10 { return log10(value) }
            return log(value) / log(base)
        }
        return Column(type: .float64, data: .float64(results), validity: valid)
    }

    static func unary(
        _ function: FloatFunction, _ argument: Vector, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let valid = argument.validityFor(count)
        let a = argument.doubles
        func faulty(_ fault: (Double) -> Bool) -> Bool {
            firstRow(count: count, valid: valid) { fault(a.at($0)) } != nil
        }
        let values: [Double]
        switch function {
        case .absolute: values = mapRows(a, count: count) { abs($0) }
        case .negate: values = mapRows(a, count: count) { -$0 }
        case .sign:
            values = mapRows(a, count: count) { $0 > 0 ? 1 : $0 < 0 ? -1 : 0 }
        case .ceiling: values = mapRows(a, count: count) { $0.rounded(.up) }
        case .floor: values = mapRows(a, count: count) { $0.rounded(.down) }
        // Halves go to the even neighbour: PostgreSQL's round(double precision) is rint().
        case .round: values = mapRows(a, count: count) { $0.rounded(.toNearestOrEven) }
        case .truncate: values = mapRows(a, count: count) { $0.rounded(.towardZero) }
        case .squareRoot:
            if faulty({ $0 < 0 }) {
                throw Problem("2201F", "cannot take square root of a negative number")
            }
            values = mapRows(a, count: count) { $0.squareRoot() }
        case .cubeRoot: values = mapRows(a, count: count) { cbrt($0) }
        case .exponential:
            values = mapRows(a, count: count) { exp($0) }
            let results = values
            let overflow = firstRow(count: count, valid: valid) {
                results[$0].isInfinite && a.at($0).isFinite
            }
            if overflow != nil { throw SQLErrors.floatOverflow }
        case .naturalLogarithm, .logarithm10:
            if faulty({ $0 == 0 }) {
                throw Problem("2201E", "cannot take logarithm of zero")
            }
            if faulty({ $0 < 0 }) {
                throw Problem("2201E", "cannot take logarithm of a negative number")
            }
            values =
                function == .naturalLogarithm
                ? mapRows(a, count: count) { log($0) } : mapRows(a, count: count) { log10($0) }
        case .sine, .cosine, .tangent, .cotangent:
            if faulty({ $0.isInfinite }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) {
                switch function {
                case .sine: sin($0)
                case .cosine: cos($0)
                case .tangent: tan($0)
                default: 1 / tan($0)
                }
            }
        case .arcSine, .arcCosine:
            if faulty({ $0 < -1 || $0 > 1 }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) { function == .arcSine ? asin($0) : acos($0) }
        case .arcTangent: values = mapRows(a, count: count) { atan($0) }
        case .hyperbolicSine: values = mapRows(a, count: count) { sinh($0) }
        case .hyperbolicCosine: values = mapRows(a, count: count) { cosh($0) }
        case .hyperbolicTangent: values = mapRows(a, count: count) { tanh($0) }
        case .areaSine: values = mapRows(a, count: count) { asinh($0) }
        case .areaCosine:
            if faulty({ $0 < 1 }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) { acosh($0) }
        case .areaTangent:
            if faulty({ $0 < -1 || $0 > 1 }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) { atanh($0) }
        case .sineDegrees, .cosineDegrees, .tangentDegrees, .cotangentDegrees:
            if faulty({ $0.isInfinite }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) {
                switch function {
                case .sineDegrees: DegreeMath.sine($0)
                case .cosineDegrees: DegreeMath.cosine($0)
                case .tangentDegrees: DegreeMath.tangent($0)
                default: DegreeMath.cotangent($0)
                }
            }
        case .arcSineDegrees, .arcCosineDegrees:
            if faulty({ $0 < -1 || $0 > 1 }) { throw Problem("22003", "input is out of range") }
            values = mapRows(a, count: count) {
                function == .arcSineDegrees ? DegreeMath.arcSine($0) : DegreeMath.arcCosine($0)
            }
        case .arcTangentDegrees:
            values = mapRows(a, count: count) { DegreeMath.arcTangent($0) }
        case .degrees: values = mapRows(a, count: count) { $0 * (180 / Double.pi) }
        case .radians: values = mapRows(a, count: count) { $0 * (Double.pi / 180) }
        }
        return Column(
            type: type,
            data: .float64(type == .float32 ? values.map { Double(Float($0)) } : values),
            validity: valid)
    }
}
