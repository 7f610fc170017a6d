import Base
import Synchronization
import Testing

/// A memory disk that calls back before a link, where a second writer may step in.
private final class InterruptedDisk: Disk {
    let inner = MemoryDisk()
    private let interruption = Mutex<(@Sendable () -> Void)?>(nil)

    func interruptNextLink(_ body: @escaping @Sendable () -> Void) {
        interruption.withLock { $0 = body }
    }

    func create(_ path: String) throws(StorageFailure) -> any DiskFile { try inner.create(path) }
    func open(_ path: String) throws(StorageFailure) -> any DiskFile { try inner.open(path) }
    func exists(_ path: String) -> Bool { inner.exists(path) }
    func list(_ directory: String) throws(StorageFailure) -> [String] { try inner.list(directory) }
    func isDirectory(_ path: String) -> Bool { inner.isDirectory(path) }
    func makeDirectory(_ path: String) throws(StorageFailure) { try inner.makeDirectory(path) }
    func remove(_ path: String) throws(StorageFailure) { try inner.remove(path) }
    func removeTree(_ path: String) throws(StorageFailure) { try inner.removeTree(path) }
    func rename(_ source: String, to target: String) throws(StorageFailure) {
        try inner.rename(source, to: target)
    }
    func link(_ source: String, as target: String) throws(StorageFailure) {
        let body = interruption.withLock { pending in
            defer { pending = nil }
            return pending
        }
        body?()
        try inner.link(source, as: target)
    }
    func syncDirectory(_ path: String) throws(StorageFailure) { try inner.syncDirectory(path) }
    func modificationTime(_ path: String) throws(StorageFailure) -> Timestamp {
        try inner.modificationTime(path)
    }
    var freeBytes: Int64 { inner.freeBytes }
}

struct LocalObjectStoreTests {
    @Test func `of two writers that race for one name the loser's bytes are never seen`() throws {
        let disk = InterruptedDisk()
        let store = LocalObjectStore(disk: disk, root: "lake")
        disk.interruptNextLink {
            try? store.putIfAbsent("t/log/0.json", Bytes(utf8: "second, and first to link"))
        }
        #expect(throws: StorageFailure.alreadyExists(path: "lake/t/log/0.json")) {
            try store.putIfAbsent("t/log/0.json", Bytes(utf8: "first, and last to link"))
        }
        #expect(try store.get("t/log/0.json", range: nil).text == "second, and first to link")
        #expect(try disk.list("lake/t/log") == ["0.json"])
    }

    @Test func `a temporary name left by a crash does not stop the next writer`() throws {
        let disk = MemoryDisk()
        try disk.makeDirectory("t")
        try disk.create("t/.0.json.0.tmp").close()
        let store = LocalObjectStore(disk: disk)
        try store.putIfAbsent("t/0.json", Bytes(utf8: "{}"))
        #expect(try store.get("t/0.json", range: nil).text == "{}")
    }
}
