import Base
import Columns

/// How a file is written. The defaults suit tables that other engines share.
package struct ParquetWriteOptions: Sendable {
    package var codec = ParquetCodec.zstd
    /// On the codec's own scale; nil = the codec's default for pages.
    package var compressionLevel: Int?
    /// Small enough that a reader holds a row group in memory, large enough that its footer entry
    /// and dictionaries do not matter.
    package var rowGroupRowsMax = 131_072
    package var rowGroupBytesMax = 128 << 20
    package var pageRowsMax = 20_000
    package var pageBytesMax = 1 << 20
    package var usesDictionaries = true
    package var dictionaryBytesMax = 1 << 20
    /// Column and offset indexes: bounds and place of every page.
    package var writesPageIndex = true
    /// Columns, or members of structures ("a.b"), with a bloom filter for each row group: for those
    /// that are looked up by single values and have many of them.
    package var bloomFilterColumns: [String] = []
    /// A filter that would have to be larger is built with more false answers, or not at all.
    package var bloomFilterBytesMax = 1 << 20
    /// Left in the footer for other readers.
    package var keyValues: [ParquetKeyValue] = []
    /// A field id for each column, as tables with column mapping need them.
    package var fieldIDs: [Int32?] = []

    package init() {}
}

/// What was written, for the table that the file becomes a part of.
package struct ParquetFileSummary: Sendable {
    package var rowCount: Int64
    package var byteCount: Int64
    package var rowGroupCount: Int
    /// The leaves in the order of the schema.
    package var columns: [ParquetColumnSummary]

    package func column(_ name: String) -> ParquetColumnSummary? {
        columns.first { $0.name == name }
    }
}

/// The values of one leaf in the whole file.
package struct ParquetColumnSummary: Hashable, Sendable {
    /// Names from the column down to the leaf, those of the groups of lists and maps included.
    package var path: [String]
    package var type: ColumnType
    /// Below a list or map: bounds and counts are those of elements, not of rows.
    package var isRepeated: Bool
    /// Exact, not cut. nil when there is no value, or none but NaN.
    package var minimum: Value?
    package var maximum: Value?
    package var nullCount: Int64
    package var nanCount: Int64

    /// The path with dots.
    package var name: String { path.joined(separator: ".") }
}

