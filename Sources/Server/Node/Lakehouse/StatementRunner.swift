// SQL statements: which one does what to the catalog, the node and the tables.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL
import Streams
import Synchronization

extension Lakehouse: LakeService {
    package func run(
        script: String, options: StatementOptions
    ) throws(Problem) -> [StatementAnswer] {
        var answers: [StatementAnswer] = []
        try refreshCatalog()
        let options = options.withSession
        for statement in try Parser.script(script, parameters: options.parameters) {
            do throws(Problem) {
                answers.append(
                    try guarded(statement.statement, options) { () throws(Problem) in
                        try run(statement, options)
                    })
            } catch {
                endRequest(options)
                throw Self.counting(error, after: answers.count)
            }
        }
        endRequest(options)
        return answers
    }

    /// What a request has begun that belongs to no session goes with it.
    private func endRequest(_ options: StatementOptions) {
        if let session = options.session, session.isOfRequest { session.end() }
    }

    /// The notice that a request ends before its transaction.
    private func lostTransaction(_ options: StatementOptions) -> [String] {
        guard let session = options.session, session.isOfRequest, session.transaction != nil
        else { return [] }
        return ["the transaction is rolled back: the request ends before COMMIT"]
    }

    /// In a script of several statements, says which ones were carried out.
    private static func counting(_ problem: Problem, after count: Int) -> Problem {
        guard count > 0 else { return problem }
        var problem = problem
        problem.notes.append(
            "\(count) statement\(count == 1 ? "" : "s") before it took effect")
        return problem
    }

    package func open(
        script: String, options: StatementOptions
    ) throws(Problem) -> StatementCursor {
        let now = clock()
        try refreshCatalog()
        let query = try queries.start(
            id: options.queryID, text: script, user: options.user, now: now,
            newID: { withRandom { $0.uuid().description } })
        do throws(Problem) {
            return try open(script, query, options, from: now.monotonic)
        } catch {
            let explained = query.explained(error)
            queries.finish(query, explained, now: clock().monotonic)
            throw explained
        }
    }

    private func open(
        _ script: String, _ query: RunningQuery, _ options: StatementOptions, from start: Instant
    ) throws(Problem) -> StatementCursor {
        var options = options.withSession
        let watch = QueryWatch(query, clock, isAbandoned: options.isAbandoned)
        options.isCancelled = { watch.mustStop() }
        let statements = try Parser.script(script, parameters: options.parameters)
        guard !statements.isEmpty else {
            throw Problem("42601", "there is no statement to run", hint: "send some SQL")
        }
        let end = options.timeout.map { start + $0 }
        var answers: [StatementAnswer] = []
        for (index, parsed) in statements.enumerated() {
            let own = options.session?.statementTimeout.map { clock().monotonic + $0 }
            query.limit(until: [end, own].compactMap { $0 }.min())
            do throws(Problem) {
                if watch.mustStop() { throw QueryExecutor.cancelled }
                let isLast = index == statements.count - 1
                let notices = answers.flatMap(\.notices)
                if isLast {
                    let rows = try guarded(parsed.statement, options) {
                        () throws(Problem) -> StatementCursor? in
                        guard let inner = try self.query(of: parsed, options) else { return nil }
                        return try cursor(
                            inner, query, options, notices + lostTransaction(options))
                    }
                    if let rows { return rows }
                }
                var answer = try guarded(parsed.statement, options) { () throws(Problem) in
                    try run(parsed, options)
                }
                if isLast {
                    answer.notices = notices + answer.notices + lostTransaction(options)
                    endRequest(options)
                    return StatementCursor(
                        query, queries, clock, answer: answer, zone: options.session?.zone)
                }
                answers.append(answer)
            } catch {
                endRequest(options)
                throw Self.counting(error, after: answers.count)
            }
        }
        throw Problem("XX000", "a script without a last statement")
    }

    /// The query that a statement is, behind EXECUTE if need be; nil when it is something else.
    private func query(
        of parsed: ParsedStatement, _ options: StatementOptions
    ) throws(Problem) -> Query? {
        switch parsed.statement {
        case .query(let query): return query
        case .execute(let execute):
            let inner = try prepared(execute, options)
            guard case .query(let query) = inner.statement else { return nil }
            return query
        default: return nil
        }
    }

    private func cursor(
        _ query: Query, _ running: RunningQuery, _ options: StatementOptions, _ notices: [String]
    ) throws(Problem) -> StatementCursor {
        let plan = try plan(query, options)
        let transaction = options.session?.transaction
        let source = try self.source(of: plan, options)
        let context = queryContext(options)
        let execution = try QueryExecutor.open(plan, source, context)
        return StatementCursor(
            running, queries, clock, columns: plan.schema.fields, notices: notices,
            limit: options.rowLimit, zone: options.session?.zone,
            figures: {
                var figures = RunningQuery.Figures()
                figures.scan = source.figures
                figures.memoryBytes = Int64(context.memory.peak)
                return figures
            },
            source: { () throws(Problem) in
                do throws(Problem) {
                    let rows = try execution.next()
                    if rows == nil { self.endRequest(options) }
                    return rows
                } catch {
                    transaction?.fail()
                    self.endRequest(options)
                    throw error
                }
            })
    }

