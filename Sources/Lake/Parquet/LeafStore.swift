import Base
import Columns

/// The entries of one leaf that wait for their row group to be written.
struct LeafStore {
    let leaf: WriteLeaf
    private(set) var entryCount = 0
    /// Empty when the leaf has no such levels.
    private(set) var definitions: [UInt8] = []
    private(set) var repetitions: [UInt8] = []
    // The values that are not NULL; one of these is used, by the physical type.
    private(set) var flags: [UInt8] = []
    private(set) var words32: [Int32] = []
    private(set) var words64: [Int64] = []
    private(set) var doubles: [Double] = []
    private(set) var words128: [Int128] = []
    private(set) var texts = TextColumn()
    private(set) var denseCount = 0
    /// About what the values take in PLAIN.
    private(set) var byteCount = 0

    init(_ leaf: WriteLeaf) { self.leaf = leaf }

    mutating func removeAll() { self = LeafStore(leaf) }

    /// Appends a column without nesting: levels are its NULLs.
    mutating func append(_ column: Column) throws(ParquetFailure) {
        entryCount += column.count
        let nullCount = column.nullCount
        if nullCount == column.count {
            if leaf.definitionMax > 0 { appendDefinitions(0, column.count) }
            return
        }
        guard nullCount > 0, let validity = column.validity else {
            if leaf.definitionMax > 0 { appendDefinitions(1, column.count) }
            return try appendValues(column, rows: nil)
        }
        var rows: [Int32] = []
        rows.reserveCapacity(column.count - nullCount)
        definitions.reserveCapacity(definitions.count + column.count)
        for (index, word) in validity.words.enumerated() {
            let start = index * 64
            for bit in 0..<min(64, column.count - start) {
                let isValid = word >> UInt64(bit) & 1 == 1
                definitions.append(isValid ? 1 : 0)
                if isValid { rows.append(Int32(start + bit)) }
            }
        }
        try appendValues(column, rows: rows)
    }

    private mutating func appendDefinitions(_ level: UInt8, _ count: Int) {
        definitions.append(contentsOf: repeatElement(level, count: count))
    }

    /// Appends entries with their levels; a negative row has no value.
    mutating func append(
        _ column: Column, rows: [Int32], definitions: [UInt8], repetitions: [UInt8]
    ) throws(ParquetFailure) {
        entryCount += rows.count
        if leaf.definitionMax > 0 { self.definitions += definitions }
        if leaf.repetitionMax > 0 { self.repetitions += repetitions }
        try appendValues(column, rows: rows.filter { $0 >= 0 })
    }

    private mutating func appendValues(
        _ column: Column, rows: [Int32]?
    ) throws(ParquetFailure) {
        let count = rows?.count ?? column.count
        if count == 0 { return }
        denseCount += count
        func picked<T>(_ values: [T]) -> [T] {
            guard let rows else { return values }
            return rows.map { values[Int($0)] }
        }
        switch (column.data, leaf.physical) {
        case (.boolean(let values), .boolean): flags += picked(values)
        case (.int32(let values), .int32): words32 += picked(values)
        case (.int64(let values), .int64): words64 += picked(values)
        case (.float64(let values), .float), (.float64(let values), .double):
            doubles += picked(values)
        case (.int128(let values), .fixed):
            try checkDigits(values, rows)
            words128 += picked(values)
        case (.int128(let values), .int32):
            try checkDigits(values, rows)
            for value in picked(values) { words32.append(Int32(truncatingIfNeeded: value)) }
        case (.int128(let values), .int64):
            try checkDigits(values, rows)
            for value in picked(values) { words64.append(Int64(truncatingIfNeeded: value)) }
        case (.text(let values), .byteArray): try append(values, rows)
        case (.dictionary(let codes, let values), .byteArray):
            try append(
                TextColumn(
                    views: picked(codes).map { values.views[Int($0)] }, buffers: values.buffers),
                nil)
        default:
            throw .invalidInput(
                "values of column \"\(leaf.path.joined(separator: "."))\" do not have its type "
                    + leaf.type.sqlName)
        }
        byteCount += count * plainWidth
    }

