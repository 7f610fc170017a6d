import Base
import Columns

/// A Parquet file that is read: its schema and statistics at once, its columns when asked for.
///
/// The file is not trusted. Whatever its bytes say, reading ends in rows or in a `ParquetFailure`,
/// with memory bounded by `ParquetReadOptions`. Texts are views of the pages they were read from,
/// which stay in memory as long as a column refers to them.
package struct ParquetFile: Sendable {
    /// Bytes from a position of the file on, as many as were asked for unless the file ends before.
    package typealias RangeReader =
        @Sendable (_ position: Int64, _ count: Int) throws(StorageFailure) -> Bytes

    package let schema: TableSchema
    /// Rows of the whole file.
    package let rowCount: Int64
    package let rowGroups: [ParquetRowGroup]
    package let createdBy: String?
    /// What writers left for other readers, in order.
    package let keyValues: [ParquetKeyValue]
    /// For each column its field id, where the file has one.
    package let fieldIDs: [Int32?]

    let metadata: FileMetadata
    let fileSchema: FileSchema
    /// Bytes of the whole file.
    package let byteCount: Int64
    let options: ParquetReadOptions
    private let readRange: RangeReader

    /// A file in memory.
    package init(
        _ bytes: Bytes, options: ParquetReadOptions = ParquetReadOptions()
    ) throws(ParquetFailure) {
        if bytes.count >= 4, bytes[0..<4] != magic {
            throw .corrupt("not a Parquet file: it does not begin with PAR1", position: 0)
        }
        let read: RangeReader = { (position, count) throws(StorageFailure) in
            let end = min(Int64(bytes.count), position + Int64(count))
            return position < end ? bytes[Int(position)..<Int(end)] : .empty
        }
        try self.init(size: Int64(bytes.count), options: options, read: read)
    }

    /// A file of `size` bytes that is read range by range.
    package init(
        size: Int64, options: ParquetReadOptions = ParquetReadOptions(), read: @escaping RangeReader
    ) throws(ParquetFailure) {
        byteCount = size
        self.options = options
        readRange = read
        guard size >= 12 else {
            throw .corrupt("not a Parquet file: it has only \(size) bytes", position: 0)
        }
        // Most footers fit into the first read, so that opening costs one.
        let tailCount = min(size, 65_536)
        let tail = try Self.exactly(Int(tailCount), at: size - tailCount, read)
        let mark = tail[(tail.count - 4)..<tail.count]
        if mark == Bytes(utf8: "PARE") { throw .unsupported("encrypted footers (PARE)") }
        guard mark == magic else {
            throw .corrupt("not a Parquet file: it does not end with PAR1", position: size - 4)
        }
        var lengthReader = ByteReader(tail[(tail.count - 8)..<(tail.count - 4)])
        let length = Int64(
            try decoding(at: size - 8) { () throws(DecodeFailure) in try lengthReader.uint32LE() })
        guard length <= size - 12 else {
            throw .corrupt(
                "a footer of \(length) bytes is larger than the file", position: size - 8)
        }
        guard length <= Limits.parquetFooterBytes else {
            throw .tooLarge(
                what: "size of the footer", value: length, limit: Int64(Limits.parquetFooterBytes))
        }
        let position = size - 8 - length
        let footer: Bytes
        if length + 8 <= tailCount {
            let start = Int(tailCount - 8 - length)
            footer = tail[start..<(start + Int(length))]
        } else {
            footer = try Self.exactly(Int(length), at: position, read)
        }
        (metadata, fileSchema) = try decoding(at: position) {
            () throws(DecodeFailure) -> (FileMetadata, FileSchema) in
            let metadata = try FileMetadata(footer)
            return (metadata, try FileSchema(metadata.schema))
        }
        try Self.check(metadata, fileSchema, at: position)
        schema = fileSchema.tableSchema
        // Some writers leave the footer's own count at 0, so the row groups count. At most 2^31 rows
        // in each of at most 2^28 of them: no overflow.
        rowCount = metadata.rowGroups.reduce(0) { $0 + $1.rowCount }
        createdBy = metadata.createdBy
        keyValues = metadata.keyValues.map { ParquetKeyValue(key: $0.key, value: $0.value) }
        fieldIDs = fileSchema.columns.map { $0.fieldID }
        rowGroups = metadata.rowGroups.map {
            ParquetRowGroup(
                rowCount: Int($0.rowCount), byteCount: $0.totalBytes,
                compressedByteCount: $0.columns.reduce(0) { $0 &+ $1.compressedBytes })
        }
    }

    /// What the parts of the footer say about each other.
    private static func check(
        _ metadata: FileMetadata, _ schema: FileSchema, at position: Int64
    ) throws(ParquetFailure) {
        for (index, group) in metadata.rowGroups.enumerated() {
            guard group.rowCount >= 0, group.rowCount <= Int64(Int32.max) else {
                throw .corrupt("row group \(index) has \(group.rowCount) rows", position: position)
            }
            guard group.columns.count == schema.leaves.count else {
                throw .corrupt(
                    "row group \(index) has \(group.columns.count) columns, the schema has "
                        + "\(schema.leaves.count)", position: position)
            }
            for (chunk, leaf) in zip(group.columns, schema.leaves)
            where chunk.type != leaf.physical && chunk.obstacle == nil {
                throw .corrupt(
                    "column \"\(leaf.path.joined(separator: "."))\" of row group \(index) has "
                        + "another type than the schema", position: position)
            }
        }
    }

    /// Runs of row groups of about `rowsWanted` rows or more: parts that can be read at the same time.
    package func runs(rowsWanted: Int64) -> [(rowCount: Int64, groups: Range<Int>)] {
        var runs: [(rowCount: Int64, groups: Range<Int>)] = []
        var (first, rows) = (0, Int64(0))
        for (index, group) in rowGroups.enumerated() {
            rows += Int64(group.rowCount)
            if rows >= rowsWanted || index == rowGroups.count - 1 {
                runs.append((rows, first..<index + 1))
                (first, rows) = (index + 1, 0)
            }
        }
        return runs
    }

    private static func exactly(
        _ count: Int, at position: Int64, _ read: RangeReader
    ) throws(ParquetFailure) -> Bytes {
        let bytes: Bytes
        do {
            bytes = try read(position, count)
        } catch {
            throw .storage(error)
        }
        guard bytes.count == count else {
            throw .corrupt(
                "\(count) bytes were expected, \(bytes.count) are there", position: position)
        }
        return bytes
    }
}

