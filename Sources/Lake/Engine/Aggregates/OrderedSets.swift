// percentile_cont, percentile_disc and mode: their rows come sorted by group and value.

import Base
import Columns
import SQL

final class OrderedSetAccumulator: Accumulator {
    private let function: AggregateFunction
    private let type: ColumnType
    /// The value, and for percentiles the fraction.
    private let rows: RowBuffer
    private var groupOfRow: [Int32] = []
    private var groups = 0

    init(_ call: AggregateCall) {
        function = call.function
        type = call.type
        rows = RowBuffer(types: call.arguments.map(\.type))
    }

    func grow(to groups: Int) { self.groups = max(self.groups, groups) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        rows.append(arguments, count: groups.count)
        groupOfRow += groups
    }

    func finish() throws(Problem) -> Column {
        let columns = rows.columns()
        var results = [Value](repeating: .null, count: groups)
        var start = 0
        while start < groupOfRow.count {
            let group = groupOfRow[start]
            var end = start
            var members: [Int] = []
            while end < groupOfRow.count, groupOfRow[end] == group {
                if !columns[0].isNull(end) { members.append(end) }
                end += 1
            }
            results[Int(group)] =
                function == .mode
                ? mode(columns[0], members) : try percentiles(columns, start, members)
            start = end
        }
        return Column(type, results)
    }

    private func mode(_ values: Column, _ members: [Int]) -> Value {
        var best: (value: Value, count: Int) = (.null, 0)
        var run: (value: Value, count: Int) = (.null, 0)
        for row in members {
            let value = values.value(row)
            run = run.count > 0 && run.value == value ? (value, run.count + 1) : (value, 1)
            if run.count > best.count { best = run }
        }
        return best.value
    }

    /// The fraction is that of the group's first row: it may not depend on the rows.
    private func percentiles(
        _ columns: [Column], _ first: Int, _ members: [Int]
    ) throws(Problem) -> Value {
        switch columns[1].value(first) {
        case .list where members.isEmpty: return .null
        case .list(let fractions):
            var results: [Value] = []
            for fraction in fractions {
                results.append(try percentile(columns[0], fraction, members))
            }
            return .list(results)
        case let fraction: return try percentile(columns[0], fraction, members)
        }
    }

    private func percentile(
        _ values: Column, _ fraction: Value, _ members: [Int]
    ) throws(Problem) -> Value {
        guard case .float(let share) = fraction else { return .null }
        guard share >= 0, share <= 1 else {
            throw Problem("22003", "percentile value \(share) is not between 0 and 1")
        }
        guard !members.isEmpty else { return .null }
        if function == .percentileDiscrete {
            let row = max(0, Int((share * Double(members.count)).rounded(.up)) - 1)
            return values.value(members[row])
        }
        let place = share * Double(members.count - 1)
        let low = Int(place.rounded(.down))
        let high = Int(place.rounded(.up))
        if case .interval(let from) = values.value(members[low]),
            case .interval(let to) = values.value(members[high])
        {
            return try interpolated(from, to, place - Double(low))
        }
        guard case .float(let from) = values.value(members[low]),
            case .float(let to) = values.value(members[high])
        else { return .null }
        return .float(low == high ? from : from + (place - Double(low)) * (to - from))
    }

    private func interpolated(
        _ from: Interval, _ to: Interval, _ share: Double
    ) throws(Problem) -> Value {
        guard share > 0 else { return .interval(from) }
        guard let distance = DateTimeKernels.subtract(to, from),
            let part = DateTimeKernels.scale(distance, { $0 * share }),
            let sum = DateTimeKernels.add(from, part)
        else { throw SQLErrors.intervalOutOfRange }
        return .interval(sum)
    }

    var memoryBytes: Int { rows.memoryBytes + groupOfRow.heldCount * 4 }
}
