// The functions that give rows, one input row after the other.

import Base
import Columns
import SQL

/// What a function gives for the rows of one batch.
protocol TableCursor: AnyObject {
    /// Goes to an input row.
    func open(_ row: Int) throws(Problem)
    /// Appends the next rows of the open input row, at most `limit`, to the columns from `first` on;
    /// fewer than `limit` only at the end. Returns how many.
    func append(
        upTo limit: Int, to outputs: OutputColumns, at first: Int
    ) throws(Problem) -> Int
}

enum TableCursors {
    static func make(
        _ call: TableCall, _ arguments: [Column], _ zones: TimeZoneTable
    ) -> any TableCursor {
        switch call.function {
        case .unnest: ListCursor(arguments[0])
        case .series: SeriesCursor(arguments, call.fields[0].type, zones)
        case .jsonElements, .jsonElementTexts, .jsonMembers, .jsonMemberTexts, .jsonKeys:
            JSONCursor(arguments[0], call.function)
        }
    }
}

private final class ListCursor: TableCursor {
    private let list: Column
    private var rest = 0..<0

    init(_ list: Column) { self.list = list }

    func open(_ row: Int) throws(Problem) {
        guard case .list(let offsets, _) = list.data, !list.isNull(row) else {
            rest = 0..<0
            return
        }
        rest = Int(offsets[row])..<Int(offsets[row + 1])
    }

    func append(
        upTo limit: Int, to outputs: OutputColumns, at first: Int
    ) throws(Problem) -> Int {
        let count = min(limit, rest.count)
        guard count > 0, case .list(_, let elements) = list.data else { return 0 }
        let taken = rest.prefix(count)
        outputs.append(elements.slice(taken).flattened, at: first)
        rest = taken.upperBound..<rest.upperBound
        return count
    }
}

private final class SeriesCursor: TableCursor {
    private enum Step {
        case number(Int128)
        case interval(Interval)
    }

    private let arguments: [Column]
    private let type: ColumnType
    private var next: Int128?
    private var stop: Int128 = 0
    private var step = Step.number(1)
    private var isDescending = false
    private let zones: TimeZoneTable
    /// In whose calendar days and months are counted; nil for UTC.
    private var rules: TimeZoneRules?

    init(_ arguments: [Column], _ type: ColumnType, _ zones: TimeZoneTable) {
        self.arguments = arguments
        self.type = type
        self.zones = zones
    }

    func open(_ row: Int) throws(Problem) {
        next = nil
        guard let from = number(arguments[0], row), let to = number(arguments[1], row) else {
            return
        }
        if rules == nil, arguments.count > 3, case .text(let name) = arguments[3].value(row) {
            rules = try zones.rules(named: name)
        }
        switch arguments[2].value(row) {
        case .interval(let interval):
            let zero = CalendarMath.add(0, interval) ?? 0
            guard zero != 0 else { throw SQLErrors.invalidParameter("step size cannot equal zero") }
            isDescending = zero < 0
            step = .interval(interval)
        default:
            guard let amount = number(arguments[2], row) else { return }
            guard amount != 0 else {
                throw SQLErrors.invalidParameter("step size cannot equal zero")
            }
            isDescending = amount < 0
            step = .number(amount)
        }
        (next, stop) = (from, to)
    }

    /// The number in a row, in the unit of the column's layout; nil for NULL.
    private func number(_ column: Column, _ row: Int) -> Int128? {
        if column.isNull(row) { return nil }
        switch column.flattened.data {
        case .int32(let values): return Int128(values[row])
        case .int64(let values): return Int128(values[row])
        case .int128(let values): return values[row]
        default: return nil
        }
    }

    func append(
        upTo limit: Int, to outputs: OutputColumns, at first: Int
    ) throws(Problem) -> Int {
        var count = 0
        while count < limit, let value = next {
            guard isDescending ? value >= stop : value <= stop else {
                next = nil
                break
            }
            switch type {
            case .int16, .int32, .date:
                outputs.append(int32: Int32(truncatingIfNeeded: value), at: first)
            case .decimal: outputs.append(int128: value, at: first)
            default: outputs.append(int64: Int64(truncatingIfNeeded: value), at: first)
            }
            next = following(value)
            count += 1
        }
        return count
    }

