// count(DISTINCT x).

import Base
import Columns
import SQL

/// Counts the different values of each group. Values get numbers from a table of their own, which is as
/// large as there are values, and the pairs of group and number are sorted now and then to drop
/// repetitions: that reads memory in order, where a table of all pairs would be looked up in all places.
///
/// With one group the table of values is all. When memory is used up, the pairs so far and the rows that
/// follow go to the scratch disk as rows of `DistinctRows`.
final class DistinctCounts {
    private let type: ColumnType
    private let memory: MemoryShare
    private let bytesMax: Int
    private let context: QueryContext
    private var table: KeyTable
    /// The number of NULL, which does not count.
    private var nullNumber: Int32 = -1
    /// Of each pair the group above the number; the first `sortedCount` ascend without repetition. Empty
    /// as long as all values are those of group 0.
    private var pairs: [UInt64] = []
    private var sortedCount = 0
    /// At how many pairs they are sorted next.
    private var patience = DistinctCounts.pairsMin
    private var isSingleGroup = true
    /// What takes the rows once memory is used up.
    private var rows: DistinctRows?
    /// How many groups there are.
    private var groupCount = 0

    private static let pairsMin = 1 << 18

    static func suit(_ call: AggregateCall) -> Bool {
        call.isDistinct && call.function == .count && call.arguments.count == 1
    }

    /// Takes at most `bytesMax` where there is a scratch disk.
    init(_ type: ColumnType, bytesMax: Int, _ context: QueryContext) {
        self.type = type
        self.bytesMax = bytesMax
        self.context = context
        table = KeyTable(types: [type])
        memory = MemoryShare(
            context.memory, for: "DISTINCT of an aggregate", canSpill: context.scratch != nil)
    }

    func grow(to groups: Int) { groupCount = max(groupCount, groups) }

    func update(_ values: Column, _ groups: [Int32]) throws(Problem) {
        try makeRoom(for: groups.count)
        if let rows {
            let new = try rows.newRows([values], groups)
            precondition(new.isEmpty, "rows without a table tell nobody that they are new")
            return
        }
        let before = table.count
        let numbers = table.insert([values], count: groups.count)
        // NULL is new in the batch in which it comes first.
        if nullNumber < 0, table.count > before, let row = firstNull(values, numbers, from: before)
        {
            nullNumber = numbers[row]
        }
        if isSingleGroup {
            if groups.allSatisfy({ $0 == 0 }) { return }
            // All values of earlier batches were those of group 0.
            isSingleGroup = false
            pairs = (0..<before).filter { $0 != nullNumber }.map { UInt64($0) }
            sortedCount = pairs.count
        }
        for row in groups.indices where numbers[row] != nullNumber {
            pairs.append(UInt64(groups[row]) << 32 | UInt64(numbers[row]))
        }
    }

    private func firstNull(_ values: Column, _ numbers: [Int32], from first: Int) -> Int? {
        if values.nullCount == 0 { return nil }
        return numbers.indices.first { numbers[$0] >= first && values.isNull($0) }
    }

    /// The count of each group.
    func finish() throws(Problem) -> Column {
        var counts = [Int64](repeating: 0, count: groupCount)
        if let rows {
            try rows.finish { (values, groups) throws(Problem) in
                for row in groups.indices where !values[0].isNull(row) {
                    counts[Int(groups[row])] += 1
                }
            }
        } else if isSingleGroup {
            if groupCount > 0 { counts[0] = Int64(table.count - (nullNumber < 0 ? 0 : 1)) }
        } else {
            try dropRepetitions()
            for pair in pairs { counts[Int(pair >> 32)] += 1 }
        }
        forget()
        return Column(type: .int64, data: .int64(counts))
    }

    /// What the counts will take; what is kept for them counts itself.
    var memoryBytes: Int { groupCount * 8 }

    // MARK: Memory

    private func fits(_ count: Int) -> Bool {
        // An array that is full doubles. Sorting needs a second place for each pair.
        let places =
            pairs.count + count <= pairs.capacity
            ? pairs.capacity : max(2 * pairs.capacity, pairs.count + count)
        let bytes = table.memoryBytes + table.growthBytes(count) + places * 16
        return (bytes <= bytesMax || context.scratch == nil) && memory.fits(bytes)
    }

