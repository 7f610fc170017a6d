import Base
import Delta
import Foundation
import Testing

/// Copies a folder of this machine into a memory disk below `root`.
func memoryDisk(copying folder: URL, to root: String) throws -> MemoryDisk {
    let disk = MemoryDisk()
    let manager = FileManager.default
    let names = try manager.subpathsOfDirectory(atPath: folder.path).sorted()
    for name in names {
        let source = folder.appendingPathComponent(name)
        var isDirectory: ObjCBool = false
        _ = manager.fileExists(atPath: source.path, isDirectory: &isDirectory)
        let target = root + "/" + name
        if isDirectory.boolValue {
            try disk.makeDirectory(target)
        } else {
            try disk.makeDirectory(parentDirectory(of: target))
            let file = try disk.create(target)
            try file.write(Bytes(try Data(contentsOf: source)), at: 0)
        }
    }
    return disk
}

/// Writes everything below `root` of a store into a folder of this machine.
func export(_ store: any ObjectStore, _ root: String, to folder: URL) throws {
    for entry in try store.list(root, recursive: true) {
        let target = folder.appendingPathComponent(String(entry.path.dropFirst(root.count + 1)))
        try FileManager.default.createDirectory(
            at: target.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(try store.get(entry.path, range: nil).array).write(to: target)
    }
}

/// A table that another implementation wrote, and what it says about it.
struct GoldenTable {
    let table: DeltaTable
    let expected: JSONValue

    init(_ name: String) throws {
        let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("data/golden/delta/" + name)
        let disk = try memoryDisk(copying: folder, to: name)
        table = DeltaTable(store: LocalObjectStore(disk: disk), path: name)
        expected = try JSONValue(
            parsing: Bytes(try Data(contentsOf: folder.appendingPathComponent("expected.json"))))
    }
}

/// With WEIR_DELTA_OUT set, tables are left in that folder for other implementations to read:
/// see data/golden/delta/read_with_peers.py.
func exportForPeers(_ table: DeltaTable, _ name: String) {
    guard let folder = ProcessInfo.processInfo.environment["WEIR_DELTA_OUT"] else { return }
    let target = URL(fileURLWithPath: folder).appendingPathComponent(name)
    do {
        try export(table.store, table.path, to: target)
        let expected = JSONValue.array(try rows(table, try table.snapshot()))
        try expected.text.write(
            to: target.appendingPathComponent("expected.json"), atomically: true,
            encoding: .utf8)
    } catch {
        Issue.record(error)
    }
}
