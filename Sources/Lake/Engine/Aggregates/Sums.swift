// Sums and averages. Each kind of number has its own running sum; sum() and avg() share them.

import Base
import Columns

/// Running sums of one kind of number.
protocol RunningSum {
    mutating func grow(to groups: Int)
    /// Adds the rows that are not NULL.
    mutating func add(_ column: Column, _ groups: [Int32]) throws(Problem)
    /// The sums as values of `type`; of groups without rows they mean nothing.
    func sums(_ type: ColumnType) throws(Problem) -> ColumnData
    /// The sums divided by `counts`, which may be zero.
    func averages(_ counts: [Int64], _ type: ColumnType) throws(Problem) -> ColumnData
    var memoryBytes: Int { get }
}

final class SumAccumulator<Sum: RunningSum>: Accumulator {
    private var sum: Sum
    private let type: ColumnType
    private var seen = SeenGroups()

    init(_ sum: Sum, _ type: ColumnType) {
        self.sum = sum
        self.type = type
    }

    func grow(to groups: Int) {
        sum.grow(to: groups)
        seen.grow(to: groups)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        try sum.add(arguments[0], groups)
        seen.mark(arguments[0], groups)
    }

    func finish() throws(Problem) -> Column {
        Column(type: type, data: try sum.sums(type), validity: seen.validity)
    }

    var memoryBytes: Int { sum.memoryBytes + seen.count }
}

final class AverageAccumulator<Sum: RunningSum>: Accumulator {
    private var sum: Sum
    private let type: ColumnType
    /// The arguments are sums and counts of parts of the rows.
    private let merges: Bool
    private var counts: [Int64] = []

    init(_ sum: Sum, _ type: ColumnType, merges: Bool = false) {
        self.sum = sum
        self.type = type
        self.merges = merges
    }

    func grow(to groups: Int) {
        sum.grow(to: groups)
        counts.grow(to: groups, 0)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        try sum.add(arguments[0], groups)
        if merges { return counts.add(arguments[1], groups) }
        let valid = arguments[0].fullValidity
        counts.withUnsafeMutableBufferPointer { counts in
            for row in ValidRows(valid, groups.count) { counts[Int(groups[row])] &+= 1 }
        }
    }

    func finish() throws(Problem) -> Column {
        Column(
            type: type, data: try sum.averages(counts, type),
            validity: counts.contains(0) ? Validity(counts.map { $0 > 0 }) : nil)
    }

    var memoryBytes: Int { sum.memoryBytes + counts.heldCount * 8 }
}

/// smallint and integer: 64-bit sums. 2^32 rows of the largest integer still fit; more are checked.
struct IntegerSum: RunningSum {
    private var totals: [Int64] = []

    mutating func grow(to groups: Int) { totals.grow(to: groups, 0) }

    mutating func add(_ column: Column, _ groups: [Int32]) throws(Problem) {
        switch column.data {
        case .int32(let values): try add(values, column.validity, groups)
        // Sums of parts.
        case .int64(let values): try add(values, column.validity, groups)
        default: break
        }
    }

    @inline(__always)
    private mutating func add<T: FixedWidthInteger>(
        _ values: [T], _ valid: Validity?, _ groups: [Int32]
    ) throws(Problem) {
        var overflows = false
        totals.withUnsafeMutableBufferPointer { totals in
            for row in ValidRows(valid, groups.count) {
                let group = Int(groups[row])
                let (sum, overflow) = totals[group].addingReportingOverflow(Int64(values[row]))
                totals[group] = sum
                overflows = overflows || overflow
            }
        }
        if overflows { throw SQLErrors.outOfRange("bigint") }
    }

    func sums(_ type: ColumnType) throws(Problem) -> ColumnData { .int64(totals) }

    func averages(_ counts: [Int64], _ type: ColumnType) throws(Problem) -> ColumnData {
        let wide = totals.map { Int128($0) }
        return .int128(try WideSum.divide(wide, 0, counts, type))
    }

    var memoryBytes: Int { totals.heldCount * 8 }
}

/// bigint and numeric: 128-bit sums.
struct WideSum: RunningSum {
    private var totals: [Int128] = []
    private let scale: Int

    init(_ type: ColumnType) { scale = DecimalKernels.scale(type) }

    mutating func grow(to groups: Int) { totals.grow(to: groups, 0) }

    mutating func add(_ column: Column, _ groups: [Int32]) throws(Problem) {
        let valid = column.validity
        var overflows = false
        switch column.data {
        case .int64(let values):
            totals.withUnsafeMutableBufferPointer { totals in
                // 2^64 rows of 64 bits fit 128 bits.
                for row in ValidRows(valid, groups.count) {
                    totals[Int(groups[row])] &+= Int128(values[row])
                }
            }
        case .int128(let values) where valid == nil && totals.count <= Self.fewGroups:
            overflows = addToFew(values, groups)
        case .int128(let values):
            totals.withUnsafeMutableBufferPointer { totals in
                for row in ValidRows(valid, groups.count) {
                    let group = Int(groups[row])
                    let (sum, overflow) = totals[group].addingReportingOverflow(values[row])
                    totals[group] = sum
                    overflows = overflows || overflow
                }
            }
        default: break
        }
        if overflows { throw SQLErrors.numericOverflow }
    }

