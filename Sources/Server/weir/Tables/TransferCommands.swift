import Base
import CPlatform
import Columns
import Glibc
import RowFiles
import Runtime
import SQL

private let formatFlags = [
    FlagSpec(
        "format", "f", value: "FORMAT", "The format, if the file's name does not say it",
        choices: ["csv", "json", "parquet"]),
    FlagSpec("delimiter", value: "CHAR", "Between the fields of CSV, \\t = a tab"),
    FlagSpec("quote", value: "CHAR", "Around fields of CSV"),
    FlagSpec("null", value: "TEXT", "What stands for NULL in CSV"),
    FlagSpec("no-header", nil, "The CSV has no line with the names of the columns"),
]

/// Rows of files into tables and out of them.
let transferCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "table import", "Adds the rows of a file to a table, all of them or none",
            details: """
                The file is CSV, JSON lines (one object a line) or Parquet. Columns are found by their
                names; those that the file does not have get their defaults. A value that does not fit
                its column is an error that names line and column, and nothing is added.
                """,
            arguments: [
                ArgumentSpec("TABLE", .one, "A table of the server, or ./folder of one"),
                ArgumentSpec("FILE", .one, "The file; - = standard input", kind: .file),
            ],
            flags: [
                FlagSpec("create", nil, "Creates the table with the columns of the file"),
                FlagSpec(
                    "columns", "c", value: "NAMES",
                    "The columns of the file in their order, separated by commas"),
                FlagSpec("ignore-unknown", nil, "Leaves out keys of JSON that are no columns"),
            ] + formatFlags + [httpFlag],
            examples: [
                ("weir table import silver.users users.csv", "adds the rows of a CSV file"),
                ("weir table import events new.parquet --create", "makes a table of a file"),
                ("weir table import ./lake/events part.ndjson", "without a server"),
            ]),
        run: runImport),
    RegisteredCommand(
        spec: CommandSpec(
            "table export", "Writes the rows of a table to a file",
            arguments: [
                ArgumentSpec("TABLE", .one, "A table of the server, or ./folder of one"),
                ArgumentSpec("FILE", .one, "The file; - = standard output", kind: .file),
            ],
            flags: [
                FlagSpec("columns", "c", value: "NAMES", "Only these columns, separated by commas"),
                FlagSpec("where", value: "CONDITION", "Only rows for which this SQL is true"),
                FlagSpec("at-version", value: "N", "The rows of an earlier version"),
                FlagSpec("force", nil, "Writes over a file that exists"),
            ] + formatFlags + [httpFlag],
            examples: [
                ("weir table export gold.daily daily.csv", "a table as CSV"),
                (
                    "weir table export ./lake/events part.parquet --where \"day = '2026-01-01'\"",
                    "a part of a table, without a server"
                ),
            ]),
        run: runExport),
]

// MARK: Import

private func runImport(_ context: CommandContext) throws(Problem) -> ExitCode {
    let began = SystemClock.monotonic
    let file = try TransferFile(context.invocation.arguments[1], context)
    let table = try context.namedTable()
    var more: [String] = []
    if context.invocation.isSet("ignore-unknown") {
        guard file.format == .json else {
            throw Problem("usage.value", "--ignore-unknown is for JSON lines")
        }
        more = ["IGNORE_UNKNOWN true"]
    }
    guard let client = table.service as? HTTPClient else {
        if context.invocation.isSet("create") || file.path == "-" {
            throw Problem(
                "usage.value", "a table in a folder is made from a file by SQL",
                hint: "weir sql ./lake -c \"CREATE TABLE t AS SELECT * FROM csv.'file.csv'\"")
        }
        let answer = try copyIn(
            table, columns: try columnList(file, try file.opened(), context),
            from: try file.absolutePath(isNew: false), file.options(more))
        return finish(answer, "into", table, context, began)
    }
    let source = try file.path == "-" ? nil : file.opened()
    let progress = TransferProgress("sent", total: source?.size, context)
    let upload = try ServerUpload(on: client, progress)
    defer { upload.delete() }
    // The header, and with --create the types, are looked at here, because the file is here.
    var first: RowFile? = source
    try upload.send { (position, count) throws(Problem) in
        let piece: Bytes
        if let source {
            piece = try readPiece(source, position, count)
        } else {
            piece = try readInput(count)
        }
        if first == nil {
            first = RowFile(name: "standard input", size: Int64(piece.count)) { position, count in
                let start = min(Int(position), piece.count)
                return piece[start..<min(start + count, piece.count)]
            }
        }
        return piece
    }
    let columns = try columnList(file, first, context)
    if context.invocation.isSet("create") {
        try create(table, file, source, upload)
    }
    do throws(Problem) {
        let answer = try copyIn(table, columns: columns, from: upload.name, file.options(more))
        return finish(answer, "into", table, context, began)
    } catch {
        if context.invocation.isSet("create") {
            // Without its rows the table is not what was asked for.
            _ = try? QueryAnswer.run("DROP TABLE \(table.sql)", on: client, limit: nil)
        }
        throw error
    }
}

private func copyIn(
    _ table: NamedTable, columns: [String], from path: String, _ options: String
) throws(Problem) -> QueryAnswer {
    let list =
        columns.isEmpty ? "" : " (" + columns.map(quotedIdentifier).joined(separator: ", ") + ")"
    return try QueryAnswer.run(
        "COPY \(table.sql)\(list) FROM \(quotedLiteral(path)) \(options)", on: table.service,
        limit: nil)
}

