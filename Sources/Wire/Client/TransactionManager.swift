// The state of a producer's transactions, and what it says to the coordinator.
//
// Two protocols. The older one (version 1) names each partition and group to the coordinator before
// anything is sent there. With version 2 a partition joins by the first batch that is produced to
// it, and each transaction gets an epoch of its own, which the answer to EndTxn tells; so a late
// batch of an earlier transaction can't slip into a later one.

import Base
import WireProtocol

final class TransactionManager: Sendable {
    /// Who the producer is in the current transaction.
    struct Identity: Sendable {
        var producerId: Int64
        var producerEpoch: Int16
        /// Rises whenever one of them changes: sequences then begin at 0.
        var version: Int
    }

    private enum Phase: Sendable {
        case uninitialized
        case ready
        case open
        /// Something failed; the transaction can only be aborted.
        case mustAbort(ClientFailure)
        /// Another producer took over, or the broker does not know us any more: for good.
        case failed(ClientFailure)
    }

    private struct State: Sendable {
        var phase = Phase.uninitialized
        var identity = Identity(producerId: -1, producerEpoch: -1, version: 0)
        /// Whether partitions join by being produced to (version 2 of the protocol).
        var joinsByProducing = false
        var partitions: Set<PartitionAddress> = []
        /// Whether offsets were stored: then there is something to end even without records.
        var hasOffsets = false
        /// How the end was asked for; a commit that was asked for can't become an abort.
        var endAskedFor: Bool?
    }

    let id: String
    private let timeout: Duration
    private let cluster: Cluster
    private let state = Monitor(State())

    init(id: String, timeout: Duration, cluster: Cluster) {
        self.id = id
        self.timeout = timeout
        self.cluster = cluster
    }

    var joinsByProducing: Bool { state.withLock { $0.joinsByProducing } }

    // MARK: Phases

    func initialize() throws(ClientFailure) {
        if case .failed(let failure) = state.withLock({ $0.phase }) { throw failure }
        guard case .uninitialized = state.withLock({ $0.phase }) else {
            throw ClientFailure("initTransactions was called before")
        }
        try takeIdentity(renewing: false)
        state.withLock { $0.phase = .ready }
    }

    func begin() throws(ClientFailure) {
        try state.withLock { (state) throws(ClientFailure) in
            switch state.phase {
            case .ready:
                state.phase = .open
                state.partitions = []
                state.hasOffsets = false
                state.endAskedFor = nil
            case .uninitialized: throw ClientFailure("initTransactions comes first")
            case .open: throw ClientFailure("a transaction is open already")
            case .mustAbort(let cause): throw Self.mustAbortFirst(cause)
            case .failed(let failure): throw failure
            }
        }
    }

    private static func mustAbortFirst(_ cause: ClientFailure) -> ClientFailure {
        ClientFailure(
            "the transaction must be aborted: \(cause.message)", code: cause.code,
            codeName: cause.codeName)
    }

    /// Whether a record may be sent now.
    func checkMaySend() throws(ClientFailure) { try checkOpen() }

    func checkOpen() throws(ClientFailure) {
        switch state.withLock({ $0.phase }) {
        case .open: return
        case .uninitialized, .ready: throw ClientFailure("no transaction is open")
        case .mustAbort(let cause): throw Self.mustAbortFirst(cause)
        case .failed(let failure): throw failure
        }
    }

    func checkMayAbort() throws(ClientFailure) {
        switch state.withLock({ $0.phase }) {
        case .open, .mustAbort: return
        case .uninitialized, .ready: throw ClientFailure("no transaction is open")
        case .failed(let failure): throw failure
        }
    }

    /// A record of the open transaction was not stored, or the coordinator refused something.
    func mustAbort(_ failure: ClientFailure) {
        state.withLock { state in
            guard case .open = state.phase else { return }
            state.phase = Self.isFatal(failure) ? .failed(failure) : .mustAbort(failure)
        }
    }

    /// Whether this producer can never go on.
    private static func isFatal(_ failure: ClientFailure) -> Bool {
        switch failure.errorCode {
        case .producerFenced, .transactionalIdAuthorizationFailed, .transactionalIdNotFound,
            .unsupportedVersion, .unsupportedForMessageFormat:
            true
        default: false
        }
    }

