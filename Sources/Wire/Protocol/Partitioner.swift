// Which partition a key belongs to. Equal to the Java client's choice, so that producers in any
// language put the same key into the same partition.

import Base

/// MurmurHash2 with 32 bits and the seed 0x9747B28C.
package func murmur2(_ bytes: Bytes) -> Int32 {
    bytes.withUnsafeBytes { murmur2($0) }
}

package func murmur2(_ bytes: UnsafeRawBufferPointer) -> Int32 {
    let multiplier: UInt32 = 0x5BD1_E995
    let count = bytes.count
    var hash: UInt32 = 0x9747_B28C ^ UInt32(truncatingIfNeeded: count)
    var position = 0
    while position + 4 <= count {
        var word = UInt32(
            littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self))
        word = word &* multiplier
        word ^= word >> 24
        word = word &* multiplier
        hash = hash &* multiplier
        hash ^= word
        position += 4
    }
    let left = count - position
    if left >= 3 { hash ^= UInt32(bytes[position + 2]) << 16 }
    if left >= 2 { hash ^= UInt32(bytes[position + 1]) << 8 }
    if left >= 1 {
        hash ^= UInt32(bytes[position])
        hash = hash &* multiplier
    }
    hash ^= hash >> 13
    hash = hash &* multiplier
    hash ^= hash >> 15
    return Int32(bitPattern: hash)
}

/// The partition of `key` among `partitionCount`, which must be positive.
package func partition(forKey key: Bytes, partitionCount: Int32) -> Int32 {
    precondition(partitionCount > 0, "a topic has at least one partition")
    return (murmur2(key) & 0x7FFF_FFFF) % partitionCount
}
