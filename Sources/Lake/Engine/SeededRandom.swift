/// The numbers that PostgreSQL 15 gives behind setseed(): xoroshiro128**, seeded by SplitMix64.
package struct SeededRandom: Sendable {
    private var first: UInt64
    private var second: UInt64

    /// `seed` is from -1 to 1.
    package init(seed: Double) {
        precondition(seed >= -1 && seed <= 1, "a seed is from -1 to 1")
        var mixer = UInt64(bitPattern: Int64(Double(1 << 52 - 1) * seed))
        func mix() -> UInt64 {
            mixer &+= 0x9E37_79B9_7F4A_7C15
            var word = mixer
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        first = mix()
        second = mix()
    }

    /// A number from 0 up to 1, of 52 bits.
    package mutating func next() -> Double {
        func rotated(_ word: UInt64, _ bits: UInt64) -> UInt64 {
            word << bits | word >> (64 - bits)
        }
        let result = rotated(first &* 5, 7) &* 9
        let both = second ^ first
        first = rotated(first, 24) ^ both ^ (both << 16)
        second = rotated(both, 37)
        return Double(result >> 12) * 0x1p-52
    }
}
