// numeric: 128-bit integers scaled by a power of ten, at most 38 digits.

import Base
import Columns

package enum DecimalMath {
    package static let digitsMax = 38

    /// 10^0 … 10^38
    static let powers: [Int128] = {
        var powers: [Int128] = [1]
        for _ in 0..<digitsMax { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()

    /// The lowest number that has more than 38 digits.
    static let bound = powers[digitsMax]

    @inline(__always)
    static func isTooLarge(_ value: Int128) -> Bool { value >= bound || value <= -bound }

    /// value / 10^digits, halves away from zero.
    package static func divideByPower(_ value: Int128, _ digits: Int) -> Int128 {
        if digits <= 0 { return value }
        if digits > digitsMax { return 0 }
        let divisor = powers[digits]
        let (quotient, rest) = value.quotientAndRemainder(dividingBy: divisor)
        // 2 · rest cannot overflow for divisors below 10^38.
        let half = rest.magnitude >= divisor.magnitude - rest.magnitude
        return half ? quotient + (value < 0 ? -1 : 1) : quotient
    }

    /// The number with `to` instead of `from` digits behind the point; nil when it gets too large.
    package static func rescale(_ value: Int128, from: Int, to: Int) -> Int128? {
        if to == from { return value }
        if to < from { return divideByPower(value, from - to) }
        if value == 0 { return 0 }
        guard to - from <= digitsMax else { return nil }
        let (product, overflow) = value.multipliedReportingOverflow(by: powers[to - from])
        return overflow || isTooLarge(product) ? nil : product
    }

    /// left · right with `scale` digits, where the factors' scales sum up to `exactScale`.
    static func multiply(
        _ left: Int128, _ right: Int128, exactScale: Int, scale: Int
    ) -> Int128? {
        let (product, overflow) = left.multipliedReportingOverflow(by: right)
        if !overflow { return rescale(product, from: exactScale, to: scale).flatMap(checked) }
        guard exactScale > scale else { return nil }
        let wide = left.magnitude.multipliedFullWidth(by: right.magnitude)
        let divisor = powers[min(exactScale - scale, digitsMax)].magnitude
        return divide(
            wide.high, wide.low, by: divisor, isNegative: (left < 0) != (right < 0))
    }

    /// left / right with `scale` digits. The divisor must not be zero.
    package static func divide(
        _ left: Int128, scale leftScale: Int, by right: Int128, scale rightScale: Int,
        resultScale: Int
    ) -> Int128? {
        // result = left · 10^shift / right
        let shift = resultScale - leftScale + rightScale
        let isNegative = (left < 0) != (right < 0)
        if shift <= 0 {
            guard -shift <= digitsMax else { return 0 }
            let (divisor, overflow) = right.magnitude.multipliedReportingOverflow(
                by: powers[-shift].magnitude)
            if overflow { return 0 }
            return divide(0, left.magnitude, by: divisor, isNegative: isNegative)
        }
        if shift > digitsMax { return left == 0 ? 0 : nil }
        let wide = left.magnitude.multipliedFullWidth(by: powers[shift].magnitude)
        return divide(wide.high, wide.low, by: right.magnitude, isNegative: isNegative)
    }

    /// A 256-bit number by a 128-bit one, halves away from zero; nil beyond 38 digits.
    private static func divide(
        _ high: UInt128, _ low: UInt128, by divisor: UInt128, isNegative: Bool
    ) -> Int128? {
        guard high < divisor else { return nil }
        var (quotient, rest) =
            high == 0
            ? low.quotientAndRemainder(dividingBy: divisor)
            : divideWide(high, low, by: divisor)
        if rest >= divisor - rest {
            guard quotient < .max else { return nil }
            quotient += 1
        }
        guard quotient < bound.magnitude else { return nil }
        rest = 0
        return isNegative ? -Int128(quotient) : Int128(quotient)
    }

    /// Schoolbook division bit by bit; only for dividends beyond 128 bits, which are rare.
    private static func divideWide(
        _ high: UInt128, _ low: UInt128, by divisor: UInt128
    ) -> (UInt128, UInt128) {
        var rest = high
        var quotient: UInt128 = 0
        for bit in stride(from: 127, through: 0, by: -1) {
            let carry = rest >> 127
            rest = rest << 1 | (low >> UInt128(bit) & 1)
            quotient <<= 1
            if carry == 1 || rest >= divisor {
                rest = rest &- divisor
                quotient |= 1
            }
        }
        return (quotient, rest)
    }

    private static func checked(_ value: Int128) -> Int128? { isTooLarge(value) ? nil : value }

    /// The order of two numbers of different scales, exactly.
    static func compare(_ a: Int128, _ aScale: Int, _ b: Int128, _ bScale: Int) -> Int {
        if aScale == bScale { return a < b ? -1 : a == b ? 0 : 1 }
        if aScale > bScale { return -compare(b, bScale, a, aScale) }
        // A number that does not fit after scaling up is larger than anything that does.
        let (scaled, overflow) = a.multipliedReportingOverflow(by: powers[bScale - aScale])
        if overflow { return a < 0 ? -1 : 1 }
        return scaled < b ? -1 : scaled == b ? 0 : 1
    }

    /// The nearest double.
    package static func double(_ value: Int128, scale: Int) -> Double {
        if scale == 0 { return Double(value) }
        // Exact when both parts fit 53 bits, which is the usual case.
        if value.magnitude < 1 << 53, scale <= 22 {
            return Double(Int64(value)) / exactPowers[scale]
        }
        return Double(NumberText.decimal(value, scale: scale)) ?? 0
    }

    /// 10^0 … 10^22 are exact as doubles.
    private static let exactPowers: [Double] = {
        var powers: [Double] = [1]
        for _ in 0..<22 { powers.append(powers[powers.count - 1] * 10) }
        return powers
    }()
}
