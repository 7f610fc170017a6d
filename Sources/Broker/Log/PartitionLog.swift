import Base

/// The records of one partition: segments in offset order, what is durable of them, who wrote them.
///
/// Appending has three steps, so that a failure leaves nothing half-visible: `plan` decides where
/// the batch goes, `prepare` opens a new segment if there must be one, and `advance` makes it part
/// of the log once the journal has taken it. The segment's file gets it later, together with others
/// (`writeBehind`); until then readers find it in `tail`.
struct PartitionLog: Sendable {
    let topicPartition: TopicPartition
    let topicID: UUID128
    /// The partition's number in the journal; never used again in this store.
    let number: UInt32
    let disk: any Disk
    var settings = PartitionSettings()

    /// Ascending by base offset; the last one is active.
    var segments: [Segment] = []
    var logStart: Int64 = 0
    var logEnd: Int64 = 0
    var durableEnd: Int64 = 0
    /// Records below are in segment files; those above are in `tail`.
    var writtenEnd: Int64 = 0
    /// Bytes of batches that no segment file has yet.
    private(set) var unwrittenBytes = 0
    /// The journal is durable up to here; it may only refer to some batches.
    private var journalEnd: Int64 = 0
    /// Batches that only their segment holds and that were not synced yet, in order.
    private var direct: [DirectBatch] = []
    /// Readers see records below. With one replica it is the durable end.
    var highWatermark: Int64 = 0
    /// The high watermark is moved from outside.
    let isReplicated: Bool
    var leaderEpoch: Int32 = 0
    /// The leader epoch that survives a power loss.
    var durableEpoch: Int32 = 0
    var epochs = LeaderEpochCache()
    var producers = ProducerTable()
    var tail = TailCache()
    var damage: PartitionDamage?
    /// The log was cleaned below this offset.
    var cleanedUpTo: Int64 = 0
    /// Names in the directory that are not durable yet.
    var directoryIsDirty = false
    /// What the checkpoint on disk says of this partition.
    var checkpointed: PartitionCheckpoint {
        didSet { encodedCheckpoint = nil }
    }
    /// The same as it stands in the file, unless it changed since.
    private var encodedCheckpoint: Bytes?
    /// What the next checkpoint will say, once the segments are synced.
    var candidate: PartitionCheckpoint?
    let verifiesChecksums: Bool

    init(
        checkpoint: PartitionCheckpoint, disk: any Disk, verifiesChecksums: Bool = true,
        isReplicated: Bool = false
    ) {
        topicPartition = checkpoint.topicPartition
        topicID = checkpoint.topicID
        number = checkpoint.number
        self.disk = disk
        self.verifiesChecksums = verifiesChecksums
        checkpointed = checkpoint
        logStart = checkpoint.logStart
        logEnd = checkpoint.end
        durableEnd = checkpoint.durableEnd
        writtenEnd = checkpoint.end
        self.isReplicated = isReplicated
        highWatermark = isReplicated ? checkpoint.logStart : 0
        leaderEpoch = checkpoint.leaderEpoch
        durableEpoch = checkpoint.leaderEpoch
        cleanedUpTo = checkpoint.cleanedUpTo
        epochs = LeaderEpochCache(entries: checkpoint.epochs)
        producers = checkpoint.producers
        damage = checkpoint.damage
        let directory = checkpoint.topicPartition.description
        segments = checkpoint.segments.map { Segment(directory: directory, summary: $0) }
    }

    var directory: String { topicPartition.description }
    var bytes: Int64 { segments.reduce(0) { $0 + $1.bytes } }

    /// Below it every transaction has ended, where readers see it. Never falls.
    var lastStableOffset: Int64 {
        guard let unstable = producers.firstUnstableOffset else { return highWatermark }
        return min(highWatermark, max(unstable, logStart))
    }

    /// The offset behind the last record of segment `index`.
    func endOffset(ofSegment index: Int) -> Int64 {
        index + 1 < segments.count ? segments[index + 1].baseOffset : logEnd
    }

    /// What a checkpoint would say now, if every byte were durable.
    var currentCheckpoint: PartitionCheckpoint {
        var checkpoint = PartitionCheckpoint(
            topicPartition: topicPartition, topicID: topicID, number: number)
        checkpoint.logStart = logStart
        checkpoint.end = logEnd
        checkpoint.durableEnd = durableEnd
        checkpoint.cleanedUpTo = cleanedUpTo
        checkpoint.leaderEpoch = leaderEpoch
        checkpoint.segments = segments.map(\.summary)
        checkpoint.epochs = epochs.entries
        checkpoint.producers = producers
        checkpoint.damage = damage
        return checkpoint
    }

