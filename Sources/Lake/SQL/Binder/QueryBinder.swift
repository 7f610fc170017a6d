// Whole queries: WITH, VALUES, set operations, ORDER BY and LIMIT around them.

import Base
import Columns

extension Binder {
    /// The plan of a query. `expected` are the types that open literals of the result become, as in
    /// INSERT; they are text otherwise.
    mutating func bindQuery(
        _ query: Query, outer: [Scope] = [], expected: [ColumnType] = []
    ) throws(Problem) -> LogicalPlan {
        try enter(at: query.position)
        let visible = commonTables.count
        defer {
            commonTables.removeSubrange(visible...)
            leave()
        }
        var sharing = CommonTableSharing()
        for table in query.commonTables {
            try checkNew(table, from: visible)
            let plan =
                query.isRecursive
                ? try bindRecursive(table, outer) : try bindQuery(table.query, outer: outer)
            let named = try renamed(plan, table.columns, of: table.name.name)
            commonTables.append((table.name.name, sharing.plan(of: table, named, &self)))
        }
        return sharing.settled(
            try bindBelowCommonTables(query, outer: outer, expected: expected))
    }

    /// `query` without its WITH.
    private mutating func bindBelowCommonTables(
        _ query: Query, outer: [Scope], expected: [ColumnType]
    ) throws(Problem) -> LogicalPlan {
        if case .select(let select) = query.body {
            return try bindSelect(select, query, outer: outer, expected: expected)
        }
        var plan = try bindBody(query.body, outer: outer, expected: expected)
        if !query.orderBy.isEmpty {
            plan = .sort(plan, try outputOrder(query.orderBy, plan.schema), limit: nil)
        }
        return try limited(plan, query)
    }

    private func checkNew(_ table: CommonTable, from visible: Int) throws(Problem) {
        guard !commonTables[visible...].contains(where: { $0.name == table.name.name }) else {
            throw Problem(
                "42712", "WITH query name \"\(table.name.name)\" specified more than once",
                position: table.name.position)
        }
    }

    /// `plan` with its first columns called `names`.
    func renamed(
        _ plan: LogicalPlan, _ names: [Identifier], of table: String
    ) throws(Problem) -> LogicalPlan {
        guard !names.isEmpty else { return plan }
        let fields = plan.schema.fields
        guard names.count <= fields.count else {
            throw Problem(
                "42P10",
                "table \"\(table)\" has \(fields.count) columns available "
                    + "but \(names.count) columns specified",
                position: names[fields.count].position)
        }
        var columns: [NamedExpression] = []
        for (index, field) in fields.enumerated() {
            let name = index < names.count ? names[index].name : field.name
            columns.append(NamedExpression(name, .column(index, field.type)))
        }
        return .project(plan, columns)
    }

    mutating func bindBody(
        _ body: QueryBody, outer: [Scope], expected: [ColumnType]
    ) throws(Problem) -> LogicalPlan {
        switch body {
        case .select(let select):
            let alone = Query(body: body, position: select.position)
            return try bindSelect(select, alone, outer: outer, expected: expected)
        case .values(let rows): return try values(rows, outer: outer, expected: expected)
        case .nested(let query): return try bindQuery(query, outer: outer, expected: expected)
        case .setOperation(let operation):
            try enter(at: operation.position)
            defer { leave() }
            return try setOperation(operation, outer: outer, expected: expected)
        }
    }

    // MARK: VALUES

    private mutating func values(
        _ rows: [[Expression]], outer: [Scope], expected: [ColumnType]
    ) throws(Problem) -> LogicalPlan {
        var context = ExpressionContext(scope: Scope(), clause: "VALUES", outer: outer)
        var columns: [[BoundExpression]] = Array(repeating: [], count: rows[0].count)
        for row in rows {
            for (index, expression) in row.enumerated() {
                var value = try bind(expression, &context)
                if value.isUnknownLiteral, index < expected.count {
                    value = try coerce(
                        value, to: expected[index], .assignment, at: expression.position)
                }
                columns[index].append(value)
            }
        }
        var fields: [Field] = []
        for index in columns.indices {
            let (all, type) = try unified(
                columns[index], positions: rows.map { $0[index].position }, what: "VALUES")
            columns[index] = all
            fields.append(Field("column\(index + 1)", type))
        }
        let plain = rows.indices.map { row in columns.map { $0[row] } }
        let schema = TableSchema(fields)
        guard plain.contains(where: { $0.contains(where: \.hasSubquery) }) else {
            return .values(plain, schema)
        }
        var parts: [LogicalPlan] = []
        for (index, row) in plain.enumerated() {
            let placed = try place(
                row, over: Binder.oneRow, at: rows[index][0].position)
            parts.append(
                .project(
                    placed.plan,
                    zip(fields, placed.expressions).map { NamedExpression($0.name, $1) }))
        }
        return parts.count == 1 ? parts[0] : .union(parts)
    }

