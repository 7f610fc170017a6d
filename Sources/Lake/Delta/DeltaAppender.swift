import Base
import Columns
import Parquet

/// Writes rows into new data files of a table, one open file for each partition, and commits them
/// together. After a failure nothing is visible; throw the appender away.
package struct DeltaAppender: Sendable {
    /// What the commit will do besides adding the files: removals, batch numbers.
    package var transaction: TableTransaction
    private var options: ParquetWriteOptions
    private let fileBytesMax: Int64
    private let dataChange: Bool
    private let split: PartitionSplit
    /// Columns of a batch that go into the files, and their types there.
    private let stored: [(index: Int, field: Field)]
    private let fileSchema: TableSchema
    private let isMapped: Bool
    private let rules: (any RowRules)?
    /// Fields whose bounds mean nothing to readers.
    private let unboundedColumns: [String]
    private var open: [OpenFile] = []

    private struct OpenFile {
        var values: PartitionValues
        var writer: ParquetWriter
    }

    /// Open files before all of them are written: each holds its rows in memory.
    private static let openFilesMax = 256

    /// Writes into the table of `transaction`. A file that reaches about `fileBytesMax` is closed
    /// and the next one begun. `dataChange` is false when the rows only move to other files.
    package init(
        _ transaction: TableTransaction, options: ParquetWriteOptions = ParquetWriteOptions(),
        fileBytesMax: Int64 = 128 << 20, dataChange: Bool = true
    ) throws(DeltaFailure) {
        let snapshot = transaction.snapshot
        let metadata = snapshot.metadata
        self.transaction = transaction
        self.options = options
        self.fileBytesMax = fileBytesMax
        self.dataChange = dataChange
        split = PartitionSplit(snapshot)
        rules = try Self.rules(transaction)
        if metadata.columnMapping == .id,
            metadata.storedFields.contains(where: { $0.type.hasMembers })
        {
            throw .unsupportedFeature("columnMapping by id of nested columns", use: .write)
        }
        fileSchema = try metadata.fileSchema()
        isMapped = metadata.columnMapping != .none
        self.options.fieldIDs = metadata.fileFieldIDs
        var stored: [(index: Int, field: Field)] = []
        for (column, field) in zip(metadata.storedFields, fileSchema.fields) {
            guard let index = snapshot.schema.index(of: column.name) else { continue }
            stored.append((index, field))
        }
        self.stored = stored
        unboundedColumns = snapshot.schema.fields.filter { $0.type == .json }.map {
            metadata.physicalName(of: $0.name)
        }
    }

    /// Who checks the rows, when the table wants it.
    private static func rules(
        _ transaction: TableTransaction
    ) throws(DeltaFailure) -> (any RowRules)? {
        guard let feature = transaction.metadata.rowRuleFeature else { return nil }
        guard let maker = transaction.table.rulesMaker else {
            throw .unsupportedFeature(feature, use: .write)
        }
        return try maker(transaction.snapshot)
    }

    /// Rows that are written and not committed.
    package private(set) var rowCount: Int64 = 0

    /// Adds the rows of `batch`: the table's columns in their order, partition columns included.
    package mutating func append(_ batch: ColumnBatch, now: Now) throws(DeltaFailure) {
        let expected = transaction.snapshot.schema.fields.count
        guard batch.columns.count == expected else {
            throw .invalid(
                "a batch of \(batch.columns.count) columns for a table of \(expected)")
        }
        try rules?.check(batch)
        for part in split.parts(of: batch) {
            let rows = part.rows.map { batch.gather($0) } ?? batch
            try write(try fileBatch(rows), part.values, now: now)
        }
        rowCount &+= Int64(batch.rowCount)
    }

    /// The columns of the files, in the types of the files.
    private func fileBatch(_ batch: ColumnBatch) throws(DeltaFailure) -> ColumnBatch {
        var columns: [Column] = []
        for (index, field) in stored {
            let given = batch.columns[index]
            // Under column mapping the files have names of their own for members, too.
            let column =
                isMapped ? given.renamed(to: Self.renamedType(given.type, like: field.type)) : given
            if !field.isNullable, column.nullCount > 0 {
                throw .missingValue(column: field.name)
            }
            do throws(DecodeFailure) {
                guard let fitted = try column.fitted(to: field.type) else {
                    throw .malformed("another type", position: 0)
                }
                columns.append(fitted)
            } catch {
                throw .invalid(
                    "rows with \(column.type.sqlName) for column '\(field.name)' of type"
                        + " \(field.type.sqlName)")
            }
        }
        return ColumnBatch(columns: columns, rowCount: batch.rowCount)
    }

    /// `type` with the names of members that `wanted` has, where both are structures.
    private static func renamedType(_ type: ColumnType, like wanted: ColumnType) -> ColumnType {
        switch (type, wanted) {
        case (.list(let element), .list(let like)):
            return .list(renamedType(element, like: like))
        case (.map(let key, let value), .map(let likeKey, let likeValue)):
            return .map(
                key: renamedType(key, like: likeKey), value: renamedType(value, like: likeValue))
        case (.structure(let fields), .structure(let like)) where fields.count == like.count:
            return .structure(
                zip(fields, like).map { field, like in
                    Field(
                        like.name, renamedType(field.type, like: like.type),
                        isNullable: field.isNullable)
                })
        default: return type
        }
    }

    private mutating func write(
        _ batch: ColumnBatch, _ values: PartitionValues, now: Now
    ) throws(DeltaFailure) {
        var place = open.firstIndex { $0.values == values }
        if place == nil {
            if open.count >= Self.openFilesMax { try flush(now: now) }
            do throws(ParquetFailure) {
                let writer = try ParquetWriter(schema: fileSchema, options: options)
                open.append(OpenFile(values: values, writer: writer))
            } catch {
                throw DeltaFailure(error, path: transaction.table.path)
            }
            place = open.count - 1
        }
        guard let place else { return }
        do throws(ParquetFailure) {
            try open[place].writer.write(batch)
        } catch {
            throw DeltaFailure(error, path: transaction.table.path)
        }
        if open[place].writer.approximateByteCount >= fileBytesMax {
            try close(open.remove(at: place), now: now)
        }
    }

    /// Writes all open files durably, without committing.
    package mutating func flush(now: Now) throws(DeltaFailure) {
        let files = open
        open = []
        for file in files { try close(file, now: now) }
    }

    private mutating func close(_ file: OpenFile, now: Now) throws(DeltaFailure) {
        var writer = file.writer
        guard writer.rowCount > 0 else { return }
        let content: Bytes
        let summary: ParquetFileSummary
        do throws(ParquetFailure) {
            (content, summary) = try writer.finish()
        } catch {
            throw DeltaFailure(error, path: transaction.table.path)
        }
        let columns = summary.columns.filter { !$0.isRepeated }.map { column in
            let isBounded = !unboundedColumns.contains(column.path.first ?? "")
            return ColumnSummary(
                path: column.path, nullCount: column.nullCount,
                minimum: isBounded ? column.minimum : nil,
                // NaN is above every number.
                maximum: isBounded && column.nanCount == 0 ? column.maximum : nil)
        }
        try transaction.appendFile(
            content, rowCount: summary.rowCount, columns: columns, partitionValues: file.values,
            codec: options.codec.name, dataChange: dataChange, now: now)
    }

    /// Writes what is open and commits. Returns the new version.
    package consuming func commit(
        _ operation: CommitOperation? = nil, now: Now
    ) throws(DeltaFailure) -> Int64 {
        try flush(now: now)
        let partitionColumns = transaction.snapshot.metadata.partitionColumns
        return try transaction.commit(
            operation ?? .append(partitionBy: partitionColumns), now: now)
    }
}

extension DeltaTable {
    /// Adds the rows of `batches` in one commit.
    package func append(
        _ batches: [ColumnBatch], options: ParquetWriteOptions = ParquetWriteOptions(),
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64 {
        var appender = try DeltaAppender(try begin(random: &random), options: options)
        for batch in batches { try appender.append(batch, now: now) }
        return try appender.commit(now: now)
    }

    /// Replaces all rows by those of `batches` in one commit. Rows that somebody adds meanwhile are
    /// not lost: then this fails with a conflict.
    package func overwrite(
        _ batches: [ColumnBatch], options: ParquetWriteOptions = ParquetWriteOptions(),
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64 {
        var transaction = try begin(random: &random)
        try transaction.removeAll(now: now)
        let partitionColumns = transaction.snapshot.metadata.partitionColumns
        var appender = try DeltaAppender(transaction, options: options)
        for batch in batches { try appender.append(batch, now: now) }
        return try appender.commit(.overwrite(partitionBy: partitionColumns), now: now)
    }
}
