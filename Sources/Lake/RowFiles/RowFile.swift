// Files of rows as text: CSV and JSON lines. Read in chunks, a batch a chunk, so that a file of any
// size takes the memory of one chunk.

import Base

/// A file that is read by position.
package struct RowFile: Sendable {
    /// For messages.
    package var name: String
    /// In bytes.
    package var size: Int64
    /// At most `count` bytes from `position`, fewer only at the end.
    package var read: @Sendable (_ position: Int64, _ count: Int) throws(StorageFailure) -> Bytes

    package init(
        name: String, size: Int64,
        read: @escaping @Sendable (Int64, Int) throws(StorageFailure) -> Bytes
    ) {
        self.name = name
        self.size = size
        self.read = read
    }
}

/// What is read at once, and how long a record may be.
package struct RowFileLimits: Sendable {
    package var chunkBytes = 1 << 20
    package var recordBytesMax = 64 << 20

    package init() {}
}

/// The bytes of a file, chunk after chunk; what a reader has not used yet begins the next chunk.
struct ChunkReader {
    let file: RowFile
    private let limits: RowFileLimits
    private(set) var chunk: Bytes = .empty
    private var position: Int64 = 0

    init(_ file: RowFile, _ limits: RowFileLimits) {
        self.file = file
        self.limits = limits
    }

    /// Whether the chunk goes to the end of the file.
    var isLast: Bool { position >= file.size }

    /// Makes the chunk its bytes from `start` on and what follows them in the file. When nothing was
    /// used, it grows, until a record would be longer than records may be.
    mutating func advance(from start: Int, line: Int) throws(Problem) {
        let left = chunk.count - start
        guard left < limits.recordBytesMax else {
            throw Problem(
                "22P04", "\(file.name), line \(line): a record has no end",
                notes: ["records may have \(limits.recordBytesMax >> 20) MiB"],
                hint: "is a quote missing?")
        }
        let wanted = min(Int64(max(limits.chunkBytes, left)), file.size - position)
        let piece: Bytes
        do throws(StorageFailure) {
            piece = try file.read(position, Int(wanted))
        } catch {
            throw Problem("58030", "\(file.name) can't be read", notes: [error.description])
        }
        guard piece.count == Int(wanted) else {
            throw Problem(
                "58030", "\(file.name) became shorter while it was read",
                notes: ["expected \(file.size) bytes"])
        }
        let storage = ByteStorage(count: left + piece.count)
        let target = UnsafeMutableRawBufferPointer(start: storage.base, count: storage.count)
        chunk.withUnsafeBytes { old in
            target.copyMemory(from: UnsafeRawBufferPointer(rebasing: old[start...]))
        }
        piece.withUnsafeBytes { new in
            UnsafeMutableRawBufferPointer(rebasing: target[left...]).copyMemory(from: new)
        }
        chunk = Bytes(storage: storage, start: 0, count: storage.count)
        position += wanted
    }
}
