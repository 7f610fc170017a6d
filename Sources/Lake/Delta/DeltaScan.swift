import Base
import Columns
import Parquet

/// Reads the rows of a snapshot, file by file in the order in which they were added, row group by
/// row group. A value: several scans, or several files of one, can be read at the same time.
package struct DeltaScan: Sendable {
    package let table: DeltaTable
    package let snapshot: TableSnapshot
    /// The columns that come out, in this order.
    package let schema: TableSchema
    /// The files that may have matching rows.
    package let files: [AddFile]
    package let ranges: [ColumnRange]

    private var fileIndex = 0
    private var rowGroup = 0
    private var open: DeltaFileReader?

    /// Reads `columns` (nil = all) of `snapshot`. `ranges` are conditions that all wanted rows
    /// fulfil: they skip files and row groups, single rows have still to be checked.
    package init(
        _ table: DeltaTable, _ snapshot: TableSnapshot, columns: [String]? = nil,
        ranges: [ColumnRange] = []
    ) throws(DeltaFailure) {
        self.table = table
        self.snapshot = snapshot
        self.ranges = ranges
        var fields: [Field] = []
        for name in columns ?? snapshot.schema.fields.map(\.name) {
            guard let index = snapshot.schema.index(of: name) else {
                throw .invalid("the table has no column '\(name)'")
            }
            fields.append(snapshot.schema.fields[index])
        }
        schema = TableSchema(fields)
        files = snapshot.files.filter { snapshot.mightMatch($0, ranges) }
    }

    /// The next rows, or nil at the end.
    package mutating func next() throws(DeltaFailure) -> ColumnBatch? {
        while true {
            if let reader = open {
                while rowGroup < reader.rowGroupCount {
                    rowGroup += 1
                    if let batch = try reader.read(rowGroup: rowGroup - 1) { return batch }
                }
                open = nil
            }
            guard fileIndex < files.count else { return nil }
            open = try openFile(files[fileIndex])
            rowGroup = 0
            fileIndex += 1
        }
    }

    /// One of `files`, to be read on its own.
    package func openFile(_ file: AddFile) throws(DeltaFailure) -> DeltaFileReader {
        try DeltaFileReader(self, file)
    }
}

/// Reads one data file as rows of its table.
package struct DeltaFileReader: Sendable {
    package let file: AddFile
    private let path: String
    private let parquet: ParquetFile
    private let schema: TableSchema
    private let ranges: [ColumnRange]
    /// For each column its constant value; nil when it is read from the file.
    private let constants: [Value?]

    /// Files up to this size are fetched with one request.
    private static let wholeFileBytes: Int64 = 1 << 20

    fileprivate init(_ scan: DeltaScan, _ file: AddFile) throws(DeltaFailure) {
        if file.deletionVector != nil { throw .unsupportedFeature("deletionVectors", use: .read) }
        self.file = file
        schema = scan.schema
        path = scan.table.fullPath(file.path)
        let partitionColumns = scan.snapshot.metadata.partitionColumns
        ranges = scan.ranges.filter { !partitionColumns.contains($0.column) }
        let store = scan.table.store
        let path = path
        do throws(ParquetFailure) {
            if file.size <= Self.wholeFileBytes {
                let content: Bytes
                do throws(StorageFailure) {
                    content = try store.get(path, range: nil)
                } catch {
                    throw .storage(error)
                }
                parquet = try ParquetFile(content)
            } else {
                parquet = try ParquetFile(size: file.size) {
                    (position, count) throws(StorageFailure) in
                    try store.get(path, range: position..<(position &+ Int64(count)))
                }
            }
        } catch {
            throw DeltaFailure(error, path: path)
        }
        var constants: [Value?] = []
        for field in scan.schema.fields {
            if partitionColumns.contains(field.name) {
                do throws(DecodeFailure) {
                    constants.append(try file.partitionValues.value(field.name, field.type))
                } catch {
                    throw .corrupt(path: path, detail: "\(error)")
                }
            } else if parquet.schema.index(of: field.name) == nil {
                // Added to the table after this file was written.
                constants.append(.null)
            } else {
                constants.append(nil)
            }
        }
        self.constants = constants
    }

    package var rowGroupCount: Int { parquet.rowGroups.count }

    /// The rows of one row group, or nil when none of them can match.
    package func read(rowGroup index: Int) throws(DeltaFailure) -> ColumnBatch? {
        for range in ranges where parquet.schema.index(of: range.column) != nil {
            let wanted = ValueRange(lower: range.lower, upper: range.upper)
            if !parquet.mightMatch(rowGroup: index, column: range.column, range: wanted) {
                return nil
            }
        }
        var names: [String] = []
        for (field, constant) in zip(schema.fields, constants) where constant == nil {
            names.append(field.name)
        }
        let batch: ColumnBatch
        do throws(ParquetFailure) {
            batch = try parquet.read(rowGroup: index, columns: names)
        } catch {
            throw DeltaFailure(error, path: path)
        }
        var columns: [Column] = []
        var place = 0
        for (field, constant) in zip(schema.fields, constants) {
            if let constant {
                columns.append(.constant(field.type, constant, count: batch.rowCount))
                continue
            }
            columns.append(try fit(batch.columns[place], field))
            place += 1
        }
        return ColumnBatch(columns: columns, rowCount: batch.rowCount)
    }

    private func fit(_ column: Column, _ field: Field) throws(DeltaFailure) -> Column {
        do throws(DecodeFailure) {
            guard let fitted = try column.fitted(to: field.type) else {
                throw .malformed(
                    "column '\(field.name)' is \(column.type.sqlName), the table says"
                        + " \(field.type.sqlName)", position: 0)
            }
            return fitted
        } catch {
            throw .corrupt(path: path, detail: "\(error)")
        }
    }
}

extension DeltaFailure {
    /// What went wrong with the data file at `path`.
    init(_ failure: ParquetFailure, path: String) {
        switch failure {
        case .storage(let storage): self = .storage(storage)
        case .invalidInput(let what): self = .invalid(what)
        case .unsupported(let feature):
            self = .corrupt(path: path, detail: "not supported: \(feature)")
        default: self = .corrupt(path: path, detail: "\(failure)")
        }
    }
}
