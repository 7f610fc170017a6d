// percentile_cont of numbers, without sorting them.

import Base
import Columns
import SQL

/// percentile_cont in ascending order: the values of each group are parted around the places that are
/// asked for, which takes time in proportion to their number. Values for which there is no room are
/// sorted on the scratch disk instead.
final class Percentiles {
    private let call: AggregateCall
    private let type: ColumnType
    private let context: QueryContext
    private let memory: MemoryShare
    private let bytesMax: Int
    /// Takes everything from where the memory is used up.
    private(set) var spilled: GroupedRows?
    /// As numbers in the order of their values: NaN is above all others.
    private var values: [UInt64] = []
    private var groupOfValue: [Int32] = []
    /// That of the group's first row: it may not depend on the rows.
    private var fractions: [Value?] = []

    /// Whether the rows of `call` need not be sorted.
    static func suits(_ call: AggregateCall) -> Bool {
        call.function == .percentileContinuous && !call.isDistinct && call.orderBy.count == 1
            && !call.orderBy[0].isDescending && call.arguments.first?.type == .float64
            && call.orderBy[0].expression == call.arguments[0]
    }

    /// For calls that suit.
    init(_ call: AggregateCall, bytesMax: Int, _ context: QueryContext) {
        self.call = call
        self.bytesMax = bytesMax
        self.context = context
        type = call.type
        memory = MemoryShare(
            context.memory, for: "percentile_cont", canSpill: context.scratch != nil)
    }

    func grow(to groups: Int) {
        fractions.grow(to: groups, nil)
        spilled?.grow(to: groups)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        if let spilled {
            return try spilled.update([arguments[0], arguments[1], arguments[0]], groups)
        }
        guard case .float64(let numbers) = arguments[0].data else { return }
        for (row, group) in groups.enumerated() where fractions[Int(group)] == nil {
            fractions[Int(group)] = arguments[1].value(row)
        }
        for row in ValidRows(arguments[0].validity, groups.count) {
            values.append(FloatOrder.ordered(numbers[row]))
            groupOfValue.append(groups[row])
        }
        let bytes = valueBytes
        if bytes <= bytesMax || context.scratch == nil, memory.fits(bytes) { return }
        guard context.scratch != nil else {
            throw SQLErrors.outOfMemory("percentile_cont", limit: context.memory.limit)
        }
        try spill()
    }

    /// The values so far go where all others will.
    private func spill() throws(Problem) {
        memory.end()
        let rows = GroupedRows(call, keys: call.orderBy, bytesMax: bytesMax, context)
        rows.grow(to: fractions.count)
        for (group, fraction) in fractions.enumerated() {
            if let fraction { rows.setFraction(fraction, of: group) }
        }
        let (all, groups) = (values, groupOfValue)
        values = []
        groupOfValue = []
        spilled = rows
        for start in stride(from: 0, to: all.count, by: 1 << 16) {
            let range = start..<min(start + 1 << 16, all.count)
            let numbers = Column(
                type: .float64, data: .float64(all[range].map(FloatOrder.number)))
            // The fractions of groups are known.
            let fraction = Column(
                call.arguments[1].type, repeating: .null, count: range.count)
            try rows.update([numbers, fraction, numbers], Array(groups[range]))
        }
    }

    /// nil when the values were sorted elsewhere.
    func finish() throws(Problem) -> Column? {
        if spilled != nil { return nil }
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
        defer { memory.end() }
        var results: [Value] = []
        for (group, fraction) in fractions.enumerated() {
            try context.checkCancellation(inLoopAt: group)
            let range = ends[group]..<ends[group + 1]
            if range.count > 1 << 16 { try context.checkCancellation() }
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
    private var valueBytes: Int { values.heldCount * 16 + groupOfValue.heldCount * 4 }

    /// What is held besides the values.
    var memoryBytes: Int { fractions.heldCount * 48 + (spilled?.memoryBytes ?? 0) }
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
