import Base
import Columns

extension TableTransaction {
    /// `CREATE OR REPLACE TABLE`: gives the table other columns and settings, removes all rows, and
    /// keeps the history. What is added then are the rows of the new table. The table's id stays, and
    /// so does its protocol, which only ever grows.
    package mutating func replaceTable(
        _ schema: TableSchema, partitionColumns: [String] = [],
        configuration: OrderedMap<String, String> = [:], comment: String? = nil,
        columnMetadata: OrderedMap<String, [JSONMember]> = [:], now: Now
    ) throws(DeltaFailure) {
        try removeAll(now: now)
        var wanted = metadata
        wanted.schema = try DeltaTable.columns(
            schema, metadata: columnMetadata, partitionColumns: partitionColumns)
        wanted.partitionColumns = partitionColumns
        wanted.comment = comment
        wanted.configuration = configuration
        // Numbers of columns are never given twice, and files of older versions keep their names, also
        // those of the columns with the marks of rows.
        let kept = ["delta.columnMapping.maxColumnId"] + RowMark.allCases.map(\.settingKey)
        for key in kept where wanted.configuration[key] == nil {
            wanted.configuration[key] = metadata.configuration[key]
        }
        if metadata.columnMapping != .none, wanted.columnMapping == .none {
            wanted.configuration["delta.columnMapping.mode"] = metadata.columnMapping.rawValue
        }
        try setMetadata(wanted, replacesColumns: true)
    }
}

extension DeltaTable {
    /// `TRUNCATE`: removes all rows in one commit, without reading them. Returns how many there
    /// were, as far as the log knows, or nil when there was nothing to do.
    package func truncate(random: inout Random, now: Now) throws(DeltaFailure) -> Int64? {
        var transaction = try begin(random: &random)
        let snapshot = transaction.snapshot
        guard snapshot.fileCount > 0 else { return nil }
        try transaction.removeAll(now: now)
        let rows = snapshot.rowCount
        let operation = CommitOperation(
            "TRUNCATE",
            metrics: rows.map { [JSONMember("numDeletedRows", .string(String($0)))] } ?? [])
        _ = try transaction.commit(operation, now: now)
        return rows ?? 0
    }
}