    /// One row without columns, what a query without FROM reads.
    static let oneRow = LogicalPlan.values([[]], TableSchema([]))

    // MARK: Set operations

    private mutating func setOperation(
        _ operation: SetOperation, outer: [Scope], expected: [ColumnType]
    ) throws(Problem) -> LogicalPlan {
        let name = operation.kind.rawValue.uppercased()
        var inputs = [try bindBody(operation.operands[0], outer: outer, expected: expected)]
        // Open literals take the type of the column that they stand in.
        var known = expected.isEmpty ? inputs[0].schema.fields.map(\.type) : expected
        for operand in operation.operands.dropFirst() {
            do throws(Problem) {
                inputs.append(try bindBody(operand, outer: outer, expected: known))
            } catch {
                // Another number of columns is the better reason, if it is one.
                let alone = try bindBody(operand, outer: outer, expected: expected)
                guard alone.schema.fields.count != known.count else { throw error }
                inputs.append(alone)
            }
        }
        let others = inputs[inputs.count > 1 ? 1 : 0].schema.fields.map(\.type)
        if expected.isEmpty, others.count == known.count,
            zip(known, others).contains(where: { $0 == .text && commonType($0, $1) == nil })
        {
            known = others
            inputs[0] = try bindBody(operation.operands[0], outer: outer, expected: known)
        }
        let width = inputs[0].schema.fields.count
        if let other = inputs.firstIndex(where: { $0.schema.fields.count != width }) {
            throw Problem(
                "42601", "each \(name) query must have the same number of columns",
                position: operation.operands[other].position(ofColumn: 0) ?? operation.position)
        }
        var types = inputs[0].schema.fields.map(\.type)
        for (number, input) in inputs.enumerated().dropFirst() {
            for (index, field) in input.schema.fields.enumerated() {
                guard let type = commonType(types[index], field.type) else {
                    throw Problem(
                        "42804",
                        "\(name) types \(types[index].plainName) and \(field.type.plainName) "
                            + "cannot be matched", hint: "cast one of them",
                        position: operation.operands[number].position(ofColumn: index)
                            ?? operation.position)
                }
                types[index] = type
            }
        }
        for index in inputs.indices {
            inputs[index] = try retyped(inputs[index], to: types, at: operation.position)
        }
        switch operation.kind {
        case .union:
            let all = LogicalPlan.union(inputs)
            return operation.isAll ? all : .distinct(all)
        case .intersect, .except:
            // With ALL the n-th of equal rows is kept or dropped by the n-th of the other side.
            if operation.isAll {
                inputs = inputs.map(numbered)
            } else {
                inputs[0] = .distinct(inputs[0])
            }
            let all = operation.isAll ? types + [.int64] : types
            let keys = all.enumerated().map { index, type in
                JoinKey(
                    left: .column(index, type), right: .column(index, type), nullsMatch: true)
            }
            let joined = LogicalPlan.join(
                JoinNode(
                    kind: operation.kind == .intersect ? .semi : .anti,
                    left: inputs[0], right: inputs[1], keys: keys))
            return operation.isAll ? joined.columns(Array(0..<width)) : joined
        }
    }

    /// `plan` with the number of each row among those equal to it behind its columns.
    private func numbered(_ plan: LogicalPlan) -> LogicalPlan {
        let columns = plan.schema.fields.enumerated().map {
            BoundExpression.column($0, $1.type)
        }
        return .over(OverNode(input: plan, partitionBy: columns, orderBy: [], calls: [.rowNumber]))
    }

    func retyped(
        _ plan: LogicalPlan, to types: [ColumnType], at position: Int
    ) throws(Problem) -> LogicalPlan {
        let fields = plan.schema.fields
        guard fields.map(\.type) != types else { return plan }
        var columns: [NamedExpression] = []
        for (index, field) in fields.enumerated() {
            let value = try coerce(.column(index, field.type), to: types[index], at: position)
            columns.append(NamedExpression(field.name, value))
        }
        return .project(plan, columns)
    }

    // MARK: ORDER BY and LIMIT

    /// ORDER BY of a set operation or VALUES: names and numbers of the output.
    private func outputOrder(
        _ items: [OrderItem], _ schema: TableSchema
    ) throws(Problem) -> [SortKey] {
        var keys: [SortKey] = []
        for item in items {
            let position = item.expression.position
            var index: Int?
            switch item.expression.kind {
            case .number(let digits):
                index = try ordinal(digits, "ORDER BY", schema.fields.count, position)
            case .column(let name) where name.parts.count == 1:
                index = schema.index(of: name.last)
                if index == nil {
                    throw Problem(
                        "42703", "column \"\(name.last)\" does not exist",
                        hint: columnHint(name.last, schema.fields.map(\.name)),
                        position: position)
                }
            default: break
            }
            guard let index else {
                throw Problem(
                    "0A000", "invalid UNION/INTERSECT/EXCEPT ORDER BY clause",
                    notes: ["only result column names can be used, not expressions or functions"],
                    hint: "put the query into FROM and order around it", position: position)
            }
            keys.append(
                SortKey(
                    .column(index, schema.fields[index].type), isDescending: item.isDescending,
                    nullsFirst: item.nullsFirst))
        }
        return keys
    }

