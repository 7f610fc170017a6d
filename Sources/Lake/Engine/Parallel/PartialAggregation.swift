// Aggregates in two steps: each part of the input gives its groups, and what they have so far; these
// rows are then aggregated once more. Only what comes out the same however rows are divided is done so.

import Base
import Columns
import SQL

/// How an aggregation is done in two steps.
struct PartialAggregation {
    /// The first step's aggregates.
    let calls: [AggregateCall]
    let keys: [BoundExpression]
    /// The second step, over the rows of the first: keys, then aggregates.
    let merging: AggregateNode

    /// nil when the aggregates of parts cannot be merged, or not exactly.
    init?(_ node: AggregateNode) {
        guard node.sets == nil, node.keys.count <= 63 else { return nil }
        keys = node.keys.map(\.expression)
        var calls: [AggregateCall] = []
        var fields = node.keys.map { Field($0.name, $0.expression.type) }
        var mergedKeys = node.keys
        for index in mergedKeys.indices {
            mergedKeys[index].expression = .column(index, node.keys[index].expression.type)
        }
        var merged = node.aggregates
        for (index, aggregate) in node.aggregates.enumerated() {
            guard let parts = Self.parts(of: aggregate.call) else { return nil }
            var arguments: [BoundExpression] = []
            for part in parts {
                arguments.append(.column(fields.count, part.type))
                fields.append(Field("\(aggregate.name) \(arguments.count)", part.type))
            }
            calls += parts
            let call = aggregate.call
            merged[index].call = AggregateCall(call.function, arguments, type: call.type)
        }
        self.calls = calls
        var merging = node
        merging.input = .values([], TableSchema(fields))
        merging.keys = mergedKeys
        merging.aggregates = merged
        self.merging = merging
        guard !expressions.contains(where: \.isVolatile) else { return nil }
    }

    /// All that the first step evaluates.
    var expressions: [BoundExpression] {
        keys + calls.flatMap { $0.arguments + [$0.filter].compactMap { $0 } }
    }

    /// What the first step computes for an aggregate.
    private static func parts(of call: AggregateCall) -> [AggregateCall]? {
        guard !call.isDistinct, call.orderBy.isEmpty else { return nil }
        switch call.function {
        case .countStar, .count, .minimum, .maximum, .boolAnd, .boolOr, .bitAnd, .bitOr, .bitXor:
            return [call]
        // NULL says that none of the part's rows had a value; the first one that has is taken.
        case .anyValue: return [call]
        case .sum: return sum(call).map { [$0] }
        case .average:
            guard let sum = sum(call) else { return nil }
            var count = call
            count.function = .count
            count.type = .int64
            return [sum, count]
        default: return nil
        }
    }

    /// Sums of whole numbers and numeric: exact, with all digits.
    private static func sum(_ call: AggregateCall) -> AggregateCall? {
        var sum = call
        sum.function = .sum
        switch call.arguments[0].type {
        case .int16, .int32: sum.type = .int64
        case .int64: sum.type = .decimal(precision: 38, scale: 0)
        case .decimal(_, let scale): sum.type = .decimal(precision: 38, scale: scale)
        default: return nil
        }
        return sum
    }
}

extension AccumulatorFactory {
    /// What merges results of parts: `call` is one of a `PartialAggregation`'s second step.
    static func merging(_ call: AggregateCall) throws(Problem) -> any Accumulator {
        let argument = call.arguments[0].type
        switch call.function {
        case .countStar, .count: return MergedCount()
        case .sum:
            return argument == .int64
                ? SumAccumulator(IntegerSum(), call.type)
                : SumAccumulator(WideSum(argument), call.type)
        case .average:
            return argument == .int64
                ? AverageAccumulator(IntegerSum(), call.type, merges: true)
                : AverageAccumulator(WideSum(argument), call.type, merges: true)
        default: return try make(call)
        }
    }
}

private final class MergedCount: Accumulator {
    private var counts: [Int64] = []

    func grow(to groups: Int) { counts.grow(to: groups, 0) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        counts.add(arguments[0], groups)
    }

    func finish() throws(Problem) -> Column { Column(type: .int64, data: .int64(counts)) }

    var memoryBytes: Int { counts.heldCount * 8 }
}

extension [Int64] {
    /// Adds counts, which are never NULL, to those of their groups.
    mutating func add(_ column: Column, _ groups: [Int32]) {
        guard case .int64(let values) = column.data else { return }
        withUnsafeMutableBufferPointer { counts in
            for row in 0..<groups.count { counts[Int(groups[row])] &+= values[row] }
        }
    }
}
