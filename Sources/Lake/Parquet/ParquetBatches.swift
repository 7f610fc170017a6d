import Base
import Columns

/// The rows of a row group that fulfil conditions, batch by batch in their order.
///
/// Statistics, bloom filters and page indexes leave out what can't match. Of what is left some
/// thousand rows at a time are looked at: the columns of the conditions are decoded one after the
/// other as long as some row is left, and the pages of all other columns only where some row matched.
/// Rows are copied once, from their pages into the batch; dictionary codes of texts stay codes.
package struct ParquetBatches: Sendable {
    private enum Source: Sendable {
        case flat(Int)
        case nested(Int)
    }

    /// What the values of one column must be.
    private struct Check: Sendable {
        enum Kind: Sendable {
            case range(ValueRange)
            case test(any ColumnTest)
        }

        let source: Int
        let kind: Kind
        /// For each value of the column's dictionary whether it passes, once that was needed; no
        /// element when it cannot be told.
        var flags: [Bool]?
        /// Rows that were looked at, and those of them that passed.
        var seen = 0
        var passed = 0

        /// Who asks has to look at the rows still.
        var isIdle: Bool {
            guard case .test = kind else { return false }
            return seen >= ParquetBatches.trialRows && passed > seen / 4 * 3
        }
    }

    /// Rows that were looked at and are given piece by piece.
    private struct Window: Sendable {
        /// The place of the first row in the row group.
        let start: Int
        let count: Int
        /// For each source its rows, once they are needed.
        let pieces: [ColumnPiece?]
        /// The rows that passed, counted from `start`; nil stands for all.
        let places: [Int32]?
        var given = 0
    }

    /// Rows that are looked at together.
    private static let windowRows = 20_000
    /// After so many rows a test that lets most of them pass is not worth its time.
    private static let trialRows = 30_000

    private var checks: [Check]
    private let sources: [Source]
    private var cursors: [ColumnCursor]
    private var nested: [NestedCursor]
    /// For each column that comes out its source.
    private let outputs: [Int]
    private let batchRowsMax: Int
    private var ranges: [Range<Int>]
    private var rangeIndex = 0
    private var row = 0
    private var window: Window?

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
        var checks: [Check] = []
        let names = names ?? file.schema.fields.map(\.name)
        for name in names {
            guard file.schema.index(of: name) != nil else { throw .noSuchColumn(name) }
            if !ranges.isEmpty { outputs.append(try source(name)) }
        }
        for condition in conditions where !ranges.isEmpty {
            // Whoever tests a column looks at every value anyway.
            guard file.schema.index(of: condition.column) != nil,
                !tests.contains(where: { $0.column == condition.column })
            else { continue }
            checks.append(
                Check(source: try source(condition.column), kind: .range(condition.range)))
        }
        for test in tests where !ranges.isEmpty {
            guard file.schema.index(of: test.column) != nil else { continue }
            checks.append(Check(source: try source(test.column), kind: .test(test.test)))
        }
        self.sources = sources
        self.cursors = cursors
        self.nested = nested
        self.outputs = outputs
        self.checks = checks
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
        while true {
            if let rows = nextOfWindow() { return rows }
            guard let range = nextRange() else { return nil }
            if row < range.lowerBound {
                skip(range.lowerBound - row)
                row = range.lowerBound
            }
            window = try look(at: range)
        }
    }

    /// The range that has rows still.
    private mutating func nextRange() -> Range<Int>? {
        while rangeIndex < ranges.count {
            if row < ranges[rangeIndex].upperBound { return ranges[rangeIndex] }
            rangeIndex += 1
        }
        return nil
    }

    /// The next batch of the rows that passed.
    private mutating func nextOfWindow() -> ParquetRows? {
        guard let current = window else { return nil }
        let total = current.places?.count ?? current.count
        let part = current.given..<min(current.given + batchRowsMax, total)
        if part.upperBound == total { window = nil } else { window?.given = part.upperBound }
        guard !part.isEmpty else { return nil }
        let picked = current.places.map { $0[part] }
        var columns: [Column] = []
        for number in outputs {
            guard let piece = current.pieces[number] else { continue }
            // A result of a few rows must not keep the pages that they were on.
            columns.append(
                picked.map { piece.column(at: $0).detachedIfSparse } ?? piece.column(part))
        }
        let places =
            picked.map { RowPlaces.picked($0, start: current.start) }
            ?? RowPlaces((current.start + part.lowerBound)..<(current.start + part.upperBound))
        return ParquetRows(
            batch: ColumnBatch(columns: columns, rowCount: part.count), places: places)
    }

    /// Looks at the next rows of `range`; nil when none of them passes.
    private mutating func look(at range: Range<Int>) throws(ParquetFailure) -> Window? {
        let first = checks.first { !$0.isIdle }?.source
        var count = min(Self.windowRows, range.upperBound - row)
        for (number, source) in sources.enumerated() where number == first ?? number {
            switch source {
            case .flat(let place): count = min(count, try cursors[place].rowsAtHand())
            case .nested(let place): count = min(count, try nested[place].rowsAtHand())
            }
        }
        var pieces = [ColumnPiece?](repeating: nil, count: sources.count)
        var places: [Int32]?
        for number in checks.indices where places?.isEmpty != true && !checks[number].isIdle {
            let source = checks[number].source
            let piece: ColumnPiece
            if let known = pieces[source] {
                piece = known
            } else {
                piece = try take(source, count)
            }
            pieces[source] = piece
            places = pass(number, piece, among: places)
        }
        orderChecks()
        let start = row
        row += count
        if let places, places.isEmpty {
            skip(count, except: pieces)
            return nil
        }
        for number in outputs where pieces[number] == nil {
            pieces[number] = try take(number, count)
        }
        skip(count, except: pieces)
        let isAll = places?.count == count
        return Window(start: start, count: count, pieces: pieces, places: isAll ? nil : places)
    }

    /// The rows of `piece` that pass a check, of those `places` when there are such.
    private mutating func pass(
        _ number: Int, _ piece: ColumnPiece, among places: [Int32]?
    ) -> [Int32]? {
        let result: [Int32]?
        switch checks[number].kind {
        case .range(let range):
            result = Self.rows(in: range, piece, &checks[number].flags, among: places)
        case .test(let test):
            result = Self.rows(passing: test, piece, &checks[number].flags, among: places)
        }
        guard let result else { return places }
        checks[number].seen += places?.count ?? piece.range.count
        checks[number].passed += result.count
        return result
    }

    private static func rows(
        in range: ValueRange, _ piece: ColumnPiece, _ flags: inout [Bool]?, among places: [Int32]?
    ) -> [Int32]? {
        switch piece.page {
        case .values(let column):
            return ValueFilter(range, column.type).rows(
                of: column.data, column.validity, piece.range, among: places)
        case .coded(let codes, let dictionary, let validity):
            let filter = ValueFilter(range, dictionary.type)
            let known =
                flags ?? filter.flags(dictionary.data, count: dictionary.count) ?? []
            flags = known
            if known.isEmpty { return nil }
            return filter.rows(
                ofCodes: codes, known, validity, piece.range, among: places)
        }
    }

    private static func rows(
        passing test: any ColumnTest, _ piece: ColumnPiece, _ flags: inout [Bool]?,
        among places: [Int32]?
    ) -> [Int32]? {
        if case .coded(let codes, let dictionary, let validity) = piece.page,
            flags != nil || dictionary.count < codes.count
        {
            let known = flags ?? dictionary.flags(of: test)
            flags = known
            return Part(
                window: piece.range, among: places, validity: validity,
                acceptsNull: test.acceptsNull
            ).rows(codes, known)
        }
        guard let places else { return test.rows(of: piece.column(0..<piece.range.count)) }
        return test.rows(of: piece.column(at: places[...])).map { $0.map { places[Int($0)] } }
    }

    /// The checks that leave the fewest rows come first.
    private mutating func orderChecks() {
        guard checks.count > 1 else { return }
        func share(_ check: Check) -> Double {
            check.seen == 0 ? 1 : Double(check.passed) / Double(check.seen)
        }
        // Insertion keeps the order of equal ones, and costs nothing when nothing changes.
        for place in 1..<checks.count {
            var place = place
            while place > 0, share(checks[place]) < share(checks[place - 1]) {
                checks.swapAt(place, place - 1)
                place -= 1
            }
        }
    }

    private mutating func take(
        _ number: Int, _ count: Int
    ) throws(ParquetFailure) -> ColumnPiece {
        switch sources[number] {
        case .flat(let place): return try cursors[place].take(count)
        case .nested(let place): return ColumnPiece(try nested[place].take(count))
        }
    }

    /// Passes over rows of the columns of which nothing was taken.
    private mutating func skip(_ count: Int, except taken: [ColumnPiece?] = []) {
        for number in sources.indices where taken.isEmpty || taken[number] == nil {
            switch sources[number] {
            case .flat(let place): cursors[place].skip(count)
            case .nested(let place): nested[place].skip(count)
            }
        }
    }
}

extension Column {
    /// For each row whether it passes.
    fileprivate func flags(of test: any ColumnTest) -> [Bool] {
        guard let rows = test.rows(of: self) else { return [Bool](repeating: true, count: count) }
        var flags = [Bool](repeating: false, count: count)
        for row in rows { flags[Int(row)] = true }
        return flags
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
