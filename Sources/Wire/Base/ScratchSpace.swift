import Synchronization

/// Room on a disk for what does not fit into memory while one operation runs. Nothing in it outlives
/// the process: `init` clears what a crash left behind. Safe from any thread.
package final class ScratchSpace: Sendable {
    private let disk: any Disk
    private let folder: String
    private let count = Mutex(0)

    /// A space in the folder `folder` of `disk`, which belongs to it alone.
    package init(disk: any Disk, folder: String) throws(StorageFailure) {
        self.disk = disk
        self.folder = folder
        try disk.removeTree(folder)
    }

    /// A new, empty file. It is gone when nobody holds it any more.
    package func makeFile() throws(StorageFailure) -> ScratchFile {
        let number = count.withLock { count in
            count += 1
            return count
        }
        try disk.makeDirectory(folder)
        let path = "\(folder)/\(number).spill"
        return ScratchFile(disk: disk, path: path, file: try disk.create(path))
    }

    /// Files that somebody holds, for tests.
    package func fileCount() throws(StorageFailure) -> Int { try disk.list(folder).count }
}

/// A file that only grows. One writer; parts that were written may be read meanwhile.
package final class ScratchFile: Sendable {
    private let disk: any Disk
    package let path: String
    private let file: any DiskFile
    private let end = Mutex<Int64>(0)

    fileprivate init(disk: any Disk, path: String, file: any DiskFile) {
        self.disk = disk
        self.path = path
        self.file = file
    }

    deinit {
        file.close()
        // What stays is cleared with the next start; nobody could do more about it here.
        try? disk.remove(path)
    }

    package var byteCount: Int64 { end.withLock { $0 } }

    /// Adds `bytes` and says where they are. Not synced: after a crash nobody looks.
    package func append(_ bytes: Bytes) throws(StorageFailure) -> Range<Int64> {
        let start = byteCount
        try file.write(bytes, at: start)
        end.withLock { $0 = start + Int64(bytes.count) }
        return start..<(start + Int64(bytes.count))
    }

    /// What `append` was given for `range`.
    package func read(_ range: Range<Int64>) throws(StorageFailure) -> Bytes {
        let bytes = try file.read(at: range.lowerBound, count: range.count)
        guard bytes.count == range.count else {
            throw .corrupt(
                path: path, position: range.lowerBound,
                detail: "\(range.count) bytes were written, \(bytes.count) are there")
        }
        return bytes
    }
}
