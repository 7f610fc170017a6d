import CPlatform

#if canImport(Glibc)
    import Glibc
#endif

/// CRC-32C (Castagnoli), the checksum of record batches, journal frames and our own files.
/// Of the ASCII digits 1 to 9 it is 0xE3069283.
package func crc32c(_ buffer: UnsafeRawBufferPointer, seed: UInt32 = 0) -> UInt32 {
    weir_crc32c(seed, buffer.baseAddress, buffer.count)
}

package func crc32c(_ bytes: Bytes, seed: UInt32 = 0) -> UInt32 {
    bytes.withUnsafeBytes { crc32c($0, seed: seed) }
}

/// `value` in hexadecimal, with `0x`, for messages.
package func hex(_ value: some BinaryInteger) -> String { "0x" + String(value, radix: 16) }

@usableFromInline
func weirCompareMemory(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int
) -> Int { Int(memcmp(left, right, count)) }
