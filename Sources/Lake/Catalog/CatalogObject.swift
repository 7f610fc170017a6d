import Base
import Columns
import SQL

/// What an object of the catalog is.
package enum CatalogKind: String, CaseIterable, Hashable, Sendable {
    case schema
    /// A topic with declared columns.
    case topic
    case streamingTable = "streaming_table"
    case view
    case materializedView = "materialized_view"
    /// A table whose rows come from INSERT.
    case table
    /// A Delta table that somebody else writes, at a path of its own.
    case externalTable = "external_table"

    /// As in SQL, lower case: "streaming table".
    package var words: String {
        switch self {
        case .schema: "schema"
        case .topic: "topic"
        case .streamingTable: "streaming table"
        case .view: "view"
        case .materializedView: "materialized view"
        case .table: "table"
        case .externalTable: "external table"
        }
    }

    /// True when its rows are a Delta table.
    package var isStored: Bool {
        switch self {
        case .streamingTable, .materializedView, .table, .externalTable: true
        case .schema, .topic, .view: false
        }
    }
}

/// A column with what people say about it.
package struct CatalogColumn: Hashable, Sendable {
    package var field: Field
    package var comment: String?

    package init(_ field: Field, comment: String? = nil) {
        self.field = field
        self.comment = comment
    }

    package var name: String { field.name }
}

/// A rule that rows of a table must keep.
package struct CatalogExpectation: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// The row is kept and counted.
        case keep
        case dropRow
        case failUpdate
        case quarantine(into: QualifiedName)

        package var text: String {
            switch self {
            case .keep: "keep"
            case .dropRow: "drop row"
            case .failUpdate: "fail update"
            case .quarantine(let table): "quarantine into \(table)"
            }
        }
    }

    package var name: String
    /// The condition as written.
    package var condition: String
    package var action: Action

    package init(name: String, condition: String, action: Action = .keep) {
        self.name = name
        self.condition = condition
        self.action = action
    }
}

/// Something that a statement declared: a schema, topic, table or view.
package struct CatalogObject: Hashable, Sendable {
    package let kind: CatalogKind
    /// With its schema; a schema itself has none.
    package var name: QualifiedName
    /// The number that PostgreSQL clients know the object by; never reused.
    package var oid: UInt32
    /// The statement that declared it, as written.
    package var statement: String
    /// The query behind it, as written; empty without one.
    package var query: String
    package var owner: String
    package var comment: String?
    package var tags: OrderedMap<String, String> = [:]
    package var columns: [CatalogColumn]
    /// Columns that `*` leaves out.
    package var hiddenColumns: [Field] = []
    /// Settings by the names of the statement's WITH list.
    package var properties: OrderedMap<String, String> = [:]
    package var expectations: [CatalogExpectation] = []
    package var partitionColumns: [String] = []
    package var clusterColumns: [String] = []
    /// The columns that make a topic's key.
    package var keyColumns: [String] = []
    /// What the object reads: its upstream in the lineage.
    package var sources: [QualifiedName] = []
    /// The folder of its Delta table under the lake's root; nil when it has none.
    package var path: String?
    package var created: Timestamp
    package var changed: Timestamp

    package init(
        _ kind: CatalogKind, _ name: QualifiedName, oid: UInt32 = 0, statement: String,
        query: String = "", owner: String, columns: [CatalogColumn] = [], now: Timestamp
    ) {
        self.kind = kind
        self.name = name
        self.oid = oid
        self.statement = statement
        self.query = query
        self.owner = owner
        self.columns = columns
        created = now
        changed = now
    }

    /// The name of the layer when the schema is one of the three that people call so.
    package var layer: String? {
        guard kind != .schema, let schema = name.schema,
            CatalogNames.layers.contains(schema)
        else { return nil }
        return schema
    }

    package var schema: TableSchema { TableSchema(columns.map(\.field)) }
}

/// The fixed names of the catalog.
package enum CatalogNames {
    /// Where objects without a schema live, as in PostgreSQL.
    package static let defaultSchema = "public"
    package static let layers = ["bronze", "silver", "gold"]
    /// Schemas that are computed and cannot be created.
    package static let systemSchemas = ["information_schema", "pg_catalog", "weir"]
    /// Where the numbers of user objects begin in PostgreSQL.
    package static let firstOID: UInt32 = 16_384
}
