import Base
import Columns
import SQL

/// Joins inputs most of whose rows have one key, so that dividing them by their keys leads nowhere: as
/// many kept rows as fit are joined at a time, and the other side streams by once for each piece.
final class PieceJoin: BatchOperator {
    private let node: JoinNode
    private let context: QueryContext
    private let kept: any BatchOperator
    private let keptTypes: [ColumnType]
    private let streamedTypes: [ColumnType]
    private let streamed: () -> any BatchOperator
    /// The rows that stream by and found no partner in the pieces so far, where that matters.
    private var unmatched: () -> any BatchOperator
    private var piece: [ColumnBatch] = []
    private var pending: ColumnBatch?
    private var operation: (any BatchOperator)?
    private var isDone = false

    /// Whether joins of this kind can be put together from those of pieces.
    static func suits(_ node: JoinNode) -> Bool { node.kind != .single && !node.keys.isEmpty }

    /// `streamed` gives the rows that stream by, from their first one each time. Both sides have the
    /// columns of the node's inputs.
    init(
        _ node: JoinNode, kept: any BatchOperator, streamed: @escaping () -> any BatchOperator,
        _ context: QueryContext
    ) {
        self.node = node
        self.context = context
        self.kept = kept
        self.streamed = streamed
        unmatched = streamed
        let left = node.left.schema.fields.map(\.type)
        let right = node.right.schema.fields.map(\.type)
        (keptTypes, streamedTypes) = node.keepsLeft ? (left, right) : (right, left)
    }

    /// What comes out at the end, behind all pieces, are rows of the side that streams by.
    private var needsUnmatched: Bool {
        switch node.kind {
        case .left, .full: true
        case .semi, .anti: !node.keepsLeft
        default: false
        }
    }

    func next() throws(Problem) -> ColumnBatch? {
        while true {
            try context.checkCancellation()
            if let operation {
                if let batch = try operation.next() { return batch }
                self.operation = nil
                if isDone { return nil }
                try endPiece()
            }
            guard !isDone else { return nil }
            piece = try nextPiece()
            if piece.isEmpty {
                isDone = true
                operation = rest()
            } else if node.kind == .anti, !node.keepsLeft {
                try endPiece()
            } else {
                operation = try join(
                    kindOfPiece, node.kind == .semi && !node.keepsLeft ? unmatched() : streamed())
            }
        }
    }

    /// What each piece gives by itself.
    private var kindOfPiece: JoinKind {
        switch node.kind {
        case .left: .inner
        case .full: .right
        default: node.kind
        }
    }

    private func join(
        _ kind: JoinKind, _ rows: any BatchOperator
    ) throws(Problem) -> any BatchOperator {
        var part = node
        part.kind = kind
        let held = BatchList(piece)
        return try JoinOperator(
            node.keepsLeft ? held : rows, node.keepsLeft ? rows : held, part, context,
            level: SpilledPartitions.levelMax)
    }

    /// Leaves those that found no partner in the piece for the next ones.
    private func endPiece() throws(Problem) {
        guard needsUnmatched, let scratch = context.scratch else { return }
        let others = try join(.anti, unmatched())
        let file = try SpillFile(streamedTypes, in: scratch, context.memory)
        while let batch = try others.next() { try file.append(batch) }
        unmatched = { SpilledReader(file) }
    }

    /// What remains to be said about rows that found no partner at all.
    private func rest() -> (any BatchOperator)? {
        switch node.kind {
        case .anti where !node.keepsLeft: return unmatched()
        case .left, .full: return PaddedOperator(unmatched(), keptTypes)
        default: return nil
        }
    }

    /// As many kept rows as fit: they are held twice while their join is made, with their places in
    /// a table.
    private func nextPiece() throws(Problem) -> [ColumnBatch] {
        piece = []
        let share = MemoryShare(context.memory, for: "joining")
        var room = context.memory.limit / 2
        while room > 0, !share.fits(room) { room /= 2 }
        share.end()
        var held = HeldBytes()
        var rows = 0
        var batches: [ColumnBatch] = []
        while true {
            var next = pending
            pending = nil
            if next == nil { next = try kept.next() }
            guard let batch = next else { break }
            try context.checkCancellation()
            held.add(batch.columns)
            rows += batch.rowCount
            if !batches.isEmpty, held.count + rows * 64 > room / 2 {
                pending = batch
                break
            }
            batches.append(batch)
        }
        return batches
    }
}

/// Rows of the left side of a join with NULLs in the place of the right one.
private final class PaddedOperator: BatchOperator {
    private let input: any BatchOperator
    private let types: [ColumnType]

    init(_ input: any BatchOperator, _ types: [ColumnType]) {
        self.input = input
        self.types = types
    }

    func next() throws(Problem) -> ColumnBatch? {
        guard let batch = try input.next() else { return nil }
        let nulls = types.map { Column($0, repeating: .null, count: batch.rowCount) }
        return ColumnBatch(columns: batch.columns + nulls, rowCount: batch.rowCount)
    }
}