private let magic = Bytes(utf8: "PAR1")

package struct ParquetKeyValue: Hashable, Sendable {
    package var key: String
    package var value: String?

    package init(key: String, value: String?) {
        self.key = key
        self.value = value
    }
}

extension ColumnChunk {
    /// Refuses a chunk that is encrypted or in another file.
    func refuseObstacle(_ leaf: Leaf) throws(ParquetFailure) {
        guard let obstacle else { return }
        throw .unsupported("\(obstacle): \"\(leaf.path.joined(separator: "."))\"")
    }
}

/// What a footer says about one row group.
package struct ParquetRowGroup: Hashable, Sendable {
    package var rowCount: Int
    /// Encoded, before compression.
    package var byteCount: Int64
    package var compressedByteCount: Int64
}

// MARK: Rows

extension ParquetFile {
    /// The rows of one row group. `columns` names the wanted columns, in the order they come back
    /// in; nil stands for all. With `rows` only these come back, and pages that have none of them
    /// are not even read when the file tells where its pages are.
    package func read(
        rowGroup index: Int, columns names: [String]? = nil, rows: RowRanges? = nil
    ) throws(ParquetFailure) -> ColumnBatch {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        var shapes: [Shape] = []
        if let names {
            for name in names {
                guard let position = schema.index(of: name) else { throw .noSuchColumn(name) }
                shapes.append(fileSchema.columns[position])
            }
        } else {
            shapes = fileSchema.columns
        }
        if let rows { return try read(shapes, rowGroup: index, rows) }
        try checkSize(shapes, rowGroup: index)
        let span = try commonSpan(shapes, rowGroup: index)
        var result: [Column] = []
        result.reserveCapacity(shapes.count)
        for shape in shapes { result.append(try read(shape, rowGroup: index, span)) }
        return ColumnBatch(columns: result, rowCount: rowGroups[index].rowCount)
    }

    private func read(
        _ shapes: [Shape], rowGroup index: Int, _ rows: RowRanges
    ) throws(ParquetFailure) -> ColumnBatch {
        precondition(
            (rows.ranges.last?.upperBound ?? 0) <= rowGroups[index].rowCount, "rows out of range")
        if rows.isEmpty {
            return ColumnBatch(columns: shapes.map { Column($0.type, []) }, rowCount: 0)
        }
        try checkSize(shapes, rowGroup: index)
        var result: [Column] = []
        result.reserveCapacity(shapes.count)
        for shape in shapes {
            result.append(try read(shape, rowGroup: index, nil, rows: rows))
        }
        return ColumnBatch(columns: result, rowCount: rows.count)
    }

