// The public face of consuming with a share group. See `ShareConsumerCore` for the work.

import Base
import WireProtocol

/// Reads records of topics as a member of a share group (KIP-932): the members share partitions, and
/// each record is given to one of them for a while, until it says what became of it.
///
///     let consumer = ShareConsumer(.init(groupId: "jobs", acknowledgementMode: .explicit))
///     consumer.subscribe(["orders"])
///     while running {
///         for job in try await consumer.poll(timeout: .seconds(1)) {
///             try consumer.acknowledge(job, work(on: job) ? .accept : .release)
///         }
///     }
///     await consumer.close()
///
/// Deliveries are at least once: what was not acknowledged in time comes again, to any member, until
/// the group's limit of deliveries. Order is not kept.
///
/// One program thread or task uses a consumer; calls from several are made one after the other.
/// `close` may be called from anywhere and ends a `poll` that waits.
public final class ShareConsumer: Sendable {
    private let gate: Monitor<ShareConsumerCore>
    private let closing: ShareConsumerCore.Closing
    private let worker = Worker()

    public init(_ configuration: ShareConsumerConfiguration) {
        let core = ShareConsumerCore(configuration)
        closing = core.closing
        gate = Monitor(core)
    }

    deinit {
        gate.withLock { $0.abandon() }
        worker.close()
    }

    /// Reads these topics from the next `poll` on.
    public func subscribe(_ topics: [String]) { gate.withLock { $0.subscribe(topics) } }

    /// The next records of any partition, as soon as there are some; empty after `timeout`. Sends
    /// what was said about the records before.
    public func poll(timeout: Duration) async throws(ClientFailure) -> [ShareRecord] {
        try await onWorker { (core) throws(ClientFailure) in try core.poll(timeout: timeout) }
    }

    /// `poll` on the calling thread.
    public func pollBlocking(timeout: Duration) throws(ClientFailure) -> [ShareRecord] {
        try gate.withLock { (core) throws(ClientFailure) in try core.poll(timeout: timeout) }
    }

    /// Says what became of a record. It is sent with the next `poll`, or by `commit`. Only in
    /// explicit mode.
    public func acknowledge(
        _ record: ShareRecord, _ acknowledgement: ShareAcknowledgement = .accept
    ) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in
            try core.acknowledge(record, acknowledgement)
        }
    }

    /// Sends what was said and waits until it is durable; in implicit mode it accepts everything
    /// that was returned. What became of it is in the result, one for each partition.
    @discardableResult
    public func commit() async throws(ClientFailure) -> [ShareAcknowledgementResult] {
        try await onWorker { (core) throws(ClientFailure) in try core.commit() }
    }

    /// `commit` on the calling thread.
    @discardableResult
    public func commitBlocking() throws(ClientFailure) -> [ShareAcknowledgementResult] {
        try gate.withLock { (core) throws(ClientFailure) in try core.commit() }
    }

    /// Sends what was said, gives back the rest and leaves the group.
    public func close() async {
        closing.set()
        _ = try? await onWorker { (core) throws(ClientFailure) in core.close() }
    }

    /// `close` on the calling thread.
    public func closeBlocking() {
        closing.set()
        gate.withLock { $0.close() }
    }

    private func onWorker<Value: Sendable>(
        _ body: @escaping @Sendable (ShareConsumerCore) throws(ClientFailure) -> Value
    ) async throws(ClientFailure) -> Value {
        let gate = gate
        return try await worker.run { () throws(ClientFailure) in
            try gate.withLock { (core) throws(ClientFailure) in try body(core) }
        }
    }
}
