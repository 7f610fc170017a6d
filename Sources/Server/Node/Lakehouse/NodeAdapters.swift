// The node as the lake sees it: a place for catalog objects and a reader of topics.

import Base
import Log
import Catalog
import Streams
import Synchronization

/// Catalog objects as named objects of the cluster metadata.
package final class NodeCatalogStorage: CatalogStorage {
    private let port: any NodePort
    private let random: Mutex<Random>
    package let isShared: Bool

    package init(port: any NodePort, isShared: Bool = false, random: Random) {
        self.port = port
        self.isShared = isShared
        self.random = Mutex(random)
    }

    package func change(
        _ changes: [CatalogStorageChange], expecting: [CatalogStorageChange]
    ) throws(Problem) {
        _ = try port.call(
            .changeObjects(
                changes.map { ObjectChange($0.name, $0.content) },
                expecting: expecting.map { ObjectChange($0.name, $0.content) }))
    }

    package func newMark() -> String { random.withLock { $0.uuid().description } }

    package func list(prefix: String) throws(Problem) -> [StoredCatalogObject] {
        guard case .objects(let objects) = try port.call(.listObjects(prefix: prefix)) else {
            throw unexpectedAnswer("listObjects")
        }
        return objects.map { StoredCatalogObject(name: $0.name, content: $0.content) }
    }
}

/// Committed records of the node's topics.
package final class NodeTopicReader: TopicReader {
    private let port: any NodePort

    package init(port: any NodePort) { self.port = port }

    package func partitions(of topic: String) throws(Problem) -> [Int32] {
        guard case .topics(let found) = try port.call(.describeTopics([topic])),
            let description = found.first
        else { throw unexpectedAnswer("describeTopics") }
        return description.partitions.map(\.partition)
    }

    package func extents(
        of topics: [String]
    ) throws(Problem) -> OrderedMap<String, TopicExtent> {
        var extents: OrderedMap<String, TopicExtent> = [:]
        do throws(Problem) {
            guard case .topics(let found) = try port.call(.describeTopics(topics)) else {
                throw unexpectedAnswer("describeTopics")
            }
            for topic in found {
                var extent = TopicExtent()
                if let unknown = topic.partitions.first(where: { !$0.isKnown }) {
                    throw Problem(
                        "57P03", "\(topic.name)-\(unknown.partition) has no leader at the moment",
                        notes: ["without its records the answer would be wrong"],
                        hint: "try again in a moment; weir cluster health tells what is wrong")
                }
                // A partition that is still being made has no offsets.
                for partition in topic.partitions where partition.lastStableOffset >= 0 {
                    extent.partitions[partition.partition] = TopicExtent.Range(
                        start: partition.logStartOffset, end: partition.lastStableOffset)
                }
                extents[topic.name] = extent
            }
        } catch {
            guard error.code == "topic.unknown" else { throw error }
            // One that is missing fails them all; the others still have one moment each.
            for topic in topics.count > 1 ? topics : [] {
                extents[topic] = try self.extents(of: [topic])[topic]
            }
        }
        return extents
    }

    package func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(Problem) -> TopicSlice {
        let command = NodeCommand.read(partition, from: offset, maxBytes: maxBytes)
        guard case .batches(let result) = try port.call(command) else {
            throw unexpectedAnswer("read")
        }
        return TopicSlice(
            batches: result.batches, logStartOffset: result.logStartOffset,
            highWatermark: result.lastStableOffset,
            aborted: result.aborted.map {
                TopicSlice.Aborted(producerID: $0.producerID, firstOffset: $0.firstOffset)
            })
    }
}

func unexpectedAnswer(_ command: String) -> Problem {
    Problem("internal.answer", "the node gave another answer than \(command) asks for")
}
