import Base
import Columns
import Parquet

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

    /// Whether a row with this value may be wanted. In doubt true.
    package func contains(_ value: Value) -> Bool {
        if value.isNull { return false }
        if let upper, let order = order(of: value, upper), order > 0 { return false }
        if let lower, let order = order(of: value, lower), order < 0 { return false }
        return true
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
                let name = metadata.physicalName(of: range.column)
                guard let value = try? file.partitionValues.value(name, type) else {
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
            let path = metadata.physicalPath(of: [range.column])
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
        if let minimum, let upper = range.upper, let order = order(of: minimum, upper), order > 0 {
            return false
        }
        if let maximum, let lower = range.lower, let order = order(of: maximum, lower), order < 0 {
            return false
        }
        return true
    }
}
