/// A queue of things that should happen at some moment: a binary heap, ties in the order of
/// insertion, so that equal deadlines fire in the same order in every run.
///
/// There is no removal: owners keep the deadline they mean and ignore entries that no longer match
/// it, which costs one entry per change of mind instead of a search.
package struct DeadlineQueue<Key> {
    fileprivate struct Entry {
        var deadline: Instant
        var sequence: UInt64
        var key: Key

        func isBefore(_ other: Entry) -> Bool {
            deadline != other.deadline ? deadline < other.deadline : sequence < other.sequence
        }
    }

    private var heap: [Entry] = []
    private var nextSequence: UInt64 = 0

    package init() {}

    package var count: Int { heap.count }

    /// The earliest deadline.
    package var next: Instant? { heap.first?.deadline }

    package mutating func push(_ deadline: Instant, _ key: Key) {
        heap.append(Entry(deadline: deadline, sequence: nextSequence, key: key))
        nextSequence &+= 1
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Removes and returns the earliest entry whose deadline is not after `now`.
    package mutating func popDue(_ now: Instant) -> (deadline: Instant, key: Key)? {
        guard let first = heap.first, first.deadline <= now else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.deadline, first.key)
    }

    /// Drops the entries that nobody waits for any more, in O(n). Owners that change their minds
    /// often call it when most entries are stale, so that the queue stays bounded.
    package mutating func prune(keeping isWanted: (Instant, Key) -> Bool) {
        heap.removeAll { !isWanted($0.deadline, $0.key) }
        var parent = heap.count / 2
        while parent > 0 {
            parent -= 1
            sink(from: parent)
        }
    }

    private mutating func sink(from start: Int = 0) {
        var parent = start
        while true {
            let left = parent * 2 + 1
            guard left < heap.count else { return }
            let right = left + 1
            var smallest = left
            if right < heap.count, heap[right].isBefore(heap[left]) { smallest = right }
            guard heap[smallest].isBefore(heap[parent]) else { return }
            heap.swapAt(smallest, parent)
            parent = smallest
        }
    }
}

extension DeadlineQueue: Sendable where Key: Sendable {}
extension DeadlineQueue.Entry: Sendable where Key: Sendable {}
