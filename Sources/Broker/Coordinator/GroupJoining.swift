// The first half of a rebalance: members join until the next generation is complete.

import Base
import WireProtocol

extension ClassicGroup {
    mutating func join(_ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext) {
        func refuse(_ error: ErrorCode, _ context: inout GroupContext) {
            context.reply(token, .join(JoinAnswer(error: error, memberID: call.memberID)))
        }
        if isDead { return refuse(.coordinatorNotAvailable, &context) }
        if let consumer {
            if !consumer.members.isEmpty { return joinEmulated(call, token, &context) }
            // An empty group may change its protocol without anybody noticing.
            if !call.memberID.isEmpty { return refuse(.unknownMemberId, &context) }
            unwritten += consumer.tombstones()
            self.consumer = nil
            write(nil, &context)
        }
        let isKnown =
            !call.memberID.isEmpty
            && (members.position(of: call.memberID) != nil || expected[call.memberID] != nil)
        let replaces = call.instanceID.map { members.memberID(ofInstance: $0) != nil } ?? false
        if !isKnown, !replaces,
            members.count + expected.count >= context.configuration.membersMax
        {
            return refuse(.groupMaxSizeReached, &context)
        }
        let others = members.all.reduce(0) { $0 + ($1.id == call.memberID ? 0 : $1.metadataBytes) }
        if others + call.metadataBytes > context.configuration.groupMetadataBytesMax {
            return refuse(.groupMaxSizeReached, &context)
        }
        guard supports(protocolType: call.protocolType, protocols: call.protocols) else {
            return refuse(.inconsistentGroupProtocol, &context)
        }
        if call.memberID.isEmpty {
            joinWithoutID(call, token, &context)
        } else if expected[call.memberID] != nil, call.instanceID == nil {
            expected[call.memberID] = nil
            addMember(id: call.memberID, call, token, &context)
        } else if let error = refusal(ofMember: call.memberID, instance: call.instanceID) {
            refuse(error, &context)
        } else if let position = members.position(of: call.memberID) {
            rejoin(at: position, call, token, &context)
        }
    }

    /// Why a request of this member can't be accepted.
    func refusal(ofMember id: String, instance: String?) -> ErrorCode? {
        if let instance {
            guard let owner = members.memberID(ofInstance: instance) else {
                return .unknownMemberId
            }
            return owner == id ? nil : .fencedInstanceId
        }
        return members.position(of: id) == nil ? .unknownMemberId : nil
    }

    private mutating func joinWithoutID(
        _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        if let instance = call.instanceID {
            let id = context.newMemberID(prefix: instance)
            if let old = members.memberID(ofInstance: instance),
                let position = members.position(of: old)
            {
                replaceStaticMember(at: position, with: id, call, token, &context)
            } else {
                addMember(id: id, call, token, &context)
            }
            return
        }
        let id = context.newMemberID(prefix: call.clientID)
        guard call.mustKnowItsID else { return addMember(id: id, call, token, &context) }
        let deadline = context.now.monotonic + call.sessionTimeout
        expected[id] = deadline
        arm(deadline, &context)
        context.reply(token, .join(JoinAnswer(error: .memberIdRequired, memberID: id)))
    }

    private mutating func addMember(
        id: String, _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        if members.isEmpty { protocolType = call.protocolType }
        let deadline = context.now.monotonic + context.configuration.newMemberJoinTimeout
        members.append(
            GroupMember(
                id: id, instanceID: call.instanceID, clientID: call.clientID,
                clientHost: call.clientHost, sessionTimeout: call.sessionTimeout,
                rebalanceTimeout: call.rebalanceTimeout, protocols: call.protocols,
                waiting: .join(token), deadline: deadline))
        arm(deadline, &context)
        if leader == nil { leader = id }
        if case .preparing(var preparing) = phase, generation == 0 {
            preparing.hasNewcomer = true
            phase = .preparing(preparing)
        }
        rebalance(&context)
    }

