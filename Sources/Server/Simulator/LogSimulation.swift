// One log store, its producers and readers, on a disk that forgets: from one seed.

import Base
import Compression
import Log
import WireProtocol

/// A simulated node without a network: producers call the store, crashes and power losses come at
/// any call to the disk, and after each restart everything that was promised must be there.
struct LogSimulation {
    enum Event {
        case produce(Int)
        case read(Int)
        case syncDone(SyncTicket)
        case maintain
        case deleteRecords(Int)
        case crash
        case diskSpace
        case rot
    }

    let options: SimulationOptions
    private(set) var result: SimulationResult
    private let disk: SimulatedDisk
    private var store: LogStore?
    private var configuration = LogStoreConfiguration()
    private var settings = PartitionSettings()
    private var queue = EventQueue<Event>()
    private var time: Int64 = 1_000_000_000
    private var load: Random
    private var faults: Random
    private var trace = TraceHash()
    private var checker = PromiseChecker()
    /// The checker's view, in place.
    private var partitions: [PartitionModel] {
        _read { yield checker.partitions }
        _modify { yield &checker.partitions }
    }
    private var producers: [ProducerModel] = []
    private var openSyncs: [(request: SyncRequest, flush: SimulatedFile.Flush, begun: Int)] = []
    private var syncsCompleted = 0
    /// Promises from this sync on are proven by no frame of the journal yet: the next one that
    /// begins tells of them.
    private var firstUntoldSync = 0
    private var crashOneIn = 0
    private var rotOneIn = 0
    private var isFull = false
    private var minDirtyPerMille = 1

    init(seed: UInt64, options: SimulationOptions) {
        self.options = options
        result = SimulationResult(seed: seed)
        var random = Random(seed: seed)
        load = random.fork()
        faults = random.fork()
        var shape = random.fork()
        disk = SimulatedDisk(random: random.fork(), sectorBytes: [64, 512, 4096][shape.below(3)])
        disk.narrate = options.narrate
        configuration.journalFileBytes = [16 << 10, 32 << 10, 64 << 10][shape.below(3)]
        configuration.journalFileCountMax = shape.within(2...4)
        configuration.storeIdentity = shape.next()
        configuration.reserveBytes = 32 << 10
        configuration.tailCacheBytes = [0, 4 << 10, 1 << 20][shape.below(3)]
        configuration.planted = options.planted
        configuration.checkpointInterval = .milliseconds(Int64(shape.within(4...120)))
        configuration.retentionCheckInterval = .milliseconds(Int64(shape.within(10...200)))
        configuration.cleanerCheckInterval = .milliseconds(Int64(shape.within(2...40)))
        configuration.scrubInterval = configuration.checkpointInterval
        configuration.scrubStepInterval = .milliseconds(3)
        configuration.scrubStepBytes = 8 << 10
        settings.segmentBytes = [3 << 10, 16 << 10, 1 << 20][shape.below(3)]
        settings.indexIntervalBytes = [64, 1024, 4096][shape.below(3)]
        settings.retentionBytes = [-1, -1, 20 << 10][shape.below(3)]
        settings.fileDeleteDelayMilliseconds = 20
        disk.faults.syncFailureOneIn = [0, 0, 40, 150][shape.below(4)]
        crashOneIn = [0, 400, 2000][shape.below(3)]
        rotOneIn = options.allowsRot ? [0, 0, 2, 4][shape.below(4)] : 0
        for index in 0..<shape.within(1...4) {
            partitions.append(
                PartitionModel(
                    name: TopicPartition(topic: "t\(index % 2)", partition: Int32(index))))
            partitions[index].isCompacted = index > 0 && shape.chance(1, in: 2)
        }
        minDirtyPerMille = [1, 200, 500][shape.below(3)]
        for id in 0..<shape.within(1...5) {
            producers.append(
                ProducerModel(
                    id: id, partition: shape.below(partitions.count),
                    isIdempotent: shape.chance(2, in: 3)))
            producers[id].producerID = Int64(1000 + id)
        }
        checker.isIdempotent = producers.map(\.isIdempotent)
        // Last, so that what is drawn before stays what it was.
        configuration.stampInPlaceFromBytes = [Int.max, 0, 150][shape.below(3)]
        configuration.directFromBytes = [Int.max, 0, 150, 400][shape.below(4)]
    }

