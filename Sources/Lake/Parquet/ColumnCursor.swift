import Base
import Columns

/// Reads a flat column of a row group from its first row to its last, decoding one page at a time
/// and none that is passed over.
struct ColumnCursor {
    private let shape: Shape
    private let rowCount: Int
    private let options: ParquetReadOptions
    private var reader: ColumnChunkReader
    private var source: ChunkSource
    /// Of the next page's header.
    private var position: Int64
    private var index: LazyOffsetIndex

    /// The rows of the page that was decoded last, of which `taken` are used up.
    private var page: PageRows?
    private var taken = 0
    /// Rows to pass over before the next one that is wanted.
    private var skipped = 0

    init(
        _ file: ParquetFile, _ shape: Shape, rowGroup: Int, _ options: ParquetReadOptions,
        span: FilePart?
    ) throws(ParquetFailure) {
        let number = shape.leaves.lowerBound
        let leaf = file.fileSchema.leaves[number]
        let chunk = file.metadata.rowGroups[rowGroup].columns[number]
        try chunk.refuseObstacle(leaf)
        self.shape = shape
        self.options = options
        rowCount = file.rowGroups[rowGroup].rowCount
        reader = ColumnChunkReader(leaf: leaf, chunk: chunk, isFlat: true, options: options)
        reader.keepsCodes = true
        let range = chunk.valueCount == 0 ? 4..<4 : try file.range(of: chunk, leaf)
        try reader.checkCount(at: range.lowerBound)
        guard chunk.valueCount == Int64(rowCount) else {
            throw .corrupt(
                "column \"\(shape.name)\" has \(chunk.valueCount) rows, its row group has "
                    + "\(rowCount)", position: range.lowerBound)
        }
        source = ChunkSource(file, range, options, span: span)
        position = range.lowerBound
        index = LazyOffsetIndex(file, rowGroup: rowGroup, leaf: number)
    }

    /// Passes over rows. Nothing is read for that until others are wanted.
    mutating func skip(_ count: Int) {
        if let page, taken + count < page.count {
            taken += count
            return
        }
        if let page {
            skipped = count - (page.count - taken)
            self.page = nil
            taken = 0
        } else {
            skipped += count
        }
    }

    /// How many rows are at hand: those left of the current page. At least one, before the end.
    mutating func rowsAtHand() throws(ParquetFailure) -> Int {
        if let page, taken < page.count { return page.count - taken }
        try nextPage()
        return (page?.count ?? 0) - taken
    }

    /// The next `count` rows, of which there must be so many.
    mutating func take(_ count: Int) throws(ParquetFailure) -> ColumnPiece {
        let first = min(count, try rowsAtHand())
        guard let page else { return ColumnPiece(Column(shape.type, [])) }
        let piece = ColumnPiece(page, taken..<(taken + first))
        taken += first
        if first == count { return piece }
        var pieces = [piece.column(0..<first)]
        var left = count - first
        while left > 0 {
            let more = min(left, try rowsAtHand())
            guard let page = self.page else { break }
            pieces.append(ColumnPiece(page, taken..<(taken + more)).column(0..<more))
            taken += more
            left -= more
        }
        return ColumnPiece(joined(pieces))
    }

    /// Codes of one dictionary stay codes.
    private func joined(_ pieces: [Column]) -> Column {
        guard let data = Parquet.joined(pieces.map(\.data)) else { return pieces[0] }
        var validity: Validity?
        if pieces.contains(where: { $0.validity != nil }) {
            var all = Validity(repeating: true, count: 0)
            for piece in pieces {
                if let some = piece.validity {
                    all.append(some)
                } else {
                    all.append(repeating: true, count: piece.count)
                }
            }
            validity = all
        }
        return Column(type: shape.type, data: data, validity: validity)
    }

    /// Decodes the page that has the next wanted row.
    private mutating func nextPage() throws(ParquetFailure) {
        page = nil
        taken = 0
        try jump()
        while reader.nextRow < rowCount {
            let stored = try source.page(at: position)
            position += Int64(stored.byteCount)
            guard let count = stored.header.kind.entryCount else {
                try reader.use(stored)
                continue
            }
            let rows = Int(count)
            if rows >= 0, rows <= skipped, rows <= rowCount - reader.nextRow {
                reader.jump(toRow: reader.nextRow + rows)
                skipped -= rows
                continue
            }
            // A few bytes of run lengths can stand for millions of rows of 16 bytes each.
            guard Int64(count) * 16 <= Int64(options.resultBytesMax) else {
                throw .tooLarge(
                    what: "size in memory of a page", value: Int64(count) * 16,
                    limit: Int64(options.resultBytesMax))
            }
            try reader.use(stored)
            page = try pageRows(at: stored.position)
            taken = skipped
            skipped = 0
            return
        }
        throw .corrupt("column \"\(shape.name)\" has too few rows", position: position)
    }

    /// The rows of the page that was used last.
    private mutating func pageRows(at position: Int64) throws(ParquetFailure) -> PageRows {
        let values = reader.takeRows()
        if let codes = values.codes, let dictionary = reader.dictionary {
            let distinct = Column(type: shape.type, data: dictionary.values)
            guard let validity = values.validity, validity.nullCount > 0 else {
                return .coded(codes, distinct, nil)
            }
            guard case .int32(let spread) = expanded(.int32(codes), by: validity) else {
                preconditionFailure("codes stay codes")
            }
            return .coded(spread, distinct, validity)
        }
        let assembly = ColumnAssembly(leaves: [values], first: shape.leaves.lowerBound)
        return .values(
            try decoding(at: position) { () throws(DecodeFailure) in try assembly.column(shape) })
    }

    /// Goes to the page of the next wanted row when the index knows it and it is further on.
    private mutating func jump() throws(ParquetFailure) {
        guard skipped > 0,
            let target = try index.jump(
                toRow: reader.nextRow + skipped, from: reader.nextRow, at: &position,
                isAtStart: reader.nextRow == 0, hasRowPerEntry: true, &source, &reader)
        else { return }
        skipped -= target.rows.lowerBound - reader.nextRow
        reader.jump(toRow: target.rows.lowerBound)
    }
}
