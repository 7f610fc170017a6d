import Base
import Crypto
import Node
import Quorum
import Security
import Testing
import WireProtocol

extension NodeHarness {
    /// A node with a plain listener for certificates and a SASL listener; `admin` may do everything.
    static func secured(
        _ change: (inout NodeConfiguration) -> Void = { _ in }
    ) throws -> NodeHarness {
        try NodeHarness { configuration in
            configuration.listeners = [
                ListenerSettings(
                    name: "INTERNAL", securityProtocol: .ssl, advertisedHost: "inside",
                    advertisedPort: 9093),
                ListenerSettings(
                    name: "CLIENT", securityProtocol: .saslPlaintext, advertisedHost: "outside",
                    advertisedPort: 9094, mechanisms: SaslMechanism.allCases),
            ]
            configuration.authorizer = Authorizer(superUsers: [Principal(user: "admin")])
            change(&configuration)
        }
    }

    /// A connection of somebody whose certificate says `user`.
    mutating func connect(as user: String) -> ConnectionID { connect(principal: user) }

    /// Like `call`, for `user`.
    mutating func call<Request: WireRequest>(
        _ body: Request, version: Int16, as user: String
    ) throws -> Request.Response {
        let id = connect(as: user)
        let response = try call(body, version: version, on: id)
        send(.connectionClosed(id))
        return response
    }

    /// Adds a rule as the administrator.
    mutating func allow(
        _ user: String, _ operation: AclOperation, _ type: ResourceType, _ name: String,
        pattern: PatternType = .literal, permission: AclPermission = .allow
    ) throws {
        let response = try call(
            CreateAclsRequest(creations: [
                .init(
                    resourceType: type.rawValue, resourceName: name,
                    resourcePatternType: pattern.rawValue, principal: "User:\(user)", host: "*",
                    operation: operation.rawValue, permissionType: permission.rawValue)
            ]), version: 3, as: "admin")
        #expect(response.results.map(\.errorCode) == [.none])
    }

    /// Gives `user` a password, as the administrator.
    mutating func setPassword(
        of user: String, _ password: String, _ mechanism: ScramMechanism
    ) throws {
        let salt = Bytes(utf8: "salt of \(user)")
        let salted = mechanism.digest.derive(
            password: Bytes(utf8: password), salt: salt, iterations: 4096)
        let response = try call(
            AlterUserScramCredentialsRequest(upsertions: [
                .init(
                    name: user, mechanism: mechanism.rawValue, iterations: 4096, salt: salt,
                    saltedPassword: salted)
            ]), version: 0, as: "admin")
        #expect(response.results.map(\.errorCode) == [.none])
    }
}
