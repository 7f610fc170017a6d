import Base
import WireProtocol

/// A cleaning under way: drops records of a compacted log that a later record with the same key
/// has replaced. Offsets never change, the active segment is never touched.
///
/// First pass: the last offset of every key in the dirty part. Second pass: segments are copied in
/// groups without the replaced records. Each group is swapped in by one crash-safe step: write
/// `.log.cleaned`, sync, rename to `.log.swap`, sync the directory, name it in the checkpoint, and
/// only then rename it over the old segment.
struct CleanerRun: Sendable {
    enum Phase: Sendable {
        case mapping(position: Int64, segment: Int)
        case copying
    }

    let number: UInt32
    /// Base offsets of the segments that are read, ascending.
    var sources: [Int64]
    /// Where the part begins that was never cleaned.
    let firstDirty: Int64
    /// One past the last offset that the map knows.
    var mapEnd: Int64
    var map: KeyOffsetMap
    var phase: Phase
    /// Fixed at the start, so that all groups agree about tombstones.
    let startedAt: Int64
    /// The group that is being copied.
    var copy: GroupCopy?
    /// nil before the first step.
    var transactions: CleanedTransactions?

    struct GroupCopy: Sendable {
        var sources: [Int64]
        var current = 0
        var position: Int64 = 0
        var output: Segment
    }
}

extension LogStore {
    private enum CleaningFailure: Error {
        case storage(StorageFailure)
        case damaged(segment: Int, position: Int64, detail: String)
    }

    /// One bounded step of cleaning, or the choice of the log that needs it most.
    mutating func stepCleaner(_ now: Now, budgetBytes: Int) {
        guard checkpointRun == nil else { return }
        if cleanerRun == nil {
            guard now.monotonic >= schedule.nextCleaning else { return }
            schedule.nextCleaning = now.monotonic + configuration.cleanerCheckInterval
            chooseLogToClean(now)
        }
        guard let run = cleanerRun else { return }
        guard let slot = slotsByNumber[run.number], logs[slot].damage == nil,
            run.sources.allSatisfy({ base in
                logs[slot].segments.contains { $0.baseOffset == base }
            })
        else { return abandonCleaning() }
        do throws(CleaningFailure) {
            switch run.phase {
            case .mapping(let position, let segment):
                try mapKeys(slot, position: position, segment: segment, budget: budgetBytes)
            case .copying:
                try copyGroup(slot, budget: budgetBytes, now: now)
            }
        } catch {
            cleaningFailed(slot, error, now)
        }
    }

    private mutating func cleaningFailed(_ slot: Int, _ failure: CleaningFailure, _ now: Now) {
        abandonCleaning()
        switch failure {
        case .storage(.noSpace):
            // The old segments are untouched; there will be another attempt.
            forgetSpaceLeft()
        case .storage(let storage):
            halt("cleaning failed: \(storage)")
        case .damaged(let segment, let position, let detail):
            logs[slot].damage = PartitionDamage(
                topicPartition: logs[slot].topicPartition,
                file: logs[slot].segments[segment].logPath, position: position,
                firstOffset: Offset(logs[slot].segments[segment].baseOffset),
                endOffset: Offset(logs[slot].endOffset(ofSegment: segment)), detail: detail)
        }
    }

    mutating func abandonCleaning() {
        guard let run = cleanerRun else { return }
        cleanerRun = nil
        guard var copy = run.copy else { return }
        copy.output.closeHandle()
        let path = copy.output.path(".log.cleaned")
        // Best effort: the next start removes it as well.
        do { try disk.remove(path) } catch { return }
    }

    // MARK: Choice

    private mutating func chooseLogToClean(_ now: Now) {
        let wall = now.timestamp.milliseconds
        var best: (perMille: Int64, slot: Int, count: Int, firstDirty: Int64)?
        for slot in logs.indices where logs[slot].settings.isCompacted {
            guard logs[slot].damage == nil,
                !logs[slot].checkpointed.segments.contains(where: \.isSwap)
            else { continue }
            rollIfLagDemands(slot, wall)
            let count = cleanableSegments(slot, wall)
            guard count > 0 else { continue }
            let firstDirty = max(logs[slot].cleanedUpTo, logs[slot].segments[0].baseOffset)
            var dirtyBytes: Int64 = 0
            var bytes: Int64 = 0
            var isOverdue = false
            for index in 0..<count {
                let segment = logs[slot].segments[index]
                bytes += segment.bytes
                guard logs[slot].endOffset(ofSegment: index) > firstDirty else { continue }
                dirtyBytes += segment.bytes
                let age = wall &- segment.firstTimestamp
                let lag = logs[slot].settings.maxCompactionLagMilliseconds
                if segment.firstTimestamp >= 0, age > lag { isOverdue = true }
            }
            guard dirtyBytes > 0 else { continue }
            let perMille = dirtyBytes * 1000 / max(bytes, 1)
            guard isOverdue || perMille > Int64(logs[slot].settings.minCleanableDirtyPerMille)
            else { continue }
            let isBetter =
                best.map {
                    perMille != $0.perMille
                        ? perMille > $0.perMille
                        : logs[slot].topicPartition < logs[$0.slot].topicPartition
                } ?? true
            if isBetter { best = (perMille, slot, count, firstDirty) }
        }
        guard let best else { return }
        begin(best.slot, count: best.count, firstDirty: best.firstDirty, wall)
    }

