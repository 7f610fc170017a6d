import Base
import Quorum

/// How much of their quotas clients have used lately, and how long that makes them wait.
///
/// Rates are measured over the last ten whole seconds and the current one. Who is above the limit
/// waits until the same amount, spread over the longer time, is at the limit. Mutations are counted
/// by a bucket that holds eleven seconds' worth.
package struct QuotaMeters: Sendable {
    private struct Key: Hashable {
        var kind: QuotaKind
        /// What the quota that applies is shared by: a user, a client id, or both.
        var user: String?
        var clientID: String?
    }

    private static let wholeSeconds: Int64 = 10
    /// Client ids are made up by clients: old meters are dropped, and beyond this all share one.
    private static let metersMax = 50_000
    private static let sharedKey = Key(kind: .requestPercentage, user: nil, clientID: nil)

    private var meters: [Key: RateMeter] = [:]
    private var buckets: [Key: MutationBucket] = [:]

    package init() {}

    /// Counts `amount` against the quota of the client and says how long the client has to wait;
    /// zero when there is no quota, or it is not used up.
    package mutating func record(
        _ kind: QuotaKind, _ amount: Double, user: String, clientID: String,
        quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>>, now: Instant
    ) -> Duration {
        if quotas.isEmpty { return .zero }
        guard let (limit, key) = Self.resolve(kind, user, clientID, quotas) else { return .zero }
        let place = place(for: key, now: now)
        return meters[place, default: RateMeter()].record(amount, limit: limit, now: now)
    }

    /// Takes back what `record` counted, for an answer that is not given after all.
    package mutating func retract(
        _ kind: QuotaKind, _ amount: Double, user: String, clientID: String,
        quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>>, now: Instant
    ) {
        guard let (limit, key) = Self.resolve(kind, user, clientID, quotas) else { return }
        _ = meters[place(for: key, now: now)]?.record(-amount, limit: limit, now: now)
    }

    /// Whether the client may change something at this moment, and if not, for how long. The
    /// change is counted when it may, or when `isForced`.
    package mutating func recordMutations(
        _ count: Int, isForced: Bool, user: String, clientID: String,
        quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>>, now: Instant
    ) -> Duration {
        if quotas.isEmpty { return .zero }
        guard let (limit, key) = Self.resolve(.controllerMutationRate, user, clientID, quotas)
        else { return .zero }
        if buckets.count >= Self.metersMax, buckets[key] == nil {
            // Who has not changed anything for so long has a full bucket, like a new one.
            buckets = buckets.filter { now - $0.value.last < .seconds(60) }
        }
        return buckets[key, default: MutationBucket(limit: limit, now: now)].take(
            count, limit: limit, isForced: isForced, now: now)
    }

    private mutating func place(for key: Key, now: Instant) -> Key {
        if meters.count < Self.metersMax || meters[key] != nil { return key }
        let second = now.nanoseconds / 1_000_000_000
        meters = meters.filter { !$0.value.isForgotten(second: second) }
        return meters.count < Self.metersMax ? key : Self.sharedKey
    }

    /// The quota that applies: the most special one, users before client ids.
    private static func resolve(
        _ kind: QuotaKind, _ user: String, _ clientID: String,
        _ quotas: OrderedMap<QuotaEntity, OrderedMap<QuotaKind, Double>>
    ) -> (limit: Double, key: Key)? {
        let users: [QuotaEntity.Part] = [.named(user), .fallback, .absent]
        let clients: [QuotaEntity.Part] = [.named(clientID), .fallback, .absent]
        for userPart in users {
            for clientPart in clients {
                let entity = QuotaEntity(user: userPart, clientID: clientPart)
                guard let limit = quotas[entity]?[kind] else { continue }
                let key = Key(
                    kind: kind, user: userPart.isPresent ? user : nil,
                    clientID: clientPart.isPresent ? clientID : nil)
                return (limit, key)
            }
        }
        return nil
    }

    /// Amounts by second.
    private struct RateMeter: Sendable {
        private var amounts: [Double] = Array(repeating: 0, count: 11)
        private var newest: Int64 = .min

        func isForgotten(second: Int64) -> Bool { second - newest > QuotaMeters.wholeSeconds }

        mutating func record(_ amount: Double, limit: Double, now: Instant) -> Duration {
            let second = now.nanoseconds / 1_000_000_000
            let count = Int64(amounts.count)
            if newest == .min || second - newest >= count {
                amounts = Array(repeating: 0, count: amounts.count)
                newest = second
            }
            while newest < second {
                newest += 1
                amounts[Int(newest % count)] = 0
            }
            amounts[Int(newest % count)] += amount
            let fraction = Double(now.nanoseconds % 1_000_000_000) / 1e9
            let window = Double(QuotaMeters.wholeSeconds) + fraction
            let rate = amounts.reduce(0, +) / window
            if rate <= limit { return .zero }
            let wait = (rate - limit) / limit * window
            return .milliseconds(Int64(min(wait * 1000, 3_600_000).rounded()))
        }
    }

    /// Refills with the limit each second; a change may overdraw it once.
    private struct MutationBucket: Sendable {
        private var tokens: Double
        private(set) var last: Instant

        init(limit: Double, now: Instant) {
            tokens = limit * 11
            last = now
        }

        mutating func take(
            _ count: Int, limit: Double, isForced: Bool, now: Instant
        ) -> Duration {
            let elapsed = Double((now - last).wholeNanoseconds) / 1e9
            tokens = min(tokens + max(0, elapsed) * limit, limit * 11)
            last = now
            let wasOverdrawn = tokens < 0
            if !wasOverdrawn || isForced { tokens -= Double(count) }
            guard wasOverdrawn || (isForced && tokens < 0) else { return .zero }
            return .milliseconds(Int64(min(-tokens / limit * 1000, 3_600_000).rounded(.up)))
        }
    }
}
