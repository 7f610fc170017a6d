import Base
import CPlatform
import Glibc
import Synchronization

/// The data directory on a real file system.
///
/// Every path is resolved below the directory's descriptor and checked first: no absolute path, no
/// `..`, no empty component, so nothing that reaches a path from outside can leave the directory.
/// One process owns the directory at a time, by a lock that the kernel drops when the process dies;
/// `shared` opens one that belongs to nobody. All methods may be called from any thread.
package final class FileDisk: Disk {
    /// The name of the lock file; hidden from `list`.
    package static let lockName = ".weir.lock"

    package let rootPath: String
    private let root: Int32
    /// The descriptor of the lock; nil for a directory that is shared with other processes.
    private let lock: Int32?
    private let isLocked: Atomic<Bool>

    /// Opens the data directory, creating it and its parents if they are missing.
    package init(root path: String) throws(StorageFailure) {
        rootPath = path
        try FileDisk.createDirectories(path)
        root = weir_open_directory(path)
        if root < 0 { throw failure(root, "open", path) }
        let lock = weir_open_locked_at(root, FileDisk.lockName)
        if lock < 0 {
            weir_close(root)
            throw lock == -EWOULDBLOCK ? .locked(path: path) : failure(lock, "lock", path)
        }
        self.lock = lock
        isLocked = Atomic(true)
    }

    /// Opens a directory that exists and that other processes may read and write, too. Files that
    /// this process may only read can be read.
    package init(shared path: String) throws(StorageFailure) {
        rootPath = path
        root = weir_open_directory(path)
        if root < 0 { throw failure(root, "open", path) }
        lock = nil
        isLocked = Atomic(false)
    }

    deinit {
        unlock()
        weir_close(root)
    }

    /// Lets another process have the directory. Nothing may be written after that.
    package func unlock() {
        guard isLocked.exchange(false, ordering: .acquiringAndReleasing), let lock else { return }
        weir_close(lock)
    }

    /// Creates what is missing of `path` and makes the new names durable.
    private static func createDirectories(_ path: String) throws(StorageFailure) {
        var partial = path.utf8.first == 0x2F ? "/" : ""
        for part in path.split(separator: "/") {
            let parent = partial.isEmpty ? "." : partial
            partial += partial.isEmpty || partial == "/" ? String(part) : "/" + part
            var facts = weir_file_facts()
            if weir_facts_at(AT_FDCWD, partial, &facts) == 0 { continue }
            let code = weir_make_directory(partial)
            if code < 0 { throw failure(code, "create directory", partial) }
            let descriptor = weir_open_directory(parent)
            if descriptor < 0 { throw failure(descriptor, "open", parent) }
            defer { weir_close(descriptor) }
            let synced = weir_fsync(descriptor)
            if synced < 0 { throw failure(synced, "sync", parent) }
        }
    }

    package func create(_ path: String) throws(StorageFailure) -> any DiskFile {
        try check(path)
        let descriptor = weir_open_at(root, path, 1)
        if descriptor < 0 { throw failure(descriptor, "create", path) }
        return OpenFile(descriptor: descriptor, path: path)
    }

    package func open(_ path: String) throws(StorageFailure) -> any DiskFile {
        try check(path)
        var descriptor = weir_open_at(root, path, 0)
        if lock == nil, [-EACCES, -EPERM, -EROFS].contains(descriptor) {
            descriptor = weir_open_read_at(root, path)
        }
        if descriptor < 0 { throw failure(descriptor, "open", path) }
        return OpenFile(descriptor: descriptor, path: path)
    }

    package func exists(_ path: String) -> Bool { (try? rawFacts(path)) != nil }

    package func isDirectory(_ path: String) -> Bool {
        (try? rawFacts(path))?.is_directory == 1
    }

    package func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        Timestamp(milliseconds: try rawFacts(path).modified_milliseconds)
    }

    package func facts(_ path: String) throws(StorageFailure) -> FileFacts {
        let raw = try rawFacts(path)
        return FileFacts(
            isDirectory: raw.is_directory == 1, size: raw.size,
            modified: Timestamp(milliseconds: raw.modified_milliseconds))
    }

    private func rawFacts(_ path: String) throws(StorageFailure) -> weir_file_facts {
        if !path.isEmpty { try check(path) }
        var facts = weir_file_facts()
        let code = weir_facts_at(root, path.isEmpty ? "." : path, &facts)
        if code < 0 { throw failure(code, "inspect", path) }
        return facts
    }

    package func list(_ directory: String) throws(StorageFailure) -> [String] {
        try list(directory, after: "")
    }

    package func list(
        _ directory: String, after name: String
    ) throws(StorageFailure) -> [String] {
        if !directory.isEmpty { try check(directory) }
        let names = NameList()
        let context = Unmanaged.passUnretained(names).toOpaque()
        let code = weir_list_at(
            root, directory.isEmpty ? "." : directory, name, context, addName)
        if code == -ENOENT { return [] }
        if code < 0 { throw failure(code, "list", directory) }
        let found = directory.isEmpty ? names.names.filter { $0 != FileDisk.lockName } : names.names
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    package func makeDirectory(_ path: String) throws(StorageFailure) {
        if path.isEmpty { return }
        try check(path)
        var partial = ""
        for part in path.split(separator: "/") {
            partial += partial.isEmpty ? String(part) : "/" + part
            let code = weir_make_directory_at(root, partial)
            if code < 0, code != -EEXIST { throw failure(code, "create directory", partial) }
        }
        if !isDirectory(path) { throw .alreadyExists(path: path) }
    }

    package func remove(_ path: String) throws(StorageFailure) {
        try check(path)
        let code = weir_unlink_at(root, path)
        if code < 0 { throw failure(code, "remove", path) }
    }

    package func removeTree(_ path: String) throws(StorageFailure) {
        try check(path)
        try removeTree(path, depth: 0)
    }

    private func removeTree(_ path: String, depth: Int) throws(StorageFailure) {
        // unlink first: a symbolic link is removed, never followed.
        let code = weir_unlink_at(root, path)
        if code == 0 || code == -ENOENT { return }
        guard code == -EISDIR || code == -EPERM else { throw failure(code, "remove", path) }
        guard depth < Limits.nestingDepth else { throw failure(-ELOOP, "remove", path) }
        for name in try list(path) { try removeTree(path + "/" + name, depth: depth + 1) }
        let removed = weir_remove_directory_at(root, path)
        if removed < 0, removed != -ENOENT { throw failure(removed, "remove", path) }
    }

    package func rename(_ source: String, to target: String) throws(StorageFailure) {
        try check(source)
        try check(target)
        let code = weir_rename_at(root, source, target)
        if code < 0 { throw failure(code, "rename", source) }
    }

    package func link(_ source: String, as target: String) throws(StorageFailure) {
        try check(source)
        try check(target)
        let code = weir_link_at(root, source, target)
        if code == -EEXIST { throw .alreadyExists(path: target) }
        if code < 0 { throw failure(code, "link", source) }
    }

    package func syncDirectory(_ path: String) throws(StorageFailure) {
        if !path.isEmpty { try check(path) }
        let descriptor = weir_open_directory_at(root, path.isEmpty ? "." : path)
        if descriptor < 0 { throw failure(descriptor, "open", path) }
        defer { weir_close(descriptor) }
        let code = weir_fsync(descriptor)
        if code < 0 { throw failure(code, "sync", path) }
    }

    package var freeBytes: Int64 { max(0, weir_free_bytes_at(root)) }

    package var totalBytes: Int64 { max(-1, weir_total_bytes_at(root)) }

    /// The root as an absolute path: where other programs find it.
    package var absolutePath: String {
        guard let resolved = realpath(rootPath, nil) else { return rootPath }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

/// Refuses paths that could mean something outside of the root or two things at once.
private func check(_ path: String) throws(StorageFailure) {
    var componentBytes = 0
    var dots = 0
    func endComponent() throws(StorageFailure) {
        if componentBytes == 0 || (dots == componentBytes && dots <= 2) {
            throw failure(-EINVAL, "resolve", path)
        }
        componentBytes = 0
        dots = 0
    }
    for byte in path.utf8 {
        switch byte {
        case 0x2F: try endComponent()
        case 0: throw failure(-EINVAL, "resolve", path)
        case 0x2E:
            dots += 1
            componentBytes += 1
        default: componentBytes += 1
        }
    }
    try endComponent()
}

/// The failure that a result of `-errno` stands for.
func failure(_ result: Int32, _ operation: String, _ path: String) -> StorageFailure {
    switch -result {
    case ENOENT: .notFound(path: path)
    case EEXIST: .alreadyExists(path: path)
    case ENOSPC, EDQUOT: .noSpace(path: path)
    default: .system(operation: operation, path: path, code: -result)
    }
}

private final class NameList {
    var names: [String] = []
}

private func addName(_ context: UnsafeMutableRawPointer?, _ name: UnsafePointer<CChar>?) {
    guard let context, let name else { return }
    Unmanaged<NameList>.fromOpaque(context).takeUnretainedValue().names.append(
        String(cString: name))
}
