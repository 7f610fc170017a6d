// What became of numbered records: which were acknowledged, and what is read of them. Each partition
// counts its own from 0, in the order in which they were sent.

/// The numbers that were acknowledged, with the offsets they were acknowledged at. Neighbours share
/// a run, so that millions need little room.
package struct AcknowledgedNumbers: Sendable {
    private struct Run {
        var first: Int64
        var end: Int64
        /// Of the first one; -1 when the broker did not say.
        var offset: Int64
    }

    /// In the order of their numbers; none touches another.
    private var runs: [Run] = []
    package private(set) var count: Int64 = 0

    package init() {}

    /// Notes a number that was not noted before.
    package mutating func add(_ number: Int64, offset: Int64) {
        count += 1
        let place = index(after: number)
        if place > 0, runs[place - 1].end == number {
            let before = runs[place - 1]
            let continues =
                offset < 0
                ? before.offset < 0
                : before.offset >= 0 && offset == before.offset + number - before.first
            if continues {
                runs[place - 1].end += 1
                return
            }
        }
        runs.insert(Run(first: number, end: number + 1, offset: offset), at: place)
    }

    /// Whether a record may be read at `offset`: it was acknowledged there, or nowhere in particular.
    package func allows(_ number: Int64, at offset: Int64) -> Bool {
        let place = index(after: number)
        guard place > 0, number < runs[place - 1].end else { return true }
        let run = runs[place - 1]
        return run.offset < 0 || offset == run.offset + number - run.first
    }

    /// How many of `numbers` were acknowledged.
    package func count(in numbers: Range<Int64>) -> Int64 {
        var count: Int64 = 0
        for run in runs[max(0, index(after: numbers.lowerBound) - 1)...] {
            if run.first >= numbers.upperBound { break }
            count += max(
                0, min(run.end, numbers.upperBound) - max(run.first, numbers.lowerBound))
        }
        return count
    }

    /// The place behind the last run that begins at `number` or before it.
    private func index(after number: Int64) -> Int {
        // What is asked for is nearly always at the end.
        if let last = runs.last, last.first <= number { return runs.count }
        var low = 0
        var high = runs.count
        while low < high {
            let middle = (low + high) / 2
            if runs[middle].first <= number { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

/// What one reader has seen of one partition, from its begin on.
package struct ReadNumbers: Sendable {
    /// The number behind the highest one that was read.
    package private(set) var end: Int64 = 0
    /// What was passed over, in the order of the numbers.
    private var gaps: [Range<Int64>] = []
    package private(set) var read: Int64 = 0
    /// Records that were read before.
    package private(set) var twice: Int64 = 0
    /// Records that came behind a higher number.
    package private(set) var outOfOrder: Int64 = 0
    /// Records that are not where they were acknowledged.
    package private(set) var elsewhere: Int64 = 0

    package init() {}

    package mutating func take(
        _ number: Int64, at offset: Int64, _ acknowledged: AcknowledgedNumbers? = nil
    ) {
        read += 1
        if let acknowledged, !acknowledged.allows(number, at: offset) { elsewhere += 1 }
        if number >= end {
            if number > end { gaps.append(end..<number) }
            end = number + 1
            return
        }
        guard let place = gaps.firstIndex(where: { $0.contains(number) }) else {
            twice += 1
            return
        }
        outOfOrder += 1
        let gap = gaps.remove(at: place)
        if number + 1 < gap.upperBound { gaps.insert(number + 1..<gap.upperBound, at: place) }
        if gap.lowerBound < number { gaps.insert(gap.lowerBound..<number, at: place) }
    }

    /// Acknowledged records that were passed over; with `isWhole`, also those that never came.
    package func lost(_ acknowledged: AcknowledgedNumbers, isWhole: Bool) -> Int64 {
        var lost = gaps.reduce(0) { $0 + acknowledged.count(in: $1) }
        if isWhole { lost += acknowledged.count(in: end..<Int64.max) }
        return lost
    }
}
