// COPY: rows from and to files.

import Base
import Catalog
import Columns
import Delta
import Engine
import Parquet
import RowFiles
import SQL

/// The file that a COPY FROM reads, as a relation of the statement.
struct CopiedFile: Sendable {
    /// The name under which the statement's plan reads it.
    static let relation = QualifiedName(schema: "$copy", "file")

    let file: RowFile
    let form: RowFileForm
    /// The columns, with the types of the table's.
    let fields: [Field]

    func batches(projection: [Int], now: Now) throws(Problem) -> any BatchSource {
        let reader: RowReader
        switch form {
        case .csv(let options):
            reader = try RowReader(file, options, inOrder: fields, now: now)
        case .json: reader = try RowReader(file, form, named: fields, now: now)
        }
        return CopiedRows(reader, projection)
    }
}

private final class CopiedRows: BatchSource {
    private var reader: RowReader
    private let projection: [Int]

    init(_ reader: RowReader, _ projection: [Int]) {
        self.reader = reader
        self.projection = projection
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try reader.next() else { return nil }
        return ColumnBatch(
            columns: projection.map { batch.columns[$0] }, rowCount: batch.rowCount)
    }
}

/// The options of a COPY.
private struct CopyOptions {
    var format: FolderFormat
    var csv = CSVOptions()
    /// Whether the header must have the names of the columns.
    var matchesHeader = false
    var ignoresUnknown = false
    var parquet = ParquetWriteOptions()

    private static let known = [
        "format", "header", "delimiter", "null", "quote", "encoding", "ignore_unknown",
        "compression",
    ]

    init(_ copy: Copy) throws(Problem) {
        try OptionValues.check(copy.options, known: Self.known, of: "COPY")
        let named = copy.options.first { $0.name == "format" }?.text.lowercased()
        let ending = FolderFormat(fileName: copy.path)
        guard let format = named.map({ FolderFormat(rawValue: $0) }) ?? ending, format != .delta
        else {
            throw Problem(
                named == nil ? "22023" : "0A000",
                named.map { "COPY does not know the format \"\($0)\"" }
                    ?? "the format of '\(copy.path.prefix(200))' is not known",
                hint: "write WITH (FORMAT csv), json or parquet", position: copy.pathPosition)
        }
        self.format = format
        // As in PostgreSQL, unlike for csv.'path'.
        csv.hasHeader = false
        for option in copy.options { try take(option) }
        do throws(Problem) { try csv.check() } catch {
            var problem = error
            problem.position = copy.pathPosition
            throw problem
        }
    }

    private mutating func take(_ option: StatementOption) throws(Problem) {
        switch option.name {
        case "header":
            matchesHeader = option.text.lowercased() == "match"
            csv.hasHeader = matchesHeader ? true : try flag(option)
        case "delimiter": csv.delimiter = try character(option)
        case "quote": csv.quote = try character(option)
        case "null": csv.null = option.text
        case "ignore_unknown": ignoresUnknown = try flag(option)
        case "encoding":
            guard ["utf8", "utf-8"].contains(option.text.lowercased()) else {
                throw Problem(
                    "0A000", "COPY reads and writes UTF-8, not \(option.text)",
                    hint: "convert the file: iconv -t utf8", position: option.position)
            }
        case "compression":
            guard let codec = ParquetCodec.allCases.first(where: { $0.name == option.text }) else {
                throw Problem(
                    "22023", "unknown compression \"\(option.text)\"",
                    hint: "use " + ParquetCodec.allCases.map(\.name).joined(separator: ", "),
                    position: option.position)
            }
            guard format == .parquet else {
                throw Problem(
                    "0A000", "COMPRESSION is for Parquet files", position: option.position)
            }
            parquet.codec = codec
        default: break
        }
    }

    private func flag(_ option: StatementOption) throws(Problem) -> Bool {
        switch option.text.lowercased() {
        case "true", "1", "on": return true
        case "false", "0", "off": return false
        default:
            throw Problem(
                "22023", "\(option.name) must be true or false, found \(option.text)",
                position: option.position)
        }
    }

    private func character(_ option: StatementOption) throws(Problem) -> UInt8 {
        guard option.text.utf8.count == 1, let byte = option.text.utf8.first else {
            throw Problem(
                "22023", "\(option.name) must be one ASCII character",
                notes: ["found \"\(option.text.prefix(20))\""], position: option.position)
        }
        return byte
    }
}

/// A file of rows on its way out, in any of the formats.
private enum CopyFile {
    case text(RowWriter)
    case parquet(ParquetWriter)

    init(_ fields: [Field], _ settings: CopyOptions) throws(Problem) {
        switch settings.format {
        case .json: self = .text(try RowWriter(.json, fields: fields))
        case .csv: self = .text(try RowWriter(.csv(settings.csv), fields: fields))
        case .parquet, .delta:
            do throws(ParquetFailure) {
                self = .parquet(
                    try ParquetWriter(schema: TableSchema(fields), options: settings.parquet))
            } catch {
                throw Self.problem(error)
            }
        }
    }

