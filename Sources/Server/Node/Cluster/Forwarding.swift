import Base
import Quorum
import Security
import WireProtocol

// Requests that another node has to work on: what changes the metadata is the controller's, what is
// about a group its coordinator's. Any node takes them from clients and passes them on; the answer
// goes back the same way.
extension BrokerNode {
    /// Requests that other nodes work on, and their bytes.
    private static let forwardedCountMax = 4096
    private static let forwardedBytesMax = 64 << 20
    /// Connections that stand for requests of other nodes' clients.
    static let virtualBit: UInt64 = 1 << 63

    /// Passes a request on when it is another node's; false when it is this one's.
    mutating func forwards(
        _ body: BrokerRequest, _ context: RequestContext, _ frame: Bytes
    ) -> Bool {
        guard cluster != nil else { return false }
        if let subjects = subjects(of: body), let first = subjects.first,
            image.topic(first.topic) != nil
        {
            return forwards(body, about: subjects, context, frame)
        }
        guard Self.isForController(body), !isController else { return false }
        forward(context, frame, to: .controller)
        return true
    }

    /// What is about a group or a transactional id is for its coordinator. About several of them there is
    /// one answer only from the coordinator of all; else each that is another's gets its error here.
    private mutating func forwards(
        _ body: BrokerRequest, about subjects: [Coordinated], _ context: RequestContext,
        _ frame: Bytes
    ) -> Bool {
        guard let first = subjects.first else { return false }
        guard let node = coordinatingNode(of: first) else {
            return refuse(body, context, .coordinatorNotAvailable)
        }
        if node == configuration.nodeID {
            guard let refusal = refusal(of: first) else { return false }
            return refuse(body, context, refusal)
        }
        guard subjects.dropFirst().allSatisfy({ coordinatingNode(of: $0) == node }) else {
            return false
        }
        // It was passed on once, by a node that knows more or less than this one.
        if cluster?.virtual[context.key.connection] != nil {
            return refuse(body, context, .notCoordinator)
        }
        guard cluster?.linkTo[node] != nil else {
            return refuse(body, context, .coordinatorNotAvailable)
        }
        forward(context, frame, to: .node(node))
        return true
    }

    /// The groups or transactional ids that a request is about; nil when it is about something else.
    private func subjects(of body: BrokerRequest) -> [Coordinated]? {
        switch body {
        case .joinGroup(let request): [.group(request.groupId)]
        case .heartbeat(let request): [.group(request.groupId)]
        case .leaveGroup(let request): [.group(request.groupId)]
        case .syncGroup(let request): [.group(request.groupId)]
        case .offsetCommit(let request): [.group(request.groupId)]
        case .offsetFetch(let request):
            request.groups.isEmpty
                ? [.group(request.groupId)] : request.groups.map { .group($0.groupId) }
        case .describeGroups(let request): request.groups.map { .group($0) }
        case .deleteGroups(let request): request.groupsNames.map { .group($0) }
        case .offsetDelete(let request): [.group(request.groupId)]
        case .consumerGroupHeartbeat(let request): [.group(request.groupId)]
        case .consumerGroupDescribe(let request): request.groupIds.map { .group($0) }
        case .txnOffsetCommit(let request): [.group(request.groupId)]
        case .initProducerId(let request): request.transactionalId.map { [.transaction($0)] }
        case .addPartitionsToTxn(let request):
            request.transactions.isEmpty
                ? [.transaction(request.transactionalId)]
                : request.transactions.map { .transaction($0.transactionalId) }
        case .addOffsetsToTxn(let request): [.transaction(request.transactionalId)]
        case .endTxn(let request): [.transaction(request.transactionalId)]
        case .describeTransactions(let request):
            request.transactionalIds.map { .transaction($0) }
        default: nil
        }
    }

    /// What changes the metadata, and what is asked right after it.
    static func isForController(_ body: BrokerRequest) -> Bool {
        switch body {
        case .createTopics, .deleteTopics, .createPartitions, .alterConfigs,
            .incrementalAlterConfigs, .createAcls, .deleteAcls, .alterUserScramCredentials,
            .alterClientQuotas, .updateFeatures, .electLeaders, .unregisterBroker,
            .alterPartitionReassignments, .listPartitionReassignments:
            true
        default: false
        }
    }

    mutating func forward(
        _ context: RequestContext, _ frame: Bytes, to target: ForwardedWork.Target
    ) {
        if let origin = cluster?.virtual[context.key.connection] {
            // It was passed on once: whoever did so looks again who is responsible.
            endVirtual(context.key.connection)
            return noAnswer(origin, "")
        }
        guard frame.count <= ClusterConfiguration.messageBytesMax else {
            return close(
                context.key.connection, "a request of \(frame.count) bytes is not passed on")
        }
        guard let wait = cluster?.configuration.controllerWait, let waiting = cluster?.forwarded
        else { return }
        let bytes = waiting.values.reduce(frame.count) { $0 + $1.request.request.count }
        guard waiting.count < Self.forwardedCountMax, bytes <= Self.forwardedBytesMax else {
            return close(context.key.connection, "too many requests wait for other nodes")
        }
        let number = nextNumber()
        let request = ForwardedRequest(
            user: context.principal.name, host: context.host,
            listener: listener(of: context).name, request: frame)
        cluster?.forwarded[number] = ForwardedWork(
            key: context.key, request: request, target: target,
            deadline: now.monotonic + wait)
        sendWaitingForwards()
    }

