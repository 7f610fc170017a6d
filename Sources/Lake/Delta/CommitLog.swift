import Base

/// The log of a table: the files of its `_delta_log` folder. Reads and writes single files; what
/// they add up to is the business of `TableSnapshot`.
package struct CommitLog: Sendable {
    package let store: any ObjectStore
    /// The table's folder.
    package let path: String

    package init(store: any ObjectStore, path: String) {
        self.store = store
        self.path = path
    }

    package var folder: String { path.isEmpty ? "_delta_log" : path + "/_delta_log" }

    func file(_ name: String) -> String { folder + "/" + name }

    /// What lies in the log.
    package struct Listing: Sendable {
        /// Versions in ascending order.
        package var commits: [(version: Int64, entry: ObjectEntry)] = []
        /// Complete checkpoints of one version in ascending order.
        package var checkpoints: [Checkpoint] = []
        /// Files that stand for several commits, ascending by their first version and their last.
        package var compactions: [Compaction] = []
        package var checksums: [(version: Int64, entry: ObjectEntry)] = []
        /// The newest version; -1 when there is none.
        package var newest: Int64 {
            max(commits.last?.version ?? -1, checkpoints.last?.version ?? -1)
        }
        package var isEmpty: Bool { commits.isEmpty && checkpoints.isEmpty }
    }

    /// A checkpoint whose every file is there.
    package struct Checkpoint: Equatable, Sendable {
        package var version: Int64
        /// Full paths in the order of their parts.
        package var files: [String]
        package var bytes: Int64
        package var modified: Timestamp
        package var isV2: Bool
    }

    /// The actions of several commits in one file.
    package struct Compaction: Equatable, Sendable {
        package var from: Int64
        package var through: Int64
        package var entry: ObjectEntry
    }

    package func list() throws(DeltaFailure) -> Listing {
        Self.listing(
            try storing { () throws(StorageFailure) in
                try store.list(folder, recursive: false)
            })
    }

    /// What lies in the log of `version` and those after it.
    func list(from version: Int64) throws(DeltaFailure) -> Listing {
        Self.listing(
            try storing { () throws(StorageFailure) in
                // Names begin with their version, so that none of it is before the bare number.
                try store.list(folder, after: LogFileName.padded(version, 20))
            })
    }

    /// The version of the checkpoint that `_last_checkpoint` names; nil when it names none. Only a
    /// hint: it may be of yesterday, or wrong.
    func hintedCheckpoint() -> Int64? {
        guard let content = try? store.get(file("_last_checkpoint"), range: 0..<(1 << 20)),
            let version = (try? JSONValue(parsing: content))?["version"]?.intValue, version >= 0
        else { return nil }
        return version
    }

    private static func listing(_ entries: [ObjectEntry]) -> Listing {
        var listing = Listing()
        var parts: OrderedMap<String, [ObjectEntry]> = [:]
        for entry in entries {
            switch LogFileName(lastComponent(of: entry.path)) {
            case .commit(let version): listing.commits.append((version, entry))
            case .checkpoint(let version, _, let count):
                parts[Self.checkpointKey(version, count), default: []].append(entry)
            case .checkpointV2(let version, _):
                listing.checkpoints.append(
                    Checkpoint(
                        version: version, files: [entry.path], bytes: entry.size,
                        modified: entry.modified, isV2: true))
            case .compacted(let from, let through):
                listing.compactions.append(
                    Compaction(from: from, through: through, entry: entry))
            case .checksum(let version): listing.checksums.append((version, entry))
            case .other: break
            }
        }
        // Names are zero-padded, so their order is the order of versions and of parts.
        for (key, files) in parts {
            guard case (let version, let count)? = Self.parseKey(key), files.count == count else {
                continue
            }
            listing.checkpoints.append(
                Checkpoint(
                    version: version, files: files.map(\.path),
                    bytes: files.reduce(0) { $0 &+ $1.size },
                    modified: files.map(\.modified).max() ?? .none, isV2: false))
        }
        listing.commits.sort { $0.version < $1.version }
        listing.compactions.sort { ($0.from, $0.through) < ($1.from, $1.through) }
        listing.checkpoints.sort {
            $0.version != $1.version ? $0.version < $1.version : $0.isV2 && !$1.isV2
        }
        return listing
    }

    private static func checkpointKey(_ version: Int64, _ parts: Int) -> String {
        LogFileName.padded(version, 20) + "." + String(parts)
    }

    private static func parseKey(_ key: String) -> (Int64, Int)? {
        let words = key.split(separator: ".")
        guard words.count == 2, let version = Int64(words[0]), let parts = Int(words[1]) else {
            return nil
        }
        return (version, parts)
    }

    /// The actions of a version, or nil when it does not exist.
    package func readCommit(_ version: Int64) throws(DeltaFailure) -> [LogAction]? {
        try readActions(file(LogFileName.commitName(version)))
    }

    /// The actions of a file of the log, or nil when it does not exist.
    func readActions(_ name: String) throws(DeltaFailure) -> [LogAction]? {
        let content: Bytes
        do throws(StorageFailure) {
            // One byte more than may be shows that there is more, without asking first.
            content = try store.get(name, range: 0..<(DeltaLimits.commitBytes + 1))
        } catch {
            if case .notFound = error { return nil }
            throw .storage(error)
        }
        if Int64(content.count) > DeltaLimits.commitBytes {
            throw .corrupt(
                path: name,
                detail: "commit of more than \(DeltaLimits.commitBytes) bytes")
        }
        do throws(LineFailure) {
            return try LogAction.parse(content)
        } catch {
            throw .corrupt(path: name, detail: "line \(error.line): \(error.failure)")
        }
    }

    /// Makes `actions` the version `version`, or returns false because it exists.
    package func writeCommit(
        _ version: Int64, _ actions: [LogAction]
    ) throws(DeltaFailure) -> Bool {
        do throws(StorageFailure) {
            try store.putIfAbsent(
                file(LogFileName.commitName(version)), LogAction.serialized(actions))
            return true
        } catch {
            if case .alreadyExists = error { return false }
            throw .storage(error)
        }
    }

    /// When the file of a version was written, for commits that do not say it themselves.
    func modificationTime(_ version: Int64) throws(DeltaFailure) -> Timestamp {
        try list(from: version).commits.first { $0.version == version }?.entry.modified ?? .none
    }
}

/// What the `commitInfo` of a commit says about it.
package struct CommitInfo: Sendable {
    package let json: JSONValue

    package init(_ actions: [LogAction]) {
        var found: JSONValue = .object([])
        for case .commitInfo(let info) in actions { found = info }
        json = found
    }

    /// The moment of the commit: its own word, which survives copying the files.
    package var timestamp: Timestamp? {
        let moment = json["inCommitTimestamp"]?.intValue ?? json["timestamp"]?.intValue
        return moment.map { Timestamp(milliseconds: $0) }
    }

    package var operation: String? { json["operation"]?.stringValue }
    package var transactionID: String? { json["txnId"]?.stringValue }
    package var parameters: [JSONMember] { json["operationParameters"]?.members ?? [] }
    package var metrics: [JSONMember] { json["operationMetrics"]?.members ?? [] }
    package var engine: String? { json["engineInfo"]?.stringValue }
    package var isBlindAppend: Bool? { json["isBlindAppend"]?.boolValue }
}
