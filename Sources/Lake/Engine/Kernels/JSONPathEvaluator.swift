// What a JSONPath finds in a document.

import Base
import Columns
import Glibc

/// One evaluation over one document.
struct JSONPathEvaluator {
    typealias Node = JSONPath.Node

    enum Truth { case yes, no, unknown }

    private let path: JSONPath
    private let document: JSONValue
    private let variables: JSONValue
    /// Items that steps have produced: paths such as `$.**.**` multiply them.
    private var items = 0

    private static let itemsMax = 1_000_000

    init(_ path: JSONPath, _ document: JSONValue, variables: JSONValue) {
        self.path = path
        self.document = document
        self.variables = variables
    }

    private struct Scope {
        var current: JSONValue?
        /// Of the array whose subscript is evaluated.
        var lastIndex: Int?
    }

    mutating func result() throws(Problem) -> [JSONValue] {
        try evaluate(path.root, Scope())
    }

    // MARK: Items

    private mutating func count(_ values: [JSONValue]) throws(Problem) -> [JSONValue] {
        items += values.count
        guard items <= Self.itemsMax else {
            throw Problem("54000", "the JSONPath finds more than \(Self.itemsMax) items")
        }
        return values
    }

    private mutating func evaluate(_ node: Node, _ scope: Scope) throws(Problem) -> [JSONValue] {
        if node.isPredicate {
            switch try truth(node, scope) {
            case .yes: return [.bool(true)]
            case .no: return [.bool(false)]
            case .unknown: return [.null]
            }
        }
        switch node {
        case .root: return [document]
        case .current: return [scope.current ?? .null]
        case .literal(let value): return [value]
        case .variable(let name):
            guard let value = variables[name] else {
                throw Problem("42704", "could not find jsonpath variable \"\(name)\"")
            }
            return [value]
        case .last: return [.int(scope.lastIndex ?? 0)]
        case .unary(let isMinus, let inner):
            return try unwrapped(evaluate(inner, scope)).map { (value) throws(Problem) in
                let number = try numeric(
                    value, "operand of unary jsonpath operator \(isMinus ? "-" : "+")")
                return isMinus ? number.negated.json : value
            }
        case .arithmetic(let kind, let left, let right):
            return [try arithmetic(kind, left, right, scope)]
        default: return try count(step(node, scope))
        }
    }

    private mutating func step(_ node: Node, _ scope: Scope) throws(Problem) -> [JSONValue] {
        switch node {
        case .member(let base, let key):
            return try members(evaluate(base, scope), key)
        case .anyMember(let base):
            var found: [JSONValue] = []
            for value in try opened(evaluate(base, scope)) {
                if case .object(let members) = value {
                    found += members.map(\.value)
                } else if !path.isLax {
                    throw Problem(
                        "2203C",
                        "jsonpath wildcard member accessor can only be applied to an object")
                }
            }
            return found
        case .anyElement(let base):
            var found: [JSONValue] = []
            for value in try evaluate(base, scope) {
                if case .array(let items) = value {
                    found += items
                } else if path.isLax {
                    found.append(value)
                } else {
                    throw Problem(
                        "22039", "jsonpath wildcard array accessor can only be applied to an array")
                }
            }
            return found
        case .elements(let base, let ranges):
            var found: [JSONValue] = []
            for value in try evaluate(base, scope) {
                found += try elements(value, ranges, scope)
            }
            return found
        case .descendants(let base, let from, let upTo):
            var found: [JSONValue] = []
            for value in try evaluate(base, scope) {
                try descend(value, 0, from, upTo, &found)
            }
            return found
        case .filter(let base, let condition):
            var found: [JSONValue] = []
            for value in try opened(evaluate(base, scope)) {
                var inner = scope
                inner.current = value
                if try truth(condition, inner) == .yes { found.append(value) }
            }
            return found
        case .method(let base, let method):
            return try applied(method, evaluate(base, scope))
        default: return []
        }
    }

    /// In lax mode arrays open where their elements are meant.
    private func opened(_ values: [JSONValue]) -> [JSONValue] {
        path.isLax ? values.flatMap { $0.arrayValue ?? [$0] } : values
    }

