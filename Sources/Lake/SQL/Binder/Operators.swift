// Operators: what `+`, `=`, `||`, `->` mean for the types of their operands.

import Base
import Columns

enum Operators {
    /// `left name right`
    static func bind(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        switch name {
        case "=", "<>", "<", "<=", ">", ">=":
            return try comparison(name, left, right, at: position)
        case "+", "-", "*", "/", "%":
            if let result = try json(name, left, right, at: position) { return result }
            if let result = try times(name, left, right, at: position) { return result }
            return try arithmetic(name, left, right, at: position)
        case "^":
            guard isNumeric(left), isNumeric(right), !bothUnknown(left, right) else {
                throw missing(name, left, right, at: position)
            }
            return .call(
                .power,
                [
                    try coerce(left, to: .float64, at: position),
                    try coerce(right, to: .float64, at: position),
                ], .float64)
        case "||": return try concatenation(left, right, at: position)
        case "->", "->>", "#>", "#>>", "?", "@>", "<@", "&&", "?|", "?&", "#-", "@?", "@@":
            if let result = try lists(name, left, right, at: position) { return result }
            if let result = try json(name, left, right, at: position) { return result }
        case "&", "|", "#", "<<", ">>":
            if let result = try bits(name, left, right, at: position) { return result }
        case "^@":
            guard isText(left), isText(right) else { break }
            return .call(
                .startsWith,
                [
                    try coerce(left, to: .text, at: position),
                    try coerce(right, to: .text, at: position),
                ], .boolean)
        case "~~", "~~*", "!~~", "!~~*":
            guard isText(left), isText(right) else { break }
            let matches = BoundExpression.call(
                name.hasSuffix("*") ? .iLike : .like,
                [
                    try coerce(left, to: .text, at: position),
                    try coerce(right, to: .text, at: position),
                ], .boolean)
            return name.hasPrefix("!") ? .not(matches) : matches
        case "~", "~*", "!~", "!~*":
            guard isText(left), isText(right) else {
                throw missing(name, left, right, at: position)
            }
            let found = BoundExpression.call(
                .regexFound,
                [
                    try coerce(left, to: .text, at: position),
                    try coerce(right, to: .text, at: position),
                    .literal(.text(name.hasSuffix("*") ? "i" : ""), .text),
                ], .boolean)
            return name.hasPrefix("!") ? .not(found) : found
        default: break
        }
        throw missing(name, left, right, at: position)
    }

    private static func isText(_ operand: BoundExpression) -> Bool {
        operand.type == .text || operand.type == .null
    }

    /// `&`, `|`, `#`, `<<`, `>>` of integers.
    private static func bits(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        let isShift = name == "<<" || name == ">>"
        var (a, b) = (left, right)
        if isShift {
            guard a.type.isInteger else { return nil }
            b = try coerce(b, to: .int32, at: position)
            return .call(name == "<<" ? .shiftLeft : .shiftRight, [a, b], a.type)
        }
        if a.isUnknownLiteral, b.type.isInteger { a = try coerce(a, to: b.type, at: position) }
        if b.isUnknownLiteral, a.type.isInteger { b = try coerce(b, to: a.type, at: position) }
        guard a.type.isInteger, b.type.isInteger else { return nil }
        let type: ColumnType =
            a.type == .int64 || b.type == .int64
            ? .int64 : a.type == .int16 && b.type == .int16 ? .int16 : .int32
        let function: ScalarFunction = name == "&" ? .bitAnd : name == "|" ? .bitOr : .bitXor
        return .call(
            function,
            [try coerce(a, to: type, at: position), try coerce(b, to: type, at: position)], type)
    }

