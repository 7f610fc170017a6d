// The start of a node: what the data directory says becomes what the node knows.

import Base
import Coordinator
import Log
import Quorum
import WireProtocol

/// Opens the data directory.
struct NodeStart {
    var store: LogStore
    var image = MetadataImage()
    var topicDefaults: TopicDefaults = [:]

    static func open(
        configuration: NodeConfiguration, disk: any Disk, random: inout Random,
        diagnostics: any Diagnostics, now: Now
    ) throws(Problem) -> NodeStart {
        if configuration.cluster == nil, disk.exists(ClusterConfiguration.directoryFile) {
            throw Problem(
                "cluster.needed", "the data directory is that of a node of a cluster",
                notes: ["nothing was changed"],
                hint: "start it with --node and --cluster, as before")
        }
        let opened: (store: LogStore, report: RecoveryReport)
        do throws(StorageFailure) {
            var log = configuration.log
            log.isReplicated = configuration.cluster != nil
            opened = try LogStore.open(disk: disk, configuration: log, now: now)
        } catch {
            throw Problem("storage.failed", "the data directory can't be opened: \(error)")
        }
        for note in opened.report.notes { diagnostics.report(.info, "log", note) }
        for damage in opened.report.damaged {
            diagnostics.report(.error, "log", damage.description)
        }
        var start = NodeStart(store: opened.store)
        if configuration.cluster != nil {
            guard !start.store.partitions.contains(BrokerNode.metadataPartition) else {
                throw Problem(
                    "cluster.single", "the data directory is that of a node that stands alone",
                    notes: ["it can't become one of a cluster yet"],
                    hint: "start without --cluster, or choose another directory with --data")
            }
            return start
        }
        start.image.soleNode = configuration.nodeID
        try start.openMetadata(diagnostics: diagnostics, now: now)
        try start.replayMetadata()
        try start.begin(configuration: configuration, random: &random, now: now)
        start.topicDefaults =
            BrokerValues(configuration: configuration, image: start.image).topicDefaults
        try reconcile(
            &start.store, start.image, node: configuration.nodeID, start.topicDefaults,
            diagnostics: diagnostics, now: now)
        return start
    }

    private mutating func openMetadata(diagnostics: any Diagnostics, now: Now) throws(Problem) {
        let partition = BrokerNode.metadataPartition
        var settings = PartitionSettings()
        settings.deletesOldSegments = false
        settings.isCompacted = true
        settings.segmentBytes = 16 << 20
        settings.maxMessageBytes = Self.metadataBatchBytesMax
        if let damage = store.damage(of: partition) {
            throw Problem(
                "metadata.damaged", "the metadata of this data directory is damaged",
                notes: [damage.description, "nothing was changed"],
                hint: "restore the data directory from a backup")
        }
        if store.partitions.contains(partition) {
            return store.configure(partition, settings: settings)
        }
        guard store.partitions.isEmpty else {
            throw Problem(
                "metadata.missing", "the data directory has logs but no metadata",
                notes: ["nothing was changed"],
                hint: "restore the directory of \(partition) from a backup")
        }
        do throws(StorageFailure) {
            try store.create(
                [
                    NewPartition(
                        topicPartition: partition, topicID: UUID128(high: 0, low: 1),
                        settings: settings)
                ], now: now)
        } catch {
            throw Problem("storage.failed", "the metadata log can't be created: \(error)")
        }
    }

    private mutating func replayMetadata() throws(Problem) {
        var records: [MetadataRecord] = []
        try store.replay(BrokerNode.metadataPartition) { record throws(DecodeFailure) in
            records.append(try MetadataRecord(key: record.key, value: record.value))
        }
        for record in records { image.apply(record) }
    }

