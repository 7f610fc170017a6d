import Base

/// Brings one partition back after a restart: verifies what the checkpoint promised, replays the
/// partition's journal frames, cuts what was never durable, and marks what was and is gone.
///
/// What was durable is known from three sources: the checkpoint, the durable end in each frame of
/// the partition, and the journal's notes. Below that end nothing is ever cut.
struct PartitionRecovery {
    private(set) var log: PartitionLog
    private let frames: [JournalScan.Frame]
    private let scan: JournalScan
    private let planted: PlantedBug
    private let now: Int64
    private let scansEverything: Bool
    /// One past the last offset known to have been durable.
    private var durableEnd: Int64
    private(set) var rewrittenBatches = 0
    private(set) var cutBytes: Int64 = 0

    init(
        log: PartitionLog, frames: [JournalScan.Frame], scan: JournalScan, durableEnd: Int64,
        planted: PlantedBug, now: Now, scansEverything: Bool
    ) {
        self.log = log
        self.frames = frames
        self.scan = scan
        self.planted = planted
        self.now = now.timestamp.milliseconds
        self.scansEverything = scansEverything
        var known = max(durableEnd, log.durableEnd)
        for frame in frames { known = max(known, frame.header.partitionDurableEnd) }
        self.durableEnd = planted == .cutBelowDurableEnd ? 0 : known
    }

    private var disk: any Disk { log.disk }
    private var verifies: Bool { planted != .skipChecksum }

    mutating func run() throws(StorageFailure) {
        if !disk.isDirectory(log.directory) {
            try disk.makeDirectory(log.directory)
            log.directoryIsDirty = true
        }
        if !disk.exists(log.directory + "/" + PartitionMetadata.fileName) {
            try PartitionMetadata(log).write(disk: disk, directory: log.directory)
            log.directoryIsDirty = true
        }
        let found = try tidyDirectory()
        if log.segments.contains(where: \.isSwap) { log.directoryIsDirty = true }
        if scansEverything {
            try adoptSegments(found)
        } else {
            try verifySegments(found)
        }
        try replayFrames()
        if log.logEnd < durableEnd {
            try extend(until: durableEnd)
            if log.logEnd < durableEnd {
                markDamaged(until: durableEnd, "the records are neither in the journal nor here")
                log.logEnd = durableEnd
            }
        }
        if log.damage == nil { try cutTail() }
        log.logStart = min(log.logStart, log.logEnd)
        log.durableEnd = log.logEnd
        log.durableEpoch = log.leaderEpoch
        // What the others have of a replicated log is not known yet.
        log.highWatermark = log.isReplicated ? log.logStart : log.logEnd
        log.producers.makeVisible(below: log.highWatermark)
    }

    // MARK: Directory

    /// Finishes or undoes what the cleaner and retention had begun; returns the base offsets of
    /// the segment files that are left.
    private mutating func tidyDirectory() throws(StorageFailure) -> [Int64] {
        var bases: [Int64] = []
        for name in try disk.list(log.directory) {
            let path = log.directory + "/" + name
            if name.hasSuffix(".deleted") || name.hasSuffix(".cleaned") || name.hasSuffix(".tmp") {
                try disk.remove(path)
                log.directoryIsDirty = true
            } else if let base = Segment.baseOffset(name: name, suffix: ".log.swap") {
                if log.segments.contains(where: { $0.baseOffset == base && $0.isSwap }) {
                    let target = log.directory + "/" + Segment.fileName(base, ".log")
                    try disk.rename(path, to: target)
                    if !bases.contains(base) { bases.append(base) }
                } else {
                    try disk.remove(path)
                }
                log.directoryIsDirty = true
            } else if let base = Segment.baseOffset(name: name), !bases.contains(base) {
                bases.append(base)
            }
        }
        guard !scansEverything else { return bases.sorted() }
        let listed = log.segments.map(\.baseOffset)
        var left: [Int64] = []
        for base in bases.sorted() {
            if listed.contains(base) || base >= log.logEnd {
                left.append(base)
            } else {
                try removeFiles(base)
            }
        }
        return left
    }

    private mutating func removeFiles(_ base: Int64) throws(StorageFailure) {
        for suffix in [".log", ".index", ".timeindex", ".txnindex"] {
            let path = log.directory + "/" + Segment.fileName(base, suffix)
            if disk.exists(path) { try disk.remove(path) }
        }
        log.directoryIsDirty = true
    }

    // MARK: Segments

