// CREATE, DROP, ALTER, COMMENT.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams

extension Lakehouse {
    /// Who owns what is created; users come with authentication.
    static let owner = "weir"

    func done(_ tag: String, _ notices: [String] = []) -> StatementAnswer {
        StatementAnswer(tag: tag, notices: notices)
    }

    func skipped(_ name: QualifiedName, _ tag: String) -> StatementAnswer {
        done(tag, ["\(name) already exists, skipping"])
    }

    func mode(ifNotExists: Bool, orReplace: Bool = false) -> CreateMode {
        orReplace ? .orReplace : ifNotExists ? .ifNotExists : .create
    }

    /// `WITH` options as the catalog keeps them.
    func properties(_ options: [StatementOption]) -> OrderedMap<String, String> {
        var map: OrderedMap<String, String> = [:]
        for option in options { map[option.name] = option.text }
        return map
    }

    // MARK: Schemas and topics

    func createSchema(
        _ name: Identifier, ifNotExists: Bool, _ text: String
    ) throws(Problem) -> StatementAnswer {
        let object = CatalogObject(
            .schema, QualifiedName(name.name), statement: text, owner: Self.owner,
            now: clock().timestamp)
        let created = try catalog.create(object, mode(ifNotExists: ifNotExists))
        return created == nil
            ? skipped(object.name, "CREATE SCHEMA") : done("CREATE SCHEMA")
    }

    func createTopic(_ topic: CreateTopic, _ text: String) throws(Problem) -> StatementAnswer {
        guard topic.encoding == .json, topic.format == .plain else {
            throw Problem(
                "0A000",
                "FORMAT \(topic.format.rawValue.uppercased()) ENCODE "
                    + "\(topic.encoding.rawValue.uppercased()) is not supported yet",
                hint: "write FORMAT PLAIN ENCODE JSON", position: topic.name.position)
        }
        if let watermark = topic.watermark {
            throw Problem(
                "0A000", "WATERMARK is not supported yet",
                hint: "leave it out: streaming tables keep every record",
                position: watermark.column.position)
        }
        var object = CatalogObject(
            .topic, topic.name.qualified, statement: text, owner: Self.owner,
            columns: try columns(topic.columns).map { column in
                // Payloads are JSON, and so is what a variant would hold.
                var column = column
                if column.field.type == .variant { column.field.type = .json }
                return column
            }, now: clock().timestamp)
        object.hiddenColumns = TopicColumns.fields
        object.properties = properties(topic.options)
        object.keyColumns = topic.key.map(\.name)
        if topic.ifNotExists, catalog.image.object(object.name) != nil {
            return skipped(object.name, "CREATE TOPIC")
        }
        let (settings, partitions, notices) = try topicSettings(topic.options)
        // The catalog's checks come first: the node must not get a topic that cannot be declared.
        let prepared = try catalog.image.creating(object)
        guard let full = prepared.put.first else { return skipped(object.name, "CREATE TOPIC") }
        _ = try port.call(
            .createTopic(
                name: TopicNames.topic(of: full.name), partitions: partitions, configs: settings))
        guard try catalog.create(object, mode(ifNotExists: topic.ifNotExists)) != nil else {
            return skipped(object.name, "CREATE TOPIC")
        }
        return done("CREATE TOPIC", notices)
    }

    private func topicSettings(
        _ options: [StatementOption]
    ) throws(Problem) -> (settings: [TopicSetting], partitions: Int32?, notices: [String]) {
        let known = [
            "partitions", "replication", "retention", "retention_bytes", "cleanup", "compression",
            "segment_bytes", "max_message_bytes",
        ]
        try OptionValues.check(
            options.filter { !$0.name.contains(".") }, known: known, of: "CREATE TOPIC")
        var settings: [TopicSetting] = []
        var partitions: Int32?
        var notices: [String] = []
        for option in options {
            switch option.name {
            case "partitions":
                guard let count = Int32(option.text), count > 0,
                    count <= Int32(Limits.partitionsPerTopic)
                else {
                    throw Problem(
                        "22023",
                        "partitions must be a whole number from 1 to "
                            + "\(Limits.partitionsPerTopic), found \(option.text)",
                        position: option.position)
                }
                partitions = count
            case "replication":
                guard let factor = Int(option.text), factor > 0 else {
                    throw Problem(
                        "22023",
                        "replication must be a positive whole number, found \(option.text)",
                        position: option.position)
                }
                if sharing != nil {
                    notices.append(
                        "replication is what default.replication.factor of the brokers says")
                } else if factor > 1 {
                    notices.append("replication \(factor) is kept as 1: this cluster has one node")
                }
            case "retention":
                settings.append(
                    TopicSetting(
                        "retention.ms", "\(try OptionValues.duration(option.text) / 1000)"))
            case "retention_bytes": settings.append(TopicSetting("retention.bytes", option.text))
            case "cleanup": settings.append(TopicSetting("cleanup.policy", option.text))
            case "compression": settings.append(TopicSetting("compression.type", option.text))
            case "segment_bytes": settings.append(TopicSetting("segment.bytes", option.text))
            case "max_message_bytes":
                settings.append(TopicSetting("max.message.bytes", option.text))
            default:
                // A name with dots is one of the broker's own, checked there.
                settings.append(TopicSetting(option.name, option.text))
            }
        }
        return (settings, partitions, notices)
    }

