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
        case flat(Int)
        case nested(Int)
    }

    private let conditions: [(source: Int, range: ValueRange)]
    private let tests: [(source: Int, test: any ColumnTest)]
    /// The sources of conditions and tests, in the order in which they are looked at.
    private let tested: [Int]
    private let sources: [Source]
    private var cursors: [ColumnCursor]
    private var nested: [NestedCursor]
    /// For each column that comes out its source.
    private let outputs: [Int]
    private let types: [ColumnType]
    private let batchRowsMax: Int
    private var ranges: [Range<Int>]
    private var rangeIndex = 0
    private var row = 0

    init(
        _ file: ParquetFile, rowGroup index: Int, columns names: [String]?,
        where conditions: [ColumnCondition], tests: [NamedTest], batchRowsMax: Int,
        _ options: ParquetReadOptions
    ) throws(ParquetFailure) {
        precondition(batchRowsMax > 0, "at least one row a batch")
        self.batchRowsMax = batchRowsMax
        ranges = try file.candidates(rowGroup: index, where: conditions).ranges
        var sources: [Source] = []
        var cursors: [ColumnCursor] = []
        var nested: [NestedCursor] = []
        let windowBytes = Int64(options.windowBytes)
        let options = Self.sharing(options, among: names?.count ?? file.schema.fields.count)
        var known: [String: Int] = [:]
        // A small row group of which all is wanted costs one request, not one for each column.
        var span: FilePart?
        if conditions.isEmpty, tests.isEmpty, !ranges.isEmpty {
            let shapes = file.fileSchema.columns.filter { names?.contains($0.name) ?? true }
            span = try file.commonSpan(shapes, rowGroup: index, bytesMax: windowBytes)
        }
        func source(_ name: String) throws(ParquetFailure) -> Int {
            if let known = known[name] { return known }
            guard let position = file.schema.index(of: name) else { throw .noSuchColumn(name) }
            let shape = file.fileSchema.columns[position]
            if shape.isFlat {
                cursors.append(try ColumnCursor(file, shape, rowGroup: index, options, span: span))
                sources.append(.flat(cursors.count - 1))
            } else {
                nested.append(try NestedCursor(file, shape, rowGroup: index, options, span: span))
                sources.append(.nested(nested.count - 1))
            }
            known[name] = sources.count - 1
            return sources.count - 1
        }
        var outputs: [Int] = []
        var types: [ColumnType] = []
        var ranged: [(source: Int, range: ValueRange)] = []
        var probed: [(source: Int, test: any ColumnTest)] = []
        let names = names ?? file.schema.fields.map(\.name)
        for name in names {
            guard let position = file.schema.index(of: name) else { throw .noSuchColumn(name) }
            types.append(file.schema.fields[position].type)
            if !ranges.isEmpty { outputs.append(try source(name)) }
        }
        for condition in conditions where !ranges.isEmpty {
            // Whoever tests a column looks at every value anyway.
            guard file.schema.index(of: condition.column) != nil,
                !tests.contains(where: { $0.column == condition.column })
            else { continue }
            ranged.append((try source(condition.column), condition.range))
        }
        for test in tests where !ranges.isEmpty {
            guard file.schema.index(of: test.column) != nil else { continue }
            probed.append((try source(test.column), test.test))
        }
        self.sources = sources
        self.cursors = cursors
        self.nested = nested
        self.outputs = outputs
        self.types = types
        self.conditions = ranged
        self.tests = probed
        var tested: [Int] = []
        for number in ranged.map(\.source) + probed.map(\.source)
        where !tested.contains(number) {
            tested.append(number)
        }
        self.tested = tested
    }

    /// Of many columns each reads fewer bytes at a time, so that their windows together stay small.
    private static func sharing(
        _ options: ParquetReadOptions, among columns: Int
    ) -> ParquetReadOptions {
        var options = options
        let share = (24 << 20) / max(columns, 1)
        options.windowBytes = min(options.windowBytes, max(share, 128 << 10))
        return options
    }

    /// Whether statistics and indexes have ruled out all rows.
    package var isRuledOut: Bool { ranges.isEmpty }

    /// The next rows, at least one and at most `batchRowsMax`; nil at the end.
    package mutating func next() throws(ParquetFailure) -> ParquetRows? {
        while rangeIndex < ranges.count {
            let range = ranges[rangeIndex]
            if row < range.lowerBound {
                skip(range.lowerBound - row, except: [])
                row = range.lowerBound
            }
            var count = min(batchRowsMax, range.upperBound - row)
            for (number, source) in sources.enumerated() {
                guard tested.isEmpty || tested.contains(number) else { continue }
                switch source {
                case .flat(let place): count = min(count, try cursors[place].rowsAtHand())
                case .nested(let place): count = min(count, try nested[place].rowsAtHand())
                }
            }
            let start = row
            var ready: [Int: Column] = [:]
            for number in tested { ready[number] = try take(number, count) }
            let places = matches(ready, count)
            row += count
            if row == range.upperBound { rangeIndex += 1 }
            if let places, places.isEmpty {
                skip(count, except: tested)
                continue
            }
            var columns: [Column] = []
            for number in outputs where ready[number] == nil {
                ready[number] = try take(number, count)
            }
            for number in outputs {
                guard let column = ready[number] else { continue }
                // A result of a few rows must not keep the pages that they were on.
                columns.append(places.map { column.gather($0).detachedIfSparse } ?? column)
            }
            let rows =
                places.map { RowRanges(start..<(start + count)).rows(at: $0) }
                ?? RowRanges(start..<(start + count))
            return ParquetRows(
                batch: ColumnBatch(columns: columns, rowCount: rows.count), rows: rows)
        }
        return nil
    }

    /// The rows among `count` that fulfil all conditions and tests; nil stands for all.
    private func matches(_ columns: [Int: Column], _ count: Int) -> [Int32]? {
        var result: [Int32]?
        func keep(_ places: [Int32]?) {
            guard let places, places.count < count else { return }
            guard let before = result else {
                result = places
                return
            }
            // Both ascend.
            var (mine, its) = (0, 0)
            var both: [Int32] = []
            while mine < before.count, its < places.count {
                let (left, right) = (before[mine], places[its])
                if left == right { both.append(left) }
                if left <= right { mine += 1 }
                if right <= left { its += 1 }
            }
            result = both
        }
        for condition in conditions {
            keep(columns[condition.source]?.rows(in: condition.range))
            if result?.isEmpty ?? false { return result }
        }
        for test in tests {
            guard let column = columns[test.source] else { continue }
            keep(test.test.rows(of: column))
            if result?.isEmpty ?? false { return result }
        }
        return result
    }

    private mutating func take(
        _ number: Int, _ count: Int
    ) throws(ParquetFailure) -> Column {
        switch sources[number] {
        case .flat(let place): return try cursors[place].take(count)
        case .nested(let place): return try nested[place].take(count)
        }
    }

    /// Passes over rows of all columns but those that were taken already.
    private mutating func skip(_ count: Int, except tested: [Int]) {
        for number in sources.indices where !tested.contains(number) {
            switch sources[number] {
            case .flat(let place): cursors[place].skip(count)
            case .nested(let place): nested[place].skip(count)
            }
        }
    }
}

extension ParquetFile {
    /// What columns of a row group take in the file, compressed.
    package func storedBytes(rowGroup index: Int, columns names: [String]) -> Int64 {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        var bytes: Int64 = 0
        for (leaf, chunk) in zip(fileSchema.leaves, metadata.rowGroups[index].columns)
        where leaf.path.first.map({ names.contains($0) }) ?? false {
            bytes = bytes &+ max(0, chunk.compressedBytes)
        }
        return bytes
    }

    /// The rows of a row group that fulfil all `conditions`, batch by batch: memory for a few pages
    /// of each column, whatever the row group's size. Conditions are those of `read`.
    package func batches(
        rowGroup index: Int, columns names: [String]? = nil,
        where conditions: [ColumnCondition] = [], tests: [NamedTest] = [],
        batchRowsMax: Int = 20_000
    ) throws(ParquetFailure) -> ParquetBatches {
        precondition(rowGroups.indices.contains(index), "row group out of range")
        return try ParquetBatches(
            self, rowGroup: index, columns: names, where: conditions, tests: tests,
            batchRowsMax: batchRowsMax, options)
    }
}