    /// `max.compaction.lag.ms` can demand that the active segment is closed.
    private mutating func rollIfLagDemands(_ slot: Int, _ wall: Int64) {
        guard let active = logs[slot].segments.last, active.bytes > 0,
            active.firstTimestamp >= 0,
            wall &- active.firstTimestamp > logs[slot].settings.maxCompactionLagMilliseconds
        else { return }
        do {
            try logs[slot].roll(now: wall)
        } catch .noSpace {
            forgetSpaceLeft()
        } catch {
            halt("a segment could not be closed: \(error)")
        }
    }

    /// How many of the oldest segments are closed, durable, below the last stable offset and old
    /// enough.
    private func cleanableSegments(_ slot: Int, _ wall: Int64) -> Int {
        let log = logs[slot]
        let durable = log.checkpointed.segments
        var count = 0
        while count + 1 < log.segments.count, count < durable.count {
            let segment = log.segments[count]
            guard durable[count].baseOffset == segment.baseOffset,
                durable[count].bytes == segment.bytes,
                log.endOffset(ofSegment: count) <= log.lastStableOffset
            else { break }
            let isDirty = log.endOffset(ofSegment: count) > log.cleanedUpTo
            let age = wall &- segment.maxTimestamp
            if isDirty, segment.maxTimestamp >= 0,
                age < log.settings.minCompactionLagMilliseconds
            {
                break
            }
            count += 1
        }
        return count
    }

    private mutating func begin(_ slot: Int, count: Int, firstDirty: Int64, _ wall: Int64) {
        let sources = logs[slot].segments.prefix(count).map(\.baseOffset)
        let start = logs[slot].segments.prefix(count).lastIndex { $0.baseOffset <= firstDirty }
        cleanerRun = CleanerRun(
            number: logs[slot].number, sources: sources, firstDirty: firstDirty,
            mapEnd: firstDirty,
            map: KeyOffsetMap(
                countMax: configuration.cleanerKeyCountMax, identity: journal.identity),
            phase: .mapping(position: 0, segment: start ?? 0), startedAt: wall)
    }

    // MARK: First pass

    private mutating func mapKeys(
        _ slot: Int, position: Int64, segment: Int, budget: Int
    ) throws(CleaningFailure) {
        guard var run = cleanerRun else { return }
        // One owner of the map at a time, or every key would copy it.
        cleanerRun = nil
        defer { cleanerRun = run }
        if run.transactions == nil { run.transactions = try transactions(slot) }
        guard segment < run.sources.count else {
            run.phase = .copying
            return
        }
        let index = index(of: run.sources[segment], slot)
        var scanner = try scanner(slot, index, from: position)
        var left = budget
        while left > 0 {
            guard let item = try next(&scanner, slot, index) else {
                run.mapEnd = max(run.mapEnd, logs[slot].endOffset(ofSegment: index))
                run.phase = .mapping(position: 0, segment: segment + 1)
                return
            }
            left -= item.header.byteCount
            guard item.header.lastOffset >= run.firstDirty, !item.header.isControl,
                run.transactions?.isAborted(item.header) != true
            else { continue }
            let batch = try intactBatch(&scanner, item, index)
            guard try addKeys(batch, &run, index, item.position) else {
                // The map is full: this cleaning ends before this batch.
                run.mapEnd = item.header.baseOffset
                run.phase = .copying
                run.sources.removeSubrange((segment + 1)...)
                return
            }
            run.mapEnd = item.header.lastOffset + 1
        }
        run.phase = .mapping(position: scanner.position, segment: segment)
    }

    private mutating func transactions(
        _ slot: Int
    ) throws(CleaningFailure) -> CleanedTransactions {
        var all: [AbortedTransaction] = []
        for index in logs[slot].segments.indices
        where !logs[slot].segments[index].aborted.isEmpty {
            do throws(StorageFailure) {
                try logs[slot].loadAborted(index)
            } catch {
                throw .storage(error)
            }
            all += logs[slot].segments[index].aborted.entries
        }
        return CleanedTransactions(all)
    }

