// SQL statements: which one does what to the catalog, the node and the tables.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams

extension Lakehouse: LakeService {
    package func run(
        script: String, options: StatementOptions
    ) throws(Problem) -> [StatementAnswer] {
        var answers: [StatementAnswer] = []
        for statement in try Parser.script(script) {
            do throws(Problem) {
                answers.append(try run(statement, options))
            } catch {
                // In a script of several statements, say which ones were carried out.
                var problem = error
                if !answers.isEmpty {
                    let count = answers.count
                    problem.notes.append(
                        "\(count) statement\(count == 1 ? "" : "s") before it took effect")
                }
                throw problem
            }
        }
        return answers
    }

    private func run(
        _ parsed: ParsedStatement, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        switch parsed.statement {
        case .query(let query): return try select(query, options)
        case .explain(let explain): return try self.explain(explain, options)
        case .insert(let insert): return try self.insert(insert, options)
        case .delete(let delete): return try self.delete(delete, options)
        case .update(let update): return try self.update(update, options)
        case .merge(let merge): return try self.merge(merge, options)
        case .truncate(let truncate): return try self.truncate(truncate)
        case .copy(let copy): return try self.copy(copy, options)
        case .optimize(let optimize): return try self.optimize(optimize)
        case .vacuum(let vacuum): return try self.vacuum(vacuum)
        case .restore(let restore): return try self.restore(restore)
        case .convert(let convert): return try self.convert(convert)
        case .createSchema(let name, let ifNotExists):
            return try createSchema(name, ifNotExists: ifNotExists, parsed.text)
        case .createTopic(let topic): return try createTopic(topic, parsed.text)
        case .createStreamingTable(let table): return try createStreamingTable(table, parsed.text)
        case .createView(let view): return try createView(view, parsed.text)
        case .createMaterializedView(let view):
            return try createMaterializedView(view, parsed.text)
        case .refreshMaterializedView(let name): return try refreshView(name)
        case .drop(let drop): return try self.drop(drop)
        case .comment(let kind, let name, let text): return try comment(kind, name, text)
        case .alter(let kind, let name, let action): return try alter(kind, name, action)
        case .show(let show): return try self.show(show)
        case .describe(let name, let history): return try describe(name, history: history)
        case .describeDetail(let name): return try describeDetail(name)
        case .describeFiles(let name): return try describeFiles(name)
        case .checkTable(let name): return try checkTable(name)
        case .repairTable(let name, let isDryRun):
            return try repairTable(name, isDryRun: isDryRun)
        case .createTable(let table): return try createTable(table, parsed.text, options)
        case .set, .reset: return StatementAnswer(tag: parsed.statement.tag)
        case .transaction(let command):
            return StatementAnswer(
                tag: command.tag,
                notices: command == .begin
                    ? ["each statement is a transaction of its own: BEGIN groups nothing"] : [])
        case .notSupported(let statement):
            throw Problem(
                "0A000", "\(statement.words) is not supported yet", hint: statement.hint,
                position: statement.position)
        }
    }

    // MARK: Queries

    private func select(
        _ query: Query, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let plan = try plan(query)
        let source = LakeSource(self)
        let context = QueryContext(
            now: clock(), random: withRandom { $0.fork() }, zones: timeZones,
            isCancelled: options.isCancelled)
        let execution = try QueryExecutor.open(plan, source, context)
        var batches: [ColumnBatch] = []
        var left = options.rowLimit
        var isTruncated = false
        while let batch = try execution.next() {
            if batch.rowCount > left {
                if left > 0 { batches.append(batch.slice(0..<left)) }
                isTruncated = true
                break
            }
            left -= batch.rowCount
            batches.append(batch)
        }
        let count = batches.reduce(0) { $0 + $1.rowCount }
        return StatementAnswer(
            tag: "SELECT \(count)", columns: plan.schema.fields, batches: batches,
            isTruncated: isTruncated, scan: source.figures)
    }

    private func explain(
        _ explain: Explain, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        if explain.incremental {
            throw Problem(
                "0A000", "EXPLAIN (INCREMENTAL) is not supported yet",
                hint: "the incremental engine is not built yet; EXPLAIN shows the plan of one run")
        }
        var lines = QueryExecutor.explain(try plan(explain.query))
        if explain.analyze {
            let started = clock()
            let answer = try select(explain.query, options)
            let elapsed = clock().monotonic - started.monotonic
            lines.append("rows: \(answer.rowCount)")
            lines.append(
                "files: \(answer.scan.filesRead) read, \(answer.scan.filesSkipped) skipped by statistics"
            )
            lines.append("time: \(elapsed.wholeNanoseconds / 1000) µs")
        }
        return rows(tag: "EXPLAIN", [Field("QUERY PLAN", .text)], lines.map { [.text($0)] })
    }

