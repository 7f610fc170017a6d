import Base
import Columns

extension Binder {
    /// Resolves the names and types of an expression. The result may be an unknown literal.
    mutating func bind(
        _ expression: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        try enter(at: expression.position)
        defer { leave() }
        return try bindKind(expression, &context)
    }

    private mutating func bindKind(
        _ expression: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = expression.position
        switch expression.kind {
        case .column(let name):
            if name.parts.count == 1, case .missing = context.scope.find(name),
                let alias = context.aliases.first(where: { $0.name == name.last })
            {
                return alias.expression
            }
            return try column(name, &context)
        case .number(let digits): return try number(digits, at: position)
        case .string(let text): return .literal(.text(text), .null)
        case .boolean(let flag): return .literal(.boolean(flag), .boolean)
        case .null: return .literal(.null, .null)
        case .defaultValue:
            throw Problem(
                "42601", "DEFAULT is not allowed in this context",
                hint: "it stands for a whole value of VALUES in an INSERT, or behind SET",
                position: position)
        case .parameter(let number): return try parameter(number, at: position)
        case .typedString(let type, let text):
            return try explicitCast(
                .literal(.text(text), .null), to: type, orNull: false, at: position)
        case .interval(let text, let unit): return try interval(text, unit, at: position)
        case .unary(let name, let operand):
            return try Operators.bind(unary: name, bind(operand, &context), at: position)
        case .binary(let name, let left, let right):
            if case .row = left.kind { return try rows(name, left, right, &context) }
            let a = try bind(left, &context)
            let b = try bind(right, &context)
            return try placed(name, a, b, at: position, left.position, right.position)
        case .not(let operand):
            return .not(try boolean(bind(operand, &context), of: "NOT", at: operand.position))
        case .and(let operands): return .and(try booleans(operands, "AND", &context))
        case .or(let operands): return .or(try booleans(operands, "OR", &context))
        default: return try bindTest(expression, &context)
        }
    }

    private mutating func bindTest(
        _ expression: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = expression.position
        switch expression.kind {
        case .truthTest(let operand, let test, let isNegated):
            return try truthTest(operand, test, isNegated, &context)
        case .distinctTest(let left, let right, let isNegated):
            if case .row = left.kind {
                let test = try rows("IS DISTINCT FROM", left, right, &context)
                return isNegated ? .not(test) : test
            }
            let a = try bind(left, &context)
            let b = try bind(right, &context)
            guard let (x, y) = try Operators.comparable(a, b, at: position) else {
                throw Operators.missing("=", a, b, at: position)
            }
            return isNegated ? .not(.isDistinct(x, y)) : .isDistinct(x, y)
        case .between(let operand, let low, let high, let isNegated, let isSymmetric):
            return try between(operand, low, high, isNegated, isSymmetric, position, &context)
        case .inList(let operand, let items, let isNegated):
            return try inList(operand, items, isNegated, position, &context)
        case .inQuery(let operand, let query, let isNegated):
            return try membership(operand, query, isNegated, position, &context)
        case .like(let test): return try like(test, position, &context)
        case .quantified(let operand, let name, let isAll, let over):
            return try quantified(operand, name, isAll, over, position, &context)
        case .cast(let operand, let type, let orNull):
            let value = try bind(operand, &context)
            if type.dimensions == 0,
                let name = try registeredName(operand, value, as: type.name, at: position)
            {
                return try bind(name, &context)
            }
            return try explicitCast(value, to: type, orNull: orNull, at: position)
        case .function(let call): return try function(call, &context)
        case .conditional(let operand, let whens, let otherwise):
            let count = context.seriesCalls.count
            let value = try conditional(operand, whens, otherwise, &context)
            try refuseSeries(in: "CASE", since: count, context, at: expression.position)
            return value
        default: return try bindConstruct(expression, &context)
        }
    }

