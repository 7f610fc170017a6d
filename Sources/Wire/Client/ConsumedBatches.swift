/// Records in the pieces in which they arrive, for `for try await`:
///
///     for try await batch in consumer.batches() {
///         for record in batch { print(record.valueText ?? "") }
///     }
///
/// Ends when the consumer is closed or the task is cancelled. A batch counts as read when the next
/// one is asked for.
public struct ConsumedBatches: AsyncSequence, Sendable {
    public typealias Element = [ConsumedRecord]
    public typealias Failure = ClientFailure

    let consumer: Consumer

    public struct AsyncIterator: AsyncIteratorProtocol, Sendable {
        let consumer: Consumer

        public mutating func next() async throws(ClientFailure) -> [ConsumedRecord]? {
            while !Task.isCancelled, !consumer.isClosed {
                // Short, so that a cancelled task ends soon.
                let records = try await consumer.poll(timeout: .milliseconds(500))
                if !records.isEmpty { return records }
            }
            return nil
        }

        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(ClientFailure) -> [ConsumedRecord]? {
            try await next()
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(consumer: consumer) }
}

extension Consumer {
    /// The records of all partitions, in batches, until the consumer is closed.
    public func batches() -> ConsumedBatches { ConsumedBatches(consumer: self) }
}
