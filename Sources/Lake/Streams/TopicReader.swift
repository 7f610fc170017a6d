import Base

/// How the lake reads topics. The node implements it; tests have a list of batches.
package protocol TopicReader: AnyObject, Sendable {
    /// The partitions of a topic, or a Problem when there is no such topic.
    func partitions(of topic: String) throws(Problem) -> [Int32]

    /// Whole record batches from the one that holds `offset` up to the end of what is committed, at
    /// least one if there is one, about `maxBytes` in total.
    func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(Problem) -> TopicSlice
}

/// Some batches of one partition.
package struct TopicSlice: Sendable {
    package var batches: [Bytes]
    package var logStartOffset: Offset
    /// One past the last offset that can be read: no transaction is open below.
    package var highWatermark: Offset
    /// Aborted transactions with records in the batches, by first offset.
    package var aborted: [Aborted]

    /// The producer's records from the offset up to its next marker were never meant to be.
    package struct Aborted: Hashable, Sendable {
        package var producerID: Int64
        package var firstOffset: Offset

        package init(producerID: Int64, firstOffset: Offset) {
            self.producerID = producerID
            self.firstOffset = firstOffset
        }
    }

    package init(
        batches: [Bytes], logStartOffset: Offset, highWatermark: Offset, aborted: [Aborted] = []
    ) {
        self.batches = batches
        self.logStartOffset = logStartOffset
        self.highWatermark = highWatermark
        self.aborted = aborted
    }
}
