import Base

/// How the lake reads topics. The node implements it; tests have a list of batches.
package protocol TopicReader: AnyObject, Sendable {
    /// The partitions of a topic, or a Problem when there is no such topic.
    func partitions(of topic: String) throws(Problem) -> [Int32]

    /// What topics hold at one moment, by name. Those that do not exist are missing.
    func extents(of topics: [String]) throws(Problem) -> OrderedMap<String, TopicExtent>

    /// Whole record batches from the one that holds `offset` up to the end of what is committed, at
    /// least one if there is one, about `maxBytes` in total.
    func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(Problem) -> TopicSlice
}

/// What a topic holds at one moment: of each partition the offsets that can be read.
package struct TopicExtent: Sendable {
    package struct Range: Hashable, Sendable {
        package var start: Offset
        /// One past the last record that can be read: no transaction is open below.
        package var end: Offset

        package init(start: Offset, end: Offset) {
            self.start = start
            self.end = end
        }
    }

    package var partitions: OrderedMap<Int32, Range>

    package init(_ partitions: OrderedMap<Int32, Range> = [:]) { self.partitions = partitions }

    /// The offset vector of reads that see this moment.
    package var ends: OrderedMap<Int32, Offset> {
        var ends: OrderedMap<Int32, Offset> = [:]
        for (partition, range) in partitions { ends[partition] = range.end }
        return ends
    }

    /// Where its records begin.
    package var starts: OrderedMap<Int32, Offset> {
        var starts: OrderedMap<Int32, Offset> = [:]
        for (partition, range) in partitions { starts[partition] = range.start }
        return starts
    }
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
