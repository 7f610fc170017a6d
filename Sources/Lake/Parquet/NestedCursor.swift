// Columns with members or elements, row by row: each leaf decodes a page at a time and hands out the
// entries of the rows that are wanted, from which the assembly makes a column.

import Base
import Columns

/// Reads a column with members or elements from its first row to its last.
struct NestedCursor {
    private let shape: Shape
    private var leaves: [LeafCursor] = []
    /// Of the first leaf, for messages.
    private let position: Int64

    init(
        _ file: ParquetFile, _ shape: Shape, rowGroup: Int, _ options: ParquetReadOptions,
        span: FilePart?
    ) throws(ParquetFailure) {
        self.shape = shape
        for number in shape.leaves {
            leaves.append(
                try LeafCursor(file, leaf: number, rowGroup: rowGroup, options, span: span))
        }
        position = leaves.first?.position ?? 4
    }

    /// Passes over rows. Nothing is read for that until others are wanted.
    mutating func skip(_ count: Int) {
        for index in leaves.indices { leaves[index].skip(count) }
    }

    /// How many rows begin on the first leaf's page; at least one.
    mutating func rowsAtHand() throws(ParquetFailure) -> Int {
        guard !leaves.isEmpty else { return 1 }
        return max(1, try leaves[0].rowsAtHand())
    }

    /// The next `count` rows, of which there must be so many.
    mutating func take(_ count: Int) throws(ParquetFailure) -> Column {
        var values: [LeafValues] = []
        for index in leaves.indices { values.append(try leaves[index].take(count)) }
        let assembly = ColumnAssembly(leaves: values, first: shape.leaves.lowerBound)
        let column = try decoding(at: position) { () throws(DecodeFailure) in
            try assembly.column(shape)
        }
        guard column.count == count else {
            throw .corrupt(
                "column \"\(shape.name)\" gave \(column.count) rows where \(count) should be",
                position: position)
        }
        return column
    }
}

/// Reads the entries of a leaf row by row. A row may have any number of them, on several pages.
struct LeafCursor {
    private let leaf: Leaf
    private let chunk: ColumnChunk
    private let rowCount: Int
    private let options: ParquetReadOptions
    private var reader: ColumnChunkReader
    private var source: ChunkSource
    /// Of the next page's header.
    private(set) var position: Int64
    private var index: LazyOffsetIndex
    /// After a jump nobody knows how many entries were passed over.
    private var hasJumped = false

    /// The entries of the page that was decoded last, and which of them are used up.
    private var page = LeafValues()
    private var entry = 0
    private var dense = 0
    /// Rows that begin on what is left of the page.
    private var startsLeft = 0
    /// Rows that were begun so far, and those to pass over before the next one that is wanted.
    private var row = 0
    private var skipped = 0

    init(
        _ file: ParquetFile, leaf number: Int, rowGroup: Int, _ options: ParquetReadOptions,
        span: FilePart?
    ) throws(ParquetFailure) {
        leaf = file.fileSchema.leaves[number]
        chunk = file.metadata.rowGroups[rowGroup].columns[number]
        try chunk.refuseObstacle(leaf)
        self.options = options
        rowCount = file.rowGroups[rowGroup].rowCount
        reader = ColumnChunkReader(leaf: leaf, chunk: chunk, isFlat: false, options: options)
        let range = chunk.valueCount == 0 ? 4..<4 : try file.range(of: chunk, leaf)
        try reader.checkCount(at: range.lowerBound)
        guard chunk.valueCount >= Int64(rowCount) else {
            throw .corrupt(
                "column \"\(leaf.path.joined(separator: "."))\" has \(chunk.valueCount) values, its"
                    + " row group has \(rowCount) rows", position: range.lowerBound)
        }
        source = ChunkSource(file, range, options, span: span)
        position = range.lowerBound
        index = LazyOffsetIndex(file, rowGroup: rowGroup, leaf: number)
    }

    mutating func skip(_ count: Int) { skipped += count }

    /// How many rows begin on what is left of the page; 0 only when rows begin on none.
    mutating func rowsAtHand() throws(ParquetFailure) -> Int {
        try passOver()
        while startsLeft == 0, !isAtEnd { try nextPage() }
        return startsLeft
    }

    /// The entries of the next `count` rows.
    mutating func take(_ count: Int) throws(ParquetFailure) -> LeafValues {
        try passOver()
        var result = LeafValues()
        var parts: [ColumnData] = []
        try pass(count) { page, entries, values in
            result.entryCount += entries.count
            if !page.repetitions.isEmpty { result.repetitions += page.repetitions[entries] }
            if !page.definitions.isEmpty { result.definitions += page.definitions[entries] }
            if let data = page.dense { parts.append(sliced(data, values)) }
            return result.entryCount
        }
        result.dense = joined(parts.filter { !isEmpty($0) }) ?? parts.first
        if row == rowCount, entry < page.entryCount || !hasJumped && !isAtEnd {
            throw .corrupt(
                "column \"\(leaf.path.joined(separator: "."))\" has more rows than its row group",
                position: position)
        }
        return result
    }

