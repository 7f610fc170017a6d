// The words of access rules, with their published numbers and names.

/// What a rule is about.
package enum ResourceType: Int8, CaseIterable, Hashable, Sendable {
    case unknown = 0
    /// In filters only.
    case any = 1
    case topic = 2
    case group = 3
    case cluster = 4
    case transactionalId = 5
    case delegationToken = 6
    case user = 7

    /// The one resource of type `cluster`.
    package static let clusterName = "kafka-cluster"
}

/// How the name of a resource is meant.
package enum PatternType: Int8, CaseIterable, Hashable, Sendable {
    case unknown = 0
    /// In filters only: both kinds.
    case any = 1
    /// In filters only: whatever applies to a resource of the name.
    case match = 2
    case literal = 3
    case prefixed = 4
}

/// What somebody may do with a resource.
package enum AclOperation: Int8, CaseIterable, Hashable, Sendable {
    case unknown = 0
    /// In filters only.
    case any = 1
    case all = 2
    case read = 3
    case write = 4
    case create = 5
    case delete = 6
    case alter = 7
    case describe = 8
    case clusterAction = 9
    case describeConfigs = 10
    case alterConfigs = 11
    case idempotentWrite = 12
    case createTokens = 13
    case describeTokens = 14
    case twoPhaseCommit = 15

    /// The operations that make sense for resources of `type`, in order of their numbers.
    package static func supported(by type: ResourceType) -> [AclOperation] {
        switch type {
        case .topic:
            [.read, .write, .create, .delete, .alter, .describe, .describeConfigs, .alterConfigs]
        case .group: [.read, .delete, .describe, .describeConfigs, .alterConfigs]
        case .cluster:
            [
                .create, .alter, .describe, .clusterAction, .describeConfigs, .alterConfigs,
                .idempotentWrite,
            ]
        case .transactionalId: [.write, .describe, .twoPhaseCommit]
        case .delegationToken: [.describe]
        case .user: [.createTokens, .describeTokens]
        case .unknown, .any: []
        }
    }

    /// The operations whose permission includes this one.
    package var impliedBy: [AclOperation] {
        switch self {
        case .describe: [.read, .write, .delete, .alter]
        case .describeConfigs: [.alterConfigs]
        default: []
        }
    }
}

/// Whether a rule gives or takes.
package enum AclPermission: Int8, CaseIterable, Hashable, Sendable {
    case unknown = 0
    /// In filters only.
    case any = 1
    case deny = 2
    case allow = 3
}