    private func unwrapped(_ values: [JSONValue]) -> [JSONValue] { opened(values) }

    private func members(_ values: [JSONValue], _ key: String) throws(Problem) -> [JSONValue] {
        var found: [JSONValue] = []
        for value in opened(values) {
            guard case .object = value else {
                if path.isLax { continue }
                throw Problem(
                    "2203A", "jsonpath member accessor can only be applied to an object")
            }
            if let member = value[key] {
                found.append(member)
            } else if !path.isLax {
                throw Problem("2203A", "JSON object does not contain key \"\(key)\"")
            }
        }
        return found
    }

    private mutating func elements(
        _ value: JSONValue, _ ranges: [(from: Node, to: Node?)], _ scope: Scope
    ) throws(Problem) -> [JSONValue] {
        let items: [JSONValue]
        if case .array(let own) = value {
            items = own
        } else if path.isLax {
            items = [value]
        } else {
            throw Problem("22039", "jsonpath array accessor can only be applied to an array")
        }
        var inner = scope
        inner.lastIndex = items.count - 1
        var found: [JSONValue] = []
        for range in ranges {
            let from = try place(range.from, inner)
            let to = try range.to.map { (node) throws(Problem) in try place(node, inner) } ?? from
            if !path.isLax, from < 0 || from > to || to >= items.count {
                throw Problem("22033", "jsonpath array subscript is out of bounds")
            }
            let (low, high) = (max(from, 0), min(to, items.count - 1))
            if low <= high { found += items[low...high] }
        }
        return found
    }

    private mutating func place(_ node: Node, _ scope: Scope) throws(Problem) -> Int {
        let values = try evaluate(node, scope)
        guard values.count == 1, case .number(let digits) = values[0], let number = Double(digits)
        else {
            throw Problem("22033", "jsonpath array subscript is not a single numeric value")
        }
        guard let place = Int32(exactly: number.rounded(.towardZero)) else {
            throw Problem("22033", "jsonpath array subscript is out of integer range")
        }
        return Int(place)
    }

    private mutating func descend(
        _ value: JSONValue, _ level: Int, _ from: Int?, _ upTo: Int?,
        _ found: inout [JSONValue]
    ) throws(Problem) {
        let children: [JSONValue] =
            switch value {
            case .array(let items): items
            case .object(let members): members.map(\.value)
            default: []
            }
        // `last` is the level of what has nothing below it.
        if let from {
            if level >= from { found.append(value) }
        } else if children.isEmpty {
            found.append(value)
        }
        items += 1
        guard items <= Self.itemsMax else {
            throw Problem("54000", "the JSONPath finds more than \(Self.itemsMax) items")
        }
        if let upTo, level >= upTo { return }
        for child in children { try descend(child, level + 1, from, upTo, &found) }
    }

    // MARK: Methods and arithmetic

    private func applied(
        _ method: JSONPath.Method, _ values: [JSONValue]
    ) throws(Problem) -> [JSONValue] {
        switch method {
        case .type: return values.map { .string(Self.typeName($0)) }
        case .size:
            var sizes: [JSONValue] = []
            for value in values {
                if case .array(let items) = value {
                    sizes.append(.int(items.count))
                } else if path.isLax {
                    sizes.append(.int(1))
                } else {
                    throw Problem(
                        "22039", "jsonpath item method .size() can only be applied to an array")
                }
            }
            return sizes
        case .keyvalue:
            var pairs: [JSONValue] = []
            for value in opened(values) { pairs += try keyValues(value) }
            return pairs
        default: break
        }
        var results: [JSONValue] = []
        for value in opened(values) { results.append(try number(method, value)) }
        return results
    }

