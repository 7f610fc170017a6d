/// A name as written once, after case folding.
package struct Identifier: Hashable, Sendable {
    package var name: String
    /// UTF-8 bytes from the start of the text.
    package var position: Int

    package init(_ name: String, position: Int) {
        self.name = name
        self.position = position
    }
}

/// Formats of files that a query can read by their path: `delta.'path'`.
package enum FolderFormat: String, CaseIterable, Hashable, Sendable {
    case delta, parquet, csv
    /// One JSON object a line.
    case json

    /// How names of such files end; a Delta table is a folder.
    package var endings: [String] {
        switch self {
        case .delta: []
        case .parquet: [".parquet"]
        case .csv: [".csv"]
        case .json: [".json", ".jsonl", ".ndjson"]
        }
    }

    /// The format that the name of a file says; nil when it says none.
    package init?(fileName: String) {
        guard
            let format = Self.allCases.first(where: { format in
                format.endings.contains { fileName.hasSuffix($0) }
            })
        else { return nil }
        self = format
    }
}

/// A dotted name of a relation, function or schema member.
package struct ObjectName: Hashable, Sendable {
    /// One to three parts.
    package var parts: [Identifier]

    package init(_ parts: [Identifier]) {
        precondition(!parts.isEmpty, "a name has a part")
        self.parts = parts
    }

    package var position: Int { parts[0].position }
    package var last: String { parts[parts.count - 1].name }

    /// The name without its database.
    package var qualified: QualifiedName {
        QualifiedName(schema: parts.count > 1 ? parts[parts.count - 2].name : nil, last)
    }

    package var database: String? { parts.count > 2 ? parts[0].name : nil }

    /// The parts with dots between, unquoted, as messages show them.
    package var text: String { parts.map(\.name).joined(separator: ".") }
}

/// A type as written: `numeric(12, 2)`, `text[]`, `timestamp with time zone`.
package struct TypeName: Hashable, Sendable {
    /// Lower case, several words joined by one blank, schema `pg_catalog` dropped.
    package var name: String
    package var arguments: [Int]
    package var dimensions: Int
    /// Of `map(key, value)`, `struct(name type, …)`.
    package var members: [Member]
    package var position: Int

    package struct Member: Hashable, Sendable {
        package var name: String
        package var type: TypeName

        package init(name: String, type: TypeName) {
            self.name = name
            self.type = type
        }
    }

    package init(
        _ name: String, arguments: [Int] = [], dimensions: Int = 0, members: [Member] = [],
        position: Int
    ) {
        self.name = name
        self.arguments = arguments
        self.dimensions = dimensions
        self.members = members
        self.position = position
    }
}
