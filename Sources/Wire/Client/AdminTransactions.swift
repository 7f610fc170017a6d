// Transactions as an administrator sees them: what is open, since when, and ending what hangs.

import Base
import WireProtocol

/// A transactional id as its coordinator lists it.
public struct TransactionListing: Hashable, Sendable {
    public var transactionalId: String
    public var producerId: Int64
    /// `Empty`, `Ongoing`, `PrepareCommit`, `PrepareAbort`, `CompleteCommit`, `CompleteAbort`, `Dead`.
    public var state: String
}

/// A transactional id with its transaction.
public struct TransactionInfo: Hashable, Sendable {
    public var transactionalId: String
    public var state: String
    public var producerId: Int64
    public var producerEpoch: Int16
    public var timeoutMilliseconds: Int32
    /// Milliseconds since 1970; nil when no transaction is open.
    public var started: Int64?
    public var partitions: [PartitionAddress]
}

/// A producer that has written to a partition lately.
public struct ProducerInfo: Hashable, Sendable {
    public var partition: PartitionAddress
    public var producerId: Int64
    public var producerEpoch: Int32
    public var lastSequence: Int32
    /// Milliseconds since 1970.
    public var lastTimestamp: Int64
    public var coordinatorEpoch: Int32
    /// First offset of its open transaction; nil when none is open.
    public var openSince: Int64?
}

extension Admin {
    /// The transactional ids of all coordinators, by name.
    public func listTransactions(
        states: [String] = []
    ) throws(ClientFailure) -> [TransactionListing] {
        var request = ListTransactionsRequest()
        request.stateFilters = states
        let whole = request
        var found: [TransactionListing] = []
        for broker in try describeCluster().brokers {
            found += try patiently { () throws(ClientFailure) in
                let response = try cluster.connection(to: broker.id).call(whole)
                guard response.errorCode == .none else {
                    throw ClientFailure(
                        response.errorCode, "list the transactions of broker \(broker.id)")
                }
                if let unknown = response.unknownStateFilters.first {
                    throw ClientFailure(
                        .invalidRequest, "list transactions",
                        detail: "\"\(unknown)\" is not a state of transactions"
                    ).final
                }
                return response.transactionStates.map {
                    TransactionListing(
                        transactionalId: $0.transactionalId, producerId: $0.producerId,
                        state: $0.transactionState)
                }
            }
        }
        return found.sorted { $0.transactionalId < $1.transactionalId }
    }

    /// One transactional id.
    public func describeTransaction(_ id: String) throws(ClientFailure) -> TransactionInfo {
        var request = DescribeTransactionsRequest()
        request.transactionalIds = [id]
        let whole = request
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofTransactions: id).call(whole)
            guard let found = response.transactionStates.first else {
                throw ClientFailure("the broker left transactional id '\(id)' out")
            }
            guard found.errorCode == .none else {
                throw ClientFailure(found.errorCode, "describe transactional id '\(id)'")
            }
            return TransactionInfo(
                transactionalId: found.transactionalId, state: found.transactionState,
                producerId: found.producerId, producerEpoch: found.producerEpoch,
                timeoutMilliseconds: found.transactionTimeoutMs,
                started: found.transactionStartTimeMs < 0 ? nil : found.transactionStartTimeMs,
                partitions: found.topics.flatMap { topic in
                    topic.partitions.map { PartitionAddress(topic.topic, $0) }
                }.sorted())
        }
    }

    /// The producers that have written to these partitions lately.
    public func describeProducers(
        _ partitions: [PartitionAddress]
    ) throws(ClientFailure) -> [ProducerInfo] {
        var found: [ProducerInfo] = []
        for address in partitions.sorted() {
            found += try patiently { () throws(ClientFailure) in
                _ = try cluster.refresh([address.topic])
                guard let leader = cluster.leader(of: address) else {
                    throw ClientFailure(
                        .unknownTopicOrPartition, "describe the producers of \(address)"
                    ).final
                }
                var request = DescribeProducersRequest()
                request.topics = [
                    .init(name: address.topic, partitionIndexes: [address.partition])
                ]
                let response = try cluster.connection(to: leader.node).call(request)
                guard let answer = response.topics.first?.partitions.first else {
                    throw ClientFailure("the broker left \(address) out")
                }
                guard answer.errorCode == .none else {
                    throw ClientFailure(
                        answer.errorCode, "describe the producers of \(address)",
                        detail: answer.errorMessage)
                }
                return answer.activeProducers.map {
                    ProducerInfo(
                        partition: address, producerId: $0.producerId,
                        producerEpoch: $0.producerEpoch, lastSequence: $0.lastSequence,
                        lastTimestamp: $0.lastTimestamp, coordinatorEpoch: $0.coordinatorEpoch,
                        openSince: $0.currentTxnStartOffset < 0 ? nil : $0.currentTxnStartOffset)
                }
            }
        }
        return found
    }

    /// Ends the open transaction of a transactional id with an abort, by taking the id over: its
    /// producer is fenced off.
    public func fenceProducer(_ id: String) throws(ClientFailure) {
        var request = InitProducerIdRequest()
        request.transactionalId = id
        request.transactionTimeoutMs = 60_000
        let whole = request
        try patiently { () throws(ClientFailure) in
            let response = try cluster.coordinator(ofTransactions: id).call(whole)
            switch response.errorCode {
            case .none: return
            case .concurrentTransactions:
                throw ClientFailure(response.errorCode, "end the transaction of '\(id)'").retriable
            case let code: throw ClientFailure(code, "end the transaction of '\(id)'")
            }
        }
    }

    /// Writes an abort marker for a transaction that hangs in one partition because its coordinator
    /// does not know it any more. Readers of committed records then go on.
    public func abortHanging(_ producer: ProducerInfo) throws(ClientFailure) {
        let address = producer.partition
        var marker = WriteTxnMarkersRequest.WritableTxnMarker()
        marker.producerId = producer.producerId
        marker.producerEpoch = Int16(clamping: producer.producerEpoch)
        marker.coordinatorEpoch = max(0, producer.coordinatorEpoch)
        marker.topics = [.init(name: address.topic, partitionIndexes: [address.partition])]
        var request = WriteTxnMarkersRequest()
        request.markers = [marker]
        let whole = request
        try patiently { () throws(ClientFailure) in
            _ = try cluster.refresh([address.topic])
            guard let leader = cluster.leader(of: address) else {
                throw ClientFailure(.unknownTopicOrPartition, "abort in \(address)").final
            }
            let response = try cluster.connection(to: leader.node).call(whole)
            for topic in response.markers.flatMap(\.topics) {
                for partition in topic.partitions where partition.errorCode != .none {
                    throw ClientFailure(
                        partition.errorCode, "abort producer \(producer.producerId) in \(address)")
                }
            }
        }
    }
}
