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

    var isEmpty: Bool { head == entries.count }
    var count: Int { entries.count - head }
    /// The first offset that the cache can serve.
    var firstOffset: Int64 { isEmpty ? Int64.max : entries[head].baseOffset }
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

    /// Whole batches from the one that contains `offset`, all below `end`; at least one, further
    /// ones while they fit into `maxBytes`.
    func batches(from offset: Int64, below end: Int64, maxBytes: Int) -> [Bytes] {
        var low = head
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].lastOffset < offset { low = middle + 1 } else { high = middle }
        }
        var result: [Bytes] = []
        var total = 0
        while low < entries.count, entries[low].lastOffset < end {
            let batch = entries[low].batch
            if !result.isEmpty, total + batch.count > maxBytes { break }
            result.append(batch)
            total += batch.count
            low += 1
        }
        return result
    }
}
