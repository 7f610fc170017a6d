// One fault at one storage call of a scripted run, then a restart, then the question whether
// everything that was promised is there. Random seeds find combinations; this finds every place.

import Base
import Log

/// What happens at the chosen storage call.
package enum InjectedFault: String, CaseIterable, Sendable {
    /// The power fails before the call takes effect; a write is torn at some byte.
    case powerLoss = "power-loss"
    /// The process is killed there; what the system's cache holds stays.
    case kill
    /// The call fails with EIO and the process goes on.
    case ioError = "io-error"
    /// The call fails with ENOSPC and the process goes on.
    case noSpace = "no-space"
    /// A write stops half way with ENOSPC and the process goes on.
    case shortWrite = "short-write"
    /// The call fails with EIO, and the power fails while the process starts again.
    case ioErrorThenPowerLoss = "io-error-then-power-loss"
    /// The process is killed there, before names become durable that it has seen itself, and at
    /// one of the next calls, most often while it starts again, the power fails.
    case killThenPowerLoss = "kill-then-power-loss"

    var losesPower: Bool {
        self == .powerLoss || self == .ioErrorThenPowerLoss || self == .killThenPowerLoss
    }

    /// After how many further calls a second fault comes; each is a run of its own.
    var secondCalls: [Int?] { self == .killThenPowerLoss ? Array(1...24) : [nil] }
}

/// Runs one script with one fault.
struct InjectionRun {
    let script: InjectionScript
    private let disk: SimulatedDisk
    private let fault: InjectedFault
    private let planted: PlantedBug
    private var store: LogStore?
    private var checker = PromiseChecker()
    private var producers: [ProducerModel] = []
    private var load: Random
    private var time: Int64 = 1_000_000_000
    private var now = Self.moment(1_000_000_000)
    private var syncsCompleted = 0
    private var topics: [String: Bool] = [:]
    /// So many calls after the first fault comes the second.
    private var callsUntilPowerLoss: Int?

    init(
        script: InjectionScript, fault: InjectedFault, atOperation: Int?, secondAfter: Int? = nil,
        seed: UInt64, planted: PlantedBug, narrate: ((String) -> Void)?
    ) {
        self.script = script
        self.fault = fault
        self.planted = planted
        var random = Random(seed: seed)
        load = random.fork()
        disk = SimulatedDisk(random: random.fork(), sectorBytes: 512)
        disk.narrate = narrate
        if let atOperation {
            switch fault {
            case .powerLoss, .kill: disk.crashAtOperation = atOperation
            case .killThenPowerLoss:
                disk.crashAtOperation = atOperation
                callsUntilPowerLoss = secondAfter
            case .ioError, .ioErrorThenPowerLoss:
                disk.injection = .init(atOperation: atOperation, failure: .ioError)
            case .noSpace: disk.injection = .init(atOperation: atOperation, failure: .noSpace)
            case .shortWrite:
                disk.injection = .init(atOperation: atOperation, failure: .shortWrite)
            }
        }
        for (id, name) in script.partitions.enumerated() {
            var model = PartitionModel(name: name)
            model.isCompacted = script.settings.isCompacted
            checker.partitions.append(model)
            producers.append(ProducerModel(id: id, partition: id, isIdempotent: false))
        }
        checker.isIdempotent = producers.map(\.isIdempotent)
    }

    /// Virtual time begins one second after the start of the machine.
    private static func moment(_ time: Int64) -> Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    private var configuration: LogStoreConfiguration {
        var configuration = LogStoreConfiguration()
        configuration.journalFileBytes = 16 << 10
        configuration.journalFileCountMax = 2
        configuration.storeIdentity = 11
        configuration.reserveBytes = 0
        configuration.tailCacheBytes = 0
        configuration.checkpointInterval = .milliseconds(50)
        configuration.retentionCheckInterval = .milliseconds(50)
        configuration.cleanerCheckInterval = .milliseconds(10)
        configuration.planted = planted
        return configuration
    }

