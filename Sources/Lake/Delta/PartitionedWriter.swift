import Base
import Columns
import Parquet

/// Makes Parquet files of rows, at least one for each combination of partition values. It holds
/// what is written in memory until a file is finished, at most about `openBytesMax` of it.
struct PartitionedWriter: Sendable {
    /// A finished file that is nowhere yet.
    struct FinishedFile: Sendable {
        /// The whole file, in pieces.
        var content: [Bytes]
        var rowCount: Int64
        var columns: [ColumnSummary]
        var values: PartitionValues
    }

    private let path: String
    private var options: ParquetWriteOptions
    private let fileBytesMax: Int64
    private let split: PartitionSplit
    /// Columns of a batch that go into the files, and their types there.
    private let stored: [(index: Int, name: String, field: Field)]
    /// Partition columns that allow no NULL.
    private let requiredColumns: [(index: Int, name: String)]
    private let fileSchema: TableSchema
    private let isMapped: Bool
    /// Fields whose bounds mean nothing to readers.
    private let unboundedColumns: [String]
    /// Columns that are no part of the table and have no statistics.
    private let extraColumns: [String]
    private var open: [OpenFile] = []

    private struct OpenFile {
        var values: PartitionValues
        var writer: ParquetWriter
    }

    /// Open files before all of them are written.
    private static let openFilesMax = 256
    /// Bytes of all open files before the largest is finished early.
    private static let openBytesMax: Int64 = 128 << 20

    /// Writes rows of a table. `extra` columns come behind the table's, in batches and in files.
    init(
        _ metadata: TableMetadata, path: String, options: ParquetWriteOptions,
        fileBytesMax: Int64, extra: [Field] = []
    ) throws(DeltaFailure) {
        self.path = path
        self.options = options
        self.fileBytesMax = fileBytesMax
        if metadata.columnMapping == .id,
            metadata.storedFields.contains(where: { $0.type.hasMembers })
        {
            throw .unsupportedFeature("columnMapping by id of nested columns", use: .write)
        }
        let schema = try metadata.schema.tableSchema()
        let fileColumns = try metadata.fileSchema()
        split = PartitionSplit(metadata, schema)
        isMapped = metadata.columnMapping != .none
        self.options.fieldIDs = metadata.fileFieldIDs
        var stored: [(index: Int, name: String, field: Field)] = []
        for (column, field) in zip(metadata.storedFields, fileColumns.fields) {
            guard let index = schema.index(of: column.name) else { continue }
            stored.append((index, column.name, field))
        }
        for (index, field) in extra.enumerated() {
            stored.append((schema.fields.count + index, field.name, field))
        }
        self.stored = stored
        extraColumns = extra.map(\.name)
        fileSchema = TableSchema(stored.map(\.field))
        requiredColumns = metadata.partitionColumns.compactMap { name in
            guard let index = schema.index(of: name), !schema.fields[index].isNullable else {
                return nil
            }
            return (index, name)
        }
        unboundedColumns = schema.fields.filter { $0.type == .json }.map {
            metadata.physicalName(of: $0.name)
        }
    }

    /// Adds the rows of `batch` and returns the files that are full.
    mutating func append(_ batch: ColumnBatch) throws(DeltaFailure) -> [FinishedFile] {
        for (index, name) in requiredColumns where batch.columns[index].nullCount > 0 {
            throw .missingValue(column: name)
        }
        var finished: [FinishedFile] = []
        for part in split.parts(of: batch) {
            let rows = part.rows.map { batch.gather($0) } ?? batch
            try write(try fileBatch(rows), part.values, &finished)
        }
        return finished
    }

    /// Finishes all open files.
    mutating func flush() throws(DeltaFailure) -> [FinishedFile] {
        var finished: [FinishedFile] = []
        // One after the other out of the list, so that its memory is free before the next.
        while !open.isEmpty { try finish(0, &finished) }
        return finished
    }

    /// The columns of the files, in the types of the files.
    private func fileBatch(_ batch: ColumnBatch) throws(DeltaFailure) -> ColumnBatch {
        var columns: [Column] = []
        for (index, name, field) in stored {
            let given = batch.columns[index]
            // Under column mapping the files have names of their own for members, too.
            let column =
                isMapped ? given.renamed(to: Self.renamedType(given.type, like: field.type)) : given
            if !field.isNullable, column.nullCount > 0 { throw .missingValue(column: name) }
            do throws(DecodeFailure) {
                guard let fitted = try column.fitted(to: field.type) else {
                    throw .malformed("another type", position: 0)
                }
                columns.append(fitted)
            } catch {
                throw .invalid(
                    "rows with \(column.type.sqlName) for column '\(name)' of type"
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
        _ batch: ColumnBatch, _ values: PartitionValues, _ finished: inout [FinishedFile]
    ) throws(DeltaFailure) {
        var place = open.firstIndex { $0.values == values }
        if place == nil {
            if open.count >= Self.openFilesMax { finished += try flush() }
            do throws(ParquetFailure) {
                let writer = try ParquetWriter(schema: fileSchema, options: options)
                open.append(OpenFile(values: values, writer: writer))
            } catch {
                throw DeltaFailure(error, path: path)
            }
            place = open.count - 1
        }
        guard let place else { return }
        do throws(ParquetFailure) {
            try open[place].writer.write(batch)
        } catch {
            throw DeltaFailure(error, path: path)
        }
        if open[place].writer.approximateByteCount >= fileBytesMax {
            try finish(place, &finished)
        } else if open.count > 1 {
            let sizes = open.map(\.writer.approximateByteCount)
            guard sizes.reduce(0, &+) > Self.openBytesMax, let largest = sizes.max(),
                let index = sizes.firstIndex(of: largest)
            else { return }
            try finish(index, &finished)
        }
    }

    private mutating func finish(
        _ index: Int, _ finished: inout [FinishedFile]
    ) throws(DeltaFailure) {
        var file = open.remove(at: index)
        guard file.writer.rowCount > 0 else { return }
        let content: [Bytes]
        let summary: ParquetFileSummary
        do throws(ParquetFailure) {
            (content, summary) = try file.writer.finishPieces()
        } catch {
            throw DeltaFailure(error, path: path)
        }
        let columns = summary.columns.filter {
            !$0.isRepeated && !fileSchema.isInVariant($0.path)
                && !extraColumns.contains($0.path.first ?? "")
        }.map { column in
            let isBounded = !unboundedColumns.contains(column.path.first ?? "")
            return ColumnSummary(
                path: column.path, nullCount: column.nullCount,
                minimum: isBounded ? column.minimum : nil,
                // NaN is above every number.
                maximum: isBounded && column.nanCount == 0 ? column.maximum : nil)
        }
        finished.append(
            FinishedFile(
                content: content, rowCount: summary.rowCount, columns: columns,
                values: file.values))
    }
}

extension TableSchema {
    /// True for the leaves that a variant consists of, which have no statistics.
    fileprivate func isInVariant(_ path: [String]) -> Bool {
        var fields = self.fields
        for name in path {
            guard let field = fields.first(where: { $0.name == name }) else { return false }
            switch field.type {
            case .variant: return true
            case .structure(let members): fields = members
            default: return false
            }
        }
        return false
    }
}