    private mutating func rejoin(
        at position: Int, _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        let hasChanged = members[position].protocols != call.protocols
        switch phase {
        case .preparing:
            updateAndRebalance(at: position, call, token, &context)
        case .completing where hasChanged:
            updateAndRebalance(at: position, call, token, &context)
        case .stable where hasChanged || leader == call.memberID:
            updateAndRebalance(at: position, call, token, &context)
        case .completing, .stable:
            // The answer got lost, or the member only wants to know where it stands.
            refreshSession(at: position, &context)
            context.reply(token, .join(currentAnswer(to: call.memberID)))
        case .empty, .dead:
            context.reply(
                token, .join(JoinAnswer(error: .unknownMemberId, memberID: call.memberID)))
        }
    }

    private mutating func updateAndRebalance(
        at position: Int, _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        update(at: position, call, token, &context)
        rebalance(&context)
    }

    private mutating func update(
        at position: Int, _ call: JoinCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        // A member that joins twice has given up on its first request.
        answerWaiting(at: position, .rebalanceInProgress, &context)
        members[position].protocols = call.protocols
        members[position].sessionTimeout = call.sessionTimeout
        members[position].rebalanceTimeout = call.rebalanceTimeout
        members[position].clientID = call.clientID
        members[position].clientHost = call.clientHost
        members[position].waiting = .join(token)
        members[position].deadline = .distantFuture
    }

    /// The answer that the member got, or should have got, for the current generation.
    private func currentAnswer(to memberID: String) -> JoinAnswer {
        var answer = JoinAnswer(error: .none, memberID: memberID)
        answer.generation = generation
        answer.protocolType = protocolType
        answer.protocolName = protocolName
        answer.leader = leader ?? ""
        if memberID == leader { answer.members = memberList() }
        return answer
    }

    // MARK: Static members

    private mutating func replaceStaticMember(
        at position: Int, with id: String, _ call: JoinCall, _ token: ReplyToken,
        _ context: inout GroupContext
    ) {
        let old = members[position]
        answerWaiting(at: position, .fencedInstanceId, &context)
        members.rename(at: position, to: id)
        let wasLeader = leader == old.id
        if wasLeader { leader = id }
        update(at: position, call, token, &context)
        guard isStable else {
            // While completing, the leader may have been told the old id: its assignment would
            // miss the new one, so the group starts over.
            return rebalance(&context)
        }
        guard selectProtocol() == protocolName, readsTheSame(old, members[position]) else {
            return rebalance(&context)
        }
        members[position].waiting = .nothing
        members[position].hasSynced = old.hasSynced
        refreshSession(at: position, &context)
        var answer = currentAnswer(to: id)
        if wasLeader {
            if call.canSkipAssignment {
                answer.skipAssignment = true
            } else {
                // Named after its former self the leader takes itself for a follower and does not
                // assign again.
                answer.leader = old.id
                answer.members = []
            }
        }
        context.append(
            [record(assignments: assignments)], group: self.id,
            purpose: .staticReplacement(token, answer))
    }

    /// Whether a returning member wants what its former self had. Consumers are compared by their
    /// topics: the rest of their metadata (what they owned, in which generation) differs after
    /// every restart, and the point of static members is that a restart disturbs nobody.
    private func readsTheSame(_ old: GroupMember, _ new: GroupMember) -> Bool {
        guard protocolType == ConsumerSubscription.protocolType else {
            return old.metadata(for: protocolName) == new.metadata(for: protocolName)
        }
        do {
            let before = try ConsumerSubscription.topics(in: old.metadata(for: protocolName))
            let after = try ConsumerSubscription.topics(in: new.metadata(for: protocolName))
            return before.sorted() == after.sorted()
        } catch {
            return old.metadata(for: protocolName) == new.metadata(for: protocolName)
        }
    }

    // MARK: Rebalance

    /// Starts the next generation, or goes on with it.
    mutating func rebalance(_ context: inout GroupContext) {
        switch phase {
        case .preparing:
            completeJoinIfReady(&context)
        case .empty:
            prepareFirstGeneration(&context)
        case .stable, .completing:
            syncDeadline = .distantFuture
            for position in members.indices {
                if case .sync = members[position].waiting {
                    answerWaiting(at: position, .rebalanceInProgress, &context)
                    refreshSession(at: position, &context)
                }
                members[position].hasSynced = false
            }
            let deadline = context.now.monotonic + rebalanceTimeout
            phase = .preparing(Preparing(deadline: deadline))
            arm(deadline, &context)
            completeJoinIfReady(&context)
        case .dead:
            break
        }
    }

