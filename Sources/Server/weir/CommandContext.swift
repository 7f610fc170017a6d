import Base
import CPlatform
import Glibc
import Runtime

/// What a running command gets: its invocation and the ways to speak. Data goes to standard output,
/// everything else to standard error.
struct CommandContext {
    let table: CommandTable
    let invocation: Invocation
    let isJSON: Bool

    init(table: CommandTable, invocation: Invocation) {
        self.table = table
        self.invocation = invocation
        isJSON = ["json", "ndjson"].contains(invocation.string("output") ?? "text")
    }

    /// Colours for messages: only for a person at a terminal who did not refuse them.
    static var coloursErrors: Bool { environment("NO_COLOR") == nil && weir_is_terminal(2) == 1 }
    static var coloursOutput: Bool { environment("NO_COLOR") == nil && weir_is_terminal(1) == 1 }

    func print(_ text: String) { standardOutput(text) }

    /// With line breaks at a terminal, on one line for programs.
    func print(_ value: JSONValue) { standardOutput(jsonText(value)) }

    /// For people only: progress, hints, what was done.
    func say(_ text: String) {
        if !isJSON, !invocation.isSet("quiet") { standardError(text + "\n") }
    }

    func broker() throws(Problem) -> HostPort {
        try HostPort(parsing: invocation.string("server") ?? "127.0.0.1:9092", defaultPort: 9092)
    }

    func http() throws(Problem) -> HTTPClient {
        let text = invocation.string("http-server") ?? "127.0.0.1:8888"
        return HTTPClient(server: try HostPort(parsing: text, defaultPort: 8888))
    }
}

func jsonText(_ value: JSONValue) -> String {
    (weir_is_terminal(1) == 1 ? value.pretty() : value.text) + "\n"
}

/// A variable of the environment; an empty one counts as not set.
func environment(_ name: String) -> String? {
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

func standardOutput(_ text: String) {
    var text = text
    text.withUTF8 { endIfBroken(writeAll(UnsafeRawBufferPointer($0), to: 1)) }
}

func standardOutput(_ bytes: Bytes) {
    bytes.withUnsafeBytes { endIfBroken(writeAll($0, to: 1)) }
}

/// Ends the program when its results can't be written: quietly and well when the reader has seen
/// enough (`weir topic list | head`), with an error when for example the disk is full.
private func endIfBroken(_ code: Int32) {
    if code == 0 { return }
    if let problem = outputProblem(code) {
        report(problem, asJSON: false)
        exit(ExitCode.failed.rawValue)
    }
    exit(ExitCode.ok.rawValue)
}

/// Why results can't be written; nil when nobody reads them any more, which is no problem.
func outputProblem(_ code: Int32) -> Problem? {
    if code == -EPIPE { return nil }
    let reason = String(cString: weir_error_text(-code))
    return Problem("output.failed", "the result can't be written: \(reason)")
}

/// Writes a file anew.
func writeFile(_ path: String, _ content: Bytes) throws(Problem) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
        throw Problem("file.open", "can't write \(path): \(String(cString: strerror(errno)))")
    }
    defer { weir_close(descriptor) }
    let code = content.withUnsafeBytes { writeAll($0, to: descriptor) }
    if code != 0 {
        let reason = String(cString: weir_error_text(-code))
        throw Problem("file.write", "can't write \(path): \(reason)")
    }
}

func standardError(_ text: String) {
    var text = text
    text.withUTF8 { _ = writeAll(UnsafeRawBufferPointer($0), to: 2) }
}

/// The whole file, or standard input for `-`.
func readFile(_ path: String, limit: Int = Limits.sqlBytes) throws(Problem) -> Bytes {
    let descriptor = path == "-" ? 0 : open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
        throw Problem("file.open", "can't open \(path): \(String(cString: strerror(errno)))")
    }
    defer { if descriptor > 0 { weir_close(descriptor) } }
    var content: [UInt8] = []
    let storage = ByteStorage(count: 64 << 10)
    while true {
        let count = weir_read(descriptor, storage.base, storage.count)
        if count < 0 { throw Problem("file.read", "can't read \(path)") }
        if count == 0 { return Bytes(content) }
        if content.count + Int(count) > limit {
            throw Problem("file.tooLong", "\(path) is longer than \(grouped(limit)) bytes")
        }
        content += UnsafeRawBufferPointer(start: storage.base, count: Int(count))
    }
}
