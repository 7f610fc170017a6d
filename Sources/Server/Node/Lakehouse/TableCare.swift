// OPTIMIZE, VACUUM, RESTORE, FSCK, DESCRIBE DETAIL: how a table's files lie.

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

    func restore(
        _ restore: Restore, _ options: StatementOptions
    ) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(restore.name, "restore")
        let version = try self.version(restore.travel, of: changed.table, options)
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
    func version(
        _ travel: TableReference.Travel, of table: DeltaTable, _ options: StatementOptions
    ) throws(Problem) -> Int64 {
        var binder = binder(options, LakeRelations(lake: self))
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
        guard let object = changed.object, let snapshot = changed.table.cachedSnapshot else {
            return
        }
        try takeColumns(of: object, from: snapshot)
    }

    /// What the table says of itself is what counts. The catalog's copy is behind after a change by
    /// somebody else, and after a crash between the two commits of CREATE OR REPLACE TABLE, of which
    /// the table's comes first.
    func takeColumns(
        of object: CatalogObject, from snapshot: TableSnapshot
    ) throws(Problem) {
        let metadata = snapshot.metadata
        guard object.kind == .table || object.kind == .externalTable,
            snapshot.schema != object.schema
                || metadata.partitionColumns != object.partitionColumns
        else { return }
        try catalog.alter(object.name, now: clock().timestamp) { object throws(Problem) in
            let comments = object.columns
            object.columns = snapshot.schema.fields.map { field in
                let own = metadata.schema.fields.first { $0.name == field.name }
                return CatalogColumn(
                    field,
                    comment: own?.metadataValue(DeltaField.commentKey)?.stringValue
                        ?? comments.first { $0.name == field.name }?.comment)
            }
            object.partitionColumns = metadata.partitionColumns
            for (key, _) in object.properties {
                object.properties[key] = metadata.configuration[key]
            }
        }
    }

    /// The same for what comes to notice on the way: it is not worth the failure of a statement.
    func takeColumnsInPassing(of object: CatalogObject, from snapshot: TableSnapshot) {
        do throws(Problem) {
            try takeColumns(of: object, from: snapshot)
        } catch {
            diagnostics.report(.warning, "lake", "\(object.name): \(error.message)")
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

    func repairTable(_ name: ObjectName, isDryRun: Bool) throws(Problem) -> StatementAnswer {
        let changed = try changedTable(name, "repair")
        let repairs = try repeating { () throws(DeltaFailure) in
            var random = withRandom { $0.fork() }
            return try changed.table.repair(isDryRun: isDryRun, random: &random, now: clock())
        }
        if !isDryRun { noteChange(changed) }
        return answer(
            "FSCK",
            [
                Field("path", .text), Field("problem", .text), Field("repaired", .boolean),
                Field("outcome", .text),
            ],
            repairs.map { repair in
                let outcome: (isRepaired: Bool, text: String)
                switch repair.outcome {
                case .repaired(let text): outcome = (true, text)
                case .left(let text): outcome = (false, text)
                }
                return [
                    .text(repair.finding.path), .text(repair.finding.detail),
                    .boolean(outcome.isRepaired), .text(outcome.text),
                ]
            })
    }

    func answer(_ tag: String, _ fields: [Field], _ values: [[Value]]) -> StatementAnswer {
        let columns = fields.indices.map { index in
            Column(fields[index].type, values.map { $0[index] })
        }
        return StatementAnswer(
            tag: tag, columns: fields,
            batches: [ColumnBatch(columns: columns, rowCount: values.count)])
    }
}