    func columns(
        _ definitions: [ColumnDefinition]
    ) throws(Problem) -> [CatalogColumn] {
        var columns: [CatalogColumn] = []
        for definition in definitions {
            columns.append(
                CatalogColumn(
                    Field(
                        definition.name.name, try columnType(definition.type),
                        isNullable: !definition.isNotNull)))
        }
        return columns
    }

    // MARK: Tables and views

    func createStreamingTable(
        _ table: CreateStreamingTable, _ text: String
    ) throws(Problem) -> StatementAnswer {
        let tag = "CREATE STREAMING TABLE"
        if table.orReplace {
            throw Problem(
                "0A000", "CREATE OR REPLACE STREAMING TABLE is not supported yet",
                hint:
                    "DROP STREAMING TABLE \(table.name.text) first; it is filled again from its topic"
            )
        }
        let name = table.name.qualified
        if table.ifNotExists, catalog.image.object(name) != nil { return skipped(name, tag) }
        try OptionValues.check(
            table.options, known: ["commit_interval"], of: "CREATE STREAMING TABLE")
        for option in table.options where option.name == "commit_interval" {
            guard try OptionValues.duration(option.text) >= 100_000 else {
                throw Problem(
                    "22023", "commit_interval must be at least 100 ms", position: option.position)
            }
        }
        var object = CatalogObject(
            .streamingTable, name, statement: text, query: table.queryText, owner: Self.owner,
            now: clock().timestamp)
        object.properties = properties(table.options)
        object.partitionColumns = table.partitionedBy.map(\.name)
        object.expectations = try expectations(table.expectations)
        if let query = table.query {
            let streaming = try StreamingPlan(plan(query))
            object.columns = try outputColumns(streaming.schema, declared: table.columns)
            object.sources = [streaming.source]
            // Binds the rules now, so that a wrong one is refused with the statement.
            _ = try expectations(
                object.expectations.map {
                    ExpectationSet.Rule(
                        name: $0.name, text: $0.condition, action: $0.action.epochAction)
                }, columns: streaming.schema.fields)
        } else {
            guard table.expectations.isEmpty else {
                throw Problem(
                    "42601", "a streaming table without a query has no rows to check",
                    position: table.name.position)
            }
            object.columns = try columns(table.columns)
        }
        return try createStored(
            object, ifNotExists: table.ifNotExists, clusterBy: table.clusterBy, tag)
    }

    private func expectations(
        _ list: [Expectation]
    ) throws(Problem) -> [CatalogExpectation] {
        var result: [CatalogExpectation] = []
        for expectation in list {
            let action: CatalogExpectation.Action
            switch expectation.violation {
            case .keep: action = .keep
            case .dropRow: action = .dropRow
            case .failUpdate: action = .failUpdate
            case .quarantine(let target):
                let table = try catalog.image.require(target)
                guard table.kind == .streamingTable, table.query.isEmpty else {
                    throw Problem(
                        "42809", "rows cannot be quarantined into \(table.name)",
                        notes: ["it must be a streaming table without a query"],
                        hint: "CREATE STREAMING TABLE \(target.text) (at timestamptz, target text, "
                            + "rule text, source_topic text, \"partition\" integer, "
                            + "\"offset\" bigint, row jsonb)",
                        position: target.position)
                }
                action = .quarantine(into: table.name)
            }
            result.append(
                CatalogExpectation(
                    name: expectation.name.name, condition: expectation.text, action: action))
        }
        return result
    }

