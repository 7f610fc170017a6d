// What operators stand between: literals, names, calls, and the constructs with words of their own.

import Base

extension Parser {
    mutating func primary() throws(Problem) -> Expression {
        let position = token.position
        switch token.kind {
        case .number:
            let digits = spelling(token).filter { $0 != "_" }
            advance()
            return Expression(.number(digits), at: position)
        case .string, .escapeString, .dollarString:
            return Expression(.string(try string()), at: position)
        case .parameter:
            guard let number = Int(spelling(token).dropFirst()), (1...65535).contains(number)
            else {
                throw Problem(
                    "42P02", "there is no parameter \(spelling(token))", position: position)
            }
            advance()
            if number <= parameters.count {
                usesParameters = true
                return Expression(parameters[number - 1].kind, at: position)
            }
            return Expression(.parameter(number), at: position)
        case .symbol:
            guard isNext("(") else { throw unexpected(expected: "an expression") }
            return try parenthesized()
        case .quotedWord: return try nameOrCall()
        case .word: return try wordPrimary()
        case .end: throw unexpected(expected: "an expression")
        }
    }

    private mutating func parenthesized() throws(Problem) -> Expression {
        let position = token.position
        advance()
        if isQueryStart(allowsParenthesis: false) {
            let inner = try query()
            try expect(")")
            return Expression(.scalarQuery(inner), at: position)
        }
        let first = try expression()
        if case .scalarQuery(let inner) = first.kind, isSetOperator() {
            let whole = try query(continuing: .nested(inner), at: position)
            try expect(")")
            return Expression(.scalarQuery(whole), at: position)
        }
        guard isNext(",") else {
            try expect(")")
            return first
        }
        var members = [first]
        while accept(",") { members.append(try expression()) }
        try expect(")")
        return Expression(.row(members), at: position)
    }

    private mutating func wordPrimary() throws(Problem) -> Expression {
        let position = token.position
        switch token.keyword {
        case .null:
            advance()
            return Expression(.null, at: position)
        case .true, .false:
            let value = isNext(.true)
            advance()
            return Expression(.boolean(value), at: position)
        case .case: return try conditional()
        case .cast where isNext("(", ahead: 1): return try cast(orNull: false)
        case .tryCast where isNext("(", ahead: 1): return try cast(orNull: true)
        case .exists where isNext("(", ahead: 1):
            index += 2
            guard isQueryStart() else { throw unexpected(expected: "SELECT") }
            let inner = try query()
            try expect(")")
            return Expression(.exists(inner), at: position)
        case .array: return try array()
        case .row where isNext("(", ahead: 1):
            index += 2
            var members: [Expression] = []
            if !isNext(")") {
                repeat { members.append(try expression()) } while accept(",")
            }
            try expect(")")
            return Expression(.row(members), at: position)
        case .interval where isString(ahead: 1): return try interval()
        case .extract where isNext("(", ahead: 1): return try extract()
        case .position where isNext("(", ahead: 1): return try positionCall()
        case .substring where isNext("(", ahead: 1): return try substringCall()
        case nil where isNextWord("overlay") && isNext("(", ahead: 1): return try overlayCall()
        case nil where isNextWord("normalize") && isNext("(", ahead: 1):
            return try normalizeCall()
        case .trim where isNext("(", ahead: 1): return try trimCall()
        case .currentDate, .currentTime, .currentTimestamp, .localtime, .localtimestamp,
            .currentUser, .currentRole, .currentCatalog, .sessionUser, .user:
            return try valueFunction()
        case .currentSchema where !isNext("(", ahead: 1): return try valueFunction()
        default: return try nameOrCall()
        }
    }

    // MARK: Names, calls, typed strings

    private mutating func nameOrCall() throws(Problem) -> Expression {
        let position = token.position
        let isQuoted = token.kind == .quotedWord
        let kind = token.keyword?.kind ?? .ordinary
        guard isQuoted || kind != .reserved else { throw unexpected(expected: "an expression") }
        if kind == .typeOrFunction, !isNext("(", ahead: 1) {
            throw unexpected(expected: "an expression")
        }
        if !isQuoted, let typed = try typedString() { return typed }
        var parts = [takeWord()]
        while isNext("."), peek(1).kind == .word || peek(1).kind == .quotedWord {
            guard parts.count < 4 else {
                throw Problem(
                    "42601", "improper qualified name (too many dotted names)",
                    position: position)
            }
            advance()
            parts.append(takeWord())
        }
        if isNext("(") { return try call(ObjectName(parts)) }
        return Expression(.column(ObjectName(parts)), at: position)
    }