    private func number(
        _ method: JSONPath.Method, _ value: JSONValue
    ) throws(Problem) -> JSONValue {
        let name = ".\(method.rawValue)()"
        if method == .double {
            let text: String
            switch value {
            case .number(let digits): text = digits
            case .string(let string): text = string
            default:
                throw Problem(
                    "22036",
                    "jsonpath item method \(name) can only be applied to a string or numeric value")
            }
            guard let number = Double(text), number.isFinite else {
                throw Problem(
                    "22036",
                    "\(value.stringValue == nil ? "numeric" : "string") argument of jsonpath item "
                        + "method \(name) is out of range for type double precision")
            }
            guard let normal = try? JSONNormalizer.normalize(NumberText.float64(number)) else {
                return value
            }
            return .number(normal)
        }
        guard case .number = value else {
            throw Problem(
                "22036", "jsonpath item method \(name) can only be applied to a numeric value")
        }
        let number = try numeric(value, "argument of jsonpath item method \(name)")
        switch method {
        case .abs: return number.value < 0 ? number.negated.json : value
        case .ceiling: return number.rounded(up: true).json
        default: return number.rounded(up: false).json
        }
    }

    private static func typeName(_ value: JSONValue) -> String {
        switch value {
        case .null: "null"
        case .bool: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }

    private func keyValues(_ value: JSONValue) throws(Problem) -> [JSONValue] {
        guard case .object(let members) = value else {
            throw Problem(
                "2203C", "jsonpath item method .keyvalue() can only be applied to an object")
        }
        return members.map {
            .object([
                JSONMember("id", .int(0)), JSONMember("key", .string($0.key)),
                JSONMember("value", $0.value),
            ])
        }
    }

    private func numeric(_ value: JSONValue, _ what: String) throws(Problem) -> PathNumber {
        guard case .number(let digits) = value, let number = PathNumber(digits) else {
            throw Problem("22038", "\(what) is not a numeric value")
        }
        return number
    }

    private mutating func arithmetic(
        _ kind: JSONPath.Arithmetic, _ left: Node, _ right: Node, _ scope: Scope
    ) throws(Problem) -> JSONValue {
        let symbol =
            switch kind {
            case .add: "+"
            case .subtract: "-"
            case .multiply: "*"
            case .divide: "/"
            case .modulo: "%"
            }
        var numbers: [PathNumber] = []
        for (name, node) in [("left", left), ("right", right)] {
            let values = unwrapped(try evaluate(node, scope))
            guard values.count == 1, case .number(let digits) = values[0],
                let number = PathNumber(digits)
            else {
                throw Problem(
                    "22038",
                    "\(name) operand of jsonpath operator \(symbol) is not a single numeric value")
            }
            numbers.append(number)
        }
        guard let result = try numbers[0].combined(kind, numbers[1]) else {
            throw SQLErrors.numericOverflow
        }
        return result.json
    }

    // MARK: Predicates

    /// Errors inside of a predicate make it unknown, except for what the path itself does wrong.
    private mutating func values(_ node: Node, _ scope: Scope) throws(Problem) -> [JSONValue]? {
        do throws(Problem) {
            return try evaluate(node, scope)
        } catch {
            if error.code == "42704" || error.code.hasPrefix("54") { throw error }
            return nil
        }
    }

    private mutating func truth(_ node: Node, _ scope: Scope) throws(Problem) -> Truth {
        switch node {
        case .and(let left, let right):
            let first = try truth(left, scope)
            if first == .no { return .no }
            let second = try truth(right, scope)
            return second == .yes ? first : second
        case .or(let left, let right):
            let first = try truth(left, scope)
            if first == .yes { return .yes }
            let second = try truth(right, scope)
            return second == .no ? first : second
        case .not(let inner):
            switch try truth(inner, scope) {
            case .yes: return .no
            case .no: return .yes
            case .unknown: return .unknown
            }
        case .isUnknown(let inner): return try truth(inner, scope) == .unknown ? .yes : .no
        case .exists(let inner):
            guard let found = try values(inner, scope) else { return .unknown }
            return found.isEmpty ? .no : .yes
        case .comparison(let kind, let left, let right):
            return try any(left, right, scope) { Self.compare(kind, $0, $1) }
        case .startsWith(let left, let prefix):
            return try any(left, prefix, scope) { whole, start in
                guard case .string(let text) = whole, case .string(let wanted) = start else {
                    return .unknown
                }
                return text.utf8.starts(with: wanted.utf8) ? .yes : .no
            }
        case .matches(let left, let expression):
            return try any(left, .literal(.null), scope) { value, _ in
                guard case .string(let text) = value else { return .unknown }
                return Array(text.utf8).withUnsafeBytes { expression.isFound(in: $0) } ? .yes : .no
            }
        default: return .unknown
        }
    }

    /// Whether some pair of items fulfils `test`. In strict mode one unknown pair makes it unknown.
    private mutating func any(
        _ left: Node, _ right: Node, _ scope: Scope, _ test: (JSONValue, JSONValue) -> Truth
    ) throws(Problem) -> Truth {
        guard let first = try values(left, scope), let second = try values(right, scope) else {
            return .unknown
        }
        var sawUnknown = false
        var isFound = false
        for a in unwrapped(first) {
            for b in unwrapped(second) {
                switch test(a, b) {
                case .unknown:
                    if !path.isLax { return .unknown }
                    sawUnknown = true
                case .yes:
                    if path.isLax { return .yes }
                    isFound = true
                case .no: break
                }
            }
        }
        return isFound ? .yes : sawUnknown ? .unknown : .no
    }

    private static func compare(
        _ kind: JSONPath.Comparison, _ a: JSONValue, _ b: JSONValue
    ) -> Truth {
        func verdict(_ order: Int) -> Truth {
            let holds =
                switch kind {
                case .equal: order == 0
                case .notEqual: order != 0
                case .less: order < 0
                case .lessOrEqual: order <= 0
                case .greater: order > 0
                case .greaterOrEqual: order >= 0
                }
            return holds ? .yes : .no
        }
        switch (a, b) {
        case (.null, .null): return verdict(0)
        // Nothing but equality compares null with something else.
        case (.null, _), (_, .null): return kind == .notEqual ? .yes : .no
        case (.bool, .bool), (.number, .number), (.string, .string):
            return verdict(JSONOrder.compare(a, b))
        default: return .unknown
        }
    }
}

/// A number of a path, exact up to 38 digits.
private struct PathNumber {
    var value: Int128
    var scale: Int

