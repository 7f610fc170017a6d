import Base
import Log
import Quorum

// The node as a member of the quorum: events go in, entries come out and are applied to the image.
extension BrokerNode {
    /// Gives the member an event, and does what follows. What follows may bring further events:
    /// they wait until everything of this one is done, so that entries are applied in order.
    mutating func drive(_ event: QuorumEvent) {
        guard cluster?.replica != nil, !isHalted else { return }
        cluster?.events.append(event)
        guard cluster?.isDriving == false else { return }
        cluster?.isDriving = true
        while !isHalted, let next = cluster?.events.popFirst() {
            guard let effects = cluster?.replica?.handle(next, now: now.monotonic) else { break }
            for effect in effects where !isHalted { perform(effect) }
        }
        cluster?.isDriving = false
    }

    /// What a member that was opened has to do first.
    mutating func startQuorum() {
        guard let effects = cluster?.replica?.start(now: now.monotonic) else { return }
        cluster?.isDriving = true
        for effect in effects where !isHalted { perform(effect) }
        cluster?.isDriving = false
        drive(.tick)
    }

    private mutating func perform(_ effect: QuorumEffect) {
        switch effect {
        case .send(let message): send(.quorum(message), to: message.to)
        case .run(let job): output.append(.runQuorumJob(job))
        case .apply(let entries): for entry in entries where !isHalted { apply(entry) }
        case .restore(let snapshot): restore(snapshot)
        case .wantSnapshot:
            guard let index = cluster?.applied else { return }
            drive(.snapshot(at: index, content: MetadataEntry.encoded(image.records)))
        case .answered(let token, let answer): answered(token, answer)
        case .becameLeader(let term): becameLeader(term)
        case .steppedDown: steppedDown()
        case .report(let severity, let text): diagnostics.report(severity, "quorum", text)
        case .halt(let reason):
            halt(Problem("quorum.halted", "the metadata quorum can't go on: \(reason)"))
        }
    }

    private mutating func apply(_ entry: RaftEntry) {
        cluster?.applied = entry.index
        guard entry.kind == .command else { return }
        let records: [MetadataRecord]
        do throws(DecodeFailure) {
            records = try MetadataEntry.records(entry.payload)
        } catch {
            return halt(
                Problem(
                    "metadata.damaged", "entry \(entry.index) of the metadata can't be read",
                    notes: ["\(error)"],
                    hint: "all nodes of a cluster have to run a version that knows it"))
        }
        let isController = cluster?.isController == true
        let removed = partitionKeys(ofRemoved: records)
        for record in records {
            if let problem = apply(record) { return halt(problem) }
            if !isController { draft.apply(record) }
        }
        if let problem = followReplicas(records, removed: removed) { return halt(problem) }
        metadataChanged()
    }

    private mutating func restore(_ snapshot: RaftSnapshot) {
        do {
            guard let content = try cluster?.replica?.snapshotContent() else {
                return halt(
                    Problem(
                        "metadata.damaged", "the snapshot \(snapshot.position) is damaged",
                        hint: "remove the directory of the node to let it copy the others"))
            }
            let new = MetadataImage(
                content.isEmpty ? [] : try MetadataEntry.records(content))
            let old = image
            image = new
            draft = new
            cluster?.applied = snapshot.index
            if cluster?.isReady == true, let problem = follow(from: old) { return halt(problem) }
        } catch {
            return halt(
                Problem(
                    "metadata.damaged", "the snapshot \(snapshot.position) can't be read",
                    notes: ["\(error)"]))
        }
        metadataChanged()
    }

    /// The image was changed: whoever waits for that looks again.
    private mutating func metadataChanged() {
        wakeWaitingForChange()
        takeLeases()
        finishAppliedCommands()
        becomeReadyIfRegistered()
    }

    // MARK: Changes

    /// Proposes records. Nothing has happened when an error is returned.
    mutating func propose(
        _ records: [MetadataRecord], _ completion: PendingChange.Completion
    ) -> AppendFailure? {
        guard cluster?.isController == true else { return .notController }
        let payload = MetadataEntry.encoded(records)
        let limit = cluster?.configuration.raft.entryBytesMax ?? 0
        guard payload.count <= limit else {
            return .recordListTooLarge(bytes: payload.count, limit: limit)
        }
        let token = nextToken()
        cluster?.proposals[token.value] = PendingChange(
            records: records, completion: completion)
        for record in records { draft.apply(record) }
        cluster?.needsReview = true
        drive(.propose(payload, token))
        return nil
    }

    mutating func nextToken() -> RequestToken {
        cluster?.lastToken += 1
        return RequestToken(cluster?.lastToken ?? 0)
    }

    private mutating func answered(_ token: RequestToken, _ answer: RaftAnswer) {
        var isReadable = false
        if case .readable = answer { isReadable = true }
        if token == cluster?.beginToken {
            cluster?.beginToken = nil
            if isReadable { becomeController() }
            return
        }
        if heartbeatConfirmed(token, isLeader: isReadable) { return }
        // Well or not: the process does not wait longer.
        if token == cluster?.transferToken { return output.append(.mayStop) }
        guard let change = cluster?.proposals.removeValue(forKey: token.value) else { return }
        if case .committed = answer { return complete(change.completion) }
        // Later proposals were made from a draft with this one in it.
        if cluster?.isController == true, answer != .uncertain {
            var draft = image
            for (_, pending) in cluster?.proposals ?? [:] {
                for record in pending.records { draft.apply(record) }
            }
            self.draft = draft
        }
        fail(change.completion, isUncertain: answer == .uncertain)
    }

    /// A change was not made, or nobody knows.
    private mutating func fail(_ completion: PendingChange.Completion, isUncertain: Bool) {
        let reason =
            isUncertain
            ? "the controller changed meanwhile: the change may be made, or not"
            : "the controller has too much to do, or is not the controller any more"
        switch completion {
        case .answer(let key, _): close(key.connection, reason)
        case .command(let id, _), .refusal(let id, _):
            output.append(
                .commandFinished(
                    id,
                    .failure(
                        Problem(
                            isUncertain ? Self.uncertain : Self.notController, reason,
                            hint: "look whether it is, and try again"
                        ))))
        case .producerIDs:
            isReservingProducerIDs = false
            wakeWaitingForChange()
        case .outcome(let reply, _):
            answer(reply, .refused(isUncertain ? .uncertain : .notController))
        case .none: wakeWaitingForChange()
        }
    }

    // MARK: Membership

    /// Brings the members of the quorum nearer to what the list says: one change at a time, and an
    /// observer votes when it has caught up.
    mutating func followList() {
        guard let change = cluster?.dueMembership(now.monotonic) else { return }
        drive(.change(change, nextToken()))
    }
}
