// Functions over regular expressions. A pattern that is the same for all rows is compiled once a
// batch; others once for each different pattern of the batch.

import Base
import Columns
import SQL

enum RegexKernels {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column {
        let valid = TextKernels.strictValidity(arguments, count: count)
        switch function {
        case .regexFound, .similar:
            var flags = [UInt8](repeating: 0, count: count)
            try eachRow(function, arguments, valid, count) { row, text, pattern, _ in
                flags[row] = pattern.expression.isFound(in: text) ? 1 : 0
            }
            return Column(type: .boolean, data: .boolean(flags), validity: valid)
        case .regexCount:
            var counts = [Int32](repeating: 0, count: count)
            try eachRow(function, arguments, valid, count) { row, text, pattern, _ in
                forEachMatch(pattern, text, isGlobal: true) { _ in counts[row] += 1 }
            }
            return Column(type: .int32, data: .int32(counts), validity: valid)
        case .regexSubstring, .similarSubstring:
            return try substring(function, arguments, valid, count)
        case .regexReplace: return try replace(arguments, valid, count)
        case .regexReplaceFrom, .regexCountFrom, .regexPart, .regexPlace:
            return try RegexPlaces(function, arguments, valid, count).column()
        default: return try lists(function, arguments, valid, count)
        }
    }

    // MARK: Rows and matches

    /// Calls `body` with each row that is not NULL: its text, its compiled pattern, and all texts.
    static func eachRow(
        _ function: ScalarFunction, _ arguments: [Vector], _ valid: Validity?, _ count: Int,
        _ body: (Int, UnsafeRawBufferPointer, RegexPattern, TextRows) throws(Problem) -> Void
    ) throws(Problem) {
        // The flags are the last text.
        let last = arguments.lastIndex { $0.type == .text } ?? arguments.count - 1
        let texts = arguments.map { argument in
            argument.type == .text
                ? argument : Vector(constant: .text(""), type: .text, count: count)
        }
        let isFixed = arguments[1].isConstant && arguments[last].isConstant
        try TextRows.with(texts) { (rows) throws(Problem) in
            var known: [String: RegexPattern] = [:]
            var fixed: RegexPattern?
            for row in ValidRows(valid, count) {
                if isFixed, let fixed {
                    try body(row, rows[0, row], fixed, rows)
                    continue
                }
                let key =
                    String(decoding: rows[last, row], as: UTF8.self) + "/"
                    + String(decoding: rows[1, row], as: UTF8.self)
                let pattern: RegexPattern
                if let compiled = known[key] {
                    pattern = compiled
                } else {
                    switch function {
                    case .similar, .similarSubstring:
                        pattern = try RegexPattern(
                            similar: rows[1, row], escape: rows[2, row],
                            wantsPart: function == .similarSubstring)
                    default: pattern = try RegexPattern(rows[1, row], flags: rows[last, row])
                    }
                    // Patterns come with the rows: only so many are kept.
                    if known.count >= 256 { known = [:] }
                    known[key] = pattern
                }
                fixed = pattern
                try body(row, rows[0, row], pattern, rows)
            }
        }
    }

    /// The first match, or all of them from left to right: an empty match right behind another match
    /// does not count.
    static func forEachMatch(
        _ pattern: RegexPattern, _ text: UnsafeRawBufferPointer, isGlobal: Bool,
        from start: Int = 0, _ body: ([Range<Int>?]) -> Void
    ) {
        var position = start
        while position <= text.count,
            let groups = pattern.expression.firstMatch(in: text, from: position),
            let whole = groups[0]
        {
            body(groups)
            if !isGlobal { return }
            position = whole.isEmpty ? next(text, whole.upperBound) : whole.upperBound
        }
    }

    /// The place behind the scalar at `position`.
    private static func next(_ text: UnsafeRawBufferPointer, _ position: Int) -> Int {
        var position = position + 1
        while position < text.count, text[position] & 0xC0 == 0x80 { position += 1 }
        return position
    }

    // MARK: Texts

