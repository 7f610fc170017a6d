import Base

/// One file of record batches, `<directory>/<20 digits of the base offset>.log`, and its indexes.
/// The last segment of a log is the active one and grows; the others are closed.
struct Segment: Sendable {
    let directory: String
    let baseOffset: Int64
    /// Bytes of whole batches, those that wait in memory to be written included. The file may be
    /// longer by what a failed write left; those bytes are overwritten by the next write or cut
    /// when the segment is closed.
    private(set) var bytes: Int64 = 0
    /// The last batches, which are in the journal and in memory but not in the file yet.
    private var unwritten: [Bytes] = []
    private(set) var unwrittenBytes = 0
    /// The part of the file whose batches this process has checked: those that it wrote, for it
    /// had checked them before, and those that it has read. They are lent to the network unread.
    private(set) var verified: Range<Int64> = 0..<0
    /// Bytes known to be durable in this file.
    var syncedBytes: Int64 = 0
    private(set) var firstTimestamp: Int64 = -1
    private(set) var maxTimestamp: Int64 = -1
    /// The last offset of the first batch that reaches `maxTimestamp`.
    private(set) var maxTimestampOffset: Int64 = -1
    /// Wall-clock milliseconds when this process created the segment; -1 when another did.
    var createdAt: Int64 = -1
    /// The checksum of its index files, when they are complete.
    var indexChecksum: UInt32?
    /// The checksum of index files that cover only the part before `index.knownFrom`.
    private var prefixChecksum: UInt32?
    /// The file's name survives a power loss.
    var nameIsDurable = false
    /// Written by the cleaner and perhaps still named `.swap` on disk.
    var isSwap = false
    private(set) var index: SegmentIndex
    /// Transactions whose abort marker is in this segment.
    var aborted = AbortedIndex()
    private var file: (any DiskFile)?

    /// A new segment, whose file was just created.
    init(directory: String, baseOffset: Int64, file: any DiskFile, createdAt: Int64) {
        self.directory = directory
        self.baseOffset = baseOffset
        self.file = file
        self.createdAt = createdAt
        index = SegmentIndex()
    }

    /// A segment that exists on disk.
    init(directory: String, summary: SegmentSummary) {
        self.directory = directory
        baseOffset = summary.baseOffset
        bytes = summary.bytes
        syncedBytes = summary.bytes
        firstTimestamp = summary.firstTimestamp
        maxTimestamp = summary.maxTimestamp
        maxTimestampOffset = summary.maxTimestampOffset
        indexChecksum = summary.indexChecksum
        isSwap = summary.isSwap
        index = SegmentIndex(knownFrom: summary.bytes)
        aborted = AbortedIndex(stored: summary.aborted)
    }

    var summary: SegmentSummary {
        SegmentSummary(
            baseOffset: baseOffset, bytes: bytes, firstTimestamp: firstTimestamp,
            maxTimestamp: maxTimestamp, maxTimestampOffset: maxTimestampOffset,
            indexChecksum: indexChecksum, isSwap: isSwap, aborted: aborted.summary)
    }

    // MARK: Names

    static func fileName(_ baseOffset: Int64, _ suffix: String) -> String {
        let digits = String(baseOffset)
        return String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits + suffix
    }

    /// The base offset in the name of a segment file, or nil.
    static func baseOffset(name: String, suffix: String = ".log") -> Int64? {
        guard name.hasSuffix(suffix), name.utf8.count == 20 + suffix.utf8.count else { return nil }
        return Int64(name.prefix(20))
    }

    func path(_ suffix: String) -> String {
        directory + "/" + Self.fileName(baseOffset, suffix)
    }

    var logPath: String { path(".log") }

    // MARK: Writing

    mutating func handle(_ disk: any Disk) throws(StorageFailure) -> any DiskFile {
        if let file { return file }
        let opened = try disk.open(logPath)
        file = opened
        return opened
    }

    /// Whether `other` is the file that this segment writes to.
    func isOpen(as other: any DiskFile) -> Bool { file === other }

    mutating func closeHandle() {
        file?.close()
        file = nil
    }

    /// Where the part ends that is in the file.
    var writtenBytes: Int64 { bytes - Int64(unwrittenBytes) }

    /// Takes a batch, to be written later.
    mutating func append(_ batch: Bytes, _ header: BatchHeader, indexInterval: Int) {
        unwritten.append(batch)
        unwrittenBytes += batch.count
        added(header, indexInterval: indexInterval)
    }

    /// Writes what waits, in one call. After a failure it waits still.
    mutating func writeBehind(_ disk: any Disk) throws(StorageFailure) {
        guard unwrittenBytes > 0 else { return }
        let from = writtenBytes
        try handle(disk).write(unwritten, at: from)
        unwritten = []
        unwrittenBytes = 0
        noteVerified(from..<bytes)
    }

