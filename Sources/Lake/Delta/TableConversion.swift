import Base
import Columns
import Parquet

extension DeltaTable {
    /// `CONVERT TO DELTA`: makes a table of the Parquet files that lie in its folder, which stay as
    /// they are. Values of partition columns come from folders of the form `column=value`. The
    /// columns are those of all files together; a column must have one type in all of them. With
    /// `collectsStatistics` the files' footers give bounds, else only numbers of rows. Returns the
    /// number of files.
    package func convert(
        partitionColumns: [Field] = [], collectsStatistics: Bool = true, random: inout Random,
        now: Now
    ) throws(DeltaFailure) -> Int {
        guard try log.list().isEmpty else { throw .tableExists(path: path) }
        let entries = try storing { () throws(StorageFailure) in
            try store.list(path, recursive: true)
        }
        let found = entries.filter {
            $0.path.hasSuffix(".parquet") && !Self.isHidden(relative($0.path))
        }
        guard !found.isEmpty else {
            throw .invalid("there are no Parquet files at '\(path)' to make a table of")
        }
        var columns = MergedColumns()
        var files: [(entry: ObjectEntry, values: PartitionValues, parquet: ParquetFile)] = []
        for entry in found {
            let values = try partitionValues(of: relative(entry.path), partitionColumns)
            let parquet = try openParquet(entry)
            try columns.add(parquet.schema, of: entry.path, except: partitionColumns)
            files.append((entry, values, parquet))
        }
        let schema = TableSchema(columns.fields + partitionColumns)
        let metadata = TableMetadata(
            id: random.uuid().description,
            schema: try Self.columns(
                schema, metadata: [:], partitionColumns: partitionColumns.map(\.name)),
            partitionColumns: partitionColumns.map(\.name), createdTime: now.timestamp)
        let tableProtocol = try TableFeatures.minimalProtocol(for: metadata)
        try requireWritable(tableProtocol, metadata)
        let operation = CommitOperation(
            "CONVERT",
            parameters: [
                JSONMember("numFiles", .string(String(files.count))),
                JSONMember(
                    "partitionedBy",
                    .string(
                        JSONValue.array(partitionColumns.map { .string($0.name) }).text)),
                JSONMember("collectStats", .string(collectsStatistics ? "true" : "false")),
            ], metrics: [JSONMember("numConvertedFiles", .string(String(files.count)))])
        let info = operation.commitInfo(
            timestamp: now.timestamp, readVersion: nil, isBlindAppend: false,
            metrics: operation.metrics,
            transactionID: random.uuid().description, inCommitTimestamp: false)
        var actions: [LogAction] = [
            .commitInfo(info), .tableProtocol(tableProtocol), .metadata(metadata),
        ]
        for (entry, values, parquet) in files {
            let summaries = collectsStatistics ? Self.summaries(parquet, columns.fields) : []
            actions.append(
                .add(
                    AddFile(
                        path: relative(entry.path), partitionValues: values, size: entry.size,
                        modificationTime: entry.modified,
                        statistics: FileStatistics.text(
                            rowCount: parquet.rowCount,
                            columns: metadata.columnsWithStatistics(summaries), limit: -1))))
        }
        guard try log.writeCommit(0, actions) else { throw .tableExists(path: path) }
        return files.count
    }

    private func relative(_ full: String) -> String {
        path.isEmpty ? full : String(full.dropFirst(path.count + 1))
    }

    private func openParquet(_ entry: ObjectEntry) throws(DeltaFailure) -> ParquetFile {
        let store = store
        do throws(ParquetFailure) {
            return try ParquetFile(size: entry.size) {
                (position, count) throws(StorageFailure) in
                try store.get(entry.path, range: position..<(position &+ Int64(count)))
            }
        } catch {
            throw DeltaFailure(error, path: entry.path)
        }
    }

