import Base

/// All access rules, indexed by what a request asks: the rules for one resource.
package struct AclSet: Sendable {
    /// What the rules say about one wish.
    package enum Verdict: Equatable, Sendable {
        case allowed
        case denied
        /// Rules of others exist for the resource, but none for this wish.
        case notMentioned
        /// No rule at all is about the resource.
        case noRules
    }

    /// A resource name that stands for all of its type.
    package static let wildcard = "*"
    package static let everybody = "User:*"

    private struct Key: Hashable {
        var type: ResourceType
        var name: String
    }

    private struct Rule: Equatable {
        var principal: String
        var host: String
        var operation: AclOperation
        var permission: AclPermission

        init(_ binding: AclBinding) {
            principal = binding.principal
            host = binding.host
            operation = binding.operation
            permission = binding.permission
        }

        func isAbout(_ wantedPrincipal: String, _ wantedHost: String) -> Bool {
            (principal == wantedPrincipal || principal == AclSet.everybody)
                && (host == wantedHost || host == "*")
        }
    }

    /// In order.
    package private(set) var bindings: [AclBinding] = []
    private var literal: [Key: [Rule]] = [:]
    private var prefixed: [Key: [Rule]] = [:]
    /// How many rules there are for prefixes of each length: what a lookup has to try.
    private var prefixLengths: OrderedMap<Int, Int> = [:]

    package init() {}

    package var count: Int { bindings.count }

    package func contains(_ binding: AclBinding) -> Bool {
        let place = lowerBound(binding)
        return place < bindings.count && bindings[place] == binding
    }

    package mutating func insert(_ binding: AclBinding) {
        let place = lowerBound(binding)
        if place < bindings.count, bindings[place] == binding { return }
        bindings.insert(binding, at: place)
        let key = Key(type: binding.resourceType, name: binding.resourceName)
        if binding.patternType == .prefixed {
            prefixed[key, default: []].append(Rule(binding))
            prefixLengths[binding.resourceName.utf8.count, default: 0] += 1
        } else {
            literal[key, default: []].append(Rule(binding))
        }
    }

    package mutating func remove(_ binding: AclBinding) {
        let place = lowerBound(binding)
        guard place < bindings.count, bindings[place] == binding else { return }
        bindings.remove(at: place)
        let key = Key(type: binding.resourceType, name: binding.resourceName)
        let rule = Rule(binding)
        if binding.patternType == .prefixed {
            prefixed[key]?.removeAll { $0 == rule }
            if prefixed[key]?.isEmpty == true { prefixed[key] = nil }
            let length = binding.resourceName.utf8.count
            let left = prefixLengths[length, default: 1] - 1
            prefixLengths[length] = left == 0 ? nil : left
        } else {
            literal[key]?.removeAll { $0 == rule }
            if literal[key]?.isEmpty == true { literal[key] = nil }
        }
    }

    /// What the rules say when `principal` at `host` wants to do `operation`. A denial wins over
    /// every permission.
    package func verdict(
        principal: String, host: String, operation: AclOperation, type: ResourceType, name: String
    ) -> Verdict {
        if bindings.isEmpty { return .noRules }
        var verdict = Verdict.noRules
        func consider(_ rules: [Rule]?) {
            guard let rules, verdict != .denied else { return }
            for rule in rules {
                if verdict == .noRules { verdict = .notMentioned }
                guard rule.isAbout(principal, host) else { continue }
                if rule.permission == .deny {
                    if rule.operation == operation || rule.operation == .all {
                        verdict = .denied
                        return
                    }
                } else if rule.operation == operation || rule.operation == .all
                    || operation.impliedBy.contains(rule.operation)
                {
                    verdict = .allowed
                }
            }
        }
        consider(literal[Key(type: type, name: name)])
        consider(literal[Key(type: type, name: Self.wildcard)])
        let length = name.utf8.count
        for prefixLength in prefixLengths.keys where prefixLength <= length {
            guard let prefix = String(name.utf8.prefix(prefixLength)) else { continue }
            consider(prefixed[Key(type: type, name: prefix)])
        }
        return verdict
    }

    /// Whether there is any resource of `type` with which `principal` may do `operation`.
    package func allowsSome(
        principal: String, host: String, operation: AclOperation, type: ResourceType
    ) -> Bool {
        var allowed: [AclBinding] = []
        var deniedNames: Set<String> = []
        var deniedPrefixes: [String] = []
        for binding in bindings where binding.resourceType == type {
            guard Rule(binding).isAbout(principal, host) else { continue }
            let isSame = binding.operation == operation || binding.operation == .all
            if binding.permission == .deny {
                guard isSame else { continue }
                if binding.patternType == .prefixed {
                    deniedPrefixes.append(binding.resourceName)
                } else if binding.resourceName == Self.wildcard {
                    return false
                } else {
                    deniedNames.insert(binding.resourceName)
                }
            } else if isSame || operation.impliedBy.contains(binding.operation) {
                allowed.append(binding)
            }
        }
        return allowed.contains { binding in
            if binding.patternType == .literal {
                if binding.resourceName == Self.wildcard { return true }
                if deniedNames.contains(binding.resourceName) { return false }
            }
            return !deniedPrefixes.contains { prefix in
                binding.resourceName.utf8.starts(with: prefix.utf8)
            }
        }
    }

    private func lowerBound(_ binding: AclBinding) -> Int {
        var low = 0
        var high = bindings.count
        while low < high {
            let middle = (low + high) / 2
            if bindings[middle] < binding { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// `bindings` ascends strictly; the indexes hold as many rules.
    package func checkInvariants() {
        for index in bindings.indices.dropFirst() {
            precondition(bindings[index - 1] < bindings[index], "rules ascend")
        }
        let indexed =
            literal.values.reduce(0) { $0 + $1.count }
            + prefixed.values.reduce(0) { $0 + $1.count }
        precondition(indexed == bindings.count, "every rule is indexed once")
    }
}
