// WITH RECURSIVE: a query whose last part reads what came out so far.

import Base
import Columns

extension Binder {
    /// The plan of a query of WITH RECURSIVE, which may read itself by its name.
    mutating func bindRecursive(
        _ table: CommonTable, _ outer: [Scope]
    ) throws(Problem) -> LogicalPlan {
        let name = table.name.name
        guard case .setOperation(let operation) = table.query.body, operation.kind == .union else {
            let number = try openRecursion(table, nil)
            defer { commonTables.removeLast() }
            let plan = try bindQuery(table.query, outer: outer)
            guard plan.workingCount(number) == 0 else { throw malformed(table) }
            return plan
        }
        var first = operation
        let last = first.operands.removeLast()
        let body = first.operands.count == 1 ? first.operands[0] : .setOperation(first)
        // What the first part is made of decides the columns.
        let unnamed = try openRecursion(table, nil)
        let base: LogicalPlan
        do {
            defer { commonTables.removeLast() }
            base = try bindBody(body, outer: outer, expected: [])
        }
        guard base.workingCount(unnamed) == 0 else { throw malformed(table) }
        var named = try renamed(base, table.columns, of: name)
        var (number, step) = try bindStep(last, of: table, over: named, outer)
        // Numerics have no fixed scale in PostgreSQL: the first part takes that of the second.
        if let wider = widerDecimals(named, step) {
            named = try retyped(named, to: wider, at: operation.position)
            (number, step) = try bindStep(last, of: table, over: named, outer)
        }
        let types = try agreed(named, step, table)
        step = try retyped(step, to: types, at: operation.position)
        switch step.workingCount(number) {
        case 0:
            // It does not read itself: a query like any other, with its ORDER BY and its LIMIT.
            _ = try openRecursion(table, nil)
            defer { commonTables.removeLast() }
            return try bindQuery(table.query, outer: outer)
        case 1: break
        default:
            throw Problem(
                "42P19",
                "recursive reference to query \"\(name)\" must not appear more than once",
                position: table.name.position)
        }
        try checkPlace(of: number, in: step, name, table.name.position)
        if !table.query.orderBy.isEmpty || table.query.limit != nil || table.query.offset != nil {
            throw Problem(
                "0A000", "ORDER BY, LIMIT and OFFSET in a recursive query are not supported",
                hint: "order and limit the query that reads it", position: table.query.position)
        }
        return share(
            .recursion(
                RecursionNode(
                    number: number, base: named, step: step, isDistinct: !operation.isAll)))
    }

    /// The last part, which may read the rows of `named` by the table's name.
    private mutating func bindStep(
        _ body: QueryBody, of table: CommonTable, over named: LogicalPlan, _ outer: [Scope]
    ) throws(Problem) -> (number: Int, step: LogicalPlan) {
        let number = try openRecursion(table, named.schema)
        defer { commonTables.removeLast() }
        let types = named.schema.fields.map(\.type)
        return (number, try bindBody(body, outer: outer, expected: types))
    }

    /// The types of `base` with the numerics of `step` where those hold more; nil when none do.
    private func widerDecimals(
        _ base: LogicalPlan, _ step: LogicalPlan
    ) -> [ColumnType]? {
        let types = base.schema.fields.map(\.type)
        guard step.schema.fields.map(\.type) != types, step.schema.fields.count == types.count
        else { return nil }
        let wider = zip(types, step.schema.fields).map { type, field -> ColumnType in
            guard case .decimal(_, let scale) = type, case .decimal(_, let other) = field.type
            else { return type }
            return .decimal(precision: 38, scale: max(scale, other))
        }
        return wider == types ? nil : wider
    }

    /// Makes the name visible to its own query; without a schema reading it is an error later.
    private mutating func openRecursion(
        _ table: CommonTable, _ schema: TableSchema?
    ) throws(Problem) -> Int {
        recursionCount += 1
        commonTables.append(
            (table.name.name, .working(recursionCount, schema ?? TableSchema([]))))
        return recursionCount
    }

    private func malformed(_ table: CommonTable) -> Problem {
        Problem(
            "42P19",
            "recursive query \"\(table.name.name)\" does not have the form "
                + "non-recursive-term UNION [ALL] recursive-term",
            position: table.name.position)
    }

    /// The types of the columns, which the first part has to have already.
    private func agreed(
        _ base: LogicalPlan, _ step: LogicalPlan, _ table: CommonTable
    ) throws(Problem) -> [ColumnType] {
        let fields = base.schema.fields
        guard step.schema.fields.count == fields.count else {
            throw Problem(
                "42601", "each UNION query must have the same number of columns",
                position: table.query.position)
        }
        for (index, (first, second)) in zip(fields, step.schema.fields).enumerated() {
            guard let type = commonType(first.type, second.type) else {
                throw Problem(
                    "42804",
                    "UNION types \(first.type.plainName) and \(second.type.plainName) "
                        + "cannot be matched", position: table.query.position)
            }
            guard type == first.type else {
                throw Problem(
                    "42804",
                    "recursive query \"\(table.name.name)\" column \(index + 1) has type "
                        + "\(first.type.plainName) in non-recursive term but type "
                        + "\(type.plainName) overall",
                    hint: "Cast the output of the non-recursive term to the correct type.",
                    position: table.query.position)
            }
        }
        return fields.map(\.type)
    }

    /// The rows that came last may only be read where each of them counts once.
    private func checkPlace(
        of number: Int, in plan: LogicalPlan, _ name: String, _ position: Int
    ) throws(Problem) {
        func refused(_ place: String) -> Problem {
            Problem(
                "42P19",
                "recursive reference to query \"\(name)\" must not appear within \(place)",
                position: position)
        }
        for input in plan.inputs where input.workingCount(number) > 0 {
            switch plan {
            case .aggregate: throw refused("an aggregate function")
            case .join(let node):
                let isLeft = node.left.workingCount(number) > 0
                switch node.kind {
                case .inner, .cross: break
                case .left, .single: if !isLeft { throw refused("an outer join") }
                case .right: if isLeft { throw refused("an outer join") }
                case .full: throw refused("an outer join")
                case .semi, .anti: if !isLeft { throw refused("a subquery") }
                }
            case .asof(let node):
                // Which right row is the nearest depends on all of them.
                if node.right.workingCount(number) > 0 { throw refused("an ASOF JOIN") }
            default: break
            }
            try checkPlace(of: number, in: input, name, position)
        }
    }
}

extension LogicalPlan {
    /// How often the rows that came last are read.
    fileprivate func workingCount(_ number: Int) -> Int {
        if case .working(number, _) = self { return 1 }
        return inputs.reduce(0) { $0 + $1.workingCount(number) }
    }
}
