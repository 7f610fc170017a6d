/// Events in the order of their virtual time; of equal times the one scheduled first comes first.
struct EventQueue<Event> {
    private struct Entry {
        var time: Int64
        var order: UInt64
        var event: Event

        func isBefore(_ other: Entry) -> Bool {
            time != other.time ? time < other.time : order < other.order
        }
    }

    private var heap: [Entry] = []
    private var scheduled: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func schedule(_ event: Event, at time: Int64) {
        scheduled += 1
        heap.append(Entry(time: time, order: scheduled, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].isBefore(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func next() -> (time: Int64, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        guard !heap.isEmpty else { return (first.time, first.event) }
        heap[0] = last
        var parent = 0
        while true {
            var smallest = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
                if heap[child].isBefore(heap[smallest]) { smallest = child }
            }
            if smallest == parent { return (first.time, first.event) }
            heap.swapAt(parent, smallest)
            parent = smallest
        }
    }

    mutating func removeAll(where isUnwanted: (Event) -> Bool) {
        let kept = heap.filter { !isUnwanted($0.event) }
        // A filtered heap is no heap; orders are kept, so rebuilding changes no decision.
        heap = kept.sorted { $0.isBefore($1) }
    }
}
