// The one request of the newer group protocol: joining, staying and leaving. Everything that can
// refuse it is looked at before anything changes.

import Base
import WireProtocol

extension ClassicGroup {
    mutating func heartbeat(
        _ call: ConsumerHeartbeatCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        do throws(GroupRefusal) {
            if isDead { throw GroupRefusal(.coordinatorNotAvailable, "the group is being deleted") }
            let answer =
                call.memberEpoch < 0 ? try leave(call, &context) : try stay(call, &context)
            write((token, .consumerHeartbeat(answer)), &context)
        } catch {
            let answer = ConsumerHeartbeatAnswer(error: error.code, message: error.message)
            context.reply(token, .consumerHeartbeat(answer))
        }
    }

    // MARK: Joining and staying

    /// Who sends a heartbeat, once it was found to be in order.
    private struct Sender {
        var id: String
        /// The member as it is; nil when it is new.
        var known: ConsumerMember?
        /// The member whose place it takes, under another id.
        var replaced: ConsumerMember?
        /// A pattern that the group does not have yet.
        var pattern: RegularExpression?
    }

    private mutating func stay(
        _ call: ConsumerHeartbeatCall, _ context: inout GroupContext
    ) throws(GroupRefusal) -> ConsumerHeartbeatAnswer {
        let isUpgrade = consumer == nil
        if isUpgrade, call.memberEpoch != 0 { throw Self.notAConsumerGroup(id) }
        // Taken out of its place while it is changed, so that nothing is copied.
        var group: ConsumerGroup
        if let consumer { group = consumer } else { group = try upgraded(context) }
        let sender = try Self.sender(of: call, group, &context)
        consumer = nil
        if isUpgrade { leaveClassicProtocol(&context) }
        let before = group.admit(sender.known, replacing: sender.replaced, as: sender.id)
        var member = before
        member.take(call)
        if let pattern = sender.pattern {
            group.setPattern(
                pattern.pattern,
                ConsumerGroup.ResolvedPattern(
                    topics: call.names(matching: pattern, in: context.topics),
                    timestamp: context.now.timestamp, pattern: pattern))
            if group.patternsDueAt == nil {
                group.patternsDueAt =
                    context.now.monotonic + context.configuration.patternRefreshInterval
            }
        }
        let isNew = sender.known == nil && sender.replaced == nil
        member = group.settle(
            member, after: before, hasChanged: isNew || !member.wantsTheSame(as: before),
            reported: call.owned.map { PartitionSet($0) }, patternsFor: call, &context)
        let timing = context.timing(of: id)
        let deadline = context.now.monotonic + timing.sessionTimeout
        group.setDeadlines(of: member.id) { $0.session = deadline }
        arm(group.members[member.id]?.deadlines.earliest ?? deadline, &context)
        consumer = group
        var answer = ConsumerHeartbeatAnswer(error: .none, memberID: member.id)
        answer.memberEpoch = member.epoch
        answer.heartbeatInterval = timing.heartbeatInterval
        if call.isComplete || member.assigned != before.assigned {
            answer.assignment = member.assigned
        }
        return answer
    }

    static func notAConsumerGroup(_ id: String) -> GroupRefusal {
        GroupRefusal(.groupIdNotFound, "\(id) is no group of the consumer protocol")
    }

