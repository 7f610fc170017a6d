// percentile_cont, percentile_disc and mode: their rows come sorted by group and value.

import Base
import Columns
import SQL

/// What is known of a group of an ordered set before its rows come.
struct OrderedSet {
    /// Values that are not NULL.
    var count = 0
    /// nil when the group has no rows.
    var fraction: Value?
}

/// Picks values out of sorted rows while they pass.
final class OrderedSetAccumulator: Accumulator {
    private let function: AggregateFunction
    private let type: ColumnType
    private let sets: [OrderedSet]
    private var results: [Value]
    /// The group that passes now, how many values of it have passed, and the places among its values
    /// that are wanted, in ascending order, with what stood there.
    private var group = -1
    private var passed = 0
    private var places: [Int] = []
    private var picked: [Value] = []
    private var best: (value: Value, count: Int) = (.null, 0)
    private var run: (value: Value, count: Int) = (.null, 0)

    init(_ call: AggregateCall, _ sets: [OrderedSet]) {
        function = call.function
        type = call.type
        self.sets = sets
        results = [Value](repeating: .null, count: sets.count)
    }

    func grow(to groups: Int) {}

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        var start = 0
        while start < groups.count {
            var end = start + 1
            while end < groups.count, groups[end] == groups[start] { end += 1 }
            if Int(groups[start]) != group {
                try endGroup()
                try begin(Int(groups[start]))
            }
            take(arguments[0], start..<end)
            start = end
        }
    }

    func finish() throws(Problem) -> Column {
        try endGroup()
        return Column(type, results)
    }

    var memoryBytes: Int { results.count * MemoryLayout<Value>.stride }

    private func begin(_ group: Int) throws(Problem) {
        self.group = group
        passed = 0
        best = (.null, 0)
        run = (.null, 0)
        places = []
        picked = []
        guard function != .mode, let fraction = sets[group].fraction else { return }
        var wanted: [Int] = []
        for one in Self.fractions(fraction) {
            if case .float(let share) = one { wanted += try places(share, sets[group].count) }
        }
        for place in wanted.sorted() where place != places.last { places.append(place) }
    }

    private static func fractions(_ value: Value) -> [Value] {
        if case .list(let several) = value { return several }
        return [value]
    }

    /// The places of the values that decide a percentile of `count` values.
    private func places(_ share: Double, _ count: Int) throws(Problem) -> [Int] {
        guard share >= 0, share <= 1 else {
            throw Problem("22003", "percentile value \(share) is not between 0 and 1")
        }
        guard count > 0 else { return [] }
        if function == .percentileDiscrete {
            return [max(0, Int((share * Double(count)).rounded(.up)) - 1)]
        }
        let place = share * Double(count - 1)
        return [Int(place.rounded(.down)), Int(place.rounded(.up))]
    }

    private func take(_ values: Column, _ rows: Range<Int>) {
        if function == .mode {
            for row in rows where !values.isNull(row) { count(values.value(row)) }
            return
        }
        guard picked.count < places.count else { return }
        guard let valid = values.fullValidity else {
            while picked.count < places.count, places[picked.count] < passed + rows.count {
                picked.append(values.value(rows.lowerBound + places[picked.count] - passed))
            }
            passed += rows.count
            return
        }
        for row in rows where valid[row] {
            if picked.count < places.count, places[picked.count] == passed {
                picked.append(values.value(row))
            }
            passed += 1
        }
    }

    private func count(_ value: Value) {
        run = run.count > 0 && run.value == value ? (value, run.count + 1) : (value, 1)
        if run.count > best.count { best = run }
    }

    private func endGroup() throws(Problem) {
        guard group >= 0 else { return }
        if function == .mode {
            results[group] = best.value
            return
        }
        switch sets[group].fraction {
        case .list where sets[group].count == 0: results[group] = .null
        case .list(let fractions):
            var found: [Value] = []
            for fraction in fractions { found.append(try percentile(fraction)) }
            results[group] = .list(found)
        case let fraction?: results[group] = try percentile(fraction)
        case nil: results[group] = .null
        }
    }

    private func percentile(_ fraction: Value) throws(Problem) -> Value {
        guard case .float(let share) = fraction, sets[group].count > 0 else { return .null }
        let wanted = try places(share, sets[group].count)
        let (low, high) = (value(at: wanted[0]), value(at: wanted[wanted.count - 1]))
        if function == .percentileDiscrete { return low }
        let part = share * Double(sets[group].count - 1) - Double(wanted[0])
        if case .interval(let from) = low, case .interval(let to) = high {
            return try interpolated(from, to, part)
        }
        guard case .float(let from) = low, case .float(let to) = high else { return .null }
        return .float(wanted[0] == wanted[1] ? from : from + part * (to - from))
    }

    private func value(at place: Int) -> Value {
        places.firstIndex(of: place).map { $0 < picked.count ? picked[$0] : .null } ?? .null
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
}
