import Base

/// Why a table could not be read or changed.
package enum DeltaFailure: Error, Equatable, Sendable {
    case storage(StorageFailure)
    /// There is no table log below this path.
    case notATable(path: String)
    case tableExists(path: String)
    /// A file of the table says something that the format does not allow.
    case corrupt(path: String, detail: String)
    /// The log jumps over `missing`.
    case gap(path: String, missing: Int64)
    /// The wanted version is not in the log (any more, or yet).
    case versionNotFound(wanted: Int64, oldest: Int64, latest: Int64)
    /// The table is younger than the wanted moment.
    case timestampNotFound(wanted: Timestamp, oldest: Timestamp)
    /// The table uses a feature by this name that is not supported here.
    case unsupportedFeature(String, use: FeatureUse)
    /// A type that the format cannot hold.
    case unsupportedType(column: String, type: String, hint: String)
    /// Somebody else committed `version` first, and it cannot be reconciled with this transaction.
    case conflict(CommitConflict, version: Int64)
    /// The application's transaction `version` was committed before: its rows are in the table.
    case duplicateTransaction(appID: String, version: Int64, committed: Int64)
    /// Other writers won this many times in a row.
    case contention(attempts: Int)
    /// A row breaks a condition of the table: which one, and the row's values that it reads.
    case violation(RowCondition, row: String)
    /// A row has NULL in a column that allows none.
    case missingValue(column: String)
    /// The statement that gives the rows failed, or its cancellation.
    case statement(Problem)
    /// A change of rows names one of them twice.
    case rowChangedTwice
    /// The caller asked for something that makes no sense for this table.
    case invalid(String)

    package enum FeatureUse: String, Sendable { case read, write }

    /// What exactly collided, after the table format's own list of conflicts.
    package enum CommitConflict: String, Sendable {
        case metadataChanged = "the table's columns or settings changed"
        case protocolChanged = "the table's format version changed"
        case concurrentAppend = "files were added to what this transaction replaces"
        case concurrentDeleteRead = "files that this transaction read were removed"
        case concurrentDeleteDelete = "files that this transaction removes were removed"
        case domainChanged = "the same settings of a subsystem were changed"
        case concurrentTransaction = "the same application committed another batch"
    }
}

extension DeltaFailure {
    /// The failure for people and programs.
    package var problem: Problem {
        switch self {
        case .storage(let failure):
            Problem("table.storage", "\(failure)")
        case .notATable(let path):
            Problem(
                "table.missing", "there is no table at \(path)",
                hint: "a table is a folder that contains _delta_log")
        case .tableExists(let path):
            Problem("table.exists", "there is a table at \(path) already")
        case .corrupt(let path, let detail):
            Problem("table.corrupt", "\(path) is damaged: \(detail)")
        case .gap(let path, let missing):
            Problem(
                "table.log.gap", "version \(missing) is missing from the log of \(path)",
                notes: ["later versions exist, so reading on would give wrong rows"],
                hint: "restore the file of that version from a backup")
        case .versionNotFound(let wanted, let oldest, let latest):
            Problem(
                "table.version.unknown", "version \(wanted) of the table cannot be read",
                notes: ["versions \(oldest) to \(latest) can"])
        case .timestampNotFound(let wanted, let oldest):
            Problem(
                "table.timestamp.unknown",
                "the table did not exist at \(describe(wanted))",
                notes: ["its oldest readable version is of \(describe(oldest))"])
        case .unsupportedFeature(let name, let use):
            Problem(
                "table.feature.unsupported",
                "the table needs the feature '\(name)', which is not supported here yet",
                notes: [use == .read ? "it cannot be read" : "it can be read but not changed"])
        case .unsupportedType(let column, let type, let hint):
            Problem(
                "table.type.unsupported", "column '\(column)' of type \(type) cannot be stored",
                hint: hint)
        case .conflict(let conflict, let version):
            Problem(
                "table.conflict", "another writer committed version \(version) first",
                notes: [conflict.rawValue, "nothing of this transaction is visible"],
                hint: "read the table again and repeat")
        case .duplicateTransaction(let appID, let version, let committed):
            Problem(
                "table.transaction.duplicate",
                "batch \(version) of '\(appID)' is in the table already",
                notes: ["its last committed batch is \(committed)"])
        case .contention(let attempts):
            Problem(
                "table.contention", "other writers won \(attempts) times in a row",
                notes: ["nothing of this transaction is visible"], hint: "try again later")
        case .violation(let condition, let row):
            Problem(
                "23514", "a row breaks \(condition.words)",
                notes: ["the condition is \(condition.expression)", "the row has \(row)"])
        case .missingValue(let column):
            Problem("23502", "column '\(column)' is NOT NULL, but a row has NULL there")
        case .statement(let problem): problem
        case .rowChangedTwice:
            Problem(
                "21000", "the statement changes a row a second time",
                hint: "make sure that at most one source row matches each row of the table")
        case .invalid(let what):
            Problem("table.invalid", what)
        }
    }
}

extension DeltaFailure: CustomStringConvertible {
    package var description: String { problem.description }
}

extension RowCondition {
    /// The condition in words.
    package var words: String {
        switch kind {
        case .check: "the check constraint '\(name)'"
        case .invariant(let column): "the invariant of column '\(column)'"
        case .generated(let column): "the rule of the generated column '\(column)'"
        }
    }
}

private func describe(_ moment: Timestamp) -> String {
    let (micros, overflow) = moment.milliseconds.multipliedReportingOverflow(by: 1000)
    if overflow { return "\(moment.milliseconds) ms" }
    return CalendarText.timestamp(microseconds: micros, digits: 3, separator: "T") + "Z"
}

/// Bounds of what a table's log may make us hold or do, each with its reason.
package enum DeltaLimits {
    /// One commit file. An overwrite of a table of 100,000 files writes some 200 MiB.
    package static let commitBytes: Int64 = 1 << 30
    /// Lost races before a transaction gives up.
    package static let commitAttempts = 100
    /// Leaf columns with statistics, unless the table says otherwise.
    package static let indexedColumns = 32
    /// Characters of a text kept in statistics.
    package static let statisticsCharacters = 32
    /// Commits between checkpoints, unless the table says otherwise.
    package static let checkpointInterval: Int64 = 100
    /// Commits that one file stands for, in tables whose checkpoints are at least four times as far
    /// apart: reading them again must stay rare, above all from a bucket.
    package static let logCompactionInterval: Int64 = 50
    /// File actions in one sidecar of a checkpoint of the second kind, and up to which they stay in
    /// the checkpoint itself: some 10 MB.
    package static let sidecarEntries = 50_000
    /// Bytes of one deletion vector: enough for a hundred million rows deleted at random.
    package static let deletionVectorBytes: Int64 = 64 << 20
    /// Bytes of one name of a partition folder; file systems end at 255.
    package static let folderNameBytes = 200
}

/// Runs `body` and gives its storage failure the shape of this room.
func storing<Result>(
    _ body: () throws(StorageFailure) -> Result
) throws(DeltaFailure) -> Result {
    do {
        return try body()
    } catch {
        throw .storage(error)
    }
}
