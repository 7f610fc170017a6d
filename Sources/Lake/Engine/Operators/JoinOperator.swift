import Base
import Columns
import SQL

/// Hash join: one input is kept in memory, the right one unless the plan says otherwise, the other
/// streams by. Pairs come out a batch at a time, however many partners a row has.
///
/// An input that does not fit is divided by the hash of its keys, and so is the other one; then the
/// parts are joined one after the other, each by an operator of its own. Where one key has most rows,
/// see `PieceJoin`.
final class JoinOperator: BatchOperator, EarlyReader {
    /// One input and its keys.
    private struct Side {
        let input: any BatchOperator
        let keys: [CompiledExpression]
        let types: [ColumnType]
    }

    private let node: JoinNode
    /// What is kept, and what streams by.
    private let kept: Side
    private let streamed: Side
    private let residual: CompiledExpression?
    private let memory: MemoryShare
    private let context: QueryContext
    /// How many divisions this operator's inputs have gone through.
    private let level: Int
    /// What scans below leave out once the kept keys are known.
    private let filter: KeyFilter?
    /// What has to happen before the kept input is read: its scans use what is known then.
    private let before: [any EarlyReader]

    private var hasBegun = false
    /// What the parts of both inputs give, when they were divided.
    private var parts: (any BatchOperator)?
    private var build: JoinBuild?
    private var probe: JoinProbe?
    private var isStreamDone = false
    private var cutter = BatchCutter()
    private var restGiven = false

    init(
        _ left: any BatchOperator, _ right: any BatchOperator, _ node: JoinNode,
        _ context: QueryContext, filter: KeyFilter? = nil,
        before: [any EarlyReader] = [], level: Int = 0
    ) throws(Problem) {
        guard node.keys.count <= 63 else {
            throw Problem("54000", "at most 63 equalities in a join condition")
        }
        self.node = node
        self.context = context
        self.filter = filter
        self.before = before
        let left = Side(
            input: left, keys: node.keys.map { CompiledExpression($0.left) },
            types: node.left.schema.fields.map(\.type))
        let right = Side(
            input: right, keys: node.keys.map { CompiledExpression($0.right) },
            types: node.right.schema.fields.map(\.type))
        (kept, streamed) = node.keepsLeft ? (left, right) : (right, left)
        residual = node.residual.map { CompiledExpression($0) }
        memory = MemoryShare(context.memory, for: "joining", canSpill: context.scratch != nil)
        self.level = level
    }

    /// One more that looks for partners among what `owner` keeps.
    private init(of owner: JoinOperator, _ rows: any BatchOperator, _ context: QueryContext) {
        let node = owner.node
        self.node = node
        self.context = context
        filter = nil
        before = []
        kept = owner.kept
        streamed = Side(
            input: rows,
            keys: node.keys.map { CompiledExpression(node.keepsLeft ? $0.right : $0.left) },
            types: owner.streamed.types)
        residual = node.residual.map { CompiledExpression($0) }
        memory = MemoryShare(context.memory, for: "joining")
        level = owner.level
        build = owner.build
        hasBegun = true
    }

    /// Whether what is kept does not change while partners are looked for.
    var canBeShared: Bool { !marksKept }
    /// Whether it is in memory. Known once it was read.
    var isShared: Bool { canBeShared && build != nil }

    /// An operator that joins `rows` with what this one keeps, on any thread.
    func prober(
        of rows: any BatchOperator, _ context: QueryContext
    ) throws(Problem) -> JoinOperator {
        precondition(isShared, "what is kept was read, and stays as it is")
        return JoinOperator(of: self, rows, context)
    }

    /// Nobody looks for partners any more.
    func endProbing() {
        build = nil
        memory.end()
    }

    /// Rows that stream by come out without a partner as well.
    private var padsStream: Bool {
        node.kind == .left || node.kind == .full || node.kind == .single
    }
    /// Kept rows come out without a partner as well.
    private var padsKept: Bool { node.kind == .right || node.kind == .full }
    /// The rows of one side come out once, if they have a partner, or if they have none.
    private var isHalf: Bool { node.kind == .semi || node.kind == .anti }
    private var marksKept: Bool { padsKept || node.keepsLeft }
    private var marksStream: Bool { padsStream || isHalf && !node.keepsLeft }

