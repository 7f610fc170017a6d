// What stands in FROM: relations, views, queries, windows, joins.

import Base
import Columns

extension Binder {
    /// The rows of a FROM clause, and the names that reach them.
    mutating func bindFrom(
        _ items: [FromItem], outer: [Scope]
    ) throws(Problem) -> (plan: LogicalPlan, scope: Scope) {
        guard let first = items.first else { return (Binder.oneRow, Scope()) }
        var (plan, scope) = try bindItem(first, outer: outer, beside: Scope())
        for item in items.dropFirst() {
            let (right, rightScope) = try bindItem(item, outer: outer, beside: scope)
            try checkNames(scope, rightScope, at: item.position)
            scope = scope.joined(with: rightScope, width: plan.schema.fields.count)
            plan = .join(JoinNode(kind: .cross, left: plan, right: right))
        }
        return (plan, scope)
    }

    private func checkNames(_ left: Scope, _ right: Scope, at position: Int) throws(Problem) {
        for table in right.tables where !table.name.isEmpty && left.hasTable(table.name) {
            throw Problem(
                "42712", "table name \"\(table.name)\" specified more than once",
                hint: "give one of them an alias", position: position)
        }
    }

    private mutating func bindItem(
        _ item: FromItem, outer: [Scope], beside: Scope
    ) throws(Problem) -> (LogicalPlan, Scope) {
        try enter(at: item.position)
        defer { leave() }
        switch item {
        case .table(let table): return try bindTable(table)
        case .query(let query, let alias, let isLateral, _):
            let around = isLateral ? outer + [beside] : outer
            let plan = try bindQuery(query, outer: around)
            return try aliased(plan, alias, defaultName: "")
        case .function(let call, let alias): return try bindFunction(call, alias)
        case .window(let window): return try bindWindow(window, outer: outer)
        case .join(let join): return try bindJoin(join, outer: outer, beside: beside)
        }
    }

    func aliased(
        _ plan: LogicalPlan, _ alias: TableAlias?, defaultName: String
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let name = alias?.name.name ?? defaultName
        let named = try renamed(plan, alias?.columns ?? [], of: name)
        return (named, Scope(table: name, schema: nil, fields: named.schema.fields))
    }

    // MARK: Relations

    private mutating func bindTable(
        _ table: TableReference
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let name = table.name
        if name.parts.count == 1, !table.isStream, table.travel == nil,
            let common = commonTables.last(where: { $0.name == name.last })
        {
            try spend(common.plan, at: name.position)
            return try aliased(common.plan, table.alias, defaultName: name.last)
        }
        let relation = try relation(name)
        if let text = relation.viewText {
            guard table.travel == nil, !table.isStream else {
                throw Problem(
                    "0A000",
                    "\(table.isStream ? "STREAM" : "time travel") of a view is not supported yet",
                    hint: "name the table below the view", position: name.position)
            }
            let plan = try expanded(relation, text, at: name.position)
            return try aliased(plan, table.alias, defaultName: name.last)
        }
        let travel = try travel(table, relation)
        var columns = relation.columns
        if let travel, let then = try provider.columns(of: relation.name, at: travel) {
            columns = then
        }
        let fields = columns + relation.hiddenColumns
        let scan = ScanNode(
            relation: relation.name, kind: relation.kind, isStream: table.isStream,
            travel: travel, tableSchema: TableSchema(fields))
        let plan = LogicalPlan.scan(scan)
        try spend(plan, at: name.position)
        if let alias = table.alias, !alias.columns.isEmpty {
            return try aliased(plan, alias, defaultName: name.last)
        }
        var scope = Scope(
            table: table.alias?.name.name ?? name.last,
            schema: table.alias == nil ? relation.name.schema : nil, fields: fields,
            hiddenCount: relation.hiddenColumns.count)
        if table.alias != nil { scope.tables[0].hiddenName = name.last }
        return (plan, scope)
    }

    /// The description of a relation, or the error that it does not exist.
    func relation(_ name: ObjectName) throws(Problem) -> RelationDescription {
        if let database = name.database, database != context.database {
            throw Problem(
                "0A000", "cross-database references are not implemented: \"\(name.text)\"",
                hint: "this is database \"\(context.database)\"", position: name.position)
        }
        do throws(Problem) {
            if let found = try provider.relation(name.qualified) { return found }
        } catch {
            var problem = error
            if problem.position == nil { problem.position = name.position }
            throw problem
        }
        throw Problem(
            "42P01", "relation \"\(name.text)\" does not exist",
            hint: relationHint(name), position: name.position)
    }

