import WireProtocol

extension BrokerNode {
    /// Which requests this broker serves. Nothing is finalized: transactions and the newer kinds of
    /// groups are not there yet, and clients then keep to what is.
    mutating func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) {
        if context.version >= 3, !request.isWellFormed {
            return answer(context, ApiVersionsResponse(errorCode: .invalidRequest))
        }
        answer(context, versions.response(version: context.version))
    }
}
