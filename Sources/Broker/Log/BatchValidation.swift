import Base
import Compression
import WireProtocol

/// A batch that may be appended, and what of its header must change before.
struct ValidatedBatch: Sendable {
    var header: BatchHeader
    /// The largest timestamp of the records, where the header claimed another one.
    var correctedMaxTimestamp: Int64?
    /// Set when the topic keeps the time of the append instead of the producer's.
    var appendTime: Int64?
    /// The batch has its place and its leader epoch from the log that it is a copy of.
    var isCopy = false

    /// The timestamp that indexes and retention go by.
    var maxTimestamp: Int64 { appendTime ?? correctedMaxTimestamp ?? header.maxTimestamp }
}

/// The rules for what a producer may append, in the order in which their errors are published.
struct BatchValidation: Sendable {
    var settings: PartitionSettings
    var origin: AppendOrigin
    /// Wall-clock milliseconds.
    var now: Int64
    var verifiesChecksums = true

    /// Checks one batch, every record of it included. One pass, nothing allocated per record.
    func validate(_ batch: Bytes) throws(AppendFailure) -> ValidatedBatch {
        let header = try checkFrame(batch)
        try checkHeader(header)
        let facts = try checkRecords(batch, header)
        var validated = ValidatedBatch(header: header)
        if settings.usesLogAppendTime {
            validated.appendTime = now
            return validated
        }
        try checkTimestamps(batch, facts)
        if facts.maxTimestamp.milliseconds != header.maxTimestamp {
            validated.correctedMaxTimestamp = facts.maxTimestamp.milliseconds
        }
        return validated
    }

    private func checkFrame(_ batch: Bytes) throws(AppendFailure) -> BatchHeader {
        guard batch.count >= BatchHeader.byteCount else {
            throw .corruptMessage("\(batch.count) bytes are too few for a record batch")
        }
        let magic = Int8(bitPattern: batch[16])
        guard magic == 2 else { throw .unsupportedMessageFormat(magic: Int(magic)) }
        guard let header = BatchHeader(batch) else {
            throw .corruptMessage("the header of the record batch is malformed")
        }
        if header.byteCount < batch.count {
            throw .invalidRecord("a produce request holds one batch per partition", records: [])
        }
        guard header.byteCount == batch.count else {
            throw .corruptMessage(
                "the batch says it has \(header.byteCount) bytes, \(batch.count) arrived")
        }
        if batch.count > settings.maxMessageBytes {
            throw .messageTooLarge(bytes: batch.count, limit: settings.maxMessageBytes)
        }
        if Int64(batch.count) > settings.segmentBytes {
            throw .recordListTooLarge(
                bytes: batch.count, limit: Int(clamping: settings.segmentBytes))
        }
        return header
    }

    private func checkHeader(_ header: BatchHeader) throws(AppendFailure) {
        guard header.recordCount > 0, header.lastOffsetDelta == header.recordCount - 1 else {
            throw .invalidRecord(
                "the batch has \(header.recordCount) records and a last offset delta of "
                    + "\(header.lastOffsetDelta)", records: [])
        }
        if header.producerID >= 0, header.baseSequence < 0, origin.isClient {
            throw .invalidRecord("an idempotent batch needs a sequence", records: [])
        }
        if header.producerID >= 0, header.producerEpoch < 0 {
            throw .invalidRecord("an idempotent batch needs a producer epoch", records: [])
        }
        if header.codec > 4 { throw .unsupportedCompression(codec: header.codec) }
        guard origin.isClient else { return }
        if header.isControl {
            throw .invalidRecord("clients must not send control batches", records: [])
        }
        if header.hasDeleteHorizon {
            throw .invalidRecord("clients must not set a delete horizon", records: [])
        }
        if header.isTransactional, origin == .client { throw .notInTransaction }
        if header.isTransactional, header.producerID < 0 {
            throw .invalidRecord("a transactional batch needs a producer id", records: [])
        }
        if header.usesLogAppendTime, !settings.usesLogAppendTime {
            throw .invalidTimestamp("clients must not set the log append time", records: [])
        }
        if header.baseOffset != 0 {
            throw .invalidRecord("the base offset of a new batch is 0", records: [])
        }
    }

    private func checkRecords(
        _ batch: Bytes, _ header: BatchHeader
    ) throws(AppendFailure) -> RecordBatchFacts {
        let facts: RecordBatchFacts
        do throws(DecodeFailure) {
            let view = try RecordBatchView(batch)
            if verifiesChecksums { try view.checkChecksum() }
            facts = try view.validateRecords()
        } catch {
            if case .checksum = error { throw .corruptMessage(error.description) }
            throw .invalidRecord("the records are malformed: \(error)", records: [])
        }
        if settings.isCompacted, !header.isControl, facts.firstKeyless != nil {
            let message = "a record of a compacted topic needs a key"
            throw .invalidRecord(
                message, records: try problems(in: batch) { $0.key == nil ? message : nil })
        }
        return facts
    }

    private func checkTimestamps(
        _ batch: Bytes, _ facts: RecordBatchFacts
    ) throws(AppendFailure) {
        let after = now.addingReportingOverflow(settings.timestampAfterMaxMilliseconds)
        let latest = after.overflow ? Int64.max : after.partialValue
        let before = now.subtractingReportingOverflow(settings.timestampBeforeMaxMilliseconds)
        let earliest = before.overflow ? Int64.min : before.partialValue
        guard
            facts.maxTimestamp.milliseconds > latest
                || facts.minTimestamp.milliseconds < earliest
        else { return }
        let problems = try problems(in: batch) { record in
            let time = record.timestamp.milliseconds
            guard time != -1, time > latest || time < earliest else { return nil }
            return "timestamp \(time) is out of range"
        }
        // Records without a timestamp (-1) are never too old.
        if problems.isEmpty { return }
        throw .invalidTimestamp(
            "the timestamp of a record is not between \(earliest) and \(latest)",
            records: problems)
    }

    /// Every record that `complaint` has something against: the producer takes all others for well.
    /// A cold path.
    private func problems(
        in batch: Bytes, _ complaint: (Record) -> String?
    ) throws(AppendFailure) -> [RecordProblem] {
        var problems: [RecordProblem] = []
        do throws(DecodeFailure) {
            var cursor = try RecordBatchView(batch).records()
            var index = 0
            while problems.count < Self.problemsMax, let record = try cursor.next() {
                if let message = complaint(record) {
                    problems.append(RecordProblem(index: index, message: message))
                }
                index += 1
            }
        } catch {
            throw .invalidRecord("the records are malformed: \(error)", records: [])
        }
        return problems
    }

    /// Bounds the answer to a batch of which every record is wrong.
    private static let problemsMax = 10_000
}