    /// Every segment that the checkpoint lists must be there, at least as long as it says.
    private mutating func verifySegments(_ found: [Int64]) throws(StorageFailure) {
        for index in log.segments.indices {
            let segment = log.segments[index]
            var size: Int64 = -1
            if found.contains(segment.baseOffset) {
                size = try log.segments[index].handle(disk).size
                if index + 1 < log.segments.count { log.segments[index].closeHandle() }
            }
            guard size < segment.bytes else { continue }
            if planted == .cutBelowDurableEnd {
                log.logEnd = segment.baseOffset
                log.segments.removeSubrange(index...)
                return
            }
            let end = log.endOffset(ofSegment: index)
            let detail =
                size < 0
                ? "the file is missing" : "the file has \(size) bytes of \(segment.bytes)"
            noteDamage(
                PartitionDamage(
                    topicPartition: log.topicPartition, file: segment.logPath,
                    position: max(size, 0), firstOffset: Offset(segment.baseOffset),
                    endOffset: Offset(end), detail: detail))
        }
    }

    /// Without a checkpoint: takes the segments as they are and verifies every batch.
    private mutating func adoptSegments(_ found: [Int64]) throws(StorageFailure) {
        log.logStart = found.first ?? 0
        log.logEnd = log.logStart
        for (index, base) in found.enumerated() {
            let isLast = index + 1 == found.count
            if base > log.logEnd, log.damage == nil, !log.segments.isEmpty {
                // Cleaned logs have gaps, between segments too.
                log.logEnd = base
            }
            try openSegment(base)
            try takeBatches(until: Int64.max, allowsGaps: true)
            guard let segment = log.segments.last else { continue }
            let size = try log.segments[log.segments.count - 1].handle(disk).size
            let isTail = isLast && frames.contains { $0.header.lastOffset >= log.logEnd }
            if size > segment.bytes, !isTail, planted != .cutBelowDurableEnd {
                if try !isZero(segment, from: segment.bytes, to: size) || !isLast {
                    let end = isLast ? max(durableEnd, log.logEnd + 1) : found[index + 1]
                    markDamaged(until: end, "no whole batch begins here")
                    log.logEnd = isLast ? log.logEnd : end
                }
            }
        }
    }

    private mutating func isZero(
        _ segment: Segment, from start: Int64, to end: Int64
    ) throws(StorageFailure) -> Bool {
        let file = try log.segments[log.segments.count - 1].handle(disk)
        var position = start
        while position < end {
            let chunk = try file.read(at: position, count: Int(min(end - position, 1 << 20)))
            if chunk.isEmpty { return true }
            let hasData = chunk.withUnsafeBytes { $0.contains { $0 != 0 } }
            if hasData { return false }
            position += Int64(chunk.count)
        }
        return true
    }

    /// Makes the segment with this base the active one, keeping the bytes of an existing file.
    private mutating func openSegment(_ base: Int64) throws(StorageFailure) {
        let path = log.directory + "/" + Segment.fileName(base, ".log")
        let file: any DiskFile
        if disk.exists(path) {
            file = try disk.open(path)
        } else {
            file = try disk.create(path)
        }
        // Even a file that is there may have come from a process that died before it synced.
        log.directoryIsDirty = true
        log.segments.append(
            Segment(directory: log.directory, baseOffset: base, file: file, createdAt: now))
    }

    // MARK: Journal

    private mutating func replayFrames() throws(StorageFailure) {
        for frame in frames {
            let header = frame.header
            if header.kind == .leaderEpoch {
                log.beginEpoch(header.leaderEpoch, at: min(header.baseOffset, log.logEnd))
                continue
            }
            guard header.lastOffset >= log.logEnd else { continue }
            if log.segments.isEmpty, header.baseOffset < log.logEnd {
                // Retention removed everything up to the middle of this batch.
                log.logEnd = header.baseOffset
            }
            guard header.baseOffset >= log.logEnd else { continue }
            let previousEnd = header.baseOffset - Int64(header.gap)
            if previousEnd > log.logEnd {
                try extend(until: previousEnd)
                if log.logEnd < previousEnd {
                    guard log.logEnd < durableEnd else { return }
                    markDamaged(
                        until: header.baseOffset, "the journal lost the frame, the segment has not")
                    log.logEnd = header.baseOffset
                    try openSegment(header.baseOffset)
                }
            }
            // Nobody has the offsets of a gap.
            log.logEnd = max(log.logEnd, header.baseOffset)
            guard let batch = try intactPayload(frame), let batchHeader = BatchHeader(batch) else {
                try extend(until: header.lastOffset + 1)
                if log.logEnd <= header.lastOffset {
                    guard log.logEnd < durableEnd else { return }
                    markDamaged(
                        until: header.lastOffset + 1,
                        "the journal's copy is damaged, too, at position \(frame.position) of "
                            + scan.files[frame.fileIndex].path)
                    log.logEnd = header.lastOffset + 1
                    try openSegment(log.logEnd)
                }
                continue
            }
            try place(batch, batchHeader, startsSegment: header.startsSegment)
        }
    }