    private mutating func bindConstruct(
        _ expression: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let position = expression.position
        switch expression.kind {
        case .extract(let field, let operand):
            return try FunctionBinder.extract(field, from: bind(operand, &context), at: position)
        case .atTimeZone(let operand, let zone):
            let value = try bind(operand, &context)
            return try TimeZones.shift(value, to: bind(zone, &context), at: zone.position)
        case .array(let items): return try array(items, &context)
        case .element(let base, let index): return try element(base, index, &context)
        case .member(let base, let name): return try member(base, name, &context)
        case .scalarQuery(let query): return try scalarQuery(query, position, &context)
        case .exists(let query): return try exists(query, position, &context)
        case .arrayQuery(let query): return try arrayQuery(query, position, &context)
        case .row(let members): return try row(members, position, &context)
        default:
            preconditionFailure("every kind of expression is bound")
        }
    }

    // MARK: Names and literals

    private func column(
        _ name: ObjectName, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        switch context.scope.find(name) {
        case .found(let expression):
            if !context.isInsideAggregate {
                expression.forEachColumn { index in
                    context.uses.append((index, name.text, name.position))
                }
            }
            return expression
        case .ambiguous: throw ambiguous(name, context.scope)
        case .table:
            throw Problem(
                "0A000", "a whole row as a value is not supported yet",
                hint: "use \(name.last).* in the select list, or name its columns",
                position: name.position)
        case .missing: break
        }
        if let member = structureMember(name, context.scope) { return member }
        for (level, scope) in context.outer.enumerated().reversed() {
            switch scope.find(name) {
            case .found(let expression): return expression.asOuter(level: level)
            case .ambiguous: throw ambiguous(name, scope)
            default:
                if let member = structureMember(name, scope) {
                    return member.asOuter(level: level)
                }
            }
        }
        // The table that the name begins with may stand further out.
        let table = name.parts.count > 1 ? name.parts[name.parts.count - 2].name : nil
        let owner = table.flatMap { table in
            context.outer.last { $0.hasTable(table) }
        }
        let isHere = table.map { context.scope.hasTable($0) } ?? true
        throw (isHere ? context.scope : owner ?? context.scope).missing(name)
    }

    private func ambiguous(_ name: ObjectName, _ scope: Scope) -> Problem {
        let tables = scope.entries.filter { $0.name == name.last }.compactMap(\.table)
        return Problem(
            "42702", "column reference \"\(name.last)\" is ambiguous",
            hint: "write " + tables.map { "\($0).\(name.last)" }.joined(separator: " or "),
            position: name.position)
    }

    /// `column.member` of a structure.
    private func structureMember(_ name: ObjectName, _ scope: Scope) -> BoundExpression? {
        guard name.parts.count > 1 else { return nil }
        let base = ObjectName(Array(name.parts.dropLast()))
        guard case .found(let expression) = scope.find(base),
            case .structure(let fields) = expression.type,
            let index = fields.firstIndex(where: { $0.name == name.last })
        else { return nil }
        return .call(
            .structureField, [expression, .literal(.int(Int64(index)), .int32)],
            fields[index].type)
    }

    private func number(_ digits: String, at position: Int) throws(Problem) -> BoundExpression {
        if let value = Int64(digits) {
            let isSmall = Int32(exactly: value) != nil
            return .literal(.int(value), isSmall ? .int32 : .int64)
        }
        guard let number = DecimalLiteral(digits) else {
            // The lexer has read a number: its exponent is too large.
            throw Problem(
                "22003", "value \"\(digits)\" is out of range for type numeric",
                position: position)
        }
        let scale = max(0, number.scale)
        if scale <= 37, let unscaled = number.unscaled(atScale: scale) {
            let whole = max(1, number.digits.count - number.scale)
            return .literal(
                .decimal(unscaled: unscaled, scale: scale),
                .decimal(integerDigits: min(whole, 38 - scale), scale: scale))
        }
        if let value = Double(digits), value.isFinite { return .literal(.float(value), .float64) }
        throw Problem(
            "22003", "value \"\(digits)\" is out of range for type numeric", position: position)
    }