    /// Notes a failure of the coordinator and returns it as one that another try can't cure.
    private func noted(_ failure: ClientFailure, fencesToo: Bool = true) -> ClientFailure {
        state.withLock { state in
            // Of the coordinator, a wrong epoch means that a younger producer has the id.
            let isFenced = fencesToo && failure.errorCode == .invalidProducerEpoch
            if Self.isFatal(failure) || isFenced {
                state.phase = .failed(failure)
            } else if case .open = state.phase {
                state.phase = .mustAbort(failure)
            }
        }
        return failure.final
    }

    // MARK: Identity

    func identity() throws(ClientFailure) -> Identity {
        try state.withLock { (state) throws(ClientFailure) in
            if case .failed(let failure) = state.phase { throw failure }
            if state.identity.producerId < 0 {
                throw ClientFailure("initTransactions comes first")
            }
            return state.identity
        }
    }

    /// Asks for a producer id and epoch; when `renewing`, for the next epoch of the one we have.
    private func takeIdentity(renewing: Bool) throws(ClientFailure) {
        let old = state.withLock { $0.identity }
        var request = InitProducerIdRequest()
        request.transactionalId = id
        request.transactionTimeoutMs = Int32(clamping: timeout.wholeMilliseconds)
        request.producerId = renewing ? old.producerId : -1
        request.producerEpoch = renewing ? old.producerEpoch : -1
        let whole = request
        do throws(ClientFailure) {
            try retrying(for: cluster.configuration.retryTimeout) { () throws(ClientFailure) in
                let coordinator = try cluster.coordinator(ofTransactions: id)
                let answer = try coordinator.call(whole)
                try Self.check(answer.errorCode, "initialize transactions of '\(id)'")
                let isNewest =
                    coordinator.level(of: "transaction.version") >= 2
                    && (try? coordinator.version(of: .endTxn)) ?? 0 >= 5
                state.withLock { state in
                    state.joinsByProducing = isNewest
                    state.identity = Identity(
                        producerId: answer.producerId, producerEpoch: answer.producerEpoch,
                        version: state.identity.version + 1)
                }
            }
        } catch {
            throw noted(error)
        }
    }

    private static func check(_ code: ErrorCode, _ what: String) throws(ClientFailure) {
        switch code {
        case .none: return
        // The coordinator still ends the transaction before.
        case .concurrentTransactions: throw ClientFailure(code, what).retriable
        default: throw ClientFailure(code, what)
        }
    }

    // MARK: Partitions and offsets

    /// Makes these partitions part of the transaction, before a batch is sent to them.
    func add(_ addresses: [PartitionAddress]) throws(ClientFailure) {
        let (new, identity, joins) = state.withLock { state in
            (
                Set(addresses).subtracting(state.partitions).sorted(), state.identity,
                state.joinsByProducing
            )
        }
        if new.isEmpty { return }
        if !joins {
            var request = AddPartitionsToTxnRequest()
            request.transactionalId = id
            request.producerId = identity.producerId
            request.producerEpoch = identity.producerEpoch
            for address in new {
                if request.topics.last?.name != address.topic {
                    request.topics.append(.init(name: address.topic))
                }
                request.topics[request.topics.count - 1].partitions.append(address.partition)
            }
            let whole = request
            do throws(ClientFailure) {
                try retrying(for: cluster.configuration.retryTimeout) { () throws(ClientFailure) in
                    let answer = try cluster.coordinator(ofTransactions: id).call(whole, atMost: 3)
                    for topic in answer.resultsByTopic {
                        for partition in topic.resultsByPartition {
                            try Self.check(
                                partition.partitionErrorCode,
                                "add \(topic.name)-\(partition.partitionIndex) to the transaction")
                        }
                    }
                }
            } catch {
                throw noted(error)
            }
        }
        state.withLock { $0.partitions.formUnion(new) }
    }

    func send(
        _ offsets: [PartitionAddress: CommittedOffset], of group: ConsumerGroupMetadata
    ) throws(ClientFailure) {
        try checkOpen()
        if offsets.isEmpty { return }
        let (identity, joins) = state.withLock { ($0.identity, $0.joinsByProducing) }
        do throws(ClientFailure) {
            if !joins { try announce(group.groupId, identity) }
            state.withLock { $0.hasOffsets = true }
            try commit(offsets, of: group, identity, version: joins ? 5 : 4)
        } catch {
            throw noted(error)
        }
    }

