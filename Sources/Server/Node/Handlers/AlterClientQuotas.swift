import Base
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Sets and removes quotas. Each entity is changed as a whole or not at all.
    mutating func alterClientQuotas(
        _ request: AlterClientQuotasRequest, _ context: RequestContext
    ) {
        var response = AlterClientQuotasResponse()
        let isAllowed = authorizeCluster(context, .alterConfigs)
        var records: [MetadataRecord] = []
        var named: Set<QuotaEntity> = []
        var newEntities = 0
        for entry in request.entries {
            var result = AlterClientQuotasResponse.EntryData(
                entity: entry.entity.map {
                    .init(entityType: $0.entityType, entityName: $0.entityName)
                })
            do throws(QuotaRefusal) {
                guard isAllowed else {
                    throw QuotaRefusal(
                        error: .clusterAuthorizationFailed,
                        message: "\(context.principal.text) may not alter the configuration")
                }
                let entity = try Self.entity(entry.entity)
                guard named.insert(entity).inserted else {
                    throw QuotaRefusal(
                        error: .invalidRequest, message: "the request names the entity twice")
                }
                let values = try changed(draft.quotas[entity] ?? [:], entry.ops)
                if draft.quotas[entity] == nil { newEntities += 1 }
                if draft.quotas.count + newEntities > Limits.users {
                    throw QuotaRefusal(
                        error: .policyViolation,
                        message: "\(Limits.users) entities have quotas already")
                }
                records.append(.quotas(entity, values))
            } catch {
                result.errorCode = error.error
                result.errorMessage = error.message
            }
            response.entries.append(result)
        }
        if request.validateOnly { return answer(context, response) }
        answerAfterChange(records, response, context) { response, error, message in
            for place in response.entries.indices
            where response.entries[place].errorCode == .none {
                response.entries[place].errorCode = error
                response.entries[place].errorMessage = message
            }
        }
    }

    private struct QuotaRefusal: Error {
        var error: ErrorCode
        var message: String
    }

    private static func entity(
        _ parts: [AlterClientQuotasRequest.EntryData.EntityData]
    ) throws(QuotaRefusal) -> QuotaEntity {
        func refuse(_ message: String) -> QuotaRefusal {
            QuotaRefusal(error: .invalidRequest, message: message)
        }
        var entity = QuotaEntity()
        for part in parts {
            let value: QuotaEntity.Part = part.entityName.map { .named($0) } ?? .fallback
            if let name = part.entityName,
                name.isEmpty || name.utf8.count > Limits.accessRuleTextBytes
            {
                throw refuse("the name of an entity has 1 to 1024 bytes")
            }
            switch part.entityType {
            case "user" where entity.user == .absent: entity.user = value
            case "client-id" where entity.clientID == .absent: entity.clientID = value
            case "user", "client-id": throw refuse("\(part.entityType) is named twice")
            case "ip": throw refuse("quotas by address are not supported")
            default: throw refuse("\"\(part.entityType)\" is no kind of entity")
            }
        }
        if entity == QuotaEntity() { throw refuse("the entity has no part") }
        return entity
    }

    private func changed(
        _ values: OrderedMap<QuotaKind, Double>,
        _ operations: [AlterClientQuotasRequest.EntryData.OpData]
    ) throws(QuotaRefusal) -> OrderedMap<QuotaKind, Double> {
        var values = values
        for operation in operations {
            guard let kind = QuotaKind(name: operation.key) else {
                throw QuotaRefusal(
                    error: .invalidRequest, message: "there is no quota \"\(operation.key)\"")
            }
            if operation.remove {
                values[kind] = nil
                continue
            }
            let value = operation.value
            let isWhole =
                kind == .requestPercentage || kind == .controllerMutationRate
                || value.rounded() == value
            guard value.isFinite, value > 0, isWhole else {
                throw QuotaRefusal(
                    error: .invalidRequest,
                    message: "\(kind.name) is a positive number, not \(value)")
            }
            values[kind] = value
        }
        return values
    }
}
