import Base

/// The batches of a partition that were appended last, so that readers at the end of the log are
/// served from memory; all that are not in a segment file yet are among them. How many stay is
/// decided by `LogStore` for all partitions together.
struct TailCache: Sendable {
    struct Entry: Sendable {
        var baseOffset: Int64
        var lastOffset: Int64
        var batch: Bytes
    }

    private var entries: [Entry] = []
    private var head = 0
    /// The cleaner has rewritten what lies below: it is read from the files.
    private var rewrittenBelow: Int64 = 0

    var isEmpty: Bool { head == entries.count }
    var count: Int { entries.count - head }
    /// The first offset that the cache can serve.
    var firstOffset: Int64 {
        if isEmpty { return Int64.max }
        if entries[head].baseOffset >= rewrittenBelow { return entries[head].baseOffset }
        let first = firstIndex { $0.baseOffset >= rewrittenBelow }
        return first < entries.count ? entries[first].baseOffset : Int64.max
    }
    /// The last offset of the oldest batch.
    var oldestLastOffset: Int64 { isEmpty ? -1 : entries[head].lastOffset }

    mutating func add(_ header: BatchHeader, _ batch: Bytes) {
        entries.append(
            Entry(baseOffset: header.baseOffset, lastOffset: header.lastOffset, batch: batch))
    }

    /// Drops the oldest batch.
    mutating func removeOldest() {
        guard !isEmpty else { return }
        entries[head] = Entry(baseOffset: -1, lastOffset: -1, batch: .empty)
        head += 1
        // Moving the rest down costs as much as what was dropped since: constant per batch.
        if head > 32, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
    }

    mutating func removeAll() {
        entries = []
        head = 0
    }

    /// Serves nothing below `offset` any more. The memory is given back in its time, with the rest.
    mutating func hide(below offset: Int64) { rewrittenBelow = max(rewrittenBelow, offset) }

    /// The first entry that `matches`, which all after it do too.
    private func firstIndex(_ matches: (Entry) -> Bool) -> Int {
        var low = head
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if matches(entries[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    /// Whole batches from the one that contains `offset`, all below `end`; at least one, further
    /// ones while they fit into `maxBytes`.
    func batches(
        from offset: Int64, below end: Int64, maxBytes: Int
    ) -> PartitionLog.Found {
        var low = firstIndex { $0.lastOffset >= offset }
        var result = PartitionLog.Found(end: offset)
        var total = 0
        while low < entries.count, entries[low].lastOffset < end {
            let batch = entries[low].batch
            if !result.batches.isEmpty, total + batch.count > maxBytes { break }
            result.batches.append(batch)
            result.end = entries[low].lastOffset + 1
            total += batch.count
            low += 1
        }
        return result
    }
}
