// `_delta_log/X.Y.compacted.json`: what the commits X to Y add up to, as one file. Readers that begin at
// an older checkpoint read one file in the place of many. It is never needed: the commits stay.

import Base

extension DeltaTable {
    /// Writes the compaction of the commits from `first` through `last`, which must be there. False
    /// when somebody has written it already.
    @discardableResult
    package func compactLog(from first: Int64, through last: Int64) throws(DeltaFailure) -> Bool {
        precondition(first >= 0 && first < last, "a compaction stands for several commits")
        var content = CompactedActions()
        for version in first...last {
            guard let actions = try log.readCommit(version) else {
                throw .gap(path: path, missing: version)
            }
            content.add(actions)
        }
        let name =
            LogFileName.padded(first, 20) + "." + LogFileName.padded(last, 20) + ".compacted.json"
        let bytes = LogAction.serialized(content.actions)
        do throws(StorageFailure) {
            try store.putIfAbsent(log.file(name), bytes)
            return true
        } catch {
            guard case .alreadyExists = error else { throw .storage(error) }
            return false
        }
    }

    /// Compacts the log behind commit `version` when checkpoints are rare and it is due. A failure is
    /// reported and changes nothing.
    func compactLogIfDue(at version: Int64, checkpointInterval: Int64) {
        let interval = DeltaLimits.logCompactionInterval
        guard checkpointInterval >= 4 * interval, version > 0, version % interval == 0,
            version % checkpointInterval != 0
        else { return }
        do throws(DeltaFailure) {
            try compactLog(from: version - interval + 1, through: version)
        } catch {
            diagnostics.report(.warning, "delta", "compaction at \(version) of \(path): \(error)")
        }
    }
}

/// The last word of several commits about everything that they speak of. What happened (`commitInfo`)
/// and the change feed stay with the commits.
private struct CompactedActions {
    private var tableProtocol: TableProtocol?
    private var metadata: TableMetadata?
    private var transactions: OrderedMap<String, ApplicationTransaction> = [:]
    private var domains: OrderedMap<String, DomainMetadata> = [:]
    private var live = FileSet<AddFile>()
    private var removed = FileSet<RemoveFile>()

    mutating func add(_ commit: [LogAction]) {
        // Of one commit the removes come first, whatever the order of its lines.
        for case .remove(let file) in commit {
            live.remove(file.key)
            removed.insert(file)
        }
        for action in commit {
            switch action {
            case .tableProtocol(let value): tableProtocol = value
            case .metadata(let value): metadata = value
            case .transaction(let value): transactions[value.appID] = value
            // A removed domain is kept as removed: an older checkpoint may have it.
            case .domainMetadata(let value): domains[value.domain] = value
            case .add(let file):
                removed.remove(file.key)
                live.insert(file)
            case .remove, .commitInfo, .other: break
            }
        }
    }

    var actions: [LogAction] {
        var actions: [LogAction] = []
        if let tableProtocol { actions.append(.tableProtocol(tableProtocol)) }
        if let metadata { actions.append(.metadata(metadata)) }
        actions += transactions.values.map { .transaction($0) }
        actions += domains.values.map { .domainMetadata($0) }
        actions += removed.files.map { .remove($0) }
        return actions + live.files.map { .add($0) }
    }
}
