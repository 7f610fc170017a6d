/// Rows of a row group, counted from its first: ascending ranges that neither overlap nor touch.
package struct RowRanges: Hashable, Sendable {
    package private(set) var ranges: [Range<Int>] = []

    package init() {}

    package init(_ range: Range<Int>) { append(range) }

    /// `rows` must ascend.
    package init(rows: [Int32]) {
        for row in rows { append(Int(row)..<Int(row) + 1) }
    }

    package var count: Int { ranges.reduce(0) { $0 + $1.count } }
    package var isEmpty: Bool { ranges.isEmpty }

    /// Adds rows behind those that are there already.
    package mutating func append(_ range: Range<Int>) {
        if range.isEmpty { return }
        guard let last = ranges.last else { return ranges.append(range) }
        precondition(range.lowerBound >= last.upperBound, "ranges are added in order")
        if range.lowerBound == last.upperBound {
            ranges[ranges.count - 1] = last.lowerBound..<range.upperBound
        } else {
            ranges.append(range)
        }
    }

    package func intersection(_ other: RowRanges) -> RowRanges {
        var result = RowRanges()
        var (mine, its) = (0, 0)
        while mine < ranges.count, its < other.ranges.count {
            let (left, right) = (ranges[mine], other.ranges[its])
            let start = max(left.lowerBound, right.lowerBound)
            let end = min(left.upperBound, right.upperBound)
            if start < end { result.append(start..<end) }
            if left.upperBound < right.upperBound { mine += 1 } else { its += 1 }
        }
        return result
    }

    package func overlaps(_ range: Range<Int>) -> Bool {
        // The first range that ends behind the begin of `range`.
        var (low, high) = (0, ranges.count)
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound <= range.lowerBound {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return low < ranges.count && ranges[low].overlaps(range)
    }

    package func contains(_ other: RowRanges) -> Bool { intersection(other) == other }

    /// Where the rows of `other`, all of which are in here, stand among these rows.
    func places(of other: RowRanges) -> [Int32] {
        var result: [Int32] = []
        result.reserveCapacity(other.count)
        var before = 0
        var place = 0
        for range in other.ranges {
            while ranges[place].upperBound <= range.lowerBound {
                before += ranges[place].count
                place += 1
            }
            let shift = before - ranges[place].lowerBound
            for row in range { result.append(Int32(truncatingIfNeeded: row + shift)) }
        }
        return result
    }

    /// The rows at `places`, which ascend.
    func rows(at places: [Int32]) -> RowRanges {
        var result = RowRanges()
        var before = 0
        var index = 0
        for place in places {
            while Int(place) - before >= ranges[index].count {
                before += ranges[index].count
                index += 1
            }
            let row = ranges[index].lowerBound + Int(place) - before
            result.append(row..<row + 1)
        }
        return result
    }
}

/// Where some rows stand in their row group, in the form in which they were found: most readers
/// never ask.
package enum RowPlaces: Sendable {
    case ranges(RowRanges)
    /// Some of the rows from `start` on: ascending, counted from there.
    case picked(ArraySlice<Int32>, start: Int)

    package init(_ range: Range<Int>) { self = .ranges(RowRanges(range)) }

    package var count: Int {
        switch self {
        case .ranges(let ranges): ranges.count
        case .picked(let rows, _): rows.count
        }
    }

    package var ranges: RowRanges {
        switch self {
        case .ranges(let ranges): return ranges
        case .picked(let rows, let start):
            var ranges = RowRanges()
            for row in rows { ranges.append(start + Int(row)..<start + Int(row) + 1) }
            return ranges
        }
    }

    /// Calls `body` with each row.
    package func forEach(_ body: (Int) -> Void) {
        switch self {
        case .ranges(let ranges): for range in ranges.ranges { for row in range { body(row) } }
        case .picked(let rows, let start): for row in rows { body(start + Int(row)) }
        }
    }
}