    /// All rows of the file, in one batch. For small files.
    package func readAll(columns names: [String]? = nil) throws(ParquetFailure) -> ColumnBatch {
        if rowGroups.count == 1 { return try read(rowGroup: 0, columns: names) }
        var batches: [ColumnBatch] = []
        for index in rowGroups.indices { batches.append(try read(rowGroup: index, columns: names)) }
        var types: [ColumnType] = []
        for name in names ?? schema.fields.map(\.name) {
            guard let position = schema.index(of: name) else { throw .noSuchColumn(name) }
            types.append(schema.fields[position].type)
        }
        let columns = types.enumerated().map { index, type in
            var builder = ColumnBuilder(type)
            for batch in batches { builder.append(batch.columns[index]) }
            return builder.finish()
        }
        return ColumnBatch(columns: columns, rowCount: batches.reduce(0) { $0 + $1.rowCount })
    }

    /// Refuses a row group whose values would fill the memory, before the first page is read.
    private func checkSize(_ shapes: [Shape], rowGroup index: Int) throws(ParquetFailure) {
        var total: Int64 = 0
        for shape in shapes {
            for leaf in shape.leaves {
                let count = max(metadata.rowGroups[index].columns[leaf].valueCount, 0)
                // 16 bytes is the widest value, a view or a decimal.
                let (bytes, overflow) = count.multipliedReportingOverflow(by: 16)
                total = overflow ? .max : total.addingReportingOverflow(bytes).partialValue
                guard !overflow, total >= 0, total <= Int64(options.resultBytesMax) else {
                    throw .tooLarge(
                        what: "size in memory of a row group", value: total,
                        limit: Int64(options.resultBytesMax))
                }
            }
        }
    }

    /// The rows `rows` of a column, nil standing for all of its row group.
    private func read(
        _ shape: Shape, rowGroup index: Int, _ span: FilePart?, rows: RowRanges? = nil
    ) throws(ParquetFailure) -> Column {
        let group = metadata.rowGroups[index]
        var leaves: [LeafValues] = []
        var start: Int64 = 4
        for number in shape.leaves {
            let leaf = fileSchema.leaves[number]
            let chunk = group.columns[number]
            var values: LeafValues?
            if let rows {
                values = try indexedPages(rows, rowGroup: index, leaf: number, isFlat: shape.isFlat)
            }
            if values == nil {
                let part = try chunkBytes(chunk, leaf, span)
                start = part.position
                var reader = ColumnChunkReader(
                    leaf: leaf, chunk: chunk, isFlat: shape.isFlat, options: options)
                values = try reader.read(part, wanted: rows)
            }
            guard var values else { continue }
            if let rows, !shape.isFlat {
                let known = values.rows ?? RowRanges(0..<Int(group.rowCount))
                try decoding(at: start) { () throws(DecodeFailure) in
                    try values.keep(rows, of: known, leaf)
                }
            }
            leaves.append(values)
        }
        let assembly = ColumnAssembly(leaves: leaves, first: shape.leaves.lowerBound)
        var column = try decoding(at: start) { () throws(DecodeFailure) in
            try assembly.column(shape)
        }
        let known = shape.isFlat ? leaves.first?.rows ?? nil : rows
        let expected = known?.count ?? Int(group.rowCount)
        guard column.count == expected else {
            throw .corrupt(
                "column \"\(shape.name)\" has \(column.count) rows, its row group has "
                    + "\(expected)", position: start)
        }
        if shape.isFlat, let rows { column = column.kept(rows, of: known) }
        return column
    }