    private func relationHint(_ name: ObjectName) -> String? {
        let known = provider.relationNames()
        let full = known.map(\.description)
        // The same name in another schema is the likeliest.
        if let same = known.first(where: { $0.name == name.last }) {
            return "did you mean \"\(same)\"?"
        }
        if let near = nearestName(to: name.qualified.description, among: full) {
            return "did you mean \"\(near)\"?"
        }
        if let near = nearestName(to: name.last, among: known.map(\.name)),
            let whole = known.first(where: { $0.name == near })
        {
            return "did you mean \"\(whole)\"?"
        }
        guard !full.isEmpty else { return nil }
        return "relations: " + full.prefix(12).joined(separator: ", ")
            + (full.count > 12 ? ", …" : "")
    }

    /// The plan of a view.
    private mutating func expanded(
        _ relation: RelationDescription, _ text: String, at position: Int
    ) throws(Problem) -> LogicalPlan {
        guard !openViews.contains(relation.name) else {
            throw Problem(
                "42P17", "view \"\(relation.name)\" contains itself", position: position)
        }
        openViews.append(relation.name)
        let outerTables = commonTables
        commonTables = []
        defer {
            commonTables = outerTables
            openViews.removeLast()
        }
        do throws(Problem) {
            let plan = try bindQuery(Parser.query(text))
            try spend(plan, at: position)
            let names = relation.columns.map { Identifier($0.name, position: position) }
            guard plan.schema.fields.map(\.name) != names.map(\.name),
                names.count == plan.schema.fields.count
            else { return plan }
            return try renamed(plan, names, of: relation.name.name)
        } catch {
            var problem = error
            problem.notes.append("while expanding view \"\(relation.name)\"")
            problem.position = position
            throw problem
        }
    }

    private mutating func travel(
        _ table: TableReference, _ relation: RelationDescription
    ) throws(Problem) -> TimeTravel? {
        guard let travel = table.travel else { return nil }
        guard relation.kind == .table else {
            throw Problem(
                "0A000",
                "time travel of a \(relation.kind == .topic ? "topic" : "system table") "
                    + "is not supported",
                hint: relation.kind == .topic ? "filter by _offset or _timestamp" : nil,
                position: table.name.position)
        }
        var context = ExpressionContext(scope: Scope(), clause: "AS OF")
        context.allowsSubqueries = false
        switch travel {
        case .version(let expression):
            let value = try bind(expression, &context)
            guard
                case .literal(.int(let version), _) = try coerce(
                    value, to: .int64, .assignment, at: expression.position), version >= 0
            else {
                throw Problem(
                    "42804", "a table version must be a whole number, not below 0",
                    hint: "DESCRIBE HISTORY \(relation.name) lists them",
                    position: expression.position)
            }
            return .version(version)
        case .timestamp(let expression):
            let value = try bind(expression, &context)
            let time = try coerce(value, to: .timestampTZ, .assignment, at: expression.position)
            return .timestamp(time)
        }
    }

    // MARK: Functions and windows

    private mutating func bindFunction(
        _ call: FunctionCall, _ alias: TableAlias?
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let name = call.name.last
        if name == "table_changes" { return try bindChanges(call, alias) }
        if name == "table_diff" { return try bindVersionDiff(call, alias) }
        guard name == "generate_series", (2...3).contains(call.arguments.count) else {
            let planned = [
                "unnest", "jsonb_array_elements", "jsonb_array_elements_text", "jsonb_each",
                "json_array_elements", "jsonb_object_keys", "http_get", "parse_items",
                "jsonb_each_text",
                "regexp_split_to_table", "string_to_table", "generate_series",
            ]
            guard planned.contains(name) else {
                throw Problem(
                    "42883", "function \(call.name.text)() does not exist in FROM",
                    hint:
                        "use a table, STREAM, TUMBLE, HOP, generate_series, table_changes, table_diff",
                    position: call.name.position)
            }
            throw Problem(
                "0A000", "\(name) in FROM is not supported yet",
                hint: "take single elements with -> or [ ]", position: call.name.position)
        }
        var context = ExpressionContext(scope: Scope(), clause: "functions in FROM")
        context.allowsSubqueries = false
        var bounds: [Int64] = []
        for argument in call.arguments {
            let value = try coerce(
                bind(argument, &context), to: .int64, .assignment, at: argument.position)
            guard case .literal(.int(let number), _) = value else {
                throw Problem(
                    "0A000", "generate_series over computed bounds is not supported yet",
                    hint: "write the bounds as integer literals", position: argument.position)
            }
            bounds.append(number)
        }
        let step = bounds.count > 2 ? bounds[2] : 1
        guard step != 0 else {
            throw Problem(
                "22023", "step size cannot equal zero", position: call.arguments[2].position)
        }
        var rows: [[BoundExpression]] = []
        var next = bounds[0]
        while step > 0 ? next <= bounds[1] : next >= bounds[1] {
            guard rows.count < 100_000 else {
                throw Problem(
                    "54000", "generate_series is limited to 100000 rows",
                    position: call.name.position)
            }
            rows.append([.literal(.int(next), .int64)])
            let (sum, overflow) = next.addingReportingOverflow(step)
            if overflow { break }
            next = sum
        }
        // As in PostgreSQL, the alias names the only column too.
        let column = alias?.name.name ?? name
        let schema = TableSchema([Field(column, .int64)])
        return try aliased(.values(rows, schema), alias, defaultName: name)
    }

