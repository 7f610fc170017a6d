import Base
import Columns
import SQL

/// The rows that a window function sees from each row: a range, with a hole where rows are excluded.
struct WindowFrames {
    private let partitions: RowPartitions
    private let exclusion: FrameExclusion
    /// First row of the frame of each row, and the row behind its last one.
    private(set) var starts: [Int32]
    private(set) var ends: [Int32]

    /// Whether every row of a partition sees all of it.
    let coversPartitions: Bool
    /// Whether all frames of a partition begin at its first row.
    let beginsAtFirst: Bool

    /// `columns` are those of the frame's expressions, in their order.
    init(
        _ frame: BoundFrame, _ columns: [Column], _ partitions: RowPartitions, isDescending: Bool,
        _ context: QueryContext
    ) throws(Problem) {
        self.partitions = partitions
        exclusion = frame.exclusion
        var rest = columns[...]
        starts = try Self.bounds(
            frame.start, frame.unit, &rest, partitions, isStart: true, isDescending, context)
        ends = try Self.bounds(
            frame.end, frame.unit, &rest, partitions, isStart: false, isDescending, context)
        let toEnd =
            frame.end == .unboundedFollowing
            || (!partitions.isOrdered && frame.unit != .rows && frame.end == .currentRow)
        let fromStart =
            frame.start == .unboundedPreceding
            || (!partitions.isOrdered && frame.unit != .rows && frame.start == .currentRow)
        beginsAtFirst = fromStart && frame.exclusion == .none
        coversPartitions = beginsAtFirst && toEnd
    }

    /// The parts of the frame of `row`, without what is excluded: at most three, none empty.
    func parts(of row: Int) -> [Range<Int>] {
        let (start, end) = (Int(starts[row]), Int(ends[row]))
        guard start < end else { return [] }
        let hole: Range<Int>
        switch exclusion {
        case .none: return [start..<end]
        case .currentRow: hole = row..<(row + 1)
        case .group, .ties: hole = partitions.peers(of: row)
        }
        var parts: [Range<Int>] = []
        func add(_ from: Int, _ to: Int) {
            let (from, to) = (max(from, start), min(to, end))
            if from < to { parts.append(from..<to) }
        }
        add(start, hole.lowerBound)
        if exclusion == .ties { add(row, row + 1) }
        add(hole.upperBound, end)
        return parts
    }

    private static func bounds(
        _ bound: BoundFrame.Bound, _ unit: FrameUnit, _ columns: inout ArraySlice<Column>,
        _ partitions: RowPartitions, isStart: Bool, _ isDescending: Bool, _ context: QueryContext
    ) throws(Problem) -> [Int32] {
        var result = [Int32](repeating: 0, count: partitions.count)
        func fill(_ value: (Int) -> Int) {
            for row in result.indices { result[row] = Int32(value(row)) }
        }
        switch bound {
        case .unboundedPreceding: fill { partitions.partition(of: $0).lowerBound }
        case .unboundedFollowing: fill { partitions.partition(of: $0).upperBound }
        case .currentRow:
            fill { row in
                if unit == .rows { return isStart ? row : row + 1 }
                let peers = partitions.peers(of: row)
                return isStart ? peers.lowerBound : peers.upperBound
            }
        case .offset(_, let isPreceding):
            let count = try offset(columns.removeFirst())
            let distance = isPreceding ? -count : count
            if unit == .rows {
                fill { row in
                    let partition = partitions.partition(of: row)
                    let at = clampedSum(isStart ? row : row + 1, distance)
                    return min(max(at, partition.lowerBound), partition.upperBound)
                }
            } else {
                fill { row in
                    groupBound(row, distance, partitions, isStart: isStart)
                }
            }
        case .distance(_, _, _, let isPreceding):
            let key = columns.removeFirst()
            let limit = columns.removeFirst()
            try checkSign(columns.removeFirst())
            _ = isPreceding
            for partition in partitions.ranges {
                try search(
                    key, limit, partition, partitions, isStart: isStart, isDescending, context,
                    &result)
            }
        }
        return result
    }

    private static func clampedSum(_ row: Int, _ distance: Int64) -> Int {
        let (sum, overflow) = Int64(row).addingReportingOverflow(distance)
        return overflow ? (distance < 0 ? 0 : Int(Int32.max)) : Int(clamping: max(0, sum))
    }

    private static func groupBound(
        _ row: Int, _ distance: Int64, _ partitions: RowPartitions, isStart: Bool
    ) -> Int {
        let partition = partitions.partition(of: row)
        let group = clampedSum(Int(partitions.groupOf[row]), distance)
        let first = Int(partitions.groupOf[partition.lowerBound])
        let last = Int(partitions.groupOf[partition.upperBound - 1])
        let wantsBefore = Int64(partitions.groupOf[row]).addingReportingOverflow(distance)
        if wantsBefore.overflow ? distance < 0 : wantsBefore.partialValue < Int64(first) {
            return partition.lowerBound
        }
        if group > last { return partition.upperBound }
        return isStart
            ? partitions.groups[group].lowerBound : partitions.groups[group].upperBound
    }

    /// The bound of each row of a partition by the distance of sort keys. Keys and limits rise (or
    /// fall) together, so that one walk finds all.
    private static func search(
        _ key: Column, _ limit: Column, _ partition: Range<Int>, _ partitions: RowPartitions,
        isStart: Bool, _ isDescending: Bool, _ context: QueryContext, _ result: inout [Int32]
    ) throws(Problem) {
        // NULLs stand together at one end, and see each other.
        var from = partition.lowerBound
        var to = partition.upperBound
        while from < to, key.isNull(from) { from += 1 }
        while to > from, key.isNull(to - 1) { to -= 1 }
        for row in partition where row < from || row >= to {
            let peers = partitions.peers(of: row)
            result[row] = Int32(isStart ? peers.lowerBound : peers.upperBound)
        }
        var at = from
        for row in from..<to {
            try context.checkCancellation(inLoopAt: row)
            let wanted = limit.value(row)
            while at < to {
                var order = ValueOrder.compare(key.value(at), wanted)
                if isDescending { order = -order }
                if isStart ? order >= 0 : order > 0 { break }
                at += 1
            }
            result[row] = Int32(at)
        }
    }

    // MARK: Offsets

    private static func offset(_ column: Column) throws(Problem) -> Int64 {
        guard !column.isNull(0), case .int(let count) = column.value(0) else {
            throw Problem("22004", "frame starting or ending offset must not be null")
        }
        guard count >= 0 else {
            throw Problem("22013", "frame starting or ending offset must not be negative")
        }
        return count
    }

    private static func checkSign(_ column: Column) throws(Problem) {
        let isNegative: Bool
        switch column.value(0) {
        case .null: throw Problem("22004", "frame starting or ending offset must not be null")
        case .int(let value): isNegative = value < 0
        case .float(let value): isNegative = value < 0 || value.isNaN
        case .decimal(let value, _): isNegative = value < 0
        case .interval(let value): isNegative = value.comparisonMicroseconds < 0
        default: isNegative = false
        }
        if isNegative {
            throw Problem(
                "22013", "invalid preceding or following size in window function",
                hint: "write a size that is not negative, and PRECEDING or FOLLOWING")
        }
    }
}
