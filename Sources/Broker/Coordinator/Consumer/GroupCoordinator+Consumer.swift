// The coordinator's doors for the newer group protocol, for topics and for settings of groups.

import Base
import WireProtocol

extension GroupCoordinator {
    package mutating func heartbeat(
        _ call: ConsumerHeartbeatCall, _ token: ReplyToken, now: Now
    ) -> [GroupEffect] {
        context.now = now
        var refusal = call.complaint(context.configuration)
        if refusal == nil, groups[call.group] == nil {
            if call.memberEpoch != 0 {
                refusal = GroupRefusal(.groupIdNotFound, "there is no group \(call.group)")
            } else if groups.count >= context.configuration.groupsMax {
                refusal = GroupRefusal(.coordinatorNotAvailable, "there are too many groups")
            }
        }
        if let refusal {
            let answer = ConsumerHeartbeatAnswer(error: refusal.code, message: refusal.message)
            context.reply(token, .consumerHeartbeat(answer))
            return context.takeEffects()
        }
        if groups[call.group] == nil { groups[call.group] = ClassicGroup(id: call.group) }
        groups[call.group]?.heartbeat(call, token, &context)
        forgetIfUnused(call.group)
        pruneDeadlines()
        return context.takeEffects()
    }

    /// nil when there is no such group of the newer protocol.
    package func describeConsumerGroup(_ name: String) -> ConsumerGroupDescription? {
        guard let group = groups[name], !group.isDead, let consumer = group.consumer else {
            return nil
        }
        func named(_ partitions: PartitionSet) -> [ConsumerGroupDescription.Topic] {
            partitions.byTopic.compactMap { topic in
                context.topics.name(of: topic.topicID).map {
                    ConsumerGroupDescription.Topic(
                        id: topic.topicID, name: $0, partitions: topic.partitions)
                }
            }
        }
        return ConsumerGroupDescription(
            group: name, state: consumer.stateName, epoch: consumer.epoch,
            assignmentEpoch: consumer.assignmentEpoch, assignor: consumer.assignor.rawValue,
            members: consumer.members.values.map { member in
                ConsumerGroupDescription.Member(
                    id: member.id, instanceID: member.instanceID, rackID: member.rackID,
                    epoch: member.epoch, clientID: member.clientID, clientHost: member.clientHost,
                    topics: member.topics, regex: member.regex.isEmpty ? nil : member.regex,
                    isClassic: member.classic != nil, assigned: named(member.assigned),
                    target: named(consumer.target[member.id] ?? PartitionSet()))
            })
    }

    /// Why a member may not read the group's offsets; nil when it may.
    package func refusalOfFetch(group: String, memberID: String?, epoch: Int32) -> ErrorCode? {
        groups[group]?.consumer?.refusal(ofFetch: memberID, epoch: epoch)
    }

    // MARK: Topics

    /// A topic was made, made anew, or grew.
    package mutating func topicChanged(_ name: String, id: UUID128, partitionCount: Int32) {
        context.topics.set(name, GroupTopics.Topic(id: id, partitionCount: partitionCount))
        markStale(readersOf: name)
    }

    /// Groups that read the topic, or might by a pattern, look again at their next heartbeat.
    func markStaleGroups(_ name: String) -> [String] {
        groups.keys.sorted().filter { group in
            guard let consumer = groups[group]?.consumer else { return false }
            return !consumer.patterns.isEmpty || consumer.isSubscribed(to: name)
        }
    }

    mutating func markStale(readersOf name: String) {
        for group in markStaleGroups(name) { groups[group]?.consumer?.hasStaleTopics = true }
    }

    // MARK: Settings

    /// What is set for one group; nil for nothing. Its members learn it with their next heartbeat.
    package mutating func configure(_ group: String, _ timing: GroupTiming?) {
        context.timings[group] = timing
    }

    // MARK: Offsets

    /// Forgets offsets of partitions whose topic no member reads.
    package mutating func deleteOffsets(
        group name: String, _ partitions: [TopicPartition], _ token: ReplyToken, now: Now
    ) -> [GroupEffect] {
        context.now = now
        guard let group = groups[name], !group.isDead else {
            context.reply(
                token, .offsetDelete(OffsetDeleteAnswer(error: .groupIdNotFound, errors: [])))
            return context.takeEffects()
        }
        groups[name]?.deleteOffsets(partitions, token, &context)
        return context.takeEffects()
    }
}

extension ClassicGroup {
    mutating func deleteOffsets(
        _ partitions: [TopicPartition], _ token: ReplyToken, _ context: inout GroupContext
    ) {
        var answer = OffsetDeleteAnswer(error: .none, errors: [])
        // A group of another language may use any topic.
        if !hasNoMembers, consumer == nil, protocolType != ConsumerSubscription.protocolType {
            answer.error = .nonEmptyGroup
            return context.reply(token, .offsetDelete(answer))
        }
        var gone: [TopicPartition] = []
        for partition in partitions {
            if isSubscribed(to: partition.topic) {
                answer.errors.append(.groupSubscribedToTopic)
                continue
            }
            answer.errors.append(.none)
            if offsets[partition] != nil || commitsInFlight[partition] != nil {
                gone.append(partition)
            }
        }
        guard !gone.isEmpty else { return context.reply(token, .offsetDelete(answer)) }
        let records = gone.map {
            GroupRecord(key: GroupRecordFormat.offsetKey(group: id, partition: $0), value: nil)
        }
        context.append(
            records, group: id,
            purpose: .offsetDeletion(token, partitions: gone, answer))
    }
}
