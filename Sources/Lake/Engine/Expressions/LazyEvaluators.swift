// Expressions that look at an operand only for the rows that need it, so that an error in a row
// that is already decided does not happen: CASE WHEN x <> 0 THEN 1 / x END.

import Base
import Columns
import SQL

/// AND and OR over two or more operands, from left to right.
final class ConnectiveEvaluator: Evaluator {
    private let operands: [any Evaluator]
    private let isConjunction: Bool
    let columns: [Int]
    let canFail: Bool

    init(_ operands: [any Evaluator], isConjunction: Bool) {
        self.operands = operands
        self.isConjunction = isConjunction
        columns = EvaluatorCompiler.columns(of: operands)
        canFail = operands.contains(where: \.canFail)
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        let count = batch.rowCount
        guard let first = operands.first else {
            return Vector(constant: .boolean(isConjunction), type: .boolean, count: count)
        }
        var result = Vector(try first.evaluate(batch, context).asBooleanColumn)
        for operand in operands.dropFirst() {
            let open = undecided(result)
            if open.isEmpty { return result }
            if open.count == count || (!operand.canFail && open.count > count / 4) {
                let next = try operand.evaluate(batch, context)
                result = Vector(combine(result, next, count))
                continue
            }
            let next = try operand.evaluate(batch, rows: open, context)
            let before = result.gather(open)
            result = Vector(
                scatter(combine(before, next, open.count), into: result.column, at: open))
        }
        return result
    }

    private func combine(_ left: Vector, _ right: Vector, _ count: Int) -> Column {
        isConjunction
            ? LogicKernels.and(left, right, count: count)
            : LogicKernels.or(left, right, count: count)
    }

    /// The rows whose result still depends on later operands: not false in AND, not true in OR.
    private func undecided(_ result: Vector) -> [Int32] {
        let values = result.booleans.values
        let valid = result.column.fullValidity
        let decided: UInt8 = isConjunction ? 0 : 1
        var rows: [Int32] = []
        rows.reserveCapacity(values.count)
        for row in 0..<values.count where values[row] != decided || !(valid?[row] ?? true) {
            rows.append(Int32(truncatingIfNeeded: row))
        }
        return rows
    }

    private func scatter(_ part: Column, into whole: Column, at rows: [Int32]) -> Column {
        guard case .boolean(let changes) = part.data, case .boolean(var values) = whole.data
        else { preconditionFailure("conditions are boolean") }
        var valid = whole.validity
        if valid == nil, part.validity != nil {
            valid = Validity(repeating: true, count: values.count)
        }
        for (index, row) in rows.enumerated() {
            values[Int(row)] = changes[index]
            valid?.set(Int(row), part.validity?[index] ?? true)
        }
        return Column(type: .boolean, data: .boolean(values), validity: valid)
    }
}

extension Vector {
    /// A boolean column with a row for each row, NULLs included.
    fileprivate var asBooleanColumn: Column {
        if case .boolean = column.data, !isConstant { return column }
        let value = isConstant ? value(0) : .null
        return Column(.boolean, repeating: value, count: count)
    }
}

/// Puts together results for disjoint sets of rows.
struct RowAssembler {
    private let type: ColumnType
    private let count: Int
    private var parts: [Column] = []
    private var partRows = 0
    /// For each row its place among the parts; 0 is a NULL.
    private var places: [Int32]

    init(_ type: ColumnType, count: Int) {
        self.type = type
        self.count = count
        places = [Int32](repeating: -1, count: count)
    }

    mutating func add(_ vector: Vector, at rows: [Int32]) {
        if vector.isConstant {
            parts.append(
                Vector.aligned(Vector(constant: vector.column, count: 1), to: type, count: 1))
            for row in rows { places[Int(row)] = Int32(partRows) }
            partRows += 1
        } else {
            parts.append(Vector.aligned(vector, to: type, count: rows.count))
            for (index, row) in rows.enumerated() { places[Int(row)] = Int32(partRows + index) }
            partRows += rows.count
        }
    }

    /// Rows that no part has are NULL.
    consuming func finish() -> Column {
        var places = places
        var parts = parts
        if places.contains(-1) {
            parts.append(Column(type, [.null]))
            for row in places.indices where places[row] < 0 { places[row] = Int32(partRows) }
        }
        if parts.isEmpty { return Column(type, []) }
        return Column.concatenation(parts).gather(places)
    }
}

/// CASE.
final class ConditionalEvaluator: Evaluator {
    private let branches: [(condition: any Evaluator, value: any Evaluator)]
    private let otherwise: (any Evaluator)?
    private let type: ColumnType
    let columns: [Int]
    let canFail: Bool

    init(
        _ branches: [(any Evaluator, any Evaluator)], otherwise: (any Evaluator)?,
        _ type: ColumnType
    ) {
        self.branches = branches.map { (condition: $0.0, value: $0.1) }
        self.otherwise = otherwise
        self.type = type
        var all: [any Evaluator] = []
        for branch in branches { all += [branch.0, branch.1] }
        if let otherwise { all.append(otherwise) }
        columns = EvaluatorCompiler.columns(of: all)
        canFail = all.contains(where: \.canFail)
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        var open = (0..<Int32(batch.rowCount)).map { $0 }
        var assembler = RowAssembler(type, count: batch.rowCount)
        for branch in branches {
            if open.isEmpty { break }
            let condition = try branch.condition.evaluate(batch, rows: open, context)
            let taken = LogicKernels.selectedRows(condition)
            if taken.isEmpty { continue }
            let rows = taken.map { open[Int($0)] }
            let value = try branch.value.evaluate(batch, rows: rows, context)
            if rows.count == batch.rowCount { return value.retyped(type) }
            assembler.add(value, at: rows)
            open = Self.remaining(open, without: taken)
        }
        if let otherwise, !open.isEmpty {
            let value = try otherwise.evaluate(batch, rows: open, context)
            if open.count == batch.rowCount { return value.retyped(type) }
            assembler.add(value, at: open)
        }
        return Vector(assembler.finish())
    }

