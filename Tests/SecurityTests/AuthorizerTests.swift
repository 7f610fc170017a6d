import Base
import Quorum
import Security
import Testing

@Suite struct AuthorizerTests {
    private static let alice = Principal(user: "alice")
    private static let bob = Principal(user: "bob")

    private func rules(_ bindings: AclBinding...) -> AclSet {
        var set = AclSet()
        for binding in bindings { set.insert(binding) }
        set.checkInvariants()
        return set
    }

    private func may(
        by principal: Principal = alice, at host: String = "10.0.0.1", _ operation: AclOperation,
        _ name: String, _ rules: AclSet, _ authorizer: Authorizer = Authorizer()
    ) -> Bool {
        authorizer.allows(principal, at: host, operation, .topic, name, by: rules)
    }

    @Test func `nobody may do anything without a rule`() {
        #expect(!may(.read, "orders", AclSet()))
        #expect(may(.read, "orders", AclSet(), Authorizer(allowsWithoutRules: true)))
        let other = rules(AclBinding(.topic, "orders", principal: "User:bob", operation: .read))
        #expect(!may(.read, "orders", other, Authorizer(allowsWithoutRules: true)))
        #expect(may(.read, "other", other, Authorizer(allowsWithoutRules: true)))
    }

    @Test func `a rule is for its principal, operation, host and name`() {
        let set = rules(
            AclBinding(
                .topic, "orders", principal: "User:alice", host: "10.0.0.1", operation: .read))
        #expect(may(.read, "orders", set))
        #expect(!may(by: Self.bob, .read, "orders", set))
        #expect(!may(.write, "orders", set))
        #expect(!may(at: "10.0.0.2", .read, "orders", set))
        #expect(!may(.read, "orders2", set))
        #expect(
            !Authorizer().allows(Self.alice, at: "10.0.0.1", .read, .group, "orders", by: set))
    }

    @Test func `a denial wins over every permission`() {
        let set = rules(
            AclBinding(.topic, "*", principal: "User:alice", operation: .all),
            AclBinding(
                .topic, "pay", patternType: .prefixed, principal: "User:*", operation: .write,
                permission: .deny))
        #expect(may(.write, "orders", set))
        #expect(!may(.write, "payments", set))
        #expect(may(.read, "payments", set))
        #expect(may(.write, "pa", set))
    }

    @Test func `operations imply others, but a denial does not`() {
        for operation in [AclOperation.read, .write, .delete, .alter] {
            let set = rules(AclBinding(.topic, "t", principal: "User:alice", operation: operation))
            #expect(may(.describe, "t", set))
            #expect(!may(.describeConfigs, "t", set))
            let denied = rules(
                AclBinding(.topic, "t", principal: "User:alice", operation: .describe),
                AclBinding(
                    .topic, "t", principal: "User:alice", operation: operation, permission: .deny))
            #expect(may(.describe, "t", denied))
        }
        let configs = rules(
            AclBinding(.topic, "t", principal: "User:alice", operation: .alterConfigs))
        #expect(may(.describeConfigs, "t", configs))
        #expect(!may(.describe, "t", configs))
    }

    @Test func `prefixes match from the first byte`() {
        let set = rules(
            AclBinding(
                .topic, "team-a.", patternType: .prefixed, principal: "User:alice",
                operation: .read),
            AclBinding(
                .topic, "é", patternType: .prefixed, principal: "User:alice", operation: .read))
        #expect(may(.read, "team-a.orders", set))
        #expect(may(.read, "team-a.", set))
        #expect(!may(.read, "team-a", set))
        #expect(!may(.read, "x.team-a.", set))
        #expect(may(.read, "été", set))
        #expect(!may(.read, "ü", set))
    }

    @Test func `super users need no rules and fear no denial`() {
        let set = rules(
            AclBinding(
                .topic, "*", principal: "User:*", operation: .all, permission: .deny))
        let authorizer = Authorizer(superUsers: [Self.alice])
        #expect(may(.write, "t", set, authorizer))
        #expect(!may(by: Self.bob, .write, "t", set, authorizer))
        #expect(authorizer.allowsSome(Self.alice, at: "h", .write, .topic, by: set))
        #expect(!authorizer.allowsSome(Self.bob, at: "h", .write, .topic, by: set))
    }

    @Test func `some resource is found, unless denials cover it`() {
        func some(_ set: AclSet) -> Bool {
            Authorizer().allowsSome(Self.alice, at: "h", .write, .topic, by: set)
        }
        let allow = AclBinding(.topic, "pay-1", principal: "User:alice", operation: .write)
        #expect(some(rules(allow)))
        #expect(!some(rules()))
        func denial(_ name: String, _ pattern: PatternType) -> AclBinding {
            AclBinding(
                .topic, name, patternType: pattern, principal: "User:*", operation: .write,
                permission: .deny)
        }
        #expect(!some(rules(allow, denial("pay-1", .literal))))
        #expect(some(rules(allow, denial("pay-2", .literal))))
        #expect(!some(rules(allow, denial("pay", .prefixed))))
        #expect(!some(rules(allow, denial("*", .literal))))
    }

    @Test func `the index agrees with a plain search`() {
        var random = Random(seed: 11)
        let names = ["a", "ab", "abc", "b", "*"]
        let principals = ["User:alice", "User:bob", "User:*"]
        for _ in 0..<300 {
            var set = AclSet()
            var plain: Set<AclBinding> = []
            for _ in 0..<random.within(1...12) {
                let binding = AclBinding(
                    .topic, names[random.below(names.count)],
                    patternType: random.chance(1, in: 2) ? .literal : .prefixed,
                    principal: principals[random.below(3)],
                    operation: [.read, .write, .all, .describe][random.below(4)],
                    permission: random.chance(1, in: 3) ? .deny : .allow)
                if random.chance(1, in: 4) {
                    set.remove(binding)
                    plain.remove(binding)
                } else {
                    set.insert(binding)
                    plain.insert(binding)
                }
                set.checkInvariants()
            }
            #expect(set.bindings == plain.sorted())
            for name in ["a", "ab", "abc", "abcd", "b", "z"] {
                for operation in [AclOperation.read, .describe, .write] {
                    let about = plain.filter { rule in
                        rule.patternType == .prefixed
                            ? name.hasPrefix(rule.resourceName)
                            : rule.resourceName == name || rule.resourceName == "*"
                    }
                    let mine = about.filter { ["User:alice", "User:*"].contains($0.principal) }
                    let isDenied = mine.contains {
                        $0.permission == .deny
                            && ($0.operation == operation || $0.operation == .all)
                    }
                    let isAllowed = mine.contains {
                        $0.permission == .allow
                            && ($0.operation == operation || $0.operation == .all
                                || operation.impliedBy.contains($0.operation))
                    }
                    let expected: AclSet.Verdict =
                        isDenied
                        ? .denied
                        : isAllowed ? .allowed : about.isEmpty ? .noRules : .notMentioned
                    let verdict = set.verdict(
                        principal: "User:alice", host: "h", operation: operation, type: .topic,
                        name: name)
                    #expect(verdict == expected)
                }
            }
        }
    }
}
