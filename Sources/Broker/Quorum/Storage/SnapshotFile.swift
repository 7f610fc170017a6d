// The file of a snapshot, `snapshot-<index>` (20 digits), and of one that is arriving, `incoming`.
// Integers are big-endian.
//
//   offset        size field
//   0             4    magic "WQS1"
//   4             4    CRC-32C of bytes 8 ..< 8192
//   8             4    bytes of a chunk, C
//   12            …    snapshot, as in messages, then zeros up to 8192
//   8192 + n(C+8) 4    CRC-32C of the chunk, seeded with its number
//   + 4           4    length of the chunk: C, of the last one what is left
//   + 8           …    the chunk
//
// A file that is arriving has the same form, so that after a crash its chunks are checked one by
// one and the next one is asked for.

import Base

struct SnapshotFile: Sendable {
    static let magic: UInt32 = 0x5751_5331
    static let headerBytes = 8192
    static let incoming = "incoming"
    private static let chunkHeaderBytes = 8

    let snapshot: RaftSnapshot
    let chunkBytes: Int
    let path: String
    let file: any DiskFile

    static func name(_ index: LogIndex) -> String {
        let digits = String(index.value)
        return "snapshot-" + String(repeating: "0", count: max(0, 20 - digits.count)) + digits
    }

    /// A new file with only its header.
    static func create(
        _ path: String, _ snapshot: RaftSnapshot, chunkBytes: Int, on disk: any Disk
    ) throws(StorageFailure) -> SnapshotFile {
        if disk.exists(path) { try disk.remove(path) }
        let file = try disk.create(path)
        var writer = ByteWriter(capacity: headerBytes)
        writer.uint32(magic)
        writer.uint32(0)
        writer.uint32(UInt32(chunkBytes))
        writer.snapshot(snapshot)
        precondition(writer.count <= headerBytes, "a configuration fits the header")
        writer.zeros(headerBytes - writer.count)
        writer.patchUInt32(writer.crc32c(from: 8), at: 4)
        try file.write(writer.finish(), at: 0)
        return SnapshotFile(snapshot: snapshot, chunkBytes: chunkBytes, path: path, file: file)
    }

    private init(snapshot: RaftSnapshot, chunkBytes: Int, path: String, file: any DiskFile) {
        self.snapshot = snapshot
        self.chunkBytes = chunkBytes
        self.path = path
        self.file = file
    }

    /// A file with a whole header; nil when there is none at `path`.
    static func open(_ path: String, on disk: any Disk) throws(StorageFailure) -> SnapshotFile? {
        guard disk.exists(path) else { return nil }
        let file = try disk.open(path)
        let header = try file.read(at: 0, count: headerBytes)
        do throws(DecodeFailure) {
            var reader = ByteReader(header)
            guard header.count == headerBytes, try reader.uint32() == magic,
                try reader.uint32() == crc32c(header[8..<headerBytes])
            else { return nil }
            let chunkBytes = Int(try reader.uint32())
            guard chunkBytes > 0, chunkBytes <= QuorumMessage.chunkBytesMax else { return nil }
            return SnapshotFile(
                snapshot: try reader.snapshot(), chunkBytes: chunkBytes, path: path, file: file)
        } catch {
            return nil
        }
    }

    private func place(_ number: Int64) -> Int64 {
        Int64(Self.headerBytes) + number * Int64(chunkBytes + Self.chunkHeaderBytes)
    }

    private func seed(_ number: Int64) -> UInt32 { UInt32(truncatingIfNeeded: number) }

    /// Bytes of the chunk that begins at `position` of the content.
    private func count(at position: Int64) -> Int {
        Int(min(Int64(chunkBytes), snapshot.contentCount - position))
    }

    /// Writes the chunk that begins at `position` of the content, which is a multiple of the
    /// chunk's size.
    func write(_ chunk: Bytes, at position: Int64) throws(StorageFailure) {
        precondition(position % Int64(chunkBytes) == 0 && chunk.count == count(at: position))
        let number = position / Int64(chunkBytes)
        var header = ByteWriter(capacity: Self.chunkHeaderBytes)
        header.uint32(crc32c(chunk, seed: seed(number)))
        header.uint32(UInt32(chunk.count))
        try file.write([header.finish(), chunk], at: place(number))
    }

    /// The chunk that begins at `position`, checked; nil = damaged or not there.
    func chunk(at position: Int64) throws(StorageFailure) -> Bytes? {
        guard position % Int64(chunkBytes) == 0, position < snapshot.contentCount else {
            return position == snapshot.contentCount ? .empty : nil
        }
        let number = position / Int64(chunkBytes)
        let wanted = count(at: position)
        let bytes = try file.read(at: place(number), count: Self.chunkHeaderBytes + wanted)
        guard bytes.count == Self.chunkHeaderBytes + wanted else { return nil }
        let content = bytes[Self.chunkHeaderBytes...]
        var reader = ByteReader(bytes)
        guard let checksum = try? reader.uint32(), let length = try? reader.uint32(),
            Int(length) == wanted, crc32c(content, seed: seed(number)) == checksum
        else { return nil }
        return content
    }

    /// The whole content, if every byte of it is right.
    func content() throws(StorageFailure) -> Bytes? {
        var pieces: [Bytes] = []
        var position: Int64 = 0
        while position < snapshot.contentCount {
            guard let chunk = try chunk(at: position) else { return nil }
            pieces.append(chunk)
            position += Int64(chunk.count)
        }
        let content = pieces.count == 1 ? pieces[0] : Bytes.joined(pieces)
        return crc32c(content) == snapshot.contentChecksum ? content : nil
    }
}
