// Deleting records from the begin of partitions.

import Base
import WireProtocol

extension Admin {
    /// Deletes the records below an offset of each partition; -1 = all that are there now. Returns
    /// the first offset that is left. Partitions that fail throw after the others were done.
    @discardableResult
    public func deleteRecords(
        before offsets: [PartitionAddress: Int64]
    ) throws(ClientFailure) -> [PartitionAddress: Int64] {
        var low: [PartitionAddress: Int64] = [:]
        try patiently { () throws(ClientFailure) in
            let open = offsets.keys.filter { low[$0] == nil }.sorted()
            let topics = Set(open.map(\.topic)).sorted()
            for (topic, code) in try cluster.refresh(topics) where code != .none {
                let failure = ClientFailure(code, "topic '\(topic)'")
                throw code == .unknownTopicOrPartition ? failure.final : failure
            }
            var byNode: [Int32: [PartitionAddress]] = [:]
            for address in open {
                guard let leader = cluster.leader(of: address) else {
                    let count = cluster.knownTopic(address.topic, evenIfOld: true)?.partitions.count
                    throw address.partition >= count ?? 0
                        ? ClientFailure(
                            .unknownTopicOrPartition, "there is no partition \(address)"
                        ).final
                        : ClientFailure(.leaderNotAvailable, "delete records of \(address)")
                }
                byNode[leader.node, default: []].append(address)
            }
            var failure: ClientFailure?
            for node in byNode.keys.sorted() {
                let answers = try deleteRecords(byNode[node] ?? [], offsets, at: node)
                for (address, answer) in answers {
                    if answer.code == .none {
                        low[address] = answer.offset
                    } else if failure == nil {
                        failure = ClientFailure(answer.code, "delete records of \(address)")
                    }
                }
            }
            if let failure { throw failure }
        }
        return low
    }

    private func deleteRecords(
        _ addresses: [PartitionAddress], _ offsets: [PartitionAddress: Int64], at node: Int32
    ) throws(ClientFailure) -> [(PartitionAddress, (offset: Int64, code: ErrorCode))] {
        var request = DeleteRecordsRequest(timeoutMs: timeoutMs)
        for address in addresses {
            if request.topics.last?.name != address.topic {
                request.topics.append(.init(name: address.topic))
            }
            request.topics[request.topics.count - 1].partitions.append(
                .init(partitionIndex: address.partition, offset: offsets[address] ?? -1))
        }
        let response = try cluster.connection(to: node).call(request)
        return response.topics.flatMap { topic in
            topic.partitions.map {
                (
                    PartitionAddress(topic.name, $0.partitionIndex),
                    ($0.lowWatermark, $0.errorCode)
                )
            }
        }
    }
}
