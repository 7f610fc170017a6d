// What operators do with share groups.

import Base
import WireProtocol

/// Where a share group stands in one partition.
public struct ShareGroupOffset: Hashable, Sendable {
    /// The first record that the group is not done with.
    public var startOffset: Int64
    /// Records that it still has to deal with; nil when the broker does not say.
    public var lag: Int64?
}

extension Admin {
    /// Where a share group stands, in each partition that it has begun with.
    public func shareOffsets(
        _ group: String
    ) throws(ClientFailure) -> [PartitionAddress: ShareGroupOffset] {
        let request = DescribeShareGroupOffsetsRequest(groups: [
            .init(groupId: group, topics: nil)
        ])
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofGroup: group).call(request)
            guard let found = response.groups.first else {
                throw ClientFailure("the broker left group '\(group)' out")
            }
            guard found.errorCode == .none else {
                throw ClientFailure(
                    found.errorCode, "describe the offsets of share group '\(group)'",
                    detail: found.errorMessage)
            }
            var offsets: [PartitionAddress: ShareGroupOffset] = [:]
            for topic in found.topics {
                for partition in topic.partitions
                where partition.errorCode == .none && partition.startOffset >= 0 {
                    offsets[PartitionAddress(topic.topicName, partition.partitionIndex)] =
                        ShareGroupOffset(
                            startOffset: partition.startOffset,
                            lag: partition.lag >= 0 ? partition.lag : nil)
                }
            }
            return offsets
        }
    }

    /// Moves a share group that has no members now; what it has done behind the new place is done
    /// again. Makes the group if it is new.
    public func setShareOffsets(
        _ group: String, _ offsets: [PartitionAddress: Int64]
    ) throws(ClientFailure) {
        var request = AlterShareGroupOffsetsRequest(groupId: group)
        for (address, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.topicName != address.topic {
                request.topics.append(.init(topicName: address.topic))
            }
            request.topics[request.topics.count - 1].partitions.append(
                .init(partitionIndex: address.partition, startOffset: offset))
        }
        let whole = request
        try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofGroup: group).call(whole)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "move share group '\(group)'",
                    detail: response.errorMessage)
            }
            for topic in response.responses {
                for partition in topic.partitions where partition.errorCode != .none {
                    throw ClientFailure(
                        partition.errorCode,
                        "move share group '\(group)' in \(topic.topicName)-"
                            + "\(partition.partitionIndex)", detail: partition.errorMessage)
                }
            }
        }
    }

    /// Makes a share group that has no members now forget these topics.
    public func deleteShareOffsets(
        _ group: String, _ topics: [String]
    ) throws(ClientFailure) {
        let request = DeleteShareGroupOffsetsRequest(
            groupId: group, topics: topics.map { .init(topicName: $0) })
        try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofGroup: group).call(request)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "delete offsets of share group '\(group)'",
                    detail: response.errorMessage)
            }
            for topic in response.responses where topic.errorCode != .none {
                throw ClientFailure(
                    topic.errorCode,
                    "delete the offsets of share group '\(group)' in \(topic.topicName)",
                    detail: topic.errorMessage)
            }
        }
    }

    /// nil when there is no such share group.
    func describeShareGroup(
        _ group: String, _ coordinator: BrokerConnection
    ) throws(ClientFailure) -> GroupInfo? {
        guard (try? coordinator.version(of: .shareGroupDescribe)) != nil else { return nil }
        let request = ShareGroupDescribeRequest(groupIds: [group])
        guard let found = try coordinator.call(request).groups.first else { return nil }
        if found.errorCode == .groupIdNotFound { return nil }
        guard found.errorCode == .none else {
            throw ClientFailure(
                found.errorCode, "describe share group '\(group)'", detail: found.errorMessage)
        }
        return GroupInfo(
            groupId: found.groupId, state: found.groupState, protocolType: "share",
            strategy: found.assignorName,
            members: found.members.map { member in
                .init(
                    memberId: member.memberId, instanceId: nil, clientId: member.clientId,
                    host: member.clientHost,
                    partitions: member.assignment.topicPartitions.flatMap { topic in
                        topic.partitions.map { PartitionAddress(topic.topicName, $0) }
                    }.sorted())
            })
    }
}
