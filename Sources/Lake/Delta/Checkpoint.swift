// A checkpoint: what the log adds up to at a version, as rows of a Parquet file with one structure
// column for each kind of action, all but one of them NULL in each row.
//
// | column | members |
// |---|---|
// | protocol | minReaderVersion, minWriterVersion, readerFeatures[], writerFeatures[] |
// | metaData | id, name, description, format{provider, options}, schemaString, partitionColumns[], configuration, createdTime |
// | add | path, partitionValues, size, modificationTime, dataChange, stats, tags, deletionVector{}, baseRowId, … |
// | remove | path, deletionTimestamp, dataChange, extendedFileMetadata, partitionValues, size, … |
// | txn | appId, version, lastUpdated |
// | domainMetadata | domain, configuration, removed |
// | sidecar | path: rows of this checkpoint in another file (second kind of checkpoint) |

import Base
import Columns
import Parquet

/// Reads checkpoints into actions.
struct CheckpointReader {
    let log: CommitLog

    private static let columns = [
        "protocol", "metaData", "add", "remove", "txn", "domainMetadata", "sidecar",
    ]

    func read(_ checkpoint: CommitLog.Checkpoint) throws(DeltaFailure) -> [LogAction] {
        let actions = try topActions(of: checkpoint)
        var all: [LogAction] = []
        for action in actions {
            guard case .other("sidecar", let body) = action else {
                all.append(action)
                continue
            }
            all += try readRows(try sidecarPath(body, of: checkpoint))
        }
        return all
    }

    /// The paths of the files in which a checkpoint's file actions are, besides its own.
    func sidecarPaths(of checkpoint: CommitLog.Checkpoint) throws(DeltaFailure) -> [String] {
        var paths: [String] = []
        for case .other("sidecar", let body) in try topActions(of: checkpoint) {
            paths.append(try sidecarPath(body, of: checkpoint))
        }
        return paths
    }

    private func topActions(
        of checkpoint: CommitLog.Checkpoint
    ) throws(DeltaFailure) -> [LogAction] {
        var actions: [LogAction] = []
        for file in checkpoint.files {
            actions += file.hasSuffix(".json") ? try readLines(file) : try readRows(file)
        }
        return actions
    }

    private func sidecarPath(
        _ body: JSONValue, of checkpoint: CommitLog.Checkpoint
    ) throws(DeltaFailure) -> String {
        let owner = checkpoint.files.first ?? log.path
        guard let text = body["path"]?.stringValue else {
            throw .corrupt(path: owner, detail: "a sidecar without a path")
        }
        do throws(DecodeFailure) {
            return log.file("_sidecars/" + (try TablePath.decoded(text)))
        } catch {
            throw .corrupt(path: owner, detail: "\(error)")
        }
    }

    private func readLines(_ path: String) throws(DeltaFailure) -> [LogAction] {
        let content = try storing { () throws(StorageFailure) in
            try log.store.get(path, range: nil)
        }
        do throws(LineFailure) {
            return try LogAction.parse(content)
        } catch {
            throw .corrupt(path: path, detail: "line \(error.line): \(error.failure)")
        }
    }

    private func readRows(_ path: String) throws(DeltaFailure) -> [LogAction] {
        let content = try storing { () throws(StorageFailure) in
            try log.store.get(path, range: nil)
        }
        var actions: [LogAction] = []
        do throws(ParquetFailure) {
            let file = try ParquetFile(content)
            let names = Self.columns.filter { file.schema.index(of: $0) != nil }
            for index in file.rowGroups.indices {
                let batch = try file.read(rowGroup: index, columns: names)
                do throws(DecodeFailure) {
                    for (name, column) in zip(names, batch.columns) {
                        actions += try Self.actions(name, column)
                    }
                } catch {
                    throw .corrupt("\(error)", position: 0)
                }
            }
        } catch {
            throw .corrupt(path: path, detail: "\(error)")
        }
        return actions
    }

    /// The actions in one column: its rows that are not NULL.
    private static func actions(
        _ name: String, _ column: Column
    ) throws(DecodeFailure) -> [LogAction] {
        if name == "add", let reader = AddColumnReader(column) {
            return try reader.files().map { .add($0) }
        }
        var actions: [LogAction] = []
        for row in 0..<column.count where !column.isNull(row) {
            var body = column.value(row).json(column.type)
            if case .object(let members) = body, members.isEmpty { continue }
            if name == "add" { body = withStatistics(body) }
            if let action = try LogAction(json: .object([JSONMember(name, body)])) {
                actions.append(action)
            }
        }
        return actions
    }

    /// Some writers keep statistics as columns only: they become the text that everybody knows.
    private static func withStatistics(_ add: JSONValue) -> JSONValue {
        guard case .object(var members) = add else { return add }
        members.removeAll { $0.key == "stats_parsed" || $0.key == "partitionValues_parsed" }
        if add["stats"] == nil, let parsed = add["stats_parsed"] {
            members.append(JSONMember("stats", .string(parsed.text)))
        }
        if add["partitionValues"] == nil, let parsed = add["partitionValues_parsed"]?.members {
            let texts = parsed.map { JSONMember($0.key, $0.value.partitionText) }
            members.append(JSONMember("partitionValues", .object(texts)))
        }
        return .object(members)
    }
}

extension JSONValue {
    /// A typed partition value as the text that `partitionValues` would have.
    fileprivate var partitionText: JSONValue {
        switch self {
        case .string, .null: self
        default: .string(text)
        }
    }
}
