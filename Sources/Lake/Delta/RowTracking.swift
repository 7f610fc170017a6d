// Row tracking: every row of the table has a number of its own and the version that last wrote it.
//
// | where | what |
// |---|---|
// | `baseRowId`, `defaultRowCommitVersion` of a file | the number of its first row, the version of all |
// | two columns of the file that no schema names | the same of a row, where it is not NULL |
// | the domain `delta.rowTracking` | {"rowIdHighWaterMark":n}, the highest number of a file's row |
//
// With the feature in the protocol every added file gets numbers. With `delta.enableRowTracking` rows
// keep theirs when they move to another file: the two columns, whose names are in the table's
// settings, carry them along. An updated row keeps its number and takes the version of the commit.

import Base
import Columns

enum RowTracking {
    static let feature = "rowTracking"
    static let domain = "delta.rowTracking"
    static let setting = "delta.enableRowTracking"
    /// While it is set no file gets numbers.
    static let suspension = "delta.rowTrackingSuspended"

    /// The highest row number that was given in `snapshot`; -1 when none was.
    static func highWaterMark(_ snapshot: TableSnapshot) throws(DeltaFailure) -> Int64 {
        try highWaterMark(snapshot.domains[domain])
    }

    static func highWaterMark(_ marked: DomainMetadata?) throws(DeltaFailure) -> Int64 {
        guard let text = marked?.configuration else { return -1 }
        guard let json = try? JSONValue(parsing: text),
            let mark = json["rowIdHighWaterMark"]?.intValue, mark >= -1
        else {
            throw .corrupt(
                path: "_delta_log", detail: "the domain \(domain) holds no rowIdHighWaterMark")
        }
        return mark
    }

    /// The highest row number that a domain of this name says was given.
    static func domain(highWaterMark mark: Int64) -> DomainMetadata {
        let text = JSONValue.object([JSONMember("rowIdHighWaterMark", .int(mark))]).text
        return DomainMetadata(domain: domain, configuration: text, isRemoved: false)
    }

    /// Gives the files that have no numbers theirs, behind `before`, and returns the highest one that
    /// was given. Files of a version that is restored keep what they had.
    static func assign(
        _ files: inout [AddFile], above before: Int64, version: Int64
    ) throws(DeltaFailure) -> Int64 {
        var mark = before
        for index in files.indices where files[index].baseRowID == nil {
            guard let rows = files[index].recordedRowCount else {
                throw .invalid(
                    "\(files[index].path) does not say how many rows it has, which row tracking"
                        + " needs")
            }
            files[index].baseRowID = mark + 1
            files[index].defaultRowCommitVersion = version
            let (sum, overflow) = mark.addingReportingOverflow(rows)
            guard !overflow else { throw .invalid("the table has no row numbers left") }
            mark = sum
        }
        return mark
    }
}

/// What a tracked row has beside its columns, under the names by which queries reach it.
package enum RowMark: String, CaseIterable, Sendable {
    /// The number of the row, which stays when the row is updated or moves.
    case rowID = "_metadata.row_id"
    /// The version that inserted the row or last updated it.
    case commitVersion = "_metadata.row_commit_version"

    package var field: Field { Field(rawValue, .int64, isNullable: true) }

    package static var fields: [Field] { allCases.map(\.field) }

    /// The table setting that says which column of a file carries it.
    var settingKey: String {
        switch self {
        case .rowID: "delta.rowTracking.materializedRowIdColumnName"
        case .commitVersion: "delta.rowTracking.materializedRowCommitVersionColumnName"
        }
    }

    fileprivate var columnStem: String {
        switch self {
        case .rowID: "_row-id-col-"
        case .commitVersion: "_row-commit-version-col-"
        }
    }

    /// What all rows of `file` have that carry no mark of their own: for numbers, that of the first.
    func base(of file: AddFile) -> Int64? {
        switch self {
        case .rowID: file.baseRowID
        case .commitVersion: file.defaultRowCommitVersion
        }
    }
}

extension TableMetadata {
    /// Rows keep their numbers when they move.
    package var keepsRowNumbers: Bool { flag(RowTracking.setting) }

