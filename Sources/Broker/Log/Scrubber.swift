import Base

/// A walk over everything that is stored, to find damage before a reader does. One closed segment
/// after the other is read and checked, a bounded number of bytes at a time.
struct ScrubRun: Sendable {
    /// Partitions that wait for their turn, the next one last.
    var partitions: [UInt32]
    /// The segment being read and how far.
    var segmentBase: Int64 = -1
    var position: Int64 = 0
    /// What the batches of the segment have to be at or above.
    var expectedOffset: Int64 = 0
}

extension LogStore {
    /// One bounded step of scrubbing; begins a new round when it is due.
    mutating func stepScrubber(_ now: Now) {
        guard now.monotonic >= schedule.nextScrub else { return }
        if scrubRun == nil {
            scrubRun = ScrubRun(partitions: logs.map(\.number).sorted().reversed())
        }
        schedule.nextScrub = now.monotonic + configuration.scrubStepInterval
        var left = configuration.scrubStepBytes
        // Many small or empty partitions must not make a step long either.
        var visits = 256
        while left > 0, visits > 0, let number = scrubRun?.partitions.last {
            visits -= 1
            guard let slot = slotsByNumber[number], logs[slot].damage == nil,
                let index = nextSegmentToScrub(slot)
            else {
                scrubRun?.partitions.removeLast()
                scrubRun?.segmentBase = -1
                continue
            }
            left -= scrub(slot, index, budget: left)
        }
        guard scrubRun?.partitions.isEmpty == true else { return }
        scrubRun = nil
        schedule.nextScrub = now.monotonic + configuration.scrubInterval
        countScrub(rounds: 1)
    }

    /// The segment to go on with: closed, and written as a whole.
    private func nextSegmentToScrub(_ slot: Int) -> Int? {
        guard let run = scrubRun else { return nil }
        let segments = logs[slot].segments
        let index = segments.firstIndex { $0.baseOffset >= max(run.segmentBase, 0) }
        guard let index, index + 1 < segments.count, segments[index].unwrittenBytes == 0 else {
            return nil
        }
        return index
    }

    /// Checks batches of one segment and returns how many bytes were read.
    private mutating func scrub(_ slot: Int, _ index: Int, budget: Int) -> Int {
        guard var run = scrubRun else { return 0 }
        defer { scrubRun = run }
        let segment = logs[slot].segments[index]
        if run.segmentBase != segment.baseOffset {
            run.segmentBase = segment.baseOffset
            run.position = 0
            run.expectedOffset = segment.baseOffset
        }
        let from = run.position
        let limit = min(segment.bytes, from + Int64(budget))
        let end = logs[slot].endOffset(ofSegment: index)
        do throws(StorageFailure) {
            // A handle of its own: open segments of thousands of partitions would use up the
            // descriptors of the process.
            let file = try disk.open(segment.logPath)
            defer { file.close() }
            var scanner = BatchScanner(file: file, from: from, to: segment.bytes)
            while run.position < limit, let item = try scanner.next() {
                let epoch = logs[slot].epochs.epoch(at: item.header.baseOffset)
                let isInPlace =
                    item.header.baseOffset >= run.expectedOffset && item.header.lastOffset < end
                    && (epoch < 0 || epoch == item.header.leaderEpoch)
                let isIntact = try scanner.isIntact(item)
                guard isInPlace, isIntact || configuration.planted == .skipChecksum else {
                    noteDamage(
                        slot, index, item.position, run.expectedOffset,
                        isInPlace
                            ? "scrubbing found a batch whose checksum is wrong"
                            : "scrubbing found a batch that can't stand here")
                    return Int(scanner.position - from)
                }
                run.expectedOffset = item.header.lastOffset + 1
                run.position = scanner.position
            }
            if case .broken(let position) = scanner.stop {
                noteDamage(
                    slot, index, position, run.expectedOffset,
                    "scrubbing found no whole batch here")
                return Int(position - from)
            }
        } catch {
            // Gone files are damage; what may pass is tried again in the next round.
            if case .notFound = error {
                noteDamage(slot, index, 0, segment.baseOffset, error.description)
            }
            run.segmentBase = segment.baseOffset + 1
            return 0
        }
        let bytes = run.position - from
        countScrub(bytes: bytes)
        if run.position >= segment.bytes { run.segmentBase = segment.baseOffset + 1 }
        return max(Int(bytes), 1)
    }

    private mutating func noteDamage(
        _ slot: Int, _ index: Int, _ position: Int64, _ offset: Int64, _ detail: String
    ) {
        logs[slot].segments[index].forgetVerified()
        logs[slot].damage = PartitionDamage(
            topicPartition: logs[slot].topicPartition,
            file: logs[slot].segments[index].logPath, position: position,
            firstOffset: Offset(offset), endOffset: Offset(logs[slot].durableEnd), detail: detail)
        countScrub(damaged: 1)
    }
}
