// The aborted transactions of a segment: those whose abort marker is in it.
//
//   <base>.txnindex   entries, each 34 bytes, big-endian, in the order of the markers:
//     2 version, 0 · 8 producer id · 8 first offset · 8 offset of the marker
//     · 8 last stable offset when the marker was written
//
// The file grows at checkpoints. The checkpoint holds how many entries belong to it and their
// checksum; what lies behind is overwritten. A file that does not match is built again from the
// batches of the log.

import Base

/// A transaction that readers of committed records skip.
package struct AbortedTransaction: Hashable, Sendable {
    package var producerID: Int64
    package var firstOffset: Offset
    /// The offset of the marker.
    package var lastOffset: Offset
    /// No transaction that was open when the marker was written begins below.
    package var lastStableOffset: Offset

    package init(
        producerID: Int64, firstOffset: Offset, lastOffset: Offset, lastStableOffset: Offset
    ) {
        self.producerID = producerID
        self.firstOffset = firstOffset
        self.lastOffset = lastOffset
        self.lastStableOffset = lastStableOffset
    }
}

struct AbortedIndex: Sendable {
    static let entryBytes = 34

    /// What the checkpoint says about the file.
    struct Summary: Hashable, Sendable {
        var count: Int
        var checksum: UInt32

        static let empty = Summary(count: 0, checksum: 0)
    }

    /// Entries of the file that are not in memory.
    private(set) var unloadedCount = 0
    private(set) var entries: [AbortedTransaction] = []
    /// What is in the file; nil when the file can't be believed and entries are missing here.
    private(set) var stored: Summary? = .empty

    init() {}

    /// The index of a segment on disk.
    init(stored: Summary?) {
        self.stored = stored
        unloadedCount = stored?.count ?? 0
    }

    /// Complete, in memory, and not in any file.
    init(entries: [AbortedTransaction]) { self.entries = entries }

    var isEmpty: Bool { unloadedCount == 0 && entries.isEmpty && stored != nil }
    /// Every entry is in memory.
    var isLoaded: Bool { unloadedCount == 0 && stored != nil }
    private var hasUnstored: Bool { unloadedCount + entries.count > stored?.count ?? 0 }

    mutating func add(_ transaction: AbortedTransaction) { entries.append(transaction) }

    /// What the checkpoint keeps: nil when entries would be missing, so that they are looked for.
    var summary: Summary? { hasUnstored ? nil : stored }

    // MARK: File

    /// Writes what the file does not have yet and makes it durable.
    mutating func write(to path: String, disk: any Disk) throws(StorageFailure) -> Bool {
        guard let stored, hasUnstored else { return false }
        let fresh = Self.encoded(entries[(stored.count - unloadedCount)...])
        let file = disk.exists(path) ? try disk.open(path) : try disk.create(path)
        defer { file.close() }
        try file.write([fresh], at: Int64(stored.count * Self.entryBytes))
        try file.sync()
        self.stored = Summary(
            count: unloadedCount + entries.count, checksum: crc32c(fresh, seed: stored.checksum))
        return true
    }

    /// Reads the entries that are only in the file. False when they have to be rebuilt.
    mutating func load(from path: String, disk: any Disk) throws(StorageFailure) -> Bool {
        if isLoaded { return true }
        guard let stored, disk.exists(path) else { return false }
        let file = try disk.open(path)
        defer { file.close() }
        let content = try file.read(at: 0, count: stored.count * Self.entryBytes)
        guard content.count == stored.count * Self.entryBytes,
            crc32c(content) == stored.checksum, let all = Self.decoded(content)
        else { return false }
        entries.insert(contentsOf: all.prefix(unloadedCount), at: 0)
        unloadedCount = 0
        return true
    }

    /// Takes the entries that were found by reading the log up to `end`; those behind stay.
    mutating func replace(with found: [AbortedTransaction], below end: Int64) {
        self = AbortedIndex(entries: found + entries.filter { $0.lastOffset.value >= end })
    }

    /// Keeps nothing in memory that the file has.
    mutating func unload() {
        guard let stored, !hasUnstored, stored.count > 0 else { return }
        entries = []
        unloadedCount = stored.count
    }

    private static func encoded(_ entries: ArraySlice<AbortedTransaction>) -> Bytes {
        var writer = ByteWriter(capacity: entries.count * entryBytes)
        for entry in entries {
            writer.int16(0)
            writer.int64(entry.producerID)
            writer.int64(entry.firstOffset.value)
            writer.int64(entry.lastOffset.value)
            writer.int64(entry.lastStableOffset.value)
        }
        return writer.finish()
    }

    private static func decoded(_ content: Bytes) -> [AbortedTransaction]? {
        var reader = ByteReader(content)
        var result: [AbortedTransaction] = []
        result.reserveCapacity(content.count / entryBytes)
        do throws(DecodeFailure) {
            while !reader.isAtEnd {
                guard try reader.int16() == 0 else { return nil }
                result.append(
                    AbortedTransaction(
                        producerID: try reader.int64(), firstOffset: Offset(try reader.int64()),
                        lastOffset: Offset(try reader.int64()),
                        lastStableOffset: Offset(try reader.int64())))
            }
            return result
        } catch {
            return nil
        }
    }
}
