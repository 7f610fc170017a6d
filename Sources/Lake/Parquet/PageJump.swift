// Going straight to a page that the offset index names: what the cursors of flat and of nested columns
// share. An index is a hint; other writers have got it wrong.

import Base

extension LazyOffsetIndex {
    /// Goes to the page that has row `wanted` of the row group: then `position` is its header's, and
    /// its place is returned. Returns nil, and the caller reads on from `position`, when the index
    /// does not know the page, when it is the next one anyway, or when something else stands there;
    /// then the index is forgotten.
    ///
    /// - Parameters:
    ///   - row: the first row that was not begun yet.
    ///   - position: of the next page's header.
    ///   - isAtStart: nothing was read yet. Then the dictionary page, which is never passed over, is
    ///     given to `reader`, and `position` moves behind it.
    ///   - hasRowPerEntry: a page of the column has as many rows as entries.
    mutating func jump(
        toRow wanted: Int, from row: Int, at position: inout Int64, isAtStart: Bool,
        hasRowPerEntry: Bool, _ source: inout ChunkSource, _ reader: inout ColumnChunkReader
    ) throws(ParquetFailure) -> PageLocation? {
        guard let pages = try pages(), let target = Self.page(of: wanted, in: pages),
            target.rows.lowerBound >= row, target.position > position
        else { return nil }
        if isAtStart, position < pages[0].position {
            let first = try source.page(at: position)
            guard case .dictionary = first.header.kind else {
                forget()
                return nil
            }
            try reader.use(first)
            position += Int64(first.byteCount)
        }
        guard target.position > position else { return nil }
        do throws(ParquetFailure) {
            let found = try source.page(at: target.position)
            guard found.byteCount == target.byteCount,
                let entries = found.header.kind.entryCount,
                !hasRowPerEntry || Int(entries) == target.rows.count
            else {
                forget()
                return nil
            }
        } catch {
            if case .storage = error { throw error }
            forget()
            return nil
        }
        position = target.position
        return target
    }

    /// The first page that ends behind the row.
    private static func page(of row: Int, in pages: [PageLocation]) -> PageLocation? {
        var (low, high) = (0, pages.count)
        while low < high {
            let middle = (low + high) / 2
            if pages[middle].rows.upperBound <= row { low = middle + 1 } else { high = middle }
        }
        return low < pages.count && pages[low].rows.contains(row) ? pages[low] : nil
    }
}