    /// Whether the checkpoint on disk says all that one made now would say. Compares the values
    /// themselves: a flag that somebody forgets to set would lose records.
    var isCheckpointed: Bool {
        guard unwrittenBytes == 0, !directoryIsDirty, checkpointed.end == logEnd,
            checkpointed.logStart == logStart, checkpointed.cleanedUpTo == cleanedUpTo,
            checkpointed.durableEnd == max(durableEnd, logEnd),
            checkpointed.leaderEpoch == leaderEpoch, checkpointed.damage == damage,
            checkpointed.epochs == epochs.entries,
            checkpointed.producers.revision == producers.revision,
            checkpointed.segments.count == segments.count
        else { return false }
        return segments.indices.allSatisfy {
            segments[$0].syncedBytes >= segments[$0].bytes
                && segments[$0].summary == checkpointed.segments[$0]
        }
    }

    /// `checkpointed` as it stands in the file.
    mutating func checkpointBytes() -> Bytes {
        if let encodedCheckpoint { return encodedCheckpoint }
        let encoded = StoreCheckpoint.encoded(checkpointed)
        encodedCheckpoint = encoded
        return encoded
    }

    // MARK: Appending

    private struct DirectBatch: Sendable {
        var baseOffset: Int64
        var segment: Int64
        /// Where it ends in the segment.
        var end: Int64
    }

    struct Plan: Sendable {
        var baseOffset: Int64
        var startsSegment: Bool
    }

    /// Where a batch of `bytes` goes, and whether it begins a new segment.
    func plan(bytes: Int, maxTimestamp: Int64, lastOffsetDelta: Int32, now: Int64) -> Plan {
        guard let active = segments.last, active.bytes > 0 else {
            return Plan(baseOffset: logEnd, startsSegment: true)
        }
        let isFull =
            active.bytes + Int64(bytes) > min(settings.segmentBytes, Int64(UInt32.max))
            || active.index.byteCount >= settings.segmentIndexBytes
            || logEnd + Int64(lastOffsetDelta) - active.baseOffset > Int64(Int32.max)
        let waited: Int64 =
            active.firstTimestamp >= 0 && maxTimestamp >= 0
            ? maxTimestamp &- active.firstTimestamp
            : (active.createdAt >= 0 ? now &- active.createdAt : 0)
        return Plan(
            baseOffset: logEnd,
            startsSegment: isFull || waited > settings.segmentMilliseconds)
    }

    /// Begins a new segment if the plan says so.
    mutating func prepare(_ plan: Plan, now: Int64) throws(StorageFailure) {
        if plan.startsSegment, segments.last?.baseOffset != logEnd { try roll(now: now) }
    }

    /// Makes a batch part of the log.
    mutating func advance(_ header: BatchHeader, _ batch: Bytes, now: Int64) {
        segments[segments.count - 1].append(
            batch, header, indexInterval: settings.indexIntervalBytes)
        unwrittenBytes += batch.count
        noteEnd(header, batch, now: now)
        tail.add(header, batch)
    }

    /// Writes a batch behind all others, of which none may wait in memory.
    mutating func writeDirectly(_ batch: Bytes) throws(StorageFailure) {
        precondition(unwrittenBytes == 0, "batches are written in order")
        try segments[segments.count - 1].write(batch, disk: disk)
    }

    /// Makes the batch that `writeDirectly` wrote part of the log. Returns what must be synced.
    mutating func advanceDirectly(
        _ header: BatchHeader, _ batch: Bytes, now: Int64
    ) -> CheckpointRun.SegmentSync {
        let last = segments.count - 1
        let from = segments[last].bytes
        note(header, batch, now: now)
        segments[last].noteVerified(from..<segments[last].bytes)
        tail.add(header, batch)
        direct.append(
            DirectBatch(
                baseOffset: header.baseOffset, segment: segments[last].baseOffset,
                end: segments[last].bytes))
        return CheckpointRun.SegmentSync(
            number: number, baseOffset: segments[last].baseOffset, bytes: segments[last].bytes)
    }

    /// Everything that a batch changes which stands in its segment file already: at recovery.
    mutating func note(_ header: BatchHeader, _ batch: Bytes, now: Int64) {
        segments[segments.count - 1].added(header, indexInterval: settings.indexIntervalBytes)
        noteEnd(header, batch, now: now)
        writtenEnd = logEnd
    }

    /// Writes everything that waits to its segments. After a failure it waits still.
    mutating func writeBehind() throws(StorageFailure) {
        guard unwrittenBytes > 0 else { return }
        // Newest first, so that the walk ends where nothing can wait.
        for index in segments.indices.reversed() {
            try segments[index].writeBehind(disk)
            if segments[index].baseOffset <= writtenEnd { break }
        }
        unwrittenBytes = 0
        writtenEnd = logEnd
    }

