import Base
import Coordinator
import Log
import Quorum
import Replica

// The node as a broker of the cluster: it registers with each start, calls the controller as long
// as it lives, and serves clients once its logs fit the metadata.
extension BrokerNode {
    /// Clients are served: the node stands alone, or is registered and has what it needs.
    var isServing: Bool { cluster?.isReady ?? true }

    private var registration: BrokerRegistration? {
        guard let cluster else { return nil }
        return BrokerRegistration(
            id: cluster.node, incarnation: cluster.incarnation, directory: cluster.directory,
            rack: configuration.rack,
            endpoints: configuration.doors.map {
                .init(
                    listener: $0.name, host: $0.advertisedHost,
                    port: UInt16(clamping: $0.advertisedPort))
            })
    }

    /// Whatever has a time, a few times a second.
    mutating func keepHouse() {
        guard let due = cluster?.nextHousekeeping else { return }
        if let deadline = cluster?.replica?.deadline, deadline <= now.monotonic { drive(.tick) }
        guard due <= now.monotonic else { return }
        cluster?.nextHousekeeping = now.monotonic + ClusterCore.housekeeping
        // Time in which this process stood still says nothing about the others.
        let late = now.monotonic - due
        if late > ClusterCore.housekeeping * 5, due > .zero {
            cluster?.controller.extendSessions(by: late)
        }
        dial()
        keepLinksAlive()
        if cluster?.clusterID == .zero { found() }
        control()
        followList()
        callController()
        tickReplicas()
        sendWaitingForwards()
        checkProducerIDs()
        sendWaitingParts()
        reportWaiting()
    }

    private mutating func callController() {
        guard let leader = cluster?.leader, let interval = cluster?.configuration.heartbeatInterval
        else { return leaveAlone() }
        if let epoch = cluster?.brokerEpoch {
            guard isServing, let due = cluster?.nextHeartbeat, due <= now.monotonic else { return }
            let wantsToLeave = cluster?.leavingSince != nil
            cluster?.nextHeartbeat = now.monotonic + (wantsToLeave ? .zero : interval)
            // The place of the registration was foretold; whoever serves has applied it.
            let applied = max(cluster?.applied.value ?? 0, epoch)
            if leader == configuration.nodeID {
                let heartbeat = BrokerHeartbeat(
                    node: leader, epoch: epoch, applied: applied, wantsToLeave: wantsToLeave)
                return received(heartbeat, sentAt: now.monotonic)
            }
            send(
                .heartbeat(
                    epoch: epoch, applied: applied, sentAt: now.monotonic,
                    wantsToLeave: wantsToLeave), to: leader)
            return
        }
        if let deadline = cluster?.registrationDeadline, deadline > now.monotonic { return }
        guard let registration else { return }
        cluster?.registrationDeadline = now.monotonic + .seconds(2)
        if leader == configuration.nodeID {
            decide(.register(registration), .registration)
        } else if send(.command(0, .register(registration)), to: leader) == false {
            cluster?.registrationDeadline = nil
        }
    }

    /// An outcome from the controller: of the registration, or of a wish.
    mutating func take(_ outcome: ClusterOutcome, _ number: UInt64) {
        if number == 0 { return registered(outcome) }
        if !takeProducerIDs(outcome, number) { wishAnswered(number, outcome) }
    }

    mutating func registered(_ outcome: ClusterOutcome) {
        switch outcome {
        case .registered(let epoch):
            cluster?.registrationDeadline = nil
            cluster?.brokerEpoch = epoch
            becomeReadyIfRegistered()
        case .refused(.notController), .refused(.uncertain):
            cluster?.registrationDeadline = now.monotonic + .milliseconds(200)
        case .refused(let reason):
            diagnostics.report(
                .error, "cluster", "the controller does not register this broker: \(reason)")
            cluster?.registrationDeadline = now.monotonic + .seconds(2)
        default: break
        }
    }

    /// The controller has answered a heartbeat that was sent at `sentAt`, and had applied so much by then.
    mutating func heartbeatAnswered(
        _ epoch: Int64, sentAt: Instant, applied: LogIndex, _ answer: HeartbeatAnswer
    ) {
        guard cluster?.brokerEpoch == epoch, sentAt <= now.monotonic else { return }
        if answer.isStale {
            return halt(
                Problem(
                    "cluster.replaced",
                    "another process has registered as node \(configuration.nodeID.value)",
                    notes: ["the controller does not know registration \(epoch) any more"],
                    hint: "only one process may run with this --node"))
        }
        if !answer.isFenced {
            // So many wait only for a node that is far behind, which leads nothing for that.
            if cluster?.leases.count ?? 0 < 32 { cluster?.leases.append((sentAt, applied)) }
            takeLeases()
        }
        if answer.mayLeave, cluster?.leavingSince != nil { leaveOffice() }
    }

