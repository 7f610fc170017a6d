// Functions over several texts.

import Base
import Columns
import Glibc

/// The texts of several vectors, row by row.
struct TextRows {
    private let readers: [(reader: TextReader, isConstant: Bool)]

    /// Calls `body` with readers of all of `vectors`, whose memory stays alive meanwhile.
    static func with<Result>(
        _ vectors: [Vector], _ body: (TextRows) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try with(vectors.map(\.texts)[...], [], body)
    }

    private static func with<Result>(
        _ operands: ArraySlice<TextOperand>, _ open: [(TextReader, Bool)],
        _ body: (TextRows) throws(Problem) -> Result
    ) throws(Problem) -> Result {
        guard let first = operands.first else {
            return try body(TextRows(readers: open.map { (reader: $0.0, isConstant: $0.1) }))
        }
        return try TextReader.with(first.values) { (reader) throws(Problem) -> Result in
            try with(operands.dropFirst(), open + [(reader, first.isConstant)], body)
        }
    }

    @inline(__always)
    subscript(argument: Int, row: Int) -> UnsafeRawBufferPointer {
        readers[argument].reader[readers[argument].isConstant ? 0 : row]
    }
}

extension TextKernels {
    /// NULL where any argument is.
    static func strictValidity(_ arguments: [Vector], count: Int) -> Validity? {
        var valid: Validity?
        for argument in arguments {
            valid = Validity.intersection(valid, argument.validityFor(count))
        }
        return valid
    }

    /// A text built from several, appended to an empty scratch array.
    @inline(__always)
    static func build(
        _ arguments: [Vector], valid: Validity?, count: Int,
        _ body: (TextRows, Int, inout [UInt8]) throws(Problem) -> Void
    ) throws(Problem) -> Column {
        let texts = try TextRows.with(arguments) { (rows) throws(Problem) -> TextColumn in
            var sink = TextSink(capacity: count)
            var scratch: [UInt8] = []
            for row in 0..<count {
                guard valid?[row] ?? true else {
                    sink.appendEmpty()
                    continue
                }
                scratch.removeAll(keepingCapacity: true)
                try body(rows, row, &scratch)
                sink.append(scratch)
                if sink.copiedBytes > resultBytesMax {
                    throw Problem("54000", "requested length too large")
                }
            }
            return sink.finish()
        }
        return Column(type: .text, data: .text(texts), validity: valid)
    }

    /// `a || b`
    static func concatenate(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = strictValidity(arguments, count: count)
        return try build(arguments, valid: valid, count: count) { rows, row, output in
            for argument in arguments.indices { output += rows[argument, row] }
        }
    }

    /// `concat(…)`: NULLs are empty.
    static func concatenateSkippingNulls(
        _ arguments: [Vector], count: Int
    ) throws(Problem) -> Column {
        try build(arguments, valid: nil, count: count) { rows, row, output in
            for (index, argument) in arguments.enumerated() where !argument.isNull(row) {
                output += rows[index, row]
            }
        }
    }

    /// `concat_ws(separator, …)`
    static func join(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = arguments[0].validityFor(count)
        return try build(arguments, valid: valid, count: count) { rows, row, output in
            var isFirst = true
            for (index, argument) in arguments.enumerated().dropFirst()
            where !argument.isNull(row) {
                if !isFirst { output += rows[0, row] }
                output += rows[index, row]
                isFirst = false
            }
        }
    }

    /// `replace(text, from, to)`
    static func replace(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = strictValidity(arguments, count: count)
        return try build(arguments, valid: valid, count: count) {
            (rows, row, output) throws(Problem) in
            let (text, from, to) = (rows[0, row], rows[1, row], rows[2, row])
            guard !from.isEmpty else {
                output += text
                return
            }
            var start = 0
            while let found = find(from, in: text, from: start) {
                output += text[start..<found]
                output += to
                start = found + from.count
                if output.count > resultBytesMax {
                    throw Problem("54000", "requested length too large")
                }
            }
            output += text[start...]
        }
    }

    /// `translate(text, from, to)`: each scalar of `from` becomes its counterpart, or disappears.
    static func translate(_ arguments: [Vector], count: Int) throws(Problem) -> Column {
        let valid = strictValidity(arguments, count: count)
        return try build(arguments, valid: valid, count: count) { rows, row, output in
            let from = Array(String(decoding: rows[1, row], as: UTF8.self).unicodeScalars)
            let to = Array(String(decoding: rows[2, row], as: UTF8.self).unicodeScalars)
            for scalar in String(decoding: rows[0, row], as: UTF8.self).unicodeScalars {
                guard let place = from.firstIndex(of: scalar) else {
                    output += String(Character(scalar)).utf8
                    continue
                }
                if place < to.count { output += String(Character(to[place])).utf8 }
            }
        }
    }

