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
    private var slots: [UInt32] = [UInt32](repeating: 0, count: 64)
    private var hashes: [UInt64] = []
    private var offsets: [Int] = [0]
    private var bytes: [UInt8] = []

    var count: Int { hashes.count }

    var memoryBytes: Int {
        slots.count * 4 + hashes.heldCount * 8 + offsets.capacity * 8 + bytes.heldCount
    }

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
        if slots[slot] != 0 { return UInt64(slots[slot] - 1) }
        precondition(hashes.count < Int(UInt32.max) - 1, "the memory budget ends earlier")
        hashes.append(hash)
        bytes += text
        offsets.append(bytes.count)
        slots[slot] = UInt32(hashes.count)
        if hashes.count * 2 > slots.count { grow() }
        return UInt64(hashes.count - 1)
    }

    /// The number of `text` if it has one.
    func find(_ text: UnsafeRawBufferPointer) -> UInt64? {
        let slot = place(of: text, KeyHash.bytes(text))
        return slots[slot] == 0 ? nil : UInt64(slots[slot] - 1)
    }

    /// The slot that holds `text`, or the free one where it belongs.
    private func place(of text: UnsafeRawBufferPointer, _ hash: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: hash) & mask
        while slots[slot] != 0 {
            let number = Int(slots[slot] - 1)
            if hashes[number] == hash, isEqual(number, text) { break }
            slot = (slot + 1) & mask
        }
        return slot
    }

    private func isEqual(_ number: Int, _ text: UnsafeRawBufferPointer) -> Bool {
        let (start, end) = (offsets[number], offsets[number + 1])
        guard end - start == text.count else { return false }
        return bytes.withUnsafeBytes {
            compareBytes(UnsafeRawBufferPointer(rebasing: $0[start..<end]), text) == 0
        }
    }

    private func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for number in hashes.indices {
            var slot = Int(truncatingIfNeeded: hashes[number]) & mask
            while slots[slot] != 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(number + 1)
        }
    }
}