    private func addKeys(
        _ batch: Bytes, _ run: inout CleanerRun, _ index: Int, _ position: Int64
    ) throws(CleaningFailure) -> Bool {
        do throws(DecodeFailure) {
            var cursor = try RecordBatchView(batch).records()
            while let record = try cursor.next() {
                guard let key = record.key else { continue }
                if !run.map.set(key, record.offset.value) { return false }
            }
            return true
        } catch {
            throw .damaged(segment: index, position: position, detail: error.description)
        }
    }

    // MARK: Second pass

    private mutating func copyGroup(
        _ slot: Int, budget: Int, now: Now
    ) throws(CleaningFailure) {
        guard var run = cleanerRun else { return }
        cleanerRun = nil
        do throws(CleaningFailure) {
            try copyBatches(slot, &run, budget: budget)
        } catch {
            cleanerRun = run
            throw error
        }
        guard run.sources.isEmpty else {
            cleanerRun = run
            return
        }
        logs[slot].cleanedUpTo = max(logs[slot].cleanedUpTo, run.mapEnd)
        countCleaning()
    }

    /// Copies about `budget` bytes of a group, and swaps it in when it is complete.
    private mutating func copyBatches(
        _ slot: Int, _ run: inout CleanerRun, budget: Int
    ) throws(CleaningFailure) {
        var copy: CleanerRun.GroupCopy
        if let begun = run.copy {
            copy = begun
        } else {
            guard let fresh = try beginGroup(slot, run) else { return }
            copy = fresh
            run.copy = fresh
        }
        var left = budget
        while left > 0, copy.current < copy.sources.count {
            let index = index(of: copy.sources[copy.current], slot)
            var scanner = try scanner(slot, index, from: copy.position)
            while left > 0 {
                guard let item = try next(&scanner, slot, index) else {
                    copy.current += 1
                    copy.position = 0
                    break
                }
                left -= item.header.byteCount
                let batch = try intactBatch(&scanner, item, index)
                try keep(batch, item, slot, index, &copy, &run)
                copy.position = scanner.position
            }
        }
        run.copy = copy
        guard copy.current == copy.sources.count else { return }
        do throws(StorageFailure) {
            try swap(slot, copy)
        } catch {
            throw .storage(error)
        }
        run.copy = nil
        run.sources.removeFirst(copy.sources.count)
    }

    /// Takes as many segments as fit into one of the usual size.
    private mutating func beginGroup(
        _ slot: Int, _ run: CleanerRun
    ) throws(CleaningFailure) -> CleanerRun.GroupCopy? {
        guard let base = run.sources.first else { return nil }
        var group: [Int64] = []
        var bytes: Int64 = 0
        for source in run.sources {
            let index = index(of: source, slot)
            bytes += logs[slot].segments[index].bytes
            let span = logs[slot].endOffset(ofSegment: index) - base
            let limit = min(logs[slot].settings.segmentBytes, Int64(UInt32.max))
            if !group.isEmpty, bytes > limit || span > Int64(Int32.max) { break }
            group.append(source)
        }
        let path = logs[slot].directory + "/" + Segment.fileName(base, ".log.cleaned")
        do throws(StorageFailure) {
            if disk.exists(path) { try disk.remove(path) }
            let file = try disk.create(path)
            return CleanerRun.GroupCopy(
                sources: group,
                output: Segment(
                    directory: logs[slot].directory, baseOffset: base, file: file,
                    createdAt: run.startedAt))
        } catch {
            throw .storage(error)
        }
    }

    private func keep(
        _ batch: Bytes, _ item: BatchScanner.Item, _ slot: Int, _ index: Int,
        _ copy: inout CleanerRun.GroupCopy, _ run: inout CleanerRun
    ) throws(CleaningFailure) {
        let filter = BatchFilter(
            map: run.map, mapEnd: run.mapEnd, now: run.startedAt,
            deleteRetentionMilliseconds: logs[slot].settings.deleteRetentionMilliseconds)
        let producer = logs[slot].producers[item.header.producerID]
        let isLast = producer.map { $0.isTold(by: item.header) } ?? false
        let role = run.transactions?.role(of: item.header) ?? .plain
        let outcome: BatchFilter.Outcome
        do throws(DecodeFailure) {
            outcome = try filter.filter(batch, role: role, isLastOfProducer: isLast)
        } catch {
            throw .damaged(segment: index, position: item.position, detail: error.description)
        }
        let kept: Bytes
        switch outcome {
        case .dropped: return
        case .unchanged: kept = batch
        case .rewritten(let bytes): kept = bytes
        }
        guard let header = BatchHeader(kept) else {
            preconditionFailure("the cleaner writes whole batches")
        }
        do throws(StorageFailure) {
            try copy.output.write(kept, disk: disk)
        } catch {
            throw .storage(error)
        }
        copy.output.added(header, indexInterval: logs[slot].settings.indexIntervalBytes)
        // Below the end of the map nothing is left that a reader would have to skip.
        if header.baseOffset >= run.mapEnd,
            let aborted = run.transactions?.transaction(abortedBy: header)
        {
            copy.output.aborted.add(aborted)
        }
    }

