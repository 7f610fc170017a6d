import Base
import Columns
import SQL

/// Hash join: the right input is kept in memory, the left one streams by. Pairs come out a batch at
/// a time, however many partners a row has.
///
/// A right input that does not fit is divided by the hash of its keys, and so is the left one; then
/// the parts are joined one after the other, each by an operator of its own.
final class JoinOperator: BatchOperator {
    private let left: any BatchOperator
    private let right: any BatchOperator
    private let node: JoinNode
    private let leftKeys: [CompiledExpression]
    private let rightKeys: [CompiledExpression]
    private let residual: CompiledExpression?
    private let memory: MemoryShare
    private let context: QueryContext
    private let leftTypes: [ColumnType]
    private let rightTypes: [ColumnType]
    /// How many divisions this operator's inputs have gone through.
    private let level: Int

    private var hasBegun = false
    /// What the parts of both inputs give, when they were divided.
    private var parts: (any BatchOperator)?
    /// The right input, once read.
    private var build: Build?
    /// The left batch at work.
    private var probe: Probe?
    private var isLeftDone = false
    private var cutter = BatchCutter()
    private var unmatchedGiven = false

    /// The rows of the right input, chained by key.
    private final class Build {
        let rows: ColumnBatch
        let table: KeyTable?
        /// The first right row of each group, and the next one of the same group; -1 ends.
        let first: [Int32]
        let next: [Int32]
        /// Right rows that found a partner, when that matters.
        var matched: [UInt8]

        init(
            rows: ColumnBatch, table: KeyTable?, first: [Int32], next: [Int32], matched: [UInt8]
        ) {
            self.rows = rows
            self.table = table
            self.first = first
            self.next = next
            self.matched = matched
        }
    }

    /// A left batch and how far its pairs have been given.
    private final class Probe {
        let batch: ColumnBatch
        /// The first right row for each left row; -1 for none.
        let first: [Int32]
        var row = 0
        /// The next right row to pair with `row`.
        var candidate: Int32
        var matched: [UInt8]

        init(batch: ColumnBatch, first: [Int32]) {
            self.batch = batch
            self.first = first
            candidate = first.first ?? -1
            matched = [UInt8](repeating: 0, count: batch.rowCount)
        }
    }

