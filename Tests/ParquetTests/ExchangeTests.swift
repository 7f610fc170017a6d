import Base
import Columns
import Foundation
import Parquet
import Testing

// What Tests/Interop/parquet_roundtrip.py asks of us: files for other readers, and what we read in
// the files of others. Both do nothing unless the environment names the folders.

@Test(.enabled(if: environment("WEIR_PARQUET_OUT") != nil))
func `files for other readers are written where the environment says`() throws {
    let folder = try #require(environment("WEIR_PARQUET_OUT"))
    var random = Random(seed: 21)
    let types = everyType + nestedTypes
    let schema = TableSchema(types.map { Field($0.name, $0.type) })
    let rowCount = 300
    let columns = types.map { entry in
        Column(
            entry.type,
            (0..<rowCount).map { _ in
                random.chance(1, in: 4) ? .null : entry.values[random.below(entry.values.count)]
            })
    }
    for codec in ParquetCodec.allCases {
        var options = ParquetWriteOptions()
        options.codec = codec
        options.pageRowsMax = 40
        options.rowGroupRowsMax = 120
        options.usesDictionaries = codec != .gzip
        try save(schema, [batch(columns)], options, folder, "types-\(codec.name)")
    }
    let none = types.map { Column($0.type, [Value](repeating: .null, count: 10)) }
    try save(schema, [batch(none)], ParquetWriteOptions(), folder, "nulls")
    try save(schema, [], ParquetWriteOptions(), folder, "empty")
    let required = TableSchema([
        Field("id", .int64, isNullable: false), Field("name", .text, isNullable: false),
        Field("tags", .list(.text), isNullable: false),
        Field("position", .structure([Field("x", .float64, isNullable: false)]), isNullable: false),
    ])
    let count = 50_000
    let many = [
        Column(.int64, (0..<count).map { .int(Int64($0) * 7919) }),
        Column(.text, (0..<count).map { .text("name \($0 % 1000) of many") }),
        Column(
            .list(.text), (0..<count).map { row in .list((0..<row % 4).map { .text("t\($0)") }) }),
        Column(
            .structure([Field("x", .float64, isNullable: false)]),
            (0..<count).map { .structure([.float(Double($0) / 8)]) }),
    ]
    try save(required, [batch(many)], ParquetWriteOptions(), folder, "large")
}

private func save(
    _ schema: TableSchema, _ batches: [ColumnBatch], _ options: ParquetWriteOptions,
    _ folder: URL, _ name: String
) throws {
    let (file, _) = try write(schema, batches, options)
    let rows = try ParquetFile(file)
    try Data(file.array).write(to: folder.appendingPathComponent(name + ".parquet"))
    // The document is made of the rows that were given, not of the file.
    let given =
        batches.first
        ?? batch(schema.fields.map { Column($0.type, []) })
    let document = canonical(schema, given)
    #expect(try canonical(rows) == document)
    try Data(document.serialized().array).write(to: folder.appendingPathComponent(name + ".json"))
}

@Test(.enabled(if: environment("WEIR_PARQUET_CORPUS") != nil))
func `what we read in the files of others is written beside them`() throws {
    let folder = try #require(environment("WEIR_PARQUET_CORPUS"))
    for file in try files(in: folder, suffix: ".parquet") {
        let content = try bytes(of: file)
        let document: JSONValue
        do throws(ParquetFailure) {
            document = try canonical(ParquetFile(content))
        } catch {
            document = ["error": .string(error.description)]
        }
        let target = file.deletingPathExtension().appendingPathExtension("weir.json")
        try Data(document.serialized().array).write(to: target)
    }
}
