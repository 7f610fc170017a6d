import Catalog
import SQL

/// Topics have flat names in the broker and live in a schema of the catalog: one in the default
/// schema has its own name, another is `schema.name`, which is a valid topic name too.
enum TopicNames {
    static func topic(of object: CatalogObject) -> String { topic(of: object.name) }

    static func topic(of name: QualifiedName) -> String {
        guard let schema = name.schema, schema != CatalogNames.defaultSchema else {
            return name.name
        }
        return "\(schema).\(name.name)"
    }
}
