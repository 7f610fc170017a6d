import Base
import Columns
import Parquet

/// Reads the rows of a snapshot, file by file in the order in which they were added, a few pages of
/// each column at a time. A value: several scans, or several files of one, can be read at the same time.
package struct DeltaScan: Sendable {
    package let table: DeltaTable
    package let snapshot: TableSnapshot
    /// The columns that come out, in this order.
    package let schema: TableSchema
    /// The files that may have matching rows.
    package let files: [AddFile]
    package let ranges: [ColumnRange]
    /// Conditions on columns that all wanted rows fulfil, NULL never.
    let tests: [NamedTest]
    /// The most rows of one batch.
    let batchRowsMax: Int
    /// For each of `files` its number among those that were to be read.
    private let fileNumbers: [Int]

    /// How far it is, and what it has skipped.
    package private(set) var progress = ScanProgress()
    private var fileIndex = 0
    private var rowGroup = 0
    private var open: DeltaFileReader?
    private var batches: FileBatches?
    /// Of a part: the files and, of the last one, the row groups that are not in it any more.
    private var filesEnd: Int
    private var rowGroupsEnd: Int?

    /// Reads `columns` (nil = all) of `snapshot`, which can be a `RowMark`, too. `ranges` are conditions that all wanted rows
    /// fulfil: they skip files, row groups, pages and, where it costs nothing, rows; what comes out
    /// has still to be checked. So do `tests`, which no NULL may pass. `files` are those to read (nil = all of the snapshot).
    package init(
        _ table: DeltaTable, _ snapshot: TableSnapshot, columns: [String]? = nil,
        ranges: [ColumnRange] = [], tests: [NamedTest] = [], files: [AddFile]? = nil,
        batchRowsMax: Int = 20_000
    ) throws(DeltaFailure) {
        self.table = table
        self.snapshot = snapshot
        self.ranges = ranges
        self.tests = tests
        self.batchRowsMax = batchRowsMax
        var fields: [Field] = []
        for name in columns ?? snapshot.schema.fields.map(\.name) {
            if let index = snapshot.schema.index(of: name) {
                fields.append(snapshot.schema.fields[index])
            } else if let mark = RowMark(rawValue: name) {
                guard snapshot.tracksRows else {
                    throw .invalid(
                        "version \(snapshot.version) of the table has no \(name): its rows are not"
                            + " tracked (\(RowTracking.setting))")
                }
                fields.append(mark.field)
            } else {
                throw .invalid("the table has no column '\(name)'")
            }
        }
        schema = TableSchema(fields)
        var wanted: [AddFile] = []
        var numbers: [Int] = []
        for (number, file) in (files ?? snapshot.files).enumerated()
        where snapshot.mightMatch(file, ranges) {
            wanted.append(file)
            numbers.append(number)
        }
        self.files = wanted
        filesEnd = wanted.count
        fileNumbers = numbers
    }

    // MARK: Parts

    /// Up to so many files the row groups of each are looked up; of more, files are enough to share.
    private static let filesOpenedMax = 32

    /// The scan in parts of about `rowsWanted` rows or more, in their order: row groups of one file, or
    /// several small files. Each is a scan of its own, and all of them together have read every file.
    package func parts(
        rowsWanted: Int64
    ) throws(DeltaFailure) -> [(rowCount: Int64, scan: DeltaScan)] {
        var parts: [(rowCount: Int64, scan: DeltaScan)] = []
        let isOpened = files.count <= Self.filesOpenedMax
        /// Whole files that are to be one part.
        var gathered: (files: Range<Int>, rowCount: Int64)?
        func close() {
            guard let (files, rowCount) = gathered else { return }
            var part = self
            (part.fileIndex, part.filesEnd) = (files.lowerBound, files.upperBound)
            parts.append((rowCount, part))
            gathered = nil
        }
        for (number, file) in files.enumerated() {
            var rowCount = file.recordedRowCount
            var reader: DeltaFileReader?
            if isOpened, rowCount ?? .max > rowsWanted {
                reader = try openFile(file)
                rowCount = reader?.rowCount
            }
            if let reader, reader.rowCount > rowsWanted, reader.rowGroupCount > 1 {
                close()
                for (rows, groups) in reader.runs(rowsWanted: rowsWanted) {
                    var part = self
                    (part.open, part.fileIndex, part.filesEnd) = (reader, number + 1, number + 1)
                    (part.rowGroup, part.rowGroupsEnd) = (groups.lowerBound, groups.upperBound)
                    parts.append((rows, part))
                }
                continue
            }
            // Statistics are somebody's word: a file has no more rows than its addresses allow.
            let rows = min(max(rowCount ?? rowsWanted, 0), 1 << RowAddress.rowBits)
            let known = gathered ?? (number..<number, 0)
            gathered = (known.files.lowerBound..<number + 1, known.rowCount &+ rows)
            if known.rowCount &+ rows >= rowsWanted { close() }
        }
        close()
        return parts
    }

    /// The next rows, or nil at the end.
    package mutating func next() throws(DeltaFailure) -> ColumnBatch? { try nextRows()?.batch }

    /// The next rows with their addresses: which file of the snapshot, which row of the file.
    package mutating func nextAddressed() throws(DeltaFailure) -> (
        batch: ColumnBatch, addresses: [Int64]
    )? {
        guard let rows = try nextRows() else { return nil }
        let file = Int64(fileNumbers[fileIndex - 1]) << RowAddress.rowBits
        return (rows.batch, rows.positions(from: file))
    }

    private mutating func nextRows() throws(DeltaFailure) -> FileRows? {
        while true {
            if let rows = try batches?.next() { return rows }
            if let reader = open, rowGroup < rowGroupsEnd ?? reader.rowGroupCount {
                let group = try reader.batches(rowGroup: rowGroup)
                if group.isRuledOut {
                    progress.rowGroupsSkipped += 1
                } else {
                    progress.rowGroupsRead += 1
                    progress.bytes &+= reader.storedBytes(rowGroup: rowGroup)
                }
                batches = group
                rowGroup += 1
                continue
            }
            batches = nil
            // Of a file in several parts the last one counts.
            if let open, rowGroup == open.rowGroupCount { progress.filesDone += 1 }
            open = nil
            guard fileIndex < filesEnd else { return nil }
            open = try openFile(files[fileIndex])
            rowGroup = 0
            fileIndex += 1
        }
    }

    /// What the files that were read to their ends take.
    package var bytesDone: Int64 {
        files[max(0, fileIndex - progress.filesDone)..<fileIndex].reduce(0) { $0 &+ $1.size }
    }

    /// The names of all columns, and behind them those of the marks of rows when there are some.
    static func columnsWithMarks(_ snapshot: TableSnapshot) -> [String] {
        snapshot.schema.fields.map(\.name)
            + (snapshot.tracksRows ? RowMark.allCases.map(\.rawValue) : [])
    }

    /// One of `files`, to be read on its own.
    package func openFile(_ file: AddFile) throws(DeltaFailure) -> DeltaFileReader {
        try DeltaFileReader(self, file)
    }
}

/// How far a scan is.
package struct ScanProgress: Sendable {
    /// Read to their ends.
    package var filesDone = 0
    package var rowGroupsRead = 0
    /// Those that statistics, bloom filters or page indexes ruled out, and those without live rows.
    package var rowGroupsSkipped = 0
    /// What the columns that are read take in these row groups, compressed.
    package var bytes: Int64 = 0

    package init() {}
}

extension DeltaFailure {
    /// What went wrong with the data file at `path`.
    package init(_ failure: ParquetFailure, path: String) {
        switch failure {
        case .storage(let storage): self = .storage(storage)
        case .invalidInput(let what): self = .invalid(what)
        case .unsupported(let feature):
            self = .corrupt(path: path, detail: "not supported: \(feature)")
        default: self = .corrupt(path: path, detail: "\(failure)")
        }
    }
}
