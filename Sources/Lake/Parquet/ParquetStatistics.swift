import Base
import Columns

/// What is known of a column's values without reading them.
package struct ColumnBounds: Hashable, Sendable {
    /// No value is below; nil when not known.
    package var minimum: Value?
    /// No value is above; nil when not known. NaN is not counted.
    package var maximum: Value?
    package var nullCount: Int64?
    /// nil when not known, which means that there may be some.
    package var nanCount: Int64?

    package init(
        minimum: Value? = nil, maximum: Value? = nil, nullCount: Int64? = nil,
        nanCount: Int64? = nil
    ) {
        self.minimum = minimum
        self.maximum = maximum
        self.nullCount = nullCount
        self.nanCount = nanCount
    }
}

/// The values that a condition accepts: an interval with its ends, and perhaps NULL.
package struct ValueRange: Hashable, Sendable {
    /// nil = no lower end
    package var lower: Value?
    package var upper: Value?
    package var acceptsNull: Bool

    package init(lower: Value? = nil, upper: Value? = nil, acceptsNull: Bool = false) {
        self.lower = lower
        self.upper = upper
        self.acceptsNull = acceptsNull
    }

    package static func equal(_ value: Value) -> ValueRange {
        ValueRange(lower: value, upper: value)
    }
    package static var null: ValueRange {
        ValueRange(lower: .null, upper: .null, acceptsNull: true)
    }
}

extension ParquetFile {
    /// The bounds of a column, or of a member of a structure ("a.b"), in one row group. Everything
    /// is nil that the file does not say, or that cannot be trusted.
    package func bounds(rowGroup index: Int, column name: String) -> ColumnBounds {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        guard let number = leafNumber(name) else { return ColumnBounds() }
        guard let statistics = metadata.rowGroups[index].columns[number].statistics else {
            return ColumnBounds()
        }
        return bounds(statistics, leaf: number)
    }

    /// `statistics` of a chunk or page, as far as they can be trusted.
    func bounds(_ statistics: ChunkStatistics, leaf number: Int) -> ColumnBounds {
        let leaf = fileSchema.leaves[number]
        var bounds = ColumnBounds()
        if let count = statistics.nullCount, count >= 0 { bounds.nullCount = count }
        if let count = statistics.nanCount, count >= 0 { bounds.nanCount = count }
        let hasOrder =
            metadata.hasTypeOrder.indices.contains(number) && metadata.hasTypeOrder[number]
        var lowest = hasOrder ? statistics.minimum : nil
        var highest = hasOrder ? statistics.maximum : nil
        if lowest == nil, highest == nil, leaf.hasSignedOrder {
            // The old fields compared everything as signed numbers.
            lowest = statistics.oldMinimum
            highest = statistics.oldMaximum
        }
        bounds.minimum = lowest.flatMap { leaf.bound($0, isLower: true) }
        bounds.maximum = highest.flatMap { leaf.bound($0, isLower: false) }
        return bounds
    }

    /// False when no row of the row group can have a value in `range` for `column`, going by the
    /// statistics; true whenever in doubt.
    package func mightMatch(rowGroup index: Int, column name: String, range: ValueRange) -> Bool {
        bounds(rowGroup: index, column: name).mightMatch(
            range, rowCount: Int64(rowGroups[index].rowCount))
    }

    /// The leaf of a column, or of a path of members, outside of lists and maps.
    func leafNumber(_ name: String) -> Int? {
        func find(_ shapes: [Shape], _ wanted: Substring) -> Int? {
            for shape in shapes {
                switch shape.kind {
                case .leaf where wanted == shape.name: return shape.leaves.lowerBound
                case .structure(let members) where wanted.hasPrefix(shape.name + "."):
                    if let found = find(members, wanted.dropFirst(shape.name.count + 1)) {
                        return found
                    }
                default: break
                }
            }
            return nil
        }
        return find(fileSchema.columns, name[...])
    }
}

extension ColumnBounds {
    /// False when none of `rowCount` rows with these bounds can have a value in `range`.
    func mightMatch(_ range: ValueRange, rowCount rows: Int64) -> Bool {
        let bounds = self
        if range.acceptsNull, bounds.nullCount != 0 { return true }
        if range.lower == .null || range.upper == .null { return false }
        if let nulls = bounds.nullCount, nulls == rows { return false }
        if let lower = range.lower, let maximum = bounds.maximum,
            let order = order(of: maximum, lower), order < 0
        {
            // NaN is above every number and not in the bounds, so without an upper end it matches.
            if case .float = maximum, range.upper == nil, bounds.nanCount != 0 { return true }
            return false
        }
        if let upper = range.upper, let minimum = bounds.minimum,
            let order = order(of: minimum, upper), order > 0
        {
            return false
        }
        return true
    }
}