    /// The pages that have some of `rows`, with what else is on them; nil when there is no index to
    /// find them with, or when it is wrong: then the whole chunk has to be read.
    private func indexedPages(
        _ rows: RowRanges, rowGroup: Int, leaf number: Int, isFlat: Bool
    ) throws(ParquetFailure) -> LeafValues? {
        guard let index = try offsetIndex(rowGroup: rowGroup, leaf: number) else { return nil }
        let pages = index.pages.filter { rows.overlaps($0.rows) }
        guard pages.count < index.pages.count else { return nil }
        let leaf = fileSchema.leaves[number]
        let chunk = metadata.rowGroups[rowGroup].columns[number]
        let start = try range(of: chunk, leaf).lowerBound
        do throws(ParquetFailure) {
            var runs: [PageRun] = []
            var first = 0
            while first < pages.count {
                var end = pages[first].position + Int64(pages[first].byteCount)
                var next = first + 1
                while next < pages.count, pages[next].position == end {
                    end += Int64(pages[next].byteCount)
                    next += 1
                }
                let part = FilePart(
                    bytes: try read(pages[first].position..<end), position: pages[first].position)
                runs.append(PageRun(pages: Array(pages[first..<next]), part: part))
                first = next
            }
            let data = index.pages[0].position
            let dictionary =
                data > start ? FilePart(bytes: try read(start..<data), position: start) : nil
            var reader = ColumnChunkReader(
                leaf: leaf, chunk: chunk, isFlat: isFlat, options: options)
            return try reader.read(runs, dictionary: dictionary)
        } catch {
            if case .storage = error { throw error }
            return nil
        }
    }

    /// The bytes `range` of the file, which must be inside of it.
    func read(_ range: Range<Int64>) throws(ParquetFailure) -> Bytes {
        try Self.exactly(range.count, at: range.lowerBound, readRange)
    }

    /// The chunks of `shapes` in one read, when they are not more than `bytesMax` and little that is
    /// not wanted lies between them.
    func commonSpan(
        _ shapes: [Shape], rowGroup index: Int, bytesMax: Int64 = 256 << 20
    ) throws(ParquetFailure) -> FilePart? {
        var wanted: Int64 = 0
        var start = Int64.max
        var end: Int64 = 0
        var count = 0
        for shape in shapes {
            for number in shape.leaves {
                let chunk = metadata.rowGroups[index].columns[number]
                if chunk.valueCount == 0 { continue }
                let range = try range(of: chunk, fileSchema.leaves[number])
                wanted += range.upperBound - range.lowerBound
                start = min(start, range.lowerBound)
                end = max(end, range.upperBound)
                count += 1
            }
        }
        let gaps = end - start - wanted
        guard count > 1, end - start <= bytesMax, gaps <= max(wanted / 4, 65_536) else {
            return nil
        }
        return FilePart(bytes: try read(start..<end), position: start)
    }

    /// The bytes of a column chunk and where they begin.
    private func chunkBytes(
        _ chunk: ColumnChunk, _ leaf: Leaf, _ span: FilePart?
    ) throws(ParquetFailure) -> FilePart {
        try chunk.refuseObstacle(leaf)
        // Where it would be matters only when there is something.
        if chunk.valueCount == 0 { return FilePart(bytes: .empty, position: 4) }
        let range = try range(of: chunk, leaf)
        if let span, span.position <= range.lowerBound,
            range.upperBound <= span.position + Int64(span.bytes.count)
        {
            let from = Int(range.lowerBound - span.position)
            return FilePart(
                bytes: span.bytes[from..<(from + range.count)], position: range.lowerBound)
        }
        return FilePart(bytes: try read(range), position: range.lowerBound)
    }

    /// Where the chunk's pages are.
    func range(
        of chunk: ColumnChunk, _ leaf: Leaf
    ) throws(ParquetFailure) -> Range<Int64> {
        var start = chunk.dataPagePosition
        // Old writers say 0 though there is a dictionary; then it is the first page found.
        if let dictionary = chunk.dictionaryPagePosition, dictionary > 0, dictionary < start {
            start = dictionary
        }
        let (end, overflow) = start.addingReportingOverflow(chunk.compressedBytes)
        guard start >= 4, chunk.compressedBytes >= 0, !overflow, end <= byteCount - 8 else {
            throw .corrupt(
                "column chunk \"\(leaf.path.joined(separator: "."))\" of "
                    + "\(chunk.compressedBytes) bytes at \(start) is not inside of the file",
                position: max(start, 0))
        }
        let slack = isBeforeChunkSizes ? min(100, byteCount - 8 - end) : 0
        return start..<(end + slack)
    }

    /// parquet-mr before 1.2.9 left the header of the dictionary page out of the chunk's size.
    private var isBeforeChunkSizes: Bool {
        guard let createdBy, createdBy.hasPrefix("parquet-mr") else { return false }
        let version = createdBy.split(separator: " ").dropFirst(2).first ?? ""
        let numbers = version.split(separator: ".").map { Int($0.prefix { $0.isNumber }) ?? 0 }
        return numbers.lexicographicallyPrecedes([1, 2, 9])
    }
}
