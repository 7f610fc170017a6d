// The public face of consuming. See `ConsumerCore` for the work.

import Base
import WireProtocol

/// Reads records of topics, alone (`assign`) or as a member of a group (`subscribe`).
///
/// One program thread or task uses a consumer; calls from several are made one after the other.
/// A group member must call `poll` at least every `maxPollInterval`. `close` may be called from
/// anywhere and ends a `poll` that waits.
///
/// Deliveries are at least once: a position is stored when the records before it were returned,
/// so what was returned last may be returned again after a crash.
public final class Consumer: Sendable {
    private let gate: Monitor<ConsumerCore>
    private let inbox: ConsumerCore.Inbox
    private let worker = Worker()
    /// Commits that nobody waits for, one after the other.
    private let commitWorker = Worker()

    public init(_ configuration: ConsumerConfiguration) {
        let core = ConsumerCore(configuration)
        inbox = core.inbox
        gate = Monitor(core)
    }

    deinit {
        gate.withLock { $0.abandon() }
        worker.close()
        commitWorker.close()
    }

    /// Shares the partitions of these topics with the other members of the group. Partitions are
    /// assigned within `poll`.
    public func subscribe(_ topics: [String]) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in try core.subscribe(topics) }
    }

    /// Reads exactly these partitions, without a group's coordination.
    public func assign(_ partitions: [PartitionAddress]) {
        gate.withLock { $0.assign(partitions) }
    }

    /// The partitions that this consumer reads now.
    public var assignment: [PartitionAddress] { gate.withLock { $0.assignment } }

    /// The next records of any partition, as soon as there are some; empty after `timeout`. Joining
    /// a group may take longer than `timeout`, up to the rebalance of the whole group.
    public func poll(timeout: Duration) async throws(ClientFailure) -> [ConsumedRecord] {
        try await onWorker { (core) throws(ClientFailure) in try core.poll(timeout: timeout) }
    }

    /// `poll` on the calling thread.
    public func pollBlocking(timeout: Duration) throws(ClientFailure) -> [ConsumedRecord] {
        try gate.withLock { (core) throws(ClientFailure) in try core.poll(timeout: timeout) }
    }

    /// Stores the positions of all partitions for the group.
    public func commit() async throws(ClientFailure) {
        try await onWorker { (core) throws(ClientFailure) in try core.commit() }
    }

    /// `commit` on the calling thread.
    public func commitBlocking() throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in try core.commit() }
    }

    /// Stores the given offsets: each the offset of the next record to read.
    public func commit(
        _ offsets: [PartitionAddress: CommittedOffset]
    ) async throws(ClientFailure) {
        try await onWorker { (core) throws(ClientFailure) in try core.commit(offsets) }
    }

    /// `commit(_:)` on the calling thread.
    public func commitBlocking(
        _ offsets: [PartitionAddress: CommittedOffset]
    ) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in try core.commit(offsets) }
    }

    /// Stores the positions of all partitions, or the given offsets, without waiting. Commits are
    /// made in the order of the calls; `completion` hears how each ended, on a thread of the
    /// library. A later commit makes up for one that failed.
    public func commitInBackground(
        _ offsets: [PartitionAddress: CommittedOffset]? = nil,
        completion: (@Sendable (ClientFailure?) -> Void)? = nil
    ) throws(ClientFailure) {
        let work = try gate.withLock { (core) throws(ClientFailure) in
            try core.commitWork(offsets)
        }
        commitWorker.submit {
            do throws(ClientFailure) {
                try work.run()
                completion?(nil)
            } catch {
                completion?(error)
            }
        }
    }

    /// Who this consumer is in its group, for `Producer.sendOffsets`.
    public func groupMetadata() throws(ClientFailure) -> ConsumerGroupMetadata {
        try gate.withLock { (core) throws(ClientFailure) in try core.groupMetadata() }
    }

    /// Returns nothing of these partitions until they are resumed; the consumer stays their owner.
    public func pause(_ partitions: [PartitionAddress]) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in try core.pause(partitions, true) }
    }

    /// Ends a pause. What was fetched before it is returned first.
    public func resume(_ partitions: [PartitionAddress]) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in try core.pause(partitions, false) }
    }

    /// The partitions that are paused now.
    public var paused: [PartitionAddress] { gate.withLock { $0.paused } }

    /// What the group has stored for these partitions.
    public func committed(
        _ partitions: [PartitionAddress]
    ) async throws(ClientFailure) -> [PartitionAddress: CommittedOffset] {
        try await onWorker { (core) throws(ClientFailure) in try core.committed(partitions) }
    }

    /// Offset of the record that `poll` returns next from this partition.
    public func position(_ partition: PartitionAddress) async throws(ClientFailure) -> Int64 {
        try await onWorker { (core) throws(ClientFailure) in try core.position(partition) }
    }

    /// `position` on the calling thread.
    public func positionBlocking(_ partition: PartitionAddress) throws(ClientFailure) -> Int64 {
        try gate.withLock { (core) throws(ClientFailure) in try core.position(partition) }
    }

    /// Records that this consumer has not returned yet; nil before the first answer.
    public func lag(_ partition: PartitionAddress) -> Int64? {
        gate.withLock { $0.lag(partition) }
    }

    /// Goes on at this offset.
    public func seek(_ partition: PartitionAddress, to offset: Int64) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in
            try core.seek(partition, to: offset)
        }
    }

    /// Goes on at the first record that there is.
    public func seekToBeginning(_ partitions: [PartitionAddress]) throws(ClientFailure) {
        try seek(partitions, query: OffsetQuery.earliest)
    }

    /// Goes on behind the last record that there is.
    public func seekToEnd(_ partitions: [PartitionAddress]) throws(ClientFailure) {
        try seek(partitions, query: OffsetQuery.latest)
    }

    /// Goes on at the first record with this timestamp (milliseconds since 1970) or a later one.
    public func seek(
        _ partitions: [PartitionAddress], toTimestamp timestamp: Int64
    ) throws(ClientFailure) {
        try seek(partitions, query: max(0, timestamp))
    }

    private func seek(_ partitions: [PartitionAddress], query: Int64) throws(ClientFailure) {
        try gate.withLock { (core) throws(ClientFailure) in
            try core.seek(partitions, query: query)
        }
    }

    /// Stores the positions if commits are automatic, leaves the group and ends the connections.
    public func close() async {
        inbox.close()
        _ = try? await onWorker { (core) throws(ClientFailure) in core.close() }
    }

    /// `close` on the calling thread.
    public func closeBlocking() {
        inbox.close()
        gate.withLock { $0.close() }
    }

    /// Whether `close` was called.
    var isClosed: Bool { inbox.isClosing }

    private func onWorker<Value: Sendable>(
        _ body: @escaping @Sendable (ConsumerCore) throws(ClientFailure) -> Value
    ) async throws(ClientFailure) -> Value {
        let gate = gate
        return try await worker.run { () throws(ClientFailure) in
            try gate.withLock { (core) throws(ClientFailure) in try body(core) }
        }
    }
}