    private mutating func append(_ values: TextColumn, _ rows: [Int32]?) throws(ParquetFailure) {
        let chosen = rows.map { values.gather($0) } ?? values
        var total = 0
        var longest = 0
        for view in chosen.views {
            total &+= view.count
            longest = max(longest, view.count)
        }
        // A page is the smallest unit of the format, and a reader refuses larger ones.
        guard longest <= Limits.parquetPageBytes / 2 else {
            throw .tooLarge(
                what: "size of a value", value: Int64(longest),
                limit: Int64(Limits.parquetPageBytes / 2))
        }
        byteCount += total
        texts.append(chosen.detachedIfSparse)
    }

    /// A decimal of more digits than its column would be cut silently.
    private func checkDigits(_ values: [Int128], _ rows: [Int32]?) throws(ParquetFailure) {
        guard case .decimal(let precision, _) = leaf.type else { return }
        let limit = (0..<precision).reduce(Int128(1)) { value, _ in value * 10 }
        func isWide(_ value: Int128) -> Bool { value >= limit || value <= -limit }
        let isTooWide =
            rows?.contains { isWide(values[Int($0)]) } ?? values.contains(where: isWide)
        if isTooWide {
            throw .invalidInput(
                "a value of column \"\(leaf.path.joined(separator: "."))\" has more digits than "
                    + leaf.type.sqlName)
        }
    }

    /// Bytes of a value in PLAIN; of a text those of its length.
    var plainWidth: Int {
        switch leaf.physical {
        case .boolean: 1
        case .int32, .float, .byteArray: 4
        case .int64, .double: 8
        case .int96: 12
        case .fixed: leaf.width
        }
    }
}

// MARK: PLAIN

extension LeafStore {
    /// Writes the values `range` in PLAIN.
    func writePlain(_ range: Range<Int>, to output: inout ByteWriter) {
        output.reserve(range.count * plainWidth)
        switch leaf.physical {
        case .boolean:
            var byte: UInt8 = 0
            for (bit, value) in flags[range].enumerated() {
                byte |= (value & 1) << UInt8(bit % 8)
                if bit % 8 == 7 {
                    output.uint8(byte)
                    byte = 0
                }
            }
            if range.count % 8 != 0 { output.uint8(byte) }
        // All platforms that we build for are little-endian, as the format is.
        case .int32: words32[range].withUnsafeBytes { output.bytes($0) }
        case .int64: words64[range].withUnsafeBytes { output.bytes($0) }
        case .float:
            for value in doubles[range] { output.uint32LE(Float(value).bitPattern) }
        case .double: doubles[range].withUnsafeBytes { output.bytes($0) }
        case .fixed:
            for value in words128[range] { writeFixed(value, to: &output) }
        case .byteArray: writeTexts(range, to: &output)
        case .int96: preconditionFailure("INT96 is never written")
        }
    }

    /// A short view is just what PLAIN wants, length and content, in its sixteen bytes: all of them
    /// are stored, and the next value covers what is too much.
    ///
    /// Unsafe: writes up to 16 bytes behind a value, for which there is room.
    private func writeTexts(_ range: Range<Int>, to output: inout ByteWriter) {
        let views = texts.views
        var total = 0
        for index in range { total &+= 4 &+ views[index].count }
        let bases = bufferBases
        output.append(most: total + 16) { target in
            views.withUnsafeBufferPointer { views in
                var position = 0
                for index in range {
                    let view = views[index]
                    let to = target + position
                    let count = view.count
                    if count <= 12 {
                        to.storeBytes(of: view.low.littleEndian, as: UInt64.self)
                        (to + 8).storeBytes(of: view.high.littleEndian, as: UInt64.self)
                    } else {
                        to.storeBytes(of: UInt32(count).littleEndian, as: UInt32.self)
                        (to + 4).copyMemory(
                            from: bases[view.buffer] + view.position, byteCount: count)
                    }
                    position += 4 + count
                }
                return position
            }
        }
    }

    /// The lowest bytes of `value`, highest first.
    private func writeFixed(_ value: Int128, to output: inout ByteWriter) {
        for index in (0..<leaf.width).reversed() {
            output.uint8(UInt8(truncatingIfNeeded: value >> Int128(8 * index)))
        }
    }