    private func settings(of index: Int) -> PartitionSettings {
        var result = settings
        guard partitions[index].isCompacted else { return result }
        result.isCompacted = true
        result.deletesOldSegments = false
        result.segmentBytes = 3 << 10
        result.minCleanableDirtyPerMille = minDirtyPerMille
        return result
    }

    private var now: Now {
        Now(
            monotonic: Instant(nanoseconds: time),
            wallMicroseconds: 1_700_000_000_000_000 + time / 1000)
    }

    // MARK: Run

    mutating func run() -> SimulationResult {
        disk.now = now.timestamp
        restart()
        for index in producers.indices {
            queue.schedule(.produce(index), at: time + Int64(load.below(5_000_000)))
        }
        for index in partitions.indices {
            queue.schedule(.read(index), at: time + Int64(load.below(20_000_000)))
        }
        queue.schedule(.maintain, at: time + 1_000_000)
        queue.schedule(.crash, at: time + Int64(faults.within(5_000_000...60_000_000)))
        queue.schedule(.deleteRecords(0), at: time + 70_000_000)
        queue.schedule(.diskSpace, at: time + 50_000_000)
        if rotOneIn > 0 {
            queue.schedule(.rot, at: time + Int64(faults.within(20_000_000...300_000_000)))
        }
        while result.events < options.eventCount, checker.anomalies.isEmpty,
            let next = queue.next()
        {
            time = next.time
            disk.now = now.timestamp
            result.events += 1
            handle(next.event)
            if diskIsDead { crash() }
            pump()
        }
        if checker.anomalies.isEmpty {
            // The last act: whatever is promised now survives one more power loss.
            losePower()
            restart()
        }
        trace.mix(disk.trace.value)
        trace.mix(result.acknowledged)
        result.traceHash = trace.value
        result.anomalies = checker.anomalies
        result.failedSyncs = disk.failedSyncs
        result.damagedPartitions = partitions.count { $0.isDamaged }
        return result
    }

