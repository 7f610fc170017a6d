import Base
import Columns
import Parquet

/// Writes rows into new data files of a table and commits them together. After a failure nothing is
/// visible; throw the appender away.
package struct DeltaAppender: Sendable {
    /// What the commit will do besides adding the files: removals, batch numbers.
    package var transaction: TableTransaction
    private let codecName: String
    private let dataChange: Bool
    private let clusteringProvider: String?
    private let columnCount: Int
    /// Places of identity columns, which must have a number in every row.
    private let identityPlaces: [Int]
    private let rules: (any RowRules)?
    /// Files have columns for the marks of rows that come from other files.
    private let carriesMarks: Bool
    private var writer: PartitionedWriter

    /// Writes into the table of `transaction`, in the columns that the transaction leaves it with.
    /// A file that reaches about `fileBytesMax` is closed and the next one begun. `dataChange` is
    /// false when the rows only move to other files. `clusteringProvider` says who has ordered them
    /// as the table's clustering wants it. `movesRows` says that rows of other files may come, which
    /// keep the marks that a table with row tracking gave them.
    package init(
        _ transaction: TableTransaction, options: ParquetWriteOptions = ParquetWriteOptions(),
        fileBytesMax: Int64 = 128 << 20, dataChange: Bool = true,
        clusteringProvider: String? = nil, movesRows: Bool = false
    ) throws(DeltaFailure) {
        self.transaction = transaction
        let marks =
            movesRows && transaction.snapshot.tracksRows
            ? try transaction.metadata.rowMarkColumns() : []
        carriesMarks = !marks.isEmpty
        self.dataChange = dataChange
        self.clusteringProvider = clusteringProvider
        codecName = options.codec.name
        let fields = transaction.metadata.schema.fields
        columnCount = fields.count
        var places: [Int] = []
        for (index, field) in fields.enumerated() where try field.identity() != nil {
            places.append(index)
        }
        identityPlaces = dataChange ? places : []
        rules = dataChange ? try transaction.table.rowRules(of: transaction.metadata) : nil
        writer = try PartitionedWriter(
            transaction.metadata, path: transaction.table.path, options: options,
            fileBytesMax: fileBytesMax, extra: marks)
    }

    /// Rows that are written and not committed.
    package private(set) var rowCount: Int64 = 0

    /// Adds the rows of `batch`: the table's columns in their order, partition columns included.
    package mutating func append(_ batch: ColumnBatch, now: Now) throws(DeltaFailure) {
        try append(batch, numbers: nil, now: now)
    }

    /// The same for rows that take the place of others, whose `numbers` they keep.
    mutating func append(
        _ batch: ColumnBatch, numbers: [Int64]?, now: Now
    ) throws(DeltaFailure) {
        try check(batch)
        if let rules {
            // NOT NULL comes first, as everywhere.
            for (column, field) in zip(batch.columns, transaction.metadata.schema.fields)
            where !field.isNullable && column.nullCount > 0 {
                throw .missingValue(column: field.name)
            }
            try rules.check(batch)
        }
        try place(try writer.append(marked(batch, numbers)), now: now)
        rowCount &+= Int64(batch.rowCount)
    }

    /// The rows with the columns of their marks, where the files have some. The version is that of
    /// the commit, which nobody knows yet: that of the file stands for it.
    private func marked(_ batch: ColumnBatch, _ numbers: [Int64]?) -> ColumnBatch {
        guard carriesMarks else { return batch }
        let none = Column.nulls(.int64, count: batch.rowCount)
        let own = numbers.map { Column(type: .int64, data: .int64($0)) }
        return ColumnBatch(columns: batch.columns + [own ?? none, none], rowCount: batch.rowCount)
    }

    /// Adds rows that the table has already and that only move to another file, with their marks
    /// behind the table's columns when rows are tracked.
    mutating func move(_ batch: ColumnBatch, now: Now) throws(DeltaFailure) {
        try check(batch, isMarked: carriesMarks)
        try place(try writer.append(batch), now: now)
    }

    private func check(_ batch: ColumnBatch, isMarked: Bool = false) throws(DeltaFailure) {
        let wanted = columnCount + (isMarked ? RowMark.allCases.count : 0)
        guard batch.columns.count == wanted else {
            throw .invalid(
                "a batch of \(batch.columns.count) columns for a table of \(wanted)")
        }
        for place in identityPlaces where batch.columns[place].nullCount > 0 {
            throw .missingValue(column: transaction.metadata.schema.fields[place].name)
        }
    }

    /// Writes all open files durably, without committing.
    package mutating func flush(now: Now) throws(DeltaFailure) {
        try place(try writer.flush(), now: now)
    }

    private mutating func place(
        _ files: [PartitionedWriter.FinishedFile], now: Now
    ) throws(DeltaFailure) {
        for file in files {
            try transaction.appendFile(
                file.content, rowCount: file.rowCount, columns: file.columns,
                partitionValues: file.values, codec: codecName, dataChange: dataChange,
                clusteringProvider: clusteringProvider, now: now)
        }
    }

    /// Removes what the table had in those partitions that rows were added to.
    package mutating func replaceTouchedPartitions(now: Now) throws(DeltaFailure) {
        try flush(now: now)
        let snapshot = transaction.snapshot
        guard !snapshot.metadata.partitionColumns.isEmpty else {
            throw .invalid("the table has no partitions that could be replaced one by one")
        }
        func canonical(_ file: AddFile) -> PartitionValues {
            file.partitionValues.canonical(snapshot.metadata, snapshot.schema)
        }
        let replaced = Set(transaction.added.map { canonical($0) })
        transaction.markAsReading()
        for file in snapshot.files where replaced.contains(canonical(file)) {
            try transaction.remove(file, now: now)
        }
    }

    /// Gives rows that are to be added their numbers in identity columns.
    package mutating func number(
        _ batch: ColumnBatch, columns: [String]
    ) throws(DeltaFailure) -> ColumnBatch {
        try transaction.number(batch, columns: columns)
    }

    /// Deletes the files that were written, for who will not commit. What stays is VACUUM's.
    package consuming func discard() {
        let table = transaction.table
        for file in transaction.added { try? table.store.delete(table.fullPath(file.path)) }
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

    /// Replaces the rows of those partitions that `batches` have rows for, in one commit. Rows that
    /// somebody adds to the table meanwhile are not lost: then this fails with a conflict.
    package func overwritePartitions(
        _ batches: [ColumnBatch], options: ParquetWriteOptions = ParquetWriteOptions(),
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64 {
        let transaction = try begin(random: &random)
        let partitionColumns = transaction.snapshot.metadata.partitionColumns
        var appender = try DeltaAppender(transaction, options: options)
        for batch in batches { try appender.append(batch, now: now) }
        try appender.replaceTouchedPartitions(now: now)
        var operation = CommitOperation.overwrite(partitionBy: partitionColumns)
        operation.parameters.append(JSONMember("partitionOverwriteMode", "dynamic"))
        return try appender.commit(operation, now: now)
    }
}
