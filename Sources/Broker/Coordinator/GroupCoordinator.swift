import Base
import WireProtocol

/// The groups of this broker: a deterministic state machine. Requests come in with the time; what
/// to answer and what to append to `__consumer_offsets` comes out.
///
/// Nothing that has to survive is answered before it is durable: the caller appends the records of
/// an `append` effect and calls `appended` when they are safe. Offsets become visible at that same
/// moment, so no reader sees what a power cut could take back.
package struct GroupCoordinator: Sendable {
    var groups: [String: ClassicGroup] = [:]
    var context: GroupContext
    /// Offsets of transactions that have not ended.
    var pendingOffsets = PendingOffsets()
    private var nextExpiryCheck: Instant?

    package init(configuration: GroupConfiguration = GroupConfiguration(), random: Random) {
        context = GroupContext(configuration: configuration, random: random)
    }

    package var groupCount: Int { groups.count }

    /// Whether there is a group of this name, in either protocol.
    package func contains(_ name: String) -> Bool { groups[name].map { !$0.isDead } ?? false }

    /// The empty name is no group that one can join, but old clients keep offsets under it.
    func isAcceptable(group: String) -> Bool {
        group.utf8.count <= context.configuration.nameBytesMax
    }

    private func isAcceptable(_ call: JoinCall) -> Bool {
        let limit = context.configuration.nameBytesMax
        let texts = [call.instanceID ?? "", call.clientID, call.clientHost, call.protocolType]
        return texts.allSatisfy { $0.utf8.count <= limit }
            && call.protocols.count <= context.configuration.protocolsMax
            && call.protocols.allSatisfy { $0.name.utf8.count <= limit }
            && call.metadataBytes <= context.configuration.memberMetadataBytesMax
    }

    // MARK: Membership

    package mutating func join(_ call: JoinCall, _ token: ReplyToken, now: Now) -> [GroupEffect] {
        context.now = now
        let limits = context.configuration
        var error: ErrorCode?
        if call.group.isEmpty || !isAcceptable(group: call.group) {
            error = .invalidGroupId
        } else if !isAcceptable(call) {
            error = .invalidRequest
        } else if call.sessionTimeout < limits.sessionTimeoutMin
            || call.sessionTimeout > limits.sessionTimeoutMax
        {
            error = .invalidSessionTimeout
        } else if groups[call.group] == nil {
            if !call.memberID.isEmpty {
                error = .unknownMemberId
            } else if groups.count >= limits.groupsMax {
                error = .coordinatorNotAvailable
            }
        }
        if let error {
            context.reply(token, .join(JoinAnswer(error: error, memberID: call.memberID)))
            return context.takeEffects()
        }
        if groups[call.group] == nil { groups[call.group] = ClassicGroup(id: call.group) }
        groups[call.group]?.join(call, token, &context)
        forgetIfUnused(call.group)
        pruneDeadlines()
        return context.takeEffects()
    }

    /// Drops the entries of the deadline queue that no group means any more.
    mutating func pruneDeadlines() {
        guard context.deadlines.count > 2 * groups.count + 64 else { return }
        context.deadlines.prune { deadline, name in groups[name]?.armedAt == deadline }
    }

    package mutating func sync(_ call: SyncCall, _ token: ReplyToken, now: Now) -> [GroupEffect] {
        context.now = now
        if call.claim.group.isEmpty {
            context.reply(token, .sync(SyncAnswer(error: .invalidGroupId)))
        } else if groups[call.claim.group] == nil {
            context.reply(token, .sync(SyncAnswer(error: .unknownMemberId)))
        } else {
            groups[call.claim.group]?.sync(call, token, &context)
        }
        return context.takeEffects()
    }

    package mutating func heartbeat(
        _ claim: MemberClaim, _ token: ReplyToken, now: Now
    ) -> [GroupEffect] {
        context.now = now
        var error = ErrorCode.unknownMemberId
        if claim.group.isEmpty {
            error = .invalidGroupId
        } else {
            error = groups[claim.group]?.heartbeat(claim, &context) ?? error
        }
        context.reply(token, .heartbeat(error))
        return context.takeEffects()
    }

    package mutating func leave(_ call: LeaveCall, _ token: ReplyToken, now: Now) -> [GroupEffect] {
        context.now = now
        if call.group.isEmpty {
            context.reply(token, .leave(LeaveAnswer(error: .invalidGroupId)))
        } else if groups[call.group] != nil {
            groups[call.group]?.leave(call, token, &context)
        } else {
            let members = call.members.map { member in
                LeaveAnswer.Member(
                    memberID: member.memberID, instanceID: member.instanceID,
                    error: .unknownMemberId)
            }
            context.reply(token, .leave(LeaveAnswer(error: .none, members: members)))
        }
        forgetIfUnused(call.group)
        return context.takeEffects()
    }

    // MARK: Offsets

    package mutating func commit(
        _ call: CommitCall, _ token: ReplyToken, now: Now
    ) -> [GroupEffect] {
        context.now = now
        let name = call.claim.group
        var error: ErrorCode?
        if !isAcceptable(group: name) {
            error = .invalidGroupId
        } else if groups[name] == nil {
            if call.claim.generation >= 0 {
                error = call.knowsGroupIDNotFound ? .groupIdNotFound : .illegalGeneration
            } else if groups.count >= context.configuration.groupsMax {
                error = .coordinatorNotAvailable
            }
        }
        if let error {
            let errors = [ErrorCode](repeating: error, count: call.offsets.count)
            context.reply(token, .commit(CommitAnswer(errors: errors)))
            return context.takeEffects()
        }
        if groups[name] == nil { groups[name] = ClassicGroup(id: name) }
        groups[name]?.commit(call, token, &context)
        forgetIfUnused(name)
        return context.takeEffects()
    }

    /// nil when the group has no offset for the partition, or when there is no such group: both
    /// are a normal beginning for a consumer, not an error.
    package func committedOffset(
        group: String, partition: TopicPartition
    ) -> CommittedOffset? {
        groups[group]?.offsets[partition]
    }

    /// All offsets of the group, by topic and partition.
    package func committedOffsets(
        group: String
    ) -> [(partition: TopicPartition, offset: CommittedOffset)] {
        guard let group = groups[group] else { return [] }
        return group.offsets.map { (partition: $0.key, offset: $0.value) }
    }

    // MARK: Administration

    /// nil when there is no such group of the classic protocol: what to answer then depends on the
    /// version of the request.
    package func describe(_ name: String) -> GroupDescription? {
        guard let group = groups[name], !group.isDead, group.consumer == nil else { return nil }
        return group.describe()
    }

    /// All groups by name; only those in one of `states` (any case) unless that is empty.
    package func list(states: [String] = []) -> [GroupListing] {
        let wanted = states.map { $0.lowercased() }
        var result: [GroupListing] = []
        for name in groups.keys.sorted() {
            guard let group = groups[name] else { continue }
            let state = group.stateName
            if !wanted.isEmpty, !wanted.contains(state.lowercased()) { continue }
            let isConsumer = group.consumer != nil
            result.append(
                GroupListing(
                    group: name,
                    protocolType: isConsumer
                        ? ConsumerSubscription.protocolType : group.protocolType ?? "",
                    state: state, type: isConsumer ? "consumer" : "classic"))
        }
        return result
    }

    package mutating func delete(_ name: String, _ token: ReplyToken, now: Now) -> [GroupEffect] {
        context.now = now
        // Requests come before the timer of their round: a session that is over holds up nobody.
        if let armedAt = groups[name]?.armedAt, armedAt <= now.monotonic {
            groups[name]?.expire(&context)
        }
        let error: ErrorCode? =
            switch groups[name] {
            case nil: .groupIdNotFound
            case let group? where group.isDead: .groupIdNotFound
            case let group? where !group.hasNoMembers: .nonEmptyGroup
            default: nil
            }
        if let error {
            context.reply(token, .delete(error))
            return context.takeEffects()
        }
        let records = groups[name]?.tombstones() ?? []
        groups[name]?.phase = .dead
        // The last batch holds the tombstone of the group itself; it answers for all.
        for start in stride(from: 0, to: records.count, by: Self.tombstonesPerBatch) {
            let end = min(start + Self.tombstonesPerBatch, records.count)
            context.append(
                Array(records[start..<end]), group: name,
                purpose: end == records.count ? .deletion(token) : .housekeeping)
        }
        return context.takeEffects()
    }

    /// Forgets what groups know about a topic that is gone.
    package mutating func topicDeleted(_ topic: String, now: Now) -> [GroupEffect] {
        context.now = now
        markStale(readersOf: topic)
        context.topics.remove(topic)
        for name in groups.keys.sorted() {
            guard let group = groups[name], !group.isDead else { continue }
            let partitions = group.offsets.keys.filter { $0.topic == topic }
            guard !partitions.isEmpty else { continue }
            for partition in partitions { groups[name]?.offsets[partition] = nil }
            appendTombstones(of: partitions, group: name)
        }
        if !pendingOffsets.isEmpty { dropPendingOffsets(ofTopic: topic) }
        return context.takeEffects()
    }

    // MARK: Durability

    /// The records of `token` are durable, or the log refused them. Called once for each token, in
    /// the order of the tokens of one group.
    package mutating func appended(
        _ token: AppendToken, failure: ErrorCode?, now: Now
    ) -> [GroupEffect] {
        context.now = now
        guard let pending = context.finishAppend(token) else { return [] }
        let name = pending.group
        switch pending.purpose {
        case .commit(let reply, let offsets, var answer):
            groups[name]?.committed(offsets, failure: failure)
            if failure == nil, !pendingOffsets.isEmpty {
                for (partition, _) in offsets {
                    pendingOffsets.supersede(partition, group: name, before: token.value)
                }
            }
            if let failure {
                answer.errors = answer.errors.map { $0 == .none ? failure : $0 }
            }
            context.reply(reply, .commit(answer))
        case .transactionalCommit(let reply, let offsets, var answer, let producerID):
            groups[name]?.transactionalCommitEnded(offsets)
            if let failure {
                answer.errors = answer.errors.map { $0 == .none ? failure : $0 }
            } else {
                pendingOffsets.add(
                    offsets, group: name, producerID: producerID, order: token.value)
            }
            context.reply(reply, .commit(answer))
        case .assignment(let generation):
            groups[name]?.assignmentWritten(
                token, generation: generation, failure: failure, &context)
        case .staticReplacement(let reply, var answer):
            if let failure { answer = JoinAnswer(error: failure, memberID: answer.memberID) }
            context.reply(reply, .join(answer))
        case .deletion(let reply):
            if failure == nil {
                groups[name] = nil
                pendingOffsets.remove(group: name)
            } else {
                groups[name]?.phase = .empty
            }
            context.reply(reply, .delete(failure ?? .none))
        case .consumer(let changes, let replies):
            groups[name]?.consumerWritten(token, changes, failure: failure)
            for (reply, answer) in replies {
                context.reply(reply, failure.map { answer.failed($0) } ?? answer)
            }
        case .offsetDeletion(let reply, let partitions, let answer):
            if failure == nil {
                for partition in partitions { groups[name]?.offsets[partition] = nil }
            }
            let done = GroupReply.offsetDelete(answer)
            context.reply(reply, failure.map { done.failed($0) } ?? done)
        case .housekeeping:
            break
        }
        forgetIfUnused(name)
        return context.takeEffects()
    }

    // MARK: Time

    /// When `tick` should be called next.
    package var nextDeadline: Instant? {
        guard let expiry = nextExpiryCheck else { return context.deadlines.next }
        return min(expiry, context.deadlines.next ?? expiry)
    }

    package mutating func tick(now: Now) -> [GroupEffect] {
        context.now = now
        while let (deadline, name) = context.deadlines.popDue(now.monotonic) {
            guard groups[name]?.armedAt == deadline else { continue }
            groups[name]?.expire(&context)
            forgetIfUnused(name)
        }
        let interval = context.configuration.offsetsRetentionCheckInterval
        if let due = nextExpiryCheck, due <= now.monotonic { expireOffsets() }
        if nextExpiryCheck.map({ $0 <= now.monotonic }) ?? true {
            nextExpiryCheck = now.monotonic + interval
        }
        return context.takeEffects()
    }

    private mutating func expireOffsets() {
        let retention = context.configuration.offsetsRetention
        let now = context.now.timestamp
        for name in groups.keys.sorted() {
            guard groups[name]?.isDead == false, !pendingOffsets.contains(group: name) else {
                continue
            }
            let expired = groups[name]?.removeExpiredOffsets(now: now, retention: retention) ?? []
            if !expired.isEmpty { appendTombstones(of: expired, group: name) }
            guard let group = groups[name], group.hasNoMembers, group.offsets.isEmpty,
                group.commitsInFlight.isEmpty, group.expected.isEmpty,
                !pendingOffsets.contains(group: name)
            else { continue }
            context.append(group.tombstones(), group: name, purpose: .housekeeping)
            groups[name] = nil
        }
    }

    mutating func appendTombstones(of partitions: [TopicPartition], group: String) {
        for start in stride(from: 0, to: partitions.count, by: Self.tombstonesPerBatch) {
            let end = min(start + Self.tombstonesPerBatch, partitions.count)
            let records = partitions[start..<end].map {
                GroupRecord(
                    key: GroupRecordFormat.offsetKey(group: group, partition: $0), value: nil)
            }
            context.append(records, group: group, purpose: .housekeeping)
        }
    }

    mutating func forgetIfUnused(_ name: String) {
        if groups[name]?.isForgettable == true { groups[name] = nil }
    }

    // MARK: Recovery

    /// Applies one record of `__consumer_offsets`, in the order of its partition.
    package mutating func replay(key: Bytes, value: Bytes?) throws(DecodeFailure) {
        switch try GroupRecordFormat.decode(key: key, value: value) {
        case .offset(let name, let partition, let offset):
            if !pendingOffsets.isEmpty {
                pendingOffsets.supersede(partition, group: name, before: context.nextOrder())
            }
            if groups[name] == nil {
                guard offset != nil else { return }
                groups[name] = ClassicGroup(id: name)
            }
            groups[name]?.offsets[partition] = offset
            forgetIfUnused(name)
        case .group(let name, let snapshot?):
            if groups[name] == nil { groups[name] = ClassicGroup(id: name) }
            groups[name]?.restore(snapshot)
        case .group(let name, nil):
            pendingOffsets.remove(group: name)
            guard let offsets = groups[name]?.offsets else { return }
            // Tombstones of the offsets come first, so nothing should be left; if something is, it
            // must not be lost.
            var group = ClassicGroup(id: name)
            group.offsets = offsets
            group.consumer = groups[name]?.consumer
            groups[name] = group
            forgetIfUnused(name)
        case .consumer(let record):
            let name = record.group
            if groups[name] == nil {
                guard !record.isTombstone else { return }
                groups[name] = ClassicGroup(id: name)
            }
            groups[name]?.replay(record)
            forgetIfUnused(name)
        case .unknown:
            break
        }
    }

    /// All groups that `isMeant` were replayed: their members get a fresh session to report back.
    package mutating func finishReplay(
        now: Now, where isMeant: (String) -> Bool = { _ in true }
    ) {
        context.now = now
        for name in groups.keys.sorted() where isMeant(name) {
            groups[name]?.resume(&context)
            forgetIfUnused(name)
        }
        nextExpiryCheck = now.monotonic + context.configuration.offsetsRetentionCheckInterval
    }

    /// Another broker coordinates the groups that `isMeant`: whoever waits for one is told so, and
    /// nothing of them stays. Appends that are under way end as they may.
    package mutating func forget(
        now: Now, where isMeant: (String) -> Bool
    ) -> [GroupEffect] {
        context.now = now
        for name in groups.keys.sorted() where isMeant(name) {
            groups[name]?.dismiss(&context)
            groups[name] = nil
            pendingOffsets.remove(group: name)
        }
        for name in pendingOffsets.groupNames where isMeant(name) {
            pendingOffsets.remove(group: name)
        }
        pruneDeadlines()
        return context.takeEffects()
    }

    package func checkInvariants() {
        for name in groups.keys.sorted() {
            guard let group = groups[name] else { continue }
            precondition(group.id == name, "a group is kept under its name")
            group.checkInvariants()
        }
    }

    /// With the longest names this stays below the largest batch that the log takes.
    private static let tombstonesPerBatch = 500
}