    private func parameter(_ number: Int, at position: Int) throws(Problem) -> BoundExpression {
        guard number <= context.parameters.count else {
            throw Problem("42P02", "there is no parameter $\(number)", position: position)
        }
        guard let text = context.parameters[number - 1] else { return .literal(.null, .null) }
        return .literal(.text(text), .null)
    }

    private func interval(
        _ text: String, _ unit: String?, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard let unit else {
            if let value = plainInterval(text) { return .literal(.interval(value), .interval) }
            return .cast(.literal(.text(text), .text), to: .interval, .strict)
        }
        // The unit is that of a bare number, and everything below it is cut off.
        let isBare = DecimalLiteral(text) != nil
        let whole = isBare ? "\(text) \(unit)" : text
        if isBare, Int64(text) != nil, let value = plainInterval(whole) {
            return .literal(.interval(value), .interval)
        }
        let value = BoundExpression.cast(.literal(.text(whole), .text), to: .interval, .strict)
        if unit == "second" || unit == "week" { return value }
        return .call(.dateTrunc, [.literal(.text(unit), .text), value], .interval)
    }

    // MARK: Tests

    /// `left name right`; a literal that can't be read is pointed at itself, not at the operator.
    private func placed(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int,
        _ leftPosition: Int, _ rightPosition: Int
    ) throws(Problem) -> BoundExpression {
        do throws(Problem) {
            return try Operators.bind(name, left, right, at: position)
        } catch {
            var problem = error
            if problem.code.hasPrefix("22") {
                problem.position = left.isUnknownLiteral ? leftPosition : rightPosition
            }
            throw problem
        }
    }

    private mutating func booleans(
        _ operands: [Expression], _ name: String, _ context: inout ExpressionContext
    ) throws(Problem) -> [BoundExpression] {
        var results: [BoundExpression] = []
        for operand in operands {
            results.append(
                try boolean(bind(operand, &context), of: name, at: operand.position))
        }
        return results
    }

    private mutating func truthTest(
        _ operand: Expression, _ test: Expression.TruthTest, _ isNegated: Bool,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        if test == .null, case .row(let members) = operand.kind, !members.isEmpty {
            // A row is NULL when all of its members are, and not NULL when none is.
            var tests: [BoundExpression] = []
            for member in members {
                let value = try known(bind(member, &context), at: member.position)
                tests.append(isNegated ? .isNotNull(value) : .isNull(value))
            }
            return tests.count == 1 ? tests[0] : .and(tests)
        }
        var value = try bind(operand, &context)
        if test == .null {
            if value.isUnknownLiteral { value = try coerce(value, to: .text, at: operand.position) }
            return isNegated ? .isNotNull(value) : .isNull(value)
        }
        value = try boolean(
            value, of: "IS \(test.rawValue.uppercased())", at: operand.position)
        let isFalse = BoundExpression.literal(.boolean(false), .boolean)
        let result: BoundExpression =
            switch test {
            case .true: .coalesce([value, isFalse], .boolean)
            case .false: .coalesce([.not(value), isFalse], .boolean)
            default: .isNull(value)
            }
        return isNegated ? .not(result) : result
    }

    private mutating func between(
        _ operand: Expression, _ low: Expression, _ high: Expression, _ isNegated: Bool,
        _ isSymmetric: Bool, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let value = try bind(operand, &context)
        let a = try bind(low, &context)
        let b = try bind(high, &context)
        func inside(
            _ from: BoundExpression, _ to: BoundExpression, _ places: (Int, Int)
        ) throws(Problem) -> BoundExpression {
            let place = operand.position
            return .and([
                try placed(">=", value, from, at: position, place, places.0),
                try placed("<=", value, to, at: position, place, places.1),
            ])
        }
        var result = try inside(a, b, (low.position, high.position))
        if isSymmetric {
            result = .or([result, try inside(b, a, (high.position, low.position))])
        }
        return isNegated ? .not(result) : result
    }

