// Reading only rows that match: statistics and bloom filters leave out row groups, the page index
// leaves out pages, and the columns of the conditions are read first, so that of all other columns
// only pages with matching rows are touched.

import Base
import Columns

/// A condition on one column, or on a member of a structure ("a.b").
package struct ColumnCondition: Hashable, Sendable {
    package var column: String
    package var range: ValueRange

    package init(_ column: String, _ range: ValueRange) {
        self.column = column
        self.range = range
    }
}

/// A test and the column that it is for.
package struct NamedTest: Sendable {
    package var column: String
    package var test: any ColumnTest

    package init(_ column: String, _ test: any ColumnTest) {
        self.column = column
        self.test = test
    }
}

/// Some rows of a row group and where they are in it.
package struct ParquetRows: Sendable {
    package var batch: ColumnBatch
    /// As many as the batch has rows.
    package var places: RowPlaces

    /// Counted from the first row of the row group.
    package var rows: RowRanges { places.ranges }
}

extension ParquetFile {
    /// The rows of a row group that may fulfil all `conditions`, going by statistics, bloom filters
    /// and page indexes; no page is read.
    package func candidates(
        rowGroup index: Int, where conditions: [ColumnCondition]
    ) throws(ParquetFailure) -> RowRanges {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        var rows = RowRanges(0..<rowGroups[index].rowCount)
        for condition in conditions {
            guard mightMatch(rowGroup: index, column: condition.column, range: condition.range)
            else { return RowRanges() }
        }
        for condition in conditions {
            guard let number = leafNumber(condition.column) else { continue }
            if let value = condition.range.single,
                let bytes = fileSchema.leaves[number].plainBytes(value),
                !(try mightContain(bytes, rowGroup: index, leaf: number))
            {
                return RowRanges()
            }
            rows = rows.intersection(
                try candidatePages(condition.range, rowGroup: index, leaf: number))
            if rows.isEmpty { break }
        }
        return rows
    }

    private func candidatePages(
        _ range: ValueRange, rowGroup: Int, leaf number: Int
    ) throws(ParquetFailure) -> RowRanges {
        guard let pages = try offsetIndex(rowGroup: rowGroup, leaf: number)?.pages,
            let index = try columnIndex(rowGroup: rowGroup, leaf: number, pageCount: pages.count)
        else { return RowRanges(0..<rowGroups[rowGroup].rowCount) }
        var rows = RowRanges()
        for (place, page) in pages.enumerated() {
            let count = Int64(page.rows.count)
            var known = bounds(index.statistics(place), leaf: number)
            if index.isNullPage[place] { known.nullCount = count }
            if known.mightMatch(range, rowCount: count) { rows.append(page.rows) }
        }
        return rows
    }

    /// The rows of a row group that fulfil all `conditions`, with the columns `names` (nil = all).
    /// A condition on a column that is not there, or whose values cannot be compared with it, keeps
    /// all rows: who asks has to look at single rows still.
    package func read(
        rowGroup index: Int, columns names: [String]? = nil, where conditions: [ColumnCondition]
    ) throws(ParquetFailure) -> ParquetRows {
        let wanted = names ?? schema.fields.map(\.name)
        for name in wanted where schema.index(of: name) == nil { throw .noSuchColumn(name) }
        var rows = try candidates(rowGroup: index, where: conditions)
        var ready: [String: Column] = [:]
        for condition in conditions where !rows.isEmpty {
            guard schema.index(of: condition.column) != nil else { continue }
            var column: Column
            if let known = ready[condition.column] {
                column = known
            } else {
                column = try one(condition.column, rowGroup: index, rows)
            }
            ready[condition.column] = column
            guard let places = column.rows(in: condition.range) else { continue }
            if places.count == column.count { continue }
            rows = rows.rows(at: places)
            for (name, known) in ready { ready[name] = known.gather(places) }
        }
        let missing = wanted.filter { ready[$0] == nil }
        let rest =
            missing.isEmpty
            ? nil
            : try read(rowGroup: index, columns: missing, rows: isAll(rows, index) ? nil : rows)
        var columns: [Column] = []
        for name in wanted {
            if let column = ready[name] {
                columns.append(rows.isEmpty ? column.slice(0..<0) : column)
            } else if let place = missing.firstIndex(of: name), let rest {
                columns.append(rest.columns[place])
            }
        }
        return ParquetRows(
            batch: ColumnBatch(columns: columns, rowCount: rows.count), places: .ranges(rows))
    }

    private func one(
        _ name: String, rowGroup index: Int, _ rows: RowRanges
    ) throws(ParquetFailure) -> Column {
        try read(rowGroup: index, columns: [name], rows: isAll(rows, index) ? nil : rows).columns[0]
    }

    private func isAll(_ rows: RowRanges, _ index: Int) -> Bool {
        rows.count == rowGroups[index].rowCount
    }
}

extension ValueRange {
    /// The only value that is accepted, if it is one.
    var single: Value? {
        guard let lower, let upper, !lower.isNull, !acceptsNull, order(of: lower, upper) == 0 else {
            return nil
        }
        return lower
    }
}

extension Leaf {
    /// `value` as the pages and bloom filters of this leaf have it, without a length; nil when it is
    /// not a value of this leaf, or not in one form only.
    func plainBytes(_ value: Value) -> Bytes? {
        func bytes<T: FixedWidthInteger>(_ number: T) -> Bytes {
            withUnsafeBytes(of: number.littleEndian) { Bytes($0) }
        }
        switch (conversion, value) {
        case (.int32, .int(let number)), (.narrow(_, true), .int(let number)):
            return Int32(exactly: number).map(bytes)
        case (.int32, .date(let days)): return bytes(days)
        case (.int64, .int(let number)): return bytes(number)
        case (.timestamp(.microseconds), .timestamp(let moment)),
            (.timestamp(.microseconds), .timestampTZ(let moment)):
            return bytes(moment)
        case (.timestamp(.milliseconds), .timestamp(let moment)),
            (.timestamp(.milliseconds), .timestampTZ(let moment)):
            return moment % 1000 == 0 ? bytes(moment / 1000) : nil
        case (.text, .text(let text)): return Bytes(utf8: text)
        case (.bytes, .binary(let content)): return Bytes(content)
        case (.uuid, .uuid(let number)): return bytes(number.byteSwapped)
        default: return nil
        }
    }
}
