import Base
import Coordinator
import Testing
import WireProtocol

/// Drives a coordinator with a clock of its own and a log that is durable at once, unless told to
/// wait, and checks the invariants after every step.
struct GroupHarness {
    var coordinator: GroupCoordinator
    var milliseconds: Int64 = 1_000_000
    var replies: [UInt64: GroupReply] = [:]
    var log: [GroupRecord] = []
    var waitingAppends: [(token: AppendToken, records: [GroupRecord])] = []
    var holdsAppends = false
    var nextToken: UInt64 = 0
    /// The topics that `makeTopic` made: a restarted coordinator is told of them first.
    var topics: [(name: String, partitions: Int32)] = []
    let configuration: GroupConfiguration

    init(delay: Duration = .zero, _ change: (inout GroupConfiguration) -> Void = { _ in }) {
        var configuration = GroupConfiguration()
        configuration.initialRebalanceDelay = delay
        change(&configuration)
        self.configuration = configuration
        coordinator = GroupCoordinator(configuration: configuration, random: Random(seed: 1))
    }

    var now: Now {
        Now(
            monotonic: Instant(nanoseconds: milliseconds * 1_000_000),
            wallMicroseconds: milliseconds * 1000)
    }

    mutating func apply(_ effects: [GroupEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply):
                #expect(replies[token.value] == nil, "a request is answered once")
                replies[token.value] = reply
            case .append(let token, _, let records),
                .appendInTransaction(let token, _, let records, _):
                waitingAppends.append((token, records))
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

    /// Moves the clock in steps, so that every deadline fires at its own time.
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

    // MARK: Requests

    mutating func startJoin(
        _ group: String = "g", member: String = "", instance: String? = nil,
        type: String = "consumer", protocols: [MemberProtocol] = [subscription("range", ["t"])],
        session: Int64 = 10_000, rebalance: Int64 = 60_000, mustKnowItsID: Bool = true,
        canSkip: Bool = true
    ) -> ReplyToken {
        let token = token()
        apply(
            coordinator.join(
                JoinCall(
                    group: group, memberID: member, instanceID: instance, clientID: "app",
                    clientHost: "/127.0.0.1", sessionTimeout: .milliseconds(session),
                    rebalanceTimeout: .milliseconds(rebalance), protocolType: type,
                    protocols: protocols, mustKnowItsID: mustKnowItsID,
                    canSkipAssignment: canSkip), token, now: now))
        return token
    }

    /// Joins and returns the answer, if it came at once.
    mutating func join(
        _ group: String = "g", member: String = "", type: String = "consumer",
        protocols: [MemberProtocol] = [subscription("range", ["t"])], session: Int64 = 10_000,
        mustKnowItsID: Bool = true
    ) -> JoinAnswer? {
        let token = startJoin(
            group, member: member, type: type, protocols: protocols, session: session,
            mustKnowItsID: mustKnowItsID)
        return joinAnswer(token)
    }

    func joinAnswer(_ token: ReplyToken) -> JoinAnswer? {
        guard case .join(let answer) = replies[token.value] else { return nil }
        return answer
    }

    func syncAnswer(_ token: ReplyToken) -> SyncAnswer? {
        guard case .sync(let answer) = replies[token.value] else { return nil }
        return answer
    }

    /// Gets an id for a new dynamic member, as a client does with its first request.
    mutating func newMember(_ group: String = "g") throws -> String {
        let token = startJoin(group)
        let answer = try #require(joinAnswer(token))
        #expect(answer.error == .memberIdRequired)
        return answer.memberID
    }

    mutating func startSync(
        _ group: String = "g", member: String, generation: Int32, instance: String? = nil,
        assign: [(String, String)] = [], type: String? = nil, name: String? = nil
    ) -> ReplyToken {
        let token = token()
        let call = SyncCall(
            claim: MemberClaim(
                group: group, generation: generation, memberID: member, instanceID: instance),
            protocolType: type, protocolName: name,
            assignments: assign.map {
                SyncCall.Assignment(memberID: $0.0, assignment: Bytes(utf8: $0.1))
            })
        apply(coordinator.sync(call, token, now: now))
        return token
    }

    mutating func heartbeat(
        _ group: String = "g", member: String, generation: Int32, instance: String? = nil
    ) -> ErrorCode? {
        let token = token()
        let claim = MemberClaim(
            group: group, generation: generation, memberID: member, instanceID: instance)
        apply(coordinator.heartbeat(claim, token, now: now))
        guard case .heartbeat(let error) = replies[token.value] else { return nil }
        return error
    }

    mutating func leave(
        _ group: String = "g", _ members: [LeaveCall.Member]
    ) -> LeaveAnswer? {
        let token = token()
        apply(coordinator.leave(LeaveCall(group: group, members: members), token, now: now))
        guard case .leave(let answer) = replies[token.value] else { return nil }
        return answer
    }

    mutating func startCommit(
        in group: String = "g", member: String = "", generation: Int32 = -1,
        _ offsets: [(String, Int32, Int64)], metadata: String = "", newCodes: Bool = true,
        retention: Int64 = -1
    ) -> ReplyToken {
        let token = token()
        let call = CommitCall(
            claim: MemberClaim(group: group, generation: generation, memberID: member),
            offsets: offsets.map {
                CommitCall.Entry(
                    partition: TopicPartition(topic: $0.0, partition: $0.1), offset: $0.2,
                    leaderEpoch: 3, metadata: metadata)
            }, knowsGroupIDNotFound: newCodes, retentionMilliseconds: retention)
        apply(coordinator.commit(call, token, now: now))
        return token
    }

    func commitErrors(_ token: ReplyToken) -> [ErrorCode]? {
        guard case .commit(let answer) = replies[token.value] else { return nil }
        return answer.errors
    }

    mutating func delete(_ group: String = "g") -> ErrorCode? {
        let token = token()
        apply(coordinator.delete(group, token, now: now))
        guard case .delete(let error) = replies[token.value] else { return nil }
        return error
    }

    func offset(_ topic: String, _ partition: Int32, group: String = "g") -> CommittedOffset? {
        coordinator.committedOffset(
            group: group, partition: TopicPartition(topic: topic, partition: partition))
    }

    /// A stable group of dynamic members; the leader comes first.
    mutating func stableGroup(
        _ count: Int, session: Int64 = 10_000
    ) throws -> (members: [String], generation: Int32) {
        var members: [String] = []
        var generation: Int32 = 0
        for _ in 0..<count {
            let id = try newMember()
            members.append(id)
            var joins: [ReplyToken] = []
            for member in members { joins.append(startJoin(member: member, session: session)) }
            let answers = try joins.map { try #require(joinAnswer($0)) }
            #expect(answers.allSatisfy { $0.error == .none })
            generation = answers[0].generation
            var syncs: [ReplyToken] = []
            for member in members.dropFirst() {
                syncs.append(startSync(member: member, generation: generation))
            }
            syncs.append(
                startSync(
                    member: members[0], generation: generation,
                    assign: members.map { ($0, "of \($0)") }))
            for sync in syncs { #expect(syncAnswer(sync)?.error == ErrorCode.none) }
        }
        return (members, generation)
    }

    /// A coordinator that knows only what the log says.
    func restarted() throws -> GroupHarness {
        var fresh = self
        fresh.coordinator = GroupCoordinator(
            configuration: configuration, random: Random(seed: 2))
        fresh.waitingAppends = []
        for topic in topics { fresh.makeTopic(topic.name, topic.partitions) }
        for record in log { try fresh.coordinator.replay(key: record.key, value: record.value) }
        fresh.coordinator.finishReplay(now: now)
        fresh.coordinator.checkInvariants()
        return fresh
    }
}

/// What a consumer sends: version, topics, no user data; then something that changes by restart.
func subscription(_ name: String, _ topics: [String], extra: UInt8 = 0) -> MemberProtocol {
    var writer = ByteWriter()
    writer.int16(1)
    writer.int32(Int32(topics.count))
    for topic in topics {
        writer.int16(Int16(topic.utf8.count))
        writer.utf8(topic)
    }
    writer.int32(1)
    writer.uint8(extra)
    return MemberProtocol(name: name, metadata: writer.finish())
}
