import Base

/// What a transaction has read of its table: nothing, the rows within some ranges, or everything.
struct ReadScope: Sendable {
    var everything = false
    /// Each is a conjunction; rows that fulfil any of them were read.
    var ranges: [[ColumnRange]] = []

    var isEmpty: Bool { !everything && ranges.isEmpty }

    /// True when rows of `file` may have been read, or would have been had they been there. In
    /// doubt, and when the file is not known, true.
    func touches(_ file: AddFile?, in snapshot: TableSnapshot) -> Bool {
        if isEmpty { return false }
        guard let file, !everything else { return true }
        return ranges.contains { snapshot.mightMatch(file, $0) }
    }
}

/// A file with changed rows and their kind of change: the `cdc` action.
struct ChangeFile: Hashable, Sendable {
    var path: String
    var partitionValues: PartitionValues
    var size: Int64

    var json: JSONValue {
        [
            "path": .string(TablePath.encoded(path)), "partitionValues": partitionValues.json,
            "size": .int(size), "dataChange": false,
        ]
    }
}

extension TableMetadata {
    /// The same settings, with the version and moment from which on commits carry their moment, when
    /// they did not under `old`. A table that always did needs no such mark.
    func markingCommitTimestamps(
        after old: TableMetadata, version: Int64, timestamp: Timestamp
    ) -> TableMetadata {
        let flag = "delta.enableInCommitTimestamps"
        guard self.flag(flag), !old.flag(flag) else { return self }
        var marked = self
        marked.configuration["delta.inCommitTimestampEnablementVersion"] = String(version)
        marked.configuration["delta.inCommitTimestampEnablementTimestamp"] = String(
            timestamp.milliseconds)
        return marked
    }
}