/// The columns of the file in its order; none = the server finds them by their names.
private func columnList(
    _ file: TransferFile, _ source: RowFile?, _ context: CommandContext
) throws(Problem) -> [String] {
    if let names = context.invocation.string("columns") {
        return names.split(separator: ",").map { String($0.drop { $0 == " " }) }
    }
    guard file.format == .csv, !context.invocation.isSet("no-header"), let source,
        let form = file.form
    else { return [] }
    return try form.header(of: source)
}

/// An empty table with the columns of the file.
private func create(
    _ table: NamedTable, _ file: TransferFile, _ source: RowFile?, _ upload: ServerUpload
) throws(Problem) {
    let statement: String
    if file.format == .csv {
        guard let source, let form = file.form else {
            throw Problem(
                "usage.value", "the types of CSV from standard input are not known",
                hint: "create the table first, or import from a file")
        }
        let fields = try form.columns(of: [source], now: SystemClock.now)
        let list = fields.map { "\(quotedIdentifier($0.name)) \($0.type.sqlName)" }
        statement = "CREATE TABLE \(table.sql) (\(list.joined(separator: ", ")))"
    } else {
        statement =
            "CREATE TABLE \(table.sql) AS SELECT * FROM \(file.format.rawValue)."
            + quotedLiteral(upload.name) + " LIMIT 0"
    }
    _ = try QueryAnswer.run(statement, on: table.service, limit: nil)
}

private func readPiece(_ file: RowFile, _ position: Int64, _ count: Int) throws(Problem) -> Bytes {
    do throws(StorageFailure) {
        return try file.read(position, Int(min(Int64(count), file.size - position)))
    } catch {
        throw Problem("file.read", "can't read \(file.name)", notes: [error.description])
    }
}

/// `count` bytes of standard input; fewer at its end.
private func readInput(_ count: Int) throws(Problem) -> Bytes {
    let storage = ByteStorage(count: count)
    var done = 0
    while done < count {
        let got = weir_read(0, storage.base + done, count - done)
        if got < 0 { throw Problem("file.read", "can't read standard input") }
        if got == 0 { break }
        done += Int(got)
    }
    return Bytes(storage: storage, start: 0, count: done)
}

private func finish(
    _ answer: QueryAnswer, _ word: String, _ table: NamedTable, _ context: CommandContext,
    _ began: Instant
) -> ExitCode {
    let rows = Int64(answer.command.split(separator: " ").last ?? "") ?? 0
    let seconds = Double((SystemClock.monotonic - began).wholeNanoseconds) / 1e9
    if context.isJSON {
        context.print(["table": .string(table.name), "rows": .int(rows)])
    } else {
        context.say(
            "\(grouped(rows)) row\(rows == 1 ? "" : "s") \(word) \(table.name),"
                + " \(durationText(seconds: seconds))")
    }
    return .ok
}

// MARK: Export

private func runExport(_ context: CommandContext) throws(Problem) -> ExitCode {
    let began = SystemClock.monotonic
    let path = context.invocation.arguments[1]
    let file = try TransferFile(path, context)
    let table = try context.namedTable()
    let columns = context.invocation.string("columns").map { names in
        names.split(separator: ",").map { quotedIdentifier(String($0.drop { $0 == " " })) }
            .joined(separator: ", ")
    }
    let version = try context.invocation.integer("at-version", in: 0...Int64.max)
    var query = "SELECT \(columns ?? "*") FROM \(table.sql)"
    if let version { query += " VERSION AS OF \(version)" }
    if let condition = context.invocation.string("where") { query += " WHERE \(condition)" }
    if path != "-", access(path, F_OK) == 0, !context.invocation.isSet("force") {
        throw Problem("file.exists", "\(path) exists", hint: "--force writes over it")
    }
    guard let client = table.service as? HTTPClient else {
        if path == "-" {
            throw Problem(
                "usage.value", "a table in a folder is written to standard output by SQL",
                hint: "weir sql ./folder -o csv -n 1000000 -c 'SELECT * FROM t'")
        }
        let answer = try QueryAnswer.run(
            "COPY (\(query)) TO \(quotedLiteral(try file.absolutePath(isNew: true)))"
                + " \(file.options())", on: table.service, limit: nil)
        return finish(answer, "of", table, context, began)
    }
    let upload = try ServerUpload(on: client, TransferProgress("received", total: nil, context))
    defer { upload.delete() }
    let answer = try QueryAnswer.run(
        "COPY (\(query)) TO \(quotedLiteral(upload.name)) \(file.options())", on: client,
        limit: nil)
    if path == "-" {
        _ = try upload.fetch { standardOutput($0) }
    } else {
        let target = try NewFile(path)
        do throws(Problem) {
            _ = try upload.fetch { (piece) throws(Problem) in try target.write(piece) }
            try target.finish()
        } catch {
            target.cancel()
            throw error
        }
    }
    return finish(answer, "of", table, context, began)
}

/// A file that has its name when it is whole.
final class NewFile {
    private let path: String
    private let temporary: String
    private let descriptor: Int32

    init(_ path: String) throws(Problem) {
        self.path = path
        temporary = path + ".\(getpid()).tmp"
        descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw Self.problem("write", path) }
    }

    func write(_ bytes: Bytes) throws(Problem) {
        let code = bytes.withUnsafeBytes { writeAll($0, to: descriptor) }
        if code != 0 {
            let reason = String(cString: weir_error_text(-code))
            throw Problem("file.write", "can't write \(path): \(reason)")
        }
    }

    func finish() throws(Problem) {
        guard weir_fsync(descriptor) >= 0, weir_close(descriptor) >= 0,
            rename(temporary, path) == 0
        else { throw Self.problem("write", path) }
    }

    func cancel() {
        weir_close(descriptor)
        unlink(temporary)
    }

    private static func problem(_ verb: String, _ path: String) -> Problem {
        Problem("file.write", "can't \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
