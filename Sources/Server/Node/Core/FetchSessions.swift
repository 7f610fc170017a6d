// Fetch sessions: the broker remembers which partitions a client reads and from where, so that the
// client names only what has changed and is told only what is new.
//
//   session id, epoch   what the client wants                            the answer's session id
//   0, 0                everything, and a session from now on            new, or 0 = refused
//   0, -1               everything, no session                           0
//   id, -1              the end of the session, everything               0
//   id, 0               the end of the session, and another              new, or 0
//   id, n               what changed since n - 1                         the same

import Base
import WireProtocol

/// One partition that a fetch reads, with what a session remembers of it.
struct FetchTarget: Sendable {
    /// The topic by name (up to version 12) or id (from version 13).
    var topic: String
    var topicID: UUID128
    var partition: FetchRequest.FetchPartition
    /// What the client was told last; -1 = nothing yet.
    var toldHighWatermark: Int64 = -1
    var toldLogStartOffset: Int64 = -1

    var key: Key { Key(topic: topic, topicID: topicID, partition: partition.partition) }

    struct Key: Hashable, Sendable {
        var topic: String
        var topicID: UUID128
        var partition: Int32
    }
}

/// What one client reads.
struct FetchSession: Sendable {
    let id: Int32
    /// The epoch that the next request must have.
    fileprivate(set) var nextEpoch: Int32 = 1
    let usesTopicIDs: Bool
    let created: Instant
    fileprivate(set) var lastUsed: Instant
    fileprivate(set) var targets: [FetchTarget]
    /// Places in `targets`; for lookups only.
    private var places: [FetchTarget.Key: Int] = [:]

    init(id: Int32, usesTopicIDs: Bool, targets: [FetchTarget], now: Instant) {
        self.id = id
        self.usesTopicIDs = usesTopicIDs
        created = now
        lastUsed = now
        self.targets = []
        for target in targets { set(target) }
    }

    /// Takes a new target, or new wishes for an old one.
    fileprivate mutating func set(_ target: FetchTarget) {
        if let place = places[target.key] {
            targets[place].partition = target.partition
        } else {
            places[target.key] = targets.count
            targets.append(target)
        }
    }

    fileprivate mutating func remove(_ keys: Set<FetchTarget.Key>) {
        targets.removeAll { keys.contains($0.key) }
        places = [:]
        for (place, target) in targets.enumerated() { places[target.key] = place }
    }

    /// Remembers what is told about the target at `place`, and says whether it is news.
    fileprivate mutating func tell(_ data: FetchResponse.PartitionData, place: Int) -> Bool {
        let isNews =
            !data.records.isEmpty || data.errorCode != .none || data.preferredReadReplica >= 0
            || data.divergingEpoch != FetchResponse.EpochEndOffset()
            || data.highWatermark != targets[place].toldHighWatermark
            || data.logStartOffset != targets[place].toldLogStartOffset
        guard isNews else { return false }
        // After an error the client must hear of the partition again when it is well.
        let isError = data.errorCode != .none
        targets[place].toldHighWatermark = isError ? -1 : data.highWatermark
        targets[place].toldLogStartOffset = isError ? -1 : data.logStartOffset
        return true
    }

    fileprivate mutating func advance(now: Instant) {
        lastUsed = now
        nextEpoch = nextEpoch == .max ? 1 : nextEpoch + 1
    }
}

/// All sessions. Their number and their partitions together are bounded: a client that gets none
/// goes on without.
struct FetchSessions: Sendable {
    /// In no particular order, but the same in every run.
    private var sessions: [FetchSession] = []
    /// Places in `sessions`; for lookups only.
    private var places: [Int32: Int] = [:]
    private(set) var targetCount = 0

    let countMax: Int
    /// About 200 bytes each.
    static let targetsMax = 500_000
    /// A session that was silent for so long gives way to a new one.
    static let idleTime: Duration = .seconds(120)

    init(countMax: Int) { self.countMax = countMax }

    var count: Int { sessions.count }

    enum Failure: Error {
        case unknownID
        case wrongEpoch
        /// Names and ids of topics were mixed.
        case mixedTopicIDs

