// Growing output. Not copyable, so that there is one owner of the bytes until they are finished.

/// Writes integers (big-endian unless marked `LE`), varints and bytes into one growing buffer.
package struct ByteWriter: ~Copyable {
    @usableFromInline var storage: ByteStorage
    @usableFromInline var used: Int = 0

    package init(capacity: Int = 256) { storage = ByteStorage(count: max(capacity, 16)) }

    @inlinable package var count: Int { used }

    @usableFromInline
    mutating func grow(to needed: Int) {
        let larger = ByteStorage(count: max(needed, storage.count * 2))
        larger.base.copyMemory(from: storage.base, byteCount: used)
        storage = larger
    }

    @inlinable
    package mutating func reserve(_ extra: Int) {
        if used + extra > storage.count { grow(to: used + extra) }
    }

    @inlinable
    mutating func store<T: FixedWidthInteger & BitwiseCopyable>(_ value: T) {
        reserve(MemoryLayout<T>.size)
        (storage.base + used).storeBytes(of: value, as: T.self)
        used += MemoryLayout<T>.size
    }

    @inlinable package mutating func uint8(_ value: UInt8) { store(value) }
    @inlinable package mutating func int8(_ value: Int8) { store(value) }
    @inlinable package mutating func int16(_ value: Int16) { store(value.bigEndian) }
    @inlinable package mutating func uint16(_ value: UInt16) { store(value.bigEndian) }
    @inlinable package mutating func int32(_ value: Int32) { store(value.bigEndian) }
    @inlinable package mutating func uint32(_ value: UInt32) { store(value.bigEndian) }
    @inlinable package mutating func int64(_ value: Int64) { store(value.bigEndian) }
    @inlinable package mutating func float64(_ value: Double) { store(value.bitPattern.bigEndian) }
    @inlinable package mutating func uint16LE(_ value: UInt16) { store(value.littleEndian) }
    @inlinable package mutating func uint32LE(_ value: UInt32) { store(value.littleEndian) }
    @inlinable package mutating func int32LE(_ value: Int32) { store(value.littleEndian) }
    @inlinable package mutating func uint64LE(_ value: UInt64) { store(value.littleEndian) }
    @inlinable package mutating func int64LE(_ value: Int64) { store(value.littleEndian) }

    @inlinable
    package mutating func unsignedVarlong(_ value: UInt64) {
        reserve(10)
        var rest = value
        while rest >= 0x80 {
            (storage.base + used).storeBytes(of: UInt8(rest & 0x7F) | 0x80, as: UInt8.self)
            used += 1
            rest >>= 7
        }
        (storage.base + used).storeBytes(of: UInt8(rest), as: UInt8.self)
        used += 1
    }

    @inlinable package mutating func unsignedVarint(_ value: UInt32) {
        unsignedVarlong(UInt64(value))
    }
    @inlinable package mutating func varlong(_ value: Int64) {
        unsignedVarlong(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }
    @inlinable package mutating func varint(_ value: Int32) {
        unsignedVarlong(UInt64(UInt32(bitPattern: (value << 1) ^ (value >> 31))))
    }

    @inlinable
    package mutating func bytes(_ bytes: Bytes) {
        reserve(bytes.count)
        (storage.base + used).copyMemory(
            from: bytes.storage.base + bytes.start, byteCount: bytes.count)
        used += bytes.count
    }

    @inlinable
    package mutating func bytes(_ buffer: UnsafeRawBufferPointer) {
        guard let from = buffer.baseAddress else { return }
        reserve(buffer.count)
        (storage.base + used).copyMemory(from: from, byteCount: buffer.count)
        used += buffer.count
    }

    @inlinable
    package mutating func bytes(_ array: [UInt8]) {
        array.withUnsafeBytes { bytes($0) }
    }

    /// The UTF-8 of `text`, without a length.
    @inlinable
    package mutating func utf8(_ text: String) {
        var text = text
        text.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
    }

    @inlinable
    package mutating func zeros(_ count: Int) {
        reserve(count)
        (storage.base + used).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        used += count
    }

    /// Writes at most `most` bytes: `fill` gets memory for them and returns how many it used.
    @inlinable
    package mutating func append(
        most: Int, _ fill: (UnsafeMutableRawPointer) -> Int
    ) {
        reserve(most)
        let count = fill(storage.base + used)
        precondition(count >= 0 && count <= most, "no more than was asked for")
        used += count
    }

    /// Overwrites four bytes at `position`, which were written before.
    package mutating func patchInt32(_ value: Int32, at position: Int) {
        precondition(position >= 0 && position + 4 <= used, "patch outside of what was written")
        (storage.base + position).storeBytes(of: value.bigEndian, as: Int32.self)
    }

    package mutating func patchUInt32(_ value: UInt32, at position: Int) {
        patchInt32(Int32(bitPattern: value), at: position)
    }

    package mutating func patchInt64(_ value: Int64, at position: Int) {
        precondition(position >= 0 && position + 8 <= used, "patch outside of what was written")
        (storage.base + position).storeBytes(of: value.bigEndian, as: Int64.self)
    }

    /// CRC-32C of what was written from `position` on.
    package func crc32c(from position: Int) -> UInt32 {
        precondition(position >= 0 && position <= used)
        return Base.crc32c(
            UnsafeRawBufferPointer(start: storage.base + position, count: used - position))
    }

    @inlinable
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        body(UnsafeRawBufferPointer(start: storage.base, count: used))
    }

    /// The bytes written so far, without a copy. The writer is used up.
    package consuming func finish() -> Bytes { Bytes(storage: storage, start: 0, count: used) }

    /// Forgets what was written and keeps the memory; only for a writer whose bytes were copied out.
    package mutating func removeAll() { used = 0 }
}
