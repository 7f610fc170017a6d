import Base

extension DeltaTable {
    /// `RESTORE`: makes the table what it was at `version`, as a new version. Rows, columns and
    /// settings come back, and so do the batch numbers of applications, so that a stream which keeps
    /// its place in them repeats what came after. The protocol stays. Returns the new version, or nil
    /// when nothing differs. Fails when a file of that version is gone.
    package func restore(
        version: Int64, random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        let target = try snapshot(version: version)
        var transaction = try begin(random: &random)
        let current = transaction.snapshot
        transaction.markAsReading()
        let back = target.files.filter { !current.contains($0.key) }
        let gone = current.files.filter { !target.contains($0.key) }
        try requireFiles(of: back, version: version)
        for file in gone { try transaction.remove(file, now: now) }
        for var file in back {
            file.dataChange = true
            transaction.addFile(file, rowCount: file.recordedRowCount ?? 0)
        }
        if target.metadata != current.metadata { try transaction.setMetadata(target.metadata) }
        try transaction.restoreTransactions(of: target)
        if transaction.isEmpty { return nil }
        let operation = CommitOperation(
            "RESTORE",
            parameters: [
                JSONMember("version", .string(String(version))), JSONMember("timestamp", .null),
            ],
            metrics: [
                JSONMember("numRestoredFiles", .string(String(back.count))),
                JSONMember("numRemovedFiles", .string(String(gone.count))),
                JSONMember("tableSizeAfterRestore", .string(String(target.totalBytes))),
                JSONMember("numOfFilesAfterRestore", .string(String(target.fileCount))),
            ])
        return try transaction.commit(operation, now: now)
    }

    private func requireFiles(of files: [AddFile], version: Int64) throws(DeltaFailure) {
        for file in files {
            let vector = file.deletionVector?.filePath(tablePath: path)
            for needed in [file.path] + (vector.map { [$0] } ?? []) {
                if store.exists(try location(of: needed)) { continue }
                throw .invalid(
                    "version \(version) cannot be restored: its file \(needed) is gone, deleted by"
                        + " VACUUM or by hand")
            }
        }
    }
}
