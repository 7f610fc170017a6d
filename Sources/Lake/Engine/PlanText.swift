// Plans and expressions as text, for EXPLAIN.

import Base
import Columns
import SQL

enum PlanText {
    /// One line a node, inputs indented below. What is shared is shown where it stands first.
    static func lines(_ plan: LogicalPlan) -> [String] {
        var lines: [String] = []
        var known: Set<Int> = []
        append(plan, 0, &lines, &known)
        return lines
    }

    private static func append(
        _ plan: LogicalPlan, _ level: Int, _ lines: inout [String], _ known: inout Set<Int>
    ) {
        lines.append(indented(describe(plan), level))
        if case .shared(let number, _) = plan, !known.insert(number).inserted { return }
        for input in plan.inputs { append(input, level + 1, &lines, &known) }
    }

    static func indented(_ line: String, _ level: Int) -> String {
        level == 0 ? line : String(repeating: "  ", count: level - 1) + "-> " + line
    }

    /// The node without its inputs.
    static func describe(_ plan: LogicalPlan) -> String {
        let names = plan.inputs.flatMap { $0.schema.fields.map(\.name) }
        func text(_ expression: BoundExpression) -> String {
            ExpressionText.text(expression, names)
        }
        func list(_ expressions: [BoundExpression]) -> String {
            expressions.map(text).joined(separator: ", ")
        }
        func order(_ keys: [SortKey]) -> String {
            keys.map { key in
                var line = text(key.expression)
                if key.isDescending { line += " DESC" }
                if key.nullsFirst != key.isDescending {
                    line += key.nullsFirst ? " NULLS FIRST" : " NULLS LAST"
                }
                return line
            }.joined(separator: ", ")
        }
        switch plan {
        case .scan(let node):
            let columns = node.schema.fields.map(\.name)
            var line = "Scan \(node.kind.rawValue) \(node.relation)"
            if node.isStream { line += " as stream" }
            line += " (" + columns.joined(separator: ", ") + ")"
            if let predicate = BoundExpression.all(of: node.predicates) {
                line += " where " + ExpressionText.text(predicate, columns)
            }
            return line
        case .values(let rows, _): return "Values (\(rows.count) rows)"
        case .filter(_, let condition): return "Filter " + text(condition)
        case .project(_, let columns):
            return "Project "
                + columns.map { column in
                    let expression = text(column.expression)
                    return expression == column.name
                        ? expression : "\(expression) as \(column.name)"
                }.joined(separator: ", ")
        case .aggregate(let node):
            var parts: [String] = []
            if !node.keys.isEmpty { parts.append("by " + list(node.keys.map(\.expression))) }
            for aggregate in node.aggregates {
                let call = aggregate.call
                var line = call.function.rawValue + "(" + (call.isDistinct ? "distinct " : "")
                line += list(call.arguments)
                if !call.orderBy.isEmpty { line += " order by " + order(call.orderBy) }
                line += ")"
                if let filter = call.filter { line += " filter (" + text(filter) + ")" }
                parts.append(line)
            }
            if let sets = node.sets { parts.append("in \(sets.count) grouping sets") }
            return "Aggregate " + parts.joined(separator: ", ")
        case .sort(_, let keys, let limit):
            return "Sort " + order(keys) + (limit.map { " limit \($0)" } ?? "")
        case .limit(_, let count, let offset):
            return "Limit" + (count.map { " " + text($0) } ?? "")
                + (offset.map { " offset " + text($0) } ?? "")
        case .distinct: return "Distinct"
        case .distinctOn(let node): return "Distinct on " + list(node.keys)
        case .join(let node):
            let left = node.left.schema.fields.map(\.name)
            let right = node.right.schema.fields.map(\.name)
            var conditions = node.keys.map {
                ExpressionText.text($0.left, left) + " = " + ExpressionText.text($0.right, right)
            }
            if let residual = node.residual {
                conditions.append(ExpressionText.text(residual, left + right))
            }
            let on = conditions.isEmpty ? "" : " on " + conditions.joined(separator: " and ")
            return "Join " + node.kind.rawValue + on + (node.keepsLeft ? ", left kept" : "")
        case .asof(let node):
            let left = node.left.schema.fields.map(\.name)
            let right = node.right.schema.fields.map(\.name)
            func compared(_ key: JoinKey, _ how: String) -> String {
                ExpressionText.text(key.left, left) + " \(how) "
                    + ExpressionText.text(key.right, right)
            }
            let conditions =
                node.keys.map { compared($0, "=") }
                + [compared(node.moment, node.comparison.rawValue)]
            return "Asof join " + (node.keepsLeft ? "left" : "inner") + " on "
                + conditions.joined(separator: " and ")
        case .union(let inputs): return "Union of \(inputs.count)"
        case .over(let node):
            var window: [String] = []
            if !node.partitionBy.isEmpty { window.append("by " + list(node.partitionBy)) }
            if !node.orderBy.isEmpty { window.append("order by " + order(node.orderBy)) }
            let calls = node.calls.map { "\($0.function.name)(\(list($0.arguments)))" }
            return "Over (" + window.joined(separator: " ") + ") "
                + calls.joined(separator: ", ") + (node.keepsFirst ? ", first rows" : "")
        case .window(let node):
            let size = IntervalText.text(Interval(microseconds: node.sizeMicroseconds))
            let slide = IntervalText.text(Interval(microseconds: node.slideMicroseconds))
            return node.sizeMicroseconds == node.slideMicroseconds
                ? "Window tumble \(size)" : "Window hop \(slide), \(size)"
        case .expand(let node):
            return "Expand "
                + node.calls.map { "\($0.function.rawValue)(\(list($0.arguments)))" }
                .joined(separator: ", ")
        case .singleRow: return "Single row"
        case .recursion: return "Recursion"
        case .working: return "Rows that came last"
        case .shared(let number, _): return "Shared \(number)"
        }
    }
}

