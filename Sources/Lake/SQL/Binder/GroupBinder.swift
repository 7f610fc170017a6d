// GROUP BY: its expressions, grouping sets, and GROUPING.

import Base
import Columns

extension Binder {
    /// More sets than this are refused, as in PostgreSQL.
    private static let setsMax = 4096

    mutating func bindGroups(_ select: Select, _ work: inout SelectWork) throws(Problem) {
        var sets: [[Int]] = [[]]
        for item in select.groupBy {
            let choices = try self.sets(of: item, &work)
            guard sets.count * choices.count <= Self.setsMax else { throw Self.tooManySets(work) }
            sets = sets.flatMap { set in choices.map { Self.merged(set, $0) } }
        }
        if select.hasDistinctGroups {
            var seen: Set<[Int]> = []
            sets = sets.filter { seen.insert($0.sorted()).inserted }
        }
        // One set of all keys is plain grouping.
        if sets.count > 1 || sets.first?.count ?? 0 < work.groups.count { work.sets = sets }
    }

    private static func tooManySets(_ work: SelectWork) -> Problem {
        Problem(
            "54001", "too many grouping sets present (maximum \(setsMax))",
            position: work.position)
    }

    private static func merged(_ set: [Int], _ more: [Int]) -> [Int] {
        set + more.filter { !set.contains($0) }
    }

    /// The grouping sets that an item of GROUP BY means.
    private mutating func sets(
        of item: GroupItem, _ work: inout SelectWork
    ) throws(Problem) -> [[Int]] {
        switch item {
        case .expression(let expression): return [try bindGroup(expression, &work)]
        case .empty: return [[]]
        case .sets(let items):
            var sets: [[Int]] = []
            for item in items { sets += try self.sets(of: item, &work) }
            guard sets.count <= Self.setsMax else { throw Self.tooManySets(work) }
            return sets
        case .rollup(let list):
            var sets: [[Int]] = [[]]
            for expression in list {
                sets.append(Self.merged(sets[sets.count - 1], try bindGroup(expression, &work)))
            }
            return sets.reversed()
        case .cube(let list):
            guard list.count <= 12 else { throw Self.tooManySets(work) }
            var sets: [[Int]] = [[]]
            for expression in list.reversed() {
                let keys = try bindGroup(expression, &work)
                sets = sets.map { Self.merged(keys, $0) } + sets
            }
            return sets
        }
    }

    /// The keys that an expression of GROUP BY means; several when it is a row.
    private mutating func bindGroup(
        _ expression: Expression, _ work: inout SelectWork
    ) throws(Problem) -> [Int] {
        if case .row(let members) = expression.kind {
            var keys: [Int] = []
            for member in members { keys += try bindGroup(member, &work) }
            return keys
        }
        var position = expression.position
        var key: BoundExpression
        try refuseConstant(expression, "GROUP BY")
        switch expression.kind {
        case .number(let digits):
            let index = try ordinal(digits, "GROUP BY", work.outputs.count, position)
            key = work.outputs[index].expression
            if key.hasAggregate { position = work.outputs[index].position }
        case .column(let name) where name.parts.count == 1 && !work.isInput(name):
            guard let output = try work.output(named: name, clause: "GROUP BY") else {
                fallthrough
            }
            key = work.outputs[output].expression
        default:
            var context = ExpressionContext(
                scope: work.scope, clause: "GROUP BY", outer: work.context.outer)
            context.allowsSeries = true
            context.seriesCalls = work.context.seriesCalls
            key = try bind(expression, &context)
            work.context.seriesCalls = context.seriesCalls
        }
        guard !key.hasAggregate else {
            throw Problem(
                "42803", "aggregate functions are not allowed in GROUP BY", position: position)
        }
        guard !key.hasWindow else {
            throw Problem(
                "42P20", "window functions are not allowed in GROUP BY", position: position)
        }
        if key.isUnknownLiteral { key = try coerce(key, to: .text, at: position) }
        if let known = work.groups.firstIndex(of: key) { return [known] }
        work.groups.append(key)
        return [work.groups.count - 1]
    }

    // MARK: GROUPING

    /// `GROUPING (a, b)`: a bit for each key that is not in the grouping set of the row.
    mutating func grouping(
        _ call: FunctionCall, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        guard context.allowsAggregates, !context.isInsideAggregate else {
            throw Problem(
                "42803", "grouping operations are not allowed in \(context.clause)",
                position: call.name.position)
        }
        guard (1...31).contains(call.arguments.count) else {
            throw Problem(
                "54023", "GROUPING must have fewer than 32 arguments",
                position: call.name.position)
        }
        var keys: [BoundExpression] = []
        for argument in call.arguments { keys.append(try bind(argument, &context)) }
        context.groupings.append((keys, call.name.position))
        return .column(Placeholder.grouping(context.groupings.count - 1), .int32)
    }
}

extension SelectWork {
    /// GROUPING of the number over the output of the aggregation.
    func groupingValue(_ number: Int) throws(Problem) -> BoundExpression {
        let (arguments, position) = context.groupings[number]
        var keys: [Int] = []
        for argument in arguments {
            guard let key = groups.firstIndex(of: argument) else {
                throw Problem(
                    "42803",
                    "arguments to GROUPING must be grouping expressions of the associated query level",
                    position: position)
            }
            keys.append(key)
        }
        let set = BoundExpression.column(groups.count + context.calls.count, .int32)
        var branches: [BoundExpression.Branch] = []
        for (index, members) in (sets ?? []).enumerated() {
            var bits: Int64 = 0
            for key in keys { bits = bits << 1 | (members.contains(key) ? 0 : 1) }
            branches.append(
                .init(
                    condition: .call(
                        .equal, [set, .literal(.int(Int64(index)), .int32)], .boolean),
                    value: .literal(.int(bits), .int32)))
        }
        let zero = BoundExpression.literal(.int(0), .int32)
        return branches.isEmpty ? zero : .conditional(branches, otherwise: zero, .int32)
    }
}