/// Writes rows into one Parquet file in memory.
///
/// Rows gather until they make a row group, which is then encoded. A failure leaves the writer
/// unusable: throw it away. The same rows and options always make the same bytes.
package struct ParquetWriter: Sendable {
    package let schema: TableSchema
    private let options: ParquetWriteOptions
    private let columns: [WriteNode]
    private let leaves: [WriteLeaf]
    private let elements: [SchemaElement]

    private var stores: [LeafStore]
    private var pendingRows = 0
    private var pieces: [Bytes] = [mark]
    private var position = Int64(mark.count)
    private var groups: [[WrittenChunk]] = []
    /// Encoded page indexes of the chunks, written at the end of the file.
    private var indexes: [[(column: Bytes?, offset: Bytes?)]] = []
    private var groupRows: [Int64] = []
    private var summaries: [ParquetColumnSummary]

    package init(
        schema: TableSchema, options: ParquetWriteOptions = ParquetWriteOptions()
    ) throws(ParquetFailure) {
        precondition(options.rowGroupRowsMax > 0 && options.pageRowsMax > 0, "at least one row")
        let layout = try WriteSchema(schema, fieldIDs: options.fieldIDs)
        self.schema = schema
        self.options = options
        columns = layout.columns
        leaves = layout.leaves
        elements = layout.elements
        stores = layout.leaves.map { LeafStore($0) }
        summaries = layout.leaves.map {
            ParquetColumnSummary(
                path: $0.path, type: $0.type, isRepeated: $0.repetitionMax > 0, nullCount: 0,
                nanCount: 0)
        }
    }

    /// Rows written so far.
    package var rowCount: Int64 { groupRows.reduce(Int64(pendingRows)) { $0 + $1 } }

    /// About the size of the file if it were finished now; what waits counts uncompressed.
    package var approximateByteCount: Int64 {
        position + stores.reduce(0) { $0 + Int64($1.byteCount) }
    }

    /// Appends rows. The columns must be those of the schema, in its order.
    package mutating func write(_ batch: ColumnBatch) throws(ParquetFailure) {
        guard batch.columns.count == columns.count else {
            throw .invalidInput(
                "a batch of \(batch.columns.count) columns for a schema of \(columns.count)")
        }
        for (column, field) in zip(batch.columns, schema.fields)
        where column.type != field.type && column.nullCount < column.count {
            throw .invalidInput(
                "column \"\(field.name)\" is \(field.type.sqlName), the batch has "
                    + column.type.sqlName)
        }
        var done = 0
        while done < batch.rowCount {
            let take = min(batch.rowCount - done, options.rowGroupRowsMax - pendingRows)
            try append(take == batch.rowCount ? batch : batch.slice(done..<(done + take)))
            done += take
        }
    }

    private mutating func append(_ batch: ColumnBatch) throws(ParquetFailure) {
        for (node, column) in zip(columns, batch.columns) {
            try node.shred(column, into: &stores)
        }
        pendingRows += batch.rowCount
        let bytes = stores.reduce(0) { $0 + $1.byteCount }
        if pendingRows >= options.rowGroupRowsMax || bytes >= options.rowGroupBytesMax {
            try closeRowGroup()
        }
    }

    private mutating func closeRowGroup() throws(ParquetFailure) {
        if pendingRows == 0 { return }
        var chunks: [WrittenChunk] = []
        var indexes: [(column: Bytes?, offset: Bytes?)] = []
        var filters: [Bytes?] = []
        for (number, store) in stores.enumerated() {
            var writer = ChunkWriter(store, options: options, at: position)
            try writer.write()
            pieces.append(contentsOf: writer.pieces)
            position += writer.chunk.compressedBytes
            filters.append(writer.bloomFilter)
            chunks.append(writer.chunk)
            if options.writesPageIndex {
                indexes.append((writer.columnIndex, writer.offsetIndex))
            }
            summaries[number].add(store, writer.extremes)
        }
        for (number, filter) in filters.enumerated() {
            if let filter { chunks[number].bloomFilter = append(filter) }
        }
        groups.append(chunks)
        self.indexes.append(indexes)
        groupRows.append(Int64(pendingRows))
        pendingRows = 0
        for number in stores.indices { stores[number].removeAll() }
    }

    /// The bytes that are final and were not taken yet. Who takes them writes them in this order, and
    /// the writer needs no memory for what it has finished.
    package mutating func takeFinished() -> [Bytes] {
        defer { pieces = [] }
        return pieces
    }

    /// Ends the file; `file` is all of it that was not taken. The writer must not be used afterwards.
    package mutating func finish() throws(ParquetFailure) -> (
        file: Bytes, summary: ParquetFileSummary
    ) {
        let (pieces, summary) = try finishPieces()
        return (Bytes.joined(pieces), summary)
    }

    /// `finish` without copying the file together: it is all of `pieces`, one after the other.
    package mutating func finishPieces() throws(ParquetFailure) -> (
        pieces: [Bytes], summary: ParquetFileSummary
    ) {
        try closeRowGroup()
        writePageIndexes()
        let rows = rowCount
        let metadata = FileMetadata(
            version: 2, schema: elements, rowCount: rows,
            rowGroups: groupRows.map {
                RowGroupMetadata(columns: [], rowCount: $0, totalBytes: 0)
            },
            keyValues: options.keyValues.map { ($0.key, $0.value) }, createdBy: createdBy,
            hasTypeOrder: [])
        let footer = metadata.encoded(leaves: leaves, chunks: groups)
        guard footer.count <= Limits.parquetFooterBytes else {
            throw .tooLarge(
                what: "size of the footer", value: Int64(footer.count),
                limit: Int64(Limits.parquetFooterBytes))
        }
        var tail = ByteWriter(capacity: 16)
        tail.uint32LE(UInt32(footer.count))
        tail.bytes(mark)
        append(footer)
        append(tail.finish())
        let whole = pieces
        pieces = []
        let summary = ParquetFileSummary(
            rowCount: rows, byteCount: position, rowGroupCount: groups.count, columns: summaries)
        return (whole, summary)
    }

    /// All column indexes, then all offset indexes: a reader that prunes reads each in one go.
    private mutating func writePageIndexes() {
        for (group, encoded) in indexes.enumerated() {
            for (column, index) in encoded.enumerated() {
                if let bytes = index.column { groups[group][column].columnIndex = append(bytes) }
            }
        }
        for (group, encoded) in indexes.enumerated() {
            for (column, index) in encoded.enumerated() {
                if let bytes = index.offset { groups[group][column].offsetIndex = append(bytes) }
            }
        }
    }

    /// Returns where in the file the bytes are.
    @discardableResult
    private mutating func append(_ bytes: Bytes) -> Range<Int64> {
        let start = position
        pieces.append(bytes)
        position += Int64(bytes.count)
        return start..<position
    }
}

private let mark = Bytes(utf8: "PAR1")

/// Readers parse `name version x.y.z` to know which writers' statistics to distrust.
private let createdBy = "weir version 0.1.0"

extension ParquetColumnSummary {
    fileprivate mutating func add(_ store: LeafStore, _ extremes: Extremes?) {
        nullCount += Int64(store.entryCount - store.denseCount)
        nanCount += Int64(store.nanCount)
        guard let extremes else { return }
        let (lowest, highest) = (store.value(extremes.minimum), store.value(extremes.maximum))
        if minimum.flatMap({ order(of: lowest, $0) }) ?? -1 < 0 { minimum = lowest }
        if maximum.flatMap({ order(of: highest, $0) }) ?? 1 > 0 { maximum = highest }
    }
}
