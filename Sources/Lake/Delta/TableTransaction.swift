import Base
import Columns

/// Changes to a table that become visible together, or not at all.
///
/// Data files are written durably before the commit; a crash in between leaves files that nothing
/// refers to. The commit is the creation of the next version's file, which exactly one of any
/// number of writers can do; the others look at what was committed and try the version after it,
/// unless it contradicts them.
package struct TableTransaction: Sendable {
    package let table: DeltaTable
    /// The version that this transaction has read.
    package let snapshot: TableSnapshot
    /// What of the table the outcome depends on, so that concurrent changes of it contradict.
    private var reads = ReadScope()
    package private(set) var added: [AddFile] = []
    package private(set) var removed: [RemoveFile] = []
    private var transactions: [ApplicationTransaction] = []
    private var domains: [DomainMetadata] = []
    /// Files with the rows that changed, for readers of the change data feed.
    private var changeFiles: [ChangeFile] = []
    private var newMetadata: TableMetadata?
    private var newProtocol: TableProtocol?
    /// The last numbers that identity columns gave here.
    private var identityMarks: OrderedMap<String, Int64> = [:]
    private var addedRows: Int64 = 0
    /// The files that are removed are among those that `reads` describes.
    private var removesWhatItRead = false
    private var random: Random

    init(table: DeltaTable, snapshot: TableSnapshot, random: Random) {
        self.table = table
        self.snapshot = snapshot
        self.random = random
    }

    /// The table's description as this transaction leaves it.
    package var metadata: TableMetadata { newMetadata ?? snapshot.metadata }
    package var tableProtocol: TableProtocol { newProtocol ?? snapshot.tableProtocol }

    // MARK: Changes

    /// True when the outcome depends on rows of the table.
    package var readsTable: Bool { !reads.isEmpty }

    /// A name that no other file of the table has or will have.
    package mutating func newFileName(codec: String) -> String {
        "part-00000-\(random.uuid()).c000.\(codec).parquet"
    }

    /// Writes `content`, a whole Parquet file, durably into the folder of its partition and adds it
    /// to the table with the commit. Returns its path.
    @discardableResult
    package mutating func appendFile(
        _ content: Bytes, rowCount: Int64, columns: [ColumnSummary],
        partitionValues: PartitionValues = PartitionValues(), codec: String = "snappy",
        dataChange: Bool = true, now: Now
    ) throws(DeltaFailure) -> String {
        try appendFile(
            [content], rowCount: rowCount, columns: columns, partitionValues: partitionValues,
            codec: codec, dataChange: dataChange, now: now)
    }

    /// The same for a file in pieces. `clusteringProvider` says who ordered its rows, if someone did.
    @discardableResult
    mutating func appendFile(
        _ content: [Bytes], rowCount: Int64, columns: [ColumnSummary],
        partitionValues: PartitionValues, codec: String, dataChange: Bool,
        clusteringProvider: String? = nil, now: Now
    ) throws(DeltaFailure) -> String {
        for column in metadata.physicalPartitionColumns
        where !partitionValues.entries.contains(where: { $0.column == column }) {
            throw .invalid("a file without a value of partition column '\(column)'")
        }
        let path = partitionValues.folder + newFileName(codec: codec)
        let full = table.fullPath(path)
        try storing { () throws(StorageFailure) in try table.store.put(full, pieces: content) }
        let size = content.reduce(Int64(0)) { $0 + Int64($1.count) }
        var file = AddFile(
            path: path, partitionValues: partitionValues, size: size,
            modificationTime: now.timestamp, dataChange: dataChange,
            statistics: FileStatistics.text(
                rowCount: rowCount, columns: metadata.columnsWithStatistics(columns), limit: -1))
        file.clusteringProvider = clusteringProvider
        addFile(file, rowCount: rowCount)
        return path
    }

    /// Adds a file that is in place already.
    package mutating func addFile(_ file: AddFile, rowCount: Int64) {
        added.append(file)
        addedRows &+= rowCount
    }

    /// Removes a file of the snapshot with the commit. With `dataChange` false its rows are in
    /// files that this transaction adds: then others may append meanwhile.
    package mutating func remove(
        _ file: AddFile, dataChange: Bool = true, now: Now
    ) throws(DeltaFailure) {
        guard snapshot.contains(file.key) else {
            throw .invalid("\(file.path) is not a file of version \(snapshot.version)")
        }
        if dataChange, snapshot.metadata.flag("delta.appendOnly") {
            throw .invalid("rows of this table cannot be removed: it is delta.appendOnly")
        }
        if dataChange, !removesWhatItRead { reads.everything = true }
        removed.append(RemoveFile(file, at: now.timestamp, dataChange: dataChange))
    }

    /// Removes every file of the snapshot: what is added replaces the whole content.
    package mutating func removeAll(now: Now) throws(DeltaFailure) {
        reads.everything = true
        for file in snapshot.files { try remove(file, now: now) }
    }

    /// Says that the outcome depends on all rows of this table.
    package mutating func markAsReading() { reads.everything = true }

    /// Says that the outcome depends on the rows that fulfil all of `ranges`, and that only files
    /// which may have such rows are removed.
    package mutating func markAsReading(_ ranges: [ColumnRange]) {
        if ranges.isEmpty {
            reads.everything = true
        } else {
            reads.ranges.append(ranges)
        }
        removesWhatItRead = true
    }

    /// Lists the rows of `file` that are deleted from now on, in place of those listed before.
    /// `vector` is where the list is.
    mutating func replaceDeletionVector(
        of file: AddFile, with vector: DeletionVector, rowCount: Int64, now: Now
    ) throws(DeltaFailure) {
        try remove(file, now: now)
        var changed = file
        changed.deletionVector = vector
        changed.dataChange = true
        changed.statistics = FileStatistics.loosened(file.statistics, rowCount: rowCount)
        added.append(changed)
    }

    /// Writes `content`, rows with their kind of change, durably for readers of the change feed.
    mutating func appendChangeFile(
        _ content: [Bytes], partitionValues: PartitionValues, codec: String
    ) throws(DeltaFailure) {
        let name = "cdc-00000-\(random.uuid()).c000.\(codec).parquet"
        let path = "_change_data/" + partitionValues.folder + name
        let full = table.fullPath(path)
        try storing { () throws(StorageFailure) in try table.store.put(full, pieces: content) }
        let size = content.reduce(Int64(0)) { $0 + Int64($1.count) }
        changeFiles.append(ChangeFile(path: path, partitionValues: partitionValues, size: size))
    }

    /// Gives rows that are to be added numbers in the identity columns `columns`, where they have
    /// none. `batch` has the table's columns in their order.
    package mutating func number(
        _ batch: ColumnBatch, columns: [String]
    ) throws(DeltaFailure) -> ColumnBatch {
        try metadata.number(batch, columns: columns, marks: &identityMarks)
    }

    /// A generator of its own for one part of the work, such as the name of another kind of file.
    mutating func forkRandom() -> Random { random.fork() }

    /// Sets the configuration of a named subsystem; others are kept.
    package mutating func setDomain(_ domain: DomainMetadata) {
        domains.removeAll { $0.domain == domain.domain }
        domains.append(domain)
    }

    /// Sets the columns that OPTIMIZE brings rows near each other by, none = not any more. Files stay
    /// as they are.
    package mutating func setClustering(_ columns: [String]) throws(DeltaFailure) {
        let metadata = self.metadata
        if columns.isEmpty, snapshot.domains[Clustering.domain] == nil { return }
        setDomain(try Clustering.domain(columns, metadata))
        guard
            let upgraded = try Clustering.upgrade(of: tableProtocol, for: metadata)
        else { return }
        try table.requireWritable(upgraded, metadata)
        newProtocol = upgraded
    }

    /// Makes the commit the batch `version` of `appID`. Throws `duplicateTransaction` when the
    /// table has that batch or a later one: then everything of it is in the table already.
    package mutating func setTransaction(
        appID: String, version: Int64, now: Now
    ) throws(DeltaFailure) {
        if let committed = snapshot.lastTransaction(of: appID), committed >= version {
            throw .duplicateTransaction(appID: appID, version: version, committed: committed)
        }
        transactions.removeAll { $0.appID == appID }
        transactions.append(
            ApplicationTransaction(appID: appID, version: version, lastUpdated: now.timestamp))
    }

    /// Sets the batch numbers of all applications back to those of `target`.
    mutating func restoreTransactions(of target: TableSnapshot) throws(DeltaFailure) {
        for (id, current) in snapshot.transactions
        where target.transactions[id]?.version != current.version {
            // There is no way to take a number away; batches are counted from 0.
            let old = target.transactions[id]
            transactions.append(
                ApplicationTransaction(
                    appID: id, version: old?.version ?? -1, lastUpdated: old?.lastUpdated))
        }
    }

    /// Replaces the table's description: comment, settings, columns. With `replacesColumns` the
    /// columns have nothing to do with those before, whatever their names. `needed` is a protocol
    /// whose features the table shall have, too.
    package mutating func setMetadata(
        _ wanted: TableMetadata, replacesColumns: Bool = false, needing needed: TableProtocol? = nil
    ) throws(DeltaFailure) {
        let metadata = wanted.assigningColumnIDs(
            existing: replacesColumns ? nil : self.metadata, random: &random
        ).namingRowTrackingColumns(random: &random)
        do throws(DecodeFailure) {
            try metadata.checkPartitionColumns()
        } catch {
            throw .invalid("\(error)")
        }
        newProtocol = try TableFeatures.upgrade(
            of: snapshot.tableProtocol, for: metadata, needing: needed)
        try table.requireWritable(newProtocol ?? snapshot.tableProtocol, metadata)
        newMetadata = metadata
        if metadata.keepsRowNumbers, !snapshot.tracksRows { try numberAllRows() }
    }

    /// Adds the files that have no row numbers again, so that the commit gives them some: what row
    /// tracking wants of every file once it is on.
    private mutating func numberAllRows() throws(DeltaFailure) {
        if metadata.flag(RowTracking.suspension) {
            throw .invalid("rows cannot be tracked while \(RowTracking.suspension) is set")
        }
        // Files that come in between would have none.
        reads.everything = true
        var known = Set(removed.map(\.key))
        known.formUnion(added.map(\.key))
        for var file in snapshot.files where file.baseRowID == nil && !known.contains(file.key) {
            file.dataChange = false
            added.append(file)
        }
    }

    /// Adds columns that older files do not have: they read as NULL there.
    package mutating func addColumns(_ fields: [Field]) throws(DeltaFailure) {
        var metadata = self.metadata
        for field in try DeltaSchema(TableSchema(fields)).fields {
            let name = field.name.lowercased()
            if metadata.schema.fields.contains(where: { $0.name.lowercased() == name }) {
                throw .invalid("column '\(field.name)' exists already")
            }
            var nullable = field
            nullable.isNullable = true
            metadata.schema.fields.append(nullable)
        }
        try setMetadata(metadata)
    }

    /// Takes all that `branch`, a version that began with the snapshot, has more and less than it.
    /// `reads` is what led to it.
    mutating func take(_ branch: TableSnapshot, reads: ReadScope, now: Now) {
        self.reads = reads
        let before = Set(snapshot.files.map(\.key))
        for var file in branch.files where !before.contains(file.key) {
            file.dataChange = true
            added.append(file)
            addedRows &+= file.recordedRowCount ?? 0
        }
        for file in snapshot.files where !branch.contains(file.key) {
            removed.append(RemoveFile(file, at: now.timestamp, dataChange: true))
        }
        if branch.metadata != snapshot.metadata {
            newMetadata = branch.metadata
            self.reads.everything = true
        }
        if branch.tableProtocol != snapshot.tableProtocol {
            newProtocol = branch.tableProtocol
        }
    }

    package var isEmpty: Bool {
        added.isEmpty && removed.isEmpty && transactions.isEmpty && domains.isEmpty
            && newMetadata == nil && newProtocol == nil
    }

    // MARK: Commit

    /// Makes the changes visible and returns the new version. When storage fails the outcome is
    /// unknown until the table is read again; a batch with `setTransaction` can then be repeated
    /// safely.
    ///
    /// The commits of this process take turns. Transactions that only add files and wait for the
    /// same turn become one version together.
    package consuming func commit(
        _ operation: CommitOperation, now: Now
    ) throws(DeltaFailure) -> Int64 {
        let table = table
        defer { table.finishCommits() }
        guard onlyAppends, operation.metrics.isEmpty else {
            let alone = self
            return try table.gate.alone { () throws(DeltaFailure) in
                try alone.commitAlone(operation, now: now)
            }
        }
        let ticket = CommitTicket(self, operation, now: now)
        return try table.gate.together(ticket) { Self.commit($0) }
    }

    /// True when the transaction adds files and batch numbers and depends on nothing. Rows that were
    /// numbered depend on the numbers that were given before.
    private var onlyAppends: Bool {
        !readsTable && removed.isEmpty && domains.isEmpty && changeFiles.isEmpty
            && newMetadata == nil && newProtocol == nil && identityMarks.isEmpty
    }

    /// Commits all of `tickets`, as few versions as can be, and gives each its outcome.
    private static func commit(_ tickets: [CommitTicket]) {
        var rest = tickets[...]
        while let first = rest.popFirst() {
            var group = [first]
            var whole = first.transaction
            while let next = rest.first, next.operation == first.operation,
                whole.join(next.transaction)
            {
                group.append(next)
                rest.removeFirst()
            }
            let outcome = whole.outcome(first.operation, now: first.now)
            if case .failure(let failure) = outcome, group.count > 1, failure.isRefusal {
                // One of them may be at fault, the others are not. After a failure of the store the
                // version may be there all the same, and nobody may try again.
                for ticket in group {
                    ticket.finish(ticket.transaction.outcome(ticket.operation, now: ticket.now))
                }
                continue
            }
            for ticket in group { ticket.finish(outcome) }
        }
    }

    fileprivate func outcome(
        _ operation: CommitOperation, now: Now
    ) -> Result<Int64, DeltaFailure> {
        do throws(DeltaFailure) {
            return .success(try commitAlone(operation, now: now))
        } catch {
            return .failure(error)
        }
    }

    /// Takes the changes of `other`, another transaction that only appends, and returns true; false
    /// when the two are not to be one version.
    private mutating func join(_ other: TableTransaction) -> Bool {
        if snapshot.version != other.snapshot.version {
            // What either would be checked against must be the same for both.
            guard snapshot.metadata == other.snapshot.metadata,
                snapshot.tableProtocol == other.snapshot.tableProtocol
            else { return false }
            for batch in transactions + other.transactions
            where snapshot.lastTransaction(of: batch.appID)
                != other.snapshot.lastTransaction(of: batch.appID)
            {
                return false
            }
        }
        for batch in other.transactions
        where transactions.contains(where: { $0.appID == batch.appID }) {
            return false
        }
        added += other.added
        addedRows &+= other.addedRows
        transactions += other.transactions
        return true
    }

    private func commitAlone(
        _ operation: CommitOperation, now: Now
    ) throws(DeltaFailure) -> Int64 {
        var random = random
        let transactionID = random.uuid().description
        // What the table is at each attempt; advanced over the commits of others.
        var base = snapshot
        for _ in 0..<DeltaLimits.commitAttempts {
            let version = base.version + 1
            let timestamp = Timestamp(
                milliseconds: max(
                    now.timestamp.milliseconds, base.timestamp.milliseconds &+ 1))
            let actions = try lines(
                operation, transactionID: transactionID, after: base, timestamp: timestamp)
            if try table.log.writeCommit(version, actions) {
                try finish(base, actions, version: version, timestamp: timestamp)
                return version
            }
            guard let winner = try table.log.readCommit(version) else {
                // Created and gone again: somebody cleans the log below our feet.
                throw .gap(path: table.path, missing: version)
            }
            let info = CommitInfo(winner)
            if info.transactionID == transactionID {
                // The store answered "exists" to a repetition of our own request.
                try finish(base, winner, version: version, timestamp: timestamp)
                return version
            }
            try checkConflicts(with: winner, info, base: base, version: version)
            var builder = TableSnapshot.Builder(base)
            try builder.apply(
                winner, version: version, timestamp: info.timestamp ?? base.timestamp,
                path: table.path)
            base = try builder.finish(path: table.path)
        }
        throw .contention(attempts: DeltaLimits.commitAttempts)
    }

    private func lines(
        _ operation: CommitOperation, transactionID: String, after base: TableSnapshot,
        timestamp: Timestamp
    ) throws(DeltaFailure) -> [LogAction] {
        let version = base.version + 1
        var added = added
        var domains = domains
        let isNumbered =
            tableProtocol.supports(RowTracking.feature) && !metadata.flag(RowTracking.suspension)
        if isNumbered {
            let given = try RowTracking.highWaterMark(base)
            let before = try max(
                given,
                RowTracking.highWaterMark(domains.first { $0.domain == RowTracking.domain }))
            let mark = try RowTracking.assign(&added, above: before, version: version)
            domains.removeAll { $0.domain == RowTracking.domain }
            if mark > given { domains.append(RowTracking.domain(highWaterMark: mark)) }
        }
        var metrics: [JSONMember] = [
            JSONMember("numFiles", .string(String(added.count))),
            JSONMember("numOutputRows", .string(String(addedRows))),
            JSONMember(
                "numOutputBytes", .string(String(added.reduce(0) { $0 &+ $1.size }))),
        ]
        if !removed.isEmpty {
            metrics.append(JSONMember("numRemovedFiles", .string(String(removed.count))))
        }
        metrics = metrics.filter { own in !operation.metrics.contains { $0.key == own.key } }
        var actions: [LogAction] = [
            .commitInfo(
                operation.commitInfo(
                    timestamp: timestamp, readVersion: snapshot.version,
                    isBlindAppend: !readsTable && newMetadata == nil && removed.isEmpty,
                    metrics: metrics + operation.metrics,
                    transactionID: transactionID,
                    preservesRowNumbers: isNumbered ? movesNoUnmarkedRows : nil,
                    inCommitTimestamp: metadata.flag("delta.enableInCommitTimestamps")
                        && tableProtocol.supports("inCommitTimestamp")))
        ]
        if let newProtocol { actions.append(.tableProtocol(newProtocol)) }
        if newMetadata != nil || !identityMarks.isEmpty {
            actions.append(
                .metadata(
                    metadata.numbered(identityMarks).markingCommitTimestamps(
                        after: snapshot.metadata, version: version, timestamp: timestamp)))
        }
        actions += transactions.map { .transaction($0) }
        actions += domains.map { .domainMetadata($0) }
        actions += removed.map { .remove($0) }
        actions += added.map { .add($0) }
        actions += changeFiles.map { .other(name: "cdc", $0.json) }
        return actions
    }

    /// True when no row loses its number: there are no rows that moved, or they carry their marks.
    private var movesNoUnmarkedRows: Bool {
        if snapshot.tracksRows || removed.isEmpty { return true }
        let old = Set(removed.map { FileKey(path: $0.path) })
        return added.allSatisfy { old.contains(FileKey(path: $0.path)) }
    }

    /// Decides whether this transaction can follow `winner`, which it has not read. `base` is the
    /// table before it.
    private func checkConflicts(
        with winner: [LogAction], _ info: CommitInfo, base: TableSnapshot, version: Int64
    ) throws(DeltaFailure) {
        let own = Set(removed.map { FileKey(path: $0.path) })
        // The weaker isolation lets rows that nobody computed from this table come in between.
        let ignoresAppends =
            info.isBlindAppend == true
            && snapshot.metadata.configuration["delta.isolationLevel"] == "WriteSerializable"
        for action in winner {
            switch action {
            case .tableProtocol: throw .conflict(.protocolChanged, version: version)
            case .metadata: throw .conflict(.metadataChanged, version: version)
            case .transaction(let theirs):
                guard let mine = transactions.first(where: { $0.appID == theirs.appID }) else {
                    continue
                }
                if theirs.version >= mine.version {
                    throw .duplicateTransaction(
                        appID: mine.appID, version: mine.version, committed: theirs.version)
                }
                throw .conflict(.concurrentTransaction, version: version)
            case .domainMetadata(let theirs):
                if domains.contains(where: { $0.domain == theirs.domain }) {
                    throw .conflict(.domainChanged, version: version)
                }
            case .remove(let file):
                if own.contains(FileKey(path: file.path)) {
                    throw .conflict(.concurrentDeleteDelete, version: version)
                }
                if reads.touches(base.file(file.key), in: snapshot) {
                    throw .conflict(.concurrentDeleteRead, version: version)
                }
            case .add(let file):
                if file.dataChange, !ignoresAppends, reads.touches(file, in: snapshot) {
                    throw .conflict(.concurrentAppend, version: version)
                }
            case .commitInfo, .other: continue
            }
        }
    }

    /// Advances the table's cache over our own commit. Checksum and checkpoint come when the turn
    /// is over.
    private func finish(
        _ base: TableSnapshot, _ actions: [LogAction], version: Int64, timestamp: Timestamp
    ) throws(DeltaFailure) {
        var builder = TableSnapshot.Builder(base)
        try builder.apply(actions, version: version, timestamp: timestamp, path: table.path)
        let fresh = try builder.finish(path: table.path)
        table.branchReads?.add(reads)
        table.remember(fresh)
        table.noteCommit(fresh, transactionID: CommitInfo(actions).transactionID)
    }
}

extension DeltaFailure {
    /// True when a commit was refused because of what others committed: nothing of it is visible.
    fileprivate var isRefusal: Bool {
        switch self {
        case .conflict, .duplicateTransaction: true
        default: false
        }
    }
}