    private static func sender(
        of call: ConsumerHeartbeatCall, _ group: ConsumerGroup, _ context: inout GroupContext
    ) throws(GroupRefusal) -> Sender {
        let id = call.memberID.isEmpty ? "\(context.random.uuid())" : call.memberID
        var sender = Sender(id: id, known: group.members[id])
        if let instance = call.instanceID {
            try find(instance, call, group, &sender)
        } else if sender.known == nil, call.memberEpoch != 0 {
            throw GroupRefusal(.unknownMemberId, "the group has no member \(id)")
        }
        if let known = sender.known { try checkEpoch(of: call, known) }
        let limits = context.configuration
        if sender.known == nil, sender.replaced == nil,
            group.members.count >= limits.consumerMembersMax
        {
            throw GroupRefusal(
                .groupMaxSizeReached, "the group has \(group.members.count) members already")
        }
        if call.topics != nil || call.regex != nil,
            group.metadataBytes > limits.groupMetadataBytesMax
        {
            throw GroupRefusal(.groupMaxSizeReached, "the subscriptions of the group are too large")
        }
        if let text = call.regex, !text.isEmpty, group.patterns[text] == nil {
            do throws(RegularExpressionFailure) {
                sender.pattern = try RegularExpression(text)
            } catch {
                throw GroupRefusal(
                    .invalidRegularExpression, "\(text) is no regular expression: \(error.reason)")
            }
        }
        return sender
    }

    /// The member that an instance id stands for.
    private static func find(
        _ instance: String, _ call: ConsumerHeartbeatCall, _ group: ConsumerGroup,
        _ sender: inout Sender
    ) throws(GroupRefusal) {
        let owner = group.memberID(ofInstance: instance).flatMap { group.members[$0] }
        guard let owner else {
            if call.memberEpoch == 0 { return }
            throw GroupRefusal(.unknownMemberId, "the group has no instance \(instance)")
        }
        if owner.id == sender.id { return }
        guard call.memberEpoch == 0 else {
            throw GroupRefusal(
                .fencedInstanceId, "instance \(instance) was taken over by member \(owner.id)")
        }
        guard owner.epoch == ConsumerMember.awayEpoch || owner.classic != nil else {
            throw GroupRefusal(
                .unreleasedInstanceId, "instance \(instance) is still used by member \(owner.id)")
        }
        // The id may stand for another member already; the new one takes only one place.
        guard sender.known == nil else {
            throw GroupRefusal(
                .fencedInstanceId, "member \(sender.id) is in the group without this instance")
        }
        sender.replaced = owner
    }

    private static func checkEpoch(
        of call: ConsumerHeartbeatCall, _ member: ConsumerMember
    ) throws(GroupRefusal) {
        // Whoever joins again says that it owns nothing, so nothing speaks against it.
        if call.memberEpoch == 0 || call.memberEpoch == member.epoch { return }
        // The answer with the newer epoch may have been lost.
        let isPrevious = call.memberEpoch == member.previousEpoch && member.epoch > 0
        if isPrevious, let owned = call.owned, PartitionSet(owned).isSubset(of: member.assigned) {
            return
        }
        throw GroupRefusal(
            .fencedMemberEpoch,
            "the member is in epoch \(member.epoch), not \(call.memberEpoch): "
                + "it must give up its partitions and join again")
    }

    // MARK: Leaving

    private mutating func leave(
        _ call: ConsumerHeartbeatCall, _ context: inout GroupContext
    ) throws(GroupRefusal) -> ConsumerHeartbeatAnswer {
        guard let group = consumer else { throw Self.notAConsumerGroup(id) }
        if let instance = call.instanceID {
            guard let owner = group.memberID(ofInstance: instance) else {
                throw GroupRefusal(.unknownMemberId, "the group has no instance \(instance)")
            }
            guard owner == call.memberID else {
                throw GroupRefusal(
                    .fencedInstanceId, "instance \(instance) was taken over by member \(owner)")
            }
        }
        guard var member = group.members[call.memberID] else {
            throw GroupRefusal(.unknownMemberId, "the group has no member \(call.memberID)")
        }
        if call.memberEpoch == ConsumerMember.awayEpoch {
            // Its partitions wait for it until its session ends.
            member.epoch = ConsumerMember.awayEpoch
            member.pendingRevocation = PartitionSet()
            member.deadlines.rebalance = .distantFuture
            consumer?.put(member)
        } else {
            dropConsumers([call.memberID], &context)
        }
        var answer = ConsumerHeartbeatAnswer(error: .none, memberID: call.memberID)
        answer.memberEpoch = call.memberEpoch
        return answer
    }