extension Leaf {
    /// Types whose order the old `min` and `max` got right.
    fileprivate var hasSignedOrder: Bool {
        switch conversion {
        case .boolean, .int32, .int64, .narrow(_, true), .decimal32, .decimal64, .timestamp, .float,
            .double:
            true
        default: false
        }
    }

    /// A bound as it stands in statistics: PLAIN, byte arrays without their length. nil when it
    /// says nothing.
    fileprivate func bound(_ bytes: Bytes, isLower: Bool) -> Value? {
        switch conversion {
        // Their order is not defined, or not the one of their bytes.
        case .int96, .interval, .null, .float16: return nil
        case .text, .bytes, .decimalBytes:
            let texts = views(ByteArrays(bytes: bytes, lengths: [bytes.count]))
            if conversion == .text {
                // A truncated bound may end inside of a character.
                return type == .json ? .json(texts.string(0)) : bytes.validText.map { .text($0) }
            }
            guard let data = try? convert(texts) else { return nil }
            return Column(type: type, data: data).value(0)
        default:
            let exact = plainWidth.map { bytes.count == $0 } ?? (bytes.count == 1)
            guard exact, let data = try? decodePlain(bytes, count: 1) else { return nil }
            let value = Column(type: type, data: data).value(0)
            guard case .float(let number) = value else { return value }
            if number.isNaN { return nil }
            // Writers differ in how they order the two zeros.
            return .float(number == 0 ? (isLower ? -0.0 : 0.0) : number)
        }
    }
}

/// Negative when `left` is below `right`, 0 when they are equal, nil when they cannot be compared.
/// Texts and bytes compare as unsigned bytes, numbers by value whatever their types.
package func order(of left: Value, _ right: Value) -> Int? {
    func compare<T: Comparable>(_ left: T, _ right: T) -> Int {
        left < right ? -1 : (left == right ? 0 : 1)
    }
    switch (left, right) {
    case (.boolean(let a), .boolean(let b)): return compare(a ? 1 : 0, b ? 1 : 0)
    case (.int(let a), .int(let b)): return compare(a, b)
    case (.float(let a), .float(let b)): return a.isNaN || b.isNaN ? nil : compare(a, b)
    case (.int(let a), .float(let b)): return orderOfInteger(a, b)
    case (.float(let a), .int(let b)): return orderOfInteger(b, a).map { -$0 }
    case (.decimal(let a, let scaleA), .decimal(let b, let scaleB)):
        return orderOfDecimals(a, scaleA, b, scaleB)
    case (.decimal(let a, let scale), .int(let b)):
        return orderOfDecimals(a, scale, Int128(b), 0)
    case (.int(let a), .decimal(let b, let scale)):
        return orderOfDecimals(Int128(a), 0, b, scale)
    case (.text(let a), .text(let b)), (.json(let a), .json(let b)):
        return a.utf8.elementsEqual(b.utf8)
            ? 0 : (a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1)
    case (.binary(let a), .binary(let b)):
        return a == b ? 0 : (a.lexicographicallyPrecedes(b) ? -1 : 1)
    case (.date(let a), .date(let b)): return compare(a, b)
    case (.timestamp(let a), .timestamp(let b)), (.timestampTZ(let a), .timestampTZ(let b)):
        return compare(a, b)
    case (.uuid(let a), .uuid(let b)): return compare(a, b)
    default: return nil
    }
}

private func orderOfInteger(_ left: Int64, _ right: Double) -> Int? {
    if right.isNaN { return nil }
    if right >= 0x1p63 { return -1 }
    if right < -0x1p63 { return 1 }
    let whole = right.rounded(.down)
    let floor = Int64(whole)
    if left != floor { return left < floor ? -1 : 1 }
    return right > whole ? -1 : 0
}

private func orderOfDecimals(_ a: Int128, _ scaleA: Int, _ b: Int128, _ scaleB: Int) -> Int? {
    var (left, right) = (a, b)
    for _ in 0..<max(scaleB - scaleA, 0) {
        let (product, overflow) = left.multipliedReportingOverflow(by: 10)
        // Beyond any value of the other side's scale: the sign decides.
        if overflow { return left < 0 ? -1 : 1 }
        left = product
    }
    for _ in 0..<max(scaleA - scaleB, 0) {
        let (product, overflow) = right.multipliedReportingOverflow(by: 10)
        if overflow { return right < 0 ? 1 : -1 }
        right = product
    }
    return left < right ? -1 : (left == right ? 0 : 1)
}
