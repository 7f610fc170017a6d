import Base
import Log
import Replica
import WireProtocol

/// A WriteTxnMarkers request with markers that are not durable yet.
struct ParkedMarkerRequest: Sendable {
    var context: RequestContext
    var response: WriteTxnMarkersResponse
    var open: Int
}

extension BrokerNode {
    /// Ends transactions in partitions whatever the coordinator knows: how operators get rid of a
    /// hanging one.
    mutating func writeTxnMarkers(_ request: WriteTxnMarkersRequest, _ context: RequestContext) {
        var response = WriteTxnMarkersResponse()
        var open = 1
        response.markers = request.markers.map { marker in
            .init(
                producerId: marker.producerId,
                topics: marker.topics.map { topic in
                    open += topic.partitionIndexes.count
                    return .init(
                        name: topic.name,
                        partitions: topic.partitionIndexes.map { .init(partitionIndex: $0) })
                })
        }
        markerRequests[context.key] = ParkedMarkerRequest(
            context: context, response: response, open: open)
        let isAllowed =
            authorizeCluster(context, .alter) || authorizeCluster(context, .clusterAction)
        for (place, marker) in request.markers.enumerated() {
            let wanted = MarkerAppend(
                producerID: marker.producerId, producerEpoch: marker.producerEpoch,
                coordinatorEpoch: marker.coordinatorEpoch, isCommit: marker.transactionResult,
                bumpsEpochs: marker.transactionVersion >= 2)
            for (topicPlace, topic) in marker.topics.enumerated() {
                for (index, number) in topic.partitionIndexes.enumerated() {
                    let partition = TopicPartition(topic: topic.name, partition: number)
                    guard isAllowed else {
                        markerWritten(
                            context.key, marker: place, topic: topicPlace, partition: index,
                            .clusterAuthorizationFailed)
                        continue
                    }
                    write(
                        wanted, to: partition,
                        .request(
                            context.key, marker: place, topic: topicPlace, partition: index))
                }
            }
        }
        closeMarkerRequest(context.key)
    }

    private mutating func write(
        _ marker: MarkerAppend, to partition: TopicPartition, _ owner: MarkerWait.Owner
    ) {
        let wait = MarkerWait(
            owner: owner, partition: partition, producerID: marker.producerID,
            isCommit: marker.isCommit)
        guard exists(partition) else {
            return markerSettled(wait, error: .unknownTopicOrPartition)
        }
        guard marker.producerID >= 0, marker.producerEpoch >= 0 else {
            return markerSettled(wait, error: .invalidRequest)
        }
        do throws(ReplicaRefusal) {
            try append(marker, wait)
        } catch {
            markerSettled(wait, error: self.error(error))
        }
    }

    /// One marker is durable, or was refused.
    mutating func markerWritten(
        _ key: RequestKey, marker: Int, topic: Int, partition: Int, _ error: ErrorCode
    ) {
        markerRequests[key]?.response.markers[marker].topics[topic].partitions[partition]
            .errorCode = error
        closeMarkerRequest(key)
    }

    private mutating func closeMarkerRequest(_ key: RequestKey) {
        markerRequests[key]?.open -= 1
        guard markerRequests[key]?.open == 0, let done = markerRequests.removeValue(forKey: key)
        else { return }
        answer(done.context, done.response)
    }
}
