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
    /// Columns by which rows are brought near each other; then all files are rewritten.
    package var zOrder: [String] = []
    /// Of a clustered table all files, those too that are in its order already.
    package var isFull = false
    /// Bytes of rows that are in memory at a time to be ordered; others wait in `scratch`.
    package var memoryBytesMax: Int64 = 32 << 20
    /// Without it rows are ordered in runs of `memoryBytesMax`, each for itself.
    package var scratch: ScratchSpace?
    /// Nobody asked for it: the history says so.
    package var isAutomatic = false

    package init() {}
}

/// Files that are rewritten together: all of them, or none when one is changed meanwhile.
private struct FileGroup {
    var inputs: [AddFile]
    var outputs: [AddFile] = []
}

/// How the rows of a run are put.
private struct RowOrder {
    var columns: [String] = []
    var kind = SpaceCurve.Kind.zOrder
    var provider: String?
}

extension DeltaTable {
    /// `OPTIMIZE`: rewrites small files of a partition as larger ones, and those with many deleted
    /// rows, in one commit that changes no row; with `zOrder`, or in a clustered table, in an order
    /// along a curve. Returns the new version, or nil when there is nothing worth doing.
    ///
    /// Others may change the table meanwhile. Where somebody has changed one of the files, what was
    /// made of it is thrown away and the rest is committed; if nothing is left, all is tried again.
    package func compact(
        _ options: CompactionOptions = CompactionOptions(), random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        var attempt = 1
        while true {
            do throws(DeltaFailure) {
                return try compactOnce(options, random: &random, now: now)
            } catch {
                guard case .conflict = error, attempt < Self.compactionAttempts else { throw error }
                attempt += 1
            }
        }
    }

    private static let compactionAttempts = 5

    private func compactOnce(
        _ options: CompactionOptions, random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        let transaction = try begin(random: &random)
        let snapshot = transaction.snapshot
        let clusteringColumns = try snapshot.clusteringColumns()
        var order = RowOrder(columns: options.zOrder)
        var groups: [FileGroup]
        if !clusteringColumns.isEmpty {
            guard options.zOrder.isEmpty else {
                throw .invalid(
                    "the table is clustered by \(clusteringColumns.joined(separator: ", ")): it cannot"
                        + " be ordered by other columns")
            }
            order = RowOrder(
                columns: clusteringColumns, kind: .hilbert, provider: Clustering.provider)
            groups = Self.filesToCluster(snapshot, options)
        } else if !options.zOrder.isEmpty {
            groups = Self.partitions(snapshot, options.ranges) { _ in true }.map {
                FileGroup(inputs: $0)
            }
        } else {
            groups = Self.filesToMerge(snapshot, options)
        }
        guard !groups.isEmpty else { return nil }
        var appender = try DeltaAppender(
            transaction, options: options.writing, fileBytesMax: options.outputFileBytesMax,
            dataChange: false, clusteringProvider: order.provider, movesRows: true)
        for index in groups.indices {
            let before = appender.transaction.added.count
            try rewrite(groups[index].inputs, snapshot, order, options, &appender, now: now)
            // A file has rows of one group only, so that groups stand and fall by themselves.
            try appender.flush(now: now)
            groups[index].outputs = Array(appender.transaction.added[before...])
        }
        let names = JSONValue.array(order.columns.map { .string($0) })
        var operation = CommitOperation(
            "OPTIMIZE",
            parameters: [
                JSONMember("predicate", "[]"),
                JSONMember("auto", options.isAutomatic ? "true" : "false"),
            ])
        if order.provider == nil {
            operation.parameters.append(JSONMember("zOrderBy", .string(names.text)))
        } else {
            operation.parameters.append(JSONMember("clusterBy", .string(names.text)))
            operation.parameters.append(JSONMember("isFull", .string(String(options.isFull))))
        }
        return try commit(groups, from: snapshot, operation, random: &random, now: now)
    }

    private func rewrite(
        _ files: [AddFile], _ snapshot: TableSnapshot, _ order: RowOrder,
        _ options: CompactionOptions, _ appender: inout DeltaAppender, now: Now
    ) throws(DeltaFailure) {
        guard order.columns.isEmpty else {
            let ordering = try RowOrdering(
                self, snapshot, by: order.columns, order.kind,
                memoryBytesMax: options.memoryBytesMax, scratch: options.scratch,
                // A file is closed between two slices.
                sliceRows: min(options.writing.rowGroupRowsMax, 32_768))
            try ordering.run(files) { (batch) throws(DeltaFailure) in
                try appender.move(batch, now: now)
            }
            return
        }
        var scan = try DeltaScan(
            self, snapshot, columns: DeltaScan.columnsWithMarks(snapshot), files: files)
        while let batch = try scan.next() { try appender.move(batch, now: now) }
    }