    /// The columns that a query gives, which must be what was declared, if anything was.
    func outputColumns(
        _ schema: TableSchema, declared: [ColumnDefinition]
    ) throws(Problem) -> [CatalogColumn] {
        let declaredColumns = try columns(declared)
        if !declaredColumns.isEmpty, declaredColumns.map(\.field.type) != schema.fields.map(\.type)
        {
            throw Problem(
                "42804", "the declared columns are not those of the query",
                notes: [
                    "declared: "
                        + declaredColumns.map { "\($0.name) \($0.field.type.sqlName)" }.joined(
                            separator: ", "),
                    "query: "
                        + schema.fields.map { "\($0.name) \($0.type.sqlName)" }.joined(
                            separator: ", "),
                ], hint: "leave the column list out, or add casts to the query")
        }
        if !declaredColumns.isEmpty { return declaredColumns }
        for field in schema.fields where field.type == .null {
            throw Problem(
                "42P16", "column \"\(field.name)\" has no type", hint: "cast it: NULL::text")
        }
        return schema.fields.map { CatalogColumn(Field($0.name, $0.type)) }
    }

    func createView(_ view: CreateView, _ text: String) throws(Problem) -> StatementAnswer {
        let name = view.name.qualified
        if view.ifNotExists, catalog.image.object(name) != nil {
            return skipped(name, "CREATE VIEW")
        }
        let plan = try plan(view.query)
        var object = CatalogObject(
            .view, name, statement: text, query: view.queryText, owner: Self.owner,
            columns: plan.schema.fields.map { CatalogColumn($0) }, now: clock().timestamp)
        if !view.columns.isEmpty {
            throw Problem(
                "0A000", "column names of a view are not supported yet",
                hint: "name them in the query: SELECT a AS b", position: view.columns[0].position)
        }
        object.sources = try sources(of: view.query)
        let created = try catalog.create(
            object, mode(ifNotExists: view.ifNotExists, orReplace: view.orReplace))
        return created == nil ? skipped(name, "CREATE VIEW") : done("CREATE VIEW")
    }

    func createMaterializedView(
        _ view: CreateMaterializedView, _ text: String
    ) throws(Problem) -> StatementAnswer {
        let tag = "CREATE MATERIALIZED VIEW"
        let name = view.name.qualified
        guard view.refreshPolicy == .full else {
            let written = view.refreshPolicy.map { "REFRESH POLICY \($0.rawValue.uppercased())" }
            throw Problem(
                "0A000",
                written.map { "\($0) is not supported yet" }
                    ?? "a materialized view without REFRESH POLICY would be incremental, which is "
                    + "not supported yet",
                hint:
                    "write REFRESH POLICY FULL: the view is computed anew on its refresh_interval "
                    + "when an input has changed", position: view.position)
        }
        if view.orReplace {
            throw Problem(
                "0A000", "CREATE OR REPLACE MATERIALIZED VIEW is not supported yet",
                hint: "DROP MATERIALIZED VIEW \(view.name.text) first")
        }
        if view.ifNotExists, catalog.image.object(name) != nil { return skipped(name, tag) }
        try OptionValues.check(view.options, known: ["refresh_interval"], of: tag)
        for option in view.options where option.name == "refresh_interval" {
            guard try OptionValues.duration(option.text) >= 100_000 else {
                throw Problem(
                    "22023", "refresh_interval must be at least 100 ms", position: option.position)
            }
        }
        let plan = try plan(view.query)
        var object = CatalogObject(
            .materializedView, name, statement: text, query: view.queryText, owner: Self.owner,
            now: clock().timestamp)
        object.columns = try outputColumns(plan.schema, declared: [])
        object.properties = properties(view.options)
        object.partitionColumns = view.partitionedBy.map(\.name)
        object.sources = try sources(of: view.query)
        return try createStored(object, ifNotExists: view.ifNotExists, tag)
    }

    /// The full names of what a query reads, in order; a view is named and not looked into.
    private func sources(of query: Query) throws(Problem) -> [QualifiedName] {
        let recorder = NameRecorder(LakeRelations(lake: self))
        var binder = Binder(provider: recorder)
        _ = try binder.plan(query)
        return recorder.names
    }

