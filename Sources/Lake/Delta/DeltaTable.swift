import Base
import Columns
import Synchronization

/// A table: a folder of an object store with a log. Safe to use from several threads: the lock
/// guards the cached snapshot only and is never held while the store works.
package final class DeltaTable: Sendable {
    package let log: CommitLog
    let diagnostics: any Diagnostics
    /// Who checks rows against the table's conditions; without it a table that has some cannot be
    /// written.
    let rulesMaker: RowRulesMaker?
    private let cache = Mutex<TableSnapshot?>(nil)
    let gate = CommitGate()
    private let checkpoints: CheckpointTiming
    private let unfinished = Mutex(UnfinishedCommits())
    /// Where a branch keeps what its commits read; nil for tables that are none.
    let branchReads: BranchReads?

    /// When the checkpoints that this table owes are written.
    package enum CheckpointTiming: Sendable {
        /// By the commit that makes one due, before it returns.
        case withCommit
        /// By `writeDueCheckpoint`, which somebody calls now and then.
        case later
    }

    /// What commits left to be done when their turn was over.
    private struct UnfinishedCommits: Sendable {
        var checksums: [(snapshot: TableSnapshot, transactionID: String?)] = []
        /// The newest version whose checkpoint is due.
        var checkpoint: TableSnapshot?
    }

    /// The table in the folder `path` of `store`, which need not exist yet.
    package init(
        store: any ObjectStore, path: String, diagnostics: any Diagnostics = SilentDiagnostics(),
        rules: RowRulesMaker? = nil, checkpoints: CheckpointTiming = .withCommit
    ) {
        self.checkpoints = checkpoints
        log = CommitLog(store: store, path: path)
        self.diagnostics = diagnostics
        rulesMaker = rules
        branchReads = nil
    }

    /// The table of a branch of `trunk`, whose newest version is `snapshot`.
    init(
        branching trunk: DeltaTable, _ store: BranchStore, _ snapshot: TableSnapshot,
        _ reads: BranchReads
    ) {
        checkpoints = .later
        log = CommitLog(store: store, path: trunk.path)
        diagnostics = trunk.diagnostics
        rulesMaker = trunk.rulesMaker
        branchReads = reads
        remember(snapshot)
    }

    package var store: any ObjectStore { log.store }
    package var path: String { log.path }

    /// The full path of one of the table's files.
    package func fullPath(_ file: String) -> String { path.isEmpty ? file : path + "/" + file }

    // MARK: Creating

    /// Creates the table as its version 0. Partition columns keep their place in the schema.
    @discardableResult
    package func create(
        _ schema: TableSchema, partitionColumns: [String] = [],
        configuration: OrderedMap<String, String> = [:], name: String? = nil,
        comment: String? = nil, columnComments: OrderedMap<String, String> = [:],
        columnMetadata: OrderedMap<String, [JSONMember]> = [:], clusterBy: [String] = [],
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> TableSnapshot {
        var described = columnMetadata
        for (name, text) in columnComments {
            described[name, default: []].append(
                JSONMember(DeltaField.commentKey, .string(text)))
        }
        let columns = try Self.columns(
            schema, metadata: described, partitionColumns: partitionColumns)
        let metadata = TableMetadata(
            id: random.uuid().description, name: name, comment: comment, schema: columns,
            partitionColumns: partitionColumns, configuration: configuration,
            createdTime: now.timestamp
        ).assigningColumnIDs(existing: nil, random: &random)
            .namingRowTrackingColumns(random: &random)
        var tableProtocol = try TableFeatures.minimalProtocol(for: metadata)
        var domains: [DomainMetadata] = []
        if !clusterBy.isEmpty {
            domains.append(try Clustering.domain(clusterBy, metadata))
            tableProtocol =
                try Clustering.upgrade(of: tableProtocol, for: metadata) ?? tableProtocol
        }
        try requireWritable(tableProtocol, metadata)
        let operation = CommitOperation.createTable(metadata)
        let info = operation.commitInfo(
            timestamp: now.timestamp, readVersion: nil, isBlindAppend: true, metrics: [],
            transactionID: random.uuid().description,
            inCommitTimestamp: metadata.flag("delta.enableInCommitTimestamps"))
        let actions: [LogAction] =
            [
                .commitInfo(info), .tableProtocol(tableProtocol), .metadata(metadata),
            ] + domains.map { .domainMetadata($0) }
        let existing = try log.list()
        guard existing.isEmpty, try log.writeCommit(0, actions) else {
            throw .tableExists(path: path)
        }
        var builder = TableSnapshot.Builder()
        try builder.apply(actions, version: 0, timestamp: now.timestamp, path: path)
        let snapshot = try builder.finish(path: path)
        remember(snapshot)
        return snapshot
    }

    /// The columns of a new table, with what is said about each of them.
    static func columns(
        _ schema: TableSchema, metadata: OrderedMap<String, [JSONMember]>,
        partitionColumns: [String]
    ) throws(DeltaFailure) -> DeltaSchema {
        var columns = try DeltaSchema(schema)
        for index in columns.fields.indices {
            columns.fields[index].metadata += metadata[columns.fields[index].name] ?? []
        }
        try checkPartitioning(schema, partitionColumns)
        return columns
    }

    private static func checkPartitioning(
        _ schema: TableSchema, _ partitionColumns: [String]
    ) throws(DeltaFailure) {
        for (place, column) in partitionColumns.enumerated() {
            guard let index = schema.index(of: column) else {
                throw .invalid("partition column '\(column)' is not a column of the table")
            }
            if partitionColumns[..<place].contains(column) {
                throw .invalid("partition column '\(column)' is listed twice")
            }
            let type = schema.fields[index].type
            if !PartitionValues.canPartition(type) {
                throw .unsupportedType(
                    column: column, type: type.sqlName,
                    hint: "partition by a date, number or short text")
            }
        }
        if partitionColumns.count == schema.fields.count {
            throw .invalid("at least one column of a table must not be a partition column")
        }
    }

    // MARK: Snapshots

    /// True when the folder has a log with at least one version or checkpoint.
    package func exists() throws(DeltaFailure) -> Bool {
        if cache.withLock({ $0 != nil }) { return true }
        return try !log.list().isEmpty
    }

    /// The newest version. After the first call this reads only what was committed since then.
    package func snapshot() throws(DeltaFailure) -> TableSnapshot {
        guard let known = cache.withLock({ $0 }) else {
            let loaded = try load(through: nil)
            remember(loaded)
            return loaded
        }
        var builder = TableSnapshot.Builder(known)
        var next = known.version + 1
        while let actions = try log.readCommit(next) {
            try builder.apply(
                actions, version: next, timestamp: try moment(of: next, actions), path: path)
            next += 1
        }
        if next == known.version + 1 { return known }
        let fresh = try builder.finish(path: path)
        remember(fresh)
        return fresh
    }

    /// The last snapshot that was read or written here, without asking the store.
    package var cachedSnapshot: TableSnapshot? { cache.withLock { $0 } }

    /// The table as it was at `version`.
    package func snapshot(version: Int64) throws(DeltaFailure) -> TableSnapshot {
        if let known = cache.withLock({ $0 }), known.version == version { return known }
        return try load(through: version)
    }

    /// The table as it was at `moment`: the last version committed at or before it.
    package func snapshot(at moment: Timestamp) throws(DeltaFailure) -> TableSnapshot {
        try snapshot(version: try version(at: moment))
    }

    /// The last version committed at or before `moment`. Moments are those that the commits give
    /// themselves, else the times of their files; they are searched by halves, which is exact
    /// because they rise (our commits see to it).
    package func version(at moment: Timestamp) throws(DeltaFailure) -> Int64 {
        let listing = try log.list()
        if listing.isEmpty { throw .notATable(path: path) }
        let commits = listing.commits
        let oldest = try oldestReadable(listing)
        var low = commits.firstIndex { $0.version >= oldest } ?? commits.count
        var high = commits.count
        guard low < high else {
            throw .versionNotFound(wanted: oldest, oldest: oldest, latest: oldest)
        }
        let first = try self.moment(ofCommit: commits[low])
        if moment < first { throw .timestampNotFound(wanted: moment, oldest: first) }
        // Invariant: commits[low] is at or before the moment, commits[high] (if any) after it.
        while high - low > 1 {
            let middle = (low + high) / 2
            if try self.moment(ofCommit: commits[middle]) <= moment {
                low = middle
            } else {
                high = middle
            }
        }
        return commits[low].version
    }

    private func moment(
        ofCommit commit: (version: Int64, entry: ObjectEntry)
    ) throws(DeltaFailure) -> Timestamp {
        let actions = try log.readCommit(commit.version) ?? []
        return CommitInfo(actions).timestamp ?? commit.entry.modified
    }

    private func moment(
        of version: Int64, _ actions: [LogAction]
    ) throws(DeltaFailure) -> Timestamp {
        if let moment = CommitInfo(actions).timestamp { return moment }
        return try log.modificationTime(version)
    }

    /// The lowest version from which the log is whole.
    private func oldestReadable(_ listing: CommitLog.Listing) throws(DeltaFailure) -> Int64 {
        if listing.commits.first?.version == 0 { return 0 }
        return listing.checkpoints.first?.version ?? listing.commits.first?.version ?? 0
    }

    /// Reads the log from its newest usable checkpoint at or below `wanted` (nil = the newest).
    private func load(through wanted: Int64?) throws(DeltaFailure) -> TableSnapshot {
        if let snapshot = try loadFromHint(through: wanted) { return snapshot }
        let listing = try log.list()
        guard !listing.isEmpty else { throw .notATable(path: path) }
        let newest = listing.newest
        let target = wanted ?? newest
        guard target <= newest, target >= 0 else {
            throw .versionNotFound(
                wanted: target, oldest: try oldestReadable(listing), latest: newest)
        }
        var skipped: DeltaFailure?
        // A version that does not add up to its own checksum: better than nothing.
        var suspect: TableSnapshot?
        func isWhole(_ snapshot: TableSnapshot) -> Bool {
            guard let difference = difference(of: snapshot, listing) else { return true }
            diagnostics.report(
                .error, "delta", "version \(target) of \(path) has \(difference)")
            return false
        }
        for checkpoint in listing.checkpoints.reversed() where checkpoint.version <= target {
            do throws(DeltaFailure) {
                let start = try readCheckpoint(checkpoint, listing)
                let snapshot = try replay(from: start, through: target, listing)
                if isWhole(snapshot) { return snapshot }
                suspect = suspect ?? snapshot
            } catch {
                // A checkpoint only saves work: the one before it, or the commits themselves, may
                // still tell the whole story.
                if case .unsupportedFeature = error { throw error }
                diagnostics.report(
                    .warning, "delta", "checkpoint \(checkpoint.version) of \(path): \(error)")
                skipped = skipped ?? error
            }
        }
        if listing.commits.first?.version != 0 {
            if let suspect { return suspect }
            if let skipped { throw skipped }
        }
        let snapshot = try replay(from: TableSnapshot.Builder(), through: target, listing)
        return isWhole(snapshot) ? snapshot : suspect ?? snapshot
    }

    /// The same with a look only at what the log has from the checkpoint on that it names as its last
    /// one; nil when that is not enough, for whatever reason.
    private func loadFromHint(through wanted: Int64?) throws(DeltaFailure) -> TableSnapshot? {
        guard let hint = log.hintedCheckpoint(), wanted ?? hint >= hint else { return nil }
        let listing = try log.list(from: hint)
        let target = wanted ?? listing.newest
        guard target <= listing.newest,
            let checkpoint = listing.checkpoints.last(where: { $0.version <= target })
        else { return nil }
        do throws(DeltaFailure) {
            let snapshot = try replay(
                from: try readCheckpoint(checkpoint, listing), through: target, listing)
            return difference(of: snapshot, listing) == nil ? snapshot : nil
        } catch {
            if case .unsupportedFeature = error { throw error }
            return nil
        }
    }

    /// In which way `snapshot` is not what the log's own checksum says; nil when it is.
    private func difference(
        of snapshot: TableSnapshot, _ listing: CommitLog.Listing
    ) -> String? {
        guard listing.checksums.contains(where: { $0.version == snapshot.version }) else {
            return nil
        }
        return checksumDifference(snapshot)
    }

    private func readCheckpoint(
        _ checkpoint: CommitLog.Checkpoint, _ listing: CommitLog.Listing
    ) throws(DeltaFailure) -> TableSnapshot.Builder {
        let actions = try CheckpointReader(log: log).read(checkpoint)
        var moment = checkpoint.modified
        if let commit = listing.commits.first(where: { $0.version == checkpoint.version }) {
            moment = try self.moment(ofCommit: commit)
        }
        var builder = TableSnapshot.Builder()
        try builder.apply(
            actions, version: checkpoint.version, timestamp: moment, path: path)
        return builder
    }

    private func replay(
        from start: consuming TableSnapshot.Builder, through target: Int64,
        _ listing: CommitLog.Listing
    ) throws(DeltaFailure) -> TableSnapshot {
        var builder = start
        var next = builder.version + 1
        for commit in listing.commits where commit.version >= next && commit.version <= target {
            // The commits that a compaction stands for need not be there.
            while next <= commit.version,
                let through = try applyCompaction(from: next, through: target, listing, &builder)
            {
                next = through + 1
            }
            if commit.version < next { continue }
            guard commit.version == next, let actions = try log.readCommit(next) else {
                throw .gap(path: path, missing: next)
            }
            let moment = CommitInfo(actions).timestamp ?? commit.entry.modified
            try builder.apply(actions, version: next, timestamp: moment, path: path)
            next += 1
        }
        while next <= target {
            guard let through = try applyCompaction(from: next, through: target, listing, &builder)
            else { throw .gap(path: path, missing: next) }
            next = through + 1
        }
        return try builder.finish(path: path)
    }

    /// The table at `version` as the commits alone give it, from the first one on.
    func replayed(
        through version: Int64, _ listing: CommitLog.Listing
    ) throws(DeltaFailure) -> TableSnapshot {
        var commits = listing
        commits.compactions = []
        return try replay(from: TableSnapshot.Builder(), through: version, commits)
    }

    /// Applies the longest file that stands for the commits from `first` on, and returns the last
    /// of them; nil when there is none that can be read.
    private func applyCompaction(
        from first: Int64, through target: Int64, _ listing: CommitLog.Listing,
        _ builder: inout TableSnapshot.Builder
    ) throws(DeltaFailure) -> Int64? {
        let fitting = listing.compactions.last { $0.from == first && $0.through <= target }
        guard let fitting, fitting.through > first else { return nil }
        do throws(DeltaFailure) {
            guard let actions = try log.readActions(fitting.entry.path) else { return nil }
            var moment = fitting.entry.modified
            if let commit = listing.commits.first(where: { $0.version == fitting.through }) {
                moment = try self.moment(ofCommit: commit)
            }
            try builder.apply(actions, version: fitting.through, timestamp: moment, path: path)
            return fitting.through
        } catch {
            // The commits themselves may still be there.
            if case .unsupportedFeature = error { throw error }
            diagnostics.report(.warning, "delta", "\(fitting.entry.path): \(error)")
            return nil
        }
    }

    /// Notes what is left to be done for a version that was just committed.
    func noteCommit(_ snapshot: TableSnapshot, transactionID: String?) {
        if branchReads != nil { return }
        unfinished.withLock { unfinished in
            unfinished.checksums.append((snapshot, transactionID))
            if snapshot.version % snapshot.checkpointInterval == 0 {
                unfinished.checkpoint = snapshot
            }
        }
    }

    /// Does what the commits so far have left. None of it can undo a commit: what fails is reported.
    func finishCommits() {
        let checksums = unfinished.withLock { unfinished in
            defer { unfinished.checksums = [] }
            return unfinished.checksums
        }
        for (snapshot, id) in checksums {
            writeChecksum(of: snapshot, transactionID: id)
            compactLogIfDue(
                at: snapshot.version, checkpointInterval: snapshot.checkpointInterval)
        }
        if checkpoints == .withCommit { writeDueCheckpoint() }
    }

    /// Writes the checkpoint that is due, if one is, and returns its version.
    @discardableResult
    package func writeDueCheckpoint() -> Int64? {
        let due = unfinished.withLock { unfinished in
            defer { unfinished.checkpoint = nil }
            return unfinished.checkpoint
        }
        guard let due else { return nil }
        do throws(DeltaFailure) {
            try writeCheckpoint(of: due)
            return due.version
        } catch {
            diagnostics.report(
                .warning, "delta", "checkpoint \(due.version) of \(path): \(error)")
            return nil
        }
    }

    /// Keeps `snapshot` as the newest known unless a newer one is known.
    func remember(_ snapshot: TableSnapshot) {
        cache.withLock { known in
            if let known, known.version >= snapshot.version { return }
            known = snapshot
        }
    }

    /// Puts a slimmer form of the newest known version in its place.
    func replaceCache(with snapshot: TableSnapshot) {
        cache.withLock { known in
            if let known, known.version != snapshot.version { return }
            known = snapshot
        }
    }

    // MARK: Changing

    /// A transaction on the newest version. `random` names its files.
    package func begin(random: inout Random) throws(DeltaFailure) -> TableTransaction {
        let snapshot = try snapshot()
        try requireWritable(snapshot.tableProtocol, snapshot.metadata)
        return TableTransaction(table: self, snapshot: snapshot, random: random.fork())
    }

    func requireWritable(
        _ tableProtocol: TableProtocol, _ metadata: TableMetadata
    ) throws(DeltaFailure) {
        try TableFeatures.requireWritable(
            tableProtocol, metadata, checksRows: rulesMaker != nil)
    }

    // MARK: History

    /// The newest `limit` commits that the log still has, newest first.
    package func history(limit: Int = 100) throws(DeltaFailure) -> [HistoryEntry] {
        // What is older than the entries that are wanted need not be looked at. The history of a table
        // whose rows cannot be read is there all the same.
        var listing = CommitLog.Listing()
        if let newest = try? snapshot().version {
            let (first, overflow) = newest.subtractingReportingOverflow(Int64(max(limit, 1)) - 1)
            listing = try log.list(from: overflow ? 0 : max(0, first))
        }
        if listing.commits.isEmpty { listing = try log.list() }
        guard !listing.isEmpty else { throw .notATable(path: path) }
        var entries: [HistoryEntry] = []
        for commit in listing.commits.reversed().prefix(max(limit, 0)) {
            guard let actions = try log.readCommit(commit.version) else { continue }
            entries.append(
                HistoryEntry(
                    version: commit.version, info: CommitInfo(actions),
                    fallback: commit.entry.modified))
        }
        return entries
    }
}

/// One line of a table's history.
package struct HistoryEntry: Sendable {
    package var version: Int64
    package var timestamp: Timestamp
    package var operation: String
    package var parameters: [JSONMember]
    package var metrics: [JSONMember]
    package var engine: String?
    package var isBlindAppend: Bool?

    init(version: Int64, info: CommitInfo, fallback: Timestamp) {
        self.version = version
        timestamp = info.timestamp ?? fallback
        operation = info.operation ?? ""
        parameters = info.parameters
        metrics = info.metrics
        engine = info.engine
        isBlindAppend = info.isBlindAppend
    }

    package var json: JSONValue {
        var object = SparseObject()
        object.add("version", version)
        object.add("timestamp", timestamp.milliseconds)
        object.add("operation", operation)
        object.add("operationParameters", .object(parameters))
        object.add("operationMetrics", .object(metrics))
        object.add("engineInfo", engine)
        object.add("isBlindAppend", isBlindAppend.map { .bool($0) })
        return object.json
    }
}
