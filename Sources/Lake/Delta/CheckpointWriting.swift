// Writing checkpoints (layout: `Checkpoint.swift`), of both kinds.

import Base
import Columns
import Parquet

/// Writes what a snapshot knows as the rows of a checkpoint.
struct CheckpointWriter {
    private static let texts = ColumnType.map(key: .text, value: .text)

    private static let deletionVector = ColumnType.structure([
        Field("storageType", .text), Field("pathOrInlineDv", .text), Field("offset", .int32),
        Field("sizeInBytes", .int32), Field("cardinality", .int64),
    ])

    static let schema = TableSchema([
        Field(
            "txn",
            .structure([
                Field("appId", .text), Field("version", .int64), Field("lastUpdated", .int64),
            ])),
        Field(
            "add",
            .structure([
                Field("path", .text), Field("partitionValues", texts), Field("size", .int64),
                Field("modificationTime", .int64), Field("dataChange", .boolean),
                Field("tags", texts), Field("deletionVector", deletionVector),
                Field("baseRowId", .int64), Field("defaultRowCommitVersion", .int64),
                Field("clusteringProvider", .text), Field("stats", .text),
            ])),
        Field(
            "remove",
            .structure([
                Field("path", .text), Field("deletionTimestamp", .int64),
                Field("dataChange", .boolean), Field("extendedFileMetadata", .boolean),
                Field("partitionValues", texts), Field("size", .int64),
                Field("deletionVector", deletionVector), Field("baseRowId", .int64),
                Field("defaultRowCommitVersion", .int64),
            ])),
        Field(
            "metaData",
            .structure([
                Field("id", .text), Field("name", .text), Field("description", .text),
                Field(
                    "format", .structure([Field("provider", .text), Field("options", texts)])),
                Field("schemaString", .text), Field("partitionColumns", .list(.text)),
                Field("configuration", texts), Field("createdTime", .int64),
            ])),
        Field(
            "protocol",
            .structure([
                Field("minReaderVersion", .int32), Field("minWriterVersion", .int32),
                Field("readerFeatures", .list(.text)), Field("writerFeatures", .list(.text)),
            ])),
        Field(
            "domainMetadata",
            .structure([
                Field("domain", .text), Field("configuration", .text), Field("removed", .boolean),
            ])),
    ])

    /// Columns that only the top file of a checkpoint of the second kind has.
    private static let topFields = [
        Field(
            "checkpointMetadata",
            .structure([Field("version", .int64), Field("tags", texts)])),
        Field(
            "sidecar",
            .structure([
                Field("path", .text), Field("sizeInBytes", .int64),
                Field("modificationTime", .int64), Field("tags", texts),
            ])),
    ]

    private let statistics: StatisticsColumns
    private let keepsText: Bool

    /// Writes checkpoints as the settings of `snapshot` want them.
    init(_ snapshot: TableSnapshot) throws(DeltaFailure) {
        let metadata = snapshot.metadata
        statistics = try StatisticsColumns(
            snapshot, isWanted: metadata.flag("delta.checkpoint.writeStatsAsStruct"))
        keepsText =
            metadata.configuration["delta.checkpoint.writeStatsAsJson"]?.lowercased() != "false"
    }

    /// What a checkpoint has of `snapshot` besides its files.
    static func otherActions(_ snapshot: TableSnapshot) -> [LogAction] {
        var actions: [LogAction] = [
            .tableProtocol(snapshot.tableProtocol), .metadata(snapshot.metadata),
        ]
        actions += snapshot.transactions.values.map { .transaction($0) }
        actions += snapshot.domains.values.map { .domainMetadata($0) }
        return actions
    }

    static func fileActions(_ snapshot: TableSnapshot) -> [LogAction] {
        snapshot.tombstones.map { .remove($0) }
            + snapshot.files.map { file in
                var kept = file
                kept.dataChange = false
                return .add(kept)
            }
    }

    /// The rows of one file. `isTop` gives it the columns of the second kind's top file.
    func content(
        _ actions: [LogAction], isTop: Bool = false
    ) throws(ParquetFailure) -> Bytes {
        var fields = Self.schema.fields + (isTop ? Self.topFields : [])
        let place = fields.firstIndex { $0.name == "add" }
        if let place, case .structure(let members) = fields[place].type {
            fields[place].type = .structure(members + statistics.fields)
        }
        let schema = TableSchema(fields)
        let batch = CheckpointColumns(
            actions, statistics: statistics, keepsText: keepsText
        ).batch(schema)
        var options = ParquetWriteOptions()
        options.codec = .snappy
        var writer = try ParquetWriter(schema: schema, options: options)
        try writer.write(batch)
        return try writer.finish().file
    }
}