    private func makeRoom(for count: Int) throws(Problem) {
        if rows != nil { return }
        if pairs.count >= patience {
            try dropRepetitions()
            patience = max(Self.pairsMin, 2 * pairs.count)
        }
        if fits(count) { return }
        try dropRepetitions()
        if fits(count) { return }
        guard let scratch = context.scratch else {
            throw SQLErrors.outOfMemory("DISTINCT of an aggregate", limit: context.memory.limit)
        }
        try moveToDisk(scratch)
    }

    /// Hands all pairs to rows on the scratch disk, value by value.
    private func moveToDisk(_ scratch: ScratchSpace) throws(Problem) {
        let rows = DistinctRows(
            arguments: [type], carried: [], bytesMax: bytesMax, context)
        try rows.useDisk(scratch)
        var byNumber = isSingleGroup ? [] : pairs
        pairs = []
        for place in byNumber.indices { byNumber[place] = byNumber[place].rotated }
        try WordSorting.sort(&byNumber, context)
        var place = 0
        for start in stride(from: 0, to: table.count, by: Limits.batchRows) {
            let numbers = start..<min(start + Limits.batchRows, table.count)
            let values = table.columns(numbers)[0]
            var (places, groups): ([Int32], [Int32]) = ([], [])
            if isSingleGroup {
                for number in numbers where number != nullNumber {
                    places.append(Int32(number - start))
                }
                groups = [Int32](repeating: 0, count: places.count)
            }
            while place < byNumber.count, byNumber[place] >> 32 < UInt64(numbers.upperBound) {
                places.append(Int32(Int(byNumber[place] >> 32) - start))
                groups.append(Int32(truncatingIfNeeded: byNumber[place]))
                place += 1
            }
            if places.isEmpty { continue }
            _ = try rows.newRows([values.gather(places)], groups)
        }
        forget()
        self.rows = rows
    }

    private func forget() {
        table = KeyTable(types: [type])
        pairs = []
        memory.end()
    }

    private func dropRepetitions() throws(Problem) {
        if sortedCount == pairs.count { return }
        try WordSorting.sort(&pairs, context)
        var end = 0
        for pair in pairs where end == 0 || pairs[end - 1] != pair {
            pairs[end] = pair
            end += 1
        }
        pairs.removeLast(pairs.count - end)
        sortedCount = end
    }
}

extension UInt64 {
    /// With the halves exchanged.
    fileprivate var rotated: UInt64 { self << 32 | self >> 32 }
}

/// Sorts words.
enum WordSorting {
    /// By one byte after the other from the lowest, leaving out those that all words share.
    static func sort(_ words: inout [UInt64], _ context: QueryContext) throws(Problem) {
        let count = words.count
        guard count > 1 else { return }
        var differing: UInt64 = 0
        for word in words { differing |= word ^ words[0] }
        var other = [UInt64](repeating: 0, count: count)
        for shift in stride(from: UInt64(0), to: 64, by: 8) where differing >> shift & 0xFF != 0 {
            try context.checkCancellation()
            words.withUnsafeBufferPointer { words in
                other.withUnsafeMutableBufferPointer { spread(words, to: $0, shift) }
            }
            swap(&words, &other)
        }
    }

    /// Brings words into the order of their byte at `shift`; equal ones stay in their order.
    private static func spread(
        _ words: UnsafeBufferPointer<UInt64>, to other: UnsafeMutableBufferPointer<UInt64>,
        _ shift: UInt64
    ) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: 256) { places in
            places.initialize(repeating: 0)
            for word in words { places[Int(word >> shift & 0xFF)] += 1 }
            var sum = 0
            for digit in 0..<256 {
                let count = places[digit]
                places[digit] = sum
                sum += count
            }
            for word in words {
                let digit = Int(word >> shift & 0xFF)
                other[places[digit]] = word
                places[digit] += 1
            }
        }
    }
}
