// Functions that give rows, in FROM and in the select list.

import Base
import Columns

extension Binder {
    /// A function of FROM. `outer` ends with the tables on its left, which its arguments may read.
    mutating func bindFunction(
        _ item: FunctionItem, _ outer: [Scope]
    ) throws(Problem) -> (LogicalPlan, Scope) {
        let alias = item.alias
        if item.calls.count == 1, !item.hasOrdinality {
            switch item.calls[0].name.last {
            case "table_changes": return try bindChanges(item.calls[0], alias)
            case "table_diff": return try bindVersionDiff(item.calls[0], alias)
            default: break
            }
        }
        var context = ExpressionContext(
            scope: Scope(), clause: "functions in FROM", outer: outer)
        var calls: [TableCall] = []
        for call in item.calls {
            if TableFunctions.names.contains(call.name.last) {
                calls += try tableCalls(call, &context)
            } else {
                // Any other function gives one row: a list of its value.
                let value = try known(
                    bind(Expression(.function(call), at: call.name.position), &context),
                    at: call.name.position)
                calls.append(
                    TableCall(
                        .unnest, [.call(.makeList, [value], .list(value.type))],
                        fields: [Field(call.name.last, value.type)]))
            }
        }
        let placed = try place(
            calls.flatMap(\.arguments), over: Binder.oneRow, at: item.position)
        var next = placed.expressions[...]
        for index in calls.indices {
            calls[index].arguments = calls[index].arguments.map { _ in next.removeFirst() }
        }
        let isSingle = calls.count == 1 && calls[0].fields.count == 1
        // As in PostgreSQL, the alias names the only column, too.
        if isSingle, let alias, !TableFunctions.namesItsColumns(calls[0].function) {
            calls[0].fields[0].name = alias.name.name
        }
        let node = ExpandNode(
            input: placed.plan, calls: calls,
            ordinality: item.hasOrdinality ? Field("ordinality", .int64) : nil)
        var plan = LogicalPlan.expand(node)
        let width = placed.plan.schema.fields.count
        if width > 0 {
            plan = .project(
                plan,
                node.added.enumerated().map {
                    NamedExpression($1.name, .column(width + $0, $1.type))
                })
        }
        var (named, scope) = try aliased(plan, alias, defaultName: item.calls[0].name.last)
        scope.tables[0].isScalar = isSingle && !item.hasOrdinality
        try spend(named, at: item.position)
        return (named, scope)
    }

    /// The function that a call of the select list means; the result stands for its column.
    mutating func seriesColumn(
        _ call: FunctionCall, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = call.name.position
        guard context.allowsSeries, !context.isInsideAggregate, !context.isInsideWindow else {
            throw Problem(
                "0A000",
                "set-returning functions are not allowed in \(context.clause)",
                hint: "call \(call.name.last) in FROM", position: position)
        }
        let calls = try tableCalls(call, &context)
        guard calls.count == 1, calls[0].fields.count == 1 else {
            throw Problem(
                "0A000", "a function with several columns is not supported in the select list",
                hint: "call \(call.name.last) in FROM", position: position)
        }
        // `GROUP BY unnest(a)` means the one of the select list.
        if context.clause == "GROUP BY", let known = context.seriesCalls.firstIndex(of: calls[0]) {
            return .column(Placeholder.series(known), calls[0].fields[0].type)
        }
        context.seriesCalls.append(calls[0])
        return .column(
            Placeholder.series(context.seriesCalls.count - 1), calls[0].fields[0].type)
    }

    /// `plan` with the rows that functions of the select list give; the outputs read them from then
    /// on.
    mutating func expanded(
        _ plan: LogicalPlan, _ work: inout SelectWork
    ) throws(Problem) -> LogicalPlan {
        let outputs = (work.outputs + work.extras).map(\.expression)
        let (result, places) = try expanded(plan, for: outputs, work) {
            expression throws(Problem) in
            let read = work.isGrouped ? try work.afterGrouping(expression) : expression
            return read.mapColumns { work.windowColumns[$0] ?? $0 }
        }
        work.mapOutputs { $0.readingSeries(at: places) }
        return result
    }

    /// `plan` with the rows that functions in GROUP BY give; what is grouped by reads them.
    mutating func expandedGroups(
        _ plan: LogicalPlan, _ work: SelectWork
    ) throws(Problem) -> (LogicalPlan, groups: [BoundExpression]) {
        let (result, places) = try expanded(plan, for: work.groups, work) { $0 }
        return (result, work.groups.map { $0.readingSeries(at: places) })
    }

