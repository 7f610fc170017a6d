import Base
import Columns

/// Groups of whole numbers found by their place in a range, without hashing or comparing: ids that
/// lie close together, as most do, and dates. Rows that follow each other in a table mostly have
/// neighbouring ids, so that most look-ups are near the last one in memory.
struct DirectKeys {
    /// Places for each known key, at most; beyond that a hash table takes less.
    private static let placesPerKey = 8
    /// For few keys this many places for each row that was seen, up to `placesFree`.
    private static let placesPerRow = 128
    private static let placesFree = 1 << 20

    /// The value of each group; NULL has 0.
    private(set) var values: [Int64] = []
    private(set) var nullGroup: Int32 = -1
    /// What the first place stands for.
    private(set) var base: Int64 = 0
    /// Group + 1 of each value from `base` on; 0 for none.
    private var groups: [Int32] = []
    private var rowsSeen = 0
    private let placesMax: Int

    /// `bytesMax` bounds the places.
    init(bytesMax: Int) { placesMax = min(bytesMax / 4, Int(Int32.max)) }

    static func suits(_ types: [ColumnType]) -> Bool {
        guard types.count == 1 else { return false }
        switch types[0] {
        case .int16, .int32, .int64, .date, .time, .timestamp, .timestampTZ: return true
        default: return false
        }
    }

    var count: Int { values.count }
    var placeCount: Int { groups.count }
    var memoryBytes: Int { groups.heldCount * 4 + values.heldCount * 8 }

    /// What `rows` more groups add, places aside.
    func growthBytes(_ rows: Int) -> Int {
        count + rows > values.heldCount ? max(count + rows, values.heldCount) * 8 : 0
    }

    // MARK: Places

    /// Makes room for the keys of `range`, of which there will be about `count`. False when they lie
    /// too far apart.
    mutating func expect(_ range: ClosedRange<Int64>, count expected: Int) -> Bool {
        cover(range, keys: count + expected, exactly: true)
    }

    private mutating func cover(
        _ range: ClosedRange<Int64>, keys: Int, exactly: Bool = false
    ) -> Bool {
        var (low, high) = (range.lowerBound, range.upperBound)
        if !groups.isEmpty {
            let last = base + Int64(groups.count - 1)
            if low >= base, high <= last { return true }
            (low, high) = (min(low, base), max(high, last))
        }
        let (span, overflow) = high.subtractingReportingOverflow(low)
        let free = min(rowsSeen * Self.placesPerRow, Self.placesFree)
        let allowed = min(max(keys * Self.placesPerKey, free), placesMax)
        guard !overflow, span < allowed else { return false }
        let needed = Int(span) + 1
        // Twice the places, so that keys which come in order move the others rarely.
        let slack = exactly ? 0 : min(max(needed, groups.count * 2), allowed) - needed
        if groups.isEmpty || low == base {
            base = low
            groups.append(contentsOf: repeatElement(0, count: needed + slack - groups.count))
            return true
        }
        let (lower, isBelow) = low.subtractingReportingOverflow(Int64(slack))
        if !isBelow { low = lower }
        var moved = [Int32](repeating: 0, count: Int(high - low) + 1)
        let offset = Int(base - low)
        for place in groups.indices { moved[offset + place] = groups[place] }
        groups = moved
        base = low
        return true
    }

    // MARK: Rows

    /// The group of each row; unknown keys become new groups. nil, and nothing changed, when the keys
    /// lie too far apart.
    mutating func insert(_ column: Column, count rows: Int) -> [Int32]? {
        rowsSeen += rows
        switch column.data {
        case .int32(let values): return insert(values, column.validity)
        case .int64(let values): return insert(values, column.validity)
        case .null(let count): return [Int32](repeating: groupOfNull(), count: count)
        default: return nil
        }
    }

    private mutating func groupOfNull() -> Int32 {
        if nullGroup < 0 {
            nullGroup = Int32(values.count)
            values.append(0)
        }
        return nullGroup
    }

    private mutating func insert<T: FixedWidthInteger>(
        _ source: [T], _ validity: Validity?
    ) -> [Int32]? {
        if let range = Self.range(source, validity) {
            guard cover(range, keys: count + source.count) else { return nil }
        }
        if let validity { return insertValid(source, validity) }
        var result = [Int32](repeating: 0, count: source.count)
        let base = base
        // Taken out, so that both arrays can change at the same time.
        var known: [Int64] = []
        swap(&known, &values)
        source.withUnsafeBufferPointer { source in
            groups.withUnsafeMutableBufferPointer { groups in
                result.withUnsafeMutableBufferPointer { result in
                    for row in 0..<source.count {
                        let value = Int64(source[row])
                        let place = Int(truncatingIfNeeded: value &- base)
                        var group = groups[place]
                        if group == 0 {
                            known.append(value)
                            group = Int32(truncatingIfNeeded: known.count)
                            groups[place] = group
                        }
                        result[row] = group &- 1
                    }
                }
            }
        }
        swap(&known, &values)
        return result
    }

    private mutating func insertValid<T: FixedWidthInteger>(
        _ source: [T], _ validity: Validity
    ) -> [Int32] {
        source.indices.map { row in
            guard validity[row] else { return groupOfNull() }
            let place = Int(Int64(source[row]) - base)
            if groups[place] == 0 {
                values.append(Int64(source[row]))
                groups[place] = Int32(values.count)
            }
            return groups[place] - 1
        }
    }

    /// The group of each row, -1 for keys that are not there.
    func find(_ column: Column) -> [Int32] {
        switch column.data {
        case .int32(let values): find(values, column.validity)
        case .int64(let values): find(values, column.validity)
        default: [Int32](repeating: nullGroup, count: column.count)
        }
    }

    private func find<T: FixedWidthInteger>(_ source: [T], _ validity: Validity?) -> [Int32] {
        var result = [Int32](unsafeUninitializedCapacity: source.count) { result, count in
            let base = base
            source.withUnsafeBufferPointer { source in
                groups.withUnsafeBufferPointer { groups in
                    let places = UInt64(groups.count)
                    for row in 0..<source.count {
                        let place = UInt64(bitPattern: Int64(source[row]) &- base)
                        result[row] = place < places ? groups[Int(place)] &- 1 : -1
                    }
                }
            }
            count = source.count
        }
        if let validity {
            for row in result.indices where !validity[row] { result[row] = nullGroup }
        }
        return result
    }

    /// The least and the greatest value that is not NULL.
    static func range(_ column: Column) -> ClosedRange<Int64>? {
        switch column.data {
        case .int32(let values): range(values, column.validity)
        case .int64(let values): range(values, column.validity)
        default: nil
        }
    }

    private static func range<T: FixedWidthInteger>(
        _ source: [T], _ validity: Validity?
    ) -> ClosedRange<Int64>? {
        var (low, high) = (T.max, T.min)
        if let validity {
            for row in source.indices where validity[row] {
                low = min(low, source[row])
                high = max(high, source[row])
            }
        } else {
            source.withUnsafeBufferPointer { source in
                for value in source {
                    low = min(low, value)
                    high = max(high, value)
                }
            }
        }
        return low <= high ? Int64(low)...Int64(high) : nil
    }
}
