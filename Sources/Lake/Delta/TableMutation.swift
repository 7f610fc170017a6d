import Base
import Columns
import Parquet

/// Where a row of a snapshot is: the number of its file among the snapshot's files, and its number
/// in that file. As a whole number it fits a `bigint` column.
package struct RowAddress: Hashable, Sendable {
    package var file: Int
    package var row: Int64

    static let rowBits = 40

    package init(file: Int, row: Int64) {
        precondition(row >= 0 && row < 1 << Self.rowBits && file >= 0 && file < 1 << 22)
        self.file = file
        self.row = row
    }

    /// The address with this number; nil when it is none.
    package init?(number: Int64) {
        guard number >= 0, number >> Self.rowBits < 1 << 22 else { return nil }
        file = Int(number >> Self.rowBits)
        row = number & (1 << Self.rowBits - 1)
    }

    package var number: Int64 { Int64(file) << Self.rowBits | row }
}

/// What a mutation did.
package struct MutationOutcome: Hashable, Sendable {
    /// The new version; nil when nothing was to be changed.
    package var version: Int64?
    package var insertedRows: Int64 = 0
    package var updatedRows: Int64 = 0
    package var deletedRows: Int64 = 0
    /// Rows that only moved to another file.
    package var copiedRows: Int64 = 0
    package var removedFiles = 0
    package var addedFiles = 0
    package var deletionVectors = 0

    package init() {}
}