    /// Creates the Delta table, fills it, then makes the catalog entry and starts the job. Of a
    /// crash in between the next start removes what nothing refers to, see `FolderNotes.swift`.
    func createStored(
        _ object: CatalogObject, ifNotExists: Bool,
        columnMetadata: OrderedMap<String, [JSONMember]> = [:], clusterBy: [Identifier] = [],
        cloning source: CloneInput? = nil, _ tag: String,
        filledBy fill: ((DeltaTable) throws(Problem) -> Void)? = nil
    ) throws(Problem) -> StatementAnswer {
        var object = object
        try requirePlace()
        guard
            let checked = try catalog.image.creating(object, mode(ifNotExists: ifNotExists)).put
                .first
        else { return skipped(object.name, tag) }
        var path = paths.folder(
            schema: checked.name.schema ?? CatalogNames.defaultSchema, table: checked.name.name)
        let schema = TableSchema(object.columns.map(\.field))
        try requireColumns(clusterBy, schema)
        var settings: OrderedMap<String, String> = [:]
        if object.kind == .materializedView { settings = DeltaTable.overwrittenConfiguration }
        if object.kind == .table { settings = object.properties }
        let moment = clock()
        var random = withRandom { $0.fork() }
        do throws(StorageFailure) {
            // A folder of its own: what lies in another one is somebody else's. In a cluster it was never
            // another one's: who does not know yet that that table is gone must not write into this one.
            let isTaken = try !store.list(path, recursive: true).isEmpty
            if sharing != nil || isTaken {
                path += "-" + random.uuid().description.prefix(8)
            }
        } catch {
            throw DeltaFailure.storage(error).problem
        }
        try noteFolder(path)
        do throws(DeltaFailure) {
            let table = openTable(path)
            if let source {
                _ = try table.clone(
                    source.table, at: source.snapshot, named: source.name, name: object.name.name,
                    settings: source.settings, replaces: false, random: &random, now: moment)
            } else {
                try table.create(
                    schema, partitionColumns: object.partitionColumns, configuration: settings,
                    name: object.name.name, comment: object.comment,
                    columnMetadata: columnMetadata, clusterBy: clusterBy.map(\.name),
                    random: &random, now: moment)
            }
            // Without its rows the table is not what was asked for.
            try running { () throws(Problem) in try fill?(table) }
        } catch {
            // A table that somebody else has made there meanwhile is not ours to delete.
            if case .tableExists = error { forgetFolder(path) } else { discardFolder(path) }
            throw error.statementProblem
        }
        object.path = path
        guard let created = try catalog.create(object, mode(ifNotExists: ifNotExists)) else {
            discardFolder(path)
            return skipped(object.name, tag)
        }
        forgetFolder(path)
        // The job comes last: a view has its first content when the statement returns, and two
        // refreshes at the same time would contradict each other.
        defer { startJob(of: created) }
        if created.kind == .materializedView {
            _ = try refresh(created, isForced: true)
        } else {
            updateActivity(of: created)
        }
        return done(tag)
    }

    func refreshView(_ name: ObjectName) throws(Problem) -> StatementAnswer {
        let object = try catalog.image.require(name)
        guard object.kind == .materializedView else {
            throw Problem(
                "42809", "\"\(object.name)\" is not a materialized view",
                notes: ["it is a \(object.kind.words)"], position: name.position)
        }
        _ = try refresh(object, isForced: true)
        return done("REFRESH MATERIALIZED VIEW")
    }

    // MARK: Drop, alter, comment

    func drop(_ drop: Drop) throws(Problem) -> StatementAnswer {
        let kind = drop.kind.catalogKind
        let names = drop.names.map(\.qualified)
        let doomed = try catalog.image.dropping(
            names, kind: kind, ifExists: drop.ifExists, cascade: drop.cascade
        ).removed
        for object in doomed where object.kind != .externalTable {
            if let path = object.path { try noteFolder(path) }
        }
        let removed = try catalog.drop(
            names, kind: kind, ifExists: drop.ifExists, cascade: drop.cascade)
        for object in removed {
            stopJob(of: object)
            forgetTable(object.name)
            if object.kind == .topic {
                _ = try port.call(.deleteTopic(name: TopicNames.topic(of: object)))
            }
            if let path = object.path, object.kind != .externalTable {
                try deleteFiles(path)
                forgetFolder(path)
            }
        }
        let notices =
            removed.isEmpty
            ? ["there was nothing to drop, skipping"]
            : removed.count > drop.names.count
                ? ["dropped: " + removed.map { "\($0.name)" }.joined(separator: ", ")] : []
        return done("DROP \(drop.kind.words)", notices)
    }

