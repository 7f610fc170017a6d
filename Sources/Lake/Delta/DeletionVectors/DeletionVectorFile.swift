// Deletion vectors: which rows of a data file are deleted. They are in the log itself, as text, or
// in a file of their own that may hold several:
//
// | bytes | meaning |
// |---|---|
// | 1 | version 1 |
// | 4 | size n of the bitmap, big-endian; `offset` in the log points here |
// | n | the bitmap: see `RowBitmapCoding.swift` |
// | 4 | CRC-32 of the bitmap, big-endian; then the next size |

import Base
import Compression

extension DeletionVector {
    /// Kinds of `storageType`.
    private enum Storage {
        /// `i`: the bitmap itself.
        case inline([UInt8])
        /// `u` or `p`: path below the table's folder, or an address.
        case file(String)
    }

    /// Where the bitmap is. `tablePath` is the table's folder in the store.
    private func storage(tablePath: String) throws(DecodeFailure) -> Storage {
        switch storageType {
        case "i":
            guard let bytes = Z85.decoded(pathOrInline) else {
                throw .malformed("an inline deletion vector is not Z85 text", position: 0)
            }
            return .inline(bytes)
        case "u":
            let text = Array(pathOrInline.utf8)
            guard text.count >= 20,
                let bytes = Z85.decoded(String(decoding: text.suffix(20), as: UTF8.self))
            else {
                throw .malformed("a deletion vector is not named by a UUID", position: 0)
            }
            let number = bytes.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
            let prefix = String(decoding: text.dropLast(20), as: UTF8.self)
            let name = Self.fileName(number)
            return .file(try TablePath.decoded(prefix.isEmpty ? name : prefix + "/" + name))
        case "p":
            // An absolute path, of whichever machine wrote it. What is below a folder named like
            // ours is ours; anything else is another table's.
            let path = TablePath.decodedForComparison(pathOrInline)
            let folder = "/" + tablePath + "/"
            if !tablePath.isEmpty, let place = path.ranges(of: folder).last {
                return .file(try TablePath.decoded(String(path[place.upperBound...])))
            }
            guard TablePath.isAddress(path) else {
                throw .unsupported("deletion vector outside of the table's folder: \(path)")
            }
            return .file(path)
        default:
            throw .unsupported("deletion vector of storage type '\(storageType)'")
        }
    }

    static func fileName(_ number: UInt128) -> String {
        "deletion_vector_\(uuidText(number)).bin"
    }

    /// The path of the file with the bitmap, relative to the table's folder, or its address; nil for
    /// inline ones and for those that nobody can read.
    package func filePath(tablePath: String) -> String? {
        guard case .file(let path)? = try? storage(tablePath: tablePath) else { return nil }
        return path
    }

    /// The deleted rows. Checked: size, checksum, structure and number of rows.
    package func read(from table: DeltaTable) throws(DeltaFailure) -> RowBitmap {
        var source = table.path
        let place: Storage
        let size: Int
        do throws(DecodeFailure) {
            guard (0...DeltaLimits.deletionVectorBytes).contains(sizeInBytes) else {
                throw .tooLarge(
                    what: "size of a deletion vector", value: sizeInBytes,
                    limit: DeltaLimits.deletionVectorBytes)
            }
            size = Int(sizeInBytes)
            place = try storage(tablePath: table.path)
        } catch {
            throw .corrupt(path: source, detail: "\(error)")
        }
        var stored: Bytes
        switch place {
        case .inline(let bytes): stored = Bytes(bytes)
        case .file(let path):
            source = try table.location(of: path)
            let start = offset ?? 1
            let (end, overflow) = start.addingReportingOverflow(Int64(size) + 8)
            guard start >= 0, !overflow else {
                throw .corrupt(path: source, detail: "offset \(start) of a deletion vector")
            }
            let path = source
            stored = try storing { () throws(StorageFailure) in
                try table.store.get(path, range: start..<end)
            }
        }
        do throws(DecodeFailure) {
            if case .inline = place {
                guard stored.count >= size else {
                    throw .malformed(
                        "an inline deletion vector of \(stored.count) bytes, \(size) expected",
                        position: 0)
                }
                stored = stored[0..<size]
            } else {
                stored = try Self.content(stored, size: size)
            }
            let rows = try RowBitmap(decoding: stored)
            guard rows.count == cardinality else {
                throw .malformed(
                    "a deletion vector of \(rows.count) rows, the log says \(cardinality)",
                    position: 0)
            }
            return rows
        } catch {
            throw .corrupt(path: source, detail: "\(error)")
        }
    }

    private static func content(_ framed: Bytes, size: Int) throws(DecodeFailure) -> Bytes {
        var reader = ByteReader(framed)
        let stored = try reader.uint32()
        guard stored == UInt32(size) else {
            throw .malformed(
                "a deletion vector of \(stored) bytes, the log says \(size)", position: 0)
        }
        let content = try reader.slice(size)
        let expected = try reader.uint32()
        let found = crc32(content)
        guard found == expected else {
            throw .malformed(
                "the checksum of a deletion vector is \(found), expected \(expected)", position: 0)
        }
        return content
    }
}

/// Collects the deletion vectors of one commit into one file.
struct DeletionVectorWriter {
    private let number: UInt128
    private var content: [UInt8] = [1]

    init(random: inout Random) {
        let id = random.uuid()
        number = UInt128(id.high) << 64 | UInt128(id.low)
    }

    var isEmpty: Bool { content.count == 1 }
    var fileName: String { DeletionVector.fileName(number) }
    var byteCount: Int { content.count }

    /// Adds `rows` and returns how the log is to name them.
    mutating func add(_ rows: RowBitmap) -> DeletionVector {
        let bitmap = rows.encoded()
        let offset = Int64(content.count)
        var frame = ByteWriter(capacity: bitmap.count + 8)
        frame.uint32(UInt32(bitmap.count))
        frame.bytes(bitmap)
        frame.uint32(crc32(bitmap))
        content += frame.finish().array
        let id = (0..<16).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        return DeletionVector(
            storageType: "u", pathOrInline: Z85.encoded(id), offset: offset,
            sizeInBytes: Int64(bitmap.count), cardinality: rows.count)
    }

    consuming func finish() -> Bytes { Bytes(content) }
}
