// Keys of any types as a fixed number of 64-bit words, so that hashing and comparing them needs no
// knowledge of types.
//
// | type | words |
// |---|---|
// | boolean, integers, dates, moments | the number |
// | floats | bit pattern; one NaN, one zero |
// | numeric, uuid | low and high half |
// | interval | low and high half of its length in microseconds: 1 month = 30 days |
// | text, bytea up to 12 bytes | its view |
// | text, bytea of 13 to 16 bytes | the first and the last 8 of them |
// | text that is a UUID in canonical form | high and low half of the UUID |
// | longer text, bytea | length and prefix; number in an interner |
// | jsonb, list, structure, map | marker; number of its canonical text in an interner |
//
// One more word behind all columns has a bit for each column that is NULL. Keys of up to 16 columns have
// the kinds of their texts there too (`TextKind`); those of more columns have no packed texts.

import Base
import Columns

/// Turns rows of key columns into words.
final class KeyEncoder {
    let types: [ColumnType]
    /// Words of one row.
    let width: Int
    private let interner: BytesInterner

    init(types: [ColumnType], interner: BytesInterner) {
        precondition(types.count <= 63, "one bit for each key column")
        self.types = types
        self.interner = interner
        width = types.reduce(1) { $0 + Self.width(of: $1) }
    }

    /// Where the kind of the texts of column `index` stands in the last word; nil when there are too
    /// many columns for that.
    func kinds(of index: Int) -> TextKind.Place? {
        types.count <= 16 ? TextKind.Place(shift: UInt64(16 + 3 * index)) : nil
    }

    static func width(of type: ColumnType) -> Int {
        switch type {
        case .boolean, .int16, .int32, .int64, .float32, .float64, .date, .time, .timestamp,
            .timestampTZ, .null:
            1
        default: 2
        }
    }

    /// Column-major: word `w` of row `r` stands at `w * count + r`. With `adding` false, texts that
    /// no key has get a number that none will ever have.
    func encode(_ columns: [Column], count: Int, adding: Bool) -> [UInt64] {
        var words = [UInt64](repeating: 0, count: width * count)
        var at = 0
        for (index, column) in columns.enumerated() {
            encode(column, index, at * count, count, adding, &words)
            at += Self.width(of: types[index])
        }
        return words
    }

    private func encode(
        _ column: Column, _ index: Int, _ base: Int, _ count: Int, _ adding: Bool,
        _ words: inout [UInt64]
    ) {
        let nulls = (width - 1) * count
        let bit: UInt64 = 1 << UInt64(index)
        if case .null = column.data {
            for row in 0..<count { words[nulls + row] |= bit }
            return
        }
        switch column.data {
        case .boolean(let values): fill(&words, base, values) { UInt64($0) }
        case .int32(let values):
            fill(&words, base, values) { UInt64(bitPattern: Int64($0)) }
        case .int64(let values): fill(&words, base, values) { UInt64(bitPattern: $0) }
        case .float64(let values): fill(&words, base, values) { Self.word($0) }
        case .int128(let values):
            fill(&words, base, values) { UInt64(truncatingIfNeeded: $0) }
            fill(&words, base + count, values) { UInt64(truncatingIfNeeded: $0 >> 64) }
        case .interval(let values):
            fill(&words, base, values) { UInt64(truncatingIfNeeded: $0.comparisonMicroseconds) }
            fill(&words, base + count, values) {
                UInt64(truncatingIfNeeded: $0.comparisonMicroseconds >> 64)
            }
        case .text(let values) where column.type != .json:
            encode(
                texts: values, column.validity, base, count, flags: nulls, kinds(of: index), adding,
                &words)
        case .dictionary(let codes, let values) where column.type != .json:
            encode(
                codes, values, column.validity, base, count, flags: nulls, kinds(of: index), adding,
                &words)
        default: encode(canonical: column, base, count, adding, &words)
        }
        guard let valid = column.validity else { return }
        for row in 0..<count where !valid[row] {
            words[nulls + row] |= bit
            words[base + row] = 0
            if Self.width(of: types[index]) == 2 { words[base + count + row] = 0 }
        }
    }

    @inline(__always)
    private func fill<T>(
        _ words: inout [UInt64], _ base: Int, _ values: [T], _ word: (T) -> UInt64
    ) {
        words.withUnsafeMutableBufferPointer { target in
            values.withUnsafeBufferPointer { source in
                for row in 0..<source.count { target[base + row] = word(source[row]) }
            }
        }
    }

    @inline(__always)
    static func word(_ value: Double) -> UInt64 {
        value.isNaN ? Double.nan.bitPattern : value == 0 ? 0 : value.bitPattern
    }

    private func encode(
        texts values: TextColumn, _ valid: Validity?, _ base: Int, _ count: Int, flags: Int,
        _ kinds: TextKind.Place?, _ adding: Bool, _ words: inout [UInt64]
    ) {
        words.withUnsafeMutableBufferPointer { words in
            TextReader.with(values) { reader in
                for row in 0..<count {
                    let view = reader.views[row]
                    words[base + row] = view.low
                    if view.isInline {
                        words[base + count + row] = view.high
                    } else if valid?[row] ?? true {
                        let text = reader[row]
                        if let kinds, let packed = TextKind.pack(text) {
                            words[base + row] = packed.first
                            words[base + count + row] = packed.second
                            words[flags + row] |= kinds.bits(packed.kind)
                        } else {
                            words[base + count + row] = number(text, adding)
                        }
                    }
                }
            }
        }
    }