extension DeltaTable {
    /// Writes the checkpoint of `snapshot` and the hint that names it. Its rows come in a fixed
    /// order, so that every writer of a version writes the same.
    package func writeCheckpoint(
        of snapshot: TableSnapshot, sidecarEntries: Int = DeltaLimits.sidecarEntries
    ) throws(DeltaFailure) {
        if snapshot.metadata.configuration["delta.checkpointPolicy"]?.lowercased() == "v2",
            snapshot.tableProtocol.supports("v2Checkpoint")
        {
            return try writeSecondCheckpoint(of: snapshot, limit: sidecarEntries)
        }
        let path = log.file(LogFileName.checkpointName(snapshot.version))
        let (content, actions, fileCount) = try checkpointContent(of: snapshot)
        guard try createCheckpointFile(path, content) else { return }
        try writeHint([
            "version": .int(snapshot.version), "size": .int(actions),
            "sizeInBytes": .int(content.count), "numOfAddFiles": .int(fileCount),
        ])
    }

    /// False when somebody has written it already.
    private func createCheckpointFile(
        _ path: String, _ content: Bytes
    ) throws(DeltaFailure) -> Bool {
        do throws(StorageFailure) {
            try store.putIfAbsent(path, content)
            return true
        } catch {
            guard case .alreadyExists = error else { throw .storage(error) }
            return false
        }
    }

    private func writeHint(_ hint: JSONValue) throws(DeltaFailure) {
        try storing { () throws(StorageFailure) in
            try store.replace(log.file("_last_checkpoint"), hint.serialized())
        }
    }

    /// A checkpoint of `snapshot` as one Parquet file, the number of its rows and of live files.
    func checkpointContent(
        of snapshot: TableSnapshot
    ) throws(DeltaFailure) -> (content: Bytes, actions: Int, files: Int) {
        var kept = snapshot
        kept.expireTombstones(now: snapshot.timestamp)
        let actions = CheckpointWriter.otherActions(kept) + CheckpointWriter.fileActions(kept)
        let writer = try CheckpointWriter(kept)
        do throws(ParquetFailure) {
            return (try writer.content(actions), actions.count, kept.fileCount)
        } catch {
            throw DeltaFailure(
                error, path: log.file(LogFileName.checkpointName(snapshot.version)))
        }
    }

    /// Writes a checkpoint of the second kind: a top file under a name with a UUID, and for a table
    /// of many files these in sidecars of their own, so that no single file grows with the table.
    /// Names follow from table and version: two writers of a version write the same files.
    private func writeSecondCheckpoint(
        of snapshot: TableSnapshot, limit: Int
    ) throws(DeltaFailure) {
        var kept = snapshot
        kept.expireTombstones(now: snapshot.timestamp)
        let writer = try CheckpointWriter(kept)
        var names = Random(seed: Self.seed(snapshot.metadata.id, snapshot.version))
        let topID = names.uuid()
        let files = CheckpointWriter.fileActions(kept)
        var top: [LogAction] = [
            .other(name: "checkpointMetadata", ["version": .int(snapshot.version)])
        ]
        top += CheckpointWriter.otherActions(kept)
        if files.count <= limit {
            top += files
        } else {
            for start in stride(from: 0, to: files.count, by: limit) {
                let part = Array(files[start..<min(start + limit, files.count)])
                let name = "\(names.uuid()).parquet"
                let content = try checkpointFile(part, writer, isTop: false, name)
                _ = try createCheckpointFile(log.file("_sidecars/" + name), content)
                top.append(
                    .other(
                        name: "sidecar",
                        [
                            "path": .string(name), "sizeInBytes": .int(content.count),
                            "modificationTime": .int(snapshot.timestamp.milliseconds),
                        ]))
            }
        }
        let name = LogFileName.padded(snapshot.version, 20) + ".checkpoint.\(topID).parquet"
        let content = try checkpointFile(top, writer, isTop: true, name)
        guard try createCheckpointFile(log.file(name), content) else { return }
        try writeHint([
            "version": .int(snapshot.version), "size": .int(top.count + files.count),
            "sizeInBytes": .int(content.count), "numOfAddFiles": .int(kept.fileCount),
        ])
    }

    private func checkpointFile(
        _ actions: [LogAction], _ writer: CheckpointWriter, isTop: Bool, _ name: String
    ) throws(DeltaFailure) -> Bytes {
        do throws(ParquetFailure) {
            return try writer.content(actions, isTop: isTop)
        } catch {
            throw DeltaFailure(error, path: log.file(name))
        }
    }

    private static func seed(_ id: String, _ version: Int64) -> UInt64 {
        // FNV-1a: only has to differ between tables and versions.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash ^ UInt64(bitPattern: version)
    }
}
