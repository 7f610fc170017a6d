/// A name of one to three parts (`table`, `schema.table`, `database.schema.table`), as stored: case
/// folding has happened.
package struct QualifiedName: Hashable, Comparable, Sendable {
    /// Nil when the name was given without one; the catalog then looks in its search path.
    package var schema: String?
    package var name: String

    package init(schema: String? = nil, _ name: String) {
        self.schema = schema
        self.name = name
    }

    package static func < (left: QualifiedName, right: QualifiedName) -> Bool {
        (left.schema ?? "", left.name) < (right.schema ?? "", right.name)
    }
}

extension QualifiedName: CustomStringConvertible {
    package var description: String {
        if let schema { "\(schema).\(name)" } else { name }
    }

    /// The name as SQL text that reads back as the same name.
    package var sql: String {
        let last = quotedIdentifier(name)
        return if let schema { quotedIdentifier(schema) + "." + last } else { last }
    }
}

/// `name` as it must be written in SQL: bare if it folds to itself and is no reserved word.
package func quotedIdentifier(_ name: String) -> String {
    var isBare = !name.isEmpty
    for (position, byte) in name.utf8.enumerated() {
        switch byte {
        case 0x61...0x7A, 0x5F: continue
        case 0x30...0x39 where position > 0: continue
        default: isBare = false
        }
    }
    if isBare, Keyword(rawValue: name)?.isReserved != true { return name }
    return "\""
        + name.split(separator: "\"", omittingEmptySubsequences: false)
        .joined(separator: "\"\"") + "\""
}

/// `text` as a string of a statement.
package func quotedLiteral(_ text: String) -> String {
    "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
}
