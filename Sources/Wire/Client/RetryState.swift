import Base

/// Decides whether and when to try again. Waits grow from 50 ms to 1 s by doubling, because most
/// causes (an election, a restart) pass within seconds.
package struct RetryState: Hashable, Sendable {
    package enum Decision: Hashable, Sendable {
        /// Try again at this moment of the monotonic clock.
        case retry(at: Int64)
        case giveUp
    }

    package static let firstDelay: Int64 = 50_000_000
    package static let longestDelay: Int64 = 1_000_000_000

    /// How often it failed.
    package private(set) var failures = 0
    /// When nothing is tried any more.
    package let deadline: Int64

    package init(deadline: Int64) { self.deadline = deadline }

    /// What to do after a failure that happened `now`.
    package mutating func decide(after failure: ClientFailure, now: Int64) -> Decision {
        guard failure.isRetriable else { return .giveUp }
        let delay = min(Self.firstDelay << Int64(min(failures, 10)), Self.longestDelay)
        failures += 1
        let next = now + delay
        return next >= deadline ? .giveUp : .retry(at: next)
    }
}

/// Calls `body` until it succeeds, fails for good, or the time is up.
func retrying<Value>(
    for timeout: Duration, _ body: () throws(ClientFailure) -> Value
) throws(ClientFailure) -> Value {
    var state = RetryState(deadline: monotonicNow() + timeout.wholeNanoseconds)
    while true {
        do throws(ClientFailure) {
            return try body()
        } catch {
            let now = monotonicNow()
            guard case .retry(let time) = state.decide(after: error, now: now) else { throw error }
            sleepBlocking(nanoseconds: time - now)
        }
    }
}
