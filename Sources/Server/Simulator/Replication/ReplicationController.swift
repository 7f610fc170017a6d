import Base
import Log
import Quorum
import Replica

enum ControllerMessage {
    case register(BrokerRegistration)
    case heartbeat(BrokerHeartbeat, sentAt: Instant)
    case partition(PartitionProposal, brokerEpoch: Int64)
}

struct ControllerRequest {
    var broker: Int
    var process: Int
    var message: ControllerMessage
}

/// The controller of the simulated cluster, over a store of metadata that is always right.
extension ReplicationSimulation {
    mutating func askController(_ message: ControllerMessage, from index: Int) {
        guard !blocked[index][controllerPlace] else { return }
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        let request = ControllerRequest(
            broker: index, process: brokers[index].process, message: message)
        var copies = 1
        if !isHealed, network.below(1_000_000) < swarm.duplicates { copies = 2 }
        for _ in 0..<copies {
            queue.schedule(.toController(request), at: time + latency() + straggle())
        }
    }

    /// An answer to a broker, if the way is free.
    private mutating func answer(
        _ request: (broker: Int, process: Int), _ event: SimulatedBroker.Event
    ) {
        guard !blocked[controllerPlace][request.broker] else { return }
        if !isHealed, network.below(1_000_000) < swarm.drops { return }
        queue.schedule(
            .give(request.broker, process: request.process, event),
            at: time + latency() + straggle())
    }

    /// Commits a command: it takes its time, and others may come before it.
    private mutating func propose(
        _ command: ClusterCommand,
        from origin: (broker: Int, process: Int, PartitionProposal)? = nil
    ) {
        queue.schedule(
            .apply(command, from: origin), at: time + Int64(network.within(500_000...8_000_000)))
    }

    mutating func controllerReceives(_ request: ControllerRequest) {
        let now = controllerClock.instant(at: time)
        let origin = (request.broker, request.process)
        switch request.message {
        case .register(let registration):
            for command in controller.register(registration, image, now: now).commands {
                propose(command)
            }
            answer(origin, .metadata(image, applied: applied))
        case .heartbeat(let heartbeat, let sentAt):
            let (result, commands) = controller.heartbeat(heartbeat, image, now: now)
            for command in commands { propose(command) }
            answer(origin, .heartbeatAnswer(sentAt: sentAt, result))
            answer(origin, .metadata(image, applied: applied))
        case .partition(let proposal, let brokerEpoch):
            let change: PartitionRequest.Change
            switch proposal.change {
            case .damaged: change = .damaged
            case .raiseEpoch: change = .raiseEpoch
            case .inSync(let wanted, let joining):
                change = .inSync(
                    wanted, joining: joining.map { .init(node: $0.node, epoch: $0.brokerEpoch) })
            }
            let wish = PartitionRequest(
                topic: proposal.key.topic, partition: proposal.key.partition,
                from: brokers[request.broker].id, brokerEpoch: brokerEpoch,
                leaderEpoch: proposal.leaderEpoch, partitionEpoch: proposal.partitionEpoch,
                change: change)
            switch controller.decide(wish, image) {
            case .success(let command):
                propose(command, from: (request.broker, request.process, proposal))
            case .failure(let refusal):
                narrate("refused to broker \(request.broker + 1): \(refusal)")
                answer(origin, .proposalAnswer(proposal, isAccepted: false))
            }
        }
    }

    mutating func apply(
        _ command: ClusterCommand, from origin: (broker: Int, process: Int, PartitionProposal)?
    ) {
        if case .none = origin, case .changePartition = command {
            reviewsOpen = max(0, reviewsOpen - 1)
        }
        guard (try? ClusterCommand(command.encoded())) == command else {
            return checker.fail("a command is another one when it is read")
        }
        let decision = image.decide(command, at: applied + 1)
        commit(decision.records, "\(command) → \(decision.outcome)")
        if let origin {
            answer(
                (origin.broker, origin.process),
                .proposalAnswer(origin.2, isAccepted: decision.outcome == .done))
        }
    }

    /// Everybody hears of records that are committed, if the way is free.
    private mutating func commit(_ records: [MetadataRecord], _ cause: String) {
        for record in records { image.apply(record) }
        applied += 1
        trace.mix(applied)
        image.checkInvariants()
        narrate("\(applied): \(cause)")
        for case .partition(let topic, let partition, let state) in records {
            if let place = keys.firstIndex(where: { $0.topic == topic && $0.partition == partition }
            ) {
                checker.check(place, state, brokers)
            }
        }
        noteRepairs()
        for index in brokers.indices where brokers[index].store != nil {
            answer((index, brokers[index].process), .metadata(image, applied: applied))
        }
    }

    /// An operator changes how many replicas have to be in sync.
    mutating func setMinInSync(_ topic: Int, _ value: Int) {
        guard var changed = image.topic("t\(topic)") else { return }
        changed.settings["min.insync.replicas"] = String(value)
        commit([.topic(changed)], "t\(topic) needs \(value) in sync")
    }

    mutating func controllerTick() {
        queue.schedule(
            .controllerTick, at: time + Int64(network.within(20_000_000...120_000_000)))
        makeTopics()
        // What was decided last is not applied yet.
        guard reviewsOpen == 0 else { return }
        let commands = controller.review(image, now: controllerClock.instant(at: time))
        for command in commands {
            if case .changePartition = command { reviewsOpen += 1 }
            propose(command)
        }
    }

    private mutating func makeTopics() {
        guard !topicsMade, image.brokers.count == swarm.brokers,
            image.brokers.allSatisfy({ !$0.value.isFenced })
        else { return }
        topicsMade = true
        var placement = ReplicaPlacement(image)
        for (index, plan) in swarm.topics.enumerated() {
            guard let replicas = try? placement.place(count: plan.partitions, factor: plan.factor)
            else { return checker.fail("replicas cannot be placed") }
            let topic = TopicMetadata(
                id: UUID128(high: 9, low: UInt64(index + 1)), name: "t\(index)",
                partitionCount: Int32(plan.partitions),
                settings: plan.minInSync.map { ["min.insync.replicas": String($0)] } ?? [:])
            let partitions = replicas.enumerated().map { partition, replicas in
                MetadataRecord.partition(
                    topic: topic.id, Int32(partition), PartitionState(new: replicas))
            }
            commit(partitions + [.topic(topic)], "topic \(topic.name) on \(replicas)")
        }
    }

    /// A broker that lost something has everything again.
    private mutating func noteRepairs() {
        for index in brokers.indices where brokers[index].isDamaged && !brokers[index].isRotten {
            guard brokers[index].manager?.brokerEpoch != nil,
                image.brokers[brokers[index].id]?.registration.directory
                    == brokers[index].directory
            else { continue }
            var isWhole = true
            for (place, name) in names.enumerated() {
                guard let state = state(place), state.replicas.contains(brokers[index].id) else {
                    continue
                }
                let isSound = brokers[index].store?.damage(of: name) == nil
                let hasAll =
                    (brokers[index].store?.durableEnd(of: name)?.value ?? -1) >= checker.end(place)
                isWhole = isWhole && isSound && hasAll && state.inSync.contains(brokers[index].id)
            }
            if isWhole {
                brokers[index].isDamaged = false
                narrate("broker \(index + 1) has everything again")
            }
        }
    }
}
