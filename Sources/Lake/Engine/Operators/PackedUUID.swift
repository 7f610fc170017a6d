import Columns

/// Texts that are UUIDs in their canonical form, 8-4-4-4-12 lower-case hexadecimal digits, as 128 bits:
/// ids of that kind are frequent keys, and a third of the text's length.
enum PackedUUID {
    static let textCount = 36

    /// The UUID that `text` spells; nil when it is not the canonical form of one.
    static func pack(_ text: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64)? {
        guard text.count == textCount, let base = text.baseAddress else { return nil }
        guard text[8] == 0x2D, text[13] == 0x2D, text[18] == 0x2D, text[23] == 0x2D else {
            return nil
        }
        let first = digits(base.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
        let second = digits(
            UInt64(base.loadUnaligned(fromByteOffset: 9, as: UInt32.self))
                | UInt64(base.loadUnaligned(fromByteOffset: 14, as: UInt32.self)) << 32)
        let third = digits(
            UInt64(base.loadUnaligned(fromByteOffset: 19, as: UInt32.self))
                | UInt64(base.loadUnaligned(fromByteOffset: 24, as: UInt32.self)) << 32)
        let fourth = digits(base.loadUnaligned(fromByteOffset: 28, as: UInt64.self))
        guard let first, let second, let third, let fourth else { return nil }
        return (UInt64(first) << 32 | UInt64(second), UInt64(third) << 32 | UInt64(fourth))
    }

    /// The number that eight digits spell, the first one in the lowest byte of `word`.
    @inline(__always)
    private static func digits(_ word: UInt64) -> UInt32? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x80 &* ones
        guard word & highs == 0 else { return nil }
        // In each byte the upper bit says whether it is at least the bound.
        let isLetter = (word &+ (0x80 - 0x61) &* ones) & highs
        let isDigit = (word &+ (0x80 - 0x30) &* ones) & highs & ~(word &+ (0x80 - 0x3A) &* ones)
        let isWrongLetter = (word &+ (0x80 - 0x67) &* ones) & highs
        guard isLetter | isDigit == highs, isWrongLetter == 0 else { return nil }
        // '0' is 0x30, 'a' is 0x61 and stands for ten.
        let nibbles = (word & (0x0F &* ones)) &+ (isLetter >> 7) &* 9
        // Neighbours go together: bytes into words of 16, 32 and at last 64 bits, the first on top.
        let pairs = (nibbles << 4 | nibbles >> 8) & 0x00FF_00FF_00FF_00FF
        let quads = (pairs << 8 | pairs >> 16) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: quads << 16 | quads >> 32)
    }

    /// Calls `body` with the text of a UUID.
    static func withText(
        high: UInt64, low: UInt64, _ body: (UnsafeRawBufferPointer) -> Void
    ) {
        withUnsafeTemporaryAllocation(byteCount: textCount, alignment: 8) { text in
            var place = 0
            for digit in 0..<32 {
                if digit == 8 || digit == 12 || digit == 16 || digit == 20 {
                    text[place] = 0x2D
                    place += 1
                }
                let word = digit < 16 ? high : low
                let nibble = UInt8(truncatingIfNeeded: word >> UInt64(60 - digit % 16 * 4)) & 0xF
                text[place] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble
                place += 1
            }
            body(UnsafeRawBufferPointer(text))
        }
    }
}
