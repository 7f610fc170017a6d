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
