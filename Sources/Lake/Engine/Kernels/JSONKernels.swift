// Functions and operators of jsonb, over its text.

import Base
import Columns

enum JSONKernels {
    // MARK: Access

    /// `->` and `->>` with a key.
    static func field(
        _ document: Vector, _ key: Vector, asText: Bool, count: Int
    ) throws(Problem) -> Column {
        try parts(document, [key], asText: asText, count: count) { scanner, rows, row in
            scanner.member(rows[1, row])
        }
    }

    /// `->` and `->>` with a position.
    static func element(
        _ document: Vector, _ position: Vector, asText: Bool, count: Int
    ) throws(Problem) -> Column {
        let positions = position.wideIntegers
        return try parts(
            document, [], further: [position], asText: asText, count: count
        ) { scanner, _, row in
            let place = Int(positions.at(row))
            if let found = scanner.element(place) { return found }
            // A scalar counts as an array of itself.
            let start = scanner.skipSpaces(0)
            switch scanner.kind(at: start) {
            case .object, .array, nil: return nil
            default:
                return place == 0 || place == -1
                    ? scanner.valueEnd(start).map { start..<$0 } : nil
            }
        }
    }

    /// `#>` and `#>>`: the path is a list of keys and positions.
    static func path(
        _ document: Vector, _ path: Vector, asText: Bool, count: Int
    ) throws(Problem) -> Column {
        var fixed: [[UInt8]]?
        if path.isConstant {
            guard let once = steps(path, 0) else {
                return Column.nulls(asText ? .text : .json, count: count)
            }
            fixed = once
        }
        return try parts(
            document, [], further: [path], asText: asText, count: count
        ) { scanner, _, row in
            guard let steps = fixed ?? steps(path, row) else { return nil }
            let start = scanner.skipSpaces(0)
            guard let end = scanner.valueEnd(start) else { return nil }
            var range = start..<end
            for step in steps {
                let next: Range<Int>?
                if scanner.kind(at: range.lowerBound) == .array {
                    guard let number = Int(String(decoding: step, as: UTF8.self)) else {
                        return nil
                    }
                    next = scanner.element(number, of: range.lowerBound)
                } else {
                    next = step.withUnsafeBytes { scanner.member($0, of: range.lowerBound) }
                }
                guard let next else { return nil }
                range = next
            }
            return range
        }
    }

    /// The steps of a path; nil when one of them is NULL.
    private static func steps(_ path: Vector, _ row: Int) -> [[UInt8]]? {
        guard case .list(let values) = path.value(row) else { return nil }
        var steps: [[UInt8]] = []
        for value in values {
            guard case .text(let text) = value else { return nil }
            steps.append(Array(text.utf8))
        }
        return steps
    }

    /// A part of each document, as JSON or as text; NULL where there is none. Long parts share the
    /// document's memory.
    @inline(__always)
    private static func parts(
        _ document: Vector, _ keys: [Vector], further: [Vector] = [], asText: Bool, count: Int,
        _ find: (JSONScanner, TextRows, Int) -> Range<Int>?
    ) throws(Problem) -> Column {
        let strict = TextKernels.strictValidity([document] + keys + further, count: count)
        let documents = document.texts
        var valid = Validity(repeating: false, count: count)
        let texts = try TextRows.with([document] + keys) { rows in
            var sink = TextSink(capacity: count, shared: documents.values.buffers)
            for row in 0..<count {
                let text = rows[0, row]
                let scanner = JSONScanner(text: text)
                guard strict?[row] ?? true, let range = find(scanner, rows, row) else {
                    sink.appendEmpty()
                    continue
                }
                let view = documents.values.views[documents.isConstant ? 0 : row]
                if append(scanner, range, view, asText: asText, to: &sink) {
                    valid.set(row, true)
                }
            }
            return sink.finish()
        }
        return Column(type: asText ? .text : .json, data: .text(texts), validity: valid)
    }

    /// False when the part is a JSON null and a text is wanted.
    @inline(__always)
    private static func append(
        _ scanner: JSONScanner, _ range: Range<Int>, _ view: TextView, asText: Bool,
        to sink: inout TextSink
    ) -> Bool {
        var range = range
        if asText {
            switch scanner.kind(at: range.lowerBound) {
            case .null:
                sink.appendEmpty()
                return false
            case .string:
                range = (range.lowerBound + 1)..<(range.upperBound - 1)
                if scanner.hasEscapes(range) {
                    sink.append(scanner.unescaped(range))
                    return true
                }
            default: break
            }
        }
        sink.append(
            part: UnsafeRawBufferPointer(rebasing: scanner.text[range]), of: view,
            at: range.lowerBound)
        return true
    }

