import Base
import Quorum

// The controller: the leader of the quorum, once it has applied everything of earlier terms. What it
// decides by itself is for `Controller` to say; here its commands become records.
extension BrokerNode {
    var isController: Bool { cluster?.isController ?? true }

    mutating func becameLeader(_ term: Term) {
        // The read is answered when the begin of the term, and so everything before, is applied.
        let token = nextToken()
        cluster?.beginToken = token
        drive(.read(token))
    }

    mutating func becomeController() {
        guard let term = cluster?.replica?.core.term, cluster?.replica?.core.isLeader == true else {
            return
        }
        draft = image
        cluster?.isController = true
        let unreachable = unreachableSince
        cluster?.controller.begin(image, now: now.monotonic, heardAt: unreachable)
        cluster?.needsReview = true
        diagnostics.report(.info, "cluster", "this node is the controller, term \(term)")
        var records: [MetadataRecord] = []
        if draft.clusterID == .zero, let id = cluster?.clusterID { records.append(.cluster(id)) }
        // A user who has a password keeps it.
        for (key, credential) in configuration.bootstrapCredentials
        where !draft.credentials.keys.contains(where: { $0.user == key.user }) {
            records.append(.credential(key, credential))
        }
        if !records.isEmpty { _ = propose(records, .none) }
        cluster?.nextHousekeeping = now.monotonic
        cluster?.nextHeartbeat = now.monotonic
    }

    /// Brokers that could not be reached when this node was elected, and since when. Leases are given by the word of a
    /// majority (`.confirm`), of which one at least has not heard of the old controller for an election timeout
    /// since: every lease of before is over, if it is shorter than that. After a transfer, and with a single voter, one
    /// may last still.
    private var unreachableSince: [NodeID: Instant] {
        guard let cluster, let core = cluster.replica?.core, !core.leadsByTransfer,
            core.configuration.majority > 1,
            cluster.configuration.control.unreachableTimeout
                <= cluster.configuration.raft.electionTimeout
        else { return [:] }
        return cluster.linkLostAt.filter { cluster.linkTo[$0.key] == nil }
    }

    mutating func steppedDown() {
        guard cluster?.isController == true || cluster?.beginToken != nil else { return }
        cluster?.isController = false
        cluster?.beginToken = nil
        cluster?.heartbeats = [:]
        draft = image
        diagnostics.report(.info, "cluster", "this node is not the controller any more")
        wakeWaitingForChange()
    }

    // MARK: Commands

    /// Decides on a command; the answer leaves when the decision is committed. `peer`: the node
    /// that asks, nil for this one.
    mutating func decide(
        _ command: ClusterCommand, _ reply: CommandReply, for peer: PeerHello? = nil
    ) {
        guard cluster?.isController == true else { return answer(reply, .refused(.notController)) }
        if case .register(let registration) = command {
            if let peer,
                registration.id != peer.node || registration.directory != peer.directory
                    || registration.incarnation != peer.incarnation
            {
                return answer(reply, .refused(.invalid))
            }
            return register(registration, reply)
        }
        carryOut(command, reply)
    }

    /// Proposes what the image makes of a command; the answer leaves when it is committed.
    private mutating func carryOut(_ command: ClusterCommand, _ reply: CommandReply) {
        let decision = draft.decide(command, at: nextBrokerEpoch)
        if case .refused = decision.outcome { return answer(reply, decision.outcome) }
        // Also when nothing changes: what was decided before may be on its way still.
        if propose(decision.records, .outcome(reply, decision.outcome)) != nil {
            answer(reply, .refused(.notController))
        }
    }

    /// Above all epochs of brokers, and above the place of every entry that this node knows.
    private var nextBrokerEpoch: Int64 {
        let last = cluster?.replica?.core.log.lastIndex.value ?? 0
        return max(last, draft.brokers.values.map(\.epoch).max() ?? 0) + 1
    }

    /// Decides on what the controller wants itself, many commands in few entries. A command that its
    /// predecessors have overtaken does nothing.
    private mutating func decide(_ commands: [ClusterCommand]) {
        var records: [MetadataRecord] = []
        for command in commands {
            // Each is decided by the draft that has those before it.
            let decided = draft.decide(command, at: nextBrokerEpoch).records
            for record in decided { draft.apply(record) }
            records += decided
            if records.count >= Self.recordsPerEntry {
                _ = propose(records, .none)
                records = []
            }
        }
        if !records.isEmpty { _ = propose(records, .none) }
    }

