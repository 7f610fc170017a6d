// Membership in a consumer group by the newer protocol (KIP-848): the broker assigns, and heartbeats
// carry everything. A member says what it subscribes to and what it owns; the broker answers with
// what it may own. What is to go is given up first and confirmed by the next heartbeat; only then is
// it given to somebody else.

import Base
import CPlatform
import WireProtocol

/// One member of one group. A thread of its own sends the heartbeats; the thread that polls follows
/// what they bring.
final class ConsumerMembership: Sendable {
    /// What the broker wants this member to own.
    struct Target: Sendable {
        var partitions: [PartitionAddress]
        fileprivate var byId: [UUID128: [Int32]]
        fileprivate var version: Int
    }

    private struct State {
        var topics: [String] = []
        /// 0 until the broker has taken the member in.
        var epoch: Int32 = 0
        var interval: Int64 = 1_000_000_000
        var target: [UUID128: [Int32]]?
        /// Rises with each target.
        var targetVersion = 0
        /// The version that the polling thread has taken over.
        var followedVersion = 0
        /// What the polling thread owns.
        var owned: [UUID128: [Int32]] = [:]
        /// What is said only when it has changed.
        var mustSendOwned = false
        var mustSendAll = true
        /// The next heartbeat is due at once.
        var isHurried = false
        /// The group has given the partitions away.
        var isLost = false
        /// Why this member can't be one; the next poll reports it.
        var failure: ClientFailure?
        var lastPoll: Int64 = 0
        var isClosed = false
        var isBeating = false
        /// Left because the program did not poll; the next poll comes back.
        var isAway = false
    }

    private let configuration: ConsumerConfiguration
    private let groupId: String
    private let cluster: Cluster
    private let memberId: String
    private let state = Monitor(State())

    init(_ configuration: ConsumerConfiguration, groupId: String, cluster: Cluster) {
        self.configuration = configuration
        self.groupId = groupId
        self.cluster = cluster
        memberId = Self.newMemberId()
    }

    /// The member chooses its id itself: sixteen random bytes.
    private static func newMemberId() -> String {
        var bytes: (UInt64, UInt64) = (0, 0)
        let code = withUnsafeMutableBytes(of: &bytes) {
            weir_random_bytes($0.baseAddress, $0.count)
        }
        precondition(code == 0, "the system gives random bytes")
        return UUID128(high: bytes.0, low: bytes.1).description
    }

    /// Identity for OffsetCommit; generation -1 before the broker has taken the member in.
    var identity: (memberId: String, generation: Int32) {
        state.withLock { $0.epoch > 0 ? (memberId, $0.epoch) : ("", -1) }
    }

    func notePoll() {
        state.update { state in
            state.lastPoll = monotonicNow()
            if state.isAway {
                state.isAway = false
                state.isHurried = true
            }
        }
    }

    // MARK: From the thread that polls

    /// Begins, or changes what is subscribed to. Throws why the member can't be one.
    func begin(topics: [String]) throws(ClientFailure) {
        let (mustStart, failure) = state.update { state in
            if state.topics != topics {
                state.topics = topics
                state.mustSendAll = true
                state.isHurried = true
            }
            defer { state.isBeating = true }
            return (!state.isBeating && !state.isClosed, state.failure)
        }
        if let failure { throw failure }
        if mustStart { Thread { [self] in beat() }.detach() }
    }

    /// Whether the partitions were lost since the last call.
    func takeLoss() -> Bool {
        state.withLock { state in
            defer { state.isLost = false }
            return state.isLost
        }
    }

    /// What to own from now on, if that has changed and all of its topics are known by name.
    func newTarget() throws(ClientFailure) -> Target? {
        let (target, version) = state.withLock { state in
            (
                state.targetVersion == state.followedVersion ? nil : state.target,
                state.targetVersion
            )
        }
        guard let target else { return nil }
        var names = cluster.topicNames()
        if target.keys.contains(where: { names[$0] == nil }) {
            _ = try cluster.refresh(state.withLock { $0.topics })
            names = cluster.topicNames()
        }
        var partitions: [PartitionAddress] = []
        for (id, numbers) in target {
            // A topic that is not known yet, or not any more: the next poll looks again.
            guard let name = names[id] else { return nil }
            partitions += numbers.map { PartitionAddress(name, $0) }
        }
        return Target(partitions: partitions.sorted(), byId: target, version: version)
    }

    /// The polling thread owns exactly `target` now; the broker hears it at once.
    func confirm(_ target: Target) {
        state.update { state in
            state.followedVersion = target.version
            state.owned = target.byId
            state.mustSendOwned = true
            state.isHurried = true
        }
    }