    private static func substring(
        _ function: ScalarFunction, _ arguments: [Vector], _ valid: Validity?, _ count: Int
    ) throws(Problem) -> Column {
        var found = [[UInt8]?](repeating: nil, count: count)
        try eachRow(function, arguments, valid, count) { row, text, pattern, _ in
            guard let groups = pattern.expression.firstMatch(in: text) else { return }
            let wanted = pattern.wantsGroup && groups.count > 1 ? groups[1] : groups[0]
            found[row] = wanted.map { Array(text[$0]) }
        }
        return column(found)
    }

    private static func replace(
        _ arguments: [Vector], _ valid: Validity?, _ count: Int
    ) throws(Problem) -> Column {
        var results = [[UInt8]?](repeating: nil, count: count)
        var bytes = 0
        try eachRow(.regexReplace, arguments, valid, count) {
            (row, text, pattern, rows) throws(Problem) in
            var result: [UInt8] = []
            var copied = 0
            let replacement = rows[2, row]
            forEachMatch(pattern, text, isGlobal: pattern.isGlobal) { groups in
                // Too much is refused below; until then it is not gathered.
                guard let whole = groups[0], result.count <= TextKernels.resultBytesMax else {
                    return
                }
                result += text[copied..<whole.lowerBound]
                append(replacement, groups, text, to: &result)
                copied = whole.upperBound
            }
            result += text[copied...]
            bytes += result.count
            if bytes > TextKernels.resultBytesMax {
                throw Problem("54000", "the results of regexp_replace are too large")
            }
            results[row] = result
        }
        return column(results)
    }

    /// `\1` to `\9` are groups, `\&` is the match.
    static func append(
        _ replacement: UnsafeRawBufferPointer, _ groups: [Range<Int>?],
        _ text: UnsafeRawBufferPointer, to result: inout [UInt8]
    ) {
        var index = 0
        while index < replacement.count {
            let byte = replacement[index]
            index += 1
            guard byte == 0x5C, index < replacement.count else {
                result.append(byte)
                continue
            }
            let escaped = replacement[index]
            index += 1
            switch escaped {
            case 0x26: if let whole = groups[0] { result += text[whole] }
            case 0x31...0x39:
                let number = Int(escaped - 0x30)
                if number < groups.count, let group = groups[number] { result += text[group] }
            case 0x5C: result.append(0x5C)
            default: result += [0x5C, escaped]
            }
        }
    }

    static func column(_ texts: [[UInt8]?]) -> Column {
        var sink = TextSink(capacity: texts.count)
        for text in texts { sink.append(text ?? []) }
        return Column(
            type: .text, data: .text(sink.finish()), validity: Validity(texts.map { $0 != nil }))
    }

    // MARK: Lists

    private static func lists(
        _ function: ScalarFunction, _ arguments: [Vector], _ valid: Validity?, _ count: Int
    ) throws(Problem) -> Column {
        let isNested = function == .regexMatches
        var values = [Value](repeating: .null, count: count)
        try eachRow(function, arguments, valid, count) { row, text, pattern, _ in
            func value(_ range: Range<Int>?) -> Value {
                range.map { .text(String(decoding: text[$0], as: UTF8.self)) } ?? .null
            }
            func groups(_ match: [Range<Int>?]) -> Value {
                .list((match.count > 1 ? match.dropFirst() : match[...]).map(value))
            }
            var items: [Value] = []
            switch function {
            case .regexMatch:
                if let match = pattern.expression.firstMatch(in: text) {
                    values[row] = groups(match)
                }
                return
            case .regexMatches:
                forEachMatch(pattern, text, isGlobal: pattern.isGlobal) {
                    items.append(groups($0))
                }
            default:
                var copied = 0
                forEachMatch(pattern, text, isGlobal: true) { match in
                    guard let whole = match[0] else { return }
                    // An empty match at an end separates nothing.
                    if whole.isEmpty, whole.lowerBound == copied || whole.lowerBound == text.count {
                        if whole.lowerBound == 0 || whole.lowerBound == text.count { return }
                    }
                    items.append(value(copied..<whole.lowerBound))
                    copied = whole.upperBound
                }
                items.append(value(copied..<text.count))
            }
            values[row] = .list(items)
        }
        return Column(.list(isNested ? .list(.text) : .text), values)
    }
}
