// Functions over lists, structures and maps.

import Base
import Columns

enum ListKernels {
    /// `ARRAY[a, b, …]`; elements may be NULL.
    static func make(_ arguments: [Vector], type: ColumnType, count: Int) -> Column {
        guard case .list(let element) = type else { preconditionFailure("a list is made") }
        let width = arguments.count
        let offsets = (0...count).map { Int32($0 * width) }
        if width == 0 {
            return Column(type: type, data: .list(offsets: offsets, element: Column(element, [])))
        }
        // The arguments one below the other, then row by row.
        let stacked = Column.concatenation(
            arguments.map { Vector.aligned($0, to: element, count: count) })
        var order: [Int32] = []
        order.reserveCapacity(count * width)
        for row in 0..<count {
            for argument in 0..<width { order.append(Int32(argument * count + row)) }
        }
        return Column(
            type: type, data: .list(offsets: offsets, element: stacked.gather(order)))
    }

    /// `list[n]`
    static func element(
        _ list: Vector, _ position: Vector, type: ColumnType, count: Int
    ) -> Column {
        guard case .list(let offsets, let elements) = list.column.data else {
            return Column.nulls(type, count: count)
        }
        let positions = position.wideIntegers
        let valid = TextKernels.strictValidity([list, position], count: count)
        return pick(elements, type, count) { row in
            guard valid?[row] ?? true else { return nil }
            let at = list.isConstant ? 0 : row
            let (start, end) = (Int(offsets[at]), Int(offsets[at + 1]))
            let wanted = positions.at(row)
            guard wanted >= 1, wanted <= Int64(end - start) else { return nil }
            return start + Int(wanted) - 1
        }
    }

    /// Rows of `source` by number; NULL where `row` gives nil.
    private static func pick(
        _ source: Column, _ type: ColumnType, _ count: Int, _ row: (Int) -> Int?
    ) -> Column {
        var rows: [Int32] = []
        var valid = Validity(repeating: false, count: count)
        rows.reserveCapacity(count)
        for index in 0..<count {
            if let found = row(index), !source.isNull(found) {
                rows.append(Int32(truncatingIfNeeded: found))
                valid.set(index, true)
            } else {
                rows.append(0)
            }
        }
        if source.count == 0 { return Column.nulls(type, count: count) }
        var picked = source.gather(rows)
        if case .null = picked.data { return Column.nulls(type, count: count) }
        picked.validity = valid
        return picked
    }

    static func length(_ list: Vector, count: Int) -> Column {
        let valid = list.validityFor(count)
        guard case .list(let offsets, _) = list.column.data else {
            return Column.nulls(.int32, count: count)
        }
        let values = (0..<count).map { offsets[$0 + 1] - offsets[$0] }
        // The length of an empty array is NULL in PostgreSQL's array_length; this is cardinality.
        return Column(type: .int32, data: .int32(values), validity: valid)
    }

