// Quotas of clients. Whoever is above one gets its answer at once, with the time to wait in it, and
// the driver reads nothing from the connection for that time.

import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Counts `amount` against the client's quota. Returns for how many milliseconds the client is
    /// made to wait, as the answer tells it.
    mutating func throttle(
        _ kind: QuotaKind, _ amount: Int, _ context: RequestContext
    ) -> Int32 {
        if image.quotas.isEmpty { return 0 }
        let wait = quotaMeters.record(
            kind, Double(amount), user: context.principal.name, clientID: context.clientID,
            quotas: image.quotas, now: now.monotonic)
        return pause(context, wait)
    }

    /// Counts partitions that are created or deleted. Above zero when the client has to wait; with
    /// `isStrict` nothing is then to be changed, and nothing was counted.
    mutating func throttleMutations(
        _ partitions: Int, isStrict: Bool, _ context: RequestContext
    ) -> Int32 {
        if image.quotas.isEmpty { return 0 }
        let wait = quotaMeters.recordMutations(
            partitions, isForced: !isStrict, user: context.principal.name,
            clientID: context.clientID, quotas: image.quotas, now: now.monotonic)
        return pause(context, wait)
    }

    private mutating func pause(_ context: RequestContext, _ wait: Duration) -> Int32 {
        pause(context.key.connection, wait)
        return Int32(clamping: wait.wholeMilliseconds)
    }

    private mutating func pause(_ id: ConnectionID, _ wait: Duration) {
        guard wait > .zero else { return }
        counters.throttledRequests += 1
        output.append(.pause(id, until: now.monotonic + wait))
    }

    /// Whether the driver is to say how long requests take.
    package var measuresRequests: Bool { image.hasRequestQuotas }

    /// Counts the time of a request against its client's quota. The answer is made already, so the
    /// client is not told: its next request waits, at most a second.
    package mutating func requestTook(
        _ duration: Duration, of id: ConnectionID, now: Now, into effects: inout [NodeEffect]
    ) {
        guard let connection = connections[id] else { return }
        self.now = now
        let percentSeconds = Double(duration.wholeNanoseconds) / 1e7
        let wait = quotaMeters.record(
            .requestPercentage, percentSeconds, user: connection.principal.name,
            clientID: connection.lastClientID, quotas: image.quotas, now: now.monotonic)
        pause(id, min(wait, .seconds(1)))
        effects.append(contentsOf: output)
        output.removeAll(keepingCapacity: true)
    }

    static let tooManyChanges = "the quota for changes is used up; try again later"
}
