import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// The access rules that fit a filter, by resource.
    mutating func describeAcls(_ request: DescribeAclsRequest, _ context: RequestContext) {
        if let refusal = aclRefusal(context, .describe) {
            return answer(
                context,
                DescribeAclsResponse(errorCode: refusal.error, errorMessage: refusal.message))
        }
        guard
            let filter = AclFilter(
                resourceType: request.resourceTypeFilter, patternType: request.patternTypeFilter,
                resourceName: request.resourceNameFilter, principal: request.principalFilter,
                host: request.hostFilter, operation: request.operation,
                permission: request.permissionType)
        else {
            return answer(
                context,
                DescribeAclsResponse(
                    errorCode: .invalidRequest,
                    errorMessage: "the filter has an element that is not known"))
        }
        var response = DescribeAclsResponse()
        for binding in image.acls.bindings where filter.fits(binding) {
            let last = response.resources.last
            if last?.resourceName != binding.resourceName
                || last?.resourceType != binding.resourceType.rawValue
                || last?.patternType != binding.patternType.rawValue
            {
                response.resources.append(
                    .init(
                        resourceType: binding.resourceType.rawValue,
                        resourceName: binding.resourceName,
                        patternType: binding.patternType.rawValue))
            }
            response.resources[response.resources.count - 1].acls.append(
                .init(
                    principal: binding.principal, host: binding.host,
                    operation: binding.operation.rawValue,
                    permissionType: binding.permission.rawValue))
        }
        answer(context, response)
    }

    struct AclRefusal: Error {
        var error: ErrorCode
        var message: String
    }

    /// Why requests about access rules are refused as a whole; nil when they are not.
    func aclRefusal(_ context: RequestContext, _ operation: AclOperation) -> AclRefusal? {
        guard configuration.authorizer != nil else {
            return AclRefusal(
                error: .securityDisabled,
                message: "no access control is configured: set authorizer.class.name")
        }
        guard authorizeCluster(context, operation) else {
            return AclRefusal(
                error: .clusterAuthorizationFailed,
                message: "\(context.principal.text) may not \(operation) the cluster")
        }
        return nil
    }
}

extension AclFilter {
    /// nil when one of the numbers is not known.
    init?(
        resourceType: Int8, patternType: Int8, resourceName: String?, principal: String?,
        host: String?, operation: Int8, permission: Int8
    ) {
        guard let resourceType = ResourceType(rawValue: resourceType), resourceType != .unknown,
            let patternType = PatternType(rawValue: patternType), patternType != .unknown,
            let operation = AclOperation(rawValue: operation), operation != .unknown,
            let permission = AclPermission(rawValue: permission), permission != .unknown
        else { return nil }
        self.init(
            resourceType: resourceType, patternType: patternType, resourceName: resourceName,
            principal: principal, host: host, operation: operation, permission: permission)
    }
}
