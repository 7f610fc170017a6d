// What stands in FROM: relations, views, queries, windows, joins.

import Base
import Columns

extension Binder {
    /// The rows of a FROM clause, and the names that reach them.
    mutating func bindFrom(
        _ items: [FromItem], outer: [Scope]
    ) throws(Problem) -> (plan: LogicalPlan, scope: Scope) {
        guard let first = items.first else { return (Binder.oneRow, Scope()) }
        var (plan, scope) = try bindItem(first, outer: outer, beside: Beside())
        for item in items.dropFirst() {
            let width = plan.schema.fields.count
            let (right, rightScope) = try bindItem(
                item, outer: outer, beside: Beside(scope: scope, width: width))
            try checkNames(scope, rightScope, at: item.position)
            scope = scope.joined(with: rightScope, width: width)
            plan = try lateralJoin(
                JoinNode(kind: .cross, left: plan, right: right),
                Correlation(level: outer.count, columns: 0..<width), at: item.position)
        }
        return (plan, scope)
    }

    func checkNames(_ left: Scope, _ right: Scope, at position: Int) throws(Problem) {
        for table in right.tables where !table.name.isEmpty && left.hasTable(table.name) {
            throw Problem(
                "42712", "table name \"\(table.name)\" specified more than once",
                hint: "give one of them an alias", position: position)
        }
    }

    mutating func bindItem(
        _ item: FromItem, outer: [Scope], beside: Beside
    ) throws(Problem) -> (LogicalPlan, Scope) {
        try enter(at: item.position)
        defer { leave() }
        switch item {
        case .table(let table): return try bindTable(table)
        case .query(let query, let alias, let isLateral, _):
            let around = isLateral ? outer + [beside.scope] : outer
            let plan = try bindQuery(query, outer: around)
            return try aliased(plan, alias, defaultName: "")
        case .function(let function): return try bindFunction(function, outer + [beside.scope])
        case .window(let window): return try bindWindow(window, outer: outer)
        case .join(let join):
            return join.isAsof
                ? try bindAsof(join, outer: outer, beside: beside)
                : try bindJoin(join, outer: outer, beside: beside)
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
            if case .working(_, let schema) = common.plan, schema.fields.isEmpty {
                throw Problem(
                    "42P19",
                    "recursive reference to query \"\(name.last)\" must not appear within its "
                        + "non-recursive term",
                    hint: "write WITH RECURSIVE as: first rows UNION ALL rows made of those before",
                    position: name.position)
            }
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
        var plan = LogicalPlan.scan(scan)
        if let percent = table.sample { plan = try sampled(plan, percent) }
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

    /// About `percent` of a hundred rows, drawn anew for every statement.
    private mutating func sampled(
        _ plan: LogicalPlan, _ percent: Expression
    ) throws(Problem) -> LogicalPlan {
        var context = ExpressionContext(scope: Scope(), clause: "TABLESAMPLE")
        context.allowsSubqueries = false
        let value = try coerce(
            bind(percent, &context), to: .float64, .assignment, at: percent.position)
        guard case .literal(.float(let share), _) = value, (0...100).contains(share) else {
            throw Problem(
                "2202H", "sample percentage must be between 0 and 100",
                position: percent.position)
        }
        let drawn = BoundExpression.call(
            .multiply,
            [.call(.random, [], .float64), .literal(.float(100), .float64)], .float64)
        return .filter(plan, .call(.less, [drawn, value], .boolean))
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

    /// `table_changes('schema.table', first_version [, last_version])`
    mutating func bindChanges(
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
        let (plan, scope) = try bindItem(window.input, outer: outer, beside: Beside())
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

/// The tables that stand left of an item of FROM: what LATERAL may read.
struct Beside {
    var scope = Scope()
    /// Columns of their rows.
    var width = 0
}

extension FromItem {
    var position: Int {
        switch self {
        case .table(let table): table.name.position
        case .query(_, _, _, let position): position
        case .function(let function): function.position
        case .window(let window): window.position
        case .join(let join): join.position
        }
    }
}
