// Functions that change lists, measure them in several dimensions, and compare with each element.

import Base
import Columns
import SQL

enum ListChanges {
    static func apply(
        _ function: ScalarFunction, _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column? {
        switch function {
        case .listReplace:
            return rows(type, count) { row in
                guard case .list(let items) = arguments[0].value(row) else { return .null }
                let (from, to) = (arguments[1].value(row), arguments[2].value(row))
                return .list(items.map { isSame($0, from) ? to : $0 })
            }
        case .listPositions:
            return rows(type, count) { row in
                guard case .list(let items) = arguments[0].value(row) else { return .null }
                let wanted = arguments[1].value(row)
                return .list(
                    items.indices.filter { isSame(items[$0], wanted) }
                        .map { .int(Int64($0 + 1)) })
            }
        case .listPositionFrom:
            return try each(type, count) { (row) throws(Problem) in
                guard case .list(let items) = arguments[0].value(row), !items.isEmpty else {
                    return .null
                }
                guard case .int(let start) = arguments[2].value(row) else {
                    throw Problem("22004", "initial position must not be null")
                }
                let wanted = arguments[1].value(row)
                let place = items.indices.dropFirst(Int(max(0, start - 1)))
                    .first { isSame(items[$0], wanted) }
                return place.map { .int(Int64($0 + 1)) } ?? .null
            }
        case .listFill: return try fill(arguments, type: type, count: count)
        case .listTrim:
            let amounts = arguments[1].wideIntegers
            return try RowKernels.values(arguments, type: type, count: count) {
                (row) throws(Problem) in
                guard case .list(let items) = arguments[0].value(row) else { return .null }
                let amount = amounts.at(row)
                guard amount >= 0, amount <= Int64(items.count) else {
                    throw Problem(
                        "2202E", "number of elements to trim must be between 0 and \(items.count)")
                }
                return .list(Array(items.dropLast(Int(amount))))
            }
        case .listDimensions:
            return rows(type, count) { row in
                let sizes = sizes(arguments[0].value(row))
                guard !sizes.isEmpty else { return .null }
                return .text(sizes.map { "[1:\($0)]" }.joined())
            }
        case .listLengthOf:
            let dimensions = arguments[1].wideIntegers
            return try RowKernels.values(arguments, type: type, count: count) { row in
                let sizes = sizes(arguments[0].value(row))
                let dimension = Int(dimensions.at(row)) - 1
                return sizes.indices.contains(dimension)
                    ? .int(Int64(sizes[dimension])) : .null
            }
        case .cardinality:
            return try RowKernels.values(arguments, type: type, count: count) { row in
                .int(Int64(elementCount(arguments[0].value(row))))
            }
        default: return nil
        }
    }

    private static func rows(
        _ type: ColumnType, _ count: Int, _ body: (Int) -> Value
    ) -> Column {
        Column(type, (0..<count).map(body))
    }

    private static func each(
        _ type: ColumnType, _ count: Int, _ body: (Int) throws(Problem) -> Value
    ) throws(Problem) -> Column {
        var values: [Value] = []
        for row in 0..<count { values.append(try body(row)) }
        return Column(type, values)
    }

    /// NULL is the same as NULL here.
    private static func isSame(_ a: Value, _ b: Value) -> Bool {
        if a.isNull || b.isNull { return a.isNull && b.isNull }
        return ValueOrder.compare(a, b) == 0
    }

    /// The lengths of the dimensions; an empty list has none.
    private static func sizes(_ value: Value) -> [Int] {
        var sizes: [Int] = []
        var inner = value
        while case .list(let items) = inner, let first = items.first {
            sizes.append(items.count)
            inner = first
        }
        return sizes
    }

    private static func elementCount(_ value: Value) -> Int {
        guard case .list(let items) = value else { return 0 }
        return items.reduce(0) { total, item in
            if case .list = item { total + elementCount(item) } else { total + 1 }
        }
    }

    /// Elements that the arrays of one batch may have together.
    private static let elementsMax = 4 << 20
    private static let tooLarge = Problem(
        "54000", "array size exceeds the maximum allowed (\(elementsMax))")

    static func checkCount(_ elements: Int) throws(Problem) {
        if elements >= elementsMax { throw tooLarge }
    }

    private static func fill(
        _ arguments: [Vector], type: ColumnType, count: Int
    ) throws(Problem) -> Column {
        let counts = arguments[1].wideIntegers
        var total = 0
        return try each(type, count) { (row) throws(Problem) in
            if arguments[1].isNull(row) {
                throw Problem("22004", "dimension values cannot be null")
            }
            let wanted = counts.at(row)
            let value = arguments[0].value(row)
            var inner = 1
            if case .list = value { inner = max(1, elementCount(value)) }
            guard wanted <= elementsMax else { throw tooLarge }
            total += Int(max(0, wanted)) * inner
            guard total <= elementsMax else { throw tooLarge }
            return .list([Value](repeating: value, count: Int(max(0, wanted))))
        }
    }
}

/// `value operator ANY (list)` and `ALL`: the function over every element, then OR or AND.
enum QuantifiedKernels {
    static func apply(
        _ arguments: [Vector], count: Int, _ context: QueryContext
    ) throws(Problem) -> Column {
        guard case .text(let name) = arguments[0].value(0),
            let function = ScalarFunction(rawValue: name),
            case .boolean(let isAll) = arguments[1].value(0),
            case .boolean(let isNegated) = arguments[2].value(0)
        else { throw SQLErrors.invalidParameter("a comparison with elements names its function") }
        let (value, list) = (arguments[3], arguments[4])
        guard case .list(let offsets, let elements) = list.column.data else {
            return Column.nulls(.boolean, count: count)
        }
        var owners: [Int32] = []
        var places: [Int32] = []
        for row in 0..<count where !list.isNull(row) {
            let at = list.isConstant ? 0 : row
            for index in offsets[at]..<offsets[at + 1] {
                owners.append(Int32(row))
                places.append(index)
            }
        }
        var answers = Column(type: .boolean, data: .boolean([]))
        if !owners.isEmpty {
            let others = arguments[5...].map { $0.gather(owners) }
            let inner = [value.gather(owners), Vector(elements.gather(places))] + others
            answers =
                inner.contains(where: \.isConstantNull)
                ? Column.nulls(.boolean, count: owners.count)
                : try FunctionKernels.apply(
                    function, inner, type: .boolean, count: owners.count, context)
        }
        return folded(answers, owners, list, count, isAll: isAll, isNegated: isNegated)
    }

    private static func folded(
        _ answers: Column, _ owners: [Int32], _ list: Vector, _ count: Int, isAll: Bool,
        isNegated: Bool
    ) -> Column {
        // Without elements ANY is false and ALL is true; one answer that differs decides.
        var flags = [UInt8](repeating: isAll ? 1 : 0, count: count)
        var unknown = [Bool](repeating: false, count: count)
        for (index, owner) in owners.enumerated() {
            guard case .boolean(let answer) = answers.value(index) else {
                unknown[Int(owner)] = true
                continue
            }
            if (answer != isNegated) != isAll { flags[Int(owner)] = isAll ? 0 : 1 }
        }
        var valid = Validity(repeating: true, count: count)
        for row in 0..<count {
            let isDecided = flags[row] == (isAll ? 0 : 1)
            if list.isNull(row) || (unknown[row] && !isDecided) { valid.set(row, false) }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }
}
