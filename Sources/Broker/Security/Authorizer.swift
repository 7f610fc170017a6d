import Base
import Quorum

/// Decides who may do what. Rules come from the metadata; what stands here was set at the start.
package struct Authorizer: Sendable {
    /// `super.users`: may do everything.
    package var superUsers: Set<Principal>
    /// `allow.everyone.if.no.acl.found`
    package var allowsWithoutRules: Bool

    package init(superUsers: Set<Principal> = [], allowsWithoutRules: Bool = false) {
        self.superUsers = superUsers
        self.allowsWithoutRules = allowsWithoutRules
    }

    /// Whether `principal` at `host` may do `operation`.
    package func allows(
        _ principal: Principal, at host: String, _ operation: AclOperation, _ type: ResourceType,
        _ name: String, by rules: AclSet
    ) -> Bool {
        if superUsers.contains(principal) { return true }
        let verdict = rules.verdict(
            principal: principal.text, host: host, operation: operation, type: type, name: name)
        switch verdict {
        case .allowed: return true
        case .denied, .notMentioned: return false
        case .noRules: return allowsWithoutRules
        }
    }

    /// Whether there is any resource of `type` with which `principal` may do `operation`.
    package func allowsSome(
        _ principal: Principal, at host: String, _ operation: AclOperation, _ type: ResourceType,
        by rules: AclSet
    ) -> Bool {
        if superUsers.contains(principal) { return true }
        if rules.allowsSome(
            principal: principal.text, host: host, operation: operation, type: type)
        {
            return true
        }
        // A name that no rule mentions is open to everybody, unless all are denied.
        return allowsWithoutRules
            && rules.verdict(
                principal: principal.text, host: host, operation: operation, type: type,
                name: AclSet.wildcard) == .noRules
    }
}