    private func run(
        _ parsed: ParsedStatement, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        try requireAllowed(parsed.statement, options)
        switch parsed.statement {
        case .query(let query): return try select(query, options)
        case .explain(let explain): return try self.explain(explain, options)
        case .insert(let insert): return try self.insert(insert, options)
        case .delete(let delete): return try self.delete(delete, options)
        case .update(let update): return try self.update(update, options)
        case .merge(let merge): return try self.merge(merge, options)
        case .truncate(let truncate): return try self.truncate(truncate, options)
        case .copy(let copy): return try self.copy(copy, options)
        case .optimize(let optimize): return try self.optimize(optimize)
        case .vacuum(let vacuum): return try self.vacuum(vacuum)
        case .restore(let restore): return try self.restore(restore, options)
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
        case .show(let show): return try self.show(show, options.session)
        case .describe(let name, let history): return try describe(name, history: history)
        case .describeDetail(let name): return try describeDetail(name)
        case .describeFiles(let name): return try describeFiles(name)
        case .checkTable(let name): return try checkTable(name)
        case .repairTable(let name, let isDryRun):
            return try repairTable(name, isDryRun: isDryRun)
        case .createTable(let table): return try createTable(table, parsed.text, options)
        case .set(let name, let values, _, let position):
            return StatementAnswer(
                tag: "SET",
                notices: try SessionSettings.set(
                    name, values, options.session, timeZones, position: position))
        case .reset(let name):
            if let name {
                _ = try? SessionSettings.set(
                    name, [], options.session, timeZones, position: 0)
            } else {
                options.session?.resetSettings()
            }
            return StatementAnswer(tag: "RESET")
        case .cancelQuery(let id, let position):
            do throws(Problem) { try queries.cancel(id) } catch {
                var problem = error
                problem.position = position
                throw problem
            }
            return StatementAnswer(tag: "CANCEL QUERY")
        case .prepare(let prepare):
            try session(options, "PREPARE").prepare(prepare)
            return StatementAnswer(tag: "PREPARE")
        case .execute(let execute): return try run(prepared(execute, options), options)
        case .deallocate(let name):
            try session(options, "DEALLOCATE").deallocate(name)
            return StatementAnswer(tag: parsed.statement.tag)
        case .discardAll:
            options.session?.reset()
            return StatementAnswer(tag: "DISCARD ALL")
        case .transaction(let command):
            return try transact(command, options)
        case .notSupported(let statement):
            throw Problem(
                "0A000", "\(statement.words) is not supported yet", hint: statement.hint,
                position: statement.position)
        }
    }

    // MARK: Sessions

    private func session(
        _ options: StatementOptions, _ statement: String
    ) throws(Problem) -> LakeSession {
        guard let session = options.session, !session.isOfRequest else {
            throw Problem(
                "0A000", "\(statement) needs a session",
                hint: "POST /sessions begins one; send its id as \"session\" with each query")
        }
        return session
    }

    /// The statement behind EXECUTE, with its values in it.
    private func prepared(
        _ execute: Execute, _ options: StatementOptions
    ) throws(Problem) -> ParsedStatement {
        let found = try session(options, "EXECUTE").prepared(execute.name)
        let (wanted, given) = (found.parameterCount, execute.values.count)
        guard wanted == given else {
            throw Problem(
                "42601",
                "wrong number of parameters for prepared statement"
                    + " \"\(execute.name.name)\"",
                notes: ["expected \(wanted) parameters but got \(given)"],
                position: execute.name.position)
        }
        var values: [Expression] = []
        for (index, expression) in execute.values.enumerated() {
            let type = index < found.types.count ? found.types[index] : nil
            values.append(try constant(expression, type, options))
        }
        do throws(Problem) {
            return try Parser.script(found.text, parameters: values)[0]
        } catch {
            var problem = error
            // The position is in the prepared text, not in this one.
            problem.position = nil
            throw problem
        }
    }

    /// What an expression without columns gives, as a literal.
    private func constant(
        _ expression: Expression, _ type: TypeName?, _ options: StatementOptions
    ) throws(Problem) -> Expression {
        // A bare text takes its type from where the parameter stands.
        if type == nil, case .string = expression.kind { return expression }
        var item = expression
        if let type {
            item = Expression(.cast(item, type, orNull: false), at: expression.position)
        }
        var one = try Parser.query("VALUES (NULL)")
        one.body = .values([[item]])
        let row = try plan(one, options)
        let answer = try QueryExecutor.execute(
            row, LakeSource(self, in: options.session?.transaction), queryContext(options))
        guard let value = answer.rows.first?.first, let field = row.schema.fields.first,
            let text = textForm(value, field.type)
        else { return Expression(.null, at: expression.position) }
        guard field.type != .null else {
            return Expression(.string(text), at: expression.position)
        }
        return Expression(
            .cast(
                Expression(.string(text), at: expression.position),
                try Parser.typeName(field.type.sqlName), orNull: false),
            at: expression.position)
    }

