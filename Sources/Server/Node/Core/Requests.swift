// From bytes of a connection to the handler, and from its answer to bytes in the right order.

import Base
import Log
import Replica
import Security
import WireProtocol

extension BrokerNode {
    mutating func open(
        _ id: ConnectionID, peer: String, listener: Int, principal: String?
    ) {
        guard connections.count < Limits.connections else {
            output.append(.close(id, reason: "\(connections.count) connections are open"))
            return
        }
        connections[id] = ClientConnection(
            peer: peer, listener: listener,
            principal: principal.map { Principal(user: $0) } ?? .anonymous,
            mustSignOn: settings(ofListener: listener).securityProtocol.usesSasl)
    }

    /// The connection is gone; what it waited for goes on without it.
    mutating func forget(_ id: ConnectionID) {
        guard let connection = connections.removeValue(forKey: id) else { return }
        queuedBytes -= connection.queuedBytes
        if let blocker = connection.blocker {
            let key = RequestKey(connection: id, sequence: blocker)
            removeFetch(key)
            removeShareFetch(key)
            delayedSasl[key] = nil
        }
        if connection.waitsForChange { waitingForChange.removeAll { $0 == id } }
        closeShareSessions(of: id)
    }

    mutating func close(_ id: ConnectionID, _ reason: String) {
        guard connections[id] != nil else { return }
        diagnostics.report(.debug, "network", "closing \(connections[id]?.peer ?? ""): \(reason)")
        forget(id)
        output.append(.close(id, reason: reason))
    }

    mutating func receive(_ request: Bytes, from id: ConnectionID) {
        // Whoever holds the connection while a request starts makes that copy its slots.
        guard let isIdle = connections[id]?.isIdle else { return }
        guard request.count <= Limits.requestBytes else {
            return close(id, "a request of \(request.count) bytes")
        }
        if isIdle, isServing { return start(request, of: id) }
        guard
            connections[id]?.mayQueue(
                request, requests: configuration.queuedRequestsMax,
                bytes: configuration.queuedBytesMax) == true,
            queuedBytes + request.count <= configuration.queuedBytesOfAllMax
        else { return close(id, "too many requests wait behind an unanswered one") }
        queuedBytes += request.count
        connections[id]?.enqueue(request)
        runnable.append(id)
    }

    /// Starts queued requests of connections that nothing blocks any more.
    mutating func startRequests() {
        guard isServing else { return }
        while !isHalted, let id = runnable.popFirst() {
            while !isHalted, connections[id]?.mayStart == true,
                let request = connections[id]?.dequeue()
            {
                queuedBytes -= request.count
                start(request, of: id)
            }
        }
    }

    private mutating func start(_ request: Bytes, of id: ConnectionID) {
        counters.requests += 1
        var reader = ByteReader(request)
        let header: RequestHeader
        do throws(DecodeFailure) {
            header = try RequestHeader(from: &reader, table: versions)
        } catch {
            return close(id, "unreadable request header: \(error)")
        }
        guard let kind = header.kind, versions.serves(kind, version: header.apiVersion) else {
            return refuse(header, of: id)
        }
        guard admits(kind, bytes: request.count, from: id) else { return }
        let body: BrokerRequest
        do throws(DecodeFailure) {
            body = try BrokerRequest(from: &reader, apiKey: kind, version: header.apiVersion)
        } catch {
            return close(
                id,
                "unreadable \(kind.publishedName) request, "
                    + "version \(header.apiVersion): \(error)")
        }
        guard let begun = connections[id]?.beginRequest() else { return }
        if measuresRequests { connections[id]?.lastClientID = header.clientId ?? "" }
        let context = RequestContext(
            key: RequestKey(connection: id, sequence: begun.sequence), version: header.apiVersion,
            correlationId: header.correlationId, clientID: header.clientId ?? "",
            principal: begun.principal, host: begun.host, listener: begun.listener)
        if refuses(body, context) { return }
        if cluster != nil, forwards(body, context, request) { return }
        isDeciding = Self.isForController(body)
        dispatch(body, context, request)
        isDeciding = false
    }

    /// A kind or version that is not served. Only ApiVersions has an answer that every client can
    /// read; the layout of any other is unknown to us.
    private mutating func refuse(_ header: RequestHeader, of id: ConnectionID) {
        guard header.kind == .apiVersions, let sequence = connections[id]?.begin() else {
            let name = header.kind?.publishedName ?? "\(header.apiKey)"
            return close(id, "request \(name) version \(header.apiVersion) is not served")
        }
        send(
            versions.refusal.frame(version: 0, correlationId: header.correlationId),
            to: RequestKey(connection: id, sequence: sequence))
    }

