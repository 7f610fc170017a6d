import Base

/// What the store does apart from requests: checkpoints, retention, cleaning, removal of files.
extension LogStore {
    private static let retryAfterFullDisk = Duration.seconds(5)
    private static let directoriesPerStep = 4
    private static let removalsPerStep = 16

    /// Retention, checkpoints, cleaning, removal of old files, in steps of about `budgetBytes`.
    /// A problem returned means halt. Call `beginSync` afterwards.
    package mutating func maintain(now: Now, budgetBytes: Int = 4 << 20) -> Problem? {
        if let haltReason { return haltReason }
        removeDoomed(now.monotonic)
        growJournal(now.monotonic, budgetBytes: budgetBytes)
        stepWriteBehind(now, budgetBytes: budgetBytes)
        stepCheckpoint(now, budgetBytes: budgetBytes)
        if now.monotonic >= schedule.nextRetention {
            schedule.nextRetention = now.monotonic + configuration.retentionCheckInterval
            enforceRetention(now)
        }
        stepCleaner(now, budgetBytes: budgetBytes)
        stepScrubber(now)
        return haltReason
    }

    /// When `maintain` wants to be called; in the past when it has work to do at once.
    package var nextDeadline: Instant {
        if haltReason != nil { return .zero }
        var deadline = min(schedule.nextRetention, schedule.nextScrub)
        // Cleaning waits for a checkpoint; asking again and again would not help it.
        if checkpointRun == nil { deadline = min(deadline, schedule.nextCleaning) }
        if journal.wantsToGrow {
            deadline = min(deadline, max(.zero, schedule.growthBlockedUntil))
        }
        if wantsToWriteBehind { deadline = min(deadline, max(.zero, schedule.writesBlockedUntil)) }
        if let run = checkpointRun {
            // Waiting for syncs of segments is not our turn.
            if run.nextWrite != nil || run.nextSegment == nil {
                deadline = min(deadline, max(.zero, schedule.checkpointBlockedUntil))
            }
        } else if bytesSinceCheckpoint >= checkpointThreshold {
            deadline = min(deadline, max(.zero, schedule.checkpointBlockedUntil))
        } else if bytesSinceCheckpoint > 0 {
            deadline = min(deadline, schedule.nextCheckpoint)
        }
        if cleanerRun != nil, checkpointRun == nil { deadline = .zero }
        for file in doomed { deadline = min(deadline, file.deadline) }
        return deadline
    }

    /// A quarter of the ring as it may grow: rare enough to cost little, early enough that appends
    /// never wait for it, and a bound on what a restart has to replay.
    private var checkpointThreshold: Int64 {
        let files = max(configuration.journalFileCountMax / 2, 1)
        return Int64(configuration.journalFileBytes / 2) * Int64(files)
    }

    // MARK: Files

    mutating func doom(_ path: String, isTree: Bool = false, at deadline: Instant) {
        doomed.append(DoomedFile(path: path, isTree: isTree, deadline: deadline))
    }

    private mutating func removeDoomed(_ now: Instant) {
        var removed = 0
        var left: [DoomedFile] = []
        for file in doomed {
            guard file.deadline <= now, removed < Self.removalsPerStep else {
                left.append(file)
                continue
            }
            removed += 1
            do {
                if file.isTree {
                    try disk.removeTree(file.path)
                } else if disk.exists(file.path) {
                    try disk.remove(file.path)
                }
            } catch {
                // Nothing refers to it; the next start tries again.
                continue
            }
        }
        doomed = left
        if removed > 0 { forgetSpaceLeft() }
    }

    private mutating func growJournal(_ now: Instant, budgetBytes: Int) {
        guard journal.wantsToGrow, now >= schedule.growthBlockedUntil else { return }
        guard disk.freeBytes - journal.growthBytes > configuration.reserveBytes else {
            schedule.growthBlockedUntil = now + Self.retryAfterFullDisk
            return
        }
        do {
            _ = try journal.growStep(budgetBytes: budgetBytes)
            forgetSpaceLeft()
        } catch .noSpace {
            schedule.growthBlockedUntil = now + Self.retryAfterFullDisk
        } catch {
            halt("the journal could not be extended: \(error)")
        }
    }