    private func announce(_ group: String, _ identity: Identity) throws(ClientFailure) {
        var request = AddOffsetsToTxnRequest()
        request.transactionalId = id
        request.producerId = identity.producerId
        request.producerEpoch = identity.producerEpoch
        request.groupId = group
        let whole = request
        try retrying(for: cluster.configuration.retryTimeout) { () throws(ClientFailure) in
            let answer = try cluster.coordinator(ofTransactions: id).call(whole)
            try Self.check(answer.errorCode, "add group '\(group)' to the transaction")
        }
    }

    private func commit(
        _ offsets: [PartitionAddress: CommittedOffset], of group: ConsumerGroupMetadata,
        _ identity: Identity, version: Int16
    ) throws(ClientFailure) {
        var request = TxnOffsetCommitRequest()
        request.transactionalId = id
        request.groupId = group.groupId
        request.producerId = identity.producerId
        request.producerEpoch = identity.producerEpoch
        request.generationId = group.generation
        request.memberId = group.memberId
        request.groupInstanceId = group.instanceId
        for (address, offset) in offsets.sorted(by: { $0.key < $1.key }) {
            if request.topics.last?.name != address.topic {
                request.topics.append(.init(name: address.topic))
            }
            request.topics[request.topics.count - 1].partitions.append(
                .init(
                    partitionIndex: address.partition, committedOffset: offset.offset,
                    committedMetadata: offset.metadata))
        }
        let whole = request
        try retrying(for: cluster.configuration.retryTimeout) { () throws(ClientFailure) in
            let coordinator = try cluster.coordinator(ofGroup: group.groupId)
            let answer = try coordinator.call(whole, atMost: version)
            for topic in answer.topics {
                for partition in topic.partitions {
                    try Self.check(
                        partition.errorCode,
                        "commit the offset of group '\(group.groupId)' in "
                            + "\(topic.name)-\(partition.partitionIndex)")
                }
            }
        }
    }

    // MARK: The end

    /// Ends the transaction, whose records are all stored or given up.
    func end(committed: Bool) throws(ClientFailure) {
        let before = state.withLock { state in
            let before = state
            if state.endAskedFor == nil { state.endAskedFor = committed }
            return before
        }
        if let asked = before.endAskedFor, asked != committed {
            throw ClientFailure(
                "the transaction's \(asked ? "commit" : "abort") is under way: repeat that")
        }
        if committed { try checkOpen() }
        var mustRenew = false
        if case .mustAbort = before.phase, !before.joinsByProducing { mustRenew = true }
        if !before.partitions.isEmpty || before.hasOffsets {
            do throws(ClientFailure) {
                try sendEnd(before, committed: committed)
            } catch {
                // Retriable: nobody knows how it ended, and the same call again finds out.
                if error.isRetriable { throw error }
                throw noted(error)
            }
        }
        // Sequences of batches that were given up leave gaps, which only a new epoch closes.
        if mustRenew { try takeIdentity(renewing: true) }
        state.withLock { state in
            state.phase = .ready
            state.partitions = []
            state.hasOffsets = false
            state.endAskedFor = nil
        }
    }

    private func sendEnd(_ before: State, committed: Bool) throws(ClientFailure) {
        var request = EndTxnRequest()
        request.transactionalId = id
        request.producerId = before.identity.producerId
        request.producerEpoch = before.identity.producerEpoch
        request.committed = committed
        let whole = request
        let what = "\(committed ? "commit" : "abort") the transaction of '\(id)'"
        let newest: Int16 = before.joinsByProducing ? 5 : 4
        try retrying(for: cluster.configuration.retryTimeout) { () throws(ClientFailure) in
            let coordinator = try cluster.coordinator(ofTransactions: id)
            let answer = try coordinator.call(whole, atMost: newest)
            try Self.check(answer.errorCode, what)
            guard before.joinsByProducing, answer.producerId >= 0 else { return }
            state.withLock { state in
                state.identity = Identity(
                    producerId: answer.producerId, producerEpoch: answer.producerEpoch,
                    version: state.identity.version + 1)
            }
        }
    }
}
