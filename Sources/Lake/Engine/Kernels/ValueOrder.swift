// The order of single values, for nested types, statistics, MIN and MAX of rare types and models in
// tests. Loops over rows use typed kernels.

import Base
import Columns

package enum ValueOrder {
    /// Negative when `left` comes first. NULLs are equal to each other and above all else, which is
    /// how they sort inside lists and structures.
    package static func compare(_ left: Value, _ right: Value) -> Int {
        switch (left, right) {
        case (.null, .null): 0
        case (.null, _): 1
        case (_, .null): -1
        case (.boolean(let a), .boolean(let b)): order(a ? 1 : 0, b ? 1 : 0)
        case (.int(let a), .int(let b)): order(a, b)
        case (.float(let a), .float(let b)): floats(a, b)
        case (.int(let a), .float(let b)): floats(Double(a), b)
        case (.float(let a), .int(let b)): floats(a, Double(b))
        case (.decimal(let a, let aScale), .decimal(let b, let bScale)):
            DecimalMath.compare(a, aScale, b, bScale)
        case (.int(let a), .decimal(let b, let scale)):
            DecimalMath.compare(Int128(a), 0, b, scale)
        case (.decimal(let a, let scale), .int(let b)):
            DecimalMath.compare(a, scale, Int128(b), 0)
        case (.text(let a), .text(let b)): bytes(a, b)
        case (.binary(let a), .binary(let b)): lists(a, b) { order($0, $1) }
        case (.date(let a), .date(let b)): order(a, b)
        case (.timestamp(let a), .timestamp(let b)), (.timestampTZ(let a), .timestampTZ(let b)),
            (.time(let a), .time(let b)):
            order(a, b)
        case (.interval(let a), .interval(let b)):
            order(a.comparisonMicroseconds, b.comparisonMicroseconds)
        case (.uuid(let a), .uuid(let b)): order(a, b)
        case (.json(let a), .json(let b)): a == b ? 0 : JSONOrder.compare(a, b)
        case (.list(let a), .list(let b)), (.structure(let a), .structure(let b)):
            lists(a, b, compare)
        case (.map(let a), .map(let b)):
            lists(a, b) {
                let keys = compare($0.key, $1.key)
                return keys != 0 ? keys : compare($0.value, $1.value)
            }
        default: order(rank(left), rank(right))
        }
    }

    /// Bytewise.
    static func bytes(_ a: String, _ b: String) -> Int {
        var (left, right) = (a, b)
        return left.withUTF8 { x in
            right.withUTF8 { y in
                compareBytes(UnsafeRawBufferPointer(x), UnsafeRawBufferPointer(y))
            }
        }
    }

    @inline(__always)
    static func order<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a == b ? 0 : 1 }

    /// NaN equals itself and is above all numbers.
    @inline(__always)
    static func floats(_ a: Double, _ b: Double) -> Int {
        if a < b { return -1 }
        if a > b { return 1 }
        return order(a.isNaN ? 1 : 0, b.isNaN ? 1 : 0)
    }

    private static func lists<T>(_ a: [T], _ b: [T], _ compare: (T, T) -> Int) -> Int {
        for (x, y) in zip(a, b) {
            let result = compare(x, y)
            if result != 0 { return result }
        }
        return order(a.count, b.count)
    }

    /// Values of different kinds do not meet in one column; any fixed order will do.
    private static func rank(_ value: Value) -> Int {
        switch value {
        case .null: 0
        case .boolean: 1
        case .int: 2
        case .float: 3
        case .decimal: 4
        case .text: 5
        case .binary: 6
        case .date: 7
        case .timestamp, .time: 8
        case .timestampTZ: 9
        case .interval: 10
        case .uuid: 11
        case .json: 12
        case .list: 13
        case .structure: 14
        case .map: 15
        case .variant: 16
        }
    }
}
