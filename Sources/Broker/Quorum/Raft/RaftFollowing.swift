import Base

// What a follower does with entries and snapshots (sections 3.5 and 5.3).
extension RaftCore {
    mutating func receive(
        _ request: QuorumMessage.AppendRequest, in message: QuorumMessage, _ now: Instant
    ) {
        var entries = request.entries[...]
        guard request.previous.index <= log.lastIndex else {
            return reject(request, hint: log.lastPosition, message)
        }
        if request.previous.index < log.base.index {
            // What is before the base is committed, so it is the same everywhere.
            entries = entries.drop { $0.index <= log.base.index }
        } else if log.term(at: request.previous.index) != request.previous.term {
            guard request.previous.index > commitIndex else {
                return halt(
                    "the leader of term \(term) has \(request.previous) where this node committed "
                        + "term \(log.term(at: request.previous.index) ?? 0)")
            }
            let common = log.lastIndex(
                upTo: request.previous.index.previous, termAtMost: request.previous.term)
            let hint = LogPosition(term: log.term(at: common) ?? 0, index: common)
            return reject(request, hint: hint, message)
        } else if log.chain(at: request.previous.index) != request.previousChain {
            return halt("the logs differ before \(request.previous), although its term is the same")
        }
        guard settings.isWitness || !entries.contains(where: \.isStripped) else {
            return halt("the leader takes this node for a witness")
        }
        add(entries)
        guard !isHalted else { return }
        let verified = max(
            min(request.previous.index + request.entries.count, log.lastIndex), log.base.index)
        let committed = min(request.commit, verified)
        if committed > commitIndex { commit(through: committed) }
        answer(message.from, .init(outcome: .accepted(verified), round: request.round))
    }

    private mutating func reject(
        _ request: QuorumMessage.AppendRequest, hint: LogPosition, _ message: QuorumMessage
    ) {
        answer(
            message.from,
            .init(
                outcome: .rejected(previous: request.previous.index, hint: hint),
                round: request.round))
    }

    /// Adds entries that follow what is here, and cuts what contradicts them.
    private mutating func add(_ entries: ArraySlice<RaftEntry>) {
        var fresh = entries
        while let entry = fresh.first, log.term(at: entry.index) == entry.term {
            fresh = fresh.dropFirst()
        }
        guard let first = fresh.first else { return }
        if first.index <= log.lastIndex {
            guard first.index > commitIndex else {
                return halt("entry \(first.position) contradicts a committed one")
            }
            let keep = first.index.previous
            log.truncate(after: keep)
            durableIndex = min(durableIndex, keep)
            while configurationIndex > keep, configurations.count > 1 {
                configurations.removeLast()
            }
            outputs.append(.truncate(after: keep))
        }
        for entry in fresh {
            log.append(entry)
            noteConfiguration(entry)
        }
        outputs.append(.append(Array(fresh)))
    }

    // MARK: Snapshots

    /// A snapshot of the own state machine is on disk: the log before it, but for `retained`
    /// entries for slow followers, is not needed any more.
    package mutating func snapshotTaken(_ taken: RaftSnapshot, retained: Int) {
        guard taken.index > snapshot.index else { return }
        precondition(taken.index <= commitIndex, "only what is committed is in a snapshot")
        snapshot = taken
        let keep = LogIndex(max(0, taken.index.value - Int64(retained)))
        log.compact(through: min(max(keep, log.base.index), taken.index))
        dropOldConfigurations()
    }

    /// A snapshot of the leader is on disk, whole and checked. Where the log does not contain its
    /// last entry, it is the log now.
    package mutating func snapshotInstalled(
        _ installed: RaftSnapshot, from sender: NodeID, now: Instant
    ) {
        guard !isHalted else { return }
        if installed.index > commitIndex {
            if log.chain(at: installed.index) == installed.chain,
                log.term(at: installed.index) == installed.position.term
            {
                commit(through: installed.index)
                snapshot = installed
            } else {
                log = RaftLog(base: installed.position, chain: installed.chain)
                configurations = [(installed.index, installed.configuration)]
                snapshot = installed
                commitIndex = installed.index
                durableIndex = installed.index
                outputs.append(.reset(installed))
                outputs.append(.restore(installed))
            }
        }
        answerChunk(
            installed.position, next: installed.contentCount, isInstalled: true, to: sender,
            round: 0)
        if let lost = hardState.lost, log.base >= lost {
            hardState.lost = nil
            saveHardState()
        }
    }

    /// Tells the leader which chunk comes next.
    package mutating func answerChunk(
        _ snapshot: LogPosition, next: Int64, isInstalled: Bool, to sender: NodeID, round: UInt64
    ) {
        send(
            .chunkAnswer(
                .init(snapshot: snapshot, next: next, isInstalled: isInstalled, round: round)),
            to: sender, isPromise: true)
    }

    private mutating func dropOldConfigurations() {
        guard let current = configurations.lastIndex(where: { $0.index <= snapshot.index }) else {
            return
        }
        configurations.removeFirst(current)
    }
}
