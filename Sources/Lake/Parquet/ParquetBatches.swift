import Base
import Columns

/// The rows of a row group that fulfil conditions, batch by batch in their order.
///
/// Statistics, bloom filters and page indexes leave out what can't match; of what is left the
/// columns of the conditions are decoded first, and the pages of all other columns only where some
/// row matched. A batch has rows of one page of each column as far as possible, so that dictionary
/// codes stay codes and little is copied.
package struct ParquetBatches: Sendable {
    private enum Source: Sendable {
        case cursor(Int)
        /// Columns with members or elements are decoded as a whole.
        case whole(Column)
    }

    private let conditions: [(source: Int, range: ValueRange)]
    private let sources: [Source]
    private var cursors: [ColumnCursor]
    /// For each column that comes out its source.
    private let outputs: [Int]
    private let types: [ColumnType]
    private let batchRowsMax: Int
    private var ranges: [Range<Int>]
    private var rangeIndex = 0
    private var row = 0

    init(
        _ file: ParquetFile, rowGroup index: Int, columns names: [String]?,
        where conditions: [ColumnCondition], batchRowsMax: Int, _ options: ParquetReadOptions
    ) throws(ParquetFailure) {
        precondition(batchRowsMax > 0, "at least one row a batch")
        self.batchRowsMax = batchRowsMax
        ranges = try file.candidates(rowGroup: index, where: conditions).ranges
        var sources: [Source] = []
        var cursors: [ColumnCursor] = []
        var known: [String: Int] = [:]
        func source(_ name: String) throws(ParquetFailure) -> Int {
            if let known = known[name] { return known }
            guard let position = file.schema.index(of: name) else { throw .noSuchColumn(name) }
            let shape = file.fileSchema.columns[position]
            if shape.isFlat {
                cursors.append(try ColumnCursor(file, shape, rowGroup: index, options))
                sources.append(.cursor(cursors.count - 1))
            } else {
                let whole = try file.read(rowGroup: index, columns: [name])
                sources.append(.whole(whole.columns[0]))
            }
            known[name] = sources.count - 1
            return sources.count - 1
        }
        var outputs: [Int] = []
        var types: [ColumnType] = []
        var tests: [(source: Int, range: ValueRange)] = []
        let names = names ?? file.schema.fields.map(\.name)
        for name in names {
            guard let position = file.schema.index(of: name) else { throw .noSuchColumn(name) }
            types.append(file.schema.fields[position].type)
            if !ranges.isEmpty { outputs.append(try source(name)) }
        }
        for condition in conditions where !ranges.isEmpty {
            guard file.schema.index(of: condition.column) != nil else { continue }
            tests.append((try source(condition.column), condition.range))
        }
        self.sources = sources
        self.cursors = cursors
        self.outputs = outputs
        self.types = types
        self.conditions = tests
    }

    /// The next rows, at least one and at most `batchRowsMax`; nil at the end.
    package mutating func next() throws(ParquetFailure) -> ParquetRows? {
        while rangeIndex < ranges.count {
            let range = ranges[rangeIndex]
            if row < range.lowerBound {
                skip(range.lowerBound - row, except: [])
                row = range.lowerBound
            }
            let tested = Set(conditions.map(\.source))
            var count = min(batchRowsMax, range.upperBound - row)
            for (number, source) in sources.enumerated() {
                guard tested.isEmpty || tested.contains(number), case .cursor(let place) = source
                else { continue }
                count = min(count, try cursors[place].rowsAtHand())
            }
            let start = row
            var ready: [Int: Column] = [:]
            for number in tested.sorted() { ready[number] = try take(number, start, count) }
            let places = matches(ready, count)
            row += count
            if row == range.upperBound { rangeIndex += 1 }
            if let places, places.isEmpty {
                skip(count, except: tested)
                continue
            }
            var columns: [Column] = []
            for number in outputs where ready[number] == nil {
                ready[number] = try take(number, start, count)
            }
            for number in outputs {
                guard let column = ready[number] else { continue }
                columns.append(places.map { column.gather($0) } ?? column)
            }
            let rows =
                places.map { RowRanges(start..<(start + count)).rows(at: $0) }
                ?? RowRanges(start..<(start + count))
            return ParquetRows(
                batch: ColumnBatch(columns: columns, rowCount: rows.count), rows: rows)
        }
        return nil
    }

    /// The rows among `count` that fulfil all conditions; nil stands for all.
    private func matches(_ columns: [Int: Column], _ count: Int) -> [Int32]? {
        var result: [Int32]?
        for condition in conditions {
            guard let places = columns[condition.source]?.rows(in: condition.range),
                places.count < count
            else { continue }
            if let before = result {
                let other = Set(places)
                result = before.filter { other.contains($0) }
            } else {
                result = places
            }
        }
        return result
    }

    private mutating func take(
        _ number: Int, _ start: Int, _ count: Int
    ) throws(ParquetFailure) -> Column {
        switch sources[number] {
        case .whole(let column): return column.slice(start..<(start + count))
        case .cursor(let place): return try cursors[place].take(count)
        }
    }

    /// Passes over rows of all columns but those that were taken already.
    private mutating func skip(_ count: Int, except tested: Set<Int>) {
        for number in sources.indices where !tested.contains(number) {
            if case .cursor(let place) = sources[number] { cursors[place].skip(count) }
        }
    }
}

extension ParquetFile {
    /// The rows of a row group that fulfil all `conditions`, batch by batch: memory for a few pages
    /// of each column, whatever the row group's size. Conditions are those of `read`.
    package func batches(
        rowGroup index: Int, columns names: [String]? = nil,
        where conditions: [ColumnCondition] = [],
        batchRowsMax: Int = 20_000
    ) throws(ParquetFailure) -> ParquetBatches {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        return try ParquetBatches(
            self, rowGroup: index, columns: names, where: conditions, batchRowsMax: batchRowsMax,
            options)
    }
}