    private static let recordsPerEntry = 1000

    private mutating func register(_ registration: BrokerRegistration, _ reply: CommandReply) {
        guard
            let plan = cluster?.controller.register(registration, draft, now: now.monotonic)
        else { return }
        if plan.isComplete { return carryOut(.register(registration), reply) }
        // Asked again, it is as far.
        decide(plan.commands)
        answer(reply, .refused(plan.commands.isEmpty ? .duplicateBroker : .foreignDisk))
    }

    /// Says what became of a command.
    mutating func answer(_ reply: CommandReply, _ outcome: ClusterOutcome) {
        switch reply {
        case .peer(let node, let number): send(.outcome(number, outcome), to: node)
        case .registration: registered(outcome)
        case .wish(let number): wishAnswered(number, outcome)
        case .producerIDs(let number): _ = takeProducerIDs(outcome, number)
        case .nobody: break
        }
    }

    /// A leader or a replica wants the state of a partition changed.
    mutating func decide(_ request: PartitionRequest, _ reply: CommandReply, from node: NodeID) {
        guard isController, let decided = cluster?.controller.decide(request, draft) else {
            return answer(reply, .refused(.notController))
        }
        // Whoever speaks for another would take its leaderships.
        guard request.from == node else { return answer(reply, .refused(.invalid)) }
        switch decided {
        case .success(let command): decide(command, reply)
        case .failure(let refusal): answer(reply, .refused(refusal))
        }
    }

    // MARK: Brokers

    /// A sign of life. It is answered with a lease when it is sure that no other node has become the
    /// controller since: that one would not know of the lease.
    mutating func received(_ heartbeat: BrokerHeartbeat, sentAt: Instant) {
        guard cluster?.isController == true else { return }
        let token = nextToken()
        cluster?.heartbeats[token.value] = PendingHeartbeat(heartbeat: heartbeat, sentAt: sentAt)
        drive(.confirm(token))
    }

    /// The leadership is confirmed, or is over. False when the read was for something else.
    mutating func heartbeatConfirmed(_ token: RequestToken, isLeader: Bool) -> Bool {
        guard let pending = cluster?.heartbeats.removeValue(forKey: token.value) else {
            return false
        }
        guard isLeader, cluster?.isController == true,
            let (answer, commands) = cluster?.controller.heartbeat(
                pending.heartbeat, draft, now: now.monotonic)
        else { return true }
        if pending.heartbeat.wantsToLeave {
            // Its clients ask for another leader at once, and then less and less often.
            cluster?.needsReview = true
            let due = cluster?.nextHousekeeping ?? .distantFuture
            cluster?.nextHousekeeping = min(due, now.monotonic + .milliseconds(5))
        }
        decide(commands)
        let (node, epoch) = (pending.heartbeat.node, pending.heartbeat.epoch)
        let applied = cluster?.applied ?? 0
        if node == cluster?.node {
            heartbeatAnswered(epoch, sentAt: pending.sentAt, applied: applied, answer)
        } else {
            send(
                .heartbeatAnswer(
                    epoch: epoch, sentAt: pending.sentAt, applied: applied, answer), to: node)
        }
        return true
    }

    /// Fences the brokers that did not call in time, and gives partitions leaders.
    mutating func control() {
        guard isController, let linked = cluster?.linkTo,
            let limit = cluster?.configuration.sessionTimeout
        else { return }
        let node = configuration.nodeID
        let fences =
            cluster?.controller.expire(draft, now: now.monotonic) {
                $0 == node || linked[$0] != nil
            } ?? []
        for case .fence(let id, _) in fences {
            diagnostics.report(
                .warning, "cluster",
                linked[id] == nil && id != node
                    ? "broker \(id.value) is gone: it is fenced"
                    : "broker \(id.value) did not call for \(limit): it is fenced")
        }
        decide(fences)
        guard
            cluster?.needsReview == true
                || cluster?.controller.isBalanceDue(now.monotonic) == true
        else { return }
        cluster?.needsReview = false
        // What it leads to is a change, so that it is looked at once more.
        decide(cluster?.controller.settle(draft, now: now.monotonic) ?? [])
    }
}

/// A heartbeat that is not answered yet, and when it was sent by the clock of its sender.
struct PendingHeartbeat: Sendable {
    var heartbeat: BrokerHeartbeat
    var sentAt: Instant
}
