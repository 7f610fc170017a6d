import Base

/// Slow work on the disk, for a thread that may wait; its end is reported with
/// `QuorumEvent.jobDone`. A replica gives out at most one `sync` and one other job at a time.
package struct QuorumJob: Sendable {
    package enum Work: Sendable {
        /// Makes everything written so far durable: these files, then the names in the directory.
        case sync(files: [any DiskFile], namesIn: String?)
        /// Writes a snapshot, whole or not at all.
        case save(RaftSnapshot, content: Bytes, chunkBytes: Int, temporary: String, path: String)
        /// An arrived snapshot takes its name.
        case install(any DiskFile, temporary: String, path: String)
        /// Files that nobody needs any more. They may come back after a power loss.
        case remove([String])
    }

    package var number: UInt64
    package var work: Work

    /// Promises wait for it.
    package var isSync: Bool {
        if case .sync = work { return true }
        return false
    }

    /// Does the work. After a failure of anything but a removal the process has to stop: nobody
    /// knows what is on the disk.
    package func run(on disk: any Disk) -> StorageFailure? {
        do throws(StorageFailure) {
            switch work {
            case .sync(let files, let directory):
                for file in files { try file.sync() }
                if let directory { try disk.syncDirectory(directory) }
            case .save(let snapshot, let content, let chunkBytes, let temporary, let path):
                let file = try SnapshotFile.create(
                    temporary, snapshot, chunkBytes: chunkBytes, on: disk)
                defer { file.file.close() }
                var position = 0
                while position < content.count {
                    let end = min(content.count, position + chunkBytes)
                    try file.write(content[position..<end], at: Int64(position))
                    position = end
                }
                try file.file.sync()
                try disk.rename(temporary, to: path)
                try disk.syncDirectory(parentDirectory(of: path))
            case .install(let file, let temporary, let path):
                try file.sync()
                try disk.rename(temporary, to: path)
                try disk.syncDirectory(parentDirectory(of: path))
            case .remove(let paths):
                for path in paths where disk.exists(path) { try disk.remove(path) }
            }
            return nil
        } catch {
            return error
        }
    }
}