    private mutating func inList(
        _ operand: Expression, _ items: [Expression], _ isNegated: Bool, _ position: Int,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        if case .row = operand.kind {
            var alternatives: [BoundExpression] = []
            for item in items { alternatives.append(try rows("=", operand, item, &context)) }
            let any = alternatives.count == 1 ? alternatives[0] : .or(alternatives)
            return isNegated ? .not(any) : any
        }
        let value = try bind(operand, &context)
        var bound = [value]
        for item in items { bound.append(try bind(item, &context)) }
        var type = ColumnType.null
        for expression in bound {
            guard let wider = commonType(type, expression.type) else {
                throw Operators.missing("=", value, expression, at: position)
            }
            type = wider
        }
        if type == .null { type = .text }
        var results: [BoundExpression] = []
        for (index, expression) in bound.enumerated() {
            let place = index == 0 ? operand.position : items[index - 1].position
            results.append(try coerce(expression, to: type, at: place))
        }
        return .inList(results[0], Array(results.dropFirst()), isNegated: isNegated)
    }

    private mutating func like(
        _ test: Expression.LikeTest, _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        var arguments: [BoundExpression] = []
        let parts = [test.operand, test.pattern] + (test.escape.map { [$0] } ?? [])
        for part in parts {
            let value = try bind(part, &context)
            guard value.type == .text || value.isUnknownLiteral else {
                throw Operators.missing(
                    test.ignoresCase ? "~~*" : "~~", value, .literal(.null, .null),
                    at: position)
            }
            arguments.append(try coerce(value, to: .text, at: part.position))
        }
        let result = BoundExpression.call(
            test.ignoresCase ? .iLike : .like, arguments, .boolean)
        return test.isNegated ? .not(result) : result
    }

    /// `(a, b) = (c, d)`
    private mutating func rows(
        _ name: String, _ left: Expression, _ right: Expression,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        guard case .row(let a) = left.kind, case .row(let b) = right.kind else {
            throw Problem(
                "42601", "a row must be compared with a row", position: right.position)
        }
        guard a.count == b.count else {
            throw Problem(
                "42601", "unequal number of entries in row expressions", position: right.position)
        }
        guard !a.isEmpty else {
            throw Problem(
                "0A000", "cannot compare rows of zero length", position: left.position)
        }
        var pairs: [(BoundExpression, BoundExpression, Int)] = []
        for (x, y) in zip(a, b) {
            pairs.append((try bind(x, &context), try bind(y, &context), y.position))
        }
        var parts: [BoundExpression] = []
        switch name {
        case "=", "<>":
            for (x, y, place) in pairs { parts.append(try Operators.bind(name, x, y, at: place)) }
        case "IS DISTINCT FROM":
            for (x, y, place) in pairs {
                guard let (first, second) = try Operators.comparable(x, y, at: place) else {
                    throw Operators.missing("=", x, y, at: place)
                }
                parts.append(.isDistinct(first, second))
            }
        case "<", "<=", ">", ">=": return try ordered(name, pairs[...])
        default:
            throw Problem(
                "0A000", "comparing rows with \(name) is not supported",
                hint: "compare the members one by one", position: left.position)
        }
        if parts.count == 1 { return parts[0] }
        return name == "=" ? .and(parts) : .or(parts)
    }

    /// `(a, b) < (c, d)`: the first members that differ decide.
    private func ordered(
        _ name: String, _ pairs: ArraySlice<(BoundExpression, BoundExpression, Int)>
    ) throws(Problem) -> BoundExpression {
        guard let (x, y, place) = pairs.first else {
            preconditionFailure("rows that are compared have members")
        }
        guard pairs.count > 1 else { return try Operators.bind(name, x, y, at: place) }
        let strict = String(name.prefix(1))
        return .or([
            try Operators.bind(strict, x, y, at: place),
            .and([
                try Operators.bind("=", x, y, at: place), try ordered(name, pairs.dropFirst()),
            ]),
        ])
    }

