import Base
import Compression
import WireProtocol

/// Decides which records of a batch the cleaner keeps, and writes the batch anew where some go.
///
/// A rewritten batch keeps its offsets, producer fields, epoch, codec and timestamp type. The first
/// cleaning that meets a tombstone stamps the batch with a delete horizon (attribute bit 6, the
/// base timestamp); a later one drops the tombstone once that moment has passed, so a reader who
/// keeps up sees every delete.
struct BatchFilter {
    enum Outcome {
        case unchanged
        case rewritten(Bytes)
        case dropped
    }

    /// The last offset of each key below `mapEnd`.
    var map: KeyOffsetMap
    var mapEnd: Int64
    /// Wall-clock milliseconds.
    var now: Int64
    var deleteRetentionMilliseconds: Int64

    /// `isLastOfProducer`: the batch tells a live producer's last sequence and must not vanish.
    func filter(
        _ batch: Bytes, role: CleanedTransactions.Role, isLastOfProducer: Bool
    ) throws(DecodeFailure) -> Outcome {
        let view = try RecordBatchView(batch)
        let header = view.header
        let isMapped = header.lastOffset.value < mapEnd
        switch role {
        case .plain: break
        case .aborted:
            guard isMapped else { return .unchanged }
            if !isLastOfProducer { return .dropped }
            return header.recordCount == 0
                ? .unchanged : .rewritten(try rewrite(header, [], horizon: nil))
        case .marker(let hasData):
            return hasData || !isMapped
                ? .unchanged : try filterMarker(view, isLastOfProducer: isLastOfProducer)
        }
        let horizon = header.hasDeleteHorizon ? header.baseTimestamp.milliseconds : Int64.max
        var kept: [Record] = []
        var hasTombstone = false
        var cursor = try view.records()
        while let record = try cursor.next() {
            guard let key = record.key else {
                if record.offset.value >= mapEnd { kept.append(record) }
                continue
            }
            if record.offset.value < mapEnd {
                if record.offset.value < map.offset(of: key) { continue }
                if record.value == nil {
                    if now > horizon { continue }
                    hasTombstone = true
                }
            }
            kept.append(record)
        }
        let needsHorizon = hasTombstone && !header.hasDeleteHorizon
        if kept.count == Int(header.recordCount), !needsHorizon {
            return kept.isEmpty && !isLastOfProducer ? .dropped : .unchanged
        }
        if kept.isEmpty, !isLastOfProducer { return .dropped }
        let newHorizon = needsHorizon ? now &+ deleteRetentionMilliseconds : nil
        return .rewritten(try rewrite(header, kept, horizon: newHorizon))
    }

    /// A marker without records before it goes like a tombstone: stamped by one cleaning, dropped by
    /// a later one, so that a reader in the middle of the transaction sees its end.
    private func filterMarker(
        _ view: RecordBatchView, isLastOfProducer: Bool
    ) throws(DecodeFailure) -> Outcome {
        let header = view.header
        if header.recordCount == 0 { return isLastOfProducer ? .unchanged : .dropped }
        if !header.hasDeleteHorizon {
            var records: [Record] = []
            var cursor = try view.records()
            while let record = try cursor.next() { records.append(record) }
            let horizon = now &+ deleteRetentionMilliseconds
            return .rewritten(try rewrite(header, records, horizon: horizon))
        }
        guard now > header.baseTimestamp.milliseconds else { return .unchanged }
        return isLastOfProducer ? .rewritten(try rewrite(header, [], horizon: nil)) : .dropped
    }

    private func rewrite(
        _ old: RecordBatchHeader, _ records: [Record], horizon: Int64?
    ) throws(DecodeFailure) -> Bytes {
        var header = old
        header.recordCount = Int32(records.count)
        if let horizon {
            header.attributes |= RecordBatchHeader.Attribute.deleteHorizon
            header.baseTimestamp = Timestamp(milliseconds: horizon)
        }
        var writer = ByteWriter(capacity: 1024)
        var largest: Int64 = -1
        for record in records {
            largest = max(largest, record.timestamp.milliseconds)
            write(record, header, &writer)
        }
        if !records.isEmpty, !header.usesLogAppendTime {
            header.maxTimestamp = Timestamp(milliseconds: largest)
        }
        var body = writer.finish()
        if let codec = header.codec, codec != .none, !records.isEmpty {
            do throws(CodecFailure) {
                body = try codec.compress(body)
            } catch {
                throw error.decodeFailure
            }
        }
        let fixed = RecordBatchHeader.byteCount - RecordBatchHeader.prefixByteCount
        header.batchLength = Int32(fixed + body.count)
        header.crc = 0
        var batch = ByteWriter(capacity: RecordBatchHeader.byteCount + body.count)
        header.write(to: &batch)
        batch.bytes(body)
        batch.patchUInt32(batch.crc32c(from: RecordBatchHeader.checksummedFrom), at: 17)
        return batch.finish()
    }

    private func write(
        _ record: Record, _ header: RecordBatchHeader, _ writer: inout ByteWriter
    ) {
        // With log append time the deltas mean nothing, and reading gives the batch's time.
        let delta =
            header.usesLogAppendTime
            ? 0 : record.timestamp.milliseconds &- header.baseTimestamp.milliseconds
        var body = ByteWriter(
            capacity: 40 + (record.key?.count ?? 0) + (record.value?.count ?? 0)
                + record.rawHeaders.count)
        body.int8(0)
        body.varlong(delta)
        body.varint(Int32(truncatingIfNeeded: record.offset - header.baseOffset))
        for field in [record.key, record.value] {
            if let field {
                body.varint(Int32(field.count))
                body.bytes(field)
            } else {
                body.varint(-1)
            }
        }
        body.varint(Int32(record.headerCount))
        body.bytes(record.rawHeaders)
        writer.varint(Int32(body.count))
        writer.bytes(body.finish())
    }
}
