// INSERT into tables: rows are added, or take the place of all others, of those of some partitions, or
// of those that fulfil a condition; and TRUNCATE, which adds none.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL

extension Lakehouse {
    /// INSERT INTO or OVERWRITE a table; also COPY, whose file is a relation of the statement.
    func insertRows(
        _ insert: Insert, copying copied: CopiedFile? = nil, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let found = try changedTable(insert.target, "insert into")
        try requireOwnRows(found, "insert into", at: insert.target.position)
        let changed = try changing(found, "WRITE", options, at: insert.target.position)
        var returned = ReturnedRows(options)
        let count = try repeating { () throws(DeltaFailure) in
            try insertOnce(insert, copied, changed, options, &returned)
        }
        noteChange(changed, options)
        return returned.answer("INSERT 0 \(count)")
    }

    private func insertOnce(
        _ insert: Insert, _ copied: CopiedFile?, _ changed: ChangedTable,
        _ options: StatementOptions, _ returned: inout ReturnedRows
    ) throws(DeltaFailure) -> Int64 {
        var random = withRandom { $0.fork() }
        var transaction = try changed.table.begin(random: &random)
        let bound = try running { () throws(Problem) in
            var binder = binder(
                options, LakeRelations(lake: self, describesDefaults: true, copied: copied))
            return try binder.plan(insert)
        }
        let context = queryContext(options)
        returned.begin(bound.returning, context)
        let source = LakeSource(
            self, changing: bound.target.name, at: transaction.snapshot,
            in: options.session?.transaction, copying: copied)
        // What was computed from the table's own rows must not miss any of them.
        if bound.plan.scans.contains(where: {
            $0.relation == bound.target.name && $0.travel == nil
        }) {
            transaction.markAsReading()
        }
        let rows = try running { () throws(Problem) in
            try source.pin(bound.plan, readsTails: options.readsTails)
            return InsertedRows(
                execution: try QueryExecutor.open(bound.plan, source, context), now: context.now,
                numberedColumns: bound.numberedColumns)
        }
        let replacement = try running { () throws(Problem) in
            try self.replacement(insert, bound, transaction.snapshot.metadata, context)
        }
        switch replacement {
        case .nothing, .everything, .touchedPartitions:
            return try append(rows, transaction, replacement, &returned)
        case .matching(let columns):
            transaction.markAsReading()
            return try replace(
                matching: columns, insert, bound.target, rows, transaction, source, context,
                &returned)
        case .rows(let condition):
            let delete = Delete(
                target: ChangeTarget(name: insert.target, alias: insert.alias), filter: condition)
            let change = try running { () throws(Problem) in
                try binder(options, LakeRelations(lake: self, describesDefaults: true))
                    .plan(delete)
            }
            transaction.markAsReading(source.readRanges(of: change.plan, []))
            let check = try running { () throws(Problem) in
                try ReplacedRows(
                    condition, of: bound.target,
                    named: insert.alias?.name ?? insert.target.last, binderContext(options),
                    context)
            }
            let mutation = try self.deleting(change, transaction, source, context)
            return try replace(mutation, rows, check, &returned)
        }
    }

    /// What goes when the new rows come.
    private enum Replacement {
        case nothing
        case everything
        /// The partitions that the new rows are in.
        case touchedPartitions
        case rows(SQL.Expression)
        /// The rows that have in these columns what a new one has.
        case matching([Int])
    }

