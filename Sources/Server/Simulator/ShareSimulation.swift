// One share group and its members on a log that forgets: from one seed.

import Base
import Coordinator
import WireProtocol

/// Runs a share group of one coordinator from one seed: members come, read, say what became of
/// records, fall silent, go; appends are late or refused; the coordinator crashes and is made again
/// from what was durable, compacted or not.
///
/// Checked: what was accepted durably never comes again; no record is with two members at a time; no
/// record is handed out more often than allowed; and once it is quiet, every record has been handed
/// out and is done.
package func simulateShares(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = ShareSimulation(seed: seed, options: options)
    return simulation.run()
}

struct ShareSimulation {
    private enum Event {
        case member(Int)
        case produce
        case durable
        case tick
        case crash
        case silence(Int)
    }

    private struct Append {
        var token: AppendToken
        var records: [GroupRecord]
        var isRefused: Bool
    }

    private struct Member {
        var id: String
        var epoch: Int32 = 0
        var isSilent = false
        var nextHeartbeat = Instant.zero
        /// What it holds, as far as it knows, and until when.
        var held: OrderedMap<Int64, Instant> = [:]
        var waiting: ReplyToken?
    }

    /// What a request was about, until it is answered.
    private enum Request {
        case heartbeat
        case fetch([SharePartition.Acquired], until: Instant)
        case acknowledge(accepted: [Int64])
        case nothing
    }

    /// What the clients know of one record.
    private struct Fate {
        var isAccepted = false
        var isRejected = false
        /// Acquisitions, also those that no member heard of.
        var attempts = 0
        var deliveries = 0
        var hasReached = false
    }

    private static let group = "g"
    private static let key = AssignedPartition(topicID: UUID128(high: 7, low: 1), partition: 0)

