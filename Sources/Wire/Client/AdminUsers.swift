// Users with SCRAM passwords, and quotas of users and clients.

import Base
import CPlatform
import Crypto
import WireProtocol

/// How a user proves a password without sending it.
public enum ScramMechanism: String, Hashable, Sendable, CaseIterable {
    case sha256 = "SCRAM-SHA-256"
    case sha512 = "SCRAM-SHA-512"

    var number: Int8 { self == .sha256 ? 1 : 2 }
    var digest: Digest { self == .sha256 ? .sha256 : .sha512 }
}

/// A user with the mechanisms for which a password is stored.
public struct UserInfo: Hashable, Sendable {
    public struct Credential: Hashable, Sendable {
        public var mechanism: ScramMechanism
        public var iterations: Int32
    }
    public var name: String
    public var credentials: [Credential]
}

/// Whose quota it is; nil leaves a part out, an empty name means everybody without an own quota.
public struct QuotaOwner: Hashable, Sendable {
    public var user: String?
    public var clientId: String?
    public var ip: String?

    public init(user: String? = nil, clientId: String? = nil, ip: String? = nil) {
        self.user = user
        self.clientId = clientId
        self.ip = ip
    }

    fileprivate var parts: [(type: String, name: String?)] {
        var parts: [(type: String, name: String?)] = []
        for (type, name) in [("user", user), ("client-id", clientId), ("ip", ip)] {
            if let name { parts.append((type, name.isEmpty ? nil : name)) }
        }
        return parts
    }
}

/// Quotas of one owner, by their published names, for example `producer_byte_rate`.
public struct QuotaInfo: Hashable, Sendable {
    public var owner: QuotaOwner
    public var values: [String: Double]
}

extension Admin {
    /// Users with a stored password, by name; with `names`, only these.
    public func listUsers(_ names: [String]? = nil) throws(ClientFailure) -> [UserInfo] {
        var request = DescribeUserScramCredentialsRequest()
        request.users = names.map { $0.map { .init(name: $0) } }
        let whole = request
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(whole)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "list users", detail: response.errorMessage)
            }
            var users: [UserInfo] = []
            for result in response.results {
                guard result.errorCode == .none else {
                    throw ClientFailure(
                        result.errorCode, "describe user '\(result.user)'",
                        detail: result.errorMessage)
                }
                let credentials = result.credentialInfos.compactMap { info in
                    ScramMechanism.allCases.first { $0.number == info.mechanism }.map {
                        UserInfo.Credential(mechanism: $0, iterations: info.iterations)
                    }
                }
                users.append(UserInfo(name: result.user, credentials: credentials))
            }
            return users.sorted { $0.name < $1.name }
        }
    }

    /// Gives a user a password. It does not leave this process: what is sent is derived from it.
    public func setPassword(
        _ password: String, ofUser user: String, mechanism: ScramMechanism,
        iterations: Int32 = 8192
    ) throws(ClientFailure) {
        guard (4096...16_384).contains(iterations) else {
            throw ClientFailure("iterations must be from 4096 to 16384, not \(iterations)")
        }
        let salt = Bytes(count: 32) { buffer in
            let code = weir_random_bytes(buffer.baseAddress, buffer.count)
            precondition(code == 0, "the system gives random bytes")
        }
        let salted = mechanism.digest.derive(
            password: Bytes(utf8: password), salt: salt, iterations: iterations)
        var request = AlterUserScramCredentialsRequest()
        request.upsertions = [
            .init(
                name: user, mechanism: mechanism.number, iterations: iterations, salt: salt,
                saltedPassword: salted)
        ]
        try alter(request, "set the password of user '\(user)'")
    }

    /// Takes a user's password for one mechanism away.
    public func deleteUser(
        _ user: String, mechanism: ScramMechanism
    ) throws(ClientFailure) {
        var request = AlterUserScramCredentialsRequest()
        request.deletions = [.init(name: user, mechanism: mechanism.number)]
        try alter(request, "delete \(mechanism.rawValue) of user '\(user)'")
    }

    private func alter(
        _ request: AlterUserScramCredentialsRequest, _ what: String
    ) throws(ClientFailure) {
        try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(request)
            for result in response.results where result.errorCode != .none {
                throw ClientFailure(result.errorCode, what, detail: result.errorMessage)
            }
        }
    }

    /// Every quota.
    public func listQuotas() throws(ClientFailure) -> [QuotaInfo] {
        let request = DescribeClientQuotasRequest()
        return try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(request)
            guard response.errorCode == .none else {
                throw ClientFailure(
                    response.errorCode, "list quotas", detail: response.errorMessage)
            }
            return (response.entries ?? []).map { entry in
                var owner = QuotaOwner()
                for part in entry.entity {
                    switch part.entityType {
                    case "user": owner.user = part.entityName ?? ""
                    case "client-id": owner.clientId = part.entityName ?? ""
                    case "ip": owner.ip = part.entityName ?? ""
                    default: break
                    }
                }
                var values: [String: Double] = [:]
                for value in entry.values { values[value.key] = value.value }
                return QuotaInfo(owner: owner, values: values)
            }
        }
    }

    /// Sets quotas of one owner; nil takes one away.
    public func setQuotas(
        of owner: QuotaOwner, _ values: [String: Double?], validateOnly: Bool = false
    ) throws(ClientFailure) {
        var request = AlterClientQuotasRequest()
        request.validateOnly = validateOnly
        request.entries = [
            .init(
                entity: owner.parts.map { .init(entityType: $0.type, entityName: $0.name) },
                ops: values.sorted { $0.key < $1.key }.map {
                    .init(key: $0.key, value: $0.value ?? 0, remove: $0.value == nil)
                })
        ]
        let whole = request
        try patiently { () throws(ClientFailure) in
            let response = try cluster.controllerConnection().call(whole)
            for entry in response.entries where entry.errorCode != .none {
                throw ClientFailure(entry.errorCode, "set quotas", detail: entry.errorMessage)
            }
        }
    }
}
