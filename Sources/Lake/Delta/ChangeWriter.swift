import Base
import Columns
import Parquet

/// What happened to a row, as the change data feed says it.
package enum RowChange: String, Sendable {
    case insert
    case delete
    case updatePreimage = "update_preimage"
    case updatePostimage = "update_postimage"

    /// The column that says it.
    package static let columnName = "_change_type"
}

/// Writes changed rows into files of the change data feed.
struct ChangeWriter: Sendable {
    private var writer: PartitionedWriter
    private let codecName: String

    init(
        _ metadata: TableMetadata, path: String, options: ParquetWriteOptions
    ) throws(DeltaFailure) {
        codecName = options.codec.name
        writer = try PartitionedWriter(
            metadata, path: path, options: options, fileBytesMax: 128 << 20,
            extra: [Field(RowChange.columnName, .text)])
    }

    /// Adds rows of the table, all with the same kind of change.
    mutating func append(
        _ batch: ColumnBatch, _ kind: RowChange, to transaction: inout TableTransaction
    ) throws(DeltaFailure) {
        guard batch.rowCount > 0 else { return }
        let kinds = Column.constant(.text, .text(kind.rawValue), count: batch.rowCount)
        let rows = ColumnBatch(columns: batch.columns + [kinds], rowCount: batch.rowCount)
        try place(try writer.append(rows), in: &transaction)
    }

    mutating func flush(to transaction: inout TableTransaction) throws(DeltaFailure) {
        try place(try writer.flush(), in: &transaction)
    }

    private func place(
        _ files: [PartitionedWriter.FinishedFile], in transaction: inout TableTransaction
    ) throws(DeltaFailure) {
        for file in files {
            try transaction.appendChangeFile(
                file.content, partitionValues: file.values, codec: codecName)
        }
    }
}
