// SHALLOW CLONE: a table whose first version is a version of another table. The files stay where they
// are, and the log of the clone names them by their addresses; what changes later is the clone's own.

import Base
import Columns

extension DeltaTable {
    /// The path in the store of a file or deletion vector that the log names. Throws when an address
    /// leads out of what may be read here.
    func location(of file: String) throws(DeltaFailure) -> String {
        guard TablePath.isAddress(file) else { return fullPath(file) }
        if let path = store.location?.path(of: file) { return path }
        let place = store.location.map { $0.address(of: $0.readable) }
        throw .invalid(
            "the table names the file \(file.prefix(200)), which is outside of what is read here"
                + (place.map { " (\($0))" } ?? ""))
    }

    /// What a log elsewhere calls a file of this table.
    private func address(of file: String) throws(DeltaFailure) -> String {
        if TablePath.isAddress(file) { return file }
        guard let location = store.location else {
            throw .invalid("the files of this store have no addresses that another log could name")
        }
        return location.address(of: fullPath(file))
    }

    /// `SHALLOW CLONE`: makes this a table with the columns, settings and rows that `source` has in
    /// `snapshot`, without copying files. An empty folder gets version 0; a table that is there keeps
    /// its history, and loses rows and columns. `settings` are added to those of the source. Returns
    /// the new version.
    ///
    /// VACUUM here never touches files of `source`. VACUUM of `source` does not know of the clone: it
    /// deletes what `source` itself no longer needs.
    package func clone(
        _ source: DeltaTable, at snapshot: TableSnapshot, named sourceName: String,
        name: String? = nil, settings: OrderedMap<String, String> = [:], replaces: Bool,
        random: inout Random, now: Now
    ) throws(DeltaFailure) -> Int64 {
        guard source.path != path else { throw .invalid("a table cannot be a clone of itself") }
        try requireWritable(snapshot.tableProtocol, snapshot.metadata)
        var files: [AddFile] = []
        for file in snapshot.files { files.append(try Self.named(file, of: source)) }
        var wanted = snapshot.metadata
        wanted.id = random.uuid().description
        wanted.name = name
        wanted.createdTime = now.timestamp
        // From when on commits carry their moments is said of the versions of one table.
        for key in Self.momentKeys { wanted.configuration[key] = nil }
        for (key, value) in settings { wanted.configuration[key] = value }
        var operation = CommitOperation(
            "CLONE",
            parameters: [
                JSONMember("source", .string(sourceName)),
                JSONMember("sourceVersion", .string(String(snapshot.version))),
            ],
            metrics: [
                JSONMember("sourceTableSize", .string(String(snapshot.totalBytes))),
                JSONMember("sourceNumOfFiles", .string(String(snapshot.fileCount))),
                JSONMember("numCopiedFiles", "0"), JSONMember("copiedFilesSize", "0"),
            ])
        if try exists() {
            guard replaces else { throw .tableExists(path: path) }
            var transaction = try begin(random: &random)
            let removed = transaction.snapshot
            operation.metrics += [
                JSONMember("numRemovedFiles", .string(String(removed.fileCount))),
                JSONMember("removedFilesSize", .string(String(removed.totalBytes))),
            ]
            wanted.id = removed.metadata.id
            for key in Self.momentKeys {
                wanted.configuration[key] = removed.metadata.configuration[key]
            }
            try transaction.replace(with: wanted, of: snapshot, files: files, now: now)
            return try transaction.commit(operation, now: now)
        }
        let tableProtocol =
            try TableFeatures.upgrade(of: snapshot.tableProtocol, for: wanted)
            ?? snapshot.tableProtocol
        try requireWritable(tableProtocol, wanted)
        let info = operation.commitInfo(
            timestamp: now.timestamp, readVersion: nil, isBlindAppend: false,
            metrics: operation.metrics, transactionID: random.uuid().description,
            inCommitTimestamp: wanted.flag("delta.enableInCommitTimestamps"))
        var actions: [LogAction] = [
            .commitInfo(info), .tableProtocol(tableProtocol), .metadata(wanted),
        ]
        for (_, domain) in snapshot.domains { actions.append(.domainMetadata(domain)) }
        actions += files.map { .add($0) }
        guard try log.list().isEmpty, try log.writeCommit(0, actions) else {
            throw .tableExists(path: path)
        }
        var builder = TableSnapshot.Builder()
        try builder.apply(actions, version: 0, timestamp: now.timestamp, path: path)
        remember(try builder.finish(path: path))
        return 0
    }

    private static let momentKeys = [
        "delta.inCommitTimestampEnablementVersion", "delta.inCommitTimestampEnablementTimestamp",
    ]

    /// The file as the log of another table names it.
    private static func named(
        _ file: AddFile, of source: DeltaTable
    ) throws(DeltaFailure) -> AddFile {
        var named = file
        // DuckDB reads files of this machine by their path alone, everybody else by either form; lists
        // of deleted rows nobody but us reads by the path alone.
        let address = try source.address(of: file.path)
        named.path = address.hasPrefix("file:///") ? String(address.dropFirst(7)) : address
        named.dataChange = true
        guard let vector = file.deletionVector, vector.storageType != "i" else { return named }
        guard let place = vector.filePath(tablePath: source.path) else {
            throw .corrupt(
                path: file.path,
                detail: "its deletion vector \(vector.pathOrInline) is named in no way known here")
        }
        named.deletionVector?.storageType = "p"
        named.deletionVector?.pathOrInline = TablePath.encoded(try source.address(of: place))
        return named
    }
}

extension TableTransaction {
    /// Gives the table the description and the files of a version of another one, and removes its own.
    fileprivate mutating func replace(
        with wanted: TableMetadata, of source: TableSnapshot, files: [AddFile], now: Now
    ) throws(DeltaFailure) {
        markAsReading()
        // No commit removes and adds the same file: what an earlier clone has named stays.
        let named = Set(files.map(\.key))
        for file in snapshot.files where !named.contains(file.key) { try remove(file, now: now) }
        try setMetadata(wanted, needing: source.tableProtocol)
        for file in files where !snapshot.contains(file.key) {
            addFile(file, rowCount: file.recordedRowCount ?? 0)
        }
        let numbers = try max(
            RowTracking.highWaterMark(source), RowTracking.highWaterMark(snapshot))
        for (name, domain) in snapshot.domains
        where source.domains[name] == nil && name != RowTracking.domain {
            setDomain(
                DomainMetadata(
                    domain: name, configuration: domain.configuration, isRemoved: true))
        }
        for (name, domain) in source.domains where name != RowTracking.domain { setDomain(domain) }
        // Numbers of either table are never given again.
        if numbers >= 0 { setDomain(RowTracking.domain(highWaterMark: numbers)) }
    }
}
