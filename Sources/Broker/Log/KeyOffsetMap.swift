import Base

/// 128 bits that stand for a record key: SipHash-2-4 with the wide finish, keyed by the store, so
/// that nobody who chooses record keys can make two of them collide.
struct KeyHash: Hashable, Sendable {
    var high: UInt64
    var low: UInt64

    init(_ key: Bytes, seed: (UInt64, UInt64)) {
        var state = SipState(seed)
        var tail: UInt64 = UInt64(truncatingIfNeeded: key.count) << 56
        key.withUnsafeBytes { buffer in
            var position = 0
            while position + 8 <= buffer.count {
                state.compress(
                    UInt64(
                        littleEndian: buffer.loadUnaligned(
                            fromByteOffset: position, as: UInt64.self)))
                position += 8
            }
            var shift: UInt64 = 0
            while position < buffer.count {
                tail |= UInt64(buffer[position]) << shift
                shift += 8
                position += 1
            }
        }
        state.compress(tail)
        high = state.finish(0xEE)
        low = state.finish(0xDD)
    }

    private struct SipState {
        var a: UInt64
        var b: UInt64
        var c: UInt64
        var d: UInt64

        init(_ seed: (UInt64, UInt64)) {
            a = seed.0 ^ 0x736F_6D65_7073_6575
            b = seed.1 ^ 0x646F_7261_6E64_6F6D ^ 0xEE
            c = seed.0 ^ 0x6C79_6765_6E65_7261
            d = seed.1 ^ 0x7465_6462_7974_6573
        }

        mutating func round() {
            a = a &+ b
            b = (b << 13 | b >> 51) ^ a
            a = a << 32 | a >> 32
            c = c &+ d
            d = (d << 16 | d >> 48) ^ c
            a = a &+ d
            d = (d << 21 | d >> 43) ^ a
            c = c &+ b
            b = (b << 17 | b >> 47) ^ c
            c = c << 32 | c >> 32
        }

        mutating func compress(_ word: UInt64) {
            d ^= word
            round()
            round()
            a ^= word
        }

        mutating func finish(_ mark: UInt64) -> UInt64 {
            if mark == 0xEE { c ^= mark } else { b ^= mark }
            for _ in 0..<4 { round() }
            return a ^ b ^ c ^ d
        }
    }
}

/// The last offset of each key in the part of a log that is being cleaned. Open addressing in flat
/// arrays, 24 bytes a slot; refuses new keys when it is full.
struct KeyOffsetMap: Sendable {
    private struct Slot {
        var high: UInt64 = 0
        var low: UInt64 = 0
        /// -1 = empty
        var offset: Int64 = -1
    }

    private let seed: (UInt64, UInt64)
    private let countMax: Int
    private var slots: [Slot]
    private(set) var count = 0

    init(countMax: Int, identity: UInt64) {
        self.countMax = max(countMax, 1)
        seed = (identity, identity ^ 0x9E37_79B9_7F4A_7C15)
        slots = Array(repeating: Slot(), count: 1024)
    }

    /// False when the key is new and there is no room for it.
    mutating func set(_ key: Bytes, _ offset: Int64) -> Bool {
        let hash = KeyHash(key, seed: seed)
        var index = place(hash)
        if slots[index].offset < 0 {
            guard count < countMax else { return false }
            if (count + 1) * 4 > slots.count * 3 {
                grow()
                index = place(hash)
            }
            count += 1
        }
        slots[index] = Slot(high: hash.high, low: hash.low, offset: offset)
        return true
    }

    /// The last offset of the key, or -1.
    func offset(of key: Bytes) -> Int64 { slots[place(KeyHash(key, seed: seed))].offset }

    private func place(_ hash: KeyHash) -> Int {
        let mask = slots.count - 1
        var index = Int(truncatingIfNeeded: hash.low) & mask
        while slots[index].offset >= 0,
            slots[index].low != hash.low || slots[index].high != hash.high
        {
            index = (index + 1) & mask
        }
        return index
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(), count: old.count * 2)
        for slot in old where slot.offset >= 0 {
            slots[place(KeyHash(high: slot.high, low: slot.low))] = slot
        }
    }
}

extension KeyHash {
    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }
}