    init(value: Int128, scale: Int) {
        self.value = value
        self.scale = scale
    }

    init?(_ digits: String) {
        let point = digits.utf8.firstIndex(of: 0x2E)
        let scale = point.map { digits.utf8.distance(from: $0, to: digits.utf8.endIndex) - 1 } ?? 0
        guard scale <= 37, let value = NumberText.decimalValue(digits, scale: scale) else {
            return nil
        }
        self.init(value: value, scale: scale)
    }

    var json: JSONValue { .number(NumberText.decimal(value, scale: scale)) }

    var negated: PathNumber { PathNumber(value: -value, scale: scale) }

    func rounded(up: Bool) -> PathNumber {
        let unit = DecimalMath.powers[scale]
        var whole = value / unit
        if value % unit != 0, up == (value > 0) { whole += up ? 1 : -1 }
        return PathNumber(value: whole, scale: 0)
    }

    /// nil beyond 38 digits.
    func combined(
        _ kind: JSONPath.Arithmetic, _ other: PathNumber
    ) throws(Problem) -> PathNumber? {
        switch kind {
        case .multiply:
            let exact = scale + other.scale
            let kept = min(exact, 37)
            return DecimalMath.multiply(value, other.value, exactScale: exact, scale: kept)
                .map { PathNumber(value: $0, scale: kept) }
        case .divide:
            if other.value == 0 { throw SQLErrors.divisionByZero }
            let kept = max(16, max(scale, other.scale))
            return DecimalMath.divide(
                value, scale: scale, by: other.value, scale: other.scale, resultScale: kept
            ).map { PathNumber(value: $0, scale: kept) }
        default: break
        }
        let wider = max(scale, other.scale)
        guard let a = DecimalMath.rescale(value, from: scale, to: wider),
            let b = DecimalMath.rescale(other.value, from: other.scale, to: wider)
        else { return nil }
        if kind == .modulo {
            if b == 0 { throw SQLErrors.divisionByZero }
            return PathNumber(value: a % b, scale: wider)
        }
        let sum = kind == .add ? a + b : a - b
        return DecimalMath.isTooLarge(sum) ? nil : PathNumber(value: sum, scale: wider)
    }
}
