// Plans as text for comparison in tests: one operator a line, inputs indented below.

import Base
import Columns
import SQL

extension LogicalPlan {
    /// One line an operator.
    var explanation: [String] {
        var lines: [String] = []
        explain(into: &lines, indent: 0)
        return lines
    }

    private func explain(into lines: inout [String], indent: Int) {
        lines.append(String(repeating: "  ", count: indent) + headline)
        for input in inputs { input.explain(into: &lines, indent: indent + 1) }
    }

    private var headline: String {
        let names = inputs.flatMap { $0.schema.fields.map(\.name) }
        func list(_ expressions: [BoundExpression]) -> String {
            expressions.map { $0.text(names) }.joined(separator: ", ")
        }
        func order(_ keys: [SortKey]) -> String {
            keys.map { $0.text(names) }.joined(separator: ", ")
        }
        switch self {
        case .scan(let node): return node.headline
        case .values(let rows, _): return "Values: \(rows.count) rows"
        case .filter(_, let condition): return "Filter: \(condition.text(names))"
        case .project(_, let columns):
            let texts = columns.map { column in
                let text = column.expression.text(names)
                return text == column.name ? text : "\(text) AS \(column.name)"
            }
            return "Project: " + texts.joined(separator: ", ")
        case .aggregate(let node):
            let keys = list(node.keys.map(\.expression))
            let calls = node.aggregates.map { $0.call.text(names) }.joined(separator: ", ")
            return "Aggregate: \(calls)" + (keys.isEmpty ? "" : " BY \(keys)")
        case .sort(_, let keys, let limit):
            return "Sort: \(order(keys))" + (limit.map { ", first \($0)" } ?? "")
        case .limit(_, let count, let offset):
            return "Limit: \(count?.text([]) ?? "all")"
                + (offset.map { " OFFSET \($0.text([]))" } ?? "")
        case .distinct: return "Distinct"
        case .distinctOn(let node):
            return "Distinct on: \(list(node.keys))"
                + (node.order.isEmpty ? "" : " ORDER BY \(order(node.order))")
        case .join(let node): return node.headline(names)
        case .asof(let node):
            let width = node.left.schema.fields.count
            let (left, right) = (Array(names.prefix(width)), Array(names.dropFirst(width)))
            let texts = (node.keys + [node.moment]).enumerated().map { place, key in
                let sign = place == node.keys.count ? node.comparison.rawValue : "="
                return "\(key.left.text(left)) \(sign) \(key.right.text(right))"
            }
            return "Asof \(node.keepsLeft ? "left" : "inner") ON "
                + texts.joined(separator: " AND ")
        case .union: return "Union all"
        case .over(let node):
            return "Over " + node.calls.map(\.function.name).joined(separator: ", ")
        case .window(let node):
            let kind = node.slideMicroseconds == node.sizeMicroseconds ? "Tumble" : "Hop"
            return "\(kind): \(names[node.timeColumn]), "
                + "slide \(node.slideMicroseconds) us, size \(node.sizeMicroseconds) us"
        case .singleRow: return "Single row"
        case .expand(let node):
            return "Expand: "
                + node.calls.map { "\($0.function.rawValue)(\(list($0.arguments)))" }
                .joined(separator: ", ")
        case .shared(let number, _): return "Shared \(number)"
        case .recursion(let node): return "Recursion \(node.number)"
        case .working(let number, _): return "Working \(number)"
        }
    }
}

extension ScanNode {
    fileprivate var headline: String {
        let names = schema.fields.map(\.name)
        var text = "Scan \(kind.rawValue) \(relation)"
        if isStream { text += " as stream" }
        switch travel {
        case .version(let version): text += " version \(version)"
        case .timestamp(let time): text += " as of \(time.text([]))"
        case .changes(let first, let last):
            text += " changes from \(first) to \(last.map { "\($0)" } ?? "the newest")"
        case .difference(let version, let other):
            text += " version \(version) without \(other)"
        case nil: break
        }
        text += " [" + names.joined(separator: ", ") + "]"
        if let all = BoundExpression.all(of: predicates) { text += " WHERE \(all.text(names))" }
        return text
    }
}

extension JoinNode {
    fileprivate func headline(_ names: [String]) -> String {
        let width = left.schema.fields.count
        let leftNames = Array(names.prefix(width))
        let rightNames = Array(names.dropFirst(width))
        var conditions = keys.map { key in
            let sign = key.nullsMatch ? "IS NOT DISTINCT FROM" : "="
            return "\(key.left.text(leftNames)) \(sign) \(key.right.text(rightNames))"
        }
        if let residual { conditions.append(residual.text(names)) }
        let on = conditions.isEmpty ? "" : " ON " + conditions.joined(separator: " AND ")
        return "Join \(kind.rawValue)\(on)"
    }
}

extension SortKey {
    fileprivate func text(_ names: [String]) -> String {
        var text = expression.text(names)
        if isDescending { text += " DESC" }
        if nullsFirst != isDescending { text += nullsFirst ? " NULLS FIRST" : " NULLS LAST" }
        return text
    }
}

