// CREATE TABLE: a Delta table whose rows come from INSERT, or at once from a query.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL

extension Lakehouse {
    func createTable(
        _ table: CreateTable, _ text: String, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let tag = "CREATE TABLE"
        let name = table.name.qualified
        if table.ifNotExists, catalog.image.object(name) != nil { return skipped(name, tag) }
        if let source = table.clone { return try clone(source, table, text, options) }
        if let key = table.primaryKey.first {
            throw Problem(
                "0A000", "PRIMARY KEY of a table is not supported yet",
                hint: "rows are not checked against each other: use MERGE", position: key.position)
        }
        var object = CatalogObject(
            .table, name, statement: text, query: "", owner: Self.owner,
            now: clock().timestamp)
        object.partitionColumns = table.partitionedBy.map(\.name)
        for option in table.options {
            object.properties[try Self.settingName(option)] = option.text
        }
        var plan: LogicalPlan?
        if let query = table.query {
            let bound = try self.plan(query)
            object.columns = try outputColumns(bound.schema, declared: table.columns)
            plan = bound
        } else {
            object.columns = try columns(table.columns)
        }
        let metadata = try columnMetadata(table.columns, object.columns)
        for definition in table.columns {
            guard let index = object.columns.firstIndex(where: { $0.name == definition.name.name })
            else { continue }
            object.columns[index].comment = definition.comment
        }
        if table.orReplace, let known = catalog.image.object(name) {
            return try replace(known, by: object, table.clusterBy, metadata, plan, options)
        }
        guard let plan else {
            return try createStored(
                object, ifNotExists: table.ifNotExists, columnMetadata: metadata,
                clusterBy: table.clusterBy, tag)
        }
        // The rows come before the catalog knows the table: who finds it finds them.
        var count: Int64?
        let created = try createStored(
            object, ifNotExists: table.ifNotExists, columnMetadata: metadata,
            clusterBy: table.clusterBy, tag
        ) { delta throws(Problem) in
            count = try self.repeating { () throws(DeltaFailure) in
                var random = self.withRandom { $0.fork() }
                return try self.fill(
                    delta.begin(random: &random), from: plan,
                    .append(partitionBy: object.partitionColumns),
                    numbered: Self.identityColumns(table.columns), options)
            }
        }
        return count.map { StatementAnswer(tag: "SELECT \($0)") } ?? created
    }

    private static func identityColumns(_ definitions: [ColumnDefinition]) -> [String] {
        definitions.compactMap { definition in
            if case .identity = definition.value { definition.name.name } else { nil }
        }
    }

    /// `CREATE OR REPLACE TABLE` of a table that exists: another description and other rows, in one
    /// version of the same table. Its history stays.
    private func replace(
        _ known: CatalogObject, by wanted: CatalogObject, _ clusterBy: [Identifier],
        _ metadata: OrderedMap<String, [JSONMember]>, _ plan: LogicalPlan?,
        _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        // Checks kind and columns before anything happens.
        _ = try catalog.image.creating(wanted, .orReplace)
        try requireColumns(clusterBy, wanted.schema)
        let table = try self.table(of: known)
        let settings = JSONValue.object(
            wanted.properties.map { JSONMember($0.key, .string($0.value)) })
        let names = JSONValue.array(wanted.partitionColumns.map { .string($0) })
        let operation = CommitOperation(
            plan == nil ? "CREATE OR REPLACE TABLE" : "CREATE OR REPLACE TABLE AS SELECT",
            parameters: [
                JSONMember("isManaged", "true"), JSONMember("description", .null),
                JSONMember("partitionBy", .string(names.text)),
                JSONMember("properties", .string(settings.text)),
            ])
        let count = try repeating { () throws(DeltaFailure) in
            var random = withRandom { $0.fork() }
            var transaction = try table.begin(random: &random)
            try transaction.replaceTable(
                wanted.schema, partitionColumns: wanted.partitionColumns,
                configuration: wanted.properties, columnMetadata: metadata, now: clock())
            let isClustered = try !transaction.snapshot.clusteringColumns().isEmpty
            if isClustered || !clusterBy.isEmpty {
                try transaction.setClustering(clusterBy.map(\.name))
            }
            return try fill(transaction, from: plan, operation, options)
        }
        var object = wanted
        object.path = known.path
        let stored = try catalog.create(object, .orReplace) ?? object
        updateActivity(of: stored)
        return StatementAnswer(tag: plan == nil ? "CREATE TABLE" : "SELECT \(count)")
    }

