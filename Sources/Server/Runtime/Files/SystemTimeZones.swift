import Base
import Glibc
import Synchronization

/// The zone database of the machine. Files are read once; a zone that is installed later is found
/// after a restart.
package final class SystemTimeZones: TimeZoneSource {
    private let folder: String
    private let known = Mutex<[String: [UInt8]?]>([:])

    /// Files of zones have some KiB.
    private static let fileBytesMax = 1 << 20
    private static let filesMax = 1024

    package init(folder: String = "/usr/share/zoneinfo") { self.folder = folder }

    package func zoneFile(named name: String) -> [UInt8]? {
        if let answer = known.withLock({ $0[name] }) { return answer }
        let answer = Self.read("\(folder)/\(name)")
        known.withLock { known in
            if known.count >= Self.filesMax { known = [:] }
            known[name] = answer
        }
        return answer
    }

    private static func read(_ path: String) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var facts = stat()
        guard fstat(descriptor, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG,
            facts.st_size > 0, facts.st_size <= fileBytesMax
        else { return nil }
        var bytes = [UInt8](repeating: 0, count: Int(facts.st_size))
        var filled = 0
        while filled < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress! + filled, $0.count - filled)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return nil }
            filled += count
        }
        return bytes
    }
}
