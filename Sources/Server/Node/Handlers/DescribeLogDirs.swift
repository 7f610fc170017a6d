import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// The data directory with the size of every log in it.
    mutating func describeLogDirs(_ request: DescribeLogDirsRequest, _ context: RequestContext) {
        typealias Topic = DescribeLogDirsResponse.DescribeLogDirsTopic
        var topics: [Topic] = []
        if let wanted = request.topics {
            var seen: Set<TopicPartition> = []
            for topic in wanted {
                guard let known = image.topic(topic.topic) else { continue }
                let partitions = topic.partitions.filter { partition in
                    (0..<known.partitionCount).contains(partition) && isHere(known.name, partition)
                        && seen.insert(TopicPartition(topic: known.name, partition: partition))
                            .inserted
                }
                if partitions.isEmpty { continue }
                topics.append(
                    Topic(
                        name: known.name,
                        partitions: partitions.map { logSize(known.name, $0) }))
            }
        } else {
            topics = image.topics.values.map { topic in
                Topic(
                    name: topic.name,
                    partitions: (0..<topic.partitionCount).filter { isHere(topic.name, $0) }
                        .map { logSize(topic.name, $0) })
            }
        }
        let space = store.diskSpace
        let directory = DescribeLogDirsResponse.DescribeLogDirsResult(
            logDir: configuration.dataDirectory, topics: topics, totalBytes: space.total,
            usableBytes: space.free)
        answer(context, DescribeLogDirsResponse(results: [directory]))
    }

    /// This node has a replica.
    private func isHere(_ topic: String, _ partition: Int32) -> Bool {
        cluster == nil
            || store.bytes(of: TopicPartition(topic: topic, partition: partition)) != nil
    }

    private func logSize(
        _ topic: String, _ partition: Int32
    ) -> DescribeLogDirsResponse.DescribeLogDirsPartition {
        let bytes = store.bytes(of: TopicPartition(topic: topic, partition: partition))
        return .init(partitionIndex: partition, partitionSize: bytes ?? 0)
    }
}