    /// The columns that files of moved rows have behind the table's own, as `RowMark.allCases`;
    /// none when rows are not tracked.
    func rowMarkColumns() throws(DeltaFailure) -> [Field] {
        guard keepsRowNumbers else { return [] }
        var fields: [Field] = []
        for mark in RowMark.allCases {
            guard let name = configuration[mark.settingKey] else {
                throw .corrupt(
                    path: "_delta_log",
                    detail: "the table tracks rows and has no setting \(mark.settingKey)")
            }
            fields.append(Field(name, .int64, isNullable: true))
        }
        return fields
    }

    /// The same settings with names for the columns that hold the marks of moved rows, which the
    /// format wants as soon as tracking is on.
    func namingRowTrackingColumns(random: inout Random) -> TableMetadata {
        guard keepsRowNumbers else { return self }
        var named = self
        for mark in RowMark.allCases where named.configuration[mark.settingKey] == nil {
            named.configuration[mark.settingKey] = mark.columnStem + random.uuid().description
        }
        return named
    }
}

/// The numbers of rows by their addresses.
///
/// Rows that never moved have theirs by their place. Of a file of moved rows the numbers are read
/// once, 8 bytes a row, and a few such files are held: rows to be changed come file by file.
struct RowNumbers: Sendable {
    private let table: DeltaTable
    private let snapshot: TableSnapshot
    private let files: [AddFile]
    /// The numbers of all rows of a file, nil for a file whose rows have them by their place; the
    /// file used last at the end.
    private var held: [(file: Int, numbers: [Int64]?)] = []

    private static let heldFilesMax = 4
    /// Rows of one file whose numbers are held: a GiB of them, so that no file takes all memory.
    private static let heldRowsMax: Int64 = 1 << 27

    init(_ table: DeltaTable, _ snapshot: TableSnapshot) {
        self.table = table
        self.snapshot = snapshot
        files = snapshot.files
    }

    /// The number of each of the rows at `addresses`, in their order.
    mutating func numbers(_ addresses: [Int64]) throws(DeltaFailure) -> [Int64] {
        var places: OrderedMap<Int, [Int]> = [:]
        for (place, number) in addresses.enumerated() {
            guard let address = RowAddress(number: number), address.file < files.count else {
                throw .invalid("\(number) is not the address of a row")
            }
            places[address.file, default: []].append(place)
        }
        var result = [Int64](repeating: 0, count: addresses.count)
        for (index, places) in places {
            let file = files[index]
            guard let base = file.baseRowID else { throw Self.missing(file) }
            let own = try moved(index)
            for place in places {
                let row = addresses[place] & (1 << RowAddress.rowBits - 1)
                guard let own else {
                    result[place] = base &+ row
                    continue
                }
                guard row < own.count else { throw .invalid("row \(row) of \(file.path)") }
                result[place] = own[Int(row)]
            }
        }
        return result
    }

    static func missing(_ file: AddFile) -> DeltaFailure {
        .corrupt(
            path: file.path, detail: "the table tracks rows, and the file has no baseRowId")
    }

    private mutating func moved(_ index: Int) throws(DeltaFailure) -> [Int64]? {
        if let place = held.firstIndex(where: { $0.file == index }) {
            held.append(held.remove(at: place))
            return held.last?.numbers
        }
        let scan = try DeltaScan(
            table, snapshot, columns: [RowMark.rowID.rawValue], files: [files[index]])
        let reader = try scan.openFile(files[index])
        var numbers: [Int64]?
        if reader.carriesMarks {
            guard reader.rowCount <= Self.heldRowsMax else {
                throw .invalid(
                    "\(files[index].path) has \(reader.rowCount) rows: rows of files with more than"
                        + " \(Self.heldRowsMax) cannot be updated and tracked")
            }
            var own = [Int64](repeating: 0, count: Int(reader.rowCount))
            for group in 0..<reader.rowGroupCount {
                var batches = try reader.batches(rowGroup: group)
                while let rows = try batches.next() {
                    guard case .int64(let values) = rows.batch.columns[0].data else { continue }
                    for (place, row) in rows.positions.enumerated() {
                        own[Int(row)] = values[place]
                    }
                }
            }
            numbers = own
        }
        if held.count >= Self.heldFilesMax { held.removeFirst() }
        held.append((index, numbers))
        return numbers
    }
}
