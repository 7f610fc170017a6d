import Base

/// How the lake reads topics. The node implements it; tests have a list of batches.
package protocol TopicReader: AnyObject, Sendable {
    /// The partitions of a topic, or a Problem when there is no such topic.
    func partitions(of topic: String) throws(Problem) -> [Int32]

    /// Whole record batches from the one that holds `offset` up to the high watermark, at least one
    /// if there is one, about `maxBytes` in total.
    func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(Problem) -> TopicSlice
}

/// Some batches of one partition.
package struct TopicSlice: Sendable {
    package var batches: [Bytes]
    package var logStartOffset: Offset
    package var highWatermark: Offset

    package init(batches: [Bytes], logStartOffset: Offset, highWatermark: Offset) {
        self.batches = batches
        self.logStartOffset = logStartOffset
        self.highWatermark = highWatermark
    }
}
