// Access rules: who may do what with which resource.

import Base
import WireProtocol

/// What a rule is about. The raw values are the published names.
public enum AccessResource: String, Hashable, Sendable, CaseIterable {
    case topic, group, cluster, transactionalId, delegationToken, user

    var number: Int8 {
        switch self {
        case .topic: 2
        case .group: 3
        case .cluster: 4
        case .transactionalId: 5
        case .delegationToken: 6
        case .user: 7
        }
    }

    init?(number: Int8) {
        guard let found = Self.allCases.first(where: { $0.number == number }) else { return nil }
        self = found
    }
}

/// What somebody may do. The raw values are the published names.
public enum AccessOperation: String, Hashable, Sendable, CaseIterable {
    case all, read, write, create, delete, alter, describe, clusterAction, describeConfigs
    case alterConfigs, idempotentWrite, createTokens, describeTokens, twoPhaseCommit

    // The published numbers begin at 2, in this order.
    var number: Int8 { Int8(2 + (Self.allCases.firstIndex(of: self) ?? 0)) }

    init?(number: Int8) {
        guard Self.allCases.indices.contains(Int(number) - 2) else { return nil }
        self = Self.allCases[Int(number) - 2]
    }
}

/// One rule.
public struct AccessRule: Hashable, Sendable {
    public var resource: AccessResource
    /// `*` with a literal name means every resource of the kind.
    public var name: String
    /// Whether the name is the begin of many names.
    public var isPrefix: Bool
    /// For example `User:alice`; `User:*` is everybody.
    public var principal: String
    /// An address, or `*`.
    public var host: String
    public var operation: AccessOperation
    /// A rule that denies wins over those that allow.
    public var isAllowed: Bool

    public init(
        _ resource: AccessResource, _ name: String, isPrefix: Bool = false, principal: String,
        host: String = "*", operation: AccessOperation, isAllowed: Bool = true
    ) {
        self.resource = resource
        self.name = name
        self.isPrefix = isPrefix
        self.principal = principal
        self.host = host
        self.operation = operation
        self.isAllowed = isAllowed
    }
}

/// Which rules are meant; nil = any.
public struct AccessFilter: Hashable, Sendable {
    public var resource: AccessResource?
    public var name: String?
    /// With `name`: only rules of this very name (false), of this prefix (true), or of both kinds.
    public var isPrefix: Bool?
    public var principal: String?
    public var host: String?
    public var operation: AccessOperation?
    public var isAllowed: Bool?

    public init(
        resource: AccessResource? = nil, name: String? = nil, isPrefix: Bool? = nil,
        principal: String? = nil, host: String? = nil, operation: AccessOperation? = nil,
        isAllowed: Bool? = nil
    ) {
        self.resource = resource
        self.name = name
        self.isPrefix = isPrefix
        self.principal = principal
        self.host = host
        self.operation = operation
        self.isAllowed = isAllowed
    }

    var patternNumber: Int8 { isPrefix.map { $0 ? 4 : 3 } ?? 1 }
    var permissionNumber: Int8 { isAllowed.map { $0 ? 3 : 2 } ?? 1 }
}

extension Admin {
    /// The rules that the filter means, in a stable order.
    public func listAccessRules(
        _ filter: AccessFilter = AccessFilter()
    ) throws(ClientFailure) -> [AccessRule] {
        var request = DescribeAclsRequest()
        request.resourceTypeFilter = filter.resource?.number ?? 1
        request.resourceNameFilter = filter.name
        request.patternTypeFilter = filter.patternNumber
        request.principalFilter = filter.principal
        request.hostFilter = filter.host
        request.operation = filter.operation?.number ?? 1
        request.permissionType = filter.permissionNumber
        let whole = request
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(whole)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "list access rules", detail: response.errorMessage)
            }
            return response.resources.flatMap { resource in
                resource.acls.compactMap { acl in
                    AccessRule(
                        resource.resourceType, resource.resourceName, resource.patternType,
                        acl.principal, acl.host, acl.operation, acl.permissionType)
                }
            }.sorted(by: AccessRule.areOrdered)
        }
    }

    /// Adds rules. The result has what became of each, in their order; nil = it holds now.
    public func createAccessRules(
        _ rules: [AccessRule]
    ) throws(ClientFailure) -> [ClientFailure?] {
        var request = CreateAclsRequest()
        request.creations = rules.map {
            .init(
                resourceType: $0.resource.number, resourceName: $0.name,
                resourcePatternType: $0.isPrefix ? 4 : 3, principal: $0.principal, host: $0.host,
                operation: $0.operation.number, permissionType: $0.isAllowed ? 3 : 2)
        }
        let whole = request
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(whole)
            guard response.results.count == rules.count else {
                throw ClientFailure("the broker answered for other rules than those asked for")
            }
            return response.results.map { result in
                result.errorCode == .none
                    ? nil
                    : ClientFailure(
                        result.errorCode, "create an access rule", detail: result.errorMessage)
            }
        }
    }

    /// Deletes the rules that the filter means, and returns them.
    public func deleteAccessRules(
        _ filter: AccessFilter
    ) throws(ClientFailure) -> [AccessRule] {
        var request = DeleteAclsRequest()
        request.filters = [
            .init(
                resourceTypeFilter: filter.resource?.number ?? 1, resourceNameFilter: filter.name,
                patternTypeFilter: filter.patternNumber, principalFilter: filter.principal,
                hostFilter: filter.host, operation: filter.operation?.number ?? 1,
                permissionType: filter.permissionNumber)
        ]
        let whole = request
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(whole)
            var deleted: [AccessRule] = []
            for result in response.filterResults {
                guard result.errorCode == .none else {
                    throw ClientFailure(
                        result.errorCode, "delete access rules", detail: result.errorMessage)
                }
                for acl in result.matchingAcls where acl.errorCode == .none {
                    if let rule = AccessRule(
                        acl.resourceType, acl.resourceName, acl.patternType, acl.principal,
                        acl.host, acl.operation, acl.permissionType)
                    {
                        deleted.append(rule)
                    }
                }
            }
            return deleted.sorted(by: AccessRule.areOrdered)
        }
    }
}

extension AccessRule {
    /// nil when one of the numbers means nothing to us.
    fileprivate init?(
        _ resource: Int8, _ name: String, _ pattern: Int8, _ principal: String, _ host: String,
        _ operation: Int8, _ permission: Int8
    ) {
        guard let resource = AccessResource(number: resource), pattern == 3 || pattern == 4,
            let operation = AccessOperation(number: operation), permission == 2 || permission == 3
        else { return nil }
        self.init(
            resource, name, isPrefix: pattern == 4, principal: principal, host: host,
            operation: operation, isAllowed: permission == 3)
    }

    fileprivate static func areOrdered(_ left: AccessRule, _ right: AccessRule) -> Bool {
        (left.resource.number, left.name, left.principal, left.host, left.operation.number)
            < (
                right.resource.number, right.name, right.principal, right.host,
                right.operation.number
            )
    }
}
