import Base
import Compression

/// All partition logs and the commit journal of one data directory. One caller at a time changes
/// it (the node's loop); it reaches the world only through the `Disk` it was given.
///
/// An append is visible to readers, and may be acknowledged, when `syncCompleted` says so. The
/// driver's part: after appends and after `maintain` call `beginSync`; sync the file it names off
/// the loop; hand the outcome to `syncCompleted`; call `beginSync` again. Call `maintain` at
/// `nextDeadline`.
package struct LogStore: Sendable {
    /// An append whose journal frame waits for a sync.
    private struct PendingAppend: Sendable {
        var sequence: UInt64
        var number: UInt32
        var end: Int64
        /// A leader epoch that begins, or -1.
        var epoch: Int32 = -1
    }

    let disk: any Disk
    let configuration: LogStoreConfiguration
    /// In no particular order; found through `slots`.
    var logs: [PartitionLog] = []
    /// Looked up only, never iterated.
    var slots: [TopicPartition: Int] = [:]
    var slotsByNumber: [UInt32: Int] = [:]
    var journal: CommitJournal
    /// Replay begins here according to the checkpoint on disk.
    var replayFrom: UInt64 = 1
    var nextNumber: UInt32 = 1
    var checkpointRun: CheckpointRun?
    var cleanerRun: CleanerRun?
    var scrubRun: ScrubRun?
    var schedule: MaintenanceSchedule
    var doomed: [DoomedFile] = []
    var bytesSinceCheckpoint: Int64 = 0
    /// Set when the store can't go on; nothing is appended or made durable afterwards.
    package private(set) var haltReason: Problem?
    private(set) var figures = LogStoreStatistics()

    private var openJournalSync: (ticket: SyncTicket, endSequence: UInt64)?
    private var openSegmentSync: OpenSegmentSync?
    /// Segments with batches that the journal only refers to.
    private var directSyncs: [CheckpointRun.SegmentSync] = []
    private var lastTicket: UInt64 = 0
    private var pending = Fifo<PendingAppend>()
    /// Partitions whose durable end no frame in the journal tells yet.
    private var untold: [UInt32] = []
    private var tailOrder = Fifo<(number: UInt32, bytes: Int)>()
    private var tailBytes = 0
    /// Bytes of batches that no segment file has yet, at most; they also count against free space.
    private var unwrittenBytes: Int64 = 0
    /// Partitions with enough unwritten bytes to be worth a write.
    private var writeBehindQueue: [UInt32] = []
    private var spaceLeft: Int64 = 0

    init(
        disk: any Disk, configuration: LogStoreConfiguration, identity: UInt64, now: Now
    ) {
        self.disk = disk
        self.configuration = configuration
        journal = CommitJournal(disk: disk, configuration: configuration, identity: identity)
        schedule = MaintenanceSchedule(configuration: configuration, now: now.monotonic)
    }

    // MARK: Queries

    /// Every partition, in ascending order.
    package var partitions: [TopicPartition] { logs.map(\.topicPartition).sorted() }

    /// Free bytes of the volume and its size, -1 where that is unknown.
    package var diskSpace: (free: Int64, total: Int64) { (disk.freeBytes, disk.totalBytes) }

    package func topicID(of partition: TopicPartition) -> UUID128? {
        slots[partition].map { logs[$0].topicID }
    }

    package func settings(of partition: TopicPartition) -> PartitionSettings? {
        slots[partition].map { logs[$0].settings }
    }

    package func damage(of partition: TopicPartition) -> PartitionDamage? {
        slots[partition].flatMap { logs[$0].damage }
    }

    package func offsets(of partition: TopicPartition) -> PartitionOffsets? {
        // Asked of the log itself: field by field from here, each would be taken from a copy of it.
        slots[partition].map { logs[$0].offsets }
    }

    /// The bytes of all segments: a sum over them.
    package func bytes(of partition: TopicPartition) -> Int64? {
        slots[partition].map { logs[$0].bytes }
    }

    /// Records below survive a power loss.
    package func durableEnd(of partition: TopicPartition) -> Offset? {
        slots[partition].map { Offset(logs[$0].durableEnd) }
    }

    package var statistics: LogStoreStatistics {
        var result = figures
        result.partitions = logs.count
        result.damagedPartitions = logs.count { $0.damage != nil }
        result.logBytes = logs.reduce(0) { $0 + $1.bytes }
        return result
    }

    // MARK: Partitions

    /// Creates empty logs, durably, all or (after a crash) none. An existing one is an error.
    package mutating func create(
        _ partitions: [NewPartition], now: Now
    ) throws(StorageFailure) {
        try requireRunning()
        for new in partitions {
            let name = new.topicPartition
            if slots[name] != nil { throw .alreadyExists(path: name.description) }
            let isSafe = !name.topic.isEmpty && !name.topic.contains("/") && name.partition >= 0
            guard isSafe else {
                throw .system(operation: "create", path: name.description, code: 22)
            }
        }
        var created: [PartitionLog] = []
        for new in partitions {
            let checkpoint = PartitionCheckpoint(
                topicPartition: new.topicPartition, topicID: new.topicID, number: nextNumber)
            nextNumber += 1
            var log = makeLog(checkpoint)
            log.settings = new.settings
            try disk.makeDirectory(log.directory)
            try PartitionMetadata(log).write(disk: disk, directory: log.directory)
            log.directoryIsDirty = true
            created.append(log)
        }
        let before = logs.count
        for log in created { add(log) }
        do {
            try writeCheckpoint()
        } catch {
            while logs.count > before { remove(slot: logs.count - 1) }
            throw error
        }
    }

    /// Removes the logs, durably. Unknown ones are ignored.
    package mutating func delete(
        _ partitions: [TopicPartition], now: Now
    ) throws(StorageFailure) {
        try requireRunning()
        var removed: [PartitionLog] = []
        for name in partitions {
            guard let slot = slots[name] else { continue }
            if cleanerRun?.number == logs[slot].number { abandonCleaning() }
            removed.append(logs[slot])
            remove(slot: slot)
        }
        guard !removed.isEmpty else { return }
        do {
            try writeCheckpoint()
        } catch {
            for log in removed { add(log) }
            throw error
        }
        // The checkpoint has forgotten them: what follows is cleaning up, and is done again at the
        // next start if it fails.
        for var log in removed {
            for index in log.segments.indices { log.segments[index].closeHandle() }
            do {
                try disk.makeDirectory(DoomedFile.directory)
                let tree = DoomedFile.directory + "/" + String(log.number)
                try disk.rename(log.directory, to: tree)
                doomed.append(DoomedFile(path: tree, isTree: true, deadline: now.monotonic))
            } catch {
                doomed.append(
                    DoomedFile(path: log.directory, isTree: true, deadline: now.monotonic))
            }
        }
    }

    package mutating func configure(
        _ partition: TopicPartition, settings: PartitionSettings
    ) {
        guard let slot = slots[partition] else { return }
        logs[slot].settings = settings
    }

    /// The epoch that following appends carry; it only rises.
    package mutating func raiseLeaderEpoch(
        of partition: TopicPartition, to epoch: LeaderEpoch
    ) {
        guard let slot = slots[partition] else { return }
        logs[slot].leaderEpoch = max(logs[slot].leaderEpoch, epoch.value)
    }

    func makeLog(_ checkpoint: PartitionCheckpoint) -> PartitionLog {
        PartitionLog(
            checkpoint: checkpoint, disk: disk,
            verifiesChecksums: configuration.planted != .skipChecksum,
            isReplicated: configuration.isReplicated)
    }

    mutating func add(_ log: PartitionLog) {
        slots[log.topicPartition] = logs.count
        slotsByNumber[log.number] = logs.count
        unwrittenBytes += Int64(log.unwrittenBytes)
        logs.append(log)
    }

    mutating func remove(slot: Int) {
        unwrittenBytes -= Int64(logs[slot].unwrittenBytes)
        slots[logs[slot].topicPartition] = nil
        slotsByNumber[logs[slot].number] = nil
        logs.swapAt(slot, logs.count - 1)
        logs.removeLast()
        guard slot < logs.count else { return }
        slots[logs[slot].topicPartition] = slot
        slotsByNumber[logs[slot].number] = slot
    }

    // MARK: Append

    /// Appends one record batch, whose base offset and leader epoch are set here: one pass of
    /// checks, one copy in memory. The journal gets it with the others of its group when the next
    /// sync begins, the segment with its neighbours when they are worth a write.
    ///
    /// `isOwned`: nobody reads the bytes of `batch` any more, so that they may be changed in place.
    package mutating func append(
        _ batch: Bytes, to partition: TopicPartition, origin: AppendOrigin = .client,
        isOwned: Bool = false, now: Now
    ) throws(AppendFailure) -> AppendResult {
        guard haltReason == nil else { throw .halted }
        guard let slot = slots[partition] else { throw .unknownPartition }
        if let damage = logs[slot].damage { throw .damaged(damage) }
        let wall = now.timestamp.milliseconds
        var batch = batch
        var validated = try BatchValidation(
            settings: logs[slot].settings, origin: origin, now: wall,
            verifiesChecksums: configuration.planted != .skipChecksum
        ).validate(batch)
        // Markers are checked where they are made.
        let verdict: ProducerTable.Verdict =
            validated.header.isControl
            ? .append
            : try logs[slot].producers.check(validated.header, bumpsEpochs: origin.bumpsEpochs)
        if case .duplicate(let baseOffset, let lastOffset) = verdict {
            return result(slot, validated, baseOffset, lastOffset, isDuplicate: true)
        }
        if let stored = logs[slot].settings.storedCodec,
            Int(stored.codec.rawValue) != validated.header.codec, !validated.header.isControl
        {
            batch = try recompressed(batch, as: stored, settings: logs[slot].settings)
            guard let header = BatchHeader(batch) else {
                throw .corruptMessage("the batch could not be compressed again")
            }
            validated.header = header
        }
        guard batch.count <= journal.payloadBytesMax else {
            throw .recordListTooLarge(bytes: batch.count, limit: journal.payloadBytesMax)
        }
        return try take(
            batch, validated, isOwned: isOwned, slot, mayUseReserve: origin == .node, now: now)
    }

    /// Puts a batch behind the others. `mayUseReserve`: when clients' records are refused already.
    mutating func take(
        _ batch: Bytes, _ validated: ValidatedBatch, isOwned: Bool, _ slot: Int,
        mayUseReserve: Bool = false, now: Now
    ) throws(AppendFailure) -> AppendResult {
        let wall = now.timestamp.milliseconds
        guard hasRoom(for: 2 * batch.count, mayUseReserve: mayUseReserve) else {
            throw .noSpace
        }
        try makeRoomInMemory()
        let isDirect = batch.count >= configuration.directFromBytes
        let place = try reserve(payload: isDirect ? 0 : batch.count, now: now)
        let plan = logs[slot].plan(
            bytes: batch.count, maxTimestamp: validated.maxTimestamp,
            lastOffsetDelta: validated.header.lastOffsetDelta, now: wall)
        do {
            try logs[slot].prepare(plan, now: wall)
        } catch {
            throw appendFailure(error)
        }
        var header: BatchHeader
        if isDirect {
            header = try appendDirectly(batch, validated, isOwned: isOwned, slot, plan, place, wall)
        } else {
            header = finalHeader(validated, slot, plan)
            let (frame, stored) = Self.makeFrame(
                batch, &header, over: validated.header, framing(slot, plan, place),
                inPlace: mayStampInPlace(batch, isOwned))
            journal.commit(frame, at: place)
            logs[slot].advance(header, stored, now: wall)
        }
        remember(slot, header, place)
        return result(slot, validated, header.baseOffset, header.lastOffset, isDuplicate: false)
    }

    private func result(
        _ slot: Int, _ validated: ValidatedBatch, _ baseOffset: Int64, _ lastOffset: Int64,
        isDuplicate: Bool
    ) -> AppendResult {
        AppendResult(
            baseOffset: Offset(baseOffset), lastOffset: Offset(lastOffset),
            logAppendTime: Timestamp(milliseconds: validated.appendTime ?? -1),
            logStartOffset: Offset(logs[slot].logStart), isDuplicate: isDuplicate,
            recordCount: Int(validated.header.recordCount),
            needsSync: !logs[slot].settings.acknowledgesBeforeSync)
    }

    private static let padding = Bytes([UInt8](repeating: 0, count: 8))

    /// What a frame says beside its batch. A value of its own: closures that hold the store make
    /// a copy of all of it.
    private struct Framing {
        var identity: UInt64
        var place: CommitJournal.Slot
        var number: UInt32
        var durableEnd: Int64
        var startsSegment: Bool
        /// Where the log ends.
        var logEnd: Int64

        func header(
            _ kind: JournalFrameHeader.Kind, _ batch: BatchHeader,
            payload: UnsafeMutableRawBufferPointer
        ) -> JournalFrameHeader {
            JournalFrameHeader(
                payloadLength: payload.count,
                payloadChecksum: JournalFrameHeader.payloadChecksum(
                    UnsafeRawBufferPointer(payload), kind: kind),
                identity: identity, generation: place.generation, sequence: place.sequence,
                baseOffset: batch.baseOffset, lastOffset: batch.lastOffset,
                partitionDurableEnd: durableEnd, partitionNumber: number,
                leaderEpoch: batch.leaderEpoch, kind: kind, startsSegment: startsSegment,
                gap: UInt32(clamping: batch.baseOffset - logEnd))
        }
    }

    private func framing(
        _ slot: Int, _ plan: PartitionLog.Plan, _ place: CommitJournal.Slot
    ) -> Framing {
        Framing(
            identity: journal.identity, place: place, number: logs[slot].number,
            durableEnd: logs[slot].durableEnd, startsSegment: plan.startsSegment,
            logEnd: logs[slot].logEnd)
    }

    /// The journal frame with the batch in its final form as payload: one piece of memory serves
    /// journal, segment and readers of the tail.
    private static func makeFrame(
        _ batch: Bytes, _ header: inout BatchHeader, over received: BatchHeader,
        _ framing: Framing, inPlace: Bool
    ) -> (frame: [Bytes], batch: Bytes) {
        let start = JournalFrameHeader.byteCount
        let padded = JournalFrameHeader.paddedByteCount(payload: batch.count)
        if inPlace {
            let bytes = batch.withOwnedBytes { payload in
                stamp(payload, &header, over: received)
                return Bytes(count: start) { target in
                    framing.header(.batch, header, payload: payload).write(into: target)
                }
            }
            let rest = padded - start - batch.count
            return (rest == 0 ? [bytes, batch] : [bytes, batch, padding[0..<rest]], batch)
        }
        let end = start + batch.count
        let frame = Bytes(count: padded) { target in
            let payload = UnsafeMutableRawBufferPointer(rebasing: target[start..<end])
            batch.withUnsafeBytes { payload.copyMemory(from: $0) }
            for index in end..<padded { target[index] = 0 }
            stamp(payload, &header, over: received)
            framing.header(.batch, header, payload: payload).write(into: target)
        }
        return ([frame], frame[start..<end])
    }

    /// Writes a large batch to its segment now, behind what waits there, and a reference to it into
    /// the journal. The partition's durable end passes it when both were synced.
    private mutating func appendDirectly(
        _ batch: Bytes, _ validated: ValidatedBatch, isOwned: Bool, _ slot: Int,
        _ plan: PartitionLog.Plan, _ place: CommitJournal.Slot, _ wall: Int64
    ) throws(AppendFailure) -> BatchHeader {
        var header = finalHeader(validated, slot, plan)
        let stored = mayStampInPlace(batch, isOwned) ? batch : batch.withUnsafeBytes { Bytes($0) }
        stored.withOwnedBytes { Self.stamp($0, &header, over: validated.header) }
        do {
            try writeBehind(slot)
            try makeNameDurable(slot)
            try logs[slot].writeDirectly(stored)
        } catch {
            throw appendFailure(error)
        }
        let nothing = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        let reference = framing(slot, plan, place).header(.reference, header, payload: nothing)
        let frame = Bytes(count: JournalFrameHeader.byteCount) { reference.write(into: $0) }
        journal.commit([frame], at: place)
        let sync = logs[slot].advanceDirectly(header, stored, now: wall)
        // One sync of a segment covers everything that was written to it before.
        if !directSyncs.contains(where: {
            $0.number == sync.number && $0.baseOffset == sync.baseOffset
        }) {
            directSyncs.append(sync)
        }
        return header
    }

    /// Nobody but the segment has a direct batch, so the file itself must not get lost: once for
    /// each segment that gets one.
    private mutating func makeNameDurable(_ slot: Int) throws(StorageFailure) {
        let last = logs[slot].segments.count - 1
        guard !logs[slot].segments[last].nameIsDurable else { return }
        try syncDirectory(of: logs[slot])
        logs[slot].segments[last].nameIsDurable = true
    }

    /// A small part must not keep a large request in memory.
    private func mayStampInPlace(_ batch: Bytes, _ isOwned: Bool) -> Bool {
        isOwned && batch.count >= configuration.stampInPlaceFromBytes
            && batch.count >= batch.storage.count / 2
    }

    private func finalHeader(
        _ validated: ValidatedBatch, _ slot: Int, _ plan: PartitionLog.Plan
    ) -> BatchHeader {
        var header = validated.header
        if validated.isCopy { return header }
        header.baseOffset = plan.baseOffset
        header.leaderEpoch = logs[slot].leaderEpoch
        header.maxTimestamp = validated.maxTimestamp
        if validated.appendTime != nil { header.attributes |= 8 }
        return header
    }

    /// Puts what the log decides into the header of a batch.
    private static func stamp(
        _ payload: UnsafeMutableRawBufferPointer, _ header: inout BatchHeader,
        over received: BatchHeader
    ) {
        payload.storeBytes(of: header.baseOffset.bigEndian, as: Int64.self)
        payload.storeBytes(of: header.leaderEpoch.bigEndian, toByteOffset: 12, as: Int32.self)
        guard
            header.attributes != received.attributes
                || header.maxTimestamp != received.maxTimestamp
        else { return }
        payload.storeBytes(of: header.attributes.bigEndian, toByteOffset: 21, as: Int16.self)
        payload.storeBytes(of: header.maxTimestamp.bigEndian, toByteOffset: 35, as: Int64.self)
        let covered = payload[BatchHeader.checksummedFrom...]
        header.checksum = crc32c(UnsafeRawBufferPointer(rebasing: covered))
        payload.storeBytes(of: header.checksum.bigEndian, toByteOffset: 17, as: UInt32.self)
    }

    private mutating func remember(
        _ slot: Int, _ header: BatchHeader, _ place: CommitJournal.Slot
    ) {
        let number = logs[slot].number
        pending.append(
            PendingAppend(sequence: place.sequence, number: number, end: logs[slot].logEnd))
        figures.appendedBytes += Int64(header.byteCount)
        figures.appendedRecords += Int64(header.recordCount)
        bytesSinceCheckpoint += Int64(header.byteCount)
        spaceLeft -= Int64(header.byteCount)
        tailOrder.append((number, header.byteCount))
        tailBytes += header.byteCount
        if configuration.planted == .acknowledgeBeforeSync {
            _ = logs[slot].durable(upTo: logs[slot].logEnd)
        }
        let waiting = logs[slot].unwrittenBytes
        guard waiting > 0 else { return }
        unwrittenBytes += Int64(header.byteCount)
        if waiting >= Self.writeBehindBytes, waiting - header.byteCount < Self.writeBehindBytes {
            writeBehindQueue.append(number)
        }
    }

    /// A node could not even start on a full disk, or delete, if its own records found no room: they
    /// may use half of the reserve.
    private mutating func hasRoom(for bytes: Int, mayUseReserve: Bool = false) -> Bool {
        if spaceLeft < Int64(bytes) + (1 << 20) {
            spaceLeft = disk.freeBytes - configuration.reserveBytes - unwrittenBytes
        }
        let more = mayUseReserve ? configuration.reserveBytes / 2 : 0
        return spaceLeft + more >= Int64(bytes)
    }

    // MARK: Memory

    /// So many unwritten bytes of one partition are written in one call before a checkpoint asks.
    private static let writeBehindBytes = 1 << 20
    /// Frames that wait longer than this for a sync are written while it runs.
    private static let queuedFrameBytesMax = 4 << 20

    /// Drops the oldest batches from memory until the rest fits, writing those first that are in no
    /// segment yet. That bounds memory: appends wait for the disk here when it can't keep up.
    private mutating func makeRoomInMemory() throws(AppendFailure) {
        do {
            if journal.queuedBytes > Self.queuedFrameBytesMax { try journal.writeQueued() }
            while tailBytes > configuration.tailCacheBytes, let oldest = tailOrder.first {
                if let slot = slotsByNumber[oldest.number] {
                    if logs[slot].tail.oldestLastOffset >= logs[slot].writtenEnd {
                        try writeBehind(slot)
                    }
                    logs[slot].tail.removeOldest()
                }
                tailBytes -= oldest.bytes
                _ = tailOrder.removeFirst()
            }
        } catch {
            throw appendFailure(error)
        }
    }

    mutating func writeBehind(_ slot: Int) throws(StorageFailure) {
        let waiting = logs[slot].unwrittenBytes
        guard waiting > 0 else { return }
        try logs[slot].writeBehind()
        unwrittenBytes -= Int64(waiting)
    }

    /// Whether partitions have enough unwritten bytes for a write.
    var wantsToWriteBehind: Bool { !writeBehindQueue.isEmpty }

    /// Writes what partitions have gathered, about `budgetBytes` of it.
    mutating func stepWriteBehind(budgetBytes: Int) throws(StorageFailure) {
        var left = budgetBytes
        while left > 0, let number = writeBehindQueue.last {
            if let slot = slotsByNumber[number] {
                left -= logs[slot].unwrittenBytes
                try writeBehind(slot)
            }
            writeBehindQueue.removeLast()
        }
    }

    /// Bytes that waited to be written are gone with their segments.
    mutating func forgetUnwritten(_ bytes: Int) { unwrittenBytes -= Int64(bytes) }

    /// The free space has changed by more than appends: ask the disk again.
    package mutating func forgetSpaceLeft() { spaceLeft = 0 }

    mutating func appendFailure(_ failure: StorageFailure) -> AppendFailure {
        switch failure {
        case .noSpace:
            spaceLeft = 0
            return .noSpace
        default:
            // What reached the disk is unknown; only reading it again can tell.
            halt("a write of the log failed: \(failure)")
            return .storage(failure)
        }
    }

    /// Room in the journal: in the active file, the next free one, a new one, or, when segments
    /// lag behind by the whole ring, after a checkpoint made here and now.
    mutating func reserve(
        payload: Int, now: Now
    ) throws(AppendFailure) -> CommitJournal.Slot {
        if let place = journal.reserve(payload: payload) { return place }
        do {
            if journal.canGrow, hasRoom(for: Int(journal.growthBytes)) {
                try journal.growNow()
                spaceLeft -= journal.growthBytes
            } else {
                try checkpointNow(now)
            }
        } catch {
            throw appendFailure(error)
        }
        if let place = journal.reserve(payload: payload) { return place }
        throw .journalFull
    }

    /// Writes down which durable ends rose with the last sync, so that the next one makes that
    /// durable, too: whatever was acknowledged before a sync began is proven once it is done.
    private mutating func tellDurableEnds() {
        guard !untold.isEmpty else { return }
        defer { untold.removeAll(keepingCapacity: true) }
        let ends = untold.compactMap { number in
            slotsByNumber[number].map { (number: number, end: logs[$0].durableEnd) }
        }
        let payload = DurableNote(durableSequence: journal.durableSequence, ends: ends).encoded()
        guard let place = journal.reserve(payload: payload.count) else { return }
        let start = JournalFrameHeader.byteCount
        let padded = JournalFrameHeader.paddedByteCount(payload: payload.count)
        let frame = Bytes(count: padded) { target in
            let end = start + payload.count
            let body = UnsafeMutableRawBufferPointer(rebasing: target[start..<end])
            payload.withUnsafeBytes { body.copyMemory(from: $0) }
            for index in end..<padded { target[index] = 0 }
            let header = JournalFrameHeader(
                payloadLength: payload.count, payloadChecksum: crc32c(payload),
                identity: journal.identity, generation: place.generation,
                sequence: place.sequence, baseOffset: -1, lastOffset: -1, partitionDurableEnd: -1,
                partitionNumber: 0, leaderEpoch: -1, kind: .durableNote, startsSegment: false)
            header.write(into: target)
        }
        journal.commit([frame], at: place)
    }

    // MARK: Sync

    /// What to make durable next; nil when nothing waits that is not under way. Call it until it
    /// says nil: one sync of the journal and one of a segment may be open at a time, so that a
    /// checkpoint does not hold up acknowledgements.
    package mutating func beginSync() -> SyncRequest? {
        guard haltReason == nil else { return nil }
        if openJournalSync == nil, journal.hasUnsynced {
            tellDurableEnds()
            do {
                try journal.writeQueued()
            } catch {
                halt("a write of the journal failed: \(error)")
                return nil
            }
            if let next = journal.nextSync() {
                let request = open(.journal, file: next.file)
                openJournalSync = (request.ticket, next.endSequence)
                return request
            }
        }
        return openSegmentSync == nil ? beginSegmentSync() : nil
    }

    /// Writes the frames that wait for the next sync, so that at least the end of this process
    /// can't take back what is acknowledged before it: for partitions that ask for no more.
    package mutating func writeJournal() -> Problem? {
        if let haltReason { return haltReason }
        do {
            try journal.writeQueued()
            return nil
        } catch {
            return halt("a write of the journal failed: \(error)")
        }
    }

    private mutating func beginSegmentSync() -> SyncRequest? {
        while var next = directSyncs.first {
            directSyncs.removeFirst()
            guard let slot = slotsByNumber[next.number],
                let index = logs[slot].segments.lastIndex(where: {
                    $0.baseOffset == next.baseOffset
                })
            else { continue }
            next.bytes = logs[slot].segments[index].writtenBytes
            return begin(next, slot: slot, index: index)
        }
        guard checkpointRun?.nextWrite == nil else { return nil }
        while let next = checkpointRun?.nextSegment {
            guard let slot = slotsByNumber[next.number],
                let index = logs[slot].segments.firstIndex(where: {
                    $0.baseOffset == next.baseOffset
                })
            else {
                // Deleted in the meantime.
                checkpointRun?.segmentIsDone()
                continue
            }
            return begin(next, slot: slot, index: index)
        }
        return nil
    }

    private mutating func begin(
        _ sync: CheckpointRun.SegmentSync, slot: Int, index: Int
    ) -> SyncRequest? {
        do {
            let request = open(.segments, file: try logs[slot].segments[index].handle(disk))
            openSegmentSync = OpenSegmentSync(
                ticket: request.ticket, segment: sync, file: request.file)
            return request
        } catch {
            halt("a segment can't be made durable: \(error)")
            return nil
        }
    }

    private mutating func open(_ lane: SyncLane, file: any DiskFile) -> SyncRequest {
        lastTicket += 1
        return SyncRequest(ticket: SyncTicket(lastTicket), lane: lane, file: file)
    }

    /// The segments of a partition are changed: the outcome of a sync of one of them that is under way says
    /// nothing any more. Batches of other partitions may wait for one of theirs.
    mutating func forgetSegmentSync(of number: UInt32) {
        if openSegmentSync?.segment.number == number { openSegmentSync?.file = nil }
    }

    /// Whether the sync was one of a file that is still in the log. Deletion, retention and the
    /// cleaner close files while a sync of them waits for its turn; that it then fails is no fault
    /// of the disk.
    private func isStillMeant(_ sync: OpenSegmentSync) -> Bool {
        guard let file = sync.file, let slot = slotsByNumber[sync.segment.number] else {
            return false
        }
        return logs[slot].segments.contains {
            $0.baseOffset == sync.segment.baseOffset && $0.isOpen(as: file)
        }
    }

    /// The answer to `beginSync`. A failure is final: after a failed sync the system may have
    /// dropped the bytes and still show them, so only a restart that reads the disk can tell.
    package mutating func syncCompleted(
        _ ticket: SyncTicket, failure: StorageFailure?
    ) -> SyncOutcome {
        let journalSync = openJournalSync?.ticket == ticket ? openJournalSync : nil
        let segmentSync = openSegmentSync?.ticket == ticket ? openSegmentSync : nil
        guard journalSync != nil || segmentSync != nil else { return .advanced([]) }
        if let haltReason { return .halt(haltReason) }
        if let segmentSync, !isStillMeant(segmentSync) {
            openSegmentSync = nil
            return .advanced([])
        }
        if let failure, configuration.planted != .ignoreSyncError {
            return .halt(halt("a sync failed: \(failure)"))
        }
        if let segmentSync {
            openSegmentSync = nil
            return .advanced(segmentIsDurable(segmentSync.segment))
        }
        guard let journalSync else { return .advanced([]) }
        openJournalSync = nil
        figures.journalSyncs += 1
        return .advanced(journalIsDurable(below: journalSync.endSequence))
    }

    private mutating func journalIsDurable(below endSequence: UInt64) -> [DurableAdvance] {
        journal.synced(below: endSequence)
        var moved: [UInt32] = []
        var knownMoved: Set<UInt32> = []
        while let first = pending.first, first.sequence < endSequence {
            _ = pending.removeFirst()
            guard let slot = slotsByNumber[first.number] else { continue }
            var didMove = logs[slot].durable(upTo: min(first.end, logs[slot].logEnd))
            if first.epoch > logs[slot].durableEpoch {
                logs[slot].durableEpoch = first.epoch
                didMove = true
            }
            let wasAcknowledged = configuration.planted == .acknowledgeBeforeSync
            if didMove || wasAcknowledged, knownMoved.insert(first.number).inserted {
                moved.append(first.number)
            }
        }
        for number in moved where !untold.contains(number) { untold.append(number) }
        return moved.compactMap { number in slotsByNumber[number].map(advance) }
            .sorted { $0.topicPartition < $1.topicPartition }
    }

    private func advance(_ slot: Int) -> DurableAdvance {
        DurableAdvance(
            topicPartition: logs[slot].topicPartition,
            durableEndOffset: Offset(logs[slot].durableEnd),
            highWatermark: Offset(logs[slot].highWatermark),
            durableLeaderEpoch: LeaderEpoch(logs[slot].durableEpoch))
    }

    /// Takes note of a frame that begins a leader epoch.
    mutating func remember(epoch: Int32, of slot: Int, at place: CommitJournal.Slot) {
        pending.append(
            PendingAppend(
                sequence: place.sequence, number: logs[slot].number, end: logs[slot].logEnd,
                epoch: epoch))
        bytesSinceCheckpoint += 1
    }

    private mutating func segmentIsDurable(
        _ sync: CheckpointRun.SegmentSync
    ) -> [DurableAdvance] {
        var advances: [DurableAdvance] = []
        if let slot = slotsByNumber[sync.number],
            let index = logs[slot].segments.firstIndex(where: {
                $0.baseOffset == sync.baseOffset
            })
        {
            let known = logs[slot].segments[index].syncedBytes
            logs[slot].segments[index].syncedBytes = max(known, sync.bytes)
            if logs[slot].directIsDurable(segment: sync.baseOffset, bytes: sync.bytes) {
                if !untold.contains(sync.number) { untold.append(sync.number) }
                advances.append(advance(slot))
            }
        }
        if checkpointRun?.nextSegment == sync { checkpointRun?.segmentIsDone() }
        return advances
    }

    /// Every append so far is durable in segments: nothing waits for the journal any more.
    mutating func countCheckpoint() { figures.checkpoints += 1 }
    mutating func countCleaning() { figures.cleanings += 1 }
    mutating func countScrub(bytes: Int64 = 0, rounds: Int64 = 0, damaged: Int64 = 0) {
        figures.scrubbedBytes += bytes
        figures.scrubRounds += rounds
        figures.scrubDamages += damaged
    }

    /// Forgets appends of a partition that was truncated.
    mutating func forgetPending(number: UInt32) {
        pending.removeAll { $0.number == number }
        directSyncs.removeAll { $0.number == number }
    }

    // MARK: Read

    /// Whole batches from the one that contains `offset` (or the next, where compaction left a
    /// gap) up to the high watermark: at most `maxBytes`, but at least one batch if there is one.
    ///
    /// `mayLend`: the batches are sent and not looked at, so they may still lie in their file.
    package mutating func read(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int,
        isolation: Isolation = .readUncommitted, mayLend: Bool = false
    ) throws(ReadFailure) -> ReadOutcome {
        let slot = try readable(partition)
        let (logStart, logEnd) = (logs[slot].logStart, logs[slot].logEnd)
        let highWatermark = logs[slot].highWatermark
        guard offset.value >= logStart, offset.value <= logEnd else {
            throw .offsetOutOfRange(
                requested: offset, logStartOffset: Offset(logStart),
                logEndOffset: Offset(logEnd))
        }
        let lastStable = logs[slot].lastStableOffset
        let end = logs[slot].visibleEnd(isolation)
        let found = try logs[slot].read(
            from: offset.value, below: end, maxBytes: maxBytes, mayLend: mayLend)
        var outcome = ReadOutcome(
            batches: found.batches, bytes: found.batches.reduce(0) { $0 + $1.count },
            logStartOffset: Offset(logStart), highWatermark: Offset(highWatermark),
            lastStableOffset: Offset(lastStable))
        if isolation == .readCommitted, !found.batches.isEmpty {
            outcome.aborted = try logs[slot].abortedTransactions(
                from: offset.value, below: found.end)
        }
        return outcome
    }

    /// The first record, in offset order, whose timestamp is `timestamp` or later; nil when none.
    package mutating func firstOffset(
        in partition: TopicPartition, atOrAfter timestamp: Timestamp,
        isolation: Isolation = .readUncommitted
    ) throws(ReadFailure) -> TimestampedOffset? {
        let slot = try readable(partition)
        return try logs[slot].firstRecord(
            atOrAfter: timestamp.milliseconds, below: logs[slot].visibleEnd(isolation))
    }

    /// The first record with the largest timestamp; nil when the log is empty.
    package mutating func offsetOfMaxTimestamp(
        in partition: TopicPartition, isolation: Isolation = .readUncommitted
    ) throws(ReadFailure) -> TimestampedOffset? {
        let slot = try readable(partition)
        return try logs[slot].recordWithMaxTimestamp(below: logs[slot].visibleEnd(isolation))
    }

    /// Where the records of `epoch` end: the largest epoch at or below it and one past its last
    /// offset; nil when the epoch is unknown.
    package func endOffset(
        of partition: TopicPartition, epoch: LeaderEpoch
    ) -> (epoch: LeaderEpoch, endOffset: Offset)? {
        guard let slot = slots[partition],
            let found = logs[slot].epochs.endOffset(
                for: epoch.value, logEndOffset: logs[slot].logEnd)
        else { return nil }
        return (LeaderEpoch(found.epoch), Offset(found.endOffset))
    }

    func readable(_ partition: TopicPartition) throws(ReadFailure) -> Int {
        guard let slot = slots[partition] else { throw .unknownPartition }
        if let damage = logs[slot].damage { throw .damaged(damage) }
        return slot
    }

    // MARK: Halt

    @discardableResult
    mutating func halt(_ message: String) -> Problem {
        if let haltReason { return haltReason }
        let problem = Problem(
            "storage.halted", message,
            notes: ["records acknowledged so far are in the commit journal"],
            hint: "restart the node: it verifies what reached the disk before it serves again")
        haltReason = problem
        return problem
    }

    func requireRunning() throws(StorageFailure) {
        guard haltReason == nil else {
            throw .system(operation: "write after halt", path: "", code: 5)
        }
    }

    /// Stops the process when an invariant is broken: those of every log and of the journal.
    package func checkInvariants() {
        for log in logs { log.checkInvariants() }
        journal.checkInvariants()
        precondition(
            unwrittenBytes == logs.reduce(0) { $0 + Int64($1.unwrittenBytes) },
            "what waits to be written is a sum")
        precondition(replayFrom <= journal.nextSequence, "replay begins in the past")
    }
}
