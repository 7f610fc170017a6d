import Base
import Columns
import Parquet

/// Some rows of a row group, and where they are in their file.
package struct FileRows: Sendable {
    package var batch: ColumnBatch
    /// The number in the file of the row group's first row.
    package var firstRow: Int64
    /// Counted from the row group's first row, as many as the batch has.
    package var places: RowPlaces

    /// The number in the file of each row of the batch.
    package var positions: [Int64] { positions(from: 0) }

    /// The numbers of the rows, counted from `base` for the first row of the file.
    func positions(from base: Int64) -> [Int64] {
        var positions: [Int64] = []
        positions.reserveCapacity(batch.rowCount)
        let first = base + firstRow
        places.forEach { positions.append(first &+ Int64($0)) }
        return positions
    }

    /// The rows that are in `set`, or that are not; nil when there is none.
    func keeping(only set: RowBitmap) -> FileRows? { kept(set, isWanted: true) }
    func keeping(outside set: RowBitmap) -> FileRows? { kept(set, isWanted: false) }

    private func kept(_ set: RowBitmap, isWanted: Bool) -> FileRows? {
        var picked: [Int32] = []
        var kept = RowRanges()
        var place: Int32 = 0
        for range in places.ranges.ranges {
            let numbers =
                (firstRow + Int64(range.lowerBound))..<(firstRow + Int64(range.upperBound))
            // Most ranges of a batch are all wanted or all unwanted.
            let found = isWanted ? set.rows(in: numbers) : set.rowsOutside(of: numbers)
            if let found {
                for row in found {
                    picked.append(place + row)
                    let number = range.lowerBound + Int(row)
                    kept.append(number..<number + 1)
                }
            } else {
                picked += place..<place + Int32(range.count)
                kept.append(range)
            }
            place += Int32(range.count)
        }
        if picked.count == batch.rowCount { return self }
        if picked.isEmpty { return nil }
        return FileRows(batch: batch.gather(picked), firstRow: firstRow, places: .ranges(kept))
    }
}

/// The rows of one row group of a data file, batch by batch.
package struct FileBatches: Sendable {
    private let reader: DeltaFileReader
    private let firstRow: Int64
    private var batches: ParquetBatches?

    fileprivate init(_ reader: DeltaFileReader, firstRow: Int64, _ batches: ParquetBatches?) {
        self.reader = reader
        self.firstRow = firstRow
        self.batches = batches
    }

    /// Whether it was clear without reading that no row matches.
    var isRuledOut: Bool { batches?.isRuledOut ?? true }

    /// The next rows, at least one; nil at the end.
    package mutating func next() throws(DeltaFailure) -> FileRows? {
        while batches != nil {
            let found: ParquetRows?
            do throws(ParquetFailure) {
                found = try batches?.next()
            } catch {
                throw DeltaFailure(error, path: reader.path)
            }
            guard let found else { break }
            if let rows = try reader.tableRows(found, firstRow: firstRow) { return rows }
        }
        return nil
    }
}

