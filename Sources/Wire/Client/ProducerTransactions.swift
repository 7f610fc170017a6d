// Transactions of a producer: the public calls.

import Base
import WireProtocol

extension Producer {
    /// Takes over the transactional id: aborts what an earlier producer with it left open and fences
    /// that producer off. Call it once, before the first transaction.
    public func initTransactions() async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in try Self.manager(core).initialize() }
    }

    /// `initTransactions` on the calling thread.
    public func initTransactionsBlocking() throws(ClientFailure) {
        try Self.manager(core).initialize()
    }

    /// Begins a transaction. What is sent from now on belongs to it.
    public func beginTransaction() throws(ClientFailure) { try Self.manager(core).begin() }

    /// Stores offsets of a consumer group within the transaction: they count when it commits. The
    /// consumer must not commit these offsets itself.
    public func sendOffsetsToTransaction(
        _ offsets: [PartitionAddress: CommittedOffset], group: ConsumerGroupMetadata
    ) async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in
            try Self.manager(core).send(offsets, of: group)
        }
    }

    /// `sendOffsetsToTransaction` on the calling thread.
    public func sendOffsetsToTransactionBlocking(
        _ offsets: [PartitionAddress: CommittedOffset], group: ConsumerGroupMetadata
    ) throws(ClientFailure) {
        try Self.manager(core).send(offsets, of: group)
    }

    /// Waits until everything that was sent is stored, and makes it visible. When this throws a
    /// failure that is not retriable, the transaction must be aborted; a retriable one may be
    /// answered by the same call again.
    public func commitTransaction() async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in try Self.commit(core) }
    }

    /// `commitTransaction` on the calling thread.
    public func commitTransactionBlocking() throws(ClientFailure) { try Self.commit(core) }

    /// Takes back everything that was sent in the transaction. What is still buffered fails.
    public func abortTransaction() async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in try Self.abort(core) }
    }

    /// `abortTransaction` on the calling thread.
    public func abortTransactionBlocking() throws(ClientFailure) { try Self.abort(core) }

    /// Runs `body` within a transaction, which is committed when it returns and aborted when it
    /// throws.
    public func inTransaction<Value: Sendable>(
        _ body: (Producer) async throws -> Value
    ) async throws -> Value {
        try beginTransaction()
        do {
            let value = try await body(self)
            try await commitTransaction()
            return value
        } catch {
            // The first failure is what the caller wants to hear; what the abort could not end, the
            // broker ends after the transaction's timeout.
            try? await abortTransaction()
            throw error
        }
    }

    private static func manager(_ core: ProducerCore) throws(ClientFailure) -> TransactionManager {
        guard let manager = core.transactions else {
            throw ClientFailure("transactions need a producer with a transactionalId")
        }
        return manager
    }

    private static func commit(_ core: ProducerCore) throws(ClientFailure) {
        let manager = try manager(core)
        try manager.checkOpen()
        do throws(ClientFailure) {
            try core.flush()
        } catch {
            manager.mustAbort(error)
            throw error.final
        }
        try manager.end(committed: true)
    }

    private static func abort(_ core: ProducerCore) throws(ClientFailure) {
        let manager = try manager(core)
        try manager.checkMayAbort()
        core.dropBuffered()
        try manager.end(committed: false)
    }
}