    private func isEmpty(_ data: ColumnData) -> Bool {
        Column(type: leaf.type, data: data).count == 0
    }

    /// Goes over `count` rows with all of their entries and shows them to `body`, which says how
    /// many entries it holds now.
    private mutating func pass(
        _ count: Int, _ body: (LeafValues, Range<Int>, Range<Int>) -> Int
    ) throws(ParquetFailure) {
        var left = count
        while true {
            if entry == page.entryCount {
                if left == 0, leaf.repetitionMax == 0 || isAtEnd { return }
                // The next page may go on with the row that was begun last.
                try nextPage()
                continue
            }
            let start = (entry, dense)
            advance(&left)
            if entry > start.0 {
                let held = body(page, start.0..<entry, start.1..<dense)
                guard held <= options.resultBytesMax / 16 else {
                    throw .tooLarge(
                        what: "size in memory of a batch", value: Int64(held) * 16,
                        limit: Int64(options.resultBytesMax))
                }
            }
            // What follows on the page begins another row.
            if entry < page.entryCount { return }
        }
    }

    /// Moves to the begin of the row behind `left` more ones, or to the end of the page.
    private mutating func advance(_ left: inout Int) {
        let end = page.entryCount
        let first = entry
        if leaf.repetitionMax == 0 {
            let taken = min(left, end - entry)
            entry += taken
            left -= taken
            row += taken
            startsLeft -= taken
        } else {
            page.repetitions.withUnsafeBufferPointer { repetitions in
                while entry < end {
                    if repetitions[entry] == 0 {
                        if left == 0 { break }
                        left -= 1
                        row += 1
                        startsLeft -= 1
                    }
                    entry += 1
                }
            }
        }
        if page.definitions.isEmpty {
            dense += entry - first
        } else {
            let full = UInt8(truncatingIfNeeded: leaf.definitionMax)
            page.definitions.withUnsafeBufferPointer { definitions in
                for place in first..<entry { dense += definitions[place] == full ? 1 : 0 }
            }
        }
    }

    private mutating func passOver() throws(ParquetFailure) {
        guard skipped > 0 else { return }
        try jump()
        let count = skipped
        skipped = 0
        if count > 0 { try pass(count) { _, _, _ in 0 } }
    }

    private var isAtEnd: Bool {
        hasJumped ? position >= source.range.upperBound : reader.nextRow >= Int(chunk.valueCount)
    }

    private mutating func nextPage() throws(ParquetFailure) {
        page = LeafValues()
        entry = 0
        dense = 0
        startsLeft = 0
        while !isAtEnd {
            let stored = try source.page(at: position)
            position += Int64(stored.byteCount)
            let count = stored.header.kind.entryCount
            // A few bytes of run lengths can stand for millions of values of 16 bytes each.
            guard Int64(count ?? 0) * 16 <= Int64(options.resultBytesMax) else {
                throw .tooLarge(
                    what: "size in memory of a page", value: Int64(count ?? 0) * 16,
                    limit: Int64(options.resultBytesMax))
            }
            try reader.use(stored)
            guard let count, count > 0 else { continue }
            page = reader.takeRows()
            startsLeft =
                leaf.repetitionMax == 0
                ? page.entryCount : page.repetitions.reduce(0) { $0 + ($1 == 0 ? 1 : 0) }
            return
        }
        throw .corrupt(
            "column \"\(leaf.path.joined(separator: "."))\" has too few rows", position: position)
    }

    /// Goes to the page of the next wanted row when the index knows it and it is further on than
    /// the next page. Pages that are listed in an index begin with a new row.
    private mutating func jump() throws(ParquetFailure) {
        let wanted = row + skipped
        guard
            let target = try index.jump(
                toRow: wanted, from: row, at: &position,
                isAtStart: reader.nextRow == 0 && !hasJumped, hasRowPerEntry: false, &source,
                &reader)
        else { return }
        hasJumped = true
        skipped = wanted - target.rows.lowerBound
        row = target.rows.lowerBound
        try nextPage()
        guard startsLeft == target.rows.count, page.repetitions.first ?? 0 == 0 else {
            throw .corrupt(
                "a page of \(startsLeft) rows, the offset index says \(target.rows.count)",
                position: target.position)
        }
    }
}
