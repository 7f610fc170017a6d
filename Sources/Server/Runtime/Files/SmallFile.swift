import Base
import CPlatform
import Glibc

/// The whole of a small file that belongs to the set-up: keys, passwords, settings.
package func readSmallFile(_ path: String, limit: Int = 1 << 20) throws(Problem) -> Bytes {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
        throw Problem("file.open", "can't open \(path): \(String(cString: strerror(errno)))")
    }
    defer { weir_close(descriptor) }
    var content = ByteWriter(capacity: 4096)
    let storage = ByteStorage(count: 64 << 10)
    while true {
        let count = weir_read(descriptor, storage.base, storage.count)
        if count < 0 { throw Problem("file.read", "can't read \(path)") }
        if count == 0 { return content.finish() }
        if content.count + Int(count) > limit {
            throw Problem("file.tooLong", "\(path) is longer than \(limit) bytes")
        }
        content.bytes(UnsafeRawBufferPointer(start: storage.base, count: Int(count)))
    }
}

/// The first line of a file: a password without the line break that editors put behind it.
package func readSecret(_ path: String) throws(Problem) -> Secret {
    let bytes = try readSmallFile(path, limit: 64 << 10).array
    let line = bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    if line.isEmpty {
        throw Problem("file.empty", "\(path) has no password in its first line")
    }
    return Secret(Bytes(line))
}
