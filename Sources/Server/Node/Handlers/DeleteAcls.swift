import Base
import Log
import Quorum
import WireProtocol

extension BrokerNode {
    /// Removes the access rules that fit one of the filters.
    mutating func deleteAcls(_ request: DeleteAclsRequest, _ context: RequestContext) {
        var response = DeleteAclsResponse()
        if let refusal = aclRefusal(context, .alter) {
            response.filterResults = request.filters.map { _ in
                .init(errorCode: refusal.error, errorMessage: refusal.message)
            }
            return answer(context, response)
        }
        // What one request names many times is told once more for each filter, within bounds.
        var budget = AnswerBudget(entries: configuration.answerEntriesMax)
        // Each filter is held against every rule.
        var comparisons = AnswerBudget(entries: 20_000_000)
        var removed: Set<AclBinding> = []
        var records: [MetadataRecord] = []
        for wanted in request.filters {
            let filter = AclFilter(
                resourceType: wanted.resourceTypeFilter, patternType: wanted.patternTypeFilter,
                resourceName: wanted.resourceNameFilter, principal: wanted.principalFilter,
                host: wanted.hostFilter, operation: wanted.operation,
                permission: wanted.permissionType)
            guard let filter else {
                response.filterResults.append(
                    .init(
                        errorCode: .invalidRequest,
                        errorMessage: "the filter has an element that is not known"))
                continue
            }
            let isAffordable = comparisons.take(entries: draft.acls.count)
            let fitting = isAffordable ? draft.acls.bindings.filter { filter.fits($0) } : []
            guard isAffordable, budget.take(entries: fitting.count + 1) else {
                response.filterResults.append(
                    .init(
                        errorCode: .invalidRequest,
                        errorMessage: "the answer would be too large: use fewer filters"))
                continue
            }
            for binding in fitting where removed.insert(binding).inserted {
                records.append(.aclRemoved(binding))
            }
            response.filterResults.append(.init(matchingAcls: fitting.map { Self.removal($0) }))
        }
        answerAfterChange(records, response, context) { response, error, message in
            for place in response.filterResults.indices {
                response.filterResults[place] = .init(errorCode: error, errorMessage: message)
            }
        }
    }

    private static func removal(
        _ binding: AclBinding
    ) -> DeleteAclsResponse.DeleteAclsFilterResult.DeleteAclsMatchingAcl {
        .init(
            resourceType: binding.resourceType.rawValue, resourceName: binding.resourceName,
            patternType: binding.patternType.rawValue, principal: binding.principal,
            host: binding.host, operation: binding.operation.rawValue,
            permissionType: binding.permission.rawValue)
    }
}
