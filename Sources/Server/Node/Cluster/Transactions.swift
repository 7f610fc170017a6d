import Base
import Coordinator
import Log
import Quorum
import Replica
import WireProtocol

// Transactions over several nodes. A transactional id is coordinated by the node that leads its partition
// of `__transaction_state`. Who leads a partition asks the coordinator before it takes the first records
// of a transaction; the coordinator has the leaders write the markers that end it.

/// A question to a coordinator, and the request that goes on with the answer.
struct OpenQuestion: Sendable {
    enum Purpose: Sendable {
        case produce(RequestContext, ProduceRequest)
        case commitOffsets(RequestContext, TxnOffsetCommitRequest)
    }

    var question: TransactionQuestion
    var purpose: Purpose
    var asked: NodeID
    /// Markers of the producer that have been written meanwhile: a yes may be older than they are.
    var ended: Set<TopicPartition> = []
}

/// Markers that another node writes for a coordinator here.
struct DelegatedMarkers: Sendable {
    var token: MarkerToken
    var partitions: [TopicPartition]
    var node: NodeID
}

/// A request of another node, under its number.
struct PeerRequest: Hashable, Sendable {
    var node: NodeID
    var number: UInt64
}

/// Markers that this node writes for a coordinator elsewhere.
struct ParkedPeerMarkers: Sendable {
    var errors: [ErrorCode]
    var open: Int
}

extension BrokerNode {
    // MARK: Questions

    /// Asks the coordinator about partitions to which the request wants to write.
    mutating func ask(_ question: TransactionQuestion, _ purpose: OpenQuestion.Purpose) {
        let own = configuration.nodeID
        let node = coordinatingNode(of: .transaction(question.claim.transactionalID))
        let number = nextNumber()
        cluster?.questions[number] = OpenQuestion(
            question: question, purpose: purpose, asked: node ?? own)
        guard let node, node == own || cluster?.linkTo[node] != nil else {
            return take(errors(.coordinatorNotAvailable, for: question), number)
        }
        if node == own {
            receive(question, number, from: node)
        } else {
            send(.transaction(number, question), to: node)
        }
    }

    private func errors(_ error: ErrorCode, for question: TransactionQuestion) -> [ErrorCode] {
        Array(repeating: error, count: question.partitions.count)
    }

    /// A node asks this one as the coordinator.
    mutating func receive(_ question: TransactionQuestion, _ number: UInt64, from node: NodeID) {
        if let refusal = refusal(of: .transaction(question.claim.transactionalID)) {
            return reply(errors(refusal, for: question), number, to: node)
        }
        guard question.adds else {
            let found = question.partitions.map { transactions.verify(question.claim, $0) }
            return reply(found, number, to: node)
        }
        let call = AddPartitionsCall(
            claim: question.claim, partitions: question.partitions,
            bumpsEpochs: question.bumpsEpochs)
        let token = park(.question(node, number, question))
        perform(
            transactions.addPartitions(
                call, token, waitUntil: now.monotonic + Self.transactionWaitMax, now: now))
    }

    /// The coordinator here has decided.
    mutating func reply(
        _ error: ErrorCode, to question: TransactionQuestion, _ number: UInt64, _ node: NodeID
    ) {
        reply(errors(error, for: question), number, to: node)
    }

    private mutating func reply(_ errors: [ErrorCode], _ number: UInt64, to node: NodeID) {
        if node == cluster?.node { return take(errors, number) }
        send(.errors(number, errors), to: node)
    }

    /// The answer to a question, or to markers.
    mutating func take(_ errors: [ErrorCode], _ number: UInt64) {
        if let done = cluster?.delegated.removeValue(forKey: number) {
            return markersWritten(done, errors)
        }
        guard let open = cluster?.questions.removeValue(forKey: number) else { return }
        var verified: [TopicPartition: ErrorCode] = [:]
        for (place, partition) in open.question.partitions.enumerated() {
            verified[partition] =
                open.ended.contains(partition)
                ? .concurrentTransactions
                : errors.indices.contains(place) ? errors[place] : .unknownServerError
        }
        switch open.purpose {
        case .produce(let context, let request):
            unblock(context)
            appendProduced(request, context, refusal: .none, verified: verified)
        case .commitOffsets(let context, let request):
            unblock(context)
            commitOffsets(request, context, refusal: .none, verified: verified)
        }
    }

    // MARK: Markers

    /// Has the leaders of partitions write markers. `closeMarker` is called for each partition.
    mutating func delegate(
        _ marker: MarkerAppend, _ partitions: OrderedMap<NodeID, [TopicPartition]>,
        _ token: MarkerToken
    ) {
        for (node, partitions) in partitions {
            let number = nextNumber()
            let message = PeerMessage.markers(
                number, PartitionMarkers(marker: marker, partitions: partitions))
            guard send(message, to: node) else {
                for partition in partitions { closeMarker(token, failed: partition) }
                continue
            }
            cluster?.delegated[number] = DelegatedMarkers(
                token: token, partitions: partitions, node: node)
        }
    }

