import Base

/// A snapshot that arrives from the leader, chunk by chunk.
struct IncomingSnapshot: Sendable {
    private(set) var file: SnapshotFile
    /// What is here without a gap, and its checksum.
    private(set) var next: Int64
    private var checksum: UInt32
    /// Everything is here and is being made durable.
    var isInstalling = false

    var snapshot: RaftSnapshot { file.snapshot }
    var isComplete: Bool { next == snapshot.contentCount }
    var isIntact: Bool { checksum == snapshot.contentChecksum }

    /// Begins to receive the snapshot of `chunk`, or goes on where an earlier life stopped.
    init(
        _ chunk: QuorumMessage.SnapshotChunk, chunkBytes: Int, on disk: any Disk,
        _ directory: String
    ) throws(StorageFailure) {
        let path = directory + "/" + SnapshotFile.incoming
        let old = try SnapshotFile.open(path, on: disk)
        // What a failed sync left in the cache would never become durable: it is copied.
        let fresh = try SnapshotFile.create(
            path + ".tmp", chunk.snapshot, chunkBytes: chunkBytes, on: disk)
        next = 0
        checksum = 0
        if let old, old.snapshot == chunk.snapshot, old.chunkBytes == chunkBytes {
            while next < old.snapshot.contentCount, let content = try old.chunk(at: next) {
                try fresh.write(content, at: next)
                checksum = crc32c(content, seed: checksum)
                next += Int64(content.count)
            }
        }
        old?.file.close()
        try disk.rename(path + ".tmp", to: path)
        file = fresh
    }

    /// Adds the chunk if it is the next one and as long as it should be; false when the sender cuts
    /// the content into other pieces.
    mutating func add(_ chunk: QuorumMessage.SnapshotChunk) throws(StorageFailure) -> Bool {
        guard chunk.position == next, !isComplete else { return true }
        let wanted = min(Int64(file.chunkBytes), snapshot.contentCount - next)
        guard Int64(chunk.content.count) == wanted else { return false }
        try file.write(chunk.content, at: next)
        checksum = crc32c(chunk.content, seed: checksum)
        next += wanted
        return true
    }
}
