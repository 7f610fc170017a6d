// The storage seam, at the level of file operations, so that broker and lake share one disk and the
// simulator sees (and can fail) every call.
//
// Writes land in the cache of the operating system. Only `sync` makes the bytes of a file durable,
// and only `syncDirectory` makes a created, renamed, linked or removed name durable. A crash may
// keep, drop, tear or reorder everything that was not synced.

/// Why storage could not do what it was asked.
package enum StorageFailure: Error, Equatable, Sendable {
    case notFound(path: String)
    case alreadyExists(path: String)
    case noSpace(path: String)
    /// The operating system refused: `code` is its errno.
    case system(operation: String, path: String, code: Int32)
    /// Bytes that were written earlier are not what they should be.
    case corrupt(path: String, position: Int64, detail: String)
    /// Another process owns this data directory.
    case locked(path: String)
    /// A service that keeps objects refused, or did not answer.
    case remote(operation: String, path: String, detail: String)
}

extension StorageFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .notFound(let path): "\(path) does not exist"
        case .alreadyExists(let path): "\(path) exists already"
        case .noSpace(let path): "no space left on the device while writing \(path)"
        case .system(let operation, let path, let code):
            "\(operation) failed on \(path) (errno \(code))"
        case .corrupt(let path, let position, let detail):
            "\(path) is damaged at position \(position): \(detail)"
        case .locked(let path): "\(path) is in use by another process"
        case .remote(let operation, let path, let detail):
            "\(operation) of \(path) failed: \(detail)"
        }
    }
}

/// An open file. Positions and sizes are bytes.
package protocol DiskFile: AnyObject, Sendable {
    /// The size as this process sees it, unsynced writes included.
    var size: Int64 { get }

    /// Up to `count` bytes from `position`; fewer only at the end of the file.
    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes

    /// The same bytes as `read` gives, for sending: they may still be in the file, and are there
    /// when they are looked at. Only for bytes that are not overwritten or cut any more.
    func lend(at position: Int64, count: Int) throws(StorageFailure) -> Bytes

    /// Writes all of `pieces`, one after the other, from `position` on. A failure may leave any
    /// prefix written.
    func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure)

    func truncate(to size: Int64) throws(StorageFailure)

    /// Makes all bytes written so far durable. After a failure the file must not be trusted until
    /// it was read again from disk by a new process: the caller stops, it does not retry.
    func sync() throws(StorageFailure)

    func close()
}

extension Disk {
    package func list(
        _ directory: String, after name: String
    ) throws(StorageFailure) -> [String] {
        try list(directory).filter { name.utf8.lexicographicallyPrecedes($0.utf8) }
    }
}

extension DiskFile {
    package func lend(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        try read(at: position, count: count)
    }

    package func write(_ bytes: Bytes, at position: Int64) throws(StorageFailure) {
        try write([bytes], at: position)
    }
}

/// A tree of files below one root. Paths are relative, separated by `/`, without `..`.
package protocol Disk: AnyObject, Sendable {
    /// Creates a file that must not exist.
    func create(_ path: String) throws(StorageFailure) -> any DiskFile
    /// Opens an existing file for reading and writing.
    func open(_ path: String) throws(StorageFailure) -> any DiskFile
    func exists(_ path: String) -> Bool
    /// The names in a directory in ascending order of their UTF-8 bytes; empty when the directory
    /// does not exist.
    func list(_ directory: String) throws(StorageFailure) -> [String]
    /// Only the names behind `name`.
    func list(_ directory: String, after name: String) throws(StorageFailure) -> [String]
    func isDirectory(_ path: String) -> Bool
    /// Creates the directory and its parents; no error when it exists.
    func makeDirectory(_ path: String) throws(StorageFailure)
    func remove(_ path: String) throws(StorageFailure)
    /// Removes a directory with everything in it; no error when it does not exist.
    func removeTree(_ path: String) throws(StorageFailure)
    /// Replaces `target` if it exists.
    func rename(_ source: String, to target: String) throws(StorageFailure)
    /// Gives `source` a second name; fails with `alreadyExists` when `target` exists. The atomic
    /// put-if-absent of table commits.
    func link(_ source: String, as target: String) throws(StorageFailure)
    func syncDirectory(_ path: String) throws(StorageFailure)
    /// Milliseconds since 1970, as the file system recorded it.
    func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp
    /// What stands at `path`, in one look.
    func facts(_ path: String) throws(StorageFailure) -> FileFacts
    var freeBytes: Int64 { get }
    /// The size of the volume; -1 = unknown.
    var totalBytes: Int64 { get }
}

/// What the file system says about a file or directory.
package struct FileFacts: Equatable, Sendable {
    package var isDirectory: Bool
    /// Bytes of a file.
    package var size: Int64
    package var modified: Timestamp

    package init(isDirectory: Bool, size: Int64, modified: Timestamp) {
        self.isDirectory = isDirectory
        self.size = size
        self.modified = modified
    }
}

extension Disk {
    package var totalBytes: Int64 { -1 }

    package func facts(_ path: String) throws(StorageFailure) -> FileFacts {
        if isDirectory(path) {
            return FileFacts(isDirectory: true, size: 0, modified: .none)
        }
        let file = try open(path)
        defer { file.close() }
        return FileFacts(
            isDirectory: false, size: file.size, modified: try modificationTime(path))
    }

    /// The whole file. For small files only: it is read into memory.
    package func contents(_ path: String) throws(StorageFailure) -> Bytes {
        let file = try open(path)
        defer { file.close() }
        return try file.read(at: 0, count: Int(file.size))
    }

    /// Writes a file so that after a crash the old or the new content is there, never a mixture:
    /// temporary file, sync, rename, sync of the directory.
    package func replace(_ path: String, with content: Bytes) throws(StorageFailure) {
        let temporary = path + ".tmp"
        if exists(temporary) { try remove(temporary) }
        let file = try create(temporary)
        defer { file.close() }
        try file.write(content, at: 0)
        try file.sync()
        try rename(temporary, to: path)
        try syncDirectory(parentDirectory(of: path))
    }
}

/// `a/b/c` → `a/b`; a name without `/` → the empty path, which is the root.
package func parentDirectory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    return String(path[..<slash])
}
