import Base
import Columns
import SQL

/// One window function over sorted rows.
struct WindowEvaluation {
    private let call: WindowCall
    private let arguments: [Column]
    /// Rows that take part in an aggregate; nil = all.
    private let isIncluded: [Bool]?
    private let partitions: RowPartitions
    private let frames: WindowFrames
    private let context: QueryContext

    /// `columns` are the values of the call's expressions for each row.
    init(
        _ call: WindowCall, _ columns: [Column], _ partitions: RowPartitions, isDescending: Bool,
        _ context: QueryContext
    ) throws(Problem) {
        self.call = call
        self.partitions = partitions
        self.context = context
        arguments = Array(columns.prefix(call.arguments.count))
        var rest = columns.dropFirst(call.arguments.count)
        if call.filter != nil {
            let condition = rest.removeFirst().flattened
            var included = [Bool](repeating: false, count: partitions.count)
            for row in included.indices {
                try context.checkCancellation(inLoopAt: row)
                included[row] = condition.value(row) == .boolean(true)
            }
            isIncluded = included
        } else {
            isIncluded = nil
        }
        frames = try WindowFrames(
            call.frame, Array(rest), partitions, isDescending: isDescending, context)
    }

    private var count: Int { partitions.count }

    /// The result for each row.
    func result() throws(Problem) -> Column {
        switch call.function {
        case .rowNumber: return integers { $0 - partitions.partition(of: $0).lowerBound + 1 }
        case .rank:
            return integers { row in
                partitions.peers(of: row).lowerBound - partitions.partition(of: row).lowerBound + 1
            }
        case .denseRank:
            return integers { row in
                let first = partitions.partition(of: row).lowerBound
                return Int(partitions.groupOf[row] - partitions.groupOf[first]) + 1
            }
        case .percentRank:
            return fractions { row in
                let partition = partitions.partition(of: row)
                let before = partitions.peers(of: row).lowerBound - partition.lowerBound
                return partition.count < 2 ? 0 : Double(before) / Double(partition.count - 1)
            }
        case .cumulativeDistribution:
            return fractions { row in
                let partition = partitions.partition(of: row)
                let upTo = partitions.peers(of: row).upperBound - partition.lowerBound
                return Double(upTo) / Double(partition.count)
            }
        case .ntile: return try ntile()
        case .lag, .lead: return try shifted()
        case .firstValue: return try picked { frames.parts(of: $0).first?.lowerBound }
        case .lastValue: return try picked { frames.parts(of: $0).last.map { $0.upperBound - 1 } }
        case .nthValue: return try nthValue()
        case .aggregate(let aggregate): return try aggregated(aggregate)
        }
    }

    // MARK: Positions

    private func integers(_ value: (Int) -> Int) -> Column {
        Column(type: .int64, data: .int64((0..<count).map { Int64(value($0)) }))
    }

    private func fractions(_ value: (Int) -> Double) -> Column {
        Column(type: .float64, data: .float64((0..<count).map(value)))
    }

