// The functions that take a JSONPath.

import Base
import Columns
import SQL

enum JSONPathKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .jsonPathExists, .jsonPathMatch, .jsonPathQueryArray, .jsonPathQueryFirst,
            .jsonPathQuery:
            break
        default: return nil
        }
        var known: JSONPath?
        return try RowKernels.values(arguments, type: type, count: count) {
            (row) throws(Problem) in
            guard case .json(let document) = arguments[0].value(row),
                case .text(let text) = arguments[1].value(row),
                case .json(let variables) = arguments[2].value(row),
                case .boolean(let isSilent) = arguments[3].value(row)
            else { return .null }
            if known == nil || !arguments[1].isConstant { known = try JSONPath(text) }
            guard let path = known else { return .null }
            let tree = JSONOrder.tree(variables)
            guard case .object = tree else {
                throw Problem(
                    "22023", "\"vars\" argument is not an object",
                    notes: [
                        "Jsonpath parameters should be encoded as key-value pairs of \"vars\" object."
                    ])
            }
            var evaluator = JSONPathEvaluator(path, JSONOrder.tree(document), variables: tree)
            do throws(Problem) {
                return try value(function, try evaluator.result(), isSilent: isSilent)
            } catch {
                // Errors of the data are silenced, those of the path and of its size are not.
                guard isSilent, error.code.hasPrefix("22"), error.code != "22023" else {
                    throw error
                }
                return function == .jsonPathQueryArray
                    ? .json("[]") : function == .jsonPathQuery ? .list([]) : .null
            }
        }
    }

    private static func text(_ value: JSONValue) -> String {
        var output: [UInt8] = []
        JSONKernels.append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    private static func value(
        _ function: ScalarFunction, _ found: [JSONValue], isSilent: Bool
    ) throws(Problem) -> Value {
        switch function {
        case .jsonPathExists: return .boolean(!found.isEmpty)
        case .jsonPathMatch:
            if found.count == 1 {
                if case .bool(let flag) = found[0] { return .boolean(flag) }
                if found[0] == .null { return .null }
            }
            throw Problem("22038", "single boolean result is expected")
        case .jsonPathQueryArray: return .json(text(.array(found)))
        case .jsonPathQueryFirst: return found.first.map { .json(text($0)) } ?? .null
        default: return .list(found.map { .json(text($0)) })
        }
    }
}
