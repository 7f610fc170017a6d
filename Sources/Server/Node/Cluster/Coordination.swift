import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

// Who coordinates a group or a transactional id: the node that leads the partition of the topic that keeps
// it. A node that begins to lead one reads it from the log before it speaks for what is kept there, one
// that does not lead it any more forgets that.

/// What one node speaks for.
enum Coordinated: Hashable, Sendable {
    case group(String)
    case transaction(String)

    /// The topic that keeps it.
    var topic: String {
        switch self {
        case .group: BrokerNode.offsetsTopic
        case .transaction: BrokerNode.transactionsTopic
        }
    }

    var name: String {
        switch self {
        case .group(let name), .transaction(let name): name
        }
    }
}

extension BrokerNode {
    /// Where something is kept; nil when there is no such topic yet.
    private func place(of subject: Coordinated) -> TopicPartition? {
        guard let topic = image.topic(subject.topic) else { return nil }
        return TopicPartition(
            topic: topic.name,
            partition: groupPartition(of: subject.name, partitionCount: topic.partitionCount))
    }

    /// The node that coordinates. nil when nobody does at the moment, or when there is nothing of the kind
    /// yet at all.
    func coordinatingNode(of subject: Coordinated) -> NodeID? {
        if cluster == nil { return configuration.nodeID }
        guard let place = place(of: subject), let topic = image.topic(place.topic) else {
            return nil
        }
        return image.leadership(of: topic, place.partition).leader
    }

    /// Why this node says nothing about it; nil when it knows it.
    func refusal(of subject: Coordinated) -> ErrorCode? {
        guard cluster != nil, let place = place(of: subject) else { return nil }
        if coordinated[place] != nil { return nil }
        return coordinatingNode(of: subject) == configuration.nodeID
            ? .coordinatorLoadInProgress : .notCoordinator
    }

    /// The epoch of this node as the coordinator.
    func coordinatorEpoch(of subject: Coordinated) -> Int32 {
        guard cluster != nil else { return image.leaderEpoch.value }
        return place(of: subject).flatMap { coordinated[$0] }?.value ?? -1
    }

    /// The topics that groups may read, and the groups' own settings. Of the groups nothing is known yet.
    mutating func startGroups() {
        for topic in image.topics.values {
            coordinator.topicChanged(
                topic.name, id: topic.id, partitionCount: topic.partitionCount)
        }
        for name in image.settingsOwners(kind: SettingsOwner.group("").kind) {
            configureGroup(.group(name))
        }
    }

    /// The leadership of a partition has changed, or what its leader knows: what it keeps follows.
    mutating func followCoordination(of partition: TopicPartition) {
        guard partition.topic == Self.offsetsTopic || partition.topic == Self.transactionsTopic,
            replicas != nil, let topic = image.topic(partition.topic)
        else { return }
        let leader = replicas?.leader(of: partition)
        let known = coordinated[partition]
        let count = topic.partitionCount
        if let known, known != leader?.epoch {
            coordinated[partition] = nil
            forget(partition, partitionCount: count)
        }
        guard let leader, leader.epoch != known, leader.isServing, leader.knowsCommitted else {
            return
        }
        coordinated[partition] = leader.epoch
        load(partition, partitionCount: count)
    }

    private mutating func forget(_ partition: TopicPartition, partitionCount: Int32) {
        let isKeptThere = { (name: String) in
            groupPartition(of: name, partitionCount: partitionCount) == partition.partition
        }
        if partition.topic == Self.offsetsTopic {
            perform(coordinator.forget(now: now, where: isKeptThere))
        } else {
            perform(transactions.forget(where: isKeptThere, now: now))
        }
    }

    private mutating func load(_ partition: TopicPartition, partitionCount: Int32) {
        if let damage = store.damage(of: partition) {
            return diagnostics.report(.error, "coordinator", damage.description)
        }
        let isKeptThere = { (name: String) in
            groupPartition(of: name, partitionCount: partitionCount) == partition.partition
        }
        if partition.topic == Self.offsetsTopic {
            replayGroups(of: partition, partitionCount: partitionCount)
            coordinator.finishReplay(now: now, where: isKeptThere)
        } else {
            replayTransactions(of: partition)
            perform(transactions.finishReplay(where: isKeptThere, now: now))
        }
    }

    // MARK: Answers of a node that does not coordinate

    /// Answers a request about one group or id with an error; false when the request is about several.
    mutating func refuse(
        _ body: BrokerRequest, _ context: RequestContext, _ error: ErrorCode
    ) -> Bool {
        switch body {
        case .joinGroup(let request):
            answer(
                context,
                JoinGroupResponse(
                    errorCode: error, protocolName: context.version >= 7 ? nil : "",
                    memberId: request.memberId))
        case .syncGroup: answer(context, SyncGroupResponse(errorCode: error))
        case .heartbeat: answer(context, HeartbeatResponse(errorCode: error))
        case .leaveGroup: answer(context, LeaveGroupResponse(errorCode: error))
        case .offsetCommit(let request): answer(context, refusal(of: request, error))
        case .offsetFetch(let request) where context.version < 8:
            refuseOffsetFetch(request, context, error)
        case .offsetDelete: answer(context, OffsetDeleteResponse(errorCode: error))
        case .consumerGroupHeartbeat:
            answer(context, ConsumerGroupHeartbeatResponse(errorCode: error))
        case .txnOffsetCommit(let request): commitOffsets(request, context, refusal: error)
        case .initProducerId: answerInitProducer(ProducerAnswer(error: error), context)
        case .addPartitionsToTxn(let request) where context.version < 4:
            answer(
                context,
                AddPartitionsToTxnResponse(
                    resultsByTopic: request.topics.map { topic in
                        .init(
                            name: topic.name,
                            resultsByPartition: topic.partitions.map {
                                .init(partitionIndex: $0, partitionErrorCode: error)
                            })
                    }))
        case .addOffsetsToTxn: answer(context, AddOffsetsToTxnResponse(errorCode: error))
        case .endTxn: answer(context, EndTxnResponse(errorCode: error))
        default: return false
        }
        return true
    }
}
