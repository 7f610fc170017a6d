import Base
import Columns
import WireProtocol

/// The declared payload of a topic: what its records' JSON objects are read into.
package struct TopicDeclaration: Hashable, Sendable {
    package var topic: String
    package var columns: [Field]

    package init(topic: String, columns: [Field]) {
        self.topic = topic
        self.columns = columns
    }

    /// Declared columns, then those of the record itself.
    package var schema: TableSchema { TableSchema(columns + TopicColumns.fields) }
}

/// The records of one step of a pipeline: from a fixed place to a fixed place in every partition.
package struct TopicEpoch: Sendable {
    /// In partition order, within a partition in offset order. Schema: `TopicDeclaration.schema`.
    package var batches: [ColumnBatch] = []
    /// Where the next epoch begins. Partitions without records since the last epoch are missing.
    package var nextOffsets: OrderedMap<Int32, Offset> = [:]
    package var recordCount = 0
    package var payloadBytes = 0
    /// Records that retention had removed before they were read, by partition.
    package var skipped: OrderedMap<Int32, Int64> = [:]
    /// Whether more records were waiting when the epoch was cut.
    package var hasMore = false

    /// An epoch of nothing.
    package init() {}

    package var isEmpty: Bool { nextOffsets.isEmpty }
}

/// Cuts epochs from a topic and decodes them.
package struct TopicEpochReader: Sendable {
    fileprivate let reader: any TopicReader
    fileprivate let declaration: TopicDeclaration
    /// About how many bytes of record batches one epoch takes from each partition, as stored.
    fileprivate let partitionBytes: Int
    fileprivate let content: TopicContent

    package init(
        reader: any TopicReader, declaration: TopicDeclaration, partitionBytes: Int = 8 << 20,
        content: TopicContent = TopicContent()
    ) {
        self.reader = reader
        self.declaration = declaration
        self.partitionBytes = partitionBytes
        self.content = content
    }

    package var topic: String { declaration.topic }

    /// The records from `start` (a partition that is missing begins at its first record).
    package func next(from start: OrderedMap<Int32, Offset>) throws(Problem) -> TopicEpoch {
        let run = try begin(from: start)
        var batches: [ColumnBatch] = []
        while let batch = try run.next() { batches.append(batch) }
        var epoch = run.epoch
        epoch.batches = batches
        return epoch
    }

    /// The same, batch after batch: what was given is not kept.
    package func begin(from start: OrderedMap<Int32, Offset>) throws(Problem) -> TopicEpochRun {
        try TopicEpochRun(self, from: start, until: nil)
    }

    /// The same up to `end`, an offset vector that once was the end of what could be read.
    /// Partitions that are missing there are not read.
    package func begin(
        from start: OrderedMap<Int32, Offset>, until end: OrderedMap<Int32, Offset>
    ) throws(Problem) -> TopicEpochRun {
        try TopicEpochRun(self, from: start, until: end)
    }
}

/// Which of a record's own bytes an epoch gives as texts. Those that nobody reads are columns of
/// nothing but NULL.
package struct TopicContent: Hashable, Sendable {
    package var key: Bool
    package var value: Bool

    package init(key: Bool = true, value: Bool = true) {
        self.key = key
        self.value = value
    }

    /// What a plan over `declaration` looks at.
    package init(readBy projection: [Int], of declaration: TopicDeclaration) {
        let schema = declaration.schema
        key = schema.index(of: TopicColumns.key).map { projection.contains($0) } ?? true
        value = schema.index(of: TopicColumns.value).map { projection.contains($0) } ?? true
    }
}

