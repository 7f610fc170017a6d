// What a request is allowed to do. Handlers ask `authorize` before they look at anything, so that
// an answer does not tell who may not know what exists.

import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Whether the client of `context` may do `operation` with a resource. Always true when no
    /// access control is configured.
    func authorize(
        _ context: RequestContext, _ operation: AclOperation, _ type: ResourceType, _ name: String
    ) -> Bool {
        guard let authorizer = configuration.authorizer else { return true }
        return authorizer.allows(
            context.principal, at: context.host, operation, type, name, by: image.acls)
    }

    /// The same for the cluster as a whole.
    func authorizeCluster(_ context: RequestContext, _ operation: AclOperation) -> Bool {
        authorize(context, operation, .cluster, ResourceType.clusterName)
    }

    /// Whether there is any resource of `type` with which the client may do `operation`.
    func authorizeSome(
        _ context: RequestContext, _ operation: AclOperation, _ type: ResourceType
    ) -> Bool {
        guard let authorizer = configuration.authorizer else { return true }
        return authorizer.allowsSome(
            context.principal, at: context.host, operation, type, by: image.acls)
    }

    /// What the client may do with a resource, as the bit set of "authorized operations" fields.
    func authorizedOperations(
        _ context: RequestContext, _ type: ResourceType, _ name: String
    ) -> Int32 {
        var bits: Int32 = 0
        for operation in AclOperation.supported(by: type)
        where authorize(context, operation, type, name) {
            bits |= 1 << Int32(operation.rawValue)
        }
        return bits
    }

    /// What the client may do with the cluster.
    func authorizedClusterOperations(_ context: RequestContext) -> Int32 {
        authorizedOperations(context, .cluster, ResourceType.clusterName)
    }
}