    /// `plan` with the rows of all functions that `readers` need; where their columns are. Functions
    /// whose arguments are such rows come behind those that give them.
    private mutating func expanded(
        _ plan: LogicalPlan, for readers: [BoundExpression], _ work: SelectWork,
        read: (BoundExpression) throws(Problem) -> BoundExpression
    ) throws(Problem) -> (LogicalPlan, [Int: Int]) {
        var calls = work.context.seriesCalls
        var needed = [Bool](repeating: false, count: calls.count)
        for number in readers.flatMap(\.seriesNumbers) { needed[number] = true }
        // What stands inside was bound before.
        for index in calls.indices.reversed() where needed[index] {
            for place in calls[index].arguments.indices {
                calls[index].arguments[place] = try read(calls[index].arguments[place])
            }
            for number in calls[index].arguments.flatMap(\.seriesNumbers) { needed[number] = true }
        }
        var levels = [Int](repeating: 0, count: calls.count)
        for index in calls.indices {
            for inner in calls[index].arguments.flatMap(\.seriesNumbers) {
                levels[index] = max(levels[index], levels[inner] + 1)
            }
        }
        var plan = plan
        var places: [Int: Int] = [:]
        for level in 0...(levels.max() ?? 0) {
            let numbers = calls.indices.filter { needed[$0] && levels[$0] == level }
            if numbers.isEmpty { continue }
            var level = numbers.map { calls[$0] }
            let inputs = level.flatMap(\.arguments).map { $0.readingSeries(at: places) }
            let placed = try place(inputs, over: plan, at: work.position)
            var next = placed.expressions[...]
            for index in level.indices {
                level[index].arguments = level[index].arguments.map { _ in next.removeFirst() }
            }
            let width = placed.plan.schema.fields.count
            for (place, number) in numbers.enumerated() { places[number] = width + place }
            plan = .expand(ExpandNode(input: placed.plan, calls: level))
        }
        return (plan, places)
    }

    /// Error 0A000 when functions that give rows were called inside of `what` since there were
    /// `count` of them: it decides whether its parts are evaluated at all.
    func refuseSeries(
        in what: String, since count: Int, _ context: ExpressionContext, at position: Int
    ) throws(Problem) {
        guard context.seriesCalls.count > count else { return }
        throw Problem(
            "0A000", "set-returning functions are not allowed in \(what)",
            hint: "You might be able to move the set-returning function into a LATERAL FROM item.",
            position: position)
    }

    // MARK: Calls

    /// What a call gives; `unnest` of several arrays is several calls.
    private mutating func tableCalls(
        _ call: FunctionCall, _ context: inout ExpressionContext
    ) throws(Problem) -> [TableCall] {
        let name = call.name.last
        let position = call.name.position
        guard !call.isDistinct, !call.isStar, call.orderBy.isEmpty, call.filter == nil,
            call.over == nil
        else {
            throw Problem(
                "42809", "\(name) is not an aggregate function", position: position)
        }
        var arguments: [BoundExpression] = []
        for argument in call.arguments { arguments.append(try bind(argument, &context)) }
        func mismatch() -> Problem {
            let types = arguments.map(\.type.plainName).joined(separator: ", ")
            return Problem(
                "42883", "function \(call.name.text)(\(types)) does not exist",
                hint: "No function matches the given name and argument types. "
                    + "You might need to add explicit type casts.", position: position)
        }
        func json(
            _ function: TableFunction, _ fields: [Field]
        ) throws(Problem) -> [TableCall] {
            guard arguments.count == 1, arguments[0].type == .json || arguments[0].isUnknownLiteral
            else { throw mismatch() }
            let document = try coerce(
                arguments[0], to: .json, at: call.arguments[0].position)
            return [TableCall(function, [document], fields: fields)]
        }
        switch name {
        case "unnest":
            guard !arguments.isEmpty else { throw mismatch() }
            return try arguments.map { argument throws(Problem) in
                guard case .list(let element) = argument.type else { throw mismatch() }
                return TableCall(.unnest, [argument], fields: [Field("unnest", element)])
            }
        case "generate_series":
            guard let series = try series(call, arguments) else { throw mismatch() }
            return [series]
        case "jsonb_array_elements", "json_array_elements":
            return try json(.jsonElements, [Field("value", .json)])
        case "jsonb_array_elements_text", "json_array_elements_text":
            return try json(.jsonElementTexts, [Field("value", .text)])
        case "jsonb_each", "json_each":
            return try json(.jsonMembers, [Field("key", .text), Field("value", .json)])
        case "jsonb_each_text", "json_each_text":
            return try json(.jsonMemberTexts, [Field("key", .text), Field("value", .text)])
        case "jsonb_object_keys", "json_object_keys":
            return try json(.jsonKeys, [Field(name, .text)])
        case "jsonb_path_query":
            guard
                let found = try FunctionBinder(context: self.context).path(
                    .jsonPathQuery, arguments, call.arguments.map(\.position))
            else { throw mismatch() }
            return [TableCall(.unnest, [found], fields: [Field(name, .json)])]
        case "generate_subscripts":
            guard let places = try subscripts(call, arguments) else { throw mismatch() }
            return [places]
        case "string_to_table", "regexp_split_to_table", "regexp_matches":
            guard (2...3).contains(arguments.count) else { throw mismatch() }
            var texts: [BoundExpression] = []
            for (index, argument) in arguments.enumerated() {
                texts.append(
                    try coerce(argument, to: .text, at: call.arguments[index].position))
            }
            if name != "string_to_table", texts.count == 2 {
                texts.append(.literal(.text(""), .text))
            }
            let isMatches = name == "regexp_matches"
            let element: ColumnType = isMatches ? .list(.text) : .text
            let function: ScalarFunction =
                isMatches
                ? .regexMatches
                : name != "string_to_table"
                    ? .regexSplit : texts.count > 2 ? .textToListWithNull : .textToList
            let list = BoundExpression.call(function, texts, .list(element))
            return [TableCall(.unnest, [list], fields: [Field(name, element)])]
        default: throw mismatch()
        }
    }

