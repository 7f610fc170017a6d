import Base
import Columns
import Engine

/// The growing values of one declared column. Each row either has a value here or is NULL.
struct ColumnSink {
    let name: [UInt8]
    private let type: ColumnType
    private var integers: [Int64] = []
    private var narrow: [Int32] = []
    private var doubles: [Double] = []
    private var wide: [Int128] = []
    private var flags: [UInt8] = []
    private var views: [TextView] = []
    /// Bytes of texts that had escapes, or were written again; they become one buffer more.
    private var side: [UInt8] = []
    /// Rows whose view points into `side`.
    private var sideRows: [Int] = []
    private var validity = Validity(repeating: true, count: 0)
    private var hasNulls = false

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
    }

    /// Consumes one JSON value and appends it if it is neither null nor of another type.
    mutating func append(_ scanner: inout JSONScanner, buffer: Int) -> Outcome {
        if scanner.next == 0x6E { return scanner.take(word: "null") ? .null : .malformed }
        switch type {
        case .text: return appendText(&scanner, buffer: buffer)
        case .json: return appendJSON(&scanner, buffer: buffer)
        case .boolean: return appendBoolean(&scanner)
        default: return appendScalar(&scanner)
        }
    }

    mutating func appendNull() {
        hasNulls = true
        validity.append(false)
        switch type {
        case .int16, .int32, .date: narrow.append(0)
        case .int64, .timestamp, .timestampTZ: integers.append(0)
        case .float32, .float64: doubles.append(0)
        case .decimal, .uuid: wide.append(0)
        case .boolean: flags.append(0)
        default: views.append(.empty)
        }
    }

    mutating func removeLast() {
        validity = Validity(
            words: Array(validity.words.prefix((validity.count + 62) / 64)),
            count: validity.count - 1)
        switch type {
        case .int16, .int32, .date: narrow.removeLast()
        case .int64, .timestamp, .timestampTZ: integers.removeLast()
        case .float32, .float64: doubles.removeLast()
        case .decimal, .uuid: wide.removeLast()
        case .boolean: flags.removeLast()
        default:
            views.removeLast()
            if sideRows.last == views.count { sideRows.removeLast() }
        }
    }

    // MARK: By kind of value

    private mutating func appendText(_ scanner: inout JSONScanner, buffer: Int) -> Outcome {
        let start = scanner.position
        guard scanner.next == 0x22 else {
            // A number, a boolean or a nested value given for a text is kept as its JSON text.
            guard scanner.skipValue(depth: 0) else { return .malformed }
            push(scanner.bytes(from: start), buffer: buffer, position: scanner.base + start)
            return .value
        }
        guard let text = scanner.string() else { return .malformed }
        let raw = scanner.bytes(of: text)
        if text.isEscaped {
            let meaning = unescapeJSON(raw)
            // PostgreSQL's text cannot hold NUL either.
            if meaning.contains(0) { return .mismatch("\(label): NUL character in a text") }
            pushAside(meaning)
        } else {
            push(raw, buffer: buffer, position: scanner.base + text.start)
        }
        return .value
    }

    private mutating func appendJSON(_ scanner: inout JSONScanner, buffer: Int) -> Outcome {
        let start = scanner.position
        guard scanner.skipValue(depth: 0) else { return .malformed }
        let raw = scanner.bytes(from: start)
        guard let normal = try? JSONNormalizer.normalize(raw) else {
            return .mismatch("\(label): JSON that jsonb cannot hold")
        }
        pushAside(normal)
        return .value
    }

    private mutating func appendBoolean(_ scanner: inout JSONScanner) -> Outcome {
        if scanner.take(word: "true") {
            flags.append(1)
        } else if scanner.take(word: "false") {
            flags.append(0)
        } else {
            let start = scanner.position
            guard scanner.skipValue(depth: 0) else { return .malformed }
            return mismatch(scanner.bytes(from: start))
        }
        validity.append(true)
        return .value
    }

    /// Numbers and moments, given as JSON numbers or as JSON strings in PostgreSQL's input form.
    private mutating func appendScalar(_ scanner: inout JSONScanner) -> Outcome {
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
        return push(scalar: raw, isString: isString) ? .value : mismatch(raw)
    }

    private mutating func push(scalar raw: UnsafeRawBufferPointer, isString: Bool) -> Bool {
        switch type {
        case .int16, .int32:
            guard let value = parseInteger(raw) else { return false }
            let fits = type == .int16 ? Int16(exactly: value) != nil : Int32(exactly: value) != nil
            guard fits else { return false }
            narrow.append(Int32(truncatingIfNeeded: value))
        case .int64:
            guard let value = parseInteger(raw) else { return false }
            integers.append(value)
        case .float32, .float64:
            guard let value = parseDouble(raw) else { return false }
            doubles.append(type == .float32 ? Double(Float(value)) : value)
        case .decimal(let precision, let scale):
            guard let value = parseDecimal(raw, precision: precision, scale: scale) else {
                return false
            }
            wide.append(value)
        case .timestamp, .timestampTZ:
            guard isString, let value = parseTimestamp(raw, zoned: type == .timestampTZ) else {
                return false
            }
            integers.append(value)
        case .date:
            guard isString, let days = parseDate(raw) else { return false }
            narrow.append(days)
        case .uuid:
            guard isString, let id = UUID128(text: String(decoding: raw, as: UTF8.self)) else {
                return false
            }
            let bits = UInt128(id.high) << 64 | UInt128(id.low)
            wide.append(Int128(truncatingIfNeeded: bits))
        default: return false
        }
        validity.append(true)
        return true
    }

    private var label: String { String(decoding: name, as: UTF8.self) }

    private func mismatch(_ raw: UnsafeRawBufferPointer) -> Outcome {
        let shown = String(decoding: raw.prefix(40), as: UTF8.self)
        return .mismatch("\(label): invalid input for type \(type.sqlName): \(shown)")
    }

    private mutating func push(_ raw: UnsafeRawBufferPointer, buffer: Int, position: Int) {
        views.append(TextView(raw, buffer: buffer, position: position))
        validity.append(true)
    }

    private mutating func pushAside(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { raw in
            views.append(TextView(raw, buffer: 0, position: side.count))
        }
        if bytes.count > 12 {
            sideRows.append(views.count - 1)
            side += bytes
        }
        validity.append(true)
    }

    // MARK: The column

    /// The column of all rows so far; the sink starts again from none.
    mutating func finish(buffers: [Bytes]) -> Column {
        let data: ColumnData
        switch type {
        case .int16, .int32, .date: data = .int32(narrow)
        case .int64, .timestamp, .timestampTZ: data = .int64(integers)
        case .float32, .float64: data = .float64(doubles)
        case .decimal, .uuid: data = .int128(wide)
        case .boolean: data = .boolean(flags)
        default: data = .text(finishText(buffers))
        }
        let column = Column(type: type, data: data, validity: hasNulls ? validity : nil)
        integers.removeAll(keepingCapacity: true)
        narrow.removeAll(keepingCapacity: true)
        doubles.removeAll(keepingCapacity: true)
        wide.removeAll(keepingCapacity: true)
        flags.removeAll(keepingCapacity: true)
        views.removeAll(keepingCapacity: true)
        side.removeAll(keepingCapacity: true)
        sideRows.removeAll(keepingCapacity: true)
        validity = Validity(repeating: true, count: 0)
        hasNulls = false
        return column
    }

    private mutating func finishText(_ buffers: [Bytes]) -> TextColumn {
        guard !sideRows.isEmpty else { return TextColumn(views: views, buffers: buffers) }
        for row in sideRows { views[row] = views[row].rebased(by: buffers.count) }
        return TextColumn(views: views, buffers: buffers + [Bytes(side)])
    }
}