    // MARK: Swap

    private mutating func swap(
        _ slot: Int, _ copy: CleanerRun.GroupCopy
    ) throws(StorageFailure) {
        var output = copy.output
        let directory = logs[slot].directory
        let swapPath = output.path(".log.swap")
        do {
            try output.handle(disk).sync()
        } catch {
            if configuration.planted != .ignoreSyncError { throw error }
        }
        output.syncedBytes = output.bytes
        try disk.rename(output.path(".log.cleaned"), to: swapPath)
        try syncNames(directory)

        let older = logs[slot].checkpointed
        var summary = output.summary
        summary.isSwap = true
        logs[slot].checkpointed.segments.removeAll { copy.sources.contains($0.baseOffset) }
        let place = logs[slot].checkpointed.segments.firstIndex {
            $0.baseOffset > summary.baseOffset
        }
        logs[slot].checkpointed.segments.insert(
            summary, at: place ?? logs[slot].checkpointed.segments.count)
        do {
            try writeCheckpoint()
        } catch {
            logs[slot].checkpointed = older
            // After a halt the new checkpoint may be the one that the next start reads, and it
            // names the swap file.
            if haltReason == nil { try disk.remove(swapPath) }
            throw error
        }

        let first = index(of: copy.sources[0], slot)
        for offset in copy.sources.indices {
            logs[slot].segments[first + offset].closeHandle()
            let old = logs[slot].segments[first + offset]
            for path in old.existingFiles(disk: disk) where path != output.logPath {
                try disk.remove(path)
            }
        }
        try disk.rename(swapPath, to: output.logPath)
        try syncNames(directory)
        logs[slot].segments.replaceSubrange(
            first..<(first + copy.sources.count), with: [output])
        logs[slot].tail.hide(below: logs[slot].endOffset(ofSegment: first))
        scrubRun?.segmentBase = -1
        forgetSpaceLeft()
        // The checkpoint still says `.swap`; the next one corrects that.
        bytesSinceCheckpoint = max(bytesSinceCheckpoint, 1)
    }

    private func syncNames(_ directory: String) throws(StorageFailure) {
        if configuration.planted != .forgetDirectorySync { try disk.syncDirectory(directory) }
    }

    // MARK: Reading

    private func index(of base: Int64, _ slot: Int) -> Int {
        guard let index = logs[slot].segments.firstIndex(where: { $0.baseOffset == base }) else {
            preconditionFailure("sources are checked at each step")
        }
        return index
    }

    private mutating func scanner(
        _ slot: Int, _ index: Int, from position: Int64
    ) throws(CleaningFailure) -> BatchScanner {
        do throws(StorageFailure) {
            return BatchScanner(
                file: try logs[slot].segments[index].handle(disk), from: position,
                to: logs[slot].segments[index].bytes)
        } catch {
            throw .storage(error)
        }
    }

    private func next(
        _ scanner: inout BatchScanner, _ slot: Int, _ index: Int
    ) throws(CleaningFailure) -> BatchScanner.Item? {
        do throws(StorageFailure) {
            if let item = try scanner.next() { return item }
        } catch {
            throw .storage(error)
        }
        if case .broken(let position) = scanner.stop {
            throw .damaged(
                segment: index, position: position, detail: "no whole batch begins here")
        }
        return nil
    }

    private func intactBatch(
        _ scanner: inout BatchScanner, _ item: BatchScanner.Item, _ index: Int
    ) throws(CleaningFailure) -> Bytes {
        let isIntact: Bool
        let batch: Bytes
        do throws(StorageFailure) {
            isIntact = try scanner.isIntact(item) || configuration.planted == .skipChecksum
            batch = try scanner.bytes(of: item)
        } catch {
            throw .storage(error)
        }
        guard isIntact else {
            throw .damaged(
                segment: index, position: item.position, detail: "the checksum of a batch is wrong")
        }
        return batch
    }
}