    /// The calls that make names durable, of the run that has ended.
    var directorySyncs: [Int] { disk.directorySyncs }

    private var isDead: Bool {
        disk.crashAtOperation.map { disk.operations >= $0 } ?? false
    }

    // MARK: Run

    /// The anomalies, and how many storage calls the run made.
    mutating func run() -> (anomalies: [String], operations: Int) {
        disk.now = now.timestamp
        start()
        for step in script.steps where checker.anomalies.isEmpty {
            take(step)
            if isDead { crash() }
        }
        let operations = disk.operations
        // Whatever was promised by now survives one more power loss.
        disk.losePower()
        forget()
        start()
        for index in script.partitions.indices where checker.anomalies.isEmpty {
            produce(index, records: 1)
        }
        sync()
        for index in script.partitions.indices where checker.anomalies.isEmpty { check(index) }
        return (checker.anomalies, operations)
    }

    private mutating func take(_ step: ScriptStep) {
        switch step {
        case .produce(let index, let records): produce(index, records: records)
        case .sync: sync()
        case .wait(let milliseconds):
            time += milliseconds * 1_000_000
            now = Self.moment(time)
            disk.now = now.timestamp
        case .maintain: maintain()
        case .deleteRecords(let index): deleteRecords(index)
        case .create(let topic): create(topic)
        case .delete(let topic): delete(topic)
        case .restart:
            try? store?.close(now: now)
            guard !isDead else { return }
            disk.killProcess()
            forget()
            start()
        case .kill:
            disk.killProcess()
            forget()
            start()
        }
    }

    private mutating func crash() {
        if let calls = callsUntilPowerLoss {
            callsUntilPowerLoss = nil
            disk.killProcess()
            disk.crashAtOperation = disk.operations + calls
        } else if fault.losesPower {
            disk.losePower()
        } else {
            disk.killProcess()
        }
        forget()
        start()
    }

    private mutating func forget() {
        store = nil
        for index in producers.indices { producers[index].inFlight = [] }
    }

    /// Opens the store; a fault that strikes meanwhile leads to another attempt.
    private mutating func start() {
        for _ in 0..<3 {
            do throws(StorageFailure) {
                let opened = try LogStore.open(disk: disk, configuration: configuration, now: now)
                if !isDead {
                    store = opened.store
                    disk.narrate?("recovered: \(opened.report)")
                    for damage in opened.report.damaged { checker.anomaly("\(damage)") }
                    prepare()
                }
            } catch {
                if !isDead, disk.injectionIsOver == false {
                    return checker.anomaly("a start failed without a fault: \(error)")
                }
            }
            if store != nil, !isDead { return }
            if isDead {
                if fault.losesPower { disk.losePower() } else { disk.killProcess() }
            } else {
                disk.killProcess()
            }
            forget()
        }
        checker.anomaly("three starts failed after one fault")
    }

    /// Creates what the script takes for granted, and looks at what is there.
    private mutating func prepare() {
        let missing = script.partitions.filter { store?.topicID(of: $0) == nil }
        for index in checker.partitions.indices
        where missing.contains(checker.partitions[index].name)
            && !checker.partitions[index].acknowledged.isEmpty
        {
            checker.anomaly("\(checker.partitions[index].name) vanished")
        }
        if !missing.isEmpty {
            let new = missing.map {
                NewPartition(topicPartition: $0, topicID: UUID128(high: 3, low: 3))
            }
            do throws(StorageFailure) {
                try store?.create(new, now: now)
            } catch {
                store = nil
                return
            }
        }
        for partition in script.partitions {
            store?.configure(partition, settings: script.settings)
        }
        for (topic, exists) in topics.sorted(by: { $0.key < $1.key }) {
            let name = TopicPartition(topic: topic, partition: 0)
            if exists, store?.topicID(of: name) == nil {
                checker.anomaly("topic \(topic) was created and is gone")
            }
            if !exists, store?.topicID(of: name) != nil {
                checker.anomaly("topic \(topic) was deleted and is back")
            }
        }
        for index in script.partitions.indices where !isDead { check(index) }
        store?.checkInvariants()
    }