    /// Up to so many groups have several running sums each.
    private static let fewGroups = 64

    /// Neighbouring rows of one group are added to different sums, so that none waits for the one
    /// before. True when a sum overflows.
    private mutating func addToFew(_ values: [Int128], _ groups: [Int32]) -> Bool {
        let width = totals.count
        var overflows = false
        var sums = [Int128](repeating: 0, count: width * 4)
        sums.withUnsafeMutableBufferPointer { sums in
            values.withUnsafeBufferPointer { values in
                groups.withUnsafeBufferPointer { groups in
                    for row in 0..<groups.count {
                        let place = Int(groups[row]) &+ (row & 3) &* width
                        let (sum, overflow) = sums[place].addingReportingOverflow(values[row])
                        sums[place] = sum
                        overflows = overflows || overflow
                    }
                }
            }
            for place in 0..<(width * 4) {
                let (sum, overflow) = totals[place % width].addingReportingOverflow(sums[place])
                totals[place % width] = sum
                overflows = overflows || overflow
            }
        }
        return overflows
    }

    func sums(_ type: ColumnType) throws(Problem) -> ColumnData {
        var results: [Int128] = []
        for total in totals {
            guard
                let result = DecimalMath.rescale(
                    total, from: scale, to: DecimalKernels.scale(type)),
                !DecimalMath.isTooLarge(result)
            else { throw SQLErrors.numericOverflow }
            results.append(result)
        }
        return .int128(results)
    }

    func averages(_ counts: [Int64], _ type: ColumnType) throws(Problem) -> ColumnData {
        .int128(try Self.divide(totals, scale, counts, type))
    }

    static func divide(
        _ totals: [Int128], _ scale: Int, _ counts: [Int64], _ type: ColumnType
    ) throws(Problem) -> [Int128] {
        var results: [Int128] = []
        let resultScale = DecimalKernels.scale(type)
        for (total, count) in zip(totals, counts) {
            if count == 0 {
                results.append(0)
                continue
            }
            guard
                let average = DecimalMath.divide(
                    total, scale: scale, by: Int128(count), scale: 0, resultScale: resultScale)
            else { throw SQLErrors.numericOverflow }
            results.append(average)
        }
        return results
    }

    var memoryBytes: Int { totals.heldCount * 16 }
}

struct FloatSum: RunningSum {
    private var totals: [Double] = []
    /// Sums of real are rounded to real after each step, as PostgreSQL does.
    private let isSingle: Bool

    init(isSingle: Bool) { self.isSingle = isSingle }

    mutating func grow(to groups: Int) { totals.grow(to: groups, 0) }

    mutating func add(_ column: Column, _ groups: [Int32]) throws(Problem) {
        guard case .float64(let values) = column.data else { return }
        let valid = column.validity
        var overflows = false
        totals.withUnsafeMutableBufferPointer { totals in
            for row in ValidRows(valid, groups.count) {
                let group = Int(groups[row])
                let before = totals[group]
                let sum = isSingle ? Double(Float(before + values[row])) : before + values[row]
                totals[group] = sum
                overflows = overflows || (sum.isInfinite && before.isFinite && values[row].isFinite)
            }
        }
        if overflows { throw SQLErrors.floatOverflow }
    }

    func sums(_ type: ColumnType) throws(Problem) -> ColumnData { .float64(totals) }

    func averages(_ counts: [Int64], _ type: ColumnType) throws(Problem) -> ColumnData {
        .float64(zip(totals, counts).map { $1 == 0 ? 0 : $0 / Double($1) })
    }

    var memoryBytes: Int { totals.heldCount * 8 }
}

struct IntervalSum: RunningSum {
    private var totals: [Interval] = []

    mutating func grow(to groups: Int) { totals.grow(to: groups, Interval()) }

    mutating func add(_ column: Column, _ groups: [Int32]) throws(Problem) {
        guard case .interval(let values) = column.data else { return }
        let valid = column.validity
        for row in ValidRows(valid, groups.count) {
            let group = Int(groups[row])
            guard let sum = DateTimeKernels.add(totals[group], values[row]) else {
                throw SQLErrors.intervalOutOfRange
            }
            totals[group] = sum
        }
    }

    func sums(_ type: ColumnType) throws(Problem) -> ColumnData { .interval(totals) }

    func averages(_ counts: [Int64], _ type: ColumnType) throws(Problem) -> ColumnData {
        var results: [Interval] = []
        for (total, count) in zip(totals, counts) {
            let average =
                count == 0 ? Interval() : DateTimeKernels.scale(total) { $0 / Double(count) }
            guard let average else { throw SQLErrors.intervalOutOfRange }
            results.append(average)
        }
        return .interval(results)
    }

    var memoryBytes: Int { totals.heldCount * 16 }
}
