import Base

/// What a clean-up removed, or would remove.
package struct CleanupReport: Hashable, Sendable {
    /// Full paths in ascending order.
    package var paths: [String] = []
    package var bytes: Int64 = 0

    package init() {}

    mutating func add(_ path: String, _ size: Int64) {
        paths.append(path)
        bytes &+= size
    }
}

extension DeltaTable {
    /// Settings for a table that is overwritten again and again, such as a materialized view: each
    /// version is a whole copy, so they are kept for minutes and not for weeks.
    package static let overwrittenConfiguration: OrderedMap<String, String> = [
        "delta.deletedFileRetentionDuration": "interval 10 minutes",
        "delta.logRetentionDuration": "interval 1 hour",
    ]

    /// What the owner of a table does every some hundred commits: deletes what the table's own
    /// settings no longer keep.
    package func maintain(now: Now) throws(DeltaFailure) {
        try removeExpiredFiles(now: now)
        try cleanUpLog(now: now)
    }

    // MARK: Data files

    /// Deletes the files that commits removed longer ago than the table's
    /// `delta.deletedFileRetentionDuration`, going by the log alone: cheap enough to run after
    /// every few commits. Readers of older versions lose them from then on.
    @discardableResult
    package func removeExpiredFiles(now: Now) throws(DeltaFailure) -> CleanupReport {
        var snapshot = try snapshot()
        let cutoff = now.timestamp.milliseconds &- snapshot.metadata.tombstoneMilliseconds
        var report = CleanupReport()
        // The same file may be live again under another deletion vector, and several vectors
        // share a file.
        let needed = try neededPaths(snapshot, cutoff: cutoff)
        for file in snapshot.tombstones
        where (file.deletionTimestamp?.milliseconds ?? 0) < cutoff {
            let vector = file.deletionVector?.filePath(tablePath: path)
            // The log of a clone names files of another table: they are that one's.
            if isOwn(file.path) {
                let path = fullPath(file.path)
                if !needed.contains(FileKey(path: path)), try delete(path) {
                    report.add(path, file.size ?? 0)
                }
            }
            if let vector, isOwn(vector) {
                let path = fullPath(vector)
                if !needed.contains(FileKey(path: path)), try delete(path) { report.add(path, 0) }
            }
        }
        snapshot.expireTombstones(now: now.timestamp)
        replaceCache(with: snapshot)
        return report
    }

    /// `VACUUM`: deletes every file of the folder that neither the newest version nor a removed
    /// file younger than `retention` needs, and that is older than `retention` itself: younger ones
    /// may belong to a commit that is on its way. What crashes left of objects on their way, in the
    /// log, too, goes with them. With `isDryRun` nothing is deleted. `random` names
    /// the two commits that tell the history about it; without one there are none.
    package func vacuum(
        retention: Duration? = nil, isDryRun: Bool = false, allowsShortRetention: Bool = false,
        now: Now, random: inout Random
    ) throws(DeltaFailure) -> CleanupReport {
        var plan = try vacuum(
            retention: retention, isDryRun: true, allowsShortRetention: allowsShortRetention,
            now: now)
        if isDryRun { return plan }
        func note(_ operation: String, _ metrics: [JSONMember]) throws(DeltaFailure) {
            let transaction = try begin(random: &random)
            _ = try transaction.commit(CommitOperation(operation, metrics: metrics), now: now)
        }
        try note(
            "VACUUM START",
            [
                JSONMember("numFilesToDelete", .string(String(plan.paths.count))),
                JSONMember("sizeOfDataToDelete", .string(String(plan.bytes))),
            ])
        plan = try vacuum(
            retention: retention, allowsShortRetention: allowsShortRetention, now: now)
        try note(
            "VACUUM END",
            [JSONMember("numDeletedFiles", .string(String(plan.paths.count)))])
        return plan
    }

    /// `vacuum` without a word in the history.
    package func vacuum(
        retention: Duration? = nil, isDryRun: Bool = false, allowsShortRetention: Bool = false,
        now: Now
    ) throws(DeltaFailure) -> CleanupReport {
        let snapshot = try snapshot()
        try requireWritable(snapshot.tableProtocol, snapshot.metadata)
        let kept = retention?.wholeMilliseconds ?? snapshot.metadata.tombstoneMilliseconds
        if kept < min(7 * 86_400_000, snapshot.metadata.tombstoneMilliseconds),
            !allowsShortRetention
        {
            throw .invalid(
                "files younger than the table's retention may be in use by readers and by commits"
                    + " on their way: a shorter VACUUM must be forced, by setting the table's"
                    + " delta.deletedFileRetentionDuration")
        }
        let cutoff = now.timestamp.milliseconds &- kept
        let needed = try neededPaths(snapshot, cutoff: cutoff)
        let entries = try storing { () throws(StorageFailure) in
            try store.list(path, recursive: true)
        }
        var report = CleanupReport()
        for entry in entries where entry.modified.milliseconds < cutoff {
            let relative = path.isEmpty ? entry.path : String(entry.path.dropFirst(path.count + 1))
            if !Self.isLeftover(relative),
                Self.isHidden(relative) || needed.contains(FileKey(path: entry.path))
            {
                continue
            }
            if isDryRun {
                report.add(entry.path, entry.size)
            } else if try delete(entry.path) {
                report.add(entry.path, entry.size)
            }
        }
        return report
    }

