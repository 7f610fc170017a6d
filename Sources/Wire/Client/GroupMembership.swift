// Membership in a consumer group by the classic protocol: the members gather, the broker picks a
// leader, the leader assigns, everybody sends heartbeats until something changes.

import Base
import WireProtocol

/// One member of one group. `join` and `leave` are called by the thread that polls; a thread of
/// its own sends heartbeats between them.
final class GroupMembership: Sendable {
    private struct State {
        var memberId = ""
        var generation: Int32 = -1
        var isJoined = false
        /// Why the member has to join again, if it has to.
        var rejoinReason: ClientFailure?
        var lastPoll: Int64 = 0
        var isClosed = false
        var isBeating = false
    }

    private let configuration: ConsumerConfiguration
    private let groupId: String
    private let cluster: Cluster
    private let state = Monitor(State())

    init(_ configuration: ConsumerConfiguration, groupId: String, cluster: Cluster) {
        self.configuration = configuration
        self.groupId = groupId
        self.cluster = cluster
    }

    /// Whether the partitions that were assigned may be read and their offsets committed.
    var isStable: Bool { state.withLock { $0.isJoined && $0.rejoinReason == nil } }

    /// Whether others may have the partitions already, so that nothing can be committed any more.
    var isLost: Bool {
        switch state.withLock({ $0.rejoinReason?.errorCode }) {
        case .unknownMemberId, .illegalGeneration, .fencedInstanceId: true
        default: false
        }
    }

    /// Identity for OffsetCommit; generation -1 outside of a group.
    var identity: (memberId: String, generation: Int32) {
        state.withLock { ($0.memberId, $0.isJoined ? $0.generation : -1) }
    }

    func notePoll() { state.withLock { $0.lastPoll = monotonicNow() } }

    func requestRejoin(_ reason: ClientFailure) {
        state.update { state in
            if state.rejoinReason == nil { state.rejoinReason = reason }
        }
    }

    /// Gathers with the other members and returns what this one is to read. Blocks while the group
    /// gathers, at most until `deadline` plus the time of one answer.
    func join(
        topics: [String], until deadline: Int64
    ) throws(ClientFailure) -> [PartitionAddress] {
        while true {
            do throws(ClientFailure) {
                return try joinOnce(topics: topics)
            } catch {
                switch error.errorCode {
                case .memberIdRequired: continue
                case .unknownMemberId, .illegalGeneration, .fencedInstanceId:
                    if error.errorCode == .fencedInstanceId { throw error }
                    state.withLock { state in
                        state.memberId = ""
                        state.generation = -1
                    }
                case .rebalanceInProgress: break
                default:
                    if !error.isRetriable { throw error }
                }
                if monotonicNow() >= deadline { throw error.retriable }
                sleepBlocking(nanoseconds: 100_000_000)
            }
        }
    }

    private func joinOnce(topics: [String]) throws(ClientFailure) -> [PartitionAddress] {
        let coordinator = try cluster.coordinator(ofGroup: groupId)
        state.withLock { state in
            state.isJoined = false
            state.rejoinReason = nil
            state.lastPoll = monotonicNow()
        }
        let rebalanceTimeout = configuration.maxPollInterval
        var request = JoinGroupRequest()
        request.groupId = groupId
        request.sessionTimeoutMs = Int32(clamping: configuration.sessionTimeout.wholeMilliseconds)
        request.rebalanceTimeoutMs = Int32(clamping: rebalanceTimeout.wholeMilliseconds)
        request.memberId = state.withLock { $0.memberId }
        request.groupInstanceId = configuration.groupInstanceId
        request.protocolType = "consumer"
        let subscription = GroupBytes.subscription(topics: topics)
        request.protocols = configuration.assignors.map {
            .init(name: $0.rawValue, metadata: subscription)
        }
        let joined = try coordinator.call(
            request, timeout: rebalanceTimeout + configuration.client.requestTimeout)
        if !joined.memberId.isEmpty { state.withLock { $0.memberId = joined.memberId } }
        try check(joined.errorCode, "join group '\(groupId)'")

        var sync = SyncGroupRequest()
        sync.groupId = groupId
        sync.generationId = joined.generationId
        sync.memberId = joined.memberId
        sync.groupInstanceId = configuration.groupInstanceId
        sync.protocolType = "consumer"
        sync.protocolName = joined.protocolName
        if joined.leader == joined.memberId && !joined.skipAssignment {
            sync.assignments = try assign(joined)
        }
        let synced = try coordinator.call(
            sync, timeout: rebalanceTimeout + configuration.client.requestTimeout)
        try check(synced.errorCode, "sync with group '\(groupId)'")
        let partitions: [PartitionAddress]
        do throws(DecodeFailure) {
            partitions = try GroupBytes.partitions(ofAssignment: synced.assignment)
        } catch {
            throw ClientFailure("the assignment of group '\(groupId)' can't be read: \(error)")
        }
        let mustStart = state.update { state in
            state.generation = joined.generationId
            state.isJoined = true
            defer { state.isBeating = true }
            return !state.isBeating
        }
        if mustStart { Thread { [self] in beat() }.detach() }
        return partitions.sorted()
    }