    /// `generate_subscripts(array, dimension [, backwards])`
    private func subscripts(
        _ call: FunctionCall, _ arguments: [BoundExpression]
    ) throws(Problem) -> TableCall? {
        guard (2...3).contains(arguments.count), case .list = arguments[0].type else { return nil }
        let dimension = try coerce(
            arguments[1], to: .int32, .assignment, at: call.arguments[1].position)
        let one = BoundExpression.literal(.int(1), .int32)
        let length = BoundExpression.call(.listLengthOf, [arguments[0], dimension], .int32)
        var isReversed = BoundExpression.literal(.boolean(false), .boolean)
        if arguments.count > 2 {
            isReversed = try coerce(
                arguments[2], to: .boolean, at: call.arguments[2].position)
        }
        func either(_ forward: BoundExpression, _ backward: BoundExpression) -> BoundExpression {
            .conditional(
                [.init(condition: isReversed, value: backward)], otherwise: forward, .int32)
        }
        let start = either(one, length)
        let stop = either(length, one)
        let step = either(one, .literal(.int(-1), .int32))
        return TableCall(
            .series, [start, stop, step], fields: [Field("generate_subscripts", .int32)])
    }

    /// `generate_series(start, stop [, step])`
    private func series(
        _ call: FunctionCall, _ arguments: [BoundExpression]
    ) throws(Problem) -> TableCall? {
        guard (2...3).contains(arguments.count) else { return nil }
        let bounds = arguments.prefix(2)
        let known = bounds.map(\.type).filter { $0 != .null }
        var type = known.first ?? .int32
        for other in known.dropFirst() {
            guard let wider = commonType(type, other) else { return nil }
            type = wider
        }
        var step = arguments.count > 2 ? arguments[2] : nil
        let hasTime: Bool
        switch type {
        case .int16, .int32, .int64: hasTime = false
        case .decimal: hasTime = false
        case .date:
            (type, hasTime) = (.timestampTZ, true)
        case .timestamp, .timestampTZ: hasTime = true
        default: return nil
        }
        if hasTime {
            guard let given = step, given.type == .interval || given.isUnknownLiteral else {
                return nil
            }
            step = try coerce(given, to: .interval, at: call.arguments[2].position)
        } else {
            if type == .int16 { type = .int32 }
            if let given = step, !given.isUnknownLiteral {
                guard let wider = commonType(type, given.type) else { return nil }
                type = wider
            }
            let one = BoundExpression.literal(.int(1), .int32)
            step = try coerce(
                step ?? one, to: type, at: call.arguments.last?.position ?? call.name.position)
        }
        guard type == .int32 || type == .int64 || type.isDecimal || hasTime, let step else {
            return nil
        }
        var all: [BoundExpression] = []
        for (index, bound) in bounds.enumerated() {
            all.append(try coerce(bound, to: type, at: call.arguments[index].position))
        }
        return TableCall(.series, all + [step], fields: [Field("generate_series", type)])
    }
}

/// Functions that give rows.
enum TableFunctions {
    static let names = FunctionCatalog.rowFunctionNames

    /// Functions whose only column keeps its own name under an alias.
    static func namesItsColumns(_ function: TableFunction) -> Bool {
        function == .jsonElements || function == .jsonElementTexts
    }
}
