import Base
import Columns
import SQL

/// The catalog's objects as rows of PostgreSQL's catalogs. Objects keep the numbers that the catalog
/// gave them; schemas and tables of the system have fixed ones below those.
struct PostgresRows {
    private let image: CatalogImage

    init(_ image: CatalogImage) { self.image = image }

    private static let owner: Value = .int(10)
    private static let catalogSchema: Int64 = 11
    private static let systemSchemas: [(name: String, oid: Int64)] = [
        ("information_schema", 13_000), ("pg_catalog", catalogSchema), ("weir", 13_001),
    ]
    /// Of PostgreSQL's own catalogs that others refer to.
    private static let classOIDs: [PostgresTable: Int64] = [
        .type: 1247, .attribute: 1249, .procedure: 1255, .relation: 1259, .database: 1262,
        .namespace: 2615, .constraint: 2606, .index: 2610, .description: 2609,
    ]
    private static let databaseOID: Int64 = 5

    // MARK: Relations

    /// A relation as every table here shows it.
    private struct Relation {
        var oid: Int64
        var name: QualifiedName
        var kind: String
        var columns: [Field]
        var comments: [String?]
        var comment: String?
        var owner: String
        var rows: Double
        var query: String
    }

    private var relations: [Relation] {
        let own = image.relations.map { object in
            Relation(
                oid: Int64(object.oid), name: object.name, kind: Self.kind(of: object.kind),
                columns: object.columns.map(\.field), comments: object.columns.map(\.comment),
                comment: object.comment, owner: object.owner,
                rows: image.activity(of: object.name)?.rowCount.map { Double($0) } ?? -1,
                query: object.query)
        }
        func system(_ oid: Int64, _ name: QualifiedName, _ kind: String, _ schema: TableSchema)
            -> Relation
        {
            Relation(
                oid: oid, name: name, kind: kind, columns: schema.fields,
                comments: schema.fields.map { _ in nil }, comment: nil, owner: "weir", rows: -1,
                query: "")
        }
        let weir = SystemTable.allCases.enumerated().map { number, table in
            system(13_100 + Int64(number), table.name, "v", table.schema)
        }
        let postgres = PostgresTable.allCases.enumerated().map { number, table in
            system(
                Self.classOIDs[table] ?? 12_000 + Int64(number), table.name,
                table.name.schema == "pg_catalog" ? "r" : "v", table.schema)
        }
        return own + weir + postgres
    }

    /// Tools list ordinary tables, views and materialized views: a topic is shown as a view.
    private static func kind(of kind: CatalogKind) -> String {
        switch kind {
        case .table, .externalTable: "r"
        case .view, .topic: "v"
        case .streamingTable, .materializedView: "m"
        case .schema: "n"
        }
    }

    private func oid(ofSchema name: String?) -> Int64 {
        let name = name ?? CatalogNames.defaultSchema
        if let system = Self.systemSchemas.first(where: { $0.name == name }) { return system.oid }
        return image.schema(name).map { Int64($0.oid) } ?? 0
    }

    // MARK: Rows

    func rows(of table: PostgresTable) -> [PostgresRow] {
        switch table {
        case .namespace: namespaces
        case .relation: relations.map(relationRow)
        case .attribute: relations.flatMap(attributes)
        case .type: PostgresTypes.rows
        case .procedure: procedures
        case .database: [database]
        case .role: [role]
        case .user: [user]
        case .accessMethod:
            [PostgresRow(["oid": .int(2), "amname": .text("heap"), "amtype": .text("t")])]
        case .description: relations.flatMap(descriptions) + schemaDescriptions
        case .tables: relations.filter { $0.kind == "r" }.map(listedTable)
        case .views: relations.filter { $0.kind == "v" }.map { listedView($0, "view") }
        case .materializedViews:
            relations.filter { $0.kind == "m" }.map { listedView($0, "matview") }
        case .collation: [collation]
        case .tablespace:
            [
                PostgresRow([
                    "oid": .int(1663), "spcname": .text("pg_default"), "spcowner": Self.owner,
                ])
            ]
        case .informationViews: relations.filter { $0.kind == "v" }.map(informationView)
        // Weir has no keys, indexes, triggers, rules, sequences or extensions.
        case .constraint, .index, .indexes, .attributeDefault, .enumeration, .inherits, .trigger,
            .policy, .rewrite, .depend, .sequence, .range, .extensions, .publication,
            .informationConstraints, .informationKeys:
            []
        case .settings, .activity: []
        }
    }

    private var namespaces: [PostgresRow] {
        let own = image.schemas.map { ($0.name.name, Int64($0.oid)) }
        let all = own + Self.systemSchemas.map { ($0.name, $0.oid) }
        return all.map { name, oid in
            PostgresRow(["oid": .int(oid), "nspname": .text(name), "nspowner": Self.owner])
        }
    }

    private func relationRow(_ relation: Relation) -> PostgresRow {
        let no = Value.boolean(false)
        return PostgresRow([
            "oid": .int(relation.oid), "relname": .text(relation.name.name),
            "relnamespace": .int(oid(ofSchema: relation.name.schema)), "reltype": .int(0),
            "reloftype": .int(0), "relowner": Self.owner,
            "relam": .int(relation.kind == "v" ? 0 : 2), "relfilenode": .int(relation.oid),
            "reltablespace": .int(0), "relpages": .int(0), "reltuples": .float(relation.rows),
            "relallvisible": .int(0), "reltoastrelid": .int(0), "relhasindex": no,
            "relisshared": no, "relpersistence": .text("p"), "relkind": .text(relation.kind),
            "relnatts": .int(Int64(relation.columns.count)), "relchecks": .int(0),
            "relhasrules": no, "relhastriggers": no, "relhassubclass": no, "relrowsecurity": no,
            "relforcerowsecurity": no, "relispopulated": .boolean(true),
            "relreplident": .text("n"), "relispartition": no, "relrewrite": .int(0),
            "relfrozenxid": .int(0), "relminmxid": .int(0),
        ])
    }

