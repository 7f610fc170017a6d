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
    func list(_ directory: String) throws(StorageFailure) -> [String] {
        let names = try inner.list(directory)
        // A name that is gone when it is looked at.
        return directory.hasSuffix("log") ? [".1.json.0.tmp"] + names : names
    }
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
        #expect(try disk.inner.list("lake/t/log") == ["0.json"])
    }

    @Test func `a name that goes while a folder is listed is left out`() throws {
        let store = LocalObjectStore(disk: InterruptedDisk())
        try store.putIfAbsent("t/log/0.json", Bytes(utf8: "{}"))
        #expect(try store.list("t/log", recursive: false).map(\.path) == ["t/log/0.json"])
    }

    @Test func `a hint is there at once and never replaces another object`() throws {
        let store = LocalObjectStore(disk: MemoryDisk())
        try store.putHint("t/0.crc", Bytes(utf8: "first"))
        #expect(throws: StorageFailure.alreadyExists(path: "t/0.crc")) {
            try store.putHint("t/0.crc", Bytes(utf8: "second"))
        }
        #expect(try store.get("t/0.crc", range: nil).text == "first")
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
