import Base
import Columns

/// Reads everything in `bytes` as a Parquet file with small limits, as the fuzzer and the tests of
/// damaged files do. Whatever the bytes are, this returns.
/// A thorough exercise also reads through page indexes, bloom filters and scans.
package func exerciseParquet(_ bytes: Bytes, isThorough: Bool = true) {
    var options = ParquetReadOptions()
    options.pageBytesMax = 1 << 20
    options.chunkValuesMax = 1 << 14
    options.resultBytesMax = 16 << 20
    let file: ParquetFile
    do {
        file = try ParquetFile(bytes, options: options)
    } catch {
        return
    }
    for group in file.rowGroups.indices.prefix(4) {
        for field in file.schema.fields.prefix(64) {
            let bounds = file.bounds(rowGroup: group, column: field.name)
            let range = ValueRange(lower: bounds.maximum, upper: bounds.minimum)
            _ = file.mightMatch(rowGroup: group, column: field.name, range: range)
            // A column that is damaged must not keep the others from being read.
            do {
                touch(try file.read(rowGroup: group, columns: [field.name]))
            } catch {
                continue
            }
            if isThorough { exercise(file, group, field.name, range) }
        }
    }
}

/// Reads some rows of a column through the page index, and those that match through a scan.
private func exercise(_ file: ParquetFile, _ group: Int, _ name: String, _ range: ValueRange) {
    let count = file.rowGroups[group].rowCount
    do {
        let some = stride(from: Int32(0), to: Int32(count), by: 1 + count / 7)
        touch(try file.read(rowGroup: group, columns: [name], rows: RowRanges(rows: Array(some))))
        _ = try file.contradictions(rowGroup: group, columns: [name])
        let conditions = [
            ColumnCondition(name, range),
            ColumnCondition(name, ValueRange(lower: range.upper, upper: range.upper)),
        ]
        for condition in conditions {
            touch(try file.read(rowGroup: group, columns: [name], where: [condition]).batch)
            var batches = try file.batches(
                rowGroup: group, columns: [name], where: [condition], batchRowsMax: 100)
            while let rows = try batches.next() { touch(rows.batch) }
        }
    } catch {
        return
    }
}

/// Looks at every row, so that a view or offset outside of its column is noticed here.
private func touch(_ batch: ColumnBatch) {
    for column in batch.columns {
        for row in 0..<column.count { _ = column.value(row) }
        guard column.count > 0 else { continue }
        let rows: [Int32] = [Int32(column.count - 1), 0]
        _ = column.gather(rows).value(1)
        _ = column.slice(0..<(column.count / 2)).nullCount
    }
}
