import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// The quotas of the entities that fit every component.
    mutating func describeClientQuotas(
        _ request: DescribeClientQuotasRequest, _ context: RequestContext
    ) {
        func refuse(_ error: ErrorCode, _ message: String) -> DescribeClientQuotasResponse {
            DescribeClientQuotasResponse(errorCode: error, errorMessage: message, entries: nil)
        }
        guard authorizeCluster(context, .describeConfigs) else {
            return answer(
                context,
                refuse(
                    .clusterAuthorizationFailed,
                    "\(context.principal.text) may not describe the configuration"))
        }
        var wanted: [String: DescribeClientQuotasRequest.ComponentData] = [:]
        for component in request.components {
            let type = component.entityType
            guard ["user", "client-id", "ip"].contains(type) else {
                let error: ErrorCode = type.isEmpty ? .invalidRequest : .unsupportedVersion
                return answer(context, refuse(error, "\"\(type)\" is no kind of entity"))
            }
            let isWellFormed =
                switch component.matchType {
                case 0: component.match != nil
                case 1, 2: component.match == nil
                default: false
                }
            guard isWellFormed else {
                return answer(context, refuse(.invalidRequest, "the match of \(type) is unclear"))
            }
            guard wanted.updateValue(component, forKey: type) == nil else {
                return answer(context, refuse(.invalidRequest, "\(type) is named twice"))
            }
        }
        if wanted["ip"] != nil, wanted.count > 1 {
            return answer(
                context, refuse(.invalidRequest, "ip can't be combined with other kinds"))
        }
        var response = DescribeClientQuotasResponse()
        // No quota is by address.
        if wanted["ip"] != nil { return answer(context, response) }
        var entries: [DescribeClientQuotasResponse.EntryData] = []
        for (entity, quotas) in image.quotas
        where Self.fits(entity.user, wanted["user"], isStrict: request.strict)
            && Self.fits(entity.clientID, wanted["client-id"], isStrict: request.strict)
        {
            entries.append(
                .init(
                    entity: Self.parts(of: entity).map {
                        .init(entityType: $0.type, entityName: $0.name)
                    }, values: quotas.map { .init(key: $0.key.name, value: $0.value) }))
        }
        response.entries = entries
        answer(context, response)
    }

    private static func fits(
        _ part: QuotaEntity.Part, _ component: DescribeClientQuotasRequest.ComponentData?,
        isStrict: Bool
    ) -> Bool {
        guard let component else { return !isStrict || part == .absent }
        switch component.matchType {
        case 0: return component.match.map { part == .named($0) } ?? false
        case 1: return part == .fallback
        default: return part.isPresent
        }
    }

    /// The parts of an entity as the protocol names them; a name of nil is the default.
    static func parts(of entity: QuotaEntity) -> [(type: String, name: String?)] {
        var parts: [(type: String, name: String?)] = []
        for (type, part) in [("user", entity.user), ("client-id", entity.clientID)] {
            switch part {
            case .absent: break
            case .fallback: parts.append((type, nil))
            case .named(let name): parts.append((type, name))
            }
        }
        return parts
    }
}