    private func intactPayload(_ frame: JournalScan.Frame) throws(StorageFailure) -> Bytes? {
        guard frame.payloadIsIntact else { return nil }
        let payload = try scan.payload(of: frame)
        guard payload.count == frame.header.payloadLength,
            payload.withUnsafeBytes({ frame.header.isIntact($0) }) || !verifies,
            let header = BatchHeader(payload), header.byteCount == payload.count,
            header.baseOffset == frame.header.baseOffset,
            header.lastOffset == frame.header.lastOffset
        else { return nil }
        return payload
    }

    /// Puts a batch of the journal at the end of the log. It is written even when it seems to be
    /// there: after a failed sync the system shows bytes that the disk does not have and that it
    /// would never write again by itself.
    private mutating func place(
        _ batch: Bytes, _ header: BatchHeader, startsSegment: Bool
    ) throws(StorageFailure) {
        if log.segments.isEmpty || startsSegment && log.segments.last?.baseOffset != log.logEnd {
            try openSegment(log.logEnd)
        }
        let last = log.segments.count - 1
        let file = try log.segments[last].handle(disk)
        let position = log.segments[last].bytes
        if try file.read(at: position, count: batch.count) != batch { rewrittenBatches += 1 }
        try file.write([batch], at: position)
        log.leaderEpoch = max(log.leaderEpoch, header.leaderEpoch)
        log.note(header, batch, now: now)
    }

    /// Takes intact batches that the segments have although the journal does not, up to `target`.
    private mutating func extend(until target: Int64) throws(StorageFailure) {
        while log.logEnd < target {
            let before = log.logEnd
            try takeBatches(until: target, allowsGaps: false)
            if log.logEnd < target, log.segments.last?.baseOffset != log.logEnd,
                disk.exists(log.directory + "/" + Segment.fileName(log.logEnd, ".log"))
            {
                try openSegment(log.logEnd)
                try takeBatches(until: target, allowsGaps: false)
            }
            if log.logEnd == before { return }
        }
    }

    private mutating func takeBatches(
        until target: Int64, allowsGaps: Bool
    ) throws(StorageFailure) {
        guard let last = log.segments.indices.last else { return }
        let file = try log.segments[last].handle(disk)
        var scanner = BatchScanner(file: file, from: log.segments[last].bytes, to: file.size)
        while log.logEnd < target, let item = try scanner.next() {
            let follows =
                allowsGaps
                ? item.header.baseOffset >= log.logEnd : item.header.baseOffset == log.logEnd
            guard follows, item.header.recordCount > 0 || allowsGaps else { return }
            if verifies {
                let isIntact = try scanner.isIntact(item)
                guard isIntact else { return }
            }
            // Written again for the reason given at `place`.
            let batch = try scanner.bytes(of: item)
            try file.write([batch], at: item.position)
            log.note(item.header, batch, now: now)
        }
    }

    // MARK: Ends

    private mutating func markDamaged(until end: Int64, _ detail: String) {
        guard planted != .cutBelowDurableEnd else { return }
        noteDamage(
            PartitionDamage(
                topicPartition: log.topicPartition,
                file: log.segments.last?.logPath ?? log.directory,
                position: log.segments.last?.bytes ?? 0, firstOffset: Offset(log.logEnd),
                endOffset: Offset(end), detail: detail))
    }

    /// The first damage is the one to report; it stays until the partition is replaced.
    private mutating func noteDamage(_ damage: PartitionDamage) {
        if log.damage == nil { log.damage = damage }
    }

    /// Removes what lies behind the last batch: it was never acknowledged.
    private mutating func cutTail() throws(StorageFailure) {
        if let last = log.segments.indices.last {
            let excess = try log.segments[last].trim(disk: disk)
            cutBytes += excess
        }
        let kept = log.segments.map(\.baseOffset)
        for name in try disk.list(log.directory) {
            guard let base = Segment.baseOffset(name: name), !kept.contains(base) else { continue }
            let path = log.directory + "/" + name
            let file = try disk.open(path)
            cutBytes += file.size
            file.close()
            try removeFiles(base)
        }
    }
}
