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
        guard wait > .zero else { return 0 }
        counters.throttledRequests += 1
        output.append(.pause(context.key.connection, until: now.monotonic + wait))
        return Int32(clamping: wait.wholeMilliseconds)
    }

    static let tooManyChanges = "the quota for changes is used up; try again later"
}
