// Functions that change a jsonb value along a path, and those that make one of arrays.

import Base
import Columns
import SQL

enum JSONChanges {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .jsonPretty:
            return try RowKernels.text(arguments, count: count) { rows, row, output in
                let text = String(decoding: rows[0, row], as: UTF8.self)
                pretty(JSONOrder.tree(text), depth: 0, to: &output)
            }
        case .jsonStripNulls:
            return try changed(arguments, count: count) { _, tree in stripped(tree) }
        case .jsonSet, .jsonInsert:
            return try changed(arguments, count: count) { (row, tree) throws(Problem) in
                guard case .boolean(let flag) = arguments[3].value(row) else { return tree }
                let change: JSONPathChange.Kind =
                    function == .jsonSet
                    ? (flag ? .create : .replace) : (flag ? .insertBehind : .insertBefore)
                return try set(tree, arguments[1], row, tree: arguments[2], change)
            }
        case .jsonSetLax: return try setLax(arguments, count: count)
        case .jsonDeletePath:
            return try changed(arguments, count: count) { (row, tree) throws(Problem) in
                try JSONPathChange(.delete, path(arguments[1], row), value: .null)
                    .applied(to: tree)
            }
        case .jsonDeleteElement:
            let places = arguments[1].wideIntegers
            return try changed(arguments, count: count) { (row, tree) throws(Problem) in
                guard case .array(var items) = tree else {
                    if case .object = tree {
                        throw SQLErrors.invalidParameter(
                            "cannot delete from object using integer index")
                    }
                    throw SQLErrors.invalidParameter("cannot delete from scalar")
                }
                var place = Int(places.at(row))
                if place < 0 { place += items.count }
                if items.indices.contains(place) { items.remove(at: place) }
                return .array(items)
            }
        case .jsonDeleteKeys:
            return try changed(arguments, count: count) { (row, tree) throws(Problem) in
                let keys = Set(texts(arguments[1], row).compactMap { $0 })
                switch tree {
                case .object(let members):
                    return .object(members.filter { !keys.contains($0.key) })
                case .array(let items):
                    return .array(
                        items.filter { item in item.stringValue.map { !keys.contains($0) } ?? true }
                    )
                default: throw SQLErrors.invalidParameter("cannot delete from scalar")
                }
            }
        case .jsonHasAny, .jsonHasAll:
            return try RowKernels.booleans(arguments, count: count) { row in
                let document = tree(arguments[0], row)
                let keys = texts(arguments[1], row).compactMap { $0 }
                return function == .jsonHasAny
                    ? keys.contains { has(document, $0) } : keys.allSatisfy { has(document, $0) }
            }
        case .jsonObjectOfPairs:
            return try RowKernels.values(arguments, type: .json, count: count) {
                (row) throws(Problem) in
                .json(try object(arguments, row))
            }
        default: return nil
        }
    }

    // MARK: Rows

    private static func tree(_ documents: Vector, _ row: Int) -> JSONValue {
        guard case .json(let text) = documents.value(row) else { return .null }
        return JSONOrder.tree(text)
    }

    private static func texts(_ list: Vector, _ row: Int) -> [String?] {
        guard case .list(let values) = list.value(row) else { return [] }
        return values.map { if case .text(let text) = $0 { text } else { nil } }
    }

    private static func path(_ list: Vector, _ row: Int) throws(Problem) -> [String] {
        var steps: [String] = []
        for (index, step) in texts(list, row).enumerated() {
            guard let step else {
                throw Problem("22004", "path element at position \(index + 1) is null")
            }
            steps.append(step)
        }
        return steps
    }

    /// The first argument changed, NULL where any argument is.
    private static func changed(
        _ arguments: [Vector], count: Int,
        _ body: (Int, JSONValue) throws(Problem) -> JSONValue
    ) throws(Problem) -> Column {
        try RowKernels.text(
            [arguments[0]], beside: Array(arguments[1...]), type: .json, count: count
        ) { (rows, row, output) throws(Problem) in
            let document = JSONOrder.tree(String(decoding: rows[0, row], as: UTF8.self))
            JSONKernels.append(try body(row, document), to: &output)
        }
    }

    // MARK: Along a path

    private static func set(
        _ document: JSONValue, _ steps: Vector, _ row: Int, tree value: Vector,
        _ kind: JSONPathChange.Kind
    ) throws(Problem) -> JSONValue {
        try JSONPathChange(kind, path(steps, row), value: tree(value, row)).applied(to: document)
    }

    private static func setLax(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        var results: [Value] = []
        for row in 0..<count {
            results.append(try setLax(arguments, row: row))
        }
        return Column(.json, results)
    }

    private static func setLax(_ arguments: [Vector], row: Int) throws(Problem) -> Value {
        guard case .text(let treatment) = arguments[4].value(row),
            ["use_json_null", "delete_key", "return_target", "raise_exception"]
                .contains(treatment)
        else {
            throw SQLErrors.invalidParameter(
                "null_value_treatment must be \"delete_key\", \"return_target\", "
                    + "\"use_json_null\", or \"raise_exception\"")
        }
        if arguments[0].isNull(row) || arguments[1].isNull(row) || arguments[3].isNull(row) {
            return .null
        }
        let document = tree(arguments[0], row)
        guard case .boolean(let creates) = arguments[3].value(row) else { return .null }
        var kind: JSONPathChange.Kind = creates ? .create : .replace
        if arguments[2].isNull(row) {
            switch treatment {
            case "delete_key": kind = .delete
            case "return_target": return arguments[0].value(row)
            case "raise_exception":
                throw Problem(
                    "22004", "JSON value must not be null",
                    notes: [
                        "Exception was raised because null_value_treatment is "
                            + "\"raise_exception\"."
                    ],
                    hint: "To avoid, either change the null_value_treatment argument or ensure "
                        + "that an SQL NULL is not passed.")
            default: break
            }
        }
        let result = try set(document, arguments[1], row, tree: arguments[2], kind)
        return .json(text(result))
    }

    private static func text(_ value: JSONValue) -> String {
        var output: [UInt8] = []
        JSONKernels.append(value, to: &output)
        return String(decoding: output, as: UTF8.self)
    }

    // MARK: Forms

    private static func stripped(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(
                members.filter { $0.value != .null }.map {
                    JSONMember($0.key, stripped($0.value))
                })
        case .array(let items): .array(items.map(stripped))
        default: value
        }
    }

    private static func pretty(_ value: JSONValue, depth: Int, to output: inout [UInt8]) {
        func line(_ depth: Int) {
            output.append(0x0A)
            output += repeatElement(0x20, count: depth * 4)
        }
        switch value {
        case .array(let items):
            output.append(0x5B)
            for (index, item) in items.enumerated() {
                if index > 0 { output.append(0x2C) }
                line(depth + 1)
                pretty(item, depth: depth + 1, to: &output)
            }
            line(depth)
            output.append(0x5D)
        case .object(let members):
            output.append(0x7B)
            for (index, member) in members.enumerated() {
                if index > 0 { output.append(0x2C) }
                line(depth + 1)
                JSONText.append(string: member.key.utf8, to: &output)
                output += [0x3A, 0x20]
                pretty(member.value, depth: depth + 1, to: &output)
            }
            line(depth)
            output.append(0x7D)
        default: JSONKernels.append(value, to: &output)
        }
    }

    private static func has(_ document: JSONValue, _ key: String) -> Bool {
        switch document {
        case .object(let members): members.contains { $0.key == key }
        case .array(let items): items.contains(.string(key))
        case .string(let text): text == key
        default: false
        }
    }

    // MARK: Objects of arrays

    private static func object(_ arguments: [Vector], _ row: Int) throws(Problem) -> String {
        var keys: [String?] = []
        var values: [String?] = []
        if arguments.count == 2 {
            (keys, values) = (texts(arguments[0], row), texts(arguments[1], row))
            guard keys.count == values.count else {
                throw Problem("2202E", "mismatched array dimensions")
            }
        } else if case .list(.list) = arguments[0].type,
            case .list(let pairs) = arguments[0].value(row)
        {
            for pair in pairs {
                guard case .list(let items) = pair, items.count == 2 else {
                    throw Problem("2202E", "array must have two columns")
                }
                keys.append(text(items[0]))
                values.append(text(items[1]))
            }
        } else {
            let all = texts(arguments[0], row)
            guard all.count % 2 == 0 else {
                throw Problem("2202E", "array must have even number of elements")
            }
            for index in stride(from: 0, to: all.count, by: 2) {
                keys.append(all[index])
                values.append(all[index + 1])
            }
        }
        var members: [JSONMember] = []
        for (key, value) in zip(keys, values) {
            guard let key else { throw Problem("22004", "null value not allowed for object key") }
            members.append(JSONMember(key, value.map { .string($0) } ?? .null))
        }
        return text(.object(members))
    }

    private static func text(_ value: Value) -> String? {
        if case .text(let text) = value { text } else { nil }
    }
}

