import Base
import Columns

/// A table at one version: what its log adds up to. A value: it stays as it is while the table goes
/// on.
///
/// Invariants: a file is live or a tombstone, never both; `version` is the last applied commit.
package struct TableSnapshot: Sendable {
    package private(set) var version: Int64
    /// The moment of the commit, never earlier than that of the version before.
    package private(set) var timestamp: Timestamp
    package private(set) var tableProtocol: TableProtocol
    package private(set) var metadata: TableMetadata
    /// The columns as the engine sees them, partition columns included.
    package private(set) var schema: TableSchema
    /// Last batch of each application.
    package private(set) var transactions: OrderedMap<String, ApplicationTransaction>
    package private(set) var domains: OrderedMap<String, DomainMetadata>
    private var live: FileSet<AddFile>
    private var removed: FileSet<RemoveFile>

    /// The files of the table in the order in which they were added.
    package var files: [AddFile] { live.files }
    package var fileCount: Int { live.count }
    /// Removed files that old readers may still need.
    package var tombstones: [RemoveFile] { removed.files }

    package func contains(_ key: FileKey) -> Bool { live.contains(key) }

    /// Commits between checkpoints: what the table says, else a hundred, and more for a table of
    /// many files. A checkpoint lists all of them, so that its cost for each commit stays the same
    /// while the table grows: about 20 rows.
    package var checkpointInterval: Int64 {
        if let text = metadata.configuration["delta.checkpointInterval"], let count = Int64(text),
            count > 0
        {
            return count
        }
        let entries = Int64(live.count + removed.count)
        return DeltaLimits.checkpointInterval * max(1, entries / 2000)
    }

    package var totalBytes: Int64 { live.byteCount }
    /// Rows that deletion vectors take out of the files.
    package var deletedRowCount: Int64 { live.deletedRowCount }
    package var deletionVectorCount: Int64 { live.deletionVectorCount }
    /// The live file with this key.
    package func file(_ key: FileKey) -> AddFile? { live[key] }

    /// Rows of all files, or nil when a file does not say it.
    package var rowCount: Int64? { live.rowCount }

    /// The files that `other` has not, or has with other deleted rows.
    package func files(notIn other: TableSnapshot) -> [AddFile] {
        files.filter { !other.contains($0.key) }
    }

    /// The version that `appID` committed last.
    package func lastTransaction(of appID: String) -> Int64? { transactions[appID]?.version }

    /// Positions of the partition columns in `schema`.
    package var partitionIndexes: [Int] {
        metadata.partitionColumns.compactMap { schema.index(of: $0) }
    }

    /// The same files under another description.
    func with(_ metadata: TableMetadata) throws(DeltaFailure) -> TableSnapshot {
        if metadata == self.metadata { return self }
        var changed = self
        changed.metadata = metadata
        changed.schema = try metadata.schema.tableSchema()
        return changed
    }

    /// The same table with one more column, which only some of its files have.
    func adding(_ field: DeltaField) throws(DeltaFailure) -> TableSnapshot {
        var wider = self
        wider.metadata.schema.fields.append(field)
        wider.schema = try wider.metadata.schema.tableSchema()
        return wider
    }

    // MARK: Replay

    /// Collects actions until protocol and metadata are known.
    struct Builder {
        private var snapshot: TableSnapshot?
        private var pendingProtocol: TableProtocol?
        private var pendingMetadata: TableMetadata?
        private var held: [LogAction] = []
        var version: Int64 = -1
        var timestamp: Timestamp = Timestamp(milliseconds: 0)

        init() {}

        init(_ snapshot: TableSnapshot) {
            self.snapshot = snapshot
            version = snapshot.version
            timestamp = snapshot.timestamp
        }

        /// Applies one commit or the content of a checkpoint.
        mutating func apply(
            _ actions: [LogAction], version: Int64, timestamp: Timestamp, path: String
        ) throws(DeltaFailure) {
            self.version = version
            // A clock may step back; moments of a table never do.
            self.timestamp = max(timestamp, self.timestamp)
            if snapshot != nil {
                try snapshot?.apply(
                    actions, version: version, timestamp: self.timestamp, path: path)
                return
            }
            for action in actions {
                switch action {
                case .tableProtocol(let value): pendingProtocol = value
                case .metadata(let value): pendingMetadata = value
                default: held.append(action)
                }
            }
            guard let tableProtocol = pendingProtocol, let metadata = pendingMetadata else {
                return
            }
            try TableFeatures.requireReadable(tableProtocol, metadata)
            var fresh = TableSnapshot(
                version: version, timestamp: self.timestamp, tableProtocol: tableProtocol,
                metadata: metadata, schema: try metadata.schema.tableSchema(), transactions: [:],
                domains: [:], live: FileSet(), removed: FileSet())
            try fresh.apply(held, version: version, timestamp: self.timestamp, path: path)
            held = []
            snapshot = fresh
        }

        consuming func finish(path: String) throws(DeltaFailure) -> TableSnapshot {
            guard let snapshot else {
                throw .corrupt(
                    path: path, detail: "the log has no protocol or no metaData action")
            }
            return snapshot
        }
    }

    private mutating func apply(
        _ actions: [LogAction], version: Int64, timestamp: Timestamp, path: String
    ) throws(DeltaFailure) {
        self.version = version
        self.timestamp = timestamp
        var changed = false
        // Adds and removes of one commit stand for themselves, whatever the order of its lines:
        // removes first, then adds.
        for action in actions {
            switch action {
            case .remove(let file):
                live.remove(file.key)
                removed.insert(file)
            case .tableProtocol(let value):
                tableProtocol = value
                changed = true
            case .metadata(let value):
                metadata = value
                schema = try value.schema.tableSchema()
                changed = true
            case .transaction(let value): transactions[value.appID] = value
            case .domainMetadata(let value):
                domains[value.domain] = value.isRemoved ? nil : value
            case .add, .commitInfo, .other: break
            }
        }
        var adds: [AddFile] = []
        for case .add(let file) in actions { adds.append(file) }
        if removed.count > 0 {
            for file in adds { removed.remove(file.key) }
        }
        live.insert(contentsOf: adds)
        if changed { try TableFeatures.requireReadable(tableProtocol, metadata) }
    }

    /// Traps unless files are found as they are listed. For tests.
    package func checkInvariants() {
        live.checkInvariants()
        removed.checkInvariants()
        for file in removed.files {
            precondition(!live.contains(file.key), "a file is live or removed, never both")
        }
    }

    /// Forgets removed files that no reader may need any more.
    mutating func expireTombstones(now: Timestamp) {
        let retention = metadata.tombstoneMilliseconds
        removed.removeAll {
            ($0.deletionTimestamp?.milliseconds ?? 0) &+ retention < now.milliseconds
        }
    }
}