    // MARK: Checkpoint

    private mutating func stepWriteBehind(_ now: Now, budgetBytes: Int) {
        guard wantsToWriteBehind, now.monotonic >= schedule.writesBlockedUntil else { return }
        do {
            try stepWriteBehind(budgetBytes: budgetBytes)
        } catch .noSpace {
            forgetSpaceLeft()
            schedule.writesBlockedUntil = now.monotonic + Self.retryAfterFullDisk
        } catch {
            halt("a segment could not be written: \(error)")
        }
    }

    private mutating func stepCheckpoint(_ now: Now, budgetBytes: Int) {
        guard now.monotonic >= schedule.checkpointBlockedUntil else { return }
        do {
            if checkpointRun == nil {
                let isDue =
                    bytesSinceCheckpoint >= checkpointThreshold
                    || (bytesSinceCheckpoint > 0 && now.monotonic >= schedule.nextCheckpoint)
                guard isDue else { return }
                try beginCheckpoint(now)
            }
            var left = budgetBytes
            while left > 0, let number = checkpointRun?.nextWrite {
                if let slot = slotsByNumber[number] {
                    left -= logs[slot].unwrittenBytes
                    try writeBehind(slot)
                }
                checkpointRun?.writeIsDone()
            }
            guard checkpointRun?.nextWrite == nil, checkpointRun?.nextSegment == nil else {
                return
            }
            for _ in 0..<Self.directoriesPerStep {
                guard try syncNextDirectory() else { break }
            }
            if checkpointRun?.nextDirectory == nil { try finishCheckpoint(now) }
        } catch .noSpace {
            schedule.checkpointBlockedUntil = now.monotonic + Self.retryAfterFullDisk
        } catch {
            halt("a checkpoint failed: \(error)")
        }
    }

    /// Fixes what the checkpoint will say and which files must be synced before it may.
    private mutating func beginCheckpoint(_ now: Now) throws(StorageFailure) {
        schedule.nextCheckpoint = now.monotonic + configuration.checkpointInterval
        bytesSinceCheckpoint = 0
        let expiry = now.timestamp.milliseconds &- configuration.producerExpirationMilliseconds
        var writes: [UInt32] = []
        var segments: [CheckpointRun.SegmentSync] = []
        var directories: [UInt32] = []
        for slot in logs.indices {
            logs[slot].producers.removeExpired(before: expiry)
            try writeIndexes(slot)
            logs[slot].candidate = nil
            if logs[slot].isCheckpointed { continue }
            try writeAborted(slot)
            if logs[slot].unwrittenBytes > 0 { writes.append(logs[slot].number) }
            for segment in logs[slot].segments where segment.syncedBytes < segment.bytes {
                segments.append(
                    CheckpointRun.SegmentSync(
                        number: logs[slot].number, baseOffset: segment.baseOffset,
                        bytes: segment.bytes))
            }
            if logs[slot].directoryIsDirty { directories.append(logs[slot].number) }
            var candidate = logs[slot].currentCheckpoint
            // True once the segments are synced, which is before anybody reads this.
            candidate.durableEnd = max(candidate.durableEnd, candidate.end)
            logs[slot].candidate = candidate
        }
        checkpointRun = CheckpointRun(
            replayFrom: journal.nextSequence, writes: writes, segments: segments,
            directories: directories)
    }

    /// Index files of segments that were closed since the last checkpoint. They can be built again
    /// from the batches, so a full disk does not stop the checkpoint.
    private mutating func writeIndexes(_ slot: Int) throws(StorageFailure) {
        for index in logs[slot].segments.indices.dropLast()
        where logs[slot].segments[index].index.isComplete {
            do {
                try logs[slot].segments[index].writeIndex(disk: disk)
            } catch .noSpace {
                forgetSpaceLeft()
            }
            logs[slot].segments[index].unloadIndex()
        }
    }

