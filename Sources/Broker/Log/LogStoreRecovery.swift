import Base

/// Opening a store: checkpoint, journal, segments, in this order. The cost is one pass over the
/// journal and a look at each partition's directory, not over the data.
extension LogStore {
    /// Opens the directory, replays the journal, and says what it found. A damaged partition does
    /// not fail this; it answers its own requests with errors. Settings are the defaults until
    /// `configure` is called.
    package static func open(
        disk: any Disk, configuration: LogStoreConfiguration, now: Now
    ) throws(StorageFailure) -> (store: LogStore, report: RecoveryReport) {
        var report = RecoveryReport()
        let known = try readCheckpoint(disk: disk, report: &report)
        // The process before may have died between the rename of this checkpoint and the sync of
        // its directory. What follows finishes renames and removes files on its word, so it must
        // not be replaced by the one before any more.
        if known != nil, configuration.planted != .forgetDirectorySync {
            try disk.syncDirectory("")
        }
        let stored = known == nil ? try storedIdentity(disk) : known?.identity
        let identity = stored ?? configuration.storeIdentity
        let scan = try JournalScan(
            disk: disk, identity: identity, replayFrom: known?.replayFrom,
            planted: configuration.planted)
        report.notes += scan.remarks
        report.journalFrames = scan.frames.count
        report.journalBytes = scan.bytes

        var store = LogStore(
            disk: disk, configuration: configuration, identity: identity, now: now)
        try store.loadPartitions(known, report: &report)
        report.didScanEverything = known == nil && !store.logs.isEmpty
        try store.removeLeftovers(isCheckpointLost: known == nil, report: &report)
        store.nextNumber = max(
            known?.nextNumber ?? 1, (store.logs.map(\.number).max() ?? 0) + 1,
            (scan.frames.map(\.header.partitionNumber).max() ?? 0) &+ 1)
        try store.replay(scan, scansEverything: known == nil, now: now, report: &report)

        let next = max(scan.nextSequence, known?.replayFrom ?? 1)
        try store.journal.begin(
            files: scan.files, nextSequence: next,
            nextGeneration: max(scan.nextGeneration, known?.nextGeneration ?? 1))
        store.replayFrom = known?.replayFrom ?? next
        // What was replayed becomes durable in segments, so that old frames are never needed again
        // and nobody takes them for new ones. Also done when there was nothing to replay: the
        // process before may have died between a rename and the sync of its directory.
        try store.checkpointNow(now)
        report.partitions = store.logs.count
        return (store, report)
    }

    private static func readCheckpoint(
        disk: any Disk, report: inout RecoveryReport
    ) throws(StorageFailure) -> StoreCheckpoint? {
        guard disk.exists(StoreCheckpoint.path) else { return nil }
        let content = try disk.contents(StoreCheckpoint.path)
        do throws(DecodeFailure) {
            return try StoreCheckpoint(decoding: content)
        } catch {
            report.notes.append(
                "\(StoreCheckpoint.path) is damaged (\(error)): every segment was verified")
            return nil
        }
    }

    private static func storedIdentity(_ disk: any Disk) throws(StorageFailure) -> UInt64? {
        guard disk.isDirectory(CommitJournal.directory) else { return nil }
        for name in try disk.list(CommitJournal.directory)
        where CommitJournal.number(name: name) != nil {
            let file = try disk.open(CommitJournal.directory + "/" + name)
            defer { file.close() }
            let head = try file.read(at: 0, count: 36)
            var reader = ByteReader(head)
            do {
                let magic = UInt64(bitPattern: try reader.int64())
                try reader.skip(16)
                let identity = UInt64(bitPattern: try reader.int64())
                let checksum = try reader.uint32()
                if magic == CommitJournal.magic, crc32c(head[0..<32]) == checksum {
                    return identity
                }
            } catch {
                continue
            }
        }
        return nil
    }

    /// The partitions of the checkpoint or, without one, those whose directories say what they are.
    private mutating func loadPartitions(
        _ known: StoreCheckpoint?, report: inout RecoveryReport
    ) throws(StorageFailure) {
        if let known {
            for checkpoint in known.partitions {
                add(makeLog(checkpoint))
            }
            return
        }
        for name in try disk.list("") where disk.isDirectory(name) {
            guard let partition = Self.partition(directory: name),
                let metadata = try PartitionMetadata(disk: disk, directory: name)
            else { continue }
            if slotsByNumber[metadata.number] != nil {
                report.notes.append("\(name) has the number of another partition: not opened")
                continue
            }
            let checkpoint = PartitionCheckpoint(
                topicPartition: partition, topicID: metadata.topicID, number: metadata.number)
            add(makeLog(checkpoint))
        }
    }

    /// `orders-3` → partition 3 of `orders`.
    private static func partition(directory name: String) -> TopicPartition? {
        guard let dash = name.lastIndex(of: "-"), dash != name.startIndex,
            let number = Int32(name[name.index(after: dash)...]), number >= 0
        else { return nil }
        let partition = TopicPartition(topic: String(name[..<dash]), partition: number)
        return partition.description == name ? partition : nil
    }

    /// Removes what creations and deletions left behind that never were, or are no longer, in the
    /// checkpoint. Only directories that say they are partitions are touched. Without a checkpoint
    /// nothing proves that a directory is a leftover: it is put aside.
    private mutating func removeLeftovers(
        isCheckpointLost: Bool, report: inout RecoveryReport
    ) throws(StorageFailure) {
        try disk.removeTree(DoomedFile.directory)
        for name in try disk.list("") where disk.isDirectory(name) {
            guard let partition = Self.partition(directory: name), slots[partition] == nil,
                disk.exists(name + "/" + PartitionMetadata.fileName)
            else { continue }
            if report.notes.contains(where: { $0.hasPrefix(name + " ") }) { continue }
            guard isCheckpointLost else {
                try disk.removeTree(name)
                continue
            }
            let aside = Self.unrecognized + "/" + name
            try disk.makeDirectory(Self.unrecognized)
            try disk.removeTree(aside)
            try disk.rename(name, to: aside)
            report.notes.append("\(name) does not say which partition it is: moved to \(aside)")
        }
    }

    private static let unrecognized = "unrecognized"

    private mutating func replay(
        _ scan: JournalScan, scansEverything: Bool, now: Now, report: inout RecoveryReport
    ) throws(StorageFailure) {
        var framesOf: [UInt32: [JournalScan.Frame]] = [:]
        for frame in scan.frames {
            framesOf[frame.header.partitionNumber, default: []].append(frame)
        }
        var durableEnds: [UInt32: Int64] = [:]
        for note in scan.notes {
            for entry in note.ends {
                durableEnds[entry.number] = max(durableEnds[entry.number] ?? 0, entry.end)
            }
        }
        for slot in logs.indices {
            let number = logs[slot].number
            var recovery = PartitionRecovery(
                log: logs[slot], frames: framesOf[number] ?? [], scan: scan,
                durableEnd: durableEnds[number] ?? 0, planted: configuration.planted, now: now,
                scansEverything: scansEverything)
            try recovery.run()
            logs[slot] = recovery.log
            report.rewrittenBatches += recovery.rewrittenBatches
            report.cutBytes += recovery.cutBytes
            if let damage = recovery.log.damage { report.damaged.append(damage) }
        }
        report.damaged.sort { $0.topicPartition < $1.topicPartition }
    }
}
