import Base

/// The two published SCRAM mechanisms, with their published numbers.
package enum ScramMechanism: Int8, CaseIterable, Hashable, Comparable, Sendable {
    case sha256 = 1
    case sha512 = 2

    package var name: String { self == .sha256 ? "SCRAM-SHA-256" : "SCRAM-SHA-512" }
    /// Bytes of a digest.
    package var digestBytes: Int { self == .sha256 ? 32 : 64 }

    package init?(name: String) {
        guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    package static func < (left: ScramMechanism, right: ScramMechanism) -> Bool {
        left.rawValue < right.rawValue
    }
}

/// What is kept of a password: enough to check a proof, not enough to make one.
package struct ScramCredential: Equatable, Sendable {
    package var salt: Bytes
    package var iterations: Int32
    package var storedKey: Bytes
    package var serverKey: Bytes

    package init(salt: Bytes, iterations: Int32, storedKey: Bytes, serverKey: Bytes) {
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }
}

extension ScramCredential: CustomStringConvertible, CustomReflectable {
    /// Never the keys: who has them can test passwords, and play the server.
    package var description: String { "credential(\(iterations) iterations, ***)" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Names one credential.
package struct ScramCredentialKey: Hashable, Comparable, Sendable {
    package var user: String
    package var mechanism: ScramMechanism

    package init(user: String, mechanism: ScramMechanism) {
        self.user = user
        self.mechanism = mechanism
    }

    package static func < (left: ScramCredentialKey, right: ScramCredentialKey) -> Bool {
        left.user != right.user ? left.user < right.user : left.mechanism < right.mechanism
    }
}