    init(
        _ left: any BatchOperator, _ right: any BatchOperator, _ node: JoinNode,
        _ context: QueryContext, level: Int = 0
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 equalities in a join condition")
        }
        self.left = left
        self.right = right
        self.node = node
        self.context = context
        leftKeys = node.keys.map { CompiledExpression($0.left) }
        rightKeys = node.keys.map { CompiledExpression($0.right) }
        residual = node.residual.map { CompiledExpression($0) }
        memory = MemoryShare(context.memory, for: "joining", canSpill: context.scratch != nil)
        leftTypes = node.left.schema.fields.map(\.type)
        rightTypes = node.right.schema.fields.map(\.type)
        self.level = level
    }

    private var keepsLeft: Bool { node.kind == .left || node.kind == .full || node.kind == .single }
    private var keepsRight: Bool { node.kind == .right || node.kind == .full }

    func next() throws(Problem) -> ColumnBatch? {
        if !hasBegun {
            hasBegun = true
            build = try readRight()
        }
        if let parts { return try parts.next() }
        while let build {
            try context.checkCancellation()
            if let batch = cutter.next() { return batch }
            if probe == nil, !isLeftDone { try advance(build) }
            if probe != nil {
                if let pairs = try nextPairs() { return pairs }
                if let rest = finishProbe() { cutter.put(rest) }
                continue
            }
            if keepsRight, !unmatchedGiven {
                unmatchedGiven = true
                cutter.put(unmatchedRight(build))
                continue
            }
            self.build = nil
            memory.end()
        }
        return nil
    }

    // MARK: Building

    /// The keys of a batch of the right input.
    private struct Keys {
        var columns: [Column]
        var joinable: Validity?
        var count: Int
    }

    /// What a row of the right input takes besides its columns: its place in a chain and a byte to
    /// mark it.
    private static let rowBytes = 9

    /// Reads the right input; nil when it did not fit and both inputs were divided.
    private func readRight() throws(Problem) -> Build? {
        let buffer = RowBuffer(types: rightTypes)
        var keys: [Keys] = []
        while let batch = try right.next() {
            try context.checkCancellation()
            guard buffer.count + batch.rowCount < Int(Int32.max) else {
                throw SQLErrors.outOfMemory("joining", limit: context.memory.limit)
            }
            let (columns, joinable) = try keyColumns(rightKeys, batch)
            buffer.append(batch)
            keys.append(Keys(columns: columns, joinable: joinable, count: batch.rowCount))
            // The table is built behind the last row, when their number is known.
            let table = node.keys.isEmpty ? 0 : KeyTable.slotBytes(buffer.count) / 2
            guard memory.fits(buffer.memoryBytes + buffer.count * Self.rowBytes + table) else {
                try divide(buffer, keys)
                return nil
            }
        }
        if node.keys.isEmpty {
            return Build(
                rows: buffer.batch(), table: nil, first: [], next: [], matched: marks(buffer.count))
        }
        let table = KeyTable(types: rightKeys.map(\.type))
        var first: [Int32] = []
        var next: [Int32] = []
        next.reserveCapacity(buffer.count)
        for number in keys.indices {
            try context.checkCancellation()
            // By what the first rows showed of repeated keys.
            let expected =
                number == 16
                ? Int(Double(table.count) / Double(next.count) * Double(buffer.count)) + 1 : 0
            let slots = max(
                table.memoryBytes + table.growthBytes(keys[number].count),
                KeyTable.slotBytes(expected))
            guard memory.fits(buffer.memoryBytes + buffer.count * Self.rowBytes + slots) else {
                try divide(buffer, keys)
                return nil
            }
            if expected > 0 { table.expect(expected) }
            chain(keys[number], table, &first, &next)
        }
        keys = []
        // Chains were built back to front; pairs shall come in the order of the rows.
        Self.reverse(&first, &next)
        return Build(
            rows: buffer.batch(), table: table, first: first, next: next,
            matched: marks(buffer.count))
    }

    private func marks(_ count: Int) -> [UInt8] {
        keepsRight ? [UInt8](repeating: 0, count: count) : []
    }

    /// Divides what was read of the right input, the rest of it, and the left one.
    private func divide(_ read: RowBuffer, _ keys: [Keys]) throws(Problem) {
        guard let scratch = context.scratch, !node.keys.isEmpty, !rightTypes.isEmpty else {
            throw SQLErrors.outOfMemory("joining", limit: context.memory.limit)
        }
        let rights = try SpilledPartitions(
            rightTypes, level: level, for: "joining", scratch, context)
        for (batch, keys) in zip(read.takeBatches(), keys) {
            try rights.append(batch, keys: keys.columns)
        }
        memory.end()
        while let batch = try right.next() {
            try rights.append(batch, keys: try keyColumns(rightKeys, batch).0)
        }
        try rights.finish()
        let lefts = try SpilledPartitions(leftTypes, level: level, for: "joining", scratch, context)
        while let batch = try left.next() {
            try lefts.append(batch, keys: try keyColumns(leftKeys, batch).0)
        }
        try lefts.finish()
        parts = SpilledPartitions.inTurn { [node, context, level] (part) throws(Problem) in
            let (left, right) = (lefts.rowCount(ofPart: part), rights.rowCount(ofPart: part))
            guard Self.mayGiveRows(node.kind, left: left, right: right) else { return nil }
            return try JoinOperator(
                lefts.reader(ofPart: part), rights.reader(ofPart: part), node, context,
                level: level + 1)
        }
    }

    /// Whether joining so many rows of both sides may give any.
    private static func mayGiveRows(_ kind: JoinKind, left: Int, right: Int) -> Bool {
        switch kind {
        case .inner, .cross, .semi: left > 0 && right > 0
        case .left, .anti, .single: left > 0
        case .right: right > 0
        case .full: left > 0 || right > 0
        }
    }

    private func chain(
        _ keys: Keys, _ table: KeyTable, _ first: inout [Int32], _ next: inout [Int32]
    ) {
        let groups = table.insert(keys.columns, count: keys.count)
        let base = next.count
        first.grow(to: table.count, -1)
        for row in 0..<keys.count {
            guard keys.joinable?[row] ?? true else {
                next.append(-1)
                continue
            }
            let group = Int(groups[row])
            next.append(first[group])
            first[group] = Int32(base + row)
        }
    }

    private static func reverse(_ first: inout [Int32], _ next: inout [Int32]) {
        for group in first.indices {
            var previous: Int32 = -1
            var row = first[group]
            while row >= 0 {
                let following = next[Int(row)]
                next[Int(row)] = previous
                previous = row
                row = following
            }
            first[group] = previous
        }
    }

    /// The keys of a batch, and the rows whose keys can match: NULL matches nothing unless the key
    /// says so.
    private func keyColumns(
        _ keys: [CompiledExpression], _ batch: ColumnBatch
    ) throws(Problem) -> ([Column], Validity?) {
        var columns: [Column] = []
        var joinable: Validity?
        for (index, key) in keys.enumerated() {
            let column = try key.column(batch, context)
            if !node.keys[index].nullsMatch {
                joinable = Validity.intersection(joinable, column.fullValidity)
            }
            columns.append(column)
        }
        return (columns, joinable)
    }

    // MARK: Probing

    private func advance(_ build: Build) throws(Problem) {
        guard let batch = try left.next() else {
            isLeftDone = true
            return
        }
        var first: [Int32]
        if let table = build.table {
            let (columns, joinable) = try keyColumns(leftKeys, batch)
            first = table.find(columns, count: batch.rowCount)
            for row in 0..<batch.rowCount {
                let isJoinable = first[row] >= 0 && joinable?[row] ?? true
                first[row] = isJoinable ? build.first[Int(first[row])] : -1
            }
        } else {
            // Without keys every right row is a candidate.
            first = [Int32](repeating: build.rows.rowCount > 0 ? 0 : -1, count: batch.rowCount)
        }
        probe = Probe(batch: batch, first: first)
    }

    /// The right row behind `row` for the same left row.
    @inline(__always)
    private func following(_ row: Int32, _ build: Build) -> Int32 {
        if build.table != nil { return build.next[Int(row)] }
        return Int(row) + 1 < build.rows.rowCount ? row + 1 : -1
    }

    /// Up to a batch of joined rows; nil when the left batch is through.
    private func nextPairs() throws(Problem) -> ColumnBatch? {
        while let (leftRows, rightRows) = candidates() {
            try context.checkCancellation()
            guard let probe, let build else { return nil }
            var joined: ColumnBatch?
            var picked = (leftRows, rightRows)
            if let residual {
                let pairs = pair(probe.batch, leftRows, build.rows, rightRows)
                let rows = try residual.selectedRows(pairs, context)
                picked = (rows.map { leftRows[Int($0)] }, rows.map { rightRows[Int($0)] })
                joined = rows.count == pairs.rowCount ? pairs : pairs.gather(rows)
            }
            if picked.0.isEmpty { continue }
            if node.kind == .single { try checkSingle(picked.0) }
            mark(picked.0, picked.1)
            if node.kind == .semi || node.kind == .anti { continue }
            return joined ?? pair(probe.batch, leftRows, build.rows, rightRows)
        }
        return nil
    }

    /// The next pairs that may match, at most a batch of them; nil when there are none left.
    private func candidates() -> ([Int32], [Int32])? {
        guard let current = probe, let build else { return nil }
        var leftRows: [Int32] = []
        var rightRows: [Int32] = []
        // One match is enough for a semi join without further condition.
        let firstOnly = (node.kind == .semi || node.kind == .anti) && residual == nil
        while current.row < current.batch.rowCount, leftRows.count < Limits.batchRows {
            if current.candidate >= 0 {
                leftRows.append(Int32(current.row))
                rightRows.append(current.candidate)
                current.candidate =
                    firstOnly ? -1 : following(current.candidate, build)
            }
            if current.candidate < 0 {
                current.row += 1
                if current.row < current.batch.rowCount {
                    current.candidate = current.first[current.row]
                }
            }
        }
        return leftRows.isEmpty ? nil : (leftRows, rightRows)
    }

    /// No left row may have a second partner.
    private func checkSingle(_ leftRows: [Int32]) throws(Problem) {
        var last: Int32 = -1
        for row in leftRows {
            if row == last || probe?.matched[Int(row)] == 1 { throw SQLErrors.severalRows }
            last = row
        }
    }

    private func pair(
        _ left: ColumnBatch, _ leftRows: [Int32], _ right: ColumnBatch, _ rightRows: [Int32]
    ) -> ColumnBatch {
        ColumnBatch(
            columns: left.columns.map { $0.gather(leftRows) }
                + right.columns.map { $0.gather(rightRows) },
            rowCount: leftRows.count)
    }

    private func mark(_ leftRows: [Int32], _ rightRows: [Int32]) {
        for row in leftRows { probe?.matched[Int(row)] = 1 }
        if keepsRight { for row in rightRows { build?.matched[Int(row)] = 1 } }
    }

    /// What remains to be said about the left batch: rows without a partner, or, in semi and anti
    /// joins, the rows themselves.
    private func finishProbe() -> ColumnBatch? {
        guard let current = probe else { return nil }
        probe = nil
        let wanted: UInt8
        switch node.kind {
        case .semi: wanted = 1
        case .anti, .left, .full, .single: wanted = 0
        case .inner, .right, .cross: return nil
        }
        var rows: [Int32] = []
        for row in 0..<current.batch.rowCount where current.matched[row] == wanted {
            rows.append(Int32(row))
        }
        if rows.isEmpty { return nil }
        let kept = current.batch.gather(rows)
        guard keepsLeft else { return kept }
        let nulls = node.right.schema.fields.map {
            Column($0.type, repeating: .null, count: rows.count)
        }
        return ColumnBatch(columns: kept.columns + nulls, rowCount: rows.count)
    }

    private func unmatchedRight(_ build: Build) -> ColumnBatch {
        var rows: [Int32] = []
        for row in 0..<build.rows.rowCount where build.matched[row] == 0 {
            rows.append(Int32(row))
        }
        let nulls = leftTypes.map { Column($0, repeating: .null, count: rows.count) }
        return ColumnBatch(
            columns: nulls + build.rows.gather(rows).columns, rowCount: rows.count)
    }
}
