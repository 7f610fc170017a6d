// The 64-bit hash of the xxHash family, as its specification describes it; seed 0.

private let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
private let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
private let prime3: UInt64 = 0x1656_67B1_9E37_79F9
private let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
private let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

@inline(__always)
private func rotated(_ value: UInt64, _ bits: UInt64) -> UInt64 {
    value &<< bits | value &>> (64 &- bits)
}

@inline(__always)
private func round(_ state: UInt64, _ input: UInt64) -> UInt64 {
    rotated(state &+ input &* prime2, 31) &* prime1
}

/// The hash that bloom filters use. Of no bytes it is 0xEF46DB3751D8E999.
func xxHash64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var position = 0
    var state: UInt64
    func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    if bytes.count >= 32 {
        var lanes = (prime1 &+ prime2, prime2, UInt64(0), 0 &- prime1)
        while position &+ 32 <= bytes.count {
            lanes.0 = round(lanes.0, word(position))
            lanes.1 = round(lanes.1, word(position &+ 8))
            lanes.2 = round(lanes.2, word(position &+ 16))
            lanes.3 = round(lanes.3, word(position &+ 24))
            position &+= 32
        }
        state =
            rotated(lanes.0, 1) &+ rotated(lanes.1, 7) &+ rotated(lanes.2, 12)
            &+ rotated(lanes.3, 18)
        for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
            state = (state ^ round(0, lane)) &* prime1 &+ prime4
        }
    } else {
        state = prime5
    }
    state = state &+ UInt64(bytes.count)
    while position &+ 8 <= bytes.count {
        state = rotated(state ^ round(0, word(position)), 27) &* prime1 &+ prime4
        position &+= 8
    }
    if position &+ 4 <= bytes.count {
        let half = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        state = rotated(state ^ UInt64(half) &* prime1, 23) &* prime2 &+ prime3
        position &+= 4
    }
    while position < bytes.count {
        state = rotated(state ^ UInt64(bytes[position]) &* prime5, 11) &* prime1
        position &+= 1
    }
    state = (state ^ state >> 33) &* prime2
    state = (state ^ state >> 29) &* prime3
    return state ^ state >> 32
}
