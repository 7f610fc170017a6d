import Base
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Adds access rules. Each is checked on its own; those that pass are added together.
    mutating func createAcls(_ request: CreateAclsRequest, _ context: RequestContext) {
        var response = CreateAclsResponse()
        if let refusal = aclRefusal(context, .alter) {
            response.results = request.creations.map { _ in
                .init(errorCode: refusal.error, errorMessage: refusal.message)
            }
            return answer(context, response)
        }
        var records: [MetadataRecord] = []
        var added: Set<AclBinding> = []
        for creation in request.creations {
            switch Self.binding(creation) {
            case .success(let binding):
                let isNew = !draft.acls.contains(binding) && !added.contains(binding)
                if isNew, draft.acls.count + records.count >= Limits.accessRules {
                    response.results.append(
                        .init(
                            errorCode: .policyViolation,
                            errorMessage: "there are \(Limits.accessRules) rules already"))
                    continue
                }
                if isNew {
                    records.append(.acl(binding))
                    added.insert(binding)
                }
                response.results.append(.init())
            case .failure(let refusal):
                response.results.append(
                    .init(errorCode: refusal.error, errorMessage: refusal.message))
            }
        }
        answerAfterChange(records, response, context) { response, error, message in
            for place in response.results.indices
            where response.results[place].errorCode == .none {
                response.results[place] = .init(errorCode: error, errorMessage: message)
            }
        }
    }

    private static func binding(
        _ creation: CreateAclsRequest.AclCreation
    ) -> Result<AclBinding, AclRefusal> {
        func refuse(_ message: String) -> Result<AclBinding, AclRefusal> {
            .failure(AclRefusal(error: .invalidRequest, message: message))
        }
        guard let type = ResourceType(rawValue: creation.resourceType), type.rawValue > 1 else {
            return refuse("resource type \(creation.resourceType) is not known")
        }
        guard let pattern = PatternType(rawValue: creation.resourcePatternType),
            pattern == .literal || pattern == .prefixed
        else { return refuse("a rule's pattern is literal or prefixed") }
        guard let operation = AclOperation(rawValue: creation.operation),
            operation == .all || AclOperation.supported(by: type).contains(operation)
        else { return refuse("operation \(creation.operation) does not fit the resource") }
        guard let permission = AclPermission(rawValue: creation.permissionType),
            permission.rawValue > 1
        else { return refuse("a rule allows or denies") }
        guard Principal(parsing: creation.principal) != nil else {
            return refuse("\"\(creation.principal)\" is not a principal: expected User:name")
        }
        if creation.resourceName.isEmpty { return refuse("the name of a resource is empty") }
        if creation.host.isEmpty { return refuse("the host is empty; * is every host") }
        let parts = [creation.resourceName, creation.principal, creation.host]
        if parts.contains(where: { $0.utf8.count > Limits.accessRuleTextBytes }) {
            return refuse("a name has at most \(Limits.accessRuleTextBytes) bytes")
        }
        if type == .cluster, creation.resourceName != ResourceType.clusterName {
            return refuse("the one cluster is named \(ResourceType.clusterName)")
        }
        return .success(
            AclBinding(
                type, creation.resourceName, patternType: pattern, principal: creation.principal,
                host: creation.host, operation: operation, permission: permission))
    }

    /// Makes a change of the metadata and answers when it is durable; `fail` writes into the
    /// answer that it could not be made. Without records the answer leaves at once.
    mutating func answerAfterChange<Response: WireResponse>(
        _ records: [MetadataRecord], _ response: Response, _ context: RequestContext,
        fail: (inout Response, ErrorCode, String) -> Void
    ) {
        if records.isEmpty { return answer(context, response) }
        let frame = response.frame(version: context.version, correlationId: context.correlationId)
        guard let failure = change(records, .answer(context.key, frame: frame)) else { return }
        var response = response
        fail(&response, error(failure), failure.description)
        answer(context, response)
    }
}
