// OPTIMIZE, VACUUM, RESTORE, DESCRIBE DETAIL, CREATE TABLE, ALTER TABLE: what a table is and how its
// files lie.

import Base
import Catalog
import Columns
import Delta
import Engine
import SQL

extension Lakehouse {
    // MARK: Files

    func optimize(_ optimize: Optimize) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(optimize.name, "optimize")
        var options = CompactionOptions()
        options.filesMin = 2
        do throws(DeltaFailure) {
            let snapshot = try changed.table.snapshot()
            for column in optimize.zOrder {
                try running { () throws(Problem) in
                    try requireColumns([column], snapshot.schema)
                }
                guard let index = snapshot.schema.index(of: column.name) else { continue }
                guard !snapshot.metadata.partitionColumns.contains(column.name),
                    SpaceCurve.canOrder(snapshot.schema.fields[index].type)
                else {
                    throw DeltaFailure.statement(
                        Problem(
                            "42809", "files cannot be ordered by column \"\(column.name)\"",
                            notes: ["it is a partition column, or of a type without an order"],
                            position: column.position))
                }
            }
            let clustering = try snapshot.clusteringColumns()
            let isOrdered = !optimize.zOrder.isEmpty || !clustering.isEmpty
            if let filter = optimize.filter, !clustering.isEmpty {
                throw DeltaFailure.statement(
                    Problem(
                        "0A000", "OPTIMIZE … WHERE of a clustered table is not supported",
                        hint: "OPTIMIZE rewrites only files that are not clustered yet",
                        position: filter.position))
            }
            if optimize.isFull, clustering.isEmpty {
                throw DeltaFailure.statement(
                    Problem(
                        "42809", "OPTIMIZE … FULL is for clustered tables",
                        hint: "ALTER TABLE … CLUSTER BY (…) makes it one",
                        position: optimize.name.position))
            }
            if let filter = optimize.filter {
                options.ranges = try running { () throws(Problem) in
                    try partitionRanges(filter, optimize.name, snapshot)
                }
            }
            options.zOrder = optimize.zOrder.map(\.name)
            options.isFull = optimize.isFull
            options.memoryBytesMax = Int64(limits.orderedBytes)
            options.scratch = limits.scratch
            if isOrdered { options.inputBytesMax = .max }
            // Another round for what one run leaves because its memory is bounded.
            var rounds = 0
            var done: [Int64] = []
            while rounds < 1000 {
                var random = withRandom { $0.fork() }
                guard
                    let version = try changed.table.compact(
                        options, random: &random, now: clock())
                else { break }
                done.append(version)
                rounds += 1
                if isOrdered { break }
            }
            noteChange(changed)
            let after = try changed.table.snapshot()
            return answer(
                "OPTIMIZE",
                [
                    Field("table", .text), Field("version", .int64),
                    Field("files_before", .int64), Field("files_after", .int64),
                ],
                [
                    [
                        .text("\(changed.name)"), done.last.map { .int($0) } ?? .null,
                        .int(Int64(snapshot.fileCount)), .int(Int64(after.fileCount)),
                    ]
                ])
        } catch {
            throw error.statementProblem
        }
    }

    /// The condition of OPTIMIZE, which may only choose partitions.
    private func partitionRanges(
        _ filter: SQL.Expression, _ name: ObjectName, _ snapshot: TableSnapshot
    ) throws(Problem) -> [ColumnRange] {
        var binder = Binder(provider: LakeRelations(lake: self))
        let bound = try binder.condition(filter, over: snapshot.schema, table: name.last)
        var ranges: [ColumnRange] = []
        for conjunct in bound.conjuncts {
            guard let range = LakeSource.comparison(conjunct, snapshot.schema.fields),
                snapshot.metadata.partitionColumns.contains(range.column)
            else {
                throw Problem(
                    "0A000", "OPTIMIZE … WHERE of this form is not supported yet",
                    notes: [
                        "partition columns: "
                            + snapshot.metadata.partitionColumns.joined(separator: ", ")
                    ], hint: "compare partition columns with literals, joined by AND",
                    position: filter.position)
            }
            ranges.append(range)
        }
        return ranges
    }

    func vacuum(_ vacuum: Vacuum) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(vacuum.name, "vacuum")
        var retention: Duration?
        if let text = vacuum.retention {
            let zero = text.hasPrefix("0 ")
            retention = zero ? .zero : .microseconds(try OptionValues.duration(text))
        }
        do throws(DeltaFailure) {
            var random = withRandom { $0.fork() }
            let report = try changed.table.vacuum(
                retention: retention, isDryRun: vacuum.isDryRun, now: clock(), random: &random)
            noteChange(changed)
            guard vacuum.isDryRun else {
                return answer(
                    "VACUUM", [Field("files", .int64), Field("bytes", .int64)],
                    [[.int(Int64(report.paths.count)), .int(report.bytes)]])
            }
            return answer(
                "VACUUM", [Field("path", .text)], report.paths.map { [.text($0)] })
        } catch {
            throw error.statementProblem
        }
    }

    func restore(_ restore: Restore) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(restore.name, "restore")
        let version = try self.version(restore.travel, of: changed.table)
        do throws(DeltaFailure) {
            var random = withRandom { $0.fork() }
            let written = try changed.table.restore(
                version: version, random: &random, now: clock())
            try running { () throws(Problem) in try takeColumns(of: changed) }
            noteChange(changed)
            return answer(
                "RESTORE", [Field("restored_version", .int64), Field("version", .int64)],
                [[.int(version), written.map { .int($0) } ?? .null]])
        } catch {
            throw error.statementProblem
        }
    }

    /// The version that `VERSION AS OF` or `TIMESTAMP AS OF` means.
    private func version(
        _ travel: TableReference.Travel, of table: DeltaTable
    ) throws(Problem) -> Int64 {
        var binder = Binder(provider: LakeRelations(lake: self))
        func constant(
            _ expression: SQL.Expression, _ type: ColumnType
        ) throws(Problem) -> Value {
            let bound = try binder.assignable(expression, over: TableSchema([]), to: type)
            let plan = LogicalPlan.values([[bound]], TableSchema([Field("value", type)]))
            let result = try QueryExecutor.execute(
                plan, NoTables(), queryContext(StatementOptions()))
            return result.rows.first?.first ?? .null
        }
        switch travel {
        case .version(let expression):
            guard case .int(let version) = try constant(expression, .int64), version >= 0 else {
                throw Problem(
                    "42804", "a table version must be a whole number, not below 0",
                    position: expression.position)
            }
            return version
        case .timestamp(let expression):
            guard case .timestampTZ(let moment) = try constant(expression, .timestampTZ) else {
                throw Problem(
                    "22004", "the time of AS OF must not be null", position: expression.position)
            }
            do throws(DeltaFailure) {
                return try table.version(at: Timestamp(milliseconds: moment / 1000))
            } catch {
                throw error.problem
            }
        }
    }

    /// Makes the catalog's columns those of the table, after they changed there.
    func takeColumns(of changed: ChangedTable) throws(Problem) {
        guard let object = changed.object, object.kind == .table || object.kind == .externalTable,
            let snapshot = changed.table.cachedSnapshot, snapshot.schema != object.schema
        else { return }
        try catalog.alter(object.name, now: clock().timestamp) { object throws(Problem) in
            let comments = object.columns
            object.columns = snapshot.schema.fields.map { field in
                CatalogColumn(
                    field, comment: comments.first { $0.name == field.name }?.comment)
            }
        }
    }

    // MARK: DESCRIBE DETAIL

    func describeDetail(_ name: ObjectName) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(name, "describe")
        do throws(DeltaFailure) {
            let snapshot = try changed.table.snapshot()
            let metadata = snapshot.metadata
            let settings = JSONValue.object(
                metadata.configuration.map { JSONMember($0.key, .string($0.value)) })
            func texts(_ list: [String]) -> Value { .list(list.map { .text($0) }) }
            func moment(_ time: Timestamp?) -> Value {
                time.map { .timestampTZ(microseconds: $0.milliseconds * 1000) } ?? .null
            }
            return answer(
                "DESCRIBE",
                [
                    Field("format", .text), Field("id", .text), Field("name", .text),
                    Field("description", .text), Field("location", .text),
                    Field("created_at", .timestampTZ), Field("last_modified", .timestampTZ),
                    Field("partition_columns", .list(.text)), Field("version", .int64),
                    Field("num_files", .int64), Field("size_in_bytes", .int64),
                    Field("num_rows", .int64), Field("deleted_rows", .int64),
                    Field("properties", .json), Field("min_reader_version", .int32),
                    Field("min_writer_version", .int32), Field("table_features", .list(.text)),
                ],
                [
                    [
                        .text("delta"), .text(metadata.id), .text("\(changed.name)"),
                        metadata.comment.map { .text($0) } ?? .null, .text(changed.table.path),
                        moment(metadata.createdTime), moment(snapshot.timestamp),
                        texts(metadata.partitionColumns), .int(snapshot.version),
                        .int(Int64(snapshot.fileCount)), .int(snapshot.totalBytes),
                        snapshot.rowCount.map { .int($0) } ?? .null,
                        .int(snapshot.deletedRowCount), .json(settings.text),
                        .int(Int64(snapshot.tableProtocol.minReaderVersion)),
                        .int(Int64(snapshot.tableProtocol.minWriterVersion)),
                        texts(snapshot.tableProtocol.writerFeatures ?? []),
                    ]
                ])
        } catch {
            throw error.statementProblem
        }
    }

    func describeFiles(_ name: ObjectName) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(name, "describe")
        do throws(DeltaFailure) {
            let snapshot = try changed.table.snapshot()
            return answer(
                "DESCRIBE",
                [
                    Field("path", .text), Field("partition", .text), Field("bytes", .int64),
                    Field("rows", .int64), Field("deleted_rows", .int64),
                    Field("modified", .timestampTZ),
                ],
                snapshot.files.map { file in
                    let values = file.partitionValues.entries.map {
                        "\($0.column)=\($0.text ?? "NULL")"
                    }
                    return [
                        .text(file.path), .text(values.joined(separator: ", ")), .int(file.size),
                        file.recordedRowCount.map { .int($0) } ?? .null,
                        .int(file.deletionVector?.cardinality ?? 0),
                        .timestampTZ(
                            microseconds: file.modificationTime.milliseconds &* 1000),
                    ]
                })
        } catch {
            throw error.statementProblem
        }
    }

    func checkTable(_ name: ObjectName) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(name, "check")
        do throws(DeltaFailure) {
            let findings = try changed.table.check(readsRows: true)
            return answer(
                "FSCK", [Field("path", .text), Field("problem", .text)],
                findings.map { [.text($0.path), .text($0.detail)] })
        } catch {
            throw error.statementProblem
        }
    }

    func answer(_ tag: String, _ fields: [Field], _ values: [[Value]]) -> StatementAnswer {
        let columns = fields.indices.map { index in
            Column(fields[index].type, values.map { $0[index] })
        }
        return StatementAnswer(
            tag: tag, columns: fields,
            batches: [ColumnBatch(columns: columns, rowCount: values.count)])
    }

    // MARK: Settings

    /// `ALTER TABLE … SET (…)`: settings of the Delta table.
    func setTableSettings(
        _ name: ObjectName, _ options: [StatementOption]
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "SET TBLPROPERTIES") { metadata throws(Problem) in
            for option in options {
                metadata.configuration[try Self.settingName(option)] = option.text
            }
        }
    }

    /// `ALTER TABLE … CLUSTER BY (…)`; files are put in order by the next OPTIMIZE.
    func setClustering(_ name: ObjectName, _ columns: [Identifier]) throws(Problem) {
        let changed = try changedTable(name, "alter")
        do throws(DeltaFailure) {
            var random = withRandom { $0.fork() }
            var transaction = try changed.table.begin(random: &random)
            try running { () throws(Problem) in
                try requireColumns(columns, transaction.snapshot.schema)
            }
            let names = columns.map(\.name)
            guard try names != transaction.snapshot.clusteringColumns() else { return }
            try transaction.setClustering(names)
            let list = JSONValue.array(names.map { .string($0) })
            _ = try transaction.commit(
                CommitOperation(
                    "CLUSTER BY",
                    parameters: [JSONMember("newClusteringColumns", .string(list.text))]),
                now: clock())
        } catch {
            throw error.statementProblem
        }
        noteChange(changed)
    }

    /// Throws when one of `columns` is not there.
    func requireColumns(_ columns: [Identifier], _ schema: TableSchema) throws(Problem) {
        for column in columns where schema.index(of: column.name) == nil {
            let names = schema.fields.map(\.name)
            throw Problem(
                "42703", "column \"\(column.name)\" does not exist",
                hint: nearestName(to: column.name, among: names).map {
                    "did you mean \"\($0)\"?"
                } ?? "columns: " + names.joined(separator: ", "), position: column.position)
        }
    }

    /// `ALTER TABLE … ADD CONSTRAINT … CHECK (…)`: all rows must keep it already.
    func addConstraint(
        _ name: ObjectName, _ constraint: Identifier, _ condition: String, _ position: Int
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "ADD CONSTRAINT", readsRows: true) { metadata throws(Problem) in
            let key = "delta.constraints." + constraint.name.lowercased()
            guard metadata.configuration[key] == nil else {
                throw Problem(
                    "42710", "constraint \"\(constraint.name)\" exists already",
                    position: constraint.position)
            }
            metadata.configuration[key] = condition
            do throws(DeltaFailure) {
                let rules = try RowConditions(metadata, clock: clock)
                var scan = try DeltaScan(changed.table, try changed.table.snapshot())
                while let batch = try scan.next() { try rules.check(batch) }
            } catch {
                throw error.statementProblem
            }
        }
    }

    func dropConstraint(
        _ name: ObjectName, _ constraint: Identifier, ifExists: Bool
    ) throws(Problem) {
        let changed = try changedTable(name, "alter")
        try changeMetadata(changed, "DROP CONSTRAINT") { metadata throws(Problem) in
            let key = "delta.constraints." + constraint.name.lowercased()
            guard metadata.configuration[key] != nil || ifExists else {
                throw Problem(
                    "42704", "constraint \"\(constraint.name)\" does not exist",
                    position: constraint.position)
            }
            metadata.configuration[key] = nil
        }
    }

    private func changeMetadata(
        _ changed: ChangedTable, _ operation: String, readsRows: Bool = false,
        _ change: (inout TableMetadata) throws(Problem) -> Void
    ) throws(Problem) {
        do throws(DeltaFailure) {
            var random = withRandom { $0.fork() }
            var transaction = try changed.table.begin(random: &random)
            if readsRows { transaction.markAsReading() }
            var metadata = transaction.metadata
            try running { () throws(Problem) in try change(&metadata) }
            guard metadata != transaction.metadata else { return }
            try transaction.setMetadata(metadata)
            _ = try transaction.commit(CommitOperation(operation), now: clock())
        } catch {
            throw error.statementProblem
        }
        noteChange(changed)
    }

    /// The name of a table setting. Names of Delta keep their upper case letters, which SQL folds
    /// when they are not in quotes.
    static func settingName(_ option: StatementOption) throws(Problem) -> String {
        let known = [
            "delta.appendOnly", "delta.checkpointInterval", "delta.columnMapping.mode",
            "delta.dataSkippingNumIndexedCols", "delta.deletedFileRetentionDuration",
            "delta.enableChangeDataFeed", "delta.enableDeletionVectors",
            "delta.enableInCommitTimestamps", "delta.enableRowTracking",
            "delta.enableTypeWidening",
            "delta.isolationLevel", "delta.logRetentionDuration",
        ]
        if let exact = known.first(where: { $0.lowercased() == option.name.lowercased() }) {
            return exact
        }
        let isFree =
            option.name.hasPrefix("delta.feature.")
            || !option.name.lowercased().hasPrefix("delta.") && option.name.contains(".")
        if isFree { return option.name }
        throw Problem(
            "22023", "a table has no setting \"\(option.name)\"",
            notes: ["settings: " + known.joined(separator: ", ")],
            hint: nearestName(to: option.name, among: known).map { "did you mean \"\($0)\"?" },
            position: option.position)
    }
}
