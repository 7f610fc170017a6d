// JSONPath of SQL (ISO 9075-2, "SQL/JSON path language"): the tree of a path, and its parser.

import Base
import Columns

/// A path, ready to be evaluated.
struct JSONPath {
    /// Without `strict` missing members are no errors, and arrays open where one item is wanted.
    var isLax = true
    var root: Node

    indirect enum Node {
        case root
        /// `@`: what a filter looks at.
        case current
        case variable(String)
        case literal(JSONValue)
        /// `last` in a subscript
        case last
        case member(Node, String)
        case anyMember(Node)
        /// `.**{from to upTo}`; nil is as deep as it goes.
        case descendants(Node, from: Int?, upTo: Int?)
        case anyElement(Node)
        case elements(Node, [(from: Node, to: Node?)])
        case filter(Node, Node)
        case method(Node, Method)
        case unary(isMinus: Bool, Node)
        case arithmetic(Arithmetic, Node, Node)
        case comparison(Comparison, Node, Node)
        case and(Node, Node)
        case or(Node, Node)
        case not(Node)
        case exists(Node)
        case isUnknown(Node)
        case startsWith(Node, Node)
        case matches(Node, RegularExpression)

        /// True, false or unknown, rather than items.
        var isPredicate: Bool {
            switch self {
            case .comparison, .and, .or, .not, .exists, .isUnknown, .startsWith, .matches: true
            default: false
            }
        }
    }

    enum Method: String { case type, size, double, ceiling, floor, abs, keyvalue }
    enum Arithmetic { case add, subtract, multiply, divide, modulo }
    enum Comparison { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual }

    init(_ text: String) throws(Problem) {
        guard text.utf8.count <= Self.bytesMax else {
            throw Problem("54000", "a JSONPath has at most \(Self.bytesMax) bytes")
        }
        var parser = JSONPathParser(Array(text.unicodeScalars), text)
        (isLax, root) = try parser.path()
    }

    private static let bytesMax = 16 << 10
}

/// Recursive descent, in the order of binding: or, and, not, comparison, sum, product, sign, accessors.
struct JSONPathParser {
    private let scalars: [Unicode.Scalar]
    private let text: String
    private var index = 0
    private var depth = 0
    /// Inside of how many filters, and of subscripts.
    private var filters = 0
    private var subscripts = 0

    init(_ scalars: [Unicode.Scalar], _ text: String) {
        self.scalars = scalars
        self.text = text
    }

    private static let depthMax = 64

    // MARK: Tokens

    private func syntax() -> Problem {
        let rest = String(
            String.UnicodeScalarView(scalars[min(index, scalars.count)...].prefix(20)))
        return Problem(
            "42601",
            rest.isEmpty
                ? "syntax error at end of jsonpath input"
                : "syntax error at or near \"\(rest)\" of jsonpath input")
    }

    private mutating func skipSpaces() {
        while index < scalars.count {
            if scalars[index].properties.isWhitespace {
                index += 1
            } else if isNext("/*") {
                while index < scalars.count, !isNext("*/") { index += 1 }
                index = min(index + 2, scalars.count)
            } else {
                return
            }
        }
    }

    private func isNext(_ symbol: String) -> Bool {
        let wanted = Array(symbol.unicodeScalars)
        return index + wanted.count <= scalars.count
            && scalars[index..<index + wanted.count].elementsEqual(wanted)
    }

    private mutating func take(_ symbol: String) -> Bool {
        skipSpaces()
        guard isNext(symbol) else { return false }
        index += symbol.unicodeScalars.count
        return true
    }

    private mutating func expect(_ symbol: String) throws(Problem) {
        guard take(symbol) else { throw syntax() }
    }

    private static func isWordPart(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.isAlphabetic || scalar.properties.numericType != nil || scalar == "_"
            || scalar == "$"
    }

    /// The word at this place, without moving.
    private mutating func word() -> String {
        skipSpaces()
        var end = index
        while end < scalars.count, Self.isWordPart(scalars[end]) { end += 1 }
        return String(String.UnicodeScalarView(scalars[index..<end]))
    }

    private mutating func take(word wanted: String) -> Bool {
        guard word() == wanted else { return false }
        index += wanted.unicodeScalars.count
        return true
    }

    private mutating func string() throws(Problem) -> String {
        skipSpaces()
        guard isNext("\"") else { throw syntax() }
        var end = index + 1
        while end < scalars.count, scalars[end] != "\"" {
            end += scalars[end] == "\\" ? 2 : 1
        }
        guard end < scalars.count else { throw syntax() }
        let quoted = String(String.UnicodeScalarView(scalars[index...end]))
        index = end + 1
        guard case .string(let text) = JSONOrder.tree(quoted) else { throw syntax() }
        return text
    }

    // MARK: Grammar

