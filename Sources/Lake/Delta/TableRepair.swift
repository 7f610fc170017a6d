// FSCK REPAIR: what can be made whole again without guessing.
//
// | damage | repair |
// |---|---|
// | a live file is gone | a commit removes it from the table; its rows are lost and counted |
// | a checkpoint cannot be read, or differs from the commits, which are all there | written anew from them |
// | a checkpoint cannot be read, and an older one and the commits since then can | deleted |
// | `N.crc` cannot be read | deleted: its absence means nothing |
// | `N.crc` differs from the newest version, which all commits from the first one confirm | written anew |
// | `_last_checkpoint` cannot be read, or names a checkpoint that is not there | written anew, or deleted |
//
// Everything else is named and left alone: a file of another size or content, a deletion vector that is
// gone (nobody knows which rows it listed), a version that is missing from the log.

import Base
import Columns
import Parquet

/// One thing that is wrong with a table, and what was done about it.
package struct TableRepair: Hashable, Sendable {
    package enum Outcome: Hashable, Sendable {
        case repaired(String)
        /// Why not, or what to do by hand.
        case left(String)
    }

    package var finding: TableFinding
    package var outcome: Outcome
}

extension DeltaTable {
    /// Looks for damage and repairs what can be repaired; with `isDryRun` it only says what it would
    /// do. Files that are gone leave the table in one commit. Throws when storage fails, when another
    /// writer contradicts, or when there is no table.
    package func repair(
        isDryRun: Bool, random: inout Random, now: Now
    ) throws(DeltaFailure) -> [TableRepair] {
        let listing = try log.list()
        guard !listing.isEmpty else { throw .notATable(path: path) }
        var repairs: [TableRepair] = []
        try repairCheckpoints(listing, isDryRun: isDryRun, &repairs)
        try repairHint(isDryRun: isDryRun, &repairs)
        try repairChecksums(listing, isDryRun: isDryRun, &repairs)
        // What is left was not repaired above: findings of the log and of the files.
        let known = Set(repairs.map(\.finding.path))
        var missing: [AddFile] = []
        let snapshot: TableSnapshot
        do throws(DeltaFailure) {
            snapshot = try DeltaTable(store: store, path: path).snapshot()
        } catch {
            if case .storage = error { throw error }
            repairs.append(
                TableRepair(
                    finding: TableFinding(path: "_delta_log", detail: error.problem.message),
                    outcome: .left("restore the missing files of the log from a backup")))
            return repairs
        }
        for finding in try check(readsRows: true) where !known.contains(finding.path) {
            let file = snapshot.files.first { $0.path == finding.path }
            if let file, let place = try? location(of: file.path), try isGone(place) {
                missing.append(file)
                continue
            }
            repairs.append(TableRepair(finding: finding, outcome: .left(Self.advice(file))))
        }
        try removeMissing(missing, isDryRun: isDryRun, &repairs, random: &random, now: now)
        return repairs
    }

    private static func advice(_ file: AddFile?) -> String {
        file == nil
            ? "RESTORE TABLE to a version that is whole, or bring the file back from a backup"
            : "bring the file back from a backup, or delete it and repair again: its rows are lost"
                + " then"
    }

    private func isGone(_ path: String) throws(DeltaFailure) -> Bool {
        do throws(StorageFailure) {
            _ = try store.size(path)
            return false
        } catch {
            if case .notFound = error { return true }
            throw .storage(error)
        }
    }

    // MARK: Files

    private func removeMissing(
        _ files: [AddFile], isDryRun: Bool, _ repairs: inout [TableRepair],
        random: inout Random, now: Now
    ) throws(DeltaFailure) {
        guard !files.isEmpty else { return }
        var version: Int64?
        var refusal: String?
        if !isDryRun {
            do throws(DeltaFailure) {
                var transaction = try begin(random: &random)
                for file in files { try transaction.remove(file, now: now) }
                version = try transaction.commit(
                    CommitOperation(
                        "FSCK",
                        parameters: [JSONMember("dryRun", "false")],
                        metrics: [
                            JSONMember("numRemovedFiles", .string(String(files.count)))
                        ]), now: now)
            } catch {
                guard case .invalid(let reason) = error else { throw error }
                refusal = reason
            }
        }
        for file in files {
            let finding = TableFinding(path: file.path, detail: "the file is missing")
            if let refusal {
                repairs.append(TableRepair(finding: finding, outcome: .left(refusal)))
                continue
            }
            let rows = file.recordedRowCount.map { $0 - (file.deletionVector?.cardinality ?? 0) }
            let lost =
                rows.map { "\($0) rows are lost" } ?? "its rows are lost, nobody knows how many"
            let place = version.map { " by version \($0)" } ?? ""
            repairs.append(
                TableRepair(
                    finding: finding, outcome: .repaired("removed from the table\(place): \(lost)"))
            )
        }
    }

    // MARK: Checkpoints

