// DELETE, UPDATE and MERGE on tables: the engine finds the rows, `TableMutation` changes
// them. A statement that another writer contradicts is run again on the newer version.

import Base
import Catalog
import Columns
import Delta
import Engine
import Parquet
import SQL

extension Lakehouse {
    /// How often a statement is run that loses against other writers.
    private static let changeAttempts = 10

    /// The table that a statement changes, and its catalog entry if it has one.
    struct ChangedTable {
        var table: DeltaTable
        var object: CatalogObject?
        var name: QualifiedName
    }

    /// The table behind a name in a statement that changes it or its files.
    func changedTable(_ name: ObjectName, _ verb: String) throws(Problem) -> ChangedTable {
        do throws(Problem) {
            let qualified = name.qualified
            if let folder = try FolderName(qualified, of: self) {
                guard folder.format == .delta else {
                    throw Problem(
                        "42809", "cannot \(verb) \(folder.format.rawValue) files",
                        hint: "a Delta table can be changed: delta.'path'")
                }
                return ChangedTable(table: table(inFolder: folder.path), name: qualified)
            }
            let object = try catalog.image.require(qualified)
            guard object.kind.isStored else {
                throw Problem("42809", "cannot \(verb) \(object.kind.words) \"\(name.text)\"")
            }
            return ChangedTable(
                table: try table(of: object), object: object, name: object.name)
        } catch {
            var problem = error
            if problem.position == nil { problem.position = name.position }
            throw problem
        }
    }

    func requireOwnRows(
        _ changed: ChangedTable, _ verb: String, at position: Int
    ) throws(Problem) {
        if let object = changed.object, object.kind == .materializedView {
            throw Problem(
                "42809", "cannot \(verb) materialized view \"\(object.name)\"",
                notes: ["its rows come from its query"],
                hint: "change the tables that it reads", position: position)
        }
    }

    // MARK: DELETE, UPDATE, MERGE

    func delete(_ delete: Delete, _ options: StatementOptions) throws(Problem) -> StatementAnswer {
        let found = try changedTable(delete.target.name, "delete from")
        try requireOwnRows(found, "delete from", at: delete.target.name.position)
        let changed = try changing(found, "DELETE", options, at: delete.target.name.position)
        var returned = ReturnedRows(options)
        let outcome = try change(changed, "DELETE", options, &returned) { binder throws(Problem) in
            try binder.plan(delete)
        }
        return returned.answer("DELETE \(outcome.deletedRows)")
    }

    func update(_ update: Update, _ options: StatementOptions) throws(Problem) -> StatementAnswer {
        let found = try changedTable(update.target.name, "update")
        try requireOwnRows(found, "update", at: update.target.name.position)
        let changed = try changing(found, "UPDATE", options, at: update.target.name.position)
        var returned = ReturnedRows(options)
        let outcome = try change(changed, "UPDATE", options, &returned) { binder throws(Problem) in
            try binder.plan(update)
        }
        return returned.answer("UPDATE \(outcome.updatedRows)")
    }

    func merge(_ merge: Merge, _ options: StatementOptions) throws(Problem) -> StatementAnswer {
        let found = try changedTable(merge.target.name, "merge into")
        try requireOwnRows(found, "merge into", at: merge.target.name.position)
        let changed = try changing(found, "MERGE", options, at: merge.target.name.position)
        var returned = ReturnedRows(options)
        let outcome = try change(changed, "MERGE", options, &returned) { binder throws(Problem) in
            try binder.plan(merge)
        }
        let count = outcome.insertedRows + outcome.updatedRows + outcome.deletedRows
        return returned.answer("MERGE \(count)")
    }

    private func change(
        _ changed: ChangedTable, _ operation: String, _ options: StatementOptions,
        _ returned: inout ReturnedRows,
        _ makePlan: (Binder) throws(Problem) -> RowChangePlan
    ) throws(Problem) -> MutationOutcome {
        let outcome = try repeating { () throws(DeltaFailure) in
            try changeOnce(changed, operation, options, &returned, makePlan)
        }
        if outcome.version != nil { noteChange(changed, options) }
        return outcome
    }

    /// Runs a change of a table again while others contradict it.
    func repeating<Outcome>(
        _ body: () throws(DeltaFailure) -> Outcome
    ) throws(Problem) -> Outcome {
        var attempt = 1
        while true {
            do throws(DeltaFailure) {
                return try body()
            } catch {
                guard case .conflict = error, attempt < Self.changeAttempts else {
                    throw error.statementProblem
                }
                attempt += 1
            }
        }
    }

