// Functions over text. Positions and lengths count Unicode scalars; texts without bytes above 127
// are handled by bytes. Parts of long texts share the argument's buffers.

import Base
import Columns
import Glibc

enum TextKernels {
    /// Text that one batch of results may add up to; repeat() and lpad() could ask for any amount.
    static let resultBytesMax = 256 << 20

    // MARK: Forms of loops

    /// A text from each text. Dictionary columns are mapped value by value and keep their codes.
    @inline(__always)
    static func mapText(
        _ argument: Vector, count: Int,
        _ body: (UnsafeRawBufferPointer, TextView, inout TextSink) -> Void
    ) -> Column {
        let valid = argument.validityFor(count)
        if !argument.isConstant, case .dictionary(let codes, let values) = argument.column.data,
            values.count <= count
        {
            let mapped = mapValues(values, valid: nil, count: values.count, body)
            return Column(
                type: .text, data: .dictionary(codes: codes, values: mapped), validity: valid)
        }
        let texts = argument.texts.values
        return Column(
            type: .text, data: .text(mapValues(texts, valid: valid, count: count, body)),
            validity: valid)
    }

    @inline(__always)
    private static func mapValues(
        _ texts: TextColumn, valid: Validity?, count: Int,
        _ body: (UnsafeRawBufferPointer, TextView, inout TextSink) -> Void
    ) -> TextColumn {
        var sink = TextSink(capacity: count, shared: texts.buffers)
        TextReader.with(texts) { reader in
            for row in 0..<count {
                if valid?[row] ?? true {
                    body(reader[row], reader.views[row], &sink)
                } else {
                    sink.appendEmpty()
                }
            }
        }
        return sink.finish()
    }

