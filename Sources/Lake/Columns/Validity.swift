/// Which rows are not NULL: one bit a row, 1 = valid, least significant bit first (Arrow's layout).
/// Bits behind `count` are zero.
package struct Validity: Hashable, Sendable {
    package private(set) var words: [UInt64]
    package private(set) var count: Int

    /// All `count` rows alike.
    package init(repeating valid: Bool, count: Int) {
        self.count = count
        words = [UInt64](repeating: valid ? ~0 : 0, count: (count + 63) / 64)
        clearTail()
    }

    package init(_ flags: some Collection<Bool>) {
        self.init(repeating: false, count: flags.count)
        for (index, flag) in flags.enumerated() where flag { set(index, true) }
    }

    /// Bits in `words`, which must hold at least `count` bits.
    package init(words: [UInt64], count: Int) {
        precondition(words.count == (count + 63) / 64, "one word for 64 rows")
        self.words = words
        self.count = count
        clearTail()
    }

    private mutating func clearTail() {
        if count % 64 != 0 { words[words.count - 1] &= (1 << UInt64(count % 64)) - 1 }
    }

    @inlinable
    package subscript(index: Int) -> Bool {
        words[index >> 6] >> UInt64(index & 63) & 1 == 1
    }

    package mutating func set(_ index: Int, _ valid: Bool) {
        let bit: UInt64 = 1 << UInt64(index & 63)
        if valid { words[index >> 6] |= bit } else { words[index >> 6] &= ~bit }
    }

    package mutating func append(_ valid: Bool) {
        if count % 64 == 0 { words.append(0) }
        count += 1
        if valid { set(count - 1, true) }
    }

    package var validCount: Int { words.reduce(0) { $0 + $1.nonzeroBitCount } }
    package var nullCount: Int { count - validCount }

    /// Valid where both are; nil stands for "all valid".
    package static func intersection(_ left: Validity?, _ right: Validity?) -> Validity? {
        guard let left else { return right }
        guard let right else { return left }
        precondition(left.count == right.count, "columns of one batch have one length")
        var result = left
        for index in result.words.indices { result.words[index] &= right.words[index] }
        return result
    }

    package func gather(_ rows: [Int32]) -> Validity {
        var result = Validity(repeating: false, count: rows.count)
        for (target, row) in rows.enumerated() where self[Int(row)] { result.set(target, true) }
        return result
    }
}
