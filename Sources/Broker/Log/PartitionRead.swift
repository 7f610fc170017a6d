import Base
import WireProtocol

/// Reading a partition: by offset and by timestamp. Batches that come from a file are checked
/// against their checksum and their place before anybody sees them.
extension PartitionLog {
    /// What a read found: whole batches, and one past the last offset of them.
    struct Found: Sendable {
        var batches: [Bytes] = []
        var end: Int64
    }

    /// Whole batches from the one that contains `offset`, below `end`. With `mayLend` they may be
    /// views of a file, for sending.
    mutating func read(
        from offset: Int64, below end: Int64, maxBytes: Int, mayLend: Bool = false
    ) throws(ReadFailure) -> Found {
        guard offset < end else { return Found(end: offset) }
        if offset >= tail.firstOffset {
            return tail.batches(from: offset, below: end, maxBytes: maxBytes)
        }
        // Compaction may have removed the batches at the log start.
        guard !segments.isEmpty else { return Found(end: offset) }
        for index in (segmentIndex(containing: offset) ?? 0)..<segments.count {
            let found = try readSegment(
                index, from: offset, below: end, maxBytes: maxBytes, mayLend: mayLend)
            if let found { return found }
        }
        return Found(end: offset)
    }

    /// The last segment that begins at or below `offset`.
    private func segmentIndex(containing offset: Int64) -> Int? {
        var low = 0
        var high = segments.count
        while low < high {
            let middle = (low + high) / 2
            if segments[middle].baseOffset <= offset { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? nil : low - 1
    }

    /// nil when the segment holds nothing at `offset` or above.
    private mutating func readSegment(
        _ index: Int, from offset: Int64, below end: Int64, maxBytes: Int, mayLend: Bool = false
    ) throws(ReadFailure) -> Found? {
        do {
            try segments[index].loadIndex(
                disk: disk, indexInterval: settings.indexIntervalBytes)
            let segment = segments[index]
            let start = segment.index.position(for: offset - segment.baseOffset)
            let file = try segments[index].handle(disk)
            if mayLend, segment.verified.contains(start),
                let found = try lend(
                    file: file, index: index, from: start, offset: offset, end: end,
                    maxBytes: maxBytes)
            {
                return found
            }
            let found = try collect(
                file: file, segment: segment, index: index, from: start, offset: offset, end: end,
                maxBytes: maxBytes)
            if let found { return found }
            guard segment.unwrittenBytes > 0 else { return nil }
            let rest = tail.batches(
                from: offset, below: min(end, endOffset(ofSegment: index)), maxBytes: maxBytes)
            return rest.batches.isEmpty ? nil : rest
        } catch let failure as ReadFailure {
            throw failure
        } catch let failure as StorageFailure {
            throw noteDamage(failure, segment: index, offset: offset)
        } catch {
            throw .storage(.system(operation: "read", path: directory, code: 5))
        }
    }

    /// A view of batches that were checked before. Only headers are read: from the place that the
    /// index knows to the batch with `offset`, and from the last place that the index knows to the
    /// end of what is wanted. nil when nothing can be lent.
    private func lend(
        file: any DiskFile, index: Int, from start: Int64, offset: Int64, end: Int64,
        maxBytes: Int
    ) throws(StorageFailure) -> Found? {
        let segment = segments[index]
        let known = min(segment.verified.upperBound, segment.writtenBytes)
        let window = 4096 + BatchHeader.byteCount
        var scanner = BatchScanner(file: file, from: start, to: known, chunkBytes: window)
        var found: BatchScanner.Item?
        while let item = try scanner.next() {
            if item.header.lastOffset >= offset {
                found = item
                break
            }
        }
        guard let found, found.header.lastOffset < end else { return nil }
        var reached = scanner.position
        var next = found.header.lastOffset + 1
        let limit = min(known, found.position + Int64(max(maxBytes, 0)))
        let skip = segment.index.boundary(
            atOrBelow: min(limit, known - 1), offsetsBelow: end - segment.baseOffset)
        // Where the index leads further than the first batch, the batches between are taken unseen.
        if skip > reached {
            scanner = BatchScanner(file: file, from: skip, to: known, chunkBytes: window)
            reached = skip
            next = -1
        }
        while let item = try scanner.next() {
            if next < 0 { next = item.header.baseOffset }
            if scanner.position > limit || item.header.lastOffset >= end { break }
            reached = scanner.position
            next = item.header.lastOffset + 1
        }
        guard next > offset else { return nil }
        let bytes = try file.lend(
            at: found.position, count: Int(reached - found.position))
        guard bytes.count == Int(reached - found.position) else { return nil }
        return Found(batches: [bytes], end: next)
    }

    private mutating func collect(
        file: any DiskFile, segment: Segment, index: Int, from start: Int64, offset: Int64,
        end: Int64, maxBytes: Int
    ) throws -> Found? {
        let ahead = max(min(maxBytes, 16 << 20), BatchHeader.byteCount) + 8192
        let written = segment.writtenBytes
        guard start < written else { return nil }
        var scanner = BatchScanner(file: file, from: start, to: written, chunkBytes: ahead)
        var result: [Bytes] = []
        var reached = offset
        var verifiedFrom = start
        var verifiedTo = start
        var total = 0
        // Offset and epoch stand outside of the checksum, so they are checked against what is known:
        // batches follow each other inside their segment. Gaps are no damage: the cleaner leaves
        // them, and after a crash the log does not know everywhere where it has been.
        let segmentEnd = endOffset(ofSegment: index)
        var expected = segment.baseOffset
        while let item = try scanner.next() {
            let header = item.header
            let epoch = epochs.epoch(at: header.baseOffset)
            guard header.baseOffset >= expected, header.lastOffset < segmentEnd,
                epoch < 0 || epoch == header.leaderEpoch
            else {
                throw ReadFailure.damaged(
                    damaged(
                        segment, item.position, offset: expected,
                        "a batch with offset \(header.baseOffset) and leader epoch "
                            + "\(header.leaderEpoch) can't stand here"))
            }
            expected = item.header.lastOffset + 1
            guard item.header.lastOffset >= offset else { continue }
            if item.header.lastOffset >= end { break }
            if !result.isEmpty, total + item.header.byteCount > maxBytes { break }
            let batch = try scanner.bytes(of: item)
            if verifiesChecksums {
                let isWhole = batch.count == item.header.byteCount
                let found =
                    isWhole
                    ? BatchHeader.computedChecksum(batch, at: 0, byteCount: batch.count) : 0
                guard isWhole, found == item.header.checksum else {
                    throw ReadFailure.damaged(
                        damaged(
                            segment, item.position, offset: item.header.baseOffset,
                            "the checksum of a batch is \(hex(found)), expected "
                                + hex(item.header.checksum)))
                }
            }
            if result.isEmpty { verifiedFrom = item.position }
            result.append(batch)
            total += batch.count
            reached = item.header.lastOffset + 1
            verifiedTo = scanner.position
            if total >= maxBytes { break }
        }
        if verifiesChecksums { segments[index].noteVerified(verifiedFrom..<verifiedTo) }
        if case .broken(let position) = scanner.stop {
            throw ReadFailure.damaged(
                damaged(segment, position, offset: expected, "no whole batch begins here"))
        }
        guard result.isEmpty else { return Found(batches: result, end: reached) }
        return scanner.stop == .end ? nil : Found(end: offset)
    }

    /// Marks the partition as damaged from `offset` on.
    private mutating func damaged(
        _ segment: Segment, _ position: Int64, offset: Int64, _ detail: String
    ) -> PartitionDamage {
        let found = PartitionDamage(
            topicPartition: topicPartition, file: segment.logPath, position: position,
            firstOffset: Offset(offset), endOffset: Offset(durableEnd), detail: detail)
        damage = found
        return found
    }

    /// A file that is gone or too short is damage; other failures may pass.
    private mutating func noteDamage(
        _ failure: StorageFailure, segment index: Int, offset: Int64
    ) -> ReadFailure {
        switch failure {
        case .notFound, .corrupt:
            return .damaged(
                damaged(segments[index], 0, offset: offset, failure.description))
        default:
            return .storage(failure)
        }
    }

    /// Calls `body` with the intact batches of segment `index` from the first that reaches
    /// `offset`, below `end`, until it returns false. Returns false when `body` did.
    private mutating func walk(
        segment index: Int, from offset: Int64, below end: Int64,
        _ body: (BatchHeader, Bytes) throws(ReadFailure) -> Bool
    ) throws(ReadFailure) -> Bool {
        var next = offset
        let last = min(end, endOffset(ofSegment: index))
        while next < last,
            let found = try readSegment(index, from: next, below: end, maxBytes: 256 << 10),
            !found.batches.isEmpty
        {
            for batch in found.batches {
                guard let header = BatchHeader(batch) else { return true }
                if try !body(header, batch) { return false }
                next = header.lastOffset + 1
            }
        }
        return true
    }

    // MARK: Timestamps

    /// The first record at or above the log start, below `end`, with this timestamp or a later one.
    mutating func firstRecord(
        atOrAfter timestamp: Int64, below end: Int64
    ) throws(ReadFailure) -> TimestampedOffset? {
        let logStart = self.logStart
        let path = directory
        for index in segments.indices where segments[index].maxTimestamp >= timestamp {
            let known = try oldestCandidate(segment: index, timestamp: timestamp)
            var found: TimestampedOffset?
            _ = try walk(segment: index, from: max(known, logStart), below: end) {
                (header, batch) throws(ReadFailure) -> Bool in
                guard header.maxTimestamp >= timestamp else { return true }
                found = try searchRecords(batch, path: path) { offset, time in
                    offset >= logStart && time >= timestamp
                }
                return found == nil
            }
            if let found { return found }
        }
        return nil
    }

    private mutating func oldestCandidate(
        segment index: Int, timestamp: Int64
    ) throws(ReadFailure) -> Int64 {
        do {
            try segments[index].loadIndex(
                disk: disk, indexInterval: settings.indexIntervalBytes)
        } catch {
            throw noteDamage(error, segment: index, offset: segments[index].baseOffset)
        }
        let older = segments[index].index.relativeOffset(olderThan: timestamp)
        return segments[index].baseOffset + older + 1
    }

    /// The first record with the largest timestamp at or above the log start, below `end`.
    mutating func recordWithMaxTimestamp(
        below end: Int64
    ) throws(ReadFailure) -> TimestampedOffset? {
        let largest = segments.map(\.maxTimestamp).max() ?? -1
        guard largest >= 0 else { return nil }
        if let found = try firstRecord(atOrAfter: largest, below: end) { return found }
        // The largest is not visible yet, or lies below the log start: look at every batch.
        let logStart = self.logStart
        let path = directory
        var best: TimestampedOffset?
        for index in segments.indices {
            _ = try walk(segment: index, from: logStart, below: end) {
                (header, batch) throws(ReadFailure) -> Bool in
                var reached = best?.timestamp.milliseconds ?? -1
                guard header.maxTimestamp > reached else { return true }
                while let later = try searchRecords(
                    batch, path: path, where: { $0 >= logStart && $1 > reached })
                {
                    best = later
                    reached = later.timestamp.milliseconds
                }
                return true
            }
        }
        return best
    }
}

/// The first record of an intact batch that meets the condition on its offset and timestamp.
private func searchRecords(
    _ batch: Bytes, path: String, where isWanted: (Int64, Int64) -> Bool
) throws(ReadFailure) -> TimestampedOffset? {
    do {
        let view = try RecordBatchView(batch)
        var cursor = try view.records()
        while let record = try cursor.next() {
            guard isWanted(record.offset.value, record.timestamp.milliseconds) else { continue }
            return TimestampedOffset(
                offset: record.offset, timestamp: record.timestamp,
                leaderEpoch: view.header.partitionLeaderEpoch)
        }
        return nil
    } catch {
        let detail = "an intact batch can't be decoded: \(error)"
        throw .storage(.corrupt(path: path, position: 0, detail: detail))
    }
}
