import Base
import Columns
import Delta
import Parquet
import Testing

/// A table as another engine might have written it: its log line by line, its files through our
/// Parquet writer.
final class ForeignTable {
    let store: any ObjectStore
    let path = "t"
    private var nextVersion: Int64 = 0

    init(disk: any Disk = MemoryDisk()) { store = LocalObjectStore(disk: disk) }

    var table: DeltaTable { DeltaTable(store: store, path: path) }

    /// Writes the next version's file.
    func commit(_ lines: String...) throws {
        try put("_delta_log/" + LogFileName.commitName(nextVersion), lines.joined(separator: "\n"))
        nextVersion += 1
    }

    /// Begins the log with a protocol and columns.
    func begin(
        reader: Int, writer: Int, readerFeatures: [String] = [], writerFeatures: [String] = [],
        columns: String, partitionColumns: String = "[]", settings: String = ""
    ) throws {
        func list(_ names: [String]) -> String {
            JSONValue.array(names.map { .string($0) }).text
        }
        var line = #"{"protocol":{"minReaderVersion":\#(reader),"minWriterVersion":\#(writer)"#
        if reader >= 3 { line += #","readerFeatures":\#(list(readerFeatures))"# }
        if writer >= 7 { line += #","writerFeatures":\#(list(writerFeatures))"# }
        try commit(
            line + "}}",
            metadataLine(columns, partitionColumns: partitionColumns, extra: settings))
    }

    func put(_ name: String, _ text: String) throws { try put(name, Bytes(utf8: text)) }

    func put(_ name: String, _ content: Bytes) throws { try store.put(path + "/" + name, content) }

    /// Writes a data file, `groupRows` rows to a row group.
    func putFile(
        _ name: String, _ schema: TableSchema, _ rows: [[Value]], groupRows: Int = 100_000,
        fieldIDs: [Int32?] = []
    ) throws {
        var options = ParquetWriteOptions()
        options.rowGroupRowsMax = groupRows
        options.fieldIDs = fieldIDs
        var writer = try ParquetWriter(schema: schema, options: options)
        try writer.write(rowBatch(schema, rows))
        try put(name, try writer.finish().file)
    }

    /// The `add` line of a file that is there.
    func add(_ name: String, _ members: String = "") throws -> String {
        let size = try store.size(path + "/" + name)
        return #"{"add":{"path":"\#(name)","size":\#(size),"modificationTime":1,"#
            + #""dataChange":true\#(members.isEmpty ? "" : "," + members)}}"#
    }
}

func rowBatch(_ schema: TableSchema, _ rows: [[Value]]) -> ColumnBatch {
    ColumnBatch(
        columns: schema.fields.enumerated().map { index, field in
            Column(field.type, rows.map { $0[index] })
        }, rowCount: rows.count)
}

/// All rows of a table's newest version, in the order of the scan.
func allRows(
    _ table: DeltaTable, columns: [String]? = nil, _ ranges: [ColumnRange] = [],
    version: Int64? = nil
) throws -> [[Value]] {
    let snapshot = try version.map { try table.snapshot(version: $0) } ?? table.snapshot()
    var scan = try DeltaScan(table, snapshot, columns: columns, ranges: ranges)
    var rows: [[Value]] = []
    while let batch = try scan.next() {
        for row in 0..<batch.rowCount { rows.append(batch.values(row)) }
    }
    return rows
}

/// The values of a bigint column.
func numbers(_ rows: [[Value]], _ column: Int = 0) -> [Int64] {
    rows.compactMap { row in
        if case .int(let number) = row[column] { number } else { nil }
    }
}