    /// Leaves at once. A static member stays: it is expected to come back.
    func leave() {
        let wasMember = state.update { state in
            state.isClosed = true
            defer { state.epoch = 0 }
            return state.epoch > 0
        }
        if wasMember { sendLeave() }
    }

    /// Ends the heartbeats.
    func stop() { state.update { $0.isClosed = true } }

    private func sendLeave() {
        var request = ConsumerGroupHeartbeatRequest()
        request.groupId = groupId
        request.memberId = memberId
        request.instanceId = configuration.groupInstanceId
        request.memberEpoch = configuration.groupInstanceId == nil ? -1 : -2
        // Without an answer the session ends by itself.
        _ = try? cluster.coordinator(ofGroup: groupId).call(request, timeout: .seconds(5))
    }

    // MARK: Heartbeats

    private enum Beat {
        case send(ConsumerGroupHeartbeatRequest)
        case goAway
        case stop
    }

    private func beat() {
        var next: Int64 = 0
        while true {
            switch nextBeat(notBefore: next) {
            case .stop: return
            case .goAway: sendLeave()
            case .send(let request): send(request)
            }
            let interval = state.withLock { $0.failure == nil ? $0.interval : 1_000_000_000 }
            next = monotonicNow() + interval
        }
    }

    private func nextBeat(notBefore time: Int64) -> Beat {
        let longestPoll = configuration.maxPollInterval.wholeNanoseconds
        return state.loop { state in
            if state.isClosed { return .done(.stop) }
            if state.failure != nil || state.isAway { return .wait(until: .max) }
            let now = monotonicNow()
            if now < time, !state.isHurried { return .wait(until: time) }
            state.isHurried = false
            if now - state.lastPoll > longestPoll, state.epoch > 0 {
                // The others take over; the next poll joins again.
                Self.lose(&state)
                state.isAway = true
                return .done(.goAway)
            }
            return .done(.send(request(&state)))
        }
    }

    private static func lose(_ state: inout State) {
        state.isLost = true
        state.epoch = 0
        state.target = nil
        state.targetVersion += 1
        state.followedVersion = state.targetVersion
        state.owned = [:]
        state.mustSendAll = true
    }

    private func request(_ state: inout State) -> ConsumerGroupHeartbeatRequest {
        var request = ConsumerGroupHeartbeatRequest()
        request.groupId = groupId
        request.memberId = memberId
        request.memberEpoch = state.epoch
        if state.mustSendAll || state.epoch == 0 {
            request.instanceId = configuration.groupInstanceId
            request.rebalanceTimeoutMs = Int32(
                clamping: configuration.maxPollInterval.wholeMilliseconds)
            request.subscribedTopicNames = state.topics
            request.serverAssignor = configuration.serverAssignor
            request.topicPartitions = Self.wire(state.owned)
        } else if state.mustSendOwned {
            request.topicPartitions = Self.wire(state.owned)
        }
        state.mustSendAll = false
        state.mustSendOwned = false
        return request
    }

    private static func wire(
        _ owned: [UUID128: [Int32]]
    ) -> [ConsumerGroupHeartbeatRequest.TopicPartitions] {
        owned.keys.sorted().map { .init(topicId: $0, partitions: owned[$0] ?? []) }
    }

    private func send(_ request: ConsumerGroupHeartbeatRequest) {
        do throws(ClientFailure) {
            let coordinator = try cluster.coordinator(ofGroup: groupId)
            let response = try coordinator.call(request, timeout: configuration.sessionTimeout)
            take(response)
        } catch {
            // What the lost request said must be said again.
            state.update { state in
                state.mustSendAll = true
                if !error.isRetriable { state.failure = error }
            }
        }
    }

    private func take(_ response: ConsumerGroupHeartbeatResponse) {
        state.update { state in
            if state.isClosed { return }
            switch response.errorCode {
            case .none:
                state.epoch = response.memberEpoch
                if response.heartbeatIntervalMs > 0 {
                    state.interval = Int64(response.heartbeatIntervalMs) * 1_000_000
                }
                guard let assignment = response.assignment else { return }
                var target: [UUID128: [Int32]] = [:]
                for topic in assignment.topicPartitions {
                    target[topic.topicId, default: []] += topic.partitions.sorted()
                }
                // Said again, though it was followed already: nothing to do.
                if target == state.owned, state.targetVersion == state.followedVersion { return }
                state.target = target
                state.targetVersion += 1
            case .unknownMemberId, .fencedMemberEpoch:
                Self.lose(&state)
                state.isHurried = true
            case .coordinatorLoadInProgress, .coordinatorNotAvailable, .notCoordinator:
                state.mustSendAll = true
            case let code where code.isRetriable:
                state.mustSendAll = true
            case let code:
                state.failure =
                    ClientFailure(
                        code, "take part in group '\(groupId)'", detail: response.errorMessage
                    ).final
            }
        }
    }
}
