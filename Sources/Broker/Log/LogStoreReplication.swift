import Base
import WireProtocol

/// What the end of a log is called when it is compared with another one.
package struct LogEnd: Hashable, Sendable {
    package var offset: Offset
    /// The epoch of the last record; -1 when there is none.
    package var epoch: LeaderEpoch

    package init(offset: Offset, epoch: LeaderEpoch) {
        self.offset = offset
        self.epoch = epoch
    }
}

/// What a log that has copies on other nodes needs beyond a log that stands alone: leader epochs
/// that begin durably, copies of batches with their offsets, cuts, and a high watermark that is
/// moved from outside. Only for stores with `isReplicated`.
extension LogStore {
    // MARK: The leader

    /// The epoch that the log knows, be it durable or not; nil when there is no such partition.
    package func leaderEpoch(of partition: TopicPartition) -> LeaderEpoch? {
        slots[partition].map { LeaderEpoch(logs[$0].leaderEpoch) }
    }

    /// Begins an epoch at the end of the log: following appends of clients carry it. Its begin is
    /// durable when `syncCompleted` reports it as `durableLeaderEpoch`. Returns where it begins.
    package mutating func beginLeaderEpoch(
        of partition: TopicPartition, _ epoch: LeaderEpoch, now: Now
    ) throws(AppendFailure) -> Offset {
        guard haltReason == nil else { throw .halted }
        guard let slot = slots[partition] else { throw .unknownPartition }
        if let damage = logs[slot].damage { throw .damaged(damage) }
        precondition(epoch.value > logs[slot].leaderEpoch, "an epoch begins once")
        let place = try reserve(payload: 0, now: now)
        let start = logs[slot].logEnd
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        let header = JournalFrameHeader(
            payloadLength: 0,
            payloadChecksum: JournalFrameHeader.payloadChecksum(nothing, kind: .leaderEpoch),
            identity: journal.identity, generation: place.generation, sequence: place.sequence,
            baseOffset: start, lastOffset: start - 1,
            partitionDurableEnd: logs[slot].durableEnd, partitionNumber: logs[slot].number,
            leaderEpoch: epoch.value, kind: .leaderEpoch, startsSegment: false)
        let frame = Bytes(count: JournalFrameHeader.byteCount) { header.write(into: $0) }
        journal.commit([frame], at: place)
        logs[slot].beginEpoch(epoch.value, at: start)
        remember(epoch: epoch.value, of: slot, at: place)
        return Offset(start)
    }

    /// Readers see everything below `offset` that is durable here. Returns whether that is more
    /// than before.
    package mutating func raiseHighWatermark(
        of partition: TopicPartition, to offset: Offset
    ) -> Bool {
        guard let slot = slots[partition] else { return false }
        return logs[slot].raiseHighWatermark(to: offset.value)
    }

    /// Whole batches from the one with `offset` on, those included that are not durable yet: for
    /// the other nodes that keep the partition. At least one, further ones up to `maxBytes`.
    /// Returns them and the offset behind the last one.
    package mutating func readForReplica(
        _ partition: TopicPartition, from offset: Offset, maxBytes: Int
    ) throws(ReadFailure) -> (batches: [Bytes], end: Offset) {
        let slot = try readable(partition)
        let (start, end) = (logs[slot].logStart, logs[slot].logEnd)
        guard offset.value <= end else {
            throw .offsetOutOfRange(
                requested: offset, logStartOffset: Offset(start), logEndOffset: Offset(end))
        }
        let found = try logs[slot].read(
            from: max(offset.value, start), below: end, maxBytes: maxBytes)
        // The log may begin in the middle of a batch.
        let first = found.batches.first.flatMap { BatchHeader($0)?.baseOffset } ?? start
        guard offset.value >= min(first, start) else {
            throw .offsetOutOfRange(
                requested: offset, logStartOffset: Offset(min(first, start)),
                logEndOffset: Offset(end))
        }
        return (found.batches, Offset(found.end))
    }

