import Base
import CPlatform
import Glibc
import Synchronization

/// A file of this machine that is only read. Closed with the last reference.
final class ReadOnlyFile: Sendable {
    private let descriptor: Int32
    private let path: String
    let size: Int64
    private let total = Atomic<Int64>(0)

    /// Bytes that were read so far.
    var bytesRead: Int64 { total.load(ordering: .relaxed) }

    init(_ path: String) throws(Problem) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw Problem("file.open", "can't open \(path): \(String(cString: strerror(errno)))")
        }
        let end = lseek(descriptor, 0, SEEK_END)
        guard end >= 0 else {
            close(descriptor)
            throw Problem("file.open", "\(path) is not a file that can be read at any position")
        }
        size = Int64(end)
    }

    deinit { close(descriptor) }

    /// `count` bytes from `position` on, fewer at the end of the file.
    func read(at position: Int64, count: Int) throws(StorageFailure) -> Bytes {
        let available = max(0, min(Int64(count), size - position))
        let storage = ByteStorage(count: Int(available))
        var done = 0
        while done < storage.count {
            let got = pread(
                descriptor, storage.base + done, storage.count - done, off_t(position) + off_t(done)
            )
            if got < 0, errno == EINTR { continue }
            if got < 0 { throw .system(operation: "read", path: path, code: errno) }
            if got == 0 { break }
            done += got
        }
        total.add(Int64(done), ordering: .relaxed)
        return Bytes(storage: storage, start: 0, count: done)
    }
}