    /// `value name ANY (array)` for any operator that gives a boolean.
    private func overElements(
        _ name: String, isAll: Bool, _ value: BoundExpression, _ array: BoundExpression,
        at position: Int
    ) throws(Problem) -> BoundExpression {
        guard case .list(let element) = array.type else {
            throw Problem(
                "42809", "op ANY/ALL (array) requires array on right side", position: position)
        }
        let place = BoundExpression.column(.min, element)
        var test = try Operators.bind(name, value, place, at: position)
        var isNegated = false
        if case .not(let inner) = test { (test, isNegated) = (inner, true) }
        guard test.type == .boolean else {
            throw Problem(
                "42809", "op ANY/ALL (array) requires operator to yield boolean",
                position: position)
        }
        var list = array
        guard case .call(let function, let arguments, _) = test, arguments.count >= 2,
            arguments[1] == place || arguments[1].isCast(of: place)
        else {
            throw Problem(
                "0A000", "\(name) \(isAll ? "ALL" : "ANY") of an array is not supported",
                hint: "use ANY over a query with unnest", position: position)
        }
        if case .cast(_, let type, _) = arguments[1] {
            list = try coerce(array, to: .list(type), .explicit, at: position)
        }
        return .call(
            .quantified,
            [
                .literal(.text(function.rawValue), .text), .literal(.boolean(isAll), .boolean),
                .literal(.boolean(isNegated), .boolean), arguments[0], list,
            ] + arguments.dropFirst(2), .boolean)
    }

    private mutating func quantified(
        _ operand: Expression, _ name: String, _ isAll: Bool, _ over: Expression.Operand,
        _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let isMembership = (name == "=" && !isAll) || (name == "<>" && isAll)
        switch over {
        case .query(let query):
            if isMembership {
                return try membership(operand, query, isAll, position, &context)
            }
            var operands = [operand]
            if case .row(let members) = operand.kind { operands = members }
            return try quantified(operands, query, name, isAll: isAll, position, &context)
        case .list(let list) where !isMembership:
            let value = try bind(operand, &context)
            var array = try bind(list, &context)
            if array.isUnknownLiteral {
                let element = value.isUnknownLiteral ? ColumnType.text : value.type
                array = try coerce(array, to: .list(element), at: list.position)
            }
            return try overElements(name, isAll: isAll, value, array, at: position)
        case .list(let list):
            if case .array(let items) = list.kind, !items.isEmpty {
                return try inList(operand, items, isAll, position, &context)
            }
            var value = try bind(operand, &context)
            var array = try bind(list, &context)
            if array.isUnknownLiteral {
                let element = value.isUnknownLiteral ? ColumnType.text : value.type
                array = try coerce(array, to: .list(element), at: list.position)
            }
            guard case .list(let element) = array.type else {
                throw Problem(
                    "42809", "op ANY/ALL (array) requires array on right side",
                    position: list.position)
            }
            if value.type != element {
                guard let type = commonType(value.type, element) else {
                    throw Operators.missing(
                        name, value, .literal(.null, element), at: position)
                }
                value = try coerce(value, to: type, at: operand.position)
                array = try coerce(array, to: .list(type), at: list.position)
            }
            let contains = BoundExpression.call(.listContains, [array, value], .boolean)
            return isAll ? .not(contains) : contains
        }
    }

    // MARK: CASE, lists, structures

    private mutating func conditional(
        _ operand: Expression?, _ whens: [Expression.When], _ otherwise: Expression?,
        _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        var subject: BoundExpression?
        if let operand { subject = try bind(operand, &context) }
        var conditions: [BoundExpression] = []
        var values: [BoundExpression] = []
        var positions: [Int] = []
        for when in whens {
            let condition = try bind(when.condition, &context)
            if let subject {
                conditions.append(
                    try Operators.bind("=", subject, condition, at: when.condition.position))
            } else {
                conditions.append(
                    try boolean(condition, of: "CASE/WHEN", at: when.condition.position))
            }
            values.append(try bind(when.value, &context))
            positions.append(when.value.position)
        }
        if let otherwise {
            // First, as PostgreSQL looks at the types in this order.
            values.insert(try bind(otherwise, &context), at: 0)
            positions.insert(otherwise.position, at: 0)
        }
        let (all, type) = try unified(values, positions: positions, what: "CASE")
        let first = otherwise == nil ? 0 : 1
        var branches: [BoundExpression.Branch] = []
        for (index, condition) in conditions.enumerated() {
            branches.append(.init(condition: condition, value: all[first + index]))
        }
        return .conditional(branches, otherwise: otherwise == nil ? nil : all[0], type)
    }

