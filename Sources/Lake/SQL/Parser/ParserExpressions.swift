// Expressions by precedence climbing, in PostgreSQL's order of binding.

import Base

/// How tightly an operator binds; higher is tighter.
enum Binding {
    static let or = 1
    static let and = 2
    static let not = 3
    static let `is` = 4
    static let comparison = 5
    static let membership = 6
    static let other = 7
    static let sum = 8
    static let product = 9
    static let power = 10
    static let timeZone = 11
    static let sign = 12
    static let postfix = 13
}

extension Parser {
    mutating func expression() throws(Problem) -> Expression { try expression(above: 0) }

    /// An expression whose operators all bind more tightly than `floor`.
    mutating func expression(above floor: Int) throws(Problem) -> Expression {
        try nested { parser throws(Problem) in
            var left = try parser.prefix()
            /// Comparisons, BETWEEN, IN, LIKE do not chain: `a < b < c` is an error.
            var ceiling = Binding.postfix + 1
            while let binding = parser.nextBinding(), binding > floor {
                guard binding < ceiling else { throw parser.unexpected() }
                if binding == Binding.comparison || binding == Binding.membership {
                    ceiling = binding
                } else {
                    ceiling = Binding.postfix + 1
                }
                left = try parser.infix(left, binding)
                try parser.grow()
            }
            return left
        }
    }

    // MARK: Prefix

    private mutating func prefix() throws(Problem) -> Expression {
        let position = token.position
        if accept(.not) {
            let operand = try expression(above: Binding.not - 1)
            return Expression(.not(operand), at: position)
        }
        if isNext("-") || isNext("+") {
            let sign = spelling(token)
            advance()
            if token.kind == .number, sign == "-", !isNext("::", ahead: 1) {
                // A literal, so that -9223372036854775808 is one.
                if peek(1).kind != .symbol || !isNext("[", ahead: 1) {
                    let digits = "-" + spelling(token).filter { $0 != "_" }
                    advance()
                    return Expression(.number(digits), at: position)
                }
            }
            let operand = try expression(above: Binding.sign - 1)
            return Expression(.unary(sign, operand), at: position)
        }
        for name in ["~", "@", "|/", "||/"] where isNext(name) {
            advance()
            let operand = try expression(above: Binding.other)
            return Expression(.unary(name, operand), at: position)
        }
        return try primary()
    }

    // MARK: Infix and postfix

