// Functions that make lists of lists, or compare two.

import Base
import Columns
import SQL

extension ListKernels {
    static func several(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) -> Column? {
        switch function {
        case .listConcat: concatenate(arguments[0], arguments[1], type: type, count: count)
        case .listPosition: position(arguments[0], arguments[1], count: count)
        case .listRemove: remove(arguments[0], arguments[1], type: type, count: count)
        case .listSlice:
            slice(arguments[0], arguments[1], arguments[2], type: type, count: count)
        case .listOverlaps, .listContainsAll:
            compare(
                arguments[0], arguments[1], wantsAll: function == .listContainsAll, count: count)
        default: nil
        }
    }

    /// Where the elements of a row are; nil for NULL.
    private static func range(_ list: Vector, _ row: Int) -> Range<Int>? {
        guard !list.isNull(row), case .list(let offsets, _) = list.column.data else { return nil }
        let at = list.isConstant ? 0 : row
        return Int(offsets[at])..<Int(offsets[at + 1])
    }

    /// The elements of all rows; NULL columns have none.
    private static func elements(_ list: Vector, _ type: ColumnType) -> Column {
        if case .list(_, let elements) = list.column.data { return elements }
        guard case .list(let element) = type else { return Column(type, []) }
        return Column(element, [])
    }

    /// A list column of picked elements of `source`; nil rows are NULL.
    private static func gathered(
        _ source: Column, _ rows: [[Int32]?], type: ColumnType
    ) -> Column {
        var offsets: [Int32] = [0]
        var order: [Int32] = []
        for row in rows {
            order += row ?? []
            offsets.append(Int32(order.count))
        }
        return Column(
            type: type, data: .list(offsets: offsets, element: source.gather(order)),
            validity: Validity(rows.map { $0 != nil }))
    }

    /// `a || b`: a NULL side adds nothing, two of them are NULL.
    private static func concatenate(
        _ left: Vector, _ right: Vector, type: ColumnType, count: Int
    ) -> Column {
        let (first, second) = (elements(left, type), elements(right, type))
        let source = Column.concatenation([first, second])
        let rows = (0..<count).map { row -> [Int32]? in
            let (a, b) = (range(left, row), range(right, row))
            if a == nil, b == nil { return nil }
            var elements: [Int32] = []
            for element in a ?? 0..<0 { elements.append(Int32(element)) }
            for element in b ?? 0..<0 { elements.append(Int32(element + first.count)) }
            return elements
        }
        return gathered(source, rows, type: type)
    }

    /// The place of the first element that equals a value, NULL being equal to NULL.
    private static func position(_ list: Vector, _ value: Vector, count: Int) -> Column {
        let source = elements(list, list.type)
        let places = (0..<count).map { row -> Int32? in
            guard let range = range(list, row) else { return nil }
            let wanted = value.value(row)
            return range.firstIndex { isSame(source, $0, wanted) }
                .map { Int32($0 - range.lowerBound + 1) }
        }
        return Column(
            type: .int32, data: .int32(places.map { $0 ?? 0 }),
            validity: Validity(places.map { $0 != nil }))
    }

    private static func remove(
        _ list: Vector, _ value: Vector, type: ColumnType, count: Int
    ) -> Column {
        let source = elements(list, type)
        let rows = (0..<count).map { row -> [Int32]? in
            let wanted = value.value(row)
            return range(list, row)?.filter { !isSame(source, $0, wanted) }.map { Int32($0) }
        }
        return gathered(source, rows, type: type)
    }

    private static func isSame(_ source: Column, _ row: Int, _ value: Value) -> Bool {
        if source.isNull(row) { return value == .null }
        return value != .null && ValueOrder.compare(source.value(row), value) == 0
    }

    /// `list[from:to]`
    private static func slice(
        _ list: Vector, _ from: Vector, _ to: Vector, type: ColumnType, count: Int
    ) -> Column {
        let (first, last) = (from.wideIntegers, to.wideIntegers)
        let rows = (0..<count).map { row -> [Int32]? in
            guard let range = range(list, row), !from.isNull(row), !to.isNull(row) else {
                return nil
            }
            let low = max(1, first.at(row))
            let high = min(Int64(range.count), last.at(row))
            guard low <= high else { return [] }
            return (low...high).map { Int32(range.lowerBound + Int($0) - 1) }
        }
        return gathered(elements(list, type), rows, type: type)
    }

    /// `&&` and `@>`: NULL elements are equal to nothing.
    private static func compare(
        _ left: Vector, _ right: Vector, wantsAll: Bool, count: Int
    ) -> Column {
        let (a, b) = (elements(left, left.type), elements(right, right.type))
        var flags = [UInt8](repeating: 0, count: count)
        let valid = TextKernels.strictValidity([left, right], count: count)
        for row in ValidRows(valid, count) {
            guard let mine = range(left, row), let others = range(right, row) else { continue }
            func isMine(_ index: Int) -> Bool {
                guard !b.isNull(index) else { return false }
                let value = b.value(index)
                return mine.contains { isSame(a, $0, value) }
            }
            flags[row] =
                (wantsAll ? others.allSatisfy(isMine) : others.contains(where: isMine)) ? 1 : 0
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }
}