    /// Reads what is kept.
    func begin() throws(Problem) {
        guard !hasBegun else { return }
        hasBegun = true
        for reader in before { try reader.begin() }
        build = try readKept()
        if let table = build?.table { filter?.decide(table) }
    }

    func next() throws(Problem) -> ColumnBatch? {
        try begin()
        if let parts { return try parts.next() }
        while let build {
            try context.checkCancellation()
            if let batch = cutter.next() { return batch }
            if probe == nil, !isStreamDone {
                if let rows = try advance(build) { return rows }
            }
            if probe != nil {
                if let pairs = try nextPairs(build) { return pairs }
                if let rest = finishProbe() { cutter.put(rest) }
                continue
            }
            guard isStreamDone else { continue }
            if marksKept, !restGiven {
                restGiven = true
                cutter.put(rest(of: build))
                continue
            }
            self.build = nil
            memory.end()
        }
        return nil
    }

    // MARK: Building

    /// Reads the input that is kept; nil when it did not fit and both inputs were divided.
    private func readKept() throws(Problem) -> JoinBuild? {
        let buffer = RowBuffer(types: kept.types)
        var keys: [JoinKeys] = []
        while let batch = try kept.input.next() {
            try context.checkCancellation()
            guard buffer.count + batch.rowCount < Int(Int32.max) else {
                throw SQLErrors.outOfMemory("joining", limit: context.memory.limit)
            }
            keys.append(try self.keys(kept, batch))
            buffer.append(batch)
            // The table is built behind the last row, when their number is known.
            let table = node.keys.isEmpty ? 0 : KeyTable.slotBytes(buffer.count) / 2
            func fits() -> Bool {
                memory.fits(buffer.memoryBytes + buffer.count * JoinBuild.rowBytes + table)
            }
            guard fits() || buffer.compact() && fits() else {
                try divide(buffer, keys)
                return nil
            }
        }
        if node.keys.isEmpty { return JoinBuild(withoutKeys: buffer, marks: marksKept) }
        let build = try JoinBuild.make(
            buffer, keys, kept.keys.map(\.type), marks: marksKept, memory, context)
        if build == nil { try divide(buffer, keys) }
        return build
    }

