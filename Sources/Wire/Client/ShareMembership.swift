// Membership in a share group: heartbeats say what the member subscribes to, and bring what it shall
// read. Partitions can be read by several members, so nothing has to be given back first.

import Base
import CPlatform
import WireProtocol

/// One member of one share group. A thread of its own sends the heartbeats.
final class ShareMembership: Sendable {
    private struct State {
        var topics: [String] = []
        /// 0 until the broker has taken the member in.
        var epoch: Int32 = 0
        var interval: Int64 = 1_000_000_000
        /// What the broker wants the member to read.
        var assignment: [UUID128: [Int32]] = [:]
        var mustSendAll = true
        /// The next heartbeat is due at once.
        var isHurried = false
        /// Why this member can't be one; the next poll reports it.
        var failure: ClientFailure?
        var isClosed = false
        var isBeating = false
    }

    private let groupId: String
    private let cluster: Cluster
    let memberId: String
    private let state = Monitor(State())

    init(groupId: String, cluster: Cluster) {
        self.groupId = groupId
        self.cluster = cluster
        var bytes: (UInt64, UInt64) = (0, 0)
        let code = withUnsafeMutableBytes(of: &bytes) {
            weir_random_bytes($0.baseAddress, $0.count)
        }
        precondition(code == 0, "the system gives random bytes")
        memberId = UUID128(high: bytes.0, low: bytes.1).description
    }

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

    /// What to read now, as far as the topics are known by name.
    func assignment() throws(ClientFailure) -> [PartitionAddress: UUID128] {
        let (wanted, topics) = state.withLock { ($0.assignment, $0.topics) }
        var names = cluster.topicNames()
        if wanted.keys.contains(where: { names[$0] == nil }) {
            _ = try cluster.refresh(topics)
            names = cluster.topicNames()
        }
        var result: [PartitionAddress: UUID128] = [:]
        for (id, partitions) in wanted {
            guard let name = names[id] else { continue }
            for partition in partitions { result[PartitionAddress(name, partition)] = id }
        }
        return result
    }

    /// Leaves at once.
    func leave() {
        let wasMember = state.update { state in
            state.isClosed = true
            defer { state.epoch = 0 }
            return state.epoch > 0
        }
        guard wasMember else { return }
        let request = ShareGroupHeartbeatRequest(
            groupId: groupId, memberId: memberId, memberEpoch: -1)
        // Without an answer the session ends by itself.
        _ = try? cluster.coordinator(ofGroup: groupId).call(request, timeout: .seconds(5))
    }

    /// Ends the heartbeats.
    func stop() { state.update { $0.isClosed = true } }

    // MARK: Heartbeats

    private func beat() {
        var next: Int64 = 0
        while let request = nextRequest(notBefore: next) {
            do throws(ClientFailure) {
                let coordinator = try cluster.coordinator(ofGroup: groupId)
                take(try coordinator.call(request))
            } catch {
                // What the lost request said must be said again.
                state.update { state in
                    state.mustSendAll = true
                    if !error.isRetriable { state.failure = error }
                }
            }
            next = monotonicNow() + state.withLock { $0.interval }
        }
    }

    private func nextRequest(notBefore time: Int64) -> ShareGroupHeartbeatRequest? {
        state.loop { state in
            if state.isClosed { return .done(nil) }
            if state.failure != nil { return .wait(until: .max) }
            if monotonicNow() < time, !state.isHurried { return .wait(until: time) }
            state.isHurried = false
            let mustSendAll = state.mustSendAll || state.epoch == 0
            state.mustSendAll = false
            return .done(
                ShareGroupHeartbeatRequest(
                    groupId: groupId, memberId: memberId, memberEpoch: state.epoch,
                    subscribedTopicNames: mustSendAll ? state.topics : nil))
        }
    }

    private func take(_ response: ShareGroupHeartbeatResponse) {
        state.update { state in
            if state.isClosed { return }
            switch response.errorCode {
            case .none:
                state.epoch = response.memberEpoch
                if response.heartbeatIntervalMs > 0 {
                    state.interval = Int64(response.heartbeatIntervalMs) * 1_000_000
                }
                guard let assignment = response.assignment else { return }
                state.assignment = [:]
                for topic in assignment.topicPartitions {
                    state.assignment[topic.topicId, default: []] += topic.partitions
                }
            case .unknownMemberId, .fencedMemberEpoch:
                state.epoch = 0
                state.mustSendAll = true
                state.isHurried = true
            case let code where code.isRetriable:
                state.mustSendAll = true
            case .groupIdNotFound where state.epoch > 0:
                state.epoch = 0
                state.mustSendAll = true
            case let code:
                var failure = ClientFailure(
                    code, "take part in share group '\(groupId)'", detail: response.errorMessage)
                failure.isRetriable = false
                state.failure = failure
            }
        }
    }
}