    /// `value = ANY(list)`: NULL when not found among elements some of which are NULL. Among none
    /// there is nothing to compare with, so that even NULL is not found.
    static func contains(_ list: Vector, _ value: Vector, count: Int) -> Column {
        guard case .list(let offsets, let elements) = list.column.data else {
            return Column.nulls(.boolean, count: count)
        }
        var flags = [UInt8](repeating: 0, count: count)
        var valid = Validity(repeating: false, count: count)
        for row in ValidRows(list.validityFor(count), count) {
            let at = list.isConstant ? 0 : row
            if value.isNull(row) {
                if offsets[at] == offsets[at + 1] { valid.set(row, true) }
                continue
            }
            let wanted = value.value(row)
            var sawNull = false
            for index in Int(offsets[at])..<Int(offsets[at + 1]) {
                if elements.isNull(index) {
                    sawNull = true
                } else if ValueOrder.compare(elements.value(index), wanted) == 0 {
                    flags[row] = 1
                    break
                }
            }
            if flags[row] == 1 || !sawNull { valid.set(row, true) }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }

    /// `array_to_string(list, separator)`
    static func toText(
        _ list: Vector, _ separator: Vector, null: Vector? = nil, count: Int
    ) -> Column {
        let valid = TextKernels.strictValidity([list, separator], count: count)
        guard case .list(let offsets, let elements) = list.column.data else {
            return Column.nulls(.text, count: count)
        }
        var sink = TextSink(capacity: count)
        for row in 0..<count {
            guard valid?[row] ?? true, let between = separator.text(row) else {
                sink.appendEmpty()
                continue
            }
            let at = list.isConstant ? 0 : row
            var output: [UInt8] = []
            var isFirst = true
            let absent = null?.text(row)
            for index in Int(offsets[at])..<Int(offsets[at + 1]) {
                if elements.isNull(index), absent == nil { continue }
                if !isFirst { output += between.utf8 }
                isFirst = false
                if elements.isNull(index), let absent {
                    output += absent.utf8
                } else {
                    TextForm.append(elements, index, to: &output)
                }
            }
            sink.append(output)
        }
        return Column(type: .text, data: .text(sink.finish()), validity: valid)
    }

    /// `string_to_array(text, delimiter)`: an empty delimiter gives the whole text.
    static func fromText(
        _ text: Vector, _ delimiter: Vector, null: Vector? = nil, type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        if let null {
            let plain = try fromText(text, delimiter, type: type, count: count)
            return withNulls(plain, null, count: count)
        }
        let valid = text.validityFor(count)
        let delimiterValid = delimiter.validityFor(count)
        var offsets: [Int32] = [0]
        let elements = try TextRows.with([text, delimiter]) { (rows) throws(Problem) in
            var sink = TextSink(capacity: count)
            var total = 0
            for row in 0..<count {
                if valid?[row] ?? true {
                    let (whole, separator) = (rows[0, row], rows[1, row])
                    if !(delimiterValid?[row] ?? true) {
                        // Without a delimiter every character is an element.
                        var index = 0
                        while index < whole.count {
                            let end = LikePattern.scalarEnd(whole, index)
                            sink.append(UnsafeRawBufferPointer(rebasing: whole[index..<end]))
                            index = end
                            total += 1
                            try ListChanges.checkCount(total)
                        }
                    } else if !whole.isEmpty {
                        var start = 0
                        while !separator.isEmpty,
                            let found = TextKernels.find(separator, in: whole, from: start)
                        {
                            sink.append(UnsafeRawBufferPointer(rebasing: whole[start..<found]))
                            total += 1
                            try ListChanges.checkCount(total)
                            start = found + separator.count
                        }
                        sink.append(UnsafeRawBufferPointer(rebasing: whole[start...]))
                        total += 1
                    }
                }
                offsets.append(Int32(total))
            }
            return sink.finish()
        }
        return Column(
            type: type,
            data: .list(offsets: offsets, element: Column(type: .text, data: .text(elements))),
            validity: valid)
    }

    /// The lists with the elements that are equal to a text of their row made NULL.
    private static func withNulls(_ lists: Column, _ null: Vector, count: Int) -> Column {
        guard case .list(let offsets, var element) = lists.data,
            case .text(let texts) = element.data
        else { return lists }
        var valid = Validity(repeating: true, count: element.count)
        let absent = null.texts
        TextReader.with(texts) { reader in
            TextReader.with(absent.values) { absentReader in
                for row in 0..<count where !null.isNull(row) {
                    let wanted = absentReader[absent.isConstant ? 0 : row]
                    for index in Int(offsets[row])..<Int(offsets[row + 1])
                    where compareBytes(reader[index], wanted) == 0 {
                        valid.set(index, false)
                    }
                }
            }
        }
        element.validity = valid
        return Column(
            type: lists.type, data: .list(offsets: offsets, element: element),
            validity: lists.validity)
    }

    /// Member `index` of each structure.
    static func member(
        _ structure: Vector, _ index: Int, type: ColumnType, count: Int
    ) -> Column {
        guard case .structure(let members) = structure.column.data, index < members.count else {
            return Column.nulls(type, count: count)
        }
        var member = members[index]
        if case .null = member.data { return Column.nulls(type, count: count) }
        member.validity = Validity.intersection(
            member.validity, structure.validityFor(member.count))
        return member
    }

    /// The value of a key of each map; the last of equal keys.
    static func mapElement(
        _ map: Vector, _ key: Vector, type: ColumnType, count: Int
    ) -> Column {
        guard case .map(let offsets, let keys, let values) = map.column.data else {
            return Column.nulls(type, count: count)
        }
        let valid = TextKernels.strictValidity([map, key], count: count)
        return pick(values, type, count) { row in
            guard valid?[row] ?? true else { return nil }
            let at = map.isConstant ? 0 : row
            let wanted = key.value(row)
            return (Int(offsets[at])..<Int(offsets[at + 1])).last {
                ValueOrder.compare(keys.value($0), wanted) == 0
            }
        }
    }
}

extension Vector {
    /// The rows of `vector` as a column of `type`, also when all are NULL.
    static func aligned(_ vector: Vector, to type: ColumnType, count: Int) -> Column {
        if case .null = vector.column.data {
            return Column(type, repeating: .null, count: count)
        }
        let column =
            vector.isConstant && vector.count != count
            ? vector.column.gather([Int32](repeating: 0, count: count)) : vector.materialized
        return column.flattened.relabeled(type)
    }
}
