// MIN and MAX, and the first and last value.

import Base
import Columns

/// MIN or MAX of a layout that compares as it is.
final class ExtremeAccumulator<T: Comparable>: Accumulator {
    /// Takes the values of a column into the best of each group.
    typealias Take = (Column, [Int32], _ best: inout [T], _ seen: inout SeenGroups) -> Void

    private let type: ColumnType
    private let zero: T
    private let take: Take
    private let data: ([T]) -> ColumnData
    private var best: [T] = []
    private var seen = SeenGroups()

    /// `take` calls `takeExtremes` where the layout is known, so that no value is compared by way of
    /// what only the compiler of generic code would know.
    init(
        _ type: ColumnType, _ zero: T, _ data: @escaping ([T]) -> ColumnData, _ take: @escaping Take
    ) {
        self.type = type
        self.zero = zero
        self.data = data
        self.take = take
    }

    func grow(to groups: Int) { seen.grow(to: groups) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        take(arguments[0], groups, &best, &seen)
    }

    func finish() throws(Problem) -> Column {
        best.grow(to: seen.count, zero)
        return Column(type: type, data: data(best), validity: seen.validity)
    }

    var memoryBytes: Int { best.heldCount * MemoryLayout<T>.stride + seen.count }
}

/// Takes `values`, those that are `valid`, into the best of their groups, for which room is made here
/// where the layout is known.
@inline(__always)
func takeExtremes<T: Comparable>(
    _ values: [T], _ valid: Validity?, _ groups: [Int32], wantsGreatest: Bool, _ best: inout [T],
    _ seen: inout SeenGroups
) {
    if let any = values.first { best.grow(to: seen.count, any) }
    seen.withFlags { seen in
        best.withUnsafeMutableBufferPointer { best in
            values.withUnsafeBufferPointer { values in
                for row in ValidRows(valid, groups.count) {
                    let group = Int(groups[row])
                    let value = values[row]
                    let isBetter = wantsGreatest ? value > best[group] : value < best[group]
                    if seen[group] == 0 || isBetter { best[group] = value }
                    seen[group] = 1
                }
            }
        }
    }
}

final class ExtremeTextAccumulator: Accumulator {
    private let type: ColumnType
    private let wantsGreatest: Bool
    private var best: [[UInt8]?] = []
    private var bytes = 0

    init(_ type: ColumnType, wantsGreatest: Bool) {
        self.type = type
        self.wantsGreatest = wantsGreatest
    }

    func grow(to groups: Int) { best.grow(to: groups, nil) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let column = arguments[0].flattened
        guard case .text(let texts) = column.data else { return }
        let valid = column.validity
        TextReader.with(texts) { reader in
            for row in ValidRows(valid, groups.count) {
                let group = Int(groups[row])
                let text = reader[row]
                guard let before = best[group] else {
                    best[group] = Array(text)
                    bytes += text.count + 32
                    continue
                }
                let order = before.withUnsafeBytes { compareBytes(text, $0) }
                if wantsGreatest ? order > 0 : order < 0 {
                    bytes += text.count - before.count
                    best[group] = Array(text)
                }
            }
        }
    }

    func finish() throws(Problem) -> Column {
        var sink = TextSink(capacity: best.count)
        for text in best { sink.append(text ?? []) }
        return Column(
            type: type, data: .text(sink.finish()),
            validity: Validity(best.map { $0 != nil }))
    }

    var memoryBytes: Int { best.heldCount * 8 + bytes }
}

/// MIN and MAX of rarer types, value by value.
final class ExtremeValueAccumulator: Accumulator {
    private let type: ColumnType
    private let wantsGreatest: Bool
    private var best: [Value] = []

    init(_ type: ColumnType, wantsGreatest: Bool) {
        self.type = type
        self.wantsGreatest = wantsGreatest
    }

    func grow(to groups: Int) { best.grow(to: groups, .null) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let column = arguments[0]
        for (row, group) in groups.enumerated() where !column.isNull(row) {
            let value = column.value(row)
            let before = best[Int(group)]
            if !before.isNull {
                let order = ValueOrder.compare(value, before)
                if wantsGreatest ? order <= 0 : order >= 0 { continue }
            }
            best[Int(group)] = value
        }
    }

    func finish() throws(Problem) -> Column { Column(type, best) }

    var memoryBytes: Int { best.heldCount * 96 }
}

/// The first or the last value that arrives, NULLs included unless they are skipped.
final class EdgeAccumulator: Accumulator {
    private let type: ColumnType
    private let keepsFirst: Bool
    private let skipsNulls: Bool
    private var values: [Value] = []
    private var seen = SeenGroups()

    init(_ type: ColumnType, keepsFirst: Bool, skipsNulls: Bool = false) {
        self.type = type
        self.keepsFirst = keepsFirst
        self.skipsNulls = skipsNulls
    }

    func grow(to groups: Int) {
        values.grow(to: groups, .null)
        seen.grow(to: groups)
    }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        // Of several rows of one group in this batch only one matters.
        for (row, group) in groups.enumerated() {
            if keepsFirst, seen[Int(group)] { continue }
            if skipsNulls, arguments[0].isNull(row) { continue }
            seen.mark(Int(group))
            values[Int(group)] = arguments[0].value(row)
        }
    }

    func finish() throws(Problem) -> Column { Column(type, values) }

    var memoryBytes: Int { values.heldCount * 96 }
}
