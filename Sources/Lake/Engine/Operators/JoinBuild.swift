import Base
import Columns

/// The keys of some rows of one side of a join.
struct JoinKeys {
    var columns: [Column]
    /// The rows whose keys can match; nil stands for all. NULL matches nothing unless the key says so.
    var joinable: Validity?
    var count: Int
}

/// The side of a join that is kept in memory: its rows, chained by key.
final class JoinBuild {
    /// What a row takes besides its columns: its place in a chain and a byte to mark it.
    static let rowBytes = 9

    let rows: ColumnBatch
    /// nil for a join without keys, in which every row is a partner.
    let table: KeyTable?
    /// All keys differ, so that the number of a key's group is that of its row.
    let isUnique: Bool
    /// The first row of each group, and the next one of the same group; -1 ends. Empty when all keys
    /// differ.
    private let first: [Int32]
    private let next: [Int32]
    /// Rows that found a partner, when that matters.
    var matched: [UInt8]

    private init(
        rows: ColumnBatch, table: KeyTable?, isUnique: Bool, first: [Int32], next: [Int32],
        marks: Bool
    ) {
        self.rows = rows
        self.table = table
        self.isUnique = isUnique
        self.first = first
        self.next = next
        matched = marks ? [UInt8](repeating: 0, count: rows.rowCount) : []
    }

    /// The rows of `buffer` as partners of every row.
    convenience init(withoutKeys buffer: RowBuffer, marks: Bool) {
        self.init(
            rows: buffer.batch(), table: nil, isUnique: false, first: [], next: [], marks: marks)
    }

    /// The rows of `buffer`, whose keys are `keys`; nil when they do not fit into `memory`.
    static func make(
        _ buffer: RowBuffer, _ keys: [JoinKeys], _ types: [ColumnType], marks: Bool,
        _ memory: MemoryShare, _ context: QueryContext
    ) throws(Problem) -> JoinBuild? {
        let table = KeyTable(types: types, directBytesMax: context.memory.limit / 8)
        let held = buffer.memoryBytes + buffer.count * Self.rowBytes
        if let range = Self.range(of: keys, types) { table.expect(buffer.count, in: range) }
        var chains = Chains(capacity: buffer.count)
        for number in keys.indices {
            try context.checkCancellation()
            // By what the first rows showed of repeated keys.
            let expected =
                number == 16
                ? Int(Double(table.count) / Double(chains.count) * Double(buffer.count)) + 1 : 0
            let slots = max(
                table.memoryBytes + table.growthBytes(keys[number].count),
                KeyTable.slotBytes(expected))
            guard memory.fits(held + slots) else { return nil }
            if expected > 0 { table.expect(expected) }
            chains.add(keys[number], table)
        }
        let isUnique = table.count == buffer.count
        if !isUnique { try chains.reverse(context) }
        try context.checkCancellation()
        let rows = buffer.batch()
        return JoinBuild(
            rows: ColumnBatch(columns: rows.columns.map(\.coded), rowCount: rows.rowCount),
            table: table, isUnique: isUnique,
            first: isUnique ? [] : chains.first, next: isUnique ? [] : chains.next, marks: marks)
    }

    /// The least and the greatest key, of keys that are one whole number.
    private static func range(
        of keys: [JoinKeys], _ types: [ColumnType]
    ) -> ClosedRange<Int64>? {
        guard DirectKeys.suits(types) else { return nil }
        var all: ClosedRange<Int64>?
        for part in keys {
            guard let range = DirectKeys.range(part.columns[0]) else { continue }
            all =
                all.map {
                    min($0.lowerBound, range.lowerBound)...max($0.upperBound, range.upperBound)
                }
                ?? range
        }
        return all
    }

    /// The first partner of each row that has `keys`; -1 for none.
    func firstPartners(of keys: JoinKeys) -> [Int32] {
        guard let table else {
            // Without keys every row is a partner.
            return [Int32](repeating: rows.rowCount > 0 ? 0 : -1, count: keys.count)
        }
        var partners = table.find(keys.columns, count: keys.count)
        if !isUnique {
            partners.withUnsafeMutableBufferPointer { partners in
                first.withUnsafeBufferPointer { first in
                    for row in partners.indices where partners[row] >= 0 {
                        partners[row] = first[Int(partners[row])]
                    }
                }
            }
        }
        if let joinable = keys.joinable {
            for row in partners.indices where !joinable[row] { partners[row] = -1 }
        }
        return partners
    }

    /// Calls `body` with a function that gives the partner behind a row for the same keys.
    func withChains<Result>(_ body: ((Int32) -> Int32) -> Result) -> Result {
        if table == nil {
            let last = Int32(rows.rowCount - 1)
            return body { $0 < last ? $0 + 1 : -1 }
        }
        if isUnique { return body { _ in -1 } }
        return next.withUnsafeBufferPointer { next in body { next[Int($0)] } }
    }
}

extension Column {
    /// The column as codes of a dictionary when it has texts that repeat: they are copied many times, and
    /// what comes behind the join groups by them.
    fileprivate var coded: Column {
        let (distinctMax, trialRows) = (256, 1024)
        guard type == .text, count > 2 * distinctMax, case .text = data else { return self }
        let table = KeyTable(types: [.text])
        var codes: [Int32] = []
        var start = 0
        while start < count {
            let end = min(start + trialRows, count)
            codes += table.insert([slice(start..<end)], count: end - start)
            if table.count > distinctMax { return self }
            start = end
        }
        let values = table.columns(0..<table.count)[0]
        guard case .text(let texts) = values.data else { return self }
        return Column(
            type: type, data: .dictionary(codes: codes, values: texts), validity: validity)
    }
}

/// Rows with the same key, one behind the other.
private struct Chains {
    private(set) var first: [Int32] = []
    private(set) var next: [Int32] = []

    init(capacity: Int) { next.reserveCapacity(capacity) }

    var count: Int { next.count }

    mutating func add(_ keys: JoinKeys, _ table: KeyTable) {
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

    /// Chains were built back to front; pairs shall come in the order of the rows.
    mutating func reverse(_ context: QueryContext) throws(Problem) {
        for group in first.indices {
            try context.checkCancellation(inLoopAt: group)
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
}
