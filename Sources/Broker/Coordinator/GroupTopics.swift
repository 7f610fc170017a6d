import Base

/// What groups have to know about the topics of the cluster: names, ids and partition counts.
struct GroupTopics: Sendable {
    struct Topic: Sendable, Equatable {
        var id: UUID128
        var partitionCount: Int32
    }

    private(set) var byName: OrderedMap<String, Topic> = [:]
    /// Looked up only.
    private var names: [UUID128: String] = [:]

    func name(of id: UUID128) -> String? { names[id] }

    func topic(_ name: String) -> Topic? { byName[name] }

    mutating func set(_ name: String, _ topic: Topic) {
        if let old = byName[name] { names[old.id] = nil }
        byName[name] = topic
        names[topic.id] = name
    }

    mutating func remove(_ name: String) {
        if let old = byName[name] { names[old.id] = nil }
        byName[name] = nil
    }

    /// The names that a pattern matches as a whole, in order.
    func names(matching pattern: RegularExpression) -> [String] {
        byName.keys.filter { pattern.matches($0) }
    }

    /// A number that differs when one of `topics` came, went, was made anew or grew.
    func fingerprint(of topics: [String]) -> Int64 {
        // FNV-1a: it only has to notice changes, nobody chooses its input against us.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func mix(_ value: UInt64) {
            var value = value
            for _ in 0..<8 {
                hash = (hash ^ (value & 0xFF)) &* 0x100_0000_01b3
                value >>= 8
            }
        }
        for name in topics {
            guard let topic = byName[name] else { continue }
            for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            mix(topic.id.high)
            mix(topic.id.low)
            mix(UInt64(bitPattern: Int64(topic.partitionCount)))
        }
        return Int64(bitPattern: hash)
    }
}