    private func attributes(_ relation: Relation) -> [PostgresRow] {
        let no = Value.boolean(false)
        return relation.columns.enumerated().map { index, field in
            let type = PostgresTypes.type(of: field.type)
            return PostgresRow([
                "attrelid": .int(relation.oid), "attname": .text(field.name),
                "atttypid": .int(type.oid), "attstattarget": .int(-1),
                "attlen": .int(Int64(type.bytes)), "attnum": .int(Int64(index + 1)),
                "attndims": .int(PostgresTypes.dimensions(of: field.type)),
                "attcacheoff": .int(-1),
                "atttypmod": .int(PostgresTypes.modifier(of: field.type)),
                "attbyval": .boolean(type.bytes > 0 && type.bytes <= 8),
                "attalign": .text(type.bytes == 8 ? "d" : "i"),
                "attstorage": .text(type.bytes > 0 ? "p" : "x"), "attcompression": .text(""),
                "attnotnull": .boolean(!field.isNullable), "atthasdef": no, "atthasmissing": no,
                "attidentity": .text(""), "attgenerated": .text(""), "attisdropped": no,
                "attislocal": .boolean(true), "attinhcount": .int(0),
                "attcollation": .int(field.type == .text ? 100 : 0),
            ])
        }
    }

    private func descriptions(_ relation: Relation) -> [PostgresRow] {
        func row(_ place: Int, _ text: String) -> PostgresRow {
            PostgresRow([
                "objoid": .int(relation.oid), "classoid": .int(1259),
                "objsubid": .int(Int64(place)),
                "description": .text(text),
            ])
        }
        let own = relation.comment.map { [row(0, $0)] } ?? []
        return own
            + relation.comments.enumerated().compactMap { index, text in
                text.map { row(index + 1, $0) }
            }
    }

    private var schemaDescriptions: [PostgresRow] {
        image.schemas.compactMap { schema in
            schema.comment.map { text in
                PostgresRow([
                    "objoid": .int(Int64(schema.oid)), "classoid": .int(2615), "objsubid": .int(0),
                    "description": .text(text),
                ])
            }
        }
    }

    private func listedTable(_ relation: Relation) -> PostgresRow {
        let no = Value.boolean(false)
        return PostgresRow([
            "schemaname": .text(relation.name.schema ?? ""),
            "tablename": .text(relation.name.name), "tableowner": .text(relation.owner),
            "hasindexes": no, "hasrules": no, "hastriggers": no, "rowsecurity": no,
        ])
    }

    private func listedView(_ relation: Relation, _ word: String) -> PostgresRow {
        PostgresRow([
            "schemaname": .text(relation.name.schema ?? ""),
            word + "name": .text(relation.name.name), word + "owner": .text(relation.owner),
            "hasindexes": .boolean(false), "ispopulated": .boolean(true),
            "definition": relation.query.isEmpty ? .null : .text(relation.query),
        ])
    }

    private func informationView(_ relation: Relation) -> PostgresRow {
        PostgresRow([
            "table_catalog": .text(SystemTable.database),
            "table_schema": .text(relation.name.schema ?? ""),
            "table_name": .text(relation.name.name),
            "view_definition": relation.query.isEmpty ? .null : .text(relation.query),
            "check_option": .text("NONE"), "is_updatable": .text("NO"),
            "is_insertable_into": .text("NO"),
        ])
    }

    /// By name only: what a function takes depends on how it is called.
    private var procedures: [PostgresRow] {
        Completion.functionNames.enumerated().map { number, name in
            PostgresRow([
                "oid": .int(14_000 + Int64(number)), "proname": .text(name),
                "pronamespace": .int(Self.catalogSchema), "proowner": Self.owner,
                "prolang": .int(12), "prokind": .text("f"), "proretset": .boolean(false),
                "proisstrict": .boolean(false), "provolatile": .text("s"),
                "prorettype": .int(2276), "prosrc": .text(name), "proargtypes": .list([]),
            ])
        }
    }

    private var database: PostgresRow {
        PostgresRow([
            "oid": .int(Self.databaseOID), "datname": .text(SystemTable.database),
            "datdba": Self.owner, "encoding": .int(6), "datlocprovider": .text("c"),
            "datistemplate": .boolean(false), "datallowconn": .boolean(true),
            "datconnlimit": .int(-1), "datfrozenxid": .int(0), "datminmxid": .int(0),
            "dattablespace": .int(1663), "datcollate": .text("C"), "datctype": .text("C"),
        ])
    }

    private var role: PostgresRow {
        let yes = Value.boolean(true)
        return PostgresRow([
            "oid": Self.owner, "rolname": .text("weir"), "rolsuper": yes, "rolinherit": yes,
            "rolcreaterole": yes, "rolcreatedb": yes, "rolcanlogin": yes,
            "rolreplication": .boolean(false), "rolconnlimit": .int(-1),
            "rolbypassrls": yes,
        ])
    }

    private var user: PostgresRow {
        let yes = Value.boolean(true)
        return PostgresRow([
            "usename": .text("weir"), "usesysid": Self.owner, "usecreatedb": yes, "usesuper": yes,
            "userepl": .boolean(false), "usebypassrls": yes,
        ])
    }

    private var collation: PostgresRow {
        PostgresRow([
            "oid": .int(100), "collname": .text("default"),
            "collnamespace": .int(Self.catalogSchema), "collowner": Self.owner,
            "collprovider": .text("d"), "collisdeterministic": .boolean(true),
            "collencoding": .int(-1),
        ])
    }
}