    /// Removes members for good; the others share what they had, after their next heartbeat.
    mutating func dropConsumers(_ ids: [String], _ context: inout GroupContext) {
        if let last = ids.first, ids.count == 1, canDowngrade(without: last, context) {
            return downgrade(without: last, &context)
        }
        guard var group = consumer else { return }
        consumer = nil
        for id in ids { group.remove(id) }
        group.dropUnusedPatterns()
        group.updateSubscribedTopics()
        group.topicFingerprint = context.topics.fingerprint(of: group.subscribedTopics)
        group.raiseEpoch()
        consumer = group
    }

    // MARK: Time

    /// Removes the members that were silent for too long, or did not do what they were asked to.
    mutating func expireConsumers(_ context: inout GroupContext) {
        guard let group = consumer else { return }
        let now = context.now.monotonic
        let late = group.members.values.filter { $0.deadlines.earliest <= now }.map(\.id)
        // One by one: the last of them may turn the group into a classic one.
        for id in late where consumer != nil { dropConsumers([id], &context) }
        if !late.isEmpty { write(nil, &context) }
        if let group = consumer { arm(group.earliestDeadline, &context) }
    }

    // MARK: Durability

    /// Appends what changed. The answer leaves when everything that it rests on is durable.
    mutating func write(
        _ answer: (ReplyToken, GroupReply)?, _ context: inout GroupContext
    ) {
        guard consumer != nil || !unwritten.isEmpty else {
            if let answer { context.reply(answer.0, answer.1) }
            return
        }
        var records = unwritten
        unwritten = []
        var changes = ConsumerGroupChanges()
        if let taken = consumer?.takeRecords() {
            records += taken.records
            changes = taken.changes
        }
        if records.isEmpty {
            guard let answer else { return }
            return context.reply(answer.0, answer.1, after: consumer?.writing)
        }
        // The last batch answers; a refused one of the others is written again with the rest.
        var start = 0
        var bytes = 0
        for (index, record) in records.enumerated() {
            bytes += record.key.count + (record.value?.count ?? 0) + 32
            let isLast = index == records.count - 1
            guard isLast || bytes > Self.batchBytes else { continue }
            let token = context.append(
                Array(records[start...index]), group: id,
                purpose: .consumer(changes, replies: isLast ? answer.map { [$0] } ?? [] : []))
            consumer?.writing = token
            start = index + 1
            bytes = 0
        }
    }

    /// Well below the largest batch that the log takes; one record may be larger.
    private static let batchBytes = 1 << 20

    /// The records of an append are durable, or were refused.
    mutating func consumerWritten(
        _ token: AppendToken, _ changes: ConsumerGroupChanges, failure: ErrorCode?
    ) {
        guard consumer != nil else { return }
        if consumer?.writing == token { consumer?.writing = nil }
        if failure != nil { consumer?.changes.formUnion(changes) }
    }
}

extension ConsumerGroup {
    /// The member before anything of the request is applied to it; for a static member under a new
    /// id, in the place of the old one.
    fileprivate mutating func admit(
        _ known: ConsumerMember?, replacing replaced: ConsumerMember?, as id: String
    ) -> ConsumerMember {
        if let known { return known }
        guard let replaced else { return ConsumerMember(id: id) }
        return replace(replaced, with: id)
    }

    /// A member under a new id with the wishes and partitions of the old one, in epoch 0.
    mutating func replace(_ old: ConsumerMember, with id: String) -> ConsumerMember {
        let partitions = target[old.id]
        remove(old.id)
        let member = ConsumerMember(id: id, inPlaceOf: old)
        put(member)
        if let partitions { setTarget(of: id, partitions) }
        return member
    }