    private func replacement(
        _ insert: Insert, _ bound: BoundInsert, _ metadata: TableMetadata, _ context: QueryContext
    ) throws(Problem) -> Replacement {
        for part in insert.partition
        where !metadata.partitionColumns.contains(part.column.name) {
            throw Problem(
                "42P10", "\"\(part.column.name)\" is no partition column",
                notes: [
                    metadata.partitionColumns.isEmpty
                        ? "the table has none"
                        : "partition columns: "
                            + metadata.partitionColumns.joined(separator: ", ")
                ], hint: "write INSERT INTO t REPLACE WHERE …", position: part.column.position)
        }
        switch insert.mode {
        case .into: return .nothing
        case .replace(let condition): return .rows(condition)
        case .replaceUsing(let columns):
            return .matching(
                try columns.map { column throws(Problem) in try bound.target.column(column) })
        case .overwrite: break
        }
        guard let first = insert.partition.first else { return .everything }
        if insert.partition.contains(where: { $0.value == nil }) {
            // Otherwise "the partition" of a row would be several.
            guard insert.partition.count == metadata.partitionColumns.count else {
                throw Problem(
                    "42P10", "PARTITION must name all partition columns, or give values",
                    notes: [
                        "partition columns: "
                            + metadata.partitionColumns.joined(separator: ", ")
                    ], position: first.column.position)
            }
            return .touchedPartitions
        }
        var conditions: [SQL.Expression] = []
        for part in insert.partition {
            guard let value = part.value else { continue }
            let position = part.column.position
            let column = SQL.Expression(.column(ObjectName([part.column])), at: position)
            let isNull = try isNull(value, part.column, bound.target, context)
            conditions.append(
                SQL.Expression(
                    isNull
                        ? .truthTest(column, .null, isNegated: false)
                        : .binary("=", column, value), at: position))
        }
        return .rows(
            conditions.count == 1
                ? conditions[0]
                : SQL.Expression(.and(conditions), at: first.column.position))
    }

    private func isNull(
        _ value: SQL.Expression, _ column: Identifier, _ target: RelationDescription,
        _ context: QueryContext
    ) throws(Problem) -> Bool {
        let type = target.columns[try target.column(column)].type
        var binder = Binder(provider: LakeRelations(lake: self))
        let bound = try binder.assignable(value, over: TableSchema([]), to: type)
        let plan = LogicalPlan.values([[bound]], TableSchema([Field("value", type)]))
        return try QueryExecutor.execute(plan, NoTables(), context).rows.first?.first == .null
    }

    private func append(
        _ rows: InsertedRows, _ given: TableTransaction, _ replacement: Replacement,
        _ returned: inout ReturnedRows
    ) throws(DeltaFailure) -> Int64 {
        var transaction = given
        var operation = CommitOperation.append(
            partitionBy: transaction.snapshot.metadata.partitionColumns)
        if case .everything = replacement {
            try transaction.removeAll(now: rows.now)
            operation = .overwrite(partitionBy: transaction.snapshot.metadata.partitionColumns)
        }
        var appender = try DeltaAppender(transaction)
        do throws(DeltaFailure) {
            while let batch = try rows.next() {
                let numbered = try appender.number(batch, columns: rows.numberedColumns)
                try appender.append(numbered, now: rows.now)
                try returned.add(numbered)
            }
        } catch {
            appender.discard()
            throw error
        }
        let count = appender.rowCount
        if case .touchedPartitions = replacement {
            try appender.replaceTouchedPartitions(now: rows.now)
            operation = .overwrite(partitionBy: transaction.snapshot.metadata.partitionColumns)
            operation.parameters.append(JSONMember("partitionOverwriteMode", "dynamic"))
        }
        // Nothing to add and nothing to remove is no version.
        if count > 0 || !appender.transaction.isEmpty {
            _ = try appender.commit(operation, now: rows.now)
        }
        return count
    }

    /// A mutation that deletes the rows of `change`, and can do more.
    private func deleting(
        _ change: RowChangePlan, _ transaction: TableTransaction, _ source: LakeSource,
        _ context: QueryContext
    ) throws(DeltaFailure) -> TableMutation {
        var mutation = try TableMutation(transaction)
        // The change feed cannot tell rows of removed files from those that are added.
        if !transaction.metadata.flag("delta.enableChangeDataFeed") {
            let files = try running { () throws(Problem) in
                try wholeFiles(change, transaction.snapshot, context)
            }
            if let files {
                try mutation.deleteFiles(files, now: context.now)
                return mutation
            }
        }
        let execution = try running { () throws(Problem) in
            try QueryExecutor.open(change.plan, source, context)
        }
        while let batch = try running({ () throws(Problem) in try execution.next() }) {
            guard case .int64(let addresses) = batch.columns[0].data else {
                throw .invalid("the plan does not give addresses of rows")
            }
            try mutation.delete(addresses)
        }
        return mutation
    }

