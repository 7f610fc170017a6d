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
        case (.uuid, .text, .null), (.text, .uuid, .null), (.int16, .int64, .null),
            (.int32, .int64, .null), (.int16, .float64, .null), (.int32, .float64, .null),
            (.decimal, .decimal, .null), (.int16, .decimal, .null), (.int32, .decimal, .null),
            (.int64, .decimal, .null), (.date, .timestamp, .null):
            // Nothing but NULL, of whatever width.
            return Column.nulls(wanted, count: count)
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
            if scale == wantedScale { return have <= want ? retyped(self) : nil }
            guard case .int128(let values) = data, wantedScale > scale,
                want - wantedScale >= have - scale
            else { return nil }
            return try widened(values, to: wanted, places: wantedScale - scale)
        case (.int16, .decimal(_, let places), .int32(let values)),
            (.int32, .decimal(_, let places), .int32(let values)):
            return try widened(values.map { Int128($0) }, to: wanted, places: places)
        case (.int64, .decimal(_, let places), .int64(let values)):
            return try widened(values.map { Int128($0) }, to: wanted, places: places)
        case (.date, .timestamp, .int32(let days)):
            return Column(
                type: wanted, data: .int64(days.map { Int64($0) * 86_400_000_000 }),
                validity: validity)
        default:
            return try fittedNested(to: wanted)
        }
    }

    /// `values` × 10^`places`; more digits than the type has are an error.
    private func widened(
        _ values: [Int128], to wanted: ColumnType, places: Int
    ) throws(DecodeFailure) -> Column {
        guard case .decimal(let precision, _) = wanted else { return self }
        // 38 digits fit into 127 bits, so neither power overflows.
        var factor: Int128 = 1
        for _ in 0..<places { factor *= 10 }
        var limit: Int128 = 1
        for _ in 0..<precision { limit *= 10 }
        var widened: [Int128] = []
        widened.reserveCapacity(values.count)
        for (row, value) in values.enumerated() {
            let (product, overflow) = value.multipliedReportingOverflow(by: factor)
            if !isNull(row), overflow || product <= -limit || product >= limit {
                throw .malformed("\(value) does not fit \(wanted.sqlName)", position: row)
            }
            widened.append(overflow ? 0 : product)
        }
        return Column(type: wanted, data: .int128(widened), validity: validity)
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
        case (.structure(let have), .variant, .structure(let columns)):
            // Before Parquet had a name for it, writers left the group without one. A third member
            // would be a part of the values that only the name explains.
            guard have.count == 2, let metadata = have.firstIndex(where: { $0.name == "metadata" }),
                let value = have.firstIndex(where: { $0.name == "value" }),
                have.allSatisfy({ $0.type == .binary })
            else { return nil }
            fitted = .structure([columns[metadata], columns[value]])
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