    /// Aborted transactions that only memory knows. Like the indexes they can be found again, which
    /// the checkpoint then says.
    private mutating func writeAborted(_ slot: Int) throws(StorageFailure) {
        for index in logs[slot].segments.indices where !logs[slot].segments[index].aborted.isEmpty {
            let path = logs[slot].segments[index].path(".txnindex")
            do {
                if try logs[slot].segments[index].aborted.write(to: path, disk: disk) {
                    logs[slot].directoryIsDirty = true
                }
            } catch .noSpace {
                forgetSpaceLeft()
            }
            if index + 1 < logs[slot].segments.count { logs[slot].segments[index].aborted.unload() }
        }
    }

    private mutating func syncNextDirectory() throws(StorageFailure) -> Bool {
        guard let number = checkpointRun?.nextDirectory else { return false }
        if let slot = slotsByNumber[number] {
            try syncDirectory(of: logs[slot])
            // Not before: a run that is given up must not have forgotten what it did not sync.
            logs[slot].directoryIsDirty = false
        }
        checkpointRun?.directoryIsDone()
        return true
    }

    func syncDirectory(of log: PartitionLog) throws(StorageFailure) {
        guard configuration.planted != .forgetDirectorySync else { return }
        let metadata = log.directory + "/" + PartitionMetadata.fileName
        if disk.exists(metadata) {
            let file = try disk.open(metadata)
            defer { file.close() }
            try file.sync()
        }
        try disk.syncDirectory(log.directory)
    }

    private mutating func finishCheckpoint(_ now: Now) throws(StorageFailure) {
        guard let run = checkpointRun else { return }
        let olderReplayFrom = replayFrom
        var older: [(slot: Int, checkpoint: PartitionCheckpoint)] = []
        for slot in logs.indices {
            guard let candidate = logs[slot].candidate else { continue }
            older.append((slot, logs[slot].checkpointed))
            logs[slot].checkpointed = candidate
        }
        replayFrom = run.replayFrom
        do {
            try writeCheckpoint()
        } catch {
            replayFrom = olderReplayFrom
            for (slot, checkpoint) in older { logs[slot].checkpointed = checkpoint }
            throw error
        }
        for (slot, _) in older { logs[slot].candidate = nil }
        checkpointRun = nil
        journal.release(below: replayFrom)
        countCheckpoint()
        forgetSpaceLeft()
    }

    /// A whole checkpoint here and now, with every sync on this thread.
    mutating func checkpointNow(_ now: Now) throws(StorageFailure) {
        if checkpointRun == nil { try beginCheckpoint(now) }
        while let number = checkpointRun?.nextWrite {
            if let slot = slotsByNumber[number] { try writeBehind(slot) }
            checkpointRun?.writeIsDone()
        }
        while let next = checkpointRun?.nextSegment {
            if let slot = slotsByNumber[next.number],
                let index = logs[slot].segments.firstIndex(where: {
                    $0.baseOffset == next.baseOffset
                })
            {
                do {
                    try logs[slot].segments[index].handle(disk).sync()
                } catch {
                    if configuration.planted != .ignoreSyncError { throw error }
                }
                let known = logs[slot].segments[index].syncedBytes
                logs[slot].segments[index].syncedBytes = max(known, next.bytes)
            }
            checkpointRun?.segmentIsDone()
        }
        while try syncNextDirectory() {}
        try finishCheckpoint(now)
    }

    /// Replaces the checkpoint file by what is known to be durable now. The commit point of
    /// everything but appends.
    mutating func writeCheckpoint() throws(StorageFailure) {
        var checkpoint = StoreCheckpoint(identity: journal.identity)
        checkpoint.replayFrom = replayFrom
        checkpoint.nextNumber = nextNumber
        let content = checkpoint.encoded(around: logs.indices.map { logs[$0].checkpointBytes() })
        let temporary = StoreCheckpoint.path + ".tmp"
        if disk.exists(temporary) { try disk.remove(temporary) }
        let file = try disk.create(temporary)
        defer { file.close() }
        try file.write([content], at: 0)
        do {
            try file.sync()
        } catch {
            if configuration.planted != .ignoreSyncError {
                throw stopped("the checkpoint could not be made durable", error)
            }
        }
        do {
            try disk.rename(temporary, to: StoreCheckpoint.path)
        } catch .noSpace(let path) {
            throw .noSpace(path: path)
        } catch {
            throw stopped("which checkpoint is in force is not known", error)
        }
        guard configuration.planted != .forgetDirectorySync else { return }
        do {
            try disk.syncDirectory("")
        } catch {
            throw stopped("the name of the checkpoint could not be made durable", error)
        }
    }

