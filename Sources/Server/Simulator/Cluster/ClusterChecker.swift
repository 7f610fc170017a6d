import Base

/// What clients were told and what they saw, and whether that fits together.
struct ClusterChecker {
    /// A partition as the clients know it.
    struct Partition {
        var name: TopicPartition
        /// Values that were acknowledged, or seen by a reader, by their offsets.
        var values: [Int64: String] = [:]
        /// Where each value is.
        var offsets: [String: Int64] = [:]
        var acknowledged: Set<Int64> = []
    }

    /// What became of a transaction, as far as its client knows.
    enum Outcome {
        case open
        case committed
        case aborted
    }

    var partitions: [Partition] = []
    /// By the text that all values of a transaction begin with.
    var transactions: OrderedMap<String, Outcome> = [:]
    /// By group: what was acknowledged last, and everything that was tried.
    var commits: OrderedMap<String, (known: Int64, tried: Set<Int64>)> = [:]
    /// What processes have counted to, and how often they do not know whether they have.
    var counts: Set<Int> = []
    var uncertainCounts = 0
    private var producerIDs: Set<Int64> = []
    private(set) var anomaly: String?

    mutating func fail(_ reason: String) {
        if anomaly == nil { anomaly = reason }
    }

    /// No producer id is given twice.
    mutating func given(_ producerID: Int64) {
        if !producerIDs.insert(producerID).inserted {
            fail("producer id \(producerID) is given twice")
        }
    }

    /// A record is at an offset, whoever says so: nothing else ever is.
    mutating func saw(_ place: Int, _ offset: Int64, _ value: String) {
        let name = partitions[place].name
        if let known = partitions[place].values.updateValue(value, forKey: offset), known != value {
            fail("\(name) had \(known) at \(offset), and now \(value)")
        }
        if let known = partitions[place].offsets.updateValue(offset, forKey: value), known != offset
        {
            fail("\(value) is at \(known) and at \(offset) of \(name)")
        }
    }

    mutating func acknowledged(_ place: Int, _ base: Int64, _ values: [String]) {
        for (step, value) in values.enumerated() {
            saw(place, base + Int64(step), value)
            partitions[place].acknowledged.insert(base + Int64(step))
        }
    }

    /// What a reader of committed records got must not be of a transaction that was aborted.
    mutating func sawCommitted(_ value: String) {
        guard let name = Self.transaction(of: value) else { return }
        if transactions[name] == .aborted { fail("\(value) is visible, and was aborted") }
    }

    /// Values of transactions have their name before a colon.
    static func transaction(of value: String) -> String? {
        guard value.hasPrefix("t"), let end = value.firstIndex(of: ":") else { return nil }
        return String(value[..<end])
    }

    /// Everything was read from its beginning by a reader of committed records.
    mutating func finish(_ place: Int, _ found: [Int64: String]) {
        for offset in partitions[place].acknowledged.sorted() {
            guard let value = partitions[place].values[offset] else { continue }
            if let transaction = Self.transaction(of: value),
                transactions[transaction] != .committed
            {
                continue
            }
            if found[offset] != value {
                return fail(
                    "\(value) was acknowledged at \(offset) of \(partitions[place].name), where "
                        + "\(found[offset] ?? "nothing") is")
            }
        }
    }

    /// All partitions were read: transactions are whole, or not there.
    mutating func finishTransactions(_ visible: [String]) {
        var counts: [String: Int] = [:]
        for value in visible {
            if let name = Self.transaction(of: value) { counts[name, default: 0] += 1 }
        }
        for (name, outcome) in transactions {
            let count = counts[name] ?? 0
            if count != 0, count != ClusterClient.transactionRecords {
                fail(
                    "\(count) of \(ClusterClient.transactionRecords) records of \(name) are visible"
                )
            }
            if outcome == .committed, count == 0 {
                fail("\(name) was committed and is not visible")
            }
            if outcome == .aborted, count > 0 { fail("\(name) was aborted and is visible") }
        }
    }
}
