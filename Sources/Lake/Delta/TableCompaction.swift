import Base
import Columns
import Parquet

/// What a compaction is to do.
package struct CompactionOptions: Sendable {
    /// Files below this size are small.
    package var smallFileBytes: Int64 = 16 << 20
    /// Small files of one partition before it is worth rewriting them.
    package var filesMin = 16
    /// A file of whose rows this share is deleted is rewritten, whatever its size.
    package var deletedShareMax = 0.3
    /// Bytes of files that one run reads, which bounds its time.
    package var inputBytesMax: Int64 = 256 << 20
    package var outputFileBytesMax: Int64 = 128 << 20
    package var writing = ParquetWriteOptions()
    /// Only files that may have rows in all of these.
    package var ranges: [ColumnRange] = []
    /// Columns by which rows are brought near each other; then all files are rewritten, as many at
    /// a time as `orderedBytesMax` allows.
    package var zOrder: [String] = []
    /// Bytes of files that are in memory at a time to be ordered.
    package var orderedBytesMax: Int64 = 32 << 20
    /// Nobody asked for it: the history says so.
    package var isAutomatic = false

    package init() {}
}

extension DeltaTable {
    /// `OPTIMIZE`: rewrites small files of a partition as larger ones, and those with many deleted
    /// rows, in one commit that changes no row. Returns the new version, or nil when there is
    /// nothing worth doing. Others may append meanwhile; if somebody removes one of the files, this
    /// fails with a conflict and nothing has happened.
    package func compact(
        _ options: CompactionOptions = CompactionOptions(), random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        var transaction = try begin(random: &random)
        let snapshot = transaction.snapshot
        let isOrdering = !options.zOrder.isEmpty
        let groups =
            isOrdering
            ? Self.wholePartitions(snapshot, options) : Self.filesToMerge(snapshot, options)
        guard !groups.isEmpty else { return nil }
        for file in groups.joined() {
            try transaction.remove(file, dataChange: false, now: now)
        }
        var appender = try DeltaAppender(
            transaction, options: options.writing, fileBytesMax: options.outputFileBytesMax,
            dataChange: false)
        let scan = try DeltaScan(self, snapshot)
        for group in groups {
            var held: [ColumnBatch] = []
            var heldBytes: Int64 = 0
            for file in group {
                let reader = try scan.openFile(file)
                for index in 0..<reader.rowGroupCount {
                    guard let batch = try reader.read(rowGroup: index) else { continue }
                    if isOrdering {
                        held.append(batch)
                    } else {
                        try appender.move(batch, now: now)
                    }
                }
                heldBytes &+= file.size
                if isOrdering, heldBytes >= options.orderedBytesMax {
                    try Self.moveOrdered(held, options.zOrder, snapshot, &appender, now: now)
                    held = []
                    heldBytes = 0
                }
            }
            try Self.moveOrdered(held, options.zOrder, snapshot, &appender, now: now)
        }
        let names = JSONValue.array(options.zOrder.map { .string($0) })
        let operation = CommitOperation(
            "OPTIMIZE",
            parameters: [
                JSONMember("predicate", "[]"),
                JSONMember("auto", options.isAutomatic ? "true" : "false"),
                JSONMember("zOrderBy", .string(names.text)),
            ])
        return try appender.commit(operation, now: now)
    }

    /// Writes the rows of `batches` in the order of the curve through `columns`.
    private static func moveOrdered(
        _ batches: [ColumnBatch], _ columns: [String], _ snapshot: TableSnapshot,
        _ appender: inout DeltaAppender, now: Now
    ) throws(DeltaFailure) {
        guard let first = batches.first else { return }
        let merged = first.columns.indices.map { index in
            Column.concatenation(batches.map { $0.columns[index] })
        }
        let rowCount = batches.reduce(0) { $0 + $1.rowCount }
        let keys = columns.compactMap { snapshot.schema.index(of: $0) }.map { merged[$0] }
        let order = ZOrder.order(keys, rowCount: rowCount)
        let whole = ColumnBatch(columns: merged, rowCount: rowCount)
        // A few row groups at a time, so that files are closed at their size.
        for start in stride(from: 0, to: rowCount, by: 65_536) {
            let rows = Array(order[start..<min(start + 65_536, rowCount)])
            try appender.move(whole.gather(rows), now: now)
        }
    }

    /// The files of each partition, in the order of the oldest file.
    private static func partitions(
        _ snapshot: TableSnapshot, _ ranges: [ColumnRange],
        where isWanted: (AddFile) -> Bool
    ) -> [[AddFile]] {
        var groups: [[AddFile]] = []
        var places: [PartitionValues: Int] = [:]
        for file in snapshot.files where isWanted(file) && snapshot.mightMatch(file, ranges) {
            if let place = places[file.partitionValues] {
                groups[place].append(file)
            } else {
                places[file.partitionValues] = groups.count
                groups.append([file])
            }
        }
        return groups
    }

    private static func wholePartitions(
        _ snapshot: TableSnapshot, _ options: CompactionOptions
    ) -> [[AddFile]] {
        partitions(snapshot, options.ranges) { _ in true }
    }

    /// The files to rewrite, partition by partition, each in the order in which they were added, so
    /// that rows keep their order.
    private static func filesToMerge(
        _ snapshot: TableSnapshot, _ options: CompactionOptions
    ) -> [[AddFile]] {
        func isHoley(_ file: AddFile) -> Bool {
            guard let vector = file.deletionVector, let rows = file.recordedRowCount, rows > 0
            else { return false }
            return Double(vector.cardinality) > Double(rows) * options.deletedShareMax
        }
        let groups = partitions(snapshot, options.ranges) { file in
            file.size < options.smallFileBytes || isHoley(file)
        }
        var chosen: [[AddFile]] = []
        var bytes: Int64 = 0
        for group in groups {
            let isWorthwhile =
                group.count >= max(2, options.filesMin) || group.contains(where: isHoley)
            guard isWorthwhile else { continue }
            var taken: [AddFile] = []
            let wanted =
                group.count >= max(2, options.filesMin) ? group : group.filter(isHoley)
            for file in wanted {
                bytes &+= file.size
                if bytes > options.inputBytesMax, !taken.isEmpty || !chosen.isEmpty { break }
                taken.append(file)
            }
            // One small file alone gains nothing, and would be chosen again and again.
            if taken.count > 1 || taken.contains(where: isHoley) { chosen.append(taken) }
            if bytes > options.inputBytesMax { break }
        }
        return chosen
    }
}
