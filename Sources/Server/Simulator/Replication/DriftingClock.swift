import Base

/// The monotonic clock of a simulated machine, which runs at its own rate.
struct DriftingClock {
    private var origin: Int64
    private var since: Int64
    private var ratePerMillion: Int64 = 1_000_000

    init(origin: Int64, at time: Int64) {
        self.origin = origin
        since = time
    }

    func instant(at time: Int64) -> Instant {
        Instant(nanoseconds: origin + (time - since) / 1000 * ratePerMillion / 1000)
    }

    mutating func set(rate: Int64, at time: Int64) {
        origin = instant(at: time).nanoseconds
        since = time
        ratePerMillion = rate
    }
}
