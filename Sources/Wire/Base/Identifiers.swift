// The quantities of the broker as types, so that mixing them does not compile.

/// The place of a record in a partition. -1 stands for "unknown" where the protocol says so.
package struct Offset: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    package var value: Int64

    @inlinable package init(_ value: Int64) { self.value = value }
    @inlinable package init(integerLiteral value: Int64) { self.value = value }

    @inlinable
    package static func < (left: Offset, right: Offset) -> Bool { left.value < right.value }
    @inlinable
    package static func + (left: Offset, right: Int64) -> Offset { Offset(left.value + right) }
    /// How many offsets lie between.
    @inlinable
    package static func - (left: Offset, right: Offset) -> Int64 { left.value - right.value }
}

extension Offset: CustomStringConvertible {
    package var description: String { String(value) }
}

/// The number of a partition's leadership; rises with each change of leader.
package struct LeaderEpoch: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    package var value: Int32

    package init(_ value: Int32) { self.value = value }
    package init(integerLiteral value: Int32) { self.value = value }

    package static func < (left: LeaderEpoch, right: LeaderEpoch) -> Bool {
        left.value < right.value
    }
}

/// The number of a broker in its cluster.
package struct NodeID: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral {
    package var value: Int32

    package init(_ value: Int32) { self.value = value }
    package init(integerLiteral value: Int32) { self.value = value }

    package static func < (left: NodeID, right: NodeID) -> Bool { left.value < right.value }
}

/// One shard of a topic.
package struct TopicPartition: Hashable, Comparable, Sendable {
    package var topic: String
    package var partition: Int32

    package init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    package static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        left.topic != right.topic ? left.topic < right.topic : left.partition < right.partition
    }
}

extension TopicPartition: CustomStringConvertible {
    /// `topic-partition`, the name of its directory.
    package var description: String { "\(topic)-\(partition)" }
}

/// Sixteen bytes: topic ids, table ids, event ids. Zero stands for "absent".
package struct UUID128: Hashable, Comparable, Sendable {
    package var high: UInt64
    package var low: UInt64

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package static let zero = UUID128(high: 0, low: 0)

    package static func < (left: UUID128, right: UUID128) -> Bool {
        left.high != right.high ? left.high < right.high : left.low < right.low
    }

    /// From the 8-4-4-4-12 form (hyphens optional, either case); nil when it is not one.
    package init?(text: String) {
        var digits: [UInt64] = []
        for byte in text.utf8 {
            if byte == 0x2D { continue }
            guard let digit = Hexadecimal.value(byte) else { return nil }
            digits.append(UInt64(digit))
            if digits.count > 32 { return nil }
        }
        guard digits.count == 32 else { return nil }
        high = digits[0..<16].reduce(0) { $0 << 4 | $1 }
        low = digits[16..<32].reduce(0) { $0 << 4 | $1 }
    }
}

extension UUID128: CustomStringConvertible {
    /// The 8-4-4-4-12 form in lower case.
    package var description: String {
        func padded(_ value: UInt64, _ width: Int) -> String {
            let digits = String(value, radix: 16)
            return String(repeating: "0", count: width - digits.utf8.count) + digits
        }
        return padded(high >> 32, 8) + "-" + padded(high >> 16 & 0xFFFF, 4) + "-"
            + padded(high & 0xFFFF, 4) + "-" + padded(low >> 48, 4) + "-"
            + padded(low & 0xFFFF_FFFF_FFFF, 12)
    }
}