    /// Gives a new data directory its identity, and an old one the next leader epoch: whatever was
    /// not durable when the node stopped may be gone, and clients recognise that by the epoch.
    private mutating func begin(
        configuration: NodeConfiguration, random: inout Random, now: Now
    ) throws(Problem) {
        var records: [MetadataRecord]
        if image.clusterID == .zero {
            records = [.cluster(configuration.clusterID ?? random.uuid())]
        } else if let wanted = configuration.clusterID, wanted != image.clusterID {
            throw Problem(
                "cluster.mismatch", "the data directory belongs to another cluster",
                notes: ["expected \(wanted)", "found \(image.clusterID)", "nothing was changed"])
        } else {
            records = [.leaderEpoch(LeaderEpoch(image.leaderEpoch.value &+ 1))]
        }
        // A user who has a password keeps it.
        for (key, credential) in configuration.bootstrapCredentials
        where !image.credentials.keys.contains(where: { $0.user == key.user }) {
            records.append(.credential(key, credential))
        }
        do throws(AppendFailure) {
            _ = try store.append(
                Self.batch(of: records, at: now.timestamp), to: BrokerNode.metadataPartition,
                origin: .node, now: now)
        } catch {
            throw Problem("storage.failed", "the metadata can't be written: \(error)")
        }
        while let request = store.beginSync() {
            var failure: StorageFailure?
            do throws(StorageFailure) {
                try request.file.sync()
            } catch {
                failure = error
            }
            if case .halt(let problem) = store.syncCompleted(request.ticket, failure: failure) {
                throw problem
            }
        }
        for record in records { image.apply(record) }
    }

    /// `records` as one batch of the metadata partition.
    static func batch(of records: [MetadataRecord], at time: Timestamp) -> Bytes {
        var builder = RecordBatchBuilder(capacity: 256)
        for record in records {
            let (key, value) = record.encoded()
            builder.append(key: key, value: value, timestamp: time)
        }
        return finishUncompressed(builder)
    }

    /// The largest batch of the metadata partition: bounds what a stored object may hold.
    static let metadataBatchBytesMax = 8 << 20
}

/// Finishes creations and deletions that a crash interrupted: the metadata decide, and say which
/// partitions have a replica on `node`.
func reconcile(
    _ store: inout LogStore, _ image: MetadataImage, node: NodeID, _ topicDefaults: TopicDefaults,
    diagnostics: any Diagnostics, now: Now
) throws(Problem) {
    func isOurs(_ topic: TopicMetadata, _ partition: TopicPartition) -> Bool {
        image.state(of: topic, partition.partition).replicas.contains(node)
    }
    var missing: [NewPartition] = []
    for topic in image.topics.values {
        let settings = TopicValues(settings: topic.settings, defaults: topicDefaults)
            .partitionSettings
        for partition in topic.partitions
        where store.topicID(of: partition) != topic.id && isOurs(topic, partition) {
            missing.append(
                NewPartition(
                    topicPartition: partition, topicID: topic.id, settings: settings))
        }
    }
    let orphans = store.partitions.filter { partition in
        guard partition != BrokerNode.metadataPartition else { return false }
        guard let topic = image.topic(partition.topic) else { return true }
        return partition.partition >= topic.partitionCount
            || store.topicID(of: partition) != topic.id || !isOurs(topic, partition)
    }
    do throws(StorageFailure) {
        if !orphans.isEmpty {
            diagnostics.report(
                .info, "node", "deleting \(orphans.count) logs of topics that were deleted")
            try store.delete(orphans, now: now)
        }
        if !missing.isEmpty {
            diagnostics.report(
                .info, "node", "creating \(missing.count) logs of topics that have none")
            try store.create(missing, now: now)
        }
    } catch {
        throw Problem("storage.failed", "the logs can't be matched to the topics: \(error)")
    }
    for topic in image.topics.values {
        let settings = TopicValues(settings: topic.settings, defaults: topicDefaults)
            .partitionSettings
        for partition in topic.partitions where isOurs(topic, partition) {
            store.configure(partition, settings: settings)
            // The epochs of a cluster begin durably, when the replica begins to lead.
            guard image.soleNode != nil else { continue }
            store.raiseLeaderEpoch(
                of: partition, to: image.leadership(of: topic, partition.partition).epoch)
        }
    }
}

/// The batch of `builder`, which can't fail without compression.
func finishUncompressed(
    _ builder: consuming RecordBatchBuilder,
    _ properties: RecordBatchBuilder.Properties = RecordBatchBuilder.Properties()
) -> Bytes {
    do {
        return try builder.finish(properties)
    } catch {
        preconditionFailure("a batch without compression has nothing that could fail: \(error)")
    }
}

extension LogStore {
    /// Hands every record of `partition` to `body`, in order.
    mutating func replay(
        _ partition: TopicPartition, _ body: (Record) throws(DecodeFailure) -> Void
    ) throws(Problem) {
        try replay(partition) { _, record throws(DecodeFailure) in try body(record) }
    }