    /// Where a copy of the log begins: the log start, or the begin of the batch that contains it.
    package mutating func copyStart(of partition: TopicPartition) throws(ReadFailure) -> Offset {
        let slot = try readable(partition)
        let start = logs[slot].logStart
        let found = try logs[slot].read(from: start, below: logs[slot].logEnd, maxBytes: 1)
        let first = found.batches.first.flatMap { BatchHeader($0)?.baseOffset } ?? start
        return Offset(min(first, start))
    }

    // MARK: The follower

    /// Where the log ends, and with a record of which epoch.
    package func logEnd(of partition: TopicPartition) -> LogEnd? {
        guard let slot = slots[partition] else { return nil }
        let end = logs[slot].logEnd
        return LogEnd(
            offset: Offset(end), epoch: LeaderEpoch(logs[slot].epochs.epoch(at: end - 1)))
    }

    /// Appends copies of batches with the offsets and epochs that they have. Those that are here
    /// already are skipped. Batches of an epoch above `epoch` are not what was asked for: there it
    /// stops. Returns how many bytes were appended.
    package mutating func appendCopies(
        _ batches: Bytes, to partition: TopicPartition, upTo epoch: LeaderEpoch, now: Now
    ) throws(AppendFailure) -> Int {
        guard haltReason == nil else { throw .halted }
        guard let slot = slots[partition] else { throw .unknownPartition }
        if let damage = logs[slot].damage { throw .damaged(damage) }
        var position = 0
        var appended = 0
        while position < batches.count {
            guard let header = BatchHeader(batches, at: position),
                header.byteCount <= batches.count - position
            else { throw .corruptMessage("no whole batch at position \(position)") }
            let batch = batches[position..<(position + header.byteCount)]
            position += header.byteCount
            if header.lastOffset < logs[slot].logEnd { continue }
            guard header.leaderEpoch <= epoch.value else { return appended }
            try check(header, batch, slot)
            var validated = ValidatedBatch(header: header)
            validated.isCopy = true
            _ = try take(batch, validated, isOwned: false, slot, now: now)
            logs[slot].leaderEpoch = max(logs[slot].leaderEpoch, header.leaderEpoch)
            appended += header.byteCount
        }
        return appended
    }

    /// What a copy must be: whole, behind the last batch, of no older epoch. Its records were
    /// checked by the leader.
    private func check(
        _ header: BatchHeader, _ batch: Bytes, _ slot: Int
    ) throws(AppendFailure) {
        guard header.baseOffset >= logs[slot].logEnd else {
            throw .corruptMessage(
                "a copied batch with offsets \(header.baseOffset) to \(header.lastOffset) "
                    + "overlaps the end \(logs[slot].logEnd)")
        }
        guard header.baseOffset - logs[slot].logEnd <= Int64(UInt32.max) else {
            throw .corruptMessage("a copied batch is too far behind the last one")
        }
        guard header.leaderEpoch >= logs[slot].epochs.epoch(at: logs[slot].logEnd - 1) else {
            throw .corruptMessage(
                "a copied batch of epoch \(header.leaderEpoch) follows one of a newer epoch")
        }
        if header.codec > 4 { throw .unsupportedCompression(codec: header.codec) }
        guard batch.count <= journal.payloadBytesMax else {
            throw .recordListTooLarge(bytes: batch.count, limit: journal.payloadBytesMax)
        }
        guard configuration.planted != .skipChecksum else { return }
        let found = BatchHeader.computedChecksum(batch, at: 0, byteCount: batch.count)
        guard found == header.checksum else {
            throw .corruptMessage(
                "the checksum of a copied batch is \(header.checksum), found \(found)")
        }
    }

    /// Moves the log start up to where the leader has it, in memory: the next checkpoint keeps it.
    /// Returns whether it moved.
    package mutating func followLogStart(
        of partition: TopicPartition, to offset: Offset, now: Now
    ) -> Bool {
        guard let slot = slots[partition], logs[slot].damage == nil else { return false }
        let target = min(offset.value, logs[slot].highWatermark)
        guard target > logs[slot].logStart else { return false }
        logs[slot].raiseLogStart(to: target)
        bytesSinceCheckpoint += 1
        schedule.nextRetention = min(schedule.nextRetention, now.monotonic)
        return true
    }