    private func changeOnce(
        _ changed: ChangedTable, _ operation: String, _ options: StatementOptions,
        _ returned: inout ReturnedRows,
        _ makePlan: (Binder) throws(Problem) -> RowChangePlan
    ) throws(DeltaFailure) -> MutationOutcome {
        var random = withRandom { $0.fork() }
        var transaction = try changed.table.begin(random: &random)
        var change = try running { () throws(Problem) in
            try makePlan(
                binder(options, LakeRelations(lake: self, describesDefaults: true)))
        }
        let context = queryContext(options)
        returned.begin(change.returning, context)
        let source = LakeSource(
            self, changing: change.target.name, at: transaction.snapshot,
            in: options.session?.transaction)
        // A MERGE may read its target in the source, too.
        let whole = change.plan
        let input = try running { () throws(Problem) in
            try source.pin(whole, readsTails: options.readsTails)
            return try readSource(&change, source, context)
        }
        transaction.markAsReading(source.readRanges(of: whole, input?.ranges ?? []))
        if !change.newColumns.isEmpty { try transaction.addColumns(change.newColumns) }
        var mutation = try TableMutation(transaction)
        let wholeFiles = try running { () throws(Problem) in
            try self.wholeFiles(change, transaction.snapshot, context)
        }
        if let wholeFiles {
            try mutation.deleteFiles(wholeFiles, now: context.now)
            return try mutation.commit(now: context.now) { _ in
                CommitOperation(operation, parameters: [JSONMember("predicate", "[]")])
            }
        }
        var parts = input
        repeat {
            if let part = try running({ () throws(Problem) in try parts?.next() }) {
                source.take(part)
            }
            let execution = try running { () throws(Problem) in
                try QueryExecutor.open(change.plan, source, context)
            }
            while let batch = try running({ () throws(Problem) in try execution.next() }) {
                try apply(batch, change, to: &mutation, &returned, now: context.now)
            }
        } while parts?.passCount ?? 0 > 0
        let outcome = try mutation.commit(now: context.now) { _ in
            CommitOperation(
                operation, parameters: [JSONMember("predicate", .string(change.text))])
        }
        return outcome
    }

    /// Reads the source of a MERGE first, when its keys can tell which rows of the target matter. The
    /// plan reads it from there afterwards, part by part.
    private func readSource(
        _ change: inout RowChangePlan, _ tables: LakeSource, _ context: QueryContext
    ) throws(Problem) -> MergeInput? {
        guard let merge = MergeSource(change) else { return nil }
        let schema = merge.plan.schema
        let rows = LogicalPlan.scan(
            ScanNode(relation: LakeSource.sourceRelation, kind: .system, tableSchema: schema))
        let keyPlan = merge.keyPlan(over: rows)
        var input = MergeInput(merge, bytesMax: limits.mergeSourceBytes, scratch: limits.scratch)
        let source = try QueryExecutor.open(merge.plan, tables, context)
        while let batch = try source.next() {
            tables.take(MergePart(rows: [batch]))
            let keys = try QueryExecutor.open(keyPlan, tables, context)
            var columns: [[Column]] = merge.keys.map { _ in [] }
            while let some = try keys.next() {
                for (place, column) in some.columns.enumerated() { columns[place].append(column) }
            }
            let merged = columns.map { Column.concatenation($0) }
            try input.add(batch, keys: ColumnBatch(columns: merged, rowCount: batch.rowCount))
        }
        try input.finish()
        change.plan = MergeSource.replacing(change, with: rows)
        return input
    }

    /// The files that a DELETE removes as a whole, because its condition asks for nothing but
    /// partition columns; nil when rows have to be looked at. The condition is evaluated once a
    /// file, over its partition values.
    func wholeFiles(
        _ change: RowChangePlan, _ snapshot: TableSnapshot, _ context: QueryContext
    ) throws(Problem) -> [Int]? {
        let address = RowChangePlan.addressColumn
        guard change.operations == [.delete], change.returning == nil,
            let scan = change.plan.scans.first,
            change.plan.scans.count == 1, scan.relation == change.target.name,
            scan.travel == nil, change.plan.isFilteredScan
        else { return nil }
        let fields = scan.schema.fields
        let partitionColumns = snapshot.metadata.partitionColumns
        guard fields.allSatisfy({ $0 == address || partitionColumns.contains($0.name) }) else {
            return nil
        }
        let files = snapshot.files
        guard files.count < 1 << 20 else { return nil }
        var columns: [Column] = []
        for field in fields {
            if field == address {
                let numbers = files.indices.map { RowAddress(file: $0, row: 0).number }
                columns.append(Column(type: .int64, data: .int64(numbers)))
                continue
            }
            var values: [Value] = []
            let name = snapshot.metadata.physicalName(of: field.name)
            for file in files {
                do throws(DecodeFailure) {
                    values.append(try file.partitionValues.value(name, field.type))
                } catch {
                    throw Problem("table.corrupt", "\(file.path): \(error)")
                }
            }
            columns.append(Column(field.type, values))
        }
        let source = FileList(ColumnBatch(columns: columns, rowCount: files.count))
        let result = try QueryExecutor.execute(change.plan, source, context)
        return result.rows.compactMap { row in
            guard case .int(let number)? = row.first else { return nil }
            return RowAddress(number: number)?.file
        }
    }

