// The public face of producing. See `ProducerCore` for the work.

import Base
import WireProtocol

/// What a producer has done so far.
public struct ProducerStatistics: Hashable, Sendable {
    public var acknowledgedRecords: Int64 = 0
    public var failedRecords: Int64 = 0
    public var acknowledgedBatches: Int64 = 0
    /// Bytes of acknowledged batches as they were sent, compressed.
    public var acknowledgedBytes: Int64 = 0
    /// Batches that had to be sent again.
    public var repeatedBatches: Int64 = 0
    public init() {}
}

/// Sends records to topics. Safe to use from any number of threads and tasks.
///
/// Records are collected into batches for `linger`; a thread of the producer sends them to the
/// leaders of their partitions and repeats what failed and may succeed. Records of one partition
/// are stored in the order they were handed over. With `isIdempotent` none is stored twice.
///
/// With a `transactionalId`, records are sent within transactions: what is sent between
/// `beginTransaction` and `commitTransaction` becomes visible to readers of committed records as a
/// whole, or not at all.
///
/// Call `close` when done: it sends what is buffered and ends the thread.
public final class Producer: Sendable {
    let core: ProducerCore
    let worker = Worker()

    public init(_ configuration: ProducerConfiguration = ProducerConfiguration()) {
        core = ProducerCore(configuration)
        core.start()
    }

    deinit {
        core.abandon()
        worker.close()
    }

    /// Sends one record and waits until it is stored. Many tasks that send at the same time share
    /// batches; a single loop of `send` waits once for every record: use `enqueue` there.
    public func send(_ record: ProducerRecord) async throws(ClientFailure) -> RecordMetadata {
        if !core.knows(record.topic) {
            let core = core
            try await worker.run { () throws(ClientFailure) in try core.learn(record.topic) }
        }
        let result: Result<RecordMetadata, ClientFailure> =
            await withCheckedContinuation { continuation in
                core.enqueueOrPark(record) { continuation.resume(returning: $0) }
            }
        return try result.get()
    }

    /// `send` on the calling thread.
    public func sendBlocking(_ record: ProducerRecord) throws(ClientFailure) -> RecordMetadata {
        let reply = Monitor<Result<RecordMetadata, ClientFailure>?>(nil)
        try core.enqueue(record) { result in reply.update { $0 = result } }
        let result: Result<RecordMetadata, ClientFailure>? = reply.wait { $0 }
        return try (result ?? .failure(.closed)).get()
    }

    /// Hands a record over and returns at once; blocks only while the buffer is full or the topic
    /// has not been heard of. What becomes of it is told by `flush`, `statistics` and `onDelivery`.
    public func enqueue(_ record: ProducerRecord) throws(ClientFailure) {
        try core.enqueue(record, completion: nil)
    }

    /// `enqueue`, and `completion` hears what becomes of the record, on a thread of the library. It
    /// must not block: other answers wait for it.
    public func enqueue(
        _ record: ProducerRecord,
        completion: @escaping @Sendable (Result<RecordMetadata, ClientFailure>) -> Void
    ) throws(ClientFailure) {
        try core.enqueue(record, completion: completion)
    }

    /// Waits until everything that was handed over before is stored or has failed. Throws the first
    /// failure of an enqueued record since the last `flush`.
    public func flush() async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in try core.flush() }
    }

    /// `flush` on the calling thread.
    public func flushBlocking() throws(ClientFailure) { try core.flush() }

    /// Flushes, then ends the producer. Later calls fail.
    public func close() async throws(ClientFailure) {
        let core = core
        try await worker.run { () throws(ClientFailure) in try core.close() }
    }

    /// `close` on the calling thread.
    public func closeBlocking() throws(ClientFailure) { try core.close() }

    public var statistics: ProducerStatistics { core.statistics }
}