    mutating func path() throws(Problem) -> (isLax: Bool, JSONPath.Node) {
        var isLax = true
        if take(word: "strict") { isLax = false } else { _ = take(word: "lax") }
        let node = try disjunction()
        skipSpaces()
        guard index == scalars.count else { throw syntax() }
        return (isLax, node)
    }

    private mutating func nested(
        _ body: (inout JSONPathParser) throws(Problem) -> JSONPath.Node
    ) throws(Problem) -> JSONPath.Node {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.depthMax else {
            throw Problem("54001", "the JSONPath is nested too deeply")
        }
        return try body(&self)
    }

    private mutating func disjunction() throws(Problem) -> JSONPath.Node {
        try nested { (parser) throws(Problem) in
            var left = try parser.conjunction()
            while parser.take("||") {
                let right = try parser.conjunction()
                left = .or(try parser.predicate(left), try parser.predicate(right))
            }
            return left
        }
    }

    private mutating func conjunction() throws(Problem) -> JSONPath.Node {
        var left = try comparison()
        while take("&&") {
            let right = try comparison()
            left = .and(try predicate(left), try predicate(right))
        }
        return left
    }

    private func predicate(_ node: JSONPath.Node) throws(Problem) -> JSONPath.Node {
        guard node.isPredicate else { throw syntax() }
        return node
    }

    private mutating func comparison() throws(Problem) -> JSONPath.Node {
        skipSpaces()
        if isNext("!"), !isNext("!=") {
            index += 1
            skipSpaces()
            if take(word: "exists") { return .not(try exists()) }
            try expect("(")
            let inner = try predicate(try disjunction())
            try expect(")")
            return .not(inner)
        }
        if take(word: "exists") { return try exists() }
        let left = try sum()
        if left.isPredicate {
            if take(word: "is") {
                guard take(word: "unknown") else { throw syntax() }
                return .isUnknown(left)
            }
            return left
        }
        if take(word: "starts") {
            guard take(word: "with") else { throw syntax() }
            skipSpaces()
            if isNext("\"") { return .startsWith(left, .literal(.string(try string()))) }
            guard isNext("$"), case .variable(let name) = try primary() else { throw syntax() }
            return .startsWith(left, .variable(name))
        }
        if take(word: "like_regex") { return .matches(left, try expression()) }
        for (symbol, kind) in [
            ("==", JSONPath.Comparison.equal), ("!=", .notEqual), ("<>", .notEqual),
            ("<=", .lessOrEqual), (">=", .greaterOrEqual), ("<", .less), (">", .greater),
        ] where take(symbol) {
            return .comparison(kind, left, try sum())
        }
        return left
    }

    private mutating func exists() throws(Problem) -> JSONPath.Node {
        try expect("(")
        let inner = try sum()
        try expect(")")
        return .exists(inner)
    }

    /// `"pattern" [flag "letters"]`
    private mutating func expression() throws(Problem) -> RegularExpression {
        var pattern = try string()
        var options: RegularExpression.Options = []
        if take(word: "flag") {
            for letter in try string() {
                switch letter {
                case "i": options.insert(.ignoringCase)
                case "s": options.insert(.dotMatchesNewline)
                case "m": pattern = "(?m)" + pattern
                case "q":
                    pattern = pattern.unicodeScalars.reduce(into: "") { text, scalar in
                        if scalar.isASCII, !Self.isWordPart(scalar) { text += "\\" }
                        text.unicodeScalars.append(scalar)
                    }
                default:
                    throw Problem(
                        "42601", "invalid input syntax for type jsonpath",
                        notes: [
                            "Unrecognized flag character \"\(letter)\" in LIKE_REGEX predicate."
                        ])
                }
            }
        }
        do throws(RegularExpressionFailure) {
            return try RegularExpression(pattern, options)
        } catch {
            throw Problem("2201B", "invalid regular expression: \(error.reason)")
        }
    }

    private mutating func sum() throws(Problem) -> JSONPath.Node {
        var left = try product()
        while true {
            if take("+") {
                left = .arithmetic(.add, left, try product())
            } else if take("-") {
                left = .arithmetic(.subtract, left, try product())
            } else {
                return left
            }
            try grow()
        }
    }

    private mutating func product() throws(Problem) -> JSONPath.Node {
        var left = try signed()
        while true {
            skipSpaces()
            if isNext("**") { throw syntax() }
            if take("*") {
                left = .arithmetic(.multiply, left, try signed())
            } else if take("/") {
                left = .arithmetic(.divide, left, try signed())
            } else if take("%") {
                left = .arithmetic(.modulo, left, try signed())
            } else {
                return left
            }
            try grow()
        }
    }

    /// A chain is as deep as it is long.
    private var length = 0
    private mutating func grow() throws(Problem) {
        length += 1
        guard length <= 1000 else {
            throw Problem("54001", "the JSONPath has too many steps")
        }
    }

