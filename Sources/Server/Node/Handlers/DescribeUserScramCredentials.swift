import Base
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Who has which credentials; never what is in them.
    mutating func describeUserScramCredentials(
        _ request: DescribeUserScramCredentialsRequest, _ context: RequestContext
    ) {
        var response = DescribeUserScramCredentialsResponse()
        guard authorizeCluster(context, .describe) else {
            response.errorCode = .clusterAuthorizationFailed
            response.errorMessage = "\(context.principal.text) may not describe the cluster"
            response.results = (request.users ?? []).map {
                .init(
                    user: $0.name, errorCode: .clusterAuthorizationFailed,
                    errorMessage: response.errorMessage)
            }
            return answer(context, response)
        }
        if let users = request.users, !users.isEmpty {
            let repeated = Repetitions(users.lazy.map(\.name))
            var seen: Set<String> = []
            for user in users where seen.insert(user.name).inserted {
                response.results.append(
                    result(of: user.name, isRepeated: repeated.contains(user.name)))
            }
        } else {
            for (key, credential) in image.credentials {
                if response.results.last?.user != key.user {
                    response.results.append(.init(user: key.user))
                }
                response.results[response.results.count - 1].credentialInfos.append(
                    .init(mechanism: key.mechanism.rawValue, iterations: credential.iterations))
            }
        }
        answer(context, response)
    }

    private func result(
        of user: String, isRepeated: Bool
    ) -> DescribeUserScramCredentialsResponse.DescribeUserScramCredentialsResult {
        if isRepeated {
            return .init(
                user: user, errorCode: .duplicateResource,
                errorMessage: "the request names \(user) twice")
        }
        let infos = ScramMechanism.allCases.compactMap { mechanism in
            image.credentials[ScramCredentialKey(user: user, mechanism: mechanism)].map {
                DescribeUserScramCredentialsResponse.DescribeUserScramCredentialsResult
                    .CredentialInfo(mechanism: mechanism.rawValue, iterations: $0.iterations)
            }
        }
        if infos.isEmpty {
            return .init(
                user: user, errorCode: .resourceNotFound,
                errorMessage: "\(user) has no credentials")
        }
        return .init(user: user, credentialInfos: infos)
    }
}
