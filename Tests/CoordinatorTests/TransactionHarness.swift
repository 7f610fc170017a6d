import Base
import Coordinator
import Testing
import WireProtocol

let orders0 = TopicPartition(topic: "orders", partition: 0)
let orders1 = TopicPartition(topic: "orders", partition: 1)

/// Drives a transaction coordinator with a clock of its own, a log that is durable at once and
/// partitions that take every marker, unless told otherwise.
struct TransactionHarness {
    var coordinator: TransactionCoordinator
    let configuration: TransactionConfiguration
    var milliseconds: Int64 = 1_700_000_000_000
    var replies: [UInt64: TransactionReply] = [:]
    var log: [(key: Bytes, value: Bytes?)] = []
    var markers: [TransactionMarkers] = []
    var waitingAppends: [(token: AppendToken, key: Bytes, value: Bytes?)] = []
    var waitingMarkers: [MarkerToken] = []
    var holdsAppends = false
    var holdsMarkers = false
    /// Partitions that can't take a marker now.
    var broken: [TopicPartition] = []
    var producerIDs: Range<Int64> = 100..<10_000
    private var nextToken: UInt64 = 0

    init(_ change: (inout TransactionConfiguration) -> Void = { _ in }) {
        var configuration = TransactionConfiguration()
        change(&configuration)
        self.configuration = configuration
        coordinator = TransactionCoordinator(configuration: configuration)
        apply(coordinator.finishReplay(now: now))
    }

    var now: Now {
        Now(
            monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
            wallMicroseconds: milliseconds * 1000)
    }

    mutating func apply(_ effects: [TransactionEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply):
                #expect(replies[token.value] == nil, "a request is answered once")
                replies[token.value] = reply
            case .append(let token, _, let key, let value):
                waitingAppends.append((token, key, value))
            case .writeMarkers(let token, let wanted):
                markers.append(wanted)
                waitingMarkers.append(token)
            }
        }
        if !holdsAppends { finishAppends() }
        if !holdsMarkers { finishMarkers() }
        coordinator.checkInvariants()
    }

    mutating func finishAppends(failure: ErrorCode? = nil) {
        while !waitingAppends.isEmpty {
            let (token, key, value) = waitingAppends.removeFirst()
            if failure == nil { log.append((key, value)) }
            apply(coordinator.appended(token, failure: failure, now: now))
        }
    }

    mutating func finishMarkers() {
        while !waitingMarkers.isEmpty {
            let token = waitingMarkers.removeFirst()
            let failed = markers.last?.partitions.filter(broken.contains) ?? []
            apply(coordinator.markersWritten(token, failed: failed, now: now))
        }
    }

    mutating func advance(_ duration: Int64) {
        let end = milliseconds + duration
        while milliseconds < end {
            let due = coordinator.nextDeadline.map { ($0.nanoseconds + 999_999) / 1_000_000 }
            milliseconds = min(end, max(due ?? end, milliseconds + 1))
            apply(coordinator.tick(now: now))
        }
    }

    /// A coordinator that knows only what the log says.
    mutating func restart() throws {
        coordinator = TransactionCoordinator(configuration: configuration)
        waitingAppends = []
        waitingMarkers = []
        markers = []
        for record in log { try coordinator.replay(key: record.key, value: record.value) }
        apply(coordinator.finishReplay(now: now))
    }

    // MARK: Requests

    private mutating func token() -> ReplyToken {
        nextToken += 1
        return ReplyToken(nextToken)
    }

    @discardableResult
    mutating func start(
        _ id: String = "t", timeout: Int32 = 60_000, _ known: (Int64, Int16) = (-1, -1)
    ) -> ReplyToken {
        let token = token()
        apply(
            coordinator.initProducer(
                InitProducerCall(
                    transactionalID: id, timeoutMilliseconds: timeout, producerID: known.0,
                    producerEpoch: known.1), token, producerIDs: &producerIDs, now: now))
        return token
    }

    mutating func producer(
        _ id: String = "t", timeout: Int32 = 60_000, _ known: (Int64, Int16) = (-1, -1)
    ) -> ProducerAnswer? {
        let token = start(id, timeout: timeout, known)
        guard case .initialized(let answer)? = replies[token.value] else { return nil }
        return answer
    }

    @discardableResult
    mutating func startAdd(
        _ producer: (Int64, Int16), _ partitions: [TopicPartition] = [orders0],
        bumps: Bool = false, wait: Int64? = nil
    ) -> ReplyToken {
        let token = token()
        apply(
            coordinator.addPartitions(
                AddPartitionsCall(
                    claim: ProducerClaim(
                        transactionalID: "t", producerID: producer.0, producerEpoch: producer.1),
                    partitions: partitions, bumpsEpochs: bumps), token,
                waitUntil: wait.map { now.monotonic + .milliseconds($0) }, now: now))
        return token
    }

    func added(_ token: ReplyToken) -> ErrorCode? {
        guard case .partitionsAdded(let error)? = replies[token.value] else { return nil }
        return error
    }

    mutating func add(
        _ producer: (Int64, Int16), _ partitions: [TopicPartition] = [orders0],
        bumps: Bool = false
    ) -> ErrorCode? {
        let token = startAdd(producer, partitions, bumps: bumps)
        return added(token)
    }

    @discardableResult
    mutating func startEnd(
        _ producer: (Int64, Int16), commit: Bool, bumps: Bool = false
    ) -> ReplyToken {
        let token = token()
        apply(
            coordinator.end(
                EndTransactionCall(
                    claim: ProducerClaim(
                        transactionalID: "t", producerID: producer.0, producerEpoch: producer.1),
                    isCommit: commit, bumpsEpochs: bumps), token, producerIDs: &producerIDs,
                now: now))
        return token
    }

    mutating func end(
        _ producer: (Int64, Int16), commit: Bool, bumps: Bool = false
    ) -> ProducerAnswer? {
        guard
            case .ended(let answer)? = replies[
                startEnd(producer, commit: commit, bumps: bumps).value]
        else { return nil }
        return answer
    }

    var state: TransactionState? { coordinator.describe("t")?.state }
}