    /// Dictionary codes: each distinct value is encoded once.
    private func encode(
        _ codes: [Int32], _ values: TextColumn, _ valid: Validity?, _ base: Int, _ count: Int,
        flags: Int, _ kinds: TextKind.Place?, _ adding: Bool, _ words: inout [UInt64]
    ) {
        guard values.count <= count else {
            let flat = Column(type: .text, data: .dictionary(codes: codes, values: values))
                .flattened
            if case .text(let texts) = flat.data {
                encode(texts: texts, valid, base, count, flags: flags, kinds, adding, &words)
            }
            return
        }
        var table = [UInt64](repeating: 0, count: values.count * 3)
        encode(
            texts: values, nil, 0, values.count, flags: values.count * 2, kinds, adding, &table)
        for row in 0..<count {
            let code = Int(codes[row])
            guard code >= 0, code < values.count else { continue }
            words[base + row] = table[code]
            words[base + count + row] = table[values.count + code]
            if valid?[row] ?? true { words[flags + row] |= table[values.count * 2 + code] }
        }
    }

    private func encode(
        canonical column: Column, _ base: Int, _ count: Int, _ adding: Bool,
        _ words: inout [UInt64]
    ) {
        for row in 0..<count where !column.isNull(row) {
            let text = CanonicalKey.bytes(column.value(row))
            words[base + row] = .max
            words[base + count + row] = text.withUnsafeBytes { number($0, adding) }
        }
    }

    @inline(__always)
    private func number(_ text: UnsafeRawBufferPointer, _ adding: Bool) -> UInt64 {
        adding ? interner.intern(text) : interner.find(text) ?? .max
    }
}

/// Bytes that are equal exactly when two values of a nested type are.
enum CanonicalKey {
    static func bytes(_ value: Value) -> [UInt8] {
        var output: [UInt8] = []
        append(value, to: &output)
        return output
    }

    private static func append(_ value: Value, to output: inout [UInt8]) {
        func frame(_ tag: UInt8, _ bytes: [UInt8]) {
            output.append(tag)
            var length = bytes.count
            repeat {
                output.append(UInt8(truncatingIfNeeded: length & 0x7F) | (length > 0x7F ? 0x80 : 0))
                length >>= 7
            } while length > 0
            output += bytes
        }
        func number(_ tag: UInt8, _ bits: UInt64) {
            output.append(tag)
            withUnsafeBytes(of: bits.littleEndian) { output += $0 }
        }
        switch value {
        case .null: output.append(0)
        case .boolean(let flag): output += [1, flag ? 1 : 0]
        case .int(let value): number(2, UInt64(bitPattern: value))
        case .float(let value): number(3, KeyEncoder.word(value))
        case .decimal(let unscaled, let scale):
            // Without trailing zeros, so that 1.0 is 1.00.
            var (digits, places) = (unscaled, scale)
            while places > 0, digits % 10 == 0 {
                digits /= 10
                places -= 1
            }
            frame(4, Array("\(digits)e\(places)".utf8))
        case .text(let text): frame(5, Array(text.utf8))
        case .binary(let bytes): frame(6, bytes)
        case .date(let days): number(7, UInt64(bitPattern: Int64(days)))
        case .timestamp(let moment), .timestampTZ(let moment), .time(let moment):
            number(8, UInt64(bitPattern: moment))
        case .interval(let interval): frame(9, Array("\(interval.comparisonMicroseconds)".utf8))
        case .uuid(let bits): frame(10, Array("\(bits)".utf8))
        case .json(let text): append(JSONOrder.tree(text), to: &output)
        case .variant(let metadata, let bytes):
            frame(17, metadata)
            frame(18, bytes)
        case .list(let items):
            output.append(11)
            for item in items { append(item, to: &output) }
            output.append(12)
        case .structure(let items):
            output.append(13)
            for item in items { append(item, to: &output) }
            output.append(14)
        case .map(let entries):
            output.append(15)
            for entry in entries {
                append(entry.key, to: &output)
                append(entry.value, to: &output)
            }
            output.append(16)
        }
    }

    private static func append(_ value: JSONValue, to output: inout [UInt8]) {
        switch value {
        case .number(let digits):
            // Numbers are equal by value: 1.0 is 1.
            let scale = digits.utf8.firstIndex(of: 0x2E) == nil ? 0 : 18
            if let unscaled = NumberText.decimalValue(digits, scale: scale) {
                append(.decimal(unscaled: unscaled, scale: scale), to: &output)
            } else {
                append(.text(digits), to: &output)
            }
        case .array(let items):
            output.append(17)
            for item in items { append(item, to: &output) }
            output.append(18)
        case .object(let members):
            output.append(19)
            for member in members {
                append(.text(member.key), to: &output)
                append(member.value, to: &output)
            }
            output.append(20)
        case .null: output.append(21)
        case .bool(let flag): append(.boolean(flag), to: &output)
        case .string(let text): append(.text(text), to: &output)
        }
    }
}