    /// What the leader decides for everybody.
    private func assign(
        _ joined: JoinGroupResponse
    ) throws(ClientFailure) -> [SyncGroupRequest.SyncGroupRequestAssignment] {
        guard let name = joined.protocolName, let assignor = AssignorKind(rawValue: name) else {
            throw ClientFailure(
                .inconsistentGroupProtocol,
                "group '\(groupId)' chose '\(joined.protocolName ?? "")'")
        }
        var members: [GroupMember] = []
        for member in joined.members {
            do throws(DecodeFailure) {
                members.append(
                    GroupMember(
                        id: member.memberId, instanceId: member.groupInstanceId,
                        topics: try GroupBytes.topics(ofSubscription: member.metadata)))
            } catch {
                throw ClientFailure(
                    "the wishes of member \(member.memberId) can't be read: \(error)")
            }
        }
        let topics = Set(members.flatMap(\.topics)).sorted()
        try cluster.refresh(topics, createIfMissing: true)
        var counts: [String: Int32] = [:]
        for topic in topics {
            // Topics that don't exist yet are left out; the members rejoin when they appear.
            guard let known = cluster.knownTopic(topic) else { continue }
            counts[topic] = Int32(known.partitions.count)
        }
        let shares = assignor.assign(members, partitionCounts: counts)
        return members.map { member in
            .init(
                memberId: member.id,
                assignment: GroupBytes.assignment(shares[member.id] ?? []))
        }
    }

    private func check(_ code: ErrorCode, _ what: String) throws(ClientFailure) {
        if code != .none { throw ClientFailure(code, what) }
    }

    /// Leaves at once, so that the others need not wait for the session to end. A static member
    /// stays: it is expected to come back.
    func leave() {
        let memberId: String? = state.update { state in
            state.isClosed = true
            defer { state.isJoined = false }
            return state.isJoined || !state.memberId.isEmpty ? state.memberId : nil
        }
        guard let memberId, configuration.groupInstanceId == nil else { return }
        var request = LeaveGroupRequest()
        request.groupId = groupId
        request.memberId = memberId
        request.members = [.init(memberId: memberId, groupInstanceId: nil)]
        // Without an answer the session ends by itself.
        _ = try? cluster.coordinator(ofGroup: groupId).call(request, timeout: .seconds(5))
    }

    /// Ends the heartbeats.
    func stop() { state.update { $0.isClosed = true } }

    // MARK: Heartbeats

    private enum Beat {
        case send(memberId: String, generation: Int32)
        case pollTooLate
        case stop
    }

    private func beat() {
        let interval = configuration.heartbeatInterval.wholeNanoseconds
        let longestPoll = configuration.maxPollInterval.wholeNanoseconds
        var next = monotonicNow() + interval
        while true {
            let due = next
            let step: Beat = state.loop { state in
                if state.isClosed { return .done(.stop) }
                let now = monotonicNow()
                if now < due { return .wait(until: due) }
                guard state.isJoined, state.rejoinReason == nil else {
                    return .wait(until: now + interval)
                }
                if now - state.lastPoll > longestPoll { return .done(.pollTooLate) }
                return .done(.send(memberId: state.memberId, generation: state.generation))
            }
            switch step {
            case .stop: return
            case .pollTooLate:
                // Without heartbeats the others take over; the next poll joins again.
                let reason = "poll was not called within the poll interval"
                requestRejoin(ClientFailure(reason, isRetriable: true))
            case .send(let memberId, let generation):
                sendHeartbeat(memberId: memberId, generation: generation)
            }
            next = monotonicNow() + interval
        }
    }

    private func sendHeartbeat(memberId: String, generation: Int32) {
        var request = HeartbeatRequest()
        request.groupId = groupId
        request.memberId = memberId
        request.generationId = generation
        request.groupInstanceId = configuration.groupInstanceId
        do throws(ClientFailure) {
            let coordinator = try cluster.coordinator(ofGroup: groupId)
            let response = try coordinator.call(request, timeout: configuration.sessionTimeout)
            switch response.errorCode {
            case .none, .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator:
                break
            case let code:
                requestRejoin(ClientFailure(code, "heartbeat to group '\(groupId)'").retriable)
            }
        } catch {
            // The next heartbeat tries again; if the session ends meanwhile, its answer says so.
        }
    }
}
