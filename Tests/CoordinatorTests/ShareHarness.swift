import Base
import Coordinator
import Testing
import WireProtocol

/// Drives a share coordinator with a clock of its own and a log that is durable at once, unless told
/// to wait, and checks the invariants after every step.
struct ShareHarness {
    var coordinator: ShareCoordinator
    var milliseconds: Int64 = 1_000_000
    var replies: [UInt64: ShareReply] = [:]
    var log: [GroupRecord] = []
    var available: [AssignedPartition] = []
    var waitingAppends: [(token: AppendToken, records: [GroupRecord])] = []
    var holdsAppends = false
    var nextToken: UInt64 = 0
    let configuration: ShareConfiguration
    var topics: [(name: String, partitions: Int32)] = []

    static let key = AssignedPartition(topicID: UUID128(high: 1, low: 1), partition: 0)

    init(_ change: (inout ShareConfiguration) -> Void = { _ in }) {
        var configuration = ShareConfiguration()
        change(&configuration)
        self.configuration = configuration
        coordinator = ShareCoordinator(configuration: configuration)
        makeTopic("t", partitions: 2)
    }

    var now: Now {
        Now(
            monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
            wallMicroseconds: milliseconds * 1000)
    }

    mutating func makeTopic(_ name: String, partitions: Int32) {
        topics.removeAll { $0.name == name }
        topics.append((name, partitions))
        coordinator.topicChanged(name, id: id(of: name), partitionCount: partitions)
    }

    func id(of topic: String) -> UUID128 {
        if topic == "t" { return Self.key.topicID }
        return UUID128(high: 2, low: topic.utf8.reduce(0) { $0 &* 31 &+ UInt64($1) })
    }

    mutating func apply(_ effects: [ShareEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply):
                #expect(replies[token.value] == nil, "a request is answered once")
                replies[token.value] = reply
            case .append(let token, _, let records): waitingAppends.append((token, records))
            case .available(_, let partition): available.append(partition)
            case .deadLetters: break
            }
        }
        if !holdsAppends { finishAppends() }
        coordinator.checkInvariants()
    }

    mutating func finishAppends(failure: ErrorCode? = nil) {
        while !waitingAppends.isEmpty {
            let (token, records) = waitingAppends.removeFirst()
            if failure == nil { log += records }
            apply(coordinator.appended(token, failure: failure, now: now))
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

    mutating func token() -> ReplyToken {
        nextToken += 1
        return ReplyToken(nextToken)
    }

    mutating func heartbeat(
        _ member: String, epoch: Int32, _ topics: [String]? = nil, group: String = "g"
    ) throws -> ShareHeartbeatAnswer {
        let token = token()
        let call = ShareHeartbeatCall(
            group: group, memberID: member, memberEpoch: epoch, topics: topics)
        apply(coordinator.heartbeat(call, token, now: now))
        guard case .heartbeat(let answer)? = replies[token.value] else {
            throw Unanswered()
        }
        return answer
    }

    mutating func acquire(
        _ batch: ClosedRange<Int64>, _ member: String = "m", group: String = "g"
    ) -> [SharePartition.Acquired] {
        if coordinator.partition(Self.key, of: group) == nil {
            #expect(coordinator.begin(Self.key, of: group, at: 0) == true)
        }
        return coordinator.acquire(
            batch, Self.key, of: group, for: member, recordsMax: .max, now: now)
    }

    mutating func acknowledge(
        _ first: Int64, _ last: Int64, _ type: AcknowledgeType, _ member: String = "m",
        group: String = "g", mayRenew: Bool = true
    ) -> ErrorCode? {
        coordinator.acknowledge(
            [
                AcknowledgementBatch(
                    firstOffset: first, lastOffset: last, acknowledgeTypes: [type.rawValue])
            ], Self.key, of: group, by: member, mayRenew: mayRenew, now: now)?.code
    }

    /// nil while it is not durable.
    @discardableResult
    mutating func commit(_ group: String = "g") -> ReplyToken {
        let token = token()
        apply(coordinator.commit(group, token, now: now))
        return token
    }

    /// A new coordinator that has read the log.
    mutating func restart() throws {
        coordinator = ShareCoordinator(configuration: configuration)
        waitingAppends = []
        for (name, partitions) in topics {
            coordinator.topicChanged(name, id: id(of: name), partitionCount: partitions)
        }
        for record in log { try coordinator.replay(key: record.key, value: record.value) }
        coordinator.checkInvariants()
        apply(coordinator.finishReplay(now: now))
    }

    /// What compaction would leave: the last record of each key.
    mutating func compact() {
        var last: [Bytes: Int] = [:]
        for (index, record) in log.enumerated() { last[record.key] = index }
        log = log.enumerated().filter { last[$0.element.key] == $0.offset }.map(\.element)
    }

    var runs: [SharePartition.Run] {
        coordinator.partition(Self.key, of: "g")?.runs ?? []
    }

    var start: Int64? { coordinator.partition(Self.key, of: "g")?.startOffset }
}

struct Unanswered: Error {}
