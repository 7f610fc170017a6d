import WireProtocol

extension BrokerNode {
    /// Replaces all settings of resources. Each succeeds or fails as a whole.
    mutating func alterConfigs(_ request: AlterConfigsRequest, _ context: RequestContext) {
        let resources = request.resources.map { resource in
            ResourceAlteration(
                type: resource.resourceType, name: resource.resourceName,
                alterations: resource.configs.map {
                    SettingAlteration(
                        name: $0.name, operation: SettingAlteration.Operation.set.rawValue,
                        value: $0.value)
                })
        }
        alter(resources, replaces: true, validateOnly: request.validateOnly, context) { answers in
            var response = AlterConfigsResponse()
            response.responses = answers.map {
                .init(
                    errorCode: $0.error, errorMessage: $0.message, resourceType: $0.type,
                    resourceName: $0.name)
            }
            return response
        }
    }
}
