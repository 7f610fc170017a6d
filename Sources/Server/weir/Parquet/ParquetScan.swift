import Base
import CPlatform
import Columns
import Engine
import Parquet
import Runtime

let parquetScanCommands: [RegisteredCommand] = [
    RegisteredCommand(
        spec: CommandSpec(
            "parquet scan", "Counts the rows of a Parquet file that fulfil conditions",
            details: """
                Leaves out row groups and pages that statistics, bloom filters and the page index
                rule out, and says how much was read. A condition is COLUMN=VALUE, COLUMN<=VALUE or
                COLUMN>=VALUE; all must hold.
                """,
            arguments: [ArgumentSpec("FILE", .one, "A Parquet file", kind: .file)],
            flags: [
                FlagSpec(
                    "where", "w", value: "CONDITION", "Rows that fulfil it", isRepeatable: true),
                FlagSpec(
                    "columns", "c", value: "NAMES", "Reads only these columns of matching rows"),
            ],
            examples: [
                ("weir parquet scan part-0.parquet --where user_id=user_17", "looks one user up")
            ]),
        run: scan),
    RegisteredCommand(
        spec: CommandSpec(
            "parquet rewrite", "Writes the rows of a Parquet file into a new one",
            details: "With page index, checksums and statistics, whatever the original has.",
            arguments: [
                ArgumentSpec("FILE", .one, "A Parquet file", kind: .file),
                ArgumentSpec("TARGET", .one, "The file to write", kind: .file),
            ],
            flags: [
                FlagSpec(
                    "codec", nil, value: "NAME", "How pages are compressed", fallback: "zstd",
                    choices: ParquetCodec.allCases.map(\.name)),
                FlagSpec(
                    "bloom", nil, value: "NAMES",
                    "Columns that get a bloom filter, separated by commas"),
                FlagSpec("row-group", nil, value: "N", "Rows of a row group"),
            ]),
        run: rewrite),
]

private func scan(_ context: CommandContext) throws(Problem) -> ExitCode {
    let source = try LocalParquet(context.invocation.arguments[0])
    let now = Now(monotonic: .zero, wallMicroseconds: 0)
    var conditions: [ColumnCondition] = []
    for text in context.invocation.strings("where") {
        conditions.append(try condition(text, source.file.schema, now))
    }
    let start = weir_cpu_nanoseconds()
    var found: Int64 = 0
    var groups = 0
    do throws(ParquetFailure) {
        for index in source.file.rowGroups.indices {
            var batches = try source.file.batches(
                rowGroup: index, columns: source.columns(context), where: conditions)
            let before = found
            while let rows = try batches.next() { found += Int64(rows.batch.rowCount) }
            groups += found > before ? 1 : 0
        }
    } catch {
        throw LocalParquet.problem(error, source.path)
    }
    let seconds = Double(weir_cpu_nanoseconds() - start) / 1e9
    if context.isJSON {
        context.print([
            "rows": .int(found), "row_groups": .int(groups), "cpu_seconds": .double(seconds),
            "bytes_read": .int(source.bytesRead),
        ])
    } else {
        context.print(
            "\(grouped(found)) rows in \(groups) of \(source.file.rowGroups.count) row groups, "
                + "\(byteText(source.bytesRead)) of \(byteText(source.file.byteCount)) read, "
                + "\(fixed(seconds, 3)) s of CPU time\n")
    }
    return .ok
}

/// `COLUMN=VALUE`, `COLUMN<=VALUE` or `COLUMN>=VALUE`.
private func condition(
    _ text: String, _ schema: TableSchema, _ now: Now
) throws(Problem) -> ColumnCondition {
    let signs: [(String, (Value) -> ValueRange)] = [
        ("<=", { ValueRange(upper: $0) }), (">=", { ValueRange(lower: $0) }),
        ("=", ValueRange.equal),
    ]
    for (sign, range) in signs {
        guard let place = text.firstRange(of: sign) else { continue }
        let name = String(text[..<place.lowerBound])
        guard let index = schema.index(of: name) else {
            throw Problem("parquet.noSuchColumn", "the file has no column \"\(name)\"")
        }
        let value = try parseValue(
            String(text[place.upperBound...]), as: schema.fields[index].type, now: now)
        return ColumnCondition(name, range(value))
    }
    throw Problem(
        "usage.value", "\"\(text)\" is not a condition",
        notes: ["COLUMN=VALUE, COLUMN<=VALUE or COLUMN>=VALUE"])
}

private func rewrite(_ context: CommandContext) throws(Problem) -> ExitCode {
    let source = try LocalParquet(context.invocation.arguments[0])
    let target = context.invocation.arguments[1]
    var options = ParquetWriteOptions()
    options.codec =
        ParquetCodec.allCases.first { $0.name == context.invocation.string("codec") } ?? .zstd
    options.bloomFilterColumns =
        context.invocation.string("bloom")?.split(separator: ",").map(String.init) ?? []
    if let rows = try context.invocation.integer("row-group", in: 1...10_000_000) {
        options.rowGroupRowsMax = Int(rows)
    }
    options.keyValues = source.file.keyValues
    options.fieldIDs = source.file.fieldIDs
    var seconds = 0.0
    let content: Bytes
    do throws(ParquetFailure) {
        var writer = try ParquetWriter(schema: source.file.schema, options: options)
        for index in source.file.rowGroups.indices {
            let batch = try source.file.read(rowGroup: index)
            let start = weir_cpu_nanoseconds()
            try writer.write(batch)
            seconds += Double(weir_cpu_nanoseconds() - start) / 1e9
        }
        let start = weir_cpu_nanoseconds()
        content = try writer.finish().file
        seconds += Double(weir_cpu_nanoseconds() - start) / 1e9
    } catch {
        throw LocalParquet.problem(error, source.path)
    }
    try writeFile(target, content)
    if context.isJSON {
        context.print([
            "rows": .int(source.file.rowCount), "bytes": .int(content.count),
            "cpu_seconds": .double(seconds),
        ])
    } else {
        context.say(
            "\(grouped(source.file.rowCount)) rows in \(byteText(Int64(content.count))), "
                + "\(fixed(seconds, 3)) s of CPU time to write them")
    }
    return .ok
}
