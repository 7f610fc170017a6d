// One value for whatever a client asked, so that a broker can switch over it.

import Base

/// A decoded request of any kind that we have a layout of.
package enum BrokerRequest: Sendable, Equatable {
    case produce(ProduceRequest)
    case fetch(FetchRequest)
    case listOffsets(ListOffsetsRequest)
    case metadata(MetadataRequest)
    case offsetCommit(OffsetCommitRequest)
    case offsetFetch(OffsetFetchRequest)
    case findCoordinator(FindCoordinatorRequest)
    case joinGroup(JoinGroupRequest)
    case heartbeat(HeartbeatRequest)
    case leaveGroup(LeaveGroupRequest)
    case syncGroup(SyncGroupRequest)
    case describeGroups(DescribeGroupsRequest)
    case listGroups(ListGroupsRequest)
    case apiVersions(ApiVersionsRequest)
    case createTopics(CreateTopicsRequest)
    case deleteTopics(DeleteTopicsRequest)
    case deleteRecords(DeleteRecordsRequest)
    case initProducerId(InitProducerIdRequest)
    case offsetForLeaderEpoch(OffsetForLeaderEpochRequest)
    case addPartitionsToTxn(AddPartitionsToTxnRequest)
    case addOffsetsToTxn(AddOffsetsToTxnRequest)
    case endTxn(EndTxnRequest)
    case writeTxnMarkers(WriteTxnMarkersRequest)
    case txnOffsetCommit(TxnOffsetCommitRequest)
    case describeProducers(DescribeProducersRequest)
    case describeTransactions(DescribeTransactionsRequest)
    case listTransactions(ListTransactionsRequest)
    case describeConfigs(DescribeConfigsRequest)
    case createPartitions(CreatePartitionsRequest)
    case deleteGroups(DeleteGroupsRequest)
    case incrementalAlterConfigs(IncrementalAlterConfigsRequest)
    case saslHandshake(SaslHandshakeRequest)
    case describeAcls(DescribeAclsRequest)
    case createAcls(CreateAclsRequest)
    case deleteAcls(DeleteAclsRequest)
    case saslAuthenticate(SaslAuthenticateRequest)
    case describeClientQuotas(DescribeClientQuotasRequest)
    case alterClientQuotas(AlterClientQuotasRequest)
    case describeUserScramCredentials(DescribeUserScramCredentialsRequest)
    case alterUserScramCredentials(AlterUserScramCredentialsRequest)
    case offsetDelete(OffsetDeleteRequest)
    case describeCluster(DescribeClusterRequest)
    case alterConfigs(AlterConfigsRequest)
    case alterReplicaLogDirs(AlterReplicaLogDirsRequest)
    case describeLogDirs(DescribeLogDirsRequest)
    case electLeaders(ElectLeadersRequest)
    case alterPartitionReassignments(AlterPartitionReassignmentsRequest)
    case listPartitionReassignments(ListPartitionReassignmentsRequest)
    case describeQuorum(DescribeQuorumRequest)
    case updateFeatures(UpdateFeaturesRequest)
    case unregisterBroker(UnregisterBrokerRequest)
    case listConfigResources(ListConfigResourcesRequest)
    case describeTopicPartitions(DescribeTopicPartitionsRequest)
    case consumerGroupHeartbeat(ConsumerGroupHeartbeatRequest)
    case consumerGroupDescribe(ConsumerGroupDescribeRequest)
    case shareGroupHeartbeat(ShareGroupHeartbeatRequest)
    case shareGroupDescribe(ShareGroupDescribeRequest)
    case shareFetch(ShareFetchRequest)
    case shareAcknowledge(ShareAcknowledgeRequest)
    case describeShareGroupOffsets(DescribeShareGroupOffsetsRequest)
    case alterShareGroupOffsets(AlterShareGroupOffsetsRequest)
    case deleteShareGroupOffsets(DeleteShareGroupOffsetsRequest)

    /// Reads the body behind a request header. The version must be one that the layout covers:
    /// check it with an `ApiVersionTable` first.
    package init(
        from reader: inout ByteReader, apiKey: ApiKey, version: Int16
    ) throws(DecodeFailure) {
        switch apiKey {
        case .produce:
            self = .produce(try ProduceRequest(from: &reader, version: version))
        case .fetch:
            self = .fetch(try FetchRequest(from: &reader, version: version))
        case .listOffsets:
            self = .listOffsets(try ListOffsetsRequest(from: &reader, version: version))
        case .metadata:
            self = .metadata(try MetadataRequest(from: &reader, version: version))
        case .offsetCommit:
            self = .offsetCommit(try OffsetCommitRequest(from: &reader, version: version))
        case .offsetFetch:
            self = .offsetFetch(try OffsetFetchRequest(from: &reader, version: version))
        case .findCoordinator:
            self = .findCoordinator(try FindCoordinatorRequest(from: &reader, version: version))
        case .joinGroup:
            self = .joinGroup(try JoinGroupRequest(from: &reader, version: version))
        case .heartbeat:
            self = .heartbeat(try HeartbeatRequest(from: &reader, version: version))
        case .leaveGroup:
            self = .leaveGroup(try LeaveGroupRequest(from: &reader, version: version))
        case .syncGroup:
            self = .syncGroup(try SyncGroupRequest(from: &reader, version: version))
        case .describeGroups:
            self = .describeGroups(try DescribeGroupsRequest(from: &reader, version: version))
        case .listGroups:
            self = .listGroups(try ListGroupsRequest(from: &reader, version: version))
        case .apiVersions:
            self = .apiVersions(try ApiVersionsRequest(from: &reader, version: version))
        case .createTopics:
            self = .createTopics(try CreateTopicsRequest(from: &reader, version: version))
        case .deleteTopics:
            self = .deleteTopics(try DeleteTopicsRequest(from: &reader, version: version))
        case .deleteRecords:
            self = .deleteRecords(try DeleteRecordsRequest(from: &reader, version: version))
        case .initProducerId:
            self = .initProducerId(try InitProducerIdRequest(from: &reader, version: version))
        case .offsetForLeaderEpoch:
            self = .offsetForLeaderEpoch(
                try OffsetForLeaderEpochRequest(from: &reader, version: version))
        case .addPartitionsToTxn:
            self = .addPartitionsToTxn(
                try AddPartitionsToTxnRequest(from: &reader, version: version))
        case .addOffsetsToTxn:
            self = .addOffsetsToTxn(try AddOffsetsToTxnRequest(from: &reader, version: version))
        case .endTxn:
            self = .endTxn(try EndTxnRequest(from: &reader, version: version))
        case .writeTxnMarkers:
            self = .writeTxnMarkers(try WriteTxnMarkersRequest(from: &reader, version: version))
        case .txnOffsetCommit:
            self = .txnOffsetCommit(try TxnOffsetCommitRequest(from: &reader, version: version))
        case .describeProducers:
            self = .describeProducers(try DescribeProducersRequest(from: &reader, version: version))
        case .describeTransactions:
            self = .describeTransactions(
                try DescribeTransactionsRequest(from: &reader, version: version))
        case .listTransactions:
            self = .listTransactions(try ListTransactionsRequest(from: &reader, version: version))
        case .describeConfigs:
            self = .describeConfigs(try DescribeConfigsRequest(from: &reader, version: version))
        case .createPartitions:
            self = .createPartitions(try CreatePartitionsRequest(from: &reader, version: version))
        case .deleteGroups:
            self = .deleteGroups(try DeleteGroupsRequest(from: &reader, version: version))
        case .incrementalAlterConfigs:
            self = .incrementalAlterConfigs(
                try IncrementalAlterConfigsRequest(from: &reader, version: version))
        case .saslHandshake:
            self = .saslHandshake(try SaslHandshakeRequest(from: &reader, version: version))
        case .describeAcls:
            self = .describeAcls(try DescribeAclsRequest(from: &reader, version: version))
        case .createAcls:
            self = .createAcls(try CreateAclsRequest(from: &reader, version: version))
        case .deleteAcls:
            self = .deleteAcls(try DeleteAclsRequest(from: &reader, version: version))
        case .saslAuthenticate:
            self = .saslAuthenticate(try SaslAuthenticateRequest(from: &reader, version: version))
        case .describeClientQuotas:
            self = .describeClientQuotas(
                try DescribeClientQuotasRequest(from: &reader, version: version))
        case .alterClientQuotas:
            self = .alterClientQuotas(try AlterClientQuotasRequest(from: &reader, version: version))
        case .describeUserScramCredentials:
            self = .describeUserScramCredentials(
                try DescribeUserScramCredentialsRequest(from: &reader, version: version))
        case .alterUserScramCredentials:
            self = .alterUserScramCredentials(
                try AlterUserScramCredentialsRequest(from: &reader, version: version))
        case .offsetDelete:
            self = .offsetDelete(try OffsetDeleteRequest(from: &reader, version: version))
        case .describeCluster:
            self = .describeCluster(try DescribeClusterRequest(from: &reader, version: version))
        case .alterConfigs:
            self = .alterConfigs(try AlterConfigsRequest(from: &reader, version: version))
        case .alterReplicaLogDirs:
            self = .alterReplicaLogDirs(
                try AlterReplicaLogDirsRequest(from: &reader, version: version))
        case .describeLogDirs:
            self = .describeLogDirs(try DescribeLogDirsRequest(from: &reader, version: version))
        case .electLeaders:
            self = .electLeaders(try ElectLeadersRequest(from: &reader, version: version))
        case .alterPartitionReassignments:
            self = .alterPartitionReassignments(
                try AlterPartitionReassignmentsRequest(from: &reader, version: version))
        case .listPartitionReassignments:
            self = .listPartitionReassignments(
                try ListPartitionReassignmentsRequest(from: &reader, version: version))
        case .describeQuorum:
            self = .describeQuorum(try DescribeQuorumRequest(from: &reader, version: version))
        case .updateFeatures:
            self = .updateFeatures(try UpdateFeaturesRequest(from: &reader, version: version))
        case .unregisterBroker:
            self = .unregisterBroker(try UnregisterBrokerRequest(from: &reader, version: version))
        case .listConfigResources:
            self = .listConfigResources(
                try ListConfigResourcesRequest(from: &reader, version: version))
        case .describeTopicPartitions:
            self = .describeTopicPartitions(
                try DescribeTopicPartitionsRequest(from: &reader, version: version))
        case .consumerGroupHeartbeat:
            self = .consumerGroupHeartbeat(
                try ConsumerGroupHeartbeatRequest(from: &reader, version: version))
        case .consumerGroupDescribe:
            self = .consumerGroupDescribe(
                try ConsumerGroupDescribeRequest(from: &reader, version: version))
        case .shareGroupHeartbeat:
            self = .shareGroupHeartbeat(
                try ShareGroupHeartbeatRequest(from: &reader, version: version))
        case .shareGroupDescribe:
            self = .shareGroupDescribe(
                try ShareGroupDescribeRequest(from: &reader, version: version))
        case .shareFetch:
            self = .shareFetch(try ShareFetchRequest(from: &reader, version: version))
        case .shareAcknowledge:
            self = .shareAcknowledge(try ShareAcknowledgeRequest(from: &reader, version: version))
        case .describeShareGroupOffsets:
            self = .describeShareGroupOffsets(
                try DescribeShareGroupOffsetsRequest(from: &reader, version: version))
        case .alterShareGroupOffsets:
            self = .alterShareGroupOffsets(
                try AlterShareGroupOffsetsRequest(from: &reader, version: version))
        case .deleteShareGroupOffsets:
            self = .deleteShareGroupOffsets(
                try DeleteShareGroupOffsetsRequest(from: &reader, version: version))
        default: throw .unsupported(apiKey.publishedName)
        }
    }

    /// Writes the body, the inverse of `init`.
    package func write(to writer: inout ByteWriter, version: Int16) {
        switch self {
        case .produce(let body): body.write(to: &writer, version: version)
        case .fetch(let body): body.write(to: &writer, version: version)
        case .listOffsets(let body): body.write(to: &writer, version: version)
        case .metadata(let body): body.write(to: &writer, version: version)
        case .offsetCommit(let body): body.write(to: &writer, version: version)
        case .offsetFetch(let body): body.write(to: &writer, version: version)
        case .findCoordinator(let body): body.write(to: &writer, version: version)
        case .joinGroup(let body): body.write(to: &writer, version: version)
        case .heartbeat(let body): body.write(to: &writer, version: version)
        case .leaveGroup(let body): body.write(to: &writer, version: version)
        case .syncGroup(let body): body.write(to: &writer, version: version)
        case .describeGroups(let body): body.write(to: &writer, version: version)
        case .listGroups(let body): body.write(to: &writer, version: version)
        case .apiVersions(let body): body.write(to: &writer, version: version)
        case .createTopics(let body): body.write(to: &writer, version: version)
        case .deleteTopics(let body): body.write(to: &writer, version: version)
        case .deleteRecords(let body): body.write(to: &writer, version: version)
        case .initProducerId(let body): body.write(to: &writer, version: version)
        case .offsetForLeaderEpoch(let body): body.write(to: &writer, version: version)
        case .addPartitionsToTxn(let body): body.write(to: &writer, version: version)
        case .addOffsetsToTxn(let body): body.write(to: &writer, version: version)
        case .endTxn(let body): body.write(to: &writer, version: version)
        case .writeTxnMarkers(let body): body.write(to: &writer, version: version)
        case .txnOffsetCommit(let body): body.write(to: &writer, version: version)
        case .describeProducers(let body): body.write(to: &writer, version: version)
        case .describeTransactions(let body): body.write(to: &writer, version: version)
        case .listTransactions(let body): body.write(to: &writer, version: version)
        case .describeConfigs(let body): body.write(to: &writer, version: version)
        case .createPartitions(let body): body.write(to: &writer, version: version)
        case .deleteGroups(let body): body.write(to: &writer, version: version)
        case .incrementalAlterConfigs(let body): body.write(to: &writer, version: version)
        case .saslHandshake(let body): body.write(to: &writer, version: version)
        case .describeAcls(let body): body.write(to: &writer, version: version)
        case .createAcls(let body): body.write(to: &writer, version: version)
        case .deleteAcls(let body): body.write(to: &writer, version: version)
        case .saslAuthenticate(let body): body.write(to: &writer, version: version)
        case .describeClientQuotas(let body): body.write(to: &writer, version: version)
        case .alterClientQuotas(let body): body.write(to: &writer, version: version)
        case .describeUserScramCredentials(let body): body.write(to: &writer, version: version)
        case .alterUserScramCredentials(let body): body.write(to: &writer, version: version)
        case .offsetDelete(let body): body.write(to: &writer, version: version)
        case .describeCluster(let body): body.write(to: &writer, version: version)
        case .alterConfigs(let body): body.write(to: &writer, version: version)
        case .alterReplicaLogDirs(let body): body.write(to: &writer, version: version)
        case .describeLogDirs(let body): body.write(to: &writer, version: version)
        case .electLeaders(let body): body.write(to: &writer, version: version)
        case .alterPartitionReassignments(let body): body.write(to: &writer, version: version)
        case .listPartitionReassignments(let body): body.write(to: &writer, version: version)
        case .describeQuorum(let body): body.write(to: &writer, version: version)
        case .updateFeatures(let body): body.write(to: &writer, version: version)
        case .unregisterBroker(let body): body.write(to: &writer, version: version)
        case .listConfigResources(let body): body.write(to: &writer, version: version)
        case .describeTopicPartitions(let body): body.write(to: &writer, version: version)
        case .consumerGroupHeartbeat(let body): body.write(to: &writer, version: version)
        case .consumerGroupDescribe(let body): body.write(to: &writer, version: version)
        case .shareGroupHeartbeat(let body): body.write(to: &writer, version: version)
        case .shareGroupDescribe(let body): body.write(to: &writer, version: version)
        case .shareFetch(let body): body.write(to: &writer, version: version)
        case .shareAcknowledge(let body): body.write(to: &writer, version: version)
        case .describeShareGroupOffsets(let body): body.write(to: &writer, version: version)
        case .alterShareGroupOffsets(let body): body.write(to: &writer, version: version)
        case .deleteShareGroupOffsets(let body): body.write(to: &writer, version: version)
        }
    }
}
