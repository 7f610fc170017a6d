import WireProtocol

extension BrokerNode {
    /// Changes single settings of resources. Each resource succeeds or fails as a whole.
    mutating func incrementalAlterConfigs(
        _ request: IncrementalAlterConfigsRequest, _ context: RequestContext
    ) {
        let resources = request.resources.map { resource in
            ResourceAlteration(
                type: resource.resourceType, name: resource.resourceName,
                alterations: resource.configs.map {
                    SettingAlteration(
                        name: $0.name, operation: $0.configOperation, value: $0.value)
                })
        }
        alter(resources, replaces: false, validateOnly: request.validateOnly, context) { answers in
            var response = IncrementalAlterConfigsResponse()
            response.responses = answers.map {
                .init(
                    errorCode: $0.error, errorMessage: $0.message, resourceType: $0.type,
                    resourceName: $0.name)
            }
            return response
        }
    }
}
