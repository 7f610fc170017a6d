import WireProtocol

extension BrokerNode {
    /// Every feature is at the level of this version; a request for that level changes nothing and
    /// succeeds, any other is refused. From version 2 on one error stands for all.
    mutating func updateFeatures(_ request: UpdateFeaturesRequest, _ context: RequestContext) {
        var response = UpdateFeaturesResponse()
        var seen: Set<String> = []
        for update in request.featureUpdates {
            var (error, message) = check(update)
            if !seen.insert(update.feature).inserted {
                (error, message) = (.invalidRequest, "the request names the feature twice")
            }
            response.results.append(
                .init(feature: update.feature, errorCode: error, errorMessage: message))
            if error != .none, response.errorCode == .none, context.version >= 2 {
                response.errorCode = error
                response.errorMessage = message.map { "\(update.feature): \($0)" }
            }
        }
        if request.featureUpdates.isEmpty {
            response.errorCode = .invalidRequest
            response.errorMessage = "the request names no feature"
        }
        answer(context, response)
    }

    private func check(
        _ update: UpdateFeaturesRequest.FeatureUpdateKey
    ) -> (ErrorCode, String?) {
        guard let feature = ClusterFeature.all.first(where: { $0.name == update.feature }) else {
            return (.invalidUpdateVersion, "this broker has no such feature")
        }
        let level = update.maxVersionLevel
        if level == feature.level { return (.none, nil) }
        return (
            .invalidUpdateVersion,
            "level \(level) asked for; it is \(feature.level) and can't be changed"
        )
    }
}