    func head() -> Bytes {
        if case .text(let writer) = self { writer.head() } else { .empty }
    }

    /// The bytes that are final with these rows.
    mutating func add(_ batch: ColumnBatch) throws(Problem) -> Bytes {
        switch self {
        case .text(let writer): return writer.rows(batch)
        case .parquet(var writer):
            // The writer must be the only owner of what it gathers.
            self = .text(try RowWriter(.json, fields: []))
            defer { self = .parquet(writer) }
            do throws(ParquetFailure) { try writer.write(batch) } catch {
                throw Self.problem(error)
            }
            return Bytes.joined(writer.takeFinished())
        }
    }

    mutating func finish() throws(Problem) -> Bytes {
        guard case .parquet(var writer) = self else { return .empty }
        do throws(ParquetFailure) { return try writer.finish().file } catch {
            throw Self.problem(error)
        }
    }

    private static func problem(_ failure: ParquetFailure) -> Problem {
        DeltaFailure(failure, path: "the file").problem
    }
}

extension Lakehouse {
    func copy(_ copy: Copy, _ options: StatementOptions) throws(Problem) -> StatementAnswer {
        if copy.isFromRequest { return try copyFromRequest(copy, options) }
        let settings = try CopyOptions(copy)
        do throws(Problem) {
            let count =
                copy.direction == .from
                ? try copyIn(copy, settings, options) : try copyOut(copy, settings, options)
            return StatementAnswer(tag: "COPY \(count)")
        } catch {
            var problem = error
            if problem.position == nil, problem.code == "42P01" || problem.code == "42501" {
                problem.position = copy.pathPosition
            }
            throw problem
        }
    }

    // MARK: FROM

    /// `COPY t FROM STDIN`: the rows that came with the request go the way of an upload.
    private func copyFromRequest(
        _ copy: Copy, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        guard let data = options.data else {
            throw Problem(
                "08P01", "the rows of COPY FROM STDIN did not come with the request",
                hint: "send them as \"data\" beside \"sql\", what is larger as an upload: POST"
                    + " /uploads, COPY … FROM 'upload:ID'; or use weir table import",
                position: copy.pathPosition)
        }
        let id = try uploads.create(withRandom { $0.uuid() })
        defer { try? uploads.delete(id) }
        try uploads.put(id, part: 0, data)
        var stored = copy
        stored.isFromRequest = false
        stored.path = "upload:" + id
        return try self.copy(stored, options)
    }

    private func copyIn(
        _ copy: Copy, _ settings: CopyOptions, _ options: StatementOptions
    ) throws(Problem) -> Int64 {
        guard case .table(let name, let names) = copy.subject else { return 0 }
        let changed = try changedTable(name, "copy into")
        let folder = try FolderName(settings.format, copy.path, of: self)
        let files = try FolderFiles(folder, of: self).files
        guard files.count == 1, let file = files.first else {
            throw Problem(
                "42809", "'\(copy.path)' is a folder of \(files.count) files",
                hint: "INSERT INTO … SELECT * FROM \(settings.format.rawValue).'path' reads all")
        }
        var columns = names.map(\.name)
        var copied: CopiedFile?
        if settings.format == .parquet {
            if columns.isEmpty {
                columns = try FolderFiles.parquet(file).schema.fields.map(\.name)
            }
        } else {
            copied = try copiedFile(file, settings, changed, &columns)
        }
        let list = columns.map(quotedIdentifier).joined(separator: ", ")
        let source =
            copied == nil
            ? "parquet.\(quotedLiteral(copy.path))" : "\"$copy\".\"file\""
        let text = "INSERT INTO \(sqlText(name)) (\(list)) SELECT \(list) FROM \(source)"
        guard case .insert(let insert)? = try Parser.script(text).first?.statement else {
            throw Problem("XX000", "COPY could not be planned")
        }
        do throws(Problem) {
            let answer = try insertRows(insert, copying: copied, options)
            return Int64(answer.tag.split(separator: " ").last ?? "") ?? 0
        } catch {
            var problem = error
            // The position is in the statement that was made up here.
            problem.position = names.first?.position
            throw problem
        }
    }