    // MARK: Steps

    private mutating func produce(_ index: Int, records: Int) {
        guard store != nil,
            let (entry, batch) = producers[index].nextBatch(
                &load, keyed: script.settings.isCompacted, at: now.timestamp)
        else { return }
        checker.partitions[index].add(batch, checksum: entry.checksum)
        do throws(AppendFailure) {
            guard
                let answer = try store?.append(
                    entry.bytes, to: script.partitions[index], now: now)
            else { return }
            var sent = entry
            sent.baseOffset = answer.baseOffset.value
            sent.lastOffset = answer.lastOffset.value
            producers[index].inFlight.append(sent)
        } catch {
            if isDead { return }
            switch error {
            case .noSpace, .journalFull: break
            case .storage, .halted: haltedRestart()
            default: checker.anomaly("\(script.partitions[index]) refused a batch: \(error)")
            }
        }
    }

    private mutating func sync() {
        while !isDead, let request = store?.beginSync() {
            var failure: StorageFailure?
            do throws(StorageFailure) { try request.file.sync() } catch { failure = error }
            guard !isDead else { return }
            switch store?.syncCompleted(request.ticket, failure: failure) {
            case .advanced(let advances):
                syncsCompleted += 1
                for advance in advances { acknowledge(advance) }
            case .halt: return haltedRestart()
            case nil: return
            }
        }
    }

    private mutating func acknowledge(_ advance: DurableAdvance) {
        guard let index = script.partitions.firstIndex(of: advance.topicPartition) else { return }
        while let first = producers[index].inFlight.first, let last = first.lastOffset,
            let base = first.baseOffset, last < advance.durableEndOffset.value
        {
            producers[index].inFlight.removeFirst()
            checker.partitions[index].acknowledged[base] = PartitionModel.Promise(
                checksum: first.checksum, lastOffset: last, sync: syncsCompleted)
        }
    }

    private mutating func maintain() {
        for _ in 0..<12 {
            guard store != nil, !isDead else { return }
            if store?.maintain(now: now, budgetBytes: 2 << 10) != nil {
                return isDead ? () : haltedRestart()
            }
            sync()
        }
        if !isDead { store?.checkInvariants() }
    }

    private mutating func deleteRecords(_ index: Int) {
        let name = script.partitions[index]
        guard let offsets = store?.offsets(of: name) else { return }
        let target = Offset((offsets.logStartOffset.value + offsets.highWatermark.value) / 2)
        do throws(DeleteRecordsFailure) {
            let deleted = try store?.deleteRecords(in: name, before: target, now: now)
            guard !isDead, let deleted else { return }
            let known = checker.partitions[index].deletedBelow
            checker.partitions[index].deletedBelow = max(known, deleted.value)
        } catch {
            guard !isDead else { return }
            if store?.haltReason != nil { haltedRestart() }
        }
    }

    private mutating func create(_ topic: String) {
        let new = NewPartition(
            topicPartition: TopicPartition(topic: topic, partition: 0),
            topicID: UUID128(high: 5, low: UInt64(disk.operations)))
        topics[topic] = nil
        do throws(StorageFailure) {
            try store?.create([new], now: now)
            if store != nil, !isDead { topics[topic] = true }
        } catch .alreadyExists {
            topics[topic] = true
        } catch {
            if !isDead, store?.haltReason != nil { haltedRestart() }
        }
    }

    private mutating func delete(_ topic: String) {
        topics[topic] = nil
        do throws(StorageFailure) {
            try store?.delete([TopicPartition(topic: topic, partition: 0)], now: now)
            if store != nil, !isDead { topics[topic] = false }
        } catch {
            if !isDead, store?.haltReason != nil { haltedRestart() }
        }
    }

