// Files of rows that are no table: Parquet, CSV, JSON lines.

import Base
import Columns
import Delta
import Engine
import Parquet
import RowFiles
import SQL

/// One file, or all files of a format in a folder in the order of their names. Parquet files must
/// have the columns of the first; those of CSV and JSON lines are found out from all of them.
struct FolderFiles: Sendable {
    let format: FolderFormat
    let files: [RowFile]
    let partitions: FolderPartitions

    init(_ folder: FolderName, of lake: Lakehouse) throws(Problem) {
        format = folder.format
        let path = folder.path
        if LakeUploads.isName(path) {
            files = [try lake.uploads.file(path)]
            partitions = .none
            return
        }
        let store = lake.store
        if let size = try? store.size(path), size >= 0 {
            files = [Self.file(path, size, store)]
            partitions = .none
            return
        }
        let endings = folder.format.endings
        do throws(StorageFailure) {
            files = try store.list(path, recursive: true).filter { entry in
                endings.contains { entry.path.hasSuffix($0) }
                    && !Self.isHidden(entry.path.dropFirst(path.count))
            }.map { Self.file($0.path, $0.size, store) }
        } catch {
            throw Problem(
                "42P01", "there is no file or folder '\(path)'", notes: [error.description],
                hint: lake.paths.hint)
        }
        if files.isEmpty {
            throw Problem(
                "42P01", "there are no \(folder.format.rawValue) files at '\(path)'",
                notes: ["their names end with \(endings.joined(separator: ", "))"],
                hint: lake.paths.hint)
        }
        partitions = try FolderPartitions(
            of: files.map { String($0.name.dropFirst(path.count)) }, now: lake.clock())
    }

    private static func file(
        _ path: String, _ size: Int64, _ store: any ObjectStore
    ) -> RowFile {
        RowFile(name: path, size: size) { (position, count) throws(StorageFailure) in
            try store.get(path, range: position..<(position &+ Int64(count)))
        }
    }

    private static func isHidden(_ path: Substring) -> Bool {
        path.split(separator: "/").contains { $0.hasPrefix("_") || $0.hasPrefix(".") }
    }

    /// How the rows of text files are written.
    var form: RowFileForm { format == .json ? .json : .csv(CSVOptions()) }

    /// The columns of the files, and those that their folders name.
    func columns(now: Now) throws(Problem) -> [Field] {
        let own =
            format == .parquet
            ? try Self.parquet(files[0]).schema.fields : try form.columns(of: files, now: now)
        return own + partitions.fields.filter { field in !own.contains { $0.name == field.name } }
    }

    /// About how many rows Parquet files have: by the first of them and the sizes of all.
    var rowCount: Int64? {
        guard format == .parquet, let first = try? Self.parquet(files[0]) else { return nil }
        let bytes = files.reduce(0.0) { $0 + Double($1.size) }
        let share = bytes / Double(max(1, files[0].size))
        return Int64(exactly: (Double(first.rowCount) * share).rounded())
    }

    /// The numbers of the files that may have rows within `ranges`.
    func wanted(_ ranges: [ColumnRange]) -> [Int] {
        files.indices.filter { partitions.mightMatch($0, ranges) }
    }

    /// The rows of the files `numbers` that may be within `ranges` and pass `tests`, with the columns
    /// of `schema`.
    func batches(
        _ schema: TableSchema, of numbers: [Int], _ ranges: [ColumnRange], _ tests: [NamedTest],
        now: Now
    ) -> any BatchSource {
        FolderRows(self, numbers, schema.fields, ranges, tests, now)
    }

    static func parquet(_ file: RowFile) throws(Problem) -> ParquetFile {
        do throws(ParquetFailure) {
            return try ParquetFile(size: file.size) { (position, count) throws(StorageFailure) in
                try file.read(position, count)
            }
        } catch {
            throw DeltaFailure(error, path: file.name).problem
        }
    }
}

/// The rows of the files of a folder, one file after the other.
private final class FolderRows: BatchSource, DividedSource {
    private let folder: FolderFiles
    private var numbers: ArraySlice<Int>
    private let fields: [Field]
    private let conditions: [ColumnCondition]
    private let tests: [NamedTest]
    private let now: Now
    private var open: OpenFile?
    /// Of a part: the file that it is in, and its row groups.
    private var run: (file: ParquetFile, groups: Range<Int>)?

    /// The file that is being read: the columns that it has itself, and for each column that is
    /// wanted its place among those, or among the partition columns.
    private struct OpenFile {
        enum Place { case own(Int), partition(Int) }

        var number: Int
        var rows: any BatchSource
        var places: [Place]
    }

    init(
        _ folder: FolderFiles, _ numbers: [Int], _ fields: [Field], _ ranges: [ColumnRange],
        _ tests: [NamedTest], _ now: Now
    ) {
        self.folder = folder
        self.numbers = numbers[...]
        self.fields = fields
        conditions = ranges.map {
            ColumnCondition($0.column, ValueRange(lower: $0.lower, upper: $0.upper))
        }
        self.tests = tests
        self.now = now
    }

    /// A part of `whole`: the files `numbers`, or row groups of the only one of them.
    private init(
        _ whole: FolderRows, _ numbers: ArraySlice<Int>, _ run: (ParquetFile, Range<Int>)?
    ) {
        folder = whole.folder
        self.numbers = numbers
        fields = whole.fields
        conditions = whole.conditions
        tests = whole.tests
        now = whole.now
        self.run = run
    }

