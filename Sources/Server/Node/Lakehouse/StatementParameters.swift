import Base
import SQL

extension Expression {
    /// A value of JSON as `$n`: a number as a number, true and false as booleans, a text as a
    /// literal whose type follows from where it stands, null as NULL, a list of one kind as an
    /// array, any other list and an object as jsonb.
    package init(parameter value: JSONValue) {
        func cast(_ text: String, _ type: String, dimensions: Int = 0) -> Kind {
            .cast(
                Expression(.string(text), at: 0),
                TypeName(type, dimensions: dimensions, position: 0), orNull: false)
        }
        let kind: Kind
        switch value {
        case .null: kind = .null
        case .bool(let flag): kind = .boolean(flag)
        case .number(let digits):
            kind =
                digits.hasPrefix("-")
                ? .unary("-", Expression(.number(String(digits.dropFirst())), at: 0))
                : .number(digits)
        case .string(let text): kind = .string(text)
        case .object: kind = cast(value.text, "jsonb")
        case .array(let items):
            if let type = Self.elementType(items) {
                kind = cast(Self.arrayText(items), type, dimensions: 1)
            } else {
                kind = cast(value.text, "jsonb")
            }
        }
        self.init(kind, at: 0)
    }

    /// The type of all items that are not null; nil when there are several, or other lists.
    private static func elementType(_ items: [JSONValue]) -> String? {
        var found: String?
        for item in items {
            let type: String
            switch item {
            case .null: continue
            case .bool: type = "boolean"
            case .string: type = "text"
            case .number(let digits): type = Int64(digits) == nil ? "numeric" : "bigint"
            case .array, .object: return nil
            }
            if let before = found, before != type {
                guard Set([before, type]) == ["numeric", "bigint"] else { return nil }
                found = "numeric"
            } else {
                found = type
            }
        }
        return found ?? "text"
    }

    /// `{1,"a b",NULL}`
    private static func arrayText(_ items: [JSONValue]) -> String {
        var text = "{"
        for (index, item) in items.enumerated() {
            if index > 0 { text += "," }
            switch item {
            case .string(let value):
                text += "\""
                for scalar in value.unicodeScalars {
                    if scalar == "\"" || scalar == "\\" { text += "\\" }
                    text.unicodeScalars.append(scalar)
                }
                text += "\""
            case .null: text += "NULL"
            default: text += item.text
            }
        }
        return text + "}"
    }
}