    // MARK: Commit

    /// Commits those of `groups` whose files nobody has touched since `snapshot`.
    private func commit(
        _ groups: [FileGroup], from snapshot: TableSnapshot, _ operation: CommitOperation,
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64 {
        var pending = groups
        var attempt = 1
        while true {
            var transaction = try begin(random: &random)
            let newest = transaction.snapshot
            let isSameTable =
                newest.metadata == snapshot.metadata
                && newest.tableProtocol == snapshot.tableProtocol
                && newest.domains[Clustering.domain] == snapshot.domains[Clustering.domain]
            let isUntouched = { (group: FileGroup) in
                group.inputs.allSatisfy { newest.contains($0.key) }
            }
            let kept = isSameTable ? pending.filter(isUntouched) : []
            discard(isSameTable ? pending.filter { !isUntouched($0) } : pending)
            guard !kept.isEmpty else {
                throw .conflict(
                    isSameTable ? .concurrentDeleteDelete : .metadataChanged,
                    version: newest.version)
            }
            pending = kept
            for group in pending {
                for file in group.inputs {
                    try transaction.remove(file, dataChange: false, now: now)
                }
                for file in group.outputs {
                    transaction.addFile(file, rowCount: file.recordedRowCount ?? 0)
                }
            }
            do throws(DeltaFailure) {
                return try transaction.commit(operation, now: now)
            } catch {
                guard case .conflict = error, attempt < DeltaLimits.commitAttempts else {
                    throw error
                }
                attempt += 1
            }
        }
    }

    /// Deletes files that no commit refers to or ever will. What stays is VACUUM's.
    private func discard(_ groups: [FileGroup]) {
        for file in groups.flatMap(\.outputs) { try? store.delete(fullPath(file.path)) }
    }

    // MARK: Choosing files

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

    /// Of a clustered table the files that are not in its order, with those that are small or full
    /// of holes; files that another engine has ordered are its own unless all are asked for.
    private static func filesToCluster(
        _ snapshot: TableSnapshot, _ options: CompactionOptions
    ) -> [FileGroup] {
        if options.isFull {
            return snapshot.files.isEmpty ? [] : [FileGroup(inputs: snapshot.files)]
        }
        var files: [AddFile] = []
        var reasons = 0
        var bytes: Int64 = 0
        for file in snapshot.files {
            if bytes > options.inputBytesMax { break }
            let before = files.count
            switch file.clusteringProvider {
            case nil:
                files.append(file)
                reasons += 1
            case Clustering.provider?:
                if isHoley(file, options) {
                    files.append(file)
                    reasons += 1
                } else if file.size < options.smallFileBytes {
                    files.append(file)
                }
            default: continue
            }
            if files.count > before { bytes &+= file.size }
        }
        return reasons >= max(1, options.filesMin - 1) ? [FileGroup(inputs: files)] : []
    }

    private static func isHoley(_ file: AddFile, _ options: CompactionOptions) -> Bool {
        guard let vector = file.deletionVector, let rows = file.recordedRowCount, rows > 0
        else { return false }
        return Double(vector.cardinality) > Double(rows) * options.deletedShareMax
    }

    /// The files to rewrite, partition by partition, each in the order in which they were added, so
    /// that rows keep their order.
    private static func filesToMerge(
        _ snapshot: TableSnapshot, _ options: CompactionOptions
    ) -> [FileGroup] {
        let groups = partitions(snapshot, options.ranges) { file in
            file.size < options.smallFileBytes || Self.isHoley(file, options)
        }
        func isHoley(_ file: AddFile) -> Bool { Self.isHoley(file, options) }
        var chosen: [FileGroup] = []
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
            if taken.count > 1 || taken.contains(where: isHoley) {
                chosen += divided(taken, options.outputFileBytesMax)
            }
            if bytes > options.inputBytesMax { break }
        }
        return chosen
    }

    /// `files` in groups of about one file of output each.
    private static func divided(_ files: [AddFile], _ bytesMax: Int64) -> [FileGroup] {
        var groups: [FileGroup] = []
        var bytes = Int64.max
        var left = files.reduce(Int64(0)) { $0 &+ $1.size }
        for file in files {
            // What is too little for a file of its own goes with the one before.
            if bytes >= bytesMax, groups.isEmpty || left >= bytesMax {
                groups.append(FileGroup(inputs: []))
                bytes = 0
            }
            groups[groups.count - 1].inputs.append(file)
            bytes &+= file.size
            left &-= file.size
        }
        return groups
    }
}