    /// Brings the group up to date after `member` came or changed: epoch, target, and the member's
    /// next step towards it. Patterns are looked at again only for a `call` of the newer protocol,
    /// with the permissions of its sender, as the published coordinator does.
    mutating func settle(
        _ member: ConsumerMember, after before: ConsumerMember, hasChanged: Bool,
        reported: PartitionSet?, patternsFor call: ConsumerHeartbeatCall? = nil,
        _ context: inout GroupContext
    ) -> ConsumerMember {
        put(member)
        let isDue = patternsDueAt.map { $0 <= context.now.monotonic } ?? false
        if hasChanged || hasStaleTopics || isDue {
            let topicsChanged = refreshSubscription(call, context)
            if hasChanged || topicsChanged { raiseEpoch() }
        }
        if epoch > assignmentEpoch { updateTarget(context.topics) }
        let step = Reconciliation(
            targetEpoch: assignmentEpoch, target: target[member.id] ?? PartitionSet(),
            reported: reported)
        var moved = step.step(member) { isTaken($0, from: member.id) }
        if !moved.hasSamePlace(as: member), moved.classic == nil {
            moved.deadlines.rebalance =
                moved.state == .unrevoked
                ? context.now.monotonic + moved.rebalanceTimeout : .distantFuture
        }
        put(moved)
        return moved
    }

    /// Looks again at what the members read. True when that changes what there is to assign.
    private mutating func refreshSubscription(
        _ call: ConsumerHeartbeatCall?, _ context: GroupContext
    ) -> Bool {
        dropUnusedPatterns()
        if patterns.isEmpty {
            hasStaleTopics = false
            patternsDueAt = nil
        } else if let call, arePatternsDue(context) {
            hasStaleTopics = false
            patternsEvaluatedAt = context.now.monotonic
            patternsDueAt = context.now.monotonic + context.configuration.patternRefreshInterval
            for (text, resolved) in patterns {
                guard let pattern = resolved.pattern else { continue }
                var resolved = resolved
                resolved.topics = call.names(matching: pattern, in: context.topics)
                resolved.timestamp = context.now.timestamp
                setPattern(text, resolved)
            }
        }
        let before = subscribedTopics
        updateSubscribedTopics()
        let fingerprint = context.topics.fingerprint(of: subscribedTopics)
        guard fingerprint != topicFingerprint || subscribedTopics != before else { return false }
        let hasChanged = fingerprint != topicFingerprint
        topicFingerprint = fingerprint
        return hasChanged
    }

    private func arePatternsDue(_ context: GroupContext) -> Bool {
        let now = context.now.monotonic
        if let due = patternsDueAt, due <= now { return true }
        guard hasStaleTopics else { return false }
        return patternsEvaluatedAt.map { $0 + context.configuration.patternInterval <= now } ?? true
    }
}

extension ConsumerMember {
    init(id: String, inPlaceOf old: ConsumerMember) {
        self = old.renamed(id)
        epoch = 0
        previousEpoch = 0
        deadlines = Deadlines()
    }

    /// Takes what a heartbeat says; what it leaves out stays.
    fileprivate mutating func take(_ call: ConsumerHeartbeatCall) {
        if let instance = call.instanceID { instanceID = instance }
        if let rack = call.rackID { rackID = rack }
        if call.rebalanceTimeoutMilliseconds >= 0 {
            rebalanceTimeoutMilliseconds = call.rebalanceTimeoutMilliseconds
        }
        if let topics = call.topics { self.topics = Set(topics).sorted() }
        if let regex = call.regex { self.regex = regex }
        if let assignor = call.assignor { self.assignor = assignor }
        clientID = call.clientID
        clientHost = call.clientHost
        classic = nil
        deadlines.sync = .distantFuture
    }

    /// Whether it would be assigned the same.
    func wantsTheSame(as other: ConsumerMember) -> Bool {
        topics == other.topics && regex == other.regex && assignor == other.assignor
    }
}