    private mutating func noteEnd(_ header: BatchHeader, _ batch: Bytes, now: Int64) {
        precondition(header.baseOffset >= logEnd, "offsets rise")
        logEnd = header.lastOffset + 1
        if epochs.latest != header.leaderEpoch {
            // An epoch in which this node led and wrote nothing says nothing about these records.
            epochs.truncateEnd(to: header.baseOffset)
            epochs.assign(epoch: header.leaderEpoch, start: header.baseOffset)
        }
        let marker = TransactionMarker(header, batch)
        let ended = producers.record(header, marker: marker, now: now)
        guard let ended, ended.isAborted else { return }
        segments[segments.count - 1].aborted.add(
            AbortedTransaction(
                producerID: ended.producerID, firstOffset: Offset(ended.firstOffset),
                lastOffset: Offset(ended.markerOffset),
                lastStableOffset: Offset(producers.firstOpenOffset ?? logEnd)))
    }

    /// Closes the active segment and begins a new one at the end of the log.
    mutating func roll(now: Int64) throws(StorageFailure) {
        if !segments.isEmpty { _ = try segments[segments.count - 1].trim(disk: disk) }
        let name = directory + "/" + Segment.fileName(logEnd, ".log")
        let file: any DiskFile
        if disk.exists(name) {
            // Left by a log that once reached further.
            file = try disk.open(name)
            try file.truncate(to: 0)
        } else {
            if !disk.isDirectory(directory) { try disk.makeDirectory(directory) }
            file = try disk.create(name)
        }
        directoryIsDirty = true
        segments.append(
            Segment(directory: directory, baseOffset: logEnd, file: file, createdAt: now))
    }

    /// The journal is durable up to here. Returns whether anything moved.
    mutating func durable(upTo end: Int64) -> Bool {
        journalEnd = max(journalEnd, end)
        return advanceDurableEnd()
    }

    /// A sync made the first `bytes` of a segment durable. Returns whether anything moved.
    mutating func directIsDurable(segment: Int64, bytes: Int64) -> Bool {
        guard !direct.isEmpty else { return false }
        direct.removeAll { $0.segment == segment && $0.end <= bytes }
        return advanceDurableEnd()
    }

    private mutating func advanceDurableEnd() -> Bool {
        let end = min(journalEnd, direct.first?.baseOffset ?? Int64.max)
        guard end > durableEnd else { return false }
        durableEnd = end
        if !isReplicated {
            highWatermark = end
            producers.makeVisible(below: end)
        }
        return true
    }

    var offsets: PartitionOffsets {
        PartitionOffsets(
            logStartOffset: Offset(logStart), highWatermark: Offset(highWatermark),
            lastStableOffset: Offset(lastStableOffset), durableEndOffset: Offset(durableEnd),
            logEndOffset: Offset(logEnd), leaderEpoch: LeaderEpoch(leaderEpoch))
    }

    /// Readers see everything below `offset` that is durable here. Returns whether that is more.
    mutating func raiseHighWatermark(to offset: Int64) -> Bool {
        let target = min(offset, durableEnd)
        guard target > highWatermark else { return false }
        highWatermark = target
        producers.makeVisible(below: target)
        return true
    }

    /// The log's own leader begins an epoch: batches from `start` on carry it.
    mutating func beginEpoch(_ epoch: Int32, at start: Int64) {
        leaderEpoch = max(leaderEpoch, epoch)
        epochs.assign(epoch: epoch, start: start)
    }

    // MARK: Log start

    /// Moves the log start up and forgets what lies below. Segments stay until retention.
    mutating func raiseLogStart(to offset: Int64) {
        guard offset > logStart else { return }
        logStart = offset
        if isReplicated { highWatermark = max(highWatermark, offset) }
        epochs.truncateStart(to: offset)
        producers.removeBelow(offset)
    }

    /// Removes the first `count` segments from the log; the caller deletes their files after the
    /// checkpoint that does not list them any more is durable.
    mutating func removeFirstSegments(_ count: Int) -> [Segment] {
        guard count > 0 else { return [] }
        let removed = Array(segments.prefix(count))
        segments.removeFirst(count)
        for segment in removed { unwrittenBytes -= segment.unwrittenBytes }
        let first = segments.first?.baseOffset ?? logEnd
        writtenEnd = max(writtenEnd, first)
        raiseLogStart(to: first)
        cleanedUpTo = max(cleanedUpTo, min(first, logEnd))
        checkpointed.forget(below: first, logStart: logStart)
        candidate?.forget(below: first, logStart: logStart)
        return removed
    }