    /// Up to so many files the row groups of each are looked up; of more, files are enough to share.
    private static let filesOpenedMax = 32
    /// What a row of a file that is not looked up is taken to need.
    private static let rowBytes: Int64 = 64

    /// Row groups of large Parquet files, or several small files.
    func parts(rowsWanted wanted: Int64) throws(Problem) -> [SourcePart] {
        guard folder.format == .parquet else { return [] }
        let isOpened = numbers.count <= Self.filesOpenedMax
        var parts: [SourcePart] = []
        var (first, rows) = (numbers.startIndex, Int64(0))
        func add(_ rowCount: Int64, _ numbers: ArraySlice<Int>, _ run: (ParquetFile, Range<Int>)?) {
            let part = Shared(self, numbers, run)
            parts.append(SourcePart(rowCount: rowCount) { part.rows() })
        }
        for place in numbers.indices {
            let listed = folder.files[numbers[place]]
            let file = try isOpened ? FolderFiles.parquet(listed) : nil
            guard let file, file.rowCount > wanted, file.rowGroups.count > 1 else {
                rows += file?.rowCount ?? listed.size / Self.rowBytes + 1
                if rows >= wanted || place == numbers.endIndex - 1 {
                    add(rows, numbers[first...place], nil)
                    (first, rows) = (place + 1, 0)
                }
                continue
            }
            if first < place { add(rows, numbers[first..<place], nil) }
            (first, rows) = (place + 1, 0)
            for run in file.runs(rowsWanted: wanted) {
                add(run.rowCount, numbers[place...place], (file, run.groups))
            }
        }
        return parts
    }

    /// `@unchecked Sendable` is sound: a part copies what it needs of the whole, which is not read and
    /// does not change any more.
    private struct Shared: @unchecked Sendable {
        let whole: FolderRows
        let numbers: ArraySlice<Int>
        let run: (ParquetFile, Range<Int>)?

        init(_ whole: FolderRows, _ numbers: ArraySlice<Int>, _ run: (ParquetFile, Range<Int>)?) {
            self.whole = whole
            self.numbers = numbers
            self.run = run
        }

        func rows() -> any BatchSource { FolderRows(whole, numbers, run) }
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            if let file = open {
                if let batch = try file.rows.next() {
                    let columns = file.places.map { place in
                        switch place {
                        case .own(let index): batch.columns[index]
                        case .partition(let index):
                            folder.partitions.column(
                                index, of: file.number, count: batch.rowCount)
                        }
                    }
                    return ColumnBatch(columns: columns, rowCount: batch.rowCount)
                }
                open = nil
            }
            guard let number = numbers.popFirst() else { return nil }
            open = try opened(number)
        }
    }

    private func opened(_ number: Int) throws(Problem) -> OpenFile {
        let file = folder.files[number]
        var parquet = run?.file
        if parquet == nil, folder.format == .parquet { parquet = try FolderFiles.parquet(file) }
        var own: [Field] = []
        var places: [OpenFile.Place] = []
        for field in fields {
            let partition = folder.partitions.fields.firstIndex { $0.name == field.name }
            let isInFile =
                parquet.map { $0.schema.index(of: field.name) != nil } ?? (partition == nil)
            if let partition, !isInFile {
                places.append(.partition(partition))
            } else {
                places.append(.own(own.count))
                own.append(field)
            }
        }
        let rows: any BatchSource =
            if let parquet {
                ParquetFileRows(
                    parquet, file.name, own,
                    conditions.filter { condition in own.contains { $0.name == condition.column } },
                    tests.filter { test in own.contains { $0.name == test.column } },
                    groups: run?.groups)
            } else {
                TextRows(try RowReader(file, folder.form, named: own, now: now))
            }
        return OpenFile(number: number, rows: rows, places: places)
    }
}

/// The rows of a Parquet file that may fulfil conditions, page by page.
private final class ParquetFileRows: BatchSource {
    private let file: ParquetFile
    private let path: String
    private let fields: [Field]
    private let conditions: [ColumnCondition]
    private let tests: [NamedTest]
    private var groups: Range<Int>
    private var isChecked = false
    private var batches: ParquetBatches?

    init(
        _ file: ParquetFile, _ path: String, _ fields: [Field], _ conditions: [ColumnCondition],
        _ tests: [NamedTest], groups: Range<Int>?
    ) {
        self.file = file
        self.groups = groups ?? file.rowGroups.indices
        self.path = path
        self.fields = fields
        self.conditions = conditions
        self.tests = tests
    }

    func next() throws(Problem) -> ColumnBatch? {
        if !isChecked { try checkColumns() }
        isChecked = true
        do throws(ParquetFailure) {
            while true {
                if let rows = try batches?.next() { return rows.batch }
                guard let group = groups.popFirst() else { return nil }
                batches = try file.batches(
                    rowGroup: group, columns: fields.map(\.name), where: conditions, tests: tests,
                    batchRowsMax: Limits.batchRows)
            }
        } catch {
            throw DeltaFailure(error, path: path).problem
        }
    }

    private func checkColumns() throws(Problem) {
        for field in fields {
            guard let index = file.schema.index(of: field.name),
                file.schema.fields[index].type == field.type
            else {
                throw Problem(
                    "42804",
                    "\(path) has no column \"\(field.name)\" of type"
                        + " \(field.type.sqlName)",
                    notes: ["the files of a folder must have the columns of its first file"])
            }
        }
    }
}

/// The rows of a CSV file or of JSON lines.
private final class TextRows: BatchSource {
    private var reader: RowReader

    init(_ reader: RowReader) { self.reader = reader }

    func next() throws(Problem) -> ColumnBatch? { try reader.next() }
}
