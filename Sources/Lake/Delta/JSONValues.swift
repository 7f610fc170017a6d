import Base
import Columns

// Rows of checkpoints hold the same actions as the lines of commits, as nested columns instead of
// JSON. They go through the same reader and writer, by way of these two conversions.

extension Value {
    /// A value of type `type` as JSON: structures and maps of texts become objects, moments texts.
    /// NULL members of structures are left out.
    func json(_ type: ColumnType) -> JSONValue {
        switch (self, type) {
        case (.null, _): return .null
        case (.boolean(let flag), _): return .bool(flag)
        case (.int(let number), _): return .int(number)
        case (.float(let number), _): return number.isFinite ? .number("\(number)") : .null
        case (.decimal(let unscaled, let scale), _):
            return .number(DecimalText.plain(unscaled, scale: scale))
        case (.text(let text), _), (.json(let text), _): return .string(text)
        case (.timestamp(let moment), _):
            return .string(
                CalendarText.timestamp(microseconds: moment, digits: 6, separator: "T"))
        case (.list(let items), .list(let element)):
            return .array(items.map { $0.json(element) })
        case (.map(let entries), .map(_, let valueType)):
            return .object(
                entries.compactMap { entry in
                    guard case .text(let key) = entry.key else { return nil }
                    return JSONMember(key, entry.value.json(valueType))
                })
        case (.structure(let members), .structure(let fields)):
            return .object(
                zip(members, fields).compactMap { member, field in
                    member.isNull ? nil : JSONMember(field.name, member.json(field.type))
                })
        default:
            return PartitionValues.text(self, type).map { .string($0) } ?? .null
        }
    }

    /// The value of type `type` that `json` stands for; NULL when it does not fit.
    init(_ json: JSONValue, _ type: ColumnType) {
        switch (json, type) {
        case (.bool(let flag), .boolean): self = .boolean(flag)
        case (.number, .int32), (.number, .int64): self = json.intValue.map { .int($0) } ?? .null
        case (.string(let text), .text): self = .text(text)
        case (.array(let items), .list(let element)):
            self = .list(items.map { Value($0, element) })
        case (.object(let members), .map(_, let valueType)):
            self = .map(
                members.map { MapEntry(key: .text($0.key), value: Value($0.value, valueType)) })
        case (.object, .structure(let fields)):
            self = .structure(fields.map { Value(json[$0.name] ?? .null, $0.type) })
        default: self = .null
        }
    }
}