    /// The values that the folders of a file say, which must be those of `columns` in their order.
    private func partitionValues(
        of file: String, _ columns: [Field]
    ) throws(DeltaFailure) -> PartitionValues {
        let folders = file.split(separator: "/").dropLast().filter { $0.contains("=") }
        let names = columns.map(\.name).joined(separator: ", ")
        guard folders.count == columns.count else {
            throw .invalid(
                "\(file) lies below \(folders.count) folders of the form column=value, but the"
                    + " partition columns are (\(names))")
        }
        var entries: [PartitionValues.Entry] = []
        for (folder, column) in zip(folders, columns) {
            let parts = folder.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = TablePath.decodedForComparison(String(parts[0]))
            let text = TablePath.decodedForComparison(String(parts[1]))
            guard name == column.name else {
                throw .invalid(
                    "\(file) has a folder of column '\(name)' where partition column"
                        + " '\(column.name)' is expected (\(names))")
            }
            if text == "__HIVE_DEFAULT_PARTITION__" || text.isEmpty {
                entries.append(PartitionValues.Entry(column: name, text: nil))
                continue
            }
            guard let value = PartitionValues.parse(text, column.type) else {
                throw .invalid(
                    "'\(text.prefix(100))' of \(file) is not a \(column.type.sqlName), the type of"
                        + " partition column '\(name)'")
            }
            entries.append(
                PartitionValues.Entry(
                    column: name, text: PartitionValues.text(value, column.type)))
        }
        return PartitionValues(entries)
    }

    /// What the footer says about the columns of a file; nothing where it is silent.
    private static func summaries(
        _ file: ParquetFile, _ fields: [Field]
    ) -> [ColumnSummary] {
        leaves(fields, below: []).map { path, type in
            guard file.schema.index(of: path[0]) != nil else {
                return ColumnSummary(path: path, nullCount: file.rowCount)
            }
            var merged = MergedBounds()
            for index in file.rowGroups.indices {
                merged.add(
                    file.bounds(rowGroup: index, column: path.joined(separator: ".")),
                    rowCount: file.rowGroups[index].rowCount)
            }
            // NaN is above every number, and footers leave it out.
            let isFloat = type == .float32 || type == .float64
            return ColumnSummary(
                path: path, nullCount: merged.nullCount, minimum: merged.minimum.value,
                maximum: isFloat ? nil : merged.maximum.value)
        }
    }

    /// The columns, and members of structures, of which statistics speak. A name with a dot could
    /// be taken for two.
    private static func leaves(
        _ fields: [Field], below path: [String]
    ) -> [(path: [String], type: ColumnType)] {
        fields.flatMap { field -> [(path: [String], type: ColumnType)] in
            if field.name.contains(".") { return [] }
            switch field.type {
            case .structure(let members): return leaves(members, below: path + [field.name])
            case .list, .map, .variant, .null: return []
            default: return [(path + [field.name], field.type)]
            }
        }
    }
}

/// The columns of several files together.
private struct MergedColumns {
    private(set) var fields: [Field] = []
    /// The file that brought a column, for messages.
    private var origins: [String: String] = [:]

    /// Adds the columns of one file, all of which may be NULL in the table.
    mutating func add(
        _ schema: TableSchema, of file: String, except partitionColumns: [Field]
    ) throws(DeltaFailure) {
        for field in schema.fields
        where !partitionColumns.contains(where: { $0.name == field.name }) {
            guard let known = fields.first(where: { $0.name == field.name }) else {
                fields.append(Field(field.name, field.type))
                origins[field.name] = file
                continue
            }
            guard known.type == field.type else {
                throw .invalid(
                    "column '\(field.name)' is \(field.type.sqlName) in \(file), but"
                        + " \(known.type.sqlName) in \(origins[field.name] ?? "another file")")
            }
        }
    }
}

/// Bounds of a column over the row groups of a file; unknown as soon as one group's are.
private struct MergedBounds {
    struct End {
        var value: Value?
        private var isKnown = true
        /// -1 keeps the least, 1 the greatest.
        private let direction: Int

        init(keeping direction: Int) { self.direction = direction }

        mutating func add(_ other: Value?) {
            guard isKnown, let other else { return forget() }
            guard let value else {
                self.value = other
                return
            }
            guard let order = order(of: other, value) else { return forget() }
            if order * direction > 0 { self.value = other }
        }

        private mutating func forget() {
            isKnown = false
            value = nil
        }
    }

    var nullCount: Int64? = 0
    var minimum = End(keeping: -1)
    var maximum = End(keeping: 1)

    mutating func add(_ bounds: ColumnBounds, rowCount: Int) {
        guard rowCount > 0 else { return }
        nullCount = nullCount.flatMap { known in bounds.nullCount.map { known &+ $0 } }
        // A group of nothing but NULL has no bounds, and does not matter.
        if bounds.nullCount == Int64(rowCount) { return }
        minimum.add(bounds.minimum)
        maximum.add(bounds.maximum)
    }
}
