import Base
import CPlatform
import Columns
import Engine
import Parquet
import Runtime

private let fileArgument = ArgumentSpec("FILE", .one, "A Parquet file", kind: .file)
private let columnsFlag = FlagSpec(
    "columns", "c", value: "NAMES", "Only these columns, separated by commas")

/// Parquet files on this machine, without a server.
let parquetCommands: [RegisteredCommand] =
    [
        RegisteredCommand(
            spec: CommandSpec(
                "parquet show", "Describes a Parquet file: schema, row groups, column chunks",
                arguments: [fileArgument],
                examples: [("weir parquet show part-0.parquet -o json", "everything, for programs")]
            ),
            run: { (context) throws(Problem) in
                let source = try LocalParquet(context.invocation.arguments[0])
                let facts = source.file.description
                if context.isJSON {
                    context.print(facts.json)
                } else {
                    context.print(facts.text)
                }
                return .ok
            }),
        RegisteredCommand(
            spec: CommandSpec(
                "parquet rows", "Prints the rows of a Parquet file",
                details: """
                    With --exact the JSON does not depend on who reads the file: floats are the
                    hexadecimal bits of a double, decimals have all digits, dates are days and timestamps
                    microseconds since 1970, binary is hexadecimal. Programs compare readers with it.
                    """,
                arguments: [fileArgument],
                flags: [
                    columnsFlag,
                    FlagSpec("limit", "n", value: "N", "The first N rows"),
                    FlagSpec("exact", nil, "JSON for comparing readers"),
                ]),
            run: rows),
        RegisteredCommand(
            spec: CommandSpec(
                "parquet check",
                "Reads every value of a Parquet file and compares it with what the file "
                    + "says about it",
                details: """
                    Page checksums, row counts, bounds of row groups and pages, and bloom filters. Says
                    how much CPU time the reading took, without the comparisons when --fast is given.
                    """,
                arguments: [fileArgument],
                flags: [
                    columnsFlag,
                    FlagSpec("fast", nil, "Only reads; compares nothing but checksums"),
                ]),
            run: check),
    ] + parquetScanCommands

/// A Parquet file on this machine's disk.
struct LocalParquet {
    let path: String
    let file: ParquetFile
    private let handle: ReadOnlyFile

    init(_ path: String) throws(Problem) {
        self.path = path
        let handle = try ReadOnlyFile(path)
        self.handle = handle
        do throws(ParquetFailure) {
            file = try ParquetFile(size: handle.size) { (position, count) throws(StorageFailure) in
                try handle.read(at: position, count: count)
            }
        } catch {
            throw Self.problem(error, path)
        }
    }

    /// Bytes that were read so far, the footer included.
    var bytesRead: Int64 { handle.bytesRead }

    static func problem(_ failure: ParquetFailure, _ path: String) -> Problem {
        Problem("parquet.\(failure.code)", "\(path): \(failure)")
    }

    func columns(_ context: CommandContext) -> [String]? {
        context.invocation.string("columns")?.split(separator: ",").map(String.init)
    }

    /// Reads one row group after the other.
    func forEachRowGroup(
        _ columns: [String]?, _ body: (Int, ColumnBatch) throws(ParquetFailure) -> Bool
    ) throws(Problem) {
        do throws(ParquetFailure) {
            for index in file.rowGroups.indices {
                if !(try body(index, try file.read(rowGroup: index, columns: columns))) { return }
            }
        } catch {
            throw Self.problem(error, path)
        }
    }
}

