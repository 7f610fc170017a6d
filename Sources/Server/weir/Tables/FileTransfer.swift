import Base
import CPlatform
import Glibc
import RowFiles
import Runtime
import SQL

/// A file of this machine that `weir table import` and `export` read and write.
struct TransferFile {
    let path: String
    let format: FolderFormat
    private var csv = CSVOptions()

    /// The format by the flag, else by the name of the file.
    init(_ path: String, _ context: CommandContext) throws(Problem) {
        self.path = path
        let named = context.invocation.string("format").flatMap { FolderFormat(rawValue: $0) }
        guard let format = named ?? FolderFormat(fileName: path) else {
            throw Problem(
                "usage.value", "the format of \(path) is not known from its name",
                hint: "say --format csv, json or parquet")
        }
        self.format = format
        for (flag, place) in [("delimiter", \CSVOptions.delimiter), ("quote", \CSVOptions.quote)] {
            guard let text = context.invocation.string(flag) else { continue }
            let character = text == "\\t" ? "\t" : text
            guard character.utf8.count == 1, let byte = character.utf8.first else {
                throw Problem("usage.value", "--\(flag) is one ASCII character, found \"\(text)\"")
            }
            csv[keyPath: place] = byte
        }
        csv.null = context.invocation.string("null") ?? ""
        csv.hasHeader = !context.invocation.isSet("no-header")
        try csv.check()
    }

    var form: RowFileForm? {
        switch format {
        case .csv: .csv(csv)
        case .json: .json
        case .parquet, .delta: nil
        }
    }

    /// `WITH (…)` of a COPY.
    func options(_ more: [String] = []) -> String {
        var options = ["FORMAT \(format.rawValue)"]
        if format == .csv {
            func character(_ byte: UInt8) -> String {
                quotedLiteral(String(decoding: [byte], as: UTF8.self))
            }
            options += [
                "HEADER \(csv.hasHeader)", "DELIMITER \(character(csv.delimiter))",
                "QUOTE \(character(csv.quote))", "NULL \(quotedLiteral(csv.null))",
            ]
        }
        return "WITH (\((options + more).joined(separator: ", ")))"
    }

    /// The file for reading by position.
    func opened() throws(Problem) -> RowFile {
        let file = try ReadOnlyFile(path)
        return RowFile(name: path, size: file.size) { (position, count) throws(StorageFailure) in
            try file.read(at: position, count: count)
        }
    }

    /// As a statement of this process names it, from the root on.
    func absolutePath(isNew: Bool) throws(Problem) -> String {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        guard let resolved = realpath(isNew ? (folder.isEmpty ? "/" : folder) : path, nil) else {
            throw Problem("file.open", "can't open \(path): \(String(cString: strerror(errno)))")
        }
        defer { free(resolved) }
        let text = String(cString: resolved)
        return isNew ? text + "/" + lastComponent(of: path) : text
    }
}

/// A file on a server for the time of a statement.
struct ServerUpload {
    private static let partBytes = 8 << 20

    private let client: HTTPClient
    private let id: String
    private let progress: TransferProgress

    init(on client: HTTPClient, _ progress: TransferProgress) throws(Problem) {
        self.client = client
        self.progress = progress
        let answer = try client.json("POST", "/uploads")
        guard let id = answer["upload"]?.stringValue else {
            throw Problem("http.answer", "the server gave no name for an upload")
        }
        self.id = id
    }

    /// As a statement names it.
    var name: String { "upload:" + id }

    func delete() { _ = try? client.json("DELETE", "/uploads/" + id) }

    /// Sends a file, piece by piece, until `read` gives nothing more. Returns its bytes.
    @discardableResult
    func send(_ read: (Int64, Int) throws(Problem) -> Bytes) throws(Problem) -> Int64 {
        var sent: Int64 = 0
        var part = 0
        while true {
            let piece = try read(sent, Self.partBytes)
            if piece.isEmpty, part > 0 { break }
            let answer = try client.request("PUT", "/uploads/\(id)/\(part)", body: piece)
            guard answer.status < 300 else { throw Self.problem(answer) }
            sent += Int64(piece.count)
            part += 1
            progress.show(sent)
            if piece.count < Self.partBytes { break }
        }
        progress.end()
        return sent
    }

    /// Fetches what a statement wrote.
    func fetch(_ write: (Bytes) throws(Problem) -> Void) throws(Problem) -> Int64 {
        var received: Int64 = 0
        var part = 0
        while true {
            let answer = try client.request("GET", "/uploads/\(id)/\(part)")
            if answer.status == 404, part > 0 { break }
            guard answer.status < 300 else { throw Self.problem(answer) }
            try write(answer.body)
            received += Int64(answer.body.count)
            part += 1
            progress.show(received)
        }
        progress.end()
        return received
    }

    private static func problem(_ answer: HTTPAnswer) -> Problem {
        (try? JSONValue(parsing: answer.body)).flatMap { Problem(json: $0) }
            ?? Problem("http.status", "the server answered with status \(answer.status)")
    }
}

/// How far a transfer is, at a terminal and when it takes longer than half a second.
final class TransferProgress {
    private let verb: String
    private let total: Int64?
    private let line: ProgressLine
    private let began = SystemClock.monotonic

    init(_ verb: String, total: Int64?, _ context: CommandContext) {
        self.verb = verb
        self.total = total
        line = ProgressLine(context)
    }

    func show(_ bytes: Int64) {
        let elapsed = Double((SystemClock.monotonic - began).wholeNanoseconds) / 1e9
        guard line.isShown, elapsed > 0.5 else { return }
        var text = "\(verb) \(byteText(bytes))"
        if let total, total > 0 {
            text += " of \(byteText(total)) (\(bytes * 100 / total) %)"
        }
        line.show(text + ", \(byteText(Int64(Double(bytes) / elapsed)))/s")
    }

    func end() { line.end() }
}

/// A line on the terminal of whoever waits, written over and over; nothing where nobody looks.
final class ProgressLine {
    let isShown: Bool
    private var wasShown = false

    init(_ context: CommandContext) {
        isShown =
            weir_is_terminal(2) == 1 && !context.isJSON && !context.invocation.isSet("quiet")
    }

    func show(_ text: String) {
        guard isShown else { return }
        wasShown = true
        standardError("\r\(text)   ")
    }

    /// The line is gone again.
    func end() {
        if wasShown { standardError("\r\u{1B}[K") }
        wasShown = false
    }
}
