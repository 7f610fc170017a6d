import Base
import Columns
import Engine

/// The values of one declared column on their way from JSON: one slot for each row, in memory of
/// its own, so that a value is one store and nothing is counted, checked or allocated for it.
///
/// Lanes live behind a pointer that the decoder owns. A slot may be written several times (of equal
/// keys the last wins); a slot that was never written is made NULL by the decoder.
struct ColumnLane {
    /// What is stored for a type, and how its JSON is read.
    enum Kind: UInt8 {
        case text, json, boolean, int16, int32, int64, float32, float64, decimal, uuid
        case timestamp, timestampTZ, date
        /// Types that JSON values cannot have here: always NULL, with an error.
        case other

        var stride: Int {
            switch self {
            case .boolean: 1
            case .int16, .int32, .date: 4
            case .int64, .timestamp, .timestampTZ, .float32, .float64: 8
            case .text, .json, .decimal, .uuid, .other: 16
            }
        }
    }

    let name: [UInt8]
    let type: ColumnType
    let kind: Kind
    private var capacity = 0
    private(set) var values: UnsafeMutableRawPointer
    /// One bit a row, set where a value is; all set until a NULL comes.
    private var valid: UnsafeMutablePointer<UInt64>
    private var hasNulls = false
    /// Texts that had escapes or were written again. They are buffer 0 of the column.
    var side = SideBytes()
    /// The last day that was read, `YYYY-MM-DD`, and its number: rows of a topic are near each other.
    private var dayHead: UInt64 = 0
    private var dayTail: UInt16 = 0
    private var day: Int64 = 0

    enum Outcome {
        case value
        case null
        case mismatch(String)
        /// What stands there is not JSON.
        case malformed
    }

    init(_ field: Field) {
        name = Array(field.name.utf8)
        type = field.type
        kind =
            switch field.type {
            case .text: .text
            case .json: .json
            case .boolean: .boolean
            case .int16: .int16
            case .int32: .int32
            case .int64: .int64
            case .float32: .float32
            case .float64: .float64
            case .decimal: .decimal
            case .uuid: .uuid
            case .timestamp: .timestamp
            case .timestampTZ: .timestampTZ
            case .date: .date
            default: .other
            }
        values = .allocate(byteCount: 16, alignment: 16)
        valid = .allocate(capacity: 1)
    }

    /// Gives the memory back. Nothing may be called afterwards.
    mutating func deallocate() {
        values.deallocate()
        valid.deallocate()
        side.deallocate()
    }

    /// Makes room for `rows` rows, of which `used` have something in them.
    mutating func reserve(_ rows: Int, used: Int) {
        guard rows > capacity else { return }
        let more = UnsafeMutableRawPointer.allocate(
            byteCount: rows * kind.stride, alignment: 16)
        more.copyMemory(from: values, byteCount: used * kind.stride)
        values.deallocate()
        values = more
        let bits = UnsafeMutablePointer<UInt64>.allocate(capacity: (rows + 63) / 64)
        bits.update(repeating: ~0, count: (rows + 63) / 64)
        if capacity > 0 { bits.update(from: valid, count: (used + 63) / 64) }
        valid.deallocate()
        valid = bits
        capacity = rows
    }

    @inline(__always)
    func put<Value: BitwiseCopyable>(_ value: Value, _ row: Int) {
        values.storeBytes(
            of: value, toByteOffset: row &* MemoryLayout<Value>.stride, as: Value.self)
    }

    mutating func putNull(_ row: Int) {
        hasNulls = true
        valid[row >> 6] &= ~(1 << UInt64(row & 63))
        (values + row * kind.stride).initializeMemory(
            as: UInt8.self, repeating: 0, count: kind.stride)
    }

    // MARK: The usual forms