/// One change at the end of a path of keys and places.
struct JSONPathChange {
    enum Kind { case replace, create, insertBefore, insertBehind, delete }

    private let kind: Kind
    private let path: [String]
    private let value: JSONValue

    init(_ kind: Kind, _ path: [String], value: JSONValue) {
        self.kind = kind
        self.path = path
        self.value = value
    }

    /// What is missing is added at the end of the path.
    private var adds: Bool { kind != .replace && kind != .delete }
    private var inserts: Bool { kind == .insertBefore || kind == .insertBehind }

    func applied(to document: JSONValue) throws(Problem) -> JSONValue {
        switch document {
        case .array, .object: break
        default:
            throw SQLErrors.invalidParameter(
                kind == .delete ? "cannot delete path in scalar" : "cannot set path in scalar")
        }
        // Nothing is replaced in what is empty, whatever the path says.
        let isEmpty = document.arrayValue?.isEmpty ?? document.members?.isEmpty ?? false
        if path.isEmpty || (isEmpty && !adds) { return document }
        return try changed(document, level: 0)
    }

    /// Recursion ends at the depth of the document, which is bounded when it is read.
    private func changed(_ document: JSONValue, level: Int) throws(Problem) -> JSONValue {
        switch document {
        case .object(let members): return .object(try changed(members, level))
        case .array(let items): return .array(try changed(items, level))
        default: return document
        }
    }

