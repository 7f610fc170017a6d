import Base
import Synchronization

/// A disk in memory whose writes fail as long as a failure is set, and that says how much is free.
package final class RefusingDisk: Disk {
    private let disk = MemoryDisk()
    private let refusal = Mutex<StorageFailure?>(nil)
    private let free = Mutex<Int64>(1 << 40)

    package init() {}

    /// What every write throws; nil = writes work.
    package var failure: StorageFailure? {
        get { refusal.withLock { $0 } }
        set { refusal.withLock { $0 = newValue } }
    }

    private final class File: DiskFile {
        private let file: any DiskFile
        private let disk: RefusingDisk

        init(_ file: any DiskFile, _ disk: RefusingDisk) {
            self.file = file
            self.disk = disk
        }

        var size: Int64 { file.size }
        func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
            try file.read(at: position, count: count)
        }
        func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
            if let failure = disk.failure { throw failure }
            try file.write(pieces, at: position)
        }
        func truncate(to size: Int64) throws(StorageFailure) { try file.truncate(to: size) }
        func sync() throws(StorageFailure) { try file.sync() }
        func close() { file.close() }
    }

    package func create(_ path: String) throws(StorageFailure) -> any DiskFile {
        File(try disk.create(path), self)
    }
    package func open(_ path: String) throws(StorageFailure) -> any DiskFile {
        File(try disk.open(path), self)
    }
    package func exists(_ path: String) -> Bool { disk.exists(path) }
    package func list(_ path: String) throws(StorageFailure) -> [String] { try disk.list(path) }
    package func isDirectory(_ path: String) -> Bool { disk.isDirectory(path) }
    package func makeDirectory(_ path: String) throws(StorageFailure) {
        try disk.makeDirectory(path)
    }
    package func remove(_ path: String) throws(StorageFailure) { try disk.remove(path) }
    package func removeTree(_ path: String) throws(StorageFailure) { try disk.removeTree(path) }
    package func rename(_ source: String, to target: String) throws(StorageFailure) {
        try disk.rename(source, to: target)
    }
    package func link(_ source: String, as target: String) throws(StorageFailure) {
        try disk.link(source, as: target)
    }
    package func syncDirectory(_ path: String) throws(StorageFailure) {
        try disk.syncDirectory(path)
    }
    package func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        try disk.modificationTime(path)
    }
    package func facts(_ path: String) throws(StorageFailure) -> FileFacts { try disk.facts(path) }
    package var freeBytes: Int64 {
        get { free.withLock { $0 } }
        set { free.withLock { $0 = newValue } }
    }
    package var totalBytes: Int64 { disk.totalBytes }
}
