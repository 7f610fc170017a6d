import Base

/// Which leader epoch began at which offset. Both columns rise strictly.
struct LeaderEpochCache: Hashable, Sendable {
    struct Entry: Hashable, Sendable {
        var epoch: Int32
        var start: Int64
    }

    private(set) var entries: [Entry] = []

    init(entries: [Entry] = []) { self.entries = entries }

    var latest: Int32? { entries.last?.epoch }

    /// Records that `epoch` begins at `start`; entries that contradict it are removed.
    mutating func assign(epoch: Int32, start: Int64) {
        if let last = entries.last, last.epoch == epoch, last.start <= start { return }
        while let last = entries.last, last.epoch >= epoch || last.start >= start {
            entries.removeLast()
        }
        entries.append(Entry(epoch: epoch, start: start))
    }

    /// Forgets what begins at `end` or above.
    mutating func truncateEnd(to end: Int64) {
        while let last = entries.last, last.start >= end { entries.removeLast() }
    }

    /// Forgets what ends at or below `start`; the epoch that covers `start` begins there.
    mutating func truncateStart(to start: Int64) {
        guard let covering = entries.lastIndex(where: { $0.start <= start }) else { return }
        entries.removeFirst(covering)
        entries[0].start = start
    }

    /// The largest epoch at or below `epoch`, and where its records end; nil when `epoch` is above
    /// everything known here.
    func endOffset(for epoch: Int32, logEndOffset: Int64) -> (epoch: Int32, endOffset: Int64)? {
        guard let newest = entries.last, let oldest = entries.first else { return nil }
        if epoch == newest.epoch { return (epoch, logEndOffset) }
        if epoch > newest.epoch { return nil }
        if epoch < oldest.epoch { return (epoch, oldest.start) }
        var index = entries.count - 1
        while entries[index].epoch > epoch { index -= 1 }
        return (entries[index].epoch, entries[index + 1].start)
    }

    /// The epoch of the record at `offset`, or -1.
    func epoch(at offset: Int64) -> Int32 {
        entries.last { $0.start <= offset }?.epoch ?? -1
    }
}