    private func changed(_ members: [JSONMember], _ level: Int) throws(Problem) -> [JSONMember] {
        let isLast = level == path.count - 1
        var result: [JSONMember] = []
        var isFound = false
        for member in members {
            guard member.key == path[level] else {
                result.append(member)
                continue
            }
            isFound = true
            guard isLast else {
                result.append(
                    JSONMember(member.key, try changed(member.value, level: level + 1)))
                continue
            }
            if inserts {
                throw Problem(
                    "22023", "cannot replace existing key",
                    hint: "Try using the function jsonb_set to replace key value.")
            }
            if kind != .delete { result.append(JSONMember(member.key, value)) }
        }
        if !isFound, isLast, adds { result.append(JSONMember(path[level], value)) }
        return result
    }

    private func changed(_ items: [JSONValue], _ level: Int) throws(Problem) -> [JSONValue] {
        guard let number = Int32(path[level]) else {
            throw Problem(
                "22P02",
                "path element at position \(level + 1) is not an integer: \"\(path[level])\"")
        }
        let isLast = level == path.count - 1
        var place = Int(number)
        if place < 0 { place = -place > items.count ? -1 : place + items.count }
        place = min(place, items.count)
        if isLast, adds, place < 0 || items.isEmpty { return [value] + items }
        var result: [JSONValue] = []
        for (index, item) in items.enumerated() {
            guard index == place else {
                result.append(item)
                continue
            }
            guard isLast else {
                result.append(try changed(item, level: level + 1))
                continue
            }
            switch kind {
            case .replace, .create: result.append(value)
            case .insertBefore: result += [value, item]
            case .insertBehind: result += [item, value]
            case .delete: break
            }
        }
        if isLast, adds, place >= items.count { result.append(value) }
        return result
    }
}