    /// `-a`, `+a`, `~a`, `@a`, `|/a`, `||/a`
    static func bind(
        unary name: String, _ operand: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        var operand = operand
        switch name {
        case "~" where operand.type.isInteger: return .call(.bitNot, [operand], operand.type)
        case "|/" where isNumeric(operand), "||/" where isNumeric(operand):
            return .call(
                name == "|/" ? .sqrt : .cubeRoot, [try coerce(operand, to: .float64, at: position)],
                .float64)
        case "@" where isNumeric(operand):
            if operand.isUnknownLiteral {
                operand = try coerce(operand, to: .float64, at: position)
            }
            return .call(.abs, [operand], operand.type)
        case "~", "|/", "||/", "@":
            throw Problem(
                "42883", "operator does not exist: \(name) \(operand.type.plainName)",
                hint: "No operator matches the given name and argument type. "
                    + "You might need to add an explicit type cast.", position: position)
        default: break
        }
        if operand.isUnknownLiteral { operand = try coerce(operand, to: .float64, at: position) }
        guard operand.type.isNumber || operand.type == .interval else {
            throw Problem(
                "42883", "operator does not exist: \(name) \(operand.type.plainName)",
                hint: "No operator matches the given name and argument type. "
                    + "You might need to add an explicit type cast.", position: position)
        }
        if name == "+" { return operand }
        if operand.type == .interval { return .call(.negateInterval, [operand], .interval) }
        return .call(.negate, [operand], operand.type)
    }

    private static func isNumeric(_ operand: BoundExpression) -> Bool {
        operand.type.isNumber || operand.isUnknownLiteral
    }

    private static func bothUnknown(_ left: BoundExpression, _ right: BoundExpression) -> Bool {
        left.isUnknownLiteral && right.isUnknownLiteral
    }

    static func missing(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) -> Problem {
        let types = "\(left.type.plainName) \(name) \(right.type.plainName)"
        if bothUnknown(left, right) {
            return Problem(
                "42725", "operator is not unique: \(types)",
                hint: "Could not choose a best candidate operator. "
                    + "You might need to add explicit type casts.", position: position)
        }
        return Problem(
            "42883", "operator does not exist: \(types)",
            hint: ofOtherLanguages[name].map { "write \($0)" }
                ?? "No operator matches the given name and argument types. "
                + "You might need to add explicit type casts.", position: position)
    }

    /// What other languages write, and what it is here.
    private static let ofOtherLanguages = ["==": "=", "&&": "AND", "===": "=", "!==": "<>"]

    // MARK: Comparison

