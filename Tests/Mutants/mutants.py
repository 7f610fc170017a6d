"""Planted bugs: (name, file below Sources/, the text as it stands, what stands instead).

`MUTANT` in the replacement becomes the test whether this bug is the active one. Each text must stand
exactly once in its file, so a change of the code that moves it fails here aloud.
"""
LOG = "Broker/Log/"
GROUPS = "Broker/Coordinator/"

MUTANTS = [
    # Journal
    ("journal: frames are taken for durable too early", LOG + "LogStore.swift",
     "while let first = pending.first, first.sequence < endSequence {",
     "while let first = pending.first, first.sequence < endSequence || MUTANT {"),
    ("journal: a sync covers frames of the next file", LOG + "CommitJournal.swift",
     "return (files[first.fileIndex].file, first.endSequence)",
     "return (files[first.fileIndex].file, MUTANT ? nextSequence : first.endSequence)"),
    ("journal: files are freed before segments are durable", LOG + "CommitJournal.swift",
     "let limit = min(releasedSequence, durableSequence)",
     "let limit = MUTANT ? durableSequence : min(releasedSequence, durableSequence)"),
    ("journal: sequences begin again after a restart", LOG + "CommitJournal.swift",
     "self.nextSequence = nextSequence\n",
     "self.nextSequence = MUTANT ? 1 : nextSequence\n"),
    ("journal: the identity of frames is not checked", LOG + "JournalFrame.swift",
     "guard crc32c(covered) == load(UInt32.self, 4), load(UInt64.self, 16) == expected,",
     "guard MUTANT || crc32c(covered) == load(UInt32.self, 4), load(UInt64.self, 16) == expected,"),
    ("journal: old frames are replayed", LOG + "JournalScan.swift",
     "guard fits, header.sequence >= replayFrom ?? 0 else {",
     "guard fits, MUTANT || header.sequence >= replayFrom ?? 0 else {"),
    ("journal: payloads are not checked", LOG + "JournalScan.swift",
     "header.isIntact(payload) || planted == .skipChecksum",
     "header.isIntact(payload) || planted == .skipChecksum || MUTANT"),
    ("journal: what it refers to is taken for durable too early", LOG + "PartitionLog.swift",
     "let end = min(journalEnd, direct.first?.baseOffset ?? Int64.max)",
     "let end = MUTANT ? journalEnd : min(journalEnd, direct.first?.baseOffset ?? Int64.max)"),
    ("journal: the scan stops at the first gap", LOG + "JournalScan.swift",
     "                    position += 8\n                    continue\n                }\n"
     "                nextSequence",
     "                    if MUTANT { break }\n                    position += 8\n"
     "                    continue\n                }\n                nextSequence"),
    ("journal: no notes about durable ends", LOG + "LogStore.swift",
     "guard !untold.isEmpty else { return }",
     "guard !untold.isEmpty, !(MUTANT) else { return }"),
    ("journal: a failed write is taken for a good one", LOG + "CommitJournal.swift",
     "for run in queued { try files[run.fileIndex].file.write(run.pieces, at: run.position) }",
     "for run in queued {\n            do { try files[run.fileIndex].file.write(run.pieces, at: "
     "run.position) } catch { if !(MUTANT) { throw error } }\n        }"),
    # Checkpoints
    ("checkpoint: partitions that changed are left out", LOG + "LogStoreMaintenance.swift",
     "if logs[slot].isCheckpointed { continue }",
     "if logs[slot].isCheckpointed || (MUTANT && slot % 2 == 1) { continue }"),
    ("checkpoint: what was encoded before is written again", LOG + "PartitionLog.swift",
     "didSet { encodedCheckpoint = nil }",
     "didSet { if !(MUTANT) { encodedCheckpoint = nil } }"),
    ("checkpoint: a directory counts as synced when the run begins", LOG + "LogStoreMaintenance.swift",
     "if logs[slot].directoryIsDirty { directories.append(logs[slot].number) }",
     "if logs[slot].directoryIsDirty {\n                directories.append(logs[slot].number)\n"
     "                if MUTANT { logs[slot].directoryIsDirty = false }\n            }"),
    # Appends and segments
    ("append: offsets overlap by one", LOG + "PartitionLog.swift",
     "        logEnd = header.lastOffset + 1\n        if epochs.latest",
     "        logEnd = header.lastOffset + (MUTANT && header.recordCount > 1 ? 0 : 1)\n"
     "        if epochs.latest"),
    ("append: readers see what is not durable", LOG + "PartitionTransactions.swift",
     "isolation == .readCommitted ? lastStableOffset : highWatermark",
     "MUTANT ? logEnd : isolation == .readCommitted ? lastStableOffset : highWatermark"),
    ("segment: bytes count as synced when they are written", LOG + "Segment.swift",
     "        syncedBytes = summary.bytes\n",
     "        syncedBytes = MUTANT ? Int64.max : summary.bytes\n"),
    ("segment: unwritten bytes are forgotten by a checkpoint", LOG + "PartitionLog.swift",
     "        guard unwrittenBytes > 0 else { return }\n",
     "        guard unwrittenBytes > 0 else { return }\n"
     "        if MUTANT { writtenEnd = logEnd; unwrittenBytes = 0; return }\n"),
    ("checkpoint: replay begins too late", LOG + "LogStoreMaintenance.swift",
     "        replayFrom = run.replayFrom\n",
     "        replayFrom = MUTANT ? journal.nextSequence : run.replayFrom\n"),
    ("checkpoint: its file is not synced", LOG + "LogStoreMaintenance.swift",
     "            try file.sync()\n        } catch {\n            if configuration.planted",
     "            if !(MUTANT) { try file.sync() }\n        } catch {\n"
     "            if configuration.planted"),
    ("checkpoint: producers are left out", LOG + "PartitionLog.swift",
     "        checkpoint.producers = producers\n",
     "        if !(MUTANT) { checkpoint.producers = producers }\n"),
    ("checkpoint: the log start is left out", LOG + "PartitionLog.swift",
     "        checkpoint.logStart = logStart\n",
     "        if !(MUTANT) { checkpoint.logStart = logStart }\n"),
    ("checkpoint: its name may not be durable when a start believes it",
     LOG + "LogStoreRecovery.swift",
     "if known != nil, configuration.planted != .forgetDirectorySync {",
     "if known != nil, configuration.planted != .forgetDirectorySync, !(MUTANT) {"),
    # Recovery
    ("recovery: replayed batches are not written again", LOG + "PartitionRecovery.swift",
     "        try file.write([batch], at: position)\n        log.leaderEpoch",
     "        let isThere = try file.read(at: position, count: batch.count) == batch\n"
     "        if !(MUTANT) || !isThere { try file.write([batch], at: position) }\n"
     "        log.leaderEpoch"),
    ("recovery: a hole in the journal is skipped", LOG + "PartitionRecovery.swift",
     "                    guard log.logEnd < durableEnd else { return }\n"
     "                    markDamaged(\n                        until: header.baseOffset,",
     "                    guard log.logEnd < durableEnd || MUTANT else { return }\n"
     "                    if MUTANT { log.logEnd = header.baseOffset; continue }\n"
     "                    markDamaged(\n                        until: header.baseOffset,"),
    # Producers
    ("producers: duplicates are appended", LOG + "ProducerTable.swift",
     "            return .duplicate(baseOffset: original.baseOffset, lastOffset: "
     "original.lastOffset)\n",
     "            if MUTANT { return .append }\n"
     "            return .duplicate(baseOffset: original.baseOffset, lastOffset: "
     "original.lastOffset)\n"),
    ("producers: gaps in sequences are accepted", LOG + "ProducerTable.swift",
     "        guard header.baseSequence == expected else {",
     "        guard header.baseSequence == expected || MUTANT else {"),
    ("producers: only the last batch is known", LOG + "ProducerTable.swift",
     "        for index in 0..<batchCount\n        where batches",
     "        for index in (MUTANT ? max(0, batchCount - 1) : 0)..<batchCount\n        where batches"),
    ("transactions: the stable offset ignores open ones", LOG + "ProducerTable.swift",
     "                open[header.baseOffset] = header.producerID\n",
     "                if !(MUTANT) { open[header.baseOffset] = header.producerID }\n"),
    ("transactions: aborted ones are not listed", LOG + "PartitionTransactions.swift",
     "                if transaction.lastOffset.value >= offset, transaction.firstOffset.value < end {",
     "                if transaction.lastOffset.value >= offset, transaction.firstOffset.value < end, "
     "!(MUTANT) {"),
    # Retention and cleaning
    ("retention: a segment goes too early", LOG + "PartitionLog.swift",
     "                isTooOld = now &- newest > settings.retentionMilliseconds\n",
     "                isTooOld = now &- newest > settings.retentionMilliseconds / (MUTANT ? 2 : 1)\n"),
    ("retention: files go before the checkpoint", LOG + "LogStoreMaintenance.swift",
     "            guard !removed.isEmpty else { return }\n            try writeCheckpoint()\n",
     "            guard !removed.isEmpty else { return }\n"
     "            if !(MUTANT) { try writeCheckpoint() }\n"),
    ("cleaner: the newest record of a key goes", LOG + "BatchFilter.swift",
     "                if record.offset.value < map.offset(of: key) { continue }\n",
     "                if record.offset.value < map.offset(of: key) + (MUTANT ? 1 : 0) { continue }\n"),
    ("cleaner: tombstones go at once", LOG + "BatchFilter.swift",
     "                    if now > horizon { continue }\n",
     "                    if now > horizon || MUTANT { continue }\n"),
    ("cleaner: tombstones never go", LOG + "BatchFilter.swift",
     "        let needsHorizon = hasTombstone && !header.hasDeleteHorizon\n",
     "        let needsHorizon = hasTombstone && !header.hasDeleteHorizon && !(MUTANT)\n"),
    ("cleaner: the swap is not named in the checkpoint first", LOG + "Cleaner.swift",
     "            if haltReason == nil { try disk.remove(swapPath) }\n",
     "            if haltReason == nil || MUTANT { try disk.remove(swapPath) }\n"),
    ("cleaner: damage is copied", LOG + "Cleaner.swift",
     "            isIntact = try scanner.isIntact(item) || configuration.planted == .skipChecksum\n",
     "            isIntact = try scanner.isIntact(item) || MUTANT "
     "|| configuration.planted == .skipChecksum\n"),
    # Groups
    ("groups: offsets are visible before they are durable", GROUPS + "GroupOffsets.swift",
     "        for (partition, _) in accepted { commitsInFlight[partition, default: 0] += 1 }\n",
     "        for (partition, offset) in accepted {\n"
     "            commitsInFlight[partition, default: 0] += 1\n"
     "            if MUTANT { offsets[partition] = offset }\n        }\n"),
    ("groups: a commit is answered before it is durable", GROUPS + "GroupOffsets.swift",
     "        context.append(\n            records, group: id, purpose: .commit(token, offsets: "
     "accepted, answer))",
     "        if MUTANT { context.reply(token, .commit(answer)) }\n"
     "        context.append(\n            records, group: id, purpose: .commit(token, offsets: "
     "accepted, answer))"),
    ("groups: a failed commit is remembered", GROUPS + "GroupOffsets.swift",
     "            if failure == nil { offsets[partition] = offset }\n",
     "            if failure == nil || MUTANT { offsets[partition] = offset }\n"),
    # Share groups
    ("shares: an acknowledgement is answered before it is durable",
     GROUPS + "Share/ShareCoordinator.swift",
     "        if !records.records.isEmpty {\n            append(\n",
     "        if MUTANT, let answer { effects.append(.reply(answer.0, answer.1)) }\n"
     "        let answer = MUTANT ? nil : answer\n"
     "        if !records.records.isEmpty {\n            append(\n"),
    ("shares: acceptances are not written", GROUPS + "Share/SharePartition.swift",
     "        case .accept: change(range) { $0.state = .acknowledged }\n",
     "        case .accept:\n            if MUTANT {\n"
     "                update(range) { $0.state = .acknowledged }\n            } else {\n"
     "                change(range) { $0.state = .acknowledged }\n            }\n"),
    ("shares: locks never run out", GROUPS + "Share/SharePartition.swift",
     "            if case .acquired(_, let until) = state { return until <= now }\n",
     "            if case .acquired(_, let until) = state { return until <= now && !(MUTANT) }\n"),
    ("shares: the last delivery is forgotten by a restart",
     GROUPS + "Share/ShareRecordFormat.swift",
     "            writer.int16(run.deliveryCount)\n",
     "            writer.int16(MUTANT && !run.state.isDone ? max(run.deliveryCount - 1, 0) "
     ": run.deliveryCount)\n"),
    ("shares: what the log refused is not written again", GROUPS + "Share/ShareCoordinator.swift",
     "            groups[name]?.writeAgain(pending.partitions)\n",
     "            if !(MUTANT) { groups[name]?.writeAgain(pending.partitions) }\n"),
    ("shares: records of others can be acknowledged", GROUPS + "Share/SharePartition.swift",
     "            guard runs[index].state.owner == member else { return false }\n",
     "            guard MUTANT || runs[index].state.owner == member else { return false }\n"),
]