    /// A lease counts once this node knows what the controller knew when it gave it: who has not heard that
    /// another node leads a partition must not go on for longer than a lease.
    mutating func takeLeases() {
        guard let applied = cluster?.applied else { return }
        while let lease = cluster?.leases.first, lease.applied <= applied {
            cluster?.leases.removeFirst()
            replicaEffects +=
                replicas?.renewLease(sentAt: lease.sentAt, store: &store, now: now) ?? []
        }
    }

    /// Nothing is led here any more. A controller hands its office over, too: the others would have to
    /// notice first that it is gone.
    private mutating func leaveOffice() {
        guard cluster?.replica?.core.isLeader == true,
            cluster?.replica?.core.configuration.members.count(where: \.isVoter) ?? 1 > 1
        else { return output.append(.mayStop) }
        guard cluster?.transferToken == nil else { return }
        let token = nextToken()
        cluster?.transferToken = token
        drive(.transfer(to: nil, token))
    }

    /// The process is about to stop: others are to lead first. `mayStop` follows, at once when nobody
    /// can take over.
    mutating func leave() {
        guard isServing, let leader = cluster?.leader,
            leader == cluster?.node || cluster?.linkTo[leader] != nil
        else { return output.append(.mayStop) }
        diagnostics.report(.info, "cluster", "handing leaderships over before the stop")
        cluster?.leavingSince = now.monotonic
        cluster?.nextHeartbeat = now.monotonic
        cluster?.nextHousekeeping = now.monotonic
    }

    /// Without a controller nobody can take over: whoever wants to stop does not wait for one for long.
    private mutating func leaveAlone() {
        guard let since = cluster?.leavingSince, now.monotonic >= since + .seconds(2) else {
            return
        }
        output.append(.mayStop)
    }

    /// Says what a node waits for that serves nobody.
    private mutating func reportWaiting() {
        guard let cluster, !cluster.isReady else { return }
        guard let since = cluster.waitingReportedAt else {
            self.cluster?.waitingReportedAt = now.monotonic
            return
        }
        guard now.monotonic >= since + .seconds(5) else { return }
        self.cluster?.waitingReportedAt = now.monotonic
        let linked = cluster.linkTo.keys.sorted().map { "\($0.value)" }
        let with = linked.isEmpty ? "no other node" : "node " + linked.joined(separator: ", ")
        diagnostics.report(
            .warning, "cluster",
            cluster.clusterID == .zero
                ? "waiting for the cluster to begin: node 1 founds it when nodes "
                    + "1 to \(cluster.configuration.voterCount) are linked; linked with \(with)"
                : "waiting for a controller: a majority of nodes 1 to "
                    + "\(cluster.configuration.voterCount) is needed; linked with \(with)")
    }

    // MARK: Ready

    /// The registration has come back through the log, so that everything before it is known here.
    mutating func becomeReadyIfRegistered() {
        guard let cluster, !cluster.isReady, let epoch = cluster.brokerEpoch,
            let own = image.brokers[cluster.node], own.epoch == epoch
        else { return }
        topicDefaults = BrokerValues(configuration: configuration, image: image).topicDefaults
        do throws(Problem) {
            try reconcile(
                &store, image, node: cluster.node, topicDefaults, diagnostics: diagnostics,
                now: now)
        } catch {
            return halt(error)
        }
        startGroups()
        if let problem = startReplicas(brokerEpoch: epoch) { return halt(problem) }
        self.cluster?.isReady = true
        self.cluster?.nextHeartbeat = now.monotonic
        diagnostics.report(.info, "cluster", "this broker is registered and serves clients")
        for id in connections.keys.sorted() { runnable.append(id) }
    }

    /// The image was replaced as a whole: logs and groups follow.
    mutating func follow(from old: MetadataImage) -> Problem? {
        guard let cluster else { return nil }
        topicDefaults = BrokerValues(configuration: configuration, image: image).topicDefaults
        do throws(Problem) {
            try reconcile(
                &store, image, node: cluster.node, topicDefaults, diagnostics: diagnostics,
                now: now)
        } catch {
            return error
        }
        if let problem = followAllReplicas() { return problem }
        for topic in old.topics.values where image.topic(id: topic.id) == nil {
            roundRobin[topic.name] = nil
            for partition in topic.partitions { abandon(partition) }
            perform(coordinator.topicDeleted(topic.name, now: now))
        }
        for topic in image.topics.values {
            coordinator.topicChanged(
                topic.name, id: topic.id, partitionCount: topic.partitionCount)
        }
        return nil
    }
}
