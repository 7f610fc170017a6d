import Base
import CPlatform
import Glibc
import Runtime

/// Looks at this machine: what a server on it would have to live with.
struct MachineExamination {
    private(set) var findings: [Finding] = []

    /// `data`: the data directory, which need not exist yet.
    init(data: String) {
        openFiles()
        clock()
        hugePages()
        let place = Self.existing(data)
        fileSystem(place)
        room(place)
        syncs(place)
    }

    /// The directory, or the one in which it would be made.
    private static func existing(_ path: String) -> String {
        var path = path
        while weir_free_bytes(path) < 0 {
            guard let slash = path.lastIndex(of: "/") else { return "." }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
        return path
    }

    private mutating func openFiles() {
        let limit = weir_raise_descriptor_limit()
        guard limit >= 0 else { return }
        // A segment and its indexes for each partition, a socket for each client.
        let wanted: Int64 = 65_536
        findings.append(
            limit >= wanted
                ? Finding("open files", .ok, "this user may open \(grouped(limit))")
                : Finding(
                    "open files", limit < 4096 ? .failing : .warning,
                    "this user may open \(grouped(limit)), \(grouped(wanted)) are enough for all",
                    remedy: "ulimit -Hn 1048576, or LimitNOFILE=1048576 of the systemd unit"))
    }

    private mutating func clock() {
        switch weir_clock_is_disciplined() {
        case 1: findings.append(Finding("clock", .ok, "it is kept right"))
        case 0:
            findings.append(
                Finding(
                    "clock", .warning,
                    "nobody keeps it right; retention and timestamps of records go by it",
                    remedy: "timedatectl set-ntp true"))
        default:
            findings.append(Finding("clock", .unknown, "the system does not tell how it is kept"))
        }
    }

    private mutating func hugePages() {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled"
        guard let text = try? readFile(path).validText, let begin = text.firstIndex(of: "["),
            let end = text.firstIndex(of: "]")
        else { return }
        let mode = String(text[text.index(after: begin)..<end])
        findings.append(
            mode == "always"
                ? Finding(
                    "huge pages", .warning,
                    "the system joins pages by itself, which costs memory and pauses",
                    remedy: "echo madvise > \(path)")
                : Finding("huge pages", .ok, "the system uses them by \(mode)"))
    }

    // MARK: The data directory

    private mutating func fileSystem(_ place: String) {
        // statfs(2) and the headers of Linux.
        let volatile: [Int64: String] = [0x0102_1994: "tmpfs", 0x8584_58F6: "ramfs"]
        let remote: [Int64: String] = [0x6969: "nfs", 0xFF53_4D42: "cifs", 0x6573_5546: "fuse"]
        let type = weir_file_system_type(place)
        if let name = volatile[type] {
            findings.append(
                Finding(
                    "file system", .failing,
                    "\(place) is on \(name): everything is gone with the power",
                    remedy: "weir serve --data DIR on a disk"))
        } else if let name = remote[type] {
            findings.append(
                Finding(
                    "file system", .warning,
                    "\(place) is on \(name): whether synced bytes are durable is for the other side to say",
                    remedy: "weir serve --data DIR on a disk of this machine"))
        } else if type >= 0 {
            findings.append(Finding("file system", .ok, "\(place) is on a disk"))
        }
    }

    private mutating func room(_ place: String) {
        let free = weir_free_bytes(place)
        let total = weir_total_bytes(place)
        guard free >= 0, total > 0 else { return }
        let share = Int(Double(free) / Double(total) * 100)
        let text = "\(byteText(free)) of \(byteText(total)) are free (\(share) %)"
        let state: Finding.State = free < 1 << 30 ? .failing : share < 10 ? .warning : .ok
        findings.append(
            Finding(
                "room", state, text,
                remedy: state == .ok
                    ? nil : "weir config set NAME retention.bytes=… for the largest topics"))
    }

    /// How long it takes until bytes are durable: producers with acks=all wait for it.
    private mutating func syncs(_ place: String) {
        let path = place + "/.weir-doctor-\(getpid())"
        let file = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard file >= 0 else {
            findings.append(
                Finding(
                    "syncs", .failing,
                    "nothing can be written in \(place): \(String(cString: strerror(errno)))",
                    remedy: "chown the directory to the user of the server"))
            return
        }
        defer {
            weir_close(file)
            unlink(path)
        }
        let block = [UInt8](repeating: 0x57, count: 4096)
        var times: [Int64] = []
        for place in 0..<64 {
            let begin = weir_monotonic_nanoseconds()
            guard pwrite(file, block, block.count, place * block.count) == block.count,
                weir_fdatasync(file) == 0
            else {
                findings.append(
                    Finding(
                        "syncs", .failing,
                        "a sync failed: \(String(cString: strerror(errno)))",
                        remedy: "replace the disk: dmesg tells more"))
                return
            }
            times.append(weir_monotonic_nanoseconds() - begin)
        }
        times.sort()
        let median = Double(times[times.count / 2]) / 1e9
        let longest = Double(times[times.count - 1]) / 1e9
        let text =
            "4 KiB are durable in \(durationText(seconds: median)), "
            + "at worst of 64 in \(durationText(seconds: longest))"
        if median < 20e-6 {
            findings.append(
                Finding(
                    "syncs", .warning,
                    text + ": faster than any disk without a protected cache, it may not do them",
                    remedy: "ask who makes the disk; a machine with its power pulled shows it"))
        } else if median > 20e-3 {
            findings.append(
                Finding(
                    "syncs", .warning, text + ": a producer waits so long for each answer",
                    remedy: "put the data directory on another disk"))
        } else {
            findings.append(Finding("syncs", .ok, text))
        }
    }
}
