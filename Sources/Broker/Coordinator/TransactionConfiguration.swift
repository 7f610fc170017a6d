import Base

/// How transactions behave; names of the published settings in the comments.
package struct TransactionConfiguration: Sendable {
    /// `transaction.max.timeout.ms`
    package var timeoutMax: Duration = .seconds(15 * 60)
    /// `transaction.abort.timed.out.transaction.cleanup.interval.ms`
    package var timeoutCheckInterval: Duration = .seconds(10)
    /// `transactional.id.expiration.ms`
    package var idExpiration: Duration = .seconds(7 * 24 * 3600)
    /// `transaction.remove.expired.transaction.cleanup.interval.ms`
    package var idExpirationCheckInterval: Duration = .seconds(3600)
    /// How long markers that a partition could not take wait for another attempt.
    package var retryInterval: Duration = .milliseconds(500)
    /// Transactional ids. Clients make them up, so there has to be an end.
    package var idsMax = 1_000_000
    /// They are strings of records, which end at 32,767 bytes.
    package var idBytesMax = 16_384

    package init() {}
}
