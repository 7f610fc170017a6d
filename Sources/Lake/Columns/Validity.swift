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
        guard count % 64 != 0 else { return }
        words[words.count - 1] &= (1 << UInt64(count % 64)) - 1
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

    /// Appends `count` rows alike.
    package mutating func append(repeating valid: Bool, count more: Int) {
        guard more > 0 else { return }
        let start = count
        count += more
        if words.count * 64 < count {
            let missing = (count + 63) / 64 - words.count
            words.append(contentsOf: repeatElement(valid ? ~0 : 0, count: missing))
        }
        // Bits of the word that was partly used already are zero.
        if valid, start % 64 != 0 { words[start / 64] |= ~0 << UInt64(start % 64) }
        clearTail()
    }

    /// Appends the lowest `more` bits of `bits`, at most 64, lowest first.
    package mutating func append(bits: UInt64, count more: Int) {
        precondition(more >= 0 && more <= 64, "at most one word at a time")
        guard more > 0 else { return }
        let bits = more == 64 ? bits : bits & ((1 << UInt64(more)) - 1)
        let shift = UInt64(count % 64)
        if shift == 0 {
            words.append(bits)
        } else {
            words[words.count - 1] |= bits << shift
            if Int(shift) + more > 64 { words.append(bits >> (64 - shift)) }
        }
        count += more
    }

    /// Appends all rows of `other`.
    package mutating func append(_ other: Validity) {
        words.reserveCapacity((count + other.count + 63) / 64)
        var left = other.count
        for word in other.words {
            append(bits: word, count: min(left, 64))
            left -= 64
        }
    }

    /// Rows `range`.
    package func slice(_ range: Range<Int>) -> Validity {
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "slice out of range")
        var result = Validity(repeating: false, count: range.count)
        let shift = UInt64(range.lowerBound % 64)
        let first = range.lowerBound / 64
        for index in result.words.indices {
            var word = words[first + index] >> shift
            if shift > 0, first + index + 1 < words.count {
                word |= words[first + index + 1] << (64 - shift)
            }
            result.words[index] = word
        }
        result.clearTail()
        return result
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
