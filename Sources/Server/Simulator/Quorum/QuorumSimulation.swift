// The metadata quorum under faults of network, disk, clock and process, from one seed: first
// a phase in which anything may happen and nothing may be lost, then healing, after which the
// quorum has to work again.

import Base
import Quorum

/// Runs a quorum of one to nine members from one seed.
package func simulateQuorum(seed: UInt64, options: SimulationOptions) -> SimulationResult {
    var simulation = QuorumSimulation(seed: seed, options: options)
    return simulation.run()
}

struct QuorumSimulation {
    enum Event {
        case deliver(QuorumMessage, Bytes?, to: Int)
        case tick(Int, wake: Int)
        case jobEnd(Int, process: Int, QuorumJob, [(any DiskFile, SimulatedFile.Flush)])
        case start(Int)
        case resume(Int)
        case propose
        case read
        case fault(QuorumFault)
        case administer
        case transfer
        case heal
        case quiet
    }

    private enum Request {
        case proposal
        case read(floor: LogIndex)
        case other
    }

    static let cluster = UUID128(high: 1, low: 2)
    private static let eventCountMax = 2_000_000

    let options: SimulationOptions
    let swarm: QuorumSwarm
    var result: SimulationResult
    var members: [SimulatedMember] = []
    var queue = EventQueue<Event>()
    var time: Int64 = 1_000_000_000
    var network: Random
    var diskTimes: Random
    var faults: Random
    var load: Random
    var processes: Random
    /// `blocked[a][b]`: nothing goes from a to b.
    var blocked: [[Bool]]
    var isHealed = false
    private var isQuiet = false
    /// Who hears nobody, since when, and its process and term then.
    var isolated: (index: Int, since: Int64, process: Int, term: Term)?
    var checker = QuorumChecker()
    private var trace = TraceHash()
    private var requests: [UInt64: Request] = [:]
    private var lastRequest: UInt64 = 0
    /// Who was told to lead last.
    private var leaderHint = 0
    private var committedAtHealing = 0

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed)
        var shape = random.fork()
        swarm = QuorumSwarm(&shape)
        network = random.fork()
        diskTimes = random.fork()
        faults = random.fork()
        load = random.fork()
        processes = random.fork()
        let count = swarm.voters + swarm.observers
        blocked = Array(repeating: Array(repeating: false, count: count), count: count)
        var disks = random.fork()
        for index in 0..<count {
            let disk = SimulatedDisk(random: disks.fork(), sectorBytes: swarm.sectorBytes)
            members.append(
                SimulatedMember(
                    id: NodeID(Int32(index + 1)), disk: disk,
                    directory: UUID128(high: 3, low: UInt64(index + 1)),
                    isWitness: swarm.hasWitness && index == swarm.voters - 1,
                    clock: Int64(faults.below(1_000_000_000_000))))
        }
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        narrate(swarm.summary)
        let initial = RaftConfiguration(
            members.enumerated().map { index, member in
                RaftMember(
                    id: member.id, directory: member.directory, isVoter: index < swarm.voters,
                    isWitness: member.isWitness)
            })
        for index in members.indices {
            format(index, initial)
            setClock(index)
            start(index)
        }
        scheduleFaults()
        for (event, every) in [(Event.propose, 10), (.read, 20)] {
            queue.schedule(event, at: time + Int64(every) * 1_000_000)
        }
        if swarm.membershipEvery > 0 { queue.schedule(.administer, at: time + 2_000_000_000) }
        if swarm.transferEvery > 0 { queue.schedule(.transfer, at: time + 2_000_000_000) }
        let chaos = time + Int64(options.eventCount) * 40_000_000
        queue.schedule(.heal, at: chaos)
        // Ten election timeouts and what a slow disk needs to catch up.
        let work = swarm.raft.electionTimeout.wholeNanoseconds * 10 + 6_000_000_000
        queue.schedule(.quiet, at: chaos + work)
        let end = chaos + work + swarm.raft.electionTimeout.wholeNanoseconds * 4
        while checker.anomaly == nil, let next = queue.next(), next.time <= end {
            time = next.time
            result.events += 1
            if result.events > Self.eventCountMax { checker.fail("a storm of events") }
            handle(next.event)
        }
        if checker.anomaly == nil { checkLiveness() }
        if let anomaly = checker.anomaly { result.anomalies = [anomaly] }
        result.simulatedNanoseconds = time - 1_000_000_000
        result.traceHash = trace.value
        return result
    }

    func narrate(_ text: @autoclosure () -> String) {
        options.narrate?("quorum at \(time / 1000) us: \(text())")
    }

    private mutating func handle(_ event: Event) {
        trace.mix(time)
        switch event {
        case .deliver(let message, let bytes, let index):
            guard members[index].replica != nil else { return }
            if let bytes {
                do {
                    let decoded = try QuorumMessage(bytes)
                    if decoded != message { checker.fail("\(message) changes on the wire") }
                } catch {
                    checker.fail("\(message) cannot be read: \(error)")
                }
            }
            give(index, .message(message))
        case .tick(let index, let wake):
            if members[index].wake == wake { give(index, .tick) }
        case .jobEnd(let index, let process, let job, let flushes):
            endJob(index, process, job, flushes)
        case .start(let index): start(index)
        case .resume(let index): resume(index)
        case .propose: propose()
        case .read: read()
        case .fault(let fault): strike(fault)
        case .administer: administer()
        case .transfer:
            guard !isQuiet else { return }
            queue.schedule(.transfer, at: time + every(swarm.transferEvery))
            let target = load.chance(1, in: 2) ? nil : members[load.below(members.count)].id
            if members[leaderHint].replica != nil {
                narrate("node \(leaderHint + 1) shall hand over")
                give(leaderHint, .transfer(to: target, request(.other)))
            }
        case .heal:
            narrate("everything is healed")
            isHealed = true
            committedAtHealing = Int(checker.commitIndex.value)
            heal()
            if swarm.wipeEvery > 0, swarm.membershipEvery == 0 {
                queue.schedule(.administer, at: time + 500_000_000)
            }
        case .quiet: isQuiet = true
        }
    }

    // MARK: A member

    private mutating func format(_ index: Int, _ initial: RaftConfiguration?) {
        let member = members[index]
        do throws(StorageFailure) {
            try QuorumReplica.format(
                member.disk, directory: "quorum",
                identity: QuorumIdentity(
                    cluster: Self.cluster, node: member.id, directory: member.directory),
                initial: initial)
        } catch {
            checker.fail("node \(member.id.value) cannot be formatted: \(error)")
        }
    }

    /// A new and empty disk takes the place of the old one.
    mutating func replaceDisk(_ index: Int) {
        members[index].disk = SimulatedDisk(
            random: processes.fork(), sectorBytes: swarm.sectorBytes)
        members[index].directory.high += 1
        members[index].isDamaged = true
        format(index, nil)
        if swarm.membershipEvery == 0 { queue.schedule(.administer, at: time + 300_000_000) }
    }

    private mutating func start(_ index: Int) {
        guard members[index].replica == nil else { return }
        let disk = members[index].disk
        disk.faults.syncFailureOneIn = isHealed ? 0 : swarm.syncFailureOneIn
        disk.narrate = options.narrate.map { narrate in
            let time = time
            return { narrate("quorum after \(time / 1000) us: node \(index + 1) \($0)") }
        }
        var configuration = QuorumConfiguration(node: members[index].id, cluster: Self.cluster)
        configuration.raft = swarm.raft
        configuration.raft.isWitness = members[index].isWitness
        configuration.fileBytes = swarm.fileBytes
        configuration.snapshotAfterEntries = swarm.snapshotAfterEntries
        configuration.retainedEntries = swarm.retainedEntries
        configuration.noteDelay = swarm.noteDelay
        let now = members[index].clock(at: time)
        members[index].process += 1
        members[index].isPaused = false
        members[index].backlog = []
        members[index].applied = 0
        members[index].state = 0
        do throws(QuorumFailure) {
            var replica = try QuorumReplica(
                configuration, disk: disk, random: processes.fork(), now: now)
            let effects = replica.start(now: now)
            members[index].replica = replica
            narrate(
                "node \(index + 1) starts: term \(replica.core.term), log up to "
                    + "\(replica.core.log.lastPosition), commit \(replica.core.commitIndex), "
                    + "lost \(String(describing: replica.core.hardState.lost))")
            checker.commitMoved(replica.core, from: 0)
            checker.logChanged(replica.core)
            if replica.core.hardState.lost != nil, !members[index].isDamaged {
                checker.fail("node \(index + 1) takes a torn tail for damage")
            }
            perform(effects, of: index)
            scheduleTick(index)
        } catch {
            narrate("node \(index + 1) cannot start: \(error)")
            if case .storage(.system) = error {
            } else {
                checker.fail("node \(index + 1) cannot start: \(error)")
            }
            result.crashes += 1
            disk.killProcess()
            queue.schedule(.start(index), at: time + 200_000_000)
        }
    }

    /// The process ends; what its disk keeps is decided by the caller.
    mutating func end(_ index: Int) {
        members[index].markedEnd = members[index].replica?.markedEnd ?? members[index].markedEnd
        members[index].replica = nil
        members[index].process += 1
        members[index].wake += 1
        result.crashes += 1
    }

    mutating func give(_ index: Int, _ event: QuorumEvent) {
        guard members[index].replica != nil else { return }
        if members[index].isPaused {
            if members[index].backlog.count < 200 { members[index].backlog.append(event) }
            return
        }
        if let narrate = options.narrate { tell(narrate, index, event) }
        let now = members[index].clock(at: time)
        var effects: [QuorumEffect] = []
        let oldCommit = members[index].replica?.core.commitIndex ?? 0
        effects = members[index].replica?.handle(event, now: now) ?? []
        guard let replica = members[index].replica else { return }
        trace.mix(UInt64(index) << 32 | UInt64(effects.count))
        trace.mix(replica.core.term.value)
        trace.mix(replica.core.log.lastIndex.value)
        replica.checkInvariants()
        if replica.core.commitIndex != oldCommit {
            checker.commitMoved(replica.core, from: oldCommit)
        }
        checker.logChanged(replica.core)
        noteRecovery(index, replica.core)
        perform(effects, of: index)
        scheduleTick(index)
    }

    private func tell(_ narrate: (String) -> Void, _ index: Int, _ event: QuorumEvent) {
        let text: String
        switch event {
        case .message(let message): text = "\(message)"
        case .jobDone(let number, let failure):
            text = "job \(number) done\(failure.map { ": \($0)" } ?? "")"
        case .tick: text = "tick"
        case .propose: text = "propose"
        case .read: text = "read"
        case .confirm: text = "confirm"
        case .change(let change, _): text = "\(change)"
        case .transfer: text = "transfer"
        case .snapshot(let at, _): text = "snapshot at \(at)"
        }
        narrate("quorum at \(time / 1000) us: node \(index + 1) ← \(text)")
    }

    /// A node with a damaged or new disk has again what it had.
    private mutating func noteRecovery(_ index: Int, _ core: RaftCore) {
        guard members[index].isDamaged, core.hardState.lost == nil, core.isVoter || isHealed else {
            return
        }
        guard core.commitIndex >= checker.floor else { return }
        members[index].isDamaged = false
        narrate("node \(index + 1) has everything again")
    }

    private mutating func scheduleTick(_ index: Int) {
        guard let replica = members[index].replica, !members[index].isPaused else { return }
        members[index].wake += 1
        queue.schedule(
            .tick(index, wake: members[index].wake),
            at: members[index].time(of: replica.deadline, from: time))
    }

    private mutating func resume(_ index: Int) {
        guard members[index].isPaused else { return }
        members[index].isPaused = false
        let backlog = members[index].backlog
        members[index].backlog = []
        for event in backlog { give(index, event) }
        scheduleTick(index)
    }

    // MARK: Effects

    private mutating func perform(_ effects: [QuorumEffect], of index: Int) {
        for effect in effects {
            switch effect {
            case .send(let message): send(message, from: index)
            case .run(let job): begin(job, on: index)
            case .apply(let entries):
                for entry in entries {
                    guard entry.index == members[index].applied.next else {
                        return checker.fail(
                            "node \(index + 1) applies \(entry.index) after "
                                + "\(members[index].applied)")
                    }
                    guard !entry.isStripped else {
                        return checker.fail("node \(index + 1) applies what it does not have")
                    }
                    members[index].apply(entry)
                    checker.applied(
                        members[index].id, members[index].applied, members[index].state)
                }
            case .restore(let snapshot): restore(snapshot, index)
            case .wantSnapshot:
                let at = members[index].applied
                let filling = Int(at.value * 37 % 6000)
                let content = members[index].snapshotContent(filling: filling)
                give(index, .snapshot(at: at, content: content))
            case .answered(let token, let answer): answered(token, answer, by: index)
            case .becameLeader(let term):
                narrate("node \(index + 1) LEADS term \(term)")
                leaderHint = index
                if let core = members[index].replica?.core { checker.becameLeader(core) }
            case .steppedDown(let term):
                narrate("node \(index + 1) leads term \(term) no more")
            case .report(_, let text): narrate("node \(index + 1) says: \(text)")
            case .halt(let reason): halted(index, reason)
            }
        }
    }

    private mutating func restore(_ snapshot: RaftSnapshot, _ index: Int) {
        // A process that dies in the same moment restores nothing.
        if members[index].isWitness || members[index].replica?.core.isHalted == true { return }
        let content = (try? members[index].replica?.snapshotContent()) ?? nil
        if members[index].disk.isDead { return halted(index, "reading failed on a dead disk") }
        guard let content, members[index].restore(content),
            members[index].applied == snapshot.index
        else { return checker.fail("node \(index + 1) cannot restore its snapshot") }
        checker.applied(members[index].id, snapshot.index, members[index].state)
    }

    private mutating func halted(_ index: Int, _ reason: String) {
        narrate("node \(index + 1) HALTS: \(reason)")
        guard members[index].disk.crashAtOperation != nil || reason.contains("failed on") else {
            return checker.fail("node \(index + 1) halts: \(reason)")
        }
        end(index)
        if faults.chance(1, in: 2) {
            members[index].disk.losePower()
            result.powerLosses += 1
        } else {
            members[index].disk.killProcess()
        }
        queue.schedule(.start(index), at: time + Int64(faults.within(10...2000)) * 1_000_000)
    }

    private mutating func send(_ message: QuorumMessage, from index: Int) {
        let target = Int(message.to.value) - 1
        guard members.indices.contains(target), !blocked[index][target] else { return }
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        var copies = 1
        if !isHealed, network.below(1_000_000) < swarm.duplicates { copies = 2 }
        for _ in 0..<copies {
            var delay = Int64(network.within(swarm.latency))
            if !isHealed, network.below(1_000_000) < swarm.stragglers {
                delay += Int64(network.below(2_000_000_000))
            }
            let bytes = swarm.encodes ? message.encoded() : nil
            queue.schedule(.deliver(message, bytes, to: target), at: time + delay)
        }
    }

    // MARK: Jobs

    private mutating func begin(_ job: QuorumJob, on index: Int) {
        var flushes: [(any DiskFile, SimulatedFile.Flush)] = []
        if case .sync(let files, _) = job.work {
            for file in files {
                if let flush = members[index].disk.beginFlush(file) {
                    flushes.append((file, flush))
                }
            }
        }
        var delay = Int64(diskTimes.within(swarm.syncLatency))
        if swarm.stalls, !isHealed, diskTimes.chance(1, in: 200) {
            delay += Int64(diskTimes.below(3_000_000_000))
        }
        queue.schedule(
            .jobEnd(index, process: members[index].process, job, flushes), at: time + delay)
    }

    private mutating func endJob(
        _ index: Int, _ process: Int, _ job: QuorumJob,
        _ flushes: [(any DiskFile, SimulatedFile.Flush)]
    ) {
        guard members[index].process == process else { return }
        let disk = members[index].disk
        var failure: StorageFailure?
        if case .sync(_, let directory) = job.work {
            for (file, flush) in flushes where failure == nil {
                failure = disk.endFlush(file, flush)
            }
            if failure == nil, let directory {
                do throws(StorageFailure) {
                    try disk.syncDirectory(directory)
                } catch {
                    failure = error
                }
            }
            if failure != nil { result.failedSyncs += 1 }
        } else {
            failure = job.run(on: disk)
        }
        give(index, .jobDone(number: job.number, failure: failure))
    }

    // MARK: Clients

    private mutating func request(_ request: Request) -> RequestToken {
        lastRequest += 1
        requests[lastRequest] = request
        return RequestToken(lastRequest)
    }

    /// Whom a client asks: who led last, or anybody.
    private mutating func contact() -> Int {
        load.chance(2, in: 3) ? leaderHint : load.below(members.count)
    }

    private mutating func propose() {
        guard !isQuiet else { return }
        queue.schedule(
            .propose, at: time + Int64(load.within(swarm.proposalEvery)) * 1_000_000)
        let index = contact()
        let count = load.within(swarm.payloadBytes)
        var writer = ByteWriter(capacity: count)
        writer.int64(Int64(lastRequest + 1))
        writer.zeros(count - 8)
        guard members[index].replica != nil else { return }
        give(index, .propose(writer.finish(), request(.proposal)))
    }

    private mutating func read() {
        guard !isQuiet else { return }
        queue.schedule(.read, at: time + Int64(load.within(swarm.readEvery)) * 1_000_000)
        var index = contact()
        // Who thinks that it leads, and perhaps does not any more, is whom to ask.
        let leaders = members.indices.filter { members[$0].replica?.core.isLeader == true }
        if !leaders.isEmpty, load.chance(1, in: 2) { index = leaders[load.below(leaders.count)] }
        guard members[index].replica != nil else { return }
        give(index, .read(request(.read(floor: checker.floor))))
    }

    private mutating func answered(_ token: RequestToken, _ answer: RaftAnswer, by index: Int) {
        guard let request = requests.removeValue(forKey: token.value) else {
            return checker.fail("node \(index + 1) answers request \(token.value) twice")
        }
        switch (request, answer) {
        case (.read(let floor), .readable(let at)):
            narrate("node \(index + 1) answers a read at \(at)")
            if members[index].applied < at, !members[index].isWitness {
                checker.fail("node \(index + 1) answers a read before it has applied \(at)")
            }
            checker.read(members[index].id, at: at, since: floor)
            result.reads += 1
        case (_, .committed(let at)):
            narrate("node \(index + 1) answers: committed at \(at)")
            checker.acknowledged(at)
            result.acknowledged += 1
        case (_, .notLeader(let hint)):
            if let hint { leaderHint = Int(hint.value) - 1 }
        default: break
        }
    }

    /// Changes of the membership, and new disks brought back into the quorum.
    private mutating func administer() {
        guard !isQuiet else { return }
        queue.schedule(.administer, at: time + every(max(swarm.membershipEvery, 400)))
        guard let core = members[leaderHint].replica?.core, core.isLeader else { return }
        let configuration = core.configuration
        for member in members where member.isDamaged && member.directory.high > 3 {
            let change: MembershipChange
            switch configuration.member(member.id) {
            case nil:
                change = .add(member.id, directory: member.directory, isWitness: member.isWitness)
            case let known? where known.directory != member.directory: change = .remove(member.id)
            case let known? where !known.isVoter: change = .promote(member.id)
            default: continue
            }
            return give(leaderHint, .change(change, request(.other)))
        }
        guard swarm.membershipEvery > 0, !members.contains(where: \.isDamaged) else { return }
        let member = members[load.below(members.count)]
        let known = configuration.member(member.id)
        let change: MembershipChange
        switch load.below(3) {
        case 0 where known?.isVoter == true && configuration.voterCount > swarm.votersAtLeast:
            change = load.chance(1, in: 2) ? .remove(member.id) : .demote(member.id)
        case _ where known == nil:
            change = .add(member.id, directory: member.directory, isWitness: member.isWitness)
        case _ where known?.isVoter == false: change = .promote(member.id)
        default: return
        }
        give(leaderHint, .change(change, request(.other)))
    }

    func every(_ milliseconds: Int) -> Int64 { Int64(milliseconds) * 1_000_000 }

    // MARK: The end

    private mutating func checkLiveness() {
        var leaders: [RaftCore] = []
        for index in members.indices {
            guard let core = members[index].replica?.core else {
                return checker.fail("node \(index + 1) is not up after healing")
            }
            if core.isLeader { leaders.append(core) }
        }
        guard let leader = leaders.max(by: { $0.term < $1.term }) else {
            return checker.fail("nobody leads after healing")
        }
        guard Int(checker.commitIndex.value) > committedAtHealing + 20 else {
            return checker.fail("almost nothing was committed after healing")
        }
        guard leader.commitIndex == leader.log.lastIndex,
            leader.commitIndex == checker.commitIndex
        else { return checker.fail("the leader has not committed its log after healing") }
        for member in members {
            guard let known = leader.configuration.member(member.id),
                known.isServed(by: member.directory), let core = member.replica?.core
            else { continue }
            if core.commitIndex != leader.commitIndex {
                return checker.fail(
                    "node \(member.id.value) is at \(core.commitIndex) after healing, the leader "
                        + "at \(leader.commitIndex)")
            }
            if core.hardState.lost != nil {
                return checker.fail("node \(member.id.value) never got back what it lost")
            }
            if !member.isWitness, member.state != checker.state(at: leader.commitIndex) {
                return checker.fail("the state of node \(member.id.value) is not that of others")
            }
        }
    }
}
