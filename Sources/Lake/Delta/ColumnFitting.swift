import Base
import Columns

extension Column {
    /// The same values as a column of type `wanted`, between what data files hold and what the
    /// table declares: wider numbers, texts that stand for UUIDs and JSON, members of structures by
    /// name. Nil when the two do not fit. Rows whose text is no UUID are an error.
    func fitted(to wanted: ColumnType) throws(DecodeFailure) -> Column? {
        if type == wanted { return self }
        func retyped(_ column: Column) -> Column {
            Column(type: wanted, data: column.data, validity: column.validity)
        }
        switch (type, wanted, data) {
        case (.null, _, _):
            return Column.nulls(wanted, count: count)
        case (_, .null, _):
            return Column(type: .null, data: .null(count: count))
        case (.int16, .int32, _), (.int32, .int16, _), (.float32, .float64, _),
            (.float64, .float32, _), (.timestamp, .timestampTZ, _), (.timestampTZ, .timestamp, _):
            return retyped(self)
        case (.int16, .int64, .int32(let values)), (.int32, .int64, .int32(let values)):
            return Column(
                type: wanted, data: .int64(values.map { Int64($0) }), validity: validity)
        case (.int16, .float64, .int32(let values)), (.int32, .float64, .int32(let values)):
            return Column(
                type: wanted, data: .float64(values.map { Double($0) }), validity: validity)
        case (.text, .json, _), (.json, .text, _):
            return retyped(flattened)
        case (.binary, .text, _), (.binary, .json, _):
            return try retyped(flattened).checkedText()
        case (.text, .binary, _):
            return retyped(flattened)
        case (.text, .uuid, _):
            return try flattened.parsedUUIDs()
        case (.uuid, .text, .int128(let values)):
            return uuidTexts(values)
        case (.decimal(let have, let scale), .decimal(let want, let wantedScale), _):
            return scale == wantedScale && have <= want ? retyped(self) : nil
        default:
            return try fittedNested(to: wanted)
        }
    }

    private func fittedNested(to wanted: ColumnType) throws(DecodeFailure) -> Column? {
        let fitted: ColumnData
        switch (type, wanted, data) {
        case (.list, .list(let element), .list(let offsets, let column)):
            guard let inner = try column.fitted(to: element) else { return nil }
            fitted = .list(offsets: offsets, element: inner)
        case (.map, .map(let key, let value), .map(let offsets, let keys, let values)):
            guard let keys = try keys.fitted(to: key), let values = try values.fitted(to: value)
            else { return nil }
            fitted = .map(offsets: offsets, key: keys, value: values)
        case (.structure(let have), .structure(let want), .structure(let columns)):
            var members: [Column] = []
            for field in want {
                guard let index = have.firstIndex(where: { $0.name == field.name }) else {
                    members.append(.nulls(field.type, count: count))
                    continue
                }
                guard let member = try columns[index].fitted(to: field.type) else { return nil }
                members.append(member)
            }
            fitted = .structure(members)
        default: return nil
        }
        return Column(type: wanted, data: fitted, validity: validity)
    }

    /// `count` times NULL.
    static func nulls(_ type: ColumnType, count: Int) -> Column {
        var builder = ColumnBuilder(type)
        builder.appendNull()
        let one = builder.finish()
        return one.gather([Int32](repeating: 0, count: count))
    }

    /// `count` times `value`.
    static func constant(_ type: ColumnType, _ value: Value, count: Int) -> Column {
        Column(type, [value]).gather([Int32](repeating: 0, count: count))
    }

    private func checkedText() throws(DecodeFailure) -> Column {
        guard case .text(let texts) = data else { return self }
        for row in 0..<count where !isNull(row) {
            let isValid = texts.withBytes(row) { String(validating: $0, as: UTF8.self) != nil }
            if !isValid { throw .malformed("a text is not valid UTF-8", position: row) }
        }
        return self
    }

    private func parsedUUIDs() throws(DecodeFailure) -> Column? {
        guard case .text(let texts) = data else { return nil }
        var values: [Int128] = []
        values.reserveCapacity(count)
        for row in 0..<count {
            if isNull(row) {
                values.append(0)
                continue
            }
            guard let id = UUID128(text: texts.string(row)) else {
                throw .malformed("'\(texts.string(row).prefix(50))' is not a UUID", position: row)
            }
            values.append(Int128(truncatingIfNeeded: UInt128(id.high) << 64 | UInt128(id.low)))
        }
        return Column(type: .uuid, data: .int128(values), validity: validity)
    }

    private func uuidTexts(_ values: [Int128]) -> Column {
        var builder = TextBuilder()
        for (row, value) in values.enumerated() {
            if isNull(row) {
                builder.appendEmpty()
            } else {
                builder.append(uuidText(UInt128(truncatingIfNeeded: value)))
            }
        }
        return Column(type: .text, data: .text(builder.finish()), validity: validity)
    }
}
