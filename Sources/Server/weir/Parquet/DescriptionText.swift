import Base
import Columns
import Engine
import Parquet
import Runtime

extension ColumnType {
    /// Whether the type's values stand on the right in tables.
    var isNumber: Bool {
        switch self {
        case .int16, .int32, .int64, .float32, .float64, .decimal: true
        default: false
        }
    }
}

extension ParquetDescription {
    var json: JSONValue {
        [
            "created_by": createdBy.map { .string($0) } ?? .null, "rows": .int(rowCount),
            "bytes": .int(byteCount),
            "columns": .array(
                schema.fields.map { field in
                    [
                        "name": .string(field.name), "type": .string(field.type.sqlName),
                        "nullable": .bool(field.isNullable),
                    ]
                }),
            "row_groups": .array(
                rowGroups.map { group in
                    [
                        "rows": .int(group.rowCount),
                        "chunks": .array(group.chunks.map { $0.json(schema) }),
                    ]
                }),
        ]
    }

    var text: String {
        var result =
            "\(grouped(rowCount)) rows, \(byteText(byteCount)), \(rowGroups.count) row groups, by "
            + "\(createdBy ?? "an unnamed writer")\n\n"
        result += TextTable(
            [.init("COLUMN"), .init("TYPE"), .init("NULLABLE")],
            rows: schema.fields.map {
                [$0.name, $0.type.sqlName, $0.isNullable ? "yes" : "no"]
            }
        ).plain()
        for (index, group) in rowGroups.enumerated() {
            result += "\nrow group \(index), \(grouped(Int64(group.rowCount))) rows\n"
            result += TextTable(
                [
                    .init("CHUNK"), .init("CODEC"), .init("ENCODINGS"),
                    .init("VALUES", isNumber: true), .init("SIZE", isNumber: true),
                    .init("STORED", isNumber: true), .init("NULLS", isNumber: true),
                    .init("MINIMUM"), .init("MAXIMUM"), .init("PAGE INDEX"), .init("BLOOM"),
                ],
                rows: group.chunks.map { chunk in
                    [
                        chunk.column, chunk.codec, chunk.encodings.joined(separator: " "),
                        grouped(chunk.valueCount), byteText(chunk.uncompressedBytes),
                        byteText(chunk.compressedBytes), chunk.bounds.nullCount.map { grouped($0) },
                        chunk.bound(\.minimum, schema).map(shortened),
                        chunk.bound(\.maximum, schema).map(shortened),
                        chunk.hasPageIndex ? "yes" : "no", chunk.hasBloomFilter ? "yes" : "no",
                    ]
                }
            ).plain()
        }
        return result
    }
}

extension ParquetDescription.Chunk {
    fileprivate func json(_ schema: TableSchema) -> JSONValue {
        func text(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }
        return [
            "column": .string(column), "codec": .string(codec),
            "encodings": .array(encodings.map { .string($0) }), "values": .int(valueCount),
            "uncompressed_bytes": .int(uncompressedBytes),
            "compressed_bytes": .int(compressedBytes),
            "nulls": bounds.nullCount.map { .int($0) } ?? .null,
            "minimum": text(bound(\.minimum, schema)), "maximum": text(bound(\.maximum, schema)),
            "page_index": .bool(hasPageIndex), "bloom_filter": .bool(hasBloomFilter),
        ]
    }

    fileprivate func bound(
        _ path: KeyPath<ColumnBounds, Value?>, _ schema: TableSchema
    ) -> String? {
        guard let value = bounds[keyPath: path],
            let index = schema.index(of: column)
        else { return nil }
        return textForm(value, schema.fields[index].type)
    }
}

private func shortened(_ text: String) -> String {
    text.count <= 24 ? text : String(text.prefix(23)) + "…"
}
