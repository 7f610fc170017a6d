// Type widening: a column gets a type that holds all values of the one before. Files stay as they
// are; readers convert. The field's metadata lists the changes:
//
//   "delta.typeChanges": [{"fromType": "short", "toType": "integer"}, …]

import Base
import Columns

extension DeltaType {
    /// Whether the format allows a column of this type to become one of type `wider`.
    package func widens(to wider: DeltaType) -> Bool {
        func digits(_ whole: Int) -> Bool {
            guard case .decimal(let precision, let scale) = wider else { return false }
            return precision - scale >= whole
        }
        switch (self, wider) {
        case (.byte, .short), (.byte, .integer), (.byte, .long), (.short, .integer),
            (.short, .long), (.integer, .long), (.float, .double), (.byte, .double),
            (.short, .double), (.integer, .double), (.date, .timestampNTZ):
            return true
        case (.byte, .decimal), (.short, .decimal), (.integer, .decimal): return digits(10)
        case (.long, .decimal): return digits(20)
        case (.decimal(let precision, let scale), .decimal(let wide, let places)):
            return places >= scale && wide - places >= precision - scale
        default: return false
        }
    }
}

extension DeltaField {
    static let typeChangesKey = "delta.typeChanges"

    /// The same column with a wider type, and the change noted.
    package func widened(to type: DeltaType) -> DeltaField {
        var field = self
        var changes = metadataValue(Self.typeChangesKey)?.arrayValue ?? []
        changes.append(["fromType": self.type.json, "toType": type.json])
        field.metadata.removeAll { $0.key == Self.typeChangesKey }
        field.metadata.append(JSONMember(Self.typeChangesKey, .array(changes)))
        field.type = type
        return field
    }

    /// The same column with another comment, default or other entry of its metadata; nil removes it.
    package func setting(_ key: String, _ value: String?) -> DeltaField {
        var field = self
        field.metadata.removeAll { $0.key == key }
        if let value { field.metadata.append(JSONMember(key, .string(value))) }
        return field
    }
}