    /// Refuses constants that are no number of a column: they would order or group by nothing.
    func refuseConstant(_ expression: Expression, _ clause: String) throws(Problem) {
        switch expression.kind {
        case .string, .boolean, .null:
            throw Problem(
                "42601", "non-integer constant in \(clause)", position: expression.position)
        default: return
        }
    }

    /// The column that a number in ORDER BY, GROUP BY or DISTINCT ON means.
    func ordinal(
        _ digits: String, _ clause: String, _ count: Int, _ position: Int
    ) throws(Problem) -> Int {
        guard let number = Int(digits) else {
            throw Problem(
                "42601", "non-integer constant in \(clause)", position: position)
        }
        guard number >= 1, number <= count else {
            throw Problem(
                "42P10", "\(clause) position \(number) is not in select list",
                position: position)
        }
        return number - 1
    }

    /// LIMIT and OFFSET around `plan`; a sort below is told how many rows are wanted.
    mutating func limited(_ plan: LogicalPlan, _ query: Query) throws(Problem) -> LogicalPlan {
        guard query.limit != nil || query.offset != nil else { return plan }
        let count = try rowCount(query.limit, "LIMIT")
        let offset = try rowCount(query.offset, "OFFSET")
        if query.keepsTies { return try withTies(plan, count, offset, query) }
        var input = plan
        if case .sort(let below, let keys, _) = plan, let wanted = count?.rowLimit,
            let skipped = offset == nil ? 0 : offset?.rowLimit
        {
            let (total, overflow) = wanted.addingReportingOverflow(skipped)
            if !overflow { input = .sort(below, keys, limit: total) }
        }
        return .limit(input, count: count, offset: offset)
    }

    /// `FETCH FIRST n ROWS WITH TIES`: also the rows that are equal to the last in their order.
    private func withTies(
        _ plan: LogicalPlan, _ count: BoundExpression?, _ offset: BoundExpression?,
        _ query: Query
    ) throws(Problem) -> LogicalPlan {
        guard case .sort(let input, let keys, _) = plan, let count else {
            throw Problem(
                "42601", "WITH TIES cannot be specified without ORDER BY clause",
                position: query.position)
        }
        let zero = BoundExpression.literal(.int(0), .int64)
        let skipped = offset.map { BoundExpression.coalesce([$0, zero], .int64) } ?? zero
        let width = input.schema.fields.count
        let calls = [
            WindowCall.rowNumber,
            WindowCall("rank", .rank, [], frame: .standard, type: .int64),
        ]
        let ranked = LogicalPlan.over(
            OverNode(input: input, partitionBy: [], orderBy: keys, calls: calls))
        func behind(_ column: Int) -> BoundExpression {
            .call(.subtract, [.column(width + column, .int64), skipped], .int64)
        }
        let isTrue = BoundExpression.literal(.boolean(true), .boolean)
        let condition = BoundExpression.and([
            .call(.greater, [behind(0), zero], .boolean),
            // NULL rows are all rows.
            .coalesce([.call(.lessOrEqual, [behind(1), count], .boolean), isTrue], .boolean),
            .coalesce([.call(.greater, [count, zero], .boolean), isTrue], .boolean),
        ])
        return .sort(
            LogicalPlan.filter(ranked, condition).columns(Array(0..<width)), keys, limit: nil)
    }

    private mutating func rowCount(
        _ expression: Expression?, _ clause: String
    ) throws(Problem) -> BoundExpression? {
        guard let expression else { return nil }
        var context = ExpressionContext(scope: Scope(), clause: clause)
        context.allowsSubqueries = false
        let position = expression.position
        let value = try bind(expression, &context)
        guard
            let number = try converted(value, to: .int64, .assignment, at: position)
        else {
            throw Problem(
                "42804",
                "argument of \(clause) must be type bigint, not type \(value.type.plainName)",
                position: position)
        }
        if case .literal(.int(let rows), _) = number, rows < 0 {
            throw Problem(
                clause == "LIMIT" ? "2201W" : "2201X", "\(clause) must not be negative",
                position: position)
        }
        return number
    }
}

extension BoundExpression {
    /// The value of a literal row count.
    fileprivate var rowLimit: Int64? {
        if case .literal(.int(let count), _) = self { count } else { nil }
    }
}

extension QueryBody {
    /// Where an output column is written, when that is plain to see.
    fileprivate func position(ofColumn index: Int) -> Int? {
        switch self {
        case .select(let select):
            guard index < select.items.count, case .expression(let value, _) = select.items[index]
            else { return select.position }
            return value.position
        case .values(let rows): return rows.first?.first?.position
        case .nested(let query): return query.body.position(ofColumn: index)
        case .setOperation(let operation):
            return operation.operands.first?.position(ofColumn: index)
        }
    }
}