    /// What the Delta table keeps of the columns' declarations, checked: defaults, expressions of
    /// generated columns, how identity columns count, comments.
    func columnMetadata(
        _ definitions: [ColumnDefinition], _ columns: [CatalogColumn]
    ) throws(Problem) -> OrderedMap<String, [JSONMember]> {
        var metadata: OrderedMap<String, [JSONMember]> = [:]
        let schema = TableSchema(columns.map(\.field))
        for definition in definitions {
            var members: [JSONMember] = []
            if let comment = definition.comment {
                members.append(JSONMember(DeltaField.commentKey, .string(comment)))
            }
            let name = definition.name.name
            let type = schema.fields.first { $0.name == name }?.type ?? .null
            switch definition.value {
            case nil: break
            case .standard(let text, let position):
                try check(default: text, of: type, at: position)
                members.append(JSONMember(DeltaField.defaultKey, .string(text)))
            case .generated(let text, let position):
                let others = TableSchema(
                    schema.fields.filter { field in
                        field.name != name
                            && !definitions.contains {
                                guard case .generated = $0.value else { return false }
                                return $0.name.name == field.name
                            }
                    })
                try check(text, over: others, to: type, at: position)
                members.append(JSONMember(DeltaField.generationKey, .string(text)))
            case .identity(let identity):
                guard type == .int64 else {
                    throw Problem(
                        "22023", "identity column type must be bigint",
                        notes: ["column \"\(name)\" is \(type.sqlName)"],
                        position: identity.position)
                }
                guard identity.step != 0 else {
                    throw Problem(
                        "22023", "INCREMENT must not be zero", position: identity.position)
                }
                members +=
                    IdentityColumn(
                        start: identity.start, step: identity.step,
                        allowsValues: identity.allowsValues
                    ).metadata
            }
            if !members.isEmpty { metadata[name] = members }
        }
        return metadata
    }

    func check(
        default text: String, of type: ColumnType, at position: Int
    ) throws(Problem) {
        try check(text, over: TableSchema([]), to: type, at: position)
    }

    /// Throws when `text` is no expression over `schema` that a column of `type` can take.
    private func check(
        _ text: String, over schema: TableSchema, to type: ColumnType, at position: Int
    ) throws(Problem) {
        do throws(Problem) {
            var binder = Binder(provider: NoRelations())
            _ = try binder.assignable(try Parser.expression(text), over: schema, to: type)
        } catch {
            var problem = error
            problem.position = position + (error.position ?? 0)
            throw problem
        }
    }

    // MARK: CONVERT

    /// `CONVERT TO DELTA parquet.'path'`: the files stay, and a log is put beside them.
    func convert(_ convert: Convert) throws(Problem) -> StatementAnswer {
        guard let folder = try FolderName(convert.name.qualified, of: self),
            folder.format == .parquet
        else {
            throw Problem(
                "42809", "\"\(convert.name.text)\" is no folder of Parquet files",
                hint: "write CONVERT TO DELTA parquet.'path'", position: convert.name.position)
        }
        let partitions = try columns(convert.partitionedBy).map(\.field)
        var random = withRandom { $0.fork() }
        do throws(DeltaFailure) {
            let count = try table(inFolder: folder.path).convert(
                partitionColumns: partitions, collectsStatistics: convert.collectsStatistics,
                random: &random, now: clock())
            return answer("CONVERT", [Field("files", .int64)], [[.int(Int64(count))]])
        } catch {
            var problem = error.statementProblem
            problem.position = convert.name.position
            throw problem
        }
    }

    // MARK: COMMENT

    func comment(
        _ kind: ObjectKind, _ name: ObjectName, _ text: String?
    ) throws(Problem) -> StatementAnswer {
        if kind == .column {
            guard name.parts.count > 1 else {
                throw Problem(
                    "42601", "COMMENT ON COLUMN needs table.column", position: name.position)
            }
            let table = ObjectName(Array(name.parts.dropLast()))
            let column = name.parts[name.parts.count - 1]
            try commentOnColumn(column, of: table, text)
            return done("COMMENT")
        }
        if kind == .table {
            let changed = try changedTable(name, "comment on")
            try changeMetadata(changed, "SET TBLPROPERTIES") { metadata throws(Problem) in
                metadata.comment = text
            }
            if changed.object == nil { return done("COMMENT") }
        }
        try catalog.alter(
            name.qualified, kind: kind == .schema ? .schema : nil, now: clock().timestamp
        ) { object throws(Problem) in object.comment = text }
        return done("COMMENT")
    }

    func commentOnColumn(
        _ column: Identifier, of table: ObjectName, _ text: String?
    ) throws(Problem) {
        let isFolder = try FolderName(table.qualified, of: self) != nil
        let object = isFolder ? nil : try catalog.image.require(table)
        if isFolder || object?.kind.isStored == true {
            let changed = try changedTable(table, "comment on")
            try changeMetadata(changed, "CHANGE COLUMN") { metadata throws(Problem) in
                let index = try metadata.index(of: column)
                metadata.schema.fields[index] = metadata.schema.fields[index].setting(
                    DeltaField.commentKey, text)
            }
        }
        guard object != nil else { return }
        try catalog.alter(table.qualified, now: clock().timestamp) { object throws(Problem) in
            guard let index = object.columns.firstIndex(where: { $0.name == column.name }) else {
                throw Problem(
                    "42703", "column \"\(column.name)\" of \(object.name) does not exist",
                    position: column.position)
            }
            object.columns[index].comment = text
        }
    }
}

extension TableMetadata {
    /// The place of a column, or the error that there is none.
    func index(of column: Identifier) throws(Problem) -> Int {
        if let index = schema.fields.firstIndex(where: { $0.name == column.name }) { return index }
        let names = schema.fields.map(\.name)
        throw Problem(
            "42703", "column \"\(column.name)\" does not exist",
            hint: nearestName(to: column.name, among: names).map { "did you mean \"\($0)\"?" }
                ?? "columns: " + names.joined(separator: ", "), position: column.position)
    }
}
