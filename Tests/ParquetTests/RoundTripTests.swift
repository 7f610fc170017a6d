import Base
import Columns
import Parquet
import Testing

/// Every type that can be written, with values at its edges.
let everyType: [(name: String, type: ColumnType, values: [Value])] = [
    ("boolean", .boolean, [.boolean(true), .boolean(false)]),
    ("int16", .int16, [.int(-32768), .int(32767), .int(0)]),
    ("int32", .int32, [.int(Int64(Int32.min)), .int(Int64(Int32.max)), .int(-1)]),
    ("int64", .int64, [.int(.min), .int(.max), .int(7)]),
    ("float32", .float32, [.float(0.5), .float(-.infinity), .float(0)]),
    ("float64", .float64, [.float(0.1), .float(-1e300), .float(.infinity)]),
    (
        "decimal9", .decimal(precision: 9, scale: 2),
        [.decimal(unscaled: 999_999_999, scale: 2), .decimal(unscaled: -1, scale: 2)]
    ),
    (
        "decimal18", .decimal(precision: 18, scale: 0),
        [.decimal(unscaled: -999_999_999_999_999_999, scale: 0), .decimal(unscaled: 5, scale: 0)]
    ),
    (
        "decimal38", .decimal(precision: 38, scale: 10),
        [
            .decimal(unscaled: 99_999_999_999_999_999_999_999_999_999_999_999_999, scale: 10),
            .decimal(unscaled: -99_999_999_999_999_999_999_999_999_999_999_999_999, scale: 10),
        ]
    ),
    (
        "decimal20", .decimal(precision: 20, scale: 20),
        [
            .decimal(unscaled: 12_345_678_901_234_567_890, scale: 20),
            .decimal(unscaled: -3, scale: 20),
        ]
    ),
    (
        "text", .text,
        [.text(""), .text("twelve bytes"), .text("thirteen byte"), .text("größer ≥ 12 ✓")]
    ),
    ("binary", .binary, [.binary([]), .binary([0xFF, 0, 0x80]), .binary([UInt8](0..<200))]),
    ("date", .date, [.date(days: -719_162), .date(days: 2_932_896)]),
    ("timestamp", .timestamp, [.timestamp(microseconds: -1), .timestamp(microseconds: 1 << 50)]),
    ("timestamptz", .timestampTZ, [.timestampTZ(microseconds: 0), .timestampTZ(microseconds: 1)]),
    ("uuid", .uuid, [.uuid(.max), .uuid(0), .uuid(1 << 127 | 5)]),
    ("json", .json, [.json("{\"a\": [1, 2, 3]}"), .json("null")]),
]

/// Columns in columns, with empty and missing ones at every level.
let nestedTypes: [(name: String, type: ColumnType, values: [Value])] = [
    ("list", .list(.int64), [.list([.int(1), .null, .int(3)]), .list([]), .list([.null])]),
    (
        "lists", .list(.list(.text)),
        [
            .list([.list([.text("a"), .text("a longer text than that")]), .null, .list([])]),
            .list([]), .list([.list([.null])]),
        ]
    ),
    (
        "structure",
        .structure([
            Field("a", .int32), Field("b", .text, isNullable: false),
            Field("c", .structure([Field("d", .float64)])),
        ]),
        [
            .structure([.int(1), .text("x"), .structure([.float(1.5)])]),
            .structure([.null, .text("y"), .null]),
            .structure([.null, .text(""), .structure([.null])]),
        ]
    ),
    (
        "map", .map(key: .text, value: .list(.int32)),
        [
            .map([
                .init(key: .text("k"), value: .list([.int(1), .int(2)])),
                .init(key: .text("l"), value: .null),
            ]), .map([]), .map([.init(key: .text(""), value: .list([]))]),
        ]
    ),
    (
        "structures", .list(.structure([Field("x", .date), Field("y", .list(.boolean))])),
        [
            .list([
                .structure([.date(days: 1), .list([.boolean(true), .null])]), .null,
                .structure([.null, .null]),
            ]), .list([]), .list([.structure([.date(days: 2), .list([])])]),
        ]
    ),
]

