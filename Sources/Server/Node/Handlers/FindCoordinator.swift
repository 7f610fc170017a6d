import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// The topic that keeps the groups.
    static let offsetsTopic = "__consumer_offsets"

    /// A node that stands alone coordinates every group and every transactional id; in a cluster
    /// whoever leads the partition that keeps one coordinates it.
    mutating func findCoordinator(
        _ request: FindCoordinatorRequest, _ context: RequestContext, _ frame: Bytes
    ) {
        let keys = context.version >= 4 ? request.coordinatorKeys : [request.key]
        switch CoordinatorType(rawValue: request.keyType) {
        case .group:
            if keys.contains(where: { authorize(context, .describe, .group, $0) }),
                waitForOffsetsTopic(context, frame)
            {
                return
            }
        case .transaction:
            if keys.contains(where: { authorize(context, .describe, .transactionalId, $0) }),
                waitForTransactionsTopic(context, frame)
            {
                return
            }
        default: break
        }
        let answers = keys.map { coordinator(of: $0, type: request.keyType, context) }
        var response = FindCoordinatorResponse()
        if context.version >= 4 {
            response.coordinators = answers
        } else if let only = answers.first {
            response.errorCode = only.errorCode
            response.errorMessage = only.errorMessage
            response.nodeId = only.nodeId
            response.host = only.host
            response.port = only.port
        }
        answer(context, response)
    }

    private func coordinator(
        of key: String, type: Int8, _ context: RequestContext
    ) -> FindCoordinatorResponse.Coordinator {
        let kind = CoordinatorType(rawValue: type)
        if kind == .share { return shareCoordinator(of: key, context) }
        if kind == .group, !authorize(context, .describe, .group, key) {
            return .init(
                key: key, nodeId: -1, port: -1, errorCode: .groupAuthorizationFailed,
                errorMessage: "\(context.principal.text) may not describe group \(key)")
        }
        if kind == .transaction, !authorize(context, .describe, .transactionalId, key) {
            return .init(
                key: key, nodeId: -1, port: -1, errorCode: .transactionalIdAuthorizationFailed,
                errorMessage: "\(context.principal.text) may not describe \(key)")
        }
        switch kind {
        case .transaction where key.isEmpty:
            return .init(
                key: key, nodeId: -1, port: -1, errorCode: .invalidRequest,
                errorMessage: "the transactional id is empty")
        case .group where cluster != nil, .transaction where cluster != nil:
            let subject: Coordinated = kind == .group ? .group(key) : .transaction(key)
            guard let node = coordinatingNode(of: subject),
                let broker = reachableBrokers(context).first(where: { $0.id == node.value })
            else {
                return .init(
                    key: key, nodeId: -1, port: -1, errorCode: .coordinatorNotAvailable,
                    errorMessage: "the node that coordinates \(key) is not there")
            }
            return .init(
                key: key, nodeId: broker.id, host: broker.host, port: broker.port,
                errorMessage: nil)
        case .group, .transaction:
            let listener = listener(of: context)
            return .init(
                key: key, nodeId: configuration.nodeID.value, host: listener.advertisedHost,
                port: listener.advertisedPort, errorMessage: nil)
        default:
            return .init(
                key: key, nodeId: -1, port: -1, errorCode: .invalidRequest,
                errorMessage: "coordinators of type \(type) are not supported")
        }
    }

    /// Who keeps the state of a partition for a share group: asked by brokers, with a key of group,
    /// topic id and partition, joined by colons.
    private func shareCoordinator(
        of key: String, _ context: RequestContext
    ) -> FindCoordinatorResponse.Coordinator {
        func refuse(
            _ error: ErrorCode, _ message: String
        ) -> FindCoordinatorResponse.Coordinator {
            .init(key: key, nodeId: -1, port: -1, errorCode: error, errorMessage: message)
        }
        guard context.version >= 6 else {
            return refuse(
                .invalidRequest, "coordinators of type 2 can be asked for from version 6 on")
        }
        guard authorizeCluster(context, .clusterAction) else {
            return refuse(
                .clusterAuthorizationFailed,
                "\(context.principal.text) may not ask where share groups are kept")
        }
        let parts = key.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count >= 3, UUID128(text: String(parts[parts.count - 2])) != nil,
            Int32(parts[parts.count - 1]).map({ $0 >= 0 }) == true,
            !parts.dropLast(2).joined(separator: ":").isEmpty
        else {
            return refuse(
                .invalidRequest,
                "\(key) is not a group, a topic id and a partition, "
                    + "joined by colons")
        }
        let listener = listener(of: context)
        return .init(
            key: key, nodeId: configuration.nodeID.value, host: listener.advertisedHost,
            port: listener.advertisedPort, errorMessage: nil)
    }

    /// Makes sure that the offsets topic is there. True when the request has to wait for it.
    mutating func waitForOffsetsTopic(_ context: RequestContext, _ frame: Bytes) -> Bool {
        waitForInternalTopic(
            Self.offsetsTopic, partitionCount: configuration.offsetsPartitions, context, frame)
    }

    /// Makes sure that a topic of a coordinator is there. True when the request has to wait for it.
    mutating func waitForInternalTopic(
        _ name: String, partitionCount: Int32, _ context: RequestContext, _ frame: Bytes
    ) -> Bool {
        if image.topic(name) != nil { return false }
        if !isController {
            forward(context, frame, to: .controller)
            return true
        }
        if draft.topic(name) == nil {
            let topic = TopicMetadata(
                id: newTopicID(), name: name, isInternal: true, partitionCount: partitionCount,
                settings: [
                    "cleanup.policy": "compact", "segment.bytes": "104857600",
                    // The state of a group, or of a transaction, is one record: members and
                    // partitions make it large.
                    "max.message.bytes": "8388608",
                ])
            // A refusal is told by the answer of whatever needs the topic.
            guard
                let records = recordsPlacing(
                    [topic], factor: configuration.internalReplicationFactor(of: name)),
                change(records, .none) == nil
            else {
                return false
            }
        }
        retryAfterChange(context, frame)
        return true
    }
}