    /// INSERT INTO a table, or into a topic, where rows become JSON objects.
    private func insert(
        _ insert: Insert, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        if try FolderName(insert.target.qualified, of: self) != nil {
            return try insertRows(insert, options)
        }
        let object = try catalog.image.require(insert.target.qualified)
        if object.kind == .table || object.kind == .externalTable {
            return try insertRows(insert, options)
        }
        guard object.kind == .topic else {
            throw Problem(
                "42809", "cannot insert into \(object.kind.words) \"\(object.name)\"",
                notes: ["its rows come from elsewhere"],
                hint: "insert into its topic", position: insert.target.position)
        }
        guard insert.mode == .into, insert.partition.isEmpty else {
            throw Problem(
                "42809", "records of topic \"\(object.name)\" cannot be replaced",
                hint: "write INSERT INTO without PARTITION", position: insert.target.position)
        }
        var binder = Binder(provider: LakeRelations(lake: self))
        let bound = try binder.plan(insert)
        let plan = bound.plan
        let context = QueryContext(
            now: clock(), random: withRandom { $0.fork() }, zones: timeZones,
            isCancelled: options.isCancelled)
        let batches = try QueryExecutor.execute(plan, LakeSource(self), context).batches
        var returned = ReturnedRows(options)
        returned.begin(bound.returning, context)
        var records: [NewRecord] = []
        for batch in batches {
            do throws(DeltaFailure) { try returned.add(batch) } catch { throw error.problem }
            for row in 0..<batch.rowCount {
                records.append(record(batch.values(row), plan.schema.fields, object))
            }
        }
        if !records.isEmpty {
            _ = try port.call(.append(topic: TopicNames.topic(of: object), records: records))
        }
        return returned.answer("INSERT 0 \(records.count)")
    }

    /// The row as a JSON object; members that are NULL are left out, as producers do.
    private func record(
        _ values: [Value], _ fields: [Field], _ object: CatalogObject
    ) -> NewRecord {
        var members: [JSONMember] = []
        var key: [String] = []
        for (value, (field, column)) in zip(values, zip(fields, object.columns)) {
            if !value.isNull {
                members.append(JSONMember(column.name, jsonForm(value, field.type)))
            }
            if object.keyColumns.contains(column.name) {
                key.append(textForm(value, field.type) ?? "")
            }
        }
        return NewRecord(
            key: key.isEmpty ? nil : Bytes(utf8: key.joined(separator: "|")),
            value: JSONValue.object(members).serialized())
    }

    // MARK: SHOW and DESCRIBE

    private func show(_ show: Show) throws(Problem) -> StatementAnswer {
        let image = catalog.image
        switch show {
        case .schemas:
            return rows(
                tag: "SHOW", [Field("schema", .text), Field("owner", .text)],
                image.schemas.map { [.text($0.name.name), .text($0.owner)] })
        case .tables(let schema):
            return list(
                image.relations(
                    in: schema, kinds: [.table, .streamingTable, .materializedView, .externalTable])
            )
        case .views(let schema):
            return list(image.relations(in: schema, kinds: [.view, .materializedView]))
        case .topics:
            guard case .topics(let topics) = try port.call(.describeTopics(nil)) else {
                throw unexpectedAnswer("describeTopics")
            }
            return rows(
                tag: "SHOW",
                [
                    Field("topic", .text), Field("partitions", .int64), Field("records", .int64),
                    Field("bytes", .int64),
                ],
                topics.filter { !$0.isInternal }.map { topic in
                    [
                        .text(topic.name), .int(Int64(topic.partitions.count)),
                        .int(
                            topic.partitions.reduce(0) {
                                $0 + ($1.highWatermark - $1.logStartOffset)
                            }),
                        .int(topic.partitions.reduce(0) { $0 + $1.bytes }),
                    ]
                })
        case .functions(let pattern): return try functions(like: pattern)
        case .all:
            return rows(
                tag: "SHOW", [Field("name", .text), Field("setting", .text)],
                Self.settings.map { [.text($0), .text($1)] })
        case .setting(let name):
            guard let value = Self.settings.first(where: { $0.0 == name })?.1 else {
                let near = nearestName(to: name, among: Self.settings.map(\.0))
                throw Problem(
                    "42704", "unrecognized configuration parameter \"\(name)\"",
                    hint: near.map { "did you mean \($0)?" })
            }
            return rows(tag: "SHOW", [Field(name, .text)], [[.text(value)]])
        }
    }

