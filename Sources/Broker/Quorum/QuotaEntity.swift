import Base

/// Whose requests a quota is about.
package struct QuotaEntity: Hashable, Comparable, Sendable {
    /// One part: absent, the default for everybody without a quota of his own, or a name.
    package enum Part: Hashable, Comparable, Sendable {
        case absent
        case fallback
        case named(String)

        package var isPresent: Bool { self != .absent }
    }

    package var user: Part
    package var clientID: Part

    package init(user: Part = .absent, clientID: Part = .absent) {
        self.user = user
        self.clientID = clientID
    }

    package static func < (left: QuotaEntity, right: QuotaEntity) -> Bool {
        left.user != right.user ? left.user < right.user : left.clientID < right.clientID
    }
}

/// What is limited, by published name.
package enum QuotaKind: UInt8, CaseIterable, Comparable, Sendable {
    /// Bytes produced in a second.
    case producerByteRate = 1
    /// Bytes fetched in a second.
    case consumerByteRate = 2
    /// Share of one thread's time, in percent.
    case requestPercentage = 3
    /// Partitions created and deleted in a second.
    case controllerMutationRate = 4

    package var name: String {
        switch self {
        case .producerByteRate: "producer_byte_rate"
        case .consumerByteRate: "consumer_byte_rate"
        case .requestPercentage: "request_percentage"
        case .controllerMutationRate: "controller_mutation_rate"
        }
    }

    package init?(name: String) {
        guard let found = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = found
    }

    package static func < (left: QuotaKind, right: QuotaKind) -> Bool {
        left.rawValue < right.rawValue
    }
}