    /// The full paths of the files of the snapshot and of removals that are not older than `cutoff`,
    /// deletion vectors included. An address may lead back into the table's folder; one that leads
    /// nowhere we know does not, unless nobody knows where we are.
    private func neededPaths(
        _ snapshot: TableSnapshot, cutoff: Int64
    ) throws(DeltaFailure) -> Set<FileKey> {
        var needed: Set<FileKey> = []
        func add(_ path: String, _ vector: DeletionVector?) throws(DeltaFailure) {
            for file in [path, vector?.filePath(tablePath: self.path)] {
                guard let file else { continue }
                if TablePath.isAddress(file) {
                    if store.location == nil { _ = try location(of: file) }
                    guard let place = try? location(of: file) else { continue }
                    needed.insert(FileKey(path: place))
                } else {
                    needed.insert(FileKey(path: fullPath(file)))
                }
            }
        }
        for file in snapshot.files { try add(file.path, file.deletionVector) }
        for file in snapshot.tombstones
        where (file.deletionTimestamp?.milliseconds ?? 0) >= cutoff {
            try add(file.path, file.deletionVector)
        }
        return needed
    }

    /// Names that begin with `_` or `.` belong to the table, but not to its data; folders of
    /// partition columns with such names are data all the same.
    static func isHidden(_ path: String) -> Bool {
        path.split(separator: "/").contains { part in
            (part.hasPrefix("_") || part.hasPrefix(".")) && part != "_change_data"
                && !part.contains("=")
        }
    }

    /// True for the names under which objects are written before they get their own, ours and those
    /// of others: what a crash leaves of them nobody reads.
    private static func isLeftover(_ path: String) -> Bool {
        guard path.hasSuffix(".tmp") else { return false }
        return path.hasPrefix("_delta_log/") || lastComponent(of: path).hasPrefix(".")
    }

    /// True for a path inside of the table's folder: the log of a clone may name others.
    private func isOwn(_ path: String) -> Bool {
        (try? TablePath.decoded(TablePath.encoded(path))) != nil
    }

    /// False when there was nothing to delete.
    private func delete(_ path: String) throws(DeltaFailure) -> Bool {
        do throws(StorageFailure) {
            try store.delete(path)
            return true
        } catch {
            if case .notFound = error { return false }
            throw .storage(error)
        }
    }

    // MARK: The log

    /// Deletes commits and checkpoints that nobody needs to read any version younger than the
    /// table's `delta.logRetentionDuration`: everything below the newest checkpoint of that age.
    @discardableResult
    package func cleanUpLog(now: Now) throws(DeltaFailure) -> CleanupReport {
        let metadata = try snapshot().metadata
        let cutoff = Timestamp(
            milliseconds: now.timestamp.milliseconds &- metadata.logRetentionMilliseconds)
        var report = CleanupReport()
        let last: Int64
        do throws(DeltaFailure) {
            last = try version(at: cutoff)
        } catch {
            if case .timestampNotFound = error { return report }
            throw error
        }
        let listing = try log.list()
        guard let base = listing.checkpoints.last(where: { $0.version <= last })?.version else {
            return report
        }
        // Ascending, so that an interrupted clean-up leaves a log without holes.
        for commit in listing.commits where commit.version < base {
            if try delete(commit.entry.path) { report.add(commit.entry.path, commit.entry.size) }
        }
        for checksum in listing.checksums where checksum.version < base {
            let entry = checksum.entry
            if try delete(entry.path) { report.add(entry.path, entry.size) }
        }
        for compaction in listing.compactions where compaction.from < base {
            let entry = compaction.entry
            if try delete(entry.path) { report.add(entry.path, entry.size) }
        }
        for checkpoint in listing.checkpoints where checkpoint.version < base {
            for file in checkpoint.files where try delete(file) { report.add(file, 0) }
        }
        try removeSidecars(listing, base, now: now, &report)
        return report
    }

    /// Deletes sidecars that no checkpoint from `base` on refers to and that are a day old: younger
    /// ones may belong to a checkpoint that is being written.
    private func removeSidecars(
        _ listing: CommitLog.Listing, _ base: Int64, now: Now, _ report: inout CleanupReport
    ) throws(DeltaFailure) {
        // Most tables have none, and no such folder.
        let entries = (try? store.list(log.file("_sidecars"), recursive: false)) ?? []
        if entries.isEmpty { return }
        var needed: Set<String> = []
        for checkpoint in listing.checkpoints where checkpoint.version >= base {
            needed.formUnion(try CheckpointReader(log: log).sidecarPaths(of: checkpoint))
        }
        let cutoff = now.timestamp.milliseconds - 86_400_000
        for entry in entries
        where entry.modified.milliseconds < cutoff && !needed.contains(entry.path) {
            if try delete(entry.path) { report.add(entry.path, entry.size) }
        }
    }
}

extension TableMetadata {
    /// How long versions stay readable, in milliseconds.
    package var logRetentionMilliseconds: Int64 {
        Self.intervalMilliseconds(configuration["delta.logRetentionDuration"] ?? "")
            ?? 30 * 86_400_000
    }
}