    func deleteFiles(_ path: String) throws(Problem) {
        do throws(StorageFailure) {
            try store.delete(all: try store.list(path, recursive: true).map(\.path))
        } catch {
            throw Problem(
                "58030", "the files of \(path) could not all be deleted", notes: ["\(error)"],
                hint: "nothing refers to them any more: they may be deleted by hand")
        }
    }

    /// `ALTER TABLE … RENAME TO`, also of views. The files stay where they are.
    private func rename(
        _ kind: ObjectKind, _ name: ObjectName, to newName: Identifier
    ) throws(Problem) {
        guard kind == .table || kind == .view else {
            throw Problem(
                "0A000", "ALTER \(kind.words) … RENAME is not supported yet",
                hint: "drop the object and create it under another name", position: name.position)
        }
        let object = try catalog.image.require(name)
        let fitting: [CatalogKind] = kind == .view ? [.view] : [.table, .externalTable]
        guard fitting.contains(object.kind) else {
            throw Problem(
                "0A000", "a \(object.kind.words) cannot be renamed",
                notes: ["what it has read of its sources is kept under its name"],
                hint: "create it under the other name", position: name.position)
        }
        do throws(Problem) {
            try catalog.rename(object.name, to: newName.name, now: clock().timestamp)
        } catch {
            var problem = error
            problem.position = problem.position ?? newName.position
            throw problem
        }
        forgetTable(object.name)
    }

    func alter(
        _ kind: ObjectKind, _ name: ObjectName, _ action: AlterAction
    ) throws(Problem) -> StatementAnswer {
        let moment = clock().timestamp
        let catalogKind: CatalogKind? = kind == .schema ? .schema : nil
        switch action {
        case .ownerTo(let owner):
            try catalog.alter(name.qualified, kind: catalogKind, now: moment) {
                object throws(Problem) in object.owner = owner
            }
        case .setTag(let tag, let value):
            try catalog.alter(name.qualified, kind: catalogKind, now: moment) {
                object throws(Problem) in object.tags[tag] = value
            }
        case .unsetTag(let tag):
            try catalog.alter(name.qualified, kind: catalogKind, now: moment) {
                object throws(Problem) in object.tags[tag] = nil
            }
        case .setOptions(let options):
            guard kind == .table else {
                throw Problem(
                    "0A000", "ALTER \(kind.words) … SET (…) is not supported yet",
                    hint: "drop the object and create it with other options")
            }
            try setTableSettings(name, options)
        case .addConstraint(let constraint, let condition, let position):
            try addConstraint(name, constraint, condition, position)
        case .dropConstraint(let constraint, let ifExists):
            try dropConstraint(name, constraint, ifExists: ifExists)
        case .unsetOptions(let names, let ifExists):
            try unsetTableSettings(name, names, ifExists: ifExists)
        case .addColumns(let additions, let ifNotExists):
            try addColumns(name, additions, ifNotExists: ifNotExists)
        case .dropColumns(let columns, let ifExists):
            try dropColumns(name, columns, ifExists: ifExists)
        case .renameColumn(let column, let newName):
            try renameColumn(name, column, to: newName)
        case .alterColumn(let column, let change):
            try alterColumn(name, column, change)
        case .clusterBy(let columns): try setClustering(name, columns)
        case .rename(let newName): try rename(kind, name, to: newName)
        }
        return done("ALTER \(kind.words)")
    }
}

/// Notes which relations of the catalog a binder asks for. Views pass for tables, so that it does not
/// go on to what is behind them.
private final class NameRecorder: SchemaProvider {
    private let relations: LakeRelations
    private(set) var names: [QualifiedName] = []

    init(_ relations: LakeRelations) { self.relations = relations }

    func relation(_ name: QualifiedName) throws(Problem) -> RelationDescription? {
        guard var found = try relations.relation(name) else { return nil }
        if found.kind == .view {
            found.kind = .table
            found.viewText = nil
        }
        // Folders have no entry that something could come from.
        let isEntry = relations.lake.catalog.image.object(found.name) != nil
        if isEntry, !names.contains(found.name) { names.append(found.name) }
        return found
    }

    func relationNames() -> [QualifiedName] { relations.relationNames() }
}

extension ObjectKind {
    fileprivate var catalogKind: CatalogKind {
        switch self {
        case .schema: .schema
        case .table, .column: .table
        case .topic: .topic
        case .streamingTable: .streamingTable
        case .view: .view
        case .materializedView: .materializedView
        }
    }
}