extension AggregateCall {
    fileprivate func text(_ names: [String]) -> String {
        var inside = arguments.map { $0.text(names) }.joined(separator: ", ")
        if isDistinct { inside = "DISTINCT " + inside }
        if function == .countStar { inside = "*" }
        if !orderBy.isEmpty {
            inside += " ORDER BY " + orderBy.map { $0.text(names) }.joined(separator: ", ")
        }
        let name = function == .countStar ? "count" : function.rawValue
        return "\(name)(\(inside))"
            + (filter.map { " FILTER (WHERE \($0.text(names)))" } ?? "")
    }
}

extension BoundExpression {
    /// The expression as text, with the names of the input's columns.
    func text(_ names: [String]) -> String {
        switch self {
        case .column(let index, _):
            return names.indices.contains(index) ? names[index] : "#\(index)"
        case .literal(let value, let type): return written(value, type)
        case .call(let function, let arguments, _):
            let texts = arguments.map { $0.text(names) }
            if let sign = function.sign, texts.count == 2 {
                return "(\(texts[0]) \(sign) \(texts[1]))"
            }
            return "\(function.rawValue)(\(texts.joined(separator: ", ")))"
        case .cast(let operand, let type, let mode):
            let name = mode == .strict ? "" : "TRY "
            return "\(operand.text(names))::\(name)\(type.sqlName)"
        case .conditional(let branches, let otherwise, _):
            let texts = branches.map {
                "WHEN \($0.condition.text(names)) THEN \($0.value.text(names)) "
            }
            return "CASE " + texts.joined() + (otherwise.map { "ELSE \($0.text(names)) " } ?? "")
                + "END"
        case .and(let operands):
            return "(" + operands.map { $0.text(names) }.joined(separator: " AND ") + ")"
        case .or(let operands):
            return "(" + operands.map { $0.text(names) }.joined(separator: " OR ") + ")"
        case .not(let operand): return "NOT \(operand.text(names))"
        case .isNull(let operand): return "\(operand.text(names)) IS NULL"
        case .isNotNull(let operand): return "\(operand.text(names)) IS NOT NULL"
        case .isDistinct(let left, let right):
            return "(\(left.text(names)) IS DISTINCT FROM \(right.text(names)))"
        case .inList(let operand, let list, let isNegated):
            let items = list.map { $0.text(names) }.joined(separator: ", ")
            return "\(operand.text(names)) \(isNegated ? "NOT IN" : "IN") (\(items))"
        case .coalesce(let operands, _):
            return "coalesce(" + operands.map { $0.text(names) }.joined(separator: ", ") + ")"
        case .outer(let level, let column, _): return "outer \(level).\(column)"
        case .subquery(let number, _, _): return "subquery \(number)"
        }
    }
}

private func written(_ value: Value, _ type: ColumnType) -> String {
    switch value {
    case .null: "NULL"
    case .boolean(let flag): flag ? "true" : "false"
    case .int(let number): "\(number)"
    case .float(let number): "\(number)"
    case .decimal(let unscaled, let scale): decimalText(unscaled, scale)
    case .text(let text): "'\(text)'"
    case .json(let text): "'\(text)'::jsonb"
    case .date(let days): "date \(days)"
    case .time(let time): "time \(time)"
    case .timestamp(let time): "timestamp \(time)"
    case .timestampTZ(let time): "timestamptz \(time)"
    case .interval(let interval):
        "interval(\(interval.months), \(interval.days), \(interval.microseconds))"
    case .uuid(let uuid):
        "'\(UUID128(high: UInt64(truncatingIfNeeded: uuid >> 64), low: UInt64(truncatingIfNeeded: uuid)))'"
    case .list(let items): "{\(items.map { written($0, .null) }.joined(separator: ", "))}"
    case .binary, .variant, .structure, .map: "(\(type.sqlName))"
    }
}

private func decimalText(_ unscaled: Int128, _ scale: Int) -> String {
    let digits = String(unscaled.magnitude)
    let sign = unscaled < 0 ? "-" : ""
    guard scale > 0 else { return sign + digits }
    let padded = String(repeating: "0", count: max(0, scale + 1 - digits.utf8.count)) + digits
    return sign + padded.dropLast(scale) + "." + padded.suffix(scale)
}

extension ScalarFunction {
    /// The operator that it is written as.
    fileprivate var sign: String? {
        switch self {
        case .add, .addDays, .addInterval, .addIntervals: "+"
        case .subtract, .subtractDays, .subtractInterval, .subtractIntervals,
            .timestampDifference, .dateDifference, .jsonDeleteKey:
            "-"
        case .multiply, .multiplyInterval: "*"
        case .divide, .divideInterval: "/"
        case .modulo: "%"
        case .equal: "="
        case .notEqual: "<>"
        case .less: "<"
        case .lessOrEqual: "<="
        case .greater: ">"
        case .greaterOrEqual: ">="
        case .textConcat, .jsonConcat: "||"
        case .jsonField, .jsonElement: "->"
        case .jsonFieldText, .jsonElementText: "->>"
        case .jsonPath: "#>"
        case .jsonPathText: "#>>"
        case .jsonHasKey: "?"
        case .jsonContains: "@>"
        default: nil
        }
    }
}
