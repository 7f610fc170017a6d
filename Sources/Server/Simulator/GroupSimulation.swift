// One group and its members, of one protocol or of both, on a log that forgets: from one seed.

import Base
import Coordinator
import WireProtocol

/// Runs the groups of one coordinator from one seed: members come, go, fall silent and commit;
/// appends are late or refused; the coordinator crashes and is made again from what was durable,
/// compacted or not. Checked: no partition has two owners at a time, committed offsets never go
/// back, and once it is quiet everything is assigned.
package func simulateGroups(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = GroupSimulation(seed: seed, options: options)
    return simulation.run()
}

struct GroupSimulation {
    private enum Event {
        case member(Int)
        case durable
        case tick
        case crash
        case pause(Int)
        case topics
    }

    private struct Append {
        var token: AppendToken
        var records: [GroupRecord]
        var isRefused: Bool
    }

    private static let group = "g"

    private let options: SimulationOptions
    private var result: SimulationResult
    private var coordinator: GroupCoordinator
    private var configuration = GroupConfiguration()
    private var queue = EventQueue<Event>()
    private var time: Int64 = 1_000_000_000
    private var load: Random
    private var faults: Random
    private var trace = TraceHash()
    private var durable: [GroupRecord] = []
    private var waiting: [Append] = []
    private var members: [GroupMemberModel] = []
    /// Who waits for each request. Looked up only.
    private var callers: [ReplyToken: Int] = [:]
    private var commits: [ReplyToken: (partition: TopicPartition, offset: Int64)] = [:]
    private var lastToken: UInt64 = 0
    private var nextOffset: Int64 = 1
    private var acknowledged: OrderedMap<TopicPartition, Int64> = [:]
    private var observed: OrderedMap<TopicPartition, Int64> = [:]
    private var counts: [(String, Int32)]
    private var isQuiet = false

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed)
        load = random.fork()
        faults = random.fork()
        var shape = random.fork()
        configuration.initialRebalanceDelay = .seconds([0, 3][shape.below(2)])
        coordinator = GroupCoordinator(configuration: configuration, random: random.fork())
        counts = [("t", Int32(shape.within(1...8))), ("u", Int32(shape.within(1...4)))]
        let kind = shape.below(3)
        for index in 0..<shape.within(2...5) {
            members.append(
                GroupMemberModel(
                    name: "m\(index)",
                    isClassic: kind == 0 || (kind == 1 && shape.chance(1, in: 2))))
        }
        tellTopics()
    }

    private var now: Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    private static func id(_ topic: String) -> UUID128 {
        UUID128(high: 7, low: topic == "t" ? 1 : 2)
    }

    private static let ids = ["t": id("t"), "u": id("u")]

    private mutating func tellTopics() {
        for (name, count) in counts {
            coordinator.topicChanged(name, id: Self.id(name), partitionCount: count)
        }
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        for index in members.indices {
            queue.schedule(.member(index), at: time + Int64(load.below(3_000_000_000)))
            queue.schedule(.pause(index), at: time + seconds(faults.within(20...200)))
        }
        queue.schedule(.tick, at: time)
        queue.schedule(.crash, at: time + seconds(faults.within(5...60)))
        queue.schedule(.topics, at: time + seconds(faults.within(30...120)))
        let chaos = options.eventCount * 4
        while result.events < chaos, result.anomalies.isEmpty, let next = queue.next() {
            handle(next.time, next.event)
        }
        becomeQuiet()
        let end = time + seconds(240)
        while time < end, result.anomalies.isEmpty, let next = queue.next() {
            handle(next.time, next.event)
        }
        if result.anomalies.isEmpty { checkSettled() }
        result.traceHash = trace.value
        return result
    }

    private func narrate(_ text: @autoclosure () -> String) {
        options.narrate?("groups at \(time / 1_000_000) ms: \(text())")
    }

    private func seconds(_ count: Int) -> Int64 { Int64(count) * 1_000_000_000 }

    private mutating func handle(_ at: Int64, _ event: Event) {
        time = at
        result.events += 1
        switch event {
        case .member(let index):
            step(index)
            queue.schedule(event, at: time + Int64(load.within(300...3_000)) * 1_000_000)
        case .durable: makeDurable()
        case .tick:
            apply(coordinator.tick(now: now))
            queue.schedule(event, at: time + 250_000_000)
        case .crash:
            if isQuiet { return }
            crash()
            queue.schedule(event, at: time + seconds(faults.within(5...90)))
        case .pause(let index):
            if isQuiet { return }
            members[index].isPaused.toggle()
            narrate("\(members[index].name) is \(members[index].isPaused ? "silent" : "back")")
            members[index].isTrusted = false
            queue.schedule(event, at: time + seconds(faults.within(3...90)))
        case .topics:
            if isQuiet { return }
            let index = faults.below(2)
            counts[index].1 += 1
            tellTopics()
            // Classic clients notice it in the metadata and have their leader assign anew.
            for index in members.indices where members[index].isClassic {
                if case .stable = members[index].place { members[index].lose() }
            }
            queue.schedule(event, at: time + seconds(faults.within(60...300)))
        }
        coordinator.checkInvariants()
        check()
    }

    private mutating func becomeQuiet() {
        isQuiet = true
        for index in members.indices { members[index].isPaused = false }
    }

    // MARK: Members

    private mutating func token(_ index: Int) -> ReplyToken {
        lastToken += 1
        let token = ReplyToken(lastToken)
        callers[token] = index
        members[index].pending = token
        members[index].asked = time
        return token
    }

    private mutating func step(_ index: Int) {
        let member = members[index]
        guard !member.isPaused, member.pending == nil else { return }
        if case .stable = member.place, !member.owned.isEmpty, load.chance(1, in: 3) {
            return commit(index)
        }
        let now = now
        switch member.place {
        case .stable where !isQuiet && load.chance(1, in: 60): leave(index)
        case _ where !member.isClassic:
            let token = token(index)
            let call = member.heartbeat(Self.group)
            narrate("\(member.name) heartbeat \(call.memberEpoch) owns \(member.owned)")
            apply(coordinator.heartbeat(call, token, now: now))
        case .out:
            let token = token(index)
            narrate("\(member.name) joins as '\(member.id)'")
            apply(coordinator.join(member.join(Self.group), token, now: now))
        case .joined(let ids):
            let token = token(index)
            narrate("\(member.name) syncs in \(member.epoch), leads \(ids)")
            let call = member.sync(Self.group, members: ids, counts: counts)
            apply(coordinator.sync(call, token, now: now))
        case .stable:
            let token = token(index)
            apply(coordinator.heartbeat(member.claim(Self.group), token, now: now))
        }
    }

    private mutating func leave(_ index: Int) {
        let member = members[index]
        narrate("\(member.name) leaves")
        members[index].lose()
        members[index].isTrusted = false
        // Nobody waits for the answer.
        lastToken += 1
        let token = ReplyToken(lastToken)
        if member.isClassic {
            members[index].id = ""
            let call = LeaveCall(
                group: Self.group, members: [LeaveCall.Member(memberID: member.id)])
            apply(coordinator.leave(call, token, now: now))
        } else {
            let call = ConsumerHeartbeatCall(
                group: Self.group, memberID: member.id, memberEpoch: -1)
            apply(coordinator.heartbeat(call, token, now: now))
        }
    }

    private mutating func commit(_ index: Int) {
        let member = members[index]
        guard let place = member.owned.all.first else { return }
        let name = place.topicID == Self.id("t") ? "t" : "u"
        let partition = TopicPartition(topic: name, partition: place.partition)
        let token = token(index)
        commits[token] = (partition, nextOffset)
        let call = CommitCall(
            claim: member.claim(Self.group),
            offsets: [CommitCall.Entry(partition: partition, offset: nextOffset)])
        nextOffset += 1
        apply(coordinator.commit(call, token, now: now))
    }

    // MARK: Effects

    private mutating func apply(_ effects: [GroupEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply): deliver(reply, token)
            case .append(let token, _, let records),
                .appendInTransaction(let token, _, let records, _):
                waiting.append(
                    Append(
                        token: token, records: records,
                        isRefused: !isQuiet && faults.chance(1, in: 50)))
                queue.schedule(
                    .durable, at: time + Int64(faults.within(100...40_000)) * 1_000)
            }
        }
    }

    private mutating func deliver(_ reply: GroupReply, _ token: ReplyToken) {
        if case .commit(let answer) = reply, let commit = commits.removeValue(forKey: token),
            answer.errors == [.none]
        {
            acknowledged[commit.partition] = commit.offset
            result.acknowledged += 1
        }
        guard let index = callers.removeValue(forKey: token) else { return }
        // A paused client reads its answers when it wakes up; here it lost the connection.
        guard members[index].pending == token, !members[index].isPaused else {
            if members[index].pending == token { members[index].pending = nil }
            members[index].missAnswer()
            return
        }
        members[index].pending = nil
        members[index].take(reply, ids: Self.ids)
        narrate(
            "\(members[index].name) is told \(reply): epoch \(members[index].epoch), "
                + "owns \(members[index].owned)")
        if case .commit = reply { return }
        members[index].isTrusted = true
        trace.mix(index)
        trace.mix(Int64(members[index].epoch))
        trace.mix(members[index].owned.count)
    }

    private mutating func makeDurable() {
        let all = waiting
        waiting = []
        for append in all {
            if !append.isRefused { durable += append.records }
            apply(
                coordinator.appended(
                    append.token, failure: append.isRefused ? .coordinatorNotAvailable : nil,
                    now: now))
        }
    }

    // MARK: Crashes

    private mutating func crash() {
        narrate("the coordinator crashes")
        result.crashes += 1
        // What was not synced may be there or not, but in order.
        for append in waiting.prefix(faults.below(waiting.count + 1)) where !append.isRefused {
            durable += append.records
        }
        waiting = []
        queue.removeAll { if case .durable = $0 { true } else { false } }
        if faults.chance(1, in: 2) { compact() }
        callers = [:]
        commits = [:]
        for index in members.indices {
            if members[index].pending != nil { members[index].missAnswer() }
            members[index].pending = nil
        }
        coordinator = GroupCoordinator(
            configuration: configuration, random: Random(seed: faults.next()))
        tellTopics()
        for record in durable {
            do throws(DecodeFailure) {
                try coordinator.replay(key: record.key, value: record.value)
            } catch {
                anomaly("a record of the log can't be read: \(error)")
            }
        }
        coordinator.finishReplay(now: now)
    }

    private mutating func compact() {
        durable = durable.compacted()
        result.cleanings += 1
    }

    // MARK: Checks

    private mutating func anomaly(_ text: String) {
        result.anomalies.append(text)
        trace.mix(text)
    }

    private mutating func check() {
        var owners: [AssignedPartition: String] = [:]
        for member in members where member.mayOwn(at: time) {
            for partition in member.owned.all {
                if let other = owners.updateValue(member.name, forKey: partition) {
                    anomaly(
                        "\(other) and \(member.name) have partition \(partition.partition) "
                            + "at \(time)")
                }
            }
        }
        for (name, count) in counts {
            for number in 0..<count {
                let partition = TopicPartition(topic: name, partition: number)
                let offset =
                    coordinator.committedOffset(group: Self.group, partition: partition)?.offset
                    ?? 0
                if offset < observed[partition] ?? 0 {
                    anomaly("the offset of \(partition) went back to \(offset)")
                }
                if offset < acknowledged[partition] ?? 0 {
                    anomaly("an acknowledged offset of \(partition) is lost")
                }
                observed[partition] = offset
            }
        }
    }

    private mutating func checkSettled() {
        let owned = members.reduce(0) { $0 + $1.owned.count }
        let wanted = counts.reduce(0) { $0 + Int($1.1) }
        let state = coordinator.list().first?.state ?? "gone"
        if state != "Stable" { anomaly("after a long silence the group is \(state)") }
        if owned != wanted { anomaly("\(owned) of \(wanted) partitions are assigned at the end") }
    }
}