    /// One value as statistics have it: PLAIN, a text without its length.
    func statisticsBytes(_ index: Int) -> Bytes {
        if leaf.physical == .byteArray {
            return texts.withBytes(index) { Bytes($0) }
        }
        var output = ByteWriter(capacity: 16)
        writePlain(index..<(index + 1), to: &output)
        return output.finish()
    }

    func value(_ index: Int) -> Value {
        let data: ColumnData
        switch leaf.type {
        case .boolean: data = .boolean([flags[index]])
        case .int16, .int32, .date: data = .int32([words32[index]])
        case .int64, .timestamp, .timestampTZ: data = .int64([words64[index]])
        case .float32, .float64: data = .float64([doubles[index]])
        case .decimal:
            switch leaf.physical {
            case .int32: data = .int128([Int128(words32[index])])
            case .int64: data = .int128([Int128(words64[index])])
            default: data = .int128([words128[index]])
            }
        case .uuid: data = .int128([words128[index]])
        default: data = .text(texts.slice(index..<(index + 1)))
        }
        return Column(type: leaf.type, data: data).value(0)
    }
}

// MARK: Bounds

/// Where among the values of a range the smallest and the largest are.
struct Extremes {
    var minimum: Int
    var maximum: Int
}

extension LeafStore {
    /// nil when there is no value, or none but NaN.
    func extremes(_ range: Range<Int>) -> Extremes? {
        if range.isEmpty { return nil }
        switch leaf.physical {
        case .boolean: return Self.extremes(flags, range)
        case .int32: return Self.extremes(words32, range)
        case .int64: return Self.extremes(words64, range)
        case .float, .double: return Self.extremes(doubles, range)
        case .fixed:
            // A UUID compares as unsigned bytes, a decimal by its value.
            if leaf.type == .uuid {
                return scan(range) {
                    UInt128(truncatingIfNeeded: words128[$0])
                        < UInt128(truncatingIfNeeded: words128[$1])
                }
            }
            return Self.extremes(words128, range)
        case .byteArray: return textExtremes(range)
        case .int96: return nil
        }
    }

    /// The extremes of two ranges together.
    func extremes(_ left: Extremes?, _ right: Extremes?) -> Extremes? {
        guard let left else { return right }
        guard let right else { return left }
        return Extremes(
            minimum: isBelow(right.minimum, left.minimum) ? right.minimum : left.minimum,
            maximum: isBelow(left.maximum, right.maximum) ? right.maximum : left.maximum)
    }

    /// Whether value `left` is below value `right`. Neither is NaN.
    func isBelow(_ left: Int, _ right: Int) -> Bool {
        switch leaf.physical {
        case .boolean: flags[left] < flags[right]
        case .int32: words32[left] < words32[right]
        case .int64: words64[left] < words64[right]
        case .float, .double: doubles[left] < doubles[right]
        case .fixed:
            leaf.type == .uuid
                ? UInt128(truncatingIfNeeded: words128[left])
                    < UInt128(truncatingIfNeeded: words128[right])
                : words128[left] < words128[right]
        case .byteArray: isTextBelow(left, right)
        case .int96: false
        }
    }

    var nanCount: Int {
        guard leaf.physical == .float || leaf.physical == .double else { return 0 }
        return doubles.reduce(0) { $0 + ($1.isNaN ? 1 : 0) }
    }

    private static func extremes<T: Comparable>(_ values: [T], _ range: Range<Int>) -> Extremes? {
        var result: Extremes?
        values.withUnsafeBufferPointer { values in
            var index = range.lowerBound
            // Only NaN is not equal to itself.
            while index < range.upperBound, values[index] != values[index] { index += 1 }
            guard index < range.upperBound else { return }
            var (low, high) = (index, index)
            var (lowest, highest) = (values[index], values[index])
            while index < range.upperBound {
                let value = values[index]
                if value < lowest {
                    lowest = value
                    low = index
                }
                if value > highest {
                    highest = value
                    high = index
                }
                index += 1
            }
            result = Extremes(minimum: low, maximum: high)
        }
        return result
    }

