import Base
import Catalog
import Columns
import SQL

/// A table that is found in a folder and not in the catalog.
package struct FolderTable: Hashable, Sendable {
    package var schema: String
    package var name: String
    package var format: FolderFormat
    /// From the root of the store on.
    package var path: String

    package init(schema: String, name: String, format: FolderFormat, path: String) {
        self.schema = schema
        self.name = name
        self.format = format
        self.path = path
    }
}

extension Lakehouse {
    /// Gives what was found in folders names in the catalog. Nothing of the files is read yet; one
    /// that can't be read says so when it is asked for.
    package func declare(_ found: [FolderTable]) throws(Problem) {
        let moment = clock().timestamp
        for table in found {
            if catalog.image.schema(table.schema) == nil {
                try catalog.create(
                    CatalogObject(
                        .schema, QualifiedName(table.schema), statement: "", owner: Self.owner,
                        now: moment))
            }
            let name = QualifiedName(schema: table.schema, table.name)
            var object: CatalogObject
            switch table.format {
            case .delta:
                object = CatalogObject(
                    .table, name, statement: "", owner: Self.owner, now: moment)
                object.path = table.path
            case .parquet:
                let path = table.path.split(separator: "'", omittingEmptySubsequences: false)
                    .joined(separator: "''")
                object = CatalogObject(
                    .view, name, statement: "",
                    query: "SELECT * FROM parquet.'\(paths.absolute(path))'", owner: Self.owner,
                    now: moment)
            }
            try catalog.create(object)
        }
    }
}
