import Base
import Node
import Quorum
import Security
import Testing
import WireProtocol

@Suite struct AclRequestTests {
    @Test func `without access control the requests say so`() throws {
        var node = try NodeHarness()
        let described = try node.call(
            DescribeAclsRequest(
                resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1),
            version: 1)
        #expect(described.errorCode == .securityDisabled)
        let created = try node.call(CreateAclsRequest(creations: [.init()]), version: 2)
        #expect(created.results.map(\.errorCode) == [.securityDisabled])
        let deleted = try node.call(DeleteAclsRequest(filters: [.init()]), version: 3)
        #expect(deleted.filterResults.map(\.errorCode) == [.securityDisabled])
    }

    @Test func `rules are kept, listed by resource, and removed by filter`() throws {
        var node = try NodeHarness.secured()
        try node.allow("alice", .read, .topic, "orders")
        try node.allow("bob", .read, .topic, "orders")
        try node.allow("alice", .read, .topic, "ord", pattern: .prefixed)
        try node.allow("alice", .all, .group, "*")
        try node.restart()
        func describe(_ request: DescribeAclsRequest) throws -> [String] {
            let response = try node.call(request, version: 2, as: "admin")
            #expect(response.errorCode == .none)
            return response.resources.map {
                "\($0.resourceName) \($0.patternType) \($0.acls.count)"
            }
        }
        #expect(
            try describe(
                DescribeAclsRequest(
                    resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1))
                == ["ord 4 1", "orders 3 2", "* 3 1"])
        #expect(
            try describe(
                DescribeAclsRequest(
                    resourceTypeFilter: 2, resourceNameFilter: "orders2", patternTypeFilter: 2,
                    operation: 1, permissionType: 1)) == ["ord 4 1"])
        #expect(
            try describe(
                DescribeAclsRequest(
                    resourceTypeFilter: 2, resourceNameFilter: "orders", patternTypeFilter: 3,
                    principalFilter: "User:bob", operation: 3, permissionType: 3)) == ["orders 3 1"]
        )
        let removed = try node.call(
            DeleteAclsRequest(filters: [
                .init(
                    resourceTypeFilter: 1, patternTypeFilter: 1, principalFilter: "User:alice",
                    operation: 1, permissionType: 1),
                .init(resourceTypeFilter: 99, operation: 1, permissionType: 1),
            ]), version: 3, as: "admin")
        #expect(removed.filterResults.map(\.errorCode) == [.none, .invalidRequest])
        #expect(removed.filterResults[0].matchingAcls.count == 3)
        #expect(
            try describe(
                DescribeAclsRequest(
                    resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1))
                == ["orders 3 1"])
    }

    @Test func `a rule that makes no sense is refused alone`() throws {
        var node = try NodeHarness.secured()
        func rule(
            _ change: (inout CreateAclsRequest.AclCreation) -> Void
        ) -> CreateAclsRequest.AclCreation {
            var creation = CreateAclsRequest.AclCreation(
                resourceType: 2, resourceName: "t", principal: "User:a", host: "*", operation: 3,
                permissionType: 3)
            change(&creation)
            return creation
        }
        let wrong = [
            rule { $0.resourceType = 1 }, rule { $0.resourceType = 50 },
            rule { $0.resourceName = "" }, rule { $0.resourcePatternType = 2 },
            rule { $0.principal = "alice" }, rule { $0.principal = "User:" },
            rule { $0.principal = "" }, rule { $0.host = "" }, rule { $0.operation = 1 },
            rule { $0.operation = 12 }, rule { $0.operation = 99 }, rule { $0.permissionType = 1 },
            rule { $0.resourceType = 4 },
            rule { $0.resourceName = String(repeating: "x", count: 2000) },
        ]
        let response = try node.call(
            CreateAclsRequest(creations: wrong + [rule { _ in }, rule { _ in }]), version: 3,
            as: "admin")
        #expect(
            response.results.map(\.errorCode)
                == wrong.map { _ in ErrorCode.invalidRequest } + [.none, .none])
        let listed = try node.call(
            DescribeAclsRequest(
                resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1),
            version: 3, as: "admin")
        #expect(listed.resources.flatMap(\.acls).count == 1)
    }

    @Test func `only who may describe or alter the cluster sees or changes rules`() throws {
        var node = try NodeHarness.secured()
        let list = DescribeAclsRequest(
            resourceTypeFilter: 1, patternTypeFilter: 1, operation: 1, permissionType: 1)
        #expect(
            try node.call(list, version: 3, as: "eve").errorCode == .clusterAuthorizationFailed)
        #expect(
            try node.call(CreateAclsRequest(creations: [.init()]), version: 3, as: "eve").results
                .map(\.errorCode) == [.clusterAuthorizationFailed])
        #expect(
            try node.call(DeleteAclsRequest(filters: [.init()]), version: 3, as: "eve")
                .filterResults.map(\.errorCode) == [.clusterAuthorizationFailed])
        try node.allow("eve", .describe, .cluster, "kafka-cluster")
        #expect(try node.call(list, version: 3, as: "eve").errorCode == .none)
        #expect(
            try node.call(CreateAclsRequest(creations: [.init()]), version: 3, as: "eve").results
                .map(\.errorCode) == [.clusterAuthorizationFailed])
    }

    @Test func `topics without a rule are left out of lists and refused by name`() throws {
        var node = try NodeHarness.secured()
        let created = try node.call(
            CreateTopicsRequest(topics: [
                .init(name: "mine", numPartitions: 1, replicationFactor: 1),
                .init(name: "theirs", numPartitions: 1, replicationFactor: 1),
            ]), version: 7, as: "admin")
        #expect(created.topics.map(\.errorCode) == [.none, .none])
        try node.allow("alice", .write, .topic, "mine")
        let all = try node.call(MetadataRequest(topics: nil), version: 12, as: "alice")
        #expect(all.topics.map(\.name) == ["mine"])
        let named = try node.call(
            MetadataRequest(
                topics: [.init(name: "theirs"), .init(name: "mine"), .init(name: "new")],
                allowAutoTopicCreation: true, includeTopicAuthorizedOperations: true),
            version: 10, as: "alice")
        #expect(
            named.topics.map(\.errorCode)
                == [.topicAuthorizationFailed, .none, .topicAuthorizationFailed])
        #expect(named.topics[0].topicId == .zero)
        #expect(named.topics[0].partitions.isEmpty)
        // Write, and what it implies.
        #expect(named.topics[1].topicAuthorizedOperations == 1 << 4 | 1 << 8)
        let byID = try node.call(
            MetadataRequest(topics: [.init(topicId: created.topics[1].topicId)]), version: 12,
            as: "alice")
        #expect(byID.topics.map(\.errorCode) == [.topicAuthorizationFailed])
        #expect(byID.topics[0].name == nil)
        // Describe alone does not create.
        try node.allow("alice", .describe, .topic, "new")
        let uncreated = try node.call(
            MetadataRequest(topics: [.init(name: "new")], allowAutoTopicCreation: true),
            version: 10, as: "alice")
        #expect(uncreated.topics.map(\.errorCode) == [.topicAuthorizationFailed])
        try node.allow("alice", .create, .topic, "new")
        let made = try node.call(
            MetadataRequest(topics: [.init(name: "new")], allowAutoTopicCreation: true),
            version: 10, as: "alice")
        #expect(made.topics.map(\.errorCode) == [.none])
    }

    @Test func `a subscribed pattern finds what the member may describe`() throws {
        var node = try NodeHarness.secured()
        let created = try node.call(
            CreateTopicsRequest(topics: [
                .init(name: "pay.eu", numPartitions: 1, replicationFactor: 1),
                .init(name: "pay.us", numPartitions: 1, replicationFactor: 1),
            ]), version: 7, as: "admin")
        try node.allow("alice", .all, .group, "g")
        try node.allow("alice", .read, .topic, "pay.eu")
        let join = ConsumerGroupHeartbeatRequest(
            groupId: "g", memberId: "m", rebalanceTimeoutMs: 1000, subscribedTopicNames: [],
            subscribedTopicRegex: "pay.*", topicPartitions: [])
        let joined = try node.call(join, version: 1, as: "alice")
        #expect(joined.errorCode == .none)
        #expect(joined.assignment?.topicPartitions.map(\.topicId) == [created.topics[0].topicId])
        // Nobody learns names of topics from a group.
        try node.allow("bob", .describe, .group, "g")
        func describe(_ user: String) throws -> ConsumerGroupDescribeResponse.DescribedGroup {
            try node.call(
                ConsumerGroupDescribeRequest(groupIds: ["g"]), version: 1, as: user
            ).groups[0]
        }
        #expect(try describe("alice").members.count == 1)
        let refused = try describe("bob")
        #expect(refused.errorCode == .topicAuthorizationFailed)
        #expect(refused.members.isEmpty)
        try node.allow("bob", .describe, .topic, "pay.eu")
        #expect(try describe("bob").members.count == 1)
    }
}