    // MARK: Queries

    /// What `plan` reads, fixed at this moment.
    func source(
        of plan: LogicalPlan, _ options: StatementOptions
    ) throws(Problem) -> LakeSource {
        // A transaction stays with the state of the tables that it has begun with.
        let transaction = options.session?.transaction
        let source = LakeSource(self, in: transaction)
        try source.pin(plan, readsTails: options.readsTails && transaction == nil)
        return source
    }

    private func select(
        _ query: Query, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let plan = try plan(query, options)
        let source = try self.source(of: plan, options)
        let context = queryContext(options)
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
        let plan = try plan(explain.query, options)
        let isJSON = explain.format == .json
        var lines = isJSON ? [] : QueryExecutor.explain(plan)
        var json = isJSON ? QueryExecutor.explainJSON(plan) : .null
        if explain.analyze {
            let clock = clock
            let measured = try QueryExecutor.measure(
                plan, try source(of: plan, options),
                queryContext(options, isReproducible: !explain.timing),
                clock: { clock().monotonic })
            lines = isJSON ? [] : measured.lines(timing: explain.timing)
            json = isJSON ? measured.json(timing: explain.timing) : .null
        }
        if isJSON {
            return rows(
                tag: "EXPLAIN", [Field("QUERY PLAN", .json)],
                [[.json(JSONValue.array([json]).text)]])
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
        let object = try catalog.image.require(insert.target)
        if object.kind == .table || object.kind == .externalTable {
            return try insertRows(insert, options)
        }
        guard object.kind == .topic else {
            throw Problem(
                "42809", "cannot insert into \(object.kind.words) \"\(object.name)\"",
                notes: ["its rows come from elsewhere"],
                hint: object.sources.isEmpty
                    ? nil
                    : "insert into what it reads: "
                        + object.sources.map(\.description).joined(separator: ", "),
                position: insert.target.position)
        }
        guard options.session?.transaction == nil else {
            throw Problem(
                "0A000", "records of topic \"\(object.name)\" cannot be part of a transaction",
                notes: ["they are there at once, for everybody"], hint: "COMMIT first",
                position: insert.target.position)
        }
        guard insert.mode == .into, insert.partition.isEmpty else {
            throw Problem(
                "42809", "records of topic \"\(object.name)\" cannot be replaced",
                hint: "write INSERT INTO without PARTITION", position: insert.target.position)
        }
        var binder = binder(options, LakeRelations(lake: self))
        let bound = try binder.plan(insert)
        let plan = bound.plan
        let context = queryContext(options)
        let batches = try QueryExecutor.execute(plan, source(of: plan, options), context).batches
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

    private func show(
        _ show: Show, _ session: LakeSession?
    ) throws(Problem) -> StatementAnswer {
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
                tag: "SHOW",
                [Field("name", .text), Field("setting", .text), Field("description", .text)],
                try SessionSettings.known.map { (known) throws(Problem) in
                    [
                        .text(known.name), .text(try SessionSettings.value(known.name, session)),
                        .text(known.words),
                    ]
                })
        case .setting(let name):
            let value = try SessionSettings.value(name, session)
            return rows(tag: "SHOW", [Field(name, .text)], [[.text(value)]])
        }
    }

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

/// Asks for a running query, at every batch, whether it has to end. Belongs to one query.
private final class QueryWatch: Sendable {
    private let query: RunningQuery
    private let clock: @Sendable () -> Now
    private let isAbandoned: @Sendable () -> Bool
    /// When the client was last looked at, in monotonic nanoseconds.
    private let lastLook: Atomic<Int64>
    private static let lookEvery: Int64 = 50_000_000

    init(
        _ query: RunningQuery, _ clock: @escaping @Sendable () -> Now,
        isAbandoned: @escaping @Sendable () -> Bool
    ) {
        self.query = query
        self.clock = clock
        self.isAbandoned = isAbandoned
        lastLook = Atomic(clock().monotonic.nanoseconds)
    }

    func mustStop() -> Bool {
        let now = clock().monotonic
        if query.mustStop(at: now) { return true }
        let last = lastLook.load(ordering: .relaxed)
        guard now.nanoseconds - last >= Self.lookEvery else { return false }
        lastLook.store(now.nanoseconds, ordering: .relaxed)
        guard isAbandoned() else { return false }
        query.end(because: .abandoned)
        return true
    }
}
