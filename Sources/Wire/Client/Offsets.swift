// Looking up and storing offsets: shared by consumers and administration.

import Base
import WireProtocol

/// An offset that was found by time.
public struct FoundOffset: Hashable, Sendable {
    /// -1 when no record is that young.
    public var offset: Int64
    /// The record's timestamp, or -1.
    public var timestamp: Int64

    public init(offset: Int64, timestamp: Int64) {
        self.offset = offset
        self.timestamp = timestamp
    }
}

/// An offset that a group has stored.
public struct CommittedOffset: Hashable, Sendable {
    public var offset: Int64
    /// What the group stored with it.
    public var metadata: String

    public init(_ offset: Int64, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

extension Cluster {
    /// Asks the leader of each partition for the offset at a time, or at one of `OffsetQuery`.
    func listOffsets(
        _ queries: [PartitionAddress: Int64], isolation: IsolationLevel = .readUncommitted
    ) throws(ClientFailure) -> [PartitionAddress: FoundOffset] {
        var found: [PartitionAddress: FoundOffset] = [:]
        try retrying(for: configuration.retryTimeout) { () throws(ClientFailure) in
            let open = queries.filter { found[$0.key] == nil }
            let topics = Set(open.keys.map(\.topic)).sorted()
            let isUnknown = open.keys.contains { leader(of: $0) == nil }
            if isUnknown {
                for (topic, code) in try refresh(topics) where code != .none {
                    throw ClientFailure(code, "topic '\(topic)'")
                }
            }
            var failure: ClientFailure?
            var byNode: [Int32: [PartitionAddress]] = [:]
            for address in open.keys.sorted() {
                guard let leader = leader(of: address) else {
                    let known = knownTopic(address.topic, evenIfOld: true)?.partitions.count ?? 0
                    let code: ErrorCode =
                        address.partition < known ? .leaderNotAvailable : .unknownTopicOrPartition
                    failure = ClientFailure(code, "find offsets of \(address)")
                    continue
                }
                byNode[leader.node, default: []].append(address)
            }
            for node in byNode.keys.sorted() {
                do throws(ClientFailure) {
                    try listOffsets(
                        byNode[node] ?? [], queries, at: node, isolation: isolation,
                        into: &found, &failure)
                } catch {
                    failure = error
                }
            }
            guard let failure else { return }
            if failure.errorCode?.asksForMetadata ?? true { _ = try? refresh(topics) }
            throw failure
        }
        return found
    }

    private func listOffsets(
        _ addresses: [PartitionAddress], _ queries: [PartitionAddress: Int64], at node: Int32,
        isolation: IsolationLevel, into found: inout [PartitionAddress: FoundOffset],
        _ failure: inout ClientFailure?
    ) throws(ClientFailure) {
        var request = ListOffsetsRequest()
        request.replicaId = -1
        request.isolationLevel = isolation.rawValue
        request.timeoutMs = Int32(clamping: configuration.requestTimeout.wholeMilliseconds)
        for address in addresses {
            if request.topics.last?.name != address.topic {
                request.topics.append(.init(name: address.topic))
            }
            let last = request.topics.count - 1
            request.topics[last].partitions.append(
                .init(
                    partitionIndex: address.partition,
                    timestamp: queries[address] ?? OffsetQuery.latest))
        }
        let response = try connection(to: node).call(request)
        for topic in response.topics {
            for partition in topic.partitions {
                let address = PartitionAddress(topic.name, partition.partitionIndex)
                guard partition.errorCode == .none else {
                    failure = ClientFailure(partition.errorCode, "find offsets of \(address)")
                    continue
                }
                found[address] = FoundOffset(
                    offset: partition.offset, timestamp: partition.timestamp)
            }
        }
    }

    /// What a group has stored; partitions without an offset are left out. nil = all partitions.
    func committedOffsets(
        ofGroup group: String, _ partitions: [PartitionAddress]?
    ) throws(ClientFailure) -> [PartitionAddress: CommittedOffset] {
        try retrying(for: configuration.retryTimeout) { () throws(ClientFailure) in
            var request = OffsetFetchRequest()
            request.groupId = group
            request.topics = partitions.map { partitions in
                var topics: [OffsetFetchRequest.OffsetFetchRequestTopic] = []
                for address in partitions.sorted() {
                    if topics.last?.name != address.topic {
                        topics.append(.init(name: address.topic))
                    }
                    topics[topics.count - 1].partitionIndexes.append(address.partition)
                }
                return topics
            }
            let response = try coordinator(ofGroup: group).call(request, atMost: 7)
            guard response.errorCode == .none else {
                throw ClientFailure(response.errorCode, "fetch the offsets of group '\(group)'")
            }
            var offsets: [PartitionAddress: CommittedOffset] = [:]
            for topic in response.topics {
                for partition in topic.partitions {
                    let address = PartitionAddress(topic.name, partition.partitionIndex)
                    guard partition.errorCode == .none else {
                        throw ClientFailure(
                            partition.errorCode,
                            "fetch the offset of group '\(group)' in \(address)")
                    }
                    if partition.committedOffset >= 0 {
                        offsets[address] = CommittedOffset(
                            partition.committedOffset, metadata: partition.metadata ?? "")
                    }
                }
            }
            return offsets
        }
    }

    /// Stores offsets. `identity` is that of a member, or empty and -1 outside of a group.
    func commit(
        _ offsets: [PartitionAddress: CommittedOffset], ofGroup group: String,
        as identity: (memberId: String, generation: Int32), instanceId: String?,
        retryFor patience: Duration? = nil
    ) throws(ClientFailure) {
        if offsets.isEmpty { return }
        var request = OffsetCommitRequest()
        request.groupId = group
        request.generationIdOrMemberEpoch = identity.generation
        request.memberId = identity.generation < 0 ? "" : identity.memberId
        request.groupInstanceId = identity.generation < 0 ? nil : instanceId
        for address in offsets.keys.sorted() {
            guard let offset = offsets[address] else { continue }
            if request.topics.last?.name != address.topic {
                request.topics.append(.init(name: address.topic))
            }
            let last = request.topics.count - 1
            request.topics[last].partitions.append(
                .init(
                    partitionIndex: address.partition, committedOffset: offset.offset,
                    committedMetadata: offset.metadata))
        }
        let whole = request
        try retrying(for: patience ?? configuration.retryTimeout) { () throws(ClientFailure) in
            // From version 9 on the generation may be the epoch of a member.
            let response = try coordinator(ofGroup: group).call(whole, atMost: 9)
            for topic in response.topics {
                for partition in topic.partitions where partition.errorCode != .none {
                    throw ClientFailure(
                        partition.errorCode,
                        "commit the offset of group '\(group)' in \(topic.name)-"
                            + "\(partition.partitionIndex)")
                }
            }
        }
    }
}
