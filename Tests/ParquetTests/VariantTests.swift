import Base
import Columns
import Parquet
import Testing

/// Variants of every kind, with names of their own.
private func variants() throws -> [(Value, String)] {
    let plain = VariantBuilder.emptyMetadata.array
    func alone(_ value: Bytes) -> Value { .variant(metadata: plain, value: value.array) }
    let names = [Bytes(utf8: "b"), Bytes(utf8: "a"), Bytes(utf8: "größe")]
    let metadata = VariantBuilder.metadata(names)
    let number = VariantBuilder.primitive(.int32, UInt128(truncatingIfNeeded: Int32(-7)))
    let text = "text".utf8.withContiguousStorageIfAvailable {
        VariantBuilder.text(UnsafeRawBufferPointer($0))
    }
    let long = Array(repeating: UInt8(0x78), count: 100)
    let object = VariantBuilder.object(
        [
            VariantMember(name: 0, value: number), VariantMember(name: 1, value: text ?? .empty),
            VariantMember(name: 2, value: VariantBuilder.array([number, VariantBuilder.null])),
        ], try VariantNames(metadata))
    return [
        (alone(VariantBuilder.null), "null"), (alone(VariantBuilder.primitive(.yes)), "true"),
        (alone(number), "-7"),
        (alone(VariantBuilder.decimal(.decimal8, unscaled: -12345, scale: 3)), "-12.345"),
        (
            alone(VariantBuilder.decimal(.decimal16, unscaled: 1 << 100, scale: 0)),
            "\(Int128(1) << 100)"
        ),
        (alone(VariantBuilder.primitive(.date, 20_000)), "\"2024-10-04\""),
        (
            alone(VariantBuilder.primitive(.timestamp, 1_000_000)),
            "\"1970-01-01T00:00:01Z\""
        ),
        (
            alone(
                VariantBuilder.primitive(.timestampNTZNanos, UInt128(truncatingIfNeeded: Int64(-1)))
            ),
            "\"1969-12-31T23:59:59.999999999\""
        ),
        (alone(VariantBuilder.uuid(1)), "\"00000000-0000-0000-0000-000000000001\""),
        (
            alone(long.withUnsafeBytes { VariantBuilder.text($0) }),
            "\"" + String(repeating: "x", count: 100) + "\""
        ),
        (
            .variant(metadata: metadata.array, value: object.array),
            "{\"a\":\"text\",\"b\":-7,\"größe\":[-7,null]}"
        ),
        (
            alone(VariantBuilder.array((0..<300).map { _ in number })),
            "[" + Array(repeating: "-7", count: 300).joined(separator: ",") + "]"
        ),
    ]
}

@Test func `variants survive a file and read as JSON`() throws {
    let samples = try variants()
    let schema = TableSchema([Field("v", .variant), Field("vs", .list(.variant))])
    let values = samples.map(\.0) + [.null]
    let columns = [
        Column(.variant, values),
        Column(.list(.variant), values.map { .list([$0, .null]) }),
    ]
    let file = try ParquetFile(try write(schema, [batch(columns)]).file)
    #expect(file.schema == schema)
    let rows = try file.readAll()
    for (row, value) in values.enumerated() {
        #expect(rows.columns[0].value(row) == value)
        #expect(rows.columns[1].value(row) == .list([value, .null]))
    }
    for (value, json) in samples {
        guard case .variant(let metadata, let bytes) = value else { continue }
        let found = try JSONValue(variant: Bytes(metadata), value: Bytes(bytes))
        #expect(found.text == json)
    }
}

@Test func `damaged variants are refused or read, whatever was changed`() throws {
    var random = Random(seed: 3)
    for (value, _) in try variants() {
        guard case .variant(let metadata, let bytes) = value else { continue }
        for _ in 0..<500 {
            var (names, content) = (metadata, bytes)
            if random.chance(1, in: 4) {
                names[random.below(names.count)] = UInt8(random.below(256))
            } else {
                content[random.below(content.count)] = UInt8(random.below(256))
            }
            if random.chance(1, in: 4) { content.removeLast(random.below(content.count)) }
            do {
                _ = try JSONValue(variant: Bytes(names), value: Bytes(content))
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}

@Test(arguments: ["variant-duckdb", "variant-duckdb-shredded"])
func `variants of another writer are put together again`(name: String) throws {
    let file = try ParquetFile(try goldenBytes(name + ".parquet"))
    #expect(file.schema.fields.map(\.type) == [.int64, .variant])
    let rows = try file.readAll()
    for row in 0..<15 {
        let wanted: JSONValue =
            switch row % 5 {
            case 0: .null
            case 1: .int(row)
            case 2: .string("text \(row)")
            case 3:
                [
                    "a": .int(row), "b": ["x", "y"], "c": ["d": .double(Double(row) / 2)],
                ]
            default: [.int(1), .int(2), .int(row)]
            }
        guard case .variant(let metadata, let value) = rows.columns[1].value(row) else {
            Issue.record("row \(row) is no variant")
            continue
        }
        #expect(try JSONValue(variant: Bytes(metadata), value: Bytes(value)) == wanted)
    }
    #expect(try file.contradictions(rowGroup: 0).isEmpty)
}