    private func replace(
        _ given: TableMutation, _ rows: InsertedRows, _ check: ReplacedRows,
        _ returned: inout ReturnedRows
    ) throws(DeltaFailure) -> Int64 {
        var mutation = given
        var count: Int64 = 0
        while let batch = try rows.next() {
            let numbered = try mutation.number(batch, columns: rows.numberedColumns)
            try running { () throws(Problem) in try check.check(numbered) }
            try mutation.insert(numbered, now: rows.now)
            try returned.add(numbered)
            count += Int64(numbered.rowCount)
        }
        _ = try mutation.commit(now: rows.now) { _ in
            CommitOperation(
                "WRITE",
                parameters: [
                    JSONMember("mode", "Overwrite"), JSONMember("predicate", "[]"),
                ])
        }
        return count
    }

    /// `REPLACE USING`: adds the rows, keeps what they have in `columns`, and deletes the rows of before
    /// that have the same there. NULL is the same as nothing.
    private func replace(
        matching columns: [Int], _ insert: Insert, _ target: RelationDescription,
        _ rows: InsertedRows, _ transaction: TableTransaction, _ source: LakeSource,
        _ context: QueryContext, _ returned: inout ReturnedRows
    ) throws(DeltaFailure) -> Int64 {
        var mutation = try TableMutation(transaction)
        var keys: [ColumnBatch] = []
        var count: Int64 = 0
        while let batch = try rows.next() {
            let numbered = try mutation.number(batch, columns: rows.numberedColumns)
            count += Int64(numbered.rowCount)
            guard count <= Self.replacedKeysMax else {
                throw .invalid(
                    "REPLACE USING of more than \(Self.replacedKeysMax) rows: use MERGE INTO, or"
                        + " REPLACE WHERE")
            }
            keys.append(
                ColumnBatch(
                    columns: columns.map { numbered.columns[$0].flattened },
                    rowCount: numbered.rowCount))
            try mutation.insert(numbered, now: rows.now)
            try returned.add(numbered)
        }
        source.take(MergePart(rows: keys))
        let fields = columns.map { target.columns[$0] }
        let change = try running { () throws(Problem) in
            var relations = LakeRelations(lake: self, describesDefaults: true)
            relations.replacing = fields
            return try Binder(provider: relations).plan(Self.deleting(fields, insert))
        }
        let execution = try running { () throws(Problem) in
            try QueryExecutor.open(change.plan, source, context)
        }
        while let batch = try running({ () throws(Problem) in try execution.next() }) {
            guard case .int64(let addresses) = batch.columns[0].data else {
                throw .invalid("the plan does not give addresses of rows")
            }
            try mutation.delete(addresses)
        }
        let names = JSONValue.array(fields.map { .string($0.name) })
        _ = try mutation.commit(now: rows.now) { _ in
            CommitOperation(
                "WRITE",
                parameters: [
                    JSONMember("mode", "Overwrite"),
                    JSONMember("replaceUsing", .string(names.text)),
                ])
        }
        return count
    }

    /// Rows whose keys are held while the others are looked for.
    private static let replacedKeysMax: Int64 = 20_000_000