/// Changes single rows of a table in one commit: DELETE, UPDATE, MERGE and the overwriting of what a
/// condition describes.
///
/// Whoever finds the rows names them by their addresses; which ones they are is kept as one bitmap a
/// file. At the end each file with changed rows is looked at by itself: if all its rows are gone it
/// is removed; else, as the table wants it, the rows are listed in a deletion vector or the others
/// are copied, a few pages at a time. So memory does not grow with the table.
package struct TableMutation: Sendable {
    private var appender: DeltaAppender
    /// The table that was read, with the columns that the transaction leaves it with.
    private let snapshot: TableSnapshot
    private let files: [AddFile]
    private let options: ParquetWriteOptions
    private let usesDeletionVectors: Bool
    private var deleted: OrderedMap<Int, RowBitmap> = [:]
    private var updated: OrderedMap<Int, RowBitmap> = [:]
    private var changes: ChangeWriter?
    /// The numbers of the rows, which updated ones keep; nil when rows are not tracked.
    private var numbers: RowNumbers?
    private var outcome = MutationOutcome()

    /// Changes the table of `transaction`, which the caller has told what is read.
    package init(
        _ transaction: TableTransaction, options: ParquetWriteOptions = ParquetWriteOptions()
    ) throws(DeltaFailure) {
        let metadata = transaction.metadata
        snapshot = try transaction.snapshot.with(metadata)
        files = snapshot.files
        self.options = options
        // Somebody may have set what the protocol does not allow: readers would not look for it.
        let tableProtocol = transaction.tableProtocol
        usesDeletionVectors =
            metadata.flag("delta.enableDeletionVectors")
            && tableProtocol.supports("deletionVectors")
        appender = try DeltaAppender(
            transaction, options: options, fileBytesMax: Self.fileBytesMax, movesRows: true)
        if metadata.keepsRowNumbers { numbers = RowNumbers(transaction.table, snapshot) }
        if metadata.flag("delta.enableChangeDataFeed"), tableProtocol.supports("changeDataFeed") {
            changes = try ChangeWriter(
                metadata, path: transaction.table.path, options: options)
        }
    }

    private var table: DeltaTable { appender.transaction.table }

    // MARK: Rows

    /// Deletes the rows at `addresses`, none of which may be named before.
    package mutating func delete(_ addresses: [Int64]) throws(DeltaFailure) {
        try mark(addresses, isUpdate: false)
        outcome.deletedRows += Int64(addresses.count)
    }

    /// Deletes all rows of the files with these numbers in the snapshot, without reading them. The
    /// change feed tells such a commit from its removed files, so nothing else may be changed.
    package mutating func deleteFiles(_ numbers: [Int], now: Now) throws(DeltaFailure) {
        precondition(deleted.isEmpty && updated.isEmpty && outcome.insertedRows == 0)
        for number in numbers {
            let file = files[number]
            var rows = file.recordedRowCount
            if rows == nil {
                rows = try DeltaScan(table, snapshot, columns: [], files: [file])
                    .openFile(file).rowCount
            }
            outcome.deletedRows += (rows ?? 0) - (file.deletionVector?.cardinality ?? 0)
            try appender.transaction.remove(file, now: now)
        }
    }

    /// Puts the rows of `batch`, which has the table's columns, in the place of those at
    /// `addresses`, none of which may be named before.
    package mutating func update(
        _ addresses: [Int64], to batch: ColumnBatch, now: Now
    ) throws(DeltaFailure) {
        precondition(addresses.count == batch.rowCount, "one new row for each old one")
        try mark(addresses, isUpdate: true)
        let kept = try numbers?.numbers(addresses)
        try appender.append(batch, numbers: kept, now: now)
        outcome.updatedRows += Int64(addresses.count)
        try writeChange(batch, .updatePostimage)
    }

    /// Gives rows that are to be inserted their numbers in identity columns.
    package mutating func number(
        _ batch: ColumnBatch, columns: [String]
    ) throws(DeltaFailure) -> ColumnBatch {
        try appender.transaction.number(batch, columns: columns)
    }

    /// Adds rows.
    package mutating func insert(_ batch: ColumnBatch, now: Now) throws(DeltaFailure) {
        try appender.append(batch, now: now)
        outcome.insertedRows += Int64(batch.rowCount)
        try writeChange(batch, .insert)
    }

    private mutating func mark(_ addresses: [Int64], isUpdate: Bool) throws(DeltaFailure) {
        var byFile: OrderedMap<Int, [Int64]> = [:]
        for number in addresses {
            guard let address = RowAddress(number: number), address.file < files.count else {
                throw .invalid("\(number) is not the address of a row")
            }
            byFile[address.file, default: []].append(address.row)
        }
        for (file, rows) in byFile {
            let before = (deleted[file]?.count ?? 0) + (updated[file]?.count ?? 0)
            if isUpdate {
                updated[file, default: RowBitmap()].insert(rows)
            } else {
                deleted[file, default: RowBitmap()].insert(rows)
            }
            let after = (deleted[file]?.count ?? 0) + (updated[file]?.count ?? 0)
            let isMarkedBoth =
                isUpdate
                ? rows.contains { deleted[file]?.contains($0) ?? false }
                : rows.contains { updated[file]?.contains($0) ?? false }
            if after - before != Int64(rows.count) || isMarkedBoth { throw .rowChangedTwice }
        }
    }

    private mutating func writeChange(
        _ batch: ColumnBatch, _ kind: RowChange
    ) throws(DeltaFailure) {
        guard var writer = changes else { return }
        try writer.append(batch, kind, to: &appender.transaction)
        changes = writer
    }

    // MARK: Files

    /// Writes what changed and commits it. `describe` names the operation for the history once it
    /// is known what was done; nothing is committed when nothing changed.
    package consuming func commit(
        now: Now, alwaysCommits: Bool = false,
        describe: (MutationOutcome) -> CommitOperation
    ) throws(DeltaFailure) -> MutationOutcome {
        var names = appender.transaction.forkRandom()
        var vectors = DeletionVectorWriter(random: &names)
        var pending: [(file: AddFile, vector: DeletionVector, rowCount: Int64)] = []
        for (number, file) in files.enumerated() {
            guard deleted[number] != nil || updated[number] != nil else { continue }
            try finish(file, number, &vectors, &pending, now: now)
        }
        if !vectors.isEmpty {
            let path = table.fullPath(vectors.fileName)
            let store = table.store
            let content = vectors.finish()
            try storing { () throws(StorageFailure) in try store.put(path, content) }
        }
        for change in pending {
            try appender.transaction.replaceDeletionVector(
                of: change.file, with: change.vector, rowCount: change.rowCount, now: now)
        }
        if var writer = changes { try writer.flush(to: &appender.transaction) }
        try appender.flush(now: now)
        outcome.deletionVectors = pending.count
        outcome.addedFiles = appender.transaction.added.count - pending.count
        outcome.removedFiles = appender.transaction.removed.count - pending.count
        guard alwaysCommits || !appender.transaction.isEmpty else { return outcome }
        var operation = describe(outcome)
        operation.metrics = outcome.metrics + operation.metrics
        outcome.version = try appender.commit(operation, now: now)
        return outcome
    }

    /// Deals with one file that has changed rows.
    private mutating func finish(
        _ file: AddFile, _ number: Int, _ vectors: inout DeletionVectorWriter,
        _ pending: inout [(file: AddFile, vector: DeletionVector, rowCount: Int64)], now: Now
    ) throws(DeltaFailure) {
        var gone = deleted[number] ?? RowBitmap()
        if let updated = updated[number] { gone.formUnion(updated) }
        let reader = try DeltaScan(
            table, snapshot, columns: DeltaScan.columnsWithMarks(snapshot), files: [file]
        ).openFile(file)
        if let last = gone.last, last >= reader.rowCount {
            throw .invalid("row \(last) of \(file.path), which has \(reader.rowCount) rows")
        }
        if changes != nil { try writePreimages(reader, number, gone) }
        if let before = reader.deletedRows { gone.formUnion(before) }
        if gone.count == reader.rowCount {
            try appender.transaction.remove(file, now: now)
            return
        }
        if usesDeletionVectors {
            pending.append((file, vectors.add(gone), reader.rowCount))
            return
        }
        for index in 0..<reader.rowGroupCount {
            let numbers = reader.rowNumbers(ofGroup: index)
            // A group of which nothing is left need not be read.
            if gone.count(in: numbers) == numbers.count { continue }
            var batches = try reader.batches(rowGroup: index)
            while let rows = try batches.next() {
                guard let kept = rows.keeping(outside: gone) else { continue }
                outcome.copiedRows += Int64(kept.batch.rowCount)
                try appender.move(kept.batch, now: now)
            }
        }
        try appender.transaction.remove(file, now: now)
    }

    /// Bytes of the files that are written: each is in memory until it is whole.
    private static let fileBytesMax: Int64 = 48 << 20

    /// Writes the rows that are no more, as they were, for readers of the change feed.
    private mutating func writePreimages(
        _ reader: DeltaFileReader, _ number: Int, _ gone: RowBitmap
    ) throws(DeltaFailure) {
        for index in 0..<reader.rowGroupCount {
            if gone.count(in: reader.rowNumbers(ofGroup: index)) == 0 { continue }
            var batches = try reader.batches(rowGroup: index)
            while let rows = try batches.next() {
                for (set, kind) in [
                    (deleted[number], RowChange.delete), (updated[number], .updatePreimage),
                ] {
                    guard let set, let found = rows.keeping(only: set) else { continue }
                    try writeChange(
                        found.batch.prefix(columns: snapshot.schema.fields.count), kind)
                }
            }
        }
    }
}

extension MutationOutcome {
    /// The figures under the names that other engines give them.
    var metrics: [JSONMember] {
        func number(_ name: String, _ value: Int64) -> JSONMember {
            JSONMember(name, .string(String(value)))
        }
        return [
            number("numTargetRowsInserted", insertedRows),
            number("numUpdatedRows", updatedRows), number("numDeletedRows", deletedRows),
            number("numCopiedRows", copiedRows), number("numAddedFiles", Int64(addedFiles)),
            number("numRemovedFiles", Int64(removedFiles)),
            number("numDeletionVectorsAdded", Int64(deletionVectors)),
        ]
    }
}
