import Base
import Columns

/// The records of a topic between two offset vectors, decoded, batch after batch. What was given is
/// not kept. Belongs to one thread.
package final class TopicRange {
    private let reader: TopicEpochReader
    private let end: OrderedMap<Int32, Offset>
    private var position: OrderedMap<Int32, Offset>
    private var run: TopicEpochRun?
    private var isAtEnd: Bool
    private var doneRecords = 0

    /// `start` names every partition of `end`, which once was the end of what could be read.
    package init(
        _ reader: TopicEpochReader, from start: OrderedMap<Int32, Offset>,
        until end: OrderedMap<Int32, Offset>
    ) {
        self.reader = reader
        self.end = end
        position = start
        isAtEnd = end.allSatisfy { start[$0.key] ?? 0 >= $0.value }
    }

    /// Records that were read so far, without those of aborted transactions.
    package var recordCount: Int { doneRecords + (run?.epoch.recordCount ?? 0) }

    /// The next rows: the columns of `TopicDeclaration.schema`; nil at the end. Throws 72000 when
    /// retention takes records away before they are read, XX001 when the log is shorter than it was.
    package func next() throws(Problem) -> ColumnBatch? {
        while true {
            if run == nil {
                guard !isAtEnd else { return nil }
                run = try reader.begin(from: position, until: end)
            }
            if let batch = try run?.next() { return batch }
            try close()
        }
    }

    private func close() throws(Problem) {
        let epoch = run?.epoch ?? TopicEpoch()
        run = nil
        doneRecords += epoch.recordCount
        if let (partition, count) = epoch.skipped.first(where: { _ in true }) {
            throw Problem(
                "72000", "records of \(place(partition)) were removed while the query read them",
                notes: ["\(count) records from offset \(position[partition] ?? 0) on"],
                hint: "run the query again; it was overtaken by the topic's retention")
        }
        for (partition, next) in epoch.nextOffsets { position[partition] = next }
        if epoch.hasMore, !epoch.nextOffsets.isEmpty { return }
        isAtEnd = true
        for (partition, last) in end where position[partition] ?? 0 < last {
            throw Problem(
                "XX001", "the log of \(place(partition)) is shorter than it was",
                notes: [
                    "it could be read up to offset \(last), now up to \(position[partition] ?? 0)"
                ], hint: "was the topic deleted meanwhile? weir topic describe \(reader.topic)")
        }
    }

    private func place(_ partition: Int32) -> TopicPartition {
        TopicPartition(topic: reader.topic, partition: partition)
    }
}