    private let options: SimulationOptions
    private var result: SimulationResult
    private var configuration = ShareConfiguration()
    private var coordinator: ShareCoordinator
    private var queue = EventQueue<Event>()
    private var time: Int64 = 1_000_000_000
    private var load: Random
    private var faults: Random
    private var trace = TraceHash()
    private var durable: [GroupRecord] = []
    private var waiting: [Append] = []
    private var members: [Member] = []
    /// Looked up only.
    private var requests: [ReplyToken: (member: Int, Request)] = [:]
    private var lastToken: UInt64 = 0
    private var batches: [ClosedRange<Int64>] = []
    private var nextOffset: Int64 = 0
    private var fates: OrderedMap<Int64, Fate> = [:]
    private var isQuiet = false

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed)
        load = random.fork()
        faults = random.fork()
        var shape = random.fork()
        configuration.updatesPerSnapshot = Int32([0, 1, 3, 20][shape.below(4)])
        configuration.deliveriesMax = Int16(shape.within(2...6))
        configuration.locksMax = Int64([5, 30, 2000][shape.below(3)])
        configuration.lockDuration = .seconds(shape.within(5...30))
        coordinator = ShareCoordinator(configuration: configuration)
        for index in 0..<shape.within(1...4) { members.append(Member(id: "m\(index)")) }
        tellTopics()
    }

    private var now: Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    private mutating func tellTopics() {
        coordinator.topicChanged("t", id: Self.key.topicID, partitionCount: 1)
    }

    private func seconds(_ count: Int) -> Int64 { Int64(count) * 1_000_000_000 }

    // MARK: Run

    mutating func run() -> SimulationResult {
        for index in members.indices {
            queue.schedule(.member(index), at: time + Int64(load.below(3_000_000_000)))
            queue.schedule(.silence(index), at: time + seconds(faults.within(20...200)))
        }
        queue.schedule(.tick, at: time)
        queue.schedule(.produce, at: time)
        queue.schedule(.crash, at: time + seconds(faults.within(5...60)))
        while result.events < options.eventCount * 4, result.anomalies.isEmpty,
            let next = queue.next()
        {
            handle(next.time, next.event)
        }
        isQuiet = true
        for index in members.indices { members[index].isSilent = false }
        let end = time + seconds(600)
        while time < end, result.anomalies.isEmpty, let next = queue.next() {
            handle(next.time, next.event)
        }
        if result.anomalies.isEmpty { checkSettled() }
        result.traceHash = trace.value
        return result
    }

    private mutating func handle(_ at: Int64, _ event: Event) {
        time = at
        result.events += 1
        switch event {
        case .member(let index):
            step(index)
            queue.schedule(event, at: time + Int64(load.within(100...3_000)) * 1_000_000)
        case .produce:
            if isQuiet { return }
            produce()
            queue.schedule(event, at: time + Int64(load.within(200...4_000)) * 1_000_000)
        case .durable: makeDurable()
        case .tick:
            apply(coordinator.tick(now: now))
            queue.schedule(event, at: time + 250_000_000)
        case .crash:
            if isQuiet { return }
            crash()
            queue.schedule(event, at: time + seconds(faults.within(5...90)))
        case .silence(let index):
            if isQuiet { return }
            members[index].isSilent.toggle()
            queue.schedule(event, at: time + seconds(faults.within(3...90)))
        }
        coordinator.checkInvariants()
    }

    /// A batch; sometimes the offsets in front of it do not exist.
    private mutating func produce() {
        let first = nextOffset + (load.chance(1, in: 5) ? Int64(load.within(1...4)) : 0)
        let last = first + Int64(load.below(8))
        batches.append(first...last)
        for offset in first...last { fates[offset] = Fate() }
        nextOffset = last + 1
    }

    // MARK: Members

    private mutating func token(_ index: Int, _ request: Request) -> ReplyToken {
        lastToken += 1
        let token = ReplyToken(lastToken)
        requests[token] = (index, request)
        members[index].waiting = token
        return token
    }

    private mutating func step(_ index: Int) {
        let member = members[index]
        guard !member.isSilent, member.waiting == nil else { return }
        if member.epoch == 0 || now.monotonic >= member.nextHeartbeat {
            members[index].nextHeartbeat = now.monotonic + .seconds(5)
            let token = token(index, .heartbeat)
            let call = ShareHeartbeatCall(
                group: Self.group, memberID: member.id, memberEpoch: member.epoch,
                topics: member.epoch == 0 ? ["t"] : nil)
            return apply(coordinator.heartbeat(call, token, now: now))
        }
        if !isQuiet, load.chance(1, in: 40) { return leave(index) }
        if !member.held.isEmpty, isQuiet || load.chance(2, in: 3) { return acknowledge(index) }
        fetch(index)
    }

    private mutating func fetch(_ index: Int) {
        if coordinator.partition(Self.key, of: Self.group) == nil {
            _ = coordinator.begin(Self.key, of: Self.group, at: 0)
        }
        var left = Int64(load.within(1...20))
        let isStrict = load.chance(1, in: 2)
        var position: Int64 = 0
        var got: [SharePartition.Acquired] = []
        while left > 0,
            let next = coordinator.nextAcquirable(Self.key, of: Self.group, from: position),
            let batch = batches.first(where: { $0.upperBound >= next })
        {
            let acquired = coordinator.acquire(
                batch, Self.key, of: Self.group, for: members[index].id,
                recordsMax: isStrict ? left : .max, now: now)
            for range in acquired {
                left -= range.last - range.first + 1
                check(range, for: index)
            }
            got += acquired
            position = batch.upperBound + 1
        }
        let until = now.monotonic + configuration.lockDuration
        let token = token(index, .fetch(got, until: until))
        apply(coordinator.commit(Self.group, token, now: now))
    }

    private mutating func check(_ range: SharePartition.Acquired, for index: Int) {
        for offset in range.first...range.last {
            guard var fate = fates[offset] else {
                anomaly("offset \(offset) was handed out and does not exist")
                return
            }
            fate.attempts += 1
            fates[offset] = fate
            if fate.isAccepted { anomaly("offset \(offset) was accepted and comes again") }
            if range.deliveryCount > configuration.deliveriesMax {
                anomaly("offset \(offset) is delivered \(range.deliveryCount) times")
            }
            for (other, member) in members.enumerated() where other != index {
                if let until = member.held[offset], until > now.monotonic {
                    anomaly("offset \(offset) is with \(member.id) and handed out again")
                }
            }
        }
    }

    private mutating func acknowledge(_ index: Int) {
        var batches: [AcknowledgementBatch] = []
        var accepted: [Int64] = []
        for (offset, _) in members[index].held {
            guard isQuiet || load.chance(2, in: 3) else { continue }
            let kinds: [AcknowledgeType] = [.accept, .accept, .accept, .release, .reject, .renew]
            let type = isQuiet ? .accept : kinds[load.below(kinds.count)]
            if type == .accept { accepted.append(offset) }
            batches.append(
                AcknowledgementBatch(
                    firstOffset: offset, lastOffset: offset, acknowledgeTypes: [type.rawValue]))
            members[index].held[offset] = nil
            if type == .reject { fates[offset]?.isRejected = true }
            if type == .renew {
                members[index].held[offset] = now.monotonic + configuration.lockDuration
            }
        }
        let refusal = coordinator.acknowledge(
            batches, Self.key, of: Self.group, by: members[index].id, mayRenew: true, now: now)
        if refusal != nil {
            // A lock has run out; which one, the member does not know.
            members[index].held = [:]
            accepted = []
        }
        let token = token(index, .acknowledge(accepted: accepted))
        apply(coordinator.commit(Self.group, token, now: now))
    }

    private mutating func leave(_ index: Int) {
        let token = token(index, .nothing)
        let member = members[index]
        members[index].held = [:]
        members[index].epoch = 0
        let call = ShareHeartbeatCall(group: Self.group, memberID: member.id, memberEpoch: -1)
        apply(coordinator.heartbeat(call, token, now: now))
        coordinator.release(member.id, of: Self.group, now: now)
        apply(coordinator.commit(Self.group, nil, now: now))
    }

    // MARK: Effects

    private mutating func apply(_ effects: [ShareEffect]) {
        for effect in effects {
            switch effect {
            case .reply(let token, let reply): deliver(reply, token)
            case .append(let token, _, let records):
                waiting.append(
                    Append(
                        token: token, records: records,
                        isRefused: !isQuiet && faults.chance(1, in: 50)))
                queue.schedule(
                    .durable, at: time + Int64(faults.within(100...40_000)) * 1_000)
            case .available, .deadLetters: break
            }
        }
    }

    private mutating func deliver(_ reply: ShareReply, _ token: ReplyToken) {
        guard let (index, request) = requests.removeValue(forKey: token) else { return }
        if members[index].waiting == token { members[index].waiting = nil }
        switch (request, reply) {
        case (.heartbeat, .heartbeat(let answer)):
            members[index].epoch = answer.error == .none ? answer.memberEpoch : 0
        case (.fetch(let got, let until), .written(.none)):
            for range in got {
                for offset in range.first...range.last {
                    guard var fate = fates[offset] else { continue }
                    fate.deliveries += 1
                    fate.hasReached = true
                    fates[offset] = fate
                    if fate.deliveries > Int(configuration.deliveriesMax) {
                        anomaly("offset \(offset) has reached members \(fate.deliveries) times")
                    }
                    members[index].held[offset] = until
                }
                trace.mix(range.first)
                trace.mix(Int64(range.deliveryCount))
            }
        case (.acknowledge(let accepted), .written(.none)):
            for offset in accepted { fates[offset]?.isAccepted = true }
            result.acknowledged += accepted.count
        default: break
        }
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
        result.crashes += 1
        // What was not synced may be there or not, but in order.
        for append in waiting.prefix(faults.below(waiting.count + 1)) where !append.isRefused {
            durable += append.records
        }
        waiting = []
        queue.removeAll { if case .durable = $0 { true } else { false } }
        if faults.chance(1, in: 2) { compact() }
        requests = [:]
        for index in members.indices {
            members[index].waiting = nil
            members[index].held = [:]
            members[index].epoch = 0
        }
        coordinator = ShareCoordinator(configuration: configuration)
        tellTopics()
        for record in durable {
            do throws(DecodeFailure) {
                try coordinator.replay(key: record.key, value: record.value)
            } catch {
                anomaly("a record of the log can't be read: \(error)")
            }
        }
        apply(coordinator.finishReplay(now: now))
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

    private mutating func checkSettled() {
        let state = coordinator.partition(Self.key, of: Self.group)
        if let last = batches.last, state?.startOffset ?? 0 <= last.upperBound {
            anomaly("at the end the group is at \(state?.startOffset ?? -1), not behind \(last)")
        }
        for (offset, fate) in fates where !fate.isAccepted {
            if fate.isRejected || fate.attempts >= Int(configuration.deliveriesMax) { continue }
            // The answer to an acknowledgement may be lost, but not the record.
            if !fate.hasReached { anomaly("offset \(offset) has never reached a member") }
        }
    }
}
