import Base
import Quorum
import WireProtocol

extension BrokerNode {
    /// A broker has one data directory: a replica that is to be there is there already, and no
    /// other place exists.
    mutating func alterReplicaLogDirs(
        _ request: AlterReplicaLogDirsRequest, _ context: RequestContext
    ) {
        typealias TopicResult = AlterReplicaLogDirsResponse.AlterReplicaLogDirTopicResult
        var response = AlterReplicaLogDirsResponse()
        for directory in request.dirs {
            let isOurs = directory.path == configuration.dataDirectory
            for topic in directory.topics {
                let count = image.topic(topic.name)?.partitionCount ?? 0
                response.results.append(
                    TopicResult(
                        topicName: topic.name,
                        partitions: topic.partitions.map { partition in
                            let isKnown = partition >= 0 && partition < count
                            let error: ErrorCode =
                                if !isOurs {
                                    .logDirNotFound
                                } else {
                                    isKnown ? .none : .unknownTopicOrPartition
                                }
                            return .init(partitionIndex: partition, errorCode: error)
                        }))
            }
        }
        answer(context, response)
    }
}