/// An epoch on its way. Its records are read and decoded as batches are asked for; behind the last
/// one `epoch` says what it was.
package final class TopicEpochRun {
    private let cutter: TopicEpochReader
    private var start: OrderedMap<Int32, Offset>
    private let end: OrderedMap<Int32, Offset>?
    private var partitions: ArraySlice<Int32>
    private var builder: EpochBuilder
    /// Everything about the epoch but its rows, so far.
    package private(set) var epoch = TopicEpoch()

    // The slice of the partition that is being read.
    private var partition: TopicPartition
    private var slice: ArraySlice<Bytes> = []
    private var transactions = AbortedTransactions([])
    private var position: Offset = 0
    private var isReading = false
    private var highWatermark: Offset = 0
    /// Records from here on are not wanted.
    private var limit = Offset(.max)
    /// The record batch that is being decoded.
    private var records: RecordPlaces?
    private var batchEnd: Offset = 0

    fileprivate init(
        _ cutter: TopicEpochReader, from start: OrderedMap<Int32, Offset>,
        until end: OrderedMap<Int32, Offset>?
    ) throws(Problem) {
        self.cutter = cutter
        self.start = start
        self.end = end
        let topic = cutter.declaration.topic
        if let end {
            partitions = end.keys[...]
        } else {
            partitions = try cutter.reader.partitions(of: topic).sorted()[...]
        }
        partition = TopicPartition(topic: topic, partition: 0)
        builder = EpochBuilder(cutter.declaration, cutter.content)
    }

    /// The next rows, at most as many as the engine takes at once; nil behind the last.
    package func next() throws(Problem) -> ColumnBatch? {
        while builder.rowCount < Limits.batchRows {
            do throws(DecodeFailure) {
                if try readRecords() { continue }
                if try openBatch() { continue }
            } catch {
                throw Problem(
                    "XX001", "a record batch of \(partition) cannot be read",
                    notes: ["\(error)", "near offset \(position)"],
                    hint: "the log is damaged: weir topic describe \(partition.topic)")
            }
            closePartition()
            guard try openPartition() else { break }
        }
        return builder.cut()
    }

    /// Decodes records of the open batch; false when there is none with records left.
    private func readRecords() throws(DecodeFailure) -> Bool {
        guard records != nil else { return false }
        // The rows so far would not be wanted if the rest of the batch could not be read; but then
        // the whole epoch is thrown away.
        while builder.rowCount < Limits.batchRows {
            guard let place = try records?.next() else {
                records = nil
                position = max(position, batchEnd)
                return true
            }
            // A batch may begin before the place where the epoch begins, and go on behind its end.
            guard place.offset >= position, place.offset < limit else { continue }
            builder.append(place, partition: partition.partition)
            epoch.recordCount += 1
        }
        return true
    }

    /// Opens the next batch of the slice; false behind the last.
    private func openBatch() throws(DecodeFailure) -> Bool {
        guard let bytes = slice.popFirst() else { return false }
        let batch = try RecordBatchView(bytes)
        let end = min(batch.header.lastOffset + 1, limit)
        guard transactions.isVisible(batch.header), end > position else {
            position = max(position, end)
            return true
        }
        try batch.checkChecksum()
        let content = try batch.recordBytes()
        epoch.payloadBytes += content.count
        builder.share(content)
        records = RecordPlaces(header: batch.header, records: content)
        batchEnd = end
        return true
    }

    private func closePartition() {
        guard isReading else { return }
        isReading = false
        if position > start[partition.partition] ?? 0 {
            epoch.nextOffsets[partition.partition] = position
        }
        if position < min(highWatermark, limit) { epoch.hasMore = true }
    }

    /// Reads from the next partition; false behind the last.
    private func openPartition() throws(Problem) -> Bool {
        guard let number = partitions.popFirst() else { return false }
        partition.partition = number
        let wanted = start[number] ?? 0
        if let end { limit = end[number] ?? 0 }
        // Nothing is left of the partition: an offset vector is read in several epochs.
        if wanted >= limit { return true }
        var read = try cutter.reader.read(
            partition, from: wanted, maxBytes: cutter.partitionBytes)
        position = wanted
        if read.logStartOffset > wanted {
            if start[number] != nil { epoch.skipped[number] = read.logStartOffset - wanted }
            position = read.logStartOffset
            read = try cutter.reader.read(
                partition, from: position, maxBytes: cutter.partitionBytes)
        }
        slice = read.batches[...]
        transactions = AbortedTransactions(read.aborted)
        highWatermark = read.highWatermark
        // The cleaner has left nothing up to the end that is wanted.
        if end != nil, read.batches.isEmpty, highWatermark >= limit { position = limit }
        isReading = true
        return true
    }
}

/// Tells which batches of a slice hold committed records.
private struct AbortedTransactions {
    private var left: ArraySlice<TopicSlice.Aborted>
    /// Producers whose records are skipped up to their next marker. Looked up only.
    private var skipped: Set<Int64> = []

    init(_ aborted: [TopicSlice.Aborted]) { left = aborted[...] }

    /// Called with the batches in their order.
    mutating func isVisible(_ header: RecordBatchHeader) -> Bool {
        while let first = left.first, first.firstOffset <= header.lastOffset {
            skipped.insert(first.producerID)
            left.removeFirst()
        }
        if header.isControl {
            skipped.remove(header.producerId)
            return false
        }
        return !header.isTransactional || !skipped.contains(header.producerId)
    }
}

/// Gathers rows of decoded payloads and of the records themselves.
private struct EpochBuilder: ~Copyable {
    private var decoder: JSONRowDecoder
    private let content: TopicContent
    private var partitions: [Int32] = []
    private var offsets: [Int64] = []
    private var moments: [Int64] = []
    private var hasUnknownMoments = false
    private var keys = RecordTexts()
    private var values = RecordTexts()

