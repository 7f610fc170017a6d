import Base

/// The entries behind a snapshot, in memory. The metadata log is short: what is older than the
/// snapshot, but for a tail for slow followers, is dropped.
package struct RaftLog: Sendable {
    /// The place before the first entry that is here, with the chain there.
    package private(set) var base: LogPosition
    package private(set) var baseChain: UInt32
    private var entries: [RaftEntry] = []
    /// `chains[i]` is the chain at `entries[i]`.
    private var chains: [UInt32] = []
    /// Bytes of the contents that are here.
    package private(set) var byteCount = 0

    package init(base: LogPosition, chain: UInt32) {
        self.base = base
        baseChain = chain
    }

    package var firstIndex: LogIndex { base.index.next }
    package var lastIndex: LogIndex { base.index + entries.count }
    package var lastPosition: LogPosition { entries.last?.position ?? base }
    package var lastChain: UInt32 { chains.last ?? baseChain }
    package var count: Int { entries.count }

    /// The term at `index`; nil outside of what is here.
    package func term(at index: LogIndex) -> Term? {
        if index == base.index { return base.term }
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[index - firstIndex].term
    }

    /// The chain at `index`; nil outside of what is here.
    package func chain(at index: LogIndex) -> UInt32? {
        if index == base.index { return baseChain }
        guard index > base.index, index <= lastIndex else { return nil }
        return chains[index - firstIndex]
    }

    package func entry(at index: LogIndex) -> RaftEntry? {
        guard index > base.index, index <= lastIndex else { return nil }
        return entries[index - firstIndex]
    }

    /// Entries from `first` to `last`, as many as the bounds allow, at least one if there is one.
    package func entries(
        from first: LogIndex, through last: LogIndex, countMax: Int = .max, bytesMax: Int = .max
    ) -> [RaftEntry] {
        precondition(first >= firstIndex, "the entries are here")
        var result: [RaftEntry] = []
        var bytes = 0
        var place = first - firstIndex
        let end = min(min(last, lastIndex) - firstIndex + 1, entries.count)
        while place < end, result.count < countMax {
            bytes += entries[place].payload.count
            if bytes > bytesMax, !result.isEmpty { break }
            result.append(entries[place])
            place += 1
        }
        return result
    }

    /// Adds an entry directly behind the last.
    package mutating func append(_ entry: RaftEntry) {
        precondition(entry.index == lastIndex.next, "entries have no gaps")
        precondition(entry.term >= lastPosition.term, "terms do not go back")
        chains.append(entry.chain(after: lastChain))
        entries.append(entry)
        byteCount += entry.payload.count
    }

    /// Drops everything behind `index`.
    package mutating func truncate(after index: LogIndex) {
        precondition(index >= base.index, "what a snapshot stands for is not cut")
        let keep = index - base.index
        guard keep < entries.count else { return }
        for entry in entries[keep...] { byteCount -= entry.payload.count }
        entries.removeSubrange(keep...)
        chains.removeSubrange(keep...)
    }

    /// Drops everything up to `index`.
    package mutating func compact(through index: LogIndex) {
        guard index > base.index, let term = term(at: index), let chain = chain(at: index) else {
            return
        }
        let drop = index - base.index
        for entry in entries[..<drop] { byteCount -= entry.payload.count }
        entries.removeFirst(drop)
        chains.removeFirst(drop)
        base = LogPosition(term: term, index: index)
        baseChain = chain
    }

    /// The last place at or before `index` whose term is at most `term`: where a leader looks for
    /// a common past.
    package func lastIndex(upTo index: LogIndex, termAtMost term: Term) -> LogIndex {
        var place = min(index, lastIndex)
        while place > base.index, let found = self.term(at: place), found > term {
            place = place.previous
        }
        return place
    }

    /// Terms rise, indexes have no gaps, bytes are the sum.
    package func checkInvariants() {
        precondition(entries.count == chains.count, "each entry has its chain")
        var previous = base
        var bytes = 0
        for entry in entries {
            precondition(entry.index == previous.index.next && entry.term >= previous.term)
            previous = entry.position
            bytes += entry.payload.count
        }
        precondition(bytes == byteCount, "bytes are the sum")
    }
}
