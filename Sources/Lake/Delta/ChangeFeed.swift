import Base
import Columns

/// The rows that changed between two versions, version by version, with what happened to each:
/// `table_changes`. Behind the table's columns come `_change_type`, `_commit_version` and
/// `_commit_timestamp`.
///
/// A version that has files of changes is told by these alone; in any other one the rows of added
/// files are inserts and those of removed files deletes.
package struct ChangeFeed: Sendable {
    package let schema: TableSchema
    private let table: DeltaTable
    private let last: Int64
    private var next: Int64
    /// The table at the version before `next`; its columns are those of the whole range.
    private var snapshot: TableSnapshot
    /// What is left of the version at work.
    private var parts: [Part] = []
    private var moment = Timestamp(milliseconds: 0)
    private var open: (reader: DeltaFileReader, part: Part, group: Int)?
    private var batches: FileBatches?

    /// Rows of one file.
    private struct Part {
        var file: AddFile
        /// nil: the file's own column says it.
        var kind: RowChange?
        /// Only these rows of the file; nil = all.
        var rows: RowBitmap?
    }

    /// Names of the columns behind those of the table.
    package static let columns: [Field] = [
        Field(RowChange.columnName, .text), Field("_commit_version", .int64),
        Field("_commit_timestamp", .timestampTZ),
    ]

    /// The changes of the versions `first` through `last` (nil = the newest). The feed must have
    /// been on in all of them, and the columns the same.
    package init(
        _ table: DeltaTable, from first: Int64, through last: Int64? = nil
    ) throws(DeltaFailure) {
        let newest = try table.snapshot()
        let end = min(last ?? newest.version, newest.version)
        guard first >= 0, first <= end, last ?? end >= first else {
            throw .versionNotFound(wanted: first, oldest: 0, latest: newest.version)
        }
        self.table = table
        self.last = end
        next = first
        snapshot = try table.snapshot(version: first)
        try Self.requireFeed(snapshot.metadata, version: first)
        schema = TableSchema(snapshot.schema.fields + Self.columns)
    }

    private static func requireFeed(
        _ metadata: TableMetadata, version: Int64
    ) throws(DeltaFailure) {
        guard metadata.flag("delta.enableChangeDataFeed") else {
            throw .invalid(
                "version \(version) has no change data feed: delta.enableChangeDataFeed is not true"
            )
        }
    }

    /// The next changed rows, or nil at the end.
    package mutating func nextBatch() throws(DeltaFailure) -> ColumnBatch? {
        while true {
            if let open, let rows = try batches?.next() {
                if let batch = feedRows(rows, open.part) { return batch }
                continue
            }
            batches = nil
            if let open, open.group < open.reader.rowGroupCount {
                self.open?.group += 1
                let numbers = open.reader.rowNumbers(ofGroup: open.group)
                if open.part.rows.map({ $0.count(in: numbers) > 0 }) ?? true {
                    batches = try open.reader.batches(rowGroup: open.group)
                }
                continue
            }
            open = nil
            if !parts.isEmpty {
                let part = parts.removeFirst()
                open = (try reader(part), part, 0)
                continue
            }
            guard next <= last else { return nil }
            try readVersion(next)
            next += 1
        }
    }

    // MARK: Versions

    private mutating func readVersion(_ version: Int64) throws(DeltaFailure) {
        guard let actions = try table.log.readCommit(version) else {
            throw .versionNotFound(wanted: version, oldest: version + 1, latest: last)
        }
        for case .metadata(let metadata) in actions {
            try Self.requireFeed(metadata, version: version)
            let columns = try metadata.schema.tableSchema()
            guard columns == snapshot.schema else {
                throw .invalid(
                    "the columns of the table change in version \(version): read the changes before"
                        + " and from it separately")
            }
        }
        let info = CommitInfo(actions)
        if let own = info.timestamp {
            moment = own
        } else {
            moment = try table.log.modificationTime(version)
        }
        var changes: [Part] = []
        for case .other("cdc", let body) in actions { changes.append(try changeFile(body)) }
        parts = changes.isEmpty ? try fileChanges(actions) : changes
    }

    private func changeFile(_ body: JSONValue) throws(DeltaFailure) -> Part {
        do throws(DecodeFailure) {
            guard let path = body["path"]?.stringValue, let size = body["size"]?.intValue else {
                throw .malformed("a cdc action without path or size", position: 0)
            }
            let file = AddFile(
                path: try TablePath.decoded(path),
                partitionValues: PartitionValues(json: body["partitionValues"] ?? .null),
                size: max(size, 0), modificationTime: moment)
            return Part(file: file, kind: nil)
        } catch {
            throw .corrupt(path: table.path, detail: "\(error)")
        }
    }

    /// Inserts and deletes as the files say them. A file that is removed and added again with
    /// another list of deleted rows has changed in the rows of which one list knows.
    private func fileChanges(_ actions: [LogAction]) throws(DeltaFailure) -> [Part] {
        var added: OrderedMap<String, AddFile> = [:]
        var removed: OrderedMap<String, AddFile> = [:]
        for action in actions {
            switch action {
            case .add(let file) where file.dataChange: added[file.path] = file
            case .remove(let file) where file.dataChange:
                guard let values = file.partitionValues, let size = file.size else {
                    throw .invalid(
                        "the log does not say enough about the removed file \(file.path)")
                }
                var old = AddFile(
                    path: file.path, partitionValues: values, size: size,
                    modificationTime: moment)
                old.deletionVector = file.deletionVector
                removed[file.path] = old
            default: continue
            }
        }
        var parts: [Part] = []
        for (path, old) in removed {
            guard let new = added[path] else {
                parts.append(Part(file: old, kind: .delete))
                continue
            }
            let before = try deletedRows(of: old)
            let after = try deletedRows(of: new)
            var whole = new
            whole.deletionVector = nil
            let gone = after.subtracting(before)
            if !gone.isEmpty { parts.append(Part(file: whole, kind: .delete, rows: gone)) }
            let back = before.subtracting(after)
            if !back.isEmpty { parts.append(Part(file: whole, kind: .insert, rows: back)) }
        }
        for (path, file) in added where removed[path] == nil {
            parts.append(Part(file: file, kind: .insert))
        }
        return parts
    }

    private func deletedRows(of file: AddFile) throws(DeltaFailure) -> RowBitmap {
        guard let vector = file.deletionVector else { return RowBitmap() }
        return try vector.read(from: table)
    }

    // MARK: Rows

    private func reader(_ part: Part) throws(DeltaFailure) -> DeltaFileReader {
        var source = snapshot
        if part.kind == nil {
            source = try snapshot.adding(DeltaField(RowChange.columnName, .string))
        }
        return try DeltaScan(table, source, files: [part.file]).openFile(part.file)
    }

    private func feedRows(_ rows: FileRows, _ part: Part) -> ColumnBatch? {
        guard let rows = part.rows.map({ rows.keeping(only: $0) }) ?? rows else { return nil }
        let batch = rows.batch
        var columns = batch.columns
        if let kind = part.kind {
            columns.append(.constant(.text, .text(kind.rawValue), count: batch.rowCount))
        }
        let (micros, overflow) = moment.milliseconds.multipliedReportingOverflow(by: 1000)
        columns.append(.constant(.int64, .int(next - 1), count: batch.rowCount))
        columns.append(
            .constant(
                .timestampTZ, overflow ? .null : .timestampTZ(microseconds: micros),
                count: batch.rowCount))
        return ColumnBatch(columns: columns, rowCount: batch.rowCount)
    }
}
