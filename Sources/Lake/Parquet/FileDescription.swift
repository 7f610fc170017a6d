// What a file says about itself, for people and programs that look into files.

import Base
import Columns

/// The parts of a footer that explain how a file is written.
package struct ParquetDescription: Sendable {
    /// One column chunk.
    package struct Chunk: Sendable {
        package var column: String
        package var codec: String
        package var encodings: [String]
        package var valueCount: Int64
        package var uncompressedBytes: Int64
        package var compressedBytes: Int64
        package var bounds: ColumnBounds
        package var hasPageIndex: Bool
        package var hasBloomFilter: Bool
    }

    package var createdBy: String?
    package var rowCount: Int64
    package var byteCount: Int64
    package var schema: TableSchema
    /// For each row group its rows and chunks.
    package var rowGroups: [(rowCount: Int, chunks: [Chunk])]
}

extension ParquetFile {
    package var description: ParquetDescription {
        ParquetDescription(
            createdBy: createdBy, rowCount: rowCount, byteCount: byteCount, schema: schema,
            rowGroups: metadata.rowGroups.map { group in
                (
                    rowCount: Int(group.rowCount),
                    chunks: zip(group.columns, fileSchema.leaves).enumerated().map { place, pair in
                        describe(pair.0, pair.1, place)
                    }
                )
            })
    }

    private func describe(
        _ chunk: ColumnChunk, _ leaf: Leaf, _ number: Int
    ) -> ParquetDescription.Chunk {
        ParquetDescription.Chunk(
            column: leaf.path.joined(separator: "."), codec: codecName(chunk.codec),
            encodings: chunk.encodings.map { encodingName($0) }, valueCount: chunk.valueCount,
            uncompressedBytes: chunk.uncompressedBytes, compressedBytes: chunk.compressedBytes,
            bounds: chunk.statistics.map { bounds($0, leaf: number) } ?? ColumnBounds(),
            hasPageIndex: chunk.offsetIndex != nil && chunk.columnIndex != nil,
            hasBloomFilter: chunk.bloomFilterPosition != nil)
    }
}

private func codecName(_ number: Int32) -> String {
    let names = [
        "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW",
    ]
    return names.indices.contains(Int(number)) ? names[Int(number)] : "codec \(number)"
}

/// The published name of an encoding.
func encodingName(_ number: Int32) -> String {
    let names = [
        "PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED",
        "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT", "ALP",
    ]
    return names.indices.contains(Int(number)) ? names[Int(number)] : "encoding \(number)"
}

// MARK: Contradictions

extension ParquetFile {
    /// What the file says about the values of a row group that is not so, a sentence each: bounds and
    /// NULL counts of the row group and of its pages, and values that a bloom filter denies.
    package func contradictions(
        rowGroup index: Int, columns names: [String]? = nil
    ) throws(ParquetFailure) -> [String] {
        var result: [String] = []
        for (number, leaf) in fileSchema.leaves.enumerated() where leaf.path.count == 1 {
            let name = leaf.path[0]
            // Of two columns of one name only the first can be asked for.
            guard names?.contains(name) ?? true, leaf.repetitionMax == 0,
                leafNumber(name) == number
            else { continue }
            let column = try read(rowGroup: index, columns: [name]).columns[0]
            let place = "row group \(index), column \"\(name)\""
            let whole = bounds(rowGroup: index, column: name)
            result += column.contradictions(whole, 0..<column.count, place)
            guard let pages = try offsetIndex(rowGroup: index, leaf: number)?.pages else {
                continue
            }
            let pageIndex = try columnIndex(
                rowGroup: index, leaf: number, pageCount: pages.count)
            for (page, location) in pages.enumerated() {
                guard let pageIndex else { break }
                result += column.contradictions(
                    bounds(pageIndex.statistics(page), leaf: number), location.rows,
                    place + ", page \(page)")
            }
            // A thousand values find a filter that is built in the wrong way.
            for row in stride(from: 0, to: column.count, by: max(1, column.count / 1000)) {
                guard let bytes = leaf.plainBytes(column.value(row)) else { continue }
                if !(try mightContain(bytes, rowGroup: index, leaf: number)) {
                    result.append("\(place): the bloom filter denies the value of row \(row)")
                    break
                }
            }
        }
        return result
    }
}

extension Column {
    fileprivate func contradictions(
        _ bounds: ColumnBounds, _ rows: Range<Int>, _ place: String
    ) -> [String] {
        var nulls: Int64 = 0
        for row in rows {
            let value = value(row)
            if value.isNull {
                nulls += 1
                continue
            }
            if let minimum = bounds.minimum, let order = order(of: value, minimum), order < 0 {
                return ["\(place): row \(row) is below the minimum"]
            }
            if let maximum = bounds.maximum, let order = order(of: value, maximum), order > 0 {
                return ["\(place): row \(row) is above the maximum"]
            }
        }
        if let count = bounds.nullCount, count != nulls {
            return ["\(place): \(nulls) NULLs, the file says \(count)"]
        }
        return []
    }
}