    /// Divides what was read of the kept input, the rest of it, and the other one.
    private func divide(_ read: RowBuffer, _ keys: [JoinKeys]) throws(Problem) {
        guard let scratch = context.scratch, !node.keys.isEmpty, !kept.types.isEmpty else {
            throw SQLErrors.outOfMemory("joining", limit: context.memory.limit)
        }
        let keptParts = try SpilledPartitions(
            kept.types, level: level, for: "joining", scratch, context)
        for (batch, keys) in zip(read.takeBatches(), keys) {
            try keptParts.append(batch, keys: keys.columns)
        }
        memory.end()
        while let batch = try kept.input.next() {
            try keptParts.append(batch, keys: try self.keys(kept, batch).columns)
        }
        try keptParts.finish()
        let streamedParts = try SpilledPartitions(
            streamed.types, level: level, for: "joining", scratch, context)
        while let batch = try streamed.input.next() {
            try streamedParts.append(batch, keys: try self.keys(streamed, batch).columns)
        }
        try streamedParts.finish()
        let (lefts, rights) =
            node.keepsLeft ? (keptParts, streamedParts) : (streamedParts, keptParts)
        let keptCount = (0..<SpilledPartitions.count).reduce(0) {
            $0 + keptParts.rowCount(ofPart: $1)
        }
        parts = SpilledPartitions.inTurn { [node, context, level] (part) throws(Problem) in
            let (left, right) = (lefts.rowCount(ofPart: part), rights.rowCount(ofPart: part))
            guard Self.mayGiveRows(node.kind, left: left, right: right) else { return nil }
            // Most rows have one key: dividing them again would change nothing.
            if keptParts.rowCount(ofPart: part) > keptCount / 4 * 3, PieceJoin.suits(node) {
                return PieceJoin(
                    node, kept: keptParts.reader(ofPart: part),
                    streamed: { streamedParts.reader(ofPart: part) }, context)
            }
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

    private func keys(_ side: Side, _ batch: ColumnBatch) throws(Problem) -> JoinKeys {
        var keys = JoinKeys(columns: [], joinable: nil, count: batch.rowCount)
        for (index, key) in side.keys.enumerated() {
            let column = try key.column(batch, context)
            if !node.keys[index].nullsMatch {
                keys.joinable = Validity.intersection(keys.joinable, column.fullValidity)
            }
            keys.columns.append(column)
        }
        return keys
    }

    // MARK: Probing

    /// Takes the next batch that streams by. What is known of it without looking at pairs comes out.
    private func advance(_ build: JoinBuild) throws(Problem) -> ColumnBatch? {
        guard let batch = try streamed.input.next() else {
            isStreamDone = true
            return nil
        }
        let partners = build.firstPartners(of: try keys(streamed, batch))
        if isHalf, residual == nil {
            if node.keepsLeft {
                markAll(partners, build)
                return nil
            }
            let rows = JoinProbe.rows(partners, having: node.kind == .semi)
            return rows.isEmpty ? nil : batch.picked(rows)
        }
        probe = JoinProbe(batch, partners, marks: marksStream)
        return nil
    }

    /// Up to a batch of joined rows; nil when the batch that streams by is through.
    private func nextPairs(_ build: JoinBuild) throws(Problem) -> ColumnBatch? {
        while var pairs = probe?.next(build), let batch = probe?.batch {
            try context.checkCancellation()
            var joined: ColumnBatch?
            if isHalf, node.keepsLeft {
                // One partner is enough.
                let open = pairs.partners.indices.filter {
                    build.matched[Int(pairs.partners[$0])] == 0
                }
                if open.isEmpty { continue }
                pairs = pairs.picked(open.map { Int32($0) })
            }
            if let residual {
                let all = rows(batch, build, pairs)
                let places = try residual.selectedRows(all, context)
                pairs = pairs.picked(places)
                joined = all.picked(places)
            }
            if pairs.count == 0 { continue }
            if node.kind == .single { try checkSingle(pairs.rows) }
            if marksStream { for row in pairs.rows { probe?.matched[Int(row)] = 1 } }
            if marksKept { for row in pairs.partners { build.matched[Int(row)] = 1 } }
            if isHalf { continue }
            return joined ?? rows(batch, build, pairs)
        }
        return nil
    }

    /// The rows of pairs: left columns, then right ones.
    private func rows(
        _ batch: ColumnBatch, _ build: JoinBuild, _ pairs: JoinProbe.Pairs
    ) -> ColumnBatch {
        let isAll = pairs.count == batch.rowCount && build.isUnique
        let streaming = isAll ? batch.columns : batch.columns.map { $0.gather(pairs.rows) }
        let partners = build.rows.columns.map { $0.gather(pairs.partners) }
        return ColumnBatch(
            columns: node.keepsLeft ? partners + streaming : streaming + partners,
            rowCount: pairs.count)
    }

    /// Marks all rows of the chains that begin at `partners`.
    private func markAll(_ partners: [Int32], _ build: JoinBuild) {
        build.matched.withUnsafeMutableBufferPointer { matched in
            build.withChains { following in
                for partner in partners {
                    var row = partner
                    // Who is marked was marked with its whole chain.
                    while row >= 0, matched[Int(row)] == 0 {
                        matched[Int(row)] = 1
                        row = following(row)
                    }
                }
            }
        }
    }

    /// No row may have a second partner.
    private func checkSingle(_ rows: [Int32]) throws(Problem) {
        var last: Int32 = -1
        for row in rows {
            if row == last || probe?.matched[Int(row)] == 1 { throw SQLErrors.severalRows }
            last = row
        }
    }

    /// What remains to be said about a batch that has streamed by: rows without a partner, or, in
    /// semi and anti joins, the rows themselves.
    private func finishProbe() -> ColumnBatch? {
        guard let current = probe else { return nil }
        probe = nil
        guard marksStream else { return nil }
        let rows = places(of: node.kind == .semi ? 1 : 0, in: current.matched)
        if rows.isEmpty { return nil }
        let found = current.batch.picked(rows)
        guard padsStream else { return found }
        let nulls = kept.types.map { Column($0, repeating: .null, count: rows.count) }
        return ColumnBatch(columns: found.columns + nulls, rowCount: rows.count)
    }

    /// What remains to be said about the rows that were kept.
    private func rest(of build: JoinBuild) -> ColumnBatch {
        let rows = places(of: node.kind == .semi ? 1 : 0, in: build.matched)
        let found = build.rows.gather(rows)
        guard padsKept else { return found }
        let nulls = streamed.types.map { Column($0, repeating: .null, count: rows.count) }
        return ColumnBatch(columns: nulls + found.columns, rowCount: rows.count)
    }
}
