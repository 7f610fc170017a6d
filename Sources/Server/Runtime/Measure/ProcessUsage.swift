// What a process on this machine has used, as the kernel counts it.
//
// /proc/PID/stat    fields 14 and 15: ticks in user and kernel mode, of all threads
// /proc/PID/status  VmRSS, VmHWM, RssAnon in KiB
// /proc/net/tcp     who listens where, by socket number; /proc/PID/fd names the sockets of a process

import Base
import CPlatform
import Glibc

/// CPU time and memory of one process at one moment.
package struct ProcessUsage: Equatable, Sendable {
    package var userSeconds: Double
    package var systemSeconds: Double
    package var residentBytes: Int64
    package var peakResidentBytes: Int64
    /// Memory that belongs to no file: heap and stacks.
    package var anonymousBytes: Int64

    package var cpuSeconds: Double { userSeconds + systemSeconds }

    /// Understands the text of the two files; nil when it has another form.
    package init?(stat: String, status: String, ticksPerSecond: Int) {
        // The second field is a name in parentheses that may hold anything.
        guard ticksPerSecond > 0, let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12])
        else { return nil }
        userSeconds = user / Double(ticksPerSecond)
        systemSeconds = system / Double(ticksPerSecond)
        func kibibytes(_ name: String) -> Int64? {
            for line in status.split(separator: "\n") where line.hasPrefix(name + ":") {
                let digits = line.filter { ("0"..."9").contains($0) }
                return Int64(digits).map { $0 << 10 }
            }
            return nil
        }
        guard let resident = kibibytes("VmRSS") else { return nil }
        residentBytes = resident
        peakResidentBytes = kibibytes("VmHWM") ?? resident
        anonymousBytes = kibibytes("RssAnon") ?? 0
    }

    /// The process `pid` now; nil when it does not exist or belongs to somebody else.
    package init?(of pid: Int32) {
        guard let stat = smallFile("/proc/\(pid)/stat"),
            let status = smallFile("/proc/\(pid)/status")
        else { return nil }
        self.init(stat: stat, status: status, ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)))
    }

    /// What a server tells in the text of its metrics; it does not split its CPU time, which counts
    /// as time of its own code. nil when it tells nothing.
    package init?(metrics: String) {
        func value(_ name: String) -> Double? {
            for line in metrics.split(separator: "\n") where line.hasPrefix(name + " ") {
                return Double(line.dropFirst(name.utf8.count + 1).split(separator: " ").first ?? "")
            }
            return nil
        }
        guard let seconds = value("weir_process_cpu_seconds_total") else { return nil }
        userSeconds = seconds
        systemSeconds = 0
        residentBytes = Int64(value("weir_process_resident_memory_bytes") ?? 0)
        peakResidentBytes = residentBytes
        anonymousBytes = 0
    }

    /// This process.
    package static var own: ProcessUsage? { ProcessUsage(of: getpid()) }
}

/// The process of this user that listens on a TCP port of this machine; nil when there is none, or
/// when its owner does not let us look.
package func processListening(onPort port: UInt16) -> Int32? {
    var sockets: Set<String> = []
    for path in ["/proc/net/tcp", "/proc/net/tcp6"] {
        sockets.formUnion(listeningSockets(smallFile(path) ?? "", port: port))
    }
    if sockets.isEmpty { return nil }
    for pid in names(in: "/proc").compactMap({ Int32($0) }).sorted() {
        for descriptor in names(in: "/proc/\(pid)/fd") {
            var target = [CChar](repeating: 0, count: 64)
            let count = readlink("/proc/\(pid)/fd/\(descriptor)", &target, 63)
            guard count > 0 else { continue }
            let text = String(
                decoding: target[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if text.hasPrefix("socket:["), sockets.contains(String(text.dropFirst(8).dropLast())) {
                return pid
            }
        }
    }
    return nil
}

/// Numbers of the sockets that listen on `port`, from the text of /proc/net/tcp.
package func listeningSockets(_ table: String, port: UInt16) -> [String] {
    table.split(separator: "\n").dropFirst().compactMap { line in
        let fields = line.split(separator: " ")
        // 0A is the state LISTEN.
        guard fields.count > 9, fields[3] == "0A",
            let colon = fields[1].lastIndex(of: ":"),
            UInt16(fields[1][fields[1].index(after: colon)...], radix: 16) == port
        else { return nil }
        return String(fields[9])
    }
}

private func names(in directory: String) -> [String] {
    guard let open = opendir(directory) else { return [] }
    defer { closedir(open) }
    var found: [String] = []
    while let entry = readdir(open) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if !name.hasPrefix(".") { found.append(name) }
    }
    return found
}

/// A file of the kernel, which has no size before it is read; at most 1 MiB of it.
func smallFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { weir_close(descriptor) }
    var content: [UInt8] = []
    let storage = ByteStorage(count: 64 << 10)
    while content.count < 1 << 20 {
        let count = weir_read(descriptor, storage.base, storage.count)
        if count < 0 { return nil }
        if count == 0 { break }
        content += UnsafeRawBufferPointer(start: storage.base, count: Int(count))
    }
    return String(decoding: content, as: UTF8.self)
}