    /// The rows of a partition in as many parts of nearly equal size as the first row says.
    private func ntile() throws(Problem) -> Column {
        var values = [Int32](repeating: 0, count: count)
        var valid = Validity(repeating: true, count: count)
        for partition in partitions.ranges {
            guard case .int(let buckets) = arguments[0].value(partition.lowerBound) else {
                for row in partition { valid.set(row, false) }
                continue
            }
            guard buckets > 0 else {
                throw Problem("22014", "argument of ntile must be greater than zero")
            }
            let (size, larger) = (partition.count / Int(buckets), partition.count % Int(buckets))
            for row in partition {
                let place = row - partition.lowerBound
                let inLarger = larger * (size + 1)
                let bucket =
                    place < inLarger
                    ? place / (size + 1) : larger + (place - inLarger) / max(1, size)
                values[row] = Int32(bucket + 1)
            }
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    // MARK: Values of other rows

    /// The argument's value at the row that `place` names; NULL when it names none.
    private func picked(_ place: (Int) -> Int?) throws(Problem) -> Column {
        var rows = [Int32](repeating: 0, count: count)
        var valid = Validity(repeating: true, count: count)
        var hasMissing = false
        for row in 0..<count {
            try context.checkCancellation(inLoopAt: row)
            if let found = place(row) {
                rows[row] = Int32(found)
            } else {
                valid.set(row, false)
                hasMissing = true
            }
        }
        let column = arguments[0].gather(rows)
        if !hasMissing { return column }
        for row in 0..<count where column.isNull(row) { valid.set(row, false) }
        if case .null = column.data { return column }
        return Column(type: column.type, data: column.data, validity: valid)
    }

    private func shifted() throws(Problem) -> Column {
        let offsets = arguments[1]
        // The fallbacks stand behind the values.
        let both = Column.concatenation(
            [arguments[0], arguments[2]].map {
                Vector.aligned(Vector($0), to: call.type, count: count)
            })
        var rows = [Int32](repeating: 0, count: count)
        var missing: [Int] = []
        for row in 0..<count {
            try context.checkCancellation(inLoopAt: row)
            guard case .int(let offset) = offsets.value(row) else {
                missing.append(row)
                continue
            }
            let target = Int64(row) + (call.function == .lag ? -offset : offset)
            let partition = partitions.partition(of: row)
            let isInside =
                target >= Int64(partition.lowerBound) && target < Int64(partition.upperBound)
            rows[row] = isInside ? Int32(target) : Int32(count + row)
        }
        let column = both.gather(rows)
        guard !missing.isEmpty else { return column }
        if case .null = column.data { return column }
        var valid = column.validity ?? Validity(repeating: true, count: count)
        for row in missing { valid.set(row, false) }
        return Column(type: column.type, data: column.data, validity: valid)
    }

    private func nthValue() throws(Problem) -> Column {
        var places = [Int?](repeating: nil, count: count)
        for row in 0..<count {
            try context.checkCancellation(inLoopAt: row)
            guard case .int(let which) = arguments[1].value(row) else { continue }
            guard which > 0 else {
                throw Problem("22016", "argument of nth_value must be greater than zero")
            }
            var left = Int(which) - 1
            for part in frames.parts(of: row) {
                if left < part.count {
                    places[row] = part.lowerBound + left
                    break
                }
                left -= part.count
            }
        }
        return try picked { places[$0] }
    }

    // MARK: Aggregates

    /// Partitions up to this many rows are computed frame by frame together.
    private static let smallPartition = 64
    /// Frames are computed together until they have so many rows.
    private static let rowsTogether = 1 << 16

    private func aggregated(_ aggregate: AggregateCall) throws(Problem) -> Column {
        if frames.coversPartitions { return try overPartitions(aggregate) }
        var batches = FrameBatches(aggregate, arguments, isIncluded, count: count)
        for partition in partitions.ranges {
            try context.checkCancellation()
            if frames.beginsAtFirst, partition.count > Self.smallPartition {
                try running(aggregate, partition, &batches)
                continue
            }
            for row in partition {
                try context.checkCancellation(inLoopAt: row)
                for part in frames.parts(of: row) { batches.add(part) }
                batches.endFrame(of: row)
                if batches.pendingRows >= Self.rowsTogether {
                    try context.checkCancellation()
                    try batches.flush()
                }
            }
        }
        try batches.flush()
        return batches.results()
    }

    private func overPartitions(_ aggregate: AggregateCall) throws(Problem) -> Column {
        let accumulator = try AccumulatorFactory.make(aggregate)
        accumulator.grow(to: partitions.ranges.count)
        if let isIncluded {
            let rows = (0..<Int32(count)).filter { isIncluded[Int($0)] }
            if !rows.isEmpty {
                try accumulator.update(
                    arguments.map { $0.gather(rows) }, rows.map { partitions.partitionOf[Int($0)] })
            }
        } else {
            try accumulator.update(arguments, partitions.partitionOf)
        }
        return try accumulator.finish().gather(partitions.partitionOf)
    }

    /// Frames that begin with the partition grow from row to row: what was added stays.
    private func running(
        _ aggregate: AggregateCall, _ partition: Range<Int>, _ batches: inout FrameBatches
    ) throws(Problem) {
        try batches.flush()
        let accumulator = try AccumulatorFactory.make(aggregate)
        accumulator.grow(to: 1)
        var added = partition.lowerBound
        var value: Value?
        for row in partition {
            let end = max(added, Int(frames.ends[row]))
            if end > added || value == nil {
                let rows = (Int32(added)..<Int32(end)).filter { isIncluded?[Int($0)] ?? true }
                if !rows.isEmpty {
                    try accumulator.update(
                        arguments.map { $0.gather(rows) }, [Int32](repeating: 0, count: rows.count))
                }
                added = end
                // Of a list that grows from row to row a value is work for all of it.
                value = try accumulator.finish().value(0)
                if row % 64 == 0 { try context.checkCancellation() }
            }
            batches.set(row, value ?? .null)
        }
    }
}

/// Aggregates over frames of any shape: the rows of many frames are gathered one frame behind the
/// other and go through one accumulator, a group a frame.
private struct FrameBatches {
    private let aggregate: AggregateCall
    private let arguments: [Column]
    private let isIncluded: [Bool]?
    private var values: [Value]
    private var rows: [Int32] = []
    private var groups: [Int32] = []
    /// The rows whose frames are waiting, in the order of their groups.
    private var waiting: [Int] = []

    init(
        _ aggregate: AggregateCall, _ arguments: [Column], _ isIncluded: [Bool]?, count: Int
    ) {
        self.aggregate = aggregate
        self.arguments = arguments
        self.isIncluded = isIncluded
        values = [Value](repeating: .null, count: count)
    }

    var pendingRows: Int { rows.count + waiting.count }

    mutating func add(_ part: Range<Int>) {
        let group = Int32(waiting.count)
        for row in part where isIncluded?[row] ?? true {
            rows.append(Int32(row))
            groups.append(group)
        }
    }

    mutating func endFrame(of row: Int) { waiting.append(row) }

    mutating func set(_ row: Int, _ value: Value) { values[row] = value }

    mutating func flush() throws(Problem) {
        guard !waiting.isEmpty else { return }
        let accumulator = try AccumulatorFactory.make(aggregate)
        accumulator.grow(to: waiting.count)
        if !rows.isEmpty {
            try accumulator.update(arguments.map { $0.gather(rows) }, groups)
        }
        let results = try accumulator.finish()
        for (group, row) in waiting.enumerated() { values[row] = results.value(group) }
        rows.removeAll(keepingCapacity: true)
        groups.removeAll(keepingCapacity: true)
        waiting.removeAll(keepingCapacity: true)
    }

    func results() -> Column { Column(aggregate.type, values) }
}
