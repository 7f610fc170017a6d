import Base

/// The bytes of one file, growing and shrinking. Raw memory instead of an array because a campaign
/// spends most of its time here, and arrays of bytes are 20 times slower in debug builds.
///
/// Sound because `base` is owned by this object alone, and every access is checked against `count`.
final class FileImage {
    private var base: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init() {
        capacity = 256
        base = .allocate(byteCount: capacity, alignment: 8)
    }

    deinit { base.deallocate() }

    /// New bytes are zero.
    func resize(to newCount: Int) {
        precondition(newCount >= 0)
        if newCount > capacity {
            let larger = max(newCount, capacity * 2)
            let fresh = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 8)
            fresh.copyMemory(from: base, byteCount: count)
            base.deallocate()
            base = fresh
            capacity = larger
        }
        if newCount > count {
            (base + count).initializeMemory(as: UInt8.self, repeating: 0, count: newCount - count)
        }
        count = newCount
    }

    /// Overwrites bytes that exist.
    func put(_ bytes: Bytes, at position: Int) {
        precondition(position >= 0 && position + bytes.count <= count)
        bytes.withUnsafeBytes { source in
            guard let from = source.baseAddress else { return }
            (base + position).copyMemory(from: from, byteCount: source.count)
        }
    }

    /// A copy of what exists of the range.
    func bytes(from position: Int, count wanted: Int) -> Bytes {
        let start = min(max(position, 0), count)
        let length = min(wanted, count - start)
        return Bytes(UnsafeRawBufferPointer(start: base + start, count: max(length, 0)))
    }

    /// Becomes a copy of another image.
    func copy(_ other: FileImage) {
        count = 0
        resize(to: other.count)
        base.copyMemory(from: other.base, byteCount: other.count)
    }

    func flip(bit: Int, at position: Int) {
        guard position < count else { return }
        let old = base.load(fromByteOffset: position, as: UInt8.self)
        base.storeBytes(of: old ^ (1 << UInt8(bit & 7)), toByteOffset: position, as: UInt8.self)
    }
}