    /// Reads the value at `position` when it has the form that nearly all values of the type have,
    /// and returns where it ends; -1 when it has another, and then nothing has changed.
    @inline(__always)
    mutating func takeUsual(
        _ text: UnsafeRawBufferPointer, _ position: Int, buffer: Int, base: Int, row: Int,
        _ form: inout JSONForm
    ) -> Int {
        let bytes = text.baseAddress.unsafelyUnwrapped
        let count = text.count
        let first = bytes.load(fromByteOffset: position, as: UInt8.self)
        switch kind {
        case .text:
            guard first == 0x22 else { return -1 }
            let start = position &+ 1
            let end = endOfPlainText(bytes, start, count)
            guard end < count, bytes.load(fromByteOffset: end, as: UInt8.self) == 0x22 else {
                return -1
            }
            put(
                Self.view(bytes, start, end &- start, count, buffer: buffer, base: base), row)
            return end &+ 1
        case .json:
            // null is NULL, not a JSON value.
            guard first != 0x6E else { return -1 }
            var view = TextView.empty
            let end = form.take(text, position, into: &side, &view)
            if end >= 0 { put(view, row) }
            return end
        case .int16, .int32, .int64:
            var value: Int64 = 0
            let end = endOfInteger(bytes, position, count, &value)
            guard end >= 0 else { return -1 }
            if kind == .int64 {
                put(value, row)
                return end
            }
            let narrow = Int32(truncatingIfNeeded: value)
            guard Int64(narrow) == value, kind == .int32 || Int16(exactly: narrow) != nil else {
                return -1
            }
            put(narrow, row)
            return end
        case .float32, .float64:
            let end = endOfNumber(bytes, position, count)
            guard end >= 0,
                let value = parseDouble(
                    UnsafeRawBufferPointer(start: bytes + position, count: end &- position))
            else { return -1 }
            put(kind == .float32 ? Double(Float(value)) : value, row)
            return end
        case .timestamp, .timestampTZ:
            guard first == 0x22 else { return -1 }
            let start = position &+ 1
            let end = endOfPlainText(bytes, start, count)
            guard end < count, bytes.load(fromByteOffset: end, as: UInt8.self) == 0x22 else {
                return -1
            }
            guard let moment = usualMoment(bytes + start, end &- start) else { return -1 }
            put(moment, row)
            return end &+ 1
        case .boolean:
            guard position &+ 5 <= count else { return -1 }
            let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)
            if word == 0x6575_7274 {  // "true"
                put(UInt8(1), row)
                return position &+ 4
            }
            let tail = bytes.load(fromByteOffset: position &+ 4, as: UInt8.self)
            guard word == 0x736C_6166, tail == 0x65 else { return -1 }  // "fals", "e"
            put(UInt8(0), row)
            return position &+ 5
        case .decimal, .uuid, .date, .other: return -1
        }
    }

    /// The view of a text inside of a buffer whose `count` bytes may be read.
    @inline(__always)
    private static func view(
        _ bytes: UnsafeRawPointer, _ start: Int, _ length: Int, _ count: Int, buffer: Int, base: Int
    ) -> TextView {
        if length > 12 {
            let prefix = bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self)
            return TextView(
                low: UInt64(UInt32(truncatingIfNeeded: length)) | UInt64(prefix) &<< 32,
                high: UInt64(UInt32(truncatingIfNeeded: buffer))
                    | UInt64(UInt32(truncatingIfNeeded: base &+ start)) &<< 32)
        }
        guard start &+ 12 <= count else {
            return TextView(
                UnsafeRawBufferPointer(start: bytes + start, count: length), buffer: buffer,
                position: base &+ start)
        }
        // Twelve bytes are read at once, and those behind the text masked away.
        var head = UInt64(bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self))
        var tail = bytes.loadUnaligned(fromByteOffset: start &+ 4, as: UInt64.self)
        if length < 4 {
            head &= (1 &<< UInt64(8 &* length)) &- 1
            tail = 0
        } else if length < 12 {
            tail &= (1 &<< UInt64(8 &* (length &- 4))) &- 1
        }
        return TextView(low: UInt64(length) | head &<< 32, high: tail)
    }

    /// `YYYY-MM-DDTHH:MM:SS[.f…]Z` with at most six digits behind the point, in microseconds.
    @inline(__always)
    private mutating func usualMoment(_ text: UnsafeRawPointer, _ count: Int) -> Int64? {
        guard count >= 20, count <= 27,
            text.load(fromByteOffset: 10, as: UInt8.self) == 0x54,
            text.load(fromByteOffset: count &- 1, as: UInt8.self) == 0x5A
        else { return nil }
        let head = text.loadUnaligned(as: UInt64.self)
        let tail = text.loadUnaligned(fromByteOffset: 8, as: UInt16.self)
        if head != dayHead || tail != dayTail {
            guard let found = parseDate(UnsafeRawBufferPointer(start: text, count: 10)) else {
                return nil
            }
            (dayHead, dayTail, day) = (head, tail, Int64(found))
        }
        // "HH:MM:SS": digits have 3 in their upper half, and still have after 6 was added.
        let clock = text.loadUnaligned(fromByteOffset: 11, as: UInt64.self)
        let kinds: UInt64 = 0xF0F0_FFF0_F0FF_F0F0
        let wanted: UInt64 = 0x3030_3A30_303A_3030
        guard clock & kinds == wanted, (clock &+ 0x0606_0006_0600_0606) & kinds == wanted else {
            return nil
        }
        func two(_ shift: UInt64) -> Int64 {
            Int64((clock &>> shift) & 0xF) &* 10 &+ Int64((clock &>> (shift &+ 8)) & 0xF)
        }
        let (hour, minute, second) = (two(0), two(24), two(48))
        guard hour <= 24, minute <= 59, second <= 60 else { return nil }
        var fraction: Int64 = 0
        if count > 20 {
            guard count >= 22, text.load(fromByteOffset: 19, as: UInt8.self) == 0x2E else {
                return nil
            }
            var scale: Int64 = 100_000
            for index in 20..<(count &- 1) {
                let digit = text.load(fromByteOffset: index, as: UInt8.self) &- 0x30
                guard digit <= 9 else { return nil }
                fraction &+= Int64(digit) &* scale
                scale /= 10
            }
        }
        let seconds = day &* 86_400 &+ hour &* 3600 &+ minute &* 60 &+ second
        return seconds &* 1_000_000 &+ fraction
    }

    // MARK: Every form

    /// Consumes one JSON value and stores it as row `row` if it is neither null nor of another type.
    mutating func take(_ scanner: inout JSONScanner, buffer: Int, row: Int) -> Outcome {
        if scanner.next == 0x6E { return scanner.take(word: "null") ? .null : .malformed }
        switch kind {
        case .text: return takeText(&scanner, buffer: buffer, row: row)
        case .json: return takeJSON(&scanner, row: row)
        case .boolean: return takeBoolean(&scanner, row: row)
        default: return takeScalar(&scanner, row: row)
        }
    }

    private mutating func takeText(
        _ scanner: inout JSONScanner, buffer: Int, row: Int
    ) -> Outcome {
        let start = scanner.position
        guard scanner.next == 0x22 else {
            // A number, a boolean or a nested value given for a text is kept as its JSON text.
            guard scanner.skipValue(depth: 0) else { return .malformed }
            put(
                TextView(
                    scanner.bytes(from: start), buffer: buffer, position: scanner.base + start),
                row)
            return .value
        }
        guard let text = scanner.string() else { return .malformed }
        let raw = scanner.bytes(of: text)
        if text.isEscaped {
            let meaning = unescapeJSON(raw)
            // PostgreSQL's text cannot hold NUL either.
            if meaning.contains(0) { return .mismatch("\(label): NUL character in a text") }
            putAside(meaning, row)
        } else {
            put(TextView(raw, buffer: buffer, position: scanner.base + text.start), row)
        }
        return .value
    }

    private mutating func takeJSON(_ scanner: inout JSONScanner, row: Int) -> Outcome {
        let start = scanner.position
        guard scanner.skipValue(depth: 0) else { return .malformed }
        let raw = scanner.bytes(from: start)
        guard let normal = try? JSONNormalizer.normalize(raw) else {
            return .mismatch("\(label): JSON that jsonb cannot hold")
        }
        putAside(normal, row)
        return .value
    }

    private mutating func takeBoolean(_ scanner: inout JSONScanner, row: Int) -> Outcome {
        if scanner.take(word: "true") {
            put(UInt8(1), row)
        } else if scanner.take(word: "false") {
            put(UInt8(0), row)
        } else {
            let start = scanner.position
            guard scanner.skipValue(depth: 0) else { return .malformed }
            return mismatch(scanner.bytes(from: start))
        }
        return .value
    }

    /// Numbers and moments, given as JSON numbers or as JSON strings in PostgreSQL's input form.
    private mutating func takeScalar(_ scanner: inout JSONScanner, row: Int) -> Outcome {
        let isString = scanner.next == 0x22
        let raw: UnsafeRawBufferPointer
        if isString {
            guard let text = scanner.string() else { return .malformed }
            raw = scanner.bytes(of: text)
        } else if let byte = scanner.next, byte == 0x2D || byte &- 0x30 <= 9 {
            guard let digits = scanner.number() else { return .malformed }
            raw = digits
        } else {
            let start = scanner.position
            guard scanner.skipValue(depth: 0) else { return .malformed }
            return mismatch(scanner.bytes(from: start))
        }
        return put(scalar: raw, isString: isString, row) ? .value : mismatch(raw)
    }

    private mutating func put(
        scalar raw: UnsafeRawBufferPointer, isString: Bool, _ row: Int
    ) -> Bool {
        switch type {
        case .int16, .int32:
            guard let value = parseInteger(raw) else { return false }
            let fits = type == .int16 ? Int16(exactly: value) != nil : Int32(exactly: value) != nil
            guard fits else { return false }
            put(Int32(truncatingIfNeeded: value), row)
        case .int64:
            guard let value = parseInteger(raw) else { return false }
            put(value, row)
        case .float32, .float64:
            guard let value = parseDouble(raw) else { return false }
            put(type == .float32 ? Double(Float(value)) : value, row)
        case .decimal(let precision, let scale):
            guard let value = parseDecimal(raw, precision: precision, scale: scale) else {
                return false
            }
            put(value, row)
        case .timestamp, .timestampTZ:
            guard isString, let value = parseTimestamp(raw, zoned: type == .timestampTZ) else {
                return false
            }
            put(value, row)
        case .date:
            guard isString, let days = parseDate(raw) else { return false }
            put(days, row)
        case .uuid:
            guard isString, let id = UUID128(text: String(decoding: raw, as: UTF8.self)) else {
                return false
            }
            let bits = UInt128(id.high) << 64 | UInt128(id.low)
            put(Int128(truncatingIfNeeded: bits), row)
        default: return false
        }
        return true
    }

    private var label: String { String(decoding: name, as: UTF8.self) }

    private func mismatch(_ raw: UnsafeRawBufferPointer) -> Outcome {
        let shown = String(decoding: raw.prefix(40), as: UTF8.self)
        return .mismatch("\(label): invalid input for type \(type.sqlName): \(shown)")
    }

    private mutating func putAside(_ bytes: [UInt8], _ row: Int) {
        bytes.withUnsafeBytes { raw in
            put(TextView(raw, buffer: 0, position: side.count), row)
            if raw.count > 12 { side.append(raw) }
        }
    }

    // MARK: The column

    /// The column of the first `rows` rows; the lane starts again from none. Buffer 0 of `buffers`
    /// is a place for the lane's own texts.
    mutating func finish(rows: Int, buffers: [Bytes]) -> Column {
        func all<Value>(_: Value.Type) -> [Value] {
            [Value](unsafeUninitializedCapacity: rows) { target, initialized in
                if let to = target.baseAddress {
                    UnsafeMutableRawPointer(to).copyMemory(
                        from: values, byteCount: rows * MemoryLayout<Value>.stride)
                }
                initialized = rows
            }
        }
        let data: ColumnData
        switch kind {
        case .int16, .int32, .date: data = .int32(all(Int32.self))
        case .int64, .timestamp, .timestampTZ: data = .int64(all(Int64.self))
        case .float32, .float64: data = .float64(all(Double.self))
        case .decimal, .uuid: data = .int128(all(Int128.self))
        case .boolean: data = .boolean(all(UInt8.self))
        case .text, .json, .other:
            var mine = buffers
            mine[0] = side.take()
            data = .text(TextColumn(views: all(TextView.self), buffers: mine))
        }
        var validity: Validity?
        if hasNulls {
            let words = [UInt64](UnsafeBufferPointer(start: valid, count: (rows + 63) / 64))
            validity = Validity(words: words, count: rows)
            valid.update(repeating: ~0, count: (rows + 63) / 64)
            hasNulls = false
        }
        return Column(type: type, data: data, validity: validity)
    }
}

