import Base
import CPlatform
import Glibc
import Synchronization

/// An open file of a `FileDisk`.
///
/// Any thread may use it; in particular the journal is synced on a helper thread while the loop
/// appends. `close` waits for nobody: the descriptor is given back when the last running call has
/// left, so it can't be reused under a call's feet.
final class OpenFile: DiskFile {
    private let descriptor: Int32
    private let path: String
    /// Twice the number of running calls, plus 1 when closed.
    private let users = Atomic<Int>(0)
    private let givenBack = Atomic<Bool>(false)
    /// errno of a failed sync. The kernel reports a lost write once and then forgets it; this
    /// object does not, so that no later sync can claim success.
    private let syncFailure = Atomic<Int32>(0)

    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        // Nobody runs a call here. An odd count means that `close` came before.
        if users.load(ordering: .acquiring) & 1 == 0 { weir_close(descriptor) }
    }

    private func enter(_ operation: String) throws(StorageFailure) {
        let before = users.add(2, ordering: .acquiringAndReleasing).oldValue
        if before & 1 == 1 {
            leave()
            throw .system(operation: operation, path: path, code: EBADF)
        }
    }

    fileprivate func leave() {
        // The last to leave a closed file gives the descriptor back. Refused calls pass here too,
        // so this can happen again later; `giveBack` acts once.
        if users.subtract(2, ordering: .acquiringAndReleasing).newValue == 1 { giveBack() }
    }

    private func giveBack() {
        if !givenBack.exchange(true, ordering: .acquiringAndReleasing) { weir_close(descriptor) }
    }

    func close() {
        let before = users.bitwiseOr(1, ordering: .acquiringAndReleasing).oldValue
        if before == 0 { giveBack() }
    }

    var size: Int64 {
        guard (try? enter("inspect")) != nil else { return 0 }
        defer { leave() }
        return max(0, weir_file_size(descriptor))
    }

    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        guard position >= 0, count >= 0 else { throw failure(-EINVAL, "read", path) }
        try enter("read")
        defer { leave() }
        var wanted = count
        // A large wish is compared with the file first, so that memory is taken only for bytes
        // that exist.
        if wanted > 1 << 20 {
            let size = weir_file_size(descriptor)
            if size < 0 { throw failure(Int32(size), "inspect", path) }
            wanted = Int(min(Int64(wanted), max(0, size - position)))
        }
        if wanted == 0 { return .empty }
        let storage = ByteStorage(count: wanted)
        var filled = 0
        while filled < wanted {
            let n = weir_read_at(
                descriptor, storage.base + filled, wanted - filled, position + Int64(filled))
            if n < 0 { throw failure(Int32(n), "read", path) }
            if n == 0 { break }
            filled += Int(n)
        }
        let bytes = Bytes(storage: storage, start: 0, count: filled)
        // A short read at the end must not keep a large buffer alive.
        return filled < wanted / 2 ? bytes.compacted() : bytes
    }

    /// Views smaller than this cost more than a copy.
    private static let lentFrom = 16 << 10

    func lend(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        guard count >= Self.lentFrom, position >= 0 else {
            return try read(at: position, count: count)
        }
        try enter("map")
        let size = weir_file_size(descriptor)
        guard size >= position + Int64(count),
            let base = weir_map(descriptor, position, count)
        else {
            // Too short or no address space: `read` says what is wrong or does without.
            leave()
            return try read(at: position, count: count)
        }
        // `leave` follows when the view ends.
        let lent = LentRange(file: self, position: position)
        let storage = ByteStorage(view: base, count: count, of: lent)
        return Bytes(storage: storage, start: 0, count: count)
    }

    /// One attempt to send bytes of a view to a socket: the count, 0 when the file has become
    /// shorter, or -errno.
    fileprivate func send(to socket: Int32, at position: Int64, count: Int) -> Int64 {
        weir_send_file(socket, descriptor, position, count)
    }

    func write(_ pieces: [Bytes], at position: Int64) throws(StorageFailure) {
        guard position >= 0 else { throw failure(-EINVAL, "write", path) }
        try enter("write")
        defer { leave() }
        var at = position
        var next = 0
        var offset = 0
        while next < pieces.count {
            if pieces[next].count == offset {
                next += 1
                offset = 0
                continue
            }
            let written = Self.writeSome(
                descriptor, pieces, from: next, offset: offset, position: at)
            if written < 0 { throw failure(Int32(written), "write", path) }
            // Zero for a non-empty write has no meaning for a file; better to stop than to spin.
            if written == 0 { throw failure(-EIO, "write", path) }
            at += written
            var rest = Int(written)
            while rest > 0 {
                let left = pieces[next].count - offset
                if rest < left {
                    offset += rest
                    rest = 0
                } else {
                    rest -= left
                    next += 1
                    offset = 0
                }
            }
        }
    }

    /// One pwritev of as many pieces as it takes at most (IOV_MAX is 1024).
    private static func writeSome(
        _ descriptor: Int32, _ pieces: [Bytes], from first: Int, offset: Int, position: Int64
    ) -> Int64 {
        let count = min(pieces.count - first, 1024)
        return withUnsafeTemporaryAllocation(of: iovec.self, capacity: count) { vectors in
            for index in 0..<count {
                let piece = pieces[first + index]
                let skip = index == 0 ? offset : 0
                vectors[index] = iovec(
                    iov_base: piece.storage.base + piece.start + skip,
                    iov_len: piece.count - skip)
            }
            return withExtendedLifetime(pieces) {
                weir_write_at(descriptor, vectors.baseAddress, Int32(count), position)
            }
        }
    }

    func truncate(to size: Int64) throws(StorageFailure) {
        guard size >= 0 else { throw failure(-EINVAL, "truncate", path) }
        try enter("truncate")
        defer { leave() }
        let code = weir_truncate(descriptor, size)
        if code < 0 { throw failure(code, "truncate", path) }
    }

    func sync() throws(StorageFailure) {
        try enter("sync")
        defer { leave() }
        let earlier = syncFailure.load(ordering: .acquiring)
        if earlier != 0 { throw .system(operation: "sync", path: path, code: earlier) }
        let code = weir_fdatasync(descriptor)
        if code < 0 {
            syncFailure.store(-code, ordering: .releasing)
            throw failure(code, "sync", path)
        }
    }
}

/// A part of a file as a view: mapped into memory, though the network sends it without looking
/// there. It counts as a running call, so the descriptor stays while the view lives.
///
/// Touching a view whose page can't be read from the disk would end the process; therefore only
/// `OutputQueue` gets views, and it does not touch them.
final class LentRange: FileRange {
    private let file: OpenFile
    private let position: Int64

    fileprivate init(file: OpenFile, position: Int64) {
        self.file = file
        self.position = position
    }

    /// Sends `count` bytes from `start` of the view on: as `OpenFile.send`.
    func send(to socket: Int32, from start: Int, count: Int) -> Int64 {
        file.send(to: socket, at: position + Int64(start), count: count)
    }

    /// A copy, read with a system call that can fail.
    func read(from start: Int, count: Int) throws(StorageFailure) -> Bytes {
        try file.read(at: position + Int64(start), count: count)
    }

    package func release(_ base: UnsafeMutableRawPointer, count: Int) {
        weir_unmap(base, count)
        file.leave()
    }
}
