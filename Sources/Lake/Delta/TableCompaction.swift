import Base
import Columns
import Parquet

/// What a compaction is to do.
package struct CompactionOptions: Sendable {
    /// Files below this size are small.
    package var smallFileBytes: Int64 = 16 << 20
    /// Small files of one partition before it is worth rewriting them.
    package var filesMin = 16
    /// Bytes of files that one run reads, which bounds its time and memory.
    package var inputBytesMax: Int64 = 256 << 20
    package var outputFileBytesMax: Int64 = 128 << 20
    package var writing = ParquetWriteOptions()

    package init() {}
}

extension DeltaTable {
    /// `OPTIMIZE`: rewrites small files of a partition as larger ones, in one commit that changes
    /// no row. Returns the new version, or nil when there is nothing worth doing. Others may append
    /// meanwhile; if somebody removes one of the files, this fails with a conflict and nothing has
    /// happened.
    package func compact(
        _ options: CompactionOptions = CompactionOptions(), random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64? {
        var transaction = try begin(random: &random)
        let snapshot = transaction.snapshot
        let chosen = Self.smallFiles(snapshot, options)
        guard !chosen.isEmpty else { return nil }
        for file in chosen { try transaction.remove(file, dataChange: false, now: now) }
        var appender = try DeltaAppender(
            transaction, options: options.writing, fileBytesMax: options.outputFileBytesMax,
            dataChange: false)
        let scan = try DeltaScan(self, snapshot)
        for file in chosen {
            let reader = try scan.openFile(file)
            for index in 0..<reader.rowGroupCount {
                guard let batch = try reader.read(rowGroup: index) else { continue }
                try appender.move(batch, now: now)
            }
        }
        let operation = CommitOperation(
            "OPTIMIZE",
            parameters: [JSONMember("predicate", "[]"), JSONMember("auto", "false")])
        return try appender.commit(operation, now: now)
    }

    /// The files to rewrite, partition by partition in the order of the oldest file, each in the
    /// order in which they were added, so that rows keep their order.
    private static func smallFiles(
        _ snapshot: TableSnapshot, _ options: CompactionOptions
    ) -> [AddFile] {
        var groups: [[AddFile]] = []
        var places: [PartitionValues: Int] = [:]
        for file in snapshot.files
        where file.size < options.smallFileBytes && file.deletionVector == nil {
            if let place = places[file.partitionValues] {
                groups[place].append(file)
            } else {
                places[file.partitionValues] = groups.count
                groups.append([file])
            }
        }
        var chosen: [AddFile] = []
        var bytes: Int64 = 0
        for group in groups where group.count >= max(2, options.filesMin) {
            for file in group {
                bytes &+= file.size
                if bytes > options.inputBytesMax { return chosen }
                chosen.append(file)
            }
        }
        return chosen
    }
}