        var code: ErrorCode {
            switch self {
            case .unknownID: .fetchSessionIdNotFound
            case .wrongEpoch: .invalidFetchSessionEpoch
            case .mixedTopicIDs: .fetchSessionTopicIdError
            }
        }
    }

    /// Takes the changes of an incremental request and returns all partitions of its session; nil
    /// when nothing is left of the session, which is then closed.
    mutating func update(
        _ id: Int32, epoch: Int32, set targets: [FetchTarget], forget: Set<FetchTarget.Key>,
        usesTopicIDs: Bool, now: Instant
    ) throws(Failure) -> [FetchTarget]? {
        guard let place = places[id] else { throw .unknownID }
        guard sessions[place].nextEpoch == epoch else { throw .wrongEpoch }
        guard sessions[place].usesTopicIDs == usesTopicIDs else { throw .mixedTopicIDs }
        sessions[place].advance(now: now)
        let before = sessions[place].targets.count
        for target in targets { sessions[place].set(target) }
        if !forget.isEmpty { sessions[place].remove(forget) }
        targetCount += sessions[place].targets.count - before
        if sessions[place].targets.isEmpty || targetCount > Self.targetsMax {
            let left = sessions[place].targets
            close(id)
            return left.isEmpty ? nil : left
        }
        return sessions[place].targets
    }

    /// Opens a session for an answer that tells `answers` about `targets`; nil when there is no
    /// room.
    mutating func open(
        _ targets: [FetchTarget], _ answers: [FetchResponse.PartitionData], usesTopicIDs: Bool,
        random: inout Random, now: Instant
    ) -> Int32? {
        guard countMax > 0, targetCount + targets.count <= Self.targetsMax else { return nil }
        if sessions.count >= countMax, !makeRoom(for: targets.count, now: now) { return nil }
        var id: Int32
        repeat {
            id = Int32(random.within(1...Int(Int32.max)))
        } while places[id] != nil
        var session = FetchSession(
            id: id, usesTopicIDs: usesTopicIDs, targets: targets, now: now)
        // Where a partition was named twice, the session has it once.
        if session.targets.count == answers.count {
            for place in answers.indices { _ = session.tell(answers[place], place: place) }
        }
        places[id] = sessions.count
        targetCount += session.targets.count
        sessions.append(session)
        return id
    }

    /// Which of `answers` are news to the client; nil when the session was closed meanwhile.
    mutating func news(
        _ id: Int32, _ answers: [FetchResponse.PartitionData]
    ) -> [Bool]? {
        guard let place = places[id], sessions[place].targets.count == answers.count else {
            return nil
        }
        return answers.indices.map { sessions[place].tell(answers[$0], place: $0) }
    }

    mutating func close(_ id: Int32) {
        guard let place = places.removeValue(forKey: id) else { return }
        targetCount -= sessions[place].targets.count
        sessions.swapAt(place, sessions.count - 1)
        sessions.removeLast()
        if place < sessions.count { places[sessions[place].id] = place }
    }

    /// The longest silent session goes if it was silent for long; else the smallest of those that
    /// have existed for long, if the new one is larger.
    private mutating func makeRoom(for count: Int, now: Instant) -> Bool {
        let oldest = sessions.min { ($0.lastUsed, $0.id) < ($1.lastUsed, $1.id) }
        if let oldest, now - oldest.lastUsed >= Self.idleTime {
            close(oldest.id)
            return true
        }
        let smallest = sessions.filter { now - $0.created >= Self.idleTime }
            .min { ($0.targets.count, $0.id) < ($1.targets.count, $1.id) }
        guard let smallest, smallest.targets.count < count else { return false }
        close(smallest.id)
        return true
    }

    /// Sums and places agree with the sessions.
    func checkInvariants() {
        precondition(sessions.count == places.count, "each session has a place")
        precondition(
            sessions.reduce(0) { $0 + $1.targets.count } == targetCount, "the count is the sum")
        for (place, session) in sessions.enumerated() {
            precondition(places[session.id] == place, "each session is at its place")
        }
    }
}
