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
    package var batches: [ColumnBatch]
    /// Where the next epoch begins. Partitions without records since the last epoch are missing.
    package var nextOffsets: OrderedMap<Int32, Offset>
    package var recordCount: Int
    package var payloadBytes: Int
    /// Records that retention had removed before they were read, by partition.
    package var skipped: OrderedMap<Int32, Int64>
    /// Whether more records were waiting when the epoch was cut.
    package var hasMore: Bool

    package var isEmpty: Bool { nextOffsets.isEmpty }
}

/// Cuts epochs from a topic and decodes them.
package struct TopicEpochReader: Sendable {
    private let reader: any TopicReader
    private let declaration: TopicDeclaration
    /// About how many bytes of record batches one epoch takes from each partition, as stored.
    private let partitionBytes: Int
    /// Rows of one column batch. Large, because these go into files.
    private let batchRows = 16_384

    package init(
        reader: any TopicReader, declaration: TopicDeclaration, partitionBytes: Int = 8 << 20
    ) {
        self.reader = reader
        self.declaration = declaration
        self.partitionBytes = partitionBytes
    }

    /// The records from `start` (a partition that is missing begins at its first record).
    package func next(from start: OrderedMap<Int32, Offset>) throws(Problem) -> TopicEpoch {
        var epoch = TopicEpoch(
            batches: [], nextOffsets: [:], recordCount: 0, payloadBytes: 0, skipped: [:],
            hasMore: false)
        var builder = EpochBuilder(declaration: declaration)
        for partition in try reader.partitions(of: declaration.topic).sorted() {
            try readPartition(
                TopicPartition(topic: declaration.topic, partition: partition),
                from: start[partition] ?? 0, isFirst: start[partition] == nil, &builder, &epoch)
        }
        builder.cut(into: &epoch.batches)
        return epoch
    }

    private func readPartition(
        _ partition: TopicPartition, from wanted: Offset, isFirst: Bool,
        _ builder: inout EpochBuilder, _ epoch: inout TopicEpoch
    ) throws(Problem) {
        var slice = try reader.read(partition, from: wanted, maxBytes: partitionBytes)
        var position = wanted
        if slice.logStartOffset > wanted {
            if !isFirst { epoch.skipped[partition.partition] = slice.logStartOffset - wanted }
            position = slice.logStartOffset
            slice = try reader.read(partition, from: position, maxBytes: partitionBytes)
        }
        var transactions = AbortedTransactions(slice.aborted)
        for bytes in slice.batches {
            do throws(DecodeFailure) {
                let batch = try RecordBatchView(bytes)
                let end = batch.header.lastOffset + 1
                let isVisible = transactions.isVisible(batch.header)
                if isVisible, end > position {
                    try decode(batch, from: position, partition, &builder, &epoch)
                }
                position = max(position, end)
            } catch {
                throw Problem(
                    "XX001", "a record batch of \(partition) cannot be read",
                    notes: ["\(error)", "near offset \(position)"],
                    hint: "the log is damaged: weir topic describe \(partition.topic)")
            }
            if builder.rowCount >= batchRows { builder.cut(into: &epoch.batches) }
        }
        if position > wanted { epoch.nextOffsets[partition.partition] = position }
        if position < slice.highWatermark { epoch.hasMore = true }
    }

    private func decode(
        _ batch: RecordBatchView, from position: Offset, _ partition: TopicPartition,
        _ builder: inout EpochBuilder, _ epoch: inout TopicEpoch
    ) throws(DecodeFailure) {
        try batch.checkChecksum()
        let records = try batch.recordBytes()
        epoch.payloadBytes += records.count
        var cursor = RecordCursor(header: batch.header, records: records)
        while let record = try cursor.next() {
            // A batch may begin before the place where the epoch begins.
            guard record.offset >= position else { continue }
            builder.append(record, partition: partition.partition)
            epoch.recordCount += 1
        }
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
private struct EpochBuilder {
    private var decoder: JSONRowDecoder
    private var partitions: [Int32] = []
    private var offsets: [Int64] = []
    private var timestamps: [Int64] = []
    private var keys: [Bytes?] = []
    private var values: [Bytes?] = []

    init(declaration: TopicDeclaration) {
        decoder = JSONRowDecoder(fields: declaration.columns)
    }

    var rowCount: Int { offsets.count }

    mutating func append(_ record: Record, partition: Int32) {
        decoder.append(record.value)
        partitions.append(partition)
        offsets.append(record.offset.value)
        timestamps.append(record.timestamp.milliseconds)
        keys.append(record.key)
        values.append(record.value)
    }

    mutating func cut(into batches: inout [ColumnBatch]) {
        guard rowCount > 0 else { return }
        let errors = decoder.errors
        var columns = decoder.finish()
        columns.append(Column(type: .int32, data: .int32(partitions)))
        columns.append(Column(type: .int64, data: .int64(offsets)))
        columns.append(timestampColumn())
        columns.append(textColumn(keys))
        columns.append(textColumn(values))
        columns.append(errorColumn(errors))
        batches.append(ColumnBatch(columns: columns, rowCount: rowCount))
        partitions.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        timestamps.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
    }

    private func timestampColumn() -> Column {
        let isKnown = timestamps.map { $0 >= 0 }
        let moments = timestamps.map { $0 &* 1000 }
        let validity = isKnown.contains(false) ? Validity(isKnown) : nil
        return Column(type: .timestampTZ, data: .int64(moments), validity: validity)
    }

    /// Views over the received bytes; what is not UTF-8 is NULL.
    private func textColumn(_ texts: [Bytes?]) -> Column {
        var views: [TextView] = []
        views.reserveCapacity(texts.count)
        var buffers: [Bytes] = []
        var validity = Validity(repeating: true, count: texts.count)
        for (row, text) in texts.enumerated() {
            guard let text, text.withUnsafeBytes({ isValidUTF8($0) }) else {
                views.append(.empty)
                validity.set(row, false)
                continue
            }
            if buffers.last?.storage !== text.storage {
                buffers.append(Bytes(storage: text.storage, start: 0, count: text.storage.count))
            }
            text.withUnsafeBytes {
                views.append(TextView($0, buffer: buffers.count - 1, position: text.start))
            }
        }
        return Column(
            type: .text, data: .text(TextColumn(views: views, buffers: buffers)),
            validity: validity.nullCount > 0 ? validity : nil)
    }

    private func errorColumn(_ errors: [JSONRowDecoder.RowError]) -> Column {
        guard !errors.isEmpty else {
            return Column(
                type: .text,
                data: .text(
                    TextColumn(views: [TextView](repeating: .empty, count: rowCount))),
                validity: Validity(repeating: false, count: rowCount))
        }
        var messages: OrderedMap<Int, String> = [:]
        for error in errors {
            let earlier = messages[error.row].map { $0 + "; " } ?? ""
            messages[error.row] = earlier + error.message
        }
        return Column(.text, (0..<rowCount).map { row in messages[row].map { .text($0) } ?? .null })
    }
}