private func rows(_ context: CommandContext) throws(Problem) -> ExitCode {
    let source = try LocalParquet(context.invocation.arguments[0])
    let columns = source.columns(context)
    let limit = Int(try context.invocation.integer("limit", in: 0...Int64.max) ?? .max)
    let isExact = context.invocation.isSet("exact")
    var fields = source.file.schema.fields
    if let columns {
        fields = columns.compactMap { name in fields.first { $0.name == name } }
    }
    var json: [JSONValue] = []
    var table = TextTable(fields.map { .init($0.name, isNumber: $0.type.isNumber) })
    var left = limit
    try source.forEachRowGroup(columns) { (_, batch) throws(ParquetFailure) in
        for row in 0..<min(batch.rowCount, left) {
            if isExact {
                json.append(.array(batch.columns.map { exactJSON($0.value(row)) }))
            } else {
                table.rows.append(batch.columns.map { textForm($0, row) })
            }
        }
        left -= min(batch.rowCount, left)
        return left > 0
    }
    if isExact {
        let described = fields.map { field in
            JSONValue.object([
                JSONMember("name", .string(field.name)),
                JSONMember("type", .string(field.type.sqlName)),
            ])
        }
        context.print(["columns": .array(described), "rows": .array(json)])
        return .ok
    }
    context.printTable(
        table,
        json: .array(
            table.rows.map { row in
                .object(
                    zip(fields, row).map { field, text in
                        JSONMember(field.name, text.map { .string($0) } ?? .null)
                    })
            }))
    return .ok
}

/// A value in the form that `--exact` promises.
func exactJSON(_ value: Value) -> JSONValue {
    switch value {
    case .null: return .null
    case .boolean(let flag): return .bool(flag)
    case .int(let number): return .int(number)
    case .float(let number):
        if number.isNaN { return "NaN" }
        let digits = String(number.bitPattern, radix: 16)
        return .string(String(repeating: "0", count: 16 - digits.count) + digits)
    case .decimal(let unscaled, let scale):
        var digits = String(unscaled.magnitude)
        digits = String(repeating: "0", count: max(0, scale + 1 - digits.count)) + digits
        if scale > 0 { digits.insert(".", at: digits.index(digits.endIndex, offsetBy: -scale)) }
        return .string((unscaled < 0 ? "-" : "") + digits)
    case .text(let text), .json(let text): return .string(text)
    case .binary(let bytes): return .string(Hexadecimal.text(bytes))
    case .date(let days): return .int(days)
    case .time(let moment), .timestamp(let moment), .timestampTZ(let moment): return .int(moment)
    case .interval(let span):
        return [.int(span.months), .int(span.days), .int(span.microseconds)]
    case .uuid(let bits):
        return .string(
            Hexadecimal.text(
                (0..<16).reversed().map { UInt8(truncatingIfNeeded: bits >> UInt128($0 * 8)) }))
    case .variant(let metadata, let value):
        return [
            "metadata": .string(Hexadecimal.text(metadata)),
            "value": .string(Hexadecimal.text(value)),
        ]
    case .list(let values), .structure(let values): return .array(values.map(exactJSON))
    case .map(let entries):
        return .array(entries.map { [exactJSON($0.key), exactJSON($0.value)] })
    }
}

private func check(_ context: CommandContext) throws(Problem) -> ExitCode {
    let source = try LocalParquet(context.invocation.arguments[0])
    let isFast = context.invocation.isSet("fast")
    let columns = source.columns(context)
    var findings: [String] = []
    var rowCount: Int64 = 0
    let start = weir_cpu_nanoseconds()
    do throws(ParquetFailure) {
        for index in source.file.rowGroups.indices {
            var batches = try source.file.batches(rowGroup: index, columns: columns)
            while let rows = try batches.next() { rowCount += Int64(rows.batch.rowCount) }
            if !isFast {
                findings += try source.file.contradictions(rowGroup: index, columns: columns)
            }
        }
    } catch {
        throw LocalParquet.problem(error, source.path)
    }
    let seconds = Double(weir_cpu_nanoseconds() - start) / 1e9
    if context.isJSON {
        context.print([
            "rows": .int(rowCount), "cpu_seconds": .double(seconds),
            "findings": .array(findings.map { .string($0) }),
        ])
    } else {
        for finding in findings { context.print(finding + "\n") }
        context.print(
            "\(grouped(rowCount)) rows read, \(findings.count) contradictions, "
                + "\(fixed(seconds, 3)) s of CPU time\n")
    }
    return findings.isEmpty ? .ok : .failed
}