    private mutating func dispatch(
        _ body: BrokerRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        switch body {
        case .produce(let request): produce(request, context)
        case .fetch(let request): fetch(request, context)
        case .listOffsets(let request): listOffsets(request, context)
        case .metadata(let request): metadata(request, context, frame)
        case .offsetCommit(let request): offsetCommit(request, context, frame)
        case .offsetFetch(let request): offsetFetch(request, context)
        case .findCoordinator(let request): findCoordinator(request, context, frame)
        case .joinGroup(let request): joinGroup(request, context, frame)
        case .heartbeat(let request): heartbeat(request, context)
        case .leaveGroup(let request): leaveGroup(request, context)
        case .syncGroup(let request): syncGroup(request, context)
        case .describeGroups(let request): describeGroups(request, context)
        case .listGroups(let request): listGroups(request, context)
        case .apiVersions(let request): apiVersions(request, context)
        case .createTopics(let request): createTopics(request, context)
        case .deleteTopics(let request): deleteTopics(request, context)
        case .deleteRecords(let request): deleteRecords(request, context)
        case .initProducerId(let request): initProducerId(request, context, frame)
        case .offsetForLeaderEpoch(let request): offsetForLeaderEpoch(request, context)
        case .addPartitionsToTxn(let request): addPartitionsToTxn(request, context)
        case .addOffsetsToTxn(let request): addOffsetsToTxn(request, context, frame)
        case .endTxn(let request): endTxn(request, context, frame)
        case .writeTxnMarkers(let request): writeTxnMarkers(request, context)
        case .txnOffsetCommit(let request): txnOffsetCommit(request, context, frame)
        case .describeProducers(let request): describeProducers(request, context)
        case .describeTransactions(let request): describeTransactions(request, context)
        case .listTransactions(let request): listTransactions(request, context)
        case .describeConfigs(let request): describeConfigs(request, context)
        case .createPartitions(let request): createPartitions(request, context)
        case .deleteGroups(let request): deleteGroups(request, context)
        case .incrementalAlterConfigs(let request): incrementalAlterConfigs(request, context)
        case .offsetDelete(let request): offsetDelete(request, context)
        case .describeCluster(let request): describeCluster(request, context)
        case .alterConfigs(let request): alterConfigs(request, context)
        case .alterReplicaLogDirs(let request): alterReplicaLogDirs(request, context)
        case .describeLogDirs(let request): describeLogDirs(request, context)
        case .electLeaders(let request): electLeaders(request, context)
        case .alterPartitionReassignments(let request):
            alterPartitionReassignments(request, context)
        case .listPartitionReassignments(let request): listPartitionReassignments(request, context)
        case .describeQuorum(let request): describeQuorum(request, context)
        case .updateFeatures(let request): updateFeatures(request, context)
        case .unregisterBroker(let request): unregisterBroker(request, context)
        case .listConfigResources(let request): listConfigResources(request, context)
        case .describeTopicPartitions(let request): describeTopicPartitions(request, context)
        case .saslHandshake(let request): saslHandshake(request, context)
        case .saslAuthenticate(let request): saslAuthenticate(request, context)
        case .describeUserScramCredentials(let request):
            describeUserScramCredentials(request, context)
        case .alterUserScramCredentials(let request): alterUserScramCredentials(request, context)
        case .describeClientQuotas(let request): describeClientQuotas(request, context)
        case .alterClientQuotas(let request): alterClientQuotas(request, context)
        case .describeAcls(let request): describeAcls(request, context)
        case .createAcls(let request): createAcls(request, context)
        case .deleteAcls(let request): deleteAcls(request, context)
        case .consumerGroupHeartbeat(let request):
            consumerGroupHeartbeat(request, context, frame)
        case .consumerGroupDescribe(let request): consumerGroupDescribe(request, context)
        case .shareGroupHeartbeat(let request): shareGroupHeartbeat(request, context, frame)
        case .shareGroupDescribe(let request): shareGroupDescribe(request, context)
        case .shareFetch(let request): shareFetch(request, context, frame)
        case .shareAcknowledge(let request): shareAcknowledge(request, context)
        case .describeShareGroupOffsets(let request): describeShareGroupOffsets(request, context)
        case .alterShareGroupOffsets(let request): alterShareGroupOffsets(request, context, frame)
        case .deleteShareGroupOffsets(let request): deleteShareGroupOffsets(request, context)
        }
    }

    // MARK: Listeners

    /// The listener that the client of `context` came through.
    func listener(of context: RequestContext) -> ListenerSettings {
        settings(ofListener: context.listener)
    }

    func settings(ofListener number: Int) -> ListenerSettings {
        let doors = configuration.doors
        precondition(doors.indices.contains(number), "the driver knows the listeners")
        return doors[number]
    }

    // MARK: Answers

    mutating func answer(_ context: RequestContext, _ response: some WireResponse) {
        let frame = response.frame(
            version: context.version, correlationId: context.correlationId)
        // A decision that changes nothing rests on changes that are on their way, and may not be made: who
        // hears that a topic is there must find it.
        if isDeciding, hasPendingChanges {
            return afterPendingChanges(.answer(context.key, frame: frame))
        }
        send(frame, to: context.key)
    }

    mutating func send(_ frame: [Bytes], to key: RequestKey) {
        let mayStart = connections[key.connection]?.answer(key, frame, into: &output)
        if mayStart == true { runnable.append(key.connection) }
    }

    /// Puts the request back to the front of its connection, to be started again when the change
    /// that it needs is durable.
    mutating func retryAfterChange(_ context: RequestContext, _ frame: Bytes) {
        let id = context.key.connection
        guard connections[id] != nil else { return }
        connections[id]?.retract()
        connections[id]?.requeue(frame)
        queuedBytes += frame.count
        connections[id]?.waitsForChange = true
        waitingForChange.append(id)
    }

    func error(_ failure: AppendFailure) -> ErrorCode { ErrorCode(number: failure.code) }
    func error(_ refusal: ReplicaRefusal) -> ErrorCode { ErrorCode(number: refusal.code) }
    func error(_ failure: ReadFailure) -> ErrorCode { ErrorCode(number: failure.code) }
}