    /// The store said that it can't go on. Half of the systems restart as they are, half of them
    /// lose what they had in memory as well.
    private mutating func haltedRestart() {
        if fault == .ioErrorThenPowerLoss {
            disk.killProcess()
            disk.crashAtOperation = disk.operations + load.within(1...80)
        } else if disk.operations % 2 == 0 {
            disk.losePower()
        } else {
            disk.killProcess()
        }
        forget()
        start()
    }

    // MARK: Checks

    private mutating func check(_ index: Int) {
        let name = script.partitions[index]
        guard let offsets = store?.offsets(of: name) else { return }
        var walk = PromiseChecker.Walk(from: offsets.logStartOffset)
        while true {
            do throws(ReadFailure) {
                guard
                    let answer = try store?.read(name, from: walk.next, maxBytes: 64 << 10),
                    !answer.batches.isEmpty
                else { break }
                for bytes in answer.batches {
                    guard
                        checker.observe(
                            bytes, of: index, highWatermark: answer.highWatermark, sync: nil,
                            walk: &walk)
                    else { return }
                }
            } catch {
                // The fault may strike a read as well: it is told, and nothing is lost by it.
                if isDead || disk.injectionStruckLast { return }
                return checker.anomaly("\(name) can't be read at \(walk.next): \(error)")
            }
        }
        guard !isDead else { return }
        checker.verify(
            walk, of: index, logStart: offsets.logStartOffset,
            highWatermark: offsets.highWatermark)
    }
}

/// Which runs `injectEverywhere` makes.
package struct InjectionPlan {
    /// Only every so many storage calls.
    package var stride = 1
    /// Only this script, this fault, this call; nil = all.
    package var script: String?
    package var fault: InjectedFault?
    package var atOperation: Int?
    package var planted = PlantedBug.none
    /// Told what happens, line by line.
    package var narrate: ((String) -> Void)?

    package init() {}

    package static var scriptNames: [String] { InjectionScript.all.map(\.name) }
}

/// Puts every fault at every storage call of every script, as far as `plan` does not say less.
/// Returns how many runs went wrong.
package func injectEverywhere(_ plan: InjectionPlan, report: (String) -> Void) -> Int {
    var failed = 0
    for script in InjectionScript.all where plan.script == nil || plan.script == script.name {
        var calm = InjectionRun(
            script: script, fault: .kill, atOperation: nil, seed: 1, planted: plan.planted,
            narrate: nil)
        let (anomalies, operations) = calm.run()
        for anomaly in anomalies {
            failed += 1
            report("\(script.name) without a fault: \(anomaly)")
        }
        var runs = 1
        for fault in InjectedFault.allCases where plan.fault == nil || plan.fault == fault {
            // Names that the process sees and the disk does not have are the reason for the second
            // fault, and before a sync of a directory there are some.
            let places =
                fault == .killThenPowerLoss ? calm.directorySyncs : Array(1...max(operations, 1))
            let calls =
                plan.atOperation.map { [$0] }
                ?? places.indices
                .filter { $0 % plan.stride == 0 }.map { places[$0] }
            for (call, second) in calls.flatMap({ call in
                fault.secondCalls.map { (call, $0) }
            }) {
                // Torn writes and lost sectors are drawn anew for each place; with a second fault
                // the places must be those of the run without faults.
                var run = InjectionRun(
                    script: script, fault: fault, atOperation: call, secondAfter: second,
                    seed: second == nil ? UInt64(call) &* 31 &+ 7 : 1,
                    planted: plan.planted, narrate: plan.narrate)
                runs += 1
                guard let first = run.run().anomalies.first else { continue }
                failed += 1
                report(
                    "\(first)\n  repeat it with: weir sim inject --script \(script.name) --fault "
                        + "\(fault.rawValue) --call \(call) --trace")
            }
        }
        report("\(script.name): \(operations) storage calls, \(runs) runs")
    }
    return failed
}
