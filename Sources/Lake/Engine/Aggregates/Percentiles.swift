// percentile_cont of numbers, without sorting them.

import Base
import Columns
import SQL

/// percentile_cont in ascending order: the values of each group are parted around the places that are
/// asked for, which takes time in proportion to their number.
final class PercentileAccumulator: Accumulator {
    private let type: ColumnType
    /// As numbers in the order of their values: NaN is above all others.
    private var values: [UInt64] = []
    private var groupOfValue: [Int32] = []
    /// That of the group's first row: it may not depend on the rows.
    private var fractions: [Value?] = []

    /// nil when the rows of `call` have to be sorted.
    init?(_ call: AggregateCall) {
        guard call.function == .percentileContinuous, !call.isDistinct, call.orderBy.count == 1,
            !call.orderBy[0].isDescending, call.arguments.first?.type == .float64,
            call.orderBy[0].expression == call.arguments[0]
        else { return nil }
        type = call.type
    }

    func grow(to groups: Int) { fractions.grow(to: groups, nil) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        guard case .float64(let numbers) = arguments[0].data else { return }
        for (row, group) in groups.enumerated() where fractions[Int(group)] == nil {
            fractions[Int(group)] = arguments[1].value(row)
        }
        for row in ValidRows(arguments[0].validity, groups.count) {
            values.append(FloatOrder.ordered(numbers[row]))
            groupOfValue.append(groups[row])
        }
    }

    func finish() throws(Problem) -> Column {
        var ends = [Int](repeating: 0, count: fractions.count + 1)
        for group in groupOfValue { ends[Int(group) + 1] += 1 }
        for group in fractions.indices { ends[group + 1] += ends[group] }
        var places = ends
        var parted = [UInt64](repeating: 0, count: values.count)
        for (row, group) in groupOfValue.enumerated() {
            parted[places[Int(group)]] = values[row]
            places[Int(group)] += 1
        }
        values = []
        groupOfValue = []
        var results: [Value] = []
        for (group, fraction) in fractions.enumerated() {
            let range = ends[group]..<ends[group + 1]
            switch fraction {
            case .list where range.isEmpty: results.append(.null)
            case .list(let several):
                var found: [Value] = []
                for one in several { found.append(try percentile(one, range, &parted)) }
                results.append(.list(found))
            case let one?: results.append(try percentile(one, range, &parted))
            case nil: results.append(.null)
            }
        }
        return Column(type, results)
    }

    private func percentile(
        _ fraction: Value, _ range: Range<Int>, _ values: inout [UInt64]
    ) throws(Problem) -> Value {
        guard case .float(let share) = fraction else { return .null }
        guard share >= 0, share <= 1 else {
            throw Problem("22003", "percentile value \(share) is not between 0 and 1")
        }
        guard !range.isEmpty else { return .null }
        let place = share * Double(range.count - 1)
        let low = Int(place.rounded(.down))
        let from = FloatOrder.number(select(range.lowerBound + low, range, &values))
        guard Double(low) < place else { return .float(from) }
        // What is behind the place is not less, so the next value is the least of it.
        let next = (range.lowerBound + low + 1)..<range.upperBound
        let to = FloatOrder.number(next.reduce(UInt64.max) { min($0, values[$1]) })
        return .float(from + (place - Double(low)) * (to - from))
    }

    /// The value that would stand at `place` if `range` were sorted. Afterwards nothing before it is
    /// greater and nothing behind it is less.
    private func select(_ place: Int, _ range: Range<Int>, _ values: inout [UInt64]) -> UInt64 {
        values.withUnsafeMutableBufferPointer { values in
            var (low, high) = (range.lowerBound, range.upperBound - 1)
            while low < high {
                let pivot = Self.middle(values[low], values[(low + high) / 2], values[high])
                var (left, right) = (low, high)
                while left <= right {
                    while values[left] < pivot { left += 1 }
                    while values[right] > pivot { right -= 1 }
                    if left <= right {
                        values.swapAt(left, right)
                        left += 1
                        right -= 1
                    }
                }
                if place <= right {
                    high = right
                } else if place >= left {
                    low = left
                } else {
                    break
                }
            }
            return values[place]
        }
    }

    private static func middle(_ a: UInt64, _ b: UInt64, _ c: UInt64) -> UInt64 {
        max(min(a, b), min(max(a, b), c))
    }

    /// The values are held twice while they are parted.
    var memoryBytes: Int {
        values.heldCount * 16 + groupOfValue.capacity * 4 + fractions.capacity * 48
    }
}

/// Floats as numbers in the order of their values, NaN above all others as PostgreSQL has it.
enum FloatOrder {
    static func ordered(_ number: Double) -> UInt64 {
        if number.isNaN { return .max }
        let bits = number.bitPattern
        return bits >> 63 == 0 ? bits | 1 << 63 : ~bits
    }

    static func number(_ ordered: UInt64) -> Double {
        if ordered == .max { return .nan }
        return Double(bitPattern: ordered >> 63 == 1 ? ordered & ~(1 << 63) : ~ordered)
    }
}