    /// `DELETE FROM t USING new rows WHERE t.c = new.c AND …`
    private static func deleting(_ fields: [Field], _ insert: Insert) -> Delete {
        let position = insert.target.position
        func name(_ parts: [String]) -> SQL.Expression {
            SQL.Expression(
                .column(ObjectName(parts.map { Identifier($0, position: position) })),
                at: position)
        }
        let target = insert.alias?.name ?? insert.target.last
        let tests = fields.map { field in
            SQL.Expression(
                .binary(
                    "=", name([target, field.name]),
                    name([LakeSource.sourceRelation.name, field.name])), at: position)
        }
        let new = ObjectName([
            Identifier(LakeSource.sourceRelation.name, position: position)
        ])
        return Delete(
            target: ChangeTarget(name: insert.target, alias: insert.alias),
            others: [.table(TableReference(new))],
            filter: tests.count == 1 ? tests[0] : SQL.Expression(.and(tests), at: position))
    }

    /// Adds the rows of a query to a table, in one commit if there are any, and counts them.
    /// `transaction` may do more, such as replacing the table; then it is committed in any case.
    func fill(
        _ transaction: TableTransaction, from plan: LogicalPlan?, _ operation: CommitOperation,
        numbered: [String] = [], _ options: StatementOptions
    ) throws(DeltaFailure) -> Int64 {
        let context = queryContext(options)
        var appender = try DeltaAppender(transaction)
        if let plan {
            let execution = try running { () throws(Problem) in
                try QueryExecutor.open(plan, source(of: plan, options), context)
            }
            do throws(DeltaFailure) {
                while let batch = try running({ () throws(Problem) in try execution.next() }) {
                    try appender.append(
                        try appender.number(batch, columns: numbered), now: context.now)
                }
            } catch {
                appender.discard()
                throw error
            }
        }
        let count = appender.rowCount
        if count > 0 || !appender.transaction.isEmpty {
            _ = try appender.commit(operation, now: context.now)
        }
        return count
    }

    // MARK: TRUNCATE

    func truncate(
        _ truncate: Truncate, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        var tables: [ChangedTable] = []
        for name in truncate.names {
            let changed = try changedTable(name, "truncate")
            try requireOwnRows(changed, "truncate", at: name.position)
            tables.append(try changing(changed, "TRUNCATE", options, at: name.position))
        }
        for changed in tables {
            let rows = try repeating { () throws(DeltaFailure) in
                var random = withRandom { $0.fork() }
                return try changed.table.truncate(random: &random, now: clock())
            }
            if rows != nil { noteChange(changed, options) }
        }
        return StatementAnswer(tag: "TRUNCATE TABLE")
    }
}

/// The rows of an INSERT, batch by batch.
private struct InsertedRows {
    let execution: any BatchOperator
    let now: Now
    let numberedColumns: [String]

    func next() throws(DeltaFailure) -> ColumnBatch? {
        try running { () throws(Problem) in try execution.next() }
    }
}

/// Checks that new rows fulfil the condition of those that they replace: else a repetition of the
/// statement would add them again.
private struct ReplacedRows {
    private let plan: LogicalPlan
    private let columns: [Field]
    private let context: QueryContext

    init(
        _ condition: SQL.Expression, of target: RelationDescription, named name: String,
        _ binding: BinderContext, _ context: QueryContext
    ) throws(Problem) {
        columns = target.columns
        self.context = context
        let schema = TableSchema(target.columns)
        var binder = Binder(provider: NoRelations(), context: binding)
        let bound = try binder.condition(condition, over: schema, table: name)
        let scan = ScanNode(
            relation: ReturningPlan.relation, kind: .system, tableSchema: schema)
        plan = .limit(
            .filter(.scan(scan), .isDistinct(bound, .literal(.boolean(true), .boolean))),
            count: .literal(.int(1), .int64), offset: nil)
    }

    func check(_ batch: ColumnBatch) throws(Problem) {
        let result = try QueryExecutor.execute(plan, OneBatch(batch), context)
        guard let row = result.rows.first else { return }
        let values = zip(columns, row).prefix(8).map { field, value in
            "\(field.name) = \(textForm(value, field.type) ?? "NULL")"
        }
        throw Problem(
            "23514", "a new row does not fulfil the condition of the rows that it replaces",
            notes: [values.joined(separator: ", ")],
            hint: "filter the query, or use INSERT INTO for rows outside of the condition")
    }
}