    /// The same with the header of each record's batch.
    mutating func replay(
        _ partition: TopicPartition,
        _ body: (RecordBatchHeader, Record) throws(DecodeFailure) -> Void
    ) throws(Problem) {
        guard let offsets = offsets(of: partition) else { return }
        var next = offsets.logStartOffset
        while next < offsets.highWatermark {
            let outcome: ReadOutcome
            do throws(ReadFailure) {
                outcome = try read(partition, from: next, maxBytes: 1 << 20)
            } catch {
                throw Problem("storage.damaged", "\(partition) can't be read: \(error)")
            }
            if outcome.batches.isEmpty { return }
            do throws(DecodeFailure) {
                for bytes in outcome.batches {
                    var batches = RecordBatchSequence(bytes)
                    while let batch = try batches.next() {
                        try batch.checkChecksum()
                        var records = try batch.records()
                        while let record = try records.next() {
                            if record.offset >= next { try body(batch.header, record) }
                        }
                        next = max(next + 1, batch.header.nextOffset)
                    }
                }
            } catch {
                throw Problem(
                    "storage.damaged", "\(partition) has a record that can't be understood",
                    notes: ["\(error)", "near offset \(next)"])
            }
        }
    }
}

extension BrokerNode {
    /// Replays the topic of the groups. A record that can't be read is reported and left out: one
    /// group's state must not keep all others from starting.
    mutating func replayGroups() throws(Problem) {
        for topic in image.topics.values {
            coordinator.topicChanged(
                topic.name, id: topic.id, partitionCount: topic.partitionCount)
            shares.topicChanged(topic.name, id: topic.id, partitionCount: topic.partitionCount)
        }
        for name in image.settingsOwners(kind: SettingsOwner.group("").kind) {
            configureGroup(.group(name))
        }
        guard let topic = image.topic(Self.offsetsTopic) else {
            return coordinator.finishReplay(now: now)
        }
        for partition in topic.partitions {
            if let damage = store.damage(of: partition) {
                diagnostics.report(.error, "groups", damage.description)
                continue
            }
            replayGroups(of: partition, partitionCount: topic.partitionCount)
        }
        coordinator.finishReplay(now: now)
    }

    /// Replays one partition of the topic of the groups.
    mutating func replayGroups(of partition: TopicPartition, partitionCount: Int32) {
        let diagnostics = diagnostics
        var groups = coordinator
        do throws(Problem) {
            try store.replay(partition) { header, record in
                guard let key = record.key else { return }
                do throws(DecodeFailure) {
                    if header.isControl {
                        guard let end = try ControlRecord(record) else { return }
                        groups.transactionEnded(
                            producerID: header.producerId, isCommit: end.kind == .commit,
                            partition: partition.partition, partitionCount: partitionCount)
                    } else if header.isTransactional {
                        try groups.replay(
                            key: key, value: record.value, producerID: header.producerId)
                    } else {
                        try groups.replay(key: key, value: record.value)
                    }
                } catch {
                    diagnostics.report(
                        .error, "groups",
                        "offset \(record.offset) of \(partition) was left out: \(error)")
                }
            }
        } catch {
            diagnostics.report(.error, "groups", error.description)
        }
        coordinator = groups
    }

    /// Replays the topic of the transactional ids, and brings what was prepared to its end. The
    /// groups must have been replayed.
    mutating func replayTransactions() throws(Problem) {
        for partition in image.topic(Self.transactionsTopic)?.partitions ?? [] {
            if let damage = store.damage(of: partition) {
                diagnostics.report(.error, "transactions", damage.description)
                continue
            }
            replayTransactions(of: partition)
        }
        perform(transactions.finishReplay(now: now))
    }

    /// Replays one partition of the topic of the transactional ids.
    mutating func replayTransactions(of partition: TopicPartition) {
        let diagnostics = diagnostics
        var coordinator = transactions
        do throws(Problem) {
            try store.replay(partition) { record in
                guard let key = record.key else { return }
                do throws(DecodeFailure) {
                    try coordinator.replay(key: key, value: record.value)
                } catch {
                    diagnostics.report(
                        .error, "transactions",
                        "offset \(record.offset) of \(partition) was left out: \(error)")
                }
            }
        } catch {
            diagnostics.report(.error, "transactions", error.description)
        }
        transactions = coordinator
    }
}