    private func scan(_ range: Range<Int>, _ isBelow: (Int, Int) -> Bool) -> Extremes {
        var result = Extremes(minimum: range.lowerBound, maximum: range.lowerBound)
        for index in range.dropFirst() {
            if isBelow(index, result.minimum) { result.minimum = index }
            if isBelow(result.maximum, index) { result.maximum = index }
        }
        return result
    }

    /// Where the texts' buffers begin. They live as long as `texts`.
    var bufferBases: [UnsafeRawPointer] {
        texts.buffers.map { UnsafeRawPointer($0.storage.base + $0.start) }
    }

    /// Nearly all values are told from the bounds by their first twelve bytes.
    private func textExtremes(_ range: Range<Int>) -> Extremes {
        var result = Extremes(minimum: range.lowerBound, maximum: range.lowerBound)
        let bases = bufferBases
        withExtendedLifetime(texts) {
            texts.views.withUnsafeBufferPointer { views in
                bases.withUnsafeBufferPointer { bases in
                    var (low, high) = (views[range.lowerBound], views[range.lowerBound])
                    var lowest = Self.head(low, bases)
                    var highest = lowest
                    var index = range.lowerBound
                    while index < range.upperBound {
                        let view = views[index]
                        let head = Self.head(view, bases)
                        if head <= lowest, head < lowest || isTextBelow(view, low) {
                            result.minimum = index
                            lowest = head
                            low = view
                        }
                        if head >= highest, head > highest || isTextBelow(high, view) {
                            result.maximum = index
                            highest = head
                            high = view
                        }
                        index &+= 1
                    }
                }
            }
        }
        return result
    }

    /// The extremes of the values `range` of a leaf whose distinct values are known: each of those
    /// is looked at once. nil as for all values.
    func extremes(_ range: Range<Int>, _ dictionary: DictionaryCodes) -> Extremes? {
        guard leaf.physical == .byteArray, dictionary.firsts.count < range.count else {
            return extremes(range)
        }
        var isSeen = [Bool](repeating: false, count: dictionary.firsts.count)
        for index in range { isSeen[Int(dictionary.codes[index])] = true }
        var result: Extremes?
        for (code, first) in dictionary.firsts.enumerated() where isSeen[code] {
            guard let known = result else {
                result = Extremes(minimum: first, maximum: first)
                continue
            }
            if isTextBelow(first, known.minimum) { result?.minimum = first }
            if isTextBelow(known.maximum, first) { result?.maximum = first }
        }
        return result
    }

    /// The first twelve bytes as a number, in which missing ones are zero: two that differ are in the
    /// order of their texts.
    ///
    /// Unsafe: a text of more than twelve bytes has as many in its buffer.
    @inline(__always)
    private static func head(
        _ view: TextView, _ bases: UnsafeBufferPointer<UnsafeRawPointer>
    ) -> UInt128 {
        let first = UInt128(prefix(view)) << 64
        if view.isInline { return first | UInt128(view.high.byteSwapped) }
        let rest = bases[view.buffer].loadUnaligned(
            fromByteOffset: view.position &+ 4, as: UInt64.self)
        return first | UInt128(rest.byteSwapped)
    }

    /// The first four bytes as a number. Missing bytes are zero, so that a shorter text is never
    /// above its continuation here.
    @inline(__always)
    private static func prefix(_ view: TextView) -> UInt32 {
        UInt32(truncatingIfNeeded: view.low >> 32).byteSwapped
    }

    private func isTextBelow(_ left: Int, _ right: Int) -> Bool {
        isTextBelow(texts.views[left], texts.views[right])
    }

    private func isTextBelow(_ a: TextView, _ b: TextView) -> Bool {
        if a == b { return false }
        let prefixA = Self.prefix(a)
        let prefixB = Self.prefix(b)
        if prefixA != prefixB { return prefixA < prefixB }
        if a.isInline, b.isInline {
            let (restA, restB) = (a.high.byteSwapped, b.high.byteSwapped)
            // Missing bytes are zero, as some that are there may be: then the shorter comes first.
            return restA != restB ? restA < restB : a.count < b.count
        }
        return texts.withBytes(of: a) { first in
            texts.withBytes(of: b) { second in first.lexicographicallyPrecedes(second) }
        }
    }
}
