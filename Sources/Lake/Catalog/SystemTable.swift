import Base
import Columns
import SQL

/// A table that is computed from the catalog when somebody reads it.
package enum SystemTable: String, CaseIterable, Hashable, Sendable {
    case tables = "weir.tables"
    case topics = "weir.topics"
    case columns = "weir.columns"
    case lineage = "weir.lineage"
    case expectations = "weir.expectations"
    case schemas = "weir.schemas"
    case maintenance = "weir.maintenance"
    /// Known to the process only: its rows come from who runs the queries.
    case queries = "weir.queries"
    case informationSchemata = "information_schema.schemata"
    case informationTables = "information_schema.tables"
    case informationColumns = "information_schema.columns"

    package init?(_ name: QualifiedName) {
        guard let schema = name.schema else { return nil }
        self.init(rawValue: schema + "." + name.name)
    }

    package var name: QualifiedName {
        let parts = rawValue.split(separator: ".")
        return QualifiedName(schema: String(parts[0]), String(parts[1]))
    }

    package var schema: TableSchema {
        func text(_ names: String...) -> [Field] { names.map { Field($0, .text) } }
        func number(_ names: String...) -> [Field] { names.map { Field($0, .int64) } }
        func moment(_ names: String...) -> [Field] { names.map { Field($0, .timestampTZ) } }
        switch self {
        case .tables:
            return TableSchema(
                text("table_schema", "table_name", "kind", "layer", "owner", "comment")
                    + number("row_count", "file_count", "bytes", "version")
                    + moment("last_commit")
                    + [Field("staleness", .interval), Field("partition_columns", .list(.text))]
                    + text("path", "problem", "tags", "properties") + moment("created", "changed"))
        case .topics:
            return TableSchema(
                text("topic_name", "owner", "comment")
                    + [Field("key_columns", .list(.text))] + number("column_count")
                    + text("properties") + moment("created"))
        case .columns:
            return TableSchema(
                text("table_schema", "table_name", "column_name") + number("position")
                    + text("data_type") + [Field("is_nullable", .boolean)]
                    + [Field("is_partition_column", .boolean)] + text("comment"))
        case .lineage:
            return TableSchema(text("source", "source_kind", "target", "target_kind"))
        case .expectations:
            return TableSchema(
                text("table_schema", "table_name", "expectation", "condition", "action")
                    + number("checked", "violations"))
        case .schemas:
            return TableSchema(
                text("schema_name", "owner", "comment") + number("relation_count"))
        case .maintenance:
            return TableSchema(
                text("table_schema", "table_name")
                    + number("checkpoints", "merges", "files_merged", "files_removed", "dropped")
                    + moment("last_run") + text("problem"))
        case .queries:
            return TableSchema(
                text("id", "text", "username", "state") + moment("started")
                    + [Field("seconds", .float64)]
                    + number("rows", "files_read", "bytes_read", "memory_bytes")
                    + text("error", "error_message"))
        case .informationSchemata:
            return TableSchema(
                text("catalog_name", "schema_name", "schema_owner", "default_character_set_name"))
        case .informationTables:
            return TableSchema(
                text("table_catalog", "table_schema", "table_name", "table_type")
                    + text("is_insertable_into", "is_typed"))
        case .informationColumns:
            return TableSchema(
                text("table_catalog", "table_schema", "table_name", "column_name")
                    + [Field("ordinal_position", .int32)]
                    + text("column_default", "is_nullable", "data_type")
                    + [
                        Field("character_maximum_length", .int32),
                        Field("numeric_precision", .int32), Field("numeric_scale", .int32),
                        Field("datetime_precision", .int32),
                    ] + text("udt_name"))
        }
    }

    /// The name of the database, as PostgreSQL clients see it.
    package static let database = "weir"

    /// The table's rows as `image` has them at `now`, in a fixed order.
    package func rows(_ image: CatalogImage, now: Timestamp) -> ColumnBatch {
        batch(values(image, now))
    }

    /// Rows of this table as a batch.
    package func batch(_ rows: [[Value]]) -> ColumnBatch {
        let fields = schema.fields
        let columns = fields.indices.map { index in
            Column(fields[index].type, rows.map { $0[index] })
        }
        return ColumnBatch(columns: columns, rowCount: rows.count)
    }

    private func values(_ image: CatalogImage, _ now: Timestamp) -> [[Value]] {
        switch self {
        case .tables:
            return image.relations.filter { $0.kind != .topic }.map { Self.table($0, image, now) }
        case .topics:
            return image.relations(kinds: [.topic]).map { topic in
                [
                    .text(topic.name.name), .text(topic.owner), .optional(topic.comment),
                    .texts(topic.keyColumns), .int(Int64(topic.columns.count)),
                    .text(topic.properties.json.text), .moment(topic.created),
                ]
            }
        case .columns: return image.relations.flatMap { Self.columns($0) }
        case .lineage:
            return image.lineageEdges.map { edge in
                [
                    .text("\(edge.source)"), .optional(image.object(edge.source)?.kind.rawValue),
                    .text("\(edge.target)"), .optional(image.object(edge.target)?.kind.rawValue),
                ]
            }
        case .expectations: return image.relations.flatMap { Self.expectations($0, image) }
        case .schemas:
            return image.schemas.map { schema in
                [
                    .text(schema.name.name), .text(schema.owner), .optional(schema.comment),
                    .int(Int64(image.relations(in: schema.name.name).count)),
                ]
            }
        case .maintenance:
            return image.relations.filter { $0.kind.isStored }.map { Self.maintenance($0, image) }
        case .queries: return []
        case .informationSchemata:
            let names = image.schemas.map { ($0.name.name, $0.owner) }
            let system = CatalogNames.systemSchemas.map { ($0, "weir") }
            return (names + system).sorted { $0.0 < $1.0 }.map { name, owner in
                [.text(Self.database), .text(name), .text(owner), .null]
            }
        case .informationTables: return Self.informationTables(image)
        case .informationColumns:
            return image.relations.flatMap { Self.informationColumns($0.name, $0.schema) }
                + SystemTable.allCases.flatMap { Self.informationColumns($0.name, $0.schema) }
        }
    }

    private static func table(
        _ object: CatalogObject, _ image: CatalogImage, _ now: Timestamp
    ) -> [Value] {
        let activity = image.activity(of: object.name)
        let staleness: Value =
            activity?.staleness(at: now).map { milliseconds in
                .interval(Interval(microseconds: milliseconds.multipliedClamped(by: 1000)))
            } ?? .null
        return [
            .text(object.name.schema ?? ""), .text(object.name.name), .text(object.kind.rawValue),
            .optional(object.layer), .text(object.owner), .optional(object.comment),
            .optional(activity?.rowCount), .optional(activity?.fileCount),
            .optional(activity?.bytes), .optional(activity?.version),
            activity?.committed.map { .moment($0) } ?? .null, staleness,
            .texts(object.partitionColumns), .optional(object.path), .optional(activity?.problem),
            .text(object.tags.json.text), .text(object.properties.json.text),
            .moment(object.created), .moment(object.changed),
        ]
    }

    private static func columns(_ object: CatalogObject) -> [[Value]] {
        object.columns.enumerated().map { index, column in
            [
                .text(object.name.schema ?? ""), .text(object.name.name), .text(column.name),
                .int(Int64(index + 1)), .text(column.field.type.sqlName),
                .boolean(column.field.isNullable),
                .boolean(object.partitionColumns.contains(column.name)),
                .optional(column.comment),
            ]
        }
    }

    private static func expectations(
        _ object: CatalogObject, _ image: CatalogImage
    ) -> [[Value]] {
        let activity = image.activity(of: object.name)
        return object.expectations.map { expectation in
            let counts =
                activity?.expectations[expectation.name] ?? CatalogActivity.ExpectationCounts()
            return [
                .text(object.name.schema ?? ""), .text(object.name.name), .text(expectation.name),
                .text(expectation.condition), .text(expectation.action.text),
                .int(counts.checked), .int(counts.violations),
            ]
        }
    }

    private static func maintenance(
        _ object: CatalogObject, _ image: CatalogImage
    ) -> [Value] {
        let care = image.activity(of: object.name)?.care ?? CatalogActivity.Care()
        return [
            .text(object.name.schema ?? ""), .text(object.name.name), .int(care.checkpoints),
            .int(care.merges), .int(care.filesMerged), .int(care.filesRemoved),
            .int(care.dropped), care.lastRun.map { .moment($0) } ?? .null,
            .optional(care.problem),
        ]
    }

    private static func informationTables(_ image: CatalogImage) -> [[Value]] {
        func row(_ name: QualifiedName, _ type: String, _ insertable: Bool) -> [Value] {
            [
                .text(database), .text(name.schema ?? ""), .text(name.name), .text(type),
                .text(insertable ? "YES" : "NO"), .text("NO"),
            ]
        }
        let declared = image.relations.map { object in
            // PostgreSQL's own list leaves materialized views out; tools then miss most of a lake.
            row(
                object.name, object.kind == .view ? "VIEW" : "BASE TABLE",
                object.kind == .table || object.kind == .topic)
        }
        return declared + SystemTable.allCases.map { row($0.name, "VIEW", false) }
    }

    private static func informationColumns(
        _ name: QualifiedName, _ schema: TableSchema
    ) -> [[Value]] {
        schema.fields.enumerated().map { index, field in
            let digits = field.type.numericDigits
            return [
                .text(database), .text(name.schema ?? ""), .text(name.name), .text(field.name),
                .int(Int64(index + 1)), .null, .text(field.isNullable ? "YES" : "NO"),
                .text(field.type.informationName), .null, .optional(digits?.precision),
                .optional(digits?.scale), .optional(field.type.secondsDigits),
                .text(field.type.internalName),
            ]
        }
    }
}

