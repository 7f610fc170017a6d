// How long things took, without keeping each: buckets whose width grows with the value.
//
// 64 buckets a power of two keep every percentile within 1/64 = 1.6 % of the truth, from 1 ns to
// 292 years, in 58 × 64 counters (30 KiB). Recording is a shift and an addition.

/// Counts of durations in nanoseconds.
package struct LatencyHistogram: Sendable {
    private static let subBuckets = 64
    private static let subBits = 6

    private var counts: [Int64]
    package private(set) var count: Int64 = 0
    package private(set) var maximum: Int64 = 0
    package private(set) var minimum: Int64 = .max
    private var sum: Double = 0

    package init() {
        counts = [Int64](repeating: 0, count: (64 - Self.subBits) * Self.subBuckets)
    }

    /// Notes one duration; what is negative (a clock that jumped) counts as 0.
    package mutating func record(_ nanoseconds: Int64) {
        let value = max(0, nanoseconds)
        counts[Self.bucket(of: value)] += 1
        count += 1
        maximum = max(maximum, value)
        minimum = min(minimum, value)
        sum += Double(value)
    }

    /// Adds what another histogram has counted.
    package mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maximum = max(maximum, other.maximum)
        minimum = min(minimum, other.minimum)
        sum += other.sum
    }

    /// The mean in nanoseconds; 0 when nothing was noted.
    package var mean: Double { count == 0 ? 0 : sum / Double(count) }

    /// The duration that `share` (0 to 1) of all did not exceed, in nanoseconds, at most 1.6 % too
    /// large; 0 when nothing was noted.
    package func percentile(_ share: Double) -> Int64 {
        guard count > 0 else { return 0 }
        let wanted = max(1, Int64((Double(count) * share).rounded(.up)))
        var seen: Int64 = 0
        for (index, found) in counts.enumerated() where found > 0 {
            seen += found
            if seen >= wanted { return min(Self.upperBound(of: index), maximum) }
        }
        return maximum
    }

    /// Values below 64 have a bucket each; above, the top seven bits choose it.
    private static func bucket(of value: Int64) -> Int {
        if value < subBuckets { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - subBits
        // The value shifted down is from 64 to 127.
        return (shift + 1) * subBuckets + Int(value >> Int64(shift)) - subBuckets
    }

    /// The largest value of a bucket.
    private static func upperBound(of bucket: Int) -> Int64 {
        if bucket < subBuckets { return Int64(bucket) }
        let shift = bucket / subBuckets - 1
        let top = Int64(bucket % subBuckets + subBuckets)
        return ((top + 1) << Int64(shift)) &- 1
    }
}
