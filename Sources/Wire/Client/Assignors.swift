// Who of a group reads what. The leader of the group computes it; every member must come to the
// same understanding of the bytes, so the strategies equal those of the Java client.

import Base
import WireProtocol

/// A strategy to share partitions among the members of a group.
public enum AssignorKind: String, Sendable, CaseIterable {
    /// Consecutive partitions of each topic to each member.
    case range = "range"
    /// All partitions of all topics dealt like cards.
    case roundRobin = "roundrobin"
}

/// What one member wants.
package struct GroupMember: Hashable {
    package var id: String
    /// Sorts before the id where it is given, so that static members keep their share.
    package var instanceId: String?
    package var topics: [String]

    package init(id: String, instanceId: String? = nil, topics: [String]) {
        self.id = id
        self.instanceId = instanceId
        self.topics = topics
    }
}

extension AssignorKind {
    /// The partitions of each member, by its id. Topics that don't exist have no count.
    package func assign(
        _ members: [GroupMember], partitionCounts: [String: Int32]
    ) -> [String: [PartitionAddress]] {
        var result: [String: [PartitionAddress]] = [:]
        for member in members { result[member.id] = [] }
        let ordered = members.sorted { left, right in
            switch (left.instanceId, right.instanceId) {
            case (let left?, let right?): left < right
            case (_?, nil): true
            case (nil, _?): false
            case (nil, nil): left.id < right.id
            }
        }
        let topics = Set(members.flatMap(\.topics)).sorted()
        switch self {
        case .range:
            for topic in topics {
                let takers = ordered.filter { $0.topics.contains(topic) }
                let count = Int(partitionCounts[topic] ?? 0)
                for (index, member) in takers.enumerated() {
                    // The first members get one more when the division leaves a rest.
                    let share = count / takers.count
                    let rest = count % takers.count
                    let start = index * share + min(index, rest)
                    let size = share + (index < rest ? 1 : 0)
                    for partition in start..<start + size {
                        result[member.id]?.append(PartitionAddress(topic, Int32(partition)))
                    }
                }
            }
        case .roundRobin:
            var next = 0
            for topic in topics {
                for partition in 0..<(partitionCounts[topic] ?? 0) {
                    // Somebody wants the topic, otherwise it would not be in the list.
                    while !ordered[next % ordered.count].topics.contains(topic) { next += 1 }
                    result[ordered[next % ordered.count].id]?
                        .append(PartitionAddress(topic, partition))
                    next += 1
                }
            }
        }
        return result
    }
}

/// The bytes of JoinGroup and SyncGroup.
package enum GroupBytes {
    package static func subscription(topics: [String]) -> Bytes {
        var writer = ByteWriter()
        writer.int16(0)
        ConsumerProtocolSubscription(topics: topics.sorted()).write(to: &writer, version: 0)
        return writer.finish()
    }

    package static func topics(ofSubscription bytes: Bytes) throws(DecodeFailure) -> [String] {
        var reader = ByteReader(bytes)
        // Version 0 is the begin of every version, and all that is needed here.
        guard try reader.int16() >= 0 else {
            throw .malformed("subscription with a negative version", position: 0)
        }
        return try ConsumerProtocolSubscription(from: &reader, version: 0).topics
    }

    package static func assignment(_ partitions: [PartitionAddress]) -> Bytes {
        var assignment = ConsumerProtocolAssignment()
        for address in partitions.sorted() {
            if assignment.assignedPartitions.last?.topic != address.topic {
                assignment.assignedPartitions.append(.init(topic: address.topic))
            }
            let last = assignment.assignedPartitions.count - 1
            assignment.assignedPartitions[last].partitions.append(address.partition)
        }
        var writer = ByteWriter()
        writer.int16(0)
        assignment.write(to: &writer, version: 0)
        return writer.finish()
    }

    package static func partitions(
        ofAssignment bytes: Bytes
    ) throws(DecodeFailure) -> [PartitionAddress] {
        // Members that were left out get no bytes at all.
        if bytes.isEmpty { return [] }
        var reader = ByteReader(bytes)
        _ = try reader.int16()
        let assignment = try ConsumerProtocolAssignment(from: &reader, version: 0)
        return assignment.assignedPartitions.flatMap { topic in
            topic.partitions.map { PartitionAddress(topic.topic, $0) }
        }
    }
}