extension Value {
    fileprivate static func optional(_ text: String?) -> Value { text.map { .text($0) } ?? .null }
    fileprivate static func optional(_ number: Int64?) -> Value { number.map { .int($0) } ?? .null }
    fileprivate static func texts(_ texts: [String]) -> Value { .list(texts.map { .text($0) }) }
    fileprivate static func moment(_ moment: Timestamp) -> Value {
        .timestampTZ(microseconds: moment.milliseconds.multipliedClamped(by: 1000))
    }
}

extension Int64 {
    func multipliedClamped(by factor: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: factor)
        return overflow ? (self < 0 ? .min : .max) : product
    }
}

extension ColumnType {
    /// `data_type` of information_schema: no parameters, ARRAY for lists.
    fileprivate var informationName: String {
        switch self {
        case .decimal: "numeric"
        case .list: "ARRAY"
        case .structure, .map: "USER-DEFINED"
        default: sqlName
        }
    }

    /// `udt_name`: PostgreSQL's internal name of the type.
    var internalName: String {
        switch self {
        case .boolean: "bool"
        case .int16: "int2"
        case .int32: "int4"
        case .int64: "int8"
        case .float32: "float4"
        case .float64: "float8"
        case .decimal: "numeric"
        case .text, .null: "text"
        case .binary: "bytea"
        case .date: "date"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timestampTZ: "timestamptz"
        case .interval: "interval"
        case .uuid: "uuid"
        case .json: "jsonb"
        case .list(let element): "_" + element.internalName
        case .variant: "variant"
        case .structure: "record"
        case .map: "jsonb"
        }
    }

    fileprivate var numericDigits: (precision: Int64, scale: Int64?)? {
        switch self {
        case .int16: (16, 0)
        case .int32: (32, 0)
        case .int64: (64, 0)
        case .float32: (24, nil)
        case .float64: (53, nil)
        case .decimal(let precision, let scale): (Int64(precision), Int64(scale))
        default: nil
        }
    }

    fileprivate var secondsDigits: Int64? {
        switch self {
        case .time, .timestamp, .timestampTZ, .interval: 6
        case .date: 0
        default: nil
        }
    }
}
