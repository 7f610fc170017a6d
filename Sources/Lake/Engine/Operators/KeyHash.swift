/// Hashing that gives the same numbers in every run: the order of groups follows from it.
enum KeyHash {
    /// Mixes `word` into `hash`: both halves of a 128-bit product.
    @inline(__always)
    static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(
            by: 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low
    }

    @inline(__always)
    static func bytes(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash = UInt64(truncatingIfNeeded: bytes.count)
        var index = 0
        while index + 8 <= bytes.count {
            hash = mix(hash, bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
            index += 8
        }
        var tail: UInt64 = 0
        while index < bytes.count {
            tail = tail << 8 | UInt64(bytes[index])
            index += 1
        }
        return mix(hash, tail)
    }
}

/// Numbers long byte sequences: equal ones get the same number. Keys with long texts become words
/// of fixed size that way.
final class BytesInterner {
    /// A slot holds the upper half of the hash and, below it, number + 1; 0 is free.
    private var slots: [UInt64] = [UInt64](repeating: 0, count: 64)
    private var offsets: [Int] = [0]
    private var bytes: [UInt8] = []

    private static let saltMask: UInt64 = ~0xFFFF_FFFF

    var count: Int { offsets.count - 1 }

    var memoryBytes: Int { slots.count * 8 + offsets.heldCount * 8 + bytes.heldCount }

    func withBytes<Result>(
        _ number: Int, _ body: (UnsafeRawBufferPointer) -> Result
    ) -> Result {
        bytes.withUnsafeBytes {
            body(UnsafeRawBufferPointer(rebasing: $0[offsets[number]..<offsets[number + 1]]))
        }
    }

    /// The number of `text`, new if it has none yet.
    func intern(_ text: UnsafeRawBufferPointer) -> UInt64 {
        let hash = KeyHash.bytes(text)
        let slot = place(of: text, hash)
        if slots[slot] != 0 { return Self.number(slots[slot]) }
        let number = count
        precondition(number < Int(UInt32.max) - 1, "the memory budget ends earlier")
        bytes += text
        offsets.append(bytes.count)
        slots[slot] = hash & Self.saltMask | UInt64(number + 1)
        if count * 2 > slots.count { grow() }
        return UInt64(number)
    }

    /// The number of `text` if it has one.
    func find(_ text: UnsafeRawBufferPointer) -> UInt64? {
        let slot = slots[place(of: text, KeyHash.bytes(text))]
        return slot == 0 ? nil : Self.number(slot)
    }

    private static func number(_ slot: UInt64) -> UInt64 { (slot & ~saltMask) - 1 }

    /// The slot that holds `text`, or the free one where it belongs.
    private func place(of text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
        slots.withUnsafeBufferPointer { slots in
            let mask = slots.count - 1
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 {
                if (slots[slot] ^ hash) & Self.saltMask == 0,
                    isEqual(Int(Self.number(slots[slot])), text)
                {
                    break
                }
                slot = (slot + 1) & mask
            }
            return slot
        }
    }

    private func isEqual(_ number: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let (start, end) = (offsets[number], offsets[number + 1])
        guard end - start == text.count else { return false }
        return bytes.withUnsafeBytes {
            compareBytes(UnsafeRawBufferPointer(rebasing: $0[start..<end]), text) == 0
        }
    }

    private func grow() {
        slots = [UInt64](repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for number in 0..<count {
            // The lower half of the hash is not kept.
            let hash = withBytes(number) { KeyHash.bytes($0) }
            var slot = Int(truncatingIfNeeded: hash) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = hash & Self.saltMask | UInt64(number + 1)
        }
    }
}
