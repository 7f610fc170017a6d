import Base
import Columns

/// Reads everything in `bytes` as a Parquet file with small limits, as the fuzzer and the tests of
/// damaged files do. Whatever the bytes are, this returns.
package func exerciseParquet(_ bytes: Bytes) {
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
        }
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
