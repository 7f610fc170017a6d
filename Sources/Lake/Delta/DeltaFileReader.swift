import Base
import Columns
import Parquet

/// Rows of one row group, and where they are in their file.
package struct FileRows: Sendable {
    package var batch: ColumnBatch
    /// The number in the file of the row group's first row.
    package var firstRow: Int64
    /// For each row of the batch its number in the row group; nil = all of them, in order.
    package var rows: [Int32]?

    /// The number in the file of each row of the batch.
    package var positions: [Int64] {
        if let rows { return rows.map { firstRow + Int64($0) } }
        return (0..<batch.rowCount).map { firstRow + Int64($0) }
    }
}

/// Reads one data file as rows of its table, without those that its deletion vector lists.
package struct DeltaFileReader: Sendable {
    package let file: AddFile
    private let path: String
    private let parquet: ParquetFile
    private let columns: [BoundColumn]
    private let ranges: [ColumnRange]
    private let deleted: RowBitmap?
    /// The number of the first row of each row group, and behind them the number of rows.
    private let firstRows: [Int64]

    /// Where the values of one column come from.
    private struct BoundColumn {
        var field: Field
        /// The name in the file; nil when the value is the same for all rows.
        var fileName: String?
        var constant: Value = .null
        /// The type of the column with the names of the file.
        var fileType: ColumnType
    }

    /// Files up to this size are fetched with one request.
    private static let wholeFileBytes: Int64 = 1 << 20

    init(_ scan: DeltaScan, _ file: AddFile) throws(DeltaFailure) {
        self.file = file
        let path = scan.table.fullPath(file.path)
        self.path = path
        let parquet = try Self.open(scan.table.store, path, file.size)
        self.parquet = parquet
        var firstRows: [Int64] = [0]
        for group in parquet.rowGroups {
            firstRows.append((firstRows.last ?? 0) + Int64(group.rowCount))
        }
        self.firstRows = firstRows
        guard parquet.rowCount < 1 << RowAddress.rowBits else {
            throw .corrupt(path: path, detail: "it has \(parquet.rowCount) rows")
        }
        deleted = try Self.deletedRows(scan.table, file, rowCount: parquet.rowCount, path: path)
        let metadata = scan.snapshot.metadata
        var bound: [BoundColumn] = []
        for field in scan.schema.fields {
            bound.append(try Self.bind(field, metadata, parquet, file, path: path))
        }
        columns = bound
        ranges = Self.fileRanges(scan.ranges, metadata, parquet)
    }

    private static func open(
        _ store: any ObjectStore, _ path: String, _ size: Int64
    ) throws(DeltaFailure) -> ParquetFile {
        do throws(ParquetFailure) {
            guard size <= wholeFileBytes else {
                return try ParquetFile(size: size) { (position, count) throws(StorageFailure) in
                    try store.get(path, range: position..<(position &+ Int64(count)))
                }
            }
            let content: Bytes
            do throws(StorageFailure) {
                content = try store.get(path, range: nil)
            } catch {
                throw .storage(error)
            }
            return try ParquetFile(content)
        } catch {
            throw DeltaFailure(error, path: path)
        }
    }

    private static func deletedRows(
        _ table: DeltaTable, _ file: AddFile, rowCount: Int64, path: String
    ) throws(DeltaFailure) -> RowBitmap? {
        guard let vector = file.deletionVector, vector.cardinality != 0 else { return nil }
        let deleted = try vector.read(from: table)
        if let last = deleted.last, last >= rowCount {
            throw .corrupt(
                path: path,
                detail: "its deletion vector lists row \(last), but it has \(rowCount) rows")
        }
        return deleted
    }

    private static func bind(
        _ field: Field, _ metadata: TableMetadata, _ parquet: ParquetFile, _ file: AddFile,
        path: String
    ) throws(DeltaFailure) -> BoundColumn {
        guard let declared = metadata.schema.field(named: field.name) else {
            throw .invalid("the table has no column '\(field.name)'")
        }
        var inFile = declared
        inFile.type = metadata.fileType(of: declared.type)
        var column = BoundColumn(
            field: field, fileName: nil, fileType: try inFile.engineField().type)
        if metadata.partitionColumns.contains(field.name) {
            do throws(DecodeFailure) {
                column.constant = try file.partitionValues.value(
                    metadata.fileName(of: declared), field.type)
            } catch {
                throw .corrupt(path: path, detail: "\(error)")
            }
            return column
        }
        // Without a place in the file the column was added after the file was written: NULL.
        column.fileName = Self.fileName(of: declared, metadata, parquet)
        return column
    }

    /// The name that a column has in the file, or nil when it is not there.
    private static func fileName(
        of field: DeltaField, _ metadata: TableMetadata, _ parquet: ParquetFile
    ) -> String? {
        if metadata.columnMapping == .id, let id = field.mappedID,
            parquet.fieldIDs.contains(where: { $0 != nil })
        {
            return parquet.fieldIDs.firstIndex(of: id).map { parquet.schema.fields[$0].name }
        }
        let name = metadata.fileName(of: field)
        return parquet.schema.index(of: name) == nil ? nil : name
    }

    /// The conditions that the file's own statistics can decide, under its names.
    private static func fileRanges(
        _ ranges: [ColumnRange], _ metadata: TableMetadata, _ parquet: ParquetFile
    ) -> [ColumnRange] {
        ranges.compactMap { range in
            guard !metadata.partitionColumns.contains(range.column),
                let field = metadata.schema.field(named: range.column),
                let name = fileName(of: field, metadata, parquet),
                let index = parquet.schema.index(of: name),
                let type = try? field.type.storedType(column: field.name),
                // Bounds of a file from before a change of type are in the old type's form.
                type == parquet.schema.fields[index].type
            else { return nil }
            var renamed = range
            renamed.column = name
            return renamed
        }
    }

    package var rowGroupCount: Int { parquet.rowGroups.count }

    /// Rows of the file, deleted ones included.
    package var rowCount: Int64 { firstRows.last ?? 0 }

    /// The rows that are deleted; nil when none is.
    package var deletedRows: RowBitmap? { deleted }

    /// The numbers of the rows of a row group.
    package func rowNumbers(ofGroup index: Int) -> Range<Int64> {
        firstRows[index]..<firstRows[index + 1]
    }

    /// The rows of one row group, or nil when none of them can match.
    package func read(rowGroup index: Int) throws(DeltaFailure) -> ColumnBatch? {
        try readRows(rowGroup: index)?.batch
    }

    /// The rows of one row group with their places, or nil when none of them can match.
    package func readRows(rowGroup index: Int) throws(DeltaFailure) -> FileRows? {
        for range in ranges {
            let wanted = ValueRange(lower: range.lower, upper: range.upper)
            if !parquet.mightMatch(rowGroup: index, column: range.column, range: wanted) {
                return nil
            }
        }
        let numbers = rowNumbers(ofGroup: index)
        let kept = deleted?.rowsOutside(of: numbers)
        if kept?.isEmpty ?? false { return nil }
        let batch: ColumnBatch
        do throws(ParquetFailure) {
            batch = try parquet.read(rowGroup: index, columns: columns.compactMap(\.fileName))
        } catch {
            throw DeltaFailure(error, path: path)
        }
        var result: [Column] = []
        var place = 0
        for column in columns {
            if column.fileName == nil {
                result.append(
                    .constant(column.field.type, column.constant, count: batch.rowCount))
                continue
            }
            result.append(try fit(batch.columns[place], column))
            place += 1
        }
        let all = ColumnBatch(columns: result, rowCount: batch.rowCount)
        return FileRows(
            batch: kept.map { all.gather($0) } ?? all, firstRow: numbers.lowerBound, rows: kept)
    }

    private func fit(_ values: Column, _ column: BoundColumn) throws(DeltaFailure) -> Column {
        do throws(DecodeFailure) {
            guard let fitted = try values.fitted(to: column.fileType) else {
                throw .malformed(
                    "column '\(column.field.name)' is \(values.type.sqlName), the table says"
                        + " \(column.field.type.sqlName)", position: 0)
            }
            return fitted.renamed(to: column.field.type)
        } catch {
            throw .corrupt(path: path, detail: "\(error)")
        }
    }
}
