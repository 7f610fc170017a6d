import Base
import Columns
import Parquet

/// Something that is not as it should be with a table.
package struct TableFinding: Hashable, Sendable {
    /// The file in question, relative to the table's folder; empty for the table as a whole.
    package var path: String
    package var detail: String

    package init(path: String, detail: String) {
        self.path = path
        self.detail = detail
    }
}

extension DeltaTable {
    /// `FSCK`: looks whether the log tells one story and whether everything that it names is there.
    /// Changes nothing. With `readsRows` every row of every file is decoded, else only what the
    /// footers say is compared. Throws only when storage fails or there is no table.
    package func check(readsRows: Bool) throws(DeltaFailure) -> [TableFinding] {
        var findings: [TableFinding] = []
        let listing = try log.list()
        guard !listing.isEmpty else { throw .notATable(path: path) }
        let snapshot: TableSnapshot
        do throws(DeltaFailure) {
            // Another object, so that nothing comes out of a cache.
            snapshot = try DeltaTable(store: store, path: path).snapshot()
        } catch {
            if case .storage = error { throw error }
            return [TableFinding(path: "_delta_log", detail: error.problem.message)]
        }
        try checkLog(listing, snapshot, &findings)
        if let difference = checksumDifference(snapshot) {
            findings.append(
                TableFinding(
                    path: "_delta_log/" + LogFileName.checksumName(snapshot.version),
                    detail: "version \(snapshot.version) has \(difference)"))
        }
        var seen: Set<FileKey> = []
        for file in snapshot.files {
            if !seen.insert(FileKey(path: file.path)).inserted {
                findings.append(
                    TableFinding(path: file.path, detail: "the log has the file twice"))
            }
            do throws(DeltaFailure) {
                try check(file, snapshot, readsRows: readsRows, &findings)
            } catch {
                findings.append(
                    TableFinding(path: file.path, detail: error.problem.message))
            }
        }
        return findings
    }

    /// Every commit and checkpoint on its own, and the checkpoints against the commits.
    private func checkLog(
        _ listing: CommitLog.Listing, _ snapshot: TableSnapshot,
        _ findings: inout [TableFinding]
    ) throws(DeltaFailure) {
        var previous: Int64?
        for commit in listing.commits {
            if let previous, commit.version != previous + 1 {
                findings.append(
                    TableFinding(
                        path: "_delta_log",
                        detail: "versions \(previous + 1) to \(commit.version - 1) are missing"))
            }
            previous = commit.version
            do throws(DeltaFailure) {
                _ = try log.readCommit(commit.version)
            } catch {
                findings.append(
                    TableFinding(
                        path: "_delta_log/" + LogFileName.commitName(commit.version),
                        detail: error.problem.message))
            }
        }
        let reader = CheckpointReader(log: log)
        for checkpoint in listing.checkpoints {
            let name = "_delta_log/" + lastComponent(of: checkpoint.files.first ?? "")
            do throws(DeltaFailure) {
                let actions = try reader.read(checkpoint)
                guard listing.commits.first?.version == 0 else { continue }
                let files = Set(
                    actions.compactMap { action -> FileKey? in
                        if case .add(let file) = action { file.key } else { nil }
                    })
                let replayed = try replayed(through: checkpoint.version, listing)
                if files != Set(replayed.files.map(\.key)) {
                    findings.append(
                        TableFinding(
                            path: name,
                            detail: "it has \(files.count) files, the commits up to version"
                                + " \(checkpoint.version) give \(replayed.fileCount)"))
                }
            } catch {
                findings.append(TableFinding(path: name, detail: error.problem.message))
            }
        }
    }

    /// One live file: is it there, has it the size and the rows that the log says.
    private func check(
        _ file: AddFile, _ snapshot: TableSnapshot, readsRows: Bool,
        _ findings: inout [TableFinding]
    ) throws(DeltaFailure) {
        let full = try location(of: file.path)
        let size: Int64
        do throws(StorageFailure) {
            size = try store.size(full)
        } catch {
            guard case .notFound = error else { throw .storage(error) }
            findings.append(TableFinding(path: file.path, detail: "the file is missing"))
            return
        }
        if size != file.size {
            findings.append(
                TableFinding(
                    path: file.path, detail: "the file has \(size) bytes, the log says \(file.size)"
                ))
            return
        }
        let reader = try DeltaScan(self, snapshot, files: [file]).openFile(file)
        if let recorded = file.recordedRowCount, recorded != reader.rowCount {
            findings.append(
                TableFinding(
                    path: file.path,
                    detail: "the file has \(reader.rowCount) rows, the log says \(recorded)"))
        }
        guard readsRows else { return }
        for index in 0..<reader.rowGroupCount {
            var batches = try reader.batches(rowGroup: index)
            while try batches.next() != nil {}
        }
    }
}