    // MARK: Questions

    /// `?`: a key of the object, or a string of the array.
    static func hasKey(_ document: Vector, _ key: Vector, count: Int) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([document, key], count: count)
        var flags = [UInt8](repeating: 0, count: count)
        try TextRows.with([document, key]) { rows in
            for row in ValidRows(valid, count) {
                let scanner = JSONScanner(text: rows[0, row])
                let wanted = rows[1, row]
                let start = scanner.skipSpaces(0)
                switch scanner.kind(at: start) {
                case .object: flags[row] = scanner.member(wanted) == nil ? 0 : 1
                case .string: flags[row] = isString(scanner, start..<scanner.text.count, wanted)
                case .array:
                    scanner.forEachElement { _, range in
                        if scanner.kind(at: range.lowerBound) == .string {
                            flags[row] |= isString(scanner, range, wanted)
                        }
                        return flags[row] == 0
                    }
                default: break
                }
            }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }

    private static func isString(
        _ scanner: JSONScanner, _ range: Range<Int>, _ wanted: UnsafeRawBufferPointer
    ) -> UInt8 {
        guard let end = scanner.stringEnd(range.lowerBound) else { return 0 }
        let text = scanner.unescaped((range.lowerBound + 1)..<(end - 1))
        return text.withUnsafeBytes { compareBytes($0, wanted) == 0 } ? 1 : 0
    }