/// A growing sequence of bytes in memory of its own.
struct SideBytes {
    private(set) var count = 0
    private var capacity = 0
    private var memory: UnsafeMutableRawPointer?

    init() {}

    func deallocate() { memory?.deallocate() }

    /// Memory of which at least `more` bytes behind `count` may be written.
    @inline(__always)
    mutating func reserve(_ more: Int) -> UnsafeMutableRawPointer {
        if let memory, capacity &- count >= more { return memory }
        return grow(more)
    }

    @inline(never)
    private mutating func grow(_ more: Int) -> UnsafeMutableRawPointer {
        capacity = max(4096, capacity * 2, count + more)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        if let memory {
            larger.copyMemory(from: memory, byteCount: count)
            memory.deallocate()
        }
        memory = larger
        return larger
    }

    /// Counts `more` bytes, which were written behind `count`.
    @inline(__always)
    mutating func advance(_ more: Int) { count &+= more }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        let target = reserve(bytes.count)
        if let from = bytes.baseAddress {
            (target + count).copyMemory(from: from, byteCount: bytes.count)
        }
        count += bytes.count
    }

    /// A copy of all bytes; the sequence starts again.
    mutating func take() -> Bytes {
        guard count > 0 else { return .empty }
        defer { count = 0 }
        return Bytes(UnsafeRawBufferPointer(start: memory, count: count))
    }
}
