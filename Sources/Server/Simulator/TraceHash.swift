/// A running hash (FNV-1a, 64 bits) of everything that happens in a simulation. Equal seeds give
/// equal hashes in every build; a difference means that something undetermined leaked in.
package struct TraceHash: Hashable, Sendable {
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    package init() {}

    package mutating func mix(_ number: UInt64) {
        var rest = number
        for _ in 0..<8 {
            value = (value ^ (rest & 0xFF)) &* 0x0000_0100_0000_01B3
            rest >>= 8
        }
    }

    package mutating func mix(_ number: Int64) { mix(UInt64(bitPattern: number)) }
    package mutating func mix(_ number: Int) { mix(UInt64(bitPattern: Int64(number))) }

    package mutating func mix(_ text: String) {
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        mix(UInt64(text.utf8.count))
    }
}
