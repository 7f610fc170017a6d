import Base

/// One access rule: who may (or may not) do what, from where, with which resource.
package struct AclBinding: Hashable, Sendable {
    package var resourceType: ResourceType
    package var patternType: PatternType
    package var resourceName: String
    /// `User:` and a name; `User:*` is everybody.
    package var principal: String
    /// An address; `*` is every address.
    package var host: String
    package var operation: AclOperation
    package var permission: AclPermission

    package init(
        _ resourceType: ResourceType, _ resourceName: String,
        patternType: PatternType = .literal, principal: String, host: String = "*",
        operation: AclOperation, permission: AclPermission = .allow
    ) {
        self.resourceType = resourceType
        self.patternType = patternType
        self.resourceName = resourceName
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission = permission
    }
}

extension AclBinding: Comparable {
    package static func < (left: AclBinding, right: AclBinding) -> Bool {
        if left.resourceType != right.resourceType {
            return left.resourceType.rawValue < right.resourceType.rawValue
        }
        if left.resourceName != right.resourceName { return left.resourceName < right.resourceName }
        if left.patternType != right.patternType {
            return left.patternType.rawValue < right.patternType.rawValue
        }
        if left.principal != right.principal { return left.principal < right.principal }
        if left.host != right.host { return left.host < right.host }
        if left.operation != right.operation {
            return left.operation.rawValue < right.operation.rawValue
        }
        return left.permission.rawValue < right.permission.rawValue
    }
}

/// Which rules are meant; nil = any.
package struct AclFilter: Equatable, Sendable {
    package var resourceType: ResourceType
    package var patternType: PatternType
    package var resourceName: String?
    package var principal: String?
    package var host: String?
    package var operation: AclOperation
    package var permission: AclPermission

    package init(
        resourceType: ResourceType = .any, patternType: PatternType = .any,
        resourceName: String? = nil, principal: String? = nil, host: String? = nil,
        operation: AclOperation = .any, permission: AclPermission = .any
    ) {
        self.resourceType = resourceType
        self.patternType = patternType
        self.resourceName = resourceName
        self.principal = principal
        self.host = host
        self.operation = operation
        self.permission = permission
    }

    package func fits(_ binding: AclBinding) -> Bool {
        (resourceType == .any || resourceType == binding.resourceType)
            && (principal == nil || principal == binding.principal)
            && (host == nil || host == binding.host)
            && (operation == .any || operation == binding.operation)
            && (permission == .any || permission == binding.permission)
            && fitsName(of: binding)
    }

    private func fitsName(of binding: AclBinding) -> Bool {
        switch patternType {
        case .any: return resourceName == nil || resourceName == binding.resourceName
        case .match:
            guard let resourceName else { return true }
            if binding.patternType == .prefixed {
                return resourceName.utf8.starts(with: binding.resourceName.utf8)
            }
            return binding.resourceName == resourceName
                || binding.resourceName == AclSet.wildcard
        default:
            return patternType == binding.patternType
                && (resourceName == nil || resourceName == binding.resourceName)
        }
    }
}