    private mutating func array(
        _ items: [Expression], _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        guard !items.isEmpty else { return .literal(.list([]), .list(.text)) }
        var values: [BoundExpression] = []
        for item in items { values.append(try bind(item, &context)) }
        let (all, type) = try unified(values, positions: items.map(\.position), what: "ARRAY")
        return .call(.makeList, all, .list(type))
    }

    /// A row as a value; its members have no names but f1, f2, ….
    private mutating func row(
        _ members: [Expression], _ position: Int, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        guard !members.isEmpty else {
            throw Problem("0A000", "a row without members is not supported", position: position)
        }
        var values: [BoundExpression] = []
        var fields: [Field] = []
        for (index, member) in members.enumerated() {
            let value = try known(bind(member, &context), at: member.position)
            values.append(value)
            fields.append(Field("f\(index + 1)", value.type))
        }
        return .call(.makeStructure, values, .structure(fields))
    }

    private mutating func element(
        _ base: Expression, _ index: Expression, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let container = try bind(base, &context)
        let key = try bind(index, &context)
        switch container.type {
        case .list(let element):
            return .call(
                .listElement,
                [container, try coerce(key, to: .int32, .assignment, at: index.position)], element)
        case .map(let keyType, let valueType):
            return .call(
                .mapElement, [container, try coerce(key, to: keyType, at: index.position)],
                valueType)
        case .json:
            if key.type.isInteger {
                return .call(
                    .jsonElement,
                    [container, try coerce(key, to: .int32, .assignment, at: index.position)],
                    .json)
            }
            return .call(
                .jsonField, [container, try coerce(key, to: .text, at: index.position)], .json)
        default:
            throw Problem(
                "42804",
                "cannot subscript type \(container.type.plainName) because it does not support "
                    + "subscripting", position: base.position)
        }
    }

    private mutating func member(
        _ base: Expression, _ name: Identifier, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let container = try bind(base, &context)
        guard case .structure(let fields) = container.type else {
            throw Problem(
                "42809",
                "column notation .\(name.name) applied to type \(container.type.plainName), "
                    + "which is not a composite type", position: name.position)
        }
        guard let index = fields.firstIndex(where: { $0.name == name.name }) else {
            throw Problem(
                "42703", "column \"\(name.name)\" not found in data type record",
                hint: columnHint(name.name, fields.map(\.name)), position: name.position)
        }
        return .call(
            .structureField, [container, .literal(.int(Int64(index)), .int32)],
            fields[index].type)
    }

    // MARK: Calls