    private mutating func stopped(
        _ message: String, _ failure: StorageFailure
    ) -> StorageFailure {
        halt("\(message): \(failure)")
        return failure
    }

    // MARK: Retention

    private mutating func enforceRetention(_ now: Now) {
        let wall = now.timestamp.milliseconds
        var removed: [Segment] = []
        do {
            for slot in logs.indices where logs[slot].damage == nil {
                let (count, rollsFirst) = try logs[slot].expired(now: wall)
                guard count > 0 else { continue }
                if rollsFirst { try logs[slot].roll(now: wall) }
                let waiting = logs[slot].unwrittenBytes
                removed += logs[slot].removeFirstSegments(count)
                forgetUnwritten(waiting - logs[slot].unwrittenBytes)
            }
            guard !removed.isEmpty else { return }
            try writeCheckpoint()
        } catch .noSpace {
            // The segments are out of the log already; their files go below, which is what a
            // full disk needs. The next checkpoint that fits says so durably.
            guard !removed.isEmpty else { return }
            schedule.nextCheckpoint = now.monotonic
            bytesSinceCheckpoint = max(bytesSinceCheckpoint, 1)
            return
        } catch {
            halt("retention failed: \(error)")
            return
        }
        for segment in removed { retire(segment, now: now) }
    }

    /// Removes the files of a segment that the checkpoint does not list any more, after a delay
    /// for readers that still send from them.
    mutating func retire(_ segment: Segment, now: Now) {
        var segment = segment
        segment.closeHandle()
        for name in segment.existingFiles(disk: disk) {
            let retired = name + ".deleted"
            do {
                try disk.rename(name, to: retired)
                doom(retired, at: now.monotonic + .milliseconds(fileDeleteDelay(segment)))
            } catch {
                doom(name, at: now.monotonic)
            }
        }
    }

    private func fileDeleteDelay(_ segment: Segment) -> Int64 {
        logs.first { $0.directory == segment.directory }?
            .settings.fileDeleteDelayMilliseconds ?? 0
    }

    /// Raises the log start, durably, and returns it. -1 stands for the high watermark.
    package mutating func deleteRecords(
        in partition: TopicPartition, before offset: Offset, now: Now
    ) throws(DeleteRecordsFailure) -> Offset {
        guard let slot = slots[partition] else { throw .unknownPartition }
        let settings = logs[slot].settings
        guard settings.deletesOldSegments || !settings.isCompacted else { throw .policyViolation }
        let highWatermark = logs[slot].highWatermark
        let target = offset.value == -1 ? highWatermark : offset.value
        guard target >= 0, target <= highWatermark else { throw .offsetOutOfRange }
        guard target > logs[slot].logStart else { return Offset(logs[slot].logStart) }
        let older = logs[slot].checkpointed
        logs[slot].checkpointed.logStart = target
        do {
            try requireRunning()
            try writeCheckpoint()
        } catch {
            logs[slot].checkpointed = older
            throw .storage(error)
        }
        logs[slot].raiseLogStart(to: target)
        let begun = logs[slot].candidate?.logStart ?? 0
        logs[slot].candidate?.logStart = max(begun, target)
        schedule.nextRetention = min(schedule.nextRetention, now.monotonic)
        return Offset(target)
    }

    /// Makes everything durable and leaves a short recovery to the next start.
    package mutating func close(now: Now) throws(StorageFailure) {
        guard haltReason == nil else { return }
        abandonCleaning()
        for slot in logs.indices where logs[slot].damage == nil {
            guard let last = logs[slot].segments.indices.last else { continue }
            guard logs[slot].segments[last].index.isComplete else { continue }
            do {
                try logs[slot].segments[last].writeIndex(disk: disk)
            } catch .noSpace {
                continue
            }
        }
        checkpointRun = nil
        try checkpointNow(now)
        for slot in logs.indices {
            for index in logs[slot].segments.indices {
                logs[slot].segments[index].closeHandle()
            }
        }
        journal.close()
        halt("the store was closed")
    }
}