    /// `rows` without those at the positions `taken`, which ascend.
    static func remaining(_ rows: [Int32], without taken: [Int32]) -> [Int32] {
        var rest: [Int32] = []
        rest.reserveCapacity(rows.count - taken.count)
        var next = 0
        for index in rows.indices {
            if next < taken.count, taken[next] == Int32(index) {
                next += 1
            } else {
                rest.append(rows[index])
            }
        }
        return rest
    }
}

extension Vector {
    /// The same vector under the name of `type`, which has the same layout.
    func retyped(_ type: ColumnType) -> Vector {
        if column.type == type { return self }
        var copy = self
        copy.column = column.relabeled(type)
        return copy
    }
}

final class CoalesceEvaluator: Evaluator {
    private let operands: [any Evaluator]
    private let type: ColumnType
    let columns: [Int]
    let canFail: Bool

    init(_ operands: [any Evaluator], _ type: ColumnType) {
        self.operands = operands
        self.type = type
        columns = EvaluatorCompiler.columns(of: operands)
        canFail = operands.contains(where: \.canFail)
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        var open = (0..<Int32(batch.rowCount)).map { $0 }
        var assembler = RowAssembler(type, count: batch.rowCount)
        for operand in operands {
            if open.isEmpty { break }
            let value = try operand.evaluate(batch, rows: open, context)
            guard let valid = value.validity else {
                if open.count == batch.rowCount { return value.retyped(type) }
                assembler.add(value, at: open)
                return Vector(assembler.finish())
            }
            var present: [Int32] = []
            var missing: [Int32] = []
            for index in open.indices {
                if valid[index] {
                    present.append(Int32(index))
                } else {
                    missing.append(open[index])
                }
            }
            if !present.isEmpty {
                assembler.add(value.gather(present), at: present.map { open[Int($0)] })
            }
            open = missing
        }
        return Vector(assembler.finish())
    }
}

/// `x [NOT] IN (…)`: true when one is equal; else NULL when x or one of them is NULL.
final class InListEvaluator: Evaluator {
    private let operand: any Evaluator
    private let list: [any Evaluator]
    private let isNegated: Bool
    let columns: [Int]
    let canFail: Bool

    init(_ operand: any Evaluator, _ list: [any Evaluator], isNegated: Bool) {
        self.operand = operand
        self.list = list
        self.isNegated = isNegated
        columns = EvaluatorCompiler.columns(of: [operand] + list)
        canFail = operand.canFail || list.contains(where: \.canFail)
    }

    func evaluate(_ batch: ColumnBatch, _ context: QueryContext) throws(Problem) -> Vector {
        let count = batch.rowCount
        let value = try operand.evaluate(batch, context)
        if value.isConstantNull, !list.isEmpty {
            return Vector(constant: Column.nulls(.boolean, count: 1), count: count)
        }
        var items: [Vector] = []
        for item in list { items.append(try item.evaluate(batch, context)) }
        if let found = constantSet(value, items, count) { return Vector(found) }
        var result = Vector(constant: .boolean(false), type: .boolean, count: count)
        for item in items {
            let equal: Vector
            if item.isConstantNull {
                equal = Vector(constant: Column.nulls(.boolean, count: 1), count: count)
            } else {
                equal = Vector(ComparisonKernels.compare(.equal, value, item, count: count))
            }
            result = Vector(LogicKernels.or(result, equal, count: count))
        }
        return isNegated ? Vector(LogicKernels.not(result, count: count)) : result
    }

    /// Many constants: one look into a hash table instead of a comparison for each.
    private func constantSet(_ value: Vector, _ items: [Vector], _ count: Int) -> Column? {
        guard items.count > 8, !value.isConstant, items.allSatisfy(\.isConstant) else {
            return nil
        }
        let type = value.type
        let present = items.filter { !$0.isConstantNull }
        let sawNull = present.count < items.count
        guard !present.isEmpty, present.allSatisfy({ $0.type == type }) else { return nil }
        let table = KeyTable(types: [type])
        let keys = Column.concatenation(
            present.map {
                Vector.aligned(Vector(constant: $0.column, count: 1), to: type, count: 1)
            }
        )
        _ = table.insert([keys], count: present.count)
        let groups = table.find([value.column], count: count)
        var flags = [UInt8](repeating: 0, count: count)
        var valid = value.validityFor(count)
        if sawNull, valid == nil { valid = Validity(repeating: true, count: count) }
        for row in 0..<count {
            let isFound = groups[row] >= 0
            flags[row] = isFound != isNegated ? 1 : 0
            if sawNull, !isFound { valid?.set(row, false) }
        }
        return Column(type: .boolean, data: .boolean(flags), validity: valid)
    }
}