enum ExpressionText {
    static func text(_ expression: BoundExpression, _ names: [String]) -> String {
        func inner(_ expression: BoundExpression) -> String { text(expression, names) }
        func list(_ expressions: [BoundExpression]) -> String {
            expressions.map(inner).joined(separator: ", ")
        }
        switch expression {
        case .column(let index, _): return index < names.count ? names[index] : "$\(index)"
        case .literal(let value, let type):
            guard let text = textForm(value, type) else { return "NULL" }
            switch type {
            case .boolean: return text == "t" ? "true" : "false"
            case .int16, .int32, .int64, .float32, .float64, .decimal: return text
            default: return "'" + text + "'"
            }
        case .call(let function, let arguments, _):
            if let symbol = symbol(function), arguments.count == 2 {
                return "(" + inner(arguments[0]) + " \(symbol) " + inner(arguments[1]) + ")"
            }
            return function.rawValue + "(" + list(arguments) + ")"
        case .cast(let operand, let type, let mode):
            return (mode == .strict ? "cast(" : "try_cast(") + inner(operand)
                + " as \(type.sqlName))"
        case .conditional(let branches, let otherwise, _):
            let whens = branches.map { " when \(inner($0.condition)) then \(inner($0.value))" }
            return "case" + whens.joined()
                + (otherwise.map { " else " + inner($0) } ?? "") + " end"
        case .and(let operands): return "(" + operands.map(inner).joined(separator: " and ") + ")"
        case .or(let operands): return "(" + operands.map(inner).joined(separator: " or ") + ")"
        case .not(let operand): return "not " + inner(operand)
        case .isNull(let operand): return inner(operand) + " is null"
        case .isNotNull(let operand): return inner(operand) + " is not null"
        case .isDistinct(let left, let right):
            return "(" + inner(left) + " is distinct from " + inner(right) + ")"
        case .inList(let operand, let items, let isNegated):
            return inner(operand) + (isNegated ? " not in (" : " in (") + list(items) + ")"
        case .coalesce(let operands, _): return "coalesce(" + list(operands) + ")"
        case .outer(let level, let column, _): return "outer\(level).\(column)"
        case .subquery(let number, let arguments, _):
            return "subquery\(number)(" + list(arguments) + ")"
        }
    }

    private static func symbol(_ function: ScalarFunction) -> String? {
        switch function {
        case .add, .addDays, .addInterval, .addIntervals: "+"
        case .subtract, .subtractDays, .subtractInterval, .subtractIntervals, .dateDifference,
            .timestampDifference, .jsonDeleteKey:
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
        case .like: "like"
        case .iLike: "ilike"
        case .jsonField, .jsonElement: "->"
        case .jsonFieldText, .jsonElementText: "->>"
        case .jsonPath: "#>"
        case .jsonPathText: "#>>"
        case .jsonContains: "@>"
        case .jsonHasKey: "?"
        default: nil
        }
    }
}