    private func repairCheckpoints(
        _ listing: CommitLog.Listing, isDryRun: Bool, _ repairs: inout [TableRepair]
    ) throws(DeltaFailure) {
        let reader = CheckpointReader(log: log)
        let hasAllCommits = Self.hasAllCommits(listing)
        var whole: [CommitLog.Checkpoint] = []
        var broken: [(checkpoint: CommitLog.Checkpoint, detail: String)] = []
        for checkpoint in listing.checkpoints {
            do throws(DeltaFailure) {
                let actions = try reader.read(checkpoint)
                if let difference = try difference(
                    of: actions, at: checkpoint.version, listing, hasAllCommits: hasAllCommits)
                {
                    broken.append((checkpoint, difference))
                } else {
                    whole.append(checkpoint)
                }
            } catch {
                if case .storage = error { throw error }
                broken.append((checkpoint, error.problem.message))
            }
        }
        for (checkpoint, detail) in broken {
            let name = "_delta_log/" + lastComponent(of: checkpoint.files.first ?? "")
            let finding = TableFinding(path: name, detail: detail)
            let start = whole.last { $0.version <= checkpoint.version }
            if hasAllCommits {
                if !isDryRun {
                    let snapshot = try replayed(through: checkpoint.version, listing)
                    let path = log.file(LogFileName.checkpointName(checkpoint.version))
                    let content = try checkpointContent(of: snapshot).content
                    try storing { () throws(StorageFailure) in try store.replace(path, content) }
                    try deleteFiles(checkpoint.files.filter { $0 != path })
                }
                repairs.append(
                    TableRepair(
                        finding: finding, outcome: .repaired("written anew from the commits")))
            } else if let start, Self.hasCommits(listing, after: start.version) {
                if !isDryRun { try deleteFiles(checkpoint.files) }
                repairs.append(
                    TableRepair(
                        finding: finding,
                        outcome: .repaired(
                            "deleted: the checkpoint of version \(start.version) and the commits"
                                + " since then tell the same")))
            } else {
                repairs.append(
                    TableRepair(
                        finding: finding,
                        outcome: .left("no older checkpoint and not all commits are there")))
            }
        }
    }

    /// In which way a checkpoint is not what the commits give; nil when it is, or when nobody can say.
    private func difference(
        of actions: [LogAction], at version: Int64, _ listing: CommitLog.Listing,
        hasAllCommits: Bool
    ) throws(DeltaFailure) -> String? {
        guard hasAllCommits else { return nil }
        var files: Set<FileKey> = []
        for case .add(let file) in actions { files.insert(file.key) }
        let replayed = try replayed(through: version, listing)
        if files == Set(replayed.files.map(\.key)) { return nil }
        return "it has \(files.count) files, the commits up to version \(version) give"
            + " \(replayed.fileCount)"
    }

    private static func hasAllCommits(_ listing: CommitLog.Listing) -> Bool {
        hasCommits(listing, after: -1)
    }

    /// Whether the commits after `version` are there without a hole.
    private static func hasCommits(_ listing: CommitLog.Listing, after version: Int64) -> Bool {
        var next = version + 1
        for commit in listing.commits where commit.version > version {
            if commit.version != next { return false }
            next += 1
        }
        return version >= 0 || next > 0
    }

    private func deleteFiles(_ paths: [String]) throws(DeltaFailure) {
        for path in paths {
            do throws(StorageFailure) { try store.delete(path) } catch {
                guard case .notFound = error else { throw .storage(error) }
            }
        }
    }

    // MARK: Hints

    private func repairHint(
        isDryRun: Bool, _ repairs: inout [TableRepair]
    ) throws(DeltaFailure) {
        let path = log.file("_last_checkpoint")
        let content: Bytes
        do throws(StorageFailure) { content = try store.get(path, range: nil) } catch {
            if case .notFound = error { return }
            throw .storage(error)
        }
        let checkpoints = try log.list().checkpoints
        let version = (try? JSONValue(parsing: content))?["version"]?.intValue
        if let version, checkpoints.contains(where: { $0.version == version }) { return }
        let finding = TableFinding(
            path: "_delta_log/_last_checkpoint",
            detail: version.map { "it names the checkpoint of version \($0), which is not there" }
                ?? "it cannot be read")
        guard let newest = checkpoints.last else {
            if !isDryRun { try deleteFiles([path]) }
            repairs.append(TableRepair(finding: finding, outcome: .repaired("deleted")))
            return
        }
        if !isDryRun {
            let actions = try CheckpointReader(log: log).read(newest)
            let hint: JSONValue = [
                "version": .int(newest.version), "size": .int(actions.count),
                "sizeInBytes": .int(newest.bytes),
            ]
            try storing { () throws(StorageFailure) in
                try store.replace(path, hint.serialized())
            }
        }
        repairs.append(
            TableRepair(
                finding: finding,
                outcome: .repaired("it names the checkpoint of version \(newest.version) again")))
    }

    private func repairChecksums(
        _ listing: CommitLog.Listing, isDryRun: Bool, _ repairs: inout [TableRepair]
    ) throws(DeltaFailure) {
        guard let newest = listing.commits.last?.version else { return }
        for (version, entry) in listing.checksums {
            let content = try storing { () throws(StorageFailure) in
                try store.get(entry.path, range: nil)
            }
            let name = "_delta_log/" + lastComponent(of: entry.path)
            let checksum: VersionChecksum
            do throws(DecodeFailure) { checksum = try VersionChecksum(decoding: content) } catch {
                if !isDryRun { try deleteFiles([entry.path]) }
                repairs.append(
                    TableRepair(
                        finding: TableFinding(path: name, detail: "it cannot be read: \(error)"),
                        outcome: .repaired("deleted")))
                continue
            }
            guard version == newest, Self.hasAllCommits(listing) else { continue }
            let snapshot = try replayed(through: version, listing)
            guard let difference = checksum.difference(from: snapshot) else { continue }
            if !isDryRun {
                let right = VersionChecksum.content(of: snapshot, transactionID: nil)
                try storing { () throws(StorageFailure) in try store.replace(entry.path, right) }
            }
            repairs.append(
                TableRepair(
                    finding: TableFinding(
                        path: name, detail: "version \(version) has \(difference)"),
                    outcome: .repaired("written anew from the commits")))
        }
    }
}
