// The second half of a rebalance: the leader's assignment is made durable and handed out. And what
// members do afterwards: heartbeats and leaving.

import Base
import WireProtocol

extension ClassicGroup {
    mutating func sync(_ call: SyncCall, _ token: ReplyToken, _ context: inout GroupContext) {
        let claim = call.claim
        func refuse(_ error: ErrorCode, _ context: inout GroupContext) {
            context.reply(token, .sync(SyncAnswer(error: error)))
        }
        if isDead { return refuse(.coordinatorNotAvailable, &context) }
        if consumer != nil { return syncEmulated(call, token, &context) }
        if let error = refusal(of: claim) { return refuse(error, &context) }
        if let type = call.protocolType, type != protocolType {
            return refuse(.inconsistentGroupProtocol, &context)
        }
        if let name = call.protocolName, isCompleting || isStable, name != protocolName {
            return refuse(.inconsistentGroupProtocol, &context)
        }
        guard let position = members.position(of: claim.memberID) else {
            return refuse(.unknownMemberId, &context)
        }
        switch phase {
        case .empty, .dead:
            refuse(.unknownMemberId, &context)
        case .preparing:
            refreshSession(at: position, &context)
            refuse(.rebalanceInProgress, &context)
        case .stable:
            members[position].hasSynced = true
            refreshSession(at: position, &context)
            context.reply(token, .sync(answer(to: position)))
        case .completing(let completing):
            answerWaiting(at: position, .rebalanceInProgress, &context)
            members[position].hasSynced = true
            members[position].waiting = .sync(token)
            // Who waits for the leader is not expected to send heartbeats.
            members[position].deadline = .distantFuture
            if claim.memberID == leader, completing.writing == nil {
                write(call.assignments, &context)
            }
        }
    }

    private mutating func write(
        _ assigned: [SyncCall.Assignment], _ context: inout GroupContext
    ) {
        var assignments: [String: Bytes] = [:]
        for entry in assigned {
            // The bytes live on long after the request: they get memory of their own.
            assignments[entry.memberID] = entry.assignment.compacted()
        }
        for position in members.indices {
            members[position].assignment = assignments[members[position].id] ?? .empty
        }
        stateTimestamp = context.now.timestamp
        let token = context.append(
            [record(assignments: assignments)], group: id,
            purpose: .assignment(generation: generation))
        phase = .completing(Completing(writing: token))
    }

    /// The leader's assignment is durable, or was refused by the log.
    mutating func assignmentWritten(
        _ token: AppendToken, generation: Int32, failure: ErrorCode?, _ context: inout GroupContext
    ) {
        guard case .completing(let completing) = phase, completing.writing == token,
            generation == self.generation
        else { return }
        if let failure {
            phase = .completing(Completing())
            for position in members.indices {
                members[position].assignment = .empty
                if case .sync = members[position].waiting {
                    answerWaiting(at: position, failure, &context)
                    refreshSession(at: position, &context)
                }
            }
            return rebalance(&context)
        }
        phase = .stable
        for position in members.indices {
            guard case .sync(let token) = members[position].waiting else { continue }
            members[position].waiting = .nothing
            refreshSession(at: position, &context)
            context.reply(token, .sync(answer(to: position)))
        }
        if members.all.allSatisfy(\.hasSynced) { syncDeadline = .distantFuture }
    }

    private func answer(to position: Int) -> SyncAnswer {
        SyncAnswer(
            error: .none, protocolType: protocolType, protocolName: protocolName,
            assignment: members[position].assignment)
    }

    /// True when a member was removed because it never asked for its assignment.
    mutating func removeMembersWithoutSync(_ context: inout GroupContext) -> Bool {
        guard isCompleting || isStable else { return false }
        var removed = false
        var position = 0
        while position < members.count {
            if members[position].hasSynced {
                position += 1
            } else {
                removeMember(at: position, &context)
                removed = true
            }
        }
        return removed
    }

    // MARK: Heartbeats

    func refusal(of claim: MemberClaim) -> ErrorCode? {
        if let error = refusal(ofMember: claim.memberID, instance: claim.instanceID) {
            return error
        }
        return claim.generation == generation ? nil : .illegalGeneration
    }

    mutating func heartbeat(_ claim: MemberClaim, _ context: inout GroupContext) -> ErrorCode {
        if isDead { return .coordinatorNotAvailable }
        if consumer != nil { return heartbeatEmulated(claim, &context) }
        if let error = refusal(of: claim) { return error }
        guard let position = members.position(of: claim.memberID) else { return .unknownMemberId }
        switch phase {
        case .empty, .dead:
            return .unknownMemberId
        case .preparing:
            signOfLife(at: position, &context)
            return .rebalanceInProgress
        case .completing, .stable:
            signOfLife(at: position, &context)
            return .none
        }
    }

    /// Like `refreshSession`, but leaves alone who waits in a request: they don't expire by session.
    mutating func signOfLife(at position: Int, _ context: inout GroupContext) {
        if members[position].waiting == .nothing { refreshSession(at: position, &context) }
    }

    // MARK: Leaving

    mutating func leave(
        _ call: LeaveCall, _ token: ReplyToken, _ context: inout GroupContext
    ) {
        if isDead {
            let answer = LeaveAnswer(error: .coordinatorNotAvailable)
            return context.reply(token, .leave(answer))
        }
        if consumer != nil { return leaveEmulated(call, token, &context) }
        var answer = LeaveAnswer(error: .none)
        let before = members.count
        for member in call.members {
            let error = leave(member, &context)
            answer.members.append(
                LeaveAnswer.Member(
                    memberID: member.memberID, instanceID: member.instanceID, error: error))
        }
        if members.count < before {
            afterRemoval(&context)
        } else {
            completeJoinIfReady(&context)
        }
        context.reply(token, .leave(answer))
    }

    private mutating func leave(
        _ member: LeaveCall.Member, _ context: inout GroupContext
    ) -> ErrorCode {
        var id = member.memberID
        if id.isEmpty {
            guard let instance = member.instanceID,
                let owner = members.memberID(ofInstance: instance)
            else { return .unknownMemberId }
            id = owner
        } else if member.instanceID == nil, expected[id] != nil {
            expected[id] = nil
            return .none
        } else if let error = refusal(ofMember: id, instance: member.instanceID) {
            return error
        }
        guard let position = members.position(of: id) else { return .unknownMemberId }
        removeMember(at: position, &context)
        return .none
    }

    mutating func removeMember(at position: Int, _ context: inout GroupContext) {
        answerWaiting(at: position, .unknownMemberId, &context)
        let member = members.remove(at: position)
        if leader == member.id { leader = members.all.first?.id }
    }

    /// The group after members are gone.
    mutating func afterRemoval(_ context: inout GroupContext) {
        switch phase {
        case .stable, .completing, .preparing: rebalance(&context)
        case .empty, .dead: break
        }
    }
}
