import Base
import Log
import Quorum
import Security
import WireProtocol

extension BrokerNode {
    /// Sets and removes credentials. A user is changed as a whole or not at all, and only once in a
    /// request.
    mutating func alterUserScramCredentials(
        _ request: AlterUserScramCredentialsRequest, _ context: RequestContext
    ) {
        let users = Set(request.deletions.map(\.name) + request.upsertions.map(\.name)).sorted()
        /// For lookups only.
        var errors: [String: AclRefusal] = [:]
        var response = AlterUserScramCredentialsResponse()
        guard authorizeCluster(context, .alter) else {
            response.results = users.map {
                .init(
                    user: $0, errorCode: .clusterAuthorizationFailed,
                    errorMessage: "\(context.principal.text) may not alter the cluster")
            }
            return answer(context, response)
        }
        var named: Set<ScramCredentialKey> = []
        var records: [(user: String, record: MetadataRecord)] = []
        for deletion in request.deletions {
            guard let key = key(deletion.name, deletion.mechanism, &named, &errors) else {
                continue
            }
            if draft.credentials[key] == nil {
                errors[key.user] = AclRefusal(
                    error: .resourceNotFound,
                    message: "\(key.user) has no \(key.mechanism.name) credential")
            }
            records.append((key.user, .credentialRemoved(key)))
        }
        for upsertion in request.upsertions {
            guard let key = key(upsertion.name, upsertion.mechanism, &named, &errors) else {
                continue
            }
            if let complaint = Self.complaint(about: upsertion, key) {
                errors[key.user] = AclRefusal(error: .unacceptableCredential, message: complaint)
                continue
            }
            if draft.credentials[key] == nil, draft.credentials.count >= Limits.users {
                errors[key.user] = AclRefusal(
                    error: .policyViolation, message: "there are \(Limits.users) credentials")
            }
            let credential = Scram.credential(
                saltedPassword: upsertion.saltedPassword, salt: upsertion.salt.compacted(),
                iterations: upsertion.iterations, key.mechanism)
            records.append((key.user, .credential(key, credential)))
        }
        response.results = users.map { user in
            .init(
                user: user, errorCode: errors[user]?.error ?? .none,
                errorMessage: errors[user]?.message)
        }
        let accepted = records.filter { errors[$0.user] == nil }.map(\.record)
        answerAfterChange(accepted, response, context) { response, error, message in
            for place in response.results.indices
            where response.results[place].errorCode == .none {
                response.results[place].errorCode = error
                response.results[place].errorMessage = message
            }
        }
    }

    private func key(
        _ user: String, _ mechanism: Int8, _ named: inout Set<ScramCredentialKey>,
        _ errors: inout [String: AclRefusal]
    ) -> ScramCredentialKey? {
        if user.isEmpty || user.utf8.count > Limits.accessRuleTextBytes {
            errors[user] = AclRefusal(
                error: .unacceptableCredential, message: "a user's name has 1 to 1024 bytes")
            return nil
        }
        guard let mechanism = ScramMechanism(rawValue: mechanism) else {
            errors[user] = AclRefusal(
                error: .unsupportedSaslMechanism,
                message: "SCRAM mechanism \(mechanism) is not known")
            return nil
        }
        let key = ScramCredentialKey(user: user, mechanism: mechanism)
        guard named.insert(key).inserted else {
            errors[user] = AclRefusal(
                error: .duplicateResource, message: "the request names a credential twice")
            return nil
        }
        return key
    }

    private static func complaint(
        about upsertion: AlterUserScramCredentialsRequest.ScramCredentialUpsertion,
        _ key: ScramCredentialKey
    ) -> String? {
        let range = Scram.iterationsMin...Scram.iterationsMax
        if !range.contains(upsertion.iterations) {
            return "\(upsertion.iterations) iterations, allowed are \(range.lowerBound) to "
                + "\(range.upperBound)"
        }
        if upsertion.salt.isEmpty || upsertion.salt.count > 1024 {
            return "a salt has 1 to 1024 bytes"
        }
        if upsertion.saltedPassword.count != key.mechanism.digestBytes {
            return "a salted password of \(key.mechanism.name) has "
                + "\(key.mechanism.digestBytes) bytes"
        }
        return nil
    }
}