    /// `lpad` and `rpad`: cut or filled to exactly `length` scalars.
    static func pad(
        _ argument: Vector, _ length: Vector, _ fill: Vector, atStart: Bool, count: Int
    ) throws(Problem) -> Column {
        let lengths = length.wideIntegers
        let valid = strictValidity([argument, length, fill], count: count)
        return try build([argument, fill], valid: valid, count: count) {
            (rows, row, output) throws(Problem) in
            let (text, filler) = (rows[0, row], rows[1, row])
            let wanted = Int(max(0, lengths.at(row)))
            let present = scalarCount(text)
            if wanted <= present {
                output += text[byteRange(text, scalars: 0..<wanted)]
                return
            }
            let missing = wanted - present
            let unit = scalarCount(filler)
            if unit == 0 {
                output += text
                return
            }
            guard missing <= resultBytesMax / 4 else {
                throw Problem("54000", "requested length too large")
            }
            if !atStart { output += text }
            for _ in 0..<(missing / unit) { output += filler }
            output += filler[byteRange(filler, scalars: 0..<(missing % unit))]
            if atStart { output += text }
        }
    }

    static func repeated(
        _ argument: Vector, _ times: Vector, count: Int
    ) throws(Problem) -> Column {
        let amounts = times.wideIntegers
        let valid = strictValidity([argument, times], count: count)
        return try build([argument], valid: valid, count: count) {
            (rows, row, output) throws(Problem) in
            let text = rows[0, row]
            let amount = max(0, amounts.at(row))
            let (bytes, overflow) = Int64(text.count).multipliedReportingOverflow(by: amount)
            guard !overflow, bytes <= Int64(resultBytesMax) else {
                throw Problem("54000", "requested length too large")
            }
            if text.isEmpty { return }
            output.reserveCapacity(Int(bytes))
            for _ in 0..<amount { output += text }
        }
    }

    /// `strpos(text, needle)`: in scalars from 1; 0 when absent.
    static func strpos(_ text: Vector, _ needle: Vector, count: Int) throws(Problem) -> Column {
        let valid = strictValidity([text, needle], count: count)
        var values = [Int32](repeating: 0, count: count)
        try TextRows.with([text, needle]) { rows in
            for row in ValidRows(valid, count) {
                let haystack = rows[0, row]
                guard let found = find(rows[1, row], in: haystack, from: 0) else { continue }
                let before = UnsafeRawBufferPointer(rebasing: haystack[0..<found])
                values[row] = Int32(truncatingIfNeeded: scalarCount(before) + 1)
            }
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    static func startsWith(_ text: Vector, _ prefix: Vector, count: Int) throws(Problem) -> Column {
        let valid = strictValidity([text, prefix], count: count)
        var values = [UInt8](repeating: 0, count: count)
        try TextRows.with([text, prefix]) { rows in
            for row in ValidRows(valid, count) {
                let (whole, wanted) = (rows[0, row], rows[1, row])
                guard whole.count >= wanted.count else { continue }
                let head = UnsafeRawBufferPointer(rebasing: whole[0..<wanted.count])
                values[row] = compareBytes(head, wanted) == 0 ? 1 : 0
            }
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }

    /// `text LIKE pattern [ESCAPE escape]`
    static func like(
        _ text: Vector, _ pattern: Vector, _ escape: Vector?, ignoringCase: Bool, count: Int
    ) throws(Problem) -> Column {
        let arguments = [text, pattern] + (escape.map { [$0] } ?? [])
        let valid = strictValidity(arguments, count: count)
        guard pattern.isConstant, escape?.isConstant ?? true else {
            return try likeEach(arguments, valid: valid, ignoringCase: ignoringCase, count: count)
        }
        if arguments.dropFirst().contains(where: \.isConstantNull) {
            return Column.nulls(.boolean, count: count)
        }
        let compiled = try TextRows.with(Array(arguments.dropFirst())) {
            (rows) throws(Problem) -> LikePattern in
            LikePattern(
                rows[0, 0], escape: try escapeByte(escape == nil ? nil : rows[1, 0]),
                ignoringCase: ignoringCase)
        }
        if !text.isConstant, case .dictionary(let codes, let values) = text.column.data,
            values.count <= count, values.count > 0, !compiled.canFail
        {
            var table: [UInt8] = []
            try TextReader.with(values) { (reader) throws(Problem) in
                for code in 0..<values.count {
                    table.append(try compiled.matches(reader[code]) ? 1 : 0)
                }
            }
            let flags = codes.map { table[min(max(Int($0), 0), table.count - 1)] }
            return Column(type: .boolean, data: .boolean(flags), validity: valid)
        }
        var flags = [UInt8](repeating: 0, count: count)
        let texts = text.texts
        try TextReader.with(texts.values) { (reader) throws(Problem) in
            for row in ValidRows(valid, count) {
                flags[row] = try compiled.matches(reader[texts.isConstant ? 0 : row]) ? 1 : 0
            }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }

    private static func likeEach(
        _ arguments: [Vector], valid: Validity?, ignoringCase: Bool, count: Int
    ) throws(Problem) -> Column {
        var flags = [UInt8](repeating: 0, count: count)
        try TextRows.with(arguments) { (rows) throws(Problem) in
            for row in ValidRows(valid, count) {
                let escape = try escapeByte(arguments.count > 2 ? rows[2, row] : nil)
                let pattern = LikePattern(
                    rows[1, row], escape: escape, ignoringCase: ignoringCase)
                flags[row] = try pattern.matches(rows[0, row]) ? 1 : 0
            }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }

    /// The backslash by default; none when empty.
    private static func escapeByte(_ text: UnsafeRawBufferPointer?) throws(Problem) -> UInt8? {
        guard let text else { return 0x5C }
        if text.count > 1 {
            throw Problem(
                "22019", "invalid escape string",
                hint: "Escape string must be empty or one character.")
        }
        return text.first
    }
}