    private mutating func markersWritten(_ done: DelegatedMarkers, _ errors: [ErrorCode]) {
        for (place, partition) in done.partitions.enumerated() {
            let error = errors.indices.contains(place) ? errors[place] : .unknownServerError
            closeMarker(done.token, failed: isMarkerDue(error, partition) ? partition : nil)
        }
    }

    /// A coordinator elsewhere has this node end a transaction.
    mutating func receive(_ markers: PartitionMarkers, _ number: UInt64, from node: NodeID) {
        let request = PeerRequest(node: node, number: number)
        let count = markers.partitions.count
        cluster?.peerMarkers[request] = ParkedPeerMarkers(
            errors: Array(repeating: .none, count: count), open: count + 1)
        for (place, partition) in markers.partitions.enumerated() {
            let wait = MarkerWait(
                owner: .peer(request, place: place), partition: partition,
                producerID: markers.marker.producerID, isCommit: markers.marker.isCommit)
            guard exists(partition) else {
                markerSettled(wait, error: .unknownTopicOrPartition)
                continue
            }
            do throws(ReplicaRefusal) {
                try append(markers.marker, wait)
            } catch {
                markerSettled(wait, error: self.error(error))
            }
        }
        closePeerMarkers(request)
    }

    mutating func peerMarkerWritten(_ request: PeerRequest, place: Int, _ error: ErrorCode) {
        cluster?.peerMarkers[request]?.errors[place] = error
        closePeerMarkers(request)
    }

    private mutating func closePeerMarkers(_ request: PeerRequest) {
        cluster?.peerMarkers[request]?.open -= 1
        guard cluster?.peerMarkers[request]?.open == 0,
            let done = cluster?.peerMarkers.removeValue(forKey: request)
        else { return }
        send(.errors(request.number, done.errors), to: request.node)
    }

    /// A marker is in the log: what was asked about its producer before has another answer now.
    mutating func overruleQuestions(_ producerID: Int64, _ partition: TopicPartition) {
        guard let open = cluster?.questions, !open.isEmpty else { return }
        for (number, question) in open
        where question.question.claim.producerID == producerID
            && question.question.partitions.contains(partition)
        {
            cluster?.questions[number]?.ended.insert(partition)
        }
    }

    // MARK: Losses

    /// The link to a node is down: its answers will not come.
    mutating func forgetTransactions(with node: NodeID) {
        guard let cluster else { return }
        for request in cluster.peerMarkers.keys where request.node == node {
            self.cluster?.peerMarkers[request] = nil
        }
        for (number, delegated) in cluster.delegated where delegated.node == node {
            take(Array(repeating: .notLeaderOrFollower, count: delegated.partitions.count), number)
        }
        for (number, open) in cluster.questions where open.asked == node {
            take(errors(.coordinatorNotAvailable, for: open.question), number)
        }
    }

    // MARK: Producer ids

    /// Asks the controller for a block of producer ids. Why there will be none; nil when some come.
    mutating func reserveProducerIDs() -> ErrorCode? {
        guard let leader = cluster?.leader, let epoch = cluster?.brokerEpoch,
            let due = cluster?.nextProducerIDs, due <= now.monotonic
        else { return .coordinatorNotAvailable }
        let node = configuration.nodeID
        let command = ClusterCommand.reserveProducerIDs(
            node, epoch: epoch, count: Int32(MetadataImage.producerIDBlock))
        let number = nextNumber()
        // Whoever was refused does not ask at once again.
        cluster?.nextProducerIDs = now.monotonic + .milliseconds(50)
        cluster?.producerIDsWish = (number, leader)
        if leader == node {
            decide(command, .producerIDs(number))
        } else if !send(.command(number, command), to: leader) {
            cluster?.producerIDsWish = nil
            return .coordinatorNotAvailable
        }
        return nil
    }

    /// What became of the wish for producer ids. False when the number is of something else.
    mutating func takeProducerIDs(_ outcome: ClusterOutcome, _ number: UInt64) -> Bool {
        guard cluster?.producerIDsWish?.number == number else { return false }
        cluster?.producerIDsWish = nil
        isReservingProducerIDs = false
        if case .producerIDs(let first, let count) = outcome, count > 0 {
            cluster?.nextProducerIDs = now.monotonic
            producerIDs = first..<(first + Int64(count))
        }
        wakeWaitingForChange()
        return true
    }

    /// Another node is the controller by now, or nobody: whoever was asked may have heard nothing, or be
    /// silent for long.
    mutating func checkProducerIDs() {
        guard let wish = cluster?.producerIDsWish, wish.controller != cluster?.leader else {
            return
        }
        _ = takeProducerIDs(.refused(.uncertain), wish.number)
    }
}