    /// `table_changes('schema.table', first_version [, last_version])`
    private mutating func bindChanges(
        _ call: FunctionCall, _ alias: TableAlias?
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let (relation, versions) = try versionArguments(call, counts: 1...2)
        let travel = TimeTravel.changes(
            from: versions[0], through: versions.count > 1 ? versions[1] : nil)
        let columns = try provider.columns(of: relation.name, at: travel) ?? relation.columns
        let scan = ScanNode(
            relation: relation.name, kind: relation.kind, travel: travel,
            tableSchema: TableSchema(columns + TimeTravel.changeColumns))
        return try aliased(.scan(scan), alias, defaultName: relation.name.name)
    }

    private mutating func bindWindow(
        _ window: WindowFunction, outer: [Scope]
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let position = window.position
        let name = window.kind.rawValue.uppercased()
        guard window.kind == .tumble || window.kind == .hop else {
            throw Problem(
                "0A000", "\(name) windows are not supported yet", hint: "use TUMBLE or HOP",
                position: position)
        }
        let usage =
            window.kind == .tumble
            ? "TUMBLE(table, time_column, size)" : "HOP(table, time_column, slide, size)"
        guard window.arguments.count == (window.kind == .tumble ? 2 : 3) else {
            throw Problem(
                "42601", "wrong number of arguments of \(name)", hint: "write \(usage)",
                position: position)
        }
        let (plan, scope) = try bindItem(window.input, outer: outer, beside: Scope())
        var context = ExpressionContext(scope: scope, clause: name)
        context.allowsSubqueries = false
        let time = try bind(window.arguments[0], &context)
        guard case .column(let index, let type) = time,
            type == .timestamp || type == .timestampTZ
        else {
            throw Problem(
                "42804", "\(name) needs a column of type timestamp or timestamptz",
                notes: ["this is \(time.type.plainName)"], hint: "write \(usage)",
                position: window.arguments[0].position)
        }
        let slide = try windowSize(window.arguments[1])
        let size = window.kind == .tumble ? slide : try windowSize(window.arguments[2])
        guard slide <= size, size / slide <= 10_000 else {
            throw Problem(
                "22023", "the slide of HOP must be at most its size, and not below a 10000th of it",
                hint: "write \(usage)", position: window.arguments[1].position)
        }
        let node = WindowNode(
            input: plan, timeColumn: index, slideMicroseconds: slide, sizeMicroseconds: size)
        let result = LogicalPlan.window(node)
        var named = scope
        let table = window.alias?.name.name ?? scope.tables.first?.name ?? ""
        let schema = window.alias == nil ? scope.tables.first?.schema : nil
        named.tables = [Scope.Table(name: table, schema: schema)]
        for position in named.entries.indices {
            named.entries[position].table = table
            named.entries[position].schema = schema
        }
        let width = plan.schema.fields.count
        for (offset, column) in ["window_start", "window_end"].enumerated() {
            named.entries.append(
                Scope.Entry(
                    name: column, table: table, schema: schema,
                    expression: .column(width + offset, type)))
        }
        return (result, named)
    }

    private mutating func windowSize(_ expression: Expression) throws(Problem) -> Int64 {
        var context = ExpressionContext(scope: Scope(), clause: "window sizes")
        context.allowsSubqueries = false
        let value = try coerce(
            bind(expression, &context), to: .interval, at: expression.position)
        guard case .literal(.interval(let interval), _) = value, interval.months == 0 else {
            throw Problem(
                "22023", "a window size must be an interval of fixed length",
                hint: "write it in weeks, days, hours, minutes or seconds: INTERVAL '5 minutes'",
                position: expression.position)
        }
        let (days, overflow) = Int64(interval.days).multipliedReportingOverflow(
            by: 86_400_000_000)
        let (total, carry) = days.addingReportingOverflow(interval.microseconds)
        guard !overflow, !carry, total > 0 else {
            throw Problem(
                "22023", "a window size must be positive", position: expression.position)
        }
        return total
    }
}

extension FromItem {
    var position: Int {
        switch self {
        case .table(let table): table.name.position
        case .query(_, _, _, let position): position
        case .function(let call, _): call.name.position
        case .window(let window): window.position
        case .join(let join): join.position
        }
    }
}