    /// `@>`
    static func contains(_ left: Vector, _ right: Vector, count: Int) -> Column {
        let valid = TextKernels.strictValidity([left, right], count: count)
        let fixed = right.isConstant && !right.column.isNull(0) ? tree(right, 0) : nil
        var flags = [UInt8](repeating: 0, count: count)
        for row in ValidRows(valid, count) {
            let part = fixed ?? tree(right, row)
            flags[row] = contains(tree(left, row), part, isTop: true) ? 1 : 0
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }

    private static func tree(_ documents: Vector, _ row: Int) -> JSONValue {
        guard case .json(let text) = documents.value(row) else { return .null }
        return JSONOrder.tree(text)
    }

    private static func contains(_ whole: JSONValue, _ part: JSONValue, isTop: Bool) -> Bool {
        switch (whole, part) {
        case (.object(let members), .object(let wanted)):
            return wanted.allSatisfy { member in
                members.contains {
                    $0.key == member.key && contains($0.value, member.value, isTop: false)
                }
            }
        case (.array(let items), .array(let wanted)):
            return wanted.allSatisfy { part in
                items.contains { contains($0, part, isTop: false) }
            }
        // A top-level array contains a bare scalar.
        case (.array(let items), .string), (.array(let items), .number),
            (.array(let items), .bool), (.array(let items), .null):
            return isTop && items.contains { contains($0, part, isTop: false) }
        case (.object, _), (_, .object), (_, .array): return false
        default: return JSONOrder.compare(whole, part) == 0
        }
    }

    static func typeName(_ document: Vector, count: Int) -> Column {
        let valid = document.validityFor(count)
        let texts = document.texts.values
        var sink = TextSink(capacity: count)
        TextReader.with(texts) { reader in
            for row in 0..<count {
                guard valid?[row] ?? true else {
                    sink.appendEmpty()
                    continue
                }
                let scanner = JSONScanner(text: reader[row])
                switch scanner.kind(at: scanner.skipSpaces(0)) {
                case .object: sink.append("object")
                case .array: sink.append("array")
                case .string: sink.append("string")
                case .number: sink.append("number")
                case .boolean: sink.append("boolean")
                case .null, nil: sink.append("null")
                }
            }
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }

    static func arrayLength(_ document: Vector, count: Int) throws(Problem) -> Column {
        let valid = document.validityFor(count)
        let texts = document.texts.values
        var values = [Int32](repeating: 0, count: count)
        try TextReader.with(texts) { (reader) throws(Problem) in
            for row in ValidRows(valid, count) {
                let scanner = JSONScanner(text: reader[row])
                guard let length = scanner.elementCount() else {
                    let isObject = scanner.kind(at: scanner.skipSpaces(0)) == .object
                    throw SQLErrors.invalidParameter(
                        "cannot get array length of \(isObject ? "a non-array" : "a scalar")")
                }
                values[row] = Int32(truncatingIfNeeded: length)
            }
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    // MARK: Changes

    /// `||`: members of both objects, or elements of both arrays; what is no array counts as one.
    static func concatenate(_ left: Vector, _ right: Vector, count: Int) -> Column {
        let valid = TextKernels.strictValidity([left, right], count: count)
        return build(valid: valid, count: count) { row in
            let (a, b) = (tree(left, row), tree(right, row))
            if case .object(let x) = a, case .object(let y) = b { return .object(x + y) }
            return .array((a.arrayValue ?? [a]) + (b.arrayValue ?? [b]))
        }
    }

    /// `- key`: without this member, or without these strings.
    static func deleteKey(
        _ document: Vector, _ key: Vector, count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity([document, key], count: count)
        for row in ValidRows(valid, count) {
            switch tree(document, row) {
            case .object, .array: continue
            default: throw SQLErrors.invalidParameter("cannot delete from scalar")
            }
        }
        return build(valid: valid, count: count) { row in
            guard case .text(let name) = key.value(row) else { return .null }
            switch tree(document, row) {
            case .object(let members): return .object(members.filter { $0.key != name })
            case .array(let items): return .array(items.filter { $0 != .string(name) })
            case let other: return other
            }
        }
    }

    private static func build(
        valid: Validity?, count: Int, _ value: (Int) -> JSONValue
    ) -> Column {
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            guard valid?[row] ?? true else {
                sink.appendEmpty()
                continue
            }
            var output: [UInt8] = []
            append(value(row), to: &output)
            sink.append(output)
        }
        return Column(type: .json, data: .text(sink.finish()), validity: valid)
    }

    /// A tree in normal form.
    static func append(_ value: JSONValue, to output: inout [UInt8]) {
        switch value {
        case .null: output += "null".utf8
        case .bool(let flag): output += (flag ? "true" : "false").utf8
        case .number(let digits): output += digits.utf8
        case .string(let text): JSONText.append(string: text.utf8, to: &output)
        case .array(let items):
            output.append(0x5B)
            for (index, item) in items.enumerated() {
                if index > 0 { output += [0x2C, 0x20] }
                append(item, to: &output)
            }
            output.append(0x5D)
        case .object(let members):
            var pieces: [(String, [UInt8])] = []
            for member in members {
                var text: [UInt8] = []
                append(member.value, to: &text)
                pieces.append((member.key, text))
            }
            JSONForm.append(members: pieces, to: &output)
        }
    }

    // MARK: Building

    static func buildObject(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            var members: [(String, [UInt8])] = []
            for index in stride(from: 0, to: arguments.count - 1, by: 2) {
                guard let key = arguments[index].text(row) else {
                    throw SQLErrors.invalidParameter(
                        "argument \(index + 1): key must not be null")
                }
                members.append((key, json(arguments[index + 1], row)))
            }
            var output: [UInt8] = []
            JSONForm.append(members: members, to: &output)
            sink.append(output)
        }
        return Column(type: .json, data: .text(sink.finish()))
    }

    private static func json(_ vector: Vector, _ row: Int) -> [UInt8] {
        var output: [UInt8] = []
        JSONForm.append(vector.column, vector.isConstant ? 0 : row, to: &output)
        return output
    }

    static func buildArray(_ arguments: [Vector], count: Int) -> Column {
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            var output: [UInt8] = [0x5B]
            for (index, argument) in arguments.enumerated() {
                if index > 0 { output += [0x2C, 0x20] }
                output += json(argument, row)
            }
            output.append(0x5D)
            sink.append(output)
        }
        return Column(type: .json, data: .text(sink.finish()))
    }

    static func fromAny(_ argument: Vector, count: Int) -> Column {
        let valid = argument.validityFor(count)
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            if valid?[row] ?? true { sink.append(json(argument, row)) } else { sink.appendEmpty() }
        }
        return Column(type: .json, data: .text(sink.finish()), validity: valid)
    }
}

extension Vector {
    /// Row `row` as text; nil for NULL.
    func text(_ row: Int) -> String? { textForm(column, isConstant ? 0 : row) }
}
