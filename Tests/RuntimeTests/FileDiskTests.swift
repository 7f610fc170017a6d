import Base
import Foundation
import Runtime
import Testing

@Suite struct FileDiskTests {
    let directory: TemporaryDirectory
    let disk: FileDisk

    init() throws {
        directory = try TemporaryDirectory()
        disk = try FileDisk(root: directory.path + "/data/below")
    }

    @Test func `what was written is read back, in pieces and beyond the end`() throws {
        let file = try disk.create("a")
        try file.write([Bytes(utf8: "hello"), .empty, Bytes(utf8: " world")], at: 0)
        try file.write(Bytes(utf8: "!"), at: 11)
        try file.sync()
        #expect(file.size == 12)
        #expect(try file.read(at: 0, count: 5).text == "hello")
        #expect(try file.read(at: 6, count: 100).text == "world!")
        #expect(try file.read(at: 12, count: 4).isEmpty)
        #expect(try file.read(at: 6, count: 1 << 40).text == "world!")
        #expect(try disk.contents("a").text == "hello world!")
    }

    @Test func `more pieces than one system call takes are all written`() throws {
        let file = try disk.create("many")
        let pieces = (0..<3000).map { Bytes(utf8: "\($0),") }
        try file.write(pieces, at: 0)
        #expect(try disk.contents("many") == Bytes.joined(pieces))
    }

    @Test func `a gap reads as zeros and truncation works both ways`() throws {
        let file = try disk.create("gap")
        try file.write(Bytes(utf8: "x"), at: 3)
        #expect(try file.read(at: 0, count: 9).array == [0, 0, 0, 0x78])
        try file.truncate(to: 1)
        #expect(file.size == 1)
        try file.truncate(to: 2)
        #expect(try file.read(at: 0, count: 9).array == [0, 0])
    }

    @Test func `a closed file refuses further use`() throws {
        let file = try disk.create("closed")
        file.close()
        file.close()
        #expect(throws: StorageFailure.system(operation: "read", path: "closed", code: EBADF)) {
            try file.read(at: 0, count: 1)
        }
        #expect(throws: StorageFailure.self) { try file.sync() }
        #expect(file.size == 0)
    }

    @Test func `creating twice and opening nothing are told apart`() throws {
        _ = try disk.create("a")
        #expect(throws: StorageFailure.alreadyExists(path: "a")) { try disk.create("a") }
        #expect(throws: StorageFailure.notFound(path: "b")) { try disk.open("b") }
        #expect(throws: StorageFailure.notFound(path: "no/b")) { try disk.create("no/b") }
        #expect(throws: StorageFailure.notFound(path: "b")) { try disk.remove("b") }
    }

    @Test(arguments: ["", "/", "/etc/passwd", "..", "a/../b", "a//b", "a/", "./a", "a/.", "x\0y"])
    func `a path that could leave the directory is refused`(path: String) throws {
        try disk.makeDirectory("a")
        #expect(throws: StorageFailure.system(operation: "resolve", path: path, code: EINVAL)) {
            try disk.create(path)
        }
        #expect(throws: StorageFailure.self) { try disk.open(path) }
        #expect(throws: StorageFailure.self) { try disk.removeTree(path) }
        #expect(throws: StorageFailure.self) { try disk.rename("a", to: path) }
        if !path.isEmpty { #expect(!disk.exists(path)) }
    }

    @Test func `dots inside of names are fine`() throws {
        for name in ["...", ".hidden", "a..b", "a.b"] { _ = try disk.create(name) }
        #expect(try disk.list("") == ["...", ".hidden", "a..b", "a.b"])
    }

    @Test func `listing is sorted by bytes and leaves the lock out`() throws {
        try disk.makeDirectory("d/e")
        for name in ["b", "a", "Z", "ä"] { _ = try disk.create("d/" + name) }
        #expect(try disk.list("d") == ["Z", "a", "b", "e", "ä"])
        #expect(try disk.list("d", after: "a") == ["b", "e", "ä"])
        #expect(try disk.list("") == ["d"])
        #expect(try disk.list("missing") == [])
        #expect(disk.isDirectory("d/e"))
        #expect(!disk.isDirectory("d/a"))
        #expect(disk.isDirectory(""))
    }

    @Test func `making a directory twice is no error, over a file it is`() throws {
        try disk.makeDirectory("x/y")
        try disk.makeDirectory("x/y")
        _ = try disk.create("f")
        #expect(throws: StorageFailure.self) { try disk.makeDirectory("f") }
        #expect(throws: StorageFailure.self) { try disk.makeDirectory("f/g") }
    }

    @Test func `rename replaces, link refuses`() throws {
        try disk.replace("old", with: Bytes(utf8: "old"))
        try disk.replace("new", with: Bytes(utf8: "new"))
        try disk.link("old", as: "second")
        #expect(throws: StorageFailure.alreadyExists(path: "new")) {
            try disk.link("old", as: "new")
        }
        #expect(throws: StorageFailure.notFound(path: "none")) {
            try disk.link("none", as: "third")
        }
        try disk.rename("old", to: "new")
        #expect(try disk.contents("new").text == "old")
        #expect(try disk.contents("second").text == "old")
        #expect(!disk.exists("old"))
        #expect(!disk.exists("new.tmp"))
    }

    @Test func `a tree is removed with everything in it, links are not followed`() throws {
        try disk.makeDirectory("t/u/v")
        _ = try disk.create("t/u/v/w")
        _ = try disk.create("keep")
        try FileManager.default.createSymbolicLink(
            atPath: disk.rootPath + "/t/loop", withDestinationPath: disk.rootPath)
        try disk.removeTree("t")
        try disk.removeTree("t")
        #expect(try disk.list("") == ["keep"])
        #expect(throws: StorageFailure.self) { try disk.remove("missing") }
    }

    @Test func `one process owns a data directory`() throws {
        #expect(throws: StorageFailure.locked(path: disk.rootPath)) {
            try FileDisk(root: disk.rootPath)
        }
        disk.unlock()
        _ = try FileDisk(root: disk.rootPath)
    }

    @Test func `directories sync, times and free space are known`() throws {
        _ = try disk.create("a")
        try disk.syncDirectory("")
        #expect(throws: StorageFailure.notFound(path: "nowhere")) {
            try disk.syncDirectory("nowhere")
        }
        let age = SystemClock.timestamp.milliseconds - (try disk.modificationTime("a").milliseconds)
        #expect(abs(age) < 60_000)
        #expect(disk.freeBytes > 0)
    }

    @Test func `a full device is told apart from other errors`() throws {
        // /dev/full answers ENOSPC to every write.
        try FileManager.default.createSymbolicLink(
            atPath: disk.rootPath + "/full", withDestinationPath: "/dev/full")
        let file = try disk.open("full")
        #expect(throws: StorageFailure.noSpace(path: "full")) {
            try file.write(Bytes(utf8: "x"), at: 0)
        }
    }

    @Test func `objects put on it follow the put-if-absent rule`() throws {
        let store = LocalObjectStore(disk: disk, root: "lake")
        try store.putIfAbsent("t/_delta_log/0.json", Bytes(utf8: "one"))
        #expect(throws: StorageFailure.self) {
            try store.putIfAbsent("t/_delta_log/0.json", Bytes(utf8: "two"))
        }
        #expect(try store.get("t/_delta_log/0.json", range: nil).text == "one")
        #expect(try store.list("t", recursive: true).map(\.path) == ["t/_delta_log/0.json"])
    }
}
