// `_delta_log/N.crc`: what the table should add up to at version N, one JSON object:
//
// | member | meaning |
// |---|---|
// | txnId | the commit's own id, optional |
// | tableSizeBytes, numFiles | of the live files |
// | numDeletedRecordsOpt, numDeletionVectorsOpt | of their deletion vectors |
// | numMetadata, numProtocol | always 1 |
// | inCommitTimestampOpt | the moment of the commit, where commits carry it |
// | metadata, protocol | as the actions have them |
//
// It is written after the commit, never replaced, and its absence means nothing; nor does one that
// cannot be read, because it is not synced.

import Base

/// What the log says that a version adds up to.
package struct VersionChecksum: Hashable, Sendable {
    package var fileCount: Int64
    package var bytes: Int64
    package var metadataID: String?
    package var deletedRows: Int64?

    /// The checksum of `snapshot`.
    package init(_ snapshot: TableSnapshot) {
        fileCount = Int64(snapshot.fileCount)
        bytes = snapshot.totalBytes
        metadataID = snapshot.metadata.id
        deletedRows = snapshot.deletedRowCount
    }

    package init(decoding content: Bytes) throws(DecodeFailure) {
        let json = try JSONValue(parsing: content)
        guard let files = json["numFiles"]?.intValue, let bytes = json["tableSizeBytes"]?.intValue
        else { throw .malformed("numFiles or tableSizeBytes is missing", position: 0) }
        fileCount = files
        self.bytes = bytes
        metadataID = json["metadata"]?["id"]?.stringValue
        deletedRows = json["numDeletedRecordsOpt"]?.intValue
    }

    static func content(of snapshot: TableSnapshot, transactionID: String?) -> Bytes {
        var object = SparseObject()
        object.add("txnId", transactionID)
        object.add("tableSizeBytes", snapshot.totalBytes)
        object.add("numFiles", Int64(snapshot.fileCount))
        object.add("numDeletedRecordsOpt", snapshot.deletedRowCount)
        object.add("numDeletionVectorsOpt", snapshot.deletionVectorCount)
        object.add("numMetadata", Int64(1))
        object.add("numProtocol", Int64(1))
        if snapshot.metadata.flag("delta.enableInCommitTimestamps") {
            object.add("inCommitTimestampOpt", snapshot.timestamp.milliseconds)
        }
        object.add("metadata", snapshot.metadata.json)
        object.add("protocol", snapshot.tableProtocol.json)
        return object.json.serialized()
    }

    /// In which way `snapshot` is not what this says; nil when it is.
    package func difference(from snapshot: TableSnapshot) -> String? {
        let found = VersionChecksum(snapshot)
        if fileCount != found.fileCount {
            return "\(found.fileCount) files, its checksum says \(fileCount)"
        }
        if bytes != found.bytes { return "\(found.bytes) bytes, its checksum says \(bytes)" }
        if let metadataID, metadataID != found.metadataID {
            return "table id \(found.metadataID ?? ""), its checksum says \(metadataID)"
        }
        if let deletedRows, deletedRows != found.deletedRows {
            return "\(found.deletedRows ?? 0) deleted rows, its checksum says \(deletedRows)"
        }
        return nil
    }
}

extension DeltaTable {
    /// In which way `snapshot` is not what the log's own checksum of that version says; nil when it
    /// is, or when there is no checksum that can be read.
    package func checksumDifference(_ snapshot: TableSnapshot) -> String? {
        let path = log.file(LogFileName.checksumName(snapshot.version))
        guard let content = try? store.get(path, range: nil),
            let checksum = try? VersionChecksum(decoding: content)
        else { return nil }
        return checksum.difference(from: snapshot)
    }

    /// Writes the checksum of a version that was just committed. The commit stands without it.
    func writeChecksum(of snapshot: TableSnapshot, transactionID: String?) {
        let path = log.file(LogFileName.checksumName(snapshot.version))
        do throws(StorageFailure) {
            try store.putHint(
                path, VersionChecksum.content(of: snapshot, transactionID: transactionID))
        } catch {
            if case .alreadyExists = error { return }
            diagnostics.report(.warning, "delta", "\(path): \(error)")
        }
    }
}