    /// The next number; nil when it is out of the type's range.
    private func following(_ value: Int128) -> Int128? {
        switch step {
        case .interval(let interval):
            let moment = Int64(truncatingIfNeeded: value)
            if let rules {
                do throws(Problem) {
                    return Int128(try ZoneKernels.add(moment, interval, rules))
                } catch {
                    return nil
                }
            }
            return CalendarMath.add(moment, interval).map { Int128($0) }
        case .number(let amount):
            let (sum, overflow) = value.addingReportingOverflow(amount)
            if overflow { return nil }
            switch type {
            case .int32: return Int32(exactly: sum) == nil ? nil : sum
            case .int64: return Int64(exactly: sum) == nil ? nil : sum
            default: return sum
            }
        }
    }
}

private final class JSONCursor: TableCursor {
    private let documents: Column
    private let function: TableFunction
    private var row = 0
    /// The parts of the open document: keys (of members only) and values.
    private var keys: [Range<Int>] = []
    private var values: [Range<Int>] = []
    private var position = 0

    init(_ documents: Column, _ function: TableFunction) {
        self.documents = documents.flattened
        self.function = function
    }

    private var wantsElements: Bool {
        function == .jsonElements || function == .jsonElementTexts
    }

    func open(_ row: Int) throws(Problem) {
        self.row = row
        position = 0
        keys = []
        values = []
        guard !documents.isNull(row), case .text(let texts) = documents.data else { return }
        try TextReader.with(texts) { reader throws(Problem) in
            let scanner = JSONScanner(text: reader[row])
            let isFound: Bool
            if wantsElements {
                isFound = scanner.forEachElement { _, range in
                    values.append(range)
                    return true
                }
            } else {
                isFound = scanner.forEachMember { key, value in
                    keys.append(key)
                    values.append(value)
                    return true
                }
            }
            if isFound { return }
            let kind = scanner.kind(at: scanner.skipSpaces(0))
            let what = kind == .array ? "an array" : kind == .object ? "an object" : "a scalar"
            throw SQLErrors.invalidParameter(
                wantsElements
                    ? "cannot extract elements from \(what)"
                    : function == .jsonKeys
                        ? "cannot call jsonb_object_keys on \(what)"
                        : "cannot call jsonb_each on a non-object")
        }
    }

    func append(
        upTo limit: Int, to outputs: OutputColumns, at first: Int
    ) throws(Problem) -> Int {
        let count = min(limit, values.count - position)
        guard count > 0, case .text(let texts) = documents.data else { return 0 }
        TextReader.with(texts) { reader in
            let scanner = JSONScanner(text: reader[row])
            for index in position..<(position + count) {
                var column = first
                if !wantsElements {
                    text(scanner, keys[index], to: outputs, at: column)
                    column += 1
                }
                switch function {
                case .jsonKeys: break
                case .jsonElements, .jsonMembers:
                    outputs.append(
                        bytes: UnsafeRawBufferPointer(rebasing: scanner.text[values[index]]),
                        at: column)
                default: value(scanner, values[index], to: outputs, at: column)
                }
            }
        }
        position += count
        return count
    }

    /// A JSON value as text: strings without quotes, null as NULL.
    private func value(
        _ scanner: JSONScanner, _ range: Range<Int>, to outputs: OutputColumns, at column: Int
    ) {
        switch scanner.kind(at: range.lowerBound) {
        case .null: outputs.appendNull(at: column)
        case .string:
            text(
                scanner, (range.lowerBound + 1)..<(range.upperBound - 1), to: outputs, at: column)
        default:
            outputs.append(
                bytes: UnsafeRawBufferPointer(rebasing: scanner.text[range]), at: column)
        }
    }

    /// What a JSON string between its quotes stands for.
    private func text(
        _ scanner: JSONScanner, _ range: Range<Int>, to outputs: OutputColumns, at column: Int
    ) {
        if scanner.hasEscapes(range) {
            scanner.unescaped(range).withUnsafeBytes { outputs.append(bytes: $0, at: column) }
        } else {
            outputs.append(
                bytes: UnsafeRawBufferPointer(rebasing: scanner.text[range]), at: column)
        }
    }
}