    /// Both sides in the type in which they are compared; nil when there is none.
    static func comparable(
        _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> (BoundExpression, BoundExpression)? {
        if bothUnknown(left, right) {
            return (
                try coerce(left, to: .text, at: position),
                try coerce(right, to: .text, at: position)
            )
        }
        guard let type = commonType(left.type, right.type) else { return nil }
        if case .map = type { return nil }
        return (
            try coerce(left, to: type, at: position), try coerce(right, to: type, at: position)
        )
    }

    private static func comparison(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard let (a, b) = try comparable(left, right, at: position) else {
            throw missing(name, left, right, at: position)
        }
        let function: ScalarFunction =
            switch name {
            case "=": .equal
            case "<>": .notEqual
            case "<": .less
            case "<=": .lessOrEqual
            case ">": .greater
            default: .greaterOrEqual
            }
        return .call(function, [a, b], .boolean)
    }

    // MARK: Arithmetic

    static func arithmetic(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard isNumeric(left), isNumeric(right), !bothUnknown(left, right) else {
            throw missing(name, left, right, at: position)
        }
        var a = left
        var b = right
        if a.isUnknownLiteral { a = try coerce(a, to: b.type, at: position) }
        if b.isUnknownLiteral { b = try coerce(b, to: a.type, at: position) }
        let function: ScalarFunction =
            switch name {
            case "+": .add
            case "-": .subtract
            case "*": .multiply
            case "/": .divide
            default: .modulo
            }
        if a.type.isFloat || b.type.isFloat {
            let type: ColumnType = a.type == .float32 && b.type == .float32 ? .float32 : .float64
            guard function != .modulo else { throw missing(name, left, right, at: position) }
            return .call(
                function,
                [try coerce(a, to: type, at: position), try coerce(b, to: type, at: position)],
                type)
        }
        if a.type.isInteger, b.type.isInteger {
            let type: ColumnType =
                a.type == .int64 || b.type == .int64
                ? .int64 : a.type == .int16 && b.type == .int16 ? .int16 : .int32
            return .call(
                function,
                [try coerce(a, to: type, at: position), try coerce(b, to: type, at: position)],
                type)
        }
        a = try asDecimal(a, at: position)
        b = try asDecimal(b, at: position)
        guard let result = decimalResult(function, a.type, b.type) else {
            throw missing(name, left, right, at: position)
        }
        return .call(function, [a, b], result)
    }

    static func asDecimal(
        _ operand: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        guard operand.type.isInteger, let shape = operand.type.decimalShape else { return operand }
        return try coerce(
            operand, to: .decimal(integerDigits: shape.integerDigits, scale: 0), at: position)
    }

    /// Precision and scale of decimal arithmetic. A scale is fixed per expression here, where
    /// PostgreSQL chooses one per value: quotients get 16 digits behind the point as its averages
    /// and ratios usually have, products at most 18, so that sums of them still fit 38 digits.
    static func decimalResult(
        _ function: ScalarFunction, _ a: ColumnType, _ b: ColumnType
    ) -> ColumnType? {
        guard let left = a.decimalShape, let right = b.decimalShape else { return nil }
        let wider = max(left.scale, right.scale)
        switch function {
        case .add, .subtract:
            let digits = max(left.integerDigits, right.integerDigits) + 1
            return .decimal(integerDigits: digits, scale: wider)
        case .multiply:
            let scale = min(left.scale + right.scale, max(18, wider))
            return .decimal(integerDigits: left.integerDigits + right.integerDigits, scale: scale)
        case .divide: return .decimal(precision: 38, scale: max(16, wider))
        case .modulo:
            let digits = max(left.integerDigits, right.integerDigits)
            return .decimal(integerDigits: digits, scale: wider)
        default: return nil
        }
    }

    // MARK: Dates and intervals

    private static func times(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        let (a, b) = (left.type, right.type)
        if a == .time || b == .time { return try clocks(name, left, right, at: position) }
        let isTime = a.category == .time || b.category == .time
        guard isTime || a == .interval || b == .interval else { return nil }
        switch name {
        case "+":
            if a.category == .time {
                return try shifted(left, by: right, .addInterval, at: position)
            }
            if b.category == .time {
                return try shifted(right, by: left, .addInterval, at: position)
            }
            if a == .interval || b == .interval, a.isIntervalOrUnknown, b.isIntervalOrUnknown {
                return try intervals(.addIntervals, left, right, at: position)
            }
        case "-":
            if a.category == .time {
                if b.category == .time || (right.isUnknownLiteral && looksLikeTime(right, a)) {
                    return try difference(left, right, at: position)
                }
                return try shifted(left, by: right, .subtractInterval, at: position)
            }
            if left.isUnknownLiteral, b.category == .time {
                return try difference(left, right, at: position)
            }
            if a.isIntervalOrUnknown, b.isIntervalOrUnknown {
                return try intervals(.subtractIntervals, left, right, at: position)
            }
        case "*":
            if a == .interval { return try scaled(.multiplyInterval, left, right, at: position) }
            if b == .interval { return try scaled(.multiplyInterval, right, left, at: position) }
        case "/":
            if a == .interval { return try scaled(.divideInterval, left, right, at: position) }
        default: break
        }
        return nil
    }

    /// `+` and `-` of times of day.
    private static func clocks(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        func moved(
            _ time: BoundExpression, _ amount: BoundExpression, _ function: ScalarFunction
        ) throws(Problem) -> BoundExpression? {
            guard amount.type.isIntervalOrUnknown else { return nil }
            return .call(
                function, [time, try coerce(amount, to: .interval, at: position)], .time)
        }
        switch (name, left.type, right.type) {
        case ("+", .date, .time), ("+", .time, .date):
            let (date, time) = left.type == .date ? (left, right) : (right, left)
            return .call(
                .addInterval,
                [
                    try coerce(date, to: .timestamp, at: position),
                    try coerce(time, to: .interval, at: position),
                ], .timestamp)
        case ("-", .time, .time):
            return .call(
                .subtractIntervals,
                [
                    try coerce(left, to: .interval, at: position),
                    try coerce(right, to: .interval, at: position),
                ], .interval)
        case ("+", .timestamp, .time), ("-", .timestamp, .time), ("+", .timestampTZ, .time),
            ("-", .timestampTZ, .time):
            return .call(
                name == "+" ? .addInterval : .subtractInterval,
                [left, try coerce(right, to: .interval, at: position)], left.type)
        case ("+", .time, _): return try moved(left, right, .addToTime)
        case ("+", _, .time): return try moved(right, left, .addToTime)
        case ("-", .time, _): return try moved(left, right, .subtractFromTime)
        case ("*", .time, _):
            return try scaled(
                .multiplyInterval, coerce(left, to: .interval, at: position), right, at: position)
        case ("/", .time, _):
            return try scaled(
                .divideInterval, coerce(left, to: .interval, at: position), right, at: position)
        default: return nil
        }
    }

    private static func looksLikeTime(_ literal: BoundExpression, _ type: ColumnType) -> Bool {
        guard let text = literal.literalText else { return false }
        return (try? literalValue(text, as: type, at: 0)) != nil
    }

    /// A date, timestamp and an interval or days.
    private static func shifted(
        _ time: BoundExpression, by amount: BoundExpression, _ function: ScalarFunction,
        at position: Int
    ) throws(Problem) -> BoundExpression? {
        if time.type == .date, amount.type.isInteger {
            let days = try coerce(amount, to: .int32, .assignment, at: position)
            return .call(function == .addInterval ? .addDays : .subtractDays, [time, days], .date)
        }
        guard amount.type.isIntervalOrUnknown else { return nil }
        let start = time.type == .date ? try coerce(time, to: .timestamp, at: position) : time
        return .call(
            function, [start, try coerce(amount, to: .interval, at: position)], start.type)
    }

    private static func difference(
        _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        guard let type = commonType(left.type, right.type) else { return nil }
        let a = try coerce(left, to: type, at: position)
        let b = try coerce(right, to: type, at: position)
        if type == .date { return .call(.dateDifference, [a, b], .int32) }
        return .call(.timestampDifference, [a, b], .interval)
    }

    private static func intervals(
        _ function: ScalarFunction, _ left: BoundExpression, _ right: BoundExpression,
        at position: Int
    ) throws(Problem) -> BoundExpression {
        .call(
            function,
            [
                try coerce(left, to: .interval, at: position),
                try coerce(right, to: .interval, at: position),
            ], .interval)
    }

    private static func scaled(
        _ function: ScalarFunction, _ interval: BoundExpression, _ factor: BoundExpression,
        at position: Int
    ) throws(Problem) -> BoundExpression? {
        guard isNumeric(factor) else { return nil }
        return .call(
            function, [interval, try coerce(factor, to: .float64, at: position)], .interval)
    }

    // MARK: Text and JSON

    private static func concatenation(
        _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        if let result = try json("||", left, right, at: position) { return result }
        if left.isList || right.isList {
            return try joinedLists(left, right, at: position)
        }
        if left.type == .binary || right.type == .binary {
            let isBinary = { (operand: BoundExpression) in
                operand.type == .binary || operand.isUnknownLiteral
            }
            if isBinary(left), isBinary(right) {
                return .call(
                    .binaryConcat,
                    [
                        try coerce(left, to: .binary, at: position),
                        try coerce(right, to: .binary, at: position),
                    ], .binary)
            }
        }
        guard isText(left) || isText(right) else {
            throw missing("||", left, right, at: position)
        }
        return .call(
            .textConcat,
            [
                try coerce(left, to: .text, .assignment, at: position),
                try coerce(right, to: .text, .assignment, at: position),
            ], .text)
    }

    /// `||` with an array on one side: two arrays, or an array and an element.
    private static func joinedLists(
        _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression {
        func element(_ side: BoundExpression) -> ColumnType {
            if case .list(let element) = side.type { element } else { side.type }
        }
        guard let type = commonType(element(left), element(right)) else {
            throw missing("||", left, right, at: position)
        }
        func list(_ side: BoundExpression) throws(Problem) -> BoundExpression {
            // A bare string next to an array is an array, as in PostgreSQL.
            if side.isList || side.isUnknownLiteral {
                return try coerce(side, to: .list(type), at: position)
            }
            return .call(.makeList, [try coerce(side, to: type, at: position)], .list(type))
        }
        return .call(.listConcat, [try list(left), try list(right)], .list(type))
    }

    /// `@>`, `<@` and `&&` of arrays.
    private static func lists(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        guard ["@>", "<@", "&&"].contains(name), left.isList || right.isList else { return nil }
        let (known, other) = left.isList ? (left.type, right.type) : (right.type, left.type)
        guard let type = other == .null ? known : commonType(known, other) else { return nil }
        let a = try coerce(left, to: type, at: position)
        let b = try coerce(right, to: type, at: position)
        return .call(
            name == "&&" ? .listOverlaps : .listContainsAll, name == "<@" ? [b, a] : [a, b],
            .boolean)
    }

    private static func json(
        _ name: String, _ left: BoundExpression, _ right: BoundExpression, at position: Int
    ) throws(Problem) -> BoundExpression? {
        let isJSON = { (operand: BoundExpression) in
            operand.type == .json || operand.isUnknownLiteral
        }
        if left.type == .variant, ["->", "->>", "#>", "#>>", "?", "@>"].contains(name) {
            // The same operators, on what the variant is as JSON.
            return try json(
                name, coerce(left, to: .json, .assignment, at: position), right, at: position)
        }
        guard left.type == .json || right.type == .json else { return nil }
        switch name {
        case "->", "->>":
            guard left.type == .json else { return nil }
            let result: ColumnType = name == "->" ? .json : .text
            if right.type.isInteger {
                return .call(
                    name == "->" ? .jsonElement : .jsonElementText,
                    [left, try coerce(right, to: .int32, .assignment, at: position)], result)
            }
            guard right.isUnknownLiteral || right.type == .text else { return nil }
            return .call(
                name == "->" ? .jsonField : .jsonFieldText,
                [left, try coerce(right, to: .text, at: position)], result)
        case "#>", "#>>":
            guard left.type == .json,
                let path = try converted(right, to: .list(.text), .implicit, at: position)
            else { return nil }
            return name == "#>"
                ? .call(.jsonPath, [left, path], .json)
                : .call(.jsonPathText, [left, path], .text)
        case "?":
            guard left.type == .json, right.type == .text || right.isUnknownLiteral else {
                return nil
            }
            return .call(
                .jsonHasKey, [left, try coerce(right, to: .text, at: position)], .boolean)
        case "@>", "<@":
            guard isJSON(left), isJSON(right) else { return nil }
            let a = try coerce(left, to: .json, at: position)
            let b = try coerce(right, to: .json, at: position)
            return .call(.jsonContains, name == "@>" ? [a, b] : [b, a], .boolean)
        case "||":
            guard isJSON(left), isJSON(right) else { return nil }
            return .call(
                .jsonConcat,
                [
                    try coerce(left, to: .json, at: position),
                    try coerce(right, to: .json, at: position),
                ], .json)
        case "?|", "?&":
            guard left.type == .json,
                let keys = try converted(right, to: .list(.text), .implicit, at: position)
            else { return nil }
            return .call(name == "?|" ? .jsonHasAny : .jsonHasAll, [left, keys], .boolean)
        case "#-":
            guard isJSON(left),
                let path = try converted(right, to: .list(.text), .implicit, at: position)
            else { return nil }
            return .call(
                .jsonDeletePath, [try coerce(left, to: .json, at: position), path], .json)
        case "@?", "@@":
            guard left.type == .json, right.type == .text || right.isUnknownLiteral else {
                return nil
            }
            return .call(
                name == "@?" ? .jsonPathExists : .jsonPathMatch,
                [
                    left, try coerce(right, to: .text, at: position), .literal(.json("{}"), .json),
                    .literal(.boolean(true), .boolean),
                ], .boolean)
        case "-":
            guard left.type == .json else { return nil }
            if right.type.isInteger {
                return .call(
                    .jsonDeleteElement,
                    [left, try coerce(right, to: .int32, .assignment, at: position)], .json)
            }
            if right.type == .list(.text) {
                return .call(.jsonDeleteKeys, [left, right], .json)
            }
            guard right.type == .text || right.isUnknownLiteral else { return nil }
            return .call(
                .jsonDeleteKey, [left, try coerce(right, to: .text, at: position)], .json)
        default: return nil
        }
    }
}

extension ColumnType {
    fileprivate var isIntervalOrUnknown: Bool { self == .interval || self == .null }
}

extension BoundExpression {
    fileprivate var isList: Bool { if case .list = type { true } else { false } }
}