    /// Adds checked bytes to the part that is known. Of two parts with a gap between them the
    /// longer one is remembered.
    mutating func noteVerified(_ range: Range<Int64>) {
        if range.isEmpty { return }
        if range.lowerBound <= verified.upperBound, range.upperBound >= verified.lowerBound {
            verified =
                min(
                    range.lowerBound, verified.lowerBound)..<max(
                    range.upperBound, verified.upperBound)
        } else if range.count > verified.count {
            verified = range
        }
    }

    /// Everything is to be checked again.
    mutating func forgetVerified() { verified = 0..<0 }

    /// Writes a batch behind the others. It is not part of the segment before `added` is called.
    mutating func write(_ batch: Bytes, disk: any Disk) throws(StorageFailure) {
        try handle(disk).write([batch], at: bytes)
    }

    /// The batch that was written last belongs to the segment now.
    mutating func added(_ header: BatchHeader, indexInterval: Int) {
        if bytes == 0 { firstTimestamp = header.maxTimestamp }
        if header.maxTimestamp > maxTimestamp {
            maxTimestamp = header.maxTimestamp
            maxTimestampOffset = header.lastOffset
        }
        index.add(
            lastOffset: header.lastOffset, base: baseOffset, position: bytes,
            bytes: header.byteCount, maxTimestamp: maxTimestamp, interval: indexInterval)
        bytes += Int64(header.byteCount)
        if let covering = indexChecksum {
            if !index.isComplete { prefixChecksum = covering }
            indexChecksum = nil
        }
    }

    /// Cuts the file to the batches it holds.
    mutating func trim(disk: any Disk) throws(StorageFailure) -> Int64 {
        let file = try handle(disk)
        let excess = file.size - bytes
        if excess > 0 { try file.truncate(to: bytes) }
        return max(excess, 0)
    }

    /// Forgets all batches at `position` and above and rebuilds what is derived from the rest. The
    /// file keeps them until `trim`.
    mutating func forget(
        from position: Int64, disk: any Disk, indexInterval: Int
    ) throws(StorageFailure) {
        let file = try handle(disk)
        var fresh = Segment(
            directory: directory, baseOffset: baseOffset, file: file, createdAt: createdAt)
        var scanner = BatchScanner(file: file, from: 0, to: position)
        while let item = try scanner.next() {
            fresh.added(item.header, indexInterval: indexInterval)
        }
        fresh.syncedBytes = min(syncedBytes, fresh.bytes)
        self = fresh
    }

    // MARK: Indexes

    /// Makes the index cover the whole segment, from its files or by walking over the batches.
    mutating func loadIndex(disk: any Disk, indexInterval: Int) throws(StorageFailure) {
        guard !index.isComplete else { return }
        let prefixEnd = index.knownFrom
        if let checksum = indexChecksum ?? prefixChecksum,
            let stored = try readIndexFiles(disk: disk, checksum: checksum)
        {
            index.prepend(stored)
            return
        }
        var rebuilt = SegmentIndex()
        var reached: Int64 = -1
        var scanner = BatchScanner(file: try handle(disk), from: 0, to: prefixEnd)
        while let item = try scanner.next() {
            reached = max(reached, item.header.maxTimestamp)
            rebuilt.add(
                lastOffset: item.header.lastOffset, base: baseOffset, position: item.position,
                bytes: item.header.byteCount, maxTimestamp: reached, interval: indexInterval)
        }
        index.prepend(rebuilt)
    }

    private func readIndexFiles(
        disk: any Disk, checksum: UInt32
    ) throws(StorageFailure) -> SegmentIndex? {
        guard disk.exists(path(".index")), disk.exists(path(".timeindex")) else { return nil }
        return SegmentIndex(
            offsets: try disk.contents(path(".index")),
            times: try disk.contents(path(".timeindex")), checksum: checksum)
    }

    /// Writes the index files, when the index is complete. They are not synced: the checkpoint has
    /// their checksum, and what a power loss takes is built again from the batches.
    mutating func writeIndex(disk: any Disk) throws(StorageFailure) {
        guard index.isComplete, indexChecksum == nil else { return }
        let offsets = index.encodedOffsets()
        let times = index.encodedTimes()
        for (suffix, content) in [(".index", offsets), (".timeindex", times)] {
            let name = path(suffix)
            let file = disk.exists(name) ? try disk.open(name) : try disk.create(name)
            defer { file.close() }
            try file.truncate(to: 0)
            try file.write([content], at: 0)
        }
        indexChecksum = SegmentIndex.checksum(offsets: offsets, times: times)
    }

    mutating func unloadIndex() { index.unload(segmentBytes: bytes) }

    // MARK: Removal

    /// The files that make up the segment, those of them that exist.
    func existingFiles(disk: any Disk) -> [String] {
        [".log", ".index", ".timeindex", ".txnindex"].map { path($0) }.filter { disk.exists($0) }
    }
}