    private mutating func prepareFirstGeneration(_ context: inout GroupContext) {
        let delay = min(context.configuration.initialRebalanceDelay, rebalanceTimeout)
        let deadline = context.now.monotonic + delay
        phase = .preparing(
            Preparing(
                deadline: deadline,
                initialDelayLeft: delay == .zero ? nil : max(rebalanceTimeout - delay, .zero)))
        if delay == .zero { return completeJoinIfReady(&context) }
        arm(deadline, &context)
    }

    mutating func completeJoinIfReady(_ context: inout GroupContext) {
        guard case .preparing(let preparing) = phase else { return }
        // The first generation waits for its time, lest every newcomer starts another one; a group
        // that everybody left meanwhile has nothing to wait for.
        if preparing.initialDelayLeft != nil, !(members.isEmpty && expected.isEmpty) { return }
        if haveAllJoined { completeJoin(&context) }
    }

    mutating func joinTimeIsUp(_ preparing: Preparing, _ context: inout GroupContext) {
        if let left = preparing.initialDelayLeft, preparing.hasNewcomer, left > .zero {
            let delay = min(context.configuration.initialRebalanceDelay, left)
            let deadline = context.now.monotonic + delay
            phase = .preparing(
                Preparing(deadline: deadline, initialDelayLeft: max(left - delay, .zero)))
            arm(deadline, &context)
            return
        }
        completeJoin(&context)
    }

    private mutating func completeJoin(_ context: inout GroupContext) {
        var position = 0
        while position < members.count {
            if members[position].isWaitingForJoin || members[position].instanceID != nil {
                position += 1
            } else {
                removeMember(at: position, &context)
            }
        }
        let joined = members.all.first(where: \.isWaitingForJoin)
        if !members.isEmpty {
            guard let joined else {
                // Only static members that are still away: keep their places until they come back
                // or their sessions end.
                let deadline = context.now.monotonic + rebalanceTimeout
                phase = .preparing(Preparing(deadline: deadline))
                arm(deadline, &context)
                return
            }
            let leadersPlace = leader.flatMap(members.position(of:))
            if leadersPlace.map({ members[$0].isWaitingForJoin }) != true { leader = joined.id }
        }
        startGeneration(&context)
    }

    private mutating func startGeneration(_ context: inout GroupContext) {
        generation = generation == .max ? 1 : generation + 1
        stateTimestamp = context.now.timestamp
        guard !members.isEmpty else {
            phase = .empty
            protocolName = nil
            leader = nil
            subscribedTopics = nil
            context.append([record(assignments: [:])], group: id, purpose: .housekeeping)
            return
        }
        protocolName = selectProtocol()
        subscribedTopics = findSubscribedTopics()
        phase = .completing(Completing())
        syncDeadline = context.now.monotonic + rebalanceTimeout
        arm(syncDeadline, &context)
        for position in members.indices {
            members[position].hasSynced = false
            guard case .join(let token) = members[position].waiting else { continue }
            members[position].waiting = .nothing
            refreshSession(at: position, &context)
            context.reply(token, .join(currentAnswer(to: members[position].id)))
        }
    }

    /// Sorted, without repetition; nil when a member's metadata can't be read, because then nobody
    /// knows which offsets are in use.
    func findSubscribedTopics() -> [String]? {
        guard protocolType == ConsumerSubscription.protocolType else { return nil }
        var topics: Set<String> = []
        for member in members.all {
            do {
                let metadata = member.metadata(for: protocolName)
                topics.formUnion(try ConsumerSubscription.topics(in: metadata))
            } catch {
                return nil
            }
        }
        return topics.sorted()
    }

    /// Answers the request in which the member at `position` waits, if there is one.
    mutating func answerWaiting(
        at position: Int, _ error: ErrorCode, _ context: inout GroupContext
    ) {
        switch members[position].waiting {
        case .nothing: break
        case .join(let token):
            let answer = JoinAnswer(error: error, memberID: members[position].id)
            context.reply(token, .join(answer))
        case .sync(let token):
            context.reply(token, .sync(SyncAnswer(error: error)))
        }
        members[position].waiting = .nothing
    }
}
