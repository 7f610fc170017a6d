// Aggregates that keep every value: string_agg, array_agg, jsonb_agg, jsonb_object_agg.

import Base
import Columns
import SQL

/// string_agg(text, separator): the separator of each row stands before it, the first one's apart.
final class TextAccumulator: Accumulator {
    private let type: ColumnType
    private var texts: [[UInt8]?] = []
    private var bytes = 0

    init(_ type: ColumnType) { self.type = type }

    func grow(to groups: Int) { texts.grow(to: groups, nil) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let values = arguments[0].flattened
        let separators = arguments.count > 1 ? arguments[1].flattened : nil
        guard case .text(let source) = values.data else { return }
        var separatorTexts: TextColumn?
        if case .text(let texts)? = separators?.data { separatorTexts = texts }
        TextReader.with(source) { reader in
            for (row, group) in groups.enumerated() where !values.isNull(row) {
                let text = reader[row]
                if texts[Int(group)] == nil {
                    texts[Int(group)] = Array(text)
                    bytes += text.count + 32
                    continue
                }
                if let separators, let separatorTexts, !separators.isNull(row) {
                    separatorTexts.withBytes(row) {
                        texts[Int(group)]?.append(contentsOf: $0)
                        bytes += $0.count
                    }
                }
                texts[Int(group)]?.append(contentsOf: text)
                bytes += text.count
            }
        }
    }

    func finish() throws(Problem) -> Column {
        var sink = TextSink(capacity: texts.count)
        for text in texts { sink.append(text ?? []) }
        return Column(
            type: type, data: .text(sink.finish()), validity: Validity(texts.map { $0 != nil }))
    }

    var memoryBytes: Int { texts.heldCount * 8 + bytes * 2 }
}

/// array_agg: NULLs are elements like others.
final class ListAccumulator: Accumulator {
    private let type: ColumnType
    private let rows: RowBuffer
    private var groupOfRow: [Int32] = []
    private var groups = 0

    init(_ type: ColumnType) {
        self.type = type
        if case .list(let element) = type {
            rows = RowBuffer(types: [element])
        } else {
            preconditionFailure("array_agg gives a list")
        }
    }

    func grow(to groups: Int) { self.groups = max(self.groups, groups) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        rows.append([arguments[0]], count: groups.count)
        groupOfRow += groups
    }

    func finish() throws(Problem) -> Column {
        // A counting sort by group keeps the order of arrival.
        var offsets = [Int32](repeating: 0, count: groups + 1)
        for group in groupOfRow { offsets[Int(group) + 1] += 1 }
        for group in 0..<groups { offsets[group + 1] += offsets[group] }
        let isInOrder = zip(groupOfRow, groupOfRow.dropFirst()).allSatisfy { $0 <= $1 }
        var next = offsets
        var order = [Int32](repeating: 0, count: isInOrder ? 0 : groupOfRow.count)
        for (row, group) in groupOfRow.enumerated() where !isInOrder {
            order[Int(next[Int(group)])] = Int32(row)
            next[Int(group)] += 1
        }
        let valid = Validity((0..<groups).map { offsets[$0] < offsets[$0 + 1] })
        let element = isInOrder ? rows.columns()[0] : rows.columns()[0].gather(order)
        return Column(
            type: type, data: .list(offsets: offsets, element: element), validity: valid)
    }

    var memoryBytes: Int { rows.memoryBytes + groupOfRow.heldCount * 4 }
}

/// jsonb_agg: NULLs become null.
final class JSONAccumulator: Accumulator {
    private var texts: [[UInt8]?] = []
    private var bytes = 0

    func grow(to groups: Int) { texts.grow(to: groups, nil) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        for (row, group) in groups.enumerated() {
            var text: [UInt8] = texts[Int(group)] == nil ? [0x5B] : [0x2C, 0x20]
            JSONForm.append(arguments[0], row, to: &text)
            bytes += text.count
            texts[Int(group), default: []] += text
        }
    }

    func finish() throws(Problem) -> Column {
        var sink = TextSink(capacity: texts.count)
        for text in texts { sink.append(text.map { $0 + [0x5D] } ?? []) }
        return Column(
            type: .json, data: .text(sink.finish()), validity: Validity(texts.map { $0 != nil }))
    }

    var memoryBytes: Int { texts.heldCount * 8 + bytes * 2 }
}

extension Array where Element == [UInt8]? {
    fileprivate subscript(index: Int, default empty: [UInt8]) -> [UInt8] {
        get { self[index] ?? empty }
        _modify {
            // Taken out, so that adding to it does not copy it.
            var taken = self[index] ?? empty
            self[index] = nil
            defer { self[index] = taken }
            yield &taken
        }
    }
}

extension Array where Element == [(String, [UInt8])]? {
    fileprivate subscript(index: Int, default empty: [(String, [UInt8])]) -> [(String, [UInt8])] {
        get { self[index] ?? empty }
        _modify {
            var members = self[index] ?? empty
            self[index] = nil
            yield &members
            self[index] = members
        }
    }
}

/// jsonb_object_agg: members as they come, the last of equal keys stays.
final class JSONObjectAccumulator: Accumulator {
    private var members: [[(String, [UInt8])]?] = []
    private var bytes = 0

    func grow(to groups: Int) { members.grow(to: groups, nil) }

    func update(_ arguments: [Column], _ groups: [Int32]) throws(Problem) {
        let keys = arguments[0]
        for (row, group) in groups.enumerated() {
            guard case .text(let key) = keys.value(row) else {
                throw SQLErrors.invalidParameter("field name must not be null")
            }
            var text: [UInt8] = []
            JSONForm.append(arguments[1], row, to: &text)
            bytes += key.utf8.count + text.count + 64
            members[Int(group), default: []].append((key, text))
        }
    }

    func finish() throws(Problem) -> Column {
        var sink = TextSink(capacity: members.count)
        for group in members {
            var output: [UInt8] = []
            if let group { JSONForm.append(members: group, to: &output) }
            sink.append(output)
        }
        return Column(
            type: .json, data: .text(sink.finish()), validity: Validity(members.map { $0 != nil }))
    }

    var memoryBytes: Int { members.heldCount * 8 + bytes }
}
