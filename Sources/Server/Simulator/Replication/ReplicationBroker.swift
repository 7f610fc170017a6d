import Base
import Log
import Quorum
import Replica

/// What the process of a broker does with an event: what `Server/Runtime` does in the real world.
extension ReplicationSimulation {
    mutating func handle(
        _ event: SimulatedBroker.Event, _ index: Int, _ store: inout LogStore,
        _ manager: inout ReplicaManager
    ) -> [ReplicaEffect] {
        let now = now(index)
        switch event {
        case .message(let message): return manager.receive(message, store: &store, now: now)
        case .tick:
            let every = swarm.replica.heartbeatInterval.wholeNanoseconds / 2
            schedule(.tick, to: index, after: every)
            return manager.tick(store: &store, now: now)
        case .maintain:
            schedule(.maintain, to: index, after: Int64(load.within(4_000_000...20_000_000)))
            _ = store.maintain(now: now, budgetBytes: 64 << 10)
            return []
        case .heartbeat:
            heartbeat(index, manager, now)
            return []
        case .syncDone(let ticket): return syncDone(ticket, index, &store, &manager, now)
        case .metadata(let image, let applied):
            return learn(image, applied, index, &store, &manager, now)
        case .heartbeatAnswer(let sentAt, let answer):
            // Whose number belongs to another process by now ends, too.
            if answer.isStale || brokers[index].wantsToLeave && answer.mayLeave {
                queue.schedule(.leave(index, process: brokers[index].process), at: time)
            }
            guard !answer.isStale, !answer.isFenced else { return [] }
            return manager.renewLease(sentAt: sentAt, store: &store, now: now)
        case .proposalAnswer(let proposal, let isAccepted):
            manager.proposalAnswered(
                proposal.key, leaderEpoch: proposal.leaderEpoch, attempt: proposal.attempt,
                isAccepted: isAccepted, now: now)
            return []
        case .produce(let request): return produce(request, index, &store, &manager, now)
        case .fetch(let request):
            fetch(request, index, &store, &manager)
            return []
        case .deleteRecords(let partition, let before):
            deleteRecords(partition, before, &store, manager, now)
            return []
        }
    }

    private mutating func syncDone(
        _ ticket: SyncTicket, _ index: Int, _ store: inout LogStore,
        _ manager: inout ReplicaManager, _ now: Now
    ) -> [ReplicaEffect] {
        guard
            let place = brokers[index].openSyncs.firstIndex(where: { $0.request.ticket == ticket })
        else { return [] }
        let open = brokers[index].openSyncs.remove(at: place)
        let failure = brokers[index].disk.endFlush(open.request.file, open.flush)
        guard case .advanced(let advances) = store.syncCompleted(ticket, failure: failure) else {
            return []
        }
        return manager.durable(advances, store: &store, now: now)
    }

    private mutating func heartbeat(_ index: Int, _ manager: ReplicaManager, _ now: Now) {
        schedule(.heartbeat, to: index, after: Int64(swarm.heartbeatEvery) * 1_000_000)
        guard let epoch = manager.brokerEpoch else {
            return askController(
                .register(
                    BrokerRegistration(
                        id: brokers[index].id, incarnation: brokers[index].incarnation,
                        directory: brokers[index].directory,
                        rack: swarm.racks > 1 ? "r\(index % swarm.racks)" : nil, endpoints: [])),
                from: index)
        }
        askController(
            .heartbeat(
                BrokerHeartbeat(
                    node: brokers[index].id, epoch: epoch,
                    applied: brokers[index].applied,
                    wantsToLeave: brokers[index].wantsToLeave), sentAt: now.monotonic),
            from: index)
    }

    /// Takes over what the metadata says, which may have jumped over many changes.
    private mutating func learn(
        _ image: MetadataImage, _ applied: Int64, _ index: Int, _ store: inout LogStore,
        _ manager: inout ReplicaManager, _ now: Now
    ) -> [ReplicaEffect] {
        guard applied > brokers[index].applied else { return [] }
        brokers[index].image = image
        brokers[index].applied = applied
        manager.setPeers(
            image.brokers.map {
                PeerStatus(node: $0.key, brokerEpoch: $0.value.epoch, isFenced: $0.value.isFenced)
            })
        var assignments: [PartitionAssignment] = []
        for (place, name) in names.enumerated() {
            guard let topic = image.topic(id: keys[place].topic) else { continue }
            let state = image.state(of: topic, keys[place].partition)
            assignments.append(
                PartitionAssignment(
                    key: keys[place], topicPartition: name, replicas: state.replicas,
                    inSync: state.inSync, eligible: state.eligible, leader: state.leader,
                    leaderEpoch: state.leaderEpoch, partitionEpoch: state.partitionEpoch,
                    minInSync: image.minInSync(of: topic, state)))
        }
        do throws(StorageFailure) {
            var effects = try manager.assign(assignments, store: &store, now: now)
            for name in names { store.configure(name, settings: swarm.partition) }
            if let broker = image.brokers[brokers[index].id],
                broker.registration.incarnation == brokers[index].incarnation
            {
                effects += manager.registered(brokerEpoch: broker.epoch, store: &store, now: now)
            }
            return effects
        } catch {
            guard !brokers[index].disk.isDead, store.haltReason == nil else { return [] }
            checker.fail("broker \(index + 1) cannot take over metadata: \(error)")
            return []
        }
    }

    private mutating func deleteRecords(
        _ partition: Int, _ before: Int64, _ store: inout LogStore, _ manager: ReplicaManager,
        _ now: Now
    ) {
        guard let leader = manager.leader(of: names[partition]), leader.knowsCommitted,
            manager.hasLease(now)
        else { return }
        let target = min(before, leader.highWatermark.value)
        if let start = try? store.deleteRecords(
            in: names[partition], before: Offset(target), now: now)
        {
            narrate("\(names[partition]) begins at \(start)")
        }
    }
}
