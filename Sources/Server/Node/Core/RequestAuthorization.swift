// Requests that are allowed or refused as a whole. What is decided topic by topic, or entry by
// entry, stands in the handlers.

import Base
import Security
import WireProtocol

extension BrokerNode {
    /// Answers a request that its client may not make at all; false when it may.
    mutating func refuses(_ body: BrokerRequest, _ context: RequestContext) -> Bool {
        guard configuration.authorizer != nil else { return false }
        return refusesProducer(body, context) || refusesGroupRequest(body, context)
            || refusesClusterRequest(body, context)
    }

    private mutating func refusesProducer(
        _ body: BrokerRequest, _ context: RequestContext
    ) -> Bool {
        guard case .initProducerId(let request) = body else { return false }
        if let id = request.transactionalId {
            if authorize(context, .write, .transactionalId, id) { return false }
            answer(
                context,
                InitProducerIdResponse(
                    errorCode: .transactionalIdAuthorizationFailed, producerEpoch: -1))
            return true
        }
        // Whoever may write somewhere may do it idempotently.
        if authorizeCluster(context, .idempotentWrite) || authorizeSome(context, .write, .topic) {
            return false
        }
        answer(
            context,
            InitProducerIdResponse(errorCode: .clusterAuthorizationFailed, producerEpoch: -1))
        return true
    }

    private mutating func refusesGroupRequest(
        _ body: BrokerRequest, _ context: RequestContext
    ) -> Bool {
        let denied = ErrorCode.groupAuthorizationFailed
        func mayRead(_ group: String) -> Bool { authorize(context, .read, .group, group) }
        switch body {
        case .joinGroup(let request):
            if mayRead(request.groupId) { return false }
            answer(
                context,
                JoinGroupResponse(
                    errorCode: denied, protocolName: context.version >= 7 ? nil : "",
                    memberId: request.memberId))
        case .syncGroup(let request):
            if mayRead(request.groupId) { return false }
            answer(context, SyncGroupResponse(errorCode: denied))
        case .heartbeat(let request):
            if mayRead(request.groupId) { return false }
            answer(context, HeartbeatResponse(errorCode: denied))
        case .leaveGroup(let request):
            if mayRead(request.groupId) { return false }
            answer(context, LeaveGroupResponse(errorCode: denied))
        default: return false
        }
        return true
    }

    private mutating func refusesClusterRequest(
        _ body: BrokerRequest, _ context: RequestContext
    ) -> Bool {
        let denied = ErrorCode.clusterAuthorizationFailed
        let message = "\(context.principal.text) has no permission for the cluster"
        func may(_ operation: AclOperation) -> Bool { authorizeCluster(context, operation) }
        switch body {
        case .alterPartitionReassignments:
            if may(.alter) { return false }
            answer(
                context,
                AlterPartitionReassignmentsResponse(errorCode: denied, errorMessage: message))
        case .listPartitionReassignments:
            if may(.describe) { return false }
            answer(
                context,
                ListPartitionReassignmentsResponse(errorCode: denied, errorMessage: message))
        case .electLeaders(let request):
            if may(.alter) { return false }
            // Version 0 has no error of its own.
            let results =
                context.version >= 1
                ? []
                : (request.topicPartitions ?? []).map { topic in
                    ElectLeadersResponse.ReplicaElectionResult(
                        topic: topic.topic,
                        partitionResult: topic.partitions.map {
                            .init(partitionId: $0, errorCode: denied, errorMessage: message)
                        })
                }
            answer(
                context,
                ElectLeadersResponse(errorCode: denied, replicaElectionResults: results))
        case .alterReplicaLogDirs(let request):
            if may(.alter) { return false }
            var response = AlterReplicaLogDirsResponse()
            for topic in request.dirs.flatMap(\.topics) {
                response.results.append(
                    .init(
                        topicName: topic.name,
                        partitions: topic.partitions.map {
                            .init(partitionIndex: $0, errorCode: denied)
                        }))
            }
            answer(context, response)
        case .describeLogDirs:
            if may(.describe) { return false }
            answer(context, DescribeLogDirsResponse(errorCode: denied))
        case .describeQuorum:
            if may(.describe) { return false }
            answer(context, DescribeQuorumResponse(errorCode: denied, errorMessage: message))
        case .updateFeatures:
            if may(.alter) { return false }
            answer(context, UpdateFeaturesResponse(errorCode: denied, errorMessage: message))
        case .unregisterBroker:
            if may(.alter) { return false }
            answer(context, UnregisterBrokerResponse(errorCode: denied, errorMessage: message))
        case .listConfigResources:
            if may(.describeConfigs) { return false }
            answer(context, ListConfigResourcesResponse(errorCode: denied))
        default: return false
        }
        return true
    }
}