    private mutating func function(
        _ call: FunctionCall, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression {
        let name = call.name.last
        let isPlain =
            call.name.parts.count == 1 || call.name.parts.first?.name == "pg_catalog"
        if isPlain, name == "merge_action", call.arguments.isEmpty, !call.isStar {
            guard let action = mergeAction else {
                throw Problem(
                    "42601",
                    "MERGE_ACTION() can only be used in the RETURNING list of a MERGE"
                        + " command", position: call.name.position)
            }
            return action
        }
        if let over = call.over {
            return try windowFunction(call, over: over, &context)
        }
        if isPlain, call.isWithinGroup, Self.hypotheticalNames.contains(name) {
            return try bind(hypothetical(call), &context)
        }
        if let known = try catalogCall(call) { return try bind(known, &context) }
        if isPlain, let aggregate = FunctionCatalog.aggregates[name] {
            return try self.aggregate(call, aggregate, &context)
        }
        if isPlain, name == "grouping" { return try grouping(call, &context) }
        if isPlain, TableFunctions.names.contains(name) {
            return try seriesColumn(call, &context)
        }
        if call.isStar || call.isDistinct || call.filter != nil || !call.orderBy.isEmpty {
            let what =
                call.isDistinct ? "DISTINCT" : call.filter != nil ? "FILTER" : "ORDER BY"
            if !FunctionCatalog.names.contains(name) {
                throw Problem(
                    "42883", "function \(call.name.text)() does not exist",
                    hint: nearestName(to: name, among: FunctionCatalog.names)
                        .map { "did you mean \"\($0)\"?" }, position: call.name.position)
            }
            throw Problem(
                "42809",
                call.isStar
                    ? "\(name)(*) specified, but \(name) is not an aggregate function"
                    : "\(what) specified, but \(name) is not an aggregate function",
                position: call.name.position)
        }
        if isPlain, FunctionCatalog.windowFunctions.contains(name) {
            throw Problem(
                "42809", "window function \(name) requires an OVER clause",
                hint: "write \(name)(…) OVER (PARTITION BY … ORDER BY …)",
                position: call.name.position)
        }
        let call = try positional(call)
        let seriesCount = context.seriesCalls.count
        var arguments: [BoundExpression] = []
        for argument in call.arguments {
            if let row = try wholeRow(argument, of: name, &context) {
                arguments.append(row)
            } else {
                arguments.append(try bind(argument, &context))
            }
        }
        if isPlain, name == "coalesce" {
            try refuseSeries(in: "COALESCE", since: seriesCount, context, at: call.name.position)
        }
        return try FunctionBinder(context: self.context)
            .bind(call.name, arguments, positions: call.arguments.map(\.position))
    }

    /// The call with its named arguments in their places.
    private func positional(_ call: FunctionCall) throws(Problem) -> FunctionCall {
        guard !call.argumentNames.isEmpty else { return call }
        guard call.name.last == "make_interval" else {
            throw Problem(
                "0A000", "named arguments of \(call.name.last) are not supported",
                hint: "pass them by their places", position: call.name.position)
        }
        let names = ["years", "months", "weeks", "days", "hours", "mins", "secs"]
        let first = call.arguments.count - call.argumentNames.count
        let zero = Expression(.number("0"), at: call.name.position)
        var values = [Expression](repeating: zero, count: names.count)
        for index in 0..<min(first, names.count) { values[index] = call.arguments[index] }
        var used: [String] = []
        for (offset, name) in call.argumentNames.enumerated() {
            guard let place = names.firstIndex(of: name), place >= first, !used.contains(name)
            else {
                throw Problem(
                    "42883", "function make_interval(\(name) => …) does not exist",
                    hint: "its arguments are \(names.joined(separator: ", "))",
                    position: call.arguments[first + offset].position)
            }
            used.append(name)
            values[place] = call.arguments[first + offset]
        }
        var result = call
        result.arguments = values
        result.argumentNames = []
        return result
    }

    /// A row, or the name of a table, as the JSON object that functions of JSON take it for.
    mutating func wholeRow(
        _ argument: Expression, of function: String, _ context: inout ExpressionContext
    ) throws(Problem) -> BoundExpression? {
        guard
            ["row_to_json", "to_json", "to_jsonb", "json_agg", "jsonb_agg"].contains(function)
        else { return nil }
        var parts: [BoundExpression] = []
        switch argument.kind {
        case .row(let members):
            for (index, member) in members.enumerated() {
                parts.append(.literal(.text("f\(index + 1)"), .text))
                parts.append(try known(bind(member, &context), at: member.position))
            }
        case .column(let name):
            guard name.parts.count == 1, case .table = context.scope.find(name) else { return nil }
            for entry in context.scope.star(table: name.last, schema: nil) {
                if !context.isInsideAggregate {
                    entry.expression.forEachColumn { index in
                        context.uses.append((index, name.text, name.position))
                    }
                }
                parts.append(.literal(.text(entry.name), .text))
                parts.append(entry.expression)
            }
        default: return nil
        }
        return .call(.jsonBuildObject, parts, .json)
    }
}

extension BoundExpression {
    fileprivate func isCast(of other: BoundExpression) -> Bool {
        if case .cast(other, _, _) = self { true } else { false }
    }
}