    /// Sends what nobody works on yet, and gives up what has waited too long.
    mutating func sendWaitingForwards() {
        guard let waiting = cluster?.forwarded, !waiting.isEmpty else { return }
        // Work of a coordinator may take long, a member waits for others to join: what somebody has
        // is not given up.
        for (number, work) in waiting where work.sentTo == nil {
            let node: NodeID? =
                switch work.target {
                case .controller: cluster?.leader
                case .node(let node): node
                }
            if let node, node == configuration.nodeID {
                if isController || work.target != .controller {
                    cluster?.forwarded[number]?.sentTo = node
                    workOn(work.request, number, from: node)
                    continue
                }
            } else if let node, send(.request(number, work.request), to: node) {
                cluster?.forwarded[number]?.sentTo = node
                continue
            }
            guard work.deadline <= now.monotonic else { continue }
            cluster?.forwarded[number] = nil
            close(work.key.connection, "no controller could be reached")
        }
    }

    /// An answer for a client of this node.
    mutating func take(_ answer: Bytes, _ number: UInt64) {
        guard let work = cluster?.forwarded.removeValue(forKey: number) else { return }
        send([answer], to: work.key)
    }

    /// There is no answer: an empty reason says that nothing was done, so that it may be tried
    /// again.
    mutating func noAnswer(_ number: UInt64, _ reason: String) {
        guard let work = cluster?.forwarded[number] else { return }
        if reason.isEmpty {
            cluster?.forwarded[number]?.sentTo = nil
            return
        }
        cluster?.forwarded[number] = nil
        close(work.key.connection, reason)
    }

    private mutating func noAnswer(_ origin: (node: NodeID, number: UInt64), _ reason: String) {
        if origin.node == cluster?.node { return noAnswer(origin.number, reason) }
        send(.noAnswer(origin.number, reason), to: origin.node)
    }

    /// The link to a node is down: its requests need no answer, and what it worked on may be done,
    /// or not.
    mutating func linkLost(_ node: NodeID) {
        guard let cluster else { return }
        for (number, work) in cluster.forwarded where work.sentTo == node {
            self.cluster?.forwarded[number] = nil
            close(
                work.key.connection,
                "node \(node.value), which worked on the request, is gone")
        }
        for (id, origin) in cluster.virtual.sorted(by: { $0.key < $1.key })
        where origin.node == node {
            endVirtual(id)
        }
        forgetParts(with: node)
        self.cluster?.registrationDeadline = nil
        if cluster.leader == node { self.cluster?.wishes = [:] }
        if let wish = cluster.producerIDsWish, wish.controller == node {
            _ = takeProducerIDs(.refused(.uncertain), wish.number)
        }
        forgetTransactions(with: node)
        // The controller looks at once whether somebody else has to lead.
        if cluster.isController { self.cluster?.nextHousekeeping = now.monotonic }
    }

    // MARK: For clients of others

    mutating func workOn(_ request: ForwardedRequest, _ number: UInt64, from node: NodeID) {
        guard isServing, connections.count < Limits.connections else {
            return noAnswer((node, number), "")
        }
        let last = (cluster?.lastVirtual ?? 0) + 1
        cluster?.lastVirtual = last
        let id = ConnectionID(Self.virtualBit | last)
        let door = configuration.doors.firstIndex { $0.name == request.listener } ?? 0
        connections[id] = ClientConnection(
            peer: request.host.contains(":") ? "[\(request.host)]:0" : "\(request.host):0",
            listener: door, principal: Principal(user: request.user), mustSignOn: false)
        cluster?.virtual[id] = (node, number)
        receive(request.request, from: id)
    }

    private mutating func endVirtual(_ id: ConnectionID) {
        cluster?.virtual[id] = nil
        forget(id)
    }

    /// Takes effects for connections that stand for requests of others out of the output, and
    /// passes their answers on.
    mutating func routeVirtual() {
        guard let cluster, !cluster.virtual.isEmpty || !cluster.jobs.isEmpty else { return }
        let effects = output
        output = []
        for effect in effects {
            switch effect {
            case .send(let id, let pieces) where id.value & Self.virtualBit != 0:
                guard let origin = self.cluster?.virtual[id] else { continue }
                endVirtual(id)
                let answer = pieces.count == 1 ? pieces[0] : Bytes.joined(pieces)
                if origin.node == cluster.node {
                    take(answer, origin.number)
                } else {
                    send(.answer(origin.number, answer), to: origin.node)
                }
            case .close(let id, let reason) where id.value & Self.virtualBit != 0:
                guard let origin = self.cluster?.virtual.removeValue(forKey: id) else { continue }
                noAnswer(origin, reason.isEmpty ? "the request was refused" : reason)
            case .pause(let id, _) where id.value & Self.virtualBit != 0: continue
            case .authenticated(let id) where id.value & Self.virtualBit != 0: continue
            case .commandFinished(let id, let result) where id.value & Self.virtualBit != 0:
                jobFinished(id, result)
            default: output.append(effect)
            }
        }
    }
}
