import Base
import Columns
import Foundation
import Parquet

// Rows as JSON that does not depend on who reads them: what data/golden/parquet/canonical.py makes
// of the same rows.

func canonical(_ value: Value) -> JSONValue {
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
    case .binary(let bytes): return .string(hexadecimal(bytes))
    case .date(let days): return .int(days)
    case .time(let moment), .timestamp(let moment), .timestampTZ(let moment): return .int(moment)
    case .variant(let metadata, let value):
        return [
            "metadata": .string(hexadecimal(metadata)), "value": .string(hexadecimal(value)),
        ]
    case .interval(let span):
        return [.int(span.months), .int(span.days), .int(span.microseconds)]
    case .uuid(let bits):
        return .string(
            hexadecimal(
                (0..<16).reversed().map { UInt8(truncatingIfNeeded: bits >> UInt128($0 * 8)) }))
    case .list(let items), .structure(let items): return .array(items.map(canonical))
    case .map(let entries):
        return .array(entries.map { .array([canonical($0.key), canonical($0.value)]) })
    }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

func canonical(_ schema: TableSchema, _ batch: ColumnBatch) -> JSONValue {
    [
        "columns": .array(
            schema.fields.map { ["name": .string($0.name), "type": .string($0.type.sqlName)] }),
        "rows": .array(
            (0..<batch.rowCount).map { row in .array(batch.values(row).map(canonical)) }),
    ]
}

func canonical(_ file: ParquetFile) throws(ParquetFailure) -> JSONValue {
    canonical(file.schema, try file.readAll())
}

/// A folder of the repository, found from this source file.
func repositoryFolder(_ path: String) -> URL {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent(path)
}

/// The files of a folder whose names end in `suffix`, in order.
func files(in folder: URL, suffix: String) throws -> [URL] {
    try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .filter { $0.lastPathComponent.hasSuffix(suffix) }
        .sorted { $0.path < $1.path }
}

func bytes(of file: URL) throws -> Bytes { Bytes(try Data(contentsOf: file)) }

func environment(_ name: String) -> URL? {
    ProcessInfo.processInfo.environment[name].map { URL(fileURLWithPath: $0) }
}