    /// What PostgreSQL clients ask for; none of these can be changed.
    private static let settings: [(String, String)] = [
        ("client_encoding", "UTF8"), ("datestyle", "ISO, MDY"), ("integer_datetimes", "on"),
        ("server_encoding", "UTF8"), ("server_version", "15.0"),
        ("standard_conforming_strings", "on"), ("timezone", "UTC"),
        ("transaction_isolation", "read committed"),
    ]

    /// A row for each way to call a function.
    private func functions(like pattern: String?) throws(Problem) -> StatementAnswer {
        var values: [[Value]] = []
        for entry in FunctionCatalog.entries {
            for name in [entry.name] + entry.aliases {
                if let pattern, try !matchesLike(name, pattern: pattern) { continue }
                for form in entry.forms {
                    values.append([
                        .text(name), .text(form), .text(entry.kind.rawValue),
                        .text(entry.family.rawValue), .text(entry.summary), .text(entry.example),
                        .text(entry.result),
                    ])
                }
            }
        }
        let fields = ["function", "call", "kind", "chapter", "does", "example", "gives"]
        return rows(tag: "SHOW", fields.map { Field($0, .text) }, values)
    }

    private func list(_ objects: [CatalogObject]) -> StatementAnswer {
        let image = catalog.image
        let fields = [
            Field("schema", .text), Field("table", .text), Field("kind", .text),
            Field("version", .int64), Field("rows", .int64), Field("bytes", .int64),
            Field("last_commit", .timestampTZ),
        ]
        return rows(
            tag: "SHOW", fields,
            objects.map { object in
                let activity = image.activity(of: object.name)
                func number(_ value: Int64?) -> Value { value.map { .int($0) } ?? .null }
                return [
                    .text(object.name.schema ?? ""), .text(object.name.name),
                    .text(object.kind.words), number(activity?.version),
                    number(activity?.rowCount), number(activity?.bytes),
                    activity?.committed.map { .timestampTZ(microseconds: $0.milliseconds * 1000) }
                        ?? .null,
                ]
            })
    }

    private func describe(
        _ name: ObjectName, history: Bool
    ) throws(Problem) -> StatementAnswer {
        if history {
            let table = try changedTable(name, "describe").table
            let versions: [HistoryEntry]
            do throws(DeltaFailure) { versions = try table.history(limit: 1000) } catch {
                throw error.problem
            }
            return rows(
                tag: "DESCRIBE",
                [
                    Field("version", .int64), Field("timestamp", .timestampTZ),
                    Field("operation", .text), Field("metrics", .json),
                    Field("parameters", .json), Field("engine", .text),
                ],
                versions.map { version in
                    [
                        .int(version.version),
                        .timestampTZ(microseconds: version.timestamp.milliseconds * 1000),
                        .text(version.operation), .json(JSONValue.object(version.metrics).text),
                        .json(JSONValue.object(version.parameters).text),
                        version.engine.map { .text($0) } ?? .null,
                    ]
                })
        }
        guard let relation = try LakeRelations(lake: self).relation(name.qualified) else {
            throw catalog.image.missing(name.qualified)
        }
        let object = try catalog.image.find(name.qualified)
        return rows(
            tag: "DESCRIBE",
            [
                Field("column", .text), Field("type", .text), Field("nullable", .boolean),
                Field("partition", .boolean), Field("comment", .text),
            ],
            relation.columns.map { field in
                let column = object?.columns.first { $0.name == field.name }
                return [
                    .text(field.name), .text(field.type.sqlName), .boolean(field.isNullable),
                    .boolean(object?.partitionColumns.contains(field.name) ?? false),
                    column?.comment.map { .text($0) } ?? .null,
                ]
            })
    }

    private func rows(tag: String, _ fields: [Field], _ values: [[Value]]) -> StatementAnswer {
        let columns = fields.indices.map { index in
            Column(fields[index].type, values.map { $0[index] })
        }
        return StatementAnswer(
            tag: tag, columns: fields,
            batches: [ColumnBatch(columns: columns, rowCount: values.count)])
    }
}