/// Reads one data file as rows of its table, without those that its deletion vector lists.
package struct DeltaFileReader: Sendable {
    package let file: AddFile
    fileprivate let path: String
    private let parquet: ParquetFile
    private let columns: [BoundColumn]
    private let conditions: [ColumnCondition]
    private let tests: [NamedTest]
    /// A condition on a column that the file lacks: all of its rows have NULL there.
    private let canMatch: Bool
    private let batchRowsMax: Int
    private let deleted: RowBitmap?
    /// The number of the first row of each row group, and behind them the number of rows.
    private let firstRows: [Int64]

    /// Where the values of one column come from.
    private struct BoundColumn {
        var field: Field
        /// The name in the file; nil when the value is the same for all rows.
        var fileName: String?
        var constant: Value = .null
        /// For a mark of rows: which, and what those have that carry none.
        var mark: (kind: RowMark, base: Int64)?
        /// The type of the column with the names of the file.
        var fileType: ColumnType
    }

    /// Files up to this size are fetched with one request.
    private static let wholeFileBytes: Int64 = 1 << 20

    init(_ scan: DeltaScan, _ file: AddFile) throws(DeltaFailure) {
        self.file = file
        let path = try scan.table.location(of: file.path)
        self.path = path
        batchRowsMax = scan.batchRowsMax
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
        let conditioned = scan.ranges.map(\.column) + scan.tests.map(\.column)
        canMatch = !conditioned.contains { column in
            !metadata.partitionColumns.contains(column)
                && metadata.schema.field(named: column).map {
                    Self.fileName(of: $0, metadata, parquet) == nil
                } ?? false
        }
        tests = scan.tests.compactMap { test in
            Self.storedName(test.column, metadata, parquet) { $0 == $1 }.map {
                NamedTest($0, test.test)
            }
        }
        conditions = Self.conditions(scan.ranges, metadata, parquet)
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
            guard let mark = RowMark(rawValue: field.name) else {
                throw .invalid("the table has no column '\(field.name)'")
            }
            guard let base = mark.base(of: file) else { throw RowNumbers.missing(file) }
            let name = metadata.configuration[mark.settingKey]
            return BoundColumn(
                field: field,
                fileName: name.flatMap { parquet.schema.index(of: $0) == nil ? nil : $0 },
                mark: (mark, base), fileType: .int64)
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

    /// The conditions that the file itself can decide, under its names.
    private static func conditions(
        _ ranges: [ColumnRange], _ metadata: TableMetadata, _ parquet: ParquetFile
    ) -> [ColumnCondition] {
        ranges.compactMap { range in
            // From before a change of type values are in the old type's form; whole numbers of any
            // width are compared alike.
            let name = storedName(range.column, metadata, parquet) { type, stored in
                type == stored || type.isWholeNumber && stored.isWholeNumber
            }
            return name.map {
                ColumnCondition($0, ValueRange(lower: range.lower, upper: range.upper))
            }
        }
    }

    /// The name in the file of a column that the file has, in a type that suits the table's.
    private static func storedName(
        _ column: String, _ metadata: TableMetadata, _ parquet: ParquetFile,
        _ suits: (ColumnType, ColumnType) -> Bool
    ) -> String? {
        guard !metadata.partitionColumns.contains(column),
            let field = metadata.schema.field(named: column),
            let name = fileName(of: field, metadata, parquet),
            let index = parquet.schema.index(of: name),
            let type = try? field.type.storedType(column: field.name),
            suits(type, parquet.schema.fields[index].type)
        else { return nil }
        return name
    }

    /// True when the file says of some rows what their marks are: they came from another one.
    var carriesMarks: Bool { columns.contains { $0.mark != nil && $0.fileName != nil } }

    package var rowGroupCount: Int { parquet.rowGroups.count }

    /// Runs of row groups of about `rowsWanted` rows or more.
    func runs(rowsWanted: Int64) -> [(rowCount: Int64, groups: Range<Int>)] {
        parquet.runs(rowsWanted: rowsWanted)
    }

    /// What the columns that are read take in a row group, compressed.
    func storedBytes(rowGroup index: Int) -> Int64 {
        parquet.storedBytes(rowGroup: index, columns: columns.compactMap(\.fileName))
    }

    /// Rows of the file, deleted ones included.
    package var rowCount: Int64 { firstRows.last ?? 0 }

    /// About what all rows of the file take in memory.
    var memoryBytes: Int64 {
        let width = columns.reduce(Int64(0)) { $0 + $1.field.type.heldWidth }
        return parquet.rowGroups.reduce(0) { $0 &+ max($1.byteCount, 0) } &+ rowCount &* width
    }

    /// The rows that are deleted; nil when none is.
    package var deletedRows: RowBitmap? { deleted }

    /// The numbers of the rows of a row group.
    package func rowNumbers(ofGroup index: Int) -> Range<Int64> {
        firstRows[index]..<firstRows[index + 1]
    }

    /// The rows of one row group that are not deleted, batch by batch. Of conditions that the file
    /// can decide only matching rows come; the caller checks them still, for the others.
    package func batches(rowGroup index: Int) throws(DeltaFailure) -> FileBatches {
        let numbers = rowNumbers(ofGroup: index)
        let isGone = deleted.map { $0.count(in: numbers) == numbers.count } ?? false
        guard canMatch, !isGone, !numbers.isEmpty else {
            return FileBatches(self, firstRow: numbers.lowerBound, nil)
        }
        do throws(ParquetFailure) {
            let batches = try parquet.batches(
                rowGroup: index, columns: columns.compactMap(\.fileName), where: conditions,
                tests: tests, batchRowsMax: batchRowsMax)
            return FileBatches(self, firstRow: numbers.lowerBound, batches)
        } catch {
            throw DeltaFailure(error, path: path)
        }
    }

    /// What came out of the file as rows of the table, without deleted ones; nil when none is left.
    fileprivate func tableRows(
        _ found: ParquetRows, firstRow: Int64
    ) throws(DeltaFailure) -> FileRows? {
        var rows = FileRows(batch: found.batch, firstRow: firstRow, places: found.places)
        if let deleted {
            guard let kept = rows.keeping(outside: deleted) else { return nil }
            rows = kept
        }
        let stored = rows.batch
        var result: [Column] = []
        var place = 0
        for column in columns {
            if let mark = column.mark {
                var carried: Column?
                if column.fileName != nil {
                    carried = try fit(stored.columns[place], column)
                    place += 1
                }
                result.append(Self.marks(mark, carried, rows))
                continue
            }
            if column.fileName == nil {
                result.append(
                    .constant(column.field.type, column.constant, count: stored.rowCount))
                continue
            }
            result.append(try fit(stored.columns[place], column))
            place += 1
        }
        rows.batch = ColumnBatch(columns: result, rowCount: stored.rowCount)
        return rows
    }

    /// The marks of `rows`: those that the file carries, and where it has none, what follows from
    /// the file and the place in it.
    private static func marks(
        _ mark: (kind: RowMark, base: Int64), _ carried: Column?, _ rows: FileRows
    ) -> Column {
        if let carried, carried.nullCount == 0 { return carried }
        var values =
            mark.kind == .rowID
            ? rows.positions(from: mark.base)
            : [Int64](repeating: mark.base, count: rows.batch.rowCount)
        if let carried, case .int64(let own) = carried.data {
            for row in own.indices where !carried.isNull(row) { values[row] = own[row] }
        }
        return Column(type: .int64, data: .int64(values))
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

extension ColumnType {
    /// Bytes of a value in memory, those of long texts and of elements aside.
    fileprivate var heldWidth: Int64 {
        switch self {
        case .boolean: 1
        case .int16, .int32, .date: 4
        case .structure(let fields): fields.reduce(0) { $0 + $1.type.heldWidth }
        case .int64, .timestamp, .timestampTZ, .float32, .float64: 8
        default: 16
        }
    }

    fileprivate var isWholeNumber: Bool {
        switch self {
        case .int16, .int32, .int64: true
        default: false
        }
    }
}
