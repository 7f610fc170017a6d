// Moves of partitions between brokers.

import Base
import WireProtocol

/// A partition whose replicas come and go.
public struct PartitionMove: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    /// All that it has: those that it is to keep first.
    public var replicas: [Int32]
    /// Those that it did not have before, and is to have.
    public var adding: [Int32]
    /// Those that it has no more once all the others are in sync.
    public var removing: [Int32]
}

/// The replicas that a partition is to have.
public struct WantedReplicas: Hashable, Sendable {
    public var topic: String
    public var partition: Int32
    /// In the order of preference for leadership; nil = its move ends, and it stays where it was.
    public var replicas: [Int32]?

    public init(topic: String, partition: Int32, replicas: [Int32]?) {
        self.topic = topic
        self.partition = partition
        self.replicas = replicas
    }
}

extension Admin {
    /// The partitions that are being moved, by topic and number.
    public func listMoves() throws(ClientFailure) -> [PartitionMove] {
        let controller = try describeCluster().controllerId
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.connection(to: controller).call(
                ListPartitionReassignmentsRequest())
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "list moves of partitions", detail: response.errorMessage)
            }
            return response.topics.flatMap { topic in
                topic.partitions.map {
                    PartitionMove(
                        topic: topic.name, partition: $0.partitionIndex, replicas: $0.replicas,
                        adding: $0.addingReplicas, removing: $0.removingReplicas)
                }
            }
        }
    }

    /// Begins moves, or ends them. Returns what is wrong with each that was not begun, by its place in
    /// `wanted`.
    public func move(_ wanted: [WantedReplicas]) throws(ClientFailure) -> [Int: ClientFailure] {
        let controller = try describeCluster().controllerId
        return try patiently { () throws(ClientFailure) in
            var places: [String: [Int]] = [:]
            for (place, move) in wanted.enumerated() {
                places[move.topic, default: []].append(place)
            }
            let topics = places.keys.sorted()
            let request = AlterPartitionReassignmentsRequest(
                topics: topics.map { topic in
                    .init(
                        name: topic,
                        partitions: (places[topic] ?? []).map {
                            .init(
                                partitionIndex: wanted[$0].partition, replicas: wanted[$0].replicas)
                        })
                })
            let response = try cluster.connection(to: controller).call(request)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "move partitions", detail: response.errorMessage)
            }
            var failures: [Int: ClientFailure] = [:]
            for topic in response.responses {
                for partition in topic.partitions where partition.errorCode != .none {
                    let place = places[topic.name]?.first {
                        wanted[$0].partition == partition.partitionIndex
                    }
                    guard let place else { continue }
                    failures[place] = ClientFailure(
                        partition.errorCode, "move \(topic.name)-\(partition.partitionIndex)",
                        detail: partition.errorMessage)
                }
            }
            return failures
        }
    }
}