    private var diskIsDead: Bool {
        disk.crashAtOperation.map { disk.operations >= $0 } ?? false
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .produce(let index):
            trace.mix(UInt64(1) << 60 | UInt64(index))
            produce(index)
            queue.schedule(event, at: time + Int64(load.within(200_000...3_000_000)))
        case .read(let index):
            readSome(index)
            queue.schedule(event, at: time + Int64(load.within(5_000_000...30_000_000)))
        case .syncDone(let ticket): finishSync(ticket)
        case .maintain:
            maintain()
            queue.schedule(event, at: time + Int64(load.within(1_000_000...8_000_000)))
        case .deleteRecords(let index):
            deleteRecords(index)
            queue.schedule(
                .deleteRecords(load.below(partitions.count)),
                at: time + Int64(load.within(30_000_000...90_000_000)))
        case .crash:
            queue.schedule(event, at: time + Int64(faults.within(10_000_000...90_000_000)))
            if faults.chance(1, in: 2) {
                // Somewhere within the next calls, in the middle of whatever goes on then.
                if disk.crashAtOperation == nil {
                    disk.crashAtOperation = disk.operations + faults.within(1...150)
                }
            } else {
                crash()
            }
        case .rot:
            // While the cleaner, the scrubber and readers work on it.
            let closed = closedCompactedSegments
            rot { closed.contains($0) }
        case .diskSpace:
            isFull.toggle()
            let used = (1 << 40) - disk.freeBytes
            let isScarce = isFull && faults.chance(1, in: 2)
            disk.faults.capacity =
                isScarce
                ? used + configuration.reserveBytes + Int64(faults.below(8 << 10)) : 1 << 40
            if isScarce { store?.forgetSpaceLeft() }
            queue.schedule(event, at: time + Int64(faults.within(20_000_000...90_000_000)))
        }
    }

    private mutating func anomaly(_ text: String) {
        checker.anomaly(text)
        trace.mix(text)
    }

    // MARK: Syncs

    /// Starts the syncs that may be open, as the driver does after every event.
    private mutating func pump() {
        while let request = store?.beginSync() {
            guard let flush = disk.beginFlush(request.file) else { return }
            if openSyncs.contains(where: { $0.request.lane == request.lane }) {
                anomaly("two syncs of one lane are open at once")
            }
            openSyncs.append((request, flush, syncsCompleted))
            queue.schedule(
                .syncDone(request.ticket), at: time + Int64(faults.within(100_000...4_000_000)))
        }
    }

    private mutating func finishSync(_ ticket: SyncTicket) {
        guard let index = openSyncs.firstIndex(where: { $0.request.ticket == ticket }) else {
            return
        }
        let open = openSyncs.remove(at: index)
        let (failedBefore, wasHalted) = (disk.failedSyncs, store?.haltReason != nil)
        let failure = disk.endFlush(open.request.file, open.flush)
        guard let outcome = store?.syncCompleted(open.request.ticket, failure: failure) else {
            return
        }
        guard !diskIsDead else { return }
        switch outcome {
        case .halt:
            if !wasHalted, disk.failedSyncs == failedBefore {
                anomaly("the store halted though the disk did all it was asked")
            }
            restartAfterHalt()
        case .advanced(let advances):
            if open.request.lane == .journal { firstUntoldSync = open.begun + 1 }
            if !advances.isEmpty { syncsCompleted += 1 }
            for advance in advances { acknowledge(advance) }
        }
    }

    private mutating func restartAfterHalt() {
        if faults.chance(1, in: 2) { losePower() } else { killProcess() }
        restart()
    }

    private mutating func acknowledge(_ advance: DurableAdvance) {
        guard let index = partitions.firstIndex(where: { $0.name == advance.topicPartition })
        else { return }
        for producer in producers.indices where producers[producer].partition == index {
            acknowledge(producer, durableEnd: advance.durableEndOffset.value)
        }
    }

    private mutating func acknowledge(_ index: Int, durableEnd: Int64) {
        let partition = producers[index].partition
        while let first = producers[index].inFlight.first, let last = first.lastOffset,
            let base = first.baseOffset, last < durableEnd
        {
            producers[index].inFlight.removeFirst()
            partitions[partition].acknowledged[base] = PartitionModel.Promise(
                checksum: first.checksum, lastOffset: last, sync: syncsCompleted)
            result.acknowledged += 1
            options.narrate?("\(partitions[partition].name): acknowledged \(base) to \(last)")
            trace.mix(base)
        }
    }

    // MARK: Producers

    private mutating func produce(_ index: Int) {
        guard !producers[index].isStopped, store != nil else { return }
        if producers[index].inFlight.allSatisfy({ $0.lastOffset != nil }) {
            guard producers[index].inFlight.count < 5 else { return }
            makeBatch(index)
        }
        // An acknowledgement may come with the answer and shorten the list.
        while let position = producers[index].inFlight.firstIndex(where: { $0.lastOffset == nil }) {
            guard send(index, position) else { return }
        }
    }

    private mutating func makeBatch(_ index: Int) {
        let partition = producers[index].partition
        let isKeyed = partitions[partition].isCompacted
        guard
            let (entry, batch) = producers[index].nextBatch(
                &load, keyed: isKeyed, at: now.timestamp)
        else { return anomaly("a batch could not be built") }
        producers[index].inFlight.append(entry)
        partitions[partition].add(batch, checksum: entry.checksum)
    }

    /// False when the batch was not taken and later ones must wait.
    private mutating func send(_ index: Int, _ position: Int) -> Bool {
        let producer = producers[index]
        let name = partitions[producer.partition].name
        guard var current = store else { return false }
        store = nil
        defer { store = current }
        do throws(AppendFailure) {
            // A copy, as a request that is received again would be.
            let copy = producer.inFlight[position].bytes.withUnsafeBytes { Bytes($0) }
            let answer = try current.append(copy, to: name, isOwned: true, now: now)
            guard !diskIsDead else { return false }
            if answer.isDuplicate, !producer.isIdempotent {
                anomaly("a batch without a producer id was taken for a duplicate")
            }
            producers[index].inFlight[position].baseOffset = answer.baseOffset.value
            producers[index].inFlight[position].lastOffset = answer.lastOffset.value
            trace.mix(answer.baseOffset.value)
            options.narrate?(
                "\(name): producer \(index) appended \(answer.baseOffset) to "
                    + "\(answer.lastOffset), duplicate \(answer.isDuplicate)")
            if let end = current.offsets(of: name)?.durableEndOffset {
                acknowledge(index, durableEnd: end.value)
            }
            return true
        } catch {
            trace.mix(Int64(error.code))
            guard !diskIsDead else { return false }
            switch error {
            case .noSpace, .journalFull, .halted, .storage: break
            case .damaged(let damage): noteDamage(producer.partition, damage)
            case .outOfOrderSequence where partitions[producer.partition].wasRotted:
                // Damage took a batch that nothing proves to have been there.
                producers[index].isStopped = true
            default: anomaly("\(name) refused a good batch: \(error)")
            }
            return false
        }
    }

    private mutating func noteDamage(_ index: Int, _ damage: PartitionDamage) {
        partitions[index].isDamaged = true
        for producer in producers.indices where producers[producer].partition == index {
            producers[producer].isStopped = true
        }
        if !partitions[index].wasRotted {
            anomaly("\(damage), although nothing was damaged on purpose")
        }
    }

    // MARK: Other work

    private mutating func maintain() {
        let now = self.now
        guard let problem = store?.maintain(now: now, budgetBytes: 8 << 10) else {
            if !diskIsDead { store?.checkInvariants() }
            return
        }
        guard !diskIsDead else { return }
        trace.mix(problem.code)
        restartAfterHalt()
    }

    private mutating func deleteRecords(_ index: Int) {
        let name = partitions[index].name
        guard !partitions[index].isDamaged, !partitions[index].isCompacted,
            let offsets = store?.offsets(of: name)
        else { return }
        let span = Int(offsets.highWatermark - offsets.logStartOffset)
        guard span > 0, load.chance(1, in: 3) else { return }
        let target = offsets.logStartOffset + Int64(load.below(span / 2 + 1))
        let now = self.now
        let deleted = try? store?.deleteRecords(in: name, before: target, now: now)
        guard !diskIsDead, let deleted else { return }
        partitions[index].deletedBelow = max(partitions[index].deletedBelow, deleted.value)
    }

    private mutating func readSome(_ index: Int) {
        let name = partitions[index].name
        guard !partitions[index].isDamaged, let offsets = store?.offsets(of: name) else { return }
        let span = Int(offsets.highWatermark - offsets.logStartOffset)
        let from = offsets.logStartOffset + Int64(load.below(span + 1))
        var walk = PromiseChecker.Walk(from: from)
        _ = readBatches(index, maxBytes: 1 << load.within(8...15), remember: true, walk: &walk)
    }

    /// Reads and checks one answer; false at the end or when nothing can be read.
    private mutating func readBatches(
        _ index: Int, maxBytes: Int, remember: Bool, walk: inout PromiseChecker.Walk
    ) -> Bool {
        let name = partitions[index].name
        guard var current = store else { return false }
        store = nil
        defer { store = current }
        do throws(ReadFailure) {
            let answer = try current.read(name, from: walk.next, maxBytes: maxBytes)
            guard !diskIsDead else { return false }
            for bytes in answer.batches {
                let isReadable = checker.observe(
                    bytes, of: index, highWatermark: answer.highWatermark,
                    sync: remember ? syncsCompleted : nil, walk: &walk)
                guard isReadable else { return false }
            }
            return !answer.batches.isEmpty
        } catch {
            guard !diskIsDead else { return false }
            if case .damaged(let damage) = error {
                noteDamage(index, damage)
            } else {
                anomaly("\(name) can't be read at \(walk.next): \(error)")
            }
            return false
        }
    }

    // MARK: Crashes

    private mutating func crash() {
        result.crashes += 1
        if faults.chance(2, in: 3) { losePower() } else { killProcess() }
        restart()
    }

    private mutating func killProcess() {
        disk.killProcess()
        forgetProcess()
    }

    private mutating func losePower() {
        result.powerLosses += 1
        disk.losePower()
        forgetProcess()
    }

    private mutating func forgetProcess() {
        result.cleanings += Int(store?.statistics.cleanings ?? 0)
        store = nil
        openSyncs = []
        queue.removeAll { if case .syncDone = $0 { true } else { false } }
        for index in producers.indices {
            if producers[index].isIdempotent {
                // Sent again with the same sequences.
                for position in producers[index].inFlight.indices {
                    producers[index].inFlight[position].lastOffset = nil
                }
            } else {
                producers[index].inFlight = []
            }
        }
        if rotOneIn > 0, faults.chance(1, in: rotOneIn) { rot { _ in true } }
    }

    /// The first segment files of compacted partitions that have another behind it.
    private var closedCompactedSegments: [String] {
        let paths = disk.files().map(\.path).filter { $0.hasSuffix(".log") }
        return partitions.filter(\.isCompacted).compactMap { partition in
            let all = paths.filter { $0.hasPrefix(partition.name.description + "/") }.sorted()
            return all.count > 1 ? all[0] : nil
        }
    }

    /// Damages one of the files that may be damaged, while nobody looks.
    private mutating func rot(_ mayRot: (String) -> Bool) {
        let files = disk.files().filter { $0.file.size > 0 && mayRot($0.path) }
        guard !files.isEmpty else { return }
        let victim = files[faults.below(files.count)]
        let size = Int(victim.file.size)
        trace.mix(victim.path)
        options.narrate?("rot in \(victim.path)")
        if victim.path.contains(".log"), victim.path.contains("/") {
            if let index = partitions.firstIndex(where: {
                victim.path.hasPrefix($0.name.description + "/")
            }) {
                partitions[index].wasRotted = true
                if configuration.directFromBytes < Int.max {
                    // The journal has no copy of large batches.
                    partitions[index].unprovenSync = firstUntoldSync
                }
            }
            if faults.chance(1, in: 2) {
                victim.file.shorten(to: faults.below(size))
            } else {
                victim.file.flip(bit: faults.below(8), at: faults.below(size))
            }
            return
        }
        if victim.path == "log.checkpoint" { return }
        if victim.path.hasSuffix(".journal") {
            for index in partitions.indices {
                partitions[index].wasRotted = true
                partitions[index].unprovenSync = firstUntoldSync
            }
        }
        victim.file.flip(bit: faults.below(8), at: faults.below(size))
    }

    private mutating func restart() {
        for _ in 0..<8 {
            trace.mix(disk.operations)
            do throws(StorageFailure) {
                let opened = try LogStore.open(disk: disk, configuration: configuration, now: now)
                guard !diskIsDead else {
                    crashAgain()
                    continue
                }
                store = opened.store
                check(opened.report)
                return
            } catch {
                if diskIsDead {
                    crashAgain()
                } else if case .noSpace = error {
                    disk.faults.capacity = 1 << 40
                } else if case .system(_, _, 5) = error, disk.faults.syncFailureOneIn > 0 {
                    killProcess()
                } else {
                    anomaly("the store can't be opened: \(error)")
                    return
                }
            }
        }
        // Too many failures in a row: heal the disk, as an operator would replace it.
        disk.faults.syncFailureOneIn = 0
        disk.faults.capacity = 1 << 40
        killProcess()
        restartOnce()
    }

    private mutating func restartOnce() {
        do throws(StorageFailure) {
            let opened = try LogStore.open(disk: disk, configuration: configuration, now: now)
            store = opened.store
            check(opened.report)
        } catch {
            anomaly("the store can't be opened on a healthy disk: \(error)")
        }
    }

    private mutating func crashAgain() {
        result.crashes += 1
        if faults.chance(2, in: 3) { losePower() } else { killProcess() }
    }

    // MARK: Checks

    private mutating func check(_ report: RecoveryReport) {
        // The checkpoint that recovery made proves everything before.
        firstUntoldSync = syncsCompleted + 1
        if let narrate = options.narrate {
            narrate("recovered: \(report)")
            for partition in partitions {
                guard let offsets = store?.offsets(of: partition.name) else { continue }
                narrate("  \(partition.name): \(offsets)")
            }
        }
        for damage in report.damaged {
            guard let index = partitions.firstIndex(where: { $0.name == damage.topicPartition })
            else { continue }
            noteDamage(index, damage)
        }
        let missing = partitions.filter { store?.topicID(of: $0.name) == nil }
        for partition in missing where !partition.acknowledged.isEmpty {
            anomaly("\(partition.name) vanished with acknowledged records")
            return
        }
        if !missing.isEmpty {
            let new = missing.map {
                NewPartition(topicPartition: $0.name, topicID: UUID128(high: 9, low: 9))
            }
            let now = self.now
            do throws(StorageFailure) {
                try store?.create(new, now: now)
            } catch {
                if !diskIsDead { restartAfterHalt() }
                return
            }
        }
        for index in partitions.indices {
            let settings = settings(of: index)
            let name = partitions[index].name
            store?.configure(name, settings: settings)
            if !partitions[index].isDamaged { checkPartition(index) }
        }
        if !diskIsDead { store?.checkInvariants() }
    }

    /// Reads the whole partition and compares it with everything that was promised.
    private mutating func checkPartition(_ index: Int) {
        let name = partitions[index].name
        guard let offsets = store?.offsets(of: name) else { return }
        var walk = PromiseChecker.Walk(from: offsets.logStartOffset)
        while readBatches(index, maxBytes: 64 << 10, remember: false, walk: &walk) {}
        guard !partitions[index].isDamaged, !diskIsDead, checker.anomalies.isEmpty else { return }
        checker.verify(
            walk, of: index, logStart: offsets.logStartOffset,
            highWatermark: offsets.highWatermark)
        trace.mix(walk.next.value)
    }
}