func batch(_ columns: [Column]) -> ColumnBatch {
    ColumnBatch(columns: columns, rowCount: columns.first?.count ?? 0)
}

func rows(_ batch: ColumnBatch) -> [[Value]] { (0..<batch.rowCount).map { batch.values($0) } }

func write(
    _ schema: TableSchema, _ batches: [ColumnBatch],
    _ options: ParquetWriteOptions = ParquetWriteOptions()
) throws -> (file: Bytes, summary: ParquetFileSummary) {
    var writer = try ParquetWriter(schema: schema, options: options)
    for batch in batches { try writer.write(batch) }
    return try writer.finish()
}

/// Writes `values` as the only column and expects them back.
private func expectRoundTrip(
    _ field: Field, _ values: [Value], _ options: ParquetWriteOptions = ParquetWriteOptions(),
    sourceLocation: SourceLocation = #_sourceLocation
) throws {
    let schema = TableSchema([field])
    let (file, summary) = try write(schema, [batch([Column(field.type, values)])], options)
    let parquet = try ParquetFile(file)
    #expect(parquet.schema == schema, sourceLocation: sourceLocation)
    #expect(parquet.rowCount == Int64(values.count), sourceLocation: sourceLocation)
    #expect(summary.rowCount == Int64(values.count), sourceLocation: sourceLocation)
    #expect(summary.byteCount == Int64(file.count), sourceLocation: sourceLocation)
    let back = rows(try parquet.readAll()).map { $0[0] }
    #expect(back == values, sourceLocation: sourceLocation)
}

@Test(arguments: (everyType + nestedTypes).indices)
func `every type comes back as it was written`(index: Int) throws {
    let (name, type, values) = (everyType + nestedTypes)[index]
    try expectRoundTrip(Field(name, type, isNullable: false), values)
    try expectRoundTrip(Field(name, type), values)
    try expectRoundTrip(Field(name, type), [.null] + values + [.null, .null] + values)
    try expectRoundTrip(Field(name, type), [.null, .null, .null])
    try expectRoundTrip(Field(name, type), [])
    var options = ParquetWriteOptions()
    options.usesDictionaries = false
    options.pageRowsMax = 2
    options.rowGroupRowsMax = 5
    options.codec = .uncompressed
    try expectRoundTrip(Field(name, type), [.null] + values + [.null, .null] + values, options)
}

@Test(arguments: ParquetCodec.allCases)
func `every codec comes back`(codec: ParquetCodec) throws {
    var options = ParquetWriteOptions()
    options.codec = codec
    let values = (0..<500).map { Value.text("value number \($0 % 50) of a column") }
    try expectRoundTrip(Field("text", .text), values, options)
    try expectRoundTrip(Field("all null", .int64), Array(repeating: .null, count: 50), options)
}

@Test func `random rows of all types in several pages and row groups come back`() throws {
    var random = Random(seed: 5)
    let types = everyType + nestedTypes
    let schema = TableSchema(types.map { Field($0.name, $0.type) })
    let columns = types.map { entry in
        Column(
            entry.type,
            (0..<400).map { _ in
                random.chance(1, in: 5) ? .null : entry.values[random.below(entry.values.count)]
            })
    }
    let whole = batch(columns)
    var options = ParquetWriteOptions()
    options.pageRowsMax = 37
    options.rowGroupRowsMax = 150
    let (file, summary) = try write(schema, [whole.slice(0..<33), whole.slice(33..<400)], options)
    #expect(summary.rowGroupCount == 3)
    let parquet = try ParquetFile(file)
    #expect(parquet.rowGroups.map(\.rowCount) == [150, 150, 100])
    #expect(rows(try parquet.readAll()) == rows(whole))
    let some = try parquet.read(rowGroup: 1, columns: ["lists", "uuid"])
    let expected = whole.slice(150..<300)
    let lists = types.firstIndex { $0.name == "lists" }!
    let uuid = types.firstIndex { $0.name == "uuid" }!
    #expect(rows(some) == rows(batch([expected.columns[lists], expected.columns[uuid]])))
}
