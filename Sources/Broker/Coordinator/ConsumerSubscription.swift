// What consumers put into the metadata of their protocols, and leaders into assignments: an int16
// version (≥ 0), then the structures `ConsumerProtocolSubscription` and
// `ConsumerProtocolAssignment`. Newer versions only append fields.

import Base
import WireProtocol

/// The inner language of classic consumers. The coordinator needs it to know which committed
/// offsets nobody uses any more, and to carry members over to the consumer protocol.
enum ConsumerSubscription {
    static let protocolType = "consumer"
    private static let newestVersion: Int16 = 3

    static func topics(in metadata: Bytes) throws(DecodeFailure) -> [String] {
        var reader = ByteReader(metadata)
        _ = try version(&reader)
        return try reader.stringArray(flexible: false)
    }

    /// nil when it can't be understood. Some clients claim a version and leave its fields out: then
    /// what every version has is enough.
    static func read(_ metadata: Bytes) -> ConsumerProtocolSubscription? {
        for limit in [newestVersion, 0] {
            do throws(DecodeFailure) {
                var reader = ByteReader(metadata)
                let version = try version(&reader)
                return try ConsumerProtocolSubscription(
                    from: &reader, version: min(version, limit))
            } catch {
                continue
            }
        }
        return nil
    }

    /// The partitions of an assignment that exist; none when it can't be understood.
    static func assignment(_ bytes: Bytes, _ topics: GroupTopics) -> PartitionSet {
        guard !bytes.isEmpty else { return PartitionSet() }
        do throws(DecodeFailure) {
            var reader = ByteReader(bytes)
            let version = try version(&reader)
            let assignment = try ConsumerProtocolAssignment(
                from: &reader, version: min(version, newestVersion))
            return partitions(
                assignment.assignedPartitions.map { ($0.topic, $0.partitions) }, topics)
        } catch {
            return PartitionSet()
        }
    }

    /// Those of the named partitions that exist.
    static func partitions(
        _ named: [(topic: String, partitions: [Int32])], _ topics: GroupTopics
    ) -> PartitionSet {
        var result: [AssignedPartition] = []
        for (name, partitions) in named {
            guard let topic = topics.topic(name) else { continue }
            for partition in partitions where partition >= 0 && partition < topic.partitionCount {
                result.append(AssignedPartition(topicID: topic.id, partition: partition))
            }
        }
        return PartitionSet(result)
    }

    /// An assignment in the version of the subscription that it answers.
    static func encode(
        _ partitions: PartitionSet, _ topics: GroupTopics, like subscription: Bytes
    ) -> Bytes {
        var version: Int16 = 0
        do throws(DecodeFailure) {
            var reader = ByteReader(subscription)
            version = min(try Self.version(&reader), newestVersion)
        } catch {
            // The oldest version is read by everyone.
        }
        var named: [ConsumerProtocolAssignment.TopicPartition] = []
        for topic in partitions.byTopic {
            guard let name = topics.name(of: topic.topicID) else { continue }
            named.append(.init(topic: name, partitions: topic.partitions))
        }
        var writer = ByteWriter()
        writer.int16(version)
        ConsumerProtocolAssignment(assignedPartitions: named.sorted { $0.topic < $1.topic })
            .write(to: &writer, version: version)
        return writer.finish()
    }

    private static func version(_ reader: inout ByteReader) throws(DecodeFailure) -> Int16 {
        let version = try reader.int16()
        guard version >= 0 else {
            throw .invalid(what: "subscription version", value: Int64(version), position: 0)
        }
        return version
    }
}