    /// Cuts a partition back to `offset`, durably.
    package mutating func truncate(
        _ partition: TopicPartition, to offset: Offset, now: Now
    ) throws(StorageFailure) {
        try truncate([(partition, offset)], now: now)
    }

    /// Cuts partitions back, durably: all batches that reach an offset or lie above. One checkpoint
    /// for all of them, which comes before any file is cut: a crash in between leaves files that are
    /// too long, not a log that misses something.
    package mutating func truncate(
        _ cuts: [(partition: TopicPartition, offset: Offset)], now: Now
    ) throws(StorageFailure) {
        try requireRunning()
        do {
            // Journal frames of what is cut must not be replayed.
            if checkpointRun != nil { try checkpointNow(now) }
            try checkpointNow(now)
            var removed: [Segment] = []
            var changed: [Int] = []
            for cut in cuts {
                guard let slot = slots[cut.partition], logs[slot].damage == nil else { continue }
                if cleanerRun?.number == logs[slot].number { abandonCleaning() }
                forgetSegmentSync(of: logs[slot].number)
                scrubRun?.segmentBase = -1
                let isCut = cut.offset.value < logs[slot].logEnd
                removed += try logs[slot].truncate(
                    to: cut.offset.value, now: now.timestamp.milliseconds)
                if isCut {
                    forgetPending(number: logs[slot].number)
                    _ = logs[slot].durable(upTo: logs[slot].logEnd)
                }
                logs[slot].checkpointed = logs[slot].currentCheckpoint
                changed.append(slot)
            }
            guard !changed.isEmpty else { return }
            try writeCheckpoint()
            for var segment in removed {
                segment.closeHandle()
                for name in segment.existingFiles(disk: disk) { try disk.remove(name) }
            }
            for slot in changed where !logs[slot].segments.isEmpty {
                let last = logs[slot].segments.count - 1
                _ = try logs[slot].segments[last].trim(disk: disk)
                // What is cut must not come back with a power loss: recovery trusts batches that
                // follow the last one.
                try logs[slot].segments[last].handle(disk).sync()
                try syncDirectory(of: logs[slot])
                logs[slot].directoryIsDirty = false
            }
        } catch {
            halt("partitions could not be cut: \(error)")
            throw error
        }
    }

    /// Forgets everything that the partition has and begins again, empty, at `offset`: for a copy
    /// that is damaged, or whose place the leader's log does not have any more.
    package mutating func restart(
        _ partition: TopicPartition, at offset: Offset, now: Now
    ) throws(StorageFailure) {
        try requireRunning()
        guard let slot = slots[partition] else { return }
        if cleanerRun?.number == logs[slot].number { abandonCleaning() }
        forgetSegmentSync(of: logs[slot].number)
        scrubRun?.segmentBase = -1
        var old = logs[slot]
        // Another number: no journal frame is one of this log.
        var checkpoint = PartitionCheckpoint(
            topicPartition: partition, topicID: old.topicID, number: nextNumber)
        nextNumber += 1
        checkpoint.logStart = offset.value
        checkpoint.end = offset.value
        checkpoint.durableEnd = offset.value
        checkpoint.cleanedUpTo = offset.value
        checkpoint.leaderEpoch = old.leaderEpoch
        var fresh = makeLog(checkpoint)
        fresh.settings = old.settings
        fresh.directoryIsDirty = true
        remove(slot: slot)
        add(fresh)
        do {
            try writeCheckpoint()
            for index in old.segments.indices { old.segments[index].closeHandle() }
            for name in try disk.list(fresh.directory) where name != PartitionMetadata.fileName {
                try disk.remove(fresh.directory + "/" + name)
            }
            try PartitionMetadata(fresh).write(disk: disk, directory: fresh.directory)
            try syncDirectory(of: fresh)
        } catch {
            halt("\(partition) could not begin again: \(error)")
            throw error
        }
    }
}