    /// Carries out what the plan says about the rows of one batch.
    private func apply(
        _ batch: ColumnBatch, _ change: RowChangePlan, to mutation: inout TableMutation,
        _ returned: inout ReturnedRows, now: Now
    ) throws(DeltaFailure) {
        let isMerge = batch.columns.count > 1 && change.plan.schema.fields[1].name == "$clause"
        let first = isMerge ? 2 : 1
        let width = change.target.columns.count + change.newColumns.count
        if !isMerge { try returned.add(batch.dropping(1)) }
        for (number, operation) in change.operations.enumerated() {
            var part = batch
            if isMerge {
                guard case .int32(let clauses) = batch.columns[1].data else {
                    throw .invalid("the plan does not number its clauses")
                }
                let rows = clauses.indices.filter { clauses[$0] == Int32(number) }
                if rows.isEmpty { continue }
                if rows.count < batch.rowCount { part = batch.gather(rows.map { Int32($0) }) }
            }
            let row = ColumnBatch(
                columns: Array(part.columns.dropFirst(first).prefix(width)),
                rowCount: part.rowCount)
            if operation == .insert {
                let numbered = try mutation.number(row, columns: change.numberedColumns)
                try mutation.insert(numbered, now: now)
                if isMerge {
                    try returned.add(part.merged(numbered, behind: first + width, "INSERT"))
                }
                continue
            }
            guard case .int64(let addresses) = part.columns[0].data, part.columns[0].nullCount == 0
            else { throw .invalid("the plan does not give addresses of rows") }
            if operation == .delete {
                try mutation.delete(addresses)
            } else {
                try mutation.update(addresses, to: row, now: now)
            }
            if isMerge {
                let action = operation == .delete ? "DELETE" : "UPDATE"
                try returned.add(part.merged(row, behind: first + width, action))
            }
        }
    }

    // MARK: Helpers

    /// `isReproducible`: all that the query does is the same in every run, its answer aside.
    func queryContext(
        _ options: StatementOptions, isReproducible: Bool = false
    ) -> QueryContext {
        QueryContext(
            now: options.session?.transaction?.started ?? clock(),
            random: withRandom { $0.fork() }, zones: timeZones,
            memoryBytes: limits.queryBytes, scratch: limits.scratch, workers: limits.workers,
            threadsMax: isReproducible ? 1 : options.threadsMax,
            dividedFromRows: limits.dividedFromRows, seeded: options.session?.seeded,
            keepSeeded: { [session = options.session] in session?.set(seeded: $0) },
            isCancelled: options.isCancelled,
            cancelQuery: { [queries] id in (try? queries.cancel(id)) != nil })
    }

    /// The same for a statement that may be part of a transaction, which is seen when it commits.
    func noteChange(_ changed: ChangedTable, _ options: StatementOptions) {
        if options.session?.transaction == nil { noteChange(changed) }
    }

    /// Shows in the catalog what a statement, or somebody else before it, has changed.
    func noteChange(_ changed: ChangedTable) {
        guard let object = changed.object else { return }
        updateActivity(of: object)
        do throws(Problem) {
            try takeColumns(of: changed)
        } catch {
            // The table is right; the catalog's copy of its columns is taken with the next change.
            diagnostics.report(.warning, "lake", "\(object.name): \(error.message)")
        }
    }
}

extension ColumnBatch {
    /// What RETURNING of a MERGE reads: the rows as they are now, what is left of these behind the
    /// first `count` columns, and what was done.
    fileprivate func merged(
        _ rows: ColumnBatch, behind count: Int, _ action: String
    ) -> ColumnBatch {
        let actions = Column(.text, [.text(action)]).gather([Int32](repeating: 0, count: rowCount))
        return ColumnBatch(
            columns: rows.columns + columns.dropFirst(count) + [actions], rowCount: rowCount)
    }
}

/// Runs what throws problems among what throws failures of tables.
func running<Result>(_ body: () throws(Problem) -> Result) throws(DeltaFailure) -> Result {
    do throws(Problem) {
        return try body()
    } catch {
        throw .statement(error)
    }
}

extension DeltaFailure {
    /// The problem under PostgreSQL's codes where there is one that fits.
    var statementProblem: Problem {
        if case .conflict = self {
            var problem = self.problem
            problem.code = "40001"
            return problem
        }
        return problem
    }
}

/// One row for each file of a table.
private struct FileList: TableSource {
    let batch: ColumnBatch

    init(_ batch: ColumnBatch) { self.batch = batch }

    func open(_ node: ScanNode, _ context: QueryContext) throws(Problem) -> any BatchSource {
        BatchList(batch.rowCount == 0 ? [] : [batch])
    }
}

extension LogicalPlan {
    /// Nothing but a scan with conditions and a choice of columns.
    fileprivate var isFilteredScan: Bool {
        switch self {
        case .scan: true
        case .filter(let input, _), .project(let input, _): input.isFilteredScan
        default: false
        }
    }
}

extension RowChangePlan {
    /// What the table's history says about the condition.
    fileprivate var text: String { "[]" }
}