    /// A 32-bit number from each text.
    @inline(__always)
    static func mapToInt32(
        _ argument: Vector, count: Int, _ body: (UnsafeRawBufferPointer) -> Int32
    ) -> Column {
        let valid = argument.validityFor(count)
        let texts = argument.texts.values
        var values = [Int32](repeating: 0, count: count)
        TextReader.with(texts) { reader in
            for row in ValidRows(valid, count) { values[row] = body(reader[row]) }
        }
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    // MARK: Scalars

    @inline(__always)
    static func isASCII(_ text: UnsafeRawBufferPointer) -> Bool {
        var all: UInt8 = 0
        for byte in text { all |= byte }
        return all < 0x80
    }

    /// Every byte that does not continue a scalar begins one.
    @inline(__always)
    static func scalarCount(_ text: UnsafeRawBufferPointer) -> Int {
        var count = 0
        for byte in text { count &+= byte & 0xC0 != 0x80 ? 1 : 0 }
        return count
    }

    /// The byte position of scalar number `wanted`, or the end.
    static func position(_ text: UnsafeRawBufferPointer, ofScalar wanted: Int) -> Int {
        if wanted <= 0 { return 0 }
        var seen = 0
        for index in 0..<text.count where text[index] & 0xC0 != 0x80 {
            if seen == wanted { return index }
            seen += 1
        }
        return text.count
    }

    /// Scalars `range`, as far as there are any, as a range of bytes.
    @inline(__always)
    static func byteRange(_ text: UnsafeRawBufferPointer, scalars range: Range<Int>) -> Range<Int> {
        if isASCII(text) { return range.clamped(to: 0..<text.count) }
        let start = position(text, ofScalar: range.lowerBound)
        let rest = UnsafeRawBufferPointer(rebasing: text[start...])
        return start..<(start + position(rest, ofScalar: range.count))
    }

    // MARK: Functions of one text

    static func lower(_ argument: Vector, count: Int) -> Column {
        mapText(argument, count: count) { text, _, sink in sink.append(CaseMapping.lower(text)) }
    }

    static func upper(_ argument: Vector, count: Int) -> Column {
        mapText(argument, count: count) { text, _, sink in sink.append(CaseMapping.upper(text)) }
    }

    static func capitalized(_ argument: Vector, count: Int) -> Column {
        mapText(argument, count: count) { text, _, sink in
            sink.append(CaseMapping.capitalized(text))
        }
    }

    static func reversed(_ argument: Vector, count: Int) -> Column {
        mapText(argument, count: count) { text, _, sink in
            var output: [UInt8] = []
            output.reserveCapacity(text.count)
            var end = text.count
            while end > 0 {
                var start = end - 1
                while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
                output += text[start..<end]
                end = start
            }
            sink.append(output)
        }
    }

    static func length(_ argument: Vector, count: Int) -> Column {
        mapToInt32(argument, count: count) { Int32(truncatingIfNeeded: scalarCount($0)) }
    }

    static func octetLength(_ argument: Vector, count: Int) -> Column {
        let valid = argument.validityFor(count)
        let views = argument.texts.values.views
        return Column(
            type: .int32, data: .int32(views.map { Int32(truncatingIfNeeded: $0.count) }),
            validity: valid)
    }

    static func firstScalar(_ argument: Vector, count: Int) -> Column {
        mapToInt32(argument, count: count) { text in
            let end = text.isEmpty ? 0 : LikePattern.scalarEnd(text, 0)
            let first = String(decoding: text[0..<end], as: UTF8.self).unicodeScalars.first
            return Int32(first?.value ?? 0)
        }
    }

    static func character(_ argument: Vector, count: Int) throws(Problem) -> Column {
        let valid = argument.validityFor(count)
        let codes = argument.int32s
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            guard valid?[row] ?? true else {
                sink.appendEmpty()
                continue
            }
            let code = codes.at(row)
            if code == 0 { throw Problem("54000", "null character not permitted") }
            if code < 0 { throw Problem("22023", "character number must be positive") }
            guard let scalar = UnicodeScalar(UInt32(code)) else {
                throw Problem("54000", "requested character not valid for encoding: \(code)")
            }
            sink.append(String(Character(scalar)))
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }

    // MARK: Parts

    /// `substring(text from start for length)`: positions before the first take from the length.
    static func substring(
        _ argument: Vector, _ start: Vector, _ length: Vector?, count: Int
    ) throws(Problem) -> Column {
        let starts = start.wideIntegers
        let lengths = length?.wideIntegers
        if let length, let lengths {
            let valid = length.validityFor(count)
            let negative = firstRow(count: count, valid: valid) { lengths.at($0) < 0 }
            if let row = negative, !argument.isNull(row), !start.isNull(row) {
                throw Problem("22011", "negative substring length not allowed")
            }
        }
        return parts(argument, [start] + (length.map { [$0] } ?? []), count: count) { row, text in
            let first = starts.at(row) - 1
            let end = lengths.map { min(first + max($0.at(row), 0), 1 << 40) } ?? (1 << 40)
            let from = max(first, 0)
            return byteRange(text, scalars: Int(from)..<Int(max(end, from)))
        }
    }

    /// `left(text, n)`: the first n; all but the last -n when negative.
    static func left(_ argument: Vector, _ amount: Vector, count: Int) -> Column {
        let amounts = amount.wideIntegers
        return parts(argument, [amount], count: count) { row, text in
            let wanted = Int(amounts.at(row))
            if wanted >= 0 { return byteRange(text, scalars: 0..<wanted) }
            return byteRange(text, scalars: 0..<max(0, scalarCount(text) + wanted))
        }
    }

    /// `right(text, n)`: the last n; all but the first -n when negative.
    static func right(_ argument: Vector, _ amount: Vector, count: Int) -> Column {
        let amounts = amount.wideIntegers
        return parts(argument, [amount], count: count) { row, text in
            let wanted = Int(amounts.at(row))
            let total = scalarCount(text)
            let start = wanted >= 0 ? max(0, total - wanted) : min(total, -wanted)
            return byteRange(text, scalars: start..<total)
        }
    }

    enum TrimmedSide { case both, leading, trailing }

    static func trim(
        _ argument: Vector, _ characters: Vector, _ side: TrimmedSide, count: Int
    ) -> Column {
        let sets = characters.texts
        return TextReader.with(sets.values) { setReader in
            parts(argument, [characters], count: count) { row, text in
                let set = setReader[sets.isConstant ? 0 : row]
                var (start, end) = (0, text.count)
                if side != .trailing {
                    while start < end,
                        contains(set, text, start..<LikePattern.scalarEnd(text, start))
                    {
                        start = LikePattern.scalarEnd(text, start)
                    }
                }
                if side != .leading {
                    while end > start {
                        var last = end - 1
                        while last > start, text[last] & 0xC0 == 0x80 { last -= 1 }
                        guard contains(set, text, last..<end) else { break }
                        end = last
                    }
                }
                return start..<end
            }
        }
    }

    /// Whether the scalar at `range` of `text` is one of `set`.
    @inline(__always)
    private static func contains(
        _ set: UnsafeRawBufferPointer, _ text: UnsafeRawBufferPointer, _ range: Range<Int>
    ) -> Bool {
        if range.count == 1 {
            for byte in set where byte == text[range.lowerBound] { return true }
            return false
        }
        return searchBytes(set, for: UnsafeRawBufferPointer(rebasing: text[range])) != nil
    }

    /// `split_part(text, delimiter, n)`
    static func splitPart(
        _ argument: Vector, _ delimiter: Vector, _ field: Vector, count: Int
    ) throws(Problem) -> Column {
        let fields = field.wideIntegers
        let delimiters = delimiter.texts
        let valid = field.validityFor(count)
        if firstRow(count: count, valid: valid, where: { fields.at($0) == 0 }) != nil {
            throw SQLErrors.invalidParameter("field position must not be zero")
        }
        return TextReader.with(delimiters.values) { reader in
            parts(argument, [delimiter, field], count: count) { row, text in
                let separator = reader[delimiters.isConstant ? 0 : row]
                var wanted = fields.at(row)
                guard !separator.isEmpty else {
                    return wanted.magnitude == 1 ? 0..<text.count : 0..<0
                }
                if wanted < 0 {
                    wanted += Int64(occurrences(of: separator, in: text)) + 2
                    if wanted <= 0 { return 0..<0 }
                }
                var start = 0
                while wanted > 1 {
                    guard let found = find(separator, in: text, from: start) else { return 0..<0 }
                    start = found + separator.count
                    wanted -= 1
                }
                return start..<(find(separator, in: text, from: start) ?? text.count)
            }
        }
    }

    /// A part of each text, given as a range of its bytes.
    @inline(__always)
    private static func parts(
        _ argument: Vector, _ others: [Vector], count: Int,
        _ range: (Int, UnsafeRawBufferPointer) -> Range<Int>
    ) -> Column {
        var valid = argument.validityFor(count)
        for other in others {
            valid = Validity.intersection(valid, other.validityFor(count))
        }
        let texts = argument.texts
        var sink = TextSink(capacity: count, shared: texts.values.buffers)
        TextReader.with(texts.values) { reader in
            for row in 0..<count {
                guard valid?[row] ?? true else {
                    sink.appendEmpty()
                    continue
                }
                let at = texts.isConstant ? 0 : row
                let text = reader[at]
                let part = range(row, text)
                sink.append(
                    part: UnsafeRawBufferPointer(rebasing: text[part]), of: reader.views[at],
                    at: part.lowerBound)
            }
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }

    // MARK: Searching

    /// Where `needle` begins in `text` at or behind `from`.
    @inline(__always)
    static func find(
        _ needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, from: Int
    ) -> Int? {
        searchBytes(UnsafeRawBufferPointer(rebasing: text[from...]), for: needle).map { $0 + from }
    }

    static func occurrences(
        of needle: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer
    ) -> Int {
        var count = 0
        var from = 0
        while let found = find(needle, in: text, from: from) {
            count += 1
            from = found + needle.count
        }
        return count
    }
}
