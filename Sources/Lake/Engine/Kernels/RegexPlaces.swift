// The functions of regular expressions that count from a place on, or want match number n.

import Base
import Columns
import SQL

struct RegexPlaces {
    private let function: ScalarFunction
    private let arguments: [Vector]
    private let valid: Validity?
    private let count: Int

    init(_ function: ScalarFunction, _ arguments: [Vector], _ valid: Validity?, _ count: Int) {
        self.function = function
        self.arguments = arguments
        self.valid = valid
        self.count = count
    }

    /// The value of a numeric argument, which must be at least `least`.
    private func number(
        _ index: Int, _ row: Int, _ name: String, least: Int64
    ) throws(Problem) -> Int {
        let value = arguments[index].wideIntegers.at(row)
        guard value >= least else {
            throw SQLErrors.invalidParameter("invalid value for parameter \"\(name)\": \(value)")
        }
        return Int(value)
    }

    func column() throws(Problem) -> Column {
        switch function {
        case .regexCountFrom:
            var counts = [Int32](repeating: 0, count: count)
            try eachRow { (row, text, pattern, _) throws(Problem) in
                let start = try number(2, row, "start", least: 1)
                matches(pattern, text, from: start) { _ in counts[row] += 1 }
            }
            return Column(type: .int32, data: .int32(counts), validity: valid)
        case .regexReplaceFrom: return try replaced()
        case .regexPart:
            var found = [[UInt8]?](repeating: nil, count: count)
            try eachRow { (row, text, pattern, _) throws(Problem) in
                let start = try number(2, row, "start", least: 1)
                let wanted = try number(3, row, "n", least: 1)
                let group = try number(5, row, "subexpr", least: 0)
                let groups = match(pattern, text, from: start, number: wanted)
                guard let groups, group < groups.count else { return }
                found[row] = groups[group].map { Array(text[$0]) }
            }
            return RegexKernels.column(found)
        default: return try places()
        }
    }

    private func eachRow(
        _ body: (Int, UnsafeRawBufferPointer, RegexPattern, TextRows) throws(Problem) -> Void
    ) throws(Problem) {
        try RegexKernels.eachRow(function, arguments, valid, count) {
            (row, text, pattern, rows) throws(Problem) in
            if pattern.isGlobal, function != .regexReplaceFrom {
                let name =
                    function == .regexPart
                    ? "regexp_substr" : function == .regexPlace ? "regexp_instr" : "regexp_count"
                throw SQLErrors.invalidParameter(
                    "\(name)() does not support the \"global\" option")
            }
            try body(row, text, pattern, rows)
        }
    }

    /// Every match from character `start` on.
    private func matches(
        _ pattern: RegexPattern, _ text: UnsafeRawBufferPointer, from start: Int,
        _ body: ([Range<Int>?]) -> Void
    ) {
        let scalars = TextKernels.scalarCount(text)
        guard start - 1 <= scalars else { return }
        let position = TextKernels.position(text, ofScalar: start - 1)
        RegexKernels.forEachMatch(pattern, text, isGlobal: true, from: position, body)
    }

    private func match(
        _ pattern: RegexPattern, _ text: UnsafeRawBufferPointer, from start: Int, number: Int
    ) -> [Range<Int>?]? {
        var seen = 0
        var found: [Range<Int>?]?
        matches(pattern, text, from: start) { groups in
            seen += 1
            if seen == number { found = groups }
        }
        return found
    }

    /// (text, pattern, start, n, wantsEnd, flags, group)
    private func places() throws(Problem) -> Column {
        var places = [Int32](repeating: 0, count: count)
        try eachRow { (row, text, pattern, _) throws(Problem) in
            let start = try number(2, row, "start", least: 1)
            let wanted = try number(3, row, "n", least: 1)
            let end = try number(4, row, "endoption", least: 0)
            guard end <= 1 else {
                throw SQLErrors.invalidParameter(
                    "invalid value for parameter \"endoption\": \(end)")
            }
            let group = try number(6, row, "subexpr", least: 0)
            guard let groups = match(pattern, text, from: start, number: wanted),
                group < groups.count, let range = groups[group]
            else { return }
            let place = end == 1 ? range.upperBound : range.lowerBound
            let before = UnsafeRawBufferPointer(rebasing: text[0..<place])
            places[row] = Int32(truncatingIfNeeded: TextKernels.scalarCount(before) + 1)
        }
        return Column(type: .int32, data: .int32(places), validity: valid)
    }

    /// (text, pattern, replacement, start[, n], flags); n = 0 is all.
    private func replaced() throws(Problem) -> Column {
        var results = [[UInt8]?](repeating: nil, count: count)
        var bytes = 0
        try eachRow { (row, text, pattern, rows) throws(Problem) in
            let start = try number(3, row, "start", least: 1)
            var wanted = pattern.isGlobal ? 0 : 1
            if arguments.count > 5 { wanted = try number(4, row, "n", least: 0) }
            var result: [UInt8] = []
            var copied = 0
            var seen = 0
            let replacement = rows[2, row]
            matches(pattern, text, from: start) { groups in
                seen += 1
                guard let whole = groups[0], wanted == 0 || seen == wanted,
                    result.count <= TextKernels.resultBytesMax
                else { return }
                result += text[copied..<whole.lowerBound]
                RegexKernels.append(replacement, groups, text, to: &result)
                copied = whole.upperBound
            }
            result += text[copied...]
            bytes += result.count
            if bytes > TextKernels.resultBytesMax {
                throw Problem("54000", "the results of regexp_replace are too large")
            }
            results[row] = result
        }
        return RegexKernels.column(results)
    }
}
