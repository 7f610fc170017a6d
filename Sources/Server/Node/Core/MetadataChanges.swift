// How the metadata changes: a record is appended to the metadata partition, or proposed to the
// quorum of a cluster; when it is durable it is applied, the logs follow, and whoever asked is
// answered.

import Base
import Coordinator
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// The partition that holds the metadata. Not a topic: clients never see it.
    static let metadataPartition = TopicPartition(topic: "__cluster_metadata", partition: 0)

    /// Appends `records` as one batch. Nothing has happened when an error is returned.
    mutating func change(
        _ records: [MetadataRecord], _ completion: PendingChange.Completion
    ) -> AppendFailure? {
        if cluster != nil { return propose(records, completion) }
        let batch = NodeStart.batch(of: records, at: now.timestamp)
        let result: AppendResult
        do throws(AppendFailure) {
            result = try store.append(batch, to: Self.metadataPartition, origin: .node, now: now)
        } catch {
            diagnostics.report(.error, "metadata", "a change was refused by the log: \(error)")
            return error
        }
        for record in records { draft.apply(record) }
        changes.append(PendingChange(records: records, completion: completion))
        lastChangeOffset = result.lastOffset
        whenDurable(Self.metadataPartition, result.lastOffset, .change)
        return nil
    }

    /// Whether the draft has changes that the image does not have yet.
    var hasPendingChanges: Bool { cluster.map { !$0.proposals.isEmpty } ?? !changes.isEmpty }

    /// Does its part when everything that was changed so far is durable.
    mutating func afterPendingChanges(_ completion: PendingChange.Completion) {
        if cluster != nil {
            // Proposals are committed in their order.
            if propose([], completion) != nil { complete(completion) }
            return
        }
        changes.append(PendingChange(records: [], completion: completion))
        whenDurable(Self.metadataPartition, lastChangeOffset, .change)
    }

    /// The oldest change is durable.
    mutating func applyChange() {
        guard let change = changes.popFirst() else { return }
        for record in change.records {
            if let problem = apply(record) { return halt(problem) }
        }
        complete(change.completion)
        wakeWaitingForChange()
    }

    /// A change is made: whoever asked is told.
    mutating func complete(_ completion: PendingChange.Completion) {
        switch completion {
        case .answer(let key, let frame): send(frame, to: key)
        case .command(let id, let answer): output.append(.commandFinished(id, .success(answer)))
        case .refusal(let id, let problem): fail(id, problem)
        case .producerIDs:
            isReservingProducerIDs = false
            let end = image.nextProducerID
            producerIDs = (end - MetadataImage.producerIDBlock)..<end
        case .outcome(let reply, let outcome): answer(reply, outcome)
        case .none: break
        }
    }

    mutating func wakeWaitingForChange() {
        let waiting = waitingForChange
        waitingForChange = []
        for id in waiting {
            connections[id]?.waitsForChange = false
            runnable.append(id)
        }
    }

    /// Applies a record that is durable; the logs follow.
    mutating func apply(_ record: MetadataRecord) -> Problem? {
        // Until the node is registered it does not know whether this is all: it looks at its logs
        // when it is.
        guard isServing else {
            image.apply(record)
            return nil
        }
        return applyAndFollow(record)
    }

    private mutating func applyAndFollow(_ record: MetadataRecord) -> Problem? {
        switch record {
        case .topic(let topic):
            let old = image.topic(id: topic.id)
            image.apply(record)
            coordinator.topicChanged(
                topic.name, id: topic.id, partitionCount: topic.partitionCount)
            shares.topicChanged(topic.name, id: topic.id, partitionCount: topic.partitionCount)
            return follow(topic, from: old)
        case .topicRemoved(let id):
            let old = image.topic(id: id)
            image.apply(record)
            if let old { return remove(old) }
            return nil
        case .settings(let owner, _):
            image.apply(record)
            refreshTopicDefaults()
            configureGroup(owner)
            return nil
        case .cluster, .producerIDsReserved, .object, .objectRemoved, .leaderEpoch, .acl,
            .aclRemoved, .credential, .credentialRemoved, .quotas, .broker, .brokerRemoved,
            .slot, .slotsTrimmed, .feature:
            image.apply(record)
            return nil
        case .partition:
            // What follows is for the replicas to say, after the other records of the entry.
            image.apply(record)
            return nil
        }
    }

    /// Creates the logs that are new, and tells all of them their settings. In a cluster that is for the
    /// replicas to do.
    private mutating func follow(_ topic: TopicMetadata, from old: TopicMetadata?) -> Problem? {
        if cluster != nil { return nil }
        let settings = partitionSettings(of: topic)
        let partitions = topic.partitions
        let known = Int(old?.partitionCount ?? 0)
        let new = partitions.dropFirst(known).map {
            NewPartition(topicPartition: $0, topicID: topic.id, settings: settings)
        }
        if !new.isEmpty {
            do throws(StorageFailure) {
                try store.create(new, now: now)
            } catch {
                return Problem(
                    "storage.failed",
                    "the logs of topic \(topic.name) could not be created: \(error)",
                    notes: ["the topic is in the metadata; the next start creates its logs"])
            }
            for partition in new {
                store.raiseLeaderEpoch(
                    of: partition.topicPartition, to: leaderEpoch(of: partition.topicPartition))
            }
        }
        for partition in partitions.prefix(known) {
            store.configure(partition, settings: settings)
        }
        return nil
    }

    private mutating func remove(_ topic: TopicMetadata) -> Problem? {
        do throws(StorageFailure) {
            try store.delete(
                cluster == nil
                    ? topic.partitions : topic.partitions.filter { store.topicID(of: $0) != nil },
                now: now)
        } catch {
            return Problem(
                "storage.failed",
                "the logs of topic \(topic.name) could not be deleted: \(error)",
                notes: ["the topic is gone from the metadata; the next start deletes its logs"])
        }
        roundRobin[topic.name] = nil
        for partition in topic.partitions { abandon(partition) }
        perform(coordinator.topicDeleted(topic.name, now: now))
        perform(shares.topicDeleted(topic.name, id: topic.id, now: now))
        return nil
    }

    /// A fresh topic id. Ids that begin with "-" in their published form break command lines.
    mutating func newTopicID() -> UUID128 {
        while true {
            let id = random.uuid()
            // "-" is digit 62 of that form: six bits of ones and a zero.
            if id.high >> 58 != 62, draft.topic(id: id) == nil { return id }
        }
    }

    static func unknownTopic(_ name: String, among names: [String] = []) -> Problem {
        Problem(
            "topic.unknown", "there is no topic \(name)",
            hint: nearestName(to: name, among: names).map { "did you mean \($0)?" })
    }
}
