import Base

/// Walks the batches of a segment in order, reading headers and, on request, whole batches.
///
/// It reads ahead in chunks and skips what it is not asked for, so a walk over large batches costs
/// little. It stops where no whole batch follows and says why.
struct BatchScanner: Sendable {
    struct Item: Sendable {
        var header: BatchHeader
        var position: Int64
    }

    enum Stop: Hashable, Sendable {
        /// All bytes were read.
        case end
        /// The bytes at `position` are not a whole batch.
        case broken(position: Int64)
    }

    private let file: any DiskFile
    private let end: Int64
    private let chunkBytes: Int
    private(set) var position: Int64
    private var buffer = Bytes.empty
    private var bufferPosition: Int64 = 0
    private(set) var stop: Stop?

    init(file: any DiskFile, from position: Int64, to end: Int64, chunkBytes: Int = 128 << 10) {
        self.file = file
        self.position = position
        self.end = end
        self.chunkBytes = chunkBytes
    }

    /// The next header; nil when `stop` says so.
    mutating func next() throws(StorageFailure) -> Item? {
        guard stop == nil else { return nil }
        let left = end - position
        if left == 0 {
            stop = .end
            return nil
        }
        guard left >= Int64(BatchHeader.byteCount),
            let header = BatchHeader(try window(BatchHeader.byteCount), at: 0),
            Int64(header.byteCount) <= left
        else {
            stop = .broken(position: position)
            return nil
        }
        let item = Item(header: header, position: position)
        position += Int64(header.byteCount)
        return item
    }

    /// The bytes of the batch that `next` returned last.
    mutating func bytes(of item: Item) throws(StorageFailure) -> Bytes {
        let after = position
        position = item.position
        defer { position = after }
        return try window(item.header.byteCount)
    }

    /// Whether the checksum of the batch that `next` returned last is right.
    mutating func isIntact(_ item: Item) throws(StorageFailure) -> Bool {
        let batch = try bytes(of: item)
        guard batch.count == item.header.byteCount else { return false }
        return BatchHeader.computedChecksum(batch, at: 0, byteCount: batch.count)
            == item.header.checksum
    }

    /// `count` bytes from `position` on, fewer at the end of the file.
    private mutating func window(_ count: Int) throws(StorageFailure) -> Bytes {
        let from = position - bufferPosition
        if from >= 0, from + Int64(count) <= Int64(buffer.count) {
            return buffer[Int(from)..<(Int(from) + count)]
        }
        let wanted = Int(min(Int64(max(count, chunkBytes)), end - position))
        buffer = try file.read(at: position, count: wanted)
        bufferPosition = position
        return buffer[0..<min(count, buffer.count)]
    }
}