    /// The file with the columns of the table that it has, typed as the table has them.
    private func copiedFile(
        _ file: RowFile, _ settings: CopyOptions, _ changed: ChangedTable,
        _ columns: inout [String]
    ) throws(Problem) -> CopiedFile {
        let table: [Field]
        do throws(DeltaFailure) { table = try changed.table.snapshot().schema.fields } catch {
            throw error.statementProblem
        }
        let form: RowFileForm = settings.format == .json ? .json : .csv(settings.csv)
        if columns.isEmpty, settings.format == .json {
            columns = try form.columns(of: [file], now: clock()).map(\.name)
            if settings.ignoresUnknown {
                columns = columns.filter { name in table.contains { $0.name == name } }
            }
        }
        if columns.isEmpty { columns = table.map(\.name) }
        if settings.matchesHeader {
            let header = try form.header(of: file)
            guard header == columns else {
                throw Problem(
                    "22P04", "the header of the file does not match the columns",
                    notes: [
                        "found: " + header.joined(separator: ", "),
                        "expected: " + columns.joined(separator: ", "),
                    ], hint: "name the columns in the order of the file: COPY table (a, b) FROM …")
            }
        }
        var fields: [Field] = []
        for name in columns {
            guard let field = table.first(where: { $0.name == name }) else {
                let near = nearestName(to: name, among: table.map(\.name))
                throw Problem(
                    "42703", "column \"\(name)\" of \(changed.name) does not exist",
                    notes: ["the file has it"] + (near.map { ["did you mean \"\($0)\"?"] } ?? []),
                    hint: settings.format == .json
                        ? "WITH (IGNORE_UNKNOWN true) leaves it out" : nil)
            }
            fields.append(field)
        }
        return CopiedFile(file: file, form: form, fields: fields)
    }

    /// A name as a statement writes it.
    private func sqlText(_ name: ObjectName) -> String {
        if name.parts.count == 2, FolderFormat(rawValue: name.parts[0].name) != nil,
            catalog.image.schema(name.parts[0].name) == nil
        {
            return name.parts[0].name + "." + quotedLiteral(name.parts[1].name)
        }
        return name.parts.map { quotedIdentifier($0.name) }.joined(separator: ".")
    }

    // MARK: TO

    private func copyOut(
        _ copy: Copy, _ settings: CopyOptions, _ options: StatementOptions
    ) throws(Problem) -> Int64 {
        let plan: LogicalPlan
        switch copy.subject {
        case .query(let query): plan = try self.plan(query)
        case .table(let name, let columns):
            let list = columns.map { quotedIdentifier($0.name) }.joined(separator: ", ")
            let text = "SELECT \(columns.isEmpty ? "*" : list) FROM \(sqlText(name))"
            do throws(Problem) { plan = try self.plan(Parser.query(text)) } catch {
                var problem = error
                problem.position = name.position
                throw problem
            }
        }
        let fields = plan.schema.fields
        try checkNames(fields)
        let context = queryContext(options)
        let execution = try QueryExecutor.open(plan, source(of: plan, options), context)
        let sink = try sink(for: copy.path)
        do throws(Problem) {
            let count = try write(execution, fields, settings, sink, context)
            do throws(StorageFailure) { try sink.finish() } catch {
                throw unwritten(copy.path, error)
            }
            return count
        } catch {
            sink.cancel()
            throw error
        }
    }

    /// Files whose columns can't be told apart are no use.
    private func checkNames(_ fields: [Field]) throws(Problem) {
        var seen: Set<String> = []
        for field in fields where !seen.insert(field.name).inserted {
            throw Problem(
                "42701", "two columns of the file would have the name \"\(field.name)\"",
                hint: "name them: SELECT a AS x, b AS y")
        }
    }

    private func write(
        _ execution: any BatchOperator, _ fields: [Field], _ settings: CopyOptions,
        _ sink: any ObjectWriter, _ context: QueryContext
    ) throws(Problem) -> Int64 {
        func put(_ bytes: Bytes) throws(Problem) {
            if bytes.isEmpty { return }
            do throws(StorageFailure) { try sink.write(bytes) } catch {
                throw unwritten("the file", error)
            }
        }
        var count: Int64 = 0
        var file = try CopyFile(fields, settings)
        try put(file.head())
        while let batch = try execution.next() {
            try context.checkCancellation()
            try put(try file.add(batch))
            count += Int64(batch.rowCount)
        }
        try put(try file.finish())
        return count
    }

    private func unwritten(_ path: String, _ failure: StorageFailure) -> Problem {
        Problem("58030", "\(path) can't be written", notes: [failure.description])
    }

    /// Where a file goes. What belongs to a table is not written over.
    private func sink(for path: String) throws(Problem) -> any ObjectWriter {
        if LakeUploads.isName(path) { return try uploads.writer(path) }
        let resolved = try paths.resolved(path)
        var folder = parentDirectory(of: resolved)
        if lastComponent(of: resolved).hasPrefix("_")
            || folder.split(separator: "/").contains("_delta_log")
        {
            throw Problem(
                "42501", "'\(path)' is a name for what belongs to tables",
                hint: "choose a name without _ in front")
        }
        while !folder.isEmpty {
            if store.exists(folder + "/_delta_log") || hasLog(folder) {
                throw Problem(
                    "42501", "'\(path)' is inside of the table at '\(folder)'",
                    notes: ["a file there is deleted by the next VACUUM"],
                    hint: "choose another folder")
            }
            folder = parentDirectory(of: folder)
        }
        do throws(StorageFailure) { return try store.writer(resolved) } catch {
            throw unwritten(path, error)
        }
    }

    /// Whether a folder of a store without folders has the log of a table.
    private func hasLog(_ folder: String) -> Bool {
        !((try? store.list(folder + "/_delta_log", recursive: false)) ?? []).isEmpty
    }
}