    private mutating func signed() throws(Problem) -> JSONPath.Node {
        skipSpaces()
        if isNext("-") || isNext("+") {
            let isMinus = isNext("-")
            index += 1
            return try nested { (parser) throws(Problem) in
                .unary(isMinus: isMinus, try parser.signed())
            }
        }
        return try accessors(try primary())
    }

    private mutating func primary() throws(Problem) -> JSONPath.Node {
        skipSpaces()
        guard index < scalars.count else { throw syntax() }
        switch scalars[index] {
        case "(":
            index += 1
            let inner = try disjunction()
            try expect(")")
            return inner
        case "$":
            index += 1
            if isNext("\"") { return .variable(try string()) }
            guard index < scalars.count, Self.isWordPart(scalars[index]) else { return .root }
            let name = word()
            index += name.unicodeScalars.count
            return .variable(name)
        case "@":
            guard filters > 0 else {
                throw Problem("42601", "@ is not allowed in root expressions")
            }
            index += 1
            return .current
        case "\"": return .literal(.string(try string()))
        default: break
        }
        if scalars[index] == "." || (0x30...0x39).contains(scalars[index].value) {
            return .literal(try number())
        }
        if take(word: "true") { return .literal(.bool(true)) }
        if take(word: "false") { return .literal(.bool(false)) }
        if take(word: "null") { return .literal(.null) }
        if take(word: "last") {
            guard subscripts > 0 else {
                throw Problem("42601", "LAST is allowed only in array subscripts")
            }
            return .last
        }
        throw syntax()
    }

    private mutating func number() throws(Problem) -> JSONValue {
        var digits = ""
        while index < scalars.count {
            let scalar = scalars[index]
            let isSign =
                (scalar == "+" || scalar == "-") && (digits.last == "e" || digits.last == "E")
            guard isSign || scalar == "." || (scalar.isASCII && Self.isWordPart(scalar)) else {
                break
            }
            // `1.type()` is a number and a method; `1..2` is nothing.
            if scalar == ".", index + 1 < scalars.count,
                !(0x30...0x39).contains(scalars[index + 1].value), !digits.isEmpty
            {
                break
            }
            digits.unicodeScalars.append(scalar)
            index += 1
        }
        if digits.hasPrefix(".") { digits = "0" + digits }
        guard case .number = JSONOrder.tree(digits),
            let normal = try? JSONNormalizer.normalize(digits)
        else { throw syntax() }
        return .number(normal)
    }

    private mutating func accessors(_ start: JSONPath.Node) throws(Problem) -> JSONPath.Node {
        var node = start
        while true {
            skipSpaces()
            if isNext("?") {
                index += 1
                try expect("(")
                filters += 1
                let condition = try predicate(try disjunction())
                filters -= 1
                try expect(")")
                node = .filter(node, condition)
            } else if isNext("[") {
                index += 1
                node = try elements(of: node)
            } else if isNext(".") {
                index += 1
                node = try member(of: node)
            } else {
                return node
            }
            try grow()
        }
    }

    private mutating func elements(of node: JSONPath.Node) throws(Problem) -> JSONPath.Node {
        if take("*") {
            try expect("]")
            return .anyElement(node)
        }
        subscripts += 1
        defer { subscripts -= 1 }
        var ranges: [(from: JSONPath.Node, to: JSONPath.Node?)] = []
        repeat {
            let from = try sum()
            ranges.append((from, take(word: "to") ? try sum() : nil))
        } while take(",")
        try expect("]")
        return .elements(node, ranges)
    }

    private mutating func member(of node: JSONPath.Node) throws(Problem) -> JSONPath.Node {
        if take("**") { return try descendants(of: node) }
        if take("*") { return .anyMember(node) }
        skipSpaces()
        if isNext("\"") { return .member(node, try string()) }
        let name = word()
        guard let first = name.unicodeScalars.first, !(0x30...0x39).contains(first.value) else {
            throw syntax()
        }
        index += name.unicodeScalars.count
        guard take("(") else { return .member(node, name) }
        guard let method = JSONPath.Method(rawValue: name) else {
            throw Problem("0A000", "the JSONPath method .\(name)() is not supported yet")
        }
        try expect(")")
        return .method(node, method)
    }

    /// Behind `.**`: `{2}`, `{1 to last}` or nothing.
    private mutating func descendants(of node: JSONPath.Node) throws(Problem) -> JSONPath.Node {
        guard take("{") else { return .descendants(node, from: 0, upTo: nil) }
        func level() throws(Problem) -> Int? {
            if take(word: "last") { return nil }
            guard let level = Int32(word()), level >= 0 else { throw syntax() }
            index += word().unicodeScalars.count
            return Int(level)
        }
        let from = try level()
        let upTo = take(word: "to") ? try level() : from
        try expect("}")
        return .descendants(node, from: from, upTo: upTo)
    }
}