    /// How tightly the operator at the current token binds; nil if there is none.
    private func nextBinding() -> Int? {
        switch token.kind {
        case .symbol:
            let length = token.end - token.start
            let first = text[Int(token.start)]
            switch first {
            case UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "]"),
                UInt8(ascii: "("):
                return nil
            case UInt8(ascii: "["), UInt8(ascii: "."): return Binding.postfix
            case UInt8(ascii: ":"): return isNext("::") ? Binding.postfix : nil
            case UInt8(ascii: "+"), UInt8(ascii: "-"):
                return length == 1 ? Binding.sum : Binding.other
            case UInt8(ascii: "*"), UInt8(ascii: "/"), UInt8(ascii: "%"):
                return length == 1 ? Binding.product : Binding.other
            case UInt8(ascii: "^"): return length == 1 ? Binding.power : Binding.other
            case UInt8(ascii: "="), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "!"):
                let isComparison =
                    ["=", "<", ">", "<=", ">=", "<>", "!="].contains { isNext($0) }
                return isComparison ? Binding.comparison : Binding.other
            default: return Binding.other
            }
        case .word: return keywordBinding()
        default: return nil
        }
    }

    private func keywordBinding() -> Int? {
        switch token.keyword {
        case .or: Binding.or
        case .and: Binding.and
        case .is, .isnull, .notnull: Binding.is
        case .between, .in, .like, .ilike, .similar, .overlaps: Binding.membership
        case .not:
            switch peek(1).keyword {
            case .between, .in, .like, .ilike, .similar: Binding.membership
            default: nil
            }
        case .collate: Binding.timeZone
        case nil where isNextWord("at") && isNext(.time, ahead: 1): Binding.timeZone
        case nil where isNextWord("operator") && isNext("(", ahead: 1): Binding.other
        default: nil
        }
    }

    private mutating func infix(_ left: Expression, _ binding: Int) throws(Problem) -> Expression {
        let position = token.position
        switch binding {
        case Binding.or: return try disjunction(left, at: position)
        case Binding.and: return try conjunction(left, at: position)
        case Binding.is: return try isTest(left, at: position)
        case Binding.membership: return try membership(left, at: position)
        case Binding.timeZone: return try timeZone(left, at: position)
        case Binding.postfix: return try postfix(left, at: position)
        default: return try binary(left, binding, at: position)
        }
    }

    private mutating func disjunction(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        var operands = [left]
        while accept(.or) { operands.append(try expression(above: Binding.or)) }
        return Expression(.or(operands), at: position)
    }

    private mutating func conjunction(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        var operands = [left]
        while accept(.and) { operands.append(try expression(above: Binding.and)) }
        return Expression(.and(operands), at: position)
    }

    private mutating func binary(
        _ left: Expression, _ binding: Int, at position: Int
    ) throws(Problem) -> Expression {
        var name = spelling(token)
        advance()
        if name.lowercased() == "operator" {
            try expect("(")
            while isIdentifier(), isNext(".", ahead: 1) { index += 2 }
            guard token.kind == .symbol else { throw unexpected(expected: "an operator") }
            name = spelling(token)
            advance()
            try expect(")")
        }
        if name == "!=" { name = "<>" }
        if isNext(.any) || isNext(.some) || isNext(.all), isNext("(", ahead: 1) {
            return try quantified(left, name, at: position)
        }
        let right = try expression(above: binding)
        return Expression(.binary(name, left, right), at: position)
    }

    private mutating func quantified(
        _ left: Expression, _ name: String, at position: Int
    ) throws(Problem) -> Expression {
        let isAll = isNext(.all)
        index += 2
        let operand: Expression.Operand
        if isQueryStart() {
            operand = .query(try query())
        } else {
            operand = .list(try expression())
        }
        try expect(")")
        return Expression(
            .quantified(left, operator: name, isAll: isAll, operand), at: position)
    }

    private mutating func isTest(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        if accept(.isnull) {
            return Expression(.truthTest(left, .null, isNegated: false), at: position)
        }
        if accept(.notnull) {
            return Expression(.truthTest(left, .null, isNegated: true), at: position)
        }
        advance()
        let isNegated = accept(.not)
        if accept(.distinct) {
            try expect(.from)
            let right = try expression(above: Binding.is)
            return Expression(.distinctTest(left, right, isNegated: isNegated), at: position)
        }
        let test: Expression.TruthTest
        switch token.keyword {
        case .null: test = .null
        case .true: test = .true
        case .false: test = .false
        case .unknown: test = .unknown
        default:
            throw unexpected(expected: "NULL, TRUE, FALSE, UNKNOWN or DISTINCT FROM")
        }
        advance()
        return Expression(.truthTest(left, test, isNegated: isNegated), at: position)
    }

    private mutating func membership(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        if accept(.overlaps) { return try overlaps(left, at: position) }
        let isNegated = accept(.not)
        if accept(.between) {
            let isSymmetric = accept(.symmetric)
            if !isSymmetric { _ = acceptWord("asymmetric") }
            let low = try expression(above: Binding.membership)
            try expect(.and)
            let high = try expression(above: Binding.membership)
            return Expression(
                .between(left, low, high, isNegated: isNegated, isSymmetric: isSymmetric),
                at: position)
        }
        if accept(.in) { return try inTest(left, isNegated, at: position) }
        if isNext(.similar) {
            try expect(.similar, .to)
            return try similarTest(left, isNegated, at: position)
        }
        let ignoresCase = isNext(.ilike)
        advance()
        if isNext(.any) || isNext(.all) || isNext(.some), isNext("(", ahead: 1) {
            let name = (isNegated ? "!" : "") + (ignoresCase ? "~~*" : "~~")
            return try quantified(left, name, at: position)
        }
        let pattern = try expression(above: Binding.membership)
        let escape = accept(.escape) ? try expression(above: Binding.membership) : nil
        return Expression(
            .like(
                .init(
                    operand: left, pattern: pattern, escape: escape, ignoresCase: ignoresCase,
                    isNegated: isNegated)),
            at: position)
    }

    /// `(start, end) OVERLAPS (start, end)`
    private mutating func overlaps(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        let right = try expression(above: Binding.membership)
        for (name, side) in [("left", left), ("right", right)] {
            guard case .row(let members) = side.kind, members.count == 2 else {
                throw Problem(
                    "42601", "wrong number of parameters on \(name) side of OVERLAPS expression",
                    position: side.position)
            }
        }
        guard case .row(let first) = left.kind, case .row(let second) = right.kind else {
            throw unexpected()
        }
        return made("overlaps", first + second, at: position)
    }

    /// `a SIMILAR TO pattern [ESCAPE e]`
    private mutating func similarTest(
        _ left: Expression, _ isNegated: Bool, at position: Int
    ) throws(Problem) -> Expression {
        let pattern = try expression(above: Binding.membership)
        let escape =
            accept(.escape)
            ? try expression(above: Binding.membership)
            : Expression(.string("\\"), at: pattern.position)
        let test = made("similar_to", [left, pattern, escape], at: position)
        return isNegated ? Expression(.not(test), at: position) : test
    }

    private mutating func inTest(
        _ left: Expression, _ isNegated: Bool, at position: Int
    ) throws(Problem) -> Expression {
        try expect("(")
        if isQueryStart(allowsParenthesis: false) {
            let inner = try query()
            try expect(")")
            return Expression(.inQuery(left, inner, isNegated: isNegated), at: position)
        }
        let start = token.position
        var list = [try expression()]
        // As in `IN ((SELECT …) ORDER BY …)`: what looked like a value begins a query.
        if case .scalarQuery(let first) = list[0].kind, continuesQuery() {
            let inner = try query(continuing: .nested(first), at: start)
            try expect(")")
            return Expression(.inQuery(left, inner, isNegated: isNegated), at: position)
        }
        while accept(",") { list.append(try expression()) }
        try expect(")")
        if list.count == 1, case .scalarQuery(let inner) = list[0].kind {
            return Expression(.inQuery(left, inner, isNegated: isNegated), at: position)
        }
        return Expression(.inList(left, list, isNegated: isNegated), at: position)
    }

    private mutating func timeZone(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        if accept(.collate) {
            let collation = try objectName()
            guard ["default", "c", "C", "posix", "POSIX", "ucs_basic"].contains(collation.last)
            else {
                throw notSupported(
                    "collation \"\(collation.last)\"", hint: "text compares bytewise (\"C\")",
                    at: collation.position)
            }
            return left
        }
        advance()
        try expect(.time, .zone)
        let zone = try expression(above: Binding.timeZone)
        return Expression(.atTimeZone(left, zone), at: position)
    }

    private mutating func postfix(
        _ left: Expression, at position: Int
    ) throws(Problem) -> Expression {
        if accept("::") {
            return Expression(.cast(left, try typeName(), orNull: false), at: position)
        }
        if accept(".") {
            if isNext("*") {
                throw notSupported("expanding a record with .*", hint: "name its members")
            }
            return Expression(.member(left, try label()), at: position)
        }
        advance()
        // A bound that is left out is the first or the last element.
        var low: Expression?
        if !isNext(":") { low = try expression() }
        guard accept(":") else {
            try expect("]")
            return Expression(.element(left, low ?? left), at: position)
        }
        let first = low ?? Expression(.number("1"), at: position)
        let last =
            isNext("]") ? Expression(.number(String(Int32.max)), at: position) : try expression()
        try expect("]")
        return made("array_slice", [left, first, last], at: position)
    }
}
