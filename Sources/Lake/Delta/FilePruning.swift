import Base
import Columns

/// A condition that every wanted row fulfils: `lower ≤ column ≤ upper`, an open end being nil, and
/// the column not NULL.
package struct ColumnRange: Hashable, Sendable {
    package var column: String
    package var lower: Value?
    package var upper: Value?

    package init(column: String, lower: Value? = nil, upper: Value? = nil) {
        self.column = column
        self.lower = lower
        self.upper = upper
    }
}

extension TableSnapshot {
    /// False when no row of `file` can fulfil all of `ranges`. In doubt true.
    package func mightMatch(_ file: AddFile, _ ranges: [ColumnRange]) -> Bool {
        guard !ranges.isEmpty else { return true }
        var statistics: FileStatistics??
        for range in ranges {
            guard let index = schema.index(of: range.column) else { continue }
            let type = schema.fields[index].type
            if metadata.partitionColumns.contains(range.column) {
                guard let value = try? file.partitionValues.value(range.column, type) else {
                    continue
                }
                if value.isNull || !Self.overlaps(value, value, range) { return false }
                continue
            }
            let known: FileStatistics?
            if let parsed = statistics {
                known = parsed
            } else {
                known = FileStatistics(file)
                statistics = .some(known)
            }
            guard let known else { continue }
            let path = [range.column]
            if let rows = known.rowCount, let nulls = known.nullCount(path), nulls == rows {
                return false
            }
            let minimum = known.minimum(path, type)
            var maximum = known.maximum(path, type)
            // NaN is above every number and in no statistics: an open upper end may always match.
            if range.upper == nil, type == .float32 || type == .float64 { maximum = nil }
            if !Self.overlaps(minimum, maximum, range) { return false }
        }
        return true
    }

    /// `mightMatch` of one column.
    package func mightMatch(
        _ file: AddFile, column: String, lower: Value?, upper: Value?
    ) -> Bool {
        mightMatch(file, [ColumnRange(column: column, lower: lower, upper: upper)])
    }

    private static func overlaps(
        _ minimum: Value?, _ maximum: Value?, _ range: ColumnRange
    ) -> Bool {
        if let minimum, let upper = range.upper, let order = compare(minimum, upper), order > 0 {
            return false
        }
        if let maximum, let lower = range.lower, let order = compare(maximum, lower), order < 0 {
            return false
        }
        return true
    }

    /// Negative, zero or positive; nil when the two cannot be compared exactly.
    static func compare(_ left: Value, _ right: Value) -> Int? {
        switch (left, right) {
        case (.int(let a), .int(let b)): return order(a, b)
        case (.float(let a), .float(let b)): return a.isNaN || b.isNaN ? nil : order(a, b)
        case (.int(let a), .float(let b)):
            return abs(b) < 9e15 && a.magnitude < 1 << 53 ? order(Double(a), b) : nil
        case (.float, .int): return compare(right, left).map { -$0 }
        case (.decimal(let a, let scaleA), .decimal(let b, let scaleB)):
            let scale = max(scaleA, scaleB)
            guard let a = scaled(a, by: scale - scaleA), let b = scaled(b, by: scale - scaleB) else {
                return nil
            }
            return order(a, b)
        case (.int(let a), .decimal):
            return compare(.decimal(unscaled: Int128(a), scale: 0), right)
        case (.decimal, .int(let b)):
            return compare(left, .decimal(unscaled: Int128(b), scale: 0))
        case (.text(let a), .text(let b)):
            if a.utf8.elementsEqual(b.utf8) { return 0 }
            return a.utf8.lexicographicallyPrecedes(b.utf8) ? -1 : 1
        case (.date(let a), .date(let b)): return order(a, b)
        case (.timestamp(let a), .timestamp(let b)): return order(a, b)
        case (.timestampTZ(let a), .timestampTZ(let b)): return order(a, b)
        case (.boolean(let a), .boolean(let b)): return order(a ? 1 : 0, b ? 1 : 0)
        case (.uuid(let a), .uuid(let b)): return order(a, b)
        default: return nil
        }
    }

    private static func order<T: Comparable>(_ a: T, _ b: T) -> Int { a < b ? -1 : a > b ? 1 : 0 }

    private static func scaled(_ value: Int128, by places: Int) -> Int128? {
        guard places <= 38 else { return nil }
        var value = value
        for _ in 0..<places {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = product
        }
        return value
    }
}