    init(_ declaration: TopicDeclaration, _ content: TopicContent) {
        decoder = JSONRowDecoder(fields: declaration.columns)
        self.content = content
    }

    var rowCount: Int { offsets.count }

    /// Says that the records that follow lie in `records`.
    mutating func share(_ records: Bytes) {
        decoder.share(records)
        if content.key { keys.share(records) }
        if content.value { values.share(records) }
        current = records
    }

    /// Keeps the memory of the records alive.
    private var current: Bytes = .empty

    mutating func append(_ place: RecordPlace, partition: Int32) {
        current.withUnsafeBytes { records in
            if place.valueCount >= 0 {
                let value = UnsafeRawBufferPointer(
                    rebasing: records[place.valueStart..<(place.valueStart + place.valueCount)])
                decoder.append(value, position: current.start + place.valueStart)
                if content.value {
                    values.append(value, position: current.start + place.valueStart)
                }
            } else {
                decoder.appendAbsent()
                if content.value { values.appendAbsent() }
            }
            guard content.key else { return }
            if place.keyCount >= 0 {
                let key = UnsafeRawBufferPointer(
                    rebasing: records[place.keyStart..<(place.keyStart + place.keyCount)])
                keys.append(key, position: current.start + place.keyStart)
            } else {
                keys.appendAbsent()
            }
        }
        partitions.append(partition)
        offsets.append(place.offset.value)
        moments.append(place.timestamp.milliseconds &* 1000)
        if place.timestamp.milliseconds < 0 { hasUnknownMoments = true }
    }

    /// The rows so far; nil when there are none.
    mutating func cut() -> ColumnBatch? {
        let rows = rowCount
        guard rows > 0 else { return nil }
        let errors = decoder.errors
        var columns = decoder.finish()
        columns.append(Column(type: .int32, data: .int32(partitions)))
        columns.append(Column(type: .int64, data: .int64(offsets)))
        columns.append(
            Column(
                type: .timestampTZ, data: .int64(moments),
                validity: hasUnknownMoments ? Validity(moments.map { $0 >= 0 }) : nil))
        columns.append(content.key ? keys.finish() : .nothing(rows))
        columns.append(content.value ? values.finish() : .nothing(rows))
        columns.append(errorColumn(errors, rows))
        partitions.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        moments.removeAll(keepingCapacity: true)
        hasUnknownMoments = false
        // The record batch that is open goes on in the next rows.
        if !current.isEmpty { share(current) }
        return ColumnBatch(columns: columns, rowCount: rows)
    }

    private func errorColumn(
        _ errors: [JSONRowDecoder.RowError], _ rowCount: Int
    ) -> Column {
        guard !errors.isEmpty else { return .nothing(rowCount) }
        var messages: OrderedMap<Int, String> = [:]
        for error in errors {
            let earlier = messages[error.row].map { $0 + "; " } ?? ""
            messages[error.row] = earlier + error.message
        }
        return Column(.text, (0..<rowCount).map { row in messages[row].map { .text($0) } ?? .null })
    }
}

/// Keys or payloads as they are, as views over the received bytes; what is not UTF-8 is NULL.
private struct RecordTexts {
    private var views: [TextView] = []
    private var buffers: [Bytes] = []
    private var absent: [Int] = []

    mutating func share(_ bytes: Bytes) {
        if buffers.last?.storage === bytes.storage { return }
        buffers.append(Bytes(storage: bytes.storage, start: 0, count: bytes.storage.count))
    }

    mutating func append(_ text: UnsafeRawBufferPointer, position: Int) {
        guard isValidUTF8(text) else { return appendAbsent() }
        views.append(TextView(text, buffer: buffers.count - 1, position: position))
    }

    mutating func appendAbsent() {
        absent.append(views.count)
        views.append(.empty)
    }

    mutating func finish() -> Column {
        var validity: Validity?
        if !absent.isEmpty {
            var bits = Validity(repeating: true, count: views.count)
            for row in absent { bits.set(row, false) }
            validity = bits
        }
        let column = Column(
            type: .text, data: .text(TextColumn(views: views, buffers: buffers)),
            validity: validity)
        views.removeAll(keepingCapacity: true)
        absent.removeAll(keepingCapacity: true)
        buffers = []
        return column
    }
}

extension Column {
    /// A text column of `count` NULLs.
    fileprivate static func nothing(_ count: Int) -> Column {
        Column(
            type: .text,
            data: .text(TextColumn(views: [TextView](repeating: .empty, count: count))),
            validity: Validity(repeating: false, count: count))
    }
}