    /// How many of the oldest segments retention would remove, and whether it needs the active
    /// segment to be closed first because that one has expired, too.
    func expired(now: Int64) throws(StorageFailure) -> (count: Int, rollsFirst: Bool) {
        var count = 0
        var total = bytes
        while count < segments.count {
            let segment = segments[count]
            let end = endOffset(ofSegment: count)
            guard segment.bytes > 0 || count + 1 < segments.count, end <= highWatermark else {
                break
            }
            let isBelowStart = end <= logStart && count + 1 < segments.count
            let isTooMuch =
                settings.deletesOldSegments && settings.retentionBytes >= 0
                && total - settings.retentionBytes >= segment.bytes
            var isTooOld = false
            if settings.deletesOldSegments, settings.retentionMilliseconds >= 0 {
                let newest =
                    segment.maxTimestamp >= 0
                    ? segment.maxTimestamp
                    : try disk.modificationTime(segment.logPath).milliseconds
                isTooOld = now &- newest > settings.retentionMilliseconds
            }
            guard isBelowStart || isTooMuch || isTooOld else { break }
            // By size alone the active segment is never closed early.
            if count + 1 == segments.count, !isTooOld { break }
            total -= segment.bytes
            count += 1
        }
        return (count, count > 0 && count == segments.count)
    }

    // MARK: Truncation

    /// Cuts all batches that reach `offset` or above, in memory: returns the segments whose files
    /// go, and the last one that stays is to be trimmed, once a checkpoint says so. The journal must
    /// have been made to forget them before anything else is appended.
    mutating func truncate(to offset: Int64, now: Int64) throws(StorageFailure) -> [Segment] {
        guard offset < logEnd else {
            // An epoch without records may stand at the end.
            epochs.truncateEnd(to: max(offset, 0))
            return []
        }
        precondition(unwrittenBytes == 0, "what is cut was written")
        tail.removeAll()
        var removed: [Segment] = []
        while let last = segments.last, last.baseOffset >= offset, segments.count > 1 {
            removed.append(segments.removeLast())
            directoryIsDirty = true
        }
        guard let last = segments.last else { return removed }
        var cut = last.bytes
        var end = max(last.baseOffset, logStart)
        let file = try segments[segments.count - 1].handle(disk)
        var scanner = BatchScanner(file: file, from: 0, to: last.bytes)
        while let item = try scanner.next() {
            if item.header.lastOffset >= offset {
                cut = item.position
                break
            }
            end = item.header.lastOffset + 1
        }
        try segments[segments.count - 1].forget(
            from: cut, disk: disk, indexInterval: settings.indexIntervalBytes)
        logEnd = end
        writtenEnd = end
        journalEnd = min(journalEnd, end)
        direct.removeAll()
        durableEnd = min(durableEnd, end)
        highWatermark = min(highWatermark, end)
        cleanedUpTo = min(cleanedUpTo, end)
        epochs.truncateEnd(to: end)
        try rebuildProducers(now: now)
        return removed
    }

    // MARK: Invariants

    /// `lastStableOffset ≤ highWatermark ≤ durableEnd ≤ logEnd`, `logStart ≤ logEnd`; segments rise and do not overlap; the
    /// active segment begins at or below the end; epochs rise.
    func checkInvariants() {
        guard damage == nil else { return }
        precondition(logStart <= logEnd, "the log starts before it ends")
        precondition(highWatermark <= durableEnd, "readers see durable records only")
        precondition(durableEnd <= logEnd, "what is durable was appended")
        precondition(lastStableOffset <= highWatermark, "what is stable is visible")
        producers.checkInvariants()
        precondition(
            unwrittenBytes == segments.reduce(0) { $0 + $1.unwrittenBytes },
            "what waits to be written is a sum")
        precondition(
            unwrittenBytes == 0 || tail.firstOffset <= writtenEnd,
            "what no file has is in memory")
        for index in segments.indices.dropFirst() {
            precondition(
                segments[index - 1].baseOffset < segments[index].baseOffset, "segments rise")
        }
        if let active = segments.last {
            precondition(active.baseOffset <= logEnd, "the active segment is at the end")
        }
        if isCheckpointed {
            var latest = currentCheckpoint
            latest.durableEnd = max(durableEnd, logEnd)
            precondition(
                StoreCheckpoint.encoded(latest) == StoreCheckpoint.encoded(checkpointed),
                "what is left out of a checkpoint did not change")
        }
        for index in epochs.entries.indices.dropFirst() {
            let (last, next) = (epochs.entries[index - 1], epochs.entries[index])
            precondition(last.epoch < next.epoch && last.start < next.start, "epochs rise")
        }
    }
}

extension PartitionCheckpoint {
    /// Retention removed everything below `first`.
    mutating func forget(below first: Int64, logStart newStart: Int64) {
        segments.removeAll { $0.baseOffset < first }
        end = max(end, first)
        durableEnd = max(durableEnd, first)
        logStart = max(logStart, newStart)
    }
}