    /// `DATE '…'` and its like: a type, then a string.
    private mutating func typedString() throws(Problem) -> Expression? {
        let start = index
        switch peek(1).kind {
        case .string, .escapeString, .dollarString: break
        case .word where isNext(.precision, ahead: 1) && isString(ahead: 2): break
        case .word where isNext(.with, ahead: 1) || isNext(.without, ahead: 1):
            guard isNext(.timestamp), isNext(.time, ahead: 2), isString(ahead: 4) else {
                return nil
            }
        case .symbol where isNext("(", ahead: 1):
            guard isNext(.timestamp), peek(2).kind == .number, isNext(")", ahead: 3) else {
                return nil
            }
        default: return nil
        }
        let position = token.position
        let type = try typeName()
        guard isString() else {
            index = start
            return nil
        }
        return Expression(.typedString(type, try string()), at: position)
    }

    private mutating func call(_ name: ObjectName) throws(Problem) -> Expression {
        var call = FunctionCall(name: name, arguments: [])
        try expect("(")
        if isNext("*"), isNext(")", ahead: 1) {
            call.isStar = true
            advance()
        } else if !isNext(")") {
            if accept(.distinct) { call.isDistinct = true } else { _ = accept(.all) }
            if acceptWord("variadic") {
                throw notSupported("VARIADIC", hint: "pass the arguments one by one")
            }
            repeat {
                if isNext("=>", ahead: 1) {
                    call.argumentNames.append(try label().name)
                    advance()
                } else if !call.argumentNames.isEmpty {
                    throw Problem(
                        "42601", "positional argument cannot follow named argument",
                        position: token.position)
                }
                call.arguments.append(try expression())
            } while accept(",")
            if accept(.order, .by) { call.orderBy = try orderItems() }
        }
        try expect(")")
        if isNext(.within), isNext(.group, ahead: 1) {
            index += 2
            try expect("(")
            try expect(.order, .by)
            call.orderBy = try orderItems()
            call.isWithinGroup = true
            try expect(")")
        }
        if isNext(.filter), isNext("(", ahead: 1) {
            index += 2
            try expect(.where)
            call.filter = try expression()
            try expect(")")
        }
        if isNextWord("ignore"), isNextWord("nulls", ahead: 1) {
            throw notSupported("IGNORE NULLS", hint: "filter the rows in a subquery")
        }
        if isNextWord("respect"), isNextWord("nulls", ahead: 1) { index += 2 }
        if isNext(.over) {
            advance()
            call.over = try windowReference()
        }
        return Expression(.function(call), at: name.position)
    }

    /// A call made by the grammar itself.
    func made(
        _ name: String, _ arguments: [Expression], at position: Int
    ) -> Expression {
        let name = ObjectName([Identifier(name, position: position)])
        return Expression(
            .function(FunctionCall(name: name, arguments: arguments)), at: position)
    }

    private mutating func valueFunction() throws(Problem) -> Expression {
        let position = token.position
        let name = takeWord().name
        if accept("(") {
            _ = try integer()
            try expect(")")
        }
        return made(name, [], at: position)
    }

    // MARK: Constructs

    private mutating func conditional() throws(Problem) -> Expression {
        let position = token.position
        advance()
        let operand = isNext(.when) ? nil : try expression()
        var whens: [Expression.When] = []
        while accept(.when) {
            let condition = try expression()
            try expect(.then)
            whens.append(.init(condition: condition, value: try expression()))
        }
        guard !whens.isEmpty else { throw unexpected(expected: "WHEN") }
        let otherwise = accept(.else) ? try expression() : nil
        try expect(.end)
        return Expression(
            .conditional(operand: operand, whens, otherwise: otherwise), at: position)
    }

    private mutating func cast(orNull: Bool) throws(Problem) -> Expression {
        let position = token.position
        index += 2
        let operand = try expression()
        try expect(.as)
        let type = try typeName()
        try expect(")")
        return Expression(.cast(operand, type, orNull: orNull), at: position)
    }

    private mutating func array() throws(Problem) -> Expression {
        let position = token.position
        advance()
        if accept("(") {
            let inner = try query()
            try expect(")")
            return Expression(.arrayQuery(inner), at: position)
        }
        return try arrayElements(at: position)
    }

    /// `[a, b]`, the elements themselves possibly in brackets.
    private mutating func arrayElements(at position: Int) throws(Problem) -> Expression {
        try nested { parser throws(Problem) in
            try parser.expect("[")
            var elements: [Expression] = []
            if !parser.isNext("]") {
                repeat {
                    if parser.isNext("[") {
                        elements.append(try parser.arrayElements(at: parser.token.position))
                    } else {
                        elements.append(try parser.expression())
                    }
                } while parser.accept(",")
            }
            try parser.expect("]")
            return Expression(.array(elements), at: position)
        }
    }

    private mutating func interval() throws(Problem) -> Expression {
        let position = token.position
        advance()
        let value = try string()
        guard let unit = IntervalUnit(token: token, in: text) else {
            return Expression(.interval(value, unit: nil), at: position)
        }
        advance()
        if accept(.to) {
            guard let last = IntervalUnit(token: token, in: text) else { throw unexpected() }
            advance()
            let whole = try IntervalUnit.ranged(value, from: unit, to: last, at: position)
            return Expression(.interval(whole, unit: nil), at: position)
        }
        return Expression(.interval(value, unit: unit.rawValue), at: position)
    }

    private mutating func extract() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        let field = isString() ? try string() : try label().name
        try expect(.from)
        let operand = try expression()
        try expect(")")
        return Expression(.extract(field.lowercased(), operand), at: position)
    }

    /// `position(needle IN haystack)`
    private mutating func positionCall() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        let needle = try expression(above: Binding.membership)
        try expect(.in)
        let haystack = try expression(above: Binding.membership)
        try expect(")")
        return made("position", [haystack, needle], at: position)
    }

    /// `substring(s FROM a FOR b)`, `substring(s, a, b)`
    private mutating func substringCall() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        // SIMILAR belongs to the call, and not to its first argument.
        var arguments = [try expression(above: Binding.membership)]
        if accept(.from) {
            arguments.append(try expression())
            if accept(.for) { arguments.append(try expression()) }
        } else if accept(.for) {
            arguments.append(Expression(.number("1"), at: position))
            arguments.append(try expression())
        } else if accept(.similar) {
            arguments.append(try expression())
            guard acceptWord("escape") else { throw unexpected(expected: "ESCAPE") }
            arguments.append(try expression())
        } else {
            while accept(",") { arguments.append(try expression()) }
        }
        try expect(")")
        return made("substring", arguments, at: position)
    }

    /// `normalize(s [, NFC | NFD | NFKC | NFKD])`, or with a text as the form.
    private mutating func normalizeCall() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        var arguments = [try expression()]
        while accept(",") {
            let forms = ["nfc", "nfd", "nfkc", "nfkd"]
            let start = token.position
            if token.kind == .word, forms.contains(spelling(token).lowercased()) {
                arguments.append(Expression(.string(takeWord().name.uppercased()), at: start))
            } else {
                arguments.append(try expression())
            }
        }
        try expect(")")
        return made("normalize", arguments, at: position)
    }

    /// `overlay(s PLACING r FROM a [FOR n])`, `overlay(s, r, a, n)`
    private mutating func overlayCall() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        var arguments = [try expression()]
        if acceptWord("placing") {
            arguments.append(try expression())
            try expect(.from)
            arguments.append(try expression())
            if accept(.for) { arguments.append(try expression()) }
        } else {
            while accept(",") { arguments.append(try expression()) }
        }
        try expect(")")
        return made("overlay", arguments, at: position)
    }

    /// `trim([LEADING|TRAILING|BOTH] [characters] FROM s)`, `trim(s, characters)`
    private mutating func trimCall() throws(Problem) -> Expression {
        let position = token.position
        index += 2
        var name = "btrim"
        if accept(.leading) {
            name = "ltrim"
        } else if accept(.trailing) {
            name = "rtrim"
        } else {
            _ = accept(.both)
        }
        var arguments: [Expression] = []
        if accept(.from) {
            arguments = [try expression()]
        } else {
            arguments = [try expression()]
            if accept(.from) {
                arguments.insert(try expression(), at: 0)
            } else {
                while accept(",") { arguments.append(try expression()) }
            }
        }
        try expect(")")
        return made(name, arguments, at: position)
    }
}
